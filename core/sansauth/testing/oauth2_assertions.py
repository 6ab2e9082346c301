"""JWTs that clients sign: to show who they are, and to be granted tokens (RFC 7523); judged strictly."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sansauth.http import Request
from sansauth.secret import Secret
from sansauth.testing.oauth2_answers import Refused
from sansauth.testing.oauth2_clients import RegisteredClient
from sansauth.testing.oauth2_issued import remember
from sansauth.testing.oauth2_jws import ASYMMETRIC, Jws, read_jws, verifies
from sansauth.testing.service import Service

__all__ = ["TOKEN_PATH", "check_assertion", "check_client_assertion", "number", "signed_by_keys", "use_once"]

TOKEN_PATH = "/2/oauth2/token"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST_SECONDS = 3600.0  # that an assertion may live
_TOLERANCE_SECONDS = 60.0
_HMAC = ("HS256", "HS384", "HS512")


def check_client_assertion(service: Service, request: Request, form: Mapping[str, Secret]) -> RegisteredClient:
    """The client that signed this assertion; `Refused` (invalid_client) where any of it is wrong."""
    if form.get("client_assertion_type") != _JWT_BEARER:
        raise Refused("invalid_client", f"client_assertion_type must be {_JWT_BEARER}.", 401)
    jws = read_jws(form["client_assertion"])
    client = None if jws is None else service.oauth2.clients.get(str(jws.claims.get("iss")))
    if jws is None or client is None or not _signed_by(client, jws):
        raise Refused("invalid_client", "The assertion is not signed by a client that signs.", 401)
    if jws.claims.get("sub") != client.client_id or form.get("client_id", client.client_id) != client.client_id:
        raise Refused("invalid_client", "iss, sub and client_id must be the same.", 401)
    issuer = service.issuer(request)
    endpoints = (issuer, issuer + TOKEN_PATH, request.origin + request.path)
    wrong = check_assertion(service, jws, endpoints)
    if wrong:
        raise Refused("invalid_client", wrong, 401)
    return client


def check_assertion(service: Service, jws: Jws, audiences: Collection[str]) -> str:
    """What is wrong with audience, time and jti (RFC 7523 section 3); empty if nothing is."""
    if jws.claims.get("aud") not in audiences:
        return "aud is not this server's issuer, its token endpoint or this endpoint."
    now, expires = service.now(), number(jws.claims.get("exp"))
    if expires is None or not now < expires <= now + _LONGEST_SECONDS:
        return "exp is missing, has passed or is too far ahead."
    begins = [number(jws.claims[name]) for name in ("iat", "nbf") if name in jws.claims]
    if any(one is None or one > now + _TOLERANCE_SECONDS for one in begins):
        return "iat or nbf lies ahead."
    identifier = jws.claims.get("jti")
    if not isinstance(identifier, str) or not identifier:
        return "jti is missing."
    if not use_once(service, f"{jws.claims.get('iss')} {identifier}", expires):
        return "jti was used before."
    return ""


def use_once(service: Service, identifier: str, until: float) -> bool:
    """Whether this is the first use; it is remembered until then (Unix seconds)."""
    used = service.oauth2.used
    first = service.now() >= used.get(identifier, 0.0)
    remember(used, identifier, until)
    return first


def number(value: object) -> float | None:
    """A NumericDate (RFC 7519 section 2) that is one."""
    return (
        float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12 else None
    )


def signed_by_keys(client: RegisteredClient, jws: Jws) -> bool:
    """Whether one of the client's public keys signed it; `kid` chooses, where both have one."""
    kid = jws.header.get("kid")
    fitting = [key for key in client.keys if kid is None or key.get("kid", kid) == kid]
    return any(verifies(jws, key, ASYMMETRIC) for key in fitting)


def _signed_by(client: RegisteredClient, jws: Jws) -> bool:
    if client.auth == "private_key_jwt":
        return signed_by_keys(client, jws)
    return client.auth == "client_secret_jwt" and verifies(jws, client.secret or "", _HMAC)
