"""A pasted curl command becomes the request that it sends, or an error that says why it cannot be known."""

from __future__ import annotations

import base64
import contextlib
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Request
from sansauth.errors import InvalidParameter, InvalidURL, LocalProtocolError
from sansauth.http import FORM, JSON
from sansauth.oauth1 import explain, read_curl, sign

from .naive_signer import USER
from .support import assert_linear

URL = "https://api.x.com/a"
FORM_TYPE = {"content-type": FORM}
JSON_TYPES = {"content-type": JSON, "accept": JSON}
BASIC = "Basic " + base64.b64encode(b"me:pass:word").decode()


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        (f"curl {URL}", Request("GET", URL)),
        (f"$ /usr/bin/curl '{URL}'", Request("GET", URL)),
        ("curl api.x.com/a", Request("GET", "http://api.x.com/a")),
        (f"curl --url {URL} -sSL --compressed -o /dev/null -m10", Request("GET", URL)),
        (f"curl -X PUT {URL}", Request("PUT", URL)),
        (f"curl -XDELETE {URL}", Request("DELETE", URL)),
        (f"curl -sXDELETE {URL}", Request("DELETE", URL)),
        (f"curl --request post {URL}", Request("POST", URL)),
        (f"curl -I {URL}", Request("HEAD", URL)),
        (f"curl -d a=b -d c=d {URL}", Request("POST", URL, FORM_TYPE, b"a=b&c=d")),
        (f"curl -da=b {URL}", Request("POST", URL, FORM_TYPE, b"a=b")),
        (f"curl --data-raw @a --data-ascii b {URL}", Request("POST", URL, FORM_TYPE, b"@a&b")),
        (f"curl --data-binary x {URL} -X PATCH", Request("PATCH", URL, FORM_TYPE, b"x")),
        (f"curl --data-urlencode 'a=b c&d' {URL}", Request("POST", URL, FORM_TYPE, b"a=b+c%26d")),
        (f"curl --data-urlencode '=a@b' --data-urlencode 'é' {URL}", Request("POST", URL, FORM_TYPE, b"a%40b&%C3%A9")),
        (f"curl -G -d a=b --data-urlencode 'c=d e' {URL}?x=y", Request("GET", URL + "?x=y&a=b&c=d+e")),
        (f"curl --get -d a=b '{URL}#top'", Request("GET", URL + "?a=b")),
        (f"curl -I -G -d a=b {URL}", Request("HEAD", URL + "?a=b")),
        (f"curl --url-query 'a=b c' --url-query +d=%20 {URL}", Request("GET", URL + "?a=b+c&d=%20")),
        (f"curl --json '{{\"a\":1}}' {URL}", Request("POST", URL, JSON_TYPES, b'{"a":1}')),
        (f"curl --json '[1,' --json 2] {URL}", Request("POST", URL, JSON_TYPES, b"[1,2]")),
        (
            f"curl -H 'content-type: text/xml' -d '<a>' {URL}",
            Request("POST", URL, {"content-type": "text/xml"}, b"<a>"),
        ),
        (f"curl -H 'Content-Type:' -d 'a' {URL}", Request("POST", URL, {}, b"a")),
        (f"curl -H 'X-Empty;' -H 'X-One:  1 ' {URL}", Request("GET", URL, [("x-empty", ""), ("x-one", "1")])),
        (f"curl -H 'Authorization: OAuth a=\"b\"' {URL}", Request("GET", URL, {"authorization": 'OAuth a="b"'})),
        (f"curl -u me:pass:word {URL}", Request("GET", URL, {"authorization": BASIC})),
        (f"curl -u me:pass -H 'authorization: X' {URL}", Request("GET", URL, {"authorization": "X"})),
        (f"curl --oauth2-bearer AAAA {URL}", Request("GET", URL, {"authorization": "Bearer AAAA"})),
        (
            f"curl -A me -e http://a -b a=b {URL}",
            Request("GET", URL, [("user-agent", "me"), ("referer", "http://a"), ("cookie", "a=b")]),
        ),
        (f"curl -b jar.txt {URL}", Request("GET", URL)),
        (f"curl -g '{URL}?a={{b}}'", Request("GET", URL + "?a=%7Bb%7D")),
        (f"curl \\\n  '{URL}' \\\r\n  -d a\\ b", Request("POST", URL, FORM_TYPE, b"a b")),
        (f'curl {URL} -d "a\\"b\\\n\\n$ 1"', Request("POST", URL, FORM_TYPE, b'a"b\\n$ 1')),
        (f"curl {URL} -d a'b'\"c\"$ -d ''", Request("POST", URL, FORM_TYPE, b"abc$&")),
        (
            f"curl {URL} -d $'a\\'b\\n\\t\\x41\\101\\u00e9\\U0001F600\\\\\\?\\z\\xc3\\xa9'",
            Request("POST", URL, FORM_TYPE, "a'b\n\tAAé😀\\?\\zé".encode()),
        ),
        (f"curl {URL} -d $'\\ud800'", Request("POST", URL, FORM_TYPE, "\ufffd\ufffd\ufffd".encode())),
        (f"curl {URL} -d a\\", Request("POST", URL, FORM_TYPE, b"a")),
        ("curl 'http://[::1]:8080/a'", Request("GET", "http://[::1]:8080/a")),
    ],
)
def test_a_command_becomes_its_request(command: str, request_: Request) -> None:
    assert read_curl(command) == request_


