"""What an application reads: the user, and a list in pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sansauth.encoding import decode
from sansauth.http import Headers, Request, Response
from sansauth.paging import DEFAULT_CURSOR
from sansauth.testing import x_answers
from sansauth.testing.caller import Caller, recognise
from sansauth.testing.oauth2_bearer import insufficient_scope
from sansauth.testing.rate_windows import rate_limit_headers
from sansauth.testing.service import Service

__all__ = ["RESOURCES", "Resource", "read"]

PAGE_LENGTH = 5000
# Cursors are opaque. These are beyond 2**53, where a client that reads JSON numbers as doubles loses its place.
_CURSOR_BASE = 1_500_000_000_000_000_000
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Resource:
    """A path that is read with GET: whom it answers, what it shows, and what others are told."""

    path: str
    callers: frozenset[Caller]
    show: Callable[[Service, Request], Response]
    refusal: Response = x_answers.NOT_ALLOWED
    scopes: tuple[str, ...] | None = None
    """What an OAuth 2 access token must be good for; None where none will do: X's v1.1."""


def read(resource: Resource, service: Service, request: Request) -> Response:
    """Answer a GET: who calls, whether they may, how often they did; then what is there."""
    recognised = recognise(service, request)
    if isinstance(recognised, Response):
        return recognised
    caller, token, issued = recognised
    headers = {} if token is None else {"x-access-level": service.tokens.access(token).level}
    if caller not in resource.callers:
        answer = resource.refusal
    elif issued is not None and resource.scopes is None:
        answer = x_answers.NOT_ALLOWED
    elif issued is not None and (lacking := insufficient_scope(issued, *_wanted(service, resource))):
        answer, headers = x_answers.FORBIDDEN, headers | lacking
    else:
        admitted, limit = service.windows.count(
            resource.path, caller.value, limit=service.rate_limit, now=service.now()
        )
        headers |= rate_limit_headers(limit)
        answer = resource.show(service, request) if admitted else x_answers.RATE_LIMIT_EXCEEDED
    return Response(answer.status, Headers((*answer.headers, *headers.items())), answer.body)


def _wanted(service: Service, resource: Resource) -> list[str]:
    """The scopes that a call needs, of those that there are."""
    return [scope for scope in resource.scopes or () if scope in service.oauth2.scopes]


def _verify_credentials(service: Service, _: Request) -> Response:
    shown = {
        "id": service.user_id,
        "id_str": str(service.user_id),
        "name": service.user_name,
        "screen_name": service.screen_name,
        "followers_count": len(service.followers),
    }
    return x_answers.answer_json(200, shown)


def _users_me(service: Service, _: Request) -> Response:
    shown = {"id": str(service.user_id), "name": service.user_name, "username": service.screen_name}
    return x_answers.answer_json(200, {"data": shown})


def _followers_ids(service: Service, request: Request) -> Response:
    """A page of ids (X: cursoring). `cursor` is -1 for the first; `next_cursor` is 0 on the last."""
    parameters = dict(decode(request.query))
    count = _number(parameters.get("count", str(PAGE_LENGTH)))
    if count is None or count < 1:
        return x_answers.invalid_parameter("count")
    page = _page(_number(parameters.get("cursor", str(DEFAULT_CURSOR))), min(count, PAGE_LENGTH), service.followers)
    if page is None:
        return x_answers.invalid_parameter("cursor")
    begin, end = page
    following = _CURSOR_BASE + end if end < len(service.followers) else 0
    previous = -_CURSOR_BASE - begin if begin > 0 else 0
    shown = {
        "ids": service.followers[begin:end],
        "next_cursor": following,
        "next_cursor_str": str(following),
        "previous_cursor": previous,
        "previous_cursor_str": str(previous),
    }
    return x_answers.answer_json(200, shown)


def _page(cursor: int | None, count: int, followers: tuple[int, ...]) -> tuple[int, int] | None:
    """Where the cursor's page begins and ends: a positive one names its begin, a negative one its end."""
    total = len(followers)
    if cursor == DEFAULT_CURSOR:
        return 0, min(count, total)
    if cursor == 0:
        return total, total  # past the last page
    place = abs(cursor or 0) - _CURSOR_BASE
    if cursor is None or not 0 <= place <= total:
        return None
    return (place, min(place + count, total)) if cursor > 0 else (max(place - count, 0), place)


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


RESOURCES = (
    Resource("/1.1/account/verify_credentials.json", frozenset({Caller.USER}), _verify_credentials),
    Resource("/1.1/followers/ids.json", frozenset({Caller.USER, Caller.APP}), _followers_ids),
    Resource(
        "/2/users/me",
        frozenset({Caller.USER}),
        _users_me,
        x_answers.unsupported_authentication("OAuth 1.0a User Context, OAuth 2.0 User Context"),
        ("tweet.read", "users.read"),
    ),
)
