"""Rate limits as the service's headers tell them."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Headers, RateLimit, Response
from sansauth.ratelimit import read_rate_limits
from sansauth.x import X

PREFIXES = {"window": "x-rate-limit", "app-24hour": "x-app-limit-24hour"}


def read(fields: dict[str, str]) -> tuple[RateLimit, ...]:
    return read_rate_limits(Headers(fields).get, PREFIXES)


def window(limit: str = "15", remaining: str = "14", reset: str = "1318623000") -> dict[str, str]:
    return {"X-Rate-Limit-Limit": limit, "X-Rate-Limit-Remaining": remaining, "X-Rate-Limit-Reset": reset}


def test_a_pool_is_read_from_three_headers() -> None:
    assert read(window()) == (RateLimit("window", limit=15, remaining=14, reset=1318623000),)


def test_every_pool_that_was_sent_is_read_in_the_providers_order() -> None:
    day = {"x-app-limit-24hour-reset": "3", "x-app-limit-24hour-limit": "1", "x-app-limit-24hour-remaining": "0"}
    assert [limit.pool for limit in read({**day, **window()})] == ["window", "app-24hour"]
    assert read(day) == (RateLimit("app-24hour", 1, 0, 3),)


def test_no_headers_no_limits() -> None:
    assert read({}) == ()
    assert read_rate_limits(Headers(window()).get, {}) == ()


@pytest.mark.parametrize("missing", ["X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"])
def test_a_pool_with_a_field_missing_is_left_out(missing: str) -> None:
    fields = window()
    del fields[missing]
    assert read(fields) == ()


@pytest.mark.parametrize(
    "value", ["", "-1", "+1", "1.5", "1_0", " ", "0x10", "1e3", "15, 15", "soon", "²", "9" * 19, "9" * 5000]
)
@pytest.mark.parametrize("field", ["limit", "remaining", "reset"])
def test_a_field_that_is_no_plain_number_leaves_the_pool_out(field: str, value: str) -> None:
    assert read(window(**{field: value})) == ()


def test_a_provider_reads_those_of_any_answer() -> None:
    assert X.rate_limits(Response(200, window())) == (RateLimit("window", limit=15, remaining=14, reset=1318623000),)
    assert X.rate_limits(Response(200)) == ()


def test_a_zero_is_a_number() -> None:
    assert read(window("0", "0", "0")) == (RateLimit("window", 0, 0, 0),)


def test_digits_of_other_scripts_are_no_numbers() -> None:
    assert read_rate_limits(lambda name: "٣", PREFIXES) == ()


def test_a_limit_is_exhausted_when_nothing_remains() -> None:
    assert RateLimit("window", 15, 0, 1).exhausted
    assert not RateLimit("window", 15, 1, 1).exhausted


def test_the_exhausted_limit_that_resets_last_binds() -> None:
    limits = [
        RateLimit("window", 15, 0, 100),
        RateLimit("day", 300, 0, 900),
        RateLimit("user", 300, 5, 1000),
    ]
    for order in permutations(limits):
        assert RateLimit.binding(order) == limits[1]


def test_without_an_exhausted_one_the_shortest_window_binds() -> None:
    limits = [RateLimit("window", 15, 1, 100), RateLimit("day", 300, 200, 900)]
    for order in permutations(limits):
        assert RateLimit.binding(iter(order)) == limits[0]


def test_no_limits_bind_nothing() -> None:
    assert RateLimit.binding(()) is None


@given(
    st.dictionaries(st.sampled_from([f"x-rate-limit-{part}" for part in ("limit", "remaining", "reset")]), st.text())
)
def test_no_header_value_breaks_the_reading(values: dict[str, str]) -> None:
    for limit in read_rate_limits(values.get, X.rate_limit_headers):
        assert min(limit.limit, limit.remaining, limit.reset) >= 0


def test_x_has_five_pools() -> None:
    assert len(X.rate_limit_headers) == 5
