"""Proofs of possession (DPoP), judged by every rule of RFC 9449 section 4.3."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import cast

from sansauth.http import Request
from sansauth.testing.oauth2_answers import Refused
from sansauth.testing.oauth2_issuing import derive
from sansauth.testing.service import Service

__all__ = ["nonce_headers", "proven_key"]

_TOLERANCE_SECONDS = 60.0
_NONCE_SECONDS = 300
"""How long a nonce is handed out; it is good for as long again."""


def proven_key(service: Service, request: Request, access_token: str | None = None) -> str | None:
    """The thumbprint of the key whose possession the request proves; None where it has no proof.

    `Refused` (invalid_dpop_proof, use_dpop_nonce) for a proof that is not for this request, this token, this moment.
    """
    proofs = request.headers.get_all("dpop")
    if not proofs:
        return None
    if len(proofs) > 1:
        raise _invalid("There is more than one DPoP header.")
    return _check(service, request, proofs[0], access_token)


def nonce_headers(service: Service) -> dict[str, str]:
    """The nonce that the next proof shall hold, where the service asks for one (section 8)."""
    return {"dpop-nonce": _nonce(service, 0)} if service.dpop_nonces else {}


def _check(service: Service, request: Request, proof: str, access_token: str | None) -> str:
    from sansauth.testing.oauth2_assertions import number, use_once
    from sansauth.testing.oauth2_jws import ASYMMETRIC, is_public_jwk, read_jws, thumbprint, verifies

    jws = read_jws(proof)
    if jws is None:
        raise _invalid("The proof is no JWT.")
    key = jws.header.get("jwk")
    if jws.header.get("typ") != "dpop+jwt" or not is_public_jwk(key):
        raise _invalid("The proof's header is not typ dpop+jwt with a public jwk.")
    public = cast("Mapping[str, object]", key)
    if not verifies(jws, public, ASYMMETRIC):
        raise _invalid("The proof is not signed by its own key.")
    if jws.claims.get("htm") != request.method or jws.claims.get("htu") != request.origin + request.path:
        raise _invalid("The proof is for another method or URL.")
    issued = number(jws.claims.get("iat"))
    if issued is None or abs(service.now() - issued) > _TOLERANCE_SECONDS:
        raise _invalid("iat is missing, or too far from this clock.")
    if access_token is not None and jws.claims.get("ath") != _hash(access_token):
        raise _invalid("ath is not the hash of the access token.")
    if service.dpop_nonces and jws.claims.get("nonce") not in (_nonce(service, 0), _nonce(service, -1)):
        raise Refused("use_dpop_nonce", "The proof must hold this nonce.", 400, nonce_headers(service))
    identifier, found = jws.claims.get("jti"), thumbprint(public)
    if not isinstance(identifier, str) or not identifier:
        raise _invalid("jti is missing.")
    if not use_once(service, f"{found} {identifier}", issued + _TOLERANCE_SECONDS):
        raise _invalid("jti was used before.")
    return found


def _invalid(description: str) -> Refused:
    return Refused("invalid_dpop_proof", description)


def _hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def _nonce(service: Service, age: int) -> str:
    window = int(service.now() // _NONCE_SECONDS) + age
    return hmac.digest(derive(service.oauth2.seed, "dpop nonce", 32), b"%d" % window, "sha256").hex()
