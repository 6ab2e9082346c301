"""The one body of `Auth` for httpx and httpx2; typed by httpx, whose API httpx2 keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from sansauth.call import Remedy, authorise, authorise_held, held_credentials, learn, remedy, signs_every_body
from sansauth.env import Env
from sansauth.errors import LocalProtocolError
from sansauth.http import FORM, Request
from sansauth.identity import Identity
from sansauth.oauth1.send import Exchange
from sansauth.provider import Provider
from sansauth_io import system_env
from sansauth_io._client import Caller
from sansauth_io._httpx_body import HttpxClient, Library, exact_url
from sansauth_io._wire import CREDENTIALS, credentials_of, seen, unhashable

if TYPE_CHECKING:
    import httpx

__all__ = ["AuthFlows", "ClientAuthFlows"]

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class AuthFlows(Generic[RequestT, ResponseT]):
    """The flows of `Auth`: sign or bear with what the identity holds; for synchronous and asynchronous clients."""

    _library: Library

    def __init__(self, identity: Identity, *, provider: Provider, env: Env | None = None) -> None:
        caller = Caller(identity, provider, env or system_env())
        self._caller = dataclasses.replace(caller, identity=held_credentials(identity, provider))

    def sync_auth_flow(self, request: RequestT) -> Generator[RequestT, ResponseT, None]:
        """Called by the client; see httpx."""
        plain = cast("httpx.Request", request)
        if _is_signed(plain, self._caller):
            plain.read()
        self._authorise(plain)
        yield request

    async def async_auth_flow(self, request: RequestT) -> AsyncGenerator[RequestT, ResponseT]:
        """Called by the client; see httpx."""
        plain = cast("httpx.Request", request)
        if _is_signed(plain, self._caller):
            await plain.aread()
        self._authorise(plain)
        yield request

    def _authorise(self, request: httpx.Request) -> None:
        caller = self._caller
        signed = authorise_held(
            _to_core(self._library, request, caller), caller.identity, provider=caller.provider, env=caller.env
        )
        _apply(self._library, signed, request)


class ClientAuthFlows(Generic[RequestT, ResponseT]):
    """The flow of a client's `auth`: fetches tokens through that client, and once more when one is refused."""

    def __init__(self, library: Library, client: HttpxClient) -> None:
        self._library = library
        self._client = client

    def sync_auth_flow(self, request: RequestT) -> Generator[RequestT, ResponseT, None]:
        """Refused: the client that fetches the tokens is asynchronous."""
        raise LocalProtocolError("this auth belongs to an asynchronous client; use it on an AsyncClient")

    async def async_auth_flow(self, request: RequestT) -> AsyncGenerator[RequestT, ResponseT]:
        """Called by the client; see httpx."""
        plain = cast("httpx.Request", request)
        if _is_signed(plain, self._client.caller):
            await plain.aread()
        unsigned = _to_core(self._library, plain, self._client.caller)
        signed = await self._authorise(unsigned)
        tried: set[Remedy | None] = {None}
        while True:
            _apply(self._library, signed, plain)
            response = cast("httpx.Response", (yield request))
            # The answer to another request, which a redirect made, says nothing of our token.
            if response.request is not plain:
                return
            refused = await self._learned(signed, response)
            mended = self._remedy(refused)
            if mended in tried:
                return
            tried.add(mended)
            signed = await self._authorise(unsigned, refused)
            if not self._is_replayable(plain):
                return

    async def _learned(self, signed: Request, response: httpx.Response) -> Exchange:
        content = await response.aread() if response.status_code == 401 else b""
        exchange = seen(signed, response.status_code, response.headers.multi_items(), content)
        if "dpop-nonce" in exchange.response.headers:
            await self._client.run(learn(exchange))
        return exchange

    async def _authorise(self, unsigned: Request, refused: Exchange | None = None) -> Request:
        caller = self._client.caller
        return await self._client.run(
            authorise(unsigned, caller.identity, provider=caller.provider, env=caller.env, refused=refused)
        )

    def _remedy(self, refused: Exchange) -> Remedy | None:
        caller = self._client.caller
        return remedy(refused, caller.identity, caller.provider, caller.env)

    def _is_replayable(self, request: httpx.Request) -> bool:
        try:
            _ = request.content
        except self._library.RequestNotRead:
            return False  # a stream, and it is used up
        return True


def _kind(request: httpx.Request) -> str:
    kind: str = request.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower()


def _is_signed(request: httpx.Request, caller: Caller) -> bool:
    # A form always is, and files if every body is; any other body that is not read yet is a stream, and stays one.
    kind = _kind(request)
    return kind == FORM or (kind == "multipart/form-data" and signs_every_body(caller.identity, caller.provider))


def _to_core(library: Library, request: httpx.Request, caller: Caller) -> Request:
    """What of a request of the library is signed: method, URL, a form, and any body if the service wants its hash."""
    if _kind(request) == FORM:
        return Request(request.method, str(request.url), {"content-type": FORM}, request.content)
    if not signs_every_body(caller.identity, caller.provider):
        return Request(request.method, str(request.url))
    try:
        return Request(request.method, str(request.url), body=request.content)
    except library.RequestNotRead:
        raise unhashable() from None


def _apply(library: Library, signed: Request, request: httpx.Request) -> None:
    """Put what was signed into the library's request."""
    for name in CREDENTIALS:
        request.headers.pop(name, None)
    request.headers.update(credentials_of(signed))
    request.url = exact_url(library, signed)
