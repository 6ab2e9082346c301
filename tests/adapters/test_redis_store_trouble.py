"""A Redis that is away, silent, slow, full, foreign or closed to us: a typed error in time, and nothing lost."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sansauth.effects import Stored
from sansauth.errors import Conflict, StoreError
from sansauth_io.conformance.waiting import at_once
from sansauth_io.stores import LEASE_SECONDS

from .conftest import Authority
from .hostile_server import HostileServer, full_port
from .redis_serving import PATIENCE, RedisServer, new_prefix

redis = pytest.importorskip("redis")
stores = pytest.importorskip("sansauth_io.stores.redis")
connections = pytest.importorskip("sansauth_io.stores._redis_connections")
RedisStore = stores.RedisStore

LIMIT_SECONDS = 5.0  # the contract of `Store`
DATA = b"planted-record"
PASSWORD = "planted-password"

METHODS: dict[str, Callable[[Any], object]] = {
    "load": lambda store: store.load("k"),
    "save": lambda store: store.save("k", DATA, None),
    "replace": lambda store: store.save("k", DATA, 1),
    "delete": lambda store: store.save("k", None, 1),
    "acquire": lambda store: store.acquire("k", "me", LEASE_SECONDS),
    "release": lambda store: store.release("k", "me"),
    "keys": lambda store: list(store.keys("")),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def assert_fails(work: Callable[[], object], why: str) -> StoreError:
    """It raises `StoreError` in time, for this reason, and shows neither record nor password, in any place."""
    began = time.monotonic()
    with pytest.raises(StoreError, match=why) as caught:
        work()
    assert time.monotonic() - began < LIMIT_SECONDS
    error = caught.value
    assert not isinstance(error, Conflict)
    assert error.__context__ is None
    assert error.__cause__ is None
    ours = [frame for frame in traceback.walk_tb(error.__traceback__) if "sansauth_io" in frame[0].f_code.co_filename]
    shown = [str(error), repr(error), *(repr(frame.f_locals) for frame, _ in ours)]
    assert "planted" not in "".join(shown)
    return error


@contextlib.contextmanager
def opened(url: str, **settings: Any) -> Iterator[Any]:
    store = RedisStore(url, **settings)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One that the tests may leave in disorder, as long as it runs."""
    with RedisServer() as running:
        yield running


@pytest.fixture
def store(server: RedisServer) -> Iterator[Any]:
    with opened(server.url, prefix=new_prefix()) as store:
        yield store


# --- away ------------------------------------------------------------------------------------------------------------


