"""HTTP as values: `Request`, `Response` and `Headers`. What stands in a `Request` is what goes on the wire."""

from __future__ import annotations

import json as _json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from sansauth.encoding import Params, encode
from sansauth.errors import InvalidHeader, LocalProtocolError, RemoteProtocolError
from sansauth.url import Url, parse_url

__all__ = ["FORM", "JSON", "SENSITIVE", "HeaderFields", "Headers", "Request", "Response", "build_request"]

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

HeaderFields: TypeAlias = "Mapping[str, str] | Iterable[tuple[str, str]]"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7E\x80-\xFF]*")  # RFC 9110 section 5.5: no CR, LF, NUL or other control
# Names whose values are masked in every repr and error: of header fields and of parameters.
SENSITIVE = re.compile(
    r"auth|cookie|token|secret|password|signature|key|code|verifier|assertion|location|dpop|nonce|denied", re.IGNORECASE
)
_MASK = "***"


class Headers:
    """Header fields: case-insensitive, repeated names kept, in order; immutable.

    Iterating gives the fields as `(name, value)` pairs, names in lower case. `headers["name"]` joins the values of a
    repeated field with ", " (RFC 9110 section 5.3); `get_all` gives them apart. A name that is not a token, or a value
    with CR, LF, NUL, another control character or a character outside ISO-8859-1, is an `InvalidHeader`.
    """

    __slots__ = ("_fields",)
    _fields: tuple[tuple[str, str], ...]

    def __init__(self, fields: HeaderFields = ()) -> None:
        # The casts: a mapping is an iterable too, so type checkers cannot tell it from an iterable of pairs.
        if isinstance(fields, Mapping):
            fields = cast("Mapping[str, str]", fields).items()
        self._fields = tuple([_field(name, value) for name, value in fields])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(field == name.lower() for field, _ in self._fields)

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self._fields)

    def get(self, name: str) -> str | None:
        """The field's value, repeated ones joined; None if the field is absent."""
        values = self.get_all(name)
        return ", ".join(values) if values else None

    def get_all(self, name: str) -> list[str]:
        """Every value of the field, in order."""
        name = name.lower()
        return [value for field, value in self._fields if field == name]

    def items(self) -> Iterator[tuple[str, str]]:
        """The same as iterating."""
        return iter(self._fields)

    def replacing(self, name: str, value: str) -> Headers:
        """These headers with exactly one field of that name, at the end."""
        return self.replacing_checked(*_field(name, value))

    def replacing_checked(self, name: str, value: str) -> Headers:
        """The same, for a lower-case name and a value that are known to be valid: no check."""
        copy = object.__new__(Headers)
        copy._fields = (*[pair for pair in self._fields if pair[0] != name], (name, value))
        return copy

    def __repr__(self) -> str:
        # A traceback that shows locals also shows what is half built: a repr that raised would hide the real error.
        fields = getattr(self, "_fields", ())
        shown = [(name, _MASK if SENSITIVE.search(name) else value) for name, value in fields]
        return f"Headers({shown!r})"


def _field(name: str, value: str) -> tuple[str, str]:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
        # Not the name: name and value may have been swapped.
        raise InvalidHeader("a header's name is a str of letters, digits and !#$%&'*+-.^_`|~ only")
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise InvalidHeader(f"the value of header {name!r} is a str, not {type(value).__name__}")
    value = value.strip(" \t")
    if not _FIELD_VALUE.fullmatch(value):
        # Never the value: it may be a token that was read from a file together with its line break.
        raise InvalidHeader(f"the value of header {name!r} holds a control character, a line break or non-Latin-1 text")
    return name.lower(), value


NO_HEADERS = Headers()


