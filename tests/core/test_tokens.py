"""Token records and their stored form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import App, Secret
from sansauth.app_token import AppToken, app_token_key
from sansauth.errors import InvalidParameter, StoreError
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.tokens import Death, OAuth2Tokens, account_of, oauth2_tokens_key
from sansauth.x import TWITTER, X


def test_a_record_is_json_with_a_schema_version() -> None:
    assert json.loads(AppToken("AAAA").to_bytes()) == {"schema": 1, "kind": "app-token", "access_token": "AAAA"}


@given(st.text())
def test_a_record_is_read_as_it_was_written(token: str) -> None:
    record = AppToken.from_bytes(AppToken(Secret(token)).to_bytes())
    assert record == AppToken(token)
    assert isinstance(record.access_token, Secret)


def test_a_record_of_this_schema_may_say_more() -> None:
    data = b'{"schema":1,"kind":"app-token","access_token":"AAAA","added_later":true}'
    assert AppToken.from_bytes(data).access_token == "AAAA"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"hunter2"',
        b"hunter2",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b'{"schema":2,"kind":"app-token","access_token":"hunter2"}',
        b'{"schema":1,"kind":"user-token","access_token":"hunter2"}',
        b'{"schema":1,"kind":"app-token","access_token":null}',
        b'{"schema":1,"kind":"app-token"}',
        b'{"kind":"app-token","access_token":"hunter2"}',
    ],
)
def test_what_is_no_record_of_ours_is_a_store_error_and_not_shown(data: bytes) -> None:
    with pytest.raises(StoreError, match=rf"\({len(data)} bytes\) is no app-token of schema 1; it was left") as caught:
        AppToken.from_bytes(data)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None  # json's own error carries the document


def test_a_record_does_not_show_its_token() -> None:
    assert repr(AppToken("hunter2")) == "AppToken(***)"


def test_the_key_holds_origin_and_application_and_no_secret() -> None:
    assert app_token_key(App("CK", "hunter2"), X) == "app-token/https%3A%2F%2Fapi.x.com/CK"
    assert "hunter2" not in app_token_key(App("CK", "hunter2", "hunter2"), X)


def test_a_sandbox_never_shares_a_token_with_x() -> None:
    app = App("CK", "CS")
    keys = {
        app_token_key(app, provider) for provider in (X, TWITTER, X.at("http://127.0.0.1:8080"), X.at("http://[::1]"))
    }
    assert len(keys) == 4


def test_no_two_applications_share_a_key() -> None:
    keys = {app_token_key(App(name, "CS"), X) for name in ("a", "a/b", "a%2Fb", "b", "A", "a b", "é")}
    assert len(keys) == 7
    assert all(key.count("/") == 2 for key in keys)


# --- OAuth 2 ---------------------------------------------------------------------------------------------------------

NOW = 1_700_000_000.0
TOKENS = OAuth2Tokens("AT", "Bearer", NOW, NOW + 7200, "RT", ("tweet.read", "offline.access"), "e30.e30.x")
TIMES = st.none() | st.floats(-1e12, 1e12) | st.integers(-(10**12), 10**12)
TEXT = st.text()
SOME = st.text(min_size=1)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class TestOAuth2Tokens:
    def test_the_stored_form_is_stable(self) -> None:
        """Tokens stored by one release are refreshed by the next."""
        assert json.loads(TOKENS.to_bytes()) == {
            "schema": 1,
            "kind": "oauth2-tokens",
            "access_token": "AT",
            "token_type": "Bearer",
            "issued_at": NOW,
            "expires_at": NOW + 7200,
            "refresh_token": "RT",
            "scopes": ["tweet.read", "offline.access"],
            "id_token": "e30.e30.x",
        }

    @given(
        st.builds(
            OAuth2Tokens,
            access_token=SOME,
            token_type=TEXT.filter(lambda text: text.lower() != "dpop"),
            issued_at=TIMES,
            expires_at=TIMES,
            refresh_token=st.none() | SOME,
            scopes=st.none() | st.lists(TEXT).map(tuple),
            id_token=st.none() | SOME,
            further=st.dictionaries(TEXT, DOCUMENTS.map(lambda document: json.loads(json.dumps(document)))),
            death=st.none() | st.builds(Death, st.floats(-1e12, 1e12), TEXT),
        )
    )
    def test_a_record_is_read_as_it_was_written(self, tokens: OAuth2Tokens) -> None:
        read = OAuth2Tokens.from_bytes(tokens.to_bytes())
        assert read == tokens
        assert hash(read) == hash(tokens)
        assert isinstance(read.access_token, Secret)

    def test_its_texts_are_secrets_and_not_shown(self) -> None:
        tokens = OAuth2Tokens("hunter2", refresh_token="hunter3", id_token="hunter4", scopes=("a",), expires_at=7.0)
        for secret in (tokens.access_token, tokens.refresh_token, tokens.id_token):
            assert isinstance(secret, Secret)
        assert repr(tokens) == "OAuth2Tokens(***, expires_at=7.0, scopes=('a',))"

    @pytest.mark.parametrize(
        "change",
        [
            {"access_token": None},
            {"access_token": ""},
            {"access_token": 7},
            {"refresh_token": ""},
            {"id_token": b"x"},
            {"token_type": None},
            {"expires_at": "1700009999"},
            {"issued_at": float("inf")},
            {"scopes": "a b"},
            {"scopes": [7]},
        ],
        ids=str,
    )
    def test_what_cannot_be_tokens_is_refused_when_they_are_made(self, change: dict[str, object]) -> None:
        """And not when a call finds a record that it cannot read."""
        with pytest.raises(InvalidParameter):
            OAuth2Tokens(**{"access_token": "hunter2"} | change)  # type: ignore[arg-type]

    def test_scopes_may_be_a_list(self) -> None:
        assert OAuth2Tokens("a", scopes=["x", "y"]).scopes == ("x", "y")  # type: ignore[arg-type]

    def test_further_that_json_cannot_say_is_refused_and_not_shown(self) -> None:
        for further in ({"a": object()}, {"a": {1, 2}}, {("a",): "hunter2"}):
            with pytest.raises(InvalidParameter, match="further") as caught:
                OAuth2Tokens("hunter2", further=further).to_bytes()  # type: ignore[arg-type]
            assert "hunter2" not in str(caught.value)
            assert caught.value.__context__ is None

    def test_tokens_that_died_say_so(self) -> None:
        dead = TOKENS.died(NOW, "invalid_grant")
        assert dead.death == (NOW, "invalid_grant")
        assert repr(dead).endswith(", dead)")
        assert dead.is_same_generation(TOKENS)
        assert not dead.is_same_generation(OAuth2Tokens("AT"))

    def test_a_record_of_this_schema_may_say_more(self) -> None:
        data = json.dumps(json.loads(TOKENS.to_bytes()) | {"added_later": True}).encode()
        assert OAuth2Tokens.from_bytes(data) == TOKENS

    @pytest.mark.parametrize(
        "data",
        [b"", b"{", b"null", b"[]", b'"hunter2"', b"\xff", b"[" * 100_000, b"{}", AppToken("hunter2").to_bytes()],
    )
    def test_what_is_no_record_of_ours_is_a_store_error_and_not_shown(self, data: bytes) -> None:
        with pytest.raises(StoreError, match=rf"\({len(data)} bytes\) is no oauth2-tokens of schema 1") as caught:
            OAuth2Tokens.from_bytes(data)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__context__ is None

    @pytest.mark.parametrize(
        "change",
        [
            {"schema": 2},
            {"kind": "app-token"},
            {"access_token": None},
            {"access_token": ["hunter2"]},
            {"token_type": None},
            {"issued_at": "1"},
            {"issued_at": True},
            {"expires_at": [1]},
            {"expires_at": False},
            {"expires_at": float("nan")},
            {"expires_at": float("inf")},
            {"expires_at": 10**400},
            {"refresh_token": 7},
            {"scopes": "a b"},
            {"scopes": ["a", None]},
            {"id_token": {}},
            {"further": []},
            {"further": "x"},
            {"death": "x"},
            {"death": [1.0]},
            {"death": [True, "x"]},
            {"death": [float("nan"), "x"]},
            {"death": [1.0, 7]},
        ],
        ids=lambda change: str(change)[:40],
    )
    def test_a_record_with_a_wrong_value_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(StoreError):
            OAuth2Tokens.from_bytes(json.dumps(json.loads(TOKENS.to_bytes()) | change).encode())

    @pytest.mark.parametrize("name", list(json.loads(TOKENS.to_bytes())))
    def test_a_record_without_one_of_its_members_is_refused(self, name: str) -> None:
        record = json.loads(TOKENS.to_bytes())
        del record[name]
        with pytest.raises(StoreError):
            OAuth2Tokens.from_bytes(json.dumps(record).encode())

    @given(st.sampled_from([*json.loads(TOKENS.to_bytes())]), DOCUMENTS)
    def test_a_changed_record_is_refused_or_reads_as_what_it_says(self, name: str, value: object) -> None:
        record = json.loads(TOKENS.to_bytes()) | {name: value}
        try:
            read = OAuth2Tokens.from_bytes(json.dumps(record).encode())
        except StoreError:
            return
        assert json.loads(read.to_bytes()) == record
        read.is_due(NOW)

    def test_tokens_are_due_a_minute_before_they_end(self) -> None:
        assert not TOKENS.is_due(NOW + 7139)
        assert TOKENS.is_due(NOW + 7140)
        assert not TOKENS.is_expired(NOW + 7199)
        assert TOKENS.is_expired(NOW + 7200)

    def test_of_a_short_life_the_last_tenth_at_most(self) -> None:
        """Authlib #716, requests_oauth2client #22: a leeway longer than the life renews for ever."""
        tokens = OAuth2Tokens("t", issued_at=NOW, expires_at=NOW + 30)
        assert not tokens.is_due(NOW + 26)
        assert tokens.is_due(NOW + 27)

    @given(st.floats(0.01, 1e9))
    def test_a_token_that_was_just_issued_is_always_usable(self, life: float) -> None:
        assert not OAuth2Tokens("t", issued_at=NOW, expires_at=NOW + life).is_due(NOW)

    def test_one_that_had_ended_when_it_came_is_due_at_once(self) -> None:
        assert OAuth2Tokens("t", issued_at=NOW, expires_at=NOW).is_due(NOW)
        assert OAuth2Tokens("t", issued_at=NOW, expires_at=NOW - 5).is_due(NOW)

    def test_without_a_time_of_issue_the_leeway_is_a_minute(self) -> None:
        tokens = OAuth2Tokens("t", expires_at=NOW)
        assert (tokens.is_due(NOW - 61), tokens.is_due(NOW - 60)) == (False, True)

    def test_an_end_that_is_not_known_never_comes(self) -> None:
        assert not OAuth2Tokens("t", issued_at=NOW).is_due(NOW * 2)
        assert not OAuth2Tokens("t").is_expired(NOW * 2)


