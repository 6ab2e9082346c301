"""Reverse auth: a request token signed for an app, to be exchanged by an account that lives on a device."""

from __future__ import annotations

from sansauth.effects import Send, Steps, operation
from sansauth.env import Env
from sansauth.errors import RemoteProtocolError
from sansauth.http import Request, Response, build_request
from sansauth.identity import App, only_app
from sansauth.oauth1 import sign
from sansauth.provider import Provider
from sansauth.refusal import read_refusal, refuse_codes
from sansauth.secret import Secret
from sansauth.x.presets import X

__all__ = ["build_reverse_token_request", "parse_reverse_token", "reverse_token"]

_PREFIX = "OAuth "


@operation
def reverse_token(app: App, *, env: Env, provider: Provider = X) -> Steps[Secret]:
    """Obtain the string for step 2 of reverse auth (X: POST oauth/request_token, x_auth_mode=reverse_auth).

    Signed by the consumer alone. The answer is X's own text, unchanged; it looks like an Authorization header and is
    passed on as a whole. Raises `Unauthorized` when X rejects the signature.
    """
    request = build_reverse_token_request(app, env=env, provider=provider)
    response = yield from Send(request)
    return parse_reverse_token(response, provider, request=request)


def build_reverse_token_request(app: App, *, env: Env, provider: Provider) -> Request:
    """Ask for the reverse auth string; `x_auth_mode` is part of the signature."""
    url = provider.endpoint("request_token")
    request = build_request("POST", url, form={"x_auth_mode": "reverse_auth"}, headers={"accept": "*/*"})
    return sign(provider.admit(request), only_app(app), timestamp=env.timestamp(), nonce=env.nonce())


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
