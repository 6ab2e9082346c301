"""The signature methods: each makes a function from base string to signature, once per identity (RFC 5849, 3.4).

HMAC-SHA1, RSA-SHA1 and PLAINTEXT are the RFC's; HMAC and RSA with SHA-256 and SHA-512 are what services that dropped
SHA-1 made of them.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from sansauth.encoding import quote
from sansauth.errors import InvalidParameter, LocalProtocolError, WrongIdentity
from sansauth.identity import App
from sansauth.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["HASHES", "PLAINTEXT", "Signature", "body_hash", "shared_key", "signature_method"]

Signature: TypeAlias = Callable[[str], str]
"""From base string to signature, as the signature stands before it is percent-encoded."""

PLAINTEXT = "PLAINTEXT"
KEYS = 16  # private keys kept as read: to read one, and check that it is one, takes milliseconds

HASHES = {
    "HMAC-SHA1": "sha1",
    "HMAC-SHA256": "sha256",
    "HMAC-SHA512": "sha512",
    "RSA-SHA1": "sha1",
    "RSA-SHA256": "sha256",
    "RSA-SHA512": "sha512",
    PLAINTEXT: "sha1",  # of its body hash; the signature itself has none
}
"""Method to hash."""

_INNER = bytes(byte ^ 0x36 for byte in range(256))  # RFC 2104 section 2: ipad and opad
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


_PATH = re.compile(r"[~./\\].*|[A-Za-z]:\\.*|.*\.(?:pem|key|p8|der|txt)")


def signature_method(method: str, app: App, token_secret: str) -> Signature:
    """The signature of `method` for the application's secret or private key and the token's secret.

    Raises `InvalidParameter` for a method there is none of, `WrongIdentity` for an RSA method and an application
    without a private key.
    """
    algorithm = _hash_of(method)
    if method.startswith("RSA-"):
        return _rsa(app, algorithm)
    if method == PLAINTEXT:
        return _plaintext(shared_key(app.consumer_secret, token_secret))
    return _hmac(shared_key(app.consumer_secret, token_secret), algorithm)


def shared_key(consumer_secret: str, token_secret: str) -> Secret:
    """The key of HMAC, and the signature of PLAINTEXT (RFC 5849, 3.4.2 and 3.4.4); without a token the `&` stays."""
    return Secret(f"{quote(consumer_secret)}&{quote(token_secret)}")


def body_hash(body: bytes, method: str = "HMAC-SHA1") -> str:
    """The value of `oauth_body_hash` for a body that is no form (OAuth Request Body Hash 1.0, section 3.2)."""
    if not isinstance(body, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise InvalidParameter(f"the body that is hashed is bytes, not {type(body).__name__}")
    return _base64(hashlib.new(_hash_of(method), body).digest())


def _hash_of(method: str) -> str:
    if method not in HASHES:
        raise InvalidParameter(f"signature method {method!r:.40} is not one of {', '.join(HASHES)}")
    return HASHES[method]


def _hmac(key: Secret, algorithm: str) -> Signature:
    """HMAC (RFC 2104) with the key hashed in beforehand: half the time of hashing it in for each signature."""
    size = hashlib.new(algorithm).block_size
    block = (hashlib.new(algorithm, key.encode()).digest() if len(key) > size else key.encode()).ljust(size, b"\0")
    inner = hashlib.new(algorithm, block.translate(_INNER))
    outer = hashlib.new(algorithm, block.translate(_OUTER))

    def sign(base_string: str) -> str:
        message = inner.copy()
        message.update(base_string.encode())
        digest = outer.copy()
        digest.update(message.digest())
        return _base64(digest.digest())

    return sign


def _plaintext(key: Secret) -> Signature:
    def sign(base_string: str) -> str:
        del base_string
        return key

    return sign


def _rsa(app: App, algorithm: str) -> Signature:
    """RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2); the token's secret plays no part (RFC 5849 section 3.4.3)."""
    if app.rsa_private_key is None:
        raise WrongIdentity("an RSA signature needs App(..., rsa_private_key=...), a private key as PEM text")
    key = _private_key(app.rsa_private_key)
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    chosen: hashes.HashAlgorithm = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha512": hashes.SHA512()}[
        algorithm
    ]

    def sign(base_string: str) -> str:
        return _base64(key.sign(base_string.encode(), PKCS1v15(), chosen))

    return sign


@functools.lru_cache(maxsize=KEYS)
def _private_key(pem: str) -> RSAPrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise LocalProtocolError("RSA signatures need the extra `jose`: pip install 'sansauth[jose]'") from None
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # `from None`: what could not be read is a secret. TypeError is how a key with a password is told.
        raise WrongIdentity(
            f"rsa_private_key is no unencrypted private key in PEM (-----BEGIN PRIVATE KEY-----){_hint(pem)}"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise WrongIdentity("rsa_private_key is a private key of another kind than RSA")
    return key


def _hint(pem: str) -> str:
    """What probably happened to a PEM text; without any of it."""
    if "\\n" in pem:
        return r"; it holds the two characters \n where line breaks belong, as environment variables do: undo that"
    if "-----" not in pem and _PATH.fullmatch(pem):
        return "; it looks like the path of a file: give the text that the file holds"
    return ""


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
