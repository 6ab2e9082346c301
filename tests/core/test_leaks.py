"""Canaries: secrets are planted everywhere a secret can stand, and looked for everywhere a person may look."""

from __future__ import annotations

import functools
import json
import logging
import pprint
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sansauth import (
    App,
    AwaitingUser,
    Bearer,
    Endpoints,
    Flow,
    Headers,
    OAuth1User,
    Operation,
    Provider,
    Request,
    Response,
    Save,
    Secret,
    Send,
    Signing,
    Sleep,
    Stored,
    build_request,
    errors,
)
from sansauth.app_token import AppToken, app_token_key
from sansauth.call import authorise_held, call
from sansauth.effects import Exclusive
from sansauth.encoding import decode, encode
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth1 import Signer, TokenCredentials, login, sign, xauth
from sansauth.oauth1.credentials import TemporaryCredentials
from sansauth.oauth1.methods import shared_key
from sansauth.oauth2 import (
    AwaitingDevice,
    Registered,
    begin_device_login,
    fetch_userinfo,
    finish_device_login,
    introspect,
    register,
    revoke,
    revoke_tokens,
)
from sansauth.oauth2.bearing import bear
from sansauth.oauth2.grants import client_credentials, exchange_code, exchange_token, grant_by_jwt, refresh
from sansauth.oauth2.pkce import code_challenge
from sansauth.refusal import read_refusal
from sansauth.tokens import OAuth2Tokens
from sansauth.x import (
    X,
    begin_login,
    echo_headers,
    echo_request,
    finish_login,
    invalidate_access_token,
    invalidate_token,
    reverse_access_token,
    reverse_token,
    token,
)

from .support import ENV, Script, json_answer, refusal_answer, secrets_in, token_answer

CONSUMER_SECRET = "canary-consumer-secret"
BEARER_TOKEN = "canary-bearer-token"
ACCESS_TOKEN = "canary-access-token"
ACCESS_SECRET = "canary-access-secret"
FETCHED = "canary-fetched-token"
PASSWORD = "canary-password"
CANARY = "canary"

APP = App("CK", CONSUMER_SECRET)
HOLDER = App("CK", CONSUMER_SECRET, BEARER_TOKEN)
BEARER = Bearer(BEARER_TOKEN)
USER = OAuth1User(APP, ACCESS_TOKEN, ACCESS_SECRET)
POST = build_request(
    "POST",
    f"https://api.x.com/a?access_token={PASSWORD}",
    form={"x_auth_password": PASSWORD},
    headers={"cookie": PASSWORD, "x-api-key": PASSWORD},
)
ISSUED = token_answer(FETCHED)
KEY = app_token_key(APP, X)
RECORD = Stored(AppToken(FETCHED).to_bytes(), 1)
REQUEST_TOKEN = "canary-request-token"
REQUEST_SECRET = "canary-request-secret"
VERIFIER = "canary-verifier"
WAITING = AwaitingUser(
    "oauth1", f"https://a/?oauth_token={REQUEST_TOKEN}", 2**40, X.origin, "oob", REQUEST_TOKEN, REQUEST_SECRET
)
CALLED_BACK = f"https://app.test/back?oauth_token={REQUEST_TOKEN}&oauth_verifier={VERIFIER}"
SIGNED_FOR_REVERSE = f'OAuth oauth_token="{FETCHED}", oauth_signature="{PASSWORD}"'
ECHO = echo_headers(USER, env=ENV)
TEMPORARY_ANSWER = f"oauth_token={REQUEST_TOKEN}&oauth_token_secret={REQUEST_SECRET}&oauth_callback_confirmed=true"
GRANTED_ANSWER = f"oauth_token={FETCHED}&oauth_token_secret={FETCHED}"
CLIENT = OAuth2Client("id", CONSUMER_SECRET, redirect_uri="https://app.test/back")
POSTING = OAuth2Client("id", CONSUMER_SECRET, auth="client_secret_post")
TOKENS = OAuth2Tokens(ACCESS_TOKEN, refresh_token=FETCHED, id_token=FETCHED)
SERVER = Provider(
    "Example",
    "https://a.test",
    Endpoints(
        token="https://a.test/token",
        revocation="https://a.test/revoke",
        introspection="https://a.test/introspect",
        device_authorization="https://a.test/device",
        registration="https://a.test/register",
        userinfo="https://a.test/userinfo",
    ),
)
DEVICE = AwaitingDevice(
    FETCHED, "https://a.test/", f"https://a.test/?user_code={FETCHED}", 2**40, 5, SERVER.authority, REQUEST_SECRET
)
DEVICE_ANSWER = {
    "device_code": REQUEST_SECRET,
    "user_code": FETCHED,
    "verification_uri": "https://a.test/",
    "verification_uri_complete": f"https://a.test/?user_code={FETCHED}",
    "expires_in": 60,
}


