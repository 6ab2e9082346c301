"""The driver's needs on trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

__all__ = ["TrioRuntime"]

T = TypeVar("T")

STORE_THREADS = 16

# Not trio's default limiter: where synchronous clients use that up, and wait in their threads for a key that a task
# holds, the task's own save would wait behind them for ever.
_LIMITER: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("sansauth store threads")


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

    def home(self) -> object:
        """The same for every run: trio's sockets are bound to none."""
        return trio

    @trio.lowlevel.enable_ki_protection
    async def undisturbed(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; trio would raise KeyboardInterrupt between any two lines of the main task."""
        return await work()

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        await trio.sleep(seconds)

    def waiter(self) -> TrioWaiter:
        """A wait for this task."""
        return TrioWaiter()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a worker thread; it finishes before a cancellation is honoured."""
        try:
            limiter = _LIMITER.get()
        except LookupError:
            limiter = trio.CapacityLimiter(STORE_THREADS)
            _LIMITER.set(limiter)
        # Protected, because trio would honour a cancellation that came before the thread began.
        return await self.protected(lambda: trio.to_thread.run_sync(work, limiter=limiter))

    async def protected(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` in a shielded child task; a cancellation of the caller waits until it is done.

        A child, because trio delivers KeyboardInterrupt to the main task even inside a shield.
        """
        results: list[T] = []
        errors: list[BaseException] = []
        interrupts: tuple[BaseException, ...] = ()
        try:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_to_its_end, work, results, errors)
            except BaseExceptionGroup as group:
                interrupts = group.exceptions  # the nursery's own wrapping of the KeyboardInterrupt it held back
            if interrupts:
                raise interrupts[0]
            await trio.lowlevel.checkpoint_if_cancelled()  # a nursery forgets a cancellation that stopped no child
            if errors:
                raise errors[0]
            return results[0]
        finally:
            del interrupts
            errors.clear()  # else the error, its traceback and this frame would keep each other

    async def within(self, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; TimeoutError after `seconds`."""
        with trio.move_on_after(seconds):
            return await work()
        raise TimeoutError


@trio.lowlevel.enable_ki_protection
async def _to_its_end(work: Callable[[], Awaitable[T]], results: list[T], errors: list[BaseException]) -> None:
    with trio.CancelScope(shield=True):
        try:
            results.append(await work())
        except BaseException as error:
            errors.append(error)
