"""What type checkers know of the clients' methods. mypy and pyright read this file; nobody runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_type

import sansauth_io.httpx
import sansauth_io.httpx2
import sansauth_io.requests
import sansauth_io.trio
from sansauth import App, AwaitingUser, Operation, Response, Signing, Timeouts
from sansauth.oauth1 import TokenCredentials
from sansauth.secret import Secret
from sansauth.tokens import OAuth2Tokens


def synchronous(client: sansauth_io.requests.Client, operation: Operation[int]) -> None:
    assert_type(client.token(), Secret)
    assert_type(client.token(grant_type="client_credentials"), Secret)
    assert_type(client.bearer_token(), Secret)
    assert_type(client.invalidate_token("AAAA", auth="basic"), Secret)
    assert_type(client.reverse_token(), Secret)
    assert_type(client.begin_login(), AwaitingUser)
    assert_type(client.begin_login("https://a/", force_login=True, x_auth_access_type="read"), AwaitingUser)
    assert_type(client.finish_login(client.begin_login(), "1234567"), TokenCredentials)
    assert_type(client.begin_oauth2_login(["a"], parameters={"prompt": "login"}, push=True), AwaitingUser)
    assert_type(client.finish_oauth2_login(client.begin_oauth2_login(["a"]), "https://a/?code=c"), OAuth2Tokens)
    assert_type(client.logout(), None)
    assert_type(client.invalidate_access_token(), Secret)
    assert_type(client.reverse_access_token("CK", "OAuth x"), TokenCredentials)
    assert_type(client.request("GET", "/x", params={"a": 1}, headers=None, timeouts=Timeouts()), Response)
    assert_type(client.get("/x", params={"a": "b"}, timeouts=Timeouts()), Response)
    assert_type(client.post("/x", form={"a": "b"}), Response)
    assert_type(client.put("/x", json=[1], headers=[("a", "b")]), Response)
    assert_type(client.delete("/x", body=b""), Response)
    assert_type(client.run(operation), int)
    assert_type(sansauth_io.requests.Client.get(client, "/x"), Response)
    assert_type(client.request(method="GET", url_or_path="/x"), Response)
    assert_type(client.get(url_or_path="/x"), Response)
    assert_type(client.invalidate_token(access_token="AAAA"), Secret)
    assert_type(sansauth_io.requests.Client.get(client, url_or_path="/x"), Response)


def parameters(
    client: sansauth_io.requests.Client,
    texts: dict[str, str],
    numbers: dict[str, int],
    lists: dict[str, list[str]],
    mixed: dict[str, str | list[str]],
    optional: dict[str, str | None],
    everything: dict[str, str | int | bool | list[int] | tuple[str, ...] | None],
    mapping: Mapping[str, str],
    pairs: list[tuple[str, str]],
    numbered: list[tuple[str, int]],
    generated: Iterator[tuple[str, str | int]],
) -> None:
    """Variables of the types that programs have; a literal would be given the type that fits."""
    client.get("/x", params=texts)
    client.get("/x", params=numbers)
    client.get("/x", params=lists)
    client.get("/x", params=mixed)
    client.get("/x", params=optional)
    client.get("/x", params=everything)
    client.get("/x", params=mapping)
    client.get("/x", params=pairs)
    client.get("/x", params=numbered)
    client.get("/x", params=generated)
    client.get("/x", params=texts.items())
    client.post("/x", form=mixed)


async def with_httpx(client: sansauth_io.httpx.AsyncClient, operation: Operation[int]) -> None:
    assert_type(await client.token(), Secret)
    assert_type(await client.bearer_token(), Secret)
    assert_type(await client.invalidate_token("AAAA", auth="oauth1"), Secret)
    assert_type(await client.reverse_token(), Secret)
    awaiting = await client.begin_login("https://a/", authenticate=True, screen_name="a")
    assert_type(awaiting, AwaitingUser)
    assert_type(await client.finish_login(awaiting, "?oauth_token=a&oauth_verifier=b"), TokenCredentials)
    assert_type(await client.invalidate_access_token(), Secret)
    assert_type(await client.reverse_access_token(App("CK", "CS"), parameters="OAuth x"), TokenCredentials)
    assert_type(await client.request("GET", "/x", params={"a": 1}), Response)
    assert_type(await client.get("/x"), Response)
    assert_type(await client.post("/x", form={"a": "b"}), Response)
    assert_type(await client.put("/x", json=[1]), Response)
    assert_type(await client.delete("/x"), Response)
    assert_type(await client.run(operation), int)
    assert_type(await sansauth_io.httpx.AsyncClient.get(client, "/x"), Response)


async def with_httpx2(client: sansauth_io.httpx2.AsyncClient) -> None:
    assert_type(await client.token(), Secret)
    assert_type(await client.get("/x"), Response)


async def with_trio(client: sansauth_io.trio.AsyncClient) -> None:
    assert_type(await client.token(), Secret)
    assert_type(await client.get("/x"), Response)


def wrong_use(client: sansauth_io.requests.Client, aclient: sansauth_io.trio.AsyncClient) -> None:
    """Each line is an error; if one were none, the unused `ignore` would be."""
    client.get(url="/x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.get("/x", params={"a": 1.5})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.get()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.get("/x", parms={"a": "b"})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.get("/x", params=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.invalidate_token("AAAA", auth="digest")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.begin_login(x_auth_access_type="all")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.finish_login("{}", "1234567")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Signing("hmac")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.reverse_token("AAAA")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    aclient.get("/x").status  # type: ignore[attr-defined]  # pyright: ignore  # noqa: B018
