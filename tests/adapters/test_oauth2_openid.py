"""Discovery, registration and OpenID Connect on every transport, against the served sandbox."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sansauth import Provider
from sansauth.errors import (
    BadRequest,
    InsufficientScope,
    InvalidIdToken,
    InvalidOrExpiredToken,
    LocalProtocolError,
    NotFound,
    RemoteProtocolError,
)
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import Claims, fetch_userinfo, refresh, register, verify_id_token
from sansauth.oauth2.keys import signing_key
from sansauth.oauth2.login import login_nonce
from sansauth.tokens import OAuth2Tokens

from .oauth2_desk import BACK, ME, METHODS, SCOPES, TOKEN, Desk, desk, private_key
from .transports import Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
JWKS = "/2/oauth2/jwks"
REGISTER = "/2/oauth2/register"
USERINFO = "/2/oauth2/userinfo"
WHO = ["openid", "profile", "email"]


# --- discovery (RFC 8414, OpenID Connect Discovery 1.0) --------------------------------------------------------------


def discover(at: Desk, issuer: str | None = None) -> Provider:
    return at.face.run(Provider.discover(issuer or at.provider.base_url))


@every_kit
def test_a_login_with_nothing_known_but_the_issuer(kit: Kit) -> None:
    with desk(kit, as_x=True) as at:
        found = discover(at)
        assert at.asked() == [(OAUTH, 200)]
        base = at.provider.base_url
        assert (found.issuer, found.base_url, found.origins) == (base, base, (base,))
        assert found.endpoints.token == f"{base}{TOKEN}"
        assert found.quirks.names_issuer
        assert found.quirks.algorithms == ("ES256",)
        at.provider = found
        with at.seated():
            at.log_in()
            at.sandbox.skew = 7300
            assert at.face.get(ME).status == 200


@every_kit
def test_a_service_with_the_document_of_openid_connect_only(kit: Kit) -> None:
    with desk(kit) as at:
        at.sandbox.fail_next(404)
        assert discover(at) == at.provider
        assert at.asked() == [(OAUTH, 404), (OPENID, 200)]
        at.sandbox.fail_next(404, times=2)
        with pytest.raises(NotFound):
            discover(at)


@every_kit
def test_metadata_of_another_issuer_is_not_believed(kit: Kit) -> None:
    """RFC 8414 section 3.3."""
    with desk(kit) as at, desk(kit) as another:
        stolen = {"issuer": another.provider.issuer, "token_endpoint": another.provider.endpoints.token}
        at.sandbox.fail_next(200, json.dumps(stolen).encode(), times=2)  # both documents
        with pytest.raises(RemoteProtocolError, match="another issuer"):
            discover(at)
        with pytest.raises(RemoteProtocolError, match="a slash at the end too"):
            discover(at, f"{at.provider.base_url}/")


# --- registration (RFC 7591) -----------------------------------------------------------------------------------------


@every_kit
@pytest.mark.parametrize("method", [*METHODS, "none"])
def test_a_client_registers_itself_and_logs_users_in(kit: Kit, method: str) -> None:
    key = None
    wanted: dict[str, object] = {"redirect_uris": [BACK], "token_endpoint_auth_method": method, "client_name": "A"}
    if method.endswith("_jwt"):
        pytest.importorskip("jwt")
    if method == "private_key_jwt":
        key = private_key()
        wanted["jwks"] = {"keys": [{**signing_key(key).public_jwk, "kid": "one"}]}
    with desk(kit) as at:
        registered = at.face.run(register(wanted, provider=at.provider, private_key=key, key_id=key and "one"))
        assert (registered.client.auth, registered.client.redirect_uri) == (method, BACK)
        assert (registered.client_secret_expires_at, at.asked()) == (None, [(REGISTER, 201)])
        assert registered.client_id_issued_at == pytest.approx(at.clock(), abs=5)
        with at.seated(registered.client):
            tokens = at.log_in()
            at.adopt(replace(tokens, expires_at=at.clock() - 1))
            assert at.face.get(ME).status == 200
            assert at.held().access_token != tokens.access_token


@every_kit
def test_a_registered_client_sends_nobody_elsewhere(kit: Kit) -> None:
    with desk(kit) as at:
        at.client = at.face.run(register({"redirect_uris": [BACK]}, provider=at.provider)).client
        with pytest.raises(LocalProtocolError):
            at.sandbox.approve(at.begin(redirect_uri="https://elsewhere.example/done").url)


@every_kit
@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://app.example/done"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [BACK], "jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "invalid_client_metadata"),
    ],
)
def test_a_registration_that_is_refused(kit: Kit, wanted: dict[str, object], code: str) -> None:
    with desk(kit) as at, pytest.raises(BadRequest) as caught:
        at.face.run(register(wanted, provider=at.provider))
    assert caught.value.codes == (code,)


# --- who the user is (OpenID Connect Core 1.0) -----------------------------------------------------------------------


@pytest.fixture
def jose() -> None:
    """What the sandbox signs with, and we verify with."""
    pytest.importorskip("jwt")


def verify(at: Desk, tokens: OAuth2Tokens, client: OAuth2Client | None = None, **checks: object) -> Claims:
    claims: Claims = at.ask(verify_id_token, client or at.client, tokens.id_token, **checks)
    return claims


def fetches(at: Desk) -> int:
    """How often the service's keys were asked for."""
    return at.asked().count((JWKS, 200))


