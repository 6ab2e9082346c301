"""OAuth Echo: let a third party ask X who the user is, by a request that was signed for exactly that question.

The consumer, who holds the user's token, signs a GET of X's `verify_credentials` and hands it to the delegator in two
headers. The delegator sends it, and learns from X's answer whom the consumer acts for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from sansauth.effects import Send, Steps, operation
from sansauth.env import Env
from sansauth.errors import ForeignHost, LocalProtocolError, RemoteProtocolError, WrongIdentity
from sansauth.http import HeaderFields, Headers, Request, Response
from sansauth.identity import OAuth1User
from sansauth.oauth1.unsigned import Unsigned
from sansauth.provider import Provider
from sansauth.refusal import read_refusal, refuse_codes
from sansauth.secret import Secret
from sansauth.url import Url, parse_url
from sansauth.x.presets import X

__all__ = ["AUTHORIZATION", "SERVICE_PROVIDER", "echo_headers", "echo_request", "verify_echo"]

SERVICE_PROVIDER = "x-auth-service-provider"
AUTHORIZATION = "x-verify-credentials-authorization"

_VERIFY_CREDENTIALS = "/1.1/account/verify_credentials.json"
_SCHEME = "oauth "


def echo_headers(user: OAuth1User, *, env: Env, provider: Provider = X, url: str | None = None) -> Headers:
    """The two headers that a consumer adds to its request to the delegator.

    `url` is what the delegator shall GET, signed with its query; by default the provider's `verify_credentials.json`.
    The signature holds for as long as X takes its timestamp: make the headers when they are needed. Raises
    `ForeignHost` for a URL that is not the provider's.
    """
    if not isinstance(user, OAuth1User):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
        raise WrongIdentity(f"OAuth Echo says who a user is: pass an OAuth1User, not {type(user).__name__}")
    in_header = dataclasses.replace(provider, signing=dataclasses.replace(provider.signing, placement="header"))
    asked = Unsigned(Request("GET", provider.url(url or _VERIFY_CREDENTIALS)), user)
    signed = asked.signed(provider=in_header, env=env)
    return Headers([(SERVICE_PROVIDER, signed.url), (AUTHORIZATION, signed.headers["authorization"])])


def echo_request(headers: HeaderFields | Headers, *, allowed: Collection[str]) -> Request:
    """The request that a delegator sends to learn who the user is, from the headers of the request it received.

    `allowed` are the URLs that may be asked, compared by scheme, host, port and path; the query stays as it was
    received, for it is signed (iOS adds one). Raises `ForeignHost` for any other URL, which is how a forger would have
    it asked of a server of their own; `InvalidURL` and `InvalidHeader` for what is none, `RemoteProtocolError` for
    headers that are missing, there twice, or hold no OAuth 1.0a authorization.
    """
    if isinstance(allowed, str):
        raise LocalProtocolError("allowed= is a collection of URLs, not one str")
    headers = headers if isinstance(headers, Headers) else Headers(headers)
    url, authorization = _only(headers, SERVICE_PROVIDER), Secret(_only(headers, AUTHORIZATION))
    if authorization[: len(_SCHEME)].lower() != _SCHEME:  # RFC 9110 section 11.1: in any case
        raise RemoteProtocolError(f"{AUTHORIZATION} does not begin with 'OAuth '")
    request = Request("GET", url, {"authorization": authorization, "accept": "*/*"})
    if _place(request.parsed) not in {_place(parse_url(one)) for one in allowed}:
        raise ForeignHost(f"{SERVICE_PROVIDER} names a URL at {request.origin} that is not allowed; nothing was sent")
    return request


@operation
def verify_echo(
    headers: HeaderFields | Headers, *, allowed: Collection[str], provider: Provider = X
) -> Steps[Response]:
    """Ask X who the user of a received request is; the answer is their `verify_credentials.json`.

    Takes and checks what `echo_request` does, and admits the provider's hosts only. Raises the `ApiError` of every
    answer but 200: then the received request is to be discarded.
    """
    request = provider.admit(echo_request(headers, allowed=allowed))
    response = yield from Send(request)
    if response.status != 200:
        raise read_refusal(response, provider, request=request)
    refuse_codes(response, provider, request=request)
    return response


def _only(fields: Headers, name: str) -> str:
    values = fields.get_all(name)
    if len(values) != 1:
        raise RemoteProtocolError(f"an OAuth Echo has one header {name}; this one has {len(values)}")
    return values[0]


def _place(url: Url) -> tuple[str, str]:
    return url.origin, url.target.partition("?")[0]
