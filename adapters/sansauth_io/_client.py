"""The one list of client methods, for synchronous and asynchronous clients alike.

Each method is made of a function from the caller's settings to an Operation, which the client runs. A synchronous
client's method gives the result, an asynchronous one's a coroutine of it, and type checkers know which.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import (
    TYPE_CHECKING,
    Concatenate,
    Literal,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    cast,
    overload,
)

from sansauth.awaiting import AwaitingUser, handed_in
from sansauth.call import call
from sansauth.callback import brought_back
from sansauth.effects import Operation, Steps, Timeouts, operation
from sansauth.encoding import Params, Value
from sansauth.errors import InvalidURL, LocalProtocolError
from sansauth.http import HeaderFields, Headers, Response, build_request
from sansauth.identity import App, Identity, OAuth1User, OAuth2User, app_of
from sansauth.oauth1.credentials import TokenCredentials
from sansauth.secret import Secret
from sansauth.x.access_token import invalidate_access_token
from sansauth.x.bearer_token import invalidate_and_forget, obtain_and_keep
from sansauth.x.login import begin_login, finish_login
from sansauth.x.reverse_auth import reverse_access_token, reverse_token
from sansauth_io._arguments import required
from sansauth_io._caller import Caller
from sansauth_io._oauth2_methods import adopt_tokens, begin_oauth2_login, finish_oauth2_login, log_out

if TYPE_CHECKING:
    from sansauth_io._driver_async import AsyncDriver
    from sansauth_io._driver_sync import SyncDriver

__all__ = ["AsyncClient", "Caller", "Methods", "SyncClient"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")


class Method(Protocol[P, T_co]):
    """What type checkers see in a method of every client; in truth it is a plain function, made by `method`."""

    @overload
    def __get__(self, client: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, client: SyncClient, owner: type, /) -> Callable[P, T_co]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type, /) -> Callable[P, Coroutine[object, object, T_co]]: ...

    @overload
    def __call__(self, client: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T_co: ...
    @overload
    def __call__(
        self, client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[object, object, T_co]: ...


def method(function: Callable[Concatenate[Caller, P], Operation[T]], name: str | None = None) -> Method[P, T]:
    """A method of every client, from a function that gives an Operation; it is called like the function, or `name`.

    The function's own code runs with the operation, so that an asynchronous method raises where it is awaited. Only
    arguments that do not fit are a TypeError where they are given, as with any `async def`.
    """

    def run(self: SyncClient | AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T | Coroutine[object, object, T]:
        try:
            bound = function(self.caller, *args, **kwargs)
        except TypeError:
            _refuse(called, shown, self, *args, **kwargs)
            raise
        del args, kwargs  # a traceback that shows the locals of its frames must not show a token
        return self.run(bound)

    signature = inspect.signature(function)
    caller, *parameters = signature.parameters.values()
    called = name or function.__name__.removeprefix("_")
    shown = signature.replace(
        parameters=[caller.replace(name="self", annotation=inspect.Parameter.empty), *parameters],
        # As of an `async def`: what comes of it in the end.
        return_annotation=signature.return_annotation.removeprefix("Steps[").removesuffix("]"),
    )
    vars(run).update(__signature__=shown)
    run.__name__, run.__qualname__, run.__doc__ = called, f"Methods.{called}", function.__doc__
    # Which of the two it returns is decided by the client's `run`, as the overloads say.
    return cast("Method[P, T]", run)


def _refuse(name: str, shown: inspect.Signature, /, *args: object, **kwargs: object) -> None:
    """Raise what is wrong with a call in the words of the method: Python's own would name what is inside it."""
    try:
        shown.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}(): {error}") from None


def verb(word: str, function: Callable[Concatenate[Caller, str, P], Operation[T]]) -> Method[P, T]:
    """The method of one HTTP method, from the function that takes any as its first argument."""

    def send(caller: Caller, /, *args: P.args, **kwargs: P.kwargs) -> Operation[T]:
        return function(caller, word, *args, **kwargs)

    signature = inspect.signature(function)
    caller, _, *parameters = signature.parameters.values()
    vars(send).update(__signature__=signature.replace(parameters=[caller, *parameters]))
    send.__name__, send.__doc__ = word.lower(), f'`request("{word}", ...)`, with the same options.'
    return method(send)


@operation
def _token(caller: Caller, /, **options: Value) -> Steps[Secret]:
    """Obtain the application's bearer token, which its calls then bear; see `sansauth.x.token`."""
    obtaining = obtain_and_keep(app_of(caller.identity), provider=caller.provider, env=caller.env, **options)
    del options  # as in `method`
    return (yield from obtaining)


@operation
def _invalidate_token(
    caller: Caller,
    /,
    access_token: str,
    *,
    auth: Literal["basic", "oauth1"] | None = None,
    **options: Value,
) -> Steps[Secret]:
    """Invalidate a bearer token, and forget it if it is the stored one; see `sansauth.x.invalidate_token`."""
    invalidating = invalidate_and_forget(
        caller.identity, access_token, provider=caller.provider, env=caller.env, auth=auth, **options
    )
    del access_token, options  # as in `method`
    return (yield from invalidating)


@operation
def _reverse_token(caller: Caller, /) -> Steps[Secret]:
    """Obtain the string for step 2 of reverse auth; see `sansauth.x.reverse_token`."""
    return (yield from reverse_token(app_of(caller.identity), env=caller.env, provider=caller.provider))


