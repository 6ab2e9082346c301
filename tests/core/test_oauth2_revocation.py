"""Revocation (RFC 7009): what is sent, and what counts as done."""

from __future__ import annotations

from typing import Any

import pytest

from sansauth import Endpoints, Flow, Provider, Response, errors
from sansauth.encoding import decode
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import revoke, revoke_tokens
from sansauth.provider import Quirks
from sansauth.tokens import OAuth2Tokens
from sansauth.x import X

from .support import ENV, Script, form_of, json_answer

SERVER = Provider("Example", "https://server.example.com", Endpoints(revocation="https://server.example.com/revoke"))
CLIENT = OAuth2Client("s6BhdRkqt3", "gX1fBat3bV")
TOKENS = OAuth2Tokens("AT", refresh_token="RT")
DONE = Response(200)


def forms(script: Script) -> list[dict[str, str]]:
    return [dict(decode(form_of(request))) for request in script.sent]


class TestRevoke:
    def test_the_example_of_rfc_7009_section_2_1(self) -> None:
        script = Script([DONE])
        assert (
            script.run(revoke(CLIENT, "45ghiukldjahdnhzdauz", provider=SERVER, env=ENV, hint="refresh_token")) is None
        )
        (request,) = script.sent
        assert (request.method, request.url) == ("POST", "https://server.example.com/revoke")
        assert request.headers["authorization"] == "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
        assert form_of(request) == "token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token"

    def test_without_a_hint_none_is_sent(self) -> None:
        script = Script([DONE])
        script.run(revoke(CLIENT, "t", provider=SERVER, env=ENV))
        assert forms(script) == [{"token": "t"}]

    def test_as_x_wants_it(self) -> None:
        """Basic, `client_id` in the body all the same, and the hint (facts about X, section 6)."""
        x_like = Provider("X", SERVER.base_url, SERVER.endpoints, quirks=Quirks(client_id_in_body=True))
        script = Script([json_answer(200, {"revoked": True})])
        script.run(revoke(OAuth2Client("Aladdin", "open sesame"), "t", provider=x_like, env=ENV, hint="access_token"))
        assert forms(script) == [{"token": "t", "token_type_hint": "access_token", "client_id": "Aladdin"}]

    def test_a_public_client_names_itself(self) -> None:
        script = Script([DONE])
        script.run(revoke(OAuth2Client("c"), "t", provider=SERVER, env=ENV))
        assert forms(script) == [{"token": "t", "client_id": "c"}]
        assert "authorization" not in script.sent[0].headers

    @pytest.mark.parametrize(
        "answer",
        [
            DONE,
            Response(204),
            Response(200, {"content-type": "text/html"}, b"<html>"),
            Response(200, {"content-type": "application/json"}, b"{"),
            json_answer(200, {"error": "invalid_grant"}),
        ],
    )
    def test_success_is_success_whatever_the_body_says(self, answer: Response) -> None:
        script = Script([answer])
        assert script.run(revoke(CLIENT, "t", provider=SERVER, env=ENV)) is None
        assert len(script.sent) == 1

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (json_answer(400, {"error": "unsupported_token_type"}), errors.UnsupportedGrant),
            (json_answer(503, {}, ("retry-after", "5")), errors.ServiceUnavailable),
            (json_answer(401, {"error": "invalid_client"}), errors.InvalidClient),
            (json_answer(400, {"error": "invalid_request"}), errors.BadRequest),
            (Response(302, {"location": "https://evil.test/"}), errors.UnexpectedRedirect),
        ],
    )
    def test_what_is_refused_is_typed(self, answer: Response, kind: type[errors.ApiError]) -> None:
        with pytest.raises(kind) as caught:
            Script([answer]).run(revoke(CLIENT, "t", provider=SERVER, env=ENV))
        assert type(caught.value) is kind

    def test_a_busy_service_may_be_asked_again(self) -> None:
        with pytest.raises(errors.ServiceUnavailable) as caught:
            Script([Response(503, {"retry-after": "5"})]).run(revoke(CLIENT, "t", provider=SERVER, env=ENV))
        assert caught.value.retryable

    def test_a_token_that_has_ended_before_is_revoked(self) -> None:
        """Google answers so, although RFC 7009 section 2.2 wants 200."""
        answer = json_answer(400, {"error": "invalid_token", "error_description": "Token expired or revoked"})
        script = Script([answer])
        assert script.run(revoke(CLIENT, "t", provider=SERVER, env=ENV)) is None
        assert len(script.sent) == 1

    @pytest.mark.parametrize("status", [401, 403, 503])
    def test_of_another_status_it_is_no_success(self, status: int) -> None:
        with pytest.raises(errors.InvalidOrExpiredToken):
            Script([json_answer(status, {"error": "invalid_token"})]).run(revoke(CLIENT, "t", provider=SERVER, env=ENV))

    def test_x_says_that_it_wants_a_hint(self) -> None:
        said = "Missing required parameter [token_type_hint]."
        answer = json_answer(400, {"error": "invalid_request", "error_description": said})
        with pytest.raises(errors.MissingParameter, match="token_type_hint"):
            Script([answer]).run(revoke(CLIENT, "t", provider=X, env=ENV))

    @pytest.mark.parametrize("token", ["", None, b"t", 7])
    def test_no_token_is_not_revoked_as_if_it_were_one(self, token: Any) -> None:
        with pytest.raises(errors.InvalidParameter, match=f"a str that is not empty, not {type(token).__name__}"):
            Flow(revoke(CLIENT, token, provider=SERVER, env=ENV))

    @pytest.mark.parametrize("hint", ["refresh", "id_token", ""])
    def test_a_hint_is_one_of_two(self, hint: Any) -> None:
        with pytest.raises(errors.InvalidParameter, match="hint is one of refresh_token, access_token"):
            Flow(revoke(CLIENT, "t", provider=SERVER, env=ENV, hint=hint))