class TestKeys:
    CLIENT = OAuth2Client("c/1", "hunter2")

    def test_origin_client_and_account_and_no_secret(self) -> None:
        assert oauth2_tokens_key(self.CLIENT, X) == "oauth2-client/https%3A%2F%2Fapi.x.com%2F2%2Foauth2%2Ftoken/c%2F1"
        assert oauth2_tokens_key(OAuth2User(self.CLIENT, "me@x"), X) == (
            "oauth2/https%3A%2F%2Fapi.x.com%2F2%2Foauth2%2Ftoken/c%2F1/me%40x"
        )

    def test_a_key_tells_whose_tokens_they_are_and_no_more(self) -> None:
        user = OAuth2User(self.CLIENT, "me/ü%x")
        assert account_of(oauth2_tokens_key(user, X)) == ("https://api.x.com/2/oauth2/token", "c/1", "me/ü%x")

    @pytest.mark.parametrize("key", ["", "oauth2", "oauth2/a/b", "oauth2/a/b/c/d", "oauth2-client/a/b/c", "app/a/b/c"])
    def test_another_key_tells_nothing(self, key: str) -> None:
        assert account_of(key) is None

    def test_no_two_holders_share_a_key(self) -> None:
        clients = [OAuth2Client(name) for name in ("a", "a/b", "a%2Fb")]
        holders = [*clients, *(OAuth2User(client, name) for client in clients for name in ("a", "b/a", "b"))]
        keys = [oauth2_tokens_key(holder, provider) for holder in holders for provider in (X, TWITTER)]
        assert len(set(keys)) == len(keys)
