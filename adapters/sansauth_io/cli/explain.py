"""`sansauth explain`: how a request is signed, and why a signature was refused. Sends nothing."""

from __future__ import annotations

import enum
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from sansauth.errors import LocalProtocolError
from sansauth.http import JSON, Headers, Request, build_request
from sansauth.identity import App, OAuth1User
from sansauth_io import system_env
from sansauth_io.cli.arguments import (
    FormOption,
    JsonOption,
    ParamOption,
    json_body,
    pairs,
    provider_at,
)
from sansauth_io.cli.settings import Credentials
from sansauth_io.cli.streams import print_bytes

if TYPE_CHECKING:
    from sansauth.oauth1 import Explanation
    from sansauth.provider import SignatureMethod

__all__ = ["explain_command"]

WRONG_SIGNATURE = 1


class Signs(enum.StrEnum):
    """Who a request is signed as."""

    AUTO = "auto"
    USER = "user"
    APP = "app"


class Format(enum.StrEnum):
    """What the explanation is written as."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


def explain_command(  # noqa: PLR0913  # each is an argument or an option
    method: Annotated[str | None, typer.Argument(metavar="METHOD", help="GET, POST, PUT, DELETE, ...")] = None,
    url_or_path: Annotated[
        str | None, typer.Argument(metavar="URL_OR_PATH", help="A path such as /2/users/me, or any URL.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="What a path is joined to, in place of https://api.x.com."),
    ] = None,
    param: ParamOption = None,
    form: FormOption = None,
    json_: JsonOption = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="'NAME: VALUE'", help="A header field; can be given again."),
    ] = None,
    curl: Annotated[
        str | None,
        typer.Option("--curl", metavar="COMMAND", help="The request as a curl command; - reads it from stdin."),
    ] = None,
    timestamp: Annotated[
        str | None, typer.Option("--timestamp", metavar="SECONDS", help="To sign with, in Unix seconds; else now.")
    ] = None,
    nonce: Annotated[
        str | None, typer.Option("--nonce", metavar="TEXT", help="To sign with; else a random one.")
    ] = None,
    signature_method: Annotated[
        str | None, typer.Option("--signature-method", metavar="NAME", help="To sign with: HMAC-SHA1, HMAC-SHA256, ...")
    ] = None,
    as_: Annotated[Signs, typer.Option("--as", metavar="WHO", help="Who signs: auto, user or app.")] = Signs.AUTO,
    format_: Annotated[
        Format, typer.Option("--format", metavar="NAME", help="What to write: text, json or html.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write there, and not to stdout.")
    ] = None,
) -> None:
    """Lay out how a request is signed by OAuth 1.0a, or say why its signature is wrong.

    A request with an Authorization field, or oauth_signature in its query or form, is judged: the usual mistakes are
    tried until one makes the same signature. Any other is signed as it would be now.
    """
    from sansauth.oauth1 import explain  # the search of causes takes time that the other commands need not spend

    provider = provider_at(base_url)
    if curl is None:
        if method is None or url_or_path is None:
            raise LocalProtocolError("give METHOD and URL_OR_PATH, or --curl")
        url = provider.url(url_or_path)
        request = _built(method, url, param, form, json_, header)
    else:
        url, request = None, _of_curl(curl, (method, url_or_path, param, form, json_, header))
    env = system_env()
    signs = "authorization" not in request.headers or timestamp is not None or nonce is not None
    explanation = explain(
        request,
        _identity(as_),
        timestamp=(timestamp or env.timestamp()) if signs else None,
        nonce=(nonce or env.nonce()) if signs else None,
        signing=replace(provider.signing, method=cast("SignatureMethod", signature_method or provider.signing.method)),
        now=env.clock(),
        provider=provider,
        url=url,
    )
    _write(explanation, format_, output)
    if explanation.matches is False:
        raise typer.Exit(WRONG_SIGNATURE)


def _identity(as_: Signs) -> App | OAuth1User:
    credentials = Credentials(os.environ)
    match as_:
        case Signs.USER:
            return credentials.user()
        case Signs.APP:
            return credentials.app()
        case _:
            return credentials.owner()


def _built(
    method: str, url: str, param: list[str] | None, form: list[str] | None, json_: str | None, header: list[str] | None
) -> Request:
    if form and json_ is not None:
        raise LocalProtocolError("a request has one body: give --form or --json")
    fields = Headers(_fields(header))
    if json_ is not None and "content-type" not in fields:
        fields = fields.replacing("content-type", JSON)
    return build_request(
        method,
        url,
        params=pairs("--param", param),
        form=pairs("--form", form) if form else None,
        body=None if json_ is None else json_body(json_),
        headers=fields,
    )


def _fields(given: list[str] | None) -> list[tuple[str, str]]:
    fields = [entry.partition(":") for entry in given or []]
    if not all(colon for _, colon, _ in fields):
        raise LocalProtocolError("--header takes 'NAME: VALUE', such as 'Authorization: OAuth ...'")
    return [(name.strip(), value) for name, _, value in fields]


def _of_curl(command: str, others: tuple[object, ...]) -> Request:
    from sansauth.oauth1 import read_curl

    if any(other is not None and other != [] for other in others):
        raise LocalProtocolError("--curl says the whole request: leave out METHOD, URL_OR_PATH and what is in it")
    return read_curl(_stdin() if command == "-" else command)


def _stdin() -> str:
    try:
        return sys.stdin.read() if sys.stdin is not None else ""
    except (OSError, UnicodeDecodeError):
        raise LocalProtocolError("stdin could not be read as text") from None


def _write(explanation: Explanation, format_: Format, output: Path | None) -> None:
    text = _formatted(explanation, format_, color=output is None and _shows_colors())
    if output is None:
        print_bytes(text.encode())
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LocalProtocolError(f"--output could not be written: {error.strerror}") from None


def _shows_colors() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")  # https://no-color.org


def _formatted(explanation: Explanation, format_: Format, *, color: bool) -> str:
    match format_:
        case Format.TEXT:
            return explanation.to_text(color=color)
        case Format.JSON:
            return explanation.to_json()
        case Format.HTML:
            return explanation.to_html()
