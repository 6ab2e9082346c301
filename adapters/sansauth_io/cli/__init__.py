"""The command line: `sansauth`. It needs the extra `cli`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """The entry point.

    Exit codes: 0 done, 1 the service or the user refused, or stdout did not take the result (a broken pipe too, without
    a word), 2 wrong use, 3 could not reach the service, 130 Ctrl-C.
    """
    try:
        from sansauth_io.cli.app import run

        run()
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich", "requests", "httpx", "trio", "h11", "certifi", "platformdirs"}:
            raise
        print(f"sansauth's command line needs {error.name}: pip install 'sansauth[cli]'", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
