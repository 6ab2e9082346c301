"""The store of many machines: under the suite of every store, in each way it can be made; and what is its own."""

from __future__ import annotations

import functools
import gc
import math
import pickle
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sansauth.effects import Stored
from sansauth.errors import Conflict, InvalidParameter, LocalProtocolError, StoreError
from sansauth_io.conformance import StoreConformance
from sansauth_io.conformance.waiting import at_once
from sansauth_io.stores import LEASE_SECONDS, Store

from .redis_serving import PATIENCE, RedisServer, new_prefix, redis_cluster

redis = pytest.importorskip("redis")
stores = pytest.importorskip("sansauth_io.stores.redis")
RedisStore = stores.RedisStore


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
def prefix() -> str:
    return new_prefix()


class OfURL(StoreConformance):
    """What is pickled is the URL and the prefix, so other processes find the same records."""

    pickles = True

    @pytest.fixture
    def url(self, server: RedisServer) -> str:
        return server.url

    @pytest.fixture
    def store(self, url: str, prefix: str) -> Iterator[Store]:
        store = RedisStore(url, prefix=prefix)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self, url: str, prefix: str) -> Callable[[], Store]:
        return functools.partial(RedisStore, url, prefix=prefix)


class TestByTCP(OfURL):
    pass


class TestByUnixSocket(OfURL):
    @pytest.fixture
    def url(self, server: RedisServer) -> str:
        return f"unix://{server.unix}?db=3"


class OnAClient(StoreConformance):
    def test_a_fork_while_other_threads_use_the_store_does_not_hang(self, store: Store) -> None:
        pytest.skip("redis-py 8.1 waits, in a fork, for a lock that a thread of the parent held; see docs/stores.md")


class TestOnAClient(OnAClient):
    """A user's own client, and of the awkward kind: it decodes what it reads, and speaks Latin-1."""

    @pytest.fixture
    def client(self, server: RedisServer) -> Iterator[Any]:
        with redis.Redis.from_url(server.url, decode_responses=True, encoding="latin-1") as client:
            yield client

    @pytest.fixture
    def store(self, client: Any, prefix: str) -> Store:
        return RedisStore(client, prefix=prefix)

    def test_a_closed_store_leaves_the_client_open(self, client: Any) -> None:
        RedisStore(client).close()
        assert client.ping() is True


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[RedisServer]]:
    with redis_cluster(2) as nodes:
        yield nodes


class TestOnACluster(OnAClient):
    @pytest.fixture
    def store(self, nodes: list[RedisServer], prefix: str) -> Iterator[Store]:
        client = redis.cluster.RedisCluster.from_url(nodes[0].url, socket_timeout=PATIENCE)
        yield RedisStore(client, prefix=prefix)
        client.close()

    def test_the_records_are_on_several_nodes_and_each_with_its_lease(
        self, store: Store, nodes: list[RedisServer], prefix: str
    ) -> None:
        for number in range(20):
            store.save(f"k{number}", b"1", None)
            assert store.acquire(f"k{number}", "me", LEASE_SECONDS)
        names = [sorted(node.tell("KEYS", f"{prefix}*")) for node in nodes]
        assert all(names)
        for here in names:
            leases = [name for name in here if b"lease:" in name]
            assert [name.replace(b"lease:", b"record:") for name in leases] == [
                name for name in here if name not in leases
            ]

    def test_a_node_of_a_cluster_alone_says_what_to_give(self, nodes: list[RedisServer], prefix: str) -> None:
        store = RedisStore(nodes[0].url, prefix=prefix)
        with pytest.raises(StoreError, match=r"redis\.cluster\.RedisCluster"):
            [store.load(f"k{number}") for number in range(20)]
        store.close()


@pytest.fixture
def store(server: RedisServer, prefix: str) -> Iterator[Any]:
    store = RedisStore(server.url, prefix=prefix)
    yield store
    store.close()


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["k", "oauth2/https%3A%2F%2Fapi.x.com/id/me", "a}b", "{a}", "{", "ü{}"])
def test_a_record_and_its_lease_share_a_slot(store: Any, key: str) -> None:
    from redis.crc import key_slot

    assert key_slot(store._name("record", key)) == key_slot(store._name("lease", key))


def test_each_script_names_one_key_and_no_other() -> None:
    scripts = [value for value in vars(stores).values() if isinstance(value, stores._Script)]
    assert len(scripts) == 4
    for script in scripts:
        assert set(re.findall(r"KEYS\[\d+\]|KEYS\b(?!\[)", script.text)) == {"KEYS[1]"}
        assert re.findall(r"redis\.p?call\('\w+', (?!KEYS\[1\])", script.text) == []


