"""OAuth 2 on every transport against a server that nobody here wrote: Authlib's, on Flask."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from sansauth import AwaitingUser, Bearer, Provider, Secret
from sansauth.errors import (
    AlreadyUsed,
    Denied,
    ForeignCallback,
    InsufficientScope,
    InvalidClient,
    InvalidGrant,
    InvalidOrExpiredToken,
    InvalidScope,
    LoginRequired,
    RemoteProtocolError,
    UnauthorizedClient,
    UnsupportedGrant,
    WrongIssuer,
)
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2.accounts import adopt
from sansauth.oauth2.grants import client_credentials, exchange_code, exchange_token, refresh, require_scopes
from sansauth.oauth2.introspection import Introspection, introspect
from sansauth.oauth2.lifecycle import oauth2_tokens
from sansauth.oauth2.login import begin_login, finish_login, parse_callback
from sansauth.oauth2.revocation import revoke, revoke_tokens
from sansauth.provider import Endpoints, Quirks
from sansauth.tokens import OAuth2Tokens
from sansauth_io import system_env

from .authlib_server import BASIC, CALLBACK, LIFE, NARROW, POST, PUBLIC, AuthlibServer, serving
from .transports import BRISK, Face, Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")

ENV = system_env()
SCOPES = ["read", "offline"]
confidential = pytest.mark.parametrize("client", [BASIC, POST], ids=["basic", "post"])
every_client = pytest.mark.parametrize("client", [BASIC, POST, PUBLIC], ids=["basic", "post", "public"])


class Desk:
    """A client on Authlib's server, and its operations."""

    def __init__(self, face: Face, server: AuthlibServer, provider: Provider, client: OAuth2Client) -> None:
        self.face = face
        self.server = server
        self.provider = provider
        self.client = client

    def begin(self, scopes: list[str] = SCOPES) -> AwaitingUser:
        return self.face.run(begin_login(self.client, scopes, provider=self.provider, env=ENV))

    def finish(self, awaiting: AwaitingUser, answer: str) -> OAuth2Tokens:
        return self.face.run(finish_login(self.client, awaiting, answer, provider=self.provider, env=ENV))

    def login(self, scopes: list[str] = SCOPES) -> OAuth2Tokens:
        awaiting = self.begin(scopes)
        return self.finish(awaiting, self.server.approve(awaiting.url))

    def code(self, awaiting: AwaitingUser) -> Secret:
        return parse_callback(awaiting, self.server.approve(awaiting.url), self.provider)

    def exchange(self, code: str, verifier: str, redirect_uri: str | None = None) -> OAuth2Tokens:
        trade = exchange_code(self.client, code, verifier, provider=self.provider, env=ENV, redirect_uri=redirect_uri)
        return self.face.run(trade)

    def refresh(self, tokens: OAuth2Tokens, scopes: list[str] | None = None) -> OAuth2Tokens:
        return self.face.run(refresh(self.client, tokens, provider=self.provider, env=ENV, scopes=scopes))

    def introspect(self, token: str) -> Introspection:
        return self.face.run(introspect(self.client, token, provider=self.provider, env=ENV))

    def own(self, scopes: list[str] | None = None) -> OAuth2Tokens:
        """Tokens of the client for itself."""
        return self.face.run(client_credentials(self.client, provider=self.provider, env=ENV, scopes=scopes))

    def held(self, tokens: OAuth2Tokens) -> OAuth2Tokens:
        """What a user's call is made with when these tokens are the stored ones."""
        user = OAuth2User(self.client, "alice")
        self.face.run(adopt(user, tokens, self.provider))
        return self.face.run(oauth2_tokens(user, self.provider, ENV))

    def get(self, kit: Kit, path: str, tokens: OAuth2Tokens) -> int:
        with kit.opener(Bearer(tokens.access_token), self.provider, BRISK) as caller:
            return caller.get(path).status


@contextmanager
def desk(kit: Kit, client: OAuth2Client = BASIC) -> Iterator[Desk]:
    with serving() as server, kit.open(server.base_url) as face:
        base = server.base_url
        endpoints = Endpoints(
            authorization=f"{base}/authorize",
            token=f"{base}/token",
            revocation=f"{base}/revoke",
            introspection=f"{base}/introspect",
        )
        provider = Provider("Authlib", base, endpoints, issuer=base, quirks=Quirks(names_issuer=True))
        yield Desk(face, server, provider, client)


@every_kit
@every_client
def test_a_login_gives_tokens_that_work(kit: Kit, client: OAuth2Client) -> None:
    with desk(kit, client) as at:
        before = time.time()
        awaiting = at.begin()
        callback = at.server.approve(awaiting.url)
        assert callback.startswith(f"{CALLBACK}&code=")
        tokens = at.finish(awaiting, callback)
        assert (tokens.token_type, tokens.scopes) == ("Bearer", ("read", "offline"))
        assert tokens.refresh_token is not None
        assert tokens.expires_at is not None
        assert before + LIFE <= tokens.expires_at <= time.time() + LIFE
        assert at.get(kit, "/read", tokens) == 200
        with pytest.raises(InsufficientScope):
            at.get(kit, "/write", tokens)
        with pytest.raises(InvalidOrExpiredToken):
            at.get(kit, "/read", replace(tokens, access_token="planted-wrong"))


