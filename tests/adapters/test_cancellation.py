"""Who cancels a caller does not cancel the refresh that others wait for.

Acquire, body, save and release finish first; then the caller gets its cancellation, whatever kind it was.
"""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

from sansauth.effects import Exclusive, Load, Operation, Save, Steps, operation
from sansauth.errors import ConnectError
from sansauth.http import Request, Response
from sansauth_io._driver_async import AsyncDriver
from sansauth_io._driver_sync import protected
from sansauth_io._locks import key_lock
from sansauth_io._runtime_asyncio import _RUNNING
from sansauth_io.stores import MemoryStore, Store

from .driving import (
    KEY,
    PATIENCE,
    Asyncio,
    Host,
    RecordingStore,
    Service,
    Signal,
    Threads,
    Trio,
    Wire,
    each_loop,
    exchange,
    get_me,
    is_free,
    is_token_request,
    queue_length,
    run_async,
    stored_token,
)

either_store = pytest.mark.parametrize("blocking", [False, True], ids=["inline", "blocking"])


class Scene:
    """A service that keeps the answer to a token request back, and clients that ask it."""

    def __init__(self, host: Host, store: Store | None = None) -> None:
        self.service = Service()
        self.service.may_answer = self.may_answer = Signal()
        self.store = store or MemoryStore()
        self.driver: AsyncDriver = host.driver(self.service, self.store)
        self.outcomes: list[object] = []

    async def call(self) -> Response:
        """The authorised call; notes what came of it."""
        try:
            response = await self.driver.run(get_me())
        except BaseException as error:
            self.outcomes.append(type(error))
            raise
        self.outcomes.append(response.status)
        return response

    async def fetching(self) -> None:
        """Wait until the body runs."""
        await self.service.asked.reached()

    async def queued(self, count: int) -> None:
        """Wait until so many hold or wait for the key."""
        while queue_length(self.store) < count:
            await pause()

    def all_is_well(self) -> None:
        """One token was fetched, saved, and nothing is held any more."""
        assert self.service.fetched == 1
        assert stored_token(self.store) == "T1"
        assert is_free(self.store)

    def requests(self) -> int:
        """How many were sent, token requests aside."""
        return sum(not is_token_request(request) for request, _ in self.service.log)


async def pause(turns: int = 1) -> None:
    for _ in range(turns):
        await (trio.lowlevel.checkpoint() if trio.lowlevel.in_trio_task() else asyncio.sleep(0))


class Job:
    """One task: what came of it, and how to cancel it."""

    def __init__(self) -> None:
        self.outcome: object = None
        self.cancel: Callable[[], object] = lambda: None


@asynccontextmanager
async def jobs() -> AsyncIterator[Callable[[Callable[[], Awaitable[Any]]], Job]]:
    """Start tasks in whichever event loop runs, and wait for all of them. An error is an outcome, too."""
    if trio.lowlevel.in_trio_task():
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                yield lambda work: _start_in_trio(nursery, work)
    else:
        tasks: list[asyncio.Task[None]] = []
        async with asyncio.timeout(PATIENCE):
            yield lambda work: _start_in_asyncio(tasks, work)
            await asyncio.gather(*tasks, return_exceptions=True)


def _start_in_trio(nursery: trio.Nursery, work: Callable[[], Awaitable[Any]]) -> Job:
    job, scope = Job(), trio.CancelScope()
    job.cancel = scope.cancel

    async def run() -> None:
        with scope:
            await _note_outcome(job, work)

    nursery.start_soon(run)
    return job


def _start_in_asyncio(tasks: list[asyncio.Task[None]], work: Callable[[], Awaitable[Any]]) -> Job:
    job = Job()
    tasks.append(asyncio.create_task(_note_outcome(job, work)))
    job.cancel = tasks[-1].cancel
    return job


async def _note_outcome(job: Job, work: Callable[[], Awaitable[Any]]) -> None:
    try:
        result = await work()
    except Exception as error:
        job.outcome = error
    except BaseException as error:
        job.outcome = type(error)
        raise
    else:
        job.outcome = result.status if isinstance(result, Response) else result


def is_cancelled(job: Job) -> bool:
    return job.outcome in (asyncio.CancelledError, trio.Cancelled)


def in_asyncio(main: Callable[[], Awaitable[None]]) -> None:
    """Run it; whatever asyncio would only log is an error."""
    lost: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: lost.append(context))
        async with asyncio.timeout(PATIENCE):
            await main()
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(watched())
    assert lost == []
    assert not _RUNNING


