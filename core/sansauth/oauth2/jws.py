"""JSON Web Tokens in the compact form of a JWS (RFC 7515 section 7.1, RFC 7519): written signed, read as claimed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from sansauth.errors import RemoteProtocolError
from sansauth.oauth2.keys import SigningKey, base64url, from_base64url
from sansauth.secret import Secret

__all__ = ["Jwt", "read_jwt", "sign_jwt"]


@dataclass(frozen=True, slots=True, repr=False)
class Jwt:
    """A JWT as it claims to be: nothing of it is verified. `signed` is what its signature is of."""

    header: Mapping[str, object]
    claims: Mapping[str, object]
    signed: bytes
    signature: bytes

    def __repr__(self) -> str:
        return "Jwt(***)"


def sign_jwt(claims: Mapping[str, object], key: SigningKey, header: Mapping[str, object] | None = None) -> Secret:
    """A signed JWT; `header` adds to `typ` and `alg`, or replaces `typ`."""
    parts = ({"typ": "JWT", **(header or {}), "alg": key.algorithm}, claims)
    signed = ".".join([base64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts])
    return Secret(f"{signed}.{base64url(key.sign(signed.encode()))}")


def read_jwt(token: str, error: type[RemoteProtocolError] = RemoteProtocolError) -> Jwt:
    """Take a JWT apart, strictly: three parts of base64url, header and claims JSON objects without repeated names.

    What is none is an `error`, which shows nothing of it.
    """
    token = Secret(token)
    parts = [from_base64url(part) for part in token.split(".")]
    if len(parts) != 3 or None in parts:
        raise error("a JWT is three parts of base64url, joined by dots; this is none")
    header, claims, signature = cast("list[bytes]", parts)
    objects = _object(header), _object(claims)
    if objects[0] is None or objects[1] is None:
        which = "header" if objects[0] is None else "payload"
        raise error(f"the JWT's {which} is no JSON object, or names something twice")
    return Jwt(objects[0], objects[1], token.rpartition(".")[0].encode(), signature)


def _object(data: bytes) -> dict[str, object] | None:
    try:
        document = cast("object", json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse))
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", document) if isinstance(document, dict) else None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError  # RFC 7515 section 4: two readers could each take another of the two
    return members


def _refuse(constant: str) -> object:
    raise ValueError  # NaN and Infinity are no JSON (RFC 8259 section 6)
