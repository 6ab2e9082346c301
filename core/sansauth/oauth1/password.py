"""xAuth: an access token for a user's name and password, without a page (an extension that X gave up in 2017)."""

from __future__ import annotations

import re

from sansauth.effects import Operation, Steps, operation
from sansauth.env import Env
from sansauth.errors import InvalidParameter
from sansauth.http import Request, build_request
from sansauth.identity import App, only_app
from sansauth.oauth1.credentials import TokenCredentials, parse_token_credentials
from sansauth.oauth1.unsigned import Unsigned
from sansauth.provider import Provider
from sansauth.secret import Secret

__all__ = ["build_xauth_request", "xauth"]

_UNICODE = re.compile(r"[^\ud800-\udfff]*")  # what has an encoding


def xauth(app: App, username: str, password: str, *, provider: Provider, env: Env) -> Operation[TokenCredentials]:
    """Obtain a user's access token for their name and password: `x_auth_mode=client_auth`, signed by the application.

    Only for services that still offer it, to applications they allow it. Raises the `ApiError` of a refusal.
    """
    # Not an @operation itself: that would keep the password, as the plain str it is here, for as long as it lives.
    password = _masked(password)
    return _xauth(app, username, password, provider=provider, env=env)


@operation
def _xauth(app: App, username: str, password: Secret, *, provider: Provider, env: Env) -> Steps[TokenCredentials]:
    asked = _ask(app, username, password, provider)
    exchange = yield from asked.sent(provider=provider, env=env)
    return parse_token_credentials(exchange.response, provider, request=exchange.request)


def build_xauth_request(app: App, username: str, password: str, *, provider: Provider, env: Env) -> Request:
    """Ask for token credentials by name and password, which stand in the form and are part of the signature."""
    password = _masked(password)
    return _ask(app, username, password, provider).signed(provider=provider, env=env)


def _ask(app: App, username: str, password: Secret, provider: Provider) -> Unsigned:
    if not username or not password:
        raise InvalidParameter("xAuth takes a username and a password, Unicode text that is not empty")
    form = {"x_auth_mode": "client_auth", "x_auth_username": username, "x_auth_password": password}
    request = build_request("POST", provider.endpoint("access_token"), form=form, headers={"accept": "*/*"})
    return Unsigned(request, only_app(app))


def _masked(password: str) -> Secret:
    """The password as a secret. Never raises, for the caller's frame shows it: what is no password becomes empty."""
    usable = isinstance(password, str) and _UNICODE.fullmatch(password)  # pyright: ignore[reportUnnecessaryIsInstance]
    return Secret(password) if usable else Secret()
