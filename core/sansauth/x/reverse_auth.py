"""Reverse auth: a request token signed for an app, exchanged by an account that lives on a device.

Step 1 runs on the application's server and gives a string; step 2 runs where the account's own token is, and gives an
access token for the application.
"""

from __future__ import annotations

from sansauth.effects import Steps, operation
from sansauth.env import Env
from sansauth.errors import InvalidParameter, RemoteProtocolError, WrongIdentity
from sansauth.http import Request, Response, build_request
from sansauth.identity import App, OAuth1User, only_app
from sansauth.oauth1.credentials import TokenCredentials, parse_token_credentials
from sansauth.oauth1.unsigned import Unsigned
from sansauth.provider import Provider
from sansauth.refusal import read_refusal, refuse_codes
from sansauth.secret import Secret
from sansauth.x.presets import X

__all__ = [
    "build_reverse_access_token_request",
    "build_reverse_token_request",
    "parse_reverse_token",
    "reverse_access_token",
    "reverse_token",
]

_PREFIX = "OAuth "


@operation
def reverse_token(app: App, *, env: Env, provider: Provider = X) -> Steps[Secret]:
    """Obtain the string for step 2 of reverse auth (X: POST oauth/request_token, x_auth_mode=reverse_auth).

    Signed by the consumer alone. The answer is X's own text, unchanged; it looks like an Authorization header and is
    passed on as a whole. Raises `Unauthorized` when X rejects the signature.
    """
    exchange = yield from _ask_reverse_token(app, provider).sent_at_once(provider=provider, env=env)
    return parse_reverse_token(exchange.response, provider, request=exchange.request)


def build_reverse_token_request(app: App, *, env: Env, provider: Provider) -> Request:
    """Ask for the reverse auth string; `x_auth_mode` is part of the signature."""
    return _ask_reverse_token(app, provider).signed(provider=provider, env=env)


def _ask_reverse_token(app: App, provider: Provider) -> Unsigned:
    url = provider.endpoint("request_token")
    request = build_request("POST", url, form={"x_auth_mode": "reverse_auth"}, headers={"accept": "*/*"})
    return Unsigned(request, only_app(app))


def parse_reverse_token(response: Response, provider: Provider, *, request: Request | None = None) -> Secret:
    """Read the string, checked only to begin with `OAuth `: its fields come in any order, with line breaks or not."""
    if not 200 <= response.status < 300:
        raise read_refusal(response, provider, request=request)
    refuse_codes(response, provider, request=request)
    try:
        text = Secret(response.body.decode())
    except UnicodeDecodeError:
        text = Secret()
    if not text.startswith(_PREFIX):
        raise RemoteProtocolError(
            f"{provider.name} answered {response.status} with {len(response.body)} bytes that do not begin with "
            f"{_PREFIX!r}"
        )
    return text


@operation
def reverse_access_token(
    user: OAuth1User, target: App | str, parameters: str, *, env: Env, provider: Provider = X
) -> Steps[TokenCredentials]:
    """Exchange the string of step 1 for an access token of `target` (X: POST oauth/access_token); step 2.

    `user` is the account on the device, which signs; `target` the application of step 1, or its consumer key;
    `parameters` the whole string that `reverse_token` gave. Raises `Unauthorized` when X rejects either signature.
    """
    parameters = Secret(parameters)
    asked = _ask_access_token(user, target, parameters, provider)
    exchange = yield from asked.sent(provider=provider, env=env)
    return parse_token_credentials(exchange.response, provider, request=exchange.request)


def build_reverse_access_token_request(
    user: OAuth1User, target: App | str, parameters: str, *, provider: Provider, env: Env
) -> Request:
    """Ask for the target's access token: both parameters stand in the form and are part of the signature."""
    parameters = Secret(parameters)
    return _ask_access_token(user, target, parameters, provider).signed(provider=provider, env=env)


def _ask_access_token(user: OAuth1User, target: App | str, parameters: Secret, provider: Provider) -> Unsigned:
    if not isinstance(user, OAuth1User):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
        raise WrongIdentity(f"the account on the device signs: pass an OAuth1User, not {type(user).__name__}")
    if not parameters.startswith(_PREFIX):
        raise InvalidParameter(f"parameters is the whole string of reverse_token, which begins with {_PREFIX!r}")
    form = {
        "x_reverse_auth_target": target.consumer_key if isinstance(target, App) else target,
        "x_reverse_auth_parameters": parameters,
    }
    return Unsigned(
        build_request("POST", provider.endpoint("access_token"), form=form, headers={"accept": "*/*"}), user
    )
