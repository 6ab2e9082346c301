"""Provider: one service's endpoints, hosts, quirks and error codes, as data."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from sansauth.errors import (
    ApiError,
    ForeignHost,
    InsecureTransport,
    InvalidHeader,
    InvalidParameter,
    InvalidURL,
    LocalProtocolError,
)
from sansauth.http import Headers, Request, Response
from sansauth.url import Url, parse_url

if TYPE_CHECKING:
    from sansauth.effects import Operation
    from sansauth.ratelimit import RateLimit

__all__ = ["Endpoints", "ErrorTable", "Placement", "Provider", "Quirks", "SignatureMethod", "Signing"]

Placement: TypeAlias = Literal["header", "query", "body"]
"""Where a signature stands (RFC 5849 section 3.5)."""

# Where users go, or anybody, and no credentials: public keys may lie on a host that is shared with strangers.
_PAGES = frozenset({"authorize", "authenticate", "authorization", "jwks"})
SignatureMethod: TypeAlias = Literal[
    "HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "RSA-SHA1", "RSA-SHA256", "RSA-SHA512", "PLAINTEXT"
]
"""How a signature is made (RFC 5849 section 3.4), and what services that dropped SHA-1 made of that."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")  # RFC 3986 section 3.1


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a service answers, as absolute URLs; None for what it does not offer."""

    app_token: str | None = None
    """Application-only bearer token: RFC 6749 section 4.4, authenticated with consumer key and secret."""
    invalidate_app_token: str | None = None
    request_token: str | None = None
    """Temporary credentials: RFC 5849 section 2.1."""
    authorize: str | None = None
    """The page that asks the user: RFC 5849 section 2.2."""
    authenticate: str | None = None
    """The page that asks only a user who has not agreed before."""
    access_token: str | None = None
    """Token credentials: RFC 5849 section 2.3; xAuth and reverse auth end here too."""
    invalidate_access_token: str | None = None
    """Takes back the token credentials that sign the request."""
    authorization: str | None = None
    """OAuth 2's page that asks the user: RFC 6749 section 3.1."""
    token: str | None = None
    """OAuth 2's tokens, by any grant: RFC 6749 section 3.2."""
    revocation: str | None = None
    """RFC 7009."""
    introspection: str | None = None
    """RFC 7662."""
    pushed_authorization_request: str | None = None
    """RFC 9126."""
    device_authorization: str | None = None
    """RFC 8628."""
    registration: str | None = None
    """RFC 7591."""
    userinfo: str | None = None
    """OpenID Connect Core 1.0 section 5.3."""
    jwks: str | None = None
    """The service's public keys: RFC 7517 section 5."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Where a service's OAuth 2 leaves the RFCs, or makes use of what they leave open; the defaults are theirs.

    `raw_basic` joins client id and secret as they are, without the encoding of RFC 6749 section 2.3.1.
    `client_id_in_body` sends `client_id` along with Basic. `dead_refresh` maps an `error` to the pattern its
    description must match to mean that the refresh token is dead. `scope_separator` stands between scopes.
    `pushes_requests`: the service takes pushed authorization requests only (RFC 9126 section 5). `names_issuer`: its
    callbacks name the issuer (RFC 9207 section 3). `algorithms` are those that an id_token may be signed with: all with
    a public key, unless it says otherwise; HS256 and the like, by the client's secret, only where they are listed here.
    `assertion_audience` is whom a client's assertion names (RFC 7523 section 3): "issuer" (of a service that has none:
    its token endpoint), "token_endpoint", "endpoint" for the URL that the request goes to, or any other text as it is.
    `token_types` maps what the service calls its tokens, "" for nothing, to "Bearer" or "DPoP".
    """

    raw_basic: bool = False
    client_id_in_body: bool = False
    dead_refresh: Mapping[str, str] = field(default_factory=lambda: {"invalid_grant": ""}, hash=False)
    scope_separator: str = " "
    pushes_requests: bool = False
    names_issuer: bool = False
    algorithms: tuple[str, ...] = (
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
    )  # fmt: skip
    assertion_audience: str = "issuer"
    token_types: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True, slots=True)
