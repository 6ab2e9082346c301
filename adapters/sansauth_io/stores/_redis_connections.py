"""Connections to Redis, from a URL, with one deadline for everything that is done on them.

redis-py bounds each connecting and each read by itself, so a server that answers every step of the handshake late, or
drips an answer byte by byte, outlives every timeout. Here each step gets what is left of the deadline.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import re
import socket
import ssl
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool, Connection, ConnectionPool
from redis.credentials import UsernamePasswordCredentialProvider
from redis.exceptions import RedisError
from redis.retry import Retry

from sansauth.errors import InvalidParameter
from sansauth.secret import Secret
from sansauth_io.stores._redis_trouble import is_elsewhere

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["CONNECT_SECONDS", "READ_SECONDS", "Server", "bounded", "pool_of", "read_url"]

CONNECT_SECONDS = 2.0  # to one address, and for the TLS handshake: one lost packet (1 s) is borne
READ_SECONDS = 2.0  # of silence, until the next piece of an answer
WAIT_SECONDS = 60  # for a free connection; the deadline is shorter
MOST_CONNECTIONS = 65_535  # there are no more ports to connect from
CONNECTIONS = 100  # of a process, unless the URL says otherwise
PORT = 6379

"".encode("idna")  # imports the codec, as getaddrinfo does when it is first used: a fork meanwhile would wait for that

_MOMENT = 0.001  # a timeout of 0 would mean: do not block
_END: contextvars.ContextVar[float] = contextvars.ContextVar("sansauth_redis_end", default=math.inf)


@contextlib.contextmanager
def bounded(end: float) -> Generator[None]:
    """Whatever our connections do in this context ends by then, by `time.monotonic`."""
    token = _END.set(end)
    try:
        yield
    finally:
        _END.reset(token)


def _left(limit: float) -> float:
    left = _END.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline is over")
    return max(min(limit, left), _MOMENT)


class _BoundedSocket:
    """A socket whose every read and write gets what is left of the deadline."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._limit: float = READ_SECONDS

    def settimeout(self, seconds: float | None) -> None:
        self._limit = READ_SECONDS if seconds is None else seconds
        self._inner.settimeout(seconds)

    def recv(self, size: int, *flags: int) -> bytes:
        self._bound()
        return self._inner.recv(size, *flags)

    def recv_into(self, buffer: WriteableBuffer, *rest: int) -> int:
        self._bound()
        return self._inner.recv_into(buffer, *rest)

    def sendall(self, data: ReadableBuffer) -> None:
        self._inner.settimeout(_left(READ_SECONDS))
        self._inner.sendall(data)  # the timeout is for all of it

    def _bound(self) -> None:
        if self._limit:  # 0 only asks whether something is there
            self._inner.settimeout(_left(self._limit))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """Where Redis is: an IP host and port, with TLS or without, or the path of a Unix socket; and which database."""

    host: str
    port: int = PORT
    path: str | None = None
    tls: ssl.SSLContext | None = None
    database: int = 0

    def connect(self) -> socket.socket:
        """A connected socket; raises OSError."""
        if self.path is not None:
            return _opened(socket.AF_UNIX, self.path)
        error: OSError | None = None
        for family, _, _, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            try:
                return _opened(family, address, self._secured)
            except OSError as failure:
                error = failure
        raise error or OSError(f"{self.host} has no address")

    def _secured(self, plain: socket.socket) -> socket.socket:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return plain if self.tls is None else self.tls.wrap_socket(plain, server_hostname=self.host)

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix://{self.path}" + (f"?db={self.database}" if self.database else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'redis' if self.tls is None else 'rediss'}://{host}:{self.port}/{self.database}"


