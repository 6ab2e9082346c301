"""One deadline for a whole exchange on requests, on sessions we make.

requests and urllib3 bound each read, so a server that drips its headers a byte at a time outlives every timeout. Here
every write, and every read of headers and body, gets what is left of the deadline.
"""

from __future__ import annotations

import contextlib
import contextvars
import http.client
import io
import socket
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from sansauth_io._wire import content_length

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["DeadlineAdapter", "Progress", "deadline"]


class Progress:
    """One exchange: what is left of its time, and whether any of the request may have been sent.

    On connections that are not ours nobody tells, so it may.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self.sent = True

    def left(self) -> float:
        """Seconds until the deadline."""
        return self._until - time.monotonic()


_PROGRESS: contextvars.ContextVar[Progress] = contextvars.ContextVar("sansauth_progress")


@contextlib.contextmanager
def deadline(seconds: float) -> Generator[Progress]:
    """Bound the exchange in this context."""
    token = _PROGRESS.set(progress := Progress(seconds))
    try:
        yield progress
    finally:
        _PROGRESS.reset(token)


def _left(limit: float | None) -> float:
    left = _PROGRESS.get().left()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left if limit is None else min(left, limit)


class _BoundedReader(io.RawIOBase):
    """The socket's file, each read bounded by what is left."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # makefile counts as a user of the socket, so that a `Connection: close` answer can still be read.
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        usual = self._sock.gettimeout()
        self._sock.settimeout(_left(usual))
        try:
            return self._raw.readinto(buffer)
        finally:
            self._sock.settimeout(usual)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _LineReader(io.BufferedReader):
    """Remembers the last line, which tells how a header ended."""

    line = b""

    def readline(self, size: int | None = -1) -> bytes:
        self.line = super().readline(size)
        return self.line


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = self._lines = _LineReader(_BoundedReader(sock))

    def begin(self) -> None:
        super().begin()
        while 102 <= self.status < 200:
            # http.client skips 100 alone. Any other interim answer would pass for the answer, and the answer for that
            # of the next request.
            self.headers = self.msg = cast("Any", None)
            super().begin()
        if not self._lines.line:
            raise http.client.IncompleteRead(b"")  # http.client takes the end of the connection for that of the header
        try:
            content_length(self.headers.get_all("content-length", []))
        except ValueError:
            raise http.client.HTTPException from None  # here, because urllib3 would leave the socket open


class _Bounded(HTTPConnection):
    response_class = _BoundedResponse

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            _PROGRESS.get().sent = False  # nothing of the request, even if a proxy was asked for a tunnel

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        # urllib3 leaves the connect timeout on the socket: five seconds for a whole upload.
        cast("socket.socket", self.sock).settimeout(_left(None))
        _PROGRESS.get().sent = True
        super().send(data)


class _BoundedHTTP(_Bounded):
    pass


class _BoundedHTTPS(_Bounded, HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _BoundedHTTP  # pyright: ignore[reportAssignmentType]  # its protocol has no subclass at all


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _BoundedHTTPS  # pyright: ignore[reportAssignmentType]  # its protocol has no subclass at all


class DeadlineAdapter(HTTPAdapter):
    """An HTTPAdapter whose connections obey `deadline`; of no use outside of it."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool of bounded connections."""
        super().init_poolmanager(*args, **kwargs)
        _bound(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.PoolManager:
        """The same through a proxy."""
        manager: urllib3.PoolManager = super().proxy_manager_for(*args, **kwargs)
        _bound(manager)
        return manager


def _bound(manager: urllib3.PoolManager) -> None:
    pools: dict[str, type[urllib3.HTTPConnectionPool] | type[urllib3.HTTPSConnectionPool]]
    pools = {"http": _HTTPPool, "https": _HTTPSPool}
    manager.pool_classes_by_scheme = pools
