"""Who is calling: one type for each kind of caller, so that the wrong kind cannot be passed unnoticed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sansauth.errors import WrongIdentity
from sansauth.secret import Secret

__all__ = ["App", "Bearer", "Identity", "OAuth1User", "app_of", "only_app"]


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
        _require("App", "consumer_key", self.consumer_key)
        _mask(self, "consumer_secret", required=False)
        for optional in ("bearer_token", "rsa_private_key"):
            if getattr(self, optional) is not None:
                _mask(self, optional)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever holds this bearer token (RFC 6750). Nothing can be fetched or renewed with it."""

    token: str

    def __post_init__(self) -> None:
        _mask(self, "token")


@dataclass(frozen=True, slots=True)
class OAuth1User:
    """A user of `app`, by OAuth 1.0a token credentials (RFC 5849 section 1.1)."""

    app: App
    access_token: str
    access_token_secret: str

    def __post_init__(self) -> None:
        if not isinstance(self.app, App):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
            raise WrongIdentity(f"OAuth1User takes an App first, not {type(self.app).__name__}")
        _mask(self, "access_token")
        _mask(self, "access_token_secret", required=False)


Identity: TypeAlias = App | Bearer | OAuth1User


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


def _mask(owner: App | Bearer | OAuth1User, field: str, *, required: bool = True) -> None:
    value = getattr(owner, field)
    _require(type(owner).__name__, field, value, empty=not required)
    object.__setattr__(owner, field, Secret(value))


def _require(owner: str, field: str, value: object, *, empty: bool = False) -> None:
    # Not the value: it may be a secret put in the wrong place.
    if not isinstance(value, str):
        raise WrongIdentity(f"{owner} takes {field} as a str, not {type(value).__name__}; is the setting missing?")
    if not value and not empty:
        raise WrongIdentity(f"{owner} takes a {field} that is not empty; is the setting missing?")
