"""What a token store is: small and synchronous. Asynchronous drivers call a blocking one in worker threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sansauth.effects import Stored

__all__ = ["LEASE_SECONDS", "Store"]

LEASE_SECONDS = 60.0  # longer than the deadline of a token call, so that whoever holds a lease can finish


class Store(Protocol):
    """Records with versions, and leases. Hashable by identity, weakly referable; safe to call from any thread.

    Every method ends within 5 seconds or raises `StoreError`. Put a store of your own under the suite
    `sansauth_io.conformance.StoreConformance`.
    """

    @property
    def blocking(self) -> bool:
        """Whether a call may wait for a disk or a network; False: it is called in the event loop."""
        ...

    def load(self, key: str) -> Stored | None:
        """The record and its version; None if there is none."""
        ...

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        """Write if the version still is `expected` (None: no record), else raise `Conflict`; give the new version.

        `data=None` deletes. A version is never used again for the same key, not even after a deletion.
        """
        ...

    def acquire(self, key: str, owner: str, ttl: float) -> bool:
        """Take the lease on a key for `ttl` seconds, or renew it if `owner` holds it; False if another holds it."""
        ...

    def release(self, key: str, owner: str) -> None:
        """Give the lease up; nothing happens if `owner` does not hold it any more."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key with a record that begins with `prefix`."""
        ...
