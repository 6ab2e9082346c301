"""What a browser brings back from a service's page: the parameters of a callback."""

from __future__ import annotations

import re

from sansauth.encoding import decode
from sansauth.secret import Secret

__all__ = ["brought_back", "callback_parameters"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:|/")  # RFC 3986: a scheme, or a path
_FRONT = re.compile(r"[^?=&]*+\?")


def brought_back(answer: str) -> Secret:
    """What the user brought back, masked. Never raises, for the caller's frame shows it: what is no text is empty."""
    text = answer if isinstance(answer, str) else ""  # pyright: ignore[reportUnnecessaryIsInstance]  # without a checker
    return Secret(text.strip().encode("utf-8", "replace").decode())


def callback_parameters(answer: Secret) -> list[tuple[Secret, Secret]]:
    """The decoded parameters of a callback: of its URL, of its path and query, or of its query alone."""
    return [(Secret(name), Secret(value)) for name, value in decode(_query(answer))]


def _query(answer: str) -> str:
    text, _, _ = answer.partition("#")
    if _ADDRESS.match(text) and "?" in text:
        return text.partition("?")[2]
    # A query alone may hold a `?` in one of its values; one before the first name belongs to whatever stood in front.
    front = _FRONT.match(text)
    return text[front.end() :] if front else text
