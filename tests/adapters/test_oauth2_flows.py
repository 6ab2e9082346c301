"""Every OAuth 2 flow but those with a page of their own, on every transport, against the served sandbox.

Devices, OpenID Connect, callbacks and DPoP have files of their own.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sansauth import AwaitingUser
from sansauth.encoding import decode
from sansauth.errors import (
    ApiError,
    BadRequest,
    InsufficientScope,
    InvalidClient,
    InvalidGrant,
    InvalidOrExpiredToken,
    InvalidScope,
    LocalProtocolError,
    LoginRequired,
    RemoteProtocolError,
    UnauthorizedClient,
)
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import (
    Introspection,
    bearer_assertion,
    begin_device_login,
    begin_login,
    client_credentials,
    exchange_token,
    grant_by_jwt,
    introspect,
    refresh,
    require_scopes,
    revoke,
    revoke_tokens,
)
from sansauth.provider import Provider
from sansauth.tokens import OAuth2Tokens

from .oauth2_desk import (
    BACK,
    DEVICE,
    INTROSPECT,
    ME,
    OWN,
    PAR,
    REVOKE,
    SCOPES,
    TOKEN,
    Desk,
    client_of,
    desk,
    every_method,
    private_key,
)
from .transports import Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")


# --- login -----------------------------------------------------------------------------------------------------------


@every_kit
def test_a_public_client_logs_in_by_its_proof_key_alone(kit: Kit) -> None:
    """RFC 7636: no secret anywhere; refreshing, revoking and calls too."""
    with desk(kit) as at, at.seated(at.sandbox.public_client):
        tokens = at.log_in()
        assert (tokens.token_type, tokens.scopes) == ("Bearer", tuple(SCOPES))
        at.sandbox.skew = 7300
        assert at.face.get(ME).status == 200
        renewed = at.held()
        assert renewed.refresh_token not in (None, tokens.refresh_token)
        at.ask(revoke_tokens, at.client, renewed)
        with pytest.raises(LoginRequired):
            at.face.get(ME)


@every_kit
def test_nothing_is_sent_to_begin_a_login(kit: Kit) -> None:
    with desk(kit) as at:
        asked = dict(decode(at.begin().url.partition("?")[2]))
        assert at.sandbox.log == []
        assert asked.pop("state") != asked.pop("code_challenge")
        assert asked == {
            "response_type": "code",
            "client_id": at.client.client_id,
            "redirect_uri": BACK,
            "scope": " ".join(SCOPES),
            "code_challenge_method": "S256",
        }


@every_kit
@pytest.mark.parametrize(
    ("registered", "used"),
    [
        ("http://127.0.0.1/done", "http://127.0.0.1:49152/done"),  # RFC 8252 section 7.3
        ("http://[::1]/done", "http://[::1]:49152/done"),
        ("com.example.app:/done", "com.example.app:/done"),  # section 7.1
        (f"{BACK}?keep=1", f"{BACK}?keep=1"),
    ],
)
def test_users_come_back_to_this_machine_to_an_application_or_to_a_page_with_a_query(
    kit: Kit, registered: str, used: str
) -> None:
    with desk(kit, redirect_uris=[registered]) as at:
        awaiting = at.begin(redirect_uri=used)
        callback = at.sandbox.approve(awaiting.url)
        assert callback.startswith(used + ("&" if "?" in used else "?"))
        assert at.get(at.finish(awaiting, callback)).status == 200
        elsewhere = at.begin(redirect_uri="https://elsewhere.example/done")
        with pytest.raises(LocalProtocolError):
            at.sandbox.approve(elsewhere.url)


# --- pushed requests (RFC 9126) --------------------------------------------------------------------------------------


@every_kit
@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
def test_a_login_that_is_pushed_first(kit: Kit, public: bool) -> None:
    with desk(kit) as at:
        at.client = at.sandbox.public_client if public else at.sandbox.oauth2_client
        awaiting = AwaitingUser.from_json(at.begin(push=True).to_json())
        assert at.asked() == [(PAR, 201)]
        shown = decode(awaiting.url.partition("?")[2])
        assert [name for name, _ in shown] == ["client_id", "request_uri"]
        callback = at.sandbox.approve(awaiting.url)
        assert callback.startswith(f"{BACK}?")
        tokens = at.finish(awaiting, callback)
        assert (tokens.scopes, at.get(tokens).status) == (tuple(SCOPES), 200)
        with pytest.raises(LocalProtocolError):
            at.sandbox.approve(awaiting.url)  # which is good once


@every_kit
def test_a_service_that_wants_every_request_pushed_gets_it_so(kit: Kit) -> None:
    with desk(kit) as at:
        at.provider = replace(at.provider, quirks=replace(at.provider.quirks, pushes_requests=True))
        at.log_in()
        assert at.asked() == [(PAR, 201), (TOKEN, 200)]


@every_kit
def test_a_request_that_is_wrong_is_refused_when_it_is_pushed(kit: Kit) -> None:
    """And not on a page that the user sees."""
    with desk(kit, redirect_uris=[BACK]) as at:
        with pytest.raises(InvalidScope):
            at.begin(["no.such.scope"], push=True)
        with pytest.raises(BadRequest):
            at.begin(push=True, redirect_uri="https://elsewhere.example/done")


# --- client authentication -------------------------------------------------------------------------------------------


@every_kit
@every_method
def test_one_way_of_authentication_at_every_endpoint(kit: Kit, method: str) -> None:
    """The sandbox takes no other way than the one that a client is registered with."""
    with desk(kit, client=client_of(method)) as at:
        tokens = at.log_in(push=True)
        renewed = at.ask(refresh, at.client, tokens)
        assert at.ask(introspect, at.client, renewed.access_token).active
        at.ask(client_credentials, at.client)
        at.ask(begin_device_login, at.client, SCOPES)
        at.ask(exchange_token, at.client, renewed.access_token)
        at.ask(revoke_tokens, at.client, renewed)
        assert at.asked() == [
            (PAR, 201),
            (TOKEN, 200),
            (TOKEN, 200),
            (INTROSPECT, 200),
            (TOKEN, 200),
            (DEVICE, 200),
            (TOKEN, 200),
            (REVOKE, 200),
            (REVOKE, 200),
        ]


@every_kit
@every_method
def test_who_is_not_who_they_say_has_an_error_of_its_own_at_every_endpoint(kit: Kit, method: str) -> None:
    with desk(kit, client=client_of(method)) as at:
        awaiting, tokens = at.begin(), at.log_in()
        callback = at.sandbox.approve(awaiting.url)
        right, wrong = at.client, client_of(method, "planted-wrong-secret" * 2, "another's")
        at.client = wrong

        def finish() -> None:
            at.finish(awaiting, callback)

        for attempt in (
            finish,
            lambda: at.ask(refresh, wrong, tokens),
            lambda: at.ask(introspect, wrong, tokens.access_token),
            lambda: at.ask(revoke, wrong, tokens.access_token),
            lambda: at.ask(client_credentials, wrong),
            lambda: at.ask(begin_device_login, wrong, SCOPES),
            lambda: at.begin(push=True),
        ):
            with pytest.raises(InvalidClient) as caught:
                attempt()
            assert "planted" not in str(caught.value).replace(wrong.client_id, "")
        at.client = right
        assert at.finish(awaiting, callback).access_token  # nothing of that has ended the login, or a token
        assert at.get(tokens).status == 200


# --- scopes ----------------------------------------------------------------------------------------------------------


@every_kit
def test_a_refresh_may_ask_for_less_and_gets_the_rest_back_later(kit: Kit) -> None:
    """RFC 6749 section 6."""
    with desk(kit) as at:
        tokens = at.log_in()
        fewer = at.ask(refresh, at.client, tokens, scopes=["users.read", "offline.access"])
        assert fewer.scopes == ("users.read", "offline.access")
        with pytest.raises(InsufficientScope):
            at.get(fewer)
        with pytest.raises(RemoteProtocolError, match=r"tweet\.read"):
            require_scopes(fewer, "users.read", "tweet.read")
        again = at.ask(refresh, at.client, fewer)
        assert (again.scopes, at.get(again).status) == (tuple(SCOPES), 200)
        assert require_scopes(again, *SCOPES) is again


@every_kit
def test_a_refresh_may_not_ask_for_more(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in()
        with pytest.raises(InvalidScope):
            at.ask(refresh, at.client, tokens, scopes=[*SCOPES, "dm.read"])
        assert at.ask(refresh, at.client, tokens).scopes == tuple(SCOPES)


@every_kit
def test_other_scopes_than_were_asked_for_are_told_and_no_exception(kit: Kit) -> None:
    """oauthlib: "Scope has changed", raised as an exception, with the tokens lost."""
    with desk(kit) as at:
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        granted = {"access_token": "AAAA", "token_type": "bearer", "scope": "users.read like.read"}
        at.sandbox.fail_next(200, json.dumps(granted).encode())
        assert at.finish(awaiting, callback).scopes == ("users.read", "like.read")


@every_kit
def test_a_login_without_the_scope_for_it_has_no_refresh_token_and_ends(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in(SCOPES[:2])
        assert (tokens.refresh_token, at.face.get(ME).status) == (None, 200)
        at.sandbox.skew = 7300
        with pytest.raises(LoginRequired, match="no refresh token"):
            at.face.get(ME)


# --- refreshing ------------------------------------------------------------------------------------------------------


@every_kit
def test_a_refresh_token_that_comes_twice_ends_all_that_came_of_its_login(kit: Kit) -> None:
    """RFC 9700 section 4.14.2: one of the two has stolen it."""
    with desk(kit) as at:
        old = at.log_in()
        new = at.ask(refresh, at.client, old)
        with pytest.raises(InvalidGrant):
            at.ask(refresh, at.client, old)
        with pytest.raises(InvalidGrant):
            at.ask(refresh, at.client, new)
        with pytest.raises(InvalidOrExpiredToken):
            at.get(new)


@every_kit
def test_a_refresh_token_stays_where_the_answer_brings_no_other(kit: Kit) -> None:
    """RFC 6749 section 6: Google's answers are so."""
    with desk(kit) as at:
        old = at.log_in()
        at.sandbox.fail_next(200, b'{"access_token":"AAAA","token_type":"bearer","expires_in":7200}')
        new = at.ask(refresh, at.client, old)
        assert (new.access_token, new.refresh_token, new.scopes) == ("AAAA", old.refresh_token, old.scopes)
        assert at.ask(refresh, at.client, new).refresh_token != old.refresh_token


