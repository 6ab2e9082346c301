"""A machine whose clock is a quarter of an hour off, against a real server: one retry, and then none."""

from __future__ import annotations

import dataclasses

import pytest

from sansauth.errors import LocalProtocolError, TimestampOutOfRange
from sansauth.provider import Signing
from sansauth.testing import Sandbox
from sansauth.x import X
from sansauth_io import system_env
from sansauth_io.sandbox_server import SandboxServer

from .own_sessions import Opener, every_auth, every_fetching_auth
from .transports import Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")

QUARTER = 900.0  # seconds; three times what the sandbox tolerates
PATH = "/1.1/account/verify_credentials.json"


def skewed(seconds: float) -> Sandbox:
    sandbox = Sandbox(env=system_env())
    sandbox.skew = seconds
    return sandbox


def statuses(sandbox: Sandbox) -> list[int]:
    return [handled.status for handled in sandbox.log]


@every_kit
@pytest.mark.parametrize("seconds", [QUARTER, -QUARTER])
def test_the_first_call_succeeds_after_one_retry_and_the_second_needs_none(kit: Kit, seconds: float) -> None:
    sandbox = skewed(seconds)
    with SandboxServer(sandbox) as server, kit.open(server.base_url, sandbox.user) as face:
        assert face.get(PATH).status == 200
        assert statuses(sandbox) == [401, 200]
        assert face.get(PATH).status == 200
        assert statuses(sandbox) == [401, 200, 200]


@every_fetching_auth
def test_a_users_own_session_learns_the_time_too(opened: Opener) -> None:
    sandbox = skewed(QUARTER)
    with SandboxServer(sandbox) as server, opened(sandbox.user, X.at(server.base_url)) as own:
        for _ in range(2):
            assert own.send("GET", server.base_url + PATH).status == 200
        assert statuses(sandbox) == [401, 200, 200]


@every_kit
def test_a_service_that_stays_late_is_asked_twice_and_no_more(kit: Kit) -> None:
    sandbox = skewed(QUARTER)
    late = b'{"errors":[{"code":135,"message":"Timestamp out of bounds."}]}'
    sandbox.fail_next(401, late, times=5)
    with SandboxServer(sandbox) as server, kit.open(server.base_url, sandbox.user) as face:
        with pytest.raises(TimestampOutOfRange):
            face.get(PATH)
        assert statuses(sandbox) == [401, 401]


@every_auth
@pytest.mark.parametrize("placement", ["query", "body"])
def test_on_a_session_a_signature_that_belongs_elsewhere_is_refused(opened: Opener, placement: str) -> None:
    sandbox = skewed(0)
    with SandboxServer(sandbox) as server:
        provider = dataclasses.replace(X.at(server.base_url), signing=Signing(placement=placement))  # type: ignore[arg-type]
        with opened(sandbox.user, provider) as own, pytest.raises(LocalProtocolError, match="goes into the header"):
            own.send("POST", server.base_url + PATH, form={"a": "b"})
        assert sandbox.log == []
