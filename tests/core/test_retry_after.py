"""Retry-After (RFC 9110 section 10.2.3): seconds from the answer on, whichever of its forms it has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Response
from sansauth.retry_after import read_retry_after

DATE = "Tue, 15 Nov 1994 08:12:31 GMT"


def read(value: str, *, date: str | None = None) -> float | None:
    fields = [("retry-after", value), *([] if date is None else [("date", date)])]
    return read_retry_after(Response(503, fields).headers.get)


@pytest.mark.parametrize(("value", "seconds"), [("120", 120.0), ("0", 0.0), ("1.5", 1.5), ("9" * 12, 999999999999.0)])
def test_seconds_are_seconds(value: str, seconds: float) -> None:
    assert read(value) == read(value, date=DATE) == seconds


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:57:59 GMT"),
        ("Friday, 31-Dec-99 23:59:59 GMT", "Fri, 31 Dec 1999 23:57:59 GMT"),
        ("Fri, 31 Dec 2027 23:59:59 GMT", "Friday, 31-Dec-27 23:57:59 GMT"),
        ("Fri Dec 31 23:59:59 1999", "Fri Dec 31 23:57:59 1999"),
    ],
)
def test_a_date_is_taken_by_the_answers_own(value: str, date: str) -> None:
    assert read(value, date=date) == 120.0


def test_a_date_that_is_past_asks_for_no_wait() -> None:
    assert read("Tue, 15 Nov 1994 08:00:00 GMT", date=DATE) == 0.0


@pytest.mark.parametrize("value", ["", "-1", "+1", "1e9", "1_0", "soon", "²", "1" * 13, "5, 5", ".5", "1.", "inf"])
def test_what_cannot_be_read_says_nothing(value: str) -> None:
    assert read(value, date=DATE) is None


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_nor_does_a_date_without_a_date_to_count_from(date: str | None) -> None:
    assert read("Fri, 31 Dec 1999 23:59:59 GMT", date=date) is None


def test_nothing_is_said_of_it() -> None:
    assert read_retry_after(Response(503, {"date": DATE}).headers.get) is None


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_no_header_crashes_the_reader(value: str, date: str) -> None:
    seconds = read_retry_after({"retry-after": value, "date": date}.get)
    assert seconds is None or seconds >= 0
