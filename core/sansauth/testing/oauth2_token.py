"""POST 2/oauth2/token: every grant that is traded for tokens (RFC 6749 section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sansauth.http import Request, Response
from sansauth.secret import Secret
from sansauth.testing.oauth2_answers import Refused, answer, refuse
from sansauth.testing.oauth2_client_auth import authenticate
from sansauth.testing.oauth2_form import read_form, required
from sansauth.testing.oauth2_issued import Grant
from sansauth.testing.oauth2_judging import DEVICE_CODE, Claim, Issue, issue_by_oauthlib
from sansauth.testing.oauth2_proof import nonce_headers, proven_key
from sansauth.testing.service import Service

__all__ = ["GRANT_TYPES", "token"]

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_REQUIRED: dict[str, tuple[str, ...]] = {
    "authorization_code": ("code", "redirect_uri", "code_verifier"),
    "refresh_token": ("refresh_token",),
    "client_credentials": (),
    DEVICE_CODE: ("device_code",),
    TOKEN_EXCHANGE: ("subject_token", "subject_token_type"),
    JWT_BEARER: ("assertion",),
}
GRANT_TYPES = tuple(_REQUIRED)
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # RFC 7636 section 4.1


def token(service: Service, request: Request) -> Response:
    """The tokens, or the refusal."""
    form: Mapping[str, Secret] = {}
    try:
        form = read_form(request)
        client = authenticate(service, request, form)
        claim = Claim(client, service.issuer(request), proven_key(service, request))
        document = _trade(service, claim, form)
    except Refused as refused:
        return refuse(refused, x_words=service.x_errors, grant_type=form.get("grant_type", ""))
    return answer(200, document, nonce_headers(service))


def _trade(service: Service, claim: Claim, form: Mapping[str, Secret]) -> Mapping[str, object]:
    issue = _issuing(service, claim.issuer)
    grant_type = str(required(form, "grant_type"))
    for name in _REQUIRED.get(grant_type, ()):
        required(form, name)
    if not _VERIFIER.fullmatch(form.get("code_verifier", "A" * 43)):
        raise Refused("invalid_grant", "code_verifier is not 43 to 128 letters, digits and -._~.")
    if grant_type == TOKEN_EXCHANGE:
        from sansauth.testing.oauth2_exchange import exchange

        return exchange(service, claim, form, issue)
    if grant_type == JWT_BEARER:
        from sansauth.testing.oauth2_exchange import grant_by_jwt

        return grant_by_jwt(service, claim, form, issue)
    return issue_by_oauthlib(service, claim, form, issue)


def _issuing(service: Service, issuer: str) -> Issue:
    def issue(grant: Grant, scopes: Iterable[str], refresh_token: Secret | None) -> Mapping[str, object]:
        access = service.oauth2.issued.issue_access(grant, tuple(scopes), service.token_lifetime)
        document: dict[str, object] = {
            "token_type": "bearer" if grant.proof_key is None else "DPoP",
            "expires_in": service.token_lifetime,
            "access_token": access.token,
        }
        if access.scopes:
            document["scope"] = " ".join(access.scopes)
        if refresh_token is not None:
            document["refresh_token"] = refresh_token
        if "openid" in access.scopes and grant.subject is not None:
            from sansauth.testing.oauth2_identity import sign_id_token  # PyJWT, for those who need it

            document["id_token"] = sign_id_token(service, access, issuer)
        return document

    return issue
