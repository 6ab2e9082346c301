"""The store in a file of SQLite's: what every store does, and what a file brings with it."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from sansauth.effects import Stored
from sansauth.errors import Conflict, LocalProtocolError, StoreError
from sansauth_io.conformance import StoreConformance
from sansauth_io.conformance.processes import in_fork
from sansauth_io.conformance.waiting import PATIENCE, at_once, until
from sansauth_io.stores import LEASE_SECONDS, SQLiteStore, Store, _sqlite_file, sqlite

FULL, EXTRA = 2, 3  # of `PRAGMA synchronous`
NOBODY = 65534  # a user without rights, where the tests run as root, to whom no permission applies


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.sqlite3"


class TestSQLiteStore(StoreConformance):
    pickles = True

    @pytest.fixture
    def store(self, path: Path) -> Store:
        return SQLiteStore(path)

    @pytest.fixture
    def reopen(self, path: Path) -> Callable[[], Store]:
        return functools.partial(SQLiteStore, path)

    def test_it_blocks(self, store: Store) -> None:
        assert store.blocking is True

    def test_its_repr_has_the_path(self, store: SQLiteStore, path: Path) -> None:
        assert repr(store) == f"<SQLiteStore in {str(path)!r}>"
        store.close()
        assert repr(store) == f"<SQLiteStore in {str(path)!r}, closed>"

    def test_zeros_are_of_a_key_like_any_other_character(self, store: Store) -> None:
        for key in ("a", "a\0", "a\0b", "\0"):
            store.save(key, key.encode(), None)
        assert [load(store, key) for key in ("a", "a\0", "a\0b", "\0")] == [b"a", b"a\0", b"a\0b", b"\0"]
        assert list(store.keys("a\0")) == ["a\0", "a\0b"]

    def test_keys_are_listed_up_to_the_last_character_there_is(self, store: Store) -> None:
        for key in ("a\ud7ff", "a\ue000", "a\U0010ffff", "a\U0010ffffz", "b"):
            store.save(key, b"", None)
        assert list(store.keys("a\U0010ffff")) == ["a\U0010ffff", "a\U0010ffffz"]
        assert list(store.keys("a\ud7ff")) == ["a\ud7ff"]
        assert len(list(store.keys("a"))) == 4

    def test_half_a_character_is_no_key(self, store: Store) -> None:
        for method in (store.load, lambda key: store.save(key, b"", None), lambda key: list(store.keys(key))):
            with pytest.raises(StoreError, match="surrogate") as raised:
                method("\ud800-secret")
            assert "secret" not in str(raised.value)

    def test_what_is_deleted_leaves_no_trace_in_the_file(self, store: SQLiteStore, path: Path) -> None:
        version = store.save("k", b"the-first-token" * 500, None)
        version = store.save("k", b"another-token", version)
        store.save("k", None, version)
        store.close()
        assert b"token" not in path.read_bytes()


def load(store: Store, key: str = "k") -> bytes | None:
    stored = store.load(key)
    return None if stored is None else stored.data


def contents(directory: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in directory.iterdir()}


# The file


def test_nothing_is_made_before_the_store_is_used(path: Path) -> None:
    store = SQLiteStore(path)
    repr(store)
    store.close()
    assert not path.exists()


def test_it_survives_its_store(path: Path) -> None:
    version = SQLiteStore(path).save("k", b"1", None)
    assert SQLiteStore(path).load("k") == Stored(b"1", version)
    assert SQLiteStore(str(path)).load("k") == Stored(b"1", version)


def test_a_relative_path_stays_where_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = SQLiteStore("tokens")
    monkeypatch.chdir("/")
    store.save("k", b"1", None)
    assert store.path == tmp_path / "tokens"
    assert (tmp_path / "tokens").exists()


@pytest.mark.parametrize("name", ["a b", "a?mode=memory", "a%41#b", "ü", "file:x", b"\xff"])
def test_any_name_is_the_name_of_a_file(tmp_path: Path, name: str | bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    SQLiteStore(path).save("k", b"1", None)
    assert path.exists()
    assert load(SQLiteStore(path)) == b"1"


def test_memory_is_no_file() -> None:
    with pytest.raises(LocalProtocolError, match="MemoryStore"):
        SQLiteStore(":memory:")


def test_without_a_path_it_is_in_the_users_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    store = SQLiteStore()
    assert store.path == platformdirs.user_data_path("sansauth", appauthor=False) / "tokens.sqlite3"
    if sys.platform == "linux":
        store.save("k", b"1", None)
        assert (tmp_path / "data" / "sansauth" / "tokens.sqlite3").exists()


def test_without_a_path_and_platformdirs_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(ModuleNotFoundError, match=r"sansauth\[sqlite\]"):
        SQLiteStore()
    assert SQLiteStore(path).save("k", b"1", None)


def uncovered() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


def test_sqlite_is_imported_by_who_uses_it_alone() -> None:
    code = """
