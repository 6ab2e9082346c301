"""Other processes that open the same store: spawned ones, forked ones, and one that is killed.

What a spawned one runs is a function of this module, so that it finds it by name.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from select import select
from typing import TypeVar

from sansauth.effects import Stored
from sansauth.errors import Conflict
from sansauth_io.conformance.waiting import PATIENCE, until
from sansauth_io.stores.protocol import LEASE_SECONDS, Store

__all__ = [
    "ADDITIONS",
    "add_by_swapping",
    "add_under_lease",
    "in_fork",
    "in_processes",
    "killed_with_a_lease",
    "saved_elsewhere",
]

T = TypeVar("T")

ADDITIONS = 25  # additions of each process


def in_processes(count: int, job: Callable[[Callable[[], Store]], T], reopen: Callable[[], Store]) -> list[T]:
    """Run `job(reopen)` in so many new processes; what each returned."""
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as processes:
        return list(processes.map(job, [reopen] * count, timeout=3 * PATIENCE))


def add_under_lease(reopen: Callable[[], Store]) -> None:
    """Add `ADDITIONS` to the record `k`, each time alone under its lease, and with no look at conflicts."""
    store, owner = reopen(), f"process {os.getpid()}"
    for _ in range(ADDITIONS):
        until(lambda: store.acquire("k", owner, LEASE_SECONDS))
        stored = store.load("k")
        store.save("k", _plus_one(stored), stored.version if stored else None)
        store.release("k", owner)


def add_by_swapping(reopen: Callable[[], Store]) -> int:
    """Add `ADDITIONS` to the record `k`, again after each conflict; how many conflicts there were."""
    store, conflicts = reopen(), 0
    for _ in range(ADDITIONS):
        while True:
            stored = store.load("k")
            try:
                store.save("k", _plus_one(stored), stored.version if stored else None)
                break
            except Conflict:
                conflicts += 1
    return conflicts


def _plus_one(stored: Stored | None) -> bytes:
    return str((int(stored.data) if stored else 0) + 1).encode()


def saved_elsewhere(reopen: Callable[[], Store]) -> int:
    """Save the record `k`; its version."""
    return reopen().save("k", b"from another process", None)


def killed_with_a_lease(reopen: Callable[[], Store], ttl: float, key: str = "k") -> None:
    """Take a lease in a new process, and kill that."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_hold, args=(reopen, key, ttl, theirs), daemon=True)
    process.start()
    assert ours.poll(PATIENCE), "the other process never took the lease"
    assert ours.recv() is True
    process.kill()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL


def _hold(reopen: Callable[[], Store], key: str, ttl: float, parent: Connection[bool, None]) -> None:
    store = reopen()
    parent.send(store.acquire(key, "one that is killed", ttl))
    time.sleep(PATIENCE)


def in_fork(job: Callable[[], object]) -> None:
    """Run `job` in a fork of this process; fails as it does there, or if it hangs."""
    reading, writing = os.pipe()
    tracing = sys.gettrace()
    sys.settrace(None)  # what measures coverage has locks of its own, which a thread that is not there may hold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: that is what is tried here
        child = os.fork()
    if child != 0:
        sys.settrace(tracing)
    if child == 0:
        with contextlib.suppress(BaseException):
            failure = ""
            try:
                job()
            except BaseException:
                failure = traceback.format_exc()
            os.write(writing, failure.encode()[-60_000:] or b"done")
        os._exit(0)
    os.close(writing)
    try:
        answered, _, _ = select([reading], [], [], PATIENCE)
        answer = os.read(reading, 60_000).decode() if answered else "the fork hangs"
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert answer == "done", answer
