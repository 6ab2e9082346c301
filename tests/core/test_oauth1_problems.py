"""OAuth Problem Reporting: what services other than X say when they refuse a signature."""

from __future__ import annotations

import pytest

from sansauth import Env, Provider, Request, Response, errors
from sansauth.oauth1.problems import OAUTH_PROBLEMS
from sansauth.oauth1.send import send_signed
from sansauth.refusal import read_refusal
from sansauth.testing.http_date import http_date

from .support import ENV, TIMESTAMP, USER, Script, refusal_answer

PHOTOS = Provider("Photos", "https://photos.example.net", errors=OAUTH_PROBLEMS)
REPORTS = {
    "body": lambda problem: Response(401, {"content-type": "text/plain"}, f"oauth_problem={problem}&x=y".encode()),
    "html": lambda problem: Response(401, {"content-type": "text/html"}, f"oauth_problem={problem}".encode()),
    "header": lambda problem: Response(401, {"www-authenticate": f'OAuth realm="a", oauth_problem="{problem}"'}),
    "bare": lambda problem: Response(401, {"www-authenticate": f"OAuth oauth_problem={problem}"}, b"<html></html>"),
}


@pytest.mark.parametrize("place", REPORTS)
@pytest.mark.parametrize("problem", OAUTH_PROBLEMS.types)
def test_every_problem_has_its_type_wherever_it_is_reported(place: str, problem: str) -> None:
    error = read_refusal(REPORTS[place](problem), PHOTOS)
    assert type(error) is OAUTH_PROBLEMS.types[problem]
    assert error.codes == (problem,)
    assert error.hint == OAUTH_PROBLEMS.hints.get(problem, "")


def test_every_hint_is_of_a_problem_and_ends() -> None:
    assert set(OAUTH_PROBLEMS.hints) <= set(OAUTH_PROBLEMS.types)
    assert all(hint.endswith(".") for hint in OAUTH_PROBLEMS.hints.values())


@pytest.mark.parametrize(
    "response",
    [
        Response(401, {"www-authenticate": 'Bearer realm="oauth problem"'}),
        Response(401, {"content-type": "text/plain"}, b"no_oauth_problem=signature_invalid"),
        Response(401, {"content-type": "text/plain"}, b"oauth_problem=<script>"),
    ],
)
def test_what_reports_no_problem(response: Response) -> None:
    error = read_refusal(response, PHOTOS)
    assert (type(error), error.codes) == (errors.Unauthorized, ())


def test_a_provider_without_the_table_still_shows_the_code() -> None:
    error = read_refusal(REPORTS["header"]("token_rejected"), Provider("Plain", "https://photos.example.net"))
    assert (type(error), error.codes) == (errors.Unauthorized, ("token_rejected",))


def test_a_refused_timestamp_teaches_the_clock_as_with_x() -> None:
    refusal = REPORTS["body"]("timestamp_refused")
    late = Response(401, refusal.headers.replacing("date", http_date(TIMESTAMP + 900)), refusal.body)
    script = Script([late, Response(200)])
    request = Request("GET", "https://photos.example.net/photos")
    assert (
        script.run(send_signed(request, USER, provider=PHOTOS, env=Env(ENV.clock, ENV.entropy))).response.status == 200
    )
    assert len(script.sent) == 2


def test_a_body_with_codes_of_its_own_keeps_them_first() -> None:
    body = refusal_answer(401, 32)
    both = Response(401, body.headers.replacing("www-authenticate", "OAuth oauth_problem=nonce_used"), body.body)
    assert read_refusal(both, PHOTOS).codes == (32, "nonce_used")
