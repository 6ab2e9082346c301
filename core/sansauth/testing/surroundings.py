"""What the callers of a schedule share, as values: the service they talk to, and the store."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeAlias, TypeVar

from sansauth.effects import Save, Stored
from sansauth.errors import Conflict, LocalProtocolError, TransportError
from sansauth.http import Request, Response
from sansauth.testing.schedules import World

__all__ = ["Records", "Service", "held_records", "load_record", "save_record", "stored_records"]

W = TypeVar("W", bound=World)

Records: TypeAlias = tuple[tuple[str, Stored | None, int], ...]
"""Of each key that ever had a record: the key, the record, and the last version given. Sorted."""


def stored_records(records: Mapping[str, bytes]) -> Records:
    """A store that holds these, each as its version 1."""
    return tuple((key, Stored(data, 1), 1) for key, data in sorted(records.items()))


def held_records(records: Records) -> dict[str, Stored]:
    """The records that there are."""
    return {key: stored for key, stored, _ in records if stored is not None}


def load_record(records: Records, key: str) -> Stored | None:
    """What a `Load` is answered."""
    return next((stored for held, stored, _ in records if held == key), None)


def save_record(records: Records, effect: Save) -> tuple[Records, int | Conflict]:
    """The store after a `Save`, and what that is answered; no version is given twice, even after a deletion."""
    stored = load_record(records, effect.key)
    version = None if stored is None else stored.version
    if version != effect.expected:
        return records, Conflict("there is none" if version is None else f"it is version {version}")
    last = next((last for held, _, last in records if held == effect.key), 0) + 1
    others = [entry for entry in records if entry[0] != effect.key]
    entry = (effect.key, None if effect.data is None else Stored(effect.data, last), last)
    return tuple(sorted([*others, entry], key=lambda entry: entry[0])), last


class Service(Generic[W]):
    """The world as a value: what it answers in each of its states, found out once.

    A state is named by what `state()` gives, or, unless that is to be `trusted`, by all requests since the beginning.
    """

    def __init__(self, world: Callable[[], W], *, trusted: bool) -> None:
        self._world = world
        self._trusted = trusted
        self._answers: dict[tuple[Hashable, Request], tuple[Response | TransportError, Hashable]] = {}
        self._requests: dict[Hashable, tuple[Request, ...]] = {}
        self._shown: dict[Hashable, W] = {}
        self.begin = self._name(world(), ())

    def answer(self, state: Hashable, request: Request) -> tuple[Response | TransportError, Hashable]:
        """The answer in that state, or the trouble instead of one, and the state after it."""
        known = self._answers.get((state, request))
        if known is not None:
            return known
        world = self._made(state)
        answer = _ask(world, request)
        if isinstance(answer, Exception):
            answer.with_traceback(None)  # its frames would be kept, and grow whenever it is raised again
        found = answer, self._name(world, (*self._requests[state], request))
        self._answers[state, request] = found
        return found

    def world(self, state: Hashable) -> W:
        """A world in that state, to be looked at."""
        if state not in self._shown:
            self._shown[state] = self._made(state)
        return self._shown[state]

    def _made(self, state: Hashable) -> W:
        world = self._world()
        requests = self._requests[state]
        for request in requests:
            _ask(world, request)
        if self._name(world, requests) != state:
            raise LocalProtocolError(
                "the world is not the same after the same requests: let world() make a new one that shares nothing"
            )
        return world

    def _name(self, world: W, requests: tuple[Request, ...]) -> Hashable:
        state = world.state() if self._trusted else requests
        self._requests.setdefault(state, requests)
        return state


def _ask(world: World, request: Request) -> Response | TransportError:
    try:
        return world.answer(request)
    except TransportError as error:
        return error
