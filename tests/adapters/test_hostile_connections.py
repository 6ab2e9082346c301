"""Connections that fail, stall, lead elsewhere, or end before their time."""

from __future__ import annotations

import contextlib
import datetime
import ssl
import time

import pytest

from sansauth.effects import Timeouts
from sansauth.errors import (
    ConnectError,
    ReadError,
    RequestEntityTooLarge,
    SansauthError,
    TimedOut,
    TLSError,
    TransportError,
    UnexpectedRedirect,
)
from sansauth.http import Request
from sansauth.x import X

from .conftest import Authority
from .hostile_answers import TOKEN, assert_no_secret
from .hostile_server import (
    HostileServer,
    Peer,
    answers,
    closing,
    dripping,
    full_port,
    head,
    holding,
    http,
    refusing_port,
    silent,
)
from .transports import BRISK, USER, USERS_SESSION, Kit, every_kit, library, trio_client, users_client, users_session

SLACK = 3.0  # seconds, for a busy machine
CONNECTING = Timeouts(connect=0.25, read=8.0, total=8.0)  # `connect` has to strike
SENDING = Timeouts(connect=0.25, read=0.25, total=0.4)

pytestmark = pytest.mark.usefixtures("loopback")


def assert_fails(kit: Kit, url: str, expected: type[TransportError], *, sent: bool, timeouts: Timeouts = BRISK) -> None:
    """`token` fails like that, within the smallest of the limits, and tells no secret."""
    with kit.open(url, timeouts=timeouts) as client:
        began = time.monotonic()
        with pytest.raises(SansauthError) as caught:
            client.token()
        elapsed = time.monotonic() - began
    assert type(caught.value) is expected
    assert caught.value.sent is sent
    assert elapsed < min(timeouts.connect, timeouts.read, timeouts.total) + SLACK
    assert_no_secret(caught.value)


def sent_unless_ours(kit: Kit) -> bool:
    """On a connection that is not ours nobody tells whether the handshake was over."""
    return kit is USERS_SESSION


@every_kit
def test_a_refused_connection_is_a_connect_error_and_nothing_was_sent(kit: Kit) -> None:
    with refusing_port() as port:
        assert_fails(kit, f"http://127.0.0.1:{port}", ConnectError, sent=False)


@every_kit
def test_a_connection_that_is_never_made_is_timed_out_and_nothing_was_sent(kit: Kit) -> None:
    with full_port() as port:
        assert_fails(kit, f"http://127.0.0.1:{port}", TimedOut, sent=False, timeouts=CONNECTING)


@every_kit
@pytest.mark.parametrize("host", ["a..localhost", "a" * 64 + ".localhost"], ids=["empty label", "long label"])
def test_a_name_that_no_host_can_have_is_a_connect_error(kit: Kit, host: str) -> None:
    with kit.open("http://127.0.0.1:1") as client, pytest.raises(ConnectError) as caught:
        client.exchange(Request("GET", f"http://{host}:1/"))
    assert not caught.value.sent


@every_kit
def test_over_tls_the_token_comes_through(kit: Kit, authority: Authority) -> None:
    with HostileServer(answers(http(200, TOKEN)), tls=authority.server("127.0.0.1")) as server:
        with kit.open(server.url) as client:
            assert client.token() == client.token() == "planted-answered-token"
        assert server.accepted == 1


@every_kit
@pytest.mark.parametrize("fault", ["an unknown authority", "another name", "an expired certificate"])
def test_a_bad_certificate_is_a_tls_error_and_nothing_was_sent(
    kit: Kit, fault: str, authority: Authority, stranger: Authority
) -> None:
    tls = {
        "an unknown authority": lambda: stranger.server("127.0.0.1"),
        "another name": lambda: authority.server("localhost"),
        "an expired certificate": lambda: authority.server("127.0.0.1", ends=datetime.datetime(2020, 1, 1)),
    }[fault]()
    with HostileServer(answers(http(200, TOKEN)), tls=tls) as server:
        assert_fails(kit, server.url, TLSError, sent=False)
        assert server.requests == []


