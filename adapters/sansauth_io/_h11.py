"""HTTP/1.1 over a trio stream: one connection, one exchange at a time, by h11."""

from __future__ import annotations

import selectors
from typing import cast

import h11
import trio
from trio.abc import Stream

from sansauth.effects import Timeouts
from sansauth.errors import ReadError, RemoteProtocolError, TransportError, WriteError
from sansauth.http import Request, Response
from sansauth_io._wire import READ_BYTES, Answer, broken, outgoing_headers, timed_out

__all__ = ["H11Connection", "Unanswered"]

HEADER_BYTES = 65_536  # of status line and header fields, before they are complete

_BOTH_DONE = {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}


class Unanswered(Exception):
    """The connection ended before the first byte of an answer; `error` is what to say if nobody tries again."""

    def __init__(self, error: TransportError) -> None:
        super().__init__()
        self.error = error


class _Ended(Exception):
    """The peer ended the connection, or it broke, in the middle of something."""


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
        with selectors.DefaultSelector() as selector:
            selector.register(_socket_of(self._stream), selectors.EVENT_READ)
            return bool(selector.select(0))

    async def exchange(self, request: Request, timeouts: Timeouts) -> Response:
        """Send the request and read the whole answer; `Unanswered` if none began."""
        self._answered = False
        broken_off = await self._send(request)
        try:
            response = await self._receive(request, timeouts)
        except _Ended as end:
            if self._answered:
                raise broken(request, end.__cause__ or EOFError()) from None
            # A server that refuses a large body may answer and close before it is all sent; only without an answer
            # was it the writing that failed.
            failed = broken(request, broken_off.__cause__ or broken_off, kind=WriteError) if broken_off else None
            closed = ReadError(f"{request.origin}: the connection was closed without an answer", sent=True)
            raise Unanswered(failed or closed) from None
        # More than the answer came: the next request would take it for its own answer.
        if self._state.states == _BOTH_DONE and not self._state.trailing_data[0]:
            self._state.start_next_cycle()
        return response

    async def _send(self, request: Request) -> trio.BrokenResourceError | None:
        headers = [("host", request.parsed.authority), *outgoing_headers(request)]
        head = h11.Request(
            method=request.method,
            target=request.target,
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
        )
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
        answer: Answer | None = None
        while True:
            event = await self._next_event(request, timeouts)
            match event:
                case h11.Response():
                    fields = [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers]
                    answer = Answer(request, event.status_code, fields)
                case h11.Data() if answer is not None:
                    answer.add(bytes(event.data))
                case h11.EndOfMessage() if answer is not None:
                    return answer.response()
                case h11.InformationalResponse(status_code=status) if status != 101:
                    continue
                case _:
                    raise RemoteProtocolError(f"{request.origin}: the peer switched to another protocol")

    async def _next_event(self, request: Request, timeouts: Timeouts) -> object:
        while True:
            try:
                event = self._state.next_event()
            except (h11.RemoteProtocolError, ValueError):  # ValueError: old versions, of a length beyond int()
                if self._ended:
                    raise _Ended from None
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
                raise _Ended from error.__cause__
        raise timed_out(request, "the answer", timeouts.read, sent=True)

    async def aclose(self) -> None:
        """Close at once, without TLS's farewell."""
        await trio.aclose_forcefully(self._stream)


def _socket_of(stream: Stream) -> trio.socket.SocketType:
    if isinstance(stream, trio.SSLStream):
        stream = cast("trio.SSLStream[trio.SocketStream]", stream).transport_stream
    return cast("trio.SocketStream", stream).socket
