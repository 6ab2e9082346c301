"""Signatures, judged by `sansauth.oauth1.verify`, and so by oauthlib's server side.

Code that is not ours judges what our signer makes (RFC 5849).
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from oauthlib.oauth1 import SignatureOnlyEndpoint

from sansauth.errors import InvalidSignature
from sansauth.http import Request
from sansauth.oauth1.received import Fault
from sansauth.oauth1.verification import Nonce, Secrets, Verified, verify

__all__ = ["JUDGE", "SignatureServer"]

JUDGE = SignatureOnlyEndpoint
"""Who judges. `verify` would load it on the first request; a sandbox loads nothing while it answers."""
METHODS = ("HMAC-SHA1",)
"""X's only one."""
_REMEMBERED = 100_000


class SignatureServer:
    """Judges signed requests by the secrets that `find_secrets(consumer_key, token)` knows.

    `now` gives the service's time in Unix seconds; a timestamp may differ from it by `tolerance` seconds. The last
    `remembered` nonces that were accepted are not accepted again. `methods` are the signature methods it takes.
    """

    def __init__(
        self,
        find_secrets: Callable[[str, str | None], Secrets | None],
        *,
        now: Callable[[], float],
        tolerance: float,
        remembered: int = _REMEMBERED,
        methods: Collection[str] = METHODS,
    ) -> None:
        self._find_secrets = find_secrets
        self._now = now
        self._tolerance = tolerance
        self._remembered = remembered
        self._methods = methods
        self._used: dict[Nonce, None] = {}  # a set in order of use

    def judge(self, request: Request) -> Verified | Fault:
        """Who signed the request, or why it is refused. A refused request does not use up its nonce."""
        try:
            return verify(
                request, self._find_secrets, self._seen, self._now(), tolerance=self._tolerance, methods=self._methods
            )
        except InvalidSignature as refused:
            return refused.fault or Fault.SIGNATURE

    def _seen(self, nonce: Nonce) -> bool:
        if nonce in self._used or not nonce.nonce.isascii():  # X asks for no more than ASCII
            return True
        self._used[nonce] = None
        if len(self._used) > self._remembered:
            del self._used[next(iter(self._used))]
        return False
