"""OAuth 2 at the sandbox with keys: clients that sign, tokens bound to a key, id_tokens. Signed here with PyJWT."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from sansauth.http import Request, Response, build_request
from sansauth.identity import OAuth2Client
from sansauth.testing import Sandbox, fixed_env
from sansauth.testing.oauth2_jws import read_jws, thumbprint, verifies

from .test_purity import run_python
from .test_sandbox_oauth2 import (
    BASE,
    CALLBACK,
    INTROSPECT,
    ME,
    NOW,
    SCOPES,
    TOKEN,
    VERIFIER,
    Clock,
    answered,
    authorize_url,
    call,
    clock,
    code_of,
    error,
    exchange,
    log_in,
    post,
    refresh,
    sandbox,
)
from .test_sandbox_oauth2_endpoints import PAR, REGISTER, document, push

__all__ = ["clock", "sandbox"]  # fixtures

USERINFO = f"{BASE}/2/oauth2/userinfo"
JWKS = f"{BASE}/2/oauth2/jwks"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

EC = ec.derive_private_key(7, ec.SECP256R1())
OTHER = ec.derive_private_key(8, ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
RSA = rsa.generate_private_key(65537, 2048)


def pem(key: object) -> str:
    assert isinstance(
        key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public(key: ec.EllipticCurvePrivateKey = EC) -> dict[str, str]:
    read: dict[str, str] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    return read


def hashed(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


# --- clients that sign (RFC 7523) ------------------------------------------------------------------------------------


def assertion(client: OAuth2Client, key: object = EC, alg: str = "ES256", /, **changes: object) -> str:
    claims: dict[str, object] = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": TOKEN,
        "exp": int(NOW) + 60,
        "iat": int(NOW),
        "jti": "one",
    }
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(kept, key, alg)  # type: ignore[arg-type]


def by_assertion(sandbox: Sandbox, text: str, url: str = TOKEN, **form: str) -> Response:
    fields = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": text}
    return post(sandbox, url, None, **fields | form)


@pytest.fixture
def signer(sandbox: Sandbox) -> OAuth2Client:
    return sandbox.add_client(OAuth2Client("signer", private_key=pem(EC), key_id="k1"))


@pytest.mark.parametrize(("key", "alg"), [(EC, "ES256"), (ED, "EdDSA"), (RSA, "RS256"), (RSA, "PS256")])
def test_a_client_signs_with_its_private_key(sandbox: Sandbox, key: object, alg: str) -> None:
    client = sandbox.add_client(OAuth2Client("signer", private_key=pem(key)))
    assert by_assertion(sandbox, assertion(client, key, alg)).status == 200
    assert by_assertion(sandbox, assertion(client, key, alg, jti="two"), client_id="signer").status == 200
    assert b"PRIVATE" not in repr(sandbox.oauth2.clients["signer"]).encode()
    assert not {"d", "p", "q"} & set(sandbox.oauth2.clients["signer"].keys[0])


def test_a_key_of_another_kind_is_no_clients(sandbox: Sandbox) -> None:
    key = dsa.generate_private_key(1024)
    with pytest.raises(ValueError, match="RSA, EC or Ed25519"):
        sandbox.add_client(OAuth2Client("signer", private_key=pem(key)))


def test_a_client_signs_with_its_secret(sandbox: Sandbox) -> None:
    secret = "s" * 32
    client = sandbox.add_client(OAuth2Client("by-secret", secret, auth="client_secret_jwt"))
    assert by_assertion(sandbox, assertion(client, secret, "HS256")).status == 200
    for wrong in (assertion(client, "t" * 32, "HS256", jti="2"), assertion(client, EC, jti="3")):
        assert error(by_assertion(sandbox, wrong)) == (401, "invalid_client")


@pytest.mark.parametrize("audience", [BASE, TOKEN])
def test_the_audience_is_the_issuer_or_the_endpoint(sandbox: Sandbox, signer: OAuth2Client, audience: str) -> None:
    assert by_assertion(sandbox, assertion(signer, aud=audience)).status == 200
    text = assertion(signer, aud=INTROSPECT, jti="two")
    assert by_assertion(sandbox, text, INTROSPECT, token="t").json() == {"active": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"iss": "unknown"},
        {"sub": None},
        {"sub": "other"},
        {"aud": None},
        {"aud": "https://other.example"},
        {"aud": [TOKEN, "https://other.example"]},
        {"aud": TOKEN + "/"},
        {"exp": None},
        {"exp": int(NOW)},
        {"exp": int(NOW) + 3601},
        {"exp": float("inf")},
        {"exp": True},
        {"iat": int(NOW) + 61},
        {"nbf": int(NOW) + 61},
        {"jti": None},
        {"jti": ""},
    ],
)
def test_a_wrong_assertion_shows_nobody(sandbox: Sandbox, signer: OAuth2Client, changes: dict[str, object]) -> None:
    assert error(by_assertion(sandbox, assertion(signer, **changes))) == (401, "invalid_client")
    assert by_assertion(sandbox, assertion(signer)).status == 200


def test_claims_of_other_types_are_refused(sandbox: Sandbox, signer: OAuth2Client) -> None:
    for changes in (
        {"exp": "soon"},
        {"iat": "now"},
        {"nbf": []},
        {"exp": {}},
        {"iss": 1},
        {"jti": 1},
        {"sub": ["signer"]},
    ):
        claims = {"iss": "signer", "sub": "signer", "aud": TOKEN, "exp": int(NOW) + 9, "jti": "1"} | changes
        text = jwt.PyJWS().encode(json.dumps(claims).encode(), EC, "ES256")
        assert error(by_assertion(sandbox, text)) == (401, "invalid_client")


def test_an_assertion_is_good_once(sandbox: Sandbox, signer: OAuth2Client, clock: Clock) -> None:
    text = assertion(signer)
    assert by_assertion(sandbox, text).status == 200
    assert error(by_assertion(sandbox, text)) == (401, "invalid_client")
    clock.now += 30
    assert error(by_assertion(sandbox, assertion(signer, iat=int(NOW) + 30))) == (401, "invalid_client")
    clock.now += 31
    assert by_assertion(sandbox, assertion(signer, exp=int(NOW) + 120)).status == 200


def test_only_the_clients_own_key_signs_for_it(sandbox: Sandbox, signer: OAuth2Client) -> None:
    refused = [
        assertion(signer, OTHER),
        assertion(signer, None, "none"),
        assertion(signer, public()["x"], "HS256"),  # what is public, as a secret
        assertion(signer)[:-2] + "AA",
        "a.b",
        "a.b.c",
        jwt.encode(json.loads(read(assertion(signer))), EC, "ES256", {"kid": "k2"}),
    ]
    assert [error(by_assertion(sandbox, text)) for text in refused] == [(401, "invalid_client")] * len(refused)
    assert (
        by_assertion(sandbox, jwt.encode(json.loads(read(assertion(signer))), EC, "ES256", {"kid": "k1"})).status == 200
    )


def read(text: str) -> str:
    return base64.urlsafe_b64decode(text.split(".")[1] + "==").decode()


def test_a_client_that_signs_does_nothing_else(sandbox: Sandbox, signer: OAuth2Client) -> None:
    assert error(by_assertion(sandbox, assertion(signer), client_assertion_type="x")) == (401, "invalid_client")
    assert error(by_assertion(sandbox, assertion(signer), client_id="other")) == (401, "invalid_client")
    assert error(by_assertion(sandbox, assertion(sandbox.oauth2_client))) == (401, "invalid_client")
    assert error(by_assertion(sandbox, assertion(signer), client_secret="x")) == (400, "invalid_request")
    answer = post(sandbox, TOKEN, None, grant_type="client_credentials", client_id="signer")
    assert error(answer) == (401, "invalid_client")


def test_a_client_registers_its_keys(sandbox: Sandbox) -> None:
    keys = [public(OTHER) | {"kid": "2"}, public() | {"kid": "1"}]
    metadata = {
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": keys},
    }
    shown = document(sandbox.handle(build_request("POST", REGISTER, json=metadata)))
    assert "client_secret" not in shown
    assert shown["jwks"] == {"keys": keys}
    client = OAuth2Client(str(shown["client_id"]))
    assert by_assertion(sandbox, assertion(client)).status == 200
    assert by_assertion(sandbox, assertion(client, OTHER, jti="two")).status == 200


# --- tokens for a JWT (RFC 7523 section 2.1) -------------------------------------------------------------------------


def by_jwt(sandbox: Sandbox, text: str, **form: str) -> Response:
    return post(sandbox, TOKEN, sandbox.public_client, grant_type=JWT_BEARER, assertion=text, **form)


@pytest.mark.parametrize("subject", ["7000001", "sandbox"])
def test_a_jwt_is_traded_for_a_token_of_the_user(sandbox: Sandbox, signer: OAuth2Client, subject: str) -> None:
    issued = document(by_jwt(sandbox, assertion(signer, sub=subject), scope="tweet.read users.read"))
    assert "refresh_token" not in issued
    assert call(sandbox, str(issued["access_token"])).status == 200
    assert "scope" not in document(by_jwt(sandbox, assertion(signer, sub=subject, jti="two")))


def test_a_wrong_jwt_is_traded_for_nothing(sandbox: Sandbox, signer: OAuth2Client) -> None:
    right = {"sub": "sandbox"}
    for text in (
        "a.b.c",
        assertion(signer, OTHER, **right),
        assertion(signer, **right, iss="unknown"),
        assertion(signer),
        assertion(signer, **right, exp=int(NOW)),
        assertion(signer, **right, aud="https://other.example"),
    ):
        assert error(by_jwt(sandbox, text)) == (400, "invalid_grant")
    assert error(by_jwt(sandbox, assertion(signer, **right), scope="admin")) == (400, "invalid_scope")
    assert error(by_jwt(sandbox, assertion(signer, **right), scope="tweet.read")) == (400, "invalid_grant")  # used


# --- tokens bound to a key (RFC 9449) --------------------------------------------------------------------------------


def proof(
    url: str = TOKEN,
    method: str = "POST",
    *,
    key: ec.EllipticCurvePrivateKey = EC,
    token: str | None = None,
    header: Mapping[str, object] | None = None,
    alg: str = "ES256",
    **changes: object,
) -> str:
    claims: dict[str, object] = {"jti": f"{fresh()}", "htm": method, "htu": url, "iat": int(NOW)}
    if token is not None:
        claims["ath"] = hashed(token)
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    fields = {"typ": "dpop+jwt", "jwk": public(key), **(header or {})}
    return jwt.encode(kept, key, alg, fields)


_made = iter(range(10**6))


def fresh() -> int:
    return next(_made)


def bound(sandbox: Sandbox, client: OAuth2Client, key: ec.EllipticCurvePrivateKey = EC) -> dict[str, str]:
    code = code_of(sandbox, client)
    answer = post(sandbox, TOKEN, client, {"dpop": proof(key=key)}, **grant(code))
    assert answer.status == 200, answer.text
    issued: dict[str, str] = json.loads(answer.body)
    assert issued["token_type"] == "DPoP"
    return issued


def grant(code: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}


def bound_call(sandbox: Sandbox, token: str, *proofs: str, scheme: str = "DPoP") -> Response:
    fields = [("authorization", f"{scheme} {token}"), *(("dpop", one) for one in proofs)]
    return sandbox.handle(Request("GET", ME, fields))


def test_a_bound_token_is_good_with_its_key(sandbox: Sandbox) -> None:
    token = bound(sandbox, sandbox.public_client)["access_token"]
    assert bound_call(sandbox, token, proof(ME, "GET", token=token)).status == 200
    refused = [
        bound_call(sandbox, token),
        bound_call(sandbox, token, proof(ME, "GET", token=token, key=OTHER)),
        bound_call(sandbox, token, proof(ME, "GET", token=token), proof(ME, "GET", token=token)),
        bound_call(sandbox, token, proof(ME, "GET")),
        bound_call(sandbox, token, proof(ME, "GET", token="other")),
        bound_call(sandbox, token, proof(ME, "POST", token=token)),
    ]
    for answer in refused:
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'DPoP error="invalid_dpop_proof", algs="ES256 RS256 PS256 EdDSA"'
    as_bearer = bound_call(sandbox, token, proof(ME, "GET", token=token), scheme="Bearer")
    assert as_bearer.status == 401
    assert as_bearer.headers["www-authenticate"].startswith('DPoP error="invalid_token"')


@pytest.mark.parametrize(("url", "lacking"), [(ME, "tweet.read users.read"), (USERINFO, "openid")])
def test_a_bound_token_that_lacks_a_scope_is_challenged_by_its_own_scheme(
    sandbox: Sandbox, url: str, lacking: str
) -> None:
    """RFC 9449 section 7.1."""
    code = code_of(sandbox, sandbox.public_client, scope="tweet.read")
    issued = document(post(sandbox, TOKEN, sandbox.public_client, {"dpop": proof()}, **grant(code)))
    token = str(issued["access_token"])
    fields = {"authorization": f"DPoP {token}", "dpop": proof(url, "GET", token=token)}
    answer = sandbox.handle(Request("GET", url, fields))
    assert answer.status == 403
    assert answer.headers["www-authenticate"] == (
        f'DPoP error="insufficient_scope", scope="{lacking}", algs="ES256 RS256 PS256 EdDSA"'
    )


def test_a_token_that_is_not_bound_is_no_bound_token(sandbox: Sandbox, clock: Clock) -> None:
    token = log_in(sandbox, sandbox.public_client)["access_token"]
    assert bound_call(sandbox, token, proof(ME, "GET", token=token)).status == 401
    clock.now += 7200
    answer = bound_call(sandbox, token, proof(ME, "GET", token=token))
    assert answer.headers["www-authenticate"].startswith('DPoP error="invalid_token"')


@pytest.mark.parametrize(
    "changes",
    [
        {"header": {"typ": "JWT"}},
        {"header": {"jwk": None}},
        {"header": {"jwk": "x"}},
        {"header": {"jwk": {"kty": "EC"}}},
        {"header": {"jwk": {"kty": "oct", "k": "AAAA"}}},
        {"header": {"jwk": public(OTHER)}},
        {"header": {"jwk": public() | {"d": "AAAA"}}},
        {"header": {"jwk": public() | {"x": "é"}}},
        {"header": {"jwk": {"kty": "RSA", "n": "AAAA", "e": "AQAB"}}},
        {"header": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}}},
        {"header": {"crit": ["x"]}},
        {"htm": "GET"},
        {"htm": "post"},
        {"htm": None},
        {"htu": TOKEN + "/"},
        {"htu": TOKEN + "?a=b"},
        {"htu": None},
        {"iat": int(NOW) - 61},
        {"iat": int(NOW) + 61},
        {"iat": None},
        {"jti": None},
        {"jti": ""},
    ],
)
def test_a_wrong_proof_is_refused(sandbox: Sandbox, changes: dict[str, object]) -> None:
    code = code_of(sandbox, sandbox.public_client)
    answer = post(sandbox, TOKEN, sandbox.public_client, {"dpop": proof(**changes)}, **grant(code))  # type: ignore[arg-type]
    assert error(answer) == (400, "invalid_dpop_proof")
    assert exchange(sandbox, sandbox.public_client, code).status == 200


@pytest.mark.parametrize("text", ["", "a.b.c", "e30.e30.e30", "x", "e30.W10.e30"])
def test_what_is_no_proof_is_refused(sandbox: Sandbox, text: str) -> None:
    answer = post(sandbox, TOKEN, sandbox.public_client, {"dpop": text}, **grant("code"))
    assert error(answer) == (400, "invalid_dpop_proof")


def test_a_proof_is_good_once(sandbox: Sandbox) -> None:
    client = sandbox.oauth2_client
    once = proof()
    form = {"grant_type": "client_credentials"}
    issued = document(post(sandbox, TOKEN, client, {"dpop": once}, **form))
    assert issued["token_type"] == "DPoP"
    assert error(post(sandbox, TOKEN, client, {"dpop": once}, **form)) == (400, "invalid_dpop_proof")


def test_a_nonce_is_asked_for_where_the_sandbox_wants_one(sandbox: Sandbox, clock: Clock) -> None:
    sandbox.dpop_nonces = True
    client = sandbox.public_client
    code = code_of(sandbox, client)
    answer = post(sandbox, TOKEN, client, {"dpop": proof()}, **grant(code))
    assert error(answer) == (400, "use_dpop_nonce")
    nonce = answer.headers["dpop-nonce"]
    answer = post(sandbox, TOKEN, client, {"dpop": proof(nonce=nonce)}, **grant(code))
    assert answer.status == 200
    assert answer.headers["dpop-nonce"] == nonce
    token = str(document(answer)["access_token"])
    answer = bound_call(sandbox, token, proof(ME, "GET", token=token))
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
    assert answer.headers["dpop-nonce"] == nonce
    clock.now += 300
    later = int(clock.now)
    assert bound_call(sandbox, token, proof(ME, "GET", token=token, nonce=nonce, iat=later)).status == 200
    clock.now += 300
    later = int(clock.now)
    answer = bound_call(sandbox, token, proof(ME, "GET", token=token, nonce=nonce, iat=later))
    assert answer.status == 401
    assert answer.headers["dpop-nonce"] != nonce


def test_the_refresh_token_of_a_public_client_is_bound_too(sandbox: Sandbox) -> None:
    client = sandbox.public_client
    issued = bound(sandbox, client)
    form = {"grant_type": "refresh_token", "refresh_token": issued["refresh_token"]}
    assert error(refresh(sandbox, client, issued["refresh_token"])) == (400, "invalid_grant")
    assert error(post(sandbox, TOKEN, client, {"dpop": proof(key=OTHER)}, **form)) == (400, "invalid_grant")
    renewed = document(post(sandbox, TOKEN, client, {"dpop": proof()}, **form))
    assert renewed["token_type"] == "DPoP"


def test_the_refresh_token_of_a_confidential_client_is_not(sandbox: Sandbox) -> None:
    client = sandbox.oauth2_client
    issued = bound(sandbox, client)
    form = {"grant_type": "refresh_token", "refresh_token": issued["refresh_token"]}
    renewed = document(post(sandbox, TOKEN, client, {"dpop": proof(key=OTHER)}, **form))
    token = str(renewed["access_token"])
    assert bound_call(sandbox, token, proof(ME, "GET", token=token, key=OTHER)).status == 200
    told = document(post(sandbox, INTROSPECT, client, token=token))
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": thumbprint(public(OTHER))})


def test_a_code_may_be_bound_to_a_key(sandbox: Sandbox) -> None:
    client = sandbox.public_client
    code = code_of(sandbox, client, dpop_jkt=thumbprint(public()))
    assert error(exchange(sandbox, client, code)) == (400, "invalid_grant")
    assert error(post(sandbox, TOKEN, client, {"dpop": proof(key=OTHER)}, **grant(code))) == (400, "invalid_grant")
    assert post(sandbox, TOKEN, client, {"dpop": proof()}, **grant(code)).status == 200


def test_who_pushes_with_a_proof_binds_the_code(sandbox: Sandbox) -> None:
    client = sandbox.public_client
    asked = dict(answered(authorize_url(client)).items())
    answer = post(sandbox, PAR, client, {"dpop": proof(PAR)}, **asked)
    uri = str(document(answer)["request_uri"])
    code = answered(sandbox.approve(f"{BASE}/i/oauth2/authorize?client_id={client.client_id}&request_uri={uri}"))[
        "code"
    ]
    assert error(exchange(sandbox, client, code)) == (400, "invalid_grant")
    assert post(sandbox, TOKEN, client, {"dpop": proof()}, **grant(code)).status == 200
    asked["dpop_jkt"] = thumbprint(public(OTHER))
    assert error(post(sandbox, PAR, client, {"dpop": proof(PAR)}, **asked)) == (400, "invalid_dpop_proof")
    assert push(sandbox, client, dpop_jkt=thumbprint(public(OTHER))).status == 201


def test_the_thumbprint_is_the_example_of_the_rfc() -> None:
    """RFC 7638 section 3.1."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok"
        "nzD2OBRjtPUa1JQHkFQ2tNHXaFvqDbgPWHcVlX9iTAxBqaHdvp8uYCoSGm2O3nsFsZb3aFzFZ_9_-cAiCPYJ_i9f8Zr8Wy0dbN8xpwcj9Sfn"
        "aTGbU1LtIvd1qWu7Ap1p5Lj5Zw"
    )
    assert thumbprint({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "x"}) == thumbprint(
        {"e": "AQAB", "kty": "RSA", "n": modulus}
    )


