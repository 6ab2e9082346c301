"""id_tokens: every claim is checked, every key belongs to its algorithm, and forged key ids fetch nothing."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Env, Exclusive, Flow, Provider, Response, State, errors
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import Claims, Jwks, validate_id_token, verify_id_token
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
def test_these_claims_may_be_missing(name: str) -> None:
    assert name not in validated(id_token(without(name)))


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
    "azp null": ({**CLAIMS, "azp": None}, "azp is not this client"),
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
    "at_hash null": ({**CLAIMS, "at_hash": None}, "at_hash is not that"),
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
    said = refused(id_token(CLAIMS, key), provider=replace(PROVIDER, quirks=Quirks()))
    assert "signs with: RS256, ES256, PS256, EdDSA;" in said


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
    assert "0 keys for ES256 of the id_token's kid" in refused(id_token(header={"kid": "unknown"}), both)
    assert "2 keys for ES256 of the id_token's kid" in refused(
        id_token(), {"keys": [{**other, "kid": "k"}, *JWKS["keys"]]}
    )


def test_without_a_kid_exactly_one_key_has_to_fit() -> None:
    mine, other = public_jwk(pem_for("ES256"), kid="k"), public_jwk(pem_for("ES256", 1))
    token = id_token(header={})
    assert validated(token, {"keys": [mine]})["sub"] == "canary-user"
    assert validated(token, {"keys": [mine, public_jwk(rsa_pem()), {**other, "use": "enc"}]})["sub"] == "canary-user"
    assert "2 keys for ES256 without a kid" in refused(token, {"keys": [mine, other]})
    assert "0 keys for ES256 without a kid" in refused(token, {"keys": []})


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"alg": "ES384"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"kid": None},
    ],
)
def test_a_key_for_something_else_does_not_fit(members: dict[str, object]) -> None:
    assert "0 keys for ES256" in refused(id_token(), {"keys": [{**JWKS["keys"][0], **members}]})


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
        ({"kid": None}, "kid is no text"),
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
    from sansauth import Send, Timeouts

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
    with pytest.raises(errors.InvalidIdToken, match="0 keys"):
        verified(script, clock)


def test_keys_are_fetched_again_when_the_clock_was_set_back() -> None:
    script, clock = Script([keys_answer(JWKS), keys_answer(JWKS)]), Clock()
    verified(script, clock)
    clock.now -= 10
    verified(script, clock)
    assert len(script.sent) == 2


def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    script, clock = Script([keys_answer(OTHER), keys_answer(JWKS)]), Clock()
    with pytest.raises(errors.InvalidIdToken, match="0 keys"):
        verified(script, clock)
    clock.now += 60
    assert verified(script, clock).subject == "canary-user"
    assert len(script.sent) == 2


def test_forged_key_ids_fetch_no_more_than_once_a_minute() -> None:
    script, clock = Script([keys_answer(JWKS)] * 11), Clock()
    for second in range(600):
        clock.now = NOW + second
        with pytest.raises(errors.InvalidIdToken, match="0 keys"):
            verified(script, clock, id_token(header={"kid": f"forged-{second}"}))
    assert len(script.sent) == 10


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
        (id_token(key=signing_key(pem_for("ES384"))), replace(PROVIDER, quirks=Quirks())),
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
