"""Whatever a service answers, `token` ends in the one right error, in time, and tells no secret."""

from __future__ import annotations

import time

import pytest

from sansauth.errors import RemoteProtocolError, SansauthError, TransportError

from .hostile_answers import ACCEPTED, CASES, INTERIM, MIB, TOKEN, Case, assert_no_secret
from .hostile_server import HostileServer, answers, http
from .transports import USERS_SESSION, Kit, every_kit

SLACK = 3.0  # seconds, for a busy machine

pytestmark = pytest.mark.usefixtures("loopback")


@every_kit
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_answer_becomes_the_right_error_in_time_without_a_secret(kit: Kit, case: Case) -> None:
    if kit.name in case.skipped:
        pytest.skip(case.skipped[kit.name])
    with HostileServer(case.play) as server, kit.open(server.url, timeouts=case.timeouts) as client:
        began = time.monotonic()
        with pytest.raises(SansauthError) as caught:
            client.token()
        elapsed = time.monotonic() - began
        assert type(caught.value) in case.expected_on(kit.name)
        assert elapsed < min(case.timeouts.read, case.timeouts.total) + SLACK
        assert_no_secret(caught.value)
        if isinstance(caught.value, TransportError):
            assert caught.value.sent is case.sent
        assert len(server.requests) == 1
        assert server.sent < 40 * MIB


@every_kit
@pytest.mark.parametrize("name", ACCEPTED)
def test_an_unusual_answer_that_is_right_is_accepted(kit: Kit, name: str) -> None:
    if name in INTERIM and kit.name == "requests-users-session":
        pytest.skip("refused; see the next test")
    with HostileServer(answers(ACCEPTED[name])) as server, kit.open(server.url) as client:
        assert client.token() == "planted-answered-token"


@pytest.mark.parametrize("name", INTERIM)
def test_on_a_users_requests_session_an_interim_answer_is_refused_and_ends_the_connection(name: str) -> None:
    with HostileServer(answers(INTERIM[name], http(200, TOKEN))) as server, USERS_SESSION.open(server.url) as client:
        with pytest.raises(RemoteProtocolError):
            client.token()
        with pytest.raises(RemoteProtocolError):  # and not the answer that followed the interim one
            client.token()
        assert server.accepted == 2
