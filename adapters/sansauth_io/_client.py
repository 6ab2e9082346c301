"""The one list of client methods, for synchronous and asynchronous clients alike.

Each method is made of a function from the caller's settings to an Operation, which the client runs. A synchronous
client's method gives the result, an asynchronous one's a coroutine of it, and type checkers know which.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Concatenate,
    Literal,
    ParamSpec,
    Protocol,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from sansauth.call import call
from sansauth.effects import Operation, Timeouts
from sansauth.encoding import Params, Value
from sansauth.env import Env
from sansauth.http import HeaderFields, Headers, Response, build_request
from sansauth.identity import Identity, app_of
from sansauth.provider import Provider
from sansauth.secret import Secret
from sansauth.x.bearer_token import invalidate_and_forget, token
from sansauth.x.reverse_auth import reverse_token

if TYPE_CHECKING:
    from sansauth_io._driver_async import AsyncDriver
    from sansauth_io._driver_sync import SyncDriver

__all__ = ["AsyncClient", "Caller", "Methods", "RequestOptions", "SyncClient"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls whom, and by which clock: what every method of a client needs."""

    identity: Identity
    provider: Provider
    env: Env


class RequestOptions(TypedDict, total=False):
    """What a request may carry besides method and URL; see `sansauth.build_request`."""

    params: Params | None
    form: Params | None
    json: object
    body: bytes | None
    headers: HeaderFields | Headers | None
    timeouts: Timeouts | None


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


def method(function: Callable[Concatenate[Caller, P], Operation[T]]) -> Method[P, T]:
    """A method of every client, from a function that gives an Operation."""

    def run(self: SyncClient | AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T | Coroutine[object, object, T]:
        return self.run(function(self.caller, *args, **kwargs))

    signature = inspect.signature(function)
    caller, *parameters = signature.parameters.values()
    name = function.__name__.removeprefix("_")
    vars(run).update(
        __signature__=signature.replace(
            parameters=[caller.replace(name="self", annotation=inspect.Parameter.empty), *parameters],
            # As of an `async def`: what comes of it in the end.
            return_annotation=signature.return_annotation.removeprefix("Operation[").removesuffix("]"),
        )
    )
    run.__name__, run.__qualname__, run.__doc__ = name, f"Methods.{name}", function.__doc__
    # Which of the two it returns is decided by the client's `run`, as the overloads say.
    return cast("Method[P, T]", run)


def _token(caller: Caller, /, **options: Value) -> Operation[Secret]:
    """Obtain the application's bearer token; see `sansauth.x.token`."""
    return token(app_of(caller.identity), provider=caller.provider, env=caller.env, **options)


def _invalidate_token(
    caller: Caller,
    access_token: str,
    /,
    *,
    auth: Literal["basic", "oauth1"] | None = None,
    **options: Value,
) -> Operation[Secret]:
    """Invalidate a bearer token, and forget it if it is the stored one; see `sansauth.x.invalidate_token`."""
    return invalidate_and_forget(
        caller.identity, access_token, provider=caller.provider, env=caller.env, auth=auth, **options
    )


def _reverse_token(caller: Caller, /) -> Operation[Secret]:
    """Obtain the string for step 2 of reverse auth; see `sansauth.x.reverse_token`."""
    return reverse_token(app_of(caller.identity), env=caller.env, provider=caller.provider)


def _request(
    caller: Caller,
    method: str,
    url_or_path: str,
    /,
    *,
    params: Params | None = None,
    form: Params | None = None,
    json: object = None,
    body: bytes | None = None,
    headers: HeaderFields | Headers | None = None,
    timeouts: Timeouts | None = None,
) -> Operation[Response]:
    """Send an authorised request; a path is joined to the provider's base URL. See `sansauth.call.call`.

    `params` go to the query, and at most one of `form`, `json` and `body` becomes the body; `timeouts` replaces the
    client's own for this exchange. See `sansauth.build_request`.
    """
    url = caller.provider.url(url_or_path)
    request = build_request(method, url, params=params, form=form, json=json, body=body, headers=headers or ())
    return call(request, caller.identity, provider=caller.provider, env=caller.env, timeouts=timeouts)


def _get(caller: Caller, url_or_path: str, /, **options: Unpack[RequestOptions]) -> Operation[Response]:
    """`request("GET", ...)`, with the same options."""
    return _request(caller, "GET", url_or_path, **options)


def _post(caller: Caller, url_or_path: str, /, **options: Unpack[RequestOptions]) -> Operation[Response]:
    """`request("POST", ...)`, with the same options."""
    return _request(caller, "POST", url_or_path, **options)


def _put(caller: Caller, url_or_path: str, /, **options: Unpack[RequestOptions]) -> Operation[Response]:
    """`request("PUT", ...)`, with the same options."""
    return _request(caller, "PUT", url_or_path, **options)


def _delete(caller: Caller, url_or_path: str, /, **options: Unpack[RequestOptions]) -> Operation[Response]:
    """`request("DELETE", ...)`, with the same options."""
    return _request(caller, "DELETE", url_or_path, **options)


class Methods:
    """The methods of every client."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    token = method(_token)
    bearer_token = token
    invalidate_token = method(_invalidate_token)
    reverse_token = method(_reverse_token)
    request = method(_request)
    get = method(_get)
    post = method(_post)
    put = method(_put)
    delete = method(_delete)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} for {self.caller.identity!r}>"


class SyncClient(Methods):
    """A client whose methods give their results."""

    def __init__(self, caller: Caller, driver: SyncDriver) -> None:
        super().__init__(caller)
        self._driver = driver

    def run(self, operation: Operation[T]) -> T:
        """Run any operation over this client's transport and store."""
        return self._driver.run(operation)


class AsyncClient(Methods):
    """A client whose methods are awaited."""

    def __init__(self, caller: Caller, driver: AsyncDriver) -> None:
        super().__init__(caller)
        self._driver = driver

    async def run(self, operation: Operation[T]) -> T:
        """Run any operation over this client's transport and store."""
        return await self._driver.run(operation)
