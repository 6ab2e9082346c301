"""A thousand callers and one refresh token that is good once: tasks, threads and processes, in every kind of weather.

However many call at once, the service is asked once, and every call is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sansauth.env import Env
from sansauth.errors import SansauthError
from sansauth.tokens import OAuth2Tokens
from sansauth_io._locks import key_lock
from sansauth_io.conformance.waiting import PATIENCE, at_once, until
from sansauth_io.stores import MemoryStore, Store

from .forked_callers import ME, PATIENT, Callers, open_store, outcome, user_named
from .redis_serving import RedisServer
from .rotating_service import RotatingService
from .transports import adapter, event_loop, library

PROCESSES = 8
THREADS = 25  # of each process
LIVES = [1, 30, 59]  # seconds; a token is usually renewed 60 before its end

pytestmark = pytest.mark.usefixtures("loopback")


@pytest.fixture(scope="module")
def service() -> Iterator[RotatingService]:
    with RotatingService() as service:
        yield service


# --- many callers of one client, in one process ----------------------------------------------------------------------

Cancel = Callable[[], object]


@dataclass(frozen=True)
class Crowd:
    """`call(size)`: that many call at once, and this will come of it. `cancel_first()`: cancel the first of them."""

    call: Callable[[int], Future[Counter[str]]]
    cancel_first: Cancel


@contextlib.contextmanager
def threads(**settings: Any) -> Iterator[Crowd]:
    with adapter("requests").Client(**settings) as client:

        def call(size: int) -> Future[Counter[str]]:
            done: Future[Counter[str]] = Future()
            threading.Thread(target=fulfil, args=[done, size]).start()
            return done

        def fulfil(done: Future[Counter[str]], size: int) -> None:
            try:
                done.set_result(Counter(at_once(size, lambda _: outcome(client))))
            except BaseException as error:
                done.set_exception(error)

        yield Crowd(call, _nobody)


def _nobody() -> None:
    raise NotImplementedError("a thread cannot be cancelled; see the interrupted one")


@contextlib.contextmanager
def tasks(name: str, backend: str, **settings: Any) -> Iterator[Crowd]:
    """Tasks of one event loop, with the adapter `name`."""
    cancels: list[Cancel] = []
    calls = {"asyncio": asyncio_calls, "trio": trio_calls}[backend]

    async def cancel_first() -> None:
        cancels[0]()

    with event_loop(backend) as start:
        client = adapter(name).AsyncClient(**settings)
        try:
            yield Crowd(
                lambda size: start(lambda: calls(client, size, cancels)),
                lambda: start(cancel_first).result(PATIENCE),
            )
        finally:
            start(client.aclose).result(PATIENCE)


async def asyncio_calls(client: Any, size: int, cancels: list[Cancel]) -> Counter[str]:
    calls = [asyncio.create_task(awaited_outcome(client)) for _ in range(size)]
    cancels[:] = [call.cancel for call in calls]
    await asyncio.wait(calls)
    return Counter("cancelled" if call.cancelled() else call.result() for call in calls)


async def trio_calls(client: Any, size: int, cancels: list[Cancel]) -> Counter[str]:
    trio = library("trio")
    scopes = [trio.CancelScope() for _ in range(size)]
    cancels[:] = [scope.cancel for scope in scopes]
    outcomes = Counter[str]()

    async def call(scope: Any) -> None:
        with scope:
            outcomes[await awaited_outcome(client)] += 1
        outcomes["cancelled"] += scope.cancelled_caught

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, scopes[0])
        await trio.lowlevel.checkpoint()  # it is the first: else trio would begin with any of them
        for scope in scopes[1:]:
            nursery.start_soon(call, scope)
    return +outcomes


async def awaited_outcome(client: Any) -> str:
    try:
        return str((await client.get(ME)).status)
    except SansauthError as error:
        return type(error).__name__


@dataclass(frozen=True)
class Host:
    name: str
    size: int
    opener: Callable[..., AbstractContextManager[Crowd]]


REQUESTS = Host("200-threads", 200, threads)
# httpx takes 50 s to send 1,000 bare requests at once: its pool looks at each of them, at each step of each.
ASYNCIO = Host("1000-asyncio-tasks-httpx2", 1000, lambda **settings: tasks("httpx2", "asyncio", **settings))
TRIO = Host("1000-trio-tasks", 1000, lambda **settings: tasks("trio", "trio", **settings))
each_host = pytest.mark.parametrize("host", [ASYNCIO, TRIO, REQUESTS], ids=lambda host: host.name)


class Scene:
    """A user whose tokens have ended, and a crowd that calls as this user, by a clock that only the test moves."""

    def __init__(
        self, service: RotatingService, host: Host, *, lifetime: float = 7200.0, ends_in: float = -1.0
    ) -> None:
        self.host, self.service = host, service
        self.now = time.time()
        self.clock: Callable[[], float] = lambda: self.now
        self.login = service.log_in(lifetime)
        self.store = MemoryStore()
        self.key = self.login.store_in(self.store, service.provider, now=self.now, ends_in=ends_in)

    @contextlib.contextmanager
    def crowd(self) -> Iterator[Crowd]:
        with self.host.opener(
            identity=user_named(self.login.account),
            provider=self.service.provider,
            store=self.store,
            env=Env(self.clock, secrets.token_bytes),
            timeouts=PATIENT,
        ) as crowd:
            yield crowd

    @contextlib.contextmanager
    def all_waiting(self) -> Iterator[None]:
        """The token endpoint answers when the whole crowd waits for it, and this block has ended."""
        self.login.may_answer.clear()
        yield
        until(lambda: len(key_lock(self.store, self.key)._queue) == self.host.size)
        self.login.may_answer.set()


def stored(store: Store, key: str) -> OAuth2Tokens:
    record = store.load(key)
    assert record is not None
    return OAuth2Tokens.from_bytes(record.data)


# --- one process -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lifetime", LIVES)
@each_host
def test_one_refresh_and_every_call_answered(service: RotatingService, host: Host, lifetime: float) -> None:
    scene = Scene(service, host, lifetime=lifetime)
    login, few = scene.login, 20
    with scene.crowd() as crowd:
        assert crowd.call(host.size).result() == {"200": host.size}
        assert login.counted() == (1, 1, 0)
        scene.now += 0.8 * lifetime
        assert crowd.call(few).result() == {"200": few}
        assert login.counted() == (1, 1, 0)  # a token that was just issued is always usable
        scene.now += 0.15 * lifetime
        assert crowd.call(few).result() == {"200": few}
        assert login.counted() == (2, 2, 0)
    assert (login.answered, login.refused) == (host.size + 2 * few, 0)
    assert stored(scene.store, scene.key).refresh_token == login.refresh_token


@each_host
def test_a_token_that_the_service_refuses_to_all_is_refreshed_once(service: RotatingService, host: Host) -> None:
    scene = Scene(service, host, ends_in=7200.0)
    scene.login.revoke_access()
    with scene.crowd() as crowd:
        assert crowd.call(host.size).result() == {"200": host.size}
    assert scene.login.counted() == (1, 1, 0)
    assert scene.login.answered == host.size
    assert 1 <= scene.login.refused <= host.size


@each_host
def test_a_dead_token_is_shown_once_and_all_are_told_to_log_in(service: RotatingService, host: Host) -> None:
    scene = Scene(service, host)
    scene.login.use_up()
    with scene.crowd() as crowd:
        for _ in range(2):
            assert crowd.call(host.size).result() == {"LoginRequired": host.size}
    assert scene.login.counted() == (1, 0, 1)
    assert scene.login.answered + scene.login.refused == 0
    assert stored(scene.store, scene.key).death is not None


@each_host
def test_a_service_in_trouble_is_asked_once_a_wave(service: RotatingService, host: Host) -> None:
    scene = Scene(service, host)
    scene.clock = time.time  # who began to wait before the failure is told by time
    scene.login.trouble = 503
    before = scene.store.load(scene.key)
    with scene.crowd() as crowd:
        for wave in range(2):
            with scene.all_waiting():
                called = crowd.call(host.size)
            assert called.result() == {"ServiceUnavailable": 1, "RenewalFailed": host.size - 1}
            assert scene.login.counted() == (wave + 1, 0, 0)
        assert scene.store.load(scene.key) == before
        scene.login.trouble = None
        assert crowd.call(20).result() == {"200": 20}
    assert scene.login.counted() == (3, 1, 0)


@pytest.mark.parametrize("host", [ASYNCIO, TRIO], ids=lambda host: host.name)
def test_the_first_caller_cancelled_takes_nothing_from_the_others(service: RotatingService, host: Host) -> None:
    scene = Scene(service, host)
    with scene.crowd() as crowd:
        with scene.all_waiting():
            called = crowd.call(host.size)
            assert scene.login.asked.wait(PATIENCE)
            crowd.cancel_first()
        assert called.result() == {"cancelled": 1, "200": host.size - 1}
    assert scene.login.counted() == (1, 1, 0)


# --- several processes -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def callers() -> Iterator[Callers]:
    with Callers() as callers:
        yield callers


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    library("redis")
    with RedisServer() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """One file, or one Redis."""
    if request.param == "sqlite":
        return str(tmp_path / "tokens.sqlite3")
    url: str = request.getfixturevalue("redis_url")
    return url


class Processes:
    """Eight processes on one store, as one user whose tokens have ended."""

    def __init__(self, service: RotatingService, callers: Callers, place: str, lifetime: float = 7200.0) -> None:
        self._callers, self._place, self._url = callers, place, service.url
        self.now = time.time()
        self.login = service.log_in(lifetime)
        self.store = open_store(place)
        self.key = self.login.store_in(self.store, service.provider, now=self.now)

    def call(self, now: float | None) -> Counter[str]:
        details = {"url": self._url, "store": self._place, "account": self.login.account}
        return self._callers.called(PROCESSES, THREADS, now=now, **details)


ALL = PROCESSES * THREADS


@pytest.mark.parametrize("lifetime", LIVES)
def test_processes_refresh_once(service: RotatingService, callers: Callers, place: str, lifetime: float) -> None:
    eight = Processes(service, callers, place, lifetime)
    assert eight.call(eight.now) == {"200": ALL}
    assert eight.login.counted() == (1, 1, 0)
    assert (eight.login.answered, eight.login.refused) == (ALL, 0)
    assert stored(eight.store, eight.key).refresh_token == eight.login.refresh_token


def test_processes_show_a_dead_token_once(service: RotatingService, callers: Callers, place: str) -> None:
    eight = Processes(service, callers, place)
    eight.login.use_up()
    assert eight.call(eight.now) == {"LoginRequired": ALL}
    assert eight.login.counted() == (1, 0, 1)


def test_each_process_asks_a_service_in_trouble_once(service: RotatingService, callers: Callers, place: str) -> None:
    eight = Processes(service, callers, place)
    eight.login.trouble = 503
    outcomes = eight.call(None)
    assert outcomes.keys() == {"ServiceUnavailable", "RenewalFailed"}
    assert outcomes.total() == ALL
    assert eight.login.counted() == (outcomes["ServiceUnavailable"], 0, 0)
    assert PROCESSES <= outcomes["ServiceUnavailable"] <= 2 * PROCESSES  # a thread may begin after the first failure
    eight.login.trouble = None
    assert eight.call(None) == {"200": ALL}
    assert eight.login.refreshes == 1


def test_the_first_of_many_threads_interrupted(service: RotatingService, callers: Callers, tmp_path: Path) -> None:
    place, size = str(tmp_path / "tokens.sqlite3"), REQUESTS.size
    login = service.log_in()
    login.store_in(open_store(place), service.provider, now=time.time())
    login.may_answer.clear()
    callers.tell("interrupt", threads=size, url=service.url, store=place, account=login.account)
    process = callers.answer()  # all wait
    os.kill(process, signal.SIGINT)
    time.sleep(0.2)  # that it has the signal before the answer
    login.may_answer.set()
    assert callers.answer() == {"interrupted": 1, "200": size - 1}
    assert login.counted() == (1, 1, 0)
