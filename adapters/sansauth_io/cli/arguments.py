"""What several commands take, read in one way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sansauth.errors import LocalProtocolError
from sansauth.provider import Provider
from sansauth.x import X
from sansauth_io.cli.transports import Transport

__all__ = [
    "DEFAULT_ACCOUNT",
    "AsJsonOption",
    "BaseUrlOption",
    "FormOption",
    "JsonOption",
    "ParamOption",
    "StoreOption",
    "StoredAccountOption",
    "TransportOption",
    "json_body",
    "pairs",
    "provider_at",
]

DEFAULT_ACCOUNT = "default"
"""What a user is called if nobody gave them a name."""

TransportOption = Annotated[
    Transport, typer.Option("--transport", metavar="NAME", help="The library that sends: requests, httpx or trio.")
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Send everything there, and not to https://api.x.com."),
]
StoredAccountOption = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="As this account, which `sansauth login` has stored.")
]
StoreOption = Annotated[
    Path | None,
    typer.Option("--store", metavar="FILE", help="Where accounts are stored, if not in the user's data directory."),
]
AsJsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ParamOption = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="For the query; can be given again.")
]
FormOption = Annotated[
    list[str] | None, typer.Option("--form", metavar="NAME=VALUE", help="For a form body; can be given again.")
]
JsonOption = Annotated[str | None, typer.Option("--json", metavar="JSON", help="The body, as JSON.")]


def provider_at(base_url: str | None) -> Provider:
    """X, or X moved to that base URL."""
    return X if base_url is None else X.at(base_url)


def pairs(option: str, given: list[str] | None) -> list[tuple[str, str]]:
    """NAME=VALUE, as pairs; `LocalProtocolError` for what is none."""
    split = [entry.partition("=") for entry in given or []]
    if not all(separator for _, separator, _ in split):
        raise LocalProtocolError(f"{option} takes NAME=VALUE")
    return [(name, value) for name, _, value in split]


def json_body(text: str) -> bytes:
    """The text as it is, if it is JSON."""
    try:
        json.loads(text)
        return text.encode()
    except ValueError as error:
        raise LocalProtocolError(f"--json is not JSON: {error}") from None
