"""SIGKILL at random moments of a process that refreshes: the store opens every time, and each login lost is counted.

Nothing in the world saves a login whose process dies between the service's commit and the save. Nothing else loses one.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import sqlite3
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from sansauth.effects import Stored
from sansauth.tokens import OAuth2Tokens
from sansauth_io.conformance.waiting import at_once

from .forked_callers import Callers, client_of, open_store, outcome
from .redis_serving import RedisServer
from .rotating_service import Login, RotatingService

KILLS = [60, pytest.param(300, marks=pytest.mark.deep)]
LATENCY_SECONDS = 0.01  # of the token endpoint, which commits in the middle of it
LEASE_SECONDS = 1.0  # of the processes that are killed: nobody waits a minute for what they held
MEASURED = 5  # calls that nobody killed, to know how long one takes just now
MEASURED_EVERY = 10  # calls
THREADS = 8  # for the calls afterwards

BEFORE = "before the request"
BETWEEN = "between the service's commit and the save (lost)"
AFTER = "after the save"

pytestmark = pytest.mark.usefixtures("loopback")


@pytest.fixture(params=["SQLite", "Redis"])
def which(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def place(which: str, tmp_path: Path) -> Iterator[str]:
    if which == "SQLite":
        yield str(tmp_path / "tokens.sqlite3")
        return
    pytest.importorskip("redis")
    with RedisServer() as server:
        yield server.url


class Killing:
    """One user after another, whose tokens have ended, and a process that calls as this user and is killed."""

    def __init__(self, service: RotatingService, callers: Callers, place: str, seed: int) -> None:
        self._service, self._callers, self._place = service, callers, place
        self._random = random.Random(seed)
        self._took = deque[tuple[float, float]](maxlen=MEASURED)  # to the new tokens, and in all
        self.moments: dict[Login, str] = {}  # at which whoever called was killed

    def kill(self, count: int) -> None:
        for number in range(4 * count):
            measured = len(self._took) < MEASURED or number % MEASURED_EVERY == 0
            self._call(None if measured else self._moment())
            if len(self.moments) == count:
                return
        raise AssertionError(f"only {len(self.moments)} of {4 * count} processes were killed before they had ended")

    def _moment(self) -> float:
        """Any of a call; or, as often, one after the new tokens have come, where the save is."""
        come, over = (statistics.median(times) for times in zip(*self._took, strict=True))
        return self._random.uniform(self._random.choice([0.0, come]), over)

    def _call(self, after: float | None) -> None:
        login = self._service.log_in()
        with contextlib.closing(open_store(self._place)) as store:
            key = login.store_in(store, self._service.provider, now=time.time())
            if self._random.random() < 0.5:
                store.close()  # else it is open here, too, while a process with it dies
            killed, began, over = self._callers.killed(
                after, url=self._service.url, store=self._place, account=login.account
            )
        self._service.settle()
        with contextlib.closing(open_store(self._place)) as store:
            moment = moment_of(login, store.load(key))
        if not self._place.startswith("redis:"):
            with contextlib.closing(sqlite3.connect(self._place)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if killed:
            self.moments[login] = moment
            return
        assert moment == AFTER
        if after is None:
            self._took.append((login.traded_at - began, over - began))


def moment_of(login: Login, record: Stored | None) -> str:
    """When a process was killed, by what it left at the service and in the store; fails for what cannot be."""
    assert record is not None
    tokens = OAuth2Tokens.from_bytes(record.data)
    assert tokens.death is None
    if login.asks == 0:
        assert tokens.refresh_token == login.refresh_token
        return BEFORE
    assert login.counted() == (1, 1, 0)  # a request that came is committed, whoever is left to hear of it
    if tokens.refresh_token == login.refresh_token:
        return AFTER
    assert tokens.refresh_token == login.shown[0]
    assert login.answered == 0, "new tokens were used before they were saved"
    return BETWEEN


@pytest.mark.parametrize("kills", KILLS)
def test_sigkill_at_random_moments_of_a_refresh(
    which: str, place: str, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SEED") or secrets.randbits(32))
    with RotatingService(LATENCY_SECONDS) as service, Callers(LEASE_SECONDS) as callers:
        killing = Killing(service, callers, place, seed)
        killing.kill(kills)
        seen = Counter(killing.moments.values())
        lines = [f"  {seen[moment]:3}  {moment}" for moment in (BEFORE, BETWEEN, AFTER)]
        with capsys.disabled():
            title = f"SIGKILL at {kills} random moments of a refresh with {which}, SEED={seed}:"
            print("", title, *lines, sep="\n")  # noqa: T201

        time.sleep(LEASE_SECONDS)
        logins = list(killing.moments)
        with contextlib.closing(open_store(place)) as store:

            def call_again(login: Login) -> str:
                with client_of(service.url, store, login.account) as client:
                    return outcome(client)

            def call_all(thread: int) -> dict[Login, str]:
                return {login: call_again(login) for login in logins[thread::THREADS]}

            outcomes = {login: said for share in at_once(THREADS, call_all) for login, said in share.items()}
    for login, moment in killing.moments.items():
        expected = ("LoginRequired", (2, 1, 1)) if moment == BETWEEN else ("200", (1, 1, 0))
        assert (outcomes[login], login.counted()) == expected, moment
    assert min(seen[moment] for moment in (BEFORE, BETWEEN, AFTER)) > 0, "a moment that was never met"
