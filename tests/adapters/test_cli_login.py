"""`sansauth login`: by a browser, by pasting, by a device, by PIN; and every way in which it does not end well."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sansauth.testing import Sandbox
from sansauth_io import system_env
from sansauth_io.sandbox_server import SandboxServer

from .cli_shell import FREE_PORT, SECONDS, Shell, serve_shell

TRANSPORTS = ["requests", "httpx", "trio"]
COMMAND = [sys.executable, "-m", "sansauth_io.cli"]
ASKED = ["tweet.read", "users.read", "offline.access"]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Shell]:
    yield from serve_shell(monkeypatch, capsys, tmp_path / "tokens.sqlite3")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_login_ends_in_an_account_that_calls(shell: Shell, transport: str) -> None:
    over = ("--transport", transport)
    code, out, err = shell.login("--account", "alice", *over)
    assert code == 0, err
    tokens = shell.tokens("alice")
    assert tokens is not None
    assert tokens.refresh_token is not None
    account = json.loads(out)
    assert out.count("\n") == 1
    assert (account["account"], account["client_id"]) == ("alice", shell.sandbox.public_client.client_id)
    assert (account["service"], account["store"]) == (f"{shell.base_url}/2/oauth2/token", str(shell.path))
    assert (account["scopes"], account["refreshable"]) == (ASKED, True)
    assert 7000 < account["expires_at"] - time.time() <= 7200
    assert not any(secret in out + err for secret in (tokens.access_token, tokens.refresh_token))
    assert "Logged in: account 'alice'" in err

    code, out, err = shell.run("request", "GET", "/2/users/me", "--account", "alice", *over)
    assert (code, json.loads(out)["data"]["username"]) == (0, "sandbox")
    assert shell.run("token", "--account", "alice", *over) == (0, f"{tokens.access_token}\n", "")


def test_a_confidential_client_logs_in_with_its_secret(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    client = shell.sandbox.oauth2_client
    monkeypatch.setenv("X_CLIENT_ID", client.client_id)
    monkeypatch.setenv("X_CLIENT_SECRET", f"{client.client_secret}\n")
    code, out, err = shell.login()
    assert (code, json.loads(out)["client_id"]) == (0, client.client_id)
    assert str(client.client_secret) not in out + err


def test_the_page_on_this_machine_and_what_is_said_repeat_nothing_of_the_answer(shell: Shell) -> None:
    came_back: list[str] = []

    def approve(url: str) -> str:
        came_back.append(shell.sandbox.approve(url))
        return came_back[0]

    shell.browser = approve
    code, out, err = shell.login()
    assert code == 0
    [page] = shell.pages
    assert "Go back to the program" in page
    answer = re.search(r"[?&]code=([^&]+)", came_back[0])
    assert answer is not None
    assert answer[1] not in page + out + err
    state = re.search(r"[?&]state=([^&]+)", came_back[0])
    assert state is not None
    assert state[1] not in page + out


def test_the_url_is_said_and_no_browser_is_opened_if_it_shall_not_be(shell: Shell) -> None:
    shell.browser = lambda url: pytest.fail("a browser was opened")
    code, out, err = shell.login("--no-browser", "--timeout", "1")
    assert (code, out) == (1, "")
    assert f"{shell.base_url}/i/oauth2/authorize?response_type=code" in err


def test_where_no_browser_opens_the_person_is_told(shell: Shell) -> None:
    shell.monkeypatch.setattr("webbrowser.open", lambda url: False)
    code, _, err = shell.login("--timeout", "1")
    assert (code, "No browser could be opened here" in err) == (1, True)


def test_a_login_replaces_the_account_of_that_name(shell: Shell) -> None:
    shell.login("--account", "me")
    first = shell.tokens("me")
    assert shell.login("--account", "me")[0] == 0
    second = shell.tokens("me")
    assert first is not None
    assert second is not None
    assert not second.is_same_generation(first)
    assert [account["account"] for account in shell.status()] == ["me"]


def test_claims_of_logins_that_are_over_are_tidied_away(shell: Shell) -> None:
    past = json.dumps({"schema": 1, "kind": "login-claim", "expires_at": 1}).encode()
    shell.store.save("login/old", past, None)
    assert shell.login()[0] == 0
    assert "login/old" not in list(shell.store.keys("login/"))


def test_without_a_refresh_token_the_person_is_told_how_long_it_lasts(shell: Shell) -> None:
    code, out, err = shell.login("--scope", "tweet.read users.read", "--scope", "like.read")
    assert (code, json.loads(out)["scopes"]) == (0, ["tweet.read", "users.read", "like.read"])
    assert json.loads(out)["refreshable"] is False
    assert re.search(r"no refresh token: the login ends in (2 h|1 h 59 min)\. X gives one .*offline.access", err)


def test_what_was_not_granted_is_said(shell: Shell) -> None:
    granted = {"access_token": "planted-token", "token_type": "bearer", "scope": "tweet.read", "expires_in": 90}

    def approve(url: str) -> str:
        callback = shell.sandbox.approve(url)
        shell.sandbox.fail_next(200, json.dumps(granted).encode())
        return callback

    shell.browser = approve
    code, out, err = shell.login()
    assert (code, json.loads(out)["scopes"]) == (0, ["tweet.read"])
    assert "Not granted: users.read, offline.access." in err
    assert "the login ends in 1 min" in err
    assert "planted-token" not in out + err


# --- what does not end well ------------------------------------------------------------------------------------------


def wrong_state(shell: Shell) -> str:
    def approve(url: str) -> str:
        return re.sub("state=[^&]+", "state=planted-state", shell.sandbox.approve(url))

    shell.browser = approve
    return "belongs to another login"


def denied(shell: Shell) -> str:
    shell.browser = shell.sandbox.deny
    return "the user did not let the application in"


def no_code(shell: Shell) -> str:
    shell.browser = lambda url: re.sub("code=[^&]+", "x=planted-state", shell.sandbox.approve(url))
    return "no answer to this login"


def page_error(shell: Shell) -> str:
    shell.browser = lambda url: re.sub("code=[^&]+", "error=server_error", shell.sandbox.approve(url))
    return "ended the login: server_error"


def nobody(shell: Shell) -> str:
    shell.browser = lambda url: None
    return "no browser came back to this machine within 1 s"


@pytest.mark.parametrize("trouble", [wrong_state, denied, no_code, page_error, nobody], ids=lambda one: one.__name__)
def test_a_login_that_does_not_end_well_is_a_sentence_and_1(shell: Shell, trouble: Callable[[Shell], str]) -> None:
    said = trouble(shell)
    code, out, err = shell.login("--timeout", "1" if trouble is nobody else "60")
    assert (code, out) == (1, "")
    assert said in err.splitlines()[-1]
    assert "planted-state" not in err
    assert shell.tokens() is None
    assert shell.asked("/2/oauth2/token") == []


def test_a_wrong_secret_is_1_and_says_which_to_check(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_CLIENT_ID", shell.sandbox.oauth2_client.client_id)
    monkeypatch.setenv("X_CLIENT_SECRET", "planted-wrong-secret")
    code, out, err = shell.login()
    assert (code, out) == (1, "")
    assert "they are not the API key and secret" in err
    assert "planted-wrong-secret" not in err
    assert shell.tokens() is None


def test_a_service_that_is_gone_by_then_is_3(shell: Shell) -> None:
    def approve(url: str) -> str:
        callback = shell.sandbox.approve(url)
        shell.server.stop()
        return callback

    shell.browser = approve
    code, out, err = shell.login()
    assert (code, out) == (3, "")
    assert "ConnectError" in err


@pytest.mark.parametrize("without", ["X_CLIENT_ID", "both"])
def test_without_a_client_it_is_2_and_the_variable_is_named(
    shell: Shell, without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("X_CLIENT_ID")
    if without == "X_CLIENT_ID":
        monkeypatch.setenv("X_CLIENT_SECRET", "planted-secret")
    code, out, err = shell.login()
    assert (code, out) == (2, "")
    assert "set X_CLIENT_ID in the environment" in err
    assert ("X_CLIENT_SECRET, which is there" in err) is (without == "X_CLIENT_ID")
    assert "planted-secret" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--redirect-uri", "https://app.example/done"), "give --paste"),
        (("--redirect-uri", "http://127.0.0.1:99999/"), "give --paste"),
        (("--redirect-uri", "done", "--paste"), "absolute URI"),
        (("--redirect-uri", "http://app.example/done", "--paste"), "https"),
        (("--scope", "naïve"), "printable ASCII"),
        (("--timeout", "0"), "--timeout"),
        (("--device",), "knows no logins of devices"),
        (("--oauth1", "--paste"), "--oauth1 goes with"),
        (("--oauth1", "--scope", "a"), "--oauth1 goes with"),
        (("--account", ""), "account"),
    ],
)
def test_wrong_use_is_2_before_anybody_is_asked(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    shell.browser = lambda url: pytest.fail("a browser was opened")
    if arguments == ("--device",):
        shell.base_url = "https://api.x.com"  # known to have none: nothing is sent
    code, out, err = shell.login(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert shell.sandbox.log == []


def test_a_store_that_cannot_be_is_2_before_anybody_is_asked(shell: Shell) -> None:
    shell.browser = lambda url: pytest.fail("a browser was opened")
    shell.path = shell.path.parent
    code, out, err = shell.login()
    assert (code, out) == (2, "")
    assert "is a directory" in err


# --- without a way back ----------------------------------------------------------------------------------------------


def test_a_pasted_url_finishes_a_login_whose_browser_runs_elsewhere(shell: Shell) -> None:
    def approve(url: str) -> None:
        shell.type(shell.sandbox.approve(url) + "\n")

    shell.browser = approve
    code, out, err = shell.login("--paste", redirect_uri="https://app.example/done")
    assert (code, json.loads(out)["account"]) == (0, "default")
    assert "Paste the URL" in err


@pytest.mark.parametrize(("typed", "code", "said"), [("", 2, "nothing was entered"), ("hunter2\n", 1, "whole URL")])
def test_a_paste_that_is_no_answer_is_a_sentence(shell: Shell, typed: str, code: int, said: str) -> None:
    shell.browser = lambda url: None
    shell.type(typed)
    found, out, err = shell.login("--paste", redirect_uri="https://app.example/done")
    assert (found, out) == (code, "")
    assert said in err
    assert "hunter2" not in err


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_port_that_is_taken_is_2_or_asks_who_sits_at_a_terminal(shell: Shell, is_terminal: bool) -> None:
    def approve(url: str) -> None:
        shell.type(shell.sandbox.approve(url) + "\n", is_terminal=True)

    shell.browser = approve
    shell.type("", is_terminal=is_terminal)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = shell.login(redirect_uri=f"http://127.0.0.1:{port}/callback")
    assert f"127.0.0.1:{port}/callback cannot be had" in err
    assert (code, bool(out)) == ((0, True) if is_terminal else (2, False))
    assert ("--paste" in err) is not is_terminal


# --- a device, a PIN -------------------------------------------------------------------------------------------------


def on_device(shell: Shell, answer: Callable[[str], None]) -> tuple[int, str, str]:
    """Log in on a device whose user decides while it sleeps."""

    def sleep(seconds: float) -> None:
        [device] = shell.sandbox.oauth2.waiting._devices.values()
        answer(f"{shell.base_url}/device?user_code={device.user_code}")

    shell.monkeypatch.setattr("sansauth_io._driver_sync.time.sleep", sleep)
    return shell.run("login", "--device", "--account", "tv")


def test_a_device_logs_in_by_a_code(shell: Shell) -> None:
    def approve(url: str) -> None:
        decide(shell, url, "authorize")

    code, out, err = on_device(shell, approve)
    assert (code, json.loads(out)["account"]) == (0, "tv"), err
    assert f"{shell.base_url}/device" in err
    assert re.search(r"^  [A-Z]{4}-[A-Z]{4}$", err, re.MULTILINE)
    tokens = shell.tokens("tv")
    assert tokens is not None
    assert tokens.access_token not in out + err


def test_a_device_that_is_denied_is_1(shell: Shell) -> None:
    code, out, err = on_device(shell, lambda url: decide(shell, url, "cancel"))
    assert (code, out) == (1, "")
    assert "the user did not let the application in" in err


@pytest.mark.parametrize("status", [404, 200])
def test_a_service_that_publishes_no_device_endpoint_is_2(shell: Shell, status: int) -> None:
    document = json.dumps({"issuer": shell.base_url}).encode()
    shell.sandbox.fail_next(status, document, times=2)
    code, out, err = shell.run("login", "--device")
    assert (code, out) == (2, "")
    assert "knows no logins of devices" in err


def decide(shell: Shell, url: str, decision: str) -> None:
    page = urllib.parse.urlsplit(url)
    body = f"{page.query}&decision={decision}".encode()
    urllib.request.urlopen(f"{shell.base_url}{page.path}", body, timeout=SECONDS).close()


def test_oauth_1_logs_in_by_a_pin_and_prints_the_credentials(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    app = shell.sandbox.app
    monkeypatch.setenv("X_CONSUMER_KEY", app.consumer_key)
    monkeypatch.setenv("X_CONSUMER_SECRET", app.consumer_secret)

    def approve(url: str) -> None:
        shell.type(shell.sandbox.approve(url) + "\n")

    shell.browser = approve
    code, out, err = shell.run("login", "--oauth1", stored=False)
    held = json.loads(out)
    assert (code, held["screen_name"]) == (0, "sandbox")
    assert held["access_token_secret"] not in err
    assert not shell.path.exists()
    monkeypatch.setenv("X_ACCESS_TOKEN", held["access_token"])
    monkeypatch.setenv("X_ACCESS_TOKEN_SECRET", held["access_token_secret"])
    assert shell.run("request", "GET", "/1.1/account/verify_credentials.json", "--as", "user", stored=False)[0] == 0


def test_a_wrong_pin_is_1(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_CONSUMER_KEY", shell.sandbox.app.consumer_key)
    monkeypatch.setenv("X_CONSUMER_SECRET", shell.sandbox.app.consumer_secret)
    shell.browser = lambda url: shell.type("1234567\n")
    code, out, err = shell.run("login", "--oauth1", stored=False)
    assert (code, out) == (1, "")
    assert "answered 401" in err


# --- as a process ----------------------------------------------------------------------------------------------------

BROWSER = """
import sys, urllib.parse, urllib.request
print("noise of a browser", flush=True)
page = urllib.parse.urlsplit(sys.argv[1])
target = page._replace(query="").geturl()
body = (page.query + "&decision=authorize").encode()
urllib.request.urlopen(target, body, timeout=10).close()
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[SandboxServer, dict[str, str]]]:
    sandbox = Sandbox(env=system_env())
    (tmp_path / "browser.py").write_text(BROWSER)
    with SandboxServer(sandbox) as server:
        dropped = ("X_", "HTTP_PROXY", "http_proxy")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        yield server, {**environ, "X_CLIENT_ID": sandbox.public_client.client_id}


