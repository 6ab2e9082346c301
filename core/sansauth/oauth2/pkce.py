"""Proof Key for Code Exchange (RFC 7636): who ends a login shows that they began it."""

from __future__ import annotations

import base64
import hashlib
import re

from sansauth.env import Env
from sansauth.errors import InvalidParameter
from sansauth.secret import Secret

__all__ = ["VERIFIER_BYTES", "code_challenge", "code_verifier"]

VERIFIER_BYTES = 32  # 43 characters, the shortest that section 4.1 allows, and 256 bits

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def code_verifier(env: Env) -> Secret:
    """A new code verifier: 43 characters from 32 bytes of entropy (section 4.1)."""
    return Secret(base64.urlsafe_b64encode(env.entropy(VERIFIER_BYTES)).rstrip(b"=").decode())


def code_challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (section 4.2); `InvalidParameter` for what is no verifier."""
    verifier = Secret(verifier)
    if not _VERIFIER.fullmatch(verifier):
        raise InvalidParameter("a code verifier is 43 to 128 letters, digits and -._~ (RFC 7636 section 4.1)")
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
