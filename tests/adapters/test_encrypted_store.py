"""Records encrypted at rest: what the wrapped store holds, who can read it, and how keys are changed."""

from __future__ import annotations

import base64
import importlib
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sansauth.effects import Stored
from sansauth.errors import Conflict, InvalidParameter, LocalProtocolError, StoreError
from sansauth.secret import Secret
from sansauth_io.conformance import StoreConformance
from sansauth_io.stores import LEASE_SECONDS, MemoryStore, Store
from sansauth_io.stores import encrypted as module
from sansauth_io.stores.encrypted import EncryptedStore
from sansauth_io.stores.sqlite import SQLiteStore

OLD, NEW, OTHER = (bytes((number * step + step) % 256 for number in range(32)) for step in (7, 11, 13))
CANARY = b"canary-of-a-refresh-token"


class TestEncryptedMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self) -> Store:
        return EncryptedStore(MemoryStore(), NEW)

    def test_it_blocks_as_the_wrapped_store_does(self, store: Store) -> None:
        assert store.blocking is False


class TestEncryptedSQLiteStore(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return EncryptedStore(SQLiteStore(tmp_path / "records"), [NEW, OLD])

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], Store]:
        return partial(EncryptedStore, SQLiteStore(tmp_path / "records"), [NEW, OLD])

    def test_it_blocks_as_the_wrapped_store_does(self, store: Store) -> None:
        assert store.blocking is True


def sealed(inner: Store, key: str = "k") -> bytes:
    stored = inner.load(key)
    assert stored is not None
    return stored.data


def held(store: Store, key: str = "k") -> bytes:
    return sealed(store, key)


# What is written


def test_the_wrapped_store_has_nothing_of_the_record() -> None:
    inner = MemoryStore()
    EncryptedStore(inner, NEW).save("k", CANARY * 40, None)
    data = sealed(inner)
    assert not any(CANARY[begin : begin + 6] in data for begin in range(len(CANARY) - 5))
    assert data.startswith(b"\0sa-enc\x01" + bytes.fromhex(EncryptedStore(inner, NEW).key_ids[0]))
    assert len(data) == len(CANARY * 40) + 16 + 12 + 16


def test_it_is_aes_256_gcm_with_the_header_and_the_name_as_associated_data() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    inner = MemoryStore()
    EncryptedStore(inner, NEW).save("oauth2/ü", CANARY, None)
    data = sealed(inner, "oauth2/ü")
    assert AESGCM(NEW).decrypt(data[16:28], data[28:], data[:16] + "oauth2/ü".encode()) == CANARY


def test_each_save_has_a_nonce_of_its_own_of_the_operating_systems_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def urandom(size: int) -> bytes:
        asked.append(size)
        return bytes([len(asked)]) * size

    monkeypatch.setattr(os, "urandom", urandom)
    inner = MemoryStore()
    store = EncryptedStore(inner, NEW)
    version = None
    nonces: list[bytes] = []
    for _ in range(3):
        version = store.save("k", CANARY, version)
        nonces.append(sealed(inner)[16:28])
    with pytest.raises(Conflict):
        store.save("k", CANARY, None)
    assert nonces == [b"\1" * 12, b"\2" * 12, b"\3" * 12]
    assert asked == [12] * 4  # a save that conflicts has used its nonce up


def test_versions_are_the_wrapped_stores_and_a_deletion_deletes() -> None:
    inner = MemoryStore()
    store = EncryptedStore(inner, NEW)
    version = store.save("k", CANARY, None)
    assert store.load("k") == Stored(CANARY, version)
    assert inner.load("k") == Stored(sealed(inner), version)
    store.save("k", None, version)
    assert inner.load("k") is None


def test_names_and_leases_are_passed_on_as_they_are() -> None:
    inner = MemoryStore()
    store = EncryptedStore(inner, NEW)
    store.save("oauth2/x/me", CANARY, None)
    assert list(inner.keys("")) == list(store.keys("oauth2/")) == ["oauth2/x/me"]
    assert store.acquire("k", "me", LEASE_SECONDS)
    assert not inner.acquire("k", "you", LEASE_SECONDS)
    store.release("k", "me")
    assert inner.acquire("k", "you", LEASE_SECONDS)