def test_no_command_is_newer_than_redis_6(store: Any) -> None:
    used = {name for script in vars(stores).values() if isinstance(script, stores._Script)
            for name in re.findall(r"redis\.p?call\('(\w+)'", script.text)}  # fmt: skip
    assert used == {"HMGET", "HGET", "EXISTS", "DEL", "HSET", "PERSIST", "GET", "SET"}


@pytest.mark.parametrize("other", ["", "record:", "lease:", "x", "*", "[a]", "sansauth:record:"])
def test_two_prefixes_do_not_see_each_other(server: RedisServer, prefix: str, other: str) -> None:
    one, two = RedisStore(server.url, prefix=prefix), RedisStore(server.url, prefix=prefix + other + "2")
    one.save("k", b"1", None)
    assert two.load("k") is None
    assert list(two.keys("")) == []
    two.save("k", b"2", None)
    two.save("other", b"2", None)
    assert one.acquire("k", "me", LEASE_SECONDS)
    assert two.acquire("k", "you", LEASE_SECONDS)
    assert list(one.keys("")) == ["k"]
    assert sorted(two.keys("")) == ["k", "other"]
    assert one.load("k").data == b"1"
    one.close()
    two.close()


def test_a_prefix_of_glob_characters_is_taken_as_it_is(server: RedisServer, prefix: str) -> None:
    one, two = RedisStore(server.url, prefix=prefix + "a:"), RedisStore(server.url, prefix=prefix + "[a-b]?*\\:")
    one.save("k", b"1", None)
    two.save("l", b"1", None)
    assert list(one.keys("")) == ["k"]
    assert list(two.keys("")) == ["l"]
    one.close()
    two.close()


def test_databases_do_not_see_each_other(server: RedisServer, store: Any, prefix: str) -> None:
    other = RedisStore(server.url[:-1] + "7", prefix=prefix)
    store.save("k", b"1", None)
    assert other.load("k") is None
    other.close()


def test_what_else_is_there_is_not_listed(server: RedisServer, store: Any, prefix: str) -> None:
    store.save("k", b"1", None)
    assert store.acquire("l", "me", LEASE_SECONDS)
    server.tell("SET", f"{prefix}other", "1")
    server.tell("SET", f"{prefix}records", "1")
    assert list(store.keys("")) == ["k"]


def test_many_keys_are_listed_each_once_by_scanning(server: RedisServer, store: Any) -> None:
    keys = {f"k{number}" for number in range(3 * stores.PAGE)}
    for key in keys:
        store.save(key, b"", None)
    server.tell("CONFIG", "RESETSTAT")
    assert sorted(store.keys("k")) == sorted(keys)
    assert set(server.tell("INFO", "commandstats")) & {"cmdstat_keys", "cmdstat_scan"} == {"cmdstat_scan"}


