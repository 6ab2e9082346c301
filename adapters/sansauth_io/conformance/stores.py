"""What every store must do, as a suite that any store can be put under.

Subclass `StoreConformance` and override the fixture `store`. Every key is the store's own, no test looks into it, and a
lease is only ever waited for by asking again.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
import weakref
from collections.abc import Callable
from typing import ClassVar, cast

import pytest

from sansauth.effects import Stored
from sansauth.errors import Conflict, StoreError
from sansauth_io.conformance.processes import (
    ADDITIONS,
    add_by_swapping,
    add_under_lease,
    in_fork,
    in_processes,
    killed_with_a_lease,
    saved_elsewhere,
)
from sansauth_io.conformance.waiting import at_once, attempt, until
from sansauth_io.stores.protocol import LEASE_SECONDS, Store

__all__ = ["StoreConformance"]

LIMIT_SECONDS = 5.0

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

ODD_KEYS = {
    "slashes": "a/b",
    "percent": "a%2Fb",
    "capitals": "A/B",
    "of a token": "app-token/https%3A%2F%2Fapi.x.com/K_1-x~",
    "a space": "a b ",
    "a line end": "a\nb",
    "pattern": "a*b?[c-d]^",
    "quotes": "a'b\"c`;--",
    "backslash": "a\\b\\0",
    "braces": "{a}b{}",
    "colons": ":a::b:",
    "not ASCII": "ü",
    "composed": "u\u0308",
    "beyond 16 bits": "🐦",
    "long": "k" * 500,
}


def data_of(stored: Stored | None) -> bytes | None:
    return None if stored is None else stored.data


class StoreConformance:
    """The contract of `sansauth_io.stores.Store`.

    Override the fixture `store`: a new, empty store. If other processes can open the same records, override `reopen`
    too: the tests of several processes are skipped without it.
    """

    pickles: ClassVar[bool] = False
    """Whether a pickled store, loaded again, is the same store; if not, pickling it must fail."""

    @pytest.fixture
    def store(self) -> Store:
        """A new, empty store."""
        raise NotImplementedError("give the store in a fixture of the subclass")

    @pytest.fixture
    def reopen(self, store: Store) -> Callable[[], Store] | None:
        """Called in another process, opens the records of `store`; it is pickled. None: no other process can."""
        return None

    @pytest.fixture
    def elsewhere(self, reopen: Callable[[], Store] | None) -> Callable[[], Store]:
        """`reopen`, where there is one."""
        if reopen is None:
            pytest.skip("no other process can open this store")
        return reopen

    # Records

    def test_a_key_without_a_record_loads_none(self, store: Store) -> None:
        assert store.load("k") is None

    @pytest.mark.parametrize(
        "data",
        [b"", b"data", bytes(range(256)), b"x" * 100_000, bytes(range(256)) * 4096],
        ids=["empty", "text", "binary", "big", "1 MiB"],
    )
    def test_what_was_saved_is_loaded_byte_for_byte(self, store: Store, data: bytes) -> None:
        version = store.save("k", data, None)
        assert store.load("k") == Stored(data, version)

    @pytest.mark.parametrize("key", ODD_KEYS.values(), ids=ODD_KEYS)
    def test_keys_are_taken_as_they_are(self, store: Store, key: str) -> None:
        store.save(key, b"1", None)
        assert data_of(store.load(key)) == b"1"
        assert list(store.keys("")) == [key]
        assert list(store.keys(key)) == [key]
        assert store.load(key + "x") is None
        assert store.acquire(key, "me", LEASE_SECONDS)
        assert store.acquire(key + "x", "you", LEASE_SECONDS)

    def test_odd_keys_are_all_different(self, store: Store) -> None:
        keys = [*ODD_KEYS.values(), "a/B", "\u00fc "]
        for number, key in enumerate(keys):
            store.save(key, str(number).encode(), None)
        assert [data_of(store.load(key)) for key in keys] == [str(number).encode() for number in range(len(keys))]
        assert sorted(store.keys("")) == sorted(keys)
        for prefix in ("a", "a*", "u", "{", ":", "a\\"):
            assert sorted(store.keys(prefix)) == sorted(key for key in keys if key.startswith(prefix))

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

    def test_keys_lists_each_of_many_once(self, store: Store) -> None:
        names = {f"a/{number:04}" for number in range(2500)}
        for name in ("Z", *names, "a0"):
            store.save(name, b"", None)
        listed = list(store.keys("a/"))
        assert set(listed) == names
        assert len(listed) == len(names)

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
        store.load("k")
        store.acquire("k", "secret-of-the-owner", LEASE_SECONDS)
        assert "secret" not in repr(store)
        assert "secret" not in str(store)

    def test_every_method_ends_in_time(self, store: Store) -> None:
        """5 seconds is the contract; a store that waits for something longer than that raises StoreError."""
        version: int | None = None
        methods: dict[str, Callable[[], object]] = {
            "save": lambda: store.save("k", b"x" * 1_000_000, version),
            "load": lambda: store.load("k"),
            "acquire": lambda: store.acquire("k", "me", LEASE_SECONDS),
            "acquire in vain": lambda: store.acquire("k", "you", LEASE_SECONDS),
            "release": lambda: store.release("k", "me"),
            "keys": lambda: list(store.keys("")),
        }
        took = dict[str, float]()
        for name, method in methods.items():
            begin = time.monotonic()
            method()
            took[name] = time.monotonic() - begin
        assert {name: seconds for name, seconds in took.items() if seconds > LIMIT_SECONDS} == {}

    def test_a_pickled_store_is_the_same_store_or_refused(self, store: Store) -> None:
        if not self.pickles:
            with pytest.raises(TypeError):
                pickle.dumps(store)
            return
        version = store.save("k", b"secret-of-the-record", None)
        pickled = pickle.dumps(store)
        assert b"secret" not in pickled
        again = cast("Store", pickle.loads(pickled))
        assert again.load("k") == Stored(b"secret-of-the-record", version)
        assert again.acquire("k", "me", LEASE_SECONDS)
        assert store.acquire("k", "you", LEASE_SECONDS) is False

    def test_a_store_that_can_be_closed_is_closed_for_good(self, store: Store) -> None:
        close = cast("Callable[[], None] | None", getattr(store, "close", None))
        if close is None:
            pytest.skip("nothing to close")
        store.save("k", b"1", None)
        close()
        close()
        methods: list[Callable[[], object]] = [
            lambda: store.load("k"),
            lambda: store.save("k", b"2", None),
            lambda: store.acquire("k", "me", LEASE_SECONDS),
            lambda: store.release("k", "me"),
            lambda: list(store.keys("")),
        ]
        for method in methods:
            with pytest.raises(StoreError, match="closed") as raised:
                method()
            assert not isinstance(raised.value, Conflict)
        assert repr(store)

    # Threads

    def test_of_threads_that_save_at_once_one_wins_and_the_others_conflict(self, store: Store) -> None:
        version: int | None = None
        for round_ in range(20):

            def save(place: int, expected: int | None = version, round_: int = round_) -> int | None:
                return attempt(store, f"{round_}/{place}".encode(), expected)

            outcomes = at_once(4, save)
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
            granted = at_once(4, lambda place: store.acquire(f"k{round_}", f"owner {place}", LEASE_SECONDS))  # noqa: B023  # it ends in this round
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

    # Processes

    def test_another_process_finds_what_was_saved_here_and_the_other_way_round(
        self, store: Store, elsewhere: Callable[[], Store]
    ) -> None:
        store.save("mine", b"1", None)
        [version] = in_processes(1, saved_elsewhere, elsewhere)
        assert store.load("k") == Stored(b"from another process", version)
        again = elsewhere()
        assert data_of(again.load("mine")) == b"1"
        with pytest.raises(Conflict):
            again.save("mine", b"2", None)

    def test_processes_that_count_under_a_lease_lose_nothing(
        self, store: Store, elsewhere: Callable[[], Store]
    ) -> None:
        in_processes(3, add_under_lease, elsewhere)
        assert data_of(store.load("k")) == str(3 * ADDITIONS).encode()
        assert store.acquire("k", "me", LEASE_SECONDS)

    def test_processes_that_count_by_swapping_lose_nothing(self, store: Store, elsewhere: Callable[[], Store]) -> None:
        in_processes(3, add_by_swapping, elsewhere)
        assert data_of(store.load("k")) == str(3 * ADDITIONS).encode()

    def test_a_lease_whose_process_was_killed_ends(self, store: Store, elsewhere: Callable[[], Store]) -> None:
        killed_with_a_lease(elsewhere, LEASE_SECONDS)
        assert store.acquire("k", "me", LEASE_SECONDS) is False
        assert store.load("k") is None
        killed_with_a_lease(elsewhere, 0.1, "other")
        until(lambda: store.acquire("other", "me", LEASE_SECONDS))

    # Forks

    @forks
    def test_a_store_works_on_both_sides_of_a_fork(self, store: Store) -> None:
        first = store.save("k", b"1", None)

        def use() -> None:
            assert store.load("k") == Stored(b"1", first)
            version = store.save("of the fork", b"2", None)
            assert store.load("of the fork") == Stored(b"2", version)
            assert store.acquire("lease of the fork", "fork", LEASE_SECONDS)
            assert store.acquire("lease of the fork", "me", LEASE_SECONDS) is False
            store.release("lease of the fork", "fork")
            assert sorted(store.keys("")) == ["k", "of the fork"]
            at_once(2, lambda place: store.save(f"of thread {place}", b"3", None))
            for key in store.keys("of "):
                stored = store.load(key)
                assert stored is not None
                store.save(key, None, stored.version)
            in_fork(lambda: store.load("k"))

        for _ in range(3):
            in_fork(use)
        assert store.load("k") == Stored(b"1", first)
        assert store.save("k", b"2", first)
        assert store.acquire("lease of the fork", "me", LEASE_SECONDS)

    @forks
    def test_a_fork_while_other_threads_use_the_store_does_not_hang(self, store: Store) -> None:
        ended = threading.Event()

        def work(place: int) -> None:
            while not ended.is_set():
                store.save(f"k{place}", None, store.save(f"k{place}", b"1", None))
                store.acquire(f"k{place}", "me", LEASE_SECONDS)
                store.release(f"k{place}", "me")

        def use() -> None:
            store.load("k")
            store.save("k", None, store.save("k", b"1", None))
            assert store.acquire("k", "fork", LEASE_SECONDS)
            store.release("k", "fork")

        def fork() -> None:
            try:
                for _ in range(10):
                    in_fork(use)
            finally:
                ended.set()

        at_once(4, lambda place: fork() if place == 0 else work(place))

    @forks
    def test_what_was_opened_before_a_fork_and_after_it_is_one_store(
        self, store: Store, elsewhere: Callable[[], Store]
    ) -> None:
        store.save("k", b"1", None)
        in_fork(lambda: store.save("of the fork", b"2", None))
        assert data_of(store.load("of the fork")) == b"2"
        assert data_of(elsewhere().load("of the fork")) == b"2"

        def hold() -> None:
            assert store.acquire("k", "fork", LEASE_SECONDS)

        in_fork(hold)
        assert store.acquire("k", "me", LEASE_SECONDS) is False
