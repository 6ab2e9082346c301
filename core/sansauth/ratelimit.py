"""Rate limits as the service's headers tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

__all__ = ["RateLimit", "read_rate_limits"]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One pool's limit: `limit` calls per window, `remaining` of them, all back at `reset` (Unix seconds)."""

    pool: str
    limit: int
    remaining: int
    reset: int

    @property
    def exhausted(self) -> bool:
        """Whether nothing remains until `reset`."""
        return self.remaining <= 0

    @staticmethod
    def binding(limits: Iterable[RateLimit]) -> RateLimit | None:
        """The exhausted limit that resets last, else the one that resets first; None for no limits.

        A 429 may come from the 15-minute window or from a day's limit; waiting for the earlier reset only earns
        another 429.
        """
        limits = tuple(limits)
        exhausted = [limit for limit in limits if limit.exhausted]
        if exhausted:
            return max(exhausted, key=lambda limit: limit.reset)
        return min(limits, key=lambda limit: limit.reset, default=None)


def read_rate_limits(header: Callable[[str], str | None], prefixes: Mapping[str, str]) -> tuple[RateLimit, ...]:
    """Read `<prefix>-limit`, `-remaining` and `-reset` for each pool; a pool with a field missing is left out.

    `header` looks a header up by name (`Headers.get`); `prefixes` maps a pool's name to the prefix of its headers, and
    is a provider's data.
    """
    found: list[RateLimit] = []
    for pool, prefix in prefixes.items():
        fields = [_number(header(f"{prefix}-{field}")) for field in ("limit", "remaining", "reset")]
        if None not in fields:
            limit, remaining, reset = (field or 0 for field in fields)
            found.append(RateLimit(pool, limit, remaining, reset))
    return tuple(found)


def _number(value: str | None) -> int | None:
    # str.isdigit alone accepts "²", and int() underscores and any length; a header is plain ASCII digits.
    if value is None or not (value.isascii() and value.isdigit()) or len(value) > 18:
        return None
    return int(value)
