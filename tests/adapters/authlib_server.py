"""An OAuth 2 server that nobody here wrote: Authlib's, on Flask, on loopback; everything it knows is in memory.

Codes with PKCE (S256 only), rotating refresh tokens, client credentials, revocation, introspection, a resource, and the
issuer in its callbacks (RFC 9207). A refresh token takes its access token along when it ends (RFC 7009 section 2.1).
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9207 import IssuerParameter
from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler, make_server

from sansauth.identity import OAuth2Client

from .authlib_models import Client, Code, Memory, Token

CALLBACK = "https://app.example/done?keep=1"
USER = "alice"
LIFE = 3600  # seconds, of every access token
METHODS = ["client_secret_basic", "client_secret_post", "none"]
# Basic carries them form-encoded (RFC 6749 section 2.3.1), and each of these characters shows if it does not.
BASIC = OAuth2Client("basic:client %2F", "planted-secret:+/%&= \xe9", CALLBACK)
POST = OAuth2Client("post&client", "planted-secret:+/%&= \xe9", CALLBACK, auth="client_secret_post")
PUBLIC = OAuth2Client("public-client", redirect_uri=CALLBACK)
NARROW = OAuth2Client("narrow-client", "planted-secret", CALLBACK)
"""May log users in, for the scope `read`, and nothing else."""


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    form: dict[str, list[str]]
    scheme: str
    """Of its Authorization header; empty if it had none."""


@dataclass
class AuthlibServer:
    """The served authorization server, and the user's browser."""

    base_url: str
    memory: Memory
    log: list[Asked] = field(default_factory=list)

    def approve(self, url: str) -> str:
        """The user opens the page and lets the application in: the callback's URL."""
        return self._decide(url, "approve")

    def deny(self, url: str) -> str:
        """The user opens the page and says no: the callback's URL."""
        return self._decide(url, "deny")

    def at(self, path: str) -> list[Asked]:
        return [asked for asked in self.log if asked.path == path]

    def _decide(self, url: str, decision: str) -> str:
        page = self._browse("GET", url)
        assert (page.status, page.read()) == (200, f"Does {USER} let the application in?".encode())
        answer = self._browse("POST", url, f"decision={decision}")
        assert answer.status == 302
        return answer.headers["location"]

    def _browse(self, method: str, url: str, form: str = "") -> http.client.HTTPResponse:
        address = urlsplit(url)
        headers = {"Cookie": f"user={USER}", "Content-Type": "application/x-www-form-urlencoded"}
        with contextlib.closing(http.client.HTTPConnection(address.netloc, timeout=10)) as connection:
            connection.request(method, f"{address.path}?{address.query}", form, headers)
            return connection.getresponse()


class Quiet(WSGIRequestHandler):
    """A handler that logs nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def serving() -> Iterator[AuthlibServer]:
    """Authlib's server, with the clients of this module, on a port of its own."""
    narrow = Client(NARROW, scopes=("read",), grants=("authorization_code",))
    memory = Memory({one.client_id: one for one in (Client(BASIC), Client(POST), Client(PUBLIC), narrow)})
    app = Flask("authlib_server")
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = dict.fromkeys(narrow.grants + Client(BASIC).grants, LIFE)
    httpd = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server = AuthlibServer(f"http://127.0.0.1:{httpd.server_port}", memory)
    _routes(app, server, _authorization_server(app, server))
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def _authorization_server(app: Flask, server: AuthlibServer) -> AuthorizationServer:
    memory = server.memory

    def save_token(issued: dict[str, Any], asked: Any) -> None:
        memory.tokens.append(Token(asked.client, asked.user, **issued))

    authorization = AuthorizationServer(app, query_client=memory.clients.get, save_token=save_token)
    authorization.register_grant(_code_grant(memory), [_S256(required=True)])
    authorization.register_grant(_refresh_grant(memory))
    authorization.register_grant(_ClientCredentials)
    authorization.register_endpoint(_revocation(memory))
    authorization.register_endpoint(_introspection(memory, server.base_url))
    authorization.register_extension(_Issuer(server.base_url))
    return authorization


