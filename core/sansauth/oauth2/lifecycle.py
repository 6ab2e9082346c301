"""The life of OAuth 2's tokens: load them, judge them, renew them alone, save them before they are used."""

from __future__ import annotations

import re

from sansauth.effects import Exclusive, Load, Save, Steps, Stored, operation
from sansauth.env import Env
from sansauth.errors import ApiError, LoginRequired, RemoteProtocolError, TransportError
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2.grants import client_credentials, refresh
from sansauth.provider import Provider
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key

__all__ = ["adopt", "is_dead_refresh", "oauth2_tokens"]


@operation
def oauth2_tokens(
    holder: OAuth2User | OAuth2Client, provider: Provider, env: Env, *, rejected: str | None = None
) -> Steps[OAuth2Tokens]:
    """The tokens of a user, refreshed if they are due; or those of a client for itself, obtained if need be.

    `rejected` is the access token the service just refused: it is replaced, unless somebody else has already done so.
    Raises `LoginRequired` for a user who has none, or whose refresh token is dead.
    """
    key = oauth2_tokens_key(holder, provider)
    stored = yield from Load(key)
    held = _usable(stored, env, rejected)
    if held is not None:
        return held
    if stored is None and isinstance(holder, OAuth2User):
        raise LoginRequired(f"there are no tokens of account {holder.account!r:.80}; log in, or adopt tokens")
    return (yield from Exclusive(key, _renew(holder, provider, env, rejected)))


@operation
def _renew(
    holder: OAuth2User | OAuth2Client, provider: Provider, env: Env, rejected: str | None
) -> Steps[OAuth2Tokens]:
    # Again, now that the key is held: whoever held it before may have renewed them already.
    key = oauth2_tokens_key(holder, provider)
    stored = yield from Load(key)
    held = _usable(stored, env, rejected)
    if held is not None:
        return held
    if isinstance(holder, OAuth2Client):
        fresh = yield from client_credentials(holder, provider=provider, env=env)
    else:
        fresh = yield from _refreshed(holder, stored, provider, env, rejected)
    yield from Save(key, fresh.to_bytes(), stored.version if stored else None)
    return fresh


@operation
def _refreshed(
    user: OAuth2User, stored: Stored | None, provider: Provider, env: Env, rejected: str | None
) -> Steps[OAuth2Tokens]:
    if stored is None:
        raise LoginRequired(f"the tokens of account {user.account!r:.80} are gone; log in again")
    tokens = OAuth2Tokens.from_bytes(stored.data)
    lives = not tokens.is_expired(env.clock()) and tokens.access_token != rejected
    if tokens.refresh_token is None:
        if lives:
            return tokens  # due, but there is nothing to renew it with: it serves until it ends
        raise LoginRequired(
            f"the access token of account {user.account!r:.80} has ended and there is no refresh token; log in again, "
            "with the scope that grants one"
        )
    try:
        return (yield from refresh(user.client, tokens, provider=provider, env=env))
    except ApiError as error:
        if is_dead_refresh(error, provider):
            raise LoginRequired(
                f"{provider.name} says that the refresh token of account {user.account!r:.80} is dead; log in again"
            ) from None
        if lives and error.retryable:
            return tokens  # trouble of the service's is no logout, and the old token still serves
        raise
    except (TransportError, RemoteProtocolError):
        if lives:
            return tokens
        raise


@operation
def adopt(holder: OAuth2User | OAuth2Client, tokens: OAuth2Tokens, provider: Provider) -> Steps[None]:
    """Store tokens that a login gave, or that were obtained elsewhere; they replace those that are stored."""
    key = oauth2_tokens_key(holder, provider)
    yield from Exclusive(key, _adopt(key, tokens))


@operation
def _adopt(key: str, tokens: OAuth2Tokens) -> Steps[None]:
    stored = yield from Load(key)
    yield from Save(key, tokens.to_bytes(), stored.version if stored else None)


def is_dead_refresh(error: ApiError, provider: Provider) -> bool:
    """Whether a refusal of a refresh means that the refresh token is dead, in this provider's words."""
    dead = provider.quirks.dead_refresh
    return any(isinstance(code, str) and code in dead and re.search(dead[code], error.text) for code in error.codes)


def _usable(stored: Stored | None, env: Env, rejected: str | None) -> OAuth2Tokens | None:
    if stored is None:
        return None
    tokens = OAuth2Tokens.from_bytes(stored.data)
    return None if tokens.access_token == rejected or tokens.is_due(env.clock()) else tokens
