"""DPoP (RFC 9449): the RFC's own proofs are read, ours are judged by PyJWT, and a nonce is learned and used."""

from __future__ import annotations

import json
from collections.abc import Callable

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Env, Flow, Provider, Request, Response, Send, Timeouts, build_request, errors
from sansauth.oauth2 import DPoPKey, proof, send_with_proof, with_proof
from sansauth.oauth2.dpop import access_token_hash, asks_for_nonce, dpop_nonce_key, told_nonce
from sansauth.oauth2.jws import Jwt, read_jwt
from sansauth.oauth2.keys import is_signed, public_key, thumbprint

from .jose_keys import USUAL, pem_for
from .support import ENV, NONCE, TIMESTAMP, Script, json_answer

SERVER = "https://server.example.com"
RESOURCE = "https://resource.example.org"
PROVIDER = Provider("A service", SERVER, Endpoints(token=f"{SERVER}/token"), origins=(RESOURCE,))
KEY = DPoPKey.generate(ENV)
TOKEN_REQUEST = build_request("POST", f"{SERVER}/token", form={"grant_type": "client_credentials"})
CALL = Request("GET", f"{RESOURCE}/protectedresource")

# RFC 9449, figures 2, 9 and 13, and section 7.1
TOKEN_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
    ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0"
    "IjoxNTYyMjYyNjE2fQ"
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
RESOURCE_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
    ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRy"
    "ZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
    ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
ACCESS_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"


def verified(text: str) -> Jwt:
    """A proof, if it is signed by the key that stands in it."""
    token = read_jwt(text)
    jwk = token.header["jwk"]
    assert isinstance(jwk, dict)
    assert is_signed(token.signed, token.signature, str(token.header["alg"]), public_key(jwk))
    return token


# --- the examples of the RFC -----------------------------------------------------------------------------------------


def test_the_rfcs_proof_for_a_token_request_is_read() -> None:
    """Figures 2 and 4."""
    token = verified(TOKEN_PROOF)
    assert (token.header["typ"], token.header["alg"]) == ("dpop+jwt", "ES256")
    assert token.claims == {
        "jti": "-BwC3ESc6acc2lTc",
        "htm": "POST",
        "htu": "https://server.example.com/token",
        "iat": 1562262616,
    }


