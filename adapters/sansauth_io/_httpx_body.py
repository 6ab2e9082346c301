"""The one body of the httpx and httpx2 transports and clients; typed by httpx, whose API httpx2 keeps."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, cast

from sansauth.effects import Timeouts
from sansauth.errors import (
    ConnectError,
    LocalProtocolError,
    ReadError,
    RemoteProtocolError,
    SansauthError,
    TLSError,
    WriteError,
)
from sansauth.http import Request, Response
from sansauth_io._arguments import required
from sansauth_io._client import AsyncClient, Caller
from sansauth_io._driver_async import AsyncDriver
from sansauth_io._runtime import Runtime, current_runtime
from sansauth_io._wire import Answer, broken, closed, in_handshake, outgoing_headers, timed_out
from sansauth_io.stores.protocol import Store

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpxClient", "Library", "exact_url"]


class Library(Protocol):
    """What is used of the module `httpx`, or of another that keeps its API."""

    AsyncClient: type[httpx.AsyncClient]
    Request: type[httpx.Request]
    URL: type[httpx.URL]
    Timeout: type[httpx.Timeout]
    HTTPError: type[httpx.HTTPError]
    InvalidURL: type[httpx.InvalidURL]
    RequestNotRead: type[httpx.RequestNotRead]
    ConnectTimeout: type[httpx.ConnectTimeout]
    PoolTimeout: type[httpx.PoolTimeout]
    WriteTimeout: type[httpx.WriteTimeout]
    TimeoutException: type[httpx.TimeoutException]
    ConnectError: type[httpx.ConnectError]
    ProxyError: type[httpx.ProxyError]
    WriteError: type[httpx.WriteError]
    RemoteProtocolError: type[httpx.RemoteProtocolError]
    LocalProtocolError: type[httpx.LocalProtocolError]
    __name__: str


class HttpxTransport:
    """Sends over a client, with its proxies, certificates, cookies, headers and event hooks."""

    def __init__(self, library: Library, client: httpx.AsyncClient | None) -> None:
        """None makes a client of our own."""
        self._library = library
        self._owned = client is None
        self._client = library.AsyncClient() if client is None else required("client", client, library.AsyncClient)
        self._home: object = None

    async def aclose(self) -> None:
        """Close the underlying client, if it is ours."""
        if self._owned and not self._client.is_closed:
            self._stay(current_runtime())
            await self._client.aclose()

    async def __call__(self, request: Request, timeouts: Timeouts) -> Response:
        if self._client.is_closed:
            raise closed()
        runtime = current_runtime()
        self._stay(runtime)
        try:
            return await runtime.within(timeouts.total, lambda: self._exchange(request, timeouts))
        except TimeoutError:
            # httpx does not tell how far it came; whoever retries must assume the worst.
            raise timed_out(request, "the exchange", timeouts.total, sent=True) from None

    def _stay(self, runtime: Runtime) -> None:
        # In another loop a kept connection fails in the middle of an exchange, when the request may be sent already.
        if self._home is None:
            self._home = runtime.home()
        elif self._home is not runtime.home():
            raise LocalProtocolError(
                "this client has its connections in another event loop; make and close a client in each asyncio.run()"
            )

    async def _exchange(self, request: Request, timeouts: Timeouts) -> Response:
        route = _Route()
        try:
            prepared = self._prepare(request, timeouts, route)
            # auth=None: not the client's own, whose credentials would replace ours.
            response = await self._client.send(prepared, stream=True, auth=None, follow_redirects=False)
            try:
                return await self._read(request, response)
            finally:
                await response.aclose()
        except SansauthError:
            raise
        except (self._library.HTTPError, self._library.InvalidURL, OSError, ValueError) as error:
            # `from None`: the texts of httpx and its causes quote the URL.
            raise self._translate(request, timeouts, route, error) from None

    def _prepare(self, request: Request, timeouts: Timeouts, route: _Route) -> httpx.Request:
        # Built by hand: AsyncClient.build_request would add the client's own params to the URL.
        defaults = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._client.headers.raw]
        headers = outgoing_headers(request, defaults)
        limits = self._library.Timeout(timeouts.read, connect=timeouts.connect, pool=timeouts.connect)
        url = exact_url(self._library, request)
        prepared = self._library.Request(
            request.method,
            url,
            # As bytes: of a str, httpx takes ASCII alone.
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
            cookies=self._client.cookies,
            content=request.body,
            extensions={"timeout": limits.as_dict(), "trace": route},
        )
        prepared.url = url  # it made a copy, which has the library's target
        route.direct = url.raw_host.decode("ascii"), request.port
        return prepared

    async def _read(self, request: Request, response: httpx.Response) -> Response:
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
        if response.is_stream_consumed:
            # A hook of the client's owner has read it, or a transport of theirs gave it whole: decoded already.
            fields = [(name, value) for name, value in fields if name.lower() != "content-encoding"]
            answer = Answer(request, response.status_code, fields)
            answer.add(response.content)
            return answer.response()
        answer = Answer(request, response.status_code, fields)
        pieces = response.aiter_raw()
        try:
            async for piece in pieces:
                answer.add(piece)
        except SansauthError:
            await self._end(pieces)
            raise
        return answer.response()

    async def _end(self, pieces: AsyncIterator[bytes]) -> None:
        """End an answer in its middle: inside httpx one generator runs in another, and closing one abandons the next.

        trio would warn of each that is left. A cancellation, at the innermost, ends them all.
        """

        async def cancelled() -> None:
            async for _ in pieces:
                pass

        with contextlib.suppress(TimeoutError, self._library.HTTPError):
            await current_runtime().within(0, cancelled)

    def _translate(self, request: Request, timeouts: Timeouts, route: _Route, error: Exception) -> SansauthError:
        library = self._library
        cause = _innermost(error)
        if isinstance(error, (library.ConnectTimeout, library.PoolTimeout)):
            what = "connecting to the proxy" if route.to_proxy else "connecting"
            return timed_out(request, what, timeouts.connect, sent=False)
        if isinstance(error, library.WriteTimeout):
            return timed_out(request, "sending the request", timeouts.read, sent=True)
        if isinstance(error, library.TimeoutException):
            return timed_out(request, "the answer", timeouts.read, sent=True)
        if isinstance(error, library.ProxyError):
            return broken(request, cause, kind=ConnectError, sent=False, what="the proxy gave no connection")
        if isinstance(error, (library.ConnectError, UnicodeError)):  # the last: no name for the DNS
            kind = TLSError if isinstance(cause, ssl.SSLError) else ConnectError
            what = "the proxy could not be reached" if route.to_proxy else ""
            return broken(request, cause, kind=kind, sent=False, what=what)
        if isinstance(error, ssl.SSLError):  # httpcore of old lets those of asyncio through
            return broken(request, error, kind=TLSError, sent=not in_handshake(error))
        if isinstance(error, library.WriteError):
            return broken(request, cause, kind=WriteError)
        if isinstance(error, library.LocalProtocolError):
            return LocalProtocolError(f"{request.origin}: {library.__name__} refused to send the request")
        if isinstance(error, library.InvalidURL):
            # It prepares the next request of a redirect even when told not to follow it.
            return RemoteProtocolError(f"{request.origin}: the answer redirects to what is no URL")
        if isinstance(error, library.RemoteProtocolError) and not _is_disconnection(error):
            return RemoteProtocolError(f"{request.origin}: the answer is not HTTP")
        return broken(request, cause, kind=ReadError)


def exact_url(library: Library, request: Request) -> httpx.URL:
    """The request's URL for the library, which would resolve its dot segments; with the request's own target.

    Not by the extension `target`: httpcore puts that into the CONNECT of a proxy, and httpx into a redirect's request.
    """
    try:
        url = library.URL(request.url)
    except library.InvalidURL:
        raise LocalProtocolError(f"{request.origin}: {library.__name__} refuses the URL; too long?") from None
    target = request.target.encode("ascii")
    if url.raw_path == target:
        return url
    exact = type("ExactURL", (library.URL,), {"raw_path": target})
    return cast("httpx.URL", exact(url))


class _Route:
    """Where httpcore is about to connect: it says so to the extension `trace`, and its errors do not.

    A transport of the user's own may say nothing, and is taken to go to the service itself.
    """

    def __init__(self) -> None:
        self.direct: tuple[str, int] = ("", 0)  # host and port of the service
        self.to_proxy = False

    async def __call__(self, event: str, info: Mapping[str, object]) -> None:
        if event.endswith("connect_tcp.started"):
            self.to_proxy = (info["host"], info["port"]) != self.direct
        elif event.endswith("connect_tcp.complete"):
            self.to_proxy = False


def _innermost(error: BaseException) -> BaseException:
    while True:
        if isinstance(error, BaseExceptionGroup):  # of trio and anyio, which try every address
            error = cast("BaseExceptionGroup[BaseException]", error).exceptions[-1]
        elif (cause := error.__cause__ or error.__context__) is not None:
            error = cause
        else:
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
        self._transport = HttpxTransport(library, client)
        super().__init__(caller, AsyncDriver(self._transport, store=store, timeouts=timeouts))

    async def aclose(self) -> None:
        """Close the underlying client if it is ours; after that this one sends nothing more."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
