"""OAuth 2 at the sandbox as X has it: a login with PKCE, refreshing with rotation, revoking, calls."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth2 import InvalidGrantError, WebApplicationClient

from sansauth.encoding import decode, encode
from sansauth.env import Env
from sansauth.errors import LocalProtocolError
from sansauth.http import FORM, HeaderFields, Request, Response, build_request
from sansauth.identity import OAuth2Client
from sansauth.testing import Sandbox, fixed_env

BASE = "https://api.x.com"
AUTHORIZE = f"{BASE}/i/oauth2/authorize"
TOKEN = f"{BASE}/2/oauth2/token"
REVOKE = f"{BASE}/2/oauth2/revoke"
INTROSPECT = f"{BASE}/2/oauth2/introspect"
ME = f"{BASE}/2/users/me"
CALLBACK = "https://app.example/cb"
SCOPES = "tweet.read users.read offline.access"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
NOW = 1_700_000_000.0


class Clock:
    """One that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return Sandbox(env=Env(clock=clock, entropy=fixed_env().entropy))


def authorize_url(client: OAuth2Client, **changes: str | None) -> str:
    asked: dict[str, str | None] = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": CALLBACK,
        "scope": SCOPES,
        "state": "st at&e",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"{AUTHORIZE}?{encode(asked | changes)}"


def basic(client: OAuth2Client) -> dict[str, str]:
    pair = f"{client.client_id}:{client.client_secret}".encode()
    return {"authorization": "Basic " + base64.b64encode(pair).decode()}


def post(
    sandbox: Sandbox, url: str, client: OAuth2Client | None, headers: HeaderFields = (), /, **form: str | None
) -> Response:
    """A form, from a client that shows who it is by Basic or, if it is public, by its client_id."""
    fields = dict(headers)
    if client is not None and client.auth == "client_secret_basic":
        fields |= basic(client)
    elif client is not None:
        form = {"client_id": client.client_id} | form
    return sandbox.handle(build_request("POST", url, form=form, headers=fields))


def answered(url: str) -> dict[str, str]:
    """The parameters that the browser brings back."""
    return dict(decode(url.partition("?")[2]))


def code_of(sandbox: Sandbox, client: OAuth2Client, **changes: str | None) -> str:
    return answered(sandbox.approve(authorize_url(client, **changes)))["code"]


def exchange(sandbox: Sandbox, client: OAuth2Client, code: str | None, **changes: str | None) -> Response:
    grant: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return post(sandbox, TOKEN, client, **grant | changes)


def log_in(sandbox: Sandbox, client: OAuth2Client, **changes: str | None) -> dict[str, str]:
    answer = exchange(sandbox, client, code_of(sandbox, client, **changes))
    assert answer.status == 200, answer.text
    return json.loads(answer.body)


def refresh(sandbox: Sandbox, client: OAuth2Client, token: str, **further: str) -> Response:
    return post(sandbox, TOKEN, client, grant_type="refresh_token", refresh_token=token, **further)


def call(sandbox: Sandbox, token: str, url: str = ME, scheme: str = "Bearer") -> Response:
    return sandbox.handle(Request("GET", url, {"authorization": f"{scheme} {token}"}))


def error(answer: Response) -> tuple[int, str]:
    assert answer.headers["cache-control"] == "no-store"
    return answer.status, json.loads(answer.body)["error"]


@pytest.fixture(params=["confidential", "public"])
def client(sandbox: Sandbox, request: pytest.FixtureRequest) -> OAuth2Client:
    return sandbox.oauth2_client if request.param == "confidential" else sandbox.public_client


# --- the whole, by a client that is not ours -------------------------------------------------------------------------


