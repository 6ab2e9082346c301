"""One list of methods for every client: the same names, signatures and words; values here, coroutines there."""

from __future__ import annotations

import importlib
import inspect
import json
import pydoc
import traceback
import unittest.mock
from collections.abc import Callable
from typing import Any

import pytest

from sansauth.awaiting import AwaitingUser
from sansauth.effects import DEFAULT_TIMEOUTS, Steps, Timeouts, operation
from sansauth.errors import (
    AlreadyUsed,
    ForeignHost,
    InvalidURL,
    LocalProtocolError,
    LoginRequired,
    ReadError,
    SansauthError,
    UnableToVerifyCredentials,
    WrongIdentity,
)
from sansauth.http import FORM, Headers, Request, Response
from sansauth.identity import App, Bearer, Identity, OAuth1User, OAuth2User
from sansauth.oauth1 import TokenCredentials
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.testing import Sandbox
from sansauth.x import TWITTER, X, token
from sansauth_io._client import AsyncClient, Caller, Methods, SyncClient
from sansauth_io.stores import MemoryStore, Store

from .driving import (
    APP,
    ENV,
    LOOPS,
    Host,
    Service,
    Threads,
    Wire,
    each_host,
    each_loop,
    is_token_request,
    json_answer,
    run_async,
    store_token,
    stored_token,
    token_answer,
)

METHODS = [
    "token",
    "bearer_token",
    "invalidate_token",
    "begin_login",
    "finish_login",
    "invalidate_access_token",
    "reverse_token",
    "reverse_access_token",
    "begin_oauth2_login",
    "finish_oauth2_login",
    "adopt",
    "logout",
    "request",
    "get",
    "post",
    "put",
    "delete",
]
SYNC = ["sansauth_io.requests.Client"]
ASYNC = ["sansauth_io.httpx.AsyncClient", "sansauth_io.httpx2.AsyncClient", "sansauth_io.trio.AsyncClient"]
each_class = pytest.mark.parametrize("path", [*SYNC, *ASYNC])
each_method = pytest.mark.parametrize("name", METHODS)


def client_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    pytest.importorskip(module.rpartition(".")[2])
    return getattr(importlib.import_module(module), name)


class Calls:
    """A client on a host, over a scripted wire; `call("get", "/x")` gives the result wherever it runs."""

    def __init__(
        self, host: Host, wire: Wire, identity: Identity = APP, *, store: Store | None = None, provider: Any = X
    ) -> None:
        self.host = host
        self.wire = wire
        kind = SyncClient if isinstance(host, Threads) else AsyncClient
        self.client: Any = kind(Caller(identity, provider, ENV), host.driver(wire, store))

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        method = getattr(self.client, name)
        if isinstance(self.host, Threads):
            return method(*args, **kwargs)

        async def main() -> Any:
            return await method(*args, **kwargs)

        return run_async(self.host, main)

    @property
    def sent(self) -> list[Request]:
        return [request for request, _ in self.wire.log]


def echo() -> Wire:
    return Wire(lambda request: Response(200, (), b"{}"))


# What a person sees who asks Python


def test_the_list_of_methods_is_the_whole_list() -> None:
    assert [name for name in vars(Methods) if not name.startswith("_")] == METHODS


@each_class
@each_method
def test_every_client_has_every_method_and_says_the_same_of_it(path: str, name: str) -> None:
    kind = client_class(path)
    ours, theirs = getattr(kind, name), getattr(Methods, name)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)
    assert inspect.getdoc(ours)


@each_class
def test_help_and_inspect_understand_the_class(path: str) -> None:
    text = pydoc.plain(pydoc.render_doc(client_class(path)))
    assert "request(self, /, method: 'str', url_or_path: 'str', *, params: 'Params | None' = None," in text
    assert "get(self, /, url_or_path: 'str', *, params: 'Params | None' = None," in text
    assert "invalidate_token(self, /, access_token: 'str', *, auth:" in text
    assert "reverse_token(self, /) -> 'Secret'" in text
    assert "caller" not in text


