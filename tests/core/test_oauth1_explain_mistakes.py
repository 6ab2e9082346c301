"""`explain` finds the planted mistake: each is made by a naive signer that shares no code with sansauth."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote as percent

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sansauth import App, OAuth1User, Provider, Request, build_request
from sansauth.oauth1 import Explanation, Finding, body_hash, explain, sign
from sansauth.oauth1.explaining.diagnosis import MISTAKES, TRIES
from sansauth.x import X

from . import naive_signer as naive
from .naive_signer import (
    APP,
    FORM,
    PROTOCOL,
    TIMESTAMP,
    URL,
    USER,
    joined_key,
    received,
    rfc3986,
    signature,
    standard,
)


def certain(explanation: Explanation) -> set[str]:
    return {finding.code for finding in explanation.findings if finding.certain}


def only(explanation: Explanation) -> Finding:
    (finding,) = explanation.findings
    return finding


def plus(text: str) -> str:
    return rfc3986(text).replace("%20", "+")


def lower(text: str) -> str:
    return "".join(part.lower() if part[0] == "%" else part for part in _pieces(rfc3986(text)))


def _pieces(encoded: str) -> list[str]:
    pieces, at = [], 0
    while at < len(encoded):
        size = 3 if encoded[at] == "%" else 1
        pieces.append(encoded[at : at + size])
        at += size
    return pieces


def javascript(text: str) -> str:
    return percent(text, safe="!*'()")


def mojibake(text: str) -> str:
    return rfc3986(text.encode().decode("latin-1"))


def without(pairs: naive.Pairs, name: str) -> naive.Pairs:
    return [pair for pair in pairs if pair[0] != name]


def altered(pairs: naive.Pairs, name: str, value: str) -> naive.Pairs:
    return [(key, value if key == name else old) for key, old in pairs]


HASH = ("oauth_body_hash", body_hash(received("").body))
SECRETS = (APP.consumer_secret, USER.access_token_secret)

# The mistake's code, a word of its cause, and what the signer does otherwise.
PLANTED: list[tuple[str, str, dict[str, Any]]] = [
    ("host", "api.twitter.com", {"uri": URL.replace("api.x.com", "api.twitter.com")}),
    ("scheme", "http://", {"uri": URL.replace("https", "http")}),
    ("port", "with the port 443", {"uri": URL.replace("api.x.com", "api.x.com:443")}),
    ("path_slash", "with a slash", {"uri": URL + "/"}),
    ("query_in_uri", "base URI", {"uri": URL + "?include_entities=true&q=a%20b~"}),
    ("query_in_uri", "base URI", {"uri": URL + "?include_entities=true&q=a%20b~", "query": []}),
    ("method_case", "`post`", {"method": "post"}),
    ("method_case", "`Post`", {"method": "Post"}),
    ("method_other", "GET", {"method": "GET"}),
    ("query_left_out", "query", {"query": []}),
    ("form_left_out", "form", {"form": []}),
    ("parameter_left_out", "parameter status", {"form": without(FORM, "status")}),
    ("protocol_left_out", "oauth_version", {"protocol": without(PROTOCOL, "oauth_version")}),
    ("protocol_left_out", "oauth_token", {"protocol": without(PROTOCOL, "oauth_token")}),
    ("protocol_added", 'oauth_signature=""', {"protocol": [*PROTOCOL, ("oauth_signature", "")]}),
    ("clock_read_twice", "later", {"protocol": altered(PROTOCOL, "oauth_timestamp", str(TIMESTAMP + 1))}),
    ("body_hash_signed", "oauth_body_hash", {"protocol": [*PROTOCOL, HASH]}),
    ("repeated_collapsed", "the last value", {"form": [FORM[0], *FORM[2:]]}),
    ("repeated_collapsed", "the first value", {"form": [*FORM[:2], FORM[3]]}),
    ("repeated_collapsed", "joined", {"form": [FORM[0], ("tag", "z/2,a/1"), FORM[3]]}),
    ("empty_left_out", "empty", {"form": FORM[:3]}),
    ("plus_for_space", "form's and the query's", {"inner": plus}),
    ("plus_for_space", "the query's", {"inner_query": plus}),
    ("plus_for_space", "the form's", {"form": altered(FORM, "status", "Hello+++(é)!")}),
    ("plus_for_space", "plus sign", {"form": altered(FORM, "status", "Hello   (é)!")}),
    ("encoded_twice", "form's and the query's", {"inner": lambda text: rfc3986(rfc3986(text))}),
    ("encoded_twice", "the query's", {"inner_query": lambda text: rfc3986(rfc3986(text))}),
    ("encoded_twice", "joined", {"outer": lambda text: rfc3986(rfc3986(text)), "outer_uri": rfc3986}),
    ("not_encoded", "form's and the query's", {"inner": lambda text: text}),
    ("not_encoded", "third part", {"outer": lambda text: text, "outer_uri": rfc3986}),
    ("not_encoded", "the base URI", {"outer_uri": lambda text: text}),
    ("not_encoded", "the parts", {"outer": lambda text: text}),
    ("lower_hex", "form's and the query's", {"inner": lower}),
    ("lower_hex", "the parts", {"outer": lower}),
    ("lower_hex", "everything", {"inner": lower, "outer": lower}),
    ("tilde_encoded", "the query's", {"inner": lambda text: rfc3986(text).replace("~", "%7E")}),
    ("marks_unencoded", "the form's", {"inner": javascript}),
    ("marks_unencoded", "everything", {"inner": javascript, "outer": javascript}),
    ("slash_unencoded", "the form's", {"inner": percent}),
    ("slash_unencoded", "the parts", {"outer": percent}),
    ("slash_unencoded", "everything", {"inner": percent, "outer": percent}),
    ("charset", "UTF-8", {"inner": lambda text: percent(text, safe="", encoding="latin-1")}),
    ("charset", "UTF-8", {"inner": mojibake}),
    ("not_sorted", "header's first", {"order": lambda pairs: pairs}),
    ("not_sorted", "oauth_ parameters before", {"order": lambda pairs: sorted(pairs[:6]) + sorted(pairs[6:])}),
    ("not_sorted", "oauth_ parameters after", {"order": lambda pairs: sorted(pairs[6:]) + sorted(pairs[:6])}),
    ("not_sorted", "name alone", {"order": lambda pairs: sorted(pairs, key=lambda pair: pair[0])}),
    ("token_secret_missing", "token secret", {"token_secret": ""}),
    ("consumer_secret_missing", "consumer secret", {"consumer_secret": ""}),
    ("ampersand_missing", "&", {"key": lambda one, two: rfc3986(one) + rfc3986(two)}),
    ("secrets_swapped", "order", {"consumer_secret": SECRETS[1], "token_secret": SECRETS[0]}),
    ("secrets_unencoded", "without being", {"key": lambda one, two: f"{one}&{two}"}),
    ("secrets_encoded_twice", "twice", {"key": lambda one, two: f"{rfc3986(rfc3986(one))}&{rfc3986(rfc3986(two))}"}),
    ("secrets_encoded_twice", "twice", {"key": lambda one, two: rfc3986(joined_key(one, two))}),
    ("secret_whitespace", "the consumer secret with a line break", {"consumer_secret": SECRETS[0] + "\n"}),
    ("secret_whitespace", "the token secret with a space before", {"token_secret": " " + SECRETS[1]}),
    ("secret_whitespace", "both secrets with", {"key": lambda one, two: joined_key(one + "\n", two + "\n")}),
    ("secret_whitespace", "quotation marks", {"consumer_secret": f'"{SECRETS[0]}"'}),
    ("key_for_secret", "consumer key for", {"consumer_secret": APP.consumer_key}),
    ("key_for_secret", "token for", {"token_secret": USER.access_token}),
    ("signature_method", "made with HMAC-SHA256", {"digest": "sha256"}),
    ("signature_method", "made with HMAC-SHA512", {"digest": "sha512"}),
    ("signature_hex", "hexadecimal", {"output": bytes.hex}),
    ("signature_hex", "Base64 of", {"output": lambda digest: standard(digest.hex().encode())}),
    ("signature_base64", "without =", {"output": lambda digest: standard(digest).rstrip("=")}),
    ("signature_encoding", "percent-encoded twice", {"output": lambda digest: rfc3986(standard(digest))}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "words", "knobs"), PLANTED, ids=lambda value: value if isinstance(value, str) else "")
def test_each_planted_mistake_is_found_and_named(code: str, words: str, knobs: dict[str, Any]) -> None:
    explanation = explain(received(signature(**knobs)), USER, provider=X, now=TIMESTAMP)
    assert explanation.matches is False
    finding = only(explanation)
    assert (finding.code, finding.certain) == (code, True)
    assert words in finding.cause
    assert finding.advice
    assert explanation.signature == signature()


def test_the_naive_signer_is_right_without_a_mistake() -> None:
    explanation = explain(received(signature()), USER, provider=X, now=TIMESTAMP)
    assert (explanation.matches, explanation.findings, explanation.tried) == (True, (), 0)
    assert explanation.right[0] == "The signature is the one that the identity's secrets make."


def knobs_of(code: str) -> dict[str, Any]:
    return next(knobs for name, _, knobs in PLANTED if name == code)


PAIRS = [
    ("host", "token_secret_missing"),
    ("host", "plus_for_space"),
    ("scheme", "lower_hex"),
    ("port", "secret_whitespace"),
    ("method_case", "not_sorted"),
    ("method_other", "form_left_out"),
    ("query_left_out", "signature_hex"),
    ("query_in_uri", "not_encoded"),
    ("protocol_left_out", "secrets_swapped"),
    ("encoded_twice", "ampersand_missing"),
    ("repeated_collapsed", "consumer_secret_missing"),
    ("path_slash", "signature_method"),
    ("slash_unencoded", "secrets_unencoded"),
    ("form_left_out", "signature_encoding"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_mistakes_at_once_are_both_found(first: str, second: str) -> None:
    knobs = {**knobs_of(first), **knobs_of(second)}
    explanation = explain(received(signature(**knobs)), USER, provider=X, now=TIMESTAMP)
    assert certain(explanation) == {first, second}
    assert explanation.verdict == "The signature is wrong, for more than one reason."


def test_php_encodes_as_two_mistakes_at_once() -> None:
    """Its urlencode writes a space as + and a tilde as %7E: encodings are data, so two of them add up."""

    def urlencode(text: str) -> str:
        return plus(text).replace("~", "%7E")

    explanation = explain(received(signature(inner=urlencode)), USER)
    assert certain(explanation) == {"plus_for_space", "tilde_encoded"}


def test_a_port_of_its_own_that_was_dropped() -> None:
    url = URL.replace("api.x.com", "api.x.com:8443")
    finding = only(explain(received(signature(uri=URL), url=url), USER))
    assert (finding.code, "without the port 8443" in finding.cause) == ("port", True)


def test_a_host_that_only_the_request_names() -> None:
    signed = received(signature(uri=URL.replace("api.x.com", "api.example")))
    for name in ("host", "x-forwarded-host"):
        finding = only(explain(signed.with_header(name, "api.example"), USER))
        assert (finding.code, "api.example" in finding.cause) == ("host", True)
    odd = signed.with_header("host", "not a host")
    assert only(explain(odd, USER)).code == "secrets"


def test_another_host_with_a_port_and_a_scheme_of_its_own() -> None:
    provider = Provider("Local", "http://127.0.0.1:8080")
    signed = received(signature(uri=URL.replace("https://api.x.com", "http://127.0.0.1:8080")))
    finding = only(explain(signed, USER, provider=provider))
    assert (finding.code, "127.0.0.1:8080" in finding.cause) == ("host", True)


@pytest.mark.parametrize(
    ("path", "signed", "words"),
    [
        ("/a%20b", "/a b", "decoded"),
        ("/a%20b", "/a%2520b", "encoded again"),
        ("/a,b", "/a%2Cb", "encoded in another way"),
        ("/a/", "/a", "without the slash"),
        ("/", "", "without the slash"),
    ],
)
def test_a_path_that_was_signed_in_another_form(path: str, signed: str, words: str) -> None:
    origin = "https://api.x.com"
    finding = only(explain(received(signature(uri=origin + signed), url=origin + path), USER))
    assert words in finding.cause


@pytest.mark.parametrize(
    ("written", "signed", "code"),
    [
        ("https://API.x.com/a", "https://API.x.com/a", "host_case"),
        ("https://api.x.com/a#top", "https://api.x.com/a#top", "fragment"),
        ("https://api.x.com/a|b", "https://api.x.com/a|b", "path_encoding"),
        ("not a URL", "https://api.x.com/else", "secrets"),
        ("https://other.example/a", "https://api.x.com/else", "secrets"),
    ],
)
def test_what_a_request_drops_is_known_from_the_url_as_it_was_written(written: str, signed: str, code: str) -> None:
    url = "https://api.x.com/a%7Cb" if "|" in written else "https://api.x.com/a"
    explanation = explain(received(signature(uri=signed), url=url), USER, url=written)
    assert only(explanation).code == code
    assert ("the URL's fragment" in {part.what for part in explanation.not_signed}) == ("#" in written)


def in_body(body: bytes, content_type: str | None, pairs: naive.Pairs) -> Request:
    signed = signature(form=pairs, query=[])
    fields = {"authorization": naive.header(signed), **({"content-type": content_type} if content_type else {})}
    return Request("POST", URL, fields, body)


MULTIPART = (
    b"--b1\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\nHi there\r\n"
    b"--b1\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a\"\r\n\r\n\x00\x01\r\n--b1--\r\n"
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "content_type", "pairs", "words"),
    [
        (
            b'{"text":"Hi there","n":[1]}',
            "application/json",
            [("text", "Hi there"), ("n", "[1]")],
            "members of the JSON",
        ),
        (b'{"text":"Hi"}', "application/json", [('{"text":"Hi"}', "")], "its text)"),
        (b'["text"]', "application/json", [('["text"]', "")], "its text)"),
        (b"status=Hi+there", None, [("status", "Hi there")], "read as a form"),
        (b"<status>", "text/xml", [("<status>", "")], "its text)"),
        (MULTIPART, 'multipart/form-data; boundary="b1"', [("status", "Hi there")], "fields of its parts"),
    ],
)
def test_a_body_that_is_no_form_and_was_signed_as_one(
    body: bytes, content_type: str | None, pairs: naive.Pairs, words: str
) -> None:
    explanation = explain(in_body(body, content_type, pairs), USER)
    finding = only(explanation)
    assert (finding.code, words in finding.cause) == ("body_signed", True)
    (what,) = (part.what for part in explanation.not_signed if "body" in part.what)
    assert f"{len(body)} bytes" in what


def test_half_a_surrogate_pair_in_json_is_no_crash() -> None:
    request = in_body(b'{"text":"\\ud800"}', "application/json", [("text", "?")])
    assert only(explain(request, USER)).code == "body_signed"


def test_a_realm_that_was_signed() -> None:
    signed = signature(protocol=[*PROTOCOL, ("realm", "Photos")])
    explanation = explain(received(signed, before='realm="Photos", '), USER)
    assert (only(explanation).code, "realm was signed" in only(explanation).cause) == ("protocol_added", True)
    assert "realm" in {part.what for part in explanation.not_signed}


def test_a_version_that_was_signed_and_not_sent() -> None:
    sent = without(PROTOCOL, "oauth_version")
    finding = only(explain(received(signature(), protocol=sent), USER))
    assert (finding.code, "oauth_version" in finding.cause) == ("protocol_added", True)


def test_a_callback_that_was_not_signed() -> None:
    sent = [*PROTOCOL, ("oauth_callback", "https://example.org/back")]
    finding = only(explain(received(signature(), protocol=sent), USER))
    assert (finding.code, "oauth_callback" in finding.cause) == ("protocol_left_out", True)


def test_a_body_hash_that_was_sent_is_not_tried_as_one_that_was_not() -> None:
    sent = [*PROTOCOL, ("oauth_body_hash", "other")]
    finding = only(explain(received(signature(), protocol=sent), USER))
    assert (finding.code, "oauth_body_hash" in finding.cause) == ("protocol_left_out", True)
    unknown = received(signature(protocol=sent, consumer_secret="regenerated"), protocol=sent)
    assert only(explain(unknown, USER)).code == "secrets"


def test_a_token_secret_without_a_token() -> None:
    sent = without(PROTOCOL, "oauth_token")
    explanation = explain(received(signature(protocol=sent), protocol=sent), USER)
    assert [finding.code for finding in explanation.findings] == ["token_not_sent", "token_missing"]


def test_a_stripped_secret() -> None:
    user = OAuth1User(App(APP.consumer_key, SECRETS[0] + "\n"), USER.access_token, SECRETS[1] + " ")
    explanation = explain(received(signature()), user)
    assert [finding.code for finding in explanation.findings] == ["secret_whitespace", *["secret_white_space"] * 2]
    assert "both secrets without" in explanation.findings[0].cause
    one = OAuth1User(App(APP.consumer_key, SECRETS[0] + "\n"), USER.access_token, SECRETS[1])
    assert "the consumer secret without" in explain(received(signature()), one).findings[0].cause


def test_the_declared_method_differs_from_the_used_one_in_every_way() -> None:
    declared = [(name, "HMAC-SHA256" if name == "oauth_signature_method" else value) for name, value in PROTOCOL]
    made = explain(received(signature(), protocol=declared), USER)
    assert "made as HMAC-SHA1" in only(made).cause
    named = explain(received(signature(digest="sha256"), protocol=declared), USER)
    assert "base string that says HMAC-SHA1" in only(named).cause
    plain = explain(received(joined_key(*SECRETS)), USER)
    assert "made with PLAINTEXT" in only(plain).cause
    assert not any(secret in plain.to_text() for secret in SECRETS)


def test_base64_of_the_web() -> None:
    for nonce in map(str, range(100)):
        sent = [(name, nonce if name == "oauth_nonce" else value) for name, value in PROTOCOL]
        right = signature(protocol=sent)
        if "+" in right:
            break
    web = right.replace("+", "-").replace("/", "_")
    assert "with - and _" in only(explain(received(web, protocol=sent), USER)).cause
    bare = explain(received(web.rstrip("="), protocol=sent), USER)
    assert "with - and _ and without =" in only(bare).cause
    spaced = explain(received(right.replace("+", " "), protocol=sent), USER)
    assert (only(spaced).code, "became a space" in only(spaced).cause) == ("signature_encoding", True)
    raw = received(right, protocol=sent)
    raw = raw.with_header("authorization", raw.headers["authorization"].replace(rfc3986(right), right))
    explanation = explain(raw, USER)
    assert (explanation.matches, only(explanation).code) == (False, "signature_encoding")
    slashed = explanation.right[0]
    assert slashed == "The signature is the one that the identity's secrets make."


def test_what_no_mistake_explains_is_laid_to_the_secrets_and_says_what_is_right() -> None:
    other = signature(consumer_secret="regenerated")
    explanation = explain(received(other), USER, now=TIMESTAMP)
    assert (explanation.matches, certain(explanation)) == (False, set())
    finding = only(explanation)
    assert (finding.code, finding.part, finding.certain) == ("secrets", "key", False)
    assert str(explanation.tried) in finding.cause
    assert "provider" in finding.advice
    assert "provider" not in only(explain(received(other), USER, provider=X)).advice
    for words in ("well formed", "consumer key is the identity's", "token is the identity's", "five minutes of now"):
        assert any(words in line for line in explanation.right)


def test_a_signature_of_another_length_than_its_method_gives() -> None:
    other = signature(consumer_secret="regenerated", digest="sha512")
    explanation = explain(received(other), USER)
    assert [finding.code for finding in explanation.findings] == ["signature_length", "secrets"]
    assert "SHA-512" in explanation.findings[0].cause


def test_the_search_is_bounded_and_says_so() -> None:
    wrong = signature(consumer_secret="regenerated")
    explanation = explain(received(wrong), USER, provider=X)
    assert 1_000 < explanation.tried <= TRIES
    assert "not all" not in only(explanation).cause
    large = [("text", "é" * 100_000)]
    explanation = explain(received(wrong, form=large), USER, provider=X)
    assert 10 < explanation.tried < 60
    assert "not all that there are, because the request is large" in only(explanation).cause


def test_the_search_gives_the_same_answer_each_time() -> None:
    request = received(signature(**knobs_of("host"), **knobs_of("not_sorted")))
    assert explain(request, USER, provider=X) == explain(request, USER, provider=X)


def test_every_mistake_of_the_table_is_planted_in_some_test() -> None:
    elsewhere = {"host_case", "path_encoding", "fragment", "body_signed", "token_not_sent", "signature_base64"}
    assert {mistake.code for mistake in MISTAKES} == {code for code, _, _ in PLANTED} | elsewhere
    assert all(mistake.cause.endswith(".") and mistake.advice.endswith(".") for mistake in MISTAKES)


def rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def test_rsa_signatures_are_explained_too() -> None:
    user = OAuth1User(App("CK", "", rsa_private_key=rsa_key()), "token", "")
    request = build_request("GET", "https://api.x.com/a", params={"b": "c d"})
    signed = sign(request, user, timestamp=1, nonce="n", method="RSA-SHA256")
    explanation = explain(signed, user)
    assert (explanation.matches, explanation.key.kind) == (True, "RSA private key")
    elsewhere = build_request("GET", "https://api.twitter.com/a", params={"b": "c d"})
    elsewhere = sign(elsewhere, user, timestamp=1, nonce="n", method="RSA-SHA256")
    moved = request.with_header("authorization", elsewhere.headers["authorization"])
    assert only(explain(moved, user, provider=X)).code == "host"
    other = signed.with_header("authorization", signed.headers["authorization"].replace("RSA-SHA256", "RSA-SHA1"))
    assert only(explain(other, user)).code == "signature_method"
    nobody = OAuth1User(App("CK", "secret"), "token", "")
    assert explain(signed, nobody).findings[0].code == "rsa_key_missing"
    stranger = OAuth1User(App("CK", "", rsa_private_key=rsa_key()), "token", "")
    explanation = explain(signed, stranger)
    assert (explanation.matches, "not all" in only(explanation).cause) == (False, True)


def test_hmac_declared_by_one_who_has_a_private_key() -> None:
    user = OAuth1User(App("CK", "secret", rsa_private_key=rsa_key()), "token", "two")
    request = build_request("GET", "https://api.x.com/a")
    signed = sign(request, user, timestamp=1, nonce="n", method="RSA-SHA1")
    other = signed.with_header("authorization", signed.headers["authorization"].replace("RSA-SHA1", "HMAC-SHA1"))
    assert "RSA-SHA1" in only(explain(other, user)).cause
