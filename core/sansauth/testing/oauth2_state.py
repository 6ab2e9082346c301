"""What an authorization server knows: its clients and scopes, what it has issued, and what waits for a user."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from sansauth.env import Env
from sansauth.identity import OAuth2Client
from sansauth.oauth2.grants import listed
from sansauth.secret import Secret
from sansauth.testing.oauth2_clients import RegisteredClient, register
from sansauth.testing.oauth2_issued import IssuedTokens
from sansauth.testing.oauth2_issuing import derive, issue_client_id
from sansauth.testing.oauth2_waiting import Waiting

__all__ = ["OFFLINE", "SCOPES", "AuthorizationServer"]

SCOPES = frozenset(
    # X's documentation and its OpenAPI description.
    [
        "tweet.read",
        "tweet.write",
        "tweet.moderate.write",
        "users.read",
        "users.email",
        "follows.read",
        "follows.write",
        "offline.access",
        "space.read",
        "mute.read",
        "mute.write",
        "like.read",
        "like.write",
        "list.read",
        "list.write",
        "block.read",
        "block.write",
        "bookmark.read",
        "bookmark.write",
        "dm.read",
        "dm.write",
        "media.write",
        "timeline.read",
        "broadcast.read",
        "broadcast.write",
        "openid",
        "profile",
        "email",
        "offline_access",
    ]
)

OFFLINE = frozenset({"offline.access", "offline_access"})
"""Those that a refresh token is given for: X's, and OpenID Connect's."""


class AuthorizationServer:
    """The state of OAuth 2. `redirect_uris` are those of the two clients that are there from the beginning."""

    def __init__(
        self, *, env: Env, now: Callable[[], float], redirect_uris: Sequence[str] | None, scopes: Collection[str]
    ) -> None:
        self.scopes = frozenset(listed(scopes))
        """All that there are."""
        self.seed = env.entropy(32)
        """What ids, secrets and keys are derived from."""
        secret = Secret(derive(self.seed, "client secret", 25).hex())
        self.client = OAuth2Client(issue_client_id(self.seed, "confidential"), secret)
        self.public_client = OAuth2Client(issue_client_id(self.seed, "public"))
        self.clients: dict[str, RegisteredClient] = {}
        self.issued = IssuedTokens(env, now)
        self.waiting = Waiting(env, now)
        self.key_generation = 0
        """How often the keys that sign id_tokens were rotated."""
        self.used: dict[str, float] = {}
        """What must not come twice (`jti`), and until when (Unix seconds)."""
        for client in (self.client, self.public_client):
            self.add(client, redirect_uris)

    def lasts(self, scopes: Iterable[str]) -> bool:
        """Whether access of these scopes comes with a refresh token: always, where none is for asking for one."""
        return self.scopes.isdisjoint(OFFLINE) or not OFFLINE.isdisjoint(scopes)

    def add(self, client: OAuth2Client, redirect_uris: Sequence[str] | None = None) -> RegisteredClient:
        """Know one more client, or know it anew."""
        registered = register(client, redirect_uris)
        self.clients[client.client_id] = registered
        return registered
