"""A server that says whatever a test wants, on a raw loopback socket, and records byte for byte what it was asked.

No HTTP library: what is wrong on the wire must be wrong because the test wrote it so. What a connection does is a
`Play`, a function of its `Peer`; the functions below make the usual ones.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

PATIENCE = 10.0  # seconds; no test waits so long, unless it fails


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came over the wire. `body` is without the chunks' framing."""

    connection: int
    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self._line()[0]

    @property
    def target(self) -> str:
        return self._line()[1]

    def _line(self) -> list[str]:
        return self.head.partition(b"\r\n")[0].decode("ascii").split(" ")

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields in order, names in lower case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def all(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field == name]

    def one(self, name: str) -> str:
        """The value of a field that has to be there exactly once."""
        (value,) = self.all(name)
        return value


class Peer:
    """The server's end of one connection."""

    def __init__(self, server: HostileServer, sock: socket.socket, number: int) -> None:
        self.number = number
        self.server = server
        self._sock = sock
        self._buffer = b""

    def request(self) -> Recorded | None:
        """The next request, recorded; None if the client closed instead."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        recorded = Recorded(self.number, head, b"")
        if "chunked" in recorded.all("transfer-encoding"):
            body = self._chunked()
        else:
            body = self._exactly(int((recorded.all("content-length") or ["0"])[0]))
        recorded = Recorded(self.number, head, body)
        self.server.record(recorded)
        return recorded

    def head(self) -> None:
        """Read a request's header, and leave its body where it is."""
        self._until(b"\r\n\r\n")

    def pause(self, seconds: float = PATIENCE) -> None:
        """Wait, at most until the server is stopped."""
        self.server.stopping.wait(seconds)

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            if not self._more():
                return None
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _exactly(self, length: int) -> bytes:
        while len(self._buffer) < length and self._more():
            pass
        found, self._buffer = self._buffer[:length], self._buffer[length:]
        return found

    def _chunked(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n") or b"0", 16):
            body += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return body

    def _more(self) -> bool:
        piece = self._sock.recv(65_536)
        self._buffer += piece
        return bool(piece)

    def send(self, data: bytes) -> None:
        """Send it all; how much the system took is counted in the server's `sent`."""
        view = memoryview(data)
        while view:
            taken = self._sock.send(view)
            self.server.sent += taken
            view = view[taken:]

    def drip(self, piece: bytes, every: float = 0.05) -> None:
        """Send `piece` over and over, with pauses, until the client has enough or the server is stopped."""
        while not self.server.stopping.wait(every):
            self.send(piece)

    def hold(self) -> None:
        """Say nothing more, until the client closes or the server is stopped."""
        while self._sock.recv(65_536):
            pass

    def forward(self, port: int) -> None:
        """Become a tunnel to a port of this machine, until either end closes."""
        with socket.create_connection(("127.0.0.1", port)) as far, selectors.DefaultSelector() as selector:
            other = {self._sock: far, far: self._sock}
            for sock in other:
                selector.register(sock, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    sock = cast("socket.socket", key.fileobj)
                    if not (piece := sock.recv(65_536)):
                        return
                    other[sock].sendall(piece)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


Play = Callable[[Peer], None]


class HostileServer:
    """Plays `play` on every connection to `127.0.0.1:port`, each in a thread of its own.

    `tls` makes it speak TLS first; a handshake that fails is the client's business. Leaving the context ends every
    thread and socket, and raises what a play raised.
    """

    def __init__(self, play: Play, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Recorded] = []
        self.accepted = 0
        self.sent = 0
        self.stopping = threading.Event()
        self._play = play
        self._tls = tls
        self._changed = threading.Condition()
        self._open: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._errors: list[Exception] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.scheme = "http" if tls is None else "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def record(self, recorded: Recorded) -> None:
        with self._changed:
            self.requests.append(recorded)
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[HostileServer], bool]) -> None:
        """Wait for what other threads bring about; an AssertionError if they do not."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), PATIENCE)

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        # The acceptor is woken by shutting its socket down, the others by shutting theirs.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        self._listener.close()
        with self._changed:
            for sock in self._open.values():
                with contextlib.suppress(OSError):
                    # Past ssl.SSLSocket.shutdown, which would take the session away from the thread that uses it.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)
        if self._errors and error is None:
            raise self._errors[0]

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="hostile-server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self.accepted += 1
                number = self.accepted
                self._open[number] = sock
                self._changed.notify_all()
            self._start(lambda sock=sock, number=number: self._serve(sock, number))  # type: ignore[misc]

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                with self._changed:
                    self._open[number] = sock
                sock.do_handshake()
            self._play(Peer(self, sock, number))
        except OSError:
            pass  # the client went away, or the server was stopped
        except Exception as error:
            self._errors.append(error)
        finally:
            sock.close()
            with self._changed:
                del self._open[number]
                self._changed.notify_all()


def http(status: int, body: bytes = b"", *fields: str, kind: str = "application/json", reason: str = "Said") -> bytes:
    """A well-formed answer with a Content-Length; `fields` are further header lines."""
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *fields]
    return head(*lines) + body


def head(*lines: str) -> bytes:
    """A status line and header lines, and nothing more."""
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


def answers(*raw: bytes) -> Play:
    """Answer each request of each connection in turn, the last answer again and again; keep the connection."""

    def play(peer: Peer) -> None:
        served = 0
        while peer.request() is not None:
            peer.send(raw[min(served, len(raw) - 1)])
            served += 1

    return play


def closing(raw: bytes) -> Play:
    """Answer one request, then close."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(raw)

    return play


def holding(raw: bytes) -> Play:
    """Say `raw` after one request, then nothing more."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(raw)
        peer.hold()

    return play


def resetting(raw: bytes = b"") -> Play:
    """Say `raw` after one request, then reset the connection."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(raw)
        time.sleep(0.02)  # a reset throws away what the client has not read yet
        peer.reset()

    return play


def dripping(start: bytes, piece: bytes, every: float = 0.05) -> Play:
    """Say `start` after one request, then `piece` over and over, with pauses."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(start)
        peer.drip(piece, every)

    return play


def flooding(start: bytes, piece: bytes, times: int, end: bytes = b"") -> Play:
    """Say `start` after one request, then `piece` so many times without a pause, then `end`, then close."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(start)
        for _ in range(times):
            peer.send(piece)
        peer.send(end)

    return play


def silent(peer: Peer) -> None:
    """Take the connection and whatever comes, and never say anything."""
    peer.hold()


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """A port of this machine that is taken, so that nobody else gets it, and on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        yield port


@contextlib.contextmanager
def full_port() -> Iterator[int]:
    """A port of this machine whose queue is full: further connections are neither made nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = listener.getsockname()[1]
        for _ in range(4):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(("127.0.0.1", port))
        time.sleep(0.02)  # until the queue is as full as it gets
        yield port
