"""The one reader of refusals: every shape of answer becomes a typed error, and none shows a secret."""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import App, OAuth1User, Provider, RateLimit, Request, Response, build_request, errors
from sansauth.encoding import quote, unquote
from sansauth.errors import ApiError
from sansauth.http import FORM
from sansauth.oauth1 import sign
from sansauth.oauth2.app_only import basic_credentials
from sansauth.oauth2.lifecycle import is_dead_refresh
from sansauth.refusal import CODE_CHARACTERS, CODES, TEXT_CHARACTERS, read_refusal, refuse_codes
from sansauth.x import X

from .support import assert_linear, json_answer, secrets_in

PLAIN = Provider("Example", "https://api.example.test")

PROBLEMS = "https://api.twitter.com/2/problems/"
PROBLEM = "application/problem+json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html"
JSON = "application/json; charset=utf-8"
XML = "application/xml"
XML_415 = (
    "<?xml version='1.0' encoding='UTF-8'?><errors><error code=\"415\">Callback URL not approved for this client "
    "application. Approved callback URLs can be adjusted in your application settings</error></errors>"
)
FORBIDDEN_APP_ONLY = (
    "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported authentication types "
    "are [OAuth 1.0a User Context, OAuth 2.0 User Context]."
)


def answer(status: int, body: str | bytes | object, kind: str = JSON) -> Response:
    if not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    content = body.encode() if isinstance(body, str) else body
    return Response(status, {"content-type": kind} if kind else {}, content)


# What a shape is called, the answer, and what it is read as: type, codes and text.
Shape = tuple[str, Response, type[ApiError], tuple[int | str, ...], str]

