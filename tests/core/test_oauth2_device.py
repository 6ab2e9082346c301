"""Device login (RFC 8628): what is shown, how often is asked, and how it ends."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Endpoints, Env, Flow, Provider, Response, Secret, Send, Sleep, State, errors
from sansauth.encoding import decode
from sansauth.identity import OAuth2Client
from sansauth.oauth2 import AwaitingDevice, begin_device_login, finish_device_login
from sansauth.oauth2.device import parse_device_answer
from sansauth.provider import ErrorTable
from sansauth.tokens import OAuth2Tokens

from .support import Script, form_of, json_answer

NOW = 1_700_000_000.0
ENV = Env(clock=lambda: NOW, entropy=bytes)
SERVER = Provider(
    "Example",
    "https://server.example.com",
    Endpoints(
        token="https://server.example.com/token",
        device_authorization="https://server.example.com/device_authorization",
    ),
)
CLIENT = OAuth2Client("1406020730")
# RFC 8628 section 3.2
ANSWER = {
    "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://example.com/device",
    "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
    "expires_in": 1800,
    "interval": 5,
}
AWAITING = AwaitingDevice(
    user_code="WDJB-MJHT",
    verification_uri="https://example.com/device",
    verification_uri_complete="https://example.com/device?user_code=WDJB-MJHT",
    expires_at=int(NOW) + 1800,
    interval=5,
    provider="https://server.example.com/token",
    device_code=ANSWER["device_code"],  # type: ignore[arg-type]
    scopes=("example_scope",),
)
TOKENS = json_answer(200, {"access_token": "AT", "token_type": "Bearer", "expires_in": 60})
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def refused(error: str, status: int = 400) -> Response:
    return json_answer(status, {"error": error})


class TestBegin:
    def test_the_example_of_rfc_8628_section_3(self) -> None:
        script = Script([json_answer(200, ANSWER)])
        awaiting = script.run(begin_device_login(CLIENT, ["example_scope"], provider=SERVER, env=ENV))
        (request,) = script.sent
        assert (request.method, request.url) == ("POST", "https://server.example.com/device_authorization")
        assert dict(decode(form_of(request))) == {"client_id": "1406020730", "scope": "example_scope"}
        assert awaiting == AWAITING
        assert awaiting.user_code == "WDJB-MJHT"
        assert isinstance(awaiting.device_code, Secret)

    def test_a_confidential_client_authenticates_as_everywhere(self) -> None:
        script = Script([json_answer(200, ANSWER)])
        script.run(begin_device_login(OAuth2Client("c", "s"), None, provider=SERVER, env=ENV))
        assert script.sent[0].headers["authorization"] == "Basic Yzpz"
        assert form_of(script.sent[0]) == ""

    @pytest.mark.parametrize("interval", [None, 0, -1, "soon", True, [], 1e999, 10**400])
    def test_without_a_usable_interval_it_is_five_seconds(self, interval: object) -> None:
        answer = Response(200, (), json.dumps(ANSWER | {"interval": interval}).encode())
        assert parse_device_answer(answer, SERVER, now=NOW).interval == 5

    def test_numbers_as_text_and_what_google_calls_the_page(self) -> None:
        answer = {name: value for name, value in ANSWER.items() if not name.startswith("verification")}
        answer |= {"verification_url": "https://www.example.com/device", "expires_in": "900", "interval": "7"}
        awaiting = parse_device_answer(json_answer(200, answer), SERVER, now=NOW)
        assert (awaiting.verification_uri, awaiting.interval) == ("https://www.example.com/device", 7)
        assert awaiting.expires_at == NOW + 900
        assert awaiting.verification_uri_complete is None
        assert awaiting.scopes is None

    def test_an_empty_complete_page_is_none(self) -> None:
        answer = json_answer(200, ANSWER | {"verification_uri_complete": ""})
        assert parse_device_answer(answer, SERVER, now=NOW).verification_uri_complete is None

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"device_code": None}, "device_code is a str, not NoneType"),
            ({"device_code": ""}, "device_code is printable"),
            ({"user_code": 12345}, "user_code is a str, not int"),
            ({"user_code": "\x1b[2J"}, "user_code is printable"),
            ({"user_code": "A" * 5000}, "user_code is printable"),
            ({"verification_uri": None}, "verification_uri is a str"),
            ({"verification_uri": "javascript:alert(1)"}, "not an absolute http"),
            ({"verification_uri": "https://example.com@evil.test/"}, "not an absolute http"),
            ({"verification_uri": "https://example.com/\u202e"}, "verification_uri is printable"),
            ({"verification_uri_complete": "file:///etc/passwd"}, "not an absolute http"),
            ({"verification_uri_complete": 7}, "verification_uri_complete is a str"),
            ({"expires_in": None}, "without a usable expires_in"),
            ({"expires_in": "soon"}, "without a usable expires_in"),
        ],
        ids=str,
    )
    def test_what_a_user_cannot_be_shown_is_refused(self, change: dict[str, object], said: str) -> None:
        with pytest.raises(errors.RemoteProtocolError, match=f"Example answered 200 .*{said}") as caught:
            parse_device_answer(json_answer(200, ANSWER | change), SERVER, now=NOW)
        assert caught.value.__context__ is None

    @given(DOCUMENTS | st.fixed_dictionaries({}, optional=dict.fromkeys(ANSWER, DOCUMENTS)))
    def test_no_answer_crashes_the_parser(self, document: object) -> None:
        merged = ANSWER | document if isinstance(document, dict) else document
        for answer in (document, merged):
            try:
                read = parse_device_answer(json_answer(200, answer), SERVER, now=NOW)
            except (errors.RemoteProtocolError, errors.ApiError):
                continue
            assert AwaitingDevice.from_json(read.to_json()) == read

    def test_a_refusal(self) -> None:
        with pytest.raises(errors.InvalidScope):
            Script([refused("invalid_scope")]).run(begin_device_login(CLIENT, ["x"], provider=SERVER, env=ENV))

    def test_a_provider_without_devices(self) -> None:
        with pytest.raises(errors.LocalProtocolError, match="no endpoint 'device_authorization'"):
            Flow(begin_device_login(CLIENT, None, provider=Provider("p", "https://a.test"), env=ENV))

    def test_scopes_are_a_list(self) -> None:
        with pytest.raises(errors.InvalidParameter, match="not one str"):
            Flow(begin_device_login(CLIENT, "tweet.read", provider=SERVER, env=ENV))


@dataclass
class Waiting:
    """Runs a login's end against a clock that moves by what is slept, and `took` seconds for each question."""

    answers: list[Response | errors.TransportError]
    took: float = 0.0
    now: float = NOW
    slept: list[float] = field(default_factory=list)
    asked: list[tuple[float, dict[str, str]]] = field(default_factory=list)

    def finish(self, awaiting: AwaitingDevice = AWAITING, provider: Provider = SERVER) -> OAuth2Tokens:
        env = Env(clock=lambda: self.now, entropy=bytes)
        flow = Flow(finish_device_login(CLIENT, awaiting, provider=provider, env=env))
        while flow.state is State.WAITING:
            match flow.effect:
                case Sleep(seconds):
                    self.slept.append(seconds)
                    self.now += seconds
                    flow.resume(None)
                case Send(request):
                    self.asked.append((self.now - NOW, dict(decode(form_of(request)))))
                    self.now += self.took
                    answer = self.answers.pop(0)
                    flow.receive(answer) if isinstance(answer, Response) else flow.fail(answer)
                case other:
                    raise AssertionError(f"no script for {other!r}")
        return flow.result


