"""The one encoder of query and form, and its inverse.

RFC 3986's unreserved characters are kept, every other byte of the UTF-8 text becomes %XX in upper case, a space is
%20 and never `+` (RFC 5849 section 3.6). Because the bytes that go on the wire are made by the encoder that also makes
a signature's parameters, the two cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from sansauth.errors import InvalidParameter
from sansauth.secret import Secret

__all__ = ["Params", "Value", "decode", "encode", "encoded_pairs", "quote", "requote", "unquote"]

Value: TypeAlias = "str | int | bool | None"
"""One parameter's value. True is `true`, False is `false`, None leaves the parameter out."""

Params: TypeAlias = "Mapping[str, Value | Sequence[Value]] | Iterable[tuple[str, Value]]"
"""A mapping (a sequence of values repeats its key) or pairs in the order they shall be sent."""

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

_BYTES = [chr(byte) if chr(byte) in UNRESERVED else f"%{byte:02X}" for byte in range(256)]
_UNRESERVED = re.compile(r"[A-Za-z0-9\-._~]*+").fullmatch
_HEX = re.compile(rb"%([0-9A-Fa-f]{2})")
_ISSUED = re.compile(r"%[0-9A-Fa-f]{2}|[^%]+|%", re.ASCII)
# What `encode` itself writes: no `+`, no lower-case hex, no %XX that stands for an unreserved character, one `=` a
# piece. Possessive, so that a hostile form cannot make the match backtrack.
_ENCODED = r"[A-Za-z0-9\-._~]*+(?:%(?:[0189A-F][0-9A-F]|2[0-9ABCF]|3[A-F]|40|5[BCDE]|60|7[BCDF])[A-Za-z0-9\-._~]*+)*+"
_CANONICAL = re.compile(rf"(?:{_ENCODED}(?:={_ENCODED})?+(?:&|\Z))*+")


def quote(text: str) -> str:
    """Percent-encode everything but unreserved characters (RFC 3986 section 2.3, RFC 5849 section 3.6)."""
    if _UNRESERVED(text):
        return text
    if text.isascii():
        return text.translate(_BYTES)  # the same as below in half the time: no detour over bytes
    try:
        return "".join(map(_BYTES.__getitem__, text.encode()))
    except UnicodeEncodeError:
        # `from None`: the original error carries the whole text, which may be a secret.
        raise InvalidParameter("a parameter holds a lone surrogate and cannot be encoded as UTF-8") from None


def unquote(text: str) -> bytes:
    """Undo percent-encoding, and nothing else: `+` stays `+`, a lone `%` stays `%`.

    A raw byte that is not ASCII may stand in `text` as "surrogateescape" writes it (PEP 383).
    """
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidParameter("an encoded text holds a lone surrogate, which has no UTF-8 encoding") from None
    return _HEX.sub(lambda match: bytes.fromhex(match[1].decode()), raw)


def requote(text: str) -> str:
    """Encode a value that was issued percent-encoded: `%XX` and unreserved characters stay, all else is encoded.

    X issues bearer tokens in this form (`AAAA%2FAAA%3D`) and wants them back unchanged; a `&` in one must not become a
    second parameter.
    """
    return "".join(part if len(part) == 3 and part[0] == "%" else quote(part) for part in _ISSUED.findall(text))


def encode(params: Params) -> str:
    """Encode parameters for a query or a form, in the order given."""
    return "&".join([f"{quote(name)}={quote(value)}" for name, value in _flat(params)])


_TEXT = frozenset({str, Secret})  # and no other subclass: an enum that is a str formats as its name


def decode(encoded: str) -> list[tuple[str, str]]:
    """Read a query or a form (application/x-www-form-urlencoded) into pairs, in order.

    `+` is a space, a name without `=` has an empty value, empty pieces are skipped, bytes that are not UTF-8 become
    U+FFFD.
    """
    return [(_text(name), _text(value)) for name, value in _pieces(encoded)]


def encoded_pairs(encoded: str) -> list[tuple[str, str]]:
    """Read a query or a form into pairs that are percent-encoded in the one canonical way, ready to be signed.

    Works on bytes, so that `%FF` is signed as `%FF` although it is not UTF-8 (RFC 5849 section 3.4.1.3.1).
    """
    if _CANONICAL.fullmatch(encoded):
        return _pieces(encoded)
    return [(_canonical(name), _canonical(value)) for name, value in _pieces(encoded)]


def _pieces(encoded: str) -> list[tuple[str, str]]:
    split = [piece.partition("=") for piece in encoded.split("&") if piece]
    return [(name, value) for name, _, value in split]


def _text(piece: str) -> str:
    return unquote(piece.replace("+", " ")).decode("utf-8", "replace")


def _canonical(piece: str) -> str:
    return "".join(map(_BYTES.__getitem__, unquote(piece.replace("+", " "))))


def _flat(params: Params) -> Iterable[tuple[str, str]]:
    # The casts: a mapping is an iterable too, so type checkers cannot tell it from an iterable of pairs.
    if isinstance(params, Mapping):
        pairs = cast("Iterable[tuple[str, Value | Sequence[Value]]]", cast("Mapping[str, Value]", params).items())
    else:
        pairs = cast("Iterable[tuple[str, Value | Sequence[Value]]]", params)
    for pair in pairs:
        name, value = _pair(pair)
        if type(value) in _TEXT and type(name) is str:
            yield name, cast("str", value)  # by far the most: none of what follows applies
            continue
        for one in value if isinstance(value, (list, tuple)) else (value,):
            if one is not None:
                yield _checked(name), _scalar(name, one)


def _pair(pair: tuple[str, Value | Sequence[Value]]) -> tuple[str, Value | Sequence[Value]]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameter(
            "parameters are a mapping or pairs of name and value; an encoded query belongs in the URL"
        )
    return pair


def _checked(name: str) -> str:
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise InvalidParameter(f"a parameter's name is a str, not {type(name).__name__}")
    return str.__str__(name)


def _scalar(name: str, value: object) -> str:
    match value:
        case str():
            return str.__str__(value)  # an enum that is a str formats as its name, and would be sent as that
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            raise InvalidParameter(
                f"parameter {name!r} is a {type(value).__name__}; a form takes str, int, bool, None or a list of these"
            )
