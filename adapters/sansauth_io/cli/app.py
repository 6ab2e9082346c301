"""The commands. Results go to stdout alone, everything for eyes to stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Annotated, NoReturn, TypeVar

import typer

from sansauth import __version__
from sansauth.call import call
from sansauth.effects import Operation
from sansauth.errors import ApiError, LocalProtocolError, RemoteProtocolError, SansauthError, TransportError
from sansauth.http import Response, build_request
from sansauth.identity import Identity
from sansauth.provider import Provider
from sansauth.x import invalidate_token, reverse_token, token
from sansauth_io import system_env
from sansauth_io.cli import manual
from sansauth_io.cli.arguments import FormOption, JsonOption, ParamOption, json_body, pairs, provider_at
from sansauth_io.cli.explain import explain_command
from sansauth_io.cli.settings import As, Credentials
from sansauth_io.cli.streams import abandon, print_bytes, print_result, read_line, say
from sansauth_io.cli.transports import Transport, run_over
from sansauth_io.cli.wording import worded

__all__ = ["run"]

T = TypeVar("T")

REFUSED, WRONG_USE, UNREACHABLE = 1, 2, 3
NO_STDOUT = 1  # a broken pipe too, which is what typer and rich make of it

app = typer.Typer(
    name="sansauth",
    help=manual.OVERVIEW,
    epilog=manual.START,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # its tracebacks show locals, and locals hold secrets
)

TransportOption = Annotated[
    Transport, typer.Option("--transport", metavar="NAME", help="The library that sends: requests, httpx or trio.")
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Send everything there, and not to https://api.x.com."),
]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print_result(__version__)
        raise typer.Exit


@app.command(name="help", short_help="Show the help of a command.")
def help_command(
    context: typer.Context,
    command: Annotated[
        str | None, typer.Argument(metavar="[COMMAND]", help="The command; none: of all of them.")
    ] = None,
) -> None:
    """Show the help of a command, or of all of them."""
    app([*([command] if command else []), "--help"], prog_name=context.find_root().info_name)


@app.command(short_help="Run every step against a sandbox; needs no account.")
def demo() -> None:
    """Run token, an authorised GET, reverse-token and invalidate-token against a sandbox, on each transport.

    Needs no account and no network: the sandbox is served on this machine, and only for the demo.
    """
    from sansauth_io.cli.demo import run_demo  # the sandbox and the tables take time that the others need not spend

    run_demo()


@app.command(epilog=manual.SANDBOX, short_help="Serve an X-like provider on this machine.")
def sandbox(
    port: Annotated[int, typer.Option(metavar="PORT", help="The loopback port; 0 takes a free one.")] = 0,
) -> None:
    """Serve an X-like provider on this machine until Ctrl-C.

    Prints one JSON line: base_url; consumer_key, consumer_secret, access_token, access_token_secret (OAuth 1.0a);
    client_id, client_secret, public_client_id (OAuth 2).
    """
    from sansauth_io.cli.serving import serve

    serve(port)


@app.command(name="token", epilog=manual.TOKEN)
def token_command(transport: TransportOption = Transport.REQUESTS, base_url: BaseUrlOption = None) -> None:
    """Print the application's bearer token."""
    provider = provider_at(base_url)
    application = Credentials(os.environ).app()
    print_result(_run(transport, token(application, provider=provider), application, provider))


@app.command(name="invalidate-token", epilog=manual.INVALIDATE_TOKEN, short_help="Invalidate a bearer token.")
def invalidate_token_command(
    access_token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="The bearer token; - reads it from stdin, which `ps` does not show.")
    ],
    transport: TransportOption = Transport.REQUESTS,
    base_url: BaseUrlOption = None,
) -> None:
    """Invalidate the application's bearer token, and print the token that was invalidated."""
    provider, owner = provider_at(base_url), Credentials(os.environ).owner()
    given = read_line() if access_token == "-" else access_token
    if not given:
        raise LocalProtocolError("there is no token to invalidate: give it as TOKEN, or give - and the token on stdin")
    operation = invalidate_token(owner, given, provider=provider, env=system_env())
    print_result(_run(transport, operation, owner, provider))


@app.command(name="reverse-token", epilog=manual.REVERSE_TOKEN)
def reverse_token_command(transport: TransportOption = Transport.REQUESTS, base_url: BaseUrlOption = None) -> None:
    """Print the string for step 2 of reverse auth."""
    provider = provider_at(base_url)
    application = Credentials(os.environ).app()
    operation = reverse_token(application, env=system_env(), provider=provider)
    print_result(_run(transport, operation, application, provider))


@app.command(epilog=manual.REQUEST, short_help="Send an authorised request, print the body.")
def request(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET, POST, PUT, DELETE, ...")],
    url_or_path: Annotated[
        str, typer.Argument(metavar="URL_OR_PATH", help="A path such as /2/users/me, or a URL of the provider's hosts.")
    ],
    transport: TransportOption = Transport.REQUESTS,
    base_url: BaseUrlOption = None,
    param: ParamOption = None,
    form: FormOption = None,
    json_: JsonOption = None,
    as_: Annotated[As, typer.Option("--as", metavar="WHO", help="Who calls: auto, user, app or bearer.")] = As.AUTO,
) -> None:
    """Send an authorised request and print the answer's body.

    The answer's status and content type go to stderr. On a terminal, JSON is indented.
    """
    provider, caller = provider_at(base_url), Credentials(os.environ).caller(method, as_)
    if form and json_ is not None:
        raise LocalProtocolError("a request has one body: give --form or --json")
    built = build_request(
        method,
        provider.url(url_or_path),
        params=pairs("--param", param),
        form=pairs("--form", form) if form else None,
        body=None if json_ is None else json_body(json_),
        headers={} if json_ is None else {"content-type": "application/json"},
    )
    response = _run(transport, call(built, caller, provider=provider, env=system_env()), caller, provider)
    say(f"{response.status} {response.media_type}")
    print_bytes(_shown_body(response))


app.command(name="explain", epilog=manual.EXPLAIN, short_help="Say how a request is signed, or why not rightly.")(
    explain_command
)


def _run(transport: Transport, operation: Operation[T], identity: Identity, provider: Provider) -> T:
    return run_over(transport, operation, identity, provider, system_env())


def _shown_body(response: Response) -> bytes:
    if sys.stdout.isatty() and response.media_type.endswith("json"):
        with contextlib.suppress(RemoteProtocolError, UnicodeEncodeError):  # as it is, if it is no JSON or no Unicode
            return json.dumps(response.json(), indent=2, ensure_ascii=False).encode()
    return response.body


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line, and exit with its code."""
    if sys.stdout is None:  # closed by who started this; nothing is sent whose result would be lost
        say("stdout is closed, and results go there")
        raise SystemExit(NO_STDOUT)
    try:
        app(arguments, standalone_mode=True)
    except SansauthError as error:
        say(worded(error))
        raise SystemExit(_exit_code(error)) from None
    except OSError as error:  # of stdout: those of a port, of stdin and of the network have become errors of ours
        abandon(sys.stdout)
        say(f"stdout could not be written: {error}")
        raise SystemExit(NO_STDOUT) from None
    raise SystemExit(0)


def _exit_code(error: SansauthError) -> int:
    match error:
        case TransportError():
            return UNREACHABLE
        case ApiError() | RemoteProtocolError():
            return REFUSED
        case _:
            return WRONG_USE
