"""Tokens that are not to blame: some services say 401, and no more, of what no other token would mend.

A token is renewed when the service refuses it. If the new one is refused as well, the next such refusal is not the
token's fault: to renew at every call would cost a refresh token each time, and spoil the calls of others.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import cast

from sansauth.challenge import read_challenge
from sansauth.effects import Exclusive, Load, Save, Steps, operation
from sansauth.env import Env
from sansauth.errors import Conflict
from sansauth.http import Response
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.provider import Provider
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key

__all__ = ["BLAMELESS_SECONDS", "acquit", "is_blameless", "is_replaced"]

BLAMELESS_SECONDS = 300.0
"""How long a token that was refused although it was new is not renewed for another refusal without a reason."""


@operation
def is_blameless(
    holder: OAuth2User | OAuth2Client, access_token: str, answer: Response, *, provider: Provider, env: Env
) -> Steps[bool]:
    """Whether the token was acquitted of such a refusal a moment ago; never of one that names it (RFC 6750, 3.1)."""
    if read_challenge(answer.headers.get("www-authenticate") or "").errors:
        return False
    noted = yield from Load(_key(holder, provider))
    if noted is None:
        return False
    digest, at = cast("tuple[str, float]", json.loads(noted.data))
    return digest == _digest(access_token) and 0 <= env.clock() - at < BLAMELESS_SECONDS


@operation
def acquit(holder: OAuth2User | OAuth2Client, access_token: str, *, provider: Provider, env: Env) -> Steps[None]:
    """Note that this token, which is new, was refused like the one before."""
    key = _key(holder, provider)
    noted = yield from Load(key)
    with contextlib.suppress(Conflict):  # another call has met the same at the same time
        record = json.dumps([_digest(access_token), env.clock()]).encode()
        yield from Save(key, record, None if noted is None else noted.version)


@operation
def is_replaced(holder: OAuth2User | OAuth2Client, access_token: str, *, provider: Provider) -> Steps[bool]:
    """Whether the store holds another token by now, or soon: who is about to save one is waited for."""
    key = oauth2_tokens_key(holder, provider)
    return (yield from Exclusive(key, _is_other(key, access_token)))


@operation
def _is_other(key: str, access_token: str) -> Steps[bool]:
    stored = yield from Load(key)
    return stored is not None and OAuth2Tokens.from_bytes(stored.data).access_token != access_token


def _key(holder: OAuth2User | OAuth2Client, provider: Provider) -> str:
    return f"mem:blameless/{oauth2_tokens_key(holder, provider)}"


def _digest(access_token: str) -> str:
    return hashlib.sha256(access_token.encode()).hexdigest()
