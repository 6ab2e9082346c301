"""The command line as a process: what it makes of stdin, stdout, stderr and ports that are not to be had."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sansauth.testing import Sandbox
from sansauth_io import system_env
from sansauth_io.sandbox_server import SandboxServer

COMMAND = [sys.executable, "-m", "sansauth_io.cli"]
VERIFY = "/1.1/account/verify_credentials.json"
needs_dev_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")


class Started:
    """Starts the command with the credentials of a served sandbox."""

    def __init__(self, sandbox: Sandbox, base_url: str) -> None:
        self.sandbox, self.there = sandbox, ("--base-url", base_url)

    def run(self, *arguments: str, redirect: str = "", stdout: int = subprocess.PIPE) -> tuple[int, str, str]:
        """`redirect` is the shell's, such as `>&-`."""
        # Buffered, as it is for everybody: what a flush leaves in the buffer is flushed again at the end.
        dropped = ("X_", "PYTHONUNBUFFERED")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        environ |= {
            "X_CONSUMER_KEY": self.sandbox.app.consumer_key,
            "X_CONSUMER_SECRET": self.sandbox.app.consumer_secret,
            "X_ACCESS_TOKEN": self.sandbox.user.access_token,
            "X_ACCESS_TOKEN_SECRET": self.sandbox.user.access_token_secret,
        }
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {redirect}', "sh", *COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=environ,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout or "", done.stderr


@pytest.fixture
def started() -> Iterator[Started]:
    sandbox = Sandbox(env=system_env())
    with SandboxServer(sandbox) as server:
        yield Started(sandbox, server.base_url)


PRINTING = [("token",), ("request", "GET", VERIFY), ("sandbox",), ("demo",), ("--help",), ("--version",)]


def of(started: Started, command: tuple[str, ...]) -> tuple[str, ...]:
    return (*command, *started.there) if command[0] in {"token", "request"} else command


@needs_dev_full
@pytest.mark.parametrize("command", PRINTING, ids=lambda command: command[0])
def test_a_stdout_that_is_full_is_one_line_and_1(started: Started, command: tuple[str, ...]) -> None:
    code, _, err = started.run(*of(started, command), redirect=">/dev/full")
    said = err.removeprefix("200 application/json\n").splitlines()
    assert (code, len(said)) == (1, 1)
    assert "stdout" in said[0]
    assert "No space left" in said[0]


@pytest.mark.parametrize("command", PRINTING, ids=lambda command: command[0])
def test_a_pipe_that_is_broken_is_1_without_a_word(started: Started, command: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        code, _, err = started.run(*of(started, command), stdout=write)
    finally:
        os.close(write)
    assert (code, err.removeprefix("200 application/json\n")) == (1, "")


def test_with_stdout_closed_nothing_is_sent(started: Started) -> None:
    code, _, err = started.run("token", *started.there, redirect=">&-")
    assert (code, err.count("\n")) == (1, 1)
    assert "stdout is closed" in err
    assert started.sandbox.log == []


@needs_dev_full
@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-"])
def test_the_result_is_not_lost_to_a_stderr_that_takes_nothing(started: Started, redirect: str) -> None:
    code, out, _ = started.run("request", "GET", VERIFY, *started.there, redirect=redirect)
    assert code == 0
    assert '"screen_name"' in out
    assert started.run("request", "GET", "/nowhere", *started.there, redirect=redirect)[:2] == (1, "")


@pytest.mark.parametrize(
    ("redirect", "said"),
    [("<&-", "no token"), ("</dev/null", "no token"), ("<<E\n\nE", "no token"), ("<<E\n\udcff\nE", "as text")],
    ids=["closed", "empty", "blank", "bytes"],
)
def test_a_stdin_without_a_token_is_2(
    started: Started, redirect: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    code, out, err = started.run("invalidate-token", "-", *started.there, redirect=redirect)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert started.sandbox.log == []


def test_a_port_that_is_taken_is_one_line_and_2(started: Started) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = started.run("sandbox", "--port", str(port))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"port {port} " in err
    assert "in use" in err
    assert "--port" in err


@pytest.mark.parametrize("port", ["65536", "99999", "-1"])
def test_a_port_that_is_none_is_one_line_and_2(started: Started, port: str) -> None:
    code, out, err = started.run("sandbox", "--port", port)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "1 to 65535" in err
    assert port in err


def test_an_environment_that_httpx_does_not_take_is_one_line_and_2(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", __file__)
    code, out, err = started.run("token", "--transport", "httpx", *started.there)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "SSL_CERT_FILE" in err


def test_the_demo_needs_no_more_than_ascii(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    code, out, err = started.run("demo")
    assert (code, err) == (0, "")
    assert "All four steps" in out


WITHOUT = "import sys; sys.modules['h11'] = None\n"


def test_without_h11_the_sandbox_server_names_its_extra() -> None:
    script = f"{WITHOUT}import sansauth_io.sandbox_server"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("the sandbox server needs h11: pip install 'sansauth[trio]'")


@pytest.mark.parametrize("command", [("demo",), ("sandbox",), ("token", "--transport", "trio")])
def test_without_h11_a_command_that_needs_it_is_one_line_and_2(started: Started, command: tuple[str, ...]) -> None:
    script = f"{WITHOUT}from sansauth_io.cli import main\nsys.argv[1:] = {of(started, command)!r}\nmain()"
    environ = {**os.environ, "X_CONSUMER_KEY": "k", "X_CONSUMER_SECRET": "s"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environ)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "needs h11: pip install 'sansauth[cli]'" in done.stderr


def test_without_h11_the_other_commands_work(started: Started) -> None:
    script = f"{WITHOUT}from sansauth_io.cli import main\nsys.argv[1:] = {('token', *started.there)!r}\nmain()"
    app = started.sandbox.app
    environ = {**os.environ, "X_CONSUMER_KEY": app.consumer_key, "X_CONSUMER_SECRET": app.consumer_secret}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.strip()) > 40