SHAPES: list[Shape] = [
    # X, API v1.1: the documented forms
    (
        "errors-list",
        answer(403, {"errors": [{"code": 99, "label": "authenticity_token_error", "message": "Unable to verify"}]}),
        errors.UnableToVerifyCredentials,
        (99,),
        "Unable to verify",
    ),
    (
        "members-in-another-order",
        answer(401, {"errors": [{"message": "Invalid or expired token", "code": 89}]}),
        errors.InvalidOrExpiredToken,
        (89,),
        "Invalid or expired token",
    ),
    (
        "several-errors",
        answer(403, {"errors": [{"code": 1, "message": "one"}, {"code": 187, "message": "two"}, {"code": 1}]}),
        errors.DuplicateStatus,
        (1, 187),
        "one",
    ),
    (
        "errors-string",
        answer(400, {"errors": "Screen name can't be blank"}),
        errors.BadRequest,
        (),
        "Screen name can't be blank",
    ),
    (
        "error-sentence",
        answer(401, {"error": "Not authorized.", "request": "/1.1/x.json"}),
        errors.Unauthorized,
        (),
        "Not authorized.",
    ),
    ("error-null", answer(401, {"error": None, "request": "/1.1/x.json"}), errors.Unauthorized, (), ""),
    (
        "ads-code",
        answer(400, {"errors": [{"code": "INVALID_PARAMETER", "message": "Bad", "parameter": "x"}]}),
        errors.BadRequest,
        ("INVALID_PARAMETER",),
        "Bad",
    ),
    (
        "digits-code",
        answer(401, {"errors": [{"code": "89", "message": "gone"}]}),
        errors.InvalidOrExpiredToken,
        (89,),
        "gone",
    ),
    (
        "xml",
        answer(403, XML_415, XML),
        errors.CallbackNotApproved,
        (415,),
        XML_415[XML_415.index("Callback") :].split("<")[0],
    ),
    (
        "xml-as-html",
        answer(403, XML_415, HTML),
        errors.CallbackNotApproved,
        (415,),
        XML_415[XML_415.index("Callback") :].split("<")[0],
    ),
    (
        "xml-87",
        answer(401, '<errors><error code="87">Client is not permitted to perform this action</error></errors>', ""),
        errors.Forbidden,
        (87,),
        "Client is not permitted to perform this action",
    ),
    (
        "xml-two",
        answer(400, "<errors><error>one</error><error code='3'>two</error></errors>", XML),
        errors.BadRequest,
        (3,),
        "one; two",
    ),
    ("text-bad-data", answer(400, "Bad Authentication data", TEXT), errors.BadRequest, (), "Bad Authentication data"),
    (
        "text-verifier",
        answer(401, "Error processing your OAuth request: Invalid oauth_verifier parameter", TEXT),
        errors.Unauthorized,
        (),
        "Error processing your OAuth request: Invalid oauth_verifier parameter",
    ),
    (
        "text-signature",
        answer(401, "Failed to validate oauth signature and token", ""),
        errors.Unauthorized,
        (),
        "Failed to validate oauth signature and token",
    ),
    (
        "text-reverse",
        answer(401, "Reverse auth credentials are invalid", JSON),
        errors.Unauthorized,
        (),
        "Reverse auth credentials are invalid",
    ),
    # X, API v2: problems, with the content type they come with and without it
    (
        "problem-client-forbidden",
        answer(
            403,
            {
                "client_id": "1",
                "title": "Client Forbidden",
                "reason": "client-not-enrolled",
                "detail": "Attach.",
                "type": f"{PROBLEMS}client-forbidden",
            },
            PROBLEM,
        ),
        errors.ClientForbidden,
        ("client-forbidden",),
        "Attach.",
    ),
    (
        "problem-unsupported",
        answer(
            403,
            {
                "title": "Unsupported Authentication",
                "status": 403,
                "detail": FORBIDDEN_APP_ONLY,
                "type": "https://api.x.com/2/problems/unsupported-authentication",
            },
        ),
        errors.UnsupportedAuthentication,
        ("unsupported-authentication",),
        FORBIDDEN_APP_ONLY,
    ),
    (
        "problem-usage-capped",
        answer(
            429,
            {
                "title": "UsageCapExceeded",
                "period": "Monthly",
                "scope": "Product",
                "detail": "Usage cap exceeded: Monthly product cap",
                "type": f"{PROBLEMS}usage-capped",
            },
            PROBLEM,
        ),
        errors.UsageCapExceeded,
        ("usage-capped",),
        "Usage cap exceeded: Monthly product cap",
    ),
    (
        "problem-with-errors",
        answer(
            400,
            {
                "errors": [{"parameters": {"max_results": ["0"]}, "message": "`max_results` [0] is not between"}],
                "title": "Invalid Request",
                "detail": "One or more parameters to your request was invalid.",
                "type": f"{PROBLEMS}invalid-request",
            },
            PROBLEM,
        ),
        errors.BadRequest,
        ("invalid-request",),
        "`max_results` [0] is not between",
    ),
    (
        "problem-about-blank",
        answer(401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}),
        errors.Unauthorized,
        (),
        "Unauthorized",
    ),
    (
        "problem-429",
        answer(429, {"title": "Too Many Requests", "type": "about:blank", "detail": "Too Many Requests"}),
        errors.TooManyRequests,
        (),
        "Too Many Requests",
    ),
    (
        "problem-permissions",
        answer(403, {"title": "Forbidden", "detail": "no permissions", "type": f"{PROBLEMS}oauth1-permissions"}),
        errors.Forbidden,
        ("oauth1-permissions",),
        "no permissions",
    ),
    (
        "problem-credits",
        answer(
            402, {"account_id": "1", "title": "CreditsDepleted", "detail": "no credits", "type": f"{PROBLEMS}credits"}
        ),
        errors.CreditsDepleted,
        ("credits",),
        "no credits",
    ),
    (
        "problem-title-only",
        answer(400, {"title": "Invalid Request", "type": "about:blank"}, PROBLEM),
        errors.BadRequest,
        (),
        "Invalid Request",
    ),
    (
        "problems-in-errors",
        answer(400, {"errors": [{"title": "Not Found", "detail": "no user", "type": f"{PROBLEMS}resource-not-found"}]}),
        errors.BadRequest,
        ("resource-not-found",),
        "no user",
    ),
    (
        "v2-code-88",
        answer(429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}),
        errors.TooManyRequests,
        (88,),
        "Rate limit exceeded",
    ),
    (
        "v2-error-object",
        answer(503, {"code": 130, "message": "Over capacity"}),
        errors.ServiceUnavailable,
        (130,),
        "Over capacity",
    ),
    # RFC 6749 section 5.2
    (
        "oauth2-error",
        answer(400, {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}),
        errors.InvalidGrant,
        ("invalid_request",),
        "Value passed for the token was invalid.",
    ),
    (
        "oauth2-error-alone",
        answer(401, {"error": "unauthorized_client"}),
        errors.InvalidClient,
        ("unauthorized_client",),
        "",
    ),
    (
        "oauth2-code",
        answer(
            400,
            {
                "error": "invalid_request",
                "error_description": "Value passed for the authorization code was invalid.",
                "errors": [{"message": "Bad Request"}],
            },
        ),
        errors.InvalidGrant,
        ("invalid_request",),
        "Value passed for the authorization code was invalid.",
    ),
    (
        "oauth2-parameter",
        answer(
            400,
            {"error": "invalid_request", "error_description": "Missing required parameter [token_type_hint]."},
        ),
        errors.MissingParameter,
        ("invalid_request",),
        "Missing required parameter [token_type_hint].",
    ),
    (
        "oauth2-something-else",
        answer(
            400,
            {"error": "invalid_request", "error_description": "Value passed for the grant type was invalid."},
        ),
        errors.BadRequest,
        ("invalid_request",),
        "Value passed for the grant type was invalid.",
    ),
    (
        "oauth2-words-of-another-code",
        answer(400, {"error": "slow", "error_description": "Value passed for the token was invalid."}),
        errors.BadRequest,
        ("slow",),
        "Value passed for the token was invalid.",
    ),
    (
        "oauth2-code-behind-other-codes",
        answer(
            400,
            {"error": "invalid_scope", "errors": [{"code": n, "message": "m"} for n in range(1000, 1008)]},
        ),
        errors.InvalidScope,
        ("invalid_scope", *range(1000, 1007)),
        "m",
    ),
    # Okta's own endpoints
    (
        "okta",
        answer(401, {"errorCode": "E0000011", "errorSummary": "Invalid token provided", "errorCauses": []}),
        errors.Unauthorized,
        ("E0000011",),
        "Invalid token provided",
    ),
    # what no document promises
    (
        "html",
        answer(503, "<!DOCTYPE html><html><head><title>503 Over capacity</title></head><body>" + "x" * 9999, HTML),
        errors.ServiceUnavailable,
        (),
        "503 Over capacity",
    ),
    (
        "html-multiline-title",
        answer(502, "<html>\n<TITLE lang='en'>\n Bad\n Gateway \n</TITLE>", HTML),
        errors.BadGateway,
        (),
        "Bad  Gateway",
    ),
    ("html-without-title", answer(500, "<html><body>hunter2</body></html>", HTML), errors.InternalServerError, (), ""),
    ("html-piece-of-a-page", answer(500, "hunter2</p></body>", HTML), errors.InternalServerError, (), ""),
    (
        "text-labelled-as-html",
        answer(401, "Invalid request token", HTML),
        errors.Unauthorized,
        (),
        "Invalid request token",
    ),
    ("binary", answer(500, b"\x00\x01\x02", "application/octet-stream"), errors.InternalServerError, (), ""),
    ("empty", answer(500, "", JSON), errors.InternalServerError, (), ""),
    ("empty-without-type", answer(500, "", ""), errors.InternalServerError, (), ""),
    ("blank", answer(500, " \r\n\t ", TEXT), errors.InternalServerError, (), ""),
    ("truncated-json", answer(500, '{"errors":[{"code":99,"mess', JSON), errors.InternalServerError, (), ""),
    ("truncated-list", answer(500, '[{"code":99', ""), errors.InternalServerError, (), ""),
    ("not-utf-8", answer(500, b"caf\xe9", TEXT), errors.InternalServerError, (), "caf\ufffd"),
    ("json-not-utf-8", answer(500, b'{"errors":"caf\xe9"}', JSON), errors.InternalServerError, (), ""),
    ("list", answer(403, [{"code": 99}], JSON), errors.Forbidden, (), ""),
    ("null", answer(403, "null", JSON), errors.Forbidden, (), ""),
    ("true", answer(403, "true", JSON), errors.Forbidden, (), ""),
    ("number", answer(403, "99", JSON), errors.Forbidden, (), ""),
    ("string", answer(403, '"words"', JSON), errors.Forbidden, (), "words"),
    ("string-without-type", answer(403, '"words"', ""), errors.Forbidden, (), "words"),
    ("deep", answer(403, "[" * 100_000, JSON), errors.Forbidden, (), ""),
    ("deep-object", answer(403, '{"errors":' * 100_000, JSON), errors.Forbidden, (), ""),
    ("huge-number", answer(403, '{"code":' + "9" * 5000 + "}", JSON), errors.Forbidden, (), ""),
    ("long-code", answer(403, '{"code":' + "9" * 4000 + ',"message":"m"}', JSON), errors.Forbidden, (), "m"),
    ("negative-code", answer(403, {"code": -1, "message": "m"}), errors.Forbidden, (-1,), "m"),
    (
        "odd-codes",
        answer(403, {"errors": [{"code": code} for code in (True, None, 1.5, [], {}, "")], "message": "m"}),
        errors.Forbidden,
        (),
        "m",
    ),
    ("odd-errors", answer(403, {"errors": [1, None, "x", ["y"]], "detail": "m"}), errors.Forbidden, (), "m"),
    (
        "odd-fields",
        answer(403, {"errors": {"code": 99}, "detail": 1, "title": ["x"], "type": 5, "error": {"a": 1}}),
        errors.UnableToVerifyCredentials,
        (99,),
        "",
    ),
    (
        "odd-messages",
        answer(403, {"errors": [{"code": 187, "message": None, "detail": {}, "title": "t"}]}),
        errors.DuplicateStatus,
        (187,),
        "t",
    ),
    (
        "json-as-html",
        answer(403, {"errors": [{"code": 99, "message": "m"}]}, HTML),
        errors.UnableToVerifyCredentials,
        (99,),
        "m",
    ),
    (
        "json-without-type",
        answer(403, {"errors": [{"code": 99, "message": "m"}]}, ""),
        errors.UnableToVerifyCredentials,
        (99,),
        "m",
    ),
    (
        "json-behind-blanks",
        answer(403, '\r\n {"errors":[{"code":99,"message":"m"}]}', TEXT),
        errors.UnableToVerifyCredentials,
        (99,),
        "m",
    ),
    (
        "json-behind-a-bom",
        answer(403, b'\xef\xbb\xbf{"errors":[{"code":99,"message":"m"}]}', HTML),
        errors.UnableToVerifyCredentials,
        (99,),
        "m",
    ),
    ("text-behind-a-bom", answer(403, b"\xef\xbb\xbfwords", TEXT), errors.Forbidden, (), "words"),
    ("text-as-json", answer(502, "upstream connect error", JSON), errors.BadGateway, (), "upstream connect error"),
]


