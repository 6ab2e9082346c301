"""The commands. Results go to stdout alone, everything for eyes to stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from sansauth import __version__
from sansauth.call import call
from sansauth.errors import (
    ApiError,
    LocalProtocolError,
    LoginError,
    LoginRequired,
    RemoteProtocolError,
    RenewalFailed,
    SansauthError,
    TransportError,
)
from sansauth.http import Response, build_request
from sansauth.identity import Identity, OAuth2User
from sansauth.provider import Provider
from sansauth.x import invalidate_token, reverse_token, token
from sansauth_io import system_env
from sansauth_io.cli import manual
from sansauth_io.cli.accounts import apps_command, logout_command, status_command
from sansauth_io.cli.arguments import (
    BaseUrlOption,
    FormOption,
    JsonOption,
    ParamOption,
    StoredAccountOption,
    StoreOption,
    TransportOption,
    json_body,
    pairs,
    provider_at,
)
from sansauth_io.cli.doctor import doctor_command
from sansauth_io.cli.explain import explain_command
from sansauth_io.cli.login import login_command
from sansauth_io.cli.settings import As, Credentials
from sansauth_io.cli.streams import abandon, print_bytes, print_result, read_line, say
from sansauth_io.cli.transports import Transport, run_over
from sansauth_io.cli.wording import worded
from sansauth_io.stores.protocol import Store

__all__ = ["run"]

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


@app.command(name="token", epilog=manual.TOKEN, short_help="Print a bearer token, or an account's access token.")
def token_command(
    transport: TransportOption = Transport.REQUESTS,
    base_url: BaseUrlOption = None,
    account: StoredAccountOption = None,
    store: StoreOption = None,
) -> None:
    """Print the application's bearer token; with --account, that account's access token, refreshed if it is due."""
    provider, env = provider_at(base_url), system_env()
    if account is not None:
        from sansauth.oauth2.lifecycle import oauth2_tokens

        user, opened = _stored(account, provider, store)
        print_result(run_over(transport, oauth2_tokens(user, provider, env), user, provider, env, opened).access_token)
        return
    _require_account(store)
    application = Credentials(os.environ).app()
    print_result(run_over(transport, token(application, provider=provider), application, provider, env))


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
    env = system_env()
    operation = invalidate_token(owner, given, provider=provider, env=env)
    print_result(run_over(transport, operation, owner, provider, env))


@app.command(name="reverse-token", epilog=manual.REVERSE_TOKEN)
def reverse_token_command(transport: TransportOption = Transport.REQUESTS, base_url: BaseUrlOption = None) -> None:
    """Print the string for step 2 of reverse auth."""
    provider = provider_at(base_url)
    application = Credentials(os.environ).app()
    env = system_env()
    operation = reverse_token(application, env=env, provider=provider)
    print_result(run_over(transport, operation, application, provider, env))


@app.command(epilog=manual.REQUEST, short_help="Send an authorised request, print the body.")
def request(  # noqa: PLR0913  # each is an argument or an option
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
    account: StoredAccountOption = None,
    store: StoreOption = None,
) -> None:
    """Send an authorised request and print the answer's body.

    The answer's status and content type go to stderr. On a terminal, JSON is indented.
    """
    provider, env = provider_at(base_url), system_env()
    caller: Identity
    if account is None:
        _require_account(store)
        caller, opened = Credentials(os.environ).caller(method, as_), None
    elif as_ is not As.AUTO:
        raise LocalProtocolError("a request has one caller: give --account or --as")
    else:
        caller, opened = _stored(account, provider, store)
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
    response = run_over(transport, call(built, caller, provider=provider, env=env), caller, provider, env, opened)
    say(f"{response.status} {response.media_type}")
    print_bytes(_shown_body(response))


app.command(name="explain", epilog=manual.EXPLAIN, short_help="Say how a request is signed, or why not rightly.")(
    explain_command
)


app.command(name="login", epilog=manual.LOGIN, short_help="Log a user in, and store their tokens.")(login_command)
app.command(name="logout", epilog=manual.LOGOUT, short_help="Revoke an account's tokens, and remove them.")(
    logout_command
)
app.command(name="status", epilog=manual.STATUS, short_help="Show every stored account.")(status_command)
app.command(name="apps", epilog=manual.APPS, short_help="Show for which applications tokens are stored.")(apps_command)
app.command(name="doctor", epilog=manual.DOCTOR, short_help="Check what can be wrong on this machine.")(doctor_command)


def _stored(account: str, provider: Provider, path: Path | None) -> tuple[OAuth2User, Store]:
    from sansauth_io.cli.stored import open_store, stored_user  # sqlite3 takes time that others need not spend

    store = open_store(path)
    return stored_user(account, provider, store, Credentials(os.environ)), store


def _require_account(store: Path | None) -> None:
    if store is not None:
        raise LocalProtocolError("--store is of use with --account only")


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
        case ApiError() | RemoteProtocolError() | LoginError() | LoginRequired() | RenewalFailed():
            return REFUSED
        case _:
            return WRONG_USE
