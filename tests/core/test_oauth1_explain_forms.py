"""Text, JSON and HTML say the same, and what they are told is data in each of them."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sansauth import OAuth1User, build_request
from sansauth.oauth1 import Explanation, explain, sign
from sansauth.x import X

from .naive_signer import TIMESTAMP, URL, USER, received, signature

AT = {"timestamp": TIMESTAMP, "nonce": "n"}
WRONG = explain(
    received(signature(uri=URL.replace("api.x.com", "api.twitter.com"))), USER, provider=X, now=TIMESTAMP + 900
)
RIGHT = explain(received(signature()), USER)
UNSIGNED = explain(build_request("POST", "https://api.x.com/a", json={"a": 1}), USER.app, **AT)  # type: ignore[arg-type]
BARE = explain(build_request("GET", "https://api.x.com/"), USER.app, placement="query", **AT)  # type: ignore[arg-type]
EXPLANATIONS = [WRONG, RIGHT, UNSIGNED, BARE]
VOID = {"meta"}


class Page(HTMLParser):
    """A well-formed page: every element that opens closes, in order. Keeps the text and the elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def facts(explanation: Explanation) -> list[str]:
    """Everything of it that a reader has to find, as it is shown."""
    found = [explanation.verdict, explanation.method, explanation.uri, explanation.signature, *explanation.right]
    found += [
        text for finding in explanation.findings for text in (finding.code, finding.part, finding.cause, finding.advice)
    ]
    found += [text for part in explanation.not_signed for text in (part.what, part.why)]
    found += [
        text
        for p in explanation.parameters
        for text in (p.name, p.value, f"{p.encoded_name}={p.encoded_value}", p.signed)
    ]
    found += [f"{explanation.key.length} characters", explanation.key.kind, *explanation.base_string_parts[:2]]
    found += [explanation.received_signature or "", *(explanation.header or "").split(", ")]
    return [" ".join(text.split()) for text in found]


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("explanation", EXPLANATIONS)
def test_text_json_and_page_carry_the_same_facts(explanation: Explanation) -> None:
    page = squeezed(Page(explanation.to_html()).text)
    document = json.loads(explanation.to_json())
    values = squeezed(json.dumps(list(_leaves(document)), ensure_ascii=False).replace('\\"', '"'))
    lines = explanation.to_text().splitlines()
    # Columns are wrapped: a cell's pieces stand below each other, so a cell is looked for column by column.
    text = squeezed(explanation.to_text())
    for fact in map(squeezed, facts(explanation)):
        assert fact in page, fact
        assert fact in text or _in_a_column(fact, lines), fact
        if fact not in {f"{explanation.key.length}characters"} and "=" not in fact:
            assert fact in values, fact
    assert f"{explanation.key.length}" in squeezed(explanation.to_json())


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for entry in value.values() for leaf in _leaves(entry)]
    if isinstance(value, list):
        return [leaf for entry in value for leaf in _leaves(entry)]
    return [value]


def _in_a_column(fact: str, lines: list[str]) -> bool:
    columns = [re.split(r"(?<=\S)\s{2,}", line.strip()) for line in lines]
    pieces = {cell for row in columns for cell in row}
    return any(fact.startswith(piece) and len(piece) >= 8 for piece in pieces)


@pytest.mark.parametrize("explanation", EXPLANATIONS)
def test_the_text_fits_100_columns_and_is_coloured_only_if_asked(explanation: Explanation) -> None:
    plain, painted = explanation.to_text(), explanation.to_text(color=True)
    assert max(map(len, plain.splitlines())) <= 100
    assert "\x1b" not in plain
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain
    assert plain.endswith("\n")
    assert plain.startswith(explanation.verdict)


def test_the_columns_are_aligned() -> None:
    rows = WRONG.to_text().partition("sorted and signed\n")[2].partition("\n\n")[0].splitlines()
    begins = {name: rows[0].index(name) for name in ("from", "name", "value", "encoded")}
    for row in rows[1:]:
        padded = row.ljust(110)
        assert all(padded[at - 2 : at] == "  " for at in begins.values()), row


