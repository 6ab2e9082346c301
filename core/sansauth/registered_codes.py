"""The error codes that RFCs define, and the exceptions they become for every provider.

A provider's own table comes first: X, for one, says `unauthorized_client` of a client that did not authenticate.
"""

from __future__ import annotations

from sansauth.errors import (
    ApiError,
    AuthorizationPending,
    InsufficientScope,
    InternalServerError,
    InvalidClient,
    InvalidGrant,
    InvalidOrExpiredToken,
    InvalidProof,
    InvalidScope,
    NonceRequired,
    ServiceUnavailable,
    SlowDown,
    UnauthorizedClient,
    UnsupportedGrant,
)

__all__ = ["REGISTERED"]

REGISTERED: dict[int | str, type[ApiError]] = {
    # RFC 6749 sections 4.1.2.1 and 5.2
    "invalid_client": InvalidClient,
    "invalid_grant": InvalidGrant,
    "invalid_scope": InvalidScope,
    "server_error": InternalServerError,
    "temporarily_unavailable": ServiceUnavailable,
    "unauthorized_client": UnauthorizedClient,
    "unsupported_grant_type": UnsupportedGrant,
    "unsupported_response_type": UnsupportedGrant,
    # RFC 6750 section 3.1
    "insufficient_scope": InsufficientScope,
    "invalid_token": InvalidOrExpiredToken,
    # RFC 7009 section 2.2.1
    "unsupported_token_type": UnsupportedGrant,
    # RFC 8628 section 3.5
    "authorization_pending": AuthorizationPending,
    "slow_down": SlowDown,
    # RFC 9449 sections 5 and 8
    "invalid_dpop_proof": InvalidProof,
    "use_dpop_nonce": NonceRequired,
}
