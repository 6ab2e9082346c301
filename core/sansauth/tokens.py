"""OAuth 2's tokens and their stored form: JSON with a schema version, one record a key."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast

from sansauth.encoding import quote, unquote
from sansauth.errors import InvalidParameter, StoreError
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.provider import Provider
from sansauth.secret import Secret, SecretBytes

__all__ = ["LEEWAY_SECONDS", "Account", "Death", "OAuth2Tokens", "account_of", "oauth2_tokens_key"]

SCHEMA = 1
LEEWAY_SECONDS = 60.0  # before its end, a token is renewed
LEEWAY_SHARE = 0.1  # of its life, at most: a token that was just issued is always usable
_LATEST = 10**15  # Unix seconds, of any time that means something
_PARSED = 256  # records kept as read: the same one is read for every call


class Account(NamedTuple):
    """A user whose tokens are stored: the provider's `authority`, the client's id, the caller's name for the user."""

    authority: str
    client_id: str
    account: str


class Death(NamedTuple):
    """When (Unix seconds), and in what words, the service said that a refresh token is dead."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class OAuth2Tokens:
    """What a token endpoint issued (RFC 6749 section 5.1). Times are Unix seconds; None where the service was silent.

    `scopes` are those that were granted, which may be others than were asked for; `require_scopes` insists. `dpop_key`
    is the private key that tokens of type "DPoP" are bound to, and of no use without (RFC 9449; `DPoPKey.private_key`).
    `further` are all other members of the answer, by name. `death` is set, in the stored record, once the refresh token
    is known to be dead: then only a login gets new tokens. `InvalidParameter` for what cannot be tokens.
    """

    access_token: str
    token_type: str = "Bearer"
    issued_at: float | None = None
    expires_at: float | None = None
    refresh_token: str | None = None
    scopes: tuple[str, ...] | None = None
    id_token: str | None = None
    dpop_key: str | None = None
    further: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)
    death: Death | None = None

    def __post_init__(self) -> None:
        for name in _SECRETS:
            value = getattr(self, name)
            if (value is not None or name == "access_token") and not (type(value) is Secret and value):
                object.__setattr__(self, name, _secret(name, value))
        if not _is_time(self.issued_at) or not _is_time(self.expires_at):
            raise InvalidParameter("issued_at and expires_at are Unix seconds as a finite number, or None")
        if self.scopes is not None and not (type(self.scopes) is tuple and {*map(type, self.scopes)} <= {str}):
            object.__setattr__(self, "scopes", _scopes(self.scopes))
        if not isinstance(self.token_type, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # without a checker
            raise InvalidParameter(f"token_type is a str, not {type(self.token_type).__name__}")
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

    def is_same_generation(self, other: OAuth2Tokens) -> bool:
        """Whether both came with the same answer, whatever has become known of them since."""
        return (self.access_token, self.refresh_token) == (other.access_token, other.refresh_token)

    def died(self, at: float, reason: str) -> OAuth2Tokens:
        """The same tokens, with the word that their refresh token is dead."""
        return replace(self, death=Death(at, reason))

    def to_bytes(self) -> bytes:
        """The record as the store keeps it; `InvalidParameter` if `further` holds what JSON cannot say."""
        record: dict[str, object] = {"schema": SCHEMA, "kind": "oauth2-tokens"}
        record |= {name: getattr(self, name) for name in _MEMBERS}
        record |= {name: value for name in _LATER_MEMBERS if (value := getattr(self, name))}
        try:
            return SecretBytes(json.dumps(record, separators=(",", ":")).encode())
        except (TypeError, ValueError, RecursionError):
            del record  # a traceback that shows the locals of its frames must not show a token
        raise InvalidParameter("further of tokens is what JSON can say: texts, numbers, lists and objects of them")

    @staticmethod
    def from_bytes(data: bytes) -> OAuth2Tokens:
        """Read a record; `StoreError` if it is none of ours, or of a newer schema."""
        size = len(data)
        tokens = _read_tokens(data)
        if tokens is None:
            del data  # as above
            raise StoreError(
                f"the stored record ({size} bytes) is no oauth2-tokens of schema {SCHEMA}; it was left as it is"
            )
        return tokens

    def __repr__(self) -> str:
        dead = "" if self.death is None else ", dead"
        return f"OAuth2Tokens(***, expires_at={self.expires_at!r}, scopes={self.scopes!r}{dead})"


_SECRETS = ("access_token", "refresh_token", "id_token", "dpop_key")
_MEMBERS = ("access_token", "token_type", "issued_at", "expires_at", "refresh_token", "scopes", "id_token")
_LATER_MEMBERS = ("dpop_key", "further", "death")  # written where there is something to write


def oauth2_tokens_key(holder: OAuth2User | OAuth2Client, provider: Provider) -> str:
    """The key of a user's tokens, or of those a client has for itself: whose tokens they are, client and account.

    A client that asks for other scopes, or for another audience, gets other tokens.
    """
    if isinstance(holder, OAuth2User):
        return f"oauth2/{quote(provider.authority)}/{quote(holder.client.client_id)}/{quote(holder.account)}"
    asked = json.dumps([holder.scopes, holder.parameters]) if holder.scopes or holder.parameters else ""
    which = f"/{hashlib.sha256(asked.encode()).hexdigest()[:32]}" if asked else ""  # parameters may be secret
    return f"oauth2-client/{quote(provider.authority)}/{quote(holder.client_id)}{which}"


def account_of(key: str) -> Account | None:
    """The user whose tokens are stored under a key; None if it is no key of a user's tokens."""
    kind, *parts = key.split("/")
    if kind != "oauth2" or len(parts) != 3:
        return None
    return Account(*(unquote(part).decode("utf-8", "replace") for part in parts))


@functools.lru_cache(maxsize=_PARSED)
def _read_tokens(data: bytes) -> OAuth2Tokens | None:
    try:
        record = cast("object", json.loads(data))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    members = cast("dict[str, object]", record)
    schema = members.get("schema")
    if type(schema) is not int or schema != SCHEMA or members.get("kind") != "oauth2-tokens":  # True is 1
        return None
    if not members.keys() >= _REQUIRED:
        return None
    death = members.get("death")
    fields = {name: members[name] for name in (*_MEMBERS, *_LATER_MEMBERS) if name in members}
    fields |= {"death": None if death is None else _death(death)}
    if not isinstance(fields.get("further", {}), dict) or (death is not None and fields["death"] is None):
        return None
    try:
        return OAuth2Tokens(**fields)  # type: ignore[arg-type]  # it checks
    except InvalidParameter:
        return None


_REQUIRED = frozenset(_MEMBERS)


def _death(value: object) -> Death | None:
    match value:
        case [int() | float() as at, str() as reason] if _is_time(at):
            return Death(at, reason)
        case _:
            return None


def _secret(name: str, value: object) -> Secret:
    if not isinstance(value, str) or not value:
        raise InvalidParameter(f"{name} of tokens is a str that is not empty, not {type(value).__name__}")
    return Secret(value)


def _scopes(value: object) -> tuple[str, ...]:
    named = tuple(cast("list[object] | tuple[object, ...]", value)) if isinstance(value, (list, tuple)) else (None,)
    if not all(isinstance(one, str) for one in named):
        raise InvalidParameter('scopes of tokens are a tuple of str, such as ("tweet.read",), or None')
    return cast("tuple[str, ...]", named)


def _is_time(value: object) -> bool:
    # A comparison that NaN fails, and that an int of any length bears; True is an int, and no time.
    if value is None or type(value) is bool:
        return value is None
    return isinstance(value, (int, float)) and -_LATEST < value < _LATEST
