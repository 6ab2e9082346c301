"""Register a client by itself (RFC 7591)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast, get_args

from sansauth.effects import Send, Steps, operation
from sansauth.errors import InvalidParameter, InvalidURL, RemoteProtocolError, WrongIdentity
from sansauth.http import Request, Response, build_request
from sansauth.identity import ClientAuth, OAuth2Client
from sansauth.oauth2.app_only import success_object
from sansauth.oauth2.bearing import bear, issued_token
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.url import parse_url

__all__ = ["Registered", "build_register_request", "parse_registered", "register"]

_LATEST = 10**12  # Unix seconds, of any time that means something
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)
_KEY = "private_key_jwt"


@dataclass(frozen=True, slots=True)
class Registered:
    """A client as it was registered (RFC 7591 section 3.2.1). Times are Unix seconds.

    `client` makes the client of what the service said: its way to authenticate may be another than was asked for.
    `client_secret_expires_at` is None for a secret that does not end. With `registration_access_token`, which is a
    Secret, the client can be read and changed at `registration_client_uri` (RFC 7592). `further` has all other members
    by name, what was registered instead of what was asked for too, and one of these whose value cannot be read (no time
    for a time, a URL that a token must not go to), which is None here. All texts in it are masked in a repr.
    """

    client_id: str
    client_secret: str | None = None
    token_endpoint_auth_method: str | None = None
    redirect_uri: str | None = None
    """The first of the redirect URIs, which is the only one of most clients."""
    dpop_bound_access_tokens: bool = False
    private_key: str | None = None
    """Of a client of method "private_key_jwt", as it was given to `register`; with `key_id`."""
    key_id: str | None = None
    client_secret_expires_at: float | None = None
    client_id_issued_at: float | None = None
    registration_client_uri: str | None = None
    registration_access_token: str | None = None
    further: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)

    def __post_init__(self) -> None:
        for secret in ("client_secret", "private_key", "registration_access_token"):
            if getattr(self, secret) is not None:
                object.__setattr__(self, secret, Secret(getattr(self, secret)))

    @property
    def client(self) -> OAuth2Client:
        """The client; `RemoteProtocolError` if none can be made of what the service said, which the fields tell."""
        keyed = self.token_endpoint_auth_method == _KEY
        try:
            return OAuth2Client(
                self.client_id,
                self.client_secret,
                redirect_uri=self.redirect_uri,
                auth=cast("ClientAuth | None", self.token_endpoint_auth_method),
                private_key=self.private_key if keyed else None,
                key_id=self.key_id if keyed else None,
                dpop_bound_access_tokens=self.dpop_bound_access_tokens,
            )
        except WrongIdentity as error:
            wrong = str(error)
        raise RemoteProtocolError(f"client {self.client_id!r:.80} was registered, but cannot be used: {wrong}")


@operation
def register(
    metadata: Mapping[str, object],
    *,
    provider: Provider,
    initial_access_token: str | None = None,
    private_key: str | None = None,
    key_id: str | None = None,
) -> Steps[Registered]:
    """Register a client (RFC 7591 section 3). Keep the result: its secrets are told only once.

    `metadata` is what section 2 names: `redirect_uris`, `client_name`, `token_endpoint_auth_method` and so on. A client
    of method "private_key_jwt" needs its `private_key` (PEM text) here, whose public half is in `jwks` or at
    `jwks_uri`; it is not sent. `initial_access_token` is the service's leave to register. Raises the `ApiError` of a
    refusal: a `BadRequest` with `invalid_redirect_uri`, `invalid_client_metadata` or the like among its `codes`.
    `InvalidParameter`, before anything is sent, for a client that could not be used here.
    """
    initial_access_token = None if initial_access_token is None else issued_token(initial_access_token)
    private_key = None if private_key is None else Secret(private_key)
    metadata = dict(metadata)
    method = metadata.get("token_endpoint_auth_method")
    if method is not None and method not in get_args(ClientAuth):
        raise InvalidParameter(f"token_endpoint_auth_method is one of {', '.join(get_args(ClientAuth))}, or left out")
    if method == _KEY and private_key is None:
        raise InvalidParameter("a client of method private_key_jwt signs with a private_key; give it too")
    request = build_register_request(metadata, provider=provider, initial_access_token=initial_access_token)
    response = yield from Send(request)
    return parse_registered(response, provider, request=request, asked=metadata, private_key=private_key, key_id=key_id)


def build_register_request(
    metadata: Mapping[str, object], *, provider: Provider, initial_access_token: str | None = None
) -> Request:
    """Ask for a registration: the metadata as JSON (RFC 7591 section 3.1)."""
    request = build_request(
        "POST", provider.endpoint("registration"), json=dict(metadata), headers={"accept": "application/json"}
    )
    return provider.admit(request if initial_access_token is None else bear(request, initial_access_token))


def parse_registered(
    response: Response,
    provider: Provider,
    *,
    request: Request | None = None,
    asked: Mapping[str, object] | None = None,
    private_key: str | None = None,
    key_id: str | None = None,
) -> Registered:
    """Read a registration (RFC 7591 section 3.2.1). `asked` holds for what the answer leaves out.

    Without a client_id it is a `RemoteProtocolError`. Nothing else that is odd loses a registration: the client exists,
    and its secrets are told only once.
    """
    private_key = None if private_key is None else Secret(private_key)
    answer = success_object(response, provider, request=request)
    members = _Members(answer, asked or {})
    client_id = members.text("client_id")
    if client_id is None:
        raise RemoteProtocolError(f"{provider.name} answered {response.status} with no client_id that can be used")
    method = members.text("token_endpoint_auth_method") or members.asked_text("token_endpoint_auth_method")
    return Registered(
        client_id=str(client_id),
        client_secret=members.text("client_secret"),
        token_endpoint_auth_method=None if method is None else str(method),
        redirect_uri=members.redirect_uri(),
        dpop_bound_access_tokens=members.flag("dpop_bound_access_tokens"),
        private_key=private_key,
        key_id=key_id,
        client_secret_expires_at=members.time("client_secret_expires_at") or None,
        client_id_issued_at=members.time("client_id_issued_at"),
        registration_client_uri=members.url("registration_client_uri", provider),
        registration_access_token=members.text("registration_access_token"),
        further=answer,
    )


@dataclass(frozen=True, slots=True, repr=False)
class _Members:
    """The members of an answer, each taken out of it if it can be read, and else left there."""

    answer: dict[str, object]
    asked: Mapping[str, object]

    def text(self, name: str) -> str | None:
        value = self.answer.get(name)
        if not isinstance(value, str) or not value:  # an empty one is how some say that there is none
            return None
        del self.answer[name]
        return value

    def asked_text(self, name: str) -> str | None:
        value = self.asked.get(name)
        return value if isinstance(value, str) else None

    def time(self, name: str) -> float | None:
        value = self.answer.get(name)
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        # A comparison that NaN fails, and that an int of any length bears.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LATEST:
            return None
        del self.answer[name]
        return value

    def url(self, name: str, provider: Provider) -> str | None:
        try:
            url = parse_url(cast("str", self.answer.get(name)))  # which checks the type too
        except InvalidURL:
            return None
        if url.scheme == "http" and not (url.is_loopback or provider.allow_http):
            return None  # the registration's access token would go there
        del self.answer[name]
        return str(url)

    def flag(self, name: str) -> bool:
        value = self.answer.get(name)
        return value if isinstance(value, bool) else self.asked.get(name) is True

    def redirect_uri(self) -> str | None:
        for source in (self.answer, self.asked):
            value = source.get("redirect_uris")
            uris = cast("list[object]", value) if isinstance(value, (list, tuple)) else []
            if uris and isinstance(uris[0], str):
                return str(uris[0])
        return None
