"""Dates as HTTP writes them (RFC 9110 section 5.6.7), read without the modules that would bring a socket along."""

from __future__ import annotations

import re
from datetime import UTC, datetime

__all__ = ["MONTHS", "parse_http_date"]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH = rf"(?P<month>{'|'.join(MONTHS)})"
# IMF-fixdate, and the two obsolete forms that a recipient has to understand: RFC 850's and asctime's.
_FORMS = (
    re.compile(rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{5,8}}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
_CENTURY, _FUTURE = 100, 50  # years


def parse_http_date(text: str, *, now: float) -> int | None:
    """Unix seconds of an HTTP date in any of its three forms; None if it is none.

    `now`, in Unix seconds, places a year of two digits: one that seems more than 50 years ahead is past.
    """
    match = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if match is None:
        return None
    year, second = int(match["year"]), int(match["second"])
    if len(match["year"]) == 2:
        year = _placed(year, now)
    try:
        minute = datetime(
            year, MONTHS.index(match["month"]) + 1, int(match["day"]), int(match["hour"]), int(match["minute"]),
            tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        return None
    return int(minute.timestamp()) + second if second <= 60 else None  # 60: a leap second


def _placed(year: int, now: float) -> int:
    this_year = datetime.fromtimestamp(now, UTC).year
    year += this_year - this_year % _CENTURY
    return year - _CENTURY if year > this_year + _FUTURE else year
