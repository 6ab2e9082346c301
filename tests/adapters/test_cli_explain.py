"""`sansauth explain`: the same as the core's, from a shell; nothing is sent, and no secret is shown."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sansauth import App, OAuth1User, build_request
from sansauth.oauth1 import base_string, explain, read_curl, sign
from sansauth.x import X
from sansauth_io.cli import app as cli

from .hostile_server import HostileServer, answers, http

SECRETS = {"X_CONSUMER_SECRET": "canary-consumer-secret", "X_ACCESS_TOKEN_SECRET": "canary-token-secret"}
NAMES = {"X_CONSUMER_KEY": "CK", "X_ACCESS_TOKEN": "12-token", **SECRETS}
USER = OAuth1User(App("CK", SECRETS["X_CONSUMER_SECRET"]), "12-token", SECRETS["X_ACCESS_TOKEN_SECRET"])
PATH = "/1.1/statuses/update.json"
URL = f"https://api.x.com{PATH}"
AT = ("--timestamp", "1318622958", "--nonce", "n")
CURL = shutil.which("curl")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("X_BEARER_TOKEN", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NAMES.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


class Shell:
    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            cli.run(["explain", *arguments])
        out, err = self._capture.readouterr()
        assert not any(secret in out + err for secret in SECRETS.values())
        return int(exit_.value.code or 0), out, err


def signed(url: str = URL, identity: App | OAuth1User = USER, method: str = "HMAC-SHA1") -> str:
    request = build_request("POST", url, form={"status": "a b"})
    return sign(request, identity, timestamp=1318622958, nonce="n", method=method).headers["authorization"]


def test_an_unsigned_request_is_laid_out(shell: Shell) -> None:
    code, out, err = shell.run("POST", PATH, "--param", "a=b", "--form", "status=a b", *AT)
    assert (code, err) == (0, "")
    request = build_request("POST", URL, params={"a": "b"}, form={"status": "a b"})
    expected = explain(request, USER, timestamp="1318622958", nonce="n", provider=X)
    assert out == expected.to_text()
    code, out, _ = shell.run("POST", PATH, "--param", "a=b", "--form", "status=a b", *AT, "--format", "json")
    document = json.loads(out)
    assert (code, document["matches"]) == (0, None)
    assert document["base_string"] == base_string(request, USER, timestamp=1318622958, nonce="n")


def test_time_and_nonce_are_now_and_random_unless_given(shell: Shell) -> None:
    first, second = (json.loads(shell.run("GET", "/a", "--format", "json")[1]) for _ in range(2))
    nonces = [p["value"] for document in (first, second) for p in document["parameters"] if p["name"] == "oauth_nonce"]
    assert len({*nonces}) == 2
    assert all(len(nonce) == 32 for nonce in nonces)


@pytest.mark.parametrize(
    ("arguments", "method", "names_token"),
    [((), "HMAC-SHA1", True), (("--as", "user"), "HMAC-SHA1", True), (("--as", "app"), "HMAC-SHA1", False),
     (("--signature-method", "HMAC-SHA256"), "HMAC-SHA256", True)],
)  # fmt: skip
def test_who_signs_and_how(shell: Shell, arguments: tuple[str, ...], method: str, names_token: bool) -> None:
    document = json.loads(shell.run("GET", "/a", "--format", "json", *arguments)[1])
    assert document["signature_method"] == method
    assert ("oauth_token" in [parameter["name"] for parameter in document["parameters"]]) is names_token


def test_without_a_user_it_is_the_application(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("X_ACCESS_TOKEN")
    monkeypatch.delenv("X_ACCESS_TOKEN_SECRET")
    assert json.loads(shell.run("GET", "/a", "--format", "json")[1])["key"]["token_secret_length"] is None


def test_a_right_signature_is_0_and_a_wrong_one_is_1(shell: Shell) -> None:
    request = ("POST", URL, "--form", "status=a b")
    code, out, err = shell.run(*request, "--header", f"Authorization: {signed()}")
    assert (code, err) == (0, "")
    assert out.startswith("The signature is right.")
    elsewhere = signed(URL.replace("api.x.com", "api.twitter.com"))
    code, out, err = shell.run(*request, "--header", f"authorization:{elsewhere}")
    assert (code, err) == (1, "")
    assert "It was signed for the host api.twitter.com" in out
    assert "seconds before now" in out


def test_another_scheme_is_judged_unless_a_nonce_is_given(shell: Shell) -> None:
    request = ("GET", "/a", "--header", "Authorization: Bearer AAAA")
    code, out, _ = shell.run(*request)
    assert (code, "the scheme is Bearer" in out) == (1, True)
    code, out, _ = shell.run(*request, "--nonce", "n")
    assert (code, "takes its place" in out) == (0, True)


def test_a_curl_command_from_the_arguments_and_from_stdin(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    command = f"curl '{URL}' \\\n -H 'Authorization: {signed()}' \\\n --data-urlencode 'status=a b'\n"
    assert shell.run("--curl", command)[0] == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(command.replace("a b", "ab")))
    code, out, _ = shell.run("--curl", "-")
    assert (code, out.startswith("The signature is wrong")) == (1, True)


def test_the_url_as_it_was_written_is_known(shell: Shell) -> None:
    code, out, _ = shell.run("GET", "https://API.x.com/a#top", *AT)
    assert (code, "the URL's fragment" in out) == (0, True)
    code, out, _ = shell.run("GET", "/a", "--base-url", "http://127.0.0.1:8080", *AT)
    assert "http://127.0.0.1:8080/a" in out


def test_a_json_body_is_not_signed(shell: Shell) -> None:
    code, out, _ = shell.run("POST", "/2/tweets", "--json", '{"text":"hi"}')
    assert (code, "the body (application/json, 13 bytes)" in out) == (0, True)
    code, out, _ = shell.run("POST", "/a", "--json", "{}", "--header", "Content-Type: application/problem+json")
    assert "application/problem+json" in out


def test_each_format_goes_to_a_file_too(shell: Shell, tmp_path: Path) -> None:
    for name, beginning in (("text", "The request"), ("json", "{"), ("html", "<!DOCTYPE html>")):
        file = tmp_path / name
        code, out, err = shell.run("GET", "/a", "--param", "q=é", "--format", name, "--output", str(file))
        assert (code, out, err) == (0, "", "")
        assert file.read_text(encoding="utf-8").startswith(beginning)
    code, out, err = shell.run("GET", "/a", "--output", str(tmp_path))
    assert (code, out) == (2, "")
    assert "--output could not be written: Is a directory" in err


def test_colour_is_for_a_terminal_that_wants_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "\x1b[" in shell.run("GET", "/a")[1]
    assert "\x1b[" not in shell.run("GET", "/a", "--format", "json")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in shell.run("GET", "/a")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give METHOD and URL_OR_PATH, or --curl"),
        (("GET",), "give METHOD and URL_OR_PATH, or --curl"),
        (("GET", "/a", "--curl", "curl /a"), "leave out METHOD"),
        (("--curl", "curl /a", "--header", "a: b"), "leave out METHOD"),
        (("--curl", "wget"), "begin with `curl`"),
        (("POST", "/a", "--form", "a=b", "--json", "{}"), "one body"),
        (("POST", "/a", "--json", "{"), "not JSON"),
        (("GET", "/a", "--param", "a"), "--param takes NAME=VALUE"),
        (("GET", "/a", "--header", "canary"), "--header takes 'NAME: VALUE'"),
        (("GET", "/a", "--signature-method", "MD5"), "not one of HMAC-SHA1"),
        (("GET", "ftp://a"), "not an absolute http(s) URL"),
        (("GET", "/a", "--as", "bearer"), "bearer"),
    ],
)
def test_wrong_use_is_2(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = shell.run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "canary" not in err


def test_what_is_missing_in_the_environment_is_2(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("X_CONSUMER_KEY")
    code, _, err = shell.run("GET", "/a")
    assert (code, "X_CONSUMER_KEY" in err) == (2, True)


class Deaf(io.StringIO):
    def read(self, size: int | None = -1, /) -> str:
        raise OSError("gone")


@pytest.mark.parametrize("stdin", [None, Deaf()])
def test_a_stdin_that_cannot_be_read_is_2(shell: Shell, monkeypatch: pytest.MonkeyPatch, stdin: object) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    code, _, err = shell.run("--curl", "-")
    assert (code, "stdin" in err or "begin with" in err) == (2, True)


def test_the_help_fits_and_explains_each_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.run(["explain", "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "<" not in text.partition("Options:")[2].partition("Examples:")[0]
    for words in ("--curl COMMAND", "--format NAME", "--output FILE", "--as WHO", "1 it is", "Examples:"):
        assert words in text


COMMANDS = [
    "curl {url}/a",
    "curl -XDELETE {url}/a?b=c",
    "curl -d a=b -d 'c=d e' {url}/a",
    "curl --data-urlencode 'a=b c&d' --data-urlencode '=e@f' --data-urlencode 'é' {url}",
    "curl -G -d a=b --data-urlencode 'c=d e' '{url}/a?x=y#top'",
    "curl {url}/a -d \"a\\\"b\\n$ c\" -H 'X-Empty;' -H 'X-One:  1 '",
    "curl {url}/a -u me:pass:word -A agent -e http://a -b a=b",
    "curl {url}/a -H 'Content-Type: text/xml' --data-raw @a",
    "curl {url}/a -H 'Content-Type:' -d a -X PATCH",
    "curl --url-query 'a=b c' --url-query +d=%20 {url}/a",
    "curl --oauth2-bearer AAAA {url}/a --data-binary 'x'",
]


@pytest.mark.skipif(CURL is None, reason="no curl here")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_request_that_is_read_is_the_one_that_curl_sends(command: str) -> None:
    with HostileServer(answers(http(200))) as server:
        line = command.format(url=server.url).replace("curl ", f"{CURL} -sS --noproxy '*' ", 1)
        subprocess.run(["sh", "-c", line], check=True, timeout=30, capture_output=True)
        (sent,) = server.requests
        request = read_curl(line)
    assert (sent.method, sent.target, sent.body) == (request.method, request.target, request.body)
    for name in {name for name, _ in request.headers} | {"content-type", "authorization"}:
        assert sent.all(name) == request.headers.get_all(name), name
