"""What the synchronous and the asynchronous driver share: where a record lives, and the constants of waiting."""

from __future__ import annotations

import enum
import secrets
import threading
import time
import weakref

from sansauth.effects import Stored, Timeouts
from sansauth.errors import LocalProtocolError, TimedOut
from sansauth_io._seen import SeenRecords
from sansauth_io.stores.memory import MemoryStore
from sansauth_io.stores.protocol import Store

__all__ = [
    "BODY_SECONDS",
    "LEASE_POLL_SECONDS",
    "WAIT_SECONDS",
    "Busy",
    "Stores",
    "new_owner",
    "waited_long_enough",
    "within_lease",
]

LEASE_POLL_SECONDS = 0.05  # between two attempts at a lease that another process holds
BODY_SECONDS = 45.0  # for the requests of one body of Exclusive: it is to end, and to save, within its lease
WAIT_SECONDS = 90.0  # for a key that others hold: as long as a lease lasts, and half as long again

_STORE = ("blocking", "load", "save", "acquire", "release")  # what of a `Store` the drivers use


def within_lease(timeouts: Timeouts, ends: float | None) -> Timeouts:
    """The limits of an exchange that is to end at `ends` (monotonic seconds), if that is set.

    `TimedOut` if there is no time left for it: whoever is not alone any more must not send.
    """
    if ends is None:
        return timeouts
    left = ends - time.monotonic()
    if left <= 0:
        raise TimedOut(f"the work on a stored record took longer than {BODY_SECONDS:g} s", sent=False)
    return Timeouts(*(min(limit, left) for limit in (timeouts.connect, timeouts.read, timeouts.total)))


def waited_long_enough(key: str) -> TimedOut:
    """The error of who has waited for a key until now, in vain."""
    return TimedOut(f"waited {WAIT_SECONDS:g} s for the record {key!r}, which others kept to themselves", sent=False)


class Busy(enum.Enum):
    """The answer of an attempt at a lease that somebody else holds."""

    BUSY = enum.auto()


class Stores:
    """The client's store, and the client's own memory for keys that begin with `mem:` and are never persisted."""

    def __init__(self, store: Store | None) -> None:
        if store is not None and (isinstance(store, type) or not all(hasattr(store, name) for name in _STORE)):
            raise LocalProtocolError(f"store= takes an object with {', '.join(_STORE)}; see sansauth_io.stores.Store")
        self._memory = MemoryStore()
        self._store: Store = MemoryStore() if store is None else store
        self._seen = SeenRecords()

    def of(self, key: str) -> Store:
        """Where the record of `key` lives."""
        if key.startswith("mem:unsaved/"):
            return _unsaved(self._store)
        return self._memory if key.startswith("mem:") else self._store

    def seen(self, key: str) -> Stored | None:
        """The record of `key` as this client saw it last, if it did."""
        return self._seen.get(key)

    def load(self, key: str) -> Stored | None:
        """The record of `key`, and have it seen."""
        began, stored = self._seen.begin(), self.of(key).load(key)
        if not key.startswith("mem:"):
            self._seen.see(key, stored, began)
        return stored

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        """Write the record of `key`, and have it seen."""
        if key.startswith("mem:"):
            return self.of(key).save(key, data, expected)
        began = self._seen.begin_change(key)
        version = self._store.save(key, data, expected)
        self._seen.see(key, None if data is None else Stored(data, version), began)
        return version


_UNSAVED: weakref.WeakKeyDictionary[Store, MemoryStore] = weakref.WeakKeyDictionary()
_UNSAVED_MUTEX = threading.Lock()


def _unsaved(store: Store) -> MemoryStore:
    """The memory for what a store did not take; it lives as long as the store, and not only as long as one client."""
    with _UNSAVED_MUTEX:
        return _UNSAVED.setdefault(store, MemoryStore())


def new_owner() -> str:
    """A name for one holder of a lease, unique among machines."""
    return secrets.token_hex(16)