@every_kit
def test_http_on_the_https_port_is_a_tls_error(kit: Kit) -> None:
    def play(peer: Peer) -> None:
        peer.send(http(400, b"plain HTTP here"))
        peer.hold()

    with HostileServer(play) as server:
        assert_fails(kit, f"https://127.0.0.1:{server.port}", TLSError, sent=False)


@every_kit
def test_a_handshake_that_stalls_is_timed_out_and_nothing_was_sent(kit: Kit) -> None:
    with HostileServer(silent) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert_fails(kit, url, TimedOut, sent=sent_unless_ours(kit), timeouts=CONNECTING)


@every_kit
def test_a_handshake_that_is_cut_off_is_a_tls_error(kit: Kit) -> None:
    with HostileServer(lambda peer: None) as server:
        with kit.open(f"https://127.0.0.1:{server.port}") as client, pytest.raises(TransportError) as caught:
            client.token()
        # The end or a reset, by chance; and each library has its own opinion of a reset.
        assert type(caught.value) in {TLSError, ConnectError, *({ReadError} if kit is USERS_SESSION else set())}
        assert caught.value.sent is sent_unless_ours(kit)


@every_kit
def test_a_tls_connection_cut_in_the_body_is_a_read_error(kit: Kit, authority: Authority) -> None:
    cut = closing(head("HTTP/1.1 200 OK", "Content-Length: 99") + TOKEN)
    with HostileServer(cut, tls=authority.server("127.0.0.1")) as server:
        assert_fails(kit, server.url, ReadError, sent=True)


@every_kit
def test_a_drip_over_tls_ends_at_the_deadline(kit: Kit, authority: Authority) -> None:
    drip = dripping(head("HTTP/1.1 200 OK", "Content-Length: 999"), b" ")
    with HostileServer(drip, tls=authority.server("127.0.0.1")) as server:
        assert_fails(kit, server.url, TimedOut, sent=True, timeouts=Timeouts(connect=5.0, read=5.0, total=0.5))


@every_kit
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_sends_nothing_there(kit: Kit, status: int) -> None:
    with HostileServer(answers(http(200, TOKEN))) as other:
        redirect = http(status, b"", f"Location: {other.url}/oauth2/token?x=planted-answered-token")
        with HostileServer(answers(redirect)) as server, kit.open(server.url, USER) as client:
            for call in (client.token, lambda: client.get("/1.1/x.json")):
                with pytest.raises(UnexpectedRedirect) as caught:
                    call()
                assert_no_secret(caught.value)
        assert other.accepted == 0


# httpx abandons the generator of a request's body; it has nothing to clean up, but trio warns of any.
@pytest.mark.filterwarnings("ignore:Async generator 'httpx2?._content.ByteStream:ResourceWarning")
@every_kit
def test_a_body_nobody_reads_ends_at_the_deadline(kit: Kit) -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.pause()

    with HostileServer(play) as server, kit.open(server.url, USER, SENDING) as client:
        began = time.monotonic()
        with pytest.raises(TimedOut) as caught:
            client.post("/upload", body=bytes(30_000_000))
        assert caught.value.sent
        assert time.monotonic() - began < SENDING.total + SLACK


@pytest.mark.filterwarnings("ignore:Async generator 'httpx2?._content.ByteStream:ResourceWarning")
@every_kit
def test_a_body_nobody_reads_is_not_blamed_on_the_answer(kit: Kit) -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.pause()

    # On ours and on trio nothing limits the sending but the deadline.
    only_deadline = kit.name in {"requests", "trio"}
    timeouts = Timeouts(connect=0.25, read=0.5, total=0.75 if only_deadline else 8.0)
    limit = 0.75 if only_deadline else 0.25 if kit is USERS_SESSION else 0.5
    with HostileServer(play) as server, kit.open(server.url, USER, timeouts) as client:
        with pytest.raises(TimedOut) as caught:
            client.post("/upload", body=bytes(30_000_000))
        what = "the exchange" if only_deadline else "sending the request"
        assert str(caught.value) == f"{server.url}: {what} took longer than {limit:g} s"
        assert caught.value.sent


