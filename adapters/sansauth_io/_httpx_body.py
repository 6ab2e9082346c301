"""The one body of the httpx and httpx2 transports; typed by httpx, whose API httpx2 keeps."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar, cast

from sansauth.call import authorise, authorise_held, is_renewable
from sansauth.effects import Timeouts
from sansauth.env import Env
from sansauth.errors import (
    ConnectError,
    InvalidHeader,
    LocalProtocolError,
    ReadError,
    RemoteProtocolError,
    SansauthError,
    TLSError,
    WriteError,
)
from sansauth.http import FORM, Request, Response
from sansauth.identity import Identity
from sansauth.provider import Provider
from sansauth_io import system_env
from sansauth_io._client import AsyncClient, Caller
from sansauth_io._driver_async import AsyncDriver
from sansauth_io._runtime import current_runtime
from sansauth_io._wire import USER_AGENT, Body, broken, outgoing_headers, received, timed_out
from sansauth_io.stores.protocol import Store

if TYPE_CHECKING:
    import httpx

__all__ = ["AuthFlows", "ClientAuthFlows", "HttpxClient", "Library"]


RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Library(Protocol):
    """What is used of the module `httpx`, or of another that keeps its API."""

    AsyncClient: type[httpx.AsyncClient]
    Request: type[httpx.Request]
    URL: type[httpx.URL]
    Timeout: type[httpx.Timeout]
    HTTPError: type[httpx.HTTPError]
    InvalidURL: type[httpx.InvalidURL]
    ConnectTimeout: type[httpx.ConnectTimeout]
    PoolTimeout: type[httpx.PoolTimeout]
    TimeoutException: type[httpx.TimeoutException]
    ConnectError: type[httpx.ConnectError]
    ProxyError: type[httpx.ProxyError]
    WriteError: type[httpx.WriteError]
    RemoteProtocolError: type[httpx.RemoteProtocolError]
    LocalProtocolError: type[httpx.LocalProtocolError]
    DecodingError: type[httpx.DecodingError]
    __name__: str
    __version__: str


class HttpxTransport:
    """Sends over a client, with its proxies, certificates, cookies, headers and event hooks."""

    def __init__(self, library: Library, client: httpx.AsyncClient) -> None:
        self._library = library
        self._client = client

    async def __call__(self, request: Request, timeouts: Timeouts) -> Response:
        try:
            return await current_runtime().within(timeouts.total, lambda: self._exchange(request, timeouts))
        except TimeoutError:
            # httpx does not tell how far it came; whoever retries must assume the worst.
            raise timed_out(request, "the exchange", timeouts.total, sent=True) from None

    async def _exchange(self, request: Request, timeouts: Timeouts) -> Response:
        prepared = self._prepare(request, timeouts)
        try:
            # auth=None: not the client's own, whose credentials would replace ours.
            response = await self._client.send(prepared, stream=True, auth=None, follow_redirects=False)
            try:
                body = Body()
                body.announce(response.headers.get("content-length"))
                async for piece in response.aiter_bytes():
                    body.add(piece)
            finally:
                await response.aclose()
        except SansauthError:
            raise
        except (self._library.HTTPError, self._library.InvalidURL, OSError, ValueError) as error:
            # `from None`: the texts of httpx and its causes quote the URL.
            raise self._translate(request, timeouts, error) from None
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
        return received(response.status_code, fields, body.join())

    def _prepare(self, request: Request, timeouts: Timeouts) -> httpx.Request:
        # Built by hand: AsyncClient.build_request would add the client's own params to the URL.
        headers = self._client.headers.copy()
        if headers.get("user-agent") == f"python-{self._library.__name__}/{self._library.__version__}":
            del headers["user-agent"]  # the library's default, nobody's choice
        for name, value in outgoing_headers(request):
            if name != "user-agent" or "user-agent" in request.headers or "user-agent" not in headers:
                headers[name] = request.headers.get(name) or value
        limits = self._library.Timeout(timeouts.read, connect=timeouts.connect)
        return self._library.Request(
            request.method,
            request.url,
            headers=headers,
            cookies=self._client.cookies,
            content=request.body,
            # httpx normalises URLs by rules of its own; this is what goes into the request line.
            extensions={"target": request.target.encode("ascii"), "timeout": limits.as_dict()},
        )

    def _translate(self, request: Request, timeouts: Timeouts, error: Exception) -> SansauthError:
        library = self._library
        cause = _innermost(error)
        if isinstance(error, (library.ConnectTimeout, library.PoolTimeout)):
            return timed_out(request, "connecting", timeouts.connect, sent=False)
        if isinstance(error, library.TimeoutException):
            return timed_out(request, "the answer", timeouts.read, sent=True)
        if isinstance(error, (library.ConnectError, library.ProxyError)):
            kind = TLSError if isinstance(cause, ssl.SSLError) else ConnectError
            return broken(request, cause, kind=kind, sent=False)
        if isinstance(error, library.WriteError):
            return broken(request, cause, kind=WriteError)
        if isinstance(error, library.DecodingError):
            return RemoteProtocolError(f"{request.origin}: the body is not in the encoding its header names")
        if isinstance(error, library.LocalProtocolError):
            return LocalProtocolError(f"{request.origin}: {library.__name__} refused to send the request")
        if isinstance(error, library.RemoteProtocolError) and not _is_disconnection(error):
            return RemoteProtocolError(f"{request.origin}: the answer is not HTTP")
        return broken(request, cause, kind=ReadError)


def _innermost(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _is_disconnection(error: Exception) -> bool:
    # h11 and httpcore have one exception for garbage and for an end too soon; only their words differ.
    return str(error).startswith(("peer closed", "Server disconnected"))


class HttpxClient(AsyncClient):
    """An authorised client over an AsyncClient of the library."""

    def __init__(
        self,
        library: Library,
        caller: Caller,
        *,
        store: Store | None,
        timeouts: Timeouts,
        client: httpx.AsyncClient | None,
    ) -> None:
        self._owned = library.AsyncClient(headers={"user-agent": USER_AGENT}) if client is None else None
        transport = HttpxTransport(library, self._owned or client or library.AsyncClient())
        super().__init__(caller, AsyncDriver(transport, store=store, timeouts=timeouts))

    async def aclose(self) -> None:
        """Close the underlying client, if it is ours."""
        if self._owned is not None:
            await self._owned.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


class AuthFlows(Generic[RequestT, ResponseT]):
    """The flows of `Auth`: sign or bear with what the identity holds; for synchronous and asynchronous clients."""

    _library: Library

    def __init__(self, identity: Identity, *, provider: Provider, env: Env | None = None) -> None:
        self._identity = identity
        self._provider = provider
        self._env = env or system_env()

    def sync_auth_flow(self, request: RequestT) -> Generator[RequestT, ResponseT, None]:
        """Called by the client; see httpx."""
        plain = cast("httpx.Request", request)
        if _is_form(plain):
            plain.read()
        self._authorise(plain)
        yield request

    async def async_auth_flow(self, request: RequestT) -> AsyncGenerator[RequestT, ResponseT]:
        """Called by the client; see httpx."""
        plain = cast("httpx.Request", request)
        if _is_form(plain):
            await plain.aread()
        self._authorise(plain)
        yield request

    def _authorise(self, request: httpx.Request) -> None:
        signed = authorise_held(to_core(request), self._identity, provider=self._provider, env=self._env)
        apply(self._library, signed, request)


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
        if _is_form(plain):
            await plain.aread()
        client, caller = self._client, self._client.caller
        unsigned = to_core(plain)
        signed = await client.run(authorise(unsigned, caller.identity, provider=caller.provider, env=caller.env))
        apply(self._library, signed, plain)
        response = cast("httpx.Response", (yield request))
        if response.status_code != 401:
            return
        await response.aread()
        answer = Response(response.status_code, response.headers.multi_items(), response.content)
        if is_renewable(answer, caller.identity, caller.provider):
            again = authorise(unsigned, caller.identity, provider=caller.provider, env=caller.env, rejected=signed)
            apply(self._library, await client.run(again), plain)
            yield request


def _is_form(request: httpx.Request) -> bool:
    # Only a form is signed; any other body may be a stream, and stays one.
    kind: str = request.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() == FORM


def to_core(request: httpx.Request) -> Request:
    """What of a request of the library is signed: method, URL, content type and a form's body."""
    kind: str | None = request.headers.get("content-type")
    try:
        headers = {} if kind is None else {"content-type": kind}
        return Request(request.method, str(request.url), headers, request.content if _is_form(request) else b"")
    except InvalidHeader as error:
        raise LocalProtocolError(str(error)) from None


def apply(library: Library, signed: Request, request: httpx.Request) -> None:
    """Put what was signed into the library's request."""
    request.headers["authorization"] = signed.headers["authorization"]
    if request.url.raw_path.decode("ascii") != signed.target:
        # Only then: the library copies this extension into a redirect's request, whose target is another.
        request.url = library.URL(signed.url)
        request.extensions = {**request.extensions, "target": signed.target.encode("ascii")}
