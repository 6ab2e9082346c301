"""Records in the desktop's keyring, versions and leases in a store beside it. Extra `keyring`.

A keyring keeps texts by name: it cannot compare, swap, list, or hold a lease. So the store beside it (SQLite, on this
machine) has a row for every record, which names the entry of the keyring that holds it:

    save:  1. announce the name of a new entry in the row    compare-and-swap
           2. write the entry, and read it again             keyring
           3. make the row point to it, the old one spare    compare-and-swap: here the record changes
           4. delete what is spare                           keyring
           5. take it off the row                            compare-and-swap

An entry has a random name and is written once, so that two who save at once cannot overwrite each other's. Whoever
dies between two steps leaves the old record or the new one, whole, and at worst an entry that the row calls spare: the
next save of the record removes it, or `tidy()`. An entry is deleted only after a row has said that it is spare, and a
writer whose new entry was called so (because it waited so long for a prompt) sees that in step 3 and begins anew.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import time
from collections.abc import Callable, Iterator

from sansauth.effects import Stored
from sansauth.errors import Conflict, StoreError
from sansauth.secret import Secret
from sansauth_io.stores._keyring_entries import ENTRY_CHARACTERS, Entries, Keyring
from sansauth_io.stores._keyring_rows import NOW, Entry, Row, Spare
from sansauth_io.stores._wrapping import close_wrapped, is_store, refuse
from sansauth_io.stores.protocol import Store

__all__ = ["KeyringStore"]

ABANDONED_SECONDS = 600.0  # after which an entry that was announced counts as left behind; prompts may take minutes

_ATTEMPTS = 100


class KeyringStore:
    """Secrets in the desktop's keyring; `store`, on the same machine, has the versions and leases, and no secret.

    `service` is the name under which the keyring shows the entries, `backend` the keyring (None: the one that the
    `keyring` package chooses), `entry_characters` what one entry may hold: longer records take several.

    Every method but `acquire`, `release` and `keys` may wait for a person: a keyring that is locked prompts, and a
    prompt cannot be bounded by the 5 seconds of a `Store`.

    `StoreError` says what to do about a keyring that is locked, missing, or refuses, and about an entry that is gone.
    """

    blocking = True

    def __init__(
        self,
        store: Store,
        *,
        service: str = "sansauth",
        backend: Keyring | None = None,
        entry_characters: int = ENTRY_CHARACTERS,
    ) -> None:
        if not is_store(store):
            raise refuse("KeyringStore", type(store))
        self._entries = Entries(backend, service, entry_characters)
        self._beside = store
        self._closed = False

    def load(self, key: str) -> Stored | None:
        """The record and its version."""
        missing: Entry | None = None
        while True:
            row = self._row(key)[0]
            if row.entry is None or row.version is None:
                return None
            # Missing once: it was replaced between the two reads. Missing twice under one name: it is gone.
            if row.entry == missing:
                raise StoreError(
                    f"the keyring has no whole entry for the record {key!r} any more: it was removed or changed there, "
                    "or this is another keyring. forget() deletes the record, and a login makes it anew"
                )
            data = self._entries.read(key, row.entry)
            if data is not None:
                return Stored(data, row.version)
            missing = row.entry

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        """Write if the version still is `expected`."""
        if data is None:
            version = self._delete(key, expected)
        else:
            text, size = Secret(base64.b64encode(data).decode()), len(data)
            del data  # a traceback that shows the locals of its frames must not show a token
            version = self._write(key, text, size, expected)
        # The record is saved: what cannot be swept now is swept with the next save.
        with contextlib.suppress(StoreError):
            self._sweep(key, time.time())
        return version

    def acquire(self, key: str, owner: str, ttl: float) -> bool:
        """Take or renew the lease."""
        return self._store.acquire(key, owner, ttl)

    def release(self, key: str, owner: str) -> None:
        """Give the lease up."""
        self._store.release(key, owner)

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key with a record that begins with `prefix`; the keyring is not asked."""
        return (key for key in self._store.keys(prefix) if self._row(key)[0].entry is not None)

    def close(self) -> None:
        """Close the store beside the keyring; afterwards every method raises `StoreError`."""
        self._closed = True
        close_wrapped(self._beside)

    def forget(self, key: str) -> None:
        """Delete a record without reading it: for one whose entry is gone, before a new login."""
        self._change(key, Row.deleted)
        self._sweep(key, time.time())

    def tidy(self, *, older_than: float = ABANDONED_SECONDS) -> int:
        """Remove the entries that died writers left in the keyring, `older_than` seconds ago or more; how many.

        A writer that is alive after all loses no record: it writes its entry again.
        """
        due = time.time() + ABANDONED_SECONDS - older_than
        return sum(self._sweep(key, due) for key in self._store.keys(""))

    # The steps of a save

    def _write(self, key: str, text: Secret, size: int, expected: int | None) -> int:
        for _ in range(_ATTEMPTS):
            version = self._attempt(key, text, size, expected)
            if version is not None:
                return version
        raise StoreError(f"the entry of the record {key!r} was tidied away {_ATTEMPTS} times while it was written")

    def _attempt(self, key: str, text: Secret, size: int, expected: int | None) -> int | None:
        entry = Entry(secrets.token_hex(8), self._entries.parts(text), size)
        spare = Spare(entry, time.time() + ABANDONED_SECONDS)
        version = secrets.randbits(62)  # never one again, not even after the row is gone
        self._change(key, lambda row: _expect(key, row, expected).announcing(spare))
        try:
            kept = self._entries.write(key, entry, text)
            row = self._change(key, lambda row: _point(_expect(key, row, expected), spare, version) if kept else row)
            if not kept and spare in row.spare:
                raise StoreError(
                    "the keyring did not keep what was written to it: configure another (`keyring diagnose` shows "
                    "which it is), or use SQLiteStore inside of EncryptedStore"
                )
        except StoreError:
            with contextlib.suppress(StoreError):
                self._sweep(key, NOW, entry.name)
            raise
        if row.version == version:
            return version
        # Claimed by somebody, who may have looked before it was written.
        with contextlib.suppress(StoreError):
            self._entries.remove(key, entry)
        return None

    def _delete(self, key: str, expected: int | None) -> int:
        self._change(key, lambda row: _expect(key, row, expected).deleted())
        return secrets.randbits(62)

    def _sweep(self, key: str, due: float, *names: str) -> int:
        """Delete from the keyring what is spare; how many entries those were."""
        # Claimed first: from here on no row will point to them.
        claimed = self._change(key, lambda row: row.claiming(due, frozenset(names))).claimed
        gone: set[str] = set()
        try:
            for entry in claimed:
                self._entries.remove(key, entry)
                gone.add(entry.name)
        finally:
            if gone:
                self._change(key, lambda row: row.without(gone))
        return len(gone)

    # The rows beside the keyring

    @property
    def _store(self) -> Store:
        if self._closed:
            raise StoreError("the keyring store is closed; make another")
        return self._beside

    def _row(self, key: str) -> tuple[Row, int | None]:
        """The row of a record, and the version of the row, which is not the record's."""
        stored = self._store.load(key)
        if stored is None:
            return Row(), None
        row = Row.from_bytes(stored.data)
        if row is None:
            del stored  # it may be a record that was saved without a keyring
            raise StoreError(
                f"the record {key!r} was not saved by a KeyringStore, or by a newer one; it was left as it is. Give "
                "KeyringStore a store of its own to keep its rows in"
            )
        return row, stored.version

    def _change(self, key: str, edit: Callable[[Row], Row]) -> Row:
        for _ in range(_ATTEMPTS):
            row, version = self._row(key)
            edited = edit(row)
            if edited == row:
                return row
            try:
                self._store.save(key, edited.to_bytes(), version)
            except Conflict:
                continue
            return edited
        raise StoreError(f"others changed the row of the record {key!r} {_ATTEMPTS} times in between; try again")

    def __repr__(self) -> str:
        if not hasattr(self, "_beside"):
            return "<KeyringStore, not built>"
        return f"<KeyringStore of {self._entries.service!r} beside {self._beside!r}>"


def _expect(key: str, row: Row, expected: int | None) -> Row:
    if row.version != expected:
        raise Conflict(f"the record {key!r} changed since it was read")
    return row


def _point(row: Row, spare: Spare, version: int) -> Row:
    # Claimed by somebody meanwhile, it may be deleted already.
    return row.pointing_to(spare, version) if spare in row.spare else row