# --- id_tokens (OpenID Connect) --------------------------------------------------------------------------------------

OPENID = "openid profile email tweet.read users.read"


def verified(sandbox: Sandbox, id_token: str) -> dict[str, object]:
    """By the keys that the sandbox shows; by PyJWT, which is not ours."""
    keys = jwt.PyJWKSet.from_dict(json.loads(sandbox.handle(Request("GET", JWKS)).body))
    kid = jwt.get_unverified_header(id_token)["kid"]
    claims: dict[str, object] = jwt.decode(
        id_token,
        next(key.key for key in keys.keys if key.key_id == kid),
        ["ES256"],
        audience=sandbox.public_client.client_id,
        options={"verify_exp": False},
    )
    return claims


def test_a_login_with_openid_says_who_the_user_is(sandbox: Sandbox, clock: Clock) -> None:
    back = answered(sandbox.approve(authorize_url(sandbox.public_client, scope=OPENID, nonce="n-0S6")))
    clock.now += 10
    issued = json.loads(exchange(sandbox, sandbox.public_client, back["code"]).body)
    at_hash = base64.urlsafe_b64encode(hashlib.sha256(issued["access_token"].encode()).digest()[:16])
    assert verified(sandbox, issued["id_token"]) == {
        "iss": BASE,
        "sub": "7000001",
        "aud": sandbox.public_client.client_id,
        "iat": int(NOW) + 10,
        "exp": int(NOW) + 10 + 3600,
        "auth_time": int(NOW),
        "at_hash": at_hash.rstrip(b"=").decode(),
        "nonce": "n-0S6",
    }


