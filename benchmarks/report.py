"""Tables of plain text: our time, and of each peer its time and how many times as fast we are."""

from __future__ import annotations

from collections.abc import Mapping

LEGEND = """\
xN: what stands in the first line of its table is N times as fast as this line.
x1.00: equally fast; above: sansauth is faster; below: the other is.
A time is the fastest of many short rounds in which all contenders of a section take turns."""

UNITS = {"us": 1e6, "ms": 1e3}
NAME_WIDTH = 52


def table(title: str, measured: Mapping[str, float | None], *, unit: str) -> str:
    """Times in seconds by name, None for what is not installed; the first is ours, to which the others are compared."""
    ours = next(iter(measured.values()))
    return "\n".join([title, *(_line(name, seconds, ours, unit) for name, seconds in measured.items())])


def _line(name: str, seconds: float | None, ours: float | None, unit: str) -> str:
    if seconds is None:
        return f"  {name:{NAME_WIDTH}} not installed"
    ratio = f"  x{seconds / ours:.2f}" if ours is not None and seconds is not ours else ""
    return f"  {name:{NAME_WIDTH}}{seconds * UNITS[unit]:9.1f} {unit}{ratio}"
