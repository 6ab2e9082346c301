"""The client credentials grant: an application's own bearer token, for its key and secret (RFC 6749 section 4.4)."""

from __future__ import annotations

import binascii
import re
from typing import cast

from sansauth.effects import Send, Steps, operation
from sansauth.encoding import Params, Value, quote
from sansauth.errors import RemoteProtocolError
from sansauth.http import Request, Response, build_request
from sansauth.identity import App, only_app
from sansauth.provider import Provider
from sansauth.secret import Secret

__all__ = ["app_token", "basic_credentials", "build_app_token_request", "parse_app_token", "success_object"]

# RFC 6750 section 2.1 allows less; X issues percent-encoded tokens. Whatever stands here fits into a header.
_TOKEN = re.compile(r"[\x21-\x7E]+")


def basic_credentials(app: App) -> str:
    """The Authorization header of an application: Basic, key and secret percent-encoded (RFC 6749 section 2.3.1)."""
    pair = f"{quote(app.consumer_key)}:{quote(app.consumer_secret)}"
    return "Basic " + binascii.b2a_base64(pair.encode(), newline=False).decode()


def build_app_token_request(app: App, provider: Provider, options: dict[str, Value] | None = None) -> Request:
    """Ask for the application's bearer token; `options` are further form parameters, or replace `grant_type`."""
    form: Params = {"grant_type": "client_credentials", **(options or {})}
    headers = {"authorization": basic_credentials(only_app(app)), "accept": "*/*"}
    return provider.admit(build_request("POST", provider.endpoint("app_token"), form=form, headers=headers))


def parse_app_token(response: Response, provider: Provider, *, request: Request | None = None) -> Secret:
    """Read the bearer token, verbatim (RFC 6749 section 5.1).

    Raises the `ApiError` of a refusal (`UnableToVerifyCredentials` for a wrong key or secret, whatever the status), and
    `RemoteProtocolError` for a success that is none: no JSON object, a token type other than bearer, no token in it.
    """
    answer = success_object(response, provider, request=request)
    kind, token = answer.get("token_type"), answer.get("access_token")
    if not isinstance(kind, Secret) or kind.lower() != "bearer":
        raise RemoteProtocolError(f"{provider.name} answered {response.status} without token_type bearer")
    if not isinstance(token, Secret) or not _TOKEN.fullmatch(token):
        raise RemoteProtocolError(f"{provider.name} answered {response.status} without a usable access_token")
    return token


def success_object(response: Response, provider: Provider, *, request: Request | None = None) -> dict[str, object]:
    """The JSON object of a successful answer, its texts as secrets, however deep they stand.

    Raises the refusal's error for any other answer.
    """
    if not 200 <= response.status < 300:
        from sansauth.refusal import read_refusal  # here: who gets a token does not pay for a reader of refusals

        raise read_refusal(response, provider, request=request)
    try:
        answer = response.json()
    except RemoteProtocolError:
        _refuse_codes(response, provider, request)  # X has refused in XML with a status of success
        raise
    if not isinstance(answer, dict):
        kind = type(answer).__name__
        del answer
        raise RemoteProtocolError(f"{provider.name} answered {response.status} with a JSON {kind}; expected an object")
    # Secrets from here on: a traceback that shows the locals of its frames must not show a token.
    members = {
        name: Secret(value) if isinstance(value, str) else value if isinstance(value, _SCALAR) else _masked(value)
        for name, value in cast("dict[str, object]", answer).items()
    }
    del answer
    # `code` and `type` are names that others may use. And who says of whom a token is has not refused: there even
    # `error` is a claim of the service's own.
    if (members.get("error") or members.get("errors")) and _OF_SUCCESSES.isdisjoint(members):
        _refuse_codes(response, provider, request)
    return members


def _masked(document: object) -> object:
    """An inner object or list, its texts as secrets: in place, for JSON may be deeper than a function can recurse."""
    waiting = [document]
    for held in waiting:
        members = cast("dict[object, object]", held)
        for place, value in members.items() if isinstance(held, dict) else enumerate(cast("list[object]", held)):
            if isinstance(value, str):
                members[place] = Secret(value)
            elif not isinstance(value, _SCALAR):
                waiting.append(value)
    return document


def _refuse_codes(response: Response, provider: Provider, request: Request | None) -> None:
    from sansauth.refusal import refuse_codes  # as above

    refuse_codes(response, provider, request=request)


_SCALAR = (int, float, type(None))
_OF_SUCCESSES = frozenset({"active", "sub"})  # RFC 7662 section 2.2, OpenID Connect Core 1.0 section 5.3.2


@operation
def app_token(app: App, provider: Provider, options: dict[str, Value] | None = None) -> Steps[Secret]:
    """Obtain the application's bearer token."""
    request = build_app_token_request(app, provider, options)
    response = yield from Send(request)
    return parse_app_token(response, provider, request=request)
