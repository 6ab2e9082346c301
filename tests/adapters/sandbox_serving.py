"""What the tests of the sandbox server share: a handler that records, and a client that speaks in bytes."""

import socket
import threading
from collections.abc import Callable

from sansauth import Request, Response
from sansauth_io.sandbox_server import SandboxServer

SECONDS = 10.0  # no test waits so long, unless it fails


class Recorder:
    """A handler that keeps what it was asked, and answers what it is told to."""

    def __init__(self, answer: Callable[[Request], Response] | None = None) -> None:
        self.requests: list[Request] = []
        self.delay = 0.0
        self.answer = answer or (lambda request: Response(200, {"content-type": "text/plain"}, b"done"))

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answer(request)


def authority(server: SandboxServer) -> str:
    return server.base_url.removeprefix("http://")


def connect(server: SandboxServer) -> socket.socket:
    host, _, port = authority(server).rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS)


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def exchange(server: SandboxServer, raw: bytes) -> bytes:
    """Everything the server says to these bytes; HOST in them becomes its own."""
    with connect(server) as connection:
        connection.sendall(raw.replace(b"HOST", authority(server).encode()))
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def status(raw: bytes) -> int:
    return int(raw.split(b" ", 2)[1])


def get(target: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/{version}", "Host: HOST", *fields, "", ""]).encode("latin-1")


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("sansauth sandbox")]
