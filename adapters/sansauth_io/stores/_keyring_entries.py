"""Texts in the desktop's keyring: written, read and removed by name, in parts that fit, with errors that help."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Protocol, TypeVar

from sansauth.errors import InvalidParameter, StoreError
from sansauth.secret import Secret
from sansauth_io.stores._keyring_rows import Entry

try:
    import keyring
    from keyring.errors import KeyringLocked, NoKeyringError
except ModuleNotFoundError:
    raise ModuleNotFoundError("KeyringStore needs keyring: pip install 'sansauth[keyring]'", name="keyring") from None

__all__ = ["ENTRY_CHARACTERS", "Entries", "Keyring"]

T = TypeVar("T")

# The Windows Credential Manager takes 2,560 bytes of UTF-16 an entry; elsewhere each further entry may be a prompt.
ENTRY_CHARACTERS = 1_200 if os.name == "nt" else 100_000
_ACCOUNT_CHARACTERS = 100  # of the record's name, for whoever looks into the keyring; Windows takes 513


class Keyring(Protocol):
    """What is used of a `keyring.backend.KeyringBackend`."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """The text, or None."""

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Write or replace the text."""

    def delete_password(self, service: str, username: str, /) -> None:
        """Remove the text, or raise that there is none."""


class Entries:
    """The entries of one service in one keyring; None: in the one that the `keyring` package chooses."""

    def __init__(self, backend: Keyring | None, service: str, characters: int) -> None:
        if characters < 1:
            raise InvalidParameter("entry_characters is at least 1")
        self._backend = backend
        self.service = service
        self._characters = characters

    def parts(self, text: Secret) -> int:
        """How many parts a text takes: one, even if it is empty."""
        return max(1, -(-len(text) // self._characters))

    def write(self, key: str, entry: Entry, text: Secret) -> bool:
        """Write the text, the base64 of a record; whether it stayed: some keyrings keep nothing, and say nothing."""
        for part in range(entry.parts):
            piece = Secret(text[part * self._characters :][: self._characters])
            self._set(key, entry, part, piece)
            if self._get(key, entry, part) != piece:
                return False
        return True

    def read(self, key: str, entry: Entry) -> bytes | None:
        """The record; None if it is not there, or not whole."""
        pieces: list[Secret] = []
        for part in range(entry.parts):
            piece = self._get(key, entry, part)
            if piece is None:
                return None
            pieces.append(piece)
        try:
            data = base64.b64decode("".join(pieces), validate=True)
        except ValueError:
            return None
        return data if len(data) == entry.size else None

    def remove(self, key: str, entry: Entry) -> None:
        """Remove all parts that are there: it may never have been written."""
        for part in range(entry.parts):
            if self._get(key, entry, part) is not None:
                self._delete(key, entry, part)

    def _get(self, key: str, entry: Entry, part: int) -> Secret | None:
        service, account = self._place(key, entry, part)

        def get(ring: Keyring) -> Secret | None:
            text = ring.get_password(service, account)
            return None if text is None else Secret(text)

        return self._ask("read", get)

    def _set(self, key: str, entry: Entry, part: int, piece: Secret) -> None:
        service, account = self._place(key, entry, part)
        # A plain str: some backends hand it to C.
        self._ask("write to", lambda ring: ring.set_password(service, account, str(piece)))

    def _delete(self, key: str, entry: Entry, part: int) -> None:
        service, account = self._place(key, entry, part)
        self._ask("delete from", lambda ring: ring.delete_password(service, account))

    def _place(self, key: str, entry: Entry, part: int) -> tuple[str, str]:
        # A service of its own for each: within one service the Windows backend moves entries about when another is
        # written, and loses one when two are written at once.
        return f"{self.service}/{entry.name}/{part}", key[:_ACCOUNT_CHARACTERS] or "-"

    def _ask(self, do: str, work: Callable[[Keyring], T]) -> T:
        try:
            return work(keyring.get_keyring() if self._backend is None else self._backend)
        except NoKeyringError:
            reason = (
                "there is no keyring that can be used here: install one (on Linux GNOME Keyring with the package "
                "secretstorage, or KWallet with dbus-python), or use SQLiteStore inside of EncryptedStore"
            )
        except KeyringLocked:
            reason = "the keyring is locked, or its prompt was dismissed: unlock it, and try again"
        except Exception as error:  # backends let the errors of D-Bus and of Windows through
            reason = (
                f"could not {do} the keyring ({_told(error)}): see that it runs and is unlocked, and try again; "
                "`keyring diagnose` shows which it is"
            )
        # Here, where no error is handled: as a context that error would bring the frames that held the record along.
        raise StoreError(reason)


def _told(error: Exception) -> str:
    """The name of an error and its numbers: its text may quote the record."""
    numbers = [str(number) for number in error.args if isinstance(number, int)]
    return " ".join([type(error).__name__, *numbers])
