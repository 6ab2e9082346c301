"""The clients as objects: contexts, environment, and what only one of the transports has."""

from __future__ import annotations

import ssl
import zlib
from typing import Any

import pytest

from sansauth.effects import Timeouts
from sansauth.errors import ConnectError, RemoteProtocolError, ResponseTooLarge, TimedOut
from sansauth.http import Request
from sansauth.x import X
from sansauth_io import _wire

from .conftest import Authority
from .hostile_answers import TOKEN
from .hostile_server import HostileServer, Peer, answers, closing, dripping, head, http
from .oauth1_oracle import accepts
from .transports import APP, USER, USERS_SESSION, Kit, adapter, event_loop, every_kit, library

pytestmark = pytest.mark.usefixtures("loopback")


@every_kit
def test_the_environments_proxy_serves_what_is_ours(
    kit: Kit, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tunnel(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        peer.forward(server.port)

    with (
        HostileServer(answers(http(200, TOKEN)), tls=authority.server("127.0.0.1")) as server,
        HostileServer(tunnel) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with kit.open(server.url, USER) as client:
            assert client.token() == "planted-answered-token"
            client.get("/a/../b")
        assert accepts(server.requests[1], USER, scheme="https")
        assert server.requests[1].target == "/a/../b"
        # The trio transport has no proxies.
        assert [one.method for one in proxy.requests] == ([] if kit.name == "trio" else ["CONNECT"])


@pytest.mark.parametrize("kit", [kit for kit in every_kit.args[1] if kit.name != "trio"], ids=lambda kit: kit.name)
def test_a_proxy_that_drips_or_refuses_is_no_answer_of_the_service(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    with HostileServer(closing(http(403, b"planted-answered-token"))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with kit.open("https://127.0.0.1:1", USER) as client, pytest.raises(ConnectError) as caught:
            client.token()
        assert not caught.value.sent
        assert "planted" not in str(caught.value)


def test_our_requests_session_has_one_deadline_for_a_proxys_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with HostileServer(dripping(b"HTTP/1.1 200 ", b"O")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        timeouts = Timeouts(connect=5.0, read=5.0, total=0.3)
        kit = every_kit.args[1][0]
        with kit.open("https://127.0.0.1:1", USER, timeouts) as client, pytest.raises(TimedOut) as caught:
            client.token()
        assert not caught.value.sent


def test_a_requests_client_is_a_context_and_leaves_a_users_session_open() -> None:
    module, session = adapter("requests"), library("requests").Session()
    with HostileServer(answers(http(200, TOKEN))) as server, session:
        with module.Client(APP, provider=X.at(server.url), session=session) as client:
            client.token()
        assert session.get(server.url, timeout=5).status_code == 200
        assert server.accepted == 1


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_httpx_client_is_a_context_and_leaves_a_users_client_open(name: str, backend: str) -> None:
    cls, module = adapter(name).AsyncClient, library(name)

    async def use(url: str) -> int:
        async with cls(APP, provider=X.at(url)) as client:
            await client.token()
        async with module.AsyncClient() as theirs:
            async with cls(APP, provider=X.at(url), client=theirs) as client:
                await client.token()
            status: int = (await theirs.get(url)).status_code
            return status

    with HostileServer(answers(http(200, TOKEN))) as server, event_loop(backend) as start:
        assert start(lambda: use(server.url)).result() == 200
        assert server.accepted == 2
        server.wait_until(lambda server: server.open_connections == 0)


def test_the_trio_client_is_a_context() -> None:
    cls = adapter("trio").AsyncClient

    async def use(url: str) -> str:
        async with cls(APP, provider=X.at(url)) as client:
            token: str = await client.token()
            return token

    with HostileServer(answers(http(200, TOKEN))) as server, event_loop("trio") as start:
        assert start(lambda: use(server.url)).result() == "planted-answered-token"
        server.wait_until(lambda server: server.open_connections == 0)


@pytest.mark.parametrize("installed", ["nothing", "an empty directory", "a file"])
def test_on_trio_the_roots_are_the_systems_or_else_certifis(
    installed: str, authority: Authority, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter("trio")
    from sansauth_io._trio_transport import default_ssl_context

    paths = ssl.get_default_verify_paths()._replace(
        cafile=authority.pem if installed == "a file" else None,
        capath=str(tmp_path) if installed == "an empty directory" else None,
    )
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    context = default_ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    # certifi has more than a hundred roots, our own authority is one.
    assert (context.cert_store_stats()["x509_ca"] > 1) is (installed != "a file")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_on_a_users_requests_session_two_lengths_in_one_are_refused_too() -> None:
    # urllib3 raises in the middle of making its response, and leaves the socket to the garbage collector.
    raw = head("HTTP/1.1 200 OK", "Content-Length: 9, 5")
    with (
        HostileServer(closing(raw)) as server,
        USERS_SESSION.open(server.url) as client,
        pytest.raises(RemoteProtocolError, match="Content-Length"),
    ):
        client.token()


# ---------------------------------------------------------------- the answer as it comes in, without a socket


def answer(*fields: tuple[str, str], method: str = "GET", status: int = 200) -> _wire.Answer:
    return _wire.Answer(Request(method, "http://127.0.0.1/"), status, fields)


def feed(incoming: _wire.Answer, data: bytes, size: int) -> None:
    for start in range(0, len(data), size):
        incoming.add(data[start : start + size])


def gzipped(data: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return deflate.compress(data) + deflate.flush()


def test_an_answer_of_the_limit_is_accepted_and_of_a_byte_more_refused() -> None:
    limit = _wire.MAX_RESPONSE_BYTES
    for body, fields in ((bytes(limit), []), (gzipped(bytes(limit)), [("Content-Encoding", "gzip")])):
        whole = answer(*fields)
        whole.add(body)
        assert len(whole.response().body) == limit
    for body, fields in ((bytes(limit + 1), []), (gzipped(bytes(limit + 1)), [("Content-Encoding", "gzip")])):
        with pytest.raises(ResponseTooLarge):
            answer(*fields).add(body)
    with pytest.raises(ResponseTooLarge):
        answer(("Content-Length", str(limit + 1)))


def test_a_gzip_bomb_is_never_unpacked_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[int] = []

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._inner = zlib.decompressobj(wbits)

        def decompress(self, piece: bytes, most: int) -> bytes:
            plain = self._inner.decompress(piece, most)
            unpacked.append(len(plain))
            return plain

        eof = property(lambda self: self._inner.eof)
        unused_data = property(lambda self: self._inner.unused_data)

    class Zlib:
        decompressobj = Counting
        error = zlib.error

    monkeypatch.setattr(_wire, "zlib", Zlib)
    bomb = gzipped(bytes(200_000_000))
    incoming = answer(("Content-Encoding", "gzip"))
    with pytest.raises(ResponseTooLarge):
        feed(incoming, bomb, 65_536)
    assert sum(unpacked) == _wire.MAX_RESPONSE_BYTES + 1


def test_many_empty_gzip_members_count_as_what_they_weigh_on_the_wire() -> None:
    incoming = answer(("Content-Encoding", "gzip"))
    members = gzipped(b"") * (_wire.MAX_RESPONSE_BYTES // 20 + 1)
    with pytest.raises(ResponseTooLarge):
        feed(incoming, members, 65_536)


def test_a_gzipped_answer_may_come_in_any_pieces_or_not_at_all() -> None:
    packed = gzipped(b"one") + gzipped(b"two")
    for size in (1, 2, 7, 1000):
        incoming = answer(("Content-Encoding", "x-gzip"))
        feed(incoming, packed, size)
        assert incoming.response().body == b"onetwo"
    assert answer(("Content-Encoding", "gzip"), status=304).response().body == b""


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304), ("GET", 204)])
def test_a_length_of_what_is_not_sent_is_no_matter(method: str, status: int) -> None:
    assert answer(("Content-Length", "99999999"), method=method, status=status).response().body == b""
