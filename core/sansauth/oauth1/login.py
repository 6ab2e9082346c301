"""Three-legged login: a request token, a page for the user, an access token (RFC 5849 section 2)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

from sansauth.awaiting import AwaitingUser, handed_in, require_open
from sansauth.callback import brought_back, callback_parameters
from sansauth.claim import claimed
from sansauth.effects import Operation, Steps, operation
from sansauth.encoding import Params, decode, encode
from sansauth.env import Env
from sansauth.errors import Denied, ForeignCallback, InvalidCallback, InvalidParameter
from sansauth.http import Request, build_request
from sansauth.identity import App, OAuth1User, only_app
from sansauth.oauth1.credentials import TokenCredentials, parse_temporary_credentials, parse_token_credentials
from sansauth.oauth1.unsigned import Unsigned
from sansauth.provider import Provider
from sansauth.secret import Secret

__all__ = [
    "LOGIN_SECONDS",
    "OUT_OF_BAND",
    "Page",
    "begin_login",
    "build_access_token_request",
    "build_page_url",
    "build_request_token_request",
    "finish_login",
    "parse_callback",
]

Page: TypeAlias = Literal["authorize", "authenticate"]
"""The page that asks every time, or the one that asks only a user who has not agreed before."""

LOGIN_SECONDS = 900
"""How long a user may take. No service says how long its request tokens live."""

OUT_OF_BAND = "oob"
"""The callback of an application that has none: the service shows a PIN (RFC 5849 section 2.1)."""

_ACCEPT = {"accept": "*/*"}
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[\x21-\x7E]+")  # of any scheme: a phone's application has its own
_OURS = frozenset({"oauth_token", "oauth_callback"})
_CALLED_BACK = frozenset({"oauth_token", "oauth_verifier", "oauth_problem", "denied"})
_REFUSED = frozenset({"user_refused", "permission_denied"})  # OAuth Problem Reporting
_NO = "denied"  # the verifier by which Jira says that the user said no


# --- begin -----------------------------------------------------------------------------------------------------------


@operation
def begin_login(
    app: App,
    callback: str,
    *,
    provider: Provider,
    env: Env,
    page: Page = "authorize",
    request_parameters: Params | None = None,
    page_parameters: Params | None = None,
    lifetime: float = LOGIN_SECONDS,
) -> Steps[AwaitingUser]:
    """Begin a login: obtain a request token and say where to send the user (RFC 5849 sections 2.1 and 2.2).

    `callback` is the absolute URL that the user shall come back to, or "oob" for a PIN. `request_parameters` go with
    the request for the token, `page_parameters` with the page's URL. `lifetime`, in seconds, is how long `finish_login`
    takes the answer. Raises the `ApiError` of a refusal (`CallbackNotApproved` for a callback that is not registered),
    and `RemoteProtocolError` for an answer that does not confirm the callback.
    """
    if not 0 < lifetime < float("inf"):
        raise InvalidParameter("lifetime is a finite number of seconds above zero")
    told = _page_parameters(page_parameters)
    build_page_url(
        provider, "", page=page, parameters=told
    )  # what is wrong with the page shows before anything is sent
    asked = _ask_request_token(app, callback, provider, request_parameters)
    exchange = yield from asked.sent(provider=provider, env=env)
    temporary = parse_temporary_credentials(exchange.response, provider, request=exchange.request)
    return AwaitingUser(
        kind="oauth1",
        url=build_page_url(provider, temporary.token, page=page, parameters=told),
        expires_at=int(env.clock() + lifetime),
        provider=provider.origin,
        callback=callback,
        reference=temporary.token,
        secret=temporary.secret,
    )


def build_request_token_request(
    app: App, callback: str, *, provider: Provider, env: Env, parameters: Params | None = None
) -> Request:
    """Ask for temporary credentials (RFC 5849 section 2.1): signed by the application, `oauth_callback` in it."""
    return _ask_request_token(app, callback, provider, parameters).signed(provider=provider, env=env)


def build_page_url(
    provider: Provider, request_token: str, *, page: Page = "authorize", parameters: Params | None = None
) -> str:
    """Where to send the user (RFC 5849 section 2.2); never with a callback, which the request token stands for."""
    if page not in get_args(Page):
        raise InvalidParameter(f"the user is sent to one of {', '.join(get_args(Page))}")
    told: Params = [("oauth_token", request_token), *_page_parameters(parameters)]
    return build_request("GET", provider.endpoint(page), params=told).url


def _ask_request_token(app: App, callback: str, provider: Provider, parameters: Params | None) -> Unsigned:
    if not isinstance(callback, str) or not (callback == OUT_OF_BAND or _ABSOLUTE.fullmatch(callback)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameter('callback is an absolute URL without spaces, percent-encoded, or "oob" for a PIN')
    form = decode(encode(parameters or ()))
    request = build_request("POST", provider.endpoint("request_token"), form=form or None, headers=_ACCEPT)
    return Unsigned(request, only_app(app), {"oauth_callback": callback})


def _page_parameters(parameters: Params | None) -> list[tuple[str, str]]:
    told = decode(encode(parameters or ()))  # once: the parameters may be an iterator
    if ours := sorted({name for name, _ in told} & _OURS):
        raise InvalidParameter(f"{', '.join(ours)} is no parameter of the page's own; the request token stands for it")
    return told


# --- finish ----------------------------------------------------------------------------------------------------------


def finish_login(
    app: App, awaiting: AwaitingUser, answer: str, *, provider: Provider, env: Env
) -> Operation[TokenCredentials]:
    """Finish a login with what the user brought back; gives their access token (RFC 5849 section 2.3).

    `answer` is the callback's URL, its path and query, or its query alone; of a login without a callback, the PIN. It
    is checked before anything is claimed or sent: `LoginExpired`, `ForeignCallback` for another login's callback or
    another provider, `Denied`, `InvalidCallback` for what is no callback. Then the login is claimed: a second one to
    finish it, on whatever client that has the same store, gets `AlreadyUsed`. When the service refuses (an `ApiError`:
    a mistyped PIN, say) or nothing was sent, the claim is given back and the user may try again, with the same
    `awaiting`: delete what was saved only when the login is finished.
    """
    # Not an @operation itself: that would keep what was given, as plain text, for as long as it lives.
    return _finish_login(app, handed_in(awaiting), brought_back(answer), provider=provider, env=env)


@operation
def _finish_login(
    app: App, awaiting: AwaitingUser, answer: Secret, *, provider: Provider, env: Env
) -> Steps[TokenCredentials]:
    require_open(awaiting, "oauth1", at=provider.origin, now=env.clock())
    asked = _ask_access_token(app, awaiting, parse_callback(awaiting, answer), provider)
    return (yield from claimed(awaiting, _exchange(asked, awaiting, provider=provider, env=env)))


@operation
def _exchange(asked: Unsigned, awaiting: AwaitingUser, *, provider: Provider, env: Env) -> Steps[TokenCredentials]:
    exchange = yield from asked.sent(provider=provider, env=env)
    return parse_token_credentials(
        exchange.response, provider, request=exchange.request, request_token=awaiting.reference
    )


def parse_callback(awaiting: AwaitingUser, answer: str) -> Secret:
    """Read the verifier out of what the user brought back, or a PIN as it is (RFC 5849 section 2.2).

    Raises `Denied`, `ForeignCallback` for the callback of another login, and `InvalidCallback` for what has no verifier
    in it, or two. Parameters that are not OAuth's are ignored.
    """
    answer = brought_back(answer)
    parameters = callback_parameters(answer)
    if awaiting.callback == OUT_OF_BAND and _CALLED_BACK.isdisjoint(name for name, _ in parameters):
        return _pin(answer)  # which may hold a `=`: some services' are Base64
    denied, tokens, verifiers = (_values(parameters, name) for name in ("denied", "oauth_token", "oauth_verifier"))
    if len(denied) == 1 and _same(denied[0], awaiting.reference):
        raise Denied("the user did not let the application in")
    if not all(_same(token, awaiting.reference) for token in denied + tokens if token):
        raise ForeignCallback("the callback belongs to another login than the one that is being finished, or is forged")
    if max(map(len, (denied, tokens, verifiers))) > 1:
        raise InvalidCallback("the callback has denied, oauth_token or oauth_verifier twice; it may be forged")
    if any(tokens) and (_NO in verifiers or _REFUSED.intersection(_values(parameters, "oauth_problem"))):
        raise Denied("the user did not let the application in")
    if not any(tokens) or not any(verifiers):
        missing = "oauth_token" if not any(tokens) else "oauth_verifier"
        raise InvalidCallback(f"the callback has no {missing}: give its URL or its query as it came, as a str")
    return verifiers[0]


def build_access_token_request(
    app: App, awaiting: AwaitingUser, verifier: str, *, provider: Provider, env: Env
) -> Request:
    """Ask for token credentials (RFC 5849 section 2.3): signed with the request token and its secret."""
    return _ask_access_token(app, awaiting, verifier, provider).signed(provider=provider, env=env)


def _ask_access_token(app: App, awaiting: AwaitingUser, verifier: str, provider: Provider) -> Unsigned:
    request = build_request("POST", provider.endpoint("access_token"), headers=_ACCEPT)
    holder = OAuth1User(only_app(app), awaiting.reference, awaiting.secret)
    return Unsigned(request, holder, {"oauth_verifier": Secret(verifier)})


def _pin(answer: str) -> Secret:
    pin = Secret("".join(answer.split()))
    if not pin:
        raise InvalidCallback("the PIN is empty: give the number that the service's page shows")
    return pin


def _values(parameters: Iterable[tuple[Secret, Secret]], name: str) -> list[Secret]:
    return [value for found, value in parameters if found == name]


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
