"""What a token endpoint answers: tokens, or a refusal; never rubbish taken for tokens (RFC 6749 section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import cast

from sansauth.errors import InvalidParameter, RemoteProtocolError
from sansauth.http import Request, Response
from sansauth.oauth2.app_only import success_object
from sansauth.provider import Provider
from sansauth.refusal import read_refusal
from sansauth.secret import Secret
from sansauth.tokens import OAuth2Tokens

__all__ = ["parse_tokens", "read_expires_in", "read_scopes", "tokens_of"]

_USABLE = re.compile(r"[\x21-\x7E]+")  # whatever stands here fits into a header (RFC 6749 appendix A.12)
_TYPES = {"bearer": "Bearer", "dpop": "DPoP"}
NO_ACCESS_TOKEN = "N_A"  # RFC 8693 section 2.2.1: what was issued is no access token
_KNOWN = frozenset(
    {"access_token", "token_type", "expires_in", "expires_at", "refresh_token", "scope", "id_token", "error"}
)
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

    `previous` are the tokens that were refreshed: what the answer leaves out (refresh token, scopes, id_token, ...)
    stays as it was (section 6). `asked` are the scopes that were asked for; an answer without `scope` grants them.
    `dpop_key` is the private key that the request proved to have: the tokens must then be bound to it (RFC 9449 section
    5). Raises the `ApiError` of a refusal, and `RemoteProtocolError` for a success that is none.
    """
    dpop_key = None if dpop_key is None else Secret(dpop_key)
    answer = success_object(response, provider, request=request)
    if "error" in answer and _refuses(answer):  # as GitHub does, with 200, in codes that no table has
        del answer
        raise read_refusal(response, provider, request=request)
    tokens = _read(answer, provider.quirks.token_types, now, previous=previous, asked=asked, dpop_key=dpop_key)
    if isinstance(tokens, str):
        del answer
        raise RemoteProtocolError(f"{provider.name} answered {response.status} {tokens}")
    return tokens


def tokens_of(answer: Mapping[str, object], *, now: float, dpop_key: str | None = None) -> OAuth2Tokens:
    """Tokens that another library holds as the members of a token answer, to be adopted.

    `now`, in Unix seconds, is when they were issued, as far as it is known; `expires_at`, which such libraries add,
    goes before `expires_in`. `InvalidParameter` for what are no tokens.
    """
    dpop_key = None if dpop_key is None else Secret(dpop_key)
    members = {name: Secret(value) if isinstance(value, str) else value for name, value in answer.items()}
    del answer
    tokens = _read({"token_type": "Bearer"} | members, {}, now, previous=None, asked=None, dpop_key=dpop_key)
    ends = members.get("expires_at")
    del members
    if isinstance(tokens, str):
        raise InvalidParameter(f"these are tokens {tokens}")
    ends = read_expires_in(ends)
    return tokens if ends is None else replace(tokens, expires_at=ends)


def _read(
    answer: Mapping[str, object],
    types: Mapping[str, str],
    now: float,
    *,
    previous: OAuth2Tokens | None,
    asked: Iterable[str] | None,
    dpop_key: Secret | None,
) -> OAuth2Tokens | str:
    """The tokens, or what is wrong with them: raised by the caller, so that no traceback leads here."""
    access, kind = _token(answer.get("access_token")), _type(answer.get("token_type"), types)
    if access is None:
        return "without a usable access_token"
    if kind is None:
        return f"without a token_type that is known ({', '.join(_TYPES)})"
    if (kind == "DPoP") != (dpop_key is not None):
        return _unbound(kind)
    life, scopes = read_expires_in(answer.get("expires_in")), read_scopes(answer.get("scope"))
    if scopes is None:
        scopes = tuple(asked or ()) or (previous.scopes if previous is not None else None)
    return OAuth2Tokens(
        access,
        token_type=kind,
        issued_at=now,
        expires_at=None if life is None else now + life,
        refresh_token=_refresh_token(answer.get("refresh_token"))
        or (previous.refresh_token if previous is not None else None),
        scopes=scopes,
        id_token=_token(answer.get("id_token")) or (previous.id_token if previous is not None else None),
        dpop_key=dpop_key,
        further=_further(answer, previous),
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
    """Scopes as granted (RFC 6749 section 3.3), () for none; None if nothing is said. Some send a list, or commas."""
    if isinstance(value, str):
        spaced = value.replace(", ", " ")
        return tuple((spaced if " " in spaced else spaced.replace(",", " ")).split())
    if isinstance(value, list):
        named = tuple(str(one) for one in cast("list[object]", value) if isinstance(one, str) and one)
        return named if named or not value else None
    return None


def _further(answer: Mapping[str, object], previous: OAuth2Tokens | None) -> dict[str, object]:
    further = {} if answer.keys() <= _KNOWN else {name: value for name, value in answer.items() if name not in _KNOWN}
    return further if previous is None else {**previous.further, **further}


def _refuses(answer: Mapping[str, object]) -> bool:
    error = answer["error"]
    return isinstance(error, Secret) and error != "" and _token(answer.get("access_token")) is None


def _unbound(kind: str) -> str:
    if kind == "DPoP":
        return "with a DPoP token to a request without a proof: to whose key would it be bound?"
    return (
        f"with a {kind} token to a request with a DPoP proof; if it does not bind tokens to keys, leave "
        "dpop_bound_access_tokens out"
    )


def _type(value: object, types: Mapping[str, str]) -> str | None:
    said = "" if value is None else value
    if not isinstance(said, str):
        return None
    return types.get(str(said)) or (NO_ACCESS_TOKEN if said.upper() == NO_ACCESS_TOKEN else _TYPES.get(said.lower()))


def _token(value: object) -> Secret | None:
    return value if isinstance(value, Secret) and _USABLE.fullmatch(value) else None


def _refresh_token(value: object) -> Secret | None:
    # It may hold spaces (RFC 6749 appendix A.17), and is sent in a form, which holds anything.
    return value if isinstance(value, Secret) and value.isprintable() and value.strip() else None
