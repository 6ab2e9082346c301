"""Introspection (RFC 7662): what a service says of a token, and what of it is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Flow, Provider, Response, errors
from sansauth.encoding import decode
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import Introspection, introspect
from sansauth.oauth2.introspection import parse_introspection

from .support import ENV, Script, form_of, json_answer

SERVER = Provider(
    "Example", "https://server.example.com", Endpoints(introspection="https://server.example.com/introspect")
)
CLIENT = OAuth2Client("s6BhdRkqt3", "gX1fBat3bV")
# RFC 7662 section 2.2
ANSWER = {
    "active": True,
    "client_id": "l238j323ds-23ij4",
    "username": "jdoe",
    "scope": "read write dolphin",
    "sub": "Z5O3upPC88QrAjx00dis",
    "aud": "https://protected.example.net/resource",
    "iss": "https://server.example.com/",
    "exp": 1419356238,
    "iat": 1419350238,
    "extension_field": "twenty-seven",
}
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def read(document: object) -> Introspection:
    return parse_introspection(json_answer(200, document), SERVER)


def test_the_example_of_rfc_7662_section_2() -> None:
    script = Script([json_answer(200, ANSWER)])
    said = script.run(introspect(CLIENT, "mF_9.B5f-4.1JqM", provider=SERVER, env=ENV, hint="access_token"))
    (request,) = script.sent
    assert (request.method, request.url) == ("POST", "https://server.example.com/introspect")
    assert form_of(request) == "token=mF_9.B5f-4.1JqM&token_type_hint=access_token"
    assert request.headers["authorization"].startswith("Basic ")
    assert said == Introspection(
        active=True,
        scopes=("read", "write", "dolphin"),
        client_id="l238j323ds-23ij4",
        username="jdoe",
        exp=1419356238,
        iat=1419350238,
        sub="Z5O3upPC88QrAjx00dis",
        aud=("https://protected.example.net/resource",),
        iss="https://server.example.com/",
        further={"extension_field": "twenty-seven"},
    )


def test_without_a_hint_none_is_sent() -> None:
    script = Script([json_answer(200, {"active": False})])
    script.run(introspect(OAuth2Client("c"), "t", provider=SERVER, env=ENV))
    assert dict(decode(form_of(script.sent[0]))) == {"token": "t", "client_id": "c"}


def test_of_a_token_that_is_not_active_nothing_else_is_believed() -> None:
    assert read(ANSWER | {"active": False}) == Introspection(active=False)
    assert read({"active": False, "exp": "rubbish"}) == Introspection(active=False)


@pytest.mark.parametrize("active", [None, "true", "false", 1, 0, [], {}, "active"])
def test_active_is_true_or_false_and_nothing_like_it(active: object) -> None:
    with pytest.raises(errors.RemoteProtocolError, match="without active as true or false"):
        read(ANSWER | {"active": active})


def test_active_may_not_be_missing() -> None:
    with pytest.raises(errors.RemoteProtocolError):
        read({"exp": 1})


def test_members_that_are_null_or_missing_are_none() -> None:
    assert read({"active": True}) == Introspection(active=True)
    assert read(dict.fromkeys(ANSWER) | {"active": True, "extension_field": None}).exp is None


def test_several_audiences_and_the_other_members() -> None:
    said = read({"active": True, "aud": ["a", "b"], "nbf": 1.5, "jti": "j", "token_type": "DPoP"})
    assert (said.aud, said.nbf, said.jti, said.token_type) == (("a", "b"), 1.5, "j", "DPoP")


def test_scopes_in_a_list_or_none_at_all() -> None:
    assert read({"active": True, "scope": ["a", "b"]}).scopes == ("a", "b")
    assert read({"active": True, "scope": ""}).scopes == ()


@pytest.mark.parametrize(
    "change",
    [
        {"exp": "1419356238"},
        {"exp": True},
        {"exp": [1]},
        {"iat": "now"},
        {"nbf": {}},
        {"exp": 10**400},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"scope": 7},
        {"client_id": 7},
        {"username": []},
        {"sub": False},
        {"iss": 1},
        {"jti": 1},
        {"token_type": 1},
        {"aud": 7},
        {"aud": ["a", 7]},
    ],
    ids=lambda change: str(change)[:40],
)
def test_a_member_of_a_wrong_type_is_no_member_that_is_missing(change: dict[str, object]) -> None:
    """An `exp` that cannot be read must not mean "for ever"."""
    with pytest.raises(errors.RemoteProtocolError, match=f"with a {next(iter(change))} that cannot be read") as caught:
        read(ANSWER | change)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (json_answer(401, {"error": "invalid_client"}), errors.InvalidClient),
        (
            Response(200, {"content-type": "application/token-introspection+jwt"}, b"e30.e30.x"),
            errors.RemoteProtocolError,
        ),
        (Response(200, (), b"[]"), errors.RemoteProtocolError),
        (Response(503), errors.ServiceUnavailable),
    ],
)
def test_what_else_comes_back(answer: Response, kind: type[errors.SansauthError]) -> None:
    with pytest.raises(kind):
        Script([answer]).run(introspect(CLIENT, "t", provider=SERVER, env=ENV))


@pytest.mark.parametrize("token", ["", None])
def test_no_token(token: Any) -> None:
    with pytest.raises(errors.InvalidParameter):
        Flow(introspect(CLIENT, token, provider=SERVER, env=ENV))


@given(DOCUMENTS, st.fixed_dictionaries({}, optional=dict.fromkeys([*ANSWER, "nbf", "jti"], DOCUMENTS)))
def test_no_answer_crashes_the_parser(document: object, change: dict[str, object]) -> None:
    for answer in (document, ANSWER | change):
        try:
            said = parse_introspection(Response(200, (), json.dumps(answer).encode()), SERVER)
        except (errors.RemoteProtocolError, errors.ApiError):
            continue
        assert isinstance(said.active, bool)
        assert all(isinstance(one, str) for one in (*said.aud, *(said.scopes or ())))


@given(st.binary())
def test_no_bytes_crash_it_either(body: bytes) -> None:
    with pytest.raises((errors.RemoteProtocolError, errors.ApiError)):
        parse_introspection(Response(200, (), body), SERVER)


def test_it_is_a_value_whose_further_texts_are_masked() -> None:
    said = read(ANSWER)
    assert hash(said) == hash(read(ANSWER))
    assert "twenty-seven" not in repr(said)


def test_they_are_masked_however_deep_they_stand() -> None:
    further = {"cnf": {"jkt": "canary"}, "act": [{"sub": ["canary", 7, None]}], "n": 1.5}
    said = read({"active": True, **further})
    assert said.further == further
    assert "canary" not in repr(said)


def test_members_of_the_services_own_may_have_the_name_of_an_errors() -> None:
    further = {"code": "invalid_grant", "type": "credits", "error": "invalid_token"}
    assert read({"active": True, **further}).further == further


def test_who_somebody_is_is_not_shown() -> None:
    said = read({"active": True, "username": "canary", "sub": "canary"})
    assert (said.username, said.sub) == ("canary", "canary")
    assert "canary" not in repr(said)
