"""Who the user is: id_tokens, the keys that sign them, and GET 2/oauth2/userinfo (OpenID Connect Core 1.0)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sansauth.http import Request, Response
from sansauth.oauth2.keys import require_jose
from sansauth.secret import Secret
from sansauth.testing.oauth2_answers import answer, unauthorized
from sansauth.testing.oauth2_bearer import find_access_token, insufficient_scope
from sansauth.testing.oauth2_issued import AccessToken
from sansauth.testing.oauth2_issuing import derive
from sansauth.testing.service import Service

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["ALGORITHM", "jwks", "sign_id_token", "userinfo"]

ALGORITHM = "ES256"
_ID_TOKEN_SECONDS = 3600
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256's group
_KEPT = 2  # generations of keys that the JWKS shows: tokens that were signed before a rotation are still good


def sign_id_token(service: Service, access: AccessToken, issuer: str) -> Secret:
    """The id_token that comes with an access token (section 2)."""
    require_jose()
    import jwt

    now, generation = int(service.now()), service.oauth2.key_generation
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": access.grant.subject,
        "aud": access.grant.client_id,
        "iat": now,
        "exp": now + _ID_TOKEN_SECONDS,
        "auth_time": int(access.grant.agreed_at),
        "at_hash": _half_hash(access.token),
    }
    if access.grant.nonce is not None:
        claims["nonce"] = access.grant.nonce
    headers = {"kid": _key_id(service, generation)}
    return Secret(jwt.encode(claims, _key(service, generation), ALGORITHM, headers))


def jwks(service: Service, _: Request) -> Response:
    """GET 2/oauth2/jwks: the key that signs, and the one before."""
    generation = service.oauth2.key_generation
    shown = [_public(service, one) for one in range(generation, max(generation - _KEPT, -1), -1)]
    return answer(200, {"keys": shown})


def userinfo(service: Service, request: Request) -> Response:
    """GET and POST 2/oauth2/userinfo (section 5.3): what the scopes of the access token allow."""
    scheme, _, token = (request.headers.get("authorization") or "").partition(" ")
    found = find_access_token(service, request, scheme.lower(), token.strip())
    if found is None:
        return unauthorized("Bearer")  # RFC 6750 section 3.1: who brought nothing is told no more
    if isinstance(found, Response):
        return found
    lacking = insufficient_scope(found, "openid")
    if lacking is not None:
        return answer(403, {"error": "insufficient_scope"}, lacking)
    claims: dict[str, object] = {"sub": found.grant.subject}
    if "profile" in found.scopes:
        claims |= {"name": service.user_name, "preferred_username": service.screen_name}
    if "email" in found.scopes:
        claims |= {"email": f"{service.screen_name}@sandbox.invalid", "email_verified": True}
    return answer(200, claims)


def _half_hash(token: str) -> str:
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def _key(service: Service, generation: int) -> EllipticCurvePrivateKey:
    """The key of that generation. From the seed, so that it is the same in every run of a test."""
    require_jose()
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

    drawn = int.from_bytes(derive(service.oauth2.seed, f"id_token key {generation}", 40))
    return derive_private_key(drawn % (_ORDER - 1) + 1, SECP256R1())


def _key_id(service: Service, generation: int) -> str:
    return derive(service.oauth2.seed, f"id_token key id {generation}", 8).hex()


def _public(service: Service, generation: int) -> Mapping[str, object]:
    numbers = _key(service, generation).public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(one.to_bytes(32)).rstrip(b"=").decode() for one in (numbers.x, numbers.y))
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": x,
        "y": y,
        "kid": _key_id(service, generation),
        "use": "sig",
        "alg": ALGORITHM,
    }
