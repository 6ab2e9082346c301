"""Discovery: a provider from its issuer alone (RFC 8414, OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from typing import cast, get_args

from sansauth.effects import Send, Steps, operation
from sansauth.errors import ApiError, InvalidURL, RemoteProtocolError
from sansauth.http import Request, Response, build_request
from sansauth.identity import ClientAuth
from sansauth.oauth2.app_only import success_object
from sansauth.provider import Endpoints, ErrorTable, Provider, Quirks
from sansauth.url import Url, parse_url

__all__ = ["DOCUMENT_BYTES", "build_metadata_requests", "discover", "parse_metadata"]

DOCUMENT_BYTES = 262_144
"""How long a document may be; real ones have about 5,000 bytes."""

_ENDPOINTS = {
    "authorization_endpoint": "authorization",
    "token_endpoint": "token",
    "revocation_endpoint": "revocation",
    "introspection_endpoint": "introspection",
    "pushed_authorization_request_endpoint": "pushed_authorization_request",
    "device_authorization_endpoint": "device_authorization",
    "registration_endpoint": "registration",
    "userinfo_endpoint": "userinfo",
    "jwks_uri": "jwks",
}

_SIGNING = frozenset({"client_secret_jwt", "private_key_jwt"})


@operation
def discover(issuer: str, *, allow_http: bool = False) -> Steps[Provider]:
    """Make a provider of what its issuer publishes about itself.

    RFC 8414's document is asked for first and, where there is none of this issuer, OpenID Connect's: a service that has
    but the latter may answer the former with a page, a redirect, a refusal or another issuer's document. No credentials
    are sent. `allow_http` takes plain http, of the issuer, its endpoints and the provider that comes of it.
    Raises `InvalidURL` and `InsecureTransport` for an issuer that cannot be one, the `ApiError` of a refusal, and
    `RemoteProtocolError` for a document that is none, or not this issuer's.
    """
    failures: list[ApiError | RemoteProtocolError] = []
    for request in build_metadata_requests(issuer, allow_http=allow_http):
        response = yield from Send(request)
        try:
            return parse_metadata(response, issuer, request=request, allow_http=allow_http)
        except (ApiError, RemoteProtocolError) as error:
            failures.append(error)
    first, second = failures
    # That there is no second document says less than what is wrong with the first.
    raise first if isinstance(second, ApiError) and not second.retryable else second


def build_metadata_requests(issuer: str, *, allow_http: bool = False) -> tuple[Request, Request]:
    """Ask for the metadata: by RFC 8414 section 3.1, and by OpenID Connect Discovery 1.0 section 4.1.

    The former puts the well-known part between the issuer's host and its path, the latter behind the path.
    """
    here = _bare(issuer, allow_http)
    path = here.base_url.removeprefix(here.origin)
    urls = (
        f"{here.origin}/.well-known/oauth-authorization-server{path}",
        f"{here.base_url}/.well-known/openid-configuration",
    )
    first, second = (here.admit(build_request("GET", url, headers={"accept": "application/json"})) for url in urls)
    return first, second


def parse_metadata(
    response: Response, issuer: str, *, request: Request | None = None, allow_http: bool = False
) -> Provider:
    """Read the metadata into a provider (RFC 8414 sections 2 and 3.3).

    Members that are not known are ignored, and so are those whose value cannot be used: an endpoint over plain http is
    left out, and an operation that needs it says that there is none. `RemoteProtocolError` for what is no document of
    this issuer.
    """
    here = _bare(issuer, allow_http)
    if len(response.body) > DOCUMENT_BYTES:
        raise RemoteProtocolError(
            f"{here.name} sent {len(response.body)} bytes of metadata; expected {DOCUMENT_BYTES} at most"
        )
    document = success_object(response, here, request=request)
    if document.get("issuer") != issuer:
        raise RemoteProtocolError(
            f"{here.name} published metadata of another issuer than {issuer!r:.200}: the two must be equal, character "
            "by character, a slash at the end too"
        )
    endpoints = {field: _endpoint(member, document, here) for member, field in _ENDPOINTS.items()}
    return Provider(
        here.name,
        issuer,
        Endpoints(**endpoints),
        issuer=issuer,
        quirks=Quirks(
            pushes_requests=_flag("require_pushed_authorization_requests", document),
            names_issuer=_flag("authorization_response_iss_parameter_supported", document),
            algorithms=_algorithms(document),
        ),
        errors=ErrorTable(hints=_hints(document)),
        allow_http=allow_http,
    )


def _bare(issuer: str, allow_http: bool) -> Provider:
    """The issuer as a provider of nothing, which refuses what cannot be an issuer (RFC 8414 section 2)."""
    return Provider(parse_url(issuer).host, issuer, allow_http=allow_http)


def _endpoint(member: str, document: dict[str, object], here: Provider) -> str | None:
    try:
        url = parse_url(cast("str", document.get(member)))  # which checks the type too
    except InvalidURL:
        return None
    return str(url) if _may_lead_to(url, here) else None


def _may_lead_to(url: Url, here: Provider) -> bool:
    # A document from afar must not point credentials, or requests in our name, at what listens on this machine.
    if url.is_loopback:
        return parse_url(here.base_url).is_loopback
    return url.scheme == "https" or here.allow_http


def _flag(member: str, document: dict[str, object]) -> bool:
    value = document.get(member)
    return value is True or value == "true"


def _algorithms(document: dict[str, object]) -> tuple[str, ...]:
    """Those of ours that the service names too, all of ours if it names none at all: never one that is not ours."""
    ours, theirs = Quirks().algorithms, document.get("id_token_signing_alg_values_supported")
    named = cast("list[object]", theirs) if isinstance(theirs, list) else []
    return tuple(name for name in ours if name in named) if named else ours


def _hints(document: dict[str, object]) -> dict[int | str, str]:
    """What to check when a client is refused. Nobody is refused for it here: many services leave methods out."""
    theirs = document.get("token_endpoint_auth_methods_supported")
    # In our own words only: the hint is shown as it is, and the document is a stranger's.
    named = [auth for auth in get_args(ClientAuth) if isinstance(theirs, list) and auth in theirs]
    if not named:
        return {}
    signs = " Of one that signs it may want another audience: see Quirks.assertion_audience."
    return {
        "invalid_client": f"It says that clients authenticate by {', '.join(named)}; see OAuth2Client's auth."
        + (signs if _SIGNING.intersection(named) else "")
    }
