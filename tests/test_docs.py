"""The code in the documentation runs, in the order in which it stands, against a sandbox in process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from sansauth import Exclusive, Flow, Identity, Load, OAuth1User, Operation, Save, Send, State, Stored
from sansauth.testing import Sandbox
from sansauth.x import X
from sansauth_io._client import Caller, SyncClient
from sansauth_io._driver_sync import SyncDriver

T = TypeVar("T")

DOCS = sorted((Path(__file__).parent.parent / "docs").glob("*.md"))
PAGES = {path.name: path for path in DOCS}


class InProcess:
    """Drives operations against a sandbox, with no socket between them."""

    has_store = True

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.records: dict[str, Stored] = {}

    def run(self, operation: Operation[T]) -> T:
        flow = Flow(operation)
        while flow.state is State.WAITING:
            match flow.effect:
                case Send(request):
                    flow.resume(self.sandbox.handle(request))
                case Load(key):
                    flow.resume(self.records.get(key))
                case Save(key, data, expected):
                    version = (expected or 0) + 1
                    if data is None:
                        self.records.pop(key, None)
                    else:
                        self.records[key] = Stored(data, version)
                    flow.resume(version)
                case Exclusive(body=body):
                    flow.resume(self.run(body))
                case other:
                    raise AssertionError(f"no effect of the documentation's: {other!r}")
        return flow.result


class UserSession(dict[str, str]):
    """What a browser's session keeps of a login: until it is finished, because a PIN may be mistyped."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    def __delitem__(self, name: str) -> None:
        ends = ("/access_token", "/2/oauth2/token")
        assert any(path.endswith(ends) for _, path, _ in self._sandbox.log), "deleted before it was finished"
        super().__delitem__(name)

    def pop(self, *_: object) -> Any:
        raise AssertionError("read what was saved, finish the login, and delete it then")


def test_there_is_documentation() -> None:
    assert [path.name for path in DOCS] == ["command-line.md", "oauth1.md", "oauth2.md", "stores.md", "testing.md"]


def run_as_it_stands(path: Path, sandbox: Sandbox) -> dict[str, Any]:
    """Run the blocks of a page one after the other; the names that they leave."""
    sent_to: list[str] = []

    def client_of(identity: Identity, **_: object) -> SyncClient:
        return SyncClient(Caller(identity, X, sandbox.env), cast("SyncDriver", InProcess(sandbox)))

    names: dict[str, Any] = {
        "app": sandbox.app,
        "Client": client_of,
        "X": X,
        "client": client_of(sandbox.app),
        "client_id": sandbox.oauth2_client.client_id,
        "client_secret": sandbox.oauth2_client.client_secret,
        "env": sandbox.env,
        "pem": "-----BEGIN PRIVATE KEY-----",
        "send_the_user_to": sent_to.append,
        "session": UserSession(sandbox),
        "store": None,
    }
    blocks = re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(compile(block, path.name, "exec"), names)
        while sent_to:
            names["callback_url"] = sandbox.approve(sent_to.pop())
    assert names["session"] == {}
    return names


def test_the_code_of_oauth_1_runs(capsys: pytest.CaptureFixture[str]) -> None:
    sandbox = Sandbox()
    names = run_as_it_stands(PAGES["oauth1.md"], sandbox)
    assert isinstance(names["user"], OAuth1User)
    assert names["user"].access_token != sandbox.user.access_token
    assert "base string" in capsys.readouterr().out.lower()
    assert names["verified"].token == "TOKEN"


def test_the_code_of_oauth_2_runs() -> None:
    sandbox = Sandbox()
    names = run_as_it_stands(PAGES["oauth2.md"], sandbox)
    assert [(path, status) for _, path, status in sandbox.log if path.startswith("/2/")] == [
        ("/2/oauth2/token", 200),
        ("/2/users/me", 200),
        ("/2/oauth2/revoke", 200),
        ("/2/oauth2/revoke", 200),
    ]
    assert names["service"].quirks.raw_basic


def test_the_code_of_stores_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_as_it_stands(PAGES["stores.md"], Sandbox())
    version = names["store"].save("k", b"1", None)
    assert names["store"].load("k") == Stored(b"1", version)
    assert (tmp_path / "tokens.sqlite3").exists()


def test_the_code_of_testing_runs_and_prints_the_transcript_that_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    names = run_as_it_stands(PAGES["testing.md"], Sandbox())
    shown = re.findall(
        r"^```text\n(.*?)^```$", PAGES["testing.md"].read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    printed = capsys.readouterr().out
    assert len(shown) == 1
    assert shown[0] in printed
    assert list(names["explored"].counts) == ["a webhook is registered that nobody knows of"]
