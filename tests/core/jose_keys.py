"""Keys for the tests of what is signed by one, each made once."""

from __future__ import annotations

import json
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from sansauth.oauth2.keys import ALGORITHMS, base64url, signing_key

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
ASYMMETRIC = [name for name, algorithm in ALGORITHMS.items() if algorithm.kty != "oct"]
USUAL = ["RS256", "ES256", "ES384", "ES512", "EdDSA"]  # what a key signs by if nothing else is said


def pem_of(key: object, password: bytes | None = None) -> str:
    cipher = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, private, cipher).decode()  # type: ignore[attr-defined, no-any-return]


@cache
def rsa_pem(bits: int = 2048) -> str:
    return pem_of(rsa.generate_private_key(public_exponent=65537, key_size=bits))


@cache
def pem_for(algorithm: str, which: int = 0) -> str:
    """A private key for an algorithm; `which` tells one from another of the same kind."""
    del which
    if algorithm in CURVES:
        return pem_of(ec.generate_private_key(CURVES[algorithm]))
    if algorithm == "Ed448":
        return pem_of(ed448.Ed448PrivateKey.generate())
    if algorithm == "EdDSA":
        return pem_of(ed25519.Ed25519PrivateKey.generate())
    return pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@cache
def private_jwk(algorithm: str) -> str:
    """A private JWK for any algorithm, with its `alg`."""
    from jwt.algorithms import get_default_algorithms

    usual = "RS256" if algorithm[0] in "PR" else {"Ed25519": "EdDSA"}.get(algorithm, algorithm)
    signer = signing_key(pem_for(usual))
    jwk = json.loads(get_default_algorithms()[usual].to_jwk(signer.key))
    if isinstance(signer.key, ec.EllipticCurvePrivateKey):  # at full size, which PyJWT 2.8 does not keep
        scalar, size = signer.key.private_numbers().private_value, (signer.key.curve.key_size + 7) // 8
        jwk["d"] = base64url(scalar.to_bytes(size, "big"))
    return json.dumps({**jwk, **signer.public_jwk, "alg": algorithm})


def public_jwk(private: str, **members: object) -> dict[str, object]:
    """What a service publishes of a private key."""
    return {**signing_key(private).public_jwk, **members}
