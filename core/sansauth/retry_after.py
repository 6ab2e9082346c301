"""How long a service asks to be left alone (RFC 9110 section 10.2.3)."""

from __future__ import annotations

import re
from collections.abc import Callable

from sansauth.http_date import parse_http_date

__all__ = ["read_retry_after"]

_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")  # RFC 9110 has whole ones only; some services are more exact
_LATELY = 1_700_000_000.0  # for dates whose year has two digits: any moment of this half of the century


def read_retry_after(header: Callable[[str], str | None]) -> float | None:
    """Seconds to wait from the answer on, 0 or more; None if `Retry-After` is missing or cannot be read.

    `header` looks a header up by name (`Headers.get`). A date is taken by the answer's own `Date`, so that no clock is
    needed and none can be wrong; without one it says nothing.
    """
    value = header("retry-after")
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return float(value)
    now = parse_http_date(header("date") or "", now=_LATELY)
    if now is None:
        return None
    then = parse_http_date(value, now=now)
    return None if then is None else max(float(then - now), 0.0)