@each_method
def test_a_bound_method_has_the_signature_without_the_client_and_without_the_caller(name: str) -> None:
    client = Calls(Threads(), echo()).client
    bound, unbound = inspect.signature(getattr(client, name)), inspect.signature(getattr(SyncClient, name))
    names = list(unbound.parameters)
    assert names[0] == "self"
    assert list(bound.parameters) == names[1:]
    assert "caller" not in names
    assert bound.return_annotation in ("Secret", "Response", "AwaitingUser", "TokenCredentials", "OAuth2Tokens", "None")


def test_methods_are_named_as_they_are_called() -> None:
    for name in METHODS:
        method = vars(Methods)[name]
        expected = "token" if name == "bearer_token" else name
        assert (method.__name__, method.__qualname__) == (expected, f"Methods.{expected}")
        assert method.__module__ == "sansauth_io._client"


def test_a_mock_of_a_client_refuses_what_the_client_would_refuse() -> None:
    mock = unittest.mock.create_autospec(SyncClient, instance=True)
    mock.get("/x", params={"a": 1})
    mock.request(method="GET", url_or_path="/x")
    with pytest.raises(TypeError):
        mock.get()
    with pytest.raises(TypeError):
        mock.get("/x", parms={"a": 1})


def test_the_repr_of_a_client_names_its_class_and_identity_and_no_secret() -> None:
    client = Calls(Threads(), echo(), App("CK", "planted", "planted-too")).client
    assert repr(client).startswith("<sansauth_io._client.SyncClient for App(consumer_key='CK'")
    assert "planted" not in repr(client)


# Values and coroutines


def test_an_asynchronous_method_gives_a_coroutine_and_sends_nothing_until_awaited() -> None:
    for host in LOOPS:
        calls = Calls(host, Service())
        coroutine = calls.client.token()
        assert inspect.iscoroutine(coroutine)
        assert calls.sent == []

        async def main(coroutine: Any = coroutine) -> Any:
            return await coroutine

        assert run_async(host, main) == "T1"


@each_host
def test_a_method_can_be_called_on_the_class(host: Host) -> None:
    calls = Calls(host, echo(), Bearer("B"))
    unbound: Callable[..., Any] = type(calls.client).get
    if isinstance(host, Threads):
        assert unbound(calls.client, "/x").status == 200
    else:
        assert run_async(host, lambda: unbound(calls.client, "/x")).status == 200


@each_host
@pytest.mark.parametrize("name", ["token", "bearer_token"])
def test_token_asks_for_the_applications_token_each_time(host: Host, name: str) -> None:
    calls = Calls(host, Service())
    obtained = calls.call(name)
    assert obtained == "T1"
    assert isinstance(obtained, Secret)
    assert calls.call(name, scope="a b") == "T2"
    assert [request.body for request in calls.sent] == [
        b"grant_type=client_credentials",
        b"grant_type=client_credentials&scope=a%20b",
    ]


@each_host
def test_the_application_behind_a_user_gets_its_token_too(host: Host) -> None:
    calls = Calls(host, Service(), OAuth1User(APP, "AT", "ATS"))
    assert calls.call("token") == "T1"
    assert calls.sent[0].headers["authorization"].startswith("Basic ")


@each_host
@pytest.mark.parametrize("name", ["token", "bearer_token", "reverse_token"])
def test_a_bearer_has_no_application_to_ask_for(host: Host, name: str) -> None:
    calls = Calls(host, Wire(), Bearer("B"))
    with pytest.raises(WrongIdentity):
        calls.call(name)
    with pytest.raises(WrongIdentity):
        calls.call("invalidate_token", "B")


@each_host
def test_reverse_token_gives_the_string_as_it_came(host: Host) -> None:
    text = 'OAuth oauth_nonce="abc", oauth_signature="x%2By%3D"'
    calls = Calls(host, Wire(lambda request: Response(200, (), text.encode())))
    assert calls.call("reverse_token") == text


