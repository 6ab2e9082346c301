"""Verification: what `sign` makes is accepted, what was changed is refused, and no request makes it fail otherwise."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Literal

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from sansauth.encoding import encode, quote
from sansauth.errors import InvalidParameter, InvalidSignature, LocalProtocolError
from sansauth.http import FORM, Request
from sansauth.identity import App, OAuth1User
from sansauth.oauth1 import body_hash, sign
from sansauth.oauth1.received import CHARACTERS, PARAMETERS, SignedRequest, read_signed
from sansauth.oauth1.verification import METHODS, Fault, Nonce, Secrets, Verified, check, verify
from sansauth.secret import Secret

from .support import assert_linear, frames_of_ours

NOW = 1_700_000_000
URL = "https://api.example.com/1/photos"
CONSUMER, CONSUMER_SECRET, TOKEN, TOKEN_SECRET = "the key", "consumer & secret", "the token", "token = secret"
USER = OAuth1User(App(CONSUMER, CONSUMER_SECRET), TOKEN, TOKEN_SECRET)
ALL_METHODS = (*METHODS, "PLAINTEXT")
PLACEMENTS: tuple[Literal["header", "query", "body"], ...] = ("header", "query", "body")


@dataclass
class Service:
    """One that receives signed calls: what it knows, and which nonces it has seen."""

    secrets: Secrets = field(default_factory=lambda: Secrets(CONSUMER_SECRET, TOKEN_SECRET))
    seen: list[Nonce] = field(default_factory=list[Nonce])

    def find_secrets(self, consumer_key: str, token: str | None) -> Secrets | None:
        return self.secrets if consumer_key == CONSUMER and token in {None, TOKEN} else None

    def seen_nonce(self, nonce: Nonce) -> bool:
        before = nonce in self.seen
        self.seen.append(nonce)
        return before

    def verify(
        self, request: Request, now: float = NOW, tolerance: float = 300.0, methods: tuple[str, ...] = METHODS
    ) -> Verified:
        return verify(request, self.find_secrets, self.seen_nonce, now, tolerance=tolerance, methods=methods)

    def fault(
        self, request: Request, now: float = NOW, tolerance: float = 300.0, methods: tuple[str, ...] = METHODS
    ) -> Fault | None:
        """Why the request is refused; a refused one uses up nothing, but for a nonce."""
        with pytest.raises(InvalidSignature) as refused:
            self.verify(request, now, tolerance, methods)
        assert refused.value.fault is not None
        assert (self.seen == []) is (refused.value.fault is not Fault.NONCE)
        return refused.value.fault


@pytest.fixture
def service() -> Service:
    return Service()


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # short, because many are signed


@cache
def private_pem() -> str:
    form = serialization.PrivateFormat.PKCS8
    return private_key().private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def public_pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | None = None) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return (key or private_key().public_key()).public_bytes(serialization.Encoding.PEM, form).decode()


def signed(request: Request | None = None, *, by: App | OAuth1User = USER, nonce: str = "n", **extra: str) -> Request:
    return sign(request or Request("GET", URL), by, timestamp=NOW, nonce=nonce, extra=extra)


def form(body: str | bytes, method: str = "POST", url: str = URL) -> Request:
    return Request(method, url, {"content-type": FORM}, body.encode() if isinstance(body, str) else body)


def with_header(change: Callable[[str], str], request: Request | None = None) -> Request:
    request = request or signed()
    return request.with_header("authorization", change(request.headers["authorization"]))


# --- what is accepted ------------------------------------------------------------------------------------------------


def test_who_signed_and_when(service: Service) -> None:
    request = signed(Request("GET", URL + "?a=b"), oauth_callback="http://127.0.0.1/?a=%20b", oauth_verifier="v + 1")
    verified = service.verify(request)
    extra = {"oauth_callback": "http://127.0.0.1/?a=%20b", "oauth_verifier": "v + 1"}
    assert verified == Verified(CONSUMER, TOKEN, "HMAC-SHA1", NOW, "n", extra)
    assert service.seen == [Nonce(CONSUMER, TOKEN, NOW, "n")]


def test_a_consumer_signs_alone_with_or_without_an_empty_token(service: Service) -> None:
    service.secrets = Secrets(CONSUMER_SECRET)
    assert service.verify(signed(by=USER.app)).token is None
    assert service.verify(signed(by=USER.app, nonce="m", oauth_token="")).token is None
    assert service.seen == [Nonce(CONSUMER, None, NOW, "n"), Nonce(CONSUMER, None, NOW, "m")]


# Names that begin with oauth_ are reserved to the protocol (RFC 5849 section 3.1).
names = st.text().filter(lambda name: not name.startswith("oauth_"))
parameters = st.lists(st.tuples(names | st.just("realm"), st.text()), max_size=4)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Request, str, Literal["header", "query", "body"]]:
    """A request with query and form, and a way to sign it."""
    method = draw(st.sampled_from(METHODS))
    placement = draw(st.sampled_from(PLACEMENTS))
    path = "/".join(map(quote, draw(st.lists(st.text(), max_size=3))))
    url = f"{draw(st.sampled_from(('https://api.example.com', 'http://[::1]:8080', 'http://127.0.0.1')))}/a/{path}"
    query = encode(draw(parameters))
    verb = draw(st.sampled_from(("POST", "PUT", "DELETE")))
    request = Request(verb, f"{url}?{query}", {"content-type": FORM}, encode(draw(parameters)).encode())
    return request, method, placement


@settings(max_examples=300)
@given(calls(), st.text(min_size=1), st.text(min_size=1), st.text(), st.text(min_size=1), st.booleans())
def test_whatever_sign_makes_verify_accepts(
    call: tuple[Request, str, Literal["header", "query", "body"]],
    consumer_key: str,
    consumer_secret: str,
    token_secret: str,
    nonce: str,
    realm: bool,
) -> None:
    request, method, placement = call
    user = OAuth1User(App(consumer_key, consumer_secret, rsa_private_key=private_pem()), nonce, token_secret)
    secrets = Secrets(consumer_secret, token_secret, rsa_public_key=public_pem())
    sent = sign(
        request,
        user,
        timestamp=NOW,
        nonce=nonce,
        method=method,
        placement=placement,
        realm='a "realm"' if realm and placement == "header" else None,
    )
    verified = verify(sent, lambda *_: secrets, lambda _: False, float(NOW), tolerance=0.0)
    assert verified == Verified(consumer_key, nonce, method, NOW, nonce, {})


@settings(max_examples=300)
@given(calls(), st.data())
def test_a_change_of_any_part_is_refused(
    call: tuple[Request, str, Literal["header", "query", "body"]], data: st.DataObject
) -> None:
    request, method, placement = call
    user = OAuth1User(App(CONSUMER, CONSUMER_SECRET, rsa_private_key=private_pem()), TOKEN, TOKEN_SECRET)
    secrets = Secrets(CONSUMER_SECRET, TOKEN_SECRET, rsa_public_key=public_pem())
    sent = sign(request, user, timestamp=NOW, nonce="n", method=method, placement=placement)
    verb, url, headers, body = sent.method, sent.url, sent.headers, sent.body
    path = sent.origin + sent.path
    mutations = {
        "method": lambda: Request("PATCH", url, headers, body),
        "scheme": lambda: Request(verb, url.replace("http", "https", 1).replace("httpss", "http"), headers, body),
        "host": lambda: Request(verb, url.replace(sent.host, "api.example.org", 1), headers, body),
        "port": lambda: Request(verb, url.replace(sent.origin, f"{sent.scheme}://{sent.host}:9", 1), headers, body),
        "path": lambda: Request(
            verb, url.replace(path, path + data.draw(st.sampled_from("/;a%"), "path"), 1), headers, body
        ),
        "query": lambda: Request(verb, f"{url}{'&' if sent.query else '?'}realm", headers, body),
        "form": lambda: Request(verb, url, headers, body + (b"&" if body else b"") + b"realm"),
        "secret": lambda: sent,
    }
    if sent.query:
        mutations["query's name"] = lambda: Request(verb, url.replace("?", "?x", 1), headers, body)
    if body:
        mutations["form's name"] = lambda: Request(verb, url, headers, b"x" + body)
    part = data.draw(st.sampled_from(sorted(mutations)), "part")
    if part == "secret":
        other = rsa.generate_private_key(public_exponent=65537, key_size=1024) if method.startswith("RSA") else None
        wrong = data.draw(st.sampled_from((Secrets("x", TOKEN_SECRET), Secrets(CONSUMER_SECRET, "x"))), "secret")
        secrets = Secrets("x", "y", public_pem(other.public_key())) if other else wrong
    changed = mutations[part]()
    with pytest.raises(InvalidSignature) as refused:
        verify(changed, lambda *_: secrets, lambda _: pytest.fail("the nonce is used up"), float(NOW))
    assert refused.value.fault in {Fault.SIGNATURE, Fault.MALFORMED}


@pytest.mark.parametrize(
    ("method", "placement"),
    # PLAINTEXT in a query would put the secrets in a URL: `sign` refuses.
    [(method, place) for method in ALL_METHODS for place in PLACEMENTS if (method, place) != ("PLAINTEXT", "query")],
)
def test_protocol_parameters_are_decoded_once_wherever_they_stand(
    method: str, placement: Literal["header", "query", "body"]
) -> None:
    """oauthlib decodes those of a query or form twice."""
    odd = "a%20b + %2B&='\"\\,"
    user = OAuth1User(App(odd, odd, rsa_private_key=private_pem()), odd, odd)
    extra = {"oauth_callback": "http://127.0.0.1/cb?a=%2520+b&c", "oauth_é": "ü", "oauth_realm": "realm"}
    sent = sign(
        Request("POST", URL + "?realm=r"),
        user,
        timestamp=NOW,
        nonce=odd,
        method=method,
        placement=placement,
        extra=extra,
    )
    secrets = Secrets(odd, odd, rsa_public_key=public_pem())
    verified = verify(sent, lambda *_: secrets, lambda _: False, float(NOW), methods=ALL_METHODS)
    assert verified == Verified(odd, odd, method, NOW, odd, extra)


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda header: header.replace("OAuth ", 'oauth realm="a \\"b\\" , c=d" ,\t'),
        lambda header: header.replace(", ", ",").replace('"', ""),
        lambda header: header.replace(", ", " , , ") + ",",
        lambda header: header.replace('="', ' = "'),
        lambda header: header.replace("the%20key", "the key"),
    ],
    ids=["realm", "no quotes", "empty elements", "spaces", "not encoded"],
)
def test_a_header_is_read_as_other_clients_write_it(service: Service, rewrite: Callable[[str], str]) -> None:
    assert with_header(rewrite) != signed()
    tampered = with_header(lambda header: rewrite(header.replace('"m"', '"n"')), signed(nonce="m"))
    assert service.fault(tampered) is Fault.SIGNATURE  # and not malformed: it is read
    assert service.verify(with_header(rewrite)).nonce == "n"


def test_a_signature_in_a_query_beside_another_scheme_is_read(service: Service) -> None:
    request = sign(Request("GET", URL), USER, timestamp=NOW, nonce="n", placement="query")
    assert service.verify(request.with_header("authorization", "Basic Zm9v")).consumer_key == CONSUMER


def test_token_and_verifier_may_stand_beside_a_signature_in_the_header(service: Service) -> None:
    """X's own page signs so: the verifier in the form, the rest in the header."""
    assert service.verify(signed(form("oauth_verifier=v+w%2B"))).extra == {"oauth_verifier": "v w+"}
    service.secrets = Secrets(CONSUMER_SECRET)  # of a client that signs by consumer alone and names the token besides
    assert service.verify(signed(form(f"oauth_token={quote(TOKEN)}"), by=USER.app, nonce="m")).token == TOKEN


