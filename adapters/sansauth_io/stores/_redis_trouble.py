"""What went wrong with a Redis, in our words: errors of redis-py and answers of Redis may quote what was sent."""

from __future__ import annotations

import queue
import re
import socket
import ssl

import redis.exceptions as failures

__all__ = ["ERRORS", "is_elsewhere", "may_pass", "reason"]

_TROUBLE = {
    "OOM": "it is full (maxmemory), and nothing was written; give it more memory, and see its maxmemory-policy",
    "READONLY": "it is a replica that cannot be written to; give the store the primary",
    "WRONGTYPE": "something else has the name of this record or lease, and was left as it is; choose another prefix",
    "NOAUTH": "it wants a password",
    "WRONGPASS": "it did not accept the user name or password, or wants one",
    "NOPERM": "its access list does not let this user run scripts, or SCAN, on names with this prefix",
    "MISCONF": "it cannot write its dump to disk and refuses writes (stop-writes-on-bgsave-error)",
    "NOREPLICAS": "it has fewer replicas than it is told to insist on (min-replicas-to-write), and refuses writes",
    "LOADING": "it has just started and is still loading its data; try again",
    "BUSY": "a script of somebody else's has kept it busy for too long",
    "MASTERDOWN": "it is a replica that has lost its primary",
    "CLUSTERDOWN": "its cluster is down",
    "MOVED": "it is a node of a cluster; give the store a redis.cluster.RedisCluster",
}
_CODE = re.compile(rf"\b({'|'.join(_TROUBLE)})\b")
_CODE_OF_CLASS: dict[type[Exception], str] = {  # redis-py takes the code out of the text of these
    failures.OutOfMemoryError: "OOM",
    failures.ReadOnlyError: "READONLY",
    failures.AuthenticationError: "WRONGPASS",
    failures.NoPermissionError: "NOPERM",
    failures.BusyLoadingError: "LOADING",
    failures.MasterDownError: "MASTERDOWN",
    failures.ClusterDownError: "CLUSTERDOWN",
    failures.MovedError: "MOVED",
}
_ELSEWHERE = {"READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN"}
_UNREACHED: dict[type[Exception], str] = {
    queue.Empty: "all connections were in use for too long; see max_connections, and how fast it answers",
    ConnectionRefusedError: "it refused the connection; is it running?",
    FileNotFoundError: "there is no such socket; is it running?",
    PermissionError: "this user may not use its socket",
    socket.gaierror: "its name has no address",
    ssl.SSLCertVerificationError: "its certificate was not accepted; see ssl_ca_certs, and the host's name",
    ssl.SSLError: "it does not speak TLS as this side does, or wants a certificate of this side",
}
ERRORS = (failures.RedisError, failures.RedisClusterException, failures.ChildDeadlockedError, OSError, UnicodeError)
"""What redis-py raises when a command fails: not all of it is a `RedisError`."""


def may_pass(error: Exception) -> bool:
    """Whether it may be the connection alone: one that broke while nobody looked, or leads to a former primary."""
    if is_elsewhere(error):
        return True
    broken = isinstance(error, failures.ConnectionError | failures.TimeoutError)
    return broken and not isinstance(error, failures.AuthenticationError)


def is_elsewhere(error: Exception) -> bool:
    """Whether a server did nothing because it is not, or not yet, the one to ask: after a failover, another is."""
    return _code(error) in _ELSEWHERE


def reason(error: Exception) -> str:
    """What happened and what to do; nothing of the error's own text."""
    code = _code(error)
    if code is not None:
        return _TROUBLE[code]
    if isinstance(error, failures.TimeoutError):
        return "no answer came in time"
    if isinstance(error, UnicodeError):
        return "a key of a store is Unicode text, without half a surrogate pair"
    cause: BaseException | None = error
    while cause is not None:
        for kind in type(cause).__mro__:
            if kind in _UNREACHED:
                return _UNREACHED[kind]
        cause = cause.__context__
    if isinstance(error, failures.ResponseError):
        return "it answered an error that is not expected here; its own log may say more"
    if isinstance(error, failures.ConnectionError | OSError):
        return "the connection failed, or broke before an answer came"
    return f"what it answered was not understood ({type(error).__name__}); is it a Redis?"


def _code(error: Exception) -> str | None:
    """The first word of the answer that this error was: inside a script, Redis 6 puts it further back."""
    for kind in type(error).__mro__:
        if kind in _CODE_OF_CLASS:
            return _CODE_OF_CLASS[kind]
    found = _CODE.search(str(error)) if isinstance(error, failures.ResponseError) else None
    return found and found[1]
