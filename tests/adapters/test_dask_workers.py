"""Workers on other machines hold nothing but the URL of a Redis: they share tokens, refreshes and the app's own token.

`dask.distributed` starts them, as processes of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sansauth import AwaitingUser
from sansauth.identity import App, OAuth2User
from sansauth.testing import Sandbox
from sansauth.x import X
from sansauth_io import system_env
from sansauth_io.sandbox_server import SandboxServer

from .redis_serving import RedisServer

distributed = pytest.importorskip("distributed")
pytest.importorskip("redis")
pytest.importorskip("requests")
pytestmark = pytest.mark.usefixtures("loopback")

WORKERS = 4
CALLS = 60


@contextmanager
def workers() -> Iterator[Any]:
    cluster = distributed.LocalCluster(
        n_workers=WORKERS, threads_per_worker=2, processes=True, host="127.0.0.1", dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def calling(redis_url: str, base_url: str, identity: App | OAuth2User, path: str) -> Callable[[int], tuple[int, int]]:
    """A task: what a worker does with a URL. It gives the worker's process and the status."""

    def call(_: int) -> tuple[int, int]:
        import os

        from sansauth.x import X
        from sansauth_io.requests import Client
        from sansauth_io.stores import RedisStore

        with Client(identity, provider=X.at(base_url), store=RedisStore(redis_url)) as client:
            return os.getpid(), client.get(path).status

    return call


def test_workers_that_share_a_redis_share_tokens_and_refreshes() -> None:
    sandbox = Sandbox(env=system_env(), redirect_uris=["https://app.example/done"])
    user = OAuth2User(sandbox.oauth2_client, "me")
    with SandboxServer(sandbox) as server, RedisServer() as redis, workers() as client:

        def spread(identity: App | OAuth2User, path: str) -> list[tuple[str, int]]:
            sandbox.log.clear()
            task = calling(redis.url, server.base_url, identity, path)
            answers = client.gather(client.map(task, range(CALLS), pure=False))
            assert [status for _, status in answers] == [200] * CALLS
            assert len({process for process, _ in answers}) == WORKERS
            return [(one.path, one.status) for one in sandbox.log if "token" in one.path]

        assert spread(sandbox.app, "/1.1/followers/ids.json?screen_name=xapi") == [("/oauth2/token", 200)]
        log_in(user, server.base_url, redis.url, sandbox)
        assert spread(user, "/2/users/me") == []
        sandbox.skew = 7300  # the access token has ended, and only the service knows
        assert spread(user, "/2/users/me") == [("/2/oauth2/token", 200)]


def log_in(user: OAuth2User, base_url: str, redis_url: str, sandbox: Sandbox) -> None:
    from sansauth_io.requests import Client
    from sansauth_io.stores import RedisStore

    with Client(user, provider=X.at(base_url), store=RedisStore(redis_url)) as client:
        scopes = ["tweet.read", "users.read", "offline.access"]
        awaiting = client.begin_oauth2_login(scopes, redirect_uri="https://app.example/done")
        client.finish_oauth2_login(AwaitingUser.from_json(awaiting.to_json()), sandbox.approve(awaiting.url))
