"""Answers of a service that is broken, hostile, or just says no: what each one is, and the error it has to become.

The request is always `token`, a POST with the consumer's Basic credentials.
"""

from __future__ import annotations

import base64
import gzip
import json
import traceback
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from sansauth import errors as e
from sansauth.effects import Timeouts

from .hostile_server import (
    Play,
    answers,
    closing,
    dripping,
    flooding,
    head,
    holding,
    http,
    resetting,
)
from .transports import APP, BRISK

MIB = 2**20
SHORT = Timeouts(connect=5.0, read=0.2, total=5.0)  # the service says nothing: `read` has to strike
DRIP = Timeouts(connect=5.0, read=5.0, total=1.0)  # it says something again and again: `total` has to
TOKEN = b'{"token_type":"bearer","access_token":"planted-answered-token"}'

BASIC = base64.b64encode(f"{APP.consumer_key}:{APP.consumer_secret}".encode()).decode()
SECRETS = ["planted-consumer-secret", "planted-answered-token", "planted-access-token", BASIC, BASIC[:20]]


def assert_no_secret(error: BaseException) -> None:
    for text in (str(error), repr(error), "".join(traceback.format_exception(error))):
        assert [secret for secret in SECRETS if secret in text] == []


@dataclass(frozen=True)
class Case:
    """One answer. `differs` names the kits (by how their names begin) where a library legitimately reads it otherwise.

    `of_some_versions` names those where only some versions of the library do.
    `sent` is what a `TransportError` has to say. `skipped` names the kits where it cannot be tried, and why.
    """

    name: str
    play: Play
    expected: type[Exception]
    sent: bool = True
    timeouts: Timeouts = BRISK
    differs: Mapping[str, type[Exception]] = field(default_factory=dict)
    of_some_versions: Mapping[str, type[Exception]] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    def expected_on(self, kit: str) -> set[type[Exception]]:
        differs = {kind for name, kind in self.differs.items() if kit.startswith(name)}
        tolerated = {kind for name, kind in self.of_some_versions.items() if kit.startswith(name)}
        return (differs or {self.expected}) | tolerated


def said(name: str, status: int, body: object, expected: type[Exception], *fields: str, kind: str = "") -> Case:
    """A well-formed answer; a `body` that is neither bytes nor str is JSON."""
    if isinstance(body, str):
        content, kind = body.encode(), kind or "text/plain"
    elif isinstance(body, bytes):
        content = body
    else:
        content = json.dumps(body).encode()
    raw = http(status, content, *fields, kind=kind or "application/json")
    return Case(name, answers(raw), expected)


def problem(slug: str, title: str, **more: object) -> dict[str, object]:
    return {"title": title, "type": f"https://api.twitter.com/2/problems/{slug}", "detail": f"{title}, said X", **more}


STATUSES = [
    said(f"status {status}", status, {"errors": [{"code": 9999, "message": "no"}]}, expected)
    for status, expected in {
        300: e.UnexpectedRedirect,
        400: e.BadRequest,
        401: e.Unauthorized,
        402: e.PaymentRequired,
        403: e.Forbidden,
        404: e.NotFound,
        406: e.NotAcceptable,
        413: e.RequestEntityTooLarge,
        418: e.ApiError,
        420: e.TooManyRequests,
        422: e.UnprocessableEntity,
        429: e.TooManyRequests,
        500: e.InternalServerError,
        502: e.BadGateway,
        503: e.ServiceUnavailable,
        504: e.GatewayTimeout,
        599: e.ApiError,
        999: e.ApiError,
    }.items()
]

