"""Judge the signature of a received request: oauthlib's server side does, given the secrets (RFC 5849 section 3.2).

What it asks its own clock, and what it reads otherwise than the RFC says, is judged elsewhere, before.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Protocol

from sansauth.encoding import quote
from sansauth.errors import InvalidParameter, InvalidSignature, LocalProtocolError
from sansauth.http import FORM
from sansauth.oauth1.methods import HASHES, PLAINTEXT
from sansauth.oauth1.received import Fault, SignedRequest, malformed
from sansauth.oauth1.signature import base_uri
from sansauth.secret import Secret

__all__ = ["Secrets", "check_key", "check_public_key", "is_right"]

_FOR_EVER = 10**12  # seconds: oauthlib asks the machine's clock, so it must never object; time is judged elsewhere
# PLAINTEXT may come without them (RFC 5849 section 3.1); oauthlib insists on them, and signs neither.
_STAND_INS = {"oauth_timestamp": Secret("0000000000"), "oauth_nonce": Secret("-")}


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a service keeps of a consumer and, if a token was named, of that token.

    `rsa_public_key`, PEM text, is that of a consumer that signs with a private key; with it and an empty
    `consumer_secret`, no other method is accepted of that consumer. Without it, an empty `consumer_secret` is no
    secret at all, and whoever gives one to a request gets a `LocalProtocolError`.
    """

    consumer_secret: str
    token_secret: str = ""
    rsa_public_key: str | None = None

    def __post_init__(self) -> None:
        for name in ("consumer_secret", "token_secret", "rsa_public_key"):  # somebody may put the private one there
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, Secret(getattr(self, name)))
        if not (isinstance(self.consumer_secret, Secret) and isinstance(self.token_secret, Secret)):
            # A None out of a database would become the secret `None`.
            raise InvalidParameter("Secrets takes consumer_secret and token_secret as a str, not None or bytes")
        key = self.rsa_public_key
        if key is not None and not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker
            raise InvalidParameter(f"Secrets takes rsa_public_key as a str, PEM text, not {type(key).__name__}")


def check_key(method: str, secrets: Secrets) -> None:
    """Refuse a method for which there is no key: anybody can make an HMAC with an empty secret.

    `InvalidSignature` (METHOD) where the consumer has a key for another method, `LocalProtocolError` where it has none.
    """
    if method.startswith("RSA-"):
        if secrets.rsa_public_key is None:
            raise _other_method(f"the consumer signed with {method}, and no public key of it is known")
        check_public_key(secrets.rsa_public_key)
    elif not secrets.consumer_secret:
        if secrets.rsa_public_key is not None:
            raise _other_method(f"the consumer signs with its private key, and this request came with {method}")
        raise LocalProtocolError(
            "the consumer_secret of these Secrets is empty, and whoever knows the consumer key can sign with that; is "
            "it missing where secrets are kept? A consumer without a secret is None instead of Secrets"
        )


def _other_method(message: str) -> InvalidSignature:
    return InvalidSignature(message, fault=Fault.METHOD)


@functools.lru_cache(maxsize=128)
def check_public_key(pem: str) -> None:
    """`LocalProtocolError` for what is no RSA public key: not the sender's fault, so no `InvalidSignature`."""
    try:
        importlib.import_module("jwt.algorithms")  # what oauthlib verifies with
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise LocalProtocolError("RSA signatures need the extra `jose`: pip install 'sansauth[jose]'") from None
    try:
        key: object = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise LocalProtocolError("rsa_public_key is no RSA public key in PEM (-----BEGIN PUBLIC KEY-----)")


class _Endpoint(Protocol):
    """`SignatureOnlyEndpoint` with the types that its stubs leave out."""

    def validate_request(
        self, uri: str, http_method: str, body: str, headers: dict[str, str]
    ) -> tuple[bool, object]: ...


def is_right(signed: SignedRequest, secrets: Secrets) -> bool:
    """Whether the signature is the one that these secrets make of the request: oauthlib's judgement of it alone."""
    from oauthlib.oauth1.rfc5849.signature import base_string_uri

    uri = base_uri(signed.request)
    if base_string_uri(uri) != uri:
        raise malformed(
            "the URL is one that OAuth libraries read in two ways: its path ends in `;`, or its IPv6 address is not in "
            "the short form"
        )
    # The protocol parameters go to oauthlib in the query, encoded twice, wherever they stood: it decodes `oauth_*`
    # once more in a query or form, keeps the last of two in a header, does not decode the names there, and where the
    # word realm is anywhere in a header leaves every parameter `realm` of the query unsigned.
    protocol = [f"{quote(name)}={quote(quote(value))}" for name, value in _protocol(signed).items()]
    target = Secret(f"{uri}?{'&'.join([signed.parts.query, *protocol])}")
    method, form = signed.request.method, signed.parts.form
    try:
        return _endpoint(secrets).validate_request(target, method, form, {"Content-Type": FORM})[0]
    except ValueError:  # an RSA signature that is no Base64
        return False


def _protocol(signed: SignedRequest) -> dict[str, Secret]:
    protocol = signed.parts.protocol
    if signed.method != PLAINTEXT:
        return protocol
    return protocol | {name: value for name, value in _STAND_INS.items() if not protocol.get(name)}


def _endpoint(secrets: Secrets) -> _Endpoint:
    from oauthlib.oauth1 import SignatureOnlyEndpoint

    return SignatureOnlyEndpoint(_Host(secrets))


class _Host:
    """What oauthlib asks its RequestValidator for: secrets; and yes to all that is judged elsewhere."""

    allowed_signature_methods = tuple(HASHES)
    enforce_ssl = False
    timestamp_lifetime = _FOR_EVER

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def check_client_key(self, client_key: str) -> bool:
        return True

    def check_nonce(self, nonce: str) -> bool:
        return True

    def validate_timestamp_and_nonce(self, client_key: str, timestamp: str, nonce: str, request: object) -> bool:
        return True

    def validate_client_key(self, client_key: str, request: object) -> bool:
        return True

    def get_client_secret(self, client_key: str, request: object) -> str:
        return self._secrets.consumer_secret

    def get_access_token_secret(self, client_key: str, token: str, request: object) -> str:
        return self._secrets.token_secret

    def get_rsa_key(self, client_key: str, request: object) -> str | None:
        return self._secrets.rsa_public_key
