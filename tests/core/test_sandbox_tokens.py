"""The sandbox's token endpoints, request by request: what X takes, and what it refuses with which code."""

import base64
import json
import re
from urllib.parse import quote

import pytest

from sansauth.env import Env
from sansauth.http import FORM, Request, Response
from sansauth.oauth1 import sign
from sansauth.testing import Sandbox

TOKEN = "https://api.x.com/oauth2/token"
INVALIDATE = "https://api.x.com/oauth2/invalidate_token"
REQUEST_TOKEN = "https://api.x.com/oauth/request_token"
NOW = 1_700_000_000
GRANT = b"grant_type=client_credentials"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(consumer_key="the key", consumer_secret="se:cr+et/%41é")


def basic(pair: str | bytes) -> str:
    return "Basic " + base64.b64encode(pair.encode() if isinstance(pair, str) else pair).decode()


def credentials(sandbox: Sandbox) -> str:
    return basic(f"{quote(sandbox.app.consumer_key, safe='')}:{quote(sandbox.app.consumer_secret, safe='')}")


def post(url: str, authorization: str | None, body: bytes = b"", kind: str | None = FORM) -> Request:
    fields = {"authorization": authorization, "content-type": kind}
    return Request("POST", url, {name: value for name, value in fields.items() if value is not None}, body)


def code(response: Response) -> tuple[int, int]:
    document = json.loads(response.body)
    return response.status, document["errors"][0]["code"]


def test_a_token_is_issued_for_percent_encoded_credentials(sandbox: Sandbox) -> None:
    answer = sandbox.handle(post(TOKEN, credentials(sandbox), GRANT))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    document = answer.json()
    assert isinstance(document, dict)
    assert sorted(document) == ["access_token", "token_type"]
    assert document["token_type"] == "bearer"
    assert re.fullmatch(r"A{21}[A-Za-z0-9]+%2F[A-Za-z0-9]+%3D[A-Za-z0-9]+", document["access_token"])


def test_the_scheme_is_read_in_any_case_and_the_content_type_with_parameters(sandbox: Sandbox) -> None:
    request = post(TOKEN, credentials(sandbox).replace("Basic", "bASIC"), GRANT, FORM + ";charset=UTF-8")
    assert sandbox.handle(request).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic",
        "Basic !!!",
        "Basic Q",
        "Basic é",
        basic(b"\xff\xfe:x"),
        basic("the%20key"),
        basic("the%20key:"),
        basic(":"),
        basic("the%20key:se:cr+et/%41é"),
        basic("another:se%3Acr%2Bet%2F%2541%C3%A9"),
        basic("the%20key:se%3Acr%2Bet%2F%2541%C3%A9").replace("Basic", "Bearer"),
        basic("the%20key:se%3Acr%2Bet%2F%2541%C3%A9").replace(" d", " !d"),
        "Bearer the%20key",
    ],
)
def test_wrong_credentials_get_code_99(sandbox: Sandbox, authorization: str | None) -> None:
    answer = sandbox.handle(post(TOKEN, authorization, GRANT))
    assert code(answer) == (403, 99)
    assert answer.json() == {
        "errors": [{"code": 99, "message": "Unable to verify your credentials", "label": "authenticity_token_error"}]
    }
    assert sandbox.bearer_token is None


def test_the_right_credentials_of_those_above_are_taken(sandbox: Sandbox) -> None:
    right = basic("the%20key:se%3Acr%2Bet%2F%2541%C3%A9")
    assert right == credentials(sandbox)
    assert sandbox.handle(post(TOKEN, right, GRANT)).status == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FORM),
        (b"grant_type=", FORM),
        (b"grant_type=password", FORM),
        (GRANT + b"&" + GRANT, FORM),
        (GRANT, "application/json"),
        (GRANT, None),
        (b'{"grant_type":"client_credentials"}', "application/json"),
        (b"grant_type=client_credentials\xff", FORM),
    ],
)
def test_no_grant_type_in_a_form_is_code_170(sandbox: Sandbox, body: bytes, kind: str | None) -> None:
    answer = sandbox.handle(post(TOKEN, credentials(sandbox), body, kind))
    assert answer.status == 403
    assert answer.json() == {"errors": [{"code": 170, "message": "Missing required parameter: grant_type"}]}


