"""What the sandbox server does not take: too much, no HTTP, and requests that are meant for another host."""

from collections.abc import Iterator

import pytest

from sansauth_io import sandbox_server
from sansauth_io.sandbox_server import BODY_BYTES, SandboxServer

from .sandbox_serving import SECONDS, Recorder, authority, connect, exchange, get, ours, read_all, status


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def server(recorder: Recorder) -> Iterator[SandboxServer]:
    with SandboxServer(recorder) as server:
        yield server


def test_a_longer_body_is_refused_before_it_is_sent(server: SandboxServer, recorder: Recorder) -> None:
    with connect(server) as connection:
        raw = get("/", f"Content-Length: {BODY_BYTES + 1}", "Expect: 100-continue", method="POST")
        connection.sendall(raw.replace(b"HOST", authority(server).encode()))
        told = read_all(connection)
    assert status(told) == 413
    assert b"connection: close" in told
    assert recorder.requests == []


@pytest.mark.parametrize("framing", ["Content-Length: 8388608", "Transfer-Encoding: chunked"])
def test_a_client_that_sends_too_much_still_gets_its_refusal(
    server: SandboxServer, recorder: Recorder, framing: str
) -> None:
    chunk = b"800000\r\n" + b"x" * 0x800000 + b"\r\n0\r\n\r\n"
    told = exchange(server, get("/", framing, method="POST") + (chunk if "chunked" in framing else b"x" * 8388608))
    assert status(told) == 413
    assert recorder.requests == []


def test_nobody_is_listened_to_for_ever_after_a_refusal(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_server, "LINGER_BYTES", 1)
    monkeypatch.setattr(sandbox_server, "LINGER_SECONDS", 3600.0)
    with connect(server) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert status(read_all(connection)) == 400
        (listening,) = [thread for thread in ours() if thread.name.endswith("connection")]
        connection.sendall(b"as much as it takes")
        listening.join(SECONDS)
        assert not listening.is_alive()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: HOST\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 500\r\n\r\nfour", 400),
        (b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n", 400),
        (b"GET / HTTP", 400),
    ],
)
def test_what_is_not_http_is_refused_and_hung_up_on(
    server: SandboxServer, recorder: Recorder, raw: bytes, expected: int
) -> None:
    told = exchange(server, raw + get("/next"))
    assert status(told) == expected
    assert b"connection: close" in told
    assert told.count(b"HTTP/1.1 ") == 1
    assert recorder.requests == []


@pytest.mark.parametrize(
    "target", ["http://HOST/", "*", "//evil.test/", "/a\\b", "/#fragment", "/a?b#c", "evil.test:443", "x/y", "?x"]
)
def test_a_target_that_the_core_refuses_is_a_400_and_no_more(
    server: SandboxServer, recorder: Recorder, target: str
) -> None:
    told = exchange(server, get(target, method="CONNECT" if target.endswith(":443") else "OPTIONS") + get("/next"))
    assert status(told) == 400
    assert [request.target for request in recorder.requests] == ["/next"]


def test_a_header_that_the_core_refuses_is_a_400(server: SandboxServer, recorder: Recorder) -> None:
    assert status(exchange(server, get("/", "X-Odd: a\x01b"))) == 400
    assert recorder.requests == []


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("evil.test", 421),
        ("evil.test:PORT", 421),
        ("127.0.0.1.evil.test:PORT", 421),
        ("127.0.0.1", 421),
        ("127.0.0.1:1", 421),
        ("10.0.0.1:PORT", 421),
        ("user@127.0.0.1:PORT", 400),
        ("127.0.0.1:PORT/path", 400),
        ("127.0.0.1:PORT?query", 400),
        ("127.0.0.1:PORT#fragment", 400),
        ("evil.test\\@127.0.0.1:PORT", 400),
        ("127.0.0.1:PORT:1", 400),
        ("127.0.0.1:PORT", 200),
        ("LocalHost:PORT", 200),
        ("[::1]:PORT", 200),
        ("127.1.2.3:PORT", 200),
    ],
)
def test_only_this_server_on_this_machine_is_meant(
    server: SandboxServer, recorder: Recorder, host: str, expected: int
) -> None:
    host = host.replace("PORT", authority(server).rpartition(":")[2])
    assert status(exchange(server, f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())) == expected
    assert [request.url for request in recorder.requests] == ([f"http://{host.lower()}/x"] if expected == 200 else [])
