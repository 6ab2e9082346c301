"""Logins at the sandbox, request by request: request token, consent page, access token, xAuth, reverse auth, revoking.

Signatures are judged by oauthlib's server side; what is answered are X's own words and codes.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import oauthlib.oauth1
import pytest

from sansauth.encoding import decode, encode, quote
from sansauth.env import Env
from sansauth.errors import LocalProtocolError
from sansauth.http import FORM, Request, Response, build_request
from sansauth.identity import App, OAuth1User
from sansauth.oauth1 import sign
from sansauth.secret import Secret
from sansauth.testing import Sandbox, fixed_env
from sansauth.testing.issued_tokens import REQUEST_TOKEN_SECONDS

BASE = "https://api.x.com"
REQUEST_TOKEN = f"{BASE}/oauth/request_token"
AUTHORIZE = f"{BASE}/oauth/authorize"
ACCESS_TOKEN = f"{BASE}/oauth/access_token"
VERIFY = f"{BASE}/1.1/account/verify_credentials.json"
INVALIDATE = f"{BASE}/1.1/oauth/invalidate_token"
CALLBACK = "http://127.0.0.1:8000/cb"
NOW = 1_700_000_000


class Clock:
    """One that a test sets."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return Sandbox(env=Env(clock=clock, entropy=fixed_env().entropy))


def send(sandbox: Sandbox, request: Request, by: App | OAuth1User, **extra: str) -> Response:
    env = sandbox.env
    return sandbox.handle(sign(request, by, timestamp=env.timestamp(), nonce=env.nonce(), extra=extra))


def post(url: str, **form: str) -> Request:
    return build_request("POST", url, form=form) if form else Request("POST", url)


def code(response: Response) -> tuple[int, int]:
    document = json.loads(response.body)
    return response.status, document["errors"][0]["code"]


def fields(response: Response) -> dict[str, str]:
    """The form that tokens are issued in."""
    assert response.status == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return dict(decode(response.text))


class Login:
    """A login that has begun: its request token."""

    def __init__(self, sandbox: Sandbox, callback: str = CALLBACK, **form: str) -> None:
        self.sandbox = sandbox
        answer = fields(send(sandbox, post(REQUEST_TOKEN, **form), sandbox.app, oauth_callback=callback))
        self.token = answer["oauth_token"]
        self.identity = OAuth1User(sandbox.app, self.token, answer["oauth_token_secret"])
        self.url = f"{AUTHORIZE}?{encode({'oauth_token': self.token})}"

    def exchange(self, verifier: str) -> Response:
        return send(self.sandbox, post(ACCESS_TOKEN), self.identity, oauth_verifier=verifier)

    def finish(self, verifier: str) -> OAuth1User:
        answer = fields(self.exchange(verifier))
        return OAuth1User(self.sandbox.app, answer["oauth_token"], answer["oauth_token_secret"])


def verifier_of(url: str) -> str:
    return dict(decode(url.partition("?")[2].partition("#")[0]))["oauth_verifier"]


# --- request token ---------------------------------------------------------------------------------------------------


def test_a_request_token_is_issued_as_x_does(sandbox: Sandbox) -> None:
    answer = send(sandbox, post(REQUEST_TOKEN), sandbox.app, oauth_callback=CALLBACK)
    issued = fields(answer)
    assert list(issued) == ["oauth_token", "oauth_token_secret", "oauth_callback_confirmed"]
    assert re.fullmatch(r"[A-Za-z0-9]{27}", issued["oauth_token"])
    assert re.fullmatch(r"[A-Za-z0-9]{32}", issued["oauth_token_secret"])
    assert issued["oauth_callback_confirmed"] == "true"


def test_the_callback_stands_in_header_query_or_form(sandbox: Sandbox) -> None:
    for request in (
        post(f"{REQUEST_TOKEN}?oauth_callback={quote(CALLBACK)}"),
        post(REQUEST_TOKEN, oauth_callback=CALLBACK),
    ):
        assert fields(send(sandbox, request, sandbox.app))["oauth_callback_confirmed"] == "true"
    once = sign(post(REQUEST_TOKEN), sandbox.app, timestamp=NOW, nonce="n", extra={"oauth_callback": "oob"})
    twice = Request("POST", f"{REQUEST_TOKEN}?oauth_callback={quote(CALLBACK)}", once.headers, once.body)
    assert code(sandbox.handle(twice)) == (400, 215)


