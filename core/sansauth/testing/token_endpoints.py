"""Where credentials are issued and taken back: oauth2/token, oauth2/invalidate_token, oauth/request_token."""

from __future__ import annotations

from sansauth.encoding import unquote
from sansauth.http import Request, Response
from sansauth.testing import x_answers
from sansauth.testing.caller import REFUSALS, form_of, is_application, is_signed, parameters_of, same
from sansauth.testing.issuing import issue_reverse_auth
from sansauth.testing.oauth1_server import Fault, Signer
from sansauth.testing.service import Service

__all__ = ["invalidate_token", "request_token", "token"]


def token(service: Service, request: Request) -> Response:
    """POST oauth2/token: the application's bearer token for its key and secret."""
    if not is_application(request, service.app):
        return x_answers.UNVERIFIED
    if [value for name, value in form_of(request) if name == "grant_type"] != ["client_credentials"]:
        return x_answers.MISSING_GRANT_TYPE
    return x_answers.answer_json(200, {"token_type": "bearer", "access_token": service.outstanding_bearer_token()})


def invalidate_token(service: Service, request: Request) -> Response:
    """POST oauth2/invalidate_token: with Basic, or signed by the application's owner; the token in form or query.

    X's pages disagree on both, so both are taken. Signed by the consumer alone is code 348.
    """
    if is_signed(request):
        signer = service.signatures.judge(request)
        if isinstance(signer, Fault):
            return REFUSALS[signer]
        if signer is Signer.CONSUMER:
            return x_answers.NOT_INVALIDATED
    elif not is_application(request, service.app):
        return x_answers.UNVERIFIED
    issued = service.bearer_token
    given = [value for name, value in parameters_of(request) if name == "access_token"]
    # A token is issued percent-encoded and sent as issued; reading the form decodes it once. So what was read is
    # compared with the decoded token: a client that encodes `%2F` again, to `%252F`, has sent another token.
    if issued is None or len(given) != 1 or not same(given[0], unquote(issued).decode()):
        return x_answers.UNVERIFIED
    service.bearer_token = None
    return x_answers.answer_json(200, {"access_token": issued})


def request_token(service: Service, request: Request) -> Response:
    """POST oauth/request_token: step 1 of reverse auth (x_auth_mode=reverse_auth), signed by the consumer alone."""
    if not is_signed(request):
        return x_answers.BAD_AUTHENTICATION_DATA
    signer = service.signatures.judge(request)
    modes = [value for name, value in parameters_of(request) if name == "x_auth_mode"]
    if modes != ["reverse_auth"]:
        # Any other mode is an application's privilege, and this application does not have it.
        return REFUSALS[signer] if isinstance(signer, Fault) else x_answers.CLIENT_NOT_PERMITTED
    if signer is Fault.TIMESTAMP:
        return REFUSALS[signer]
    if signer is not Signer.CONSUMER:
        return x_answers.REVERSE_AUTH_REFUSED
    return x_answers.answer_text(200, issue_reverse_auth(service.app, service.env, int(service.now())))
