"""Every transport behind one synchronous face, so that one suite can hold all of them to the same promises.

A `Kit` opens a client; `Face` calls it. The asynchronous ones run in an event loop of their own, in a thread. A library
that is not installed skips its tests: each belongs to an extra.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pytest

from sansauth.effects import Operation, Send, Steps, Timeouts, operation
from sansauth.http import Request, Response
from sansauth.identity import App, Identity, OAuth1User
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.x import X

T = TypeVar("T")

APP = App("planted-consumer-key", "planted-consumer-secret")
USER = OAuth1User(APP, "planted-access-token", "planted-token-secret")
BRISK = Timeouts(connect=5.0, read=5.0, total=8.0)  # for answers that come at once, on a busy machine too


@operation
def exchange(request: Request, timeouts: Timeouts | None = None) -> Steps[Response]:
    """One request on the wire, as it stands."""
    return (yield from Send(request, timeouts))


class Face:
    """A client of any transport, seen synchronously."""

    def __init__(self, client: Any, start: Start | None) -> None:
        self.client = client
        self._start = start

    def begin(self, method: str, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call an asynchronous client's method; cancelling the future cancels the call."""
        assert self._start is not None
        return self._start(lambda: getattr(self.client, method)(*args, **kwargs))

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if self._start is None:
            return getattr(self.client, method)(*args, **kwargs)
        return self.begin(method, *args, **kwargs).result()

    def run(self, work: Operation[T]) -> T:
        result: T = self._call("run", work)
        return result

    def exchange(self, request: Request, timeouts: Timeouts | None = None) -> Response:
        return self.run(exchange(request, timeouts))

    def token(self) -> Secret:
        secret: Secret = self._call("token")
        return secret

    def request(self, method: str, url: str, **options: Any) -> Response:
        response: Response = self._call("request", method, url, **options)
        return response

    def get(self, url: str, **options: Any) -> Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Response:
        return self.request("POST", url, **options)

    def close(self) -> None:
        self._call("close" if self._start is None else "aclose")


class Opener(Protocol):
    def __call__(
        self, identity: Identity, provider: Provider, timeouts: Timeouts, *, store: Any = None
    ) -> AbstractContextManager[Face]: ...


@dataclass(frozen=True)
class Kit:
    """One way to put a request on the wire."""

    name: str
    opener: Opener

    def open(
        self, url: str, identity: Identity = APP, timeouts: Timeouts = BRISK, store: Any = None
    ) -> AbstractContextManager[Face]:
        """A client of the X-like service at `url`."""
        return self.opener(identity, X.at(url), timeouts, store=store)

    @property
    def synchronous(self) -> bool:
        return self.name.startswith("requests")


def library(name: str) -> Any:
    """An HTTP library, or a skipped test."""
    return pytest.importorskip(name)


def adapter(name: str) -> Any:
    """The adapter of an HTTP library, or a skipped test."""
    library(name)
    return importlib.import_module(f"sansauth_io.{name}")


Work = Callable[[], Awaitable[Any]]
Start = Callable[[Work], "Future[Any]"]


@contextlib.contextmanager
def event_loop(backend: str) -> Iterator[Start]:
    """An event loop in a thread: what it gives starts an asynchronous function there.

    To cancel the future is to cancel the function. Not anyio's portal: the oldest trio and the newest anyio disagree.
    """
    with _asyncio_loop() if backend == "asyncio" else _trio_loop() as start:
        yield start


@contextlib.contextmanager
def _asyncio_loop() -> Iterator[Start]:
    async def awaited(work: Work) -> Any:
        return await work()

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield lambda work: asyncio.run_coroutine_threadsafe(awaited(work), loop)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


@contextlib.contextmanager
def _trio_loop() -> Iterator[Start]:
    trio = library("trio")
    running: Future[Any] = Future()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            running.set_result((trio.lowlevel.current_trio_token(), nursery))
            await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=[main])
    thread.start()
    token, nursery = running.result()

    def start(work: Work) -> Future[Any]:
        done: Future[Any] = Future()
        scope = trio.CancelScope()

        async def awaited() -> None:
            with scope:
                try:
                    result = await work()
                except trio.Cancelled:
                    raise
                except BaseException as error:
                    done.set_exception(error)
                else:
                    done.set_result(result)

        done.add_done_callback(lambda done: token.run_sync_soon(scope.cancel) if done.cancelled() else None)
        token.run_sync_soon(nursery.start_soon, awaited)
        return done

    try:
        yield start
    finally:
        token.run_sync_soon(nursery.cancel_scope.cancel)
        thread.join()


@contextlib.contextmanager
def _requests(identity: Identity, provider: Provider, timeouts: Timeouts, **settings: Any) -> Iterator[Face]:
    with adapter("requests").Client(identity, provider=provider, timeouts=timeouts, **settings) as client:
        yield Face(client, None)


@contextlib.contextmanager
def users_session(
    identity: Identity, provider: Provider, timeouts: Timeouts, store: Any = None, **settings: Any
) -> Iterator[Face]:
    """requests, on a session of the user's own; `settings` are its attributes."""
    with library("requests").Session() as session:
        for name, value in settings.items():
            if name in {"headers", "cookies", "proxies"}:
                getattr(session, name).update(value)
            else:
                setattr(session, name, value)
        cls = adapter("requests").Client
        with cls(identity, provider=provider, timeouts=timeouts, session=session, store=store) as client:
            yield Face(client, None)


def _asynchronous(name: str, backend: str) -> Opener:
    @contextlib.contextmanager
    def opened(identity: Identity, provider: Provider, timeouts: Timeouts, **settings: Any) -> Iterator[Face]:
        cls = adapter(name).AsyncClient
        with event_loop(backend) as start:
            client = cls(identity, provider=provider, timeouts=timeouts, **settings)
            try:
                yield Face(client, start)
            finally:
                start(client.aclose).result()

    return opened


@contextlib.contextmanager
def users_client(
    identity: Identity,
    provider: Provider,
    timeouts: Timeouts,
    name: str = "httpx",
    backend: str = "asyncio",
    store: Any = None,
    **settings: Any,
) -> Iterator[Face]:
    """httpx or httpx2, on a client of the user's own."""
    cls = adapter(name).AsyncClient
    with event_loop(backend) as start:
        theirs = library(name).AsyncClient(**settings)
        try:
            yield Face(cls(identity, provider=provider, timeouts=timeouts, client=theirs, store=store), start)
        finally:
            start(theirs.aclose).result()


trio_client = _asynchronous("trio", "trio")
every_users_session = pytest.mark.parametrize(
    "theirs",
    [users_session, functools.partial(users_client, name="httpx"), functools.partial(users_client, name="httpx2")],
    ids=["requests", "httpx", "httpx2"],
)
USERS_SESSION = Kit("requests-users-session", users_session)
KITS = (
    Kit("requests", _requests),
    USERS_SESSION,
    Kit("httpx-asyncio", _asynchronous("httpx", "asyncio")),
    Kit("httpx-trio", _asynchronous("httpx", "trio")),
    Kit("httpx-users-client", users_client),
    Kit("httpx2-asyncio", _asynchronous("httpx2", "asyncio")),
    Kit("httpx2-trio", _asynchronous("httpx2", "trio")),
    Kit("trio", trio_client),
)
every_kit = pytest.mark.parametrize("kit", KITS, ids=lambda kit: kit.name)
