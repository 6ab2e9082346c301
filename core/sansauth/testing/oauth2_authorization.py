"""Where the user decides: GET and POST i/oauth2/authorize (RFC 6749 section 4.1.1), judged by oauthlib.

The page keeps nothing: its form posts the whole request again, and it is judged again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol, cast

from oauthlib.common import Request as Judged
from oauthlib.oauth2 import AuthorizationCodeGrant, FatalClientError, OAuth2Error, UnsupportedResponseTypeError
from oauthlib.oauth2.rfc6749.errors import InvalidRequestError

from sansauth.encoding import decode, encode
from sansauth.http import Request, Response
from sansauth.secret import Secret
from sansauth.testing import consent_page, oauth2_page
from sansauth.testing.caller import form_of
from sansauth.testing.oauth2_answers import Refused
from sansauth.testing.oauth2_clients import RegisteredClient
from sansauth.testing.oauth2_form import read_once, words_for_oauthlib
from sansauth.testing.oauth2_issued import Grant
from sansauth.testing.service import Service

__all__ = ["Wanted", "decide", "judge", "page"]

_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")  # what S256 makes (RFC 7636 section 4.2)
_THUMBPRINT = _CHALLENGE  # SHA-256 too
_LONGEST_STATE = 500  # X's documentation
_URI = "https://sandbox.invalid/authorize"  # oauthlib reads the query only


class Wanted(NamedTuple):
    """A request that is right in every part."""

    client_id: str
    redirect_uri: Secret
    scopes: tuple[str, ...]
    challenge: str
    state: Secret | None
    nonce: str | None
    proof_key: str | None


def page(service: Service, request: Request) -> Response:
    """GET: the question. It asks every time."""
    return _answer(service, request, decode(request.query))


def decide(service: Service, request: Request) -> Response:
    """POST: the user's answer, and the way back to the client."""
    return _answer(service, request, form_of(request))


def _answer(service: Service, request: Request, parameters: list[tuple[str, str]]) -> Response:
    decisions = [value for name, value in parameters if name == "decision"] if request.method == "POST" else []
    try:
        given = read_once([(name, value) for name, value in parameters if name != "decision"])
        wanted = judge(service, _resolve(service, given))
    except Refused as refused:
        return oauth2_page.refuse(f"{refused.error}: {refused.description}")
    if isinstance(wanted, _Error):
        return _redirect(wanted.redirect_uri, wanted.fields, service.issuer(request))
    match decisions:
        case [consent_page.APPROVE]:
            fields: dict[str, str | None] = {"state": wanted.state, "code": _issue_code(service, wanted)}
        case [consent_page.CANCEL]:
            fields = {"error": "access_denied", "error_description": "The user denied access.", "state": wanted.state}
        case _:
            return oauth2_page.ask(
                path=request.path,
                hidden=given,
                client_id=wanted.client_id,
                screen_name=service.screen_name,
                scopes=wanted.scopes,
                status=200 if request.method != "POST" else 400,
            )
    service.oauth2.waiting.use(given.get("request_uri", ""))
    return _redirect(wanted.redirect_uri, fields, service.issuer(request))


def _resolve(service: Service, given: Mapping[str, Secret]) -> Mapping[str, Secret]:
    """The request itself, where a reference to it was given (RFC 9126 section 4)."""
    if "request_uri" not in given:
        return given
    pushed = service.oauth2.waiting.pushed(given["request_uri"], given.get("client_id", ""))
    if pushed is None:
        raise Refused("invalid_request_uri", "The request_uri is unknown, has expired or was used before.")
    return pushed.parameters


class _Error(NamedTuple):
    """A refusal that the client is told by way of the browser (RFC 6749 section 4.1.2.1)."""

    redirect_uri: Secret
    error: str
    description: str
    state: Secret | None

    @property
    def fields(self) -> dict[str, str | None]:
        described = {"error_description": self.description} if self.description else {}
        return {"error": self.error, **described, "state": self.state}


class _Grant(Protocol):
    """`AuthorizationCodeGrant` with the types that its stubs leave out."""

    def validate_authorization_request(self, request: Judged) -> object: ...


