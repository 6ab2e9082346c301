"""What other libraries get wrong about OAuth 2, each seen in the version that is named once, and what happens here.

Versions: Authlib 1.9.9, requests-oauthlib 2.0.0, oauthlib 3.3.1, tweepy 4.17.0, xdk 0.10.6, httpx-oauth 0.17.0,
requests_oauth2client ("roc") 1.8.0, xurl 1.3.1; a number is an issue in the peer's tracker. Twenty callers of one
expired token are in `test_oauth2_lifecycle`; an answer that does not end, and 64 MiB would be one, is in
`tests/adapters/test_hostile_answers.py`, on every transport.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from sansauth import AwaitingUser, Env, Provider, Response, Secret, Stored, errors
from sansauth.effects import Operation
from sansauth.identity import ClientAuth, OAuth2Client, OAuth2User
from sansauth.oauth2.accounts import adopt
from sansauth.oauth2.grants import client_credentials, exchange_code, refresh, require_scopes
from sansauth.oauth2.introspection import introspect
from sansauth.oauth2.lifecycle import oauth2_tokens
from sansauth.oauth2.login import begin_login, finish_login
from sansauth.oauth2.revocation import revoke
from sansauth.provider import Endpoints, Quirks
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key

from .support import ENV, TIMESTAMP, Script, form_of, json_answer, secrets_in

SERVICE = Provider(
    "Service",
    "https://service.example",
    Endpoints(
        authorization="https://service.example/authorize",
        token="https://service.example/token",
        revocation="https://service.example/revoke",
        introspection="https://service.example/introspect",
    ),
)
CLIENT = OAuth2Client("id", "client-secret", "https://app.example/done")
USER = OAuth2User(CLIENT, "alice")
KEY = oauth2_tokens_key(USER, SERVICE)
HELD = OAuth2Tokens("held", "Bearer", TIMESTAMP - 7200, TIMESTAMP - 1, "held-refresh", ("read", "write"))
FRESH = {"access_token": "new", "token_type": "bearer", "expires_in": 7200, "refresh_token": "new-refresh"}
PAGE = Response(503, {"content-type": "text/html"}, b"<html><title>Service Unavailable</title><p>Sorry</p></html>")


def after(seconds: float) -> Env:
    return Env(lambda: TIMESTAMP + seconds, ENV.entropy)


def begin(client: OAuth2Client = CLIENT) -> AwaitingUser:
    return Script().run(begin_login(client, ["read"], provider=SERVICE, env=ENV))


def every_way_to_tokens() -> list[Operation[OAuth2Tokens]]:
    """Every operation that asks the token endpoint."""
    awaiting = begin()
    callback = f"https://app.example/done?code=planted-code&state={awaiting.reference}"
    return [
        finish_login(CLIENT, awaiting, callback, provider=SERVICE, env=ENV),
        exchange_code(CLIENT, "planted-code", awaiting.secret, provider=SERVICE, env=ENV),
        refresh(CLIENT, HELD, provider=SERVICE, env=ENV),
        client_credentials(CLIENT, provider=SERVICE, env=ENV),
    ]


every_way = pytest.mark.parametrize(
    "asking", every_way_to_tokens(), ids=["finish_login", "exchange_code", "refresh", "client_credentials"]
)


class Store:
    """A user's tokens in a store, used again and again."""

    def __init__(self, tokens: OAuth2Tokens = HELD) -> None:
        self.script = Script(records={KEY: Stored(tokens.to_bytes(), 1)})

    def use(self, *answers: Response | Exception, at: float = 0.0) -> OAuth2Tokens:
        """What a call is made with, at so many seconds from now; every answer has to be asked for."""
        self.script.answers = list(answers)
        try:
            return self.script.run(oauth2_tokens(USER, SERVICE, after(at)))
        finally:
            assert self.script.answers == []

    @property
    def tokens(self) -> OAuth2Tokens:
        return OAuth2Tokens.from_bytes(self.script.records[KEY].data)


# --- answers that are no tokens --------------------------------------------------------------------------------------


@every_way
def test_a_page_of_a_gateway_is_a_503_that_can_be_retried(asking: Operation[OAuth2Tokens]) -> None:
    """requests-oauthlib: MissingTokenError, with status 400. tweepy: a bare JSONDecodeError. Authlib #928."""
    with pytest.raises(errors.ServiceUnavailable, match=r'answered 503 \("Service Unavailable"\)') as caught:
        Script([PAGE]).run(asking)
    assert (caught.value.status, caught.value.retryable) == (503, True)


