"""What a schedule is made of: the effects of several callers in one order, the faults among them, and how it ended."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

from sansauth.effects import Effect, Stored
from sansauth.http import Request, Response

__all__ = ["Driver", "End", "Event", "Explored", "Fault", "Faults", "Gone", "ScheduleFailed", "TooManyStates", "World"]


class World(Protocol):
    """The service that callers talk to. It may keep state; it must do the same whenever it is asked the same."""

    def answer(self, request: Request, /) -> Response:
        """Handle a request. A `TransportError` that is raised is thrown into the operation, as a transport's would."""
        ...

    def state(self) -> Hashable:
        """All that later answers, and the judge, can depend on. Two worlds of equal state are taken for the same."""
        ...


W_co = TypeVar("W_co", covariant=True)


class Fault(enum.Enum):
    """What went wrong at an effect."""

    FAILED = "it failed before it happened"
    LOST = "it happened, but its answer was lost"
    CANCELLED = "its caller was cancelled before it happened"
    EXPIRED = "the lease that its caller holds expired before it happened"
    DIED = "its caller's process died before it happened"
    LAPSED = "the lease of a caller that is dead came to its end"


class Gone(enum.Enum):
    """The outcome of a caller that had none of its own."""

    CANCELLED = "cancelled"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Faults:
    """How many faults a schedule may have at most, all callers together.

    `failures`: an effect fails before it happens (a `Send` by `ConnectError`, `Load`, `Save` and `Exclusive` by
    `StoreError`), or happens and its answer is lost (a `Send` by `ReadError`, a `Save` by `StoreError`).
    `cancellations`: a caller is cancelled. `expiries`: a lease ends under a caller that does not know. `deaths`: a
    caller's process vanishes; the lease it may hold ends some time later, which costs nothing.
    """

    failures: int = 0
    cancellations: int = 0
    expiries: int = 0
    deaths: int = 0

    def __post_init__(self) -> None:
        budgets = cast("tuple[object, ...]", (self.failures, self.cancellations, self.expiries, self.deaths))
        if not all(isinstance(budget, int) and budget >= 0 for budget in budgets):
            raise ValueError("a budget of faults is a whole number, 0 or above")


@dataclass(frozen=True, slots=True)
class Driver:
    """What the driver under the callers keeps to; a wrong driver keeps less, and what follows from that is found.

    `shielded`: a body of `Exclusive` that has begun is not cancelled. `leases`: one body at a time holds a key.
    `releases`: a lease is given back even if the body raised or was closed.
    """

    shielded: bool = True
    leases: bool = True
    releases: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a schedule.

    `caller` is the place of its operation in the list, from 0. `effect` is the one that the caller waited for; None for
    a caller that is dead. `answer` is what came of the effect (a `Response`, a `Stored`, a version, the error thrown
    in), whether or not it reached the caller; None where the effect did not happen.
    """

    caller: int
    effect: Effect | None
    fault: Fault | None = None
    answer: object = None


@dataclass(frozen=True, slots=True, repr=False)
class End(Generic[W_co]):
    """How a schedule ended, for a judge.

    `outcomes`: of each caller what it returned, the exception that it raised, `Gone.CANCELLED` or `Gone.DEAD`.
    `records`: what the store holds; `memories`: of each caller its own, the `mem:` records. `world` is for looking at:
    other ends share it. `log`: what happened. Of all schedules that end alike it is a shortest one; what each caller
    did and met is the same in all of them, only how their steps were interleaved is not.
    """

    outcomes: tuple[object, ...]
    records: Mapping[str, Stored]
    memories: tuple[Mapping[str, Stored], ...]
    world: W_co
    log: tuple[Event, ...]

    @property
    def faults(self) -> tuple[Event, ...]:
        """The events that were paid for from the budget of faults."""
        return tuple(event for event in self.log if event.fault not in (None, Fault.LAPSED))

    def __repr__(self) -> str:
        # A judge's failed assertion shows it: nothing of what was returned or stored.
        return f"<End of {len(self.outcomes)} callers after {len(self.log)} steps>"


@dataclass(frozen=True, slots=True)
class Explored:
    """What was explored without finding a violation.

    `states` were looked at, which stand for that many `schedules`; they have that many different `ends`. `counts`: of
    each label that the judge gave, how many schedules got it; `examples`: the transcript of a shortest of them.
    """

    states: int
    ends: int
    schedules: int
    counts: Mapping[str, int]
    examples: Mapping[str, str]


class ScheduleFailed(AssertionError):
    """A schedule ended wrongly: its text is the transcript, `log` what happened. There is no shorter one that does."""

    def __init__(self, transcript: str, log: tuple[Event, ...]) -> None:
        super().__init__(transcript)
        self.log = log


class TooManyStates(RuntimeError):
    """There are more states than `explore` was allowed to look at."""
