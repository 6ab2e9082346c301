"""Take a login's answer on this machine, where no web server runs: for programs, not for sites (RFC 8252 section 7.3).

    from sansauth_io.loopback import Loopback

    with Loopback("http://127.0.0.1:8739/callback") as loopback:
        awaiting = client.begin_oauth2_login(scopes, redirect_uri=loopback.redirect_uri)
        webbrowser.open(awaiting.url)
        answer = loopback.wait(300)
    tokens = client.finish_oauth2_login(awaiting, answer)

`sansauth login` waits like this.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import socket
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self, cast

from sansauth.errors import InvalidURL, LoginExpired
from sansauth.secret import Secret

__all__ = ["Loopback", "is_loopback_redirect"]

_HERE = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\]):([0-9]{1,5})(/[\x21\x24-\x3E\x40-\x7E]*)(\?[\x21-\x7E]*)?")
LONGEST_PORT = 65535
SILENT_SECONDS = 10.0  # a connection that says nothing: browsers open some in advance
SLICE_SECONDS = 0.5  # of waiting: on Windows no Ctrl-C ends a wait
BEAT_SECONDS = 0.1  # between two looks whether the server shall stop


def is_loopback_redirect(redirect_uri: str) -> bool:
    """Whether `Loopback` can serve it: `http://127.0.0.1:PORT/...`, or `localhost` or `[::1]` for the address."""
    match = _HERE.fullmatch(redirect_uri)
    return match is not None and int(match[2]) <= LONGEST_PORT


class Loopback:
    """Serves one path of this machine, from its making to `close()`, and takes the URL that a browser comes back with.

    Port 0 takes a free one, for a service that allows any (RFC 8252 section 7.3); `redirect_uri` has it in its place.
    Only this machine's own address is listened on. The first request with a query on that path is the answer, whatever
    it says: finishing the login checks it. The page that is shown repeats nothing of it, and nothing is logged.
    `InvalidURL` for what cannot be served here, `OSError` for a port that cannot be had.
    """

    def __init__(self, redirect_uri: str) -> None:
        match = _HERE.fullmatch(redirect_uri)
        if match is None or int(match[2]) > LONGEST_PORT:
            raise InvalidURL("a redirect to this machine is http://127.0.0.1:PORT/PATH, with a PORT of 0 to 65535")
        host, port, path, query = match.groups("")
        self._server = _Server("::1" if host == "[::1]" else "127.0.0.1", int(port), path)
        self.redirect_uri = f"http://{host}:{self._server.server_address[1]}{path}{query}"
        """What the service is told, and has registered."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(BEAT_SECONDS,), name="sansauth loopback", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float) -> Secret:
        """The path and query that the browser came back with; `LoginExpired` if none has in so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                return self._server.answers.get(timeout=min(left, SLICE_SECONDS))
        raise LoginExpired(f"no browser came back to this machine within {seconds:.0f} s; begin another login")

    def close(self) -> None:
        """Stop listening. A second time does nothing."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Server(socketserver.ThreadingTCPServer):
    """A thread a connection: one that a browser opens in advance and leaves silent must not keep the answer waiting.

    Not http.server's own: it asks for this machine's name when it is made, which may take seconds.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows it would let another program take the port over

    def __init__(self, address: str, port: int, path: str) -> None:
        self.path = path
        self.answers: queue.SimpleQueue[Secret] = queue.SimpleQueue()
        if ":" in address:
            self.address_family = socket.AF_INET6
        super().__init__((address, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    timeout = SILENT_SECONDS
    server_version, sys_version = "sansauth", ""

    def do_GET(self) -> None:  # its name in http.server
        """The answer, or something else that a browser asks for, such as an icon."""
        server, answer = cast("_Server", self.server), Secret(self.path)
        if answer.partition("?")[0] != server.path or "?" not in answer.rstrip("?"):
            self._show(404, "Nothing is here", "The program waits for the answer of the service's page.")
            return
        try:
            self._show(200, "Go back to the program", "It has the answer, and says the rest. You can close this page.")
        finally:
            server.answers.put(answer)  # after the page: whoever takes it may end the process

    def _show(self, status: int, title: str, words: str) -> None:
        page = (
            f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f"</head><body><h1>{title}</h1><p>{words}</p></body></html>"
        ).encode()
        self.send_response(status)
        for name, value in {**_HEADERS, "content-length": str(len(page))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in http.server
        """Nothing: the request line holds the code."""


_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
