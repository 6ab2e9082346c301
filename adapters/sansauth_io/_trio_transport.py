"""Put a Request on the wire with trio and h11: connections, TLS, keep-alive."""

from __future__ import annotations

import os
import ssl
from collections import defaultdict
from dataclasses import dataclass
from typing import cast

import certifi
import trio

from sansauth.effects import Timeouts
from sansauth.errors import ConnectError, LocalProtocolError, TLSError
from sansauth.http import Request, Response
from sansauth_io._arguments import required
from sansauth_io._h11 import H11Connection, Unanswered
from sansauth_io._wire import broken, closed, timed_out

__all__ = ["TrioTransport", "default_ssl_context"]

IDLE_CONNECTIONS = 10  # kept for each origin
IDLE_SECONDS = 15.0  # a kept connection is used again within; many servers close theirs after 20 to 60

# RFC 9110 section 9.2.2: sending these again changes nothing.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


def default_ssl_context() -> ssl.SSLContext:
    """The system's roots where it has any, certifi's otherwise; certificates and host names are verified."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):  # None, or empty, where nothing is installed
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=certifi.where())


@dataclass(slots=True)
class _Progress:
    """How far an exchange has come when its deadline strikes."""

    sent: bool = False


class TrioTransport:
    """Sends over connections of its own."""

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl_context = None if ssl_context is None else required("ssl_context", ssl_context, ssl.SSLContext)
        self._idle: defaultdict[str, list[tuple[H11Connection, float]]] = defaultdict(list)
        self._closed = False

    async def __call__(self, request: Request, timeouts: Timeouts) -> Response:
        if self._closed:
            raise closed()
        if not trio.lowlevel.in_trio_task():
            raise LocalProtocolError("sansauth_io.trio needs trio to run it; under asyncio use sansauth_io.httpx")
        progress = _Progress()
        with trio.move_on_after(timeouts.total):
            return await self._send(request, timeouts, progress)
        raise timed_out(request, "the exchange", timeouts.total, sent=progress.sent)

    async def _send(self, request: Request, timeouts: Timeouts, progress: _Progress) -> Response:
        kept = await self._take(request.origin)
        if kept is not None:
            progress.sent = True
            try:
                return await self._exchange(kept, request, timeouts)
            except Unanswered as unanswered:
                # The peer closed it just now. Nothing was answered, but something may have been done.
                if request.method not in _IDEMPOTENT:
                    raise unanswered.error from None
        fresh = await self._connect(request, timeouts)
        progress.sent = True
        try:
            return await self._exchange(fresh, request, timeouts)
        except Unanswered as unanswered:
            raise unanswered.error from None

    async def _exchange(self, connection: H11Connection, request: Request, timeouts: Timeouts) -> Response:
        try:
            return await connection.exchange(request, timeouts)
        finally:
            idle = self._idle[request.origin]
            if connection.idle and not self._closed and len(idle) < IDLE_CONNECTIONS:
                idle.append((connection, trio.current_time()))
            else:
                await connection.aclose()

    async def _take(self, origin: str) -> H11Connection | None:
        idle = self._idle[origin]
        while idle:
            connection, since = idle.pop()
            if trio.current_time() - since < IDLE_SECONDS and not connection.stale:
                return connection
            await connection.aclose()
        return None

    async def _connect(self, request: Request, timeouts: Timeouts) -> H11Connection:
        with trio.move_on_after(timeouts.connect):
            try:
                stream = await trio.open_tcp_stream(request.host.strip("[]"), request.port)
            except (OSError, UnicodeError) as error:  # the last: no name for the DNS
                raise broken(request, _said(error), kind=ConnectError, sent=False) from None
            if request.scheme == "http":
                return H11Connection(stream)
            return H11Connection(await self._handshake(request, stream))
        raise timed_out(request, "connecting", timeouts.connect, sent=False)

    async def _handshake(self, request: Request, stream: trio.SocketStream) -> trio.SSLStream[trio.SocketStream]:
        if self._ssl_context is None:
            self._ssl_context = default_ssl_context()  # loading the roots takes tens of milliseconds
        secure = trio.SSLStream(
            stream, self._ssl_context, server_hostname=request.host.strip("[]"), https_compatible=True
        )
        try:
            await secure.do_handshake()
        except BaseException as error:
            await trio.aclose_forcefully(stream)
            if isinstance(error, (trio.BrokenResourceError, ssl.SSLError)):
                raise broken(request, error.__cause__ or error, kind=TLSError, sent=False) from None
            raise
        return secure

    async def aclose(self) -> None:
        """Close every kept connection, and keep none from now on."""
        self._closed = True
        while self._idle:
            _, connections = self._idle.popitem()
            for connection, _ in connections:
                await connection.aclose()


def _said(error: Exception) -> BaseException:
    """What the last address said: trio tries every one, and groups their errors."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", cause).exceptions[-1]
    return cause or error
