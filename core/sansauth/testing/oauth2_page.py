"""The pages of OAuth 2, in the dress of the consent page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping

from sansauth.http import Response
from sansauth.testing.consent_page import APPROVE, CANCEL, show

__all__ = ["ask", "ask_user_code", "decided", "refuse"]


def ask(
    *,
    path: str,
    hidden: Mapping[str, str],
    client_id: str,
    screen_name: str,
    scopes: Iterable[str],
    status: int,
) -> Response:
    """The question, with a form of two buttons that posts `hidden` to `path`."""
    wanted = "".join(f"<li>{html.escape(scope)}</li>" for scope in scopes)
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in hidden.items()
    )
    return show(
        status,
        "Authorize an application",
        f"<p>The application with the client id <strong>{html.escape(client_id)}</strong> wants to act in the name of "
        f"<strong>@{html.escape(screen_name)}</strong>:</p><ul>{wanted}</ul>"
        f'<form method="post" action="{html.escape(path)}">{fields}'
        f'<button class="main" type="submit" name="decision" value="{APPROVE}">Authorize</button>'
        f'<button type="submit" name="decision" value="{CANCEL}">Cancel</button>'
        "</form>",
    )


def ask_user_code(path: str, status: int) -> Response:
    """Where the user types the code that a device shows."""
    return show(
        status,
        "Connect a device",
        f'<form method="get" action="{html.escape(path)}"><p><label>The code that your device shows: '
        '<input name="user_code" autocomplete="off" autofocus></label></p>'
        '<button class="main" type="submit">Next</button></form>',
    )


def decided(approved: bool) -> Response:
    """The end of a device's login."""
    if approved:
        return show(200, "Your device is connected", "<p>You can go back to it.</p>")
    return show(200, "You have denied the device access", "<p>Nothing was allowed. You can close this page.</p>")


def refuse(reason: str) -> Response:
    """The page for a request that must not be redirected (RFC 6749 section 4.1.2.1)."""
    return show(400, "This login cannot begin", f"<p>{html.escape(reason)} Go back to the application.</p>")
