"""A served OAuth 2 sandbox, a store, and a client of one transport on both: what the tests of OAuth 2 sit at."""

from __future__ import annotations

import functools
import inspect
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from sansauth import AwaitingUser, Env, Flow, Provider, Request, Response
from sansauth.effects import Operation, Sleep, Steps, operation
from sansauth.identity import Bearer, Identity, OAuth2Client, OAuth2User
from sansauth.oauth2 import begin_login, finish_login
from sansauth.testing import Handled, Sandbox
from sansauth.testing.caller import Caller, recognise
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth.x import X
from sansauth_io.sandbox_server import SandboxServer
from sansauth_io.stores import MemoryStore

from .transports import BRISK, Face, Kit

T = TypeVar("T")

BACK = "https://app.example/done"
SCOPES = ["tweet.read", "users.read", "offline.access"]
ME = "/2/users/me"
OWN = "/own"
TOKEN = "/2/oauth2/token"
REVOKE = "/2/oauth2/revoke"
INTROSPECT = "/2/oauth2/introspect"
PAR = "/2/oauth2/par"
DEVICE = "/2/oauth2/device_authorization"
_PAGES = {"/i/oauth2/authorize", "/device"}


class Clock:
    """This machine's, and as far ahead of it as a test likes."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Served(Sandbox):
    """A sandbox with one resource more: OWN is for clients that call for themselves."""

    def handle(self, request: Request) -> Response:
        if request.path != OWN:
            return super().handle(request)
        recognised = recognise(self, request)
        if isinstance(recognised, Response):
            answer = recognised
        else:
            whose = recognised.oauth2_token if recognised.caller is Caller.APP else None
            shown = {} if whose is None else {"client_id": whose.grant.client_id, "scopes": list(whose.scopes)}
            answer = Response(200 if shown else 403, {"content-type": "application/json"}, json.dumps(shown).encode())
        self.log.append(Handled(request.method, request.path, answer.status))
        return answer


class Desk:
    """A client on a served sandbox, and its operations; sandbox and operations share one clock."""

    def __init__(self, kit: Kit, sandbox: Sandbox, clock: Clock, provider: Provider) -> None:
        self.kit, self.sandbox, self.clock, self.provider = kit, sandbox, clock, provider
        self.env = sandbox.env
        self.store = MemoryStore()
        self.client = sandbox.oauth2_client
        self.face: Face

    @property
    def user(self) -> OAuth2User:
        return OAuth2User(self.client, "me")

    @contextmanager
    def opened(self, identity: Identity | None = None, provider: Provider | None = None) -> Iterator[Face]:
        """One more client, on the same store."""
        caller, at = identity or self.user, provider or self.provider
        with self.kit.opener(caller, at, BRISK, store=self.store) as face:
            yield face

    @contextmanager
    def seated(self, client: OAuth2Client | None = None) -> Iterator[None]:
        """The same desk with another HTTP client, as this OAuth 2 client, on the provider and store of now."""
        kept = self.client, self.face
        self.client = client or self.client
        try:
            with self.opened() as self.face:
                yield
        finally:
            self.client, self.face = kept

    def ask(self, function: Callable[..., Operation[Any]], *args: Any, **kwargs: Any) -> Any:
        """Run an operation of this provider, by this clock if it reads one."""
        clock = {"env": self.env} if "env" in inspect.signature(function).parameters else {}
        return self.face.run(function(*args, provider=self.provider, **clock, **kwargs))

    def hasten(self, work: Operation[T], waits: list[float], meanwhile: Callable[[int], object]) -> T:
        """Run an operation that sleeps; see `hastened`."""
        return self.face.run(hastened(work, self.clock, waits, meanwhile))

    def begin(self, scopes: list[str] = SCOPES, **how: Any) -> AwaitingUser:
        back = {} if self.client.redirect_uri else {"redirect_uri": BACK}
        begun: AwaitingUser = self.ask(begin_login, self.client, scopes, **back | how)
        return begun

    def finish(self, awaiting: AwaitingUser, answer: str) -> OAuth2Tokens:
        tokens: OAuth2Tokens = self.ask(finish_login, self.client, awaiting, answer)
        return tokens

    def log_in(self, scopes: list[str] = SCOPES, **how: Any) -> OAuth2Tokens:
        """Tokens of the sandbox's user, kept for this client's calls too."""
        awaiting = AwaitingUser.from_json(self.begin(scopes, **how).to_json())
        tokens = self.finish(awaiting, self.sandbox.approve(awaiting.url))
        self.adopt(tokens)
        return tokens

    def adopt(self, tokens: OAuth2Tokens) -> None:
        self.face._call("adopt", tokens)

    def held(self, holder: OAuth2User | OAuth2Client | None = None) -> OAuth2Tokens:
        """The stored tokens."""
        stored = self.store.load(oauth2_tokens_key(holder or self.user, self.provider))
        assert stored is not None
        return OAuth2Tokens.from_bytes(stored.data)

    def get(self, tokens: OAuth2Tokens, path: str = ME) -> Response:
        """A call that bears this access token, and could not renew it."""
        with self.opened(Bearer(tokens.access_token)) as face:
            return face.get(path)

    def asked(self, since: int = 0) -> list[tuple[str, int]]:
        """Path and status of the exchanges on the wire; what a browser did is left out."""
        return [(one.path, one.status) for one in self.sandbox.log[since:] if one.path not in _PAGES]


@contextmanager
def desk(kit: Kit, *, client: OAuth2Client | None = None, as_x: bool = False, **settings: Any) -> Iterator[Desk]:
    """A desk at the provider that the sandbox says it is; `as_x`: at X, which offers less. `client` is added to it."""
    clock = Clock()
    sandbox = Served(env=Env(clock, secrets.token_bytes), **settings)
    with SandboxServer(sandbox) as server:
        provider = X.at(server.base_url) if as_x else described(sandbox, server.base_url)
        at = Desk(kit, sandbox, clock, provider)
        if client is not None:
            at.client = sandbox.add_client(client)
        with at.opened() as at.face:
            yield at


def described(sandbox: Sandbox, base_url: str) -> Provider:
    """What a sandbox publishes of itself; asked in process, so that only the tests of discovery stand on discovery."""
    flow = Flow(Provider.discover(base_url))
    flow.receive(sandbox.handle(flow.request))
    sandbox.log.clear()
    return flow.result


@operation
def hastened(work: Operation[T], clock: Clock, waits: list[float], meanwhile: Callable[[int], object]) -> Steps[T]:
    """The same operation, whose sleeps take no time but move the clock.

    `waits` gets their seconds; during each, `meanwhile` is called with how many there were.
    """
    steps = iter(work)
    try:
        effect = next(steps)
        while True:
            if isinstance(effect, Sleep):
                waits.append(effect.seconds)
                meanwhile(len(waits))
                clock.ahead += effect.seconds
                effect = Sleep(0.001)
            try:
                answer = yield effect
            except Exception as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


# --- clients of every kind -------------------------------------------------------------------------------------------


def private_key(which: str = "client's") -> str:
    """A P-256 key as PEM, made once; skips the test where the extra `jose` is missing."""
    pytest.importorskip("jwt")
    return _generated(which)


@functools.cache
def _generated(which: str) -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    del which
    plain = serialization.NoEncryption()
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


SECRET = "planted secret+of:the/client%20itself"  # whose characters each way of sending it has to encode
METHODS = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
every_method = pytest.mark.parametrize("method", METHODS)


def client_of(method: str, secret: str = SECRET, key: str = "client's") -> OAuth2Client:
    """A client that authenticates so; skips the test where that needs the extra `jose` and it is missing."""
    if method.endswith("_jwt"):
        pytest.importorskip("jwt")
    if method == "private_key_jwt":
        return OAuth2Client("planted:client id", private_key=private_key(key), key_id="one")
    return OAuth2Client("planted:client id", secret, auth=method)  # type: ignore[arg-type]
