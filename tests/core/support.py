"""What the tests of the core share: pinned surroundings, answers, and a store that is a dict.

There is no mock here: an operation is stepped by hand, or by `Script`, which answers its effects from data.
"""

from __future__ import annotations

import gc
import json
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import TypeVar

from sansauth import (
    App,
    Env,
    Exclusive,
    Flow,
    Load,
    OAuth1User,
    Operation,
    Request,
    Response,
    Save,
    Send,
    Sleep,
    State,
    Stored,
)
from sansauth.effects import Steps
from sansauth.errors import Conflict

T = TypeVar("T")

TIMESTAMP = 1318622958
ENV = Env(clock=lambda: float(TIMESTAMP), entropy=bytes)
NONCE = "00" * 16
APP = App("CK", "CS")
USER = OAuth1User(App("consumer-key", "consumer-secret"), "access-token", "access-token-secret")


def json_answer(status: int, document: object, *fields: tuple[str, str]) -> Response:
    """An answer with a JSON document."""
    body = json.dumps(document).encode()
    return Response(status, [("content-type", "application/json; charset=utf-8"), *fields], body)


def refusal_answer(status: int, code: int, message: str = "what X says") -> Response:
    """X's usual refusal: a list of one error."""
    return json_answer(status, {"errors": [{"code": code, "message": message}]})


def token_answer(token: str) -> Response:
    """A bearer token, as X gives it."""
    return json_answer(200, {"token_type": "bearer", "access_token": token})


def form_of(request: Request) -> str:
    """The body of a form."""
    assert request.has_form
    return request.body.decode("ascii")


@dataclass
class Script:
    """Runs operations: answers to `Send` come from a list, records live in a dict, and every effect is noted.

    `while_waiting` runs when a key is about to be held, as if another process had held it until now. `troubles` are
    what the next saves meet, None for nothing; `during_send` runs before an answer arrives.
    """

    answers: list[Response | Exception] = field(default_factory=list)
    records: dict[str, Stored] = field(default_factory=dict)
    while_waiting: Callable[[Script], None] = lambda script: None
    during_send: Callable[[Script], None] = lambda script: None
    log: list[str] = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    recalled: dict[str, Stored] = field(default_factory=dict)
    troubles: list[Exception | None] = field(default_factory=list)

    def run(self, operation: Operation[T] | Steps[T]) -> T:
        return self._drive(Flow(operation), depth=0)

    def _drive(self, flow: Flow[T], depth: int) -> T:
        while flow.state is State.WAITING:
            try:
                answer = self._perform(flow, depth)
            except Exception as error:
                flow.fail(error)
            else:
                flow.resume(answer)
        return flow.result

    def _perform(self, flow: Flow[object], depth: int) -> object:
        effect = flow.effect
        self.log.append("  " * depth + type(effect).__name__)
        match effect:
            case Send(request):
                self.sent.append(request)
                self.during_send(self)
                answer = self.answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer
            case Load(key, cached):
                return self.recalled.get(key, self.records.get(key)) if cached else self.records.get(key)
            case Save(key, data, expected):
                if self.troubles and not key.startswith("mem:"):
                    trouble = self.troubles.pop(0)
                    if trouble is not None:
                        raise trouble
                return self.save(key, data, expected)
            case Sleep(seconds):
                self.slept.append(seconds)
                return None
            case Exclusive():
                self.while_waiting(self)
                return self._drive(flow.body(), depth + 1)

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        stored = self.records.get(key)
        if (stored.version if stored else None) != expected:
            raise Conflict(f"{key} changed")
        version = (expected or 0) + 1
        if data is None:
            del self.records[key]
        else:
            self.records[key] = Stored(data, version)
        return version


def assert_linear(function: Callable[[str], object], grow: Callable[[int], str], size: int) -> None:
    """Doubling the input must not quadruple the time: the law that a backtracking pattern breaks.

    The processor's time, measured again while it looks bad: a busy machine slows one measurement, a pattern slows all.
    """
    for _ in range(5):
        small, large = (_least_time(function, grow(length)) for length in (size, 2 * size))
        if large < 3 * small + 0.02:
            return
    raise AssertionError(f"{small:.4f} s became {large:.4f} s for twice the input")


def _least_time(function: Callable[[str], object], text: str) -> float:
    def once() -> float:
        begin = time.process_time()
        function(text)
        return time.process_time() - begin

    # Without the garbage collector, which looks at all that thousands of tests have left behind.
    gc.disable()
    try:
        return min(once() for _ in range(2))
    finally:
        gc.enable()


def frames_of_ours(error: BaseException) -> list[FrameType]:
    """The frames of an error's traceback whose code is sansauth's, wherever it is installed.

    Not the `__init__` that a dataclass generates: it shows what its caller gave, as the caller's own frame does.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename != "<string>"]
    return [frame for frame in frames if str(frame.f_globals["__name__"]).split(".")[0] in {"sansauth", "sansauth_io"}]


def secrets_in(text: str, secrets: Iterable[str]) -> list[str]:
    """Which of the planted secrets show in the text."""
    return [secret for secret in secrets if secret in text]
