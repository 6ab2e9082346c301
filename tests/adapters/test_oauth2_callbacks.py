"""What comes back to a login on every transport: in another process, twice, of another user, forged, too late, denied.

Each that is wrong has an error of its own, and is found out before anything is sent wherever that can be.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest

from sansauth import AwaitingUser
from sansauth.encoding import decode, encode
from sansauth.errors import (
    AlreadyUsed,
    Denied,
    ForeignCallback,
    InvalidCallback,
    InvalidGrant,
    InvalidOrExpiredToken,
    LocalProtocolError,
    LoginError,
    LoginExpired,
    LoginRefused,
    WrongIssuer,
)
from sansauth_io.stores import MemoryStore

from .oauth2_desk import BACK, SCOPES, TOKEN, desk
from .transports import Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")


def changed(callback: str, **members: str | None) -> str:
    """The callback with some of its parameters replaced, or left out."""
    page, _, query = callback.partition("?")
    return f"{page}?{encode(dict(decode(query)) | members)}"


def code_of(callback: str) -> str:
    return dict(decode(callback.partition("?")[2]))["code"]


# --- two processes ---------------------------------------------------------------------------------------------------

FINISH = """
import asyncio, importlib, json, sys
from sansauth import AwaitingUser, OAuth2Client, OAuth2User
from sansauth.oauth2 import finish_login
from sansauth.x import X
from sansauth_io import system_env
from sansauth_io.stores import MemoryStore

given = json.load(sys.stdin)
library = importlib.import_module("sansauth_io." + given["library"])
client, provider = OAuth2Client(**given["client"]), X.at(given["base_url"])
settings = {"provider": provider, "store": MemoryStore()}
login = finish_login(
    client, AwaitingUser.from_json(given["awaiting"]), given["answer"], provider=provider, env=system_env()
)

async def asynchronous():
    async with library.AsyncClient(OAuth2User(client, "me"), **settings) as face:
        await face.adopt(await face.run(login))
        return await face.get("/2/users/me")

if given["library"] == "requests":
    with library.Client(OAuth2User(client, "me"), **settings) as face:
        face.adopt(face.run(login))
        answer = face.get("/2/users/me")
elif given["backend"] == "trio":
    import trio
    answer = trio.run(asynchronous)
else:
    answer = asyncio.run(asynchronous())
