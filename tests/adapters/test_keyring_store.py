"""Secrets in a keyring, rows beside it: what is where, what a death between two steps leaves, and what is said."""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keyring
import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.errors import InitError, KeyringLocked, PasswordDeleteError, PasswordSetError

from sansauth.effects import Stored
from sansauth.errors import Conflict, InvalidParameter, LocalProtocolError, StoreError
from sansauth_io.conformance import StoreConformance
from sansauth_io.conformance.waiting import at_once
from sansauth_io.stores import LEASE_SECONDS, MemoryStore, Store
from sansauth_io.stores._keyring_entries import ENTRY_CHARACTERS
from sansauth_io.stores.keyring import KeyringStore
from sansauth_io.stores.sqlite import SQLiteStore

from .keyrings import FolderRing, Ring

CANARY = b"canary-of-a-refresh-token"


class TestKeyringStoreBesideMemory(StoreConformance):
    @pytest.fixture
    def store(self) -> Store:
        return KeyringStore(MemoryStore(), backend=Ring(), entry_characters=1_200)

    def test_it_blocks(self, store: Store) -> None:
        assert store.blocking is True


class TestKeyringStoreBesideSQLite(StoreConformance):
    pickles = True

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        (tmp_path / "ring").mkdir()
        return KeyringStore(SQLiteStore(tmp_path / "rows"), backend=FolderRing(tmp_path / "ring"))

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], Store]:
        return partial(KeyringStore, SQLiteStore(tmp_path / "rows"), backend=FolderRing(tmp_path / "ring"))


@pytest.fixture
def ring() -> Ring:
    return Ring()


@pytest.fixture
def beside() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def store(beside: MemoryStore, ring: Ring) -> KeyringStore:
    return KeyringStore(beside, backend=ring)


def data_of(store: Store, key: str = "k") -> bytes | None:
    stored = store.load(key)
    return stored and stored.data


# What is where


def test_the_store_beside_has_nothing_of_the_record_and_the_keyring_has_it_as_text(
    store: KeyringStore, beside: MemoryStore, ring: Ring
) -> None:
    store.save("oauth2/x/me", CANARY, None)
    row = beside.load("oauth2/x/me")
    assert row is not None
    assert json.loads(row.data)["kind"] == "keyring-entry"
    assert b"canary" not in row.data
    assert base64.b64encode(CANARY)[:8] not in row.data
    [((service, username), text)] = ring.texts.items()
    assert base64.b64decode(text) == CANARY
    assert service.startswith("sansauth/")
    assert username == "oauth2/x/me"


def test_entries_are_of_the_service_that_was_asked_for(beside: MemoryStore, ring: Ring) -> None:
    KeyringStore(beside, backend=ring, service="my program").save("", CANARY, None)
    [(service, username)] = ring.texts
    assert service.startswith("my program/")
    assert username  # some keyrings refuse an empty one


def test_an_entry_is_written_once_and_the_one_before_is_removed(store: KeyringStore, ring: Ring) -> None:
    version, seen = None, set[tuple[str, str]]()
    for number in range(5):
        version = store.save("k", b"%d" % number, version)
        assert len(ring.texts) == 1
        seen |= ring.texts.keys()
    assert len({service for service, _ in seen}) == 5
    store.save("k", None, version)
    assert ring.texts == {}


def test_nothing_at_all_is_left_of_a_deleted_record(store: KeyringStore, beside: MemoryStore) -> None:
    store.save("k", None, store.save("k", CANARY, None))
    assert list(beside.keys("")) == []


@pytest.mark.parametrize(("size", "parts"), [(0, 1), (1, 1), (900, 1), (901, 2), (1800, 2), (5000, 6)])
def test_a_record_is_split_into_what_the_keyring_takes(beside: MemoryStore, ring: Ring, size: int, parts: int) -> None:
    store = KeyringStore(beside, backend=ring, entry_characters=1_200)
    version = store.save("k" * 500, os.urandom(size), None)
    assert len(ring.texts) == parts
    # The Windows Credential Manager: 2,560 bytes of UTF-16, and 513 characters of a user's name.
    assert all(len(text.encode("utf-16-le")) <= 2_400 for text in ring.texts.values())
    assert all(len(username) <= 513 for _, username in ring.texts)
    other = KeyringStore(beside, backend=ring, entry_characters=7)  # what was split otherwise is read all the same
    assert len(data_of(other, "k" * 500) or b"") == size
    other.save("k" * 500, None, version)
    assert ring.texts == {}


