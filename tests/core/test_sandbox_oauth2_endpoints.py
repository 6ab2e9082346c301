"""OAuth 2 at the sandbox beyond X's: pushed requests, devices, registration, metadata, exchange of tokens."""

from __future__ import annotations

import json

import pytest

from sansauth.encoding import decode, encode
from sansauth.errors import LocalProtocolError
from sansauth.http import FORM, Request, Response, build_request
from sansauth.identity import OAuth2Client
from sansauth.testing import Sandbox

from .test_sandbox_oauth2 import (
    AUTHORIZE,
    BASE,
    CALLBACK,
    CHALLENGE,
    INTROSPECT,
    NOW,
    REVOKE,
    SCOPES,
    TOKEN,
    Clock,
    answered,
    authorize_url,
    call,
    client,
    clock,
    code_of,
    error,
    exchange,
    log_in,
    post,
    refresh,
    sandbox,
)

__all__ = ["client", "clock", "sandbox"]  # fixtures

PAR = f"{BASE}/2/oauth2/par"
DEVICE_AUTHORIZATION = f"{BASE}/2/oauth2/device_authorization"
DEVICE = f"{BASE}/device"
REGISTER = f"{BASE}/2/oauth2/register"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def document(answer: Response) -> dict[str, object]:
    read: dict[str, object] = json.loads(answer.body)
    return read


# --- pushed requests (RFC 9126) --------------------------------------------------------------------------------------


def push(sandbox: Sandbox, client: OAuth2Client, **changes: str | None) -> Response:
    asked = dict(decode(authorize_url(client).partition("?")[2]))
    return post(sandbox, PAR, client, **asked | changes)


def pushed_url(sandbox: Sandbox, client: OAuth2Client) -> str:
    answer = push(sandbox, client)
    assert answer.status == 201, answer.text
    pushed = document(answer)
    assert pushed["expires_in"] == 90
    return f"{AUTHORIZE}?{encode({'client_id': client.client_id, 'request_uri': str(pushed['request_uri'])})}"


def test_a_pushed_request_is_good_once_and_the_page_may_be_loaded_again(sandbox: Sandbox, client: OAuth2Client) -> None:
    url = pushed_url(sandbox, client)
    for _ in range(2):
        assert sandbox.handle(Request("GET", url)).status == 200
    back = answered(sandbox.approve(url))
    assert back["state"] == "st at&e"
    assert exchange(sandbox, client, back["code"]).status == 200
    with pytest.raises(LocalProtocolError):
        sandbox.approve(url)


def test_a_pushed_request_lives_90_seconds_and_belongs_to_its_client(sandbox: Sandbox, clock: Clock) -> None:
    client = sandbox.oauth2_client
    url = pushed_url(sandbox, client)
    for other in (url.replace(client.client_id, sandbox.public_client.client_id), url.replace("client_id", "x")):
        assert sandbox.handle(Request("GET", other)).status == 400
    clock.now += 89.9
    assert sandbox.handle(Request("GET", url)).status == 200
    clock.now += 0.1
    assert sandbox.handle(Request("GET", url)).status == 400


def test_what_stands_beside_a_request_uri_is_not_read(sandbox: Sandbox) -> None:
    url = pushed_url(sandbox, sandbox.public_client)
    assert answered(sandbox.deny(f"{url}&state=other&redirect_uri=https://evil.example/"))["state"] == "st at&e"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"redirect_uri": "http://evil.example/"}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"request_uri": "urn:x"}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_not_pushed(
    sandbox: Sandbox, client: OAuth2Client, changes: dict[str, str | None], expected: str
) -> None:
    assert error(push(sandbox, client, **changes)) == (400, expected)


def test_who_pushes_authenticates(sandbox: Sandbox) -> None:
    wrong = OAuth2Client(sandbox.oauth2_client.client_id, "wrong")
    assert error(push(sandbox, wrong)) == (401, "invalid_client")


# --- devices (RFC 8628) ----------------------------------------------------------------------------------------------


def begin(sandbox: Sandbox, client: OAuth2Client) -> dict[str, str]:
    answer = post(sandbox, DEVICE_AUTHORIZATION, client, scope=SCOPES)
    assert answer.status == 200
    assert list(document(answer)) == [
        "device_code",
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "expires_in",
        "interval",
    ]
    return json.loads(answer.body)


def poll(sandbox: Sandbox, client: OAuth2Client, device_code: str) -> Response:
    return post(sandbox, TOKEN, client, grant_type=DEVICE_CODE, device_code=device_code)


def test_a_device_waits_for_its_user(sandbox: Sandbox, client: OAuth2Client) -> None:
    device = begin(sandbox, client)
    assert (device["expires_in"], device["interval"], device["verification_uri"]) == (600, 5, DEVICE)
    assert error(poll(sandbox, client, device["device_code"])) == (400, "authorization_pending")
    assert sandbox.approve(device["verification_uri_complete"]) == ""
    issued = document(poll(sandbox, client, device["device_code"]))
    assert issued["scope"] == SCOPES
    assert call(sandbox, str(issued["access_token"])).status == 200
    assert refresh(sandbox, client, str(issued["refresh_token"])).status == 200
    assert error(poll(sandbox, client, device["device_code"])) == (400, "invalid_grant")


