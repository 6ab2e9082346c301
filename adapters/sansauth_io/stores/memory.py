"""The store of one process: a dictionary. Shared by every client that is given the same one."""

from __future__ import annotations

import itertools
import os
import threading
import time
import weakref
from collections.abc import Iterator

from sansauth.effects import Stored
from sansauth.errors import Conflict

__all__ = ["MemoryStore"]


class MemoryStore:
    """Records and leases in memory; lost with the process.

    After a fork each process has a store of its own: the records as they were, and no lease.
    """

    blocking = False

    def __init__(self) -> None:
        # Reentrant: the garbage collector may close a forgotten coroutine, whose `finally` releases its lease, in here.
        self._mutex = threading.RLock()
        self._records: dict[str, Stored] = {}
        self._leases: dict[str, tuple[str, float]] = {}
        self._versions = itertools.count(1)  # one counter for all keys, so that no version returns after a deletion
        _ALL.add(self)

    def load(self, key: str) -> Stored | None:
        """The record and its version."""
        with self._mutex:
            return self._records.get(key)

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        """Write if the version still is `expected`."""
        with self._mutex:
            current = self._records.get(key)
            if (current.version if current else None) != expected:
                del data  # a traceback that shows the locals of its frames must not show a token
                raise Conflict(f"the record {key!r} changed since it was read")
            version = next(self._versions)
            if data is None:
                self._records.pop(key, None)
            else:
                self._records[key] = Stored(data, version)
            return version

    def acquire(self, key: str, owner: str, ttl: float) -> bool:
        """Take or renew the lease."""
        with self._mutex:
            now = time.monotonic()
            holder, until = self._leases.get(key, (owner, now))
            if holder != owner and now < until:
                return False
            self._leases[key] = (owner, now + ttl)
            return True

    def release(self, key: str, owner: str) -> None:
        """Give the lease up."""
        with self._mutex:
            if self._leases.get(key, ("", 0.0))[0] == owner:
                del self._leases[key]

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key with a record that begins with `prefix`."""
        with self._mutex:
            return iter([key for key in self._records if key.startswith(prefix)])

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._records)} records>"

    def _after_fork(self) -> None:
        # Whoever held the mutex or a lease is a thread of the parent, and never gives it up here. The records need no
        # care: each change is a single step of a dictionary.
        self._mutex = threading.RLock()
        self._leases = {}


_ALL: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in _ALL:
        store._after_fork()  # pyright: ignore[reportPrivateUsage]  # of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
