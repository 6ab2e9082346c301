"""Ask a service about a token: whether it is alive, whose it is, what it may (RFC 7662)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from sansauth.effects import Send, Steps, operation
from sansauth.env import Env
from sansauth.errors import RemoteProtocolError
from sansauth.http import Request, Response
from sansauth.identity import OAuth2Client
from sansauth.oauth2.answer import read_scopes
from sansauth.oauth2.app_only import success_object
from sansauth.oauth2.bearing import issued_token
from sansauth.oauth2.client_auth import build_client_request
from sansauth.oauth2.revocation import TokenHint, token_form
from sansauth.provider import Provider

__all__ = ["Introspection", "build_introspect_request", "introspect", "parse_introspection"]

_LATEST = 10**12  # Unix seconds, of any time that means something


@dataclass(frozen=True, slots=True)
class Introspection:
    """What a service says of a token (RFC 7662 section 2.2). Times are Unix seconds; None where it was silent.

    Of a token that is not active nothing else is told, whatever the service said. `aud` is always a tuple. `further`
    has the service's own members by name, all texts in them masked in a repr; `username` and `sub`, which say who
    somebody is, are no part of it.
    """

    active: bool
    scopes: tuple[str, ...] | None = None
    client_id: str | None = None
    username: str | None = field(default=None, repr=False)
    token_type: str | None = None
    exp: float | None = None
    iat: float | None = None
    nbf: float | None = None
    sub: str | None = field(default=None, repr=False)
    aud: tuple[str, ...] = ()
    iss: str | None = None
    jti: str | None = None
    further: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)


@operation
def introspect(
    client: OAuth2Client, token: str, *, provider: Provider, env: Env, hint: TokenHint | None = None
) -> Steps[Introspection]:
    """Ask about a token (RFC 7662 section 2). Check `aud` and `iss` before you trust a token that was sent to you.

    Raises the `ApiError` of a refusal, and `RemoteProtocolError` for an answer that does not say whether it is active.
    """
    token = issued_token(token)
    request = build_introspect_request(client, token, provider=provider, env=env, hint=hint)
    response = yield from Send(request)
    return parse_introspection(response, provider, request=request)


def build_introspect_request(
    client: OAuth2Client, token: str, *, provider: Provider, env: Env, hint: TokenHint | None = None
) -> Request:
    """Ask about a token (RFC 7662 section 2.1); the client authenticates as everywhere."""
    token = issued_token(token)
    return build_client_request(provider.endpoint("introspection"), token_form(token, hint), client, provider, env)


def parse_introspection(response: Response, provider: Provider, *, request: Request | None = None) -> Introspection:
    """Read what is said of a token (RFC 7662 section 2.2).

    A known member of a wrong type is a `RemoteProtocolError`: an `exp` that cannot be read must not mean "for ever".
    """
    answer = success_object(response, provider, request=request)
    active = answer.pop("active", None)
    if not isinstance(active, bool):
        raise RemoteProtocolError(f"{provider.name} answered {response.status} without active as true or false")
    if not active:
        return Introspection(active=False)
    try:
        return Introspection(
            active=True,
            scopes=_scopes(answer.pop("scope", None)),
            client_id=_text("client_id", answer),
            username=_text("username", answer),
            token_type=_text("token_type", answer),
            exp=_time("exp", answer),
            iat=_time("iat", answer),
            nbf=_time("nbf", answer),
            sub=_text("sub", answer),
            aud=_audience(answer.pop("aud", None)),
            iss=_text("iss", answer),
            jti=_text("jti", answer),
            further=answer,
        )
    except _Mistyped as wrong:
        name = str(wrong)
    raise RemoteProtocolError(f"{provider.name} answered {response.status} with a {name} that cannot be read")


class _Mistyped(Exception):
    """A member of a wrong type; its argument is the member's name."""


def _text(name: str, answer: dict[str, object]) -> str | None:
    value = answer.pop(name, None)
    if value is not None and not isinstance(value, str):
        raise _Mistyped(name)
    return None if value is None else str(value)


def _time(name: str, answer: dict[str, object]) -> float | None:
    value = answer.pop(name, None)
    if value is None:
        return None
    # A comparison that NaN fails, and that an int of any length bears.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LATEST:
        raise _Mistyped(name)
    return value


def _scopes(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, (str, list)):
        raise _Mistyped("scope")
    return read_scopes(cast("object", value)) or ()


def _audience(value: object) -> tuple[str, ...]:
    """`aud` is one text or several (RFC 7519 section 4.1.3)."""
    if value is None:
        return ()
    named: list[object] = [*value] if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in named):
        raise _Mistyped("aud")
    return tuple(str(one) for one in named)
