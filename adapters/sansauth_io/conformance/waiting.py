"""How the suites wait, and how they do things at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sansauth.errors import Conflict
from sansauth_io.stores.protocol import Store

__all__ = ["PATIENCE", "at_once", "attempt", "until"]

T = TypeVar("T")

PATIENCE = 20.0  # seconds until a test fails instead of hanging


def attempt(store: Store, data: bytes, expected: int | None) -> int | None:
    """Save the record `k`: the new version, or None for a conflict."""
    try:
        return store.save("k", data, expected)
    except Conflict:
        return None


def until(granted: Callable[[], bool]) -> None:
    """Ask again and again."""
    end = time.monotonic() + PATIENCE
    while not granted():
        assert time.monotonic() < end, "never granted"
        time.sleep(0.001)


def at_once(count: int, job: Callable[[int], T]) -> list[T]:
    """Run `job(0)` to `job(count - 1)` in threads that begin together; what each returned."""
    barrier, results, errors = threading.Barrier(count), dict[int, T](), list[BaseException]()

    def run(place: int) -> None:
        try:
            barrier.wait(PATIENCE)
            results[place] = job(place)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for error in errors:
        raise error
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return [results[place] for place in range(count)]
