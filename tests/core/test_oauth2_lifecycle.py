"""The life of a user's tokens: loaded, refreshed alone when due, saved before use; a failure loses nothing."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest

from sansauth import Env, Exclusive, Flow, Provider, Response, Stored, errors
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2.accounts import adopt, logout
from sansauth.oauth2.lifecycle import PAUSE_SECONDS, is_dead_refresh, oauth2_tokens
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


def test_what_was_seen_before_decides_nothing_else() -> None:
    """A process that knows old tokens only looks into the store before it renews them."""
    script = Script(records=stored(FRESH), recalled=stored(ENDED))
    assert run(script) == FRESH
    assert script.sent == []
    dead = ENDED.died(1.0, "invalid_grant")
    script = Script(records=stored(FRESH), recalled=stored(dead))
    assert run(script) == FRESH
    assert script.log == ["Load", "Load", "Load"]  # the last one: of what waits in memory


@pytest.mark.parametrize("tokens", [DUE, ENDED])
def test_tokens_that_are_due_are_refreshed_alone_and_saved_before_they_are_used(tokens: OAuth2Tokens) -> None:
    script = Script([issued()], stored(tokens))
    new = run(script)
    assert (new.access_token, new.refresh_token, new.scopes) == ("new", "r2", ("a",))
    assert tokens_of(script) == new
    assert [step for step in script.log if "oad" not in step] == ["Exclusive", "  Send", "  Save"]
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
        assert script.log == ["Load", "Load"]  # the record, and what waits in memory

    def test_tokens_that_vanish_meanwhile(self) -> None:
        script = Script(records=stored(ENDED), while_waiting=lambda script: script.records.clear())
        with pytest.raises(errors.LoginRequired, match="there are no tokens"):
            run(script)

    @pytest.mark.parametrize("dead", [DEAD, json_answer(400, {"error": "invalid_grant"})])
    def test_a_dead_refresh_token_is_marked_with_time_and_reason_and_asked_for_never_again(
        self, dead: Response
    ) -> None:
        script = Script([dead], stored(ENDED))
        with pytest.raises(errors.LoginRequired, match=r"said 0 s ago .* is dead \(InvalidGrant: X answered 400"):
            run(script)
        marked = tokens_of(script)
        assert (marked.is_same_generation(ENDED), marked.refresh_token) == (True, "r1")
        assert marked.death is not None
        assert marked.death.at == TIMESTAMP
        later = Env(lambda: TIMESTAMP + 90.0, ENV.entropy)
        for _ in range(3):
            with pytest.raises(errors.LoginRequired, match=r"said 90 s ago"):
                run(script, env=later)
        assert len(script.sent) == 1
        assert tokens_of(script) == marked

    def test_a_thousand_who_wait_for_the_key_all_learn_of_it(self) -> None:
        marked = ENDED.died(float(TIMESTAMP), "InvalidGrant")
        script = Script(records=stored(ENDED), while_waiting=another_refreshes(marked))
        with pytest.raises(errors.LoginRequired, match="dead"):
            run(script)
        assert script.sent == []

    def test_a_dead_refresh_token_whose_access_token_lives_serves_until_it_ends(self) -> None:
        script = Script([DEAD], stored(DUE))
        assert run(script).access_token == "due"
        assert run(script).access_token == "due"
        with pytest.raises(errors.LoginRequired, match="dead"):
            run(script, env=Env(lambda: TIMESTAMP + 31.0, ENV.entropy))
        assert len(script.sent) == 1

    def test_another_login_ends_the_death(self) -> None:
        script = Script([DEAD], stored(ENDED))
        with pytest.raises(errors.LoginRequired):
            run(script)
        script.run(adopt(USER, FRESH, X))
        assert run(script) == FRESH

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

    def test_while_the_old_token_serves_the_service_is_left_in_peace_for_a_while(self) -> None:
        script = Script([Response(503), issued()], stored(DUE))
        assert [run(script).access_token for _ in range(3)] == ["due"] * 3
        assert len(script.sent) == 1
        later = Env(lambda: TIMESTAMP + PAUSE_SECONDS, ENV.entropy)
        assert run(script, env=later).access_token == "new"

    def test_a_mistake_of_ours_is_told_each_time(self) -> None:
        script = Script([MISSING, MISSING], stored(DUE))
        for _ in range(2):
            with pytest.raises(errors.BadRequest):
                run(script)

    def test_a_clock_that_is_set_back_keeps_nobody_from_renewing(self) -> None:
        script = Script([Response(503), issued()], stored(ENDED))
        with pytest.raises(errors.ServiceUnavailable):
            run(script)
        earlier = Env(lambda: TIMESTAMP - 0.5, ENV.entropy)
        assert run(script, rejected="ended", env=earlier).access_token == "new"

    def test_a_success_forgets_the_failure(self) -> None:
        script = Script([Response(503), issued()], stored(ENDED))
        with pytest.raises(errors.ServiceUnavailable):
            run(script)
        run(script)
        assert list(script.records) == [KEY]

    def test_while_the_old_token_serves_a_store_that_fails_fails_no_call(self) -> None:
        def down(script: Script) -> None:
            raise errors.StoreError("down")

        assert run(Script(records=stored(DUE), while_waiting=down)) == DUE
        with pytest.raises(errors.StoreError):
            run(Script(records=stored(ENDED), while_waiting=down))

    @pytest.mark.parametrize("tokens", [DUE, ENDED])
    @pytest.mark.parametrize("answer", [Response(503), MISSING])
    def test_who_waited_while_another_failed_does_not_try_as_well(self, answer: Response, tokens: OAuth2Tokens) -> None:
        """Of a thousand callers and a service that hangs, the last would wait for a thousand timeouts."""
        now = [float(TIMESTAMP)]
        env = Env(lambda: now[0], ENV.entropy)
        script = Script([answer], stored(tokens))

        def another_fails(script: Script) -> None:
            script.while_waiting = lambda script: None
            now[0] += 1.0
            with contextlib.suppress(errors.ApiError):
                run(script, env=env, rejected=None if tokens is ENDED else "other")

        script.while_waiting = another_fails
        if tokens is DUE and answer is not MISSING:
            assert run(script, env=env) == DUE
        else:
            with pytest.raises(
                errors.RenewalFailed, match=r"account 'alice' could not be renewed: (Service|Bad|Miss)"
            ) as caught:
                run(script, env=env)
            assert caught.value.retryable == (answer is not MISSING)
            again = pickle.loads(pickle.dumps(caught.value))
            assert (str(again), again.retryable) == (str(caught.value), caught.value.retryable)
        assert len(script.sent) == 1

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


class TestRaces:
    """A lease can end before its holder does; what then happens, step by step."""

    NEWER = replace(FRESH, access_token="theirs", refresh_token="r9")

    def meanwhile(self, tokens: OAuth2Tokens | None) -> Callable[[Script], None]:
        def act(script: Script) -> None:
            script.save(KEY, None if tokens is None else tokens.to_bytes(), script.records[KEY].version)
            script.during_send = lambda script: None

        return act

    def test_who_is_refused_takes_what_another_has_saved_meanwhile(self) -> None:
        script = Script([DEAD], stored(ENDED), during_send=self.meanwhile(self.NEWER))
        assert run(script) == self.NEWER
        assert tokens_of(script) == self.NEWER

    def test_and_renews_it_if_that_has_ended_too(self) -> None:
        ended = replace(self.NEWER, expires_at=TIMESTAMP - 1.0)
        script = Script([DEAD, issued()], stored(ENDED), during_send=self.meanwhile(ended))
        assert run(script).access_token == "new"
        assert "refresh_token=r9" in form_of(script.sent[1])

    def test_who_is_refused_does_not_bury_a_login_that_was_ended_meanwhile(self) -> None:
        script = Script([DEAD], stored(ENDED), during_send=self.meanwhile(None))
        with pytest.raises(errors.LoginRequired, match="there are no tokens"):
            run(script)
        assert KEY not in script.records

    def test_who_is_refused_leaves_the_mark_of_another(self) -> None:
        marked = ENDED.died(1.0, "theirs")
        script = Script([DEAD], stored(ENDED), during_send=self.meanwhile(marked))
        with pytest.raises(errors.LoginRequired, match="theirs"):
            run(script)
        assert tokens_of(script) == marked

    def test_a_mark_that_conflicts_looks_again(self) -> None:
        script = Script([DEAD], stored(ENDED), troubles=[errors.Conflict("changed")])
        with pytest.raises(errors.LoginRequired, match="dead"):
            run(script)
        assert tokens_of(script).death is not None

    def test_who_was_served_writes_over_the_mark_of_who_was_refused(self) -> None:
        marked = ENDED.died(1.0, "theirs")
        script = Script([issued()], stored(ENDED), during_send=self.meanwhile(marked))
        assert run(script).access_token == "new"
        assert tokens_of(script).access_token == "new"
        assert tokens_of(script).death is None

    def test_who_was_served_yields_to_newer_tokens(self) -> None:
        script = Script([issued()], stored(ENDED), during_send=self.meanwhile(self.NEWER))
        assert run(script) == self.NEWER
        assert tokens_of(script) == self.NEWER

    def test_who_was_served_does_not_bring_a_login_back_that_was_ended_meanwhile(self) -> None:
        script = Script([issued()], stored(ENDED), during_send=self.meanwhile(None))
        with pytest.raises(errors.LoginRequired, match="removed while they were renewed"):
            run(script)
        assert KEY not in script.records

    def test_records_that_never_stand_still_are_an_error_in_the_end(self) -> None:
        conflict: list[Exception | None] = [errors.Conflict("changed")] * 20
        for answer in (issued(), DEAD):
            script = Script([answer], stored(ENDED), troubles=list(conflict))
            with pytest.raises(errors.Conflict, match="whenever it is saved"):
                run(script)
        with pytest.raises(errors.Conflict, match="whenever it is saved"):
            Script(records=stored(ENDED), troubles=list(conflict)).run(adopt(USER, FRESH, X))
        with pytest.raises(errors.Conflict, match="whenever it is saved"):
            Script(records=stored(ENDED), troubles=list(conflict)).run(logout(USER, provider=X, env=ENV, revoke=False))

    def test_tokens_that_are_dead_whenever_they_are_renewed_are_an_error_in_the_end(self) -> None:
        script = Script([DEAD] * 20, stored(ENDED))

        def another_login(script: Script) -> None:
            again = replace(ENDED, access_token=f"a{len(script.sent)}")
            script.save(KEY, again.to_bytes(), script.records[KEY].version)

        script.during_send = another_login
        with pytest.raises(errors.RenewalFailed, match="again and again"):
            run(script)


class TestAStoreThatFails:
    def test_new_tokens_are_saved_once_more(self) -> None:
        script = Script([issued()], stored(ENDED), troubles=[errors.StoreError("down")])
        assert run(script).access_token == "new"
        assert tokens_of(script).access_token == "new"
        assert script.slept == [0.5]

    def test_a_save_that_failed_after_it_had_written_is_no_conflict(self) -> None:
        def written(script: Script) -> None:
            fresh = OAuth2Tokens("new", "Bearer", float(TIMESTAMP), TIMESTAMP + 7200.0, "r2", ("a",))
            script.save(KEY, fresh.to_bytes(), 1)

        script = Script([issued()], stored(ENDED), troubles=[errors.StoreError("broke")], during_send=written)
        assert run(script).access_token == "new"
        assert script.records[KEY].version == 2

    def test_tokens_the_store_does_not_take_wait_in_memory_until_it_does(self) -> None:
        """Their refresh token is the only one left: the old one is spent."""
        down: list[Exception | None] = [errors.StoreError("down")] * 2
        script = Script([issued()], stored(ENDED), troubles=down)
        with pytest.raises(errors.StoreError, match="down"):
            run(script)
        assert tokens_of(script) == ENDED
        assert run(script).access_token == "new"
        assert tokens_of(script).refresh_token == "r2"
        assert len(script.sent) == 1
        assert not any(key.startswith("mem:unsaved") for key in script.records)

    def test_it_may_fail_again_and_nothing_is_lost(self) -> None:
        down: list[Exception | None] = [errors.StoreError("down")] * 4
        script = Script([issued()], stored(ENDED), troubles=down)
        for _ in range(3):
            with pytest.raises(errors.StoreError, match="down"):
                run(script)
        assert run(script).access_token == "new"
        assert len(script.sent) == 1

    @pytest.mark.parametrize("held", [{}, stored(ENDED)])
    def test_tokens_of_a_login_wait_in_memory_too(self, held: dict[str, Stored]) -> None:
        script = Script(records=dict(held), troubles=[errors.StoreError("down")] * 2)
        with pytest.raises(errors.StoreError):
            script.run(adopt(USER, FRESH, X))
        assert script.records.get(KEY) == held.get(KEY)
        assert run(script) == FRESH
        assert tokens_of(script) == FRESH

    def test_who_is_cancelled_while_others_hold_the_key_does_not_lose_a_login(self) -> None:
        script = Script()
        flow = Flow(adopt(USER, FRESH, X))
        while not isinstance(flow.effect, Exclusive):
            flow.resume(script._perform(flow, 0))
        flow.close()
        assert KEY not in script.records
        assert run(script) == FRESH

    def test_it_does_not_take_the_place_of_a_later_login(self) -> None:
        script = Script(records={}, troubles=[errors.StoreError("down")] * 2)
        with pytest.raises(errors.StoreError):
            script.run(adopt(USER, replace(FRESH, access_token="earlier", issued_at=1.0), X))
        script.save(KEY, ENDED.to_bytes(), None)
        script.answers = [issued()]
        assert run(script).access_token == "new"

    def test_what_another_set_aside_meanwhile_stays(self) -> None:
        theirs = replace(FRESH, access_token="theirs")

        def another_adopts(script: Script) -> None:
            script.while_waiting = lambda script: None
            script.troubles = [errors.StoreError("down")] * 2
            with contextlib.suppress(errors.StoreError):
                script.run(adopt(USER, theirs, X))

        script = Script(while_waiting=another_adopts)
        script.run(adopt(USER, FRESH, X))
        assert any(key.startswith("mem:unsaved") for key in script.records)

    @pytest.mark.parametrize("theirs", [FRESH, None])
    def test_what_waits_in_memory_yields_to_what_is_newer(self, theirs: OAuth2Tokens | None) -> None:
        script = Script([issued(), issued("newest")], stored(ENDED), troubles=[errors.StoreError("down")] * 2)
        with pytest.raises(errors.StoreError):
            run(script)
        script.save(KEY, None if theirs is None else replace(theirs, expires_at=1.0).to_bytes(), 1)
        if theirs is None:
            with pytest.raises(errors.LoginRequired):
                run(script)
        else:
            assert run(script).access_token == "newest"
            assert not any(key.startswith("mem:unsaved") for key in script.records)

    def test_memory_that_fails_does_not_hide_what_the_store_said(self) -> None:
        class Forgetful(Script):
            def save(self, key: str, data: bytes | None, expected: int | None) -> int:
                if key.startswith("mem:unsaved"):
                    raise errors.StoreError("memory")
                return super().save(key, data, expected)

        script = Forgetful([issued()], stored(ENDED), troubles=[errors.StoreError("down")] * 2)
        with pytest.raises(errors.StoreError, match="down"):
            run(script)

    def test_what_a_client_has_for_itself_waits_in_memory_too(self) -> None:
        client = TestAClientForItself()
        fresh = json_answer(200, {"token_type": "Bearer", "access_token": "a"})
        script = Script([fresh, fresh], troubles=[errors.StoreError("down")] * 2)
        with pytest.raises(errors.StoreError):
            client.run(script)
        assert client.run(script).access_token == "a"
        assert len(script.sent) == 1


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

    def test_it_asks_for_its_own_scopes_and_brings_its_parameters_and_keeps_what_it_gets_apart(self) -> None:
        script, keys = Script(), set[str]()
        for change in ({}, {"scopes": ["a", "b"]}, {"parameters": {"audience": "https://api"}}):
            script.answers = [json_answer(200, {"token_type": "Bearer", "access_token": "t"})]
            client = replace(CLIENT, **change)  # type: ignore[arg-type]
            script.run(oauth2_tokens(client, self.SERVICE, ENV))
            keys.add(oauth2_tokens_key(client, self.SERVICE))
        assert [form_of(request) for request in script.sent] == [
            "grant_type=client_credentials",
            "grant_type=client_credentials&scope=a%20b",
            "grant_type=client_credentials&audience=https%3A%2F%2Fapi",
        ]
        assert keys == {key for key in script.records if not key.startswith("mem:")}
        assert len(keys) == 3
        assert not any("audience" in key or "https%3A%2F%2Fapi" in key for key in keys)

    def test_one_that_is_saved_at_the_same_time_is_as_good(self) -> None:
        theirs = OAuth2Tokens("theirs")
        answer = json_answer(200, {"token_type": "Bearer", "access_token": "mine"})
        key = oauth2_tokens_key(CLIENT, self.SERVICE)
        script = Script([answer], during_send=lambda script: None)
        script.during_send = lambda script: script.records.update({key: Stored(theirs.to_bytes(), 7)})
        assert self.run(script) == theirs

    def test_one_that_was_removed_at_the_same_time_is_saved_all_the_same(self) -> None:
        ended = OAuth2Tokens("old", expires_at=1.0)
        key = oauth2_tokens_key(CLIENT, self.SERVICE)
        answer = json_answer(200, {"token_type": "Bearer", "access_token": "mine"})
        script = Script([answer], {key: Stored(ended.to_bytes(), 1)})
        script.during_send = lambda script: script.records.clear()
        assert self.run(script).access_token == "mine"
        assert OAuth2Tokens.from_bytes(script.records[key].data).access_token == "mine"


def test_tokens_obtained_elsewhere_are_adopted_and_replace_what_is_there() -> None:
    script = Script()
    script.run(adopt(USER, DUE, X))
    script.run(adopt(USER, FRESH, X))
    assert tokens_of(script) == FRESH
    assert script.log == ["Load", "Save", "Exclusive", "  Load", "  Save", "  Load", "  Save"] * 2
    assert list(script.records) == [KEY]


def test_what_is_no_access_token_is_not_adopted() -> None:
    with pytest.raises(errors.InvalidParameter, match="N_A"):
        Script().run(adopt(USER, OAuth2Tokens("a", "N_A"), X))


class TestLogout:
    def log_out(self, script: Script, provider: Provider = X) -> None:
        script.run(logout(USER, provider=provider, env=ENV))

    def test_the_tokens_that_are_stored_by_now_are_revoked_and_the_record_removed(self) -> None:
        script = Script([Response(200), Response(200)], stored(FRESH))
        self.log_out(script)
        assert [form_of(request).split("&")[0] for request in script.sent] == ["token=r1", "token=fresh"]
        assert script.records == {}
        with pytest.raises(errors.LoginRequired):
            run(script)

    def test_a_failure_to_revoke_leaves_the_record_for_another_try(self) -> None:
        script = Script([Response(503), Response(503)], stored(FRESH))
        with pytest.raises(errors.ServiceUnavailable):
            self.log_out(script)
        assert script.records == stored(FRESH)
        script.run(logout(USER, provider=X, env=ENV, revoke=False))
        assert script.records == {}

    def test_what_is_dead_or_cannot_be_revoked_is_only_removed(self) -> None:
        for tokens, provider in (
            (FRESH.died(1.0, "x"), X),
            (FRESH, replace(X, endpoints=replace(X.endpoints, revocation=None))),
        ):
            script = Script(records=stored(tokens))
            self.log_out(script, provider)
            assert (script.sent, script.records) == ([], {})

    def test_who_is_logged_out_already_may_be_again(self) -> None:
        script = Script()
        self.log_out(script)
        assert script.log == ["Exclusive", "  Load", "  Load"]

    def test_new_tokens_that_wait_in_memory_are_revoked_too(self) -> None:
        script = Script([issued()], stored(ENDED), troubles=[errors.StoreError("down")] * 2)
        with pytest.raises(errors.StoreError):
            run(script)
        script.answers = [Response(200)] * 4
        self.log_out(script)
        assert [form_of(request).split("&")[0] for request in script.sent[1:]] == [
            "token=r2",
            "token=new",
            "token=r1",
            "token=ended",
        ]
        assert not any("oauth2" in key and "trouble" not in key for key in script.records)
        script = Script([issued()], stored(ENDED), troubles=[errors.StoreError("down")] * 2)
        with pytest.raises(errors.StoreError):
            run(script)
        script.run(logout(USER, provider=X, env=ENV, revoke=False))
        with pytest.raises(errors.LoginRequired):
            run(script)

    def test_a_client_for_itself(self) -> None:
        key = oauth2_tokens_key(CLIENT, X)
        script = Script([Response(200)], {key: Stored(OAuth2Tokens("own").to_bytes(), 1)})
        script.run(logout(CLIENT, provider=X, env=ENV))
        assert (len(script.sent), script.records) == (1, {})


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
