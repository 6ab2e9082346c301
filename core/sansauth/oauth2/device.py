"""Log a user in on another device: one shows a code, the other asks the user (RFC 8628)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from sansauth.awaiting import checked_scopes, saved_members
from sansauth.effects import Send, Sleep, Steps, operation
from sansauth.encoding import Params, Value, decode, encode
from sansauth.env import Env
from sansauth.errors import (
    ApiError,
    AuthorizationPending,
    Denied,
    ForeignCallback,
    InvalidCallback,
    InvalidParameter,
    InvalidURL,
    LocalProtocolError,
    LoginError,
    LoginExpired,
    RemoteProtocolError,
    SlowDown,
    TransportError,
)
from sansauth.http import Request, Response
from sansauth.identity import OAuth2Client
from sansauth.oauth2.answer import read_expires_in
from sansauth.oauth2.app_only import success_object
from sansauth.oauth2.client_auth import build_client_request
from sansauth.oauth2.grants import Grant, join_scopes, listed, proof_key, request_tokens
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.tokens import OAuth2Tokens
from sansauth.url import parse_url

__all__ = [
    "INTERVAL_SECONDS",
    "AwaitingDevice",
    "begin_device_login",
    "build_device_request",
    "finish_device_login",
    "parse_device_answer",
]

INTERVAL_SECONDS = 5.0
"""Between two questions, unless the service says otherwise; and what each `slow_down` adds (sections 3.2 and 3.5)."""

SCHEMA = 1
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_DENIED = frozenset({"access_denied", "authorization_declined"})  # section 3.5, and what Microsoft Entra says
_PRINTABLE = re.compile(r"[\x20-\x7E]{1,4096}")  # nothing in it that a terminal would obey


@dataclass(frozen=True, slots=True, repr=False)
class AwaitingDevice:
    """A login that waits for a human at another device: show `verification_uri` and `user_code`, then finish it.

    It goes through JSON as `AwaitingUser` does, and holds `device_code`, which is as good as the tokens it will become:
    its JSON belongs where only this device reaches. `user_code` and `verification_uri_complete` (for a QR code) are for
    this user's eyes: they mask themselves in a repr, and print when told to. `interval` is in seconds.
    """

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_at: int
    """Unix seconds; from then on the login is not finished any more."""
    interval: float
    provider: str
    """The authority of the provider it was begun at."""
    device_code: str
    scopes: tuple[str, ...] | None = None
    """Those that were asked for."""

    def __post_init__(self) -> None:
        for name in ("user_code", "verification_uri", "provider", "device_code"):
            _require_text(name, getattr(self, name))
        pages = [self.verification_uri]
        if self.verification_uri_complete is not None:
            _require_text("verification_uri_complete", self.verification_uri_complete)
            pages.append(self.verification_uri_complete)
            object.__setattr__(self, "verification_uri_complete", Secret(self.verification_uri_complete))
        for page in pages:
            parse_url(page)  # a user is sent there: it must not be a `javascript:`
        if type(self.expires_at) is not int:
            raise InvalidParameter(f"expires_at is Unix seconds as an int, not {type(self.expires_at).__name__}")
        if type(self.interval) not in (int, float) or not 0 < self.interval < float("inf"):
            raise InvalidParameter("interval is a finite number of seconds above zero")
        if self.scopes is not None:
            object.__setattr__(self, "scopes", checked_scopes(self.scopes))
        for name in ("user_code", "device_code"):
            object.__setattr__(self, name, Secret(getattr(self, name)))

    def to_json(self) -> str:
        """The login as text, with its device code in it; `from_json` reads it, in another process too."""
        members = {name: getattr(self, name) for name in _FIELDS}
        return json.dumps({"schema": SCHEMA, "kind": "device", **members}, separators=(",", ":"))

    @staticmethod
    def from_json(row: str | bytes) -> AwaitingDevice:
        """Read what `to_json` wrote; `InvalidCallback` if it is that not, or of a newer schema."""
        awaiting = _read(row)
        if awaiting is None:
            kind = type(row).__name__
            del row  # a traceback that shows the locals of its frames must not show what was saved
            raise InvalidCallback(
                f"this {kind} is no device's login saved by to_json, schema {SCHEMA}; if it was lost, begin another"
            )
        return awaiting

    def __reduce__(self) -> tuple[Callable[[str], AwaitingDevice], tuple[str]]:
        # By the same versioned text, so that a pickle of another release is refused and never half read.
        return AwaitingDevice.from_json, (self.to_json(),)

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name, None)!r}" for name in ("provider", "expires_at")]
        return f"AwaitingDevice({', '.join(shown)}, ***)"


_FIELDS = (
    "user_code", "verification_uri", "verification_uri_complete", "expires_at", "interval", "provider", "device_code",
    "scopes",
)  # fmt: skip


# --- begin -----------------------------------------------------------------------------------------------------------


@operation
def begin_device_login(
    client: OAuth2Client,
    scopes: Iterable[str] | None,
    *,
    provider: Provider,
    env: Env,
    parameters: Params | None = None,
) -> Steps[AwaitingDevice]:
    """Begin a device's login: obtain the code to show to the user (RFC 8628 sections 3.1 and 3.2).

    `parameters` go along, such as an `audience`. Raises the `ApiError` of a refusal, and `RemoteProtocolError` for an
    answer without what the user must be shown.
    """
    scopes = None if scopes is None else listed(scopes)
    request = build_device_request(client, scopes, provider=provider, env=env, parameters=parameters)
    now = env.clock()  # before the request, so that our end of the login never comes after the service's
    response = yield from Send(request)
    return parse_device_answer(response, provider, now=now, request=request, asked=scopes)


def build_device_request(
    client: OAuth2Client,
    scopes: Iterable[str] | None,
    *,
    provider: Provider,
    env: Env,
    parameters: Params | None = None,
) -> Request:
    """Ask for a device code (RFC 8628 section 3.1); the client authenticates as everywhere."""
    form: list[tuple[str, Value]] = [("scope", join_scopes(scopes, provider)), *decode(encode(parameters or ()))]
    return build_client_request(provider.endpoint("device_authorization"), form, client, provider, env)


def parse_device_answer(
    response: Response,
    provider: Provider,
    *,
    now: float,
    request: Request | None = None,
    asked: Iterable[str] | None = None,
) -> AwaitingDevice:
    """Read the codes (RFC 8628 section 3.2).

    `now`, in Unix seconds, is when they were issued; `asked` are the scopes that were asked for. Raises the `ApiError`
    of a refusal, and `RemoteProtocolError` for an answer without what the user must be shown.
    """
    answer = success_object(response, provider, request=request)
    life = read_expires_in(answer.get("expires_in"))
    if life is None:
        raise RemoteProtocolError(f"{provider.name} answered {response.status} without a usable expires_in")
    # What Google called it before the RFC was written, and still does.
    page = answer.get("verification_uri") or answer.get("verification_url")
    shown = [answer.get("user_code"), page, answer.get("verification_uri_complete"), answer.get("device_code")]
    code, uri, complete, device_code = cast("list[str]", shown)  # which AwaitingDevice checks
    try:
        return AwaitingDevice(
            user_code=code,
            verification_uri=str(uri) if isinstance(uri, Secret) else uri,
            verification_uri_complete=complete or None,
            expires_at=int(now + life),
            interval=read_expires_in(answer.get("interval")) or INTERVAL_SECONDS,
            provider=provider.authority,
            device_code=device_code,
            scopes=None if asked is None else tuple(asked),
        )
    except LocalProtocolError as error:
        wrong = str(error)
    raise RemoteProtocolError(f"{provider.name} answered {response.status} with no usable device codes: {wrong}")


# --- finish ----------------------------------------------------------------------------------------------------------


@operation
def finish_device_login(
    client: OAuth2Client, awaiting: AwaitingDevice, *, provider: Provider, env: Env
) -> Steps[OAuth2Tokens]:
    """Ask until the user has decided; gives their tokens (RFC 8628 sections 3.4 and 3.5).

    It sleeps before each question, longer after every `slow_down`, and twice as long after every trouble of transport
    or of the service (429, 503 and the like). Raises `Denied`, `LoginExpired` (by the service's word or by our clock),
    and the `ApiError` of any other refusal.
    """
    login = _handed_in(awaiting)
    del awaiting  # what is handed in by mistake is most often the saved text: no frame may show it
    if isinstance(login, str):
        raise LocalProtocolError(
            f"finish_device_login takes an AwaitingDevice, not {login}; read it with AwaitingDevice.from_json"
        )
    if login.provider != provider.authority:
        raise ForeignCallback(f"this login was begun at {login.provider}, not at {provider.authority}")
    grant: Grant = (("grant_type", _DEVICE_CODE), ("device_code", login.device_code))
    interval, key = login.interval, proof_key(client, env)
    asking = request_tokens(client, grant, provider=provider, env=env, asked=login.scopes, dpop_key=key)
    while True:
        left = login.expires_at - env.clock()
        if left > 0:
            yield from Sleep(min(interval, left))
        if env.clock() >= login.expires_at:
            raise LoginExpired("the user did not decide in time, and the login has expired; begin another")
        try:
            return (yield from asking)
        except SlowDown:
            interval += INTERVAL_SECONDS
        except AuthorizationPending:
            continue
        except TransportError:
            interval *= 2
        except ApiError as error:
            if ended := _ended(error, provider):
                raise ended from error
            if not error.retryable:
                raise
            interval *= 2


def _ended(error: ApiError, provider: Provider) -> LoginError | None:
    """What a refusal means for the login; None if it is not about that."""
    if not _DENIED.isdisjoint(error.codes):
        return Denied("the user did not let the application in")
    if "expired_token" in error.codes:
        return LoginExpired(f"{provider.name} says that this login has expired; begin another")
    return None


def _handed_in(awaiting: object) -> AwaitingDevice | str:
    """The login; of anything else the name of its type."""
    return awaiting if isinstance(awaiting, AwaitingDevice) else type(awaiting).__name__


# --- the saved form --------------------------------------------------------------------------------------------------


def _read(row: object) -> AwaitingDevice | None:
    members = saved_members(row, SCHEMA)
    if members is None or members.get("kind") != "device":
        return None
    try:
        return AwaitingDevice(*cast("list[str]", [members[name] for name in _FIELDS]))  # type: ignore[arg-type]  # it checks
    except (KeyError, InvalidParameter, InvalidURL):
        return None


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidParameter(f"{name} is a str, not {type(value).__name__}")
    if not _PRINTABLE.fullmatch(value):
        value = Secret(value)
        raise InvalidParameter(f"{name} is printable ASCII text, and neither empty nor of more than 4096 characters")