def test_a_missing_or_empty_callback_is_named(sandbox: Sandbox) -> None:
    assert code(send(sandbox, post(REQUEST_TOKEN), sandbox.app)) == (403, 38)
    assert code(send(sandbox, post(REQUEST_TOKEN), sandbox.app, oauth_callback="")) == (403, 38)


@pytest.mark.parametrize(
    "callback", ["oob", "http://127.0.0.1/", "https://app.example/cb?a=b&c#d", "myapp:done", "my.app+x://a/b%20c"]
)
def test_without_a_list_any_callback_is_taken(sandbox: Sandbox, callback: str) -> None:
    assert Login(sandbox, callback).token


@pytest.mark.parametrize(
    "callback",
    [
        "/cb",
        "cb",
        "http:",
        "OOB",
        "http://a/\r\nset-cookie: a=b",
        "http://a/ b",
        'http://a/"><script>',
        "http://a/é",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,a",
        "file:///etc/passwd",
        "mailto:a@b",
    ],
)
def test_what_is_no_url_or_has_a_scheme_that_x_refuses_is_not_approved(sandbox: Sandbox, callback: str) -> None:
    answer = send(sandbox, post(REQUEST_TOKEN), sandbox.app, oauth_callback=callback)
    assert answer.status == 403
    assert b'<error code="415">' in answer.body


def test_a_callback_list_is_matched_exactly() -> None:
    sandbox = Sandbox(callbacks=[CALLBACK])
    assert Login(sandbox, CALLBACK).token
    assert Login(sandbox, "oob").token
    for callback in (CALLBACK + "/", CALLBACK + "?a=b", CALLBACK.replace("http:", "https:"), CALLBACK.upper()):
        answer = send(sandbox, post(REQUEST_TOKEN), sandbox.app, oauth_callback=callback)
        assert answer.status == 403
        assert answer.headers["content-type"] == "application/xml; charset=utf-8"
        assert answer.text == (
            "<?xml version='1.0' encoding='UTF-8'?><errors><error code=\"415\">"
            "Callback URL not approved for this client application. "
            "Approved callback URLs can be adjusted in your application settings</error></errors>"
        )
        asked = post(REQUEST_TOKEN).with_header("accept", "application/json")
        assert code(send(sandbox, asked, sandbox.app, oauth_callback=callback)) == (403, 415)
    assert send(Sandbox(callbacks=[]), post(REQUEST_TOKEN), Sandbox().app, oauth_callback=CALLBACK).status == 403


def test_a_request_token_is_for_the_application_alone(sandbox: Sandbox) -> None:
    assert code(sandbox.handle(post(REQUEST_TOKEN, oauth_callback="oob"))) == (400, 215)
    wrong = App(sandbox.app.consumer_key, "wrong")
    assert code(send(sandbox, post(REQUEST_TOKEN), wrong, oauth_callback="oob")) == (401, 32)
    assert code(send(sandbox, post(REQUEST_TOKEN), sandbox.user, oauth_callback="oob")) == (403, 87)


@pytest.mark.parametrize(("asked", "level"), [("read", "read"), ("write", "read-write"), (None, "read-write")])
def test_the_access_type_is_the_level_of_the_access_token(sandbox: Sandbox, asked: str | None, level: str) -> None:
    login = Login(sandbox, **({} if asked is None else {"x_auth_access_type": asked}))
    page = sandbox.handle(Request("GET", login.url)).text
    assert ("wants to read in the name" in page) is (level == "read")
    user = login.finish(verifier_of(sandbox.approve(login.url)))
    assert send(sandbox, Request("GET", VERIFY), user).headers["x-access-level"] == level


