"""POST 2/oauth2/par: an authorization request that the client sends itself (RFC 9126)."""

from __future__ import annotations

from sansauth.http import Request, Response
from sansauth.secret import Secret
from sansauth.testing.oauth2_answers import Refused, answer, refuse
from sansauth.testing.oauth2_authorization import Wanted, judge
from sansauth.testing.oauth2_client_auth import authenticate
from sansauth.testing.oauth2_form import read_form
from sansauth.testing.oauth2_proof import nonce_headers, proven_key
from sansauth.testing.oauth2_waiting import PUSHED_SECONDS
from sansauth.testing.service import Service

__all__ = ["push"]

_CREDENTIALS = {"client_secret", "client_assertion", "client_assertion_type"}


def push(service: Service, request: Request) -> Response:
    """A request_uri for a request that is right in every part."""
    try:
        form = read_form(request)
        client = authenticate(service, request, form)
        if "request_uri" in form:
            raise Refused("invalid_request", "A request_uri cannot be pushed.")  # RFC 9126 section 2.1
        given = {name: value for name, value in form.items() if name not in _CREDENTIALS}
        given["client_id"] = Secret(client.client_id)
        key = proven_key(service, request)
        if key is not None and given.setdefault("dpop_jkt", Secret(key)) != key:
            raise Refused("invalid_dpop_proof", "dpop_jkt is another key's thumbprint.")  # RFC 9449 section 10.1
        wanted = judge(service, given)
        if not isinstance(wanted, Wanted):
            raise Refused(wanted.error, wanted.description)
    except Refused as refused:
        return refuse(refused, x_words=service.x_errors)
    uri = service.oauth2.waiting.push(client.client_id, given)
    return answer(201, {"request_uri": uri, "expires_in": int(PUSHED_SECONDS)}, nonce_headers(service))
