"""Rate limits, counted as X counts them: in windows of 15 minutes, application and user apart."""

from __future__ import annotations

from dataclasses import dataclass, field

from sansauth.ratelimit import RateLimit

__all__ = ["WINDOW_SECONDS", "RateWindows", "rate_limit_headers"]

WINDOW_SECONDS = 900


@dataclass(slots=True)
class _Window:
    reset: int
    used: int = 0


@dataclass(slots=True)
class RateWindows:
    """The calls counted so far, one window for each endpoint and pool."""

    _windows: dict[tuple[str, str], _Window] = field(default_factory=dict[tuple[str, str], _Window])

    def count(self, endpoint: str, pool: str, *, limit: int, now: float) -> tuple[bool, RateLimit]:
        """Count one call; gives whether it was within the limit, and what remains after it.

        A window begins with its first call and ends 15 minutes later; `now` is in Unix seconds. A refused call is not
        counted.
        """
        window = self._windows.get((endpoint, pool))
        # A window further ahead than its own length was opened by a clock that has been set back since.
        if window is None or not now < window.reset <= now + WINDOW_SECONDS:
            window = self._windows[endpoint, pool] = _Window(int(now) + WINDOW_SECONDS)
        admitted = window.used < limit
        window.used += admitted
        return admitted, RateLimit("window", limit, max(limit - window.used, 0), window.reset)


def rate_limit_headers(limit: RateLimit) -> dict[str, str]:
    """X's three headers for a limit."""
    return {
        "x-rate-limit-limit": str(limit.limit),
        "x-rate-limit-remaining": str(limit.remaining),
        "x-rate-limit-reset": str(limit.reset),
    }
