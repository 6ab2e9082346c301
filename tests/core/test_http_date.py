"""HTTP dates: three forms, one meaning."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth.http_date import parse_http_date
from sansauth.testing.http_date import http_date

NOW = 1_800_000_000.0  # 2027
RFC_SECONDS = 784_111_777  # RFC 9110 section 5.6.7: its three examples are one moment


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_the_three_forms_of_the_rfc(text: str) -> None:
    assert parse_http_date(text, now=NOW) == RFC_SECONDS


@given(st.integers(0, 253_402_300_799))
def test_what_is_written_is_read(seconds: int) -> None:
    assert parse_http_date(http_date(seconds), now=NOW) == seconds
    assert parse_http_date(format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True), now=NOW) == seconds


@pytest.mark.parametrize(("year", "means"), [(77, 2077), (78, 1978), (27, 2027), (0, 2000), (99, 1999)])
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(year: int, means: int) -> None:
    seconds = parse_http_date(f"Friday, 01-Jan-{year:02} 00:00:00 GMT", now=NOW)
    assert seconds == datetime(means, 1, 1, tzinfo=UTC).timestamp()


def test_a_leap_second_is_a_second() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", now=NOW) == datetime(2017, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "0",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun Nov 0x 08:49:37 1994",
    ],
)
def test_what_is_no_http_date(text: str) -> None:
    assert parse_http_date(text, now=NOW) is None


@given(st.text())
def test_no_text_crashes_it(text: str) -> None:
    assert parse_http_date(text, now=NOW) is None
