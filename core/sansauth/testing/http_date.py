"""The `date` header, written by hand: `email.utils` would bring a socket into the core."""

from __future__ import annotations

from datetime import UTC, datetime

from sansauth.http_date import MONTHS

__all__ = ["http_date"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LAST = 253_402_300_799  # the last second of the year 9999, where both datetime and the format end


def http_date(seconds: float) -> str:
    """Unix seconds as IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7)."""
    # Not strftime: it speaks the process's locale. Clamped, because a sandbox's skew may be anything.
    moment = datetime.fromtimestamp(int(min(max(seconds, 0), _LAST)), UTC)
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02} {MONTHS[moment.month - 1]} {moment.year:04} "
        f"{moment.hour:02}:{moment.minute:02}:{moment.second:02} GMT"
    )