def test_the_client_of_oauthlib_logs_in_refreshes_and_revokes() -> None:
    """Not a byte of it is ours: oauthlib builds the requests and reads the answers."""
    sandbox = Sandbox(redirect_uris=[CALLBACK])
    client = WebApplicationClient(sandbox.public_client.client_id)
    verifier = client.create_code_verifier(64)
    url = client.prepare_request_uri(
        AUTHORIZE,
        redirect_uri=CALLBACK,
        scope=SCOPES.split(),
        state="st at&e",
        code_challenge=client.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
    )
    client.parse_request_uri_response(sandbox.approve(url), state="st at&e")

    def send(prepared: tuple[str, dict[str, str], str]) -> str:
        answer = sandbox.handle(Request("POST", prepared[0], prepared[1], prepared[2].encode()))
        return answer.text

    text = send(client.prepare_token_request(TOKEN, redirect_url=CALLBACK, code_verifier=verifier))
    issued = client.parse_request_body_response(text, scope=SCOPES.split())
    assert issued["expires_in"] == 7200
    assert issued.scopes == issued.old_scopes or set(issued.scopes) == set(SCOPES.split())
    url, headers, _ = client.add_token(ME)
    assert sandbox.handle(Request("GET", url, headers)).status == 200

    text = send(
        client.prepare_refresh_token_request(TOKEN, client_id=client.client_id, refresh_token=issued["refresh_token"])
    )
    renewed = client.parse_request_body_response(text)
    assert renewed["refresh_token"] != issued["refresh_token"]

    revoked = client.prepare_token_revocation_request(REVOKE, renewed["refresh_token"], "refresh_token")
    answer = sandbox.handle(
        Request("POST", revoked[0], revoked[1], f"{revoked[2]}&client_id={client.client_id}".encode())
    )
    assert answer.json() == {"revoked": True}
    text = send(
        client.prepare_refresh_token_request(TOKEN, client_id=client.client_id, refresh_token=renewed["refresh_token"])
    )
    with pytest.raises(InvalidGrantError):
        client.parse_request_body_response(text)


def test_a_login_gives_what_x_gives(sandbox: Sandbox, client: OAuth2Client) -> None:
    back = sandbox.approve(authorize_url(client))
    assert back.startswith(f"{CALLBACK}?state=st%20at%26e&code=")
    assert list(answered(back)) == ["state", "code", "iss"]
    assert answered(back)["iss"] == BASE
    answer = exchange(sandbox, client, answered(back)["code"])
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    issued = json.loads(answer.body)
    assert list(issued) == ["token_type", "expires_in", "access_token", "scope", "refresh_token"]
    assert (issued["token_type"], issued["expires_in"], issued["scope"]) == ("bearer", 7200, SCOPES)
    shown = {name: base64.urlsafe_b64decode(issued[name] + "==") for name in ("access_token", "refresh_token")}
    assert shown["access_token"].endswith(b":1700000000000:1:1:at:1")
    assert shown["refresh_token"].endswith(b":1:1:rt:1")
    assert call(sandbox, issued["access_token"]).json() == {
        "data": {"id": "7000001", "name": "Sandbox User", "username": "sandbox"}
    }


def test_everything_is_the_same_in_every_run() -> None:
    one, other = Sandbox(), Sandbox()
    assert one.oauth2_client == other.oauth2_client
    assert log_in(one, one.oauth2_client) == log_in(other, other.oauth2_client)


def test_two_clients_and_two_logins_differ_even_where_entropy_stands_still() -> None:
    sandbox = Sandbox(env=Env(clock=lambda: NOW, entropy=bytes))
    assert sandbox.oauth2_client.client_id != sandbox.public_client.client_id
    first, second = (log_in(sandbox, sandbox.public_client) for _ in range(2))
    assert {*first.values()}.isdisjoint({second["access_token"], second["refresh_token"]})


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_asks_with_every_scope_and_keeps_the_request(sandbox: Sandbox) -> None:
    page = sandbox.handle(Request("GET", authorize_url(sandbox.public_client, state='"><script>')))
    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert all(f"<li>{scope}</li>" in page.text for scope in SCOPES.split())
    assert sandbox.public_client.client_id in page.text
    assert "@sandbox" in page.text
    assert "<script>" not in page.text
    assert 'name="state" value="&quot;&gt;&lt;script&gt;"' in page.text
    assert "set-cookie" not in page.headers


def test_a_decision_is_one_of_two(sandbox: Sandbox) -> None:
    query = authorize_url(sandbox.public_client).partition("?")[2]
    for decision in ("", "&decision=", "&decision=yes", "&decision=authorize&decision=cancel"):
        answer = sandbox.handle(Request("POST", AUTHORIZE, {"content-type": FORM}, (query + decision).encode()))
        assert answer.status == 400
        assert "Authorize an application" in answer.text
    assert "code=" not in sandbox.handle(Request("GET", f"{AUTHORIZE}?{query}&decision=authorize")).text


