"""id_tokens: who the user is that logged in, as the service has signed it (OpenID Connect Core 1.0). Extra `jose`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import cast

from sansauth.effects import Steps, Timeouts, operation
from sansauth.env import Env
from sansauth.errors import InvalidIdToken, LocalProtocolError
from sansauth.identity import OAuth2Client
from sansauth.oauth2.jwks import Jwks, jwks_with
from sansauth.oauth2.jws import Jwt, read_jwt
from sansauth.oauth2.keys import ALGORITHMS, base64url, is_signed, public_key, secret_key
from sansauth.provider import Provider
from sansauth.secret import Secret

__all__ = ["LEEWAY_SECONDS", "Claims", "validate_id_token", "verify_id_token"]

LEEWAY_SECONDS = 60.0  # by which the service's clock and ours may differ
_LATEST = 10**12  # Unix seconds: what lies behind is no time, or one in milliseconds


class Claims(Mapping[str, object]):
    """The claims of an id_token that was verified, by name; immutable. `claims["sub"]` is the user's id."""

    __slots__ = ("_claims",)

    def __init__(self, claims: Mapping[str, object]) -> None:
        self._claims = dict(claims)

    @property
    def subject(self) -> str:
        """The user's id at the service, never given to another (section 2)."""
        return cast("str", self._claims["sub"])

    def __getitem__(self, name: str) -> object:
        return self._claims[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def __repr__(self) -> str:
        return f"<Claims {', '.join(self._claims)}>"  # not the values: they are about a person


@operation
def verify_id_token(
    client: OAuth2Client,
    id_token: str,
    *,
    provider: Provider,
    env: Env,
    nonce: str | None = None,
    access_token: str | None = None,
    max_age: float | None = None,
    timeouts: Timeouts | None = None,
) -> Steps[Claims]:
    """Verify an id_token with the service's keys, which are fetched when needed (see `jwks_with`), and read its claims.

    Arguments and errors as in `validate_id_token`; besides, what fetching the keys may raise. Not to be used inside an
    `Exclusive`.
    """
    id_token, nonce, access_token = Secret(id_token), _masked(nonce), _masked(access_token)
    token = _read(id_token, provider)
    keys = Jwks(())
    if not _is_shared(token):
        algorithm, key_id = _algorithm(token), _key_id(token)
        keys = yield from jwks_with(algorithm, key_id, provider=provider, env=env, timeouts=timeouts)
    return _judge(token, client, keys, provider, env.clock(), nonce=nonce, access_token=access_token, max_age=max_age)


def validate_id_token(
    id_token: str,
    client: OAuth2Client,
    keys: Jwks | Mapping[str, object],
    *,
    provider: Provider,
    now: float,
    nonce: str | None = None,
    access_token: str | None = None,
    max_age: float | None = None,
) -> Claims:
    """Verify an id_token (section 3.1.3.7) with `keys`, the service's JWKS, and read its claims.

    It is signed by one of `provider.quirks.algorithms`, HS256 with the client's secret; made by `provider.issuer`, for
    this client, and valid at `now` (Unix seconds), give or take `LEEWAY_SECONDS`. `nonce` is what the login sent: None
    if it sent none, and then none is checked. `access_token`, issued along with it, is checked if the id_token names
    its hash (section 3.1.3.8). `max_age` is how long ago, in seconds, the user may have logged in (section 3.1.2.1).
    `InvalidIdToken` says what is wrong, and shows nothing of the token.
    """
    id_token, nonce, access_token = Secret(id_token), _masked(nonce), _masked(access_token)
    parsed = keys if isinstance(keys, Jwks) else Jwks.of(keys)
    token = _read(id_token, provider)
    return _judge(token, client, parsed, provider, now, nonce=nonce, access_token=access_token, max_age=max_age)


def _read(id_token: str, provider: Provider) -> Jwt:
    """The token, whose header at least is acceptable: only then is it worth fetching keys for."""
    if provider.issuer is None:
        raise LocalProtocolError(f"{provider.name} has no issuer; an id_token needs Provider(issuer=...)")
    token = read_jwt(id_token, InvalidIdToken)
    header = token.header
    allowed = [name for name in provider.quirks.algorithms if name in ALGORITHMS]
    if header.get("alg") not in allowed:
        raise InvalidIdToken(
            f"the id_token's alg is none that {provider.name} signs with: {', '.join(allowed)}; "
            "where it does, list it in Quirks(algorithms=...)"
        )
    if "crit" in header:
        raise InvalidIdToken("the id_token's header has crit, extensions that are not known (RFC 7515 section 4.1.11)")
    if not isinstance(header.get("kid", ""), str):
        raise InvalidIdToken("the id_token's kid is no text")
    if "+jwt" in str(header.get("typ", "")).lower():
        raise InvalidIdToken("the id_token's typ says that it is a JWT of another kind (RFC 8725 section 3.11)")
    return token


def _judge(
    token: Jwt,
    client: OAuth2Client,
    keys: Jwks,
    provider: Provider,
    now: float,
    *,
    nonce: str | None,
    access_token: str | None,
    max_age: float | None,
) -> Claims:
    if not is_signed(token.signed, token.signature, _algorithm(token), _key(token, client, keys, provider)):
        raise InvalidIdToken("the id_token's signature is not made by the key it names")
    claims = Claims(token.claims)
    _check_parties(claims, client, provider)
    _check_times(claims, now)
    if max_age is not None:
        _check_login_time(claims, now, max_age)
    if nonce is not None:
        _check_nonce(claims, nonce)
    if access_token is not None and "at_hash" in claims:
        _check_access_token(claims, access_token, ALGORITHMS[_algorithm(token)].hash)
    return claims


def _masked(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _algorithm(token: Jwt) -> str:
    return cast("str", token.header["alg"])


def _key_id(token: Jwt) -> str | None:
    return cast("str | None", token.header.get("kid"))


def _is_shared(token: Jwt) -> bool:
    """Whether the signature is one by the client's secret, and by no key of a JWKS."""
    return ALGORITHMS[_algorithm(token)].kty == "oct"


def _key(token: Jwt, client: OAuth2Client, keys: Jwks, provider: Provider) -> object:
    if _is_shared(token):
        # Never a key of the JWKS: these are public, and anyone can make an HMAC with one.
        if client.client_secret is None:
            raise InvalidIdToken("the id_token is signed with a client secret, and this client has none")
        return secret_key(client.client_secret).key
    algorithm, key_id = _algorithm(token), _key_id(token)
    fitting = keys.fitting(algorithm, key_id)
    if len(fitting) != 1:
        which = "without a kid" if key_id is None else "of the id_token's kid"
        raise InvalidIdToken(f"{provider.name} has {len(fitting)} keys for {algorithm} {which}; expected exactly one")
    key = public_key(fitting[0])
    if key is None:
        raise InvalidIdToken(f"the key of {provider.name} for the id_token's {algorithm} cannot be used")
    return key


def _check_parties(claims: Claims, client: OAuth2Client, provider: Provider) -> None:
    """Section 3.1.3.7, 2 to 5."""
    if claims.get("iss") != provider.issuer:
        raise InvalidIdToken(f"the id_token's iss is not the issuer {provider.issuer}")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise InvalidIdToken("the id_token has no sub, the user's id")
    audience = claims.get("aud")
    audiences = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    if client.client_id not in audiences or not all(isinstance(one, str) for one in audiences):
        raise InvalidIdToken("the id_token's aud does not name this client: it was issued to another")
    if len(audiences) > 1 and "azp" not in claims:
        raise InvalidIdToken("the id_token's aud names others besides this client, and azp does not say who it is for")
    if claims.get("azp", client.client_id) != client.client_id:
        raise InvalidIdToken("the id_token's azp is not this client: it was issued to another")


def _check_times(claims: Claims, now: float) -> None:
    """Section 3.1.3.7, 9 and 10; RFC 7519 section 4.1.5."""
    if now >= _time(claims, "exp") + LEEWAY_SECONDS:
        raise InvalidIdToken("the id_token has expired (exp)")
    if now < _time(claims, "iat") - LEEWAY_SECONDS:
        raise InvalidIdToken("the id_token's iat is in the future; is one of the clocks wrong?")
    if "nbf" in claims and now < _time(claims, "nbf") - LEEWAY_SECONDS:
        raise InvalidIdToken("the id_token is not valid yet (nbf); is one of the clocks wrong?")


def _check_login_time(claims: Claims, now: float, max_age: float) -> None:
    """Section 3.1.3.7, 13."""
    if not -LEEWAY_SECONDS <= now - _time(claims, "auth_time") <= max_age + LEEWAY_SECONDS:
        raise InvalidIdToken(
            "the id_token's auth_time, when the user logged in, is not within max_age; send them to log in again"
        )


def _check_nonce(claims: Claims, nonce: str) -> None:
    """Section 3.1.3.7, 11."""
    claimed = claims.get("nonce")
    if not isinstance(claimed, str) or not _equal(claimed, nonce):
        raise InvalidIdToken("the id_token's nonce is not the one that this login sent: it may belong to another login")


def _check_access_token(claims: Claims, access_token: str, algorithm: str) -> None:
    """Section 3.1.3.8."""
    digest = hashlib.new(algorithm, access_token.encode("utf-8", "surrogatepass")).digest()
    claimed = claims["at_hash"]
    if not isinstance(claimed, str) or not _equal(claimed, base64url(digest[: len(digest) // 2])):
        raise InvalidIdToken("the id_token's at_hash is not that of the access token it came with")


def _time(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LATEST:
        raise InvalidIdToken(f"the id_token's {name} is missing, or no time in Unix seconds")
    return value


def _equal(claimed: str, expected: str) -> bool:
    """In constant time; JSON may hold lone surrogates, which have no UTF-8."""
    texts = [text.encode("utf-8", "surrogatepass") for text in (claimed, expected)]
    return hmac.compare_digest(texts[0], texts[1])
