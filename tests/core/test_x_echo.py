"""OAuth Echo: the consumer's two headers, and the delegator that asks no server but X who the user is."""

from __future__ import annotations

from typing import Any

import pytest

from sansauth import Bearer, Flow, Headers, Provider, Request, Response, Send, Signing, errors
from sansauth.oauth1 import sign
from sansauth.x import TWITTER, X, echo_headers, echo_request, verify_echo
from sansauth.x.echo import AUTHORIZATION, SERVICE_PROVIDER

from .support import APP, ENV, NONCE, TIMESTAMP, USER, json_answer, refusal_answer

URL = "https://api.x.com/1.1/account/verify_credentials.json"
OLD = "https://api.twitter.com/1.1/account/verify_credentials.json"
ALLOWED = [URL, OLD]
ECHO = echo_headers(USER, env=ENV)


def received(url: str = URL, authorization: str = 'OAuth oauth_token="hunter2"') -> list[tuple[str, str]]:
    return [("X-Auth-Service-Provider", url), ("X-Verify-Credentials-Authorization", authorization), ("host", "d.test")]


class TestConsumer:
    def test_the_headers_are_a_get_of_exactly_that_url_signed(self) -> None:
        signed = sign(Request("GET", URL), USER, timestamp=TIMESTAMP, nonce=NONCE)
        assert list(ECHO) == [(SERVICE_PROVIDER, URL), (AUTHORIZATION, signed.headers["authorization"])]
        assert "hunter2" not in repr(ECHO)

    def test_the_query_is_part_of_what_is_signed(self) -> None:
        url = f"{URL}?application_id=a%20b"
        signed = sign(Request("GET", url), USER, timestamp=TIMESTAMP, nonce=NONCE)
        headers = echo_headers(USER, env=ENV, url=url)
        assert headers[SERVICE_PROVIDER] == url
        assert headers[AUTHORIZATION] == signed.headers["authorization"] != ECHO[AUTHORIZATION]

    def test_the_url_is_the_providers(self) -> None:
        assert echo_headers(USER, env=ENV, provider=TWITTER)[SERVICE_PROVIDER] == OLD
        assert echo_headers(USER, env=ENV, url="/2/users/me")[SERVICE_PROVIDER] == "https://api.x.com/2/users/me"
        for url in ("https://evil.test/", "https://api.x.com.evil.test/"):
            with pytest.raises(errors.ForeignHost):
                echo_headers(USER, env=ENV, url=url)

    def test_a_service_that_wants_its_signatures_elsewhere_gets_this_one_in_the_header(self) -> None:
        provider = Provider("Query", "https://api.x.com", signing=Signing(placement="query"))
        assert echo_headers(USER, env=ENV, provider=provider) == ECHO

    @pytest.mark.parametrize("identity", [APP, Bearer("hunter2"), None])
    def test_only_a_user_can_be_verified(self, identity: Any) -> None:
        with pytest.raises(errors.WrongIdentity, match="pass an OAuth1User"):
            echo_headers(identity, env=ENV)


