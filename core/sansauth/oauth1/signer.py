"""Sign a Request: collect its parameters, sign them, put the result where the service reads it (RFC 5849)."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from sansauth.encoding import quote
from sansauth.errors import InsecureTransport, InvalidParameter, WrongIdentity
from sansauth.http import FORM, Request
from sansauth.identity import App, OAuth1User
from sansauth.oauth1.methods import PLAINTEXT, body_hash, signature_method
from sansauth.oauth1.signature import base_uri, build_base_string, normalize, quote_base64, signed_pairs
from sansauth.provider import Placement, Signing

__all__ = ["Signer", "base_string", "prepared", "sign"]

SIGNERS = 128  # kept prepared, for as many identities


class Signer:
    """Signs for one identity, prepared once: the key is hashed in, the constant parameters are encoded.

    An `App` signs with the consumer's credentials alone, without `oauth_token`. Raises `WrongIdentity` for an identity
    that cannot sign, `InvalidParameter` for a signature method there is none of. Safe for any number of threads.
    """

    __slots__ = ("_constants", "_signature", "signing")

    def __init__(self, identity: App | OAuth1User, signing: Signing | None = None) -> None:
        self.signing = signing or Signing()
        """How it signs; by default as X and RFC 5849's own examples do."""
        app, token_secret = _credentials(identity)
        self._signature = signature_method(self.signing.method, app, token_secret)
        constants = {
            "oauth_consumer_key": quote(app.consumer_key),
            "oauth_nonce": "",
            "oauth_signature_method": self.signing.method,
            "oauth_timestamp": "",
        }
        if isinstance(identity, OAuth1User):
            constants["oauth_token"] = quote(identity.access_token)
        if self.signing.version is not None:
            constants["oauth_version"] = quote(self.signing.version)
        self._constants = constants

    def sign(
        self, request: Request, *, timestamp: int | str, nonce: str, extra: Mapping[str, str] | None = None
    ) -> Request:
        """The request with its signature; see `sansauth.oauth1.sign`."""
        if self.signing.method == PLAINTEXT:
            self._admit_plaintext(request)
        protocol = self._protocol(request, timestamp, nonce, extra)
        signature = self._signature(_base_string(request, protocol))
        encoded = quote(signature) if self.signing.method == PLAINTEXT else quote_base64(signature)
        protocol.append(("oauth_signature", encoded))
        match self.signing.placement:
            case "header":
                return self._in_header(request, protocol)
            case "query":
                return _in_query(request, protocol)
            case _:
                return _in_body(request, protocol)

    def base_string(
        self, request: Request, *, timestamp: int | str, nonce: str, extra: Mapping[str, str] | None = None
    ) -> str:
        """The text that `sign` signs for the same arguments (RFC 5849 section 3.4.1)."""
        return _base_string(request, self._protocol(request, timestamp, nonce, extra))

    def _protocol(
        self, request: Request, timestamp: int | str, nonce: str, extra: Mapping[str, str] | None
    ) -> list[tuple[str, str]]:
        """The protocol parameters, encoded, in the order of their names but for `extra`."""
        fields = self._constants.copy()
        fields["oauth_nonce"] = quote(nonce)
        fields["oauth_timestamp"] = str(timestamp) if isinstance(timestamp, int) else quote(timestamp)
        if self.signing.body_hash and not request.has_form and self.signing.placement != "body":
            fields["oauth_body_hash"] = quote_base64(body_hash(request.body, self.signing.method))
        if extra:
            _add_extra(fields, extra)
        return list(fields.items())

    def _in_header(self, request: Request, protocol: list[tuple[str, str]]) -> Request:
        fields = '", '.join(map('="'.join, protocol))
        realm = self.signing.realm
        if realm is None:
            return request.with_checked_header("authorization", f'OAuth {fields}"')
        escaped = realm.replace("\\", "\\\\").replace('"', '\\"')  # RFC 9110 section 5.6.4
        return request.with_header("authorization", f'OAuth realm="{escaped}", {fields}"')

    def _admit_plaintext(self, request: Request) -> None:
        if request.scheme == "http" and not request.parsed.is_loopback:
            raise InsecureTransport(
                f"PLAINTEXT would show the secrets to {request.origin} and to everybody on the way; use https"
            )
        if self.signing.placement == "query":
            raise InvalidParameter("PLAINTEXT in a query would put the secrets in a URL; place it in the header")

    def __repr__(self) -> str:
        return f"<Signer by {self.signing.method} for {self._constants['oauth_consumer_key']}>"


