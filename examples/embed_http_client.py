"""A host of your own: run any operation over the standard library's http.client, with no adapter of ours.

The five effects are all there is to interpret. This host keeps tokens in a dictionary and runs one operation at a time,
so an Exclusive needs no lock; with threads, take a lock for the key before `flow.body()` and release it after.

    sansauth sandbox                       # in another shell; then, with the values it prints:
    python examples/embed_http_client.py http://127.0.0.1:PORT CONSUMER_KEY CONSUMER_SECRET
"""

from __future__ import annotations

import http.client
import sys
import time
from typing import TypeVar

from sansauth import App, Exclusive, Flow, Load, Operation, Request, Response, Save, Send, Sleep, State, Stored
from sansauth.errors import Conflict, ReadError
from sansauth.x import X, reverse_token, token
from sansauth_io import system_env

T = TypeVar("T")

MAX_BYTES = 10 * 1024 * 1024


class Host:
    """One thread, one dictionary."""

    def __init__(self) -> None:
        self._records: dict[str, Stored] = {}
        self._version = 0

    def run(self, operation: Operation[T]) -> T:
        return self._drive(Flow(operation))

    def _drive(self, flow: Flow[T]) -> T:
        while flow.state is State.WAITING:
            try:
                answer = self._perform(flow)
            except Exception as error:
                flow.fail(error)  # the operation may handle it; if not, it comes out of here
            else:
                flow.resume(answer)
        return flow.result

    def _perform(self, flow: Flow[T]) -> object:
        match flow.effect:
            case Send(request):
                return send(request)
            case Sleep(seconds):
                time.sleep(seconds)
                return None
            case Load(key):
                return self._records.get(key)
            case Save(key, data, expected):
                return self._save(key, data, expected)
            case Exclusive():
                return self._drive(flow.body())

    def _save(self, key: str, data: bytes | None, expected: int | None) -> int:
        current = self._records.pop(key, None)
        if (current.version if current else None) != expected:
            raise Conflict(f"{key!r} changed since it was read")
        self._version += 1
        if data is not None:
            self._records[key] = Stored(data, self._version)
        return self._version


def send(request: Request) -> Response:
    """One request, one connection. Target and body go out as they stand: they are what was signed."""
    kind = http.client.HTTPSConnection if request.scheme == "https" else http.client.HTTPConnection
    connection = kind(request.host, request.port, timeout=30)
    try:
        connection.request(request.method, request.target, request.body or None, dict(request.headers))
        answer = connection.getresponse()
        return Response(answer.status, answer.getheaders(), answer.read(MAX_BYTES))
    except (OSError, http.client.HTTPException) as error:
        raise ReadError(f"{request.origin}: {type(error).__name__}", sent=True) from None
    finally:
        connection.close()


def main(base_url: str, consumer_key: str, consumer_secret: str) -> None:
    host, app, provider = Host(), App(consumer_key, consumer_secret), X.at(base_url)
    print(host.run(token(app, provider=provider)))
    print(host.run(reverse_token(app, env=system_env(), provider=provider)))


if __name__ == "__main__":
    main(*sys.argv[1:])
