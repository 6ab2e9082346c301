"""The stored accounts: what is shown of them, calls in their name, their end."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sansauth.app_token import AppToken, app_token_key
from sansauth.identity import App, OAuth2Client
from sansauth.testing.oauth2_issued import RefreshToken
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth.x import X
from sansauth_io.cli.stored import span

from .cli_shell import Shell, serve_shell

HOUR = 3600
REVOKE, TOKEN = "/2/oauth2/revoke", "/2/oauth2/token"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Shell]:
    yield from serve_shell(monkeypatch, capsys, tmp_path / "tokens.sqlite3")


def some_tokens(**changed: object) -> OAuth2Tokens:
    held = OAuth2Tokens("planted-access", refresh_token="planted-refresh", scopes=("tweet.read", "users.read"))
    return dataclasses.replace(held, **changed)  # type: ignore[arg-type]


def outdated(shell: Shell) -> OAuth2Tokens:
    """The account's tokens as they will be when they have ended."""
    held = shell.tokens()
    assert held is not None
    shell.keep(dataclasses.replace(held, issued_at=time.time() - 3 * HOUR, expires_at=time.time() - HOUR))
    return held


# --- calls -----------------------------------------------------------------------------------------------------------


def test_a_call_refreshes_what_has_ended_and_keeps_the_new_tokens(shell: Shell) -> None:
    shell.login()
    old = outdated(shell)
    code, out, _ = shell.run("request", "GET", "/2/users/me", "--account", "default")
    assert (code, json.loads(out)["data"]["username"]) == (0, "sandbox")
    new = shell.tokens()
    assert new is not None
    assert new.access_token != old.access_token
    assert shell.asked(TOKEN) == [200, 200]
    assert shell.run("token", "--account", "default") == (0, f"{new.access_token}\n", "")
    assert shell.asked(TOKEN) == [200, 200]


def test_a_token_that_has_ended_is_refreshed_before_it_is_printed(shell: Shell) -> None:
    shell.login()
    old = outdated(shell)
    code, out, _ = shell.run("token", "--account", "default")
    new = shell.tokens()
    assert new is not None
    assert (code, out) == (0, f"{new.access_token}\n")
    assert new.access_token != old.access_token


