"""What every rendering shows besides the tables: labelled rows, the same for a terminal and for a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from sansauth.oauth1.explaining.explanation import Explanation, Finding

__all__ = [
    "Row",
    "about",
    "header_lines",
    "header_title",
    "key_rows",
    "parameter_lines",
    "request_rows",
    "signature_rows",
    "visible",
]

Row: TypeAlias = tuple[str, str]
"""Label and text."""

# Controls, and what changes the direction or the place of the text around it.
_INVISIBLE = re.compile(r"[\x00-\x1F\x7F-\x9F\xAD\u200B-\u200F\u2028-\u202E\u2060-\u2069\uD800-\uDFFF\uFEFF]")


def visible(text: str) -> str:
    """The text with what a terminal would obey, and an eye would miss, written out."""
    return _INVISIBLE.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text)


def about(finding: Finding) -> str:
    """Where a finding belongs, its code, and how sure it is."""
    return f"{finding.part}; {finding.code}; {'certain' if finding.certain else 'not certain'}"


def request_rows(explanation: Explanation) -> list[Row]:
    """Method and base URI."""
    return [("method", explanation.method), ("base URI", explanation.uri)]


def key_rows(explanation: Explanation) -> list[Row]:
    """The key's shape."""
    key = explanation.key
    return [
        ("kind", key.kind),
        ("consumer secret", f"{key.consumer_secret_length} characters"),
        ("token secret", "none" if key.token_secret_length is None else f"{key.token_secret_length} characters"),
        ("joined with &", f"{key.length} characters"),
        ("percent-encoding", _named("changes", key.needs_encoding, "changes nothing")),
        ("white space", _named("around", key.has_white_space, "none around them")),
    ]


def _named(before: str, names: tuple[str, ...], none: str) -> str:
    return f"{before} the {' and the '.join(names)}" if names else none


def signature_rows(explanation: Explanation) -> list[tuple[str, str, str]]:
    """Label, text and whether it is `good`, `bad` or neither."""
    rows = [("method", explanation.signature_method, ""), ("placed in", explanation.placement, "")]
    if explanation.matches is None:
        return [*rows, ("made", explanation.signature, "good")]
    if explanation.received_signature is not None:
        rows.append(("received", explanation.received_signature, "good" if explanation.matches else "bad"))
    return [*rows, ("right", explanation.signature, "good")]


def parameter_lines(explanation: Explanation) -> list[tuple[str, str]]:
    """The third part of the base string, a line for each parameter, each with the parameter's source."""
    lines = re.split("(?=%26)", f"&{explanation.base_string_parts[2]}")
    sources: list[str] = [parameter.source for parameter in explanation.parameters]
    return list(zip(sources or [""], lines, strict=True))


def header_title(explanation: Explanation) -> str:
    """The header that is shown is the right one, also where another was received."""
    return "Header" if explanation.matches is not False else "Header, as it should be"


def header_lines(explanation: Explanation) -> list[str]:
    """The header, broken after each comma; none if the signature stands elsewhere."""
    return re.split("(?<=, )", f"Authorization: {explanation.header}") if explanation.header else []
