"""OAuth 2 on every transport: what a client keeps, renews and refuses; what a store is for; X's own words."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from sansauth.errors import BadRequest, LocalProtocolError, LoginRequired, WrongIdentity
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2 import revoke_tokens
from sansauth.tokens import OAuth2Tokens

from .oauth2_desk import BACK, ME, OWN, REVOKE, SCOPES, TOKEN, desk
from .transports import APP, Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")


@every_kit
def test_a_login_is_good_for_calls_and_outlives_the_client(kit: Kit) -> None:
    with desk(kit, as_x=True) as at:
        tokens = at.log_in()
        assert tokens.refresh_token is not None
        assert at.face.get(ME).status == 200
        with at.opened() as another:
            assert another.get(ME).status == 200
        assert at.held() == tokens


@every_kit
def test_a_login_by_the_clients_own_methods_is_kept_by_them(kit: Kit) -> None:
    with desk(kit, as_x=True) as at:
        begun = at.face._call("begin_oauth2_login", SCOPES, redirect_uri=BACK)
        with at.opened() as another:
            tokens = another._call("finish_oauth2_login", begun, at.sandbox.approve(begun.url))
        assert (at.held(), at.face.get(ME).status) == (tokens, 200)


@every_kit
def test_a_token_that_has_ended_at_the_service_is_refreshed_and_the_new_one_saved(kit: Kit) -> None:
    with desk(kit, as_x=True) as at:
        old = at.log_in()
        at.sandbox.skew = 7300  # past its end
        assert at.face.get(ME).status == 200
        new = at.held()
        assert (new.access_token == old.access_token, new.refresh_token == old.refresh_token) == (False, False)
        assert at.asked()[1:] == [(ME, 401), (TOKEN, 200), (ME, 200)]


@every_kit
def test_a_token_that_has_ended_by_our_clock_is_refreshed_before_the_call(kit: Kit) -> None:
    with desk(kit, as_x=True) as at:
        at.adopt(replace(at.log_in(), expires_at=time.time() - 1))
        assert at.face.get(ME).status == 200
        assert at.asked()[1:] == [(TOKEN, 200), (ME, 200)]
        assert at.face.get(ME).status == 200
        assert at.asked()[3:] == [(ME, 200)]


@every_kit
def test_a_service_that_does_not_rotate_refresh_tokens_keeps_the_one_there_is(kit: Kit) -> None:
    with desk(kit, as_x=True) as at:
        at.sandbox.rotates = False
        old = at.log_in()
        at.sandbox.skew = 7300
        assert at.face.get(ME).status == 200
        assert at.held().refresh_token == old.refresh_token


@every_kit
def test_a_revoked_login_has_to_be_made_again(kit: Kit) -> None:
    with desk(kit, as_x=True) as at:
        at.ask(revoke_tokens, at.client, at.log_in())
        with pytest.raises(LoginRequired):
            at.face.get(ME)
        at.log_in()
        assert at.face.get(ME).status == 200


@every_kit
def test_the_same_in_the_words_that_x_really_uses(kit: Kit) -> None:
    """X: `invalid_request` for a dead refresh token, and no revocation without a token_type_hint."""
    with desk(kit, as_x=True) as at:
        at.sandbox.x_errors = True
        at.ask(revoke_tokens, at.client, at.log_in())
        assert at.asked()[1:] == [(REVOKE, 200)] * 2
        with pytest.raises(LoginRequired, match="dead"):
            at.face.get(ME)
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        at.sandbox.skew = 31  # the code has ended
        with pytest.raises(BadRequest, match="authorization code was invalid") as caught:
            at.finish(awaiting, callback)
        assert caught.value.codes == ("invalid_request",)


# --- a client for itself ---------------------------------------------------------------------------------------------


@every_kit
def test_a_client_calls_for_itself_and_renews_its_token_by_itself(kit: Kit) -> None:
    with desk(kit) as at, at.opened(at.client) as face:
        assert face.get(OWN).json() == {"client_id": at.client.client_id, "scopes": []}
        first = at.held(at.client)
        assert (first.refresh_token, at.asked()) == (None, [(TOKEN, 200), (OWN, 200)])
        assert face.get(OWN).status == 200
        assert at.asked()[2:] == [(OWN, 200)]
        at.sandbox.skew = 7300  # its end, that the service alone knows of
        assert face.get(OWN).status == 200
        assert at.asked()[3:] == [(OWN, 401), (TOKEN, 200), (OWN, 200)]
        second = at.held(at.client)
        face._call("adopt", replace(second, expires_at=time.time() - 1))  # its end, that we know of
        assert face.get(OWN).status == 200
        assert at.asked()[6:] == [(TOKEN, 200), (OWN, 200)]
        assert len({first.access_token, second.access_token, at.held(at.client).access_token}) == 3


@every_kit
def test_a_client_keeps_its_own_token_without_a_store_too(kit: Kit) -> None:
    with desk(kit) as at, kit.open(at.provider.base_url, at.client) as face:
        assert [face.get(OWN).status for _ in range(2)] == [200, 200]
        assert at.asked() == [(TOKEN, 200), (OWN, 200), (OWN, 200)]


# --- what is refused -------------------------------------------------------------------------------------------------


@every_kit
def test_a_user_without_a_store_is_refused(kit: Kit) -> None:
    user = OAuth2User(OAuth2Client("id"), "me")
    with pytest.raises(LocalProtocolError, match="store="), kit.open("http://127.0.0.1:9", user):
        pass


@every_kit
def test_a_user_who_never_logged_in_is_told_to_and_nobody_is_asked(kit: Kit) -> None:
    with desk(kit) as at:
        with pytest.raises(LoginRequired, match="log in, or adopt"):
            at.face.get(ME)
        assert at.asked() == []


@every_kit
def test_only_who_keeps_tokens_adopts_them(kit: Kit) -> None:
    with kit.open("http://127.0.0.1:9", APP) as face:
        with pytest.raises(WrongIdentity, match="adopted"):
            face._call("adopt", OAuth2Tokens("a"))
        with pytest.raises(LocalProtocolError, match="OAuth2Tokens"):
            face._call("adopt", "AAAA")