def test_a_public_client_is_known_by_the_account_alone(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.login("--account", "alice")
    monkeypatch.delenv("X_CLIENT_ID")
    assert shell.run("request", "GET", "/2/users/me", "--account", "alice")[0] == 0


def test_half_a_client_is_2_and_the_other_half_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.login()
    monkeypatch.delenv("X_CLIENT_ID")
    monkeypatch.setenv("X_CLIENT_SECRET", "planted-secret")
    code, _, err = shell.run("token", "--account", "default")
    assert (code, "set X_CLIENT_ID in the environment, beside X_CLIENT_SECRET" in err) == (2, True)
    assert "planted-secret" not in err


def test_an_account_whose_refresh_token_is_dead_is_1_and_is_asked_for_once(shell: Shell) -> None:
    shell.login()
    outdated(shell)
    revoked: list[RefreshToken] = list(shell.sandbox.oauth2.issued._refresh.values())
    shell.sandbox.oauth2.issued.revoke_family(revoked[0].grant.family)
    for _ in range(2):
        code, out, err = shell.run("request", "GET", "/2/users/me", "--account", "default")
        assert (code, out) == (1, "")
        assert "LoginRequired" in err
        assert "log in again" in err
    assert shell.asked(TOKEN) == [200, 400]
    [account] = shell.status()
    assert account["refreshable"] is False
    assert account["dead_since"] == pytest.approx(time.time(), abs=60)
    code, out, err = shell.run("status", at=False)
    assert "dead     since 20" in out
    assert "log in again" in out


@pytest.mark.parametrize("command", [("token",), ("request", "GET", "/x"), ("logout",)])
@pytest.mark.parametrize("with_client", [True, False])
@pytest.mark.parametrize("with_store", [True, False])
def test_an_account_that_is_not_stored_is_2_and_says_where_it_was_looked_for(
    shell: Shell, command: tuple[str, ...], with_client: bool, with_store: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_store:
        shell.keep(some_tokens(), account="another")
    if not with_client:
        monkeypatch.delenv("X_CLIENT_ID")
    code, out, err = shell.run(*command, "--account", "nobody")
    assert (code, out) == (2, "")
    assert "no account 'nobody'" in err
    assert str(shell.path) in err
    assert "sansauth login" in err
    assert shell.path.exists() is with_store
    assert shell.sandbox.log == []


@pytest.mark.parametrize("with_client", [True, False])
def test_an_account_of_another_service_is_not_called_as(
    shell: Shell, with_client: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.login()
    if not with_client:
        monkeypatch.delenv("X_CLIENT_ID")
    shell.base_url = "https://api.x.com"
    code, _, err = shell.run("request", "GET", "/2/users/me", "--account", "default")
    assert (code, "is stored for https://api.x.com/2/oauth2/token" in err) == (2, True)


def test_an_account_of_several_clients_is_2_until_one_is_said(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.login()
    mine = shell.sandbox.public_client.client_id
    shell.keep(some_tokens(), client_id="theirs")
    monkeypatch.delenv("X_CLIENT_ID")
    code, _, err = shell.run("token", "--account", "default")
    assert (code, f"{min(mine, 'theirs')}, {max(mine, 'theirs')}; say which by X_CLIENT_ID" in err) == (2, True)
    monkeypatch.setenv("X_CLIENT_ID", mine)
    assert shell.run("token", "--account", "default")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("request", "GET", "/x", "--account", "me", "--as", "app"), "--account or --as"),
        (("request", "GET", "/x"), "--account only"),
        (("token",), "--account only"),
    ],
)
def test_options_that_do_not_go_together_are_2(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = shell.run(*arguments)
    assert (code, said in err) == (2, True)


# --- the end ---------------------------------------------------------------------------------------------------------


def test_logout_revokes_and_removes(shell: Shell) -> None:
    shell.login("--account", "a")
    shell.login("--account", "b")
    held = shell.tokens("a")
    assert held is not None
    code, out, err = shell.run("logout", "--account", "a")
    assert (code, out) == (0, "")
    assert "Logged out: account 'a'" in err
    assert shell.asked(REVOKE) == [200, 200]
    assert [account["account"] for account in shell.status()] == ["b"]
    shell.keep(held, account="a")
    assert shell.run("request", "GET", "/2/users/me", "--account", "a")[0] == 1
    assert shell.run("logout")[0] == 2


@pytest.mark.parametrize(("status", "expected"), [(503, 1), (400, 1)])
def test_tokens_that_were_not_revoked_stay(shell: Shell, status: int, expected: int) -> None:
    shell.login()
    shell.sandbox.fail_next(status, times=2)
    assert shell.run("logout")[0] == expected
    assert shell.tokens() is not None
    assert shell.run("logout")[0] == 0
    assert shell.tokens() is None


def test_logout_from_a_service_that_is_gone_is_3_and_the_tokens_stay(shell: Shell) -> None:
    shell.login()
    shell.server.stop()
    assert shell.run("logout")[0] == 3
    assert shell.tokens() is not None
    assert shell.run("logout", "--local")[0] == 0
    assert shell.tokens() is None


# --- status ----------------------------------------------------------------------------------------------------------


def test_status_shows_every_account_and_no_token_and_sends_nothing(shell: Shell) -> None:
    now = time.time()
    shell.keep(some_tokens(issued_at=now, expires_at=now + 2 * HOUR + 30), "a fresh one")
    shell.keep(some_tokens(expires_at=now - 25 * HOUR), "ended")
    shell.keep(some_tokens(expires_at=now + 90, refresh_token=None), "last")
    shell.keep(some_tokens(expires_at=now - 5, refresh_token=None), "over")
    shell.keep(some_tokens(scopes=None), "silent")
    shell.keep(some_tokens(expires_at=10.0**14, scopes=()), "long")
    shell.keep(some_tokens().died(now - HOUR, "X said \x1b[31minvalid_grant"), "zdead")
    shell.keep(b"planted-access, not JSON", "Ärger")
    code, out, err = shell.run("status", at=False)
    assert (code, err) == (0, "")
    assert "planted" not in out
    assert "\x1b" not in out
    shown = dict(zip([line for line in out.splitlines() if not line.startswith(" ")], _blocks(out), strict=True))
    assert list(shown) == sorted(shown)
    assert "  service  " + shell.base_url + "/2/oauth2/token" in shown["ended"]
    assert "  client   " + shell.sandbox.public_client.client_id in shown["ended"]
    assert "  scopes   tweet.read users.read" in shown["ended"]
    assert "ends in 2 h, 20" in shown["a fresh one"]
    assert "UTC; it is refreshed then" in shown["a fresh one"]
    assert "ended 1 d 1 h ago, 20" in shown["ended"]
    assert "it is refreshed by the next call" in shown["ended"]
    assert "it cannot be refreshed, then log in again" in shown["last"]
    assert "it cannot be refreshed, so log in again" in shown["over"]
    assert "did not say when it ends" in shown["silent"]
    assert "scopes   those that were asked for" in shown["silent"]
    assert "scopes   none" in shown["long"]
    assert "9999-12-31" in shown["long"]
    assert "�[31minvalid_grant; log in again" in shown["zdead"]
    assert "is no oauth2-tokens of schema 1" in shown["Ärger"]
    assert shell.sandbox.log == []

    code, out, _ = shell.run("status", "--json", at=False)
    assert "planted" not in out
    assert out.count("\n") == 1
    listed = {account["account"]: account for account in json.loads(out)}
    assert listed["over"]["refreshable"] is False
    assert listed["zdead"]["dead_reason"] == "X said \x1b[31minvalid_grant"
    assert listed["Ärger"]["trouble"]
    assert listed["ended"]["scopes"] == ["tweet.read", "users.read"]
    assert set(listed["ended"]) == {
        "account", "client_id", "service", "scopes", "expires_at", "refreshable", "dead_since", "dead_reason", "trouble"
    }  # fmt: skip


def _blocks(out: str) -> list[str]:
    blocks: list[str] = []
    for line in out.splitlines():
        if line.startswith(" "):
            blocks[-1] += line + "\n"
        else:
            blocks.append("")
    return blocks


@pytest.mark.parametrize("command", ["status", "apps"])
def test_without_a_store_nothing_is_shown_and_none_is_made(shell: Shell, command: str) -> None:
    code, out, err = shell.run(command, at=False)
    assert (code, out) == (0, "")
    assert str(shell.path) in err
    assert shell.run(command, "--json", at=False) == (0, "[]\n", "")
    assert not shell.path.exists()


@pytest.mark.parametrize("command", ["status", "apps"])
def test_a_store_that_is_something_else_is_2_and_left_alone(shell: Shell, command: str) -> None:
    shell.path.write_text("no database, but long enough to be taken for one by its size alone" * 10)
    code, out, err = shell.run(command, at=False)
    assert (code, out) == (2, "")
    assert "no database" in err
    assert shell.path.read_text().startswith("no database")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (-61, "1 min 1 s"),
        (2 * HOUR, "2 h"),
        (2 * HOUR + 61, "2 h 1 min"),
        (2 * HOUR + 30, "2 h"),
        (25 * HOUR, "1 d 1 h"),
        (24 * HOUR + 60, "1 d"),
        (1e15, "2932896 d 23 h"),
    ],
)
def test_a_time_is_said_by_its_two_greatest_parts(seconds: float, words: str) -> None:
    assert span(seconds) == words


