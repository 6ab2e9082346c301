"""What every store must do, as a suite that any store can be put under; and the memory store under it.

For another store: subclass `StoreConformance` and override the fixture `store`. Every key is the store's own, no test
looks into it, and a lease is only ever waited for by asking again.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from sansauth.effects import Stored
from sansauth.errors import Conflict
from sansauth_io.stores import LEASE_SECONDS, MemoryStore, Store

PATIENCE = 20.0


def data_of(stored: Stored | None) -> bytes | None:
    return None if stored is None else stored.data


class StoreConformance:
    """The contract of `sansauth_io.stores.Store`."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError("give the store in a fixture of the subclass")

    # Records

    def test_a_key_without_a_record_loads_none(self, store: Store) -> None:
        assert store.load("k") is None

    @pytest.mark.parametrize(
        "data", [b"", b"data", bytes(range(256)), b"x" * 100_000], ids=["empty", "text", "binary", "big"]
    )
    def test_what_was_saved_is_loaded_byte_for_byte(self, store: Store, data: bytes) -> None:
        version = store.save("k", data, None)
        assert store.load("k") == Stored(data, version)

    @pytest.mark.parametrize("key", ["a/b", "a%2Fb", "A/B", "app-token/https%3A%2F%2Fapi.x.com/K_1-x~", "ü", "k" * 500])
    def test_keys_are_taken_as_they_are(self, store: Store, key: str) -> None:
        store.save(key, b"1", None)
        assert data_of(store.load(key)) == b"1"
        assert list(store.keys("")) == [key]
        assert store.load(key + "x") is None

    def test_a_save_names_the_version_it_replaces(self, store: Store) -> None:
        first = store.save("k", b"1", None)
        second = store.save("k", b"2", first)
        assert second != first
        assert store.load("k") == Stored(b"2", second)

    def test_none_expects_that_there_is_no_record(self, store: Store) -> None:
        store.save("k", b"1", None)
        with pytest.raises(Conflict):
            store.save("k", b"2", None)
        assert data_of(store.load("k")) == b"1"

    def test_a_save_over_another_version_is_a_conflict_and_changes_nothing(self, store: Store) -> None:
        first = store.save("k", b"1", None)
        second = store.save("k", b"2", first)
        for stale in (first, second + 1_000_000):
            with pytest.raises(Conflict):
                store.save("k", b"lost", stale)
            with pytest.raises(Conflict):
                store.save("k", None, stale)
        assert store.load("k") == Stored(b"2", second)

    def test_a_save_of_a_version_where_there_is_no_record_is_a_conflict(self, store: Store) -> None:
        for data in (b"1", None):
            with pytest.raises(Conflict):
                store.save("k", data, 1)
        assert store.load("k") is None

    def test_a_conflict_does_not_quote_the_record(self, store: Store) -> None:
        store.save("k", b"secret-of-the-record", None)
        with pytest.raises(Conflict) as conflict:
            store.save("k", b"secret-of-the-caller", None)
        assert "secret" not in str(conflict.value)

    def test_a_deleted_record_is_gone_and_can_be_saved_anew(self, store: Store) -> None:
        version = store.save("k", b"1", None)
        store.save("k", None, version)
        assert store.load("k") is None
        assert list(store.keys("")) == []
        store.save("k", b"2", None)
        assert data_of(store.load("k")) == b"2"

    def test_deleting_what_is_not_there_is_no_conflict(self, store: Store) -> None:
        store.save("k", None, None)
        assert store.load("k") is None

    def test_a_version_never_returns_not_even_after_a_deletion(self, store: Store) -> None:
        seen: list[int] = []
        for _ in range(3):
            version = None
            for data in (b"1", b"2", None):
                version = store.save("k", data, version)
                seen.append(version)
        assert len(seen) == len(set(seen))
        store.save("k", b"new", None)
        for stale in seen:
            with pytest.raises(Conflict):
                store.save("k", b"lost", stale)

    def test_keys_do_not_touch_each_other(self, store: Store) -> None:
        one = store.save("one", b"1", None)
        store.save("other", b"2", None)
        store.save("one", None, one)
        assert data_of(store.load("other")) == b"2"

    def test_keys_lists_those_that_begin_with_the_prefix(self, store: Store) -> None:
        for key in ("a/1", "a/2", "ab", "b/a/1", "a%", "a_"):
            store.save(key, b"", None)
        assert sorted(store.keys("a/")) == ["a/1", "a/2"]
        assert sorted(store.keys("a")) == ["a%", "a/1", "a/2", "a_", "ab"]
        assert list(store.keys("a%")) == ["a%"]
        assert list(store.keys("a_")) == ["a_"]
        assert list(store.keys("nothing")) == []
        assert len(list(store.keys(""))) == 6

    def test_records_may_change_while_keys_are_listed(self, store: Store) -> None:
        for number in range(5):
            store.save(f"k{number}", b"", None)
        for key in store.keys("k"):
            stored = store.load(key)
            assert stored is not None
            store.save(key, None, stored.version)
            store.save(f"new-{key}", b"", None)
        assert sorted(store.keys("")) == [f"new-k{number}" for number in range(5)]

    # Leases

    def test_a_lease_is_held_by_one(self, store: Store) -> None:
        assert store.acquire("k", "me", LEASE_SECONDS) is True
        assert store.acquire("k", "you", LEASE_SECONDS) is False

    def test_leases_of_different_keys_are_different(self, store: Store) -> None:
        assert store.acquire("one", "me", LEASE_SECONDS)
        assert store.acquire("other", "you", LEASE_SECONDS)

    def test_a_lease_given_up_can_be_taken(self, store: Store) -> None:
        store.acquire("k", "me", LEASE_SECONDS)
        store.release("k", "me")
        assert store.acquire("k", "you", LEASE_SECONDS) is True
        assert store.acquire("k", "me", LEASE_SECONDS) is False

    def test_only_its_owner_gives_a_lease_up(self, store: Store) -> None:
        store.release("k", "nobody took it")
        store.acquire("k", "me", LEASE_SECONDS)
        store.release("k", "you")
        assert store.acquire("k", "you", LEASE_SECONDS) is False
        store.release("k", "me")
        store.release("k", "me")
        assert store.acquire("k", "you", LEASE_SECONDS) is True

    def test_a_lease_ends_by_itself(self, store: Store) -> None:
        begin = time.monotonic()
        assert store.acquire("k", "one that died", 0.05)
        until(lambda: store.acquire("k", "me", LEASE_SECONDS))
        assert time.monotonic() - begin >= 0.045
        store.release("k", "one that died")
        assert store.acquire("k", "you", LEASE_SECONDS) is False

    def test_its_owner_renews_a_lease(self, store: Store) -> None:
        assert store.acquire("k", "me", 0.05)
        assert store.acquire("k", "me", LEASE_SECONDS)
        assert store.acquire("other", "me", 0.05)
        until(lambda: store.acquire("other", "you", LEASE_SECONDS))  # so long that the first would have ended
        assert store.acquire("k", "you", LEASE_SECONDS) is False

    def test_a_renewal_can_make_a_lease_shorter(self, store: Store) -> None:
        assert store.acquire("k", "me", LEASE_SECONDS)
        assert store.acquire("k", "me", 0.02)
        until(lambda: store.acquire("k", "you", LEASE_SECONDS))

    def test_a_lease_is_no_record(self, store: Store) -> None:
        store.acquire("k", "me", LEASE_SECONDS)
        assert store.load("k") is None
        assert list(store.keys("")) == []
        version = store.save("k", b"1", None)
        store.save("k", None, version)
        assert store.acquire("k", "you", LEASE_SECONDS) is False

    def test_records_can_be_saved_by_who_does_not_hold_the_lease(self, store: Store) -> None:
        store.acquire("k", "me", LEASE_SECONDS)
        assert store.save("k", b"1", None)

    # What drivers need

    def test_it_says_whether_it_blocks(self, store: Store) -> None:
        assert store.blocking in (True, False)

    def test_it_is_a_key_of_its_own_in_a_weak_dictionary(self, store: Store) -> None:
        assert weakref.WeakKeyDictionary({store: 1})[store] == 1
        assert store == store  # by identity, whatever it holds
        assert hash(store) == hash(store)

    def test_its_repr_shows_no_record(self, store: Store) -> None:
        store.save("k", b"secret-of-the-record", None)
        assert "secret" not in repr(store)

    # Threads

    def test_of_threads_that_save_at_once_one_wins_and_the_others_conflict(self, store: Store) -> None:
        version: int | None = None
        for round_ in range(20):
            outcomes = at_once(4, lambda place, v=version, r=round_: attempt(store, f"{r}/{place}".encode(), v))
            winners = [outcome for outcome in outcomes if outcome is not None]
            assert len(winners) == 1
            [version] = winners
            stored = store.load("k")
            assert stored is not None
            assert stored.version == version
            assert outcomes[int(stored.data.split(b"/")[1])] == version

    def test_threads_that_count_lose_nothing(self, store: Store) -> None:
        def count(place: int) -> None:
            for _ in range(25):
                done = None
                while done is None:
                    stored = store.load("k")
                    number = int(stored.data) if stored else 0
                    done = attempt(store, str(number + 1).encode(), stored.version if stored else None)

        at_once(4, count)
        assert data_of(store.load("k")) == b"100"

    def test_of_threads_that_ask_at_once_one_has_the_lease(self, store: Store) -> None:
        for round_ in range(20):
            granted = at_once(4, lambda place, r=round_: store.acquire(f"k{r}", f"owner {place}", LEASE_SECONDS))
            assert sorted(granted) == [False, False, False, True]

    def test_threads_under_a_lease_are_never_two_inside(self, store: Store) -> None:
        inside: list[int] = []

        def enter(place: int) -> None:
            for _ in range(10):
                until(lambda: store.acquire("k", f"owner {place}", LEASE_SECONDS))
                inside.append(place)
                assert inside == [place]
                inside.pop()
                store.release("k", f"owner {place}")

        at_once(4, enter)


