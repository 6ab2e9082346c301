"""Imports run downwards, and what one service does differently is data: nothing below `x` knows X."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_purity import CORE, MODULES, SOURCES

# From the bottom to the top. A module imports from layers below its own only.
LAYERS = [
    {"_version", "_lazy", "secret", "ratelimit", "paging", "env", "http_date", "challenge"},
    {"errors", "retry_after"},
    {"registered_codes"},
    {"encoding"},
    {"url"},
    {"http"},
    {"provider", "identity"},
    {"tokens", "app_token", "refusal", "awaiting", "callback"},
    {"effects"},
    {"flow", "claim", "oauth1.signature", "oauth1.methods", "oauth1.problems"},
    {"oauth1.signer", "oauth1.received"},
    {"oauth1.judging"},
    {"oauth1.verification"},
    {"oauth1.send", "oauth1.credentials"},
    {"oauth1.unsigned"},
    {"oauth1.login", "oauth1.password"},
    {"oauth1.explaining", "oauth1.explaining.authorization", "oauth1.explaining.shell_words"},
    {"oauth1.explaining.carried", "oauth1.explaining.curl", "oauth1.explaining.facts", "oauth1.explaining.masking"},
    {"oauth1.explaining.drafts", "oauth1.explaining.terminal", "oauth1.explaining.page"},
    {f"oauth1.explaining.mistakes_of_{part}" for part in ("uri", "parameters", "encoding", "key")},
    {"oauth1.explaining.diagnosis", "oauth1.explaining.explanation"},
    {"oauth1.explaining.checks", "oauth1.explaining.layout"},
    {"oauth1.explaining.explainer"},
    {"oauth1", "oauth2"},
    {"oauth2.keys"},
    {"oauth2.jws", "oauth2.jwks"},
    {"oauth2.assertion", "oauth2.dpop", "oauth2.id_token"},
    {"oauth2.app_only"},
    {"oauth2.client_auth", "oauth2.pkce", "oauth2.bearing"},
    {"oauth2.answer", "oauth2.revocation"},
    {"oauth2.grants", "oauth2.introspection", "oauth2.metadata", "oauth2.registration", "oauth2.userinfo"},
    {"oauth2.saving"},
    {"oauth2.device", "oauth2.login", "oauth2.lifecycle", "oauth2.blameless", "oauth2.accounts"},
    {"lifecycle"},
    {"call"},
    {"x.presets"},
    {"x.bearer_token", "x.reverse_auth", "x.login", "x.echo", "x.webhooks"},
    {"x.access_token"},
    {"x"},
    {""},  # sansauth itself, which imports lazily
]
RANK = {f"sansauth.{name}".rstrip("."): rank for rank, layer in enumerate(LAYERS) for name in layer}
# For a name where people look for it: a method that imports, when it is called, what is above it.
DOORS = {("sansauth.provider", "sansauth.oauth2.metadata")}
BY_MODULE = dict(zip(MODULES, SOURCES, strict=True))


def is_for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def own_imports(path: Path) -> Iterator[str]:
    """The modules of sansauth that a file imports when it runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not is_for_type_checkers(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sansauth":
            module = node.module or ""
            submodules = {f"{module}.{alias.name}" for alias in node.names} & set(MODULES)
            yield from submodules or {module}
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "sansauth")


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module: str) -> None:
    assert module in RANK, f"{module} has no place in LAYERS: give it one"
    imported = {name for name in own_imports(BY_MODULE[module]) if (module, name) not in DOORS}
    upwards = [name for name in imported if RANK[name] >= RANK[module]]
    assert upwards == []


def test_the_layers_name_no_module_that_is_gone() -> None:
    assert set(RANK) == set(MODULES)


def is_docstring(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    return isinstance(parents[node], ast.Expr)


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.parent.name != "x"], ids=lambda path: str(path.relative_to(CORE))
)
def test_nothing_below_x_mentions_its_hosts(path: Path) -> None:
    """Docstrings may give an example; strings that the program uses may not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    strings = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not is_docstring(node, parents)
    ]
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    pattern = re.compile(r"(?i)\bx\.com|twitter|\btwt")
    assert [text for text in strings + names if pattern.search(text)] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(CORE)))
def test_every_module_says_what_it_is(path: Path) -> None:
    if path.name != "_version.py":
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
