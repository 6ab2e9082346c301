"""Import: in a fresh interpreter, less what the interpreter takes to start and stop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from time import perf_counter

from benchmarks.report import table

ROUNDS = 8

BARE = "pass"
NAMES = "import sansauth"
TOKEN = "from sansauth.x import token"
OAUTHLIB = "import oauthlib.oauth1"
PEERS = [
    OAUTHLIB,
    "import requests_oauthlib",
    "import authlib.integrations.httpx_client",
    "import xdk",
]


RESOLUTION = 0.001  # seconds


def measure(statements: Iterable[str], *, rounds: int) -> dict[str, float | None]:
    """The seconds each statement takes, the fastest of so many rounds; None if the package is not installed."""
    best: dict[str, float | None] = dict.fromkeys([BARE, *statements])
    present = [statement for statement in best if _run(statement).returncode == 0]  # also writes what Python caches
    for _ in range(rounds):
        for statement in present:
            begin = perf_counter()
            _run(statement)
            took = perf_counter() - begin
            best[statement] = min(took, best[statement] or took)
    bare = best.pop(BARE) or 0.0
    # Never below what starting an interpreter varies by: the difference of two such times may even be negative.
    return {statement: None if took is None else max(took - bare, RESOLUTION) for statement, took in best.items()}


def _run(statement: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-I", "-c", statement], check=False, stderr=subprocess.DEVNULL)


def tables() -> Iterator[str]:
    """One table for the package, one for its first operation."""
    measured = measure([NAMES, TOKEN, *PEERS], rounds=ROUNDS)
    for title, ours in (("The package", NAMES), ("Its first operation", TOKEN)):
        yield table(title, {name: measured[name] for name in (ours, *PEERS)}, unit="ms")
