"""Put a Request on the wire with requests, byte for byte, and read the answer within its limits."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import time
from collections.abc import Callable, Generator, Iterator
from http.cookiejar import CookieJar
from typing import Any, cast

import requests
import urllib3
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict
from requests.utils import default_user_agent
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from sansauth.effects import Timeouts
from sansauth.errors import ConnectError, ReadError, RemoteProtocolError, SansauthError, TLSError, TransportError
from sansauth.http import Request, Response
from sansauth_io._requests_deadline import DeadlineAdapter, deadline
from sansauth_io._wire import READ_BYTES, USER_AGENT, Body, broken, outgoing_headers, received, timed_out

__all__ = ["RequestsTransport", "make_session"]


def make_session() -> requests.Session:
    """A session of our own: connections that obey one deadline, and no more default headers than needed."""
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    session.mount("http://", DeadlineAdapter())
    session.mount("https://", DeadlineAdapter())
    return session


class RequestsTransport:
    """Sends over a session, with its proxies, certificates, cookies, headers and hooks."""

    def __init__(self, session: requests.Session) -> None:
        self._session = session

    def __call__(self, request: Request, timeouts: Timeouts) -> Response:
        reader = _Reader(request, time.monotonic() + timeouts.total, timeouts)
        prepared = self._prepare(request, reader)
        settings = self._session.merge_environment_settings(prepared.url, {}, True, None, None)
        limits = (min(timeouts.connect, timeouts.total), min(timeouts.read, timeouts.total))
        with _translated(request, timeouts), deadline(reader.until):
            self._session.send(prepared, timeout=limits, allow_redirects=False, **settings)
        return reader.response

    def _prepare(self, request: Request, reader: _Reader) -> requests.PreparedRequest:
        # Built by hand: Session.prepare_request would let ~/.netrc replace our Authorization, and re-encode the URL.
        headers = CaseInsensitiveDict(cast("dict[str, str]", self._session.headers))
        if headers.get("user-agent") == default_user_agent():
            del headers["user-agent"]
        ours = dict(outgoing_headers(request))
        if "user-agent" in headers and "user-agent" not in request.headers:
            del ours["user-agent"]
        headers.update({name: request.headers.get(name) or value for name, value in ours.items()})
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = request.url
        prepared.headers = headers
        prepared.body = request.body or None
        prepared.hooks = default_hooks()
        prepared.hooks["response"] = [reader, *cast("list[Any]", self._session.hooks.get("response") or [])]
        if "cookie" not in headers:
            prepare_cookies = cast("Callable[[CookieJar], None]", prepared.prepare_cookies)  # pyright: ignore[reportUnknownMemberType]
            prepare_cookies(self._session.cookies)
        return prepared


class _Reader:
    """A response hook that reads the body within its limits, before requests would drain it without any."""

    response: Response

    def __init__(self, request: Request, until: float, timeouts: Timeouts) -> None:
        self.until = until
        self._request = request
        self._timeouts = timeouts

    def __call__(self, response: requests.Response, **_: object) -> None:
        raw = cast("urllib3.HTTPResponse", response.raw)
        try:
            body = self._read(raw)
        except BaseException:
            raw.close()
            raise
        # requests joins repeated headers; urllib3 has them apart.
        self.response = received(raw.status, raw.headers.iteritems(), body)
        vars(response).update(_content=body, _content_consumed=True)  # for the hooks of the session's owner
        # requests prepares the next request of a redirect even when told not to follow it, and may choke on it.
        response.headers.pop("location", None)

    def _read(self, raw: urllib3.HTTPResponse) -> bytes:
        body = Body()
        body.announce(raw.headers.get("content-length"))
        while piece := raw.read1(READ_BYTES, decode_content=True):
            body.add(piece)
            if time.monotonic() > self.until:
                raise timed_out(self._request, "the exchange", self._timeouts.total, sent=True)
        return body.join()


@contextlib.contextmanager
def _translated(request: Request, timeouts: Timeouts) -> Generator[None]:
    """Errors of requests, urllib3, http.client and ssl as ours. `from None`: their texts quote the URL."""
    try:
        yield
    except SansauthError:
        raise
    except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise _translate(request, timeouts, error) from None


def _translate(request: Request, timeouts: Timeouts, error: BaseException) -> SansauthError:
    causes = list(_causes(error))

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    innermost = causes[-1]
    if caused_by(ConnectTimeoutError) and not caused_by(NewConnectionError):
        return timed_out(request, "connecting", timeouts.connect, sent=False)
    if caused_by(SSLError, ssl.SSLError):
        return broken(request, innermost, kind=TLSError)
    if caused_by(ReadTimeoutError, TimeoutError):
        return timed_out(request, "the answer", min(timeouts.read, timeouts.total), sent=True)
    if caused_by(NewConnectionError, ProxyError):
        return broken(request, innermost, kind=ConnectError, sent=False)
    if caused_by(DecodeError):
        return RemoteProtocolError(f"{request.origin}: the body is not in the encoding its header names")
    if caused_by(http.client.HTTPException) and not caused_by(ConnectionError, http.client.IncompleteRead):
        return RemoteProtocolError(f"{request.origin}: the answer is not HTTP ({type(innermost).__name__})")
    if isinstance(error, (OSError, HTTPError, requests.RequestException)):
        return broken(request, innermost, kind=ReadError)
    return TransportError(f"{request.origin}: {type(innermost).__name__}", sent=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: requests and urllib3 put the real reason into `args` or `reason`."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            yield one
            waiting += [getattr(one, "reason", None), *one.args, one.__cause__]
            if isinstance(one, (MaxRetryError, ProtocolError, requests.RequestException)):
                waiting.append(one.__context__)
