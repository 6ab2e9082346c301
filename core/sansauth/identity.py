"""Who is calling: one type for each kind of caller, so that the wrong kind cannot be passed unnoticed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from sansauth.errors import WrongIdentity
from sansauth.secret import Secret

__all__ = ["App", "Bearer", "ClientAuth", "Identity", "OAuth1User", "OAuth2Client", "OAuth2User", "app_of", "only_app"]

ClientAuth: TypeAlias = Literal[
    "none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"
]
"""How an OAuth 2 client shows who it is (RFC 6749 section 2.3, RFC 7523 section 2.2; named by RFC 7591 section 2)."""

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class App:
    """The application itself (app-only).

    `bearer_token` is one obtained before; without it the application's own is fetched when a call needs it.
    `rsa_private_key`, PEM text, is for services whose signatures are made with one instead of the secret, which may
    then be empty.
    """

    consumer_key: str
    consumer_secret: str
    bearer_token: str | None = None
    rsa_private_key: str | None = None

    def __post_init__(self) -> None:
        _mask(self, "consumer_secret", "bearer_token", "rsa_private_key")
        _require(self, "consumer_key")
        _require(self, "consumer_secret", empty=True)
        for optional in ("bearer_token", "rsa_private_key"):
            if getattr(self, optional) is not None:
                _require(self, optional)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever holds this bearer token (RFC 6750). Nothing can be fetched or renewed with it."""

    token: str

    def __post_init__(self) -> None:
        _mask(self, "token")
        _require(self, "token")


@dataclass(frozen=True, slots=True)
class OAuth1User:
    """A user of `app`, by OAuth 1.0a token credentials (RFC 5849 section 1.1)."""

    app: App
    access_token: str
    access_token_secret: str

    def __post_init__(self) -> None:
        _mask(self, "access_token", "access_token_secret")
        if not isinstance(self.app, App):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
            raise WrongIdentity(f"OAuth1User takes an App first, not {type(self.app).__name__}")
        _require(self, "access_token")
        _require(self, "access_token_secret", empty=True)


@dataclass(frozen=True, slots=True)
class OAuth2Client:
    """An OAuth 2 client (RFC 6749 section 2): who logs users in, and who calls for itself by client credentials.

    `auth` is its one way to authenticate, used at every endpoint alike; by default "client_secret_basic" with a secret,
    "private_key_jwt" with a private key (PEM text; `key_id` names it to the service), else "none", a public client.

    `dpop_bound_access_tokens` binds every token it gets to a key that is made for it and kept with it (RFC 9449; extra
    `jose`). `scopes` are what it asks for when it calls for itself; `parameters` go along with its every token request,
    such as `resource` (RFC 8707) or `audience`.
    """

    client_id: str
    client_secret: str | None = None
    redirect_uri: str | None = None
    auth: ClientAuth | None = None
    private_key: str | None = None
    key_id: str | None = None
    dpop_bound_access_tokens: bool = False
    scopes: Sequence[str] = ()
    parameters: Mapping[str, str] | Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        _mask(self, "client_secret", "private_key")
        _require(self, "client_id")
        for optional in ("client_secret", "private_key"):
            if getattr(self, optional) is not None:
                _require(self, optional)
        usual = "private_key_jwt" if self.private_key else "client_secret_basic" if self.client_secret else "none"
        chosen = self.auth or usual
        if chosen not in get_args(ClientAuth):
            raise WrongIdentity(f"OAuth2Client takes auth as one of {', '.join(get_args(ClientAuth))}")
        needed = "private_key" if chosen == "private_key_jwt" else "client_secret"
        if chosen != "none" and getattr(self, needed) is None:
            raise WrongIdentity(f"OAuth2Client authenticates by {chosen} and needs a {needed}; is the setting missing?")
        object.__setattr__(self, "auth", chosen)
        object.__setattr__(self, "scopes", _scopes(self.scopes))
        object.__setattr__(self, "parameters", _parameters(self.parameters))


@dataclass(frozen=True, slots=True)
class OAuth2User:
    """A user, by OAuth 2. Their tokens live in the store, under `client` and `account`, and are refreshed when due.

    `account` is a name of the caller's own for the user: a user id, a login name.
    """

    client: OAuth2Client
    account: str

    def __post_init__(self) -> None:
        if not isinstance(self.client, OAuth2Client):  # pyright: ignore[reportUnnecessaryIsInstance]  # without a checker
            raise WrongIdentity(f"OAuth2User takes an OAuth2Client first, not {type(self.client).__name__}")
        _require(self, "account")


Identity: TypeAlias = App | Bearer | OAuth1User | OAuth2Client | OAuth2User


def app_of(identity: Identity) -> App:
    """The application behind an identity; `WrongIdentity` for anything else, a bare `Bearer` too."""
    match identity:
        case App():
            return identity
        case OAuth1User(app=app):
            return app
        case _:
            kind = type(identity).__name__
            raise WrongIdentity(f"this needs the application's consumer key and secret, which a {kind} does not have")


def only_app(identity: object) -> App:
    """The identity if it is an `App`, which acts for itself alone; `WrongIdentity` for any other."""
    if not isinstance(identity, App):
        raise WrongIdentity(f"only the application itself does this: pass an App, not {type(identity).__name__}")
    return identity


def _mask(identity: Identity, *fields: str) -> None:
    # All of them before one is judged: a traceback that shows the locals of its frames shows the half-made identity.
    for field in fields:
        if isinstance(getattr(identity, field), str):
            object.__setattr__(identity, field, Secret(getattr(identity, field)))


def _require(identity: Identity, field: str, *, empty: bool = False) -> None:
    # Not the value: it may be a secret put in the wrong place.
    value, owner = cast("object", getattr(identity, field)), type(identity).__name__
    if not isinstance(value, str):
        raise WrongIdentity(f"{owner} takes {field} as a str, not {type(value).__name__}; is the setting missing?")
    if not value and not empty:
        raise WrongIdentity(f"{owner} takes a {field} that is not empty; is the setting missing?")
    if _SURROGATE.search(value):  # by pattern: a UnicodeEncodeError would have the whole text among its arguments
        raise WrongIdentity(f"{owner} takes {field} as Unicode text; a lone surrogate in it has no UTF-8 encoding")


def _scopes(given: object) -> tuple[str, ...]:
    scopes = (
        (None,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(cast("Iterable[object]", given))
    )
    if not all(isinstance(scope, str) for scope in scopes):
        raise WrongIdentity('OAuth2Client takes scopes as a list of str, such as ["read", "write"]')
    return cast("tuple[str, ...]", scopes)


def _parameters(given: object) -> tuple[tuple[str, str], ...]:
    pairs = cast("Iterable[object]", given.items() if isinstance(given, Mapping) else given)
    checked: list[tuple[str, str]] = []
    for pair in pairs:
        match pair:
            case (str() as name, str() as value):
                checked.append((name, Secret(value)))  # what an application has to send along may be a secret
            case _:
                raise WrongIdentity("OAuth2Client takes parameters as a mapping of str to str, or pairs of str")
    return tuple(checked)
