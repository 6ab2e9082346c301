"""What a received request says of its signature: the protocol parameters, wherever they stand (RFC 5849, 3.4.1.3.1).

Strict, because a service that reads a parameter otherwise than the one who signed it checks the signature of another
request than the one it serves.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sansauth.encoding import unquote
from sansauth.errors import InvalidSignature
from sansauth.http import Request
from sansauth.oauth1.methods import PLAINTEXT
from sansauth.secret import Secret

__all__ = ["CHARACTERS", "PARAMETERS", "Fault", "Received", "SignedRequest", "malformed", "read_signed"]

PARAMETERS = 1_000
"""How many parameters a received request may have, in header, query and form together."""

CHARACTERS = 2**20
"""How long header, query and form of a received request may be together; a body that is no form does not count."""


class Fault(enum.Enum):
    """What is wrong with a received signature: `InvalidSignature.fault`."""

    MALFORMED = "a protocol parameter is missing, given twice, or cannot be read"
    METHOD = "the signature method, or the version of the protocol, is not one that is accepted"
    TIMESTAMP = "the timestamp is too far from this clock, or is none"
    UNKNOWN_CONSUMER = "there is no such consumer key"
    UNKNOWN_TOKEN = "there is no such token of that consumer"
    SIGNATURE = "the signature is not that of this request by these secrets"
    NONCE = "the nonce was used before: the request was sent twice"
    BODY_HASH = "the body is not the one that was signed"


class Received(NamedTuple):
    """The parts of a received request.

    `protocol` are the `oauth_*` parameters with decoded values; `query` and `form` the other parameters, encoded as
    they came. Masked, because verifier, password and PLAINTEXT's secrets are among them.
    """

    protocol: dict[str, Secret]
    query: Secret
    form: Secret


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A received request that names who signed it. Read, not checked: none of it can be trusted yet.

    `token` is None where a consumer signed alone. `timestamp`, in Unix seconds, and `nonce` can be None with PLAINTEXT
    only. `extra` are the further `oauth_*` parameters, decoded, such as oauth_callback, oauth_verifier.
    """

    request: Request
    consumer_key: str
    token: str | None
    method: str
    timestamp: int | None
    nonce: str | None = field(repr=False)
    extra: Mapping[str, str] = field(hash=False)
    parts: Received = field(repr=False, hash=False)


class _Parameter(NamedTuple):
    place: str
    name: str
    value: Secret


# What cannot be missing, and must stand where the signature stands. Token, callback, verifier and the rest may stand
# elsewhere: X's own pages send the verifier in a form beside a signature in the header.
_REQUIRED = ("oauth_consumer_key", "oauth_signature_method", "oauth_timestamp", "oauth_nonce", "oauth_signature")
_WITH_SIGNATURE = frozenset({*_REQUIRED, "oauth_version"})
_NOT_EXTRA = _WITH_SIGNATURE | {"oauth_token"}
# RFC 5849 section 3.1: both may be left out with PLAINTEXT.
_AGAINST_REPLAY = {"oauth_timestamp", "oauth_nonce"}
_TIMESTAMP_DIGITS = 10  # oauthlib's rule: the years 2001 to 2286

# RFC 9110 section 8.3: one media type. In its parameters a comma stands in quotes only.
_ONE_MEDIA_TYPE = re.compile(r'[^\s,;"]*+[ \t]*+(?:;(?:[^",]|"(?:[^"\\]|\\.)*+")*+)?+')
_ENCODED = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]++|%[0-9A-Fa-f]{2})*+")  # RFC 3986 section 3.4
# RFC 5849 section 3.5.1, and besides: a value without quotes, and what RFC 9110 section 5.6.1 says of empty elements.
_FIELD = re.compile(
    r'(?P<name>[A-Za-z0-9\-._~%]++)[ \t]*+=[ \t]*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<bare>[^\s",\\]*+))'
    r"[ \t]*+(?:,[ \t,]*+|\Z)"
)


def read_signed(request: Request) -> SignedRequest:
    """Read who signed a request, and how; the signature is for `check` (RFC 5849 section 3.5).

    With PLAINTEXT, timestamp and nonce may be left out (section 3.1). Raises `InvalidSignature`: MALFORMED if the
    parameters of the protocol are missing, doubled, spread over several places or cannot be told apart from the rest,
    or if there are more than `PARAMETERS`, or more than `CHARACTERS` of text; TIMESTAMP if that is no number.
    """
    parts = _read(request)
    protocol = parts.protocol
    return SignedRequest(
        request,
        str(protocol["oauth_consumer_key"]),
        protocol.get("oauth_token") or None,
        str(protocol["oauth_signature_method"]),
        _timestamp(protocol.get("oauth_timestamp")),
        str(protocol.get("oauth_nonce", "")) or None,
        {name: value for name, value in protocol.items() if name not in _NOT_EXTRA},
        parts,
    )


def malformed(message: str) -> InvalidSignature:
    """The refusal of a request that cannot be read."""
    return InvalidSignature(message, fault=Fault.MALFORMED)