def test_nothing_but_the_account_is_on_stdout_whatever_the_browser_writes_there(
    started: tuple[SandboxServer, dict[str, str]], tmp_path: Path
) -> None:
    server, environ = started
    environ["BROWSER"] = f"{sys.executable} {tmp_path / 'browser.py'} %s"
    store = tmp_path / "tokens.sqlite3"
    arguments = ["login", "--base-url", server.base_url, "--store", str(store), "--redirect-uri", FREE_PORT]
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["account"] == "default"
    assert "noise of a browser" in done.stderr
    assert store.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("waits", ["loopback", "paste"])
def test_ctrl_c_while_a_person_is_waited_for_is_a_sentence_and_130(
    started: tuple[SandboxServer, dict[str, str]], tmp_path: Path, waits: str
) -> None:
    server, environ = started
    arguments = ["login", "--no-browser", "--base-url", server.base_url, "--store", str(tmp_path / "s")]
    arguments += ["--paste"] if waits == "paste" else ["--redirect-uri", FREE_PORT]
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            said = ""
            while "/authorize?" not in said:
                said = process.stderr.readline()
                assert said
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)  # stdin stays open: its end would be an answer, too
            out, err = process.stdout.read(), process.stderr.read()
        finally:
            process.kill()
    assert (process.returncode, out) == (130, "")
    assert "The login was given up; nothing was stored." in err
    assert "Traceback" not in err