def test_a_device_that_hurries_is_told_to_slow_down_and_has_to(sandbox: Sandbox, clock: Clock) -> None:
    client = sandbox.public_client
    code = begin(sandbox, client)["device_code"]
    said = []
    for seconds in (0, 5, 4.9, 9.9, 15, 15):
        clock.now += seconds
        said.append(error(poll(sandbox, client, code))[1])
    pending = "authorization_pending"
    assert said == [pending, pending, "slow_down", "slow_down", pending, pending]


def test_a_device_is_denied_or_expires(sandbox: Sandbox, clock: Clock) -> None:
    client = sandbox.public_client
    denied, late = begin(sandbox, client), begin(sandbox, client)
    assert denied["user_code"] != late["user_code"]
    assert sandbox.deny(denied["verification_uri_complete"]) == ""
    assert error(poll(sandbox, client, denied["device_code"])) == (400, "access_denied")
    assert error(poll(sandbox, client, denied["device_code"])) == (400, "invalid_grant")
    clock.now += 600
    with pytest.raises(LocalProtocolError):
        sandbox.approve(late["verification_uri_complete"])
    assert error(poll(sandbox, client, late["device_code"])) == (400, "expired_token")
    assert error(poll(sandbox, client, late["device_code"])) == (400, "invalid_grant")


def test_a_device_code_is_for_its_own_client(sandbox: Sandbox) -> None:
    device = begin(sandbox, sandbox.public_client)
    sandbox.approve(device["verification_uri_complete"])
    assert error(poll(sandbox, sandbox.oauth2_client, device["device_code"])) == (400, "invalid_grant")
    assert poll(sandbox, sandbox.public_client, device["device_code"]).status == 200
    assert error(poll(sandbox, sandbox.public_client, "")) == (400, "invalid_request")


def test_a_device_asks_for_scopes_that_there_are(sandbox: Sandbox, client: OAuth2Client) -> None:
    assert error(post(sandbox, DEVICE_AUTHORIZATION, client, scope="admin")) == (400, "invalid_scope")
    assert error(post(sandbox, DEVICE_AUTHORIZATION, client)) == (400, "invalid_request")
    assert error(post(sandbox, DEVICE_AUTHORIZATION, None, scope=SCOPES)) == (400, "invalid_request")


def test_the_device_page_takes_the_code_as_people_type_it(sandbox: Sandbox) -> None:
    device = begin(sandbox, sandbox.public_client)
    empty = sandbox.handle(Request("GET", DEVICE))
    assert (empty.status, 'name="user_code"' in empty.text) == (200, True)
    for typed in (device["user_code"], device["user_code"].lower().replace("-", " ")):
        page = sandbox.handle(Request("GET", f"{DEVICE}?{encode({'user_code': typed})}"))
        assert (page.status, "Authorize an application" in page.text) == (200, True)
    wrong = "user_code=WRONG", f"user_code=A&user_code={device['user_code']}"
    assert [sandbox.handle(Request("GET", f"{DEVICE}?{query}")).status for query in wrong] == [400, 400]
    body = encode({"user_code": device["user_code"]}).encode()
    assert sandbox.handle(Request("POST", DEVICE, {"content-type": FORM}, body)).status == 400
    by_get = f"{device['verification_uri_complete']}&decision=authorize"
    assert "Your device" not in sandbox.handle(Request("GET", by_get)).text


# --- registration (RFC 7591) -----------------------------------------------------------------------------------------


def register(sandbox: Sandbox, **metadata: object) -> Response:
    return sandbox.handle(build_request("POST", REGISTER, json={"redirect_uris": [CALLBACK]} | metadata))


@pytest.mark.parametrize("auth", [None, "client_secret_basic", "client_secret_post", "none"])
def test_a_client_that_registered_itself_logs_users_in(sandbox: Sandbox, auth: str | None) -> None:
    answer = register(sandbox, **({} if auth is None else {"token_endpoint_auth_method": auth}))
    assert answer.status == 201
    shown = document(answer)
    assert (shown["client_id_issued_at"], shown["redirect_uris"]) == (int(NOW), [CALLBACK])
    assert ("client_secret" in shown) is (auth != "none")
    assert shown.get("client_secret_expires_at") == (None if auth == "none" else 0)
    secret = str(shown["client_secret"]) if auth != "none" else None
    client = OAuth2Client(str(shown["client_id"]), secret)
    code = code_of(sandbox, client)
    if auth == "client_secret_post":
        answer = post(
            sandbox,
            TOKEN,
            None,
            grant_type="authorization_code",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            client_id=client.client_id,
            client_secret=secret,
        )
    else:
        answer = exchange(sandbox, client, code)
    assert answer.status == 200
    url = authorize_url(client, redirect_uri="https://other.example/")
    assert sandbox.handle(Request("GET", url)).status == 400


