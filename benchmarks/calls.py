"""Calls: what an OAuth 2 user's tokens add to a call, stepped without sending; they are fresh, and in the store.

The floor is what nobody who keeps a record as JSON can do without: reading it, once.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from tests.adapters.redis_serving import RedisServer

from benchmarks.report import table
from benchmarks.timing import fastest, repeated
from sansauth import App, Bearer, Env, Flow, Identity, OAuth1User, Response
from sansauth.call import call
from sansauth.effects import DEFAULT_TIMEOUTS, Stored
from sansauth.http import build_request
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth.x import X
from sansauth_io._driver_sync import SyncDriver
from sansauth_io.stores import MemoryStore, RedisStore, SQLiteStore, Store

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
SIGNED = "OAuth1User, signed"
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


def _driven(caller: Identity, store: Store) -> Callable[[], object]:
    """A call through the driver of a synchronous client, with a wire that answers at once."""
    driver = SyncDriver(lambda request, timeouts: OK, store=store, timeouts=DEFAULT_TIMEOUTS)
    return lambda: driver.run(call(ME, caller, provider=X, env=ENV))


def measure_stores(*, seconds: float = SECONDS) -> dict[str, float | None]:
    """The seconds that one call takes through a driver, with each store, and signed."""
    user = OAuth2User(OAuth2Client("id"), "alice")
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        redis = stack.enter_context(RedisServer())
        stores: dict[str, Store] = {
            "memory": MemoryStore(),
            "SQLite": SQLiteStore(Path(directory, "tokens")),
            "Redis": RedisStore(redis.url),
        }
        contenders = {SIGNED: _driven(OAuth1User(App("CK", "CS"), "AT", "ATS"), stores["memory"])}
        for name, store in stores.items():
            store.save(oauth2_tokens_key(user, X), TOKENS.to_bytes(), None)
            contenders[f"OAuth2User, tokens in {name}"] = _driven(user, store)
        return fastest({name: repeated(make) for name, make in contenders.items()}, seconds=seconds)


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
    yield table("the same through a driver, against a signed call", measure_stores(), unit="us")
