"""Discovery: a provider from its issuer alone (RFC 8414, OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from typing import cast

from sansauth.effects import Send, Steps, operation
from sansauth.errors import InvalidURL, RemoteProtocolError
from sansauth.http import Request, Response, build_request
from sansauth.oauth2.app_only import success_object
from sansauth.provider import Endpoints, Provider, Quirks
from sansauth.url import Url, parse_url

__all__ = ["DOCUMENT_BYTES", "build_metadata_requests", "discover", "parse_metadata"]

DOCUMENT_BYTES = 262_144
"""How long a document may be; real ones have about 5,000 bytes."""

_NOT_FOUND = 404
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


@operation
def discover(issuer: str) -> Steps[Provider]:
    """Make a provider of what its issuer publishes about itself.

    RFC 8414's document is asked for first and, where there is none (404), OpenID Connect's. No credentials are sent.
    Raises `InvalidURL` and `InsecureTransport` for an issuer that cannot be one, the `ApiError` of a refusal, and
    `RemoteProtocolError` for a document that is not this issuer's, or that would send credentials where none belong.
    """
    request, other = build_metadata_requests(issuer)
    response = yield from Send(request)
    if response.status == _NOT_FOUND:
        request = other
        response = yield from Send(request)
    return parse_metadata(response, issuer, request=request)


def build_metadata_requests(issuer: str) -> tuple[Request, Request]:
    """Ask for the metadata: by RFC 8414 section 3.1, and by OpenID Connect Discovery 1.0 section 4.1.

    The former puts the well-known part between the issuer's host and its path, the latter behind the path.
    """
    here = _bare(issuer)
    path = here.base_url.removeprefix(here.origin)
    urls = (
        f"{here.origin}/.well-known/oauth-authorization-server{path}",
        f"{here.base_url}/.well-known/openid-configuration",
    )
    first, second = (here.admit(build_request("GET", url, headers={"accept": "application/json"})) for url in urls)
    return first, second


def parse_metadata(response: Response, issuer: str, *, request: Request | None = None) -> Provider:
    """Read the metadata into a provider (RFC 8414 sections 2 and 3.3). Members that are not known are ignored."""
    here = _bare(issuer)
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
            pushes_requests=_flag("require_pushed_authorization_requests", document, here),
            names_issuer=_flag("authorization_response_iss_parameter_supported", document, here),
            algorithms=_algorithms(document, here),
            challenge_methods=_names("code_challenge_methods_supported", document, here),
            client_auth_methods=_names("token_endpoint_auth_methods_supported", document, here),
        ),
    )


def _bare(issuer: str) -> Provider:
    """The issuer as a provider of nothing, which refuses what cannot be an issuer (RFC 8414 section 2)."""
    return Provider(parse_url(issuer).host, issuer)


def _endpoint(member: str, document: dict[str, object], here: Provider) -> str | None:
    value = document.get(member)
    if value is None:
        return None
    try:
        url = parse_url(cast("str", value))  # which checks the type too
    except InvalidURL as error:
        wrong = str(error)
    else:
        if _may_lead_to(url, here):
            return str(url)
        wrong = "endpoints are https, and on this machine only if their issuer is"
    raise RemoteProtocolError(f"{here.name} published a {member} that cannot be used: {wrong}")


def _may_lead_to(url: Url, here: Provider) -> bool:
    # A document from afar must not point credentials, or requests in our name, at what listens on this machine.
    if url.is_loopback:
        return parse_url(here.base_url).is_loopback
    return url.scheme == "https"


def _flag(member: str, document: dict[str, object], here: Provider) -> bool:
    value = document.get(member)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise RemoteProtocolError(f"{here.name} published a {member} that is neither true nor false")
    return value


def _names(member: str, document: dict[str, object], here: Provider) -> tuple[str, ...] | None:
    value = document.get(member)
    if value is None:
        return None
    named = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(name, str) for name in named):
        raise RemoteProtocolError(f"{here.name} published a {member} that is no list of names")
    return tuple(str(name) for name in named)


def _algorithms(document: dict[str, object], here: Provider) -> tuple[str, ...]:
    """Those of ours that the service names too, all of ours if it names none at all: never one that is not ours."""
    ours = Quirks().algorithms
    theirs = _names("id_token_signing_alg_values_supported", document, here)
    return ours if theirs is None else tuple(name for name in ours if name in theirs)