def values() -> Iterator[object]:
    yield from (APP, HOLDER, BEARER, USER, Secret(PASSWORD), AppToken(FETCHED))
    yield from (POST, POST.headers, Headers({"authorization": f"Bearer {BEARER_TOKEN}"}))
    yield sign(POST, USER, timestamp=1, nonce="n")
    yield from (Signer(USER), Signer(USER, Signing("PLAINTEXT")), shared_key(CONSUMER_SECRET, ACCESS_SECRET))
    yield authorise_held(POST, HOLDER, provider=X, env=ENV)
    yield from (
        ISSUED,
        Response(200, {"set-cookie": PASSWORD, "location": f"https://a/?code={PASSWORD}"}, PASSWORD.encode()),
    )
    yield from (Send(POST), Save(KEY, RECORD.data, 1), RECORD, KEY)
    yield from (token(APP), invalidate_token(APP, FETCHED), call(POST, USER, provider=X, env=ENV))
    yield Exclusive(KEY, token(APP))
    yield from (WAITING, ECHO, echo_request(ECHO, allowed=[ECHO["x-auth-service-provider"]]))
    yield login.parse_callback(WAITING, CALLED_BACK)
    yield TemporaryCredentials(REQUEST_TOKEN, REQUEST_SECRET)
    yield TokenCredentials(FETCHED, FETCHED, "7", "xapi", (("session", FETCHED),))
    yield TokenCredentials(FETCHED, FETCHED).user(APP)
    for coming in logins():
        yield coming
        flow = Flow(coming)
        while not isinstance(flow.effect, Send):
            yield from (flow, flow.effect)
            flow.resume(1 if isinstance(flow.effect, Save) else None)
        yield from (flow, flow.effect, flow.request)
    for operation in (token(APP), invalidate_token(USER, FETCHED, env=ENV), reverse_token(APP, env=ENV)):
        flow = Flow(operation)
        yield from (flow, flow.effect, flow.request)
    done = Flow(token(APP))
    done.receive(ISSUED)
    yield from (done, done.result)
    yield from (CLIENT, TOKENS, DEVICE, Registered(CLIENT, registration_access_token=Secret(FETCHED)))
    yield from (OAuth2User(CLIENT, "me"), OAuth2Client("id", private_key=PASSWORD))
    for client in (CLIENT, POSTING):
        for asking in at_oauth2_endpoints(client).values():
            flow = Flow(asking)
            if isinstance(flow.effect, Sleep):
                flow.resume(None)
            yield from (asking, flow, flow.effect, flow.request, flow.request.headers)


def logins() -> Iterator[Operation[object]]:
    """The operations by which users come and go."""
    yield begin_login(APP, env=ENV)
    yield finish_login(APP, WAITING, CALLED_BACK, env=ENV)
    yield xauth(APP, "name", PASSWORD, provider=X, env=ENV)
    yield reverse_access_token(USER, APP, SIGNED_FOR_REVERSE, env=ENV)
    yield invalidate_access_token(USER, env=ENV)


def at_oauth2_endpoints(client: OAuth2Client) -> dict[str, Operation[object]]:
    """Every operation of OAuth 2 that sends something secret."""
    at: Any = {"provider": SERVER, "env": ENV}
    return {
        "code": exchange_code(client, VERIFIER, VERIFIER, redirect_uri="https://app.test/", **at),
        "refresh": refresh(client, TOKENS, **at),
        "client": client_credentials(client, **at),
        "jwt": grant_by_jwt(client, PASSWORD, **at),
        "exchange": exchange_token(client, ACCESS_TOKEN, further={"actor_token": PASSWORD}, **at),
        "revoke": revoke(client, ACCESS_TOKEN, **at),
        "revoke-tokens": revoke_tokens(client, TOKENS, **at),
        "introspect": introspect(client, ACCESS_TOKEN, **at),
        "device": begin_device_login(client, None, **at),
        "device-end": finish_device_login(client, DEVICE, **at),
        "register": register(
            {"client_name": "n"}, initial_access_token=BEARER_TOKEN, private_key=PASSWORD, provider=SERVER
        ),
        "userinfo": fetch_userinfo(ACCESS_TOKEN, provider=SERVER),
    }


