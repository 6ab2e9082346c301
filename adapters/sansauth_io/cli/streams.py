"""Results go to stdout alone, everything for eyes to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from typing import TextIO

import typer

from sansauth.errors import LocalProtocolError

__all__ = ["abandon", "can_ask", "guarded_stdout", "print_bytes", "print_result", "printable", "read_line", "say"]


def print_result(result: str) -> None:
    """One line for a pipe; `OSError` if stdout does not take it."""
    typer.echo(result)


def print_bytes(result: bytes) -> None:
    """As they are, and a line break after them if they have none; `OSError` if stdout does not take them."""
    sys.stdout.buffer.write(result if result.endswith(b"\n") or not result else result + b"\n")
    sys.stdout.buffer.flush()


def say(text: str, end: str = "\n") -> None:
    """One line for eyes. Nobody is told if stderr does not take it: the result and the exit code are not lost to it."""
    try:
        typer.echo(text + end, err=True, nl=False)
    except OSError:
        abandon(sys.stderr)


def read_line() -> str:
    """The first line of stdin, without the white space around it; empty if there is none, or no stdin."""
    try:
        return sys.stdin.readline().strip() if sys.stdin is not None else ""
    except (OSError, UnicodeDecodeError):
        raise LocalProtocolError("stdin could not be read as text") from None


def can_ask() -> bool:
    """Whether a person sits at stdin."""
    return sys.stdin is not None and sys.stdin.isatty()


def printable(text: str) -> str:
    """The text without what a terminal would obey: names and reasons come from elsewhere."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


@contextlib.contextmanager
def guarded_stdout() -> Generator[None]:
    """What other programs write to stdout goes to stderr meanwhile; `OSError` where there is no stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def abandon(stream: TextIO) -> None:
    """Throw away what a stream did not take: the interpreter would flush it again at its end, and exit with 120."""
    with contextlib.suppress(OSError):  # what a test put in its place is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