def test_two_registrations_are_two_clients(sandbox: Sandbox) -> None:
    first, second = document(register(sandbox)), document(register(sandbox))
    assert first["client_id"] != second["client_id"]
    assert first["client_secret"] != second["client_secret"]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": CALLBACK}, "invalid_redirect_uri"),
        ({"redirect_uris": [CALLBACK, 1]}, "invalid_redirect_uri"),
        ({"redirect_uris": [CALLBACK, "http://app.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [CALLBACK + "#a"]}, "invalid_redirect_uri"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": None}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": ["none"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"jwks": {"keys": 1}}, "invalid_client_metadata"),
        ({"jwks": {}}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "d": "AAAA"}]}}, "invalid_client_metadata"),
        ({"jwks": {"keys": ["\ud800"]}}, "invalid_client_metadata"),
    ],
)
def test_what_cannot_be_registered_is_refused(sandbox: Sandbox, metadata: dict[str, object], expected: str) -> None:
    body = json.dumps({"redirect_uris": [CALLBACK]} | metadata).encode()
    answer = sandbox.handle(Request("POST", REGISTER, {"content-type": "application/json"}, body))
    assert error(answer) == (400, expected)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", b"[]"), ("application/json", b"{"), ("text/plain", b'{"redirect_uris":["https://a/"]}')],
)
def test_a_registration_is_a_json_object(sandbox: Sandbox, content_type: str, body: bytes) -> None:
    answer = sandbox.handle(Request("POST", REGISTER, {"content-type": content_type}, body))
    assert error(answer) == (400, "invalid_client_metadata")


# --- metadata (RFC 8414) ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [BASE, "http://127.0.0.1:8080"])
@pytest.mark.parametrize("name", ["oauth-authorization-server", "openid-configuration"])
def test_the_metadata_are_of_the_origin_that_was_asked_and_every_endpoint_of_them_answers(
    sandbox: Sandbox, origin: str, name: str
) -> None:
    told = document(sandbox.handle(Request("GET", f"{origin}/.well-known/{name}")))
    assert told["issuer"] == origin
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["code_challenge_methods_supported"] == ["S256"]
    endpoints = [str(value) for key, value in told.items() if key.endswith(("_endpoint", "_uri"))]
    assert len(endpoints) == 9
    for url in endpoints:
        assert url.startswith(origin + "/")
        assert sandbox.handle(Request("POST", url)).status in {400, 401, 405}
    back = sandbox.approve(authorize_url(sandbox.public_client).replace(BASE, origin))
    assert answered(back)["iss"] == origin


# --- token exchange (RFC 8693) ---------------------------------------------------------------------------------------


def test_a_token_is_exchanged_for_one_with_less_scope(sandbox: Sandbox) -> None:
    client = sandbox.oauth2_client
    subject = log_in(sandbox, sandbox.public_client)["access_token"]
    form = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN}
    issued = document(post(sandbox, TOKEN, client, scope="tweet.read users.read", **form))
    assert (issued["scope"], issued["issued_token_type"]) == ("tweet.read users.read", ACCESS_TOKEN)
    assert "refresh_token" not in issued
    assert call(sandbox, str(issued["access_token"])).status == 200
    told = document(post(sandbox, INTROSPECT, client, token=str(issued["access_token"])))
    assert (told["client_id"], told["sub"]) == (client.client_id, "7000001")
    assert document(post(sandbox, TOKEN, client, requested_token_type=ACCESS_TOKEN, **form))["scope"] == SCOPES


def test_what_was_exchanged_ends_with_what_it_came_of(sandbox: Sandbox) -> None:
    tokens = log_in(sandbox, sandbox.public_client)
    form = {"grant_type": EXCHANGE, "subject_token": tokens["access_token"], "subject_token_type": ACCESS_TOKEN}
    issued = document(post(sandbox, TOKEN, sandbox.oauth2_client, **form))
    post(sandbox, REVOKE, sandbox.public_client, token=tokens["refresh_token"])
    assert call(sandbox, str(issued["access_token"])).status == 401


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"subject_token": "unknown"}, "invalid_request"),
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"),
        ({"actor_token": "a"}, "invalid_request"),
        ({"scope": "dm.write"}, "invalid_scope"),
    ],
)
def test_an_exchange_that_cannot_be_is_refused(sandbox: Sandbox, changes: dict[str, str | None], expected: str) -> None:
    form: dict[str, str | None] = {
        "grant_type": EXCHANGE,
        "subject_token": log_in(sandbox, sandbox.public_client)["access_token"],
        "subject_token_type": ACCESS_TOKEN,
    }
    assert error(post(sandbox, TOKEN, sandbox.oauth2_client, **form | changes)) == (400, expected)
    assert error(post(sandbox, TOKEN, sandbox.public_client, **form)) == (400, "unauthorized_client")


def test_the_challenge_is_kept_with_the_code(sandbox: Sandbox) -> None:
    other = "A" * 43
    assert other != CHALLENGE
    code = code_of(sandbox, sandbox.public_client, code_challenge=other)
    assert error(exchange(sandbox, sandbox.public_client, code)) == (400, "invalid_grant")