# Logins go where the client goes, as the client's application, by the client's clock

ISSUED = "oauth_token=RT&oauth_token_secret=planted-secret&oauth_callback_confirmed=true"
GRANTED = "oauth_token=7-AT&oauth_token_secret=ATS&user_id=7&screen_name=xapi"


class Logins(Wire):
    """A service that issues a request token, then an access token, and takes one back."""

    def __init__(self) -> None:
        super().__init__(self.answer)

    def answer(self, request: Request) -> Response:
        path = request.path.rpartition("/")[2]
        if path == "invalidate_token":
            return json_answer(200, {"access_token": "AT"})
        return Response(200, (), (ISSUED if path == "request_token" else GRANTED).encode())


@each_host
@pytest.mark.parametrize("identity", [APP, OAuth1User(APP, "AT", "ATS")], ids=["App", "OAuth1User"])
@pytest.mark.parametrize("provider", [X, TWITTER, X.at("http://127.0.0.1:8080/x")], ids=["X", "TWITTER", "sandbox"])
def test_a_login_is_begun_and_finished_at_the_clients_provider(
    host: Host, identity: Identity, provider: Provider
) -> None:
    calls = Calls(host, Logins(), identity, provider=provider)
    awaiting = calls.call(
        "begin_login", "https://app.example/done", authenticate=True, force_login=True, screen_name="a b",
        x_auth_access_type="read",
    )  # fmt: skip
    assert awaiting.url == f"{provider.base_url}/oauth/authenticate?oauth_token=RT&force_login=true&screen_name=a%20b"
    assert awaiting.expires_at == ENV.timestamp() + 900
    row = awaiting.to_json()
    granted = calls.call("finish_login", AwaitingUser.from_json(row), "?oauth_token=RT&oauth_verifier=V")
    assert granted == TokenCredentials("7-AT", "ATS", "7", "xapi")
    begun, finished = calls.sent
    assert (begun.url, begun.body) == (f"{provider.base_url}/oauth/request_token", b"x_auth_access_type=read")
    assert finished.url == f"{provider.base_url}/oauth/access_token"
    for request in calls.sent:
        assert f'oauth_consumer_key="{APP.consumer_key}"' in request.headers["authorization"]
        assert f'oauth_timestamp="{ENV.timestamp()}"' in request.headers["authorization"]
    with pytest.raises(AlreadyUsed):
        calls.call("finish_login", awaiting, "?oauth_token=RT&oauth_verifier=V")


@each_host
def test_without_a_callback_a_login_is_by_pin(host: Host) -> None:
    calls = Calls(host, Logins())
    awaiting = calls.call("begin_login")
    assert (awaiting.callback, awaiting.url) == ("oob", f"{X.base_url}/oauth/authorize?oauth_token=RT")
    assert calls.call("finish_login", awaiting=awaiting, answer="123-4567").user_id == "7"
    assert 'oauth_verifier="1234567"' in calls.sent[1].headers["authorization"]


@each_host
@pytest.mark.parametrize("provider", [X, TWITTER], ids=["X", "TWITTER"])
def test_what_a_user_holds_is_exchanged_and_taken_back_at_the_clients_provider(host: Host, provider: Provider) -> None:
    calls = Calls(host, Logins(), OAuth1User(APP, "AT", "ATS"), provider=provider)
    assert calls.call("reverse_access_token", APP, "OAuth planted").access_token == "7-AT"
    assert calls.call("reverse_access_token", target="CK", parameters="OAuth planted").screen_name == "xapi"
    assert calls.call("invalidate_access_token") == "AT"
    assert [request.url for request in calls.sent] == [
        provider.endpoint("access_token"),
        provider.endpoint("access_token"),
        provider.endpoint("invalidate_access_token"),
    ]
    assert all('oauth_token="AT"' in request.headers["authorization"] for request in calls.sent)