def test_without_openid_there_is_no_id_token_and_without_a_nonce_none_is_in_it(sandbox: Sandbox) -> None:
    assert "id_token" not in log_in(sandbox, sandbox.public_client)
    assert "nonce" not in verified(sandbox, log_in(sandbox, sandbox.public_client, scope="openid")["id_token"])
    own = post(sandbox, TOKEN, sandbox.oauth2_client, grant_type="client_credentials", scope="openid")
    assert "id_token" not in document(own)


def test_keys_are_rotated_and_the_one_before_stays_for_a_while(sandbox: Sandbox) -> None:
    def kids() -> list[str]:
        keys: list[dict[str, str]] = json.loads(sandbox.handle(Request("GET", JWKS)).body)["keys"]
        assert all("d" not in key for key in keys)
        return [key["kid"] for key in keys]

    first = log_in(sandbox, sandbox.public_client, scope="openid")["id_token"]
    before = kids()
    assert len(before) == 1
    sandbox.rotate_keys()
    second = log_in(sandbox, sandbox.public_client, scope="openid")["id_token"]
    after = kids()
    assert (len(after), after[1]) == (2, before[0])
    assert jwt.get_unverified_header(second)["kid"] == after[0]
    assert verified(sandbox, first)["sub"] == verified(sandbox, second)["sub"] == "7000001"
    sandbox.rotate_keys()
    assert before[0] not in kids()
    assert len(kids()) == 2


