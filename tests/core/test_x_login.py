"""Log in with X, take an access token back, and the second step of reverse auth: X's words on the flows below."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sansauth import App, AwaitingUser, Bearer, Flow, OAuth1User, Request, Response, Secret, errors
from sansauth.encoding import decode, encode
from sansauth.http import FORM
from sansauth.oauth1 import TokenCredentials, sign
from sansauth.x import (
    TWITTER,
    X,
    begin_login,
    finish_login,
    invalidate_access_token,
    reverse_access_token,
    reverse_token,
)
from sansauth.x.access_token import build_invalidate_access_token_request
from sansauth.x.bearer_token import parse_invalidated_token
from sansauth.x.reverse_auth import build_reverse_access_token_request

from .support import APP, ENV, NONCE, TIMESTAMP, USER, Script, form_of, json_answer, refusal_answer

ISSUED = Response(200, (), b"oauth_token=RT&oauth_token_secret=RTS&oauth_callback_confirmed=true")
GRANTED = Response(200, (), b"oauth_token=7-AT&oauth_token_secret=ATS&user_id=7&screen_name=xapi")
CREDENTIALS = TokenCredentials("7-AT", "ATS", "7", "xapi")
CALLBACK = "https://app.test/back"
SIGNED = 'OAuth oauth_nonce="xq2m",\n oauth_token="t", oauth_signature="s%3D", oauth_version="1.0"'


def begun(callback: str = CALLBACK) -> AwaitingUser:
    return Script([ISSUED]).run(begin_login(APP, callback, env=ENV))


class TestBegin:
    def test_a_pin_at_x_is_what_is_asked_for_unless_told_otherwise(self) -> None:
        script = Script([ISSUED])
        awaiting = script.run(begin_login(APP, env=ENV))
        assert script.sent[0].url == "https://api.x.com/oauth/request_token"
        assert script.sent[0].body == b""
        assert 'oauth_callback="oob"' in script.sent[0].headers["authorization"]
        assert awaiting.url == "https://api.x.com/oauth/authorize?oauth_token=RT"
        assert awaiting.callback == "oob"

    def test_xs_own_parameters(self) -> None:
        script = Script([ISSUED])
        awaiting = script.run(
            begin_login(
                APP,
                CALLBACK,
                env=ENV,
                provider=TWITTER,
                authenticate=True,
                force_login=True,
                screen_name="x api",
                x_auth_access_type="read",
            )
        )
        assert form_of(script.sent[0]) == "x_auth_access_type=read"
        assert awaiting.url == (
            "https://api.twitter.com/oauth/authenticate?oauth_token=RT&force_login=true&screen_name=x%20api"
        )
        bare = Request("POST", script.sent[0].url, {"accept": "*/*", "content-type": FORM}, script.sent[0].body)
        signed = sign(bare, APP, timestamp=TIMESTAMP, nonce=NONCE, extra={"oauth_callback": CALLBACK})
        assert script.sent[0] == signed

    @pytest.mark.parametrize("access", ["", "READ", "delete", 1])
    def test_another_access_type_is_refused(self, access: Any) -> None:
        with pytest.raises(errors.InvalidParameter, match='"read", "write" or None'):
            Flow(begin_login(APP, env=ENV, x_auth_access_type=access))

    def test_a_callback_that_is_not_registered(self) -> None:
        with pytest.raises(errors.CallbackNotApproved, match="exact callback URL"):
            Script([refusal_answer(403, 415)]).run(begin_login(APP, CALLBACK, env=ENV))


class TestFinish:
    def test_a_callback_gives_the_users_token(self) -> None:
        script = Script([GRANTED])
        answer = f"{CALLBACK}?oauth_token=RT&oauth_verifier=V"
        assert script.run(finish_login(APP, begun(), answer, env=ENV)) == CREDENTIALS
        assert script.sent[0].url == "https://api.x.com/oauth/access_token"

    def test_it_is_finished_where_it_was_begun(self) -> None:
        with pytest.raises(errors.ForeignCallback):
            Flow(finish_login(APP, begun(), "oauth_token=RT&oauth_verifier=V", env=ENV, provider=TWITTER))

    @pytest.mark.parametrize("pin", ["1234567", " 123-4567\n", "123 4567", "12\u201334\u2014567", "-1234567-"])
    def test_white_space_and_dashes_in_a_pin_are_forgiven(self, pin: str) -> None:
        script = Script([GRANTED])
        script.run(finish_login(APP, begun("oob"), pin, env=ENV))
        assert 'oauth_verifier="1234567"' in script.sent[0].headers["authorization"]

    @pytest.mark.parametrize("pin", ["ab-12", "-", "1_2"])
    def test_what_is_no_pin_of_xs_goes_as_it_came(self, pin: str) -> None:
        script = Script([GRANTED])
        script.run(finish_login(APP, begun("oob"), pin, env=ENV))
        assert f'oauth_verifier="{pin}"' in script.sent[0].headers["authorization"]

    @pytest.mark.parametrize("answer", [None, b"1234567", ""])
    def test_what_is_no_text_is_no_pin(self, answer: Any) -> None:
        with pytest.raises(errors.InvalidCallback, match="the PIN is empty"):
            Flow(finish_login(APP, begun("oob"), answer, env=ENV))

    def test_a_denial(self) -> None:
        with pytest.raises(errors.Denied):
            Flow(finish_login(APP, begun(), f"{CALLBACK}?denied=RT", env=ENV))


class TestReverseAccessToken:
    def test_the_account_on_the_device_signs_what_the_server_signed(self) -> None:
        script = Script([Response(200, (), SIGNED.encode()), GRANTED])
        parameters = script.run(reverse_token(APP, env=ENV))
        assert script.run(reverse_access_token(USER, APP, parameters, env=ENV)) == CREDENTIALS
        request = script.sent[1]
        assert (request.method, request.url) == ("POST", "https://api.x.com/oauth/access_token")
        assert decode(form_of(request)) == [("x_reverse_auth_target", "CK"), ("x_reverse_auth_parameters", SIGNED)]
        bare = Request("POST", request.url, {"accept": "*/*", "content-type": FORM}, request.body)
        assert request == sign(bare, USER, timestamp=TIMESTAMP, nonce=NONCE)
        assert request == build_reverse_access_token_request(USER, "CK", SIGNED, provider=X, env=ENV)

    def test_another_provider(self) -> None:
        script = Script([GRANTED])
        script.run(reverse_access_token(USER, "CK", SIGNED, env=ENV, provider=TWITTER))
        assert script.sent[0].origin == "https://api.twitter.com"

    @pytest.mark.parametrize("parameters", ["", "hunter2", "oauth hunter2", " OAuth hunter2", None, b"OAuth hunter2"])
    def test_the_string_of_step_one_is_taken_whole(self, parameters: Any) -> None:
        with pytest.raises(errors.InvalidParameter, match="begins with 'OAuth '") as caught:
            Flow(reverse_access_token(USER, APP, parameters, env=ENV))
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("identity", [APP, Bearer("hunter2"), None])
    def test_only_an_account_exchanges_it(self, identity: Any) -> None:
        with pytest.raises(errors.WrongIdentity, match="pass an OAuth1User"):
            Flow(reverse_access_token(identity, APP, SIGNED, env=ENV))

    def test_a_string_that_x_does_not_accept(self) -> None:
        answer = Response(401, {"content-type": "text/html"}, b"Reverse auth credentials are invalid")
        with pytest.raises(errors.Unauthorized, match="Reverse auth credentials are invalid"):
            Script([answer]).run(reverse_access_token(USER, APP, SIGNED, env=ENV))

    def test_an_answer_without_a_token(self) -> None:
        with pytest.raises(errors.RemoteProtocolError):
            Script([Response(200, (), b"{}")]).run(reverse_access_token(USER, APP, SIGNED, env=ENV))


class TestInvalidateAccessToken:
    def test_the_token_signs_its_own_end(self) -> None:
        script = Script([json_answer(200, {"access_token": "access-token"})])
        invalidated = script.run(invalidate_access_token(USER, env=ENV))
        assert invalidated == "access-token"
        assert isinstance(invalidated, Secret)
        (request,) = script.sent
        assert (request.url, request.body) == ("https://api.x.com/1.1/oauth/invalidate_token", b"")
        assert request == sign(Request("POST", request.url, {"accept": "*/*"}), USER, timestamp=TIMESTAMP, nonce=NONCE)
        assert request == build_invalidate_access_token_request(USER, provider=X, env=ENV)
        assert parse_invalidated_token(json_answer(200, {"access_token": "t"}), X) == "t"

    def test_another_provider(self) -> None:
        script = Script([json_answer(200, {"access_token": "t"})])
        script.run(invalidate_access_token(USER, env=ENV, provider=TWITTER))
        assert script.sent[0].url == "https://api.twitter.com/1.1/oauth/invalidate_token"

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (refusal_answer(401, 89), errors.InvalidOrExpiredToken),
            (refusal_answer(401, 32), errors.CouldNotAuthenticate),
            (json_answer(200, {"access_token": ""}), errors.RemoteProtocolError),
            (Response(200, (), b"access_token=t"), errors.RemoteProtocolError),
        ],
    )
    def test_what_else_comes_back(self, answer: Response, kind: type[errors.SansauthError]) -> None:
        with pytest.raises(kind):
            Script([answer]).run(invalidate_access_token(USER, env=ENV))

    @pytest.mark.parametrize("identity", [APP, Bearer("hunter2"), None])
    def test_nobody_but_the_user_gives_their_token_back(self, identity: Any) -> None:
        with pytest.raises(errors.WrongIdentity, match="by an OAuth1User, not by a") as caught:
            Flow(invalidate_access_token(identity, env=ENV))
        assert "hunter2" not in str(caught.value)


def test_a_login_from_its_beginning_to_the_end_of_its_token() -> None:
    app = App("CK", "CS")
    script = Script([ISSUED, GRANTED, json_answer(200, {"access_token": "7-AT"})])
    row = script.run(begin_login(app, CALLBACK, env=ENV)).to_json()
    query = encode({"oauth_token": "RT", "oauth_verifier": "V"})
    user = script.run(finish_login(app, AwaitingUser.from_json(row), query, env=ENV)).user(app)
    assert user == OAuth1User(app, "7-AT", "ATS")
    assert script.run(invalidate_access_token(replace(user), env=ENV)) == "7-AT"