@each_host
def test_what_only_a_user_or_an_application_does_is_refused_to_others(host: Host) -> None:
    for identity in (APP, Bearer("planted")):
        calls = Calls(host, Wire(), identity)
        with pytest.raises(WrongIdentity, match="pass an OAuth1User"):
            calls.call("reverse_access_token", APP, "OAuth planted")
        with pytest.raises(WrongIdentity, match="by an OAuth1User"):
            calls.call("invalidate_access_token")
    with pytest.raises(WrongIdentity, match="consumer key and secret"):
        calls.call("begin_login")
    assert calls.sent == []


@each_host
def test_no_frame_of_a_client_shows_a_login(host: Host) -> None:
    def broken(request: Request) -> Response:
        raise ReadError("broken")

    awaiting = AwaitingUser(
        "oauth1", "https://a/?t=planted", 2**40, X.origin, "https://app.example/done", "planted-token", "planted-secret"
    )
    back = "?oauth_token=planted-token&oauth_verifier=planted-verifier"
    wrong: list[tuple[str, tuple[Any, ...]]] = [
        ("finish_login", (awaiting, back)),
        ("finish_login", (awaiting.to_json(), back)),
        ("finish_login", (json.loads(awaiting.to_json()), back)),
        ("finish_login", (awaiting, back.replace("planted-token", "planted-other"))),
        ("reverse_access_token", (APP, "OAuth planted")),
        ("reverse_access_token", (APP, "planted")),
    ]
    for name, args in wrong:
        calls = Calls(host, Wire(broken), OAuth1User(APP, "AT", "ATS"))
        with pytest.raises(SansauthError) as caught:
            calls.call(name, *args)
        frames = [
            (frame.f_code.co_qualname, repr(frame.f_locals))
            for frame, _ in traceback.walk_tb(caught.value.__traceback__)
            if frame.f_globals["__name__"].startswith("sansauth")
        ]
        assert len(frames) > 2
        assert [name for name, shown in frames if "planted" in shown] == []
        assert "planted" not in str(caught.value)


@each_class
def test_a_client_that_could_not_be_made_is_no_trouble_to_show(path: str) -> None:
    with pytest.raises(WrongIdentity) as caught:
        client_class(path)(None)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "for nobody yet>" in "".join(told.format())


@each_host
@pytest.mark.parametrize("verb", ["get", "post", "put", "delete"])
def test_a_verb_is_the_request_of_its_name(host: Host, verb: str) -> None:
    calls = Calls(host, echo(), Bearer("B"))
    assert calls.call(verb, "/1.1/x.json", params={"a": "b c"}).status == 200
    assert calls.call("request", verb.upper(), "https://api.x.com/1.1/x.json?a=b%20c").status == 200
    one, other = calls.sent
    assert (one.method, one.url, one.headers) == (other.method, other.url, other.headers)
    assert one.method == verb.upper()
    assert one.headers["authorization"] == "Bearer B"


@each_host
def test_a_request_carries_what_its_options_say(host: Host) -> None:
    calls = Calls(host, echo(), Bearer("B"))
    own = Timeouts(1, 2, 3)
    calls.call("post", "/x", form={"a": "1"}, headers={"X-Own": "1"}, timeouts=own)
    calls.call("put", "/x", json={"a": 1}, headers=None)
    calls.call("delete", "/x", body=b"raw", headers=Headers([("a", "1"), ("a", "2")]))
    form, document, raw = calls.sent
    assert (form.body, form.headers["content-type"], form.headers["x-own"]) == (b"a=1", FORM, "1")
    assert (document.body, document.headers["content-type"]) == (b'{"a":1}', "application/json")
    assert (raw.body, raw.headers.get_all("a")) == (b"raw", ["1", "2"])
    assert [timeouts for _, timeouts in calls.wire.log] == [own, DEFAULT_TIMEOUTS, DEFAULT_TIMEOUTS]