# asyncio


async def cancelled_by_task_cancel(scene: Scene, times: int = 1) -> None:
    task = asyncio.create_task(scene.call())
    await scene.fetching()
    for _ in range(times):
        task.cancel()
        await pause(3)
        assert not task.done()
    scene.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def cancelled_thrice(scene: Scene) -> None:
    await cancelled_by_task_cancel(scene, times=3)


async def cancelled_by_wait_for(scene: Scene) -> None:
    loop, seconds = asyncio.get_running_loop(), [0.0]
    clock = loop.time
    loop.time = lambda: clock() + seconds[0]  # type: ignore[method-assign]
    expiring = asyncio.create_task(_when_fetching(scene, lambda: seconds.append(seconds.pop() + PATIENCE / 2)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(scene.call(), PATIENCE / 4)
    await expiring
    await works_on()


async def cancelled_by_timeout(scene: Scene) -> None:
    deadline = asyncio.timeout(None)
    expiring = asyncio.create_task(_when_fetching(scene, lambda: deadline.reschedule(0)))
    with pytest.raises(TimeoutError):
        async with deadline:
            await scene.call()
    await expiring
    assert deadline.expired()
    await works_on()


async def cancelled_by_nested_timeouts(scene: Scene) -> None:
    outer, inner = asyncio.timeout(None), asyncio.timeout(None)

    def expire() -> None:
        inner.reschedule(0)
        outer.reschedule(0)

    expiring = asyncio.create_task(_when_fetching(scene, expire))
    with pytest.raises(TimeoutError):
        async with outer, inner:
            await scene.call()
    await expiring
    assert outer.expired()
    await works_on()


async def cancelled_by_a_task_group(scene: Scene) -> None:
    class SiblingError(Exception):
        pass

    async def sibling() -> None:
        await scene.fetching()
        asyncio.get_running_loop().call_later(0.01, scene.may_answer.set)
        raise SiblingError

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(scene.call())
            group.create_task(sibling())

    with pytest.raises(ExceptionGroup) as aborted:
        await both()
    assert [type(error) for error in aborted.value.exceptions] == [SiblingError]
    await pause(3)


async def cancelled_by_an_anyio_scope(scene: Scene) -> None:
    with anyio.CancelScope() as scope:
        expiring = asyncio.create_task(_when_fetching(scene, scope.cancel))
        await scene.call()
    assert scope.cancelled_caught
    await expiring
    await works_on()


async def cancelled_by_anyio_fail_after(scene: Scene) -> None:
    async def call() -> None:
        with anyio.fail_after(PATIENCE) as scope:
            expiring = asyncio.create_task(_when_fetching(scene, lambda: setattr(scope, "deadline", 0)))
            await scene.call()
        await expiring

    with pytest.raises(TimeoutError):
        await call()
    await works_on()


async def cancelled_by_an_anyio_task_group(scene: Scene) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(scene.call)
        expiring = asyncio.create_task(_when_fetching(scene, group.cancel_scope.cancel))
    await expiring
    await works_on()


async def cancelled_by_anyio_and_by_task_cancel(scene: Scene) -> None:
    scope = anyio.CancelScope()

    async def call() -> None:
        with scope:
            await scene.call()

    task = asyncio.create_task(call())
    await scene.fetching()
    scope.cancel()
    await pause(3)
    task.cancel()
    await pause(3)
    assert not task.done()
    scene.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _when_fetching(scene: Scene, act: Callable[[], object]) -> None:
    """Once the body runs: act, let the cancellation spread, and only then let the service answer."""
    await scene.fetching()
    act()
    await pause(5)
    assert scene.outcomes == [], "the caller did not wait for the body"
    scene.may_answer.set()


async def works_on() -> None:
    """The task is not cancelled any more, nor thought to be."""
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await pause(3)


WAYS = [
    cancelled_by_task_cancel,
    cancelled_thrice,
    cancelled_by_wait_for,
    cancelled_by_timeout,
    cancelled_by_nested_timeouts,
    cancelled_by_a_task_group,
    cancelled_by_an_anyio_scope,
    cancelled_by_anyio_fail_after,
    cancelled_by_an_anyio_task_group,
    cancelled_by_anyio_and_by_task_cancel,
]


@either_store
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_asyncio_finishes_the_body_before_the_caller_is_cancelled(
    way: Callable[[Scene], Awaitable[None]], blocking: bool
) -> None:
    async def main() -> None:
        scene = Scene(Asyncio(), RecordingStore(blocking=blocking))
        bystander = asyncio.create_task(_after(scene.fetching, scene.driver))
        await way(scene)
        assert scene.outcomes == [asyncio.CancelledError]
        response = await bystander
        assert response.status == 200, "whoever waited is served, by the same fetch"
        assert scene.requests() == 1, "and the cancelled caller sent nothing any more"
        scene.all_is_well()

    in_asyncio(main)


async def _after(condition: Callable[[], Awaitable[None]], driver: AsyncDriver) -> Response:
    await condition()
    return await driver.run(get_me())


@asynccontextmanager
async def counting_turns() -> AsyncIterator[list[int]]:
    """How many turns the event loop made meanwhile."""
    loop, turns = asyncio.get_running_loop(), [0]
    run_once = loop._run_once  # type: ignore[attr-defined]

    def counted() -> None:
        turns[0] += 1
        run_once()

    loop._run_once = counted  # type: ignore[attr-defined]
    try:
        yield turns
    finally:
        del loop._run_once  # type: ignore[attr-defined]


@either_store
def test_a_caller_in_a_cancelled_anyio_scope_does_not_spin_while_the_body_ends(blocking: bool) -> None:
    async def main() -> None:
        scene = Scene(Asyncio(), RecordingStore(blocking=blocking))
        with anyio.CancelScope() as scope:
            async with counting_turns() as turns:
                loop = asyncio.get_running_loop()
                asking = asyncio.create_task(scene.fetching())
                asking.add_done_callback(lambda _: scope.cancel())
                asking.add_done_callback(lambda _: loop.call_later(0.1, scene.may_answer.set))
                await scene.call()
        assert scope.cancelled_caught
        assert turns[0] < 100, "a loop that spins makes thousands of turns in a tenth of a second"
        scene.all_is_well()

    in_asyncio(main)


def test_a_body_that_fails_after_its_caller_was_cancelled_is_not_reported_as_lost() -> None:
    async def main() -> None:
        gate, store = Signal(), MemoryStore()

        class Breaking(Wire):
            def arrived(self, request: Request) -> Signal:
                return gate

            def answer(self, request: Request) -> Response:
                raise ConnectError("no way", sent=False)

        task = asyncio.create_task(Asyncio().driver(Breaking(), store).run(alone(exchange("a"))))
        await pause(5)
        task.cancel()
        await pause(3)
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert is_free(store, "k")

    in_asyncio(main)


@operation
def alone(body: Operation[Any], key: str = "k") -> Steps[Any]:
    return (yield from Exclusive(key, body))


def test_the_end_of_asyncio_run_waits_for_a_body_and_does_not_cancel_it() -> None:
    scenes: list[Scene] = []

    async def main() -> asyncio.Task[Response]:
        scene = Scene(Asyncio(), RecordingStore(blocking=True))
        scenes.append(scene)
        task = asyncio.create_task(scene.call())
        await scene.fetching()
        asyncio.get_running_loop().call_later(0.05, scene.may_answer.set)
        return task  # and now asyncio.run() cancels what still runs

    task = asyncio.run(main())
    assert task.cancelled()
    scenes[0].all_is_well()


def test_a_body_that_cancels_itself_cancels_its_caller() -> None:
    async def main() -> None:
        async def send(request: Request, timeouts: object) -> Response:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
            raise AssertionError

        store = MemoryStore()
        driver = Asyncio().driver(Wire(), store)
        driver._send = send
        with pytest.raises(asyncio.CancelledError):
            await driver.run(alone(exchange("a")))
        assert is_free(store, "k")

    in_asyncio(main)


# trio


@either_store
def test_trio_finishes_the_body_before_the_caller_is_cancelled(blocking: bool) -> None:
    async def main() -> None:
        scene = Scene(Trio(), RecordingStore(blocking=blocking))
        around = trio.CancelScope()

        async def call() -> None:
            with around:
                await scene.call()
            assert around.cancelled_caught
            await pause(3)

        async with jobs() as start:
            start(call)
            await scene.fetching()
            bystander = start(scene.call)
            await scene.queued(2)
            await _when_fetching(scene, around.cancel)
        assert scene.outcomes == [trio.Cancelled, 200]
        assert bystander.outcome == 200
        assert scene.requests() == 1, "the cancelled caller sent nothing any more"
        scene.all_is_well()

    trio.run(main)


def test_a_nursery_that_is_aborted_shows_the_error_that_aborted_it_and_nothing_else() -> None:
    class SiblingError(Exception):
        pass

    async def main() -> None:
        scene = Scene(Trio())

        async def sibling() -> None:
            await scene.fetching()
            raise SiblingError

        async def service() -> None:
            with trio.CancelScope(shield=True):
                await _when_fetching(scene, lambda: None)

        async def all_of_them() -> None:
            async with trio.open_nursery() as nursery:
                for one in (service, sibling, scene.call):
                    nursery.start_soon(one)

        with pytest.raises(ExceptionGroup) as aborted:
            await all_of_them()
        assert [type(error) for error in aborted.value.exceptions] == [SiblingError]
        scene.all_is_well()

    trio.run(main)


def test_on_trio_the_error_of_a_body_gives_way_to_the_callers_cancellation() -> None:
    async def main() -> None:
        store = MemoryStore()

        class Breaking(Wire):
            def answer(self, request: Request) -> Response:
                scope.cancel()
                raise ConnectError("no way", sent=False)

        with trio.CancelScope() as scope:
            await Trio().driver(Breaking(), store).run(alone(exchange("a")))
        assert scope.cancelled_caught
        assert is_free(store, "k")

    trio.run(main)


# Cancelled while waiting: for the lock, for the lease


@each_loop
def test_a_waiter_that_is_cancelled_neither_takes_nor_loses_the_lock(host: Host) -> None:
    async def main() -> None:
        scene = Scene(host)
        async with jobs() as start:
            holder = start(scene.call)
            await scene.fetching()
            impatient = start(scene.call)
            await scene.queued(2)
            last = start(scene.call)
            await scene.queued(3)
            impatient.cancel()
            await pause(3)
            assert is_cancelled(impatient), "at once: nobody waits for a place in a queue"
            assert queue_length(scene.store) == 2
            scene.may_answer.set()
        assert (holder.outcome, last.outcome) == (200, 200)
        scene.all_is_well()

    run_async(host, main)


@each_loop
def test_a_waiter_that_is_cancelled_just_when_its_turn_comes_passes_it_on(host: Host) -> None:
    async def main() -> None:
        scene = Scene(host)
        scene.may_answer.set()
        lock, wake = key_lock(scene.store, KEY), Signal().set
        assert lock.join(wake)
        async with jobs() as start:
            impatient = start(scene.call)
            await scene.queued(2)
            last = start(scene.call)
            await scene.queued(3)
            lock.leave(wake)  # the wake-up is on its way
            impatient.cancel()
        assert is_cancelled(impatient)
        assert last.outcome == 200
        scene.all_is_well()

    run_async(host, main)


@each_loop
@either_store
def test_cancelled_while_polling_the_lease_nothing_is_left_behind(host: Host, blocking: bool) -> None:
    polled = Signal()

    class Polled(RecordingStore):
        def acquire(self, key: str, owner: str, ttl: float) -> bool:
            if self.methods().count("acquire") == 3:
                polled.set()
            return super().acquire(key, owner, ttl)

    async def main() -> None:
        scene = Scene(host, Polled(blocking=blocking))
        scene.store.acquire(KEY, "another process", 60.0)
        async with jobs() as start:
            impatient = start(scene.call)
            await polled.reached()
            impatient.cancel()
        assert is_cancelled(impatient)
        assert queue_length(scene.store) == 0
        scene.store.release(KEY, "another process")
        assert is_free(scene.store)
        assert scene.service.fetched == 0

    run_async(host, main)


@each_loop
@pytest.mark.parametrize("seed", range(12))
def test_whoever_is_cancelled_whenever_the_others_are_served_and_nothing_is_left_behind(host: Host, seed: int) -> None:
    choose = random.Random(seed)

    async def main() -> None:
        scene = Scene(host, RecordingStore(blocking=seed % 3 == 0))
        async with jobs() as start:
            callers = [start(scene.call) for _ in range(8)]
            unlucky = choose.sample(callers, 4)
            await pause(choose.randrange(1, 9))
            for place, job in enumerate(unlucky):
                job.cancel()
                await pause(choose.randrange(4))
                if place == 2:
                    scene.may_answer.set()
        assert all(job.outcome == 200 for job in callers if job not in unlucky)
        assert all(job.outcome == 200 or is_cancelled(job) for job in unlucky)
        scene.all_is_well()

    run_async(host, main)


# A Save outside any Exclusive


@operation
def ask_and_save() -> Steps[None]:
    yield from Load("k")
    yield from Save("k", b"saved", None)
    yield from exchange("never-sent")


@each_loop
def test_a_save_that_has_begun_finishes_before_the_caller_is_cancelled(host: Host) -> None:
    saving, may_save = Signal(), Signal()

    class SlowStore(RecordingStore):
        def save(self, key: str, data: bytes | None, expected: int | None) -> int:
            saving.set()
            may_save.wait()
            return super().save(key, data, expected)

    async def main() -> None:
        store, wire = SlowStore(blocking=True), Wire()
        async with jobs() as start:
            impatient = start(lambda: host.driver(wire, store).run(ask_and_save()))
            await saving.reached()
            impatient.cancel()
            await pause(5)
            assert impatient.outcome is None
            may_save.set()
        assert is_cancelled(impatient)
        assert list(store.keys("")) == ["k"]
        assert wire.log == []

    run_async(host, main)


@each_loop
def test_a_save_is_made_even_if_the_cancellation_came_just_before_it(host: Host) -> None:
    @operation
    def fetch_and_save() -> Steps[None]:
        yield from exchange("token")
        yield from Save("k", b"fetched", None)

    class Cancelling(Wire):
        def answer(self, request: Request) -> Response:
            impatient.cancel()
            return Response(200)

    async def main() -> None:
        nonlocal impatient
        store = RecordingStore(blocking=True)
        async with jobs() as start:
            impatient = start(lambda: host.driver(Cancelling(), store).run(fetch_and_save()))
        assert is_cancelled(impatient)
        assert list(store.keys("")) == ["k"]

    impatient = Job()
    run_async(host, main)


# Interrupts of a thread


class StartsAndIsInterrupted(threading.Thread):
    begun: Signal

    def start(self) -> None:
        super().start()
        self.begun.wait()
        raise KeyboardInterrupt


class IsInterruptedBeforeItStarts(threading.Thread):
    late: list[threading.Thread]

    def start(self) -> None:
        self.late.append(self)
        raise KeyboardInterrupt


class CannotStart(threading.Thread):
    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_an_interrupt_while_the_bodys_thread_starts_waits_for_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StartsAndIsInterrupted, "begun", Signal(), raising=False)
    monkeypatch.setattr(threading, "Thread", StartsAndIsInterrupted)
    ended = Signal()

    def work() -> None:
        StartsAndIsInterrupted.begun.set()
        time.sleep(0.01)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        protected(work)
    assert ended.is_set


def test_a_body_whose_thread_did_not_start_never_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    monkeypatch.setattr(IsInterruptedBeforeItStarts, "late", [], raising=False)
    monkeypatch.setattr(threading, "Thread", IsInterruptedBeforeItStarts)
    with pytest.raises(KeyboardInterrupt):
        protected(lambda: ran.append(1))
    [late] = IsInterruptedBeforeItStarts.late
    late.run()
    assert ran == []


def test_where_no_thread_can_start_the_operation_is_told_and_nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    monkeypatch.setattr(threading, "Thread", CannotStart)
    with pytest.raises(RuntimeError, match="can't start"):
        Threads().driver(Wire(), store).run(alone(exchange("a")))
    assert is_free(store, "k")


# Interrupts: in a process of their own, because they belong to its main thread

PRELUDE = """
    import signal, sys, threading, time
    sys.path.insert(0, {tests!r})
    from adapters.driving import *
    from adapters.test_cancellation import Scene, ask_and_save

    # Whoever runs the tests may ignore Ctrl-C, as a shell does for what it runs in the background; this inherits it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def press_ctrl_c_twice():
        for _ in range(2):  # an impatient person
            time.sleep(0.05)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.05)
"""


def in_a_process_of_its_own(script: str) -> str:
    """What it printed; it must end by itself, without a traceback."""
    tests = str(Path(__file__).parent.parent)
    source = textwrap.dedent(PRELUDE.format(tests=tests)) + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.strip()


def test_ctrl_c_on_threads_waits_until_the_token_is_saved() -> None:
    printed = in_a_process_of_its_own(
        """
        service, store = Service(), MemoryStore()
        service.may_answer = Signal()
        driver = Threads().driver(service, store)

        def bystander():
            service.asked.wait()
            driver.run(get_me())

        def person():
            service.asked.wait()
            press_ctrl_c_twice()
            service.may_answer.set()

        threads = [threading.Thread(target=each) for each in (bystander, person)]
        for thread in threads:
            thread.start()
        try:
            driver.run(get_me())
        except KeyboardInterrupt:
            print("interrupted", service.fetched, stored_token(store))
        for thread in threads:
            thread.join()
        print(service.fetched, is_free(store), len(service.log))
        """
    )
    assert printed.splitlines() == ["interrupted 1 T1", "1 True 2"]


def test_ctrl_c_on_threads_waits_for_a_save() -> None:
    printed = in_a_process_of_its_own(
        """
        class SlowStore(RecordingStore):
            def save(self, key, data, expected):
                person.start()
                may_save.wait()
                return super().save(key, data, expected)

        may_save, store = Signal(), SlowStore(blocking=True)
        person = threading.Thread(target=lambda: (press_ctrl_c_twice(), may_save.set()))
        try:
            Threads().driver(Wire(), store).run(ask_and_save())
        except KeyboardInterrupt:
            print("interrupted", store.load("k").data)
        """
    )
    assert printed == "interrupted b'saved'"


def test_ctrl_c_while_a_thread_waits_leaves_nothing_behind() -> None:
    printed = in_a_process_of_its_own(
        """
        store = MemoryStore()
        lock, wake = key_lock(store, KEY), Signal().set
        lock.join(wake)

        def person():
            while queue_length(store) < 2:
                time.sleep(0.01)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        threading.Thread(target=person).start()
        try:
            Threads().driver(Wire(), store).run(get_me())
        except KeyboardInterrupt:
            print("interrupted", queue_length(store))
        lock.leave(wake)
        print(is_free(store))
        """
    )
    assert printed.splitlines() == ["interrupted 1", "True"]


@pytest.mark.parametrize(
    ("host", "run", "raised"),
    [("Trio", "trio.run(scene.call)", "KeyboardInterrupt"), ("Asyncio", "asyncio.run(scene.call())", "CancelledError")],
)
def test_ctrl_c_in_an_event_loop_waits_until_the_token_is_saved(host: str, run: str, raised: str) -> None:
    printed = in_a_process_of_its_own(
        f"""
        scene = Scene({host}(), RecordingStore(blocking=True))

        def person():
            scene.service.asked.wait()
            press_ctrl_c_twice()
            scene.may_answer.set()

        threading.Thread(target=person).start()
        try:
            {run}
        except KeyboardInterrupt:
            print("interrupted")
        print(*[outcome.__name__ for outcome in scene.outcomes], stored_token(scene.store), is_free(scene.store))
        """
    )
    assert printed.splitlines() == ["interrupted", f"{raised} T1 True"]


@pytest.mark.parametrize("run", ["trio.run(main)", "asyncio.run(main())"], ids=["trio", "asyncio"])
def test_ctrl_c_in_the_midst_of_a_body_does_not_strike_the_body(run: str) -> None:
    printed = in_a_process_of_its_own(
        f"""
        class Interrupting(Service):
            def answer(self, request):
                if is_token_request(request):
                    signal.raise_signal(signal.SIGINT)
                return super().answer(request)

        async def main():
            await Asyncio().driver(Interrupting(), store).run(get_me())

        store = MemoryStore()
        try:
            {run}
        except KeyboardInterrupt:
            print("interrupted", stored_token(store), is_free(store))
        """
    )
    assert printed == "interrupted T1 True"


def test_ctrl_c_in_the_main_task_of_trio_strikes_where_the_driver_pauses_and_not_between_two_lines() -> None:
    printed = in_a_process_of_its_own(
        """
        @operation
        def interrupted():
            signal.raise_signal(signal.SIGINT)
            print("went on")
            yield from exchange("never-answered")

        async def main():
            await Trio().driver(wire, MemoryStore()).run(interrupted())

        wire = Service()
        wire.arrived = lambda request: Signal()
        try:
            trio.run(main)
        except KeyboardInterrupt:
            print("interrupted", len(wire.log))
        """
    )
    assert printed.splitlines() == ["went on", "interrupted 1"]


def test_the_main_thread_may_end_while_a_daemon_thread_fetches() -> None:
    printed = in_a_process_of_its_own(
        """
        class Printing(MemoryStore):
            def save(self, key, data, expected):
                print("saved", flush=True)
                return super().save(key, data, expected)

        service = Service()
        service.may_answer = Signal()
        driver = Threads().driver(service, Printing())
        threading.Thread(target=lambda: driver.run(get_me()), daemon=True).start()
        service.asked.wait()
        threading.Timer(0.05, service.may_answer.set).start()
        """
    )
    assert printed == "saved"
