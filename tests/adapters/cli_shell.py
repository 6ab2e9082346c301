"""What the tests of the stored accounts share: commands run in this process, against a served sandbox and a store."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.testing import Sandbox
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth.x import X
from sansauth_io import system_env
from sansauth_io.cli import app as cli
from sansauth_io.cli.settings import NAMES
from sansauth_io.sandbox_server import SandboxServer
from sansauth_io.stores import SQLiteStore

SECONDS = 10.0
FREE_PORT = "http://127.0.0.1:0/callback"


class Shell:
    """Runs commands, and plays the browser: what `browser` makes of the page's URL is where it goes."""

    def __init__(
        self, sandbox: Sandbox, server: SandboxServer, store: Path, monkeypatch: pytest.MonkeyPatch, capture: Any
    ) -> None:
        self.sandbox, self.server, self.path = sandbox, server, store
        self.base_url = server.base_url
        self.monkeypatch, self._capture = monkeypatch, capture
        self.browser: Callable[[str], str | None] = sandbox.approve
        self.pages: list[str] = []
        """What the browser was shown on this machine."""
        self.closing = contextlib.ExitStack()

    @property
    def store(self) -> SQLiteStore:
        return SQLiteStore(self.path)

    def run(self, *arguments: str, at: bool = True, stored: bool = True) -> tuple[int, str, str]:
        there = ("--base-url", self.base_url) if at else ()
        store = ("--store", str(self.path)) if stored else ()
        with pytest.raises(SystemExit) as exit_:
            cli.run([*arguments, *there, *store])
        out, err = self._capture.readouterr()
        assert "Traceback" not in err
        return int(exit_.value.code or 0), out, err

    def login(self, *arguments: str, redirect_uri: str = FREE_PORT) -> tuple[int, str, str]:
        return self.run("login", "--redirect-uri", redirect_uri, *arguments)

    def open(self, url: str) -> bool:
        there = self.browser(url)
        if there is not None:
            with urllib.request.urlopen(there, timeout=SECONDS) as page:
                self.pages.append(page.read().decode())
        return True

    def type(self, text: str, *, is_terminal: bool = False) -> None:
        """What stands on stdin."""
        read, write = os.pipe()
        os.write(write, text.encode())
        os.close(write)
        stdin = os.fdopen(read)
        self.closing.callback(stdin.close)
        if is_terminal:
            self.monkeypatch.setattr(stdin, "isatty", lambda: True)
        self.monkeypatch.setattr(sys, "stdin", stdin)

    def key(self, account: str = "default", client_id: str | None = None) -> str:
        client = OAuth2Client(client_id or os.environ["X_CLIENT_ID"])
        return oauth2_tokens_key(OAuth2User(client, account), X.at(self.base_url))

    def tokens(self, account: str = "default") -> OAuth2Tokens | None:
        stored = self.store.load(self.key(account))
        return None if stored is None else OAuth2Tokens.from_bytes(stored.data)

    def keep(self, tokens: OAuth2Tokens | bytes, account: str = "default", client_id: str | None = None) -> None:
        store, key = self.store, self.key(account, client_id)
        stored = store.load(key)
        data = tokens if isinstance(tokens, bytes) else tokens.to_bytes()
        store.save(key, data, None if stored is None else stored.version)

    def status(self) -> list[dict[str, Any]]:
        code, out, err = self.run("status", "--json", at=False)
        assert (code, err) == (0, "")
        listed: list[dict[str, Any]] = json.loads(out)
        return listed

    def asked(self, path: str) -> list[int]:
        return [status for _, asked, status in self.sandbox.log if asked == path]


def serve_shell(monkeypatch: pytest.MonkeyPatch, capsys: Any, path: Path) -> Iterator[Shell]:
    """A shell with the public client of a sandbox in its environment."""
    sandbox = Sandbox(env=system_env())
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("X_CLIENT_ID", sandbox.public_client.client_id)
    with SandboxServer(sandbox) as server:
        shell = Shell(sandbox, server, path, monkeypatch, capsys)
        monkeypatch.setattr("webbrowser.open", shell.open)
        with shell.closing:
            yield shell
