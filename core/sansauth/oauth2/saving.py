"""Save tokens that nobody else has: what the store does not take waits in the client's memory until it does."""

from __future__ import annotations

import json

from sansauth.effects import Load, Save, Sleep, Steps, Stored, operation
from sansauth.errors import Conflict, StoreError
from sansauth.secret import SecretBytes
from sansauth.tokens import OAuth2Tokens

__all__ = [
    "RECOVERIES",
    "SAVE_PAUSE_SECONDS",
    "aside_key",
    "read_aside",
    "rescued",
    "restless",
    "save_surely",
    "set_aside",
]

SAVE_PAUSE_SECONDS = 0.5  # before new tokens are saved once more, when the store has failed
RECOVERIES = 8  # from a save that conflicts; each means that somebody else has got on


@operation
def save_surely(key: str, data: bytes, expected: int | None) -> Steps[None]:
    """Save, and once more if the store fails: for new tokens are worth it."""
    try:
        yield from Save(key, data, expected)
    except Conflict:
        raise
    except StoreError:
        yield from Sleep(SAVE_PAUSE_SECONDS)
        stored = yield from Load(key)
        if stored is None or stored.data != data:  # else it failed after it had written
            yield from Save(key, data, expected)


def restless(key: str) -> Conflict:
    """The error of who was overtaken at every attempt."""
    return Conflict(f"the record {key!r} changes whenever it is saved")


@operation
def set_aside(key: str, fresh: OAuth2Tokens, replaced: OAuth2Tokens | None) -> Steps[None]:
    """Keep tokens in memory that belong into the store; `replaced` are those that were traded for them."""
    records = [fresh.to_bytes().decode(), None if replaced is None else replaced.to_bytes().decode()]
    aside = yield from Load(aside_key(key))
    data = SecretBytes(json.dumps(records).encode())
    yield from Save(aside_key(key), data, None if aside is None else aside.version)


@operation
def rescued(key: str, stored: Stored | None) -> Steps[Stored | None]:
    """The record; if tokens were set aside, and belong in its place, these are saved."""
    aside = yield from Load(aside_key(key))
    if aside is None:
        return stored
    fresh, replaced = read_aside(aside.data)
    if _belongs(fresh, replaced, None if stored is None else OAuth2Tokens.from_bytes(stored.data)):
        yield from Save(key, fresh.to_bytes(), None if stored is None else stored.version)
        stored = yield from Load(key)
    yield from Save(aside_key(key), None, aside.version)
    return stored


def _belongs(fresh: OAuth2Tokens, replaced: OAuth2Tokens | None, found: OAuth2Tokens | None) -> bool:
    if replaced is not None:
        return found is not None and found.is_same_generation(replaced)
    # A login's, or a client's own: they take the place of what was not issued after them.
    return found is None or (fresh.issued_at or 0) >= (found.issued_at or 0)


def read_aside(data: bytes) -> tuple[OAuth2Tokens, OAuth2Tokens | None]:
    """Tokens that were set aside, and those that were traded for them."""
    fresh, replaced = json.loads(data)
    return OAuth2Tokens.from_bytes(fresh.encode()), (
        None if replaced is None else OAuth2Tokens.from_bytes(replaced.encode())
    )


def aside_key(key: str) -> str:
    """Where they wait; `mem:`: the client's memory, never persisted."""
    return f"mem:unsaved/{key}"
