"""The command line: results alone on stdout, exit codes, credentials from the environment only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sansauth import Provider, Sleep, operation
from sansauth.errors import WrongIdentity
from sansauth.identity import App, Bearer, OAuth1User, OAuth2Client
from sansauth.oauth2 import begin_login
from sansauth.testing import Sandbox
from sansauth_io import system_env
from sansauth_io.cli import app as cli
from sansauth_io.cli import demo
from sansauth_io.requests import Client
from sansauth_io.sandbox_server import SandboxServer

TRANSPORTS = ["requests", "httpx", "trio"]
NAMES = ("X_CONSUMER_KEY", "X_CONSUMER_SECRET", "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET", "X_BEARER_TOKEN")


class Shell:
    """Runs commands in this process, against one served sandbox."""

    def __init__(self, sandbox: Sandbox, base_url: str, capture: pytest.CaptureFixture[str]) -> None:
        self.sandbox, self.base_url, self._capture = sandbox, base_url, capture

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            cli.run([*arguments, "--base-url", self.base_url])
        out, err = self._capture.readouterr()
        return int(exit_.value.code or 0), out, err


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    sandbox = Sandbox(env=system_env())
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("X_CONSUMER_KEY", sandbox.app.consumer_key)
    monkeypatch.setenv("X_CONSUMER_SECRET", sandbox.app.consumer_secret + "\n")  # as read from a file
    with SandboxServer(sandbox) as server:
        yield Shell(sandbox, server.base_url, capsys)


@pytest.fixture
def user(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_ACCESS_TOKEN", shell.sandbox.user.access_token)
    monkeypatch.setenv("X_ACCESS_TOKEN_SECRET", shell.sandbox.user.access_token_secret)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.usefixtures("user")
def test_the_life_of_a_token(shell: Shell, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    over = ("--transport", transport)
    first = shell.run("token", *over)
    assert first == shell.run("token", *over) == (0, first[1], "")
    token = first[1].strip()
    assert len(token) > 40
    assert "\n" not in token

    code, out, err = shell.run("request", "GET", "/1.1/account/verify_credentials.json", *over)
    assert (code, json.loads(out)["screen_name"]) == (0, "sandbox")
    assert err == "200 application/json\n"

    assert shell.run("invalidate-token", token, *over) == (0, token + "\n", "")
    assert shell.run("token", *over)[1].strip() != token

    monkeypatch.setenv("X_BEARER_TOKEN", token)
    code, out, err = shell.run("request", "GET", "/1.1/followers/ids.json", *over)
    assert (code, out) == (1, "")
    assert "answered 401 (code 89" in err
    assert token not in err

    code, out, err = shell.run("reverse-token", *over)
    assert (code, err) == (0, "")
    assert out.startswith("OAuth ")


def test_the_application_invalidates_its_own_token_read_from_stdin(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = shell.run("token")[1]
    read, write = os.pipe()
    os.write(write, token.encode())
    os.close(write)
    with os.fdopen(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert shell.run("invalidate-token", "-") == (0, token, "")
    assert shell.run("token")[1] != token


def test_a_request_carries_query_and_form_or_json(shell: Shell) -> None:
    code, out, _ = shell.run("request", "GET", "/1.1/followers/ids.json", "--param", "cursor=-1", "--param", "count=2")
    assert code == 0
    assert len(json.loads(out)["ids"]) == 2
    code, _, err = shell.run("request", "POST", "/nowhere", "--form", "a=b")
    assert (code, "code 34" in err) == (1, True)
    code, _, err = shell.run("request", "POST", "/nowhere", "--json", '{"text": "hi"}')
    assert (code, "code 34" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--form", "a=b", "--json", "{}"), "one body"),
        (("--json", "{"), "not JSON"),
        (("--json", '"\udcff"'), "not JSON"),
        (("--param", "cursor"), "NAME=VALUE"),
    ],
)
def test_wrong_use_of_a_request_is_2(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = shell.run("request", "POST", "/x", *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_missing_setting_is_2_and_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("X_CONSUMER_SECRET")
    code, out, err = shell.run("token")
    assert (code, out) == (2, "")
    assert "X_CONSUMER_SECRET" in err


def test_a_refusal_is_1_and_says_what_to_check(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_CONSUMER_SECRET", "planted-wrong-secret")
    code, out, err = shell.run("token")
    assert (code, out) == (1, "")
    assert "code 99" in err
    assert "Check the consumer key" in err
    assert "planted-wrong-secret" not in err


def test_an_unreachable_service_is_3(shell: Shell) -> None:
    shell.base_url = "http://127.0.0.1:1"
    code, out, err = shell.run("token")
    assert (code, out) == (3, "")
    assert "ConnectError" in err


def test_plain_http_to_another_machine_is_2(shell: Shell) -> None:
    shell.base_url = "http://example.com"
    code, _, err = shell.run("token")
    assert (code, "plain http" in err) == (2, True)


def credentials(**values: str) -> cli.Credentials:
    return cli.Credentials(values)


ALL = {name: f"v-{name}" for name in NAMES}
USER = ("X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET")


@pytest.mark.parametrize(
    ("method", "as_", "without", "kind"),
    [
        ("GET", "auto", (), Bearer),
        ("POST", "auto", (), OAuth1User),
        ("get", "auto", ("X_BEARER_TOKEN",), OAuth1User),
        ("POST", "auto", USER, Bearer),
        ("GET", "auto", (*USER, "X_BEARER_TOKEN"), App),
        ("GET", "auto", ("X_ACCESS_TOKEN",), Bearer),
        ("GET", "auto", ("X_CONSUMER_SECRET",), Bearer),
        ("POST", "auto", (*USER, "X_CONSUMER_SECRET"), Bearer),
        ("POST", "app", ("X_ACCESS_TOKEN",), App),
        ("POST", "bearer", ("X_ACCESS_TOKEN", "X_CONSUMER_KEY"), Bearer),
        ("GET", "user", (), OAuth1User),
        ("POST", "app", (), App),
        ("POST", "bearer", (), Bearer),
    ],
)
def test_who_calls(method: str, as_: str, without: tuple[str, ...], kind: type) -> None:
    held = credentials(**{name: value for name, value in ALL.items() if name not in without})
    assert type(held.caller(method, cli.As(as_))) is kind


def test_a_forced_kind_names_what_it_misses() -> None:
    with pytest.raises(WrongIdentity, match="X_ACCESS_TOKEN_SECRET"):
        credentials(X_CONSUMER_KEY="k", X_CONSUMER_SECRET="s").caller("GET", cli.As.USER)


@pytest.mark.parametrize("missing", USER)
@pytest.mark.parametrize(
    "arguments",
    [
        ("invalidate-token", "AAAA"),
        ("request", "GET", "/x"),
        ("request", "POST", "/x"),
        ("request", "GET", "/x", "--as", "user"),
    ],
)
@pytest.mark.usefixtures("user")
def test_half_a_user_is_2_and_the_other_half_is_named(
    shell: Shell, arguments: tuple[str, ...], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(missing, " ")
    code, out, err = shell.run(*arguments)
    assert (code, out) == (2, "")
    assert f"set {missing} in the environment" in err
    assert shell.sandbox.log == []


def test_with_half_a_user_a_bearer_token_does_not_write(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_BEARER_TOKEN", "AAAA")
    monkeypatch.setenv("X_ACCESS_TOKEN", "1-a")
    code, _, err = shell.run("request", "POST", "/x")
    assert (code, "set X_ACCESS_TOKEN_SECRET in" in err) == (2, True)
    assert shell.sandbox.log == []


@pytest.mark.parametrize(
    "arguments", [("token",), ("reverse-token",), ("request", "GET", "/1.1/followers/ids.json", "--as", "app")]
)
@pytest.mark.parametrize("missing", USER)
@pytest.mark.usefixtures("user")
def test_half_a_user_is_nothing_to_the_application(
    shell: Shell, arguments: tuple[str, ...], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(missing)
    assert shell.run(*arguments)[0] == 0


@pytest.mark.parametrize("missing", ["X_CONSUMER_KEY", "X_CONSUMER_SECRET"])
@pytest.mark.parametrize(
    "arguments",
    [("token",), ("reverse-token",), ("invalidate-token", "AAAA"), ("request", "GET", "/x"), ("request", "PUT", "/x")],
)
@pytest.mark.parametrize("with_user", [False, True])
def test_half_an_application_is_2_and_the_other_half_is_named(
    shell: Shell, arguments: tuple[str, ...], missing: str, with_user: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_user:
        monkeypatch.setenv("X_ACCESS_TOKEN", "1-a")
        monkeypatch.setenv("X_ACCESS_TOKEN_SECRET", "planted-secret")
    monkeypatch.delenv(missing)
    code, out, err = shell.run(*arguments)
    assert (code, out) == (2, "")
    assert f"set {missing} in the environment" in err
    assert "planted-secret" not in err
    assert shell.sandbox.log == []


def test_all_that_a_user_misses_is_named_at_once() -> None:
    with pytest.raises(WrongIdentity, match="set X_CONSUMER_KEY and X_ACCESS_TOKEN_SECRET in"):
        credentials(X_CONSUMER_SECRET="s", X_ACCESS_TOKEN="t").caller("POST", cli.As.AUTO)


PYTHON_API = (
    "OAuth1User",
    "App ",
    "an App",
    "Bearer token;",
    "provider.",
    "=True",
    "identity of",
    "Authorization header",
)


@pytest.mark.parametrize(
    ("refusal", "arguments", "said"),
    [
        ((403, 348), ("invalidate-token", "AAAA"), "X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET"),
        ((403, 220), ("request", "GET", "/x"), "--as user"),
        ((400, 215), ("request", "GET", "/x"), "--as"),
        (None, ("request", "GET", "https://other.test/x"), "--base-url"),
        (None, ("request", "GET", "http://other.test/x"), "https"),
    ],
    ids=["348", "220", "215", "foreign host", "plain http"],
)
def test_what_to_check_is_a_variable_or_a_flag(
    shell: Shell,
    refusal: tuple[int, int] | None,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("X_BEARER_TOKEN", "AAAA")
    if refusal is not None:
        status, number = refusal
        body = json.dumps({"errors": [{"code": number, "message": "No."}]}).encode()
        shell.sandbox.fail_next(status, body)
    code, out, err = shell.run(*arguments)
    assert (code, out) == (1 if refusal else 2, "")
    assert said in err
    assert refusal is None or f'answered {refusal[0]} (code {refusal[1]}, "No.").' in err
    assert [words for words in PYTHON_API if words in err] == []
    assert len(shell.sandbox.log) == (refusal is not None)


def test_the_demo_shows_four_steps_on_three_transports_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.run(["demo"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    for transport in TRANSPORTS:
        assert f"over {transport}" in out
    for step in ("token", "request", "reverse-token", "invalidate-token"):
        assert out.count(f"│ {step} ") == 3
    assert out.count("│ 200 ") == 12
    assert "Authorization: Basic ***" in out
    assert "%2F" not in out  # every bearer token of the sandbox has one


def test_a_trace_passes_errors_on_and_sees_what_happens_under_a_lock() -> None:
    from sansauth import Exclusive, Flow, Request, Response, Send
    from sansauth_io.cli.trace import traced

    seen: list[str] = []

    @operation
    def body():  # type: ignore[no-untyped-def]
        try:
            yield from Sleep(1.0)
        except RuntimeError:
            return (yield from Send(Request("GET", "https://api.x.com/1")))

    @operation
    def outer():  # type: ignore[no-untyped-def]
        return (yield from Exclusive("k", body()))

    flow = Flow(traced(outer(), lambda request, response: seen.append(f"{request.path} {response.status}")))
    inner = flow.body()
    inner.fail(RuntimeError())
    inner.receive(Response(204))
    flow.resume(inner.result)
    assert seen == ["/1 204"]
    assert flow.result == Response(204)


def pushed_login(base_url: str, client: OAuth2Client) -> str:
    """The URL of a login that the client has pushed, for which it has to authenticate."""
    with Client(client) as asking:
        provider = asking.run(Provider.discover(base_url))
        login = begin_login(
            client, ["tweet.read"], provider=provider, env=system_env(), redirect_uri="https://a.test/", push=True
        )
        return asking.run(login).url


def test_the_served_sandbox_prints_one_json_line_and_ends_with_0_on_ctrl_c() -> None:
    command = [sys.executable, "-m", "sansauth_io.cli", "sandbox"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = json.loads(process.stdout.readline())
            environ = {f"X_{name.upper()}": value for name, value in line.items()}
            pushed = [
                pushed_login(line["base_url"], OAuth2Client(line["client_id"], line["client_secret"])),
                pushed_login(line["base_url"], OAuth2Client(line["public_client_id"])),
            ]
            token = subprocess.run(
                [sys.executable, "-m", "sansauth_io.cli", "token", "--base-url", line["base_url"]],
                env={**os.environ, **environ},
                capture_output=True,
                check=False,
                text=True,
            )
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=10)
        finally:
            process.kill()
    names = {"base_url", "consumer_key", "consumer_secret", "access_token", "access_token_secret"}
    assert set(line) == names | {"client_id", "client_secret", "public_client_id"}
    assert all("request_uri=" in url for url in pushed)
    assert line["client_secret"] not in err
    assert len(token.stdout.strip()) > 40
    assert (token.returncode, token.stderr) == (0, "")
    assert process.returncode == 0
    assert out == ""
    assert line["consumer_secret"] not in err


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["--help"], 0), (["nonsense"], 2), ([], 2)])
def test_usage(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.run(arguments)
    assert exit_.value.code == code
    out, err = capsys.readouterr()
    assert (out or err).strip()


def helped(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_:
        cli.run([*arguments])
    assert exit_.value.code == 0
    return capsys.readouterr().out


def test_the_overview_names_each_variable_exit_code_and_command_in_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    overview = helped(capsys, "--help")
    assert overview == helped(capsys, "-h") == helped(capsys, "help")
    for name in (*NAMES, "  0  done", "  1  ", "  2  ", "  3  "):
        assert name in overview
    assert "..." not in overview.partition("Commands:")[2]  # no command's line is cut short


@pytest.mark.parametrize(
    "command", ["help", "demo", "sandbox", "token", "invalidate-token", "reverse-token", "request"]
)
def test_each_option_of_each_command_is_explained_in_80_columns(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = helped(capsys, command, "--help")
    assert text == helped(capsys, "help", command)
    assert max(map(len, text.splitlines())) <= 80
    assert "<" not in text.partition("Options:")[2]  # a type of Python where a name would say more
    options = text.partition("Options:\n")[2].partition("\n\n")[0].splitlines()
    assert [line for line in options if line.startswith("  -") and "  " not in line.strip()] == []


def test_the_help_of_a_request_names_what_goes_where(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "request", "--help")
    for words in ("METHOD", "URL_OR_PATH", "--param NAME=VALUE", "--form NAME=VALUE", "--json JSON", "Examples:"):
        assert words in text


def test_the_help_of_no_command_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.run(["help", "nonsense"])
    assert exit_.value.code == 2
    assert "nonsense" in capsys.readouterr().err


def test_without_the_extra_the_command_says_what_to_install() -> None:
    script = "import sys; sys.modules['typer'] = None\nfrom sansauth_io.cli import main\nmain()"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "pip install 'sansauth[cli]'" in result.stderr
    assert result.stdout == ""


def test_a_terminal_gets_json_indented(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    _, out, _ = shell.run("request", "GET", "/1.1/followers/ids.json", "--param", "count=1")
    assert out.startswith("{\n  ")


@pytest.mark.parametrize("body", [b"", b"not JSON", b'"\\ud800"'])
def test_a_terminal_gets_what_is_labelled_as_json_and_is_none(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("X_BEARER_TOKEN", "AAAA")
    shell.sandbox.fail_next(200, body)
    code, out, _ = shell.run("request", "POST", "/x")
    assert (code, out.strip()) == (0, body.decode())


def test_a_step_that_fails_ends_the_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(demo, "FOLLOWERS", "/1.1/nothing.json")
    with pytest.raises(SystemExit) as exit_:
        cli.run(["demo"])
    assert exit_.value.code == 1
    assert "code 34" in capsys.readouterr().err
