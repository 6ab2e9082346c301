"""What the synchronous and the asynchronous driver share: where a record lives, and the constants of waiting."""

from __future__ import annotations

import enum
import secrets
import time

from sansauth.effects import Stored, Timeouts
from sansauth.errors import LocalProtocolError, TimedOut
from sansauth_io.stores.memory import MemoryStore
from sansauth_io.stores.protocol import Store

__all__ = ["BODY_SECONDS", "LEASE_POLL_SECONDS", "Busy", "Stores", "new_owner", "within_lease"]

LEASE_POLL_SECONDS = 0.05  # between two attempts at a lease that another process holds
BODY_SECONDS = 45.0  # for the requests of one body of Exclusive: it is to end, and to save, within its lease
SEEN_RECORDS = 1024  # of a store, kept as they were seen last

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
        self._seen: dict[str, Stored] = {}

    def of(self, key: str) -> Store:
        """Where the record of `key` lives."""
        return self._memory if key.startswith("mem:") else self._store

    def seen(self, key: str) -> Stored | None:
        """The record of `key` as this client saw it last, if it did."""
        return self._seen.get(key)

    def load(self, key: str) -> Stored | None:
        """The record of `key`, and have it seen."""
        return self._see(key, self.of(key).load(key))

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        """Write the record of `key`, and have it seen."""
        self._seen.pop(key, None)
        version = self.of(key).save(key, data, expected)
        self._see(key, None if data is None else Stored(data, version))
        return version

    def _see(self, key: str, stored: Stored | None) -> Stored | None:
        if stored is None:
            self._seen.pop(key, None)
        elif not key.startswith("mem:"):
            self._seen[key] = stored
            if len(self._seen) > SEEN_RECORDS:
                self._seen.pop(next(iter(self._seen)), None)
        return stored


def new_owner() -> str:
    """A name for one holder of a lease, unique among machines."""
    return secrets.token_hex(16)
