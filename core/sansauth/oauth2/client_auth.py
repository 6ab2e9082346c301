"""How an OAuth 2 client shows who it is: one way per client, at every endpoint alike (RFC 6749 section 2.3).

Token, revocation, introspection, pushed and device requests are all built here, so that a client that exchanges a code
by one method cannot refresh by another.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable

from sansauth.encoding import Value, encode, quote
from sansauth.env import Env
from sansauth.http import FORM, Headers, Request
from sansauth.identity import OAuth2Client
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.url import parse_url

__all__ = ["JWT_BEARER_ASSERTION", "build_client_request", "client_basic"]

_HEADERS = Headers({"accept": "application/json", "content-type": FORM})
_parsed = functools.lru_cache(maxsize=64)(parse_url)  # endpoints: a handful, and no secret in them
JWT_BEARER_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def build_client_request(
    url: str, form: Iterable[tuple[str, Value]], client: OAuth2Client, provider: Provider, env: Env
) -> Request:
    """A form sent by a client that authenticates; None among the values leaves a parameter out.

    "none" and "client_secret_post" stand in the form (RFC 6749 section 2.3.1), "client_secret_basic" in the header,
    "client_secret_jwt" and "private_key_jwt" are an assertion in the form (RFC 7523 section 2.2; extra `jose`).
    """
    fields = list(form)
    headers = _HEADERS
    identified: list[tuple[str, Value]] = [("client_id", client.client_id)]
    match client.auth:
        case "client_secret_basic":
            headers = headers.replacing_checked("authorization", client_basic(client, provider))
            identified = identified if provider.quirks.client_id_in_body else []
        case "client_secret_post":
            identified.append(("client_secret", client.client_secret))
        case "client_secret_jwt" | "private_key_jwt":
            from sansauth.oauth2.assertion import client_assertion  # PyJWT and cryptography, for those who need them

            identified.append(("client_assertion_type", JWT_BEARER_ASSERTION))
            identified.append(("client_assertion", client_assertion(client, provider, env, url)))
        case _:
            pass
    present = {name for name, _ in fields}  # a pushed request has its client_id among its own parameters
    fields += [(name, value) for name, value in identified if name not in present]
    return provider.admit(Request("POST", _parsed(url), headers, encode(fields).encode()))


def client_basic(client: OAuth2Client, provider: Provider) -> str:
    """Basic with client id and secret, each form-encoded first unless the provider wants them raw (RFC 6749, 2.3.1)."""
    pair = (client.client_id, client.client_secret or "")
    if not provider.quirks.raw_basic:
        pair = (quote(pair[0]), quote(pair[1]))
    return Secret("Basic " + base64.b64encode(":".join(pair).encode()).decode())