def test_what_oauthlib_reads_otherwise_is_refused_and_says_so(service: Service) -> None:
    cases = {
        "https://api.example.com/a;": "ends in `;`",
        "https://[0:0:0:0:0:0:0:1]/a": "short form",
        URL + "?a=%FF": "UTF-8",
        URL + "?%C3=a": "UTF-8",
    }
    for url, words in cases.items():
        with pytest.raises(InvalidSignature, match=words) as refused:
            service.verify(signed(Request("GET", url)))
        assert refused.value.fault is Fault.MALFORMED
    for body in (b"a=\xff", "a=é".encode(), b'a="', b"a=%", b"a=%zz", b"a=%f", b"a=b c", b"%FF=a"):
        assert service.fault(signed(form(body))) is Fault.MALFORMED


def test_a_default_port_or_upper_case_host_is_the_same_url(service: Service) -> None:
    for nonce, url in enumerate(("https://API.example.com:443/1/photos", "HTTPS://api.example.com/1/photos#a")):
        request = signed(nonce=str(nonce))
        assert service.verify(Request("GET", url, request.headers)).nonce == str(nonce)


def test_a_parameter_named_realm_is_signed_even_if_the_header_has_a_realm(service: Service) -> None:
    """oauthlib leaves it out where the word is anywhere in the header."""
    request = sign(Request("GET", URL + "?realm=a"), USER, timestamp=NOW, nonce="realm", realm="r")
    assert service.fault(Request("GET", URL + "?realm=b", request.headers)) is Fault.SIGNATURE
    assert service.fault(Request("GET", URL, request.headers)) is Fault.SIGNATURE
    assert service.verify(request).nonce == "realm"


