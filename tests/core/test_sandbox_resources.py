"""What the sandbox shows, to whom, how often, and with which headers."""

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth.env import Env
from sansauth.http import FORM, Headers, Request, Response
from sansauth.oauth1 import sign
from sansauth.testing import Handled, Sandbox, fixed_env
from sansauth.testing.http_date import http_date
from sansauth.testing.rate_windows import RateWindows

VERIFY = "/1.1/account/verify_credentials.json"
FOLLOWERS = "/1.1/followers/ids.json"
ME = "/2/users/me"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


def as_app(sandbox: Sandbox, path: str, method: str = "GET") -> Response:
    headers = {"authorization": f"Bearer {sandbox.outstanding_bearer_token()}"}
    return sandbox.handle(Request(method, "https://api.x.com" + path, headers))


def as_user(sandbox: Sandbox, path: str, method: str = "GET") -> Response:
    request = Request(method, "https://api.x.com" + path)
    return sandbox.handle(sign(request, sandbox.user, timestamp=sandbox.env.timestamp(), nonce=sandbox.env.nonce()))


def code(response: Response) -> tuple[int, int]:
    document = json.loads(response.body)
    return response.status, document["errors"][0]["code"]


@pytest.mark.parametrize("path", [VERIFY, FOLLOWERS, ME])
@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer ", "Basic Q0s6Q1M=", "Digest x", "", "AAAA%2FAAA"])
def test_no_usable_credentials_are_code_215(sandbox: Sandbox, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    answer = sandbox.handle(Request("GET", "https://api.x.com" + path, headers))
    assert answer.status == 400
    assert answer.json() == {"errors": [{"code": 215, "message": "Bad Authentication data."}]}
    assert "x-rate-limit-limit" not in answer.headers


@pytest.mark.parametrize("path", [VERIFY, FOLLOWERS, ME])
def test_an_unknown_bearer_token_is_code_89_before_there_is_one_and_after(sandbox: Sandbox, path: str) -> None:
    for _ in range(2):
        answer = sandbox.handle(Request("GET", "https://api.x.com" + path, {"authorization": "Bearer AAAA%2FAAA%3Dé"}))
        assert answer.status == 401
        assert answer.json() == {"errors": [{"code": 89, "message": "Invalid or expired token."}]}
        sandbox.outstanding_bearer_token()


def test_a_bearer_token_is_used_as_issued_and_not_decoded(sandbox: Sandbox) -> None:
    issued = sandbox.outstanding_bearer_token()
    decoded = issued.replace("%2F", "/").replace("%3D", "=")
    url = "https://api.x.com" + FOLLOWERS
    assert code(sandbox.handle(Request("GET", url, {"authorization": f"Bearer {decoded}"}))) == (401, 89)
    assert sandbox.handle(Request("GET", url, {"authorization": f"bearer {issued}"})).status == 200


def test_a_bearer_token_is_no_user(sandbox: Sandbox) -> None:
    assert code(as_app(sandbox, VERIFY)) == (403, 220)
    answer = as_app(sandbox, ME)
    assert (answer.status, answer.media_type) == (403, "application/problem+json")
    assert answer.json() == {
        "title": "Unsupported Authentication",
        "status": 403,
        "detail": "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported "
        "authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context].",
        "type": "https://api.twitter.com/2/problems/unsupported-authentication",
    }
    assert "x-rate-limit-limit" not in answer.headers


def page(sandbox: Sandbox, query: str = "") -> dict[str, object]:
    answer = as_app(sandbox, FOLLOWERS + query)
    assert answer.status == 200
    document = json.loads(answer.body)
    for name in ("next_cursor", "previous_cursor"):
        assert document[f"{name}_str"] == str(document[name])
    return document


def test_the_first_page_is_the_default_and_holds_everything_up_to_5000() -> None:
    few = page(Sandbox(followers=[3, 1, 2]))
    assert few == page(Sandbox(followers=[3, 1, 2]), "?cursor=-1")
    assert (few["ids"], few["next_cursor"], few["previous_cursor"]) == ([3, 1, 2], 0, 0)
    many = Sandbox(followers=range(5001))
    assert page(many)["ids"] == page(many, "?count=6000")["ids"] == list(range(5000))
    assert page(many, f"?cursor={page(many)['next_cursor_str']}")["ids"] == [5000]


def test_cursors_lead_forth_and_back(sandbox: Sandbox) -> None:
    ids = list(sandbox.followers)
    first = page(sandbox, "?count=20")
    second = page(sandbox, f"?count=20&cursor={first['next_cursor_str']}")
    third = page(sandbox, f"?count=20&cursor={second['next_cursor_str']}")
    assert [first["ids"], second["ids"], third["ids"]] == [ids[:20], ids[20:40], ids[40:]]
    assert (first["previous_cursor"], third["next_cursor"]) == (0, 0)
    assert page(sandbox, f"?count=20&cursor={third['previous_cursor_str']}") == second
    assert page(sandbox, f"?count=20&cursor={second['previous_cursor_str']}") == first
    assert page(sandbox, f"?count=30&cursor={second['previous_cursor_str']}") == first


def test_cursors_are_beyond_what_a_double_holds(sandbox: Sandbox) -> None:
    cursor = page(sandbox, "?count=1")["next_cursor"]
    assert isinstance(cursor, int)
    assert int(float(cursor)) != cursor


def test_after_the_last_page_comes_nothing(sandbox: Sandbox) -> None:
    last = page(sandbox, "?cursor=0")
    assert (last["ids"], last["next_cursor"]) == ([], 0)
    assert page(Sandbox(followers=[]))["ids"] == []


@pytest.mark.parametrize("cursor", ["", "x", "1", "-2", "1499999999999999999", "1500000000000000043", "²", "1" * 20])
def test_a_cursor_that_was_never_issued_is_refused(sandbox: Sandbox, cursor: str) -> None:
    answer = as_app(sandbox, f"{FOLLOWERS}?cursor={cursor}")
    assert answer.status == 400
    assert answer.json() == {"errors": [{"code": 44, "message": "cursor parameter is invalid."}]}


@pytest.mark.parametrize("count", ["", "0", "-1", "many", "1e3"])
def test_a_count_below_one_is_refused(sandbox: Sandbox, count: str) -> None:
    answer = as_app(sandbox, f"{FOLLOWERS}?count={count}")
    assert answer.json() == {"errors": [{"code": 44, "message": "count parameter is invalid."}]}


def limits(response: Response) -> tuple[str, str, str]:
    limit, remaining, reset = (response.headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining", "reset"))
    return limit, remaining, reset


def test_each_call_counts_down_in_its_own_pool_and_endpoint(sandbox: Sandbox) -> None:
    assert limits(as_app(sandbox, FOLLOWERS)) == ("900", "899", "1700000900")
    assert limits(as_app(sandbox, FOLLOWERS)) == ("900", "898", "1700000900")
    assert limits(as_user(sandbox, FOLLOWERS)) == ("900", "899", "1700000900")
    assert limits(as_user(sandbox, VERIFY)) == ("900", "899", "1700000900")


def test_an_exhausted_window_is_code_88_until_it_ends(sandbox: Sandbox) -> None:
    sandbox.rate_limit = 1
    assert limits(as_app(sandbox, FOLLOWERS))[1] == "0"
    refused = as_app(sandbox, FOLLOWERS)
    assert (code(refused), limits(refused)) == ((429, 88), ("1", "0", "1700000900"))
    sandbox.skew = 899.0
    assert as_app(sandbox, FOLLOWERS).status == 429
    sandbox.skew = 900.0
    renewed = as_app(sandbox, FOLLOWERS)
    assert (renewed.status, limits(renewed)) == (200, ("1", "0", "1700001800"))


def test_a_clock_set_back_does_not_lock_the_window() -> None:
    windows = RateWindows()
    assert windows.count("/", "app", limit=1, now=10_000.0)[0]
    assert not windows.count("/", "app", limit=1, now=10_000.0)[0]
    assert windows.count("/", "app", limit=1, now=9_000.0)[0]


def test_the_access_level_is_told_to_a_user_only(sandbox: Sandbox) -> None:
    assert as_user(sandbox, FOLLOWERS).headers["x-access-level"] == "read-write"
    assert "x-access-level" not in as_app(sandbox, FOLLOWERS).headers


def test_every_answer_has_a_date_by_the_sandbox_clock_and_its_own_transaction_id(sandbox: Sandbox) -> None:
    first, second = as_user(sandbox, VERIFY), as_user(sandbox, "/nowhere")
    assert first.headers["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert len(first.headers["x-transaction-id"]) == 16
    assert first.headers["x-transaction-id"] != second.headers["x-transaction-id"]
    sandbox.skew = -3600.0
    assert as_user(sandbox, VERIFY).headers["date"] == "Tue, 14 Nov 2023 21:13:20 GMT"


@given(st.integers(0, 253_402_300_799))
def test_a_date_equals_that_of_the_standard_library(seconds: int) -> None:
    assert http_date(seconds + 0.5) == formatdate(seconds, usegmt=True)


def test_a_date_beyond_the_calendar_is_its_nearest_end() -> None:
    assert http_date(-1e18) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert http_date(1e18) == "Fri, 31 Dec 9999 23:59:59 GMT"


def test_head_is_get_without_saying_so(sandbox: Sandbox) -> None:
    assert as_user(sandbox, VERIFY, "HEAD").body == as_user(sandbox, VERIFY).body


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/oauth2/token"), ("POST", VERIFY), ("GET", VERIFY + "/"), ("PUT", "/x")]
)
def test_an_unknown_path_or_a_wrong_method_is_code_34(sandbox: Sandbox, method: str, path: str) -> None:
    answer = as_user(sandbox, path, method)
    assert answer.status == 404
    assert answer.json() == {"errors": [{"code": 34, "message": "Sorry, that page does not exist."}]}


def test_a_wrong_method_of_version_2_is_a_problem(sandbox: Sandbox) -> None:
    answer = as_user(sandbox, ME, "POST")
    assert (answer.status, answer.headers["allow"], answer.media_type) == (405, "GET, HEAD", "application/problem+json")
    assert answer.json() == {
        "title": "Method Not Allowed", "status": 405, "detail": "Method Not Allowed", "type": "about:blank",
    }  # fmt: skip
    assert code(as_user(sandbox, "/2/nowhere")) == (404, 34)


def test_the_log_has_methods_paths_and_statuses_and_no_secret(sandbox: Sandbox) -> None:
    as_user(sandbox, VERIFY + "?secret=1")
    as_app(sandbox, VERIFY, "HEAD")
    assert sandbox.log == [Handled("GET", VERIFY, 200), Handled("HEAD", VERIFY, 403)]
    assert repr(sandbox).endswith("2 exchanges logged>")


def test_the_log_keeps_the_last_ten_thousand(sandbox: Sandbox) -> None:
    request = Request("GET", "https://api.x.com/")
    for _ in range(9_998):
        sandbox.handle(request)
    for name in "abcd":
        sandbox.handle(Request("GET", f"https://api.x.com/{name}"))
    assert len(sandbox.log) == 10_000
    assert [entry.path for entry in sandbox.log[-5:]] == ["/", "/a", "/b", "/c", "/d"]


def test_a_fixed_env_is_the_same_in_every_run_and_never_repeats() -> None:
    one, other = fixed_env(), fixed_env(5.0)
    assert [one.entropy(4), one.entropy(4)] == [other.entropy(4), other.entropy(4)]
    assert one.entropy(4) != one.entropy(4)
    assert len(one.entropy(100)) == 100
    assert (one.clock(), one.clock(), other.clock()) == (1_700_000_000.0, 1_700_000_000.0, 5.0)


def test_a_sandbox_moves_x_to_where_it_is_served(sandbox: Sandbox) -> None:
    provider = sandbox.provider_at("http://127.0.0.1:8080")
    assert provider.endpoint("app_token") == "http://127.0.0.1:8080/oauth2/token"
    assert provider.origins == ("http://127.0.0.1:8080",)


header_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]))
schemes = st.sampled_from(["", "OAuth ", "Bearer ", "Basic ", 'OAuth oauth_nonce="', "OAuth oauth_token=a, "])
paths = st.sampled_from([VERIFY, FOLLOWERS, ME, "/oauth2/token", "/oauth2/invalidate_token", "/oauth/request_token"])


@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "DELETE", "x"]),
    path=paths,
    query=st.text(st.characters(exclude_characters="\\", exclude_categories=["Cc", "Cs", "Zs"])),
    authorization=st.tuples(schemes, header_values).map("".join),
    kind=st.sampled_from([FORM, "application/json", FORM + "; charset=utf-16"]),
    body=st.one_of(
        st.binary(),
        st.sampled_from([b"oauth_signature=%", b"oauth_signature=\xff", b"grant_type=%zz", b"access_token=%FF"]),
    ),
)
def test_any_request_gets_an_answer(
    method: str, path: str, query: str, authorization: str, kind: str, body: bytes
) -> None:
    sandbox = Sandbox()
    sandbox.outstanding_bearer_token()
    headers = Headers({"authorization": authorization, "content-type": kind})
    answer = sandbox.handle(Request(method, f"https://api.x.com{path}?{query}", headers, body))
    assert answer.status in {400, 401, 403, 404, 405}


def test_a_clock_beyond_every_calendar_gets_an_answer() -> None:
    sandbox = Sandbox(env=Env(clock=lambda: 1e300, entropy=bytes))
    assert as_app(sandbox, FOLLOWERS).status == 200
