"""The search: which mistake, or which two at once, make the signature that was received."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sansauth.oauth1.explaining.drafts import Draft, Mistake, Scene
from sansauth.oauth1.explaining.mistakes_of_encoding import ENCODING_MISTAKES
from sansauth.oauth1.explaining.mistakes_of_key import KEY_MISTAKES
from sansauth.oauth1.explaining.mistakes_of_parameters import PARAMETER_MISTAKES
from sansauth.oauth1.explaining.mistakes_of_uri import URI_MISTAKES

__all__ = ["MISTAKES", "TRIES", "Diagnosis", "Slip", "diagnose"]

MISTAKES = URI_MISTAKES + PARAMETER_MISTAKES + ENCODING_MISTAKES + KEY_MISTAKES
"""Every hypothesis, in the order in which they are tried, and in which two are put together."""

TRIES = 10_000
"""Signatures that are made at most; a large request, and an RSA signature, count for more than one."""
LARGE = 500  # characters of parameters that cost as much as one small request
RSA_COST = 50


@dataclass(frozen=True, slots=True)
class Slip:
    """A mistake that was made, with its detail."""

    mistake: Mistake
    detail: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The mistakes that together make the received signature; none if no one or two of the table do."""

    slips: tuple[Slip, ...]
    tried: int
    complete: bool
    """Whether every single mistake and every pair was tried."""


def diagnose(draft: Draft, scene: Scene, received: str) -> Diagnosis:
    """Try single mistakes, then pairs, until one makes `received` or `TRIES` are used up. Pure and repeatable."""
    size = sum(len(param.name) + len(param.value) for param in draft.params)
    cost = 1 + size // LARGE + (RSA_COST if draft.algorithm in draft.rsa else 0)
    tried = 0
    for slips, candidate in _candidates(draft, scene):
        if (tried + 1) * cost > TRIES:
            return Diagnosis((), tried, complete=False)
        tried += 1
        if candidate.signature() == received:
            return Diagnosis(slips, tried, complete=True)
    return Diagnosis((), tried, complete=True)


def _candidates(draft: Draft, scene: Scene) -> Iterator[tuple[tuple[Slip, ...], Draft]]:
    """Single mistakes, then pairs. A mistake that changes nothing here is not worth a pair."""
    singles: list[tuple[int, Slip, Draft]] = []
    for index, mistake in enumerate(MISTAKES):
        for changed, detail in mistake.variants(draft, scene):
            if changed != draft:
                singles.append((index, Slip(mistake, detail), changed))
                yield (singles[-1][1],), changed
    for index, slip, changed in singles:
        for mistake in MISTAKES[index + 1 :]:
            for both, detail in mistake.variants(changed, scene):
                if both != changed:
                    yield (slip, Slip(mistake, detail)), both
