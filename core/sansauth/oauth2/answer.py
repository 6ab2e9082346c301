"""What a token endpoint answers: tokens, or a refusal; never rubbish taken for tokens (RFC 6749 section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from sansauth.errors import RemoteProtocolError
from sansauth.http import Request, Response
from sansauth.oauth2.app_only import success_object
from sansauth.provider import Provider
from sansauth.refusal import read_refusal
from sansauth.secret import Secret
from sansauth.tokens import OAuth2Tokens

__all__ = ["parse_tokens", "read_expires_in", "read_scopes"]

_USABLE = re.compile(r"[\x21-\x7E]+")  # RFC 6749 appendix A.12 and A.17; whatever stands here fits into a header
_TYPES = {"bearer": "Bearer", "dpop": "DPoP"}
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_LONGEST = 10**12  # seconds: what says that it lasts longer says nothing


def parse_tokens(
    response: Response,
    provider: Provider,
    *,
    now: float,
    request: Request | None = None,
    previous: OAuth2Tokens | None = None,
    asked: Iterable[str] | None = None,
    dpop_key: str | None = None,
) -> OAuth2Tokens:
    """Read tokens (RFC 6749 section 5.1). `now`, in Unix seconds, is when they were issued.

    `previous` are the tokens that were refreshed: what the answer leaves out (refresh token, scopes, id_token) stays as
    it was (section 6). `asked` are the scopes that were asked for; an answer without `scope` grants them. `dpop_key` is
    the private key that the request proved to have: the tokens must then be bound to it (RFC 9449 section 5).

    Raises the `ApiError` of a refusal, and `RemoteProtocolError` for a success that is none.
    """
    dpop_key = None if dpop_key is None else Secret(dpop_key)
    answer = success_object(response, provider, request=request)
    access, kind = _optional(answer.get("access_token")), _type(answer.get("token_type"))
    refresh, identity = _optional(answer.get("refresh_token")), _optional(answer.get("id_token"))
    life = read_expires_in(answer.get("expires_in"))
    scopes = read_scopes(answer.get("scope"))
    error = answer.get("error")
    refuses = isinstance(error, Secret) and error != ""
    del answer, error  # a traceback that shows the locals of its frames must not show a token in a place of its own
    if access is None and refuses:  # as GitHub does, with 200, in codes that no table has
        raise read_refusal(response, provider, request=request)
    if access is None:
        raise RemoteProtocolError(f"{provider.name} answered {response.status} without a usable access_token")
    if kind is None:
        raise RemoteProtocolError(
            f"{provider.name} answered {response.status} without a token_type that is known ({', '.join(_TYPES)})"
        )
    if (kind == "DPoP") != (dpop_key is not None):
        raise RemoteProtocolError(_unbound(provider, kind))
    if scopes is None:
        scopes = tuple(asked) if asked is not None else previous.scopes if previous is not None else None
    return OAuth2Tokens(
        access,
        token_type=kind,
        issued_at=now,
        expires_at=None if life is None else now + life,
        refresh_token=refresh or (previous.refresh_token if previous is not None else None),
        scopes=scopes,
        id_token=identity or (previous.id_token if previous is not None else None),
        dpop_key=dpop_key,
    )


def read_expires_in(value: object) -> float | None:
    """`expires_in` in seconds, as services really send it: int, float, their text; None for what says nothing.

    RFC 6749 section 5.1 makes it a recommendation, so that a life that is not known is no error. A token that is said
    to have expired already (0, or less) has: 0.
    """
    if isinstance(value, str) and _SECONDS.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not -_LONGEST <= value <= _LONGEST:  # NaN is not, and an int of any length bears it
        return None
    return max(float(value), 0.0)


def read_scopes(value: object) -> tuple[str, ...] | None:
    """Scopes as granted (RFC 6749 section 3.3); some services send a list, or commas. None if nothing is said."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split()) or None
    if isinstance(value, list):
        return tuple(str(one) for one in cast("list[object]", value) if isinstance(one, str) and one) or None
    return None


def _unbound(provider: Provider, kind: str) -> str:
    if kind == "DPoP":
        return f"{provider.name} issued a DPoP token for a request without a proof: to whose key would it be bound?"
    return (
        f"{provider.name} issued a {kind} token for a request with a DPoP proof; if it does not bind tokens to keys, "
        "leave dpop_bound_access_tokens out"
    )


def _type(value: object) -> str | None:
    return _TYPES.get(value.lower()) if isinstance(value, str) else None


def _optional(value: object) -> Secret | None:
    return value if isinstance(value, Secret) and _USABLE.fullmatch(value) else None
