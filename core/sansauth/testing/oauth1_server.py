"""Signatures, judged by oauthlib's server side: code that is not ours judges what our signer makes (RFC 5849)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple, Protocol

from oauthlib.common import Request as JudgedRequest
from oauthlib.common import extract_params
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, RequestValidator, SignatureOnlyEndpoint

from sansauth.http import FORM, Request
from sansauth.identity import OAuth1User

__all__ = ["Fault", "SignatureServer", "Signer"]

_FOR_EVER = 10**12  # seconds: oauthlib asks the machine's clock, so it must never object; time is judged here
_REMEMBERED = 100_000


class Signer(enum.Enum):
    """Who signed."""

    CONSUMER = "the application, with its consumer key and secret alone"
    USER = "a user of the application, with an access token"


class Fault(enum.Enum):
    """Why a signed request is refused."""

    MALFORMED = "a protocol parameter is missing, given twice, or cannot be read"
    TIMESTAMP = "the timestamp is too far from the service's clock"
    TOKEN = "the access token is unknown"
    SIGNATURE = "consumer key, signature or signature method is wrong, or the nonce was used before"


class _Use(NamedTuple):
    """What must not come twice (RFC 5849 section 3.3)."""

    consumer_key: str
    token: str
    timestamp: str
    nonce: str


class SignatureServer:
    """Judges signed requests of one application and its one user.

    `now` gives the service's time in Unix seconds; a timestamp may differ from it by `tolerance` seconds. The last
    `remembered` nonces that were accepted are not accepted again.
    """

    def __init__(
        self, user: OAuth1User, *, now: Callable[[], float], tolerance: float, remembered: int = _REMEMBERED
    ) -> None:
        self._user = user
        self._now = now
        self._tolerance = tolerance
        self._remembered = remembered
        self._used: dict[_Use, None] = {}  # a set in order of use
        self._endpoint: _Endpoint = SignatureOnlyEndpoint(_Validator(user, self._used))

    def judge(self, request: Request) -> Signer | Fault:
        """Who signed the request, or why it is refused. A refused request does not use up its nonce."""
        form = request.body.decode("latin-1") if request.has_form else ""
        if extract_params(form) is None:
            # oauthlib leaves a form that it cannot read out of the signature, so anything could stand in it.
            return Fault.MALFORMED
        # oauthlib looks for a part of the content type's text; RFC 5849 section 3.4.1.3.1 means the type itself.
        headers = {"Content-Type": FORM}
        if authorization := request.headers.get("authorization"):
            headers["Authorization"] = authorization
        try:
            valid, judged = self._endpoint.validate_request(request.url, request.method, form, headers)
        except ValueError:  # an Authorization header that cannot be split into parameters
            return Fault.MALFORMED
        return self._verdict(valid, judged)

    def _verdict(self, valid: bool, judged: JudgedRequest | None) -> Signer | Fault:
        if judged is None:
            return Fault.MALFORMED
        use = _use(judged)
        if not all((use.consumer_key, use.timestamp, use.nonce, judged.signature, judged.signature_method)):
            return Fault.MALFORMED
        if not self._is_timely(use.timestamp):
            return Fault.TIMESTAMP
        if use.consumer_key == self._user.app.consumer_key and use.token not in {"", self._user.access_token}:
            return Fault.TOKEN
        if not valid:
            return Fault.SIGNATURE
        self._used[use] = None
        if len(self._used) > self._remembered:
            del self._used[next(iter(self._used))]
        return Signer.USER if use.token else Signer.CONSUMER

    def _is_timely(self, timestamp: str) -> bool:
        # Ten digits, as oauthlib has it; and ASCII, because int() reads the digits of every script.
        if not (len(timestamp) == 10 and timestamp.isascii() and timestamp.isdigit()):
            return False
        return abs(self._now() - int(timestamp)) <= self._tolerance


def _use(judged: JudgedRequest) -> _Use:
    found = (judged.client_key, judged.resource_owner_key, judged.timestamp, judged.nonce)
    return _Use(*(value or "" for value in found))


class _Endpoint(Protocol):
    """`SignatureOnlyEndpoint` with the types that its stubs leave out."""

    def validate_request(
        self, uri: str, http_method: str, body: str, headers: dict[str, str]
    ) -> tuple[bool, JudgedRequest | None]: ...


class _Validator(RequestValidator):
    """What oauthlib asks its host for. X's keys and nonces are not of oauthlib's default lengths and alphabet."""

    def __init__(self, user: OAuth1User, used: dict[_Use, None]) -> None:
        super().__init__()
        self._user = user
        self._used = used

    @property
    def allowed_signature_methods(self) -> tuple[str, ...]:
        return (SIGNATURE_HMAC_SHA1,)  # X's only one

    @property
    def enforce_ssl(self) -> bool:
        return False  # the sandbox is served on loopback

    @property
    def timestamp_lifetime(self) -> int:
        return _FOR_EVER

    @property
    def dummy_client(self) -> str:
        return "not " + self._user.app.consumer_key

    def check_client_key(self, client_key: str) -> bool:
        return True

    def check_nonce(self, nonce: str) -> bool:
        return nonce.isascii()  # X asks for no more

    def validate_client_key(self, client_key: str, request: JudgedRequest) -> bool:
        return client_key == self._user.app.consumer_key

    def validate_timestamp_and_nonce(
        self,
        client_key: str,
        timestamp: str,
        nonce: str,
        request: JudgedRequest,
        request_token: str | None = None,
        access_token: str | None = None,
    ) -> bool:
        return _use(request) not in self._used

    # An unknown key or token is refused for being unknown, whatever the signature, so it needs no secret of its own.
    def get_client_secret(self, client_key: str, request: JudgedRequest) -> str:
        return self._user.app.consumer_secret

    def get_access_token_secret(self, client_key: str, token: str, request: JudgedRequest) -> str:
        return self._user.access_token_secret
