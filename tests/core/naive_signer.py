"""A naive OAuth 1.0a signer with knobs for mistakes, written apart from sansauth: the standard library alone.

The request is one for all tests, with something in it for every mistake: a query and a form, a space, a plus, a tilde,
marks, text that is not ASCII, a repeated name out of order, an empty value, secrets that need encoding.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import quote as percent

from sansauth import App, OAuth1User, Request

URL = "https://api.x.com/1.1/statuses/update.json"
QUERY = [("include_entities", "true"), ("q", "a b~")]
FORM = [("status", "Hello + (é)!"), ("tag", "z/2"), ("tag", "a/1"), ("empty", "")]
APP = App("consumer-key", "consumer/secret+1")
USER = OAuth1User(APP, "1234-token", "token=secret/2")
TIMESTAMP = 1318622958
PROTOCOL = [
    ("oauth_consumer_key", APP.consumer_key),
    ("oauth_nonce", "nonce4711"),
    ("oauth_signature_method", "HMAC-SHA1"),
    ("oauth_timestamp", str(TIMESTAMP)),
    ("oauth_token", USER.access_token),
    ("oauth_version", "1.0"),
]

Pairs = list[tuple[str, str]]


def rfc3986(text: str) -> str:
    return percent(text, safe="")


def joined_key(consumer_secret: str, token_secret: str) -> str:
    return f"{rfc3986(consumer_secret)}&{rfc3986(token_secret)}"


def standard(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def signature(
    *,
    method: str = "POST",
    uri: str = URL,
    protocol: Pairs = PROTOCOL,
    query: Pairs = QUERY,
    form: Pairs = FORM,
    inner: Callable[[str], str] = rfc3986,
    inner_query: Callable[[str], str] | None = None,
    outer: Callable[[str], str] = rfc3986,
    outer_uri: Callable[[str], str] | None = None,
    order: Callable[[Pairs], Pairs] = sorted,
    consumer_secret: str = APP.consumer_secret,
    token_secret: str = USER.access_token_secret,
    key: Callable[[str, str], str] = joined_key,
    digest: str = "sha1",
    output: Callable[[bytes], str] = standard,
) -> str:
    """The signature of the request, with or without mistakes."""

    def encoded(pairs: Pairs, encode: Callable[[str], str]) -> Pairs:
        return [(encode(name), encode(value)) for name, value in pairs]

    pairs = encoded(protocol, inner) + encoded(query, inner_query or inner) + encoded(form, inner)
    normalized = "&".join(f"{name}={value}" for name, value in order(pairs))
    text = "&".join([method, (outer_uri or outer)(uri), outer(normalized)])
    return output(
        hmac.new(key(consumer_secret, token_secret).encode(), text.encode(), getattr(hashlib, digest)).digest()
    )


def header(signed: str, protocol: Pairs = PROTOCOL, before: str = "") -> str:
    """An Authorization header."""
    fields = [*protocol, ("oauth_signature", signed)]
    return "OAuth " + before + ", ".join(f'{name}="{rfc3986(value)}"' for name, value in fields)


def received(
    signed: str,
    *,
    url: str = URL,
    method: str = "POST",
    protocol: Pairs = PROTOCOL,
    query: Pairs = QUERY,
    form: Pairs = FORM,
    before: str = "",
) -> Request:
    """The request as it arrives: `+` for the space of its form, as browsers send it."""
    target = url + ("?" + "&".join(f"{name}={rfc3986(value)}" for name, value in query) if query else "")
    body = "&".join(f"{name}={rfc3986(value).replace('%20', '+')}" for name, value in form).encode()
    fields = {"authorization": header(signed, protocol, before)}
    if form:
        fields["content-type"] = "application/x-www-form-urlencoded"
    return Request(method, target, fields, body)
