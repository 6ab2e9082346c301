"""Temporary and token credentials, and how they are read from an answer (RFC 5849 sections 2.1 and 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

from sansauth.encoding import decode
from sansauth.errors import RemoteProtocolError
from sansauth.http import Request, Response
from sansauth.identity import App, OAuth1User
from sansauth.provider import Provider
from sansauth.refusal import read_refusal, refuse_codes
from sansauth.secret import Secret

__all__ = ["TemporaryCredentials", "TokenCredentials", "parse_temporary_credentials", "parse_token_credentials"]

_KNOWN = frozenset({"oauth_token", "oauth_token_secret", "user_id", "screen_name"})


@dataclass(frozen=True, slots=True, repr=False)
class TemporaryCredentials:
    """A request token and its secret: good for one login (RFC 5849 section 2.1)."""

    token: str
    secret: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", Secret(self.token))
        object.__setattr__(self, "secret", Secret(self.secret))

    def __repr__(self) -> str:
        return "TemporaryCredentials(***)"


@dataclass(frozen=True, slots=True, repr=False)
class TokenCredentials:
    """A user's access token and its secret, as issued, and whose they are (RFC 5849 section 2.3)."""

    access_token: str
    access_token_secret: str
    user_id: str | None = None
    """The user's number, if the service said it."""
    screen_name: str | None = None
    """The user's name at that time, if the service said it."""
    others: tuple[tuple[str, str], ...] = ()
    """What else the answer held, as decoded pairs in its order; `dict(credentials.others)` finds one by its name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "access_token", Secret(self.access_token))
        object.__setattr__(self, "access_token_secret", Secret(self.access_token_secret))
        object.__setattr__(self, "others", tuple((str(name), Secret(value)) for name, value in self.others))

    def user(self, app: App) -> OAuth1User:
        """The identity that makes calls with them; `app` is the application they were issued to."""
        return OAuth1User(app, self.access_token, self.access_token_secret)

    def __repr__(self) -> str:
        return f"TokenCredentials(***, user_id={self.user_id!r}, screen_name={self.screen_name!r})"


def parse_temporary_credentials(
    response: Response, provider: Provider, *, request: Request | None = None
) -> TemporaryCredentials:
    """Read a request token (RFC 5849 section 2.1): a form, whatever the content type says.

    Raises the `ApiError` of a refusal, and `RemoteProtocolError` for a success that is none: a part missing or there
    twice, or a callback that the service does not confirm.
    """
    pairs = _read_form(response, provider, request)
    missing = _missing(pairs)
    if missing:
        raise RemoteProtocolError(f"{provider.name} answered {response.status} with a request token {missing}")
    if _values(pairs, "oauth_callback_confirmed") != ["true"]:
        raise RemoteProtocolError(
            f"{provider.name} answered {response.status} without oauth_callback_confirmed=true; it speaks OAuth 1.0, "
            "whose logins can be hijacked, and not 1.0a"
        )
    return TemporaryCredentials(_values(pairs, "oauth_token")[0], _values(pairs, "oauth_token_secret")[0])


def parse_token_credentials(
    response: Response, provider: Provider, *, request: Request | None = None, request_token: str | None = None
) -> TokenCredentials:
    """Read an access token (RFC 5849 section 2.3): a form, whatever the content type says.

    Raises the `ApiError` of a refusal, and `RemoteProtocolError` for a success that is none: a part missing or there
    twice, or the `request_token` again.
    """
    if request_token is not None:
        request_token = Secret(request_token)
    pairs = _read_form(response, provider, request)
    missing = _missing(pairs)
    if missing:
        raise RemoteProtocolError(f"{provider.name} answered {response.status} with an access token {missing}")
    token = _values(pairs, "oauth_token")[0]
    if token == request_token:
        raise RemoteProtocolError(f"{provider.name} answered {response.status} with the request token for access token")
    return TokenCredentials(
        token,
        _values(pairs, "oauth_token_secret")[0],
        user_id=_optional(pairs, "user_id"),
        screen_name=_optional(pairs, "screen_name"),
        others=tuple(pair for pair in pairs if pair[0] not in _KNOWN),
    )


def _read_form(response: Response, provider: Provider, request: Request | None) -> list[tuple[Secret, Secret]]:
    """The pairs of a successful answer. Secrets, names too: what is no form has its text there."""
    if not 200 <= response.status < 300:
        raise read_refusal(response, provider, request=request)
    refuse_codes(response, provider, request=request)
    return [(Secret(name), Secret(value)) for name, value in decode(response.text.strip())]


def _missing(pairs: list[tuple[Secret, Secret]]) -> str:
    # The secret may be empty: RFC 5849 section 3.4.2 makes a key of it all the same, RSA needs none.
    if len(_values(pairs, "oauth_token")) != 1 or not _values(pairs, "oauth_token")[0]:
        return "that is missing, empty or there twice (oauth_token)"
    if len(_values(pairs, "oauth_token_secret")) != 1:
        return "whose secret is missing or there twice (oauth_token_secret)"
    return ""


def _values(pairs: list[tuple[Secret, Secret]], name: str) -> list[Secret]:
    return [value for found, value in pairs if found == name]


def _optional(pairs: list[tuple[Secret, Secret]], name: str) -> str | None:
    values = _values(pairs, name)
    return str(values[0]) or None if len(values) == 1 else None  # there twice, it says nothing
