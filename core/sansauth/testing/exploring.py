"""Every order in which the effects of several callers can happen, with faults at any of them: the search."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from sansauth.effects import Effect, Load, Operation, Save, Send
from sansauth.errors import ConnectError, ReadError, StoreError
from sansauth.testing.replay import Entered, Place
from sansauth.testing.schedules import (
    Driver,
    End,
    Event,
    Explored,
    Fault,
    Faults,
    Gone,
    ScheduleFailed,
    TooManyStates,
    World,
)
from sansauth.testing.surroundings import Records, Service, held_records, load_record, save_record, stored_records
from sansauth.testing.transcript import Step, keys_held, said, write_transcript

__all__ = ["explore"]

W = TypeVar("W", bound=World)

_LIMIT = 300_000
_SHOWN = 40
_NO_FAULTS = Faults()
_RIGHT = Driver()
_FREE = (None, Fault.LAPSED)


def explore(
    operations: Sequence[Callable[[], Operation[object]]],
    world: Callable[[], W],
    judge: Callable[[End[W]], str | None],
    *,
    records: Mapping[str, bytes] | None = None,
    faults: Faults = _NO_FAULTS,
    driver: Driver = _RIGHT,
    prune: bool = True,
    limit: int = _LIMIT,
) -> Explored:
    """Run `operations` in every order in which their effects can happen, with faults at any of them.

    Each operation has a caller of its own, as if in a process of its own: they share the store, which begins with
    `records`, the leases, and the service, which is what `world()` makes. `mem:` records are a caller's own. A step is
    one effect that happens, or one of the `faults`; sleeping, and what a caller does with its own memory, happen with
    the step before. Time stands still.

    `judge` is called for every end. It raises an `AssertionError` for one that must not be; what it returns, if
    anything, is a label that is counted. That nobody waits for ever, that no lease is left behind but by the dead, and
    that a caller that is cancelled ends, is judged for it. The schedule that is reported is a shortest one.

    Operations and world must be made anew by each call, share nothing, and do the same every time: with a pinned `Env`
    of their own (`fixed_env()`). Operations made by the same callable are taken for alike, which spares their mirror
    images. `prune=False` looks at every schedule on its own; it finds the same, slowly, unless `world.state()` leaves
    out something that matters.

    Raises `ScheduleFailed`, `TooManyStates` after `limit` states, `LocalProtocolError` for operations or a world that
    are not the same in every run.
    """
    return _Search(operations, world, judge, stored_records(records or {}), faults, driver, prune=prune).run(limit)


class _State:
    """One state of everything, `ways` schedules lead to; by `event` after `parent`, in a shortest of them."""

    __slots__ = ("event", "left", "parent", "places", "records", "service", "ways")

    def __init__(
        self,
        service: Hashable,
        records: Records,
        places: tuple[Place, ...],
        left: tuple[int, ...],
        *,
        ways: int = 1,
        parent: _State | None = None,
        event: Event | None = None,
    ) -> None:
        self.service = service
        self.records = records
        self.places = places
        self.left = left
        self.ways = ways
        self.parent = parent
        self.event = event

    def steps(self) -> list[Step]:
        """The steps that lead here."""
        steps: list[Step] = []
        state = self
        while state.parent is not None and state.event is not None:
            caller = state.event.caller
            steps.append(Step(state.event, state.parent.places[caller], state.places[caller]))
            state = state.parent
        return steps[::-1]


_BUDGETS = (Fault.FAILED, Fault.CANCELLED, Fault.EXPIRED, Fault.DIED)
_BUDGET = {fault: _BUDGETS.index(fault) for fault in _BUDGETS} | {Fault.LOST: 0}


class _Search(Generic[W]):
    def __init__(
        self,
        operations: Sequence[Callable[[], Operation[object]]],
        world: Callable[[], W],
        judge: Callable[[End[W]], str | None],
        records: Records,
        faults: Faults,
        driver: Driver,
        *,
        prune: bool,
    ) -> None:
        self._judge = judge
        self._driver = driver
        self._prune = prune
        self._names = [getattr(begin, "__name__", type(begin).__name__) for begin in operations]
        self._service = Service(world, trusted=prune)
        self._firsts = [operations.index(begin) for begin in operations]
        self._alike = _alike(self._firsts) if prune else []
        numbers = itertools.count()
        places = {first: Place(operations[first], driver, numbers) for first in set(self._firsts)}
        budgets = (faults.failures, faults.cancellations, faults.expiries, faults.deaths)
        beginning = tuple(places[first] for first in self._firsts)
        self._beginning = _State(self._service.begin, records, beginning, budgets)
        self._ends = 0
        self._schedules = 0
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def run(self, limit: int) -> Explored:
        """Look at all states: those that one step leads to, then those that two lead to, and so on.

        What happened to each caller is part of a state, so all ways to it are of one length.
        """
        states = 0
        layer = [self._beginning]
        while layer:
            following: dict[Hashable, _State] = {}
            for state in layer:
                states += 1
                if states > limit:
                    raise TooManyStates(self._too_many(state, limit))
                for child in self._look_at(state):
                    key = self._key(child) if self._prune else len(following)
                    known = following.setdefault(key, child)
                    if known is not child:
                        known.ways += child.ways
            layer = list(following.values())
        return Explored(states, self._ends, self._schedules, dict(self._counts), self._examples)

    def _key(self, state: _State) -> Hashable:
        numbers = [place.number for place in state.places]
        for group in self._alike:
            for caller, number in zip(group, sorted([numbers[caller] for caller in group]), strict=True):
                numbers[caller] = number
        return state.service, state.records, tuple(numbers)

    def _look_at(self, state: _State) -> Iterator[_State]:
        for caller, place in enumerate(state.places, 1):
            if place.unruly is not None:
                reason = f"Caller {caller} was cancelled and did not end, but raised {said(place.unruly)}."
                raise self._failed(reason, state.steps(), state)
        if all(place.effect is None for place in state.places):
            self._end(state)
            return
        choices = list(_choices(state))
        if not any(fault in _FREE for _, fault in choices):
            waiting = ", ".join(
                f"caller {caller} for {place.wants!r}" for caller, place in enumerate(state.places, 1) if place.wants
            )
            raise self._failed(f"Somebody waits for ever: {waiting}.", state.steps(), state)
        for caller, fault in choices:
            child = self._after(state, caller, fault)
            if child is not None:
                yield child

    def _after(self, state: _State, caller: int, fault: Fault | None) -> _State | None:
        """The state after a step; None if the effect has no answer that could be lost."""
        place = state.places[caller]
        effect = place.effect
        service, records, left, answer = state.service, state.records, state.left, None
        if fault is None or fault is Fault.LOST:
            service, records, answer = self._perform(state, effect)
        heard = answer
        if fault is Fault.LOST:
            if isinstance(answer, Exception):
                return None
            heard = _trouble(effect, sent=True)
        elif fault is Fault.FAILED:
            heard = answer = _trouble(effect, sent=False)
        if fault not in _FREE:
            spent = _BUDGET[fault]
            left = (*left[:spent], left[spent] - 1, *left[spent + 1 :])
        places = (*state.places[:caller], place.after(fault, heard), *state.places[caller + 1 :])
        event = Event(caller, effect, fault, answer)
        return _State(service, records, places, left, ways=state.ways, parent=state, event=event)

    def _perform(self, state: _State, effect: Effect | None) -> tuple[Hashable, Records, object]:
        match effect:
            case Send(request):
                answer, service = self._service.answer(state.service, request)
                return service, state.records, answer
            case Load(key):
                return state.service, state.records, load_record(state.records, key)
            case Save():
                records, written = save_record(state.records, effect)
                return state.service, records, written
            case _:
                return state.service, state.records, Entered.ENTERED

    def _end(self, state: _State) -> None:
        """Judge an end, and its mirror images: a judge may tell callers apart that begin alike."""
        steps = state.steps()
        for caller, place in enumerate(state.places, 1):
            if place.holds and place.outcome is not Gone.DEAD:
                kept = f"Caller {caller} has ended and still holds the lease of {keys_held(place)}."
                raise self._failed(kept, steps, state)
        mirrored = {tuple(state.places[old] for old in order): order for order in self._orders(len(state.places))}
        for places, order in mirrored.items():
            ways = state.ways // len(mirrored)  # whole: what leads to one leads to each of the others, mirrored
            seen = [step.of(order.index(step.event.caller)) for step in steps]
            label = self._judged(state, places, seen)
            self._ends += 1
            self._schedules += ways
            if label is not None:
                self._counts[label] += ways
                if label not in self._examples:
                    self._examples[label] = self._transcript(seen, state)

    def _orders(self, callers: int) -> Iterator[tuple[int, ...]]:
        """In which orders callers that begin alike can stand: for each of the new order, where it stood before."""
        for mixed in itertools.product(*(itertools.permutations(group) for group in self._alike)):
            order = list(range(callers))
            for group, permuted in zip(self._alike, mixed, strict=True):
                for new, old in zip(group, permuted, strict=True):
                    order[new] = old
            yield tuple(order)

    def _judged(self, state: _State, places: tuple[Place, ...], steps: list[Step]) -> str | None:
        end = End(
            outcomes=tuple(place.outcome for place in places),
            records=held_records(state.records),
            memories=tuple(held_records(place.memory) for place in places),
            world=self._service.world(state.service),
            log=tuple(step.event for step in steps),
        )
        try:
            return self._judge(end)
        except AssertionError as error:
            raise self._failed(str(error) or "The judge refused how it ended.", steps, state) from error
        except Exception as error:
            raise self._failed(f"The judge itself failed: {type(error).__name__}.", steps, state) from error

    def _failed(self, reason: str, steps: list[Step], state: _State) -> ScheduleFailed:
        title = f"The shortest way there, {len(steps)} steps:"
        return ScheduleFailed(f"{reason}\n\n{title}\n{self._transcript(steps, state)}", tuple(s.event for s in steps))

    def _too_many(self, state: _State, limit: int) -> str:
        transcript = self._transcript(state.steps(), state).splitlines()
        return (
            f"there are more than {limit} states: explore fewer callers, or fewer faults, or raise the limit, unless an"
            " operation never ends; one of the schedules that are not at their end comes from\n"
            + "\n".join(transcript[-_SHOWN:])
        )

    def _transcript(self, steps: list[Step], state: _State) -> str:
        beginnings = self._beginning.places
        return write_transcript(self._names, beginnings, steps, held_records(state.records), self._driver)


def _alike(firsts: list[int]) -> list[list[int]]:
    """The callers whose operations are made by the same callable, where there are several."""
    groups = [[caller for caller, other in enumerate(firsts) if other == first] for first in sorted(set(firsts))]
    return [group for group in groups if len(group) > 1]


def _choices(state: _State) -> Iterator[tuple[int, Fault | None]]:
    """What can happen next, and to whom."""
    held = frozenset[str]().union(*(place.holds for place in state.places))
    wanted = {place.wants for place in state.places}
    for caller, place in enumerate(state.places):
        if place.effect is None:
            if place.outcome is Gone.DEAD and not wanted.isdisjoint(place.holds):
                yield caller, Fault.LAPSED
            continue
        if place.wants not in held:
            yield caller, None
        for fault in place.may_meet:
            # A lease that ends while nobody waits for it might as well end when somebody does.
            if state.left[_BUDGET[fault]] and (fault is not Fault.EXPIRED or place.inside in wanted):
                yield caller, fault


def _trouble(effect: Effect | None, *, sent: bool) -> Exception:
    if not isinstance(effect, Send):
        return StoreError("the store broke down")
    return ReadError("the connection broke", sent=True) if sent else ConnectError("no connection")
