"""The life of a user's tokens: loaded, refreshed alone when due, saved before use; a failure loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sansauth import Env, Provider, Response, Stored, errors
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2.lifecycle import adopt, is_dead_refresh, oauth2_tokens
from sansauth.provider import Endpoints, Quirks
from sansauth.refusal import read_refusal
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth.x import TWITTER, X

from .support import ENV, TIMESTAMP, Script, form_of, json_answer

CLIENT = OAuth2Client("id", "secret", "https://app.example/done")
USER = OAuth2User(CLIENT, "alice")
KEY = oauth2_tokens_key(USER, X)
FRESH = OAuth2Tokens("fresh", issued_at=TIMESTAMP, expires_at=TIMESTAMP + 7200, refresh_token="r1", scopes=("a",))
DUE = replace(FRESH, access_token="due", issued_at=TIMESTAMP - 7170, expires_at=TIMESTAMP + 30)
ENDED = replace(FRESH, access_token="ended", expires_at=TIMESTAMP - 1)
DEAD = json_answer(400, {"error": "invalid_request", "error_description": "Value passed for the token was invalid."})
MISSING = json_answer(400, {"error": "invalid_request", "error_description": "Missing required parameter [client_id]."})


def stored(tokens: OAuth2Tokens, version: int = 1) -> dict[str, Stored]:
    return {KEY: Stored(tokens.to_bytes(), version)}


def issued(access: str = "new", **more: object) -> Response:
    return json_answer(
        200, {"token_type": "bearer", "access_token": access, "expires_in": 7200, "refresh_token": "r2", **more}
    )


def tokens_of(script: Script) -> OAuth2Tokens:
    return OAuth2Tokens.from_bytes(script.records[KEY].data)


def run(script: Script, *, rejected: str | None = None, env: Env = ENV) -> OAuth2Tokens:
    return script.run(oauth2_tokens(USER, X, env, rejected=rejected))


def test_fresh_tokens_cost_one_look_into_the_store() -> None:
    script = Script(records=stored(FRESH))
    assert run(script) == FRESH
    assert script.log == ["Load"]


@pytest.mark.parametrize("tokens", [DUE, ENDED])
def test_tokens_that_are_due_are_refreshed_alone_and_saved_before_they_are_used(tokens: OAuth2Tokens) -> None:
    script = Script([issued()], stored(tokens))
    new = run(script)
    assert (new.access_token, new.refresh_token, new.scopes) == ("new", "r2", ("a",))
    assert tokens_of(script) == new
    assert script.log == ["Load", "Exclusive", "  Load", "  Send", "  Save"]
    assert form_of(script.sent[0]) == "grant_type=refresh_token&refresh_token=r1&client_id=id"


def test_a_rejected_token_is_refreshed_however_fresh_it_seems() -> None:
    script = Script([issued()], stored(FRESH))
    assert run(script, rejected="fresh").access_token == "new"


def test_one_that_somebody_else_has_replaced_is_not() -> None:
    script = Script(records=stored(FRESH))
    assert run(script, rejected="an older one") == FRESH
    assert script.log == ["Load"]


def another_refreshes(tokens: OAuth2Tokens) -> Callable[[Script], None]:
    def meanwhile(script: Script) -> None:
        script.save(KEY, tokens.to_bytes(), script.records[KEY].version if KEY in script.records else None)

    return meanwhile


def test_who_waited_for_the_key_finds_what_the_holder_saved() -> None:
    """20 callers, one expired token, one refresh: 19 of tweepy's, Authlib's and requests-oauthlib's fail."""
    script = Script(records=stored(ENDED), while_waiting=another_refreshes(FRESH))
    assert run(script) == FRESH
    assert script.sent == []


def test_an_answer_without_a_refresh_token_keeps_the_old_one() -> None:
    answer = json_answer(200, {"token_type": "bearer", "access_token": "new", "expires_in": 10})
    script = Script([answer], stored(DUE))
    assert run(script).refresh_token == "r1"
    assert tokens_of(script).refresh_token == "r1"


