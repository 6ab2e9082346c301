"""Suites for pytest that put an adapter of your own under the contract that ours are under.

    import pytest
    from sansauth_io.conformance import StoreConformance

    class TestMyStore(StoreConformance):
        @pytest.fixture
        def store(self):
            return MyStore()

They need pytest, which is imported here and nowhere else in this package.
"""

from __future__ import annotations

try:
    import pytest
except ModuleNotFoundError:
    raise ModuleNotFoundError("the conformance suites need pytest: pip install pytest", name="pytest") from None

# Before the import below: else a failed assertion says nothing but that it failed.
pytest.register_assert_rewrite("sansauth_io.conformance.stores")

from sansauth_io.conformance.stores import StoreConformance  # noqa: E402  # as said

__all__ = ["StoreConformance"]
