"""An application's bearer token: obtain it, invalidate it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sansauth.effects import Send, Steps, operation
from sansauth.encoding import Value, encode, requote
from sansauth.errors import LocalProtocolError, RemoteProtocolError, WrongIdentity
from sansauth.http import FORM, Request, Response
from sansauth.identity import App, Identity, OAuth1User, app_of
from sansauth.lifecycle import forget_app_bearer, keep_app_bearer
from sansauth.oauth2.app_only import app_token, basic_credentials, success_object
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.x.presets import X

if TYPE_CHECKING:
    from sansauth.env import Env
    from sansauth.oauth1.unsigned import Unsigned

__all__ = [
    "bearer_token",
    "build_invalidate_request",
    "invalidate_and_forget",
    "invalidate_token",
    "obtain_and_keep",
    "parse_invalidated_token",
    "token",
]


@operation
def token(app: App, *, provider: Provider = X, env: Env | None = None, **options: Value) -> Steps[Secret]:
    """Obtain the application's bearer token (X: POST oauth2/token; RFC 6749 section 4.4).

    X keeps one bearer token per application and answers with the same one until it is invalidated. `options` are
    further form parameters, and may replace `grant_type`; the names `provider` and `env` are reserved (`env` is not
    needed). Raises `UnableToVerifyCredentials`, an `Unauthorized`, when X rejects the consumer key or secret (HTTP 403,
    code 99), and `MissingParameter`, a `BadRequest`, for code 170.
    """
    del env
    return (yield from app_token(app, provider, options))


bearer_token = token


@operation
def obtain_and_keep(app: App, *, provider: Provider = X, env: Env | None = None, **options: Value) -> Steps[Secret]:
    """`token`, after which the application's calls bear this token, unless it was made with one."""
    del env
    obtained: Secret = yield from app_token(app, provider, options)
    if not options:  # whatever other options ask for is not the token that a call would fetch
        yield from keep_app_bearer(app, provider, obtained)
    return obtained


@operation
def invalidate_token(
    identity: App | OAuth1User,
    access_token: str,
    *,
    provider: Provider = X,
    env: Env | None = None,
    auth: Literal["basic", "oauth1"] | None = None,
    **options: Value,
) -> Steps[Secret]:
    """Invalidate an application's bearer token (X: POST oauth2/invalidate_token); gives the invalidated token.

    X's own pages contradict each other on the authentication: an `App` authenticates with Basic, an `OAuth1User` (the
    application's owner) signs and needs `env`; `auth` forces either. The token goes as it was issued into the form
    body, never into the URL, where access logs would keep it. `options` are further form parameters; the names
    `provider`, `env` and `auth` are reserved. Raises `UnableToVerifyCredentials` (403, code 99) or
    `TokenNotInvalidated` (code 348).
    """
    owner, access_token = _owner(identity), _issued(access_token)
    request = _invalidation(access_token, provider, options)
    if _is_basic(owner, auth):
        request = request.with_header("authorization", basic_credentials(app_of(owner)))
        response = yield from Send(request)
    else:
        request, response = yield from _unsigned(request, owner).sent_at_once(provider=provider, env=_required(env))
    return parse_invalidated_token(response, provider, request=request)


@operation
def invalidate_and_forget(
    identity: Identity,
    access_token: str,
    *,
    provider: Provider = X,
    env: Env | None = None,
    auth: Literal["basic", "oauth1"] | None = None,
    **options: Value,
) -> Steps[Secret]:
    """`invalidate_token`, after which the stored token of the application is forgotten if it was this one.

    A token that an `App` was made with is part of that value, and stays.
    """
    owner = _owner(identity)
    access_token = _issued(access_token)
    invalidated = yield from invalidate_token(owner, access_token, provider=provider, env=env, auth=auth, **options)
    # The answer has the token as it was issued and stored, in whatever form it was given here.
    yield from forget_app_bearer(app_of(owner), provider, access_token, invalidated)
    return invalidated


def build_invalidate_request(
    identity: Identity,
    access_token: str,
    *,
    provider: Provider,
    env: Env | None = None,
    auth: Literal["basic", "oauth1"] | None = None,
    options: dict[str, Value] | None = None,
) -> Request:
    """Ask to invalidate `access_token`, which is sent as issued: `%XX` and unreserved characters stay."""
    owner, access_token = _owner(identity), _issued(access_token)
    request = _invalidation(access_token, provider, options)
    if _is_basic(owner, auth):
        return request.with_header("authorization", basic_credentials(app_of(owner)))
    return _unsigned(request, owner).signed(provider=provider, env=_required(env))


def _unsigned(request: Request, owner: App | OAuth1User) -> Unsigned:
    from sansauth.oauth1.unsigned import Unsigned  # here: whoever obtains a token does not pay for a signer

    return Unsigned(request, owner)


def _invalidation(access_token: Secret, provider: Provider, options: dict[str, Value] | None) -> Request:
    further = "&" + encode(options) if options else ""
    headers = {"content-type": FORM, "accept": "*/*"}
    body = f"access_token={requote(access_token)}{further}".encode()
    request = Request("POST", provider.endpoint("invalidate_app_token"), headers, body)
    del body  # a traceback that shows the locals of its frames must not show a token
    return provider.admit(request)


def _is_basic(owner: App | OAuth1User, auth: str | None) -> bool:
    if auth not in {None, "basic", "oauth1"}:
        raise LocalProtocolError('auth= is "basic", "oauth1" or None')
    return auth == "basic" or (auth is None and isinstance(owner, App))


def _required(env: Env | None) -> Env:
    if env is None:
        raise LocalProtocolError("a signed invalidate_token needs env=, for timestamp and nonce; see sansauth.Env")
    return env


def _owner(identity: Identity) -> App | OAuth1User:
    if not isinstance(identity, (App, OAuth1User)):
        raise WrongIdentity("only the application or its owner invalidates a token: pass an App or an OAuth1User")
    return identity


def _issued(access_token: str) -> Secret:
    if not isinstance(access_token, str) or not access_token:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise LocalProtocolError("invalidate_token takes the token as a str that is not empty")
    return Secret(access_token)


def parse_invalidated_token(response: Response, provider: Provider, *, request: Request | None = None) -> Secret:
    """Read the invalidated token; the answer has no `token_type`."""
    invalidated = success_object(response, provider, request=request).get("access_token")
    if not isinstance(invalidated, Secret) or not invalidated:
        raise RemoteProtocolError(f"{provider.name} answered {response.status} without the invalidated access_token")
    return invalidated
