"""Connections are used again when that is safe, and closed when it is not."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError

import pytest

from sansauth.effects import Timeouts
from sansauth.errors import ReadError, RemoteProtocolError, ResponseTooLarge, TimedOut, TransportError, WriteError
from sansauth.http import Request

from .hostile_server import PATIENCE, HostileServer, Peer, Play, answers, head, holding, http
from .transports import KITS, USER, Kit, adapter, every_kit

pytestmark = pytest.mark.usefixtures("loopback")

FINE = http(200, b"fine")
TRIO = next(kit for kit in KITS if kit.name == "trio")
every_asynchronous_kit = pytest.mark.parametrize(
    "kit", [kit for kit in KITS if not kit.synchronous], ids=lambda kit: kit.name
)


def connections(*plays: Play) -> Play:
    """The first connection plays the first play, and so on; the last one is played by all that follow."""
    return lambda peer: plays[min(peer.number, len(plays)) - 1](peer)


def answering(times: int, *, reset: bool = False) -> Play:
    """Answer so many requests, read one more, and close without a word."""

    def play(peer: Peer) -> None:
        for _ in range(times):
            peer.request()
            peer.send(FINE)
        peer.request()
        if reset:
            peer.reset()

    return play


@every_kit
def test_calls_one_after_the_other_share_a_connection(kit: Kit) -> None:
    with HostileServer(answers(FINE)) as server:
        with kit.open(server.url, USER) as client:
            for _ in range(3):
                assert client.get("/x").body == b"fine"
            client.post("/x", form={"a": "b"})
        assert server.accepted == 1
        server.wait_until(lambda server: server.open_connections == 0)


@every_kit
@pytest.mark.parametrize(
    "answer",
    [http(200, b"fine", "Connection: close"), b"HTTP/1.0 200 OK\r\n\r\nfine", b"HTTP/1.1 200 OK\r\n\r\nfine"],
    ids=["Connection: close", "HTTP/1.0", "until the end"],
)
def test_a_connection_that_ends_with_its_answer_is_not_used_again(kit: Kit, answer: bytes) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(answer)

    with HostileServer(play) as server, kit.open(server.url, USER) as client:
        for _ in range(2):
            assert client.get("/x").body == b"fine"
        assert server.accepted == 2


@every_kit
def test_a_connection_that_the_service_closed_while_idle_is_not_used_again(kit: Kit) -> None:
    def once(peer: Peer) -> None:
        peer.request()
        peer.send(FINE)

    with HostileServer(once) as server, kit.open(server.url, USER) as client:
        for _ in range(3):
            assert client.post("/x").body == b"fine"
            server.wait_until(lambda server: server.open_connections == 0)
        assert server.accepted == 3
        assert len(server.requests) == 3


@every_kit
def test_bytes_after_an_answer_are_not_taken_for_the_next_answer(kit: Kit) -> None:
    if kit.name.startswith("httpx"):
        pytest.skip("httpcore keeps what h11 has read beyond the answer, and begins the next one with it")
    with HostileServer(answers(FINE + http(200, b"stray"))) as server, kit.open(server.url, USER) as client:
        for _ in range(3):
            assert client.get("/x").body == b"fine"


@every_kit
def test_after_an_answer_that_was_refused_the_connection_is_closed(kit: Kit) -> None:
    endless = holding(head("HTTP/1.1 200 OK", "Content-Length: 99999999") + b"x")
    with HostileServer(connections(endless, answers(FINE))) as server, kit.open(server.url, USER) as client:
        with pytest.raises(ResponseTooLarge):
            client.get("/x")
        server.wait_until(lambda server: server.open_connections == 0)
        assert client.get("/x").body == b"fine"


@every_kit
def test_after_a_timeout_the_connection_is_closed(kit: Kit) -> None:
    timeouts = Timeouts(connect=5.0, read=0.2, total=5.0)
    with HostileServer(connections(holding(b""), answers(FINE))) as server, kit.open(server.url, USER) as client:
        with pytest.raises(TimedOut):
            client.get("/x", timeouts=timeouts)
        server.wait_until(lambda server: server.open_connections == 0)
        assert client.get("/x").body == b"fine"


@every_kit
def test_closing_a_client_leaves_no_socket(kit: Kit) -> None:
    with HostileServer(answers(FINE)) as server, HostileServer(answers(FINE)) as other:
        with kit.open(server.url, USER) as client:
            client.get("/x")
            client.exchange(Request("GET", other.url))
            assert server.open_connections == other.open_connections == 1
        for one in (server, other):
            one.wait_until(lambda server: server.open_connections == 0)


@every_asynchronous_kit
@pytest.mark.parametrize("start", [b"", head("HTTP/1.1 200 OK", "Content-Length: 9") + b"x"], ids=["head", "body"])
def test_a_cancelled_call_closes_its_connection_and_the_client_lives_on(kit: Kit, start: bytes) -> None:
    with HostileServer(connections(holding(start), answers(FINE))) as server, kit.open(server.url, USER) as client:
        call = client.begin("get", "/x")
        server.wait_until(lambda server: len(server.requests) == 1)
        time.sleep(0.05)  # into reading
        call.cancel()
        with pytest.raises(CancelledError):
            call.result()
        server.wait_until(lambda server: server.open_connections == 0)
        assert client.get("/x").body == b"fine"


@every_asynchronous_kit
def test_calls_at_the_same_time_have_connections_of_their_own(kit: Kit) -> None:
    def play(peer: Peer) -> None:
        while peer.request() is not None:
            peer.server.wait_until(lambda server: len(server.requests) >= 3)
            peer.send(FINE)

    with HostileServer(play) as server, kit.open(server.url, USER) as client:
        calls = [client.begin("get", "/x") for _ in range(3)]
        assert [call.result().body for call in calls] == [b"fine"] * 3
        assert server.accepted == 3
        assert client.get("/x").body == b"fine"
        assert server.accepted == 3


# ---------------------------------------------------------------- trio: a connection that dies as it is used


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_on_trio_an_idempotent_request_is_sent_again_when_a_kept_connection_ends(method: str, reset: bool) -> None:
    play = connections(answering(1, reset=reset), answers(head("HTTP/1.1 204 No")))
    with HostileServer(play) as server, TRIO.open(server.url, USER) as client:
        client.get("/x")
        assert client.exchange(Request(method, f"{server.url}/y")).status == 204
        assert [(one.connection, one.method) for one in server.requests] == [(1, "GET"), (1, method), (2, method)]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_on_trio_any_other_is_not(method: str, reset: bool) -> None:
    with HostileServer(connections(answering(1, reset=reset), answers(FINE))) as server:
        with TRIO.open(server.url, USER) as client:
            client.get("/x")
            with pytest.raises(ReadError) as caught:
                client.exchange(Request(method, f"{server.url}/y"))
            assert caught.value.sent
        assert len(server.requests) == 2


def test_on_trio_a_request_is_sent_again_once_only() -> None:
    with HostileServer(connections(answering(1), answering(0))) as server, TRIO.open(server.url, USER) as client:
        client.get("/x")
        with pytest.raises(ReadError):
            client.get("/y")
        assert [one.connection for one in server.requests] == [1, 1, 2]


def test_on_trio_nothing_is_sent_again_after_a_fresh_connection_ends() -> None:
    with HostileServer(answering(0)) as server, TRIO.open(server.url, USER) as client:
        with pytest.raises(ReadError):
            client.get("/x")
        assert len(server.requests) == 1


def test_on_trio_nothing_is_sent_again_after_an_answer_began() -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(FINE)
        peer.request()
        peer.send(b"H")

    with HostileServer(play) as server, TRIO.open(server.url, USER) as client:
        client.get("/x")
        with pytest.raises(ReadError):
            client.get("/y")
        assert len(server.requests) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_on_trio_a_kept_connection_that_cannot_be_written_to_counts_as_ended(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter("trio")
    from sansauth_io._h11 import H11Connection

    def once(peer: Peer) -> None:
        peer.request()
        peer.send(FINE)
        time.sleep(0.05)
        peer.reset()

    # As if the reset came between the look at the connection and the request.
    monkeypatch.setattr(H11Connection, "stale", False)
    with HostileServer(connections(once, answers(FINE))) as server, TRIO.open(server.url, USER) as client:
        client.get("/x")
        server.wait_until(lambda server: server.open_connections == 0)
        if method == "GET":
            assert client.get("/y").body == b"fine"
        else:
            with pytest.raises(WriteError) as caught:
                client.post("/y")
            assert caught.value.sent
        assert len(server.requests) == (2 if method == "GET" else 1)


def test_on_trio_a_connection_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter("trio")
    from sansauth_io import _trio_transport

    monkeypatch.setattr(_trio_transport, "IDLE_SECONDS", 0.0)
    with HostileServer(answers(FINE)) as server, TRIO.open(server.url, USER) as client:
        client.get("/x")
        client.get("/x")
        assert server.accepted == 2
        server.wait_until(lambda server: server.open_connections == 1)


def test_on_trio_only_so_many_connections_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter("trio")
    from sansauth_io import _trio_transport

    def play(peer: Peer) -> None:
        while peer.request() is not None:
            peer.server.wait_until(lambda server: len(server.requests) >= 4)
            peer.send(FINE)

    monkeypatch.setattr(_trio_transport, "IDLE_CONNECTIONS", 2)
    with HostileServer(play) as server, TRIO.open(server.url, USER) as client:
        calls = [client.begin("get", "/x") for _ in range(4)]
        assert [call.result().body for call in calls] == [b"fine"] * 4
        server.wait_until(lambda server: server.open_connections == 2)


def test_on_trio_a_call_under_way_while_the_client_closes_ends_and_leaves_no_socket() -> None:
    closed = threading.Event()

    def play(peer: Peer) -> None:
        peer.request()
        closed.wait(PATIENCE)
        peer.send(FINE)
        peer.hold()

    with HostileServer(play) as server, TRIO.open(server.url, USER) as client:
        under_way = client.begin("get", "/x")
        server.wait_until(lambda server: len(server.requests) == 1)
        client.close()
        closed.set()
        assert under_way.result().body == b"fine"
        server.wait_until(lambda server: server.open_connections == 0)


def test_on_trio_connect_is_no_method_of_ours() -> None:
    with HostileServer(answers(head("HTTP/1.1 200 OK"))) as server, TRIO.open(server.url, USER) as client:
        with pytest.raises((RemoteProtocolError, TransportError)):
            client.exchange(Request("CONNECT", server.url))
        server.wait_until(lambda server: server.open_connections == 0)
