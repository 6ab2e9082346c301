"""Keys and the algorithms that sign by them (RFC 7517, RFC 7518): read from PEM or JWK, by PyJWT and cryptography.

Both come with the extra `jose` and are imported when the first key is used, not with this module.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

from sansauth.errors import LocalProtocolError, WrongIdentity
from sansauth.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from jwt.algorithms import Algorithm as Signer

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "SigningKey",
    "base64url",
    "from_base64url",
    "generated_key",
    "is_signed",
    "public_key",
    "public_members",
    "require_jose",
    "secret_key",
    "signing_key",
    "thumbprint",
]

KEYS = 16  # private keys kept as read: to read one, and check that it is one, takes milliseconds
RSA_BITS = 2048  # at least (RFC 7518 section 3.3)
SCALAR_BYTES = (
    48  # of entropy for a key of 256 bits: with 128 more, no scalar is likelier than another (FIPS 186-5, A.2.1)
)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # SEC 2, section 2.4.2

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class Algorithm(NamedTuple):
    """One algorithm of RFC 7518 section 3.1: the type and curve of its keys, its hash, and PyJWT's name for it.

    Two names of one algorithm are equal here.
    """

    kty: str
    crv: str | None
    hash: str
    signer: str


# "none" is none of them.
ALGORITHMS: dict[str, Algorithm] = {
    **{f"HS{bits}": Algorithm("oct", None, f"sha{bits}", f"HS{bits}") for bits in (256, 384, 512)},
    **{f"RS{bits}": Algorithm("RSA", None, f"sha{bits}", f"RS{bits}") for bits in (256, 384, 512)},
    **{f"PS{bits}": Algorithm("RSA", None, f"sha{bits}", f"PS{bits}") for bits in (256, 384, 512)},
    "ES256": Algorithm("EC", "P-256", "sha256", "ES256"),
    "ES384": Algorithm("EC", "P-384", "sha384", "ES384"),
    "ES512": Algorithm("EC", "P-521", "sha512", "ES512"),
    # RFC 8037, and what RFC 9864 section 2.2 calls the same; the hash is the one inside of Ed25519.
    **dict.fromkeys(("EdDSA", "Ed25519"), Algorithm("OKP", "Ed25519", "sha512", "EdDSA")),
}

# What identifies a key of each type, and no more (RFC 7638 section 3.2, RFC 8037 section 2).
_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
_USUAL: dict[tuple[str, str | None], str] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("EC", "P-521"): "ES512",
    ("OKP", "Ed25519"): "EdDSA",
}
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_READERS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}  # by type: an algorithm of PyJWT's that reads its JWKs


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key, or a shared secret, and the algorithm that it signs by.

    `public_jwk` is its public half with the required members only, empty for a shared secret; `key_id` is the `kid`
    that its JWK had.
    """

    algorithm: str
    key: object
    public_jwk: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    key_id: str | None = None

    def sign(self, message: bytes) -> bytes:
        """The signature as a JWS holds it (RFC 7518 section 3)."""
        return _signers()[ALGORITHMS[self.algorithm].signer].sign(message, self.key)

    def __repr__(self) -> str:
        return f"SigningKey({self.algorithm!r})"


def signing_key(text: str) -> SigningKey:
    """Read a private key: unencrypted PEM, or a JWK as JSON text.

    RSA signs by RS256, P-256 by ES256, P-384 by ES384, P-521 by ES512, Ed25519 by EdDSA, unless the JWK names another
    `alg` that fits. `WrongIdentity`, which shows nothing of it, for what is no such key.
    """
    text = Secret(text)
    key = _read_private(text)
    if isinstance(key, str):
        raise WrongIdentity(key)
    return key


def secret_key(secret: str) -> SigningKey:
    """A shared secret, which signs by HS256 with its UTF-8 text (OpenID Connect Core 1.0 section 10.1)."""
    return SigningKey("HS256", secret.encode())


def generated_key(entropy: Callable[[int], bytes]) -> Secret:
    """A new P-256 key from `entropy`, as a JWK in JSON: one draw always makes a key, so nothing has to be rejected."""
    _signers()  # before there is a secret in this frame: this may raise
    scalar = int.from_bytes(entropy(SCALAR_BYTES), "big") % (P256_ORDER - 1) + 1
    return Secret(json.dumps({**_derive_p256(scalar), "d": _integer(scalar, 32)}, separators=(",", ":")))


def public_key(jwk: Mapping[str, object]) -> object | None:
    """The public key that a JWK describes, its private half left aside; None if it is no key that can be used."""
    members = public_members(jwk)
    key = None if members is None else _from_jwk(members)
    if key is None or _bits(key) < RSA_BITS:
        return None
    return key


def public_members(jwk: Mapping[str, object]) -> dict[str, str] | None:
    """The members that identify the key of a JWK, in lexical order; None if one is missing, or no text."""
    kty = jwk.get("kty")
    names = _MEMBERS.get(kty, ()) if isinstance(kty, str) else ()
    members = {name: value for name in names if isinstance(value := jwk.get(name), str)}
    return members if members and len(members) == len(names) else None


