"""sansauth over trio and h11, with nothing in between.

from sansauth import App
from sansauth_io.trio import AsyncClient

async with AsyncClient(App(consumer_key, consumer_secret)) as client:
    await client.token()
    (await client.get("/1.1/followers/ids.json", params={"screen_name": "xapi"})).json()
"""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Self

from sansauth.effects import DEFAULT_TIMEOUTS, Timeouts
from sansauth.env import Env
from sansauth.identity import Identity
from sansauth.provider import Provider
from sansauth.x.presets import X
from sansauth_io import _client, system_env
from sansauth_io._driver_async import AsyncDriver
from sansauth_io._trio_transport import TrioTransport
from sansauth_io.stores.protocol import Store

__all__ = ["AsyncClient"]


class AsyncClient(_client.AsyncClient):
    """An authorised client over connections of its own, kept alive between calls.

    Connections are direct: proxies named in the environment are not used. Certificates are verified by the system's
    roots or certifi's; `ssl_context` brings others. `store` keeps fetched tokens; without one they live as long as the
    client.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        provider: Provider = X,
        store: Store | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        env: Env | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        caller = _client.Caller(identity, provider, env or system_env())
        self._transport = TrioTransport(ssl_context)
        super().__init__(caller, AsyncDriver(self._transport, store=store, timeouts=timeouts))

    async def aclose(self) -> None:
        """Close the kept connections; after that the client sends nothing more."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
