"""The life of OAuth 2's tokens: load them, judge them, renew them alone, save them before they are used.

Refresh tokens are often good once, so a record must never be lost, and never be replaced by an older one:

- Whoever renews holds the key, and looks again once it does: somebody else may have been faster.
- A lease may end before its holder does. Then two may trade the same refresh token; the service takes one. Who is
  refused looks again, and marks the tokens dead only if nobody has saved newer ones. Who was served writes over such
  a mark, and yields to newer tokens.
- Trouble of the service's or of the network's is no logout and leaves the record alone.
- New tokens that the store would not take stay in the client's memory until it does.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import NamedTuple, cast

from sansauth.effects import Exclusive, Load, Save, Steps, Stored, operation
from sansauth.env import Env
from sansauth.errors import (
    ApiError,
    Conflict,
    LoginRequired,
    RemoteProtocolError,
    RenewalFailed,
    SansauthError,
    StoreError,
    TransportError,
)
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2.grants import client_credentials, refresh
from sansauth.oauth2.saving import RECOVERIES, aside_key, rescued, restless, save_surely, set_aside
from sansauth.provider import Provider
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key

__all__ = ["PAUSE_SECONDS", "is_dead_refresh", "oauth2_tokens"]

PAUSE_SECONDS = 10.0
"""After a renewal that failed, this long nobody tries another while the old token still serves."""


class _Holder(NamedTuple):
    """Whose tokens they are, where, and by which clock."""

    holder: OAuth2User | OAuth2Client
    provider: Provider
    env: Env
    rejected: str | None

    @property
    def key(self) -> str:
        return oauth2_tokens_key(self.holder, self.provider)

    @property
    def whose(self) -> str:
        return f"account {self.holder.account!r:.80}" if isinstance(self.holder, OAuth2User) else "the client"

    def serves(self, tokens: OAuth2Tokens) -> bool:
        """Whether the access token can be used, due or not."""
        return tokens.access_token != self.rejected and not tokens.is_expired(self.env.clock())

    def judge(self, stored: Stored | None) -> OAuth2Tokens | None:
        """The tokens, if they serve as they are; None if they are to be renewed. `LoginRequired` if neither."""
        if stored is None:
            if isinstance(self.holder, OAuth2User):
                raise LoginRequired(f"there are no tokens of {self.whose}; log in, or adopt tokens")
            return None
        tokens = OAuth2Tokens.from_bytes(stored.data)
        serves = self.serves(tokens)
        if serves and not tokens.is_due(self.env.clock()):
            return tokens
        why = self._unrenewable(tokens)
        if why is None:
            return None
        if serves:
            return tokens
        raise LoginRequired(why)

    def _unrenewable(self, tokens: OAuth2Tokens) -> str | None:
        if isinstance(self.holder, OAuth2Client):
            return None
        if tokens.death is not None:
            return (
                f"{self.provider.name} said {self.env.clock() - tokens.death.at:.0f} s ago that the refresh token of "
                f"{self.whose} is dead ({tokens.death.reason}); log in again"
            )
        if tokens.refresh_token is None:
            return (
                f"the access token of {self.whose} has ended and there is no refresh token; log in again, with the "
                "scope that grants one"
            )
        return None


@operation
def oauth2_tokens(
    holder: OAuth2User | OAuth2Client, provider: Provider, env: Env, *, rejected: str | None = None
) -> Steps[OAuth2Tokens]:
    """The tokens of a user, refreshed if they are due; or those of a client for itself, obtained if need be.

    `rejected` is the access token the service just refused: it is replaced, unless somebody else has already done so.
    Raises `LoginRequired` for a user who has none, or whose refresh token is dead, without asking the service again;
    `RenewalFailed` for who waited for a renewal that failed.
    """
    whose = _Holder(holder, provider, env, rejected)
    stored = yield from Load(whose.key, cached=True)
    try:
        tokens = whose.judge(stored)
    except LoginRequired:
        if stored is not None:
            stored = yield from Load(whose.key)  # somebody else may have seen to a login since
        waits = yield from Load(aside_key(whose.key))
        tokens = whose.judge(stored) if waits is None else None
    if tokens is not None:
        return tokens
    held = None if stored is None else OAuth2Tokens.from_bytes(stored.data)
    noted = yield from Load(_trouble_key(whose))
    if held is None or not whose.serves(held):
        return (yield from Exclusive(whose.key, _renew(whose, noted)))
    if noted is not None and _Trouble.of(noted).pauses(env.clock()):
        return held  # due, but not ended: it serves while the service recovers
    try:
        return (yield from Exclusive(whose.key, _renew(whose, noted)))
    except StoreError:
        return held  # as above, while the store does


@operation
def _renew(whose: _Holder, noted: Stored | None) -> Steps[OAuth2Tokens]:
    # Again, now that the key is held: whoever held it before may have renewed them already.
    stored = yield from rescued(whose.key, (yield from Load(whose.key)))
    tokens = whose.judge(stored)
    if tokens is not None:
        return tokens
    held = None if stored is None else OAuth2Tokens.from_bytes(stored.data)
    latest = yield from Load(_trouble_key(whose))
    if latest is not None and latest != noted:  # failed while this one waited: a thousand callers are one attempt
        trouble = _Trouble.of(latest)
        if trouble.passes and held is not None and whose.serves(held):
            return held
        raise RenewalFailed(f"the tokens of {whose.whose} could not be renewed: {trouble.what}", trouble.passes)
    for _ in range(RECOVERIES):
        try:
            fresh = yield from _traded(whose, held)
        except (ApiError, TransportError, RemoteProtocolError) as error:
            if held is None or not _is_dead(error, whose):
                return (yield from _excused(whose, held, error))
            reason = _words(error)
        else:
            if latest is not None:
                yield from Save(_trouble_key(whose), None, latest.version)
            return (yield from _keep(whose, fresh, held, stored))
        stored = yield from _buried(whose, held, reason)
        tokens = whose.judge(stored)
        if tokens is not None:
            return tokens
        held = OAuth2Tokens.from_bytes(cast("Stored", stored).data)  # newer ones, and those have ended as well
    raise RenewalFailed(f"the tokens of {whose.whose} changed again and again while they were renewed")


@operation
def _traded(whose: _Holder, held: OAuth2Tokens | None) -> Steps[OAuth2Tokens]:
    holder, provider, env, _ = whose
    if isinstance(holder, OAuth2Client):
        return (yield from client_credentials(holder, provider=provider, env=env))
    return (yield from refresh(holder.client, cast("OAuth2Tokens", held), provider=provider, env=env))


# --- new tokens ------------------------------------------------------------------------------------------------------


@operation
def _keep(
    whose: _Holder, fresh: OAuth2Tokens, replaced: OAuth2Tokens | None, stored: Stored | None
) -> Steps[OAuth2Tokens]:
    """Save new tokens in the place of those that were traded for them; the tokens that are stored in the end."""
    try:
        return (yield from _saved(whose, fresh, replaced, stored))
    except Conflict:
        raise
    except StoreError:
        # The only copy of a refresh token: the next renewal by this client finds it.
        with contextlib.suppress(StoreError):
            yield from set_aside(whose.key, fresh, replaced)
        raise


@operation
def _saved(
    whose: _Holder, fresh: OAuth2Tokens, replaced: OAuth2Tokens | None, stored: Stored | None
) -> Steps[OAuth2Tokens]:
    for _ in range(RECOVERIES):
        try:
            yield from save_surely(whose.key, fresh.to_bytes(), None if stored is None else stored.version)
        except Conflict:
            stored = yield from Load(whose.key)
        else:
            return fresh
        if stored is None:
            if replaced is None or isinstance(whose.holder, OAuth2Client):
                continue
            raise LoginRequired(f"the tokens of {whose.whose} were removed while they were renewed; log in again")
        theirs = OAuth2Tokens.from_bytes(stored.data)
        if replaced is None or not theirs.is_same_generation(replaced):
            return theirs  # newer ones: a login, or a renewal by who has the key now
    raise restless(whose.key)


# --- tokens that are dead --------------------------------------------------------------------------------------------


@operation
def _buried(whose: _Holder, held: OAuth2Tokens, reason: str) -> Steps[Stored | None]:
    """Mark the tokens dead, unless somebody else has saved newer ones; the record as it is then."""
    dead = held.died(whose.env.clock(), reason)
    for _ in range(RECOVERIES):
        stored = yield from Load(whose.key)
        if stored is None:
            return None
        found = OAuth2Tokens.from_bytes(stored.data)
        if found.death is not None or not found.is_same_generation(held):
            return stored
        with contextlib.suppress(Conflict):
            return Stored(dead.to_bytes(), (yield from Save(whose.key, dead.to_bytes(), stored.version)))
    raise restless(whose.key)


# --- trouble ---------------------------------------------------------------------------------------------------------


class _Trouble(NamedTuple):
    """When a renewal failed, in Unix seconds, of what, and whether that may pass by itself."""

    at: float
    what: str
    passes: bool

    @staticmethod
    def of(noted: Stored) -> _Trouble:
        return _Trouble(*json.loads(noted.data))

    def pauses(self, now: float) -> bool:
        """Whether nobody should try again yet."""
        return self.passes and 0 <= now - self.at < PAUSE_SECONDS


@operation
def _excused(whose: _Holder, held: OAuth2Tokens | None, error: SansauthError) -> Steps[OAuth2Tokens]:
    """The old tokens, if they still serve and the failure may pass; else the failure. Either way it is noted."""
    trouble = _Trouble(whose.env.clock(), _words(error), not isinstance(error, ApiError) or error.retryable)
    last = yield from Load(_trouble_key(whose))
    with contextlib.suppress(Conflict):  # another call has met it at the same time
        yield from Save(_trouble_key(whose), json.dumps(trouble).encode(), None if last is None else last.version)
    if trouble.passes and held is not None and whose.serves(held):
        return held
    raise error


def _trouble_key(whose: _Holder) -> str:
    return f"mem:renewal-trouble/{whose.key}"


def _words(error: SansauthError) -> str:
    return f"{type(error).__name__}: {error}"


def _is_dead(error: SansauthError, whose: _Holder) -> bool:
    return (
        isinstance(whose.holder, OAuth2User) and isinstance(error, ApiError) and is_dead_refresh(error, whose.provider)
    )


def is_dead_refresh(error: ApiError, provider: Provider) -> bool:
    """Whether a refusal of a refresh means that the refresh token is dead, in this provider's words."""
    dead = provider.quirks.dead_refresh
    return any(isinstance(code, str) and code in dead and re.search(dead[code], error.text) for code in error.codes)
