"""A machine whose clock is wrong: its first signed call is refused once, then the service's own time is used."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sansauth import Env, Operation, Request, Response, Stored, errors
from sansauth.errors import Conflict
from sansauth.oauth1.send import clock_skew_key, send_signed
from sansauth.testing.http_date import http_date
from sansauth.x import TWITTER, X, invalidate_token, reverse_token

from .support import APP, ENV, TIMESTAMP, USER, Script, json_answer, refusal_answer

KEY = clock_skew_key(X)
REQUEST = Request("GET", "https://api.x.com/1.1/account/verify_credentials.json")
FINE = json_answer(200, {})
AHEAD = 900


def late(seconds: int = AHEAD, status: int = 401) -> Response:
    """Code 135 of a service whose clock is ahead by so many seconds."""
    refusal = refusal_answer(status, 135, "Timestamp out of bounds.")
    return Response(status, refusal.headers.replacing("date", http_date(TIMESTAMP + seconds)), refusal.body)


def timestamps(script: Script) -> list[int]:
    found = [re.search(r'oauth_timestamp="([0-9]+)"', request.headers["authorization"]) for request in script.sent]
    return [int(match[1]) for match in found if match]


def send(script: Script) -> Response:
    return script.run(send_signed(REQUEST, USER, provider=X, env=ENV)).response


@pytest.mark.parametrize("seconds", [AHEAD, -AHEAD, 0, 400_000_000, 10**9 - TIMESTAMP])
def test_a_refused_timestamp_is_corrected_once_by_the_answers_date(seconds: int) -> None:
    script = Script([late(seconds), FINE])
    assert send(script) is FINE
    assert timestamps(script) == [TIMESTAMP, TIMESTAMP + seconds]
    assert script.log == ["Load", "Send", "Load", "Save", "Load", "Send"]


def test_the_next_call_knows() -> None:
    script = Script([late(), FINE, FINE])
    send(script)
    send(script)
    assert timestamps(script) == [TIMESTAMP, TIMESTAMP + AHEAD, TIMESTAMP + AHEAD]
    assert script.records[KEY].data == b"900"


def test_a_clock_that_was_set_right_is_learned_anew() -> None:
    script = Script([late(0), FINE], {KEY: Stored(b"900", 4)})
    assert send(script) is FINE
    assert timestamps(script) == [TIMESTAMP + AHEAD, TIMESTAMP]
    assert script.records == {KEY: Stored(b"0", 5)}


def test_a_second_refusal_is_the_answer() -> None:
    again = late(2 * AHEAD)
    script = Script([late(), again])
    assert send(script) is again
    assert script.answers == []


@pytest.mark.parametrize(
    "refusal",
    [
        refusal_answer(401, 135),  # without a date
        Response(401, {"date": "soon"}, refusal_answer(401, 135).body),
        Response(401, {"date": http_date(0)}, refusal_answer(401, 32).body),
        Response(401, {"date": http_date(0)}),
        Response(200, {"date": http_date(0)}, refusal_answer(401, 135).body),
    ],
)
def test_any_other_answer_is_left_as_it_is(refusal: Response) -> None:
    script = Script([refusal])
    assert send(script) is refusal
    assert script.records == {}


@pytest.mark.parametrize("told", [0, 10**9 - 1, 10**10, 253402300799])
def test_a_date_that_no_clock_shows_is_not_believed(told: int) -> None:
    """A signature of the year 9999 would hold for ever."""
    refusal = late(told - TIMESTAMP)
    script = Script([refusal])
    assert send(script) is refusal
    assert script.records == {}


@pytest.mark.parametrize(
    ("base", "believed"),
    [("http://mirror.test", False), ("https://mirror.test", True), ("http://127.0.0.1:8080", True)],
)
def test_a_date_that_anybody_on_the_way_may_have_written_is_not_believed(base: str, believed: bool) -> None:
    provider = X.at(base, allow_http=True)
    script = Script([late(), FINE])
    script.run(send_signed(Request("GET", f"{base}/a"), USER, provider=provider, env=ENV))
    assert len(script.sent) == 1 + believed
    assert bool(script.records) is believed


@pytest.mark.parametrize(
    ("operation", "success"),
    [
        (reverse_token(APP, env=ENV), Response(200, (), b"OAuth x")),
        (invalidate_token(USER, "AAAA", env=ENV), json_answer(200, {"access_token": "AAAA"})),
    ],
    ids=["reverse_token", "invalidate_token"],
)
def test_x_s_operations_ask_no_store_first_and_learn_the_time_all_the_same(
    operation: Operation[Any], success: Response
) -> None:
    script = Script([late(), success])
    script.run(operation)
    assert script.log == ["Send", "Load", "Save", "Load", "Send"]
    assert timestamps(script) == [TIMESTAMP, TIMESTAMP + AHEAD]
    assert script.records[KEY].data == b"900"
    again = late()
    with pytest.raises(errors.TimestampOutOfRange):
        Script([late(), again]).run(operation)


def test_the_status_of_the_refusal_does_not_matter() -> None:
    """X's table says 403 for a code that its references give with 401."""
    assert send(Script([late(status=403), FINE])) is FINE


def test_two_calls_that_learn_at_once_both_go_on() -> None:
    class Raced(Script):
        def save(self, key: str, data: bytes | None, expected: int | None) -> int:
            raise Conflict("another was first")

    assert send(Raced([late(), FINE])) is FINE


def test_every_try_has_a_nonce_of_its_own() -> None:
    drawn = iter(range(1, 9))
    env = Env(ENV.clock, lambda size: next(drawn).to_bytes(size, "big"))
    script = Script([late(), FINE])
    script.run(send_signed(REQUEST, USER, provider=X, env=env))
    nonces = [re.search(r'oauth_nonce="(\w+)"', request.headers["authorization"]) for request in script.sent]
    assert len({match[1] for match in nonces if match}) == 2


def test_each_provider_has_a_clock_of_its_own_and_it_is_never_persisted() -> None:
    keys = {clock_skew_key(provider) for provider in (X, TWITTER, X.at("http://127.0.0.1:8080"))}
    assert len(keys) == 3
    assert all(key.startswith("mem:") for key in keys)


def test_the_further_parameters_and_the_host_policy_are_those_of_every_signed_request() -> None:
    script = Script([late(), FINE])
    script.run(send_signed(REQUEST, USER, provider=X, env=ENV, extra={"oauth_callback": "oob"}))
    assert all('oauth_callback="oob"' in request.headers["authorization"] for request in script.sent)
    with pytest.raises(errors.ForeignHost):
        Script().run(send_signed(Request("GET", "https://evil.test/"), USER, provider=X, env=ENV))
