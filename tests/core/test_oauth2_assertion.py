"""Assertions, and the keys and JWTs below them: PyJWT's own decoder and cryptography judge what is signed here."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Env, Provider, errors
from sansauth.encoding import decode
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import bearer_assertion, client_assertion, introspect, keys
from sansauth.oauth2.client_auth import JWT_BEARER_ASSERTION, build_client_request
from sansauth.oauth2.jws import Jwt, read_jwt, sign_jwt
from sansauth.oauth2.keys import (
    P256_ORDER,
    base64url,
    from_base64url,
    generated_key,
    is_signed,
    public_key,
    secret_key,
    signing_key,
    thumbprint,
)
from sansauth.provider import Quirks

from .jose_keys import ASYMMETRIC, USUAL, pem_for, pem_of, private_jwk, public_jwk, rsa_pem
from .support import ENV, NONCE, TIMESTAMP, Script, form_of, frames_of_ours, json_answer
from .test_purity import run_python

TOKEN = "https://as.example/token"
PROVIDER = Provider("A service", "https://as.example", Endpoints(token=TOKEN), issuer="https://as.example")
NAMELESS = Provider("A service", "https://as.example", Endpoints(token=TOKEN))
SECRET = "canary-secret-of-more-than-32-bytes"
UNTIMED = {"verify_exp": False, "verify_iat": False, "verify_aud": False}

# RFC 7638 section 3.1
RSA_EXAMPLE = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def decoded(token: str, key: object, algorithm: str) -> dict[str, object]:
    """The claims, if PyJWT finds the signature good."""
    found: dict[str, object] = jwt.decode(token, key, algorithms=[algorithm], options=UNTIMED)  # type: ignore[arg-type]
    return found


def public_of(private: str) -> object:
    return signing_key(private).key.public_key()  # type: ignore[attr-defined]


# --- RFC 7523 section 4 ----------------------------------------------------------------------------------------------


def test_the_example_of_rfc_7523_section_4() -> None:
    """Its header and its claims, to the letter; it leaves the signature out, and the jti is ours."""
    now = Env(lambda: 1300815780.0, ENV.entropy)
    further = {"nbf": 1300815780, "http://claims.example.com/member": True}
    assertion = bearer_assertion(
        "https://jwt-idp.example.com",
        "mailto:mike@example.com",
        "https://jwt-rp.example.net",
        pem_for("ES256"),
        env=now,
        key_id="16",
        lifetime=3600,
        further=further,
    )
    header = jwt.get_unverified_header(assertion)
    assert (header["alg"], header["kid"]) == ("ES256", "16")
    claims = jwt.decode(
        assertion,
        public_of(pem_for("ES256")),  # type: ignore[arg-type]
        algorithms=["ES256"],
        options={"verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False},
    )
    assert (
        claims.items()
        >= {
            "iss": "https://jwt-idp.example.com",
            "sub": "mailto:mike@example.com",
            "aud": "https://jwt-rp.example.net",
            "nbf": 1300815780,
            "exp": 1300819380,
            "http://claims.example.com/member": True,
        }.items()
    )


# --- the assertion by which a client authenticates -------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", USUAL)
def test_a_private_key_signs_by_the_algorithm_of_its_kind(algorithm: str) -> None:
    client = OAuth2Client("a-client", private_key=pem_for(algorithm), key_id="key-1")
    assertion = client_assertion(client, PROVIDER, ENV)
    assert jwt.get_unverified_header(assertion) == {"typ": "JWT", "alg": algorithm, "kid": "key-1"}
    assert decoded(assertion, public_of(pem_for(algorithm)), algorithm) == {
        "iss": "a-client",
        "sub": "a-client",
        "aud": "https://as.example",
        "iat": TIMESTAMP,
        "exp": TIMESTAMP + 60,
        "jti": NONCE,
    }


def test_a_client_secret_signs_by_hs256() -> None:
    client = OAuth2Client("a-client", SECRET, auth="client_secret_jwt")
    assertion = client_assertion(client, PROVIDER, ENV)
    assert jwt.get_unverified_header(assertion) == {"typ": "JWT", "alg": "HS256"}
    assert decoded(assertion, SECRET, "HS256")["sub"] == "a-client"
    assert type(assertion).__name__ == "Secret"


def test_a_short_client_secret_signs_without_a_warning() -> None:
    """PyJWT warns of one; but the service chose it, and the caller can do nothing."""
    assertion = client_assertion(OAuth2Client("a-client", "short", auth="client_secret_jwt"), PROVIDER, ENV)
    signed, _, signature = assertion.rpartition(".")
    assert is_signed(signed.encode(), from_base64url(signature) or b"", "HS256", b"short")


def test_the_audience_is_the_token_endpoint_of_a_service_without_an_issuer() -> None:
    client = OAuth2Client("a-client", private_key=pem_for("ES256"))
    claims = read_jwt(client_assertion(client, NAMELESS, ENV)).claims
    assert claims["aud"] == TOKEN
    with pytest.raises(errors.LocalProtocolError, match="no endpoint 'token'"):
        client_assertion(client, Provider("A service", "https://as.example"), ENV)


@pytest.mark.parametrize("issuer", ["https://as.example", None])
@pytest.mark.parametrize(
    ("named", "audience"),
    [
        ("token_endpoint", TOKEN),  # Ory Hydra, Authelia
        ("endpoint", "https://as.example/introspect"),  # Okta: the one that is asked
        ("https://elsewhere.example/", "https://elsewhere.example/"),
    ],
)
def test_a_service_may_want_another_audience(issuer: str | None, named: str, audience: str) -> None:
    """RFC 7523 section 3: by its issuer or the URL of its token endpoint, and services take but one of them."""
    provider = replace(
        PROVIDER,
        issuer=issuer,
        quirks=Quirks(assertion_audience=named),
        endpoints=Endpoints(token=TOKEN, introspection="https://as.example/introspect"),
    )
    for client in (
        OAuth2Client("a-client", private_key=pem_for("EdDSA")),
        OAuth2Client("a-client", SECRET, auth="client_secret_jwt"),
    ):
        script = Script([json_answer(200, {"active": False})])
        script.run(introspect(client, "token", provider=provider, env=ENV))
        (sent,) = [value for name, value in decode(form_of(script.sent[0])) if name == "client_assertion"]
        assert read_jwt(sent).claims["aud"] == audience


def test_an_assertion_is_for_the_token_endpoint_unless_it_is_for_another() -> None:
    client = OAuth2Client("a-client", private_key=pem_for("EdDSA"))
    provider = replace(PROVIDER, quirks=Quirks(assertion_audience="endpoint"))
    assert read_jwt(client_assertion(client, provider, ENV)).claims["aud"] == TOKEN


def test_every_assertion_is_another() -> None:
    draws = iter(range(10))
    env = Env(clock=ENV.clock, entropy=lambda size: next(draws).to_bytes(size, "big"))
    client = OAuth2Client("a-client", SECRET, auth="client_secret_jwt")
    assert client_assertion(client, PROVIDER, env) != client_assertion(client, PROVIDER, env)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_jwk_signs_by_the_algorithm_that_it_names(algorithm: str) -> None:
    client = OAuth2Client("a-client", private_key=private_jwk(algorithm))
    assertion = client_assertion(client, PROVIDER, ENV)
    signed, _, signature = assertion.rpartition(".")
    known = keys.ALGORITHMS[algorithm].signer  # by its name at PyJWT, which does not know those of RFC 9864 yet
    judge = jwt.algorithms.get_default_algorithms()[known]
    assert judge.verify(signed.encode(), public_of(private_jwk(algorithm)), from_base64url(signature) or b"")  # type: ignore[arg-type]
    assert jwt.get_unverified_header(assertion)["alg"] == algorithm


def test_the_key_id_is_the_clients_and_else_that_of_its_jwk() -> None:
    named = json.dumps({**json.loads(private_jwk("ES256")), "kid": "of-the-jwk"})
    for key_id, expected in (("given", "given"), (None, "of-the-jwk")):
        client = OAuth2Client("a-client", private_key=named, key_id=key_id)
        assert read_jwt(client_assertion(client, PROVIDER, ENV)).header["kid"] == expected
    unnamed = OAuth2Client("a-client", private_key=pem_for("ES256"))
    assert "kid" not in read_jwt(client_assertion(unnamed, PROVIDER, ENV)).header


def test_a_request_of_the_client_carries_it() -> None:
    client = OAuth2Client("a-client", private_key=pem_for("EdDSA"))
    request = build_client_request(TOKEN, [("grant_type", "client_credentials")], client, PROVIDER, ENV)
    assertion = client_assertion(client, PROVIDER, ENV)  # EdDSA makes the same signature again
    kind = JWT_BEARER_ASSERTION.replace(":", "%3A")
    assert form_of(request) == (
        f"grant_type=client_credentials&client_id=a-client&client_assertion_type={kind}&client_assertion={assertion}"
    )


# --- the assertion that is traded for tokens -------------------------------------------------------------------------


def test_a_bearer_assertion_says_who_vouches_for_whom() -> None:
    assertion = bearer_assertion(
        "https://us.example", "user-1", TOKEN, rsa_pem(), env=ENV, key_id="k", lifetime=3600, further={"scope": "a b"}
    )
    assert read_jwt(assertion).header == {"typ": "JWT", "alg": "RS256", "kid": "k"}
    assert decoded(assertion, public_of(rsa_pem()), "RS256") == {
        "iss": "https://us.example",
        "sub": "user-1",
        "aud": TOKEN,
        "iat": TIMESTAMP,
        "exp": TIMESTAMP + 3600,
        "jti": NONCE,
        "scope": "a b",
    }


def test_further_claims_do_not_replace_those_that_have_an_argument() -> None:
    with pytest.raises(errors.InvalidParameter, match=r"of their own: exp, sub$"):
        bearer_assertion("i", "s", TOKEN, rsa_pem(), env=ENV, further={"sub": "another", "exp": 1, "scope": "a"})


# --- keys that cannot sign -------------------------------------------------------------------------------------------

P256 = json.loads(private_jwk("ES256"))
NO_KEY = "neither unencrypted PEM"
BAD_KEYS: dict[str, tuple[Callable[[], str], str]] = {
    "empty": (str, NO_KEY),
    "text": (lambda: "canary, no key at all", NO_KEY),
    "a number": (lambda: "1", NO_KEY),
    "nested": (lambda: '{"canary":' * 100_000, NO_KEY),
    "damaged": (lambda: rsa_pem().replace("M", "N"), NO_KEY),
    "a password": (lambda: pem_of(signing_key(rsa_pem()).key, b"password"), NO_KEY),
    "public jwk": (lambda: json.dumps({**P256, "d": None}), NO_KEY),
    "half a jwk": (lambda: json.dumps({"kty": "EC", "crv": "P-256", "d": "canary"}), NO_KEY),
    "another d": (lambda: json.dumps({**P256, "d": base64url(b"\1" * 32)}), NO_KEY),
    "off the curve": (lambda: json.dumps({**P256, "y": base64url(b"\1" * 32)}), NO_KEY),
    "a secret": (lambda: '{"kty":"oct","k":"canary"}', NO_KEY),
    "no type": (lambda: '{"d":"canary"}', NO_KEY),
    "short": (lambda: rsa_pem(1024), "shorter than the 2048 bits"),
    "secp256k1": (lambda: pem_of(ec.generate_private_key(ec.SECP256K1())), "not used here: EC secp256k1"),
    "Ed448": (lambda: pem_for("Ed448"), "not used here: OKP Ed448"),
    "none": (lambda: json.dumps({**P256, "alg": "none"}), "an alg that does not fit"),
    "HS256": (lambda: json.dumps({**P256, "alg": "HS256"}), "an alg that does not fit"),
    "another's alg": (lambda: json.dumps({**P256, "alg": "ES384"}), "an alg that does not fit"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_key_that_cannot_sign_is_told_so_and_not_shown(name: str) -> None:
    make, says = BAD_KEYS[name]
    text = make()
    client = OAuth2Client("a-client", private_key=text or "x")
    for call in (
        lambda: client_assertion(client, PROVIDER, ENV),
        lambda: bearer_assertion("i", "s", TOKEN, text, env=ENV),
        lambda: signing_key(text),
    ):
        with pytest.raises(errors.WrongIdentity, match=says) as caught:
            call()
        assert caught.value.__context__ is None
        assert "canary" not in str(caught.value)
        ours = frames_of_ours(caught.value)
        assert ours
        plain = [value for frame in ours for value in frame.f_locals.values() if type(value) is str]
        assert not [value for value in plain if "canary" in value or value in {text, client.private_key}]


def test_a_diffie_hellman_key_is_none() -> None:
    from cryptography.hazmat.primitives.asymmetric import x25519

    with pytest.raises(errors.WrongIdentity, match=NO_KEY):
        signing_key(pem_of(x25519.X25519PrivateKey.generate()))


def test_a_key_is_read_once() -> None:
    assert signing_key(pem_for("ES256")) is signing_key(str(pem_for("ES256")))


def test_no_key_shows_itself() -> None:
    assert repr(signing_key(pem_for("ES256"))) == "SigningKey('ES256')"
    assert SECRET not in repr(secret_key(SECRET))


@pytest.mark.parametrize("missing", ["jwt", "cryptography"])
def test_without_the_extra_the_error_names_it(missing: str) -> None:
    code = f"""
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Gone())
from sansauth import Endpoints, Env, Provider
from sansauth.errors import LocalProtocolError
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import DPoPKey, client_assertion
env = Env(lambda: 0.0, bytes)
provider = Provider("A service", "https://as.example", Endpoints(token="https://as.example/token"))
for use in (
    lambda: client_assertion(OAuth2Client("c", "s", auth="client_secret_jwt"), provider, env),
    lambda: client_assertion(OAuth2Client("c", private_key="x"), provider, env),
    lambda: DPoPKey.generate(env),
):
    try:
        use()
    except LocalProtocolError as error:
        print(error)
