"""Register a client by itself (RFC 7591)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from sansauth.effects import Send, Steps, operation
from sansauth.env import Env
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
_KEY = "private_key_jwt"


@dataclass(frozen=True, slots=True)
class Registered:
    """A client as it was registered (RFC 7591 section 3.2.1). Times are Unix seconds.

    `client_secret_expires_at` is None for a secret that does not end. With `registration_access_token`, which is a
    Secret, the client can be read and changed at `registration_client_uri` (RFC 7592). `further` has the other members
    by name: what was registered may differ from what was asked for.
    """

    client: OAuth2Client
    client_secret_expires_at: float | None = None
    client_id_issued_at: float | None = None
    registration_client_uri: str | None = None
    registration_access_token: str | None = None
    further: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)


@operation
def register(
    metadata: Mapping[str, object],
    *,
    provider: Provider,
    env: Env,
    initial_access_token: str | None = None,
    private_key: str | None = None,
    key_id: str | None = None,
) -> Steps[Registered]:
    """Register a client (RFC 7591 section 3). Keep the result: its secrets are told only once.

    `metadata` is what section 2 names: `redirect_uris`, `client_name`, `token_endpoint_auth_method` and so on. A client
    of method "private_key_jwt" needs its `private_key` (PEM text) here, whose public half is in `jwks` or at
    `jwks_uri`; it is not sent. `initial_access_token` is the service's leave to register. Raises the `ApiError` of a
    refusal: a `BadRequest` with `invalid_redirect_uri`, `invalid_client_metadata` or the like among its `codes`.
    """
    del env
    initial_access_token = None if initial_access_token is None else issued_token(initial_access_token)
    private_key = None if private_key is None else Secret(private_key)
    metadata = dict(metadata)
    if metadata.get("token_endpoint_auth_method") == _KEY and private_key is None:
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
    """Read a registration (RFC 7591 section 3.2.1). `asked` holds for what the answer leaves out."""
    private_key = None if private_key is None else Secret(private_key)
    answer = success_object(response, provider, request=request)
    members = _Members(answer, asked or {}, f"{provider.name} answered {response.status}")
    secret = members.text("client_secret")
    method = members.text("token_endpoint_auth_method", or_asked=True)
    keyed = method == _KEY
    try:
        client = OAuth2Client(
            str(members.required("client_id")),
            secret,
            redirect_uri=members.redirect_uri(),
            auth=cast("ClientAuth | None", method and str(method)),
            private_key=private_key if keyed else None,
            key_id=key_id if keyed else None,
        )
    except WrongIdentity as error:
        wrong = str(error)
    else:
        uri, token = members.url("registration_client_uri"), members.text("registration_access_token")
        expiry, issued = members.time("client_secret_expires_at"), members.time("client_id_issued_at")
        return Registered(client, expiry or None, issued, uri, token, answer)
    raise RemoteProtocolError(f"{provider.name} registered a client that cannot be used: {wrong}")


@dataclass(frozen=True, slots=True, repr=False)
class _Members:
    """The members of an answer, each taken out of it and checked; `said` begins the error of one of a wrong type."""

    answer: dict[str, object]
    asked: Mapping[str, object]
    said: str

    def text(self, name: str, *, or_asked: bool = False) -> str | None:
        value = self.answer.pop(name, None)
        if value is None and or_asked:
            value = self.asked.get(name)
        if value is not None and not (isinstance(value, str) and value):
            raise self._mistyped(name)
        return value

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise self._mistyped(name)
        return value

    def time(self, name: str) -> float | None:
        value = self.answer.pop(name, None)
        if value is None:
            return None
        # A comparison that NaN fails, and that an int of any length bears.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LATEST:
            raise self._mistyped(name)
        return value

    def url(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            url = parse_url(value)
        except InvalidURL:
            raise self._mistyped(name) from None
        if url.scheme == "http" and not url.is_loopback:
            raise self._mistyped(name)  # the registration's access token would go there
        return str(url)

    def redirect_uri(self) -> str | None:
        """The first of the redirect URIs, which is the only one of most clients."""
        value = self.answer.get("redirect_uris") or self.asked.get("redirect_uris")
        if not value:
            return None
        first = cast("list[object]", value)[0] if isinstance(value, (list, tuple)) else None
        if not isinstance(first, str):
            raise self._mistyped("redirect_uris")
        return str(first)

    def _mistyped(self, name: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"{self.said} with no {name} that can be used")
