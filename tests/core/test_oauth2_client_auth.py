"""How a client authenticates (RFC 6749 section 2.3): one way per client, at every endpoint alike."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Flow, Operation, Provider, Request, Secret, Send, errors
from sansauth.encoding import decode
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import begin_device_login, introspect, revoke
from sansauth.oauth2.client_auth import build_client_request, client_basic
from sansauth.oauth2.grants import client_credentials, exchange_code, refresh
from sansauth.provider import Quirks
from sansauth.tokens import OAuth2Tokens

from .support import ENV, form_of

BASE = "https://server.example.com"
ENDPOINTS = Endpoints(
    token=f"{BASE}/token",
    revocation=f"{BASE}/revoke",
    introspection=f"{BASE}/introspect",
    device_authorization=f"{BASE}/device",
)
SERVER = Provider("Example", BASE, ENDPOINTS)
RAW = Provider("Raw", BASE, ENDPOINTS, quirks=Quirks(raw_basic=True))
X_LIKE = Provider("X", BASE, ENDPOINTS, quirks=Quirks(client_id_in_body=True))
PUBLIC = OAuth2Client("s6BhdRkqt3")
BASIC = OAuth2Client("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw")
POST = OAuth2Client("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", auth="client_secret_post")
TEXT = st.text(st.characters(codec="utf-8"), min_size=1)


def built(client: OAuth2Client, provider: Provider = SERVER) -> Request:
    form = [("grant_type", "refresh_token"), ("scope", None), ("refresh_token", "tGzv3JOkF0XG5Qx2TlKWIA")]
    return build_client_request(f"{BASE}/token", form, client, provider, ENV)


def pair_of(header: str) -> str:
    scheme, _, value = header.partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(value).decode()


class TestEachWay:
    def test_in_the_form_as_rfc_6749_section_2_3_1_shows(self) -> None:
        request = built(POST)
        assert (request.method, request.url) == ("POST", f"{BASE}/token")
        assert form_of(request) == (
            "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA"
            "&client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw"
        )
        assert "authorization" not in request.headers

    def test_in_the_header_as_rfc_6749_section_2_3_1_shows(self) -> None:
        request = built(BASIC)
        assert request.headers["authorization"] == "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"
        assert form_of(request) == "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA"

    def test_a_public_client_says_its_name(self) -> None:
        request = built(PUBLIC)
        assert dict(decode(form_of(request)))["client_id"] == "s6BhdRkqt3"
        assert "authorization" not in request.headers
        assert b"secret" not in request.body

    def test_by_an_assertion_in_the_form(self) -> None:
        """RFC 7523 section 2.2."""
        pytest.importorskip("jwt")
        client = OAuth2Client("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw-7Fjfp0ZBr1KtDRbnfVdmIw", auth="client_secret_jwt")
        request = built(client)
        form = dict(decode(form_of(request)))
        assert form["client_id"] == "s6BhdRkqt3"
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assert form["client_assertion"].count(".") == 2
        assert b"7Fjfp0ZBr1KtDRbnfVdmIw" not in request.body
        assert "authorization" not in request.headers

    def test_it_asks_for_json(self) -> None:
        assert built(PUBLIC).headers["accept"] == "application/json"

    def test_where_x_is_peculiar(self) -> None:
        """Basic of the docs' example, and `client_id` in the body all the same (facts about X, section 6.2)."""
        request = built(OAuth2Client("Aladdin", "open sesame"), X_LIKE)
        assert dict(decode(form_of(request)))["client_id"] == "Aladdin"
        assert pair_of(request.headers["authorization"]) == "Aladdin:open%20sesame"
        raw = Provider("X", BASE, ENDPOINTS, quirks=Quirks(raw_basic=True, client_id_in_body=True))
        request = built(OAuth2Client("Aladdin", "open sesame"), raw)
        assert request.headers["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="

    def test_what_stands_in_the_form_is_not_said_twice(self) -> None:
        """A pushed request has its client_id among its own parameters (RFC 9126 section 2.1)."""
        request = build_client_request(f"{BASE}/token", [("client_id", "s6BhdRkqt3")], PUBLIC, SERVER, ENV)
        assert form_of(request) == "client_id=s6BhdRkqt3"

    def test_no_credentials_for_a_stranger(self) -> None:
        for client in (PUBLIC, BASIC, POST):
            with pytest.raises(errors.ForeignHost):
                build_client_request("https://evil.test/token", [], client, SERVER, ENV)


class TestBasic:
    def test_reserved_characters_are_encoded_first(self) -> None:
        assert pair_of(client_basic(OAuth2Client("a:b", "c d+é%"), SERVER)) == "a%3Ab:c%20d%2B%C3%A9%25"

    def test_or_stay_raw_for_a_provider_that_decodes_nothing(self) -> None:
        assert pair_of(client_basic(OAuth2Client("a:b", "c d+é%"), RAW)) == "a:b:c d+é%"

    @given(TEXT, TEXT)
    def test_every_pair_comes_apart_again(self, name: str, secret: str) -> None:
        header = client_basic(OAuth2Client(name, secret), SERVER)
        first, second = pair_of(header).split(":")
        assert decode(f"{first}={second}") == [(name, secret)]

    def test_the_header_masks_itself(self) -> None:
        assert isinstance(client_basic(BASIC, SERVER), Secret)


def endpoints(client: OAuth2Client) -> dict[str, Callable[[Provider], Operation[object]]]:
    tokens = OAuth2Tokens("AT", refresh_token="RT")
    return {
        "exchange": lambda provider: exchange_code(client, "c", "v" * 43, provider=provider, env=ENV),
        "refresh": lambda provider: refresh(client, tokens, provider=provider, env=ENV),
        "client credentials": lambda provider: client_credentials(client, provider=provider, env=ENV),
        "revoke": lambda provider: revoke(client, "AT", provider=provider, env=ENV),
        "introspect": lambda provider: introspect(client, "AT", provider=provider, env=ENV),
        "device": lambda provider: begin_device_login(client, None, provider=provider, env=ENV),
    }


@pytest.mark.parametrize("provider", [SERVER, RAW, X_LIKE], ids=lambda provider: provider.name)
@pytest.mark.parametrize("client", [PUBLIC, BASIC, POST], ids=lambda client: client.auth)
@pytest.mark.parametrize("name", list(endpoints(PUBLIC)))
def test_a_client_authenticates_alike_everywhere(name: str, client: OAuth2Client, provider: Provider) -> None:
    """requests-oauthlib #379 and #566, xurl's PR #69: not one way for the exchange and another for the refresh."""
    effect = Flow(endpoints(client)[name](provider)).effect
    assert isinstance(effect, Send)
    form = dict(decode(form_of(effect.request)))
    basic = client.auth == "client_secret_basic"
    assert effect.request.headers.get("authorization") == (client_basic(client, provider) if basic else None)
    assert form.get("client_id") == (None if basic and not provider.quirks.client_id_in_body else "s6BhdRkqt3")
    assert form.get("client_secret") == (client.client_secret if client is POST else None)
