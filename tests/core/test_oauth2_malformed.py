"""Whatever a token endpoint answers: the right tokens or a typed error, stored tokens kept, and nothing shown.

`canary` stands in every answer where a token may stand, and in the parts of pages that are no words of the service's.
"""

from __future__ import annotations

import codecs
import gzip
import json
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sansauth import Provider, Response, Stored
from sansauth import errors as e
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2.grants import refresh
from sansauth.oauth2.lifecycle import oauth2_tokens
from sansauth.provider import Endpoints
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key

from .support import ENV, TIMESTAMP, Script

SERVICE = Provider("Service", "https://service.example", Endpoints(token="https://service.example/token"))
USER = OAuth2User(OAuth2Client("id", "client-secret"), "alice")
KEY = oauth2_tokens_key(USER, SERVICE)
ENDED = OAuth2Tokens("held", "Bearer", TIMESTAMP - 7200, TIMESTAMP - 1, "held-refresh", ("read", "write"), "held-id")
ENDING = replace(ENDED, expires_at=TIMESTAMP + 30)
TOKEN = {"access_token": "canary-access", "token_type": "bearer"}
ISSUED = OAuth2Tokens("canary-access", "Bearer", TIMESTAMP, None, "held-refresh", ("read", "write"), "held-id")
DEEP = 200_000
TESTS = str(Path(__file__).parent)


@dataclass(frozen=True)
class Case:
    """An answer, or what the transport made of it, and what it has to become: an error, or exactly these tokens.

    `said` is in the error's text, for the person who reads it.
    """

    name: str
    answer: Response | Exception
    expected: type[e.SansauthError] | OAuth2Tokens
    said: str = ""


