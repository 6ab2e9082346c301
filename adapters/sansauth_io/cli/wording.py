"""Errors in the command line's own words: what to check is a variable or a flag here, and no argument in Python."""

from __future__ import annotations

import dataclasses

from sansauth.errors import (
    ApiError,
    BadAuthenticationData,
    ForeignHost,
    InsecureTransport,
    InvalidCallback,
    SansauthError,
    TokenNotInvalidated,
    UnsupportedAuthentication,
)

__all__ = ["worded"]

# Of a refusal by the service, the hint; of an error on this side, all of it.
_WORDS: dict[type[SansauthError], str] = {
    BadAuthenticationData: "No credentials were recognised; check the X_... variables, and --as.",
    ForeignHost: (
        "the URL is of another host than the provider's, and credentials do not go there; none were sent. "
        "A path such as /2/users/me goes to X, or to --base-url."
    ),
    InsecureTransport: "credentials go over plain http to this machine only; use https.",
    InvalidCallback: (
        "what came back is no answer to this login; it is the whole URL at which the browser ends, with state and code."
    ),
    TokenNotInvalidated: (
        "Its application's owner can invalidate it: set the owner's X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET."
    ),
    UnsupportedAuthentication: "Call as another kind: --as user, --as app or --as bearer.",
}


def worded(error: SansauthError) -> str:
    """The error's line on stderr."""
    kind, words = type(error), _WORDS.get(type(error))
    if words is None:
        return f"{kind.__name__}: {error}"
    if isinstance(error, ApiError):
        return f"{kind.__name__}: {type(error)(dataclasses.replace(error.refusal, hint=words))}"
    return f"{kind.__name__}: {words}"
