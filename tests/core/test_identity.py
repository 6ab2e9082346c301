"""Who is calling: the wrong kind cannot be passed unnoticed, and none shows its secrets."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from sansauth import App, Bearer, OAuth1User, Secret
from sansauth.errors import WrongIdentity
from sansauth.identity import OAuth2Client, OAuth2User, app_of, only_app

from .support import frames_of_ours

APP = App("key", "hunter2")
USER = OAuth1User(APP, "hunter3", "hunter4")
BEARER = Bearer("hunter5")
APP_WITH_TOKEN = App("key", "hunter2", "hunter6")


@pytest.mark.parametrize("identity", [APP, USER, BEARER, APP_WITH_TOKEN])
def test_an_identity_shows_no_secret(identity: App | Bearer | OAuth1User) -> None:
    assert "hunter" not in repr(identity)
    assert "hunter" not in str([identity])


@pytest.mark.parametrize("identity", [APP, USER, BEARER, APP_WITH_TOKEN])
def test_an_identity_is_a_value(identity: App | Bearer | OAuth1User) -> None:
    twin = pickle.loads(pickle.dumps(identity))
    assert twin == identity
    assert hash(twin) == hash(identity)
    assert "hunter" not in repr(twin)
    with pytest.raises(AttributeError):
        setattr(identity, dataclasses.fields(identity)[0].name, "x")


def test_the_fields_are_strings_that_mask_themselves() -> None:
    assert APP.consumer_key == "key"
    for value, text in [
        (APP.consumer_secret, "hunter2"),
        (APP_WITH_TOKEN.bearer_token, "hunter6"),
        (USER.access_token, "hunter3"),
        (USER.access_token_secret, "hunter4"),
        (BEARER.token, "hunter5"),
    ]:
        assert value == text
        assert isinstance(value, Secret)


def test_an_app_may_have_no_bearer_token() -> None:
    assert APP.bearer_token is None
    assert APP != APP_WITH_TOKEN


@pytest.mark.parametrize(
    ("kind", "arguments", "field"),
    [
        (App, (None, "s"), "consumer_key"),
        (App, (b"k", "s"), "consumer_key"),
        (App, ("", "s"), "consumer_key"),
        (App, ("k", None), "consumer_secret"),
        (App, ("k", "s", b"t"), "bearer_token"),
        (App, ("k", "s", ""), "bearer_token"),
        (Bearer, (None,), "token"),
        (Bearer, ("",), "token"),
        (Bearer, (APP,), "token"),
        (OAuth1User, (APP, None, "s"), "access_token"),
        (OAuth1User, (APP, "", "s"), "access_token"),
        (OAuth1User, (APP, "t", None), "access_token_secret"),
    ],
)
def test_a_missing_setting_is_named(kind: type, arguments: tuple[object, ...], field: str) -> None:
    with pytest.raises(WrongIdentity, match=rf"{kind.__name__} takes (a )?{field}\b.*is the setting missing\?"):
        kind(*arguments)


def test_a_secret_may_be_empty_where_the_rfc_allows_it() -> None:
    assert App("k", "").consumer_secret == ""
    assert OAuth1User(App("k", ""), "t", "").access_token_secret == ""


@pytest.mark.parametrize("app", ["key", None, BEARER, ("key", "secret")])
def test_a_user_belongs_to_an_app(app: object) -> None:
    with pytest.raises(WrongIdentity, match=f"takes an App first, not {type(app).__name__}"):
        OAuth1User(app, "t", "s")  # type: ignore[arg-type]


def test_a_secret_in_the_wrong_place_is_not_shown() -> None:
    with pytest.raises(WrongIdentity) as caught:
        OAuth1User("hunter2", "hunter3", "hunter4")  # type: ignore[arg-type]
    assert "hunter" not in str(caught.value)
    with pytest.raises(WrongIdentity) as caught:
        App(b"hunter2", "x")  # type: ignore[arg-type]
    assert "hunter" not in str(caught.value)


def test_the_app_behind_an_identity() -> None:
    assert app_of(APP) is APP
    assert app_of(USER) is APP
    with pytest.raises(WrongIdentity, match="consumer key and secret"):
        app_of(BEARER)


@pytest.mark.parametrize("identity", [USER, BEARER, None, "key"])
def test_what_an_app_does_for_itself_no_other_does(identity: object) -> None:
    assert only_app(APP) is APP
    with pytest.raises(WrongIdentity, match=f"pass an App, not {type(identity).__name__}"):
        only_app(identity)


# --- OAuth 2 ---------------------------------------------------------------------------------------------------------

CLIENT = OAuth2Client("id", "hunter2", redirect_uri="https://app.test/back")
SIGNING = OAuth2Client("id", private_key="hunter7", key_id="k1")
OAUTH2_USER = OAuth2User(CLIENT, "me")


class TestOAuth2:
    @pytest.mark.parametrize("identity", [CLIENT, SIGNING, OAUTH2_USER, OAuth2Client("id")])
    def test_an_identity_is_a_value_that_shows_no_secret(self, identity: OAuth2Client | OAuth2User) -> None:
        twin = pickle.loads(pickle.dumps(identity))
        assert twin == identity
        assert hash(twin) == hash(identity)
        assert "hunter" not in repr(twin)
        with pytest.raises(AttributeError):
            setattr(identity, dataclasses.fields(identity)[0].name, "x")

    def test_the_fields_are_strings_that_mask_themselves(self) -> None:
        assert CLIENT.client_id == "id"
        assert isinstance(CLIENT.client_secret, Secret)
        assert CLIENT.client_secret == "hunter2"
        assert isinstance(SIGNING.private_key, Secret)

    @pytest.mark.parametrize(
        ("client", "auth"),
        [
            (OAuth2Client("id"), "none"),
            (OAuth2Client("id", "s"), "client_secret_basic"),
            (OAuth2Client("id", private_key="k"), "private_key_jwt"),
            (OAuth2Client("id", "s", private_key="k"), "private_key_jwt"),
            (OAuth2Client("id", "s", auth="client_secret_post"), "client_secret_post"),
            (OAuth2Client("id", "s", auth="client_secret_jwt"), "client_secret_jwt"),
            (OAuth2Client("id", "s", private_key="k", auth="client_secret_basic"), "client_secret_basic"),
            (OAuth2Client("id", "s", auth="none"), "none"),
        ],
    )
    def test_one_way_to_authenticate(self, client: OAuth2Client, auth: str) -> None:
        assert client.auth == auth
        assert dataclasses.replace(client) == client

    @pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
    def test_a_way_that_needs_a_secret(self, auth: Any) -> None:
        with pytest.raises(WrongIdentity, match=f"authenticates by {auth} and needs a client_secret"):
            OAuth2Client("id", private_key="hunter2", auth=auth)

    def test_a_way_that_needs_a_key(self) -> None:
        with pytest.raises(WrongIdentity, match="by private_key_jwt and needs a private_key") as caught:
            OAuth2Client("id", "hunter2", auth="private_key_jwt")
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("auth", ["basic", "tls_client_auth", 7])
    def test_a_way_that_is_none(self, auth: Any) -> None:
        with pytest.raises(WrongIdentity, match="takes auth as one of none, client_secret_basic"):
            OAuth2Client("id", "s", auth=auth)

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ((None,), "client_id"),
            (("",), "client_id"),
            ((b"id",), "client_id"),
            (("id", ""), "client_secret"),
            (("id", b"s"), "client_secret"),
            (("id", None, None, None, ""), "private_key"),
            (("id", None, None, None, b"k"), "private_key"),
        ],
    )
    def test_a_missing_setting_is_named(self, arguments: tuple[Any, ...], field: str) -> None:
        with pytest.raises(WrongIdentity, match=rf"OAuth2Client takes (a )?{field}\b.*is the setting missing\?"):
            OAuth2Client(*arguments)

    @pytest.mark.parametrize("client", ["id", None, APP])
    def test_a_user_belongs_to_a_client(self, client: Any) -> None:
        with pytest.raises(WrongIdentity, match=f"takes an OAuth2Client first, not {type(client).__name__}"):
            OAuth2User(client, "me")

    @pytest.mark.parametrize("account", ["", None, 7])
    def test_a_user_has_a_name(self, account: Any) -> None:
        with pytest.raises(WrongIdentity, match="account"):
            OAuth2User(CLIENT, account)

    @pytest.mark.parametrize("identity", [CLIENT, OAUTH2_USER])
    def test_no_app_is_behind_it(self, identity: OAuth2Client | OAuth2User) -> None:
        with pytest.raises(WrongIdentity, match=f"which a {type(identity).__name__} does not have"):
            app_of(identity)
        with pytest.raises(WrongIdentity, match=f"pass an App, not {type(identity).__name__}"):
            only_app(identity)


# --- text that has no encoding ---------------------------------------------------------------------------------------

HALF = "hunter2\ud800"  # as os.environ gives a byte that is not UTF-8


@pytest.mark.parametrize(
    ("kind", "arguments", "named"),
    [
        (App, {"consumer_key": HALF, "consumer_secret": "s"}, "consumer_key"),
        (App, {"consumer_key": "k", "consumer_secret": HALF}, "consumer_secret"),
        (App, {"consumer_key": "k", "consumer_secret": "s", "bearer_token": HALF}, "bearer_token"),
        (App, {"consumer_key": "k", "consumer_secret": "s", "rsa_private_key": HALF}, "rsa_private_key"),
        (Bearer, {"token": HALF}, "token"),
        (OAuth1User, {"app": APP, "access_token": HALF, "access_token_secret": "s"}, "access_token"),
        (OAuth1User, {"app": APP, "access_token": "t", "access_token_secret": HALF}, "access_token_secret"),
        (OAuth2Client, {"client_id": HALF}, "client_id"),
        (OAuth2Client, {"client_id": "id", "client_secret": HALF}, "client_secret"),
        (OAuth2Client, {"client_id": "id", "client_secret": HALF, "auth": "client_secret_jwt"}, "client_secret"),
        (OAuth2Client, {"client_id": "id", "private_key": HALF}, "private_key"),
        (OAuth2User, {"client": CLIENT, "account": HALF}, "account"),
    ],
)
def test_text_that_cannot_be_encoded_is_refused_where_it_is_given(
    kind: type, arguments: dict[str, Any], named: str
) -> None:
    """Else `raw_basic` and PyJWT raise a UnicodeEncodeError with the secret among its arguments."""
    with pytest.raises(
        WrongIdentity, match=f"{kind.__name__} takes {named} as Unicode text; a lone surrogate"
    ) as caught:
        kind(**arguments)
    assert caught.value.__context__ is None  # where the UnicodeEncodeError would be
    assert "hunter2" not in f"{caught.value!r}"


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (App, {"consumer_key": "k", "consumer_secret": HALF}),
        (Bearer, {"token": HALF}),
        (OAuth1User, {"app": APP, "access_token": HALF, "access_token_secret": "s"}),
        (OAuth2Client, {"client_id": "id", "client_secret": HALF}),
        (OAuth2Client, {"client_id": "id", "private_key": HALF}),
    ],
)
def test_the_frames_of_that_refusal_show_no_secret(kind: type, arguments: dict[str, Any]) -> None:
    with pytest.raises(WrongIdentity) as caught:
        kind(**arguments)
    ours = frames_of_ours(caught.value)
    assert [frame for frame in ours if "hunter2" in repr(frame.f_locals)] == []
    assert ours


class TestWhatAClientAsksFor:
    def test_scopes_and_parameters_of_every_form_are_tuples_and_hashable(self) -> None:
        expected = OAuth2Client("id", scopes=("a", "b"), parameters=(("audience", "https://api"),))
        for scopes, parameters in (
            (["a", "b"], {"audience": "https://api"}),
            (("a", "b"), [("audience", "https://api")]),
        ):
            client = OAuth2Client("id", scopes=scopes, parameters=parameters)  # type: ignore[arg-type]
            assert (client, hash(client)) == (expected, hash(expected))

    def test_parameters_may_be_secret_and_are_not_shown(self) -> None:
        assert "hunter2" not in repr(OAuth2Client("id", parameters={"key": "hunter2"}))

    @pytest.mark.parametrize("scopes", ["a b", 7, [7], [None], None])
    def test_scopes_that_are_none(self, scopes: object) -> None:
        with pytest.raises(WrongIdentity, match="scopes as a list of str"):
            OAuth2Client("id", scopes=scopes)  # type: ignore[arg-type]

    @pytest.mark.parametrize("parameters", ["audience=x", {"a": 7}, {7: "a"}, [("a",)], [("a", "b", "c")], [7]])
    def test_parameters_that_are_none(self, parameters: object) -> None:
        with pytest.raises(WrongIdentity, match="parameters as a mapping of str to str"):
            OAuth2Client("id", parameters=parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: App(None, "hunter2", "hunter2", "hunter2"),  # type: ignore[arg-type]
        lambda: App("k", None, "hunter2"),  # type: ignore[arg-type]
        lambda: OAuth1User("no app", "hunter2", "hunter2"),  # type: ignore[arg-type]
        lambda: OAuth1User(App("k", "s"), "", "hunter2"),
        lambda: OAuth2Client("", "hunter2", private_key="hunter2"),
        lambda: OAuth2Client("id", "hunter2", auth="psk"),  # type: ignore[arg-type]
    ],
)
def test_what_is_refused_shows_nothing_of_its_other_secrets(make: Callable[[], object]) -> None:
    with pytest.raises(WrongIdentity) as caught:
        make()
    for frame in frames_of_ours(caught.value):
        assert "hunter2" not in repr(frame.f_locals)
