"""Log a user in: the authorization code grant with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 9700 section 2.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable

from sansauth.awaiting import AwaitingUser, handed_in, require_open
from sansauth.callback import brought_back, callback_parameters
from sansauth.claim import claimed
from sansauth.effects import Operation, Send, Steps, operation
from sansauth.encoding import Params, Value, decode, encode
from sansauth.env import Env
from sansauth.errors import (
    Denied,
    ForeignCallback,
    InsecureTransport,
    InvalidCallback,
    InvalidParameter,
    LocalProtocolError,
    LoginRefused,
    RemoteProtocolError,
    WrongIdentity,
    WrongIssuer,
)
from sansauth.http import Request, Response, build_request
from sansauth.identity import OAuth2Client
from sansauth.oauth2.answer import read_expires_in
from sansauth.oauth2.app_only import success_object
from sansauth.oauth2.client_auth import build_client_request
from sansauth.oauth2.dpop import DPoPKey
from sansauth.oauth2.grants import exchange_code, join_scopes, listed, proof_key
from sansauth.oauth2.pkce import code_challenge, code_verifier
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.tokens import OAuth2Tokens
from sansauth.url import parse_url

__all__ = [
    "LOGIN_SECONDS",
    "begin_login",
    "build_pushed_request",
    "finish_login",
    "login_nonce",
    "parse_callback",
    "parse_pushed_request",
]

LOGIN_SECONDS = 900
"""How long a user may take."""

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[\x21-\x22\x24-\x7E]+")  # RFC 6749 section 3.1.2: no fragment
_WEB = re.compile(r"https?:", re.IGNORECASE)
_CODE = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]{1,80}")  # RFC 6749 section 4.1.2.1: of an error
_DENIALS = frozenset({"access_denied", "user_cancelled_login", "user_cancelled_authorize"})  # LinkedIn's, Apple's
_OURS = frozenset(
    {
        "response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method",
        "nonce", "dpop_jkt",
    }
)  # fmt: skip


# --- begin -----------------------------------------------------------------------------------------------------------


@operation
def begin_login(
    client: OAuth2Client,
    scopes: Iterable[str] | None,
    *,
    provider: Provider,
    env: Env,
    redirect_uri: str | None = None,
    parameters: Params | None = None,
    push: bool = False,
    lifetime: float = LOGIN_SECONDS,
) -> Steps[AwaitingUser]:
    """Begin a login; send the user to the result's `url` (RFC 6749 section 4.1.1, PKCE with S256).

    No request is sent, unless the service takes pushed authorization requests only, or `push` asks for one (RFC 9126).
    `redirect_uri` is where the user comes back to, the client's own by default: https, loopback, or a scheme of an
    application's own (RFC 8252). `parameters` go along: `prompt`, `login_hint`, `max_age`, `resource` and the like.
    `lifetime`, in seconds, is how long `finish_login` takes the answer.
    """
    if not 0 < lifetime < float("inf"):
        raise InvalidParameter("lifetime is a finite number of seconds above zero")
    if not isinstance(client, OAuth2Client):  # pyright: ignore[reportUnnecessaryIsInstance]  # without a checker
        raise WrongIdentity(f"OAuth 2 logs users in for an OAuth2Client, not for a {type(client).__name__}")
    back = _redirect_uri(redirect_uri or client.redirect_uri, provider)
    state, verifier, key = Secret(env.nonce()), code_verifier(env), proof_key(client, env)
    scopes = None if scopes is None else listed(scopes)
    further = _further(parameters)
    asked = [*_asked(client, scopes, back, state, verifier, provider), *further]
    if key is not None:
        asked.append(("dpop_jkt", key.thumbprint))  # RFC 9449 section 10: the code too is of use only with the key
    page = build_request("GET", provider.endpoint("authorization"), params=asked)
    expires_at = env.clock() + lifetime
    if push or provider.quirks.pushes_requests:
        pushed = build_pushed_request(client, asked, provider=provider, env=env)
        response = yield from Send(pushed)
        request_uri, seconds = parse_pushed_request(response, provider, request=pushed)
        told: Params = {"client_id": client.client_id, "request_uri": request_uri}
        page = build_request("GET", provider.endpoint("authorization"), params=told)
        del seconds  # how long the page may be opened: longer than it takes to send the user there
    return AwaitingUser(
        kind="oauth2",
        url=page.url,
        expires_at=int(expires_at),
        provider=provider.authority,
        callback=back,
        reference=state,
        secret=verifier,
        dpop_key=None if key is None else key.private_key,
        scopes=scopes,
        max_age=_max_age(further),
    )


def build_pushed_request(
    client: OAuth2Client, asked: Iterable[tuple[str, Value]], *, provider: Provider, env: Env
) -> Request:
    """Push what would stand in the page's URL (RFC 9126 section 2.1); the client authenticates as everywhere."""
    url = provider.endpoint("pushed_authorization_request")
    return build_client_request(url, asked, client, provider, env)


