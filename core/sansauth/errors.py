"""Every exception of sansauth, in one tree.

    SansauthError
    ├── ApiError                       the service answered, and refused
    │   ├── UnexpectedRedirect         3xx: nothing is followed with credentials
    │   ├── BadRequest                 400
    │   │   ├── AuthorizationPending   the user of a device has not decided yet
    │   │   │   └── SlowDown           and is asked for too often
    │   │   ├── InvalidGrant           the code or refresh token was used, revoked, has expired, or never was one
    │   │   ├── InvalidScope           the client may not ask for this scope, or there is none of that name
    │   │   ├── UnauthorizedClient     the client may not use this grant
    │   │   ├── UnsupportedGrant       the service does not know this grant
    │   │   ├── MissingParameter       a required parameter was not sent
    │   │   └── BadAuthenticationData  no usable credentials were in the request
    │   ├── Unauthorized               401
    │   │   ├── CouldNotAuthenticate   the signature or the token was not accepted
    │   │   ├── InvalidClient          the OAuth 2 client did not authenticate as the service wants it
    │   │   ├── InvalidProof           the DPoP proof was not accepted
    │   │   │   └── NonceRequired      it needs the nonce that the answer brings
    │   │   ├── InvalidOrExpiredToken  the token was revoked, or never was one
    │   │   ├── TimestampOutOfRange    the two clocks differ too much
    │   │   └── UnableToVerifyCredentials   consumer key and secret do not belong together
    │   ├── PaymentRequired            402
    │   │   └── CreditsDepleted
    │   ├── Forbidden                  403
    │   │   ├── AlreadyFavorited, AlreadyRetweeted, DuplicateStatus
    │   │   ├── AccountLocked, AccountSuspended
    │   │   ├── CallbackNotApproved
    │   │   ├── ClientForbidden        the application may not call this endpoint
    │   │   ├── InsufficientScope      the token was not granted the scope that this needs
    │   │   ├── TokenNotInvalidated    the application may not invalidate this token
    │   │   └── UnsupportedAuthentication   right credentials of the wrong kind
    │   ├── NotFound                   404
    │   ├── NotAcceptable              406
    │   ├── RequestEntityTooLarge      413
    │   ├── UnprocessableEntity        422
    │   ├── TooManyRequests            429, and 420 of old
    │   │   └── UsageCapExceeded       a monthly or daily cap: waiting for the window does not help
    │   ├── InternalServerError        500
    │   ├── BadGateway                 502
    │   ├── ServiceUnavailable         503
    │   └── GatewayTimeout             504
    ├── LoginRequired                  the user's tokens are gone or dead: only a login helps
    ├── RenewalFailed                  tokens could not be renewed by whom this call waited for
    ├── LoginError                     a login that a person took part in did not end in a token
    │   ├── Denied                     the user said no
    │   ├── AlreadyUsed                this login was finished before, or is being finished
    │   ├── LoginExpired               the user took too long
    │   ├── LoginRefused               the service's page ended it with an error
    │   ├── ForeignCallback            the callback belongs to another login
    │   │   └── WrongIssuer            or to another service
    │   └── InvalidCallback            what came back is no callback of this kind of login
    ├── TransportError                 no whole answer came back; `sent` says whether the service may have acted
    │   ├── ConnectError
    │   ├── TLSError
    │   ├── WriteError
    │   ├── ReadError
    │   ├── TimedOut
    │   └── ResponseTooLarge
    ├── ProtocolError
    │   ├── LocalProtocolError         this side broke the contract
    │   │   ├── InvalidURL, InvalidHeader, InvalidParameter
    │   │   ├── ForeignHost            credentials may not go to that host
    │   │   ├── InsecureTransport      plain http to a host that is not this machine
    │   │   └── WrongIdentity          this operation cannot be done by that kind of caller
    │   └── RemoteProtocolError        the peer did: an answer that is not what its protocol promises
    │       ├── InvalidIdToken         an id_token that does not prove what it claims
    │       └── InvalidSignature       a received request is not what its sender claims
    └── StoreError
        └── Conflict                   the record changed since it was read

No secret is ever an argument of one of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sansauth.oauth1.received import Fault
    from sansauth.ratelimit import RateLimit

__all__ = [
    "AccountLocked",
    "AccountSuspended",
    "AlreadyFavorited",
    "AlreadyRetweeted",
    "AlreadyUsed",
    "ApiError",
    "AuthorizationPending",
    "BadAuthenticationData",
    "BadGateway",
    "BadRequest",
    "CallbackNotApproved",
    "ClientForbidden",
    "Conflict",
    "ConnectError",
    "CouldNotAuthenticate",
    "CreditsDepleted",
    "Denied",
    "DuplicateStatus",
    "Forbidden",
    "ForeignCallback",
    "ForeignHost",
    "GatewayTimeout",
    "InsecureTransport",
    "InsufficientScope",
    "InternalServerError",
    "InvalidCallback",
    "InvalidClient",
    "InvalidGrant",
    "InvalidHeader",
    "InvalidIdToken",
    "InvalidOrExpiredToken",
    "InvalidParameter",
    "InvalidProof",
    "InvalidScope",
    "InvalidSignature",
    "InvalidURL",
    "LocalProtocolError",
    "LoginError",
    "LoginExpired",
    "LoginRefused",
    "LoginRequired",
    "MissingParameter",
    "NonceRequired",
    "NotAcceptable",
    "NotFound",
    "PaymentRequired",
    "ProtocolError",
    "ReadError",
    "Refusal",
    "RemoteProtocolError",
    "RenewalFailed",
    "RequestEntityTooLarge",
    "ResponseTooLarge",
    "SansauthError",
    "ServiceUnavailable",
    "SlowDown",
    "StoreError",
    "TLSError",
    "TimedOut",
    "TimestampOutOfRange",
    "TokenNotInvalidated",
    "TooManyRequests",
    "TransportError",
    "UnableToVerifyCredentials",
    "Unauthorized",
    "UnauthorizedClient",
    "UnexpectedRedirect",
    "UnprocessableEntity",
    "UnsupportedAuthentication",
    "UnsupportedGrant",
    "UsageCapExceeded",
    "WriteError",
    "WrongIdentity",
    "WrongIssuer",
]

_RETRYABLE = frozenset({408, 420, 429, 500, 502, 503, 504})


class SansauthError(Exception):
    """The root: catch this to catch all of ours."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refusing answer said, already stripped of secrets: the one argument of every `ApiError`.

    `service` is the provider's name, `codes` its own error codes or problem slugs, `text` its words (shortened),
    `hint` ours: what to check. `rate_limits` are those of the answer's headers. `retry_after` is in seconds.
    """

    service: str
    status: int
    codes: tuple[int | str, ...] = ()
    text: str = ""
    hint: str = ""
    rate_limits: tuple[RateLimit, ...] = ()
    transaction_id: str | None = None
    retry_after: float | None = None
    scopes: tuple[str, ...] = ()
    error_uri: str | None = None


class ApiError(SansauthError):
    """The service answered, and refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.refusal.status

    @property
    def codes(self) -> tuple[int | str, ...]:
        """The service's own codes, in its order; problem types by the last segment of their URI."""
        return self.refusal.codes

    @property
    def text(self) -> str:
        """The service's words, shortened and stripped of secrets; empty if it had none."""
        return self.refusal.text

    @property
    def hint(self) -> str:
        """Our words: what to check; empty where we know nothing better than the text."""
        return self.refusal.hint

    @property
    def rate_limit(self) -> RateLimit | None:
        """The limit that binds: the exhausted one that resets last, else the shortest window; None if not sent."""
        from sansauth.ratelimit import RateLimit  # here: who has no error to look at does not pay for it

        return RateLimit.binding(self.refusal.rate_limits)

    @property
    def rate_limits(self) -> tuple[RateLimit, ...]:
        """All limits of the answer, one per pool."""
        return self.refusal.rate_limits

    @property
    def transaction_id(self) -> str | None:
        """The service's id of this exchange, for a bug report."""
        return self.refusal.transaction_id

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asks to wait, from its answer on (RFC 9110 section 10.2.3); None if it does not."""
        return self.refusal.retry_after

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that the service asks for (RFC 6750 section 3), mostly of an `InsufficientScope`; often none."""
        return self.refusal.scopes

    @property
    def error_uri(self) -> str | None:
        """The service's page about this error, for people (RFC 6749 section 5.2); None if there is none."""
        return self.refusal.error_uri

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later (408, 420, 429, 500, 502, 503, 504)."""
        return self.status in _RETRYABLE

    def __str__(self) -> str:
        refusal = self.refusal
        said = ", ".join(
            [*(f"code {code}" for code in refusal.codes), *([f'"{refusal.text}"'] if refusal.text else [])]
        )
        sentence = f"{refusal.service} answered {refusal.status}" + (f" ({said})." if said else ".")
        return f"{sentence} {refusal.hint}" if refusal.hint else sentence


class UnexpectedRedirect(ApiError):
    """3xx. A redirect is never followed with credentials."""


class BadRequest(ApiError):
    """400."""


class AuthorizationPending(BadRequest):
    """The user of a device has not decided yet (RFC 8628 section 3.5)."""


class SlowDown(AuthorizationPending):
    """The user has not decided yet, and is asked for too often (RFC 8628 section 3.5)."""


class InvalidGrant(BadRequest):
    """The code or refresh token was used, revoked, has expired, or is another client's (RFC 6749 section 5.2)."""


