"""A tolerant reader of `Authorization: OAuth ...` (RFC 5849 section 3.5.1): it reads on, and says what is wrong.

It never quotes a value: what stands in a broken header may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sansauth.encoding import unquote
from sansauth.errors import InvalidParameter

__all__ = ["Authorization", "Field", "parse_authorization", "read_authorization"]

_NAME = r"[^\s=\",&;]++"
_FIELD = re.compile(
    rf"({_NAME})[ \t]*+=[ \t]*+"
    r"(?:\"((?:[^\"\\]++|\\.)*+)\"|'([^']*+)'|&quot;((?:(?!&quot;).)*+)&quot;|([^\s,\"&;]*+))",
    re.DOTALL,
)
_BETWEEN = re.compile(r"[\s,&;]*+")
_JUNK = re.compile(r"[^,&;\s]++")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PRINTABLE_NAME = re.compile(r"(?:oauth|x)_[a-z_]{1,40}|realm")
_KNOWN_SCHEMES = {"bearer": "Bearer", "basic": "Basic", "digest": "Digest", "oauth2": "OAuth2", "token": "Token"}


@dataclass(frozen=True, slots=True, repr=False)
class Field:
    """One parameter of the header: `raw` is what stands there, `value` what it says."""

    name: str
    raw: str
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class Authorization:
    """A header as far as it could be read; `scheme` is None if it is another than OAuth."""

    scheme: str | None
    fields: tuple[Field, ...]
    complaints: tuple[str, ...]


def read_authorization(value: str) -> list[tuple[str, str]]:
    """The parameters of an `Authorization: OAuth ...` header, decoded, in order (RFC 5849 section 3.5.1).

    Tolerant: missing quotes and commas are read over. Raises `InvalidParameter`, with what is wrong, where nothing can
    be read. `explain` says what is wrong with a header that could be read.
    """
    read = parse_authorization(value)
    if not read.fields:
        raise InvalidParameter("; ".join(read.complaints) or "the Authorization header holds no parameter")
    return [(field.name, field.value) for field in read.fields]


def parse_authorization(value: str) -> Authorization:
    """The header's parameters and everything that is wrong with its form."""
    value = re.sub(r"\A\s*authorization\s*:", "", value, flags=re.IGNORECASE).strip()
    scheme, space, rest = value.partition(" ")
    if scheme.lower() != "oauth":
        if "oauth_" not in value:
            return Authorization(None, (), (_foreign(scheme, space),))
        if "=" in scheme:
            complaint, rest = "the scheme is missing: the header begins with `OAuth `, a space after it", value
        else:
            complaint = _foreign(scheme, space)
        fields, complaints = _read_fields(rest)
        return Authorization(None, fields, (complaint, *complaints))
    return Authorization(scheme, *_read_fields(rest))


def _foreign(scheme: str, space: str) -> str:
    known = _KNOWN_SCHEMES.get(scheme.lower()) if space else None
    return f"the scheme is {known or 'another one'}, and a signed request's is OAuth"


def _read_fields(text: str) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    fields: list[Field] = []
    complaints: dict[str, None] = {}
    at = _skip(text, 0)
    if text.count('"') % 2:
        complaints["a quotation mark is not closed"] = None
    while at < len(text):
        match = _FIELD.match(text, at)
        if match is None:
            junk = _JUNK.match(text, at)
            end = junk.end() if junk else at + 1
            complaints[f'what follows {_last(fields)} is not of the form name="value"'] = None
        else:
            fields.append(_field(match, complaints))
            end = match.end()
        after = _BETWEEN.match(text, end)
        at = after.end() if after else end
        _judge_separator(text[end:at], at == len(text), _last(fields), complaints)
    return tuple(fields), tuple(complaints)


def _skip(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return match.end() if match else at


def _field(match: re.Match[str], complaints: dict[str, None]) -> Field:
    name, quoted, single, entity, bare = match.groups()
    shown = _shown(name)
    if quoted is None:
        kind = "single quotes" if single is not None else "`&quot;`" if entity is not None else "no quotes"
        complaints[f'the value of {shown} stands in {kind}; it takes double quotes: name="value"'] = None
    raw = next(text for text in (quoted, single, entity, bare) if text is not None)
    if name.lower() == "realm":  # a quoted-string, never percent-encoded (RFC 5849 section 3.5.1)
        return Field(name, raw, _ESCAPE.sub(r"\1", raw))
    return Field(_decoded(name), raw, _decoded(raw))


def _decoded(text: str) -> str:
    return unquote(text).decode("utf-8", "replace")


def _judge_separator(between: str, at_end: bool, last: str, complaints: dict[str, None]) -> None:
    marks = between.replace(" ", "").replace("\t", "")
    if at_end and marks:
        complaints["the header ends in a separator that separates nothing"] = None
    elif not at_end and marks != ",":
        said = f"`{marks[0]}`" if marks in {"&", ";"} else "several separators" if marks else "no comma"
        complaints[f"after {last} there is {said} where one comma belongs"] = None


def _last(fields: list[Field]) -> str:
    return _shown(fields[-1].name) if fields else "the scheme"


def _shown(name: str) -> str:
    return name if _PRINTABLE_NAME.fullmatch(name) else "a parameter"