SHAPES = [
    said("code 99", 403, {"errors": [{"code": 99, "label": "x", "message": "no"}]}, e.UnableToVerifyCredentials),
    said("code 170", 403, {"errors": [{"code": 170, "message": "no"}]}, e.MissingParameter),
    said("code 32", 401, {"errors": [{"code": 32, "message": "no"}]}, e.CouldNotAuthenticate),
    said("code 89", 401, {"errors": [{"code": 89, "message": "no"}]}, e.InvalidOrExpiredToken),
    said("code 135", 401, {"errors": [{"code": 135, "message": "no"}]}, e.TimestampOutOfRange),
    said("code 215", 400, {"errors": [{"code": 215, "message": "no"}]}, e.BadAuthenticationData),
    said("code 88, as v2's docs have it", 429, {"errors": [{"code": 88, "message": "no"}]}, e.TooManyRequests),
    said("a code of a million digits", 403, b'{"errors":[{"code":' + b"9" * 1_000_000 + b"}]}", e.Forbidden),
    said("a string of the Ads API as code", 403, {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}, e.Forbidden),
    said("errors is a string", 403, {"errors": "Screen name can't be blank"}, e.Forbidden),
    said("errors is null", 403, {"errors": None}, e.Forbidden),
    said("errors is a list of lists", 403, {"errors": [[], [1], None, "x"]}, e.Forbidden),
    said("error is a sentence", 401, {"error": "Not authorized.", "request": "/1.1/x"}, e.Unauthorized),
    said("error is null", 401, {"error": None}, e.Unauthorized),
    said("error is a code of RFC 6749", 400, {"error": "invalid_request"}, e.BadRequest),
    said("XML", 403, '<errors><error code="415">no</error></errors>', e.CallbackNotApproved, kind="application/xml"),
    said("XML said to be JSON", 403, b'<errors><error code="87">no</error></errors>', e.Forbidden),
    said("XML with entities that would explode", 403, "<!DOCTYPE x [<!ENTITY a 'a'>]><errors>&a;", e.Forbidden),
    said("plain text", 401, "Failed to validate oauth signature and token", e.Unauthorized),
    said("plain text of reverse auth", 401, "Reverse auth credentials are invalid", e.Unauthorized),
    said("problem: client forbidden", 403, problem("client-forbidden", "Client Forbidden"), e.ClientForbidden),
    said("problem: wrong kind", 403, problem("unsupported-authentication", "x"), e.UnsupportedAuthentication),
    said("problem: usage cap", 429, problem("usage-capped", "x", period="Monthly"), e.UsageCapExceeded),
    said("problem: credits", 402, problem("credits", "CreditsDepleted"), e.CreditsDepleted),
    said("problem: permissions", 403, problem("oauth1-permissions", "Forbidden"), e.Forbidden),
    said("problem: errors within", 400, problem("invalid-request", "x", errors=[{"message": "no"}]), e.BadRequest),
    said("problem: blank", 429, {"title": "Too Many Requests", "type": "about:blank"}, e.TooManyRequests),
    said("problems in a list", 404, {"errors": [problem("resource-not-found", "Not Found")]}, e.NotFound),
    said("HTML", 503, "<html><title>Over capacity</title></html>", e.ServiceUnavailable, kind="text/html"),
    said("HTML said to be JSON", 502, b"<!DOCTYPE html><h1>Bad gateway</h1>", e.BadGateway),
    said("truncated JSON", 500, b'{"errors":[{"code":1', e.InternalServerError),
    said("not UTF-8", 403, b'{"errors":[{"message":"\xe9\xff"}]}', e.Forbidden),
    said("a charset that is not true", 403, b'{"errors":"\xe9"}', e.Forbidden, kind="application/json; charset=utf-16"),
    said("a charset that does not exist", 403, {"errors": "no"}, e.Forbidden, kind='text/plain; charset="\xff"'),
    said("deeper than any parser", 403, b"[" * 100_000, e.Forbidden),
    said("empty", 403, b"", e.Forbidden),
    said("NULs", 500, b"\0" * 1000, e.InternalServerError),
    said("it repeats our credentials", 401, "You sent planted-consumer-secret, you did", e.Unauthorized),
]

FALSE_SUCCESSES = [
    said("200 with hello world", 200, {"hello": "world"}, e.RemoteProtocolError),
    said("200 with a list", 200, [TOKEN.decode()], e.RemoteProtocolError),
    said("200 with null", 200, None, e.RemoteProtocolError),
    said("200 with a number", 200, 42, e.RemoteProtocolError),
    said("200 with a JSON string", 200, b'"planted-answered-token"', e.RemoteProtocolError),
    said("200 with nothing", 200, b"", e.RemoteProtocolError),
    said("200 with HTML", 200, "<html><title>Log in</title></html>", e.RemoteProtocolError, kind="text/html"),
    said("200 with truncated JSON", 200, TOKEN[:-2], e.RemoteProtocolError),
    said("200, not UTF-8", 200, TOKEN.replace(b"planted", b"\xe9"), e.RemoteProtocolError),
    said("200 deeper than any parser", 200, b'{"a":' * 100_000, e.RemoteProtocolError),
    said("200 of another token type", 200, TOKEN.replace(b"bearer", b"mac"), e.RemoteProtocolError),
    said("200 without a token type", 200, {"access_token": "planted-answered-token"}, e.RemoteProtocolError),
    said("200 with a list as token type", 200, {"token_type": ["bearer"], "access_token": "x"}, e.RemoteProtocolError),
    said("200 without a token", 200, {"token_type": "bearer"}, e.RemoteProtocolError),
    said("200 with an empty token", 200, {"token_type": "bearer", "access_token": ""}, e.RemoteProtocolError),
    said("200 with a number as token", 200, {"token_type": "bearer", "access_token": 1}, e.RemoteProtocolError),
    said(
        "200 with a line break in the token",
        200,
        {"token_type": "bearer", "access_token": "planted-answered-token\r\nX: y"},
        e.RemoteProtocolError,
    ),
    said("200 with an error in it", 200, {"errors": [{"code": 99}]}, e.UnableToVerifyCredentials),
    said("204", 204, b"", e.RemoteProtocolError),
    said("304", 304, b"", e.UnexpectedRedirect),
    Case("204 with a body", closing(http(204, TOKEN)), e.RemoteProtocolError),
    Case("304 with a body", closing(http(304, TOKEN)), e.UnexpectedRedirect),
]


