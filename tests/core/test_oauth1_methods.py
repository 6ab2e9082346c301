"""The signature methods that are not HMAC, and the three places where a signature stands; oauthlib's server accepts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from oauthlib import oauth1
from oauthlib.oauth1.rfc5849.endpoints.base import BaseEndpoint

from sansauth import App, OAuth1User, Provider, Request, Signing, build_request, errors
from sansauth.http import FORM, JSON
from sansauth.oauth1 import Signer, base_string, body_hash, sign
from sansauth.oauth1.methods import shared_key, signature_method
from sansauth.oauth1.signer import prepared

from .support import APP, USER, frames_of_ours
from .test_oauth1_laws import HASHES, private_key, private_pem, public_pem
from .test_oauth1_sign import header_parameters

RSA_APP = App("CK", "", rsa_private_key=private_pem())
RSA_USER = OAuth1User(RSA_APP, "token", "secret")
AT = {"timestamp": 1318622958, "nonce": "nonce-of-this"}
URL = "https://photos.example.net/photos?file=vacation.jpg&size=original"
GET = Request("GET", URL)
POST = build_request("POST", URL, form={"status": "Hello Ladies + Gentlemen", "a": ""})
TEXT = build_request("POST", URL, json={"status": "hi"})


def signed(request: Request, identity: App | OAuth1User, **arguments: object) -> Request:
    return sign(request, identity, **AT, **arguments)  # type: ignore[arg-type]


# --- RSA -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [GET, POST, TEXT], ids=["get", "form", "json"])
@pytest.mark.parametrize("method", list(HASHES))
def test_an_rsa_signature_is_checked_by_cryptography(method: str, request_: Request) -> None:
    parameters = header_parameters(signed(request_, RSA_USER, method=method))
    text = base_string(request_, RSA_USER, timestamp=AT["timestamp"], nonce=str(AT["nonce"]), method=method)
    signature = base64.b64decode(parameters["oauth_signature"], validate=True)
    private_key().public_key().verify(signature, text.encode(), padding.PKCS1v15(), HASHES[method])
    assert parameters["oauth_signature_method"] == method


def test_an_rsa_signature_needs_no_secret_of_app_or_token() -> None:
    with_secrets = OAuth1User(App("CK", "other", rsa_private_key=private_pem()), "token", "another")
    assert signed(GET, RSA_USER, method="RSA-SHA1") == signed(GET, with_secrets, method="RSA-SHA1")


def pem_of(key: object, password: bytes | None = None) -> str:
    cipher = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, private, cipher).decode()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (lambda: None, r"rsa_private_key=\.\.\."),
        (lambda: "canary, no PEM at all", r"no unencrypted private key in PEM \(-----BEGIN PRIVATE KEY-----\)$"),
        (public_pem, "no unencrypted private key in PEM"),
        (lambda: private_pem().replace("M", "N"), "no unencrypted private key in PEM"),
        (lambda: pem_of(private_key(), b"password"), "no unencrypted private key in PEM"),
        (lambda: pem_of(ec.generate_private_key(ec.SECP256R1())), "another kind than RSA"),
        (lambda: private_pem().replace("\n", "\\n"), r"the two characters \\n where line breaks belong"),
        (lambda: "/etc/canary", "looks like the path of a file"),
        (lambda: "C:\\keys\\canary", "looks like the path of a file"),
        (lambda: "canary.pem", "looks like the path of a file"),
    ],
    ids=["none", "text", "public", "damaged", "encrypted", "elliptic", "escaped", "path", "windows", "name"],
)
def test_a_key_that_cannot_sign_is_told_so_and_not_shown(pem: Callable[[], str | None], says: str) -> None:
    with pytest.raises(errors.WrongIdentity, match=says) as caught:
        signed(GET, App("CK", "CS", rsa_private_key=pem()), method="RSA-SHA256")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "canary" not in str(caught.value)


def test_a_private_key_is_masked() -> None:
    assert "PRIVATE" not in repr(RSA_USER)
    assert "PRIVATE" not in repr(prepared(RSA_USER, Signing("RSA-SHA1")))


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.serialization", None)
    other = App("CK", "", rsa_private_key="read for the first time")
    with pytest.raises(errors.LocalProtocolError, match=r"sansauth\[jose\]"):
        signed(GET, other, method="RSA-SHA1")


# --- PLAINTEXT -------------------------------------------------------------------------------------------------------


def test_the_vectors_of_plaintext() -> None:
    """OAuth Core 1.0 Appendix A, RFC 5849 section 2.1, and oauthlib's: secrets encoded, joined, encoded again."""
    for secrets, expected in [
        (("kd94hf93k423kf44", ""), "kd94hf93k423kf44&"),
        (("ja893SD9", ""), "ja893SD9&"),
        (
            ("ECrDNoq1VYzzzzzzzzzyAK7TwZNtPnkqatqZZZZ", "just-a-string    asdasd"),
            "ECrDNoq1VYzzzzzzzzzyAK7TwZNtPnkqatqZZZZ&just-a-string%20%20%20%20asdasd",
        ),
    ]:
        app = App("CK", secrets[0])
        identity = OAuth1User(app, "t", secrets[1]) if secrets[1] else app
        request = signed(GET, identity, method="PLAINTEXT")
        assert header_parameters(request)["oauth_signature"] == expected


