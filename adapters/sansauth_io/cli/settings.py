"""Credentials from the environment, never from a flag: a flag lands in the shell's history and in `ps`."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from sansauth.errors import WrongIdentity
from sansauth.identity import App, Bearer, Identity, OAuth1User, OAuth2Client

__all__ = ["NAMES", "As", "Credentials"]

KEY, SECRET = "X_CONSUMER_KEY", "X_CONSUMER_SECRET"
ACCESS_TOKEN, ACCESS_TOKEN_SECRET = "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET"
BEARER = "X_BEARER_TOKEN"
CLIENT_ID, CLIENT_SECRET = "X_CLIENT_ID", "X_CLIENT_SECRET"
NAMES = (KEY, SECRET, ACCESS_TOKEN, ACCESS_TOKEN_SECRET, BEARER, CLIENT_ID, CLIENT_SECRET)
"""Every variable that holds credentials."""


class As(enum.StrEnum):
    """Who a request is sent as."""

    AUTO = "auto"
    USER = "user"
    APP = "app"
    BEARER = "bearer"


class Credentials:
    """What the environment holds; white space around a value is dropped, an empty one counts as missing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._values = {name: value.strip() for name, value in environ.items() if value.strip()}

    def app(self) -> App:
        """The application."""
        return App(*self._need(KEY, SECRET))

    def user(self) -> OAuth1User:
        """The user, by OAuth 1.0a."""
        self._need(KEY, SECRET, ACCESS_TOKEN, ACCESS_TOKEN_SECRET)  # first, so that all that is missing is named
        return OAuth1User(self.app(), *self._need(ACCESS_TOKEN, ACCESS_TOKEN_SECRET))

    def bearer(self) -> Bearer:
        """The bearer token."""
        return Bearer(*self._need(BEARER))

    @property
    def has_client(self) -> bool:
        """Whether an OAuth 2 client is set, or the half of one, which `client` refuses."""
        return CLIENT_ID in self._values or CLIENT_SECRET in self._values

    def client(self) -> OAuth2Client:
        """The OAuth 2 client: a public one if it has no secret."""
        names = (CLIENT_ID, CLIENT_SECRET) if CLIENT_SECRET in self._values else (CLIENT_ID,)
        client_id, *secret = self._need(*names)
        return OAuth2Client(client_id, secret[0] if secret else None)

    def owner(self) -> App | OAuth1User:
        """Who invalidates a token: the user if there is one, else the application."""
        return self.user() if self._means_user() else self.app()

    def caller(self, method: str, kind: As) -> Identity:
        """Who sends a request. Unless told: reading prefers a bearer token, writing prefers the user."""
        if kind is As.AUTO:
            kind = self._preferred(reads=method.upper() in {"GET", "HEAD"})
        match kind:
            case As.USER:
                return self.user()
            case As.BEARER:
                return self.bearer()
            case _:
                return self.app()

    def _preferred(self, *, reads: bool) -> As:
        user = [As.USER] if self._means_user() else []
        bearer = [As.BEARER] if BEARER in self._values else []
        return [*(bearer + user if reads else user + bearer), As.APP][0]

    def _means_user(self) -> bool:
        # The half of a user is a mistake to be told of. Passed over, it would make the call one of somebody else.
        return ACCESS_TOKEN in self._values or ACCESS_TOKEN_SECRET in self._values

    def _need(self, *names: str) -> list[str]:
        missing = [name for name in names if name not in self._values]
        if missing:
            held = [name for name in names if name in self._values]
            beside = f", beside {' and '.join(held)}, which is there" if held else ""
            raise WrongIdentity(f"set {' and '.join(missing)} in the environment{beside}")
        return [self._values[name] for name in names]
