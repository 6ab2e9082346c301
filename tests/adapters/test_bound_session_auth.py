"""The auth of a client, on sessions of the user's own, for tokens that are bound to a key (RFC 9449)."""

from __future__ import annotations

import re

import pytest

from sansauth import Env, Provider
from sansauth.identity import OAuth2Client
from sansauth.provider import Endpoints
from sansauth.testing import Handled
from sansauth_io import system_env
from sansauth_io.sandbox_server import SandboxServer

from .hostile_server import HostileServer, Peer, http
from .oauth2_desk import OWN, Served, described
from .own_sessions import FETCHING, Opener, every_fetching_auth

pytest.importorskip("jwt")
pytestmark = pytest.mark.usefixtures("loopback")

ENV: Env = system_env()
CLIENT = OAuth2Client("planted", "planted secret", dpop_bound_access_tokens=True)


@every_fetching_auth
def test_nonces_are_learned(opened: Opener) -> None:
    sandbox = Served(env=ENV)
    sandbox.dpop_nonces = True
    sandbox.add_client(CLIENT)
    with SandboxServer(sandbox) as server:
        provider = described(sandbox, server.base_url)
        token, own = provider.endpoint("token").removeprefix(server.base_url), OWN
        with opened(CLIENT, provider) as session:
            # One origin is both servers here: the nonce that the one tells is good at the other.
            assert session.send("GET", server.base_url + OWN).status == 200
            assert seen(sandbox.log) == [(token, 400), (token, 200), (own, 200)]
            sandbox.log.clear()
            sandbox.oauth2.seed = b"other"  # the nonce is none any more, and the token still is one
            assert session.send("GET", server.base_url + OWN, params={"a": "b"}).status == 200
            assert seen(sandbox.log) == [(own, 401), (own, 200)]


def seen(log: list[Handled]) -> list[tuple[str, int]]:
    return [(one.path, one.status) for one in log]


class Bound:
    """Issues a DPoP token; then asks for a nonce, calls the token invalid, redirects, and answers."""

    def __init__(self, *calls: bytes) -> None:
        self.tokens = 0
        self.calls: list[tuple[list[str], list[str]]] = []
        self._answers = list(calls)

    def __call__(self, peer: Peer) -> None:
        while (recorded := peer.request()) is not None:
            if recorded.target == "/token":
                self.tokens += 1
                peer.send(http(200, b'{"token_type":"DPoP","access_token":"T%d"}' % self.tokens))
            else:
                self.calls.append((recorded.all("authorization"), recorded.all("dpop")))
                peer.send(self._answers[min(len(self.calls), len(self._answers)) - 1])


NONCE_WANTED = http(401, b"", 'WWW-Authenticate: DPoP error="use_dpop_nonce"', "DPoP-Nonce: told")
INVALID = http(401, b"", 'WWW-Authenticate: DPoP error="invalid_token"')


def service_at(base_url: str) -> Provider:
    return Provider("S", base_url, Endpoints(token=f"{base_url}/token"))


@every_fetching_auth
def test_a_nonce_and_then_a_new_token_and_never_more(opened: Opener) -> None:
    service = Bound(NONCE_WANTED, INVALID, NONCE_WANTED)
    with HostileServer(service) as server, opened(CLIENT, service_at(server.url)) as session:
        assert session.send("POST", f"{server.url}/x", json={"a": "b"}).status == 401
    assert [authorization for authorization, _ in service.calls] == [["DPoP T1"], ["DPoP T1"], ["DPoP T2"]]
    proofs = [proof for _, (proof,) in service.calls]
    assert len(set(proofs)) == 3
    assert all(re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", proof) for proof in proofs)


def test_a_requests_session_follows_a_redirect_without_the_proof() -> None:
    service = Bound(NONCE_WANTED, http(302, b"", "Location: /elsewhere"), http(200, b"fine"))
    with HostileServer(service) as server, FETCHING["requests"](CLIENT, service_at(server.url)) as session:
        assert session.send("GET", f"{server.url}/x", follow=True).body == b"fine"
    assert [(len(authorization), len(proofs)) for authorization, proofs in service.calls] == [(1, 1), (1, 1), (0, 0)]
