"""A user's own session or client: what of it applies to our requests, and what does not."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest

from sansauth import __version__
from sansauth.errors import ConnectError, LocalProtocolError, ReadError, SansauthError, TimedOut, WriteError
from sansauth.http import Request
from sansauth.x import X

from .conftest import Authority
from .hostile_answers import TOKEN
from .hostile_server import HostileServer, Peer, answers, http
from .oauth1_oracle import accepts
from .transports import APP, BRISK, USER, Opener, every_users_session, library, users_client, users_session

pytestmark = pytest.mark.usefixtures("loopback")

ANSWERED = answers(http(200, b"{}"))


@every_users_session
def test_its_headers_are_sent_beside_ours(theirs: Opener) -> None:
    headers = {"User-Agent": "theirs/1", "X-Theirs": "caf\xe9", "Accept": "theirs/theirs"}
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    with HostileServer(ANSWERED) as server:
        with theirs(USER, X.at(server.url), BRISK, headers=encoded) as client:
            client.get("/x", headers={"Accept": "ours/ours"})
        (recorded,) = server.requests
        assert recorded.one("user-agent") == "theirs/1"
        assert recorded.one("x-theirs") == "caf\xe9"
        assert recorded.one("accept") == "ours/ours"
        assert accepts(recorded, USER)


@every_users_session
def test_a_user_agent_of_the_request_comes_before_its_own(theirs: Opener) -> None:
    with HostileServer(ANSWERED) as server:
        with theirs(USER, X.at(server.url), BRISK, headers={"User-Agent": "theirs/1"}) as client:
            client.get("/x", headers={"User-Agent": "ours/1"})
        assert server.requests[0].one("user-agent") == "ours/1"


@every_users_session
def test_a_library_that_names_itself_is_nobodys_choice(theirs: Opener) -> None:
    with HostileServer(ANSWERED) as server:
        with theirs(USER, X.at(server.url), BRISK) as client:
            client.get("/x")
        assert server.requests[0].one("user-agent") == f"sansauth/{__version__}"


@every_users_session
def test_its_headers_neither_frame_nor_describe_nor_authorise_our_requests(theirs: Opener) -> None:
    headers = {
        "Host": "evil.test",
        "Content-Length": "3",
        "Transfer-Encoding": "chunked",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept-Encoding": "br",
        "Authorization": "Bearer theirs",
    }
    with HostileServer(ANSWERED) as server:
        with theirs(USER, X.at(server.url), BRISK, headers=headers) as client:
            client.post("/x", body=b"a=b")
            client.exchange(Request("GET", f"{server.url}/y"))
        signed, plain = server.requests
        for recorded in (signed, plain):
            assert recorded.one("host") == f"127.0.0.1:{server.port}"
            assert recorded.all("transfer-encoding") == []
            assert recorded.all("content-type") == []
            assert recorded.one("accept-encoding") == "gzip"
        assert signed.one("content-length") == "3"
        assert accepts(signed, USER)
        assert plain.all("content-length") == []
        assert plain.all("authorization") == []


@every_users_session
def test_its_auth_does_not_replace_our_credentials(theirs: Opener) -> None:
    with HostileServer(answers(http(200, TOKEN))) as server:
        with theirs(USER, X.at(server.url), BRISK, auth=("theirs", "secret")) as client:
            client.token()
            client.get("/x")
        basic, signed = server.requests
        assert basic.one("authorization") != "Basic dGhlaXJzOnNlY3JldA=="
        assert accepts(signed, USER)


@every_users_session
def test_its_params_and_base_url_do_not_touch_our_urls(theirs: Opener, request: pytest.FixtureRequest) -> None:
    settings: dict[str, Any] = {"params": {"theirs": "1"}}
    if "httpx" in request.node.name:
        settings["base_url"] = "http://evil.test/theirs/"
    with HostileServer(ANSWERED) as server:
        with theirs(USER, X.at(server.url), BRISK, **settings) as client:
            client.get("/x", params={"ours": "1"})
        assert server.requests[0].target == "/x?ours=1"


@every_users_session
def test_its_cookies_are_sent_and_new_ones_kept(theirs: Opener) -> None:
    answer = http(200, b"{}", "Set-Cookie: given=2; Path=/")
    with HostileServer(answers(answer)) as server:
        with theirs(USER, X.at(server.url), BRISK, cookies={"theirs": "1"}) as client:
            client.get("/x")
            client.get("/x")
            client.get("/x", headers={"Cookie": "ours=3"})
        first, second, third = server.requests
        assert first.one("cookie") == "theirs=1"
        assert sorted(second.one("cookie").split("; ")) == ["given=2", "theirs=1"]
        assert third.one("cookie") == "ours=3"


@every_users_session
def test_its_proxy_is_used_for_token_requests_too(theirs: Opener, request: pytest.FixtureRequest) -> None:
    with HostileServer(answers(http(200, TOKEN))) as proxy, HostileServer(ANSWERED) as server:
        with theirs(USER, X.at(server.url), BRISK, **proxied(request, proxy)) as client:
            assert client.token() == "planted-answered-token"
            client.get("/a//b%2f", params={"a": "b|c"})
        assert server.accepted == 0
        assert [one.target for one in proxy.requests] == [f"{server.url}/oauth2/token", f"{server.url}/a//b%2F?a=b%7Cc"]
        assert [one.one("host") for one in proxy.requests] == [f"127.0.0.1:{server.port}"] * 2


@every_users_session
def test_through_a_proxy_https_is_a_tunnel(
    theirs: Opener, request: pytest.FixtureRequest, authority: Authority
) -> None:
    def tunnel(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        peer.forward(server.port)

    with HostileServer(answers(http(200, TOKEN)), tls=authority.server("127.0.0.1")) as server:
        with HostileServer(tunnel) as proxy, theirs(USER, X.at(server.url), BRISK, **proxied(request, proxy)) as client:
            assert client.token() == "planted-answered-token"
            client.get("/a/../b")
        assert [(one.method, one.target) for one in proxy.requests] == [("CONNECT", f"127.0.0.1:{server.port}")]
        assert proxy.requests[0].all("authorization") == []
        token, signed = server.requests
        assert token.target == "/oauth2/token"
        assert signed.target == "/a/../b"
        assert accepts(signed, USER, scheme="https")


def proxied(request: pytest.FixtureRequest, proxy: HostileServer) -> dict[str, Any]:
    if "httpx" in request.node.name:
        return {"proxy": proxy.url}
    return {"proxies": {"http": proxy.url, "https": proxy.url}}


@every_users_session
def test_its_wish_to_follow_redirects_is_not_ours(theirs: Opener, request: pytest.FixtureRequest) -> None:
    settings = {"follow_redirects": True} if "httpx" in request.node.name else {}
    with HostileServer(ANSWERED) as other:
        redirect = http(302, b"", f"Location: {other.url}/x")
        with HostileServer(answers(redirect)) as server, theirs(USER, X.at(server.url), BRISK, **settings) as client:
            assert client.exchange(Request("GET", server.url)).status == 302
        assert other.accepted == 0


def test_the_hooks_of_a_requests_session_see_the_whole_answer() -> None:
    seen: list[tuple[int, bytes]] = []

    def hook(response: Any, **_: object) -> None:
        seen.append((response.status_code, response.content))

    with (
        HostileServer(answers(http(200, b"[1]"))) as server,
        users_session(USER, X.at(server.url), BRISK, hooks={"response": [hook]}) as client,
    ):
        assert client.get("/x").json() == [1]
    assert seen == [(200, b"[1]")]


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_hooks_of_an_httpx_client_may_read_the_answer(name: str, backend: str) -> None:
    seen: list[bytes] = []

    async def hook(response: Any) -> None:
        seen.append(await response.aread())

    settings = {"event_hooks": {"response": [hook]}}
    answer = http(200, gzip.compress(b"[1]"), "Content-Encoding: gzip")
    with (
        HostileServer(answers(answer)) as server,
        users_client(USER, X.at(server.url), BRISK, name, backend, **settings) as client,
    ):
        assert client.get("/x").json() == [1]
    assert seen == [b"[1]"]


def test_a_header_that_a_requests_session_has_as_none_is_not_sent() -> None:
    with HostileServer(ANSWERED) as server:
        with users_session(USER, X.at(server.url), BRISK, headers={"Accept": None}) as client:
            client.get("/x")
        assert server.requests[0].all("accept") == []


def test_an_adapter_of_the_users_own_needs_no_socket() -> None:
    requests, urllib3 = library("requests"), library("urllib3")

    class Canned(requests.adapters.HTTPAdapter):  # type: ignore[misc, name-defined]
        def send(self, request: Any, **_: object) -> Any:
            raw = urllib3.HTTPResponse(io.BytesIO(TOKEN), {"X": "y"}, 200, preload_content=False)
            return self.build_response(request, raw)

    with users_session(APP, X.at("http://localhost:1"), BRISK, adapters={"http://": Canned()}) as client:
        assert client.token() == "planted-answered-token"


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_transport_of_the_users_own_needs_no_socket(name: str, backend: str) -> None:
    httpx = library(name)
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=TOKEN))
    with users_client(APP, X.at("http://localhost:1"), BRISK, name, backend, transport=transport) as client:
        assert client.token() == "planted-answered-token"


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        ("WriteError", WriteError),
        ("LocalProtocolError", LocalProtocolError),
        ("UnsupportedProtocol", ReadError),
        ("PoolTimeout", TimedOut),
        ("ProxyError", ConnectError),
    ],
)
def test_what_a_transport_of_the_users_own_raises_becomes_ours(
    name: str, raised: str, expected: type[SansauthError]
) -> None:
    httpx = library(name)

    def fail(request: Any) -> Any:
        raise getattr(httpx, raised)("planted-consumer-secret")

    settings = {"transport": httpx.MockTransport(fail)}
    with users_client(APP, X.at("http://localhost:1"), BRISK, name, **settings) as client:
        with pytest.raises(SansauthError) as caught:
            client.token()
        assert type(caught.value) is expected
        assert "planted" not in str(caught.value)
