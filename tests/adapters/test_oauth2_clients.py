"""OAuth 2 on every transport, against the served sandbox: login, calls, refresh, revocation; what a store is for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sansauth import AwaitingUser
from sansauth.errors import (
    AlreadyUsed,
    Denied,
    ForeignCallback,
    InvalidCallback,
    LocalProtocolError,
    LoginRequired,
    WrongIdentity,
)
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2 import revoke_tokens
from sansauth.oauth2.login import begin_login, finish_login
from sansauth.testing import Sandbox
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth.x import X
from sansauth_io import system_env
from sansauth_io.sandbox_server import SandboxServer
from sansauth_io.stores import MemoryStore

from .transports import APP, Face, Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")

ENV = system_env()
BACK = "https://app.example/done"
SCOPES = ["tweet.read", "users.read", "offline.access"]
ME = "/2/users/me"


class Desk:
    """A served sandbox, a store, and clients of one transport on both."""

    def __init__(self, kit: Kit, sandbox: Sandbox, base_url: str) -> None:
        self.kit, self.sandbox, self.base_url = kit, sandbox, base_url
        self.provider = X.at(base_url)
        self.store = MemoryStore()
        self.client = sandbox.oauth2_client
        self.user = OAuth2User(self.client, "me")

    @contextmanager
    def opened(self) -> Iterator[Face]:
        with self.kit.open(self.base_url, self.user, store=self.store) as face:
            yield face

    def log_in(self, face: Face) -> OAuth2Tokens:
        begun = face.run(begin_login(self.client, SCOPES, provider=self.provider, env=ENV, redirect_uri=BACK))
        awaiting = AwaitingUser.from_json(begun.to_json())
        callback = self.sandbox.approve(awaiting.url)
        tokens = face.run(finish_login(self.client, awaiting, callback, provider=self.provider, env=ENV))
        face._call("adopt", tokens)
        return tokens

    def held(self) -> OAuth2Tokens:
        stored = self.store.load(oauth2_tokens_key(self.user, self.provider))
        assert stored is not None
        return OAuth2Tokens.from_bytes(stored.data)


@contextmanager
def desk(kit: Kit) -> Iterator[Desk]:
    sandbox = Sandbox(env=ENV)
    with SandboxServer(sandbox) as server:
        yield Desk(kit, sandbox, server.base_url)


@every_kit
def test_a_login_is_good_for_calls_and_outlives_the_client(kit: Kit) -> None:
    with desk(kit) as at:
        with at.opened() as face:
            tokens = at.log_in(face)
            assert tokens.refresh_token is not None
            assert face.get(ME).status == 200
        with at.opened() as face:
            assert face.get(ME).status == 200
        assert at.held() == tokens


@every_kit
def test_a_token_that_has_ended_at_the_service_is_refreshed_and_the_new_one_saved(kit: Kit) -> None:
    with desk(kit) as at, at.opened() as face:
        old = at.log_in(face)
        at.sandbox.skew = 7300  # past its end
        assert face.get(ME).status == 200
        new = at.held()
        assert (new.access_token == old.access_token, new.refresh_token == old.refresh_token) == (False, False)


@every_kit
def test_a_revoked_login_has_to_be_made_again(kit: Kit) -> None:
    with desk(kit) as at, at.opened() as face:
        tokens = at.log_in(face)
        face.run(revoke_tokens(at.client, tokens, provider=at.provider, env=ENV))
        with pytest.raises(LoginRequired):
            face.get(ME)
        at.log_in(face)
        assert face.get(ME).status == 200


@every_kit
def test_each_wrong_callback_has_an_error_of_its_own(kit: Kit) -> None:
    with desk(kit) as at, at.opened() as face:

        def begin() -> AwaitingUser:
            return face.run(begin_login(at.client, SCOPES, provider=at.provider, env=ENV, redirect_uri=BACK))

        def finish(awaiting: AwaitingUser, answer: str) -> OAuth2Tokens:
            return face.run(finish_login(at.client, awaiting, answer, provider=at.provider, env=ENV))

        denied, other, mine = begin(), begin(), begin()
        with pytest.raises(Denied):
            finish(denied, at.sandbox.deny(denied.url))
        with pytest.raises(ForeignCallback):
            finish(mine, at.sandbox.approve(other.url))
        callback = at.sandbox.approve(mine.url)
        with pytest.raises(InvalidCallback):
            finish(mine, callback.replace("code=", "kode="))
        assert finish(mine, callback).access_token
        with pytest.raises(AlreadyUsed):
            finish(mine, callback)


@every_kit
def test_a_user_without_a_store_is_refused(kit: Kit) -> None:
    user = OAuth2User(OAuth2Client("id"), "me")
    with pytest.raises(LocalProtocolError, match="store="), kit.open("http://127.0.0.1:9", user):
        pass


@every_kit
def test_only_who_keeps_tokens_adopts_them(kit: Kit) -> None:
    with kit.open("http://127.0.0.1:9", APP) as face:
        with pytest.raises(WrongIdentity, match="adopted"):
            face._call("adopt", OAuth2Tokens("a"))
        with pytest.raises(LocalProtocolError, match="OAuth2Tokens"):
            face._call("adopt", "AAAA")
