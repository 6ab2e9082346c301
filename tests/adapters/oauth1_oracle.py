"""oauthlib's server side as the judge of signatures, on nothing but the bytes that came over the wire."""

from __future__ import annotations

from typing import Any

from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

from sansauth.identity import OAuth1User

from .hostile_server import Recorded


class _Permissive(RequestValidator):
    """Objects to nothing but the signature and unknown keys."""

    enforce_ssl = False
    timestamp_lifetime = 10**12
    dummy_client = "nobody"

    def __init__(self, user: OAuth1User) -> None:
        super().__init__()
        self._user = user

    def check_client_key(self, client_key: str) -> bool:
        return True

    def check_nonce(self, nonce: str) -> bool:
        return True

    def check_access_token(self, request_token: str) -> bool:
        return True

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == self._user.app.consumer_key

    def validate_timestamp_and_nonce(self, *args: Any, **kwargs: Any) -> bool:
        return True

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return self._user.app.consumer_secret

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return self._user.access_token_secret


def accepts(recorded: Recorded, user: OAuth1User, *, scheme: str = "http") -> bool:
    """Whether oauthlib's server accepts the request as this user's."""
    headers = {"Authorization": recorded.one("authorization")}
    if kinds := recorded.all("content-type"):
        (kind,) = kinds
        # oauthlib looks for the lower-case text; RFC 9110 section 8.3.1 does not mind the case.
        headers["Content-Type"] = kind.lower()
    url = f"{scheme}://{recorded.one('host')}{recorded.target}"
    endpoint = SignatureOnlyEndpoint(_Permissive(user))
    valid, judged = endpoint.validate_request(url, recorded.method, recorded.body.decode("latin-1"), headers)
    return bool(valid) and judged.resource_owner_key == user.access_token