def test_the_keys_are_the_same_in_every_run() -> None:
    one, other = (Sandbox(env=fixed_env()).handle(Request("GET", JWKS)).body for _ in range(2))
    assert one == other


def test_userinfo_tells_what_the_scopes_allow(sandbox: Sandbox) -> None:
    def told(scope: str, method: str = "GET") -> Response:
        token = log_in(sandbox, sandbox.public_client, scope=scope)["access_token"]
        return sandbox.handle(Request(method, USERINFO, {"authorization": f"Bearer {token}"}))

    assert told("openid").json() == {"sub": "7000001"}
    assert told("openid profile", "POST").json() == {
        "sub": "7000001",
        "name": "Sandbox User",
        "preferred_username": "sandbox",
    }
    assert told("openid email").json() == {
        "sub": "7000001",
        "email": "sandbox@sandbox.invalid",
        "email_verified": True,
    }
    answer = told(SCOPES)
    assert error(answer) == (403, "insufficient_scope")
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="openid"'


def test_userinfo_needs_a_token_of_a_user(sandbox: Sandbox, clock: Clock) -> None:
    answer = sandbox.handle(Request("GET", USERINFO))
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    token = log_in(sandbox, sandbox.public_client, scope="openid")["access_token"]
    clock.now += 7200
    answer = sandbox.handle(Request("GET", USERINFO, {"authorization": f"Bearer {token}"}))
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


