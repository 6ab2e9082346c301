"""Verify a signed request, for those who receive one (RFC 5849 section 3.2).

oauthlib's server side judges the signature; what it asks its own clock, and what it reads otherwise than the RFC says,
is judged here before.
"""

from __future__ import annotations

import functools
import hmac
import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sansauth.encoding import quote
from sansauth.errors import InvalidParameter, InvalidSignature, LocalProtocolError
from sansauth.http import FORM, Request
from sansauth.oauth1.methods import HASHES, PLAINTEXT, body_hash
from sansauth.oauth1.received import WITH_SIGNATURE, Fault, Received, malformed, read
from sansauth.oauth1.signature import base_uri
from sansauth.secret import Secret

__all__ = ["METHODS", "TOLERANCE_SECONDS", "Fault", "Nonce", "Secrets", "Verified", "verify"]

TOLERANCE_SECONDS = 300.0
"""By how much a timestamp may differ from the clock, unless the caller says otherwise."""

METHODS = tuple(method for method in HASHES if method != PLAINTEXT)
"""The methods that are accepted unless the caller says otherwise: those that sign the request."""

_FOR_EVER = 10**12  # seconds: oauthlib asks the machine's clock, so it must never object; time is judged here
_TIMESTAMP_DIGITS = 10  # oauthlib's rule: the years 2001 to 2286


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a service keeps of a consumer and, if a token was named, of that token.

    `rsa_public_key`, PEM text, is that of a consumer that signs with a private key; with it and an empty
    `consumer_secret`, no other method is accepted of that consumer.
    """

    consumer_secret: str
    token_secret: str = ""
    rsa_public_key: str | None = None

    def __post_init__(self) -> None:
        for name in ("consumer_secret", "token_secret"):
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, Secret(getattr(self, name)))
        if not (isinstance(self.consumer_secret, Secret) and isinstance(self.token_secret, Secret)):
            # A None out of a database would become the secret `None`.
            raise InvalidParameter("Secrets takes consumer_secret and token_secret as a str, not None or bytes")


class Nonce(NamedTuple):
    """What must not come twice (RFC 5849 section 3.3). `token` is None where none was named; Unix seconds."""

    consumer_key: str
    token: str | None
    timestamp: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Who signed a request, and when. `token` is None for a consumer alone; `timestamp` is in Unix seconds.

    `extra` are the further `oauth_*` parameters, decoded, such as oauth_callback, oauth_verifier, oauth_body_hash.
    """

    consumer_key: str
    token: str | None
    method: str
    timestamp: int
    nonce: str = field(repr=False)
    extra: Mapping[str, str] = field(hash=False)


def verify(
    request: Request,
    find_secrets: Callable[[str, str | None], Secrets | None],
    seen_nonce: Callable[[Nonce], bool],
    now: float,
    *,
    tolerance: float = TOLERANCE_SECONDS,
    methods: Collection[str] = METHODS,
) -> Verified:
    """Who signed this request; `InvalidSignature` if nobody did, or if it is not what was signed (RFC 5849, 3.2).

    `find_secrets(consumer_key, token)` gives the secrets, or None for a key or token that is unknown; the token is None
    where the request names none. `seen_nonce` records a nonce and says whether it was there before; it is asked last,
    so that a refused request uses up nothing. It need not keep one for longer than twice the tolerance. `now` is Unix
    time and `tolerance` the seconds by which a timestamp may differ from it. PLAINTEXT must be named in `methods`, and
    is accepted over https or on this machine only.

    The URL must be the one the client called: behind a proxy, rebuild scheme and host first. Query, form and
    `oauth_body_hash` are checked; a body that is no form and comes without that hash is not signed at all.

    The error's message and its `fault` say which part is wrong; they are for your log, and a stranger is told no more
    than 401. oauthlib itself logs the base string of a wrong signature, at level DEBUG.
    """
    received = read(request)
    protocol = received.protocol
    method = _method(request, protocol, methods)
    timestamp = _timestamp(protocol["oauth_timestamp"], now, tolerance)
    consumer_key, token = str(protocol["oauth_consumer_key"]), protocol.get("oauth_token") or None
    secrets = _secrets(find_secrets, consumer_key, token)
    _check_key(method, secrets)
    if not _is_right(request, received, secrets):
        raise InvalidSignature(
            "the signature is not the one that these secrets make of this method, URL and parameters: the request was "
            "changed on the way, was signed for another URL, or a secret differs",
            fault=Fault.SIGNATURE,
        )
    _check_body(request, method, protocol.get("oauth_body_hash"))
    nonce = str(protocol["oauth_nonce"])
    if seen_nonce(Nonce(consumer_key, token, timestamp, nonce)):
        raise InvalidSignature("the nonce was used before: the request was sent twice", fault=Fault.NONCE)
    extra = {name: value for name, value in protocol.items() if name not in WITH_SIGNATURE | {"oauth_token"}}
    return Verified(consumer_key, token, method, timestamp, nonce, extra)


