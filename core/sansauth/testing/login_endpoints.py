"""Where logins begin and end: oauth/request_token, oauth/access_token, 1.1/oauth/invalidate_token (RFC 5849, 2)."""

from __future__ import annotations

import re

from sansauth.http import Request, Response
from sansauth.oauth1.received import Fault
from sansauth.oauth1.verification import Verified
from sansauth.testing import x_answers
from sansauth.testing.caller import REFUSALS, is_signed, recognise, same, values_of
from sansauth.testing.issued_tokens import OUT_OF_BAND, READ, READ_WRITE, AccessToken
from sansauth.testing.service import Service

__all__ = ["access_token", "invalidate_access_token", "request_token"]

# RFC 3986's characters, so that it can stand in a Location header and in a page; and the schemes that X refuses.
_CALLBACK = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_REFUSED_SCHEMES = {"javascript", "data", "file", "ftp", "mailto", "telnet", "vbscript"}
_LEVELS = {"read": READ, "write": READ_WRITE}


def request_token(service: Service, request: Request) -> Response:
    """POST oauth/request_token: a login with a callback, or step 1 of reverse auth (x_auth_mode=reverse_auth).

    Both are signed by the application alone.
    """
    if not is_signed(request):
        return x_answers.BAD_AUTHENTICATION_DATA
    signer = service.signatures.judge(request)
    modes = values_of(request, "x_auth_mode")
    if modes == ["reverse_auth"]:
        return _begin_reverse_auth(service, signer)
    if isinstance(signer, Fault):
        return REFUSALS[signer]
    if modes or signer.token is not None:
        # Any other mode is an application's privilege, and this application does not have it.
        return x_answers.CLIENT_NOT_PERMITTED
    return _begin_login(service, request, signer)


def access_token(service: Service, request: Request) -> Response:
    """POST oauth/access_token: the end of a login, xAuth, and step 2 of reverse auth."""
    if not is_signed(request):
        return x_answers.BAD_AUTHENTICATION_DATA
    if values_of(request, "x_auth_mode"):
        return _log_in_by_password(service, request)
    if values_of(request, "x_reverse_auth_target") or values_of(request, "x_reverse_auth_parameters"):
        return _end_reverse_auth(service, request)
    return _exchange(service, request)


def invalidate_access_token(service: Service, request: Request) -> Response:
    """POST 1.1/oauth/invalidate_token: takes back the access token that signed the request."""
    recognised = recognise(service, request)
    if isinstance(recognised, Response):
        return recognised
    if recognised.access_token is None:
        return x_answers.NOT_ALLOWED
    service.tokens.revoke(recognised.access_token)
    return x_answers.answer_json(200, {"access_token": recognised.access_token})


def _begin_login(service: Service, request: Request, signer: Verified) -> Response:
    callback = signer.extra.get("oauth_callback")
    if not callback:
        return x_answers.missing_parameter("oauth_callback")
    if callback != OUT_OF_BAND and not _is_approved(service, callback):
        # X's pages show JSON, its applications report XML.
        accepts_json = "json" in (request.headers.get("accept") or "")
        return x_answers.CALLBACK_NOT_APPROVED if accepts_json else x_answers.CALLBACK_NOT_APPROVED_XML
    level = _LEVELS.get("".join(values_of(request, "x_auth_access_type") or ["write"]))
    if level is None:
        return x_answers.invalid_parameter("x_auth_access_type")
    issued = service.tokens.issue_request(callback, level)
    return x_answers.answer_form(
        {"oauth_token": issued.token, "oauth_token_secret": issued.secret, "oauth_callback_confirmed": "true"}
    )


def _is_approved(service: Service, callback: str) -> bool:
    match = _CALLBACK.fullmatch(callback)
    if match is None or match[1].lower() in _REFUSED_SCHEMES:
        return False
    return service.callbacks is None or callback in service.callbacks


def _exchange(service: Service, request: Request) -> Response:
    """The request token for an access token, with the verifier that the user's approval gave."""
    signer = service.login_signatures.judge(request)
    if isinstance(signer, Fault):
        return REFUSALS[signer]
    if signer.token is None:
        return x_answers.REVERSE_AUTH_REFUSED  # what X says where oauth_token is missing
    login = service.tokens.login(signer.token)
    verifier = signer.extra.get("oauth_verifier", "")
    if login is None or login.verifier is None or not same(verifier, login.verifier):
        return x_answers.INVALID_VERIFIER
    service.tokens.end(login)
    return _answer(service, service.tokens.issue_access(service.user_id, login.level))


def _log_in_by_password(service: Service, request: Request) -> Response:
    """xAuth: the user's name and password, signed by an application that is permitted to."""
    signer = service.signatures.judge(request)
    if isinstance(signer, Fault):
        return REFUSALS[signer]
    password = service.xauth_password
    if password is None or signer.token is not None or values_of(request, "x_auth_mode") != ["client_auth"]:
        return x_answers.CLIENT_NOT_PERMITTED
    names, passwords = values_of(request, "x_auth_username"), values_of(request, "x_auth_password")
    if names != [service.screen_name] or len(passwords) != 1 or not same(passwords[0], password):
        return x_answers.COULD_NOT_AUTHENTICATE
    return _answer(service, service.tokens.issue_access(service.user_id), {"x_auth_expires": "0"})


def _begin_reverse_auth(service: Service, signer: Verified | Fault) -> Response:
    if signer is Fault.TIMESTAMP:
        return REFUSALS[signer]
    if isinstance(signer, Fault) or signer.token is not None:
        return x_answers.REVERSE_AUTH_REFUSED
    return x_answers.answer_text(200, service.tokens.issue_reverse())


def _end_reverse_auth(service: Service, request: Request) -> Response:
    """Step 2: a user's own access token signs for the application that asked for step 1."""
    signer = service.signatures.judge(request)
    if signer is Fault.TIMESTAMP:
        return REFUSALS[signer]
    targets, given = values_of(request, "x_reverse_auth_target"), values_of(request, "x_reverse_auth_parameters")
    if isinstance(signer, Fault) or signer.token is None or targets != [service.app.consumer_key] or len(given) != 1:
        return x_answers.REVERSE_AUTH_REFUSED
    if not service.tokens.take_reverse(given[0]):
        return x_answers.REVERSE_AUTH_REFUSED
    return _answer(service, service.tokens.issue_access(service.user_id))


def _answer(service: Service, issued: AccessToken, further: dict[str, str] | None = None) -> Response:
    params = {
        "oauth_token": issued.token,
        "oauth_token_secret": issued.secret,
        "user_id": str(service.user_id),
        "screen_name": service.screen_name,
    }
    return x_answers.answer_form(params | (further or {}))