@every_way
def test_a_page_with_a_status_of_success_is_no_token(asking: Operation[OAuth2Tokens]) -> None:
    """Authlib #928, oauthlib #510: an exception of the JSON library, which says nothing of the service."""
    with pytest.raises(errors.RemoteProtocolError, match=r"expected JSON, got 59 bytes .*text/html, status 200"):
        Script([Response(200, PAGE.headers, PAGE.body)]).run(asking)


@every_way
def test_an_object_without_a_token_is_no_token(asking: Operation[OAuth2Tokens]) -> None:
    """Authlib, httpx-oauth and xdk take {"hello": "world"} for tokens."""
    with pytest.raises(errors.RemoteProtocolError, match="access_token"):
        Script([json_answer(200, {"hello": "world"})]).run(asking)


@every_way
@pytest.mark.parametrize("document", [[], ["access_token"], None, "access_token", 7, True])
def test_what_is_no_object_is_a_typed_error(asking: Operation[OAuth2Tokens], document: object) -> None:
    """A raw TypeError in three of Authlib, requests-oauthlib, tweepy, httpx-oauth and xdk."""
    with pytest.raises(errors.RemoteProtocolError, match=f"a JSON {type(document).__name__}; expected an object"):
        Script([json_answer(200, document)]).run(asking)


def test_a_429_to_a_refresh_leaves_the_stored_tokens_and_the_next_call_refreshes_them() -> None:
    """Authlib stores the problem document in the place of the tokens, and never refreshes again."""
    problem = {"title": "Too Many Requests", "status": 429, "type": "about:blank", "detail": "Too Many Requests"}
    store = Store()
    with pytest.raises(errors.TooManyRequests) as caught:
        store.use(Response(429, {"content-type": "application/problem+json"}, json_answer(429, problem).body))
    assert caught.value.retryable
    assert store.tokens == HELD
    assert store.use(json_answer(200, FRESH)).access_token == "new"


@every_way
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["https://evil.example/token", "/token?again"])
def test_a_redirect_of_the_token_endpoint_is_not_followed(
    asking: Operation[OAuth2Tokens], status: int, location: str
) -> None:
    """Authlib on requests, requests-oauthlib, roc and xdk send refresh token and client secret to where it points."""
    script = Script([Response(status, {"location": location})])
    with pytest.raises(errors.UnexpectedRedirect):
        script.run(asking)
    assert [request.url for request in script.sent] == ["https://service.example/token"]


# --- logins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", "&code=planted-code", "&error_description=no"])
def test_a_denied_login_is_denied_and_sends_nothing(more: str) -> None:
    """Authlib goes on with a client_credentials grant."""
    awaiting = begin()
    script = Script()
    callback = f"https://app.example/done?error=access_denied&state={awaiting.reference}{more}"
    with pytest.raises(errors.Denied):
        script.run(finish_login(CLIENT, awaiting, callback, provider=SERVICE, env=ENV))
    assert (script.sent, script.records) == ([], {})


@pytest.mark.parametrize("state", ["&state=", "&state=" + "1" * 32, ""])
def test_the_state_is_compared(state: str) -> None:
    """xdk ignores it: anybody's code is exchanged in the user's session."""
    script = Script()
    with pytest.raises((errors.ForeignCallback, errors.InvalidCallback)):
        script.run(finish_login(CLIENT, begin(), f"?code=planted-code{state}", provider=SERVICE, env=ENV))
    assert script.sent == []


def test_what_a_login_needs_at_its_end_is_data() -> None:
    """tweepy and requests-oauthlib keep verifier and state in an object, which another process does not have."""
    row = begin().to_json()
    awaiting = AwaitingUser.from_json(row)
    script = Script([json_answer(200, FRESH)])
    callback = f"https://app.example/done?code=planted-code&state={awaiting.reference}"
    script.run(finish_login(CLIENT, awaiting, callback, provider=SERVICE, env=ENV))
    assert parse_qs(form_of(script.sent[0]))["code_verifier"] == [awaiting.secret]


