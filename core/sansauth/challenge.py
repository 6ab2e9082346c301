"""What a `WWW-Authenticate` says of a refusal (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9449 section 7.1)."""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

__all__ = ["CHALLENGE_CHARACTERS", "SCOPES", "Challenge", "read_challenge"]

CHALLENGE_CHARACTERS = 16_384  # of the field, looked at
PARAMETERS = 64  # of all its challenges together, read
SCOPES = 32  # of those it asks for, kept

# Section 11.2: names are case-insensitive, and white space may surround the `=`. What is quoted is read over as a
# whole, so that a realm cannot hold an error. Possessive: a hostile field cannot make the match backtrack.
_PARAMETER = re.compile(r'(?<![\w-])([A-Za-z][\w-]*+)[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]++))')
_ESCAPED = re.compile(r"\\(.)")
_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,200}")  # RFC 6749 section 3.3


class Challenge(NamedTuple):
    """The parameters that tell of a refusal; of those that stand there twice all errors, and the first of the others.

    A stranger's words: they may repeat what the request carried.
    """

    errors: tuple[str, ...]
    description: str
    uri: str
    scopes: tuple[str, ...]


def read_challenge(field: str) -> Challenge:
    """Read the field's value; whatever is no parameter is passed over."""
    found = [
        (match[1].lower(), match[3].strip("'") if match[2] is None else _ESCAPED.sub(r"\1", match[2]))
        for match in islice(_PARAMETER.finditer(field[:CHALLENGE_CHARACTERS]), PARAMETERS)
    ]

    def first(name: str) -> str:
        return next((value for other, value in found if other == name), "")

    return Challenge(
        # A code, not a sentence, as in a body.
        tuple([value for name, value in found if name == "error" and " " not in value]),
        first("error_description"),
        first("error_uri"),
        tuple(list(filter(_SCOPE.fullmatch, first("scope").split()))[:SCOPES]),
    )