def test_only_windows_needs_small_parts() -> None:
    assert (1_200 if os.name == "nt" else 100_000) == ENTRY_CHARACTERS


def test_a_conflict_is_told_before_the_keyring_is_asked(store: KeyringStore, ring: Ring) -> None:
    version = store.save("k", b"1", None)
    ring.calls.clear()
    for data in (b"2", None):
        with pytest.raises(Conflict):
            store.save("k", data, version + 1)
    assert list(store.keys("")) == ["k"]
    assert ring.calls == []


def test_two_stores_on_one_keyring_do_not_see_each_other(ring: Ring) -> None:
    one, other = (KeyringStore(MemoryStore(), backend=ring) for _ in range(2))
    one.save("k", b"1", None)
    other.save("k", b"2", None)
    assert (data_of(one), data_of(other)) == (b"1", b"2")


def test_no_page_of_the_file_beside_has_anything_of_a_record(tmp_path: Path, ring: Ring) -> None:
    store = KeyringStore(SQLiteStore(tmp_path / "rows"), backend=ring)
    version = store.save("k", CANARY * 300, None)
    version = store.save("k", CANARY, version)
    store.save("other", CANARY, None)
    store.save("k", None, version)
    for moment in ("open", "closed"):
        found = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"other" in found, moment
        assert CANARY[:8] not in found, moment
        assert not any(base64.b64encode(CANARY[shift:])[:10] in found for shift in range(3)), moment
        store.close()


# A death between any two steps


class Died(BaseException):
    """The process is killed here."""


class Mortal(MemoryStore):
    """A store beside that calls `before` and `after` as the ring does."""

    before: Callable[[str], None] = staticmethod(lambda _: None)
    after: Callable[[str], None] = staticmethod(lambda _: None)

    def load(self, key: str) -> Stored | None:
        self.before("load")
        return super().load(key)

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        self.before("save")
        version = super().save(key, data, expected)
        self.after("save")
        return version