class TestFinish:
    def test_the_question_of_rfc_8628_section_3_4(self) -> None:
        waiting = Waiting([TOKENS])
        tokens = waiting.finish()
        assert waiting.asked == [
            (
                5,
                {
                    "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                    "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
                    "client_id": "1406020730",
                },
            )
        ]
        assert tokens == OAuth2Tokens("AT", "Bearer", NOW + 5, NOW + 65, scopes=("example_scope",))

    def test_while_the_user_decides_it_asks_again_every_interval(self) -> None:
        waiting = Waiting([refused("authorization_pending")] * 3 + [TOKENS])
        assert waiting.finish().access_token == "AT"
        assert waiting.slept == [5, 5, 5, 5]

    def test_each_slow_down_adds_five_seconds_for_good(self) -> None:
        pending, slower = refused("authorization_pending"), refused("slow_down")
        waiting = Waiting([pending, slower, pending, slower, pending, TOKENS])
        waiting.finish()
        assert waiting.slept == [5, 5, 10, 10, 15, 15]

    def test_a_service_that_says_so_with_a_success_status(self) -> None:
        """GitHub answers 200 with `error`."""
        waiting = Waiting([refused("authorization_pending", 200), refused("slow_down", 200), TOKENS])
        assert waiting.finish().access_token == "AT"
        assert waiting.slept == [5, 5, 10]

    def test_a_services_own_word_for_pending(self) -> None:
        own = Provider(
            "Example",
            SERVER.base_url,
            SERVER.endpoints,
            errors=ErrorTable({"not_yet": errors.AuthorizationPending, "easy": errors.SlowDown}),
        )
        waiting = Waiting([refused("not_yet"), refused("easy"), TOKENS])
        assert waiting.finish(provider=own).access_token == "AT"
        assert waiting.slept == [5, 5, 10]

    def test_trouble_of_transport_doubles_the_interval_and_goes_on(self) -> None:
        trouble = [errors.ConnectError("no route"), errors.TimedOut("slow", sent=True)]
        waiting = Waiting([*trouble, refused("authorization_pending"), TOKENS])
        assert waiting.finish().access_token == "AT"
        assert waiting.slept == [5, 10, 20, 20]

    @pytest.mark.parametrize("trouble", [Response(503), Response(502, (), b"<html>"), Response(429), Response(500)])
    def test_trouble_of_the_service_does_the_same(self, trouble: Response) -> None:
        waiting = Waiting([trouble, refused("authorization_pending"), trouble, TOKENS])
        assert waiting.finish().access_token == "AT"
        assert waiting.slept == [5, 10, 10, 20]

    def test_endless_trouble_of_the_service_ends_by_our_clock(self) -> None:
        waiting = Waiting([Response(503)] * 99)
        with pytest.raises(errors.LoginExpired, match="did not decide in time"):
            waiting.finish()
        assert len(waiting.asked) < 10

    def test_it_ends_by_our_clock_and_never_sleeps_beyond(self) -> None:
        soon = AwaitingDevice("C", "https://a.test/", None, int(NOW) + 12, 5, AWAITING.provider, "D")
        waiting = Waiting([refused("authorization_pending")] * 9)
        with pytest.raises(errors.LoginExpired, match="did not decide in time"):
            waiting.finish(soon)
        assert waiting.slept == [5, 5, 2]
        assert [when for when, _ in waiting.asked] == [5, 10]

    def test_endless_trouble_ends_too(self) -> None:
        waiting = Waiting([errors.TimedOut("slow")] * 99, took=30)
        with pytest.raises(errors.LoginExpired):
            waiting.finish()
        assert len(waiting.asked) < 10
        assert waiting.now <= NOW + 1800

    def test_one_that_has_expired_asks_nothing(self) -> None:
        waiting = Waiting([], now=NOW + 1800)
        with pytest.raises(errors.LoginExpired):
            waiting.finish()
        assert (waiting.slept, waiting.asked) == ([], [])

    @pytest.mark.parametrize("status", [400, 403, 200, 503])
    @pytest.mark.parametrize("error", ["access_denied", "authorization_declined"])  # the latter is Microsoft Entra's
    def test_a_denial(self, error: str, status: int) -> None:
        waiting = Waiting([refused("authorization_pending"), refused(error, status)])
        with pytest.raises(errors.Denied, match="did not let the application in"):
            waiting.finish()

    @pytest.mark.parametrize("status", [400, 200])
    def test_the_services_word_that_it_has_expired(self, status: int) -> None:
        with pytest.raises(errors.LoginExpired, match="Example says that this login has expired"):
            Waiting([refused("expired_token", status)]).finish()

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (refused("invalid_grant"), errors.InvalidGrant),
            (refused("invalid_client", 401), errors.InvalidClient),
            (Response(501), errors.ApiError),
            (Response(404), errors.NotFound),
            (Response(200, (), b"<html>"), errors.RemoteProtocolError),
        ],
    )
    def test_what_else_is_refused_comes_out(self, answer: Response, kind: type[errors.SansauthError]) -> None:
        with pytest.raises(kind):
            Waiting([answer]).finish()

    def test_it_is_finished_where_it_was_begun(self) -> None:
        with pytest.raises(
            errors.ForeignCallback, match=r"begun at https://server\.example\.com/token, not at http://"
        ):
            Waiting([]).finish(provider=SERVER.at("http://127.0.0.1:8080"))

    @pytest.mark.parametrize("awaiting", [None, AWAITING.to_json()])
    def test_what_is_no_login(self, awaiting: Any) -> None:
        with pytest.raises(errors.LocalProtocolError, match=r"read it with AwaitingDevice\.from_json") as caught:
            Waiting([]).finish(awaiting)
        assert "GmRh" not in str(caught.value)


