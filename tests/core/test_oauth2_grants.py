"""Grants (RFC 6749 section 4): what is traded for tokens, and that it is sent as the RFCs show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sansauth import Endpoints, Env, Flow, Operation, Provider, Request, errors
from sansauth.encoding import decode
from sansauth.identity import OAuth2Client
from sansauth.oauth2.grants import (
    Grant,
    build_token_request,
    client_credentials,
    client_credentials_grant,
    code_grant,
    exchange_code,
    exchange_token,
    grant_by_jwt,
    join_scopes,
    jwt_grant,
    refresh,
    refresh_grant,
    request_tokens,
    require_scopes,
    token_exchange_grant,
)
from sansauth.provider import Quirks
from sansauth.tokens import OAuth2Tokens

from .support import Script, form_of, json_answer

NOW = 1_700_000_000.0
ENV = Env(clock=lambda: NOW, entropy=bytes)
SERVER = Provider("Example", "https://server.example.com", Endpoints(token="https://server.example.com/token"))
COMMAS = Provider("Commas", SERVER.base_url, SERVER.endpoints, quirks=Quirks(scope_separator=","))
CLIENT = OAuth2Client("s6BhdRkqt3", "gX1fBat3bV", redirect_uri="https://client.example.com/cb")
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
HELD = OAuth2Tokens("AT", refresh_token="tGzv3JOkF0XG5Qx2TlKWIA", scopes=("a", "b"))
GRANTED = json_answer(200, {"access_token": "new", "token_type": "Bearer", "expires_in": 60})


def run(operation: Operation[OAuth2Tokens]) -> tuple[OAuth2Tokens, Request]:
    script = Script([GRANTED])
    tokens = script.run(operation)
    (request,) = script.sent
    return tokens, request


class TestCode:
    def test_the_example_of_rfc_6749_section_4_1_3(self) -> None:
        tokens, request = run(exchange_code(CLIENT, "SplxlOBeZQQYbYS6WxSbIA", VERIFIER, provider=SERVER, env=ENV))
        assert (request.method, request.url) == ("POST", "https://server.example.com/token")
        assert request.headers["authorization"] == "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert form_of(request) == (
            "grant_type=authorization_code&code=SplxlOBeZQQYbYS6WxSbIA"
            f"&redirect_uri=https%3A%2F%2Fclient.example.com%2Fcb&code_verifier={VERIFIER}"
        )
        assert tokens == OAuth2Tokens("new", "Bearer", NOW, NOW + 60)

    def test_the_redirect_uri_of_the_login_comes_before_the_clients_own(self) -> None:
        uri = "http://127.0.0.1:49152/back"
        _, request = run(exchange_code(CLIENT, "c", VERIFIER, provider=SERVER, env=ENV, redirect_uri=uri))
        assert dict(decode(form_of(request)))["redirect_uri"] == uri

    def test_scopes_that_were_asked_for_are_granted_if_the_service_is_silent(self) -> None:
        tokens, _ = run(exchange_code(CLIENT, "c", VERIFIER, provider=SERVER, env=ENV, asked=["a"]))
        assert tokens.scopes == ("a",)


class TestRefresh:
    def test_the_example_of_rfc_6749_section_6(self) -> None:
        tokens, request = run(refresh(CLIENT, HELD, provider=SERVER, env=ENV))
        assert form_of(request) == "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA"
        assert request.headers["authorization"] == "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
        assert tokens == OAuth2Tokens("new", "Bearer", NOW, NOW + 60, "tGzv3JOkF0XG5Qx2TlKWIA", ("a", "b"))

    def test_fewer_scopes(self) -> None:
        tokens, request = run(refresh(CLIENT, HELD, provider=SERVER, env=ENV, scopes=iter(["a"])))
        assert dict(decode(form_of(request)))["scope"] == "a"
        assert tokens.scopes == ("a",)

    def test_there_must_be_something_to_refresh_with(self) -> None:
        with pytest.raises(errors.LocalProtocolError, match="hold no refresh token; ask for the scope"):
            Flow(refresh(CLIENT, OAuth2Tokens("AT"), provider=SERVER, env=ENV))

    def test_a_dead_one(self) -> None:
        with pytest.raises(errors.InvalidGrant):
            Script([json_answer(400, {"error": "invalid_grant"})]).run(refresh(CLIENT, HELD, provider=SERVER, env=ENV))


class TestClientCredentials:
    def test_the_example_of_rfc_6749_section_4_4_2(self) -> None:
        _, request = run(client_credentials(CLIENT, provider=SERVER, env=ENV))
        assert form_of(request) == "grant_type=client_credentials"

    def test_scopes_and_an_audience(self) -> None:
        asking = client_credentials(
            CLIENT, provider=SERVER, env=ENV, scopes=iter(["a", "b"]), further={"audience": "https://api.test/"}
        )
        tokens, request = run(asking)
        assert dict(decode(form_of(request))) == {
            "grant_type": "client_credentials",
            "scope": "a b",
            "audience": "https://api.test/",
        }
        assert tokens.scopes == ("a", "b")


def test_a_jwt_as_rfc_7523_section_4_shows() -> None:
    tokens, request = run(grant_by_jwt(CLIENT, "eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.e30.x", provider=SERVER, env=ENV))
    assert form_of(request) == (
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
        "&assertion=eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.e30.x"
    )
    assert tokens.access_token == "new"


def test_a_token_for_another_as_rfc_8693_section_2_3_shows() -> None:
    exchanging = exchange_token(
        CLIENT,
        "accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC",
        provider=SERVER,
        env=ENV,
        scopes=["a"],
        further={"resource": "https://backend.example.com/api"},
    )
    tokens, request = run(exchanging)
    assert dict(decode(form_of(request))) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "scope": "a",
        "resource": "https://backend.example.com/api",
    }
    assert tokens.scopes == ("a",)


def test_a_token_for_another_of_a_kind_that_is_named() -> None:
    kind = "urn:ietf:params:oauth:token-type:jwt"
    _, request = run(exchange_token(CLIENT, "t", provider=SERVER, env=ENV, subject_token_type=kind))
    assert dict(decode(form_of(request)))["subject_token_type"] == kind


def test_a_grant_of_ones_own() -> None:
    tokens, request = run(request_tokens(CLIENT, [("grant_type", "urn:x:own")], provider=SERVER, env=ENV))
    assert form_of(request) == "grant_type=urn%3Ax%3Aown"
    assert tokens == OAuth2Tokens("new", "Bearer", NOW, NOW + 60)


def test_a_provider_without_a_token_endpoint() -> None:
    with pytest.raises(errors.LocalProtocolError, match="no endpoint 'token'"):
        Flow(client_credentials(CLIENT, provider=Provider("p", "https://a.test"), env=ENV))


def test_tokens_are_as_old_as_their_request_and_no_younger() -> None:
    """An answer that takes 20 s must not make a token seem to live 20 s longer."""
    times = iter([NOW, NOW + 20])
    flow = Flow(client_credentials(CLIENT, provider=SERVER, env=Env(clock=lambda: next(times), entropy=bytes)))
    flow.receive(GRANTED)
    assert (flow.result.issued_at, flow.result.expires_at) == (NOW, NOW + 60)


GRANTS: dict[str, Callable[[Any], Operation[OAuth2Tokens]]] = {
    "refresh": lambda scopes: refresh(CLIENT, HELD, provider=SERVER, env=ENV, scopes=scopes),
    "client": lambda scopes: client_credentials(CLIENT, provider=SERVER, env=ENV, scopes=scopes),
    "jwt": lambda scopes: grant_by_jwt(CLIENT, "j", provider=SERVER, env=ENV, scopes=scopes),
    "token": lambda scopes: exchange_token(CLIENT, "t", provider=SERVER, env=ENV, scopes=scopes),
}


class TestScopes:
    @pytest.mark.parametrize("name", list(GRANTS))
    def test_one_str_is_not_asked_for_letter_by_letter(self, name: str) -> None:
        with pytest.raises(errors.InvalidParameter, match="not one str"):
            Flow(GRANTS[name]("tweet.read"))

    @pytest.mark.parametrize("scope", ["", "a b", 'a"', "a\\", "é", "a\n", 7, None])
    def test_what_is_no_scope(self, scope: Any) -> None:
        """RFC 6749 section 3.3."""
        with pytest.raises(errors.InvalidParameter, match="printable ASCII text without spaces"):
            join_scopes(["a", scope], SERVER)

    def test_joined_as_the_provider_writes_them(self) -> None:
        assert join_scopes(["a", "b"], SERVER) == "a b"
        assert join_scopes(iter(["a", "b"]), COMMAS) == "a,b"

    def test_none_are_none(self) -> None:
        assert join_scopes(None, SERVER) is None
        assert join_scopes([], SERVER) is None

    def test_who_needs_some_insists(self) -> None:
        assert require_scopes(HELD, "a", "b") is HELD
        assert require_scopes(OAuth2Tokens("t")) == OAuth2Tokens("t")
        with pytest.raises(errors.RemoteProtocolError, match=r"not granted c, d; log in again"):
            require_scopes(HELD, "a", "c", "d")
        with pytest.raises(errors.RemoteProtocolError):
            require_scopes(OAuth2Tokens("t"), "a")


class TestPairs:
    """Each grant as the form that is sent, for who sends it themselves; `parse_tokens` reads every answer."""

    def form(self, grant: Grant, client: OAuth2Client = CLIENT) -> str:
        return form_of(build_token_request(client, grant, provider=SERVER, env=ENV))

    def test_the_parameters_of_a_client_go_along_with_every_token_request(self) -> None:
        client = replace(CLIENT, parameters={"resource": "https://api", "scope": "mine"})
        form = self.form((("grant_type", "urn:mine"), ("scope", "yours")), client)
        assert form.startswith("grant_type=urn%3Amine&scope=yours&resource=https%3A%2F%2Fapi")
        assert "mine" not in form.replace("urn%3Amine", "")

    def test_what_goes_along_is_masked(self) -> None:
        grants = (
            client_credentials_grant(provider=SERVER, further={"client_assertion": "hunter2", "n": 1}),
            token_exchange_grant("hunter2", provider=SERVER, further={"actor_token": "hunter2"}),
            jwt_grant("hunter2", provider=SERVER),
            code_grant(CLIENT, "hunter2", "hunter2"),
            refresh_grant(OAuth2Tokens("a", refresh_token="hunter2"), provider=SERVER),
        )
        for grant in grants:
            assert "hunter2" not in repr(grant)
            assert "hunter2" in self.form(grant)

    def test_tokens_without_a_refresh_token_are_no_grant(self) -> None:
        with pytest.raises(errors.LocalProtocolError, match="no refresh token"):
            refresh_grant(OAuth2Tokens("a"), provider=SERVER)

    def test_scopes_that_are_no_list_at_all(self) -> None:
        with pytest.raises(errors.InvalidParameter, match="scopes are a list"):
            jwt_grant("a", provider=SERVER, scopes=7)  # type: ignore[arg-type]