# --- apps ------------------------------------------------------------------------------------------------------------


def test_apps_shows_clients_and_consumer_keys_and_where(shell: Shell) -> None:
    provider = X.at(shell.base_url)
    shell.keep(some_tokens(), "a")
    shell.keep(some_tokens(), "b")
    shell.keep(some_tokens(), "c", client_id="other\x1b client")
    itself = OAuth2Client("itself", "planted-secret", scopes=["read"])
    shell.store.save(oauth2_tokens_key(itself, provider), some_tokens().to_bytes(), None)
    key = app_token_key(App("CK", "planted-secret"), provider)
    shell.store.save(key, AppToken("planted-token").to_bytes(), None)
    shell.store.save("app-token/odd", b"", None)
    code, out, err = shell.run("apps", at=False)
    assert (code, err) == (0, "")
    token_endpoint = f"{shell.base_url}/2/oauth2/token"
    mine = shell.sandbox.public_client.client_id
    assert sorted(out.splitlines()) == sorted(
        [
            f"client_id {mine}  {token_endpoint}  2 accounts",
            f"client_id other� client  {token_endpoint}  1 account",
            f"client_id itself  {token_endpoint}  0 accounts",
            f"consumer_key CK  {shell.base_url}  0 accounts",
        ]
    )
    code, out, _ = shell.run("apps", "--json", at=False)
    assert {"service": token_endpoint, "client_id": mine, "accounts": 2} in json.loads(out)
    assert {"service": shell.base_url, "consumer_key": "CK", "accounts": 0} in json.loads(out)
    assert "planted" not in out


# --- help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["login", "logout", "status", "apps", "doctor", "token", "request"])
def test_each_option_is_explained_in_80_columns(shell: Shell, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, text, _ = shell.run("help", command, at=False, stored=False)
    assert code == 0
    assert max(map(len, text.splitlines())) <= 80
    assert "--store FILE" in text
    options = text.partition("Options:\n")[2].partition("\n\n")[0].splitlines()
    assert [line for line in options if line.startswith("  -") and "  " not in line.strip()] == []