# --- without the extra -----------------------------------------------------------------------------------------------

WITHOUT_JOSE = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Gone())
from sansauth import Request
from sansauth.errors import LocalProtocolError
from sansauth.identity import OAuth2Client
from sansauth.testing import Sandbox
from sansauth.testing.oauth2_clients import RegisteredClient
BASE, FORM = "http://127.0.0.1/", {{"content-type": "application/x-www-form-urlencoded"}}
sandbox = Sandbox()
key = {key!r}
sandbox.oauth2.clients["signer"] = RegisteredClient("signer", "private_key_jwt", keys=(key,))
def post(path, headers=(), **form):
    body = "&".join(f"{{name}}={{value}}" for name, value in form.items()).encode()
    return sandbox.handle(Request("POST", BASE + path, [*FORM.items(), *headers], body))
def device():
    public = {{"client_id": sandbox.public_client.client_id}}
    told = post("2/oauth2/device_authorization", **public, scope="openid").json()
    post("device", user_code=told["user_code"], decision="authorize")
    kind = "urn:ietf:params:oauth:grant-type:device_code"
    post("2/oauth2/token", **public, grant_type=kind, device_code=told["device_code"])
kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
for use in (
    lambda: sandbox.handle(Request("GET", BASE + "2/oauth2/jwks")),
    device,
    lambda: post("2/oauth2/token", [("dpop", {proof!r})], client_id=sandbox.public_client.client_id),
    lambda: post("2/oauth2/token", client_assertion_type=kind, client_assertion={assertion!r}),
    lambda: sandbox.add_client(OAuth2Client("c", private_key={pem!r})),
):
    try:
        use()
    except LocalProtocolError as error:
        print(error)