@pytest.mark.parametrize("verb", ["get", "M-SEARCH", "A!B", "A%20B"])
def test_every_method_of_http_is_signed_as_the_rfc_says(service: Service, verb: str) -> None:
    assert service.verify(signed(Request(verb, URL))).consumer_key == CONSUMER


# --- what is malformed -----------------------------------------------------------------------------------------------


REQUIRED = ("oauth_consumer_key", "oauth_nonce", "oauth_signature", "oauth_signature_method", "oauth_timestamp")


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_missing_or_empty_is_named(service: Service, name: str) -> None:
    def without(header: str) -> str:
        return "OAuth " + ", ".join(part for part in header[6:].split(", ") if not part.startswith(name + "="))

    for change in (without, lambda header: without(header) + f', {name}=""'):
        with pytest.raises(InvalidSignature, match=f"no {name}$") as refused:
            service.verify(with_header(change))
        assert refused.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    "header", [None, "", "OAuth", "Bearer abc", "OAuth ,", 'OAuth realm="x"', "OAuthoauth_nonce=a"]
)
def test_a_request_that_is_not_signed_says_so(service: Service, header: str | None) -> None:
    fields = {} if header is None else {"authorization": header}
    with pytest.raises(InvalidSignature, match=r"not signed by OAuth 1\.0a") as refused:
        service.verify(Request("GET", URL, fields))
    assert refused.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header + " x",
        lambda header: header.replace(", ", " "),
        lambda header: header.replace('n"', "n", 1),
        lambda header: header + ', x_auth_mode="reverse_auth"',
        lambda header: header + ', oauth_x="%FF"',
        lambda header: header + ', oauth_%FF="a"',
        lambda header: header + ', oauth_x="\\"',
        lambda header: header + ", oauth_x=a b",
        lambda header: header + ", =a",
    ],
)
def test_a_header_that_cannot_be_read_is_malformed(service: Service, change: Callable[[str], str]) -> None:
    assert service.fault(with_header(change)) is Fault.MALFORMED


def test_nothing_of_the_protocol_is_given_twice(service: Service) -> None:
    twice = {
        "header": with_header(lambda header: header + ', oauth_nonce="n"'),
        "header and query": Request("GET", f"{URL}?oauth_token={quote(TOKEN)}", signed().headers),
        "header and form": form("oauth_verifier=v").with_header(
            "authorization", signed(oauth_verifier="v").headers["authorization"]
        ),
        "query": signed(Request("GET", URL + "?oauth_x=1&oauth_x=1")),
        "escaped": signed(Request("GET", URL + "?%6Fauth_x=1&oauth_x=1")),
    }
    for where, request in twice.items():
        with pytest.raises(InvalidSignature, match="given twice") as refused:
            service.verify(request)
        assert refused.value.fault is Fault.MALFORMED, where


