"""Token exchange: the request of an authorization code built and the answer parsed, without sending.

The floor is urlencode and json alone: what nobody can do without.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

from benchmarks.report import table
from benchmarks.timing import fastest, repeated
from sansauth import Env, Response
from sansauth.identity import OAuth2Client
from sansauth.oauth2.answer import parse_tokens
from sansauth.oauth2.client_auth import build_client_request
from sansauth.x import X

SECONDS = 3.0
CODE, VERIFIER, BACK = "c" * 60, "v" * 43, "https://app.example/done"
ANSWER = json.dumps(
    {
        "token_type": "bearer",
        "expires_in": 7200,
        "access_token": "a" * 90,
        "scope": "tweet.read users.read offline.access",
        "refresh_token": "r" * 90,
    }
)
HEADERS = {"content-type": "application/json; charset=utf-8"}
TOKEN = "https://api.x.com/2/oauth2/token"
OURS = "sansauth build and parse"
OAUTHLIB = "oauthlib WebApplicationClient"


def _ours() -> Callable[[], object]:
    client = OAuth2Client("id", redirect_uri=BACK)
    env = Env(lambda: 1.7e9, bytes)
    grant = [("grant_type", "authorization_code"), ("code", CODE), ("redirect_uri", BACK), ("code_verifier", VERIFIER)]
    answer = Response(200, HEADERS, ANSWER.encode())

    def exchange() -> object:
        request = build_client_request(X.endpoint("token"), grant, client, X, env)
        return parse_tokens(answer, X, now=1.7e9, request=request)

    return exchange


def _oauthlib() -> Callable[[], object]:
    from oauthlib.oauth2 import WebApplicationClient

    def exchange() -> object:
        client = WebApplicationClient("id")  # it keeps the tokens it parsed, so that one is good for one exchange
        client.prepare_token_request(TOKEN, code=CODE, redirect_url=BACK, code_verifier=VERIFIER)
        return client.parse_request_body_response(ANSWER)

    return exchange


def _floor() -> object:
    urlencode({"grant_type": "authorization_code", "code": CODE, "redirect_uri": BACK, "code_verifier": VERIFIER})
    return json.loads(ANSWER)


def measure(*, seconds: float = SECONDS) -> dict[str, float | None]:
    """The seconds that one exchange takes each."""
    contenders = {OURS: _ours(), OAUTHLIB: _oauthlib(), "urlencode and json alone": _floor}
    return fastest({name: repeated(call) for name, call in contenders.items()}, seconds=seconds)


def tables() -> Iterator[str]:
    """The one table."""
    yield table("an authorization code", measure(), unit="us")