@pytest.mark.parametrize("asked", ["", "admin", "READ"])
def test_another_access_type_is_refused(sandbox: Sandbox, asked: str) -> None:
    request = post(REQUEST_TOKEN, x_auth_access_type=asked)
    assert code(send(sandbox, request, sandbox.app, oauth_callback="oob")) == (400, 44)


# --- the whole login -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["header", "query", "form"])
def test_a_login_ends_with_an_access_token_of_the_user(sandbox: Sandbox, where: str) -> None:
    login = Login(sandbox)
    url = sandbox.approve(login.url)
    assert url.startswith(f"{CALLBACK}?oauth_token={login.token}&oauth_verifier=")
    verifier = verifier_of(url)
    if where == "header":
        answer = login.exchange(verifier)
    elif where == "query":
        answer = send(sandbox, post(f"{ACCESS_TOKEN}?oauth_verifier={verifier}"), login.identity)
    else:
        answer = send(sandbox, post(ACCESS_TOKEN, oauth_verifier=verifier), login.identity)
    issued = fields(answer)
    assert list(issued) == ["oauth_token", "oauth_token_secret", "user_id", "screen_name"]
    assert re.fullmatch(r"7000001-[A-Za-z0-9]{40}", issued["oauth_token"])
    assert (issued["user_id"], issued["screen_name"]) == ("7000001", "sandbox")
    user = OAuth1User(sandbox.app, issued["oauth_token"], issued["oauth_token_secret"])
    assert user.access_token != sandbox.user.access_token
    for identity in (user, sandbox.user):
        shown = json.loads(send(sandbox, Request("GET", VERIFY), identity).body)
        assert shown["id_str"] == "7000001"


@pytest.mark.parametrize("where", ["AUTH_HEADER", "QUERY", "BODY"])
def test_a_login_by_the_client_of_oauthlib(sandbox: Sandbox, where: str) -> None:
    """Not a byte of it is ours."""

    def by_oauthlib(url: str, **options: str) -> dict[str, str]:
        client = oauthlib.oauth1.Client(
            sandbox.app.consumer_key,
            client_secret=sandbox.app.consumer_secret,
            signature_type=where,
            timestamp=str(NOW),
            **options,
        )
        headers = {"Content-Type": FORM} if where == "BODY" else {}
        url, headers, body = client.sign(url, "POST", "" if where == "BODY" else None, headers)
        return fields(sandbox.handle(Request("POST", url, headers, (body or "").encode())))

    # In query and form, oauthlib decodes values of oauth_* twice before it signs them: such a `%25` would be refused.
    callback = "http://127.0.0.1/cb?a=b+c&d" + ("&e=%2520" if where == "AUTH_HEADER" else "")
    temporary = by_oauthlib(REQUEST_TOKEN, callback_uri=callback)
    names = {"resource_owner_key": temporary["oauth_token"], "resource_owner_secret": temporary["oauth_token_secret"]}
    url = sandbox.approve(f"{AUTHORIZE}?oauth_token={temporary['oauth_token']}")
    assert url.startswith(callback + "&oauth_token=")
    assert by_oauthlib(ACCESS_TOKEN, verifier=verifier_of(url), **names)["user_id"] == "7000001"


def test_a_pin_login(sandbox: Sandbox) -> None:
    login = Login(sandbox, "oob")
    pin = sandbox.approve(login.url)
    assert re.fullmatch(r"[0-9]{7}", pin)
    assert isinstance(pin, Secret)
    assert send(sandbox, Request("GET", VERIFY), login.finish(pin)).status == 200


def test_a_wrong_verifier_is_refused_and_the_right_one_still_taken(sandbox: Sandbox) -> None:
    login = Login(sandbox, "oob")
    words = "Error processing your OAuth request: Invalid oauth_verifier parameter"
    before = login.exchange("")
    assert (before.status, before.text) == (401, words)
    pin = sandbox.approve(login.url)
    for wrong in ("", pin + "0", pin[:-1], "é"):
        answer = login.exchange(wrong)
        assert (answer.status, answer.text) == (401, words)
    missing = send(sandbox, post(ACCESS_TOKEN), login.identity)
    assert (missing.status, missing.text) == (401, words)
    assert login.finish(pin).access_token


