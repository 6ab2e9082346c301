"""The authorised call: the identity picks the scheme, the answer is judged, an app's own bearer is renewed once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sansauth import (
    App,
    Bearer,
    Flow,
    Identity,
    Load,
    OAuth1User,
    Provider,
    Request,
    Response,
    Send,
    Signing,
    Stored,
    Timeouts,
    build_request,
    errors,
)
from sansauth.app_token import AppToken, app_token_key
from sansauth.call import (
    authorise,
    authorise_held,
    call,
    held_credentials,
    judge,
    remedy,
    require_identity,
    signs_every_body,
)
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth1 import sign
from sansauth.oauth1.send import Exchange, clock_skew_key
from sansauth.testing.http_date import http_date
from sansauth.x import X

from .support import APP, ENV, NONCE, TIMESTAMP, USER, Script, json_answer, refusal_answer, token_answer

REQUEST = build_request("GET", "https://api.x.com/2/users/me", params={"user.fields": "id"}, headers={"a": "b"})
POST = build_request("POST", "https://api.x.com/2/tweets", json={"text": "Hello"})
OK = json_answer(200, {"data": {"id": "1"}})
GONE = refusal_answer(401, 89, "Invalid or expired token")
KEY = app_token_key(APP, X)
BEARER = Bearer("held-token")
IDENTITIES: list[Identity] = [APP, App("CK", "CS", "given-token"), BEARER, USER]


def stored(token: str) -> dict[str, Stored]:
    return {KEY: Stored(AppToken(token).to_bytes(), 1)}


def bearers(script: Script) -> list[str]:
    """The bearer tokens of the calls, in order; `fetch` for a fetch."""
    return [
        request.headers["authorization"].removeprefix("Bearer ") if "/oauth2/" not in request.url else "fetch"
        for request in script.sent
    ]


class TestScheme:
    def test_a_user_signs(self) -> None:
        script = Script([OK])
        assert script.run(call(POST, USER, provider=X, env=ENV)) is OK
        assert script.sent == [sign(POST, USER, timestamp=TIMESTAMP, nonce=NONCE)]
        assert script.log == ["Load", "Send"]  # what is known of the service's clock

    @pytest.mark.parametrize(
        ("identity", "token"), [(BEARER, "held-token"), (App("CK", "CS", "given-token"), "given-token")]
    )
    def test_a_token_that_is_held_is_borne(self, identity: Identity, token: str) -> None:
        script = Script([OK])
        assert script.run(call(REQUEST, identity, provider=X, env=ENV)) is OK
        assert script.sent == [REQUEST.with_header("authorization", f"Bearer {token}")]
        assert script.log == ["Send"]

    def test_an_app_fetches_its_token_once_and_then_has_it(self) -> None:
        script = Script([token_answer("AAAA%2F"), OK, OK])
        for _ in range(2):
            assert script.run(call(REQUEST, APP, provider=X, env=ENV)) is OK
        assert bearers(script) == ["fetch", "AAAA%2F", "AAAA%2F"]
        assert script.log == ["Load", "Exclusive", "  Load", "  Send", "  Save", "Send", "Load", "Send"]

    def test_what_the_caller_put_into_authorization_is_replaced(self) -> None:
        script = Script([OK, OK])
        request = REQUEST.with_header("Authorization", "Bearer mine")
        for identity in (BEARER, USER):
            script.run(call(request, identity, provider=X, env=ENV))
        assert [len(sent.headers.get_all("authorization")) for sent in script.sent] == [1, 1]
        assert "mine" not in script.sent[0].headers["authorization"]

    def test_a_token_that_fits_into_no_header_is_refused_and_not_shown(self) -> None:
        with pytest.raises(errors.InvalidHeader) as caught:
            Flow(call(REQUEST, Bearer("hunter2\r\nX: y"), provider=X, env=ENV))
        assert "hunter2" not in str(caught.value)

    def test_timeouts_go_with_the_call(self) -> None:
        timeouts = Timeouts(1, 2, 3)
        flow = Flow(call(REQUEST, BEARER, provider=X, env=ENV, timeouts=timeouts))
        assert isinstance(flow.effect, Send)
        assert flow.effect.timeouts is timeouts

    @pytest.mark.parametrize("identity", [None, "CK", ("CK", "CS")])
    def test_what_is_no_identity_is_refused(self, identity: object) -> None:
        with pytest.raises(errors.WrongIdentity):
            Flow(call(REQUEST, identity, provider=X, env=ENV))  # type: ignore[arg-type]


@pytest.mark.parametrize("identity", IDENTITIES)
class TestForeignHost:
    @pytest.mark.parametrize(
        "url",
        ["https://evil.test/2/users/me", "https://x.com/", "https://api.x.com:8443/", "https://api.x.com.evil.test/"],
    )
    def test_it_is_refused_before_any_effect(self, identity: Identity, url: str) -> None:
        with pytest.raises(errors.ForeignHost):
            Flow(call(Request("GET", url), identity, provider=X, env=ENV))
        with pytest.raises(errors.ForeignHost):
            authorise_held(Request("GET", url), identity, provider=X, env=ENV)

    def test_plain_http_is_refused_before_any_effect(self, identity: Identity) -> None:
        with pytest.raises(errors.InsecureTransport):
            Flow(call(Request("GET", "http://api.x.com/"), identity, provider=X, env=ENV))

    def test_it_can_be_allowed(self, identity: Identity) -> None:
        provider = X.allowing("https://media.test")
        script = Script([OK], stored("old"))
        assert script.run(call(Request("GET", "https://media.test/a"), identity, provider=provider, env=ENV)) is OK


class TestRenewal:
    def test_a_401_with_code_89_on_the_apps_own_token_fetches_a_new_one_once(self) -> None:
        script = Script([GONE, token_answer("new"), OK], stored("old"))
        assert script.run(call(REQUEST, APP, provider=X, env=ENV)) is OK
        assert bearers(script) == ["old", "fetch", "new"]
        assert script.log == ["Load", "Send", "Load", "Exclusive", "  Load", "  Send", "  Save", "Send"]
        assert AppToken.from_bytes(script.records[KEY].data).access_token == "new"

    def test_the_request_is_sent_again_as_it_was(self) -> None:
        script = Script([GONE, token_answer("new"), OK], stored("old"))
        script.run(call(POST, APP, provider=X, env=ENV))
        assert script.sent[2] == POST.with_header("authorization", "Bearer new")

    def test_once_and_not_twice(self) -> None:
        script = Script([GONE, token_answer("new"), GONE, OK], stored("old"))
        with pytest.raises(errors.InvalidOrExpiredToken):
            script.run(call(REQUEST, APP, provider=X, env=ENV))
        assert bearers(script) == ["old", "fetch", "new"]

    def test_a_token_fetched_for_this_call_is_renewed_too(self) -> None:
        script = Script([token_answer("first"), GONE, token_answer("second"), OK])
        assert script.run(call(REQUEST, APP, provider=X, env=ENV)) is OK
        assert bearers(script) == ["fetch", "first", "fetch", "second"]

    def test_a_token_that_another_renewed_meanwhile_is_used_without_a_fetch(self) -> None:
        script = Script([GONE, OK], stored("old"))
        flow = Flow(call(REQUEST, APP, provider=X, env=ENV))
        flow.resume(script.records[KEY])
        flow.receive(GONE)
        flow.resume(Stored(AppToken("theirs").to_bytes(), 2))
        assert flow.request.headers["authorization"] == "Bearer theirs"
        flow.receive(OK)
        assert flow.result is OK

    @pytest.mark.parametrize("identity", [App("CK", "CS", "given"), BEARER, USER])
    def test_nothing_but_an_apps_own_fetched_token_is_renewed(self, identity: Identity) -> None:
        script = Script([GONE], stored("old"))
        with pytest.raises(errors.InvalidOrExpiredToken):
            script.run(call(REQUEST, identity, provider=X, env=ENV))
        assert [step for step in script.log if step != "Load"] == ["Send"]

    @pytest.mark.parametrize(
        "response",
        [
            refusal_answer(401, 32),
            refusal_answer(401, 135),
            refusal_answer(403, 89),
            refusal_answer(403, 99),
            refusal_answer(429, 88),
            Response(401),
            Response(401, {"content-type": "application/json"}, b"null"),
            Response(503),
            Response(302),
        ],
    )
    def test_no_other_answer_renews(self, response: Response) -> None:
        assert remedy(Exchange(REQUEST, response), APP, X, ENV) is None
        script = Script([response], stored("old"))
        with pytest.raises(errors.ApiError):
            script.run(call(REQUEST, APP, provider=X, env=ENV))
        assert bearers(script) == ["old"]

    def test_a_refused_fetch_comes_out_and_the_old_record_stays(self) -> None:
        script = Script([GONE, refusal_answer(403, 99)], stored("old"))
        with pytest.raises(errors.UnableToVerifyCredentials):
            script.run(call(REQUEST, APP, provider=X, env=ENV))
        assert AppToken.from_bytes(script.records[KEY].data).access_token == "old"

    def test_a_token_that_another_saves_at_the_same_time_keeps_nobody_from_using_this_one(self) -> None:
        class Late(Script):
            def save(self, key: str, data: bytes | None, expected: int | None) -> int:
                raise errors.Conflict("changed meanwhile")

        script = Late([GONE, token_answer("new"), OK], stored("old"))
        assert script.run(call(REQUEST, APP, provider=X, env=ENV)) is OK
        assert bearers(script) == ["old", "fetch", "new"]

    def test_transport_trouble_is_not_tried_again(self) -> None:
        script = Script([errors.ReadError("broke", sent=True)], stored("old"))
        with pytest.raises(errors.ReadError):
            script.run(call(REQUEST, APP, provider=X, env=ENV))
        assert bearers(script) == ["old"]


class TestAWrongClock:
    """X's code 135: the call learns the service's time and is signed once more."""

    LATE = Response(
        401, {"date": http_date(TIMESTAMP + 900)}, json_answer(401, {"errors": [{"code": 135, "message": "x"}]}).body
    )

    def test_the_first_call_takes_one_more_try_and_the_second_none(self) -> None:
        script = Script([self.LATE, OK, OK])
        for _ in range(2):
            assert script.run(call(REQUEST, USER, provider=X, env=ENV)) is OK
        signed = [sign(REQUEST, USER, timestamp=TIMESTAMP + skew, nonce=NONCE) for skew in (0, 900, 900)]
        assert script.sent == signed
        assert set(script.records) == {clock_skew_key(X)}

    def test_a_second_refusal_comes_out(self) -> None:
        with pytest.raises(errors.TimestampOutOfRange, match="clock"):
            Script([self.LATE, self.LATE]).run(call(REQUEST, USER, provider=X, env=ENV))

    @pytest.mark.parametrize("identity", [BEARER, App("CK", "CS", "given"), APP])
    def test_who_signs_nothing_learns_nothing(self, identity: Identity) -> None:
        assert remedy(Exchange(REQUEST, self.LATE), identity, X, ENV) is None
        script = Script([self.LATE], stored("old"))
        with pytest.raises(errors.TimestampOutOfRange):
            script.run(call(REQUEST, identity, provider=X, env=ENV))

    def test_without_a_date_there_is_nothing_to_learn(self) -> None:
        assert remedy(Exchange(REQUEST, refusal_answer(401, 135)), USER, X, ENV) is None
        script = Script([refusal_answer(401, 135)])
        with pytest.raises(errors.TimestampOutOfRange):
            script.run(call(REQUEST, USER, provider=X, env=ENV))

    def test_a_call_is_signed_as_its_service_wants_it(self) -> None:
        service = replace(X, signing=Signing("HMAC-SHA256", realm="Photos"))
        flow = Script([OK])
        flow.run(call(REQUEST, USER, provider=service, env=ENV))
        expected = sign(REQUEST, USER, timestamp=TIMESTAMP, nonce=NONCE, method="HMAC-SHA256", realm="Photos")
        assert flow.sent == [expected]
        assert authorise_held(REQUEST, USER, provider=service, env=ENV) == expected


class TestTwoLegged:
    """An application at a service that has no bearer tokens for one: WooCommerce, LTI."""

    SHOP = Provider("Shop", "https://shop.test/wp-json/wc/v3", errors=X.errors)
    PRODUCTS = Request("GET", SHOP.url("/products"))

    def test_it_signs_with_the_consumers_credentials_alone(self) -> None:
        script = Script([OK])
        assert script.run(call(self.PRODUCTS, APP, provider=self.SHOP, env=ENV)) is OK
        expected = sign(self.PRODUCTS, APP, timestamp=TIMESTAMP, nonce=NONCE)
        assert script.sent == [expected]
        assert "oauth_token=" not in expected.headers["authorization"]
        assert held_credentials(APP, self.SHOP) is APP
        assert authorise_held(self.PRODUCTS, APP, provider=self.SHOP, env=ENV) == expected

    def test_a_token_that_it_was_made_with_is_borne(self) -> None:
        script = Script([OK])
        script.run(call(self.PRODUCTS, App("CK", "CS", "given"), provider=self.SHOP, env=ENV))
        assert bearers(script) == ["given"]

    def test_it_learns_the_services_clock(self) -> None:
        script = Script([TestAWrongClock.LATE, OK])
        assert script.run(call(self.PRODUCTS, APP, provider=self.SHOP, env=ENV)) is OK
        assert script.sent[1] == sign(self.PRODUCTS, APP, timestamp=TIMESTAMP + 900, nonce=NONCE)

    def test_where_there_are_bearer_tokens_it_fetches_one(self) -> None:
        script = Script([token_answer("new"), OK])
        script.run(call(REQUEST, APP, provider=X, env=ENV))
        assert bearers(script) == ["fetch", "new"]

    def test_a_refused_token_is_nothing_that_it_could_renew(self) -> None:
        assert remedy(Exchange(self.PRODUCTS, GONE), APP, self.SHOP, ENV) is None

    def test_the_hint_says_how_the_call_was_made(self) -> None:
        with pytest.raises(errors.UnsupportedAuthentication, match=r"as an App \(signed, without a user\)"):
            judge(refusal_answer(403, 220), APP, self.SHOP, request=self.PRODUCTS)


@pytest.mark.parametrize(
    ("identity", "signs"), [(USER, True), (APP, False), (BEARER, False), (App("CK", "CS", "given"), False)]
)
def test_a_hash_of_the_body_is_for_those_who_sign(identity: Identity, signs: bool) -> None:
    hashing = replace(X, signing=Signing(body_hash=True))
    assert signs_every_body(identity, hashing) is signs
    assert not signs_every_body(identity, X)
    assert signs_every_body(APP, Provider("Shop", "https://shop.test", signing=Signing(body_hash=True)))


class TestAuthorise:
    def test_it_gives_the_request_that_call_would_send(self) -> None:
        for identity in IDENTITIES:
            script = Script([token_answer("new")])
            authorised = script.run(authorise(REQUEST, identity, provider=X, env=ENV))
            again = Script([OK], script.records)
            again.run(call(REQUEST, identity, provider=X, env=ENV))
            assert again.sent == [authorised]

    def test_a_rejected_request_is_authorised_anew(self) -> None:
        script = Script([token_answer("new")], stored("old"))
        refused = Exchange(REQUEST.with_header("authorization", "Bearer old"), GONE)
        assert remedy(refused, APP, X, ENV) == "token"
        authorised = script.run(authorise(REQUEST, APP, provider=X, env=ENV, refused=refused))
        assert authorised.headers["authorization"] == "Bearer new"

    def test_what_is_held_needs_no_effect(self) -> None:
        held = App("CK", "CS", "given")
        assert authorise_held(REQUEST, held, provider=X, env=ENV).headers["authorization"] == "Bearer given"
        assert authorise_held(REQUEST, BEARER, provider=X, env=ENV).headers["authorization"] == "Bearer held-token"
        signed = authorise_held(REQUEST, USER, provider=X, env=ENV)
        assert signed == sign(REQUEST, USER, timestamp=TIMESTAMP, nonce=NONCE)

    def test_an_app_that_holds_no_token_is_told_so(self) -> None:
        with pytest.raises(errors.WrongIdentity, match="this App holds no bearer_token"):
            authorise_held(REQUEST, APP, provider=X, env=ENV)

    def test_what_an_identity_holds_is_known_without_a_request(self) -> None:
        assert held_credentials(BEARER, X) is BEARER
        assert held_credentials(USER, X) is USER
        assert held_credentials(App("CK", "CS", "given"), X) == Bearer("given")
        with pytest.raises(errors.WrongIdentity, match="this App holds no bearer_token"):
            held_credentials(APP, X)

    def test_an_identity_of_oauth_2_holds_nothing(self) -> None:
        client = OAuth2Client("id", "secret")
        for identity in (client, OAuth2User(client, "me")):
            with pytest.raises(errors.WrongIdentity, match=f"an {type(identity).__name__} holds no credentials"):
                held_credentials(identity, X)

    @pytest.mark.parametrize("wrong", ["planted", None, App, ("CK", "planted")])
    def test_what_is_no_identity_is_told_so_and_not_shown(self, wrong: object) -> None:
        for refuse in (require_identity, lambda one: held_credentials(one, X)):
            with pytest.raises(errors.WrongIdentity, match=f"not as {type(wrong).__name__}$") as caught:
                refuse(wrong)  # type: ignore[arg-type]
            assert "planted" not in str(caught.value)
        for identity in IDENTITIES:
            require_identity(identity)


class TestJudge:
    @pytest.mark.parametrize("status", [200, 201, 204, 206, 299, 304])
    def test_a_success_is_the_response_itself(self, status: int) -> None:
        response = Response(status, (), b'{"errors":[{"code":89}]}')
        assert judge(response, USER, X, request=REQUEST) is response

    def test_a_partial_success_is_a_success(self) -> None:
        response = json_answer(
            200, {"data": [], "errors": [{"type": "https://api.x.com/2/problems/resource-not-found"}]}
        )
        assert judge(response, USER, X, request=REQUEST) is response

    @pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 305, 307, 400, 401, 403, 404, 429, 500, 503, 600])
    def test_everything_else_is_an_error(self, status: int) -> None:
        with pytest.raises(errors.ApiError) as caught:
            judge(Response(status), USER, X, request=REQUEST)
        assert caught.value.status == status

    @pytest.mark.parametrize(
        ("identity", "used"),
        [
            (APP, "an App (application-only bearer token)"),
            (BEARER, "a Bearer token"),
            (USER, "an OAuth1User (OAuth 1.0a user context)"),
        ],
    )
    @pytest.mark.parametrize(
        "response",
        [
            json_answer(
                403,
                {
                    "title": "Unsupported Authentication",
                    "detail": "Supported authentication types are [OAuth 2.0 User Context].",
                    "type": "https://api.twitter.com/2/problems/unsupported-authentication",
                },
            ),
            refusal_answer(403, 220, "Supported authentication types are [OAuth 2.0 User Context]."),
        ],
    )
    def test_credentials_of_the_wrong_kind_are_told_which_kind_was_used_and_which_is_accepted(
        self, identity: Identity, used: str, response: Response
    ) -> None:
        with pytest.raises(errors.UnsupportedAuthentication) as caught:
            judge(response, identity, X, request=REQUEST)
        assert f"made as {used};" in str(caught.value)
        assert "[OAuth 2.0 User Context]" in str(caught.value)

    def test_the_credential_of_the_call_is_masked_in_the_error(self) -> None:
        script = Script([json_answer(401, {"errors": [{"code": 89, "message": "no held-token here"}]})])
        with pytest.raises(errors.InvalidOrExpiredToken) as caught:
            script.run(call(REQUEST, BEARER, provider=X, env=ENV))
        assert caught.value.text == "no *** here"

    def test_the_renewed_credential_is_masked_too(self) -> None:
        echo = json_answer(401, {"errors": [{"code": 89, "message": "no renewed-token here"}]})
        script = Script([GONE, token_answer("renewed-token"), echo], stored("old"))
        with pytest.raises(errors.InvalidOrExpiredToken) as caught:
            script.run(call(REQUEST, APP, provider=X, env=ENV))
        assert caught.value.text == "no *** here"


def test_a_user_of_an_app_with_a_token_still_signs() -> None:
    user = OAuth1User(App("CK", "CS", "given"), "t", "s")
    flow = Flow(call(REQUEST, user, provider=X, env=ENV))
    assert flow.effect == Load(clock_skew_key(X))
    flow.resume(None)
    assert flow.request.headers["authorization"].startswith("OAuth ")


def test_a_subclass_of_an_identity_is_named_as_its_kind() -> None:
    class MyBearer(Bearer):
        pass

    problem = {"type": "https://api.x.com/2/problems/unsupported-authentication", "title": "Unsupported Authentication"}
    with pytest.raises(errors.UnsupportedAuthentication, match="made as a Bearer token"):
        judge(json_answer(403, problem), MyBearer("held-token"), X, request=REQUEST)