def test_who_denies_is_sent_back_with_an_error(sandbox: Sandbox) -> None:
    back = answered(sandbox.deny(authorize_url(sandbox.public_client)))
    assert (back["error"], back["state"], back["iss"]) == ("access_denied", "st at&e", BASE)
    assert "code" not in back


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": VERIFIER + "=="}, "invalid_request"),
        ({"code_challenge": "é" * 43}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "tweet.read  users.read"}, "invalid_scope"),
        ({"scope": "tweet.read admin"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"dpop_jkt": "short"}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_redirected_with_its_error(
    sandbox: Sandbox, changes: dict[str, str | None], expected: str
) -> None:
    url = authorize_url(sandbox.public_client, **changes)
    answer = sandbox.handle(Request("GET", url))
    assert answer.status == 302
    back = answered(answer.headers["location"])
    assert (back["error"], back["state"], back["iss"]) == (expected, "st at&e", BASE)
    assert sandbox.approve(url) == answer.headers["location"]


def test_a_state_longer_than_500_characters_is_refused_and_none_is_none(sandbox: Sandbox) -> None:
    assert (
        answered(sandbox.approve(authorize_url(sandbox.public_client, state="s" * 501)))["error"] == "invalid_request"
    )
    assert answered(sandbox.approve(authorize_url(sandbox.public_client, state="s" * 500)))["state"] == "s" * 500
    assert "state" not in answered(sandbox.approve(authorize_url(sandbox.public_client, state=None)))


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "unknown"},
        {"redirect_uri": None},
        {"redirect_uri": "cb"},
        {"redirect_uri": "https://evil.example/cb"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": CALLBACK + "?a=b"},
        {"redirect_uri": CALLBACK + "#fragment"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:unknown"},
    ],
)
def test_what_is_not_to_be_trusted_is_a_page_and_never_a_redirect(changes: dict[str, str | None]) -> None:
    sandbox = Sandbox(redirect_uris=[CALLBACK])
    url = authorize_url(sandbox.public_client, **changes)
    answer = sandbox.handle(Request("GET", url))
    assert answer.status == 400
    assert "location" not in answer.headers
    assert "This login cannot begin" in answer.text
    with pytest.raises(LocalProtocolError):
        sandbox.approve(url)


def test_a_parameter_twice_is_a_page(sandbox: Sandbox) -> None:
    for name in ("state", "client_id", "code_challenge", "x"):
        url = authorize_url(sandbox.public_client) + f"&x=1&{name}=2"
        assert sandbox.handle(Request("GET", url)).status == 400


@pytest.mark.parametrize(
    ("uri", "taken"),
    [
        ("https://app.example/cb?a=b&c", True),
        ("https://app.example", True),
        ("http://127.0.0.1:8000/cb", True),
        ("http://[::1]:8000/cb", True),
        ("http://localhost/cb", True),
        ("com.example.app:/cb", True),
        ("myapp://cb", True),
        ("http://app.example/cb", False),
        ("http://127.0.0.1.evil.example/cb", False),
        ("http://localhost@evil.example/", False),
        ("https://a:b@evil.example/", False),
        ("https://app.example/cb\n", False),
        ("https:app", False),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("data:text/html,a", False),
        ("https://app.example/" + "a" * 2000, False),
    ],
)
def test_without_a_list_these_redirect_uris_are_taken(sandbox: Sandbox, uri: str, taken: bool) -> None:
    answer = sandbox.handle(Request("GET", authorize_url(sandbox.public_client, redirect_uri=uri)))
    assert answer.status == (200 if taken else 400)


def test_the_port_of_a_loopback_address_may_be_any() -> None:
    sandbox = Sandbox(redirect_uris=["http://127.0.0.1/cb", "http://localhost:1/cb", "http://[::1]:5/cb?a=b"])

    def taken(uri: str) -> bool:
        return sandbox.handle(Request("GET", authorize_url(sandbox.public_client, redirect_uri=uri))).status == 200

    assert taken("http://127.0.0.1/cb")
    assert taken("http://127.0.0.1:65000/cb")
    assert taken("http://[::1]:6/cb?a=b")
    assert taken("http://localhost:1/cb")
    assert not taken("http://localhost:2/cb")  # RFC 8252 section 8.3: a name is no address
    assert not taken("http://127.0.0.1:65000/cb2")
    assert not taken("http://[::1]:6/cb")
    assert not taken("https://127.0.0.1:65000/cb")


@pytest.mark.parametrize(
    ("uri", "joint"), [(CALLBACK, "?"), (CALLBACK + "?a=b", "&"), (CALLBACK + "?", ""), ("my:cb?a&", "")]
)
def test_the_query_of_a_redirect_uri_stays(sandbox: Sandbox, uri: str, joint: str) -> None:
    back = sandbox.approve(authorize_url(sandbox.public_client, redirect_uri=uri))
    assert back.startswith(f"{uri}{joint}state=")


