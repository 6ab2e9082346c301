"""Who a client is: one way for each, exactly the one it is registered with (RFC 6749 section 2.3)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from sansauth.encoding import unquote
from sansauth.http import Request
from sansauth.identity import ClientAuth
from sansauth.secret import Secret
from sansauth.testing.caller import same
from sansauth.testing.oauth2_answers import Refused, missing
from sansauth.testing.oauth2_clients import RegisteredClient
from sansauth.testing.service import Service

__all__ = ["authenticate"]


def authenticate(service: Service, request: Request, form: Mapping[str, Secret]) -> RegisteredClient:
    """The client that sent this request; `Refused` (invalid_client) if it is not who it says, or shows it otherwise."""
    shown = [name for name in ("client_secret", "client_assertion") if name in form]
    basic = request.headers.get_all("authorization")
    if len(shown) + len(basic) > 1:
        raise Refused("invalid_request", "A client authenticates in one way at a time.")
    if basic:
        client_id, secret = _basic(basic[0])
        return _by_secret(service, form, client_id, secret, "client_secret_basic")
    if "client_assertion" in form:
        from sansauth.testing.oauth2_assertions import check_client_assertion  # PyJWT, for those who need it

        return check_client_assertion(service, request, form)
    if "client_id" not in form:
        raise missing("client_id")
    client_id = form["client_id"]
    if "client_secret" in form:
        return _by_secret(service, form, client_id, form["client_secret"], "client_secret_post")
    client = service.oauth2.clients.get(client_id)
    if client is None or not client.is_public:
        raise Refused("invalid_client", "Unknown client, or one that must authenticate.", 401)
    return client


def _basic(header: str) -> tuple[str, Secret]:
    """Client id and secret of Basic, each form-encoded (RFC 6749 section 2.3.1)."""
    scheme, _, credentials = header.partition(" ")
    try:
        pair = base64.b64decode(credentials, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        pair = ""
    client_id, _, secret = pair.partition(":")
    return str(_decode(client_id)), _decode(secret)


def _decode(text: str) -> Secret:
    return Secret(unquote(text.replace("+", " ")).decode("utf-8", "replace"))


def _by_secret(
    service: Service, form: Mapping[str, Secret], client_id: str, secret: Secret, auth: ClientAuth
) -> RegisteredClient:
    client = service.oauth2.clients.get(client_id)
    right = client is not None and client.auth == auth and same(secret, client.secret or "")
    if client is None or not right or form.get("client_id", client_id) != client_id:
        # RFC 6749 section 5.2: who used a header is told which one.
        headers = {"www-authenticate": 'Basic realm="sandbox"'} if auth == "client_secret_basic" else {}
        raise Refused("invalid_client", "Unknown client, wrong secret, or another way than registered.", 401, headers)
    return client
