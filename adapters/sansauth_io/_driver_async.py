"""Interpret effects in an event loop: asyncio or trio, whichever runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar, assert_never

from sansauth.effects import Exclusive, Load, Operation, Save, Send, Sleep, Timeouts
from sansauth.errors import StoreError
from sansauth.flow import Flow, State
from sansauth.http import Request, Response
from sansauth_io._arguments import required
from sansauth_io._driver import (
    BODY_SECONDS,
    LEASE_POLL_SECONDS,
    WAIT_SECONDS,
    Busy,
    Stores,
    new_owner,
    waited_long_enough,
    within_lease,
)
from sansauth_io._locks import key_lock
from sansauth_io._runtime import Runtime, Waiter, current_runtime
from sansauth_io.stores.protocol import LEASE_SECONDS, Store

__all__ = ["AsyncDriver"]

T = TypeVar("T")


class AsyncDriver:
    """Runs operations: `send` puts a request on the wire, `store` keeps the records."""

    def __init__(
        self, send: Callable[[Request, Timeouts], Awaitable[Response]], *, store: Store | None, timeouts: Timeouts
    ) -> None:
        self._send = send
        self._stores = Stores(store)
        self.has_store = store is not None
        """Whether the caller said where records live; else they die with this driver."""
        self._timeouts = required("timeouts", timeouts, Timeouts)

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation to its result."""
        runtime = current_runtime()
        return await runtime.undisturbed(lambda: self._drive(Flow(operation), runtime))

    async def _drive(self, flow: Flow[T], runtime: Runtime, ends: float | None = None) -> T:
        while flow.state is State.WAITING:
            try:
                answer = await self._perform(flow, runtime, ends)
            except Exception as error:
                flow.fail(error)
            except BaseException:
                flow.close()
                raise
            else:
                flow.resume(answer)
        return flow.result

    async def _perform(self, flow: Flow[T], runtime: Runtime, ends: float | None) -> object:
        effect = flow.effect
        match effect:
            case Send(request, timeouts):
                return await self._send(request, within_lease(timeouts or self._timeouts, ends))
            case Sleep(seconds):
                await runtime.sleep(seconds)
                return None
            case Load(key, cached):
                if cached and (seen := self._stores.seen(key)) is not None:
                    return seen
                return await _on(self._stores.of(key), runtime, lambda: self._stores.load(key))
            case Save(key, data, expected):
                return await _on(self._stores.of(key), runtime, lambda: self._stores.save(key, data, expected))
            case Exclusive(key):
                return await self._exclusive(flow, runtime, key)
            case _:
                assert_never(effect)

    async def _exclusive(self, flow: Flow[T], runtime: Runtime, key: str) -> object:
        store = self._stores.of(key)
        lock = key_lock(store, key)
        waiter = runtime.waiter()
        wake = waiter.wake
        try:
            ends = time.monotonic() + WAIT_SECONDS
            if not lock.join(wake):
                await _in_turn(runtime, waiter, key)
            owner = new_owner()
            while True:
                result = await runtime.protected(lambda: self._attempt(flow, runtime, store, key, owner))
                if result is not Busy.BUSY:
                    return result
                if time.monotonic() > ends:
                    raise waited_long_enough(key)
                await runtime.sleep(LEASE_POLL_SECONDS)
        finally:
            lock.leave(wake)

    async def _attempt(
        self, flow: Flow[T], runtime: Runtime, store: Store, key: str, owner: str
    ) -> object | Literal[Busy.BUSY]:
        if not await _on(store, runtime, lambda: store.acquire(key, owner, LEASE_SECONDS)):
            return Busy.BUSY
        try:
            return await self._drive(flow.body(), runtime, time.monotonic() + BODY_SECONDS)
        finally:
            # The lease ends by itself; the body's result must not be lost with it.
            with contextlib.suppress(StoreError):
                await _on(store, runtime, lambda: store.release(key, owner))


async def _in_turn(runtime: Runtime, waiter: Waiter, key: str) -> None:
    try:
        await runtime.within(WAIT_SECONDS, waiter.wait)
    except TimeoutError:
        raise waited_long_enough(key) from None


async def _on(store: Store, runtime: Runtime, work: Callable[[], T]) -> T:
    return await runtime.in_thread(work) if store.blocking else work()
