"""The store of many machines: a Redis, or a Valkey, that all of them reach. Extra `redis`.

    from sansauth_io.stores import RedisStore

    store = RedisStore("rediss://:password@redis.example:6380/0")

A record is a hash, `PREFIXrecord:{KEY}`, a lease a string that ends by itself, `PREFIXlease:{KEY}`. Each script touches
one of them, so each runs on one node of a cluster; the braces put a record and its lease on the same one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import os
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, cast

from sansauth.effects import Stored
from sansauth.errors import Conflict, InvalidParameter, LocalProtocolError, StoreError
from sansauth.secret import Secret

try:
    from redis import Redis
    from redis.client import NEVER_DECODE
    from redis.cluster import RedisCluster
    from redis.exceptions import NoScriptError
except ModuleNotFoundError:
    raise ModuleNotFoundError("RedisStore needs redis: pip install 'sansauth[redis]'", name="redis") from None

from sansauth_io.stores._redis_connections import bounded, pool_of, read_url
from sansauth_io.stores._redis_trouble import ERRORS, is_elsewhere, may_pass, reason

if TYPE_CHECKING:
    from redis.cluster import ClusterNode

__all__ = ["DEADLINE_SECONDS", "RedisStore"]

T = TypeVar("T")
_Client: TypeAlias = Redis | RedisCluster


class _Commands(Protocol):
    """What a client does, with types."""

    def execute_command(self, *command: object, **options: object) -> object: ...

    def get_primaries(self) -> list[ClusterNode]: ...


DEADLINE_SECONDS = 4.5  # of a method, by our own connections; below the 5 s of the contract
AGAIN_SECONDS = 2.5  # a failure within these is worth a second attempt
PAGE = 1000  # names that one step of a listing looks at

_VERSION_BITS = 62  # a random version: positive, and within the integers of any database
_REMEMBERED = 8  # leases per key that may still be ours by mistake


@dataclass(frozen=True, slots=True)
class _Script:
    """What Redis runs, alone, on one name. ARGV[1] is "1" when it is asked again, since no answer came."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        # Redis's name for a script (EVALSHA), no matter of security.
        object.__setattr__(self, "digest", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


# By a script too, though HMGET would do: a user's client may send what it knows to read only to replicas, or answer it
# from a cache of its own, and an old record means a refresh token that was used before.
_LOAD = _Script("return redis.call('HMGET', KEYS[1], 'version', 'data')")

# ARGV: the version that is expected, or nothing; the new version; then the data, unless the record is deleted.
#
# The version is chosen by who saves. So a save whose answer was lost can be asked again: it finds itself. A script is
# not rolled back, so a record is replaced in place: whatever is refused, the old one is still there. Only in a Redis
# that is full (`maxmemory`) it is deleted first, because a script whose first write frees memory may go on to write:
# the new refresh token of a login must not be lost because others filled the memory meanwhile.
_SAVE = _Script("""
local current = redis.call('HGET', KEYS[1], 'version')
if current == ARGV[3] then return 1 end
if not current then
  if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('WRONGTYPE a hash, but no record') end
  if #ARGV == 3 and ARGV[1] == '1' then return 1 end
end
if (current or '') ~= ARGV[2] then return 0 end
if #ARGV == 3 then
  if current then redis.call('DEL', KEYS[1]) end
  return 1
end
local function refusal(version, data)
  local answer = redis.pcall('HSET', KEYS[1], 'version', version, 'data', data)
  return type(answer) == 'table' and answer.err and answer
end
local refused = refusal(ARGV[3], ARGV[4])
local old = refused and current and string.find(refused.err, 'OOM', 1, true) and redis.call('HGET', KEYS[1], 'data')
if old then
  redis.call('DEL', KEYS[1])
  refused = refusal(ARGV[3], ARGV[4])
  if refused then refusal(current, old) end
end
if refused then return refused end
redis.pcall('PERSIST', KEYS[1])
return 1
""")

# ARGV: milliseconds; the owner; then owners that have given up without Redis knowing.
_ACQUIRE = _Script("""
local holder = redis.call('GET', KEYS[1])
local free = not holder
for place = 3, #ARGV do free = free or holder == ARGV[place] end
if not free then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
return 1
""")

_RELEASE = _Script("""
if redis.call('GET', KEYS[1]) == ARGV[2] then redis.call('DEL', KEYS[1]) end
return 1
""")


class RedisStore:
    """Records and leases in a Redis (6.0 or later) or a Valkey, under names that begin with `prefix`.

    `url` is `redis://`, `rediss://` (TLS) or `unix://`, as in `rediss://user:password@host:6380/0?ssl_ca_certs=ca.pem`;
    everything in it may be a secret, so nothing of it but host, port and database is ever shown. Nothing is opened
    before the store is first used. It can be pickled, password included, and used before and after a fork.

    Or it is a client of yours, `redis.Redis` or `redis.cluster.RedisCluster`, with your time limits and your
    retrying, on which the 5 seconds of every other store depend; it is not closed, and such a store is not pickled.

    All methods raise `StoreError` for trouble with the Redis; it says what happened, and quotes no record and no
    answer. After that nobody knows whether Redis has done what it was asked to; a lease that was being taken, renewed
    or given up is then nobody's, as far as this store is asked for it.
    """

    blocking = True

    def __init__(self, url: str | Redis | RedisCluster, *, prefix: str = "sansauth:") -> None:
        self._closed = False
        self._place = "the client that it was given"
        self._prefix = prefix
        self._own: tuple[int, Redis] | None = None  # a process, and our client there
        self._inherited: list[object] = []
        # Owners, by key, that hold a lease or not: no answer came. Nobody waits 60 s for them to end, in this process.
        self._lost: dict[str, deque[bytes]] = {}
        if not isinstance(prefix, str) or set(prefix) & set("{}"):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameter("prefix is text without braces: with them, a cluster keeps every record on one node")
        if isinstance(url, str):
            url = Secret(url)  # in place: a traceback that shows the locals of its frames must not show a password
            self._server, self._settings = read_url(url)
            self._place = str(self._server)
        elif not isinstance(url, Redis | RedisCluster):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise LocalProtocolError(
                f"RedisStore takes a URL, a redis.Redis or a redis.cluster.RedisCluster, not {type(url).__qualname__}"
            )
        self._source = url

    def load(self, key: str) -> Stored | None:
        """The record and its version."""
        version, data = cast("list[bytes | None]", _done(self._run(_LOAD, "record", key)))
        if version is None and data is None:
            return None
        if version is not None and data is not None and version.isdigit():
            return Stored(data, int(version))
        del data, version  # from a traceback that shows locals
        raise StoreError(f"in {self._place}, what has the name of the record {key!r} is none; it was left as it is")

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        """Write if the version still is `expected`."""
        # Random, not counted: a Redis that was restored from an older dump, or replaced by a replica that lagged,
        # would count to the same number twice.
        version = secrets.randbits(_VERSION_BITS) + 1
        old, content = b"" if expected is None else b"%d" % expected, () if data is None else (data,)
        saved = self._run(_SAVE, "record", key, old, b"%d" % version, *content)
        del data, content  # as above
        if not _done(saved):
            raise Conflict(f"the record {key!r} changed since it was read")
        return version

    def acquire(self, key: str, owner: str, ttl: float) -> bool:
        """Take or renew the lease."""
        lost = list(self._lost.get(key, ()))
        milliseconds = max(1, math.ceil(ttl * 1000))
        granted = self._run(_ACQUIRE, "lease", key, b"%d" % milliseconds, owner.encode(), *lost)
        if isinstance(granted, StoreError):
            self._lose(key, owner)
        else:
            self._find(key, lost)
        return bool(_done(granted))

    def release(self, key: str, owner: str) -> None:
        """Give the lease up."""
        released = self._run(_RELEASE, "lease", key, owner.encode())
        if isinstance(released, StoreError):
            self._lose(key, owner)
        _done(released)

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key with a record that begins with `prefix`; read bit by bit, each within the limits of a method."""
        begin = self._name("record", "")[:-1]
        pattern = re.sub(rb"([*?[\\])", rb"\\\1", begin + prefix.encode()) + b"*"
        seen: set[bytes] = set()  # a name may come twice
        since = time.monotonic()
        for node in _done(self._attempt(lambda _: _nodes(self._client()))):
            cursor = -1
            while cursor:
                cursor, names = _done(self._attempt(functools.partial(_scan, node, max(cursor, 0), pattern)))
                for name in names:
                    if name not in seen:
                        seen.add(name)
                        yield name[len(begin) : -1].decode()
                        since = time.monotonic()
                if time.monotonic() - since > DEADLINE_SECONDS:
                    raise StoreError(f"{self._place} holds so much else that records are not found in time")

    def close(self) -> None:
        """Close the connections, unless they are those of your client; then every method raises `StoreError`."""
        self._closed = True
        if self._own is not None and self._own[0] == os.getpid():
            self._own[1].connection_pool.disconnect()

    def __reduce__(self) -> tuple[Callable[[str], RedisStore], tuple[str]]:
        if not isinstance(self._source, Secret):
            raise TypeError("a RedisStore on a client of yours cannot be pickled; make it from a URL")
        return functools.partial(RedisStore, prefix=self._prefix), (str(self._source),)

    def __repr__(self) -> str:
        return f"<RedisStore in {self._place}, prefix {self._prefix!r}{', closed' if self._closed else ''}>"

    def _client(self) -> _Client:
        """The client that was given, or our own, one a process."""
        if not isinstance(self._source, Secret):
            return self._source
        own = self._own
        if own is None or own[0] != os.getpid():
            # redis-py notices a fork by itself, but then waits for a lock that a thread of the parent may have held
            # (8.1). It would do so, too, if the parent's pool were collected here.
            self._inherited.append(own)
            self._own = own = os.getpid(), Redis(connection_pool=pool_of(self._server, self._settings))
        return own[1]

    def _name(self, kind: str, key: str) -> bytes:
        return f"{self._prefix}{kind}:{{{key}}}".encode()

    def _run(self, script: _Script, kind: str, key: str, *arguments: bytes) -> object:
        """What a script answers for the record or the lease of a key; or the error that it was, not raised."""
        return self._attempt(lambda again: _evaluate(self._client(), script, self._name(kind, key), again, arguments))

    def _attempt(self, work: Callable[[bool], T]) -> T | StoreError:
        """What `work` gives, if need be at a second attempt; or the error that it was.

        Errors are values in here: raised, they would keep the frames that hold records and redis-py's own errors.
        """
        if self._closed:
            return StoreError(f"the store is closed: {self._place}; make another")
        began = time.monotonic()
        with bounded(began + DEADLINE_SECONDS):
            try:
                return work(False)
            except ERRORS as error:
                if not may_pass(error) or time.monotonic() - began > AGAIN_SECONDS:
                    return self._trouble(error)
                unanswered = not is_elsewhere(error)
            try:
                return work(unanswered)
            except ERRORS as error:
                return self._trouble(error)

    def _trouble(self, error: Exception) -> StoreError:
        """What happened, in our words: the errors of redis-py and of Redis may quote what was sent."""
        return StoreError(f"{self._place}: {reason(error)}")

    def _lose(self, key: str, owner: str) -> None:
        lost = self._lost.get(key) or deque[bytes](maxlen=_REMEMBERED)
        lost.append(owner.encode())
        self._lost[key] = lost  # again: another thread may have dropped it as empty

    def _find(self, key: str, holders: list[bytes]) -> None:
        lost = self._lost.get(key)
        if lost is None:
            return
        for holder in holders:
            with contextlib.suppress(ValueError):  # another thread was faster
                lost.remove(holder)
        if not lost:
            self._lost.pop(key, None)
        if lost:  # by another thread, meanwhile
            self._lost.setdefault(key, lost)


def _done(answer: T | StoreError) -> T:
    if isinstance(answer, StoreError):
        raise answer
    return answer


def _evaluate(client: _Client, script: _Script, name: bytes, again: bool, arguments: tuple[bytes, ...]) -> object:
    rest = (1, name, b"1" if again else b"0", *arguments)
    try:
        return _execute(client, "EVALSHA", script.digest, *rest)
    except NoScriptError:  # a Redis that was restarted, or never asked this
        return _execute(client, "EVAL", script.text, *rest)


def _nodes(client: _Client) -> list[Redis]:
    if isinstance(client, RedisCluster):
        return [client.get_redis_connection(node) for node in cast("_Commands", client).get_primaries()]
    return [client]


def _scan(node: Redis, cursor: int, pattern: bytes, _again: bool) -> tuple[int, list[bytes]]:
    return cast("tuple[int, list[bytes]]", _execute(node, "SCAN", cursor, "MATCH", pattern, "COUNT", PAGE))


def _execute(client: _Client, *command: object) -> object:
    return cast("_Commands", client).execute_command(
        *command, **{NEVER_DECODE: True}
    )  # bytes, of a client that decodes
