"""X's three operations: given this state and this answer, this request follows."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sansauth import (
    App,
    Bearer,
    Env,
    Flow,
    OAuth1User,
    Operation,
    Provider,
    Request,
    Response,
    Secret,
    Send,
    Signing,
    State,
    Stored,
    errors,
)
from sansauth.app_token import AppToken, app_token_key
from sansauth.call import call
from sansauth.encoding import decode
from sansauth.http import FORM
from sansauth.oauth1 import sign
from sansauth.x import TWITTER, X, bearer_token, invalidate_token, reverse_token, token
from sansauth.x.bearer_token import (
    build_invalidate_request,
    invalidate_and_forget,
    obtain_and_keep,
    parse_invalidated_token,
)
from sansauth.x.reverse_auth import build_reverse_token_request, parse_reverse_token

from .support import APP, ENV, NONCE, TIMESTAMP, USER, Script, form_of, json_answer, refusal_answer, token_answer

KEY = app_token_key(APP, X)
ISSUED = "AAAA%2FAAA%3DAAAAAAAA"
REVERSE = (
    'OAuth oauth_nonce="xq2maKtilFhVTC1MSxVC4cQIJLd53O6w97YmrdOGSk8",\n oauth_signature_method="HMAC-SHA1", '
    'oauth_timestamp="1322697052", oauth_consumer_key="JP3PyvG67rXRsnayOJOcQ", oauth_token="t", '
    'oauth_signature="s%3D", oauth_version="1.0"'
)

BEARER = Bearer("hunter2")
TOKEN = token(APP)
INVALIDATE = invalidate_token(APP, ISSUED)
REVERSAL = reverse_token(APP, env=ENV)
OPERATIONS = [
    pytest.param(TOKEN, id="token"),
    pytest.param(INVALIDATE, id="invalidate_token"),
    pytest.param(invalidate_token(USER, ISSUED, env=ENV), id="invalidate_token-signed"),
    pytest.param(REVERSAL, id="reverse_token"),
]


def first_request(operation: Operation[Any]) -> Request:
    return Flow(operation).request


def after(operation: Operation[Any], response: Response) -> Flow[Any]:
    flow = Flow(operation)
    flow.receive(response)
    return flow


# --- what every one of them does -------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_one_post_of_a_form_that_accepts_anything(operation: Operation[Secret]) -> None:
    flow = Flow(operation)
    assert type(flow.effect) is Send
    assert flow.request.method == "POST"
    assert flow.request.origin == "https://api.x.com"
    assert flow.request.query == ""
    assert flow.request.headers.get_all("content-type") == [FORM]
    assert flow.request.headers.get_all("accept") == ["*/*"]
    assert len(flow.request.headers.get_all("authorization")) == 1


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (refusal_answer(403, 99, "Unable to verify your credentials"), errors.UnableToVerifyCredentials),
        (refusal_answer(401, 99), errors.UnableToVerifyCredentials),
        (refusal_answer(200, 99), errors.UnableToVerifyCredentials),
        (refusal_answer(403, 170, "Missing required parameter: grant_type"), errors.MissingParameter),
        (refusal_answer(400, 215), errors.BadAuthenticationData),
        (refusal_answer(403, 348), errors.TokenNotInvalidated),
        (refusal_answer(401, 32), errors.CouldNotAuthenticate),
        (refusal_answer(401, 135), errors.TimestampOutOfRange),
        (refusal_answer(429, 88), errors.TooManyRequests),
        (Response(403, {"content-type": "text/plain"}, b"no"), errors.Forbidden),
        (Response(401), errors.Unauthorized),
        (
            Response(503, {"content-type": "text/html"}, b"<html><title>Over capacity</title>"),
            errors.ServiceUnavailable,
        ),
        (Response(302, {"location": "https://evil.test/"}), errors.UnexpectedRedirect),
        (Response(307, {"location": "https://api.x.com/2/oauth2/token"}), errors.UnexpectedRedirect),
        (Response(304), errors.UnexpectedRedirect),
        (Response(100), errors.ApiError),
    ],
)
def test_a_refusal_is_a_typed_error(
    operation: Operation[Secret], response: Response, kind: type[errors.ApiError]
) -> None:
    flow = Flow(operation)
    with pytest.raises(errors.ApiError) as caught:
        flow.receive(response)
    assert type(caught.value) is kind
    assert caught.value.status == response.status
    assert flow.state is State.FAILED


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<html><title>Welcome</title><body>hunter2</body></html>"),
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b'{"token_type":"bearer","access_token":"hunter2'),
        ("application/json", b'{"hello":"world"}'),
        ("application/json", b"[]"),
        ("application/json", b'["hunter2"]'),
        ("application/json", b"null"),
        ("application/json", b"true"),
        ("application/json", b'"hunter2"'),
        ("application/json", b"{}"),
        ("application/json", b"\xff\xfe"),
        ("application/json", b"[" * 100_000),
        ("text/plain", b"hunter2"),
        ("text/plain", b"oauth hunter2"),
        ("text/plain", b" OAuth hunter2"),
        ("text/plain", b"OAuth"),
        ("text/plain", b"OAuth \xff"),
        ("application/x-www-form-urlencoded", b"oauth_token=hunter2&oauth_token_secret=hunter2"),
    ],
)
def test_a_success_that_is_none_is_the_peers_fault_and_never_a_token(
    operation: Operation[Secret], kind: str, body: bytes
) -> None:
    flow = Flow(operation)
    with pytest.raises(errors.RemoteProtocolError) as caught:
        flow.receive(Response(200, {"content-type": kind}, body))
    assert "hunter2" not in str(caught.value)
    assert "200" in str(caught.value)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_transport_trouble_comes_out_as_it_went_in(operation: Operation[Secret]) -> None:
    trouble = errors.TimedOut("30 s passed", sent=True)
    with pytest.raises(errors.TimedOut) as caught:
        Flow(operation).fail(trouble)
    assert caught.value is trouble


MAKERS: list[Any] = [
    pytest.param(lambda provider: token(APP, provider=provider), id="token"),
    pytest.param(lambda provider: invalidate_token(APP, ISSUED, provider=provider), id="invalidate_token"),
    pytest.param(
        lambda provider: invalidate_token(USER, ISSUED, provider=provider, env=ENV), id="invalidate_token-signed"
    ),
    pytest.param(lambda provider: reverse_token(APP, env=ENV, provider=provider), id="reverse_token"),
]


@pytest.mark.parametrize("make", MAKERS)
class TestWhereItGoes:
    def test_twitter_is_another_provider(self, make: Callable[[Provider], Operation[Secret]]) -> None:
        assert first_request(make(TWITTER)).origin == "https://api.twitter.com"

    def test_a_sandbox_is_the_same_provider_elsewhere(self, make: Callable[[Provider], Operation[Secret]]) -> None:
        request = first_request(make(X.at("http://127.0.0.1:8080/x")))
        assert request.url.startswith("http://127.0.0.1:8080/x/oauth")
        assert first_request(make(X.at("http://[::1]:8080"))).host == "[::1]"

    def test_plain_http_is_refused_before_anything_is_sent(self, make: Callable[[Provider], Operation[Secret]]) -> None:
        with pytest.raises(errors.InsecureTransport):
            make(X.at("http://sandbox.test"))
        assert first_request(make(X.at("http://sandbox.test", allow_http=True))).scheme == "http"

    def test_a_provider_without_the_endpoint_says_so(self, make: Callable[[Provider], Operation[Secret]]) -> None:
        with pytest.raises(errors.LocalProtocolError, match="Example has no endpoint"):
            Flow(make(Provider("Example", "https://a.test")))

    def test_an_endpoint_that_was_smuggled_in_gets_no_credentials(
        self, make: Callable[[Provider], Operation[Secret]]
    ) -> None:
        """A provider admits its own endpoints; one whose origins were narrowed afterwards does not."""
        provider = X.at("https://a.test")
        object.__setattr__(provider, "origins", ("https://b.test",))
        with pytest.raises(errors.ForeignHost):
            Flow(make(provider))


# --- token -----------------------------------------------------------------------------------------------------------


class TestToken:
    def test_the_request_byte_for_byte(self) -> None:
        request = first_request(token(App("CK", "CS"), provider=TWITTER))
        assert (request.method, request.url) == ("POST", "https://api.twitter.com/oauth2/token")
        assert request.headers["authorization"] == "Basic Q0s6Q1M="
        assert request.body == b"grant_type=client_credentials"

    def test_the_vector_of_xs_documents(self) -> None:
        app = App("xvz1evFS4wEEPTGEFPHBog", "L8qq9PZyRg6ieKGEKhZolGC0vJWLw8iEJ88DRdyOg")
        assert first_request(token(app)).headers["authorization"] == (
            "Basic eHZ6MWV2RlM0d0VFUFRHRUZQSEJvZzpMOHFxOVBaeVJnNmllS0dFS2hab2xHQzB2SldMdzhpRUo4OERSZHlPZw=="
        )

    def test_key_and_secret_are_percent_encoded_each_for_itself(self) -> None:
        header = first_request(token(App("a:b c", "d+e/é%"))).headers["authorization"]
        assert base64.b64decode(header.removeprefix("Basic ")) == b"a%3Ab%20c:d%2Be%2F%C3%A9%25"

    def test_a_long_secret_makes_one_line(self) -> None:
        header = first_request(token(App("k" * 200, "s" * 200))).headers["authorization"]
        assert re.fullmatch("Basic [A-Za-z0-9+/]+=*", header)

    def test_the_result_is_the_token_verbatim_and_masked(self) -> None:
        result = after(TOKEN, token_answer(ISSUED)).result
        assert result == ISSUED
        assert isinstance(result, Secret)
        assert ISSUED not in repr(result)

    def test_bearer_token_is_another_name_for_it(self) -> None:
        assert bearer_token is token

    @pytest.mark.parametrize("status", [200, 201, 299])
    @pytest.mark.parametrize("kind", ["bearer", "Bearer", "BEARER"])
    def test_any_success_with_a_bearer_token_is_one(self, status: int, kind: str) -> None:
        assert after(TOKEN, json_answer(status, {"token_type": kind, "access_token": "t"})).result == "t"

    @pytest.mark.parametrize("kind", ["mac", "", "bearer ", None, 1, ["bearer"], {"a": "bearer"}])
    def test_another_token_type_is_refused(self, kind: object) -> None:
        with pytest.raises(errors.RemoteProtocolError, match="without token_type bearer"):
            after(TOKEN, json_answer(200, {"token_type": kind, "access_token": "hunter2"}))

    def test_a_token_without_a_type_is_refused(self) -> None:
        with pytest.raises(errors.RemoteProtocolError, match="without token_type bearer"):
            after(TOKEN, json_answer(200, {"access_token": "hunter2"}))

    @pytest.mark.parametrize(
        "issued", [None, "", 1, ["t"], "hunter2 x", "hunter2\r\nX: y", "hunter2\n", "hunter2\x00", "é", "\ud800"]
    )
    def test_a_token_that_fits_into_no_header_is_refused_and_not_shown(self, issued: object) -> None:
        with pytest.raises(errors.RemoteProtocolError, match="without a usable access_token") as caught:
            after(TOKEN, json_answer(200, {"token_type": "bearer", "access_token": issued}))
        assert "hunter2" not in str(caught.value)

    def test_the_content_type_of_a_token_does_not_matter(self) -> None:
        response = token_answer("t")
        assert after(TOKEN, Response(200, {"content-type": "text/html"}, response.body)).result == "t"
        assert after(TOKEN, Response(200, (), response.body)).result == "t"

    def test_options_are_further_parameters(self) -> None:
        request = first_request(token(APP, scope="a b&c", flag=True, none=None))
        assert decode(form_of(request)) == [("grant_type", "client_credentials"), ("scope", "a b&c"), ("flag", "true")]

    def test_an_option_may_replace_the_grant_type(self) -> None:
        assert form_of(first_request(token(APP, grant_type="password"))) == "grant_type=password"
        assert form_of(first_request(token(APP, grant_type=None))) == ""

    def test_options_are_never_changed(self) -> None:
        options: dict[str, Any] = {"scope": "a", "grant_type": "b"}
        operation = token(APP, **options)
        options["scope"] = "changed"
        assert form_of(first_request(operation)) == form_of(first_request(operation)) == "grant_type=b&scope=a"
        assert options == {"scope": "changed", "grant_type": "b"}

    def test_an_option_without_a_form_encoding_is_refused(self) -> None:
        with pytest.raises(errors.InvalidParameter, match="parameter 'scope'"):
            Flow(token(APP, scope=1.5))  # type: ignore[arg-type]

    def test_provider_and_env_are_reserved(self) -> None:
        request = first_request(token(APP, provider=TWITTER, env=ENV))
        assert form_of(request) == "grant_type=client_credentials"

    @pytest.mark.parametrize("identity", [Bearer("hunter2"), USER, "hunter2", None, ("CK", "hunter2")])
    def test_only_the_application_asks_for_its_token(self, identity: object) -> None:
        with pytest.raises(errors.WrongIdentity, match="pass an App") as caught:
            Flow(token(identity))  # type: ignore[arg-type]
        assert "hunter2" not in str(caught.value)

    def test_a_wrong_key_or_secret_is_an_unauthorized_that_says_what_to_check(self) -> None:
        with pytest.raises(errors.Unauthorized) as caught:
            after(TOKEN, refusal_answer(403, 99, "Unable to verify your credentials"))
        assert str(caught.value).startswith(
            'X answered 403 (code 99, "Unable to verify your credentials"). Check the consumer key and secret'
        )

    def test_a_missing_grant_type_is_a_bad_request_whatever_the_status(self) -> None:
        for status in (400, 403):
            with pytest.raises(errors.BadRequest) as caught:
                after(TOKEN, refusal_answer(status, 170, "Missing required parameter: grant_type"))
            assert (caught.value.codes, caught.value.text) == ((170,), "Missing required parameter: grant_type")


# --- invalidate_token ------------------------------------------------------------------------------------------------


class TestInvalidateToken:
    def test_an_app_authenticates_with_basic_and_sends_the_token_as_issued(self) -> None:
        request = first_request(invalidate_token(App("CK", "CS"), ISSUED, provider=TWITTER))
        assert (request.method, request.url) == ("POST", "https://api.twitter.com/oauth2/invalidate_token")
        assert request.headers["authorization"] == "Basic Q0s6Q1M="
        assert request.body == b"access_token=AAAA%2FAAA%3DAAAAAAAA"

    def test_the_length_that_xs_documents_print(self) -> None:
        """Content-Length 119 fits only the token of 106 characters as it was issued (facts, 2.2)."""
        issued = "A" * 90 + "%2FAAAA%3DAAAAAA"
        assert len(issued) == 106
        assert len(first_request(invalidate_token(APP, issued)).body) == 119

    @pytest.mark.parametrize(
        ("issued", "body"),
        [
            ("a&x=1", b"access_token=a%26x%3D1"),
            ("a b", b"access_token=a%20b"),
            ("a+b/c=", b"access_token=a%2Bb%2Fc%3D"),
            ("a%2fb", b"access_token=a%2fb"),
            ("a%", b"access_token=a%25"),
            ("a\r\nb", b"access_token=a%0D%0Ab"),
        ],
    )
    def test_no_token_can_smuggle_a_parameter_in(self, issued: str, body: bytes) -> None:
        assert first_request(invalidate_token(APP, issued)).body == body

    def test_the_owner_signs(self) -> None:
        request = first_request(invalidate_token(USER, ISSUED, env=ENV))
        unsigned = Request("POST", request.url, {"content-type": FORM, "accept": "*/*"}, request.body)
        assert request == sign(unsigned, USER, timestamp=TIMESTAMP, nonce=NONCE)
        assert 'oauth_token="access-token"' in request.headers["authorization"]
        assert request.body == b"access_token=AAAA%2FAAA%3DAAAAAAAA"

    def test_the_caller_may_force_either(self) -> None:
        basic = first_request(invalidate_token(USER, ISSUED, auth="basic"))
        assert basic.headers["authorization"] == first_request(token(USER.app)).headers["authorization"]
        signed = first_request(invalidate_token(APP, ISSUED, env=ENV, auth="oauth1"))
        assert signed.headers["authorization"].startswith('OAuth oauth_consumer_key="CK"')
        assert "oauth_token" not in signed.headers["authorization"]

    def test_signing_needs_an_env_and_says_so(self) -> None:
        for operation in (invalidate_token(USER, ISSUED), invalidate_token(APP, ISSUED, auth="oauth1")):
            with pytest.raises(errors.LocalProtocolError, match="needs env="):
                Flow(operation)

    @pytest.mark.parametrize("identity", [BEARER, None, "hunter2"])
    @pytest.mark.parametrize("auth", [None, "basic", "oauth1"])
    def test_nobody_but_the_application_and_its_owner_invalidates(self, identity: Any, auth: Any) -> None:
        with pytest.raises(errors.WrongIdentity) as caught:
            Flow(invalidate_token(identity, ISSUED, env=ENV, auth=auth))
        assert "hunter2" not in str(caught.value)

    def test_a_bearer_is_told_who_does(self) -> None:
        with pytest.raises(errors.WrongIdentity, match="pass an App or an OAuth1User"):
            Flow(invalidate_token(BEARER, ISSUED))  # type: ignore[arg-type]

    @pytest.mark.parametrize("issued", ["", None, b"AAAA", 1])
    def test_without_a_token_there_is_nothing_to_invalidate(self, issued: Any) -> None:
        with pytest.raises(errors.LocalProtocolError, match="str that is not empty"):
            Flow(invalidate_token(APP, issued))

    def test_options_are_further_parameters_and_signed(self) -> None:
        request = first_request(invalidate_token(USER, "t", env=ENV, reason="a b", none=None))
        assert form_of(request) == "access_token=t&reason=a%20b"
        again = Request("POST", request.url, {"content-type": FORM, "accept": "*/*"}, request.body)
        assert request == sign(again, USER, timestamp=TIMESTAMP, nonce=NONCE)

    def test_the_token_is_not_an_option(self) -> None:
        with pytest.raises(TypeError):
            invalidate_token(APP, "t", access_token="u")  # type: ignore[misc]

    def test_the_result_is_the_invalidated_token_masked(self) -> None:
        result = after(INVALIDATE, json_answer(200, {"access_token": ISSUED})).result
        assert result == ISSUED
        assert repr(result) == "Secret('***')"

    @pytest.mark.parametrize("answered", [None, "", 1, ["t"]])
    def test_an_answer_without_the_token_is_refused(self, answered: object) -> None:
        with pytest.raises(errors.RemoteProtocolError, match="without the invalidated access_token"):
            after(INVALIDATE, json_answer(200, {"access_token": answered}))

    def test_a_token_that_only_its_owner_may_invalidate(self) -> None:
        with pytest.raises(errors.TokenNotInvalidated, match="pass an OAuth1User") as caught:
            after(
                INVALIDATE, refusal_answer(403, 348, "Client application is not permitted to to invalidate this token.")
            )
        assert isinstance(caught.value, errors.Forbidden)

    def test_the_pair_can_be_used_alone(self) -> None:
        request = build_invalidate_request(APP, "t", provider=X, options={"a": "b"})
        assert form_of(request) == "access_token=t&a=b"
        signed = build_invalidate_request(USER, ISSUED, provider=X, env=ENV)
        assert signed == first_request(invalidate_token(USER, ISSUED, env=ENV))
        with pytest.raises(errors.LocalProtocolError, match="needs env="):
            build_invalidate_request(USER, ISSUED, provider=X)
        assert parse_invalidated_token(json_answer(200, {"access_token": "t"}), X) == "t"
        with pytest.raises(errors.UnableToVerifyCredentials):
            parse_invalidated_token(refusal_answer(403, 99), X)


@pytest.mark.parametrize("placement", ["header", "query", "body"])
def test_what_is_signed_is_signed_as_the_provider_wants_it(placement: Any) -> None:
    provider = replace(X, signing=Signing("HMAC-SHA256", placement=placement))
    for operation in (
        reverse_token(APP, env=ENV, provider=provider),
        invalidate_token(USER, ISSUED, env=ENV, provider=provider),
    ):
        request = first_request(operation)
        where = {"header": request.headers.get("authorization") or "", "query": request.query, "body": form_of(request)}
        assert [name for name, text in where.items() if "HMAC-SHA256" in text] == [placement]


class TestInvalidateAndForget:
    """What a client runs: the token is invalidated, and forgotten if it is the one that is stored."""

    @staticmethod
    def script(stored: str | None, response: Response) -> Script:
        records = {KEY: Stored(AppToken(stored).to_bytes(), 1)} if stored else {}
        return Script([response], records)

    @pytest.mark.parametrize("identity", [APP, OAuth1User(APP, "t", "s")])
    def test_the_stored_token_is_forgotten_once_it_is_invalid(self, identity: App | OAuth1User) -> None:
        script = self.script(ISSUED, json_answer(200, {"access_token": ISSUED}))
        assert script.run(invalidate_and_forget(identity, ISSUED, env=ENV)) == ISSUED
        assert script.records == {}
        assert script.log == ["Send", "Exclusive", "  Load", "  Save"]
        assert script.sent == [first_request(invalidate_token(identity, ISSUED, env=ENV))]

    def test_another_token_stays(self) -> None:
        script = self.script("another", json_answer(200, {"access_token": ISSUED}))
        script.run(invalidate_and_forget(APP, ISSUED))
        assert set(script.records) == {KEY}

    @pytest.mark.parametrize("given", [ISSUED, ISSUED.replace("%2F", "/").replace("%3D", "=")])
    @pytest.mark.parametrize("answered", [ISSUED, "something-else"])
    def test_a_token_that_was_given_decoded_is_forgotten_as_it_is_stored(self, given: str, answered: str) -> None:
        script = self.script(ISSUED, json_answer(200, {"access_token": answered}))
        script.run(invalidate_and_forget(APP, given))
        assert (script.records == {}) is (ISSUED in {given, answered})

    def test_a_token_that_was_not_invalidated_stays(self) -> None:
        script = self.script(ISSUED, refusal_answer(403, 348))
        with pytest.raises(errors.TokenNotInvalidated):
            script.run(invalidate_and_forget(APP, ISSUED))
        assert script.log == ["Send"]
        assert set(script.records) == {KEY}


class TestObtainAndKeep:
    """What a client runs: the token is obtained, and the application's calls bear it."""

    def test_a_call_after_it_fetches_nothing(self) -> None:
        script = Script([token_answer(ISSUED), json_answer(200, {})])
        assert script.run(obtain_and_keep(APP)) == ISSUED
        script.run(call(Request("GET", "https://api.x.com/2/tweets"), APP, provider=X, env=ENV))
        assert script.log == ["Send", "Exclusive", "  Load", "  Save", "Load", "Send"]
        assert script.sent[-1].headers["authorization"] == f"Bearer {ISSUED}"

    def test_it_replaces_the_one_that_is_stored(self) -> None:
        script = Script([token_answer("new")], {KEY: Stored(AppToken("old").to_bytes(), 7)})
        script.run(obtain_and_keep(APP))
        assert script.records == {KEY: Stored(AppToken("new").to_bytes(), 8)}

    def test_the_same_one_is_not_written_again(self) -> None:
        script = Script([token_answer(ISSUED)], {KEY: Stored(AppToken(ISSUED).to_bytes(), 7)})
        assert script.run(obtain_and_keep(APP)) == ISSUED
        assert script.log == ["Send", "Exclusive", "  Load"]

    def test_what_other_options_ask_for_is_not_kept(self) -> None:
        script = Script([token_answer(ISSUED)])
        assert script.run(obtain_and_keep(APP, scope="other")) == ISSUED
        assert script.log == ["Send"]

    def test_a_refusal_keeps_what_is_stored(self) -> None:
        script = Script([refusal_answer(403, 99)], {KEY: Stored(AppToken("old").to_bytes(), 7)})
        with pytest.raises(errors.UnableToVerifyCredentials):
            script.run(obtain_and_keep(APP))
        assert script.log == ["Send"]


