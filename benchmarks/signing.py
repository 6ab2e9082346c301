"""Signing: one OAuth 1.0a signature by HMAC-SHA1, with a nonce and a timestamp of its own.

Before anything is timed, every contender must make the same signature of the same nonce and timestamp.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias
from unittest import mock
from urllib.parse import unquote

from benchmarks.report import table
from benchmarks.timing import Batch, fastest, repeated
from sansauth import App, OAuth1User, Request, build_request
from sansauth.http import FORM
from sansauth.oauth1 import sign
from sansauth_io import system_env

SECONDS = 10.0

# These and PINS are of X's documentation, "Creating a signature".
CREDENTIALS = (
    "xvz1evFS4wEEPTGEFPHBog",
    "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
    "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
    "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
)
USER = OAuth1User(App(*CREDENTIALS[:2]), *CREDENTIALS[2:])

Pins: TypeAlias = "Mapping[str, str]"
"""Nonce and timestamp to sign with; empty for fresh ones."""

PINS = {"nonce": "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", "timestamp": "1318622958"}


@dataclass(frozen=True)
class Case:
    """A request to sign, and its signature for `PINS`."""

    title: str
    request: Request
    signature: str

    @property
    def body(self) -> str:
        return self.request.body.decode()

    @property
    def headers(self) -> dict[str, str]:
        # A new one for each call: some peers write into it.
        return {"Content-Type": FORM} if self.request.body else {}


POST = Case(
    "POST with a form (a status update, X's own example)",
    build_request(
        "POST",
        "https://api.x.com/1.1/statuses/update.json?include_entities=true",
        form={"status": "Hello Ladies + Gentlemen, a signed OAuth request!"},
    ),
    "Ls93hJiZbQ3akF3HF3x1Bz8/zU4=",
)
GET = Case(
    "GET without parameters (verify_credentials)",
    build_request("GET", "https://api.x.com/1.1/account/verify_credentials.json"),
    "SVV3zb40FDFQusyw73/GtHLvEos=",
)


@dataclass(frozen=True)
class Signer:
    """One way to sign: what is timed, and how to read the Authorization header from what that returns."""

    call: Callable[[], Any]
    header: Callable[[Any], str]
    overhead: Callable[[], object] | None = None  # the part of `call` that is not signing; timed apart


def _ours(case: Case, pins: Pins) -> Signer:
    return Signer(_signing(lambda: case.request, pins), lambda signed: signed.headers["authorization"])


def _ours_from_text(case: Case, pins: Pins) -> Signer:
    method, url, body = case.request.method, case.request.url, case.request.body
    return Signer(
        _signing(lambda: Request(method, url, case.headers, body), pins), lambda signed: signed.headers["authorization"]
    )


def _signing(request: Callable[[], Request], pins: Pins) -> Callable[[], Request]:
    if pins:
        return lambda: sign(request(), USER, timestamp=pins["timestamp"], nonce=pins["nonce"])
    env = system_env()
    return lambda: sign(request(), USER, timestamp=env.timestamp(), nonce=env.nonce())


def _oauthlib(case: Case, pins: Pins) -> Signer:
    from oauthlib.oauth1 import Client

    client = Client(*CREDENTIALS, **pins)
    method, url, body = case.request.method, case.request.url, case.body or None
    return Signer(lambda: client.sign(url, method, body, case.headers), lambda signed: signed[1]["Authorization"])


def _authlib(case: Case, pins: Pins) -> Signer:
    from authlib.oauth1 import ClientAuth
    from authlib.oauth1.rfc5849 import client_auth

    auth = ClientAuth(*CREDENTIALS)
    method, url, body = case.request.method, case.request.url, case.body

    def call() -> tuple[str, dict[str, str], str]:
        return auth.prepare(method, url, case.headers, body)

    if pins:  # which it takes from two functions of a module
        call = mock.patch.multiple(client_auth, **_generators("generate_", pins))(call)
    return Signer(call, lambda signed: signed[1]["Authorization"])


def _requests_oauthlib(case: Case, pins: Pins) -> Signer:
    import requests
    from requests_oauthlib import OAuth1

    signing = OAuth1(*CREDENTIALS, **pins)
    method, url, body = case.request.method, case.request.url, case.body or None

    def prepare(auth: OAuth1 | None = None) -> requests.PreparedRequest:
        prepared = requests.PreparedRequest()
        prepared.prepare(method, url, headers=case.headers, data=body, auth=auth)
        return prepared

    return Signer(lambda: prepare(signing), lambda signed: signed.headers["Authorization"].decode(), overhead=prepare)


def _xdk(case: Case, pins: Pins) -> Signer:
    from xdk.oauth1_auth import OAuth1

    auth = OAuth1(*CREDENTIALS[:2], "http://127.0.0.1/", *CREDENTIALS[2:])
    vars(auth).update(_generators("_generate_", pins))
    method, url, body = case.request.method, case.request.url, case.body
    return Signer(lambda: auth.build_request_header(method, url, body), str)


def _generators(prefix: str, pins: Pins) -> dict[str, Callable[[], str]]:
    return {prefix + name: partial(str, value) for name, value in pins.items()}


OURS = "sansauth.oauth1.sign"
OAUTHLIB = "oauthlib oauth1.Client.sign"
CONTENDERS: dict[str, Callable[[Case, Pins], Signer]] = {
    OURS: _ours,
    "sansauth.Request from method, URL, body; and sign": _ours_from_text,
    OAUTHLIB: _oauthlib,
    "Authlib ClientAuth.prepare": _authlib,
    "requests-oauthlib OAuth1, less the bare prepare": _requests_oauthlib,
    "xdk OAuth1.build_request_header": _xdk,
}


def measure(case: Case, names: Iterable[str] = CONTENDERS, *, seconds: float) -> dict[str, float | None]:
    """The seconds that one signature takes each of these contenders; None if it is not installed."""
    names = list(names)
    batches: dict[str, Batch | None] = dict.fromkeys(names)
    for name in names:
        try:
            _check(name, case)
            signer = CONTENDERS[name](case, {})
        except ImportError:
            continue
        batches[name] = repeated(signer.call)
        if signer.overhead is not None:
            batches[f"overhead of {name}"] = repeated(signer.overhead)
    took = fastest(batches, seconds=seconds)
    return {name: _less(took[name], took.get(f"overhead of {name}")) for name in names}


def _less(took: float | None, overhead: float | None) -> float | None:
    return took if took is None or overhead is None else took - overhead


def _check(name: str, case: Case) -> None:
    signer = CONTENDERS[name](case, PINS)
    found = re.search(r'oauth_signature="([^"]*)"', signer.header(signer.call()))
    if found is None or unquote(found[1]) != case.signature:
        raise SystemExit(f"{name} makes another signature of the {case.title}: {found and unquote(found[1])}")


def tables() -> Iterator[str]:
    """One table for each case."""
    for case in (POST, GET):
        yield table(case.title, measure(case, seconds=SECONDS / 2), unit="us")
