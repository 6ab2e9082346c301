"""A whole store: whose tokens it holds, and what of it is of no use any more."""

from __future__ import annotations

import pytest

from sansauth.errors import Conflict
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth.x import TWITTER, X
from sansauth_io.stores import MemoryStore, accounts, tidy

CLIENT = OAuth2Client("id", "hunter2")


def test_every_account_is_listed_and_no_record_is_read() -> None:
    class Sealed(MemoryStore):
        def load(self, key: str) -> None:
            raise AssertionError("a record was read")

    store = Sealed()
    users = [(OAuth2User(CLIENT, name), provider) for name in ("alice", "bob/ü") for provider in (X, TWITTER)]
    for user, provider in users:
        store.save(oauth2_tokens_key(user, provider), OAuth2Tokens("hunter2").to_bytes(), None)
    for other in (oauth2_tokens_key(CLIENT, X), "app-token/a/b", "login/x", "oauth2/odd"):
        store.save(other, b"{}", None)
    assert sorted(accounts(store)) == sorted((provider.authority, "id", user.account) for user, provider in users)


CLAIM = b'{"schema":1,"kind":"login-claim","expires_at":%d}'


def test_claims_that_are_over_are_removed_and_nothing_else() -> None:
    store = MemoryStore()
    kept = {"login/open": CLAIM % 101, "login/odd": b"{", "login/other": b"[]", "oauth2/a/b/c": CLAIM % 1}
    for key, data in {"login/over": CLAIM % 100, "login/long over": CLAIM % 1, **kept}.items():
        store.save(key, data, None)
    assert tidy(store, now=100.0) == 2
    assert sorted(store.keys("")) == sorted(kept)
    assert tidy(store, now=100.0) == 0


@pytest.mark.parametrize("gone", [True, False])
def test_a_claim_that_changes_meanwhile_is_left_alone(gone: bool) -> None:
    class Busy(MemoryStore):
        def save(self, key: str, data: bytes | None, expected: int | None) -> int:
            if data is None:
                raise Conflict("changed")
            return super().save(key, data, expected)

        def load(self, key: str) -> None:
            return None if gone else super().load(key)  # type: ignore[return-value]

    store = Busy()
    store.save("login/over", CLAIM % 1, None)
    assert tidy(store, now=100.0) == 0
