"""The authorised call: the identity picks the scheme, the answer is judged."""

from __future__ import annotations

from typing import Literal, TypeAlias

from sansauth.challenge import read_challenge
from sansauth.effects import Send, Steps, Timeouts, operation
from sansauth.env import Env
from sansauth.errors import ApiError, InvalidOrExpiredToken, UnsupportedAuthentication, WrongIdentity
from sansauth.http import Request, Response
from sansauth.identity import App, Bearer, Identity, OAuth1User, OAuth2Client, OAuth2User
from sansauth.lifecycle import app_bearer
from sansauth.oauth1.send import Exchange, learn_clock_skew, sign_at_once, sign_timely, told_time
from sansauth.oauth2.bearing import bear, issued_token
from sansauth.oauth2.blameless import acquit, is_blameless, is_replaced
from sansauth.oauth2.dpop import DPoPKey, asks_for_nonce, keep_nonce, prove, told_nonce, with_proof
from sansauth.oauth2.lifecycle import oauth2_tokens
from sansauth.provider import Provider
from sansauth.refusal import read_refusal
from sansauth.tokens import OAuth2Tokens

__all__ = [
    "Remedy",
    "authorise",
    "authorise_held",
    "call",
    "held_credentials",
    "judge",
    "learn",
    "remedy",
    "require_identity",
    "signs_every_body",
]

Remedy: TypeAlias = Literal["timestamp", "nonce", "token"]
"""What of a refused request can be replaced."""

TOKENS_TRIED = 4  # in one call, while others renew them as it goes on
_NOT_MODIFIED = 304


@operation
def call(
    request: Request, identity: Identity, *, provider: Provider, env: Env, timeouts: Timeouts | None = None
) -> Steps[Response]:
    """Send `request` as `identity`, and return the answer if it is a success.

    `OAuth1User` signs (RFC 5849); `Bearer` and `App` bear their token (RFC 6750), and an `App` without one fetches it
    once, or signs with the consumer's credentials alone if the provider has no `app_token` endpoint. An `OAuth2User` or
    `OAuth2Client` bears its tokens, or proves to have the key they are bound to (RFC 9449), and has them renewed when
    they are due. What the service refuses and `remedy` can mend is mended and sent again, once for each remedy: a token
    is replaced, a clock or a nonce learned. A token that is refused without a word although it is new is not replaced
    for that again, for `BLAMELESS_SECONDS`. Raises `ApiError` for a refusal, `ForeignHost` before anything is sent to a
    host that is not the provider's.
    """
    refused: Exchange | None = None
    tried: list[Remedy] = []
    while True:
        sent = yield from authorise(request, identity, provider=provider, env=env, refused=refused)
        refused = Exchange(sent, (yield from Send(sent, timeouts)))
        yield from learn(refused)
        mended = remedy(refused, identity, provider, env)
        if mended is None or not (yield from _is_worth_it(mended, tried, refused, identity, provider, env)):
            return judge(refused.response, identity, provider, request=sent)
        tried.append(mended)


@operation
def _is_worth_it(
    mended: Remedy, tried: list[Remedy], refused: Exchange, identity: Identity, provider: Provider, env: Env
) -> Steps[bool]:
    """Whether to try a remedy: each once, but a token that somebody else has replaced meanwhile a few times."""
    if mended != "token" or not isinstance(identity, OAuth2User | OAuth2Client):
        return mended not in tried
    token = _token_of(refused)
    if mended not in tried:
        return not (yield from is_blameless(identity, token, refused.response, provider=provider, env=env))
    if len(tried) < TOKENS_TRIED and (yield from is_replaced(identity, token, provider=provider)):
        return True
    yield from acquit(identity, token, provider=provider, env=env)
    return False


@operation
def authorise(
    request: Request, identity: Identity, *, provider: Provider, env: Env, refused: Exchange | None = None
) -> Steps[Request]:
    """The request with the identity's credentials, fetched if they must be, and by the service's clock if it is known.

    `refused` is what the service refused, if there is a `remedy` for it, which is then applied.
    """
    provider.admit(request)
    mended = None if refused is None else remedy(refused, identity, provider, env)
    stale = _token_of(refused) if mended == "token" else None
    match _signer_of(identity, provider):
        case None if isinstance(identity, App):
            token = yield from app_bearer(identity, provider, rejected=stale)
            return bear(request, token)
        case None if isinstance(identity, OAuth2User | OAuth2Client):
            tokens = yield from oauth2_tokens(identity, provider, env, rejected=stale)
            return (yield from _bear_tokens(request, tokens, provider, env, refused if mended == "nonce" else None))
        case None:
            return authorise_held(request, identity, provider=provider, env=env)
        case signer:
            theirs = told_time(refused, provider, env) if refused is not None else None
            if theirs is not None:
                yield from learn_clock_skew(theirs, provider, env)
            return (yield from sign_timely(request, signer, provider=provider, env=env))


@operation
def _bear_tokens(
    request: Request, tokens: OAuth2Tokens, provider: Provider, env: Env, refused: Exchange | None
) -> Steps[Request]:
    token = issued_token(tokens.access_token)
    if tokens.dpop_key is None:
        return bear(request, token)
    key = DPoPKey(tokens.dpop_key)
    if refused is None:
        return (yield from prove(request, key, provider=provider, env=env, access_token=token))
    return with_proof(request, key, env=env, nonce=told_nonce(refused.response), access_token=token)


def _token_of(refused: Exchange | None) -> str:
    return "" if refused is None else (refused.request.headers.get("authorization") or "").partition(" ")[2]


@operation
def learn(exchange: Exchange) -> Steps[None]:
    """Keep what any answer tells for the requests after it: the nonce of the next proof (RFC 9449 section 8.2)."""
    if "dpop" in exchange.request.headers:
        yield from keep_nonce(exchange)


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


def remedy(refused: Exchange, identity: Identity, provider: Provider, env: Env) -> Remedy | None:
    """What of a request that was refused this identity can replace before it is sent again; None for nothing.

    That is a signature's timestamp, if the answer tells the time; an app's own token, fetched, now invalid; a token of
    OAuth 2 (X says no more than 401 of one that has expired); the nonce of its proof, if the answer tells another.
    """
    answer = refused.response
    if _signer_of(identity, provider) is not None:
        return "timestamp" if told_time(refused, provider, env) is not None else None
    if answer.status != 401:
        return None
    match identity:
        case App(bearer_token=None):
            return "token" if isinstance(read_refusal(answer, provider), InvalidOrExpiredToken) else None
        case OAuth2User() | OAuth2Client():
            if "dpop" in refused.request.headers and asks_for_nonce(answer, provider):
                return "nonce"
            # RFC 6750 section 3.1: of what a challenge may name, only this is the token's fault.
            named = read_challenge(answer.headers.get("www-authenticate") or "").errors
            return "token" if not named or "invalid_token" in named else None
        case _:
            return None


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
