"""Sign a Request: collect its parameters, sign them, put the result where the service reads it (RFC 5849)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import cast

from sansauth.encoding import quote
from sansauth.errors import InsecureTransport, InvalidParameter, LocalProtocolError, WrongIdentity
from sansauth.http import FORM, Headers, Request
from sansauth.identity import App, OAuth1User
from sansauth.oauth1.methods import PLAINTEXT, body_hash, signature_method
from sansauth.oauth1.signature import base_uri, build_base_string, normalize, quote_base64, signed_pairs
from sansauth.provider import Placement, SignatureMethod, Signing
from sansauth.secret import Secret

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
        _require_secret(app, self.signing.method)
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
        protocol = self._protocol(request, timestamp, nonce, extra)
        # Before there is a signature: PLAINTEXT's is the secrets, and a traceback may show the locals of its frames.
        if self.signing.placement == "body":
            _require_form(request)
        if self.signing.method == PLAINTEXT:
            _require_privacy(request)
        signature = self._signature(_base_string(request, protocol))
        encoded = Secret(quote(signature)) if self.signing.method == PLAINTEXT else quote_base64(signature)
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
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
            raise LocalProtocolError(f"a Request is signed, not a {type(request).__name__}; see sansauth.build_request")
        if not isinstance(nonce, str) or not nonce:  # pyright: ignore[reportUnnecessaryIsInstance]  # likewise
            raise InvalidParameter(f"the nonce is a str that is not empty, not {type(nonce).__name__}")
        fields = self._constants.copy()
        fields["oauth_nonce"] = quote(nonce)
        fields["oauth_timestamp"] = _timestamp(timestamp)
        if self.signing.body_hash and not request.has_form and self.signing.placement != "body":
            fields["oauth_body_hash"] = quote_base64(body_hash(request.body, self.signing.method))
        if extra is not None:
            _add_extra(fields, extra)
        return list(fields.items())

    def _in_header(self, request: Request, protocol: list[tuple[str, str]]) -> Request:
        fields = '", '.join(map('="'.join, protocol))
        realm = self.signing.realm
        if realm is None:
            return request.with_checked_header("authorization", f'OAuth {fields}"')
        escaped = realm.replace("\\", "\\\\").replace('"', '\\"')  # RFC 9110 section 5.6.4
        return request.with_checked_header("authorization", f'OAuth realm="{escaped}", {fields}"')

    def __repr__(self) -> str:
        # A traceback that shows locals also shows what is half built: a repr that raised would hide the real error.
        constants: dict[str, str] | None = getattr(self, "_constants", None)
        if constants is None:
            return "<Signer, not built>"
        return f"<Signer by {self.signing.method} for {constants['oauth_consumer_key']}>"


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

    `placement` is "header" (`realm` stands there only), "query", or "body", a form; an `Authorization` that was there
    is replaced by the first, and dropped by the others. Raises `InvalidParameter` for what cannot be signed so, or
    would stand in the request twice, `WrongIdentity` for an identity that cannot sign so, `InsecureTransport` for
    PLAINTEXT over plain http to another machine.
    """
    signer = _signer(identity, method, placement, realm, version)
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
    signer = _signer(identity, method, "header", None, version)
    return signer.base_string(request, timestamp=timestamp, nonce=nonce, extra=extra)


@functools.lru_cache(maxsize=SIGNERS)
def prepared(identity: App | OAuth1User, signing: Signing) -> Signer:
    """The signer of an identity, made once and kept while it is among the last `SIGNERS` that signed."""
    return Signer(identity, signing)


_signing = functools.lru_cache(maxsize=SIGNERS)(Signing)


def _signer(
    identity: App | OAuth1User, method: str, placement: Placement, realm: str | None, version: str | None
) -> Signer:
    try:
        return prepared(identity, _signing(method, placement, realm, version))
    except TypeError:
        pass  # of the cache, for what has no hash; without it, what is wrong with that is told
    return Signer(identity, Signing(cast("SignatureMethod", method), placement, realm, version))


