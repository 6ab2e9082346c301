"""OAuth 1.0a (RFC 5849): signing requests."""

from sansauth.oauth1.methods import body_hash
from sansauth.oauth1.signer import Signer, base_string, sign

__all__ = ["Signer", "base_string", "body_hash", "sign"]
