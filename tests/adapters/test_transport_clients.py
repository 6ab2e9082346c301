"""The clients as objects: contexts, environment, and what only one of the transports has."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from sansauth.effects import Timeouts
from sansauth.errors import (
    ConnectError,
    LocalProtocolError,
    RemoteProtocolError,
    ResponseTooLarge,
    TimedOut,
    TransportError,
)
from sansauth.http import Request
from sansauth.x import X
from sansauth_io import _wire

from .conftest import Authority
from .hostile_answers import TOKEN
from .hostile_server import HostileServer, Peer, answers, closing, dripping, full_port, head, http, refusing_port
from .oauth1_oracle import accepts
from .transports import APP, USER, USERS_SESSION, Kit, adapter, event_loop, every_kit, library

pytestmark = pytest.mark.usefixtures("loopback")

through_a_proxy = pytest.mark.parametrize(
    "kit", [kit for kit in every_kit.args[1] if kit.name != "trio"], ids=lambda kit: kit.name
)


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


@through_a_proxy
def test_a_proxy_that_drips_or_refuses_is_no_answer_of_the_service(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    with HostileServer(closing(http(403, b"planted-answered-token"))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with kit.open("https://127.0.0.1:1", USER) as client, pytest.raises(ConnectError) as caught:
            client.token()
        assert not caught.value.sent
        assert "planted" not in str(caught.value)

        assert "the proxy gave no connection" in str(caught.value)


@through_a_proxy
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_cannot_be_reached_is_not_called_the_service(
    kit: Kit, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_port() as port, HostileServer(answers(http(200, TOKEN))) as server:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://user:planted@127.0.0.1:{port}")
        with kit.open(f"{scheme}://127.0.0.1:{server.port}") as client, pytest.raises(ConnectError) as caught:
            client.token()
        assert server.accepted == 0
    assert "the proxy could not be reached: " in str(caught.value)
    assert "refused" in str(caught.value) or "failed" in str(caught.value)  # and why
    assert "planted" not in str(caught.value)
    assert not caught.value.sent


@through_a_proxy
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_never_takes_the_connection_is_timed_out_by_its_name(
    kit: Kit, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with full_port() as port:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://user:planted@127.0.0.1:{port}")
        timeouts = Timeouts(connect=0.25, read=8.0, total=8.0)
        with kit.open(f"{scheme}://127.0.0.1:1", timeouts=timeouts) as client, pytest.raises(TimedOut) as caught:
            client.token()
    assert "connecting to the proxy took longer than 0.25 s" in str(caught.value)
    assert "planted" not in str(caught.value)
    assert not caught.value.sent


@through_a_proxy
def test_a_proxy_that_was_reached_is_not_blamed_for_what_is_behind_it(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tunnel(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 Connected\r\n\r\nno TLS here")

    with HostileServer(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with kit.open("https://127.0.0.1:1") as client, pytest.raises(TransportError) as caught:
            client.token()
        assert len(proxy.requests) == 1
    assert "proxy" not in str(caught.value)


@every_kit
def test_without_a_proxy_no_proxy_is_blamed(kit: Kit) -> None:
    for url in ("http://127.0.0.1", "http://localhost"):
        with (
            refusing_port() as port,
            kit.open(f"{url}:{port}") as client,
            pytest.raises(ConnectError) as caught,
        ):
            client.token()
        assert "proxy" not in str(caught.value)


# ---------------------------------------------------------------- after closing, and elsewhere


@every_kit
def test_after_closing_a_client_of_ours_sends_nothing_more(kit: Kit) -> None:
    with HostileServer(answers(http(200, TOKEN))) as server, kit.open(server.url, USER) as client:
        client.token()
        client.close()
        if "users" in kit.name:  # the connections are the user's, and so is closing them
            client.token()
            return
        for call in (client.token, lambda: client.get("/x")):
            with pytest.raises(LocalProtocolError, match="this client is closed"):
                call()
        client.close()
        assert len(server.requests) == 1
        server.wait_until(lambda server: server.open_connections == 0)


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_users_httpx_client_that_its_owner_closed_is_told_to_be_closed(name: str, backend: str) -> None:
    cls, module = adapter(name).AsyncClient, library(name)

    async def use() -> None:
        async with module.AsyncClient() as theirs:
            client = cls(APP, client=theirs)
        await client.token()

    with event_loop(backend) as start, pytest.raises(LocalProtocolError, match="this client is closed"):
        start(use).result()


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
@pytest.mark.parametrize("owner", ["ours", "theirs"])
def test_on_asyncio_a_client_belongs_to_the_loop_that_used_it_first(name: str, owner: str) -> None:
    cls, module = adapter(name).AsyncClient, library(name)
    with HostileServer(answers(http(200, TOKEN))) as server, event_loop("asyncio") as start:
        client = cls(APP, provider=X.at(server.url), client=module.AsyncClient() if owner == "theirs" else None)
        assert start(client.token).result() == "planted-answered-token"
        with event_loop("asyncio") as elsewhere:
            calls = [client.token] if owner == "theirs" else [client.token, client.aclose]
            for call in calls:
                with pytest.raises(LocalProtocolError, match=r"another event loop; .* in each asyncio\.run\(\)"):
                    elsewhere(call).result()
        with event_loop("trio") as elsewhere, pytest.raises(LocalProtocolError, match="another event loop"):
            elsewhere(client.token).result()
        assert start(client.token).result() == "planted-answered-token"
        start(client._transport._client.aclose).result()
        assert (server.accepted, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("name", ["httpx", "httpx2", "trio"])
def test_on_trio_a_client_works_in_one_run_after_another(name: str) -> None:
    cls = adapter(name).AsyncClient
    with HostileServer(answers(http(200, TOKEN))) as server:
        client = cls(APP, provider=X.at(server.url))
        for call in (client.token, client.token, client.aclose):
            with event_loop("trio") as start:
                start(call).result()
        assert len(server.requests) == 2


def test_the_trio_client_says_which_one_asyncio_needs() -> None:
    client = adapter("trio").AsyncClient(APP)
    with event_loop("asyncio") as start:
        with pytest.raises(LocalProtocolError, match=r"under asyncio use sansauth_io\.httpx"):
            start(client.token).result()
        start(client.aclose).result()


# ---------------------------------------------------------------- what is not a session


@pytest.mark.parametrize(
    ("name", "argument", "made", "said"),
    [
        (
            "requests",
            "session",
            lambda: library("httpx").AsyncClient(),
            r"requests\.sessions\.Session, not httpx\.Async",
        ),
        ("requests", "session", lambda: "planted", r"requests\.sessions\.Session, not str"),
        ("requests", "session", lambda: library("requests").Session, r"requests\.sessions\.Session, not type"),
        ("httpx", "client", lambda: library("httpx").Client(), r"httpx\.AsyncClient, not httpx\.Client"),
        ("httpx", "client", lambda: library("httpx2").AsyncClient(), r"httpx\.AsyncClient, not httpx2\.AsyncClient"),
        ("httpx", "client", lambda: library("requests").Session(), r"httpx\.AsyncClient, not requests\.sessions\."),
        ("httpx2", "client", lambda: library("httpx2").Client(), r"httpx2\.AsyncClient, not httpx2\.Client"),
        ("httpx2", "client", lambda: library("httpx").AsyncClient(), r"httpx2\.AsyncClient, not httpx\.AsyncClient"),
        ("trio", "ssl_context", lambda: "planted.pem", r"ssl\.SSLContext, not str"),
        ("trio", "ssl_context", lambda: False, r"ssl\.SSLContext, not bool"),
    ],
)
def test_a_session_of_another_kind_is_refused_by_its_type(
    name: str, argument: str, made: Callable[[], Any], said: str
) -> None:
    module = adapter(name)
    client = module.Client if name == "requests" else module.AsyncClient
    with pytest.raises(LocalProtocolError, match=f"^{argument}= takes {said}") as caught:
        client(APP, **{argument: made()})
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