class InvalidScope(BadRequest):
    """The client may not ask for this scope, or there is none of that name (RFC 6749 section 5.2)."""


class UnauthorizedClient(BadRequest):
    """The client may not use this grant (RFC 6749 section 5.2)."""


class UnsupportedGrant(BadRequest):
    """The service does not know this grant, response or token type (RFC 6749 section 5.2, RFC 7009 section 2.2.1)."""


class MissingParameter(BadRequest):
    """A required parameter was not sent, or the body was not form-encoded."""


class BadAuthenticationData(BadRequest):
    """No usable credentials were in the request."""


class Unauthorized(ApiError):
    """401."""


class CouldNotAuthenticate(Unauthorized):
    """The signature or the token was not accepted."""


class InvalidClient(Unauthorized):
    """The OAuth 2 client did not authenticate as the service wants it (RFC 6749 section 5.2)."""


class InvalidProof(Unauthorized):
    """The DPoP proof was not accepted (RFC 9449 section 5)."""


class NonceRequired(InvalidProof):
    """The DPoP proof needs the nonce that the answer brings (RFC 9449 section 8)."""


class InvalidOrExpiredToken(Unauthorized):
    """The token was revoked or invalidated, or never was one."""


class TimestampOutOfRange(Unauthorized):
    """The request's timestamp is too far from the service's clock."""