def _read(request: Request) -> Received:
    _check_content_type(request)
    _check_length(request)
    query, form = _pieces("the query", Secret(request.query)), _pieces("the form", _form(request))
    header = list(_in_header(request))
    _check_number(len(header) + len(query) + len(form))
    in_query, other_query = _split("the query", query)
    in_form, other_form = _split("the form", form)
    parameters = [*header, *in_query, *in_form]
    protocol: dict[str, Secret] = {}
    for parameter in parameters:
        if parameter.name in protocol:
            raise malformed(f"{parameter.name!r:.40} is given twice; a protocol parameter stands in one place, once")
        protocol[parameter.name] = parameter.value
    _check_complete(protocol)
    places = {parameter.place for parameter in parameters if parameter.name in _WITH_SIGNATURE}
    if len(places) > 1:
        raise malformed(f"the parameters of the signature are spread over {' and '.join(sorted(places))}")
    return Received(protocol, other_query, other_form)


def _check_content_type(request: Request) -> None:
    # Frameworks read the first of two, the last, or what stands before a comma: what one of them takes for a form would
    # be a body without a signature here.
    values = request.headers.get_all("content-type")
    if len(values) > 1 or not all(map(_ONE_MEDIA_TYPE.fullmatch, values)):
        raise malformed("the Content-Type is not one media type, so the body could be read in two ways")


def _check_length(request: Request) -> None:
    """Before any of it is decoded: whoever sends megabytes needs no valid key to keep a reader of them busy."""
    read = [request.query, *request.headers.get_all("authorization")]
    length = sum(map(len, read)) + (len(request.body) if request.has_form else 0)
    if length > CHARACTERS:
        raise malformed(f"header, query and form are {length} characters long; at most {CHARACTERS} are read")


def _check_number(parameters: int) -> None:
    if parameters > PARAMETERS:
        raise malformed(f"there are more than {PARAMETERS} parameters")


def _check_complete(protocol: Mapping[str, str]) -> None:
    optional = _AGAINST_REPLAY if protocol.get("oauth_signature_method") == PLAINTEXT else set[str]()
    missing = [name for name in _REQUIRED if name not in optional and not protocol.get(name)]
    if missing:
        raise malformed(f"the request is not signed by OAuth 1.0a: it has no {', '.join(missing)}")


def _timestamp(text: str | None) -> int | None:
    if not text:
        return None
    # ASCII, because int() reads the digits of every script.
    if not (len(text) == _TIMESTAMP_DIGITS and text.isascii() and text.isdigit()):
        raise InvalidSignature("oauth_timestamp is not Unix time in seconds, ten digits", fault=Fault.TIMESTAMP)
    return int(text)


def _in_header(request: Request) -> Iterator[_Parameter]:
    """Those of the Authorization header; none if it has another scheme: the signature may stand elsewhere."""
    values = request.headers.get_all("authorization")
    if len(values) > 1:
        raise malformed("there are two Authorization headers")
    for scheme, _, rest in (value.partition(" ") for value in values):
        if scheme.lower() == "oauth":
            yield from _fields(Secret(rest.strip(" \t,")))


def _fields(header: Secret) -> Iterator[_Parameter]:
    position = number = 0
    while position < len(header):
        number += 1
        _check_number(number)  # here too: realms are not signed, and so not counted there
        field = _FIELD.match(header, position)
        if field is None:
            raise malformed(f'the Authorization header is not `OAuth name="value", ...` after {position} characters')
        position = field.end()
        name = str(_decode(field["name"]))
        if name.lower() == "realm":
            continue  # no protocol parameter, and not signed
        if not name.startswith("oauth_"):
            raise malformed(f"the Authorization header holds {name!r:.40}; only oauth_* and realm belong there")
        value = field["bare"] if field["quoted"] is None else field["quoted"]
        yield _Parameter("the header", name, _decode(Secret(value)))


def _form(request: Request) -> Secret:
    try:
        return Secret(request.body.decode("ascii") if request.has_form else "")
    except UnicodeDecodeError:
        raise malformed("the form holds bytes that are not percent-encoded") from None


def _pieces(place: str, encoded: Secret) -> list[Secret]:
    """The parameters of a query or form, encoded as they came. An empty piece is none (RFC 5849 section 3.4.1.3.1)."""
    if not _ENCODED.fullmatch(encoded):
        raise malformed(f"{place} holds characters that are not percent-encoded, or a `%` without two hex digits")
    return list(map(Secret, filter(None, encoded.split("&"))))


def _split(place: str, pieces: Iterable[Secret]) -> tuple[list[_Parameter], Secret]:
    """The protocol parameters of a query or form, and what is left of it."""
    found: list[_Parameter] = []
    rest: list[Secret] = []
    for piece in pieces:
        name, _, value = (_decode(Secret(part.replace("+", " "))) for part in piece.partition("="))
        if name.startswith("oauth_"):
            found.append(_Parameter(place, str(name), value))
        else:
            rest.append(piece)
    return found, Secret("&".join(rest))


def _decode(text: str) -> Secret:
    # Libraries read what is not UTF-8 as U+FFFD or as ISO-8859-1, so two different requests would have one signature.
    try:
        return Secret(unquote(text).decode())
    except UnicodeDecodeError:
        raise malformed("a parameter is not UTF-8, percent-encoded (RFC 5849 section 3.6)") from None