# What is refused


def flips() -> list[int]:
    return list(range(16 + 12 + len(CANARY) + 16))


@pytest.mark.parametrize("place", flips())
def test_a_record_with_any_bit_flipped_is_refused_and_left_as_it_is(place: int) -> None:
    inner = MemoryStore()
    version = EncryptedStore(inner, NEW).save("k", CANARY, None)
    data = bytearray(sealed(inner))
    data[place] ^= 1 << place % 8
    version = inner.save("k", bytes(data), version)
    with pytest.raises(StoreError) as refused:
        EncryptedStore(inner, NEW).load("k")
    assert "canary" not in str(refused.value)
    assert inner.load("k") == Stored(bytes(data), version)


@pytest.mark.parametrize("size", range(16 + 12 + len(CANARY) + 16))
def test_a_record_that_was_cut_is_refused(size: int) -> None:
    inner = MemoryStore()
    version = EncryptedStore(inner, NEW).save("k", CANARY, None)
    inner.save("k", sealed(inner)[:size], version)
    with pytest.raises(StoreError, match="not encrypted" if size < 7 else "damaged"):
        EncryptedStore(inner, NEW).load("k")


def test_a_record_that_was_moved_to_another_account_is_refused() -> None:
    inner = MemoryStore()
    store = EncryptedStore(inner, NEW)
    store.save("oauth2/x/me", CANARY, None)
    inner.save("oauth2/x/you", sealed(inner, "oauth2/x/me"), None)
    with pytest.raises(StoreError, match="moved here"):
        store.load("oauth2/x/you")
    assert held(store, "oauth2/x/me") == CANARY


def test_a_record_of_one_key_cannot_pass_for_one_of_another() -> None:
    inner = MemoryStore()
    version = EncryptedStore(inner, OLD).save("k", CANARY, None)
    data = sealed(inner)
    name = bytes.fromhex(EncryptedStore(inner, NEW).key_ids[0])
    inner.save("k", data[:8] + name + data[16:], version)
    with pytest.raises(StoreError, match="damaged"):
        EncryptedStore(inner, [NEW, OLD]).load("k")


def test_a_record_under_another_key_says_which_key_it_needs() -> None:
    inner = MemoryStore()
    old = EncryptedStore(inner, OLD)
    version = old.save("k", CANARY, None)
    with pytest.raises(StoreError) as refused:
        EncryptedStore(inner, [NEW, OTHER]).load("k")
    told = str(refused.value)
    assert old.key_ids[0] in told
    assert all(name in told for name in EncryptedStore(inner, [NEW, OTHER]).key_ids)
    assert old.load("k") == Stored(CANARY, version)


def test_a_record_of_a_format_to_come_is_not_called_damaged() -> None:
    inner = MemoryStore()
    version = EncryptedStore(inner, NEW).save("k", CANARY, None)
    data = sealed(inner)
    inner.save("k", data[:7] + b"\x02" + data[8:], version)
    with pytest.raises(StoreError, match="format 2"):
        EncryptedStore(inner, NEW, accept_plain=True).load("k")


def test_a_record_that_cannot_be_read_can_be_forgotten_for_a_new_login() -> None:
    inner = MemoryStore()
    EncryptedStore(inner, OLD).save("k", CANARY, None)
    store = EncryptedStore(inner, NEW)
    store.forget("k")
    store.forget("k")
    assert store.load("k") is None
    store.save("k", b"new", None)
    assert held(store) == b"new"


# Records from before there was encryption


def test_a_plain_record_is_refused_unless_it_is_asked_for() -> None:
    inner = MemoryStore()
    version = inner.save("k", CANARY, None)
    with pytest.raises(StoreError, match="accept_plain=True") as refused:
        EncryptedStore(inner, NEW).load("k")
    assert "canary" not in str(refused.value)
    assert inner.load("k") == Stored(CANARY, version)
    assert EncryptedStore(inner, NEW, accept_plain=True).load("k") == Stored(CANARY, version)