def parse_pushed_request(
    response: Response, provider: Provider, *, request: Request | None = None
) -> tuple[Secret, float]:
    """Read the request URI and for how many seconds it holds (RFC 9126 section 2.2)."""
    answer = success_object(response, provider, request=request)
    request_uri, seconds = answer.get("request_uri"), read_expires_in(answer.get("expires_in"))
    if not isinstance(request_uri, Secret) or not _ABSOLUTE.fullmatch(request_uri):
        raise RemoteProtocolError(f"{provider.name} answered {response.status} without a usable request_uri")
    if not seconds:
        raise RemoteProtocolError(f"{provider.name} answered {response.status} without a usable expires_in")
    return request_uri, seconds


def login_nonce(verifier: str) -> str:
    """The `nonce` of an OpenID login: a hash of its verifier, so that only who began the login can know it.

    OpenID Connect Core 1.0 section 15.5.2 suggests such a hash of a value that the session holds.
    """
    return base64.urlsafe_b64encode(hashlib.sha256(b"nonce " + verifier.encode()).digest()).rstrip(b"=").decode()


def _asked(
    client: OAuth2Client, scopes: tuple[str, ...] | None, back: str, state: Secret, verifier: Secret, provider: Provider
) -> list[tuple[str, Value]]:
    return [
        ("response_type", "code"),
        ("client_id", client.client_id),
        ("redirect_uri", back),
        ("scope", join_scopes(scopes, provider)),
        ("state", state),
        ("code_challenge", code_challenge(verifier)),
        ("code_challenge_method", "S256"),
        ("nonce", login_nonce(verifier) if "openid" in (scopes or ()) else None),
    ]


def _further(parameters: Params | None) -> list[tuple[str, Value]]:
    told = decode(encode(parameters or ()))
    if ours := sorted({name for name, _ in told} & _OURS):
        raise InvalidParameter(f"{', '.join(ours)} is set by begin_login itself")
    return list(told)


def _max_age(told: list[tuple[str, Value]]) -> float | None:
    asked = [str(value) for name, value in told if name == "max_age"]
    if not all(value.isascii() and value.isdigit() and len(value) < 10 for value in asked):
        raise InvalidParameter("max_age is a whole number of seconds (OpenID Connect Core 1.0 section 3.1.2.1)")
    return float(asked[0]) if asked else None


def _redirect_uri(given: str | None, provider: Provider) -> str:
    if not isinstance(given, str) or not _ABSOLUTE.fullmatch(given):
        raise InvalidParameter(
            "a login needs a redirect_uri, an absolute URI without a fragment, exactly as it is registered: give it to "
            "OAuth2Client or to begin_login"
        )
    if _WEB.match(given):
        url = parse_url(given)
        if url.scheme == "http" and not (url.is_loopback or provider.allow_http):
            raise InsecureTransport("redirect_uri would bring the code back over plain http; use https (RFC 9700, 2.1)")
    return given


# --- finish ----------------------------------------------------------------------------------------------------------


def finish_login(
    client: OAuth2Client, awaiting: AwaitingUser, answer: str, *, provider: Provider, env: Env
) -> Operation[OAuth2Tokens]:
    """Finish a login with the callback's URL, its path and query, or its query; gives the user's tokens.

    It is checked before anything is claimed or sent: `LoginExpired`, `ForeignCallback` for another login's callback
    (wrong state), `WrongIssuer` for one of another service (RFC 9207), `Denied`, `LoginRefused` for the page's other
    errors, `InvalidCallback` for what has no code. Then the login is claimed: a second one to finish it gets
    `AlreadyUsed`. An id_token is verified, its nonce and `max_age` too (`InvalidIdToken`): by the service's keys, which
    are fetched before the code is spent, or, if the provider does not say where they are, by its claims alone (OpenID
    Connect Core 1.0 section 3.1.3.7). Of a provider without an issuer it is only passed on. Store the tokens with
    `adopt`.
    """
    # Not an @operation itself: that would keep what was given, as plain text, for as long as it lives.
    return _finish_login(client, handed_in(awaiting), brought_back(answer), provider=provider, env=env)


