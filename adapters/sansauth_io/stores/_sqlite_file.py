"""The file of a SQLite store: made for its owner alone, checked that it is ours, brought to the present form."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from sansauth.errors import StoreError

__all__ = ["alone", "open_file", "trouble"]

T = TypeVar("T")

CACHE_KIB = 16_000  # at most, and only when there is so much: the keys of 100,000 accounts
APPLICATION = 0x73616E73  # "sans", in the file's header: this file is ours

# `PRAGMA user_version` counts how many of these a file has seen.
_MIGRATIONS = (
    (
        f"PRAGMA application_id = {APPLICATION}",
        "CREATE TABLE records (key TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, data BLOB NOT NULL)",
        # One counter for all keys, so that no version returns after a deletion.
        "CREATE TABLE counter (version INTEGER NOT NULL)",
        "INSERT INTO counter VALUES (0)",
        # Times are of the monotonic clock, in seconds.
        "CREATE TABLE leases (key TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, taken REAL NOT NULL, "
        "until REAL NOT NULL)",
    ),
)

_PERMISSIONS = "this user may not write there; check the permissions of the file and of its directory"
_ADVICE = {
    sqlite3.SQLITE_BUSY: "other processes kept it locked for too long; try again",
    sqlite3.SQLITE_CANTOPEN: "it, or what SQLite keeps beside it, cannot be opened; check that its directory can be "
    "read and written by this user",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; put a backup in its place, or move it away and log in again",
    sqlite3.SQLITE_FULL: "the disk is full, and nothing was changed; make room and try again",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written, and nothing was changed; is it full, or failing?",
    sqlite3.SQLITE_NOTADB: "the file is no database, and was left as it is; give another path",
    sqlite3.SQLITE_PERM: _PERMISSIONS,
    sqlite3.SQLITE_READONLY: _PERMISSIONS,
}


def alone(work: Callable[[sqlite3.Connection], T]) -> Callable[[sqlite3.Connection], T]:
    """`work` as one transaction, during which nobody else writes."""

    def transaction(connection: sqlite3.Connection) -> T:
        connection.execute("BEGIN IMMEDIATE")
        result = work(connection)
        connection.execute("COMMIT")
        return result

    return transaction


def trouble(path: Path, error: sqlite3.Error) -> StoreError:
    """What is wrong with the file, and what to do about it."""
    # Not the error's own text, which may quote what it could not work with.
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    advice = _ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "see https://sqlite.org/rescode.html")
    return StoreError(f"the token store {path} failed ({name}): {advice}")


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the file, which is made, or brought to the present form, where that is needed."""
    _make(path)
    _check_owners(path)
    _make_alike(path)
    # No waiting inside SQLite: the store waits. `mode=rw`: SQLite makes no file, it would be readable by others.
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )
    try:
        # A save that a power cut undoes is a refresh token that was spent, and so a login that is lost.
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA fullfsync = ON")  # macOS flushes the disk's own cache only when told to
        if _migrated(connection, path) < len(_MIGRATIONS):
            alone(lambda connection: _migrate(connection, path))(connection)
        [journal] = cast("tuple[str]", connection.execute("PRAGMA journal_mode = WAL").fetchone())
        if journal == "wal":
            connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA secure_delete = ON").fetchone()
        _check_owners(path)  # again: in a directory of everybody's a link may have been turned meanwhile
        _make_private(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    try:
        if path.is_dir():
            raise StoreError(f"the token store {path} is a directory; give the path of a file in it")
        if not path.exists():  # else not even looked into: a process that closes a file loses its locks on it
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # another was quicker
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(
            f"the token store {path} cannot be made ({error.strerror}); this user must be able to write in its "
            "directory; or give another path"
        ) from None


def _check_owners(path: Path) -> None:
    """Refuse what another user owns, who can read and change it whatever its permissions say."""
    if not hasattr(os, "geteuid"):  # Windows, where a file has no such owner
        return
    for name in _files(path):
        with contextlib.suppress(OSError):  # not there; or SQLite will say
            owner = os.stat(name).st_uid
            if owner != os.geteuid():
                raise StoreError(
                    f"{name} belongs to another user (id {owner}, this one has {os.geteuid()}) and was left as it is; "
                    "use the token store as its owner, remove the file if it is none of yours, or give another path"
                )


def _make_alike(path: Path) -> None:
    """Give what is beside the file the file's permissions; it has those of before when the file's were mended."""
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        for name in _files(path)[1:]:
            with contextlib.suppress(FileNotFoundError):
                if stat.S_IMODE(os.stat(name).st_mode) != mode:
                    os.chmod(name, mode)


def _make_private(path: Path) -> None:
    """A file may come from elsewhere, with what it was copied with."""
    for name in _files(path):
        if _is_open(name):
            with contextlib.suppress(OSError):
                os.chmod(name, 0o600)
            if _is_open(name) and hasattr(os, "geteuid"):  # Windows shows permissions that it does not have
                raise StoreError(
                    f"other users may read or write {name}, and that cannot be changed; put the token store on a disk "
                    "that knows permissions, or give another path"
                )


def _is_open(name: str) -> bool:
    with contextlib.suppress(OSError):  # not there
        return bool(os.stat(name).st_mode & 0o077)
    return False


def _files(path: Path) -> tuple[str, ...]:
    """The file, and what SQLite keeps beside it."""
    return (str(path), *(f"{path}{ending}" for ending in ("-wal", "-shm", "-journal")))


def _migrated(connection: sqlite3.Connection, path: Path) -> int:
    """How many migrations the file has seen; StoreError for one that is not ours, or from the future."""
    [application], [version], [objects] = (
        cast("tuple[int]", connection.execute(statement).fetchone())
        for statement in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application == APPLICATION:
        if version > len(_MIGRATIONS):
            raise StoreError(
                f"the token store {path} was written by a newer sansauth (form {version}, this one knows "
                f"{len(_MIGRATIONS)}), and was left as it is; upgrade sansauth, or give another path"
            )
        return version
    if application or version or objects:
        raise StoreError(f"{path} is a database of something else, and was left as it is; give another path")
    return 0


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    for statements in _MIGRATIONS[_migrated(connection, path) :]:  # asked again: another may have been quicker
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
