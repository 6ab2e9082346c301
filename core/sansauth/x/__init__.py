"""X, formerly Twitter: its presets and its own operations."""

from sansauth._lazy import imported_on_use
from sansauth.x.bearer_token import bearer_token, invalidate_token, token
from sansauth.x.presets import TWITTER, X

# Whoever fetches a bearer token does not pay for what logging users in needs.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from sansauth.x.access_token import invalidate_access_token
    from sansauth.x.echo import echo_headers, echo_request, verify_echo
    from sansauth.x.login import begin_login, finish_login
    from sansauth.x.reverse_auth import reverse_access_token, reverse_token
    from sansauth.x.webhooks import crc_response, verify_webhook
else:
    __getattr__, __dir__ = imported_on_use(
        __name__,
        {
            "access_token": ("invalidate_access_token",),
            "echo": ("echo_headers", "echo_request", "verify_echo"),
            "login": ("begin_login", "finish_login"),
            "reverse_auth": ("reverse_access_token", "reverse_token"),
            "webhooks": ("crc_response", "verify_webhook"),
        },
    )

__all__ = [
    "TWITTER",
    "X",
    "bearer_token",
    "begin_login",
    "crc_response",
    "echo_headers",
    "echo_request",
    "finish_login",
    "invalidate_access_token",
    "invalidate_token",
    "reverse_access_token",
    "reverse_token",
    "token",
    "verify_echo",
    "verify_webhook",
]
