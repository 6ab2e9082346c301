"""Processes that call as one user: forked off this program, which has one thread and everything imported.

It is run as a program of its own (`Callers`). A command is a line of JSON on its input, an answer one on its output.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sansauth.effects import Timeouts
from sansauth.env import Env
from sansauth.errors import SansauthError
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.provider import Endpoints, Provider
from sansauth.tokens import oauth2_tokens_key
from sansauth_io import _driver_sync
from sansauth_io._locks import key_lock
from sansauth_io.conformance.waiting import PATIENCE, at_once, until
from sansauth_io.stores import LEASE_SECONDS, SQLiteStore, Store

if TYPE_CHECKING:
    from sansauth_io.stores.redis import RedisStore

ME = "/me"
TOKEN = "/token"
PATIENT = Timeouts(connect=60.0, read=60.0, total=60.0)  # for a thousand at once, on a busy machine


def provider_at(url: str) -> Provider:
    return Provider("Rotating", url, Endpoints(token=url + TOKEN))


def user_named(account: str) -> OAuth2User:
    return OAuth2User(OAuth2Client("a-client"), account)


def open_store(place: str) -> SQLiteStore | RedisStore:
    """The store of a file, or of a Redis's URL."""
    if not place.startswith("redis://"):
        return SQLiteStore(place)
    from sansauth_io.stores.redis import RedisStore

    return RedisStore(place)


def outcome(client: Any) -> str:
    """What comes of one call: its status, or the name of its error."""
    try:
        return str(client.get(ME).status)
    except SansauthError as error:
        return type(error).__name__


class Callers:
    """This program, seen from the tests."""

    def __init__(self, lease_seconds: float = LEASE_SECONDS) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(lease_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ | {"NETRC": os.devnull},
        )

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(self, job: str, **details: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"job": job, **details}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def called(self, processes: int, threads: int, **details: Any) -> Counter[str]:
        """What came of the calls of so many processes, each with so many threads, that began at once."""
        self.tell("call", processes=processes, threads=threads, **details)
        return sum((Counter(self.answer()) for _ in range(processes)), Counter[str]())

    def killed(self, after: float | None, **details: Any) -> tuple[bool, float, float]:
        """Have a process call, and kill it so many seconds after it began, or not at all (None).

        Whether that ended it, and when it began and ended, in monotonic seconds.
        """
        self.tell("kill", after=after, **details)
        code, began, over = self.answer()
        assert code in {0, -signal.SIGKILL}, code
        return code != 0, began, over


# --- in the program --------------------------------------------------------------------------------------------------


def main() -> None:
    _driver_sync.LEASE_SECONDS = float(sys.argv[1])
    import sansauth_io.requests  # once, and not in each fork

    with contextlib.suppress(ModuleNotFoundError):
        import sansauth_io.stores.redis  # noqa: F401
    for line in sys.stdin:
        details = json.loads(line)
        {"call": call, "kill": kill, "interrupt": interrupt}[details.pop("job")](**details)


def say(answer: object) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")  # at once: the lines of several processes do not mix


@contextlib.contextmanager
def client_of(url: str, store: Store, account: str, now: float | None = None) -> Iterator[Any]:
    """A client of that user's; by a clock that stands still, or this machine's."""
    from sansauth_io.requests import Client

    env = Env(time.time if now is None else lambda: now, secrets.token_bytes)
    with Client(user_named(account), provider=provider_at(url), store=store, env=env, timeouts=PATIENT) as client:
        yield client


def forked(job: Any) -> int:
    """Fork a process that does `job` and nothing else."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        job()
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    os._exit(code)


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def call(processes: int, threads: int, store: str, **details: Any) -> None:
    waiting, starting = os.pipe()

    def calls() -> None:
        os.close(starting)
        with client_of(store=open_store(store), **details) as client:
            os.read(waiting, 1)  # until nobody could write any more
            say(Counter(at_once(threads, lambda _: outcome(client))))

    children = [forked(calls) for _ in range(processes)]
    os.close(waiting)
    os.close(starting)
    for child in children:
        if ended(child):
            say({"failed; see the standard error": 1})


def kill(after: float | None, store: str, **details: Any) -> None:
    def calls() -> None:
        with client_of(store=open_store(store), **details) as client:
            outcome(client)

    began = time.monotonic()
    child = forked(calls)
    if after is not None:
        time.sleep(max(0.0, began + after - time.monotonic()))
        os.kill(child, signal.SIGKILL)
    code = ended(child)
    say([code, began, time.monotonic()])


def interrupt(threads: int, store: str, url: str, account: str) -> None:
    """The main thread calls first. When all wait it says which process this is; then it is to be interrupted."""

    def calls() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        opened = open_store(store)
        lock = key_lock(opened, oauth2_tokens_key(user_named(account), provider_at(url)))
        with client_of(url, opened, account) as client:
            outcomes = Counter[str]()

            def others() -> None:
                until(lambda: len(lock._queue) == 1)
                telling.start()
                outcomes.update(at_once(threads - 1, lambda _: outcome(client)))

            def tell() -> None:
                until(lambda: len(lock._queue) == threads)
                say(os.getpid())

            telling = threading.Thread(target=tell)
            rest = threading.Thread(target=others)
            rest.start()
            try:
                outcomes[outcome(client)] += 1
            except KeyboardInterrupt:
                outcomes["interrupted"] += 1
            rest.join(PATIENCE)
            telling.join(PATIENCE)
            say(outcomes)

    if ended(forked(calls)):
        say({"failed; see the standard error": 1})


if __name__ == "__main__":
    main()
