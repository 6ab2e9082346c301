"""Tokens as callers give them, and how a request bears one (RFC 6750 section 2.1)."""

from __future__ import annotations

import re

from sansauth.errors import InvalidParameter
from sansauth.http import Request
from sansauth.secret import Secret

__all__ = ["bear", "issued_token"]

# Section 2.1 allows less; X issues percent-encoded tokens. Checked here, because no header's error may hold a token.
_TOKEN = re.compile(r"[\x21-\x7E]+")


def bear(request: Request, access_token: str) -> Request:
    """The request with `Authorization: Bearer`; `InvalidParameter` for a token that fits into no header."""
    access_token = issued_token(access_token)
    if not _TOKEN.fullmatch(access_token):
        raise InvalidParameter("an access token is printable ASCII text without spaces; is there a line break in it?")
    return request.with_checked_header("authorization", f"Bearer {access_token}")


def issued_token(token: str) -> Secret:
    """The token, masked; `InvalidParameter` for what is none: None would go as "None", and be revoked with success."""
    if not isinstance(token, str) or not token:  # pyright: ignore[reportUnnecessaryIsInstance]  # without a checker
        raise InvalidParameter(f"the token is a str that is not empty, not {type(token).__name__}; is there none?")
    return Secret(token)
