"""What every transport does alike at its edge: the headers that go out, and the answer as it comes in."""

from __future__ import annotations

import re
import ssl
import zlib
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
from sansauth.http import Headers, Request, Response
from sansauth.oauth1.send import Exchange

__all__ = [
    "CREDENTIALS",
    "MAX_RESPONSE_BYTES",
    "READ_BYTES",
    "USER_AGENT",
    "Answer",
    "broken",
    "closed",
    "content_length",
    "credentials_of",
    "in_handshake",
    "outgoing_headers",
    "seen",
    "timed_out",
    "unhashable",
]

MAX_RESPONSE_BYTES = 10 * 1024 * 1024
READ_BYTES = 65_536
USER_AGENT = f"sansauth/{__version__}"

CREDENTIALS = ("authorization", "dpop")
_TELLING = frozenset({"date", "dpop-nonce", "www-authenticate"})
_FRAMING = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
# What a user's session sends by default, but not with a request of ours: what frames the message, names the coding of
# the answer, says what the body is (a form is signed, anything else is not), or says who is calling.
_OURS = (_FRAMING - {"connection", "keep-alive"}) | {"accept-encoding", "authorization", "content-type"}
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)
_GZIP = zlib.MAX_WBITS | 16


def outgoing_headers(request: Request, defaults: Iterable[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """The headers to send: the request's, and those of the user's session that it does not have; Host is missing.

    Framing belongs to the transport: a request that brings its own could be read as two.
    """
    headers = list(request.headers)
    for name, _ in headers:
        if name in _FRAMING:
            raise LocalProtocolError(f"the header {name!r} is written by the transport; leave it out")
    if "accept-encoding" not in request.headers:
        headers.append(("accept-encoding", "gzip"))
    # RFC 9110 section 8.6: a method that anticipates content says 0 for none; some services answer 411 otherwise.
    if request.body or request.method in _WITH_BODY:
        headers.append(("content-length", str(len(request.body))))
    taken = _OURS | {name for name, _ in headers}
    headers += [(name, value) for name, value in defaults if name.lower() not in taken and not _is_library(name, value)]
    if not any(name.lower() == "user-agent" for name, _ in headers):
        headers.append(("user-agent", USER_AGENT))
    return headers


def _is_library(name: str, value: str) -> bool:
    # The library's own name is its default, and nobody's choice.
    return name.lower() == "user-agent" and value.startswith(("python-requests/", "python-httpx/", "python-httpx2/"))


class Answer:
    """An answer as it comes in: refused once it is too long, or is not what HTTP promises.

    The one coding of the body that was asked for, gzip, is undone here, because the libraries would first undo it and
    then say how long the result is. A refusal leaves the connection unusable; the transport closes it.
    """

    def __init__(self, request: Request, status: int, fields: Iterable[tuple[str, str]]) -> None:
        self._origin = request.origin
        self._status = status
        if status < 200:
            # Switching was not asked for; and requests takes an interim answer for the answer, and cannot go on to it.
            raise self._malformed("the answer is not a final one")
        try:
            self._headers = Headers(fields)
        except InvalidHeader:
            raise self._malformed("a header field of the answer is malformed") from None
        coding = (self._headers.get("content-encoding") or "identity").lower()
        if coding not in {"identity", "gzip", "x-gzip"}:
            raise self._malformed("the body is in a coding that was not asked for")
        self._inflate = None if coding == "identity" else zlib.decompressobj(_GZIP)
        self._pieces: list[bytes] = []
        self._length = 0
        self._received = 0
        self._check(0 if _has_no_body(request, status) else self._announced())

    def add(self, piece: bytes) -> None:
        """Take a piece of the body in, as it came over the wire."""
        self._received += len(piece)
        self._check(self._received)
        if self._inflate is None:
            self._pieces.append(piece)
            return
        while piece:
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(_GZIP)  # RFC 1952 section 2.2: one member may follow another
            try:
                plain = self._inflate.decompress(piece, MAX_RESPONSE_BYTES - self._length + 1)
            except zlib.error:
                raise self._malformed("the body is not in the coding that its header names") from None
            self._length += len(plain)
            self._check(self._length)
            self._pieces.append(plain)
            piece = self._inflate.unused_data

    def response(self) -> Response:
        """The whole answer."""
        if self._received and self._inflate is not None and not self._inflate.eof:
            raise self._malformed("the body ends in the middle of its coding")
        return Response(self._status, self._headers, b"".join(self._pieces))

    def _check(self, length: int) -> None:
        if length > MAX_RESPONSE_BYTES:
            raise ResponseTooLarge(f"{self._origin}: the answer is longer than {MAX_RESPONSE_BYTES} bytes", sent=True)

    def _announced(self) -> int:
        try:
            return content_length(self._headers.get_all("content-length"))
        except ValueError:
            raise self._malformed("the answer's Content-Length is not one number") from None

    def _malformed(self, what: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"{self._origin}: {what} (status {self._status})")


def seen(signed: Request, status: int, headers: Iterable[tuple[str, str]], content: bytes) -> Exchange:
    """An exchange of a user's own session, as far as it decides what is sent again, and how.

    Of the headers only those that say so: the user may see the others as they are, but we would have to refuse some.
    """
    told = [(name, value) for name, value in headers if name.lower() in _TELLING and _fits(value)]
    return Exchange(signed, Response(status, told, content))


def credentials_of(signed: Request) -> dict[str, str]:
    """What goes into the headers of a user's own request; `LocalProtocolError` if the signature stands elsewhere."""
    found = {name: signed.headers[name] for name in CREDENTIALS if name in signed.headers}
    if not found:
        raise LocalProtocolError("on a session of yours, a signature goes into the header; use a client's own methods")
    return found


def _fits(value: str) -> bool:
    return value.isascii() and value.isprintable()


def unhashable() -> LocalProtocolError:
    """The one sentence for a stream where `oauth_body_hash` is wanted: to be hashed it would have to be read first."""
    return LocalProtocolError("this service wants a hash of the body in the signature: give the body as bytes")


def content_length(values: Iterable[str]) -> int:
    """The length an answer announces by these values of its header; 0 without any, ValueError if it is not one number.

    The same number again is harmless (RFC 9110 section 8.6); anything else may hide where the answer ends.
    """
    lengths = {one.strip() for value in values for one in value.split(",")} or {"0"}
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise ValueError("not one number")
    return int(length)


def _has_no_body(request: Request, status: int) -> bool:
    return request.method == "HEAD" or status in {204, 304}  # RFC 9112 section 6.3, whatever the length says


def in_handshake(error: BaseException) -> bool:
    """Whether a TLS error tells by itself that the handshake failed, so that nothing was sent."""
    return isinstance(error, ssl.SSLError) and (
        isinstance(error, ssl.SSLCertVerificationError) or error.reason == "WRONG_VERSION_NUMBER"
    )


def timed_out(request: Request, what: str, seconds: float, *, sent: bool) -> TimedOut:
    """The one sentence for every limit that was reached."""
    return TimedOut(f"{request.origin}: {what} took longer than {seconds:g} s", sent=sent)


def broken(
    request: Request,
    error: BaseException,
    *,
    kind: type[TransportError] = ReadError,
    sent: bool = True,
    what: str = "",
) -> TransportError:
    """The one sentence for a connection that broke; only the error's type and system message, never its own text.

    Texts of HTTP libraries quote the URL, and a URL may carry more than it should. `what` says more, if it is not the
    service itself that the reason is about.
    """
    reason = getattr(error, "strerror", None) or type(error).__name__
    return kind(f"{request.origin}: {what and what + ': '}{reason}", sent=sent)


def closed() -> LocalProtocolError:
    """The one sentence for a client that is used after it was closed."""
    return LocalProtocolError("this client is closed; make another one")
