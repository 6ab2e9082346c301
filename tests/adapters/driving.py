"""What the tests of the drivers share: threads, asyncio and trio behind one face, a scripted wire, and signals.

No socket and no clock: whoever waits here waits for a `Signal`, and fails after `PATIENCE` seconds instead of hanging.
"""

from __future__ import annotations

import asyncio
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

import pytest
import trio

from sansauth.app_token import AppToken, app_token_key
from sansauth.call import call
from sansauth.effects import DEFAULT_TIMEOUTS, Operation, Send, Steps, Stored, Timeouts, operation
from sansauth.env import Env
from sansauth.http import Request, Response
from sansauth.identity import App
from sansauth.x import X
from sansauth_io._driver_async import AsyncDriver
from sansauth_io._driver_sync import SyncDriver
from sansauth_io._locks import key_lock
from sansauth_io.stores import MemoryStore, Store

PATIENCE = 20.0
APP = App("CK", "CS")
KEY = app_token_key(APP, X)
ENV = Env(clock=lambda: 1318622958.0, entropy=bytes)
ME = "https://api.x.com/2/users/me"


class Signal:
    """An event that is set from anywhere, and waited for in any thread, asyncio task or trio task."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._mutex = threading.Lock()
        self._waiting: list[Callable[[], object]] = []

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        with self._mutex:
            self._event.set()
            waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    def wait(self) -> None:
        assert self._event.wait(PATIENCE), "the signal never came"

    async def reached(self) -> None:
        if trio.lowlevel.in_trio_task():
            await self._reached_in_trio()
        else:
            await self._reached_in_asyncio()

    async def _reached_in_trio(self) -> None:
        event, token = trio.Event(), trio.lowlevel.current_trio_token()
        self._tell(lambda: token.run_sync_soon(event.set))
        with trio.fail_after(PATIENCE):
            await event.wait()

    async def _reached_in_asyncio(self) -> None:
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        self._tell(lambda: loop.call_soon_threadsafe(event.set))
        async with asyncio.timeout(PATIENCE):
            await event.wait()

    def _tell(self, wake: Callable[[], object]) -> None:
        with self._mutex:
            if not self._event.is_set():
                self._waiting.append(wake)
                return
        wake()


class Wire:
    """A scripted service. A test overrides `answer`; `arrived` may give a signal to wait for before the answer."""

    def __init__(self, answer: Callable[[Request], Response] | None = None) -> None:
        self.log: list[tuple[Request, Timeouts]] = []
        self._answer = answer

    def arrived(self, request: Request) -> Signal | None:
        return None

    def answer(self, request: Request) -> Response:
        assert self._answer is not None, "nothing was to be sent"
        return self._answer(request)

    def send(self, request: Request, timeouts: Timeouts) -> Response:
        self.log.append((request, timeouts))
        if (gate := self.arrived(request)) is not None:
            gate.wait()
        return self.answer(request)

    async def asend(self, request: Request, timeouts: Timeouts) -> Response:
        self.log.append((request, timeouts))
        if (gate := self.arrived(request)) is not None:
            await gate.reached()
        return self.answer(request)


class Service(Wire):
    """Gives out the bearer tokens T1, T2, ...; answers any other request to the token that is valid, else 401/89."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched = 0
        self.asked = Signal()
        self.may_answer: Signal | None = None

    def arrived(self, request: Request) -> Signal | None:
        if not is_token_request(request):
            return None
        self.asked.set()
        return self.may_answer

    def answer(self, request: Request) -> Response:
        if is_token_request(request):
            self.fetched += 1
            return token_answer(f"T{self.fetched}")
        if request.headers["authorization"] == f"Bearer T{self.fetched}":
            return Response(200, (), b"{}")
        return json_answer(401, {"errors": [{"code": 89, "message": "Invalid or expired token."}]})


class Host(ABC):
    """One way to run operations, alone or many at once."""

    name: ClassVar[str]

    @abstractmethod
    def driver(self, wire: Wire, store: Store | None) -> Any: ...

    @abstractmethod
    def together(self, wire: Wire, store: Store | None, operations: Sequence[Operation[Any]]) -> list[Any]:
        """Every operation at once, each by a driver of its own; their results."""

    def run(self, operation: Operation[Any], wire: Wire | None = None, store: Store | None = None) -> Any:
        return self.together(wire or Wire(), store, [operation])[0]


class Threads(Host):
    name = "threads"

    def driver(self, wire: Wire, store: Store | None) -> SyncDriver:
        return SyncDriver(wire.send, store=store, timeouts=DEFAULT_TIMEOUTS)

    def together(self, wire: Wire, store: Store | None, operations: Sequence[Operation[Any]]) -> list[Any]:
        return in_threads([lambda one=one: self.driver(wire, store).run(one) for one in operations])