def test_a_grant_type_in_the_query_is_none(sandbox: Sandbox) -> None:
    assert code(sandbox.handle(post(f"{TOKEN}?{GRANT.decode()}", credentials(sandbox)))) == (403, 170)


def test_the_token_goes_back_as_issued_in_form_or_query(sandbox: Sandbox) -> None:
    for where in ("form", "query"):
        issued = sandbox.outstanding_bearer_token()
        sent = f"access_token={issued}"
        if where == "form":
            answer = sandbox.handle(post(INVALIDATE, credentials(sandbox), sent.encode()))
        else:
            answer = sandbox.handle(post(f"{INVALIDATE}?{sent}", credentials(sandbox), kind=None))
        assert (answer.status, answer.json()) == (200, {"access_token": issued})
        assert sandbox.bearer_token is None


def test_a_token_that_is_encoded_twice_is_another_token(sandbox: Sandbox) -> None:
    issued = sandbox.outstanding_bearer_token()
    twice = quote(issued, safe="")
    assert "%252F" in twice
    assert code(sandbox.handle(post(INVALIDATE, credentials(sandbox), f"access_token={twice}".encode()))) == (403, 99)
    assert sandbox.bearer_token == issued
    once = issued.replace("%2F", "%2f")  # the same octets: %2f is %2F (RFC 3986 section 2.1)
    assert sandbox.handle(post(INVALIDATE, credentials(sandbox), f"access_token={once}".encode())).status == 200


@pytest.mark.parametrize("sent", ["", "access_token=", "token={issued}", "access_token={issued}&access_token={issued}"])
def test_no_token_or_two_is_code_99(sandbox: Sandbox, sent: str) -> None:
    issued = sandbox.outstanding_bearer_token()
    request = post(INVALIDATE, credentials(sandbox), sent.format(issued=issued).encode())
    assert code(sandbox.handle(request)) == (403, 99)
    assert sandbox.bearer_token == issued


def test_a_token_is_not_invalidated_twice(sandbox: Sandbox) -> None:
    request = post(INVALIDATE, credentials(sandbox), f"access_token={sandbox.outstanding_bearer_token()}".encode())
    assert sandbox.handle(request).status == 200
    assert code(sandbox.handle(request)) == (403, 99)


@pytest.mark.parametrize("authorization", [None, "Basic Q0s6Q1M=", "bearer"])
def test_a_stranger_does_not_invalidate(sandbox: Sandbox, authorization: str | None) -> None:
    issued = sandbox.outstanding_bearer_token()
    if authorization == "bearer":
        authorization = f"Bearer {issued}"
    assert code(sandbox.handle(post(INVALIDATE, authorization, f"access_token={issued}".encode()))) == (403, 99)
    assert sandbox.bearer_token == issued


def test_a_bad_signature_does_not_invalidate(sandbox: Sandbox) -> None:
    issued = sandbox.outstanding_bearer_token()
    request = sign(post(f"{INVALIDATE}?access_token={issued}", None, kind=None), sandbox.user, timestamp=NOW, nonce="n")
    changed = Request("POST", request.url + "&a=b", request.headers)
    assert code(sandbox.handle(changed)) == (401, 32)
    assert sandbox.bearer_token == issued
    assert sandbox.handle(request).status == 200


def test_a_new_token_differs_even_where_entropy_stands_still() -> None:
    sandbox = Sandbox(env=Env(clock=lambda: 0.0, entropy=bytes))
    first = sandbox.outstanding_bearer_token()
    sandbox.handle(post(INVALIDATE, credentials(sandbox), f"access_token={first}".encode()))
    assert sandbox.outstanding_bearer_token() not in {first, None}


