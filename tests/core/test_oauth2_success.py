"""Answers that are said to be successes: the JSON object, in which no text shows itself."""

from __future__ import annotations

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Response, Secret, errors
from sansauth.oauth2.app_only import success_object
from sansauth.x import X

from .support import frames_of_ours, json_answer

OBJECTS = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    ),
)


def texts_in(document: object) -> list[str]:
    match document:
        case str():
            return [document]
        case list():
            return [text for inner in cast("list[object]", document) for text in texts_in(inner)]
        case dict():
            return [text for inner in cast("dict[str, object]", document).values() for text in texts_in(inner)]
        case _:
            return []


@given(OBJECTS.filter(lambda document: not {"error", "errors"} & set(document)))
def test_every_text_is_a_secret_and_everything_else_as_it_was(document: dict[str, object]) -> None:
    answer = success_object(json_answer(200, document), X)
    assert answer == document
    assert all(type(text) is Secret for text in texts_in(answer))


@pytest.mark.parametrize(
    "document",
    [
        {"type": "credits"},
        {"code": 89, "type": "https://api.x.com/2/problems/usage-capped"},
        {"code": "invalid_grant"},
        {"error": None, "errors": [], "type": "credits"},
        {"sub": "u", "error": "invalid_grant"},
        {"active": True, "errors": [{"code": 89}]},
    ],
)
def test_a_success_that_uses_the_words_of_a_refusal_is_a_success(document: dict[str, object]) -> None:
    assert success_object(json_answer(200, document), X) == document


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"error": "invalid_grant"}, errors.InvalidGrant),
        ({"error": {"code": 89}}, errors.InvalidOrExpiredToken),
        ({"errors": [{"code": 89}]}, errors.InvalidOrExpiredToken),
        ({"errors": [{"type": "https://api.x.com/2/problems/credits"}]}, errors.CreditsDepleted),
    ],
)
def test_a_refusal_with_a_status_of_success_is_a_refusal(
    document: dict[str, object], kind: type[errors.ApiError]
) -> None:
    with pytest.raises(kind):
        success_object(json_answer(200, document), X)


def test_a_token_in_a_place_of_its_own_is_not_shown() -> None:
    answer = success_object(json_answer(200, {"data": {"access_token": "canary", "all": [["canary"], 7]}}), X)
    assert "canary" not in repr(answer)


@pytest.mark.parametrize("depth", [900, 3_000])
def test_a_depth_that_no_function_could_call_itself_to(depth: int) -> None:
    body = b'{"data": ' + b"[" * depth + b'"canary"' + b"]" * depth + b"}"
    try:
        read = json.loads(body)
    except RecursionError:  # by the version of Python: then it is no JSON that could be read
        with pytest.raises(errors.RemoteProtocolError):
            success_object(Response(200, (), body), X)
        return
    answer = success_object(Response(200, (), body), X)["data"]
    read = read["data"]
    while isinstance(answer, list):
        answer, read = cast("list[object]", answer)[0], read[0]
    assert (answer, type(answer)) == (read, Secret)


def test_the_frames_of_a_refusal_show_nothing_of_it_either() -> None:
    document = {"data": {"access_token": "canary"}, "errors": [{"code": 89, "message": "Invalid or expired token."}]}
    with pytest.raises(errors.InvalidOrExpiredToken) as caught:
        success_object(json_answer(200, document), X)
    ours = frames_of_ours(caught.value)
    assert [frame for frame in ours if "canary" in repr(frame.f_locals)] == []
    assert ours