def test_a_multipart_body_is_a_stand_in() -> None:
    request = read_curl(f"curl -F status=Hi -F 'media=@photo.jpg;type=image/jpeg' {URL}")
    assert (request.method, request.has_form) == ("POST", False)
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="status"' in request.body
    assert b'name="media"' in request.body
    assert b"photo" not in request.body
    explanation = explain(request, USER, timestamp=1, nonce="n")
    assert "multipart/form-data" in explanation.not_signed[0].what


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("", "does not begin with `curl`"),
        (f"wget {URL}", "does not begin with `curl`"),
        ("curl", "names no URL;"),
        (f"curl {URL} {URL}", "names 2 URLs"),
        (f"curl --nonsense {URL}", "--nonsense is not known"),
        (f"curl -sK canary {URL}", "-K is not known"),
        (f"curl --next {URL}", "--next is not known"),
        (f"curl -- {URL}", "option that is not known"),
        (f"curl --canary=passw {URL}", "option that is not known"),
        (f"curl {URL} -X", "-X takes a value"),
        (f"curl {URL} -d @canary", "reads a file"),
        (f"curl {URL} --data-binary @canary", "reads a file"),
        (f"curl {URL} --json @canary", "reads a file"),
        (f"curl {URL} -H @canary", "reads a file"),
        (f"curl {URL} --data-urlencode canary@canary", "reads a file"),
        (f"curl {URL} -H canary", "Name: value"),
        (f"curl {URL} -u canary", "ask for the password"),
        (f"curl {URL} -d a -F b=c", "one body"),
        (f"curl {URL}?a=b&c=d", "a shell reads the & after"),
        (f"curl {URL} | jq .canary", "a shell reads the | after"),
        (f"curl {URL} > canary", "a shell reads the >"),
        (f"curl {URL} -d 'canary", "the ' after"),
        (f'curl {URL} -d "canary', 'the " after'),
        (f"curl {URL} -d $'canary", "quotation mark is not closed"),
        (f"curl {URL} -d $CANARY", "variable"),
        (f'curl {URL} -d "a$CANARY"', "variable"),
        (f'curl {URL} -d "a$(canary)"', "variable"),
        (f"curl {URL} -d `canary`", "variable"),
        (f"curl {URL} -d $'\\U00110000'", "beyond Unicode"),
        (f"curl '{URL}?a={{b,c}}'", "several URLs"),
        (f"curl '{URL}?a=[1-3]'", "several URLs"),
        (f"curl {URL} -d '\ud800'", "lone surrogate"),
    ],
)
def test_what_cannot_be_known_is_refused_and_named(command: str, said: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read_curl(command)
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("end", ["-u {}", "-H {}", "-d '{}", "-d {}|x"])
def test_no_word_of_a_refused_command_is_in_the_frames_that_a_traceback_shows(end: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read_curl(f"curl {URL} {end.format('ca' + 'nary')}")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    values = [value for frame in frames for value in (frame.locals or {}).values()]
    assert not any("canary" in value for value in values)


def test_a_url_that_is_none_is_an_invalid_url() -> None:
    with pytest.raises(InvalidURL):
        read_curl("curl 'https://user:password@api.x.com/'")
    with pytest.raises(InvalidParameter, match="a curl command is a str, not bytes"):
        read_curl(b"curl")  # type: ignore[arg-type]


def test_a_signed_command_is_judged() -> None:
    signed = sign(Request("POST", URL, FORM_TYPE, b"status=a+b"), USER, timestamp=1, nonce="n")
    field = signed.headers["authorization"]
    command = f"curl -X POST '{URL}' -H 'Authorization: {field}' --data-urlencode 'status=a b'"
    assert explain(read_curl(command), USER).matches is True
    forgotten = command.replace("--data-urlencode 'status=a b'", "")
    explanation = explain(read_curl(forgotten), USER)
    assert explanation.matches is False


@given(
    st.text(max_size=60).map(lambda text: f"curl {text}")
    | st.text(st.sampled_from("curl -dXHuG@='\"\\$`&|;{}[] \nx:/.{"), max_size=80).map(lambda text: f"curl {text}")
    | st.text()
)
def test_no_command_crashes_it(command: str) -> None:
    with contextlib.suppress(LocalProtocolError):
        assert isinstance(read_curl(command), Request)


@pytest.mark.parametrize("piece", ["a", "'a'", '"\\"', "\\", "$'\\x", "-d a ", "-sS ", "$", '"$'])
def test_reading_takes_time_in_proportion(piece: str) -> None:
    def read(command: str) -> None:
        with contextlib.suppress(LocalProtocolError):
            read_curl(command)

    assert_linear(read, lambda size: "curl " + piece * size, 10_000)