def test_a_request_token_is_good_once(sandbox: Sandbox) -> None:
    login = Login(sandbox, "oob")
    pin = sandbox.approve(login.url)
    login.finish(pin)
    assert code(login.exchange(pin)) == (401, 89)


def test_a_verifier_belongs_to_its_login(sandbox: Sandbox) -> None:
    one, other = Login(sandbox), Login(sandbox)
    foreign = verifier_of(sandbox.approve(one.url))
    sandbox.approve(other.url)
    assert other.exchange(foreign).status == 401
    assert one.exchange(foreign).status == 200


def test_a_login_expires_by_the_sandbox_clock(sandbox: Sandbox, clock: Clock) -> None:
    begun, approved, last = (Login(sandbox, "oob") for _ in range(3))
    pins = [sandbox.approve(login.url) for login in (approved, last)]
    clock.now += REQUEST_TOKEN_SECONDS - 1
    assert last.exchange(pins[1]).status == 200
    clock.now += 1
    assert code(approved.exchange(pins[0])) == (401, 89)
    assert sandbox.handle(Request("GET", begun.url)).status == 401
    assert Login(sandbox, "oob").token  # forgets the old ones
    clock.now -= REQUEST_TOKEN_SECONDS
    assert sandbox.handle(Request("GET", begun.url)).status == 401


def test_the_exchange_is_signed_with_the_request_token(sandbox: Sandbox) -> None:
    login = Login(sandbox, "oob")
    pin = sandbox.approve(login.url)
    assert code(sandbox.handle(post(ACCESS_TOKEN, oauth_token=login.token, oauth_verifier=pin))) == (400, 215)
    wrong = OAuth1User(sandbox.app, login.token, "wrong")
    assert code(send(sandbox, post(ACCESS_TOKEN), wrong, oauth_verifier=pin)) == (401, 32)
    stranger = OAuth1User(App("another", "secret"), login.token, login.identity.access_token_secret)
    assert code(send(sandbox, post(ACCESS_TOKEN), stranger, oauth_verifier=pin)) == (401, 32)
    assert code(send(sandbox, post(ACCESS_TOKEN), sandbox.user, oauth_verifier=pin)) == (401, 89)
    alone = send(sandbox, post(ACCESS_TOKEN), sandbox.app, oauth_verifier=pin)
    assert (alone.status, alone.text) == (401, "Reverse auth credentials are invalid")
    assert login.finish(pin).access_token


def test_a_request_token_signs_no_calls(sandbox: Sandbox) -> None:
    login = Login(sandbox)
    sandbox.approve(login.url)
    assert code(send(sandbox, Request("GET", VERIFY), login.identity)) == (401, 89)
    assert code(send(sandbox, post(INVALIDATE), login.identity)) == (401, 89)


def test_a_clock_that_goes_on_while_it_answers_ends_a_login_too() -> None:
    times = [float(NOW)]
    sandbox = Sandbox(env=Env(clock=lambda: times.pop() if len(times) > 1 else times[0], entropy=fixed_env().entropy))
    login = Login(sandbox, "oob")
    pin = sandbox.approve(login.url)
    request = sign(post(ACCESS_TOKEN), login.identity, timestamp=NOW, nonce="n", extra={"oauth_verifier": pin})
    times[:] = [NOW + REQUEST_TOKEN_SECONDS, float(NOW), float(NOW)]
    assert sandbox.handle(request).status == 401


def test_tokens_differ_even_where_entropy_stands_still() -> None:
    sandbox = Sandbox(env=Env(clock=lambda: float(NOW), entropy=bytes))

    def begin(nonce: str) -> dict[str, str]:
        extra = {"oauth_callback": "oob"}
        return fields(sandbox.handle(sign(post(REQUEST_TOKEN), sandbox.app, timestamp=NOW, nonce=nonce, extra=extra)))

    one, other = begin("1"), begin("2")
    assert len({*one.values(), *other.values()}) == 5
    pins = {sandbox.approve(f"{AUTHORIZE}?oauth_token={issued['oauth_token']}") for issued in (one, other)}
    assert len(pins) == 2


