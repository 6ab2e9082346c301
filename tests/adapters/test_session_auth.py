"""`Auth` on sessions of the user's own: what it signs, what it leaves alone, where it sends nothing."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sansauth.errors import ForeignHost, InvalidURL, LocalProtocolError, UnableToVerifyCredentials, WrongIdentity
from sansauth.http import FORM, Request
from sansauth.identity import App, Bearer, Identity
from sansauth.oauth1 import body_hash, sign
from sansauth.provider import Provider, Signing
from sansauth.x import X

from .hostile_server import HostileServer, Peer, Recorded, answers, http
from .oauth1_oracle import accepts
from .odd_texts import NAMES, TEXTS
from .own_sessions import Opener, every_auth, every_fetching_auth, every_holding_auth
from .transports import APP, USER, adapter, event_loop, library

pytestmark = pytest.mark.usefixtures("loopback")

ANSWERED = answers(http(200, b"{}"))
PAIRS = st.dictionaries(NAMES.filter(bool), TEXTS, max_size=4)


@every_auth
def test_every_signature_of_query_and_form_is_accepted_by_oauthlib(opened: Opener) -> None:
    with HostileServer(ANSWERED) as server, opened(USER, X.at(server.url)) as own:

        @settings(max_examples=60, database=None, suppress_health_check=list(HealthCheck))
        @given(PAIRS, PAIRS)
        def each(params: dict[str, str], form: dict[str, str]) -> None:
            own.send("GET", f"{server.url}/x", params=params)
            own.send("POST", f"{server.url}/x", params=params, form=form)
            for _ in range(2):
                assert accepts(server.requests.pop(), USER)

        each()


@every_auth
@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/?",
        "/a/../b",
        "/a//b",
        "/%2f%zz%",
        "/x?a=%2f&b=[]{}|^`\"&c='!*()~",
        "/日本?é=日本",
        "/a;b=c?a&b=&=c",
        "/x#fragment",
    ],
)
def test_an_odd_url_is_signed_as_it_is_sent(opened: Opener, target: str) -> None:
    with HostileServer(ANSWERED) as server:
        with opened(USER, X.at(server.url)) as own:
            own.send("GET", server.url + target)
        (recorded,) = server.requests
        assert accepts(recorded, USER)
        assert recorded.one("host") == f"127.0.0.1:{server.port}"


@every_auth
def test_a_form_is_signed_and_anything_else_is_not(opened: Opener) -> None:
    with HostileServer(ANSWERED) as server:
        with opened(USER, X.at(server.url)) as own:
            own.send("POST", f"{server.url}/form", form={"a": "b c", "d": "é"})
            own.send("POST", f"{server.url}/json", json={"a": "b"})
            own.send("POST", f"{server.url}/files", files={"media": ("x.bin", io.BytesIO(b"x" * 1000))})
            own.send("POST", f"{server.url}/none")
        form, json, files, none = server.requests
        assert all(accepts(one, USER) for one in server.requests)
        assert not accepts(dataclasses.replace(form, body=b"a=tampered"), USER)
        assert accepts(dataclasses.replace(json, body=b"tampered"), USER)
        assert accepts(dataclasses.replace(files, body=b"tampered"), USER)
        assert b"x" * 1000 in files.body
        assert none.body == b""


def body_hash_of(recorded: Recorded) -> str:
    (found,) = re.findall(r'oauth_body_hash="([^"]*)"', recorded.one("authorization"))
    return unquote(found)


def hashing(base_url: str) -> Provider:
    return dataclasses.replace(X.at(base_url), signing=Signing(body_hash=True))


@every_auth
def test_every_body_that_is_no_form_is_hashed_for_a_service_that_wants_it(opened: Opener) -> None:
    with HostileServer(ANSWERED) as server:
        with opened(USER, hashing(server.url)) as own:
            own.send("POST", f"{server.url}/json", json={"a": "é"})
            own.send("POST", f"{server.url}/files", files={"media": ("x.bin", io.BytesIO(b"x" * 100_000))})
            own.send("POST", f"{server.url}/none")
            own.send("GET", f"{server.url}/get", params={"a": "b"})
            own.send("POST", f"{server.url}/form", form={"a": "b"})
        *others, form = server.requests
        assert [body_hash_of(one) for one in others] == [body_hash(one.body) for one in others]
        assert [bool(one.body) for one in others] == [True, True, False, False]
        assert b"x" * 100_000 in others[1].body
        assert "oauth_body_hash" not in form.one("authorization")
        assert all(accepts(one, USER) for one in server.requests)


@every_auth
def test_a_stream_has_no_hash_and_is_refused_before_anything_is_sent(opened: Opener) -> None:
    with HostileServer(ANSWERED) as server:
        with opened(USER, hashing(server.url)) as own, pytest.raises(LocalProtocolError, match="body as bytes"):
            own.send("POST", f"{server.url}/upload", pieces=iter([b"one", b"two"]))
        assert server.requests == []


@every_auth
def test_who_bears_a_token_may_stream_all_the_same(opened: Opener) -> None:
    with HostileServer(ANSWERED) as server:
        with opened(Bearer("AAAA"), hashing(server.url)) as own:
            own.send("POST", f"{server.url}/upload", pieces=iter([b"one", b"two"]))
        assert server.requests[0].body == b"onetwo"


def test_a_body_that_is_text_is_hashed_as_it_is_sent_by_requests() -> None:
    module = adapter("requests")
    with HostileServer(ANSWERED) as server, library("requests").Session() as session:
        session.auth = module.Auth(USER, provider=hashing(server.url))
        session.post(f"{server.url}/x", data="plain", headers={"content-type": "text/plain"}, timeout=5)
        assert body_hash_of(server.requests[0]) == body_hash(b"plain")


@every_auth
def test_an_app_signs_alone_where_there_are_no_bearer_tokens_for_it(opened: Opener) -> None:
    """WooCommerce, LTI: OAuth 1.0a with two legs."""
    with HostileServer(ANSWERED) as server:
        with opened(APP, Provider("Shop", server.url)) as own:
            own.send("POST", f"{server.url}/x", params={"a": "b"}, form={"c": "d e"})
        (recorded,) = server.requests
        fields = recorded.one("authorization")
        assert "oauth_token=" not in fields
        at = {name: unquote(re.findall(rf'oauth_{name}="([^"]*)"', fields)[0]) for name in ("timestamp", "nonce")}
        sent = Request("POST", f"{server.url}{recorded.target}", {"content-type": FORM}, recorded.body)
        assert sign(sent, APP, **at).headers["authorization"] == fields  # type: ignore[arg-type]


@every_auth
def test_a_body_that_is_streamed_stays_a_stream(opened: Opener) -> None:
    with HostileServer(ANSWERED) as server:

        def pieces() -> Iterator[bytes]:
            server.wait_until(lambda server: server.accepted == 1)  # not read before there is a connection
            yield b"one"
            yield b"two"

        with opened(USER, X.at(server.url)) as own:
            own.send("POST", f"{server.url}/upload", pieces=pieces())
        (recorded,) = server.requests
        assert recorded.one("transfer-encoding") == "chunked"
        assert recorded.body == b"onetwo"
        assert accepts(recorded, USER)


@every_auth
@pytest.mark.parametrize("identity", [Bearer("AAAA%2F"), App("CK", "CS", "AAAA%2F")], ids=["Bearer", "App"])
def test_a_bearer_token_is_borne(opened: Opener, identity: Identity) -> None:
    with HostileServer(ANSWERED) as server:
        with opened(identity, X.at(server.url)) as own:
            own.send("POST", f"{server.url}/x", form={"a": "b"})
        assert server.requests[0].one("authorization") == "Bearer AAAA%2F"
        assert server.requests[0].body == b"a=b"


@every_holding_auth
def test_an_app_without_a_bearer_token_is_refused_when_the_auth_is_made(opened: Opener) -> None:
    with pytest.raises(WrongIdentity, match="this App holds no bearer_token; use a client's auth"), opened(APP, X):
        raise AssertionError("refused when it is made, and not by the first request")


@pytest.mark.parametrize("name", ["requests", "httpx", "httpx2"])
def test_what_is_no_identity_and_no_provider_is_refused_and_not_shown(name: str) -> None:
    auth = adapter(name).Auth
    for wrong in ("planted", None, App):
        with pytest.raises(WrongIdentity, match="as App, Bearer or OAuth1User, not as ") as caught:
            auth(wrong)
        assert "planted" not in str(caught.value)
    for identity in (USER, APP):
        for name, value in (("provider", "https://planted.test"), ("env", 5)):
            with pytest.raises(LocalProtocolError, match=f"^{name}= takes ") as refused:
                auth(identity, **{name: value})
            assert "planted" not in str(refused.value)


@every_auth
def test_a_foreign_host_raises_and_gets_nothing(opened: Opener) -> None:
    with HostileServer(ANSWERED) as server, HostileServer(ANSWERED) as foreign, opened(USER, X.at(server.url)) as own:
        with pytest.raises(ForeignHost):
            own.send("GET", f"{foreign.url}/x")
        with pytest.raises((ForeignHost, InvalidURL)):
            own.send("GET", f"http://127.0.0.1:{server.port}@localhost:{foreign.port}/x")
        assert server.accepted == foreign.accepted == 0


@every_auth
def test_a_foreign_host_is_one_of_the_providers_too(opened: Opener) -> None:
    with HostileServer(ANSWERED) as server, HostileServer(ANSWERED) as other:
        with opened(USER, X.at(server.url).allowing(other.url)) as own:
            own.send("GET", f"{other.url}/x")
        assert accepts(other.requests[0], USER)


@every_auth
@pytest.mark.parametrize("identity", [USER, Bearer("planted-bearer")], ids=["OAuth1User", "Bearer"])
@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.parametrize("target", ["/x", "/a/../b?q=planted|query"])
def test_a_redirect_to_another_origin_never_carries_credentials(
    opened: Opener, identity: Identity, status: int, target: str
) -> None:
    with HostileServer(answers(http(401, b'{"errors":[{"code":89}]}'))) as other:
        redirect = http(status, b"", f"Location: {other.url}/elsewhere")
        with HostileServer(answers(redirect)) as server:
            with opened(identity, X.at(server.url)) as own:
                answered = own.send("GET", server.url + target, follow=True)
            assert answered.status == 401
            assert len(server.requests) == 1
            assert len(server.requests[0].all("authorization")) == 1
        (recorded,) = other.requests
        assert recorded.all("authorization") == []
        assert recorded.target == "/elsewhere"


@every_auth
def test_a_redirect_that_is_not_followed_is_the_users_to_see(opened: Opener) -> None:
    with HostileServer(answers(http(302, b"", "Location: /elsewhere"))) as server:
        with opened(USER, X.at(server.url)) as own:
            assert own.send("GET", f"{server.url}/x").status == 302
        assert len(server.requests) == 1


# ---------------------------------------------------------------- the auth of a client, which fetches


class Service:
    """Tokens T1, T2, ...; an answer for each call, of which the last is given again and again."""

    def __init__(self, *calls: bytes) -> None:
        self.tokens = 0
        self.calls: list[str] = []
        self._answers = list(calls)

    def __call__(self, peer: Peer) -> None:
        while (recorded := peer.request()) is not None:
            if recorded.target == "/oauth2/token":
                self.tokens += 1
                peer.send(http(200, b'{"token_type":"bearer","access_token":"T%d"}' % self.tokens))
            else:
                self.calls.append(", ".join(recorded.all("authorization")))
                peer.send(self._answers[min(len(self.calls), len(self._answers)) - 1])


INVALID = http(401, b'{"errors":[{"code":89,"message":"Invalid or expired token."}]}')
FINE = http(200, b"fine", "X-Odd: a\x01b")


@every_fetching_auth
def test_the_token_is_fetched_once_and_kept(opened: Opener) -> None:
    service = Service(FINE)
    with HostileServer(service) as server:
        with opened(APP, X.at(server.url)) as own:
            assert [own.send("GET", f"{server.url}/{n}").body for n in range(3)] == [b"fine"] * 3
        assert service.tokens == 1
        assert service.calls == ["Bearer T1"] * 3
        basic = server.requests[0].one("authorization")
        assert basic.startswith("Basic ")


@every_fetching_auth
def test_an_invalid_token_is_fetched_anew_once_and_the_call_sent_again(opened: Opener) -> None:
    service = Service(INVALID, FINE)
    with HostileServer(service) as server:
        with opened(APP, X.at(server.url)) as own:
            assert own.send("POST", f"{server.url}/x", params={"a": "b"}, json={"c": "d"}).body == b"fine"
            assert own.send("GET", f"{server.url}/y").body == b"fine"
        assert service.calls == ["Bearer T1", "Bearer T2", "Bearer T2"]
        first, second = (one for one in server.requests if one.target == "/x?a=b")
        assert first.body == second.body != b""
        assert first.method == second.method == "POST"


@every_fetching_auth
def test_a_token_that_stays_invalid_is_fetched_anew_once_only(opened: Opener) -> None:
    service = Service(INVALID)
    with HostileServer(service) as server:
        with opened(APP, X.at(server.url)) as own:
            assert own.send("GET", f"{server.url}/x").status == 401
        assert service.tokens == 2
        assert service.calls == ["Bearer T1", "Bearer T2"]


@every_fetching_auth
@pytest.mark.parametrize(
    "refusal",
    [
        http(401, b'{"errors":[{"code":32}]}'),
        http(403, b'{"errors":[{"code":89}]}'),
        http(401, b"no", "X-Odd: a\x01b", kind="text/plain"),
        http(401, b"\xff\xfe"),
        http(200, b'{"errors":[{"code":89}]}'),
    ],
    ids=["401 of another code", "403", "401 with odd header", "401 not UTF-8", "200"],
)
def test_any_other_answer_is_the_users_to_see(opened: Opener, refusal: bytes) -> None:
    service = Service(refusal)
    with HostileServer(service) as server:
        with opened(APP, X.at(server.url)) as own:
            assert own.send("GET", f"{server.url}/x").status == int(refusal[9:12])
        assert service.tokens == 1
        assert len(service.calls) == 1


@every_fetching_auth
def test_a_stream_is_not_sent_twice_but_the_next_call_has_a_new_token(opened: Opener) -> None:
    service = Service(INVALID, FINE)
    with HostileServer(service) as server:
        with opened(APP, X.at(server.url)) as own:
            assert own.send("POST", f"{server.url}/x", pieces=iter([b"one", b"two"])).status == 401
            assert own.send("GET", f"{server.url}/y").status == 200
        assert service.calls == ["Bearer T1", "Bearer T2"]


@every_fetching_auth
def test_a_redirect_after_a_renewal_never_carries_credentials_elsewhere(opened: Opener) -> None:
    with HostileServer(answers(http(401, b'{"errors":[{"code":89}]}'))) as other:
        service = Service(INVALID, http(302, b"", f"Location: {other.url}/elsewhere"))
        with HostileServer(service) as server:
            with opened(APP, X.at(server.url)) as own:
                assert own.send("GET", f"{server.url}/x", follow=True).status == 401
            assert service.tokens == 2  # and no third, although the other origin calls the token invalid
        assert [one.all("authorization") for one in other.requests] == [[]]


def test_a_requests_session_follows_a_redirect_on_the_same_host_without_credentials_too() -> None:
    module = adapter("requests")
    for identity, calls in ((USER, ()), (APP, (INVALID,))):
        service = Service(*calls, http(302, b"", "Location: /elsewhere"), FINE)
        with HostileServer(service) as server, library("requests").Session() as session:
            session.auth = module.Client(identity, provider=X.at(server.url), session=session).auth
            assert session.get(f"{server.url}/x", timeout=5).content == b"fine"
            assert [len(one.all("authorization")) for one in server.requests][-2:] == [1, 0]


@every_fetching_auth
def test_a_refusal_of_the_token_itself_is_raised(opened: Opener) -> None:
    with HostileServer(answers(http(403, b'{"errors":[{"code":99}]}'))) as server, opened(APP, X.at(server.url)) as own:
        with pytest.raises(UnableToVerifyCredentials):
            own.send("GET", f"{server.url}/x")
        assert [one.target for one in server.requests] == ["/oauth2/token"]


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_the_auth_of_an_asynchronous_client_refuses_a_synchronous_one(name: str) -> None:
    module = adapter(name)
    with event_loop("asyncio") as start:
        client = module.AsyncClient(USER, provider=X)
        with library(name).Client(auth=client.auth) as own, pytest.raises(LocalProtocolError, match="asynchronous"):
            own.get("http://127.0.0.1:1/")
        start(client.aclose).result()


def test_a_requests_session_may_give_the_method_and_type_in_any_case() -> None:
    module = adapter("requests")
    with HostileServer(ANSWERED) as server, library("requests").Session() as session:
        session.auth = module.Auth(USER, provider=X.at(server.url))
        headers: Any = {"CONTENT-TYPE": b"Application/X-WWW-Form-Urlencoded; charset=utf-8"}
        session.request("post", f"{server.url}/x", data="a=b%20c&d=%C3%A9", headers=headers, timeout=5)
        (recorded,) = server.requests
        assert accepts(recorded, USER)
        assert not accepts(dataclasses.replace(recorded, body=b"a=tampered"), USER)
