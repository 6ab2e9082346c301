"""The authorised call: the identity picks the scheme, the answer is judged."""

from __future__ import annotations

from sansauth.effects import Send, Steps, Timeouts, operation
from sansauth.env import Env
from sansauth.errors import ApiError, InvalidOrExpiredToken, UnsupportedAuthentication, WrongIdentity
from sansauth.http import Request, Response
from sansauth.identity import App, Bearer, Identity, OAuth1User
from sansauth.lifecycle import app_bearer
from sansauth.oauth1 import sign
from sansauth.provider import Provider
from sansauth.refusal import read_refusal

__all__ = ["authorise", "authorise_held", "call", "held_credentials", "is_renewable", "judge", "require_identity"]

_NOT_MODIFIED = 304


@operation
def call(
    request: Request, identity: Identity, *, provider: Provider, env: Env, timeouts: Timeouts | None = None
) -> Steps[Response]:
    """Send `request` as `identity`, and return the answer if it is a success.

    `OAuth1User` signs (RFC 5849); `Bearer` and `App` bear their token (RFC 6750), and an `App` without one fetches it
    once. When the service says that the app's own fetched token is invalid, a new one is fetched, once. Raises
    `ApiError` for a refusal, `ForeignHost` before anything is sent to a host that is not the provider's.
    """
    signed = yield from authorise(request, identity, provider=provider, env=env)
    response = yield from Send(signed, timeouts)
    if is_renewable(response, identity, provider):
        signed = yield from authorise(request, identity, provider=provider, env=env, rejected=signed)
        response = yield from Send(signed, timeouts)
    return judge(response, identity, provider, request=signed)


@operation
def authorise(
    request: Request, identity: Identity, *, provider: Provider, env: Env, rejected: Request | None = None
) -> Steps[Request]:
    """The request with the identity's credentials, fetched if they must be.

    `rejected` is the authorised request that the service refused, if `is_renewable` said so: its token is replaced.
    """
    provider.admit(request)
    if isinstance(identity, App):
        stale = rejected.headers["authorization"].removeprefix("Bearer ") if rejected is not None else None
        token = yield from app_bearer(identity, provider, rejected=stale)
        identity = Bearer(token)
    return authorise_held(request, identity, provider=provider, env=env)


def authorise_held(request: Request, identity: Identity, *, provider: Provider, env: Env) -> Request:
    """The request with credentials the identity already holds; `WrongIdentity` for an `App` without a bearer token."""
    provider.admit(request)
    match held_credentials(identity):
        case Bearer(token=token):
            return request.with_header("authorization", f"Bearer {token}")
        case user:
            return sign(request, user, timestamp=env.timestamp(), nonce=env.nonce())


def held_credentials(identity: Identity) -> Bearer | OAuth1User:
    """What the identity needs nobody for; `WrongIdentity` for an `App` without a bearer token, and for no identity."""
    require_identity(identity)
    if not isinstance(identity, App):
        return identity
    if identity.bearer_token is None:
        raise WrongIdentity("this App holds no bearer_token; use a client's auth, which fetches one, or give it one")
    return Bearer(identity.bearer_token)


def require_identity(identity: object) -> None:
    """`WrongIdentity` for whatever is none, such as a bare token."""
    if not isinstance(identity, Identity):
        raise WrongIdentity(f"a call is made as App, Bearer or OAuth1User, not as {type(identity).__name__}")


def is_renewable(response: Response, identity: Identity, provider: Provider) -> bool:
    """Whether the answer refuses a token that this identity can replace: the app's own, fetched, now invalid."""
    if response.status != 401 or not isinstance(identity, App) or identity.bearer_token is not None:
        return False
    return isinstance(read_refusal(response, provider), InvalidOrExpiredToken)


def judge(response: Response, identity: Identity, provider: Provider, *, request: Request) -> Response:
    """The response, if it is a success (2xx, or 304 to a conditional request); else raises its `ApiError`."""
    if 200 <= response.status < 300 or response.status == _NOT_MODIFIED:
        return response
    error: ApiError = read_refusal(response, provider, request=request)
    if isinstance(error, UnsupportedAuthentication):
        hint = f"The call was made as {_kind_of(identity)}; use an identity of a kind the endpoint accepts."
        raise read_refusal(response, provider, request=request, hint=hint)
    raise error


def _kind_of(identity: Identity) -> str:
    match identity:
        case App():
            return "an App (application-only bearer token)"
        case OAuth1User():
            return "an OAuth1User (OAuth 1.0a user context)"
        case _:
            return "a Bearer token"
