"""Sessions of the user's own that carry our `Auth`, behind one synchronous face."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from sansauth.identity import Identity
from sansauth.provider import Provider

from .transports import adapter, event_loop, library


@dataclass(frozen=True)
class Answered:
    status: int
    body: bytes


class Own(Protocol):
    """One session. `form`, `json`, `files` and `pieces` (a body that is streamed) are the kinds of body."""

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        form: Any = None,
        json: Any = None,
        files: Any = None,
        pieces: Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        follow: bool = False,
    ) -> Answered: ...


class _Requests:
    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, method: str, url: str, *, form: Any = None, pieces: Any = None, **more: Any) -> Answered:
        follow = more.pop("follow", False)
        response = self._session.request(method, url, data=pieces or form, allow_redirects=follow, timeout=5, **more)
        return Answered(response.status_code, response.content)


class _Httpx:
    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, method: str, url: str, *, form: Any = None, pieces: Any = None, **more: Any) -> Answered:
        follow = more.pop("follow", False)
        response = self._client.request(method, url, data=form, content=pieces, follow_redirects=follow, **more)
        return Answered(response.status_code, response.content)


class _AsyncHttpx:
    def __init__(self, client: Any, start: Callable[[Callable[[], Any]], Any]) -> None:
        self._client = client
        self._start = start

    def send(self, method: str, url: str, *, form: Any = None, pieces: Any = None, **more: Any) -> Answered:
        follow = more.pop("follow", False)
        content = None if pieces is None else _asynchronous(pieces)
        response = self._start(
            lambda: self._client.request(method, url, data=form, content=content, follow_redirects=follow, **more)
        ).result()
        return Answered(response.status_code, response.content)


async def _asynchronous(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


class Opener(Protocol):
    def __call__(self, identity: Identity, provider: Provider) -> AbstractContextManager[Own]: ...


@contextlib.contextmanager
def _requests(identity: Identity, provider: Provider, *, fetching: bool = False) -> Iterator[Own]:
    module = adapter("requests")
    with library("requests").Session() as session:
        client = module.Client(identity, provider=provider, session=session)
        session.auth = client.auth if fetching else module.Auth(identity, provider=provider)
        yield _Requests(session)


def _httpx(name: str) -> Opener:
    @contextlib.contextmanager
    def opened(identity: Identity, provider: Provider) -> Iterator[Own]:
        with library(name).Client(auth=adapter(name).Auth(identity, provider=provider)) as client:
            yield _Httpx(client)

    return opened


def _async_httpx(name: str, backend: str, *, fetching: bool = False) -> Opener:
    @contextlib.contextmanager
    def opened(identity: Identity, provider: Provider) -> Iterator[Own]:
        module = adapter(name)
        with event_loop(backend) as start:
            client = library(name).AsyncClient()
            if fetching:
                client.auth = module.AsyncClient(identity, provider=provider, client=client).auth
            else:
                client.auth = module.Auth(identity, provider=provider)
            try:
                yield _AsyncHttpx(client, start)
            finally:
                start(client.aclose).result()

    return opened


@contextlib.contextmanager
def _fetching_requests(identity: Identity, provider: Provider) -> Iterator[Own]:
    with _requests(identity, provider, fetching=True) as own:
        yield own


HOLDING: dict[str, Opener] = {
    "requests": _requests,
    "httpx": _httpx("httpx"),
    "httpx-asyncio": _async_httpx("httpx", "asyncio"),
    "httpx-trio": _async_httpx("httpx", "trio"),
    "httpx2": _httpx("httpx2"),
    "httpx2-asyncio": _async_httpx("httpx2", "asyncio"),
    "httpx2-trio": _async_httpx("httpx2", "trio"),
}
FETCHING: dict[str, Opener] = {
    "requests": _fetching_requests,
    "httpx-asyncio": _async_httpx("httpx", "asyncio", fetching=True),
    "httpx-trio": _async_httpx("httpx", "trio", fetching=True),
    "httpx2-asyncio": _async_httpx("httpx2", "asyncio", fetching=True),
    "httpx2-trio": _async_httpx("httpx2", "trio", fetching=True),
}
every_auth = pytest.mark.parametrize(
    "opened",
    [*HOLDING.values(), *FETCHING.values()],
    ids=[*HOLDING, *(f"{name}-fetching" for name in FETCHING)],
)
every_holding_auth = pytest.mark.parametrize("opened", HOLDING.values(), ids=HOLDING)
every_fetching_auth = pytest.mark.parametrize("opened", FETCHING.values(), ids=FETCHING)