@pytest.mark.parametrize("url", ["http://photos.example.net/", "http://127.0.0.1.example.net/"])
def test_plaintext_is_refused_over_plain_http(url: str) -> None:
    with pytest.raises(errors.InsecureTransport, match="use https"):
        signed(Request("GET", url), USER, method="PLAINTEXT")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost/", "http://[::1]/"])
def test_plaintext_may_stay_on_this_machine(url: str) -> None:
    assert "authorization" in signed(Request("GET", url), USER, method="PLAINTEXT").headers


def test_plaintext_goes_into_no_url() -> None:
    with pytest.raises(errors.InvalidParameter, match="in a URL"):
        signed(GET, USER, method="PLAINTEXT", placement="query")


# --- placement -------------------------------------------------------------------------------------------------------


class Judge(BaseEndpoint):
    """oauthlib's server side, asked for one thing: is this signature right."""

    def accepts(self, request: Request, secrets: tuple[str, str] = ("CS", "access-token-secret")) -> bool:
        headers = {"Content-Type": FORM} if request.has_form else {}
        if "authorization" in request.headers:
            headers["Authorization"] = request.headers["authorization"]
        body = request.body.decode() if request.has_form else ""
        judged = self._create_request(request.url, request.method, body, headers)
        verify: dict[str, Callable[[], bool]] = {
            "PLAINTEXT": lambda: oauth1.rfc5849.signature.verify_plaintext(judged, *secrets),
            "HMAC-SHA1": lambda: oauth1.rfc5849.signature.verify_hmac_sha1(judged, *secrets),
            "HMAC-SHA256": lambda: oauth1.rfc5849.signature.verify_hmac_sha256(judged, *secrets),
            "HMAC-SHA512": lambda: oauth1.rfc5849.signature.verify_hmac_sha512(judged, *secrets),
            "RSA-SHA1": lambda: oauth1.rfc5849.signature.verify_rsa_sha1(judged, public_pem()),
            "RSA-SHA256": lambda: oauth1.rfc5849.signature.verify_rsa_sha256(judged, public_pem()),
            "RSA-SHA512": lambda: oauth1.rfc5849.signature.verify_rsa_sha512(judged, public_pem()),
        }
        return verify[judged.signature_method]()


