"""Logins of OAuth 1.0a on every transport: three-legged, PIN, xAuth, reverse auth; every callback that is not right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest

from sansauth import AwaitingUser, OAuth1User
from sansauth.errors import (
    AlreadyUsed,
    CallbackNotApproved,
    Denied,
    ForeignCallback,
    ForeignHost,
    InvalidCallback,
    InvalidOrExpiredToken,
    LoginExpired,
    Unauthorized,
)
from sansauth.oauth1 import TokenCredentials, xauth
from sansauth.testing import Sandbox
from sansauth.testing.consent_page import APPROVE
from sansauth.x import (
    X,
    begin_login,
    echo_headers,
    finish_login,
    invalidate_access_token,
    reverse_access_token,
    reverse_token,
    verify_echo,
)
from sansauth_io import system_env
from sansauth_io.sandbox_server import SandboxServer
from sansauth_io.stores import MemoryStore

from .transports import Face, Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")

ENV = system_env()
CALLBACK = "https://app.example/done?keep=1"
VERIFY = "/1.1/account/verify_credentials.json"


class Desk:
    """A client of a served sandbox, and the operations of a login on it."""

    def __init__(self, face: Face, sandbox: Sandbox, base_url: str) -> None:
        self.face = face
        self.sandbox = sandbox
        self.provider = X.at(base_url)

    def begin(self, callback: str = CALLBACK) -> AwaitingUser:
        return self.face.run(begin_login(self.sandbox.app, callback, env=ENV, provider=self.provider))

    def finish(self, awaiting: AwaitingUser, answer: str) -> TokenCredentials:
        return self.face.run(finish_login(self.sandbox.app, awaiting, answer, env=ENV, provider=self.provider))

    def works(self, kit: Kit, credentials: TokenCredentials) -> bool:
        with kit.open(self.provider.base_url, credentials.user(self.sandbox.app)) as face:
            return bool(face.get(VERIFY).status == 200)


@contextmanager
def desk(kit: Kit, **settings: object) -> Iterator[Desk]:
    sandbox = Sandbox(env=ENV, **settings)  # type: ignore[arg-type]
    with SandboxServer(sandbox) as server, kit.open(server.base_url, sandbox.app) as face:
        yield Desk(face, sandbox, server.base_url)


@every_kit
def test_a_three_legged_login(kit: Kit) -> None:
    with desk(kit, callbacks=[CALLBACK]) as at:
        awaiting = at.begin()
        assert awaiting.url.startswith(f"{at.provider.base_url}/oauth/authorize?oauth_token=")
        callback = at.sandbox.approve(awaiting.url)
        assert callback.startswith(f"{CALLBACK}&oauth_token=")
        credentials = at.finish(awaiting, callback)
        assert credentials.screen_name == at.sandbox.screen_name
        assert at.works(kit, credentials)


@every_kit
def test_a_login_by_pin_forgives_a_mistyped_one(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = at.begin("oob")
        pin = at.sandbox.approve(awaiting.url)
        wrong = str((int(pin) + 1) % 10**7).zfill(7)
        with pytest.raises(Unauthorized, match="oauth_verifier"):
            at.finish(awaiting, wrong)
        assert at.works(kit, at.finish(awaiting, f" {pin[:3]}-{pin[3:]} \n"))
        with pytest.raises(AlreadyUsed):
            at.finish(awaiting, pin)


@every_kit
def test_a_login_by_password(kit: Kit) -> None:
    with desk(kit, xauth_password="planted-password") as at:
        name = at.sandbox.screen_name
        login = xauth(at.sandbox.app, name, "planted-password", env=ENV, provider=at.provider)
        assert at.works(kit, at.face.run(login))
        with pytest.raises(Unauthorized) as caught:
            at.face.run(xauth(at.sandbox.app, name, "planted-wrong", env=ENV, provider=at.provider))
        assert "planted" not in str(caught.value)


@every_kit
def test_reverse_auth_in_both_steps(kit: Kit) -> None:
    with desk(kit) as at:
        app, user = at.sandbox.app, at.sandbox.user
        given = at.face.run(reverse_token(app, env=ENV, provider=at.provider))
        credentials = at.face.run(reverse_access_token(user, app, given, env=ENV, provider=at.provider))
        assert at.works(kit, credentials)
        with pytest.raises(Unauthorized, match="Reverse auth"):
            at.face.run(reverse_access_token(user, app, given, env=ENV, provider=at.provider))


@every_kit
def test_an_access_token_is_taken_back(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = at.begin()
        user = at.finish(awaiting, at.sandbox.approve(awaiting.url)).user(at.sandbox.app)
        assert at.face.run(invalidate_access_token(user, env=ENV, provider=at.provider)) == user.access_token
        with kit.open(at.provider.base_url, user) as face, pytest.raises(InvalidOrExpiredToken):
            face.get(VERIFY)
        with kit.open(at.provider.base_url, at.sandbox.user) as face:
            assert face.get(VERIFY).status == 200


@every_kit
def test_a_delegator_learns_who_the_consumers_user_is(kit: Kit) -> None:
    with desk(kit) as at:
        url = at.provider.url(VERIFY)
        headers = echo_headers(at.sandbox.user, env=ENV, provider=at.provider, url=f"{url}?application_id=ios")
        known = at.face.run(verify_echo(headers, allowed=[url], provider=at.provider)).json()
        assert isinstance(known, dict)
        assert known["screen_name"] == at.sandbox.screen_name
        asked = len(at.sandbox.log)
        with pytest.raises(ForeignHost):
            at.face.run(verify_echo(headers, allowed=[at.provider.url("/2/users/me")], provider=at.provider))
        assert len(at.sandbox.log) == asked


# --- what is not right -----------------------------------------------------------------------------------------------


@every_kit
def test_each_wrong_callback_has_an_error_of_its_own(kit: Kit) -> None:
    with desk(kit) as at:
        denied, other, mine = at.begin(), at.begin(), at.begin()
        with pytest.raises(Denied):
            at.finish(denied, at.sandbox.deny(denied.url))
        foreign = at.sandbox.approve(other.url)
        with pytest.raises(ForeignCallback):
            at.finish(mine, foreign)
        callback = at.sandbox.approve(mine.url)
        with pytest.raises(ForeignCallback):
            at.finish(mine, callback.replace("oauth_token=", "oauth_token=forged"))
        with pytest.raises(InvalidCallback):
            at.finish(mine, callback.partition("&oauth_verifier")[0])
        with pytest.raises(InvalidCallback):
            at.finish(mine, f"{callback}&oauth_verifier=another")
        forged = callback.partition("&oauth_verifier")[0] + "&oauth_verifier=guessed"
        with pytest.raises(Unauthorized, match="oauth_verifier"):
            at.finish(mine, forged)
        # None of that has burnt the login.
        assert at.works(kit, at.finish(mine, callback))
        with pytest.raises(AlreadyUsed):
            at.finish(mine, callback)
        assert at.works(kit, at.finish(other, foreign))


@every_kit
def test_a_login_expires_here_and_there(kit: Kit) -> None:
    with desk(kit) as at:
        awaiting = at.begin()
        callback = at.sandbox.approve(awaiting.url)
        record = json.loads(awaiting.to_json())
        late = AwaitingUser.from_json(json.dumps(record | {"expires_at": int(ENV.clock())}))
        with pytest.raises(LoginExpired):
            at.finish(late, callback)
        at.sandbox.skew = 10**6  # the service's clock alone has gone on
        with pytest.raises(Unauthorized):
            at.finish(awaiting, callback)


@every_kit
def test_a_callback_that_is_not_registered(kit: Kit) -> None:
    with desk(kit, callbacks=[CALLBACK]) as at, pytest.raises(CallbackNotApproved) as caught:
        at.begin("https://evil.example/")
    assert caught.value.codes == (415,)


@every_kit
def test_a_login_that_began_elsewhere_is_not_finished_here(kit: Kit) -> None:
    with desk(kit) as at, desk(kit) as elsewhere:
        awaiting = at.begin()
        with pytest.raises(ForeignCallback):
            elsewhere.finish(awaiting, at.sandbox.approve(awaiting.url))


# --- two processes ---------------------------------------------------------------------------------------------------

FINISH = """
import json, sys
from sansauth import App, AwaitingUser
from sansauth.x import X, finish_login
from sansauth_io import system_env
from sansauth_io.requests import Client

