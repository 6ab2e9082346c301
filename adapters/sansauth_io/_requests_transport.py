"""Put a Request on the wire with requests, byte for byte, and read the answer within its limits."""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping
from http.cookiejar import CookieJar
from typing import Any, cast

import requests
import urllib3
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from sansauth.effects import Timeouts
from sansauth.errors import ConnectError, ReadError, RemoteProtocolError, SansauthError, TLSError
from sansauth.http import Request, Response
from sansauth_io._arguments import required
from sansauth_io._requests_deadline import DeadlineAdapter, Progress, deadline
from sansauth_io._wire import READ_BYTES, Answer, broken, closed, in_handshake, outgoing_headers, timed_out

__all__ = ["RequestsTransport", "make_session"]

_FOLD = re.compile(r"[\r\n]+[ \t]+")  # RFC 9112 section 5.2


def make_session() -> requests.Session:
    """A session of our own: its connections obey one deadline."""
    session = requests.Session()
    session.mount("http://", DeadlineAdapter())
    session.mount("https://", DeadlineAdapter())
    return session


class RequestsTransport:
    """Sends over a session, with its proxies, certificates, cookies, headers and hooks."""

    def __init__(self, session: requests.Session | None) -> None:
        """None makes a session of our own."""
        self._owned = session is None
        self._session = make_session() if session is None else required("session", session, requests.Session)
        self._closed = False

    def close(self) -> None:
        """Close the session, if it is ours, for good: requests would open it again."""
        if self._owned:
            self._closed = True
            self._session.close()

    def __call__(self, request: Request, timeouts: Timeouts) -> Response:
        if self._closed:
            raise closed()
        with deadline(timeouts.total) as progress:
            reader = _Reader(request, timeouts, progress)
            limits = (min(timeouts.connect, timeouts.total), min(timeouts.read, timeouts.total))
            with _translated(request, timeouts, progress):
                prepared = self._prepare(request, reader)
                # verify=: by itself requests lets REQUESTS_CA_BUNDLE overrule what the session says.
                settings = self._session.merge_environment_settings(prepared.url, {}, True, self._session.verify, None)
                self._session.send(prepared, timeout=limits, allow_redirects=False, **settings)
        return reader.response

    def _prepare(self, request: Request, reader: _Reader) -> requests.PreparedRequest:
        # Built by hand: Session.prepare_request would let ~/.netrc replace our Authorization, and re-encode the URL.
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        for name, value in outgoing_headers(request, self._default_headers()):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
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

    def _default_headers(self) -> Iterator[tuple[str, str]]:
        # requests takes str, bytes, and None for a header that shall not be sent.
        for pair in cast("Mapping[str | bytes, str | bytes | None]", self._session.headers).items():
            name, value = (part.decode("latin-1") if isinstance(part, bytes) else part for part in pair)
            if name is not None and value is not None:
                yield name, value


class _Reader:
    """A response hook that reads the body within its limits, before requests would drain it without any."""

    response: Response

    def __init__(self, request: Request, timeouts: Timeouts, progress: Progress) -> None:
        self._request = request
        self._timeouts = timeouts
        self._progress = progress

    def __call__(self, response: requests.Response, **_: object) -> None:
        raw = cast("urllib3.HTTPResponse", response.raw)
        try:
            self.response = self._read(raw)
        except BaseException:
            raw.close()
            raw.release_conn()  # else a pool that blocks would wait for it for ever
            raise
        # For the hooks of the session's owner.
        vars(response).update(_content=self.response.body, _content_consumed=True)
        # requests prepares the next request of a redirect even when told not to follow it, and may choke on it.
        response.headers.pop("location", None)

    def _read(self, raw: urllib3.HTTPResponse) -> Response:
        # requests joins repeated headers; urllib3 has them apart, and its oldest versions folded ones with their folds.
        fields = [(name, _FOLD.sub(" ", value)) for name, value in raw.headers.iteritems()]
        if _is_defective(raw):
            raise RemoteProtocolError(f"{self._request.origin}: the answer's header is malformed")
        answer = Answer(self._request, raw.status, fields)
        while piece := raw.read1(READ_BYTES, decode_content=False):
            answer.add(piece)
            if self._progress.left() <= 0:
                raise timed_out(self._request, "the exchange", self._timeouts.total, sent=True)
        return answer.response()


def _is_defective(raw: urllib3.HTTPResponse) -> bool:
    # http.client drops all fields from the first malformed one on, the length among them, and says so only there. It is
    # where requests itself looks for cookies; answers that never were on a wire have none.
    original: object = getattr(raw, "_original_response", None)
    return bool(getattr(getattr(original, "msg", None), "defects", ()))


@contextlib.contextmanager
def _translated(request: Request, timeouts: Timeouts, progress: Progress) -> Generator[None]:
    """Errors of requests, urllib3, http.client and ssl as ours. `from None`: their texts quote the URL."""
    try:
        yield
    except SansauthError:
        raise
    except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise _translate(request, timeouts, progress, error) from None


def _translate(request: Request, timeouts: Timeouts, progress: Progress, error: BaseException) -> SansauthError:
    causes = list(_causes(error))

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    innermost = causes[-1]
    if caused_by(ConnectTimeoutError) and not caused_by(NewConnectionError):
        what = "connecting to the proxy" if caused_by(ProxyError) else "connecting"
        return timed_out(request, what, timeouts.connect, sent=False)
    if caused_by(SSLError, ssl.SSLError):
        return broken(request, innermost, kind=TLSError, sent=progress.sent and not any(map(in_handshake, causes)))
    if caused_by(ReadTimeoutError, TimeoutError):
        if progress.left() <= 0:
            return timed_out(request, "the exchange", timeouts.total, sent=progress.sent)
        if not caused_by(ReadTimeoutError):
            # On a user's session, where urllib3 leaves the limit of connecting on the socket.
            return timed_out(request, "sending the request", timeouts.connect, sent=True)
        # urllib3 says so of a TLS handshake, too.
        what, limit = ("the answer", timeouts.read) if progress.sent else ("connecting", timeouts.connect)
        return timed_out(request, what, limit, sent=progress.sent)
    if caused_by(ProxyError):
        what = "the proxy could not be reached" if caused_by(NewConnectionError) else "the proxy gave no connection"
        return broken(request, innermost, kind=ConnectError, sent=False, what=what)
    if caused_by(NewConnectionError, LocationValueError):
        return broken(request, innermost, kind=ConnectError, sent=False)
    if caused_by(InvalidHeader):
        return RemoteProtocolError(f"{request.origin}: the answer's Content-Length is not one number")
    if caused_by(http.client.HTTPException) and not caused_by(ConnectionError, http.client.IncompleteRead):
        return RemoteProtocolError(f"{request.origin}: the answer is not HTTP ({type(innermost).__name__})")
    return broken(request, innermost, kind=ReadError if progress.sent else ConnectError, sent=progress.sent)


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
