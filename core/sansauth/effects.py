"""The five effects an operation can ask for, and `Operation` itself.

An operation is a generator of effects, written as straight code:

    @operation
    def token(app: App, *, provider: Provider = X) -> Steps[Secret]:
        response = yield from Send(build_token_request(app, provider))
        return parse_bearer_token(response, provider)

It decides; a driver does. Each effect is iterable and yields itself, so that `yield from Load(key)` has the precise
type of its answer.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeAlias, TypeVar, cast

from sansauth.errors import LocalProtocolError
from sansauth.http import Request, Response

__all__ = [
    "DEFAULT_TIMEOUTS",
    "Effect",
    "Exclusive",
    "Load",
    "Operation",
    "Save",
    "Send",
    "Sleep",
    "Steps",
    "Stored",
    "Timeouts",
    "operation",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
TOTAL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits on one exchange, in seconds: to connect, between two pieces of the answer, and in all."""

    connect: float = CONNECT_SECONDS
    read: float = READ_SECONDS
    total: float = TOTAL_SECONDS

    def __post_init__(self) -> None:
        limits = cast("tuple[object, ...]", (self.connect, self.read, self.total))
        if not all(isinstance(limit, (int, float)) and 0 < limit < float("inf") for limit in limits):
            raise ValueError("every timeout is a finite number of seconds above zero")


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """A record as the store holds it: its bytes, and the version that a `Save` must name to replace it."""

    data: bytes
    version: int

    def __repr__(self) -> str:
        return f"Stored(<{len(self.data)} bytes>, version={self.version})"


@dataclass(frozen=True, slots=True)
class Send:
    """Put `request` on the wire; answered by a `Response`. Transport trouble is thrown in as `TransportError`.

    `timeouts` bounds this exchange; None leaves it to the driver's own.
    """

    request: Request
    timeouts: Timeouts | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.request, Request):  # pyright: ignore[reportUnnecessaryIsInstance]  # without a checker
            raise LocalProtocolError(f"Send takes a Request, not {type(self.request).__name__}")
        if not isinstance(self.timeouts, Timeouts | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # likewise
            raise LocalProtocolError(f"Send takes timeouts as Timeouts or None, not {type(self.timeouts).__name__}")

    def __iter__(self) -> Generator[Send, object, Response]:
        return cast("Response", (yield self))


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait; answered by None."""

    seconds: float

    def __iter__(self) -> Generator[Sleep, object, None]:
        yield self


@dataclass(frozen=True, slots=True)
class Load:
    """Read the record of `key`; answered by `Stored`, or None if there is none.

    `cached`: an answer that the driver has seen before will do, so that it need not ask the store.
    """

    key: str
    cached: bool = False

    def __iter__(self) -> Generator[Load, object, Stored | None]:
        return cast("Stored | None", (yield self))


@dataclass(frozen=True, slots=True, repr=False)
class Save:
    """Write the record of `key` if its version still is `expected`; answered by the new version.

    `expected=None`: it must not exist yet. `data=None`: delete it. Otherwise `Conflict` is thrown in.
    """

    key: str
    data: bytes | None
    expected: int | None

    def __iter__(self) -> Generator[Save, object, int]:
        return cast("int", (yield self))

    def __repr__(self) -> str:
        size = "delete" if self.data is None else f"{len(self.data)} bytes"
        return f"Save({self.key!r}, <{size}>, expected={self.expected})"


@dataclass(frozen=True, slots=True)
class Exclusive(Generic[T_co]):
    """Run `body` alone for `key` among tasks, threads, processes and machines; answered by the body's result.

    The body is carried along, instead of a lock and an unlock, because releasing in `finally: yield ...` breaks when
    the operation is cancelled. Once begun, a body is not cancelled; it is alone as long as it ends within its lease.
    An `Exclusive` inside another is refused.
    """

    key: str
    body: Operation[T_co]

    def __iter__(self) -> Generator[Exclusive[T_co], object, T_co]:
        return cast("T_co", (yield self))


Effect: TypeAlias = Send | Sleep | Load | Save | Exclusive[object]

Steps: TypeAlias = Generator[Effect, object, T]
"""What the body of an operation function returns: a generator of effects that ends in a T."""


class Operation(Generic[T_co]):
    """A computation that asks for effects and ends in a `T_co`. Nothing happens until something steps it.

    Give it to a client's `run`, to `Flow`, or to `yield from` in another operation. It can be run any number of times;
    each run starts afresh.
    """

    __slots__ = ("_begin", "_name")

    def __init__(self, name: str, begin: Callable[[], Steps[T_co]]) -> None:
        self._name = name
        self._begin = begin

    def __iter__(self) -> Steps[T_co]:
        return self._begin()

    def __repr__(self) -> str:
        # No arguments: tokens are among them.
        return f"<Operation {self._name}, not run: give it to a client's run() or to Flow()>"


def operation(function: Callable[P, Steps[T]]) -> Callable[P, Operation[T]]:
    """Make a generator function return an `Operation`; the decorator of every operation function.

    `LocalProtocolError` for any other function: there would be nothing to step.
    """
    name = f"{function.__module__}.{function.__qualname__}"
    if not inspect.isgeneratorfunction(function):
        raise LocalProtocolError(f"@operation takes a generator function; {name} has no `yield from` in it")

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Operation[T]:
        function(*args, **kwargs)  # binds the arguments now: a wrong one is a TypeError here, not in the driver
        return Operation(name, functools.partial(function, *args, **kwargs))

    return wrapper
