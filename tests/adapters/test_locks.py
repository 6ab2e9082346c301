"""The in-process lock of a key: a fair queue of callbacks."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections.abc import Callable

import pytest
import trio

from sansauth_io._locks import KeyLock, key_lock
from sansauth_io._runtime_asyncio import AsyncioWaiter
from sansauth_io._runtime_trio import TrioWaiter
from sansauth_io.stores import MemoryStore

from .driving import PATIENCE, in_threads


class Queue:
    """A lock and the names of those it woke."""

    def __init__(self) -> None:
        self.lock = KeyLock()
        self.woken: list[str] = []
        self.places: dict[str, Callable[[], None]] = {}

    def join(self, name: str) -> bool:
        self.places[name] = lambda: self.woken.append(name)
        return self.lock.join(self.places[name])

    def leave(self, name: str) -> None:
        self.lock.leave(self.places[name])


def test_the_first_holds_the_lock_at_once_and_is_not_woken() -> None:
    queue = Queue()
    assert queue.join("a") is True
    assert queue.woken == []


def test_the_others_are_woken_in_the_order_in_which_they_came() -> None:
    queue = Queue()
    assert [queue.join(name) for name in "abcd"] == [True, False, False, False]
    for name in "abc":
        queue.leave(name)
    assert queue.woken == ["b", "c", "d"]


def test_when_all_have_left_the_next_holds_it_at_once() -> None:
    queue = Queue()
    for name in "ab":
        queue.join(name)
    for name in "ab":
        queue.leave(name)
    assert queue.join("c") is True


def test_a_waiter_that_leaves_is_passed_over() -> None:
    queue = Queue()
    for name in "abc":
        queue.join(name)
    queue.leave("b")
    assert queue.woken == []
    queue.leave("a")
    assert queue.woken == ["c"]


def test_a_waiter_that_leaves_when_it_was_just_woken_passes_the_lock_on() -> None:
    queue = Queue()
    for name in "abc":
        queue.join(name)
    queue.leave("a")
    queue.leave("b")
    assert queue.woken == ["b", "c"]
    assert queue.join("d") is False


def test_leaving_twice_or_without_having_joined_changes_nothing() -> None:
    queue = Queue()
    queue.join("a")
    queue.join("b")
    queue.leave("a")
    queue.leave("a")
    queue.lock.leave(lambda: None)
    assert queue.woken == ["b"]
    assert queue.join("c") is False


def waiter_of_an_ended_asyncio_loop() -> Callable[[], None]:
    async def main() -> Callable[[], None]:
        return AsyncioWaiter().wake

    return asyncio.run(main())


def waiter_of_an_ended_trio_run() -> Callable[[], None]:
    async def main() -> Callable[[], None]:
        return TrioWaiter().wake

    return trio.run(main)


@pytest.mark.parametrize("waiter", [waiter_of_an_ended_asyncio_loop, waiter_of_an_ended_trio_run])
def test_a_waiter_whose_event_loop_has_ended_is_passed_over(waiter: Callable[[], Callable[[], None]]) -> None:
    queue = Queue()
    queue.join("a")
    gone = waiter()
    assert queue.lock.join(gone) is False
    assert queue.lock.join(waiter()) is False
    queue.join("b")
    queue.leave("a")
    assert queue.woken == ["b"]
    queue.lock.leave(gone)
    queue.leave("b")
    assert queue.join("c") is True


def test_a_forgotten_coroutine_may_leave_in_the_middle_of_another_change() -> None:
    # The garbage collector closes it wherever it likes to; here, while another is being woken.
    lock, woken = KeyLock(), []

    def second() -> None:
        woken.append("second")
        lock.leave(second)
        lock.leave(fourth)

    def third() -> None:
        woken.append("third")

    def fourth() -> None:
        woken.append("fourth")

    places = [lambda: None, second, third, fourth]
    for place in places:
        lock.join(place)
    in_threads([lambda: lock.leave(places[0])])
    assert woken == ["second", "third"]
    lock.leave(third)
    assert lock.join(places[0]) is True


def test_any_order_of_joining_and_leaving_has_one_holder_and_forgets_nobody() -> None:
    for seed in range(200):
        choose = random.Random(seed)
        queue, standing, told, free = Queue(), list[str](), set[str](), iter(range(1000))
        for _ in range(60):
            if standing and choose.random() < 0.5:
                name = choose.choice(standing)
                standing.remove(name)
                queue.leave(name)
            else:
                name = str(next(free))
                if queue.join(name):
                    told.add(name)
                standing.append(name)
            told.update(queue.woken)
            assert [name for name in standing if name in told] == standing[:1], f"seed {seed}"
        assert len(queue.woken) == len(set(queue.woken))


def test_threads_that_hammer_a_lock_are_never_two_inside() -> None:
    lock, inside, entries = KeyLock(), [0], [0]

    def job() -> None:
        for _ in range(100):
            turn = threading.Event()
            wake = turn.set
            if not lock.join(wake):
                assert turn.wait(PATIENCE)
            inside[0] += 1
            assert inside[0] == 1
            entries[0] += 1
            inside[0] -= 1
            lock.leave(wake)

    in_threads([job] * 8)
    assert entries == [800]


# Which lock a key has


def test_a_key_has_one_lock_in_each_store() -> None:
    one, other = MemoryStore(), MemoryStore()
    lock = key_lock(one, "a")
    assert key_lock(one, "a") is lock
    assert key_lock(one, "b") is not lock
    assert key_lock(other, "a") is not lock


def test_a_lock_that_nobody_uses_is_forgotten_and_so_is_its_store() -> None:
    from sansauth_io import _locks

    gc.collect()
    before = len(_locks._LOCKS)
    store = MemoryStore()
    key_lock(store, "a")
    held = key_lock(store, "b")
    assert list(_locks._LOCKS[store]) == ["b"]
    del store
    gc.collect()
    assert len(_locks._LOCKS) == before
    assert held.join(lambda: None) is True


def test_threads_that_ask_at_once_are_given_the_same_lock() -> None:
    for _ in range(50):
        store, barrier = MemoryStore(), threading.Barrier(4)

        def job(store: MemoryStore = store, barrier: threading.Barrier = barrier) -> KeyLock:
            barrier.wait(PATIENCE)
            return key_lock(store, "k")

        assert len(set(in_threads([job] * 4))) == 1
