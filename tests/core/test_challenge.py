"""Challenges (RFC 9110 section 11, RFC 6750 section 3): read as they may be written, not only as they mostly are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth.challenge import CHALLENGE_CHARACTERS, PARAMETERS, SCOPES, Challenge, read_challenge

from .support import assert_linear

NOTHING = Challenge((), "", "", ())


def test_the_example_of_rfc_6750_section_3() -> None:
    said = read_challenge('Bearer realm="example", error="invalid_token", error_description="The access token expired"')
    assert said == Challenge(("invalid_token",), "The access token expired", "", ())


def test_the_example_of_rfc_9449_section_7_1() -> None:
    said = read_challenge(
        'DPoP error="invalid_token", error_description="Invalid DPoP key binding", algs="ES256", '
        'Bearer scope="read write", error_uri="https://a.test/e?a=b"'
    )
    assert said == Challenge(("invalid_token",), "Invalid DPoP key binding", "https://a.test/e?a=b", ("read", "write"))


@pytest.mark.parametrize(
    "field",
    [
        "Bearer error=invalid_token",
        "Bearer error='invalid_token'",
        'Bearer error = "invalid_token"',
        'Bearer error\t=\t"invalid_token"',
        'Bearer Error="invalid_token"',
        'Bearer ERROR=invalid_token,realm="a"',
        'Bearer realm="a",error="invalid_token"',
        'Bearer realm="a"error="invalid_token"',
        'Bearer realm="say \\"hi\\"", error="invalid_token"',
        'Bearer realm="a\\\\", error="invalid_token"',
        'error="invalid_token"',
        'Negotiate YII=, Bearer error="invalid_token"',
        'Negotiate YII==, Bearer error="invalid_token", realm="never closed',
    ],
)
def test_names_have_any_case_and_white_space_may_surround_the_sign(field: str) -> None:
    assert read_challenge(field) == NOTHING._replace(errors=("invalid_token",))


@pytest.mark.parametrize(
    "field",
    [
        "",
        "Bearer",
        "Negotiate abc==",
        'Bearer realm="a, error=invalid_token"',
        'Bearer realm="\\", error=invalid_token"',
        'Bearer x-error="invalid_token"',
        'Bearer my_error="invalid_token"',
        'Bearer error="The token is unknown"',
        "Bearer error:invalid_token",
    ],
)
def test_what_is_no_error_is_none(field: str) -> None:
    assert read_challenge(field).errors == ()


def test_of_several_challenges_all_errors_are_told() -> None:
    said = read_challenge('Bearer error="invalid_token", error_description="a", DPoP error="b", error_description="c"')
    assert said == Challenge(("invalid_token", "b"), "a", "", ())


def test_what_was_escaped_is_plain() -> None:
    assert read_challenge('Bearer error_description="say \\"a\\\\b\\""').description == 'say "a\\b"'


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("read", ("read",)),
        (" read  write ", ("read", "write")),
        ("https://a.test/auth:x token:write", ("https://a.test/auth:x", "token:write")),
        ("é \\\\ ok", ("ok",)),
        ("x" * 200, ("x" * 200,)),
        ("x" * 201, ()),
        ("", ()),
    ],
)
def test_scopes_are_those_of_rfc_6749_section_3_3(scope: str, scopes: tuple[str, ...]) -> None:
    assert read_challenge(f'Bearer scope="{scope}"').scopes == scopes


def test_of_all_there_may_be_too_many() -> None:
    assert len(read_challenge(f'Bearer scope="{"a " * 100}"').scopes) == SCOPES
    assert len(read_challenge("Bearer " + "error=a, " * 100).errors) == PARAMETERS
    assert read_challenge(" " * CHALLENGE_CHARACTERS + "error=a") == NOTHING


@given(st.text())
def test_no_field_crashes_the_reader(field: str) -> None:
    read_challenge(field)
    read_challenge(f"Bearer error={field}")


@pytest.mark.parametrize(
    "repeated", ["a", "a ", "a=", 'a="', 'a="\\', "a=\\", 'a=",', "error=a, ", "-", "a-", '"', "\\", 'a\t"', "a= "]
)
def test_a_hostile_field_takes_linear_time(repeated: str) -> None:
    for size in (300, CHALLENGE_CHARACTERS // 2):
        assert_linear(read_challenge, lambda length: repeated * (length // len(repeated)), size)