def _base_string(request: Request, protocol: list[tuple[str, str]]) -> str:
    carried = signed_pairs(request)
    if carried:
        twice = _twice(carried, protocol)
        if twice is not None:
            del carried, protocol  # a traceback that shows the locals of its frames must not show a password of a form
            raise InvalidParameter(
                f"{twice} stands in the request's query or form already, and its signature would add it once more; "
                "was the request signed before?"
            )
        protocol = protocol + carried
    return build_base_string(request.method, base_uri(request), normalize(protocol))


def _twice(carried: list[tuple[str, str]], protocol: list[tuple[str, str]]) -> str | None:
    """A protocol parameter that stands in the request already; RFC 5849 section 3.1 allows each once."""
    for name, _ in carried:
        if name[:6] == "oauth_" and any(name == ours for ours, _ in protocol):
            return name
    return None


def _credentials(identity: App | OAuth1User) -> tuple[App, str]:
    if isinstance(identity, App):
        return identity, ""
    if isinstance(identity, OAuth1User):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
        return identity.app, identity.access_token_secret
    raise WrongIdentity(f"OAuth 1.0a signs for an App or an OAuth1User, not for a {type(identity).__name__}")


def _require_secret(app: App, method: str) -> None:
    if app.rsa_private_key is not None and not app.consumer_secret and not method.startswith("RSA-"):
        raise WrongIdentity(
            f"this App has an rsa_private_key and no consumer_secret, and {method} signs with the secret: "
            'name the RSA method, Provider(signing=Signing("RSA-SHA1")) or sign(method="RSA-SHA1")'
        )


def _require_privacy(request: Request) -> None:
    if request.scheme == "http" and not request.parsed.is_loopback:
        raise InsecureTransport(
            f"PLAINTEXT would show the secrets to {request.origin} and to everybody on the way; use https"
        )


def _require_form(request: Request) -> None:
    if request.method in {"GET", "HEAD"}:
        what = f"a {request.method} has none"
    elif not (request.has_form or _is_bare(request)):
        what = f"this one is {request.headers.get('content-type') or 'of no content type'}"
    else:
        return
    raise InvalidParameter(
        f"a signature goes into a body that is a form (RFC 5849 section 3.5.2), and {what:.80}; "
        'sign this request with placement="header"'
    )


def _timestamp(timestamp: int | str) -> str:
    if isinstance(timestamp, int) and not isinstance(timestamp, bool) and timestamp >= 0:
        return str(timestamp)
    if isinstance(timestamp, str) and timestamp:
        return quote(timestamp)
    raise InvalidParameter(
        f"the timestamp is Unix seconds as an int, or their text; not below zero, empty or a {type(timestamp).__name__}"
    )


def _add_extra(fields: dict[str, str], extra: Mapping[str, str]) -> None:
    if not isinstance(extra, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise InvalidParameter(f"extra maps names to values, and is no {type(extra).__name__}")
    for name, value in extra.items():
        # Neither is shown if it is of a wrong type: they may have been swapped.
        if not isinstance(name, str) or not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameter(f"extra maps str to str, not {type(name).__name__} to {type(value).__name__}")
        if not name.startswith("oauth_") or name in fields or name == "oauth_signature":
            raise InvalidParameter(f"extra takes further oauth_* parameters, such as oauth_callback; not {name!r:.40}")
        fields[quote(name)] = quote(value)


def _in_query(request: Request, protocol: list[tuple[str, str]]) -> Request:
    url = request.url + ("&" if request.query else "?") + _joined(protocol)
    return Request(request.method, url, _anonymous(request), request.body)


def _in_body(request: Request, protocol: list[tuple[str, str]]) -> Request:
    headers = _anonymous(request)
    headers = headers if request.has_form else headers.replacing("content-type", FORM)
    body = request.body + (b"&" if request.body else b"") + _joined(protocol).encode()
    return Request(request.method, request.url, headers, body)


def _anonymous(request: Request) -> Headers:
    """The headers without `Authorization`: credentials stand in one place (RFC 5849 section 3.5)."""
    return Headers([field for field in request.headers if field[0] != "authorization"])


def _is_bare(request: Request) -> bool:
    return not request.body and "content-type" not in request.headers


def _joined(protocol: list[tuple[str, str]]) -> str:
    return "&".join(map("=".join, protocol))
