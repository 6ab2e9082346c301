"""`sansauth status`, `apps` and `logout`: what is stored, and the end of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from sansauth_io import system_env
from sansauth_io.cli.arguments import (
    DEFAULT_ACCOUNT,
    AsJsonOption,
    BaseUrlOption,
    StoreOption,
    TransportOption,
    provider_at,
)
from sansauth_io.cli.settings import Credentials
from sansauth_io.cli.streams import print_bytes, print_result, printable, say
from sansauth_io.cli.transports import Transport, run_over

if TYPE_CHECKING:
    from sansauth_io.stores import SQLiteStore

__all__ = ["apps_command", "logout_command", "status_command"]

# What keys of the store begin with, and what the name in them is.
_KINDS = {"oauth2": "client_id", "oauth2-client": "client_id", "app-token": "consumer_key"}


def status_command(as_json: AsJsonOption = False, store: StoreOption = None) -> None:
    """Show every stored account: where, by which client, what it may do, until when. Never a token.

    Nothing is sent.
    """
    from sansauth_io.cli.stored import open_store, read_accounts  # sqlite3 takes time that others need not spend

    opened = open_store(store)
    found = sorted(read_accounts(opened), key=lambda account: account.of)
    if as_json:
        print_result(json.dumps([account.to_object() for account in found]))
        return
    _print_lines(line for account in found for line in account.to_lines(time.time()))
    if not found:
        say(f"No account is stored in {opened.path}; `sansauth login` makes one.")


def apps_command(as_json: AsJsonOption = False, store: StoreOption = None) -> None:
    """Show the applications for which tokens are stored: client ids and consumer keys, and where. Never a secret.

    Nothing is sent.
    """
    from sansauth_io.cli.stored import open_store

    opened = open_store(store)
    counts: dict[tuple[str, str, str], int] = {}
    for service, name, value, is_account in _applications(opened):
        counts[service, name, value] = counts.get((service, name, value), 0) + is_account
    found = [
        {"service": service, name: value, "accounts": accounts}
        for (service, name, value), accounts in sorted(counts.items())
    ]
    if as_json:
        print_result(json.dumps(found))
        return
    _print_lines(
        f"{name} {value}  {service}  {accounts} account{'' if accounts == 1 else 's'}"
        for (service, name, value), accounts in sorted(counts.items())
    )
    if not found:
        say(f"No token is stored in {opened.path}.")


def logout_command(
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="The account.")] = DEFAULT_ACCOUNT,
    transport: TransportOption = Transport.REQUESTS,
    base_url: BaseUrlOption = None,
    store: StoreOption = None,
    local: Annotated[bool, typer.Option("--local", help="Remove them here alone, and send nothing.")] = False,
) -> None:
    """Revoke the tokens of an account, and remove them.

    If the service does not revoke them they stay, so that it can be tried again, or removed with --local.
    """
    from sansauth.oauth2.accounts import logout
    from sansauth_io.cli.stored import open_store, stored_user

    provider, opened = provider_at(base_url), open_store(store)
    user = stored_user(account, provider, opened, Credentials(os.environ))
    env = system_env()
    run_over(transport, logout(user, provider=provider, env=env, revoke=not local), user, provider, env, opened)
    say(f"Logged out: account {printable(account)!r} is removed from {opened.path}.")


def _applications(store: SQLiteStore) -> Iterator[tuple[str, str, str, bool]]:
    """Where, what the name is called, the name, and whether it is a user's token."""
    from sansauth.encoding import unquote

    for kind, name in _KINDS.items():
        for key in store.keys(f"{kind}/") if store.path.exists() else ():
            parts = [unquote(part).decode("utf-8", "replace") for part in key.split("/")]
            if len(parts) > 2:
                yield parts[1], name, parts[2], kind == "oauth2"


def _print_lines(lines: Iterator[str]) -> None:
    # As UTF-8, whatever the terminal is set to: a name may be written in any script.
    print_bytes("".join(f"{printable(line)}\n" for line in lines).encode("utf-8", "replace"))
