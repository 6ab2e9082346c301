"""One caller of a schedule: a generator cannot be copied, so its operation is run again, from all that it was told.

`Place` is where a caller stands. A place depends on nothing but what the caller was told on the way to it, so each is
found once, by one run, however many schedules lead there.
"""

from __future__ import annotations

import contextlib
import copy
import enum
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, cast

from sansauth.effects import Effect, Exclusive, Load, Operation, Save, Send, Sleep, Stored
from sansauth.errors import LocalProtocolError
from sansauth.flow import Flow, State
from sansauth.testing.schedules import Driver, Fault, Gone
from sansauth.testing.surroundings import Records, load_record, save_record

__all__ = ["Entered", "Left", "Place"]

_ALONE_AT_MOST = 10_000
_MEMORY = "mem:"


class Entered(enum.Enum):
    """The answer to an `Exclusive`: its body begins."""

    ENTERED = "entered"


class Left(NamedTuple):
    """A caller left the body of an `Exclusive`, and gave the lease back if it had it still."""

    key: str
    released: bool


class _Told(NamedTuple):
    """What happened to a caller that waited for `effect`: a fault, or what the effect was answered."""

    effect: Effect | None
    fault: Fault | None
    answer: object


class Place:
    """Where a caller stands after what it was told.

    `effect` is what it waits for, None when it has ended, with `outcome`. `inside`: the key whose body it is in;
    `wants`: the key it waits for; `holds`: the keys whose lease it has. `may_meet`: the faults that its effect can
    meet. `then`: what followed from the last step by itself: effects that concern nobody else (sleeping, its own
    memory), bodies left. `memory`: its own records. `unruly`: what it raised instead of ending when it was cancelled.
    `number` is its own.
    """

    __slots__ = (
        "_begin",
        "_driver",
        "_next",
        "_numbers",
        "_told",
        "effect",
        "holds",
        "inside",
        "may_meet",
        "memory",
        "number",
        "outcome",
        "then",
        "unruly",
        "wants",
    )

    def __init__(
        self,
        begin: Callable[[], Operation[object]],
        driver: Driver,
        numbers: Iterator[int],
        told: tuple[_Told, ...] = (),
    ) -> None:
        self._begin = begin
        self._driver = driver
        self._numbers = numbers
        self._told = told
        self._next: dict[tuple[Fault | None, object], Place] = {}
        run = _run(begin, driver, told)
        self.number = next(numbers)
        self.then = tuple(run.then)
        self.effect = run.effect
        self.holds = frozenset(run.holds)
        self.inside = run.inside
        self.outcome = run.outcome
        self.unruly = run.unruly
        self.wants = self.effect.key if isinstance(self.effect, Exclusive) else None
        self.may_meet = tuple(_may_meet(run))
        self.memory = run.memory
        run.abandon()

    def after(self, fault: Fault | None, answer: object = None) -> Place:
        """Where the caller stands when this has happened to it, too."""
        # Errors are equal to none but themselves.
        name = (type(answer), str(answer)) if isinstance(answer, Exception) else answer
        place = self._next.get((fault, name))
        if place is None:
            told = (*self._told, _Told(self.effect, fault, answer))
            place = self._next[fault, name] = Place(self._begin, self._driver, self._numbers, told)
        return place