@operation
def _reverse_access_token(caller: Caller, /, target: App | str, parameters: str) -> Steps[TokenCredentials]:
    """Exchange the string of step 1, as the account on the device; see `sansauth.x.reverse_access_token`."""
    exchanging = reverse_access_token(
        _user(caller), target, Secret(parameters), env=caller.env, provider=caller.provider
    )
    del parameters  # as in `method`
    return (yield from exchanging)


@operation
def _begin_login(
    caller: Caller,
    /,
    callback: str = "oob",
    *,
    authenticate: bool = False,
    force_login: bool = False,
    screen_name: str | None = None,
    x_auth_access_type: Literal["read", "write"] | None = None,
) -> Steps[AwaitingUser]:
    """Begin a login of a user of the application's; see `sansauth.x.begin_login`."""
    return (
        yield from begin_login(
            app_of(caller.identity),
            callback,
            env=caller.env,
            provider=caller.provider,
            authenticate=authenticate,
            force_login=force_login,
            screen_name=screen_name,
            x_auth_access_type=x_auth_access_type,
        )
    )


@operation
def _finish_login(caller: Caller, /, awaiting: AwaitingUser, answer: str) -> Steps[TokenCredentials]:
    """Finish a login with what the user brought back: a callback's URL, or a PIN; see `sansauth.x.finish_login`."""
    awaiting, answer = handed_in(awaiting), brought_back(answer)
    return (
        yield from finish_login(app_of(caller.identity), awaiting, answer, env=caller.env, provider=caller.provider)
    )


@operation
def _invalidate_access_token(caller: Caller, /) -> Steps[Secret]:
    """Invalidate the access token that this client's user holds; see `sansauth.x.invalidate_access_token`."""
    return (yield from invalidate_access_token(_user(caller), env=caller.env, provider=caller.provider))


def _user(caller: Caller) -> OAuth1User:
    return cast("OAuth1User", caller.identity)  # the operations refuse any other, each in its own words


@operation
def _request(
    caller: Caller,
    /,
    method: str,
    url_or_path: str,
    *,
    params: Params | None = None,
    form: Params | None = None,
    json: object = None,
    body: bytes | None = None,
    headers: HeaderFields | Headers | None = None,
    timeouts: Timeouts | None = None,
) -> Steps[Response]:
    """Send an authorised request; a path is joined to the provider's base URL. See `sansauth.call.call`.

    `params` go to the query, and at most one of `form`, `json` and `body` becomes the body; `timeouts` replaces the
    client's own for this exchange. See `sansauth.build_request`.
    """
    if not isinstance(url_or_path, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a checker
        raise InvalidURL(f"a URL or a path is a str, not {type(url_or_path).__name__}")
    if timeouts is not None:
        required("timeouts", timeouts, Timeouts)  # now, and not when a token has been fetched
    url = caller.provider.url(url_or_path)
    request = build_request(method, url, params=params, form=form, json=json, body=body, headers=headers or ())
    del url_or_path, url, params, form, json, body, headers  # as in `method`
    return (yield from call(request, caller.identity, provider=caller.provider, env=caller.env, timeouts=timeouts))


class Methods:
    """The methods of every client."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    token = method(_token)
    bearer_token = token
    invalidate_token = method(_invalidate_token)
    begin_login = method(_begin_login)
    finish_login = method(_finish_login)
    invalidate_access_token = method(_invalidate_access_token)
    reverse_token = method(_reverse_token)
    reverse_access_token = method(_reverse_access_token)
    begin_oauth2_login = method(begin_oauth2_login)
    finish_oauth2_login = method(finish_oauth2_login)
    adopt = method(adopt_tokens, "adopt")
    logout = method(log_out, "logout")
    request = method(_request)
    get = verb("GET", _request)
    post = verb("POST", _request)
    put = verb("PUT", _request)
    delete = verb("DELETE", _request)

    def __repr__(self) -> str:
        # A traceback that shows locals also shows what is half built: a repr that raised would hide the real error.
        caller: Caller | None = getattr(self, "caller", None)
        whom = "nobody yet" if caller is None else repr(caller.identity)
        return f"<{type(self).__module__}.{type(self).__qualname__} for {whom}>"


def _require_store(identity: Identity, has_store: bool) -> None:
    # Refresh tokens are good once: where the new one dies with the client, the user is logged out with it.
    if isinstance(identity, OAuth2User) and not has_store:
        raise LocalProtocolError(
            "the tokens of an OAuth2User live in a store: give store=, MemoryStore() if they may die with this process"
        )


class SyncClient(Methods):
    """A client whose methods give their results."""

    def __init__(self, caller: Caller, driver: SyncDriver) -> None:
        super().__init__(caller)
        _require_store(caller.identity, driver.has_store)
        self._driver = driver

    def run(self, operation: Operation[T]) -> T:
        """Run any operation over this client's transport and store."""
        return self._driver.run(operation)


class AsyncClient(Methods):
    """A client whose methods are awaited."""

    def __init__(self, caller: Caller, driver: AsyncDriver) -> None:
        super().__init__(caller)
        _require_store(caller.identity, driver.has_store)
        self._driver = driver

    async def run(self, operation: Operation[T]) -> T:
        """Run any operation over this client's transport and store."""
        return await self._driver.run(operation)
