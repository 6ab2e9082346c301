"""The text that is signed: parameters sorted, joined and encoded again (RFC 5849 section 3.4.1).

Everything here takes names and values that are percent-encoded already. That is what makes it fast, and what makes it
agree with the wire: the pairs that are signed are the pairs that are sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sansauth.encoding import encoded_pairs, quote
from sansauth.http import Request

__all__ = ["base_uri", "build_base_string", "normalize", "quote_base64", "quote_encoded", "signed_pairs"]

_PLAIN_URI = re.compile(r"[A-Za-z0-9\-._~:/]*+").fullmatch


def signed_pairs(request: Request) -> list[tuple[str, str]]:
    """The encoded pairs of query and form that are signed, in the order they are sent (RFC 5849 section 3.4.1.3.1).

    A body is read only if its content type says that it is a form: JSON and multipart are not signed.
    """
    _, _, carried = request.target.partition("?")
    if request.body and request.has_form:
        # Query and form are read as one; an empty piece between two `&` is no parameter. Keeps every byte: a body that
        # is not ASCII is signed as the bytes it has.
        carried += "&" + request.body.decode("ascii", "surrogateescape")
    pairs = encoded_pairs(carried) if carried else []
    if "oauth_signature" in carried:  # never signed itself
        pairs = [pair for pair in pairs if pair[0] != "oauth_signature"]
    return pairs


def normalize(pairs: Iterable[tuple[str, str]]) -> str:
    """Sort encoded pairs by name, then value, and join them (RFC 5849 section 3.4.1.3.2).

    Pairs, not `name=value` strings: `=` sorts after `%` and the digits, so joined strings would sort differently where
    one name begins with another.
    """
    return "&".join(map("=".join, sorted(pairs)))


def base_uri(request: Request) -> str:
    """Scheme, authority and path, with no port that is the scheme's own (RFC 5849 section 3.4.1.2)."""
    return request.parsed.origin + request.path


def build_base_string(method: str, uri: str, normalized: str) -> str:
    """Join method, base URI and normalized parameters (RFC 5849 section 3.4.1.1)."""
    # Most base URIs hold nothing else than these either, and two replacements are four times as fast as the encoder.
    uri = uri.replace(":", "%3A").replace("/", "%2F") if _PLAIN_URI(uri) else quote(uri)
    return f"{method if method.isalpha() else quote(method)}&{uri}&{quote_encoded(normalized)}"


def quote_encoded(text: str) -> str:
    """`quote` for encoded pairs: they hold nothing but unreserved characters, `%`, `=` and `&`."""
    return text.replace("%", "%25").replace("&", "%26").replace("=", "%3D")


def quote_base64(text: str) -> str:
    """`quote` for Base64, in a quarter of the time: only these three of its characters are reserved."""
    return text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
