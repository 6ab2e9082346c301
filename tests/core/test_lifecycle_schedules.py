"""Every order in which the effects of two authorised calls can happen: one fetch in each.

A world in a dict: each caller stands at an effect, and a schedule is the list of whose effect happened next. All of
them are tried, from the first choice to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sansauth.app_token import AppToken, app_token_key
from sansauth.call import call
from sansauth.effects import Exclusive, Load, Operation, Save, Send, Stored
from sansauth.errors import Conflict, ConnectError
from sansauth.flow import Flow, State
from sansauth.http import Request, Response
from sansauth.lifecycle import forget_app_bearer
from sansauth.x import X

from .support import APP, ENV, refusal_answer, token_answer

KEY = app_token_key(APP, X)
REVOKED = "revoked"


@dataclass
class World:
    """The service, the store and the lease, as far as an effect can see them."""

    stored: str | None = None
    leases_lapse: bool = False
    failures: list[Exception] = field(default_factory=list)
    """What the first token requests meet instead of an answer."""
    fetched: int = 0
    record: Stored | None = None
    version: int = 1
    held: bool = False

    def __post_init__(self) -> None:
        if self.stored is not None:
            self.record = Stored(AppToken(self.stored).to_bytes(), self.version)

    def send(self, request: Request) -> Response:
        if request.url.endswith("/oauth2/token"):
            self.fetched += 1
            if self.failures:
                raise self.failures.pop(0)
            return token_answer("valid")  # X gives the same one until it is invalidated
        if request.headers["authorization"] == "Bearer valid":
            return Response(200)
        return refusal_answer(401, 89)

    def save(self, effect: Save) -> int:
        version = self.record.version if self.record else None
        if version != effect.expected:
            raise Conflict("changed")
        self.version += 1
        self.record = None if effect.data is None else Stored(effect.data, self.version)
        return self.version

    @property
    def token(self) -> str | None:
        return str(AppToken.from_bytes(self.record.data).access_token) if self.record else None


class Caller:
    """One operation under way: its flow and, while it holds the key, the flow of the body."""

    def __init__(self, operation: Operation[Any]) -> None:
        self.outcome: object = None
        self._flows: list[Flow[Any]] = []
        self._enter(lambda: Flow(operation))

    @property
    def ended(self) -> bool:
        return not self._flows

    def can_go(self, world: World) -> bool:
        waits = isinstance(self._flows[-1].effect, Exclusive) if self._flows else True
        return not self.ended and (not waits or not world.held or world.leases_lapse)

    def go(self, world: World) -> None:
        """Let its effect happen."""
        flow = self._flows[-1]
        match flow.effect:
            case Send(request):
                self._answer(world, lambda: world.send(request))
            case Load():
                self._answer(world, lambda: world.record)
            case Save() as save:
                self._answer(world, lambda: world.save(save))
            case Exclusive():
                world.held = True
                self._enter(flow.body)
            case other:
                raise AssertionError(f"{other!r} is not part of these calls")

    def _enter(self, begin: Callable[[], Flow[Any]]) -> None:
        self._flows.append(begin())

    def _answer(self, world: World, perform: Callable[[], object]) -> None:
        flow = self._flows[-1]
        try:
            answer = perform()
        except Exception as error:
            self._step(world, lambda error=error: flow.fail(error))
        else:
            self._step(world, lambda: flow.resume(answer))

    def _step(self, world: World, step: Callable[[], None]) -> None:
        """One step, and what follows from its end: the body's end is a step of the operation around it."""
        flow = self._flows[-1]
        try:
            step()
        except Exception as error:
            self._leave(world, error, lambda outer, error=error: outer.fail(error))
        else:
            if flow.state is State.DONE:
                self._leave(world, flow.result, lambda outer: outer.resume(flow.result))

    def _leave(self, world: World, outcome: object, tell: Callable[[Flow[Any]], None]) -> None:
        self._flows.pop()
        if self.ended:
            self.outcome = outcome.status if isinstance(outcome, Response) else outcome
            return
        world.held = False
        outer = self._flows[-1]
        self._step(world, lambda: tell(outer))


def schedules(
    world: Callable[[], World], *operations: Callable[[], Operation[Any]]
) -> Iterator[tuple[World, list[Caller]]]:
    """The end of every schedule."""
    untried: list[tuple[int, ...]] = [()]
    while untried:
        chosen = untried.pop()
        here, callers = world(), [Caller(begin()) for begin in operations]
        path: tuple[int, ...] = ()
        while ready := [place for place, caller in enumerate(callers) if caller.can_go(here)]:
            if len(path) < len(chosen):
                place = chosen[len(path)]
            else:
                place = ready[0]
                untried += [(*path, other) for other in ready[1:]]
            callers[place].go(here)
            path = (*path, place)
        assert all(caller.ended for caller in callers), f"a deadlock after {path}"
        yield here, callers


def get_me() -> Operation[Response]:
    return call(Request("GET", "https://api.x.com/2/users/me"), APP, provider=X, env=ENV)


@pytest.mark.parametrize(("stored", "orders"), [(None, 46), (REVOKED, 902)])
def test_two_callers_fetch_one_token_in_every_order(stored: str | None, orders: int) -> None:
    tried = 0
    for world, callers in schedules(lambda: World(stored), get_me, get_me):
        assert [caller.outcome for caller in callers] == [200, 200]
        assert (world.fetched, world.token, world.held) == (1, "valid", False)
        tried += 1
    assert tried == orders


def test_when_a_fetch_fails_its_caller_is_told_and_the_other_fetches_in_every_order() -> None:
    for world, callers in schedules(lambda: World(failures=[ConnectError("no way", sent=False)]), get_me, get_me):
        assert sorted(str(caller.outcome) for caller in callers) == ["200", "no way"]
        assert (world.fetched, world.token, world.held) == (2, "valid", False)


def test_when_a_lease_ends_too_soon_nothing_is_lost_in_any_order() -> None:
    fetches: set[int] = set()
    for world, callers in schedules(lambda: World(leases_lapse=True), get_me, get_me):
        # Whoever saves too late may be told so; there is a valid token all the same, and the next call uses it.
        served = [caller.outcome for caller in callers if not isinstance(caller.outcome, Conflict)]
        assert served in ([200], [200, 200])
        assert world.token == "valid"
        fetches.add(world.fetched)
    assert fetches == {1, 2}, "the lease is what keeps them apart"


def test_a_token_that_is_being_replaced_can_be_forgotten_in_any_order() -> None:
    def forget() -> Operation[None]:
        return forget_app_bearer(APP, X, REVOKED)

    for world, (caller, forgetful) in schedules(lambda: World(REVOKED), get_me, forget):
        assert (caller.outcome, forgetful.outcome) == (200, None)
        assert (world.fetched, world.token, world.held) == (1, "valid", False)
