"""POST 2/oauth2/revoke and 2/oauth2/introspect (RFC 7009, RFC 7662), judged by oauthlib."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from oauthlib.common import Request as Judged
from oauthlib.oauth2 import IntrospectEndpoint, RevocationEndpoint

from sansauth.http import Request, Response
from sansauth.testing.oauth2_answers import Refused, answer, refuse
from sansauth.testing.oauth2_client_auth import authenticate
from sansauth.testing.oauth2_clients import RegisteredClient
from sansauth.testing.oauth2_form import read_form, required, words_for_oauthlib
from sansauth.testing.oauth2_issued import AccessToken, RefreshToken
from sansauth.testing.service import Service

if TYPE_CHECKING:
    from oauthlib.oauth2 import RequestValidator

__all__ = ["introspect", "revoke"]

_URI = "https://sandbox.invalid/token"  # oauthlib reads the body only


def revoke(service: Service, request: Request) -> Response:
    """Take back a token: a refresh token with all that came of the same consent, an access token alone.

    A token that is unknown is no error (RFC 7009 section 2.2); another client's is.
    """
    try:
        form = read_form(request)
        client = authenticate(service, request, form)
        required(form, "token")
        if service.x_errors:
            required(form, "token_type_hint")
        host = cast("RequestValidator", _Host(service, client))  # it has the methods that are asked for
        RevocationEndpoint(host).create_revocation_response(_URI, body=words_for_oauthlib(form))
    except Refused as refused:
        return refuse(refused, x_words=service.x_errors)
    return answer(200, {"revoked": True})


def introspect(service: Service, request: Request) -> Response:
    """What a token is good for. For clients that authenticate only (RFC 7662 section 2.1)."""
    try:
        form = read_form(request)
        client = authenticate(service, request, form)
        if client.is_public:
            raise Refused("invalid_client", "A client must authenticate to introspect.", 401)
        required(form, "token")
        host = cast("RequestValidator", _Host(service, client, service.issuer(request)))
        _, body, _ = IntrospectEndpoint(host).create_introspect_response(_URI, body=words_for_oauthlib(form))
    except Refused as refused:
        return refuse(refused, x_words=service.x_errors)
    return answer(200, cast("dict[str, object]", json.loads(body)))


class _Host:
    """What oauthlib asks its RequestValidator for. The client has been authenticated before."""

    def __init__(self, service: Service, client: RegisteredClient, issuer: str = "") -> None:
        self._service = service
        self._issued = service.oauth2.issued
        self._client = client
        self._issuer = issuer

    def client_authentication_required(self, request: Judged) -> bool:
        return True

    def authenticate_client(self, request: Judged) -> bool:
        return True

    def revoke_token(self, token: str, token_type_hint: str | None, request: Judged) -> None:
        found = self._find(token)
        if found is None:
            return
        if found.grant.client_id != self._client.client_id:
            raise Refused("invalid_grant", "The token was issued to another client.")
        if isinstance(found, AccessToken):
            self._issued.revoke_access(found)
        else:
            self._issued.revoke_family(found.grant.family)

    def introspect_token(self, token: str, token_type_hint: str | None, request: Judged) -> dict[str, object] | None:
        found = self._find(token)
        if found is None or (isinstance(found, RefreshToken) and found.used):
            return None
        grant = found.grant
        scopes = found.scopes if isinstance(found, AccessToken) else grant.scopes
        claims: dict[str, object] = {
            "client_id": grant.client_id,
            "scope": " ".join(scopes),
            "iat": int(found.issued),
            "exp": int(found.expires),
            "iss": self._issuer,
        }
        if grant.subject is not None:
            claims |= {"sub": grant.subject, "username": self._service.screen_name}
        if isinstance(found, AccessToken):
            claims["token_type"] = "bearer" if grant.proof_key is None else "DPoP"
        if grant.proof_key is not None:
            claims["cnf"] = {"jkt": grant.proof_key}
        return claims

    def _find(self, token: str) -> AccessToken | RefreshToken | None:
        return self._issued.access(token) or self._issued.refresh(token)