def test_a_name_that_redis_gives_twice_is_listed_once(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it may while its table grows."""
    pages = {0: (7, ["a", "b"]), 7: (9, ["b", "a"]), 9: (0, ["c", "a"])}

    def scan(node: Any, cursor: int, pattern: bytes, again: bool) -> tuple[int, list[bytes]]:
        after, keys = pages[cursor]
        return after, [store._name("record", key) for key in keys]

    monkeypatch.setattr(stores, "_scan", scan)
    assert list(store.keys("")) == ["a", "b", "c"]


def test_a_listing_that_finds_nothing_for_long_ends(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [[b"%srecord:{k}" % store._prefix.encode()]]
    monkeypatch.setattr(
        stores, "_scan", lambda node, cursor, pattern, again: (cursor + 1, pages.pop() if pages else [])
    )
    monkeypatch.setattr(stores, "DEADLINE_SECONDS", 0.05)
    listing = store.keys("")
    assert next(listing) == "k"
    with pytest.raises(StoreError, match="so much else"):
        next(listing)


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_record_never_ends_by_itself_and_a_lease_does(server: RedisServer, store: Any, prefix: str) -> None:
    version = store.save("k", b"1", None)
    server.tell("EXPIRE", f"{prefix}record:{{k}}", 1000)
    store.save("k", b"2", version)
    assert server.tell("PTTL", f"{prefix}record:{{k}}") == -1
    assert store.acquire("k", "me", 60)
    assert 50_000 < server.tell("PTTL", f"{prefix}lease:{{k}}") <= 60_000


@pytest.mark.parametrize("ttl", [0.0001, 0.0, 1e-9])
def test_the_shortest_lease_is_a_millisecond(store: Any, ttl: float) -> None:
    assert store.acquire("k", "me", ttl) is True
    assert store.acquire("k", "me", math.nextafter(ttl, 1)) is True


def test_versions_are_random_so_that_none_returns_with_an_older_dump(server: RedisServer, prefix: str) -> None:
    """A counter that is restored with an old dump counts to the same number again, for another record."""
    store = RedisStore(server.url, prefix=prefix)
    first = store.save("k", b"1", None)
    dump = server.tell("DUMP", f"{prefix}record:{{k}}")
    seen = store.save("k", b"2", first)  # and then Redis loses it
    server.tell("RESTORE", f"{prefix}record:{{k}}", 0, dump, "REPLACE")
    assert store.load("k") == Stored(b"1", first)
    other = store.save("k", b"another 2", first)
    with pytest.raises(Conflict):
        store.save("k", b"3", seen)
    assert store.load("k") == Stored(b"another 2", other)
    store.close()


class Deaf:
    """A client whose next commands are done, and whose answers are lost on the way."""

    def __init__(self, client: Any, losses: int) -> None:
        self._execute, self.losses = client.execute_command, losses
        client.execute_command = self

    def __call__(self, *command: Any, **options: Any) -> Any:
        answer = self._execute(*command, **options)
        if self.losses:
            self.losses -= 1
            raise redis.exceptions.ConnectionError("Connection closed by server.")
        return answer


@pytest.mark.parametrize("work", ["save", "replace", "delete"])
def test_a_save_whose_answer_was_lost_is_no_conflict_with_itself(store: Any, work: str) -> None:
    version = None if work == "save" else store.save("k", b"1", None)
    store.load("warm")
    Deaf(store._client(), losses=1)
    data = None if work == "delete" else b"2"
    new = store.save("k", data, version)
    assert store.load("k") == (None if data is None else Stored(data, new))


def test_a_deletion_asked_once_of_what_is_not_there_is_a_conflict(store: Any) -> None:
    version = store.save("k", b"1", None)
    store.save("k", None, version)
    with pytest.raises(Conflict):
        store.save("k", None, version)


def test_a_lease_whose_taking_got_no_answer_is_taken_over_by_who_asks_next_here(
    server: RedisServer, store: Any
) -> None:
    other = pickle.loads(pickle.dumps(store))
    deaf = Deaf(store._client(), losses=2)
    with pytest.raises(StoreError):
        store.acquire("k", "never told", LEASE_SECONDS)
    assert deaf.losses == 0
    assert other.acquire("k", "elsewhere", LEASE_SECONDS) is False  # it was taken: only this process knows by whom
    assert store.acquire("k", "next", LEASE_SECONDS) is True
    assert store.acquire("k", "third", LEASE_SECONDS) is False
    store.release("k", "next")
    assert other.acquire("k", "elsewhere", LEASE_SECONDS) is True
    other.close()


def test_a_lease_that_could_not_be_given_up_is_taken_over_by_who_asks_next_here(store: Any) -> None:
    assert store.acquire("k", "me", LEASE_SECONDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_closed", True)
        with pytest.raises(StoreError):
            store.release("k", "me")
    assert store.acquire("other", "you", LEASE_SECONDS) is True
    assert store.acquire("k", "you", LEASE_SECONDS) is True
    assert store.acquire("k", "me", LEASE_SECONDS) is False


def test_what_is_remembered_of_lost_leases_has_an_end(store: Any) -> None:
    store._closed = True
    for number in range(1000):
        with pytest.raises(StoreError):
            store.acquire("k", f"owner {number}", LEASE_SECONDS)
    assert len(store._lost["k"]) == 8
    store._closed = False
    assert store.acquire("k", "owner 0", LEASE_SECONDS) is True
    assert store._lost == {}


def test_scripts_that_redis_has_forgotten_are_sent_again(server: RedisServer, store: Any) -> None:
    version = None
    for number in range(3):
        server.tell("SCRIPT", "FLUSH")
        version = store.save("k", b"%d" % number, version)
        server.tell("SCRIPT", "FLUSH")
        assert store.load("k") == Stored(b"%d" % number, version)
        server.tell("SCRIPT", "FLUSH")
        assert store.acquire("k", "me", LEASE_SECONDS) is True
        server.tell("SCRIPT", "FLUSH")
        store.release("k", "me")


def test_a_script_that_redis_knows_is_not_sent_again(server: RedisServer, store: Any) -> None:
    store.save("k", b"1", None)
    store.load("k")
    server.tell("CONFIG", "RESETSTAT")
    for _ in range(5):
        store.load("k")
    stats = server.tell("INFO", "commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 5
    assert "cmdstat_eval" not in stats


def test_many_threads_and_their_connections(server: RedisServer, prefix: str) -> None:
    store = RedisStore(server.url, prefix=prefix)
    at_once(30, lambda place: [store.save(f"{place}/{number}", b"1", None) for number in range(10)])
    assert len(list(store.keys(""))) == 300
    store.close()


def test_a_forgotten_store_leaves_no_connection(server: RedisServer) -> None:
    before = len(server.tell("CLIENT", "LIST"))
    for _ in range(5):
        RedisStore(server.url).load("k")
    gc.collect()
    assert len(server.tell("CLIENT", "LIST")) <= before


def test_random_steps_are_those_of_a_dictionary(store: Any) -> None:
    chance, model = random.Random(5), dict[str, Stored]()
    for _ in range(3_000):
        key = f"k{chance.randrange(4)}"
        known = model.get(key)
        expected = chance.choice([None, known.version if known else 1, 12345])
        data = chance.choice([None, chance.randbytes(8)])
        version = _step(store, key, data, expected)
        assert (version is None) == (expected != (known.version if known else None))
        if version is not None:
            model.pop(key, None)
            if data is not None:
                model[key] = Stored(data, version)
        assert store.load(key) == model.get(key)


def _step(store: Any, key: str, data: bytes | None, expected: int | None) -> int | None:
    try:
        version: int = store.save(key, data, expected)
    except Conflict:
        return None
    return version


# --- how it is made --------------------------------------------------------------------------------------------------

PLANTED = "planted-pass/word"
ENCODED = "planted-pass%2Fword"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://:{ENCODED}@h:1/2", "redis://h:1/2"),
        (f"redis://user:{ENCODED}@h", "redis://h:6379/0"),
        (f"redis://[::1]/3?password={ENCODED}", "redis://[::1]:6379/3"),
        (f"rediss://user:{ENCODED}@h:1?db=4&ssl_cert_reqs=none", "rediss://h:1/4"),
        (f"unix:///tmp/s?password={ENCODED}", "unix:///tmp/s"),
        (f"unix://user:{ENCODED}@/tmp/a%20s?db=2&client_name=me&max_connections=5", "unix:///tmp/a s?db=2"),
    ],
)
def test_its_repr_shows_where_and_never_a_password(url: str, shown: str) -> None:
    store = RedisStore(url)
    assert repr(store) == f"<RedisStore in {shown}, prefix 'sansauth:'>"
    assert "planted" not in repr(vars(store)) + repr(store._client().connection_pool.connection_kwargs)
    assert "planted" not in repr(store._client())
    assert store._settings["credential_provider"].get_credentials()[-1] == PLANTED


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "http://:planted@h",
        "redis://",
        "redis:///0",
        "redis://:planted/word@h:1/0",
        "redis://:planted#word@h:1/0",
        "redis://:planted?word@h:1/0",
        "redis://u:1/planted@h/0",
        "redis://h:planted/0",
        "redis://h/planted",
        "redis://h/0#planted",
        "redis://h/0/1",
        "redis://[planted/0",
        "redis://h?db=planted",
        "redis://h?planted",
        "redis://h?planted=1",
        "redis://h?socket_timeout=60",
        "redis://h?max_connections=0",
        "redis://h?max_connections=-5",
        "redis://h?max_connections=65536",
        "redis://h?ssl_ca_certs=planted",
        "rediss://h?ssl_ca_certs=/nowhere/planted",
        "rediss://h?ssl_certfile=/nowhere/planted",
        "rediss://h?ssl_cert_reqs=planted",
        "rediss://h?ssl_check_hostname=planted",
        "unix://h/tmp/planted",
        "unix:planted",
    ],
)
def test_what_is_no_url_of_a_redis_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(InvalidParameter, match="Expected redis://") as caught:
        RedisStore(url)
    assert "planted" not in str(caught.value)
    assert caught.value.__context__ is None
    assert "planted" not in "".join(_locals_of(caught.value))


def _locals_of(error: BaseException) -> Iterator[str]:
    """The reprs of the locals of our own frames."""
    traceback = error.__traceback__
    while traceback is not None:
        if "sansauth_io" in traceback.tb_frame.f_code.co_filename:
            yield repr(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next


@pytest.mark.parametrize("it", [None, 1, b"redis://h", object()])
def test_only_a_url_or_a_client_is_taken(it: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"redis\.cluster\.RedisCluster"):
        RedisStore(it)


def test_a_client_of_asyncio_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="not Redis"):
        RedisStore(redis.asyncio.Redis())


@pytest.mark.parametrize("prefix", ["{app}:", "}", "a{", None, b"a"])
def test_a_prefix_is_text_without_braces(prefix: Any) -> None:
    with pytest.raises(InvalidParameter, match="braces"):
        RedisStore("redis://h", prefix=prefix)


def test_it_is_pickled_with_its_prefix_and_its_password() -> None:
    again = pickle.loads(pickle.dumps(RedisStore(f"redis://:{ENCODED}@h:1/2", prefix="p:")))
    assert repr(again) == "<RedisStore in redis://h:1/2, prefix 'p:'>"
    assert again._settings["credential_provider"].get_credentials() == (PLANTED,)


def test_a_key_that_is_no_unicode_is_refused(store: Any) -> None:
    with pytest.raises(StoreError, match="surrogate"):
        store.load("\ud800")
