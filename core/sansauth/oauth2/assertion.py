"""Assertions: signed statements of who a client is, or of whom it acts for (RFC 7521, RFC 7523). Extra `jose`."""

from __future__ import annotations

from collections.abc import Mapping

from sansauth.env import Env
from sansauth.errors import InvalidParameter
from sansauth.identity import OAuth2Client
from sansauth.oauth2.jws import sign_jwt
from sansauth.oauth2.keys import SigningKey, secret_key, signing_key
from sansauth.provider import Provider
from sansauth.secret import Secret

__all__ = ["LIFETIME_SECONDS", "bearer_assertion", "client_assertion"]

LIFETIME_SECONDS = 60  # an assertion is used at once, and then of no use to whoever finds it


def client_assertion(client: OAuth2Client, provider: Provider, env: Env, endpoint: str | None = None) -> Secret:
    """The assertion by which a client authenticates: its secret signs ("client_secret_jwt"), or its private key does.

    RFC 7523 section 3 and OpenID Connect Core 1.0 section 9. Its audience is one text, by default the service's issuer
    if that is known, so that no other service can use it (RFC 9700 section 2.5), else the token endpoint; see
    `Quirks.assertion_audience`. `endpoint` is the URL that it is sent to, the token endpoint unless it is given.
    `WrongIdentity` for a key that cannot be read.
    """
    if client.auth == "client_secret_jwt":
        key = secret_key(client.client_secret or "")
    else:
        key = signing_key(client.private_key or "")
    audience = _audience(provider, endpoint)
    claims = _claims(client.client_id, client.client_id, audience, env, LIFETIME_SECONDS)
    return sign_jwt(claims, key, _key_id(client.key_id, key))


def bearer_assertion(
    issuer: str,
    subject: str,
    audience: str,
    private_key: str,
    *,
    env: Env,
    key_id: str | None = None,
    lifetime: int = LIFETIME_SECONDS,
    further: Mapping[str, object] | None = None,
) -> Secret:
    """An assertion to be traded by `grant_by_jwt`: `issuer` vouches that the client may act for `subject` (RFC 7523).

    `private_key` is the issuer's, PEM or a JWK as JSON text, and `key_id` names it; `audience` is the service's issuer
    or its token endpoint, `lifetime` is in seconds. `further` are claims that the service wants besides, such as
    `{"scope": ...}`. `WrongIdentity` for a key that cannot be read.
    """
    private_key = Secret(private_key)
    claims = _claims(issuer, subject, audience, env, lifetime)
    if clash := sorted(claims.keys() & (further or {}).keys()):
        raise InvalidParameter(f"further= holds claims that have an argument of their own: {', '.join(clash)}")
    key = signing_key(private_key)
    return sign_jwt({**claims, **(further or {})}, key, _key_id(key_id, key))


def _audience(provider: Provider, endpoint: str | None) -> str:
    match provider.quirks.assertion_audience:
        case "issuer":
            return provider.issuer or provider.endpoint("token")
        case "token_endpoint":
            return provider.endpoint("token")
        case "endpoint":
            return endpoint or provider.endpoint("token")
        case audience:
            return audience


def _claims(issuer: str, subject: str, audience: str, env: Env, lifetime: int) -> dict[str, object]:
    """RFC 7523 section 3."""
    now = env.timestamp()
    named = {"iss": issuer, "sub": subject, "aud": audience}
    return {**named, "iat": now, "exp": now + lifetime, "jti": env.nonce()}


def _key_id(given: str | None, key: SigningKey) -> dict[str, object]:
    key_id = given or key.key_id
    return {} if key_id is None else {"kid": key_id}
