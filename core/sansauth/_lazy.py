"""Names of a package that are imported on first use (PEP 562), so that importing one does not pay for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

__all__ = ["imported_on_use"]


def imported_on_use(
    package: str, homes: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of `package`; `homes` maps its modules to the names it exports from them.

    No name may be that of a module: importing the module would put it in the name's place.
    """
    home = {name: module for module, names in homes.items() for name in names}

    def get(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module  # not loaded by Python itself, and not needed to import one name directly

        value: object = getattr(import_module(f"{package}.{home[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return get, names
