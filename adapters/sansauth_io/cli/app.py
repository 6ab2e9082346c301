"""The commands. Results go to stdout alone, everything for eyes to stderr."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from types import FrameType
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console

from sansauth import __version__
from sansauth.call import call
from sansauth.effects import Operation
from sansauth.errors import ApiError, LocalProtocolError, RemoteProtocolError, SansauthError, TransportError
from sansauth.http import Response, build_request
from sansauth.identity import Identity
from sansauth.provider import Provider
from sansauth.testing import Sandbox
from sansauth.x import X, invalidate_token, reverse_token, token
from sansauth_io import system_env
from sansauth_io.cli.demo import run_demo
from sansauth_io.cli.settings import As, Credentials
from sansauth_io.cli.transports import Transport, run_over
from sansauth_io.sandbox_server import SandboxServer

__all__ = ["run"]

T = TypeVar("T")

REFUSED, WRONG_USE, UNREACHABLE = 1, 2, 3

app = typer.Typer(
    name="sansauth",
    help="OAuth for X/Twitter, one core on every transport. Credentials come from the environment: X_CONSUMER_KEY, "
    "X_CONSUMER_SECRET, X_ACCESS_TOKEN, X_ACCESS_TOKEN_SECRET, X_BEARER_TOKEN.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # its tracebacks show locals, and locals hold secrets
)
_eyes = Console(stderr=True, highlight=False, soft_wrap=True)

TransportOption = Annotated[Transport, typer.Option("--transport", help="Which library does the sending.")]
BaseUrlOption = Annotated[
    str | None, typer.Option("--base-url", help="Send everything there instead of https://api.x.com.", metavar="URL")
]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def demo() -> None:
    """Run token, an authorised GET, reverse-token and invalidate-token against a sandbox, on each transport."""
    run_demo(Console(width=None if sys.stdout.isatty() else 118, highlight=False))


@app.command()
def sandbox(port: Annotated[int, typer.Option(help="The loopback port; 0 takes a free one.")] = 0) -> None:
    """Serve an X-like provider on this machine until Ctrl-C; prints one JSON line with its address and credentials."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, end)
    served = Sandbox(env=system_env())
    with SandboxServer(served, port=port) as server:
        line = {
            "base_url": server.base_url,
            "consumer_key": served.app.consumer_key,
            "consumer_secret": served.app.consumer_secret,
            "access_token": served.user.access_token,
            "access_token_secret": served.user.access_token_secret,
        }
        typer.echo(json.dumps(line))
        sys.stdout.flush()
        _eyes.print("The sandbox is served; Ctrl-C ends it.")
        stop.wait()


@app.command(name="token")
def token_command(transport: TransportOption = Transport.REQUESTS, base_url: BaseUrlOption = None) -> None:
    """Print the application's bearer token."""
    provider = _provider(base_url)
    application = Credentials(os.environ).app()
    typer.echo(_run(transport, token(application, provider=provider), application, provider))


@app.command(name="invalidate-token")
def invalidate_token_command(
    access_token: Annotated[str, typer.Argument(metavar="TOKEN", help="The token; - reads it from stdin.")],
    transport: TransportOption = Transport.REQUESTS,
    base_url: BaseUrlOption = None,
) -> None:
    """Invalidate an application's bearer token and print it."""
    provider, owner = _provider(base_url), Credentials(os.environ).owner()
    given = sys.stdin.readline().strip() if access_token == "-" else access_token
    operation = invalidate_token(owner, given, provider=provider, env=system_env())
    typer.echo(_run(transport, operation, owner, provider))


@app.command(name="reverse-token")
def reverse_token_command(transport: TransportOption = Transport.REQUESTS, base_url: BaseUrlOption = None) -> None:
    """Print the string for step 2 of reverse auth."""
    provider = _provider(base_url)
    application = Credentials(os.environ).app()
    operation = reverse_token(application, env=system_env(), provider=provider)
    typer.echo(_run(transport, operation, application, provider))


@app.command()
def request(
    method: Annotated[str, typer.Argument(metavar="METHOD")],
    url_or_path: Annotated[str, typer.Argument(metavar="URL_OR_PATH")],
    transport: TransportOption = Transport.REQUESTS,
    base_url: BaseUrlOption = None,
    param: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the query; repeatable.")] = None,
    form: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for a form body; repeatable.")] = None,
    json_body: Annotated[str | None, typer.Option("--json", help="A JSON body.", metavar="JSON")] = None,
    as_: Annotated[As, typer.Option("--as", help="Who calls; auto: reading as bearer, writing as user.")] = As.AUTO,
) -> None:
    """Send an authorised request and print the answer's body."""
    provider, caller = _provider(base_url), Credentials(os.environ).caller(method, as_)
    if form and json_body is not None:
        raise LocalProtocolError("a request has one body: give --form or --json")
    built = build_request(
        method,
        provider.url(url_or_path),
        params=_pairs("--param", param),
        form=_pairs("--form", form) if form else None,
        body=None if json_body is None else _json(json_body),
        headers={} if json_body is None else {"content-type": "application/json"},
    )
    response = _run(transport, call(built, caller, provider=provider, env=system_env()), caller, provider)
    _eyes.print(f"{response.status} {response.media_type}", markup=False)
    _print_body(response)


def _run(transport: Transport, operation: Operation[T], identity: Identity, provider: Provider) -> T:
    return run_over(transport, operation, identity, provider, system_env())


def _provider(base_url: str | None) -> Provider:
    return X if base_url is None else X.at(base_url)


def _pairs(option: str, given: list[str] | None) -> list[tuple[str, str]]:
    pairs = [entry.partition("=") for entry in given or []]
    if not all(separator for _, separator, _ in pairs):
        raise LocalProtocolError(f"{option} takes NAME=VALUE")
    return [(name, value) for name, _, value in pairs]


def _json(text: str) -> bytes:
    try:
        json.loads(text)
    except ValueError as error:
        raise LocalProtocolError(f"--json is not JSON: {error}") from None
    return text.encode()


def _print_body(response: Response) -> None:
    body = response.body
    if sys.stdout.isatty() and response.media_type.endswith("json"):
        body = json.dumps(response.json(), indent=2, ensure_ascii=False).encode()
    sys.stdout.buffer.write(body if body.endswith(b"\n") or not body else body + b"\n")
    sys.stdout.buffer.flush()


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line, and exit with its code."""
    try:
        app(arguments, standalone_mode=True)
    except SansauthError as error:
        _eyes.print(f"{type(error).__name__}: {error}", markup=False)
        raise SystemExit(_exit_code(error)) from None
    raise SystemExit(0)


def _exit_code(error: SansauthError) -> int:
    match error:
        case TransportError():
            return UNREACHABLE
        case ApiError() | RemoteProtocolError():
            return REFUSED
        case _:
            return WRONG_USE
