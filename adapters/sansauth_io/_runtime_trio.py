"""The driver's needs on trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

__all__ = ["TrioRuntime"]

T = TypeVar("T")


class TrioWaiter:
    """An event that any thread may set."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def wake(self) -> None:
        """End the wait; RuntimeError if the run has ended."""
        self._token.run_sync_soon(self._event.set)

    async def wait(self) -> None:
        """Wait; cancellable."""
        await self._event.wait()


class TrioRuntime:
    """The running trio loop."""

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        await trio.sleep(seconds)

    def waiter(self) -> TrioWaiter:
        """A wait for this task."""
        return TrioWaiter()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a worker thread; it finishes before a cancellation is honoured."""
        return await trio.to_thread.run_sync(work)

    async def protected(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` in a shielded child task; a cancellation of the caller waits until it is done.

        A child, because trio delivers KeyboardInterrupt to the main task even inside a shield.
        """
        results: list[T] = []
        errors: list[BaseException] = []

        @trio.lowlevel.enable_ki_protection
        async def child() -> None:
            with trio.CancelScope(shield=True):
                try:
                    results.append(await work())
                except BaseException as error:
                    errors.append(error)

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)
        except BaseExceptionGroup as group:
            # The nursery's own wrapping; what is in it is the caller's cancellation or interrupt, and nothing else.
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise
        if errors:
            try:
                raise errors[0]
            finally:
                errors.clear()  # no cycle of error, traceback and frame
        return results[0]

    async def within(self, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; TimeoutError after `seconds`."""
        with trio.move_on_after(seconds):
            return await work()
        raise TimeoutError
