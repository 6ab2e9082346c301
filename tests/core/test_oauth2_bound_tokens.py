"""Tokens bound to a key (RFC 9449), from login to call: made with it, kept with it, used with it alone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from sansauth import AwaitingUser, Env, Identity, Provider, Request, Response, Stored, errors
from sansauth.call import authorise, call, remedy
from sansauth.encoding import decode
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth1.send import Exchange
from sansauth.oauth2.device import begin_device_login, finish_device_login
from sansauth.oauth2.dpop import DPoPKey, access_token_hash, dpop_nonce_key
from sansauth.oauth2.grants import client_credentials, refresh, request_tokens
from sansauth.oauth2.jws import Jwt, read_jwt
from sansauth.oauth2.keys import thumbprint
from sansauth.oauth2.lifecycle import oauth2_tokens
from sansauth.oauth2.login import begin_login, finish_login
from sansauth.provider import Endpoints
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key

from .jose_keys import pem_for
from .support import TIMESTAMP, Script, form_of, json_answer

HOST = "https://as.example"
SERVER = Provider(
    "A service",
    HOST,
    Endpoints(
        authorization=f"{HOST}/authorize",
        token=f"{HOST}/token",
        pushed_authorization_request=f"{HOST}/par",
        device_authorization=f"{HOST}/device",
    ),
)
CLIENT = OAuth2Client("id", redirect_uri="https://app.example/done", dpop_bound_access_tokens=True)
USER = OAuth2User(CLIENT, "alice")
KEY = oauth2_tokens_key(USER, SERVER)
BOUND = DPoPKey.generate(Env(lambda: 0.0, lambda size: b"\x07" * size))
FRESH = OAuth2Tokens("fresh", "DPoP", TIMESTAMP, TIMESTAMP + 7200, "r1", scopes=("a",), dpop_key=BOUND.private_key)
ENDED = replace(FRESH, access_token="ended", expires_at=TIMESTAMP - 1)
REQUEST = Request("GET", f"{HOST}/me?full=1")
OK = json_answer(200, {})
ISSUED = json_answer(200, {"access_token": "new", "token_type": "DPoP", "expires_in": 7200, "refresh_token": "r2"})
NONCE_WANTED = json_answer(400, {"error": "use_dpop_nonce"}, ("dpop-nonce", "told"))


def surroundings() -> Env:
    """A clock that stands, and entropy that never repeats."""
    count = itertools.count(1)
    return Env(lambda: float(TIMESTAMP), lambda size: next(count).to_bytes(size, "big"))


def proofs(script: Script) -> list[Jwt]:
    return [read_jwt(request.headers["dpop"]) for request in script.sent]


def keys_of(script: Script) -> set[str]:
    return {thumbprint(jwk) for one in proofs(script) if isinstance(jwk := one.header["jwk"], Mapping)}


def challenge(error: str, *fields: tuple[str, str]) -> Response:
    return Response(401, [("www-authenticate", f'DPoP error="{error}", algs="ES256"'), *fields], b"")


def stored(tokens: OAuth2Tokens) -> dict[str, Stored]:
    return {KEY: Stored(tokens.to_bytes(), 1)}


def run(script: Script, identity: Identity = USER) -> Response:
    return script.run(call(REQUEST, identity, provider=SERVER, env=surroundings()))


class TestLogin:
    def begin(self, script: Script, **options: bool) -> AwaitingUser:
        return script.run(begin_login(CLIENT, ["a"], provider=SERVER, env=surroundings(), **options))  # type: ignore[arg-type]

    def test_the_code_too_is_bound_to_the_key_and_the_key_is_kept_with_the_login(self) -> None:
        awaiting = AwaitingUser.from_json(self.begin(Script()).to_json())
        assert awaiting.dpop_key is not None
        asked = dict(decode(Request("GET", awaiting.url).query))
        assert asked["dpop_jkt"] == DPoPKey(awaiting.dpop_key).thumbprint
        assert awaiting.dpop_key not in repr(awaiting) + awaiting.url

    def test_a_pushed_request_names_the_key(self) -> None:
        script = Script([json_answer(201, {"request_uri": "urn:x:1", "expires_in": 60})])
        awaiting = self.begin(script, push=True)
        assert awaiting.dpop_key is not None
        assert dict(decode(form_of(script.sent[0])))["dpop_jkt"] == DPoPKey(awaiting.dpop_key).thumbprint

    def test_the_tokens_are_bound_to_the_key_that_began_it(self) -> None:
        awaiting, script = self.begin(Script()), Script([ISSUED])
        answer = f"https://app.example/done?code=c&state={awaiting.reference}"
        tokens = script.run(finish_login(CLIENT, awaiting, answer, provider=SERVER, env=surroundings()))
        assert awaiting.dpop_key is not None
        assert (tokens.token_type, tokens.dpop_key) == ("DPoP", awaiting.dpop_key)
        (proof,) = proofs(script)
        assert (proof.claims["htm"], proof.claims["htu"]) == ("POST", f"{HOST}/token")
        assert keys_of(script) == {DPoPKey(awaiting.dpop_key).thumbprint}

    @pytest.mark.parametrize("key", ["", 7, "\ud800"])
    def test_a_login_with_no_usable_key_is_refused(self, key: object) -> None:
        record = json.loads(self.begin(Script()).to_json()) | {"dpop_key": key}
        with pytest.raises(errors.InvalidCallback):
            AwaitingUser.from_json(json.dumps(record))

    def test_a_device_proves_the_same_key_each_time_it_asks(self) -> None:
        env = surroundings()
        device = {"device_code": "d", "user_code": "u", "verification_uri": f"{HOST}/d", "expires_in": 60}
        begun = Script([json_answer(200, device)]).run(begin_device_login(CLIENT, None, provider=SERVER, env=env))
        pending = json_answer(400, {"error": "authorization_pending"})
        script = Script([pending, pending, ISSUED])
        tokens = script.run(finish_device_login(CLIENT, begun, provider=SERVER, env=env))
        assert len(script.sent) == 3
        assert tokens.dpop_key is not None
        assert keys_of(script) == {DPoPKey(tokens.dpop_key).thumbprint}


class TestGrants:
    def test_tokens_of_a_client_for_itself_are_bound_to_a_new_key(self) -> None:
        script = Script([ISSUED])
        tokens = script.run(client_credentials(CLIENT, provider=SERVER, env=surroundings()))
        assert tokens.dpop_key is not None
        assert keys_of(script) == {DPoPKey(tokens.dpop_key).thumbprint}

    @pytest.mark.parametrize("client", [CLIENT, replace(CLIENT, dpop_bound_access_tokens=False)])
    def test_a_refresh_proves_the_key_of_the_tokens_whatever_the_client_says_by_now(self, client: OAuth2Client) -> None:
        script = Script([ISSUED])
        tokens = script.run(refresh(client, FRESH, provider=SERVER, env=surroundings()))
        assert tokens.dpop_key == BOUND.private_key
        assert keys_of(script) == {BOUND.thumbprint}

    def test_a_key_of_ones_own(self) -> None:
        script = Script([ISSUED])
        grant = [("grant_type", "urn:mine")]
        tokens = script.run(request_tokens(CLIENT, grant, provider=SERVER, env=surroundings(), dpop_key=BOUND))
        assert tokens.dpop_key == BOUND.private_key

    def test_a_nonce_is_learned_and_nothing_that_is_good_once_is_sent_twice(self) -> None:
        client = OAuth2Client("id", private_key=pem_for("ES256"), dpop_bound_access_tokens=True)
        script = Script([NONCE_WANTED, ISSUED])
        script.run(client_credentials(client, provider=SERVER, env=surroundings()))
        assert [proof.claims.get("nonce") for proof in proofs(script)] == [None, "told"]
        assert len({proof.claims["jti"] for proof in proofs(script)}) == 2
        assert len({dict(decode(form_of(request)))["client_assertion"] for request in script.sent}) == 2

    def test_a_bearer_token_for_a_proof_is_refused_and_the_stored_tokens_stay(self) -> None:
        bearer = json_answer(200, {"access_token": "new", "token_type": "Bearer"})
        script = Script([bearer], stored(ENDED))
        with pytest.raises(errors.RemoteProtocolError, match="leave dpop_bound_access_tokens out"):
            script.run(oauth2_tokens(USER, SERVER, surroundings()))
        assert script.records[KEY] == stored(ENDED)[KEY]


class TestCall:
    def test_a_call_proves_the_key_for_this_method_this_url_and_this_token(self) -> None:
        script = Script([OK], stored(FRESH))
        assert run(script) is OK
        assert script.sent[0].headers["authorization"] == "DPoP fresh"
        (proof,) = proofs(script)
        assert (proof.claims["htm"], proof.claims["htu"]) == ("GET", f"{HOST}/me")
        assert proof.claims["ath"] == access_token_hash("fresh")
        assert keys_of(script) == {BOUND.thumbprint}

    def test_tokens_that_have_ended_are_refreshed_and_used_with_the_same_key(self) -> None:
        script = Script([ISSUED, OK], stored(ENDED))
        run(script)
        assert script.sent[1].headers["authorization"] == "DPoP new"
        assert keys_of(script) == {BOUND.thumbprint}
        assert OAuth2Tokens.from_bytes(script.records[KEY].data).dpop_key == BOUND.private_key

    def test_a_nonce_that_is_asked_for_is_used_at_once_and_no_token_is_renewed(self) -> None:
        script = Script([challenge("use_dpop_nonce", ("dpop-nonce", "told")), OK], stored(FRESH))
        assert run(script) is OK
        assert [proof.claims.get("nonce") for proof in proofs(script)] == [None, "told"]
        assert [request.headers["authorization"] for request in script.sent] == ["DPoP fresh"] * 2

    def test_it_is_the_answers_own_nonce_even_if_another_call_has_learned_a_later_one(self) -> None:
        refused = Exchange(REQUEST.with_header("dpop", "p"), challenge("use_dpop_nonce", ("dpop-nonce", "mine")))
        later = {dpop_nonce_key(REQUEST): Stored(b"theirs", 1)}
        script = Script([], stored(FRESH) | later)
        sent = script.run(authorise(REQUEST, USER, provider=SERVER, env=surroundings(), refused=refused))
        assert read_jwt(sent.headers["dpop"]).claims["nonce"] == "mine"

    def test_the_nonce_of_a_success_is_used_next(self) -> None:
        script = Script([json_answer(200, {}, ("dpop-nonce", "next")), OK], stored(FRESH))
        run(script)
        run(script)
        assert [proof.claims.get("nonce") for proof in proofs(script)] == [None, "next"]

    def test_a_nonce_and_a_new_token_in_one_call(self) -> None:
        script = Script(
            [challenge("use_dpop_nonce", ("dpop-nonce", "told")), challenge("invalid_token"), ISSUED, OK], stored(FRESH)
        )
        assert run(script) is OK
        assert script.sent[3].headers["authorization"] == "DPoP new"
        assert [proof.claims.get("nonce") for proof in proofs(script)] == [None, "told", "told", "told"]

    def test_who_asks_for_ever_is_asked_no_more(self) -> None:
        again = challenge("use_dpop_nonce", ("dpop-nonce", "told"))
        script = Script([again, again], stored(FRESH))
        with pytest.raises(errors.NonceRequired):
            run(script)
        assert script.answers == []

    def test_a_wrong_proof_is_no_reason_to_renew_the_token(self) -> None:
        script = Script([challenge("invalid_dpop_proof")], stored(FRESH))
        with pytest.raises(errors.InvalidProof):
            run(script)
        assert script.records == stored(FRESH)

    def test_a_nonce_told_to_who_sent_no_proof_is_none_of_theirs(self) -> None:
        refused = Exchange(REQUEST, challenge("use_dpop_nonce", ("dpop-nonce", "told")))
        assert remedy(refused, USER, SERVER, surroundings()) is None


class TestTokens:
    def test_a_key_is_kept_with_the_tokens_and_not_shown(self) -> None:
        assert OAuth2Tokens.from_bytes(FRESH.to_bytes()) == FRESH
        assert BOUND.private_key not in repr(FRESH)

    @pytest.mark.parametrize(("kind", "key"), [("DPoP", None), ("dpop", None), ("Bearer", "{}")])
    def test_a_type_that_does_not_fit_the_key_is_refused(self, kind: str, key: str | None) -> None:
        with pytest.raises(errors.InvalidParameter, match="dpop_key"):
            OAuth2Tokens("a", kind, dpop_key=key)

    @pytest.mark.parametrize("change", [{"dpop_key": 7}, {"dpop_key": None}, {"token_type": "Bearer"}])
    def test_a_record_whose_type_does_not_fit_its_key_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(errors.StoreError):
            OAuth2Tokens.from_bytes(json.dumps(json.loads(FRESH.to_bytes()) | change).encode())