@every_kit
@every_client
def test_one_way_of_authentication_at_every_endpoint_and_no_secret_in_a_url(kit: Kit, client: OAuth2Client) -> None:
    """requests-oauthlib and xurl: one at the exchange, another at the refresh, none at the revocation."""
    with desk(kit, client) as at:
        tokens = at.refresh(at.login())
        if client is not PUBLIC:
            assert at.introspect(tokens.access_token).active
        at.face.run(revoke_tokens(client, tokens, provider=at.provider, env=ENV))
        posted = [asked for asked in at.server.log if asked.path != "/authorize"]
        assert [asked.path for asked in posted if asked.path != "/introspect"] == ["/token"] * 2 + ["/revoke"] * 2
        shown = {(asked.scheme, "client_id" in asked.form, "client_secret" in asked.form) for asked in posted}
        assert shown == {{BASIC: ("Basic", False, False), POST: ("", True, True), PUBLIC: ("", True, False)}[client]}
        assert all(asked.query == {} for asked in posted)
        assert {name for asked in at.server.at("/authorize") for name in asked.query} == {
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "code_challenge",
            "code_challenge_method",
        }


@every_kit
@every_client
def test_a_refresh_token_is_good_for_one_use(kit: Kit, client: OAuth2Client) -> None:
    with desk(kit, client) as at:
        old = at.login()
        new = at.refresh(old)
        assert new.scopes == old.scopes
        assert (new.access_token, new.refresh_token) != (old.access_token, old.refresh_token)
        assert at.get(kit, "/read", new) == 200
        with pytest.raises(InvalidGrant):
            at.refresh(old)
        assert at.refresh(new).access_token != new.access_token


