"""What an X-like service knows: its one application, its one user, its clock, and what it has issued and counted."""

from __future__ import annotations

from collections.abc import Sequence

from sansauth.env import Env
from sansauth.identity import App, OAuth1User
from sansauth.secret import Secret
from sansauth.testing.issued_tokens import IssuedTokens
from sansauth.testing.issuing import issue_bearer_token
from sansauth.testing.oauth1_server import SignatureServer
from sansauth.testing.rate_windows import RateWindows

__all__ = ["Service"]


class Service:
    """The state that the endpoints read and change. It takes no lock: several threads need one of their own."""

    def __init__(
        self,
        user: OAuth1User,
        *,
        env: Env,
        followers: Sequence[int],
        timestamp_tolerance: float,
        callbacks: Sequence[str] | None,
        xauth_password: str | None,
    ) -> None:
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
        self.tokens = IssuedTokens(user, env=env, now=self.now)
        self.signatures = SignatureServer(self.tokens.access_secrets, now=self.now, tolerance=timestamp_tolerance)
        """Judges calls: signed with an access token, or by the application alone."""
        self.login_signatures = SignatureServer(
            self.tokens.request_secrets, now=self.now, tolerance=timestamp_tolerance
        )
        """Judges the exchange of a request token."""
        self.windows = RateWindows()
        self._issued = 0

    @property
    def user_id(self) -> int:
        """The number before the access token's first `-`, as X has it; 1 if there is none."""
        prefix = self.user.access_token.partition("-")[0]
        return int(prefix) if prefix.isascii() and prefix.isdigit() and len(prefix) < 20 else 1

    def now(self) -> float:
        """The service's time, in Unix seconds."""
        return self.env.clock() + self.skew

    def outstanding_bearer_token(self) -> Secret:
        """The application's bearer token: one, and the same until it is invalidated."""
        if self.bearer_token is None:
            self.bearer_token = issue_bearer_token(self.env, self._issued)
            self._issued += 1
        return self.bearer_token
