"""Provider: where a service answers, and where its credentials may go."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from sansauth import Bearer, Endpoints, Flow, Provider, Request, Signing
from sansauth.call import call
from sansauth.errors import (
    ApiError,
    ForeignHost,
    InsecureTransport,
    InvalidHeader,
    InvalidParameter,
    InvalidURL,
    LocalProtocolError,
)
from sansauth.oauth1.methods import HASHES
from sansauth.oauth2.jwks import build_jwks_request
from sansauth.provider import Quirks, SignatureMethod
from sansauth.x import TWITTER, X

from .support import ENV

EXAMPLE = Provider(
    "Example",
    "https://API.example.test:443/v1/",
    Endpoints(app_token="https://auth.example.test/token"),
    origins=("https://upload.example.test/ignored?too",),
)


def get(url: str) -> Request:
    return Request("GET", url)


def test_the_base_url_is_canonical_and_has_no_slash_at_its_end() -> None:
    assert EXAMPLE.base_url == "https://api.example.test/v1"
    assert EXAMPLE.origin == "https://api.example.test"


def test_credentials_go_to_base_url_origins_and_endpoints() -> None:
    assert EXAMPLE.origins == ("https://api.example.test", "https://upload.example.test", "https://auth.example.test")
    for origin in EXAMPLE.origins:
        request = get(f"{origin}/any/path?query")
        assert EXAMPLE.admit(request) is request


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/",
        "https://example.test/",
        "https://api.example.test.evil.test/",
        "https://xapi.example.test/",
        "https://api.example.test./",
        "https://api.example.test:8443/",
        "https://127.0.0.1/",
    ],
)
def test_they_go_nowhere_else(url: str) -> None:
    request = get(url)
    with pytest.raises(ForeignHost, match=r"is not a host of Example .*no credentials were sent") as caught:
        EXAMPLE.admit(request)
    assert request.origin in str(caught.value)


def test_another_port_or_scheme_of_this_machine_is_another_host() -> None:
    local = X.at("http://127.0.0.1:8080")
    assert local.admit(get("http://127.0.0.1:8080/a"))
    for url in ("http://127.0.0.1:8081/", "https://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/"):
        with pytest.raises(ForeignHost):
            local.admit(get(url))


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(InsecureTransport, match=r"http://api\.example\.test would get credentials over plain http"):
        EXAMPLE.admit(get("http://api.example.test/"))
    for base in ("http://example.test", "http://10.0.0.1:8080", "http://localhost.evil.test"):
        with pytest.raises(InsecureTransport):
            X.at(base)
        with pytest.raises(InsecureTransport):
            Provider("p", base)
    with pytest.raises(InsecureTransport):
        Provider("p", "https://a.test", Endpoints(app_token="http://a.test/token"))
    with pytest.raises(InsecureTransport):
        EXAMPLE.allowing("http://a.test")


def test_plain_http_can_be_opted_in_for_one_provider() -> None:
    local = X.at("http://sandbox.test:8080", allow_http=True)
    assert local.admit(get("http://sandbox.test:8080/a"))
    assert local.endpoint("app_token") == "http://sandbox.test:8080/oauth2/token"
    with pytest.raises(ForeignHost):
        local.admit(get("http://other.test/"))


def test_moving_a_provider_leaves_the_opt_in_behind() -> None:
    local = X.at("http://sandbox.test", allow_http=True)
    with pytest.raises(InsecureTransport):
        local.at("http://other.test")


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "http://[::1]:8080", "https://mirror.test/x/"]
)
def test_at_moves_every_endpoint_and_allows_no_other_host(base: str) -> None:
    moved = X.at(base)
    assert moved.base_url == base.rstrip("/")
    assert moved.endpoint("app_token") == base.rstrip("/") + "/oauth2/token"
    assert moved.endpoint("invalidate_app_token") == base.rstrip("/") + "/oauth2/invalidate_token"
    assert moved.endpoint("request_token") == base.rstrip("/") + "/oauth/request_token"
    assert moved.origins == (moved.origin,)
    assert (moved.name, moved.errors, moved.rate_limit_headers) == (X.name, X.errors, X.rate_limit_headers)
    with pytest.raises(ForeignHost):
        moved.admit(get("https://api.x.com/"))


def test_at_keeps_the_path_of_the_base_url() -> None:
    shop = Provider("Shop", "https://shop.test/wp-json/wc/v3", Endpoints(request_token="https://shop.test/oauth/rt"))
    for base in ("http://127.0.0.1:9", "http://127.0.0.1:9/", "https://mirror.test/x"):
        moved = shop.at(base)
        assert moved.url("/products") == base.rstrip("/") + "/wp-json/wc/v3/products"
        assert moved.endpoint("request_token") == base.rstrip("/") + "/oauth/rt"
    with pytest.raises(InvalidURL, match="no query"):
        shop.at("http://127.0.0.1:9/?q")


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"method": "hmac"}, InvalidParameter, "'hmac' is not one of HMAC-SHA1, HMAC-SHA256, HMAC-SHA512"),
        ({"method": ["HMAC-SHA1"]}, InvalidParameter, "is not one of"),
        ({"version": 1.0}, InvalidParameter, "version is a str, or None to leave it out, not float"),
        ({"realm": b"a"}, InvalidParameter, "realm is a str, or None for none, not bytes"),
        ({"realm": "a\r\nb"}, InvalidHeader, "realm holds"),
        ({"realm": "日本"}, InvalidHeader, "realm holds"),
        ({"realm": "a", "placement": "query"}, InvalidParameter, "realm belongs to the header"),
        ({"method": "PLAINTEXT", "placement": "query"}, InvalidParameter, "in a URL"),
        ({"placement": "cookie"}, InvalidParameter, "header, query, body"),
    ],
)
def test_how_a_service_cannot_want_it_is_told_where_it_is_written(
    arguments: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        Signing(**arguments)


def test_every_method_that_may_be_named_signs() -> None:
    assert set(get_args(SignatureMethod)) == set(HASHES)
    assert {Signing(method).method for method in get_args(SignatureMethod)} == set(HASHES)


def test_at_leaves_the_original_alone() -> None:
    before = dataclasses.replace(X)
    X.at("http://127.0.0.1:8080")
    assert before == X


@pytest.mark.parametrize("base", ["https://a.test/?q", "https://a.test/#f", "https://a.test?", "https://a.test#"])
def test_a_base_url_has_no_query_and_no_fragment(base: str) -> None:
    """Appended to `https://a.test#f`, every path would vanish in the fragment."""
    with pytest.raises(InvalidURL, match="no query and no fragment"):
        Provider("p", base)
    with pytest.raises(InvalidURL, match="no query and no fragment"):
        X.at(base)


@pytest.mark.parametrize(
    "base", ["", "a.test", "http:/a", "ftp://a.test", "https://user@a.test", "http://evil.test\\@a.test"]
)
def test_a_base_url_obeys_the_grammar(base: str) -> None:
    with pytest.raises(InvalidURL):
        X.at(base)
    with pytest.raises(InvalidURL):
        Provider("p", "https://a.test", origins=(base,))


def test_allowing_adds_origins() -> None:
    wider = EXAMPLE.allowing("https://media.example.test", "http://127.0.0.1:1")
    assert wider.admit(get("https://media.example.test/a"))
    assert wider.admit(get("http://127.0.0.1:1/a"))
    assert wider.admit(get("https://upload.example.test/a"))
    with pytest.raises(ForeignHost):
        EXAMPLE.admit(get("https://media.example.test/a"))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("/2/users/me", "https://api.example.test/v1/2/users/me"),
        ("2/users/me", "https://api.example.test/v1/2/users/me"),
        ("", "https://api.example.test/v1/"),
        ("?q", "https://api.example.test/v1/?q"),
        ("@evil.test/", "https://api.example.test/v1/@evil.test/"),
        (".evil.test/", "https://api.example.test/v1/.evil.test/"),
        ("https://upload.example.test/a", "https://upload.example.test/a"),
        ("HTTP://upload.example.test/a", "HTTP://upload.example.test/a"),
        ("1.1/lists:show", "https://api.example.test/v1/1.1/lists:show"),
        # of whatever scheme: the grammar of `Request` refuses these, instead of sending them as a path
        ("ftp://upload.example.test/a", "ftp://upload.example.test/a"),
        ("http:/a", "http:/a"),
        ("javascript:a", "javascript:a"),
    ],
)
def test_a_path_is_joined_to_the_base_url(given: str, url: str) -> None:
    assert EXAMPLE.url(given) == url


@pytest.mark.parametrize(
    "given",
    ["//evil.test/", "\\\\evil.test/", "/\\evil.test/", "http:/evil.test/", "ftp://evil.test/", "https:evil.test"],
)
def test_no_path_leads_to_another_host(given: str) -> None:
    local = X.at("https://a.test")
    with pytest.raises(InvalidURL):
        get(local.url(given))


def test_an_endpoint_that_a_provider_does_not_have() -> None:
    assert EXAMPLE.endpoint("app_token") == "https://auth.example.test/token"
    for name in ("request_token", "no_such_endpoint"):
        with pytest.raises(LocalProtocolError, match=f"Example has no endpoint '{name}'"):
            EXAMPLE.endpoint(name)


def test_providers_are_values() -> None:
    assert dataclasses.replace(X) == X
    assert hash(dataclasses.replace(X)) == hash(X)
    assert X != TWITTER
    with pytest.raises(AttributeError):
        X.name = "Y"  # type: ignore[misc]


class TestX:
    @pytest.mark.parametrize(("provider", "host"), [(X, "https://api.x.com"), (TWITTER, "https://api.twitter.com")])
    def test_the_endpoints(self, provider: Provider, host: str) -> None:
        assert provider.endpoint("app_token") == f"{host}/oauth2/token"
        assert provider.endpoint("invalidate_app_token") == f"{host}/oauth2/invalidate_token"
        assert provider.endpoint("request_token") == f"{host}/oauth/request_token"

    def test_both_of_xs_names_belong_to_x(self) -> None:
        for host in ("api.x.com", "api.twitter.com", "upload.x.com", "upload.twitter.com"):
            assert X.admit(get(f"https://{host}/1.1/media/upload.json"))
        with pytest.raises(ForeignHost):
            X.admit(get("https://x.com/i/oauth2/authorize"))
        with pytest.raises(ForeignHost):
            TWITTER.admit(get("https://api.x.com/"))

    def test_the_error_table_holds_types_of_refusals_and_hints_that_end(self) -> None:
        assert TWITTER.errors is X.errors
        assert all(issubclass(kind, ApiError) for kind in X.errors.types.values())
        assert all(hint.endswith(".") for hint in X.errors.hints.values())


class TestOAuth2:
    def test_pages_are_shown_to_users_and_get_no_credentials(self) -> None:
        provider = Provider(
            "p",
            "https://api.test",
            Endpoints(authorization="https://page.test/authorize", token="https://token.test/token"),
        )
        assert provider.origins == ("https://api.test", "https://token.test")
        with pytest.raises(ForeignHost):
            provider.admit(get("https://page.test/authorize"))

    @pytest.mark.parametrize("name", ["authorize", "authenticate", "authorization", "jwks"])
    def test_what_gets_no_credentials_is_https_all_the_same(self, name: str) -> None:
        with pytest.raises(InsecureTransport):
            Provider("p", "https://api.test", Endpoints(**{name: "http://page.test/authorize"}))

    def test_public_keys_on_a_host_of_many_owners_are_fetched_and_nothing_else_goes_there(self) -> None:
        jwks = "https://s3.storage.test/bucket/jwks.json"
        provider = Provider("p", "https://api.test", Endpoints(jwks=jwks))
        assert build_jwks_request(provider).url == jwks
        assert "authorization" not in build_jwks_request(provider).headers
        assert provider.origins == ("https://api.test",)
        for url in (jwks, "https://s3.storage.test/attacker/x"):
            with pytest.raises(ForeignHost):
                Flow(call(get(url), Bearer("t"), provider=provider, env=ENV))
        assert build_jwks_request(provider.at("http://127.0.0.1:1")).url == "http://127.0.0.1:1/bucket/jwks.json"

    def test_at_moves_the_endpoints_and_keeps_quirks_and_issuer(self) -> None:
        quirks = Quirks(raw_basic=True)
        provider = Provider(
            "p",
            "https://api.test",
            Endpoints(token="https://token.test/2/token"),
            issuer="https://i.test",
            quirks=quirks,
        )
        moved = provider.at("http://127.0.0.1:1")
        assert moved.endpoint("token") == "http://127.0.0.1:1/2/token"
        assert (moved.issuer, moved.quirks) == ("https://i.test", quirks)

    def test_quirks_are_values_and_by_default_the_rfcs(self) -> None:
        assert hash(Quirks()) == hash(Quirks())
        assert Quirks() == Quirks()
        assert Quirks().dead_refresh == {"invalid_grant": ""}
        assert "none" not in Quirks().algorithms

    def test_a_provider_is_discovered_by_an_operation(self) -> None:
        found = Provider.discover("https://issuer.test")
        assert Flow(found).request.url == "https://issuer.test/.well-known/oauth-authorization-server"