def test_two_authorization_headers_are_malformed(service: Service) -> None:
    request = signed()
    for other in (request.headers["authorization"], "Basic Zm9v"):
        assert service.fault(Request("GET", URL, [*request.headers, ("authorization", other)])) is Fault.MALFORMED


def test_the_signature_stands_in_one_place(service: Service) -> None:
    request = sign(Request("GET", URL), USER, timestamp=NOW, nonce="n", placement="query")
    moved = Request("GET", request.url.replace("&oauth_nonce=n", ""), {"authorization": 'OAuth oauth_nonce="n"'})
    with pytest.raises(InvalidSignature, match="spread over the header and the query") as refused:
        service.verify(moved)
    assert refused.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    "kinds",
    [
        [FORM, "text/plain"],
        ["text/plain", FORM],
        [FORM, FORM],
        [f"{FORM}, text/plain"],
        [f"{FORM},"],
        [f",{FORM}"],
        [f"{FORM} x"],
        [f"text/plain; a=b, {FORM}"],
        [f'text/plain; a="b", {FORM}'],
        ['text/plain; a="b'],
    ],
)
def test_a_body_that_could_be_read_in_two_ways_is_malformed(service: Service, kinds: list[str]) -> None:
    """Frameworks read the first content type, or what stands before the comma; the form would not be signed."""
    call = signed(form(""))
    kept = [("authorization", call.headers["authorization"]), *(("content-type", kind) for kind in kinds)]
    with pytest.raises(InvalidSignature, match="not one media type") as refused:
        service.verify(Request("POST", URL, kept, b"amount=1000000"))
    assert refused.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    "kind", ['multipart/mixed; boundary="a,b;\\"c"', "application/json ; charset=utf-8", "json", ""]
)
def test_one_media_type_with_or_without_parameters_is_read(service: Service, kind: str) -> None:
    assert service.verify(signed(Request("POST", URL, {"content-type": kind}, b"{}"))).nonce == "n"


def test_empty_pieces_are_no_parameters_however_many(service: Service) -> None:
    assert service.verify(signed(form("&&a=b&" + "&" * 2 * PARAMETERS))).nonce == "n"
    service.seen.clear()
    moved = Request("POST", URL, signed(form("a=b")).headers, b"&&a=b&&")
    assert service.verify(moved).nonce == "n"


def test_so_many_parameters_are_read_and_no_more(service: Service) -> None:
    def many(number: int) -> str:
        return "&".join(["a"] * number)

    in_header = 7  # of `sign`'s own, with version and token
    assert service.verify(signed(form(many(PARAMETERS - in_header)))).nonce == "n"
    service.seen.clear()
    too_many = {
        "form": signed(form(many(PARAMETERS - in_header + 1))),
        "query": signed(Request("GET", f"{URL}?{many(PARAMETERS - in_header + 1)}")),
        "both": signed(form(many(500), url=f"{URL}?{many(500)}")),
        "realms": with_header(lambda header: header + ', realm="x"' * PARAMETERS),
    }
    for where, request in too_many.items():
        with pytest.raises(InvalidSignature, match=f"more than {PARAMETERS} parameters") as refused:
            service.verify(request)
        assert refused.value.fault is Fault.MALFORMED, where


def test_so_much_is_read_and_no_more(service: Service) -> None:
    free = CHARACTERS - len(signed().headers["authorization"])
    requests = {
        "form": lambda size: form("a" * size),
        "query": lambda size: Request("GET", f"{URL}?{'a' * size}"),
    }
    for build in requests.values():
        service.seen.clear()
        with pytest.raises(InvalidSignature, match=f"at most {CHARACTERS} are read") as refused:
            service.verify(
                Request("POST", (sent := build(CHARACTERS)).url, [*sent.headers, *signed().headers], sent.body)
            )
        assert refused.value.fault is Fault.MALFORMED
        assert service.verify(signed(build(free - 100))).nonce == "n"
    service.seen.clear()
    assert service.fault(with_header(lambda header: header + "," * CHARACTERS)) is Fault.MALFORMED
    assert service.verify(signed(Request("POST", URL, (), b"a" * 2 * CHARACTERS))).nonce == "n"  # no form: not read