JUDGE = Judge(oauth1.RequestValidator())
SIGNER = OAuth1User(App("CK", "CS", rsa_private_key=private_pem()), "access-token", "access-token-secret")
METHODS = ["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "RSA-SHA1", "RSA-SHA256", "RSA-SHA512", "PLAINTEXT"]


@pytest.mark.parametrize(
    ("method", "placement"),
    [
        (method, placement)
        for method in METHODS
        for placement in ("header", "query", "body")
        if (method, placement) != ("PLAINTEXT", "query")  # refused: see above
    ],
)
@pytest.mark.parametrize("request_", [POST, Request("POST", "https://[::1]:8443/a;b"), Request("PUT", URL)], ids=str)
def test_every_method_in_every_place_is_accepted_by_oauthlibs_server(
    request_: Request, method: str, placement: str
) -> None:
    made = signed(request_, SIGNER, method=method, placement=placement)
    assert JUDGE.accepts(made)
    if not method.startswith("RSA-"):
        assert not JUDGE.accepts(made, ("CS", "another"))


@pytest.mark.parametrize("method", ["RSA-SHA1", "RSA-SHA256", "RSA-SHA512"])
def test_a_damaged_rsa_signature_is_not_accepted(method: str) -> None:
    made = signed(GET, SIGNER, method=method)
    assert JUDGE.accepts(made)
    other = Request("GET", URL + "x", made.headers)
    assert not JUDGE.accepts(other)


def test_in_the_query_the_protocol_parameters_follow_the_others() -> None:
    made = signed(GET, SIGNER, placement="query")
    assert made.url.startswith(
        URL + "&oauth_consumer_key=CK&oauth_nonce=nonce-of-this&oauth_signature_method=HMAC-SHA1"
    )
    assert re.search(r"&oauth_version=1\.0&oauth_signature=[A-Za-z0-9%]+%3D$", made.url)
    assert "authorization" not in made.headers
    bare = signed(Request("GET", "https://api.x.com/"), SIGNER, placement="query")
    assert bare.url.startswith("https://api.x.com/?oauth_consumer_key=CK&")


def test_in_the_body_they_follow_the_form() -> None:
    made = signed(POST, SIGNER, placement="body")
    assert made.body.startswith(POST.body + b"&oauth_consumer_key=CK&")
    assert (made.url, "authorization" in made.headers) == (URL, False)
    bare = signed(Request("POST", "https://api.x.com/"), SIGNER, placement="body")
    assert bare.body.startswith(b"oauth_consumer_key=CK&")
    assert bare.has_form


@pytest.mark.parametrize(
    "request_", [GET, Request("HEAD", URL), TEXT, Request("POST", URL, {"content-type": JSON})], ids=str
)
def test_a_body_that_is_no_form_takes_no_signature(request_: Request) -> None:
    """RFC 5849 section 3.5.2."""
    what = f"a {request_.method} has none" if request_.method != "POST" else f"this one is {JSON}"
    with pytest.raises(errors.InvalidParameter, match=rf'3\.5\.2\), and {what}; .*placement="header"'):
        signed(request_, SIGNER, placement="body")


def test_a_body_of_no_type_takes_no_signature_either() -> None:
    with pytest.raises(errors.InvalidParameter, match="this one is of no content type"):
        signed(Request("POST", URL, (), b"hunter2"), SIGNER, placement="body")


@pytest.mark.parametrize("placement", ["query", "body"])
def test_another_authorization_does_not_stay_beside_a_signature_elsewhere(placement: str) -> None:
    """RFC 5849 section 3.5: one place. The header that was there is dropped, as it is replaced in the header."""
    request = build_request("POST", URL, form={"a": "b"}, headers=[("Authorization", "Basic QQ=="), ("x-a", "1")])
    made = signed(request, SIGNER, placement=placement)
    assert "authorization" not in made.headers
    assert (made.headers["x-a"], made.headers["content-type"]) == ("1", FORM)
    assert JUDGE.accepts(made)


def impossible() -> list[tuple[str, Callable[[], object]]]:
    """PLAINTEXT signatures that come to nothing."""
    user = OAuth1User(App("CK", "hunter2"), "token", "hunter2")
    plain = Signer(user, Signing("PLAINTEXT", placement="body"))
    return [
        ("body", lambda: plain.sign(GET, **AT)),  # type: ignore[arg-type]
        ("json", lambda: plain.sign(TEXT, **AT)),  # type: ignore[arg-type]
        ("http", lambda: signed(Request("GET", "http://a.test/"), user, method="PLAINTEXT")),
        ("realm", lambda: signed(GET, user, method="PLAINTEXT", realm="日本")),
        ("query", lambda: signed(GET, user, method="PLAINTEXT", placement="query")),
        ("nonce", lambda: Signer(user, Signing("PLAINTEXT")).sign(GET, timestamp=1, nonce="")),
        ("surrogate", lambda: signed(GET, App("CK", "hunter2\ud800"), method="PLAINTEXT")),
        ("surrogate-hmac", lambda: signed(GET, App("CK", "hunter2\ud800"))),
    ]


@pytest.mark.parametrize("act", [pytest.param(act, id=name) for name, act in impossible()])
def test_no_frame_shows_the_secrets_of_a_signature_that_came_to_nothing(act: Callable[[], object]) -> None:
    with pytest.raises(errors.LocalProtocolError) as caught:
        act()
    shown = [repr(frame.f_locals) for frame in frames_of_ours(caught.value)]
    assert shown
    assert [text for text in shown if "hunter2" in text] == []
    assert "hunter2" not in str(caught.value)


def test_the_key_and_what_becomes_of_it_are_masked() -> None:
    assert repr(shared_key("hunter2", "hunter2")) == "Secret('***')"
    assert shared_key("a b", "") == "a%20b&"
    assert "hunter2" not in repr(signature_method("PLAINTEXT", App("CK", "hunter2"), "hunter2")(""))


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA512", "PLAINTEXT"])
def test_an_app_that_has_a_private_key_alone_is_told_to_name_the_rsa_method(method: str) -> None:
    for identity in (RSA_APP, RSA_USER):
        with pytest.raises(errors.WrongIdentity, match=rf'{method} signs with the secret: .*Signing\("RSA-SHA1"\)'):
            signed(GET, identity, method=method)
    assert signed(GET, SIGNER, method=method)  # it has both
    assert signed(GET, App("CK", ""), method=method)  # and this one neither


def test_a_place_there_is_none_of() -> None:
    with pytest.raises(errors.InvalidParameter, match="header, query, body"):
        signed(GET, SIGNER, placement="cookie")


# --- realm, body hash, preparation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("realm", "written"), [("Photos", '"Photos"'), ("", '""'), ('a "b" \\c', r'"a \"b\" \\c"'), ("é", '"é"')]
)
def test_the_realm_stands_first_in_the_header_and_is_not_signed(realm: str, written: str) -> None:
    """RFC 5849 section 3.5.1 and 3.4.1.3.1; quoted as RFC 9110 section 5.6.4 wants it."""
    made = signed(GET, SIGNER, realm=realm)
    plain = signed(GET, SIGNER)
    assert made.headers["authorization"] == plain.headers["authorization"].replace("OAuth ", f"OAuth realm={written}, ")


