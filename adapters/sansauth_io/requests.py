"""sansauth over requests.

    from sansauth import App
    from sansauth_io.requests import Client

    with Client(App(consumer_key, consumer_secret)) as client:
        client.token()
        client.get("/1.1/followers/ids.json", params={"screen_name": "xapi"}).json()

Or on a session of your own: `session.auth = Auth(identity)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

import requests
from requests.auth import AuthBase

from sansauth.call import Remedy, authorise, authorise_held, held_credentials, learn, remedy, signs_every_body
from sansauth.effects import DEFAULT_TIMEOUTS, Timeouts
from sansauth.env import Env
from sansauth.http import FORM, Request
from sansauth.identity import Identity
from sansauth.oauth1.send import Exchange
from sansauth.provider import Provider
from sansauth.x.presets import X
from sansauth_io import system_env
from sansauth_io._client import Caller, SyncClient
from sansauth_io._driver_sync import SyncDriver
from sansauth_io._requests_transport import RequestsTransport
from sansauth_io._wire import CREDENTIALS, credentials_of, seen, unhashable
from sansauth_io.stores.protocol import Store

__all__ = ["Auth", "Client"]


class Client(SyncClient):
    """An authorised client over a requests.Session.

    `session` may be yours: its proxies, certificates, cookies, headers and hooks then apply to token requests too, and
    it stays yours to close. Its `auth`, `params` and redirects do not apply, nor headers that frame a message, name its
    type or authorise it. The total deadline covers everything on a session we make; on yours it covers connecting, each
    read and the body, because urllib3 gives no hold on headers that drip in. Name resolution has no limit on either.
    `store` keeps fetched tokens; without one they live as long as the client.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        provider: Provider = X,
        store: Store | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        env: Env | None = None,
        session: requests.Session | None = None,
    ) -> None:
        caller = Caller(identity, provider, env or system_env())
        self._transport = RequestsTransport(session)
        super().__init__(caller, SyncDriver(self._transport, store=store, timeouts=timeouts))

    @property
    def auth(self) -> AuthBase:
        """For `session.auth`: authorises every request of that session, fetching tokens through this client."""
        return _ClientAuth(self)

    def close(self) -> None:
        """Close the session if it is ours; after that the client sends nothing more."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Auth(AuthBase):
    """For `session.auth`: signs or bears every request with what the identity already holds.

    `WrongIdentity` for an `App` that has no bearer token and would have to fetch one, which `Client.auth` does. A
    request to a host that is not the provider's raises `ForeignHost`. Redirects are followed without credentials.
    """

    def __init__(self, identity: Identity, *, provider: Provider = X, env: Env | None = None) -> None:
        caller = Caller(identity, provider, env or system_env())
        self._caller = dataclasses.replace(caller, identity=held_credentials(identity, provider))

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        caller = self._caller
        unsigned = _to_core(r, caller)
        return _apply(authorise_held(unsigned, caller.identity, provider=caller.provider, env=caller.env), r)


class _ClientAuth(AuthBase):
    """`Client.auth`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        unsigned = _to_core(r, self._client.caller)
        first = self._authorise(unsigned)

        def renew(response: requests.Response, **settings: object) -> requests.Response:
            # The answer to another request, which a redirect made, says nothing of our token.
            if response.request is not r:
                return response
            signed, tried = first, set[Remedy | None]({None})
            while True:
                refused = self._learned(signed, response)
                mended = self._remedy(refused)
                if mended in tried:
                    return response
                tried.add(mended)
                signed = self._authorise(unsigned, refused)
                body = cast("object", r.body)
                if not isinstance(body, (bytes, str, type(None))):
                    return response  # a stream, and it is used up
                response = _send_again(_apply(signed, r.copy()), response, settings)
                _drop(r)  # a redirect's request would be made of `r`

        _response_hooks(r).append(renew)
        return _apply(first, r)

    def _learned(self, signed: Request, response: requests.Response) -> Exchange:
        content = response.content if response.status_code == 401 else b""
        exchange = seen(signed, response.status_code, response.headers.items(), content)
        if "dpop-nonce" in exchange.response.headers:
            self._client.run(learn(exchange))
        return exchange

    def _remedy(self, refused: Exchange) -> Remedy | None:
        caller = self._client.caller
        return remedy(refused, caller.identity, caller.provider, caller.env)

    def _authorise(self, unsigned: Request, refused: Exchange | None = None) -> Request:
        caller = self._client.caller
        return self._client.run(
            authorise(unsigned, caller.identity, provider=caller.provider, env=caller.env, refused=refused)
        )


def _to_core(prepared: requests.PreparedRequest, caller: Caller) -> Request:
    """What of a prepared request is signed: method, URL, a form, and any body if the service wants its hash."""
    method, url = prepared.method or "GET", prepared.url or ""
    body = cast("object", prepared.body) or b""
    kind = cast("str | bytes", prepared.headers.get("content-type", ""))
    kind = kind.decode("latin-1") if isinstance(kind, bytes) else kind
    is_form = kind.partition(";")[0].strip().lower() == FORM
    content = body.encode() if isinstance(body, str) else body
    if isinstance(content, bytes) and is_form:
        return Request(method, url, {"content-type": FORM}, content)
    if is_form or not signs_every_body(caller.identity, caller.provider):
        return Request(method, url)  # anything but a form may be a stream, and stays one
    if not isinstance(content, bytes):
        raise unhashable()
    return Request(method, url, body=content)


def _apply(signed: Request, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    prepared.url = signed.url  # what is signed is what is sent
    _drop(prepared)
    prepared.headers.update({name.title(): value for name, value in credentials_of(signed).items()})
    _response_hooks(prepared).append(_drop_credentials)
    return prepared


def _response_hooks(prepared: requests.PreparedRequest) -> list[object]:
    return cast("dict[str, list[object]]", prepared.hooks)["response"]


def _drop_credentials(response: requests.Response, **_: object) -> None:
    # requests copies the answered request for the next one, and keeps Authorization on the same host: there the
    # signature would be of another URL, and a redirect is not followed with credentials anyway.
    if response.is_redirect:
        _drop(response.request)


def _drop(prepared: requests.PreparedRequest) -> None:
    for name in CREDENTIALS:
        prepared.headers.pop(name, None)


def _send_again(
    again: requests.PreparedRequest, refused: requests.Response, settings: dict[str, object]
) -> requests.Response:
    refused.close()
    send = cast("Callable[..., requests.Response]", vars(refused)["connection"].send)  # set by the adapter
    response = send(again, **settings)
    response.history.extend([*refused.history, refused])
    return response