"""
    assert (
        run_python(code).splitlines()
        == ["signing and reading JWTs needs the extra `jose`: pip install 'sansauth[jose]'"] * 3
    )


def test_without_pyjwt_or_cryptography_no_key_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    unkept: Callable[[], object] = keys._signers.__wrapped__
    with monkeypatch.context() as gone:
        gone.setattr("jwt.algorithms.has_crypto", False)
        with pytest.raises(errors.LocalProtocolError, match=r"sansauth\[jose\]"):
            unkept()
    monkeypatch.setitem(sys.modules, "jwt.algorithms", None)
    with pytest.raises(errors.LocalProtocolError, match=r"sansauth\[jose\]"):
        unkept()


def test_importing_loads_neither_pyjwt_nor_cryptography() -> None:
    code = """
import sys
import sansauth.oauth2 as oauth2
for name in oauth2.__all__:
    getattr(oauth2, name)
print(*sorted({"jwt", "cryptography"} & set(sys.modules)))
"""
    assert run_python(code).split() == []


def test_signing_opens_nothing_once_its_libraries_are_loaded() -> None:
    code = f"""
import sys
from sansauth import Endpoints, Env, Provider, Request
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import DPoPKey, client_assertion, proof, validate_id_token
from sansauth.oauth2.jws import sign_jwt
from sansauth.oauth2.keys import signing_key
env = Env(lambda: 0.0, bytes)
provider = Provider("A", "https://as.example", Endpoints(token="https://as.example/token"), issuer="https://as.example")
pem = {pem_for("ES256", 1)!r}
claims = {{"iss": "https://as.example", "sub": "s", "aud": "c", "iat": 0, "exp": 9}}
def work(pem):
    client_assertion(OAuth2Client("c", private_key=pem), provider, env)
    key = DPoPKey.generate(env)
    proof(key, Request("GET", "https://as.example/"), env=env)
    signer = signing_key(pem)
    jwks = {{"keys": [dict(signer.public_jwk)]}}
    validate_id_token(sign_jwt(claims, signer), OAuth2Client("c"), jwks, provider=provider, now=1)
