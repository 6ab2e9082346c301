"""Keys, tokens and secrets in the shapes that X issues them."""

from __future__ import annotations

import base64
import hashlib
import hmac

from sansauth.encoding import quote
from sansauth.env import Env
from sansauth.identity import App
from sansauth.secret import Secret

__all__ = ["issue_alphanumeric", "issue_bearer_token", "issue_numbered", "issue_pin", "issue_reverse_auth"]

_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_REQUEST_TOKEN_LENGTH = 27
_NONCE_LENGTH = 43


def issue_alphanumeric(env: Env, length: int) -> str:
    """So many letters and digits."""
    return _letters(env.entropy(length))


def issue_numbered(env: Env, length: int, number: int) -> Secret:
    """So many letters and digits, other ones for every `number` even where a test's entropy stands still."""
    return Secret(_letters(_numbered(env, length, number)))


def issue_pin(env: Env, number: int) -> Secret:
    """Seven digits."""
    return Secret(f"{int.from_bytes(_numbered(env, 8, number)) % 10**7:07}")


def issue_bearer_token(env: Env, generation: int) -> Secret:
    """An application's bearer token, percent-encoded as X issues it: it has a `%2F` and a `%3D` in it.

    `generation` counts the tokens issued before, so that a new one differs even where a test's entropy stands still.
    """
    letters = _letters(hmac.digest(env.entropy(32), b"bearer token %d" % generation, "sha512"))
    return Secret(quote(f"AAAAAAAAAAAAAAAAAAAAA{letters[:8]}/{letters[8:24]}={letters[24:]}"))


def issue_reverse_auth(app: App, env: Env, timestamp: int, number: int) -> Secret:
    """The answer to step 1 of reverse auth: text that looks like an Authorization header (X's page, archived)."""
    fields = {
        "oauth_nonce": issue_alphanumeric(env, _NONCE_LENGTH),
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(timestamp),
        "oauth_consumer_key": app.consumer_key,
        "oauth_token": issue_numbered(env, _REQUEST_TOKEN_LENGTH, number),
    }
    # Nobody but the service can check this signature, and nobody else needs to: the string is passed on as a whole.
    mac = hmac.digest(app.consumer_secret.encode(), "&".join(fields.values()).encode(), "sha1")
    fields |= {"oauth_signature": base64.b64encode(mac).decode(), "oauth_version": "1.0"}
    return Secret("OAuth " + ", ".join(f'{name}="{quote(value)}"' for name, value in fields.items()))


def _numbered(env: Env, length: int, number: int) -> bytes:
    return hashlib.shake_256(env.entropy(32) + number.to_bytes(8)).digest(length)


def _letters(data: bytes) -> str:
    # 256 is no multiple of 62, so eight of the letters are a little likelier: no matter for a test's credentials.
    return "".join(_ALPHANUMERIC[byte % len(_ALPHANUMERIC)] for byte in data)
