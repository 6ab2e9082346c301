"""Answers of a token endpoint (RFC 6749 section 5): tokens or a typed error, whatever comes back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Provider, Response, Secret, errors
from sansauth.oauth2.answer import parse_tokens, read_expires_in, read_scopes, tokens_of
from sansauth.provider import Quirks
from sansauth.tokens import OAuth2Tokens

from .support import json_answer

NOW = 1_700_000_000.0
SERVER = Provider("Example", "https://server.example.com")
# RFC 6749 section 5.1
ANSWER: dict[str, object] = {
    "access_token": "2YotnFZFEjr1zCsicMWpAA",
    "token_type": "example",
    "expires_in": 3600,
    "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA",
    "example_parameter": "example_value",
}
GOOD = ANSWER | {"token_type": "Bearer"}
PREVIOUS = OAuth2Tokens("old", "Bearer", NOW - 7200, NOW, "old-refresh", ("a", "b"), "old-id")
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def read(change: dict[str, object], **options: object) -> OAuth2Tokens:
    return parse_tokens(json_answer(200, GOOD | change), SERVER, now=NOW, **options)  # type: ignore[arg-type]


class TestSuccess:
    def test_the_example_of_rfc_6749_section_5_1(self) -> None:
        assert read({}) == OAuth2Tokens(
            "2YotnFZFEjr1zCsicMWpAA",
            "Bearer",
            NOW,
            NOW + 3600,
            "tGzv3JOkF0XG5Qx2TlKWIA",
            further={"example_parameter": "example_value"},
        )

    def test_its_texts_are_secrets(self) -> None:
        tokens = read({"id_token": "e30.e30.x"})
        assert all(isinstance(one, Secret) for one in (tokens.access_token, tokens.refresh_token, tokens.id_token))

    @pytest.mark.parametrize(
        ("said", "kind", "key"),
        [("bearer", "Bearer", None), ("BEARER", "Bearer", None), ("DPoP", "DPoP", "{}"), ("dpop", "DPoP", "{}")],
    )
    def test_the_type_of_token_whatever_its_case(self, said: str, kind: str, key: str | None) -> None:
        tokens = read({"token_type": said}, dpop_key=key)
        assert (tokens.token_type, tokens.dpop_key) == (kind, key)

    @pytest.mark.parametrize(
        ("said", "key", "why"), [("DPoP", None, "without a proof"), ("Bearer", "{}", "leave dpop_bound_access_tokens")]
    )
    def test_a_token_is_bound_to_the_key_that_was_proved_and_to_no_other(
        self, said: str, key: str | None, why: str
    ) -> None:
        with pytest.raises(errors.RemoteProtocolError, match=why):
            read({"token_type": said}, dpop_key=key)

    def test_without_scopes_those_asked_for_were_granted(self) -> None:
        assert read({}, asked=iter(["a"])).scopes == ("a",)
        assert read({"scope": None}, asked=["a"]).scopes == ("a",)
        assert read({}, asked=[]).scopes is None

    def test_no_scope_is_another_word_than_no_word(self) -> None:
        """GitHub grants fewer scopes than were asked for, and says so with an empty one."""
        assert read({"scope": ""}, asked=["a"]).scopes == ()

    def test_scopes_as_granted_and_never_an_exception(self) -> None:
        """oauthlib #562 raises "Scope has changed"."""
        assert read({"scope": "b c"}, asked=["a"]).scopes == ("b", "c")
        assert read({"scope": "c"}, previous=PREVIOUS).scopes == ("c",)


class TestRefresh:
    def test_what_the_answer_leaves_out_stays_as_it_was(self) -> None:
        """RFC 6749 section 6."""
        answer = {"access_token": "new", "token_type": "Bearer"}
        tokens = parse_tokens(json_answer(200, answer), SERVER, now=NOW, previous=PREVIOUS)
        assert tokens == OAuth2Tokens("new", "Bearer", NOW, None, "old-refresh", ("a", "b"), "old-id")

    def test_what_the_answer_brings_replaces_it(self) -> None:
        tokens = read({"id_token": "new-id", "scope": "a"}, previous=PREVIOUS)
        assert (tokens.refresh_token, tokens.id_token) == ("tGzv3JOkF0XG5Qx2TlKWIA", "new-id")
        assert tokens.scopes == ("a",)

    def test_fewer_scopes_that_were_asked_for_are_those_granted(self) -> None:
        """RFC 6749 section 5.1: an answer is silent on scopes if they are those of the request."""
        assert read({}, previous=PREVIOUS, asked=["a"]).scopes == ("a",)

    @pytest.mark.parametrize("rubbish", [None, "", 7, ["t"], {}, "a\nb"])
    def test_rubbish_does_not_replace_a_refresh_token(self, rubbish: object) -> None:
        assert read({"refresh_token": rubbish}, previous=PREVIOUS).refresh_token == "old-refresh"
        assert read({"refresh_token": rubbish}).refresh_token is None