def judge(service: Service, given: Mapping[str, Secret]) -> Wanted | _Error:
    """What a request asks for, or the error to redirect with; `Refused` for one that must not be redirected."""
    grant = AuthorizationCodeGrant(cast("None", _Host(service)), pre_auth=[_check], post_auth=[], post_token=[])
    state = given.get("state")
    try:
        cast("_Grant", grant).validate_authorization_request(Judged(f"{_URI}?{words_for_oauthlib(given)}"))
    except FatalClientError as fatal:
        raise Refused(str(fatal.error), str(fatal.description)) from None
    except OAuth2Error as error:
        return _Error(given["redirect_uri"], str(error.error), str(error.description), state)
    if given.get("prompt") == "none":
        return _Error(given["redirect_uri"], "login_required", "This sandbox asks its user every time.", state)
    if not _THUMBPRINT.fullmatch(given.get("dpop_jkt", "A" * 43)):
        return _Error(given["redirect_uri"], "invalid_request", "dpop_jkt is no thumbprint.", state)
    return Wanted(
        given["client_id"],
        given["redirect_uri"],
        tuple(str(scope) for scope in given["scope"].split(" ")),
        given["code_challenge"],
        state,
        given.get("nonce"),
        given.get("dpop_jkt"),
    )


def _check(request: Judged) -> dict[str, object]:
    """What oauthlib does not ask: before its own questions, and after client and redirect_uri are known to be right."""
    if request.response_type not in (None, "code"):
        raise UnsupportedResponseTypeError(request=request)
    if request.code_challenge is not None and request.code_challenge_method != "S256":
        raise InvalidRequestError("code_challenge_method must be S256.", request=request)
    if not _CHALLENGE.fullmatch(request.code_challenge or "A" * 43):
        raise InvalidRequestError("code_challenge is no S256 challenge.", request=request)
    if len(request.state or "") > _LONGEST_STATE:
        raise InvalidRequestError("state is longer than 500 characters.", request=request)
    return {}


class _Host:
    """What oauthlib asks its RequestValidator for at the authorization endpoint."""

    def __init__(self, service: Service) -> None:
        self._clients = service.oauth2.clients
        self._scopes = service.oauth2.scopes

    def validate_client_id(self, client_id: str, request: Judged) -> bool:
        request.client = self._clients.get(client_id)
        return request.client is not None

    def validate_redirect_uri(self, client_id: str, redirect_uri: str, request: Judged) -> bool:
        return self._clients[client_id].may_return_to(redirect_uri)

    def get_default_redirect_uri(self, client_id: str, request: Judged) -> None:
        return None

    def validate_response_type(
        self, client_id: str, response_type: str, client: RegisteredClient, request: Judged
    ) -> bool:
        return True

    def is_pkce_required(self, client_id: str, request: Judged) -> bool:
        return True

    def get_default_scopes(self, client_id: str, request: Judged) -> list[str]:
        return []

    def validate_scopes(self, client_id: str, scopes: list[str], client: RegisteredClient, request: Judged) -> bool:
        return bool(scopes) and self._scopes.issuperset(scopes)


def _issue_code(service: Service, wanted: Wanted) -> Secret:
    issued = service.oauth2.issued
    grant = Grant(
        wanted.client_id,
        wanted.scopes,
        issued.count(),
        str(service.user_id),
        wanted.proof_key,
        wanted.nonce,
        service.now(),
    )
    return issued.issue_code(grant, wanted.redirect_uri, wanted.challenge)


def _redirect(uri: Secret, fields: Mapping[str, str | None], issuer: str) -> Response:
    """Back to the client, whose own query stays (RFC 6749 section 3.1.2); with the issuer (RFC 9207)."""
    joint = "" if uri.endswith(("?", "&")) else "&" if "?" in uri else "?"
    location = Secret(uri + joint + encode({**fields, "iss": issuer}))
    return Response(302, {"location": location, "cache-control": "no-store", "referrer-policy": "no-referrer"})