class TestRevokeTokens:
    def test_the_refresh_token_goes_first(self) -> None:
        script = Script([DONE, DONE])
        script.run(revoke_tokens(CLIENT, TOKENS, provider=SERVER, env=ENV))
        assert forms(script) == [
            {"token": "RT", "token_type_hint": "refresh_token"},
            {"token": "AT", "token_type_hint": "access_token"},
        ]

    def test_there_may_be_no_refresh_token(self) -> None:
        script = Script([DONE])
        script.run(revoke_tokens(CLIENT, OAuth2Tokens("AT"), provider=SERVER, env=ENV))
        assert forms(script) == [{"token": "AT", "token_type_hint": "access_token"}]

    @pytest.mark.parametrize(
        "failure",
        [Response(503), errors.ConnectError("no route"), json_answer(400, {"error": "unsupported_token_type"})],
    )
    def test_the_second_is_tried_though_the_first_failed(self, failure: Response | Exception) -> None:
        script = Script([failure, DONE])
        with pytest.raises((errors.ApiError, errors.ConnectError)):
            script.run(revoke_tokens(CLIENT, TOKENS, provider=SERVER, env=ENV))
        assert [form["token"] for form in forms(script)] == ["RT", "AT"]

    def test_a_failure_of_the_second_comes_out(self) -> None:
        with pytest.raises(errors.ServiceUnavailable):
            Script([DONE, Response(503)]).run(revoke_tokens(CLIENT, TOKENS, provider=SERVER, env=ENV))

    ENDED = json_answer(400, {"error": "invalid_token"})
    UNSUPPORTED = json_answer(400, {"error": "unsupported_token_type"})

    @pytest.mark.parametrize("answers", [[DONE, ENDED], [ENDED, ENDED], [DONE, UNSUPPORTED], [ENDED, UNSUPPORTED]])
    def test_with_the_refresh_token_the_access_token_may_be_gone(self, answers: list[Response]) -> None:
        script = Script([*answers])
        assert script.run(revoke_tokens(CLIENT, TOKENS, provider=SERVER, env=ENV)) is None
        assert [form["token"] for form in forms(script)] == ["RT", "AT"]

    @pytest.mark.parametrize(
        ("tokens", "answers", "kind"),
        [
            (OAuth2Tokens("AT"), [UNSUPPORTED], errors.UnsupportedGrant),
            (TOKENS, [UNSUPPORTED, DONE], errors.UnsupportedGrant),
            (TOKENS, [UNSUPPORTED, UNSUPPORTED], errors.UnsupportedGrant),
            (TOKENS, [Response(503), UNSUPPORTED], errors.ServiceUnavailable),
            (TOKENS, [DONE, json_answer(400, {"error": "unsupported_grant_type"})], errors.UnsupportedGrant),
            (TOKENS, [DONE, json_answer(401, {"error": "invalid_client"})], errors.InvalidClient),
        ],
    )
    def test_a_token_that_may_live_is_not_said_to_have_ended(
        self, tokens: OAuth2Tokens, answers: list[Response], kind: type[errors.ApiError]
    ) -> None:
        with pytest.raises(kind):
            Script([*answers]).run(revoke_tokens(CLIENT, tokens, provider=SERVER, env=ENV))

    def test_of_two_failures_that_of_the_refresh_token_is_raised(self) -> None:
        with pytest.raises(errors.BadGateway):
            Script([Response(502), Response(503)]).run(revoke_tokens(CLIENT, TOKENS, provider=SERVER, env=ENV))