def test_the_same_env_gives_the_same_login() -> None:
    first, second = (Login(Sandbox(), "oob") for _ in range(2))
    assert first.identity == second.identity
    assert first.sandbox.approve(first.url) == second.sandbox.approve(second.url)


# --- the page --------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser makes of a page: elements, and the form that a click on a button posts."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["cache-control"] == "no-store"
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(response.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def click(self, sandbox: Sandbox, number: int) -> Response:
        (form,) = self.all("form")
        assert form["method"] == "post"
        chosen = [*self.all("input"), self.all("button")[number]]
        body = encode({str(one["name"]): str(one["value"]) for one in chosen})
        return sandbox.handle(Request("POST", f"{BASE}{form['action']}", {"content-type": FORM}, body.encode()))


@pytest.mark.parametrize("path", ["authorize", "authenticate"])
def test_a_browser_shows_the_page_and_posts_the_decision(sandbox: Sandbox, path: str) -> None:
    for number, expected in enumerate(("oauth_verifier=", "denied=")):
        login = Login(sandbox)
        url = login.url.replace("authorize", path) + "&force_login=true"
        answer = sandbox.handle(Request("GET", url))
        page = Page(answer)
        assert answer.status == 200
        assert "@sandbox" in page.text
        assert sandbox.app.consumer_key in page.text
        assert [form["action"] for form in page.all("form")] == [f"/oauth/{path}"]
        assert not page.all("script")
        assert ("html", {"lang": "en"}) in page.elements
        assert {"title", "main", "h1"} <= {tag for tag, _ in page.elements}
        redirect = page.click(sandbox, number)
        assert redirect.status == 302
        assert expected in redirect.headers["location"]


def test_the_page_shows_no_secret_and_names_no_verifier(sandbox: Sandbox) -> None:
    login = Login(sandbox)
    text = sandbox.handle(Request("GET", login.url)).text
    assert login.identity.access_token_secret not in text
    assert sandbox.app.consumer_secret not in text


def test_whatever_stands_in_the_url_is_shown_as_text() -> None:
    evil = "\"'><script>alert(1)</script>&lt;"
    sandbox = Sandbox(consumer_key=f"key {evil}")
    login = Login(sandbox)
    for name in ("screen_name", "force_login", evil):
        page = Page(sandbox.handle(Request("GET", f"{login.url}&{encode({name: evil})}")))
        assert not page.all("script")
        assert len(page.all("button")) == 2
        assert evil in page.text
    unknown = Page(sandbox.handle(Request("GET", f"{AUTHORIZE}?{encode({'oauth_token': evil})}")))
    assert not page.all("script")
    assert evil not in unknown.text


def test_the_page_says_so_if_another_user_was_asked_for(sandbox: Sandbox) -> None:
    login = Login(sandbox)
    assert "It asked for @jack;" in Page(sandbox.handle(Request("GET", login.url + "&screen_name=jack"))).text
    assert "It asked for" not in Page(sandbox.handle(Request("GET", login.url + "&screen_name=sandbox"))).text


def test_a_login_that_is_none_has_a_page_that_says_so(sandbox: Sandbox) -> None:
    used, denied, approved = Login(sandbox, "oob"), Login(sandbox), Login(sandbox)
    used.finish(sandbox.approve(used.url))
    sandbox.deny(denied.url)
    sandbox.approve(approved.url)
    urls = [used.url, denied.url, approved.url, AUTHORIZE, f"{AUTHORIZE}?oauth_token=x", f"{used.url}&oauth_token=x"]
    for url in urls:
        for method in ("GET", "POST"):
            request = Request(method, url + ("&" if "?" in url else "?") + "decision=authorize")
            answer = sandbox.handle(request)
            assert answer.status == 401
            assert "unknown, has expired or was used before" in Page(answer).text
        for decide in (sandbox.approve, sandbox.deny):
            with pytest.raises(LocalProtocolError, match=r"no login to decide on at /oauth/authorize: .* 401"):
                decide(url)


@pytest.mark.parametrize("decision", ["", "decision=", "decision=yes", "decision=authorize&decision=cancel"])
def test_no_decision_is_asked_for_again(sandbox: Sandbox, decision: str) -> None:
    login = Login(sandbox)
    body = f"oauth_token={login.token}&{decision}"
    answer = sandbox.handle(Request("POST", AUTHORIZE, {"content-type": FORM}, body.encode()))
    assert answer.status == 400
    assert Page(answer).click(sandbox, 0).status == 302


@pytest.mark.parametrize(
    ("callback", "begin", "end"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1/cb?", ""),
        ("http://127.0.0.1/cb?", "http://127.0.0.1/cb?", ""),
        ("http://127.0.0.1/cb?a=b%20c", "http://127.0.0.1/cb?a=b%20c&", ""),
        ("http://127.0.0.1/cb?a=b&", "http://127.0.0.1/cb?a=b&", ""),
        ("http://127.0.0.1/cb#top?x", "http://127.0.0.1/cb?", "#top?x"),
        ("http://127.0.0.1/cb?a#top", "http://127.0.0.1/cb?a&", "#top"),
        ("myapp:done", "myapp:done?", ""),
    ],
)
def test_the_callback_keeps_its_own_query_and_fragment(sandbox: Sandbox, callback: str, begin: str, end: str) -> None:
    login = Login(sandbox, callback)
    url = sandbox.approve(login.url)
    verifier = verifier_of(url)
    assert url == f"{begin}oauth_token={login.token}&oauth_verifier={verifier}{end}"
    assert login.exchange(verifier).status == 200
    other = Login(sandbox, callback)
    assert sandbox.deny(other.url) == f"{begin}denied={other.token}{end}"


def test_a_denied_login_is_over(sandbox: Sandbox) -> None:
    login = Login(sandbox, "oob")
    assert sandbox.deny(login.url) == ""
    assert code(login.exchange("1234567")) == (401, 89)
    answer = sandbox.handle(Request("GET", Login(sandbox, "oob").url))
    assert "denied the application access" in Page(Page(answer).click(sandbox, 1)).text


def test_a_pin_is_shown_on_a_page(sandbox: Sandbox) -> None:
    login = Login(sandbox, "oob")
    answer = Page(sandbox.handle(Request("GET", login.url))).click(sandbox, 0)
    assert answer.status == 200
    (pin,) = re.findall(r"[0-9]{7}", Page(answer).text)
    assert login.finish(pin).access_token


def test_faults_on_demand_meet_the_page_too(sandbox: Sandbox) -> None:
    login = Login(sandbox)
    sandbox.fail_next(503)
    with pytest.raises(LocalProtocolError, match="answered 503"):
        sandbox.approve(login.url)
    assert sandbox.approve(login.url)
    assert sandbox.log[-1] == ("POST", "/oauth/authorize", 302)


# --- xAuth -----------------------------------------------------------------------------------------------------------

PASSWORD = "pass & word é"
XAUTH = {"x_auth_mode": "client_auth", "x_auth_username": "sandbox", "x_auth_password": PASSWORD}


def test_xauth_gives_an_access_token_for_name_and_password() -> None:
    sandbox = Sandbox(xauth_password=PASSWORD)
    issued = fields(send(sandbox, post(ACCESS_TOKEN, **XAUTH), sandbox.app))
    assert list(issued) == ["oauth_token", "oauth_token_secret", "user_id", "screen_name", "x_auth_expires"]
    assert issued["x_auth_expires"] == "0"
    user = OAuth1User(sandbox.app, issued["oauth_token"], issued["oauth_token_secret"])
    assert send(sandbox, Request("GET", VERIFY), user).status == 200


def test_xauth_is_a_privilege(sandbox: Sandbox) -> None:
    assert code(send(sandbox, post(ACCESS_TOKEN, **XAUTH), sandbox.app)) == (403, 87)
    permitted = Sandbox(xauth_password=PASSWORD)
    assert code(send(permitted, post(ACCESS_TOKEN, **XAUTH), permitted.user)) == (403, 87)
    assert code(send(permitted, post(ACCESS_TOKEN, **XAUTH | {"x_auth_mode": "x"}), permitted.app)) == (403, 87)
    assert code(permitted.handle(post(ACCESS_TOKEN, **XAUTH))) == (400, 215)


@pytest.mark.parametrize(
    "change",
    [{"x_auth_password": "wrong"}, {"x_auth_username": "Sandbox"}, {"x_auth_password": ""}, {"x_auth_username": ""}],
)
def test_a_wrong_name_or_password_is_code_32(change: dict[str, str]) -> None:
    sandbox = Sandbox(xauth_password=PASSWORD)
    assert code(send(sandbox, post(ACCESS_TOKEN, **XAUTH | change), sandbox.app)) == (401, 32)


def test_a_password_is_given_once_and_is_signed() -> None:
    sandbox = Sandbox(xauth_password=PASSWORD)
    twice = build_request("POST", ACCESS_TOKEN, form=[*XAUTH.items(), ("x_auth_password", PASSWORD)])
    assert code(send(sandbox, twice, sandbox.app)) == (401, 32)
    wrong = App(sandbox.app.consumer_key, "wrong")
    assert code(send(sandbox, post(ACCESS_TOKEN, **XAUTH), wrong)) == (401, 32)
    assert PASSWORD not in repr(vars(sandbox))


# --- reverse auth, step 2 --------------------------------------------------------------------------------------------


def reverse_string(sandbox: Sandbox) -> str:
    return send(sandbox, post(REQUEST_TOKEN, x_auth_mode="reverse_auth"), sandbox.app).text


def step_2(sandbox: Sandbox, given: str, by: App | OAuth1User | None = None, **change: str) -> Response:
    form = {"x_reverse_auth_target": sandbox.app.consumer_key, "x_reverse_auth_parameters": given} | change
    request = post(ACCESS_TOKEN, **{name: value for name, value in form.items() if value != "(none)"})
    return send(sandbox, request, by or sandbox.user)


def test_reverse_auth_ends_with_an_access_token(sandbox: Sandbox) -> None:
    issued = fields(step_2(sandbox, reverse_string(sandbox)))
    assert list(issued) == ["oauth_token", "oauth_token_secret", "user_id", "screen_name"]
    user = OAuth1User(sandbox.app, issued["oauth_token"], issued["oauth_token_secret"])
    assert user.access_token not in {sandbox.user.access_token, ""}
    assert send(sandbox, Request("GET", VERIFY), user).status == 200
    assert fields(step_2(sandbox, reverse_string(sandbox), user))["user_id"] == "7000001"


def refused(answer: Response) -> bool:
    return (answer.status, answer.text) == (401, "Reverse auth credentials are invalid")


def test_a_string_that_was_not_issued_here_is_refused(sandbox: Sandbox) -> None:
    given = reverse_string(sandbox)
    assert refused(step_2(sandbox, given + " "))
    assert refused(step_2(sandbox, given.removeprefix("OAuth ")))
    assert refused(step_2(sandbox, given, x_reverse_auth_target="another"))
    assert refused(step_2(sandbox, given, x_reverse_auth_target="(none)"))
    assert refused(step_2(sandbox, "(none)"))
    assert refused(step_2(sandbox, given, sandbox.app))
    assert refused(step_2(sandbox, given, OAuth1User(sandbox.app, sandbox.user.access_token, "wrong")))
    assert refused(step_2(sandbox, given, OAuth1User(sandbox.app, "unknown", "secret")))
    assert refused(step_2(Sandbox(consumer_key=sandbox.app.consumer_key), given))
    assert fields(step_2(sandbox, given))  # and none of that used it up


def test_a_string_of_reverse_auth_is_good_once_and_for_a_while(sandbox: Sandbox, clock: Clock) -> None:
    used, late, last = (reverse_string(sandbox) for _ in range(3))
    assert fields(step_2(sandbox, used))
    assert refused(step_2(sandbox, used))
    clock.now += REQUEST_TOKEN_SECONDS - 1
    assert fields(step_2(sandbox, last))
    clock.now += 1
    assert refused(step_2(sandbox, late))


def test_the_strings_of_reverse_auth_differ_even_where_entropy_stands_still() -> None:
    sandbox = Sandbox(env=Env(clock=lambda: float(NOW), entropy=bytes))
    mode = post(REQUEST_TOKEN, x_auth_mode="reverse_auth")
    strings = {sandbox.handle(sign(mode, sandbox.app, timestamp=NOW, nonce=nonce)).text for nonce in "123"}
    assert len(strings) == 3


def test_a_wrong_clock_in_step_2_is_told_apart(sandbox: Sandbox) -> None:
    form = {"x_reverse_auth_target": sandbox.app.consumer_key, "x_reverse_auth_parameters": reverse_string(sandbox)}
    request = sign(post(ACCESS_TOKEN, **form), sandbox.user, timestamp=NOW + 301, nonce="n")
    assert code(sandbox.handle(request)) == (401, 135)


# --- revoking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [INVALIDATE, INVALIDATE + ".json"])
def test_a_user_revokes_the_token_that_signs(sandbox: Sandbox, url: str) -> None:
    login = Login(sandbox, "oob")
    user = login.finish(sandbox.approve(login.url))
    for gone, kept in ((user, sandbox.user), (sandbox.user, None)):
        answer = send(sandbox, post(url), gone)
        assert (answer.status, answer.json()) == (200, {"access_token": gone.access_token})
        assert code(send(sandbox, Request("GET", VERIFY), gone)) == (401, 89)
        assert code(send(sandbox, post(url), gone)) == (401, 89)
        assert kept is None or send(sandbox, Request("GET", VERIFY), kept).status == 200


def test_nobody_else_revokes(sandbox: Sandbox) -> None:
    assert code(sandbox.handle(post(INVALIDATE))) == (400, 215)
    assert code(send(sandbox, post(INVALIDATE), sandbox.app)) == (400, 215)
    wrong = OAuth1User(sandbox.app, sandbox.user.access_token, "wrong")
    assert code(send(sandbox, post(INVALIDATE), wrong)) == (401, 32)
    bearer = post(INVALIDATE).with_header("authorization", f"Bearer {sandbox.outstanding_bearer_token()}")
    assert code(sandbox.handle(bearer)) == (403, 220)
    assert code(sandbox.handle(Request("GET", INVALIDATE))) == (404, 34)
    assert send(sandbox, Request("GET", VERIFY), sandbox.user).status == 200


# --- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("skew", "date"), [(900.0, "22:28:20"), (-900.0, "21:58:20"), (0.0, "22:13:20")])
def test_a_sandbox_whose_clock_is_off_tells_its_time(sandbox: Sandbox, skew: float, date: str) -> None:
    sandbox.skew = skew
    expected = (200, None) if skew == 0 else (401, 135)
    for request, by in (
        (Request("GET", VERIFY), sandbox.user),
        (post(REQUEST_TOKEN, oauth_callback="oob"), sandbox.app),
    ):
        answer = send(sandbox, request, by)
        assert (answer.status, None if skew == 0 else code(answer)[1]) == expected
        assert answer.headers.get_all("date") == [f"Tue, 14 Nov 2023 {date} GMT"]
        again = sign(request, by, timestamp=int(NOW + skew), nonce=sandbox.env.nonce())
        assert sandbox.handle(again).status == 200


def test_no_repr_shows_what_was_issued(sandbox: Sandbox) -> None:
    login = Login(sandbox)
    verifier = verifier_of(sandbox.approve(login.url))
    other = Login(sandbox)
    user = login.finish(verifier)
    verifier_of(sandbox.approve(other.url))
    tokens = vars(sandbox.tokens)
    shown = repr([tokens, *tokens["_access"].values(), *tokens["_requests"].values(), sandbox.log])
    secrets = [user.access_token_secret, other.identity.access_token_secret, sandbox.user.access_token_secret]
    assert not [secret for secret in secrets if secret in shown]
