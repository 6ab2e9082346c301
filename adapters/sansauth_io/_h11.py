"""HTTP/1.1 over a trio stream: one connection, one exchange at a time, by h11."""

from __future__ import annotations

import select
from typing import cast

import h11
import trio
from trio.abc import Stream

from sansauth.effects import Timeouts
from sansauth.errors import ReadError, RemoteProtocolError, WriteError
from sansauth.http import Request, Response
from sansauth_io._wire import READ_BYTES, Body, broken, outgoing_headers, received, timed_out

__all__ = ["H11Connection", "Unanswered"]

HEADER_BYTES = 65_536  # of status line and header fields, before they are complete


class Unanswered(Exception):
    """The connection ended before the first byte of an answer."""


class H11Connection:
    """One connection to one origin; reusable as long as `idle` says so."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_BYTES)
        self._answered = False
        self._ended = False

    @property
    def idle(self) -> bool:
        """Whether the last exchange is complete and the peer keeps the connection."""
        return self._state.our_state is h11.IDLE

    @property
    def stale(self) -> bool:
        """Whether something came in while idle: the end of the connection, most likely."""
        poll = select.poll()
        poll.register(_socket_of(self._stream).fileno(), select.POLLIN)
        return bool(poll.poll(0))

    async def exchange(self, request: Request, timeouts: Timeouts) -> Response:
        """Send the request and read the whole answer; `Unanswered` if none began."""
        self._answered = False
        broken_off = await self._send(request)
        try:
            response = await self._receive(request, timeouts)
        except (Unanswered, ReadError):
            # A server that refuses a large body may answer and close before it is all sent; only without an answer
            # was it the writing that failed.
            if broken_off is not None:
                raise broken(request, broken_off, kind=WriteError) from None
            raise
        if self._state.our_state is h11.DONE and self._state.their_state is h11.DONE:
            self._state.start_next_cycle()
        return response

    async def _send(self, request: Request) -> trio.BrokenResourceError | None:
        headers = [("host", request.parsed.authority), ("accept-encoding", "identity")]
        headers += [pair for pair in outgoing_headers(request) if pair[0] != "accept-encoding"]
        head = h11.Request(method=request.method, target=request.target, headers=headers)
        data = self._state.send(head) or b""
        if request.body:
            data += self._state.send(h11.Data(data=request.body)) or b""
        data += self._state.send(h11.EndOfMessage()) or b""
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError as error:
            return error
        return None

    async def _receive(self, request: Request, timeouts: Timeouts) -> Response:
        body = Body()
        head: h11.Response | None = None
        while True:
            event = await self._next_event(request, timeouts)
            match event:
                case h11.Response():
                    head = event
                    body.announce(_header(head, b"content-length"))
                    _refuse_encoded(head, request)
                case h11.Data():
                    body.add(bytes(event.data))
                case h11.EndOfMessage() if head is not None:
                    fields = [(name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers]
                    return received(head.status_code, fields, body.join())
                case h11.InformationalResponse(status_code=status) if status != 101:
                    continue
                case _:
                    raise RemoteProtocolError(f"{request.origin}: the peer switched to another protocol")

    async def _next_event(self, request: Request, timeouts: Timeouts) -> object:
        while True:
            try:
                event = self._state.next_event()
            except h11.RemoteProtocolError:
                if self._ended:
                    raise self._broken_off(request, None) from None
                # `from None`: h11 quotes the line it could not read.
                raise RemoteProtocolError(f"{request.origin}: the answer is not HTTP/1.1") from None
            if event is not h11.NEED_DATA:
                return event
            data = await self._read(request, timeouts)
            self._ended = not data
            self._answered = self._answered or bool(data)
            self._state.receive_data(data)

    async def _read(self, request: Request, timeouts: Timeouts) -> bytes:
        with trio.move_on_after(timeouts.read):
            try:
                return bytes(await self._stream.receive_some(READ_BYTES))
            except trio.BrokenResourceError as error:
                raise self._broken_off(request, error) from None
        raise timed_out(request, "the answer", timeouts.read, sent=True)

    def _broken_off(self, request: Request, error: Exception | None) -> Exception:
        if not self._answered:
            return Unanswered()
        return broken(request, (error and error.__cause__) or EOFError())

    async def aclose(self) -> None:
        """Close at once, without TLS's farewell."""
        await trio.aclose_forcefully(self._stream)


def _header(head: h11.Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for field, value in head.headers if field == name), None)


def _refuse_encoded(head: h11.Response, request: Request) -> None:
    encoding = (_header(head, b"content-encoding") or "identity").strip().lower()
    if encoding != "identity":
        raise RemoteProtocolError(f"{request.origin}: the body is encoded ({encoding:.20}), which was not asked for")


def _socket_of(stream: Stream) -> trio.socket.SocketType:
    if isinstance(stream, trio.SSLStream):
        stream = cast("trio.SSLStream[trio.SocketStream]", stream).transport_stream
    return cast("trio.SocketStream", stream).socket