print(answer.json()["data"]["username"])
"""


@every_kit
@pytest.mark.parametrize("bound", [False, True], ids=["bearer", "dpop"])
def test_a_login_begun_in_one_process_is_finished_in_another(kit: Kit, bound: bool) -> None:
    if bound:
        pytest.importorskip("jwt")
    library, _, backend = kit.name.partition("-")
    with desk(kit, as_x=True) as at:
        at.client = replace(at.client, dpop_bound_access_tokens=bound)
        awaiting = at.begin()
        given = {
            "library": library,
            "backend": backend or library,
            "client": dataclasses.asdict(at.client),
            "base_url": at.provider.base_url,
            "awaiting": awaiting.to_json(),
            "answer": at.sandbox.approve(awaiting.url),
        }
        done = subprocess.run(
            [sys.executable, "-c", FINISH], input=json.dumps(given), capture_output=True, encoding="utf-8", timeout=60
        )
        assert (done.stdout.strip(), done.stderr) == (at.sandbox.screen_name, "")
        # Nobody here has claimed the login, and the code is used all the same.
        with pytest.raises(InvalidGrant):
            at.finish(awaiting, given["answer"])


# --- replayed --------------------------------------------------------------------------------------------------------


@every_kit
def test_a_replayed_callback_is_found_out_before_anything_is_sent(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        tokens = at.finish(awaiting, callback)
        asked = len(at.sandbox.log)
        for again in (awaiting, AwaitingUser.from_json(awaiting.to_json())):
            with pytest.raises(AlreadyUsed):
                at.finish(again, callback)
        with at.seated(), pytest.raises(AlreadyUsed):  # another client that shares the store
            at.finish(awaiting, callback)
        assert len(at.sandbox.log) == asked
        assert at.get(tokens).status == 200


@every_kit
def test_where_no_store_is_shared_the_service_finds_it_out_and_ends_what_came_of_it(kit: Kit) -> None:
    """RFC 6749 section 4.1.2."""
    with desk(kit) as at:
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        tokens = at.finish(awaiting, callback)
        at.store = MemoryStore()
        with at.seated(), pytest.raises(InvalidGrant):
            at.finish(awaiting, callback)
        with pytest.raises(InvalidOrExpiredToken):
            at.get(tokens)


# --- of another login ------------------------------------------------------------------------------------------------


@every_kit
def test_the_callback_of_another_user_is_not_taken(kit: Kit) -> None:
    with desk(kit) as at:
        mine, theirs = at.begin(), at.begin()
        foreign = at.sandbox.approve(theirs.url)
        with pytest.raises(ForeignCallback) as caught:
            at.finish(mine, foreign)
        assert type(caught.value) is ForeignCallback
        assert at.asked() == []
        # With a state that was guessed or stolen, it is the verifier that is another one.
        with pytest.raises(InvalidGrant):
            at.finish(mine, changed(foreign, state=mine.reference))
        assert at.finish(theirs, foreign).access_token
        assert at.finish(mine, at.sandbox.approve(mine.url)).access_token


@every_kit
def test_the_callback_of_another_service_is_not_taken(kit: Kit) -> None:
    """The mix-up of RFC 9207 section 4: the code must not be sent to who has not issued it."""
    with desk(kit) as at, desk(kit) as another:
        another.client = another.sandbox.add_client(at.client)
        awaiting = at.begin()
        theirs = another.sandbox.approve(awaiting.url.replace(at.provider.base_url, another.provider.base_url))
        assert dict(decode(theirs.partition("?")[2]))["state"] == awaiting.reference
        with pytest.raises(WrongIssuer):
            at.finish(awaiting, theirs)
        with pytest.raises(ForeignCallback) as caught:
            another.finish(awaiting, theirs)  # which was begun here
        assert type(caught.value) is ForeignCallback
        assert (at.asked(), another.asked()) == ([], [])
        assert at.finish(awaiting, at.sandbox.approve(awaiting.url)).access_token


@every_kit
def test_a_login_is_finished_by_the_client_that_began_it(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        at.client = at.sandbox.public_client
        with pytest.raises(LocalProtocolError, match="another client"):
            at.finish(awaiting, callback)
        assert at.asked() == []


# --- forged, cut off, denied, late -----------------------------------------------------------------------------------

Bent = Callable[[str], str]
every_wrong = pytest.mark.parametrize(
    ("error", "bend"),
    [
        pytest.param(ForeignCallback, lambda callback: changed(callback, state="forged"), id="wrong-state"),
        pytest.param(InvalidCallback, lambda callback: changed(callback, state=None), id="no-state"),
        pytest.param(InvalidCallback, lambda callback: f"{callback}&state=forged", id="two-states"),
        pytest.param(WrongIssuer, lambda callback: changed(callback, iss="https://evil.example"), id="wrong-issuer"),
        pytest.param(WrongIssuer, lambda callback: changed(callback, iss=None), id="no-issuer"),
        pytest.param(WrongIssuer, lambda callback: changed(callback, iss=issuer_of(callback) + "/"), id="slash"),
        pytest.param(InvalidCallback, lambda callback: changed(callback, code=None), id="no-code"),
        pytest.param(InvalidCallback, lambda callback: changed(callback, code=""), id="empty-code"),
        pytest.param(InvalidCallback, lambda callback: f"{callback}&code=forged", id="two-codes"),
        pytest.param(Denied, lambda callback: changed(callback, code=None, error="access_denied"), id="denied"),
        pytest.param(Denied, lambda callback: changed(callback, error="access_denied"), id="denied-with-a-code"),
        pytest.param(LoginRefused, lambda callback: changed(callback, code=None, error="server_error"), id="error"),
        pytest.param(InvalidCallback, lambda callback: BACK, id="nothing"),
    ],
)


def issuer_of(callback: str) -> str:
    return dict(decode(callback.partition("?")[2]))["iss"]


@every_kit
@every_wrong
def test_each_wrong_callback_has_an_error_of_its_own(kit: Kit, error: type[LoginError], bend: Bent) -> None:
    with desk(kit) as at:
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        with pytest.raises(error) as caught:
            at.finish(awaiting, bend(callback))
        assert type(caught.value) is error
        for secret in (code_of(callback), awaiting.secret, awaiting.reference):
            assert secret not in str(caught.value) + repr(caught.value.args)
        assert at.asked() == []  # nothing was traded, above all no other grant
        assert at.finish(awaiting, callback).scopes == tuple(SCOPES)  # and the login is not lost


@every_kit
@pytest.mark.parametrize("push", [False, True], ids=["plain", "pushed"])
def test_a_user_who_says_no(kit: Kit, push: bool) -> None:
    """Authlib's own client sends a client_credentials grant here."""
    with desk(kit) as at:
        awaiting = at.begin(push=push)
        callback = at.sandbox.deny(awaiting.url)
        assert "error=access_denied" in callback
        with pytest.raises(Denied):
            at.finish(awaiting, callback)
        assert TOKEN not in dict(at.asked())


