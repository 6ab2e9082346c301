"""Dynamic registration (RFC 7591): what is asked for, and the client that comes of it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Flow, Provider, Response, Secret, errors
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import Registered, register
from sansauth.oauth2.registration import parse_registered

from .support import Script, json_answer

SERVER = Provider(
    "Example", "https://server.example.com", Endpoints(registration="https://server.example.com/register")
)
# RFC 7591 section 3.1
ASKED: dict[str, object] = {
    "redirect_uris": ["https://client.example.org/callback", "https://client.example.org/callback2"],
    "client_name": "My Example Client",
    "client_name#ja-Jpan-JP": "\u30af\u30e9\u30a4\u30a2\u30f3\u30c8\u540d",
    "token_endpoint_auth_method": "client_secret_basic",
    "logo_uri": "https://client.example.org/logo.png",
    "jwks_uri": "https://client.example.org/my_public_keys.jwks",
    "example_extension_parameter": "example_value",
}
# RFC 7591 section 3.2.1, and RFC 7592 section 3
ANSWER: dict[str, object] = {
    "client_id": "s6BhdRkqt3",
    "client_secret": "cf136dc3c1fc93f31185e5885805d",
    "client_id_issued_at": 2893256800,
    "client_secret_expires_at": 2893276800,
    "registration_access_token": "this.is.an.access.token.value.ffx83",
    "registration_client_uri": "https://server.example.com/register/s6BhdRkqt3",
    "grant_types": ["authorization_code", "refresh_token"],
    **ASKED,
}
CLIENT = OAuth2Client(
    "s6BhdRkqt3",
    "cf136dc3c1fc93f31185e5885805d",
    redirect_uri="https://client.example.org/callback",
    auth="client_secret_basic",
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def read(change: dict[str, object], **options: Any) -> Registered:
    return parse_registered(json_answer(201, ANSWER | change), SERVER, **options)


def without(*names: str) -> Response:
    return json_answer(201, {name: value for name, value in ANSWER.items() if name not in names})


class TestRegister:
    def test_the_example_of_rfc_7591_section_3(self) -> None:
        script = Script([json_answer(201, ANSWER)])
        token = "ey23f2.adfj230.af32-developer321"
        registered = script.run(register(ASKED, provider=SERVER, initial_access_token=token))
        (request,) = script.sent
        assert (request.method, request.url) == ("POST", "https://server.example.com/register")
        assert request.headers["content-type"] == "application/json"
        assert request.headers["authorization"] == f"Bearer {token}"
        assert json.loads(request.body) == ASKED
        assert registered.client == CLIENT
        assert registered.client_secret_expires_at == 2893276800
        assert registered.client_id_issued_at == 2893256800
        assert registered.registration_client_uri == "https://server.example.com/register/s6BhdRkqt3"
        assert registered.registration_access_token == "this.is.an.access.token.value.ffx83"
        assert isinstance(registered.registration_access_token, Secret)
        assert registered.further["client_name"] == "My Example Client"
        assert registered.further["grant_types"] == ["authorization_code", "refresh_token"]
        assert "client_secret" not in registered.further

    def test_without_an_initial_token_none_is_sent(self) -> None:
        script = Script([json_answer(200, ANSWER)])
        script.run(register(ASKED, provider=SERVER))
        assert "authorization" not in script.sent[0].headers

    @pytest.mark.parametrize(
        "code",
        [
            "invalid_redirect_uri",
            "invalid_client_metadata",
            "invalid_software_statement",
            "unapproved_software_statement",
        ],
    )
    def test_a_refusal(self, code: str) -> None:
        """RFC 7591 section 3.2.2."""
        answer = json_answer(400, {"error": code, "error_description": "what is wrong"})
        with pytest.raises(errors.BadRequest, match=f'code {code}, "what is wrong"') as caught:
            Script([answer]).run(register(ASKED, provider=SERVER))
        assert caught.value.codes == (code,)

    def test_an_initial_token_that_has_ended(self) -> None:
        answer = Response(401, {"www-authenticate": 'Bearer error="invalid_token"'})
        with pytest.raises(errors.InvalidOrExpiredToken):
            Script([answer]).run(register(ASKED, provider=SERVER, initial_access_token="t"))

    @pytest.mark.parametrize("token", ["", "hunter2\n", "hunter2 3", "hünter2"])
    def test_an_initial_token_that_fits_into_no_header(self, token: str) -> None:
        with pytest.raises(errors.InvalidParameter, match=r"printable ASCII|is not empty") as caught:
            Flow(register(ASKED, provider=SERVER, initial_access_token=token))
        assert "hunter2" not in str(caught.value)

    def test_metadata_that_is_no_json(self) -> None:
        with pytest.raises(errors.LocalProtocolError, match="cannot be encoded as JSON"):
            Flow(register({"redirect_uris": {1}}, provider=SERVER))

    def test_a_client_that_signs_keeps_its_key(self) -> None:
        asked = {"token_endpoint_auth_method": "private_key_jwt", "redirect_uris": ["https://a.test/"]}
        script = Script([json_answer(201, {"client_id": "c"})])
        registered = script.run(register(asked, provider=SERVER, private_key="PEM", key_id="k1"))
        assert registered.client == OAuth2Client(
            "c", redirect_uri="https://a.test/", auth="private_key_jwt", private_key="PEM", key_id="k1"
        )
        assert b"PEM" not in script.sent[0].body

    @pytest.mark.parametrize("method", ["tls_client_auth", "", 7, ["none"]])
    def test_a_client_that_could_not_be_used_is_not_registered(self, method: object) -> None:
        with pytest.raises(errors.InvalidParameter, match="token_endpoint_auth_method is one of none, client_secret"):
            Flow(register({"token_endpoint_auth_method": method}, provider=SERVER))

    def test_a_client_that_signs_needs_a_key_before_anything_is_sent(self) -> None:
        with pytest.raises(errors.InvalidParameter, match="give it too"):
            Flow(register({"token_endpoint_auth_method": "private_key_jwt"}, provider=SERVER))


class TestTheClient:
    def test_what_the_service_says_comes_before_what_was_asked_for(self) -> None:
        client = read({"token_endpoint_auth_method": "client_secret_post"}, asked=ASKED).client
        assert client.auth == "client_secret_post"

    def test_what_the_service_leaves_out_is_as_it_was_asked_for(self) -> None:
        answer = without("token_endpoint_auth_method", "redirect_uris")
        asked = {"token_endpoint_auth_method": "client_secret_post", "redirect_uris": ("https://a.test/",)}
        client = parse_registered(answer, SERVER, asked=asked).client
        assert (client.auth, client.redirect_uri) == ("client_secret_post", "https://a.test/")

    def test_a_public_client(self) -> None:
        answer = json_answer(201, {"client_id": "c", "token_endpoint_auth_method": "none"})
        assert parse_registered(answer, SERVER) == Registered("c", token_endpoint_auth_method="none")
        assert parse_registered(answer, SERVER).client == OAuth2Client("c")

    def test_by_default_a_secret_goes_by_basic(self) -> None:
        assert parse_registered(without("token_endpoint_auth_method"), SERVER).client.auth == "client_secret_basic"

    def test_a_secret_that_does_not_end(self) -> None:
        assert read({"client_secret_expires_at": 0}).client_secret_expires_at is None
        assert parse_registered(without("client_secret_expires_at"), SERVER).client_secret_expires_at is None

    def test_a_key_is_only_for_a_client_that_signs(self) -> None:
        assert read({}, private_key="PEM", key_id="k").client == CLIENT

    def test_it_is_a_value_that_shows_no_secret(self) -> None:
        assert hash(read({})) == hash(read({}))
        shown = repr(read({}))
        assert "cf136dc3" not in shown
        assert "this.is.an" not in shown
        assert "s6BhdRkqt3" in shown

    @pytest.mark.parametrize("client_id", [None, "", 7, ["c"]])
    def test_without_a_client_id_there_is_no_client(self, client_id: object) -> None:
        with pytest.raises(errors.RemoteProtocolError, match="Example answered 201 with no client_id") as caught:
            read({"client_id": client_id})
        assert "cf136dc3" not in str(caught.value)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"client_secret": 7}, "needs a client_secret"),
            ({"client_secret": None}, "needs a client_secret"),
            ({"client_secret": ""}, "needs a client_secret"),
            ({"token_endpoint_auth_method": "tls_client_auth"}, "takes auth as one of"),
            ({"token_endpoint_auth_method": "private_key_jwt"}, "needs a private_key"),
        ],
        ids=lambda value: str(value)[:50],
    )
    def test_a_client_that_cannot_be_used_is_registered_all_the_same(
        self, change: dict[str, object], said: str
    ) -> None:
        """Who holds its registration_access_token can change it, or delete it."""
        registered = read(change)
        with pytest.raises(errors.RemoteProtocolError, match=f"'s6BhdRkqt3' was .*, but cannot be used: .*{said}") as e:
            _ = registered.client
        assert "cf136dc3" not in str(e.value)
        assert e.value.__context__ is None
        assert registered.client_id == "s6BhdRkqt3"
        assert registered.registration_access_token == ANSWER["registration_access_token"]
        assert registered.registration_client_uri == ANSWER["registration_client_uri"]
        ((name, value),) = change.items()
        assert getattr(registered, name) == (value or None) or registered.further[name] == value

    def test_a_method_that_is_none_is_as_it_was_asked_for(self) -> None:
        registered = read({"token_endpoint_auth_method": 7}, asked={"token_endpoint_auth_method": "client_secret_post"})
        assert registered.client.auth == "client_secret_post"
        assert registered.further["token_endpoint_auth_method"] == 7
        assert read({"token_endpoint_auth_method": 7}, asked={"token_endpoint_auth_method": 7}).client == CLIENT

    def test_times_may_be_texts(self) -> None:
        registered = read({"client_id_issued_at": "1700000000", "client_secret_expires_at": "0"})
        assert (registered.client_id_issued_at, registered.client_secret_expires_at) == (1_700_000_000, None)
        assert not {"client_id_issued_at", "client_secret_expires_at"} & set(registered.further)

    def test_where_plain_http_is_allowed_it_will_do(self) -> None:
        uri = "http://server.example.com/register/s6BhdRkqt3"
        answer = json_answer(201, ANSWER | {"registration_client_uri": uri})
        assert parse_registered(answer, SERVER).registration_client_uri is None
        assert parse_registered(answer, replace(SERVER, allow_http=True)).registration_client_uri == uri

    @pytest.mark.parametrize(
        "change",
        [
            {"client_secret_expires_at": "never"},
            {"client_secret_expires_at": -1},
            {"client_secret_expires_at": True},
            {"client_id_issued_at": 10**400},
            {"client_id_issued_at": "1e9"},
            {"client_id_issued_at": "9" * 5000},
            {"client_id_issued_at": float("inf")},
            {"registration_client_uri": "javascript:x"},
            {"registration_client_uri": "/register/s6BhdRkqt3"},
            {"registration_client_uri": "http://server.example.com/"},
            {"registration_client_uri": 7},
            {"registration_access_token": ["t"]},
            {"registration_access_token": ""},
            {"redirect_uris": "https://a.test/"},
            {"redirect_uris": [7]},
        ],
        ids=lambda value: str(value)[:50],
    )
    def test_what_is_odd_but_makes_no_client_loses_no_registration(self, change: dict[str, object]) -> None:
        """The secrets are told only once: it is kept as it was said, and nothing is made of it."""
        registered = read(change, asked=ASKED)
        assert registered.client == CLIENT
        ((name, value),) = change.items()
        assert registered.further[name] == value
        assert getattr(registered, name, None) is None

    def test_every_member_of_the_answer_is_somewhere(self) -> None:
        told = read({"dpop_bound_access_tokens": True, "jwks": {"keys": []}})
        fields = {name for name in ANSWER if getattr(told, name, None) is not None}
        assert fields | set(told.further) == {*ANSWER, "dpop_bound_access_tokens", "jwks"}
        assert fields == set(ANSWER) & set(Registered.__slots__)

    @pytest.mark.parametrize(
        ("asked", "answered", "bound"),
        [(None, True, True), (True, None, True), (True, False, False), (True, "yes", True), ("yes", None, False)],
    )
    def test_a_client_whose_tokens_are_bound_to_keys(self, asked: object, answered: object, bound: bool) -> None:
        """RFC 9449 section 5.2."""
        told = read({"dpop_bound_access_tokens": answered}, asked={"dpop_bound_access_tokens": asked})
        assert told.client.dpop_bound_access_tokens is bound
        assert told.further["dpop_bound_access_tokens"] == answered

    def test_an_empty_secret_is_none(self) -> None:
        answer = json_answer(201, {"client_id": "c", "client_secret": "", "token_endpoint_auth_method": "none"})
        assert parse_registered(answer, SERVER).client == OAuth2Client("c")

    def test_its_token_is_masked_by_whomever_it_was_made(self) -> None:
        secrets = ("client_secret", "private_key", "registration_access_token")
        made = Registered("c", **dict.fromkeys(secrets, "canary"))
        assert "canary" not in repr(made)
        assert all(isinstance(getattr(made, name), Secret) for name in secrets)
        further = read({"policy": {"token": ["canary"]}}).further
        assert further["policy"] == {"token": ["canary"]}
        assert "canary" not in repr(further)

    def test_on_this_machine_plain_http_will_do(self) -> None:
        uri = "http://127.0.0.1:8080/register/7"
        assert read({"registration_client_uri": uri}).registration_client_uri == uri

    def test_a_client_without_a_redirect_uri(self) -> None:
        assert read({"redirect_uris": []}).client.redirect_uri is None

    @given(DOCUMENTS, st.fixed_dictionaries({}, optional=dict.fromkeys(ANSWER, DOCUMENTS)))
    def test_no_answer_crashes_the_parser(self, document: object, change: dict[str, object]) -> None:
        for answer in (document, ANSWER | change):
            try:
                registered = parse_registered(Response(201, (), json.dumps(answer).encode()), SERVER)
            except (errors.RemoteProtocolError, errors.ApiError):
                continue
            with contextlib.suppress(errors.RemoteProtocolError):
                assert registered.client.client_id == registered.client_id