import sys
from sansauth_io.stores import MemoryStore, Store
import sansauth_io.requests
assert "sqlite3" not in sys.modules
from sansauth_io.stores import SQLiteStore
assert "sqlite3" in sys.modules and "platformdirs" not in sys.modules and "pytest" not in sys.modules
"""
    # Without coverage, which imports sqlite3 itself.
    subprocess.run([sys.executable, "-c", code], env=uncovered(), check=True)


# Whom it is for


def test_the_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    code = """
import os, sys
os.umask(0)
made = []
def watch(event, arguments):
    if event in ("open", "sqlite3.connect/handle", "sqlite3.connect") and os.path.isdir(sys.argv[2]):
        made.extend(os.stat(each.path).st_mode & 0o777 for each in os.scandir(sys.argv[2]))
sys.addaudithook(watch)
from sansauth_io.stores import SQLiteStore
store = SQLiteStore(sys.argv[1])
store.save("k", b"1", None)
assert set(made) == {0o600}, made
assert {each.name: oct(os.stat(each.path).st_mode & 0o777) for each in os.scandir(sys.argv[2])} == {
    "t": "0o600", "t-wal": "0o600", "t-shm": "0o600"
}
assert os.stat(sys.argv[2]).st_mode & 0o777 == 0o700
"""
    directory = tmp_path / "above" / "own"
    subprocess.run([sys.executable, "-c", code, str(directory / "t"), str(directory)], check=True)


def test_a_file_that_others_may_read_becomes_its_owners_alone(path: Path) -> None:
    SQLiteStore(path).save("k", b"1", None)
    path.chmod(0o644)
    assert load(SQLiteStore(path)) == b"1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_what_another_user_made_is_refused_and_left_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    SQLiteStore(path).save("k", b"1", None)
    path.chmod(0o600)
    theirs = Path(f"{path}{ending}")
    theirs.touch()
    theirs.chmod(0o666)
    if os.geteuid() == 0:
        os.chown(theirs, NOBODY, NOBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    before = contents(path.parent)
    with pytest.raises(StoreError, match=r"belongs to another user .*give another path") as refused:
        SQLiteStore(path).save("k2", b"secret", None)
    assert str(theirs if os.geteuid() == 0 else path) in str(refused.value)
    assert contents(path.parent) == before
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o666


@pytest.mark.parametrize("ending", ["", "-wal"])
def test_a_file_that_stays_open_to_others_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    store = SQLiteStore(path)
    store.save("k", b"1", None)
    Path(f"{path}{ending}").chmod(0o640)
    monkeypatch.setattr(os, "chmod", lambda *_: None)  # a disk without permissions
    with pytest.raises(StoreError, match=r"other users may read or write .* disk that knows permissions"):
        SQLiteStore(path).save("k2", b"secret", None)
    monkeypatch.delattr(os, "geteuid")  # Windows, where permissions are shown that are none
    assert load(SQLiteStore(path)) == b"1"
    store.close()


# What a power cut leaves


def setting(store: SQLiteStore, name: str) -> object:
    assert store._connection is not None
    return store._connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_save_waits_for_the_disk(path: Path) -> None:
    store = SQLiteStore(path)
    store.save("k", b"1", None)
    assert [setting(store, name) for name in ("journal_mode", "synchronous", "fullfsync")] == ["wal", FULL, 1]


def test_without_a_log_a_save_waits_for_the_disk_and_for_the_end_of_its_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def unshared(database: str, **settings: Any) -> sqlite3.Connection:
        return connect(f"{database}&vfs=unix-dotfile", **settings)  # locks that allow no shared memory, and so no log

    monkeypatch.setattr(sqlite3, "connect", unshared)
    store = SQLiteStore(path)
    version = store.save("k", b"1", None)
    assert [setting(store, name) for name in ("journal_mode", "synchronous")] == ["delete", EXTRA]
    version = store.save("k", b"2", version)
    assert SQLiteStore(path).load("k") == Stored(b"2", version)
    assert contents(path.parent).keys() == {path.name}


# What is not ours, or broken


FOREIGN = {
    "text": b"consumer_key = 1\n" * 100,
    "a header and no more": b"SQLite format 3\0",
    "a damaged header": b"SQLite format 3\0" + b"\xff" * 4080,
    "two bytes": b"{}",
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_is_no_database_is_left_as_it_is(path: Path, foreign: bytes) -> None:
    path.write_bytes(foreign)
    path.chmod(0o644)
    for _ in range(2):
        with pytest.raises(StoreError, match="give another path") as raised:
            SQLiteStore(path).save("k", b"1", None)
        assert str(path) in str(raised.value)
        assert raised.value.__suppress_context__
    assert contents(path.parent) == {path.name: foreign}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE cookies (a)", "PRAGMA user_version = 1", "PRAGMA application_id = 5"]
)
def test_a_database_of_something_else_is_left_as_it_is(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    before = contents(path.parent)
    with pytest.raises(StoreError, match="something else"):
        SQLiteStore(path).load("k")
    assert contents(path.parent) == before


def test_an_empty_file_is_a_store_to_be(path: Path) -> None:
    path.touch(0o644)
    SQLiteStore(path).save("k", b"1", None)
    assert load(SQLiteStore(path)) == b"1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_a_newer_sansauth_is_left_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(_sqlite_file, "_MIGRATIONS", (*_sqlite_file._MIGRATIONS, ("CREATE TABLE later (a)",)))
        store = SQLiteStore(path)
        store.save("k", b"1", None)
        store.close()
    before = contents(path.parent)
    with pytest.raises(StoreError, match=r"newer sansauth .form 2, this one knows 1.*upgrade"):
        SQLiteStore(path).save("k", b"2", None)
    assert contents(path.parent) == before


def test_a_file_of_an_older_sansauth_is_brought_to_the_present_form(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = SQLiteStore(path).save("k", b"1", None)
    later = ("ALTER TABLE records ADD COLUMN later TEXT", "CREATE TABLE later (a)")
    monkeypatch.setattr(_sqlite_file, "_MIGRATIONS", (*_sqlite_file._MIGRATIONS, later))
    for _ in range(2):
        store = SQLiteStore(path)
        assert store.load("k") == Stored(b"1", version)
        store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = SQLiteStore(path).save("k", b"1", None)
    broken = ("ALTER TABLE records ADD COLUMN later TEXT", "CREATE TABLE records (a)")
    with monkeypatch.context() as newer:
        newer.setattr(_sqlite_file, "_MIGRATIONS", (*_sqlite_file._MIGRATIONS, broken))
        with pytest.raises(StoreError, match="SQLITE_ERROR"):
            SQLiteStore(path).load("k")
    assert SQLiteStore(path).load("k") == Stored(b"1", version)


def save_one_of(make: Callable[[], Store], place: int) -> int:
    return make().save(f"k{place}", b"1", None)


def test_threads_that_make_the_same_file_at_once_make_one(path: Path) -> None:
    for round_ in range(10):
        make = functools.partial(SQLiteStore, path.with_name(f"{round_}"))
        versions = at_once(4, functools.partial(save_one_of, make))
        assert sorted(versions) == [1, 2, 3, 4]


def test_a_damaged_file_is_said_to_be_damaged(path: Path) -> None:
    store = SQLiteStore(path)
    for number in range(100):
        store.save(f"k{number}", b"x" * 1000, None)
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(StoreError, match="damaged"):
        SQLiteStore(path).load("k1")
    path.write_bytes(whole)
    assert load(SQLiteStore(path), "k1") == b"x" * 1000


# A disk that refuses


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a directory; give the path of a file"):
        SQLiteStore(tmp_path).load("k")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be made .*another path"):
        SQLiteStore(tmp_path / "file" / "t").load("k")


def test_a_directory_that_cannot_be_entered_is_named(open_directory: Path) -> None:
    owned(open_directory, 0o000)

    def use() -> None:
        with pytest.raises(StoreError, match="Permission denied"):
            SQLiteStore(open_directory / "t").load("k")

    unprivileged(use)
    open_directory.chmod(0o700)


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "none" / "t")
    with pytest.raises(StoreError, match=r"SQLITE_CANTOPEN.*check that"):
        SQLiteStore(tmp_path / "link").load("k")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that any user can reach; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


def unprivileged(job: Callable[[], object]) -> None:
    """Run `job` in a fork as a user to whom permissions apply."""

    def run() -> None:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        job()

    in_fork(run)


def check(right: bool) -> None:
    assert right


def owned(path: Path, mode: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    path.chmod(mode)


def test_a_file_that_may_only_be_read_is_said_to_be(open_directory: Path) -> None:
    path = open_directory / "t"
    store = SQLiteStore(path)
    version = store.save("k", b"1", None)
    store.close()
    owned(open_directory, 0o700)
    owned(path, 0o400)

    def use() -> None:
        store = SQLiteStore(path)
        for method in (lambda: store.save("k", b"2", version), lambda: store.acquire("k", "me", LEASE_SECONDS)):
            with pytest.raises(StoreError, match="check th") as raised:
                method()
            assert not isinstance(raised.value, Conflict)

    unprivileged(use)
    path.chmod(0o600)
    unprivileged(lambda: SQLiteStore(path).save("k", b"2", version))
    unprivileged(lambda: check(load(SQLiteStore(path)) == b"2"))


def test_a_directory_that_cannot_be_written_is_said_to_be(open_directory: Path) -> None:
    inside = open_directory / "closed"
    inside.mkdir()
    path = inside / "t"
    owned(inside, 0o500)

    def make() -> None:
        with pytest.raises(StoreError, match=r"cannot be made .Permission denied.*write in its directory"):
            SQLiteStore(path).save("k", b"1", None)

    unprivileged(make)
    inside.chmod(0o700)
    unprivileged(lambda: SQLiteStore(path).save("k", b"1", None))
    inside.chmod(0o500)

    def use() -> None:
        with pytest.raises(StoreError, match=r"SQLITE_(CANTOPEN|READONLY).*check"):
            SQLiteStore(path).save("k", b"2", 1)

    unprivileged(use)
    inside.chmod(0o700)
    unprivileged(lambda: check(load(SQLiteStore(path)) == b"1"))


def test_a_full_disk_loses_nothing_and_is_recovered_from(path: Path) -> None:
    store = SQLiteStore(path)
    version = store.save("k", b"1", None)
    assert store._connection is not None
    store._connection.execute("PRAGMA max_page_count = 8").fetchone()
    with pytest.raises(StoreError, match=r"SQLITE_FULL.*the disk is full, and nothing was changed"):
        store.save("k", b"secret" * 100_000, version)
    assert store.load("k") == Stored(b"1", version)
    assert store.save("k", b"2" * 100_000, version)  # on a new connection, which has no such limit


def test_a_disk_that_takes_no_more_loses_nothing_and_is_recovered_from(path: Path) -> None:
    store = SQLiteStore(path)
    version = store.save("k", b"1", None)

    def use() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        assert store.load("k") == Stored(b"1", version)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
        with pytest.raises(StoreError, match=r"SQLITE_(IOERR|FULL).*nothing was changed"):
            store.save("k", b"2" * 100_000, version)
        assert store.load("k") == Stored(b"1", version)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert store.save("k", b"2" * 100_000, version)

    in_fork(use)
    assert load(store) == b"2" * 100_000


# Other processes


def wait_in_vain(store: Store) -> None:
    with pytest.raises(StoreError):
        store.acquire("k", "me", LEASE_SECONDS)


def test_a_file_that_another_process_keeps_locked_is_an_error_within_5_seconds(path: Path) -> None:
    store = SQLiteStore(path)
    version = store.save("k", b"1", None)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        waiting = threading.Thread(target=lambda: wait_in_vain(store))
        waiting.start()
        read_in = time.monotonic()
        assert store.load("k") == Stored(b"1", version)  # readers do not wait for a writer that waits
        assert time.monotonic() - read_in < 1
        with pytest.raises(StoreError, match=r"SQLITE_BUSY.*try again"):
            store.save("k", b"2", version)
        assert sqlite.BUSY_SECONDS <= time.monotonic() - began < 5
        waiting.join()
        other.execute("ROLLBACK")
    assert store.save("k", b"2", version)


def test_a_file_that_is_free_again_is_written(path: Path) -> None:
    store = SQLiteStore(path)
    store.load("k")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        end = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
        end.start()
        assert store.save("k", b"1", None)
        end.join()


def test_a_lease_of_an_earlier_boot_is_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uptime = [1_000_000.0]
    monkeypatch.setattr(sqlite.time, "monotonic", lambda: uptime[0])
    store = SQLiteStore(path)
    assert store.acquire("k", "one of the boot before", LEASE_SECONDS)
    uptime[0] += LEASE_SECONDS - 1
    assert store.acquire("k", "me", LEASE_SECONDS) is False
    uptime[0] = 100.0
    assert store.acquire("k", "me", LEASE_SECONDS) is True


def test_a_clock_that_is_set_changes_no_lease(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(path)
    assert store.acquire("k", "me", LEASE_SECONDS)
    for jump in (1e6, -1e6):
        monkeypatch.setattr(sqlite.time, "time", lambda jump=jump: 1.7e9 + jump)
        assert store.acquire("k", "you", LEASE_SECONDS) is False


def test_an_interrupt_in_the_middle_of_a_save_holds_up_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(path)
    version = store.save("k", b"1", None)

    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(sqlite, "cast", interrupted)  # in the middle of the transaction
        with pytest.raises(KeyboardInterrupt):
            store.save("k", b"2", version)
    assert SQLiteStore(path).load("k") == Stored(b"1", version)
    assert SQLiteStore(path).save("k", b"3", version)


def save_for_ever(path: Path, tell: Any) -> None:
    store = SQLiteStore(path)
    stored = store.load("k")
    version = stored.version if stored else None
    number = int(stored.data[:10]) if stored else 0
    while True:
        number += 1
        data = f"{number:010}".encode()
        version = store.save("k", data + data * (number % 400), version)
        tell.send((number, version))


def test_after_a_kill_at_any_moment_the_file_has_what_was_saved_last(path: Path) -> None:
    """What a save has returned is never lost, and what was being saved is there wholly or not at all."""
    spawn = multiprocessing.get_context("forkserver")
    inside = 0
    for moment in range(50):
        ours, theirs = spawn.Pipe(duplex=False)
        process = spawn.Process(target=save_for_ever, args=(path, theirs), daemon=True)
        process.start()
        theirs.close()
        assert ours.poll(PATIENCE)
        time.sleep((moment * 37 % 50) / 5_000)
        process.kill()
        process.join(PATIENCE)
        number, version = 0, 0
        with contextlib.suppress(EOFError):
            while True:
                number, version = ours.recv()
        ours.close()
        store = SQLiteStore(path)
        stored = store.load("k")
        assert stored is not None
        found = int(stored.data[:10])
        assert found in (number, number + 1)
        assert stored.version == version + (found - number)
        assert stored.data == f"{found:010}".encode() * (found % 400 + 1)
        inside += found - number
        store.close()
    assert inside < 50


# Forks


def test_no_connection_is_open_across_a_fork(path: Path) -> None:
    store = SQLiteStore(path)
    store.save("k", b"1", None)
    here = threading.current_thread()

    def look() -> None:
        assert threading.current_thread() is here
        descriptors = [os.readlink(each.path) for each in os.scandir("/proc/self/fd") if os.path.exists(each.path)]
        assert not [each for each in descriptors if each.startswith(str(path))]
        assert store._connection is None

    in_fork(look)
    assert load(store) == b"1"


def test_a_thread_in_the_middle_of_a_save_ends_it_before_the_fork(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(path)
    store.load("k")
    inside, outside = threading.Event(), threading.Event()

    def slowly(_: object, value: Any) -> Any:
        inside.set()
        outside.wait(0.2)
        return value

    monkeypatch.setattr(sqlite, "cast", slowly)
    saving = threading.Thread(target=lambda: store.save("k", b"1", None))
    saving.start()
    assert inside.wait(PATIENCE)

    def use() -> None:
        assert load(store) == b"1"
        assert store.acquire("k", "me", LEASE_SECONDS)

    in_fork(use)
    saving.join(PATIENCE)
    assert store.acquire("k", "you", LEASE_SECONDS) is False


def test_threads_that_fork_at_once_do_not_wait_for_each_other_for_ever(tmp_path: Path) -> None:
    stores = [SQLiteStore(tmp_path / str(number)) for number in range(5)]
    for store in stores:
        store.save("k", b"1", None)

    def fork(place: int) -> None:
        for _ in range(5):
            in_fork(lambda: [load(store) for store in stores])
            stores[place].save("k", b"1", stores[place].load("k").version)  # type: ignore[union-attr]

    at_once(3, fork)


MAKING = """
import os, sys, threading
from sansauth_io.stores import SQLiteStore
sys.setswitchinterval(1e-6)
failures = []
sys.unraisablehook = failures.append
done, kept = threading.Event(), []
def make():
    while not done.is_set():
        kept.append(SQLiteStore(sys.argv[1]))
        if len(kept) > 500:
            kept.clear()
