"""Who the user is, asked with their access token (OpenID Connect Core 1.0 section 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from sansauth.effects import Send, Steps, operation
from sansauth.errors import RemoteProtocolError
from sansauth.http import Request, Response, build_request
from sansauth.oauth2.app_only import success_object
from sansauth.oauth2.bearing import bear, issued_token
from sansauth.provider import Provider

__all__ = ["UserInfo", "build_userinfo_request", "fetch_userinfo", "parse_userinfo"]


@dataclass(frozen=True, slots=True)
class UserInfo:
    """What the service tells of a user: `sub`, which names them for ever, and all claims by name (section 5.1).

    The claims are no part of the repr: they are a person's data.
    """

    sub: str
    claims: Mapping[str, object] = field(default_factory=dict[str, object], hash=False, repr=False)


@operation
def fetch_userinfo(access_token: str, *, provider: Provider, subject: str | None = None) -> Steps[UserInfo]:
    """Ask who the user of an access token is.

    `subject` is the `sub` of the id_token that came with it: an answer of another user is a `RemoteProtocolError`
    (section 5.3.4). Raises the `ApiError` of a refusal: `InvalidOrExpiredToken`, `InsufficientScope`.

    A token that is bound to a key (DPoP) is of no use here: call the endpoint as its `OAuth2User`,
    which also refreshes, and read the answer by `parse_userinfo`.
    """
    access_token = issued_token(access_token)
    request = build_userinfo_request(access_token, provider=provider)
    response = yield from Send(request)
    return parse_userinfo(response, provider, request=request, subject=subject)


def build_userinfo_request(access_token: str, *, provider: Provider) -> Request:
    """Ask with the token in the header (section 5.3.1)."""
    request = build_request("GET", provider.endpoint("userinfo"), headers={"accept": "application/json"})
    return provider.admit(bear(request, access_token))


def parse_userinfo(
    response: Response, provider: Provider, *, request: Request | None = None, subject: str | None = None
) -> UserInfo:
    """Read the claims (sections 5.3.2 and 5.3.4)."""
    if response.media_type == "application/jwt" and 200 <= response.status < 300:
        raise RemoteProtocolError(
            f"{provider.name} answered {response.status} with a JWT, which is not read here: register the client "
            "without userinfo_signed_response_alg, or take the claims from the id_token"
        )
    answer = success_object(response, provider, request=request)
    sub = answer.get("sub")
    if not isinstance(sub, str) or not sub:
        raise RemoteProtocolError(f"{provider.name} answered {response.status} without sub: whose claims are these?")
    if subject is not None and sub != subject:
        raise RemoteProtocolError(f"{provider.name} answered with the claims of another user than the id_token's")
    return UserInfo(str(sub), cast("dict[str, object]", response.json()))  # again: claims are no secrets
