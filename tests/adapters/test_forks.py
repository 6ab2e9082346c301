"""A forked process begins with no lock held, nobody waiting, and no thread that does not run there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from sansauth.effects import DEFAULT_TIMEOUTS, Exclusive, Load, Save, Steps, operation
from sansauth_io import _locks
from sansauth_io._driver_async import AsyncDriver
from sansauth_io._driver_sync import SyncDriver
from sansauth_io._locks import key_lock
from sansauth_io._runtime_asyncio import AsyncioRuntime
from sansauth_io.conformance.processes import in_fork
from sansauth_io.conformance.waiting import until
from sansauth_io.stores import LEASE_SECONDS, MemoryStore, Store

from .driving import PATIENCE


class SlowStore(MemoryStore):
    """One that blocks, and can be made to wait in a save."""

    blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        if data == b"slow":
            self.entered.set()
            assert self.go_on.wait(PATIENCE)
        return super().save(key, data, expected)


@operation
def replace(data: bytes) -> Steps[int]:
    """Save it alone."""
    return (yield from Exclusive("k", write(data)))


@operation
def write(data: bytes) -> Steps[int]:
    """Save it."""
    stored = yield from Load("k")
    return (yield from Save("k", data, stored.version if stored else None))


async def no_wire(*_: object) -> object:
    raise AssertionError("nothing is sent")


def by_threads(store: Store, data: bytes) -> int:
    return SyncDriver(no_wire, store=store, timeouts=DEFAULT_TIMEOUTS).run(replace(data))  # type: ignore[arg-type]


def by_asyncio(store: Store, data: bytes) -> int:
    driver = AsyncDriver(no_wire, store=store, timeouts=DEFAULT_TIMEOUTS)  # type: ignore[arg-type]
    return asyncio.run(driver.run(replace(data)))


@pytest.mark.parametrize("run", [by_threads, by_asyncio])
def test_a_fork_while_another_thread_holds_a_key_and_others_wait_for_it(run: Callable[[Store, bytes], int]) -> None:
    store = SlowStore()
    threads = [threading.Thread(target=run, args=(store, b"slow"))]
    threads[0].start()
    assert store.entered.wait(PATIENCE)
    lock = key_lock(store, "k")
    threads += [threading.Thread(target=run, args=(store, b"fast")) for _ in range(3)]
    for thread in threads[1:]:
        thread.start()
    until(lambda: len(lock._queue) == 4)

    def use() -> None:
        for _ in range(2):
            run(store, b"of the fork")
        in_fork(lambda: run(store, b"of the fork's fork"))

    in_fork(use)
    assert len(lock._queue) == 4  # and in this process they still wait
    store.go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    stored = store.load("k")
    assert stored is not None
    assert stored.data == b"fast"


def held_elsewhere(mutex: threading.Lock) -> Callable[[], None]:
    """Have another thread take the mutex; what makes it give that back."""
    taken, give_back = threading.Event(), threading.Event()

    def hold() -> None:
        with mutex:
            taken.set()
            assert give_back.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(PATIENCE)

    def end() -> None:
        give_back.set()
        thread.join(PATIENCE)

    return end


def test_a_fork_while_another_thread_is_inside_a_lock() -> None:
    store = MemoryStore()
    lock = key_lock(store, "k")
    give_back = held_elsewhere(lock._mutex)  # type: ignore[arg-type]
    in_fork(lambda: key_lock(store, "k").join(lambda: None) or pytest.fail("not free"))
    give_back()
    assert lock.join(lambda: None)


def test_a_fork_while_another_thread_looks_for_its_lock() -> None:
    store = MemoryStore()
    give_back = held_elsewhere(_locks._mutex)
    in_fork(lambda: key_lock(store, "k"))
    give_back()


def test_a_fork_while_another_thread_is_inside_the_memory_store_and_holds_a_lease() -> None:
    store = MemoryStore()
    version = store.save("k", b"1", None)
    assert store.acquire("k", "a thread of the parent", LEASE_SECONDS)
    give_back = held_elsewhere(store._mutex)  # type: ignore[arg-type]

    def use() -> None:
        assert store.acquire("k", "me", LEASE_SECONDS)
        assert store.save("k", b"2", version) > version

    in_fork(use)
    give_back()
    assert store.load("k") is not None
    assert store.acquire("k", "me", LEASE_SECONDS) is False


def test_a_coroutine_of_the_parent_can_be_closed_in_the_fork() -> None:
    """Its `finally` leaves a lock, whose mutex a thread of the parent held."""
    store, wake = MemoryStore(), threading.Event().set
    lock = key_lock(store, "k")
    assert lock.join(wake)
    give_back = held_elsewhere(lock._mutex)  # type: ignore[arg-type]

    def use() -> None:
        assert key_lock(store, "k") is lock
        lock.leave(wake)
        assert lock.join(lambda: None)

    in_fork(use)
    give_back()


def test_an_event_loop_that_was_made_before_the_fork_has_threads_of_its_own() -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()

        async def work() -> int:
            async with asyncio.timeout(PATIENCE / 4):
                return await AsyncioRuntime().in_thread(threading.get_ident)

        here = loop.run_until_complete(work())
        in_fork(lambda: loop.run_until_complete(work()))
        assert loop.run_until_complete(work()) == here
