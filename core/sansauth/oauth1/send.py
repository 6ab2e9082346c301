"""Sign and send, by the service's clock: a machine whose clock is wrong learns the difference from a refusal.

A signature whose timestamp is too far from the service's clock is refused (X: code 135). The refusal's `Date` tells the
service's time; the difference is kept as a `mem:` record, so that only the first call pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sansauth.effects import Load, Save, Send, Steps, Timeouts, operation
from sansauth.encoding import quote
from sansauth.env import Env
from sansauth.errors import Conflict, TimestampOutOfRange
from sansauth.http import Request, Response
from sansauth.http_date import parse_http_date
from sansauth.identity import App, OAuth1User
from sansauth.oauth1.signer import prepared
from sansauth.provider import Provider
from sansauth.refusal import read_refusal

__all__ = [
    "Exchange",
    "clock_skew_key",
    "learn_clock_skew",
    "send_signed",
    "send_signed_at_once",
    "sign_at_once",
    "sign_timely",
    "told_time",
]

EARLIEST, LATEST = 10**9, 10**10 - 1  # Unix seconds of ten digits, 2001 to 2286: another Date is no clock's


class Exchange(NamedTuple):
    """A request as it was sent, and what came back."""

    request: Request
    response: Response


@operation
def send_signed(
    request: Request,
    identity: App | OAuth1User,
    *,
    provider: Provider,
    env: Env,
    extra: Mapping[str, str] | None = None,
    timeouts: Timeouts | None = None,
) -> Steps[Exchange]:
    """Sign as the provider wants it and send; once more by the service's own clock if that refuses the timestamp.

    The answer is not judged. `extra` are further protocol parameters. Raises `ForeignHost` before anything is sent to a
    host that is not the provider's.
    """
    signed = yield from sign_timely(request, identity, provider=provider, env=env, extra=extra)
    return (yield from _send(signed, request, identity, provider=provider, env=env, extra=extra, timeouts=timeouts))


@operation
def send_signed_at_once(
    request: Request,
    identity: App | OAuth1User,
    *,
    provider: Provider,
    env: Env,
    extra: Mapping[str, str] | None = None,
) -> Steps[Exchange]:
    """`send_signed` that asks no store first: by this machine's clock, and by what is known if that is refused."""
    signed = sign_at_once(request, identity, provider=provider, env=env, extra=extra)
    return (yield from _send(signed, request, identity, provider=provider, env=env, extra=extra, timeouts=None))


@operation
def _send(
    signed: Request,
    request: Request,
    identity: App | OAuth1User,
    *,
    provider: Provider,
    env: Env,
    extra: Mapping[str, str] | None,
    timeouts: Timeouts | None,
) -> Steps[Exchange]:
    exchange = Exchange(signed, (yield from Send(signed, timeouts)))
    theirs = told_time(exchange, provider, env)
    if theirs is None:
        return exchange
    yield from learn_clock_skew(theirs, provider, env)
    signed = yield from sign_timely(request, identity, provider=provider, env=env, extra=extra)
    return Exchange(signed, (yield from Send(signed, timeouts)))


def sign_at_once(
    request: Request,
    identity: App | OAuth1User,
    *,
    provider: Provider,
    env: Env,
    extra: Mapping[str, str] | None = None,
) -> Request:
    """The request, signed with the machine's time as the provider wants it; `ForeignHost` elsewhere."""
    signer = prepared(identity, provider.signing)
    return signer.sign(provider.admit(request), timestamp=env.timestamp(), nonce=env.nonce(), extra=extra)


@operation
def sign_timely(
    request: Request,
    identity: App | OAuth1User,
    *,
    provider: Provider,
    env: Env,
    extra: Mapping[str, str] | None = None,
) -> Steps[Request]:
    """The request, signed with the service's time as far as it is known, else with the machine's."""
    provider.admit(request)
    stored = yield from Load(clock_skew_key(provider))
    skew = int(stored.data) if stored is not None else 0
    signer = prepared(identity, provider.signing)
    return signer.sign(request, timestamp=env.timestamp() + skew, nonce=env.nonce(), extra=extra)


def told_time(exchange: Exchange, provider: Provider, env: Env) -> int | None:
    """The service's time in Unix seconds, if the answer refuses the request's timestamp and tells one; else None.

    Only a `Date` that nobody on the way can have written, and that can be true, is believed: whoever sets our clock
    has signatures made that hold for as long as they like.
    """
    request, response = exchange
    if response.status < 400 or not isinstance(read_refusal(response, provider), TimestampOutOfRange):
        return None
    date = response.headers.get("date")
    if date is None or not (request.scheme == "https" or request.parsed.is_loopback):
        return None
    told = parse_http_date(date, now=env.clock())
    return told if told is not None and EARLIEST <= told <= LATEST else None


@operation
def learn_clock_skew(theirs: int, provider: Provider, env: Env) -> Steps[None]:
    """Keep by how many seconds the service's clock, which says `theirs`, is ahead of ours."""
    key = clock_skew_key(provider)
    stored = yield from Load(key)
    skew = b"%d" % (theirs - env.timestamp())
    try:
        yield from Save(key, skew, stored.version if stored else None)
    except Conflict:
        return  # another call has learned it at the same time, from the same clock


def clock_skew_key(provider: Provider) -> str:
    """The key of the difference between a provider's clock and ours; `mem:`: the client's memory, never persisted."""
    return f"mem:clock-skew/{quote(provider.origin)}"
