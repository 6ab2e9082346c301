"""The sandbox: an X-like provider in process. It takes Request values and gives Response values, with no I/O.

What it judges signatures with is oauthlib's server side, not sansauth's own code; what it answers are X's codes.
`sansauth_io.sandbox_server` serves it over HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from sansauth.encoding import decode, encode
from sansauth.env import Env
from sansauth.errors import LocalProtocolError
from sansauth.http import FORM, HeaderFields, Request, Response
from sansauth.identity import App, OAuth1User, OAuth2Client
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.testing import consent, consent_page, login_endpoints, oauth2_routes, token_endpoints, x_answers
from sansauth.testing.env import fixed_env
from sansauth.testing.faults import build_fault
from sansauth.testing.http_date import http_date
from sansauth.testing.issuing import issue_alphanumeric
from sansauth.testing.oauth1_server import METHODS
from sansauth.testing.oauth2_state import SCOPES
from sansauth.testing.resources import RESOURCES, read
from sansauth.testing.service import Service
from sansauth.x.presets import X

__all__ = ["Handled", "Sandbox"]

_Endpoint: TypeAlias = Callable[[Service, Request], Response]

_POST: dict[str, _Endpoint] = {
    "/oauth2/token": token_endpoints.token,
    "/oauth2/invalidate_token": token_endpoints.invalidate_token,
    "/oauth/request_token": login_endpoints.request_token,
    "/oauth/authorize": consent.decide,
    "/oauth/authenticate": consent.decide,
    "/oauth/access_token": login_endpoints.access_token,
    "/1.1/oauth/invalidate_token": login_endpoints.invalidate_access_token,
    "/1.1/oauth/invalidate_token.json": login_endpoints.invalidate_access_token,
    **oauth2_routes.POST,
}
_GET: dict[str, _Endpoint] = {
    "/oauth/authorize": consent.page,
    "/oauth/authenticate": consent.page,
    **{resource.path: partial(read, resource) for resource in RESOURCES},
    **oauth2_routes.GET,
}

_ROUTES: dict[str, dict[str, _Endpoint]] = {"POST": _POST, "GET": _GET, "HEAD": _GET}

_USER_ID = 7_000_001
_FOLLOWERS = range(9_000_001, 9_000_043)
_TOLERANCE = 300.0  # seconds; what X allows is not published
_LOGGED = 10_000
_PATH = re.compile(r"(?:/[A-Za-z0-9\-._~]+)*")


class Handled(NamedTuple):
    """One exchange, without its secrets: they are in headers, query and body, and never in a path."""

    method: str
    path: str
    status: int


class Sandbox(Service):
    """An X-like provider with one application (`app`) and one user of it (`user`).

    `env` is its clock and entropy: by default one whose clock stands still and whose entropy is predictable, for tests;
    share it with the client (`sandbox.env`). A sandbox that is served to real clients takes `system_env()`. Keys and
    secrets that are not given are made from the entropy. `timestamp_tolerance` is how many seconds a signature's
    timestamp may differ from the sandbox's clock. `followers` are the ids of /1.1/followers/ids.json.

    Logins are those of its one user: `approve(url)` and `deny(url)` answer the page that a login leads to. `callbacks`
    are the URLs that a login may come back to (None: any), besides "oob". `xauth_password` is the user's password;
    without one the application may not use xAuth.

    `signature_methods` are those it takes: X's HMAC-SHA1, or what another service wants, such as
    ("HMAC-SHA256",), ("PLAINTEXT",), or ("RSA-SHA1",) with `rsa_public_key`, PEM text; the client's App is then
    `App(sandbox.app.consumer_key, "", rsa_private_key=...)`. `InvalidParameter` for a method there is none of,
    `LocalProtocolError` for a key that is none, or is missing.

    OAuth 2 has two clients, `oauth2_client` (client_secret_basic) and `public_client`, and those of `add_client`. Their
    users may be sent back to `redirect_uris` (None: to https, to this machine, to a private scheme). `scopes` are those
    that there are, such as ["read", "write"] for an application of another service; X's by default. A refresh token
    comes with `offline.access` or `offline_access`, and with any scope where there is neither.

    `path`, such as "/tenant", stands before all paths, as with a server that has an issuer for each of its tenants; its
    base URL ends with it. `LocalProtocolError` for what is none.

    Faults are data: `fail_next()`, `skew` (seconds), `delay` (seconds; a server waits so long before it answers,
    `handle` does not). `rate_limit` is the number of calls in 15 minutes. `log` holds the last exchanges.

    Not safe for several threads at once: whoever shares one holds a lock around `handle`.
    """

    def __init__(  # noqa: PLR0913  # each is a knob of its own, by name
        self,
        *,
        env: Env | None = None,
        consumer_key: str | None = None,
        consumer_secret: str | None = None,
        access_token: str | None = None,
        access_token_secret: str | None = None,
        followers: Sequence[int] = _FOLLOWERS,
        timestamp_tolerance: float = _TOLERANCE,
        callbacks: Sequence[str] | None = None,
        xauth_password: str | None = None,
        redirect_uris: Sequence[str] | None = None,
        scopes: Collection[str] = SCOPES,
        signature_methods: Collection[str] = METHODS,
        rsa_public_key: str | None = None,
        path: str = "",
    ) -> None:
        env = env or fixed_env()
        app = App(consumer_key or issue_alphanumeric(env, 25), consumer_secret or issue_alphanumeric(env, 50))
        user = OAuth1User(
            app,
            access_token or f"{_USER_ID}-{issue_alphanumeric(env, 40)}",
            access_token_secret or issue_alphanumeric(env, 45),
        )
        super().__init__(
            user,
            env=env,
            followers=followers,
            timestamp_tolerance=timestamp_tolerance,
            callbacks=callbacks,
            xauth_password=xauth_password,
            redirect_uris=redirect_uris,
            scopes=scopes,
            signature_methods=signature_methods,
            rsa_public_key=rsa_public_key,
        )
        if not _PATH.fullmatch(path):
            raise LocalProtocolError("a sandbox's path is empty or like /tenant, without a slash at its end")
        self.path = path
        self._routes = {
            method: {_placed(place, path): endpoint for place, endpoint in routes.items()}
            for method, routes in _ROUTES.items()
        }
        self.delay = 0.0
        self.log: list[Handled] = []
        self._faults: list[Response] = []

    def handle(self, request: Request) -> Response:
        """Answer a request. Any request: it raises nothing but `LocalProtocolError` where the extra `jose` is missing.

        That is for what is signed by keys (id_tokens and their keys, DPoP proofs, clients that sign).
        An answer to HEAD has the body of the GET; leaving it off the wire is the server's part, as framing is.
        """
        answer = self._faults.pop(0) if self._faults else self._answer(request)
        del self.log[: max(len(self.log) + 1 - _LOGGED, 0)]
        self.log.append(Handled(request.method, request.path, answer.status))
        fields = answer.headers
        for name, value in (("date", http_date(self.now())), ("x-transaction-id", self.env.entropy(8).hex())):
            if name not in fields:
                fields = fields.replacing(name, value)
        return Response(answer.status, fields, answer.body)

    def fail_next(self, status: int, body: bytes | None = None, headers: HeaderFields = (), *, times: int = 1) -> None:
        """Answer the next requests, `times` of them, with this status instead of handling them.

        Without a `body` the answer has the shape that X gives that status. A body is said to be JSON unless `headers`
        name another content type. Faults queue up behind those that wait already. `LocalProtocolError` for a status
        outside 200 to 599.
        """
        fault = build_fault(status, body, headers, limit=self.rate_limit, now=self.now())
        self._faults += [fault] * times

    def approve(self, url: str) -> str:
        """Answer the page of a login as a user who agrees: the URL a browser would be sent to, or the PIN.

        `url` is the page's, with its oauth_token. `LocalProtocolError` if the page does not ask (any more).
        """
        return self._decide(url, consent_page.APPROVE)

    def deny(self, url: str) -> str:
        """The same as a user who does not agree: the URL a browser would be sent to; empty where there is none."""
        return self._decide(url, consent_page.CANCEL)

    @property
    def oauth2_client(self) -> OAuth2Client:
        """The OAuth 2 client with a secret."""
        return self.oauth2.client

    @property
    def public_client(self) -> OAuth2Client:
        """The OAuth 2 client without one."""
        return self.oauth2.public_client

    def add_client(self, client: OAuth2Client, *, redirect_uris: Sequence[str] | None = None) -> OAuth2Client:
        """Know one more OAuth 2 client, of any kind; of a private key, the sandbox keeps the public one."""
        self.oauth2.add(client, redirect_uris)
        return client

    def rotate_keys(self) -> None:
        """Sign id_tokens with a new key from now on."""
        self.oauth2.key_generation += 1

    @staticmethod
    def provider_at(base_url: str) -> Provider:
        """X, moved to where a sandbox is served."""
        return X.at(base_url)

    def _decide(self, url: str, decision: str) -> Secret:
        page = Request("GET", url)
        form = encode([*decode(page.query), ("decision", decision)])
        answer = self.handle(Request("POST", page.origin + page.path, {"content-type": FORM}, form.encode()))
        if answer.status not in {200, 302}:
            raise LocalProtocolError(
                f"there is no login to decide on at {page.path}: the sandbox answered {answer.status}. Its request "
                "is unknown or wrong, has expired or was used before"
            )
        return Secret(answer.headers.get("location") or consent_page.read_pin(answer))

    def _answer(self, request: Request) -> Response:
        endpoint = self._routes.get(request.method, {}).get(request.path)
        if endpoint is not None:
            return endpoint(self, request)
        allowed = [method for method, routes in self._routes.items() if request.path in routes]
        # X's v1.1 says of a wrong method that the page does not exist; v2 names the error.
        if allowed and request.path.startswith(f"{self.path}/2/"):
            return x_answers.method_not_allowed(", ".join(allowed))
        return x_answers.NOT_FOUND

    def __repr__(self) -> str:
        return f"<Sandbox of application {self.app.consumer_key!r}, {len(self.log)} exchanges logged>"


def _placed(place: str, path: str) -> str:
    """Where an endpoint is: behind the path, but for RFC 8414's document, which comes before it (section 3.1)."""
    return place + path if place == oauth2_routes.METADATA else path + place
