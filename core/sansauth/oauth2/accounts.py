"""A user's tokens by the caller's word: taken over, and ended."""

from __future__ import annotations

import contextlib

from sansauth.effects import Exclusive, Load, Save, Steps, operation
from sansauth.env import Env
from sansauth.errors import Conflict, InvalidParameter
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2.answer import NO_ACCESS_TOKEN
from sansauth.oauth2.revocation import revoke_tokens
from sansauth.oauth2.saving import RECOVERIES, aside_key, read_aside, restless, save_surely, set_aside
from sansauth.provider import Provider
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key

__all__ = ["adopt", "logout"]


@operation
def adopt(holder: OAuth2User | OAuth2Client, tokens: OAuth2Tokens, provider: Provider) -> Steps[None]:
    """Store tokens that a login gave, or that were obtained elsewhere; they replace those that are stored.

    While others hold the key, and if the store fails, they wait in the client's memory: whoever is cancelled meanwhile
    does not lose them.
    """
    if tokens.token_type == NO_ACCESS_TOKEN:
        raise InvalidParameter("what was issued is no access token (token_type N_A); nobody can call with it")
    key = oauth2_tokens_key(holder, provider)
    yield from set_aside(key, tokens, None)
    yield from Exclusive(key, _adopt(key, tokens))


@operation
def _adopt(key: str, tokens: OAuth2Tokens) -> Steps[None]:
    for _ in range(RECOVERIES):
        stored = yield from Load(key)
        try:
            yield from save_surely(key, tokens.to_bytes(), None if stored is None else stored.version)
        except Conflict:
            continue
        aside = yield from Load(aside_key(key))
        if aside is not None and read_aside(aside.data)[0] == tokens:
            yield from Save(aside_key(key), None, aside.version)
        return
    raise restless(key)


@operation
def logout(holder: OAuth2User | OAuth2Client, *, provider: Provider, env: Env, revoke: bool = True) -> Steps[None]:
    """End a login: revoke the tokens that are stored by now, if the service revokes any, and remove their record.

    A failure to revoke is raised and leaves the record, so that it can be done again; `revoke=False` removes it all the
    same, and nothing is sent. Without a record there is nothing to do.
    """
    key = oauth2_tokens_key(holder, provider)
    yield from Exclusive(key, _logout(holder, key, provider, env, revoke and provider.endpoints.revocation is not None))


@operation
def _logout(holder: OAuth2User | OAuth2Client, key: str, provider: Provider, env: Env, revoke: bool) -> Steps[None]:
    client = holder.client if isinstance(holder, OAuth2User) else holder
    aside = yield from Load(aside_key(key))
    if aside is not None:
        if revoke:
            yield from revoke_tokens(client, read_aside(aside.data)[0], provider=provider, env=env)
        yield from Save(aside_key(key), None, aside.version)
    for _ in range(RECOVERIES):
        stored = yield from Load(key)
        if stored is None:
            return
        tokens = OAuth2Tokens.from_bytes(stored.data)
        if revoke and tokens.death is None:
            yield from revoke_tokens(client, tokens, provider=provider, env=env)
        with contextlib.suppress(Conflict):  # then tokens that were renewed meanwhile are to be revoked as well
            yield from Save(key, None, stored.version)
            return
    raise restless(key)
