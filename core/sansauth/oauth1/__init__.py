"""OAuth 1.0a (RFC 5849): signing requests."""

from sansauth.oauth1.signer import base_string, sign

__all__ = ["base_string", "sign"]
