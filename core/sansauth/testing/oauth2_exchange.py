"""Token exchange (RFC 8693) and the JWT bearer grant (RFC 7523 section 2.1): the least of both."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sansauth.secret import Secret
from sansauth.testing.oauth2_answers import Refused
from sansauth.testing.oauth2_assertions import TOKEN_PATH, check_assertion, signed_by_keys
from sansauth.testing.oauth2_issued import Grant
from sansauth.testing.oauth2_judging import Claim, Issue
from sansauth.testing.oauth2_jws import read_jws
from sansauth.testing.service import Service

__all__ = ["exchange", "grant_by_jwt"]

_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def exchange(service: Service, claim: Claim, form: Mapping[str, Secret], issue: Issue) -> Mapping[str, object]:
    """An access token for one of anybody's: for the client that asks, with no more scopes."""
    if claim.client.is_public:
        raise Refused("unauthorized_client", "A client must authenticate to exchange tokens.")
    if "actor_token" in form or form["subject_token_type"] != _ACCESS_TOKEN:
        raise Refused("invalid_request", f"This sandbox exchanges a subject_token of type {_ACCESS_TOKEN}.")
    if form.get("requested_token_type", _ACCESS_TOKEN) != _ACCESS_TOKEN:
        raise Refused("invalid_request", f"This sandbox issues tokens of type {_ACCESS_TOKEN}.")
    subject = service.oauth2.issued.access(form["subject_token"])
    if subject is None:
        raise Refused("invalid_request", "The subject_token is unknown or has expired.")  # RFC 8693 section 2.2.2
    scopes = _scopes(form, subject.scopes) or subject.scopes
    grant = Grant(claim.client.client_id, scopes, subject.grant.family, subject.grant.subject, claim.proof_key)
    return {**issue(grant, scopes, None), "issued_token_type": _ACCESS_TOKEN}


def grant_by_jwt(service: Service, claim: Claim, form: Mapping[str, Secret], issue: Issue) -> Mapping[str, object]:
    """An access token of the user (their id or name is `sub`), for a JWT that a client with a key has signed."""
    jws = read_jws(form["assertion"])
    signer = None if jws is None else service.oauth2.clients.get(str(jws.claims.get("iss")))
    if jws is None or signer is None or not signed_by_keys(signer, jws):
        raise Refused("invalid_grant", "The assertion is not signed by a client with a key.")
    if jws.claims.get("sub") not in (str(service.user_id), service.screen_name):
        raise Refused("invalid_grant", "There is no such user.")
    wrong = check_assertion(service, jws, (claim.issuer, claim.issuer + TOKEN_PATH))
    if wrong:
        raise Refused("invalid_grant", wrong)
    scopes = _scopes(form, service.oauth2.scopes)
    family = service.oauth2.issued.count()
    grant = Grant(claim.client.client_id, scopes, family, str(service.user_id), claim.proof_key)
    return issue(grant, scopes, None)


def _scopes(form: Mapping[str, Secret], allowed: Collection[str]) -> tuple[str, ...]:
    scopes = tuple(str(scope) for scope in form["scope"].split(" ")) if "scope" in form else ()
    if not set(scopes) <= set(allowed):
        raise Refused("invalid_scope", "One of the scopes is unknown, or more than may be asked for.")
    return scopes
