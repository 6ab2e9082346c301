"""No store shows what it keeps: in no repr, log record, exception, or traceback that shows the locals of its frames."""

from __future__ import annotations

import base64
import logging
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from keyring.errors import KeyringLocked, PasswordSetError

from sansauth.errors import LocalProtocolError, StoreError
from sansauth_io.stores import LEASE_SECONDS, MemoryStore, Store
from sansauth_io.stores.encrypted import EncryptedStore
from sansauth_io.stores.keyring import KeyringStore
from sansauth_io.stores.sqlite import SQLiteStore

from .keyrings import Ring

TOKEN = b"canary-of-a-refresh-token"
KEY = bytes(range(7, 256, 7))[:32]
KEY_TEXT = base64.urlsafe_b64encode(KEY).decode()
PASSWORD = "canary-of-a-password"


def spellings() -> list[str]:
    """The record as text, as hex and as base64 from any of three places; the key likewise."""
    texts = ["canary", TOKEN.hex()[6:20], KEY_TEXT[:12], KEY.hex()[:12], repr(KEY)[4:24]]
    return texts + [base64.b64encode(TOKEN[shift:]).decode()[4:16] for shift in range(3)]


def shows(text: str) -> list[str]:
    return [spelling for spelling in spellings() if spelling in text]


def told(error: BaseException) -> Iterator[str]:
    """All that a person, a log or an error reporter may show of an error, and of those before it."""
    seen: BaseException | None = error
    while seen is not None:
        yield from (str(seen), repr(seen), repr(seen.args), repr(vars(seen)))
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            if frame.f_globals["__name__"].startswith("sansauth"):
                yield from (f"{frame.f_code.co_qualname}: {name} = {value!r}" for name, value in frame.f_locals.items())
        seen = seen.__cause__ or seen.__context__  # even a suppressed one: some reporters show it


STORES: dict[str, Callable[[Path, Ring], Store]] = {
    "memory": lambda path, ring: MemoryStore(),
    "SQLite": lambda path, ring: SQLiteStore(path / "file"),
    "encrypted memory": lambda path, ring: EncryptedStore(MemoryStore(), KEY),
    "encrypted SQLite": lambda path, ring: EncryptedStore(SQLiteStore(path / "file"), [KEY_TEXT]),
    "keyring": lambda path, ring: KeyringStore(SQLiteStore(path / "file"), backend=ring, entry_characters=30),
    "encrypted keyring": lambda path, ring: EncryptedStore(KeyringStore(MemoryStore(), backend=ring), KEY),
}
each_store = pytest.mark.parametrize("make", STORES.values(), ids=list(STORES))


@pytest.fixture
def ring() -> Ring:
    return Ring()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path


def used(store: Store) -> None:
    version = store.save("k", TOKEN, None)
    store.save("gone", None, store.save("gone", TOKEN * 50, None))
    store.save("k", TOKEN, version)
    store.load("k")
    store.acquire("k", "me", LEASE_SECONDS)
    store.release("k", "me")
    list(store.keys(""))


@each_store
def test_no_repr_shows_a_record(make: Callable[[Path, Ring], Store], path: Path, ring: Ring) -> None:
    store = make(path, ring)
    used(store)
    stored = store.load("k")
    assert stored is not None
    assert TOKEN in stored.data
    assert shows(repr(store) + repr(stored) + repr(vars(store))) == []


@each_store
def test_no_log_record_shows_a_record(
    make: Callable[[Path, Ring], Store], path: Path, ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger("sansauth.tests").debug("the net has no hole")
    store = make(path, ring)
    used(store)
    for failure in failures(store, ring, path):
        with pytest.raises(StoreError):
            failure()
    assert "the net has no hole" in caplog.text
    assert shows("".join(f"{record.getMessage()} {record.args!r}" for record in caplog.records)) == []


def failures(store: Store, ring: Ring, path: Path) -> list[Callable[[], object]]:
    """What can go wrong with this store while it has a record in hand."""

    def locked() -> None:
        ring.before = lambda name: refuse(KeyringLocked)

    def refuse(kind: type[Exception]) -> None:
        raise kind(f"no: {TOKEN!r} {base64.b64encode(TOKEN)!r}")

    def after(harm: Callable[[], object], work: Callable[[], object]) -> Callable[[], object]:
        def failure() -> None:
            harm()
            try:
                work()
            finally:
                ring.before = lambda _: None

        return failure

    def save() -> None:
        store.save("new", TOKEN, None)

    found: list[Callable[[], object]] = [
        lambda: store.save("k", TOKEN, None),
        lambda: store.save("new", TOKEN, 1),
    ]
    inner = vars(store).get("_wrapped", store)
    if isinstance(inner, KeyringStore):
        found.append(after(locked, save))
        found.append(after(locked, lambda: store.load("k")))
        found.append(after(lambda: setattr(ring, "before", lambda name: refuse(PasswordSetError)), save))
        found.append(after(ring.texts.clear, lambda: store.load("k")))
    elif isinstance(store, EncryptedStore):
        stored = inner.load("k")
        for harm in (TOKEN, stored.data[:-1], stored.data[:20], b"\0sa-enc\x09" + TOKEN):
            key = f"harmed {len(harm)}"
            inner.save(key, harm, None)
            found.append(lambda key=key: store.load(key))
        found.append(store.rotate)
    file = path / "file"
    if file.exists():
        found += [after(lambda: damage(file), save), after(lambda: None, lambda: store.load("k"))]
    return found


def damage(file: Path) -> None:
    """Take the table away behind the store's back: its statements fail, with the record among their parameters."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("DROP TABLE records")
    connection.close()


@each_store
def test_no_error_shows_a_record_nor_any_frame_on_its_way(
    make: Callable[[Path, Ring], Store], path: Path, ring: Ring
) -> None:
    store = make(path, ring)
    used(store)
    for failure in failures(store, ring, path):
        with pytest.raises(StoreError) as caught:
            failure()
        lines = list(told(caught.value))
        assert any("self = " in line for line in lines)
        assert [line for line in lines if shows(line)] == []


@pytest.mark.parametrize("key", [PASSWORD, PASSWORD.encode(), [KEY, PASSWORD], KEY + b"\0", KEY_TEXT * 2])
@pytest.mark.parametrize("place", ["key", "store"])
def test_no_error_shows_a_key_that_was_refused(key: object, place: str) -> None:
    arguments = (MemoryStore(), key) if place == "key" else (key, MemoryStore())
    with pytest.raises(LocalProtocolError, match=r"a key is|wraps a store") as caught:
        EncryptedStore(*arguments)  # type: ignore[arg-type]
    assert [line for line in told(caught.value) if shows(line)] == []


def test_a_key_that_was_accepted_is_nowhere_to_be_seen() -> None:
    store = EncryptedStore(MemoryStore(), [KEY, EncryptedStore.generate_key()])
    assert shows(repr(store) + repr(vars(store))) == []
    assert shows(f"{KEY!r} {KEY.hex()} {KEY_TEXT}")  # the test can fail
    assert "***" in repr(EncryptedStore.generate_key())
