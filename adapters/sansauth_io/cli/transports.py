"""The same operation over any of the transports, for a command that runs once.

Each library is imported only when it is the one that sends: together they take half a second.
"""

from __future__ import annotations

import enum
from typing import TypeVar, assert_never

from sansauth.effects import Operation
from sansauth.env import Env
from sansauth.errors import LocalProtocolError
from sansauth.identity import Identity
from sansauth.provider import Provider
from sansauth_io.stores.protocol import Store

__all__ = ["Transport", "run_over"]

T = TypeVar("T")


class Transport(enum.StrEnum):
    """Which library does the sending."""

    REQUESTS = "requests"
    HTTPX = "httpx"
    TRIO = "trio"


def run_over(
    transport: Transport,
    operation: Operation[T],
    identity: Identity,
    provider: Provider,
    env: Env,
    store: Store | None = None,
) -> T:
    """Open a client, run the operation, close the client."""
    match transport:
        case Transport.REQUESTS:
            return _over_requests(operation, identity, provider, env, store)
        case Transport.HTTPX:
            return _over_httpx(operation, identity, provider, env, store)
        case Transport.TRIO:
            return _over_trio(operation, identity, provider, env, store)
        case _:
            assert_never(transport)


def _over_requests(operation: Operation[T], identity: Identity, provider: Provider, env: Env, store: Store | None) -> T:
    from sansauth_io.requests import Client

    with Client(identity, provider=provider, env=env, store=store) as client:
        return client.run(operation)


def _over_httpx(operation: Operation[T], identity: Identity, provider: Provider, env: Env, store: Store | None) -> T:
    import asyncio

    from sansauth_io.httpx import AsyncClient

    async def run() -> T:
        try:
            made = AsyncClient(identity, provider=provider, env=env, store=store)
        except (OSError, ValueError, ImportError) as error:  # it reads proxies and certificates when it is made
            raise LocalProtocolError(
                f"httpx does not take the environment's proxies or certificates ({type(error).__name__}); check the "
                "variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
            ) from None
        async with made as client:
            return await client.run(operation)

    return asyncio.run(run())


def _over_trio(operation: Operation[T], identity: Identity, provider: Provider, env: Env, store: Store | None) -> T:
    import trio

    from sansauth_io.trio import AsyncClient

    async def run() -> T:
        async with AsyncClient(identity, provider=provider, env=env, store=store) as client:
            return await client.run(operation)

    return trio.run(run)