@pytest.mark.parametrize(
    ("header", "body"),
    [("", "&"), ("", "a=1&"), ("", "a=%41"), ("", "+"), ('realm="",', ""), ("realm ", ""), ('oauth_a="%41",', "")],
)
def test_a_hostile_request_is_refused_in_linear_time_before_any_key_is_looked_up(header: str, body: str) -> None:
    def refuse(text: str) -> None:
        fields = {"authorization": f"OAuth {text if header else ''}", "content-type": FORM}
        with pytest.raises(InvalidSignature):
            read_signed(Request("POST", URL, fields, b"" if header else text.encode()))

    repeated = header or body
    assert_linear(refuse, lambda size: repeated * (size // len(repeated)), 400_000)
    begin = time.process_time()
    refuse(repeated * (10**6 // len(repeated)))
    assert time.process_time() - begin < 1.0  # empty pieces took 4.4 s


# --- method, time, keys ----------------------------------------------------------------------------------------------


def test_only_the_methods_that_are_named_are_accepted(service: Service) -> None:
    request = signed()
    assert service.fault(request, methods=("HMAC-SHA256",)) is Fault.METHOD
    assert service.fault(with_header(lambda header: header.replace("HMAC-SHA1", "hmac-sha1"))) is Fault.METHOD
    assert service.verify(request, methods=("HMAC-SHA1",)).method == "HMAC-SHA1"


def test_a_list_of_methods_that_cannot_be_is_the_callers_mistake(service: Service) -> None:
    for methods in (("HMAC-MD5",), "HMAC-SHA1", ("hmac-sha1",)):
        with pytest.raises(InvalidParameter, match="collection of names out of HMAC-SHA1"):
            verify(signed(), service.find_secrets, service.seen_nonce, float(NOW), methods=methods)


def test_plaintext_is_accepted_if_named_and_nobody_could_read_it(service: Service) -> None:
    def plain(url: str) -> Request:
        return sign(Request("GET", url), USER, timestamp=NOW, nonce="n", method="PLAINTEXT")

    assert service.fault(plain(URL)) is Fault.METHOD
    moved = Request("GET", URL.replace("https", "http"), plain(URL).headers)
    with pytest.raises(InvalidSignature, match="over https only") as refused:
        service.verify(moved, methods=("PLAINTEXT",))
    assert refused.value.fault is Fault.METHOD
    wrong = sign(Request("GET", URL), OAuth1User(USER.app, TOKEN, "x"), timestamp=NOW, nonce="n", method="PLAINTEXT")
    assert service.fault(wrong, methods=("PLAINTEXT",)) is Fault.SIGNATURE
    for url in (URL, "http://127.0.0.1:8080/a"):
        service.seen.clear()
        assert service.verify(plain(url), methods=("PLAINTEXT",)).method == "PLAINTEXT"


@pytest.mark.parametrize("version", ["1.1", "", "1.0a"])
def test_a_version_is_one_or_left_out(service: Service, version: str) -> None:
    request = sign(Request("GET", URL), USER, timestamp=NOW, nonce="n", version=version)
    with pytest.raises(InvalidSignature, match="oauth_version") as refused:
        service.verify(request)
    assert refused.value.fault is Fault.METHOD
    assert service.verify(sign(Request("GET", URL), USER, timestamp=NOW, nonce="n", version=None)).nonce == "n"


def test_time_is_the_callers_and_not_the_machines(service: Service) -> None:
    request = signed()
    assert service.fault(request, now=NOW + 300.5) is Fault.TIMESTAMP
    assert service.fault(request, now=NOW - 300.5) is Fault.TIMESTAMP
    assert service.fault(request, now=float("nan")) is Fault.TIMESTAMP
    with pytest.raises(InvalidSignature, match=r"is \+7 seconds from this clock; at most 5 are accepted"):
        service.verify(request, now=NOW - 7.0, tolerance=5.0)
    assert service.verify(request, now=NOW + 300.0).timestamp == NOW


@pytest.mark.parametrize("timestamp", ["0", "170000000", "17000000000", "abcdefghij", "+170000000", "١٧٠٠٠٠٠٠٠٠"])
def test_a_timestamp_is_ten_digits(service: Service, timestamp: str) -> None:
    request = sign(Request("GET", URL), USER, timestamp=timestamp, nonce="n")
    with pytest.raises(InvalidSignature, match="ten digits") as refused:
        service.verify(request)
    assert refused.value.fault is Fault.TIMESTAMP


def test_who_is_unknown_is_said(service: Service) -> None:
    app = App("another", CONSUMER_SECRET)
    assert service.fault(signed(by=app)) is Fault.UNKNOWN_CONSUMER
    assert service.fault(signed(by=OAuth1User(app, TOKEN, TOKEN_SECRET))) is Fault.UNKNOWN_CONSUMER
    assert service.fault(signed(by=OAuth1User(USER.app, "another", TOKEN_SECRET))) is Fault.UNKNOWN_TOKEN


def test_a_nonce_is_used_once_and_asked_for_last(service: Service) -> None:
    request = signed()
    changed = Request("GET", URL + "?a", request.headers)
    assert service.fault(changed) is Fault.SIGNATURE
    assert service.verify(request).nonce == "n"
    assert service.fault(request) is Fault.NONCE


@pytest.mark.parametrize(
    "left_out", [{"oauth_timestamp", "oauth_nonce"}, {"oauth_timestamp"}, {"oauth_nonce"}], ids=lambda names: len(names)
)
@pytest.mark.parametrize("there_but_empty", [False, True])
def test_plaintext_may_come_without_timestamp_and_nonce(
    service: Service, left_out: set[str], there_but_empty: bool
) -> None:
    """RFC 5849 section 3.1."""

    def without(header: str) -> str:
        kept = [part for part in header[6:].split(", ") if part.partition("=")[0] not in left_out]
        return "OAuth " + ", ".join([*kept, *(f'{name}=""' for name in left_out if there_but_empty)])

    full = sign(Request("GET", URL), USER, timestamp=NOW, nonce="n", method="PLAINTEXT")
    request = with_header(without, full)
    verified = service.verify(request, methods=("PLAINTEXT",))
    assert verified.used is None
    assert (verified.timestamp is None) is ("oauth_timestamp" in left_out)
    assert (verified.nonce is None) is ("oauth_nonce" in left_out)
    assert service.seen == []  # nothing to ask for
    assert service.verify(request, methods=("PLAINTEXT",)) == verified
    wrong = with_header(lambda header: header.replace("%26", "%26x"), request)
    assert service.fault(wrong, methods=("PLAINTEXT",)) is Fault.SIGNATURE


def test_a_timestamp_and_a_nonce_that_plaintext_brings_are_judged(service: Service) -> None:
    request = sign(Request("GET", URL), USER, timestamp=NOW, nonce="n", method="PLAINTEXT")
    assert service.fault(request, now=NOW + 301, methods=("PLAINTEXT",)) is Fault.TIMESTAMP
    assert service.verify(request, methods=("PLAINTEXT",)).used == Nonce(CONSUMER, TOKEN, NOW, "n")
    assert service.fault(request, methods=("PLAINTEXT",)) is Fault.NONCE


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "PLAINTEXT"])
@pytest.mark.parametrize("token_secret", ["", TOKEN_SECRET])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_nobody_signs_with_the_empty_secret_of_a_database(method: str, token_secret: str, token: str | None) -> None:
    service = Service(Secrets("", token_secret))
    app = App(CONSUMER, "")
    by = app if token is None else OAuth1User(app, token, token_secret)
    forged = sign(Request("GET", URL), by, timestamp=NOW, nonce="n", method=method)
    with pytest.raises(LocalProtocolError, match="consumer_secret of these Secrets is empty"):
        service.verify(forged, methods=ALL_METHODS)
    with pytest.raises(LocalProtocolError, match="consumer_secret of these Secrets is empty"):
        check(read_signed(forged), service.secrets, NOW, methods=ALL_METHODS)
    assert service.seen == []


async def seen_async(_: Nonce) -> bool:
    pytest.fail("never awaited")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda _: None, "NoneType"),
        (lambda _: 0, "int"),
        (lambda _: "", "str"),
        (seen_async, "coroutine; async code calls read_signed and check"),
    ],
    ids=["nothing", "a number", "text", "async"],
)
def test_a_nonce_was_seen_or_was_not(answer: Callable[[Nonce], bool], kind: str) -> None:
    """None is what a function without a return says, and Redis' set(nx=True) for a nonce that was there."""
    with pytest.raises(LocalProtocolError, match=f"returns a bool: True if it was there before.*not {kind}"):
        verify(signed(), Service().find_secrets, answer, NOW)