def _routes(app: Flask, server: AuthlibServer, authorization: AuthorizationServer) -> None:
    protect = ResourceProtector()
    protect.register_token_validator(_Validator(server.memory))

    @app.before_request
    def note() -> None:
        scheme = (request.headers.get("authorization") or "").partition(" ")[0]
        query = parse_qs(request.query_string.decode(), keep_blank_values=True)
        server.log.append(Asked(request.method, request.path, query, request.form.to_dict(flat=False), scheme))

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        user = request.cookies.get("user")
        try:
            grant = authorization.get_consent_grant(end_user=user)
        except OAuth2Error as error:
            return authorization.handle_error_response(None, error)
        if request.method == "GET":
            return f"Does {user} let the application in?"
        allowed = user if request.form["decision"] == "approve" else None
        return authorization.create_authorization_response(grant_user=allowed, grant=grant)

    @app.post("/token")
    def token() -> Any:
        return authorization.create_token_response()

    @app.post("/revoke")
    def revoke() -> Any:
        return authorization.create_endpoint_response("revocation")

    @app.post("/introspect")
    def introspect() -> Any:
        return authorization.create_endpoint_response("introspection")

    @app.get("/read")
    @protect("read")
    def read() -> dict[str, str]:
        return {"may": "read"}

    @app.get("/write")
    @protect("write")
    def write() -> dict[str, str]:
        return {"may": "write"}


# --- Authlib's hooks -------------------------------------------------------------------------------------------------


class _S256(CodeChallenge):
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)


class _ClientCredentials(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS[:2]


class _Issuer(IssuerParameter):
    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


class _Validator(BearerTokenValidator):
    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self._memory = memory

    def authenticate_token(self, token_string: str) -> Token | None:
        return self._memory.by_access_token(token_string)


def _code_grant(memory: Memory) -> type[grants.AuthorizationCodeGrant]:
    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = METHODS

        def save_authorization_code(self, code: str, request: Any) -> None:
            asked = request.payload
            memory.codes[code] = Code(
                code,
                request.client.client_id,
                asked.redirect_uri,
                request.client.get_allowed_scope(asked.scope),
                request.user,
                asked.data["code_challenge"],
                asked.data["code_challenge_method"],
            )

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            found = memory.codes.get(code)
            return found if found is not None and found.client_id == client.client_id else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            del memory.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: Code) -> str:
            return authorization_code.user

    return CodeGrant


def _refresh_grant(memory: Memory) -> type[grants.RefreshTokenGrant]:
    class RefreshGrant(grants.RefreshTokenGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = METHODS
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
            return memory.by_refresh_token(refresh_token)

        def authenticate_user(self, refresh_token: Token) -> str | None:
            return refresh_token.user

        def revoke_old_credential(self, refresh_token: Token) -> None:
            refresh_token.revoked = refresh_token.refresh_revoked = True

    return RefreshGrant


def _query(memory: Memory, text: str, hint: str | None) -> Token | None:
    """RFC 7009 section 2.1: a hint is where to look first, no more."""
    looks = [memory.by_access_token, memory.by_refresh_token]
    if hint == "refresh_token":
        looks.reverse()
    return looks[0](text) or looks[1](text)


def _revocation(memory: Memory) -> type[RevocationEndpoint]:
    class Revocation(RevocationEndpoint):
        CLIENT_AUTH_METHODS = METHODS

        def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
            return _query(memory, token_string, token_type_hint)

        def revoke_token(self, token: Token, request: Any) -> None:
            token.revoked = True
            token.refresh_revoked |= request.form["token"] == token.refresh_token

    return Revocation


def _introspection(memory: Memory, issuer: str) -> type[IntrospectionEndpoint]:
    class Introspection(IntrospectionEndpoint):
        CLIENT_AUTH_METHODS = METHODS[:2]

        def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
            return _query(memory, token_string, token_type_hint)

        def check_permission(self, token: Token, client: Client, request: Any) -> bool:
            return token.check_client(client)

        def introspect_token(self, token: Token) -> dict[str, Any]:
            return {
                "active": True,
                "client_id": token.client.client_id,
                "token_type": token.token_type,
                "username": token.user,
                "sub": token.user,
                "scope": token.scope,
                "aud": token.client.client_id,
                "iss": issuer,
                "exp": int(token.issued_at) + token.expires_in,
                "iat": int(token.issued_at),
            }

    return Introspection
