"""Mistakes in the base URI and in the method."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from sansauth.encoding import unquote
from sansauth.errors import InvalidURL
from sansauth.oauth1.explaining.drafts import Draft, Encoding, Mistake, Scene, Variants, encode_text
from sansauth.url import DEFAULT_PORTS, Url, parse_url

__all__ = ["URI_MISTAKES"]

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD")


_WRITTEN = re.compile(r"[^:/?#]+://([^/?#]*)([^?#]*)[^#]*(#.*)?", re.DOTALL)


def _method_case(draft: Draft, scene: Scene) -> Variants:
    del scene
    for method in (draft.method.lower(), draft.method.capitalize()):
        yield replace(draft, method=method), method


def _other_method(draft: Draft, scene: Scene) -> Variants:
    for method in METHODS:
        if method != scene.request.method:
            yield replace(draft, method=method), f"{method} request, and sent as {scene.request.method}"


def _other_host(draft: Draft, scene: Scene) -> Variants:
    for url in (*scene.origins, *_named_hosts(scene)):
        if url.authority != scene.request.parsed.authority:
            _, _, port = url.authority.removeprefix(url.host).rpartition(":")
            moved = replace(draft, scheme=url.scheme, host=url.host, port=f":{port}" if port else "")
            yield moved, f"{url.authority}, and sent to {scene.request.parsed.authority}"


def _named_hosts(scene: Scene) -> Iterator[Url]:
    for name in ("host", "x-forwarded-host"):
        for value in scene.request.headers.get_all(name):
            try:
                yield parse_url(f"{scene.request.scheme}://{value}")
            except InvalidURL:
                continue


def _host_case(draft: Draft, scene: Scene) -> Variants:
    host = _written(scene)[0].partition(":")[0]
    if host != draft.host and host.lower() == draft.host:
        yield replace(draft, host=host), host


def _other_scheme(draft: Draft, scene: Scene) -> Variants:
    other = {"http": "https", "https": "http"}[draft.scheme]
    yield replace(draft, scheme=other), f"{other}://, and sent by {scene.request.scheme}://"


def _port(draft: Draft, scene: Scene) -> Variants:
    if draft.port:
        yield replace(draft, port=""), f"without the port {scene.request.port}, which is not the scheme's own"
    else:
        port = DEFAULT_PORTS[scene.request.scheme]
        yield replace(draft, port=f":{port}"), f"with the port {port}, which is the scheme's own"


def _slash(draft: Draft, scene: Scene) -> Variants:
    del scene
    if draft.path.endswith("/"):
        yield replace(draft, path=draft.path[:-1]), "without the slash at its end"
    else:
        yield replace(draft, path=draft.path + "/"), "with a slash at its end"


def _path_encoding(draft: Draft, scene: Scene) -> Variants:
    decoded = unquote(draft.path).decode("utf-8", "surrogateescape")
    again = encode_text(draft.path, Encoding(extra="/"))
    strict = encode_text(decoded, Encoding(extra="/"))
    ways = {"decoded": decoded, "encoded in another way": strict, "encoded again": again}
    ways["as it was written"] = _written(scene)[1]
    for detail, path in ways.items():
        if path not in {draft.path, ""}:
            yield replace(draft, path=path), detail


def _query_in_uri(draft: Draft, scene: Scene) -> Variants:
    if scene.request.query:
        kept = replace(draft, tail=f"?{scene.request.query}")
        yield kept, ""
        yield kept.without(lambda param: param.source == "query"), ""


def _fragment(draft: Draft, scene: Scene) -> Variants:
    if fragment := _written(scene)[2]:
        yield replace(draft, tail=draft.tail + fragment), ""


def _written(scene: Scene) -> tuple[str, str, str]:
    """Authority, path and fragment of the URL as it was written; empty where nobody says."""
    match = _WRITTEN.fullmatch((scene.written or "").encode("utf-8", "replace").decode())
    return (match[1], match[2], match[3] or "") if match else ("", "", "")


URI_MISTAKES = (
    Mistake(
        "host",
        "base URI",
        "It was signed for the host {}.",
        "Sign the URL that the request is sent to, after every redirect, proxy and change of a base URL.",
        _other_host,
    ),
    Mistake(
        "host_case",
        "base URI",
        "The host was signed as `{}`, capitals and all.",
        "Sign the host in lower case (RFC 5849 section 3.4.1.2).",
        _host_case,
    ),
    Mistake(
        "scheme",
        "base URI",
        "It was signed for {}.",
        "Sign the scheme that the service sees. Behind a proxy that ends TLS that is https, whatever arrives inside.",
        _other_scheme,
    ),
    Mistake(
        "port",
        "base URI",
        "The host was signed {}.",
        "Leave the port out if it is 80 for http or 443 for https, and keep any other (RFC 5849 section 3.4.1.2).",
        _port,
    ),
    Mistake(
        "path_slash",
        "base URI",
        "The path was signed {}.",
        "Sign the path exactly as it is sent; an empty one is `/`.",
        _slash,
    ),
    Mistake(
        "path_encoding",
        "base URI",
        "The path was signed {}.",
        "Sign the path exactly as it stands in the request line, neither decoded nor encoded once more.",
        _path_encoding,
    ),
    Mistake(
        "query_in_uri",
        "base URI",
        "The query was left in the base URI.",
        "The base URI ends where the `?` begins; the query's parameters are signed with all others.",
        _query_in_uri,
    ),
    Mistake(
        "fragment",
        "base URI",
        "The URL's fragment was signed.",
        "Cut the URL at its `#` before it is signed: a fragment is never sent.",
        _fragment,
    ),
    Mistake(
        "method_case",
        "method",
        "The method was signed as `{}`.",
        "Sign the method's name in capitals (RFC 5849 section 3.4.1.1).",
        _method_case,
    ),
    Mistake(
        "method_other",
        "method",
        "It was signed as a {}.",
        "Sign the method that is sent.",
        _other_method,
    ),
)
