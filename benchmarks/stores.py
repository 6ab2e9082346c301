"""Stores: load and save among 1, 1,000 and 100,000 records, in parts of what they take where there is but one.

How many different records are asked for counts for more than how many there are: each has a page of its own, which is
or is not in the processor's cache. So the lines keep that apart.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path

from tests.adapters.redis_serving import RedisServer

from benchmarks.timing import Batch, fastest, repeated
from sansauth_io.stores import Store
from sansauth_io.stores.redis import RedisStore
from sansauth_io.stores.sqlite import SQLiteStore

SECONDS = 3.0
COUNTS = (1, 1_000, 100_000)
HUNDRED = 100
ONE_LOADED, HUNDRED_LOADED, ANY_LOADED = "load one", "load one of a hundred", "load any"
ONE_SAVED, HUNDRED_SAVED = "save one", "save one of a hundred"
RECORD = bytes(range(256)) * 3  # about as long as a user's tokens


def account(number: int) -> str:
    """The key of one account, as the core writes it."""
    return f"oauth2-user/https%3A%2F%2Fapi.x.com/a-client-of-x/account-{number}"


def filled(store: Store, count: int) -> dict[str, int]:
    """Save so many records; their keys, in an order of chance, and versions."""
    keys = [account(number) for number in range(count)]
    random.Random(count).shuffle(keys)
    return {key: store.save(key, RECORD, None) for key in keys}


def loading(store: Store, keys: Sequence[str]) -> Batch:
    """Loads one of these after the other."""
    turns = cycle(keys)
    return repeated(lambda: store.load(next(turns)))


def saving(store: Store, keys: Sequence[str], versions: dict[str, int]) -> Batch:
    """Saves one of these after the other."""
    turns = cycle(keys)

    def save() -> None:
        key = next(turns)
        versions[key] = store.save(key, RECORD, versions[key])

    return repeated(save)


def measure(
    make: Callable[[int], Store], *, counts: Sequence[int] = COUNTS, seconds: float = SECONDS
) -> dict[str, dict[int, float]]:
    """Seconds of a load and of a save by the number of records; `make(count)` gives an empty store."""
    stores = [(count, make(count)) for count in counts]
    records = [(count, store, filled(store, count)) for count, store in stores]
    jobs: dict[str, dict[int, Batch]] = {
        ONE_LOADED: {count: loading(store, list(made)[:1]) for count, store, made in records},
        HUNDRED_LOADED: {count: loading(store, list(made)[:HUNDRED]) for count, store, made in records},
        ANY_LOADED: {count: loading(store, list(made)) for count, store, made in records},
        ONE_SAVED: {count: saving(store, list(made)[:1], made) for count, store, made in records},
        HUNDRED_SAVED: {count: saving(store, list(made)[:HUNDRED], made) for count, store, made in records},
    }
    measured = dict[str, dict[int, float]]()
    for name, batches in jobs.items():
        took = fastest({str(count): batch for count, batch in batches.items()}, seconds=seconds)
        measured[name] = {int(count): value for count, value in took.items() if value is not None}
    return measured


def tables() -> Iterator[str]:
    """One table for each store."""
    with tempfile.TemporaryDirectory() as directory:
        yield _table("SQLite", measure(lambda count: SQLiteStore(Path(directory, str(count)))))
    with contextlib.ExitStack() as servers:

        def served(_: int) -> Store:
            return RedisStore(servers.enter_context(RedisServer("--appendfsync", "everysec")).url)

        yield _table("Redis", measure(served))


def _table(title: str, measured: dict[str, dict[int, float]]) -> str:
    return "\n".join([title, *(_line(name, took) for name, took in measured.items())])


def _line(name: str, took: dict[int, float]) -> str:
    alone = next(iter(took.values()))
    figures = (f"{count:7} records {value * 1e6:6.1f} us x{value / alone:.2f}" for count, value in took.items())
    return f"  {name:24}{'  '.join(figures)}"
