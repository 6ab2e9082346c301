"""sansauth over httpx2, the maintained successor of httpx, on asyncio and on trio.

    from sansauth import App
    from sansauth_io.httpx2 import AsyncClient

    async with AsyncClient(App(consumer_key, consumer_secret)) as client:
        await client.token()
        (await client.get("/1.1/followers/ids.json", params={"screen_name": "xapi"})).json()

Or on a client of your own, synchronous or not: `httpx2.Client(auth=Auth(identity))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import httpx2

from sansauth.effects import DEFAULT_TIMEOUTS, Timeouts
from sansauth.env import Env
from sansauth.identity import Identity
from sansauth.provider import Provider
from sansauth.x.presets import X
from sansauth_io import system_env
from sansauth_io._client import Caller
from sansauth_io._httpx_auth import AuthFlows, ClientAuthFlows
from sansauth_io._httpx_body import HttpxClient, Library
from sansauth_io.stores.protocol import Store

if TYPE_CHECKING:
    import httpx  # the shared body is typed by it; httpx2 keeps its API

__all__ = ["AsyncClient", "Auth"]

_LIBRARY = cast("Library", httpx2)


class AsyncClient(HttpxClient):
    """An authorised client over an httpx2.AsyncClient.

    `client` may be yours: its proxies, certificates, cookies, headers and event hooks then apply to token requests too,
    and it stays yours to close. Its `auth`, `params`, `base_url` and redirects do not apply, nor headers that frame a
    message, name its type or authorise it. `store` keeps fetched tokens; without one they live as long as the client.
    On asyncio it belongs to the event loop that uses it first, as its connections do.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        provider: Provider = X,
        store: Store | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        env: Env | None = None,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        caller = Caller(identity, provider, env or system_env())
        super().__init__(
            _LIBRARY, caller, store=store, timeouts=timeouts, client=cast("httpx.AsyncClient | None", client)
        )

    @property
    def auth(self) -> httpx2.Auth:
        """For an `httpx2.AsyncClient(auth=...)`: authorises its requests, fetching tokens through this client."""
        return _ClientAuth(_LIBRARY, self)


class Auth(AuthFlows[httpx2.Request, httpx2.Response], httpx2.Auth):
    """For `httpx2.Client(auth=...)` and `httpx2.AsyncClient(auth=...)`: signs or bears what the identity holds.

    `WrongIdentity` for an `App` that has no bearer token and would have to fetch one, which `AsyncClient.auth` does. A
    request to a host that is not the provider's raises `ForeignHost`. A redirect to another origin is followed without
    credentials; to the same one, httpx2 repeats them, and a signature there is of the URL before.
    """

    _library = _LIBRARY

    def __init__(self, identity: Identity, *, provider: Provider = X, env: Env | None = None) -> None:
        super().__init__(identity, provider=provider, env=env)


class _ClientAuth(ClientAuthFlows[httpx2.Request, httpx2.Response], httpx2.Auth):
    pass
