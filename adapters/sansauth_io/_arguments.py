"""What a user hands over is checked for its kind once, where it comes in, and not by an AttributeError deep inside."""

from __future__ import annotations

from typing import TypeVar

from sansauth.errors import LocalProtocolError

__all__ = ["required"]

T = TypeVar("T")


def required(name: str, value: T, kind: type[T]) -> T:
    """The value of the argument `name` if it is of its kind; else `LocalProtocolError`, which shows only the types."""
    if not isinstance(value, kind):
        raise LocalProtocolError(f"{name}= takes {_full_name(kind)}, not {_full_name(type(value))}")
    return value


def _full_name(kind: type) -> str:
    # Both httpx and httpx2 have an AsyncClient.
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