async def find_async(*_: object) -> Secrets:
    pytest.fail("never awaited")


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (lambda *_: "s3cr3t", "str"),
        (lambda *_: ("s3cr3t", "s3cr3t"), "tuple"),
        (lambda *_: False, "bool"),
        (lambda _, token: None if token else "s3cr3t", "str"),
        (find_async, "coroutine; async code calls read_signed and check"),
    ],
    ids=["text", "pair", "false", "the consumer's", "async"],
)
def test_secrets_are_secrets_or_none(found: Callable[[str, str | None], Secrets | None], kind: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"a Secrets, or None for .*, not {kind}") as refused:
        verify(signed(), found, Service().seen_nonce, NOW)
    frames = list(traceback.TracebackException.from_exception(refused.value, capture_locals=True).stack)
    shown = [frame for frame in frames if "s3cr3t" in str(frame.locals) and "/tests/" not in frame.filename]
    assert shown == []
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (None, "now is Unix time in seconds, as env.clock.. gives it, not NoneType"),
        (datetime.now(UTC), "not datetime"),
        (str(NOW), "not str"),
        (True, "not bool"),
        (NOW * 1000, "not 1700000000000; milliseconds?"),
        (NOW * 1e9, "milliseconds?"),
    ],
)
def test_now_is_unix_time_in_seconds(service: Service, now: float, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said.replace("?", r"\?")):
        service.verify(signed(), now=now)


def test_the_tolerance_is_a_number_of_seconds(service: Service) -> None:
    with pytest.raises(InvalidParameter, match="tolerance is a number of seconds, not str"):
        service.verify(signed(), tolerance="300")  # type: ignore[arg-type]  # callers without a type checker
    assert service.verify(signed(), now=NOW + 10**9, tolerance=float("inf")).nonce == "n"


# --- the halves ------------------------------------------------------------------------------------------------------


def test_the_halves_need_no_callback() -> None:
    """As async code uses them: its own awaits stand between."""
    read = read_signed(signed(oauth_verifier="v"))
    assert (read.consumer_key, read.token, read.method, read.timestamp) == (CONSUMER, TOKEN, "HMAC-SHA1", NOW)
    assert (read.nonce, read.extra) == ("n", {"oauth_verifier": "v"})
    verified = check(read, Secrets(CONSUMER_SECRET, TOKEN_SECRET), NOW)
    assert verified == Service().verify(signed(oauth_verifier="v"))
    assert verified.used == Nonce(CONSUMER, TOKEN, NOW, "n")
    assert check(read, Secrets(CONSUMER_SECRET, TOKEN_SECRET), NOW) == verified  # the nonce is the caller's


