"""Logins of OAuth 2: the page's URL, every callback that can come back, one exchange, one use."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import App, AwaitingUser, Env, Flow, Provider, Response, Send, errors
from sansauth.claim import login_key
from sansauth.errors import LoginError
from sansauth.identity import OAuth2Client
from sansauth.oauth2.id_token import ready_to_verify
from sansauth.oauth2.keys import base64url
from sansauth.oauth2.login import (
    LOGIN_SECONDS,
    begin_login,
    build_pushed_request,
    finish_login,
    login_nonce,
    parse_callback,
    parse_pushed_request,
)
from sansauth.oauth2.pkce import code_challenge
from sansauth.provider import Endpoints, Quirks
from sansauth.testing import Sandbox
from sansauth.tokens import OAuth2Tokens
from sansauth.x import X

from .support import ENV, TIMESTAMP, Script, form_of, json_answer

BACK = "https://app.example/done"
CLIENT = OAuth2Client("id", "secret", BACK)
PUBLIC = OAuth2Client("id", redirect_uri="http://127.0.0.1:8080/callback")
SCOPES = ["tweet.read", "users.read", "offline.access"]
ISSUED = {
    "token_type": "bearer",
    "expires_in": 7200,
    "access_token": "access",
    "refresh_token": "refresh",
    "scope": "tweet.read",
}
SERVICE = Provider(
    "Service",
    "https://service.example",
    Endpoints(
        authorization="https://service.example/authorize?tenant=a",
        token="https://service.example/token",
        pushed_authorization_request="https://service.example/par",
    ),
    issuer="https://service.example",
)


def begin(
    client: OAuth2Client = CLIENT, provider: Provider = X, scopes: list[str] = SCOPES, **more: object
) -> AwaitingUser:
    script = Script()
    awaiting = script.run(begin_login(client, scopes, provider=provider, env=ENV, **more))  # type: ignore[arg-type]
    assert script.log == []  # no request, no effect
    return awaiting


def asked(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def callback(awaiting: AwaitingUser, **parameters: str) -> str:
    fields = {"state": awaiting.reference, "code": "the-code"} | parameters
    return f"{awaiting.callback}?" + "&".join(f"{name}={value}" for name, value in fields.items() if value)


AWAITING = begin()


def test_a_login_may_ask_for_no_scopes_and_for_nothing_that_is_none() -> None:
    awaiting = Script().run(begin_login(OAuth2Client("id"), None, provider=X, env=ENV, redirect_uri=BACK))
    assert "scope" not in asked(awaiting.url)
    assert awaiting.scopes is None
    with pytest.raises(errors.InvalidParameter, match="scopes are a list"):
        Script().run(begin_login(OAuth2Client("id"), 7, provider=X, env=ENV, redirect_uri=BACK))  # type: ignore[arg-type]


class TestBegin:
    def test_the_page_is_asked_for_a_code_with_pkce_and_state(self) -> None:
        assert AWAITING.url.startswith("https://x.com/i/oauth2/authorize?response_type=code&")
        assert asked(AWAITING.url) == {
            "response_type": "code",
            "client_id": "id",
            "redirect_uri": BACK,
            "scope": "tweet.read users.read offline.access",
            "state": "00" * 16,
            "code_challenge": code_challenge("A" * 43),
            "code_challenge_method": "S256",
        }
        assert "scope=tweet.read%20users.read" in AWAITING.url

    def test_what_awaits_is_data_that_shows_nothing(self) -> None:
        assert AwaitingUser.from_json(AWAITING.to_json()) == AWAITING
        assert (AWAITING.kind, AWAITING.expires_at) == ("oauth2", TIMESTAMP + LOGIN_SECONDS)
        assert "A" * 43 not in repr(AWAITING) + AWAITING.url
        assert "secret" not in AWAITING.to_json().replace('"secret":', "")

    def test_every_login_has_a_state_and_a_verifier_of_its_own(self) -> None:
        drawn = iter(range(100))
        env = Env(ENV.clock, lambda size: next(drawn).to_bytes(size, "big"))
        two = [Flow(begin_login(CLIENT, SCOPES, provider=X, env=env)).result for _ in range(2)]
        assert len({login.reference for login in two}) == len({login.secret for login in two}) == 2

    def test_further_parameters_go_along_and_a_query_of_the_page_stays(self) -> None:
        awaiting = begin(provider=SERVICE, parameters={"prompt": "consent", "login_hint": "a b"})
        assert asked(awaiting.url).items() >= {"tenant": "a", "prompt": "consent", "login_hint": "a b"}.items()

    @pytest.mark.parametrize("name", ["state", "redirect_uri", "code_challenge", "client_id", "response_type", "nonce"])
    def test_what_it_sets_itself_is_not_given(self, name: str) -> None:
        with pytest.raises(errors.InvalidParameter, match=name):
            begin(parameters={name: "x"})

    def test_an_openid_login_has_a_nonce_that_only_its_beginner_knows(self) -> None:
        awaiting = begin(scopes=["openid"])
        assert asked(awaiting.url)["nonce"] == login_nonce(awaiting.secret) != awaiting.secret
        assert "nonce" not in asked(AWAITING.url)

    @pytest.mark.parametrize(
        "uri",
        [BACK, "http://127.0.0.1/", "http://localhost:1/a?b=c", "http://[::1]:9/", "com.example.app:/done", "app://x"],
    )
    def test_a_redirect_uri_is_https_loopback_or_an_applications_own(self, uri: str) -> None:
        """RFC 8252 section 7."""
        assert asked(begin(redirect_uri=uri).url)["redirect_uri"] == uri

    @pytest.mark.parametrize(
        ("uri", "error"),
        [
            (None, errors.InvalidParameter),
            ("", errors.InvalidParameter),
            ("/done", errors.InvalidParameter),
            (f"{BACK}#fragment", errors.InvalidParameter),
            ("https://app.example/a b", errors.InvalidParameter),
            (5, errors.InvalidParameter),
            ("http://app.example/done", errors.InsecureTransport),
            ("https://user@app.example/", errors.InvalidURL),
        ],
    )
    def test_any_other_is_refused(self, uri: object, error: type[Exception]) -> None:
        with pytest.raises(error):
            begin(OAuth2Client("id", "secret"), redirect_uri=uri)

    @pytest.mark.parametrize("lifetime", [0, -1, float("inf"), float("nan")])
    def test_a_lifetime_is_finite_and_above_zero(self, lifetime: float) -> None:
        with pytest.raises(errors.InvalidParameter, match="lifetime"):
            begin(lifetime=lifetime)

    def test_only_a_client_of_oauth_2_logs_in_so(self) -> None:
        with pytest.raises(errors.WrongIdentity, match="OAuth2Client"):
            begin(App("CK", "CS"))  # type: ignore[arg-type]

    @pytest.mark.parametrize("scopes", ["tweet.read", ["a b"], [""], ["é"], [5], ['a"b']])
    def test_scopes_are_a_list_of_scopes(self, scopes: object) -> None:
        with pytest.raises(errors.InvalidParameter, match="scope"):
            begin(scopes=scopes)  # type: ignore[arg-type]

    def test_no_scope_is_no_parameter(self) -> None:
        assert "scope" not in asked(begin(scopes=[]).url)


class TestPushed:
    """RFC 9126."""

    ANSWER = json_answer(201, {"request_uri": "urn:ietf:params:oauth:request_uri:6esc", "expires_in": 60})

    def test_what_would_stand_in_the_url_is_pushed_and_the_url_names_it(self) -> None:
        script = Script([self.ANSWER])
        awaiting = script.run(begin_login(CLIENT, SCOPES, provider=SERVICE, env=ENV, push=True))
        (request,) = script.sent
        assert request.url == "https://service.example/par"
        form = dict(parse_qsl(form_of(request)))
        assert form == {name: value for name, value in asked(begin(provider=SERVICE).url).items() if name != "tenant"}
        assert request.headers["authorization"].startswith("Basic ")
        assert asked(awaiting.url) == {
            "tenant": "a",
            "client_id": "id",
            "request_uri": "urn:ietf:params:oauth:request_uri:6esc",
        }

    @pytest.mark.parametrize(
        ("client", "provider"),
        [(CLIENT, SERVICE), (CLIENT, replace(SERVICE, quirks=Quirks(client_id_in_body=True))), (PUBLIC, SERVICE),
         (OAuth2Client("id", "secret", BACK, auth="client_secret_post"), SERVICE)],
    )  # fmt: skip
    def test_the_client_is_named_once_however_it_authenticates(self, client: OAuth2Client, provider: Provider) -> None:
        request = build_pushed_request(client, [("client_id", "id"), ("state", "s")], provider=provider, env=ENV)
        assert [name for name, _ in parse_qsl(form_of(request))].count("client_id") == 1

    def test_a_service_that_wants_it_gets_it_unasked(self) -> None:
        script = Script([self.ANSWER])
        wants = replace(SERVICE, quirks=Quirks(pushes_requests=True))
        script.run(begin_login(CLIENT, SCOPES, provider=wants, env=ENV))
        assert script.log == ["Send"]

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {"request_uri": "urn:a"},
            {"request_uri": "a", "expires_in": 60},
            {"request_uri": 5, "expires_in": 60},
            {"request_uri": "urn:a b", "expires_in": 60},
            {"request_uri": "urn:a", "expires_in": 0},
            {"request_uri": "urn:a", "expires_in": "soon"},
            {"request_uri": "urn:a", "expires_in": True},
        ],
    )
    def test_an_answer_that_is_none(self, answer: object) -> None:
        with pytest.raises(errors.RemoteProtocolError):
            parse_pushed_request(json_answer(201, answer), SERVICE)

    def test_a_refusal_has_its_type(self) -> None:
        with pytest.raises(errors.InvalidClient):
            parse_pushed_request(json_answer(401, {"error": "invalid_client"}), SERVICE)


class TestFinish:
    def finish(self, script: Script, answer: str, awaiting: AwaitingUser = AWAITING, **more: object) -> OAuth2Tokens:
        settings = {"client": CLIENT, "provider": X, "env": ENV} | more
        client = settings.pop("client")
        return script.run(finish_login(client, awaiting, answer, **settings))  # type: ignore[arg-type]

    def test_the_code_is_exchanged_with_the_verifier_and_the_same_redirect_uri(self) -> None:
        """RFC 6749 section 4.1.3, RFC 7636 section 4.5; X: client_id in the body along with Basic."""
        script = Script([json_answer(200, ISSUED)])
        tokens = self.finish(script, callback(AWAITING))
        (request,) = script.sent
        assert request.url == "https://api.x.com/2/oauth2/token"
        assert dict(parse_qsl(form_of(request))) == {
            "grant_type": "authorization_code",
            "code": "the-code",
            "redirect_uri": BACK,
            "code_verifier": "A" * 43,
            "client_id": "id",
        }
        assert request.headers["authorization"] == "Basic aWQ6c2VjcmV0"
        assert tokens == OAuth2Tokens(
            "access", "Bearer", TIMESTAMP, TIMESTAMP + 7200, "refresh", scopes=("tweet.read",)
        )
        assert script.log == ["Save", "Send"]

    def test_a_public_client_sends_its_id_and_no_secret(self) -> None:
        awaiting = begin(PUBLIC)
        script = Script([json_answer(200, ISSUED)])
        self.finish(script, callback(awaiting), awaiting, client=PUBLIC)
        assert "authorization" not in script.sent[0].headers
        assert "client_id=id" in form_of(script.sent[0])

    def test_an_answer_that_is_silent_on_scopes_grants_those_that_were_asked_for(self) -> None:
        script = Script([json_answer(200, {key: value for key, value in ISSUED.items() if key != "scope"})])
        assert self.finish(script, callback(AWAITING)).scopes == tuple(SCOPES)
        none = begin(scopes=[])
        script = Script([json_answer(200, {key: value for key, value in ISSUED.items() if key != "scope"})])
        assert self.finish(script, callback(none), none).scopes is None

    @pytest.mark.parametrize("form", ["url", "path", "query", "extras", "fragment"])
    def test_the_callback_comes_in_any_form(self, form: str) -> None:
        url = callback(AWAITING)
        given_as = {
            "url": url,
            "path": url.removeprefix("https://app.example"),
            "query": url.partition("?")[2],
            "extras": f"{url}&session_state=x&utm_source=y",
            "fragment": f"{url}#_=_",
        }
        script = Script([json_answer(200, ISSUED)])
        assert self.finish(script, given_as[form]).access_token == "access"

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"state": "forged"}, errors.ForeignCallback),
            ({"state": ""}, errors.InvalidCallback),
            ({"code": ""}, errors.InvalidCallback),
            ({"code": "", "error": "access_denied"}, errors.Denied),
            ({"error": "access_denied"}, errors.Denied),
            ({"code": "", "error": "invalid_scope"}, errors.LoginRefused),
            ({"code": "", "error": "%22%0A"}, errors.LoginRefused),
            ({"code": "a&code=b"}, errors.InvalidCallback),
            ({"state": f"{AWAITING.reference}&state=x"}, errors.InvalidCallback),
            ({"error": "access_denied", "state": "forged"}, errors.ForeignCallback),
        ],
    )
    def test_every_other_callback_has_an_error_of_its_own_and_burns_nothing(
        self, changes: dict[str, str], error: type[LoginError]
    ) -> None:
        script = Script()
        with pytest.raises(error) as caught:
            self.finish(script, callback(AWAITING, **changes))
        assert type(caught.value) is error
        assert script.log == []

    def test_an_error_that_cannot_be_shown_is_not(self) -> None:
        with pytest.raises(errors.LoginRefused, match="cannot be shown"):
            self.finish(Script(), callback(AWAITING, code="", error="%0a%22"))
        with pytest.raises(errors.LoginRefused, match="invalid_scope") as caught:
            self.finish(Script(), callback(AWAITING, code="", error="invalid_scope"))
        assert caught.value.code == "invalid_scope"
        again = pickle.loads(pickle.dumps(caught.value))
        assert (str(again), again.code) == (str(caught.value), "invalid_scope")

    @pytest.mark.parametrize("code", ["access_denied", "user_cancelled_login", "user_cancelled_authorize"])
    def test_every_word_for_no_is_a_denial(self, code: str) -> None:
        """LinkedIn and Apple have their own."""
        with pytest.raises(errors.Denied):
            self.finish(Script(), callback(AWAITING, code="", error=code))

    @pytest.mark.parametrize(
        ("provider", "issuer", "foreign"),
        [
            (SERVICE, "https://service.example", False),
            (SERVICE, "https://service.example/", True),
            (SERVICE, "https://evil.example", True),
            (SERVICE, "", False),
            (replace(SERVICE, quirks=Quirks(names_issuer=True)), "", True),
            (replace(SERVICE, issuer=None), "https://evil.example", False),
        ],
    )
    def test_the_issuer_is_compared(self, provider: Provider, issuer: str, foreign: bool) -> None:
        """RFC 9207 section 2.4: the mix-up attack."""
        awaiting = begin(provider=provider)
        script = Script([json_answer(200, ISSUED)])
        answer = callback(awaiting, iss=issuer)
        if foreign:
            with pytest.raises(errors.WrongIssuer):
                self.finish(script, answer, awaiting, provider=provider)
            assert script.log == []
        else:
            self.finish(script, answer, awaiting, provider=provider)

    def test_a_login_is_finished_once(self) -> None:
        script = Script([json_answer(200, ISSUED)])
        self.finish(script, callback(AWAITING))
        assert set(script.records) == {login_key(AWAITING)}
        with pytest.raises(errors.AlreadyUsed):
            self.finish(script, callback(AWAITING))
        assert len(script.sent) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            json_answer(400, {"error": "invalid_grant"}),
            json_answer(400, {"error": "invalid_request", "error_description": "Value passed was invalid."}),
            Response(503, {"content-type": "text/html"}, b"<html>"),
            errors.ConnectError("no route"),
        ],
    )
    def test_the_claim_is_given_back_when_the_service_refused(self, answer: Response | Exception) -> None:
        script = Script([answer, json_answer(200, ISSUED)])
        with pytest.raises((errors.ApiError, errors.TransportError)):
            self.finish(script, callback(AWAITING))
        assert script.records == {}
        assert self.finish(script, callback(AWAITING)).access_token == "access"

    def test_it_stays_when_nobody_knows(self) -> None:
        script = Script([errors.ReadError("broke", sent=True)])
        with pytest.raises(errors.ReadError):
            self.finish(script, callback(AWAITING))
        with pytest.raises(errors.AlreadyUsed):
            self.finish(script, callback(AWAITING))

    def test_late_elsewhere_by_another_client_or_of_another_kind(self) -> None:
        late = Env(lambda: float(TIMESTAMP + LOGIN_SECONDS), ENV.entropy)
        with pytest.raises(errors.LoginExpired):
            self.finish(Script(), callback(AWAITING), env=late)
        with pytest.raises(errors.ForeignCallback):
            self.finish(Script(), callback(AWAITING), provider=SERVICE)
        with pytest.raises(errors.LocalProtocolError, match="another client"):
            self.finish(Script(), callback(AWAITING), client=OAuth2Client("other", redirect_uri=BACK))
        other = AwaitingUser.from_json(json.dumps(json.loads(AWAITING.to_json()) | {"kind": "oauth1"}))
        with pytest.raises(errors.InvalidCallback):
            self.finish(Script(), callback(AWAITING), other)

    @given(st.text())
    def test_no_callback_crashes_it(self, text: str) -> None:
        with pytest.raises(LoginError):
            parse_callback(AWAITING, text, X)


class AtSandbox(Script):
    """A script whose answers are a sandbox's."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.sandbox = sandbox

    def _perform(self, flow: Flow[object], depth: int) -> object:
        if isinstance(flow.effect, Send):
            self.answers.append(self.sandbox.handle(flow.effect.request))
        return super()._perform(flow, depth)


