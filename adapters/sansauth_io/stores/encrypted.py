"""Records encrypted at rest: a store that wraps a store. Extra `encryption`.

AES-256 in Galois/Counter Mode (NIST SP 800-38D). What the wrapped store keeps of a record:

    "\\0sa-enc" | format, 1 byte | id of the key, 8 bytes | nonce, 12 bytes | ciphertext and its tag of 16 bytes

The header and the record's name are associated data: a record that was moved to another name is refused. Names, sizes
and leases are not hidden.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sansauth.effects import Stored
from sansauth.errors import Conflict, InvalidParameter, StoreError
from sansauth.oauth2.keys import base64url, from_base64url
from sansauth.secret import Secret
from sansauth_io.stores._wrapping import close_wrapped, is_store, refuse
from sansauth_io.stores.protocol import LEASE_SECONDS, Store

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "EncryptedStore needs cryptography: pip install 'sansauth[encryption]'", name="cryptography"
    ) from None

__all__ = ["EncryptedStore"]

KEY_BYTES = 32
KEY_ID_BYTES = 8
NONCE_BYTES = 12
TAG_BYTES = 16

_MAGIC = b"\0sa-enc"  # a record that is not encrypted is JSON, and JSON has no NUL
_PREFIX = _MAGIC + b"\x01"
_HEADER_BYTES = len(_PREFIX) + KEY_ID_BYTES
_LEAST_BYTES = _HEADER_BYTES + NONCE_BYTES + TAG_BYTES

_VARIETY = 16  # different bytes in a key: 32 random ones have about 30, and fewer than this once in 10**15 keys
_POLL_SECONDS = 0.05


class EncryptedStore:
    """Wraps any store: what it is given is encrypted, what it gives is decrypted and was not tampered with.

    `key_or_keys` is one key, or several of which the first encrypts and every one decrypts. To change keys, add the new
    one behind the old in every process, then put it first, then take the old one away after `rotate()`. A key is 32
    random bytes, or their base64url text, as `generate_key()` makes it; a password is none (`InvalidParameter`): derive
    a key from it by a KDF, with a salt.

    One key encrypts at most 2**32 records, counting every save (SP 800-38D section 8.3): then it is time for another.

    `accept_plain` is for a move from a store that was not encrypted: its records are read, and encrypted when they
    are saved next, or by `rotate()`. Whoever can write to the wrapped store can then forge records: do not leave it on.

    `StoreError` for a record that is under another key, damaged, moved, or not encrypted; it is left as it is.
    """

    def __init__(self, store: Store, key_or_keys: bytes | str | Sequence[bytes | str], *, accept_plain: bool = False):
        # A traceback that shows the locals of its frames must not show a key, not even one that is in the wrong place.
        if not is_store(store):
            kind = type(store)
            del store, key_or_keys
            raise refuse("EncryptedStore", kind)
        given = [key_or_keys] if isinstance(key_or_keys, bytes | str) else list(key_or_keys)
        ciphers = [_cipher(key) for key in given]
        del key_or_keys, given
        if not ciphers or None in ciphers:
            raise InvalidParameter(
                f"a key is {KEY_BYTES} random bytes, or their base64url text as from EncryptedStore.generate_key(); "
                "what was given is none. From a password derive one by a KDF, with a salt: scrypt or Argon2id"
            )
        self._accept_plain = accept_plain
        self._ciphers: Mapping[bytes, AESGCM] = dict(cipher for cipher in ciphers if cipher is not None)
        self._first = next(iter(self._ciphers))
        self._wrapped = store
        self._closed = False

    @staticmethod
    def generate_key() -> Secret:
        """A new key, as base64url text: keep it where the records are not, and lose it not."""
        return Secret(base64url(os.urandom(KEY_BYTES)))

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys, the one that encrypts first; an id is a hash, and no secret."""
        return tuple(identifier.hex() for identifier in self._ciphers)

    @property
    def blocking(self) -> bool:
        """As the wrapped store: to encrypt takes microseconds."""
        return self._wrapped.blocking

    def load(self, key: str) -> Stored | None:
        """The record, decrypted, and its version; `StoreError` if it cannot be, and then it is left as it is."""
        stored = self._store.load(key)
        if stored is None:
            return None
        opened = self._open(key, stored.data)
        if isinstance(opened, _Unreadable):
            raise StoreError(opened.reason)
        return Stored(opened, stored.version)

    def save(self, key: str, data: bytes | None, expected: int | None) -> int:
        """Encrypt and write if the version still is `expected`."""
        sealed = None if data is None else self._seal(key, data)
        del data  # a traceback that shows the locals of its frames must not show a token
        return self._store.save(key, sealed, expected)

    def acquire(self, key: str, owner: str, ttl: float) -> bool:
        """Take or renew the lease."""
        return self._store.acquire(key, owner, ttl)

    def release(self, key: str, owner: str) -> None:
        """Give the lease up."""
        self._store.release(key, owner)

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key with a record that begins with `prefix`: names are not encrypted."""
        return self._store.keys(prefix)

    def close(self) -> None:
        """Close the wrapped store; afterwards every method raises `StoreError`."""
        self._closed = True
        close_wrapped(self._wrapped)

    def rotate(self) -> int:
        """Rewrite every record that is not under the first key; how many that were.

        Each is rewritten under its lease, so that no refresh is disturbed. Records that cannot be read, at which the
        wrapped store failed, or that others kept busy for more than a minute, are left as they are; `StoreError` at the
        end says how many, and the first.
        """
        rewritten, left, unlisted = 0, list[str](), ""
        keys = self._store.keys("")
        try:
            for key in keys:
                outcome = self._try_to_rewrite(key)
                if isinstance(outcome, _Unreadable):
                    left.append(outcome.reason)
                else:
                    rewritten += outcome
        except StoreError as error:
            unlisted = f"; further records could not be listed: {error}"
        if left or unlisted:
            first = f"; the first: {left[0]}" if left else ""
            raise StoreError(
                f"{len(left)} records were not rewritten under the first key, {rewritten} were{first}{unlisted}"
            )
        return rewritten

    def forget(self, key: str) -> None:
        """Delete a record without reading it: for one that can no longer be decrypted, before a new login."""
        stored = self._store.load(key)
        if stored is not None:
            self._store.save(key, None, stored.version)

    @property
    def _store(self) -> Store:
        if self._closed:
            raise StoreError("the encrypted store is closed; make another")
        return self._wrapped

    def _seal(self, key: str, data: bytes) -> bytes:
        header = _PREFIX + self._first
        # Random, never counted or derived from a version: a store put back from a backup, a fork or a second machine
        # would count the same number again, and two records under one nonce give the key stream away.
        nonce = os.urandom(NONCE_BYTES)
        return header + nonce + self._ciphers[self._first].encrypt(nonce, data, header + _name(key))

    def _open(self, key: str, data: bytes) -> bytes | _Unreadable:
        if not data.startswith(_MAGIC):
            return data if self._accept_plain else _Unreadable.plain(key)
        if not data.startswith(_PREFIX) and len(data) > len(_MAGIC):
            return _Unreadable.newer(key, data[len(_MAGIC)])
        if len(data) < _LEAST_BYTES:
            return _Unreadable.damaged(key)
        header, rest = data[:_HEADER_BYTES], data[_HEADER_BYTES:]
        identifier = header[len(_PREFIX) :]
        if identifier not in self._ciphers:
            return _Unreadable.unknown(key, identifier.hex(), self.key_ids)
        try:
            return self._ciphers[identifier].decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], header + _name(key))
        except InvalidTag:
            return _Unreadable.damaged(key)

    def _try_to_rewrite(self, key: str) -> bool | _Unreadable:
        try:
            return self._rewrite(key)
        except StoreError as error:
            return _Unreadable(f"the record {key!r} could not be rewritten: {error}")

    def _rewrite(self, key: str) -> bool | _Unreadable:
        """Whether it was rewritten; False: there was no need any more."""
        owner = secrets.token_hex(16)
        end = time.monotonic() + LEASE_SECONDS
        while not self._is_current(key):
            if time.monotonic() > end:
                return _Unreadable(f"the record {key!r} was kept busy")
            if not self._store.acquire(key, owner, LEASE_SECONDS):
                time.sleep(_POLL_SECONDS)
                continue
            try:
                return self._rewrite_alone(key)
            except Conflict:
                pass  # saved by somebody who did not hold the lease: look again
            finally:
                with contextlib.suppress(StoreError):  # it ends by itself, and what was done stays done
                    self._store.release(key, owner)
        return False

    def _is_current(self, key: str) -> bool:
        stored = self._store.load(key)
        return stored is None or stored.data.startswith(_PREFIX + self._first)

    def _rewrite_alone(self, key: str) -> bool | _Unreadable:
        stored = self._store.load(key)
        if stored is None:
            return False
        opened = self._open(key, stored.data)
        if isinstance(opened, _Unreadable):
            return opened
        sealed = self._seal(key, opened)
        del opened
        self._store.save(key, sealed, stored.version)
        return True

    def __reduce__(self) -> str:
        raise TypeError("an EncryptedStore is not pickled, because its keys would be; make one in each process")

    def __repr__(self) -> str:
        if not hasattr(self, "_wrapped"):
            return "<EncryptedStore, not built>"
        return f"<EncryptedStore of {self._wrapped!r} under key {', '.join(self.key_ids)}>"


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """Why a record was not decrypted: shown to people, never with the record."""

    reason: str

    @staticmethod
    def plain(key: str) -> _Unreadable:
        return _Unreadable(
            f"the record {key!r} is not encrypted, and was left as it is; if it was saved before there was encryption, "
            "move it by EncryptedStore(..., accept_plain=True).rotate()"
        )

    @staticmethod
    def newer(key: str, version: int) -> _Unreadable:
        return _Unreadable(f"the record {key!r} is encrypted in format {version}, which this version does not know")

    @staticmethod
    def damaged(key: str) -> _Unreadable:
        return _Unreadable(
            f"the record {key!r} is damaged, was tampered with, or was moved here from another name; it was left as it "
            "is. forget() deletes it, and a login makes it anew"
        )

    @staticmethod
    def unknown(key: str, identifier: str, known: Sequence[str]) -> _Unreadable:
        return _Unreadable(
            f"the record {key!r} is encrypted under key {identifier}, and this store has only {', '.join(known)}; it "
            "was left as it is. Give the store that key, too; if it is lost, forget() deletes the record"
        )


def _name(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _cipher(key: object) -> tuple[bytes, AESGCM] | None:
    """The id of a key and its cipher; None if it is no key."""
    raw = from_base64url(key.strip().rstrip("=")) if isinstance(key, str) else key
    if not isinstance(raw, bytes) or len(raw) != KEY_BYTES:
        return None
    # 32 characters of a password, of hex or of base64 that was not decoded are as long as a key, and not as random.
    if len(set(raw)) < _VARIETY or all(0x20 <= byte < 0x7F for byte in raw):
        return None
    return hashlib.sha256(b"sansauth store key id\0" + raw).digest()[:KEY_ID_BYTES], AESGCM(raw)