class _Run:
    """One run of a caller's operation."""

    def __init__(self, operation: Operation[object], driver: Driver) -> None:
        self._driver = driver
        self._flows: list[Flow[object]] = []
        self.memory: Records = ()
        self._seen: dict[str, Stored] = {}
        self.cancelled = False
        self.then: list[Effect | Left] = []
        self.holds: set[str] = set()
        self.inside: str | None = None
        self.outcome: object = None
        self.unruly: Exception | None = None
        self._enter(partial(Flow, operation))
        self._go_on()

    @property
    def effect(self) -> Effect | None:
        return self._flows[-1].effect if self._flows else None

    def hear(self, fault: Fault | None, answer: object) -> None:
        """Go on after this has happened."""
        self.then.clear()
        match fault:
            case Fault.CANCELLED if self.inside is not None and self._driver.shielded:
                self.cancelled = True
            case Fault.CANCELLED:
                self._cancel()
            case Fault.EXPIRED:
                self.holds.discard(self.inside or "")
            case Fault.LAPSED:
                self.holds.clear()
            case Fault.DIED:
                self.abandon()
                self.memory = ()
                self.outcome = Gone.DEAD
            case _:
                self._answer(answer)
        self._go_on()

    def abandon(self) -> None:
        """Let go of the operation, unheard: a generator that is still open would be closed at some later time."""
        while self._flows:
            with contextlib.suppress(Exception):
                self._flows.pop().close()

    def _answer(self, answer: object) -> None:
        flow = self._flows[-1]
        self._see(flow.effect, answer)
        if isinstance(answer, Entered):
            self._enter(flow.body)
        elif isinstance(answer, Exception):
            self._step(partial(flow.fail, copy.copy(answer)))  # a copy: each raise adds to an error's traceback
        else:
            self._step(partial(flow.resume, answer))

    def _enter(self, begin: Callable[[], Flow[object]]) -> None:
        if isinstance(self.effect, Exclusive):
            self.inside = self.effect.key
            if self._driver.leases and not self.inside.startswith(_MEMORY):
                self.holds.add(self.inside)
        try:
            self._flows.append(begin())
        except Exception as error:
            self._ended(error)

    def _step(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            self._flows.pop()
            self._ended(error)

    def _go_on(self) -> None:
        """On to the next effect that concerns others: nobody can tell when the rest happens, so it happens now."""
        while self._flows:
            flow = self._flows[-1]
            if flow.state is State.DONE:
                self._flows.pop()
                self._ended(None, flow.result)
            elif self._is_own(flow.effect):
                self.then.append(flow.effect)
                if len(self.then) > _ALONE_AT_MOST:
                    raise LocalProtocolError(f"an operation never ends: {_ALONE_AT_MOST} effects that nobody else sees")
                self._answer(self._own(flow.effect))
            else:
                return

    def _is_own(self, effect: Effect) -> bool:
        match effect:
            case Send():
                return False
            case Sleep():
                return True
            case Load(key, True) if key in self._seen:
                return True
            case _:
                return effect.key.startswith(_MEMORY)

    def _see(self, effect: Effect, answer: object) -> None:
        """Keep in mind, as drivers do, what the record was when it was seen last: for a `Load` that may be `cached`."""
        match effect, answer:
            case Load(key), Stored() | None:
                seen = answer
            case Save(key, bytes() as data), int():
                seen = Stored(data, answer)
            case Save(key), _:
                seen = None
            case _:
                return
        self._seen.pop(key, None)
        if seen is not None:
            self._seen[key] = seen

    def _own(self, effect: Effect) -> object:
        match effect:
            case Load(key):
                return self._seen[key] if key in self._seen else load_record(self.memory, key)
            case Save():
                self.memory, answer = save_record(self.memory, effect)
                return answer
            case Exclusive():
                return Entered.ENTERED
            case _:
                return None

    def _ended(self, error: Exception | None, result: object = None) -> None:
        """The innermost operation has ended: that is the end, or the answer to the `Exclusive` around it."""
        if self.inside is None:
            self.outcome = result if error is None else error
            return
        self._leave(raised=error is not None)
        outer = self._flows[-1]
        if self.cancelled:
            self._cancel()
        else:
            self._step(partial(outer.resume, result) if error is None else partial(outer.fail, error))

    def _leave(self, *, raised: bool) -> None:
        key = self.inside or ""
        released = key in self.holds and (self._driver.releases or not raised)
        if released:
            self.holds.remove(key)
        self.then.append(Left(key, released))
        self.inside = None

    def _cancel(self) -> None:
        while self._flows:
            try:
                self._flows.pop().close()
            except Exception as error:
                self.unruly = error
        if self.inside is not None:
            self._leave(raised=True)
        self.outcome = Gone.CANCELLED


def _run(begin: Callable[[], Operation[object]], driver: Driver, told: tuple[_Told, ...]) -> _Run:
    operation = cast("object", begin())
    if not isinstance(operation, Operation):
        raise LocalProtocolError(f"explore() takes callables that give an Operation, not {type(operation).__name__}")
    run = _Run(cast("Operation[object]", operation), driver)
    for effect, fault, answer in told:
        if not _same(effect, run.effect):
            raise LocalProtocolError(
                f"an operation is not the same in every run: after the same answers it asked for {_kind(effect)} first,"
                f" and for {_kind(run.effect)} later, or for another one; make its Env anew in each operation"
            )
        run.hear(fault, answer)
    return run


def _same(one: Effect | None, other: Effect | None) -> bool:
    if isinstance(one, Exclusive) and isinstance(other, Exclusive):
        return one.key == other.key  # their bodies are made anew in every run
    return one == other


def _kind(effect: Effect | None) -> str:
    return "nothing" if effect is None else type(effect).__name__


def _may_meet(run: _Run) -> Iterator[Fault]:
    if run.effect is None:
        return
    yield Fault.FAILED
    if isinstance(run.effect, Send | Save):
        yield Fault.LOST  # of a Load that is the same as failing; of an Exclusive, too: its lease ends by itself
    if not run.cancelled:
        yield Fault.CANCELLED
    if run.inside in run.holds:
        yield Fault.EXPIRED
    yield Fault.DIED
