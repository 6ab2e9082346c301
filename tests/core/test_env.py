"""Env: injected, never imported."""

from __future__ import annotations

import re

from sansauth import Env

from .support import ENV, NONCE, TIMESTAMP


def test_a_timestamp_is_whole_seconds() -> None:
    assert Env(clock=lambda: 1318622958.999, entropy=bytes).timestamp() == 1318622958
    assert ENV.timestamp() == TIMESTAMP


def test_a_nonce_is_sixteen_bytes_of_entropy_in_hexadecimal() -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return bytes(range(size))

    nonce = Env(clock=lambda: 0.0, entropy=entropy).nonce()
    assert asked == [16]
    assert nonce == "000102030405060708090a0b0c0d0e0f"
    assert re.fullmatch("[0-9a-f]{32}", ENV.nonce())
    assert ENV.nonce() == NONCE
