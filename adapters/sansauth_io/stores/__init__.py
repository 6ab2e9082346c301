"""Where token records live."""

from sansauth_io.stores.memory import MemoryStore
from sansauth_io.stores.protocol import LEASE_SECONDS, Store

__all__ = ["LEASE_SECONDS", "MemoryStore", "Store"]
