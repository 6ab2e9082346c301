"""What an authorization server has issued: codes, access tokens, refresh tokens, and what came of what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sansauth.env import Env
from sansauth.secret import Secret
from sansauth.testing.oauth2_issuing import ACCESS, CODE, REFRESH, issue

__all__ = ["CODE_SECONDS", "AccessToken", "Code", "Grant", "IssuedTokens", "RefreshToken", "remember"]

CODE_SECONDS = 30.0  # X's documentation
REFRESH_SECONDS = 180 * 86_400.0
_REMEMBERED = 10_000

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client may do, by whose leave. `family` is the same for all that came of one consent.

    `subject` is None for a client that acts for itself. `proof_key` is the thumbprint of the key that its tokens are
    bound to (RFC 9449). `nonce` and `agreed_at` (Unix seconds) are for the id_token.
    """

    client_id: str
    scopes: tuple[str, ...]
    family: int
    subject: str | None = None
    proof_key: str | None = None
    nonce: str | None = None
    agreed_at: float = 0.0


@dataclass(slots=True)
class Code:
    """An authorization code. It is kept when it was used, to know when it is used again."""

    code: Secret
    grant: Grant
    redirect_uri: str
    challenge: str
    expires: float
    used: bool = False


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token. Times are Unix seconds."""

    token: Secret
    grant: Grant
    scopes: tuple[str, ...]
    issued: float
    expires: float


@dataclass(slots=True)
class RefreshToken:
    """A refresh token. Like a code, it is kept when it was used."""

    token: Secret
    grant: Grant
    issued: float
    expires: float
    used: bool = False


class IssuedTokens:
    """What is outstanding. `now` is the service's clock, in Unix seconds. The oldest is forgotten after 10,000."""

    def __init__(self, env: Env, now: Callable[[], float]) -> None:
        self._env = env
        self._now = now
        self._count = 0
        self._codes: dict[str, Code] = {}
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}

    def count(self) -> int:
        """A number that was not given before."""
        self._count += 1
        return self._count

    def issue_code(self, grant: Grant, redirect_uri: str, challenge: str) -> Secret:
        """A code for what a user has agreed to."""
        code = self._issue(CODE)
        remember(self._codes, code, Code(code, grant, redirect_uri, challenge, self._now() + CODE_SECONDS))
        return code

    def issue_access(self, grant: Grant, scopes: tuple[str, ...], lifetime: float) -> AccessToken:
        """An access token that lives so many seconds."""
        now = self._now()
        issued = AccessToken(self._issue(ACCESS), grant, scopes, now, now + lifetime)
        remember(self._access, issued.token, issued)
        return issued

    def issue_refresh(self, grant: Grant) -> Secret:
        """A refresh token."""
        now = self._now()
        issued = RefreshToken(self._issue(REFRESH), grant, now, now + REFRESH_SECONDS)
        remember(self._refresh, issued.token, issued)
        return issued.token

    def code(self, code: str) -> Code | None:
        """The code, used or not; None if it is unknown or has expired."""
        found = self._codes.get(code)
        return found if found is not None and (found.used or self._now() < found.expires) else None

    def use_code(self, code: str) -> None:
        """It was traded for tokens."""
        self._codes[code].used = True

    def access(self, token: str) -> AccessToken | None:
        """The access token; None if it is unknown or has expired."""
        found = self._access.get(token)
        return found if found is not None and self._now() < found.expires else None

    def refresh(self, token: str) -> RefreshToken | None:
        """The refresh token, used or not; None if it is unknown or has expired."""
        found = self._refresh.get(token)
        return found if found is not None and self._now() < found.expires else None

    def revoke_access(self, token: AccessToken) -> None:
        """Take back one access token."""
        del self._access[token.token]

    def revoke_family(self, family: int) -> None:
        """Take back whatever came of one consent."""
        self._access = {key: one for key, one in self._access.items() if one.grant.family != family}
        self._refresh = {key: one for key, one in self._refresh.items() if one.grant.family != family}

    def _issue(self, kind: str) -> Secret:
        return issue(self._env, kind, self.count(), self._now())


def remember(kept: dict[str, _T], key: str, value: _T, limit: int = _REMEMBERED) -> None:
    """Keep a value, and no more than `limit` of them: the oldest goes."""
    kept[key] = value
    if len(kept) > limit:
        del kept[next(iter(kept))]