@pytest.mark.parametrize(
    ("response", "kind", "codes", "text"), [shape[1:] for shape in SHAPES], ids=[s[0] for s in SHAPES]
)
def test_every_shape_of_body_is_read(
    response: Response, kind: type[ApiError], codes: tuple[int | str, ...], text: str
) -> None:
    error = read_refusal(response, X)
    assert type(error) is kind
    assert error.codes == codes
    assert error.text == text
    assert error.status == response.status
    assert str(error).startswith(f"X answered {response.status}")
    assert "hunter2" not in str(error)
    twin = pickle.loads(pickle.dumps(error))
    assert (type(twin), twin.refusal) == (kind, error.refusal)


STATUSES = {
    300: errors.UnexpectedRedirect,
    301: errors.UnexpectedRedirect,
    302: errors.UnexpectedRedirect,
    307: errors.UnexpectedRedirect,
    308: errors.UnexpectedRedirect,
    400: errors.BadRequest,
    401: errors.Unauthorized,
    402: errors.PaymentRequired,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: ApiError,
    406: errors.NotAcceptable,
    410: ApiError,
    413: errors.RequestEntityTooLarge,
    418: ApiError,
    420: errors.TooManyRequests,
    422: errors.UnprocessableEntity,
    429: errors.TooManyRequests,
    500: errors.InternalServerError,
    501: ApiError,
    502: errors.BadGateway,
    503: errors.ServiceUnavailable,
    504: errors.GatewayTimeout,
    100: ApiError,
    0: ApiError,
    999: ApiError,
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
@pytest.mark.parametrize("provider", [X, PLAIN])
def test_without_a_known_code_the_status_decides(status: int, kind: type[ApiError], provider: Provider) -> None:
    for body in ("", "words", '{"errors":[{"code":424242,"message":"words"}]}', "<html>"):
        assert type(read_refusal(answer(status, body, ""), provider)) is kind


@pytest.mark.parametrize("code", sorted(X.errors.types, key=str))
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 500, 999])
def test_a_known_code_decides_whatever_the_status(code: int | str, status: int) -> None:
    error = read_refusal(answer(status, {"errors": [{"code": code, "message": "words"}]}), X)
    assert type(error) is X.errors.types[code]
    assert (error.status, error.codes) == (status, (code,))


