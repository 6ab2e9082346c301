"""A service whose refresh tokens are good once, and whose API knows the newest access token alone. It counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from urllib.parse import parse_qs

from sansauth.provider import Provider
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth_io.stores import Store

from .forked_callers import ME, PATIENCE, TOKEN, provider_at, user_named

LATENCY_SECONDS = 0.05  # of the token endpoint


class Login:
    """One user's, as the service sees it. It hands out tokens for `lifetime` seconds.

    `trouble` is a status that the token endpoint answers instead; while `may_answer` is not set it does not answer.
    """

    def __init__(self, account: str, lifetime: float) -> None:
        self.account = account
        self.lifetime = lifetime
        self.generation = 1
        self.trouble: int | None = None
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        self.revoked = ""
        self.shown: list[str] = []  # refresh tokens, in their order
        self.asks = 0  # of the token endpoint, whatever came of them
        self.refreshes = 0
        self.reuses = 0  # refresh tokens that had been used before
        self.traded_at = 0.0  # monotonic seconds; when the token endpoint answered last
        self.answered = 0  # calls of the API, with the newest access token
        self.refused = 0  # and with any other

    @property
    def access_token(self) -> str:
        return f"access-{self.account}-{self.generation}"

    @property
    def refresh_token(self) -> str:
        return f"refresh-{self.account}-{self.generation}"

    def revoke_access(self) -> None:
        """The newest access token serves no more; the refresh token does."""
        self.revoked = self.access_token

    def use_up(self) -> None:
        """Somebody else has used the newest refresh token."""
        self.generation += 1

    def tokens(self, *, issued_at: float, expires_at: float) -> OAuth2Tokens:
        """The newest."""
        return OAuth2Tokens(
            self.access_token, issued_at=issued_at, expires_at=expires_at, refresh_token=self.refresh_token
        )

    def store_in(self, store: Store, provider: Provider, *, now: float, ends_in: float = -1.0) -> str:
        """Have the newest tokens stored, such as end in so many seconds; their key."""
        key = oauth2_tokens_key(user_named(self.account), provider)
        store.save(key, self.tokens(issued_at=now - 7200, expires_at=now + ends_in).to_bytes(), None)
        return key

    def counted(self) -> tuple[int, int, int]:
        """How often the token endpoint was asked, did refresh, and was shown what had been used before."""
        return self.asks, self.refreshes, self.reuses


class RotatingService:
    """Serves in a thread of its own, on a free port of 127.0.0.1."""

    def __init__(self, latency: float = LATENCY_SECONDS) -> None:
        self.latency = latency
        self.logins: dict[str, Login] = {}
        self.connections: set[_Connection] = set()
        self.trades: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> RotatingService:
        self._thread.start()
        opened = asyncio.run_coroutine_threadsafe(self._open(), self._loop)
        self.address: tuple[str, int] = opened.result(PATIENCE)
        self.url = f"http://127.0.0.1:{self.address[1]}"
        self.provider = provider_at(self.url)
        return self

    async def _open(self) -> tuple[str, int]:
        self._server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=4096)
        address: tuple[str, int] = self._server.sockets[0].getsockname()
        return address

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for login in self.logins.values():
            login.may_answer.set()
        if self.trades:
            await asyncio.wait(self.trades)
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    def log_in(self, lifetime: float = 7200.0) -> Login:
        """A user that nobody knows yet."""
        login = Login(f"u{len(self.logins)}", lifetime)
        self.logins[login.account] = login
        return login

    def settle(self) -> None:
        """Wait until all that was ever sent has been dealt with, and nobody is connected any more."""
        end = time.monotonic() + PATIENCE
        with contextlib.closing(socket.create_connection(self.address, PATIENCE)) as probe:
            probe.sendall(b"GET /settled HTTP/1.1\r\n\r\n")
            assert probe.recv(1000), "whoever connected before has been accepted now"
            while len(self.connections) > 1 or self.trades:
                assert time.monotonic() < end, "connections or trades that never end"
                time.sleep(0.0005)

    # --- in the event loop's thread ----------------------------------------------------------------------------------

    def call(self, head: bytes) -> bytes:
        """The answer of the API."""
        bearer = head.partition(b"Bearer ")[2].partition(b"\r\n")[0].decode()
        login = self._login(bearer)
        if login is None or bearer != login.access_token or bearer == login.revoked:
            if login is not None:
                login.refused += 1
            return _answer(401, {})
        login.answered += 1
        return _answer(200, {})

    async def trade(self, form: str) -> bytes:
        """The answer of the token endpoint; it commits in the middle of its latency, whoever is still there to hear."""
        shown = parse_qs(form)["refresh_token"][0]
        login = self._login(shown)
        if login is None:
            return _answer(400, {"error": "invalid_grant"})
        login.asks += 1
        login.shown.append(shown)
        login.asked.set()
        await asyncio.sleep(self.latency / 2)
        status, document = self._commit(login, shown)
        await asyncio.sleep(self.latency / 2)
        while not login.may_answer.is_set():
            await asyncio.sleep(0.001)
        login.traded_at = time.monotonic()
        return _answer(status, document)

    def _commit(self, login: Login, shown: str) -> tuple[int, dict[str, object]]:
        if login.trouble is not None:
            return login.trouble, {}
        if shown != login.refresh_token:
            login.reuses += 1
            return 400, {"error": "invalid_grant"}
        login.generation += 1
        login.refreshes += 1
        return 200, {
            "token_type": "bearer",
            "access_token": login.access_token,
            "refresh_token": login.refresh_token,
            "expires_in": login.lifetime,
        }

    def _login(self, token: str) -> Login | None:
        _, _, rest = token.partition("-")
        return self.logins.get(rest.partition("-")[0])


class _Connection(asyncio.Protocol):
    """HTTP/1.1, as far as the clients of these tests go."""

    transport: asyncio.Transport

    def __init__(self, service: RotatingService) -> None:
        self._service = service
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._service.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._service.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(rest) < length:
            return
        body, self._buffer = rest[:length].decode(), rest[length:]
        path = head.split(b" ", 2)[1].decode()
        if path == TOKEN:
            trade = asyncio.get_running_loop().create_task(self._trade(body))
            self._service.trades.add(trade)
            trade.add_done_callback(self._service.trades.discard)
        else:
            self.transport.write(self._service.call(head) if path == ME else _answer(200, {}))

    async def _trade(self, body: str) -> None:
        answer = await self._service.trade(body)
        if not self.transport.is_closing():
            self.transport.write(answer)


def _answer(status: int, document: dict[str, object]) -> bytes:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
