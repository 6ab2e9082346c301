"""A loopback server in a process of its own that answers every GET at once, and tells whether it was signed.

One thread for each connection, blocking sockets, two ready answers: of what a benchmark measures, as little as possible
is the server.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

PLAIN = b'{"id_str":"7588892","screen_name":"xapi","signed":false}'
SIGNED = b'{"id_str":"7588892","screen_name":"xapi","signed":true}'


@contextlib.contextmanager
def running() -> Iterator[int]:
    """Run the server; gives its port."""
    # By its path: it needs nothing of this package, nor the time to import it.
    with subprocess.Popen(
        [sys.executable, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _answer(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain, signed = _answer(PLAIN), _answer(SIGNED)
    waiting = b""
    with connection, contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            waiting += data
            while (end := waiting.find(b"\r\n\r\n")) >= 0:
                head, waiting = waiting[:end], waiting[end + 4 :]
                connection.sendall(signed if b"uthorization: OAuth " in head else plain)


def _main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    _main()
