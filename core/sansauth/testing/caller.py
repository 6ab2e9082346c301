"""Who a request comes from: its credentials, read and checked."""

from __future__ import annotations

import base64
import enum
import hmac
from typing import NamedTuple

from sansauth.encoding import decode, unquote
from sansauth.http import Request, Response
from sansauth.identity import App
from sansauth.oauth1.received import Fault
from sansauth.secret import Secret
from sansauth.testing import x_answers
from sansauth.testing.oauth2_bearer import find_access_token
from sansauth.testing.oauth2_issued import AccessToken
from sansauth.testing.service import Service

__all__ = [
    "REFUSALS",
    "Caller",
    "Recognised",
    "form_of",
    "is_application",
    "is_signed",
    "parameters_of",
    "recognise",
    "same",
    "values_of",
]


class Caller(enum.Enum):
    """Who may read a resource; the value names the pool of its rate limit."""

    APP = "application"
    USER = "user"


class Recognised(NamedTuple):
    """Who called; a user's calls name their access token, which is OAuth 1.0a's or OAuth 2's."""

    caller: Caller
    access_token: str | None = None
    oauth2_token: AccessToken | None = None


REFUSALS = dict.fromkeys(Fault, x_answers.COULD_NOT_AUTHENTICATE) | {
    Fault.MALFORMED: x_answers.BAD_AUTHENTICATION_DATA,
    Fault.TIMESTAMP: x_answers.TIMESTAMP_OUT_OF_BOUNDS,
    Fault.UNKNOWN_TOKEN: x_answers.INVALID_TOKEN,
}


def recognise(service: Service, request: Request) -> Recognised | Response:
    """The caller of a resource, by bearer token or signature; else X's refusal."""
    if is_signed(request):
        signer = service.signatures.judge(request)
        if isinstance(signer, Fault):
            return REFUSALS[signer]
        if signer.token is None:
            return x_answers.BAD_AUTHENTICATION_DATA  # right, but it names neither a user nor a bearer token
        return Recognised(Caller.USER, signer.token)
    scheme, credentials = _authorization(request)
    issued = find_access_token(service, request, scheme, credentials)
    if isinstance(issued, Response):
        return issued
    if issued is not None:
        return Recognised(Caller.APP if issued.grant.subject is None else Caller.USER, oauth2_token=issued)
    if scheme != "bearer" or not credentials:
        return x_answers.BAD_AUTHENTICATION_DATA
    # As issued, percent-encoded: a token that was decoded on the way is another one.
    if service.bearer_token is None or not same(credentials, service.bearer_token):
        return x_answers.INVALID_TOKEN
    return Recognised(Caller.APP)


def is_signed(request: Request) -> bool:
    """Whether the request has an OAuth 1.0a signature: in its header, form or query (RFC 5849 section 3.5)."""
    scheme, _ = _authorization(request)
    return scheme == "oauth" or any(name == "oauth_signature" for name, _ in parameters_of(request))


def is_application(request: Request, app: App) -> bool:
    """Whether the request has the application's key and secret, by Basic; both percent-encoded (RFC 6749, 2.3.1)."""
    scheme, credentials = _authorization(request)
    try:
        pair = base64.b64decode(credentials, validate=True).decode()
    except ValueError:
        return False
    key, _, secret = pair.partition(":")
    # `&`, not `and`: the time does not tell which of the two is wrong.
    right = same(unquote(key), app.consumer_key) & same(unquote(secret), app.consumer_secret)
    return scheme == "basic" and right


def form_of(request: Request) -> list[tuple[str, str]]:
    """The body's parameters if it is a form, else none."""
    return decode(request.body.decode("utf-8", "surrogateescape")) if request.has_form else []


def parameters_of(request: Request) -> list[tuple[str, str]]:
    """The parameters of query and form."""
    return decode(request.query) + form_of(request)


def values_of(request: Request, name: str) -> list[str]:
    """The values of one parameter of query and form."""
    return [Secret(value) for found, value in parameters_of(request) if found == name]


def same(given: str | bytes, expected: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(given.encode() if isinstance(given, str) else given, expected.encode())


def _authorization(request: Request) -> tuple[str, str]:
    values = request.headers.get_all("authorization")
    if len(values) != 1:
        return "", ""
    scheme, _, credentials = values[0].partition(" ")
    return scheme.lower(), credentials.strip()
