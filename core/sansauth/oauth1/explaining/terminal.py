"""An explanation for a terminal of 100 columns: aligned, wrapped where a human can compare, in colours if asked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sansauth.oauth1.explaining.facts import (
    Row,
    about,
    header_lines,
    header_title,
    key_rows,
    parameter_lines,
    request_rows,
    signature_rows,
    visible,
)

if TYPE_CHECKING:
    from sansauth.oauth1.explaining.explanation import Explanation, Finding, Parameter

__all__ = ["render_text"]

WIDTH = 100
LABEL = 18  # of the column that names what stands beside it
NAME, VALUE = 24, 30  # of the parameters' columns, at most

_COLORS = {"header": "36", "query": "33", "form": "35", "good": "32;1", "bad": "31;1", "title": "1", "faint": "2"}


class _Paint:
    def __init__(self, color: bool) -> None:
        self._color = color

    def __call__(self, kind: str, text: str) -> str:
        return f"\x1b[{_COLORS[kind]}m{text}\x1b[0m" if self._color and kind else text


def render_text(explanation: Explanation, *, color: bool = False) -> str:
    """All that the explanation holds; ends with a line break."""
    paint = _Paint(color)
    sections = (
        ("", _verdict(explanation, paint)),
        ("REQUEST", _rows(request_rows(explanation))),
        ("PARAMETERS, as they are sorted and signed", _parameters(explanation.parameters, paint)),
        ("NOT SIGNED", _rows([(part.what, part.why) for part in explanation.not_signed])),
        (f"BASE STRING, {len(explanation.base_string)} characters", _base_string(explanation, paint)),
        ("KEY", _rows(key_rows(explanation))),
        ("SIGNATURE", _signature(explanation, paint)),
        (
            header_title(explanation).replace("Header", "HEADER"),
            [line for part in header_lines(explanation) for line in _part(part.rstrip())],
        ),
        ("WHAT IS RIGHT", [line for words in explanation.right for line in _wrapped(words, "  + ")]),
    )
    blocks: list[str] = []
    for title, lines in sections:
        body = list(lines)
        if body:
            blocks.append("\n".join([*([paint("title", title)] if title else []), *body]))
    return "\n\n".join(blocks) + "\n"


def _verdict(explanation: Explanation, paint: _Paint) -> Iterator[str]:
    kind = {None: "title", True: "good", False: "bad"}[explanation.matches]
    yield paint(kind, explanation.verdict)
    for finding in explanation.findings:
        yield ""
        yield from _finding(finding, paint)


def _finding(finding: Finding, paint: _Paint) -> Iterator[str]:
    for line in _wrapped(finding.cause, "  "):
        yield paint("bad" if finding.certain else "title", line)
    yield paint("faint", f"    {about(finding)}")
    yield from _wrapped(finding.advice, "    ")


def _parameters(parameters: tuple[Parameter, ...], paint: _Paint) -> Iterator[str]:
    shown = [(visible(parameter.name), visible(parameter.value)) for parameter in parameters]
    number = max([1, *(len(str(parameter.position)) for parameter in parameters)])
    name = min(NAME, max([4, *(len(entry[0]) for entry in shown)]))
    value = min(VALUE, max([5, *(len(entry[1]) for entry in shown)]))
    widths = (number, 6, name, value, WIDTH - number - 6 - name - value - 10)
    if parameters:
        yield paint("faint", _columns(("#", "from", "name", "value", "encoded"), widths)[0])
    for parameter, entry in zip(parameters, shown, strict=True):
        encoded = f"{parameter.encoded_name}={parameter.encoded_value}"
        for line in _columns((str(parameter.position), parameter.source, *entry, encoded), widths):
            yield paint(parameter.source, line)


def _columns(cells: tuple[str, ...], widths: tuple[int, ...]) -> list[str]:
    """One row, as many lines as its longest cell needs."""
    pieces = [_chopped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines: list[str] = []
    for index in range(max(map(len, pieces))):
        row = [piece[index] if index < len(piece) else "" for piece in pieces]
        lines.append(("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip())
    return lines


def _base_string(explanation: Explanation, paint: _Paint) -> Iterator[str]:
    method, uri, _ = explanation.base_string_parts
    yield from _part(method)
    yield from _part(f"&{uri}")
    for source, line in parameter_lines(explanation):
        for part in _part(line):
            yield paint(source, part)


def _signature(explanation: Explanation, paint: _Paint) -> Iterator[str]:
    for label, text, judgement in signature_rows(explanation):
        for line in _rows([(label, text)]):
            yield paint(judgement, line)


def _rows(rows: Iterable[Row]) -> Iterator[str]:
    for label, text in rows:
        pieces = _chopped(visible(text), WIDTH - LABEL - 4)
        if len(label) > LABEL:
            yield from _wrapped(f"{label}: {text}", "  ")
            continue
        for index, piece in enumerate(pieces):
            yield f"  {'' if index else label:<{LABEL}}  {piece}"


def _part(text: str) -> Iterator[str]:
    for index, piece in enumerate(_chopped(visible(text), WIDTH - 4)):
        yield ("    " if index else "  ") + piece


def _chopped(text: str, width: int) -> list[str]:
    """The text in pieces of at most that width, not losing a character; a `%XX` is not torn apart."""
    pieces: list[str] = []
    while len(text) > width:
        torn = text.rfind("%", width - 2, width)
        end = width if torn < 0 else torn
        pieces.append(text[:end])
        text = text[end:]
    return [*pieces, text]


def _wrapped(text: str, before: str) -> list[str]:
    return textwrap.wrap(visible(text), WIDTH, initial_indent=before, subsequent_indent=" " * len(before))