def failing_at_oauth2_endpoints() -> dict[str, Callable[[], object]]:
    """Each of them refused by a service that repeats what it was sent, or answered with rubbish."""
    everything = " ".join((CONSUMER_SECRET, BEARER_TOKEN, ACCESS_TOKEN, FETCHED, PASSWORD, VERIFIER, REQUEST_SECRET))
    answers = {
        "rubbish": Response(200, (), everything.encode()),
        "list": json_answer(200, [everything]),
        "no-tokens": json_answer(200, {"access_token": f"{FETCHED} {FETCHED}", "token_type": FETCHED, "exp": FETCHED}),
        "mistyped": json_answer(200, {"active": FETCHED, "sub": "", "client_id": "", "client_secret": FETCHED}),
        "device-page": json_answer(200, DEVICE_ANSWER | {"verification_uri": f"javascript:{FETCHED}"}),
        "device-life": json_answer(200, DEVICE_ANSWER | {"expires_in": FETCHED}),
    }

    def answered(name: str, answer: Response) -> object:
        flow = Flow(at_oauth2_endpoints(CLIENT)[name])
        if isinstance(flow.effect, Sleep):
            flow.resume(None)
        flow.receive(answer)
        if name == "revoke-tokens":  # which goes on to the second token
            flow.receive(answer)
        return flow.result

    silent = {"revoke", "revoke-tokens"}  # to which every success is one
    refused = json_answer(400, {"error": "invalid_request", "error_description": "no"})
    found: dict[str, Callable[[], object]] = {
        f"oauth2-{name}-{kind}": functools.partial(answered, name, answer)
        for name in at_oauth2_endpoints(CLIENT)
        for kind, answer in {**({} if name in silent else answers), "refused": refused}.items()
    }
    for name, sent in {
        "code": VERIFIER,
        "refresh": FETCHED,
        "jwt": PASSWORD,
        "exchange": PASSWORD,
        "revoke": ACCESS_TOKEN,
        "introspect": ACCESS_TOKEN,
        "device-end": REQUEST_SECRET,
        "register": BEARER_TOKEN,
        "userinfo": ACCESS_TOKEN,
        "client": CONSUMER_SECRET,
    }.items():
        echo = json_answer(400, {"error": "invalid_request", "error_description": f"bad {sent}"})
        found[f"oauth2-{name}-echoed"] = functools.partial(answered, name, echo)
    return (
        found
        | {
            "oauth2-saved-device": lambda: AwaitingDevice.from_json(DEVICE.to_json()[:-1]),
            "oauth2-saved-device-url": lambda: AwaitingDevice.from_json(
                DEVICE.to_json().replace("https://a.test/", "x")
            ),
            "oauth2-device-as-text": lambda: Flow(
                finish_device_login(CLIENT, DEVICE.to_json(), provider=SERVER, env=ENV)  # type: ignore[arg-type]
            ),
            "oauth2-tokens-record": lambda: OAuth2Tokens.from_bytes(TOKENS.to_bytes()[:-1]),
            "oauth2-tokens-record-type": lambda: OAuth2Tokens.from_bytes(TOKENS.to_bytes().replace(b"null", b"{}")),
            "oauth2-verifier": lambda: code_challenge(VERIFIER),
            "oauth2-bear": lambda: bear(POST, f"{ACCESS_TOKEN}\n"),
            "oauth2-bearer": lambda: Flow(fetch_userinfo(f"{ACCESS_TOKEN}\r\n", provider=SERVER)),
            "oauth2-initial": lambda: Flow(register({}, provider=SERVER, initial_access_token=f"{ACCESS_TOKEN}\n")),
            "oauth2-foreign": lambda: Flow(
                revoke(CLIENT, ACCESS_TOKEN, provider=replace(SERVER, endpoints=Endpoints()), env=ENV)
            ),
        }
    )