class TestDelegator:
    @pytest.mark.parametrize("headers", [ECHO, list(ECHO), dict(ECHO)])
    def test_the_request_is_what_the_consumer_signed(self, headers: Any) -> None:
        request = echo_request(headers, allowed=ALLOWED)
        assert (request.method, request.url, request.body) == ("GET", URL, b"")
        assert request.headers["authorization"] == ECHO[AUTHORIZATION]

    @pytest.mark.parametrize(
        "url",
        [
            OLD,
            f"{URL}?application_id=com.example%2Fapp&x=1",
            "https://API.x.com:443/1.1/account/verify_credentials.json",
            f"{URL}?next=https://evil.test/",
        ],
    )
    def test_the_query_is_kept_as_it_was_received(self, url: str) -> None:
        request = echo_request(received(url), allowed=ALLOWED)
        assert request.url == Request("GET", url).url
        assert request.query == url.partition("?")[2]

    @pytest.mark.parametrize(
        ("url", "kind"),
        [
            ("https://evil.test/1.1/account/verify_credentials.json", errors.ForeignHost),
            ("https://api.x.com.evil.test/1.1/account/verify_credentials.json", errors.ForeignHost),
            ("https://api.x.com:8443/1.1/account/verify_credentials.json", errors.ForeignHost),
            ("http://api.x.com/1.1/account/verify_credentials.json", errors.ForeignHost),
            ("https://api.x.com/1.1/account/verify_credentials.jsonp", errors.ForeignHost),
            ("https://api.x.com/1.1/account/verify_credentials.json/", errors.ForeignHost),
            ("https://api.x.com/1.1/x/../account/verify_credentials.json", errors.ForeignHost),
            ("https://api.x.com/1.1/account/verify%5Fcredentials.json", errors.ForeignHost),
            ("https://api.x.com/", errors.ForeignHost),
            (f"https://evil.test/?{URL}", errors.ForeignHost),
            (f"https://evil.test/#{URL}", errors.ForeignHost),
            ("https://api.x.com@evil.test/1.1/account/verify_credentials.json", errors.InvalidURL),
            ("https://hunter2:x@api.x.com/1.1/account/verify_credentials.json", errors.InvalidURL),
            ("https://evil.test\\@api.x.com/1.1/account/verify_credentials.json", errors.InvalidURL),
            ("file:///etc/passwd", errors.InvalidURL),
            ("gopher://api.x.com/", errors.InvalidURL),
            ("//api.x.com/1.1/account/verify_credentials.json", errors.InvalidURL),
            ("", errors.InvalidURL),
            (f"{URL}, {URL}", errors.InvalidURL),
            (f"{URL}\r\nx: y", errors.InvalidHeader),
            (f"{URL}\x00", errors.InvalidHeader),
        ],
    )
    def test_no_other_url_is_asked(self, url: str, kind: type[errors.LocalProtocolError]) -> None:
        with pytest.raises(errors.LocalProtocolError) as caught:
            Flow(verify_echo(received(url), allowed=ALLOWED))
        assert type(caught.value) is kind
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("scheme", ["OAuth", "oauth", "OAUTH"])
    def test_the_name_of_the_scheme_may_be_written_in_any_case(self, scheme: str) -> None:
        """RFC 9110 section 11.1, RFC 5849 section 3.5.1."""
        request = echo_request(received(authorization=f'{scheme} oauth_token="t"'), allowed=ALLOWED)
        assert request.headers["authorization"] == f'{scheme} oauth_token="t"'

    @pytest.mark.parametrize(
        ("authorization", "kind"),
        [
            ("", errors.RemoteProtocolError),
            ("Bearer hunter2", errors.RemoteProtocolError),
            ("OAuth", errors.RemoteProtocolError),
            ("OAuth2 hunter2", errors.RemoteProtocolError),
            ('OAuth a="b"\r\nhost: evil.test', errors.InvalidHeader),
        ],
    )
    def test_no_other_authorization_is_passed_on(self, authorization: str, kind: type[errors.ProtocolError]) -> None:
        with pytest.raises(kind) as caught:
            echo_request(received(authorization=authorization), allowed=ALLOWED)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("missing", [0, 1])
    def test_each_header_is_there_once(self, missing: int) -> None:
        fields = received()[:2]
        with pytest.raises(errors.RemoteProtocolError, match="has 0"):
            echo_request([field for index, field in enumerate(fields) if index != missing], allowed=ALLOWED)
        with pytest.raises(errors.RemoteProtocolError, match="has 2"):
            echo_request([*fields, fields[missing]], allowed=ALLOWED)

    def test_an_empty_list_allows_nothing(self) -> None:
        with pytest.raises(errors.ForeignHost):
            echo_request(ECHO, allowed=())

    def test_one_url_is_no_collection(self) -> None:
        with pytest.raises(errors.LocalProtocolError, match="a collection of URLs"):
            echo_request(ECHO, allowed=URL)

    def test_what_is_allowed_is_the_providers_all_the_same(self) -> None:
        """A list that is too wide, or of plain http, does not make credentials go there."""
        evil = "https://evil.test/verify"
        assert echo_request(received(evil), allowed=[evil]).host == "evil.test"
        with pytest.raises(errors.ForeignHost):
            Flow(verify_echo(received(evil), allowed=[evil]))
        plain = "http://api.x.com/verify"
        with pytest.raises(errors.InsecureTransport):
            Flow(verify_echo(received(plain), allowed=[plain]))

    def test_200_is_the_only_yes(self) -> None:
        flow = Flow(verify_echo(ECHO, allowed=ALLOWED))
        assert type(flow.effect) is Send
        assert flow.request == echo_request(ECHO, allowed=ALLOWED)
        answer = json_answer(200, {"id_str": "7", "screen_name": "xapi"})
        flow.receive(answer)
        assert flow.result is answer

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (refusal_answer(401, 32), errors.CouldNotAuthenticate),
            (refusal_answer(401, 135), errors.TimestampOutOfRange),
            (refusal_answer(200, 89), errors.InvalidOrExpiredToken),
            (Response(204), errors.ApiError),
            (Response(304), errors.UnexpectedRedirect),
            (Response(302, {"location": "https://evil.test/"}), errors.UnexpectedRedirect),
            (Response(503), errors.ServiceUnavailable),
        ],
    )
    def test_everything_else_is_a_no(self, answer: Response, kind: type[errors.ApiError]) -> None:
        flow = Flow(verify_echo(ECHO, allowed=ALLOWED))
        with pytest.raises(errors.ApiError) as caught:
            flow.receive(answer)
        assert type(caught.value) is kind

    def test_another_provider(self) -> None:
        sandbox = X.at("http://127.0.0.1:8080")
        headers = echo_headers(USER, env=ENV, provider=sandbox)
        flow = Flow(verify_echo(headers, allowed=[headers[SERVICE_PROVIDER]], provider=sandbox))
        assert flow.request.origin == "http://127.0.0.1:8080"

    def test_headers_of_any_make(self) -> None:
        assert echo_request(Headers(received()), allowed=ALLOWED) == echo_request(dict(received()), allowed=ALLOWED)