def test_a_plain_record_is_encrypted_by_the_next_save() -> None:
    inner = MemoryStore()
    version = inner.save("k", CANARY, None)
    EncryptedStore(inner, NEW, accept_plain=True).save("k", CANARY + b"2", version)
    assert b"canary" not in sealed(inner)
    assert held(EncryptedStore(inner, NEW)) == CANARY + b"2"


def test_an_encrypted_record_that_is_damaged_does_not_pass_for_a_plain_one() -> None:
    inner = MemoryStore()
    version = EncryptedStore(inner, NEW).save("k", CANARY, None)
    inner.save("k", sealed(inner)[:-1], version)
    with pytest.raises(StoreError, match="damaged"):
        EncryptedStore(inner, NEW, accept_plain=True).load("k")


# Changing keys


def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    inner = MemoryStore()
    EncryptedStore(inner, OLD).save("old", CANARY, None)
    store = EncryptedStore(inner, [NEW, OLD])
    store.save("new", CANARY, None)
    assert held(store, "old") == held(store, "new") == CANARY
    assert held(EncryptedStore(inner, NEW), "new") == CANARY
    with pytest.raises(StoreError):
        EncryptedStore(inner, NEW).load("old")


def test_rotate_rewrites_what_is_not_under_the_first_key() -> None:
    inner = MemoryStore()
    old = EncryptedStore(inner, OLD)
    for number in range(5):
        old.save(f"k{number}", b"%d" % number, None)
    store = EncryptedStore(inner, [NEW, OLD], accept_plain=True)
    inner.save("plain", b"plain", None)
    kept = store.save("new", b"new", None)
    assert store.rotate() == 6
    assert store.rotate() == 0
    only = EncryptedStore(inner, NEW)
    assert [held(only, f"k{number}") for number in range(5)] == [b"%d" % number for number in range(5)]
    assert held(only, "plain") == b"plain"
    assert only.load("new") == Stored(b"new", kept)
    assert inner.acquire("k0", "me", LEASE_SECONDS)


def test_rotate_leaves_what_it_cannot_read_does_the_rest_and_says_so() -> None:
    inner = MemoryStore()
    EncryptedStore(inner, OTHER).save("a", CANARY, None)
    inner.save("b", CANARY, None)
    EncryptedStore(inner, OLD).save("c", CANARY, None)
    before = inner.load("a"), inner.load("b")
    store = EncryptedStore(inner, [NEW, OLD])
    with pytest.raises(StoreError, match=r"^2 records were not rewritten .*, 1 were; the first: .*'a'"):
        store.rotate()
    assert (inner.load("a"), inner.load("b")) == before
    assert held(EncryptedStore(inner, NEW), "c") == CANARY