@every_kit
@pytest.mark.usefixtures("jose")
@pytest.mark.parametrize("push", [False, True], ids=["plain", "pushed"])
def test_an_id_token_says_who_has_logged_in(kit: Kit, push: bool) -> None:
    with desk(kit) as at:
        awaiting = at.begin(WHO, push=push)
        tokens = at.finish(awaiting, at.sandbox.approve(awaiting.url))
        nonce = login_nonce(awaiting.secret)
        claims = verify(at, tokens, nonce=nonce, access_token=tokens.access_token, max_age=60)
        assert (claims.subject, claims["nonce"]) == (str(at.sandbox.user_id), nonce)
        assert (claims["iss"], claims["aud"]) == (at.provider.issuer, at.client.client_id)
        assert fetches(at) == 1  # by the login itself, and kept


@every_kit
@pytest.mark.usefixtures("jose")
def test_an_id_token_of_another_login_is_not_taken(kit: Kit) -> None:
    """What a mixed-up login would bring: signed, of this client, and not what this login asked for."""
    with desk(kit) as at:
        mine, other = at.begin(["openid"]), at.begin(["openid"])
        forged = mine.url.replace(login_nonce(mine.secret), login_nonce(other.secret))
        assert forged != mine.url
        with pytest.raises(InvalidIdToken, match="nonce"):
            at.finish(mine, at.sandbox.approve(forged))
        without = at.begin(["openid"])
        stripped = without.url.replace(f"&nonce={login_nonce(without.secret)}", "")
        assert stripped != without.url
        with pytest.raises(InvalidIdToken, match="nonce"):
            at.finish(without, at.sandbox.approve(stripped))


