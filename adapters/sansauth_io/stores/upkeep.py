"""What to do with a whole store: list whose tokens it holds, and remove what is of no use any more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sansauth.claim import CLAIMS, is_claim_over
from sansauth.errors import Conflict
from sansauth.tokens import Account, account_of
from sansauth_io.stores.protocol import Store

__all__ = ["accounts", "tidy"]


def accounts(store: Store) -> Iterator[Account]:
    """Every user of OAuth 2 whose tokens are stored: where, by which client, under which name. No record is read."""
    for key in store.keys("oauth2/"):
        account = account_of(key)
        if account is not None:
            yield account


def tidy(store: Store, *, now: float) -> int:
    """Remove the claims of logins that have expired by `now`, in Unix seconds; how many there were.

    A claim keeps a login from being finished twice, and is of no use once nobody could finish it any more.
    """
    removed = 0
    for key in store.keys(CLAIMS):
        stored = store.load(key)
        if stored is not None and is_claim_over(stored.data, now):
            with contextlib.suppress(Conflict):
                store.save(key, None, stored.version)
                removed += 1
    return removed
