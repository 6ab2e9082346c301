"""AwaitingUser: a login that waits for a human, as data.

A login is two operations with this value between them, so that it may be begun in one process and finished in another:
`begin_login` gives one, `finish_login` takes it together with what the user brought back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from sansauth.errors import (
    ForeignCallback,
    InvalidCallback,
    InvalidParameter,
    InvalidURL,
    LocalProtocolError,
    LoginExpired,
)
from sansauth.secret import Secret
from sansauth.url import parse_url

__all__ = ["AwaitingUser", "LoginKind", "checked_scopes", "handed_in", "require_open", "saved_members"]

LoginKind: TypeAlias = Literal["oauth1", "oauth2"]
"""By which protocol the login was begun."""

SCHEMA = 1


@dataclass(frozen=True, slots=True, repr=False)
class AwaitingUser:
    """A login that waits for a human. Send the user to `url`, keep `to_json()` where only this user's session reaches.

    It holds no endpoint but that page and no secret of the application; it does hold `secret`, so its JSON belongs in
    a server-side session, a store, or an encrypted cookie that is bound to the browser.
    """

    kind: LoginKind
    url: str
    """The page that asks the user."""
    expires_at: int
    """Unix seconds; from then on the login is not finished any more."""
    provider: str
    """Where it was begun: the provider's origin (OAuth 1.0a), or its `authority` (OAuth 2)."""
    callback: str
    """Where the service sends the user afterwards; "oob" if it shows a PIN instead (RFC 5849 section 2.1)."""
    reference: str
    """By what the callback names this login: OAuth 1.0a's request token, OAuth 2's `state`."""
    secret: str
    """What shows at the end that it was begun here: the request token's secret, OAuth 2's code verifier."""
    dpop_key: str | None = None
    """The private key that the tokens will be bound to (RFC 9449 section 10); None if to none."""
    scopes: tuple[str, ...] | None = None
    """OAuth 2: those that were asked for."""
    max_age: float | None = None
    """OpenID Connect: how long ago, in seconds, the user may have logged in; None if that was not asked for."""

    def __post_init__(self) -> None:
        for name in ("url", "provider", "callback", "reference", "secret"):
            _require_text(name, getattr(self, name), empty=name == "secret")
        if self.kind not in get_args(LoginKind):
            raise InvalidParameter(f"the kind of a login is one of {', '.join(get_args(LoginKind))}")
        if type(self.expires_at) is not int:
            raise InvalidParameter(f"expires_at is Unix seconds as an int, not {type(self.expires_at).__name__}")
        parse_url(self.url)  # a user is sent there: it must not be a `javascript:` that somebody put into a session
        object.__setattr__(self, "reference", Secret(self.reference))
        object.__setattr__(self, "secret", Secret(self.secret))
        if self.dpop_key is not None:
            _require_text("dpop_key", self.dpop_key, empty=False)
            object.__setattr__(self, "dpop_key", Secret(self.dpop_key))
        if self.scopes is not None:
            object.__setattr__(self, "scopes", checked_scopes(self.scopes))
        if self.max_age is not None and (type(self.max_age) not in (int, float) or not self.max_age >= 0):
            raise InvalidParameter("max_age is a number of seconds, 0 or more")

    def to_json(self) -> str:
        """The login as text, with its secret in it; `from_json` reads it, in another process too."""
        record = {"schema": SCHEMA} | {name: getattr(self, name) for name in _FIELDS}
        record |= {name: value for name in _LATER_FIELDS if (value := getattr(self, name)) is not None}
        return json.dumps(record, separators=(",", ":"))

    @staticmethod
    def from_json(row: str | bytes) -> AwaitingUser:
        """Read what `to_json` wrote; `InvalidCallback` if it is that not, or of a newer schema."""
        awaiting = _read(row)
        if awaiting is None:
            kind = type(row).__name__
            del row  # a traceback that shows the locals of its frames must not show what was saved
            raise InvalidCallback(
                f"this {kind} is no login saved by to_json, schema {SCHEMA}; if the session was lost, begin another"
            )
        return awaiting

    def __reduce__(self) -> tuple[Callable[[str], AwaitingUser], tuple[str]]:
        # By the same versioned text, so that a pickle of another release is refused and never half read.
        return AwaitingUser.from_json, (self.to_json(),)

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name, None)!r}" for name in ("kind", "provider", "expires_at")]
        return f"AwaitingUser({', '.join(shown)}, ***)"


_FIELDS = ("kind", "url", "expires_at", "provider", "callback", "reference", "secret")
_LATER_FIELDS = ("dpop_key", "scopes", "max_age")  # written where there is something to write


def handed_in(awaiting: AwaitingUser) -> AwaitingUser:
    """The login as it was handed in; of anything else its type alone, for `require_open` to refuse.

    Never raises, for the caller's frame shows it: what is most often handed in instead is the saved text.
    """
    return awaiting if isinstance(awaiting, AwaitingUser) else cast("AwaitingUser", type(awaiting))  # pyright: ignore[reportUnnecessaryIsInstance]  # without a checker


def require_open(awaiting: AwaitingUser, kind: LoginKind, *, at: str, now: float) -> None:
    """Raise unless the login may be finished by this protocol, at this provider, at `now` (Unix seconds).

    `at` is what its `provider` must be. `LoginExpired`, `ForeignCallback` for another provider, `InvalidCallback` for
    another protocol.
    """
    if not isinstance(awaiting, AwaitingUser):  # pyright: ignore[reportUnnecessaryIsInstance]  # without a checker
        raise LocalProtocolError(
            f"finish_login takes an AwaitingUser, not {_type_of(awaiting)}; read it with AwaitingUser.from_json"
        )
    if awaiting.kind != kind:
        raise InvalidCallback(f"this login was begun by {awaiting.kind} and cannot be finished by {kind}")
    if now >= awaiting.expires_at:
        raise LoginExpired("this login was begun too long ago and has expired; begin another")
    if awaiting.provider != at:
        raise ForeignCallback(f"this login was begun at {awaiting.provider}, not at {at}")


def _type_of(handed: object) -> str:
    return handed.__name__ if isinstance(handed, type) else type(handed).__name__


def saved_members(row: object, schema: int) -> dict[str, object] | None:
    """The members of a login that was saved as JSON, by this schema; None for anything else."""
    try:
        record = cast("object", json.loads(cast("str", row)))
    except (TypeError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    members = cast("dict[str, object]", record)
    found = members.get("schema")
    return members if type(found) is int and found == schema else None  # True is 1


def _read(row: object) -> AwaitingUser | None:
    members = saved_members(row, SCHEMA)
    if members is None:
        return None
    try:
        return AwaitingUser(*cast("list[str]", [members.get(name) for name in (*_FIELDS, *_LATER_FIELDS)]))  # type: ignore[arg-type]  # it checks
    except (InvalidParameter, InvalidURL):
        return None


def checked_scopes(scopes: object) -> tuple[str, ...]:
    """Scopes as a tuple; `InvalidParameter` for what are none."""
    named = tuple(cast("list[object]", scopes)) if isinstance(scopes, (list, tuple)) else (None,)
    if not all(isinstance(scope, str) for scope in named):
        raise InvalidParameter("scopes are a list of str, or None")
    return cast("tuple[str, ...]", named)


def _require_text(name: str, value: object, *, empty: bool) -> None:
    if not isinstance(value, str) or not (value or empty):
        raise InvalidParameter(f"{name} of a login is a str that is not empty, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        value = Secret(value)
        raise InvalidParameter(f"{name} of a login holds a lone surrogate and cannot be encoded as UTF-8") from None
