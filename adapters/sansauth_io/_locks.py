"""The in-process lock of a key, for threads, asyncio tasks and trio tasks alike.

A store's lease keeps processes apart; waiting for it means polling. So within one process the waiting happens here,
first come first served, and only whoever holds the key polls the lease.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable

from sansauth_io.stores.protocol import Store

__all__ = ["KeyLock", "key_lock"]


class KeyLock:
    """A fair lock whose waiters are callbacks, so that any thread or event loop can wait for any other."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._waiters: deque[Callable[[], None]] = deque()

    def acquire(self, wake: Callable[[], None]) -> bool:
        """True: the lock is held now. False: `wake` will be called, from any thread, once it is."""
        with self._mutex:
            if self._held:
                self._waiters.append(wake)
                return False
            self._held = True
            return True

    def abandon(self, wake: Callable[[], None]) -> None:
        """Stop waiting; if the lock was handed over in the meantime, it is passed on."""
        with self._mutex:
            waiting = wake in self._waiters
            if waiting:
                self._waiters.remove(wake)
        if not waiting:
            self.release()

    def release(self) -> None:
        """Hand the lock to the next waiter whose event loop still runs, or free it."""
        while True:
            with self._mutex:
                if not self._waiters:
                    self._held = False
                    return
                wake = self._waiters.popleft()
            try:
                wake()
            except RuntimeError:
                continue  # the waiter's event loop has ended, and the waiter with it
            return


_LOCKS: weakref.WeakKeyDictionary[Store, weakref.WeakValueDictionary[str, KeyLock]] = weakref.WeakKeyDictionary()
_LOCKS_MUTEX = threading.Lock()


def key_lock(store: Store, key: str) -> KeyLock:
    """The one lock of a key in this process, shared by every client of the store."""
    with _LOCKS_MUTEX:
        locks = _LOCKS.setdefault(store, weakref.WeakValueDictionary())
        lock = locks.get(key)
        if lock is None:
            lock = locks[key] = KeyLock()
        return lock
