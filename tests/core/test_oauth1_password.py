"""xAuth: name and password against an access token, and no sight of the password."""

from __future__ import annotations

from typing import Any

import pytest

from sansauth import App, Bearer, Env, Flow, Request, Response, errors
from sansauth.encoding import decode
from sansauth.http import FORM
from sansauth.oauth1 import TokenCredentials, sign, xauth
from sansauth.oauth1.password import build_xauth_request
from sansauth.x import TWITTER, X

from .support import APP, ENV, NONCE, TIMESTAMP, USER, Script, form_of, refusal_answer
from .vectors import VECTORS

GRANTED = Response(200, (), b"oauth_token=AT&oauth_token_secret=ATS&user_id=7&screen_name=xapi&x_auth_expires=0")


def test_the_request_is_a_form_signed_by_the_application_alone() -> None:
    script = Script([GRANTED])
    credentials = script.run(xauth(APP, "name", "p w&", provider=X, env=ENV))
    (request,) = script.sent
    assert (request.method, request.url) == ("POST", "https://api.x.com/oauth/access_token")
    assert form_of(request) == "x_auth_mode=client_auth&x_auth_username=name&x_auth_password=p%20w%26"
    bare = Request("POST", request.url, {"accept": "*/*", "content-type": FORM}, request.body)
    assert request == sign(bare, APP, timestamp=TIMESTAMP, nonce=NONCE)
    assert "oauth_token" not in request.headers["authorization"]
    assert credentials == TokenCredentials("AT", "ATS", "7", "xapi", (("x_auth_expires", "0"),))


def test_the_vector_of_xs_documents() -> None:
    (vector,) = (vector for vector in VECTORS if vector.name == "xauth")

    class Nonce(bytes):
        def hex(self, *_: Any) -> str:
            return vector.nonce

    env = Env(clock=lambda: float(vector.timestamp), entropy=lambda size: Nonce())
    given = dict(vector.parameters)
    request = build_xauth_request(
        App(*vector.consumer), given["x_auth_username"], given["x_auth_password"], provider=TWITTER, env=env
    )
    assert request.url == vector.url
    header = dict(decode(request.headers["authorization"].replace('", ', "&").replace('="', "=").rstrip('"')))
    assert header["oauth_signature"] == vector.signature


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (refusal_answer(401, 32), errors.CouldNotAuthenticate),
        (
            Response(
                403, (), b'<errors><error code="87">Client is not permitted to perform this action</error></errors>'
            ),
            errors.Forbidden,
        ),
        (
            Response(401, {"content-type": "text/html"}, b"Invalid user name or password: hunter2-pw"),
            errors.Unauthorized,
        ),
    ],
)
def test_a_refusal_is_a_typed_error_that_repeats_no_password(response: Response, kind: type[errors.ApiError]) -> None:
    with pytest.raises(errors.ApiError) as caught:
        Script([response]).run(xauth(APP, "name", "hunter2-pw", provider=X, env=ENV))
    assert type(caught.value) is kind
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("username", "password"),
    [("", "p"), ("n", ""), (None, "p"), ("n", None), ("n", b"hunter2"), ("n", "hunter2\ud800")],
)
def test_a_name_and_a_password_are_text(username: Any, password: Any) -> None:
    with pytest.raises(errors.InvalidParameter, match="Unicode text that is not empty") as caught:
        Flow(xauth(APP, username, password, provider=X, env=ENV))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("identity", [USER, Bearer("hunter2"), None])
def test_only_the_application_asks(identity: Any) -> None:
    with pytest.raises(errors.WrongIdentity, match="pass an App"):
        Flow(xauth(identity, "n", "p", provider=X, env=ENV))


def test_the_password_goes_to_the_provider_alone() -> None:
    with pytest.raises(errors.InsecureTransport):
        X.at("http://a.test")
    provider = X.at("https://a.test")
    object.__setattr__(provider, "origins", ("https://b.test",))
    with pytest.raises(errors.ForeignHost):
        Script().run(xauth(APP, "n", "p", provider=provider, env=ENV))
