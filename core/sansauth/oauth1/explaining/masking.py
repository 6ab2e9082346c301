"""What an explanation does not show: the identity's secrets, wherever they stand, and what a name says is secret."""

from __future__ import annotations

import re

from sansauth.encoding import quote
from sansauth.identity import App, OAuth1User
from sansauth.secret import Secret

__all__ = ["MASK", "Censor"]

MASK = "***"

# Narrower than what every repr masks: an explanation without token, nonce and signature would explain nothing.
_SECRET_NAME = re.compile(
    r"secret|passw|passphrase|verifier|assertion|bearer|cookie|credential|jwt|dpop|private|api_?key|authorization"
    r"|(?:^|[_.\-\[])(?:code|token|pin|otp|sid|session)\]?$",
    re.IGNORECASE,
)
_SHOWN = {"oauth_token"}
_LONG = 8  # characters: a shorter secret is a test's, and would be found inside of innocent words


class Censor:
    """Masks for one identity."""

    __slots__ = ("_contained", "_equal")

    def __init__(self, identity: App | OAuth1User) -> None:
        app = identity.app if isinstance(identity, OAuth1User) else identity
        token_secret = identity.access_token_secret if isinstance(identity, OAuth1User) else ""
        secrets = [
            secret for secret in (app.consumer_secret, token_secret, app.bearer_token, app.rsa_private_key) if secret
        ]
        joined = [Secret(app.consumer_secret + between + token_secret) for between in ("&", "")]
        forms = {form for secret in [*secrets, *joined] for form in _forms(secret) if form.strip("&")}
        self._equal = forms
        self._contained = sorted((form for form in forms if len(form) >= _LONG), key=len, reverse=True)

    def value(self, name: str, value: str) -> str:
        """A parameter's value, or the mask."""
        if value and name not in _SHOWN and _SECRET_NAME.search(name):
            return MASK
        return self.text(value)

    def text(self, text: str) -> str:
        """A text without any of the secrets in it."""
        if text in self._equal:
            return MASK
        for form in self._contained:
            if form in text:
                text = text.replace(form, MASK)
        return text


def _forms(secret: str) -> set[Secret]:
    """A secret as it may stand somewhere: plain, without the white space around it, encoded once or twice."""
    plain = {Secret(secret), Secret(secret.strip())}
    once = {Secret(quote(text)) for text in plain}
    return plain | once | {Secret(quote(text)) for text in once}
