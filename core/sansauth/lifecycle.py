"""The life of an application's own bearer token: load it, fetch it alone, save it before it is used."""

from __future__ import annotations

import contextlib

from sansauth.app_token import AppToken, app_token_key
from sansauth.effects import Exclusive, Load, Save, Steps, operation
from sansauth.errors import Conflict
from sansauth.identity import App
from sansauth.oauth2.app_only import app_token
from sansauth.provider import Provider
from sansauth.secret import Secret

__all__ = ["app_bearer", "forget_app_bearer", "keep_app_bearer"]


@operation
def app_bearer(app: App, provider: Provider, *, rejected: str | None = None) -> Steps[str]:
    """The application's bearer token: the one it was made with, else the stored one, else a new one, fetched once.

    `rejected` is the token the service just refused; a stored one that equals it is replaced.
    """
    if app.bearer_token is not None:
        return app.bearer_token
    stored = yield from Load(app_token_key(app, provider), cached=True)
    if stored is not None:
        token = AppToken.from_bytes(stored.data).access_token
        if token != rejected:
            return token
    return (yield from Exclusive(app_token_key(app, provider), _fetch(app, provider, rejected)))


@operation
def _fetch(app: App, provider: Provider, rejected: str | None) -> Steps[str]:
    # Again, now that the key is held: whoever held it before may have fetched already.
    key = app_token_key(app, provider)
    stored = yield from Load(key)
    if stored is not None:
        token = AppToken.from_bytes(stored.data).access_token
        if token != rejected:
            return token
    fetched: Secret = yield from app_token(app, provider)
    with contextlib.suppress(Conflict):  # another process has saved one, after this one's lease: both are good
        yield from Save(key, AppToken(fetched).to_bytes(), stored.version if stored else None)
    return fetched


@operation
def keep_app_bearer(app: App, provider: Provider, token: str) -> Steps[None]:
    """Store a bearer token that was just issued, in the place of the one that is stored."""
    yield from Exclusive(app_token_key(app, provider), _keep(app, provider, token))


@operation
def _keep(app: App, provider: Provider, token: str) -> Steps[None]:
    key = app_token_key(app, provider)
    stored = yield from Load(key)
    record = AppToken(token).to_bytes()
    if stored is None or stored.data != record:
        yield from Save(key, record, stored.version if stored else None)


@operation
def forget_app_bearer(app: App, provider: Provider, *forms: str) -> Steps[None]:
    """Remove the application's stored bearer token if it is this one, which may have several forms."""
    yield from Exclusive(app_token_key(app, provider), _forget(app, provider, forms))


@operation
def _forget(app: App, provider: Provider, forms: tuple[str, ...]) -> Steps[None]:
    key = app_token_key(app, provider)
    stored = yield from Load(key)
    if stored is not None and AppToken.from_bytes(stored.data).access_token in forms:
        yield from Save(key, None, stored.version)