def test_the_first_known_code_decides() -> None:
    document = {"errors": [{"code": 424242}, {"code": 187}, {"code": 99}]}
    assert type(read_refusal(answer(403, document), X)) is errors.DuplicateStatus


def test_another_provider_knows_none_of_xs_codes() -> None:
    error = read_refusal(answer(403, {"errors": [{"code": 99, "message": "m"}]}), PLAIN)
    assert type(error) is errors.Forbidden
    assert (error.codes, error.hint, error.rate_limits, error.transaction_id) == ((99,), "", (), None)
    assert str(error) == 'Example answered 403 (code 99, "m").'


def test_codes_are_kept_up_to_a_number() -> None:
    many = {"errors": [{"code": 1000 + n, "type": f"{PROBLEMS}slug-{n}"} for n in range(50)]}
    assert len(read_refusal(answer(400, many), X).codes) == CODES
    xml = "".join(f"<error code='{n}'>m</error>" for n in range(50))
    assert read_refusal(answer(400, f"<errors>{xml}"), X).codes == tuple(range(CODES))


def test_a_long_string_code_is_shortened() -> None:
    (code,) = read_refusal(answer(400, {"error": "c" * 500}), X).codes
    assert code == "c" * (CODE_CHARACTERS - 1) + "…"


class TestHints:
    @pytest.mark.parametrize("code", sorted(X.errors.hints, key=str))
    def test_a_code_with_a_hint_says_what_to_check(self, code: int | str) -> None:
        document = {"type": PROBLEMS + code} if isinstance(code, str) else {"errors": [{"code": code, "message": "m"}]}
        error = read_refusal(answer(403, document), X)
        assert error.hint == X.errors.hints[code]
        assert str(error).endswith(error.hint)

    def test_the_callers_hint_is_used_where_the_table_has_none(self) -> None:
        assert read_refusal(answer(403, "{}"), X, hint="Mine.").hint == "Mine."
        assert read_refusal(answer(403, {"code": 99}), X, hint="Mine.").hint == X.errors.hints[99]

    def test_a_redirect_says_that_it_was_not_followed_and_not_where_to(self) -> None:
        response = Response(302, {"location": "https://evil.test/?token=hunter2"}, b"")
        error = read_refusal(response, X)
        assert error.hint == "Redirects are not followed with credentials."
        assert "evil" not in str(error)
        assert "hunter2" not in str(error)


