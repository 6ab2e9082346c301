"""id_tokens: every claim is checked, every key belongs to its algorithm, and forged key ids fetch nothing."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Env, Exclusive, Flow, Provider, Response, Save, Send, State, errors
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import Claims, Jwks, validate_id_token, verify_id_token
from sansauth.oauth2.id_token import examine_id_token
from sansauth.oauth2.jwks import build_jwks_request, jwks_key, parse_jwks
from sansauth.oauth2.jws import sign_jwt
from sansauth.oauth2.keys import ALGORITHMS, SigningKey, base64url, public_key, secret_key, signing_key
from sansauth.provider import Quirks

from .jose_keys import ASYMMETRIC, pem_for, private_jwk, public_jwk, rsa_pem
from .support import Script, frames_of_ours, json_answer

NOW = 1_700_000_000.0
ISSUER = "https://op.example"
JWKS_URL = "https://op.example/keys"
EVERY = Quirks(algorithms=tuple(ALGORITHMS))
PROVIDER = Provider("An issuer", ISSUER, Endpoints(jwks=JWKS_URL), issuer=ISSUER, quirks=EVERY)
SECRET = "canary-secret-of-more-than-32-bytes"
CLIENT = OAuth2Client("a-client", SECRET)
NONCE = "canary-nonce"
ACCESS_TOKEN = "canary-access-token"
AT_HASH = base64url(hashlib.sha256(ACCESS_TOKEN.encode()).digest()[:16])

CLAIMS: dict[str, object] = {
    "iss": ISSUER,
    "sub": "canary-user",
    "aud": "a-client",
    "azp": "a-client",
    "exp": NOW + 300,
    "iat": NOW - 5,
    "nbf": NOW - 5,
    "auth_time": NOW - 10,
    "nonce": NONCE,
    "at_hash": AT_HASH,
}
KEY = signing_key(pem_for("ES256"))
JWKS = {"keys": [public_jwk(pem_for("ES256"), kid="k", use="sig", alg="ES256")]}


def id_token(
    claims: Mapping[str, object] = CLAIMS, key: SigningKey = KEY, header: Mapping[str, object] | None = None
) -> str:
    return sign_jwt(claims, key, {"kid": "k"} if header is None else header)


def without(name: str) -> dict[str, object]:
    return {claim: value for claim, value in CLAIMS.items() if claim != name}


def validated(token: str, keys: Jwks | Mapping[str, object] = JWKS, **changes: object) -> Claims:
    arguments: dict[str, object] = {
        "provider": PROVIDER,
        "now": NOW,
        "nonce": NONCE,
        "access_token": ACCESS_TOKEN,
        "max_age": 60,
        **changes,
    }
    client = arguments.pop("client", CLIENT)
    return validate_id_token(token, client, keys, **arguments)  # type: ignore[arg-type]


def refused(token: str, keys: Jwks | Mapping[str, object] = JWKS, **changes: object) -> str:
    with pytest.raises(errors.InvalidIdToken) as caught:
        validated(token, keys, **changes)
    said = str(caught.value)
    assert not [planted for planted in ("canary", token) if planted and planted in said]
    assert caught.value.__context__ is None
    return said


# --- what is accepted ------------------------------------------------------------------------------------------------


def test_the_claims_of_a_good_token_are_read() -> None:
    claims = validated(id_token())
    assert dict(claims) == CLAIMS
    assert claims.subject == claims["sub"] == "canary-user"
    assert claims == CLAIMS
    assert len(claims) == len(CLAIMS)
    assert "email" not in claims
    assert repr(claims) == "<Claims iss, sub, aud, azp, exp, iat, nbf, auth_time, nonce, at_hash>"


def test_claims_cannot_be_changed() -> None:
    mine = dict(CLAIMS)
    claims = Claims(mine)
    mine["sub"] = "another"
    assert claims.subject == "canary-user"
    with pytest.raises(TypeError):
        claims["sub"] = "another"  # type: ignore[index]
    with pytest.raises(AttributeError):
        claims.sub = "another"  # type: ignore[attr-defined]


def test_pyjwts_own_token_is_good() -> None:
    token = jwt.encode({**CLAIMS, "exp": NOW + 1, "iat": NOW}, pem_for("ES256"), "ES256", {"kid": "k"})
    assert validated(token)["sub"] == "canary-user"


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_each_algorithm_is_verified_by_a_key_of_its_kind(algorithm: str) -> None:
    digest = hashlib.new(ALGORITHMS[algorithm].hash, ACCESS_TOKEN.encode()).digest()
    claims = {**CLAIMS, "at_hash": base64url(digest[: len(digest) // 2])}
    token = id_token(claims, signing_key(private_jwk(algorithm)))
    assert validated(token, {"keys": [public_jwk(private_jwk(algorithm), kid="k")]})["sub"] == "canary-user"


@pytest.mark.parametrize("bits", [256, 384, 512])
def test_a_clients_secret_verifies_an_hmac(bits: int) -> None:
    digest = hashlib.new(f"sha{bits}", ACCESS_TOKEN.encode()).digest()
    claims = {**CLAIMS, "at_hash": base64url(digest[: len(digest) // 2])}
    key = SigningKey(f"HS{bits}", SECRET.encode())
    assert validated(id_token(claims, key), {"keys": []})["sub"] == "canary-user"
    assert "signature" in refused(id_token(claims, SigningKey(f"HS{bits}", b"another secret")), {"keys": []})


@pytest.mark.parametrize("audience", ["a-client", ["a-client"], ["a-client", "another"], ["another", "a-client"]])
def test_the_audience_is_a_text_or_a_list(audience: object) -> None:
    assert validated(id_token({**CLAIMS, "aud": audience}))["aud"] == audience


@pytest.mark.parametrize("name", ["azp", "nbf", "at_hash"])
def test_these_claims_may_be_missing_or_null(name: str) -> None:
    assert name not in validated(id_token(without(name)))
    assert validated(id_token({**CLAIMS, name: None}))[name] is None


@pytest.mark.parametrize(
    ("parties", "names"),
    [
        (["an-app"], {"azp": "an-app"}),  # Google: the Android client has obtained it for the server's
        (("an-app",), {"aud": ["a-client"], "azp": "an-app"}),
        ({"another", "third"}, {"aud": ["third", "a-client", "another"], "azp": None}),
        (["another"], {"aud": ["a-client", "another"], "azp": "another"}),
        (["unheard-of"], {"aud": ["a-client", "another"]}),  # azp is this client
    ],
)
def test_others_that_are_trusted_may_be_named(parties: Collection[str], names: dict[str, object]) -> None:
    assert validated(id_token({**CLAIMS, **names}), trusted_parties=parties)["sub"] == "canary-user"
    script = Script([keys_answer(JWKS)])
    assert verified(script, Clock(), id_token({**CLAIMS, **names}), trusted_parties=parties)["sub"] == "canary-user"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"azp": "another"}, "azp is not this client"),
        ({"aud": ["a-client", "an-app", "another"], "azp": None}, "azp does not say who it is for"),
        ({"aud": "an-app", "azp": "an-app"}, "aud does not name this client"),
        ({"aud": ["an-app"], "azp": "a-client"}, "aud does not name this client"),
    ],
)
def test_others_that_are_not_trusted_may_not(names: dict[str, object], says: str) -> None:
    assert says in refused(id_token({**CLAIMS, **names}), trusted_parties=["an-app"])
    with pytest.raises(errors.InvalidIdToken, match=says):
        verified(Script([keys_answer(JWKS)]), Clock(), id_token({**CLAIMS, **names}), trusted_parties=["an-app"])


def test_one_text_is_no_list_of_trusted_parties() -> None:
    """Of which every part would be one."""
    for attempt in (validated, lambda token, **parties: verified(Script(), Clock(), token, **parties)):
        with pytest.raises(errors.InvalidParameter, match="not one str"):
            attempt(id_token({**CLAIMS, "azp": "app"}), trusted_parties="an-app")


def test_what_was_not_asked_for_is_not_checked() -> None:
    claims = {"iss": ISSUER, "sub": "u", "aud": "a-client", "exp": NOW + 1, "iat": NOW}
    assert validated(id_token(claims), nonce=None, access_token=None, max_age=None) == claims
    other = {**CLAIMS, "nonce": "other", "at_hash": "other", "auth_time": "other"}
    assert validated(id_token(other), nonce=None, access_token=None, max_age=None) == other


# --- every claim, changed alone --------------------------------------------------------------------------------------

OF_ANOTHER = "aud does not name this client"
MUTATIONS: dict[str, tuple[dict[str, object], str]] = {
    "no iss": (without("iss"), "iss is not the issuer https://op.example"),
    "another iss": ({**CLAIMS, "iss": "https://evil.example"}, "iss is not the issuer"),
    "iss with a slash": ({**CLAIMS, "iss": ISSUER + "/"}, "iss is not the issuer"),
    "iss in capitals": ({**CLAIMS, "iss": "https://OP.example"}, "iss is not the issuer"),
    "iss in a list": ({**CLAIMS, "iss": [ISSUER]}, "iss is not the issuer"),
    "no sub": (without("sub"), "has no sub"),
    "empty sub": ({**CLAIMS, "sub": ""}, "has no sub"),
    "sub a number": ({**CLAIMS, "sub": 1}, "has no sub"),
    "no aud": (without("aud"), OF_ANOTHER),
    "another aud": ({**CLAIMS, "aud": "another"}, OF_ANOTHER),
    "aud within": ({**CLAIMS, "aud": "not-a-client"}, OF_ANOTHER),
    "aud empty": ({**CLAIMS, "aud": []}, OF_ANOTHER),
    "aud of others": ({**CLAIMS, "aud": ["another", "and another"]}, OF_ANOTHER),
    "aud an object": ({**CLAIMS, "aud": {"a-client": 1}}, OF_ANOTHER),
    "aud with a number": ({**CLAIMS, "aud": ["a-client", 1]}, OF_ANOTHER),
    "aud a list, no azp": ({**without("azp"), "aud": ["a-client", "another"]}, "azp does not say who it is for"),
    "another azp": ({**CLAIMS, "azp": "another"}, "azp is not this client"),
    "azp empty": ({**CLAIMS, "azp": ""}, "azp is not this client"),
    "azp in a list": ({**CLAIMS, "azp": ["a-client"]}, "azp is not this client"),
    "another azp of a list": ({**CLAIMS, "aud": ["a-client", "another"], "azp": "another"}, "azp is not this client"),
    "no exp": (without("exp"), "exp is missing"),
    "expired": ({**CLAIMS, "exp": NOW - 60}, "has expired"),
    "exp a text": ({**CLAIMS, "exp": str(NOW + 300)}, "exp is missing, or no time"),
    "exp true": ({**CLAIMS, "exp": True}, "exp is missing, or no time"),
    "exp in milliseconds": ({**CLAIMS, "exp": (NOW + 300) * 1000}, "exp is missing, or no time"),
    "exp infinite": ({**CLAIMS, "exp": 10**400}, "exp is missing, or no time"),
    "exp before 1970": ({**CLAIMS, "exp": -1}, "exp is missing, or no time"),
    "no iat": (without("iat"), "iat is missing"),
    "iat in the future": ({**CLAIMS, "iat": NOW + 61}, "iat is in the future"),
    "iat null": ({**CLAIMS, "iat": None}, "iat is missing, or no time"),
    "not valid yet": ({**CLAIMS, "nbf": NOW + 61}, "not valid yet"),
    "nbf a text": ({**CLAIMS, "nbf": "now"}, "nbf is missing, or no time"),
    "no nonce": (without("nonce"), "nonce is not the one"),
    "another nonce": ({**CLAIMS, "nonce": "another"}, "nonce is not the one"),
    "nonce a number": ({**CLAIMS, "nonce": 1}, "nonce is not the one"),
    "nonce of no unicode": ({**CLAIMS, "nonce": "\ud800"}, "nonce is not the one"),
    "another at_hash": ({**CLAIMS, "at_hash": base64url(bytes(16))}, "at_hash is not that"),
    "the whole hash": (
        {**CLAIMS, "at_hash": base64url(hashlib.sha256(ACCESS_TOKEN.encode()).digest())},
        "at_hash is not that",
    ),
    "at_hash empty": ({**CLAIMS, "at_hash": ""}, "at_hash is not that"),
    "no auth_time": (without("auth_time"), "auth_time is missing"),
    "auth_time long ago": ({**CLAIMS, "auth_time": NOW - 121}, "not within max_age"),
    "auth_time to come": ({**CLAIMS, "auth_time": NOW + 61}, "not within max_age"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_claim_that_is_wrong_is_refused_by_its_name(name: str) -> None:
    claims, says = MUTATIONS[name]
    assert says in refused(id_token(claims))


@pytest.mark.parametrize(
    ("claim", "value"),
    [("exp", NOW - 59), ("iat", NOW + 60), ("nbf", NOW + 60), ("auth_time", NOW + 60), ("auth_time", NOW - 120)],
)
def test_two_clocks_may_differ_by_a_minute(claim: str, value: float) -> None:
    assert validated(id_token({**CLAIMS, claim: value}))[claim] == value


def test_a_provider_without_an_issuer_cannot_verify() -> None:
    with pytest.raises(errors.LocalProtocolError, match="has no issuer"):
        validated(id_token(), provider=replace(PROVIDER, issuer=None))


# --- the header, the signature and the key ---------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["none", "None", "", "RS1", None, ["ES256"], {"ES256": 1}, 1])
def test_an_algorithm_that_is_none_of_the_providers_is_refused(algorithm: object) -> None:
    header = base64url(json.dumps({"alg": algorithm, "kid": "k"}).encode())
    signed = f"{header}.{base64url(json.dumps(CLAIMS).encode())}"
    for signature in (b"", KEY.sign(signed.encode())):
        listed = replace(PROVIDER, quirks=Quirks(algorithms=("none", "None", "", "RS1", "ES256")))
        for provider in (PROVIDER, listed):
            assert "alg is none that An issuer signs with" in refused(
                f"{signed}.{base64url(signature)}", provider=provider
            )


@pytest.mark.parametrize("algorithm", ["HS256", "RS512"])
def test_an_algorithm_that_is_not_listed_is_refused(algorithm: str) -> None:
    key = secret_key(SECRET) if algorithm == "HS256" else signing_key(private_jwk(algorithm))
    said = refused(id_token(CLAIMS, key), provider=replace(PROVIDER, quirks=Quirks(algorithms=("RS256", "ES256"))))
    assert f"signs with: RS256, ES256; it is {algorithm}. Where the service does sign by it, list it" in said
    said = refused(id_token(CLAIMS, key), provider=replace(PROVIDER, quirks=Quirks(algorithms=())))
    assert f"signs with: none is allowed; it is {algorithm}." in said


def test_unless_it_says_otherwise_a_service_signs_by_any_public_key_and_by_no_secret() -> None:
    assert sorted(Quirks().algorithms) == sorted(ASYMMETRIC)
    plain = replace(PROVIDER, quirks=Quirks())
    for algorithm in ASYMMETRIC:
        token = id_token(without("at_hash"), signing_key(private_jwk(algorithm)))
        keys = {"keys": [public_jwk(private_jwk(algorithm), kid="k")]}
        assert validated(token, keys, provider=plain)["sub"] == "canary-user"
    assert "it is HS256." in refused(id_token(CLAIMS, secret_key(SECRET)), provider=plain)


@pytest.mark.parametrize("listed", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("signed", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("published", ["EdDSA", "Ed25519", None])
def test_ed25519_has_two_names(listed: str, signed: str, published: str | None) -> None:
    """RFC 8037 and RFC 9864 section 2.2."""
    key = signing_key(private_jwk(signed))
    assert key.algorithm == signed
    token = id_token(without("at_hash"), key)
    assert jwt.get_unverified_header(token)["alg"] == signed
    provider = replace(PROVIDER, quirks=Quirks(algorithms=(listed,)))
    keys = {"keys": [public_jwk(private_jwk(signed), kid="k", alg=published)]}
    assert validated(token, keys, provider=provider)["sub"] == "canary-user"


@pytest.mark.parametrize("confused", ["pem", "der", "jwk", "n"])
@pytest.mark.parametrize("secret", [SECRET, None])
def test_a_public_key_is_no_secret(confused: str, secret: str | None) -> None:
    """The classic: HS256 with the text of the RSA public key for a secret, as everybody knows it."""
    jwk = public_jwk(rsa_pem(), kid="k")
    public = public_key(jwk)
    encoding = serialization.Encoding.PEM if confused == "pem" else serialization.Encoding.DER
    info = public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)  # type: ignore[union-attr]
    known = {"pem": info, "der": info, "jwk": json.dumps(jwk).encode(), "n": str(jwk["n"]).encode()}[confused]
    header = base64url(b'{"alg":"HS256","kid":"k"}')
    signed = f"{header}.{base64url(json.dumps(CLAIMS).encode())}"
    forged = f"{signed}.{base64url(hmac.digest(known, signed.encode(), 'sha256'))}"
    said = refused(forged, {"keys": [jwk]}, client=OAuth2Client("a-client", secret))
    assert ("signature" if secret else "this client has none") in said
    published = {"kty": "oct", "k": base64.urlsafe_b64encode(known).decode(), "kid": "k"}
    assert "signature" in refused(forged, {"keys": [published]})


@pytest.mark.parametrize("algorithm", ["none", None, ["ES256"], {"ES256": 1}])
def test_without_keys_an_algorithm_that_is_none_is_refused_too(algorithm: object) -> None:
    header = base64url(json.dumps({"alg": algorithm}).encode())
    with pytest.raises(errors.InvalidIdToken, match="alg is none that is known here"):
        examine_id_token(f"{header}.{base64url(json.dumps(CLAIMS).encode())}.", CLIENT, provider=PROVIDER, now=NOW)


def test_any_part_that_was_changed_is_refused() -> None:
    header, claims, signature = id_token().split(".")
    other = base64url(json.dumps({**CLAIMS, "sub": "someone else"}).encode())
    assert "signature" in refused(f"{header}.{other}.{signature}")
    reworded = base64url(b'{"alg":"ES256"}')
    assert "signature" in refused(f"{reworded}.{claims}.{signature}")
    assert "signature" in refused(f"{header}.{claims}.{base64url(bytes(64))}")
    assert "signature" in refused(f"{header}.{claims}.")


def test_the_key_is_the_one_that_the_kid_names() -> None:
    other = public_jwk(pem_for("ES256", 1), kid="other")
    both = {"keys": [other, *JWKS["keys"]]}
    assert validated(id_token(), both)["sub"] == "canary-user"
    assert "signature" in refused(id_token(header={"kid": "other"}), both)
    assert "no key for ES256 of the id_token's kid" in refused(id_token(header={"kid": "unknown"}), both)
    nameless = {name: value for name, value in JWKS["keys"][0].items() if name != "kid"}
    assert "signature" in refused(id_token(header={"kid": "other"}), {"keys": [nameless, other]})


@pytest.mark.parametrize("kid", ["absent", None, "", 0])
def test_keys_without_a_kid_may_be_any(kid: object) -> None:
    named = {} if kid == "absent" else {"kid": kid}
    mine = {**{name: value for name, value in JWKS["keys"][0].items() if name != "kid"}, **named}
    other = public_jwk(pem_for("ES256", 1), **named)
    for token in (id_token(), id_token(header={})):
        assert validated(token, {"keys": [mine]})["sub"] == "canary-user"
        assert validated(token, {"keys": [other, mine]})["sub"] == "canary-user"
        assert "signature" in refused(token, {"keys": [other]})


@pytest.mark.parametrize("header", [{}, {"kid": None}, {"kid": ""}])
def test_without_a_kid_all_keys_that_fit_are_tried(header: dict[str, object]) -> None:
    mine, other = public_jwk(pem_for("ES256"), kid="k"), public_jwk(pem_for("ES256", 1), kid="other")
    token = id_token(header=header)
    for keys in ([mine], [mine, other], [other, public_jwk(rsa_pem()), {"kty": "EC", "crv": "P-256"}, mine]):
        assert validated(token, {"keys": keys})["sub"] == "canary-user"
    assert "signature" in refused(token, {"keys": [other, {**mine, "use": "enc"}]})
    assert refused(token, {"keys": []}).endswith("has no key for ES256")


def test_a_key_that_is_listed_twice_counts_once() -> None:
    """Or two of the same kid, as a service has while it rotates its keys."""
    (mine,), other = JWKS["keys"], public_jwk(pem_for("ES256", 1), kid="k")
    for keys in ([mine, mine], [other, mine], [mine, other]):
        assert validated(id_token(), {"keys": keys})["sub"] == "canary-user"
    assert "signature" in refused(id_token(), {"keys": [other, other]})


def test_of_keys_without_end_only_the_first_are_tried() -> None:
    (mine,), other = JWKS["keys"], public_jwk(pem_for("ES256", 1), kid="k")
    assert validated(id_token(), {"keys": [other] * 15 + [mine]})["sub"] == "canary-user"
    assert "signature" in refused(id_token(), {"keys": [other] * 16 + [mine]})


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"alg": "ES384"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"alg": "ES256K"},
        {"alg": ["ES256"]},
        {"kid": "K"},
        {"kid": 1},
    ],
)
def test_a_key_for_something_else_does_not_fit(members: dict[str, object]) -> None:
    assert "no key for ES256" in refused(id_token(), {"keys": [{**JWKS["keys"][0], **members}]})


@pytest.mark.parametrize(
    "members",
    [{"alg": None}, {"alg": ""}, {"use": None}, {"use": ""}, {"key_ops": None}, {"key_ops": []}, {"x5c": None}],
)
def test_a_member_that_says_nothing_is_as_good_as_missing(members: dict[str, object]) -> None:
    assert validated(id_token(), {"keys": [{**JWKS["keys"][0], **members}]})["sub"] == "canary-user"


def test_a_key_that_may_do_more_fits() -> None:
    assert validated(id_token(), {"keys": [{**JWKS["keys"][0], "key_ops": ["sign", "verify"]}]})


@pytest.mark.parametrize("members", [{"x": "AA"}, {"x": 1}, {"y": None}])
def test_a_key_that_is_none_is_told(members: dict[str, object]) -> None:
    assert "for the id_token's ES256 cannot be used" in refused(id_token(), {"keys": [{**JWKS["keys"][0], **members}]})


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"kid": "k", "crit": ["exp"]}, "crit"),
        ({"kid": "k", "crit": []}, "crit"),
        ({"kid": "k", "crit": ["b64"], "b64": False}, "crit"),
        ({"kid": 1}, "kid is no text"),
        ({"kid": ["k"]}, "kid is no text"),
        ({"kid": "k", "typ": "at+jwt"}, "typ says that it is a JWT of another kind"),
        ({"kid": "k", "typ": "application/AT+JWT"}, "typ says that it is a JWT of another kind"),
        ({"kid": "k", "typ": "dpop+jwt"}, "typ says that it is a JWT of another kind"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(header: dict[str, object], says: str) -> None:
    assert says in refused(id_token(header=header))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "application/jwt", ""])
def test_the_usual_types_are_accepted(typ: str) -> None:
    assert validated(id_token(header={"kid": "k", "typ": typ}))


@pytest.mark.parametrize("keys", [{}, {"keys": {}}, {"keys": None}])
def test_what_is_no_jwks_is_told(keys: dict[str, object]) -> None:
    with pytest.raises(errors.RemoteProtocolError, match='list of "keys"'):
        validated(id_token(), keys)


def test_no_frame_shows_what_was_given() -> None:
    token = str(id_token({**CLAIMS, "iss": "another"}))
    with pytest.raises(errors.InvalidIdToken) as caught:
        validated(token)
    ours = frames_of_ours(caught.value)
    assert len(ours) > 1
    assert not [frame for frame in ours if "canary" in repr(frame.f_locals) or token in repr(frame.f_locals)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_no_text_crashes_the_validator(text: str) -> None:
    with pytest.raises(errors.InvalidIdToken):
        validated(text)


@given(st.sampled_from(sorted(CLAIMS)), JSON)
def test_no_value_of_a_claim_crashes_the_validator(name: str, value: object) -> None:
    with contextlib.suppress(errors.InvalidIdToken):
        assert validated(id_token({**CLAIMS, name: value}))


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x5c", "b64"]), JSON))
def test_no_header_crashes_the_validator(header: dict[str, object]) -> None:
    signed = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "ES256", **header}, CLAIMS))
    with contextlib.suppress(errors.InvalidIdToken):
        assert validated(f"{signed}.{base64url(KEY.sign(signed.encode()))}")


@given(
    st.lists(st.dictionaries(st.sampled_from(["kty", "crv", "kid", "x", "y", "use", "alg", "key_ops"]), JSON) | JSON)
)
def test_no_jwks_crashes_the_validator(keys: list[object]) -> None:
    jwk = {"kty": "EC", "crv": "P-256", "kid": "k"}
    for published in (keys, [{**jwk, **key} for key in keys if isinstance(key, dict)]):
        with pytest.raises(errors.InvalidIdToken):
            validated(id_token(), {"keys": published})


# --- the service's keys, fetched -------------------------------------------------------------------------------------

OTHER = {"keys": [public_jwk(pem_for("ES256", 1), kid="other")]}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW
        self.env = Env(clock=lambda: self.now, entropy=bytes)


def verified(script: Script, clock: Clock, token: str | None = None, **changes: object) -> Claims:
    arguments: dict[str, object] = {"provider": PROVIDER, "env": clock.env, "nonce": NONCE, **changes}
    current = id_token({**CLAIMS, "exp": clock.now + 300})
    return script.run(verify_id_token(CLIENT, token or current, **arguments))  # type: ignore[arg-type]


def keys_answer(document: object) -> Response:
    return json_answer(200, document, ("content-type", "application/jwk-set+json"))


def test_the_keys_are_fetched_once_and_kept_in_memory() -> None:
    script, clock = Script([keys_answer(JWKS)]), Clock()
    for _ in range(3):
        assert verified(script, clock, access_token=ACCESS_TOKEN, max_age=60).subject == "canary-user"
    (request,) = script.sent
    assert (request.method, request.url) == ("GET", JWKS_URL)
    assert "authorization" not in request.headers
    assert list(script.records) == ["mem:jwks/https%3A%2F%2Fop.example%2Fkeys"]
    assert script.log == ["Load", "Exclusive", "  Load", "  Send", "  Save", "Load", "Load"]


def test_the_timeouts_bound_the_fetch() -> None:
    from sansauth import Timeouts

    limits = Timeouts(total=3)
    flow = Flow(verify_id_token(CLIENT, id_token(), provider=PROVIDER, env=Clock().env, timeouts=limits))
    flow.resume(None)
    body = flow.body()
    body.resume(None)
    assert body.effect == Send(build_jwks_request(PROVIDER), limits)


def test_keys_are_fetched_again_when_they_are_old() -> None:
    script, clock = Script([keys_answer(JWKS), keys_answer(JWKS)]), Clock()
    verified(script, clock)
    clock.now += 3599
    verified(script, clock)
    assert len(script.sent) == 1
    clock.now += 1
    verified(script, clock)
    assert len(script.sent) == 2


def test_a_key_that_the_service_has_taken_back_stops_to_count() -> None:
    script, clock = Script([keys_answer(JWKS), keys_answer(OTHER)]), Clock()
    verified(script, clock)
    clock.now += 3600
    with pytest.raises(errors.InvalidIdToken, match="no key"):
        verified(script, clock)


OUTAGES: list[Response | Exception] = [
    errors.TimedOut("slow"),
    Response(503),
    Response(429),
    Response(403, {"content-type": "text/html"}, b"<html>"),
    Response(302, {"location": "https://elsewhere.example/"}),
    Response(200, {"content-type": "text/html"}, b"<html>"),
    json_answer(200, {}),
]


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: str(getattr(outage, "status", "timeout")))
def test_while_the_keys_cannot_be_fetched_old_ones_do_for_some_hours(outage: Response | Exception) -> None:
    script, clock = Script([keys_answer(JWKS), *[outage] * 3]), Clock()
    verified(script, clock)
    for age in (3600, 14_399):
        clock.now = NOW + age
        assert verified(script, clock).subject == "canary-user"
    assert len(script.sent) == 3
    clock.now = NOW + 14_400
    with pytest.raises(type(outage) if isinstance(outage, Exception) else errors.SansauthError):
        verified(script, clock)
    script.answers = [keys_answer(JWKS)]
    assert verified(script, clock).subject == "canary-user"


def test_during_an_outage_the_service_is_asked_once_a_minute() -> None:
    script, clock = Script([keys_answer(JWKS), *[Response(503)] * 10]), Clock()
    verified(script, clock)
    for second in range(600):
        clock.now = NOW + 3600 + second
        assert verified(script, clock).subject == "canary-user"
        with pytest.raises(errors.InvalidIdToken, match="no key"):
            verified(script, clock, id_token({**CLAIMS, "exp": clock.now + 9}, header={"kid": "forged"}))
    assert len(script.sent) == 11


def test_old_keys_are_no_substitute_for_a_new_one() -> None:
    script, clock = Script([keys_answer(OTHER), Response(503)]), Clock()
    with pytest.raises(errors.InvalidIdToken, match="no key"):
        verified(script, clock)
    clock.now += 3600
    with pytest.raises(errors.ServiceUnavailable):
        verified(script, clock)


def test_old_keys_of_a_clock_that_was_set_back_do_not_count() -> None:
    script, clock = Script([keys_answer(JWKS), Response(503)]), Clock()
    verified(script, clock)
    clock.now -= 10
    with pytest.raises(errors.ServiceUnavailable):
        verified(script, clock)


def test_while_one_fetches_others_go_on_with_old_keys_and_wait_for_new_ones() -> None:
    script, clock = Script([keys_answer(JWKS)]), Clock()
    verified(script, clock)
    clock.now += 3600
    token = id_token({**CLAIMS, "exp": clock.now + 300})
    first = Flow(verify_id_token(CLIENT, token, provider=PROVIDER, env=clock.env))
    first.resume(script.records[jwks_key(PROVIDER)])
    body = first.body()
    body.resume(script.records[jwks_key(PROVIDER)])
    assert isinstance(body.effect, Save)
    body.resume(script.save(body.effect.key, body.effect.data, body.effect.expected))
    assert isinstance(body.effect, Send)
    script.log.clear()
    assert verified(script, clock).subject == "canary-user"
    assert script.log == ["Load"]
    script.log.clear()
    script.while_waiting = lambda _: (
        body.receive(keys_answer({"keys": [*JWKS["keys"], *OTHER["keys"]]})),
        body.resume(script.save(body.effect.key, body.effect.data, body.effect.expected)),  # type: ignore[attr-defined]
    )
    theirs = id_token(
        key=signing_key(pem_for("ES256", 1)), claims=json.loads(_claims_of(token)), header={"kid": "other"}
    )
    assert verified(script, clock, theirs).subject == "canary-user"
    assert script.log == ["Load", "Exclusive", "  Load"]


def _claims_of(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


@pytest.mark.parametrize("kid", ["k", None])
def test_a_new_key_under_an_old_kid_is_fetched_when_a_signature_is_not_the_old_ones(kid: str | None) -> None:
    old, new = ({"keys": [public_jwk(pem, kid=kid)]} for pem in (pem_for("ES256", 1), pem_for("ES256")))
    script, clock = Script([keys_answer(old), keys_answer(new)]), Clock()
    assert (
        verified(script, clock).subject == "canary-user"
    )  # though the keys are a moment old: they may rotate any time
    assert verified(script, clock).subject == "canary-user"
    assert len(script.sent) == 2


def test_forged_signatures_fetch_once_and_then_no_more_than_once_a_minute() -> None:
    script, clock = Script([keys_answer(JWKS)] * 11), Clock()
    for second in range(600):
        clock.now = NOW + second
        with pytest.raises(errors.InvalidIdToken, match="signature"):
            verified(script, clock, id_token(key=signing_key(pem_for("ES256", 1))))
    assert len(script.sent) == 11


def test_keys_are_fetched_again_when_the_clock_was_set_back() -> None:
    script, clock = Script([keys_answer(JWKS), keys_answer(JWKS)]), Clock()
    verified(script, clock)
    clock.now -= 10
    verified(script, clock)
    assert len(script.sent) == 2


def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    script, clock = Script([keys_answer(OTHER), keys_answer(JWKS)]), Clock()
    with pytest.raises(errors.InvalidIdToken, match="no key"):
        verified(script, clock)
    clock.now += 60
    assert verified(script, clock).subject == "canary-user"
    assert len(script.sent) == 2


def test_forged_key_ids_fetch_once_and_then_no_more_than_once_a_minute() -> None:
    script, clock = Script([keys_answer(JWKS)] * 11), Clock()
    for second in range(600):
        clock.now = NOW + second
        with pytest.raises(errors.InvalidIdToken, match="no key"):
            verified(script, clock, id_token(header={"kid": f"forged-{second}"}))
    assert len(script.sent) == 11


def test_forged_key_ids_do_not_hammer_a_service_that_fails() -> None:
    script, clock = Script([keys_answer(JWKS), *[Response(503)] * 2]), Clock()
    verified(script, clock)
    outcomes = []
    for second in range(60, 120):
        clock.now = NOW + second
        with pytest.raises(errors.SansauthError) as caught:
            verified(script, clock, id_token(header={"kid": "forged"}))
        outcomes.append(type(caught.value).__name__)
    assert outcomes == ["ServiceUnavailable"] + ["InvalidIdToken"] * 59
    assert verified(script, clock).subject == "canary-user"


@pytest.mark.parametrize(
    ("token", "provider"),
    [
        ("canary", PROVIDER),
        (id_token(header={"kid": "k", "crit": ["a"]}), PROVIDER),
        (id_token(key=signing_key(pem_for("ES384"))), replace(PROVIDER, quirks=Quirks(algorithms=("ES256",)))),
        (id_token(key=secret_key("another secret")), PROVIDER),
    ],
    ids=["no JWT", "crit", "alg", "HMAC"],
)
def test_a_token_that_no_key_can_save_fetches_none(token: str, provider: Provider) -> None:
    script = Script()
    with pytest.raises(errors.InvalidIdToken):
        verified(script, Clock(), token, provider=provider)
    assert script.log == []


def test_a_token_signed_with_the_clients_secret_needs_no_keys() -> None:
    script = Script()
    assert verified(script, Clock(), id_token(key=secret_key(SECRET))).subject == "canary-user"
    assert script.log == []


def test_of_two_who_wait_for_the_keys_one_fetches_them() -> None:
    clock, first = Clock(), Script([keys_answer(JWKS)])
    verified(first, clock)
    second = Script(while_waiting=lambda script: script.records.update(first.records))
    assert verified(second, clock).subject == "canary-user"
    assert second.log == ["Load", "Exclusive", "  Load"]


def test_a_save_that_comes_late_does_not_matter() -> None:
    clock = Clock()
    flow = Flow(verify_id_token(CLIENT, id_token(), provider=PROVIDER, env=clock.env))
    flow.resume(None)
    assert isinstance(flow.effect, Exclusive)
    body = flow.body()
    body.resume(None)
    body.receive(keys_answer(JWKS))
    body.fail(errors.Conflict("changed"))
    flow.resume(body.result)
    assert flow.state is State.DONE


def test_two_issuers_of_one_origin_do_not_share_keys() -> None:
    realms = [replace(PROVIDER, endpoints=Endpoints(jwks=f"{ISSUER}/{realm}/keys")) for realm in ("a", "b")]
    assert jwks_key(realms[0]) != jwks_key(realms[1])


def test_an_answer_that_is_no_jwks_is_told() -> None:
    with pytest.raises(errors.NotFound):
        parse_jwks(Response(404), PROVIDER)
    with pytest.raises(errors.RemoteProtocolError, match="expected JSON"):
        parse_jwks(Response(200, (), b"<html>"), PROVIDER)
    with pytest.raises(errors.RemoteProtocolError, match='list of "keys"'):
        parse_jwks(json_answer(200, ["keys"]), PROVIDER)
    keys = parse_jwks(json_answer(200, {"keys": [1, {"kty": "new"}]}), PROVIDER)
    assert keys == Jwks(({"kty": "new"},))
    assert repr(keys) == "Jwks(<1 keys>)"


def test_a_provider_without_keys_is_told() -> None:
    with pytest.raises(errors.LocalProtocolError, match="no endpoint 'jwks'"):
        verified(Script(), Clock(), provider=replace(PROVIDER, endpoints=Endpoints()))
