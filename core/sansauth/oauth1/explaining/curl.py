"""Read a curl command into the request that it sends, as far as a signature goes.

What would need a file, a password or a network is refused, and so is an option that is not known: a request that was
guessed at explains nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sansauth.encoding import quote
from sansauth.errors import InvalidParameter
from sansauth.http import FORM, JSON, Request
from sansauth.oauth1.explaining.shell_words import split_words
from sansauth.secret import Secret

__all__ = ["read_curl"]

BOUNDARY = "sansauth"

# By their long names, or by the letter where that is enough. These change nothing that is signed ...
_NOTHING = """
s S v i k L f N j J O R q a Z 0 1 2 3 4 6 # silent show-error verbose include insecure location fail fail-with-body
fail-early no-buffer compressed http1.0 http1.1 http2 http2-prior-knowledge http3 tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3
ipv4 ipv6 progress-bar no-progress-meter location-trusted path-as-is remote-name remote-header-name no-keepalive no-alpn
tcp-nodelay disable post301 post302 post303
"""
# ... nor do these, which take a value.
_NOTHING_WITH_VALUE = """
o m w x E c D y Y output max-time connect-timeout write-out proxy retry retry-delay retry-max-time cacert capath cert
key cookie-jar dump-header ciphers tls-max resolve connect-to interface max-redirs limit-rate speed-time speed-limit
proxy-user noproxy stderr trace trace-ascii cert-type key-type pass keepalive-time proto
"""
_IGNORED = frozenset(_NOTHING.split())
_IGNORED_WITH_VALUE = frozenset(_NOTHING_WITH_VALUE.split())
_LONG = {
    "X": "request",
    "H": "header",
    "d": "data",
    "data-ascii": "data",
    "data-binary": "data",
    "F": "form",
    "form-string": "form",
    "u": "user",
    "A": "user-agent",
    "e": "referer",
    "b": "cookie",
    "G": "get",
    "I": "head",
    "g": "globoff",
}
_OPTION = re.compile(r"--?[A-Za-z0-9#][A-Za-z0-9.\-]{0,30}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_GLOB = re.compile(r"[{}]|\[[^\]:]*\]")


@dataclass(slots=True, repr=False)
class _Command:
    """What the options have said so far."""

    method: str | None = None
    urls: list[str] = field(default_factory=list[str])
    headers: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, "str | None"]])
    """As given; None takes away one that curl would add."""
    own: dict[str, str] = field(default_factory=dict[str, str])
    """Those that curl adds."""
    body: str | None = None
    parts: list[str] = field(default_factory=list[str])
    query: list[str] = field(default_factory=list[str])
    switches: set[str] = field(default_factory=set[str])


def read_curl(command: str) -> Request:
    """The request that a curl command sends, quoted as a POSIX shell or a browser's "copy as cURL" quotes it.

    A multipart body is a stand-in: it is never signed. Raises `InvalidParameter` for what is no curl command, an option
    that is not known, a file, a variable; `InvalidURL`, `InvalidHeader` and `LocalProtocolError` for a request that
    cannot be.
    """
    if not isinstance(command, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise InvalidParameter(f"a curl command is a str, not {type(command).__name__}")
    command = Secret(command)
    try:
        said = _read(command)
    except InvalidParameter as error:
        # Anew: the frames below hold the command's words, and a password may be one of them.
        raise InvalidParameter(*error.args) from None
    return _request(said)


def _read(command: str) -> _Command:
    try:
        command.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidParameter("the command holds a lone surrogate, which has no UTF-8 encoding") from None
    words = iter(split_words(command.strip().removeprefix("$ ")))
    if next(words, "").rpartition("/")[2] not in {"curl", "curl.exe"}:
        raise InvalidParameter("the command does not begin with `curl`")
    said = _Command()
    for word in words:
        if word.startswith("--"):
            _take(said, word, word[2:], words)
        elif word.startswith("-") and word != "-":
            _take_letters(said, word[1:], words)
        else:
            said.urls.append(word)
    return said


def _take_letters(said: _Command, letters: str, words: Iterator[str]) -> None:
    """Letters may stand together, and a value directly behind its letter."""
    for index, letter in enumerate(letters):
        takes_value = letter in _IGNORED_WITH_VALUE or _LONG.get(letter) in _TAKERS
        behind = letters[index + 1 :]
        _take(said, f"-{letter}", letter, iter([behind]) if takes_value and behind else words)
        if takes_value:
            return


def _take(said: _Command, word: str, name: str, words: Iterator[str]) -> None:
    name = _LONG.get(name, name)
    if name in _SWITCHES:
        said.switches.add(name)
    elif name in _TAKERS or name in _IGNORED_WITH_VALUE:
        value = next(words, None)
        if value is None:
            raise InvalidParameter(f"curl's option {word} takes a value, and none follows")
        _TAKERS.get(name, _ignore)(said, value)
    elif name not in _IGNORED:
        shown = word if _OPTION.fullmatch(word) else "that"
        raise InvalidParameter(f"curl's option {shown} is not known here; leave it out if it changes no request")


def _ignore(said: _Command, value: str) -> None:
    del said, value


def _method(said: _Command, value: str) -> None:
    said.method = value


def _url(said: _Command, value: str) -> None:
    said.urls.append(value)


def _header(said: _Command, value: str) -> None:
    _refuse_file(value)
    name, colon, text = value.partition(":")
    if colon:
        said.headers.append((name, text.strip() or None))
    elif value.endswith(";"):
        said.headers.append((value[:-1], ""))
    else:
        raise InvalidParameter("curl's option -H takes `Name: value`")


def _own(name: str) -> Callable[[_Command, str], None]:
    def take(said: _Command, value: str) -> None:
        if name != "cookie" or "=" in value:  # without one it names a file, and a cookie is not signed
            said.own[name] = value

    return take


def _data(said: _Command, value: str) -> None:
    _refuse_file(value)
    _raw(said, value)


def _raw(said: _Command, value: str) -> None:
    said.body = value if said.body is None else f"{said.body}&{value}"
    said.own.setdefault("content-type", FORM)


def _urlencoded(said: _Command, value: str) -> None:
    _raw(said, _encoded(value))


def _encoded(value: str) -> str:
    name, mark, text = re.fullmatch(r"([^=@]*)([=@]?)(.*)", value, re.DOTALL).groups()  # type: ignore[union-attr]  # matches every text
    if mark == "@":
        raise InvalidParameter(_FILE)
    encoded = quote(text if mark else name).replace("%20", "+")  # as curl does, query and body alike
    return f"{name}={encoded}" if mark and name else encoded


def _json(said: _Command, value: str) -> None:
    _refuse_file(value)
    said.body = (said.body or "") + value
    said.own.update({"content-type": JSON, "accept": JSON})


def _part(said: _Command, value: str) -> None:
    said.parts.append(value.partition("=")[0])


def _user(said: _Command, value: str) -> None:
    if ":" not in value:
        raise InvalidParameter("curl would ask for the password of -u; give it as user:password")
    said.own["authorization"] = f"Basic {base64.b64encode(value.encode(errors='surrogateescape')).decode()}"


def _bearer(said: _Command, value: str) -> None:
    said.own["authorization"] = f"Bearer {value}"


def _query(said: _Command, value: str) -> None:
    said.query.append(value[1:] if value.startswith("+") else _encoded(value))


_FILE = "the command reads a file, which cannot be seen here: put its content in place, after --data-raw"


def _refuse_file(value: str) -> None:
    if value.startswith("@"):
        raise InvalidParameter(_FILE)


_SWITCHES = {"get", "head", "globoff"}
_TAKERS: dict[str, Callable[[_Command, str], None]] = {
    "request": _method,
    "url": _url,
    "header": _header,
    "data": _data,
    "data-raw": _raw,
    "data-urlencode": _urlencoded,
    "json": _json,
    "form": _part,
    "user": _user,
    "oauth2-bearer": _bearer,
    "url-query": _query,
    "user-agent": _own("user-agent"),
    "referer": _own("referer"),
    "cookie": _own("cookie"),
}


def _request(said: _Command) -> Request:
    body = said.body
    query = list(said.query)
    if body is not None and said.parts:
        raise InvalidParameter("the command gives a form (-F) and data as well, and a request has one body")
    if body is not None and "get" in said.switches:
        query.append(body)
        body = None
        said.own.pop("content-type")
    if said.parts:
        said.own["content-type"] = f"multipart/form-data; boundary={BOUNDARY}"
        body = _stand_in(said.parts)
    given = {name.lower() for name, _ in said.headers}
    headers = [(name, value) for name, value in said.own.items() if name not in given]
    headers += [(name, value) for name, value in said.headers if value is not None]
    default = "HEAD" if "head" in said.switches else "GET" if body is None else "POST"
    content = (body or "").encode("utf-8", "surrogateescape")
    return Request(said.method or default, _one_url(said, query), headers, content)


def _stand_in(names: list[str]) -> str:
    """A multipart body with the fields' names; their values are not signed, and not needed."""
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n...\r\n' for name in names]
    return "".join(parts) + f"--{BOUNDARY}--\r\n"


def _one_url(said: _Command, query: list[str]) -> str:
    if len(said.urls) != 1:
        raise InvalidParameter(
            f"the command names {len(said.urls) or 'no'} URL{'s' * (len(said.urls) > 1)}; give it one"
        )
    url = said.urls[0] if _SCHEME.match(said.urls[0]) else f"http://{said.urls[0]}"  # as curl does
    if "globoff" not in said.switches and _GLOB.search(url):
        raise InvalidParameter("curl makes several URLs of braces and brackets; percent-encode them, or add -g")
    base, mark, fragment = url.partition("#")
    for piece in query:
        base += ("&" if "?" in base else "?") + piece
    return base + mark + fragment
