"""The authorised call: the identity picks the scheme, the answer is judged."""

from __future__ import annotations

from sansauth.effects import Send, Steps, Timeouts, operation
from sansauth.env import Env
from sansauth.errors import ApiError, InvalidOrExpiredToken, UnsupportedAuthentication, WrongIdentity
from sansauth.http import Request, Response
from sansauth.identity import App, Bearer, Identity, OAuth1User, OAuth2Client, OAuth2User
from sansauth.lifecycle import app_bearer
from sansauth.oauth1.send import Exchange, learn_clock_skew, sign_at_once, sign_timely, told_time
from sansauth.oauth2.bearing import bear
from sansauth.oauth2.lifecycle import oauth2_tokens
from sansauth.provider import Provider
from sansauth.refusal import read_refusal

__all__ = [
    "authorise",
    "authorise_held",
    "call",
    "held_credentials",
    "is_renewable",
    "judge",
    "require_identity",
    "signs_every_body",
]

_NOT_MODIFIED = 304


@operation
def call(
    request: Request, identity: Identity, *, provider: Provider, env: Env, timeouts: Timeouts | None = None
) -> Steps[Response]:
    """Send `request` as `identity`, and return the answer if it is a success.

    `OAuth1User` signs (RFC 5849); `Bearer` and `App` bear their token (RFC 6750), and an `App` without one fetches it
    once, or signs with the consumer's credentials alone if the provider has no `app_token` endpoint. When the service
    says that the app's own fetched token is invalid, a new one is fetched, once; when it says that a signature's
    timestamp is out of range, its clock is learned and the request signed again, once. Raises `ApiError` for a refusal,
    `ForeignHost` before anything is sent to a host that is not the provider's.
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
    stale = None if refused is None else (refused.request.headers.get("authorization") or "").removeprefix("Bearer ")
    match _signer_of(identity, provider):
        case None if isinstance(identity, App):
            token = yield from app_bearer(identity, provider, rejected=stale)
            return bear(request, token)
        case None if isinstance(identity, OAuth2User | OAuth2Client):
            tokens = yield from oauth2_tokens(identity, provider, env, rejected=stale)
            return bear(request, tokens.access_token)
        case None:
            return authorise_held(request, identity, provider=provider, env=env)
        case signer:
            theirs = told_time(refused, provider, env) if refused is not None else None
            if theirs is not None:
                yield from learn_clock_skew(theirs, provider, env)
            return (yield from sign_timely(request, signer, provider=provider, env=env))


def authorise_held(request: Request, identity: Identity, *, provider: Provider, env: Env) -> Request:
    """The request with credentials the identity already holds; `WrongIdentity` for one that has to fetch some."""
    provider.admit(request)
    match held_credentials(identity, provider):
        case Bearer(token=token):
            return request.with_header("authorization", f"Bearer {token}")
        case signer:
            return sign_at_once(request, signer, provider=provider, env=env)


def held_credentials(identity: Identity, provider: Provider) -> App | Bearer | OAuth1User:
    """What the identity needs nobody for: a bearer token, or what it signs with.

    `WrongIdentity` for an `App` that has to fetch its bearer token, for what holds none, and for no identity.
    """
    require_identity(identity)
    match identity:
        case App(bearer_token=str() as token):
            return Bearer(token)
        case App() if provider.endpoints.app_token is not None:
            raise WrongIdentity(
                "this App holds no bearer_token; use a client's auth, which fetches one, or give it one"
            )
        case App() | Bearer() | OAuth1User():
            return identity
        case _:
            raise WrongIdentity(f"{_kind_of(identity, provider)} holds no credentials of its own to call with")


def signs_every_body(identity: Identity, provider: Provider) -> bool:
    """Whether a call's signature covers its body even if that is no form: by `oauth_body_hash`."""
    return provider.signing.body_hash and _signer_of(identity, provider) is not None


def _signer_of(identity: Identity, provider: Provider) -> App | OAuth1User | None:
    """Who signs this identity's calls, if they are signed; an `App`'s are where there is no bearer token for it."""
    match identity:
        case OAuth1User():
            return identity
        case App(bearer_token=None) if provider.endpoints.app_token is None:
            return identity
        case _:
            return None


def require_identity(identity: object) -> None:
    """`WrongIdentity` for whatever is none, such as a bare token."""
    if not isinstance(identity, Identity):
        raise WrongIdentity(f"a call is made as App, Bearer or OAuth1User, not as {type(identity).__name__}")


def is_renewable(refused: Exchange, identity: Identity, provider: Provider, env: Env) -> bool:
    """Whether the answer refuses what this identity can replace.

    That is an app's own token, fetched, now invalid; a token of OAuth 2 (X says no more than 401 of one that has
    expired); and a signature's timestamp, if the answer tells the time.
    """
    if _signer_of(identity, provider) is not None:
        return told_time(refused, provider, env) is not None
    match identity:
        case App(bearer_token=None):
            answer = refused.response
            return answer.status == 401 and isinstance(read_refusal(answer, provider), InvalidOrExpiredToken)
        case OAuth2User() | OAuth2Client():
            return refused.response.status == 401
        case _:
            return False


def judge(response: Response, identity: Identity, provider: Provider, *, request: Request) -> Response:
    """The response, if it is a success (2xx, or 304 to a conditional request); else raises its `ApiError`."""
    if 200 <= response.status < 300 or response.status == _NOT_MODIFIED:
        return response
    error: ApiError = read_refusal(response, provider, request=request)
    if isinstance(error, UnsupportedAuthentication):
        hint = f"The call was made as {_kind_of(identity, provider)}; use an identity of a kind the endpoint accepts."
        raise read_refusal(response, provider, request=request, hint=hint)
    raise error


def _kind_of(identity: Identity, provider: Provider) -> str:
    match identity:
        case App():
            signs = _signer_of(identity, provider) is not None
            return "an App (signed, without a user)" if signs else "an App (application-only bearer token)"
        case OAuth1User():
            return "an OAuth1User (OAuth 1.0a user context)"
        case Bearer():
            return "a Bearer token"
        case _:
            return f"an {type(identity).__name__}"
