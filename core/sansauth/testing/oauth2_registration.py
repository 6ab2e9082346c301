"""POST 2/oauth2/register: a client that registers itself (RFC 7591)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from sansauth.errors import RemoteProtocolError
from sansauth.http import JSON, Request, Response
from sansauth.identity import ClientAuth
from sansauth.secret import Secret
from sansauth.testing.oauth2_answers import Refused, answer, refuse
from sansauth.testing.oauth2_clients import RegisteredClient, is_redirect_uri
from sansauth.testing.oauth2_issued import remember
from sansauth.testing.oauth2_issuing import derive, issue_client_id
from sansauth.testing.oauth2_jws import is_public_jwk
from sansauth.testing.service import Service

__all__ = ["register"]

_BY_KEY = "private_key_jwt"


def register(service: Service, request: Request) -> Response:
    """Client id and, where the client authenticates by one, a secret. Anybody may register."""
    try:
        wanted = _read(request)
        auth = _auth(wanted)
        uris = _redirect_uris(wanted)
        keys = _keys(wanted, auth)
    except Refused as refused:
        return refuse(refused, x_words=False)
    server = service.oauth2
    number = server.issued.count()
    client_id = issue_client_id(server.seed, f"registered {number}")
    secret = (
        Secret(derive(server.seed, f"registered secret {number}", 25).hex()) if auth.startswith("client_") else None
    )
    remember(server.clients, client_id, RegisteredClient(client_id, auth, secret, uris, keys))
    shown: dict[str, object] = {
        "client_id": client_id,
        "client_id_issued_at": int(service.now()),
        "token_endpoint_auth_method": auth,
        "redirect_uris": list(uris),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    if secret is not None:
        shown |= {"client_secret": secret, "client_secret_expires_at": 0}
    if keys:
        shown["jwks"] = {"keys": list(keys)}
    return answer(201, shown)


def _read(request: Request) -> Mapping[str, object]:
    try:
        read = Response(200, request.headers, request.body).json()
    except RemoteProtocolError:
        read = None
    if not isinstance(read, dict) or (request.headers.get("content-type") or "").partition(";")[0].strip() != JSON:
        raise Refused("invalid_client_metadata", "The body is a JSON object, and says so.")
    return cast("dict[str, object]", read)


def _auth(wanted: Mapping[str, object]) -> ClientAuth:
    asked = wanted.get("token_endpoint_auth_method", "client_secret_basic")  # RFC 7591 section 2
    for auth in cast("tuple[ClientAuth, ...]", get_args(ClientAuth)):
        if asked == auth:
            return auth
    raise Refused("invalid_client_metadata", "token_endpoint_auth_method is not one that is supported.")


def _redirect_uris(wanted: Mapping[str, object]) -> tuple[str, ...]:
    given = wanted.get("redirect_uris")
    if not isinstance(given, list) or not given:
        raise Refused("invalid_redirect_uri", "redirect_uris is a list of at least one.")
    uris = [uri for uri in cast("list[object]", given) if isinstance(uri, str) and is_redirect_uri(uri)]
    if len(uris) != len(cast("list[object]", given)):
        raise Refused("invalid_redirect_uri", "One of the redirect_uris is none that is allowed.")
    return tuple(uris)


def _keys(wanted: Mapping[str, object], auth: ClientAuth) -> tuple[Mapping[str, object], ...]:
    jwks = wanted.get("jwks", {"keys": []})
    named = cast("dict[str, object]", jwks).get("keys") if isinstance(jwks, dict) else None
    given = cast("list[object]", named) if isinstance(named, list) else [None]
    keys = tuple(cast("Mapping[str, object]", key) for key in given if is_public_jwk(key))
    if len(keys) != len(given) or (auth == _BY_KEY and not keys):
        raise Refused("invalid_client_metadata", "jwks holds public keys, at least one for private_key_jwt.")
    return keys
