"""The sandbox of an application for another service: its scopes, and none of X's."""

from __future__ import annotations

import json

import pytest

from sansauth.encoding import decode
from sansauth.env import Env
from sansauth.errors import InvalidParameter
from sansauth.http import Request
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import bearer_assertion
from sansauth.testing import Sandbox

from .jose_keys import pem_for
from .test_sandbox_oauth2 import (
    BASE,
    ME,
    SCOPES,
    TOKEN,
    answered,
    authorize_url,
    call,
    client,
    error,
    log_in,
    post,
    refresh,
)
from .test_sandbox_oauth2_endpoints import (
    ACCESS_TOKEN,
    DEVICE_AUTHORIZATION,
    DEVICE_CODE,
    EXCHANGE,
    document,
)

__all__ = ["client"]  # a fixture

OURS = ["read", "write:all"]


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(scopes=OURS)


def test_its_scopes_are_granted(sandbox: Sandbox, client: OAuth2Client) -> None:
    issued = log_in(sandbox, client, scope="read write:all")
    assert issued["scope"] == "read write:all"
    assert call(sandbox, issued["access_token"]).status == 200


def test_and_no_others(sandbox: Sandbox, client: OAuth2Client) -> None:
    assert answered(sandbox.approve(authorize_url(client, scope="read")))["code"]
    for scope in (SCOPES, "read tweet.read", "READ"):
        answer = sandbox.handle(Request("GET", authorize_url(client, scope=scope)))
        assert dict(decode(answer.headers["location"].partition("?")[2]))["error"] == "invalid_scope"


def test_a_refresh_token_comes_with_any_of_them_where_none_is_for_that(sandbox: Sandbox, client: OAuth2Client) -> None:
    issued = log_in(sandbox, client, scope="read")
    assert json.loads(refresh(sandbox, client, issued["refresh_token"]).body)["scope"] == "read"


@pytest.mark.parametrize("offline", ["offline_access", "offline.access"])
def test_and_else_with_the_one_that_is(offline: str) -> None:
    sandbox = Sandbox(scopes={"read", offline})
    client = sandbox.public_client
    assert "refresh_token" not in log_in(sandbox, client, scope="read")
    assert "refresh_token" in log_in(sandbox, client, scope=f"read {offline}")


def test_every_grant_knows_them(sandbox: Sandbox) -> None:
    client = sandbox.oauth2_client
    assert document(post(sandbox, TOKEN, client, grant_type="client_credentials", scope="read"))["scope"] == "read"
    shown = document(post(sandbox, DEVICE_AUTHORIZATION, client, scope="read"))
    grant = {"grant_type": DEVICE_CODE, "device_code": str(shown["device_code"])}
    assert error(post(sandbox, TOKEN, client, **grant)) == (400, "authorization_pending")
    token = log_in(sandbox, client, scope="read write:all")["access_token"]
    of_theirs = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN, "scope": "read"}
    assert document(post(sandbox, TOKEN, client, **of_theirs))["scope"] == "read"
    assert error(post(sandbox, TOKEN, client, **of_theirs | {"scope": "users.read"})) == (400, "invalid_scope")
    for refused in (
        post(sandbox, TOKEN, client, grant_type="client_credentials", scope="users.read"),
        post(sandbox, DEVICE_AUTHORIZATION, client, scope="users.read"),
    ):
        assert error(refused) == (400, "invalid_scope")


def test_a_jwt_is_traded_for_them(sandbox: Sandbox) -> None:
    sandbox.add_client(OAuth2Client("signer", private_key=pem_for("ES256")))
    for number, (scope, outcome) in enumerate([("read", 200), ("users.read", 400)]):
        env = Env(sandbox.env.clock, lambda size, number=number: bytes([number]) * size)  # type: ignore[misc]
        assertion = bearer_assertion("signer", "sandbox", BASE, pem_for("ES256"), env=env)
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion, "scope": scope}
        assert post(sandbox, TOKEN, sandbox.oauth2_client, **form).status == outcome


def test_it_says_which_there_are(sandbox: Sandbox) -> None:
    told = sandbox.handle(Request("GET", f"{BASE}/.well-known/oauth-authorization-server"))
    assert document(told)["scopes_supported"] == ["read", "write:all"]


def test_by_default_they_are_xs() -> None:
    sandbox = Sandbox()
    issued = log_in(sandbox, sandbox.public_client, scope="offline.access")
    assert call(sandbox, issued["access_token"], ME).status == 403


@pytest.mark.parametrize("scopes", ["read", ["read write"], [7], [""]])
def test_what_is_no_list_of_scopes(scopes: object) -> None:
    with pytest.raises(InvalidParameter, match="scope"):
        Sandbox(scopes=scopes)  # type: ignore[arg-type]
