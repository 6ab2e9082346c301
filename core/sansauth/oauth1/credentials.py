"""Temporary and token credentials, and how they are read from an answer (RFC 5849 sections 2.1 and 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

from sansauth.encoding import decode
from sansauth.errors import InvalidParameter, RemoteProtocolError
from sansauth.http import Request, Response
from sansauth.identity import App, OAuth1User
from sansauth.provider import Provider
from sansauth.refusal import read_refusal, refuse_codes, words_of
from sansauth.secret import Secret

__all__ = ["TemporaryCredentials", "TokenCredentials", "parse_temporary_credentials", "parse_token_credentials"]

_KNOWN = frozenset({"oauth_token", "oauth_token_secret", "user_id", "screen_name"})


@dataclass(frozen=True, slots=True, repr=False)
class TemporaryCredentials:
    """A request token and its secret: good for one login (RFC 5849 section 2.1)."""

    token: str
    secret: str

    def __post_init__(self) -> None:
        _mask(self, "token", "secret")

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
        _mask(self, "access_token", "access_token_secret")
        object.__setattr__(self, "others", tuple((str(name), Secret(value)) for name, value in self.others))

    def user(self, app: App) -> OAuth1User:
        """The identity that makes calls with them; `app` is the application they were issued to."""
        return OAuth1User(app, self.access_token, self.access_token_secret)

    def __repr__(self) -> str:
        return f"TokenCredentials(***, user_id={self.user_id!r}, screen_name={self.screen_name!r})"


def _mask(owner: TemporaryCredentials | TokenCredentials, *names: str) -> None:
    """`InvalidParameter`, without the value, for what is no str: a None out of a database would become `None`."""
    for name in names:
        value: object = getattr(owner, name)
        if not isinstance(value, str):
            kind = type(value).__name__
            del value  # a traceback that shows locals would show it
            raise InvalidParameter(f"{type(owner).__name__} takes {name} as a str, not {kind}")
        object.__setattr__(owner, name, Secret(value))


def parse_temporary_credentials(
    response: Response, provider: Provider, *, request: Request | None = None
) -> TemporaryCredentials:
    """Read a request token (RFC 5849 section 2.1): a form, whatever the content type says.

    Raises the `ApiError` of a refusal, and `RemoteProtocolError` for a success that is none: a part missing or there
    twice, or a callback that the service does not confirm.
    """
    pairs = _read_form(response, provider, request)
    _check_complete(pairs, f"{provider.name} answered {response.status} with a request token", response, request)
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
    _check_complete(pairs, f"{provider.name} answered {response.status} with an access token", response, request)
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


def _check_complete(pairs: list[tuple[Secret, Secret]], what: str, response: Response, request: Request | None) -> None:
    """`RemoteProtocolError`, which begins with `what`, unless there is one token and one secret."""
    tokens = _values(pairs, "oauth_token")
    if not tokens:
        # A page or a sentence, with a status of success: MediaWiki and others report errors so.
        kind, said = response.media_type or "no content type", words_of(response, request=request)
        raise RemoteProtocolError(
            f"{what} that is none: {len(response.body)} bytes ({kind}) without oauth_token"
            + (f', which say "{said}"' if said else "")
        )
    if len(tokens) != 1 or not tokens[0]:
        raise RemoteProtocolError(f"{what} that is empty or there twice (oauth_token)")
    # The secret may be empty: RFC 5849 section 3.4.2 makes a key of it all the same, RSA needs none.
    if len(_values(pairs, "oauth_token_secret")) != 1:
        raise RemoteProtocolError(f"{what} whose secret is missing or there twice (oauth_token_secret)")


def _values(pairs: list[tuple[Secret, Secret]], name: str) -> list[Secret]:
    return [value for found, value in pairs if found == name]


def _optional(pairs: list[tuple[Secret, Secret]], name: str) -> str | None:
    values = _values(pairs, name)
    return str(values[0]) or None if len(values) == 1 else None  # there twice, it says nothing