@every_kit
def test_a_refresh_may_ask_for_less_and_not_for_more(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.login()
        with pytest.raises(InvalidScope):
            at.refresh(tokens, ["read", "write"])
        assert at.refresh(tokens, ["offline"]).scopes == ("offline",)


@every_kit
def test_stored_tokens_are_refreshed_when_they_are_due_and_a_dead_one_is_a_login(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.login()
        assert at.held(tokens) == tokens
        ended = replace(tokens, expires_at=time.time() - 1)
        renewed = at.held(ended)
        assert at.get(kit, "/read", renewed) == 200
        assert at.held(renewed) == renewed
        with pytest.raises(LoginRequired, match="dead"):
            at.held(ended)


@every_kit
@confidential
def test_a_client_for_itself(kit: Kit, client: OAuth2Client) -> None:
    with desk(kit, client) as at:
        tokens = at.own(["write"])
        assert (tokens.scopes, tokens.refresh_token) == (("write",), None)
        assert at.get(kit, "/write", tokens) == 200
        assert at.own().scopes is None
        stored = at.face.run(oauth2_tokens(client, at.provider, ENV))
        assert at.face.run(oauth2_tokens(client, at.provider, ENV)) == stored


@every_kit
@every_client
def test_a_revoked_token_is_dead(kit: Kit, client: OAuth2Client) -> None:
    with desk(kit, client) as at:
        tokens = at.login()
        at.face.run(revoke(client, tokens.access_token, provider=at.provider, env=ENV, hint="access_token"))
        with pytest.raises(InvalidOrExpiredToken):
            at.get(kit, "/read", tokens)
        tokens = at.refresh(tokens)  # which has not ended with it
        at.face.run(revoke_tokens(client, tokens, provider=at.provider, env=ENV))
        with pytest.raises(InvalidGrant):
            at.refresh(tokens)
        at.face.run(revoke(client, "never-one-of-yours", provider=at.provider, env=ENV))  # RFC 7009 section 2.2


@every_kit
def test_somebody_elses_token_is_not_revoked(kit: Kit) -> None:
    with desk(kit) as at:
        tokens = at.login()
        with pytest.raises(InvalidGrant):
            at.face.run(revoke(POST, tokens.access_token, provider=at.provider, env=ENV))
        assert at.get(kit, "/read", tokens) == 200


@every_kit
@confidential
def test_what_a_token_is_worth(kit: Kit, client: OAuth2Client) -> None:
    with desk(kit, client) as at:
        tokens = at.login()
        told = at.introspect(tokens.access_token)
        assert (told.active, told.scopes, told.username, told.sub) == (True, ("read", "offline"), "alice", "alice")
        assert (told.client_id, told.aud, told.iss) == (client.client_id, (client.client_id,), at.provider.issuer)
        assert told.exp is not None
        assert told.iat is not None
        assert told.exp - told.iat == LIFE
        assert at.introspect("never-one-of-yours") == Introspection(active=False)
        at.face.run(revoke_tokens(client, tokens, provider=at.provider, env=ENV))
        assert at.introspect(tokens.access_token) == Introspection(active=False)


@every_kit
def test_fewer_scopes_than_were_asked_for_are_told_and_no_exception(kit: Kit) -> None:
    """oauthlib: "Scope has changed", raised as an exception, with the tokens lost."""
    with desk(kit, NARROW) as at:
        tokens = at.login(["read", "write"])
        assert tokens.scopes == ("read",)
        with pytest.raises(RemoteProtocolError, match="write"):
            require_scopes(tokens, "read", "write")


# --- what is not right -----------------------------------------------------------------------------------------------


@every_kit
@every_client
def test_a_code_is_good_for_one_use(kit: Kit, client: OAuth2Client) -> None:
    with desk(kit, client) as at:
        awaiting = at.begin()
        callback = at.server.approve(awaiting.url)
        at.finish(awaiting, callback)
        with pytest.raises(AlreadyUsed):
            at.finish(awaiting, callback)
        assert len(at.server.at("/token")) == 1
        with pytest.raises(InvalidGrant):
            at.exchange(parse_callback(awaiting, callback, at.provider), awaiting.secret)


@every_kit
@every_client
def test_a_code_needs_the_verifier_of_its_login(kit: Kit, client: OAuth2Client) -> None:
    with desk(kit, client) as at:
        awaiting = at.begin()
        callback = at.server.approve(awaiting.url)
        with pytest.raises(InvalidGrant):
            at.finish(replace(awaiting, secret=at.begin().secret), callback)
        assert at.finish(awaiting, callback).refresh_token is not None  # a refusal gives the login back


@every_kit
def test_a_code_needs_its_client_and_its_redirect_uri(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = at.begin()
        code = at.code(awaiting)
        with pytest.raises(InvalidGrant):
            at.exchange(code, awaiting.secret, "https://app.example/another")
        at.client = POST
        with pytest.raises(InvalidGrant):
            at.exchange(code, awaiting.secret)
        at.client = BASIC
        assert at.exchange(code, awaiting.secret).scopes == tuple(SCOPES)


@every_kit
@confidential
def test_a_wrong_client_secret_has_an_error_of_its_own_everywhere(kit: Kit, client: OAuth2Client) -> None:
    with desk(kit, client) as at:
        awaiting, tokens = at.begin(), at.login()
        callback = at.server.approve(awaiting.url)
        at.client = wrong = replace(client, client_secret="planted-wrong-secret")
        for attempt in (
            finish_login(wrong, awaiting, callback, provider=at.provider, env=ENV),
            refresh(wrong, tokens, provider=at.provider, env=ENV),
            client_credentials(wrong, provider=at.provider, env=ENV),
            revoke(wrong, tokens.access_token, provider=at.provider, env=ENV),
            introspect(wrong, tokens.access_token, provider=at.provider, env=ENV),
        ):
            with pytest.raises(InvalidClient) as caught:
                at.face.run(attempt)
            assert "planted" not in str(caught.value) + repr(caught.value)
        at.client = client
        assert at.finish(awaiting, callback).access_token
        assert at.get(kit, "/read", tokens) == 200


@every_kit
def test_an_unknown_client_and_one_that_shows_itself_in_another_way(kit: Kit) -> None:
    with desk(kit) as at:
        for wrong in (replace(BASIC, client_id="nobody"), replace(BASIC, auth="client_secret_post")):
            at.client = wrong
            with pytest.raises(InvalidClient):
                at.own()


@every_kit
@every_client
def test_a_denied_login_asks_the_token_endpoint_nothing(kit: Kit, client: OAuth2Client) -> None:
    """Authlib's own client sends a client_credentials grant here."""
    with desk(kit, client) as at:
        awaiting = at.begin()
        callback = at.server.deny(awaiting.url)
        assert "error=access_denied" in callback
        with pytest.raises(Denied):
            at.finish(awaiting, callback)
        assert at.server.at("/token") == []


@every_kit
def test_callbacks_of_another_login_and_of_another_issuer(kit: Kit) -> None:
    """xdk ignores the state."""
    with desk(kit) as at:
        mine, other = at.begin(), at.begin()
        callback = at.server.approve(mine.url)
        with pytest.raises(ForeignCallback):
            at.finish(other, callback)
        with pytest.raises(WrongIssuer):
            at.finish(mine, callback.replace("&iss=http", "&iss=https"))
        with pytest.raises(WrongIssuer):
            at.finish(mine, callback.partition("&iss=")[0])
        assert at.server.at("/token") == []
        assert at.finish(mine, callback).access_token


@every_kit
def test_a_login_is_data_that_any_other_process_can_finish(kit: Kit) -> None:
    """requests-oauthlib and tweepy keep verifier and state in an object."""
    with desk(kit) as at:
        awaiting = AwaitingUser.from_json(at.begin().to_json())
        assert at.finish(awaiting, at.server.approve(awaiting.url)).access_token


@every_kit
def test_grants_that_the_client_may_not_use_and_that_the_server_does_not_know(kit: Kit) -> None:
    with desk(kit, NARROW) as at:
        with pytest.raises(UnauthorizedClient):
            at.own()
        with pytest.raises(UnsupportedGrant):
            at.face.run(exchange_token(NARROW, "planted-token", provider=at.provider, env=ENV))
