"""The sandbox over real sockets: what is sent is what is handled, and what is answered is what arrives."""

import contextlib
import http.client
from collections.abc import Callable, Iterator

import pytest

from sansauth import Bearer, Flow, Provider, Request, Response
from sansauth.effects import Operation
from sansauth.errors import NotFound
from sansauth.oauth1 import sign
from sansauth.testing import Sandbox
from sansauth.x import X, invalidate_token, reverse_token, token
from sansauth_io import system_env
from sansauth_io.sandbox_server import BODY_BYTES, SandboxServer

from .sandbox_serving import SECONDS, Recorder, authority, connect, exchange, get, read_all, status
from .transports import adapter

VERIFY = "/1.1/account/verify_credentials.json"


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def server(recorder: Recorder) -> Iterator[SandboxServer]:
    with SandboxServer(recorder) as server:
        yield server


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(env=system_env())


@pytest.fixture
def served(sandbox: Sandbox) -> Iterator[SandboxServer]:
    with SandboxServer(sandbox) as server:
        yield server


def client(server: SandboxServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(authority(server), timeout=SECONDS)


def send(connection: http.client.HTTPConnection, request: Request) -> Response:
    connection.request(request.method, request.target, request.body or None, dict(request.headers))
    answer = connection.getresponse()
    return Response(answer.status, answer.getheaders(), answer.read())


def run(connection: http.client.HTTPConnection, operation: Operation[str]) -> str:
    flow = Flow(operation)
    flow.receive(send(connection, flow.request))
    return flow.result


def test_the_three_operations_work_over_one_connection(served: SandboxServer, sandbox: Sandbox) -> None:
    provider, env = X.at(served.base_url), system_env()
    with contextlib.closing(client(served)) as connection:
        issued = run(connection, token(sandbox.app, provider=provider))
        used = connection.sock
        assert run(connection, token(sandbox.app, provider=provider)) == issued
        assert run(connection, reverse_token(sandbox.app, provider=provider, env=env)).startswith("OAuth ")
        assert run(connection, invalidate_token(sandbox.user, issued, provider=provider, env=env)) == issued
        assert run(connection, token(sandbox.app, provider=provider)) != issued
        assert connection.sock is used is not None


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_signature_is_judged_by_the_name_the_client_used(served: SandboxServer, sandbox: Sandbox, name: str) -> None:
    env = system_env()
    url = f"{served.base_url}{VERIFY}?name=S%C3%B8ren%20%2B%7e".replace("127.0.0.1", name)
    request = sign(Request("GET", url), sandbox.user, timestamp=env.timestamp(), nonce=env.nonce())
    with contextlib.closing(client(served)) as connection:
        answer = send(connection, request.with_header("host", request.parsed.authority))
        assert answer.status == 200
        assert answer.headers["x-rate-limit-remaining"] == "899"
        assert answer.headers["date"].endswith(" GMT")
        assert send(connection, request.with_header("host", request.parsed.authority)).status == 401


def test_the_handler_gets_what_was_on_the_wire(server: SandboxServer, recorder: Recorder) -> None:
    body = bytes(range(256))
    raw = get("/a%2fb;c?x=%7E&x&y=%20", "X-Odd: \xe9", "Cookie: a", "Cookie: b", "Content-Length: 256", method="PATCH")
    assert status(exchange(server, raw + body)) == 200
    (request,) = recorder.requests
    assert (request.method, request.target, request.body) == ("PATCH", "/a%2Fb;c?x=%7E&x&y=%20", body)
    assert request.origin == server.base_url
    assert request.headers["x-odd"] == "é"
    assert request.headers.get_all("cookie") == ["a", "b"]


def test_a_chunked_body_is_read_whole(server: SandboxServer, recorder: Recorder) -> None:
    raw = get("/", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    assert status(exchange(server, raw)) == 200
    assert recorder.requests[0].body == b"abcde"


def test_requests_in_a_row_are_answered_in_their_order(server: SandboxServer, recorder: Recorder) -> None:
    recorder.answer = lambda request: Response(200, (), request.target.encode())
    told = exchange(server, get("/1") + get("/2") + get("/3", "Connection: close") + get("/4"))
    assert told.count(b"HTTP/1.1 200") == 3
    assert told.index(b"/1") < told.index(b"/2") < told.index(b"/3")
    assert [request.target for request in recorder.requests] == ["/1", "/2", "/3"]


def test_http_1_0_is_answered_and_closed(server: SandboxServer, recorder: Recorder) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /old HTTP/1.0\r\n\r\n")
        told = read_all(connection)
    assert told.endswith(b"done")
    assert recorder.requests[0].url == server.base_url + "/old"


def test_head_is_answered_without_the_body_but_with_its_length(server: SandboxServer, recorder: Recorder) -> None:
    with connect(server) as connection:
        connection.sendall((get("/", method="HEAD") + get("/", "Connection: close")).replace(
            b"HOST", authority(server).encode()))  # fmt: skip
        head, second, rest = read_all(connection).split(b"\r\n\r\n")
    assert b"content-length: 4" in head
    assert second.startswith(b"HTTP/1.1 200")
    assert rest == b"done"
    assert [request.method for request in recorder.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize("without_content", [204, 304])
def test_an_answer_without_content_has_neither_body_nor_length(
    server: SandboxServer, recorder: Recorder, without_content: int
) -> None:
    recorder.answer = lambda request: Response(without_content, {"content-length": "4"}, b"lost")
    told = exchange(server, get("/") + get("/"))
    assert told.count(b"HTTP/1.1 %d" % without_content) == 2
    assert b"content-length" not in told
    assert b"lost" not in told


def test_the_length_is_counted_and_not_believed(server: SandboxServer, recorder: Recorder) -> None:
    recorder.answer = lambda request: Response(
        200,
        [("content-length", "999"), ("transfer-encoding", "chunked"), ("set-cookie", "a"), ("set-cookie", "é")],
        b"x",
    )
    told = exchange(server, get("/"))
    assert told.count(b"content-length") == 1
    assert b"content-length: 1\r\n" in told
    assert b"transfer-encoding" not in told
    assert b"set-cookie: a\r\nset-cookie: \xe9\r\n" in told


def test_a_client_that_waits_is_told_to_continue(server: SandboxServer, recorder: Recorder) -> None:
    with connect(server) as connection:
        raw = get("/", "Content-Length: 4", "Expect: 100-continue", "Connection: close", method="POST")
        connection.sendall(raw.replace(b"HOST", authority(server).encode()))
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(b"body")
        assert status(read_all(connection)) == 200
    assert recorder.requests[0].body == b"body"


def test_a_body_of_the_limit_is_taken(server: SandboxServer, recorder: Recorder) -> None:
    raw = get("/", f"Content-Length: {BODY_BYTES}", method="POST") + b"x" * BODY_BYTES
    assert status(exchange(server, raw)) == 200
    assert len(recorder.requests[0].body) == BODY_BYTES


def test_an_upgrade_is_not_taken_up(server: SandboxServer) -> None:
    told = exchange(server, get("/", "Connection: Upgrade", "Upgrade: h2c") + get("/"))
    assert told.count(b"HTTP/1.1 200") == 2


def broken(request: Request) -> Response:
    raise RuntimeError("the handler broke")


@pytest.mark.parametrize("answer", [broken, lambda request: Response(101), lambda request: Response(600)])
def test_a_handler_that_fails_is_a_500_and_logged(
    server: SandboxServer, recorder: Recorder, caplog: pytest.LogCaptureFixture, answer: Callable[[Request], Response]
) -> None:
    recorder.answer = answer
    told = exchange(server, get("/") + get("/"))
    assert told.count(b"HTTP/1.1 500") == 2
    assert [record.name for record in caplog.records] == ["sansauth_io.sandbox_server"] * 2
    assert "RuntimeError" in caplog.text or "status of 200 to 599" in caplog.text


def test_faults_reach_the_wire(served: SandboxServer, sandbox: Sandbox) -> None:
    sandbox.fail_next(503)
    told = exchange(served, get(VERIFY) + get(VERIFY))
    first, second = told.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"503")
    assert first.endswith(b'{"errors":[{"code":130,"message":"Over capacity"}]}')
    assert second.startswith(b"400")


def test_it_is_an_issuer_with_a_path_if_its_sandbox_is() -> None:
    """RFC 8414 section 3.1."""
    client = adapter("requests").Client(Bearer("t"))
    with SandboxServer(Sandbox(env=system_env(), path="/tenant")) as server, client as asking:
        provider = asking.run(Provider.discover(f"{server.base_url}/tenant"))
        assert provider.issuer == f"{server.base_url}/tenant"
        assert provider.endpoint("token") == f"{server.base_url}/tenant/2/oauth2/token"
        with pytest.raises(NotFound):
            asking.run(Provider.discover(server.base_url))
