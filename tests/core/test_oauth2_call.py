"""Calls of OAuth 2: a user's token is borne, refreshed when due or refused, once; a client calls for itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sansauth import App, Env, Identity, Provider, Request, Response, Stored, errors
from sansauth.call import authorise, authorise_held, call, held_credentials, remedy
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth1.send import Exchange
from sansauth.oauth2.blameless import BLAMELESS_SECONDS
from sansauth.provider import Endpoints
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth.x import X

from .support import ENV, TIMESTAMP, Script, json_answer

CLIENT = OAuth2Client("id", "secret")
USER = OAuth2User(CLIENT, "alice")
KEY = oauth2_tokens_key(USER, X)
FRESH = OAuth2Tokens("fresh", issued_at=TIMESTAMP, expires_at=TIMESTAMP + 7200, refresh_token="r1")
ENDED = replace(FRESH, access_token="ended", expires_at=TIMESTAMP - 1)
REQUEST = Request("GET", "https://api.x.com/2/users/me")
OK = json_answer(200, {"data": {}})
# What X says of a user's token that has expired: no code at all.
UNAUTHORIZED = json_answer(
    401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
)
NEWER = json_answer(200, {"token_type": "bearer", "access_token": "newer", "expires_in": 7200, "refresh_token": "r3"})
NEW = json_answer(200, {"token_type": "bearer", "access_token": "new", "expires_in": 7200, "refresh_token": "r2"})


def stored(tokens: OAuth2Tokens) -> dict[str, Stored]:
    return {KEY: Stored(tokens.to_bytes(), 1)}


def run(script: Script, identity: Identity = USER, provider: Provider = X) -> Response:
    return script.run(call(REQUEST, identity, provider=provider, env=ENV))


def borne(script: Script) -> list[str]:
    calls = [request for request in script.sent if request.url == REQUEST.url]
    return [request.headers["authorization"] for request in calls]


def test_a_users_token_is_borne() -> None:
    script = Script([OK], stored(FRESH))
    assert run(script) is OK
    assert borne(script) == ["Bearer fresh"]
    assert script.log == ["Load", "Send"]


def test_one_that_has_ended_is_refreshed_before_the_call() -> None:
    script = Script([NEW, OK], stored(ENDED))
    run(script)
    assert borne(script) == ["Bearer new"]


def test_one_that_the_service_refuses_is_refreshed_and_the_call_made_once_more() -> None:
    script = Script([UNAUTHORIZED, NEW, OK], stored(FRESH))
    assert run(script) is OK
    assert borne(script) == ["Bearer fresh", "Bearer new"]


def test_a_second_refusal_comes_out() -> None:
    script = Script([UNAUTHORIZED, NEW, UNAUTHORIZED], stored(FRESH))
    with pytest.raises(errors.Unauthorized):
        run(script)
    assert script.answers == []


def test_what_refuses_every_token_costs_one_refresh_and_not_one_a_call() -> None:
    """X says 401, and no more, of things that no other token would mend."""
    script = Script([UNAUTHORIZED, NEW, *[UNAUTHORIZED] * 6], stored(FRESH))
    for _ in range(6):
        with pytest.raises(errors.Unauthorized):
            run(script)
        script.recalled.clear()
    assert [request.path for request in script.sent].count("/2/oauth2/token") == 1


def test_it_is_believed_for_a_while_only_and_not_against_a_refusal_that_names_the_token() -> None:
    named = Response(401, [("www-authenticate", 'Bearer error="invalid_token"')])
    for answer, clock in ((UNAUTHORIZED, TIMESTAMP + BLAMELESS_SECONDS), (named, TIMESTAMP + 1.0)):
        script = Script([UNAUTHORIZED, NEW, UNAUTHORIZED], stored(FRESH))
        with pytest.raises(errors.Unauthorized):
            run(script)
        script.answers = [answer, NEWER, OK]
        assert script.run(call(REQUEST, USER, provider=X, env=Env(lambda at=clock: at, ENV.entropy))) is OK  # type: ignore[misc]


def test_another_token_is_another_case() -> None:
    script = Script([UNAUTHORIZED, NEW, UNAUTHORIZED], stored(FRESH))
    with pytest.raises(errors.Unauthorized):
        run(script)
    script.records[KEY] = Stored(FRESH.to_bytes(), 9)
    script.answers = [UNAUTHORIZED, NEWER, OK]
    assert run(script) is OK


def test_a_token_that_somebody_else_replaces_meanwhile_is_tried_with_the_newer_one() -> None:
    script = Script([UNAUTHORIZED, NEW, UNAUTHORIZED, OK], stored(FRESH))

    def another_renews(script: Script) -> None:
        if len(script.sent) == 3:
            script.save(KEY, replace(FRESH, access_token="theirs").to_bytes(), script.records[KEY].version)

    script.during_send = another_renews
    assert run(script) is OK
    assert borne(script) == ["Bearer fresh", "Bearer new", "Bearer theirs"]


def test_two_that_acquit_a_token_at_once_are_as_good_as_one() -> None:
    class Late(Script):
        def save(self, key: str, data: bytes | None, expected: int | None) -> int:
            if key.startswith("mem:blameless"):
                raise errors.Conflict("changed")
            return super().save(key, data, expected)

    with pytest.raises(errors.Unauthorized):
        run(Late([UNAUTHORIZED, NEW, UNAUTHORIZED], stored(FRESH)))


def test_a_refusal_of_another_kind_refreshes_nothing() -> None:
    script = Script([json_answer(403, {"title": "Forbidden", "status": 403})], stored(FRESH))
    with pytest.raises(errors.Forbidden):
        run(script)
    assert remedy(Exchange(REQUEST, Response(403)), USER, X, ENV) is None


@pytest.mark.parametrize(
    ("challenge", "renewable"),
    [
        ("Bearer", True),
        ('Bearer realm="x", error="invalid_token"', True),
        ('Bearer error="invalid_request"', False),
        ('Bearer error="insufficient_user_authentication", acr_values="x"', False),  # RFC 9470
        ('DPoP error="invalid_dpop_proof"', False),
    ],
)
def test_a_challenge_that_blames_something_else_renews_nothing(challenge: str, renewable: bool) -> None:
    refused = Exchange(REQUEST, Response(401, [("www-authenticate", challenge)]))
    assert (remedy(refused, USER, X, ENV) == "token") is renewable


def test_a_user_without_tokens_has_to_log_in() -> None:
    with pytest.raises(errors.LoginRequired):
        run(Script())


def test_a_client_calls_for_itself() -> None:
    service = Provider("S", "https://api.x.com", Endpoints(token="https://api.x.com/token"))
    script = Script([NEW, OK, OK])
    for _ in range(2):
        run(script, CLIENT, service)
    assert borne(script) == ["Bearer new", "Bearer new"]


@pytest.mark.parametrize("identity", [USER, CLIENT])
def test_they_hold_nothing_that_needs_no_store(identity: Identity) -> None:
    with pytest.raises(errors.WrongIdentity, match="OAuth2"):
        held_credentials(identity, X)
    with pytest.raises(errors.WrongIdentity):
        authorise_held(REQUEST, identity, provider=X, env=ENV)


def test_the_wrong_kind_of_credential_is_told_which_was_used() -> None:
    problem = json_answer(
        403, {"type": "https://api.x.com/2/problems/unsupported-authentication", "title": "Unsupported Authentication"}
    )
    with pytest.raises(errors.UnsupportedAuthentication, match="made as an OAuth2User"):
        run(Script([problem], stored(FRESH)))


def test_no_credential_goes_to_another_host() -> None:
    script = Script(records=stored(ENDED))
    with pytest.raises(errors.ForeignHost):
        script.run(authorise(Request("GET", "https://evil.test/"), USER, provider=X, env=ENV))
    assert script.log == []


@pytest.mark.parametrize("kind", [App("CK", "CS"), USER])
def test_an_access_token_that_fits_into_no_header_is_refused_and_not_shown(kind: Identity) -> None:
    odd = replace(FRESH, access_token="canary\r\nx")
    with pytest.raises((errors.InvalidParameter, errors.RemoteProtocolError)) as caught:
        run(Script([json_answer(200, {"token_type": "bearer", "access_token": "canary\r\nx"})], stored(odd)), kind)
    assert "canary" not in str(caught.value)
