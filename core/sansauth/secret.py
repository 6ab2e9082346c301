"""Secret: a string that does not show itself; SecretBytes: the same of bytes.

It is a `str` in every other respect, and prints when told to: `print(token)` shows it, `print([token])` does not. The
type guards against the accident (a repr in a log, a traceback with locals, a test failure), not against intent.
"""

from __future__ import annotations

__all__ = ["Secret", "SecretBytes"]


class Secret(str):
    """A str whose repr is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"


class SecretBytes(bytes):
    """Bytes whose repr is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "SecretBytes('***')"