print(sandbox.handle(Request("GET", BASE + ".well-known/oauth-authorization-server")).status)
"""


@pytest.mark.parametrize("missing", ["jwt", "cryptography"])
def test_without_the_extra_the_error_names_it_and_what_needs_no_keys_goes_on(missing: str) -> None:
    signed = assertion(OAuth2Client("signer", private_key=pem(EC)))
    code = WITHOUT_JOSE.format(missing=missing, key=public(), proof=proof(), assertion=signed, pem=pem(EC))
    needs = "signing and reading JWTs needs the extra `jose`: pip install 'sansauth[jose]'"
    assert run_python(code).splitlines() == [needs] * 5 + ["200"]


# --- whatever comes --------------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_KEY_MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "k", "alg", "use", "key_ops"])
_KEY_VALUES = st.sampled_from(["EC", "RSA", "OKP", "oct", "P-256", "Ed25519", "X25519", "AQAB", "AAAA", ""]) | _JSON
_JWK = st.dictionaries(_KEY_MEMBERS, _KEY_VALUES, max_size=7)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@given(
    st.sampled_from(["ES256", "RS256", "PS256", "EdDSA", "HS256", "none", "", 1, None, []]),
    _JWK | _JSON,
    st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "exp", "iat", "jti", "htm", "htu", "ath"]), _JSON, max_size=6
    ),
    st.binary(max_size=70),
)
def test_no_token_crashes_it(alg: object, key: object, claims: dict[str, object], signature: bytes) -> None:
    header = {"alg": alg, "typ": "dpop+jwt", "jwk": key}
    signed = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    text = f"{_part(header)}.{_part(claims)}.{signed}"
    sandbox = Sandbox()
    sandbox.add_client(OAuth2Client("signer", private_key=pem(EC)))
    form = {"grant_type": "client_credentials", "scope": "openid"}
    assert error(post(sandbox, TOKEN, sandbox.oauth2_client, {"dpop": text}, **form))[0] == 400
    assert error(by_assertion(sandbox, text))[0] == 401
    assert error(by_jwt(sandbox, text))[0] == 400
    metadata = json.dumps({"redirect_uris": [CALLBACK], "jwks": {"keys": [key]}}).encode()
    request = Request("POST", REGISTER, {"content-type": "application/json"}, metadata)
    assert sandbox.handle(request).status in {201, 400}


def test_a_signature_is_judged_by_the_algorithms_that_are_allowed() -> None:
    jws = read_jws(jwt.encode({}, RSA, "RS256"))
    assert jws is not None
    key: Mapping[str, object] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()))
    assert verifies(jws, key, ("RS256",))
    assert not verifies(jws, key, ("ES256",))
