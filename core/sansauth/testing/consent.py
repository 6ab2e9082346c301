"""Where the user decides: GET and POST oauth/authorize and oauth/authenticate (RFC 5849 section 2.2)."""

from __future__ import annotations

from sansauth.encoding import encode
from sansauth.http import Request, Response
from sansauth.secret import Secret
from sansauth.testing import consent_page
from sansauth.testing.caller import values_of
from sansauth.testing.issued_tokens import OUT_OF_BAND, READ, RequestToken
from sansauth.testing.service import Service

__all__ = ["decide", "page"]


def page(service: Service, request: Request) -> Response:
    """GET: the question. Both pages ask every time, as X's do since 2017; `force_login` changes nothing."""
    login = _open_login(service, request)
    return consent_page.refuse() if login is None else _ask(service, request, login, 200)


def decide(service: Service, request: Request) -> Response:
    """POST: the user's answer, and the way back to the application."""
    login = _open_login(service, request)
    if login is None:
        return consent_page.refuse()
    out_of_band = login.callback == OUT_OF_BAND
    match values_of(request, "decision"):
        case [consent_page.APPROVE]:
            verifier = service.tokens.approve(login)
            if out_of_band:
                return consent_page.show_pin(verifier)
            return _redirect(login.callback, {"oauth_token": login.token, "oauth_verifier": verifier})
        case [consent_page.CANCEL]:
            service.tokens.end(login)
            return consent_page.denied() if out_of_band else _redirect(login.callback, {"denied": login.token})
        case _:
            return _ask(service, request, login, 400)


def _open_login(service: Service, request: Request) -> RequestToken | None:
    """The login that waits for its user; None if there is none, or if the user has decided before."""
    given = values_of(request, "oauth_token")
    login = service.tokens.login(given[0]) if len(given) == 1 else None
    return login if login is not None and login.verifier is None else None


def _ask(service: Service, request: Request, login: RequestToken, status: int) -> Response:
    return consent_page.ask(
        path=request.path,
        token=login.token,
        consumer_key=service.app.consumer_key,
        screen_name=service.screen_name,
        wanted=values_of(request, "screen_name"),
        reads_only=login.level == READ,
        status=status,
    )


def _redirect(callback: Secret, added: dict[str, str]) -> Response:
    """Back to the application: the callback's own query stays (RFC 5849 section 2.2), and so does its fragment."""
    base, mark, fragment = callback.partition("#")
    joint = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
    headers = {"location": Secret(base + joint + encode(added) + mark + fragment), "cache-control": "no-store"}
    return Response(302, headers)
