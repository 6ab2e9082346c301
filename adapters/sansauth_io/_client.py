"""The one list of client methods, for synchronous and asynchronous clients alike.

Each method is a function from the caller's settings to an Operation; the descriptor runs it. A synchronous client's
method gives the result, an asynchronous one's a coroutine of it, and type checkers know which.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate, Generic, Literal, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from sansauth.call import call
from sansauth.effects import Operation, Timeouts
from sansauth.encoding import Params, Value
from sansauth.env import Env
from sansauth.http import HeaderFields, Response, build_request
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
    headers: HeaderFields
    timeouts: Timeouts | None


class Method(Generic[P, T]):
    """A method of every client, from a function that gives an Operation."""

    def __init__(self, function: Callable[Concatenate[Caller, P], Operation[T]]) -> None:
        self._function = function
        self.__doc__ = function.__doc__
        signature = inspect.signature(function)
        self.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])

    def __set_name__(self, owner: type, name: str) -> None:
        self.__name__ = name

    @overload
    def __get__(self, client: None, owner: type) -> Method[P, T]: ...
    @overload
    def __get__(self, client: SyncClient, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, Coroutine[object, object, T]]: ...

    def __get__(
        self, client: SyncClient | AsyncClient | None, owner: type
    ) -> Method[P, T] | Callable[P, T] | Callable[P, Coroutine[object, object, T]]:
        if client is None:
            return self

        @functools.wraps(self._function)
        def bound(*args: P.args, **kwargs: P.kwargs) -> T | Coroutine[object, object, T]:
            return client.run(self._function(client.caller, *args, **kwargs))

        bound.__name__ = self.__name__
        bound.__qualname__ = f"{type(client).__qualname__}.{self.__name__}"
        vars(bound)["__signature__"] = self.__signature__
        # Which of the two it returns is decided by the client's `run`, as the overloads say.
        return cast("Callable[P, T] | Callable[P, Coroutine[object, object, T]]", bound)


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
    caller: Caller, method: str, url_or_path: str, /, **options: Unpack[RequestOptions]
) -> Operation[Response]:
    """Send an authorised request; a path is joined to the provider's base URL. See `sansauth.call.call`."""
    request = build_request(
        method,
        caller.provider.url(url_or_path),
        params=options.get("params"),
        form=options.get("form"),
        json=options.get("json"),
        body=options.get("body"),
        headers=options.get("headers", ()),
    )
    timeouts = options.get("timeouts")
    return call(request, caller.identity, provider=caller.provider, env=caller.env, timeouts=timeouts)


def _get(caller: Caller, url_or_path: str, /, **options: Unpack[RequestOptions]) -> Operation[Response]:
    """`request("GET", ...)`."""
    return _request(caller, "GET", url_or_path, **options)


def _post(caller: Caller, url_or_path: str, /, **options: Unpack[RequestOptions]) -> Operation[Response]:
    """`request("POST", ...)`."""
    return _request(caller, "POST", url_or_path, **options)


def _put(caller: Caller, url_or_path: str, /, **options: Unpack[RequestOptions]) -> Operation[Response]:
    """`request("PUT", ...)`."""
    return _request(caller, "PUT", url_or_path, **options)


def _delete(caller: Caller, url_or_path: str, /, **options: Unpack[RequestOptions]) -> Operation[Response]:
    """`request("DELETE", ...)`."""
    return _request(caller, "DELETE", url_or_path, **options)


class Methods:
    """The methods of every client."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    token = Method(_token)
    bearer_token = Method(_token)
    invalidate_token = Method(_invalidate_token)
    reverse_token = Method(_reverse_token)
    request = Method(_request)
    get = Method(_get)
    post = Method(_post)
    put = Method(_put)
    delete = Method(_delete)

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
