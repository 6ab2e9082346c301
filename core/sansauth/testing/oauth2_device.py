"""POST 2/oauth2/device_authorization, and the page /device where its user decides (RFC 8628)."""

from __future__ import annotations

from sansauth.encoding import decode, encode
from sansauth.http import Request, Response
from sansauth.testing import consent_page, oauth2_page
from sansauth.testing.caller import form_of
from sansauth.testing.oauth2_answers import Refused, answer, refuse
from sansauth.testing.oauth2_client_auth import authenticate
from sansauth.testing.oauth2_form import read_form, required
from sansauth.testing.oauth2_waiting import DEVICE_SECONDS
from sansauth.testing.service import Service

__all__ = ["DEVICE_PAGE", "authorize_device", "decide", "page"]

DEVICE_PAGE = "/device"


def authorize_device(service: Service, request: Request) -> Response:
    """A code for the device, and one for its user. Both are good for ten minutes."""
    try:
        form = read_form(request)
        client = authenticate(service, request, form)
        scopes = required(form, "scope").split(" ")
        if not service.oauth2.scopes.issuperset(scopes):
            raise Refused("invalid_scope", "One of the scopes is unknown.")
    except Refused as refused:
        return refuse(refused, x_words=service.x_errors)
    device = service.oauth2.waiting.add_device(client.client_id, tuple(str(scope) for scope in scopes))
    page_url = service.issuer(request) + DEVICE_PAGE
    shown = {
        "device_code": device.device_code,
        "user_code": device.user_code,
        "verification_uri": page_url,
        "verification_uri_complete": f"{page_url}?{encode({'user_code': device.user_code})}",
        "expires_in": int(DEVICE_SECONDS),
        "interval": device.interval,
    }
    return answer(200, shown)


def page(service: Service, request: Request) -> Response:
    """GET: where the code is typed in; with the code, the question."""
    return _answer(service, request, decode(request.query))


def decide(service: Service, request: Request) -> Response:
    """POST: the user's answer."""
    return _answer(service, request, form_of(request))


def _answer(service: Service, request: Request, parameters: list[tuple[str, str]]) -> Response:
    typed = [value for name, value in parameters if name == "user_code"]
    if not typed:
        return oauth2_page.ask_user_code(request.path, 200)
    device = service.oauth2.waiting.undecided(typed[0]) if len(typed) == 1 else None
    if device is None:
        return oauth2_page.ask_user_code(request.path, 400)
    match [value for name, value in parameters if name == "decision" and request.method == "POST"]:
        case [consent_page.APPROVE | consent_page.CANCEL as decision]:
            device.approved = decision == consent_page.APPROVE
            return oauth2_page.decided(device.approved)
        case _:
            return oauth2_page.ask(
                path=request.path,
                hidden={"user_code": device.user_code},
                client_id=device.client_id,
                screen_name=service.screen_name,
                scopes=device.scopes,
                status=200 if request.method != "POST" else 400,
            )
