"""Calls with a user's OAuth 2 access token: bearer (RFC 6750), or bound to a key (RFC 9449)."""

from __future__ import annotations

from sansauth.http import Request, Response
from sansauth.testing.oauth2_answers import Refused, unauthorized
from sansauth.testing.oauth2_issued import AccessToken
from sansauth.testing.oauth2_issuing import is_access_token
from sansauth.testing.oauth2_proof import nonce_headers, proven_key
from sansauth.testing.service import Service

__all__ = ["find_access_token", "insufficient_scope"]

_ALGORITHMS = 'algs="ES256 RS256 PS256 EdDSA"'


def find_access_token(service: Service, request: Request, scheme: str, token: str) -> AccessToken | Response | None:
    """The access token that a call bears; the refusal of one that is not good; None for what is no OAuth 2 token."""
    if scheme not in {"bearer", "dpop"} or not is_access_token(token):
        return None
    found = service.oauth2.issued.access(token)
    if found is None:
        return unauthorized('Bearer error="invalid_token"' if scheme == "bearer" else _dpop("invalid_token"))
    if found.grant.proof_key is None and scheme == "bearer":
        return found
    if found.grant.proof_key is None or scheme == "bearer":
        return unauthorized(_dpop("invalid_token"))  # RFC 9449 section 7.2: bound tokens are no bearer tokens
    try:
        key = proven_key(service, request, token)
    except Refused as refused:
        return unauthorized(_dpop(refused.error), refused.headers)
    return found if key == found.grant.proof_key else unauthorized(_dpop("invalid_dpop_proof"), nonce_headers(service))


def insufficient_scope(token: AccessToken, *scopes: str) -> dict[str, str] | None:
    """The challenge of a call whose token lacks one of the scopes; None if it has them.

    Of the scheme that the token goes by (RFC 6750 section 3.1, RFC 9449 section 7.1).
    """
    if set(scopes) <= set(token.scopes):
        return None
    lacking = f'error="insufficient_scope", scope="{" ".join(scopes)}"'
    bound = token.grant.proof_key is not None
    return {"www-authenticate": f"DPoP {lacking}, {_ALGORITHMS}" if bound else f"Bearer {lacking}"}


def _dpop(error: str) -> str:
    return f'DPoP error="{error}", {_ALGORITHMS}'
