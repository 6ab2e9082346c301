"""OAuth 2 credentials in the shapes that X issues them: base64url of text that ends in what they are."""

from __future__ import annotations

import base64
import hashlib
import re

from sansauth.env import Env
from sansauth.secret import Secret
from sansauth.testing.issuing import issue_numbered

__all__ = ["ACCESS", "CODE", "DEVICE", "REFRESH", "REQUEST", "derive", "is_access_token", "issue", "issue_client_id"]

CODE, ACCESS, REFRESH = "ac", "at", "rt"
"""What X calls them: authorization code, access token, refresh token."""

DEVICE, REQUEST = "dc", "par"
"""What X does not issue: device codes, references to pushed requests."""

_ACCESS = re.compile(rb"[A-Za-z0-9]{32}:[0-9]{1,20}:1:1:at:1")


def issue(env: Env, kind: str, number: int, now: float) -> Secret:
    """A credential of that kind, another one for every `number` even where a test's entropy stands still."""
    text = f"{issue_numbered(env, 32, number)}:{max(int(now * 1000), 0)}:1:1:{kind}:1"
    return _encode(text.encode())


def issue_client_id(seed: bytes, label: str) -> str:
    """A client id."""
    return str(_encode(derive(seed, label, 12).hex().encode() + b":1:ci"))


def is_access_token(text: str) -> bool:
    """Whether this has the shape of a user's access token, whoever issued it and whenever."""
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return False
    return _ACCESS.fullmatch(decoded) is not None


def derive(seed: bytes, label: str, size: int) -> bytes:
    """So many bytes out of a seed, for one purpose."""
    return hashlib.shake_256(seed + label.encode()).digest(size)


def _encode(data: bytes) -> Secret:
    return Secret(base64.urlsafe_b64encode(data).rstrip(b"=").decode())
