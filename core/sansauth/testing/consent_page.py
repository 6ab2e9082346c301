"""The pages of a login, as a browser shows them: self-contained HTML, no script, every value escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from sansauth.http import Response
from sansauth.secret import Secret

__all__ = ["APPROVE", "CANCEL", "ask", "denied", "read_pin", "refuse", "show", "show_pin"]

APPROVE, CANCEL = "authorize", "cancel"
"""The values of `decision` in the form that the page posts."""

_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    # No form-action: some browsers hold it against the redirect to the callback too.
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem;color:#111;"
    "background:#fff}button{font:inherit;padding:.6rem 1.4rem;margin:0 .6rem 0 0;border:2px solid #0a58a8;"
    "border-radius:.4rem;background:#fff;color:#0a58a8}button.main{background:#0a58a8;color:#fff}"
    "code{font-size:2rem;letter-spacing:.2em}"
)
_PIN = re.compile(r'<code id="pin">([0-9]+)</code>')


def ask(
    *, path: str, token: str, consumer_key: str, screen_name: str, wanted: Iterable[str], reads_only: bool, status: int
) -> Response:
    """The question, with a form of two buttons that posts to `path`. `wanted` are the users the application named."""
    access = "read" if reads_only else "read and write"
    others = "".join(
        f"<p>It asked for @{html.escape(name)}; this sandbox has one user, @{html.escape(screen_name)}.</p>"
        for name in wanted
        if name != screen_name
    )
    return show(
        status,
        "Authorize an application",
        f"<p>The application with the key <strong>{html.escape(consumer_key)}</strong> wants to {access} in the name "
        f"of <strong>@{html.escape(screen_name)}</strong>.</p>{others}"
        f'<form method="post" action="{html.escape(path)}">'
        f'<input type="hidden" name="oauth_token" value="{html.escape(token)}">'
        f'<button class="main" type="submit" name="decision" value="{APPROVE}">Authorize</button>'
        f'<button type="submit" name="decision" value="{CANCEL}">Cancel</button>'
        "</form>",
    )


def show_pin(pin: str) -> Response:
    """The end of a login without callback: the PIN to type into the application."""
    return show(
        200,
        "You have authorized the application",
        f'<p>Go back to it and enter this PIN:</p><p><code id="pin">{html.escape(pin)}</code></p>',
    )


def read_pin(page: Response) -> Secret:
    """The PIN on a page; empty if there is none."""
    found = _PIN.search(page.text)
    return Secret(found[1] if found else "")


def denied() -> Response:
    """The other end of it."""
    return show(200, "You have denied the application access", "<p>Nothing was allowed. You can close this page.</p>")


def refuse() -> Response:
    """There is no such login, or not any more."""
    return show(
        401,
        "This login cannot go on",
        "<p>The request token of this page is unknown, has expired or was used before. "
        "Go back to the application and begin again.</p>",
    )


def show(status: int, title: str, content: str) -> Response:
    """A page; `content` is HTML, whose values are escaped already."""
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1>{content}</main></body></html>"
    )
    return Response(status, _HEADERS, text.encode())
