"""The one reader of refusals: any answer that is not a success becomes a typed error, whatever its shape.

Services contradict their own content types, so the order is: the status, then the body's own form (JSON, XML, text)
with the content type as a hint, then the codes found in it. The codes, where the provider's table knows them, decide
the type; otherwise the status does. The body of a stranger is not trusted: only its message fields are shown,
shortened, and nothing that the request carried as a credential.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import cast

from sansauth.encoding import decode, unquote
from sansauth.errors import (
    ApiError,
    BadGateway,
    BadRequest,
    Forbidden,
    GatewayTimeout,
    InternalServerError,
    NotAcceptable,
    NotFound,
    PaymentRequired,
    Refusal,
    RequestEntityTooLarge,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnexpectedRedirect,
    UnprocessableEntity,
)
from sansauth.http import SENSITIVE, Request, Response
from sansauth.provider import Provider
from sansauth.ratelimit import read_rate_limits

__all__ = ["read_refusal", "refuse_codes"]

TEXT_CHARACTERS = 200  # of the service's words, in an error
BODY_BYTES = 65_536  # of the body, looked at for them
CODES = 8  # of its codes, kept

_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    406: NotAcceptable,
    413: RequestEntityTooLarge,
    420: TooManyRequests,
    422: UnprocessableEntity,
    429: TooManyRequests,
    500: InternalServerError,
    502: BadGateway,
    503: ServiceUnavailable,
    504: GatewayTimeout,
}

_XML_ERROR = re.compile(r"<error(?:\s+code=[\"']([^\"'<>]{1,40})[\"'])?\s*>([^<]*)</error>")
_HTML_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"(?i)(\w*(?:token|secret|signature|password|verifier|credential|code_challenge|authorization)\w*[\"']?\s*[=:]\s*)"
    r"[\"']?[^\s&\"',;<>]+"
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9\-._~+/%]{8,}=*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def read_refusal(response: Response, provider: Provider, *, request: Request | None = None, hint: str = "") -> ApiError:
    """Read a refusing answer into the error it means.

    `request` is what was refused: whatever it carried as a credential is masked in the error's text. `hint` is used
    where the provider's table has none for the codes.
    """
    codes, text = _read_body(response)
    table = provider.errors
    known = next((code for code in codes if code in table.types), None)
    kind = table.types[known] if known is not None else _kind_by_status(response.status)
    refusal = Refusal(
        service=provider.name,
        status=response.status,
        codes=codes,
        text=_shown(text, _credentials(request)),
        hint=next((table.hints[code] for code in codes if code in table.hints), hint) or _redirect_hint(response),
        rate_limits=read_rate_limits(response.headers.get, provider.rate_limit_headers),
        transaction_id=_transaction_id(response, provider),
    )
    return kind(refusal)


def refuse_codes(response: Response, provider: Provider, *, request: Request | None = None) -> None:
    """Raise the error of an answer whose status says success but whose body has one of the provider's error codes."""
    codes, _ = _read_body(response)
    if any(code in provider.errors.types for code in codes):
        raise read_refusal(response, provider, request=request)


def _kind_by_status(status: int) -> type[ApiError]:
    if 300 <= status < 400:
        return UnexpectedRedirect
    return _BY_STATUS.get(status, ApiError)


def _redirect_hint(response: Response) -> str:
    # Not the location: a redirect of a login or token request may carry a code or a token in it.
    return "Redirects are not followed with credentials." if 300 <= response.status < 400 else ""


def _transaction_id(response: Response, provider: Provider) -> str | None:
    found = (response.headers.get(name) for name in provider.transaction_headers)
    return next((value[:TEXT_CHARACTERS] for value in found if value), None)