def test_a_request_that_was_read_is_not_yet_verified() -> None:
    """Everything that `verify` refuses without looking up, and the signature, is refused by `check`."""
    secrets = Secrets(CONSUMER_SECRET, TOKEN_SECRET)
    read = read_signed(signed())
    faults: list[tuple[Fault, SignedRequest, Secrets | None, float, Mapping[str, tuple[str, ...]]]] = [
        (Fault.SIGNATURE, read, Secrets("x", TOKEN_SECRET), NOW, {}),
        (Fault.SIGNATURE, read_signed(Request("GET", URL + "?a", signed().headers)), secrets, NOW, {}),
        (Fault.TIMESTAMP, read, secrets, NOW + 301, {}),
        (Fault.METHOD, read, secrets, NOW, {"methods": ("HMAC-SHA256",)}),
        (Fault.UNKNOWN_TOKEN, read, None, NOW, {}),
        (Fault.UNKNOWN_CONSUMER, read_signed(signed(by=USER.app)), None, NOW, {}),
        (Fault.BODY_HASH, read_signed(signed(oauth_body_hash="x")), secrets, NOW, {}),
    ]
    for fault, read_, known, now, options in faults:
        with pytest.raises(InvalidSignature) as refused:
            check(read_, known, now, **options)
        assert refused.value.fault is fault
    with pytest.raises(LocalProtocolError, match="not str"):
        check(read, "s3cr3t", NOW)  # type: ignore[arg-type]  # callers without a type checker


def test_what_was_read_shows_no_credential() -> None:
    shown = repr(read_signed(signed(form("x_auth_password=s3cr3t"), nonce="n-nonce", oauth_verifier="s3cr3t")))
    assert "s3cr3t" not in shown
    assert "n-nonce" not in shown
    assert "SignedRequest(" in shown
    assert len({read_signed(signed()), read_signed(signed())}) == 1


def test_nothing_is_looked_up_for_a_request_that_is_refused_anyway() -> None:
    def find(*_: object) -> Secrets:
        pytest.fail("asked for secrets")

    for request, now in ((signed(), NOW + 301), (sign(Request("GET", URL), USER, timestamp=1, nonce="n"), NOW)):
        with pytest.raises(InvalidSignature):
            verify(request, find, Service().seen_nonce, now)
    with pytest.raises(InvalidParameter):
        verify(signed(), find, Service().seen_nonce, NOW * 1000)


# --- what Secrets are ------------------------------------------------------------------------------------------------


def test_a_public_key_is_text() -> None:
    with pytest.raises(InvalidParameter, match="rsa_public_key as a str, PEM text, not bytes"):
        Secrets("s", rsa_public_key=public_pem().encode())  # type: ignore[arg-type]  # callers without a type checker


def test_a_secret_that_is_none_is_the_callers_mistake() -> None:
    for secrets in ((None, "s"), ("s", None), (b"",)):
        with pytest.raises(InvalidParameter, match="as a str, not"):
            Secrets(*secrets)  # type: ignore[arg-type]  # callers without a type checker


def test_an_error_of_the_callers_own_comes_out_as_it_is(service: Service) -> None:
    def broken(*_: object) -> bool:
        raise ValueError("the database is gone")

    for find, seen in ((broken, service.seen_nonce), (service.find_secrets, broken)):
        with pytest.raises(ValueError, match="database"):
            verify(signed(), find, seen, float(NOW))  # type: ignore[arg-type]  # never returns


# --- RSA -------------------------------------------------------------------------------------------------------------

RSA_USER = OAuth1User(App(CONSUMER, "", rsa_private_key=private_pem()), TOKEN, "")


def by_rsa(method: str = "RSA-SHA256") -> Request:
    return sign(Request("GET", URL), RSA_USER, timestamp=NOW, nonce="n", method=method)


def test_an_rsa_signature_needs_the_public_key(service: Service) -> None:
    assert service.fault(by_rsa()) is Fault.METHOD
    service.secrets = Secrets("", rsa_public_key=public_pem())
    assert service.verify(by_rsa()).method == "RSA-SHA256"


def test_nobody_signs_with_an_empty_secret_for_a_consumer_that_has_a_private_key() -> None:
    service = Service(Secrets("", rsa_public_key=public_pem()))
    for method in ("HMAC-SHA1", "PLAINTEXT"):
        by = OAuth1User(App(CONSUMER, ""), TOKEN, "")
        forged = sign(Request("GET", URL), by, timestamp=NOW, nonce="n", method=method)
        assert service.fault(forged, methods=ALL_METHODS) is Fault.METHOD


@pytest.mark.parametrize("signature", ["", "!", "é", "AAA", "A", "AAAA", "%41"])
def test_an_rsa_signature_that_is_none_is_wrong(signature: str) -> None:
    service = Service(Secrets("", rsa_public_key=public_pem()))

    def forged(header: str) -> str:
        return header.partition(', oauth_signature="')[0] + f', oauth_signature="{quote(signature)}"'

    expected = Fault.SIGNATURE if signature else Fault.MALFORMED
    assert service.fault(with_header(forged, by_rsa())) is expected


@pytest.mark.parametrize(
    "pem", ["", "no key", private_pem(), public_pem(ec.generate_private_key(ec.SECP256R1()).public_key())]
)
def test_a_public_key_that_is_none_is_the_callers_mistake(pem: str) -> None:
    service = Service(Secrets("", rsa_public_key=pem))
    with pytest.raises(LocalProtocolError, match="no RSA public key in PEM") as refused:
        service.verify(by_rsa())
    # A private key that was put there by mistake is a secret.
    stack = traceback.TracebackException.from_exception(refused.value, capture_locals=True).stack
    assert not [frame for frame in stack if "/tests/" not in frame.filename and "PRIVATE KEY-" in str(frame.locals)]


