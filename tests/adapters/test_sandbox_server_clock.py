"""A sandbox whose clock is not this machine's: whoever signs by the machine's is told what is wrong."""

from __future__ import annotations

import pytest

from sansauth import Request
from sansauth.env import Env
from sansauth.identity import OAuth1User
from sansauth.oauth1 import sign
from sansauth.testing import Sandbox, fixed_env
from sansauth_io import system_env
from sansauth_io.sandbox_server import SandboxServer

from .sandbox_serving import exchange, get, status

VERIFY = "/1.1/account/verify_credentials.json"
REFUSED = 401


def call(sandbox: Sandbox, env: Env, user: OAuth1User | None = None) -> int:
    """The status of one call, signed by the clock of `env`: a client that learns from a refusal would call again."""
    with SandboxServer(sandbox) as server:
        request = Request("GET", server.base_url + VERIFY)
        signed = sign(request, user or sandbox.user, timestamp=env.timestamp(), nonce=env.nonce())
        return status(exchange(server, get(VERIFY, f"Authorization: {signed.headers['authorization']}")))


def test_a_clock_that_stands_still_is_named_with_its_cure(caplog: pytest.LogCaptureFixture) -> None:
    assert call(Sandbox(), system_env()) == REFUSED
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("sansauth_io.sandbox_server", "WARNING")
    assert "Sandbox(env=system_env())" in record.getMessage()
    assert "env=sandbox.env" in record.getMessage()


def test_a_client_that_shares_the_clock_is_served_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    sandbox = Sandbox()
    assert call(sandbox, sandbox.env) == 200
    assert call(sandbox, sandbox.env, OAuth1User(sandbox.app, "1-unknown", "x")) == REFUSED
    assert caplog.records == []


def test_a_skew_made_on_purpose_and_a_wrong_clock_of_the_client_are_not_the_sandboxs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox = Sandbox(env=system_env())
    assert call(sandbox, fixed_env()) == REFUSED
    sandbox.skew = 3600.0
    assert call(sandbox, system_env()) == REFUSED
    assert caplog.records == []
