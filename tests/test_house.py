"""The house keeps its own promises: README, CI, bounds of dependencies."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_block_runs_the_demo_and_the_second_the_tests() -> None:
    demo, tests = blocks("sh")[:2]
    assert demo.strip().endswith("sansauth demo")
    assert tests.strip().endswith("tox")
    assert "\n" not in demo.strip()
    assert "\n" not in tests.strip()


@pytest.mark.parametrize("block", blocks("python")[:2])
def test_the_code_without_io_runs_as_printed(block: str) -> None:
    printed: list[str] = []
    exec(block, {"print": lambda *values: printed.append(" ".join(map(str, values)))})
    for line in re.findall(r"# (.+)$", block, re.MULTILINE):
        assert line in printed
    assert printed


@pytest.mark.parametrize("block", blocks("python")[2:])
def test_the_code_of_each_transport_is_code_and_its_imports_exist(block: str) -> None:
    tree = compile(block, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    for node in imports:
        if isinstance(node, ast.ImportFrom):
            pytest.importorskip((node.module or "").rpartition(".")[2] if "_io." in (node.module or "") else "sansauth")
    module = ast.Module(body=list(imports), type_ignores=[])
    exec(compile(module, "README.md", "exec"), {})
    assert imports


def lower_bounds() -> dict[str, str]:
    requirements = [*PROJECT["dependencies"], *(r for rs in PROJECT["optional-dependencies"].values() for r in rs)]
    found = [re.match(r"([a-z0-9_-]+)(?:\[[^\]]*\])?>=([0-9.]+)", requirement) for requirement in requirements]
    return {match[1]: match[2] for match in found if match}


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "tests" / name).read_text(encoding="utf-8")
    return dict(line.split("==") for line in text.splitlines() if line and not line.startswith("#"))


def test_the_oldest_environment_has_the_lowest_version_of_every_dependency() -> None:
    bounds = lower_bounds()
    oldest = pins("oldest.txt")
    assert {name: version for name, version in bounds.items() if name != "httpx2"} == oldest
    httpx2 = pins("oldest-httpx2.txt")
    assert httpx2.pop("h11") == "0.16"
    assert {name: bounds[name] for name in httpx2} == httpx2