@every_kit
@pytest.mark.usefixtures("jose")
def test_each_claim_of_an_id_token_is_checked(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in(WHO)
        header, payload, signature = str(tokens.id_token).split(".")
        for wrong, checks, said in (
            (tokens, {"nonce": "another"}, "nonce"),
            (tokens, {"access_token": "another"}, "at_hash"),
            (tokens, {"client": at.sandbox.public_client}, "aud"),
            (replace(tokens, id_token=f"{header}.{payload}.{'A' * len(signature)}"), {}, "signature"),
            (replace(tokens, id_token=f"{header}.{payload}."), {}, "signature"),
        ):
            with pytest.raises(InvalidIdToken, match=said):
                verify(at, wrong, **checks)  # type: ignore[arg-type]
        at.provider = replace(at.provider, issuer="https://elsewhere.example")
        with pytest.raises(InvalidIdToken, match="iss"):
            verify(at, tokens)
        at.provider = replace(at.provider, issuer=at.provider.base_url)
        at.clock.ahead = 3700
        with pytest.raises(InvalidIdToken, match="expired"):
            verify(at, tokens)


@every_kit
@pytest.mark.usefixtures("jose")
def test_keys_that_rotate_are_fetched_anew_and_the_one_before_still_counts(kit: Kit) -> None:
    with desk(kit) as at:
        old = at.log_in(WHO)
        at.sandbox.rotate_keys()
        at.clock.ahead = 61  # of REFETCH_SECONDS: whoever forges key ids cannot have them fetched at will
        new = at.log_in(WHO)
        assert fetches(at) == 2
        assert verify(at, old).subject == verify(at, new).subject == str(at.sandbox.user_id)
        assert fetches(at) == 2
        for _ in range(2):
            at.sandbox.rotate_keys()
        at.clock.ahead += 3601  # kept keys are too old: that one was taken back shows
        with pytest.raises(InvalidIdToken, match="for ES256"):
            verify(at, old)
        assert fetches(at) == 3


@every_kit
@pytest.mark.usefixtures("jose")
def test_keys_that_rotate_a_moment_after_they_were_fetched_lose_no_login(kit: Kit) -> None:
    with desk(kit) as at:
        at.log_in(WHO)
        at.sandbox.rotate_keys()
        at.log_in(WHO)
        assert fetches(at) == 2


@every_kit
@pytest.mark.usefixtures("jose")
def test_a_key_id_that_nobody_knows_has_the_keys_fetched_no_more_than_once_a_minute(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in(WHO)
        for _ in range(2):
            at.sandbox.rotate_keys()
            awaiting = at.begin(WHO)
            callback = at.sandbox.approve(awaiting.url)
        at.finish(awaiting, callback)
        at.sandbox.rotate_keys()
        awaiting = at.begin(WHO)
        callback = at.sandbox.approve(awaiting.url)
        with pytest.raises(InvalidIdToken, match="for ES256"):
            at.finish(awaiting, callback)
        assert fetches(at) == 2
        with pytest.raises(InvalidIdToken):
            verify(at, tokens)


@every_kit
@pytest.mark.usefixtures("jose")
def test_a_refresh_brings_an_id_token_of_the_same_user(kit: Kit) -> None:
    with desk(kit) as at:
        old = at.log_in([*WHO, "offline_access"])
        new = at.ask(refresh, at.client, old)
        assert verify(at, new, access_token=new.access_token).subject == verify(at, old).subject
        assert new.id_token != old.id_token


# --- userinfo --------------------------------------------------------------------------------------------------------


@every_kit
@pytest.mark.usefixtures("jose")
def test_userinfo_tells_of_the_user_what_the_scopes_allow(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in(WHO)
        subject = verify(at, tokens).subject
        told = at.ask(fetch_userinfo, tokens.access_token, subject=subject)
        assert (told.sub, told.claims["preferred_username"]) == (subject, at.sandbox.screen_name)
        assert told.claims["email"] == "sandbox@sandbox.invalid"
        bare = at.ask(fetch_userinfo, at.log_in(["openid"]).access_token)
        assert bare.claims == {"sub": subject}


@every_kit
@pytest.mark.usefixtures("jose")
def test_userinfo_of_another_user_is_not_taken_and_none_is_told_without_leave(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in(WHO)
        with pytest.raises(RemoteProtocolError, match="another user"):
            at.ask(fetch_userinfo, tokens.access_token, subject="7")
        with pytest.raises(InsufficientScope):
            at.ask(fetch_userinfo, at.log_in(SCOPES).access_token)
        at.sandbox.skew = 7300
        with pytest.raises(InvalidOrExpiredToken):
            at.ask(fetch_userinfo, tokens.access_token)
