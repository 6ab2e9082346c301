"""What Authlib leaves to its users: clients, codes and tokens, in memory and by the letter of the RFCs.

A client authenticates by its one method at every endpoint.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin

from sansauth.identity import OAuth2Client


@dataclass
class Client(ClientMixin):
    """A client as the server knows it."""

    known: OAuth2Client
    scopes: tuple[str, ...] = ("read", "write", "offline")
    grants: tuple[str, ...] = ("authorization_code", "refresh_token", "client_credentials")

    @property
    def client_id(self) -> str:
        return self.known.client_id

    def get_client_id(self) -> str:
        return self.known.client_id

    def get_default_redirect_uri(self) -> str | None:
        return self.known.redirect_uri

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(one for one in (scope or "").split() if one in self.scopes)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.known.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.known.client_secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.known.auth

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grants


@dataclass
class Code(AuthorizationCodeMixin):
    """An authorization code, as issued."""

    code: str
    client_id: str
    redirect_uri: str | None
    scope: str
    user: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str | None:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class Token(TokenMixin):
    """An access token with its refresh token, as issued."""

    client: Client
    user: str | None
    access_token: str
    token_type: str
    expires_in: int
    scope: str = ""
    refresh_token: str | None = None
    issued_at: float = field(default_factory=time.time)
    revoked: bool = False
    refresh_revoked: bool = False

    def check_client(self, client: Client) -> bool:
        return self.client is client

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return self.expires_in

    def is_expired(self) -> bool:
        return time.time() >= self.issued_at + self.expires_in

    def is_revoked(self) -> bool:
        return self.revoked

    def get_user(self) -> str | None:
        return self.user

    def get_client(self) -> Client:
        return self.client


@dataclass
class Memory:
    """What the server knows."""

    clients: dict[str, Client]
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)

    def by_access_token(self, text: str) -> Token | None:
        return next((token for token in self.tokens if token.access_token == text), None)

    def by_refresh_token(self, text: str) -> Token | None:
        return next((one for one in self.tokens if one.refresh_token == text and not one.refresh_revoked), None)
