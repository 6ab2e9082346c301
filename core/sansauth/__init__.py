"""sansauth decides what to send and what an answer means; sansauth_io does the sending.

    from sansauth import App, Flow, Response
    from sansauth.x import token

    flow = Flow(token(App("CK", "CS")))
    flow.request                       # send it however you like
    flow.receive(Response(200, ...))   # what came back
    flow.result                        # the token, a Secret

Names are imported on first use (PEP 562), so that importing one does not pay for all.
"""

from __future__ import annotations

from sansauth._version import __version__

# Not imported from typing, which would take most of the time of `import sansauth`; type checkers know it by its name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from sansauth.awaiting import AwaitingUser
    from sansauth.effects import (
        Effect,
        Exclusive,
        Load,
        Operation,
        Save,
        Send,
        Sleep,
        Steps,
        Stored,
        Timeouts,
        operation,
    )
    from sansauth.env import Env
    from sansauth.flow import Flow, State
    from sansauth.http import Headers, Request, Response, build_request
    from sansauth.identity import App, Bearer, Identity, OAuth1User, OAuth2Client, OAuth2User
    from sansauth.paging import DEFAULT_CURSOR
    from sansauth.provider import Endpoints, ErrorTable, Provider, Quirks, Signing
    from sansauth.ratelimit import RateLimit
    from sansauth.secret import Secret
    from sansauth.tokens import OAuth2Tokens

__all__ = [
    "DEFAULT_CURSOR",
    "App",
    "AwaitingUser",
    "Bearer",
    "Effect",
    "Endpoints",
    "Env",
    "ErrorTable",
    "Exclusive",
    "Flow",
    "Headers",
    "Identity",
    "Load",
    "OAuth1User",
    "OAuth2Client",
    "OAuth2Tokens",
    "OAuth2User",
    "Operation",
    "Provider",
    "Quirks",
    "RateLimit",
    "Request",
    "Response",
    "Save",
    "Secret",
    "Send",
    "Signing",
    "Sleep",
    "State",
    "Steps",
    "Stored",
    "Timeouts",
    "__version__",
    "build_request",
    "operation",
]

_HOMES = {
    "awaiting": ("AwaitingUser",),
    "effects": (
        "Effect", "Exclusive", "Load", "Operation", "Save", "Send", "Sleep", "Steps", "Stored", "Timeouts", "operation",
    ),
    "env": ("Env",),
    "flow": ("Flow", "State"),
    "http": ("Headers", "Request", "Response", "build_request"),
    "identity": ("App", "Bearer", "Identity", "OAuth1User", "OAuth2Client", "OAuth2User"),
    "paging": ("DEFAULT_CURSOR",),
    "provider": ("Endpoints", "ErrorTable", "Provider", "Quirks", "Signing"),
    "ratelimit": ("RateLimit",),
    "secret": ("Secret",),
    "tokens": ("OAuth2Tokens",),
}  # fmt: skip
# Type checkers let `sansauth.errors.Unauthorized` pass after `import sansauth`, so it has to work.
_ROOMS = ("errors", "oauth1", "oauth2", "testing", "x")
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _HOME:
        value: object = getattr(import_module(f"sansauth.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return import_module(f"sansauth.{name}")
    raise AttributeError(f"module 'sansauth' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
