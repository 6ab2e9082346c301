"""id_tokens: who the user is that logged in, as the service has signed it (OpenID Connect Core 1.0). Extra `jose`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterator, Mapping
from typing import cast

from sansauth.effects import Steps, Timeouts, operation
from sansauth.env import Env
from sansauth.errors import InvalidIdToken, InvalidParameter, LocalProtocolError
from sansauth.identity import OAuth2Client
from sansauth.oauth2.jwks import Jwks, jwks_with
from sansauth.oauth2.jws import Jwt, read_jwt
from sansauth.oauth2.keys import ALGORITHMS, base64url, is_signed, public_key, require_jose, secret_key
from sansauth.provider import Provider
from sansauth.secret import Secret

__all__ = [
    "LEEWAY_SECONDS",
    "Claims",
    "examine_id_token",
    "ready_to_verify",
    "validate_id_token",
    "verify_id_token",
]

LEEWAY_SECONDS = 60.0  # by which the service's clock and ours may differ
_KEYS_TRIED = 16  # of those that fit: services have two or three, and a list without end must not cost without end
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
def ready_to_verify(provider: Provider, *, env: Env) -> Steps[None]:
    """Meet, before a code is spent, whatever could keep the id_token that comes with its tokens from being verified.

    `LocalProtocolError` without the extra `jose` or an algorithm that is allowed; and what fetching the keys may raise,
    which are then in memory. Nothing is needed where the provider does not say where its keys are.
    """
    if provider.endpoints.jwks is None:
        return
    require_jose()
    kinds = [ALGORITHMS[name].kty for name in provider.quirks.algorithms if name in ALGORITHMS]
    if not kinds:
        raise LocalProtocolError(
            f"no algorithm is allowed for the id_tokens of {provider.name}: Quirks(algorithms=...)"
        )
    if set(kinds) != {"oct"}:
        yield from jwks_with(None, None, provider=provider, env=env)


def examine_id_token(
    id_token: str,
    client: OAuth2Client,
    *,
    provider: Provider,
    now: float,
    nonce: str | None = None,
    access_token: str | None = None,
    max_age: float | None = None,
) -> Claims:
    """The claims of an id_token that came straight from the token endpoint, of a service whose keys are not known.

    TLS stands for the signature there (section 3.1.3.7, 6), and for nothing else: all other checks are those of
    `validate_id_token`.
    """
    id_token, nonce, access_token = Secret(id_token), _masked(nonce), _masked(access_token)
    token = read_jwt(id_token, InvalidIdToken)
    if str(token.header.get("alg")) not in ALGORITHMS:
        raise InvalidIdToken("the id_token's alg is none that is known here; an unsigned id_token is never taken")
    return _judge(token, client, frozenset(), provider, now, nonce, access_token, max_age)


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
    trusted_parties: Collection[str] = (),
    timeouts: Timeouts | None = None,
) -> Steps[Claims]:
    """Verify an id_token with the service's keys, which are fetched when needed (see `jwks_with`), and read its claims.

    Arguments and errors as in `validate_id_token`; besides, what fetching the keys may raise. Not to be used inside an
    `Exclusive`.
    """
    id_token, nonce, access_token = Secret(id_token), _masked(nonce), _masked(access_token)
    parties = _parties(trusted_parties)
    token = _read(id_token, provider)
    algorithm, key_id, keys = _algorithm(token), _key_id(token), Jwks(())
    if not _is_shared(token):
        keys = yield from jwks_with(algorithm, key_id, provider=provider, env=env, timeouts=timeouts)
    wrong = _wrong_signature(token, client, keys, provider)
    if wrong and keys.fitting(algorithm, key_id):
        # The service may have a new key under the old kid, or may name none at all.
        keys = yield from jwks_with(algorithm, key_id, provider=provider, env=env, timeouts=timeouts, other_than=keys)
        wrong = _wrong_signature(token, client, keys, provider)
    if wrong:
        raise InvalidIdToken(wrong)
    return _judge(token, client, parties, provider, env.clock(), nonce, access_token, max_age)


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
    trusted_parties: Collection[str] = (),
) -> Claims:
    """Verify an id_token (section 3.1.3.7) with `keys`, the service's JWKS, and read its claims.

    It is signed by one of `provider.quirks.algorithms`, HS256 with the client's secret; made by `provider.issuer`, for
    this client, and valid at `now` (Unix seconds), give or take `LEEWAY_SECONDS`. `nonce` is what the login sent: None
    if it sent none, and then none is checked. `access_token`, issued along with it, is checked if the id_token names
    its hash (section 3.1.3.8). `max_age` is how long ago, in seconds, the user may have logged in (section 3.1.2.1).
    `trusted_parties` are client ids of others whom the id_token may name besides this client: one that obtained it for
    this one (azp; of Google, the Android client for the server's), or a further audience.
    `InvalidIdToken` says what is wrong, and shows nothing of the token.
    """
    id_token, nonce, access_token = Secret(id_token), _masked(nonce), _masked(access_token)
    parties = _parties(trusted_parties)
    parsed = keys if isinstance(keys, Jwks) else Jwks.of(keys)
    token = _read(id_token, provider)
    if wrong := _wrong_signature(token, client, parsed, provider):
        raise InvalidIdToken(wrong)
    return _judge(token, client, parties, provider, now, nonce, access_token, max_age)


def _read(id_token: str, provider: Provider) -> Jwt:
    """The token, whose header at least is acceptable: only then is it worth fetching keys for."""
    if provider.issuer is None:
        raise LocalProtocolError(f"{provider.name} has no issuer; an id_token needs Provider(issuer=...)")
    require_jose()  # before there is a secret in any frame
    token = read_jwt(id_token, InvalidIdToken)
    header, named = token.header, token.header.get("alg")
    allowed = [name for name in provider.quirks.algorithms if name in ALGORITHMS]
    known = named if isinstance(named, str) and named in ALGORITHMS else None
    if known is None or ALGORITHMS[known] not in [ALGORITHMS[name] for name in allowed]:
        raise InvalidIdToken(
            f"the id_token's alg is none that {provider.name} signs with: {', '.join(allowed) or 'none is allowed'}; "
            f"it is {known or 'none that is known here'}. Where the service does sign by it, list it in "
            "Quirks(algorithms=...)"
        )
    if "crit" in header:
        raise InvalidIdToken("the id_token's header has crit, extensions that are not known (RFC 7515 section 4.1.11)")
    if not isinstance(header.get("kid"), str | None):
        raise InvalidIdToken("the id_token's kid is no text")
    if "+jwt" in str(header.get("typ", "")).lower():
        raise InvalidIdToken("the id_token's typ says that it is a JWT of another kind (RFC 8725 section 3.11)")
    return token


def _judge(
    token: Jwt,
    client: OAuth2Client,
    parties: frozenset[str],
    provider: Provider,
    now: float,
    nonce: str | None,
    access_token: str | None,
    max_age: float | None,
) -> Claims:
    """The claims of a token whose signature is good, if they are too."""
    claims = Claims(token.claims)
    _check_parties(claims, client.client_id, parties, provider)
    _check_times(claims, now)
    if max_age is not None:
        _check_login_time(claims, now, max_age)
    if nonce is not None:
        _check_nonce(claims, nonce)
    if access_token is not None and claims.get("at_hash") is not None:
        _check_access_token(claims, access_token, ALGORITHMS[_algorithm(token)].hash)
    return claims


def _masked(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _algorithm(token: Jwt) -> str:
    return cast("str", token.header["alg"])


def _key_id(token: Jwt) -> str | None:
    return cast("str | None", token.header.get("kid")) or None


def _is_shared(token: Jwt) -> bool:
    """Whether the signature is one by the client's secret, and by no key of a JWKS."""
    return ALGORITHMS[_algorithm(token)].kty == "oct"


def _wrong_signature(token: Jwt, client: OAuth2Client, keys: Jwks, provider: Provider) -> str:
    """What is wrong with the signature; empty if one of the keys that fit has made it."""
    algorithm, key_id = _algorithm(token), _key_id(token)
    if _is_shared(token):
        # Never a key of the JWKS: these are public, and anyone can make an HMAC with one.
        if client.client_secret is None:
            return "the id_token is signed with a client secret, and this client has none"
        usable = [secret_key(client.client_secret).key]
    else:
        fitting = keys.fitting(algorithm, key_id)[:_KEYS_TRIED]
        if not fitting:
            return f"{provider.name} has no key for {algorithm}" + (" of the id_token's kid" if key_id else "")
        usable = [key for key in map(public_key, fitting) if key is not None]
        if not usable:
            return f"the key of {provider.name} for the id_token's {algorithm} cannot be used"
    if any(is_signed(token.signed, token.signature, algorithm, key) for key in usable):
        return ""
    return "the id_token's signature is not made by the key it names"


def _parties(trusted: Collection[str]) -> frozenset[str]:
    if isinstance(trusted, str):
        raise InvalidParameter("trusted_parties is a list of client ids, not one str")
    return frozenset(trusted)


def _check_parties(claims: Claims, client_id: str, parties: frozenset[str], provider: Provider) -> None:
    """Section 3.1.3.7, 2 to 5."""
    if claims.get("iss") != provider.issuer:
        raise InvalidIdToken(f"the id_token's iss is not the issuer {provider.issuer}")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise InvalidIdToken("the id_token has no sub, the user's id")
    audience = claims.get("aud")
    audiences = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    if client_id not in audiences or not all(isinstance(one, str) for one in audiences):
        raise InvalidIdToken("the id_token's aud does not name this client: it was issued to another")
    ours = parties | {client_id}
    authorized = claims.get("azp")
    if authorized is None and not ours.issuperset(audiences):
        raise InvalidIdToken(
            "the id_token's aud names others besides this client, and azp does not say who it is for; if they are to "
            "be trusted, name them in trusted_parties"
        )
    if authorized is not None and not (isinstance(authorized, str) and authorized in ours):
        raise InvalidIdToken(
            "the id_token's azp is not this client: it was issued to another; if that one is to be trusted, name it in "
            "trusted_parties"
        )


def _check_times(claims: Claims, now: float) -> None:
    """Section 3.1.3.7, 9 and 10; RFC 7519 section 4.1.5."""
    if now >= _time(claims, "exp") + LEEWAY_SECONDS:
        raise InvalidIdToken("the id_token has expired (exp)")
    if now < _time(claims, "iat") - LEEWAY_SECONDS:
        raise InvalidIdToken("the id_token's iat is in the future; is one of the clocks wrong?")
    if claims.get("nbf") is not None and now < _time(claims, "nbf") - LEEWAY_SECONDS:
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
