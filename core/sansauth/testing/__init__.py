"""For tests: a whole provider in process, with no I/O.

    sandbox = Sandbox()
    flow = Flow(token(sandbox.app))
    flow.receive(sandbox.handle(flow.request))
    flow.result                                   # the sandbox's bearer token

Nothing here is loaded by `import sansauth`. Names are imported on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sansauth.testing.env import fixed_env
    from sansauth.testing.sandbox import Handled, Sandbox

__all__ = ["Handled", "Sandbox", "fixed_env"]

_HOMES = {"Handled": "sandbox", "Sandbox": "sandbox", "fixed_env": "env"}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _HOMES:
        value: object = getattr(import_module(f"sansauth.testing.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sansauth.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