def raw(
    name: str,
    body: bytes | str,
    expected: type[e.SansauthError] | OAuth2Tokens,
    said: str = "",
    *,
    status: int = 200,
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Case:
    fields = {"content-type": kind, **(headers or {})}
    return Case(name, Response(status, fields, body.encode() if isinstance(body, str) else body), expected, said)


def members(name: str, more: Mapping[str, object], expected: type[e.SansauthError] | OAuth2Tokens) -> Case:
    """A token with some members replaced; one that is `...` is left out."""
    document = {name: value for name, value in {**TOKEN, **more}.items() if value is not ...}
    return raw(name, json.dumps(document), expected)


def refused(
    name: str, status: int, document: object, expected: type[e.SansauthError], said: str = "", *, kind: str = "json"
) -> Case:
    return raw(name, json.dumps(document), expected, said, status=status, kind=f"application/{kind}")


def lasting(seconds: float | None) -> OAuth2Tokens:
    return replace(ISSUED, expires_at=None if seconds is None else TIMESTAMP + seconds)


PAGE = "<!doctype html><html><title>Down for repairs</title><body><p>canary</p></body></html>"
LAST = "The token held-refresh has ended"
PROBLEM = {"title": "Too Many Requests", "status": 429, "type": "about:blank"}
FORM = "access_token=canary-access&token_type=bearer&expires_in=7200"

NO_JSON = [
    raw("HTML with 503", PAGE, e.ServiceUnavailable, "Down for repairs", status=503, kind="text/html"),
    raw("HTML with 502 that says JSON", PAGE, e.BadGateway, "Down for repairs", status=502),
    raw("HTML with 200", PAGE, e.RemoteProtocolError, "text/html", kind="text/html"),
    raw("HTML with 200 that says JSON", PAGE, e.RemoteProtocolError, "expected JSON"),
    raw("nothing with 200", b"", e.RemoteProtocolError, "0 bytes"),
    raw("nothing with 204", b"", e.RemoteProtocolError, "status 204", status=204),
    raw("nothing with 500", b"", e.InternalServerError, status=500),
    raw("plain text", "canary-access", e.RemoteProtocolError, "text/plain", kind="text/plain"),
    raw("a form", FORM, e.RemoteProtocolError, "x-www-form-urlencoded", kind="application/x-www-form-urlencoded"),
    raw("a form that says JSON", FORM, e.RemoteProtocolError, "expected JSON"),
    raw("half of a token", json.dumps(TOKEN)[:-1], e.RemoteProtocolError, "expected JSON"),
    raw("a token and more", json.dumps(TOKEN) + "canary", e.RemoteProtocolError, "expected JSON"),
    raw("two tokens", json.dumps(TOKEN) * 2, e.RemoteProtocolError, "expected JSON"),
    raw("a token behind a guard", ")]}',\n" + json.dumps(TOKEN), e.RemoteProtocolError, "expected JSON"),
    raw("a token in single quotes", str(TOKEN), e.RemoteProtocolError, "expected JSON"),
    raw("compressed, and nobody said so", gzip.compress(json.dumps(TOKEN).encode()), e.RemoteProtocolError),
    raw("UTF-8 that is none", b'{"access_token":"canary-\xff\xfe","token_type":"bearer"}', e.RemoteProtocolError),
    raw("bytes at random", bytes(range(128, 256)) + b"canary", e.RemoteProtocolError),
    raw("nested without end", "[" * DEEP, e.RemoteProtocolError, "expected JSON"),
    raw("nested deeply", '{"a":' * DEEP + "1" + "}" * DEEP, e.RemoteProtocolError, "expected JSON"),
    raw("a token beside a deep one", '{"access_token":"canary","x":' + "[" * DEEP, e.RemoteProtocolError),
    raw("a life of 5,000 digits", '{"access_token":"canary","expires_in":' + "9" * 5000 + "}", e.RemoteProtocolError),
]

NO_OBJECT = [
    raw(f"JSON that is {text}", text, e.RemoteProtocolError, f"a JSON {kind}; expected an object")
    for text, kind in {
        "[]": "list",
        '["canary"]': "list",
        f"[{json.dumps(TOKEN)}]": "list",
        "null": "NoneType",
        "true": "bool",
        "7": "int",
        "NaN": "float",
        '"canary-access"': "str",
        json.dumps(json.dumps(TOKEN)): "str",
    }.items()
]

NO_TOKEN = [
    raw("an empty object", "{}", e.RemoteProtocolError, "access_token"),
    raw("another object", '{"hello":"world","canary":"canary"}', e.RemoteProtocolError, "access_token"),
    raw("a token inside", json.dumps({"data": TOKEN}), e.RemoteProtocolError, "access_token"),
    raw("in other letters", '{"Access_Token":"canary","token_type":"bearer"}', e.RemoteProtocolError, "access_token"),
    *(
        members(f"access_token {value!r}", {"access_token": value}, e.RemoteProtocolError)
        for value in (
            *(..., None, "", 7, 7.5, True, ["canary"], {"canary": "canary"}),
            *("canary access", " canary", "canary ", "canary\n", "canary\r\nx-canary: y", "canary\x00", "canary\x7f"),
            *("canary\xe9", "canary\u2028", "canary\ud800", "Bearer canary"),
        )
    ),
    *(
        members(f"token_type {value!r}", {"token_type": value}, e.RemoteProtocolError)
        for value in (..., None, "", 7, True, ["bearer"], {"bearer": 1}, "mac", "bearer ", "bearer\n", "bearer,dpop")
    ),
]

REFUSALS = [
    refused("429 as a problem", 429, PROBLEM, e.TooManyRequests, "Too Many Requests", kind="problem+json"),
    refused("429 with a token in it", 429, {**PROBLEM, **TOKEN}, e.TooManyRequests, kind="problem+json"),
    refused("400 with a token in it", 400, TOKEN, e.BadRequest),
    refused("500 with a list", 500, ["canary"], e.InternalServerError),
    refused("400 with null", 400, None, e.BadRequest),
    refused("invalid_grant", 400, {"error": "invalid_grant", "canary": "canary"}, e.InvalidGrant, "invalid_grant"),
    refused("invalid_client", 401, {"error": "invalid_client"}, e.InvalidClient),
    refused("invalid_scope", 400, {"error": "invalid_scope"}, e.InvalidScope),
    refused("an error of no text", 400, {"error": ["canary"], "error_description": {"canary": 1}}, e.BadRequest),
    refused("invalid_grant with 200", 200, {"error": "invalid_grant"}, e.InvalidGrant, "answered 200"),
    refused("invalid_grant above a token", 200, {"error": "invalid_grant", "data": TOKEN}, e.InvalidGrant),
    refused("invalid_grant of a token", 200, {"error": "invalid_grant", "error_description": LAST}, e.InvalidGrant),
    refused("the same with 400", 400, {"error": "invalid_grant", "error_description": LAST}, e.InvalidGrant),
    refused("invalid_grant beside a token", 200, {**TOKEN, "error": "invalid_grant"}, e.InvalidGrant),
    # GitHub refuses with 200, in codes of its own.
    refused("another error with 200", 200, {"error": "bad_verification_code"}, e.ApiError, "bad_verification_code"),
    refused("a sentence with 200", 200, {"error": "no such code"}, e.ApiError, "no such code"),
    refused("an empty error with 200", 200, {"error": "", "canary": "canary"}, e.RemoteProtocolError, "access_token"),
    refused("an error that is a list, with 200", 200, {"error": ["canary"]}, e.RemoteProtocolError, "access_token"),
    raw("302", b"", e.UnexpectedRedirect, status=302, headers={"location": "https://evil.example/?code=canary"}),
    raw("307", b"", e.UnexpectedRedirect, status=307, headers={"location": "/token?canary"}),
    raw("304", b"", e.UnexpectedRedirect, status=304),
    raw("599", "canary", e.ApiError, "599", status=599, kind="application/octet-stream"),
]

TRANSPORT = [
    Case("longer than the transport takes", e.ResponseTooLarge("64 MiB", sent=True), e.ResponseTooLarge),
    Case("cut off", e.ReadError("broke", sent=True), e.ReadError),
    Case("too late", e.TimedOut("slow", sent=True), e.TimedOut),
]

LIVES = [
    members(f"expires_in {value!r:.40}", {"expires_in": value}, lasting(life))
    for value, life in [
        *((7200, 7200), (7200.5, 7200.5), ("7200", 7200), (" 7200 ", 7200), ("7200.50", 7200.5), (1e3, 1000)),
        *((0, 0), (-1, 0), (-(10**9), 0), ("0", 0), (10**12, 10**12)),
        *((None, None), (..., None), ("", None), ("-1", None), ("soon", None), ("1e3", None), ("0x10", None)),
        *((True, None), (False, None), ([7200], None), ({"seconds": 7200}, None), ("٣٦٠٠", None)),
        *(("NaN", None), ("Infinity", None), (float("nan"), None), (float("inf"), None), (float("-inf"), None)),
        *((10**12 + 1, None), (10**400, None), (-(10**400), None), ("9" * 5000, None), ("2030-01-01T00:00:00Z", None)),
    ]
]

SCOPES = [
    members(f"scope {value!r}", {"scope": value}, replace(ISSUED, scopes=scopes))
    for value, scopes in [
        *(
            ("read", ("read",)),
            ("b  a ", ("b", "a")),
            ("a,b", ("a", "b")),
            ("a, b", ("a", "b")),
            (["a", "b"], ("a", "b")),
        ),
        *((["a", 7, None, ["b"], ""], ("a",)), ("\xe9 a", ("\xe9", "a"))),
        *((value, ()) for value in ("", "   ", [])),
        *((value, ENDED.scopes) for value in (..., None, 7, True, [7], {"read": True})),
    ]
]

FURTHER = {"canary": ["canary", {"canary": "canary"}], "code": 7, "type": "canary"}

OTHERS = [
    *(
        members(f"refresh_token {value!r}", {"refresh_token": value}, ISSUED)
        for value in (None, "", 7, [], " ", "\n", "a\nb", "a\ud800")
    ),
    *(members(f"id_token {value!r}", {"id_token": value}, ISSUED) for value in (None, "", 7, {}, "a\r\nb")),
    members("a refresh token of words", {"refresh_token": "canary \xe9"}, replace(ISSUED, refresh_token="canary \xe9")),
    members("a refresh token", {"refresh_token": "canary-r"}, replace(ISSUED, refresh_token="canary-r")),
    members("an id token", {"id_token": "canary.i.d"}, replace(ISSUED, id_token="canary.i.d")),
    *(members(f"token_type {value}", {"token_type": value}, ISSUED) for value in ("Bearer", "BEARER", "bEaReR")),
    members("a token of X's", {"access_token": "AAA%2Fcanary%3D"}, replace(ISSUED, access_token="AAA%2Fcanary%3D")),
    members("members that nobody knows", FURTHER, replace(ISSUED, further=FURTHER)),
    members("an error that is null", {"error": None, "errors": []}, replace(ISSUED, further={"errors": []})),
    members("an error that nobody knows", {"error": "none"}, ISSUED),
    raw("members twice: the last one counts", '{"access_token":"a",' + json.dumps(TOKEN)[1:], ISSUED),
    raw("a byte order mark", codecs.BOM_UTF8 + json.dumps(TOKEN).encode(), ISSUED),
    raw("UTF-16", json.dumps(TOKEN).encode("utf-16"), ISSUED),
    raw("UTF-32 without a mark", json.dumps(TOKEN).encode("utf-32-le"), ISSUED),
    raw("white space around", f"\r\n\t {json.dumps(TOKEN, indent=4)} \n", ISSUED),
    raw("a token that says HTML", json.dumps(TOKEN), ISSUED, kind="text/html"),
    raw("a token that says a form", json.dumps(TOKEN), ISSUED, kind="application/x-www-form-urlencoded"),
    raw("a token that says nothing", json.dumps(TOKEN), ISSUED, kind=""),
    raw("a token with 201", json.dumps(TOKEN), ISSUED, status=201),
]

CASES = [*NO_JSON, *NO_OBJECT, *NO_TOKEN, *REFUSALS, *TRANSPORT, *LIVES, *SCOPES, *OTHERS]
FAILURES = [case for case in CASES if not isinstance(case.expected, OAuth2Tokens)]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@dataclass
class Outcome:
    """What became of an answer, and of the record."""

    tokens: OAuth2Tokens | None = None
    error: BaseException | None = None
    record: bytes = b""
    sent: int = 0


def used(answer: Response | Exception, held: OAuth2Tokens) -> Outcome:
    """What a call gets to be made with when it finds these tokens stored, and the service answers so."""
    script = Script([answer], {KEY: Stored(held.to_bytes(), 1)})
    outcome = Outcome()
    try:
        outcome.tokens = script.run(oauth2_tokens(USER, SERVICE, ENV))
    except e.SansauthError as error:
        outcome.error = error
    outcome.record, outcome.sent = script.records[KEY].data, len(script.sent)
    return outcome


def shown(error: BaseException) -> Iterator[str]:
    """What a person or a log may see of an error: its text, its repr, and the locals of every frame but the tests'."""
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
    told: traceback.TracebackException | None = traceback.TracebackException.from_exception(error, capture_locals=True)
    while told is not None:
        yield "".join(told.format_exception_only())
        frames = [frame for frame in told.stack if not frame.filename.startswith(TESTS)]
        yield from (text for frame in frames for text in (frame.locals or {}).values())
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


def test_there_are_more_than_forty_of_them_and_each_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 40


@every_case
def test_an_answer_is_the_right_tokens_or_a_typed_error_that_shows_nothing_of_it(case: Case) -> None:
    script = Script([case.answer])
    asking = refresh(USER.client, ENDED, provider=SERVICE, env=ENV)
    if isinstance(case.expected, OAuth2Tokens):
        tokens = script.run(asking)
        assert tokens == case.expected
        assert "canary" not in f"{tokens}{tokens!r}"
        assert OAuth2Tokens.from_bytes(tokens.to_bytes()) == tokens
        return
    with pytest.raises(e.SansauthError) as caught:
        script.run(asking)
    assert type(caught.value) is case.expected
    assert case.said in str(caught.value)
    assert len(str(caught.value)) < 400
    assert [text for text in shown(caught.value) if "canary" in text or "held-refresh" in text] == []


@every_case
def test_the_stored_tokens_are_replaced_by_tokens_only(case: Case) -> None:
    outcome = used(case.answer, ENDED)
    if isinstance(case.expected, OAuth2Tokens):
        assert outcome.tokens == case.expected
        assert OAuth2Tokens.from_bytes(outcome.record) == case.expected
        return
    assert type(outcome.error) is (e.LoginRequired if case.expected is e.InvalidGrant else case.expected)
    assert outcome.error is not None
    assert [text for text in shown(outcome.error) if "canary" in text or "held-refresh" in text] == []
    record = OAuth2Tokens.from_bytes(outcome.record)
    assert replace(record, death=None) == ENDED
    assert (record.death is not None) == (case.expected is e.InvalidGrant)
    assert outcome.sent == 1


@every_case
def test_neither_are_tokens_that_still_live(case: Case) -> None:
    outcome = used(case.answer, ENDING)
    kept = case.expected if isinstance(case.expected, OAuth2Tokens) else ENDING
    assert replace(OAuth2Tokens.from_bytes(outcome.record), death=None) == kept
    assert outcome.tokens is None or replace(outcome.tokens, death=None) == kept


@pytest.mark.parametrize("case", [case for case in FAILURES if case.expected is not e.InvalidGrant][::5])
def test_the_next_call_refreshes_again(case: Case) -> None:
    """Authlib's stored problem document is never refreshed."""
    script = Script([case.answer, OTHERS[-1].answer], {KEY: Stored(ENDED.to_bytes(), 1)})
    with pytest.raises(e.SansauthError):
        script.run(oauth2_tokens(USER, SERVICE, ENV))
    assert script.run(oauth2_tokens(USER, SERVICE, ENV)) == ISSUED