# --- the code --------------------------------------------------------------------------------------------------------


def test_a_code_lives_30_seconds(sandbox: Sandbox, client: OAuth2Client, clock: Clock) -> None:
    code = code_of(sandbox, client)
    clock.now += 29.9
    assert exchange(sandbox, client, code).status == 200
    code = code_of(sandbox, client)
    clock.now += 30
    assert error(exchange(sandbox, client, code)) == (400, "invalid_grant")


def test_a_code_used_twice_takes_back_what_it_gave(sandbox: Sandbox, client: OAuth2Client, clock: Clock) -> None:
    other = log_in(sandbox, client)
    code = code_of(sandbox, client)
    issued = json.loads(exchange(sandbox, client, code).body)
    clock.now += 60
    assert call(sandbox, issued["access_token"]).status == 200
    assert error(exchange(sandbox, client, code)) == (400, "invalid_grant")
    assert call(sandbox, issued["access_token"]).status == 401
    assert error(refresh(sandbox, client, issued["refresh_token"])) == (400, "invalid_grant")
    assert call(sandbox, other["access_token"]).status == 200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": ""}, "invalid_request"),
        ({"redirect_uri": CALLBACK + "/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code_verifier": VERIFIER[:-1] + "K"}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "Authorization_Code"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_exchange_is_refused_and_leaves_the_code_good(
    sandbox: Sandbox, client: OAuth2Client, changes: dict[str, str | None], expected: str
) -> None:
    code = code_of(sandbox, client)
    assert error(exchange(sandbox, client, **{"code": code} | changes)) == (400, expected)
    assert exchange(sandbox, client, code).status == 200


@pytest.mark.parametrize("verifier", ["short", "v" * 42, "v" * 129, "v" * 42 + "+"])
def test_what_is_no_verifier_is_refused_even_where_it_fits(sandbox: Sandbox, verifier: str) -> None:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code = code_of(sandbox, sandbox.public_client, code_challenge=challenge)
    assert error(exchange(sandbox, sandbox.public_client, code, code_verifier=verifier)) == (400, "invalid_grant")


def test_a_code_is_for_its_own_client(sandbox: Sandbox) -> None:
    code = code_of(sandbox, sandbox.oauth2_client)
    assert error(exchange(sandbox, sandbox.public_client, code)) == (400, "invalid_grant")
    assert exchange(sandbox, sandbox.oauth2_client, code).status == 200
    assert error(exchange(sandbox, sandbox.public_client, code)) == (400, "invalid_grant")


def test_the_scopes_are_those_the_user_agreed_to(sandbox: Sandbox) -> None:
    code = code_of(sandbox, sandbox.public_client, scope="tweet.read users.read")
    issued = json.loads(exchange(sandbox, sandbox.public_client, code, scope="dm.write", scopes="dm.write").body)
    assert issued["scope"] == "tweet.read users.read"
    assert "refresh_token" not in issued


# --- who the client is -----------------------------------------------------------------------------------------------


def test_a_client_shows_who_it_is_as_it_is_registered(sandbox: Sandbox) -> None:
    confidential, public = sandbox.oauth2_client, sandbox.public_client
    by_post = sandbox.add_client(OAuth2Client("by-post", "s e:cr+et%", auth="client_secret_post"))
    grant = {"grant_type": "client_credentials", "scope": "tweet.read"}
    assert post(sandbox, TOKEN, confidential, **grant).status == 200
    assert post(sandbox, TOKEN, confidential, client_id=confidential.client_id, **grant).status == 200
    assert post(sandbox, TOKEN, by_post, client_secret=by_post.client_secret, **grant).status == 200
    # A client without credentials has nothing to show for itself (RFC 6749 section 4.4.2).
    assert error(post(sandbox, TOKEN, public, **grant)) == (400, "unauthorized_client")
    refused = [
        post(sandbox, TOKEN, None, client_id=confidential.client_id, **grant),
        post(sandbox, TOKEN, None, client_id=confidential.client_id, client_secret=confidential.client_secret, **grant),
        post(sandbox, TOKEN, None, basic(by_post), **grant),
        post(sandbox, TOKEN, None, client_id=by_post.client_id, client_secret="wrong", **grant),
        post(sandbox, TOKEN, None, client_id=public.client_id, client_secret="x", **grant),
        post(sandbox, TOKEN, None, client_id="unknown", **grant),
        post(sandbox, TOKEN, confidential, client_id=public.client_id, **grant),
        post(sandbox, TOKEN, None, basic(OAuth2Client(confidential.client_id, "wrong")), **grant),
        post(sandbox, TOKEN, None, basic(OAuth2Client(public.client_id, "wrong")), **grant),
        *(
            post(sandbox, TOKEN, None, {"authorization": header}, **grant)
            for header in ("Basic", "Basic %", "Bearer a")
        ),
    ]
    assert [error(answer) for answer in refused] == [(401, "invalid_client")] * len(refused)
    assert refused[-1].headers["www-authenticate"] == 'Basic realm="sandbox"'
    assert "www-authenticate" not in refused[0].headers
    assert error(post(sandbox, TOKEN, None, **grant)) == (400, "invalid_request")
    secret = {"client_secret": str(confidential.client_secret)}
    assert error(post(sandbox, TOKEN, confidential, **grant, **secret)) == (400, "invalid_request")
    twice = [*basic(confidential).items()] * 2
    answer = sandbox.handle(Request("POST", TOKEN, [("content-type", FORM), *twice], encode(grant).encode()))
    assert error(answer) == (400, "invalid_request")


def test_basic_is_form_encoded_first(sandbox: Sandbox) -> None:
    odd = sandbox.add_client(OAuth2Client("a b", "c:d+e%20é"))
    right = base64.b64encode(b"a+b:c%3Ad%2Be%2520%C3%A9").decode()
    grant = {"grant_type": "client_credentials"}
    assert post(sandbox, TOKEN, None, {"authorization": f"basic {right}"}, **grant).status == 200
    assert error(post(sandbox, TOKEN, odd, **grant)) == (401, "invalid_client")


def test_a_client_may_have_tokens_for_itself(sandbox: Sandbox) -> None:
    client = sandbox.oauth2_client
    grant = {"grant_type": "client_credentials"}
    issued = json.loads(post(sandbox, TOKEN, client, scope=SCOPES, **grant).body)
    assert list(issued) == ["token_type", "expires_in", "access_token", "scope"]
    assert "scope" not in json.loads(post(sandbox, TOKEN, client, **grant).body)
    assert error(post(sandbox, TOKEN, client, scope="admin", **grant)) == (400, "invalid_scope")
    answer = call(sandbox, issued["access_token"])
    assert answer.status == 403
    assert json.loads(answer.body)["title"] == "Unsupported Authentication"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_the_token_endpoint_takes_forms(sandbox: Sandbox, content_type: str | None) -> None:
    headers = basic(sandbox.oauth2_client) | ({} if content_type is None else {"content-type": content_type})
    body = b"grant_type=client_credentials"
    assert error(sandbox.handle(Request("POST", TOKEN, headers, body))) == (400, "invalid_request")
    headers["content-type"] = FORM + "; charset=utf-8"
    assert sandbox.handle(Request("POST", TOKEN, headers, body)).status == 200
    assert error(sandbox.handle(Request("POST", TOKEN + "?a=b", headers, body))) == (400, "invalid_request")
    assert error(sandbox.handle(Request("POST", TOKEN, headers, body + b"&x=1&x=1"))) == (400, "invalid_request")
    assert sandbox.handle(Request("GET", TOKEN, headers)).status == 405


# --- refreshing ------------------------------------------------------------------------------------------------------


def test_a_refresh_gives_both_tokens_anew_and_the_old_access_token_stays(
    sandbox: Sandbox, client: OAuth2Client
) -> None:
    issued = log_in(sandbox, client)
    answer = refresh(sandbox, client, issued["refresh_token"])
    renewed = json.loads(answer.body)
    assert list(renewed) == ["token_type", "expires_in", "access_token", "scope", "refresh_token"]
    assert renewed["scope"] == SCOPES
    assert {renewed["access_token"], renewed["refresh_token"]}.isdisjoint(issued.values())
    for tokens in (issued, renewed):
        assert call(sandbox, tokens["access_token"]).status == 200


def test_a_refresh_token_used_twice_ends_the_whole_family(sandbox: Sandbox, client: OAuth2Client) -> None:
    other, issued = log_in(sandbox, client), log_in(sandbox, client)
    renewed = json.loads(refresh(sandbox, client, issued["refresh_token"]).body)
    assert error(refresh(sandbox, client, issued["refresh_token"])) == (400, "invalid_grant")
    assert error(refresh(sandbox, client, renewed["refresh_token"])) == (400, "invalid_grant")
    assert call(sandbox, renewed["access_token"]).status == 401
    assert refresh(sandbox, client, other["refresh_token"]).status == 200


def test_without_rotation_a_refresh_token_stays(sandbox: Sandbox, client: OAuth2Client) -> None:
    sandbox.rotates = False
    issued = log_in(sandbox, client)
    for _ in range(2):
        renewed = json.loads(refresh(sandbox, client, issued["refresh_token"]).body)
        assert renewed["refresh_token"] == issued["refresh_token"]
        assert renewed["access_token"] != issued["access_token"]


def test_a_refresh_may_ask_for_less_and_never_for_more(sandbox: Sandbox) -> None:
    client = sandbox.public_client
    issued = log_in(sandbox, client)
    assert error(refresh(sandbox, client, issued["refresh_token"], scope="dm.write")) == (400, "invalid_scope")
    less = json.loads(refresh(sandbox, client, issued["refresh_token"], scope="users.read").body)
    assert less["scope"] == "users.read"
    whole = json.loads(refresh(sandbox, client, less["refresh_token"]).body)
    assert whole["scope"] == SCOPES


def test_a_refresh_token_is_for_its_own_client_and_for_180_days(sandbox: Sandbox, clock: Clock) -> None:
    issued = log_in(sandbox, sandbox.oauth2_client)
    assert error(refresh(sandbox, sandbox.public_client, issued["refresh_token"])) == (400, "invalid_grant")
    assert error(refresh(sandbox, sandbox.oauth2_client, issued["access_token"])) == (400, "invalid_grant")
    assert error(refresh(sandbox, sandbox.oauth2_client, "")) == (400, "invalid_request")
    clock.now += 180 * 86_400
    assert error(refresh(sandbox, sandbox.oauth2_client, issued["refresh_token"])) == (400, "invalid_grant")


# --- X's own words ---------------------------------------------------------------------------------------------------


def test_x_says_it_in_its_own_words(sandbox: Sandbox) -> None:
    sandbox.x_errors = True
    client = sandbox.public_client
    issued = log_in(sandbox, client)
    refresh(sandbox, client, issued["refresh_token"])

    def said(answer: Response) -> tuple[int, str, str]:
        document = json.loads(answer.body)
        return answer.status, document["error"], document.get("error_description", "")

    refused = "invalid_request"
    assert said(exchange(sandbox, client, "unknown")) == (
        400,
        refused,
        "Value passed for the authorization code was invalid.",
    )
    assert said(refresh(sandbox, client, issued["refresh_token"])) == (
        400,
        refused,
        "Value passed for the token was invalid.",
    )
    code = code_of(sandbox, client)
    assert said(exchange(sandbox, client, code, code_verifier=None)) == (
        400,
        refused,
        "Missing required parameter [code_verifier].",
    )
    assert said(post(sandbox, TOKEN, None, grant_type="refresh_token")) == (
        400,
        refused,
        "Missing required parameter [client_id].",
    )
    assert said(post(sandbox, TOKEN, client, grant_type="password")) == (
        400,
        refused,
        "Value passed for the grant type was invalid. Grant type should be one of [authorization_code, refresh_token].",
    )
    assert said(post(sandbox, TOKEN, None, client_id=sandbox.oauth2_client.client_id)) == (
        401,
        "unauthorized_client",
        "Missing valid authorization header",
    )
    assert said(post(sandbox, REVOKE, client, token=issued["access_token"])) == (
        400,
        refused,
        "Missing required parameter [token_type_hint].",
    )
    assert said(refresh(sandbox, client, log_in(sandbox, client)["refresh_token"], scope="dm.write"))[1] == (
        "invalid_scope"
    )


# --- revoking and asking ---------------------------------------------------------------------------------------------


def test_an_access_token_is_revoked_alone(sandbox: Sandbox, client: OAuth2Client) -> None:
    issued = log_in(sandbox, client)
    answer = post(sandbox, REVOKE, client, token=issued["access_token"], token_type_hint="access_token")
    assert (answer.status, answer.json()) == (200, {"revoked": True})
    assert call(sandbox, issued["access_token"]).status == 401
    assert refresh(sandbox, client, issued["refresh_token"]).status == 200


@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "nonsense"])
def test_a_refresh_token_is_revoked_with_all_that_came_of_its_login(
    sandbox: Sandbox, client: OAuth2Client, hint: str | None
) -> None:
    other, issued = log_in(sandbox, client), log_in(sandbox, client)
    answer = post(sandbox, REVOKE, client, token=issued["refresh_token"], token_type_hint=hint)
    assert answer.json() == {"revoked": True}
    assert call(sandbox, issued["access_token"]).status == 401
    assert error(refresh(sandbox, client, issued["refresh_token"])) == (400, "invalid_grant")
    assert call(sandbox, other["access_token"]).status == 200


