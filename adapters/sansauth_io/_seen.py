"""Records as a client saw them last, so that it need not ask its store for each call."""

from __future__ import annotations

import os
import threading
import weakref

from sansauth.effects import Stored

__all__ = ["SEEN_RECORDS", "SeenRecords"]

SEEN_RECORDS = 1024  # kept; of more, those that were seen first are forgotten


class SeenRecords:
    """What was loaded and saved last. An answer that a save has overtaken on its way is not kept."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._records: dict[str, Stored] = {}
        self._changes = 0
        _ALL.add(self)

    def get(self, key: str) -> Stored | None:
        """The record, if it was seen."""
        return self._records.get(key)

    def begin(self) -> int:
        """To be called before the store is asked; its answer goes to `see` with what this gives."""
        return self._changes

    def begin_change(self, key: str) -> int:
        """The same, before the store is told to change a record, which is forgotten until then."""
        with self._mutex:
            self._changes += 1
            self._records.pop(key, None)
            return self._changes

    def see(self, key: str, stored: Stored | None, began: int) -> None:
        """Keep a record as it was loaded or saved, unless another was changed since `began`."""
        with self._mutex:
            self._records.pop(key, None)
            if stored is None or began != self._changes:
                return
            self._records[key] = stored
            while len(self._records) > SEEN_RECORDS:
                del self._records[next(iter(self._records))]

    def _after_fork(self) -> None:
        self._mutex = threading.RLock()  # whoever held it is a thread of the parent


_ALL: weakref.WeakSet[SeenRecords] = weakref.WeakSet()


def _after_fork() -> None:
    for seen in _ALL:
        seen._after_fork()  # pyright: ignore[reportPrivateUsage]  # of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
