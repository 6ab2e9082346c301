"""What the synchronous and the asynchronous driver share: where a record lives, and the constants of waiting."""

from __future__ import annotations

import enum
import secrets

from sansauth.errors import LocalProtocolError
from sansauth_io.stores.memory import MemoryStore
from sansauth_io.stores.protocol import Store

__all__ = ["LEASE_POLL_SECONDS", "Busy", "Stores", "new_owner"]

LEASE_POLL_SECONDS = 0.05  # between two attempts at a lease that another process holds


_STORE = ("blocking", "load", "save", "acquire", "release")  # what of a `Store` the drivers use


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

    def of(self, key: str) -> Store:
        """Where the record of `key` lives."""
        return self._memory if key.startswith("mem:") else self._store


def new_owner() -> str:
    """A name for one holder of a lease, unique among machines."""
    return secrets.token_hex(16)
