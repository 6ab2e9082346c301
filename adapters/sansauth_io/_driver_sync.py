"""Interpret effects on threads."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
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
from sansauth_io.stores.protocol import LEASE_SECONDS, Store

__all__ = ["SyncDriver", "protected"]

T = TypeVar("T")


class SyncDriver:
    """Runs operations: `send` puts a request on the wire, `store` keeps the records."""

    def __init__(
        self, send: Callable[[Request, Timeouts], Response], *, store: Store | None, timeouts: Timeouts
    ) -> None:
        self._send = send
        self._stores = Stores(store)
        self.has_store = store is not None
        """Whether the caller said where records live; else they die with this driver."""
        self._timeouts = required("timeouts", timeouts, Timeouts)

    def run(self, operation: Operation[T]) -> T:
        """Run an operation to its result."""
        return self._drive(Flow(operation))

    def _drive(self, flow: Flow[T], ends: float | None = None) -> T:
        while flow.state is State.WAITING:
            try:
                answer = self._perform(flow, ends)
            except Exception as error:
                flow.fail(error)
            except BaseException:
                flow.close()
                raise
            else:
                flow.resume(answer)
        return flow.result

    def _perform(self, flow: Flow[T], ends: float | None) -> object:
        effect = flow.effect
        match effect:
            case Send(request, timeouts):
                return self._send(request, within_lease(timeouts or self._timeouts, ends))
            case Sleep(seconds):
                time.sleep(seconds)
                return None
            case Load(key, cached):
                return (self._stores.seen(key) if cached else None) or self._stores.load(key)
            case Save(key, data, expected):
                return self._save(key, data, expected)
            case Exclusive(key):
                return self._exclusive(flow, key)
            case _:
                assert_never(effect)

    def _exclusive(self, flow: Flow[T], key: str) -> object:
        store = self._stores.of(key)
        lock = key_lock(store, key)
        turn = threading.Event()
        wake = turn.set
        # One `try` around joining, too: an interrupt between a lock taken and a `try` would leave it taken for ever.
        try:
            ends = time.monotonic() + WAIT_SECONDS
            if not lock.join(wake) and not turn.wait(WAIT_SECONDS):
                raise waited_long_enough(key)
            owner = new_owner()
            while (result := protected(lambda: self._attempt(flow, store, key, owner))) is Busy.BUSY:
                if time.monotonic() > ends:
                    raise waited_long_enough(key)
                time.sleep(LEASE_POLL_SECONDS)
            return result
        finally:
            lock.leave(wake)

    def _save(self, key: str, data: bytes | None, expected: int | None) -> int:
        # Interrupts are raised in the main thread alone.
        if self._stores.of(key).blocking and threading.current_thread() is threading.main_thread():
            return protected(lambda: self._stores.save(key, data, expected))
        return self._stores.save(key, data, expected)

    def _attempt(self, flow: Flow[T], store: Store, key: str, owner: str) -> object | Literal[Busy.BUSY]:
        if not store.acquire(key, owner, LEASE_SECONDS):
            return Busy.BUSY
        try:
            return self._drive(flow.body(), time.monotonic() + BODY_SECONDS)
        finally:
            # The lease ends by itself; the body's result must not be lost with it.
            with contextlib.suppress(StoreError):
                store.release(key, owner)


def protected(work: Callable[[], T]) -> T:
    """Run `work` to its end in a thread that is no daemon; an interrupt of the caller waits until then."""
    done: Future[T] = Future()
    interrupt: BaseException | None = None
    arguments = (done, contextvars.copy_context(), work)
    try:
        threading.Thread(target=_fulfil, args=arguments, name="sansauth-protected", daemon=False).start()
    except BaseException as error:
        if done.cancel():  # not begun, and now it never will
            raise
        interrupt = error
    while True:
        try:
            done.exception()
            break
        except BaseException as error:  # KeyboardInterrupt, or what a signal handler raised
            interrupt = error
    try:
        if interrupt is not None:
            raise interrupt
        return done.result()
    finally:
        del done, interrupt, arguments  # else the error, its traceback and this frame would keep each other


def _fulfil(done: Future[T], context: contextvars.Context, work: Callable[[], T]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        result = context.run(work)
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(result)
    finally:
        del done  # as above
