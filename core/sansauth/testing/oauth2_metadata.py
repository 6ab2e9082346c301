"""What the server says of itself: .well-known/oauth-authorization-server (RFC 8414) and openid-configuration."""

from __future__ import annotations

from typing import get_args

from sansauth.http import Request, Response
from sansauth.identity import ClientAuth
from sansauth.testing.oauth2_answers import answer
from sansauth.testing.oauth2_token import GRANT_TYPES
from sansauth.testing.service import Service

__all__ = ["PATHS", "metadata"]

PATHS = {
    "authorization_endpoint": "/i/oauth2/authorize",
    "token_endpoint": "/2/oauth2/token",
    "revocation_endpoint": "/2/oauth2/revoke",
    "introspection_endpoint": "/2/oauth2/introspect",
    "pushed_authorization_request_endpoint": "/2/oauth2/par",
    "device_authorization_endpoint": "/2/oauth2/device_authorization",
    "registration_endpoint": "/2/oauth2/register",
    "userinfo_endpoint": "/2/oauth2/userinfo",
    "jwks_uri": "/2/oauth2/jwks",
}
_ASYMMETRIC = ["ES256", "RS256", "PS256", "EdDSA"]


def metadata(service: Service, request: Request) -> Response:
    """The document of both; its issuer and URLs are of the host that the request names."""
    issuer = service.issuer(request)
    document: dict[str, object] = {"issuer": issuer}
    document |= {name: issuer + path for name, path in PATHS.items()}
    document |= {
        "scopes_supported": sorted(service.oauth2.scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(get_args(ClientAuth)),
        "token_endpoint_auth_signing_alg_values_supported": [*_ASYMMETRIC, "HS256", "HS384", "HS512"],
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": _ASYMMETRIC,
        "authorization_response_iss_parameter_supported": True,
        "require_pushed_authorization_requests": False,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "prompt_values_supported": ["none"],
    }
    return answer(200, document)