class TestExpiry:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            (7200, 7200),
            (7200.5, 7200.5),
            ("7200", 7200),
            (" 7200 ", 7200),
            ("7200.25", 7200.25),
            (0, 0),
            (-1, 0),
            (None, None),
            ("", None),
            ("soon", None),
            ("-1", None),
            ("1e3", None),
            ("٧٢٠٠", None),
            ("1" * 5000, None),
            ("Wed, 21 Oct 2025 07:28:00 GMT", None),
            (True, None),
            (False, None),
            ([7200], None),
            ({}, None),
            (10**13, None),
            (10**400, None),
            (-(10**400), None),
            (float("inf"), None),
            (float("-inf"), None),
            (float("nan"), None),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_expires_in_of_every_kind(self, value: object, seconds: float | None) -> None:
        """oauthlib #906, Authlib #841."""
        assert read_expires_in(value) == seconds
        assert read({"expires_in": value}).expires_at == (None if seconds is None else NOW + seconds)

    @given(DOCUMENTS)
    def test_it_is_never_a_crash_and_never_before_now(self, value: object) -> None:
        seconds = read_expires_in(value)
        assert seconds is None or 0 <= seconds <= 10**12


@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        ("a b", ("a", "b")),
        (" a  b ", ("a", "b")),
        ("a,b", ("a", "b")),
        ("a, b", ("a", "b")),
        (["a", "b"], ("a", "b")),
        (["a", 7, None, ""], ("a",)),
        ("", ()),
        (" ", ()),
        ([], ()),
        ([7], None),
        (None, None),
        (7, None),
        ({"a": 1}, None),
    ],
    ids=str,
)
def test_scopes_of_every_kind(value: object, scopes: tuple[str, ...] | None) -> None:
    assert read_scopes(value) == scopes
    assert read({"scope": value}).scopes == scopes


class TestWhatIsNone:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"access_token": None}, "without a usable access_token"),
            ({"access_token": ""}, "without a usable access_token"),
            ({"access_token": 7}, "without a usable access_token"),
            ({"access_token": ["hunter2"]}, "without a usable access_token"),
            ({"access_token": "hunter2\r\nx: y"}, "without a usable access_token"),
            ({"access_token": "hunter2 x"}, "without a usable access_token"),
            ({"access_token": "hünter2"}, "without a usable access_token"),
            ({"token_type": None}, r"without a token_type that is known \(bearer, dpop\)"),
            ({"token_type": "mac"}, "without a token_type that is known"),
            ({"token_type": 7}, "without a token_type that is known"),
            ({"token_type": ""}, "without a token_type that is known"),
        ],
        ids=str,
    )
    def test_a_success_without_tokens(self, change: dict[str, object], said: str) -> None:
        with pytest.raises(errors.RemoteProtocolError, match=f"Example answered 200 {said}") as caught:
            read(change)
        assert "nter2" not in str(caught.value)

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (Response(503, {"content-type": "text/html"}, b"<html>"), errors.ServiceUnavailable),
            (Response(200, {"content-type": "text/html"}, b"<html>"), errors.RemoteProtocolError),
            (Response(200), errors.RemoteProtocolError),
            (Response(200, (), b"[]"), errors.RemoteProtocolError),
            (Response(200, (), b"null"), errors.RemoteProtocolError),
            (Response(200, (), b'"token"'), errors.RemoteProtocolError),
            (Response(200, (), b"\xff\xfe"), errors.RemoteProtocolError),
            (Response(200, (), b"access_token=t&token_type=bearer"), errors.RemoteProtocolError),
            (Response(200, (), b"[" * 100_000), errors.RemoteProtocolError),
            (Response(302, {"location": "https://evil.test/"}), errors.UnexpectedRedirect),
            (json_answer(200, {"error": "invalid_grant"}), errors.InvalidGrant),
            (json_answer(200, {"error": "bad_verification_code"}), errors.ApiError),
            (json_answer(200, {"error": ""}), errors.RemoteProtocolError),
            (json_answer(400, {"error": "invalid_grant"}), errors.InvalidGrant),
            (json_answer(401, {"error": "invalid_client"}), errors.InvalidClient),
            (json_answer(400, {"error": "invalid_scope"}), errors.InvalidScope),
            (json_answer(400, {"error": "unauthorized_client"}), errors.UnauthorizedClient),
            (json_answer(400, {"error": "unsupported_grant_type"}), errors.UnsupportedGrant),
            (json_answer(400, {"error": "invalid_request"}), errors.BadRequest),
            (json_answer(429, {"type": "about:blank", "title": "Too Many Requests"}), errors.TooManyRequests),
        ],
    )
    def test_what_else_comes_back(self, answer: Response, kind: type[errors.SansauthError]) -> None:
        with pytest.raises(kind) as caught:
            parse_tokens(answer, SERVER, now=NOW)
        assert type(caught.value) is kind

    @given(DOCUMENTS, st.fixed_dictionaries({}, optional=dict.fromkeys([*GOOD, "scope", "id_token"], DOCUMENTS)))
    def test_no_answer_crashes_the_parser(self, document: object, change: dict[str, object]) -> None:
        for answer in (document, GOOD | change):
            try:
                tokens = parse_tokens(Response(200, (), json.dumps(answer).encode()), SERVER, now=NOW)
            except (errors.RemoteProtocolError, errors.ApiError):
                continue
            assert OAuth2Tokens.from_bytes(tokens.to_bytes()) == tokens

    @given(st.binary(), st.integers(100, 599))
    def test_no_bytes_crash_it_either(self, body: bytes, status: int) -> None:
        with pytest.raises((errors.RemoteProtocolError, errors.ApiError)):
            parse_tokens(Response(status, (), body), SERVER, now=NOW)


