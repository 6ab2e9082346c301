"""Serves a sandbox over HTTP/1.1 on a loopback port: h11 over blocking sockets, one thread for each connection.

    with SandboxServer(Sandbox(env=system_env())) as server:
        client = Client(identity, provider=X.at(server.base_url))

It is for tests and demonstrations, and listens on this machine only.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from types import TracebackType
from typing import Protocol, Self

try:
    import h11
except ModuleNotFoundError:
    raise ModuleNotFoundError("the sandbox server needs h11: pip install 'sansauth[trio]'", name="h11") from None

from sansauth.env import Env
from sansauth.errors import LocalProtocolError
from sansauth.http import Request, Response
from sansauth.testing.x_answers import TIMESTAMP_OUT_OF_BOUNDS
from sansauth.url import Url, parse_url

__all__ = ["Handler", "SandboxServer"]

BODY_BYTES = 1 << 20  # of a request
HEAD_BYTES = 1 << 16  # of its request line and headers
READ_BYTES = 1 << 16
IDLE_SECONDS = 60.0  # without a byte from the client
LINGER_BYTES = 64 << 20  # read and thrown away, so that a client that is still sending gets its refusal
LINGER_SECONDS = 2.0
CLOCK_SECONDS = 60.0  # that a sandbox's clock may be away from this machine's before a client's is in doubt
STOP_SECONDS = 10.0  # to wait for a thread; none takes long once its socket is shut down

_log = logging.getLogger(__name__)


class Handler(Protocol):
    """What can be served: `sansauth.testing.Sandbox`, or anything else that answers a Request.

    If it has a `delay`, its answers go out that many seconds after they are made. If it has an `env` whose clock is not
    this machine's, and refuses a timestamp for that, the log says so.
    """

    def handle(self, request: Request, /) -> Response:
        """Answer a request. Calls never overlap."""
        ...


class SandboxServer:
    """Serves `sandbox` at `base_url` between `start()` and `stop()`, or within a `with` block.

    `host` is a loopback name or address; port 0 takes a free one. `stop()` ends every connection and waits for its
    threads; a server that was stopped can be started again.

    The clocks of the sandbox and of clients that sign must agree: serve `Sandbox(env=system_env())`, or give the client
    the clock of a `Sandbox()`, which stands still, as `env=sandbox.env`.
    """

    def __init__(self, sandbox: Handler, *, host: str = "127.0.0.1", port: int = 0) -> None:
        if not parse_url(f"http://{_bracketed(host)}/").is_loopback:
            raise LocalProtocolError(f"the sandbox is served on this machine only; {host!r} is no loopback address")
        if not 0 <= port <= 65535:
            raise LocalProtocolError(f"a port is 1 to 65535, or 0 for a free one; not {port}")
        self.sandbox = sandbox
        self._address = (host, port)
        self._listening: _Listening | None = None

    @property
    def base_url(self) -> str:
        """Where it is served: `http://127.0.0.1:PORT`. `LocalProtocolError` while it is not."""
        if self._listening is None:
            raise LocalProtocolError("the sandbox server has no address until it is started")
        return self._listening.origin.origin

    def start(self) -> None:
        """Listen. `OSError` if the port is taken, `LocalProtocolError` if the server listens already."""
        if self._listening is not None:
            raise LocalProtocolError(f"the sandbox server listens already, at {self.base_url}")
        self._listening = _Listening(self.sandbox, *self._address)

    def stop(self) -> None:
        """Stop listening, end every connection, join every thread. Harmless when it was not started."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Listening:
    """The time from start to stop: a listening socket, the thread that accepts, and the live connections."""

    def __init__(self, handler: Handler, host: str, port: int) -> None:
        self._handler = handler
        self._turn = threading.Lock()  # a sandbox takes one request at a time
        self._stopping = threading.Event()
        self._registry = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=128)
        self._listener.setblocking(False)
        self.origin = parse_url(f"http://{_bracketed(host)}:{self._listener.getsockname()[1]}")
        # Closing a socket does not wake a thread that waits on it; a second socket does, on every system.
        self._waker, self._alarm = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="sansauth sandbox", daemon=True)
        self._acceptor.start()

    def answer(self, request: Request) -> Response | None:
        """The handler's answer, after its delay; None if the server stops meanwhile."""
        with self._turn:
            try:
                response = self._handler.handle(request)
                if not 200 <= response.status <= 599:
                    raise LocalProtocolError(f"a final answer has a status of 200 to 599, not {response.status}")
                if response.body == TIMESTAMP_OUT_OF_BOUNDS.body:
                    _log_other_clock(self._handler)
            except Exception:
                _log.exception("the handler failed on %r", request)
                response = _plain(500, "the handler failed; see the log of sansauth_io.sandbox_server")
        # Outside the lock: one late answer does not make the others late.
        delay = float(getattr(self._handler, "delay", 0.0))
        return None if self._stopping.wait(delay) else response

    def close(self) -> None:
        self._stopping.set()
        self._waker.close()
        self._acceptor.join(STOP_SECONDS)
        self._alarm.close()
        self._listener.close()
        with self._registry:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client has closed it
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._alarm, selectors.EVENT_READ)
            while self._alarm not in [key.fileobj for key, _ in selector.select()]:
                with contextlib.suppress(OSError):  # the client has gone again
                    self._begin(self._listener.accept()[0])

    def _begin(self, connection: socket.socket) -> None:
        thread = threading.Thread(
            target=self._serve, args=(connection,), name="sansauth sandbox connection", daemon=True
        )
        self._threads = [*(before for before in self._threads if before.is_alive()), thread]
        with self._registry:
            self._open.add(connection)
        thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.settimeout(IDLE_SECONDS)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _Conversation(connection, self).run()
            except OSError:
                pass  # the client has gone or went silent, or the server stops: nobody is left to be told
            finally:
                # Before it is closed, so that close() shuts down none but open sockets.
                with self._registry:
                    self._open.remove(connection)


