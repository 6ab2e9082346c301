"""What OAuth 2 endpoints answer: JSON that nobody stores, and refusals by RFC 6749 section 5.2 or in X's own words."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sansauth.http import HeaderFields, Headers, Response
from sansauth.testing.x_answers import answer_json

__all__ = ["Refused", "answer", "missing", "refuse", "unauthorized"]

_UNSTORED = {"cache-control": "no-store", "pragma": "no-cache"}  # RFC 6749 section 5.1

# X's own words (reports of the wild): of an error of RFC 6749, and the grant it came of where that matters.
_X_WORDS: dict[tuple[str, str], tuple[int, str, str]] = {
    ("invalid_grant", "authorization_code"): (
        400,
        "invalid_request",
        "Value passed for the authorization code was invalid.",
    ),
    ("invalid_grant", "refresh_token"): (400, "invalid_request", "Value passed for the token was invalid."),
    ("invalid_client", ""): (401, "unauthorized_client", "Missing valid authorization header"),
    ("unsupported_grant_type", ""): (
        400,
        "invalid_request",
        "Value passed for the grant type was invalid. Grant type should be one of [authorization_code, refresh_token].",
    ),
}


class Refused(Exception):
    """A request that is refused: an error code of OAuth 2, its description, the status, further headers."""

    def __init__(self, error: str, description: str = "", status: int = 400, headers: HeaderFields = ()) -> None:
        super().__init__(error, description)
        self.error = error
        self.description = description
        self.status = status
        self.headers = Headers(headers)


def answer(status: int, document: Mapping[str, object], headers: HeaderFields = ()) -> Response:
    """A JSON answer that must not be stored."""
    return answer_json(status, document, (*_UNSTORED.items(), *Headers(headers)))


def refuse(refused: Refused, *, x_words: bool, grant_type: str = "") -> Response:
    """The answer to a request that is refused. With `x_words` it says what X says."""
    status, error, description = refused.status, refused.error, refused.description
    if x_words:
        own = _X_WORDS.get((error, grant_type)) or _X_WORDS.get((error, ""))
        status, error, description = own or (status, error, description)
    document = {"error": error} | ({"error_description": description} if description else {})
    return answer(status, document, refused.headers)


def missing(name: str) -> Refused:
    """A parameter that is required and was not sent; X's words, which no RFC gives."""
    return Refused("invalid_request", f"Missing required parameter [{name}].")


def unauthorized(challenge: str, headers: HeaderFields = ()) -> Response:
    """A call whose token is not good (any more): X's problem document, and the challenge of RFC 6750 section 3."""
    problem = {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
    fields = (
        ("content-type", "application/problem+json"),
        ("www-authenticate", challenge),
        *Headers(headers),
    )
    return Response(401, fields, json.dumps(problem, separators=(",", ":")).encode())