class TestFailures:
    def test_a_user_without_tokens_has_to_log_in(self) -> None:
        script = Script()
        with pytest.raises(errors.LoginRequired, match="'alice'"):
            run(script)
        assert script.log == ["Load"]

    def test_tokens_that_vanish_meanwhile(self) -> None:
        script = Script(records=stored(ENDED), while_waiting=lambda script: script.records.clear())
        with pytest.raises(errors.LoginRequired, match="gone"):
            run(script)

    @pytest.mark.parametrize("dead", [DEAD, json_answer(400, {"error": "invalid_grant"})])
    def test_a_dead_refresh_token_is_a_login_and_the_record_stays(self, dead: Response) -> None:
        script = Script([dead], stored(ENDED))
        with pytest.raises(errors.LoginRequired, match="dead"):
            run(script)
        assert tokens_of(script) == ENDED

    def test_a_missing_parameter_is_a_mistake_of_ours_and_no_dead_token(self) -> None:
        """X says `invalid_request` of both."""
        script = Script([MISSING], stored(ENDED))
        with pytest.raises(errors.BadRequest) as caught:
            run(script)
        assert not is_dead_refresh(caught.value, X)
        assert tokens_of(script) == ENDED

    @pytest.mark.parametrize(
        "trouble",
        [
            json_answer(429, {"title": "Too Many Requests", "status": 429, "type": "about:blank"}),
            Response(503, {"content-type": "text/html"}, b"<html>down</html>"),
            errors.ConnectError("no route"),
            errors.ReadError("broke", sent=True),
        ],
    )
    def test_trouble_is_no_logout_while_the_token_lives_and_never_touches_the_record(
        self, trouble: Response | Exception
    ) -> None:
        """A 429 in problem+json replaces the stored token in Authlib, which then never refreshes."""
        script = Script([trouble], stored(DUE))
        assert run(script) == DUE
        assert tokens_of(script) == DUE
        script = Script([trouble], stored(ENDED))
        with pytest.raises((errors.ApiError, errors.TransportError)):
            run(script)
        assert tokens_of(script) == ENDED

    def test_a_rejected_token_does_not_live(self) -> None:
        script = Script([Response(503)], stored(FRESH))
        with pytest.raises(errors.ServiceUnavailable):
            run(script, rejected="fresh")
        script = Script([errors.ConnectError("no route")], stored(FRESH))
        with pytest.raises(errors.ConnectError):
            run(script, rejected="fresh")

    def test_without_a_refresh_token_it_serves_until_it_ends(self) -> None:
        script = Script(records=stored(replace(DUE, refresh_token=None)))
        assert run(script).access_token == "due"
        script = Script(records=stored(replace(ENDED, refresh_token=None)))
        with pytest.raises(errors.LoginRequired, match="no refresh token"):
            run(script)

    @pytest.mark.parametrize(
        "rubbish",
        [
            Response(200, {"content-type": "text/html"}, b"<html>"),
            json_answer(200, {"hello": "world"}),
            json_answer(200, None),
        ],
    )
    def test_rubbish_never_replaces_the_record(self, rubbish: Response) -> None:
        """Authlib, httpx-oauth and xdk take {"hello": "world"} for tokens."""
        script = Script([rubbish], stored(ENDED))
        with pytest.raises(errors.RemoteProtocolError):
            run(script)
        assert tokens_of(script) == ENDED


class TestAClientForItself:
    KEY = oauth2_tokens_key(CLIENT, X)
    SERVICE = Provider("S", "https://s.example", Endpoints(token="https://s.example/token"))

    def run(self, script: Script, env: Env = ENV) -> OAuth2Tokens:
        return script.run(oauth2_tokens(CLIENT, self.SERVICE, env))

    def test_its_tokens_are_obtained_once_and_renewed_by_themselves(self) -> None:
        answers = [json_answer(200, {"token_type": "Bearer", "access_token": name, "expires_in": 60}) for name in "ab"]
        script = Script(list(answers))  # type: ignore[arg-type]
        assert [self.run(script).access_token for _ in range(3)] == ["a", "a", "a"]
        later = Env(lambda: TIMESTAMP + 57.0, ENV.entropy)
        assert self.run(script, later).access_token == "b"
        assert [form_of(request) for request in script.sent] == ["grant_type=client_credentials"] * 2


def test_tokens_obtained_elsewhere_are_adopted_and_replace_what_is_there() -> None:
    script = Script()
    script.run(adopt(USER, DUE, X))
    script.run(adopt(USER, FRESH, X))
    assert tokens_of(script) == FRESH
    assert script.log == ["Exclusive", "  Load", "  Save"] * 2


def test_keys_carry_origin_client_and_account_apart() -> None:
    other = OAuth2Client("id/alice", "secret")
    holders = [USER, OAuth2User(CLIENT, "bob"), OAuth2User(other, "alice"), CLIENT, other]
    keys = [
        oauth2_tokens_key(holder, provider) for holder in holders for provider in (X, TWITTER, X.at("http://[::1]:1"))
    ]
    assert len(set(keys)) == len(keys) == 15
    assert not any("secret" in key for key in keys)


@pytest.mark.parametrize(
    ("quirks", "answer", "dead"),
    [
        (X.quirks, DEAD, True),
        (X.quirks, MISSING, False),
        (X.quirks, json_answer(400, {"error": "invalid_grant"}), True),
        (X.quirks, json_answer(401, {"error": "unauthorized_client"}), False),
        (Quirks(), json_answer(400, {"error": "invalid_grant", "error_description": "anything"}), True),
        (Quirks(), DEAD, False),
        (Quirks(), json_answer(403, {"errors": [{"code": 99}]}), False),
    ],
)
def test_which_refusal_means_a_dead_refresh_token_is_data(quirks: Quirks, answer: Response, dead: bool) -> None:
    provider = replace(X, quirks=quirks)
    assert is_dead_refresh(read_refusal(answer, provider), provider) is dead
