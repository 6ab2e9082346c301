"""The exception tree: one root, drawn in the docstring, and every ApiError carries what was said."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from sansauth import RateLimit, errors
from sansauth.errors import (
    ApiError,
    Conflict,
    InvalidHeader,
    InvalidParameter,
    InvalidURL,
    LocalProtocolError,
    ReadError,
    Refusal,
    RemoteProtocolError,
    SansauthError,
    StoreError,
    TransportError,
    UsageCapExceeded,
)

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, BaseException) and value.__module__ == errors.__name__
]
API_ERRORS = [kind for kind in CLASSES if issubclass(kind, ApiError)]
TRANSPORT_ERRORS = [kind for kind in CLASSES if issubclass(kind, TransportError)]
WINDOW = RateLimit("window", 15, 0, 1318623000)
FULL = Refusal(
    "X", 403, (99, "client-forbidden"), "words", "hint.", (WINDOW,), "id-1", 5.0, ("a", "b"), "https://a.test/e"
)


def drawn() -> dict[str, str]:
    """Name to parent, as the module's docstring draws the tree."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.fullmatch(r"    (?P<lines>[│├└─ ]*)(?P<names>[A-Z]\w+(?:, [A-Z]\w+)*)(?:  .*)?", line)
        if match is None:
            continue
        depth = len(match["lines"]) // 4
        for name in match["names"].split(", "):
            parents[name] = path[depth - 1] if depth else "Exception"
        path[depth:] = [match["names"].split(", ")[-1]]
    return parents


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert drawn() == {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}


def test_every_exception_is_exported_and_says_what_it_is() -> None:
    assert {kind.__name__ for kind in CLASSES} | {"Refusal"} == set(errors.__all__)
    assert not [kind for kind in CLASSES if not kind.__doc__]
    assert not [kind for kind in CLASSES if not issubclass(kind, SansauthError)]


def test_what_is_wrong_with_a_value_is_a_value_error_too() -> None:
    for kind in (InvalidURL, InvalidHeader, InvalidParameter):
        assert issubclass(kind, ValueError)
        assert issubclass(kind, LocalProtocolError)


def test_the_two_sides_of_a_broken_contract_are_told_apart() -> None:
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    assert not issubclass(RemoteProtocolError, LocalProtocolError)
    assert issubclass(Conflict, StoreError)


@pytest.mark.parametrize("kind", API_ERRORS)
def test_an_api_error_carries_what_was_said(kind: type[ApiError]) -> None:
    error = kind(FULL)
    assert error.refusal is FULL
    assert (error.status, error.codes, error.text, error.hint) == (403, (99, "client-forbidden"), "words", "hint.")
    assert (error.rate_limit, error.rate_limits, error.transaction_id) == (WINDOW, (WINDOW,), "id-1")
    assert (error.retry_after, error.scopes, error.error_uri) == (5.0, ("a", "b"), "https://a.test/e")
    assert str(error) == 'X answered 403 (code 99, code client-forbidden, "words"). hint.'


@pytest.mark.parametrize("kind", API_ERRORS)
def test_an_api_error_survives_pickle_and_copy(kind: type[ApiError]) -> None:
    for twin in (pickle.loads(pickle.dumps(kind(FULL))), copy.copy(kind(FULL)), copy.deepcopy(kind(FULL))):
        assert type(twin) is kind
        assert twin.refusal == FULL
        assert str(twin) == str(kind(FULL))


def test_a_refusal_that_says_nothing() -> None:
    error = ApiError(Refusal("X", 418))
    assert str(error) == "X answered 418."
    assert (error.codes, error.text, error.hint) == ((), "", "")
    assert (error.rate_limit, error.rate_limits, error.transaction_id) == (None, (), None)
    assert (error.retry_after, error.scopes, error.error_uri) == (None, (), None)


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (Refusal("X", 401, (32,)), "X answered 401 (code 32)."),
        (Refusal("X", 401, (), "words"), 'X answered 401 ("words").'),
        (Refusal("Twitter", 500, hint="Wait."), "Twitter answered 500. Wait."),
    ],
)
def test_the_sentence_of_an_api_error(refusal: Refusal, text: str) -> None:
    assert str(ApiError(refusal)) == text


@pytest.mark.parametrize("status", range(300, 600))
def test_the_table_of_what_may_be_tried_again(status: int) -> None:
    assert ApiError(Refusal("X", status)).retryable is (status in {408, 420, 429, 500, 502, 503, 504})


def test_a_used_up_cap_is_not_waited_out() -> None:
    assert UsageCapExceeded(Refusal("X", 429)).retryable is False


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
@pytest.mark.parametrize("sent", [True, False])
def test_a_transport_error_says_whether_the_service_may_have_acted(kind: type[TransportError], sent: bool) -> None:
    error = kind("the connection broke", sent=sent)
    assert str(error) == "the connection broke"
    for twin in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert twin.sent is sent
        assert str(twin) == "the connection broke"


def test_nothing_was_sent_unless_somebody_says_so() -> None:
    assert ReadError("broke").sent is False
