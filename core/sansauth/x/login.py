"""Log in with X: the three-legged login of OAuth 1.0a in X's own words."""

from __future__ import annotations

import re
from typing import Literal

from sansauth.awaiting import AwaitingUser
from sansauth.callback import brought_back
from sansauth.effects import Operation, Steps, operation
from sansauth.env import Env
from sansauth.errors import InvalidParameter
from sansauth.identity import App
from sansauth.oauth1 import login as oauth1
from sansauth.oauth1.credentials import TokenCredentials
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.x.presets import X

__all__ = ["begin_login", "finish_login"]

_PIN = re.compile(r"[0-9\s\-\u2010-\u2015]*[0-9][0-9\s\-\u2010-\u2015]*")
_NO_DIGIT = re.compile(r"[^0-9]+")


@operation
def begin_login(
    app: App,
    callback: str = "oob",
    *,
    env: Env,
    provider: Provider = X,
    authenticate: bool = False,
    force_login: bool = False,
    screen_name: str | None = None,
    x_auth_access_type: Literal["read", "write"] | None = None,
) -> Steps[AwaitingUser]:
    """Begin a login; send the user to the result's `url` (X: POST oauth/request_token, GET oauth/authorize).

    `callback` is a URL registered for the application, exactly as registered, or "oob" for a PIN. `authenticate` takes
    the page that asks only who has not agreed before; X wants the other one for PINs. `force_login` asks for the
    password again, `screen_name` fills in the name, `x_auth_access_type` asks for less than the application may do.
    Raises `CallbackNotApproved` (403, code 415) for a callback that is not registered.
    """
    if x_auth_access_type not in {"read", "write", None}:
        raise InvalidParameter('x_auth_access_type is "read", "write" or None')
    return (
        yield from oauth1.begin_login(
            app,
            callback,
            provider=provider,
            env=env,
            page="authenticate" if authenticate else "authorize",
            request_parameters={"x_auth_access_type": x_auth_access_type},
            page_parameters={"force_login": True if force_login else None, "screen_name": screen_name},
        )
    )


def finish_login(
    app: App, awaiting: AwaitingUser, answer: str, *, env: Env, provider: Provider = X
) -> Operation[TokenCredentials]:
    """Finish a login with the callback's URL or query, or the PIN, in which dashes are forgiven.

    X: POST oauth/access_token. Gives the user's access token with their `user_id` and `screen_name`. Raises what
    `sansauth.oauth1.finish_login` does; a PIN that X does not accept is an `Unauthorized`, after which another may be
    tried.
    """
    return oauth1.finish_login(app, awaiting, _typed(answer), provider=provider, env=env)


def _typed(answer: str) -> Secret:
    # Here, not in `sansauth.oauth1`: X's PINs are digits, while the verifiers of other services may hold dashes.
    text = brought_back(answer)
    return Secret(_NO_DIGIT.sub("", text)) if _PIN.fullmatch(text) else text
