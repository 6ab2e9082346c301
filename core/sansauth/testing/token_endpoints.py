"""Where the application's own token is issued and taken back: oauth2/token and oauth2/invalidate_token."""

from __future__ import annotations

from sansauth.encoding import unquote
from sansauth.http import Request, Response
from sansauth.oauth1.received import Fault
from sansauth.testing import x_answers
from sansauth.testing.caller import REFUSALS, form_of, is_application, is_signed, same, values_of
from sansauth.testing.service import Service

__all__ = ["invalidate_token", "token"]


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
        if signer.token is None:
            return x_answers.NOT_INVALIDATED
    elif not is_application(request, service.app):
        return x_answers.UNVERIFIED
    issued = service.bearer_token
    given = values_of(request, "access_token")
    # A token is issued percent-encoded and sent as issued; reading the form decodes it once. So what was read is
    # compared with the decoded token: a client that encodes `%2F` again, to `%252F`, has sent another token.
    if issued is None or len(given) != 1 or not same(given[0], unquote(issued).decode()):
        return x_answers.UNVERIFIED
    service.bearer_token = None
    return x_answers.answer_json(200, {"access_token": issued})