class TestHeaders:
    def test_rate_limits_and_the_one_that_binds(self) -> None:
        response = json_answer(
            429,
            {"errors": [{"code": 88, "message": "Rate limit exceeded"}]},
            ("x-rate-limit-limit", "15"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1000"),
            ("x-app-limit-24hour-limit", "300"),
            ("x-app-limit-24hour-remaining", "0"),
            ("x-app-limit-24hour-reset", "9000"),
            ("x-user-limit-24hour-limit", "300"),
            ("x-user-limit-24hour-remaining", "9"),
            ("x-user-limit-24hour-reset", "9999"),
        )
        error = read_refusal(response, X)
        assert [limit.pool for limit in error.rate_limits] == ["window", "app-24hour", "user-24hour"]
        assert error.rate_limit == RateLimit("app-24hour", 300, 0, 9000)
        assert error.retryable

    def test_a_used_up_cap_is_not_retryable_though_its_status_is(self) -> None:
        assert not read_refusal(answer(429, {"type": f"{PROBLEMS}usage-capped"}, PROBLEM), X).retryable

    @pytest.mark.parametrize("name", ["x-transaction-id", "X-Transaction", "x-request-id"])
    def test_the_transaction_id(self, name: str) -> None:
        assert read_refusal(Response(500, {name: "00ab"}), X).transaction_id == "00ab"

    def test_the_first_transaction_id_that_is_not_empty(self) -> None:
        response = Response(500, [("x-request-id", "third"), ("x-transaction", "second"), ("x-transaction-id", "")])
        assert read_refusal(response, X).transaction_id == "second"
        assert read_refusal(Response(500), X).transaction_id is None

    def test_a_long_transaction_id_is_shortened(self) -> None:
        found = read_refusal(Response(500, {"x-transaction": "a" * 5000}), X).transaction_id
        assert found is not None
        assert len(found) == TEXT_CHARACTERS


class TestWhatACallerNeeds:
    def test_the_seconds_to_wait(self) -> None:
        assert read_refusal(Response(503, {"retry-after": "17"}), X).retry_after == 17.0
        assert read_refusal(Response(503), X).retry_after is None

    def test_a_date_to_wait_for(self) -> None:
        told = {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT", "date": "Fri, 31 Dec 1999 23:59:00 GMT"}
        assert read_refusal(Response(429, told), X).retry_after == 59.0

    @pytest.mark.parametrize(
        "challenge",
        [
            'Bearer realm="a", error="insufficient_scope", scope="token:write dm.write"',
            'Bearer Error = "insufficient_scope", Scope = "token:write dm.write"',
        ],
    )
    def test_the_scopes_that_a_token_lacks(self, challenge: str) -> None:
        error = read_refusal(Response(403, {"www-authenticate": challenge}), PLAIN)
        assert isinstance(error, errors.InsufficientScope)
        assert error.scopes == ("token:write", "dm.write")
        assert str(error) == (
            "Example answered 403 (code insufficient_scope). It asks for the scope token:write dm.write; the token was "
            "granted without."
        )

    def test_a_hint_of_the_callers_goes_before_them(self) -> None:
        response = Response(403, {"www-authenticate": 'Bearer error="insufficient_scope", scope="a"'})
        assert read_refusal(response, PLAIN, hint="Mine.").hint == "Mine."

    def test_scopes_without_a_lack_of_them_are_told_and_no_hint(self) -> None:
        error = read_refusal(Response(401, {"www-authenticate": 'Bearer scope="a b"'}), PLAIN)
        assert (error.scopes, error.hint) == (("a", "b"), "")
        assert read_refusal(Response(401), PLAIN).scopes == ()

    def test_a_lack_of_no_scope_in_particular(self) -> None:
        error = read_refusal(Response(403, {"www-authenticate": 'Bearer error="insufficient_scope"'}), PLAIN)
        assert (type(error), error.scopes, error.hint) == (errors.InsufficientScope, (), "")

    def test_many_scopes_do_not_flood_the_error(self) -> None:
        field = f'Bearer error="insufficient_scope", scope="{("s" * 100 + " ") * 30}"'
        assert len(str(read_refusal(Response(403, {"www-authenticate": field}), PLAIN))) < TEXT_CHARACTERS + 200

    def test_a_scope_that_repeats_the_token_is_left_out(self) -> None:
        field = f'Bearer error="insufficient_scope", scope="a {TOKEN} b", error_uri="https://a.test/{TOKEN}"'
        error = read_refusal(Response(403, {"www-authenticate": field}), PLAIN, request=bearer_request())
        assert (error.scopes, error.error_uri) == (("a", "b"), "https://a.test/***")
        assert "hunter" not in repr(error)

    @pytest.mark.parametrize(
        "response",
        [
            answer(400, {"error": "invalid_client", "error_uri": "https://a.test/e"}),
            Response(401, {"www-authenticate": 'Bearer error="e", error_uri="https://a.test/e"'}),
        ],
    )
    def test_the_page_about_the_error(self, response: Response) -> None:
        assert read_refusal(response, PLAIN).error_uri == "https://a.test/e"

    @pytest.mark.parametrize("uri", ["", None, 7, "javascript:alert(1)", "/e", "https://a.test/" + "e" * 200])
    def test_what_is_no_page_is_none(self, uri: object) -> None:
        assert read_refusal(answer(400, {"error": "e", "error_uri": uri}), PLAIN).error_uri is None

    @pytest.mark.parametrize(
        "field", ['Bearer Error = "invalid_token"', 'Basic realm="error=x", Bearer error=invalid_token']
    )
    def test_an_error_in_a_challenge_as_it_may_be_written(self, field: str) -> None:
        error = read_refusal(Response(401, {"www-authenticate": field}), PLAIN)
        assert (type(error), error.codes) == (errors.InvalidOrExpiredToken, ("invalid_token",))

    def test_the_words_of_a_challenge(self) -> None:
        field = 'Bearer error="invalid_token", Error_Description = "It is \\"gone\\""'
        assert read_refusal(Response(401, {"www-authenticate": field}), PLAIN).text == 'It is "gone"'


class TestXsDeadTokens:
    SAID = "Value passed for the token was invalid."

    @pytest.mark.parametrize("further", [{}, {"errors": [{"message": "Bad Request"}]}, {"errors": "Bad Request"}])
    def test_a_dead_refresh_token_is_one_with_a_list_of_errors_too(self, further: dict[str, object]) -> None:
        """X adds such a list at times (node-twitter-api-v2, issue 496)."""
        document = {"error": "invalid_request", "error_description": self.SAID, **further}
        error = read_refusal(answer(400, document), X)
        assert error.text == self.SAID
        assert is_dead_refresh(error, X)

    def test_another_providers_words_mean_what_its_table_says(self) -> None:
        document = {"error": "invalid_request", "error_description": self.SAID}
        assert type(read_refusal(answer(400, document), PLAIN)) is errors.BadRequest


class TestRefuseCodes:
    @pytest.mark.parametrize("status", [200, 201, 204])
    def test_a_success_with_an_error_code_is_a_refusal(self, status: int) -> None:
        with pytest.raises(errors.UnableToVerifyCredentials) as caught:
            refuse_codes(answer(status, {"errors": [{"code": 99, "message": "m"}]}), X)
        assert caught.value.status == status

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "{}",
            "words",
            '{"errors":[{"code":424242}]}',
            '{"errors":"words"}',
            '{"data":1,"errors":[{"title":"t"}]}',
        ],
    )
    def test_a_success_without_a_known_code_is_none(self, body: str) -> None:
        refuse_codes(answer(200, body), X)


