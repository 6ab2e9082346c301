"""Verify a signed request, for those who receive one (RFC 5849 section 3.2).

`verify` with callbacks; `read_signed` and `check` for those who look secrets up their own way, by `await` for one.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from sansauth.errors import InvalidParameter, InvalidSignature, LocalProtocolError
from sansauth.http import Request
from sansauth.oauth1.judging import Secrets, check_key, is_right
from sansauth.oauth1.methods import HASHES, PLAINTEXT, body_hash
from sansauth.oauth1.received import Fault, SignedRequest, malformed, read_signed
from sansauth.secret import Secret

__all__ = [
    "METHODS",
    "TOLERANCE_SECONDS",
    "Fault",
    "Nonce",
    "Secrets",
    "Verified",
    "check",
    "check_methods",
    "verify",
]

TOLERANCE_SECONDS = 300.0
"""By how much a timestamp may differ from the clock, unless the caller says otherwise."""

METHODS = tuple(method for method in HASHES if method != PLAINTEXT)
"""The methods that are accepted unless the caller says otherwise: those that sign the request."""

_MILLISECONDS = 10**11  # as seconds, the year 5138; as milliseconds, 1973


class Nonce(NamedTuple):
    """What must not come twice (RFC 5849 section 3.3). `token` is None where none was named; Unix seconds."""

    consumer_key: str
    token: str | None
    timestamp: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Who signed a request, and when. `token` is None for a consumer alone; `timestamp` is in Unix seconds.

    `timestamp` and `nonce` can be None with PLAINTEXT only. `extra` are the further `oauth_*` parameters, decoded, such
    as oauth_callback, oauth_verifier, oauth_body_hash.
    """

    consumer_key: str
    token: str | None
    method: str
    timestamp: int | None
    nonce: str | None = field(repr=False)
    extra: Mapping[str, str] = field(hash=False)

    @property
    def used(self) -> Nonce | None:
        """What must not come twice; None if a PLAINTEXT request brought no timestamp or no nonce."""
        if self.timestamp is None or self.nonce is None:
            return None
        return Nonce(self.consumer_key, self.token, self.timestamp, self.nonce)


def verify(
    request: Request,
    find_secrets: Callable[[str, str | None], Secrets | None],
    seen_nonce: Callable[[Nonce], bool],
    now: float,
    *,
    tolerance: float = TOLERANCE_SECONDS,
    methods: Collection[str] = METHODS,
) -> Verified:
    """Who signed this request; `InvalidSignature` if nobody did, or if it is not what was signed (RFC 5849, 3.2).

    `find_secrets(consumer_key, token)` gives the secrets, or None for a key or token that is unknown; the token is None
    where the request names none. `seen_nonce` records a nonce and says whether it was there before (True: refuse it);
    it is asked last, so that a refused request uses up nothing. It need not keep one for longer than twice the
    tolerance. Both are plain functions: async code calls `read_signed` and `check` instead, and says of
    `Verified.used` itself whether it was there before.

    `now` is Unix time and `tolerance` the seconds by which a timestamp may differ from it. PLAINTEXT must be named in
    `methods`, and is accepted over https or on this machine only. Its requests may come without timestamp or nonce
    (section 3.1): then `seen_nonce` is not asked, and nothing tells a request from its repetition.

    The URL must be the one the client called: behind a proxy, rebuild scheme and host first. Query, form and
    `oauth_body_hash` are checked; a body that is no form and comes without that hash is not signed at all.

    The error's message and its `fault` say which part is wrong; they are for your log, and a stranger is told no more
    than 401. `LocalProtocolError` says that a callback, the secrets it gave, or `now` are not what they have to be.
    oauthlib itself logs the base string of a wrong signature, at level DEBUG.
    """
    signed = read_signed(request)
    _admit(signed, now, tolerance, methods)  # before anything is looked up
    verified = _judge(signed, _find(find_secrets, signed))
    if verified.used is not None and _was_seen(seen_nonce(verified.used)):
        raise InvalidSignature("the nonce was used before: the request was sent twice", fault=Fault.NONCE)
    return verified


def check(
    signed: SignedRequest,
    secrets: Secrets | None,
    now: float,
    *,
    tolerance: float = TOLERANCE_SECONDS,
    methods: Collection[str] = METHODS,
) -> Verified:
    """The rest of `verify`, for a request that `read_signed` has read: all but the nonce.

    `secrets` are those of `signed.consumer_key` and `signed.token`, None if one of them is unknown. What is left to the
    caller: if `Verified.used` was there before, refuse the request, else record it; in one step, such as Redis'
    `SET ... NX EX`, because two copies of a request may come at once.
    """
    _admit(signed, now, tolerance, methods)
    known = _checked(secrets)
    if known is None:
        raise _unknown_consumer() if signed.token is None else _unknown_token()
    return _judge(signed, known)


