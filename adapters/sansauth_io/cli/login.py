"""`sansauth login`: a user logs in, by a browser on this machine, on another one, or by the code of a device."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import typer

from sansauth.effects import Operation
from sansauth.errors import ApiError, InvalidParameter, InvalidURL, LocalProtocolError, StoreError
from sansauth.identity import Identity, OAuth2Client, OAuth2User
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth_io import system_env
from sansauth_io.cli.arguments import DEFAULT_ACCOUNT, BaseUrlOption, StoreOption, TransportOption, provider_at
from sansauth_io.cli.settings import Credentials
from sansauth_io.cli.streams import can_ask, guarded_stdout, print_result, printable, read_line, say
from sansauth_io.cli.transports import Transport, run_over

if TYPE_CHECKING:
    from sansauth.tokens import OAuth2Tokens
    from sansauth_io.loopback import Loopback
    from sansauth_io.stores import SQLiteStore

__all__ = ["login_command"]

T = TypeVar("T")

INTERRUPTED = 130  # as shells say it of Ctrl-C
REDIRECT_URI = "http://127.0.0.1:8739/callback"
SCOPES = ("tweet.read", "users.read", "offline.access")
SECONDS = 900


class Way(NamedTuple):
    """How the answer comes back."""

    browser: bool
    paste: bool
    seconds: int


class Service(NamedTuple):
    """Where operations go, over what, and where their records live."""

    transport: Transport
    provider: Provider
    store: SQLiteStore | None

    def run(self, operation: Operation[T], identity: Identity) -> T:
        """Run one operation."""
        return run_over(self.transport, operation, identity, self.provider, system_env(), self.store)


def login_command(  # noqa: PLR0913  # each is an option
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="Your own name for the user, to call as.")
    ] = DEFAULT_ACCOUNT,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help=f"Can be given again. Without: {', '.join(SCOPES)}."),
    ] = None,
    redirect_uri: Annotated[
        str,
        typer.Option("--redirect-uri", metavar="URI", help="Where the browser comes back to, exactly as registered."),
    ] = REDIRECT_URI,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page, or only print it.")] = True,
    paste: Annotated[
        bool, typer.Option("--paste", help="Ask for the URL that the browser ends at: it runs on another machine.")
    ] = False,
    device: Annotated[
        bool, typer.Option("--device", help="Show a code to enter elsewhere; the service must know such logins.")
    ] = False,
    oauth1: Annotated[
        bool, typer.Option("--oauth1", help="By OAuth 1.0a and a PIN; prints the credentials, stores nothing.")
    ] = False,
    seconds: Annotated[
        int, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait for the browser.")
    ] = SECONDS,
    transport: TransportOption = Transport.REQUESTS,
    base_url: BaseUrlOption = None,
    store: StoreOption = None,
) -> None:
    """Log a user in, and store their tokens; print the account as one JSON line, without a secret.

    By OAuth 2 with PKCE. The answer is awaited on this machine, on 127.0.0.1 alone.
    """
    provider, way = provider_at(base_url), Way(browser, paste, seconds)
    if oauth1:
        if device or paste or scope or store or account != DEFAULT_ACCOUNT or redirect_uri != REDIRECT_URI:
            raise LocalProtocolError(
                "--oauth1 goes with --no-browser, --transport and --base-url only: it stores no account"
            )
        _log_in_by_pin(Service(transport, provider, None), way)
        return
    from sansauth.tokens import Account  # here: what this needs takes time that other commands need not spend
    from sansauth_io.cli.stored import StoredAccount, open_store
    from sansauth_io.stores.upkeep import tidy

    user = OAuth2User(Credentials(os.environ).client(), account)
    opened = open_store(store)
    opened.load("")  # whatever is wrong with it shows before anybody is asked
    service = Service(transport, provider, opened)
    scopes = tuple(name for given in scope or SCOPES for name in given.split())
    if device:
        tokens = _log_in_on_device(service, user, scopes)
    else:
        tokens = _log_in_by_browser(service, user, scopes, redirect_uri, way)
    with contextlib.suppress(StoreError):  # of logins that nobody can finish any more; it can wait
        tidy(opened, now=time.time())
    stored = StoredAccount.holding(Account(provider.authority, user.client.client_id, account), tokens)
    print_result(json.dumps({**stored.to_object(), "store": str(opened.path)}))
    _say_what_came(tokens, account, scopes, opened.path)


# --- OAuth 2, by a browser -------------------------------------------------------------------------------------------


def _log_in_by_browser(
    service: Service, user: OAuth2User, scopes: tuple[str, ...], redirect_uri: str, way: Way
) -> OAuth2Tokens:
    from sansauth.oauth2.login import begin_login
    from sansauth_io._caller import Caller
    from sansauth_io._oauth2_methods import finish_oauth2_login

    env = system_env()
    with _listening(redirect_uri, way) as loopback:
        back = redirect_uri if loopback is None else loopback.redirect_uri
        provider, lifetime = service.provider, way.seconds
        asked = begin_login(user.client, scopes, provider=provider, env=env, redirect_uri=back, lifetime=lifetime)
        try:
            awaiting = service.run(asked, user)
        except (InvalidParameter, InvalidURL):
            raise LocalProtocolError(
                "--redirect-uri is an absolute URI without a fragment, and a --scope is printable ASCII text"
            ) from None
        with _interruptible():
            _show_page(awaiting.url, way)
            if loopback is None:
                answer = _ask("Paste the URL at which the browser ends; its page may be an error: ")
            else:
                say(f"Waiting for it to come back to {awaiting.callback}; Ctrl-C gives up.")
                say("If the browser runs on another machine: Ctrl-C, and --paste.")
                answer = loopback.wait(way.seconds)
    return service.run(finish_oauth2_login(Caller(user, provider, env), awaiting, answer), user)


@contextlib.contextmanager
def _listening(redirect_uri: str, way: Way) -> Generator[Loopback | None]:
    """The server for the redirect; None where the person pastes it."""
    from sansauth_io.loopback import Loopback, is_loopback_redirect

    if way.paste:
        yield None
        return
    if not is_loopback_redirect(redirect_uri):
        raise LocalProtocolError(
            "this command can wait at http://127.0.0.1:PORT/PATH only (or localhost, or [::1], with a port); for any "
            "other --redirect-uri give --paste"
        )
    try:
        loopback = Loopback(redirect_uri)
    except OSError as error:
        where = f"the port of {redirect_uri} cannot be had on this machine ({error.strerror})"
        if not can_ask():
            raise LocalProtocolError(
                f"{where}; end what holds it, register and give another --redirect-uri, or give --paste"
            ) from None
        say(f"Note: {where}.")
        yield None
        return
    with loopback:
        yield loopback


# --- OAuth 2, on a device --------------------------------------------------------------------------------------------


def _log_in_on_device(service: Service, user: OAuth2User, scopes: tuple[str, ...]) -> OAuth2Tokens:
    from sansauth.oauth2.accounts import adopt
    from sansauth.oauth2.device import begin_device_login, finish_device_login

    service = service._replace(provider=_with_device_endpoint(service, user.client))
    env, provider, client = system_env(), service.provider, user.client
    awaiting = service.run(begin_device_login(client, scopes, provider=provider, env=env), user)
    say(f"On any device, open\n\n  {awaiting.verification_uri}\n\nand enter the code\n\n  {awaiting.user_code}\n")
    with _interruptible():
        tokens = service.run(finish_device_login(client, awaiting, provider=provider, env=env), user)
    service.run(adopt(user, tokens, provider), user)
    return tokens


def _with_device_endpoint(service: Service, client: OAuth2Client) -> Provider:
    """The provider with the endpoint that it publishes: X, of which all the others are made, has none."""
    provider = service.provider
    without = f"{provider.base_url} knows no logins of devices; on a machine without a browser give --paste"
    if provider.authority == provider_at(None).authority:
        raise LocalProtocolError(without)
    try:
        published = service.run(Provider.discover(provider.base_url), client)
    except ApiError:
        raise LocalProtocolError(without) from None
    if published.endpoints.device_authorization is None:
        raise LocalProtocolError(without)
    endpoints = dataclasses.replace(provider.endpoints, device_authorization=published.endpoints.device_authorization)
    return dataclasses.replace(provider, endpoints=endpoints)


# --- OAuth 1.0a ------------------------------------------------------------------------------------------------------


def _log_in_by_pin(service: Service, way: Way) -> None:
    from sansauth.x.login import begin_login, finish_login

    app, env = Credentials(os.environ).app(), system_env()
    awaiting = service.run(begin_login(app, env=env, provider=service.provider), app)
    with _interruptible():
        _show_page(awaiting.url, way)
        pin = _ask("Enter the PIN that it shows: ")
    held = service.run(finish_login(app, awaiting, pin, env=env, provider=service.provider), app)
    names = ("access_token", "access_token_secret", "user_id", "screen_name")
    print_result(Secret(json.dumps({name: getattr(held, name) for name in names})))
    say("For the other commands: X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET.")


# --- the person ------------------------------------------------------------------------------------------------------


def _show_page(url: str, way: Way) -> None:
    say(f"Open this page, and log in:\n\n  {url}\n")
    if not way.browser:
        return
    import webbrowser  # here: other commands do not need it

    opened = False
    with contextlib.suppress(OSError, webbrowser.Error), guarded_stdout():  # browsers write to stdout
        opened = webbrowser.open(url)
    if not opened:
        say("No browser could be opened here; open the page yourself.")


def _ask(question: str) -> Secret:
    say(question, end="")
    answer = Secret(read_line())
    if not answer:
        raise LocalProtocolError("nothing was entered, so the login was given up")
    return answer


@contextlib.contextmanager
def _interruptible() -> Generator[None]:
    """Ctrl-C while a person is waited for ends the command in a sentence."""
    try:
        yield
    except KeyboardInterrupt:
        say("\nThe login was given up; nothing was stored.")
        raise typer.Exit(INTERRUPTED) from None


def _say_what_came(tokens: OAuth2Tokens, account: str, asked: tuple[str, ...], path: Path) -> None:
    from sansauth_io.cli.stored import span

    say(f"Logged in: account {printable(account)!r} is stored in {path}.")
    missing = [] if tokens.scopes is None else [name for name in asked if name not in tokens.scopes]
    if missing:
        say(f"Not granted: {', '.join(missing)}.")
    if tokens.refresh_token is None:
        ends = "" if tokens.expires_at is None else f" in {span(tokens.expires_at - time.time())}"
        say(f"There is no refresh token: the login ends{ends}. X gives one with --scope offline.access.")
