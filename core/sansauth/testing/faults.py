"""Faults on demand: the answers that a sandbox gives instead of its own."""

from __future__ import annotations

from sansauth.errors import LocalProtocolError
from sansauth.http import HeaderFields, Headers, Response
from sansauth.ratelimit import RateLimit
from sansauth.testing import x_answers
from sansauth.testing.rate_windows import WINDOW_SECONDS, rate_limit_headers

__all__ = ["build_fault"]

_BY_STATUS = {
    answer.status: answer
    for answer in (
        x_answers.BAD_AUTHENTICATION_DATA,
        x_answers.COULD_NOT_AUTHENTICATE,
        x_answers.NOT_ALLOWED,
        x_answers.NOT_FOUND,
        x_answers.RATE_LIMIT_EXCEEDED,
        x_answers.SOMETHING_BROKEN,
        x_answers.OVER_CAPACITY,
    )
}


def build_fault(status: int, body: bytes | None, headers: HeaderFields, *, limit: int, now: float) -> Response:
    """The answer with that status: in X's own shape where `body` is None.

    X's 400, 401, 403, 404, 429, 500 and 503 are its JSON errors; other refusals come from the machines before it, as
    HTML; a status that is no refusal has no body. A 429 says that its window ends in 15 minutes. `headers` come on top
    and replace those of the same name. `LocalProtocolError` for a status outside 200 to 599.
    """
    if not 200 <= status <= 599:
        raise LocalProtocolError(f"an answer's status is 200 to 599, not {status}")
    if body is None:
        fault = _BY_STATUS.get(status) or x_answers.answer_text(status, _page(status))
    else:
        fault = Response(status, {"content-type": "application/json; charset=utf-8"}, body)
    fields = fault.headers
    if status == x_answers.RATE_LIMIT_EXCEEDED.status:
        exhausted = RateLimit("window", limit, 0, int(now) + WINDOW_SECONDS)
        fields = Headers((*fields, *rate_limit_headers(exhausted).items()))
    given = Headers(headers)
    kept = [(name, value) for name, value in fields if name not in given]
    return Response(status, (*kept, *given), fault.body)


def _page(status: int) -> str:
    return f"<html><head><title>X / {status}</title></head><body></body></html>" if status >= 400 else ""
