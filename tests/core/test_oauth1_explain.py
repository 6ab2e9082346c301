"""`explain`: what it lays out is what `sign` makes, what shows without guessing is said, and no secret is shown."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oauthlib import oauth1

from sansauth import App, Bearer, OAuth1User, Provider, Request, Signing, build_request
from sansauth.encoding import encode
from sansauth.errors import InsecureTransport, InvalidParameter, SansauthError, WrongIdentity
from sansauth.http import FORM, JSON
from sansauth.oauth1 import Explanation, base_string, explain, read_authorization, sign
from sansauth.oauth1.explaining.masking import MASK

from . import naive_signer as naive
from .naive_signer import PROTOCOL, TIMESTAMP, USER, received, signature

POST = build_request(
    "POST", "https://api.x.com/a?b=c%20d", form={"e": "f g", "a": ""}, headers={"x-forwarded-host": "proxy.example"}
)
AT = {"timestamp": TIMESTAMP, "nonce": "n"}


def laid_out(request: Request, identity: App | OAuth1User = USER, **more: Any) -> Explanation:
    return explain(request, identity, **AT, **more)


def codes(explanation: Explanation) -> list[str]:
    return [finding.code for finding in explanation.findings]


def test_an_unsigned_request_is_laid_out() -> None:
    explanation = laid_out(POST)
    assert (explanation.matches, explanation.findings, explanation.received_signature) == (None, (), None)
    assert "carries no signature" in explanation.verdict
    assert (explanation.method, explanation.uri) == ("POST", "https://api.x.com/a")
    rows = [(p.position, p.source, p.name, p.value, p.encoded_value) for p in explanation.parameters]
    assert rows[:3] == [(1, "form", "a", "", ""), (2, "query", "b", "c d", "c%20d"), (3, "form", "e", "f g", "f%20g")]
    assert [(position, source) for position, source, *_ in rows[3:]] == [(n, "header") for n in range(4, 10)]
    assert explanation.base_string == base_string(POST, USER, **AT)
    assert "%26".join(parameter.signed for parameter in explanation.parameters) == explanation.base_string_parts[2]
    assert explanation.header == sign(POST, USER, **AT).headers["authorization"]
    assert explanation.placement == "header"
    key = explanation.key
    assert (key.consumer_secret_length, key.token_secret_length, key.length) == (17, 14, 40)
    assert key.needs_encoding == ("consumer secret", "token secret")


def test_an_application_has_no_token_secret() -> None:
    key = laid_out(POST, App("CK", "CS")).key
    assert (key.token_secret_length, key.length, key.needs_encoding, key.has_white_space) == (None, 3, (), ())


@pytest.mark.parametrize("placement", ["query", "body"])
def test_a_signature_that_stands_elsewhere_has_no_header(placement: Any) -> None:
    explanation = laid_out(POST, placement=placement)
    assert (explanation.header, explanation.placement) == (None, {"query": "query", "body": "form"}[placement])
    assert explanation.base_string == base_string(POST, USER, **AT)
    signed = sign(POST, USER, placement=placement, **AT)
    assert explain(signed, USER).matches is True


def test_how_it_signs_is_the_arguments_or_the_providers() -> None:
    signing = Signing(method="HMAC-SHA256", realm="R", version=None, body_hash=True)
    provider = Provider("P", "https://api.x.com", signing=signing)
    request = build_request("POST", "https://api.x.com/a", json={"a": 1})
    by_provider = laid_out(request, provider=provider)
    assert by_provider == laid_out(request, signing=signing)
    assert by_provider == laid_out(request, method="HMAC-SHA256", realm="R", version=None, body_hash=True)
    assert by_provider.signature_method == "HMAC-SHA256"
    assert by_provider.header is not None
    assert by_provider.header.startswith('OAuth realm="R", ')
    assert [part.what for part in by_provider.not_signed] == [
        "the body (application/json, 7 bytes)",
        "realm",
        "oauth_signature",
    ]
    assert "oauth_body_hash" in [parameter.name for parameter in by_provider.parameters]
    assert laid_out(request, provider=provider, method="HMAC-SHA1").signature_method == "HMAC-SHA1"


def test_extra_parameters_are_laid_out() -> None:
    extra = {"oauth_callback": "https://example.org/?a=b"}
    assert laid_out(POST, extra=extra).base_string == base_string(POST, USER, extra=extra, **AT)


def test_what_is_needed_and_refused() -> None:
    for missing in ({}, {"timestamp": 1}, {"nonce": "n"}):
        with pytest.raises(InvalidParameter, match="timestamp and the nonce"):
            explain(POST, USER, **missing)  # type: ignore[arg-type]
    with pytest.raises(WrongIdentity, match="not for a Bearer"):
        laid_out(POST, Bearer("b"))  # type: ignore[arg-type]
    with pytest.raises(InvalidParameter, match="not one of HMAC-SHA1"):
        laid_out(POST, method="MD5")
    with pytest.raises(TypeError, match="colour"):
        laid_out(POST, colour="red")
    with pytest.raises(InsecureTransport):
        laid_out(build_request("GET", "http://api.x.com/"), method="PLAINTEXT")


def test_another_scheme_is_laid_out_with_and_judged_without_a_nonce() -> None:
    bearer = POST.with_header("authorization", "Bearer canary")
    explanation = laid_out(bearer)
    assert explanation.matches is None
    assert explanation.header == sign(POST, USER, **AT).headers["authorization"]
    assert explanation.not_signed[-1].what == "the Authorization field that was there"
    judged = explain(bearer, USER)
    assert judged.matches is False
    assert codes(judged)[:2] == ["scheme", "signature_missing"]
    assert "Bearer" in judged.findings[0].cause
    assert (judged.header, judged.received_signature) == (None, None)
    assert "canary" not in judged.to_text() + judged.to_json()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=5)
METHODS = st.sampled_from(["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512"])
HARMLESS = st.builds(
    OAuth1User,
    st.builds(App, st.just("CK"), st.text(st.characters(codec="utf-8"), min_size=12, max_size=20)),
    st.just("12-token"),
    st.text(st.characters(codec="utf-8"), min_size=12, max_size=20),
)


@settings(max_examples=200)
@given(
    pairs=PAIRS, form=PAIRS, identity=HARMLESS | HARMLESS.map(lambda user: user.app), method=METHODS,
    version=st.sampled_from(["1.0", None]), url=st.sampled_from(["https://api.x.com/a", "http://[::1]:81/%7e", "http://h"]),
)  # fmt: skip
def test_base_string_signature_and_header_are_those_of_sign(
    pairs: Any, form: Any, identity: App | OAuth1User, method: str, version: str | None, url: str
) -> None:
    request = build_request("POST", url, params=[(f"q{name}", value) for name, value in pairs], form=form)
    arguments: dict[str, Any] = {**AT, "method": method, "version": version}
    explanation = explain(request, identity, **arguments)
    signed = sign(request, identity, **arguments)
    if MASK not in explanation.base_string:
        assert explanation.base_string == base_string(request, identity, **arguments)
        assert explanation.header == signed.headers["authorization"]
    carried = dict(read_authorization(signed.headers["authorization"]))
    assert explanation.signature == carried["oauth_signature"]
    judged = explain(signed, identity)
    assert judged.matches is True
    assert (judged.base_string, judged.parameters) == (explanation.base_string, explanation.parameters)


@settings(max_examples=100)
@given(pairs=PAIRS, form=PAIRS, placement=st.sampled_from(["AUTH_HEADER", "BODY", "QUERY"]), method=METHODS)
def test_what_oauthlib_signed_matches(pairs: Any, form: Any, placement: str, method: str) -> None:
    client = oauth1.Client(
        "consumer-key", "consumer-secret", "access-token", "access-token-secret",
        signature_method=method, signature_type=placement, timestamp="1318622958", nonce="4711",
    )  # fmt: skip
    user = OAuth1User(App("consumer-key", "consumer-secret"), "access-token", "access-token-secret")
    given_form = encode([(f"f{name}", value) for name, value in form])
    url = "https://api.x.com/a"
    if query := encode([(f"q{name}", value) for name, value in pairs]):
        url += "?" + query
    body = given_form if given_form or placement == "BODY" else None
    fields = {"Content-Type": FORM} if body is not None else {}
    url, headers, body = client.sign(url, "POST", body, fields)
    content = body.encode() if isinstance(body, str) else body or b""
    explanation = explain(Request("POST", url, headers, content), user)
    assert (explanation.matches, explanation.findings) == (True, ())


def changed(change: Callable[[str], str]) -> Request:
    request = received(signature())
    return request.with_header("authorization", change(request.headers["authorization"]))


def sent(name: str, value: str | None) -> Request:
    protocol = [(key, value if key == name and value is not None else old) for key, old in PROTOCOL]
    return received(signature(), protocol=[pair for pair in protocol if value is not None or pair[0] != name])


SEEN: list[tuple[str, Request, str, str]] = [
    ("scheme", changed(lambda text: text.removeprefix("OAuth ")), "header", "scheme is missing"),
    ("scheme", changed(lambda text: text.replace("OAuth ", "OAuth2 ")), "header", "scheme is OAuth2"),
    ("scheme", changed(lambda text: text.replace("OAuth ", "canary ")), "header", "scheme is another one"),
    ("header_malformed", changed(lambda text: text.replace('"', "")), "header", "no quotes"),
    ("header_malformed", changed(lambda text: text.replace(", ", " ")), "header", "no comma"),
    ("header_malformed", changed(lambda text: text.replace(", ", "&", 1)), "header", "`&`"),
    ("header_malformed", changed(lambda text: text.replace(", ", ",, ", 1)), "header", "several separators"),
    ("header_malformed", changed(lambda text: text.replace('"', "'")), "header", "single quotes"),
    ("header_malformed", changed(lambda text: text.replace('"', "&quot;")), "header", "`&quot;`"),
    ("header_malformed", changed(lambda text: text + ","), "header", "separates nothing"),
    ("header_malformed", changed(lambda text: text + ', canary'), "header", "not of the form"),
    ("header_malformed", changed(lambda text: text + ', "canary'), "header", "not closed"),
    ("signature_missing", changed(lambda text: text.partition(", oauth_signature=")[0]), "signature", "is no oauth_"),
    ("protocol_missing", sent("oauth_nonce", None), "parameters", "oauth_nonce is missing"),
    ("protocol_missing", sent("oauth_timestamp", None), "parameters", "oauth_timestamp is missing"),
    ("protocol_repeated", changed(lambda text: text + ', oauth_nonce="x"'), "parameters", "oauth_nonce stands"),
    ("protocol_white_space", sent("oauth_consumer_key", "consumer-key\n"), "parameters", "oauth_consumer_key begins"),
    ("protocol_characters", sent("oauth_nonce", "a b"), "parameters", "oauth_nonce holds"),
    ("consumer_key_foreign", sent("oauth_consumer_key", "canary"), "identity", "another application"),
    ("secret_as_key", sent("oauth_consumer_key", USER.app.consumer_secret), "identity", "consumer secret"),
    ("token_foreign", sent("oauth_token", "999-canary"), "identity", "another user's"),
    ("token_foreign", sent("oauth_token", "1234-canary"), "identity", "older token"),
    ("token_foreign", sent("oauth_token", "canary"), "identity", "renewed"),
    ("secret_as_token", sent("oauth_token", USER.access_token_secret), "identity", "token's secret"),
    ("method_unknown", sent("oauth_signature_method", "hmac-sha1"), "signature", "HMAC-SHA1 is written in capitals"),
    ("method_unknown", sent("oauth_signature_method", "canary"), "signature", "none that is known"),
    ("version", sent("oauth_version", "1.0a"), "parameters", "1.0"),
    ("timestamp_not_a_number", sent("oauth_timestamp", "Wed, canary"), "clock", "whole number"),
    ("timestamp_milliseconds", sent("oauth_timestamp", f"{TIMESTAMP}000"), "clock", "milliseconds"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "request_", "part", "words"), SEEN, ids=[f"{n}-{c}" for n, (c, *_) in enumerate(SEEN)]
)
def test_what_shows_without_guessing_is_said(code: str, request_: Request, part: str, words: str) -> None:
    explanation = explain(request_, USER, now=TIMESTAMP)
    assert explanation.matches is False
    finding = next(finding for finding in explanation.findings if finding.code == code)
    assert (finding.part, finding.certain) == (part, True)
    assert words in finding.cause
    assert not any("canary" in text for finding in explanation.findings for text in (finding.cause, finding.advice))


def test_a_foreign_key_is_reason_enough() -> None:
    request = sent("oauth_consumer_key", "other")
    request = received(
        signature(consumer_secret="of the other"), protocol=[("oauth_consumer_key", "other"), *PROTOCOL[1:]]
    )
    assert codes(explain(request, USER)) == ["consumer_key_foreign"]


def test_a_signature_of_the_right_secrets_for_another_key_is_not_this_identitys() -> None:
    protocol = [("oauth_consumer_key", "other"), *PROTOCOL[1:]]
    explanation = explain(received(signature(protocol=protocol), protocol=protocol), USER)
    assert (explanation.matches, codes(explanation)) == (False, ["consumer_key_foreign"])
    assert "secrets make" in explanation.right[0]


def test_a_token_with_the_application_alone() -> None:
    explanation = explain(received(signature()), USER.app)
    assert codes(explanation)[0] == "token_unexpected"
    assert explanation.matches is False


def test_the_applications_own_signature_is_right_and_no_users() -> None:
    signed = sign(POST, USER.app, **AT)
    assert (explain(signed, USER.app).matches, codes(explain(signed, USER.app))) == (True, [])
    by_user = explain(signed, USER)
    assert (by_user.matches, codes(by_user)) == (True, ["token_missing"])
    assert by_user.findings[0].certain is False


def test_two_authorization_fields() -> None:
    request = received(signature())
    twice = Request("POST", request.url, [*request.headers, ("authorization", "Bearer b")], request.body)
    explanation = explain(twice, USER)
    assert "2 Authorization fields" in explanation.findings[0].cause


@pytest.mark.parametrize(
    ("now", "words"), [(TIMESTAMP + 900.5, "900 seconds before"), (TIMESTAMP - 301, "301 seconds after")]
)
def test_a_timestamp_far_from_now_is_said_and_the_signature_is_still_right(now: float, words: str) -> None:
    explanation = explain(received(signature()), USER, now=now)
    assert (explanation.matches, codes(explanation)) == (True, ["timestamp_far"])
    assert words in explanation.findings[0].cause
    assert not any("five minutes" in line for line in explanation.right)
    assert codes(explain(received(signature()), USER)) == []


def test_white_space_around_a_right_signature() -> None:
    explanation = explain(received(signature() + "\n"), USER)
    assert (explanation.matches, codes(explanation), explanation.tried) == (False, ["signature_white_space"], 0)


def test_an_unencoded_equals_sign_is_a_remark() -> None:
    request = changed(lambda text: text.replace("%3D", "="))
    explanation = explain(request, USER)
    assert (explanation.matches, codes(explanation)) == (True, ["protocol_unencoded"])


def test_plaintext_is_judged_and_never_shown() -> None:
    signed = sign(POST, USER, method="PLAINTEXT", **AT)
    explanation = explain(signed, USER)
    assert (explanation.matches, explanation.signature, explanation.received_signature) == (True, MASK, MASK)
    assert explanation.header is not None
    assert f'oauth_signature="{MASK}"' in explanation.header
    bare = re.sub(r'oauth_(nonce|timestamp)="\w+", ', "", signed.headers["authorization"])
    assert explain(POST.with_header("authorization", bare), USER).matches is True


def test_a_plaintext_signature_of_other_secrets_is_not_shown_either() -> None:
    explanation = wrongly(f'OAuth oauth_signature_method="PLAINTEXT", oauth_signature="{"A" * 28}"')
    assert (explanation.matches, explanation.received_signature, explanation.signature) == (False, MASK, MASK)


def test_bytes_that_are_not_utf_8_are_signed_as_they_are_and_shown_as_they_can_be() -> None:
    request = Request("POST", "https://api.x.com/a?b=%ff", {"content-type": FORM}, b"c=\xe9&d=%e9")
    explanation = laid_out(request)
    assert explanation.base_string == base_string(request, USER, **AT)
    assert [p.value for p in explanation.parameters][:3] == ["\ufffd"] * 3
    assert explain(sign(request, USER, **AT), USER).matches is True
    explanation.to_json().encode()
    explanation.to_html().encode()


def test_a_form_without_its_content_type_is_said() -> None:
    explanation = laid_out(Request("POST", "https://api.x.com/a", {}, b"a=b"))
    assert explanation.not_signed[0].what == "the body (no content type, 3 bytes)"


CANARIES = {
    "consumer": "canary-consumer/secret",
    "token": "canary-token=secret",
    "bearer": "canary-bearer",
    "password": "canary-password +",
    "verifier": "canary-verifier",
    "secret": "canary-in-a-parameter",
}
HOLDER = OAuth1User(App("CK", CANARIES["consumer"], CANARIES["bearer"]), "12-token", CANARIES["token"])
SECRETIVE = build_request(
    "POST",
    f"https://api.x.com/a/{CANARIES['bearer']}",
    params={"oauth_verifier": CANARIES["verifier"], "client_secret": CANARIES["secret"], "q": CANARIES["consumer"]},
    form={
        "x_auth_password": CANARIES["password"],
        CANARIES["token"]: "a",
        "note": f"my secret is {CANARIES['token']}, ok",
        "code": CANARIES["secret"],
    },
    headers={"cookie": CANARIES["secret"], "content-type": FORM},
)


def wrongly(header: str) -> Explanation:
    return explain(SECRETIVE.with_header("authorization", header), HOLDER, now=1)


KEY = f"{CANARIES['consumer']}&{CANARIES['token']}"
SHOWN: list[Callable[[], Explanation]] = [
    lambda: laid_out(SECRETIVE, HOLDER),
    lambda: laid_out(SECRETIVE, HOLDER, method="PLAINTEXT"),
    lambda: laid_out(SECRETIVE, HOLDER, placement="body", method="PLAINTEXT"),
    lambda: laid_out(SECRETIVE, HOLDER, realm=CANARIES["consumer"]),
    lambda: laid_out(SECRETIVE, HOLDER, extra={"oauth_verifier2": CANARIES["verifier"]}),
    lambda: laid_out(Request("POST", "https://a.example", {"content-type": CANARIES["token"]}, b"{}"), HOLDER),
    lambda: explain(sign(SECRETIVE, HOLDER, **AT), HOLDER),
    lambda: explain(sign(SECRETIVE, HOLDER, **AT), OAuth1User(HOLDER.app, "13-token", CANARIES["token"])),
    lambda: wrongly(f'OAuth oauth_consumer_key="{CANARIES["consumer"]}", oauth_signature="{KEY}"'),
    lambda: wrongly(f'OAuth oauth_token="{CANARIES["token"]}", oauth_signature="{CANARIES["secret"]}"'),
    lambda: wrongly(f'OAuth oauth_nonce="a", oauth_signature="{CANARIES["secret"]} {CANARIES["secret"]}"'),
    lambda: wrongly(f'OAuth oauth_nonce={CANARIES["consumer"]} {CANARIES["consumer"]}="x"'),
    lambda: wrongly(f'OAuth oauth_timestamp="{CANARIES["token"]}"'),
    lambda: wrongly(f"{CANARIES['secret']}"),
    lambda: wrongly(f"Bearer {CANARIES['bearer']}"),
    lambda: wrongly(f"OAuth {CANARIES['bearer']}"),
]  # fmt: skip


@pytest.mark.parametrize("explained", SHOWN)
def test_no_secret_is_in_any_output(explained: Callable[[], Explanation]) -> None:
    explanation = explained()
    for output in (
        explanation.to_text(),
        explanation.to_text(color=True),
        explanation.to_json(),
        explanation.to_html(),
    ):
        assert "canary" not in output
        assert "***" in output
    assert "canary" not in repr(explanation)


def test_a_short_secret_is_masked_where_it_stands_alone() -> None:
    user = OAuth1User(App("CK", "CS"), "T", "TS")
    request = build_request("GET", "https://api.x.com/CS", params={"a": "CS", "b": "CSS", "c": "TS"})
    values = {p.name: p.value for p in laid_out(request, user).parameters}
    assert (values["a"], values["b"], values["c"]) == (MASK, "CSS", MASK)


def test_a_value_that_looks_like_the_mask_is_no_mask() -> None:
    explanation = laid_out(build_request("GET", "https://api.x.com/", params={"a": "***"}))
    assert explanation.parameters[0].encoded_value == "%2A%2A%2A"


@settings(max_examples=60)
@given(
    header=st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
    | st.text('OAuth oauth_=",&;\\\' %2B"', max_size=80)
    | st.text('=",', max_size=20).map(lambda text: f"OAuth oauth_signature=a{text}"),
    body=st.binary(max_size=30),
    kind=st.sampled_from([FORM, JSON, "multipart/form-data; boundary=a", ""]),
    query=st.text("ab=&%2f+;é", max_size=20),
)
def test_no_request_crashes_it(header: str, body: bytes, kind: str, query: str) -> None:
    fields = {"content-type": kind}
    try:
        fields["authorization"] = header
        request = Request("POST", f"https://api.x.com/?{query}", fields, body)
    except SansauthError:
        return
    explanation = explain(request, App("CK", "CS"), now=1)
    assert explanation.matches in {True, False}
    json.loads(explanation.to_json())
    explanation.to_text()
    explanation.to_html()


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        ('OAuth realm="a\\"b", oauth_token="a%20b"', [("realm", 'a"b'), ("oauth_token", "a b")]),
        ("Authorization: OAuth oauth_token=a", [("oauth_token", "a")]),
        ("oauth_token=a&oauth_nonce=b", [("oauth_token", "a"), ("oauth_nonce", "b")]),
        ("oauth oauth_token = 'a+b'", [("oauth_token", "a+b")]),
    ],
)
def test_a_header_is_read_although_it_is_wrong(value: str, pairs: list[tuple[str, str]]) -> None:
    assert read_authorization(value) == pairs


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "scheme is another one"),
        ("OAuth", "no parameter"),
        ("Bearer canary", "scheme is Bearer"),
        ("canary", "scheme is another one"),
        ("OAuth canary", "what follows the scheme is not of the form"),
        ('OAuth "', "not closed"),
    ],
)
def test_a_header_of_which_nothing_can_be_read_is_refused(value: str, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said) as caught:
        read_authorization(value)
    assert "canary" not in str(caught.value)


@given(st.text(max_size=80) | st.text('OAuth oauth_=",&;\\\' %2B"', max_size=80))
def test_reading_a_header_fails_in_one_way_only(value: str) -> None:
    with contextlib.suppress(InvalidParameter):
        assert read_authorization(value)


def test_the_naive_signer_is_judged_by_what_it_sent() -> None:
    assert explain(naive.received(naive.signature()), USER).matches is True
