"""What clients do with the tokens of OAuth 2: log their user in, and take tokens over."""

from __future__ import annotations

from collections.abc import Iterable

from sansauth.awaiting import AwaitingUser, handed_in
from sansauth.callback import brought_back
from sansauth.effects import Steps, operation
from sansauth.encoding import Params
from sansauth.errors import WrongIdentity
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2.accounts import adopt, logout
from sansauth.oauth2.login import begin_login, finish_login
from sansauth.tokens import OAuth2Tokens
from sansauth_io._arguments import required
from sansauth_io._caller import Caller

__all__ = ["adopt_tokens", "begin_oauth2_login", "finish_oauth2_login", "log_out"]


@operation
def begin_oauth2_login(
    caller: Caller,
    /,
    scopes: Iterable[str],
    *,
    redirect_uri: str | None = None,
    parameters: Params | None = None,
    push: bool = False,
) -> Steps[AwaitingUser]:
    """Begin a login of this client's user by OAuth 2; see `sansauth.oauth2.begin_login`."""
    return (
        yield from begin_login(
            _user(caller).client,
            scopes,
            provider=caller.provider,
            env=caller.env,
            redirect_uri=redirect_uri,
            parameters=parameters,
            push=push,
        )
    )


@operation
def finish_oauth2_login(caller: Caller, /, awaiting: AwaitingUser, answer: str) -> Steps[OAuth2Tokens]:
    """Finish a login with the callback's URL, and store the user's tokens; see `sansauth.oauth2.finish_login`."""
    awaiting, answer = handed_in(awaiting), brought_back(answer)
    user = _user(caller)
    tokens = yield from finish_login(user.client, awaiting, answer, provider=caller.provider, env=caller.env)
    yield from adopt(user, tokens, caller.provider)
    return tokens


@operation
def adopt_tokens(caller: Caller, /, tokens: OAuth2Tokens) -> Steps[None]:
    """Store tokens that a login gave, or that were obtained elsewhere, as those of this client's user (OAuth 2)."""
    required("tokens", tokens, OAuth2Tokens)
    yield from adopt(_holder(caller, "adopted"), tokens, caller.provider)


@operation
def log_out(caller: Caller, /, *, revoke: bool = True) -> Steps[None]:
    """Revoke the stored tokens of this client's user and remove them (OAuth 2); see `sansauth.oauth2.logout`."""
    holder = _holder(caller, "revoked and removed")
    yield from logout(holder, provider=caller.provider, env=caller.env, revoke=revoke)


def _holder(caller: Caller, what: str) -> OAuth2User | OAuth2Client:
    if not isinstance(caller.identity, OAuth2User | OAuth2Client):
        kind = type(caller.identity).__name__
        raise WrongIdentity(f"tokens are {what} for an OAuth2User or an OAuth2Client, not for {kind}")
    return caller.identity


def _user(caller: Caller) -> OAuth2User:
    if not isinstance(caller.identity, OAuth2User):
        kind = type(caller.identity).__name__
        raise WrongIdentity(f"a login by OAuth 2 is an OAuth2User's; this client calls as {kind}")
    return caller.identity