def _bomb(mebibytes: int) -> bytes:
    """The beginning of a gzip stream of so many MiB of zeros, a thousandth of that in size."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = deflate.compress(bytes(MIB)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + piece * mebibytes


def _encoded(body: bytes, encoding: str, status: int = 200) -> bytes:
    return http(status, body, f"Content-Encoding: {encoding}")


PIECE = b" " * 65_536
CHUNK = b"10000\r\n" + PIECE + b"\r\n"
OK = ("HTTP/1.1 200 OK", "Content-Type: application/json")
CHUNKED = head(*OK, "Transfer-Encoding: chunked")
MOVED = "HTTP/1.1 302 Found", "Location: /elsewhere"

SIZES = [
    Case("20 MiB announced", flooding(head(*OK, f"Content-Length: {20 * MIB}"), PIECE, 320), e.ResponseTooLarge),
    Case("20 MiB in chunks", flooding(CHUNKED, CHUNK, 320, b"0\r\n\r\n"), e.ResponseTooLarge),
    Case("20 MiB until the end of the connection", flooding(head(*OK), PIECE, 320), e.ResponseTooLarge),
    Case(
        "80 MiB announced in a 302",
        flooding(head(*MOVED, f"Content-Length: {80 * MIB}"), PIECE, 1280),
        e.ResponseTooLarge,
    ),
    Case(
        "80 MiB in chunks in a 302",
        flooding(head(*MOVED, "Transfer-Encoding: chunked"), CHUNK, 1280, b"0\r\n\r\n"),
        e.ResponseTooLarge,
    ),
    Case("80 MiB until the end in a 302", flooding(head(*MOVED), PIECE, 1280), e.ResponseTooLarge),
    Case("80 MiB in a 500", flooding(head("HTTP/1.1 500 No"), PIECE, 1280), e.ResponseTooLarge),
    Case("gzip bomb of 20 MiB", answers(_encoded(_bomb(20), "gzip")), e.ResponseTooLarge),
    Case("gzip bomb of 512 MiB", answers(_encoded(_bomb(512), "gzip")), e.ResponseTooLarge),
    Case("gzip bomb in a 401", answers(_encoded(_bomb(20), "GZIP", 401)), e.ResponseTooLarge),
    # Nobody asked for these encodings.
    Case("gzip twice", answers(_encoded(gzip.compress(gzip.compress(TOKEN)), "gzip, gzip")), e.RemoteProtocolError),
    Case("brotli", answers(_encoded(b"\x8b\x02\x80{}\x03", "br")), e.RemoteProtocolError),
    Case("an encoding nobody knows", answers(_encoded(TOKEN, "planted-access-token")), e.RemoteProtocolError),
    Case("gzip that is none", answers(_encoded(TOKEN, "gzip")), e.RemoteProtocolError),
    Case("gzip that ends too soon", answers(_encoded(gzip.compress(TOKEN)[:-9], "gzip")), e.RemoteProtocolError),
]

REDIRECTS = [
    said(f"{status} to the same host", status, b"", e.UnexpectedRedirect, "Location: /oauth2/token?again=1")
    for status in (301, 302, 303, 307, 308)
]
REDIRECTS += [
    # httpx prepares the next request of a redirect even when told not to follow it.
    Case(
        f"302 to {location}",
        answers(http(302, b"", f"Location: {location}")),
        e.UnexpectedRedirect,
        of_some_versions={"httpx": e.RemoteProtocolError},
    )
    for location in ("http://[::1", "http://x:99999/", "http://a b/", "\\\\x", "javascript:alert(1)", "//", "caf\xe9")
]
REDIRECTS += [
    said("302 to nowhere", 302, b"", e.UnexpectedRedirect),
    said("302 to itself", 302, b"", e.UnexpectedRedirect, "Location: /oauth2/token"),
    said("302 with a secret in it", 302, b"", e.UnexpectedRedirect, "Location: /?code=planted-answered-token"),
]


OUTLIVES = {"requests-users-session": "documented: urllib3 gives no hold on headers and chunk sizes that drip in"}

SLOW = [
    Case("no answer", holding(b""), e.TimedOut, timeouts=SHORT),
    Case("silence after half a status line", holding(b"HTTP/1.1 2"), e.TimedOut, timeouts=SHORT),
    Case("silence after half a header", holding(b"HTTP/1.1 200 OK\r\nContent-Ty"), e.TimedOut, timeouts=SHORT),
    Case("silence after half a body", holding(head(*OK, "Content-Length: 9") + b"{"), e.TimedOut, timeouts=SHORT),
    Case("silence after half a chunk", holding(CHUNKED + b"9\r\n{"), e.TimedOut, timeouts=SHORT),
    Case(
        "drip in the status line",
        dripping(b"HTTP/1.1 200 ", b"O"),
        e.TimedOut,
        timeouts=DRIP,
        skipped=OUTLIVES,
    ),
    Case(
        "drip in the header",
        dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        e.TimedOut,
        timeouts=DRIP,
        skipped=OUTLIVES,
    ),
    Case(
        "drip of header lines",
        dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        e.TimedOut,
        timeouts=DRIP,
        skipped=OUTLIVES,
    ),
    Case(
        "endless 100 Continue",
        dripping(b"", head("HTTP/1.1 100 Continue") * 3),
        e.TimedOut,
        timeouts=DRIP,
        skipped=OUTLIVES,
    ),
    Case(
        "drip in a chunk's size",
        dripping(CHUNKED, b"0"),
        e.TimedOut,
        timeouts=DRIP,
        skipped=OUTLIVES,
    ),
    Case("drip in the body", dripping(head(*OK, "Content-Length: 9999"), b" "), e.TimedOut, timeouts=DRIP),
    Case("drip in a body without end", dripping(head(*OK), b" "), e.TimedOut, timeouts=DRIP),
    Case("drip of chunks", dripping(CHUNKED, b"1\r\n \r\n"), e.TimedOut, timeouts=DRIP),
    Case(
        "drip of trailers",
        dripping(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n"),
        e.TimedOut,
        timeouts=DRIP,
        skipped=OUTLIVES,
    ),
]

# http.client takes the end of the connection for that of the header: what is left is a 200 without a body.
CUT = {"requests-users-session": e.RemoteProtocolError}

BROKEN = [
    Case("closed without an answer", closing(b""), e.ReadError),
    Case("closed in the status line", closing(b"HTTP/1.1 200"), e.ReadError, differs=CUT),
    Case("closed in the header", closing(b"HTTP/1.1 200 OK\r\nContent-Type: appl"), e.ReadError, differs=CUT),
    Case("closed in the body", closing(head(*OK, "Content-Length: 99") + TOKEN), e.ReadError),
    Case("closed in a chunk", closing(CHUNKED + b"99\r\n{"), e.ReadError),
    Case("closed between chunks", closing(CHUNKED + b"1\r\n{\r\n"), e.ReadError),
    Case("reset without an answer", resetting(), e.ReadError),
    Case("reset in the body", resetting(head(*OK, "Content-Length: 99") + b"{"), e.ReadError),
]

# h11 looks at a header when it is whole, and this one never is.
H11 = {"httpx": e.ReadError, "trio": e.ReadError}
# Before 0.15 it had no limit on a length's digits, and int() has one.
H11_OF_OLD = {"httpx": e.ReadError}
# http.client has one exception for a chunk that is malformed and for one that ends too soon.
HTTP_CLIENT = {"requests": e.ReadError}
LEAKS = {"requests-users-session": "urllib3 refuses it, and leaves the socket to the garbage collector, with a warning"}

MALFORMED = [
    Case("garbage", holding(b"\x16\x03\x01\x02planted\r\n\r\n" * 20), e.RemoteProtocolError),
    Case("text without a header", closing(b"OK you have a token\r\n\r\n"), e.RemoteProtocolError),
    Case("HTTP/0.9", closing(TOKEN), e.RemoteProtocolError, differs=H11),
    Case("HTTP/2", closing(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0"), e.RemoteProtocolError),
    Case("another protocol", closing(b"SSH-2.0-OpenSSH_9.6\r\n"), e.RemoteProtocolError, differs=H11),
    Case("a status of letters", closing(head("HTTP/1.1 abc OK")), e.RemoteProtocolError),
    Case("a status of two digits", closing(head("HTTP/1.1 20 OK")), e.RemoteProtocolError),
    Case("a status below 100", closing(head("HTTP/1.1 099 OK")), e.RemoteProtocolError),
    Case("101 Switching Protocols", holding(head("HTTP/1.1 101 Go", "Upgrade: h2c")), e.RemoteProtocolError),
    Case("a header of 300 KiB", closing(head(*OK, "X: " + "y" * 300_000)), e.RemoteProtocolError),
    Case("10,000 headers", closing(head(*OK, *(f"X-{n}: y" for n in range(10_000)))), e.RemoteProtocolError),
    Case("endless headers", flooding(head(*OK)[:-2], b"X: y\r\n" * 1000, 10_000), e.RemoteProtocolError),
    Case("a control character in a header", closing(http(200, TOKEN, "X: a\x01b")), e.RemoteProtocolError),
    Case("a NUL in a header", closing(http(200, TOKEN, "X: a\x00b")), e.RemoteProtocolError),
    Case("a secret beside a NUL", closing(http(200, TOKEN, "X: planted-answered-token\x00")), e.RemoteProtocolError),
    Case("a header without a colon", closing(http(200, TOKEN, "nonsense")), e.RemoteProtocolError),
    Case("a header with a space in its name", closing(http(200, TOKEN, "X y: z")), e.RemoteProtocolError),
    Case("two lengths", closing(http(200, TOKEN, "Content-Length: 5")), e.RemoteProtocolError),
    Case("two lengths in one", closing(head(*OK, "Content-Length: 9, 5")), e.RemoteProtocolError, skipped=LEAKS),
    Case("a negative length", closing(head(*OK, "Content-Length: -5") + TOKEN), e.RemoteProtocolError),
    Case("a length that is no number", closing(head(*OK, "Content-Length: 0x3e") + TOKEN), e.RemoteProtocolError),
    Case(
        "a length of 40,000 digits",
        closing(head(*OK, f"Content-Length: {'9' * 40_000}")),
        e.RemoteProtocolError,
        of_some_versions=H11_OF_OLD,
    ),
    Case(
        "a chunk size that is no number",
        closing(CHUNKED + b"xyz\r\n{}\r\n0\r\n\r\n"),
        e.RemoteProtocolError,
        differs=HTTP_CLIENT,
    ),
    Case(
        "a negative chunk size", closing(CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n"), e.RemoteProtocolError, differs=HTTP_CLIENT
    ),
    Case(
        "a chunk longer than its size",
        closing(CHUNKED + b"1\r\n{}}}\r\n0\r\n\r\n"),
        e.RemoteProtocolError,
        differs=HTTP_CLIENT,
    ),
]

CASES = [*STATUSES, *SHAPES, *FALSE_SUCCESSES, *SIZES, *REDIRECTS, *SLOW, *BROKEN, *MALFORMED]

# Unusual, and right: the token has to come through.
# On a user's own requests session http.client takes the interim answer for the answer, and that is refused.
INTERIM = {
    "103 Early Hints before it": head("HTTP/1.1 103 Early Hints", "Link: </x>") + http(200, TOKEN),
    "three hundred interim answers before it": head("HTTP/1.1 102 Processing") * 300 + http(200, TOKEN),
}
ACCEPTED = INTERIM | {
    "100 Continue before it": head("HTTP/1.1 100 Continue") + http(200, TOKEN),
    "gzip": _encoded(gzip.compress(TOKEN), "gzip"),
    "gzip in two members": _encoded(gzip.compress(TOKEN[:9]) + gzip.compress(TOKEN[9:]), "X-GZIP"),
    "chunks, with extensions and trailers": CHUNKED
    + b"1;a=b\r\n{\r\n%x\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(TOKEN) - 1, TOKEN[1:]),
    "a folded header": http(200, TOKEN, "X: a\r\n b"),
    "two content types": http(200, TOKEN, "Content-Type: text/html"),
    "the same length twice": http(200, TOKEN, f"Content-Length: {len(TOKEN)}"),
    "no reason": http(200, TOKEN, reason=""),
    "Latin-1 in a header": http(200, TOKEN, "X: caf\xe9"),
    "90 headers": http(200, TOKEN, *(f"X-{n}: y" for n in range(90))),
    "a header of 30 KiB": http(200, TOKEN, "X: " + "y" * 30_000),
    "a media type that says nothing": http(200, TOKEN, kind="application/octet-stream"),
    "a byte order mark": http(200, b"\xef\xbb\xbf" + TOKEN),
}