@every_method
def test_refused_connections(method: Callable[[Any], object]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        with opened(f"redis://:{PASSWORD}@127.0.0.1:{bound.getsockname()[1]}/0") as store:
            assert_fails(lambda: method(store), "refused the connection; is it running")


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    with opened(f"unix://{tmp_path}/none") as store:
        assert_fails(lambda: store.load("k"), "there is no such socket")


def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with opened("redis://redis.invalid") as store:
        assert_fails(lambda: store.load("k"), "its name has no address")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with opened("redis://redis.invalid") as store:
        assert_fails(lambda: store.load("k"), "the connection failed")


def test_addresses_of_which_the_first_are_dead(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        places = [bound.getsockname(), ("127.0.0.1", server.port)]
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", place) for place in places]
        )
        with opened("redis://redis.invalid", prefix=new_prefix()) as store:
            assert store.load("k") is None


def test_a_redis_that_was_restarted_is_used_again_without_a_restart_here() -> None:
    with RedisServer() as server, opened(server.url) as store:
        version = store.save("k", b"1", None)
        assert store.acquire("k", "me", LEASE_SECONDS)
        for number in range(3):
            with server.stopped():
                assert_fails(lambda: store.load("k"), "refused")
            assert store.load("k") == Stored(b"1", version)
            assert store.acquire("k", "you", LEASE_SECONDS) is False
            data = b"%d" % number
            with server.stopped():
                pass  # nobody noticed
            assert store.save("other", data, store.load("other") and store.load("other").version)
        server.kill()
        assert_fails(lambda: store.save("k", DATA, version), "refused")
        server.start()
        assert store.save("k", b"2", version)
        assert store.load("k").data == b"2"


# --- silent or slow --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def hearing(speak: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port where each connection is spoken to so, in a thread of its own."""
    ended = threading.Event()
    peers: list[socket.socket] = []

    def talk(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            speak(peer)
            ended.wait(PATIENCE)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peers.append(listening.accept()[0])
                threading.Thread(target=talk, args=(peers[-1],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)
            for peer in peers:
                peer.close()


@every_method
def test_a_server_that_accepts_and_says_nothing(method: Callable[[Any], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://user:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/0"
        with opened(url) as store:
            assert_fails(lambda: method(store), "no answer came in time")


def drip(peer: socket.socket) -> None:
    peer.sendall(b"$1000\r\n")
    while True:
        peer.sendall(b"x")
        time.sleep(0.1)


def late(peer: socket.socket) -> None:
    while peer.recv(10_000):
        time.sleep(1.5)  # each step in its time, all of them not
        peer.sendall(b"+OK\r\n")


@pytest.mark.parametrize("speak", [drip, late])
def test_a_server_that_takes_its_time_at_every_step(speak: Callable[[socket.socket], object]) -> None:
    with hearing(speak) as port, opened(f"redis://:{PASSWORD}@127.0.0.1:{port}/3") as store:
        assert_fails(lambda: store.save("k", DATA, None), "no answer came in time")


def test_each_way_of_reading_has_the_deadline() -> None:
    """redis-py's own parser receives, that of hiredis receives into a buffer and peeks."""
    one, other = socket.socketpair()
    with one, other:
        bounded, buffer = connections._BoundedSocket(one), bytearray(10)
        other.sendall(b"ab")
        with connections.bounded(time.monotonic() + PATIENCE):
            assert bounded.recv(1, socket.MSG_PEEK) == b"a"
            assert bounded.recv(1) == b"a"
            assert bounded.recv_into(buffer) == 1
        for read in (lambda: bounded.recv(1), lambda: bounded.recv_into(buffer), lambda: bounded.sendall(b"x")):
            with pytest.raises(TimeoutError), connections.bounded(time.monotonic()):
                read()
        bounded.settimeout(0)
        with pytest.raises(BlockingIOError), connections.bounded(time.monotonic()):
            bounded.recv(1)


def test_connections_that_are_never_made_and_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    with full_port() as port:
        place = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [place] * 5)
        with opened("redis://redis.invalid") as store:
            assert_fails(lambda: store.load("k"), "no answer came in time")


@pytest.mark.parametrize("method", [METHODS["load"], METHODS["acquire"], METHODS["keys"]])
def test_a_paused_redis_and_its_recovery(method: Callable[[Any], object]) -> None:
    with RedisServer() as server, opened(server.url) as store:
        version = store.save("k", b"1", None)
        with server.paused():
            assert_fails(lambda: method(store), "no answer came in time")
        assert store.load("k") == Stored(b"1", version)
        assert store.acquire("k", "you", LEASE_SECONDS) is True  # whoever was not told of the lease does not hold it
        assert store.acquire("k", "third", LEASE_SECONDS) is False


def test_a_save_that_a_paused_redis_does_later_is_done_once() -> None:
    with RedisServer() as server, opened(server.url) as store:
        version = store.save("k", b"1", None)
        with server.paused():
            assert_fails(lambda: store.save("k", DATA, version), "no answer came in time")
        end = time.monotonic() + PATIENCE
        while (stored := store.load("k")).version == version:  # it still stands in the queue of the connection
            assert time.monotonic() < end
        assert stored.data == DATA
        time.sleep(0.05)
        assert store.load("k") == stored


def test_a_connection_that_died_unnoticed_costs_one_wait_and_no_error(server: RedisServer, store: Any) -> None:
    """As firewalls do it, that forget a connection nobody used for long."""
    version = store.save("k", b"1", None)
    [connection] = store._client().connection_pool._connections
    one, other = socket.socketpair()
    with one, other:
        connection._sock._inner, kept = one, connection._sock._inner
        kept.close()
        began = time.monotonic()
        assert store.load("k") == Stored(b"1", version)
        assert connections.READ_SECONDS <= time.monotonic() - began < LIMIT_SECONDS


def test_what_is_logged_holds_no_secret(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with opened(f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0", prefix=new_prefix()) as store:
        assert_fails(lambda: store.save("k", DATA, None), "password")
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        opened(f"redis://:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/0") as store,
    ):
        assert_fails(lambda: store.save("k", DATA, None), "no answer")
    with opened(server.url, prefix=new_prefix()) as store:
        store.save("k", DATA, None)
        store.load("k")
    assert "planted" not in caplog.text


# --- full ------------------------------------------------------------------------------------------------------------


def test_a_full_redis_takes_no_new_record_and_no_lease_and_loses_nothing() -> None:
    with RedisServer("--maxmemory-policy", "noeviction") as server, opened(server.url) as store:
        version = store.save("k", b"1", None)
        assert store.acquire("held", "me", LEASE_SECONDS)
        with server.full():
            assert_fails(lambda: store.save("new", DATA, None), "it is full .maxmemory., and nothing was written")
            assert_fails(lambda: store.acquire("k", "me", LEASE_SECONDS), "it is full")
            assert store.load("k") == Stored(b"1", version)
            assert store.load("new") is None
            store.release("held", "me")
            assert list(store.keys("")) == ["k"]
        assert store.acquire("held", "you", LEASE_SECONDS) is True
        assert store.save("new", b"1", None)


def test_what_is_there_is_replaced_and_deleted_even_in_a_full_redis() -> None:
    """A refresh that began before it was full must be able to keep what it got: the old refresh token is used up."""
    with RedisServer("--maxmemory-policy", "noeviction") as server, opened(server.url) as store:
        version = store.save("k", b"1" * 3000, None)
        with server.full():
            version = store.save("k", b"2" * 4000, version)
            assert store.load("k") == Stored(b"2" * 4000, version)
            with pytest.raises(Conflict):
                store.save("k", b"3", version + 1)
            assert store.load("k") == Stored(b"2" * 4000, version)
            store.save("k", None, version)
            assert store.load("k") is None


@pytest.mark.parametrize(("failures", "kept"), [(1, b"2"), (2, b"1")])
def test_a_server_that_refuses_memory_even_after_a_deletion_keeps_the_old_record(
    server: RedisServer, store: Any, monkeypatch: pytest.MonkeyPatch, failures: int, kept: bytes
) -> None:
    """As a server that only speaks like Redis may."""
    stub = f"""
local real, left = redis, {failures}
local redis = {{
  call = real.call,
  error_reply = real.error_reply,
  pcall = function(name, ...)
    if name ~= 'HSET' or left == 0 then return real.pcall(name, ...) end
    left = left - 1
    return {{err = "OOM command not allowed when used memory > 'maxmemory'."}}
  end
}}
"""
    version = store.save("k", b"1", None)
    monkeypatch.setattr(stores, "_SAVE", stores._Script(stub + stores._SAVE.text))
    if kept == b"1":
        assert_fails(lambda: store.save("k", b"2", version), "it is full")
        assert store.load("k") == Stored(b"1", version)
    else:
        store.save("k", b"2", version)
    assert store.load("k").data == kept


# --- foreign, or closed to us ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("credentials", ["", f":{PASSWORD}@", f"user:{PASSWORD}@"])
def test_a_wrong_password(credentials: str) -> None:
    with RedisServer() as server:
        server.tell("CONFIG", "SET", "requirepass", "another")
        with opened(f"redis://{credentials}127.0.0.1:{server.port}/0") as store:
            began = time.monotonic()
            assert_fails(lambda: store.load("k"), "password")
            assert time.monotonic() - began < 1
        with opened(f"redis://:another@127.0.0.1:{server.port}/0") as store:
            assert store.load("k") is None
        with opened(f"redis://127.0.0.1:{server.port}/0?password=another&username=default") as store:
            assert store.load("k") is None


def test_a_user_who_may_not(server: RedisServer) -> None:
    prefix = new_prefix()
    server.tell("ACL", "SETUSER", "narrow", "on", ">another", f"~{prefix}*", "+@all", "-evalsha", "-scan")
    server.tell("ACL", "SETUSER", "elsewhere", "on", ">another", "~elsewhere:*", "+@all")
    for user in ("narrow", "elsewhere"):
        with opened(f"redis://{user}:another@127.0.0.1:{server.port}/0", prefix=prefix) as store:
            assert_fails(lambda: store.save("k", DATA, None), "access list")


def test_a_user_who_may_not_write_loses_nothing(server: RedisServer, store: Any) -> None:
    """A script is not rolled back."""
    version = store.save("k", b"1", None)
    server.tell("ACL", "SETUSER", "reader", "on", ">another", "~*", "+@all", "-hset")
    with opened(f"redis://reader:another@127.0.0.1:{server.port}/0", prefix=store._prefix) as narrow:
        assert_fails(lambda: narrow.save("k", DATA, version), "access list|not expected here")
        assert_fails(lambda: narrow.save("new", DATA, None), "access list|not expected here")
    with server.full(), opened(f"redis://reader:another@127.0.0.1:{server.port}/0", prefix=store._prefix) as narrow:
        assert_fails(lambda: narrow.save("k", DATA, version), "access list|not expected here|full")
    assert store.load("k") == Stored(b"1", version)


def test_the_rights_that_the_documentation_names_are_enough(server: RedisServer) -> None:
    prefix = new_prefix()
    rights = ("evalsha", "eval", "scan", "hget", "hmget", "hset", "exists", "del", "persist", "get", "set")
    allowed = [f"+{name}" for name in rights]
    server.tell("ACL", "SETUSER", "enough", "on", ">another", f"~{prefix}*", "-@all", *allowed)
    with opened(f"redis://enough:another@127.0.0.1:{server.port}/0", prefix=prefix) as store:
        version = store.save("k", b"1", None)
        assert store.load("k")
        assert store.acquire("k", "me", LEASE_SECONDS)
        store.release("k", "me")
        assert list(store.keys("")) == ["k"]
        store.save("k", None, version)


@pytest.mark.parametrize("strange", [("SET", "x"), ("HSET", "version", "1"), ("HSET", "data", "x"), ("HSET", "a", "b")])
def test_something_else_of_that_name_is_left_as_it_is(
    server: RedisServer, store: Any, strange: tuple[str, ...]
) -> None:
    name = f"{store._prefix}record:{{k}}"
    server.tell(strange[0], name, *strange[1:])
    before = server.tell("DUMP", name)
    if strange != ("HSET", "a", "b"):  # else there is neither version nor data
        assert_fails(lambda: store.load("k"), "is none|something else")
    for expected in (None, 5):
        if strange != ("HSET", "version", "1"):
            assert_fails(lambda e=expected: store.save("k", DATA, e), "something else has the name")
        assert server.tell("DUMP", name) == before
    server.tell("HSET", f"{store._prefix}lease:{{k}}", "a", "b")
    assert_fails(lambda: store.acquire("k", "me", LEASE_SECONDS), "something else has the name")
    assert_fails(lambda: store.release("k", "me"), "something else has the name")


@pytest.mark.parametrize("version", ["-1", "x", "planted", ""])
def test_a_record_whose_version_is_none_is_not_read(server: RedisServer, store: Any, version: str) -> None:
    server.tell("HSET", f"{store._prefix}record:{{k}}", "version", version, "data", DATA)
    assert_fails(lambda: store.load("k"), "is none; it was left as it is")


def test_a_replica_is_read_and_not_written() -> None:
    with RedisServer("--repl-diskless-sync-delay", "0") as primary, RedisServer() as replica:
        replica.tell("REPLICAOF", "127.0.0.1", primary.port)
        with opened(primary.url) as store:
            version = store.save("k", b"1", None)
        with opened(replica.url) as store:
            end = time.monotonic() + PATIENCE
            while store.load("k") is None:
                assert time.monotonic() < end
                time.sleep(0.02)
            assert store.load("k") == Stored(b"1", version)
            assert_fails(lambda: store.save("k", DATA, version), "replica that cannot be written to")
            assert_fails(lambda: store.acquire("k", "me", LEASE_SECONDS), "replica that cannot be written to")


def test_a_failover_behind_a_name_is_followed_without_an_error() -> None:
    """A proxy, or a name, that leads to another server from now on; the former primary lives on as a replica."""
    with RedisServer() as former, RedisServer() as latter:
        leads_to = [former.port]
        forwarder = HostileServer(lambda peer: peer.forward(leads_to[0]))
        with forwarder as name, opened(f"redis://127.0.0.1:{name.port}") as store:
            at_once(5, lambda place: store.save(f"{place}", b"1", None))  # several connections
            latter.tell("REPLICAOF", "NO", "ONE")
            former.tell("REPLICAOF", "127.0.0.1", latter.port)
            leads_to[0] = latter.port
            for place in range(5):
                assert store.acquire(f"{place}", "me", LEASE_SECONDS)
                version = store.save(f"new {place}", b"2", None)
                store.save(f"new {place}", None, version)
            assert sorted(store.keys("")) == []
            assert latter.tell("DBSIZE") == 5


def test_every_connection_of_before_a_failover_is_left(server: RedisServer, store: Any) -> None:
    """One thread noticed; the others ask no former primary."""
    at_once(5, lambda place: [store.load("k") for _ in range(20)])
    pool = store._client().connection_pool
    before = [connection._sock for connection in pool._connections]
    pool.connection_kwargs["era"].number += 1
    for connection in pool._connections:
        connection.connect()  # as the pool does when it gives one away
    assert all(connection._sock not in before for connection in pool._connections)
    assert store.load("k") is None


def test_more_threads_than_connections_wait(server: RedisServer) -> None:
    with opened(f"{server.url}?max_connections=2", prefix=new_prefix()) as store:
        store.save("k", b"1", None)
        at_once(30, lambda place: [store.load("k") for _ in range(10)])
        assert len(store._client().connection_pool._connections) <= 2


def test_a_connection_that_is_never_free_is_waited_for_until_the_deadline(server: RedisServer) -> None:
    with opened(f"{server.url}?max_connections=1", prefix=new_prefix()) as store:
        pool = store._client().connection_pool
        taken = pool.pool.get()
        assert_fails(lambda: store.load("k"), "all connections were in use")
        pool.pool.put(taken)
        assert store.load("k") is None


def http(peer: socket.socket) -> None:
    peer.recv(10_000)
    peer.sendall(b"HTTP/1.1 400 planted\r\n\r\n")


def test_what_is_no_redis() -> None:
    with hearing(http) as port, opened(f"redis://127.0.0.1:{port}") as store:
        assert_fails(lambda: store.load("k"), "is it a Redis")
    with hearing(lambda peer: peer.close()) as port, opened(f"redis://127.0.0.1:{port}") as store:
        assert_fails(lambda: store.load("k"), "the connection failed, or broke")


ERRORS = redis.exceptions
REFUSALS = [
    (ERRORS.BusyLoadingError("Redis is loading the dataset in memory"), "still loading"),
    (ERRORS.OutOfMemoryError("command not allowed"), "it is full"),
    (ERRORS.ReadOnlyError("You can't write"), "it is a replica"),
    (ERRORS.NoPermissionError("this user has no permissions"), "access list"),
    (ERRORS.AuthenticationError("invalid"), "password"),
    (ERRORS.ClusterDownError("The cluster is down"), "its cluster is down"),
    (ERRORS.MovedError("1 127.0.0.1:7000"), "RedisCluster"),
    (ERRORS.ResponseError("MISCONF Redis is configured to save"), "dump to disk"),
    (ERRORS.ResponseError("NOREPLICAS Not enough good replicas"), "fewer replicas"),
    (ERRORS.ResponseError("BUSY Redis is busy running a script"), "kept it busy"),
    (ERRORS.ResponseError("MASTERDOWN Link with MASTER is down"), "lost its primary"),
    (ERRORS.ResponseError("unknown command `EVALSHA`, with args beginning with: `planted`"), "not expected here"),
    (ERRORS.ClusterError("planted"), "ClusterError"),
    (ERRORS.RedisClusterException("planted"), "RedisClusterException"),
    (ERRORS.ChildDeadlockedError("planted"), "ChildDeadlockedError"),
    (ERRORS.InvalidResponse("planted"), "is it a Redis"),
    (ERRORS.DataError("planted"), "DataError"),
    (PermissionError(13, "planted"), "may not use its socket"),
    (OSError("planted"), "the connection failed"),
]


@pytest.mark.parametrize(("error", "why"), REFUSALS, ids=[f"{type(one).__name__}-{why}" for one, why in REFUSALS])
def test_every_other_error_in_our_words(error: Exception, why: str) -> None:
    client = redis.Redis()

    def execute(*_: Any, **__: Any) -> Any:
        raise error

    client.execute_command = execute
    store = RedisStore(client)
    for method in METHODS.values():
        assert_fails(lambda method=method: method(store), why)


@pytest.mark.parametrize(
    "error",
    [
        ERRORS.ReadOnlyError("You can't write"),
        ERRORS.BusyLoadingError("loading"),
        ERRORS.MasterDownError("Link with MASTER is down"),
        ERRORS.ClusterDownError("The cluster is down"),
        ERRORS.ResponseError("ERR Error running script: @user_script:9: -READONLY You can't write"),  # Redis 6
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_former_primary_refused_is_asked_anew(error: Exception) -> None:
    """Not as "again": a deletion that finds nothing is a conflict then, not its own."""
    client, asked = redis.Redis(), list[object]()

    def execute(*command: Any, **_: Any) -> Any:
        asked.append(command[4])
        raise error

    client.execute_command = execute
    with pytest.raises(StoreError):
        RedisStore(client).save("k", None, 1)
    assert asked == [b"0", b"0"]


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ERRORS.ConnectionError("broke"), 2),
        (ERRORS.TimeoutError("late"), 2),
        (ERRORS.AuthenticationError("invalid"), 1),  # some servers lock a user out who tries too often
        (ERRORS.ResponseError("any"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_may_be_the_connection_alone_is_tried_once_more(
    error: Exception, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = redis.Redis(), list[object]()

    def execute(*command: Any, **_: Any) -> Any:
        asked.append(command[4])
        raise error

    client.execute_command = execute
    store = RedisStore(client)
    with pytest.raises(StoreError):
        store.save("k", DATA, None)
    assert asked == [b"0", b"1"][:attempts]
    monkeypatch.setattr(stores, "AGAIN_SECONDS", -1.0)  # it took so long that there is no time left
    with pytest.raises(StoreError):
        store.save("k", DATA, None)
    assert asked[attempts:] == [b"0"]


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that speaks TLS alone, with a certificate for 127.0.0.1 and for no name."""
    place = tmp_path_factory.mktemp("certificates")
    certificate = authority.ca.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(place / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(place / "certificate.pem"), append=True)
    paths = ["--tls-cert-file", str(place / "certificate.pem"), "--tls-key-file", str(place / "key.pem")]
    with RedisServer(*paths, "--tls-ca-cert-file", authority.pem, "--tls-auth-clients", "optional", tls=True) as server:
        yield server


def tls_url(server: RedisServer, host: str = "127.0.0.1", **settings: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in settings.items())
    return f"rediss://{host}:{server.port}/0?{query}".rstrip("?")


def test_tls_with_an_authority_of_ones_own(secured: RedisServer, authority: Authority) -> None:
    with opened(tls_url(secured, ssl_ca_certs=authority.pem), prefix=new_prefix()) as store:
        version = store.save("k", bytes(range(256)) * 1000, None)
        assert store.load("k") == Stored(bytes(range(256)) * 1000, version)
        assert repr(store).startswith(f"<RedisStore in rediss://127.0.0.1:{secured.port}/0,")
        with secured.stopped():
            assert_fails(lambda: store.load("k"), "refused")
        assert store.load("k") == Stored(bytes(range(256)) * 1000, version)


def test_tls_with_an_authority_that_nobody_trusts(
    secured: RedisServer, authority: Authority, stranger: Authority
) -> None:
    for url in (tls_url(secured), tls_url(secured, ssl_ca_certs=stranger.pem)):
        with opened(url) as store:
            assert_fails(lambda store=store: store.load("k"), "its certificate was not accepted")


def test_tls_with_the_certificate_of_another_host(secured: RedisServer, authority: Authority) -> None:
    with opened(tls_url(secured, "localhost", ssl_ca_certs=authority.pem)) as store:
        assert_fails(lambda: store.load("k"), "its certificate was not accepted")
    url = tls_url(secured, "localhost", ssl_ca_certs=authority.pem, ssl_check_hostname="false")
    with opened(url) as store:
        assert store.load("k") is None


def test_tls_unverified_is_a_wish_that_has_to_be_spoken(secured: RedisServer) -> None:
    with opened(tls_url(secured, ssl_cert_reqs="none")) as store:
        assert store.load("k") is None


def test_tls_with_a_certificate_of_this_side(secured: RedisServer, authority: Authority, tmp_path: Path) -> None:
    own = authority.ca.issue_cert("worker.example")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    secured.tell("CONFIG", "SET", "tls-auth-clients", "yes")
    try:
        with opened(tls_url(secured, ssl_ca_certs=authority.pem)) as store:
            assert_fails(lambda: store.load("k"), "certificate of this side|the connection failed")
        with opened(tls_url(secured, ssl_ca_certs=authority.pem, ssl_certfile=str(tmp_path / "own.pem"))) as store:
            assert store.load("k") is None
    finally:
        secured.tell("CONFIG", "SET", "tls-auth-clients", "optional")


def test_tls_and_not_tls(secured: RedisServer, server: RedisServer) -> None:
    with opened(f"redis://127.0.0.1:{secured.port}") as store:
        assert_fails(lambda: store.load("k"), "connection failed|is it a Redis")
    with opened(f"rediss://127.0.0.1:{server.port}") as store:
        assert_fails(lambda: store.load("k"), "does not speak TLS|no answer came in time")
