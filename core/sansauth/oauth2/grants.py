"""Grants: what is traded for tokens at the token endpoint (RFC 6749 section 4, RFC 8693, RFC 7523).

The resource owner password grant and the implicit grant are not here: RFC 9700 section 2.4 forbids the one and section
2.1.2 the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from sansauth.effects import Send, Steps, operation
from sansauth.encoding import Value
from sansauth.env import Env
from sansauth.errors import InvalidParameter, LocalProtocolError, RemoteProtocolError
from sansauth.http import Request
from sansauth.identity import OAuth2Client
from sansauth.oauth2.answer import parse_tokens
from sansauth.oauth2.client_auth import build_client_request
from sansauth.oauth2.dpop import DPoPKey, send_with_proof
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.tokens import OAuth2Tokens

__all__ = [
    "ACCESS_TOKEN_TYPE",
    "Grant",
    "build_token_request",
    "client_credentials",
    "client_credentials_grant",
    "code_grant",
    "exchange_code",
    "exchange_token",
    "grant_by_jwt",
    "join_scopes",
    "jwt_grant",
    "listed",
    "proof_key",
    "refresh",
    "refresh_grant",
    "request_tokens",
    "require_scopes",
    "token_exchange_grant",
]

Grant: TypeAlias = tuple[tuple[str, Value], ...]
"""What is traded, as parameters of a token request; None among the values leaves one out."""

_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # RFC 8693 section 3


# --- any grant -------------------------------------------------------------------------------------------------------


def build_token_request(client: OAuth2Client, grant: Grant, *, provider: Provider, env: Env) -> Request:
    """Ask for tokens (RFC 6749 section 3.2): the client authenticates, its `parameters` go along.

    `parse_tokens` reads the answer.
    """
    if client.parameters:
        named = {name for name, _ in grant}
        grant += tuple((name, value) for name, value in dict(client.parameters).items() if name not in named)
    return build_client_request(provider.endpoint("token"), grant, client, provider, env)


@operation
def request_tokens(
    client: OAuth2Client,
    grant: Grant,
    *,
    provider: Provider,
    env: Env,
    previous: OAuth2Tokens | None = None,
    asked: Iterable[str] | None = None,
    dpop_key: DPoPKey | None = None,
) -> Steps[OAuth2Tokens]:
    """Trade any grant for tokens: what every grant here does, and one of your own.

    `previous` and `asked` as in `parse_tokens`. The tokens are bound to `dpop_key`, by default to that of `previous`,
    and to a new one if the client says that all its tokens are. Raises the `ApiError` of a refusal (`InvalidGrant`,
    `InvalidClient`, `InvalidScope`, ...).
    """
    now = env.clock()  # before the request: a token that seems older than it is is renewed in time

    def build() -> Request:
        return build_token_request(client, grant, provider=provider, env=env)

    key = dpop_key or _key_of(previous) or proof_key(client, env)
    if key is None:
        request = build()
        response = yield from Send(request)
    else:
        request, response = yield from send_with_proof(build(), key, provider=provider, env=env, again=build)
    return parse_tokens(
        response,
        provider,
        now=now,
        request=request,
        previous=previous,
        asked=asked,
        dpop_key=None if key is None else key.private_key,
    )


def proof_key(client: OAuth2Client, env: Env) -> DPoPKey | None:
    """A new key, if the client wants its tokens bound to one (RFC 9449 section 5.2)."""
    return DPoPKey.generate(env) if client.dpop_bound_access_tokens else None


def _key_of(tokens: OAuth2Tokens | None) -> DPoPKey | None:
    return None if tokens is None or tokens.dpop_key is None else DPoPKey(tokens.dpop_key)


# --- the grants ------------------------------------------------------------------------------------------------------


def code_grant(client: OAuth2Client, code: str, verifier: str, *, redirect_uri: str | None = None) -> Grant:
    """An authorization code and its PKCE verifier (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
    return (
        ("grant_type", "authorization_code"),
        ("code", Secret(code)),
        ("redirect_uri", redirect_uri or client.redirect_uri),
        ("code_verifier", Secret(verifier)),
    )


@operation
def exchange_code(
    client: OAuth2Client,
    code: str,
    verifier: str,
    *,
    provider: Provider,
    env: Env,
    redirect_uri: str | None = None,
    asked: Iterable[str] | None = None,
    dpop_key: DPoPKey | None = None,
) -> Steps[OAuth2Tokens]:
    """Trade an authorization code and its PKCE verifier for tokens; `finish_login` does."""
    code, verifier = Secret(code), Secret(verifier)
    grant = code_grant(client, code, verifier, redirect_uri=redirect_uri)
    return (yield from request_tokens(client, grant, provider=provider, env=env, asked=asked, dpop_key=dpop_key))


def refresh_grant(tokens: OAuth2Tokens, *, provider: Provider, scopes: Iterable[str] | None = None) -> Grant:
    """A refresh token (RFC 6749 section 6); `scopes` asks for fewer than were granted."""
    if tokens.refresh_token is None:
        raise LocalProtocolError("these tokens hold no refresh token; ask for the scope that grants one at login")
    scope = join_scopes(scopes, provider)
    return (("grant_type", "refresh_token"), ("refresh_token", tokens.refresh_token), ("scope", scope))


@operation
def refresh(
    client: OAuth2Client,
    tokens: OAuth2Tokens,
    *,
    provider: Provider,
    env: Env,
    scopes: Iterable[str] | None = None,
) -> Steps[OAuth2Tokens]:
    """Trade the refresh token for new tokens. What the answer leaves out stays as it was, the refresh token above all.

    A refresh token may be good once: store the new one. Calls of an `OAuth2User` do all that by themselves.
    """
    scopes = None if scopes is None else listed(scopes)
    grant = refresh_grant(tokens, provider=provider, scopes=scopes)
    return (yield from request_tokens(client, grant, provider=provider, env=env, previous=tokens, asked=scopes))


def client_credentials_grant(
    *, provider: Provider, scopes: Iterable[str] | None = None, further: Mapping[str, Value] | None = None
) -> Grant:
    """The client itself (RFC 6749 section 4.4)."""
    return (("grant_type", "client_credentials"), ("scope", join_scopes(scopes, provider)), *_masked(further))


@operation
def client_credentials(
    client: OAuth2Client,
    *,
    provider: Provider,
    env: Env,
    scopes: Iterable[str] | None = None,
    further: Mapping[str, Value] | None = None,
) -> Steps[OAuth2Tokens]:
    """Obtain tokens for the client itself, by default with its own `scopes`. `further`: `{"audience": ...}`."""
    further = dict(_masked(further))
    asked = listed(scopes) if scopes is not None else tuple(client.scopes) or None
    grant = client_credentials_grant(provider=provider, scopes=asked, further=further)
    return (yield from request_tokens(client, grant, provider=provider, env=env, asked=asked))


def jwt_grant(assertion: str, *, provider: Provider, scopes: Iterable[str] | None = None) -> Grant:
    """A JWT that somebody whom the service trusts has signed (RFC 7523 section 2.1)."""
    return (("grant_type", _JWT_BEARER), ("assertion", Secret(assertion)), ("scope", join_scopes(scopes, provider)))


@operation
def grant_by_jwt(
    client: OAuth2Client, assertion: str, *, provider: Provider, env: Env, scopes: Iterable[str] | None = None
) -> Steps[OAuth2Tokens]:
    """Trade a JWT, such as `bearer_assertion` makes, for tokens."""
    assertion = Secret(assertion)
    scopes = None if scopes is None else listed(scopes)
    grant = jwt_grant(assertion, provider=provider, scopes=scopes)
    return (yield from request_tokens(client, grant, provider=provider, env=env, asked=scopes))


def token_exchange_grant(
    subject_token: str,
    *,
    provider: Provider,
    subject_token_type: str = ACCESS_TOKEN_TYPE,
    scopes: Iterable[str] | None = None,
    further: Mapping[str, Value] | None = None,
) -> Grant:
    """A token that is to become another (RFC 8693 section 2.1)."""
    return (
        ("grant_type", _TOKEN_EXCHANGE),
        ("subject_token", Secret(subject_token)),
        ("subject_token_type", subject_token_type),
        ("scope", join_scopes(scopes, provider)),
        *_masked(further),
    )


@operation
def exchange_token(
    client: OAuth2Client,
    subject_token: str,
    *,
    provider: Provider,
    env: Env,
    subject_token_type: str = ACCESS_TOKEN_TYPE,
    scopes: Iterable[str] | None = None,
    further: Mapping[str, Value] | None = None,
) -> Steps[OAuth2Tokens]:
    """Trade one token for another. `further`: `audience`, `actor_token`, `requested_token_type` and so on.

    What was issued stands in the result's `further["issued_token_type"]`; its `token_type` is "N_A" for what is no
    access token (section 2.2.1).
    """
    subject_token, further = Secret(subject_token), dict(_masked(further))
    scopes = None if scopes is None else listed(scopes)
    grant = token_exchange_grant(
        subject_token, provider=provider, subject_token_type=subject_token_type, scopes=scopes, further=further
    )
    return (yield from request_tokens(client, grant, provider=provider, env=env, asked=scopes))


def _masked(further: Mapping[str, Value] | None) -> Grant:
    return tuple((name, Secret(value) if isinstance(value, str) else value) for name, value in (further or {}).items())


# --- scopes ----------------------------------------------------------------------------------------------------------


def require_scopes(tokens: OAuth2Tokens, *scopes: str) -> OAuth2Tokens:
    """The tokens, if these scopes were granted; `RemoteProtocolError` that names the missing ones if not.

    A service may grant fewer scopes than were asked for, or others, and that is no error (RFC 6749 section 3.3): only
    who needs some insists.
    """
    missing = [scope for scope in scopes if scope not in (tokens.scopes or ())]
    if missing:
        raise RemoteProtocolError(f"the tokens were not granted {', '.join(missing)}; log in again and ask for it")
    return tokens


def listed(scopes: Iterable[str]) -> tuple[str, ...]:
    """Scopes as a tuple; `InvalidParameter` for what are none (RFC 6749 section 3.3), one str above all."""
    if isinstance(scopes, str) or not isinstance(scopes, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameter('scopes are a list, such as ["tweet.read", "users.read"], not one str')
    named = tuple(scopes)
    if not all(isinstance(scope, str) and _SCOPE.fullmatch(scope) for scope in named):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameter("a scope is printable ASCII text without spaces")
    return named


def join_scopes(scopes: Iterable[str] | None, provider: Provider) -> str | None:
    """Scopes as the provider writes them; None for none."""
    return None if scopes is None else provider.quirks.scope_separator.join(listed(scopes)) or None