def _read_body(response: Response) -> tuple[tuple[int | str, ...], str]:
    """Codes and text of the body, by the form it really has."""
    if response.body[:1] in {b"{", b"[", b'"'} or response.media_type.endswith("json"):
        try:
            document: object = json.loads(response.body)
        except (ValueError, RecursionError):
            document = None
        if document is not None:
            return _read_json(document)
    text = response.body[:BODY_BYTES].decode("utf-8", "replace").strip()
    if text.startswith("<"):
        return _read_markup(text)
    if text.startswith(("{", "[")) or response.media_type in {"text/html", "application/octet-stream"}:
        return (), ""  # broken JSON, or something that is no message
    return (), text


def _read_markup(text: str) -> tuple[tuple[int | str, ...], str]:
    # By pattern: an XML parser would expand a stranger's entities.
    errors = _XML_ERROR.findall(text)
    if errors:
        return _codes(code for code, _ in errors), "; ".join(message for _, message in errors)
    title = _HTML_TITLE.search(text)
    return (), title[1] if title else ""


def _read_json(document: object) -> tuple[tuple[int | str, ...], str]:
    if isinstance(document, str):
        return (), document
    if not isinstance(document, dict):
        return (), ""
    fields = cast("dict[str, object]", document)
    entries = [cast("dict[str, object]", one) for one in _list(fields.get("errors")) if isinstance(one, dict)]
    codes = _codes(part for entry in (fields, *entries) for part in (entry.get("code"), _slug(entry.get("type"))))
    error = fields.get("error")
    if isinstance(error, str) and " " not in error:
        codes = (*codes, *_codes([error]))  # RFC 6749 section 5.2: a code, not a sentence
        error = None
    candidates = [
        fields.get("errors"),
        *(entry.get(name) for entry in entries for name in ("message", "detail", "title")),
        *(fields.get(name) for name in ("error_description", "detail", "title", "message")),
        error,
    ]
    return codes, next((text for text in candidates if isinstance(text, str) and text), "")


def _list(value: object) -> list[object]:
    return cast("list[object]", value)[:CODES] if isinstance(value, list) else []


def _slug(value: object) -> str | None:
    # Two hosts serve the same problem types: only the last segment identifies one. about:blank says nothing.
    if not isinstance(value, str) or value == "about:blank":
        return None
    return value.rpartition("/")[2]


def _codes(found: Iterable[object]) -> tuple[int | str, ...]:
    codes: list[int | str] = []
    for code in found:
        if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) < 10:
            code = int(code)
        if isinstance(code, str):
            code = _CONTROL.sub(" ", code)[:80]
        if isinstance(code, (int, str)) and not isinstance(code, bool) and code != "" and code not in codes:
            codes.append(code)
    return tuple(codes[:CODES])


def _shown(text: str, credentials: Iterable[str]) -> str:
    text = _CONTROL.sub(" ", text[: 20 * TEXT_CHARACTERS])
    for credential in credentials:
        text = text.replace(credential, "***")
    text = _SCHEME.sub(r"\1 ***", _ASSIGNED.sub(r"\1***", text))
    return text if len(text) <= TEXT_CHARACTERS else text[: TEXT_CHARACTERS - 1] + "…"


def _credentials(request: Request | None) -> list[str]:
    """What in a request must not be repeated, should the service echo it."""
    if request is None:
        return []
    scheme, _, value = (request.headers.get("authorization") or "").partition(" ")
    found = [value]
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(value).decode()
        except ValueError:
            pair = ""
        found += [pair, *pair.partition(":")[::2]]
    elif scheme.lower() == "oauth":
        found = [piece.partition('="')[2].rstrip('"') for piece in value.split(", ")]
    form = request.body.decode("latin-1") if request.has_form else ""
    found += [value for name, value in decode(f"{request.query}&{form}") if SENSITIVE.search(name)]
    found += [unquote(value).decode("utf-8", "replace") for value in found]
    # A short value (`1.0`, `true`) is no secret, and masking it would only make holes in the text.
    return sorted({value for value in found if len(value) > 5}, key=len, reverse=True)
