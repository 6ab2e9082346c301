"""A sandbox whose issuer has a path, found by its metadata and used for a whole login (RFC 8414 section 3.1)."""

from __future__ import annotations

import pytest

from sansauth import App, Provider, Request, Response, errors
from sansauth.call import call
from sansauth.encoding import decode
from sansauth.http import build_request
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2 import begin_device_login, begin_login, discover, finish_login, introspect, refresh
from sansauth.oauth2.accounts import adopt
from sansauth.oauth2.metadata import build_metadata_requests
from sansauth.testing import Sandbox
from sansauth.x import token

from .jose_keys import pem_for
from .test_sandbox_operations import World

ORIGIN = "https://sandbox.test"
BACK = "https://app.example/done"


@pytest.fixture(params=["", "/tenant", "/a/b"])
def path(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def world(path: str) -> World:
    return World(Sandbox(path=path))


def get(world: World, url: str) -> Response:
    return world.sandbox.handle(Request("GET", url))


def test_its_two_documents_are_where_they_are_looked_for_and_nowhere_else(world: World, path: str) -> None:
    first, second = build_metadata_requests(ORIGIN + path)
    for request in (first, second):
        told = world.sandbox.handle(request).json()
        assert isinstance(told, dict)
        assert told["issuer"] == ORIGIN + path
        assert told["token_endpoint"] == f"{ORIGIN}{path}/2/oauth2/token"
    places = [f"{path}/.well-known/oauth-authorization-server", f"/.well-known/openid-configuration{path}"]
    assert [get(world, ORIGIN + place).status for place in places] == [404 if path else 200] * 2


def test_it_is_discovered_by_either_document(world: World, path: str) -> None:
    found = world.run(discover(ORIGIN + path))
    assert found.issuer == ORIGIN + path
    world.sandbox.fail_next(404)
    assert world.run(discover(ORIGIN + path)) == found
    assert [handled.status for handled in world.sandbox.log] == [200, 404, 200]


def test_a_login_names_it_from_the_callback_to_the_introspection(world: World, path: str) -> None:
    """Callback (RFC 9207), id_token, audience of a client's assertion, and `iss` of a token: all have the path."""
    provider, env = world.run(discover(ORIGIN + path)), world.sandbox.env
    client = world.sandbox.add_client(OAuth2Client("signer", redirect_uri=BACK, private_key=pem_for("ES256", 1)))
    scopes = ["openid", "tweet.read", "users.read", "offline.access"]
    awaiting = world.run(begin_login(client, scopes, provider=provider, env=env))
    callback = world.sandbox.approve(awaiting.url)
    assert dict(decode(callback.partition("?")[2]))["iss"] == ORIGIN + path
    tokens = world.run(finish_login(client, awaiting, callback, provider=provider, env=env))
    assert tokens.id_token is not None
    user = OAuth2User(client, "alice")
    world.run(adopt(user, tokens, provider))
    me = build_request("GET", provider.url("/2/users/me"))
    assert world.run(call(me, user, provider=provider, env=env)).status == 200
    assert world.run(introspect(client, tokens.access_token, provider=provider, env=env)).iss == ORIGIN + path
    assert world.run(refresh(client, tokens, provider=provider, env=env)).access_token != tokens.access_token


def test_a_refused_login_names_it_too(world: World, path: str) -> None:
    provider, env = world.run(discover(ORIGIN + path)), world.sandbox.env
    login = begin_login(world.sandbox.public_client, ["no.such"], provider=provider, env=env, redirect_uri=BACK)
    awaiting = world.run(login)
    back = get(world, awaiting.url).headers["location"]
    assert dict(decode(back.partition("?")[2]))["iss"] == ORIGIN + path
    with pytest.raises(errors.LoginRefused, match="invalid_scope"):
        world.run(finish_login(world.sandbox.public_client, awaiting, back, provider=provider, env=env))


def test_a_device_is_sent_to_its_page(world: World, path: str) -> None:
    provider, env = world.run(discover(ORIGIN + path)), world.sandbox.env
    waiting = world.run(begin_device_login(world.sandbox.public_client, ["tweet.read"], provider=provider, env=env))
    assert waiting.verification_uri == f"{ORIGIN}{path}/device"
    assert get(world, waiting.verification_uri).status == 200


def test_oauth_1_and_the_rest_of_x_are_under_the_path_too(world: World, path: str) -> None:
    provider, env = Sandbox.provider_at(ORIGIN + path), world.sandbox.env
    assert world.run(token(world.sandbox.app, provider=provider)) == world.sandbox.bearer_token
    verify = build_request("GET", provider.url("/1.1/account/verify_credentials.json"))
    assert world.run(call(verify, world.sandbox.user, provider=provider, env=env)).status == 200
    answer = world.sandbox.handle(Request("PUT", provider.url("/2/users/me")))
    assert (answer.status, answer.headers.get("allow")) == (405, "GET, HEAD")


def test_outside_of_the_path_there_is_nothing() -> None:
    world = World(Sandbox(path="/tenant"))
    for place in ("/2/oauth2/jwks", "/tenants/2/oauth2/jwks", "/tenant", "/.well-known/oauth-authorization-server"):
        assert get(world, ORIGIN + place).status == 404
    with pytest.raises(errors.NotFound):
        world.run(token(App("CK", "CS"), provider=Provider("S", ORIGIN, Sandbox.provider_at(ORIGIN).endpoints)))


@pytest.mark.parametrize("path", ["/", "tenant", "/tenant/", "//tenant", "/a?b", "/a b", "/a%20b", "/a\n"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(errors.LocalProtocolError, match="a sandbox's path is empty or like /tenant"):
        Sandbox(path=path)