@operation
def _finish_login(
    client: OAuth2Client, awaiting: AwaitingUser, answer: Secret, *, provider: Provider, env: Env
) -> Steps[OAuth2Tokens]:
    require_open(awaiting, "oauth2", at=provider.authority, now=env.clock())
    begun = dict(decode(Request("GET", awaiting.url).query))
    if begun.get("client_id") != client.client_id:
        raise LocalProtocolError("this login was begun by another client; finish it as the one that began it")
    code = parse_callback(awaiting, answer, provider)
    if _is_openid(awaiting) and provider.issuer is not None:
        from sansauth.oauth2.id_token import ready_to_verify  # PyJWT and cryptography, for those who need them

        # Whatever can fail does before the code is spent: afterwards the tokens would be lost with it.
        yield from ready_to_verify(provider, env=env)
    exchange = exchange_code(
        client,
        code,
        awaiting.secret,
        provider=provider,
        env=env,
        redirect_uri=awaiting.callback,
        asked=awaiting.scopes,
        dpop_key=None if awaiting.dpop_key is None else DPoPKey(awaiting.dpop_key),
    )
    tokens = yield from claimed(awaiting, exchange)
    if tokens.id_token is not None and provider.issuer is not None:
        yield from _check_id_token(client, awaiting, tokens, tokens.id_token, provider=provider, env=env)
    return tokens


@operation
def _check_id_token(
    client: OAuth2Client, awaiting: AwaitingUser, tokens: OAuth2Tokens, id_token: str, *, provider: Provider, env: Env
) -> Steps[None]:
    from sansauth.oauth2.id_token import examine_id_token, verify_id_token  # as above

    # Some services send an id_token to a login that did not ask for one, and so sent no nonce.
    nonce = login_nonce(awaiting.secret) if _is_openid(awaiting) else None
    access, max_age = tokens.access_token, awaiting.max_age
    if provider.endpoints.jwks is None:
        now = env.clock()
        examine_id_token(
            id_token, client, provider=provider, now=now, nonce=nonce, access_token=access, max_age=max_age
        )
    else:
        yield from verify_id_token(
            client, id_token, provider=provider, env=env, nonce=nonce, access_token=access, max_age=max_age
        )


def _is_openid(awaiting: AwaitingUser) -> bool:
    return "openid" in (awaiting.scopes or ())


def parse_callback(awaiting: AwaitingUser, answer: str, provider: Provider) -> Secret:
    """Read the code out of a callback (RFC 6749 section 4.1.2, RFC 9207 section 2.4); raises as `finish_login` does."""
    parameters = callback_parameters(brought_back(answer))
    state, issuer, error, code = (_once(parameters, name) for name in ("state", "iss", "error", "code"))
    if state is None:
        raise InvalidCallback("the callback has no state: give its URL or its query as it came, as a str")
    if not hmac.compare_digest(state.encode(), awaiting.reference.encode()):
        raise ForeignCallback("the callback belongs to another login than the one that is being finished, or is forged")
    if _is_foreign(issuer, provider):
        raise WrongIssuer(f"the callback does not come from {provider.issuer}: another service may be posing as it")
    if error in _DENIALS:
        raise Denied("the user did not let the application in")
    if error is not None:
        shown = str(error) if _CODE.fullmatch(error) else ""
        raise LoginRefused(f"{provider.name}'s page ended the login: {shown or 'an error that cannot be shown'}", shown)
    if not code:
        raise InvalidCallback("the callback has no code: give its URL or its query as it came, as a str")
    return code


def _is_foreign(issuer: Secret | None, provider: Provider) -> bool:
    if issuer is None:
        return provider.quirks.names_issuer
    return provider.issuer is not None and issuer != provider.issuer


def _once(parameters: list[tuple[Secret, Secret]], name: str) -> Secret | None:
    values = [value for found, value in parameters if found == name]
    if len(values) > 1:
        raise InvalidCallback(f"the callback has {name} twice; it may be forged")
    return values[0] if values else None
