"""A login that waits for a human is data: it goes through JSON, shows nothing, and refuses what it did not write."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import AwaitingUser, Secret, errors
from sansauth.awaiting import handed_in, require_open
from sansauth.x import TWITTER, X

from .support import TIMESTAMP

WAITING = AwaitingUser(
    kind="oauth1",
    url="https://api.x.com/oauth/authorize?oauth_token=hunter2",
    expires_at=TIMESTAMP + 900,
    provider="https://api.x.com",
    callback="https://app.test/back?session=hunter2",
    reference="hunter2",
    secret="hunter2-secret",
)
TEXT = st.text(st.characters(codec="utf-8"), min_size=1)
LOGINS = st.builds(
    AwaitingUser,
    kind=st.sampled_from(["oauth1", "oauth2"]),
    url=TEXT.map(lambda text: "https://a.test/?" + "".join(text.split()).encode().hex()),
    expires_at=st.integers(),
    provider=TEXT,
    callback=TEXT,
    reference=TEXT,
    secret=st.text(st.characters(codec="utf-8")),
)
VALUES: st.SearchStrategy[object] = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(LOGINS)
def test_what_was_saved_is_what_is_read(awaiting: AwaitingUser) -> None:
    for read in (AwaitingUser.from_json(awaiting.to_json()), AwaitingUser.from_json(awaiting.to_json().encode())):
        assert read == awaiting
        assert hash(read) == hash(awaiting)
        assert isinstance(read.reference, Secret)
        assert isinstance(read.secret, Secret)


@given(VALUES)
def test_whatever_else_is_saved_there_is_one_typed_error(row: Any) -> None:
    with pytest.raises(errors.InvalidCallback, match="no login saved by to_json"):
        AwaitingUser.from_json(row)


@given(DOCUMENTS)
def test_any_other_document_is_the_same_error(document: object) -> None:
    with pytest.raises(errors.InvalidCallback):
        AwaitingUser.from_json(json.dumps(document))


@given(st.sampled_from([*json.loads(WAITING.to_json())]), DOCUMENTS)
def test_a_record_that_was_changed_is_refused_or_reads_as_what_it_says(name: str, value: object) -> None:
    record = json.loads(WAITING.to_json()) | {name: value}
    try:
        read = AwaitingUser.from_json(json.dumps(record))
    except errors.InvalidCallback:
        return
    assert json.loads(read.to_json()) == record


@pytest.mark.parametrize("schema", [True, 1.0, "1", 2, None])
def test_another_schema_is_refused_even_if_python_calls_it_equal(schema: object) -> None:
    with pytest.raises(errors.InvalidCallback, match="schema 1"):
        AwaitingUser.from_json(json.dumps(json.loads(WAITING.to_json()) | {"schema": schema}))


@pytest.mark.parametrize("name", list(json.loads(WAITING.to_json())))
def test_a_record_without_one_of_its_members_is_refused_and_not_shown(name: str) -> None:
    record = json.loads(WAITING.to_json())
    del record[name]
    with pytest.raises(errors.InvalidCallback) as caught:
        AwaitingUser.from_json(json.dumps(record))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"schema": "1"},
        {"schema": None},
        {"kind": "oauth3"},
        {"kind": None},
        {"url": "javascript:alert(1)"},
        {"url": "https://user:hunter2@a.test/"},
        {"url": ""},
        {"url": 1},
        {"expires_at": "1"},
        {"expires_at": 1.5},
        {"expires_at": True},
        {"expires_at": None},
        {"provider": ""},
        {"callback": None},
        {"reference": ""},
        {"reference": ["hunter2"]},
        {"reference": "\ud800"},
        {"secret": None},
    ],
    ids=str,
)
def test_a_record_of_another_schema_or_with_a_wrong_value_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(errors.InvalidCallback, match="this str is no login saved by to_json, schema 1"):
        AwaitingUser.from_json(json.dumps(json.loads(WAITING.to_json()) | change))


def test_a_lost_session_is_said_to_be_one() -> None:
    with pytest.raises(errors.LoginError, match=r"this NoneType is no login .* begin another"):
        AwaitingUser.from_json(None)  # type: ignore[arg-type]


def test_a_member_of_a_later_release_is_ignored_within_the_same_schema() -> None:
    assert AwaitingUser.from_json(json.dumps(json.loads(WAITING.to_json()) | {"issuer": "x"})) == WAITING


def test_the_saved_form_is_stable() -> None:
    """Logins begun by one release are finished by the next."""
    assert json.loads(WAITING.to_json()) == {
        "schema": 1,
        "kind": "oauth1",
        "url": "https://api.x.com/oauth/authorize?oauth_token=hunter2",
        "expires_at": TIMESTAMP + 900,
        "provider": "https://api.x.com",
        "callback": "https://app.test/back?session=hunter2",
        "reference": "hunter2",
        "secret": "hunter2-secret",
    }


def test_nothing_shows_where_values_are_shown() -> None:
    shown = f"AwaitingUser(kind='oauth1', provider='https://api.x.com', expires_at={TIMESTAMP + 900}, ***)"
    assert repr(WAITING) == str(WAITING) == shown
    assert repr(object.__new__(AwaitingUser)) == "AwaitingUser(kind=None, provider=None, expires_at=None, ***)"


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        WAITING.secret = "x"  # type: ignore[misc]


def test_a_pickle_is_the_versioned_text() -> None:
    assert pickle.loads(pickle.dumps(WAITING)) == WAITING
    assert copy.deepcopy(WAITING) == copy.copy(WAITING) == WAITING
    later = pickle.dumps(WAITING).replace(b'"schema":1', b'"schema":2')
    with pytest.raises(errors.InvalidCallback):
        pickle.loads(later)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "oauth3"}, "one of oauth1, oauth2"),
        ({"expires_at": 1.5}, "as an int, not float"),
        ({"reference": ""}, "reference of a login is a str that is not empty, not str"),
        ({"secret": b"hunter2"}, "secret of a login is a str that is not empty, not bytes"),
        ({"secret": "hunter2\ud800"}, "secret of a login holds a lone surrogate"),
    ],
)
def test_one_that_is_made_by_hand_is_checked_too(change: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidParameter, match=said) as caught:
        dataclasses.replace(WAITING, **change)
    assert "hunter2" not in str(caught.value)


class TestRequireOpen:
    def test_an_open_one(self) -> None:
        assert require_open(WAITING, "oauth1", at=X.origin, now=WAITING.expires_at - 0.001) is None

    @pytest.mark.parametrize("late", [0, 0.5, 10**9])
    def test_an_expired_one(self, late: float) -> None:
        with pytest.raises(errors.LoginExpired, match="begin another"):
            require_open(WAITING, "oauth1", at=TWITTER.origin, now=WAITING.expires_at + late)

    @pytest.mark.parametrize("provider", [TWITTER, X.at("http://127.0.0.1:8080")])
    def test_one_of_another_provider(self, provider: Any) -> None:
        with pytest.raises(errors.ForeignCallback, match=r"begun at https://api\.x\.com, not at"):
            require_open(WAITING, "oauth1", at=provider.origin, now=TIMESTAMP)

    def test_one_of_another_protocol(self) -> None:
        with pytest.raises(errors.InvalidCallback, match="begun by oauth1 and cannot be finished by oauth2"):
            require_open(WAITING, "oauth2", at=X.origin, now=TIMESTAMP)

    def test_whatever_else_is_handed_in_is_known_by_its_type_alone(self) -> None:
        assert handed_in(WAITING) is WAITING
        row: Any = WAITING.to_json()
        assert "hunter2" not in repr(handed_in(row))
        for handed, kind in ((row, "str"), (None, "NoneType"), (json.loads(row), "dict")):
            with pytest.raises(errors.LocalProtocolError, match=f"not {kind}; read it with"):
                require_open(handed_in(handed), "oauth1", at=X.origin, now=TIMESTAMP)

    @pytest.mark.parametrize("row", [WAITING.to_json(), None])
    def test_what_is_none(self, row: Any) -> None:
        with pytest.raises(errors.LocalProtocolError, match=r"read it with AwaitingUser\.from_json") as caught:
            require_open(row, "oauth1", at=X.origin, now=TIMESTAMP)
        assert "hunter2" not in str(caught.value)


class TestWhatOAuth2Keeps:
    LOGIN = dataclasses.replace(WAITING, kind="oauth2", scopes=("a", "b"), max_age=60.0, dpop_key="hunter2-key")

    def test_it_goes_through_json(self) -> None:
        assert AwaitingUser.from_json(self.LOGIN.to_json()) == self.LOGIN
        assert "hunter2-key" not in repr(self.LOGIN)

    @pytest.mark.parametrize(
        "change",
        [
            {"scopes": "a b"},
            {"scopes": [7]},
            {"scopes": {"a": 1}},
            {"max_age": -1},
            {"max_age": "60"},
            {"max_age": True},
        ],
    )
    def test_what_is_none_of_it_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(errors.InvalidCallback):
            AwaitingUser.from_json(json.dumps(json.loads(self.LOGIN.to_json()) | change))
