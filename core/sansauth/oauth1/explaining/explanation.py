"""What `explain` gives: frozen values without a secret in them, and their three forms."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from sansauth.oauth1.explaining.carried import Source
from sansauth.oauth1.explaining.page import render_page
from sansauth.oauth1.explaining.terminal import render_text

__all__ = ["Explanation", "Finding", "KeyShape", "NotSigned", "Parameter"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or that may be."""

    code: str
    """Stable, for programs: `host`, `plus_for_space`, `token_secret_missing`, ..."""
    part: str
    """The part that differs: method, base URI, parameters, encoding, key, signature, header, identity or clock."""
    cause: str
    """What happened, in plain words."""
    advice: str
    """What to do about it."""
    certain: bool
    """Whether it was seen, or reproduces the signature that was received; else it is the likeliest guess."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that is signed. A value that is secret is masked, decoded and encoded alike."""

    position: int
    """Counted from 1, in the order in which they are signed."""
    source: Source
    name: str
    value: str
    encoded_name: str
    encoded_value: str
    signed: str
    """`name=value` as it stands in the base string, encoded once more; without the separator."""


@dataclass(frozen=True, slots=True)
class NotSigned:
    """What the request has and the signature does not cover."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class KeyShape:
    """The key's shape; lengths are in characters."""

    kind: str
    """`shared secrets` for HMAC and PLAINTEXT, else `RSA private key`, whose secrets play no part."""
    consumer_secret_length: int
    token_secret_length: int | None
    """None where the request names no token."""
    length: int
    """Of both, percent-encoded, with the `&` between them."""
    needs_encoding: tuple[str, ...]
    """Which of `consumer secret` and `token secret` change when they are percent-encoded."""
    has_white_space: tuple[str, ...]
    """Which of them begin or end with white space."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A signature laid out and, if the request carried one, judged. Nothing in it is secret; see `explain`.

    `matches` is None where the request carried no signature. `base_string`, `signature` and `header` are the right
    ones; a masked value in them is `***`. `header` is None where the signature stands in query or form.
    """

    matches: bool | None
    findings: tuple[Finding, ...]
    right: tuple[str, ...]
    """What was checked and is as it should be."""
    tried: int
    """How many signatures were made in search of the cause."""
    method: str
    uri: str
    """The base URI (RFC 5849 section 3.4.1.2)."""
    parameters: tuple[Parameter, ...]
    not_signed: tuple[NotSigned, ...]
    signature_method: str
    key: KeyShape
    base_string_parts: tuple[str, str, str]
    """Method, base URI and parameters, each encoded, as the base string joins them with `&`."""
    placement: Source
    signature: str
    received_signature: str | None
    header: str | None

    @property
    def base_string(self) -> str:
        """The text that is signed (RFC 5849 section 3.4.1)."""
        return "&".join(self.base_string_parts)

    @property
    def verdict(self) -> str:
        """One sentence: whether the signature is right."""
        if self.matches is None:
            return "The request carries no signature yet; this is the one that it would get."
        if self.matches:
            return "The signature is right."
        many = sum(finding.certain for finding in self.findings) > 1
        return "The signature is wrong, for more than one reason." if many else "The signature is wrong."

    def to_dict(self) -> dict[str, object]:
        """For JSON: the fields by their names, and `verdict` and `base_string`. Keys are only ever added."""
        return {"verdict": self.verdict, **dataclasses.asdict(self), "base_string": self.base_string}

    def to_json(self, indent: int | None = 2) -> str:
        """`to_dict` as JSON text, in ASCII."""
        return json.dumps(self.to_dict(), indent=indent)

    def to_text(self, color: bool = False) -> str:
        """For a terminal of 100 columns; `color` puts ANSI colours in."""
        return render_text(self, color=color)

    def to_html(self) -> str:
        """One page that needs nothing else: no scripts, no requests, in light and in dark."""
        return render_page(self)