# --- nothing of the request's credentials is shown -------------------------------------------------------------------

KEY, SECRET = "consumerkey/hunter1", "consumer&secret hunter2"
TOKEN = "AAAA%2Fhunter3%3DAAAAAAAA"
APP = App(KEY, SECRET)
USER = OAuth1User(App("ck", "hunter2"), "token-hunter4", "token-secret-hunter5")
NONCE = "nonce-hunter6"


def basic_request() -> Request:
    return Request("POST", "https://api.x.com/oauth2/token", {"authorization": basic_credentials(APP)})


def bearer_request() -> Request:
    return Request("GET", "https://api.x.com/2/users/me", {"authorization": f"Bearer {TOKEN}"})


def signed_request() -> Request:
    request = build_request("POST", "https://api.x.com/1.1/a.json?q=cats", form={"status": "words"})
    return sign(request, USER, timestamp=1318622958, nonce=NONCE)


def form_request() -> Request:
    body = f"access_token={TOKEN}&grant_type=client_credentials".encode()
    return Request(
        "POST", "https://api.x.com/oauth2/invalidate_token?oauth_token=query%2Dhunter7", {"content-type": FORM}, body
    )


def password_request() -> Request:
    return build_request("POST", "https://api.x.com/a", form={"x_auth_password": "p+w hunter8/é", "x_auth_mode": "m"})


def raw_request() -> Request:
    return Request("POST", "https://api.x.com/a", {"content-type": FORM}, "password=raw é+hunter9&&token".encode())


def header_request() -> Request:
    return Request("GET", "https://api.x.com/a", [("x-auth-token", "header-hunter10"), ("cookie", "c=hunter11")])


