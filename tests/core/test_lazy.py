"""The packages whose names are imported on first use give the same names, and no others."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import sansauth.oauth1
import sansauth.x

from .test_purity import run_python

PACKAGES = [sansauth.oauth1, sansauth.x]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_the_one_that_type_checkers_see(package: ModuleType) -> None:
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    seen = {
        alias.name: str(node.module)
        for checked in tree.body
        if isinstance(checked, ast.If)
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen.keys() <= set(package.__all__)
    for name, module in seen.items():
        assert getattr(package, name) is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_promised_name_is_there_first_and_after_all_modules(package: ModuleType) -> None:
    name = package.__name__
    modules = [f"{name}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    code = f"""
import importlib
import {name} as package
{{}}
found = [getattr(package, name) for name in package.__all__]
assert not any(type(value).__name__ == "module" for value in found), found
from {name} import *
"""
    run_python(code.format(""))
    run_python(code.format(f"[importlib.import_module(name) for name in {modules!r}]"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_promised_name_is_listed_before_it_is_used(package: ModuleType) -> None:
    """For completion in a shell, and for `dir`."""
    name = package.__name__
    run_python(
        f"import {name} as package\nassert set(package.__all__) | {{'__name__'}} <= set(dir(package)), dir(package)"
    )
    assert dir(package) == sorted(set(dir(package)))


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'no_such_name'"):
        _ = package.no_such_name


def test_a_bearer_token_is_fetched_without_what_logging_in_needs() -> None:
    code = "import sys; from sansauth.x import token; print(*(name for name in sys.modules if 'login' in name))"
    assert run_python(code).split() == []
