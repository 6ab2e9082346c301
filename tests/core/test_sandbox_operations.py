"""sansauth's own operations against the sandbox, with no network and no transport: values in, values out."""

import subprocess
import sys
from typing import TypeVar

import pytest

from sansauth.call import call
from sansauth.effects import Effect, Exclusive, Load, Operation, Save, Send, Steps, Stored
from sansauth.errors import (
    CouldNotAuthenticate,
    InvalidOrExpiredToken,
    MissingParameter,
    TokenNotInvalidated,
    TooManyRequests,
    UnableToVerifyCredentials,
    Unauthorized,
    UnsupportedAuthentication,
)
from sansauth.flow import Flow, State
from sansauth.http import Response, build_request
from sansauth.identity import App, Bearer, OAuth1User
from sansauth.testing import Sandbox
from sansauth.x import TWITTER, X, invalidate_token, reverse_token, token

T = TypeVar("T")

VERIFY = "https://api.x.com/1.1/account/verify_credentials.json"
FOLLOWERS = "https://api.x.com/1.1/followers/ids.json"
ME = "https://api.x.com/2/users/me"


class World:
    """A sandbox and a store: performs every effect that an operation asks for."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.records: dict[str, Stored] = {}

    def run(self, operation: Operation[T] | Steps[T]) -> T:
        return self._drive(Flow(operation))

    def get(self, url: str, identity: App | Bearer | OAuth1User, **params: str | int) -> Response:
        request = build_request("GET", url, params=params)
        return self.run(call(request, identity, provider=X, env=self.sandbox.env))

    def _drive(self, flow: Flow[T]) -> T:
        while flow.state is State.WAITING:
            flow.resume(self._perform(flow, flow.effect))
        return flow.result

    def _perform(self, flow: Flow[T], effect: Effect) -> object:
        match effect:
            case Send(request=request):
                return self.sandbox.handle(request)
            case Exclusive():
                return self._drive(flow.body())
            case Load(key=key):
                return self.records.get(key)
            case Save(key=key, data=None):
                del self.records[key]
                return 0
            case Save(key=key, data=data):
                self.records[key] = Stored(data or b"", 1)
                return 1
            case _:
                raise AssertionError(f"no operation of these tests asks for {effect!r}")


@pytest.fixture
def world() -> World:
    return World(Sandbox())


def test_token_is_the_same_until_it_is_invalidated_and_then_another(world: World) -> None:
    app = world.sandbox.app
    first = world.run(token(app))
    assert world.run(token(app)) == first == world.sandbox.bearer_token
    assert "%2F" in first
    assert "%3D" in first
    assert world.run(invalidate_token(app, first)) == first
    assert world.sandbox.bearer_token is None
    with pytest.raises(InvalidOrExpiredToken):
        world.get(FOLLOWERS, Bearer(first))
    second = world.run(token(app))
    assert second != first
    assert world.get(FOLLOWERS, Bearer(second)).status == 200


def test_the_owner_invalidates_by_signature(world: World) -> None:
    issued = world.run(token(world.sandbox.app))
    assert world.run(invalidate_token(world.sandbox.user, issued, env=world.sandbox.env)) == issued
    assert world.sandbox.bearer_token is None


def test_the_consumer_alone_may_not_invalidate_by_signature(world: World) -> None:
    issued = world.run(token(world.sandbox.app))
    with pytest.raises(TokenNotInvalidated) as refused:
        world.run(invalidate_token(world.sandbox.app, issued, env=world.sandbox.env, auth="oauth1"))
    assert (refused.value.status, refused.value.codes) == (403, (348,))
    assert world.sandbox.bearer_token == issued


def test_invalidating_a_token_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(UnableToVerifyCredentials):
        world.run(invalidate_token(world.sandbox.app, "AAAA%2FAAA%3D"))
    issued = world.run(token(world.sandbox.app))
    with pytest.raises(UnableToVerifyCredentials):
        world.run(invalidate_token(world.sandbox.app, issued + "A"))
    assert world.sandbox.bearer_token == issued


def test_a_wrong_secret_gets_no_token(world: World) -> None:
    with pytest.raises(UnableToVerifyCredentials) as refused:
        world.run(token(App(world.sandbox.app.consumer_key, "another")))
    assert (refused.value.status, refused.value.codes) == (403, (99,))
    assert world.sandbox.bearer_token is None


def test_another_grant_type_gets_no_token(world: World) -> None:
    with pytest.raises(MissingParameter) as refused:
        world.run(token(world.sandbox.app, grant_type="password"))
    assert (refused.value.status, refused.value.codes) == (403, (170,))


def test_reverse_auth_gives_a_string_that_looks_like_a_header(world: World) -> None:
    first = world.run(reverse_token(world.sandbox.app, env=world.sandbox.env))
    second = world.run(reverse_token(world.sandbox.app, env=world.sandbox.env))
    assert first.startswith('OAuth oauth_nonce="')
    assert f'oauth_consumer_key="{world.sandbox.app.consumer_key}"' in first
    assert f'oauth_timestamp="{int(world.sandbox.env.clock())}"' in first
    assert first != second


def test_reverse_auth_with_a_wrong_secret_is_refused_in_plain_text(world: World) -> None:
    with pytest.raises(Unauthorized) as refused:
        world.run(reverse_token(App(world.sandbox.app.consumer_key, "another"), env=world.sandbox.env))
    assert refused.value.text == "Reverse auth credentials are invalid"


def test_a_user_reads_who_they_are(world: World) -> None:
    sandbox = world.sandbox
    shown = world.get(VERIFY, sandbox.user)
    assert shown.json() == {
        "id": 7_000_001,
        "id_str": "7000001",
        "name": "Sandbox User",
        "screen_name": "sandbox",
        "followers_count": 42,
    }
    assert shown.headers["x-access-level"] == "read-write"
    assert world.get(ME, sandbox.user).json() == {
        "data": {"id": "7000001", "name": "Sandbox User", "username": "sandbox"}
    }


def test_an_app_fetches_its_token_once_and_renews_one_that_was_invalidated(world: World) -> None:
    app = world.sandbox.app
    assert world.get(FOLLOWERS, app).status == 200
    first = world.sandbox.bearer_token
    assert first is not None
    world.run(invalidate_token(app, first))
    assert world.get(FOLLOWERS, app).status == 200
    assert world.sandbox.bearer_token != first
    assert [(entry.path, entry.status) for entry in world.sandbox.log] == [
        ("/oauth2/token", 200),
        ("/1.1/followers/ids.json", 200),
        ("/oauth2/invalidate_token", 200),
        ("/1.1/followers/ids.json", 401),
        ("/oauth2/token", 200),
        ("/1.1/followers/ids.json", 200),
    ]


def test_an_app_is_no_user(world: World) -> None:
    with pytest.raises(UnsupportedAuthentication) as refused:
        world.get(VERIFY, world.sandbox.app)
    assert (refused.value.status, refused.value.codes) == (403, (220,))
    with pytest.raises(UnsupportedAuthentication) as refused:
        world.get(ME, world.sandbox.app)
    assert refused.value.codes == ("unsupported-authentication",)
    assert refused.value.text == (
        "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  "
        "Supported authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context]."
    )


def test_the_pages_of_a_list_hold_each_id_once(world: World) -> None:
    ids: list[int] = []
    cursor, pages = "-1", 0
    while cursor != "0":
        page = world.get(FOLLOWERS, world.sandbox.user, cursor=cursor, count=10).json()
        assert isinstance(page, dict)
        ids += page["ids"]
        cursor, pages = page["next_cursor_str"], pages + 1
    assert ids == list(world.sandbox.followers)
    assert pages == 5


def test_a_wrong_token_secret_is_code_32_and_an_unknown_token_code_89(world: World) -> None:
    user = world.sandbox.user
    with pytest.raises(CouldNotAuthenticate):
        world.get(VERIFY, OAuth1User(user.app, user.access_token, "another"))
    with pytest.raises(InvalidOrExpiredToken):
        world.get(VERIFY, OAuth1User(user.app, "7000001-another", user.access_token_secret))
    with pytest.raises(CouldNotAuthenticate):
        world.get(VERIFY, OAuth1User(App("another", user.app.consumer_secret), user.access_token, "another"))


@pytest.mark.parametrize("skew", [300.0, -300.0, 301.0, -301.0, 900.0])
def test_a_skewed_clock_costs_one_retry_beyond_the_tolerance_and_none_after_it(world: World, skew: float) -> None:
    world.sandbox.skew = skew
    for _ in range(2):
        assert world.get(VERIFY, world.sandbox.user).status == 200
    expected = [200, 200] if abs(skew) <= 300 else [401, 200, 200]
    assert [handled.status for handled in world.sandbox.log] == expected


def test_an_exhausted_window_says_when_it_ends(world: World) -> None:
    world.sandbox.rate_limit = 2
    world.get(FOLLOWERS, world.sandbox.user)
    last = world.get(FOLLOWERS, world.sandbox.user)
    assert last.headers["x-rate-limit-remaining"] == "0"
    with pytest.raises(TooManyRequests) as refused:
        world.get(FOLLOWERS, world.sandbox.user)
    limit = refused.value.rate_limit
    assert limit is not None
    assert (limit.limit, limit.remaining, limit.reset) == (2, 0, int(world.sandbox.env.clock()) + 900)
    assert refused.value.transaction_id


def test_the_former_name_of_x_serves_as_well(world: World) -> None:
    issued = world.run(token(world.sandbox.app, provider=TWITTER))
    assert issued == world.run(token(world.sandbox.app))


def test_importing_sansauth_loads_nothing_of_the_sandbox() -> None:
    code = "import sys, sansauth, sansauth.x; print([m for m in sys.modules if 'testing' in m or 'oauthlib' in m])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