SIGNATURE = signed_request().headers["authorization"].partition('oauth_signature="')[2].rstrip('"')
ECHOES = [
    ("basic-header", basic_request(), basic_credentials(APP)),
    ("basic-value", basic_request(), basic_credentials(APP).removeprefix("Basic ")),
    ("basic-pair", basic_request(), f"{quote(KEY)}:{quote(SECRET)}"),
    ("basic-key", basic_request(), KEY),
    ("basic-secret", basic_request(), SECRET),
    ("basic-secret-encoded", basic_request(), quote(SECRET)),
    ("bearer-header", bearer_request(), f"Bearer {TOKEN}"),
    ("bearer-token", bearer_request(), TOKEN),
    ("bearer-token-decoded", bearer_request(), "AAAA/hunter3=AAAAAAAA"),
    ("oauth-header", signed_request(), signed_request().headers["authorization"]),
    ("oauth-token", signed_request(), "token-hunter4"),
    ("oauth-nonce", signed_request(), NONCE),
    ("oauth-signature", signed_request(), SIGNATURE),
    ("oauth-signature-decoded", signed_request(), unquote(SIGNATURE).decode()),
    ("form-token", form_request(), TOKEN),
    ("form-token-decoded", form_request(), "AAAA/hunter3=AAAAAAAA"),
    ("query-token", form_request(), "query%2Dhunter7"),
    ("query-token-decoded", form_request(), "query-hunter7"),
    ("password", password_request(), "p+w hunter8/é"),
    ("password-encoded", password_request(), quote("p+w hunter8/é")),
    ("password-raw", raw_request(), "raw é hunter9"),
    ("header", header_request(), "header-hunter10"),
    ("cookie", header_request(), "c=hunter11"),
]
BODIES = {
    "text": lambda echo: answer(401, f"what is {echo} here?", TEXT),
    "message": lambda echo: answer(401, {"errors": [{"code": 32, "message": f"what is '{echo}'?"}]}),
    "errors-string": lambda echo: answer(401, {"errors": echo}),
    "error": lambda echo: answer(401, {"error": f"no {echo}"}),
    "error-code": lambda echo: answer(401, {"error": echo}),
    "description": lambda echo: answer(400, {"error": "invalid_request", "error_description": f"Wrong: {echo}."}),
    "detail": lambda echo: answer(400, {"type": "about:blank", "detail": echo}, PROBLEM),
    "nested-detail": lambda echo: answer(400, {"errors": [{"detail": f"({echo})"}]}),
    "code": lambda echo: answer(400, {"errors": [{"code": echo, "message": "m"}]}),
    "slug": lambda echo: answer(400, {"type": f"{PROBLEMS}{echo}", "title": "t"}),
    "long": lambda echo: answer(400, {"errors": "x" * (TEXT_CHARACTERS - 10) + echo}),
    "often": lambda echo: answer(400, {"errors": echo * 400}),
    "often-in-text": lambda echo: answer(400, echo * 400, TEXT),
    "xml": lambda echo: answer(400, f"<errors><error code='1'>{echo}</error></errors>"),
    "title": lambda echo: answer(503, f"<html><title>No {echo}</title>", HTML),
    "transaction": lambda echo: Response(500, {"x-transaction": echo}),
}


ONE_WORD = {"error-code", "slug", "transaction"}  # no white space and no slash


def fragments(secret: str) -> list[str]:
    """The secret and every piece of it that is long enough to tell it."""
    return [secret[start : start + 8] for start in range(max(1, len(secret) - 7))]


def placed() -> list[object]:
    """Every echo in every body it can stand in."""
    return [
        pytest.param(request, echo, shape, id=f"{name}-{shape}")
        for name, request, echo in ECHOES
        for shape in BODIES
        if shape not in ONE_WORD or not re.search("[^!-.0-~]", echo)
    ]


@pytest.mark.parametrize(("request_", "echo", "shape"), placed())
def test_what_the_request_carried_as_a_credential_is_masked(request_: Request, echo: str, shape: str) -> None:
    error = read_refusal(BODIES[shape](echo), X, request=request_)
    shown = f"{error} {error!r} {error.refusal!r} {error.transaction_id}"
    assert "hunter" not in shown
    if echo in {SIGNATURE, unquote(SIGNATURE).decode(), basic_credentials(APP).removeprefix("Basic ")}:
        assert secrets_in(shown, fragments(echo)) == []


def test_the_words_around_a_masked_credential_stay() -> None:
    body = {"errors": [{"code": 89, "message": f"The token {TOKEN} is unknown"}]}
    assert read_refusal(answer(401, body), X, request=bearer_request()).text == "The token *** is unknown"


def test_a_short_value_is_no_secret() -> None:
    request = build_request("POST", "https://api.x.com/", form={"token": "true"})
    assert read_refusal(answer(400, {"errors": "not true"}), X, request=request).text == "not true"


@pytest.mark.parametrize(
    "value",
    ["Basic", "Basic !", "Basic QQ", "Basic é", "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Negotiate x", ""],
)
def test_an_authorization_of_any_form_is_survived(value: str) -> None:
    request = Request("GET", "https://api.x.com/", {"authorization": value})
    assert read_refusal(answer(400, "words", TEXT), X, request=request).text == "words"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("got Authorization: Bearer AAAAAAAAhunter2", "got Authorization: *** ***"),
        ("got Bearer AAAAAAAAhunter2 there", "got Bearer *** there"),
        ("got basic aHVudGVyMjpodW50ZXIy==", "got basic ***"),
        ("access_token=hunter2&x=1", "access_token=***&x=1"),
        ('got {"access_token" : "hunter2"}', 'got {"access_token" : ***"}'),
        ("oauth_token_secret: hunter2, next", "oauth_token_secret: ***, next"),
        ("error: access_token=hunter2", "error: access_token=***"),
        ("x-access-token: hunter2", "x-access-token: ***"),
        ("PASSWORD=hunter2;", "PASSWORD=***;"),
        ("Invalid oauth_verifier parameter", "Invalid oauth_verifier parameter"),
        ("Missing required parameter: grant_type", "Missing required parameter: grant_type"),
        ("The bearer is unknown", "The bearer is unknown"),
    ],
)
def test_what_looks_like_a_credential_is_masked_without_the_request_too(text: str, shown: str) -> None:
    assert read_refusal(answer(400, text, TEXT), X).text == shown