def test_an_unknown_token_is_revoked_already_and_another_clients_is_not_touched(sandbox: Sandbox) -> None:
    issued = log_in(sandbox, sandbox.oauth2_client)
    assert post(sandbox, REVOKE, sandbox.public_client, token="unknown").json() == {"revoked": True}
    for token in (issued["access_token"], issued["refresh_token"]):
        assert error(post(sandbox, REVOKE, sandbox.public_client, token=token)) == (400, "invalid_grant")
    assert call(sandbox, issued["access_token"]).status == 200
    assert error(post(sandbox, REVOKE, sandbox.public_client)) == (400, "invalid_request")
    assert error(post(sandbox, REVOKE, None, token=issued["access_token"])) == (400, "invalid_request")
    wrong = OAuth2Client(sandbox.oauth2_client.client_id, "wrong")
    assert error(post(sandbox, REVOKE, wrong, token=issued["access_token"])) == (401, "invalid_client")


def test_introspection_tells_clients_that_authenticate_what_a_token_is_good_for(sandbox: Sandbox, clock: Clock) -> None:
    client = sandbox.oauth2_client
    issued = log_in(sandbox, sandbox.public_client)
    told = json.loads(post(sandbox, INTROSPECT, client, token=issued["access_token"]).body)
    assert told == {
        "active": True,
        "client_id": sandbox.public_client.client_id,
        "scope": SCOPES,
        "iat": int(NOW),
        "exp": int(NOW) + 7200,
        "iss": BASE,
        "sub": "7000001",
        "username": "sandbox",
        "token_type": "bearer",
    }
    told = json.loads(post(sandbox, INTROSPECT, client, token=issued["refresh_token"]).body)
    assert told["active"] is True
    assert "token_type" not in told
    own = json.loads(post(sandbox, TOKEN, client, grant_type="client_credentials").body)
    assert "sub" not in json.loads(post(sandbox, INTROSPECT, client, token=own["access_token"]).body)
    refresh(sandbox, sandbox.public_client, issued["refresh_token"])
    clock.now += 7200
    for token in (issued["access_token"], issued["refresh_token"], "unknown"):
        assert post(sandbox, INTROSPECT, client, token=token).json() == {"active": False}
    assert error(post(sandbox, INTROSPECT, sandbox.public_client, token="t")) == (401, "invalid_client")
    assert error(post(sandbox, INTROSPECT, client)) == (400, "invalid_request")