def sign(
    request: Request,
    identity: App | OAuth1User,
    *,
    timestamp: int | str,
    nonce: str,
    method: str = "HMAC-SHA1",
    version: str | None = "1.0",
    extra: Mapping[str, str] | None = None,
    realm: str | None = None,
    placement: Placement = "header",
) -> Request:
    """The request with its OAuth 1.0a signature (RFC 5849 sections 3.1 to 3.5).

    An `App` signs with the consumer's credentials alone, without `oauth_token`. `timestamp` is in Unix seconds.
    `method` is HMAC-, RSA- with SHA1, SHA256 or SHA512, or PLAINTEXT. `extra` are further protocol parameters, e.g.
    `{"oauth_callback": "oob"}` or `{"oauth_body_hash": body_hash(request.body)}`; `version=None` leaves `oauth_version`
    out. The query is signed, and the body if its content type is a form.

    `placement` is "header" (one that was there is replaced; `realm` stands there only), "query", or "body", a form.
    Raises `InvalidParameter` for a method, an `extra` or a placement that cannot be, `WrongIdentity` for an identity
    that cannot sign so, `InsecureTransport` for PLAINTEXT over plain http to another machine.
    """
    signer = prepared(identity, _signing(method, placement, realm, version))
    return signer.sign(request, timestamp=timestamp, nonce=nonce, extra=extra)


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
    signer = prepared(identity, _signing(method, "header", None, version))
    return signer.base_string(request, timestamp=timestamp, nonce=nonce, extra=extra)


@functools.lru_cache(maxsize=SIGNERS)
def prepared(identity: App | OAuth1User, signing: Signing) -> Signer:
    """The signer of an identity, made once and kept while it is among the last `SIGNERS` that signed."""
    return Signer(identity, signing)


_signing = functools.lru_cache(maxsize=SIGNERS)(Signing)


def _base_string(request: Request, protocol: list[tuple[str, str]]) -> str:
    return build_base_string(request.method, base_uri(request), normalize(protocol + signed_pairs(request)))


def _credentials(identity: App | OAuth1User) -> tuple[App, str]:
    if isinstance(identity, App):
        return identity, ""
    if isinstance(identity, OAuth1User):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
        return identity.app, identity.access_token_secret
    raise WrongIdentity(f"OAuth 1.0a signs for an App or an OAuth1User, not for a {type(identity).__name__}")


def _add_extra(fields: dict[str, str], extra: Mapping[str, str]) -> None:
    for name, value in extra.items():
        if not name.startswith("oauth_") or name in fields or name == "oauth_signature":
            raise InvalidParameter(f"extra takes further oauth_* parameters, such as oauth_callback; not {name!r:.40}")
        fields[quote(name)] = quote(value)


def _in_query(request: Request, protocol: list[tuple[str, str]]) -> Request:
    url = request.url + ("&" if request.query else "?") + _joined(protocol)
    return Request(request.method, url, request.headers, request.body)


def _in_body(request: Request, protocol: list[tuple[str, str]]) -> Request:
    if request.method in {"GET", "HEAD"} or not (request.has_form or _is_bare(request)):
        raise InvalidParameter("a signature goes into a body that is a form (RFC 5849 section 3.5.2), and no other")
    headers = request.headers if request.has_form else request.headers.replacing("content-type", FORM)
    body = request.body + (b"&" if request.body else b"") + _joined(protocol).encode()
    return Request(request.method, request.url, headers, body)


def _is_bare(request: Request) -> bool:
    return not request.body and "content-type" not in request.headers


def _joined(protocol: list[tuple[str, str]]) -> str:
    return "&".join(map("=".join, protocol))
