"""The authorised call: the identity picks the scheme, the answer is judged."""

from __future__ import annotations

from sansauth.effects import Send, Steps, Timeouts, operation
from sansauth.env import Env
from sansauth.errors import ApiError, InvalidOrExpiredToken, UnsupportedAuthentication, WrongIdentity
from sansauth.http import Request, Response
from sansauth.identity import App, Bearer, Identity, OAuth1User
from sansauth.lifecycle import app_bearer
from sansauth.oauth1.send import Exchange, learn_clock_skew, sign_timely, told_time
from sansauth.oauth1.signer import prepared
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
    once. When the service says that the app's own fetched token is invalid, a new one is fetched, once; when it says
    that a signature's timestamp is out of range, its clock is learned and the request signed again, once. Raises
    `ApiError` for a refusal, `ForeignHost` before anything is sent to a host that is not the provider's.
    """
    signed = yield from authorise(request, identity, provider=provider, env=env)
    response = yield from Send(signed, timeouts)
    refused = Exchange(signed, response)
    if is_renewable(refused, identity, provider, env):
        signed = yield from authorise(request, identity, provider=provider, env=env, refused=refused)
        response = yield from Send(signed, timeouts)
    return judge(response, identity, provider, request=signed)


@operation
def authorise(
    request: Request, identity: Identity, *, provider: Provider, env: Env, refused: Exchange | None = None
) -> Steps[Request]:
    """The request with the identity's credentials, fetched if they must be, and by the service's clock if it is known.

    `refused` is what the service refused, if `is_renewable` said so: its token is replaced, or its timestamp.
    """
    provider.admit(request)
    match identity:
        case App():
            stale = refused.request.headers["authorization"].removeprefix("Bearer ") if refused is not None else None
            token = yield from app_bearer(identity, provider, rejected=stale)
            return authorise_held(request, Bearer(token), provider=provider, env=env)
        case OAuth1User():
            theirs = told_time(refused.response, provider, env) if refused is not None else None
            if theirs is not None:
                yield from learn_clock_skew(theirs, provider, env)
            return (yield from sign_timely(request, identity, provider=provider, env=env))
        case _:
            return authorise_held(request, identity, provider=provider, env=env)


def authorise_held(request: Request, identity: Identity, *, provider: Provider, env: Env) -> Request:
    """The request with credentials the identity already holds; `WrongIdentity` for an `App` without a bearer token."""
    provider.admit(request)
    match held_credentials(identity):
        case Bearer(token=token):
            return request.with_header("authorization", f"Bearer {token}")
        case user:
            return prepared(user, provider.signing).sign(request, timestamp=env.timestamp(), nonce=env.nonce())


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


def is_renewable(refused: Exchange, identity: Identity, provider: Provider, env: Env) -> bool:
    """Whether the answer refuses what this identity can replace.

    That is an app's own token, fetched, now invalid; and a signature's timestamp, if the answer tells the time.
    """
    match identity:
        case App(bearer_token=None):
            answer = refused.response
            return answer.status == 401 and isinstance(read_refusal(answer, provider), InvalidOrExpiredToken)
        case OAuth1User():
            return told_time(refused.response, provider, env) is not None
        case _:
            return False


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
