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
from typing import TYPE_CHECKING, Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["DeadlineAdapter", "deadline"]

_UNTIL: contextvars.ContextVar[float] = contextvars.ContextVar("sansauth_deadline")


@contextlib.contextmanager
def deadline(until: float) -> Generator[None]:
    """Bound every exchange in this context by `time.monotonic() == until`."""
    token = _UNTIL.set(until)
    try:
        yield
    finally:
        _UNTIL.reset(token)


def _left(limit: float | None) -> float:
    left = _UNTIL.get(float("inf")) - time.monotonic()
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


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_BoundedReader(sock))


class _Bounded(HTTPConnection):
    response_class = _BoundedResponse

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if self.sock is not None and _UNTIL.get(None) is not None:
            # urllib3 leaves the connect timeout on the socket: five seconds for a whole upload.
            self.sock.settimeout(_left(None))
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
    """An HTTPAdapter whose connections obey `deadline`."""

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
