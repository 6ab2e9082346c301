"""Webhooks of X: answer its challenges, and tell its events from forged ones."""

from __future__ import annotations

import binascii
import hmac
import re

from sansauth.errors import InvalidParameter, LocalProtocolError, WrongIdentity
from sansauth.identity import App, only_app

__all__ = ["SIGNATURE", "crc_response", "verify_webhook"]

SIGNATURE = "x-twitter-webhooks-signature"
"""The header that `verify_webhook` takes."""

# Anything printable but `{`: an event is a JSON object, and in every encoding of JSON one begins with this character.
_TOKEN = re.compile(r"[\x21-\x7A\x7C-\x7E]+")


def crc_response(crc_token: str, app: App) -> dict[str, str]:
    """The JSON object that answers a challenge-response check (X: GET <webhook>?crc_token=...), with status 200.

    X asks when the webhook is registered and from time to time, and gives up on one that answers late (10 s, once 1 s)
    or wrong. Raises `InvalidParameter` for a token that is none, above all for one that could be an event: anybody may
    ask, and the answer would be that event's valid signature.
    """
    if not isinstance(crc_token, str) or not _TOKEN.fullmatch(crc_token):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameter("crc_token is the printable text of X's query, and no JSON")
    return {"response_token": _signature(crc_token.encode(), app)}


def verify_webhook(body: bytes, header: str | None, app: App) -> bool:
    """Whether X sent this event: `header` is its `x-twitter-webhooks-signature`, None if it has none.

    `body` is the raw body, byte for byte: JSON that was parsed and written again is another text. False for whatever
    is missing or malformed; never raises for what a stranger sent.
    """
    if not isinstance(body, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise LocalProtocolError(f"an event's body is its raw bytes, not {type(body).__name__}")
    expected = _signature(body, app)
    if not isinstance(header, str):
        return False
    return hmac.compare_digest(expected.encode(), header.encode("utf-8", "replace"))


def _signature(message: bytes, app: App) -> str:
    if not only_app(app).consumer_secret:
        raise WrongIdentity("webhooks are signed with the consumer secret, and this App has none")
    digest = hmac.digest(app.consumer_secret.encode(), message, "sha256")
    return "sha256=" + binascii.b2a_base64(digest, newline=False).decode()