class _Conversation:
    """One connection: requests and answers in turn, until one side closes it."""

    def __init__(self, connection: socket.socket, server: _Listening) -> None:
        self._socket = connection
        self._server = server
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)

    def run(self) -> None:
        while self._exchange():
            self._http.start_next_cycle()

    def _exchange(self) -> bool:
        """One request and its answer; gives whether another may follow."""
        try:
            head = self._next_event()
            if not isinstance(head, h11.Request):
                return False
            body = self._read_body(head)
        except h11.RemoteProtocolError as error:
            return self._hang_up(_plain(error.error_status_hint, f"not HTTP/1.1: {error}"))
        if body is None:
            return self._hang_up(_plain(413, f"a request's body is at most {BODY_BYTES} bytes"))
        request = _build_request(head, body, self._server.origin)
        response = request if isinstance(request, Response) else self._server.answer(request)
        if response is None:
            return False
        self._send(response, with_body=head.method != b"HEAD")
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def _read_body(self, head: h11.Request) -> bytes | None:
        """The whole body; None if it is too long."""
        announced = dict(head.headers).get(b"content-length", b"0")
        if int(announced) > BODY_BYTES:  # h11 has checked that it is a number of at most 20 digits
            return None
        body = bytearray()
        while isinstance(event := self._next_event(), h11.Data):
            body += event.data
            if len(body) > BODY_BYTES:
                return None
        return bytes(body)

    def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                go_ahead = h11.InformationalResponse(status_code=100, headers=[])
                self._socket.sendall(self._http.send(go_ahead) or b"")
            self._http.receive_data(self._socket.recv(READ_BYTES))
        return event

    def _send(self, response: Response, *, with_body: bool) -> None:
        fields = [
            (name, value) for name, value in response.headers if name not in {"content-length", "transfer-encoding"}
        ]
        has_content = response.status not in {204, 304}  # RFC 9110 sections 15.3.5 and 15.4.5
        if has_content:
            fields.append(("content-length", str(len(response.body))))
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in fields]
        wire = self._http.send(h11.Response(status_code=response.status, headers=encoded)) or b""
        if has_content and with_body:
            wire += self._http.send(h11.Data(data=response.body)) or b""
        self._socket.sendall(wire + (self._http.send(h11.EndOfMessage()) or b""))

    def _hang_up(self, refusal: Response) -> bool:
        """Refuse a request that was not read to its end; nothing can follow it on this connection."""
        self._send(
            Response(refusal.status, refusal.headers.replacing("connection", "close"), refusal.body), with_body=True
        )
        # Closed with bytes unread, TCP resets the connection, and the reset may overtake the refusal.
        self._socket.shutdown(socket.SHUT_WR)
        self._socket.settimeout(LINGER_SECONDS)
        left = LINGER_BYTES
        while left > 0 and (thrown_away := self._socket.recv(READ_BYTES)):
            left -= len(thrown_away)
        return False


def _build_request(head: h11.Request, body: bytes, origin: Url) -> Request | Response:
    """The request as the client means it, or the refusal of one that cannot be meant for this server."""
    target = head.target.decode("ascii")
    headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers]
    host = dict(headers).get("host", origin.authority)
    if not target.startswith("/") or "#" in target:
        return _plain(400, "the request target is not a path and a query")
    if set(host) & set("/?#"):
        return _plain(400, "the Host header is not a host and a port")
    try:
        claimed = parse_url(f"http://{host}")
        if not claimed.is_loopback or claimed.port != origin.port:
            # A web page that a rebound name leads here must not be answered (RFC 9110 section 7.4).
            return _plain(421, f"this is {origin.authority}, not the host of the request")
        # The client's own name for this server, because that is what it signed.
        return Request(head.method.decode("ascii"), claimed.origin + target, headers, body)
    except LocalProtocolError as error:
        return _plain(400, str(error))


def _log_other_clock(handler: Handler) -> None:
    """Say so if the handler's clock, and not the client's, is the likely reason why a timestamp was refused."""
    env = getattr(handler, "env", None)  # its `skew` does not count: that is a fault made on purpose
    seconds = abs(time.time() - env.clock()) if isinstance(env, Env) else 0.0
    if seconds > CLOCK_SECONDS:
        _log.warning(
            "a timestamp was refused by a sandbox whose clock is %d seconds away from this machine's. "
            "Serve Sandbox(env=system_env()), or give the client env=sandbox.env.",
            seconds,
        )


def _plain(status: int, text: str) -> Response:
    return Response(status, {"content-type": "text/plain; charset=utf-8"}, f"{text}\n".encode())


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
