"""Who calls whom, and by which clock."""

from __future__ import annotations

from dataclasses import dataclass

from sansauth.call import require_identity
from sansauth.env import Env
from sansauth.identity import Identity
from sansauth.provider import Provider
from sansauth_io._arguments import required

__all__ = ["Caller"]


@dataclass(frozen=True, slots=True)
class Caller:
    """What every method of a client needs."""

    identity: Identity
    provider: Provider
    env: Env

    def __post_init__(self) -> None:
        require_identity(self.identity)
        required("provider", self.provider, Provider)
        required("env", self.env, Env)
