"""Calls: what an OAuth 2 user's tokens add to a call, stepped without sending; they are fresh, and in the store.

The floor is what nobody who keeps a record as JSON can do without: reading it, once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle

from benchmarks.report import table
from benchmarks.timing import fastest, repeated
from sansauth import Bearer, Env, Flow, Response
from sansauth.call import call
from sansauth.effects import Stored
from sansauth.http import build_request
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.tokens import OAuth2Tokens
from sansauth.x import X

SECONDS = 3.0
NOW = 1.7e9
ENV = Env(lambda: NOW, bytes)
ME = build_request("GET", "https://api.x.com/2/users/me")
OK = Response(200, {"content-type": "application/json; charset=utf-8"}, b'{"data":{}}')
TOKENS = OAuth2Tokens(
    "a" * 90,
    issued_at=NOW,
    expires_at=NOW + 7200,
    refresh_token="r" * 90,
    scopes=("tweet.read", "users.read", "offline.access"),
)
RECORDS = [Stored(replace(TOKENS, refresh_token=f"{number:090}").to_bytes(), 1) for number in range(1000)]
OURS = "OAuth2User, whose tokens are loaded and judged"
UNREAD = "OAuth2User, each time with a record not seen lately"
BEARER = "Bearer, who holds the token"
READING = "json.loads of the record alone"


def _user(records: Sequence[Stored]) -> Callable[[], object]:
    user, stored = OAuth2User(OAuth2Client("id"), "alice"), cycle(records)

    def make() -> object:
        flow = Flow(call(ME, user, provider=X, env=ENV))
        flow.resume(next(stored))
        flow.receive(OK)
        return flow.result

    return make


def _bearer() -> Callable[[], object]:
    bearer = Bearer(TOKENS.access_token)

    def make() -> object:
        flow = Flow(call(ME, bearer, provider=X, env=ENV))
        flow.receive(OK)
        return flow.result

    return make


def measure(*, seconds: float = SECONDS) -> dict[str, float | None]:
    """The seconds that one call takes each."""
    contenders = {
        OURS: _user(RECORDS[:1]),
        UNREAD: _user(RECORDS),
        BEARER: _bearer(),
        READING: lambda: json.loads(RECORDS[0].data),
    }
    return fastest({name: repeated(make) for name, make in contenders.items()}, seconds=seconds)


def added(took: dict[str, float | None], user: str = OURS) -> float:
    """The seconds that a user's tokens add to a call."""
    return (took[user] or 0.0) - (took[BEARER] or 0.0)


def tables() -> Iterator[str]:
    """The one table, and the differences."""
    took = measure()
    yield table("a GET, built and judged", took, unit="us")
    yield f"tokens add {added(took) * 1e6:.1f} us, in a record not seen lately {added(took, UNREAD) * 1e6:.1f} us"
