"""`sansauth demo`: the four steps on each transport, against a sandbox that lives only for the demo."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from sansauth.call import call
from sansauth.effects import Operation
from sansauth.http import Request, Response, build_request
from sansauth.identity import App
from sansauth.provider import Provider
from sansauth.testing import Sandbox
from sansauth.x import X, invalidate_token, reverse_token, token
from sansauth_io import system_env
from sansauth_io.cli.trace import shown_request, shown_response, traced
from sansauth_io.cli.transports import Transport, run_over
from sansauth_io.sandbox_server import SandboxServer

__all__ = ["run_demo"]

T = TypeVar("T")

FOLLOWERS = "/1.1/followers/ids.json"


def run_demo() -> None:
    """Print one table a transport; raises what a step raises."""
    console = Console(width=None if sys.stdout.isatty() else 118, highlight=False)
    sandbox = Sandbox(env=system_env())
    with SandboxServer(sandbox) as server:
        provider = X.at(server.base_url)
        console.print(f"A sandbox of X answers on {server.base_url}; nothing leaves this machine. Secrets are masked.")
        for transport in Transport:
            console.print(_run_steps(transport, sandbox.app, provider))
    console.print("All four steps ran on all three transports. With an application of your own: sansauth token --help")


def _run_steps(transport: Transport, app: App, provider: Provider) -> Table:
    table = Table(title=f"over {transport}", title_justify="left", show_lines=True, expand=True)
    table.add_column("step", no_wrap=True)
    table.add_column("what was sent", overflow="fold", ratio=2)
    table.add_column("what came back", overflow="fold", ratio=3)
    env = system_env()

    def step(name: str, operation: Operation[T]) -> T:
        rows: list[tuple[str, str]] = []
        seen = _recorder(rows)
        result = run_over(transport, traced(operation, seen), app, provider, env)
        for sent, came_back in rows:
            table.add_row(name, sent, came_back)
            name = ""
        return result

    bearer = step("token", token(app, provider=provider))
    read = build_request("GET", provider.url(FOLLOWERS), params={"cursor": -1, "count": 3})
    step("request", call(read, App(app.consumer_key, app.consumer_secret, bearer), provider=provider, env=env))
    step("reverse-token", reverse_token(app, env=env, provider=provider))
    step("invalidate-token", invalidate_token(app, bearer, provider=provider))
    return table


def _recorder(rows: list[tuple[str, str]]) -> Callable[[Request, Response], None]:
    def seen(request: Request, response: Response) -> None:
        rows.append((shown_request(request), shown_response(response)))

    return seen
