"""The driver's needs on asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["AsyncioRuntime"]

T = TypeVar("T")

# asyncio itself keeps only a weak reference to a running task.
_RUNNING: set[object] = set()

# Not the loop's default executor: where synchronous clients fill that, and wait there for a key that a task holds,
# the task's own save would wait behind them for ever. One a loop, so that it ends with the loop.
_THREADS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ThreadPoolExecutor] = weakref.WeakKeyDictionary()

if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork, and a pool whose threads are gone would keep work for ever.
    os.register_at_fork(after_in_child=_THREADS.clear)


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

    def home(self) -> object:
        """The loop itself: its transports work in no other."""
        return asyncio.get_running_loop()

    async def undisturbed(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; `asyncio.run` makes a cancellation of Ctrl-C."""
        return await work()

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        await asyncio.sleep(seconds)

    def waiter(self) -> AsyncioWaiter:
        """A wait for this task."""
        return AsyncioWaiter()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a worker thread; once begun it finishes before a cancellation is honoured."""
        loop = asyncio.get_running_loop()
        threads = _THREADS.get(loop)
        if threads is None:
            threads = _THREADS[loop] = ThreadPoolExecutor(thread_name_prefix="sansauth-store")
        return await _finished(loop.run_in_executor(threads, contextvars.copy_context().run, work))

    async def protected(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` as a task of its own; a cancellation of the caller waits until it is done.

        A shield would let the caller go at once, and a cancel scope's shield does not hold against `task.cancel()`.
        """
        return await _finished(_independent(work))

    async def within(self, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            return await work()


def _independent(work: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
    """A task that nobody forgets and nobody cancels."""
    task = asyncio.ensure_future(_as_coroutine(work))
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    # When asyncio.run() ends it cancels every task it knows of. It waits for this one all the same: for the callers,
    # and they wait for it.
    asyncio._unregister_task(task)  # pyright: ignore[reportPrivateUsage]  # documented in "Extending asyncio"
    return task


async def _as_coroutine(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


async def _finished(future: asyncio.Future[T]) -> T:
    """The future's result; a cancellation of the caller is raised once it is there."""
    cancelled = await _await_end(future)
    try:
        if cancelled is not None:
            raise cancelled
        return future.result()
    finally:
        del future, cancelled  # else the error, its traceback and this frame would keep each other


async def _await_end(future: asyncio.Future[T]) -> asyncio.CancelledError | None:
    if "anyio" not in sys.modules:
        return await _endure(future)
    from anyio import CancelScope

    # anyio repeats a cancellation in every turn of the loop, until the task is shielded: without this it would spin.
    with CancelScope(shield=True):
        if (cancelled := await _endure(future)) is not None:
            return cancelled
    try:
        await asyncio.sleep(0)  # what the shield held back arrives here
    except asyncio.CancelledError as error:
        return error.with_traceback(None)
    return None


async def _endure(future: asyncio.Future[T]) -> asyncio.CancelledError | None:
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error.with_traceback(None)
    if not future.cancelled():
        future.exception()  # seen, so that asyncio does not report it as lost
    return cancelled
