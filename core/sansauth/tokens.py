"""OAuth 2's tokens and their stored form: JSON with a schema version, one record a key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from sansauth.encoding import quote
from sansauth.errors import InvalidParameter, StoreError
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.provider import Provider
from sansauth.secret import Secret

__all__ = ["LEEWAY_SECONDS", "OAuth2Tokens", "oauth2_tokens_key"]

SCHEMA = 1
LEEWAY_SECONDS = 60.0  # before its end, a token is renewed
LEEWAY_SHARE = 0.1  # of its life, at most: a token that was just issued is always usable


@dataclass(frozen=True, slots=True, repr=False)
class OAuth2Tokens:
    """What a token endpoint issued (RFC 6749 section 5.1). Times are Unix seconds; None where the service was silent.

    `scopes` are those that were granted, which may be others than were asked for; `require_scopes` insists. `dpop_key`
    is the private key that tokens of type "DPoP" are bound to, and of no use without (RFC 9449; `DPoPKey.private_key`).
    """

    access_token: str
    token_type: str = "Bearer"
    issued_at: float | None = None
    expires_at: float | None = None
    refresh_token: str | None = None
    scopes: tuple[str, ...] | None = None
    id_token: str | None = None
    dpop_key: str | None = None

    def __post_init__(self) -> None:
        for name in ("access_token", "refresh_token", "id_token", "dpop_key"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, Secret(value))
        if (self.token_type.lower() == "dpop") != (self.dpop_key is not None):
            raise InvalidParameter('tokens of token_type "DPoP" have a dpop_key, and no other tokens have one')

    def is_due(self, now: float) -> bool:
        """Whether it is time for new ones: shortly before they expire, and never just after they were issued."""
        if self.expires_at is None:
            return False
        life = LEEWAY_SECONDS / LEEWAY_SHARE if self.issued_at is None else self.expires_at - self.issued_at
        return now >= self.expires_at - min(LEEWAY_SECONDS, max(life, 0.0) * LEEWAY_SHARE)

    def is_expired(self, now: float) -> bool:
        """Whether the access token has ended."""
        return self.expires_at is not None and now >= self.expires_at

    def to_bytes(self) -> bytes:
        """The record as the store keeps it."""
        record = {"schema": SCHEMA, "kind": "oauth2-tokens", **{name: getattr(self, name) for name in _TOKEN_FIELDS}}
        if self.dpop_key is not None:
            record["dpop_key"] = self.dpop_key
        return json.dumps(record, separators=(",", ":")).encode()

    @staticmethod
    def from_bytes(data: bytes) -> OAuth2Tokens:
        """Read a record; `StoreError` if it is none of ours, or of a newer schema."""
        size = len(data)
        tokens = _read_tokens(data)
        if tokens is None:
            del data  # a traceback that shows the locals of its frames must not show a token
            raise StoreError(
                f"the stored record ({size} bytes) is no oauth2-tokens of schema {SCHEMA}; it was left as it is"
            )
        return tokens

    def __repr__(self) -> str:
        return f"OAuth2Tokens(***, expires_at={self.expires_at!r}, scopes={self.scopes!r})"


def oauth2_tokens_key(holder: OAuth2User | OAuth2Client, provider: Provider) -> str:
    """The key of a user's tokens, or of those a client has for itself: provider's origin, client and account."""
    if isinstance(holder, OAuth2Client):
        return f"oauth2-client/{quote(provider.origin)}/{quote(holder.client_id)}"
    return f"oauth2/{quote(provider.origin)}/{quote(holder.client.client_id)}/{quote(holder.account)}"


_LATEST = 10**15  # Unix seconds, of any time that means something
_TOKEN_FIELDS = ("access_token", "token_type", "issued_at", "expires_at", "refresh_token", "scopes", "id_token")


def _read_tokens(data: bytes) -> OAuth2Tokens | None:
    try:
        record = cast("object", json.loads(data))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    members = cast("dict[str, object]", record)
    match members:
        case {
            "schema": 1,
            "kind": "oauth2-tokens",
            "access_token": str(access),
            "token_type": str(kind),
            "issued_at": None | int() | float() as issued,
            "expires_at": None | int() | float() as expires,
            "refresh_token": None | str() as refresh,
            "scopes": None | list(),
            "id_token": None | str() as identity,
        } if _is_time(issued) and _is_time(expires):
            scopes = cast("list[object] | None", members["scopes"])
            if not all(isinstance(scope, str) for scope in scopes or ()):
                return None
            granted = None if scopes is None else tuple(cast("list[str]", scopes))
            key = members.get("dpop_key")
            if not isinstance(key, str | None) or (kind.lower() == "dpop") != (key is not None):
                return None
            return OAuth2Tokens(access, kind, issued, expires, refresh, granted, identity, key)
        case _:
            return None


def _is_time(value: float | None) -> bool:
    # A comparison that NaN fails, and that an int of any length bears; True is an int, and no time.
    return value is None or (not isinstance(value, bool) and abs(value) < _LATEST)
