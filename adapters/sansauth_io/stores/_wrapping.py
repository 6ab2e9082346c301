"""What the stores that wrap a store share."""

from __future__ import annotations

from sansauth.errors import LocalProtocolError
from sansauth_io.stores.protocol import Store

__all__ = ["close_wrapped", "is_store", "refuse"]

_NEEDED = ("blocking", "load", "save", "acquire", "release", "keys")


def is_store(value: object) -> bool:
    """Whether a value has all that a `Store` has."""
    return not isinstance(value, type) and all(hasattr(value, name) for name in _NEEDED)


def refuse(wrapper: str, kind: type) -> LocalProtocolError:
    """What is raised for something else; it names only the type, since the value may be a key in the wrong place."""
    return LocalProtocolError(
        f"{wrapper} wraps a store, as its first argument, not {kind.__qualname__}; see sansauth_io.stores.Store"
    )


def close_wrapped(store: Store) -> None:
    """Close the store inside, if it is of a kind that is closed."""
    close: object = getattr(store, "close", None)
    if callable(close):
        close()
