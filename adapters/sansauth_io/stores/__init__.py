"""Where token records live. Stores that need a library are imported on use, so that nobody pays for those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sansauth._lazy import imported_on_use
from sansauth_io.stores.memory import MemoryStore
from sansauth_io.stores.protocol import LEASE_SECONDS, Store

if TYPE_CHECKING:
    from sansauth_io.stores.encrypted import EncryptedStore
    from sansauth_io.stores.keyring import KeyringStore
    from sansauth_io.stores.redis import RedisStore
    from sansauth_io.stores.sqlite import SQLiteStore
    from sansauth_io.stores.upkeep import accounts, tidy
else:
    __getattr__, __dir__ = imported_on_use(
        __name__,
        {
            "encrypted": ("EncryptedStore",),
            "keyring": ("KeyringStore",),
            "redis": ("RedisStore",),
            "sqlite": ("SQLiteStore",),
            "upkeep": ("accounts", "tidy"),
        },
    )

__all__ = [
    "LEASE_SECONDS",
    "EncryptedStore",
    "KeyringStore",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "Store",
    "accounts",
    "tidy",
]