def test_a_realm_that_fits_no_header() -> None:
    with pytest.raises(errors.InvalidHeader, match="realm"):
        signed(GET, SIGNER, realm="a\r\nb")
    for placement in ("query", "body"):
        with pytest.raises(errors.InvalidParameter, match=r"3\.5\.1"):
            signed(POST, SIGNER, realm="Photos", placement=placement)


@pytest.mark.parametrize(
    ("method", "algorithm"),
    [("HMAC-SHA1", "sha1"), ("HMAC-SHA256", "sha256"), ("HMAC-SHA512", "sha512"), ("RSA-SHA1", "sha1"),
     ("RSA-SHA256", "sha256"), ("RSA-SHA512", "sha512"), ("PLAINTEXT", "sha1")],
)  # fmt: skip
def test_the_body_hash_is_of_the_methods_hash(method: str, algorithm: str) -> None:
    digest = base64.b64encode(hashlib.new(algorithm, TEXT.body).digest()).decode()
    assert body_hash(TEXT.body, method) == digest
    made = prepared(SIGNER, Signing(method, body_hash=True)).sign(TEXT, timestamp=1, nonce="n")
    assert header_parameters(made)["oauth_body_hash"] == digest
    by_hand = signed(TEXT, SIGNER, method=method, extra={"oauth_body_hash": digest})
    assert header_parameters(by_hand)["oauth_body_hash"] == digest


