"""What an X-like service knows: its one application, its one user, its clock, and what it has issued and counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sansauth.env import Env
from sansauth.errors import LocalProtocolError
from sansauth.http import Request
from sansauth.identity import App, OAuth1User
from sansauth.oauth1.judging import check_public_key
from sansauth.oauth1.verification import check_methods
from sansauth.secret import Secret
from sansauth.testing.issued_tokens import IssuedTokens
from sansauth.testing.issuing import issue_bearer_token
from sansauth.testing.oauth1_server import SignatureServer
from sansauth.testing.oauth2_state import AuthorizationServer
from sansauth.testing.rate_windows import RateWindows

__all__ = ["Service"]


class Service:
    """The state that the endpoints read and change. It takes no lock: several threads need one of their own."""

    def __init__(  # noqa: PLR0913  # the sandbox's knobs
        self,
        user: OAuth1User,
        *,
        env: Env,
        followers: Sequence[int],
        timestamp_tolerance: float,
        callbacks: Sequence[str] | None,
        xauth_password: str | None,
        redirect_uris: Sequence[str] | None,
        scopes: Collection[str],
        signature_methods: Collection[str],
        rsa_public_key: str | None,
    ) -> None:
        _check_signing(signature_methods, rsa_public_key)
        self.env = env
        self.app: App = user.app
        self.user = user
        self.screen_name = "sandbox"
        self.user_name = "Sandbox User"
        self.followers: tuple[int, ...] = tuple(followers)
        self.bearer_token: Secret | None = None
        """The application's bearer token as issued, percent-encoded; None if there is none outstanding."""
        self.rate_limit = 900
        """Calls per window of 15 minutes, for each endpoint and each pool."""
        self.skew = 0.0
        """Seconds by which the service's clock is ahead of `env.clock`; negative: behind."""
        self.callbacks = None if callbacks is None else frozenset(callbacks)
        """The callback URLs that the application has registered; None if any is taken."""
        self.xauth_password = None if xauth_password is None else Secret(xauth_password)
        """The user's password, for an application that may use xAuth; None if it may not."""
        self.tokens = IssuedTokens(user, env=env, now=self.now, rsa_public_key=rsa_public_key)
        self.signatures = SignatureServer(
            self.tokens.access_secrets, now=self.now, tolerance=timestamp_tolerance, methods=signature_methods
        )
        """Judges calls: signed with an access token, or by the application alone."""
        self.login_signatures = SignatureServer(
            self.tokens.request_secrets, now=self.now, tolerance=timestamp_tolerance, methods=signature_methods
        )
        """Judges the exchange of a request token."""
        self.windows = RateWindows()
        self._issued = 0
        self.oauth2 = AuthorizationServer(env=env, now=self.now, redirect_uris=redirect_uris, scopes=scopes)
        self.token_lifetime = 7200
        """Seconds that an OAuth 2 access token is good for."""
        self.rotates = True
        """Whether an OAuth 2 refresh token is good once only, and the answer brings another."""
        self.dpop_nonces = False
        """Whether a DPoP proof must hold a nonce of the service."""
        self.path = ""
        """What every path begins with, and the issuer ends with."""
        self.x_errors = False
        """Whether OAuth 2 refusals use X's words (`invalid_request` for a dead token) instead of RFC 6749's."""

    @property
    def user_id(self) -> int:
        """The number before the access token's first `-`, as X has it; 1 if there is none."""
        prefix = self.user.access_token.partition("-")[0]
        return int(prefix) if prefix.isascii() and prefix.isdigit() and len(prefix) < 20 else 1

    def now(self) -> float:
        """The service's time, in Unix seconds."""
        return self.env.clock() + self.skew

    def issuer(self, request: Request) -> str:
        """The service's name for itself in OAuth 2 (RFC 8414 section 2), by the host that it was called by."""
        return request.origin + self.path

    def outstanding_bearer_token(self) -> Secret:
        """The application's bearer token: one, and the same until it is invalidated."""
        if self.bearer_token is None:
            self.bearer_token = issue_bearer_token(self.env, self._issued)
            self._issued += 1
        return self.bearer_token


def _check_signing(methods: Collection[str], rsa_public_key: str | None) -> None:
    """Now, not in the middle of a test: an error that a request meets is the sandbox's own, and nobody catches it."""
    check_methods(methods)
    if rsa_public_key is not None:
        check_public_key(rsa_public_key)  # and loads what reads it: a sandbox loads nothing while it answers
    elif any(method.startswith("RSA-") for method in methods):
        raise LocalProtocolError("a sandbox that takes RSA signatures needs rsa_public_key, PEM text, to judge them by")