class TestTokensOfOthers:
    """Tokens that another library holds, as members of a token answer, are adopted."""

    def test_authlibs_and_requests_oauthlibs(self) -> None:
        token = {
            "access_token": "a",
            "token_type": "bearer",
            "expires_in": 7200,
            "expires_at": NOW + 100,
            "refresh_token": "r",
            "scope": ["users.read"],
        }
        expected = OAuth2Tokens("a", "Bearer", NOW, NOW + 100, "r", ("users.read",))
        assert tokens_of(token, now=NOW) == expected

    def test_what_is_missing_is_not_known(self) -> None:
        assert tokens_of({"access_token": "a"}, now=NOW) == OAuth2Tokens("a", issued_at=NOW)

    def test_tokens_bound_to_a_key(self) -> None:
        token = {"access_token": "a", "token_type": "DPoP"}
        assert tokens_of(token, now=NOW, dpop_key="{}").dpop_key == "{}"

    @pytest.mark.parametrize("token", [{}, {"access_token": "hunter2 x"}, {"access_token": "a", "token_type": "mac"}])
    def test_what_are_no_tokens_is_refused_and_not_shown(self, token: dict[str, object]) -> None:
        with pytest.raises(errors.InvalidParameter, match="these are tokens without") as caught:
            tokens_of(token, now=NOW)
        assert "hunter2" not in str(caught.value)


class TestTypes:
    """What services call their tokens is data."""

    SLACK = replace(SERVER, quirks=Quirks(token_types={"bot": "Bearer", "": "Bearer"}))

    @pytest.mark.parametrize("said", ["bot", None, "", "bearer"])
    def test_a_service_with_words_of_its_own(self, said: str | None) -> None:
        answer = json_answer(200, GOOD | {"token_type": said})
        assert parse_tokens(answer, self.SLACK, now=NOW).token_type == "Bearer"

    def test_its_words_are_its_own(self) -> None:
        with pytest.raises(errors.RemoteProtocolError, match="token_type"):
            read({"token_type": "bot"})

    def test_what_is_no_access_token(self) -> None:
        """RFC 8693 section 2.2.1."""
        tokens = read({"token_type": "N_A", "issued_token_type": "urn:ietf:params:oauth:token-type:jwt"})
        assert tokens.token_type == "N_A"
        assert tokens.further["issued_token_type"] == "urn:ietf:params:oauth:token-type:jwt"


def test_members_of_the_answer_that_nobody_here_knows_are_kept_and_those_left_out_stay() -> None:
    """Salesforce's API host is such a one."""
    previous = replace(PREVIOUS, further={"instance_url": "https://a.example", "team": {"id": "T1"}})
    tokens = read({"team": {"id": "T2"}}, previous=previous)
    assert tokens.further == {
        "instance_url": "https://a.example",
        "team": {"id": "T2"},
        "example_parameter": "example_value",
    }
    assert OAuth2Tokens.from_bytes(tokens.to_bytes()) == tokens
    assert "T2" not in repr(tokens)
