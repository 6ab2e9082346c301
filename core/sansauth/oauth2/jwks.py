"""A service's public keys (RFC 7517 section 5): fetched, kept in the client's memory, fetched anew as they rotate."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

from sansauth.effects import Exclusive, Load, Save, Send, Steps, Stored, Timeouts, operation
from sansauth.encoding import quote
from sansauth.env import Env
from sansauth.errors import ApiError, Conflict, RemoteProtocolError, TransportError
from sansauth.http import Request, Response, build_request
from sansauth.oauth2.keys import ALGORITHMS
from sansauth.provider import Provider
from sansauth.refusal import read_refusal

__all__ = [
    "JWKS_SECONDS",
    "REFETCH_SECONDS",
    "STALE_SECONDS",
    "Jwks",
    "build_jwks_request",
    "jwks_key",
    "jwks_with",
    "parse_jwks",
]

JWKS_SECONDS = 3600.0  # after this time, keys are fetched again: one that the service has taken back stops to count
STALE_SECONDS = 14_400.0  # and after this one, if they cannot be fetched: for as long its logins survive an outage
REFETCH_SECONDS = 60.0  # between two fetches for a key that is not known: whoever forges key ids cannot ask for more


@dataclass(frozen=True, slots=True, repr=False)
class Jwks:
    """The keys of a service, each as its JWK."""

    keys: tuple[Mapping[str, object], ...]

    @staticmethod
    def of(document: object) -> Jwks:
        """Read a JWKS document, parsed from JSON; what in it is no key is passed over (RFC 7517 section 5).

        `RemoteProtocolError` for a document that is none.
        """
        keys = cast("Mapping[str, object]", document).get("keys") if isinstance(document, Mapping) else None
        if not isinstance(keys, list):
            raise RemoteProtocolError('a JWKS is a JSON object with a list of "keys" (RFC 7517 section 5)')
        return Jwks(
            tuple([cast("dict[str, object]", key) for key in cast("list[object]", keys) if isinstance(key, dict)])
        )

    def fitting(self, algorithm: str, key_id: str | None) -> list[Mapping[str, object]]:
        """The keys that may verify a signature by `algorithm`: with a `key_id`, those of that `kid`.

        Where none has it, those without a `kid`, which is optional (RFC 7517 section 4.5).
        """
        fitting = [key for key in self.keys if _fits(key, algorithm)]
        if key_id is None:
            return fitting
        return [key for key in fitting if key.get("kid") == key_id] or [key for key in fitting if not key.get("kid")]

    def __repr__(self) -> str:
        return f"Jwks(<{len(self.keys)} keys>)"


def build_jwks_request(provider: Provider) -> Request:
    """Ask for the service's keys. They are public: nobody authenticates, and they may lie on any host."""
    url = provider.endpoint("jwks")
    return build_request("GET", url, headers={"accept": "application/jwk-set+json, application/json"})


def parse_jwks(response: Response, provider: Provider, *, request: Request | None = None) -> Jwks:
    """Read the service's keys; the `ApiError` of a refusal, `RemoteProtocolError` for what is no JWKS."""
    if not 200 <= response.status < 300:
        raise read_refusal(response, provider, request=request)
    return Jwks.of(response.json())


@operation
def jwks_with(
    algorithm: str | None,
    key_id: str | None,
    *,
    provider: Provider,
    env: Env,
    timeouts: Timeouts | None = None,
    other_than: Jwks | None = None,
) -> Steps[Jwks]:
    """The service's keys: those in memory, unless they are too old or have none for this algorithm and key id.

    `algorithm=None` is for who does not know yet which key will be needed: any keys do.
    Then they are fetched, by one for all who wait for them. For a key that is not known they are fetched every
    `REFETCH_SECONDS` at most, so that the keys returned may be without it. If they cannot be fetched, those in memory
    do until they are `STALE_SECONDS` old. `other_than` are keys that did not verify the signature: they do not count as
    known. Not to be used inside an `Exclusive`.
    """
    wanted = _Wanted(algorithm, key_id, other_than)
    record = _Record.of((yield from Load(jwks_key(provider))))
    if record is not None and record.has(wanted, env.clock()):
        return record.jwks
    return (yield from Exclusive(jwks_key(provider), _fetch(wanted, provider, env, timeouts)))


