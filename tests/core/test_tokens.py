"""Token records and their stored form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import App, Secret
from sansauth.errors import StoreError
from sansauth.tokens import AppToken, app_token_key
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
