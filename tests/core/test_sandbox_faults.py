"""Faults on demand: the sandbox answers what it is told to."""

import pytest

import sansauth.testing
from sansauth.errors import ApiError, LocalProtocolError
from sansauth.http import Request
from sansauth.refusal import read_refusal
from sansauth.testing import Sandbox
from sansauth.x import X

REQUEST = Request("GET", "https://api.x.com/1.1/account/verify_credentials.json")


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.mark.parametrize(
    ("status", "code"), [(400, 215), (401, 32), (403, 220), (404, 34), (429, 88), (500, 131), (503, 130)]
)
def test_a_fault_has_the_shape_that_x_gives_its_status(sandbox: Sandbox, status: int, code: int) -> None:
    sandbox.fail_next(status)
    answer = sandbox.handle(REQUEST)
    assert answer.status == status
    assert answer.media_type == "application/json"
    assert read_refusal(answer, X).codes == (code,)


@pytest.mark.parametrize("status", [402, 413, 502, 504, 599])
def test_a_fault_before_x_itself_is_a_page(sandbox: Sandbox, status: int) -> None:
    sandbox.fail_next(status)
    answer = sandbox.handle(REQUEST)
    assert (answer.status, answer.media_type) == (status, "text/html")
    error = read_refusal(answer, X)
    assert isinstance(error, ApiError)
    assert (error.status, error.text) == (status, f"X / {status}")


@pytest.mark.parametrize("status", [200, 204, 302, 399])
def test_what_is_no_refusal_has_no_body(sandbox: Sandbox, status: int) -> None:
    sandbox.fail_next(status, headers={"location": "https://x.test/"})
    answer = sandbox.handle(REQUEST)
    assert (answer.status, answer.body, answer.headers["location"]) == (status, b"", "https://x.test/")


def test_a_fault_has_the_body_and_headers_it_was_given(sandbox: Sandbox) -> None:
    sandbox.fail_next(200, b'{"hello":"world"}')
    sandbox.fail_next(503, b"<h1>no</h1>", [("content-type", "text/html"), ("Date", "never"), ("retry-after", "3")])
    first, second = sandbox.handle(REQUEST), sandbox.handle(REQUEST)
    assert first.json() == {"hello": "world"}
    assert first.headers.get_all("content-type") == ["application/json; charset=utf-8"]
    assert (second.status, second.text, second.headers["retry-after"]) == (503, "<h1>no</h1>", "3")
    assert second.headers.get_all("content-type") == ["text/html"]
    assert second.headers.get_all("date") == ["never"]


def test_a_429_says_when_its_window_ends(sandbox: Sandbox) -> None:
    sandbox.skew = 100.0
    sandbox.fail_next(429, headers={"x-rate-limit-limit": "15"})
    limit = read_refusal(sandbox.handle(REQUEST), X).rate_limit
    assert limit is not None
    assert (limit.limit, limit.remaining, limit.reset) == (15, 0, 1_700_001_000)


def test_faults_queue_up_and_end(sandbox: Sandbox) -> None:
    sandbox.fail_next(500, times=2)
    sandbox.fail_next(503)
    sandbox.fail_next(502, times=0)
    assert [sandbox.handle(REQUEST).status for _ in range(4)] == [500, 500, 503, 400]
    assert [entry.status for entry in sandbox.log] == [500, 500, 503, 400]


def test_a_faulty_answer_is_given_instead_of_handling(sandbox: Sandbox) -> None:
    sandbox.fail_next(500)
    sandbox.handle(Request("POST", "https://api.x.com/oauth2/token"))
    assert sandbox.bearer_token is None


@pytest.mark.parametrize("status", [-1, 0, 100, 199, 600])
def test_a_status_that_ends_no_exchange_is_refused_at_once(sandbox: Sandbox, status: int) -> None:
    with pytest.raises(LocalProtocolError, match=r"200 to 599"):
        sandbox.fail_next(status)
    assert sandbox.handle(REQUEST).status == 400


def test_the_delay_is_data_that_handle_does_not_obey(sandbox: Sandbox) -> None:
    assert sandbox.delay == 0.0
    sandbox.delay = 3600.0
    assert sandbox.handle(REQUEST).status == 400


def test_the_names_for_tests_are_found_on_first_use() -> None:
    assert dir(sansauth.testing) == [
        *("Driver", "End", "Event", "Explored", "Fault", "Faults", "Gone", "Handled", "Sandbox", "ScheduleFailed"),
        *("TooManyStates", "World", "explore", "fixed_env"),
    ]
    with pytest.raises(AttributeError, match="has no attribute 'sandboxes'"):
        _ = sansauth.testing.sandboxes
