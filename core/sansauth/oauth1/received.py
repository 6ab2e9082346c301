"""What a received request says of its signature: the protocol parameters, wherever they stand (RFC 5849, 3.4.1.3.1).

Strict, because a service that reads a parameter otherwise than the one who signed it checks the signature of another
request than the one it serves.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import NamedTuple

from sansauth.encoding import unquote
from sansauth.errors import InvalidSignature
from sansauth.http import Request
from sansauth.secret import Secret

__all__ = ["WITH_SIGNATURE", "Fault", "Received", "malformed", "read"]


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


class _Parameter(NamedTuple):
    place: str
    name: str
    value: Secret


# What cannot be missing, and must stand where the signature stands. Token, callback, verifier and the rest may stand
# elsewhere: X's own pages send the verifier in a form beside a signature in the header.
_REQUIRED = ("oauth_consumer_key", "oauth_signature_method", "oauth_timestamp", "oauth_nonce", "oauth_signature")
WITH_SIGNATURE = frozenset({*_REQUIRED, "oauth_version"})

_ENCODED = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]++|%[0-9A-Fa-f]{2})*+")  # RFC 3986 section 3.4
# RFC 5849 section 3.5.1, and besides: a value without quotes, and what RFC 9110 section 5.6.1 says of empty elements.
_FIELD = re.compile(
    r'(?P<name>[A-Za-z0-9\-._~%]++)[ \t]*+=[ \t]*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<bare>[^\s",\\]*+))'
    r"[ \t]*+(?:,[ \t,]*+|\Z)"
)


def read(request: Request) -> Received:
    """The request's protocol parameters and the rest; `InvalidSignature` (MALFORMED) if they cannot be told apart."""
    header = list(_in_header(request))
    query, other_query = _split("the query", Secret(request.query))
    form, other_form = _split("the form", _form(request))
    parameters = [*header, *query, *form]
    protocol: dict[str, Secret] = {}
    for parameter in parameters:
        if parameter.name in protocol:
            raise malformed(f"{parameter.name!r:.40} is given twice; a protocol parameter stands in one place, once")
        protocol[parameter.name] = parameter.value
    missing = [name for name in _REQUIRED if not protocol.get(name)]
    if missing:
        raise malformed(f"the request is not signed by OAuth 1.0a: it has no {', '.join(missing)}")
    places = {parameter.place for parameter in parameters if parameter.name in WITH_SIGNATURE}
    if len(places) > 1:
        raise malformed(f"the parameters of the signature are spread over {' and '.join(sorted(places))}")
    return Received(protocol, other_query, other_form)


def malformed(message: str) -> InvalidSignature:
    """The refusal of a request that cannot be read."""
    return InvalidSignature(message, fault=Fault.MALFORMED)


def _in_header(request: Request) -> Iterator[_Parameter]:
    """Those of the Authorization header; none if it has another scheme: the signature may stand elsewhere."""
    values = request.headers.get_all("authorization")
    if len(values) > 1:
        raise malformed("there are two Authorization headers")
    for scheme, _, rest in (value.partition(" ") for value in values):
        if scheme.lower() == "oauth":
            yield from _fields(Secret(rest.strip(" \t,")))


def _fields(header: Secret) -> Iterator[_Parameter]:
    position = 0
    while position < len(header):
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


def _split(place: str, encoded: Secret) -> tuple[list[_Parameter], Secret]:
    """The protocol parameters of a query or form, and what is left of it."""
    if not _ENCODED.fullmatch(encoded):
        raise malformed(f"{place} holds characters that are not percent-encoded, or a `%` without two hex digits")
    found: list[_Parameter] = []
    rest: list[Secret] = []
    for piece in map(Secret, encoded.split("&")):
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
