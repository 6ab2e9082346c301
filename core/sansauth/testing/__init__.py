"""For tests: a whole provider in process, and every order in which callers can meet; no I/O.

    sandbox = Sandbox()
    flow = Flow(token(sandbox.app))
    flow.receive(sandbox.handle(flow.request))
    flow.result                                   # the sandbox's bearer token

`explore` runs several operations in every order in which their effects can happen, with faults among them.

Nothing here is loaded by `import sansauth`. Names are imported on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sansauth.testing.env import fixed_env
    from sansauth.testing.exploring import explore
    from sansauth.testing.sandbox import Handled, Sandbox
    from sansauth.testing.schedules import (
        Driver,
        End,
        Event,
        Explored,
        Fault,
        Faults,
        Gone,
        ScheduleFailed,
        TooManyStates,
        World,
    )

__all__ = [
    "Driver",
    "End",
    "Event",
    "Explored",
    "Fault",
    "Faults",
    "Gone",
    "Handled",
    "Sandbox",
    "ScheduleFailed",
    "TooManyStates",
    "World",
    "explore",
    "fixed_env",
]

_HOMES = {"Handled": "sandbox", "Sandbox": "sandbox", "explore": "exploring", "fixed_env": "env"} | dict.fromkeys(
    (
        "Driver",
        "End",
        "Event",
        "Explored",
        "Fault",
        "Faults",
        "Gone",
        "ScheduleFailed",
        "TooManyStates",
        "World",
    ),
    "schedules",
)


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _HOMES:
        value: object = getattr(import_module(f"sansauth.testing.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sansauth.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