class Eventful(MemoryStore):
    """Does what `at` says before the lease is asked for or given up, or before a save."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, list[Callable[[], object]]] = {"acquire": [], "save": [], "release": []}

    def _event(self, name: str) -> None:
        if self.at[name]:
            self.at[name].pop(0)()

    def acquire(self, key: str, owner: str, ttl: float) -> bool:
        self._event("acquire")
        return super().acquire(key, owner, ttl)

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        self._event("save")
        return super().save(key, data, expected)

    def release(self, key: str, owner: str) -> None:
        self._event("release")
        super().release(key, owner)


@pytest.fixture
def eventful() -> Eventful:
    store = Eventful()
    EncryptedStore(store, OLD).save("k", CANARY, None)
    return store


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.001)


def test_rotate_waits_for_a_refresh_and_keeps_what_that_saved(eventful: Eventful, quick: None) -> None:
    def refreshed() -> None:
        stored = eventful.load("k")
        assert stored is not None
        EncryptedStore(eventful, OLD).save("k", b"refreshed", stored.version)
        eventful.release("k", "a refresh")

    eventful.acquire("k", "a refresh", LEASE_SECONDS)
    eventful.at["acquire"] = [lambda: None, refreshed]
    assert EncryptedStore(eventful, [NEW, OLD]).rotate() == 1
    assert held(EncryptedStore(eventful, NEW)) == b"refreshed"


def test_rotate_looks_again_after_a_save_without_the_lease(eventful: Eventful, quick: None) -> None:
    def adopted() -> None:
        stored = eventful.load("k")
        assert stored is not None
        EncryptedStore(eventful, OLD).save("k", b"adopted", stored.version)

    eventful.at["save"] = [adopted]
    assert EncryptedStore(eventful, [NEW, OLD]).rotate() == 1
    assert held(EncryptedStore(eventful, NEW)) == b"adopted"


@pytest.mark.parametrize("moment", ["acquire", "save"])
def test_rotate_has_nothing_to_do_for_a_record_that_is_gone_meanwhile(
    eventful: Eventful, quick: None, moment: str
) -> None:
    store = EncryptedStore(eventful, [NEW, OLD])
    eventful.at[moment] = [lambda: store.forget("k")]
    assert store.rotate() == 0
    assert eventful.load("k") is None


def test_rotate_gives_a_record_up_that_is_kept_busy(
    eventful: Eventful, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    eventful.acquire("k", "a long refresh", LEASE_SECONDS)
    monkeypatch.setattr(module, "LEASE_SECONDS", 0.02)
    with pytest.raises(StoreError, match="'k' was kept busy"):
        EncryptedStore(eventful, [NEW, OLD]).rotate()
    assert held(EncryptedStore(eventful, OLD)) == CANARY


def fail() -> None:
    raise StoreError("a hiccup")


@pytest.mark.parametrize("moment", ["acquire", "save"])
def test_rotate_goes_on_after_a_failure_of_the_store_and_says_how_many_it_left(eventful: Eventful, moment: str) -> None:
    old = EncryptedStore(eventful, OLD)
    for number in range(5):
        old.save(f"k{number}", CANARY, None)
    store = EncryptedStore(eventful, [NEW, OLD])
    eventful.at[moment] = [lambda: None, fail, lambda: None, fail]
    with pytest.raises(StoreError, match=r"^2 records were not rewritten .*, 4 were; the first: .*'k0'.*a hiccup$"):
        store.rotate()
    assert store.rotate() == 2


def test_a_lease_that_cannot_be_given_up_changes_nothing_of_what_rotate_did(eventful: Eventful, quick: None) -> None:
    store = EncryptedStore(eventful, [NEW, OLD])
    eventful.at["release"] = [fail]
    assert store.rotate() == 1
    assert held(EncryptedStore(eventful, NEW)) == CANARY
    EncryptedStore(eventful, OTHER).save("unreadable", CANARY, None)
    eventful.at["release"] = [fail]
    with pytest.raises(StoreError, match=r"^1 records .*'unreadable' is encrypted under key"):
        store.rotate()


def test_rotate_says_what_it_did_when_the_records_cannot_be_listed_to_their_end(
    eventful: Eventful, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(prefix: str) -> Iterator[str]:
        yield "k"
        fail()

    monkeypatch.setattr(eventful, "keys", listed)
    store = EncryptedStore(eventful, [NEW, OLD])
    with pytest.raises(StoreError, match=r"^0 records .*, 1 were; further records could not be listed: a hiccup$"):
        store.rotate()


# Keys


def test_a_generated_key_is_new_each_time_and_is_a_key() -> None:
    keys = {EncryptedStore.generate_key() for _ in range(200)}
    assert len(keys) == 200
    for key in keys:
        assert isinstance(key, Secret)
        assert len(base64.urlsafe_b64decode(key + "=")) == 32
        EncryptedStore(MemoryStore(), key)


def test_a_key_may_be_bytes_or_their_text_with_or_without_padding() -> None:
    padded = base64.urlsafe_b64encode(NEW).decode()
    assert padded.endswith("=")
    names = {EncryptedStore(MemoryStore(), key).key_ids for key in (NEW, padded, padded[:-1], f"{padded}\n", [NEW])}
    assert len(names) == 1


def test_the_id_of_a_key_is_no_part_of_it() -> None:
    [name] = EncryptedStore(MemoryStore(), NEW).key_ids
    assert len(bytes.fromhex(name)) == 8
    assert bytes.fromhex(name) not in NEW
    assert name != EncryptedStore(MemoryStore(), OLD).key_ids[0]


WRONG_KEYS: dict[str, object] = {
    "a password": "correct horse battery staple",
    "a password of 32 letters": b"correct horse battery staple 123",
    "its text as bytes": base64.urlsafe_b64encode(NEW),
    "hex": NEW.hex(),
    "half as hex, in bytes": NEW[:16].hex().encode(),
    "too short": NEW[:31],
    "too long": NEW + b"\0",
    "zeros": bytes(32),
    "a pattern": b"\x01\xf2\xe3" * 10 + b"\x01\xf2",
    "nothing": b"",
    "no key": [],
    "one of several": [NEW, b"short"],
    "standard base64": base64.b64encode(bytes(range(255, 223, -1))).decode(),
    "other bytes": bytearray(NEW),
    "numbers": [1, 2],
}


@pytest.mark.parametrize("key", WRONG_KEYS.values(), ids=list(WRONG_KEYS))
def test_what_is_no_key_is_refused_with_the_way_to_make_one(key: object) -> None:
    with pytest.raises(InvalidParameter, match=r"generate_key\(\).*KDF"):
        EncryptedStore(MemoryStore(), key)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, "tokens.db", NEW.hex(), MemoryStore, {}])
def test_what_is_no_store_is_refused(wrong: object) -> None:
    with pytest.raises(LocalProtocolError, match="wraps a store") as refused:
        EncryptedStore(wrong, NEW)  # type: ignore[arg-type]
    assert NEW.hex() not in str(refused.value)


# The rest


def test_without_cryptography_it_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    monkeypatch.delitem(sys.modules, module.__name__)
    with pytest.raises(ModuleNotFoundError, match=r"sansauth\[encryption\]"):
        importlib.import_module(module.__name__)


def test_its_repr_names_the_keys_by_their_ids() -> None:
    store = EncryptedStore(MemoryStore(), [NEW, OLD])
    assert repr(store) == f"<EncryptedStore of <MemoryStore of 0 records> under key {', '.join(store.key_ids)}>"
    assert repr(EncryptedStore.__new__(EncryptedStore)) == "<EncryptedStore, not built>"


def test_it_is_not_pickled_with_its_keys() -> None:
    with pytest.raises(TypeError, match="make one in each process"):
        pickle.dumps(EncryptedStore(MemoryStore(), NEW))


def test_closing_it_closes_the_wrapped_store(tmp_path: Path) -> None:
    inner = SQLiteStore(tmp_path / "records")
    EncryptedStore(inner, NEW).close()
    with pytest.raises(StoreError):
        inner.load("k")


def test_no_page_of_the_file_has_anything_of_a_record(tmp_path: Path) -> None:
    """The file, its log and its shared memory, while it is open and after it was closed, with saves and deletions."""
    inner = SQLiteStore(tmp_path / "records")
    store = EncryptedStore(inner, NEW)

    def files() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    for number in range(20):
        version = store.save(f"name-{number}", CANARY * (number * 50 + 1), None)
        version = store.save(f"name-{number}", CANARY * 3, version)
        if number % 3 == 0:
            store.save(f"name-{number}", None, version)
    for moment in ("open", "closed"):
        found = files()
        assert b"name-1" in found, moment
        assert CANARY[:8] not in found, moment
        assert base64.b64encode(CANARY)[:12] not in found, moment
        assert NEW not in found, moment
        store.close()
    plain = SQLiteStore(tmp_path / "plain")
    plain.save("k", CANARY, None)
    assert CANARY in files()  # the test can fail
    plain.close()