def _method(request: Request, protocol: Mapping[str, str], methods: Collection[str]) -> str:
    if not set(methods) <= HASHES.keys():  # a str too: its characters are no methods
        raise InvalidParameter(f"methods is a collection of names out of {', '.join(HASHES)}")
    method = str(protocol["oauth_signature_method"])
    if method not in methods:
        raise _other_method(f"the signature method {method!r:.40} is not one of {', '.join(methods)}")
    if method == PLAINTEXT and request.scheme == "http" and not request.parsed.is_loopback:
        raise _other_method("PLAINTEXT showed its secrets to everybody on the way: it is accepted over https only")
    version = protocol.get("oauth_version", "1.0")
    if version != "1.0":
        raise _other_method(f"oauth_version is 1.0 or left out, not {version!s:.40}")
    return method


def _timestamp(text: str, now: float, tolerance: float) -> int:
    # ASCII, because int() reads the digits of every script.
    if not (len(text) == _TIMESTAMP_DIGITS and text.isascii() and text.isdigit()):
        raise InvalidSignature("oauth_timestamp is not Unix time in seconds, ten digits", fault=Fault.TIMESTAMP)
    timestamp = int(text)
    if not abs(now - timestamp) <= tolerance:
        raise InvalidSignature(
            f"the timestamp is {timestamp - now:+.0f} seconds from this clock; at most {tolerance:.0f} are accepted",
            fault=Fault.TIMESTAMP,
        )
    return timestamp


def _secrets(
    find_secrets: Callable[[str, str | None], Secrets | None], consumer_key: str, token: str | None
) -> Secrets:
    secrets = find_secrets(consumer_key, token)
    if secrets is not None:
        return secrets
    if token is None or find_secrets(consumer_key, None) is None:
        raise InvalidSignature("there is no such consumer key", fault=Fault.UNKNOWN_CONSUMER)
    raise InvalidSignature("there is no such token of that consumer", fault=Fault.UNKNOWN_TOKEN)


def _check_key(method: str, secrets: Secrets) -> None:
    """Refuse a method for which there is no key: anybody can make an HMAC with an empty secret."""
    if method.startswith("RSA-"):
        if secrets.rsa_public_key is None:
            raise _other_method(f"the consumer signed with {method}, and no public key of it is known")
        _check_public_key(secrets.rsa_public_key)
    elif secrets.rsa_public_key is not None and not secrets.consumer_secret:
        raise _other_method(f"the consumer signs with its private key, and this request came with {method}")


def _other_method(message: str) -> InvalidSignature:
    return InvalidSignature(message, fault=Fault.METHOD)


@functools.lru_cache(maxsize=128)
def _check_public_key(pem: str) -> None:
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


def _check_body(request: Request, method: str, claimed: str | None) -> None:
    if claimed is None:
        return
    if request.has_form:
        raise malformed("oauth_body_hash does not belong to a form, which is signed itself (Body Hash, section 3.1)")
    if not hmac.compare_digest(claimed.encode(), body_hash(request.body, method).encode()):
        raise InvalidSignature(
            "the body is not the one that was signed: oauth_body_hash differs", fault=Fault.BODY_HASH
        )


class _Endpoint(Protocol):
    """`SignatureOnlyEndpoint` with the types that its stubs leave out."""

    def validate_request(
        self, uri: str, http_method: str, body: str, headers: dict[str, str]
    ) -> tuple[bool, object]: ...


def _is_right(request: Request, received: Received, secrets: Secrets) -> bool:
    """oauthlib's judgement of the signature alone."""
    from oauthlib.oauth1.rfc5849.signature import base_string_uri

    uri = base_uri(request)
    if base_string_uri(uri) != uri:
        raise malformed(
            "the URL is one that OAuth libraries read in two ways: its path ends in `;`, or its IPv6 address is not in "
            "the short form"
        )
    # The protocol parameters go to oauthlib in the query, encoded twice, wherever they stood: it decodes `oauth_*`
    # once more in a query or form, keeps the last of two in a header, does not decode the names there, and where the
    # word realm is anywhere in a header leaves every parameter `realm` of the query unsigned.
    protocol = [f"{quote(name)}={quote(quote(value))}" for name, value in received.protocol.items()]
    target = Secret(f"{uri}?{'&'.join([received.query, *protocol])}")
    try:
        return _endpoint(secrets).validate_request(target, request.method, received.form, {"Content-Type": FORM})[0]
    except ValueError:  # an RSA signature that is no Base64
        return False


def _endpoint(secrets: Secrets) -> _Endpoint:
    from oauthlib.oauth1 import SignatureOnlyEndpoint

    return SignatureOnlyEndpoint(_Host(secrets))


class _Host:
    """What oauthlib asks its RequestValidator for: secrets; and yes to all that is judged here."""

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