# --- calls -----------------------------------------------------------------------------------------------------------


def test_a_token_that_has_expired_is_an_invalid_token(sandbox: Sandbox, clock: Clock) -> None:
    sandbox.token_lifetime = 10
    issued = log_in(sandbox, sandbox.public_client)
    assert issued["expires_in"] == 10
    clock.now += 9.9
    assert call(sandbox, issued["access_token"], scheme="bearer").status == 200
    clock.now += 0.1
    answer = call(sandbox, issued["access_token"])
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.json() == {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}


def test_a_token_may_live_no_time_at_all(sandbox: Sandbox) -> None:
    sandbox.token_lifetime = 0
    issued = log_in(sandbox, sandbox.public_client)
    assert issued["expires_in"] == 0
    assert call(sandbox, issued["access_token"]).status == 401


def test_a_call_needs_the_scopes_of_its_resource(sandbox: Sandbox) -> None:
    issued = log_in(sandbox, sandbox.public_client, scope="users.read")
    answer = call(sandbox, issued["access_token"])
    assert answer.status == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="tweet.read users.read"'


def test_v1_1_takes_no_token_of_oauth_2(sandbox: Sandbox) -> None:
    token = log_in(sandbox, sandbox.public_client)["access_token"]
    answer = call(sandbox, token, f"{BASE}/1.1/account/verify_credentials.json")
    assert (answer.status, json.loads(answer.body)["errors"][0]["code"]) == (403, 220)
    answer = sandbox.handle(Request("POST", f"{BASE}/1.1/oauth/invalidate_token", {"authorization": f"Bearer {token}"}))
    assert answer.status == 403


