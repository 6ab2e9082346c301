"""DPoP (RFC 9449) on every transport, against the served sandbox: every flow with tokens that are bound to a key.

The sandbox judges every proof; with `dpop_nonces` both its servers want a nonce in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from sansauth import AwaitingUser, Bearer
from sansauth.errors import (
    Denied,
    InvalidGrant,
    InvalidOrExpiredToken,
    InvalidProof,
    LoginRefused,
    LoginRequired,
    RemoteProtocolError,
)
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import (
    DPoPKey,
    bearer_assertion,
    begin_device_login,
    exchange_token,
    finish_device_login,
    grant_by_jwt,
    introspect,
    refresh,
    register,
    revoke,
    revoke_tokens,
)
from sansauth.tokens import OAuth2Tokens
from sansauth_io.sandbox_server import SandboxServer

from .oauth2_desk import (
    BACK,
    ME,
    METHODS,
    OWN,
    PAR,
    SCOPES,
    TOKEN,
    Desk,
    client_of,
    desk,
    private_key,
)
from .transports import Kit, every_kit

pytest.importorskip("jwt")
pytestmark = pytest.mark.usefixtures("loopback")

USERINFO = "/2/oauth2/userinfo"
PUBLIC = OAuth2Client("planted:public id", dpop_bound_access_tokens=True)
CONFIDENTIAL = replace(client_of("client_secret_basic"), dpop_bound_access_tokens=True)
every_client = pytest.mark.parametrize("client", [PUBLIC, CONFIDENTIAL], ids=["public", "confidential"])
with_nonces = pytest.mark.parametrize("nonces", [False, True], ids=["plain", "nonces"])


@contextmanager
def bound(kit: Kit, client: OAuth2Client = PUBLIC, *, nonces: bool = False) -> Iterator[Desk]:
    with desk(kit, client=client) as at:
        at.sandbox.dpop_nonces = nonces
        yield at


def key_of(held: OAuth2Tokens | AwaitingUser) -> DPoPKey:
    assert held.dpop_key is not None
    return DPoPKey(held.dpop_key)


def another_key(at: Desk) -> str:
    return DPoPKey.generate(at.env).private_key


# --- what goes well --------------------------------------------------------------------------------------------------


@every_kit
@every_client
@with_nonces
def test_a_login_calls_and_refreshes_with_one_key(kit: Kit, client: OAuth2Client, nonces: bool) -> None:
    with bound(kit, client, nonces=nonces) as at:
        awaiting = AwaitingUser.from_json(at.begin().to_json())
        tokens = at.finish(awaiting, at.sandbox.approve(awaiting.url))
        at.adopt(tokens)
        assert (tokens.token_type, key_of(tokens)) == ("DPoP", key_of(awaiting))
        asked = [(TOKEN, 400), (TOKEN, 200)] if nonces else [(TOKEN, 200)]
        assert at.asked() == asked
        assert at.face.get(ME).status == at.face.get(ME, params={"user.fields": "name"}).status == 200
        at.adopt(replace(at.held(), expires_at=at.clock() - 1))
        assert at.face.get(ME).status == 200
        # A nonce that was told once is used from then on: nothing else is asked twice.
        assert at.asked() == [*asked, (ME, 200), (ME, 200), (TOKEN, 200), (ME, 200)]
        assert at.held().access_token != tokens.access_token
        assert key_of(at.held()) == key_of(tokens)


@every_kit
def test_each_server_tells_a_nonce_of_its_own(kit: Kit) -> None:
    """RFC 9449 section 9: that of the one is of no use at the other."""
    with bound(kit, nonces=True) as at, SandboxServer(at.sandbox) as resources:
        at.provider = at.provider.allowing(resources.base_url)
        with at.seated():
            at.log_in()
            for _ in range(2):
                assert at.face.get(f"{resources.base_url}{ME}").status == 200
            assert at.asked() == [(TOKEN, 400), (TOKEN, 200), (ME, 401), (ME, 200), (ME, 200)]


@every_kit
def test_a_nonce_that_has_ended_is_replaced_in_the_middle(kit: Kit) -> None:
    with bound(kit, nonces=True) as at:
        at.log_in()
        assert at.face.get(ME).status == 200
        at.sandbox.oauth2.seed = b"another"  # what the nonces are made of
        before = len(at.sandbox.log)
        assert [at.face.get(ME).status for _ in range(2)] == [200, 200]
        assert at.asked(before) == [(ME, 401), (ME, 200), (ME, 200)]
        at.sandbox.oauth2.seed = b"yet another"
        before = len(at.sandbox.log)
        at.adopt(replace(at.held(), expires_at=at.clock() - 1))
        assert at.face.get(ME).status == 200
        assert at.asked(before) == [(TOKEN, 400), (TOKEN, 200), (ME, 200)]


@every_kit
@with_nonces
def test_a_token_that_the_service_has_ended_is_refreshed_in_the_middle(kit: Kit, nonces: bool) -> None:
    with bound(kit, nonces=nonces) as at:
        tokens = at.log_in()
        at.ask(revoke, at.client, tokens.access_token, hint="access_token")
        before = len(at.sandbox.log)
        assert at.face.get(ME).status == 200
        assert at.asked(before) == [(ME, 401), (TOKEN, 200), (ME, 200)]
        at.ask(revoke_tokens, at.client, at.held())
        with pytest.raises(LoginRequired):
            at.face.get(ME)


@every_kit
@every_client
@with_nonces
def test_a_login_that_is_pushed_first_is_bound_too(kit: Kit, client: OAuth2Client, nonces: bool) -> None:
    with bound(kit, client, nonces=nonces) as at:
        awaiting = at.begin(push=True)
        assert at.asked() == [(PAR, 201)]
        callback = at.sandbox.approve(awaiting.url)
        with pytest.raises(InvalidGrant):
            at.finish(replace(awaiting, dpop_key=another_key(at)), callback)
        tokens = at.finish(awaiting, callback)
        at.adopt(tokens)
        assert at.face.get(ME).status == 200
        assert key_of(tokens) == key_of(awaiting)


@every_kit
@pytest.mark.parametrize("method", METHODS)
def test_a_client_for_itself_whichever_way_it_authenticates(kit: Kit, method: str) -> None:
    """With nonces: the second time, an assertion that is good once has to be another one."""
    client = replace(client_of(method), dpop_bound_access_tokens=True)
    with bound(kit, client, nonces=True) as at, at.opened(client) as face:
        assert face.get(OWN).json() == {"client_id": client.client_id, "scopes": []}
        first = at.held(client)
        assert at.asked() == [(TOKEN, 400), (TOKEN, 200), (OWN, 200)]
        face._call("adopt", replace(first, expires_at=at.clock() - 1))
        assert face.get(OWN).status == 200
        assert at.held(client).access_token != first.access_token


@every_kit
@with_nonces
def test_a_device(kit: Kit, nonces: bool) -> None:
    with bound(kit, nonces=nonces) as at:
        awaiting = at.ask(begin_device_login, at.client, SCOPES)

        def decide(waited: int) -> None:
            if waited == 2:
                at.sandbox.approve(awaiting.verification_uri_complete)

        work = finish_device_login(at.client, awaiting, provider=at.provider, env=at.env)
        waits: list[float] = []
        tokens = at.hasten(work, waits, decide)
        at.clock.ahead = 0
        assert waits == [5, 5]
        at.adopt(tokens)
        assert at.face.get(ME).status == 200
        denied = at.ask(begin_device_login, at.client, SCOPES)
        at.sandbox.deny(denied.verification_uri_complete)
        with pytest.raises(Denied):
            at.ask(finish_device_login, at.client, replace(denied, interval=0.01))


@every_kit
def test_exchanged_and_granted_tokens_are_bound_to_keys_of_their_own(kit: Kit) -> None:
    client = replace(client_of("private_key_jwt"), dpop_bound_access_tokens=True)
    with bound(kit, client, nonces=True) as at:
        tokens = at.log_in()
        exchanged = at.ask(exchange_token, client, tokens.access_token)
        named = str(at.sandbox.user_id), at.provider.issuer or ""
        statement = bearer_assertion(client.client_id, *named, private_key(), env=at.env, key_id="one")
        granted = at.ask(grant_by_jwt, client, statement, scopes=SCOPES[:2])
        assert len({key_of(one).thumbprint for one in (tokens, exchanged, granted)}) == 3
        for one in (exchanged, granted):
            at.adopt(one)
            assert at.face.get(ME).status == 200
            told = at.ask(introspect, client, one.access_token)
            assert (told.token_type, told.further["cnf"]) == ("DPoP", {"jkt": key_of(one).thumbprint})


@every_kit
@with_nonces
def test_who_the_user_is(kit: Kit, nonces: bool) -> None:
    """The id_token is verified by the login itself; userinfo is a call like any other."""
    with bound(kit, nonces=nonces) as at:
        tokens = at.log_in(["openid", "profile"])
        assert tokens.id_token is not None
        told = at.face.get(USERINFO).json()
        assert told == {"sub": str(at.sandbox.user_id), "name": at.sandbox.user_name, "preferred_username": "sandbox"}


# --- what is refused -------------------------------------------------------------------------------------------------


@every_kit
@every_client
@with_nonces
def test_a_call_with_another_key_is_refused_and_nothing_is_renewed_for_it(
    kit: Kit, client: OAuth2Client, nonces: bool
) -> None:
    with bound(kit, client, nonces=nonces) as at:
        tokens = at.log_in()
        at.adopt(replace(tokens, dpop_key=another_key(at)))
        before = len(at.sandbox.log)
        with pytest.raises(InvalidProof):
            at.face.get(ME)
        assert at.asked(before) == [(ME, 401)]
        at.adopt(tokens)
        assert at.face.get(ME).status == 200


@every_kit
def test_whoever_has_read_the_token_alone_has_nothing(kit: Kit) -> None:
    with bound(kit) as at:
        tokens = at.log_in()
        with at.opened(Bearer(tokens.access_token)) as thief, pytest.raises(InvalidOrExpiredToken):
            thief.get(ME)
        assert at.face.get(ME).status == 200


@every_kit
@with_nonces
def test_a_code_is_of_no_use_without_the_key_of_its_login(kit: Kit, nonces: bool) -> None:
    """Section 10: and the login is not lost by it."""
    with bound(kit, nonces=nonces) as at:
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        with pytest.raises(InvalidGrant):
            at.finish(replace(awaiting, dpop_key=another_key(at)), callback)
        at.client = replace(PUBLIC, dpop_bound_access_tokens=False)
        with pytest.raises(InvalidGrant):
            at.finish(replace(awaiting, dpop_key=None), callback)
        at.client = PUBLIC
        assert at.finish(awaiting, callback).token_type == "DPoP"


@every_kit
def test_the_refresh_token_of_a_public_client_is_bound_and_another_clients_is_not(kit: Kit) -> None:
    """Section 5: who authenticates may bind the tokens anew."""
    with bound(kit) as at:
        tokens = at.log_in()
        with pytest.raises(InvalidGrant):
            at.ask(refresh, at.client, replace(tokens, dpop_key=another_key(at)))
        assert key_of(at.ask(refresh, at.client, tokens)) == key_of(tokens)
    with bound(kit, CONFIDENTIAL) as at:
        tokens = at.log_in()
        anew = at.ask(refresh, at.client, replace(tokens, dpop_key=another_key(at)))
        at.adopt(anew)
        assert at.face.get(ME).status == 200
        assert key_of(anew) != key_of(tokens)


@every_kit
def test_a_bearer_token_for_a_proof_is_no_answer(kit: Kit) -> None:
    """Section 5: it would be of use to whoever reads it."""
    with bound(kit) as at:
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        granted = {"access_token": "planted-token", "token_type": "Bearer"}
        at.sandbox.fail_next(200, json.dumps(granted).encode())
        with pytest.raises(RemoteProtocolError) as caught:
            at.finish(awaiting, callback)
        assert "planted" not in str(caught.value)


@every_kit
def test_a_service_that_wants_another_nonce_every_time_is_asked_twice(kit: Kit) -> None:
    with bound(kit) as at:
        at.log_in()
        wanted = {"www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": "another"}
        at.sandbox.fail_next(401, b"", wanted, times=3)
        before = len(at.sandbox.log)
        with pytest.raises(InvalidProof):
            at.face.get(ME)
        assert at.asked(before) == [(ME, 401), (ME, 401)]


@every_kit
def test_a_page_that_is_told_a_key_that_is_none_ends_the_login(kit: Kit) -> None:
    with bound(kit) as at:
        awaiting = at.begin()
        forged = awaiting.url.replace(key_of(awaiting).thumbprint, "short")
        with pytest.raises(LoginRefused, match="invalid_request"):
            at.finish(awaiting, at.sandbox.approve(forged))


@every_kit
def test_a_client_that_registers_itself_for_bound_tokens_gets_them(kit: Kit) -> None:
    """Section 5.2."""
    with desk(kit) as at:
        wanted = {"redirect_uris": [BACK], "dpop_bound_access_tokens": True}
        registered = at.face.run(register(wanted, provider=at.provider))
        with at.seated(registered.client):
            assert at.log_in().token_type == "DPoP"
