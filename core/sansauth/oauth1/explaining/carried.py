"""Which parameters a request carries, and where: what a service sees before it judges the signature."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sansauth.encoding import encoded_pairs, quote, unquote
from sansauth.http import Request
from sansauth.oauth1.explaining.authorization import Authorization, Field, parse_authorization

__all__ = ["Carried", "Param", "Source", "carried"]

Source: TypeAlias = Literal["query", "form", "header"]
"""Where a parameter stands: the URL's query, a form body, the Authorization header."""


@dataclass(frozen=True, slots=True, repr=False)
class Param:
    """One parameter. Texts are decoded; a byte that is not UTF-8 stands in them by "surrogateescape" (PEP 383)."""

    source: Source
    name: str
    value: str
    raw_name: str
    raw_value: str

    @property
    def encoded(self) -> tuple[str, str]:
        """Name and value as they are signed (RFC 5849 section 3.6)."""
        return _encode(self.name), _encode(self.value)

    @property
    def is_protocol(self) -> bool:
        """Whether it belongs to the signature and not to the call."""
        return self.source == "header" or self.name.startswith("oauth_")


@dataclass(frozen=True, slots=True, repr=False)
class Carried:
    """Everything that a signature is made of, as the request has it; `params` without the signature itself."""

    authorization: Authorization | None
    params: tuple[Param, ...]
    signatures: tuple[Param, ...]
    realm: str | None

    @property
    def is_signed(self) -> bool:
        """Whether there is a signature, or what wants to be one."""
        return self.authorization is not None or bool(self.signatures)

    def values(self, name: str) -> list[str]:
        """Every value of a parameter."""
        return [param.value for param in self.params if param.name == name]


def carried(request: Request) -> Carried:
    """Take a request apart; an Authorization field of any scheme counts as an attempt to sign."""
    fields = request.headers.get_all("authorization")
    authorization = parse_authorization(fields[0]) if fields else None
    if authorization is not None and len(fields) > 1:
        complaint = f"there are {len(fields)} Authorization fields, and a service reads one"
        authorization = Authorization(
            authorization.scheme, authorization.fields, (*authorization.complaints, complaint)
        )
    form = request.body.decode("ascii", "surrogateescape") if request.has_form else ""
    header = authorization.fields if authorization else ()
    params = [*_of_header(header), *_pieces("query", request.query), *_pieces("form", form)]
    return Carried(
        authorization,
        tuple(param for param in params if param.name != "oauth_signature"),
        tuple(param for param in params if param.name == "oauth_signature"),
        next((field.value for field in header if _is_realm(field)), None),
    )


def _is_realm(field: Field) -> bool:
    return field.name.lower() == "realm"


def _of_header(fields: Iterable[Field]) -> list[Param]:
    return [Param("header", field.name, field.value, field.name, field.raw) for field in fields if not _is_realm(field)]


def _pieces(source: Source, encoded: str) -> list[Param]:
    raw = [piece.partition("=") for piece in encoded.split("&") if piece]
    return [
        Param(source, _escaped(name), _escaped(value), raw_name, raw_value)
        for (name, value), (raw_name, _, raw_value) in zip(encoded_pairs(encoded), raw, strict=True)
    ]


def _escaped(encoded: str) -> str:
    return unquote(encoded).decode("utf-8", "surrogateescape")


def _encode(text: str) -> str:
    if text.isascii():
        return quote(text)
    return "".join(f"%{byte:02X}" if byte > 127 else quote(chr(byte)) for byte in text.encode(errors="surrogateescape"))
