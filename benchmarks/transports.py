"""A GET over loopback, keep-alive: signed by our clients and by the peers, unsigned by the bare libraries.

Every answer is read whole; the server tells whether the request was signed, and every round checks it. Authlib's
asynchronous client runs over httpx2 where that is installed.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter
from typing import Any, TypeAlias

from benchmarks import server
from benchmarks.report import table
from benchmarks.signing import CREDENTIALS, USER
from benchmarks.timing import Batch, fastest
from sansauth.x import X

SECONDS = 30.0
PATH = "/1.1/account/verify_credentials.json"
READ_BYTES = 65536


@dataclass(frozen=True)
class Stage:
    """Where a contender performs: the server's port, and what closes all that was opened."""

    port: int
    stack: ExitStack

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.origin + PATH


Factory: TypeAlias = Callable[[Stage], Batch]


def _check(body: bytes, expected: bytes) -> None:
    if body != expected:
        raise SystemExit(f"a contender got {body!r} instead of {expected!r}")


# On threads


def _sync(get: Callable[[], bytes], expected: bytes) -> Batch:
    def batch(times: int) -> float:
        body = b""
        begin = perf_counter()
        for _ in range(times):
            body = get()
        took = perf_counter() - begin
        _check(body, expected)
        return took

    return batch


def _sansauth_requests(stage: Stage) -> Batch:
    from sansauth_io.requests import Client

    client = stage.stack.enter_context(Client(USER, provider=X.at(stage.origin)))
    return _sync(lambda: client.get(PATH).body, server.SIGNED)


def _session(module: str, name: str, *arguments: str) -> Factory:
    """A requests.Session or a subclass of it."""

    def factory(stage: Stage) -> Batch:
        session = stage.stack.enter_context(getattr(import_module(module), name)(*arguments))
        return _sync(lambda: session.get(stage.url).content, server.SIGNED if arguments else server.PLAIN)

    return factory


def _raw_socket(stage: Stage) -> Batch:
    connection = stage.stack.enter_context(socket.create_connection(("127.0.0.1", stage.port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{stage.port}\r\n\r\n".encode()

    def get() -> bytes:
        connection.sendall(request)
        answer = connection.recv(READ_BYTES)  # all of it: the server sends it at once
        return answer.partition(b"\r\n\r\n")[2]

    return _sync(get, server.PLAIN)


# In event loops


def _portal(stage: Stage, backend: str) -> Any:
    """A loop in a thread, idle while it is not its turn: so asyncio, trio and threads can take turns."""
    from anyio.from_thread import start_blocking_portal

    return stage.stack.enter_context(start_blocking_portal(backend))


def _async(portal: Any, get: Callable[[], Awaitable[bytes]], expected: bytes) -> Batch:
    async def batch(times: int) -> float:
        body = b""
        begin = perf_counter()
        for _ in range(times):
            body = await get()
        took = perf_counter() - begin
        _check(body, expected)
        return took

    return lambda times: portal.call(batch, times)


def _sansauth(module: str, backend: str) -> Factory:
    def factory(stage: Stage) -> Batch:
        client = import_module(f"sansauth_io.{module}").AsyncClient(USER, provider=X.at(stage.origin))
        portal = _portal(stage, backend)
        stage.stack.enter_context(portal.wrap_async_context_manager(client))

        async def get() -> bytes:
            return (await client.get(PATH)).body

        return _async(portal, get, server.SIGNED)

    return factory


def _async_client(backend: str, module: str, name: str, *arguments: str) -> Factory:
    """An AsyncClient of httpx or httpx2, or a subclass of it."""

    def factory(stage: Stage) -> Batch:
        client = getattr(import_module(module), name)(*arguments)
        portal = _portal(stage, backend)
        stage.stack.enter_context(portal.wrap_async_context_manager(client))

        async def get() -> bytes:
            return (await client.get(stage.url)).content

        return _async(portal, get, server.SIGNED if arguments else server.PLAIN)

    return factory


def _trio_h11(stage: Stage) -> Batch:
    import h11
    import trio

    portal = _portal(stage, "trio")
    stream = portal.call(trio.open_tcp_stream, "127.0.0.1", stage.port)
    stage.stack.enter_context(portal.wrap_async_context_manager(stream))
    connection = h11.Connection(h11.CLIENT)

    async def get() -> bytes:
        request = h11.Request(method="GET", target=PATH, headers=[("host", f"127.0.0.1:{stage.port}")])
        await stream.send_all((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
        body = b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(READ_BYTES))
            elif isinstance(event, h11.Data):
                body += event.data
        connection.start_next_cycle()
        return body

    return _async(portal, get, server.PLAIN)


AUTHLIB = "authlib.integrations"
AUTHLIB_ASYNC = (f"{AUTHLIB}.httpx_client", "AsyncOAuth1Client", *CREDENTIALS)
SOCKET = "raw socket: sendall, recv"

TABLES: dict[str, dict[str, Factory]] = {
    "requests": {
        "sansauth_io.requests.Client.get": _sansauth_requests,
        "requests.Session.get, unsigned": _session("requests", "Session"),
        "requests-oauthlib OAuth1Session.get": _session("requests_oauthlib", "OAuth1Session", *CREDENTIALS),
        "Authlib OAuth1Session.get": _session(f"{AUTHLIB}.requests_client", "OAuth1Session", *CREDENTIALS),
        SOCKET: _raw_socket,
    },
    **{
        f"{library} on {loop}": {
            f"sansauth_io.{library}.AsyncClient.get": _sansauth(library, loop),
            f"{library}.AsyncClient.get, unsigned": _async_client(loop, library, "AsyncClient"),
            "Authlib AsyncOAuth1Client.get": _async_client(loop, *AUTHLIB_ASYNC),
        }
        for library in ("httpx", "httpx2")
        for loop in ("asyncio", "trio")
    },
    "trio and h11": {
        "sansauth_io.trio.AsyncClient.get": _sansauth("trio", "trio"),
        "trio stream and h11.Connection, unsigned": _trio_h11,
        "Authlib AsyncOAuth1Client.get": _async_client("trio", *AUTHLIB_ASYNC),
        SOCKET: _raw_socket,
    },
}


def tables() -> Iterator[str]:
    """One table for each transport and loop; all are measured together."""
    with server.running() as port, ExitStack() as stack:
        stage = Stage(port, stack)
        contenders = {
            f"{title}: {name}": _available(factory, stage)
            for title, factories in TABLES.items()
            for name, factory in factories.items()
        }
        took = fastest(contenders, seconds=SECONDS)
    for title, factories in TABLES.items():
        yield table(title, {name: took[f"{title}: {name}"] for name in factories}, unit="us")


def _available(factory: Factory, stage: Stage) -> Batch | None:
    try:
        return factory(stage)
    except ImportError:
        return None