class TestOpenID:
    """A login that asks for who the user is: the id_token is verified before anybody sees it."""

    OPENID = replace(
        X, issuer="https://api.x.com", endpoints=replace(X.endpoints, jwks="https://api.x.com/2/oauth2/jwks")
    )

    def begin(self, provider: Provider) -> tuple[AtSandbox, Sandbox, AwaitingUser]:
        sandbox = Sandbox(env=ENV)
        script = AtSandbox(sandbox)
        login = begin_login(sandbox.oauth2_client, ["openid"], provider=provider, env=ENV, redirect_uri=BACK)
        return script, sandbox, script.run(login)

    def test_the_id_token_is_verified_with_its_nonce(self) -> None:
        script, sandbox, awaiting = self.begin(self.OPENID)
        callback = sandbox.approve(awaiting.url.replace("https://x.com", "https://api.x.com"))
        login = finish_login(sandbox.oauth2_client, awaiting, callback, provider=self.OPENID, env=ENV)
        assert script.run(login).id_token is not None
        # The keys first: if they cannot be had, the code is not spent.
        assert [request.path for request in script.sent] == ["/2/oauth2/jwks", "/2/oauth2/token"]

    def test_one_of_another_login_is_refused(self) -> None:
        script, sandbox, awaiting = self.begin(self.OPENID)
        url = awaiting.url.replace("https://x.com", "https://api.x.com")
        callback = sandbox.approve(url.replace(login_nonce(awaiting.secret), login_nonce("B" * 43)))
        login = finish_login(sandbox.oauth2_client, awaiting, callback, provider=self.OPENID, env=ENV)
        with pytest.raises(errors.InvalidIdToken, match="nonce"):
            script.run(login)

    @pytest.mark.parametrize("trouble", [Response(503), errors.ConnectError("no route")])
    def test_a_login_whose_id_token_could_not_be_verified_spends_no_code(self, trouble: Response | Exception) -> None:
        script, sandbox, awaiting = self.begin(self.OPENID)
        callback = sandbox.approve(awaiting.url.replace("https://x.com", "https://api.x.com"))
        login = finish_login(sandbox.oauth2_client, awaiting, callback, provider=self.OPENID, env=ENV)
        with pytest.raises((errors.ServiceUnavailable, errors.ConnectError)):
            Script([trouble], script.records).run(login)
        assert script.run(login).id_token is not None

    @pytest.mark.parametrize("algorithms", [(), ("none",), ("RS1",)])
    def test_nor_does_one_for_which_no_algorithm_is_allowed(self, algorithms: tuple[str, ...]) -> None:
        provider = replace(self.OPENID, quirks=replace(X.quirks, algorithms=algorithms))
        script, sandbox, awaiting = self.begin(provider)
        callback = sandbox.approve(awaiting.url.replace("https://x.com", "https://api.x.com"))
        with pytest.raises(errors.LocalProtocolError, match="no algorithm is allowed"):
            script.run(finish_login(sandbox.oauth2_client, awaiting, callback, provider=provider, env=ENV))
        assert script.sent == []

    def test_keys_are_not_fetched_where_the_clients_secret_is_the_key(self) -> None:
        script = Script()
        provider = replace(self.OPENID, quirks=replace(X.quirks, algorithms=("HS256",)))
        script.run(ready_to_verify(provider, env=ENV))
        assert script.log == []

    def test_keys_in_memory_do_whatever_they_are(self) -> None:
        script = Script([json_answer(200, {"keys": []})])
        for _ in range(2):
            script.run(ready_to_verify(self.OPENID, env=ENV))
        assert len(script.sent) == 1

    def claims(self, awaiting: AwaitingUser, **change: object) -> str:
        claims = {
            "iss": "https://api.x.com",
            "sub": "u",
            "aud": "id",
            "exp": TIMESTAMP + 60,
            "iat": TIMESTAMP,
            "auth_time": TIMESTAMP - 100,
            "nonce": login_nonce(awaiting.secret),
        } | change
        header = {"alg": change.get("alg", "ES256")}
        return ".".join([base64url(json.dumps(part).encode()) for part in (header, claims)] + ["c2ln"])

    def finish(self, awaiting: AwaitingUser, id_token: str, provider: Provider) -> OAuth2Tokens:
        answer = {"access_token": "a", "token_type": "bearer", "id_token": id_token}
        login = finish_login(OAuth2Client("id"), awaiting, callback(awaiting), provider=provider, env=ENV)
        return Script([json_answer(200, answer)]).run(login)

    def login(self, provider: Provider, scopes: list[str], **parameters: str) -> AwaitingUser:
        client = OAuth2Client("id", redirect_uri=BACK)
        return Script().run(begin_login(client, scopes, provider=provider, env=ENV, parameters=parameters))

    ISSUER = replace(X, issuer="https://api.x.com")  # and no word of where its keys are

    def test_of_a_service_whose_keys_are_not_known_the_claims_are_checked(self) -> None:
        """TLS may stand for the signature (OpenID Connect Core 1.0 section 3.1.3.7, 6), and for nothing else."""
        awaiting = self.login(self.ISSUER, ["openid"], max_age="100")
        good = self.claims(awaiting)
        assert self.finish(awaiting, good, self.ISSUER).id_token == good
        for change, why in (
            ({"iss": "https://evil.test"}, "iss"),
            ({"aud": "other"}, "aud"),
            ({"exp": TIMESTAMP - 61}, "expired"),
            ({"nonce": "n"}, "nonce"),
            ({"auth_time": TIMESTAMP - 161}, "auth_time"),
            ({"at_hash": "x"}, "at_hash"),
            ({"alg": "none"}, "alg"),
        ):
            with pytest.raises(errors.InvalidIdToken, match=why):
                self.finish(awaiting, self.claims(awaiting, **change), self.ISSUER)

    def test_one_that_was_not_asked_for_needs_no_nonce(self) -> None:
        """Google sends an id_token for `email` alone; no nonce was sent, so none comes back."""
        awaiting = self.login(self.ISSUER, ["email"])
        assert "nonce" not in asked(awaiting.url)
        assert self.finish(awaiting, self.claims(awaiting, nonce="other"), self.ISSUER).id_token is not None

    def test_max_age_is_kept_with_the_login_because_the_page_could_lose_it(self) -> None:
        awaiting = AwaitingUser.from_json(self.login(X, ["openid"], max_age="0").to_json())
        assert awaiting.max_age == 0
        for wrong in ("", "-1", "1.5", "x", "9" * 20, "²"):
            with pytest.raises(errors.InvalidParameter, match="max_age"):
                self.login(X, ["openid"], max_age=wrong)

    def test_without_the_services_keys_and_issuer_it_is_only_passed_on(self) -> None:
        script, sandbox, awaiting = self.begin(X)
        callback = sandbox.approve(awaiting.url.replace("https://x.com", "https://api.x.com"))
        login = finish_login(sandbox.oauth2_client, awaiting, callback, provider=X, env=ENV)
        assert script.run(login).id_token is not None
        assert [request.path for request in script.sent] == ["/2/oauth2/token"]