work({rsa_pem()!r})
events = []
sys.addaudithook(lambda event, args: events.append(event))
work(pem)
print(*{{event for event in events if not event.startswith(("import", "object.__", "sys._getframe", "builtins.id"))}})
"""
    assert run_python(code).split() == []


# --- keys ------------------------------------------------------------------------------------------------------------


def test_the_thumbprint_of_the_rfcs_example() -> None:
    """RFC 7638 section 3.1."""
    assert thumbprint(RSA_EXAMPLE) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_thumbprint_of_an_octet_key_pair() -> None:
    """RFC 8037 appendix A.3."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "jwk", [{}, {"kty": 1}, {"kty": "oct", "k": "a"}, {"kty": "EC", "crv": "P-256", "x": "a", "y": 1}]
)
def test_what_is_no_public_key_has_no_thumbprint(jwk: dict[str, object]) -> None:
    with pytest.raises(errors.LocalProtocolError, match="has a thumbprint"):
        thumbprint(jwk)


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "AAAA"},
        {**RSA_EXAMPLE, "n": "AQAB"},
        {**RSA_EXAMPLE, "n": ""},
        {**public_jwk(pem_for("ES256")), "crv": "P-257"},
        {**public_jwk(pem_for("ES256")), "x": "AA"},
        {**public_jwk(pem_for("EdDSA")), "x": "AA"},
        public_jwk(pem_for("EdDSA"), crv="X25519"),
    ],
)
def test_a_jwk_that_describes_no_key_is_none(jwk: dict[str, object]) -> None:
    assert public_key(jwk) is None