@every_kit
def test_an_answer_that_does_not_come_is_not_blamed_on_the_sending(kit: Kit) -> None:
    with HostileServer(silent) as server, kit.open(server.url, USER, Timeouts(5.0, 0.25, 8.0)) as client:
        with pytest.raises(TimedOut) as caught:
            client.post("/upload", body=b"a short one")
        assert str(caught.value) == f"{server.url}: the answer took longer than 0.25 s"
        assert caught.value.sent


@every_kit
def test_a_service_may_refuse_a_body_before_it_has_read_it(kit: Kit) -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.send(http(413, b'{"errors":[{"code":324,"message":"too much"}]}', "Connection: close"))
        peer.hold()  # reading on: closing at once could reset the connection, and lose the answer

    with HostileServer(play) as server, kit.open(server.url, USER) as client, pytest.raises(RequestEntityTooLarge):
        client.post("/upload", body=bytes(3_000_000))


def test_on_a_users_requests_session_a_header_that_drips_outlives_the_deadline_as_documented() -> None:
    def play(peer: Peer) -> None:
        peer.request()
        for piece in (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", b"A: b\r\n", b"A: b\r\n", b"\r\n" + TOKEN):
            peer.pause(0.1)
            peer.send(piece)

    timeouts = Timeouts(connect=5.0, read=5.0, total=0.25)
    with HostileServer(play) as server, users_session(USER, X.at(server.url), timeouts) as client:
        began = time.monotonic()
        with pytest.raises(TimedOut):
            client.token()
        assert time.monotonic() - began > timeouts.total + 0.1


@pytest.mark.parametrize("verify", ["a file", "nothing"])
def test_a_users_requests_session_says_which_certificates_are_good(stranger: Authority, verify: str) -> None:
    settings = {"verify": stranger.pem if verify == "a file" else False}
    warned = pytest.warns(match="Unverified HTTPS request") if verify == "nothing" else contextlib.nullcontext()
    with (
        HostileServer(answers(http(200, TOKEN)), tls=stranger.server("127.0.0.1")) as server,
        warned,
        users_session(USER, X.at(server.url), BRISK, **settings) as client,
    ):
        assert client.token() == "planted-answered-token"


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_users_httpx_client_says_which_certificates_are_good(stranger: Authority, name: str, backend: str) -> None:
    context = ssl.create_default_context(cafile=stranger.pem)
    with (
        HostileServer(answers(http(200, TOKEN)), tls=stranger.server("127.0.0.1")) as server,
        users_client(USER, X.at(server.url), BRISK, name, backend, verify=context) as client,
    ):
        assert client.token() == "planted-answered-token"


def test_the_trio_client_takes_an_ssl_context(stranger: Authority) -> None:
    context = ssl.create_default_context(cafile=stranger.pem)
    with (
        HostileServer(answers(http(200, TOKEN)), tls=stranger.server("127.0.0.1")) as server,
        trio_client(USER, X.at(server.url), BRISK, ssl_context=context) as client,
    ):
        assert client.token() == "planted-answered-token"


def test_a_users_pool_that_blocks_gets_its_connections_back() -> None:
    requests = library("requests")
    adapters = {"http://": requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=1, pool_block=True)}
    with (
        HostileServer(holding(head("HTTP/1.1 200 OK", "Content-Length: 99999999"))) as server,
        users_session(USER, X.at(server.url), BRISK, adapters=adapters) as client,
    ):
        for _ in range(3):
            with pytest.raises(TransportError) as caught:
                client.exchange(Request("GET", server.url), BRISK)
            assert "longer than" in str(caught.value)
