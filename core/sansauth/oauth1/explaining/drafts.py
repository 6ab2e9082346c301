"""A signature as some client makes it, right or wrong: every choice that a client takes is a field of `Draft`.

A mistake changes one field, so two mistakes are two changes. That is why encodings, orders and keys are data and small
functions here, and why nothing is taken from the signer but the RSA signature itself.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sansauth.encoding import UNRESERVED, quote
from sansauth.http import Request
from sansauth.oauth1.explaining.carried import Param, Source
from sansauth.oauth1.methods import HASHES, PLAINTEXT
from sansauth.secret import Secret
from sansauth.url import Url

__all__ = [
    "MOJIBAKE",
    "SOURCES",
    "Draft",
    "Encoding",
    "Mistake",
    "Order",
    "Pair",
    "Scene",
    "Variants",
    "encode_text",
    "in_order",
]

Pair: TypeAlias = tuple[str, str]

Order: TypeAlias = Callable[[Iterable[tuple[Param, Pair]]], list[Pair]]
"""From encoded pairs, with what they were before, to the order they are signed in."""

MOJIBAKE = "mojibake"
"""The charset of UTF-8 that was taken for Latin-1 and encoded again."""

SOURCES: tuple[Source, ...] = ("header", "query", "form")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a client percent-encodes. `rounds` is 0 for not at all, 2 for twice."""

    extra: str = ""
    """Reserved characters that it leaves as they are."""
    missing: str = ""
    """Unreserved characters that it encodes."""
    space: str = "%20"
    lower: bool = False
    charset: str = "utf-8"
    rounds: int = 1


STANDARD = Encoding()
"""RFC 5849 section 3.6."""


@functools.lru_cache(maxsize=256)
def _table(encoding: Encoding) -> list[str]:
    kept = (set(UNRESERVED) | set(encoding.extra)) - set(encoding.missing)
    form = "%{:02x}" if encoding.lower else "%{:02X}"
    table = [chr(byte) if chr(byte) in kept else form.format(byte) for byte in range(256)]
    table[0x20] = encoding.space
    return table


def encode_text(text: str, encoding: Encoding) -> str:
    """Percent-encode as that client does; a character outside its charset becomes a `?`."""
    if encoding == STANDARD:
        return quote(text) if text.isascii() else _encode(text, encoding)
    for _ in range(encoding.rounds):
        text = _encode(text, encoding)
    return text


def _encode(text: str, encoding: Encoding) -> str:
    if encoding.charset == "utf-8":
        data = text.encode("utf-8", "surrogateescape")
    elif encoding.charset == MOJIBAKE:
        data = text.encode("utf-8", "surrogateescape").decode("latin-1").encode()
    else:
        data = text.encode(encoding.charset, "replace")
    return "".join(map(_table(encoding).__getitem__, data))


def in_order(pairs: Iterable[tuple[Param, Pair]]) -> list[Pair]:
    """Sort encoded pairs by name, then value (RFC 5849 section 3.4.1.3.2)."""
    return sorted(pair for _, pair in pairs)


def _shared_key(consumer_secret: str, token_secret: str) -> str:
    return f"{quote(consumer_secret)}&{quote(token_secret)}"


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """Everything that goes into one signature. `port` has its colon; `tail` is what stands behind the path."""

    method: str
    scheme: str
    host: str
    port: str
    path: str
    params: tuple[Param, ...]
    consumer_secret: str
    token_secret: str
    algorithm: str
    rsa: Mapping[str, Callable[[str], str]]
    """Signature method to signature, for the RSA methods that the identity has a key for."""
    tail: str = ""
    encodings: tuple[Encoding, Encoding, Encoding] = (STANDARD, STANDARD, STANDARD)
    """Of the header's, the query's and the form's parameters."""
    outer: Encoding = STANDARD
    """Of the three parts of the base string."""
    uri_rounds: int = 1
    normalized_rounds: int = 1
    order: Order = in_order
    key: Callable[[str, str], str] = _shared_key
    output: Callable[[bytes], str] = _base64
    memo: dict[tuple[str, Encoding], str] = field(default_factory=dict[tuple[str, Encoding], str], compare=False)
    """Of one search: most mistakes leave most parameters as they are."""

    def encoding_of(self, param: Param) -> Encoding:
        """How the client encodes this parameter."""
        return self.encodings[SOURCES.index(param.source)]

    def base_string(self) -> str:
        """The text that this client signs (RFC 5849 section 3.4.1)."""
        pairs = [(param, self._pair(param)) for param in self.params]
        normalized = "&".join(map("=".join, self.order(pairs)))
        uri = f"{self.scheme}://{self.host}{self.port}{self.path}{self.tail}"
        encoded_uri = encode_text(uri, replace(self.outer, rounds=self.uri_rounds))
        encoded = encode_text(normalized, replace(self.outer, rounds=self.normalized_rounds))
        return f"{quote(self.method)}&{encoded_uri}&{encoded}"

    def signature(self) -> str:
        """The signature that this client puts into its request, before it is percent-encoded there."""
        if self.algorithm in self.rsa:
            signed = self.rsa[self.algorithm](self.base_string())
            return self.output(binascii.a2b_base64(signed))
        key = Secret(self.key(self.consumer_secret, self.token_secret))
        if self.algorithm == PLAINTEXT:
            return key
        message = self.base_string().encode("utf-8", "surrogateescape")
        return self.output(hmac.digest(key.encode("utf-8", "surrogateescape"), message, HASHES[self.algorithm]))

    def without(self, left_out: Callable[[Param], bool]) -> Draft:
        """The same without these parameters."""
        return replace(self, params=tuple([param for param in self.params if not left_out(param)]))

    def _pair(self, param: Param) -> Pair:
        encoding = self.encoding_of(param)
        return self._remembered(param.name, encoding), self._remembered(param.value, encoding)

    def _remembered(self, text: str, encoding: Encoding) -> str:
        encoded = self.memo.get((text, encoding))
        if encoded is None:
            encoded = self.memo[text, encoding] = encode_text(text, encoding)
        return encoded


@dataclass(frozen=True, slots=True, repr=False)
class Scene:
    """What a client may have confused the request with."""

    request: Request
    origins: tuple[Url, ...]
    """Where else the service answers."""
    written: str | None
    """The URL as somebody wrote it, with what `Request` drops."""
    realm: str | None
    keys: tuple[str, str]
    """Consumer key and token: no secrets, but taken for them."""
    token_secret: str
    """The identity's, also where the request names no token."""


Variants: TypeAlias = Iterable[tuple[Draft, str]]
"""What a client with one mistake may have signed, each with the detail that fills the mistake's text."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One hypothesis. `cause` and `advice` are plain words, `{}` in them is the variant's detail."""

    code: str
    part: str
    cause: str
    advice: str
    variants: Callable[[Draft, Scene], Variants]