@every_kit
def test_another_clients_refresh_token_is_none(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in()
        with pytest.raises(InvalidGrant):
            at.ask(refresh, at.sandbox.public_client, tokens)
        assert at.ask(refresh, at.client, tokens).access_token


# --- client credentials ----------------------------------------------------------------------------------------------


@every_kit
def test_a_client_has_tokens_for_itself_with_the_scopes_it_asks_for(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.ask(client_credentials, at.client, scopes=["tweet.read", "users.read"])
        assert (tokens.scopes, tokens.refresh_token) == (("tweet.read", "users.read"), None)
        told = {"client_id": at.client.client_id, "scopes": ["tweet.read", "users.read"]}
        assert at.get(tokens, OWN).json() == told
        with pytest.raises(InvalidScope):
            at.ask(client_credentials, at.client, scopes=["no.such.scope"])


@every_kit
def test_a_public_client_has_none_for_itself(kit: Kit) -> None:
    """RFC 6749 section 4.4.2."""
    with desk(kit) as at, pytest.raises(UnauthorizedClient):
        at.ask(client_credentials, at.sandbox.public_client)


# --- token exchange (RFC 8693) ---------------------------------------------------------------------------------------


@every_kit
def test_one_token_is_exchanged_for_another_with_less_in_it(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in()
        other = client_of("client_secret_post")
        at.sandbox.add_client(other)
        exchanged = at.ask(exchange_token, other, tokens.access_token, scopes=["users.read"])
        assert (exchanged.scopes, exchanged.refresh_token) == (("users.read",), None)
        told = at.ask(introspect, other, exchanged.access_token)
        assert (told.client_id, told.sub) == (other.client_id, str(at.sandbox.user_id))
        with pytest.raises(InsufficientScope):
            at.get(exchanged)
        assert at.get(at.ask(exchange_token, other, tokens.access_token)).status == 200


@every_kit
def test_what_is_not_exchanged(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in()
        with pytest.raises(InvalidScope):
            at.ask(exchange_token, at.client, tokens.access_token, scopes=["dm.read"])
        with pytest.raises(UnauthorizedClient):
            at.ask(exchange_token, at.sandbox.public_client, tokens.access_token)
        with pytest.raises(BadRequest) as caught:
            at.ask(exchange_token, at.client, "planted-never-one-of-yours")
        assert caught.value.codes == ("invalid_request",)  # RFC 8693 section 2.2.2
        assert "planted" not in str(caught.value)
        with pytest.raises(BadRequest):
            at.ask(exchange_token, at.client, tokens.access_token, further={"actor_token": tokens.access_token})


# --- JWT bearer (RFC 7523 section 2.1) -------------------------------------------------------------------------------


def assertion(at: Desk, audience: str | None = None, *, subject: str | None = None, key: str = "client's") -> str:
    """Leave to act for the sandbox's user, from the client with a key."""
    named = subject or str(at.sandbox.user_id), audience or at.provider.issuer or ""
    return bearer_assertion("planted:client id", *named, private_key(key), env=at.env, key_id="one")


@every_kit
def test_a_signed_statement_is_traded_for_tokens_once(kit: Kit) -> None:
    with desk(kit, client=client_of("private_key_jwt")) as at:
        statement = assertion(at)
        tokens = at.ask(grant_by_jwt, at.sandbox.public_client, statement, scopes=SCOPES[:2])
        assert (tokens.scopes, at.get(tokens).status) == (tuple(SCOPES[:2]), 200)
        with pytest.raises(InvalidGrant):
            at.ask(grant_by_jwt, at.sandbox.public_client, statement)
        tokens = at.ask(grant_by_jwt, at.client, assertion(at, at.provider.endpoints.token), scopes=SCOPES[:2])
        assert at.get(tokens).status == 200


@every_kit
def test_a_statement_that_is_not_right_is_traded_for_nothing(kit: Kit) -> None:
    with desk(kit, client=client_of("private_key_jwt")) as at:
        wrong = [
            assertion(at, "https://elsewhere.example"),
            assertion(at, subject="nobody"),
            assertion(at, key="another's"),
        ]
        late = assertion(at)
        at.clock.ahead = 61.0
        for statement in (*wrong, late):
            with pytest.raises(InvalidGrant):
                at.ask(grant_by_jwt, at.client, statement)


# --- introspection (RFC 7662) ----------------------------------------------------------------------------------------


@every_kit
def test_what_a_token_is_worth(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in()
        told = at.ask(introspect, at.client, tokens.access_token)
        assert (told.active, told.scopes, told.token_type) == (True, tuple(SCOPES), "bearer")
        assert (told.sub, told.username) == (str(at.sandbox.user_id), at.sandbox.screen_name)
        assert (told.client_id, told.iss) == (at.client.client_id, at.provider.issuer)
        assert told.exp - told.iat == at.sandbox.token_lifetime
        assert told.exp == pytest.approx(tokens.expires_at, abs=5)
        told = at.ask(introspect, at.client, tokens.refresh_token, hint="refresh_token")
        assert (told.active, told.token_type) == (True, None)
        own = at.ask(client_credentials, at.client)
        assert at.ask(introspect, at.client, own.access_token).sub is None


@every_kit
def test_of_a_token_that_is_worth_nothing_nothing_is_told(kit: Kit) -> None:
    nothing = Introspection(active=False)
    with desk(kit) as at:
        tokens = at.log_in()
        assert at.ask(introspect, at.client, "never-one-of-yours") == nothing
        at.ask(refresh, at.client, tokens)
        assert at.ask(introspect, at.client, tokens.refresh_token) == nothing  # it was used
        at.ask(revoke, at.client, tokens.access_token)
        assert at.ask(introspect, at.client, tokens.access_token) == nothing
        own = at.ask(client_credentials, at.client)
        at.sandbox.skew = 7300
        assert at.ask(introspect, at.client, own.access_token) == nothing


@every_kit
def test_who_cannot_show_who_they_are_is_told_nothing(kit: Kit) -> None:
    with desk(kit) as at, pytest.raises(InvalidClient):
        at.ask(introspect, at.sandbox.public_client, at.log_in().access_token)


# --- revocation (RFC 7009) -------------------------------------------------------------------------------------------


@every_kit
@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
def test_an_access_token_is_revoked_alone_and_a_refresh_token_with_all_that_came_of_it(kit: Kit, public: bool) -> None:
    with desk(kit) as at:
        at.client = at.sandbox.public_client if public else at.sandbox.oauth2_client
        tokens = log_in_as_its_client(at)
        at.ask(revoke, at.client, tokens.access_token, hint="access_token")
        with pytest.raises(InvalidOrExpiredToken):
            at.get(tokens)
        renewed = at.ask(refresh, at.client, tokens)
        assert at.get(renewed).status == 200
        at.ask(revoke, at.client, renewed.refresh_token, hint="refresh_token")
        with pytest.raises(InvalidOrExpiredToken):
            at.get(renewed)
        with pytest.raises(InvalidGrant):
            at.ask(refresh, at.client, renewed)


def log_in_as_its_client(at: Desk) -> OAuth2Tokens:
    awaiting = at.begin()
    return at.finish(awaiting, at.sandbox.approve(awaiting.url))


@every_kit
def test_a_token_that_is_none_is_revoked_without_complaint_and_another_clients_is_not(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in()
        at.ask(revoke, at.client, "never-one-of-yours")  # section 2.2
        with pytest.raises(InvalidGrant):
            at.ask(revoke, at.sandbox.public_client, tokens.access_token)
        assert at.get(tokens).status == 200


@every_kit
def test_the_access_token_is_revoked_even_where_the_refresh_token_could_not_be(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.log_in()
        at.sandbox.fail_next(503)
        with pytest.raises(ApiError) as caught:
            at.ask(revoke_tokens, at.client, tokens)
        assert caught.value.retryable
        with pytest.raises(InvalidOrExpiredToken):
            at.get(tokens)
        at.ask(revoke_tokens, at.client, tokens)
        with pytest.raises(InvalidGrant):
            at.ask(refresh, at.client, tokens)


# --- where credentials go --------------------------------------------------------------------------------------------


@every_kit
def test_a_provider_without_an_endpoint_says_so_and_sends_nothing(kit: Kit) -> None:
    with desk(kit, as_x=True) as at:
        for attempt in (
            lambda: at.ask(introspect, at.client, "AAAA"),
            lambda: at.ask(begin_device_login, at.client, SCOPES),
            lambda: at.begin(push=True),
        ):
            with pytest.raises(LocalProtocolError, match="no endpoint"):
                attempt()
        bare = Provider("bare", at.provider.base_url)
        with pytest.raises(LocalProtocolError, match="no endpoint 'authorization'"):
            at.face.run(begin_login(OAuth2Client("c"), SCOPES, provider=bare, env=at.env, redirect_uri=BACK))
        assert at.sandbox.log == []
