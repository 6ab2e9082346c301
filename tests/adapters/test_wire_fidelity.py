"""What goes on the wire is the Request, byte for byte, and its signature holds for a server that is not ours."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlparse, urlunparse

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sansauth import __version__
from sansauth.call import call
from sansauth.errors import InvalidURL, LocalProtocolError
from sansauth.http import Request, build_request
from sansauth.oauth1 import sign
from sansauth.x import X
from sansauth_io import system_env

from .hostile_server import HostileServer, answers, http
from .oauth1_oracle import accepts
from .odd_texts import NAMES, ODD, TEXTS
from .transports import APP, USER, Kit, every_kit

pytestmark = pytest.mark.usefixtures("loopback")

PARAMS = st.lists(st.tuples(NAMES, TEXTS), max_size=5).flatmap(
    lambda pairs: st.permutations([*pairs, *pairs[:1]])  # a repeated pair, somewhere
)
PIECES = st.sampled_from(
    [
        *(".", "..", "", "a", "AB", "~", "%2f", "%2F", "%C3%A9", "%", "%4", "%zz", "%41", "%00", "a;b=c"),
        *("é", "日本", "𝄞", '|[]{}"^`<>', "!*'()", "+", "&=", "@", ":", *ODD.replace("?", "").replace("/", "")),
    ]
)
PATHS = st.lists(PIECES, max_size=6).map("/".join).filter(lambda path: not path.startswith("/"))
QUERIES = st.lists(PIECES | st.just("/") | st.just("?"), max_size=8).map("".join)
BODIES = st.one_of(
    st.none(),
    st.fixed_dictionaries({"form": PARAMS}),
    st.fixed_dictionaries({"json": st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"body": st.binary(max_size=50)}),
)
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"])


def readable(url: str) -> bool:
    """Whether oauthlib can read the URL: it drops the `;` of `/x;`, and reads queries as text, not as bytes."""
    try:
        unquote_to_bytes(url.partition("?")[2]).decode()
    except UnicodeDecodeError:
        return False
    return urlunparse(urlparse(url)) == url


@every_kit
def test_target_and_body_are_sent_byte_for_byte_and_oauthlib_accepts_every_signature(kit: Kit) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server, kit.open(server.url, USER) as client:
        provider, env = X.at(server.url), system_env()

        @settings(max_examples=200, database=None, suppress_health_check=list(HealthCheck))
        @given(METHODS, PATHS, QUERIES, PARAMS, BODIES)
        @example("GET", "", "", [], None)
        @example("GET", "a/../b/./c//d", "", [], None)
        @example("POST", "%2f%2F%zz%", "a=%2f&b=%&c=%zz", [("a b", "ü+~"), ("a b", "ü+~")], {"form": [("", "")]})
        @example("GET", "x;y", "a&b=&=c&&d==e&?/", [("'", "!*'()"), ("&=", "%41"), ("", "")], None)
        @example("POST", '|[]{}"^`', '|[]{}"^`<>', [(ODD, ODD)], {"form": [(ODD, ODD), (ODD, "")]})
        @example("PUT", "日本/é", "日本=é", [("𝄞", "𝄞")], {"json": {"é": "日本"}})
        @example("POST", "a", "", [], {"form": []})
        @example("POST", "a", "", [], {"body": b"\r\n\r\n\0\xff"})
        def each(method: str, path: str, query: str, params: list[tuple[str, str]], body: dict[str, object]) -> None:
            url = f"{server.url}/{path}" + (f"?{query}" if query else "")
            request = build_request(method, url, params=params, **(body or {}))  # type: ignore[arg-type]
            client.run(call(request, USER, provider=provider, env=env))
            recorded = server.requests.pop()
            assert (recorded.method, recorded.target, recorded.body) == (request.method, request.target, request.body)
            assert recorded.one("host") == f"127.0.0.1:{server.port}"
            if readable(request.url):
                assert accepts(recorded, USER)

        each()
        assert server.accepted == 1


@every_kit
def test_oauthlib_refuses_what_was_not_signed(kit: Kit) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server, kit.open(server.url, USER) as client:
        request = build_request("POST", f"{server.url}/1.1/x.json", params={"a": "1"}, form={"b": "2"})
        signed = sign(request, USER, timestamp=1_700_000_000, nonce="n")
        for other in (
            Request("POST", signed.url.replace("a=1", "a=2"), signed.headers, signed.body),
            Request("POST", signed.url, signed.headers, b"b=3"),
            Request("PUT", signed.url, signed.headers, signed.body),
        ):
            client.exchange(other)
            assert not accepts(server.requests.pop(), USER)
        client.exchange(signed)
        assert accepts(server.requests.pop(), USER)


@every_kit
@pytest.mark.parametrize(
    ("method", "body", "lengths"),
    [
        ("GET", b"", []),
        ("DELETE", b"", []),
        ("POST", b"", ["0"]),
        ("PUT", b"", ["0"]),
        ("PATCH", b"", ["0"]),
        ("POST", b"12345", ["5"]),
        ("DELETE", b"12345", ["5"]),
        ("POST", bytes(300_000), ["300000"]),
    ],
)
def test_the_length_is_sent_where_it_is_due(kit: Kit, method: str, body: bytes, lengths: list[str]) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server, kit.open(server.url) as client:
        assert client.exchange(Request(method, server.url, body=body)).status == 200
        (recorded,) = server.requests
        assert recorded.all("content-length") == lengths
        assert recorded.all("transfer-encoding") == []
        assert recorded.body == body


@every_kit
def test_the_head_of_a_request_is_ours_and_holds_nothing_twice(kit: Kit) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server, kit.open(server.url) as client:
        client.exchange(
            Request("POST", f"{server.url}/x", {"x-one": "1", "x-caf": "caf\xe9\tx", "accept": "a/b"}, b"{}")
        )
        (recorded,) = server.requests
        assert recorded.fields[0][0] == "host"
        names = [name for name, _ in recorded.fields]
        assert len(names) == len(set(names))
        assert recorded.one("user-agent") == f"sansauth/{__version__}"
        assert recorded.one("accept-encoding") == "gzip"
        assert recorded.one("x-one") == "1"
        assert recorded.one("x-caf") == "caf\xe9\tx"
        assert recorded.one("accept") == "a/b"
        assert "content-type" not in names  # no library guesses one for us


@every_kit
def test_repeated_headers_all_arrive_in_order(kit: Kit) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server, kit.open(server.url) as client:
        client.exchange(Request("GET", server.url, [("X-A", "1"), ("X-B", "2"), ("x-a", "3")]))
        (recorded,) = server.requests
        assert ", ".join(recorded.all("x-a")) == "1, 3"  # apart or joined: RFC 9110 section 5.3 makes it the same
        assert recorded.one("x-b") == "2"


@every_kit
def test_a_request_may_bring_its_own_user_agent_and_accept_encoding(kit: Kit) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server, kit.open(server.url) as client:
        client.exchange(Request("GET", server.url, {"User-Agent": "mine/1", "Accept-Encoding": "identity"}))
        (recorded,) = server.requests
        assert recorded.one("user-agent") == "mine/1"
        assert recorded.one("accept-encoding") == "identity"


@every_kit
@pytest.mark.parametrize(
    "name", ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Trailer", "Keep-Alive"]
)
def test_framing_is_not_the_callers(kit: Kit, name: str) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server, kit.open(server.url, USER) as client:
        with pytest.raises(LocalProtocolError, match=name.lower()):
            client.post("/x", headers={name: "5"}, body=b"12345")
        assert server.requests == []
        assert client.get("/x").status == 200  # and the client is as good as before


@every_kit
def test_a_head_request_may_be_answered_with_any_length(kit: Kit) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nX-Two: a\r\nX-Two: b\r\n\r\n"
    with HostileServer(answers(answer, http(200, b"{}"))) as server, kit.open(server.url) as client:
        response = client.exchange(Request("HEAD", server.url))
        assert response.body == b""
        assert response.headers.get_all("x-two") == ["a", "b"]
        assert client.exchange(Request("GET", server.url)).body == b"{}"


@every_kit
def test_a_long_url_is_sent_whole_or_refused_before_anything_is_sent(kit: Kit) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server, kit.open(server.url, USER) as client:
        client.get("/x", params={"a": "b" * 60_000})
        (recorded,) = server.requests
        assert len(recorded.target) == 60_005
        if kit.name.startswith("httpx"):
            with pytest.raises(LocalProtocolError, match="too long"):
                client.get("/x", params={"a": "b" * 70_000})
            assert len(server.requests) == 1
        else:
            client.get("/x", params={"a": "b" * 70_000})
            assert len(server.requests[1].target) == 70_005


@every_kit
def test_netrc_does_not_replace_our_credentials(kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\ndefault login evil password evil\n", "utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with HostileServer(answers(http(200, b'{"token_type":"bearer","access_token":"AAAA"}'))) as server:
        with kit.open(server.url, USER) as client:
            client.get("/x")
            client.token()
        signed, basic = server.requests
        assert accepts(signed, USER)
        assert re.fullmatch(r"Basic \S+", basic.one("authorization"))
        assert "ZXZpb" not in basic.one("authorization")  # evil:


@every_kit
def test_the_apps_own_bearer_is_fetched_once_and_borne(kit: Kit) -> None:
    token = http(200, b'{"token_type":"bearer","access_token":"AAAA%2FBB"}')
    with HostileServer(answers(token, http(200, b"{}"))) as server, kit.open(server.url, APP) as client:
        client.get("/a")
        client.get("/b")
        assert [one.target for one in server.requests] == ["/oauth2/token", "/a", "/b"]
        assert [one.one("authorization") for one in server.requests[1:]] == ["Bearer AAAA%2FBB"] * 2


@every_kit
def test_a_name_is_a_host_like_an_address(kit: Kit) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server:
        url = f"http://localhost:{server.port}"
        with kit.open(url, USER) as client:
            client.get("/x")
        (recorded,) = server.requests
        assert recorded.one("host") == f"localhost:{server.port}"
        assert accepts(recorded, USER)


def test_a_lone_surrogate_never_reaches_a_transport() -> None:
    with pytest.raises(InvalidURL):
        Request("GET", "http://127.0.0.1/\ud800")
