"""One body at a time for a key: among threads, asyncio tasks, trio tasks, all of them at once, and other processes."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from sansauth.effects import Exclusive, Load, Save, Sleep, Steps, operation
from sansauth.http import Request, Response
from sansauth_io.stores import MemoryStore

from .driving import (
    KEY,
    Asyncio,
    Host,
    RecordingStore,
    Service,
    Signal,
    Threads,
    Trio,
    Wire,
    each_host,
    each_host_and_all,
    exchange,
    get_me,
    in_threads,
    is_free,
    is_token_request,
    queue_length,
    store_token,
    stored_token,
)


class Room(Wire):
    """Somewhere to be while a body runs; notes who came, and whether anybody else was there."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0
        self.most = 0
        self.order: list[str] = []

    def arrived(self, request: Request) -> Signal | None:
        self.order.append(request.target)
        self.inside += 1
        self.most = max(self.most, self.inside)
        return None

    def answer(self, request: Request) -> Response:
        self.inside -= 1
        return Response(200)


@operation
def count(key: str) -> Steps[None]:
    """Add one to a record, without any care."""
    stored = yield from Load(key)
    yield from exchange(key)
    yield from Sleep(0)  # the others have every chance to come between
    number = int(stored.data) if stored else 0
    yield from Save(key, str(number + 1).encode(), stored.version if stored else None)


@operation
def count_alone(key: str) -> Steps[None]:
    yield from Exclusive(key, count(key))


@each_host_and_all
@pytest.mark.parametrize("blocking", [False, True], ids=["inline", "blocking"])
def test_bodies_of_one_key_run_one_after_another(host: Host, blocking: bool) -> None:
    room, store = Room(), RecordingStore(blocking=blocking)
    host.together(room, store, [count_alone("k")] * 60)
    assert room.most == 1
    stored = store.load("k")
    assert stored is not None
    assert stored.data == b"60"
    assert is_free(store, "k")


class MeetingPlace(Wire):
    """Nobody goes on before all of `count` have come."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.missing = count
        self.mutex = threading.Lock()
        self.all_here = Signal()

    def arrived(self, request: Request) -> Signal:
        with self.mutex:
            self.missing -= 1
            if self.missing == 0:
                self.all_here.set()
        return self.all_here

    def answer(self, request: Request) -> Response:
        return Response(200)


@each_host_and_all
def test_bodies_of_different_keys_run_at_the_same_time(host: Host) -> None:
    host.together(MeetingPlace(6), MemoryStore(), [count_alone(f"k{number}") for number in range(6)])


@operation
def visit_alone(name: str) -> Steps[None]:
    yield from Exclusive("k", exchange(name))


class Gatekeeper(Room):
    """Keeps the first visitor inside until told."""

    def __init__(self) -> None:
        super().__init__()
        self.first_is_in, self.open = Signal(), Signal()

    def arrived(self, request: Request) -> Signal | None:
        super().arrived(request)
        self.first_is_in.set()
        return self.open


@pytest.mark.parametrize(
    "waiting", [[Threads()] * 5, [Asyncio()] * 5, [Trio()] * 5, [Asyncio(), Threads(), Trio()] * 2]
)
def test_whoever_waits_longest_is_next(waiting: list[Host]) -> None:
    room, store, threads = Gatekeeper(), MemoryStore(), []
    for place, host in enumerate([Threads(), *waiting]):
        job = threading.Thread(target=host.run, args=(visit_alone(str(place)), room, store), daemon=True)
        threads.append(job)
        job.start()
        room.first_is_in.wait()
        while queue_length(store, "k") <= place:
            time.sleep(0)
    room.open.set()
    for job in threads:
        job.join(20)
    assert room.order == [f"/{place}" for place in range(len(waiting) + 1)]


# The authorised call: one fetch, whoever asks


class CountingStore(MemoryStore):
    """Sets its signal when `expected` loads have been made."""

    def __init__(self, expected: int) -> None:
        super().__init__()
        self.missing = expected
        self.counter = threading.Lock()
        self.all_loaded = Signal()

    def load(self, key: str) -> Any:
        stored = super().load(key)
        with self.counter:
            self.missing -= 1
            if self.missing == 0:
                self.all_loaded.set()
        return stored


@each_host_and_all
def test_two_hundred_callers_without_a_token_fetch_one(host: Host) -> None:
    service, callers = Service(), 200
    store = CountingStore(callers + 1)  # and once more, by the one who fetches
    service.may_answer = store.all_loaded  # so that every one of them has seen that there is none
    responses = host.together(service, store, [get_me()] * callers)
    assert [response.status for response in responses] == [200] * callers
    assert service.fetched == 1
    assert stored_token(store) == "T1"
    assert is_free(store)


@each_host_and_all
def test_callers_whose_stored_token_was_revoked_fetch_one(host: Host) -> None:
    service, callers = Service(), 60
    store = CountingStore(callers + 1)
    store_token(store, "revoked")
    service.may_answer = store.all_loaded  # every one of them knows the token that is refused
    responses = host.together(service, store, [get_me()] * callers)
    assert [response.status for response in responses] == [200] * callers
    assert service.fetched == 1
    assert stored_token(store) == "T1"


# Other processes: the lease


class PolledStore(MemoryStore):
    """Notes whose attempts at the lease failed."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.refused_twice = Signal()

    def acquire(self, key: str, owner: str, ttl: float) -> bool:
        granted = super().acquire(key, owner, ttl)
        if not granted:
            self.refused.append(owner)
            if len(self.refused) == 2:
                self.refused_twice.set()
        return granted


