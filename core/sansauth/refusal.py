"""The one reader of refusals: any answer that is not a success becomes a typed error, whatever its shape.

Services contradict their own content types, so the order is: the status, then the body's own form (JSON, XML, text)
with the content type as a hint, then the codes found in it. The codes, where the provider's table knows them, decide
the type; otherwise the status does. The body of a stranger is not trusted: only its message fields are shown,
shortened, and nothing that the request carried as a credential.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple, cast

from sansauth.challenge import CHALLENGE_CHARACTERS, read_challenge
from sansauth.encoding import decode, unquote
from sansauth.errors import (
    ApiError,
    BadGateway,
    BadRequest,
    Forbidden,
    GatewayTimeout,
    InsufficientScope,
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
from sansauth.registered_codes import REGISTERED
from sansauth.retry_after import read_retry_after

__all__ = ["read_refusal", "refuse_codes", "words_of"]

TEXT_CHARACTERS = 200  # of the service's words, in an error
BODY_BYTES = 65_536  # of the body, looked at for them
PAGE_BYTES = 400  # of a page without a title, that is short enough to be nothing but a message
CODES = 8  # of its codes, kept
CODE_LIMIT = 10**9  # what a code is below; a longer number is none, and would flood the error's text
CODE_CHARACTERS = 80

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
_TAG = re.compile(r"<[^<>]*+>")
# One look at each word, and possessive: a hostile text cannot make the match backtrack.
_ASSIGNED = re.compile(
    r"(?i)(?<!\w)(?=\w*?(?:token|secret|signature|password|verifier|credential|code_challenge|authorization))"
    r"(\w++[\"']?\s*+[=:]\s*+)[\"']?[^\s&\"',;<>]+"
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9\-._~+/%]{8,}=*")
_PROBLEM = re.compile(r"\boauth_problem=[\"']?([a-z_]{1,40})")
# With the line separators, the overrides of writing direction, and surrogates, which no log can encode.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def read_refusal(response: Response, provider: Provider, *, request: Request | None = None, hint: str = "") -> ApiError:
    """Read a refusing answer into the error it means.

    `request` is what was refused: whatever it carried as a credential is masked in the error's text. `hint` is used
    where the provider's table has none for the codes.
    """
    said = _read(response)
    hints, kind = provider.errors.hints, _kind(said, response.status, provider)
    credentials = _credentials(request)
    # Not `_shown`: `token:write` may be the name of a scope.
    scopes = tuple([scope for scope in said.scopes if _without(credentials, scope) == scope])
    needed = _scope_hint(scopes) if issubclass(kind, InsufficientScope) else ""
    refusal = Refusal(
        service=provider.name,
        status=response.status,
        codes=tuple(
            _shown(code, credentials, CODE_CHARACTERS) if isinstance(code, str) else code for code in said.codes
        ),
        text=_shown(said.text, credentials),
        hint=next((hints[code] for code in said.codes if code in hints), hint or needed) or _redirect_hint(response),
        rate_limits=provider.rate_limits(response),
        transaction_id=_transaction_id(response, provider, credentials),
        retry_after=read_retry_after(response.headers.get),
        scopes=scopes,
        error_uri=_page(said.uri, credentials),
    )
    return kind(refusal)


def refuse_codes(response: Response, provider: Provider, *, request: Request | None = None) -> None:
    """Raise the error of an answer whose status says success but whose body has an error code that is known."""
    codes = _read(response).codes  # and not the text: a local of this frame would show what it repeats of the request
    if any(code in provider.errors.types or code in REGISTERED for code in codes):
        raise read_refusal(response, provider, request=request)


def words_of(response: Response, *, request: Request | None = None) -> str:
    """What an answer says that should have held credentials: a sentence, shortened and redacted; empty if it has none.

    The message of JSON or XML, the title of a page, all of a short page without one; never a single word, which may be
    a token under an unknown name.
    """
    text = _read(response).text
    page = response.body[:PAGE_BYTES].decode("utf-8", "replace").strip()
    if not text and page.startswith("<") and len(response.body) <= PAGE_BYTES:
        text = _TAG.sub(" ", page)
    shown = _shown(text, _credentials(request))
    return shown if " " in shown else ""


class _Said(NamedTuple):
    """What an answer says, word for word: it may repeat what the request carried."""

    codes: tuple[int | str, ...] = ()
    text: str = ""
    uri: str = ""
    scopes: tuple[str, ...] = ()


def _kind(said: _Said, status: int, provider: Provider) -> type[ApiError]:
    table, text = provider.errors, said.text[:BODY_BYTES]
    for code in said.codes:
        described = table.described.get(code, {})
        known = [kind for pattern, kind in described.items() if re.search(pattern, text)]
        known += [types[code] for types in (table.types, REGISTERED) if code in types]
        if known:
            return known[0]
    return _kind_by_status(status)


def _kind_by_status(status: int) -> type[ApiError]:
    if 300 <= status < 400:
        return UnexpectedRedirect
    return _BY_STATUS.get(status, ApiError)


def _redirect_hint(response: Response) -> str:
    # Not the location: a redirect of a login or token request may carry a code or a token in it.
    return "Redirects are not followed with credentials." if 300 <= response.status < 400 else ""


def _scope_hint(scopes: tuple[str, ...]) -> str:
    asked = " ".join(scopes)
    return f"It asks for the scope {_cut(asked, TEXT_CHARACTERS)}; the token was granted without." if asked else ""


def _page(uri: str, credentials: Iterable[str]) -> str | None:
    shown = _shown(uri, credentials)
    # Somebody may open it: of no other scheme, and not the half of one.
    return shown if shown.startswith(("https://", "http://")) and not shown.endswith("…") else None


def _transaction_id(response: Response, provider: Provider, credentials: Iterable[str]) -> str | None:
    found = (response.headers.get(name) for name in provider.transaction_headers)
    return next((_shown(value, credentials) for value in found if value), None)


def _read(response: Response) -> _Said:
    """What an answer says, in its body and in its challenge.

    RFC 6750 section 3 and RFC 9449 section 7.1 put `error` into `WWW-Authenticate`, OAuth Problem Reporting
    `oauth_problem` there or into the body.
    """
    codes, text, uri, _ = _read_body(response)
    field = response.headers.get("www-authenticate") or ""
    challenge = read_challenge(field)
    # Of a text of any length: no more of it than anybody would read.
    problems = [_PROBLEM.finditer(text[:BODY_BYTES]), _PROBLEM.finditer(field[:CHALLENGE_CHARACTERS])]
    reported = [match[1] for matches in problems for match in islice(matches, CODES)]
    return _Said(
        _codes([*codes, *reported, *challenge.errors]),
        text or challenge.description,
        uri or challenge.uri,
        challenge.scopes,
    )


def _read_body(response: Response) -> _Said:
    """What the body says, by the form it really has."""
    begins = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]  # behind a byte order mark and white space
    if begins in {b"{", b"[", b'"'} or response.media_type.endswith("json"):
        with contextlib.suppress(ValueError, RecursionError):
            return _read_json(json.loads(response.body))
    text = response.body[:BODY_BYTES].decode("utf-8", "replace").strip("\ufeff \t\r\n")
    if text.startswith("<"):
        return _read_markup(text)
    if text.startswith(("{", "[")) or response.media_type == "application/octet-stream":
        return _Said()  # broken JSON, or something that is no message
    if response.media_type == "text/html" and "<" in text:
        return _Said()  # a piece of a page; without markup it is X's plain text, which X labels as HTML
    return _Said(text=text)


def _read_markup(text: str) -> _Said:
    # By pattern: an XML parser would expand a stranger's entities.
    errors = _XML_ERROR.findall(text)
    if errors:
        return _Said(_codes(code for code, _ in errors), "; ".join(message for _, message in errors))
    title = _HTML_TITLE.search(text)
    return _Said(text=title[1] if title else "")


def _read_json(document: object) -> _Said:
    if isinstance(document, str):
        return _Said(text=document)
    if not isinstance(document, dict):
        return _Said()
    fields = cast("dict[str, object]", document)
    entries = _objects(fields.get("errors")) + _objects(fields.get("error"))
    error, described = fields.get("error"), fields.get("error_description")
    coded = isinstance(error, str) and " " not in error  # RFC 6749 section 5.2: a code, not a sentence
    codes = [part for entry in (fields, *entries) for part in (entry.get("code"), _slug(entry.get("type")))]
    candidates = [
        described if coded else None,  # X may add a list of errors whose words say less
        fields.get("errors"),
        *(entry.get(name) for entry in entries for name in ("message", "detail", "title")),
        described,
        *(fields.get(name) for name in ("detail", "title", "message", "errorSummary")),
        None if coded else error,
    ]
    uri = fields.get("error_uri")
    return _Said(
        # Okta's own endpoints say `errorCode` and `errorSummary`.
        _codes([error if coded else None, *codes, fields.get("errorCode")]),
        next((text for text in candidates if isinstance(text, str) and text), ""),
        uri if isinstance(uri, str) else "",
    )


def _objects(value: object) -> list[dict[str, object]]:
    found = cast("list[object]", value)[:CODES] if isinstance(value, list) else [value]
    return [cast("dict[str, object]", one) for one in found if isinstance(one, dict)]


def _slug(value: object) -> str | None:
    # Two hosts serve the same problem types: only the last segment identifies one. about:blank says nothing.
    if not isinstance(value, str) or value == "about:blank":
        return None
    return value.rpartition("/")[2]


def _codes(found: Iterable[object]) -> tuple[int | str, ...]:
    codes = dict.fromkeys(code for code in map(_code, found) if code is not None)
    return tuple(islice(codes, CODES))


def _code(value: object) -> int | str | None:
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
        return _CONTROL.sub(" ", value).strip() or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < CODE_LIMIT:
        return value
    return None


def _shown(text: str, credentials: Iterable[str], limit: int = TEXT_CHARACTERS) -> str:
    text = _without(credentials, text)  # before the cut, which could leave the half of one
    text = _CONTROL.sub(" ", text[: 20 * limit])
    # The scheme first: in `Authorization: Bearer AAAA` the assigned word would be `Bearer`.
    return _cut(_ASSIGNED.sub(r"\1***", _SCHEME.sub(r"\1 ***", text)).strip(), limit)


def _without(credentials: Iterable[str], text: str) -> str:
    for credential in credentials:
        text = text.replace(credential, "***")
    return text


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _credentials(request: Request | None) -> list[str]:
    """What in a request must not be repeated, should the service echo it."""
    if request is None:
        return []
    scheme, _, value = (request.headers.get("authorization") or "").partition(" ")
    found = [value, *(other for name, other in request.headers if name != "authorization" and SENSITIVE.search(name))]
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(value).decode()
        except ValueError:
            pair = ""
        found += [pair, *pair.partition(":")[::2]]
    elif scheme.lower() == "oauth":
        found += [piece.partition('="')[2].rstrip('"') for piece in value.split(", ")]
    form = request.body.decode("ascii", "surrogateescape") if request.has_form else ""
    parameters = f"{request.query}&{form}"
    sent = [piece.partition("=") for piece in parameters.split("&")]  # as sent: X issues tokens percent-encoded
    found += [value for name, _, value in sent if SENSITIVE.search(name)]
    found += [value for name, value in decode(parameters) if SENSITIVE.search(name)]
    found += [unquote(value).decode("utf-8", "replace") for value in found]
    # A short value (`1.0`, `true`) is no secret, and masking it would only make holes in the text.
    return sorted({value for value in found if len(value) > 5}, key=len, reverse=True)
