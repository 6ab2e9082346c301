"""The store of one machine: a file of SQLite's, shared by every process that opens it.

    from sansauth_io.stores import SQLiteStore

    store = SQLiteStore()  # in the user's data directory; or SQLiteStore("tokens.sqlite3")

- The file and what SQLite keeps beside it (`-wal`, `-shm`) are readable by their owner alone; what belongs to another
  user, or cannot be closed to others, is refused. Nothing is opened or made before the store is first used.
- A save that has returned is on the disk: it outlives the process, a crash of the operating system and a power cut, as
  far as the disk tells the truth about what it has written. Where SQLite cannot have its log (`-wal`), it keeps a
  journal (`-journal`), as safe; readers and writers then wait for each other.
- What is deleted or replaced is overwritten with zeros, at the latest when the last process closes the file.
- Leases are timed by the monotonic clock, which all processes of one boot share: setting the clock neither ends nor
  prolongs one. After a reboot a lease of the time before may appear to last, but no longer than it was taken for.
- For processes of one machine, on one of its own disks: SQLite's locks do not hold across a network. Leave the file
  alone while a process has it open; copy it by `sqlite3 FILE ".backup COPY"`.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from sansauth.effects import Stored
from sansauth.errors import Conflict, LocalProtocolError, StoreError
from sansauth.secret import SecretBytes
from sansauth_io.stores._sqlite_file import alone, open_file, trouble

__all__ = ["SQLiteStore"]

T = TypeVar("T")

BUSY_SECONDS = 4.0  # of asking again while others hold the file; with the work itself below the contract's 5 s
PAGE = 1000  # keys read at a time

_FROM = "SELECT key FROM records WHERE key >= ? ORDER BY key LIMIT ?"
_AFTER = "SELECT key FROM records WHERE key > ? ORDER BY key LIMIT ?"


class SQLiteStore:
    """Records and leases in a file, `path`; without one, `sansauth/tokens.sqlite3` in the user's data directory.

    The default needs platformdirs (extra `sqlite`). A directory that is missing is made, for its owner alone. Threads
    and processes may share the store; it works on both sides of a fork, and a pickle of it is its path. Anything wrong
    with the file is a `StoreError` that says what to do, and quotes no record. `close()` it when done, or leave that
    to Python.
    """

    blocking = True

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        if path == ":memory:":
            raise LocalProtocolError("SQLiteStore keeps a file; sansauth_io.stores.MemoryStore() keeps nothing")
        # Absolute: the process may change directory.
        self._path = _default_path() if path is None else Path(os.path.abspath(path))
        # Reentrant, as the memory store's: a signal handler may save, too.
        self._mutex = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._closing: Callable[[], object] = _nothing
        self._closed = False
        with _making:
            _ALL.add(self)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    def load(self, key: str) -> Stored | None:
        """The record and its version."""

        def read(connection: sqlite3.Connection) -> Stored | None:
            row = connection.execute("SELECT data, version FROM records WHERE key = ?", (key,)).fetchone()
            return None if row is None else Stored(*row)

        return self._do(read)

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        """Write if the version still is `expected`."""
        # A traceback that shows the locals of its frames must not show a token.
        record = None if data is None else SecretBytes(data)
        del data

        def write(connection: sqlite3.Connection) -> int:
            row = connection.execute("SELECT version FROM records WHERE key = ?", (key,)).fetchone()
            if (None if row is None else row[0]) != expected:
                raise Conflict(f"the record {key!r} changed since it was read")
            connection.execute("UPDATE counter SET version = version + 1")
            [version] = cast("tuple[int]", connection.execute("SELECT version FROM counter").fetchone())
            if record is None:
                connection.execute("DELETE FROM records WHERE key = ?", (key,))
            elif row is None:
                connection.execute("INSERT INTO records VALUES (?, ?, ?)", (key, version, record))
            else:
                # In its place. To replace it would move it to the end, and three pages of neighbours with it.
                connection.execute("UPDATE records SET version = ?, data = ? WHERE key = ?", (version, record, key))
            return version

        return self._do(alone(write))

    def acquire(self, key: str, owner: str, ttl: float) -> bool:
        """Take or renew the lease."""

        def write(connection: sqlite3.Connection) -> bool:
            # Read here, where nobody else can write: a lease that was taken later than now is of an earlier boot.
            now = time.monotonic()
            row = connection.execute("SELECT owner, taken, until FROM leases WHERE key = ?", (key,)).fetchone()
            if row is not None and row[0] != owner and row[1] <= now < row[2]:
                return False
            connection.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", (key, owner, now, now + ttl))
            return True

        return self._do(alone(write))

    def release(self, key: str, owner: str) -> None:
        """Give the lease up."""
        self._do(lambda connection: connection.execute("DELETE FROM leases WHERE key = ? AND owner = ?", (key, owner)))

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key with a record that begins with `prefix`, in order; read bit by bit, while records may change."""
        # SQLite orders text by code points: these keys stand together, and none of them before the prefix itself.
        page = self._do(partial(_texts, statement=_FROM, start=prefix))
        while page:
            for key in page:
                if not key.startswith(prefix):
                    return
                yield key
            page = self._do(partial(_texts, statement=_AFTER, start=page[-1]))

    def close(self) -> None:
        """Close the file; afterwards every method raises `StoreError`. A second time does nothing."""
        with self._mutex:
            self._closed = True
            self._disconnect()

    def __reduce__(self) -> tuple[type[SQLiteStore], tuple[str]]:
        return SQLiteStore, (str(self._path),)

    def __repr__(self) -> str:
        return f"<SQLiteStore in {str(self._path)!r}{', closed' if self._closed else ''}>"

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` on the one connection of this process; again, while other processes hold the file."""
        end = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._try(work)
            except sqlite3.Error as error:
                busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not busy:
                    # After a failure of the disk SQLite may refuse further work of a connection, but not of another.
                    self._reset()
                elif time.monotonic() < end:
                    # Here and not inside SQLite: outside the mutex, so that other threads can read meanwhile.
                    time.sleep(random.uniform(0.001, 0.005))
                    continue
                raise trouble(self._path, error) from None
            except UnicodeEncodeError:
                raise StoreError("a key is Unicode text, and so has no half of a surrogate pair in it") from None

    def _try(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._mutex:
            if self._closed:
                raise StoreError(f"the token store {self._path} is closed; make another")
            connection = self._connection or self._connect()
            try:
                return work(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _connect(self) -> sqlite3.Connection:
        connection = open_file(self._path)
        # Python wants its connections closed, also those of a store that was forgotten.
        self._closing = weakref.finalize(self, connection.close)
        self._connection = connection
        return connection

    def _reset(self) -> None:
        with self._mutex:
            self._disconnect()

    def _disconnect(self) -> None:
        self._connection, closing, self._closing = None, self._closing, _nothing
        with contextlib.suppress(sqlite3.Error):
            closing()

    def _before_fork(self) -> None:
        # SQLite's connections do not survive a fork, not even to be closed; and so that no other thread opens one
        # between here and the fork, the mutex is kept until after it.
        self._mutex.acquire()
        self._disconnect()

    def _after_fork_in_parent(self) -> None:
        self._mutex.release()

    def _after_fork_in_child(self) -> None:
        self._mutex = threading.RLock()


def _nothing() -> None:
    """Nothing is open."""


def _default_path() -> Path:
    try:
        import platformdirs
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the default path needs platformdirs: pip install 'sansauth[sqlite]', or give a path", name="platformdirs"
        ) from None
    return platformdirs.user_data_path("sansauth", appauthor=False) / "tokens.sqlite3"


def _texts(connection: sqlite3.Connection, statement: str, start: str) -> list[str]:
    return [row[0] for row in connection.execute(statement, (start, PAGE))]


_ALL: weakref.WeakSet[SQLiteStore] = weakref.WeakSet()
_making = threading.RLock()  # held during a fork, too: a store that is made meanwhile could open a connection
_FORKING = threading.local()


def _before_fork() -> None:
    # Each as soon as it is held: an interrupt while one waits for the next must not leave it held for ever.
    _FORKING.ends = ends = list[Callable[[], object]]()
    _making.acquire()
    ends.append(_making.release)
    for store in list(_ALL):
        store._before_fork()  # pyright: ignore[reportPrivateUsage]  # of this module
        ends.append(store._after_fork_in_parent)  # pyright: ignore[reportPrivateUsage]


def _after_fork_in_parent() -> None:
    for end in reversed(_FORKING.ends):
        end()
    del _FORKING.ends


def _after_fork_in_child() -> None:
    global _making
    _making = threading.RLock()
    for store in list(_ALL):  # also those that were not reached before the fork
        store._after_fork_in_child()  # pyright: ignore[reportPrivateUsage]
    _FORKING.__dict__.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
