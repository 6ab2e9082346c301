"""What the asynchronous driver needs of an event loop, and which one is running."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

__all__ = ["Runtime", "Waiter", "current_runtime"]

T = TypeVar("T")


class Waiter(Protocol):
    """One task's wait for something that any thread may announce."""

    def wake(self) -> None:
        """End the wait; from any thread. RuntimeError if the event loop has ended."""
        ...

    async def wait(self) -> None:
        """Wait; cancellable."""
        ...


class Runtime(Protocol):
    """One event loop."""

    def home(self) -> object:
        """What the connections made here are bound to: they work wherever this is the same object."""
        ...

    async def undisturbed(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; KeyboardInterrupt is raised where it pauses, and nowhere else."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        ...

    def waiter(self) -> Waiter:
        """A wait for this task."""
        ...

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a worker thread; once begun it finishes before a cancellation is honoured."""
        ...

    async def protected(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` to its end; a cancellation of the caller waits until then."""
        ...

    async def within(self, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; after `seconds` it is cancelled and the builtin TimeoutError is raised."""
        ...


def current_runtime() -> Runtime:
    """The event loop that runs this task."""
    if "trio" in sys.modules:
        # An import, and no look at the module: another thread may be importing it right now, and is waited for.
        from trio.lowlevel import in_trio_task

        # Not in_trio_run(): in guest mode a trio run and the asyncio tasks around it share this thread.
        if in_trio_task():
            from sansauth_io._runtime_trio import TrioRuntime

            return TrioRuntime()
    from sansauth_io._runtime_asyncio import AsyncioRuntime

    return AsyncioRuntime()
