"""The three-legged login: given this state and this answer, this request, this value or this error follows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import (
    App,
    AwaitingUser,
    Bearer,
    Endpoints,
    Env,
    Flow,
    Load,
    OAuth1User,
    Operation,
    Provider,
    Request,
    Response,
    Save,
    Secret,
    Send,
    Signing,
    errors,
)
from sansauth.callback import callback_parameters
from sansauth.claim import login_key
from sansauth.encoding import decode, encode
from sansauth.oauth1 import TokenCredentials, begin_login, finish_login, sign
from sansauth.oauth1.credentials import TemporaryCredentials, parse_temporary_credentials, parse_token_credentials
from sansauth.oauth1.login import (
    LOGIN_SECONDS,
    build_access_token_request,
    build_page_url,
    build_request_token_request,
    parse_callback,
)
from sansauth.x import TWITTER, X

from .support import APP, ENV, NONCE, TIMESTAMP, USER, Script, form_of, json_answer, refusal_answer
from .vectors import VECTORS, Vector

CALLBACK = "https://app.test/back"
ISSUED = {"oauth_token": "RT", "oauth_token_secret": "RTS", "oauth_callback_confirmed": "true"}
GRANTED = {"oauth_token": "7-AT", "oauth_token_secret": "ATS", "user_id": "7", "screen_name": "xapi"}
WAITING = AwaitingUser(
    kind="oauth1",
    url="https://api.x.com/oauth/authorize?oauth_token=RT",
    expires_at=TIMESTAMP + 900,
    provider="https://api.x.com",
    callback=CALLBACK,
    reference="RT",
    secret="RTS",
)
BY_PIN = replace(WAITING, callback="oob")
APPROVED = f"{CALLBACK}?oauth_token=RT&oauth_verifier=V"
PHOTOS = Provider(
    "Photos",
    "https://photos.example.net",
    Endpoints(
        request_token="https://photos.example.net/initiate",
        authorize="https://photos.example.net/authorize",
        access_token="https://photos.example.net/token",
    ),
    signing=Signing(version=None),
)


def form(pairs: dict[str, str] | list[tuple[str, str]], status: int = 200) -> Response:
    """A form as X labels it: as HTML."""
    return Response(status, {"content-type": "text/html; charset=utf-8"}, encode(pairs).encode())


def begin(**changes: Any) -> Operation[AwaitingUser]:
    given: dict[str, Any] = {"callback": CALLBACK, "provider": X, "env": ENV} | changes
    return begin_login(given.pop("app", APP), given.pop("callback"), **given)


def finish(answer: Any = APPROVED, awaiting: AwaitingUser = WAITING, **changes: Any) -> Operation[TokenCredentials]:
    given: dict[str, Any] = {"provider": X, "env": ENV} | changes
    return finish_login(given.pop("app", APP), awaiting, answer, **given)


def protocol_of(request: Request) -> dict[str, str]:
    """The protocol parameters of the Authorization header, decoded."""
    fields = request.headers["authorization"].removeprefix("OAuth ").replace('", ', "&").replace('="', "=").rstrip('"')
    return dict(decode(fields))


def env_of(vector: Vector) -> Env:
    class Nonce(bytes):
        def hex(self, *_: Any) -> str:
            return vector.nonce

    return Env(clock=lambda: float(vector.timestamp), entropy=lambda size: Nonce())


VECTOR = {vector.name: vector for vector in VECTORS}


# --- begin -----------------------------------------------------------------------------------------------------------


class TestBegin:
    def test_the_request_is_an_empty_post_whose_signature_holds_the_callback(self) -> None:
        script = Script([form(ISSUED)])
        script.run(begin())
        (request,) = script.sent
        assert (request.method, request.url, request.body) == ("POST", "https://api.x.com/oauth/request_token", b"")
        assert request.headers.get_all("accept") == ["*/*"]
        assert "content-type" not in request.headers
        extra = {"oauth_callback": CALLBACK}
        bare = Request("POST", request.url, {"accept": "*/*"})
        assert request == sign(bare, APP, timestamp=TIMESTAMP, nonce=NONCE, extra=extra)
        assert protocol_of(request)["oauth_callback"] == CALLBACK

    @pytest.mark.parametrize(
        ("name", "provider"),
        [("login-rt", TWITTER), ("login-rt-x.com", X), ("rfc-1.2-initiate", PHOTOS)],
    )
    def test_the_published_vectors(self, name: str, provider: Provider) -> None:
        vector = VECTOR[name]
        script = Script([form(ISSUED)])
        callback = vector.extra["oauth_callback"]
        env = env_of(vector)
        script.run(begin(app=App(*vector.consumer), callback=callback, provider=provider, env=env))
        assert script.sent[0].url == vector.url
        assert protocol_of(script.sent[0])["oauth_signature"] == vector.signature
        assert script.sent[0] == build_request_token_request(
            App(*vector.consumer), callback, provider=provider, env=env
        )

    def test_what_waits(self) -> None:
        awaiting = Script([form(ISSUED)]).run(begin())
        assert awaiting == WAITING
        assert WAITING.expires_at == TIMESTAMP + LOGIN_SECONDS
        assert "app.test" not in awaiting.url

    def test_nothing_is_stored_before_the_user_comes_back(self) -> None:
        script = Script([form(ISSUED)])
        script.run(begin())
        assert "Save" not in script.log

    def test_a_pin_and_the_other_page(self) -> None:
        awaiting = Script([form(ISSUED)]).run(begin(callback="oob", page="authenticate", lifetime=60.5))
        assert awaiting.callback == "oob"
        assert awaiting.url == "https://api.x.com/oauth/authenticate?oauth_token=RT"
        assert awaiting.expires_at == TIMESTAMP + 60

    def test_further_parameters_of_the_request_and_of_the_page(self) -> None:
        script = Script([form(ISSUED)])
        awaiting = script.run(
            begin(request_parameters={"scope": "a b", "none": None}, page_parameters=iter([("name", "a&b")]))
        )
        assert form_of(script.sent[0]) == "scope=a%20b"
        assert awaiting.url == "https://api.x.com/oauth/authorize?oauth_token=RT&name=a%26b"

    def test_a_page_with_a_query_of_its_own(self) -> None:
        provider = replace(
            PHOTOS, endpoints=replace(PHOTOS.endpoints, authorize="https://photos.example.net/a?perms=w")
        )
        assert build_page_url(provider, "R T") == "https://photos.example.net/a?perms=w&oauth_token=R%20T"

    def test_a_callback_of_any_scheme(self) -> None:
        script = Script([form(ISSUED)])
        assert script.run(begin(callback="my-app:back")).callback == "my-app:back"
        assert protocol_of(script.sent[0])["oauth_callback"] == "my-app:back"

    @pytest.mark.parametrize(
        "callback", ["", "/back", "app.test/back", "https://a b", "https://a/\r\n", "https:", None, 1]
    )
    def test_a_callback_that_is_none_is_refused_before_anything_is_sent(self, callback: Any) -> None:
        with pytest.raises(errors.InvalidParameter, match=r'absolute URL .* or "oob"'):
            Flow(begin(callback=callback))

    @pytest.mark.parametrize("name", ["oauth_callback", "oauth_token"])
    def test_the_page_is_never_told_what_the_request_token_stands_for(self, name: str) -> None:
        with pytest.raises(errors.InvalidParameter, match=name):
            Flow(begin(page_parameters={name: "x"}))

    @pytest.mark.parametrize("page", ["access_token", "", None])
    def test_another_page_is_refused(self, page: Any) -> None:
        with pytest.raises(errors.InvalidParameter, match="one of authorize, authenticate"):
            Flow(begin(page=page))

    @pytest.mark.parametrize("lifetime", [0, -1, float("inf"), float("nan")])
    def test_a_lifetime_is_finite_and_above_zero(self, lifetime: float) -> None:
        with pytest.raises(errors.InvalidParameter, match="lifetime"):
            Flow(begin(lifetime=lifetime))

    def test_a_page_that_the_provider_does_not_have(self) -> None:
        with pytest.raises(errors.LocalProtocolError, match="Photos has no endpoint 'authenticate'"):
            Flow(begin(provider=PHOTOS, page="authenticate"))

    @pytest.mark.parametrize("identity", [USER, Bearer("hunter2"), None])
    def test_only_the_application_begins(self, identity: Any) -> None:
        with pytest.raises(errors.WrongIdentity, match="pass an App"):
            Flow(begin(app=identity))

    @pytest.mark.parametrize(
        ("response", "kind"),
        [
            (refusal_answer(401, 32), errors.CouldNotAuthenticate),
            (refusal_answer(400, 215), errors.BadAuthenticationData),
            (refusal_answer(403, 415, "Callback URL not approved"), errors.CallbackNotApproved),
            (
                Response(
                    403,
                    {"content-type": "application/xml"},
                    b"<?xml version='1.0' encoding='UTF-8'?><errors><error code=\"415\">not approved</error></errors>",
                ),
                errors.CallbackNotApproved,
            ),
            (refusal_answer(200, 415), errors.CallbackNotApproved),
            (Response(401, {"content-type": "text/html"}, b"Failed to validate oauth signature"), errors.Unauthorized),
            (Response(302, {"location": "https://evil.test/"}), errors.UnexpectedRedirect),
            (form(ISSUED, 503), errors.ServiceUnavailable),
        ],
    )
    def test_a_refusal_is_a_typed_error(self, response: Response, kind: type[errors.ApiError]) -> None:
        with pytest.raises(errors.ApiError) as caught:
            Script([response]).run(begin())
        assert type(caught.value) is kind

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("oauth_token=hunter2&oauth_token_secret=s", "without oauth_callback_confirmed=true"),
            ("oauth_token=hunter2&oauth_token_secret=s&oauth_callback_confirmed=false", "without oauth_callback"),
            ("oauth_token=hunter2&oauth_token_secret=s&oauth_callback_confirmed=True", "without oauth_callback"),
            (encode([*ISSUED.items(), ("oauth_callback_confirmed", "true")]), "without oauth_callback"),
            ("oauth_token_secret=hunter2&oauth_callback_confirmed=true", "oauth_token"),
            ("oauth_token=&oauth_token_secret=hunter2&oauth_callback_confirmed=true", "oauth_token"),
            ("oauth_token=hunter2&oauth_callback_confirmed=true", "oauth_token_secret"),
            (encode([*ISSUED.items(), ("oauth_token", "hunter2")]), "oauth_token"),
            (encode([*ISSUED.items(), ("oauth_token_secret", "hunter2")]), "oauth_token_secret"),
            (json.dumps(ISSUED), "oauth_token"),
            ("<html><title>hunter2</title>", "oauth_token"),
            ("", "oauth_token"),
        ],
    )
    def test_a_success_that_is_none_is_the_peers_fault(self, body: str, said: str) -> None:
        with pytest.raises(errors.RemoteProtocolError, match=said) as caught:
            Script([Response(200, {"content-type": "text/html"}, body.encode())]).run(begin())
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", ""])
    def test_the_content_type_and_a_line_break_do_not_matter(self, kind: str) -> None:
        body = b"\r\n" + encode(ISSUED).encode() + b"\n"
        assert Script([Response(200, {"content-type": kind}, body)]).run(begin()) == WAITING

    def test_the_secret_may_be_empty(self) -> None:
        """RFC 5849 section 3.4.2: the key is made of it "even if empty"."""
        assert Script([form(ISSUED | {"oauth_token_secret": ""})]).run(begin()).secret == ""

    def test_an_endpoint_that_was_smuggled_in_gets_no_signature(self) -> None:
        provider = X.at("https://a.test")
        object.__setattr__(provider, "origins", ("https://b.test",))
        with pytest.raises(errors.ForeignHost):
            Script().run(begin(provider=provider))
        with pytest.raises(errors.ForeignHost):
            build_request_token_request(APP, "oob", provider=provider, env=ENV)


# --- what the user brings back ---------------------------------------------------------------------------------------

READ = [
    f"{CALLBACK}?oauth_token=RT&oauth_verifier=V",
    f"  {CALLBACK}?oauth_token=RT&oauth_verifier=V\n",
    f"{CALLBACK}?oauth_verifier=V&oauth_token=RT#_=_",
    "/back?oauth_token=RT&oauth_verifier=V",
    "back?oauth_token=RT&oauth_verifier=V",
    "localhost:8080/back?oauth_token=RT&oauth_verifier=V",
    "/b=a&c/k?oauth_token=RT&oauth_verifier=V",
    "?oauth_token=RT&oauth_verifier=V",
    "oauth_token=RT&oauth_verifier=V",
    "oauth_token=%52T&oauth_verifier=%56",
    "next=/a?b&oauth_token=RT&oauth_verifier=V",
    "ns:a=1&oauth_token=RT&oauth_verifier=V",
    f"{CALLBACK}?next=/a?b&oauth_token=RT&oauth_verifier=V&state=1&state=2",
    "my-app:back?oauth_token=RT&oauth_verifier=V",
]

FORGED: list[tuple[Any, type[errors.LoginError], str]] = [
    (f"{CALLBACK}?denied=RT", errors.Denied, "did not let"),
    ("denied=RT&state=1", errors.Denied, "did not let"),
    ("denied=RT&oauth_token=RT&oauth_verifier=V", errors.Denied, "did not let"),
    ("denied=other", errors.ForeignCallback, "another login"),
    ("oauth_token=other&oauth_verifier=V", errors.ForeignCallback, "another login"),
    ("oauth_token=other", errors.ForeignCallback, "another login"),
    ("oauth_token=rt&oauth_verifier=V", errors.ForeignCallback, "another login"),
    ("oauth_token=R%C3%A9&oauth_verifier=V", errors.ForeignCallback, "another login"),
    ("oauth_token=RT\ud800&oauth_verifier=V", errors.ForeignCallback, "another login"),
    ("oauth_token=RT&oauth_token=other&oauth_verifier=V", errors.ForeignCallback, "another login"),
    ("denied=other&oauth_token=RT&oauth_verifier=V", errors.ForeignCallback, "another login"),
    ("denied=RT&denied=RT", errors.InvalidCallback, "twice"),
    ("oauth_token=RT&oauth_token=RT&oauth_verifier=V", errors.InvalidCallback, "twice"),
    ("oauth_token=RT&oauth_token=&oauth_verifier=V", errors.InvalidCallback, "twice"),
    ("oauth_token=RT&oauth_verifier=V&oauth_verifier=W", errors.InvalidCallback, "twice"),
    ("oauth_token=RT", errors.InvalidCallback, "no oauth_verifier"),
    ("oauth_token=RT&oauth_verifier=", errors.InvalidCallback, "no oauth_verifier"),
    ("oauth_verifier=V", errors.InvalidCallback, "no oauth_token"),
    ("oauth_token=&oauth_verifier=V", errors.InvalidCallback, "no oauth_token"),
    ("denied=", errors.InvalidCallback, "no oauth_token"),
    (CALLBACK, errors.InvalidCallback, "no oauth_token"),
    (f"{CALLBACK}#oauth_token=RT&oauth_verifier=V", errors.InvalidCallback, "no oauth_token"),
    ("1234567", errors.InvalidCallback, "no oauth_token"),
    ("", errors.InvalidCallback, "no oauth_token"),
    (None, errors.InvalidCallback, "as a str"),
    (b"oauth_token=RT&oauth_verifier=V", errors.InvalidCallback, "as a str"),
]


REFUSED_BY_THE_USER = [
    "oauth_problem=user_refused&oauth_token=RT",
    "oauth_problem=permission_denied&oauth_token=RT",
    f"{CALLBACK}?oauth_token=RT&oauth_problem=user_refused&oauth_problem_advice=x",
    "oauth_token=RT&oauth_verifier=denied",  # Jira
]


class TestCallback:
    @pytest.mark.parametrize("answer", REFUSED_BY_THE_USER)
    def test_a_no_in_another_services_words(self, answer: str) -> None:
        for awaiting in (WAITING, BY_PIN):
            with pytest.raises(errors.Denied, match="did not let"):
                parse_callback(awaiting, answer)
            with pytest.raises(errors.ForeignCallback):
                parse_callback(awaiting, answer.replace("oauth_token=RT", "oauth_token=other"))
            with pytest.raises(errors.InvalidCallback, match="no oauth_token"):
                parse_callback(awaiting, answer.replace("oauth_token=RT", "a=b"))

    @pytest.mark.parametrize(
        "answer",
        ["oauth_token=RT&oauth_verifier=DENIED", "oauth_token=RT&oauth_verifier=V&oauth_problem=nonce_used"],
    )
    def test_what_is_no_no(self, answer: str) -> None:
        assert parse_callback(WAITING, answer) in {"DENIED", "V"}

    @pytest.mark.parametrize("pin", ["YWJj=", "YWI==", "a=b", "a&b=c", "?x=1"])
    def test_a_pin_may_hold_an_equals_sign(self, pin: str) -> None:
        assert parse_callback(BY_PIN, f" {pin}\n") == pin

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            ("oauth_verifier=V", errors.InvalidCallback),
            ("oauth_token=other", errors.ForeignCallback),
            ("denied=RT", errors.Denied),
            ("oauth_problem=user_refused", errors.InvalidCallback),
        ],
    )
    def test_unless_it_names_what_a_callback_names(self, answer: str, kind: type[errors.LoginError]) -> None:
        with pytest.raises(kind):
            parse_callback(BY_PIN, answer)

    @pytest.mark.parametrize("answer", READ)
    def test_a_verifier_is_found_wherever_the_query_stands(self, answer: str) -> None:
        verifier = parse_callback(WAITING, answer)
        assert verifier == "V"
        assert isinstance(verifier, Secret)
        script = Script([form(GRANTED)])
        script.run(finish(answer))
        assert protocol_of(script.sent[0])["oauth_verifier"] == "V"

    @pytest.mark.parametrize(("answer", "kind", "said"), FORGED)
    def test_everything_else_has_its_own_error_and_burns_nothing(
        self, answer: Any, kind: type[errors.LoginError], said: str
    ) -> None:
        script = Script()
        with pytest.raises(errors.LoginError, match=said) as caught:
            script.run(finish(answer))
        assert type(caught.value) is kind
        assert (script.log, script.records) == ([], {})

    @pytest.mark.parametrize(("answer", "kind", "said"), FORGED[:6])
    def test_a_login_by_pin_judges_a_callback_all_the_same(
        self, answer: str, kind: type[errors.LoginError], said: str
    ) -> None:
        with pytest.raises(kind, match=said):
            parse_callback(BY_PIN, answer)

    @pytest.mark.parametrize("pin", ["1234567", " 1234567\n", "123 45 67", "1\t2\u00a034567"])
    def test_white_space_in_a_pin_is_forgiven(self, pin: str) -> None:
        assert parse_callback(BY_PIN, pin) == "1234567"

    def test_a_verifier_may_hold_dashes(self) -> None:
        """Flickr shows 123-456-789 and takes it like that; others show Base64 for URLs."""
        assert parse_callback(BY_PIN, "123-456-789") == "123-456-789"

    @pytest.mark.parametrize("pin", ["", " ", "\n\t", None])
    def test_an_empty_pin_is_none(self, pin: Any) -> None:
        with pytest.raises(errors.InvalidCallback, match="the PIN is empty"):
            parse_callback(BY_PIN, pin)

    @given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), st.text(), st.booleans())
    def test_what_a_service_sends_back_is_read_as_it_was_meant(self, verifier: str, extra: str, whole: bool) -> None:
        extra = extra.encode("utf-8", "replace").decode()
        query = encode([("extra", extra), ("oauth_token", "RT"), ("oauth_verifier", verifier)])
        assert parse_callback(WAITING, f"{CALLBACK}?{query}" if whole else query) == verifier

    @given(st.text())
    def test_no_text_is_anything_but_a_verifier_or_a_typed_error(self, answer: str) -> None:
        for awaiting in (WAITING, BY_PIN):
            try:
                assert parse_callback(awaiting, answer)
            except errors.LoginError:
                continue

    def test_no_part_of_a_callback_is_a_plain_str(self) -> None:
        assert all(type(part) is Secret for pair in callback_parameters(Secret("a=b&c")) for part in pair)


class TestOrder:
    def test_an_expired_login_is_expired_whatever_came_back(self) -> None:
        late = Env(clock=lambda: float(WAITING.expires_at), entropy=bytes)
        for answer in (APPROVED, "denied=RT", "oauth_token=other", ""):
            with pytest.raises(errors.LoginExpired):
                Flow(finish(answer, env=late, provider=TWITTER))

    def test_another_provider_is_refused_before_the_callback_is_read(self) -> None:
        for answer in (APPROVED, "denied=RT", ""):
            with pytest.raises(errors.ForeignCallback, match="begun at"):
                Flow(finish(answer, provider=TWITTER))

    def test_a_login_of_another_protocol_is_refused(self) -> None:
        with pytest.raises(errors.InvalidCallback, match="oauth2"):
            Flow(finish(awaiting=replace(WAITING, kind="oauth2")))

    @pytest.mark.parametrize("identity", [USER, Bearer("hunter2"), None])
    def test_only_the_application_finishes_and_nothing_is_claimed_for_another(self, identity: Any) -> None:
        with pytest.raises(errors.WrongIdentity, match="pass an App"):
            Flow(finish(app=identity))


# --- finish ----------------------------------------------------------------------------------------------------------


class TestFinish:
    def test_the_login_is_claimed_and_then_the_verifier_is_sent(self) -> None:
        script = Script([form(GRANTED)])
        credentials = script.run(finish())
        assert script.log[0] == "Save"
        assert script.log.index("Save") < script.log.index("Send")
        (request,) = script.sent
        assert (request.method, request.url, request.body) == ("POST", "https://api.x.com/oauth/access_token", b"")
        bare = Request("POST", request.url, {"accept": "*/*"})
        holder = OAuth1User(APP, "RT", "RTS")
        assert request == sign(bare, holder, timestamp=TIMESTAMP, nonce=NONCE, extra={"oauth_verifier": "V"})
        assert request == build_access_token_request(APP, WAITING, "V", provider=X, env=ENV)
        assert credentials == TokenCredentials("7-AT", "ATS", "7", "xapi")

    @pytest.mark.parametrize(
        ("name", "provider"),
        [("login-at", TWITTER), ("login-at-x.com", X), ("rfc-1.2-token", PHOTOS)],
    )
    def test_the_published_vectors(self, name: str, provider: Provider) -> None:
        vector = VECTOR[name]
        verifier = vector.extra.get("oauth_verifier") or dict(vector.parameters)["oauth_verifier"]
        assert vector.token is not None
        awaiting = replace(
            WAITING,
            provider=provider.origin,
            reference=vector.token[0],
            secret=vector.token[1],
            expires_at=int(vector.timestamp) + 1,
        )
        script = Script([form(GRANTED)])
        query = encode({"oauth_token": vector.token[0], "oauth_verifier": verifier})
        script.run(finish(query, awaiting, app=App(*vector.consumer), provider=provider, env=env_of(vector)))
        assert script.sent[0].url == vector.url
        assert protocol_of(script.sent[0])["oauth_signature"] == vector.signature

    def test_a_login_begun_in_one_process_is_finished_in_another(self) -> None:
        row = Script([form(ISSUED)]).run(begin()).to_json()
        credentials = Script([form(GRANTED)]).run(finish(awaiting=AwaitingUser.from_json(row)))
        assert credentials.user(APP) == OAuth1User(APP, "7-AT", "ATS")

    def test_the_claim_names_neither_the_token_nor_its_secret(self) -> None:
        script = Script([form(GRANTED)])
        script.run(finish())
        (key,) = (key for key in script.records if key.startswith("login/"))
        assert key == login_key(WAITING) == f"login/{key[6:]}"
        assert len(key) == len("login/") + 64
        record = json.loads(script.records[key].data)
        assert record == {"schema": 1, "kind": "login-claim", "expires_at": WAITING.expires_at}

    def test_two_providers_may_issue_the_same_token(self) -> None:
        assert login_key(WAITING) != login_key(replace(WAITING, provider="https://api.twitter.com"))
        assert login_key(WAITING) != login_key(replace(WAITING, reference="RT2"))

    def test_a_replayed_callback_is_already_used_and_nothing_is_sent(self) -> None:
        script = Script([form(GRANTED)])
        script.run(finish())
        with pytest.raises(errors.AlreadyUsed, match="begin another"):
            script.run(finish())
        assert len(script.sent) == 1

    def test_a_replayed_denial_is_still_a_denial(self) -> None:
        script = Script([form(GRANTED)])
        script.run(finish())
        with pytest.raises(errors.Denied):
            script.run(finish("denied=RT"))

    @pytest.mark.parametrize(
        "answer",
        [
            Response(
                401, {"content-type": "text/html"}, b"Error processing your OAuth request: Invalid oauth_verifier"
            ),
            refusal_answer(401, 32),
            refusal_answer(200, 89),
            Response(503),
            Response(302, {"location": "https://evil.test/"}),
            errors.ConnectError("no route", sent=False),
            errors.TimedOut("5 s to connect passed", sent=False),
            errors.ForeignHost("a proxy of the transport's"),
        ],
        ids=lambda answer: repr(answer)[:40],
    )
    def test_the_claim_is_given_back_when_the_login_is_still_there(self, answer: Response | Exception) -> None:
        script = Script([answer, form(GRANTED)])
        with pytest.raises(errors.SansauthError) as caught:
            script.run(finish())
        assert isinstance(caught.value, (errors.ApiError, errors.TransportError, errors.LocalProtocolError))
        assert login_key(WAITING) not in script.records
        assert script.run(finish()).screen_name == "xapi"

    @pytest.mark.parametrize(
        "answer",
        [
            errors.TimedOut("30 s passed", sent=True),
            errors.ReadError("reset", sent=True),
            Response(200, {"content-type": "text/html"}, b"<html>"),
            form({"oauth_token": "AT"}),
            form(GRANTED | {"oauth_token": "RT"}),
        ],
        ids=lambda answer: repr(answer)[:40],
    )
    def test_the_claim_stays_when_the_login_may_be_used_up(self, answer: Response | Exception) -> None:
        script = Script([answer])
        with pytest.raises((errors.TransportError, errors.RemoteProtocolError)):
            script.run(finish())
        assert login_key(WAITING) in script.records
        with pytest.raises(errors.AlreadyUsed):
            script.run(finish())

    @pytest.mark.parametrize("trouble", [errors.Conflict("changed"), errors.StoreError("the disk is full")])
    def test_a_claim_that_cannot_be_given_back_hides_no_refusal(self, trouble: errors.StoreError) -> None:
        flow = Flow(finish())
        assert isinstance(flow.effect, Save)
        flow.resume(1)
        while not isinstance(flow.effect, Send):
            assert isinstance(flow.effect, Load)
            flow.resume(None)
        flow.receive(refusal_answer(401, 32))
        given_back = flow.effect
        assert given_back == Save(login_key(WAITING), None, 1)
        with pytest.raises(errors.CouldNotAuthenticate):
            flow.fail(trouble)

    def test_trouble_of_the_store_while_claiming_is_no_replay(self) -> None:
        flow = Flow(finish())
        with pytest.raises(errors.StoreError) as caught:
            flow.fail(errors.StoreError("the disk is full"))
        assert not isinstance(caught.value, errors.Conflict)

    @pytest.mark.parametrize(("first", "claimed"), [(form(GRANTED), True), (refusal_answer(401, 32), False)])
    def test_of_two_that_finish_at_once_one_is_sent(self, first: Response, claimed: bool) -> None:
        """The other is told at once, whether the first succeeds or not; after a refusal it may try again."""
        script = Script()
        one, other = Flow(finish()), Flow(finish())
        for effect in (one.effect, other.effect):
            assert isinstance(effect, Save)
            assert effect.expected is None
        assert isinstance(one.effect, Save)
        one.resume(script.save(one.effect.key, one.effect.data, one.effect.expected))
        assert isinstance(other.effect, Save)
        with pytest.raises(errors.Conflict) as conflict:
            script.save(other.effect.key, other.effect.data, other.effect.expected)
        with pytest.raises(errors.AlreadyUsed):
            other.fail(conflict.value)
        while isinstance(one.effect, Load):
            one.resume(None)
        if claimed:
            one.receive(first)
            assert one.result.user_id == "7"
        else:
            one.receive(first)
            assert isinstance(one.effect, Save)
            released = script.save(one.effect.key, one.effect.data, one.effect.expected)
            with pytest.raises(errors.CouldNotAuthenticate):
                one.resume(released)
        assert (login_key(WAITING) in script.records) is claimed

    def test_a_mistyped_pin_may_be_typed_again(self) -> None:
        script = Script([Response(401, (), b"Invalid oauth_verifier parameter"), form(GRANTED)])
        with pytest.raises(errors.Unauthorized):
            script.run(finish("1234568", BY_PIN))
        assert script.run(finish("123 4567", BY_PIN)).user_id == "7"
        assert [protocol_of(request)["oauth_verifier"] for request in script.sent] == ["1234568", "1234567"]

    def test_the_services_echo_of_the_verifier_is_masked(self) -> None:
        with pytest.raises(errors.Unauthorized) as caught:
            Script([Response(401, (), b"Invalid: hunter2-verifier")]).run(
                finish("oauth_token=RT&oauth_verifier=hunter2-verifier")
            )
        assert "hunter2" not in str(caught.value)


# --- what is read ----------------------------------------------------------------------------------------------------


class TestCredentials:
    def test_an_answer_with_less_and_with_more(self) -> None:
        bare = parse_token_credentials(form({"oauth_token": "t", "oauth_token_secret": "s"}), X)
        assert bare == TokenCredentials("t", "s", None, None, ())
        further = GRANTED | {"x_auth_expires": "0", "fullname": "A B", "user_id": ""}
        read = parse_token_credentials(form(further), X)
        assert (read.user_id, read.screen_name) == (None, "xapi")
        assert dict(read.others) == {"x_auth_expires": "0", "fullname": "A B"}
        assert type(read.screen_name) is str

    def test_a_name_that_is_there_twice_says_nothing(self) -> None:
        read = parse_token_credentials(form([*GRANTED.items(), ("user_id", "8")]), X)
        assert (read.user_id, read.screen_name, read.others) == (None, "xapi", ())

    @pytest.mark.parametrize(
        "pairs",
        [
            [("oauth_token", "hunter2")],
            [("oauth_token_secret", "hunter2")],
            [("oauth_token", ""), ("oauth_token_secret", "hunter2")],
            [*GRANTED.items(), ("oauth_token", "hunter2")],
            [*GRANTED.items(), ("oauth_token_secret", "hunter2")],
        ],
    )
    def test_an_answer_that_lacks_parts(self, pairs: list[tuple[str, str]]) -> None:
        with pytest.raises(errors.RemoteProtocolError, match="X answered 200 with an access token") as caught:
            parse_token_credentials(form(pairs), X)
        assert "hunter2" not in str(caught.value)

    def test_the_request_token_is_no_access_token(self) -> None:
        with pytest.raises(errors.RemoteProtocolError, match="the request token for access token"):
            parse_token_credentials(form(GRANTED), X, request_token="7-AT")
        assert parse_token_credentials(form(GRANTED), X, request_token="RT").access_token == "7-AT"

    def test_json_is_not_accepted(self) -> None:
        with pytest.raises(errors.RemoteProtocolError):
            parse_token_credentials(json_answer(200, GRANTED), X)

    def test_nothing_shows_but_whose_they_are(self) -> None:
        credentials = TokenCredentials("hunter2", "hunter2", "7", "xapi", (("session", "hunter2"),))
        assert repr(credentials) == "TokenCredentials(***, user_id='7', screen_name='xapi')"
        assert "hunter2" not in repr([credentials.access_token, credentials.access_token_secret, credentials.others])
        assert repr(TemporaryCredentials("hunter2", "hunter2")) == "TemporaryCredentials(***)"
        assert hash(credentials) == hash(replace(credentials))

    def test_the_pair_can_be_used_alone(self) -> None:
        temporary = parse_temporary_credentials(form(ISSUED), X)
        assert temporary == TemporaryCredentials("RT", "RTS")
        assert {type(temporary.token), type(temporary.secret)} == {Secret}

    @given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))))
    def test_every_further_parameter_is_kept(self, further: dict[str, str]) -> None:
        kept = {name: value for name, value in further.items() if name not in GRANTED}
        read = parse_token_credentials(form(GRANTED | kept), X)
        assert dict(read.others) == kept
        assert (read.access_token, read.access_token_secret) == ("7-AT", "ATS")