def test_the_example_of_the_body_hash_specification() -> None:
    """OAuth Request Body Hash 1.0 draft 4, section 3.2 and Appendix A."""
    assert body_hash(b"Hello World!") == "Lve95gjOVATpfV8EL5X4nxwjKHE="


def test_a_form_has_no_body_hash_and_an_empty_body_has_one() -> None:
    """The same, section 3.1: a form is signed itself; without a body the hash is of nothing."""
    signer = Signer(SIGNER, Signing(body_hash=True))
    assert "oauth_body_hash" not in header_parameters(signer.sign(POST, timestamp=1, nonce="n"))
    assert header_parameters(signer.sign(GET, timestamp=1, nonce="n"))["oauth_body_hash"] == body_hash(b"")
    bare = Signer(SIGNER, Signing(placement="body", body_hash=True)).sign(Request("POST", URL), timestamp=1, nonce="n")
    assert b"oauth_body_hash" not in bare.body  # which has become a form
    with pytest.raises(errors.InvalidParameter, match="HMAC-SHA1"):
        body_hash(b"", "MD5")
    with pytest.raises(errors.InvalidParameter, match="bytes, not str"):
        body_hash("hunter2")  # type: ignore[arg-type]


def test_a_prepared_signer_signs_as_sign_does_and_shows_no_secret() -> None:
    signer = Signer(USER)
    for request in (GET, POST, TEXT):
        assert signer.sign(request, **AT) == signed(request, USER)  # type: ignore[arg-type]
        assert signer.base_string(request, **AT) == base_string(request, USER, **AT)  # type: ignore[arg-type]
    assert "secret" not in repr(signer)
    assert prepared(USER, Signing()) is prepared(OAuth1User(USER.app, "access-token", "access-token-secret"), Signing())


def test_an_app_and_its_user_are_prepared_apart() -> None:
    assert "oauth_token" in header_parameters(signed(GET, USER))
    assert "oauth_token" not in header_parameters(signed(GET, APP))
    assert header_parameters(signed(GET, USER)) != header_parameters(
        signed(GET, OAuth1User(USER.app, "access-token", ""))
    )


def test_how_a_service_signs_is_data() -> None:
    provider = Provider("Jira", "https://jira.example.net", signing=Signing("RSA-SHA1", realm="", version=None))
    made = prepared(RSA_USER, provider.signing).sign(GET, timestamp=1, nonce="n")
    assert made.headers["authorization"].startswith('OAuth realm="", oauth_consumer_key="CK", oauth_nonce="n", ')
    assert "oauth_version" not in made.headers["authorization"]


def test_a_short_key_and_a_long_key_are_hashed_as_rfc_2104_says() -> None:
    import hmac

    for length in (0, 1, 30, 62, 63, 64, 65, 126, 127, 128, 300):
        app = App("CK", "s" * length)
        for method, algorithm in (("HMAC-SHA1", "sha1"), ("HMAC-SHA256", "sha256"), ("HMAC-SHA512", "sha512")):
            text = base_string(GET, app, timestamp=1, nonce="n", method=method)
            expected = base64.b64encode(hmac.digest(f"{'s' * length}&".encode(), text.encode(), algorithm)).decode()
            made = sign(GET, app, timestamp=1, nonce="n", method=method)
            assert header_parameters(made)["oauth_signature"] == expected


def test_an_rsa_key_is_of_any_length_that_signs() -> None:
    long = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    app = App("CK", "", rsa_private_key=pem_of(long))
    text = base_string(GET, app, timestamp=1, nonce="n", method="RSA-SHA512")
    made = header_parameters(sign(GET, app, timestamp=1, nonce="n", method="RSA-SHA512"))["oauth_signature"]
    long.public_key().verify(base64.b64decode(made), text.encode(), padding.PKCS1v15(), HASHES["RSA-SHA512"])