@pytest.mark.parametrize("length", [0, 1, TEXT_CHARACTERS - 1, TEXT_CHARACTERS, TEXT_CHARACTERS + 1, 100_000])
def test_the_services_words_are_shortened(length: int) -> None:
    for response in (answer(400, {"errors": "x" * length}), answer(400, "x" * length, TEXT)):
        text = read_refusal(response, X).text
        assert len(text) == min(length, TEXT_CHARACTERS)
        assert text.endswith("…") == (length > TEXT_CHARACTERS)


def test_no_control_character_reaches_a_log() -> None:
    text = "a\x00b\x1b[31mc\r\nd\x7fe\x85f\u2028g\u202eh\u2066i\ud800j"
    error = read_refusal(answer(400, {"errors": [{"code": f"c{text}", "message": text}]}), X)
    assert error.text == "a b [31mc d e f g h i j"
    assert error.codes == ("ca b [31mc d e f g h i j",)


def test_a_code_of_nothing_but_controls_is_none() -> None:
    assert read_refusal(answer(400, {"errors": [{"code": "\x00\x1b"}]}), X).codes == ()


LIMIT = 100 + CODES * (CODE_CHARACTERS + 10) + TEXT_CHARACTERS + max(map(len, X.errors.hints.values()))
KINDS = st.sampled_from(["", TEXT, HTML, JSON, PROBLEM, XML, "application/octet-stream", "multipart/mixed"])
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters()))
NAMES = st.one_of(
    st.sampled_from(["errors", "error", "code", "message", "type", "detail", "title", "error_description"]), st.text()
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
)
BYTES = st.one_of(
    st.binary(max_size=300),
    DOCUMENTS.map(lambda document: json.dumps(document).encode()),
    st.text().map(lambda text: f"<errors><error code='{text}'>{text}</error>".encode("utf-8", "replace")),
)


@given(status=st.integers(-1, 1000), body=BYTES, kind=KINDS)
def test_no_answer_breaks_the_reader_and_none_floods_the_error(status: int, body: bytes, kind: str) -> None:
    error = read_refusal(answer(status, body, kind), X, request=signed_request())
    text = str(error)
    assert len(text) <= LIMIT
    assert not [char for char in text if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}]
    text.encode()
    assert pickle.loads(pickle.dumps(error)).refusal == error.refusal
    refuse_or_not(answer(200, body, kind))


def refuse_or_not(response: Response) -> None:
    with contextlib.suppress(ApiError):
        refuse_codes(response, X)


@pytest.mark.parametrize(
    "repeated",
    [
        "token",
        "a",
        "a ",
        "token ",
        "token=",
        "bearer ",
        "Bearer a",
        "<error ",
        "<error code='",
        "<title",
        "\x00",
        '{"errors":"',
        "=",
        "secret:'",
        "_token ",
    ],
)
def test_a_hostile_answer_takes_linear_time(repeated: str) -> None:
    def attempt(text: str) -> object:
        return [read_refusal(answer(400, text, kind), X) for kind in (TEXT, HTML, JSON)]

    for size in (400, 30_000):  # what is shown of a text is cut at 4,000 characters, so look below that too
        assert_linear(attempt, lambda length: repeated * (length // len(repeated)), size)
        assert_linear(attempt, lambda length: json.dumps({"errors": repeated * (length // len(repeated))}), size)
        assert_linear(attempt, lambda length: "<e>" + repeated * (length // len(repeated)), size)


ABC = "abcdefghijklmnopqrstuvwxyz"
PROBLEMS_GALORE = " ".join(f"oauth_problem={a}{b}{c}" for a in ABC for b in ABC for c in ABC)  # 18 characters each
ERRORS_GALORE = PROBLEMS_GALORE.replace("oauth_problem", "error")
XML_GALORE = "<errors>" + "".join(f"<error code='{n}'>m</error>" for n in range(10_000, 20_000))
GALORE: list[Callable[[int], Response]] = [
    lambda length: answer(400, {"error": "e", "error_description": PROBLEMS_GALORE[:length]}),
    lambda length: answer(400, {"errors": PROBLEMS_GALORE[:length]}),
    lambda length: answer(400, PROBLEMS_GALORE[:length], TEXT),
    lambda length: Response(401, {"www-authenticate": "OAuth " + PROBLEMS_GALORE[:length]}),
    lambda length: Response(401, {"www-authenticate": "Bearer " + ERRORS_GALORE[:length]}),
    lambda length: answer(400, XML_GALORE[:length]),
]


@pytest.mark.parametrize("galore", GALORE)
def test_an_answer_of_many_codes_takes_linear_time(galore: Callable[[int], Response]) -> None:
    """Once 3.5 s for 400 KB: every code was looked for among all before it."""
    length = 150_000
    assert_linear(lambda text: read_refusal(galore(len(text)), PLAIN), "x".__mul__, length)
    assert len(read_refusal(galore(length), PLAIN).codes) == CODES


@pytest.mark.parametrize("member", ["errors", "error"])
def test_one_error_as_an_object_instead_of_a_list_is_read(member: str) -> None:
    error = read_refusal(answer(401, {member: {"code": 89, "message": "Invalid or expired token"}}), X)
    assert isinstance(error, errors.InvalidOrExpiredToken)
    assert (error.codes, error.text) == ((89,), "Invalid or expired token")