@pytest.mark.parametrize("value", list(values()), ids=lambda value: type(value).__name__)
def test_no_value_shows_a_secret_where_values_are_shown(value: object) -> None:
    shown = [repr(value), repr([value]), f"{value!r}", pprint.pformat({"value": value}), "%r" % (value,)]  # noqa: UP031
    shown.append(logging.LogRecord("n", 10, "p", 1, "%r", (value,), None).getMessage())
    if not isinstance(value, Secret):
        shown.append(str(value))
    assert [text for text in shown if CANARY in text] == []


def failing() -> dict[str, Callable[[], object]]:
    """Whatever can go wrong with a secret at hand."""
    entry = {"code": 99, "message": f"bad {CONSUMER_SECRET}", "type": f"https://a/{CONSUMER_SECRET}"}
    echo = {"errors": [entry], "error": CONSUMER_SECRET, "detail": CONSUMER_SECRET}
    signed = sign(POST, USER, timestamp=1, nonce="canary-nonce")
    signature = dict(decode(signed.headers["authorization"].replace('", ', "&").replace('="', "=")))["oauth_signature"]

    def raising(error: Exception) -> object:
        raise error

    def come(operation: Operation[object], response: str, status: int = 200) -> object:
        return Script([Response(status, {"content-type": "text/html"}, response.encode())]).run(operation)

    def finish(answer: str) -> Operation[object]:
        return login.finish_login(APP, WAITING, answer, provider=X, env=ENV)

    def receive(operation: object, response: Response) -> object:
        flow = Flow(operation)  # type: ignore[arg-type, var-annotated]
        return flow.receive(response)

    return {
        "app": lambda: App(CONSUMER_SECRET.encode(), "x"),  # type: ignore[arg-type]
        "user": lambda: OAuth1User(ACCESS_TOKEN, ACCESS_TOKEN, ACCESS_SECRET),  # type: ignore[arg-type]
        "bearer": lambda: Bearer(BEARER_TOKEN.encode()),  # type: ignore[arg-type]
        "header": lambda: POST.with_header("authorization", f"Bearer {BEARER_TOKEN}\r\n"),
        "url": lambda: Request("GET", f"https://user:{PASSWORD}@api.x.com/"),
        "url-space": lambda: Request("GET", f"https://api.x.com/?token={PASSWORD} "),
        "body": lambda: Request("POST", "https://api.x.com/", (), PASSWORD),  # type: ignore[arg-type]
        "param": lambda: encode({"password": PASSWORD.encode()}),  # type: ignore[dict-item]
        "surrogate": lambda: encode({"password": PASSWORD + "\ud800"}),
        "decode": lambda: decode(PASSWORD + "\ud800"),
        "json": lambda: build_request("POST", "https://api.x.com/", json={PASSWORD: {PASSWORD}}),
        "signing": lambda: sign(POST, BEARER, timestamp=1, nonce="n"),  # type: ignore[arg-type]
        "answer-json": lambda: Response(200, (), PASSWORD.encode()).json(),
        "record": lambda: AppToken.from_bytes(b'{"access_token":"%s"' % FETCHED.encode()),
        "token-type": lambda: receive(token(APP), json_answer(200, {"token_type": "mac", "access_token": FETCHED})),
        "token-crlf": lambda: receive(token(APP), token_answer(f"{FETCHED}\r\n")),
        "token-list": lambda: receive(token(APP), json_answer(200, [FETCHED])),
        "invalidated": lambda: receive(invalidate_token(APP, FETCHED), json_answer(200, {"token": FETCHED})),
        "token-text": lambda: receive(token(APP), Response(200, (), FETCHED.encode())),
        "token-refused": lambda: receive(token(APP), json_answer(403, echo)),
        "invalidate": lambda: receive(invalidate_token(APP, PASSWORD), json_answer(403, echo | {"errors": PASSWORD})),
        "reverse": lambda: receive(reverse_token(APP, env=ENV), Response(200, (), PASSWORD.encode())),
        "wrong-identity": lambda: Flow(token(BEARER)),  # type: ignore[arg-type]
        "foreign": lambda: Flow(
            call(Request("GET", f"https://evil.test/?token={PASSWORD}"), USER, provider=X, env=ENV)
        ),
        "http": lambda: Flow(call(Request("GET", f"http://evil.test/?token={PASSWORD}"), USER, provider=X, env=ENV)),
        "call": lambda: Script([json_answer(401, {"errors": [{"code": 89, "message": BEARER_TOKEN}]})]).run(
            call(Request("GET", "https://api.x.com/"), BEARER, provider=X, env=ENV)
        ),
        "renewed": lambda: Script(
            [refusal_answer(401, 89, FETCHED), token_answer(FETCHED + "2"), refusal_answer(401, 89, FETCHED + "2")],
            {KEY: RECORD},
        ).run(call(Request("GET", "https://api.x.com/"), APP, provider=X, env=ENV)),
        "signed-echo": lambda: raising(
            read_refusal(refusal_answer(401, 32, f"{signed.headers['authorization']} {signature}"), X, request=signed)
        ),
        "redirect": lambda: raising(read_refusal(Response(302, {"location": f"https://a/?code={PASSWORD}"}), X)),
        "saved-login": lambda: AwaitingUser.from_json(WAITING.to_json()[:-1]),
        "saved-login-url": lambda: AwaitingUser.from_json(WAITING.to_json().replace("https://a/", "x")),
        "login-as-text": lambda: Flow(login.finish_login(APP, WAITING.to_json(), CALLED_BACK, provider=X, env=ENV)),  # type: ignore[arg-type]
        "login-as-text-at-x": lambda: Flow(finish_login(APP, WAITING.to_json(), CALLED_BACK, env=ENV)),  # type: ignore[arg-type]
        "login-as-dict": lambda: Flow(
            login.finish_login(APP, json.loads(WAITING.to_json()), CALLED_BACK, provider=X, env=ENV)
        ),
        "login-refused-by-the-user": lambda: Flow(finish(f"?oauth_token={REQUEST_TOKEN}&oauth_verifier=denied")),
        "sign-twice": lambda: sign(
            sign(POST, USER, timestamp=1, nonce="n", placement="body"), USER, timestamp=1, nonce="n"
        ),
        "sign-extra": lambda: sign(POST, USER, timestamp=1, nonce="n", extra={"oauth_verifier": VERIFIER + "\ud800"}),
        "sign-plaintext": lambda: sign(
            Request("GET", "http://a.test/"), USER, timestamp=1, nonce="n", method="PLAINTEXT"
        ),
        "app-surrogate": lambda: App("CK", CONSUMER_SECRET + "\ud800"),
        "pem-escaped": lambda: sign(
            POST, App("CK", "", rsa_private_key=f"-----BEGIN {PASSWORD}\\n"), timestamp=1, nonce="n", method="RSA-SHA1"
        ),
        "pem-path": lambda: sign(
            POST, App("CK", "", rsa_private_key=f"/{PASSWORD}.pem"), timestamp=1, nonce="n", method="RSA-SHA1"
        ),
        "login-begun": lambda: come(begin_login(APP, env=ENV), TEMPORARY_ANSWER.replace("true", "false")),
        "login-begun-json": lambda: come(begin_login(APP, env=ENV), json.dumps({"oauth_token": REQUEST_TOKEN})),
        "login-refused": lambda: come(begin_login(APP, env=ENV), TEMPORARY_ANSWER, 401),
        "login-denied": lambda: Flow(finish(f"?denied={REQUEST_TOKEN}")),
        "login-foreign": lambda: Flow(finish(f"?oauth_token={PASSWORD}&oauth_verifier={VERIFIER}")),
        "login-twice": lambda: Flow(finish(f"{CALLED_BACK}&oauth_verifier={VERIFIER}")),
        "login-no-verifier": lambda: Flow(finish(f"?oauth_token={REQUEST_TOKEN}")),
        "login-surrogate": lambda: Flow(finish(f"?oauth_token={REQUEST_TOKEN}\ud800&oauth_verifier={VERIFIER}")),
        "login-used": lambda: Flow(finish(CALLED_BACK)).fail(errors.Conflict("changed")),
        "login-pin": lambda: come(finish(CALLED_BACK), f"Invalid oauth_verifier {VERIFIER} {REQUEST_TOKEN}", 401),
        "login-granted": lambda: come(finish(CALLED_BACK), GRANTED_ANSWER + "&oauth_token=x"),
        "login-granted-again": lambda: come(finish(CALLED_BACK), f"oauth_token={REQUEST_TOKEN}&oauth_token_secret=s"),
        "xauth": lambda: come(xauth(APP, "n", PASSWORD, provider=X, env=ENV), f"bad {PASSWORD}", 401),
        "xauth-empty": lambda: Flow(xauth(APP, "", PASSWORD, provider=X, env=ENV)),
        "xauth-surrogate": lambda: Flow(xauth(APP, "n", PASSWORD + "\ud800", provider=X, env=ENV)),
        "xauth-granted": lambda: come(xauth(APP, "n", PASSWORD, provider=X, env=ENV), f"oauth_token={FETCHED}"),
        "reverse-string": lambda: Flow(reverse_access_token(USER, APP, PASSWORD, env=ENV)),
        "reverse-refused": lambda: come(
            reverse_access_token(USER, APP, SIGNED_FOR_REVERSE, env=ENV), f"bad {SIGNED_FOR_REVERSE}", 401
        ),
        "invalidated-user": lambda: come(invalidate_access_token(USER, env=ENV), f"bad {ACCESS_TOKEN}", 401),
        "echo": lambda: echo_request(ECHO, allowed=["https://a/"]),
        "echo-scheme": lambda: echo_request(
            [("x-auth-service-provider", "https://a/"), ("x-verify-credentials-authorization", PASSWORD)],
            allowed=["https://a/"],
        ),
        **failing_at_oauth2_endpoints(),
        "flow": lambda: Flow(token(APP)).resume(PASSWORD),
        "fail": lambda: Flow(token(APP)).fail(PASSWORD),  # type: ignore[arg-type]
    }