def test_a_loopback_address_needs_no_switch_that_opens_all_others() -> None:
    """requests-oauthlib: OAUTHLIB_INSECURE_TRANSPORT, for the whole process, or no login on localhost."""
    local = replace(CLIENT, redirect_uri="http://127.0.0.1:8080/done")
    assert "redirect_uri=http%3A%2F%2F127.0.0.1%3A8080" in begin(local).url
    with pytest.raises(errors.InsecureTransport):
        begin(replace(CLIENT, redirect_uri="http://app.example/done"))


# --- scopes ----------------------------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("granted", ["read", "write read", "read write admin", "other"])
def test_a_changed_scope_is_told_and_no_exception(asking: Operation[OAuth2Tokens], granted: str) -> None:
    """oauthlib raises "Scope has changed" (#562, #888)."""
    tokens = Script([json_answer(200, {**FRESH, "scope": granted})]).run(asking)
    assert tokens.scopes == tuple(granted.split())
    assert require_scopes(tokens, *granted.split()) is tokens
    with pytest.raises(errors.RemoteProtocolError, match="not granted needed"):
        require_scopes(tokens, "needed")


# --- lives -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [(7200, 7200), ("7200", 7200), (7200.5, 7200.5), ("7200.0", 7200), (None, None), ("", None), ("soon", None)],
)
def test_a_life_comes_in_many_forms(expires_in: object, life: float | None) -> None:
    """oauthlib #906, Authlib #841."""
    tokens = Script([json_answer(200, {**FRESH, "expires_in": expires_in})]).run(every_way_to_tokens()[2])
    assert tokens.access_token == "new"
    assert tokens.expires_at == (None if life is None else TIMESTAMP + life)
    assert not tokens.is_due(TIMESTAMP)


@pytest.mark.parametrize("life", [1, 10, 30, 59, 60, 61, 120])
def test_a_token_that_was_just_issued_is_used(life: int) -> None:
    """Authlib: a life below its leeway of 60 s is a refresh for every call, 20 for 20 callers (#716)."""
    store = Store()
    fresh = store.use(json_answer(200, {**FRESH, "expires_in": life}))
    for share in (0.0, 0.5, 0.85):
        assert store.use(at=share * life) == fresh
    assert len(store.script.sent) == 1


def test_a_token_is_renewed_before_its_end_and_not_after_it() -> None:
    """roc: a leeway of the wrong sign (#22)."""
    store = Store(OAuth2Tokens("due", "Bearer", TIMESTAMP, TIMESTAMP + 7200, "held-refresh"))
    assert store.use(at=7200 - 61).access_token == "due"
    assert store.use(json_answer(200, FRESH), at=7200 - 59).access_token == "new"


def test_tokens_of_the_client_itself_renew_themselves() -> None:
    """Authlib #783, requests-oauthlib #260: a client credentials token ends, and is not renewed."""
    script = Script([json_answer(200, {**FRESH, "access_token": name, "expires_in": 100}) for name in ("a", "b")])
    used = [script.run(oauth2_tokens(CLIENT, SERVICE, after(now))).access_token for now in (0, 50, 200, 201)]
    assert used == ["a", "a", "b", "b"]


# --- refreshes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_an_answer_without_a_refresh_token_keeps_the_old_one(more: dict[str, object]) -> None:
    """RFC 6749 section 6 lets the old one stand; who stores the answer as it came has lost it."""
    store = Store()
    short = {"access_token": "new", "token_type": "bearer", "expires_in": 100, **more}
    assert store.use(json_answer(200, short)).refresh_token == "held-refresh"
    assert store.tokens.scopes == ("read", "write")
    assert store.use(json_answer(200, FRESH), at=200).refresh_token == "new-refresh"
    assert [parse_qs(form_of(request))["refresh_token"] for request in store.script.sent] == [["held-refresh"]] * 2


def test_the_rotated_token_is_stored_before_it_is_used_and_nobody_has_to_remember_to() -> None:
    """requests-oauthlib #411, golang/oauth2 #84: saving it is a callback of the user's, and forgotten."""
    store = Store()
    store.use(json_answer(200, FRESH))
    assert store.tokens.refresh_token == "new-refresh"
    assert store.script.log[-2:] == ["  Send", "  Save"]