def test_the_rfcs_proof_for_a_call_is_read() -> None:
    """Figures 13 and 14."""
    claims = verified(RESOURCE_PROOF).claims
    assert claims["ath"] == access_token_hash(ACCESS_TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert (claims["htm"], claims["htu"]) == (CALL.method, CALL.url)


def test_the_rfcs_key_has_the_rfcs_thumbprint() -> None:
    """Figure 9, section 6.1."""
    jwk = read_jwt(TOKEN_PROOF).header["jwk"]
    assert isinstance(jwk, dict)
    assert thumbprint(jwk) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_our_proof_of_the_rfcs_request_says_the_same() -> None:
    env = Env(clock=lambda: 1562262618.9, entropy=bytes)
    ours, theirs = verified(proof(KEY, CALL, env=env, access_token=ACCESS_TOKEN)), read_jwt(RESOURCE_PROOF)
    assert {**ours.claims, "jti": None} == {**theirs.claims, "jti": None}
    assert ours.header.keys() == theirs.header.keys()
    assert ours.header["typ"] == theirs.header["typ"]
    assert ours.header["jwk"].keys() == theirs.header["jwk"].keys()  # type: ignore[attr-defined]


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_of_the_entropy_that_is_given() -> None:
    assert DPoPKey.generate(ENV) == KEY
    assert DPoPKey.generate(Env(clock=ENV.clock, entropy=lambda size: b"\1" * size)) != KEY


def test_a_key_is_kept_as_text_and_read_again() -> None:
    again = DPoPKey(str(KEY.private_key))
    assert again == KEY
    assert again.thumbprint == KEY.thumbprint
    assert json.loads(KEY.private_key).keys() == {"crv", "kty", "x", "y", "d"}


def test_a_key_does_not_show_itself() -> None:
    assert repr(KEY) == "DPoPKey(***)"
    assert repr(KEY.private_key) == "Secret('***')"
    assert KEY.public_jwk.keys() == {"crv", "kty", "x", "y"}


@pytest.mark.parametrize("use", [lambda key: key.thumbprint, lambda key: proof(key, CALL, env=ENV)])
def test_a_key_that_is_none_is_told_when_it_is_used(use: Callable[[DPoPKey], object]) -> None:
    with pytest.raises(errors.WrongIdentity, match="neither unencrypted PEM") as caught:
        use(DPoPKey("canary"))
    assert "canary" not in str(caught.value)


# --- proofs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", USUAL)
def test_a_proof_is_signed_by_any_private_key_and_holds_its_public_half(algorithm: str) -> None:
    token = verified(proof(DPoPKey(pem_for(algorithm)), CALL, env=ENV))
    assert (token.header["typ"], token.header["alg"]) == ("dpop+jwt", algorithm)
    assert not {"d", "p", "q", "k"} & token.header["jwk"].keys()  # type: ignore[attr-defined]
    assert token.claims == {"jti": NONCE, "htm": "GET", "htu": CALL.url, "iat": TIMESTAMP}


def test_pyjwt_judges_a_proof() -> None:
    text = proof(KEY, TOKEN_REQUEST, env=ENV, nonce="a-nonce")
    header = jwt.get_unverified_header(text)
    key = jwt.PyJWK(header["jwk"], algorithm="ES256").key
    options = {"verify_iat": False}
    claims = jwt.decode(text, key, algorithms=["ES256"], options=options)  # type: ignore[arg-type]
    assert claims == {"jti": NONCE, "htm": "POST", "htu": f"{SERVER}/token", "iat": TIMESTAMP, "nonce": "a-nonce"}
    assert "ath" not in claims


@pytest.mark.parametrize(
    ("url", "htu"),
    [
        ("https://a.example/path?query=1&b#fragment", "https://a.example/path"),
        ("https://A.example:443", "https://a.example/"),
        ("https://a.example:8443/%c3%a9", "https://a.example:8443/%C3%A9"),
    ],
)
def test_the_url_of_a_proof_has_no_query_and_no_fragment(url: str, htu: str) -> None:
    """Section 4.2; in the normal form of section 4.3."""
    assert read_jwt(proof(KEY, Request("GET", url), env=ENV)).claims["htu"] == htu


def test_a_request_carries_its_proof() -> None:
    request = with_proof(TOKEN_REQUEST, KEY, env=ENV, nonce="a-nonce")
    assert verified(request.headers["dpop"]).claims["nonce"] == "a-nonce"
    assert "authorization" not in request.headers
    assert (request.body, request.url) == (TOKEN_REQUEST.body, TOKEN_REQUEST.url)
    assert request.headers["dpop"] not in repr(request)


def test_a_call_carries_the_token_that_its_proof_is_about() -> None:
    bearing = CALL.with_header("authorization", "Bearer other").with_header("dpop", "an older proof")
    request = with_proof(bearing, KEY, env=ENV, access_token=ACCESS_TOKEN)
    assert request.headers.get_all("authorization") == [f"DPoP {ACCESS_TOKEN}"]
    (sent,) = request.headers.get_all("dpop")
    assert verified(sent).claims["ath"] == access_token_hash(ACCESS_TOKEN)


@given(st.text(max_size=20))
def test_no_text_of_a_token_crashes_its_hash(text: str) -> None:
    assert len(access_token_hash(text)) == 43


# --- nonces ----------------------------------------------------------------------------------------------------------


def nonce_wanted(nonce: str, status: int = 400) -> Response:
    """As an authorization server asks (section 8)."""
    document = {"error": "use_dpop_nonce", "error_description": "Authorization server requires nonce in DPoP proof"}
    return json_answer(status, document, ("dpop-nonce", nonce))


def nonce_challenged(nonce: str, challenge: str = 'DPoP error="use_dpop_nonce"') -> Response:
    """As a resource server asks (section 9)."""
    return Response(401, [("www-authenticate", challenge), ("dpop-nonce", nonce)])


def sent_nonces(script: Script) -> list[object]:
    return [verified(request.headers["dpop"]).claims.get("nonce") for request in script.sent]


def exchange(script: Script, request: Request = TOKEN_REQUEST, **arguments: object) -> Response:
    operation = send_with_proof(request, KEY, provider=PROVIDER, env=ENV, **arguments)  # type: ignore[arg-type]
    sent, response = script.run(operation)
    assert sent == script.sent[-1]
    return response


OK = Response(200)


@pytest.mark.parametrize(
    "wants",
    [
        nonce_wanted("first"),
        nonce_wanted("first", 401),
        nonce_challenged("first"),
        nonce_challenged("first", 'Bearer error="invalid_token", DPoP error="use_dpop_nonce", algs="ES256"'),
    ],
    ids=["400", "401", "challenge", "two challenges"],
)
def test_a_nonce_that_is_asked_for_is_learned_and_used(wants: Response) -> None:
    script = Script([wants, OK, OK])
    assert exchange(script) == OK
    assert sent_nonces(script) == [None, "first"]
    assert exchange(script) == OK
    assert sent_nonces(script) == [None, "first", "first"]
    assert list(script.records) == ["mem:dpop-nonce/https%3A%2F%2Fserver.example.com"]


def test_every_attempt_has_a_proof_of_its_own() -> None:
    draws = iter(range(9))
    env = Env(clock=ENV.clock, entropy=lambda size: next(draws).to_bytes(size, "big"))
    script = Script([nonce_wanted("first"), OK])
    script.run(send_with_proof(TOKEN_REQUEST, KEY, provider=PROVIDER, env=env))
    first, second = (read_jwt(request.headers["dpop"]).claims["jti"] for request in script.sent)
    assert first != second


def test_a_nonce_is_asked_for_once_only() -> None:
    script = Script([nonce_wanted("first"), nonce_wanted("second"), OK])
    assert exchange(script).status == 400
    assert sent_nonces(script) == [None, "first"]
    assert exchange(script) == OK  # with what was told last
    assert sent_nonces(script) == [None, "first", "second"]


def test_a_nonce_that_comes_with_a_success_is_used_next() -> None:
    """Section 8.2."""
    script = Script([Response(200, {"dpop-nonce": name}) for name in ("first", "second", "second", "third")])
    for _ in range(4):
        exchange(script)
    assert sent_nonces(script) == [None, "first", "second", "second"]
    assert script.log.count("Save") == 3


def test_an_expired_nonce_is_replaced() -> None:
    script = Script([Response(200, {"dpop-nonce": "first"}), nonce_wanted("second"), OK])
    exchange(script)
    assert exchange(script) == OK
    assert sent_nonces(script) == [None, "first", "second"]


def test_each_origin_has_its_own_nonce() -> None:
    script = Script([nonce_wanted("of-the-server"), OK, nonce_challenged("of-the-resource"), OK, OK, OK])
    exchange(script)
    exchange(script, CALL, access_token=ACCESS_TOKEN)
    exchange(script, TOKEN_REQUEST)
    exchange(script, CALL, access_token=ACCESS_TOKEN)
    expected = [None, "of-the-server", None, "of-the-resource", "of-the-server", "of-the-resource"]
    assert sent_nonces(script) == expected
    hashes = [verified(request.headers["dpop"]).claims.get("ath") for request in script.sent]
    ours = access_token_hash(ACCESS_TOKEN)
    assert hashes == [None, None, ours, ours, None, ours]


@pytest.mark.parametrize(
    "answer",
    [
        nonce_wanted("first", 403),
        nonce_wanted("first", 200),
        nonce_wanted(""),
        nonce_wanted("with space"),
        nonce_wanted('"quoted"'),
        json_answer(400, {"error": "use_dpop_nonce"}),
        json_answer(400, {"error": "use_dpop_nonce"}, ("dpop-nonce", "one"), ("dpop-nonce", "two")),
        json_answer(400, {"error": "invalid_dpop_proof"}, ("dpop-nonce", "first")),
        json_answer(400, {"error": "invalid_grant"}, ("dpop-nonce", "first")),
        nonce_challenged("first", 'DPoP error="invalid_token"'),
        Response(401, {"dpop-nonce": "first"}),
    ],
)
def test_any_other_answer_is_left_to_the_caller(answer: Response) -> None:
    script = Script([answer])
    assert exchange(script) == answer
    assert not asks_for_nonce(answer, PROVIDER)


@pytest.mark.parametrize("nonce", ["a", "eyJ7S_zG.eyJH0-Z.HX4w-7v", "!#[]~"])
def test_a_told_nonce_is_a_secret(nonce: str) -> None:
    told = told_nonce(Response(200, {"DPoP-Nonce": nonce}))
    assert told == nonce
    assert repr(told) == "Secret('***')"


def test_what_is_good_for_one_use_is_built_again() -> None:
    """A client's assertion has a jti, which a service may accept but once."""
    second = build_request("POST", f"{SERVER}/token", form={"client_assertion": "second"})
    script = Script([nonce_wanted("first"), OK])
    exchange(script, again=lambda: second)
    assert [request.body for request in script.sent] == [TOKEN_REQUEST.body, second.body]


@pytest.mark.parametrize("again", [False, True])
def test_no_proof_goes_to_a_foreign_host(again: bool) -> None:
    foreign = Request("GET", "https://evil.example/")
    script = Script([nonce_wanted("first")])
    with pytest.raises(errors.ForeignHost):
        exchange(script, TOKEN_REQUEST if again else foreign, again=lambda: foreign, access_token=ACCESS_TOKEN)
    assert len(script.sent) == again


def test_the_timeouts_bound_both_attempts() -> None:
    limits = Timeouts(total=3)
    flow = Flow(send_with_proof(CALL, KEY, provider=PROVIDER, env=ENV, timeouts=limits))
    flow.resume(None)
    for answer in (nonce_challenged("first"), OK):
        assert isinstance(flow.effect, Send)
        assert flow.effect.timeouts == limits
        flow.receive(answer)
        if answer != OK:
            flow.resume(None)
            flow.resume(1)
    assert flow.result.response == OK


def test_a_nonce_that_another_call_has_saved_is_as_good() -> None:
    flow = Flow(send_with_proof(CALL, KEY, provider=PROVIDER, env=ENV))
    flow.resume(None)
    flow.receive(Response(200, {"dpop-nonce": "mine"}))
    flow.resume(None)
    flow.fail(errors.Conflict("changed"))
    assert flow.result.response.status == 200


def test_the_key_of_a_nonce_is_never_persisted() -> None:
    assert dpop_nonce_key(CALL) == "mem:dpop-nonce/https%3A%2F%2Fresource.example.org"
