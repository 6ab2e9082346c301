"""Run every benchmark and print its table."""

from __future__ import annotations

import os

from benchmarks import calls, exchange, growth, imports, signing, stores, transports
from benchmarks.report import LEGEND


def main() -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]  # some libraries would send even loopback through a proxy
    print(LEGEND)
    for title, table in (
        (s.__doc__, s.tables()) for s in (signing, growth, exchange, calls, stores, transports, imports)
    ):
        print(f"\n{(title or '').splitlines()[0]}")
        for text in table:
            print(f"\n{text}", flush=True)


if __name__ == "__main__":
    main()
