"""A signed request laid out: parameters in order, base string, key's shape, header; all masked."""

from __future__ import annotations

import re

from sansauth.encoding import quote, unquote
from sansauth.http import Request
from sansauth.identity import App, OAuth1User
from sansauth.oauth1.explaining.carried import Carried, Param
from sansauth.oauth1.explaining.explanation import Explanation, Finding, KeyShape, NotSigned, Parameter
from sansauth.oauth1.explaining.masking import MASK, Censor
from sansauth.oauth1.methods import HASHES, PLAINTEXT, shared_key, signature_method
from sansauth.oauth1.signature import base_uri, build_base_string, normalize, quote_encoded

__all__ = ["Layout"]

# Of Base64, with and without `=`, and hexadecimal digits of SHA-1, -256, -512, and of Base64 of these; an RSA
# signature is longer. What has another length is no signature, and may be a secret.
_LENGTHS = {27, 28, 40, 43, 44, 56, 64, 86, 88, 128, 172}
_RSA_LENGTH = 172
_DIGITS = re.compile(r"(?:[0-9A-Za-z+/ ]*|[0-9A-Za-z\-_]*)=*")


class Layout:
    """One request that carries a signature, with everything that is worked out from it once."""

    def __init__(self, request: Request, seen: Carried, identity: App | OAuth1User) -> None:
        self.request, self.seen, self.identity = request, seen, identity
        self.app = identity.app if isinstance(identity, OAuth1User) else identity
        self._censor = Censor(identity)
        self._names_token = any(seen.values("oauth_token"))
        own = identity.access_token_secret if isinstance(identity, OAuth1User) else ""
        self.token_secret = own if self._names_token else ""
        """The secret that belongs to what the request names: none, if it names no token."""
        self._declared = next(iter(seen.values("oauth_signature_method")), "")
        self.method = self._declared if self._can_sign(self._declared) else "HMAC-SHA1"
        self._params = sorted(seen.params, key=lambda param: param.encoded)
        normalized = normalize(param.encoded for param in self._params)
        base_string = build_base_string(request.method, base_uri(request), normalized)
        self.signature = signature_method(self.method, self.app, self.token_secret)(base_string)

    def _can_sign(self, method: str) -> bool:
        return method in HASHES and not (method.startswith("RSA-") and self.app.rsa_private_key is None)

    def shown(self, text: str) -> str:
        """A text of the request, masked and fit to be printed."""
        return self._censor.text(_readable(text))

    def not_signed(self, url: str | None) -> tuple[NotSigned, ...]:
        """What of the request the signature does not cover, and why."""
        found: list[NotSigned] = []
        body, headers = self.request.body, self.request.headers
        if body and not self.request.has_form:
            kind = self._censor.text((headers.get("content-type") or "").partition(";")[0].strip()) or "no content type"
            why = "only a body of type application/x-www-form-urlencoded is signed (RFC 5849 section 3.4.1.3.1)"
            found.append(NotSigned(f"the body ({kind}, {len(body)} bytes)", why))
        if self.seen.realm is not None:
            found.append(NotSigned("realm", "it stands in the header only (RFC 5849 section 3.4.1.3.1)"))
        if url is not None and "#" in url:
            found.append(NotSigned("the URL's fragment", "it is never sent"))
        if self.seen.signatures:
            found.append(NotSigned("oauth_signature", "it is what comes out (RFC 5849 section 3.4.1.3.1)"))
        return tuple(found)

    def remarks(self) -> tuple[Finding, ...]:
        """What is odd about the identity itself."""
        return tuple(
            Finding(
                "secret_white_space",
                "key",
                f"The {which} that was given begins or ends with white space.",
                "Strip it where it is read, unless it is really part of it.",
                certain=False,
            )
            for which in self._key_shape().has_white_space
        )

    def explanation(
        self,
        matches: bool | None,
        findings: tuple[Finding, ...],
        right: tuple[str, ...] = (),
        tried: int = 0,
        not_signed: tuple[NotSigned, ...] = (),
    ) -> Explanation:
        """All of it, masked."""
        signature = next(iter(self.seen.signatures), None)
        uri = self._censor.text(base_uri(self.request))
        parameters = tuple([self._parameter(index, param) for index, param in enumerate(self._params, 1)])
        return Explanation(
            matches=matches,
            findings=findings,
            right=right,
            tried=tried,
            method=self.request.method,
            uri=uri,
            parameters=parameters,
            not_signed=not_signed,
            signature_method=self.method,
            key=self._key_shape(),
            base_string_parts=(
                quote(self.request.method),
                _quoted(uri),
                "%26".join(parameter.signed for parameter in parameters),
            ),
            placement=signature.source if signature else "header",
            signature=self._shown_signature(self.signature),
            received_signature=None if matches is None or signature is None else self._shown_signature(signature.value),
            header=self._header(),
        )

    def _parameter(self, position: int, param: Param) -> Parameter:
        name, value = param.encoded
        shown = _readable(param.name), _readable(param.value)
        masked = self._censor.text(shown[0]), self._censor.value(param.name, shown[1])
        encoded = tuple(
            [
                real if mask == text else _quoted(mask)
                for real, text, mask in zip((name, value), shown, masked, strict=True)
            ]
        )
        return Parameter(
            position, param.source, masked[0], masked[1], encoded[0], encoded[1], quote_encoded("=".join(encoded))
        )

    def _key_shape(self) -> KeyShape:
        secrets = {"consumer secret": self.app.consumer_secret}
        if self._names_token:
            secrets["token secret"] = self.token_secret
        return KeyShape(
            kind="RSA private key" if self.method.startswith("RSA-") else "shared secrets",
            consumer_secret_length=len(self.app.consumer_secret),
            token_secret_length=len(self.token_secret) if self._names_token else None,
            length=len(shared_key(self.app.consumer_secret, self.token_secret)),
            needs_encoding=tuple(name for name, secret in secrets.items() if quote(secret) != secret),
            has_white_space=tuple(name for name, secret in secrets.items() if secret.strip() != secret),
        )

    def _shown_signature(self, signature: str) -> str:
        plain = unquote(signature).decode("utf-8", "replace").strip()
        if self._declared == PLAINTEXT or self._censor.text(plain) != plain:
            return MASK
        if not _DIGITS.fullmatch(plain) or (len(plain) not in _LENGTHS and len(plain) < _RSA_LENGTH):
            return f"{MASK} ({len(plain)} characters, no signature)"
        return _readable(signature)

    def _header(self) -> str | None:
        """The header as it should be; None if the signature does not stand there."""
        fields = self.seen.authorization.fields if self.seen.authorization else ()
        if not any(field.name.startswith("oauth_") for field in fields):
            return None
        shown: dict[str, str] = {}
        for field in fields:
            if field.name.lower() == "realm":
                shown[field.name] = self._censor.text(field.raw)
            else:
                masked = self._censor.value(field.name, field.value)
                shown[self._censor.text(quote(field.name))] = (
                    quote(field.value) if masked == field.value else _quoted(masked)
                )
        signature = self._shown_signature(self.signature)
        shown["oauth_signature"] = MASK if signature == MASK else quote(signature)
        return "OAuth " + ", ".join(f'{name}="{value}"' for name, value in shown.items())


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _quoted(text: str) -> str:
    """Percent-encoded, but for the mask."""
    return quote(text).replace(quote(MASK), MASK)