def _opened(
    family: int, address: Any, secure: Callable[[socket.socket], socket.socket] = lambda plain: plain
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(_left(CONNECT_SECONDS))
        sock.connect(address)
        sock.settimeout(_left(CONNECT_SECONDS))
        sock = secure(sock)
        sock.settimeout(READ_SECONDS)
        return sock
    except BaseException:
        sock.close()
        raise


@dataclass(slots=True)
class _Era:
    """Connections of an earlier era are not used again: after a failover, the name leads to another server."""

    number: int = 0


class _BoundedConnection(Connection):
    """redis-py's connection, on a socket that we opened. `_connect` is where every release of it opens its own."""

    def __init__(self, server: Server, era: _Era, **settings: Any) -> None:
        init = cast("Callable[..., None]", super().__init__)  # pyright: ignore[reportUnknownMemberType]  # redis-py's
        init(host=server.path or server.host, port=server.port, **settings)
        self._server = server
        self._era = era
        self._since = era.number

    def connect(self, *rest: Any, **settings: Any) -> None:
        # The pool calls it whenever it gives the connection away: only then does nobody else use it.
        if self._since != self._era.number:
            _untyped(self, "disconnect")()
        _untyped(super(), "connect")(*rest, **settings)

    def _connect(self) -> Any:
        self._since = self._era.number
        return _BoundedSocket(self._server.connect())

    def read_response(self, *rest: Any, **settings: Any) -> Any:
        try:
            return _untyped(super(), "read_response")(*rest, **settings)
        except RedisError as error:
            if is_elsewhere(error) and self._since == self._era.number:
                self._era.number += 1
            raise


def _untyped(owner: object, method: str) -> Callable[..., Any]:
    return cast("Callable[..., Any]", getattr(owner, method))  # redis-py's, partly without types


class _BoundedQueue(LifoQueue[Any]):
    """Free connections, waited for until the deadline."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        return super().get(block, None if timeout is None else _left(timeout))


def pool_of(server: Server, settings: dict[str, Any]) -> ConnectionPool:
    """A pool of connections to `server`, with further settings of redis-py's. It opens none yet."""
    pool = cast("Callable[..., ConnectionPool]", BlockingConnectionPool)
    return pool(
        max_connections=settings.get("max_connections", CONNECTIONS),
        timeout=WAIT_SECONDS,
        queue_class=_BoundedQueue,
        connection_class=_BoundedConnection,
        era=_Era(),
        server=server,
        db=server.database,
        socket_timeout=READ_SECONDS,
        protocol=2,  # no further round trip to agree on it
        retry=Retry(NoBackoff(), 0),  # once more, if at all, is for whoever knows the deadline
        **{name: value for name, value in settings.items() if name != "max_connections"},
    )


# What a URL may say after its `?`; whoever needs more makes a client.
_TLS_SETTINGS = {
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_cert_reqs",
    "ssl_check_hostname",
}
_SETTINGS = {"db", "username", "password", "client_name", "max_connections"}


def read_url(url: Secret) -> tuple[Server, dict[str, Any]]:
    """Where a URL leads, and the settings of a connection to it, among them the credentials.

    Raises `InvalidParameter`, which never quotes the URL.
    """
    read = _attempted(url)
    if not isinstance(read, str):
        return read
    raise InvalidParameter(
        f"this is no URL of a Redis: {read}. Expected redis://, rediss:// (TLS) or unix://; the characters "
        "/ ? # @ : % in a name or password are percent-encoded"
    )


def _attempted(url: str) -> tuple[Server, dict[str, Any]] | str:
    # The problem is given, not raised: no traceback then shows the pieces of the URL, nor do the errors of urllib, that
    # quote them (of a password with a "/" it says that this port is no number).
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        return _problem(parts, query) or _read(parts, query)
    except InvalidParameter as error:
        return str(error)
    except ValueError:
        return "it is no URL, or has something else where a number is expected"


def _problem(parts: SplitResult, query: dict[str, str]) -> str | None:
    if parts.scheme not in ("redis", "rediss", "unix"):
        return "it has another scheme"
    allowed = _SETTINGS | _TLS_SETTINGS if parts.scheme == "rediss" else _SETTINGS
    if not query.keys() <= allowed:
        return f"after its ? may stand {', '.join(sorted(allowed))}, and nothing else"
    if parts.fragment or "@" in parts.query:
        return "it has a # or an @ in a wrong place"
    if parts.scheme == "unix":
        return None if parts.path.startswith("/") and not parts.hostname else "it has no absolute path"
    if not parts.hostname:
        return "it names no host"
    if not re.fullmatch(r"(/\d*)?", parts.path, re.ASCII):
        return "its path is the number of a database, or nothing"
    return None


def _read(parts: SplitResult, query: dict[str, str]) -> tuple[Server, dict[str, Any]]:
    unix = parts.scheme == "unix"
    numbers: dict[str, int] = {name: int(query.pop(name)) for name in ("db", "max_connections") if name in query}
    if not 0 < numbers.get("max_connections", CONNECTIONS) <= MOST_CONNECTIONS:
        raise InvalidParameter(f"max_connections is 1 to {MOST_CONNECTIONS}")
    database = numbers.pop("db", 0 if unix else int(parts.path[1:] or 0))
    tls = {name: query.pop(name) for name in _TLS_SETTINGS & query.keys()}
    credentials = {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    username, password = (Secret(query.pop(name, value)) for name, value in credentials.items())
    settings: dict[str, Any] = dict(query)
    settings.update(numbers)
    if username or password:
        # Not as settings: some releases of redis-py (7.0) show those in the repr of a client.
        settings["credential_provider"] = UsernamePasswordCredentialProvider(username or None, password or None)
    if unix:
        return Server("localhost", path=unquote(parts.path), database=database), settings
    context = _context(tls) if parts.scheme == "rediss" else None
    return Server(unquote(parts.hostname or ""), parts.port or PORT, tls=context, database=database), settings


def _context(tls: dict[str, str]) -> ssl.SSLContext:
    wanted = tls.get("ssl_cert_reqs", "required"), tls.get("ssl_check_hostname", "true").lower()
    match wanted:
        case "required", "true" | "yes" | "1":
            check, mode = True, ssl.CERT_REQUIRED
        case "required", "false" | "no" | "0":
            check, mode = False, ssl.CERT_REQUIRED
        case "none", _:
            check, mode = False, ssl.CERT_NONE
        case _:
            raise InvalidParameter("ssl_cert_reqs is required or none, ssl_check_hostname true or false")
    try:
        context = ssl.create_default_context(cafile=tls.get("ssl_ca_certs"), capath=tls.get("ssl_ca_path"))
        if "ssl_certfile" in tls:
            context.load_cert_chain(tls["ssl_certfile"], tls.get("ssl_keyfile"), tls.get("ssl_password", ""))
    except OSError:  # ssl.SSLError is one
        raise InvalidParameter("its ssl_ca_certs, ssl_ca_path, ssl_certfile or ssl_keyfile cannot be read") from None
    context.check_hostname = check
    context.verify_mode = mode
    return context
