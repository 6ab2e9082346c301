"""Sign a Request: collect its parameters, sign them, put the result in the Authorization header (RFC 5849)."""

from __future__ import annotations

from collections.abc import Mapping

from sansauth.encoding import encoded_pairs, quote
from sansauth.errors import InvalidParameter, WrongIdentity
from sansauth.http import Request
from sansauth.identity import App, OAuth1User
from sansauth.oauth1.signature import HMAC_METHODS, build_base_string, hmac_signature, normalize, quote_base64

__all__ = ["base_string", "sign"]


def sign(
    request: Request,
    identity: App | OAuth1User,
    *,
    timestamp: int | str,
    nonce: str,
    method: str = "HMAC-SHA1",
    version: str | None = "1.0",
    extra: Mapping[str, str] | None = None,
) -> Request:
    """The request with its OAuth 1.0a Authorization header (RFC 5849 sections 3.1 to 3.5.1).

    An `App` signs with the consumer's credentials alone, without `oauth_token`. `timestamp` is in Unix seconds. `extra`
    are further protocol parameters, e.g. `{"oauth_callback": "oob"}`; `version=None` leaves `oauth_version` out. The
    query is signed, and the body if its content type is a form. A header that was there before is replaced.
    """
    protocol = _protocol_parameters(identity, timestamp, nonce, method, version, extra)
    text = _base_string(request, protocol)
    app, token_secret = (identity, "") if isinstance(identity, App) else (identity.app, identity.access_token_secret)
    signature = hmac_signature(method, text, app.consumer_secret, token_secret)
    protocol.append(("oauth_signature", quote_base64(signature)))
    fields = '", '.join(map('="'.join, protocol))
    return request.with_checked_header("authorization", f'OAuth {fields}"')


def base_string(
    request: Request,
    identity: App | OAuth1User,
    *,
    timestamp: int | str,
    nonce: str,
    method: str = "HMAC-SHA1",
    version: str | None = "1.0",
    extra: Mapping[str, str] | None = None,
) -> str:
    """The text that `sign` signs for the same arguments (RFC 5849 section 3.4.1)."""
    return _base_string(request, _protocol_parameters(identity, timestamp, nonce, method, version, extra))


def _base_string(request: Request, protocol: list[tuple[str, str]]) -> str:
    path, _, carried = request.target.partition("?")
    if request.body and request.has_form:
        # Query and form are read as one; an empty piece between two `&` is no parameter. Keeps every byte: a body that
        # is not ASCII is signed as the bytes it has.
        carried += "&" + request.body.decode("ascii", "surrogateescape")
    pairs = protocol + encoded_pairs(carried) if carried else protocol
    if "oauth_signature" in carried:  # never signed itself (RFC 5849 section 3.4.1.3.1)
        pairs = [pair for pair in pairs if pair[0] != "oauth_signature"]
    return build_base_string(request.method, request.parsed.origin + path, normalize(pairs))


def _protocol_parameters(
    identity: App | OAuth1User,
    timestamp: int | str,
    nonce: str,
    method: str,
    version: str | None,
    extra: Mapping[str, str] | None,
) -> list[tuple[str, str]]:
    if isinstance(identity, App):
        app, token = identity, None
    elif isinstance(identity, OAuth1User):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
        app, token = identity.app, identity.access_token
    else:
        raise WrongIdentity(f"OAuth 1.0a signs for an App or an OAuth1User, not for a {type(identity).__name__}")
    if method not in HMAC_METHODS:
        raise InvalidParameter(f"signature method {method!r:.40} is not one of {', '.join(HMAC_METHODS)}")
    parameters = [
        ("oauth_consumer_key", quote(app.consumer_key)),
        ("oauth_nonce", quote(nonce)),
        ("oauth_signature_method", method),
        ("oauth_timestamp", str(timestamp) if isinstance(timestamp, int) else quote(timestamp)),
    ]
    if token is not None:
        parameters.append(("oauth_token", quote(token)))
    if version is not None:
        parameters.append(("oauth_version", quote(version)))
    if extra:
        parameters += _extra(extra, {name for name, _ in parameters})
    return parameters


def _extra(extra: Mapping[str, str], taken: set[str]) -> list[tuple[str, str]]:
    for name in extra:
        if not name.startswith("oauth_") or name in taken or name == "oauth_signature":
            raise InvalidParameter(f"extra takes further oauth_* parameters, such as oauth_callback; not {name!r:.40}")
    return [(quote(name), quote(value)) for name, value in extra.items()]