class Asyncio(Host):
    name = "asyncio"

    def driver(self, wire: Wire, store: Store | None) -> AsyncDriver:
        return AsyncDriver(wire.asend, store=store, timeouts=DEFAULT_TIMEOUTS)

    def together(self, wire: Wire, store: Store | None, operations: Sequence[Operation[Any]]) -> list[Any]:
        async def main() -> list[Any]:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.gather(*(self.driver(wire, store).run(one) for one in operations))

        return asyncio.run(main())


class Trio(Host):
    name = "trio"

    def driver(self, wire: Wire, store: Store | None) -> AsyncDriver:
        return AsyncDriver(wire.asend, store=store, timeouts=DEFAULT_TIMEOUTS)

    def together(self, wire: Wire, store: Store | None, operations: Sequence[Operation[Any]]) -> list[Any]:
        results: list[Any] = [None] * len(operations)
        errors: list[BaseException] = []

        async def one(place: int) -> None:
            try:
                results[place] = await self.driver(wire, store).run(operations[place])
            except trio.Cancelled:
                raise
            except BaseException as error:  # not through the nursery, which would wrap it
                errors.append(error)

        async def main() -> None:
            with trio.fail_after(PATIENCE):
                async with trio.open_nursery() as nursery:
                    for place in range(len(operations)):
                        nursery.start_soon(one, place)

        trio.run(main)
        for error in errors:
            raise error
        return results


class Mixed(Host):
    """All three at once, on the same store."""

    name = "mixed"

    def driver(self, wire: Wire, store: Store | None) -> Any:
        raise NotImplementedError

    def together(self, wire: Wire, store: Store | None, operations: Sequence[Operation[Any]]) -> list[Any]:
        shares = [operations[start::3] for start in range(3)]
        jobs = [
            lambda host=host, share=share: host.together(wire, store, share)
            for host, share in zip(EACH, shares, strict=True)
        ]
        return [result for results in in_threads(jobs) for result in results]


EACH: tuple[Host, ...] = (Threads(), Asyncio(), Trio())
LOOPS: tuple[Host, ...] = (Asyncio(), Trio())
each_host = pytest.mark.parametrize("host", EACH, ids=lambda host: host.name)
each_loop = pytest.mark.parametrize("host", LOOPS, ids=lambda host: host.name)
each_host_and_all = pytest.mark.parametrize("host", [*EACH, Mixed()], ids=lambda host: host.name)


def in_threads(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each in a thread of its own; their results, or the first error."""
    results: list[Any] = [None] * len(jobs)
    errors: list[BaseException] = []

    def run(place: int) -> None:
        try:
            results[place] = jobs[place]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for error in errors:
        raise error
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return results


def run_async(host: Host, main: Callable[[], Awaitable[Any]]) -> Any:
    """Run a test's coroutine function in the host's event loop."""
    if host.name == "trio":
        return trio.run(main)
    return asyncio.run(main())  # type: ignore[arg-type]


def is_token_request(request: Request) -> bool:
    return request.url.endswith("/oauth2/token")


def json_answer(status: int, document: object) -> Response:
    return Response(status, [("content-type", "application/json")], json.dumps(document).encode())


def token_answer(token: str) -> Response:
    return json_answer(200, {"token_type": "bearer", "access_token": token})


def get_me() -> Operation[Response]:
    """The authorised call of an App that has no bearer token yet."""
    return call(Request("GET", ME), APP, provider=X, env=ENV)


def stored_token(store: Store) -> str | None:
    stored = store.load(KEY)
    return None if stored is None else str(AppToken.from_bytes(stored.data).access_token)


def store_token(store: Store, token: str) -> None:
    store.save(KEY, AppToken(token).to_bytes(), None)


def is_free(store: Store, key: str = KEY) -> bool:
    """Whether neither the lease nor the in-process lock of a key is held."""
    lock, owner = key_lock(store, key), "is_free"
    wake = threading.Event().set
    try:
        return store.acquire(key, owner, 1.0) and lock.join(wake)
    finally:
        lock.leave(wake)
        store.release(key, owner)


def queue_length(store: Store, key: str = KEY) -> int:
    """How many hold or wait for the in-process lock."""
    return len(key_lock(store, key)._queue)


@operation
def exchange(path: str) -> Steps[Response]:
    return (yield from Send(Request("GET", f"https://api.x.com/{path}")))


class RecordingStore(MemoryStore):
    """A memory store that notes which thread called what, and can be told to be a blocking one."""

    blocking = False

    def __init__(self, *, blocking: bool = False) -> None:
        super().__init__()
        self.blocking = blocking
        self.calls: list[tuple[str, str, int]] = []

    def load(self, key: str) -> Stored | None:
        self._note("load", key)
        return super().load(key)

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        self._note("save", key)
        return super().save(key, data, expected)

    def acquire(self, key: str, owner: str, ttl: float) -> bool:
        self._note("acquire", key)
        return super().acquire(key, owner, ttl)

    def release(self, key: str, owner: str) -> None:
        self._note("release", key)
        super().release(key, owner)

    def _note(self, method: str, key: str) -> None:
        self.calls.append((method, key, threading.get_ident()))

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.calls]
