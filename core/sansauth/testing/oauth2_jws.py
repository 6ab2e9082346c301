"""Signed tokens, verified and made with PyJWT (extra `jose`); keys as JWKs (RFC 7515, RFC 7517).

Signatures are PyJWT's work; the claims, and above all the time, are judged by who asks: PyJWT would ask its own clock.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple, cast

from sansauth.oauth2.keys import require_jose
from sansauth.secret import Secret

__all__ = ["ASYMMETRIC", "Jws", "is_public_jwk", "public_jwk", "read_jws", "thumbprint", "verifies"]

ASYMMETRIC = ("ES256", "RS256", "PS256", "EdDSA")
_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


class Jws(NamedTuple):
    """A compact JWS, not verified yet."""

    text: Secret
    header: Mapping[str, object]
    claims: Mapping[str, object]


def read_jws(text: str) -> Jws | None:
    """Header and claims; None for what is no JWT."""
    parts = text.split(".")
    header, claims = (_object(part) for part in parts[:2]) if len(parts) == 3 else (None, None)
    return None if header is None or claims is None else Jws(Secret(text), header, claims)


def verifies(jws: Jws, key: Mapping[str, object] | str, algorithms: Iterable[str]) -> bool:
    """Whether the signature is that key's, by one of these algorithms. A str is a shared secret."""
    require_jose()
    import jwt

    if "crit" in jws.header:
        return False  # RFC 7515 section 4.1.11: nothing critical is understood here, and PyJWT 2.8 does not look
    try:
        made = key.encode() if isinstance(key, str) else jwt.PyJWK(dict(key), algorithm=str(jws.header.get("alg"))).key
        jwt.PyJWS().decode(jws.text, made, algorithms=list(algorithms))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError):
        return False
    return True


def is_public_jwk(key: object) -> bool:
    """Whether this is a JWK of a kind that is known, and nothing of it is private."""
    if not isinstance(key, dict):
        return False
    members = cast("dict[str, object]", key)
    needed = _MEMBERS.get(str(members.get("kty")), ())
    return bool(needed) and all(isinstance(members.get(name), str) for name in needed) and not _PRIVATE & set(members)


def thumbprint(key: Mapping[str, object]) -> str:
    """The SHA-256 thumbprint of a public key (RFC 7638)."""
    shown = {name: key[name] for name in _MEMBERS[str(key["kty"])]}
    digest = hashlib.sha256(json.dumps(shown, separators=(",", ":"), sort_keys=True).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def public_jwk(private_key: str, key_id: str | None) -> Mapping[str, object]:
    """The public key to a private one in PEM."""
    require_jose()
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    key = load_pem_private_key(private_key.encode(), None)
    match key:
        case EllipticCurvePrivateKey():
            text = ECAlgorithm.to_jwk(key.public_key())
        case RSAPrivateKey():
            text = RSAAlgorithm.to_jwk(key.public_key())
        case Ed25519PrivateKey():
            text = OKPAlgorithm.to_jwk(key.public_key())
        case _:
            raise ValueError("a client's private key is RSA, EC or Ed25519")
    members = cast("dict[str, object]", json.loads(text))
    kept = {name: members[name] for name in _MEMBERS[str(members["kty"])]}
    return kept | ({} if key_id is None else {"kid": key_id})


def _object(part: str) -> Mapping[str, object] | None:
    try:
        read = cast("object", json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", read) if isinstance(read, dict) else None
