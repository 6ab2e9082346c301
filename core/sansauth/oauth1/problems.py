"""What services other than X say when they refuse a signature: OAuth Problem Reporting (wiki.oauth.net, 2009).

    Provider("Photos", "https://photos.example.net", errors=OAUTH_PROBLEMS, ...)

Jira, Yahoo, Magento and others answer `oauth_problem=signature_invalid`, in the body or in `WWW-Authenticate`.
"""

from __future__ import annotations

from sansauth.errors import (
    ApiError,
    CouldNotAuthenticate,
    Forbidden,
    InvalidOrExpiredToken,
    MissingParameter,
    TimestampOutOfRange,
)
from sansauth.provider import ErrorTable

__all__ = ["OAUTH_PROBLEMS"]

_TYPES: dict[int | str, type[ApiError]] = {
    "additional_authorization_required": Forbidden,
    "consumer_key_refused": CouldNotAuthenticate,
    "consumer_key_rejected": CouldNotAuthenticate,
    "consumer_key_unknown": CouldNotAuthenticate,
    "nonce_used": CouldNotAuthenticate,
    "parameter_absent": MissingParameter,
    "parameter_rejected": CouldNotAuthenticate,
    "permission_denied": Forbidden,
    "permission_unknown": Forbidden,
    "signature_invalid": CouldNotAuthenticate,
    "signature_method_rejected": CouldNotAuthenticate,
    "timestamp_refused": TimestampOutOfRange,
    "token_expired": InvalidOrExpiredToken,
    "token_rejected": InvalidOrExpiredToken,
    "token_revoked": InvalidOrExpiredToken,
    "token_used": InvalidOrExpiredToken,
    "user_refused": Forbidden,
    "version_rejected": CouldNotAuthenticate,
}

_HINTS: dict[int | str, str] = {
    "consumer_key_rejected": "Check that the consumer key is registered, and that its secret or RSA key belongs to it.",
    "consumer_key_unknown": "Check the consumer key, and that it is registered with this very service.",
    "nonce_used": "The request was sent twice, or the source of entropy repeats itself.",
    "permission_denied": "The user did not give the application this permission.",
    "signature_invalid": "Check the secrets or the RSA key; sansauth.oauth1.explain shows what was signed.",
    "signature_method_rejected": "Name the method that the service wants in Provider(signing=Signing(...)).",
    "timestamp_refused": "Check this machine's clock.",
    "token_expired": "The user has to log in again.",
    "token_rejected": "The token is unknown, revoked or expired; the user has to log in again.",
    "version_rejected": "Leave oauth_version out: Provider(signing=Signing(version=None)).",
}

OAUTH_PROBLEMS = ErrorTable(_TYPES, _HINTS)
"""The error table of a service that reports problems so."""
