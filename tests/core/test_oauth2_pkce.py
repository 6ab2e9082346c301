"""Proof keys (RFC 7636)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Env, Secret, errors
from sansauth.oauth2.pkce import VERIFIER_BYTES, code_challenge, code_verifier

# RFC 7636 appendix B
OCTETS = bytes([
    116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173,
    187, 186, 22, 212, 37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83,
    132, 141, 121,
])  # fmt: skip
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_rfc_7636_appendix_b() -> None:
    env = Env(clock=lambda: 0.0, entropy=lambda size: OCTETS[:size])
    assert code_verifier(env) == VERIFIER
    assert code_challenge(VERIFIER) == CHALLENGE


def test_a_verifier_is_a_secret_of_256_bits() -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    assert isinstance(code_verifier(Env(clock=lambda: 0.0, entropy=entropy)), Secret)
    assert asked == [VERIFIER_BYTES] == [32]


@given(st.binary(min_size=32, max_size=32))
def test_every_verifier_has_a_challenge_of_43_characters(octets: bytes) -> None:
    verifier = code_verifier(Env(clock=lambda: 0.0, entropy=lambda size: octets))
    assert len(verifier) == len(code_challenge(verifier)) == 43


@pytest.mark.parametrize("verifier", ["", "hunter2", "a" * 42, "a" * 129, "a" * 42 + "=", "a" * 42 + "\n", "é" * 43])
def test_what_is_no_verifier_is_refused_and_not_shown(verifier: str) -> None:
    with pytest.raises(errors.InvalidParameter, match="43 to 128 letters") as caught:
        code_challenge(verifier)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("verifier", ["a" * 43, "-._~" * 32])
def test_the_shortest_and_the_longest(verifier: str) -> None:
    assert len(code_challenge(verifier)) == 43


@pytest.mark.parametrize("verifier", [None, b"a" * 20])
def test_no_text(verifier: Any) -> None:
    with pytest.raises(errors.InvalidParameter):
        code_challenge(verifier)