@each_host
@pytest.mark.parametrize("verb", ["get", "post", "put", "delete"])
def test_an_option_that_does_not_exist_is_refused_and_not_dropped(host: Host, verb: str) -> None:
    calls = Calls(host, Wire(), Bearer("B"))
    with pytest.raises(TypeError, match=rf"^{verb}\(\): got an unexpected keyword argument 'parms'$"):
        calls.call(verb, "/x", parms={"a": "b"})
    with pytest.raises(LocalProtocolError):
        calls.call(verb, "/x", form={"a": "b"}, body=b"")


@each_host
def test_a_wrong_call_is_refused_where_it_is_made_and_leaves_no_coroutine(host: Host) -> None:
    client = Calls(host, Wire()).client
    with pytest.raises(TypeError, match=r"^get\(\): missing a required argument: 'url_or_path'$"):
        client.get()
    with pytest.raises(ForeignHost):
        Calls(host, Wire()).call("get", "https://api.example.org/")


@each_host
@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("token", ("extra",), {}),
        ("bearer_token", ("extra",), {}),
        ("invalidate_token", (), {"auth": "basic"}),
        ("reverse_token", (), {"extra": 1}),
        ("request", ("GET",), {}),
        ("request", ("GET", "/x"), {"method": "POST"}),
        ("get", ("/x",), {"method": "POST"}),
        ("get", ("/x", "extra"), {}),
        ("post", ("/x",), {"url_or_path": "/y"}),
    ],
)
def test_arguments_that_do_not_fit_are_told_by_the_methods_own_name(
    host: Host, name: str, args: tuple[str, ...], kwargs: dict[str, Any]
) -> None:
    client = Calls(host, Wire()).client
    with pytest.raises(TypeError) as caught:
        getattr(client, name)(*args, **kwargs)
    assert str(caught.value).startswith(f"{name.removeprefix('bearer_')}(): ")
    assert "caller" not in str(caught.value)
    assert caught.value.__suppress_context__


@each_host
def test_arguments_may_be_given_by_name(host: Host) -> None:
    store = MemoryStore()
    calls = Calls(host, Invalidating(), store=store)
    assert calls.call("request", method="GET", url_or_path="/x", params={"a": 1}).status == 200
    for verb in ("get", "post", "put", "delete"):
        assert calls.call(verb, url_or_path="/x").status == 200
    assert [request.method for request in calls.sent[1:]] == ["GET", "GET", "POST", "PUT", "DELETE"]
    assert calls.sent[1].target == "/x?a=1"
    assert calls.call("invalidate_token", access_token="T1", auth="basic") == "T1"
    assert stored_token(store) is None


@each_host
def test_an_option_of_token_may_have_the_name_of_what_is_inside(host: Host) -> None:
    calls = Calls(host, Service())
    assert calls.call("token", self="a", caller="b", name="c", function="d") == "T1"
    assert calls.sent[0].body == b"grant_type=client_credentials&self=a&caller=b&name=c&function=d"


WRONG_CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception]]] = [
    ("get", (None,), {}, InvalidURL),
    ("get", (b"/x",), {}, InvalidURL),
    ("get", ("//x",), {}, InvalidURL),
    ("get", ("/x",), {"timeouts": 5}, LocalProtocolError),
    ("get", ("https://api.example.org/",), {}, ForeignHost),
    ("post", ("/x",), {"form": {"a": "b"}, "body": b""}, LocalProtocolError),
    ("request", ("G T", "/x"), {}, LocalProtocolError),
    ("request", (None, "/x"), {}, LocalProtocolError),
    ("invalidate_token", ("",), {}, LocalProtocolError),
]


@each_host
@pytest.mark.parametrize(("name", "args", "kwargs", "expected"), WRONG_CALLS)
def test_a_wrong_value_is_a_typed_error_before_anything_is_sent(
    host: Host, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], expected: type[Exception]
) -> None:
    calls = Calls(host, Wire())
    with pytest.raises(expected):
        calls.call(name, *args, **kwargs)
    assert calls.sent == []


