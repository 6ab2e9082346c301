"""Flow: the state machine that every driver steps. A driver does nothing but this:

flow = Flow(operation)
while flow.state is State.WAITING:
    answer = perform(flow.effect)  # or flow.fail(error)
    flow.resume(answer)
return flow.result
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, TypeVar, cast

from sansauth.effects import Effect, Exclusive, Load, Operation, Save, Send, Sleep, Steps, Stored
from sansauth.errors import LocalProtocolError
from sansauth.http import Request, Response

__all__ = ["TRANSITIONS", "Flow", "Outcome", "State"]

T = TypeVar("T")
A = TypeVar("A")


class State(enum.Enum):
    """Where a flow stands."""

    WAITING = "waiting for the answer to its effect"
    DONE = "done"
    FAILED = "failed"


class Outcome(enum.Enum):
    """What became of one step of the operation."""

    YIELDED = "asked for an effect"
    RETURNED = "returned its result"
    RAISED = "raised"
    CLOSED = "was closed"


TRANSITIONS: dict[State, dict[Outcome, State]] = {
    State.WAITING: {
        Outcome.YIELDED: State.WAITING,
        Outcome.RETURNED: State.DONE,
        Outcome.RAISED: State.FAILED,
        Outcome.CLOSED: State.FAILED,
    },
    State.DONE: {Outcome.CLOSED: State.DONE},
    State.FAILED: {Outcome.CLOSED: State.FAILED},
}

# The answer each effect takes. None as a type: anything goes (the result of an Exclusive's body).
_ANSWERS: dict[type, tuple[type, ...] | None] = {
    Send: (Response,),
    Sleep: (type(None),),
    Load: (Stored, type(None)),
    Save: (int,),
    Exclusive: None,
}


class Flow(Generic[T]):
    """One run of an operation, from its first effect to its result.

    Making one takes the first step, so it may raise what the operation raises. A step that the state does not allow,
    or an answer that does not fit the effect, is a `LocalProtocolError` and changes nothing.
    """

    __slots__ = ("_effect", "_held", "_result", "_state", "_steps")

    def __init__(self, operation: Operation[T] | Steps[T], *, held: str | None = None) -> None:
        """`held` is the key of the Exclusive whose body this is; drivers use `body()` instead."""
        self._steps: Steps[T] = _steps(operation)
        self._held = held
        self._state = State.WAITING
        self._effect: Effect | None = None
        self._result: T | None = None
        self._advance(self._steps.send, None)

    @property
    def state(self) -> State:
        """WAITING, DONE or FAILED."""
        return self._state

    @property
    def effect(self) -> Effect:
        """What the operation waits for."""
        if self._effect is None:
            raise LocalProtocolError(f"no effect to perform: this flow is {self._state.value}")
        return self._effect

    @property
    def result(self) -> T:
        """What the operation returned."""
        if self._state is not State.DONE:
            raise LocalProtocolError(f"no result to read: this flow is {self._state.value}")
        return cast("T", self._result)

    @property
    def request(self) -> Request:
        """The request to send; short for `flow.effect.request` where the effect is a `Send`."""
        if not isinstance(self.effect, Send):
            raise LocalProtocolError(f"no request to send: this flow waits for {type(self.effect).__name__}")
        return self.effect.request

    def receive(self, response: Response) -> None:
        """Answer the `Send` with what came back."""
        _ = self.request
        self.resume(response)

    def resume(self, answer: object) -> None:
        """Answer the effect and run on to the next one. Raises what the operation raises."""
        expected = _ANSWERS[type(self.effect)]
        if expected is not None and not isinstance(answer, expected):
            names = " or ".join(kind.__name__ for kind in expected)
            raise LocalProtocolError(
                f"{type(self.effect).__name__} is answered by {names}, not by {type(answer).__name__}"
            )
        self._advance(self._steps.send, answer)

    def fail(self, error: Exception) -> None:
        """Throw `error` in, at the effect. Raises what the operation raises."""
        _ = self.effect
        if not isinstance(error, BaseException):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped drivers
            raise LocalProtocolError(f"fail() takes an exception, not {type(error).__name__}")
        try:
            self._advance(self._steps.throw, error)
        finally:
            del error  # else the error, its traceback and this frame would keep each other

    def body(self) -> Flow[object]:
        """Begin the body of the `Exclusive` this flow waits for: call it when key and lease are held."""
        if not isinstance(self.effect, Exclusive):
            raise LocalProtocolError(f"no body to run: this flow waits for {type(self.effect).__name__}")
        return Flow(self.effect.body, held=self.effect.key)

    def close(self) -> None:
        """Abandon the operation; its `finally` clauses run. Harmless when it has ended."""
        try:
            self._steps.close()
        finally:
            self._enter(Outcome.CLOSED)

    def _advance(self, step: Callable[[A], Effect], value: A) -> None:
        try:
            effect = step(value)
            while refusal := self._refuse(effect):
                effect = self._steps.throw(refusal)
        except StopIteration as stop:
            self._result = stop.value
            self._enter(Outcome.RETURNED)
        except BaseException:
            self._enter(Outcome.RAISED)
            raise
        else:
            self._enter(Outcome.YIELDED, effect)
        finally:
            del value  # as in `fail`

    def _refuse(self, effect: object) -> LocalProtocolError | None:
        if type(effect) not in _ANSWERS:
            return LocalProtocolError(
                f"an operation yields effects, not {type(effect).__name__}; write `yield from`, not `yield`"
            )
        if self._held is not None and isinstance(effect, Exclusive):
            # Two keys taken in two orders deadlock; the lease of the outer one may end while waiting for the inner.
            return LocalProtocolError(f"Exclusive({effect.key!r}) inside Exclusive({self._held!r}) is refused")
        return None

    def _enter(self, outcome: Outcome, effect: Effect | None = None) -> None:
        self._state = TRANSITIONS[self._state][outcome]
        self._effect = effect

    def __repr__(self) -> str:
        # A traceback that shows locals also shows what is half built: a repr that raised would hide the real error.
        if not hasattr(self, "_result"):
            return "<Flow, not begun>"
        waits = f" of {type(self._effect).__name__}" if self._effect is not None else ""
        return f"<Flow {self._state.value}{waits}>"


def _steps(operation: object) -> Steps[Any]:
    steps = operation
    if isinstance(steps, Iterable):
        steps = iter(cast("Iterable[object]", steps))
    if isinstance(steps, Generator):
        return cast("Steps[Any]", steps)
    hint = f"; call {getattr(operation, '__name__', 'it')}(...) first" if callable(operation) else ""
    raise LocalProtocolError(f"run() and Flow() take an Operation, not {type(operation).__name__}{hint}")
