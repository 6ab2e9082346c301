"""Claim a login, so that it is finished once: by one process, from one callback."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TypeVar

from sansauth.awaiting import AwaitingUser
from sansauth.effects import Operation, Save, Steps, operation
from sansauth.errors import AlreadyUsed, ApiError, Conflict, LocalProtocolError, StoreError, TransportError

__all__ = ["CLAIMS", "claimed", "is_claim_over", "login_key"]

T = TypeVar("T")

SCHEMA = 1
CLAIMS = "login/"  # what the keys of claims begin with


@operation
def claimed(awaiting: AwaitingUser, body: Operation[T]) -> Steps[T]:
    """Run `body`, the exchange that ends the login, if nobody else has or does; else `AlreadyUsed`.

    The claim is given back when the service refused, or an error says that nothing was sent, so that a mistyped PIN may
    be typed again. It stays after success, whenever the service may have ended the login although no usable answer came
    back, and when the body is cancelled: then nobody is left to give it back, and the user has to begin another login.
    """
    key = login_key(awaiting)
    try:
        version = yield from Save(key, _note(awaiting), None)
    except Conflict:
        raise AlreadyUsed("this login was finished before, or is being finished now; begin another") from None
    try:
        return (yield from body)
    except (ApiError, LocalProtocolError, TransportError) as error:
        if not (isinstance(error, TransportError) and error.sent):
            # Whatever the store says here, what went wrong with the login matters more to who waits for it.
            with contextlib.suppress(StoreError):
                yield from Save(key, None, version)
        raise


def login_key(awaiting: AwaitingUser) -> str:
    """The key of the claim: a hash, because whoever lists a store's keys should not learn request tokens."""
    named = f"{awaiting.provider}\n{awaiting.reference}"
    return f"{CLAIMS}{hashlib.sha256(named.encode()).hexdigest()}"


def is_claim_over(data: bytes, now: float) -> bool:
    """Whether a claim is of no use any more: the login that it is of has expired by `now`, in Unix seconds."""
    try:
        match json.loads(data):
            case {"kind": "login-claim", "expires_at": int() as expires_at}:
                return expires_at <= now
            case _:
                return False
    except (ValueError, RecursionError):
        return False


def _note(awaiting: AwaitingUser) -> bytes:
    # With the time from which the record is of no use, for whoever tidies the store.
    record = {"schema": SCHEMA, "kind": "login-claim", "expires_at": awaiting.expires_at}
    return json.dumps(record, separators=(",", ":")).encode()
