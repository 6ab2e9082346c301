"""`sansauth doctor`: what to look at when something does not work. No value of a variable is shown, and no token."""

from __future__ import annotations

import enum
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import typer

from sansauth import __version__
from sansauth.effects import Send, Steps, Timeouts, operation
from sansauth.errors import SansauthError, StoreError, TransportError
from sansauth.http import Request, Response
from sansauth.http_date import parse_http_date
from sansauth.identity import App
from sansauth.provider import Provider
from sansauth_io import system_env
from sansauth_io.cli.arguments import AsJsonOption, BaseUrlOption, StoreOption, TransportOption, provider_at
from sansauth_io.cli.settings import NAMES
from sansauth_io.cli.streams import print_bytes, print_result, printable
from sansauth_io.cli.transports import Transport, run_over

__all__ = ["Check", "Level", "doctor_command"]

SOMETHING_IS_WRONG = 1
PATIENCE = Timeouts(5.0, 5.0, 10.0)
# Seconds that the clocks may differ. What X tolerates of a signature's timestamp is not published; 5 minutes is common.
NOTICED, TOO_MUCH = 30, 300

_NEEDED = ("oauthlib", "typer", "rich", "requests", "httpx", "trio", "h11", "platformdirs")
_FURTHER = {
    "httpx2": "httpx2",
    "PyJWT": "jose",
    "cryptography": "jose or encryption",
    "keyring": "keyring",
    "redis": "redis",
}
_HALVES = (
    ("X_CONSUMER_KEY", "X_CONSUMER_SECRET"),
    ("X_CONSUMER_SECRET", "X_CONSUMER_KEY"),
    ("X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET"),
    ("X_ACCESS_TOKEN_SECRET", "X_ACCESS_TOKEN"),
    ("X_CLIENT_SECRET", "X_CLIENT_ID"),
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Level(enum.StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Check(NamedTuple):
    """One finding."""

    name: str
    level: Level
    words: str


def doctor_command(
    as_json: AsJsonOption = False,
    transport: TransportOption = Transport.REQUESTS,
    base_url: BaseUrlOption = None,
    store: StoreOption = None,
) -> None:
    """Check what can be wrong on this machine: versions, variables, proxies, the store, the clock, the way to X.

    Sends one request, without credentials. Exit code 1 if there is a problem.
    """
    provider = provider_at(base_url)
    checks = [
        *_versions(),
        *_variables(os.environ),
        *_surroundings(os.environ),
        *_storage(store),
        *_service(transport, provider),
    ]
    wrong = any(check.level is Level.PROBLEM for check in checks)
    if as_json:
        named = [check._asdict() for check in checks]
        print_result(json.dumps({"ok": not wrong, "checks": named}))
    else:
        lines = [f"{check.level:<8} {check.name:<13} {printable(check.words)}\n" for check in checks]
        print_bytes("".join(lines).encode("utf-8", "replace"))
    if wrong:
        raise typer.Exit(SOMETHING_IS_WRONG)


# --- this installation -----------------------------------------------------------------------------------------------


def _versions() -> Iterator[Check]:
    import platform  # here: other commands do not need it

    yield Check("sansauth", Level.OK, f"{__version__}, on Python {platform.python_version()}, {platform.system()}")
    found = {name: _version(name) for name in (*_NEEDED, *_FURTHER)}
    missing = [name for name in _NEEDED if found[name] is None]
    there = ", ".join(f"{name} {version}" for name, version in found.items() if version is not None)
    if missing:
        words = f"{', '.join(missing)} cannot be found; pip install 'sansauth[cli]'. Found: {there}"
        yield Check("libraries", Level.PROBLEM, words)
    else:
        yield Check("libraries", Level.OK, there)
    absent = [f"{name} (extra {extra})" for name, extra in _FURTHER.items() if found[name] is None]
    if absent:
        yield Check("extras", Level.OK, f"not installed, and needed only if you use them: {', '.join(absent)}")


def _version(name: str) -> str | None:
    import importlib.metadata  # as above

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


# --- the environment -------------------------------------------------------------------------------------------------


def _variables(environ: Mapping[str, str]) -> Iterator[Check]:
    held = [name for name in NAMES if environ.get(name, "").strip()]
    yield Check("credentials", Level.OK, f"set: {', '.join(held)}" if held else "none of the X_... variables is set")
    for name in NAMES:
        value = environ.get(name)
        if value is not None and not value.strip():
            yield Check("credentials", Level.WARNING, f"{name} is set and empty, which counts as not set")
        elif value is not None and _is_quoted(value.strip()):
            yield Check(
                "credentials", Level.WARNING, f"{name} begins and ends with a quote; are the quotes part of it?"
            )
    for name, other in _HALVES:
        if name in held and other not in held:
            yield Check("credentials", Level.WARNING, f"{name} is set without {other}, and is of no use alone")


def _is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"


def _surroundings(environ: Mapping[str, str]) -> Iterator[Check]:
    proxies = [name for name in _PROXIES if environ.get(name) or environ.get(name.lower())]
    if proxies:
        yield Check("proxies", Level.OK, f"set: {', '.join(proxies)}; requests and httpx use them, trio does not")
    else:
        yield Check("proxies", Level.OK, "none is set")
    for name in _CERTIFICATES:
        path = environ.get(name)
        if path and not Path(path).exists():
            yield Check("certificates", Level.PROBLEM, f"{name} names a file or directory that is not there")
        elif path:
            yield Check("certificates", Level.OK, f"{name} is set, in place of the usual authorities")


# --- the store -------------------------------------------------------------------------------------------------------


def _storage(path: Path | None) -> Iterator[Check]:
    from sansauth_io.cli.stored import open_store, read_accounts, span

    try:
        store = open_store(path)
    except (ModuleNotFoundError, SansauthError) as error:
        yield Check("store", Level.PROBLEM, str(error))
        return
    if not store.path.exists():
        yield Check("store", Level.OK, f"{store.path} is not there yet; `sansauth login` makes it")
        return
    yield from _permissions(store.path)  # before it is opened, which mends what can be mended
    try:
        accounts = sorted(read_accounts(store), key=lambda account: account.of)
    except StoreError as error:
        yield Check("store", Level.PROBLEM, str(error))
        return
    yield Check("store", Level.OK, f"{store.path} opens, accounts: {len(accounts)}")
    for account in accounts:
        name = f"{account.of.account} ({account.of.client_id} at {account.of.authority})"
        if account.trouble is not None:
            yield Check("account", Level.PROBLEM, f"{name}: {account.trouble}")
        elif account.dead_since is not None:
            ago = span(time.time() - account.dead_since)
            yield Check("account", Level.WARNING, f"{name} is dead since {ago}: {account.dead_reason}; log in again")


def _permissions(path: Path) -> Iterator[Check]:
    try:
        found = path.stat()
    except OSError as error:
        yield Check("store", Level.PROBLEM, f"{path} cannot be looked at ({error.strerror})")
        return
    if os.name == "nt":
        return  # its permissions are not in the mode
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        words = f"{path} has mode {mode:04o}: others on this machine may have read its tokens; chmod 600 it"
        yield Check("store", Level.WARNING, words)
    if found.st_uid != os.getuid():
        yield Check("store", Level.WARNING, f"{path} belongs to another user of this machine")


# --- the service -----------------------------------------------------------------------------------------------------


def _service(transport: Transport, provider: Provider) -> Iterator[Check]:
    env = system_env()
    nobody = App("doctor", "")  # clients are of somebody; what is sent has no credentials
    before = env.clock()
    try:
        response = run_over(transport, _asked(Request("GET", f"{provider.base_url}/")), nobody, provider, env)
    except TransportError as error:
        words = f"{provider.base_url} could not be reached over {transport}, so the clock was not checked: {error}"
        yield Check("service", Level.PROBLEM, words)
        return
    except (SansauthError, ModuleNotFoundError) as error:
        yield Check("service", Level.PROBLEM, f"{provider.base_url} could not be asked over {transport}: {error}")
        return
    after = env.clock()
    took = f"{1000 * (after - before):.0f} ms"
    yield Check("service", Level.OK, f"{provider.base_url} answers over {transport} ({response.status}, in {took})")
    yield _clock(parse_http_date(response.headers.get("date") or "", now=after), before, after)


@operation
def _asked(request: Request) -> Steps[Response]:
    return (yield from Send(request, PATIENCE))


def _clock(theirs: int | None, before: float, after: float) -> Check:
    """This clock, which showed `before` and `after` when the service showed `theirs`, in whole seconds."""
    if theirs is None:
        return Check("clock", Level.WARNING, "the service's answer has no date to compare this machine's clock with")
    ahead = max(before - (theirs + 1), 0.0) or min(after - theirs, 0.0)
    words = f"this machine's is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the service's"
    if abs(ahead) <= NOTICED:
        return Check("clock", Level.OK, words if abs(ahead) >= 1 else "agrees with the service's")
    if abs(ahead) <= TOO_MUCH:
        return Check("clock", Level.WARNING, f"{words}; set it by the network")
    return Check("clock", Level.PROBLEM, f"{words}; signatures and tokens depend on it: set it by the network")
