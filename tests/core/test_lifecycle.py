"""The life of an application's bearer token: loaded, fetched alone, saved before it is used, forgotten."""

from __future__ import annotations

import pytest

from sansauth import App, Stored
from sansauth.app_token import AppToken, app_token_key
from sansauth.errors import Conflict, ReadError, StoreError, UnableToVerifyCredentials
from sansauth.lifecycle import app_bearer, forget_app_bearer
from sansauth.x import TWITTER, X

from .support import APP, Script, refusal_answer, token_answer

KEY = app_token_key(APP, X)


def stored(token: str, version: int = 1) -> dict[str, Stored]:
    return {KEY: Stored(AppToken(token).to_bytes(), version)}


def token_in(script: Script) -> str:
    return AppToken.from_bytes(script.records[KEY].data).access_token


def another_fetches(token: str) -> object:
    """Whoever held the key before us has just saved this token."""

    def fetch(script: Script) -> None:
        record = script.records.get(KEY)
        script.save(KEY, AppToken(token).to_bytes(), record.version if record else None)

    return fetch


def test_a_token_that_was_given_is_used_without_asking_anybody() -> None:
    script = Script()
    assert script.run(app_bearer(App("CK", "CS", "given"), X)) == "given"
    assert script.log == []


def test_a_stored_token_is_loaded_and_nothing_is_held() -> None:
    script = Script(records=stored("old"))
    assert script.run(app_bearer(APP, X)) == "old"
    assert script.log == ["Load"]


def test_a_missing_token_is_fetched_alone_and_saved_before_it_is_used() -> None:
    script = Script([token_answer("new")])
    assert script.run(app_bearer(APP, X)) == "new"
    assert script.log == ["Load", "Exclusive", "  Load", "  Send", "  Save"]
    assert token_in(script) == "new"
    assert script.sent[0].url == "https://api.x.com/oauth2/token"


def test_under_the_key_the_store_is_asked_again() -> None:
    """Without it, everybody who waited for the key would fetch once more."""
    script = Script(while_waiting=another_fetches("theirs"))  # type: ignore[arg-type]
    assert script.run(app_bearer(APP, X)) == "theirs"
    assert script.log == ["Load", "Exclusive", "  Load"]


def test_a_rejected_token_is_replaced() -> None:
    script = Script([token_answer("new")], stored("old", version=7))
    assert script.run(app_bearer(APP, X, rejected="old")) == "new"
    assert script.log == ["Load", "Exclusive", "  Load", "  Send", "  Save"]
    assert script.records[KEY].version == 8


def test_a_stored_token_that_is_not_the_rejected_one_is_used() -> None:
    script = Script(records=stored("newer"))
    assert script.run(app_bearer(APP, X, rejected="old")) == "newer"
    assert script.log == ["Load"]


def test_a_rejected_token_that_somebody_replaced_meanwhile_is_not_fetched_again() -> None:
    script = Script(records=stored("old"), while_waiting=another_fetches("theirs"))  # type: ignore[arg-type]
    assert script.run(app_bearer(APP, X, rejected="old")) == "theirs"
    assert script.sent == []


def test_a_rejected_token_that_is_gone_is_fetched() -> None:
    script = Script([token_answer("new")])
    assert script.run(app_bearer(APP, X, rejected="old")) == "new"
    assert script.records[KEY].version == 1


def test_a_refused_fetch_leaves_the_store_alone() -> None:
    script = Script([refusal_answer(403, 99)], stored("old"))
    with pytest.raises(UnableToVerifyCredentials):
        script.run(app_bearer(APP, X, rejected="old"))
    assert token_in(script) == "old"
    assert "  Save" not in script.log


def test_a_broken_fetch_leaves_the_store_alone() -> None:
    script = Script([ReadError("broke", sent=True)])
    with pytest.raises(ReadError):
        script.run(app_bearer(APP, X))
    assert script.records == {}


def test_of_two_tokens_fetched_at_once_both_are_good() -> None:
    class Late(Script):
        def save(self, key: str, data: bytes | None, expected: int | None) -> int:
            raise Conflict("changed meanwhile")

    assert Late([token_answer("new")]).run(app_bearer(APP, X)) == "new"


def test_a_record_that_cannot_be_read_is_left_as_it_is() -> None:
    record = Stored(b'{"schema":2}', 1)
    script = Script(records={KEY: record})
    with pytest.raises(StoreError):
        script.run(app_bearer(APP, X))
    assert script.records == {KEY: record}


def test_every_provider_and_application_has_its_own_record() -> None:
    script = Script([token_answer(f"token-{n}") for n in range(4)])
    found = [script.run(app_bearer(app, provider)) for app in (APP, App("other", "CS")) for provider in (X, TWITTER)]
    assert found == ["token-0", "token-1", "token-2", "token-3"]
    assert len(script.records) == 4
    assert script.run(app_bearer(APP, X)) == "token-0"


class TestForget:
    def test_the_stored_token_is_deleted_under_its_key(self) -> None:
        script = Script(records=stored("old"))
        script.run(forget_app_bearer(APP, X, "old"))
        assert script.records == {}
        assert script.log == ["Exclusive", "  Load", "  Save"]

    def test_another_token_stays(self) -> None:
        script = Script(records=stored("newer"))
        script.run(forget_app_bearer(APP, X, "old"))
        assert token_in(script) == "newer"
        assert script.log == ["Exclusive", "  Load"]

    def test_nothing_stored_is_nothing_to_forget(self) -> None:
        script = Script()
        script.run(forget_app_bearer(APP, X, "old"))
        assert script.log == ["Exclusive", "  Load"]

    def test_what_was_saved_while_waiting_stays(self) -> None:
        script = Script(records=stored("old"), while_waiting=another_fetches("theirs"))  # type: ignore[arg-type]
        script.run(forget_app_bearer(APP, X, "old"))
        assert token_in(script) == "theirs"

    def test_after_that_a_token_is_fetched_anew(self) -> None:
        script = Script([token_answer("new")], stored("old"))
        script.run(forget_app_bearer(APP, X, "old"))
        assert script.run(app_bearer(APP, X)) == "new"