def test_a_short_public_rsa_key_is_not_used() -> None:
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key().public_numbers()
    assert public_key({"kty": "RSA", "e": "AQAB", "n": base64url(numbers.n.to_bytes(128, "big"))}) is None
    assert public_key(RSA_EXAMPLE) is not None


def test_the_private_half_of_a_jwk_is_left_aside() -> None:
    assert not hasattr(public_key(json.loads(private_jwk("ES256"))), "sign")


@pytest.mark.parametrize(("algorithm", "size"), [("ES256", 32), ("ES384", 48), ("ES512", 66)])
def test_a_coordinate_keeps_its_leading_zeros(algorithm: str, size: int) -> None:
    """RFC 7518 section 6.2.1.2; one key in 128 has one."""
    key, scalar = signing_key(pem_for(algorithm)).key, 1
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    while True:
        derived = ec.derive_private_key(scalar, key.curve)
        if derived.public_key().public_numbers().x.bit_length() <= 8 * (key.curve.key_size // 8 - 1):
            break
        scalar += 1
    jwk = public_jwk(pem_of(derived))
    assert [len(from_base64url(str(jwk[name])) or b"") for name in "xy"] == [size, size]
    assert public_key(jwk) == derived.public_key()


@given(st.binary(min_size=48, max_size=48))
def test_every_draw_of_entropy_makes_a_key_and_always_the_same(drawn: bytes) -> None:
    text = generated_key(lambda size: drawn[:size])
    key = signing_key(text).key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.private_numbers().private_value == int.from_bytes(drawn, "big") % (P256_ORDER - 1) + 1
    assert generated_key(lambda size: drawn[:size]) == text
    assert repr(text) == "Secret('***')"


def test_the_order_is_that_of_the_curve() -> None:
    """The last scalar gives the first one's point, mirrored."""
    first, last = (
        signing_key(generated_key(lambda size, drawn=drawn: drawn.to_bytes(size, "big"))).public_jwk
        for drawn in (0, P256_ORDER - 2)
    )
    assert first["x"] == last["x"]
    assert first["y"] != last["y"]


# --- JWTs ------------------------------------------------------------------------------------------------------------


@given(st.binary())
def test_base64url_is_the_standard_librarys_without_padding(data: bytes) -> None:
    assert base64url(data) == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert from_base64url(base64url(data)) == data


@given(st.text(alphabet="AZaz09-_+/=. \né"))
def test_only_what_base64url_writes_is_read(text: str) -> None:
    data = from_base64url(text)
    assert data is None or base64url(data) == text


def test_of_the_texts_for_the_same_bytes_only_one_is_read() -> None:
    assert [from_base64url(text) for text in ("AA", "AB", "AA==", "A", "A+", "A A", "AA\n")] == [b"\0"] + [None] * 6


def jwt_of(header: str, claims: str = "{}") -> str:
    """A JWT without a signature, of whatever text."""
    return f"{base64url(header.encode())}.{base64url(claims.encode())}."


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "three parts"),
        ("canary", "three parts"),
        ("e30.e30", "three parts"),
        ("e30.e30..", "three parts"),
        ("e30.e30.A", "three parts"),
        ("e30=.e30.", "three parts"),
        ("e30.e30.é", "three parts"),
        ("e30.e30.\ud800", "three parts"),
        (jwt_of("[]"), "header is no JSON object"),
        (jwt_of("canary"), "header is no JSON object"),
        (jwt_of("{}", "null"), "payload is no JSON object"),
        ("e30._w.", "payload is no JSON object"),
        (jwt_of("{}", '{"a":NaN}'), "payload is no JSON object"),
        (jwt_of("{}", '{"a":-Infinity}'), "payload is no JSON object"),
        (jwt_of("{}", '{"a":' + "9" * 5000 + "}"), "payload is no JSON object"),
        (jwt_of("{}", "[" * 200_000), "payload is no JSON object"),
        (jwt_of("{}", '{"a":1,"a":1}'), "names something twice"),
        (jwt_of('{"alg":"RS256","alg":"none"}'), "names something twice"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_jwt_is_told_so_and_not_shown(token: str, says: str) -> None:
    with pytest.raises(errors.RemoteProtocolError, match=says) as caught:
        read_jwt(token)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_jwt_is_taken_apart() -> None:
    text = jwt_of('{"alg":"none"}', '{"sub":"canary"}')
    assert read_jwt(text + "AA") == Jwt({"alg": "none"}, {"sub": "canary"}, text[:-1].encode(), b"\0")
    assert repr(read_jwt(text)) == "Jwt(***)"


def test_the_header_names_the_algorithm_that_signed() -> None:
    """Whatever further header is asked for."""
    token = sign_jwt({}, signing_key(pem_for("ES256")), {"alg": "none", "typ": "a+jwt"})
    assert read_jwt(token).header == {"typ": "a+jwt", "alg": "ES256"}


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)))
def test_what_is_signed_is_read_back(claims: dict[str, object]) -> None:
    key = signing_key(pem_for("EdDSA"))
    token = read_jwt(sign_jwt(claims, key))
    assert token.claims == claims
    assert is_signed(token.signed, token.signature, "EdDSA", public_key(key.public_jwk))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_signature_of_another_length_is_none(algorithm: str) -> None:
    key = public_key(public_jwk(private_jwk(algorithm)))
    assert not any(is_signed(b"a", b"\1" * size, algorithm, key) for size in (0, 1, 63, 64, 65, 256, 257))


def test_ed25519s_hash_is_sha_512() -> None:
    assert {name: hashlib.new(known.hash).name for name, known in keys.ALGORITHMS.items()} == {
        **{f"{kind}{bits}": f"sha{bits}" for kind in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)},
        "EdDSA": "sha512",
        "Ed25519": "sha512",
    }
