"""`sansauth sandbox`: an X-like provider on this machine, until Ctrl-C."""

from __future__ import annotations

import json
import signal
import threading
from types import FrameType

from sansauth.errors import LocalProtocolError
from sansauth.testing import Sandbox
from sansauth_io import system_env
from sansauth_io.cli.streams import print_result, say
from sansauth_io.sandbox_server import SandboxServer

__all__ = ["serve"]


def serve(port: int) -> None:
    """Serve until SIGINT or SIGTERM; prints one JSON line with the address and the credentials."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, end)
    sandbox = Sandbox(env=system_env())
    server = SandboxServer(sandbox, port=port)
    try:
        server.start()
    except OSError as error:
        raise LocalProtocolError(
            f"port {port} of this machine cannot be had ({error.strerror}); give another --port, or 0 for a free one"
        ) from None
    try:
        line = {
            "base_url": server.base_url,
            "consumer_key": sandbox.app.consumer_key,
            "consumer_secret": sandbox.app.consumer_secret,
            "access_token": sandbox.user.access_token,
            "access_token_secret": sandbox.user.access_token_secret,
            "client_id": sandbox.oauth2_client.client_id,
            "client_secret": sandbox.oauth2_client.client_secret,
            "public_client_id": sandbox.public_client.client_id,
        }
        print_result(json.dumps(line))
        say("The sandbox is served; Ctrl-C ends it.")
        stop.wait()
    finally:
        server.stop()
