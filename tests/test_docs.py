"""The code in the documentation runs, in the order in which it stands, against a sandbox in process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sansauth import Flow, Load, OAuth1User, Operation, Save, Send, State, Stored
from sansauth.testing import Sandbox

T = TypeVar("T")

DOCS = sorted((Path(__file__).parent.parent / "docs").glob("*.md"))


class InProcess:
    """A client of a sandbox, with no socket between them."""

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
                    if data is not None:
                        self.records[key] = Stored(data, version)
                    flow.resume(version)
                case other:
                    raise AssertionError(f"no effect of the documentation's: {other!r}")
        return flow.result


def test_there_is_documentation() -> None:
    assert [path.name for path in DOCS] == ["oauth1.md"]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_its_code_runs_as_it_stands(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox = Sandbox()
    sent_to: list[str] = []
    names: dict[str, Any] = {
        "app": sandbox.app,
        "client": InProcess(sandbox),
        "env": sandbox.env,
        "pem": "-----BEGIN PRIVATE KEY-----",
        "send_the_user_to": sent_to.append,
        "session": {},
    }
    blocks = re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(compile(block, path.name, "exec"), names)
        while sent_to:
            names["callback_url"] = sandbox.approve(sent_to.pop())
    assert isinstance(names["user"], OAuth1User)
    assert names["user"].access_token != sandbox.user.access_token
    assert "base string" in capsys.readouterr().out.lower()
    assert names["verified"].token == "TOKEN"
