"""Demonstrating proof of possession (RFC 9449): a token is of use only with the key it was issued to. Extra `jose`.

Every request brings a proof, a JWT signed by the key for this method and URL. A service may want a nonce of its own in
it: it tells one with a refusal, or with any answer, and what it told last is used next.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sansauth.effects import Load, Save, Send, Steps, Timeouts, operation
from sansauth.encoding import quote
from sansauth.env import Env
from sansauth.errors import Conflict
from sansauth.http import Request, Response
from sansauth.oauth1.send import Exchange
from sansauth.oauth2.jws import sign_jwt
from sansauth.oauth2.keys import base64url, generated_key, signing_key, thumbprint
from sansauth.provider import Provider
from sansauth.refusal import read_refusal
from sansauth.secret import Secret

__all__ = [
    "DPoPKey",
    "access_token_hash",
    "asks_for_nonce",
    "dpop_nonce_key",
    "keep_nonce",
    "proof",
    "prove",
    "send_with_proof",
    "told_nonce",
    "with_proof",
]

_NONCE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")  # section 8.1


@dataclass(frozen=True, slots=True, repr=False)
class DPoPKey:
    """The key that tokens are bound to. `private_key`, a JWK as JSON text or PEM, is all of it: keep it with them.

    What uses one that cannot be read raises `WrongIdentity`.
    """

    private_key: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "private_key", Secret(self.private_key))

    @staticmethod
    def generate(env: Env) -> DPoPKey:
        """A new P-256 key, from the entropy of `env`."""
        return DPoPKey(generated_key(env.entropy))

    @property
    def public_jwk(self) -> Mapping[str, str]:
        """The public half, as it stands in every proof."""
        return signing_key(self.private_key).public_jwk

    @property
    def thumbprint(self) -> str:
        """What tokens name the key by, and `dpop_jkt` of an authorization request (section 10; RFC 7638)."""
        return thumbprint(self.public_jwk)

    def __repr__(self) -> str:
        return "DPoPKey(***)"


def proof(
    key: DPoPKey, request: Request, *, env: Env, nonce: str | None = None, access_token: str | None = None
) -> Secret:
    """The proof that the sender of this request has the key (section 4.2).

    `nonce` is the service's, if it told one; `access_token` is the one that the request is authorised by.
    """
    signer = signing_key(key.private_key)
    access_token = None if access_token is None else Secret(access_token)
    claims: dict[str, object] = {
        "jti": env.nonce(),
        "htm": request.method,
        "htu": request.origin + request.path,
        "iat": env.timestamp(),
    }
    if access_token is not None:
        claims["ath"] = access_token_hash(access_token)
    if nonce is not None:
        claims["nonce"] = Secret(nonce)
    return sign_jwt(claims, signer, {"typ": "dpop+jwt", "jwk": dict(signer.public_jwk)})


def with_proof(
    request: Request, key: DPoPKey, *, env: Env, nonce: str | None = None, access_token: str | None = None
) -> Request:
    """The request with its proof and, if there is one, the access token that the proof is about (section 7.1)."""
    if access_token is not None:
        access_token = Secret(access_token)
        request = request.with_header("authorization", f"DPoP {access_token}")
    return request.with_header("dpop", proof(key, request, env=env, nonce=nonce, access_token=access_token))


def access_token_hash(access_token: str) -> str:
    """`ath`: the SHA-256 of an access token (section 4.2)."""
    return base64url(hashlib.sha256(Secret(access_token).encode("utf-8", "surrogatepass")).digest())


@operation
def send_with_proof(
    request: Request,
    key: DPoPKey,
    *,
    provider: Provider,
    env: Env,
    access_token: str | None = None,
    again: Callable[[], Request] | None = None,
    timeouts: Timeouts | None = None,
) -> Steps[Exchange]:
    """Send the request with a proof; once more, if the service wants a nonce, with the one that it tells.

    The answer is not judged. `again` builds the request anew for the second time, for one that holds what is good for
    one use only, such as a client's assertion. Raises `ForeignHost` before anything is sent to a host that is not the
    provider's.
    """
    access_token = None if access_token is None else Secret(access_token)
    sent = yield from prove(request, key, provider=provider, env=env, access_token=access_token)
    exchange = Exchange(sent, (yield from Send(sent, timeouts)))
    yield from keep_nonce(exchange)
    if not asks_for_nonce(exchange.response, provider):
        return exchange
    request, told = provider.admit(request if again is None else again()), told_nonce(exchange.response)
    sent = with_proof(request, key, env=env, nonce=told, access_token=access_token)
    exchange = Exchange(sent, (yield from Send(sent, timeouts)))
    yield from keep_nonce(exchange)
    return exchange


@operation
def prove(
    request: Request, key: DPoPKey, *, provider: Provider, env: Env, access_token: str | None = None
) -> Steps[Request]:
    """The request with its proof, which holds the nonce that its origin told last, if it told one."""
    access_token = None if access_token is None else Secret(access_token)
    stored = yield from Load(dpop_nonce_key(provider.admit(request)))
    nonce = None if stored is None else Secret(stored.data.decode())
    return with_proof(request, key, env=env, nonce=nonce, access_token=access_token)


def told_nonce(response: Response) -> Secret | None:
    """The nonce that the answer tells, for the next proofs (sections 8 and 8.2); None for none, and for a bad one."""
    told = response.headers.get_all("dpop-nonce")
    return Secret(told[0]) if len(told) == 1 and _NONCE.fullmatch(told[0]) else None


def asks_for_nonce(response: Response, provider: Provider) -> bool:
    """Whether the answer refuses a proof for want of a nonce, and tells it.

    An authorization server says so in its JSON (section 8), a resource server in `WWW-Authenticate` (section 9).
    """
    if response.status not in {400, 401} or told_nonce(response) is None:
        return False
    # Among others: a service that takes both schemes challenges for both in one answer.
    return "use_dpop_nonce" in read_refusal(response, provider).codes


def dpop_nonce_key(request: Request) -> str:
    """The key of the nonce that the request's origin told last; `mem:`: the client's memory, never persisted."""
    return f"mem:dpop-nonce/{quote(request.origin)}"


@operation
def keep_nonce(exchange: Exchange) -> Steps[None]:
    """Keep the nonce that the answer tells, if it tells one, for the next proofs to the same origin (section 8.2)."""
    told, key = told_nonce(exchange.response), dpop_nonce_key(exchange.request)
    if told is None:
        return
    stored = yield from Load(key)
    if stored is None or stored.data != told.encode():
        with contextlib.suppress(Conflict):  # another call was told one at the same time, which is as good
            yield from Save(key, told.encode(), stored.version if stored is not None else None)