def test_calls_of_a_user_are_counted_with_those_of_oauth_1(sandbox: Sandbox) -> None:
    sandbox.rate_limit = 1
    token = log_in(sandbox, sandbox.public_client)["access_token"]
    assert call(sandbox, token).headers["x-rate-limit-remaining"] == "0"
    assert "x-access-level" not in call(sandbox, token).headers
    assert call(sandbox, token).status == 429


@pytest.mark.parametrize("scheme", ["Token", "Basic", "OAuth", "DPoP"])
def test_only_a_bearer_token_is_one(sandbox: Sandbox, scheme: str) -> None:
    token = log_in(sandbox, sandbox.public_client)["access_token"]
    assert call(sandbox, token, scheme=scheme).status in {400, 401}


def test_the_oldest_of_very_many_tokens_is_forgotten(sandbox: Sandbox) -> None:
    client = sandbox.oauth2_client
    grant = {"grant_type": "client_credentials"}
    first = json.loads(post(sandbox, TOKEN, client, **grant).body)["access_token"]
    server = sandbox.oauth2
    found = server.issued.access(first)
    assert found is not None
    for _ in range(10_000):
        server.issued.issue_access(found.grant, (), 1.0)
    assert server.issued.access(first) is None


# --- whatever comes --------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(
    [
        "grant_type",
        "code",
        "redirect_uri",
        "code_verifier",
        "refresh_token",
        "client_id",
        "client_secret",
        "scope",
        "state",
        "token",
        "response_type",
        "code_challenge",
        "code_challenge_method",
        "request_uri",
        "device_code",
        "user_code",
        "decision",
        "client_assertion",
        "client_assertion_type",
        "assertion",
        "subject_token",
        "subject_token_type",
        "user",
        "client",
        "scopes",
        "token_type_hint",
        "extra_credentials",
        "claims",
        "response_mode",
        "prompt",
        "dpop_jkt",
        "nonce",
    ]
)
_VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *[
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "code",
                "S256",
                "authorize",
                "cancel",
                "openid",
                "tweet.read",
            ],
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "urn:ietf:params:oauth:token-type:access_token",
            VERIFIER,
            CHALLENGE,
            CALLBACK,
            "e30.e30.e30",
            "eyJhbGciOiJub25lIn0.e30.",
        ]
    ),
)
_PATHS = st.sampled_from(
    [
        "/i/oauth2/authorize",
        "/2/oauth2/token",
        "/2/oauth2/revoke",
        "/2/oauth2/introspect",
        "/2/oauth2/par",
        "/2/oauth2/device_authorization",
        "/2/oauth2/register",
        "/2/oauth2/userinfo",
        "/2/oauth2/jwks",
        "/2/users/me",
        "/device",
        "/.well-known/openid-configuration",
    ]
)


