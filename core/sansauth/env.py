"""Env: the clock and the entropy that operations need, injected and never imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Env"]

NONCE_BYTES = 16  # 128 bits: RFC 5849 section 3.3 wants uniqueness per timestamp, RFC 6749 section 10.10 unguessability


@dataclass(frozen=True, slots=True)
class Env:
    """Where time and randomness come from.

    `clock()` gives Unix seconds, `entropy(n)` gives n random bytes. `sansauth_io.system_env()` is the machine's; a
    test pins both: `Env(clock=lambda: 1318622958.0, entropy=lambda n: bytes(n))`.
    """

    clock: Callable[[], float]
    entropy: Callable[[int], bytes]

    def timestamp(self) -> int:
        """Whole Unix seconds (RFC 5849 section 3.3)."""
        return int(self.clock())

    def nonce(self) -> str:
        """32 hexadecimal digits, from 16 bytes of entropy."""
        return self.entropy(NONCE_BYTES).hex()
