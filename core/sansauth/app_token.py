"""An application's own bearer token and its stored form: JSON with a schema version, one record a key.

A room of its own, because whoever fetches a bearer token does not pay for what OAuth 2's users need.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from sansauth.encoding import quote
from sansauth.errors import StoreError
from sansauth.identity import App
from sansauth.provider import Provider
from sansauth.secret import Secret, SecretBytes

__all__ = ["AppToken", "app_token_key"]

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class AppToken:
    """An application's own bearer token, as fetched."""

    access_token: str

    def to_bytes(self) -> bytes:
        """The record as the store keeps it."""
        record = {"schema": SCHEMA, "kind": "app-token", "access_token": str(self.access_token)}
        return SecretBytes(json.dumps(record, separators=(",", ":")).encode())

    @staticmethod
    def from_bytes(data: bytes) -> AppToken:
        """Read a record; `StoreError` if it is none of ours, or of a newer schema."""
        size = len(data)
        try:
            record = cast("object", json.loads(data))
        except (ValueError, RecursionError):
            record = None
        match record:
            case {"schema": 1, "kind": "app-token", "access_token": str(token)}:
                return AppToken(Secret(token))
            case _:
                del data, record  # a traceback that shows the locals of its frames must not show a token
                raise StoreError(
                    f"the stored record ({size} bytes) is no app-token of schema {SCHEMA}; it was left as it is"
                )

    def __repr__(self) -> str:
        return "AppToken(***)"


def app_token_key(app: App, provider: Provider) -> str:
    """The key of an application's bearer token.

    The provider's origin is part of it, so that a sandbox never shares a token with the real service.
    """
    return f"app-token/{quote(provider.origin)}/{quote(app.consumer_key)}"