def jwks_key(provider: Provider) -> str:
    """The key of a service's keys, by their URL: two issuers may share an origin, and must not share keys.

    `mem:`: the client's memory, never persisted.
    """
    return f"mem:jwks/{quote(provider.endpoint('jwks'))}"


def _fits(key: Mapping[str, object], algorithm: str) -> bool:
    """Whether a key's type, curve, use and algorithm allow it (RFC 7517 section 4).

    Members that are null or empty say nothing, as some services write those that they leave open.
    """
    kind, operations, named = ALGORITHMS[algorithm], key.get("key_ops") or ["verify"], key.get("alg") or algorithm
    return (
        key.get("kty") == kind.kty
        and (kind.crv is None or key.get("crv") == kind.crv)
        and (key.get("use") or "sig") == "sig"
        and isinstance(named, str)
        and ALGORITHMS.get(named) == kind
        and isinstance(operations, list)
        and "verify" in operations
    )


class _Wanted(NamedTuple):
    """What a signature needs: a key for this algorithm, if it is known, of this id, and not one tried already."""

    algorithm: str | None
    key_id: str | None
    other_than: Jwks | None

    def is_in(self, jwks: Jwks) -> bool:
        if self.algorithm is None:
            return True
        return jwks != self.other_than and bool(jwks.fitting(self.algorithm, self.key_id))


class _Record(NamedTuple):
    """Keys as they are kept: when they were fetched, and when they were last asked for; Unix seconds."""

    jwks: Jwks
    fetched_at: float
    asked_at: float

    @staticmethod
    def of(stored: Stored | None) -> _Record | None:
        if stored is None:
            return None
        keys, fetched_at, asked_at = json.loads(stored.data)
        return _Record(Jwks.of({"keys": keys}), fetched_at, asked_at)

    def to_bytes(self) -> bytes:
        return json.dumps([self.jwks.keys, self.fetched_at, self.asked_at], separators=(",", ":")).encode()

    def is_younger(self, seconds: float, now: float) -> bool:
        return 0 <= now - self.fetched_at < seconds  # a time in the future: the clock was set back

    def was_just_asked(self, now: float) -> bool:
        """Whether the service was asked so lately that it is not asked again, whatever it said."""
        return self.is_younger(STALE_SECONDS, now) and 0 <= now - self.asked_at < REFETCH_SECONDS

    def has(self, wanted: _Wanted, now: float) -> bool:
        """Whether the key is here, and may be used without asking."""
        return wanted.is_in(self.jwks) and (self.is_younger(JWKS_SECONDS, now) or self.was_just_asked(now))


@operation
def _fetch(wanted: _Wanted, provider: Provider, env: Env, timeouts: Timeouts | None) -> Steps[Jwks]:
    # Again, now that the key is held: whoever held it before may have fetched already.
    key, now = jwks_key(provider), env.clock()
    stored = yield from Load(key)
    version = stored.version if stored is not None else None
    record = _Record.of(stored)
    if record is not None:
        if record.has(wanted, now) or record.was_just_asked(now):
            return record.jwks
        # Noted before the request: a service that fails is not asked more often than one that answers.
        version = yield from Save(key, record._replace(asked_at=now).to_bytes(), version)
    request = build_jwks_request(provider)
    try:
        response = yield from Send(request, timeouts)
        jwks = parse_jwks(response, provider, request=request)
    except (ApiError, RemoteProtocolError, TransportError):
        # No answer takes a key back but a JWKS without it (RFC 5861 section 4 has the same for any answer).
        if record is None or not (record.is_younger(STALE_SECONDS, now) and wanted.is_in(record.jwks)):
            raise
        return record.jwks
    with contextlib.suppress(Conflict):  # somebody else has fetched them too, for longer than a lease lasts
        # Keys that were fetched for their age do not count as asked for: they may rotate in the next moment.
        sought = record is not None and record.is_younger(JWKS_SECONDS, now)
        yield from Save(key, _Record(jwks, now, now if sought else 0.0).to_bytes(), version)
    return jwks