def test_without_the_extra_rsa_says_what_to_install() -> None:
    code = f"""
import sys
from sansauth.oauth1 import verify, Secrets
from sansauth import Request
sys.modules["jwt"] = sys.modules["jwt.algorithms"] = None
request = Request("GET", {URL!r}, {{"authorization": {by_rsa().headers["authorization"]!r}}})
try:
    verify(request, lambda *_: Secrets("", rsa_public_key="x"), lambda _: False, {NOW})
except Exception as error:
    print(type(error).__name__, error)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "LocalProtocolError RSA signatures need the extra `jose`: pip install 'sansauth[jose]'\n"


# --- body hash -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ALL_METHODS)
def test_a_body_hash_is_checked_with_the_hash_of_the_method(method: str) -> None:
    user = OAuth1User(App(CONSUMER, CONSUMER_SECRET, rsa_private_key=private_pem()), TOKEN, TOKEN_SECRET)
    service = Service(Secrets(CONSUMER_SECRET, TOKEN_SECRET, public_pem()))
    request = Request("POST", URL, {"content-type": "application/json"}, b'{"a":1}')
    extra = {"oauth_body_hash": body_hash(request.body, method)}
    sent = sign(request, user, timestamp=NOW, nonce="n", method=method, extra=extra)
    assert service.fault(Request("POST", URL, sent.headers, b'{"a":2}'), methods=ALL_METHODS) is Fault.BODY_HASH
    assert service.fault(Request("POST", URL, sent.headers), methods=ALL_METHODS) is Fault.BODY_HASH
    assert service.verify(sent, methods=ALL_METHODS).extra == extra


def test_a_body_hash_that_is_no_text_of_ascii_is_wrong(service: Service) -> None:
    assert service.fault(signed(oauth_body_hash="é")) is Fault.BODY_HASH


def test_a_body_hash_does_not_belong_to_a_form(service: Service) -> None:
    request = form("a=b")
    with pytest.raises(InvalidSignature, match="does not belong to a form") as refused:
        service.verify(signed(request, oauth_body_hash=body_hash(request.body)))
    assert refused.value.fault is Fault.MALFORMED


# --- whatever comes --------------------------------------------------------------------------------------------------

pieces = st.sampled_from(
    [
        *(f'{name}="x"' for name in REQUIRED),
        'oauth_signature_method="RSA-SHA1"',
        'oauth_signature_method="HMAC-SHA1"',
        f'oauth_timestamp="{NOW}"',
        f'oauth_consumer_key="{quote(CONSUMER)}"',
        'realm="',
        "OAuth ",
        ",",
        '"',
        "=",
        "\\",
        "%",
        "%FF",
        "&",
        ";",
        "é",
    ]
)
texts = st.lists(pieces | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=3), max_size=12).map(
    "".join
)


@settings(max_examples=400)
@given(texts, texts, texts.map(str.encode) | st.binary(max_size=30), st.sampled_from([FORM, "text/plain", "é"]))
def test_no_request_makes_it_fail_otherwise(header: str, query: str, body: bytes, kind: str) -> None:
    secrets = Secrets(CONSUMER_SECRET, TOKEN_SECRET, public_pem())
    url = f"{URL}?{query.replace(' ', '+').replace(chr(92), '')}"
    request = Request("POST", url, [("authorization", f"OAuth {header}"), ("content-type", kind)], body)
    with pytest.raises(InvalidSignature):
        verify(request, lambda *_: secrets, lambda _: False, float(NOW), methods=ALL_METHODS)


def test_no_error_and_no_repr_shows_a_secret(service: Service) -> None:
    secret = "s3cr3t"
    user = OAuth1User(App(CONSUMER, secret + "c"), TOKEN, secret + "t")
    assert secret not in repr(Secrets(secret, secret))
    service.secrets = Secrets(secret + "c", secret + "t")
    password = form(f"x_auth_password={secret}p")
    requests = [
        signed(password),
        sign(password, user, timestamp=NOW + 900, nonce="n"),
        sign(password, user, timestamp=NOW, nonce="n", method="PLAINTEXT"),
        sign(password, user, timestamp=NOW, nonce="n", extra={"oauth_verifier": secret, "oauth_body_hash": "x"}),
        sign(form(f"a={secret}&b=%FF"), user, timestamp=NOW, nonce="n"),
        sign(password, user, timestamp=NOW, nonce="n", extra={"oauth_token_secret": secret}),
        with_header(lambda header: header + f', oauth_token="{secret}"'),
    ]
    verified = service.verify(requests.pop(-2))
    assert secret not in repr(verified)
    assert verified.extra == {"oauth_token_secret": secret}
    for request in requests:
        with pytest.raises(InvalidSignature) as refused:
            service.verify(request)
        ours = frames_of_ours(refused.value)
        assert ours
        assert secret not in str(refused.value)
        assert not [frame for frame in ours if secret in repr(frame.f_locals)]
        assert refused.value.__cause__ is None


def test_the_fault_survives_a_pickle_and_is_none_elsewhere(service: Service) -> None:
    with pytest.raises(InvalidSignature) as refused:
        service.verify(Request("GET", URL))
    assert pickle.loads(pickle.dumps(refused.value)).fault is Fault.MALFORMED
    assert InvalidSignature("a webhook").fault is None


def test_what_is_verified_is_masked_where_it_is_a_credential(service: Service) -> None:
    verified = service.verify(signed(oauth_verifier="v"))
    assert isinstance(verified.token, Secret)
    assert repr(verified.extra) == "{'oauth_verifier': Secret('***')}"


def test_importing_it_loads_no_oauthlib() -> None:
    code = "import sys; from sansauth.oauth1 import verify; print([name for name in sys.modules if 'oauthlib' in name])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
