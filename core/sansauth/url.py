"""The URL grammar: strict, because parsers disagree.

For `http://evil.test\\@api.x.com/` one parser says `api.x.com` and another connects to `evil.test`. So a URL is parsed
once, here, by a grammar that refuses what is ambiguous; host policy, signer and transports use the parts and never
parse again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sansauth.encoding import quote
from sansauth.errors import InvalidURL

__all__ = ["Url", "parse_url"]

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, repr=False)
class Url:
    """A parsed URL. `target` is what stands in the request line: path and query, canonical."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host, and port if it is not the scheme's own: the value of the `Host` header."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme and authority: what host policy compares."""
        return f"{self.scheme}://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine by its name alone: 127.0.0.0/8, ::1 or localhost."""
        return self.host in {"localhost", "[::1]"} or _LOOPBACK.fullmatch(self.host) is not None

    def __str__(self) -> str:
        return self.origin + self.target

    def __repr__(self) -> str:
        path, mark, _ = self.target.partition("?")
        return f"Url({self.origin + path + mark + ('...' if mark else '')!r})"  # the query may hold what is secret


_LOOPBACK = re.compile(r"127(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}")
_REFUSED = r"\x00-\x20\x7F-\x9F\\"
_HOLDS_REFUSED = re.compile(f"[{_REFUSED}]")
_URL = re.compile(
    r"([Hh][Tt][Tt][Pp][Ss]?)://"  # spelt out: IGNORECASE would take U+017F for an s, and is slower
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9._])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::([0-9]{0,5}))?"
    rf"(/[^?#{_REFUSED}]*)?"
    rf"(?:\?([^#{_REFUSED}]*))?"
    rf"(?:\#[^{_REFUSED}]*)?"
)
# RFC 3986 sections 3.3 and 3.4: pchar and "/" in a path, "?" besides in a query. Possessive, so that a hostile URL
# cannot make the match backtrack.
_PATH_CLEAN = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]++|%[0-9A-F]{2})*+")
_QUERY_CLEAN = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]++|%[0-9A-F]{2})*+")
_PATH_UNCLEAN = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]")
_QUERY_UNCLEAN = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?]")


def parse_url(url: str) -> Url:
    """Parse an absolute http or https URL by a grammar stricter than RFC 3986's.

    Refused with `InvalidURL`: userinfo, a backslash, control characters and space, an authority that is not plain
    ASCII, a path that begins with `//`. Normalised: scheme and host in lower case, %xx in upper case, characters
    outside RFC 3986's path and query sets percent-encoded, a bare `?`, the fragment and a default port dropped. Nothing
    is decoded, and dot segments stay: what is signed is what is sent.
    """
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise InvalidURL(f"a URL is a str, not {type(url).__name__}")
    match = _URL.fullmatch(url)
    if match is None:
        if _HOLDS_REFUSED.search(url):
            raise InvalidURL("the URL holds a space, a control character or a backslash; percent-encode it")
        raise InvalidURL(
            "not an absolute http(s) URL: expected scheme://host[:port]/path?query, with a plain ASCII host and no "
            "user name or password in it"
        )
    scheme, host, given_port, path, query = match.groups()
    scheme, host, path = scheme.lower(), host.lower(), path or "/"
    if path.startswith("//"):
        raise InvalidURL("the URL's path begins with `//`, which some clients read as another host")
    if host[0] == "[":
        _check_ipv6(host[1:-1])
    port = int(given_port or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise InvalidURL(f"the URL's port {port} is outside 1 to 65535")
    target = path if _PATH_CLEAN.fullmatch(path) else _PATH_UNCLEAN.sub(_encode_unclean, path)
    if query:
        target += "?" + (query if _QUERY_CLEAN.fullmatch(query) else _QUERY_UNCLEAN.sub(_encode_unclean, query))
    return Url(scheme, host, port, target)


def _encode_unclean(match: re.Match[str]) -> str:
    piece = match[0]
    if len(piece) == 3:
        return piece.upper()
    try:
        return quote(piece)
    except ValueError:
        raise InvalidURL("the URL holds a lone surrogate, which has no UTF-8 encoding") from None


def _check_ipv6(text: str) -> None:
    from ipaddress import IPv6Address  # only a URL that needs it pays for the import

    try:
        IPv6Address(text)
    except ValueError:
        raise InvalidURL("the URL's host in brackets is not an IPv6 address") from None
