"""Every example runs, against a served sandbox."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from sansauth import build_request
from sansauth.call import call
from sansauth.errors import ReadError
from sansauth.lifecycle import forget_app_bearer
from sansauth.testing import Sandbox
from sansauth_io import system_env
from sansauth_io.sandbox_server import SandboxServer

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_host_over_http_client_runs_every_operation(capsys: pytest.CaptureFixture[str]) -> None:
    example = load("embed_http_client")
    sandbox = Sandbox(env=system_env())
    with SandboxServer(sandbox) as server:
        example.main(server.base_url, sandbox.app.consumer_key, sandbox.app.consumer_secret)
        token, reverse = capsys.readouterr().out.splitlines()
        assert token == sandbox.bearer_token
        assert reverse.startswith("OAuth ")

        host, provider = example.Host(), sandbox.provider_at(server.base_url)
        read = build_request("GET", provider.url("/1.1/followers/ids.json"))
        for _ in range(2):
            answer = host.run(call(read, sandbox.app, provider=provider, env=system_env()))
            assert answer.status == 200
        assert [handled.path for handled in sandbox.log[-3:]].count("/oauth2/token") == 1
        host.run(forget_app_bearer(sandbox.app, provider, token))
        host.run(call(read, sandbox.app, provider=provider, env=system_env()))
        assert sandbox.log[-2].path == "/oauth2/token"
    with pytest.raises(ReadError):
        host.run(call(read, sandbox.user, provider=provider, env=system_env()))
