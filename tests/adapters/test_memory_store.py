"""The store of one process, under the suite that every store is under."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from sansauth_io.conformance import StoreConformance
from sansauth_io.conformance.waiting import at_once
from sansauth_io.stores import LEASE_SECONDS, MemoryStore, Store


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    def test_it_does_not_block(self, store: Store) -> None:
        assert store.blocking is False

    def test_its_repr_counts_its_records(self, store: Store) -> None:
        store.save("k", b"", None)
        assert repr(store) == "<MemoryStore of 1 records>"

    def test_two_stores_share_nothing(self, store: Store) -> None:
        other = MemoryStore()
        store.save("k", b"1", None)
        store.acquire("k", "me", LEASE_SECONDS)
        assert other.load("k") is None
        assert other.acquire("k", "you", LEASE_SECONDS)

    def test_a_forgotten_coroutine_may_release_its_lease_in_the_middle_of_a_save(self) -> None:
        # The garbage collector closes it wherever it likes to; here, where a version is counted.
        store = MemoryStore()
        store.acquire("k", "forgotten", LEASE_SECONDS)
        versions = iter(range(1, 9))

        def count() -> int:
            store.release("k", "forgotten")
            return next(versions)

        store._versions = iter(count, None)  # type: ignore[assignment]
        assert at_once(1, lambda _: store.save("k", b"1", None)) == [1]
        assert store.acquire("k", "me", LEASE_SECONDS)


def test_the_suite_without_pytest_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("sansauth_io.conformance")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(ModuleNotFoundError, match="conformance suites need pytest: pip install pytest") as raised:
        importlib.import_module("sansauth_io.conformance")
    assert raised.value.name == "pytest"


def test_a_failure_of_the_suite_shows_what_was_compared(tmp_path: Path) -> None:
    """The assertions of a package are bare unless pytest is told to rewrite them."""
    (tmp_path / "test_bad.py").write_text(
        """
import pytest
from sansauth_io.conformance import StoreConformance
from sansauth_io.stores import MemoryStore

class Bad(MemoryStore):
    def load(self, key):
        return None

class TestBad(StoreConformance):
    @pytest.fixture
    def store(self):
        return Bad()
""",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "names_the_version", "test_bad.py"]
    done = subprocess.run(command, cwd=tmp_path, check=False, stdout=subprocess.PIPE, encoding="utf-8")
    assert "assert None == Stored(<1 bytes>, version=2)" in done.stdout
    assert "PytestAssertRewriteWarning" not in done.stdout
