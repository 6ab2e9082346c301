"""The in-process lock of a key, for threads, asyncio tasks and trio tasks alike.

A store's lease keeps processes apart; waiting for it means polling. So within one process the waiting happens here,
first come first served, and only whoever holds the key polls the lease.

A forked process begins with no lock held and nobody waiting: those who did are threads of its parent.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable

from sansauth_io.stores.protocol import Store

__all__ = ["KeyLock", "key_lock"]


class KeyLock:
    """A fair lock: a queue, whose first holds it.

    A place in the queue is a callback, so that any thread or event loop can wait for any other.
    """

    def __init__(self) -> None:
        self.forget_all()

    def forget_all(self) -> None:
        """Free, and with nobody in the queue: as it is when made, and in a forked process."""
        # Reentrant: the garbage collector may close a forgotten coroutine, whose `finally` leaves, between any two of
        # these lines. So each method ends in `_settle`, which is right from whatever state it finds.
        self._mutex = threading.RLock()
        self._queue: deque[Callable[[], None]] = deque()
        self._holder: Callable[[], None] | None = None

    def join(self, wake: Callable[[], None]) -> bool:
        """Stand in the queue. True: the lock is held now. False: `wake` will be called, from any thread, once it is."""
        with self._mutex:
            self._queue.append(wake)
            if self._queue[0] is wake:
                self._holder = wake
            return self._holder is wake

    def leave(self, wake: Callable[[], None]) -> None:
        """Give up the lock, or the place in the queue; nothing happens if there is none."""
        with self._mutex:
            with contextlib.suppress(ValueError):
                self._queue.remove(wake)
            self._settle()

    def _settle(self) -> None:
        """Tell the first of the queue, unless it knows, that it holds the lock."""
        while self._queue and self._queue[0] is not self._holder:
            self._holder = first = self._queue[0]
            try:
                first()
            except RuntimeError:  # its event loop has ended, and with it whoever waited there
                self._queue.remove(first)


_LOCKS: weakref.WeakKeyDictionary[Store, weakref.WeakValueDictionary[str, KeyLock]] = weakref.WeakKeyDictionary()
_mutex = threading.Lock()


def _after_fork() -> None:
    global _mutex
    _mutex = threading.Lock()
    # These very locks, because a coroutine of the forking thread may still hold one, and leave it when it is closed.
    for locks in _LOCKS.values():
        for lock in locks.values():
            lock.forget_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def key_lock(store: Store, key: str) -> KeyLock:
    """The one lock of a key in this process, shared by every client of the store."""
    with _mutex:
        locks = _LOCKS.setdefault(store, weakref.WeakValueDictionary())
        lock = locks.get(key)
        if lock is None:
            lock = locks[key] = KeyLock()
        return lock
