"""Keyrings for the tests: one in a folder, that other processes open too; one in memory, that does what it is told.

Neither has a priority, so that no test is given one by accident. No relative import: another process loads this file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class FolderRing(KeyringBackend):
    """A file for each text."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def _file(self, service: str, username: str) -> Path:
        return self.folder / hashlib.sha256(f"{service}\0{username}".encode()).hexdigest()

    def get_password(self, service: str, username: str) -> str | None:
        try:
            return self._file(service, username).read_text()
        except FileNotFoundError:
            return None

    def set_password(self, service: str, username: str, password: str) -> None:
        new = self.folder / f"new {secrets.token_hex(8)}"
        new.write_text(password)
        os.replace(new, self._file(service, username))

    def delete_password(self, service: str, username: str) -> None:
        try:
            self._file(service, username).unlink()
        except FileNotFoundError:
            raise PasswordDeleteError("there is no such text") from None

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        # A process that was not started by pytest does not find this module by its name.
        return eval, (f"__import__('runpy').run_path({__file__!r})['opened']({str(self.folder)!r})",)


def opened(folder: str) -> FolderRing:
    return FolderRing(Path(folder))


class Ring(KeyringBackend):
    """Texts in memory. `before` and `after` are called with each call's name and place, and may raise."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        self.before: Callable[[str], None] = _nothing
        self.after: Callable[[str], None] = _nothing

    def get_password(self, service: str, username: str) -> str | None:
        self._begin("get")
        text = self.texts.get((service, username))
        self.after("get")
        return text

    def set_password(self, service: str, username: str, password: str) -> None:
        assert type(password) is str
        self._begin("set")
        self.texts[service, username] = password
        self.after("set")

    def delete_password(self, service: str, username: str) -> None:
        self._begin("delete")
        if self.texts.pop((service, username), None) is None:
            raise PasswordDeleteError("there is no such text")
        self.after("delete")

    def _begin(self, name: str) -> None:
        self.calls.append(name)
        self.before(name)


def _nothing(_: str) -> None:
    pass