@each_host
def test_a_lease_held_elsewhere_is_waited_for_by_one_of_the_process(host: Host) -> None:
    service, store = Service(), PolledStore()
    assert store.acquire(KEY, "another process", 60.0)

    def other_process() -> None:
        store.refused_twice.wait()
        assert service.fetched == 0
        store.release(KEY, "another process")

    def this_process() -> None:
        host.together(service, store, [get_me()] * 10)

    in_threads([other_process, this_process])
    assert service.fetched == 1
    assert len(set(store.refused)) == 1
    assert is_free(store)


@each_host
def test_a_lease_whose_holder_died_is_taken_when_it_ends(host: Host) -> None:
    service, store = Service(), PolledStore()
    assert store.acquire(KEY, "a process that died", 60.0)

    def time_passes() -> None:
        store.refused_twice.wait()
        store._leases[KEY] = ("a process that died", 0.0)

    def this_process() -> int:
        return host.run(get_me(), service, store).status

    assert in_threads([time_passes, this_process])[1] == 200
    assert is_free(store)


@each_host
def test_the_token_another_process_fetched_meanwhile_is_used(host: Host) -> None:
    service, store = Service(), PolledStore()
    service.fetched = 7  # the one that the service knows is T7
    assert store.acquire(KEY, "another process", 60.0)

    def other_process() -> None:
        store.refused_twice.wait()
        store_token(store, "T7")
        store.release(KEY, "another process")

    def this_process() -> int:
        return host.run(get_me(), service, store).status

    assert in_threads([other_process, this_process])[1] == 200
    assert not any(is_token_request(request) for request, _ in service.log)


@each_host
def test_the_lease_is_longer_than_the_deadline_of_an_exchange(host: Host) -> None:
    leases: list[tuple[float, float]] = []

    class Noting(MemoryStore):
        def acquire(self, key: str, owner: str, ttl: float) -> bool:
            leases.append((ttl, len(owner)))
            return super().acquire(key, owner, ttl)

    class Timing(Service):
        def arrived(self, request: Request) -> Signal | None:
            if is_token_request(request):
                [(ttl, _)] = leases
                assert ttl > self.log[-1][1].total
            return None

    host.run(get_me(), Timing(), Noting())
    assert len(leases) == 1
