"""X as a provider: endpoints, hosts, and what its error codes mean.

Sources: X's documentation (authentication/api-reference, application-only; response codes and errors, as published
until 2025-06) and, for codes missing there, reports of the wild.
"""

from __future__ import annotations

from sansauth.errors import (
    AccountLocked,
    AccountSuspended,
    AlreadyFavorited,
    AlreadyRetweeted,
    ApiError,
    BadAuthenticationData,
    CallbackNotApproved,
    ClientForbidden,
    CouldNotAuthenticate,
    CreditsDepleted,
    DuplicateStatus,
    Forbidden,
    InternalServerError,
    InvalidClient,
    InvalidGrant,
    InvalidOrExpiredToken,
    MissingParameter,
    NotFound,
    ServiceUnavailable,
    TimestampOutOfRange,
    TokenNotInvalidated,
    TooManyRequests,
    UnableToVerifyCredentials,
    UnsupportedAuthentication,
    UsageCapExceeded,
)
from sansauth.provider import Endpoints, ErrorTable, Provider, Quirks

__all__ = ["TWITTER", "X"]

_TYPES: dict[int | str, type[ApiError]] = {
    32: CouldNotAuthenticate,
    34: NotFound,
    38: MissingParameter,
    64: AccountSuspended,
    87: Forbidden,
    88: TooManyRequests,
    89: InvalidOrExpiredToken,
    99: UnableToVerifyCredentials,
    130: ServiceUnavailable,
    131: InternalServerError,
    135: TimestampOutOfRange,
    139: AlreadyFavorited,
    170: MissingParameter,
    187: DuplicateStatus,
    215: BadAuthenticationData,
    220: UnsupportedAuthentication,
    326: AccountLocked,
    327: AlreadyRetweeted,
    348: TokenNotInvalidated,
    415: CallbackNotApproved,
    "client-forbidden": ClientForbidden,
    "credits": CreditsDepleted,
    "rate-limit-exceeded": TooManyRequests,
    "unauthorized_client": InvalidClient,  # of a client that did not authenticate, or with a wrong secret
    "unsupported-authentication": UnsupportedAuthentication,
    "usage-capped": UsageCapExceeded,
}

_WHICH_CLIENT = (
    "Check the OAuth 2 client id and secret (they are not the API key and secret), and that the client is of the type "
    "that the console says: confidential with a secret, public without."
)
_HINTS: dict[int | str, str] = {
    32: "Check that key, secret and token belong together, and that what is signed is what is sent.",
    89: "The token was revoked, invalidated or regenerated; get a new one.",
    99: (
        "Check the consumer key and secret (API key and secret, not the OAuth 2 client id and secret), and that a "
        "token to invalidate is this application's and still valid."
    ),
    135: "Check this machine's clock.",
    170: "The body must be form-encoded and hold every required parameter.",
    215: "No credentials were recognised; check the Authorization header.",
    348: "Invalidate it as the application's owner: pass an OAuth1User instead of an App.",
    415: "Register this exact callback URL in the developer console, scheme and trailing slash included.",
    "client-forbidden": "Attach the application to a project or package that includes this endpoint.",
    "credits": "The account has no credits left.",
    "invalid_client": _WHICH_CLIENT,
    "unauthorized_client": _WHICH_CLIENT,
    "oauth1-permissions": "Give the application this permission in the developer console, then renew the access token.",
    "usage-capped": "The cap lasts until its period ends; waiting for the rate limit does not help.",
}

_DESCRIBED: dict[int | str, dict[str, type[ApiError]]] = {
    # What OAuth 2 at X says of almost everything.
    "invalid_request": {
        r"(?i)value passed for the (?:authorization code|token) was invalid": InvalidGrant,
        r"(?i)missing required parameter": MissingParameter,
    },
}

X = Provider(
    name="X",
    base_url="https://api.x.com",
    endpoints=Endpoints(
        app_token="https://api.x.com/oauth2/token",
        invalidate_app_token="https://api.x.com/oauth2/invalidate_token",
        request_token="https://api.x.com/oauth/request_token",
        authorize="https://api.x.com/oauth/authorize",
        authenticate="https://api.x.com/oauth/authenticate",
        access_token="https://api.x.com/oauth/access_token",
        invalidate_access_token="https://api.x.com/1.1/oauth/invalidate_token",
        authorization="https://x.com/i/oauth2/authorize",
        token="https://api.x.com/2/oauth2/token",
        revocation="https://api.x.com/2/oauth2/revoke",
    ),
    origins=("https://api.twitter.com", "https://upload.x.com", "https://upload.twitter.com"),
    errors=ErrorTable(_TYPES, _HINTS, _DESCRIBED),
    rate_limit_headers={
        "window": "x-rate-limit",
        "app-24hour": "x-app-limit-24hour",
        "user-24hour": "x-user-limit-24hour",
        "app-window": "x-app-rate-limit",
        "media": "x-mediaratelimit",
    },
    transaction_headers=("x-transaction-id", "x-transaction", "x-request-id"),
    quirks=Quirks(
        client_id_in_body=True,  # reports differ on whether a confidential client needs it; it never harms
        # What X says of a refresh token that is dead; of a missing parameter it says `invalid_request` too.
        dead_refresh={"invalid_grant": "", "invalid_request": r"(?i)value passed for the token was invalid"},
    ),
)
"""api.x.com, the default; credentials may also go to X's upload hosts and to its former name."""

TWITTER = Provider(
    name="Twitter",
    base_url="https://api.twitter.com",
    endpoints=Endpoints(
        app_token="https://api.twitter.com/oauth2/token",
        invalidate_app_token="https://api.twitter.com/oauth2/invalidate_token",
        request_token="https://api.twitter.com/oauth/request_token",
        authorize="https://api.twitter.com/oauth/authorize",
        authenticate="https://api.twitter.com/oauth/authenticate",
        access_token="https://api.twitter.com/oauth/access_token",
        invalidate_access_token="https://api.twitter.com/1.1/oauth/invalidate_token",
        authorization="https://twitter.com/i/oauth2/authorize",
        token="https://api.twitter.com/2/oauth2/token",
        revocation="https://api.twitter.com/2/oauth2/revoke",
    ),
    origins=("https://upload.twitter.com",),
    errors=X.errors,
    rate_limit_headers=X.rate_limit_headers,
    transaction_headers=X.transaction_headers,
    quirks=X.quirks,
)
"""api.twitter.com, the host of the original Ruby gem."""
