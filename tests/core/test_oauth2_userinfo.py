"""Userinfo (OpenID Connect Core 1.0 section 5.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Flow, Provider, Response, errors
from sansauth.oauth2 import UserInfo, fetch_userinfo
from sansauth.oauth2.userinfo import parse_userinfo
from sansauth.x import X

from .support import Script, json_answer

SERVER = Provider("Example", "https://server.example.com", Endpoints(userinfo="https://server.example.com/userinfo"))
# OpenID Connect Core 1.0 section 5.3.2
ANSWER = {
    "sub": "248289761001",
    "name": "Jane Doe",
    "given_name": "Jane",
    "family_name": "Doe",
    "preferred_username": "j.doe",
    "email": "janedoe@example.com",
    "picture": "http://example.com/janedoe/me.jpg",
}
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_the_example_of_openid_connect_core_section_5_3() -> None:
    script = Script([json_answer(200, ANSWER)])
    info = script.run(fetch_userinfo("SlAV32hkKG", provider=SERVER, subject="248289761001"))
    (request,) = script.sent
    assert (request.method, request.url) == ("GET", "https://server.example.com/userinfo")
    assert request.headers["authorization"] == "Bearer SlAV32hkKG"
    assert info == UserInfo("248289761001", ANSWER)
    assert all(type(value) is str for value in info.claims.values())


def test_claims_that_are_no_text_stay_what_they_are() -> None:
    claims = {"sub": "s", "email_verified": True, "address": {"country": "x"}, "updated_at": 1}
    told = parse_userinfo(json_answer(200, claims), SERVER).claims
    assert told == claims
    assert repr(told["address"]) == "{'country': 'x'}"  # plain text, as at the top


def test_a_claim_may_have_the_name_of_an_errors_member() -> None:
    claims = {"sub": "u", "type": "credits", "code": "invalid_grant", "error": "invalid_token"}
    assert parse_userinfo(json_answer(200, claims), X).claims == claims


def test_the_claims_are_a_persons_data_and_not_shown() -> None:
    assert repr(UserInfo("s", ANSWER)) == "UserInfo(sub='s')"
    assert hash(UserInfo("s", ANSWER)) == hash(UserInfo("s", ANSWER))


@pytest.mark.parametrize("sub", [None, "", 248289761001, True, ["248289761001"]])
def test_sub_is_required(sub: object) -> None:
    with pytest.raises(errors.RemoteProtocolError, match="without sub: whose claims are these"):
        parse_userinfo(json_answer(200, ANSWER | {"sub": sub}), SERVER)


@pytest.mark.parametrize("subject", ["248289761002", "24828976100", ""])
def test_the_claims_of_another_user_are_refused(subject: str) -> None:
    with pytest.raises(errors.RemoteProtocolError, match="claims of another user"):
        Script([json_answer(200, ANSWER)]).run(fetch_userinfo("t", provider=SERVER, subject=subject))


@pytest.mark.parametrize("kind", ["application/jwt", "Application/JWT; charset=utf-8"])
def test_a_jwt_is_said_to_be_one(kind: str) -> None:
    answer = Response(200, {"content-type": kind}, b"e30.e30.")
    with pytest.raises(errors.RemoteProtocolError, match="with a JWT, which is not read here: register the client"):
        parse_userinfo(answer, SERVER)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Response(401, {"www-authenticate": 'Bearer error="invalid_token"'}), errors.InvalidOrExpiredToken),
        (Response(403, {"www-authenticate": 'Bearer error="insufficient_scope"'}), errors.InsufficientScope),
        (Response(503, {"content-type": "application/jwt"}), errors.ServiceUnavailable),
        (Response(200, {"content-type": "text/html"}, b"<html>"), errors.RemoteProtocolError),
        (json_answer(200, [ANSWER]), errors.RemoteProtocolError),
    ],
)
def test_what_else_comes_back(answer: Response, kind: type[errors.SansauthError]) -> None:
    with pytest.raises(kind) as caught:
        Script([answer]).run(fetch_userinfo("t", provider=SERVER))
    assert type(caught.value) is kind


@pytest.mark.parametrize("token", ["hunter2\r\n", "hunter2 ", "hünter2", "", None])
def test_a_token_that_fits_into_no_header_is_not_shown(token: Any) -> None:
    with pytest.raises(errors.InvalidParameter, match=r"is there a line break in it|not empty, not") as caught:
        Flow(fetch_userinfo(token, provider=SERVER))
    assert "hunter2" not in str(caught.value)


def test_the_token_goes_to_the_providers_hosts_only() -> None:
    with pytest.raises(errors.LocalProtocolError, match="no endpoint 'userinfo'"):
        Flow(fetch_userinfo("t", provider=Provider("p", "https://a.test")))


@given(DOCUMENTS, st.fixed_dictionaries({}, optional=dict.fromkeys(ANSWER, DOCUMENTS)))
def test_no_answer_crashes_the_parser(document: object, change: dict[str, object]) -> None:
    for answer in (document, ANSWER | change):
        try:
            info = parse_userinfo(Response(200, (), json.dumps(answer).encode()), SERVER)
        except (errors.RemoteProtocolError, errors.ApiError):
            continue
        assert info.sub
