"""OAuth 2 (RFC 6749): pairs of build and parse functions, and the operations made of them."""

from __future__ import annotations

from sansauth._lazy import imported_on_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sansauth.oauth2.accounts import adopt, logout
    from sansauth.oauth2.answer import parse_tokens, tokens_of
    from sansauth.oauth2.assertion import bearer_assertion, client_assertion
    from sansauth.oauth2.client_auth import build_client_request
    from sansauth.oauth2.device import AwaitingDevice, begin_device_login, finish_device_login
    from sansauth.oauth2.dpop import DPoPKey, proof, send_with_proof, with_proof
    from sansauth.oauth2.grants import (
        build_token_request,
        client_credentials,
        client_credentials_grant,
        code_grant,
        exchange_code,
        exchange_token,
        grant_by_jwt,
        jwt_grant,
        refresh,
        refresh_grant,
        request_tokens,
        require_scopes,
        token_exchange_grant,
    )
    from sansauth.oauth2.id_token import Claims, validate_id_token, verify_id_token
    from sansauth.oauth2.introspection import Introspection, introspect
    from sansauth.oauth2.jwks import Jwks
    from sansauth.oauth2.lifecycle import oauth2_tokens
    from sansauth.oauth2.login import begin_login, finish_login
    from sansauth.oauth2.metadata import discover
    from sansauth.oauth2.registration import Registered, register
    from sansauth.oauth2.revocation import revoke, revoke_tokens
    from sansauth.oauth2.userinfo import UserInfo, fetch_userinfo
else:
    __getattr__, __dir__ = imported_on_use(
        __name__,
        {
            "answer": ("parse_tokens", "tokens_of"),
            "assertion": ("bearer_assertion", "client_assertion"),
            "client_auth": ("build_client_request",),
            "device": ("AwaitingDevice", "begin_device_login", "finish_device_login"),
            "dpop": ("DPoPKey", "proof", "send_with_proof", "with_proof"),
            "grants": (
                "build_token_request",
                "client_credentials",
                "client_credentials_grant",
                "code_grant",
                "exchange_code",
                "exchange_token",
                "grant_by_jwt",
                "jwt_grant",
                "refresh",
                "refresh_grant",
                "request_tokens",
                "require_scopes",
                "token_exchange_grant",
            ),
            "id_token": ("Claims", "validate_id_token", "verify_id_token"),
            "introspection": ("Introspection", "introspect"),
            "jwks": ("Jwks",),
            "accounts": ("adopt", "logout"),
            "lifecycle": ("oauth2_tokens",),
            "login": ("begin_login", "finish_login"),
            "metadata": ("discover",),
            "registration": ("Registered", "register"),
            "revocation": ("revoke", "revoke_tokens"),
            "userinfo": ("UserInfo", "fetch_userinfo"),
        },
    )

__all__ = [
    "AwaitingDevice",
    "Claims",
    "DPoPKey",
    "Introspection",
    "Jwks",
    "Registered",
    "UserInfo",
    "adopt",
    "bearer_assertion",
    "begin_device_login",
    "begin_login",
    "build_client_request",
    "build_token_request",
    "client_assertion",
    "client_credentials",
    "client_credentials_grant",
    "code_grant",
    "discover",
    "exchange_code",
    "exchange_token",
    "fetch_userinfo",
    "finish_device_login",
    "finish_login",
    "grant_by_jwt",
    "introspect",
    "jwt_grant",
    "logout",
    "oauth2_tokens",
    "parse_tokens",
    "proof",
    "refresh",
    "refresh_grant",
    "register",
    "request_tokens",
    "require_scopes",
    "revoke",
    "revoke_tokens",
    "send_with_proof",
    "token_exchange_grant",
    "tokens_of",
    "validate_id_token",
    "verify_id_token",
    "with_proof",
]
