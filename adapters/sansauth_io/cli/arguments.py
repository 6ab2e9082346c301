"""What several commands take, read in one way."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sansauth.errors import LocalProtocolError
from sansauth.provider import Provider
from sansauth.x import X

__all__ = ["FormOption", "JsonOption", "ParamOption", "json_body", "pairs", "provider_at"]

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