class Signing:
    """How a service wants OAuth 1.0a requests signed (RFC 5849 section 3).

    `realm` stands in the header only; None for none. `version=None` leaves `oauth_version` out. `body_hash` adds
    `oauth_body_hash` to every request whose body is no form. Raises `InvalidParameter` for what cannot be, and
    `InvalidHeader` for a realm that fits into no header.
    """

    method: SignatureMethod = "HMAC-SHA1"
    placement: Placement = "header"
    realm: str | None = None
    version: str | None = "1.0"
    body_hash: bool = False

    def __post_init__(self) -> None:
        if self.method not in get_args(SignatureMethod):
            known = ", ".join(get_args(SignatureMethod))
            raise InvalidParameter(f"signature method {self.method!r:.40} is not one of {known}")
        if self.placement not in get_args(Placement):
            raise InvalidParameter(f"a signature is placed in one of {', '.join(get_args(Placement))}")
        if self.method == "PLAINTEXT" and self.placement == "query":
            raise InvalidParameter("PLAINTEXT in a query would put the secrets in a URL; place it in the header")
        if not isinstance(self.version, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # without a checker
            raise InvalidParameter(f"version is a str, or None to leave it out, not {type(self.version).__name__}")
        if self.realm is not None:
            self._check_realm(self.realm)

    def _check_realm(self, realm: str) -> None:
        if self.placement != "header":
            raise InvalidParameter("realm belongs to the header (RFC 5849 section 3.5.1); leave it out")
        if not isinstance(realm, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
            raise InvalidParameter(f"realm is a str, or None for none, not {type(realm).__name__}")
        try:
            Headers([("authorization", realm)])
        except InvalidHeader:
            raise InvalidHeader("realm holds a control character, a line break or non-Latin-1 text") from None


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """What a service's own error codes mean.

    `types` maps a code (an int), a problem's slug or an RFC 6749 `error` (a str) to the exception raised for it;
    `hints` maps it to what the person who reads it should check. `described` is for a code that means many things: it
    maps the pattern of a text to the exception that is then raised instead.
    """

    types: Mapping[int | str, type[ApiError]] = field(default_factory=dict[int | str, type[ApiError]], hash=False)
    hints: Mapping[int | str, str] = field(default_factory=dict[int | str, str], hash=False)
    described: Mapping[int | str, Mapping[str, type[ApiError]]] = field(
        default_factory=dict[int | str, Mapping[str, type[ApiError]]], hash=False
    )


@dataclass(frozen=True, slots=True)
class Provider:
    """One service.

    `base_url` is what a path is joined to; its origin is part of every stored token's key. Credentials go to `origins`
    (scheme, host and port) and nowhere else; the base URL's own origin and those of the endpoints belong to them.
    Plain http is for this machine only, unless `allow_http` opts in.
    """

    name: str
    base_url: str
    endpoints: Endpoints = Endpoints()
    origins: tuple[str, ...] = ()
    issuer: str | None = None
    """The service's name for itself in OAuth 2: RFC 8414 section 2, RFC 9207."""
    signing: Signing = field(default=Signing(), repr=False)
    quirks: Quirks = field(default=Quirks(), repr=False)
    errors: ErrorTable = field(default=ErrorTable(), repr=False)
    rate_limit_headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False, repr=False)
    """Pool name to header prefix: `{"window": "x-rate-limit"}` reads `x-rate-limit-remaining`."""
    transaction_headers: tuple[str, ...] = field(default=(), repr=False)
    allow_http: bool = False

    def __post_init__(self) -> None:
        if "?" in self.base_url or "#" in self.base_url:
            raise InvalidURL("a provider's base URL has no query and no fragment: paths are appended to it")
        endpoints = _endpoint_urls(self.endpoints)
        urls = [self.base_url, *self.origins, *(url for name, url in endpoints.items() if name not in _PAGES)]
        parsed = [parse_url(url) for url in urls]
        for url in [*parsed, *(parse_url(endpoints[name]) for name in _PAGES & endpoints.keys())]:
            self._admit_scheme(url)
        object.__setattr__(self, "base_url", str(parsed[0]).rstrip("/"))
        object.__setattr__(self, "origins", tuple(dict.fromkeys(url.origin for url in parsed)))

    @staticmethod
    def discover(issuer: str, *, allow_http: bool = False) -> Operation[Provider]:
        """Make a provider of what an issuer publishes: an operation (RFC 8414, OpenID Connect).

        Plain http to another machine needs `allow_http=True`.
        """
        from sansauth.oauth2.metadata import discover  # the one import upwards, for a name where people look for it

        return discover(issuer, allow_http=allow_http)

    @property
    def authority(self) -> str:
        """Who issues the tokens of OAuth 2: its token endpoint, since one origin may serve many issuers.

        Part of every stored token's key, and of every login's; the base URL where there is no such endpoint.
        """
        return self.endpoints.token or self.base_url

    @property
    def origin(self) -> str:
        """The base URL's scheme, host and port."""
        return parse_url(self.base_url).origin

    def at(self, base_url: str, *, allow_http: bool = False) -> Provider:
        """The same provider with every endpoint moved to `base_url`, and no other host allowed.

        For a sandbox, a recording proxy or a test server. Paths stay: the base URL's own is appended to the new one.
        Plain http to another machine needs `allow_http=True`.
        """
        base = base_url.rstrip("/")
        moved = {name: base + parse_url(url).target for name, url in _endpoint_urls(self.endpoints).items()}
        return dataclasses.replace(
            self,
            base_url=base + parse_url(self.base_url).target.rstrip("/"),
            endpoints=dataclasses.replace(self.endpoints, **moved),
            origins=(),
            allow_http=allow_http,
        )

    def allowing(self, *origins: str) -> Provider:
        """The same provider with further origins that its credentials may go to."""
        return dataclasses.replace(self, origins=(*self.origins, *origins))

    def url(self, url_or_path: str) -> str:
        """An absolute URL stays; a path is joined to the base URL."""
        if _SCHEME.match(url_or_path):
            return url_or_path  # of whatever scheme: `Request` says what it thinks of it
        return self.base_url + ("" if url_or_path.startswith("/") else "/") + url_or_path

    def endpoint(self, name: str) -> str:
        """The URL of an endpoint; `LocalProtocolError` if this provider has none."""
        url: str | None = getattr(self.endpoints, name, None)
        if url is None:
            raise LocalProtocolError(f"{self.name} has no endpoint {name!r}; give it in Provider(endpoints=...)")
        return url

    def rate_limits(self, response: Response) -> tuple[RateLimit, ...]:
        """The limits an answer tells of, one per pool; of a refusal, its error has them too."""
        from sansauth.ratelimit import read_rate_limits  # here: who asks for a token does not ask for limits

        return read_rate_limits(response.headers.get, self.rate_limit_headers)

    def admit(self, request: Request) -> Request:
        """The request, if credentials may go where it goes; else `ForeignHost` or `InsecureTransport`."""
        self._admit_scheme(request.parsed)
        if request.origin not in self.origins:
            raise ForeignHost(
                f"{request.origin} is not a host of {self.name} ({', '.join(self.origins)}); no credentials were sent. "
                "To allow it, use provider.allowing(...)"
            )
        return request

    def _admit_scheme(self, url: Url) -> None:
        if url.scheme == "http" and not (url.is_loopback or self.allow_http):
            raise InsecureTransport(
                f"{url.origin} would get credentials over plain http; use https, or allow_http=True on this provider"
            )


def _endpoint_urls(endpoints: Endpoints) -> dict[str, str]:
    urls = {entry.name: getattr(endpoints, entry.name) for entry in dataclasses.fields(endpoints)}
    return {name: url for name, url in urls.items() if url is not None}