def test_trouble_of_the_service_is_no_logout() -> None:
    store = Store()
    for trouble in (PAGE, errors.ConnectError("no route"), errors.TimedOut("slow", sent=True)):
        with pytest.raises((errors.ServiceUnavailable, errors.TransportError)):
            store.use(trouble)
    assert store.use(json_answer(200, FRESH)).access_token == "new"


# --- client authentication -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "form"),
    [
        ("client_secret_basic", set()),
        ("client_secret_post", {"client_id", "client_secret"}),
        ("none", {"client_id"}),
    ],
)
def test_a_client_authenticates_by_one_method_at_every_endpoint(auth: ClientAuth, form: set[str]) -> None:
    """requests-oauthlib (#379, #566) and xurl (PR #69): one way at the exchange, another at refresh and revocation."""
    client = replace(CLIENT, auth=auth)
    awaiting = begin(client)
    callback = f"https://app.example/done?code=planted-code&state={awaiting.reference}"
    answers = [json_answer(200, FRESH)] * 3 + [json_answer(200, {}), json_answer(200, {"active": False})]
    script = Script(list(answers))
    for asking in (
        finish_login(client, awaiting, callback, provider=SERVICE, env=ENV),
        refresh(client, HELD, provider=SERVICE, env=ENV),
        client_credentials(client, provider=SERVICE, env=ENV),
        revoke(client, "held", provider=SERVICE, env=ENV),
        introspect(client, "held", provider=SERVICE, env=ENV),
    ):
        script.run(asking)
    shown = [set(parse_qs(form_of(request))) & {"client_id", "client_secret"} for request in script.sent]
    assert shown == [form] * 5
    headers = {request.headers.get("authorization") for request in script.sent}
    assert headers == {basic("id:client-secret") if auth == "client_secret_basic" else None}


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(("quirks", "pair"), [(Quirks(), "id%3A1:a%2Fb%20c"), (Quirks(raw_basic=True), "id:1:a/b c")])
def test_basic_is_form_encoded_unless_the_provider_wants_it_raw(quirks: Quirks, pair: str) -> None:
    """golang/oauth2 #783, oauth4webapi #199: one way for all services, and some want the other."""
    client = OAuth2Client("id:1", "a/b c")
    script = Script([json_answer(200, FRESH)])
    script.run(client_credentials(client, provider=replace(SERVICE, quirks=quirks), env=ENV))
    assert [request.headers.get("authorization") for request in script.sent] == [basic(pair)]


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_no_token_and_no_secret_is_in_a_repr() -> None:
    """roc shows them, and so does every token that is a dict: Authlib's, oauthlib's, httpx-oauth's, xdk's."""
    planted = ["client-secret", "new-access", "new-refresh", "new-identity", "planted-code", "held-refresh"]
    answer = json_answer(200, {**FRESH, "access_token": "new-access", "id_token": "new-identity"})
    awaiting = begin()
    exchanging = exchange_code(CLIENT, "planted-code", awaiting.secret, provider=SERVICE, env=ENV)
    script = Script([answer])
    tokens = script.run(exchanging)
    script.run(adopt(USER, tokens, SERVICE))
    shown = [CLIENT, USER, awaiting, exchanging, script.sent, answer, tokens, script.records, {"t": tokens}, [tokens]]
    shown += [tokens.access_token, tokens.refresh_token, tokens.id_token]
    assert secrets_in(repr(shown) + f"{tokens}{CLIENT}{awaiting}", [*planted, awaiting.secret]) == []
    assert isinstance(tokens.access_token, Secret)
    assert tokens.access_token == "new-access"


@every_way
def test_what_a_refusal_repeats_of_the_request_is_not_shown(asking: Operation[OAuth2Tokens]) -> None:
    """requests-oauthlib #536: secrets in logs and exceptions."""
    echoed = "planted-code held-refresh client-secret"
    answer = json_answer(400, {"error": "invalid_grant", "error_description": f"what is {echoed}?"})
    script = Script([answer])
    with pytest.raises(errors.InvalidGrant) as caught:
        script.run(asking)
    sent = [value for values in parse_qs(form_of(script.sent[0])).values() for value in values]
    secret = [part for part in echoed.split() if part in sent or part == "client-secret"]
    assert secret
    assert secrets_in(str(caught.value) + repr(caught.value) + caught.value.text, secret) == []