@each_loop
@pytest.mark.parametrize(("name", "args", "kwargs", "expected"), WRONG_CALLS)
def test_an_asynchronous_method_raises_where_it_is_awaited(
    host: Host, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], expected: type[Exception]
) -> None:
    coroutine = getattr(Calls(host, Wire()).client, name)(*args, **kwargs)

    async def main() -> Any:
        return await coroutine

    assert inspect.iscoroutine(coroutine)
    with pytest.raises(expected):
        run_async(host, main)


@each_loop
@pytest.mark.parametrize("name", ["token", "bearer_token", "reverse_token"])
def test_a_wrong_identity_is_told_where_it_is_awaited_too(host: Host, name: str) -> None:
    coroutine = getattr(Calls(host, Wire(), Bearer("B")).client, name)()

    async def main() -> Any:
        return await coroutine

    with pytest.raises(WrongIdentity):
        run_async(host, main)


@each_host
@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("token", (), {"assertion": "planted"}),
        ("invalidate_token", ("planted",), {}),
        ("invalidate_token", (), {"access_token": "planted", "assertion": "planted"}),
        ("post", ("/x?token=planted",), {"form": {"password": "planted"}, "headers": {"x-token": "planted"}}),
        ("put", ("/x",), {"json": "planted", "params": {"token": "planted"}}),
        ("delete", ("/x",), {"body": b"planted"}),
    ],
)
def test_no_frame_of_a_client_shows_what_a_method_was_given(
    host: Host, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    def broken(request: Request) -> Response:
        raise ReadError("broken")

    calls = Calls(host, Wire(broken), App("CK", "CS", "held"))
    with pytest.raises(ReadError) as caught:
        calls.call(name, *args, **kwargs)
    frames = [
        (frame.f_code.co_qualname, repr(frame.f_locals))
        for frame, _ in traceback.walk_tb(caught.value.__traceback__)
        if frame.f_globals["__name__"].startswith("sansauth_io")
    ]
    assert len(frames) > 2
    assert [name for name, shown in frames if "planted" in shown] == []


@each_host
def test_an_operation_function_that_was_not_called_is_told_apart_from_an_operation(host: Host) -> None:
    with pytest.raises(LocalProtocolError, match=r"take an Operation, not function; call token\(\.\.\.\) first"):
        Calls(host, Wire()).call("run", token)


# What a client is made of


@each_class
@pytest.mark.parametrize("identity", ["planted", None, ("CK", "planted"), App, object()])
def test_what_is_no_identity_is_refused_and_not_shown(path: str, identity: Any) -> None:
    with pytest.raises(WrongIdentity, match="as App, Bearer or OAuth1User, not as ") as caught:
        client_class(path)(identity)
    assert "planted" not in str(caught.value)


@each_class
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("provider", "https://planted.test"),
        ("provider", None),
        ("timeouts", 5),
        ("timeouts", None),
        ("timeouts", (1, 2, 3)),
        ("env", 5),
        ("store", "planted.db"),
        ("store", MemoryStore),
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused_by_its_name_and_not_shown(path: str, name: str, value: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{name}= takes ") as caught:
        client_class(path)(APP, **{name: value})
    assert "planted" not in str(caught.value)


@each_host
def test_run_runs_any_operation(host: Host) -> None:
    @operation
    def seven() -> Steps[int]:
        return 7
        yield from ()

    assert Calls(host, Wire()).call("run", seven()) == 7


# A client remembers one token of its application, and forgets it when it is invalidated


class Invalidating(Service):
    """A service that can also take a token back."""

    def answer(self, request: Request) -> Response:
        if not request.url.endswith("/oauth2/invalidate_token"):
            return super().answer(request)
        if request.has_form and request.body == b"access_token=refused":
            return json_answer(403, {"errors": [{"code": 99, "message": "Unable to verify your credentials"}]})
        return json_answer(200, {"access_token": request.body.decode().removeprefix("access_token=")})


@each_host
def test_an_invalidated_token_is_forgotten_and_the_next_call_fetches_another(host: Host) -> None:
    store = MemoryStore()
    calls = Calls(host, Invalidating(), store=store)
    assert calls.call("get", "/2/users/me").status == 200
    assert calls.call("get", "/2/users/me").status == 200
    assert stored_token(store) == "T1"
    invalidated = calls.call("invalidate_token", "T1")
    assert (invalidated, type(invalidated)) == ("T1", Secret)
    assert stored_token(store) is None
    assert calls.call("get", "/2/users/me").status == 200
    assert stored_token(store) == "T2"
    assert sum(is_token_request(request) for request in calls.sent) == 2


@each_host
def test_invalidating_another_token_forgets_nothing(host: Host) -> None:
    store = MemoryStore()
    store_token(store, "kept")
    calls = Calls(host, Invalidating(), store=store)
    assert calls.call("invalidate_token", "another") == "another"
    assert stored_token(store) == "kept"


@each_host
def test_a_token_that_the_service_did_not_invalidate_is_kept(host: Host) -> None:
    store = MemoryStore()
    store_token(store, "refused")
    calls = Calls(host, Invalidating(), store=store)
    with pytest.raises(UnableToVerifyCredentials):
        calls.call("invalidate_token", "refused")
    assert stored_token(store) == "refused"


@each_host
def test_the_owner_of_the_application_invalidates_its_token_by_a_signature(host: Host) -> None:
    store = MemoryStore()
    store_token(store, "T1")
    calls = Calls(host, Invalidating(), OAuth1User(APP, "AT", "ATS"), store=store)
    assert calls.call("invalidate_token", "T1") == "T1"
    assert calls.call("invalidate_token", "T1", auth="basic") == "T1"
    signed, basic = calls.sent
    assert signed.headers["authorization"].startswith("OAuth ")
    assert basic.headers["authorization"].startswith("Basic ")
    assert stored_token(store) is None


@each_host
def test_a_sandbox_never_shares_a_token_with_the_real_service(host: Host) -> None:
    store, service = (
        MemoryStore(),
        Wire(lambda request: token_answer("S") if is_token_request(request) else Response(200)),
    )
    store_token(store, "real")
    sandbox = Calls(host, service, store=store, provider=X.at("http://127.0.0.1:8080"))
    sandbox.call("get", "/2/users/me")
    assert sandbox.sent[-1].headers["authorization"] == "Bearer S"
    assert stored_token(store) == "real"
    assert len(list(store.keys("app-token/"))) == 2


@each_host
def test_a_login_by_oauth2_ends_in_the_store(host: Host) -> None:
    sandbox = Sandbox(env=ENV, redirect_uris=["https://app.example/done"])
    user = OAuth2User(sandbox.oauth2_client, "me")
    at = Calls(host, Wire(sandbox.handle), user, store=MemoryStore())
    awaiting = at.call("begin_oauth2_login", ["users.read", "tweet.read"], redirect_uri="https://app.example/done")
    tokens = at.call("finish_oauth2_login", awaiting, sandbox.approve(awaiting.url))
    assert tokens.scopes == ("users.read", "tweet.read")
    assert at.call("get", "/2/users/me").status == 200
    assert at.sent[-1].headers["authorization"] == f"Bearer {tokens.access_token}"
    at.call("logout")
    with pytest.raises(LoginRequired):
        at.call("get", "/2/users/me")


@each_host
def test_a_login_by_oauth2_is_for_an_oauth2_user(host: Host) -> None:
    at = Calls(host, echo())
    with pytest.raises(WrongIdentity, match="an OAuth2User's; this client calls as App"):
        at.call("begin_oauth2_login", ["users.read"])
    with pytest.raises(WrongIdentity, match="revoked and removed for an OAuth2User"):
        at.call("logout")
