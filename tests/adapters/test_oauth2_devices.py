"""Logging in on another device (RFC 8628) on every transport, against the served sandbox.

The operation sleeps between its questions. `hastened` moves the clock instead, which both sides read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from sansauth.errors import Denied, InvalidClient, InvalidGrant, InvalidScope, LoginExpired
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import AwaitingDevice, begin_device_login, finish_device_login, introspect
from sansauth.tokens import OAuth2Tokens

from .oauth2_desk import DEVICE, ME, SCOPES, TOKEN, Desk, desk
from .transports import Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")


def begin(at: Desk, scopes: list[str] = SCOPES) -> AwaitingDevice:
    """A login that waits, as another process of the device reads it."""
    begun: AwaitingDevice = at.ask(begin_device_login, at.client, scopes)
    return AwaitingDevice.from_json(begun.to_json())


def finish(
    at: Desk, awaiting: AwaitingDevice, waits: list[float], meanwhile: Callable[[int], object] = lambda _: None
) -> OAuth2Tokens:
    work = finish_device_login(at.client, awaiting, provider=at.provider, env=at.env)
    return at.hasten(work, waits, meanwhile)


def page_of(awaiting: AwaitingDevice) -> str:
    assert awaiting.verification_uri_complete is not None
    return awaiting.verification_uri_complete


@every_kit
@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
def test_a_device_asks_until_its_user_has_agreed(kit: Kit, public: bool) -> None:
    with desk(kit) as at:
        at.client = at.sandbox.public_client if public else at.sandbox.oauth2_client
        waits: list[float] = []
        awaiting = begin(at)
        assert awaiting.interval == 5
        assert awaiting.verification_uri == f"{at.provider.base_url}/device"

        def decide(waited: int) -> None:
            if waited == 3:
                at.sandbox.approve(page_of(awaiting))

        tokens = finish(at, awaiting, waits, decide)
        assert waits == [5, 5, 5]
        assert at.asked() == [(DEVICE, 200), (TOKEN, 400), (TOKEN, 400), (TOKEN, 200)]
        assert (tokens.scopes, tokens.refresh_token is None) == (tuple(SCOPES), False)
        with at.opened() as face:
            face._call("adopt", tokens)
            at.sandbox.skew = 7300
            assert face.get(ME).status == 200  # refreshed


@every_kit
def test_it_really_sleeps_through_the_transports_own_loop(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = replace(begin(at), interval=0.05)
        at.sandbox.approve(page_of(awaiting))
        began = time.monotonic()
        assert at.ask(finish_device_login, at.client, awaiting).scopes == tuple(SCOPES)
        assert time.monotonic() - began > 0.04


@every_kit
def test_a_device_that_is_told_to_slow_down_asks_five_seconds_later_each_time(kit: Kit) -> None:
    """RFC 8628 section 3.5."""
    with desk(kit) as at:
        awaiting, waits = replace(begin(at), interval=3.0), []

        def decide(waited: int) -> None:
            if waited == 4:
                at.sandbox.approve(page_of(awaiting))

        assert finish(at, awaiting, waits, decide).access_token
        assert waits == [3, 3, 8, 13]


@every_kit
def test_a_device_whose_user_does_not_agree(kit: Kit) -> None:
    with desk(kit) as at:
        waits: list[float] = []
        awaiting = begin(at)
        with pytest.raises(Denied):
            finish(at, awaiting, waits, lambda waited: waited == 2 and at.sandbox.deny(page_of(awaiting)))
        assert waits == [5, 5]


@every_kit
def test_a_login_that_has_expired_at_the_service(kit: Kit) -> None:
    with desk(kit) as at:
        waits: list[float] = []
        awaiting = begin(at)
        at.sandbox.skew = 601
        with pytest.raises(LoginExpired, match="says"):
            finish(at, awaiting, waits)
        assert waits == [5]


@every_kit
def test_a_login_that_has_expired_by_our_clock_is_not_asked_about(kit: Kit) -> None:
    with desk(kit) as at:
        waits: list[float] = []
        awaiting = begin(at)
        soon = replace(awaiting, expires_at=int(at.clock()) + 12)
        with pytest.raises(LoginExpired, match="did not decide in time"):
            finish(at, soon, waits)
        assert waits[:2] == [5, 5]
        assert 0 < waits[2] < 2.5
        assert len(waits) == 3
        assert at.asked()[1:] == [(TOKEN, 400)] * 2


@every_kit
def test_tokens_of_a_device_are_given_once(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = begin(at)
        at.sandbox.approve(page_of(awaiting))
        tokens = finish(at, awaiting, [])
        with pytest.raises(InvalidGrant):
            finish(at, awaiting, [])
        assert at.ask(introspect, at.client, tokens.access_token).active


@every_kit
def test_a_device_code_is_of_no_use_to_another_client(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = begin(at)
        at.sandbox.approve(page_of(awaiting))
        at.client = at.sandbox.public_client
        with pytest.raises(InvalidGrant):
            finish(at, awaiting, [])
        at.client = at.sandbox.oauth2_client
        assert finish(at, awaiting, []).access_token


@every_kit
def test_a_device_login_that_cannot_be_begun(kit: Kit) -> None:
    with desk(kit) as at:
        with pytest.raises(InvalidScope):
            begin(at, ["no.such.scope"])
        at.client = OAuth2Client("nobody")
        with pytest.raises(InvalidClient):
            begin(at)
