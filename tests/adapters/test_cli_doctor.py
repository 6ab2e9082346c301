"""`sansauth doctor`: what it finds, and that it shows no value of a variable and no token."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sansauth import __version__
from sansauth.tokens import OAuth2Tokens

from .cli_shell import Shell, serve_shell

TRANSPORTS = ["requests", "httpx", "trio"]
SURROUNDINGS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Shell]:
    for name in (*SURROUNDINGS, *map(str.lower, SURROUNDINGS), *CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
    yield from serve_shell(monkeypatch, capsys, tmp_path / "tokens.sqlite3")


def findings(shell: Shell, *arguments: str) -> tuple[int, dict[str, list[tuple[str, str]]]]:
    """The exit code, and of each name the levels and words."""
    code, out, err = shell.run("doctor", "--json", *arguments)
    assert err == ""
    told = json.loads(out)
    assert told["ok"] is (code == 0)
    found: dict[str, list[tuple[str, str]]] = {}
    for check in told["checks"]:
        found.setdefault(check["name"], []).append((check["level"], check["words"]))
    return code, found


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_with_nothing_wrong_every_line_is_ok_and_the_code_0(shell: Shell, transport: str) -> None:
    code, out, err = shell.run("doctor", "--transport", transport)
    assert (code, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines()} == {"ok"}
    version = ".".join(map(str, sys.version_info[:3]))
    assert f"{__version__}, on Python {version}" in out
    assert f"requests {importlib.metadata.version('requests')}" in out
    assert f"{shell.path} is not there yet" in out
    assert f"{shell.base_url} answers over {transport} (404, in " in out
    assert "agrees with the service's" in out
    assert "proxies       none is set" in out
    assert "set: X_CLIENT_ID" in out
    assert not shell.path.exists()
    assert [(entry.method, entry.path) for entry in shell.sandbox.log] == [("GET", "/")]


@pytest.mark.parametrize(
    ("skew", "level", "words", "expected"),
    [
        (5, "ok", "behind", 0),
        (-5, "ok", "ahead of", 0),
        (90, "warning", "behind", 0),
        (-90, "warning", "ahead of", 0),
        (400, "problem", "behind", 1),
        (-400, "problem", "ahead of", 1),
    ],
)
def test_the_clock_is_compared_with_the_services(
    shell: Shell, skew: int, level: str, words: str, expected: int
) -> None:
    shell.sandbox.skew = skew
    code, found = findings(shell)
    [(found_level, found_words)] = found["clock"]
    assert (code, found_level) == (expected, level)
    assert words in found_words
    told = int(found_words.split(" s ")[0].split()[-1])
    assert abs(skew) - 3 <= told <= abs(skew)


def test_a_service_without_a_usable_date_is_a_warning(shell: Shell) -> None:
    shell.sandbox.fail_next(200, headers={"date": "soon"})
    code, found = findings(shell)
    assert (code, found["clock"][0][0]) == (0, "warning")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_service_that_is_not_reached_is_a_problem_and_said(shell: Shell, transport: str) -> None:
    shell.server.stop()
    code, found = findings(shell, "--transport", transport)
    [(level, words)] = found["service"]
    assert (code, level) == (1, "problem")
    assert "could not be reached" in words
    assert "the clock was not checked" in words
    assert "clock" not in found


def test_a_transport_that_cannot_be_used_is_a_problem(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", __file__)
    code, found = findings(shell, "--transport", "httpx")
    assert (code, found["service"][0][0]) == (1, "problem")
    assert "SSL_CERT_FILE" in found["service"][0][1]
    assert found["certificates"] == [("ok", "SSL_CERT_FILE is set, in place of the usual authorities")]


def test_variables_are_named_and_their_values_never_shown(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_CONSUMER_KEY", "'planted-key'")
    monkeypatch.setenv("X_ACCESS_TOKEN_SECRET", "planted-secret")
    monkeypatch.setenv("X_BEARER_TOKEN", " ")
    monkeypatch.setenv("X_CLIENT_SECRET", '"')
    monkeypatch.delenv("X_CLIENT_ID")
    monkeypatch.setenv("no_proxy", "127.0.0.1,planted")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:planted@proxy.test:1")
    code, found = findings(shell)
    assert code == 0
    assert "planted" not in str(found)
    assert found["credentials"] == [
        ("ok", "set: X_CONSUMER_KEY, X_ACCESS_TOKEN_SECRET, X_CLIENT_SECRET"),
        ("warning", "X_CONSUMER_KEY begins and ends with a quote; are the quotes part of it?"),
        ("warning", "X_BEARER_TOKEN is set and empty, which counts as not set"),
        ("warning", "X_CONSUMER_KEY is set without X_CONSUMER_SECRET, and is of no use alone"),
        ("warning", "X_ACCESS_TOKEN_SECRET is set without X_ACCESS_TOKEN, and is of no use alone"),
        ("warning", "X_CLIENT_SECRET is set without X_CLIENT_ID, and is of no use alone"),
    ]
    assert found["proxies"] == [("ok", "set: HTTPS_PROXY, NO_PROXY; requests and httpx use them, trio does not")]


def test_certificates_that_are_not_there_are_a_problem(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", str(shell.path))
    code, found = findings(shell, "--transport", "trio")
    assert (code, found["certificates"][0][0]) == (1, "problem")


def test_a_library_that_is_missing_is_a_problem_and_an_extra_is_none(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = importlib.metadata.version

    def without(name: str) -> str:
        if name in {"httpx", "redis"}:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    code, found = findings(shell)
    assert (code, found["libraries"][0][0]) == (1, "problem")
    assert found["libraries"][0][1].startswith("httpx cannot be found; pip install 'sansauth[cli]'")
    assert "redis (extra redis)" in found["extras"][0][1]


def test_the_store_is_opened_and_dead_accounts_are_named(shell: Shell) -> None:
    held = OAuth2Tokens("planted-access", refresh_token="planted-refresh")
    shell.keep(held, "alive")
    shell.keep(held.died(0.0, "InvalidGrant: it was"), "dead")
    code, found = findings(shell)
    assert (code, found["store"]) == (0, [("ok", f"{shell.path} opens, accounts: 2")])
    [(level, words)] = found["account"]
    assert level == "warning"
    assert words.startswith("dead (")
    assert "InvalidGrant: it was; log in again" in words
    shell.keep(b"planted", "odd")
    code, found = findings(shell)
    assert (code, found["account"][1][0]) == (1, "problem")
    assert "planted" not in str(found)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_store_that_others_can_read_is_a_warning_with_its_mode(shell: Shell) -> None:
    shell.keep(OAuth2Tokens("t"))
    shell.path.chmod(0o644)
    _, found = findings(shell)
    assert found["store"][0][0] == "warning"
    assert "mode 0644" in found["store"][0][1]
    assert [level for level, _ in findings(shell)[1]["store"]] == ["ok"]  # to open it has mended it


def test_a_store_of_somebody_else_is_a_warning(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.keep(OAuth2Tokens("t"))
    monkeypatch.setattr(os, "getuid", lambda: -1)
    _, found = findings(shell)
    assert ("warning", f"{shell.path} belongs to another user of this machine") in found["store"]


def test_a_store_that_does_not_open_is_a_problem(shell: Shell) -> None:
    shell.path.write_text("no database, but long enough to be taken for one by its size alone" * 10)
    code, found = findings(shell)
    assert (code, found["store"][-1][0]) == (1, "problem")
    assert "no database" in found["store"][-1][1]


def test_without_platformdirs_the_default_path_is_a_problem(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    code, out, _ = shell.run("doctor", "--json", stored=False)
    [check] = [check for check in json.loads(out)["checks"] if check["name"] == "store"]
    assert (code, check["level"]) == (1, "problem")
    assert "platformdirs" in check["words"]
