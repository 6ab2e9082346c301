"""A schedule in words: who did what, with what answer. Keys, statuses, sizes and versions; never what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from sansauth.effects import Effect, Exclusive, Load, Save, Send, Sleep, Stored
from sansauth.errors import SansauthError
from sansauth.http import Response
from sansauth.testing.replay import Entered, Left, Place
from sansauth.testing.schedules import Driver, Event, Fault, Gone

__all__ = ["Step", "keys_held", "said", "write_transcript"]


_LONG = 24


class Step(NamedTuple):
    """An event, and where its caller stood before and after it."""

    event: Event
    before: Place
    after: Place

    def of(self, caller: int) -> Step:
        """The same step of another caller, who begins alike."""
        event = self.event
        return Step(Event(caller, event.effect, event.fault, event.answer), self.before, self.after)


def write_transcript(
    names: Sequence[str],
    beginnings: Sequence[Place],
    steps: Sequence[Step],
    records: Mapping[str, Stored],
    driver: Driver,
) -> str:
    """The lines of a schedule: what happened, numbered, what followed from it by itself, and what is then stored."""
    lines = [f"     caller {caller} is {name}" for caller, name in enumerate(names, 1)]
    lines += [f"     the driver {habit}" for habit in _habits(driver)]
    for caller, place in enumerate(beginnings, 1):
        lines += [f"     caller {caller} {what}" for what in _consequences(place)]
    for number, (event, before, after) in enumerate(steps, 1):
        who = f"caller {event.caller + 1}"
        lines.append(f"{number:3}. {_sentence(who, event, before, driver)}")
        if event.fault is not Fault.LAPSED:
            lines += [f"     {who} {what}" for what in _consequences(after)]
    held = "; ".join(f"{key!r}, {said(stored)}" for key, stored in records.items())
    lines.append(f"     the store holds {held or said(None)}")
    return _shortened("\n".join(lines), {key for _, before, after in steps for key in _keys_of(before, after)})


def _keys_of(*places: Place) -> Iterator[str]:
    for place in places:
        for what in (place.effect, *place.then):
            if isinstance(what, Load | Save | Exclusive):
                yield what.key


def _shortened(text: str, keys: Collection[str]) -> str:
    """The text with long keys by their first part, where that is enough to tell them apart."""
    short = {key: f"{key.partition('/')[0]}/..." for key in sorted(keys)}
    names = Counter(short.values())
    legend = ""
    for key, name in short.items():
        if len(key) > _LONG and names[name] == 1:
            text = text.replace(repr(key), repr(name))
            legend += f"     {name!r} is {key!r}\n"
    return legend + text


def _habits(driver: Driver) -> Iterator[str]:
    if not driver.shielded:
        yield "shields no body from cancellation"
    if not driver.leases:
        yield "ignores leases"
    if not driver.releases:
        yield "keeps the lease when a body fails"


def _sentence(who: str, event: Event, before: Place, driver: Driver) -> str:
    act = _act(event.effect)
    match event.fault:
        case Fault.LAPSED:
            return f"the lease of {who}, which is dead, comes to its end ({keys_held(before)})"
        case Fault.DIED:
            holding = f", holding {keys_held(before)}" if before.holds else ""
            return f"the process of {who} dies before it {act}{holding}"
        case Fault.EXPIRED:
            return f"the lease of {who} on {before.inside!r} expires before it {act}; it does not know"
        case Fault.CANCELLED:
            shielded = driver.shielded and before.inside is not None
            return f"{who} is cancelled before it {act}" + ("; the body goes on to its end" if shielded else "")
        case Fault.FAILED:
            return f"{who} {act}: that fails before it happens, {said(event.answer)}"
        case Fault.LOST:
            return f"{who} {act}{_answered(event)}, but the answer is lost on its way"
        case _:
            return f"{who} {act}{_answered(event)}"


def _answered(event: Event) -> str:
    match event.effect, event.answer:
        case Exclusive(), Entered():
            return ""
        case Save(data=None), int():
            return ": done"
        case Save(), int() as version:
            return f": now version {version}"
        case _:
            return f": {said(event.answer)}"


def _consequences(place: Place) -> Iterator[str]:
    for what in place.then:
        match what:
            case Left(key, released):
                yield f"leaves {key!r}" + (" and gives its lease back" if released else "")
            case Exclusive(key):
                yield f"enters {key!r}"
            case Load(key):
                yield f"recalls {key!r}"
            case Save(key):
                yield f"keeps {key!r} in mind"
            case effect:
                yield _act(effect)
    if place.effect is None and place.outcome is not Gone.DEAD:
        yield f"ends: {said(place.outcome)}"


def keys_held(place: Place) -> str:
    """The keys whose leases a caller has."""
    return ", ".join(repr(key) for key in sorted(place.holds))


def _act(effect: Effect | None) -> str:
    match effect:
        case Send(request):
            return f"sends {request.method} {request.path}"
        case Sleep(seconds):
            return f"sleeps {seconds:g} s"
        case Load(key):
            return f"loads {key!r}"
        case Save(key, data, expected):
            over = "as a new record" if expected is None else f"over version {expected}"
            return f"deletes {key!r}, version {expected}" if data is None else f"saves {key!r} {over}, {_size(data)}"
        case Exclusive(key):
            return f"takes the lease of {key!r}"
        case _:
            return "goes on"


def said(value: object) -> str:
    """An answer or an outcome in words, without what is in it."""
    match value:
        case None:
            return "nothing"
        case Gone():
            return value.value
        case Response():
            return f"answer {value.status}"
        case Stored():
            return f"version {value.version}, {_size(value.data)}"
        case bool() | int():
            return repr(value)
        case SansauthError() if str(value):
            return f"{type(value).__name__} ({value})"
        case _:
            return type(value).__name__


def _size(data: bytes) -> str:
    return f"{len(data)} byte" + ("" if len(data) == 1 else "s")
