"""Split a pasted command into words as a POSIX shell does, and refuse what only a shell can expand.

Browsers copy `$'...'` where a body holds what single quotes cannot, so that is read as well; `shlex` does not.
"""

from __future__ import annotations

import re

from sansauth.errors import InvalidParameter

__all__ = ["split_words"]

_PLAIN = re.compile(r"[^\s'\"\\$`;|&<>()]++")
_SPACE = re.compile(r"(?:\s|\\\r?\n)++")
_SINGLE = re.compile(r"'([^']*+)'")
_DOUBLE = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ANSI = re.compile(r"\$'((?:[^'\\]++|\\.)*+)'", re.DOTALL)
_DOUBLE_ESCAPE = re.compile(r'\\(\n|[$`"\\])')
_EXPANDED = re.compile(r"(?<!\\)(?:\\\\)*(?:`|\$[A-Za-z_{(])")
_ANSI_ESCAPE = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|(.))", re.DOTALL
)
_LETTERS = {"a": 7, "b": 8, "e": 27, "E": 27, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


def split_words(command: str) -> list[str]:
    """The command's words; `InvalidParameter` for an open quotation mark, a variable, a pipe, and the like."""
    words: list[str] = []
    at = _after_space(command, 0)
    while at < len(command):
        word, at = _word(command, at)
        words.append(word)
        at = _after_space(command, at)
    return words


def _after_space(command: str, at: int) -> int:
    match = _SPACE.match(command, at)
    return match.end() if match else at


def _word(command: str, at: int) -> tuple[str, int]:
    pieces: list[str] = []
    while at < len(command) and not _SPACE.match(command, at):
        piece, at = _piece(command, at)
        pieces.append(piece)
    return "".join(pieces), at


def _piece(command: str, at: int) -> tuple[str, int]:
    if plain := _PLAIN.match(command, at):
        return plain[0], plain.end()
    for pattern, read in ((_SINGLE, _as_it_is), (_ANSI, _ansi), (_DOUBLE, _double)):
        if quoted := pattern.match(command, at):
            return read(quoted[1]), quoted.end()
    mark = command[at]
    if mark in "'\"" or command.startswith("$'", at):
        raise InvalidParameter(f"a quotation mark is not closed: the {mark} after {at} characters")
    if mark == "\\":
        return command[at + 1 : at + 2], at + 2
    if mark == "$" and not _EXPANDED.match(command, at):
        return mark, at + 1
    if mark in "$`":
        raise InvalidParameter(_EXPANSION)
    raise InvalidParameter(
        f"the command does not end where curl's part of it does: a shell reads the {mark} after {at} characters. "
        "Quote the URL if it belongs to it, and leave out pipes and redirections"
    )


_EXPANSION = (
    "the command holds a variable or a substitution, which only a shell can expand: put the value in its place, or "
    "single quotes around it if the $ is meant"
)


def _as_it_is(text: str) -> str:
    return text


def _double(text: str) -> str:
    if _EXPANDED.search(text):
        raise InvalidParameter(_EXPANSION)
    return _DOUBLE_ESCAPE.sub(lambda match: match[1].replace("\n", ""), text)


def _ansi(text: str) -> str:
    """ANSI-C quoting. `\\xXX` and octal escapes are bytes of UTF-8; what is not UTF-8 becomes U+FFFD."""
    data = b""
    at = 0
    for match in _ANSI_ESCAPE.finditer(text):
        data += _utf8(text[at : match.start()]) + _escaped(match)
        at = match.end()
    return (data + _utf8(text[at:])).decode("utf-8", "replace")


def _escaped(match: re.Match[str]) -> bytes:
    byte, short, long, octal, letter = match.groups()
    if byte or octal:
        return bytes([int(byte or octal, 16 if byte else 8) & 0xFF])
    if short or long:
        code = int(short or long, 16)
        if code > 0x10FFFF:
            raise InvalidParameter("the command holds an escape \\U beyond Unicode")
        return _utf8(chr(code))
    return bytes([_LETTERS[letter]]) if letter in _LETTERS else _utf8(letter if letter in "'\"\\?" else "\\" + letter)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