@pytest.mark.parametrize("where", ["form", "query"])
def test_reverse_auth_takes_its_mode_from_form_or_query(sandbox: Sandbox, where: str) -> None:
    mode = "x_auth_mode=reverse_auth"
    request = post(REQUEST_TOKEN, None, mode.encode()) if where == "form" else post(f"{REQUEST_TOKEN}?{mode}", None)
    answer = sandbox.handle(sign(request, sandbox.app, timestamp=NOW, nonce="n"))
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert re.fullmatch(
        r'OAuth oauth_nonce="\w{43}", oauth_signature_method="HMAC-SHA1", oauth_timestamp="1700000000", '
        r'oauth_consumer_key="the%20key", oauth_token="\w{27}", oauth_signature="[\w%]+%3D", oauth_version="1.0"',
        answer.text,
    )


def reverse(sandbox: Sandbox, body: bytes = b"x_auth_mode=reverse_auth") -> Request:
    return post(REQUEST_TOKEN, None, body)


def test_reverse_auth_is_signed_by_the_consumer_alone(sandbox: Sandbox) -> None:
    answer = sandbox.handle(sign(reverse(sandbox), sandbox.user, timestamp=NOW, nonce="n"))
    assert (answer.status, answer.text) == (401, "Reverse auth credentials are invalid")


def test_reverse_auth_with_a_used_nonce_is_refused(sandbox: Sandbox) -> None:
    request = sign(reverse(sandbox), sandbox.app, timestamp=NOW, nonce="n")
    assert sandbox.handle(request).status == 200
    assert sandbox.handle(request).text == "Reverse auth credentials are invalid"


def test_reverse_auth_tells_a_wrong_clock_apart(sandbox: Sandbox) -> None:
    request = sign(reverse(sandbox), sandbox.app, timestamp=NOW + 301, nonce="n")
    assert code(sandbox.handle(request)) == (401, 135)


def test_a_request_token_without_signature_is_code_215(sandbox: Sandbox) -> None:
    assert code(sandbox.handle(reverse(sandbox))) == (400, 215)
    assert code(sandbox.handle(post(REQUEST_TOKEN, credentials(sandbox), b"x_auth_mode=reverse_auth"))) == (400, 215)


@pytest.mark.parametrize(
    "body", [b"x_auth_mode=", b"x_auth_mode=client_auth", b"x_auth_mode=reverse_auth&x_auth_mode=x"]
)
def test_another_mode_is_judged_by_its_signature_and_not_permitted(sandbox: Sandbox, body: bytes) -> None:
    request = sign(reverse(sandbox, body), sandbox.app, timestamp=NOW, nonce="n")
    forged = Request("POST", request.url + "?forged=1", request.headers, request.body)
    assert code(sandbox.handle(forged)) == (401, 32)
    assert code(sandbox.handle(request)) == (403, 87)


def test_credentials_are_made_like_those_of_x() -> None:
    one, same = Sandbox(), Sandbox()
    assert re.fullmatch(r"[A-Za-z0-9]{25}", one.app.consumer_key)
    assert re.fullmatch(r"[A-Za-z0-9]{50}", one.app.consumer_secret)
    assert re.fullmatch(r"7000001-[A-Za-z0-9]{40}", one.user.access_token)
    assert re.fullmatch(r"[A-Za-z0-9]{45}", one.user.access_token_secret)
    assert one.user == same.user


def test_credentials_that_are_given_are_kept() -> None:
    sandbox = Sandbox(consumer_key="CK", consumer_secret="CS", access_token="12-AT", access_token_secret="AS")
    assert (sandbox.app.consumer_key, sandbox.app.consumer_secret) == ("CK", "CS")
    assert (sandbox.user.access_token, sandbox.user.access_token_secret) == ("12-AT", "AS")
    assert sandbox.user_id == 12


@pytest.mark.parametrize("access_token", ["token", "²-token", "9" * 20 + "-token", "-token"])
def test_a_token_without_a_user_id_belongs_to_user_1(access_token: str) -> None:
    assert Sandbox(access_token=access_token).user_id == 1


def test_no_repr_shows_a_secret() -> None:
    sandbox = Sandbox()
    sandbox.outstanding_bearer_token()
    shown = repr([sandbox, sandbox.app, sandbox.user, sandbox.bearer_token])
    hidden = (sandbox.app.consumer_secret, sandbox.user.access_token_secret, str(sandbox.bearer_token))
    assert not any(secret in shown for secret in hidden)
    assert sandbox.app.consumer_key in shown