given = json.load(sys.stdin)
app, provider = App(given["key"], given["secret"]), X.at(given["base_url"])
with Client(app, provider=provider) as client:
    awaiting = AwaitingUser.from_json(given["awaiting"])
    credentials = client.run(finish_login(app, awaiting, given["answer"], env=system_env(), provider=provider))
with Client(credentials.user(app), provider=provider) as client:
    print(client.get("/1.1/account/verify_credentials.json").json()["screen_name"])
"""


@pytest.mark.parametrize("callback", [CALLBACK, "oob"])
@every_kit
def test_a_login_begun_in_one_process_is_finished_in_another(kit: Kit, callback: str) -> None:
    pytest.importorskip("requests")
    with desk(kit) as at:
        awaiting = at.begin(callback)
        given = {
            "key": at.sandbox.app.consumer_key,
            "secret": at.sandbox.app.consumer_secret,
            "base_url": at.provider.base_url,
            "awaiting": awaiting.to_json(),
            "answer": at.sandbox.approve(awaiting.url),
        }
        done = subprocess.run(
            [sys.executable, "-c", FINISH], input=json.dumps(given), capture_output=True, encoding="utf-8", timeout=60
        )
        assert (done.stdout.strip(), done.stderr) == (at.sandbox.screen_name, "")


def test_workers_that_share_a_store_finish_a_login_once() -> None:
    requests = pytest.importorskip("sansauth_io.requests")
    sandbox, store = Sandbox(env=ENV), MemoryStore()
    with SandboxServer(sandbox) as server:
        provider = X.at(server.base_url)
        clients = [requests.Client(sandbox.app, provider=provider, store=store) for _ in range(2)]
        awaiting = clients[0].run(begin_login(sandbox.app, CALLBACK, env=ENV, provider=provider))
        callback = sandbox.approve(awaiting.url)
        clients[0].run(finish_login(sandbox.app, awaiting, callback, env=ENV, provider=provider))
        asked = len(sandbox.log)
        with pytest.raises(AlreadyUsed):
            clients[1].run(finish_login(sandbox.app, awaiting, callback, env=ENV, provider=provider))
        assert len(sandbox.log) == asked  # nobody was asked
        for client in clients:
            client.close()


# --- the page, over HTTP ---------------------------------------------------------------------------------------------


def test_a_browser_gets_a_page_and_is_sent_back() -> None:
    http = pytest.importorskip("requests")
    sandbox = Sandbox(env=ENV)
    with SandboxServer(sandbox) as server, http.Session() as browser:
        provider = X.at(server.base_url)
        with pytest.importorskip("sansauth_io.requests").Client(sandbox.app, provider=provider) as client:
            awaiting = client.run(begin_login(sandbox.app, CALLBACK, env=ENV, provider=provider, force_login=True))
            page = browser.get(awaiting.url, timeout=10)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            token = parse_qs(urlsplit(awaiting.url).query)["oauth_token"][0]
            answer = browser.post(
                awaiting.url.partition("?")[0],
                data={"oauth_token": token, "decision": APPROVE},
                allow_redirects=False,
                timeout=10,
            )
            assert answer.status_code == 302
            login = finish_login(sandbox.app, awaiting, answer.headers["location"], env=ENV, provider=provider)
            assert isinstance(client.run(login).user(sandbox.app), OAuth1User)
