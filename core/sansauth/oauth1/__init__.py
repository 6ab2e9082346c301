"""OAuth 1.0a (RFC 5849): signing requests, and logging users in."""

from __future__ import annotations

from sansauth._lazy import imported_on_use
from sansauth.oauth1.methods import body_hash
from sansauth.oauth1.signer import Signer, base_string, sign

# What logging users in, and explaining, needs is more than what signing does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from sansauth.oauth1.credentials import TokenCredentials
    from sansauth.oauth1.explaining.authorization import read_authorization
    from sansauth.oauth1.explaining.curl import read_curl
    from sansauth.oauth1.explaining.explainer import explain
    from sansauth.oauth1.explaining.explanation import Explanation, Finding
    from sansauth.oauth1.login import begin_login, finish_login
    from sansauth.oauth1.password import xauth
    from sansauth.oauth1.problems import OAUTH_PROBLEMS
    from sansauth.oauth1.received import SignedRequest, read_signed
    from sansauth.oauth1.verification import Fault, Nonce, Secrets, Verified, check, verify
else:
    __getattr__, __dir__ = imported_on_use(
        __name__,
        {
            "credentials": ("TokenCredentials",),
            "explaining.authorization": ("read_authorization",),
            "explaining.curl": ("read_curl",),
            "explaining.explainer": ("explain",),
            "explaining.explanation": ("Explanation", "Finding"),
            "login": ("begin_login", "finish_login"),
            "password": ("xauth",),
            "problems": ("OAUTH_PROBLEMS",),
            "received": ("SignedRequest", "read_signed"),
            "verification": ("Fault", "Nonce", "Secrets", "Verified", "check", "verify"),
        },
    )

__all__ = [
    "OAUTH_PROBLEMS",
    "Explanation",
    "Fault",
    "Finding",
    "Nonce",
    "Secrets",
    "SignedRequest",
    "Signer",
    "TokenCredentials",
    "Verified",
    "base_string",
    "begin_login",
    "body_hash",
    "check",
    "explain",
    "finish_login",
    "read_authorization",
    "read_curl",
    "read_signed",
    "sign",
    "verify",
    "xauth",
]
