"""Discovery (RFC 8414, OpenID Connect Discovery 1.0): a provider from its issuer, and documents that lie."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Flow, Operation, Provider, Response, errors
from sansauth.oauth2 import discover
from sansauth.oauth2.metadata import DOCUMENT_BYTES, build_metadata_requests, parse_metadata
from sansauth.provider import Quirks

from .support import Script, json_answer

ISSUER = "https://server.example.com"
# RFC 8414 section 3.2
DOCUMENT: dict[str, object] = {
    "issuer": "https://server.example.com",
    "authorization_endpoint": "https://server.example.com/authorize",
    "token_endpoint": "https://server.example.com/token",
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
    "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
    "userinfo_endpoint": "https://server.example.com/userinfo",
    "jwks_uri": "https://server.example.com/jwks.json",
    "registration_endpoint": "https://server.example.com/register",
    "scopes_supported": ["openid", "profile", "email", "address", "phone", "offline_access"],
    "response_types_supported": ["code", "code token"],
    "service_documentation": "http://server.example.com/service_documentation.html",
    "ui_locales_supported": ["en-US", "en-GB", "en-CA", "fr-FR", "fr-CA"],
}
FURTHER: dict[str, object] = {
    "revocation_endpoint": "https://server.example.com/revoke",
    "introspection_endpoint": "https://server.example.com/introspect",
    "pushed_authorization_request_endpoint": "https://server.example.com/par",
    "device_authorization_endpoint": "https://server.example.com/device",
    "code_challenge_methods_supported": ["S256"],
    "id_token_signing_alg_values_supported": ["none", "HS256", "ES256", "RS256"],
    "require_pushed_authorization_requests": True,
    "authorization_response_iss_parameter_supported": True,
}
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def read(change: dict[str, object], issuer: str = ISSUER) -> Provider:
    return parse_metadata(json_answer(200, DOCUMENT | {"issuer": issuer} | change), issuer)


def urls(issuer: str) -> list[str]:
    return [request.url for request in build_metadata_requests(issuer)]


class TestWhereItIsAskedFor:
    @pytest.mark.parametrize(
        ("issuer", "first", "second"),
        [
            (
                "https://example.com",
                "https://example.com/.well-known/oauth-authorization-server",
                "https://example.com/.well-known/openid-configuration",
            ),
            (  # RFC 8414 section 3.1, OpenID Connect Discovery 1.0 section 4.1
                "https://example.com/issuer1",
                "https://example.com/.well-known/oauth-authorization-server/issuer1",
                "https://example.com/issuer1/.well-known/openid-configuration",
            ),
            (
                "https://example.com:8443/a/b/",
                "https://example.com:8443/.well-known/oauth-authorization-server/a/b",
                "https://example.com:8443/a/b/.well-known/openid-configuration",
            ),
            (
                "http://127.0.0.1:8080/",
                "http://127.0.0.1:8080/.well-known/oauth-authorization-server",
                "http://127.0.0.1:8080/.well-known/openid-configuration",
            ),
        ],
    )
    def test_before_the_path_and_behind_it(self, issuer: str, first: str, second: str) -> None:
        assert urls(issuer) == [first, second]

    @pytest.mark.parametrize(
        ("issuer", "kind"),
        [
            ("http://example.com", errors.InsecureTransport),
            ("https://example.com?x=1", errors.InvalidURL),
            ("https://example.com#f", errors.InvalidURL),
            ("https://user@example.com", errors.InvalidURL),
            ("example.com", errors.InvalidURL),
            ("", errors.InvalidURL),
            (None, errors.InvalidURL),
            (b"https://example.com", errors.InvalidURL),
        ],
    )
    def test_what_is_no_issuer_is_not_asked(self, issuer: Any, kind: type[errors.SansauthError]) -> None:
        with pytest.raises(kind):
            Flow(discover(issuer))


class TestDiscover:
    def test_one_request_without_credentials(self) -> None:
        script = Script([json_answer(200, DOCUMENT)])
        provider = script.run(discover(ISSUER))
        (request,) = script.sent
        assert (request.method, request.body) == ("GET", b"")
        assert request.url == "https://server.example.com/.well-known/oauth-authorization-server"
        assert list(request.headers) == [("accept", "application/json")]
        assert provider.issuer == ISSUER

    def test_openid_connects_document_where_there_is_no_other(self) -> None:
        script = Script([Response(404), json_answer(200, DOCUMENT)])
        assert script.run(discover(ISSUER)).endpoint("token") == "https://server.example.com/token"
        assert script.sent[1].url == "https://server.example.com/.well-known/openid-configuration"

    def test_no_document_at_all(self) -> None:
        with pytest.raises(errors.NotFound, match=r"server\.example\.com answered 404"):
            Script([Response(404), Response(404)]).run(discover(ISSUER))

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (Response(503), errors.ServiceUnavailable),
            (Response(302, {"location": "https://evil.test/"}), errors.UnexpectedRedirect),
            (Response(200, {"content-type": "text/html"}, b"<html>"), errors.RemoteProtocolError),
        ],
    )
    def test_another_answer_is_not_taken_for_none(self, answer: Response, kind: type[errors.SansauthError]) -> None:
        script = Script([answer])
        with pytest.raises(kind):
            script.run(discover(ISSUER))
        assert len(script.sent) == 1

    def test_by_the_name_that_the_provider_has_for_it(self) -> None:
        found = Provider.discover(ISSUER)
        assert isinstance(found, Operation)
        assert Script([json_answer(200, DOCUMENT)]).run(found) == read({})


class TestTheProvider:
    def test_the_example_of_rfc_8414_section_3_2(self) -> None:
        assert read({}) == Provider(
            "server.example.com",
            ISSUER,
            Endpoints(
                authorization="https://server.example.com/authorize",
                token="https://server.example.com/token",
                userinfo="https://server.example.com/userinfo",
                jwks="https://server.example.com/jwks.json",
                registration="https://server.example.com/register",
            ),
            issuer=ISSUER,
            quirks=Quirks(client_auth_methods=("client_secret_basic", "private_key_jwt")),
        )

    def test_all_the_rest(self) -> None:
        provider = read(FURTHER)
        assert provider.endpoint("revocation") == "https://server.example.com/revoke"
        assert provider.endpoint("introspection") == "https://server.example.com/introspect"
        assert provider.endpoint("pushed_authorization_request") == "https://server.example.com/par"
        assert provider.endpoint("device_authorization") == "https://server.example.com/device"
        assert provider.quirks == Quirks(
            pushes_requests=True,
            names_issuer=True,
            algorithms=("RS256", "ES256"),
            challenge_methods=("S256",),
            client_auth_methods=("client_secret_basic", "private_key_jwt"),
        )

    def test_an_issuer_with_a_path_keeps_it_to_the_letter(self) -> None:
        issuer = "https://server.example.com/tenant/"
        provider = read({}, issuer)
        assert provider.issuer == issuer
        assert provider.url("/x") == "https://server.example.com/tenant/x"

    @pytest.mark.parametrize("named", [["none"], ["HS256", "none"], []])
    def test_of_algorithms_that_are_not_ours_none_is_left(self, named: list[str]) -> None:
        assert read({"id_token_signing_alg_values_supported": named}).quirks.algorithms == ()

    def test_a_service_that_names_no_algorithm_may_use_all_of_ours(self) -> None:
        assert read({}).quirks.algorithms == Quirks().algorithms
        assert "none" not in Quirks().algorithms

    def test_null_is_as_good_as_missing(self) -> None:
        nulls: dict[str, object] = dict.fromkeys(FURTHER)
        assert read(nulls) == read({})

    def test_endpoints_on_other_hosts_are_hosts_of_the_provider(self) -> None:
        provider = read({"token_endpoint": "https://oauth2.example.net/token"})
        assert "https://oauth2.example.net" in provider.origins

    def test_on_this_machine_plain_http_will_do(self) -> None:
        provider = read({"token_endpoint": "http://127.0.0.1:8080/token"}, "http://127.0.0.1:8080")
        assert provider.endpoint("token") == "http://127.0.0.1:8080/token"


class TestDocumentsThatLie:
    @pytest.mark.parametrize(
        "issuer",
        [
            "https://server.example.com/",
            "https://SERVER.example.com",
            "https://server.example.com:443",
            "https://evil.test",
            "",
            None,
            ["https://server.example.com"],
        ],
    )
    def test_another_issuer_be_it_by_a_slash(self, issuer: object) -> None:
        with pytest.raises(errors.RemoteProtocolError, match="metadata of another issuer than"):
            parse_metadata(json_answer(200, DOCUMENT | {"issuer": issuer}), ISSUER)

    @pytest.mark.parametrize("member", [name for name in {**DOCUMENT, **FURTHER} if name.endswith(("endpoint", "uri"))])
    @pytest.mark.parametrize(
        "url",
        [
            "http://server.example.com/x",
            "https://127.0.0.1/x",
            "http://localhost:8080/x",
            "http://[::1]/x",
            "javascript:alert(1)",
            "/token",
            "https://user:password@server.example.com/",
            "https://server.example.com\\@evil.test/",
            "",
            7,
            True,
            ["https://server.example.com/x"],
            {"url": "https://server.example.com/x"},
        ],
    )
    def test_endpoints_that_credentials_must_not_go_to(self, member: str, url: object) -> None:
        with pytest.raises(errors.RemoteProtocolError, match=f"published a {member} that cannot be used") as caught:
            read({member: url})
        assert caught.value.__context__ is None

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"require_pushed_authorization_requests": "true"}, "neither true nor false"),
            ({"authorization_response_iss_parameter_supported": 1}, "neither true nor false"),
            ({"code_challenge_methods_supported": "S256"}, "no list of names"),
            ({"code_challenge_methods_supported": ["S256", None]}, "no list of names"),
            ({"token_endpoint_auth_methods_supported": {}}, "no list of names"),
            ({"id_token_signing_alg_values_supported": [["RS256"]]}, "no list of names"),
        ],
        ids=str,
    )
    def test_wrong_types(self, change: dict[str, object], said: str) -> None:
        with pytest.raises(errors.RemoteProtocolError, match=f"published a {next(iter(change))} that is {said}"):
            read(change)

    def test_a_huge_one(self) -> None:
        with pytest.raises(errors.RemoteProtocolError, match=rf"sent \d+ bytes of metadata; expected {DOCUMENT_BYTES}"):
            read({"scopes_supported": ["x" * DOCUMENT_BYTES]})
        body = json.dumps(DOCUMENT).encode().ljust(DOCUMENT_BYTES)
        assert parse_metadata(Response(200, (), body), ISSUER) == read({})

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"issuer":'])
    def test_no_document(self, body: bytes) -> None:
        with pytest.raises(errors.RemoteProtocolError):
            parse_metadata(Response(200, (), body), ISSUER)

    @given(DOCUMENTS, st.fixed_dictionaries({}, optional=dict.fromkeys({**DOCUMENT, **FURTHER}, DOCUMENTS)))
    def test_no_document_crashes_the_parser(self, document: object, change: dict[str, object]) -> None:
        for answer in (document, DOCUMENT | FURTHER | change):
            try:
                provider = parse_metadata(json_answer(200, answer), ISSUER)
            except (errors.RemoteProtocolError, errors.ApiError):
                continue
            assert provider.issuer == ISSUER
            assert set(provider.quirks.algorithms) <= set(Quirks().algorithms)
            assert all(origin.startswith("https://") for origin in provider.origins)

    @given(st.text())
    def test_no_issuer_crashes_it_either(self, issuer: str) -> None:
        with pytest.raises((errors.InvalidURL, errors.InsecureTransport)):
            build_metadata_requests(issuer)
