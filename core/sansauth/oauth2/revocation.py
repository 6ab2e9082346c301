"""Take tokens back (RFC 7009)."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from sansauth.effects import Send, Steps, operation
from sansauth.encoding import Value
from sansauth.env import Env
from sansauth.errors import ApiError, InvalidParameter, SansauthError
from sansauth.http import Request, Response
from sansauth.identity import OAuth2Client
from sansauth.oauth2.bearing import issued_token
from sansauth.oauth2.client_auth import build_client_request
from sansauth.provider import Provider
from sansauth.refusal import read_refusal
from sansauth.tokens import OAuth2Tokens

__all__ = [
    "TokenHint",
    "build_revoke_request",
    "parse_revoked",
    "revoke",
    "revoke_tokens",
    "token_form",
]

TokenHint: TypeAlias = Literal["refresh_token", "access_token"]
"""What kind of token it is (RFC 7009 section 2.1). Some services, X among them, refuse a request that does not say it.

It is never guessed here: some look nowhere else, and answer a wrong one as if the token had been revoked.
"""


@operation
def revoke(
    client: OAuth2Client, token: str, *, provider: Provider, env: Env, hint: TokenHint | None = None
) -> Steps[None]:
    """Revoke one token (RFC 7009 section 2); a token that has ended already is revoked without complaint.

    Raises the `ApiError` of a refusal: `UnsupportedGrant` where tokens of this kind cannot be revoked,
    `MissingParameter` where the service wants a `hint`, `ServiceUnavailable` where the token may still live and the
    request should be sent again.
    """
    token = issued_token(token)
    request = build_revoke_request(client, token, provider=provider, env=env, hint=hint)
    response = yield from Send(request)
    parse_revoked(response, provider, request=request)


@operation
def revoke_tokens(client: OAuth2Client, tokens: OAuth2Tokens, *, provider: Provider, env: Env) -> Steps[None]:
    """Revoke the refresh token, which could fetch new access tokens, then the access token.

    The second is tried even if the first failed; the first failure is raised in the end. An access token that the
    service cannot revoke (RFC 7009 section 2.2.1) is none once the refresh token is: it ends by itself.
    """
    held: list[tuple[TokenHint, str | None]] = [
        ("refresh_token", tokens.refresh_token),
        ("access_token", tokens.access_token),
    ]
    failures: list[SansauthError] = []
    ended = False
    for hint, token in held:
        if token is not None:
            try:
                yield from revoke(client, token, provider=provider, env=env, hint=hint)
                ended = True
            except SansauthError as error:
                if not (ended and isinstance(error, ApiError) and "unsupported_token_type" in error.codes):
                    failures.append(error)
    try:
        if failures:
            raise failures[0]
    finally:
        del failures  # else the error, its traceback and this frame would keep each other


def build_revoke_request(
    client: OAuth2Client, token: str, *, provider: Provider, env: Env, hint: TokenHint | None = None
) -> Request:
    """Ask for a token's end (RFC 7009 section 2.1); the client authenticates as everywhere."""
    token = issued_token(token)
    return build_client_request(provider.endpoint("revocation"), token_form(token, hint), client, provider, env)


def parse_revoked(response: Response, provider: Provider, *, request: Request | None = None) -> None:
    """Raise unless the token has ended: a success is one whatever its body says (RFC 7009 section 2.2)."""
    if not (200 <= response.status < 300 or _ended_before(response, provider)):
        raise read_refusal(response, provider, request=request)


def _ended_before(response: Response, provider: Provider) -> bool:
    # Section 2.2 wants 200 of a token that is unknown by now; Google says 400 and this. A 401 is about the client.
    return response.status == 400 and "invalid_token" in read_refusal(response, provider).codes


def token_form(token: str, hint: TokenHint | None) -> list[tuple[str, Value]]:
    """A token and what kind it is, as revocation and introspection are sent them (RFC 7009, 2.1; RFC 7662, 2.1)."""
    if hint is not None and hint not in get_args(TokenHint):
        raise InvalidParameter(f"hint is one of {', '.join(get_args(TokenHint))}, or None")
    return [("token", token), ("token_type_hint", hint)]
