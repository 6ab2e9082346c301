"""See what an operation sends and receives, without its secrets: an operation around an operation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from sansauth.effects import Exclusive, Operation, Send, Steps, operation
from sansauth.encoding import decode
from sansauth.flow import Flow, State
from sansauth.http import SENSITIVE, Request, Response

__all__ = ["shown_request", "shown_response", "traced"]

T = TypeVar("T")

BODY_CHARACTERS = 100  # of an answer, shown
_JSON_MEMBER = re.compile(r'"([^"]+)"\s*:\s*"([^"]*)"')
_OAUTH_VALUE = re.compile(r'(\w+)="([^"]*)"')
# Names that sound like a secret and hold none.
_PUBLIC = frozenset(
    {"token_type", "x_auth_mode", "oauth_consumer_key", "oauth_signature_method", "oauth_timestamp", "oauth_version"}
)


@operation
def traced(inner: Operation[T], seen: Callable[[Request, Response], None]) -> Steps[T]:
    """Run `inner`, and tell `seen` of every exchange, those under a lock included."""
    flow = Flow(inner)
    try:
        while flow.state is State.WAITING:
            effect = flow.effect
            if isinstance(effect, Exclusive):
                effect = Exclusive(effect.key, traced(effect.body, seen))
            try:
                answer: object = yield effect
            except Exception as error:
                flow.fail(error)
                continue
            if isinstance(effect, Send) and isinstance(answer, Response):
                seen(effect.request, answer)
            flow.resume(answer)
        return flow.result
    finally:
        flow.close()


def shown_request(request: Request) -> str:
    """Method, target, scheme of authorization and form, with every secret masked."""
    scheme = (request.headers.get("authorization") or "none").partition(" ")[0]
    lines = [f"{request.method} {request.target}", f"Authorization: {scheme} ***"]
    if request.has_form:
        pairs = decode(request.body.decode("latin-1"))
        lines.append("&".join(f"{name}={_masked(name, value)}" for name, value in pairs))
    return "\n".join(lines)


def shown_response(response: Response) -> str:
    """Status and the beginning of the body, with every secret masked."""
    text = _JSON_MEMBER.sub(lambda match: f'"{match[1]}":"{_masked(match[1], match[2])}"', response.text)
    if text.startswith("OAuth "):
        text = _OAUTH_VALUE.sub(lambda match: f'{match[1]}="{_masked(match[1], match[2])}"', text)
    return f"{response.status}\n{text if len(text) <= BODY_CHARACTERS else text[: BODY_CHARACTERS - 3] + '...'}"


def _masked(name: str, value: str) -> str:
    return "***" if SENSITIVE.search(name) and name not in _PUBLIC else value