@pytest.mark.parametrize("name", list(failing()))
def test_no_error_shows_a_secret_in_its_text_its_arguments_or_its_traceback(name: str) -> None:
    with pytest.raises(errors.SansauthError) as caught:
        failing()[name]()
    error = caught.value
    # The lines of code that a traceback quotes are ours, and name constants, not values.
    shown = [str(error), repr(error), repr(error.args), repr(vars(error)), "".join(traceback.format_exception(error))]
    assert [text for text in shown if CANARY in text] == []


FROM_AN_ANSWER = [
    "record",
    "token-type",
    "token-crlf",
    "token-text",
    "token-list",
    "invalidate",
    "invalidated",
    "reverse",
]
# And what a user brought: a password, a verifier, the login that was kept for them.
FROM_A_USER = [name for name in failing() if name.startswith(("login", "saved-login", "xauth", "reverse-", "echo"))]
SIGNED = ["sign-twice", "sign-plaintext", "pem-escaped", "pem-path"]


@pytest.mark.parametrize("name", [*FROM_AN_ANSWER, *FROM_A_USER, *SIGNED, *failing_at_oauth2_endpoints()])
def test_no_frame_of_ours_shows_what_a_service_issued(name: str) -> None:
    """For tracebacks that show the locals of their frames, as error reporters and rich do."""
    with pytest.raises(errors.SansauthError) as caught:
        failing()[name]()
    frames = [entry.frame for entry in caught.traceback]
    ours = [frame for frame in frames if str(frame.f_globals["__name__"]).startswith("sansauth")]
    assert ours
    shown = [(frame.code.name, key, repr(value)) for frame in ours for key, value in frame.f_locals.items()]
    assert [entry for entry in shown if CANARY in entry[2]] == []


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: Signer(BEARER), "<Signer, not built>"),  # type: ignore[arg-type]
        (lambda: Flow(PASSWORD and None), "<Flow, not begun>"),  # type: ignore[arg-type]
        (lambda: Request("GET", f"https://api.x.com/ {PASSWORD}"), "<Request, not built>"),
    ],
)
def test_a_traceback_with_locals_survives_what_is_half_built(make: Callable[[], object], shown: str) -> None:
    with pytest.raises(errors.SansauthError) as caught:
        make()
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert any(shown in line for line in told.format())


def test_no_error_of_json_stays_visible_with_its_document() -> None:
    """The document of a JSONDecodeError is a token answer: it is never the shown cause."""
    with pytest.raises(errors.RemoteProtocolError) as caught:
        Response(200, (), b'{"access_token":"canary').json()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_what_is_stored_and_what_is_sent_holds_the_secret_all_the_same() -> None:
    """The canaries above can fail: the values do hold what they do not show."""
    assert FETCHED in json.loads(RECORD.data)["access_token"]
    assert secrets_in(
        str(Flow(call(POST, BEARER, provider=X, env=ENV)).request.headers["authorization"]), [BEARER_TOKEN]
    )
    assert str(Secret(PASSWORD)) == PASSWORD
