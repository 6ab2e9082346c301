"""The signature itself, on strings: base string, key, HMAC (RFC 5849 section 3.4).

Everything here takes names and values that are percent-encoded already. That is what makes it fast, and what makes it
agree with the wire: the pairs that are signed are the pairs that are sent.
"""

from __future__ import annotations

import binascii
import hmac
import re
from collections.abc import Iterable

from sansauth.encoding import quote

__all__ = ["HMAC_METHODS", "build_base_string", "hmac_signature", "normalize", "quote_base64"]

_PLAIN_URI = re.compile(r"[A-Za-z0-9\-._~:/]*+").fullmatch

HMAC_METHODS = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256", "HMAC-SHA512": "sha512"}


def normalize(pairs: Iterable[tuple[str, str]]) -> str:
    """Sort encoded pairs by name, then value, and join them (RFC 5849 section 3.4.1.3.2).

    Pairs, not `name=value` strings: `=` sorts after `%` and the digits, so joined strings would sort differently where
    one name begins with another.
    """
    return "&".join(map("=".join, sorted(pairs)))


def build_base_string(method: str, base_uri: str, normalized: str) -> str:
    """Join method, base URI and normalized parameters (RFC 5849 section 3.4.1.1)."""
    # Most base URIs hold nothing else than these either, and two replacements are four times as fast as the encoder.
    uri = base_uri.replace(":", "%3A").replace("/", "%2F") if _PLAIN_URI(base_uri) else quote(base_uri)
    # The parameters hold nothing but unreserved characters, `%`, `=` and `&`: three replacements encode them again.
    escaped = normalized.replace("%", "%25").replace("&", "%26").replace("=", "%3D")
    return f"{method}&{uri}&{escaped}"


def hmac_signature(method: str, base_string: str, consumer_secret: str, token_secret: str) -> str:
    """Sign with HMAC (RFC 5849 section 3.4.2); the `&` of the key stays when there is no token."""
    key = "&".join((quote(consumer_secret), quote(token_secret)))
    digest = hmac.digest(key.encode(), base_string.encode(), HMAC_METHODS[method])
    return binascii.b2a_base64(digest, newline=False).decode()


def quote_base64(text: str) -> str:
    """`quote` for Base64, in a quarter of the time: only these three of its characters are reserved."""
    return text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
