"""A Redis that fails while a user's tokens are refreshed: a typed error in time, no token lost, recovery by itself.

The service rotates refresh tokens, and each is good for one use: once it has answered, the new one is the login.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from sansauth.errors import StoreError
from sansauth.http import Request, Response

from .oauth2_desk import ME, TOKEN, Desk, desk
from .redis_serving import RedisServer
from .transports import KITS, Kit, every_kit

pytest.importorskip("redis")
RedisStore = pytest.importorskip("sansauth_io.stores.redis").RedisStore

METHOD_SECONDS = 5.0  # of each method of a store
CALL_SECONDS = 4 * METHOD_SECONDS  # of a call whose every use of the store fails: the lease, the record, both once more
RECOVERY_SECONDS = 4.0  # far below the minute that a lease lasts which nobody gives up

pytestmark = pytest.mark.usefixtures("loopback")

THREADS = KITS[0]
Trouble = Callable[[RedisServer], AbstractContextManager[Any]]


@contextlib.contextmanager
def seated(kit: Kit) -> Iterator[tuple[Desk, RedisServer]]:
    """A user whose tokens are due, in a Redis of this test's own."""
    with RedisServer("--maxmemory-policy", "noeviction") as server, desk(kit, as_x=True) as at:
        store = RedisStore(server.url)
        at.store = store
        with at.seated():
            at.adopt(replace(at.log_in(), expires_at=time.time() - 1))
            at.sandbox.log.clear()
            yield at, server
        store.close()


def while_refreshing(at: Desk, trouble: Callable[[], object]) -> None:
    """Once the service has rotated the tokens, and before the client hears of it: trouble."""
    handle = at.sandbox.handle

    def troubled(request: Request) -> Response:
        response = handle(request)
        if request.path == TOKEN:
            at.sandbox.handle = handle
            trouble()
        return response

    at.sandbox.handle = troubled


def assert_fails(at: Desk) -> None:
    began = time.monotonic()
    with pytest.raises(StoreError):
        at.face.get(ME)
    assert time.monotonic() - began < CALL_SECONDS


def assert_recovers(at: Desk) -> None:
    """The client goes on, and so does another one, with what was refreshed once."""
    began = time.monotonic()
    assert at.face.get(ME).status == 200
    assert time.monotonic() - began < RECOVERY_SECONDS
    with at.opened() as another:
        assert another.get(ME).status == 200
    assert at.asked() == [(TOKEN, 200), (ME, 200), (ME, 200)]
    assert not at.held().is_due(time.time())


def refused(server: RedisServer) -> AbstractContextManager[Any]:
    return server.stopped()


def hanging(server: RedisServer) -> AbstractContextManager[Any]:
    return server.paused()


def full(server: RedisServer) -> AbstractContextManager[Any]:
    return server.full()


def assert_survives(kit: Kit, trouble: Trouble) -> None:
    with seated(kit) as (at, server), contextlib.ExitStack() as stack:
        while_refreshing(at, lambda: stack.enter_context(trouble(server)))
        assert_fails(at)
        assert at.asked() == [(TOKEN, 200)]
        stack.close()
        assert_recovers(at)


@every_kit
def test_a_redis_that_is_gone_when_the_new_tokens_come(kit: Kit) -> None:
    assert_survives(kit, refused)


def test_a_redis_that_hangs_when_the_new_tokens_come() -> None:
    assert_survives(THREADS, hanging)


def test_a_redis_that_is_gone_when_the_new_tokens_come_and_then_hangs() -> None:
    with seated(THREADS) as (at, server), contextlib.ExitStack() as stack:
        while_refreshing(at, lambda: stack.enter_context(refused(server)))
        assert_fails(at)
        stack.close()
        with hanging(server):
            assert_fails(at)
        assert at.asked() == [(TOKEN, 200)]
        assert_recovers(at)


def test_a_redis_that_is_restarted_when_the_new_tokens_come() -> None:
    def restart(server: RedisServer) -> None:
        with server.stopped():
            pass

    with seated(THREADS) as (at, server):
        while_refreshing(at, lambda: restart(server))
        assert at.face.get(ME).status == 200  # not even an error
        assert at.asked() == [(TOKEN, 200), (ME, 200)]
        assert not at.held().is_due(time.time())


def test_a_redis_that_is_full_when_the_new_tokens_come() -> None:
    with seated(THREADS) as (at, server), contextlib.ExitStack() as stack:
        while_refreshing(at, lambda: stack.enter_context(full(server)))
        assert at.face.get(ME).status == 200  # what is there may be replaced
        assert not at.held().is_due(time.time())
        assert at.face.get(ME).status == 200
        assert at.asked() == [(TOKEN, 200), (ME, 200), (ME, 200)]


@pytest.mark.parametrize("trouble", [refused, hanging, full])
def test_a_redis_in_trouble_before_a_refresh_costs_no_token(trouble: Trouble) -> None:
    with seated(THREADS) as (at, server):
        before = at.held()
        with trouble(server):
            assert_fails(at)
        assert at.asked() == []
        assert at.held() == before
        assert_recovers(at)
