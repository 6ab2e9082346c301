"""The driver's needs on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["AsyncioRuntime"]

T = TypeVar("T")

# asyncio itself keeps only a weak reference to a running task.
_RUNNING: set[object] = set()


class AsyncioWaiter:
    """A future that any thread may complete."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> None:
        """End the wait; RuntimeError if the loop is closed."""
        self._loop.call_soon_threadsafe(self._complete)

    def _complete(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        """Wait; cancellable."""
        await self._future


class AsyncioRuntime:
    """The running asyncio loop."""

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        await asyncio.sleep(seconds)

    def waiter(self) -> AsyncioWaiter:
        """A wait for this task."""
        return AsyncioWaiter()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a worker thread; it finishes before a cancellation is honoured."""
        return await self.protected(lambda: asyncio.to_thread(work))

    async def protected(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` as a task of its own; a cancellation of the caller waits until it is done.

        A shield would let the caller go at once, and a cancel scope's shield does not hold against `task.cancel()`.
        """
        task = asyncio.ensure_future(_as_coroutine(work))
        _RUNNING.add(task)
        task.add_done_callback(_RUNNING.discard)
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            if not task.cancelled():
                task.exception()  # seen, so that asyncio does not report it as lost
            raise cancelled
        return task.result()

    async def within(self, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            return await work()


async def _as_coroutine(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