def thumbprint(jwk: Mapping[str, object]) -> str:
    """The SHA-256 thumbprint of a key (RFC 7638 section 3); `LocalProtocolError` for what is no public key."""
    members = public_members(jwk)
    if members is None:
        raise LocalProtocolError("only a JWK with all the members of an RSA, EC or OKP key has a thumbprint")
    return base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def is_signed(message: bytes, signature: bytes, algorithm: str, key: object) -> bool:
    """Whether `key` made the signature, by the algorithm; `key` is one for it, a secret's bytes for HS256."""
    return _signers()[ALGORITHMS[algorithm].signer].verify(message, key, signature)


def base64url(data: bytes) -> str:
    """Without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes | None:
    """Undo `base64url`; None for what it does not write, so that one text alone stands for some bytes."""
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return data if base64url(data) == text else None


def require_jose() -> None:
    """`LocalProtocolError`, which says what to install, where PyJWT or cryptography is missing."""
    try:
        from jwt.algorithms import has_crypto

        if not has_crypto:
            raise ImportError
    except ImportError:
        raise LocalProtocolError(
            "signing and reading JWTs needs the extra `jose`: pip install 'sansauth[jose]'"
        ) from None


@functools.lru_cache(maxsize=1)
def _signers() -> Mapping[str, Signer]:
    require_jose()
    from jwt.algorithms import get_default_algorithms

    return get_default_algorithms()


@functools.lru_cache(maxsize=KEYS)
def _read_private(text: str) -> SigningKey | str:
    """The key, or what is wrong with it: raised by the caller, so that no traceback leads here."""
    _signers()
    jwk = _read_jwk(text)
    key = _from_pem(text) if jwk is None else _from_jwk(jwk)
    public = None if key is None else _public_half(key)
    if public is None:
        return "the private key is neither unencrypted PEM (-----BEGIN PRIVATE KEY-----) nor a private JWK as JSON text"
    kind = public["kty"], public.get("crv")
    if kind not in _USUAL:
        return f"the private key is of a kind that is not used here: {kind[0]} {kind[1] or ''}".rstrip()
    if _bits(key) < RSA_BITS:
        return f"the private RSA key is shorter than the {RSA_BITS} bits that RFC 7518 section 3.3 asks for"
    named = str((jwk or {}).get("alg", _USUAL[kind]))
    if named not in ALGORITHMS or ALGORITHMS[named][:2] != kind:
        return "the private JWK names an alg that does not fit its kind of key"
    key_id = (jwk or {}).get("kid")
    return SigningKey(named, key, public, None if key_id is None else str(key_id))


def _read_jwk(text: str) -> dict[str, str] | None:
    try:
        document = cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    members = cast("dict[str, object]", document)
    return {name: Secret(value) for name, value in members.items() if isinstance(value, str)}


def _from_jwk(jwk: Mapping[str, str]) -> PrivateKeyTypes | PublicKeyTypes | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from jwt.exceptions import PyJWTError

    reader = _READERS.get(jwk.get("kty", ""))
    if reader is None:
        return None
    try:
        return cast("PrivateKeyTypes | PublicKeyTypes", _signers()[reader].from_jwk(dict(jwk)))
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError):
        return None


def _from_pem(text: str) -> PrivateKeyTypes | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError is how a key with a password is told
        return None


def _bits(key: object) -> int:
    """The size of an RSA key; of any other, that it is large enough, for its curve has been looked at."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    return key.key_size if isinstance(key, (RSAPrivateKey, RSAPublicKey)) else RSA_BITS


def _public_half(key: object) -> dict[str, str] | None:
    """The public JWK of a private key, in lexical order; None for what is none. A curve of no name keeps its own."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    match key:
        case RSAPrivateKey():
            rsa = key.public_key().public_numbers()
            return {"e": _integer(rsa.e), "kty": "RSA", "n": _integer(rsa.n)}
        case EllipticCurvePrivateKey():
            point, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
            curve = _CURVES.get(key.curve.name, key.curve.name)
            return {"crv": curve, "kty": "EC", "x": _integer(point.x, size), "y": _integer(point.y, size)}
        case _:
            return _public_octets(key)


def _public_octets(key: object) -> dict[str, str] | None:
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not isinstance(key, (Ed25519PrivateKey, Ed448PrivateKey)):
        return None
    curve = "Ed25519" if isinstance(key, Ed25519PrivateKey) else "Ed448"
    return {"crv": curve, "kty": "OKP", "x": base64url(key.public_key().public_bytes_raw())}


def _derive_p256(scalar: int) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

    point = derive_private_key(scalar, SECP256R1()).public_key().public_numbers()
    return {"crv": "P-256", "kty": "EC", "x": _integer(point.x, 32), "y": _integer(point.y, 32)}


def _integer(number: int, size: int | None = None) -> str:
    """Big-endian, a coordinate at its full size (RFC 7518 sections 2 and 6.2.1.2), which not every PyJWT keeps."""
    return base64url(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))
