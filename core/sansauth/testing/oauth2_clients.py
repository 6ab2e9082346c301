"""The clients that a service knows, and where each may send its users back to (RFC 6749 section 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sansauth.identity import ClientAuth, OAuth2Client
from sansauth.secret import Secret

__all__ = ["RegisteredClient", "is_redirect_uri", "register"]

_LOOPBACK = r"(?:127\.0\.0\.1|\[::1\]|localhost)"
_CHARACTERS = r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]"  # RFC 3986 without the fragment, which section 3.1.2 forbids
_REDIRECT = re.compile(
    rf"https://[A-Za-z0-9\-.\[\]:]+(?:[/?]{_CHARACTERS}*)?"
    rf"|http://{_LOOPBACK}(?::[0-9]{{1,5}})?(?:[/?]{_CHARACTERS}*)?"
    rf"|(?!https?:|javascript:|data:|file:|ftp:|mailto:|telnet:|vbscript:)[a-z][a-z0-9+.\-]*:{_CHARACTERS}+"
)
_PORT = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\])):[0-9]{1,5}(?=[/?]|\Z)")
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """One client. `redirect_uris` is None where any will do; `keys` are its public keys, as JWKs."""

    client_id: str
    auth: ClientAuth
    secret: Secret | None = None
    redirect_uris: tuple[str, ...] | None = None
    keys: tuple[Mapping[str, object], ...] = ()

    @property
    def is_public(self) -> bool:
        """Whether it cannot show who it is (RFC 6749 section 2.1)."""
        return self.auth == "none"

    def may_return_to(self, uri: str) -> bool:
        """Whether users may be sent there: the same text, but for the port of a loopback address (RFC 8252, 7.3)."""
        if not is_redirect_uri(uri):
            return False
        return self.redirect_uris is None or _portless(uri) in map(_portless, self.redirect_uris)


def register(client: OAuth2Client, redirect_uris: Sequence[str] | None) -> RegisteredClient:
    """A client as the service knows it: of a private key, the public one only (extra `jose`)."""
    keys: tuple[Mapping[str, object], ...] = ()
    if client.private_key is not None:
        from sansauth.testing.oauth2_jws import public_jwk

        keys = (public_jwk(client.private_key, client.key_id),)
    secret = None if client.client_secret is None else Secret(client.client_secret)
    uris = None if redirect_uris is None else tuple(redirect_uris)
    return RegisteredClient(client.client_id, client.auth or "none", secret, uris, keys)


def is_redirect_uri(uri: str) -> bool:
    """Whether this is an absolute URI of https, of a private scheme, or of http on this machine."""
    return len(uri) <= _LONGEST and _REDIRECT.fullmatch(uri) is not None


def _portless(uri: str) -> str:
    return _PORT.sub(r"\1", uri)