class UnableToVerifyCredentials(Unauthorized):
    """Consumer key and secret do not belong together, or the token given is not one of theirs."""


class PaymentRequired(ApiError):
    """402."""


class CreditsDepleted(PaymentRequired):
    """The account has no credits left."""


class Forbidden(ApiError):
    """403."""


class AlreadyFavorited(Forbidden):
    """The post was liked before."""


class AlreadyRetweeted(Forbidden):
    """The post was reposted before."""


class DuplicateStatus(Forbidden):
    """The same text was posted before."""


class AccountLocked(Forbidden):
    """The account is locked for now; its owner has to log in."""


class AccountSuspended(Forbidden):
    """The account is suspended."""


class CallbackNotApproved(Forbidden):
    """The callback URL is not registered for this application."""


class ClientForbidden(Forbidden):
    """The application is not enrolled for this endpoint."""


class InsufficientScope(Forbidden):
    """The token was not granted the scope that this needs (RFC 6750 section 3.1)."""


class TokenNotInvalidated(Forbidden):
    """The application is not permitted to invalidate this token."""


class UnsupportedAuthentication(Forbidden):
    """The credentials are right, but of a kind this endpoint does not accept."""


class NotFound(ApiError):
    """404."""


class NotAcceptable(ApiError):
    """406."""


class RequestEntityTooLarge(ApiError):
    """413."""