def test_no_percent_sequence_is_torn_apart() -> None:
    explanation = explain(build_request("GET", "https://api.x.com/", params={"q": "é" * 300}), USER, **AT)  # type: ignore[arg-type]
    for line in explanation.to_text().splitlines():
        assert not re.search(r"%[0-9A-F]?$", line)
    pieces = re.findall(r"^  (?:%26|&|  )\S*$", explanation.to_text().partition("BASE STRING")[2], re.MULTILINE)
    assert explanation.base_string_parts[2] in "".join(map(str.strip, pieces))


def test_the_base_string_is_broken_where_a_human_compares() -> None:
    lines = WRONG.to_text().partition("BASE STRING")[2].splitlines()[1:]
    assert lines[0] == "  POST"
    assert lines[1] == "  &https%3A%2F%2Fapi.x.com%2F1.1%2Fstatuses%2Fupdate.json"
    assert lines[2] == "  &empty%3D"
    assert lines[3] == "  %26include_entities%3Dtrue"


def test_the_keys_of_the_json_stay() -> None:
    document = WRONG.to_dict()
    assert list(document) == [
        "verdict", "matches", "findings", "right", "tried", "method", "uri", "parameters", "not_signed",
        "signature_method", "key", "base_string_parts", "placement", "signature", "received_signature", "header",
        "base_string",
    ]  # fmt: skip
    loaded = json.loads(WRONG.to_json())
    assert list(loaded["findings"][0]) == ["code", "part", "cause", "advice", "certain"]
    assert list(loaded["parameters"][0]) == [
        "position", "source", "name", "value", "encoded_name", "encoded_value", "signed",
    ]  # fmt: skip
    assert loaded["base_string"] == "&".join(loaded["base_string_parts"])
    assert list(loaded["not_signed"][0]) == ["what", "why"]
    assert WRONG.to_json(indent=None).count("\n") == 0
    assert WRONG.to_json().isascii()


def test_an_explanation_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        WRONG.matches = True  # type: ignore[misc]


HOSTILE = "<script>alert(1)</script>\"'&<!--]]></td>"


def test_a_page_injects_nothing_and_needs_nothing() -> None:
    request = build_request(
        "POST", "https://api.x.com/a", params={HOSTILE: HOSTILE}, body=b"x", headers={"content-type": HOSTILE}
    )
    for explanation in (
        explain(request, USER, realm=HOSTILE, **AT),  # type: ignore[arg-type]
        explain(
            request.with_header("authorization", f'OAuth oauth_token="{HOSTILE}", oauth_signature="{HOSTILE}"'), USER
        ),
        explain(sign(request, USER, **AT), OAuth1User(USER.app, "else", "x")),  # type: ignore[arg-type]
    ):
        source = explanation.to_html()
        page = Page(source)
        assert "script" not in page.names
        assert page.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class", "scope"}
        assert "<script" not in source
        assert "url(" not in source
        assert not page.attributes & {"src", "href", "style", "onclick"}
        assert HOSTILE in page.text


def test_controls_and_directions_are_written_out() -> None:
    value = "a\x1b[31mb\u202ec\x00\u2028d\ne"
    explanation = explain(build_request("GET", "https://api.x.com/", params={"q": value}), USER, **AT)  # type: ignore[arg-type]
    shown = "a\\u{1b}[31mb\\u{202e}c\\u{0}\\u{2028}d\\u{a}e"
    assert shown in Page(explanation.to_html()).text
    text = explanation.to_text()
    assert not set("\x1b\u202e\x00\u2028") & set(text)
    assert shown[:20] in text
    assert explanation.parameters[-1].value == value


def test_a_long_list_of_what_is_not_signed_is_wrapped() -> None:
    explanation = explain(
        build_request("POST", "https://api.x.com/", body=b"x", headers={"content-type": "a" * 200}), USER, **AT
    )  # type: ignore[arg-type]
    assert max(map(len, explanation.to_text().splitlines())) <= 100


@settings(max_examples=100)
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=60)), max_size=6), st.booleans())
def test_every_page_is_well_formed_and_every_text_fits(pairs: list[tuple[str, str]], color: bool) -> None:
    sound = [(a.encode("utf-8", "replace").decode(), b.encode("utf-8", "replace").decode()) for a, b in pairs]
    explanation = explain(build_request("GET", "https://api.x.com/a", params=sound), USER, **AT)  # type: ignore[arg-type]
    Page(explanation.to_html())
    assert max(map(len, explanation.to_text().splitlines())) <= 100
    assert ("\x1b" in explanation.to_text(color=color)) is color
