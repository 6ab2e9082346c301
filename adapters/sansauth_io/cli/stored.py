"""The accounts that `sansauth login` has stored: which there are, and what can be said of them without a secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sansauth.encoding import quote
from sansauth.errors import LocalProtocolError, StoreError
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.provider import Provider
from sansauth.tokens import Account, OAuth2Tokens, account_of, oauth2_tokens_key
from sansauth_io.cli.settings import Credentials
from sansauth_io.stores.sqlite import SQLiteStore

__all__ = ["StoredAccount", "open_store", "read_accounts", "span", "stored_user"]

_LATEST = 253_402_300_799  # Unix seconds: the last that a calendar of four digits has


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """One account. Times are Unix seconds; `trouble` is what is wrong with a record that cannot be read."""

    of: Account
    scopes: tuple[str, ...] | None = None
    expires_at: float | None = None
    refreshable: bool = False
    dead_since: float | None = None
    dead_reason: str | None = None
    trouble: str | None = None

    @staticmethod
    def holding(of: Account, tokens: OAuth2Tokens) -> StoredAccount:
        """The account with these tokens, of which nothing secret is kept."""
        death = tokens.death
        return StoredAccount(
            of,
            tokens.scopes,
            tokens.expires_at,
            refreshable=tokens.refresh_token is not None and death is None,
            dead_since=None if death is None else death.at,
            dead_reason=None if death is None else death.reason,
        )

    def to_object(self) -> dict[str, object]:
        """The account for a program: what JSON can say."""
        return {
            "account": self.of.account,
            "client_id": self.of.client_id,
            "service": self.of.authority,
            "scopes": self.scopes,
            "expires_at": self.expires_at,
            "refreshable": self.refreshable,
            "dead_since": self.dead_since,
            "dead_reason": self.dead_reason,
            "trouble": self.trouble,
        }

    def to_lines(self, now: float) -> list[str]:
        """The account for eyes, at `now` in Unix seconds."""
        rows = [("service", self.of.authority), ("client", self.of.client_id)]
        if self.trouble is not None:
            rows.append(("trouble", self.trouble))
        else:
            rows += [("scopes", self._granted()), ("token", self._life(now))]
        if self.dead_since is not None:
            rows.append(("dead", f"since {_date(self.dead_since)}: {self.dead_reason}; log in again"))
        return [self.of.account, *(f"  {name:<9}{words}" for name, words in rows)]

    def _granted(self) -> str:
        return "those that were asked for" if self.scopes is None else " ".join(self.scopes) or "none"

    def _life(self, now: float) -> str:
        if self.expires_at is None:
            return "the service did not say when it ends"
        left = self.expires_at - now
        when = (
            f"{'ends in' if left > 0 else 'ended'} {span(left)}{'' if left > 0 else ' ago'}, {_date(self.expires_at)}"
        )
        if self.refreshable:
            return f"{when}; it is refreshed {'then' if left > 0 else 'by the next call'}"
        return f"{when}; it cannot be refreshed, {'then' if left > 0 else 'so'} log in again"


def open_store(path: Path | None) -> SQLiteStore:
    """The store there, or in the user's data directory. Nothing is made before it is used."""
    return SQLiteStore(path)


def read_accounts(store: SQLiteStore) -> Iterator[StoredAccount]:
    """Every account; of a file that is not there yet none, and it is not made for that."""
    for key in store.keys("oauth2/") if store.path.exists() else ():
        stored, of = store.load(key), account_of(key)
        if stored is None or of is None:
            continue  # removed meanwhile, or of another kind
        try:
            yield StoredAccount.holding(of, OAuth2Tokens.from_bytes(stored.data))
        except StoreError as error:
            yield StoredAccount(of, trouble=str(error))


def stored_user(account: str, provider: Provider, store: SQLiteStore, credentials: Credentials) -> OAuth2User:
    """The user whose tokens are stored under that name; `LocalProtocolError` if there is none.

    Their client is the environment's, or else the one that the store knows, without a secret.
    """
    if credentials.has_client:
        user = OAuth2User(credentials.client(), account)
        if not (store.path.exists() and store.load(oauth2_tokens_key(user, provider))):
            raise _unknown(account, provider, store, " of the client in X_CLIENT_ID")
        return user
    prefix = f"oauth2/{quote(provider.authority)}/"
    keys = store.keys(prefix) if store.path.exists() else ()
    clients = [of.client_id for key in keys if (of := account_of(key)) is not None and of.account == account]
    if not clients:
        raise _unknown(account, provider, store)
    if len(clients) > 1:
        raise LocalProtocolError(
            f"account {account!r:.80} is stored for several clients: {', '.join(clients)}; say which by X_CLIENT_ID"
        )
    return OAuth2User(OAuth2Client(clients[0]), account)


def span(seconds: float) -> str:
    """A time as people say it, whichever way it goes: hours and minutes, but not hours and seconds."""
    left = abs(round(min(max(seconds, -_LATEST), _LATEST)))
    sizes = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
    greatest = next((place for place, size in enumerate(sizes.values()) if left >= size), len(sizes) - 1)
    parts: list[str] = []
    for unit, size in list(sizes.items())[greatest : greatest + 2]:
        count, left = divmod(left, size)
        if count or not parts:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(min(max(seconds, 0), _LATEST), UTC).strftime("%Y-%m-%d %H:%M UTC")


def _unknown(account: str, provider: Provider, store: SQLiteStore, whose: str = "") -> LocalProtocolError:
    return LocalProtocolError(
        f"no account {account!r:.80}{whose} is stored for {provider.authority} in {store.path}; `sansauth status` "
        "shows those that are, `sansauth login` makes one"
    )