class UnprocessableEntity(ApiError):
    """422."""


class TooManyRequests(ApiError):
    """429, or 420 of old."""


class UsageCapExceeded(TooManyRequests):
    """A monthly or daily cap is used up: waiting for the rate limit's window does not help."""

    @property
    def retryable(self) -> bool:
        """Never: the cap ends with its period, not with a wait."""
        return False


class InternalServerError(ApiError):
    """500."""


class BadGateway(ApiError):
    """502."""


class ServiceUnavailable(ApiError):
    """503."""


class GatewayTimeout(ApiError):
    """504."""


class LoginRequired(SansauthError):
    """The user's tokens are missing, gone or dead: only a login gets new ones."""


class RenewalFailed(SansauthError):
    """The tokens could not be renewed by whom this call waited for; nothing was sent for it.

    `retryable`: whether what kept them from it may pass by itself.
    """

    def __init__(self, message: str, retryable: bool = True) -> None:
        super().__init__(message, retryable)
        self.retryable = retryable

    def __str__(self) -> str:
        return str(self.args[0])


class LoginError(SansauthError):
    """A login that a person took part in did not end in a token."""


class Denied(LoginError):
    """The user, or the service in their name, refused the application."""


class AlreadyUsed(LoginError):
    """This login was finished before, or is being finished elsewhere: a callback is good for one use."""


class LoginExpired(LoginError):
    """The login was begun too long ago; begin another."""


class LoginRefused(LoginError):
    """The service's page ended the login with an error: a wrong scope or client, or trouble of its own.

    `code` is the page's error (RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6): `login_required`,
    `temporarily_unavailable`, ...; empty if it cannot be shown.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class ForeignCallback(LoginError):
    """The callback belongs to another login than the one that is being finished; it may be forged."""


class WrongIssuer(ForeignCallback):
    """The callback comes from another service than the one the login was begun at (RFC 9207)."""


class InvalidCallback(LoginError):
    """What came back is no callback of this kind of login: a parameter is missing, or there twice."""


class TransportError(SansauthError):
    """No whole answer came back.

    `sent` is False only when no byte of the request can have reached the service, so that sending again is safe.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectError(TransportError):
    """No connection: name resolution, refusal, proxy."""


class TLSError(TransportError):
    """The certificate was not accepted, or the peer does not speak TLS."""


class WriteError(TransportError):
    """The connection broke while the request was sent."""


class ReadError(TransportError):
    """The connection broke before the answer was whole."""


class TimedOut(TransportError):
    """A limit of `Timeouts` was reached."""


class ResponseTooLarge(TransportError):
    """The answer is longer than the transport accepts; it was refused while being read."""


class ProtocolError(SansauthError):
    """Somebody broke the contract."""


class LocalProtocolError(ProtocolError):
    """This side did."""


class InvalidURL(LocalProtocolError, ValueError):
    """The URL is outside the grammar of `Request`."""


class InvalidHeader(LocalProtocolError, ValueError):
    """A header name is not a token, or a value holds CR, LF, NUL or characters outside ISO-8859-1."""


class InvalidParameter(LocalProtocolError, ValueError):
    """A parameter's value is of a type that has no form encoding, or is not Unicode text."""


class ForeignHost(LocalProtocolError):
    """The request goes to a host that is not the provider's: no credentials for it."""


class InsecureTransport(LocalProtocolError):
    """Plain http to a host that is not this machine."""


class WrongIdentity(LocalProtocolError):
    """This operation cannot be done by that kind of caller."""


class RemoteProtocolError(ProtocolError):
    """The peer's answer is not what its protocol promises."""


class InvalidIdToken(RemoteProtocolError):
    """An id_token does not prove what it claims: see the message for the check that failed (OpenID Connect Core)."""


class InvalidSignature(RemoteProtocolError):
    """A received request is not what its sender claims: see the message for the part that is wrong.

    `fault` names that part for a program; None where there is but one.
    """

    def __init__(self, message: str, *, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.fault = fault


class StoreError(SansauthError):
    """The token store could not do what it was asked to."""


class Conflict(StoreError):
    """The record changed since it was read."""
