"""sansauth_io does the sending: transports, drivers, stores.

Each transport is a module of its own, so that nothing is imported that is not used: `sansauth_io.requests`,
`sansauth_io.httpx`, `sansauth_io.httpx2`, `sansauth_io.trio`.
"""

from __future__ import annotations

import secrets
import time

from sansauth.effects import Timeouts
from sansauth.env import Env

__all__ = ["Timeouts", "system_env"]


def system_env() -> Env:
    """This machine's clock and its operating system's entropy."""
    return Env(clock=time.time, entropy=secrets.token_bytes)