# --- reverse_token ---------------------------------------------------------------------------------------------------


class TestReverseToken:
    def test_the_request_is_signed_by_the_consumer_alone(self) -> None:
        request = first_request(REVERSAL)
        assert (request.method, request.url) == ("POST", "https://api.x.com/oauth/request_token")
        assert request.body == b"x_auth_mode=reverse_auth"
        unsigned = Request("POST", request.url, {"content-type": FORM, "accept": "*/*"}, request.body)
        authorization = sign(unsigned, APP, timestamp=TIMESTAMP, nonce=NONCE).headers["authorization"]
        assert request.headers["authorization"] == authorization
        assert "oauth_token=" not in authorization

    def test_the_vector_of_the_archived_page(self) -> None:
        app = App("JP3PyvG67rXRsnayOJOcQ", "ydC2yUbFaScbSlykO0PmrMjXFeLraSi3Q2HfTOlGxQM")
        nonce = bytes.fromhex("1B7D865D9E154ADD8165EF90D7A7D3D2")
        env = Env(clock=lambda: 1322697052.0, entropy=lambda size: nonce)
        request = first_request(reverse_token(app, env=env, provider=TWITTER))
        signed = sign(
            Request("POST", request.url, {"content-type": FORM}, request.body),
            app,
            timestamp=1322697052,
            nonce="1B7D865D-9E15-4ADD-8165-EF90D7A7D3D2",
        )
        assert 'oauth_signature="03EyxBdr6bwBAx8M0Qq0R0F8CKY%3D"' in signed.headers["authorization"]
        assert 'oauth_timestamp="1322697052"' in request.headers["authorization"]
        assert f'oauth_nonce="{nonce.hex()}"' in request.headers["authorization"]

    @pytest.mark.parametrize("text", [REVERSE, REVERSE + "\r\n", "OAuth ", 'OAuth realm="é"'])
    @pytest.mark.parametrize("kind", ["text/plain", "text/html; charset=utf-8", "application/json", ""])
    def test_the_result_is_the_raw_string_unchanged_and_masked(self, text: str, kind: str) -> None:
        response = Response(200, {"content-type": kind}, text.encode())
        result = after(REVERSAL, response).result
        assert result == text
        assert isinstance(result, Secret)

    def test_a_refusal_in_plain_text(self) -> None:
        with pytest.raises(errors.Unauthorized) as caught:
            after(REVERSAL, Response(401, {"content-type": "text/html"}, b"Reverse auth credentials are invalid"))
        assert caught.value.text == "Reverse auth credentials are invalid"

    @pytest.mark.parametrize("identity", [USER, Bearer("hunter2"), None, "hunter2"])
    def test_only_the_application_asks(self, identity: Any) -> None:
        with pytest.raises(errors.WrongIdentity, match="pass an App"):
            Flow(reverse_token(identity, env=ENV))

    def test_env_is_needed(self) -> None:
        with pytest.raises(TypeError, match="env"):
            reverse_token(APP)  # type: ignore[call-arg]

    def test_it_takes_no_options(self) -> None:
        with pytest.raises(TypeError):
            reverse_token(APP, env=ENV, x_auth_mode="other")  # type: ignore[call-arg]

    def test_the_pair_can_be_used_alone(self) -> None:
        assert build_reverse_token_request(APP, env=ENV, provider=X) == first_request(REVERSAL)
        assert parse_reverse_token(Response(200, (), REVERSE.encode()), X) == REVERSE
        with pytest.raises(errors.Unauthorized):
            parse_reverse_token(Response(401), X)


def test_a_misspelt_authentication_is_refused_instead_of_signed() -> None:
    with pytest.raises(errors.LocalProtocolError, match="basic"):
        Flow(invalidate_token(APP, "AAAA", auth="Basic", env=ENV))
