"""Where OAuth 2 answers: X's paths, and paths of the same kind for what X does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sansauth.http import Request, Response
from sansauth.testing import (
    oauth2_authorization,
    oauth2_device,
    oauth2_identity,
    oauth2_metadata,
    oauth2_pushed,
    oauth2_registration,
    oauth2_revocation,
    oauth2_token,
)
from sansauth.testing.oauth2_metadata import PATHS
from sansauth.testing.service import Service

__all__ = ["GET", "METADATA", "POST"]

METADATA = "/.well-known/oauth-authorization-server"
"""RFC 8414 section 3."""

_Endpoint: TypeAlias = Callable[[Service, Request], Response]

POST: dict[str, _Endpoint] = {
    PATHS["authorization_endpoint"]: oauth2_authorization.decide,
    PATHS["token_endpoint"]: oauth2_token.token,
    PATHS["revocation_endpoint"]: oauth2_revocation.revoke,
    PATHS["introspection_endpoint"]: oauth2_revocation.introspect,
    PATHS["pushed_authorization_request_endpoint"]: oauth2_pushed.push,
    PATHS["device_authorization_endpoint"]: oauth2_device.authorize_device,
    PATHS["registration_endpoint"]: oauth2_registration.register,
    PATHS["userinfo_endpoint"]: oauth2_identity.userinfo,
    oauth2_device.DEVICE_PAGE: oauth2_device.decide,
}
GET: dict[str, _Endpoint] = {
    PATHS["authorization_endpoint"]: oauth2_authorization.page,
    PATHS["userinfo_endpoint"]: oauth2_identity.userinfo,
    PATHS["jwks_uri"]: oauth2_identity.jwks,
    oauth2_device.DEVICE_PAGE: oauth2_device.page,
    METADATA: oauth2_metadata.metadata,
    "/.well-known/openid-configuration": oauth2_metadata.metadata,
}
