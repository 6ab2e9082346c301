"""X's answers: its error codes with their statuses and words, its problem documents, its JSON.

Sources: X's documentation (authentication/oauth-2-0/application-only, response codes and errors, OpenAPI's problem
types) and, for code 170 and the texts of refusals in plain text, reports from the wild.
"""

from __future__ import annotations

import json

from sansauth.encoding import Params, encode
from sansauth.http import HeaderFields, Headers, Response
from sansauth.secret import Secret

__all__ = [
    "BAD_AUTHENTICATION_DATA",
    "CALLBACK_NOT_APPROVED",
    "CALLBACK_NOT_APPROVED_XML",
    "CLIENT_NOT_PERMITTED",
    "COULD_NOT_AUTHENTICATE",
    "FORBIDDEN",
    "INVALID_TOKEN",
    "INVALID_VERIFIER",
    "MISSING_GRANT_TYPE",
    "NOT_ALLOWED",
    "NOT_FOUND",
    "NOT_INVALIDATED",
    "OVER_CAPACITY",
    "RATE_LIMIT_EXCEEDED",
    "REVERSE_AUTH_REFUSED",
    "SOMETHING_BROKEN",
    "TIMESTAMP_OUT_OF_BOUNDS",
    "UNVERIFIED",
    "answer_form",
    "answer_json",
    "answer_text",
    "invalid_parameter",
    "method_not_allowed",
    "missing_parameter",
    "unsupported_authentication",
]

_JSON = "application/json; charset=utf-8"
_PROBLEM = "application/problem+json"
_TEXT = "text/html; charset=utf-8"  # what X says of its plain text
_PROBLEMS = "https://api.twitter.com/2/problems/"


def answer_json(status: int, document: object, headers: HeaderFields = ()) -> Response:
    """A JSON answer."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Response(status, (("content-type", _JSON), *Headers(headers)), body)


def answer_text(status: int, text: str) -> Response:
    """Plain text, labelled as HTML."""
    return Response(status, {"content-type": _TEXT}, text.encode())


def answer_form(params: Params) -> Response:
    """A form, labelled as HTML: how tokens are issued."""
    return answer_text(200, Secret(encode(params)))


def _refuse(status: int, code: int, message: str, label: str | None = None) -> Response:
    error: dict[str, object] = {"code": code, "message": message}
    if label is not None:
        error["label"] = label
    return answer_json(status, {"errors": [error]})


def _problem(status: int, title: str, detail: str, slug: str = "") -> Response:
    kind = _PROBLEMS + slug if slug else "about:blank"
    answer = answer_json(status, {"title": title, "status": status, "detail": detail, "type": kind})
    return Response(status, answer.headers.replacing("content-type", _PROBLEM), answer.body)


_NOT_APPROVED = (
    "Callback URL not approved for this client application. "
    "Approved callback URLs can be adjusted in your application settings"
)

COULD_NOT_AUTHENTICATE = _refuse(401, 32, "Could not authenticate you.")
NOT_FOUND = _refuse(404, 34, "Sorry, that page does not exist.")
CLIENT_NOT_PERMITTED = _refuse(403, 87, "Client is not permitted to perform this action.")
RATE_LIMIT_EXCEEDED = _refuse(429, 88, "Rate limit exceeded")
INVALID_TOKEN = _refuse(401, 89, "Invalid or expired token.")
UNVERIFIED = _refuse(403, 99, "Unable to verify your credentials", "authenticity_token_error")
OVER_CAPACITY = _refuse(503, 130, "Over capacity")
SOMETHING_BROKEN = _refuse(500, 131, "Internal error")
TIMESTAMP_OUT_OF_BOUNDS = _refuse(401, 135, "Timestamp out of bounds.")
MISSING_GRANT_TYPE = _refuse(403, 170, "Missing required parameter: grant_type")
BAD_AUTHENTICATION_DATA = _refuse(400, 215, "Bad Authentication data.")
NOT_ALLOWED = _refuse(403, 220, "Your credentials do not allow access to this resource")
NOT_INVALIDATED = _refuse(403, 348, "Client application is not permitted to to invalidate this token.")  # its own typo
CALLBACK_NOT_APPROVED = _refuse(403, 415, _NOT_APPROVED)
CALLBACK_NOT_APPROVED_XML = Response(
    403,
    {"content-type": "application/xml; charset=utf-8"},
    f"<?xml version='1.0' encoding='UTF-8'?><errors><error code=\"415\">{_NOT_APPROVED}</error></errors>".encode(),
)
FORBIDDEN = _problem(403, "Forbidden", "Forbidden")
INVALID_VERIFIER = answer_text(401, "Error processing your OAuth request: Invalid oauth_verifier parameter")
REVERSE_AUTH_REFUSED = answer_text(401, "Reverse auth credentials are invalid")


def missing_parameter(name: str) -> Response:
    """A parameter that is required and was not sent."""
    return _refuse(403, 38, f"{name} parameter is missing.")


def invalid_parameter(name: str) -> Response:
    """A parameter whose value cannot be."""
    return _refuse(400, 44, f"{name} parameter is invalid.")


def unsupported_authentication(accepted: str) -> Response:
    """API v2's refusal of a bearer token where a user is needed; the double space is X's."""
    return _problem(
        403,
        "Unsupported Authentication",
        "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  "
        f"Supported authentication types are [{accepted}].",
        "unsupported-authentication",
    )


def method_not_allowed(allowed: str) -> Response:
    """API v2's refusal of a method; v1.1 says that the page does not exist."""
    refusal = _problem(405, "Method Not Allowed", "Method Not Allowed")
    return Response(405, refusal.headers.replacing("allow", allowed), refusal.body)