class TestAsData:
    def test_it_goes_through_json_and_pickle_and_stays_a_value(self) -> None:
        for twin in (
            AwaitingDevice.from_json(AWAITING.to_json()),
            AwaitingDevice.from_json(AWAITING.to_json().encode()),
            pickle.loads(pickle.dumps(AWAITING)),
            copy.deepcopy(AWAITING),
        ):
            assert twin == AWAITING
            assert hash(twin) == hash(AWAITING)
            assert isinstance(twin.device_code, Secret)
        with pytest.raises(AttributeError):
            AWAITING.interval = 0  # type: ignore[misc]

    def test_the_saved_form_is_stable(self) -> None:
        """Logins begun by one release are finished by the next."""
        assert json.loads(AWAITING.to_json()) == {
            "schema": 1,
            "kind": "device",
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://example.com/device",
            "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
            "expires_at": 1_700_001_800,
            "interval": 5,
            "provider": "https://server.example.com/token",
            "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
            "scopes": ["example_scope"],
        }

    def test_it_does_not_show_its_codes(self) -> None:
        shown = "provider='https://server.example.com/token', expires_at=1700001800, ***"
        assert repr(AWAITING) == f"AwaitingDevice({shown})"

    def test_what_is_shown_to_the_user_prints(self) -> None:
        assert f"{AWAITING.user_code}" == "WDJB-MJHT"
        assert str(AWAITING.verification_uri_complete).endswith("user_code=WDJB-MJHT")

    @pytest.mark.parametrize(
        "change",
        [
            {"schema": 2},
            {"schema": True},
            {"kind": "oauth2"},
            {"user_code": ""},
            {"verification_uri": "javascript:alert(1)"},
            {"verification_uri_complete": "javascript:alert(1)"},
            {"expires_at": 1.5},
            {"expires_at": True},
            {"interval": 0},
            {"interval": "5"},
            {"interval": True},
            {"interval": float("nan")},
            {"provider": None},
            {"device_code": "\ud800"},
            {"scopes": "a b"},
            {"scopes": [1]},
        ],
        ids=str,
    )
    def test_a_record_with_a_wrong_value_is_refused_and_not_shown(self, change: dict[str, object]) -> None:
        with pytest.raises(errors.InvalidCallback, match="this str is no device's login saved by to_json") as caught:
            AwaitingDevice.from_json(json.dumps(json.loads(AWAITING.to_json()) | change))
        assert "GmRh" not in str(caught.value)
        assert caught.value.__context__ is None

    @pytest.mark.parametrize("row", [None, "", "{", b"\xff", "[]", "[" * 100_000, "{}", '{"schema":1,"kind":"device"}'])
    def test_what_is_no_record(self, row: Any) -> None:
        with pytest.raises(errors.InvalidCallback):
            AwaitingDevice.from_json(row)

    @given(st.sampled_from([*json.loads(AWAITING.to_json())]), DOCUMENTS)
    def test_a_changed_record_is_refused_or_reads_as_what_it_says(self, name: str, value: object) -> None:
        record = json.loads(AWAITING.to_json()) | {name: value}
        try:
            read = AwaitingDevice.from_json(json.dumps(record))
        except errors.InvalidCallback:
            return
        assert json.loads(read.to_json()) == record