@given(
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
    _PATHS,
    st.lists(st.tuples(_NAMES, _VALUES), max_size=9),
    st.booleans(),
    st.sampled_from(["none", "public", "basic", "bearer", "dpop"]),
    st.one_of(st.none(), st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30)),
)
def test_no_form_crashes_it(
    method: str, path: str, parameters: list[tuple[str, str]], in_query: bool, who: str, text: str | None
) -> None:
    sandbox = Sandbox()
    form = list(parameters)
    headers: list[tuple[str, str]] = [("content-type", FORM)]
    if who == "public":
        form.append(("client_id", sandbox.public_client.client_id))
    elif who == "basic":
        headers += basic(sandbox.oauth2_client).items()
    elif who in {"bearer", "dpop"} and text and text.isprintable():
        headers += [("authorization", f"{who} {text}"), ("dpop", text)]
    query, body = (encode(form), "") if in_query else ("", encode(form))
    answer = sandbox.handle(Request(method, f"{BASE}{path}" + (f"?{query}" if query else ""), headers, body.encode()))
    assert 200 <= answer.status < 500


@given(st.binary(max_size=80), _PATHS, st.sampled_from([FORM, "application/json", "text/plain"]))
def test_no_body_crashes_it(body: bytes, path: str, content_type: str) -> None:
    answer = Sandbox().handle(Request("POST", BASE + path, {"content-type": content_type}, body))
    assert 200 <= answer.status < 500


def test_pkce_is_the_example_of_the_rfc() -> None:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == CHALLENGE