class Countdown:
    """Dies at the given call, and at every one that follows: the dead clean nothing up."""

    def __init__(self, until: int) -> None:
        self.left = until

    def __call__(self, _: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise Died


SAVES: dict[str, tuple[bytes | None, bytes | None]] = {
    "first": (None, b"new" * 10),
    "again": (b"old" * 10, b"new" * 10),
    "deletion": (b"old" * 10, None),
}


@pytest.mark.parametrize("saving", SAVES)
def test_who_dies_anywhere_in_a_save_leaves_the_old_record_or_the_new_and_nothing_for_ever(saving: str) -> None:
    old, new = SAVES[saving]
    outcomes = list[bytes | None]()
    for step in range(1000):
        ring, beside = Ring(), Mortal()
        store = KeyringStore(beside, backend=ring, entry_characters=30)  # two parts
        version = None if old is None else store.save("k", old, None)
        death = Countdown(step)
        ring.before = ring.after = beside.before = beside.after = death
        try:
            store.save("k", new, version)
            survived = True
        except Died:
            survived = False
        ring.before = ring.after = beside.before = beside.after = lambda _: None

        after = KeyringStore(beside, backend=ring, entry_characters=30)
        found = after.load("k")
        outcomes.append(found and found.data)
        assert outcomes[-1] in (old, new)
        assert list(after.keys("")) == ([] if found is None else ["k"])
        assert len(ring.texts) <= 4  # the record, and at worst one orphan of two parts
        after.tidy(older_than=0)
        assert after.load("k") == found
        assert len(ring.texts) == (0 if found is None else 2), step
        assert len(list(beside.keys(""))) == (0 if found is None else 1)
        assert after.save("k", b"next", found.version if found else None)
        assert data_of(after) == b"next"
        assert len(ring.texts) == 1
        if survived:
            break
    assert step > 10
    assert outcomes == sorted(outcomes, key=lambda data: data == new)  # one moment at which it changes
    assert {old, new} == set(outcomes)


def test_the_next_save_removes_what_the_dead_left_long_ago(
    store: KeyringStore, beside: MemoryStore, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = store.save("k", b"1", None)

    def die(name: str) -> None:
        if name == "get":
            raise Died

    ring.before = die
    with pytest.raises(Died):
        store.save("k", b"2", version)
    ring.before = lambda _: None
    version = store.save("k", b"3", version)
    assert len(ring.texts) == 2  # it may be alive, and waiting for a prompt
    later = time.time() + 601
    monkeypatch.setattr("time.time", lambda: later)
    store.save("k", b"4", version)
    assert len(ring.texts) == 1
    assert data_of(store) == b"4"


def test_tidy_leaves_what_may_be_being_written_and_counts_what_it_removes(store: KeyringStore, ring: Ring) -> None:
    def die(name: str) -> None:
        if name == "get":
            raise Died

    ring.before = die
    for key in ("a", "b"):
        with pytest.raises(Died):
            store.save(key, b"1", None)
    ring.before = lambda _: None
    assert store.tidy() == 0
    assert len(ring.texts) == 2
    assert store.tidy(older_than=0) == 2
    assert ring.texts == {}


@pytest.mark.parametrize("call", ["set", "get"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_writer_that_was_taken_for_dead_writes_again(
    store: KeyringStore, beside: MemoryStore, ring: Ring, call: str, moment: str
) -> None:
    """It waited for a prompt, and somebody tidied its entry away: the row must never point to it."""
    tidied: list[int] = []

    def tidy(name: str) -> None:
        if name == call and not tidied:
            tidied.append(0)
            tidied.append(KeyringStore(beside, backend=ring).tidy(older_than=0))

    setattr(ring, moment, tidy)
    store.save("k", CANARY, None)
    assert tidied == [0, 1]
    assert data_of(store) == CANARY
    assert len(ring.texts) == 1
    assert ring.calls.count("set") == 2


def test_a_writer_whose_entry_is_tidied_away_each_time_gives_up(
    store: KeyringStore, beside: MemoryStore, ring: Ring
) -> None:
    def tidy(name: str) -> None:
        if name == "set":
            KeyringStore(beside, backend=ring).tidy(older_than=0)

    ring.after = tidy
    with pytest.raises(StoreError, match="tidied away 100 times"):
        store.save("k", CANARY, None)
    assert ring.texts == {}
    assert store.load("k") is None


def test_a_row_that_changes_all_the_time_is_given_up(ring: Ring) -> None:
    beside = Mortal()
    store = KeyringStore(beside, backend=ring)
    store.save("k", b"1", None)
    other = KeyringStore(beside, backend=Ring())

    def interfere(_: str) -> None:
        if interfering:
            row = MemoryStore.load(beside, "k")
            assert row is not None
            MemoryStore.save(beside, "k", row.data + b" ", row.version)

    interfering = True
    beside.before = lambda name: interfere(name) if name == "save" else None
    with pytest.raises(StoreError, match="in between"):
        other.forget("k")
    interfering = False
    assert data_of(store) == b"1"


def test_a_reader_that_was_overtaken_reads_again(store: KeyringStore, ring: Ring) -> None:
    version = store.save("k", b"1", None)

    def overtake(_: str) -> None:
        ring.before = lambda _: None
        store.save("k", b"2", version)

    ring.before = overtake
    assert data_of(store) == b"2"


def test_of_two_whose_entries_are_written_at_once_the_loser_leaves_nothing(store: KeyringStore, ring: Ring) -> None:
    def saved(place: int) -> int | None:
        try:
            return store.save("k", b"%d" % place, None)
        except Conflict:
            return None

    versions = at_once(4, saved)
    [winner] = [place for place, version in enumerate(versions) if version is not None]
    assert data_of(store) == b"%d" % winner
    assert len(ring.texts) == 1


# What is said


def test_an_entry_that_was_removed_by_hand_names_the_way_out(
    store: KeyringStore, ring: Ring, beside: MemoryStore
) -> None:
    store.save("k", CANARY, None)
    ring.texts.clear()
    with pytest.raises(StoreError, match=r"no whole entry.*forget\(\)"):
        store.load("k")
    assert list(beside.keys("")) == ["k"]
    store.forget("k")
    assert store.load("k") is None
    store.save("k", b"new", None)
    assert data_of(store) == b"new"


@pytest.mark.parametrize("harm", [lambda text: text[:-4], lambda text: text + "AAAA", lambda text: "é" + text[1:]])
def test_an_entry_that_was_changed_by_hand_is_not_half_a_record(
    store: KeyringStore, ring: Ring, harm: Callable[[str], str]
) -> None:
    store.save("k", CANARY, None)
    [(place, text)] = ring.texts.items()
    ring.texts[place] = harm(text)
    with pytest.raises(StoreError, match="no whole entry"):
        store.load("k")


def row(**changed: object) -> bytes:
    members = {"schema": 1, "kind": "keyring-entry", "version": 1, "entry": ["a", 1, 1], "spare": []}
    return json.dumps(members | changed).encode()


FOREIGN = {
    "a plain record": b'{"schema":1,"kind":"oauth2-tokens","access_token":"canary"}',
    "no JSON": b"\xff\x00",
    "too deep": b"[" * 100_000,
    "a list": b"[]",
    "another schema": row(schema=2),
    "a version of nothing": row(entry=None),
    "no version": row(version=None),
    "a short entry": row(entry=["a", 1]),
    "an entry of other types": row(entry=[1, "a", 1]),
    "no list of spare ones": row(spare=None),
    "a short spare one": row(spare=[["a", 1, 1]]),
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=list(FOREIGN))
def test_a_row_of_somebody_else_is_refused_and_left_as_it_is(
    store: KeyringStore, beside: MemoryStore, data: bytes
) -> None:
    version = beside.save("k", data, None)
    work: list[Callable[[], object]] = [
        lambda: store.load("k"),
        lambda: store.save("k", b"", version),
        lambda: store.save("k", None, None),
        lambda: store.forget("k"),
        lambda: list(store.keys("")),
    ]
    for each in work:
        with pytest.raises(StoreError, match="was not saved by a KeyringStore") as refused:
            each()
        assert "canary" not in str(refused.value)
    assert beside.load("k") == Stored(data, version)


class WindowsError1783(Exception):
    """As pywin32 raises it, past the errors of keyring."""


TROUBLE: dict[str, tuple[Callable[[str], Exception], str]] = {
    "locked": (lambda text: KeyringLocked(f"Can't store {text}"), "unlock it"),
    "a refusal": (lambda text: PasswordSetError(f"Can't store {text}"), r"\(PasswordSetError\).*keyring diagnose"),
    "of the start": (lambda text: InitError(text), r"\(InitError\)"),
    "of Windows": (
        lambda text: WindowsError1783(1783, "CredWrite", f"The stub received bad data: {text}"),
        r"\(WindowsError1783 1783\)",
    ),
    "of a bus": (lambda text: OSError(32, f"broken pipe {text}"), r"\(BrokenPipeError 32\)"),
}


@pytest.mark.parametrize(("make", "told"), TROUBLE.values(), ids=list(TROUBLE))
@pytest.mark.parametrize("call", ["set", "get"])
def test_trouble_of_the_keyring_is_a_store_error_and_changes_nothing(
    store: KeyringStore, beside: MemoryStore, ring: Ring, make: Callable[[str], Exception], told: str, call: str
) -> None:
    version = store.save("k", b"1", None)
    text = base64.b64encode(CANARY).decode()

    def fail(name: str) -> None:
        if name == call:
            raise make(text)

    ring.before = fail
    with pytest.raises(StoreError, match=told) as failed:
        store.save("k", CANARY, version)
    assert text not in repr(failed.value)
    assert failed.value.__context__ is None
    ring.before = lambda _: None
    assert store.load("k") == Stored(b"1", version)
    store.tidy(older_than=0)
    assert len(ring.texts) == 1
    store.save("k", b"2", version)


def test_what_a_failed_save_had_written_is_removed_at_once(beside: MemoryStore, ring: Ring) -> None:
    store = KeyringStore(beside, backend=ring, entry_characters=4)
    left = iter(range(3))

    def fail(name: str) -> None:
        if name == "set" and next(left, None) is None:
            raise PasswordSetError("full")

    ring.before = fail
    with pytest.raises(StoreError):
        store.save("k", CANARY, None)
    assert ring.texts == {}
    assert list(beside.keys("")) == []


def test_a_record_is_saved_even_if_the_old_entry_cannot_be_removed_now(store: KeyringStore, ring: Ring) -> None:
    version = store.save("k", b"1", None)

    def refuse(name: str) -> None:
        if name == "delete":
            raise PasswordDeleteError("locked")

    ring.before = refuse
    version = store.save("k", b"2", version)
    assert data_of(store) == b"2"
    assert len(ring.texts) == 2
    with pytest.raises(StoreError, match="could not delete from the keyring"):
        store.tidy()
    ring.before = lambda _: None
    store.save("k", b"3", version)
    assert len(ring.texts) == 1


def test_no_keyring_at_all_says_what_to_install(beside: MemoryStore) -> None:
    store = KeyringStore(beside, backend=keyring.backends.fail.Keyring())
    with pytest.raises(StoreError, match="install one"):
        store.save("k", CANARY, None)
    assert store.load("k") is None


def test_a_keyring_that_keeps_nothing_is_noticed_before_the_record_depends_on_it(
    store: KeyringStore, beside: MemoryStore
) -> None:
    version = store.save("k", b"1", None)
    null = KeyringStore(beside, backend=keyring.backends.null.Keyring())
    with pytest.raises(StoreError, match="did not keep"):
        null.save("k", CANARY, version)
    assert store.load("k") == Stored(b"1", version)


def test_without_a_backend_it_is_the_one_that_keyring_chooses(
    beside: MemoryStore, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: ring)
    store = KeyringStore(beside)
    store.save("k", CANARY, None)
    assert len(ring.texts) == 1

    def fail() -> None:
        raise RuntimeError("no such backend")

    monkeypatch.setattr(keyring, "get_keyring", fail)
    with pytest.raises(StoreError, match="RuntimeError"):
        store.load("k")


@pytest.mark.parametrize("wrong", [None, "tokens.db", MemoryStore])
def test_what_is_no_store_is_refused(wrong: object) -> None:
    with pytest.raises(LocalProtocolError, match="KeyringStore wraps a store"):
        KeyringStore(wrong)  # type: ignore[arg-type]


def test_a_part_has_at_least_one_character(beside: MemoryStore, ring: Ring) -> None:
    with pytest.raises(InvalidParameter):
        KeyringStore(beside, backend=ring, entry_characters=0)


def test_leases_are_those_of_the_store_beside(store: KeyringStore, beside: MemoryStore) -> None:
    assert store.acquire("k", "me", LEASE_SECONDS)
    assert not beside.acquire("k", "you", LEASE_SECONDS)
    store.release("k", "me")
    assert beside.acquire("k", "you", LEASE_SECONDS)


def test_without_keyring_it_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    for name in ("sansauth_io.stores.keyring", "sansauth_io.stores._keyring_entries"):
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModuleNotFoundError, match=r"sansauth\[keyring\]"):
        importlib.import_module("sansauth_io.stores.keyring")


def test_its_repr_says_where_it_is(store: KeyringStore) -> None:
    store.save("k", CANARY, None)
    assert repr(store) == "<KeyringStore of 'sansauth' beside <MemoryStore of 1 records>>"
    assert repr(KeyringStore.__new__(KeyringStore)) == "<KeyringStore, not built>"
