"""The sandbox server's beginning and end, and its threads in between."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from sansauth import Request, Response
from sansauth.errors import InvalidURL, LocalProtocolError
from sansauth_io import sandbox_server
from sansauth_io.sandbox_server import SandboxServer

from .sandbox_serving import SECONDS, Recorder, authority, connect, exchange, get, ours, read_all, status


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def server(recorder: Recorder) -> Iterator[SandboxServer]:
    with SandboxServer(recorder) as server:
        yield server


def test_calls_of_the_handler_never_overlap(server: SandboxServer, recorder: Recorder) -> None:
    meeting = threading.Barrier(2)
    met: list[bool] = []

    def meet(request: Request) -> Response:
        try:
            meeting.wait(0.2)  # as long as the other request may take to come in
        except threading.BrokenBarrierError:
            met.append(False)
        else:
            met.append(True)
        return Response(200)

    recorder.answer = meet
    with connect(server) as one, connect(server) as other:
        for connection in (one, other):
            connection.sendall(get("/", "Connection: close").replace(b"HOST", authority(server).encode()))
        assert [status(read_all(connection)) for connection in (one, other)] == [200, 200]
    assert met == [False, False]


def test_one_late_answer_does_not_make_the_others_late(server: SandboxServer, recorder: Recorder) -> None:
    handled = threading.Event()

    def late(request: Request) -> Response:
        recorder.delay = 3600.0 if request.target == "/late" else 0.0
        handled.set()
        return Response(200)

    recorder.answer = late
    with connect(server) as connection:
        connection.sendall(get("/late").replace(b"HOST", authority(server).encode()))
        assert handled.wait(SECONDS)
        # The first answer's delay is read after its handling; this one's handling sets the delay of its own.
        assert status(exchange(server, get("/"))) == 200


def test_an_answer_is_as_late_as_the_handler_says(server: SandboxServer, recorder: Recorder) -> None:
    recorder.delay = 0.05
    begin = time.monotonic()
    assert status(exchange(server, get("/"))) == 200
    assert time.monotonic() - begin >= 0.05


def test_stopping_ends_idle_and_waiting_connections_and_their_threads() -> None:
    handled = threading.Event()

    def noted(request: Request) -> Response:
        handled.set()
        return Response(200)

    recorder = Recorder(noted)
    recorder.delay = 3600.0
    server = SandboxServer(recorder)
    server.start()
    with connect(server) as idle, connect(server) as half, connect(server) as waiting:
        half.sendall(b"GET / HTTP/1.1\r\n")
        waiting.sendall(get("/").replace(b"HOST", authority(server).encode()))
        assert handled.wait(SECONDS)
        address = server.base_url
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < SECONDS / 2
        assert ours() == []
        assert [read_all(connection) for connection in (idle, waiting)] == [b"", b""]
        read_all(half)
    with pytest.raises(LocalProtocolError, match="no address until it is started"):
        _ = server.base_url
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=SECONDS)


def test_a_server_starts_once_at_a_time_and_again_after_a_stop(recorder: Recorder) -> None:
    server = SandboxServer(recorder)
    server.stop()
    with server:
        with pytest.raises(LocalProtocolError, match=f"listens already, at {server.base_url}"):
            server.start()
        assert status(exchange(server, get("/1"))) == 200
    server.stop()
    with server:
        assert status(exchange(server, get("/2"))) == 200
    assert [request.target for request in recorder.requests] == ["/1", "/2"]
    assert ours() == []


def test_a_port_that_is_taken_is_an_os_error(server: SandboxServer, recorder: Recorder) -> None:
    second = SandboxServer(recorder, port=int(authority(server).rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        second.start()
    assert len(ours()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.test"])
def test_only_loopback_is_served(recorder: Recorder, host: str) -> None:
    with pytest.raises(LocalProtocolError, match="this machine only"):
        SandboxServer(recorder, host=host)


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_a_port_that_is_none_is_refused(recorder: Recorder, port: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"1 to 65535.*not {port}"):
        SandboxServer(recorder, port=port)


def test_a_host_that_is_none_is_refused(recorder: Recorder) -> None:
    with pytest.raises(InvalidURL):
        SandboxServer(recorder, host="127.0.0.1/")


def test_ipv6_is_served_where_there_is_one(recorder: Recorder) -> None:
    server = SandboxServer(recorder, host="::1")
    try:
        server.start()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    try:
        assert server.base_url.startswith("http://[::1]:")
        assert status(exchange(server, get("/x"))) == 200
        assert recorder.requests[0].url == server.base_url + "/x"
    finally:
        server.stop()


def test_a_handler_needs_no_delay() -> None:
    class Bare:
        def handle(self, request: Request) -> Response:
            return Response(204)

    with SandboxServer(Bare()) as server:
        assert status(exchange(server, get("/"))) == 204


def test_a_client_that_leaves_is_not_missed(server: SandboxServer) -> None:
    with connect(server):
        pass
    with connect(server) as connection:
        connection.sendall(b"GET / HT")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with a reset
    assert status(exchange(server, get("/"))) == 200


def test_a_client_that_says_nothing_is_left(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_server, "IDLE_SECONDS", 0.01)
    with connect(server) as connection:
        assert connection.recv(1) == b""
