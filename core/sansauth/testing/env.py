"""An Env for tests: its clock stands still, and its entropy is the same in every run."""

from __future__ import annotations

import hashlib
import itertools

from sansauth.env import Env

__all__ = ["fixed_env"]

START = 1_700_000_000.0


def fixed_env(at: float = START) -> Env:
    """A clock that stands at `at` (Unix seconds), and entropy that never repeats but begins the same in each Env.

    Predictable, so for tests only. Share one between client and sandbox: two of them make the same nonces.
    """
    draws = itertools.count()

    def entropy(size: int) -> bytes:
        return hashlib.shake_256(next(draws).to_bytes(8, "big")).digest(size)

    return Env(clock=lambda: at, entropy=entropy)
