"""Timing on a noisy machine: contenders take turns in many short rounds, and of each the fastest round counts.

Noise only ever adds time, so the fastest round is the one that shows the contender; and whatever slows the machine for
a while slows all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TypeAlias

Batch: TypeAlias = Callable[[int], float]
"""Does something that many times, and gives the seconds it took."""

ROUND_SECONDS = 0.005


def repeated(call: Callable[[], object]) -> Batch:
    """The batch that repeats `call`."""

    def batch(times: int) -> float:
        begin = perf_counter()
        for _ in range(times):
            call()
        return perf_counter() - begin

    return batch


def fastest(contenders: Mapping[str, Batch | None], *, seconds: float) -> dict[str, float | None]:
    """The seconds that one call of each contender takes, None for a missing one; `seconds` are spent on all."""
    rounds = {name: (batch, _round_of(batch)) for name, batch in contenders.items() if batch is not None}
    best: dict[str, float | None] = dict.fromkeys(contenders)
    until = perf_counter() + seconds
    while perf_counter() < until:
        for name, (batch, times) in rounds.items():
            took = batch(times) / times
            best[name] = min(took, best[name] or took)
    return best


def _round_of(batch: Batch) -> int:
    """How many calls fill a round; this also opens connections and warms caches."""
    times = 1
    # Of three: one slow call must not pass for a slow contender, whose rounds would all be cold.
    while min(batch(times) for _ in range(3)) < ROUND_SECONDS / 2:
        times *= 2
    return times
