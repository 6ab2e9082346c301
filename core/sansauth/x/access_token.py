"""A user's access token: take it back."""

from __future__ import annotations

from sansauth.effects import Steps, operation
from sansauth.env import Env
from sansauth.errors import WrongIdentity
from sansauth.http import Request, build_request
from sansauth.identity import OAuth1User
from sansauth.oauth1.unsigned import Unsigned
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.x.bearer_token import parse_invalidated_token
from sansauth.x.presets import X

__all__ = ["build_invalidate_access_token_request", "invalidate_access_token"]


@operation
def invalidate_access_token(user: OAuth1User, *, env: Env, provider: Provider = X) -> Steps[Secret]:
    """Invalidate the OAuth 1.0a access token that `user` holds (X: POST 1.1/oauth/invalidate_token); gives the token.

    The token signs its own end. Afterwards calls with it, and another invalidation, raise `InvalidOrExpiredToken`
    (401, code 89). An application's bearer token is invalidated by `invalidate_token`.
    """
    asked = _ask(user, provider)
    exchange = yield from asked.sent(provider=provider, env=env)
    return parse_invalidated_token(exchange.response, provider, request=exchange.request)


def build_invalidate_access_token_request(user: OAuth1User, *, provider: Provider, env: Env) -> Request:
    """Ask to invalidate the access token that signs the request; `parse_invalidated_token` reads the answer."""
    return _ask(user, provider).signed(provider=provider, env=env)


def _ask(user: OAuth1User, provider: Provider) -> Unsigned:
    if not isinstance(user, OAuth1User):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
        raise WrongIdentity(f"the token of a user is invalidated by an OAuth1User, not by a {type(user).__name__}")
    url = provider.endpoint("invalidate_access_token")
    return Unsigned(build_request("POST", url, headers={"accept": "*/*"}), user)
