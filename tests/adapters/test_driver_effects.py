"""Every effect, interpreted the same way on threads, asyncio and trio."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio

from sansauth.effects import (
    DEFAULT_TIMEOUTS,
    Exclusive,
    Load,
    Operation,
    Save,
    Send,
    Sleep,
    Steps,
    Stored,
    Timeouts,
    operation,
)
from sansauth.errors import Conflict, ConnectError, LocalProtocolError, StoreError, TimedOut
from sansauth.http import Request, Response
from sansauth_io import _driver_async, _driver_sync
from sansauth_io._driver import BODY_SECONDS, within_lease
from sansauth_io._locks import key_lock
from sansauth_io._runtime import current_runtime
from sansauth_io._runtime_asyncio import AsyncioRuntime
from sansauth_io._runtime_trio import TrioRuntime
from sansauth_io._seen import SEEN_RECORDS, SeenRecords
from sansauth_io.stores import LEASE_SECONDS, MemoryStore

from .driving import (
    Asyncio,
    Host,
    RecordingStore,
    Signal,
    Threads,
    Wire,
    each_host,
    each_loop,
    exchange,
    in_threads,
    is_free,
    run_async,
)


class Stop(BaseException):
    """As KeyboardInterrupt, but no event loop gives it a meaning of its own."""


def says(text: str) -> Wire:
    return Wire(lambda request: Response(200, (), text.encode()))


def raises(error: BaseException) -> Wire:
    def answer(request: Request) -> Response:
        raise error

    return Wire(answer)


@operation
def exclusively(body: Operation[Any], key: str = "k") -> Steps[Any]:
    return (yield from Exclusive(key, body))


@operation
def just(value: object) -> Steps[Any]:
    return value
    yield from Sleep(0)  # unreachable; it makes this a generator


@operation
def fails(error: Exception) -> Steps[None]:
    raise error
    yield from Sleep(0)


@operation
def put(data: bytes, expected: int | None = None, key: str = "k") -> Steps[int]:
    return (yield from Save(key, data, expected))


# What each effect is answered by


@each_host
def test_a_send_is_answered_by_the_response(host: Host) -> None:
    wire = says("hello")
    assert host.run(exchange("a"), wire).body == b"hello"
    assert [request.target for request, _ in wire.log] == ["/a"]


@each_host
def test_a_send_has_the_timeouts_of_the_driver_unless_it_brings_its_own(host: Host) -> None:
    own = Timeouts(1, 2, 3)

    @operation
    def both() -> Steps[None]:
        yield from Send(Request("GET", "https://api.x.com/1"))
        yield from Send(Request("GET", "https://api.x.com/2"), own)

    wire = says("")
    host.run(both(), wire)
    assert [timeouts for _, timeouts in wire.log] == [DEFAULT_TIMEOUTS, own]


@each_host
def test_what_is_sent_while_a_key_is_held_ends_within_the_lease(host: Host) -> None:
    patient = Timeouts(connect=1.0, read=300.0, total=300.0)

    @operation
    def ask() -> Steps[Response]:
        return (yield from Send(Request("GET", "https://api.x.com/x"), patient))

    @operation
    def alone() -> Steps[Response]:
        return (yield from Exclusive("k", ask()))

    wire = Wire(lambda request: Response(200))
    host.run(alone(), wire)
    ((_, timeouts),) = wire.log
    assert timeouts.connect == 1.0
    assert BODY_SECONDS - 5 < timeouts.read == timeouts.total <= BODY_SECONDS < LEASE_SECONDS


@each_host
def test_nobody_waits_for_a_key_for_ever(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    @operation
    def nothing() -> Steps[None]:
        yield from ()

    @operation
    def alone() -> Steps[None]:
        yield from Exclusive("k", nothing())

    for module in (_driver_sync, _driver_async):
        monkeypatch.setattr(module, "WAIT_SECONDS", 0.1)
    leased = MemoryStore()
    leased.acquire("k", "another process", 60.0)
    queued, turn = MemoryStore(), lambda: None
    lock = key_lock(queued, "k")
    assert lock.join(turn)
    for store in (leased, queued):
        with pytest.raises(TimedOut, match=r"waited .* for the record 'k'") as caught:
            host.run(alone(), store=store)
        assert not caught.value.sent
    lock.leave(turn)
    host.run(alone(), store=queued)


@each_host
def test_what_a_store_did_not_take_outlives_the_client(host: Host) -> None:
    @operation
    def aside() -> Steps[int]:
        return (yield from Save("mem:unsaved/k", b"1", None))

    @operation
    def found() -> Steps[Stored | None]:
        return (yield from Load("mem:unsaved/k"))

    store = MemoryStore()
    host.run(aside(), store=store)
    assert host.run(found(), store=store) is not None
    assert host.run(found(), store=MemoryStore()) is None
    assert list(store.keys("")) == []


class TestSeenRecords:
    def test_what_was_seen_last_is_kept_and_the_first_of_too_many_forgotten(self) -> None:
        seen = SeenRecords()
        for number in range(SEEN_RECORDS + 1):
            seen.see(f"k{number}", Stored(b"", number), seen.begin())
        assert seen.get("k0") is None
        assert seen.get("k1") == Stored(b"", 1)
        seen.see("k1", None, seen.begin())
        assert seen.get("k1") is None

    def test_an_answer_that_a_save_has_overtaken_is_not_kept(self) -> None:
        seen = SeenRecords()
        began = seen.begin()
        changed = seen.begin_change("k")
        seen.see("k", Stored(b"new", 2), changed)
        seen.see("k", Stored(b"old", 1), began)
        assert seen.get("k") is None

    def test_threads_at_once_break_nothing(self) -> None:
        seen = SeenRecords()

        def work(place: int) -> None:
            for number in range(3 * SEEN_RECORDS):
                seen.see(f"{place}/{number}", Stored(b"", number), seen.begin_change(f"{place}/{number}"))

        in_threads([lambda place=place: work(place) for place in range(4)])


def test_who_has_no_time_left_sends_nothing() -> None:
    with pytest.raises(TimedOut, match="stored record took longer than 45 s") as caught:
        within_lease(DEFAULT_TIMEOUTS, time.monotonic() - 0.001)
    assert not caught.value.sent
    assert within_lease(DEFAULT_TIMEOUTS, None) is DEFAULT_TIMEOUTS


@each_host
def test_records_are_loaded_saved_and_deleted_in_the_store_that_was_given(host: Host) -> None:
    @operation
    def write() -> Steps[list[object]]:
        missing = yield from Load("k")
        first = yield from Save("k", b"1", None)
        second = yield from Save("k", b"2", first)
        stored = yield from Load("k")
        assert stored is not None
        gone = yield from Save("other", b"x", None)
        yield from Save("other", None, gone)
        return [missing, stored.data, stored.version == second, (yield from Load("other"))]

    store = MemoryStore()
    assert host.run(write(), store=store) == [None, b"2", True, None]
    assert list(store.keys("")) == ["k"]


@each_host
def test_without_a_store_the_driver_remembers_by_itself(host: Host) -> None:
    @operation
    def write_and_read() -> Steps[bytes | None]:
        yield from Save("k", b"1", None)
        stored = yield from Load("k")
        return stored and stored.data

    assert host.run(write_and_read()) == b"1"
    assert host.run(write_and_read()) == b"1", "two drivers share nothing"


@each_host
def test_a_sleep_takes_its_seconds(host: Host) -> None:
    @operation
    def nap() -> Steps[str]:
        yield from Sleep(0.02)
        return "awake"

    begin = time.monotonic()
    assert host.run(nap()) == "awake"
    assert time.monotonic() - begin >= 0.02


@each_host
def test_an_exclusive_is_answered_by_the_result_of_its_body(host: Host) -> None:
    assert host.run(exclusively(just(42))) == 42
    assert host.run(exclusively(just(None))) is None


@each_host
def test_an_operation_without_effects_needs_nothing(host: Host) -> None:
    assert host.run(just("at once")) == "at once"
    with pytest.raises(ValueError, match="at once"):
        host.run(fails(ValueError("at once")))


# Errors are thrown into the operation


@each_host
def test_transport_trouble_is_thrown_in_and_can_be_answered(host: Host) -> None:
    @operation
    def patient() -> Steps[str]:
        try:
            yield from exchange("a")
        except ConnectError as error:
            return f"caught: {error}"
        return "not raised"

    wire = raises(ConnectError("no way", sent=False))
    assert host.run(patient(), wire) == "caught: no way"
    with pytest.raises(ConnectError, match="no way"):
        host.run(exchange("a"), wire)


@each_host
def test_a_conflict_is_thrown_in(host: Host) -> None:
    @operation
    def stubborn() -> Steps[bytes]:
        yield from Save("k", b"theirs", None)
        try:
            yield from Save("k", b"ours", None)
        except Conflict:
            stored = yield from Load("k")
            assert stored is not None
            return stored.data
        return b"no conflict"

    assert host.run(stubborn()) == b"theirs"


class FailingStore(RecordingStore):
    """A store whose named methods raise StoreError; a blocking one, so that the errors come out of a thread."""

    def __init__(self, *failing: str) -> None:
        super().__init__(blocking=True)
        self.failing = failing

    def _note(self, method: str, key: str) -> None:
        super()._note(method, key)
        if method in self.failing:
            raise StoreError(f"{method} failed")


@each_host
@pytest.mark.parametrize("method", ["load", "save", "acquire"])
def test_a_store_error_is_thrown_in(host: Host, method: str) -> None:
    steps = {"load": Load("k"), "save": Save("k", b"", None), "acquire": Exclusive("k", just(1))}

    @operation
    def careful() -> Steps[str]:
        try:
            yield from steps[method]
        except StoreError as error:
            return str(error)
        return "no error"

    store = FailingStore(method)
    assert host.run(careful(), store=store) == f"{method} failed"
    store.failing = ()
    assert is_free(store, "k")


@each_host
def test_a_release_that_fails_loses_neither_result_nor_error(host: Host) -> None:
    store = FailingStore("release")
    assert host.run(exclusively(put(b"saved")), store=store) == 1
    with pytest.raises(StoreError, match="own trouble"):
        host.run(exclusively(fails(StoreError("own trouble")), "another key"), store=store)
    assert store.methods().count("release") == 2
    assert store.load("k") is not None


@each_host
def test_the_error_of_a_body_is_thrown_in_after_lease_and_lock_are_given_up(host: Host) -> None:
    store = RecordingStore()

    @operation
    def careful() -> Steps[bool]:
        try:
            yield from Exclusive("k", fails(ValueError("in the body")))
        except ValueError:
            return is_free(store, "k")
        return False

    assert host.run(careful(), store=store) is True


@each_host
def test_an_exclusive_inside_another_is_refused_and_the_body_goes_on(host: Host) -> None:
    @operation
    def nested() -> Steps[str]:
        try:
            yield from Exclusive("inner", just(1))
        except LocalProtocolError as error:
            return str(error)
        return "not refused"

    store = RecordingStore()
    assert (
        host.run(exclusively(nested(), "outer"), store=store)
        == "Exclusive('inner') inside Exclusive('outer') is refused"
    )
    assert {key for _, key, _ in store.calls} == {"outer"}


@each_host
def test_what_is_no_exception_closes_the_operation_and_its_finally_clauses_run(host: Host) -> None:
    closed: list[str] = []

    @operation
    def tidy(name: str) -> Steps[None]:
        try:
            yield from exchange("a")
        finally:
            closed.append(name)

    with pytest.raises(Stop):
        host.run(tidy("alone"), raises(Stop()))
    store = MemoryStore()
    with pytest.raises(Stop):
        host.run(exclusively(tidy("in a body")), raises(Stop()), store)
    assert closed == ["alone", "in a body"]
    assert is_free(store, "k")


# Where a store is called


@each_host
def test_keys_of_the_clients_memory_never_reach_the_store(host: Host) -> None:
    @operation
    def remember() -> Steps[bytes | None]:
        yield from Exclusive("mem:k", put(b"1", key="mem:k"))
        stored = yield from Load("mem:k")
        assert stored is not None
        yield from Save("mem:k", b"2", stored.version)
        stored = yield from Load("mem:k")
        return stored and stored.data

    store = RecordingStore()
    assert host.run(remember(), store=store) == b"2"
    assert store.calls == []


@operation
def use_all() -> Steps[None]:
    yield from Load("k")
    yield from Save("k", b"1", None)
    yield from Exclusive("k", put(b"2", 1))


@each_loop
def test_a_blocking_store_is_called_in_worker_threads(host: Host) -> None:
    store = RecordingStore(blocking=True)
    host.run(use_all(), store=store)
    assert store.methods() == ["load", "save", "acquire", "save", "release"]
    assert threading.get_ident() not in {thread for _, _, thread in store.calls}


@each_loop
def test_a_store_that_does_not_block_is_called_in_the_event_loop(host: Host) -> None:
    store = RecordingStore(blocking=False)
    host.run(use_all(), store=store)
    assert {thread for _, _, thread in store.calls} == {threading.get_ident()}


def test_threads_call_the_store_where_they_are_and_run_a_body_in_a_thread_of_its_own() -> None:
    store = RecordingStore(blocking=True)

    def job() -> int:
        Threads().driver(Wire(), store).run(use_all())
        return threading.get_ident()

    [caller] = in_threads([job])
    load, save, *body = [thread for _, _, thread in store.calls]
    assert load == save == caller
    assert len(set(body)) == 1
    assert caller not in body


class StoreAfter(RecordingStore):
    """A blocking store whose `load` waits for a signal."""

    def __init__(self, signal: Signal) -> None:
        super().__init__(blocking=True)
        self.signal = signal
        self.loading = Signal()

    def load(self, key: str) -> None:
        self.loading.set()
        self.signal.wait()


@each_loop
def test_a_blocking_store_does_not_hold_the_event_loop_up(host: Host) -> None:
    signal = Signal()
    store = StoreAfter(signal)

    @operation
    def read() -> Steps[None]:
        yield from Load("k")

    @operation
    def meanwhile() -> Steps[None]:
        yield from exchange("a")

    class Meanwhile(Wire):
        def arrived(self, request: Request) -> Signal:
            return store.loading

        def answer(self, request: Request) -> Response:
            signal.set()  # only if the event loop came here while `load` was waiting
            return Response(200)

    host.together(Meanwhile(), store, [read(), meanwhile()])


@each_loop
def test_whoever_fills_the_loops_own_threads_does_not_keep_a_task_from_its_store(host: Host) -> None:
    # Synchronous clients there may be waiting for the very key that the task holds: each would wait for the other.
    store = RecordingStore(blocking=True)
    saved, threads = Signal(), 2
    crowded = [Signal() for _ in range(threads)]

    def waits_for_the_task(place: int) -> None:
        crowded[place].set()
        saved.wait()

    async def save() -> None:
        for arrival in crowded:
            await arrival.reached()
        await host.driver(Wire(), store).run(exclusively(put(b"1")))
        saved.set()

    async def in_asyncio() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
        await asyncio.gather(*(asyncio.to_thread(waits_for_the_task, place) for place in range(threads)), save())

    async def in_trio() -> None:
        trio.to_thread.current_default_thread_limiter().total_tokens = threads
        async with trio.open_nursery() as nursery:
            for place in range(threads):
                nursery.start_soon(trio.to_thread.run_sync, waits_for_the_task, place)
            nursery.start_soon(save)

    run_async(host, in_trio if host.name == "trio" else in_asyncio)
    assert store.load("k") is not None


@each_host
def test_context_variables_reach_the_body_and_the_stores_threads(host: Host) -> None:
    seen: list[str] = []
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="lost")

    class Reading(RecordingStore):
        def _note(self, method: str, key: str) -> None:
            seen.append(variable.get())

    @operation
    def note() -> Steps[None]:
        seen.append(variable.get())
        yield from Load("k")

    def job() -> None:
        variable.set("kept")
        if isinstance(host, Threads):
            host.driver(Wire(), Reading(blocking=True)).run(exclusively(note()))
        else:
            run_async(host, lambda: host.driver(Wire(), Reading(blocking=True)).run(exclusively(note())))

    contextvars.copy_context().run(job)
    assert set(seen) == {"kept"}
    assert len(seen) == 4


# Nothing is left behind


class Witness:
    """Alive as long as the frame of a `send` that failed."""


@each_host
@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("in_body", [False, True])
def test_an_error_leaves_no_cycle_of_frames_behind(host: Host, in_body: bool, blocking: bool) -> None:
    witnesses: list[weakref.ref[Witness]] = []

    def answer(request: Request) -> Response:
        witness = Witness()
        witnesses.append(weakref.ref(witness))
        raise ConnectError("no way", sent=False)

    one = exclusively(exchange("a")) if in_body else exchange("a")
    driver = host.driver(Wire(answer), RecordingStore(blocking=blocking))
    alive: list[bool] = []

    def note() -> None:
        alive.append(witnesses[0]() is not None)

    async def main() -> None:
        gc.disable()
        try:
            await driver.run(one)
        except ConnectError:
            note()
        await asyncio.sleep(0) if host.name == "asyncio" else await trio.lowlevel.checkpoint()
        note()

    gc.collect()
    try:
        if isinstance(host, Threads):
            gc.disable()
            try:
                driver.run(one)
            except ConnectError:
                note()
            note()
        else:
            run_async(host, main)
    finally:
        gc.enable()
    assert alive == [True, False]


# Which event loop runs


def test_the_runtime_is_that_of_the_task_even_where_trio_is_a_guest_of_asyncio() -> None:
    runtimes: dict[str, object] = {}

    async def guest(done: Signal) -> None:
        runtimes["guest"] = current_runtime()
        await done.reached()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        done, begun = Signal(), Signal()

        async def begin() -> None:
            begun.set()
            await guest(done)

        trio.lowlevel.start_guest_run(
            begin,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=lambda outcome: ended.set_result(None),
        )
        while not begun.is_set:
            await asyncio.sleep(0)
        runtimes["host"] = current_runtime()
        done.set()
        await ended

    asyncio.run(main())
    assert isinstance(runtimes["guest"], TrioRuntime)
    assert isinstance(runtimes["host"], AsyncioRuntime)


def test_asyncio_needs_neither_trio_nor_anyio(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("trio", "anyio"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    store = RecordingStore(blocking=True)
    host = Asyncio()
    wire = Wire(lambda request: Response(200))
    driver = host.driver(wire, store)
    assert asyncio.run(driver.run(exclusively(put(b"1")))) == 1
    assert "trio" not in sys.modules
    assert "anyio" not in sys.modules


@each_loop
def test_within_its_seconds_work_gives_its_result_or_raises_timeout_error(host: Host) -> None:
    never = Signal()

    async def at_once() -> str:
        return "done"

    async def main() -> None:
        runtime = current_runtime()
        assert await runtime.within(5, at_once) == "done"
        with pytest.raises(TimeoutError):
            await runtime.within(0.01, never.reached)

    run_async(host, main)
