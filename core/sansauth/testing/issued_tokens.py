"""What has been issued to the application for its user: access tokens, request tokens, strings of reverse auth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sansauth.env import Env
from sansauth.identity import OAuth1User
from sansauth.oauth1.verification import Secrets
from sansauth.secret import Secret
from sansauth.testing.issuing import issue_numbered, issue_pin, issue_reverse_auth

__all__ = ["OUT_OF_BAND", "READ", "READ_WRITE", "REQUEST_TOKEN_SECONDS", "AccessToken", "IssuedTokens", "RequestToken"]

REQUEST_TOKEN_SECONDS = 900.0
"""How long a login may take; what X allows is not published. The strings of reverse auth live as long."""

OUT_OF_BAND = "oob"
"""The callback of a login that ends with a PIN."""

READ, READ_WRITE = "read", "read-write"
"""What an access token is good for, as X's `x-access-level` says it."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Token credentials; `level` is what X's `x-access-level` says of them."""

    token: Secret
    secret: Secret
    level: str


@dataclass(slots=True)
class RequestToken:
    """Temporary credentials of one login. `verifier` is None until the user has approved."""

    token: Secret
    secret: Secret
    callback: Secret
    level: str
    expires: float
    verifier: Secret | None = None


class IssuedTokens:
    """The tokens that are good now. `now` is the service's clock, in Unix seconds."""

    def __init__(
        self, user: OAuth1User, *, env: Env, now: Callable[[], float], rsa_public_key: str | None = None
    ) -> None:
        self._app = user.app
        self._env = env
        self._now = now
        self._rsa_public_key = rsa_public_key
        self._count = 0
        own = AccessToken(Secret(user.access_token), Secret(user.access_token_secret), READ_WRITE)
        self._access: dict[str, AccessToken] = {own.token: own}
        self._requests: dict[str, RequestToken] = {}
        self._reverse: dict[str, float] = {}

    def access_secrets(self, consumer_key: str, token: str | None) -> Secrets | None:
        """What signs a call: the application's secret, and that of an access token."""
        return self._secrets(consumer_key, token, self._access)

    def request_secrets(self, consumer_key: str, token: str | None) -> Secrets | None:
        """What signs the exchange of a request token: the application's secret, and the request token's."""
        return self._secrets(consumer_key, token, {one.token: one for one in self._pending()})

    def issue_access(self, user_id: int, level: str = READ_WRITE) -> AccessToken:
        """A new access token of that user."""
        issued = AccessToken(Secret(f"{user_id}-{self._issue(40)}"), self._issue(45), level)
        self._access[issued.token] = issued
        return issued

    def access(self, token: str) -> AccessToken:
        """The access token of that name; `KeyError` if it is none."""
        return self._access[token]

    def revoke(self, token: str) -> None:
        """Take back an access token."""
        del self._access[token]

    def issue_request(self, callback: str, level: str) -> RequestToken:
        """Begin a login."""
        expires = self._now() + REQUEST_TOKEN_SECONDS
        self._requests = {one.token: one for one in self._pending()}  # the others are of no use any more
        issued = RequestToken(self._issue(27), self._issue(32), Secret(callback), level, expires)
        self._requests[issued.token] = issued
        return issued

    def login(self, token: str) -> RequestToken | None:
        """The login of that request token; None if there is none, or if it has expired, ended or been denied."""
        return next((one for one in self._pending() if one.token == token), None)

    def approve(self, login: RequestToken) -> Secret:
        """The user agrees: the verifier, or the PIN."""
        self._count += 1
        login.verifier = issue_pin(self._env, self._count) if login.callback == OUT_OF_BAND else self._issue(32)
        return login.verifier

    def end(self, login: RequestToken) -> None:
        """The user refuses, or the token was exchanged."""
        del self._requests[login.token]

    def issue_reverse(self) -> Secret:
        """The string that step 1 of reverse auth answers with."""
        self._count += 1
        issued = issue_reverse_auth(self._app, self._env, int(self._now()), self._count)
        self._reverse = {text: expires for text, expires in self._reverse.items() if self._now() < expires}
        self._reverse[issued] = self._now() + REQUEST_TOKEN_SECONDS
        return issued

    def take_reverse(self, given: str) -> bool:
        """Whether step 1 gave this string and it is still good; it is good once."""
        return self._now() < self._reverse.pop(given, 0.0)

    def _pending(self) -> list[RequestToken]:
        return [one for one in self._requests.values() if self._now() < one.expires]

    def _secrets(
        self, consumer_key: str, token: str | None, issued: Mapping[str, AccessToken | RequestToken]
    ) -> Secrets | None:
        if consumer_key != self._app.consumer_key:
            return None
        if token is None:
            return Secrets(self._app.consumer_secret, rsa_public_key=self._rsa_public_key)
        found = issued.get(token)
        return None if found is None else Secrets(self._app.consumer_secret, found.secret, self._rsa_public_key)

    def _issue(self, length: int) -> Secret:
        self._count += 1
        return issue_numbered(self._env, length, self._count)