class Request:
    """What to put on the wire: method, URL, headers and body. Immutable.

    `target` (path and query) and `body` are sent byte for byte as they stand here; `host`, `port` and `scheme` say
    where. The URL obeys `parse_url`. The method is upper case. Framing (Host, Content-Length, Connection) belongs to
    the transport.
    """

    __slots__ = ("body", "headers", "method", "parsed")
    __match_args__ = ("method", "url", "headers", "body")

    method: str
    parsed: Url
    headers: Headers
    body: bytes

    def __init__(
        self, method: str, url: str | Url, headers: HeaderFields | Headers = NO_HEADERS, body: bytes = b""
    ) -> None:
        if not isinstance(method, str) or not _TOKEN.fullmatch(method):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise LocalProtocolError(f"{method!r:.80} is not an HTTP method")
        if not isinstance(body, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
            raise LocalProtocolError(f"a request's body is bytes, not {type(body).__name__}")
        fields = headers if isinstance(headers, Headers) else Headers(headers)
        self._fill(method.upper(), url if isinstance(url, Url) else parse_url(url), fields, body)

    def _fill(self, method: str, parsed: Url, headers: Headers, body: bytes) -> None:
        put = object.__setattr__
        put(self, "method", method)
        put(self, "parsed", parsed)
        put(self, "headers", headers)
        put(self, "body", body)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Request is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Request is immutable: cannot delete {name!r}")

    def __reduce__(self) -> tuple[type[Request], tuple[str, str, tuple[tuple[str, str], ...], bytes]]:
        return Request, (self.method, self.url, tuple(self.headers), self.body)

    @property
    def url(self) -> str:
        """The whole URL, canonical."""
        return str(self.parsed)

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self.parsed.scheme

    @property
    def host(self) -> str:
        """Lower case; an IPv6 address in brackets."""
        return self.parsed.host

    @property
    def port(self) -> int:
        """1 to 65535; the scheme's own if the URL named none."""
        return self.parsed.port

    @property
    def origin(self) -> str:
        """Scheme, host and a port that is not the scheme's own."""
        return self.parsed.origin

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return self.parsed.target

    @property
    def path(self) -> str:
        """The target's path."""
        return self.parsed.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target's query, without the `?`; empty if there is none."""
        return self.parsed.target.partition("?")[2]

    @property
    def has_form(self) -> bool:
        """Whether the body is a form by its content type (RFC 5849 section 3.4.1.3.1)."""
        return _media_type(self.headers) == FORM

    def with_header(self, name: str, value: str) -> Request:
        """The same request with exactly one header of that name."""
        return self._with(self.headers.replacing(name, value))

    def with_checked_header(self, name: str, value: str) -> Request:
        """The same, for a lower-case name and a value that are known to be valid: no check."""
        return self._with(self.headers.replacing_checked(name, value))

    def _with(self, headers: Headers) -> Request:
        copy = object.__new__(Request)
        copy._fill(self.method, self.parsed, headers, self.body)
        return copy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, Url, Headers, bytes]:
        return self.method, self.parsed, self.headers, self.body

    def __repr__(self) -> str:
        if not hasattr(self, "body"):
            return "<Request, not built>"
        url = self.parsed.origin + self.path + (f"?{_masked(self.query)}" if self.query else "")
        return f"Request({self.method!r}, {url!r}, {self.headers!r}, <{len(self.body)} bytes>)"


def _masked(encoded: str) -> str:
    pieces = [piece.partition("=") for piece in encoded.split("&")]
    return "&".join(name + sep + (_MASK if value and SENSITIVE.search(name) else value) for name, sep, value in pieces)


@dataclass(frozen=True, slots=True, repr=False, init=False)
class Response:
    """What came back: status, headers and the whole body."""

    status: int
    headers: Headers
    body: bytes

    def __init__(self, status: int, headers: HeaderFields | Headers = NO_HEADERS, body: bytes = b"") -> None:
        if not isinstance(body, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
            raise LocalProtocolError(f"a response's body is bytes, not {type(body).__name__}")
        if not isinstance(status, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
            raise LocalProtocolError(f"a response's status is an int, not {type(status).__name__}")
        put = object.__setattr__
        put(self, "status", status)
        put(self, "headers", headers if isinstance(headers, Headers) else Headers(headers))
        put(self, "body", body)

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty if there is none."""
        return _media_type(self.headers)

    @property
    def text(self) -> str:
        """The body as UTF-8; what is not UTF-8 becomes U+FFFD."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> object:
        """The body as JSON; raises `RemoteProtocolError` if it is not."""
        try:
            return cast("object", _json.loads(self.body))
        except (ValueError, RecursionError):
            # `from None`: the original error carries the document, and a token answer is a document.
            kind = self.media_type or "no content type"
            raise RemoteProtocolError(
                f"expected JSON, got {len(self.body)} bytes that are not ({kind}, status {self.status})"
            ) from None

    def __repr__(self) -> str:
        if not hasattr(self, "body"):
            return "<Response, not built>"
        return f"Response({self.status}, {self.headers!r}, <{len(self.body)} bytes>)"


def _media_type(headers: Headers) -> str:
    value = headers.get("content-type")
    return value.partition(";")[0].strip().lower() if value else ""


def build_request(
    method: str,
    url: str,
    *,
    params: Params | None = None,
    form: Params | None = None,
    json: object = None,
    body: bytes | None = None,
    headers: HeaderFields | Headers = NO_HEADERS,
) -> Request:
    """Build a request: `params` go to the query, and at most one of `form`, `json` and `body` becomes the body.

    The content type is set for `form` and `json` unless `headers` has one. `json=None` means no JSON; the value null
    is `body=b"null"`.
    """
    if (form is not None) + (json is not None) + (body is not None) > 1:
        raise LocalProtocolError("a request has one body: give form=, json= or body=")
    fields = headers if isinstance(headers, Headers) else Headers(headers)
    if form is not None:
        content, kind = encode(form).encode(), FORM
    elif json is not None:
        content, kind = _dump(json), JSON
    else:
        content, kind = body or b"", ""
    if kind and "content-type" not in fields:
        fields = fields.replacing("content-type", kind)
    if params is not None and (query := encode(params)):
        base, mark, fragment = url.partition("#")
        url = base + ("&" if "?" in base else "?") + query + mark + fragment
    return Request(method, url, fields, content)


def _dump(value: object) -> bytes:
    try:
        return _json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalProtocolError(f"json= cannot be encoded as JSON ({type(error).__name__})") from None