def check_methods(methods: Collection[str]) -> None:
    """`InvalidParameter` unless these are names of signature methods."""
    if isinstance(methods, str) or not set(methods) <= HASHES.keys():
        raise InvalidParameter(f"methods is a collection of names out of {', '.join(HASHES)}")


def _admit(signed: SignedRequest, now: float, tolerance: float, methods: Collection[str]) -> None:
    """Refuse what can be refused without secrets."""
    check_methods(methods)
    _check_seconds("tolerance", tolerance)
    _check_seconds("now", now)
    _check_method(signed, methods)
    if signed.timestamp is not None and not abs(now - signed.timestamp) <= tolerance:
        raise InvalidSignature(
            f"the timestamp is {signed.timestamp - now:+.0f} seconds from this clock; at most {tolerance:.0f} are "
            "accepted",
            fault=Fault.TIMESTAMP,
        )


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        what = "Unix time in seconds, as env.clock() gives it" if name == "now" else "a number of seconds"
        raise InvalidParameter(f"{name} is {what}, not {type(value).__name__}")
    if name == "now" and value >= _MILLISECONDS:
        raise InvalidParameter(f"now is Unix time in seconds, not {value:.0f}; milliseconds?")


def _check_method(signed: SignedRequest, methods: Collection[str]) -> None:
    method, request = signed.method, signed.request
    if method not in methods:
        raise _other_method(f"the signature method {method!r:.40} is not one of {', '.join(methods)}")
    if method == PLAINTEXT and request.scheme == "http" and not request.parsed.is_loopback:
        raise _other_method("PLAINTEXT showed its secrets to everybody on the way: it is accepted over https only")
    version = signed.parts.protocol.get("oauth_version", Secret("1.0"))
    if version != "1.0":
        raise _other_method(f"oauth_version is 1.0 or left out, not {version!s:.40}")


def _other_method(message: str) -> InvalidSignature:
    return InvalidSignature(message, fault=Fault.METHOD)


def _find(find_secrets: Callable[[str, str | None], Secrets | None], signed: SignedRequest) -> Secrets:
    secrets = _checked(find_secrets(signed.consumer_key, signed.token))
    if secrets is not None:
        return secrets
    if signed.token is None or _checked(find_secrets(signed.consumer_key, None)) is None:
        raise _unknown_consumer()
    raise _unknown_token()


def _unknown_consumer() -> InvalidSignature:
    return InvalidSignature("there is no such consumer key", fault=Fault.UNKNOWN_CONSUMER)


def _unknown_token() -> InvalidSignature:
    return InvalidSignature("there is no such token of that consumer", fault=Fault.UNKNOWN_TOKEN)


def _checked(found: object) -> Secrets | None:
    if found is None or isinstance(found, Secrets):
        return found
    kind = _kind(found)
    del found  # may be the bare secret, and a traceback that shows locals would show it
    raise LocalProtocolError(
        f"the secrets of a received request are a Secrets, or None for a key or token that is unknown, not {kind}"
        f"{_ASYNC if kind == 'coroutine' else ''}"
    )


def _was_seen(answer: object) -> bool:
    if isinstance(answer, bool):
        return answer
    kind = _kind(answer)
    raise LocalProtocolError(
        "seen_nonce records a nonce and returns a bool: True if it was there before, False if it is new; not "
        f"{kind}{_ASYNC if kind == 'coroutine' else ''}. (Redis' `set(..., nx=True)` says the opposite: None if it was "
        "there.)"
    )


_ASYNC = "; async code calls read_signed and check instead of verify"


def _kind(answer: object) -> str:
    kind = type(answer).__name__
    if isinstance(answer, Coroutine):
        cast("Coroutine[object, object, object]", answer).close()  # else Python warns that nobody awaited it
    return kind


def _judge(signed: SignedRequest, secrets: Secrets) -> Verified:
    check_key(signed.method, secrets)
    if not is_right(signed, secrets):
        raise InvalidSignature(
            "the signature is not the one that these secrets make of this method, URL and parameters: the request was "
            "changed on the way, was signed for another URL, or a secret differs",
            fault=Fault.SIGNATURE,
        )
    _check_body(signed.request, signed.method, signed.extra.get("oauth_body_hash"))
    return Verified(signed.consumer_key, signed.token, signed.method, signed.timestamp, signed.nonce, signed.extra)


def _check_body(request: Request, method: str, claimed: str | None) -> None:
    if claimed is None:
        return
    if request.has_form:
        raise malformed("oauth_body_hash does not belong to a form, which is signed itself (Body Hash, section 3.1)")
    if not hmac.compare_digest(claimed.encode(), body_hash(request.body, method).encode()):
        raise InvalidSignature(
            "the body is not the one that was signed: oauth_body_hash differs", fault=Fault.BODY_HASH
        )