@every_kit
@pytest.mark.parametrize(
    ("asked", "error"), [({"parameters": {"prompt": "none"}}, "login_required"), ({"scopes": ["no"]}, "invalid_scope")]
)
def test_a_page_that_ends_the_login_says_why(kit: Kit, asked: dict[str, object], error: str) -> None:
    with desk(kit) as at:
        awaiting = at.begin(**asked)  # type: ignore[arg-type]
        with pytest.raises(LoginRefused, match=error):
            at.finish(awaiting, at.sandbox.approve(awaiting.url))


@every_kit
def test_a_login_expires_here_and_its_code_there(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = at.begin(lifetime=60)
        callback = at.sandbox.approve(awaiting.url)
        at.clock.ahead = 61
        with pytest.raises(LoginExpired):
            at.finish(awaiting, callback)
        assert at.asked() == []
        at.clock.ahead = 0
        at.sandbox.skew = 31  # the service's clock alone has gone on
        with pytest.raises(InvalidGrant):
            at.finish(awaiting, callback)
        # A new code of the same login is as good as the first would have been.
        assert at.finish(awaiting, at.sandbox.approve(awaiting.url)).access_token


@every_kit
def test_a_login_that_was_saved_by_another_protocol_or_cut_off_is_refused(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        with pytest.raises(InvalidCallback, match="oauth1"):
            at.finish(replace(awaiting, kind="oauth1"), callback)
        with pytest.raises(InvalidCallback, match="no login saved"):
            AwaitingUser.from_json(awaiting.to_json()[:-1])
        with pytest.raises(LocalProtocolError, match=r"AwaitingUser\.from_json"):
            at.finish(awaiting.to_json(), callback)  # type: ignore[arg-type]
        assert at.asked() == []


@every_kit
@pytest.mark.parametrize(
    "shape",
    [
        lambda callback: callback,
        lambda callback: callback.removeprefix("https://app.example"),
        lambda callback: callback.partition("?")[2],
        lambda callback: f"{callback}&utm_source={quote('a b')}&session_state=x#_=_",
    ],
    ids=["url", "path", "query", "extras"],
)
def test_a_callback_is_taken_in_every_shape_that_frameworks_give_it(kit: Kit, shape: Bent) -> None:
    with desk(kit) as at:
        awaiting = at.begin()
        assert at.finish(awaiting, shape(at.sandbox.approve(awaiting.url))).scopes == tuple(SCOPES)