def attempt(store: Store, data: bytes, expected: int | None) -> int | None:
    """The new version, or None for a conflict."""
    try:
        return store.save("k", data, expected)
    except Conflict:
        return None


def until(granted: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not granted():
        assert time.monotonic() < end, "never granted"
        time.sleep(0.001)


def at_once(count: int, job: Callable[[int], Any]) -> list[Any]:
    """Run `job(0)` to `job(count - 1)` in threads that begin together; what each returned."""
    barrier, results, errors = threading.Barrier(count), [None] * count, list[BaseException]()

    def run(place: int) -> None:
        try:
            barrier.wait(PATIENCE)
            results[place] = job(place)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for error in errors:
        raise error
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return results


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    def test_it_does_not_block(self, store: Store) -> None:
        assert store.blocking is False

    def test_its_repr_counts_its_records(self, store: Store) -> None:
        store.save("k", b"", None)
        assert repr(store) == "<MemoryStore of 1 records>"

    def test_two_stores_share_nothing(self, store: Store) -> None:
        other = MemoryStore()
        store.save("k", b"1", None)
        store.acquire("k", "me", LEASE_SECONDS)
        assert other.load("k") is None
        assert other.acquire("k", "you", LEASE_SECONDS)

    def test_a_forgotten_coroutine_may_release_its_lease_in_the_middle_of_a_save(self) -> None:
        # The garbage collector closes it wherever it likes to; here, where a version is counted.
        store = MemoryStore()
        store.acquire("k", "forgotten", LEASE_SECONDS)
        versions = iter(range(1, 9))

        def count() -> int:
            store.release("k", "forgotten")
            return next(versions)

        store._versions = iter(count, None)  # type: ignore[assignment]
        assert at_once(1, lambda _: store.save("k", b"1", None)) == [1]
        assert store.acquire("k", "me", LEASE_SECONDS)
