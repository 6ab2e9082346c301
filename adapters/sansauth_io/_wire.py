"""What every transport does alike at its edge: framing headers, the size limit, and making a Response."""

from __future__ import annotations

from collections.abc import Iterable

from sansauth import __version__
from sansauth.errors import (
    InvalidHeader,
    LocalProtocolError,
    ReadError,
    RemoteProtocolError,
    ResponseTooLarge,
    TimedOut,
    TransportError,
)
from sansauth.http import Request, Response

__all__ = [
    "MAX_RESPONSE_BYTES",
    "READ_BYTES",
    "USER_AGENT",
    "Body",
    "broken",
    "outgoing_headers",
    "received",
    "timed_out",
]

MAX_RESPONSE_BYTES = 10 * 1024 * 1024
READ_BYTES = 65_536
USER_AGENT = f"sansauth/{__version__}"

_FRAMING = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def outgoing_headers(request: Request) -> list[tuple[str, str]]:
    """The request's headers, with a User-Agent and a Content-Length where they are due; Host is the transport's.

    Framing belongs to the transport: a request that brings its own could be read as two.
    """
    headers = list(request.headers)
    for name, _ in headers:
        if name in _FRAMING:
            raise LocalProtocolError(f"the header {name!r} is written by the transport; leave it out")
    if "user-agent" not in request.headers:
        headers.append(("user-agent", USER_AGENT))
    # RFC 9110 section 8.6: a method that anticipates content says 0 for none; some services answer 411 otherwise.
    if request.body or request.method in _WITH_BODY:
        headers.append(("content-length", str(len(request.body))))
    return headers


class Body:
    """A body as it comes in, refused once it is over the limit."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def announce(self, content_length: str | None) -> None:
        """Refuse by the Content-Length already."""
        if content_length is not None and content_length.isdigit() and len(content_length) < 20:
            self._check(int(content_length))

    def add(self, piece: bytes) -> None:
        """Take a piece in."""
        self._length += len(piece)
        self._check(self._length)
        self._pieces.append(piece)

    def _check(self, length: int) -> None:
        if length > MAX_RESPONSE_BYTES:
            raise ResponseTooLarge(f"the answer is longer than {MAX_RESPONSE_BYTES} bytes", sent=True)

    def join(self) -> bytes:
        """The whole body."""
        return b"".join(self._pieces)


def received(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Response:
    """The answer as a value; `RemoteProtocolError` for header fields that are none."""
    try:
        return Response(status, headers, body)
    except InvalidHeader as error:
        raise RemoteProtocolError(f"the answer's header is malformed: {error}") from None


def timed_out(request: Request, what: str, seconds: float, *, sent: bool) -> TimedOut:
    """The one sentence for every limit that was reached."""
    return TimedOut(f"{request.origin}: {what} took longer than {seconds:g} s", sent=sent)


def broken(
    request: Request, error: BaseException, *, kind: type[TransportError] = ReadError, sent: bool = True
) -> TransportError:
    """The one sentence for a connection that broke; only the error's type and system message, never its own text.

    Texts of HTTP libraries quote the URL, and a URL may carry more than it should.
    """
    reason = getattr(error, "strerror", None) or type(error).__name__
    return kind(f"{request.origin}: {reason}", sent=sent)
