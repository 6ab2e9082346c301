"""Provider: one service's endpoints, hosts, quirks and error codes, as data."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from sansauth.errors import ApiError, ForeignHost, InsecureTransport, InvalidParameter, InvalidURL, LocalProtocolError
from sansauth.http import Request, Response
from sansauth.ratelimit import RateLimit, read_rate_limits
from sansauth.url import Url, parse_url

__all__ = ["Endpoints", "ErrorTable", "Placement", "Provider", "Signing"]

Placement: TypeAlias = Literal["header", "query", "body"]
"""Where a signature stands (RFC 5849 section 3.5)."""

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


@dataclass(frozen=True, slots=True)
class Signing:
    """How a service wants OAuth 1.0a requests signed (RFC 5849 section 3).

    `method` is the signature method: HMAC-SHA1, -SHA256, -SHA512, RSA-SHA1, -SHA256, -SHA512 or PLAINTEXT. `realm`
    stands in the header only; None for none. `version=None` leaves `oauth_version` out. `body_hash` adds
    `oauth_body_hash` to every request whose body is no form.
    """

    method: str = "HMAC-SHA1"
    placement: Placement = "header"
    realm: str | None = None
    version: str | None = "1.0"
    body_hash: bool = False

    def __post_init__(self) -> None:
        if self.placement not in get_args(Placement):
            raise InvalidParameter(f"a signature is placed in one of {', '.join(get_args(Placement))}")
        if self.realm is not None and self.placement != "header":
            raise InvalidParameter("realm belongs to the header (RFC 5849 section 3.5.1); leave it out")


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """What a service's own error codes mean.

    `types` maps a code (an int), a problem's slug or an RFC 6749 `error` (a str) to the exception raised for it;
    `hints` maps it to what the person who reads it should check.
    """

    types: Mapping[int | str, type[ApiError]] = field(default_factory=dict[int | str, type[ApiError]], hash=False)
    hints: Mapping[int | str, str] = field(default_factory=dict[int | str, str], hash=False)


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
    signing: Signing = field(default=Signing(), repr=False)
    errors: ErrorTable = field(default=ErrorTable(), repr=False)
    rate_limit_headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False, repr=False)
    """Pool name to header prefix: `{"window": "x-rate-limit"}` reads `x-rate-limit-remaining`."""
    transaction_headers: tuple[str, ...] = field(default=(), repr=False)
    allow_http: bool = False

    def __post_init__(self) -> None:
        if "?" in self.base_url or "#" in self.base_url:
            raise InvalidURL("a provider's base URL has no query and no fragment: paths are appended to it")
        urls = [self.base_url, *self.origins, *_endpoint_urls(self.endpoints).values()]
        parsed = [parse_url(url) for url in urls]
        for url in parsed:
            self._admit_scheme(url)
        object.__setattr__(self, "base_url", str(parsed[0]).rstrip("/"))
        object.__setattr__(self, "origins", tuple(dict.fromkeys(url.origin for url in parsed)))

    @property
    def origin(self) -> str:
        """The base URL's scheme, host and port."""
        return parse_url(self.base_url).origin

    def at(self, base_url: str, *, allow_http: bool = False) -> Provider:
        """The same provider with every endpoint moved to `base_url`, and no other host allowed.

        For a sandbox, a recording proxy or a test server. Plain http to another machine needs `allow_http=True`.
        """
        base = base_url.rstrip("/")
        moved = {name: base + parse_url(url).target for name, url in _endpoint_urls(self.endpoints).items()}
        return dataclasses.replace(
            self,
            base_url=base,
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
        url = _endpoint_urls(self.endpoints).get(name)
        if url is None:
            raise LocalProtocolError(f"{self.name} has no endpoint {name!r}; give it in Provider(endpoints=...)")
        return url

    def rate_limits(self, response: Response) -> tuple[RateLimit, ...]:
        """The limits an answer tells of, one per pool; of a refusal, its error has them too."""
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
