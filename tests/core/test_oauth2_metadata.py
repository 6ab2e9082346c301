"""Discovery (RFC 8414, OpenID Connect Discovery 1.0): a provider from its issuer, and documents that lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Flow, Operation, Provider, Response, errors
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import discover, introspect, refresh, revoke
from sansauth.oauth2.metadata import DOCUMENT_BYTES, build_metadata_requests, parse_metadata
from sansauth.provider import ErrorTable, Quirks
from sansauth.tokens import OAuth2Tokens

from .support import ENV, Script, json_answer

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
FLAGS = ("require_pushed_authorization_requests", "authorization_response_iss_parameter_supported")
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def read(change: dict[str, object], issuer: str = ISSUER) -> Provider:
    return parse_metadata(json_answer(200, DOCUMENT | {"issuer": issuer} | change), issuer)


def urls(issuer: str) -> list[str]:
    return [request.url for request in build_metadata_requests(issuer)]


HINTS = ErrorTable(
    hints={
        "invalid_client": "It says that clients authenticate by client_secret_basic, private_key_jwt; "
        "see OAuth2Client's auth. Of one that signs it may want another audience: see Quirks.assertion_audience."
    }
)


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

    def test_of_an_issuer_with_a_path_by_rfc_8414_first_then_by_openid_connect(self) -> None:
        """The issuer of both documents' examples: RFC 8414 section 3.1, OpenID Connect Discovery 1.0 section 4.1."""
        issuer = "https://example.com/issuer1"
        script = Script([Response(404), json_answer(200, DOCUMENT | {"issuer": issuer})])
        assert script.run(discover(issuer)) == read({}, issuer)
        assert [request.url for request in script.sent] == [
            "https://example.com/.well-known/oauth-authorization-server/issuer1",
            "https://example.com/issuer1/.well-known/openid-configuration",
        ]

    def test_no_document_at_all(self) -> None:
        with pytest.raises(errors.NotFound, match=r"server\.example\.com answered 404"):
            Script([Response(404), Response(404)]).run(discover(ISSUER))

    NONE = (
        Response(404),
        Response(400),
        Response(401),
        Response(403, {"content-type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>"),
        Response(405),
        Response(503),
        Response(302, {"location": "https://server.example.com/login"}),
        Response(200, {"content-type": "text/html"}, b"<html>"),
        json_answer(200, DOCUMENT | {"issuer": "https://root.example.com"}),
        json_answer(200, {}),
        json_answer(200, []),
        json_answer(200, {"error": "not_found"}),
        json_answer(200, DOCUMENT | {"scopes_supported": ["x" * DOCUMENT_BYTES]}),
    )

    @pytest.mark.parametrize("answer", NONE, ids=range(len(NONE)))
    def test_whatever_there_is_in_place_of_the_first_document_the_other_is_asked_for(self, answer: Response) -> None:
        script = Script([answer, json_answer(200, DOCUMENT)])
        assert script.run(discover(ISSUER)) == read({})
        assert [request.url for request in script.sent] == urls(ISSUER)

    @pytest.mark.parametrize(
        ("first", "second", "kind"),
        [
            (Response(503), Response(404), errors.ServiceUnavailable),
            (Response(404), Response(503), errors.ServiceUnavailable),
            (Response(302, {"location": "https://evil.test/"}), Response(404), errors.UnexpectedRedirect),
            (Response(404), Response(302, {"location": "https://evil.test/"}), errors.NotFound),
            (Response(200, (), b"<html>"), Response(404), errors.RemoteProtocolError),
            (json_answer(200, DOCUMENT | {"issuer": ISSUER + "/"}), Response(404), errors.RemoteProtocolError),
        ],
        ids=range(6),
    )
    def test_of_two_failures_the_one_that_says_more_is_told(
        self, first: Response, second: Response, kind: type[errors.SansauthError]
    ) -> None:
        with pytest.raises(kind):
            Script([first, second]).run(discover(ISSUER))

    @pytest.mark.parametrize("first", [Response(404), Response(200, (), b"<html>")], ids=["404", "page"])
    def test_an_issuer_that_lacks_a_slash_is_told_so(self, first: Response) -> None:
        """As those of Auth0 have one at the end."""
        with pytest.raises(errors.RemoteProtocolError, match="a slash at the end too"):
            Script([first, json_answer(200, DOCUMENT | {"issuer": ISSUER + "/"})]).run(discover(ISSUER))

    @pytest.mark.parametrize("first", [errors.ConnectError("no route"), Response(404)], ids=["first", "second"])
    def test_trouble_of_transport_ends_it(self, first: Response | Exception) -> None:
        script = Script([first, errors.ConnectError("no route")])
        with pytest.raises(errors.ConnectError):
            script.run(discover(ISSUER))
        assert len(script.sent) == (1 if isinstance(first, Exception) else 2)

    @pytest.mark.parametrize("found", [discover, Provider.discover])
    def test_plain_http_has_to_be_allowed(self, found: Callable[..., Operation[Provider]]) -> None:
        """As in a network of containers."""
        issuer = "http://keycloak:8080/realms/x"
        document = {"issuer": issuer, "token_endpoint": f"{issuer}/token", "jwks_uri": f"{issuer}/certs"}
        with pytest.raises(errors.InsecureTransport, match="allow_http=True"):
            Flow(found(issuer))
        script = Script([Response(404), json_answer(200, document | {"userinfo_endpoint": "http://localhost/x"})])
        provider = script.run(found(issuer, allow_http=True))
        assert [request.origin for request in script.sent] == ["http://keycloak:8080"] * 2
        assert provider.endpoints == Endpoints(token=f"{issuer}/token", jwks=f"{issuer}/certs")
        assert provider.allow_http
        assert Flow(
            refresh(OAuth2Client("c"), OAuth2Tokens("a", refresh_token="r"), provider=provider, env=ENV)
        ).request

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
            errors=HINTS,
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
        )
        assert provider.errors == HINTS

    def test_an_issuer_with_a_path_keeps_it_to_the_letter(self) -> None:
        issuer = "https://server.example.com/tenant/"
        provider = read({}, issuer)
        assert provider.issuer == issuer
        assert provider.url("/x") == "https://server.example.com/tenant/x"

    @pytest.mark.parametrize("named", [["none"], ["HS256", "none"], [None, ["RS256"]]])
    def test_of_algorithms_that_are_not_ours_none_is_left(self, named: list[str]) -> None:
        assert read({"id_token_signing_alg_values_supported": named}).quirks.algorithms == ()

    def test_a_service_that_names_no_algorithm_may_use_all_of_ours(self) -> None:
        for said in ({}, *({"id_token_signing_alg_values_supported": odd} for odd in (None, [], "RS256", 7, {}))):
            assert read(said).quirks.algorithms == Quirks().algorithms
        assert "none" not in Quirks().algorithms

    @pytest.mark.parametrize("algorithm", [*Quirks().algorithms, "Ed25519"])
    def test_a_service_that_signs_by_but_one_algorithm(self, algorithm: str) -> None:
        named = {"id_token_signing_alg_values_supported": ["HS256", algorithm, None]}
        assert read(named).quirks.algorithms == (algorithm,)

    @pytest.mark.parametrize(("said", "meant"), [(True, True), ("true", True), (False, False), ("false", False)])
    def test_a_flag_may_be_a_text(self, said: object, meant: bool) -> None:
        quirks = read(dict.fromkeys(FLAGS, said)).quirks
        assert (quirks.pushes_requests, quirks.names_issuer) == (meant, meant)

    @pytest.mark.parametrize("methods", [["none"], ["client_secret_basic", "client_secret_post"]])
    def test_of_audiences_nothing_is_said_where_nobody_signs(self, methods: list[str]) -> None:
        hint = read({"token_endpoint_auth_methods_supported": methods}).errors.hints["invalid_client"]
        assert hint.endswith("see OAuth2Client's auth.")

    @pytest.mark.parametrize(
        "named", [None, {}, "none", 7, [], [None, ["none"]], ["tls_client_auth"], ["see evil.test"]]
    )
    def test_of_ways_to_authenticate_that_are_not_ours_nothing_is_made(self, named: object) -> None:
        provider = read({"token_endpoint_auth_methods_supported": named})
        assert provider.errors == ErrorTable()

    @pytest.mark.parametrize("client", [OAuth2Client("c"), OAuth2Client("c", "s", auth="client_secret_post")])
    def test_a_client_of_another_way_is_tried_and_when_it_is_refused_told_which_there_are(
        self, client: OAuth2Client
    ) -> None:
        provider = read(FURTHER)
        said = "by client_secret_basic, private_key_jwt; see OAuth2Client's auth"
        refusal = json_answer(401, {"error": "invalid_client"})
        token = OAuth2Tokens("a", refresh_token="r")
        for operation in (
            refresh(client, token, provider=provider, env=ENV),
            revoke(client, "r", provider=provider, env=ENV),
            introspect(client, "r", provider=provider, env=ENV),
        ):
            script = Script([refusal])
            with pytest.raises(errors.InvalidClient, match=said):
                script.run(operation)
            assert len(script.sent) == 1

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
    def test_endpoints_that_credentials_must_not_go_to_are_left_out(self, member: str, url: object) -> None:
        """And so the rest can be used: one odd page of a service's need not be one that anybody wants."""
        without = {name: value for name, value in (DOCUMENT | FURTHER).items() if name != member}
        provider = parse_metadata(json_answer(200, without | {member: url}), ISSUER)
        assert provider == parse_metadata(json_answer(200, without), ISSUER)
        assert provider.origins == (ISSUER,)

    def test_what_needs_an_endpoint_that_was_left_out_says_so(self) -> None:
        provider = read({"token_endpoint": "http://server.example.com/token"})
        with pytest.raises(errors.LocalProtocolError, match="no endpoint 'token'"):
            Flow(refresh(OAuth2Client("c"), OAuth2Tokens("a", refresh_token="r"), provider=provider, env=ENV))

    @pytest.mark.parametrize("odd", ["yes", 1, [], ["true"], {"true": True}], ids=str)
    def test_what_is_neither_true_nor_false_says_nothing(self, odd: object) -> None:
        assert read(dict.fromkeys(FLAGS, odd)) == read({})

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