makers = [threading.Thread(target=make) for _ in range(2)]
for maker in makers:
    maker.start()
for _ in range(40):
    child = os.fork()
    if not child:
        os._exit(len(failures) > 0)
    failures.extend([None] * (os.waitpid(child, 0)[1] != 0))
done.set()
for maker in makers:
    maker.join()
assert not failures, failures
"""


def test_a_fork_while_other_threads_make_stores_is_none_the_worse(path: Path) -> None:
    done = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", MAKING, str(path)]
    subprocess.run(done, env=uncovered(), check=True, timeout=PATIENCE)


def test_no_store_is_made_during_a_fork(path: Path) -> None:
    """It could open its file there, and the child would have the connection."""
    made = threading.Event()

    def make() -> None:
        SQLiteStore(path)
        made.set()

    sqlite._before_fork()
    making = threading.Thread(target=make)
    making.start()
    assert not made.wait(0.1)
    sqlite._after_fork_in_parent()
    assert made.wait(PATIENCE)
    making.join()


def test_any_thread_of_a_fork_can_make_a_store(path: Path) -> None:
    in_fork(lambda: at_once(2, lambda _: check(SQLiteStore(path).load("k") is None)))


def test_an_interrupt_while_a_fork_waits_for_a_store_holds_up_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [SQLiteStore(path) for _ in range(3)]

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stores[1], "_before_fork", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sqlite._before_fork()
    sqlite._after_fork_in_parent()
    assert at_once(3, lambda place: stores[place].load("k")) == [None] * 3


def test_a_forgotten_store_is_closed(path: Path) -> None:
    store = SQLiteStore(path)
    store.save("k", b"1", None)
    connection = store._connection
    assert connection is not None
    del store
    until(lambda: _is_closed(connection))


def _is_closed(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False


# Many accounts

GROWTH = """
import sys, tempfile
from pathlib import Path
from benchmarks.stores import ANY_LOADED, measure
from sansauth_io.stores import SQLiteStore
memory = Path("/dev/shm")  # where a save need not wait for a disk, which would hide what else it takes
with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
    measured = measure(lambda count: SQLiteStore(Path(directory, str(count))), seconds=0.5)
print(max(seconds / took[1] for name, took in measured.items() if name != ANY_LOADED for seconds in took.values()))
"""


@pytest.mark.speed
def test_load_and_save_among_100_000_records_take_at_most_half_as_long_again_as_of_one() -> None:
    shares: list[float] = []
    while len(shares) < 3 and (not shares or min(shares) > 1.5):  # noise only ever hides speed
        done = subprocess.run(
            [sys.executable, "-c", GROWTH],
            cwd=Path(__file__).parents[2],
            env=uncovered(),
            check=True,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        shares.append(float(done.stdout))
    assert min(shares) <= 1.5
