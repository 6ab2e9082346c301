"""The one encoder of query and form, and its inverse."""

from __future__ import annotations

import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import Secret
from sansauth.encoding import decode, encode, encoded_pairs, quote, requote, unquote
from sansauth.errors import InvalidParameter
from sansauth.oauth1.signature import normalize

from .support import assert_linear

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
AWKWARD = st.text(alphabet=st.sampled_from("ab~!*'()+&=% /?#;é啦😀\x00\n-._"), max_size=8)
PAIRS = st.lists(st.tuples(st.one_of(TEXT, AWKWARD), st.one_of(TEXT, AWKWARD)), max_size=8)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        # X, "Percent encoding parameters"
        ("Ladies + Gentlemen", "Ladies%20%2B%20Gentlemen"),
        ("An encoded string!", "An%20encoded%20string%21"),
        ("Dogs, Cats & Mice", "Dogs%2C%20Cats%20%26%20Mice"),
        ("☃", "%E2%98%83"),
        # wiki.oauth.net, TestCases
        ("abcABC123", "abcABC123"),
        ("-._~", "-._~"),
        ("%", "%25"),
        ("+", "%2B"),
        ("&=*", "%26%3D%2A"),
        ("\n", "%0A"),
        (" ", "%20"),
        ("\x7f", "%7F"),
        ("\x80", "%C2%80"),
        ("\u3001", "%E3%80%81"),
        ("", ""),
    ],
)
def test_text_is_encoded_as_the_documents_say(text: str, encoded: str) -> None:
    assert quote(text) == encoded
    assert unquote(encoded).decode() == text


@pytest.mark.parametrize(
    ("encoded", "normalized"),
    [
        ("name", "name="),
        ("a=b", "a=b"),
        ("a=b&c=d", "a=b&c=d"),
        ("a=x!y&a=x+y", "a=x%20y&a=x%21y"),
        ("x!y=a&x=a", "x=a&x%21y=a"),
        # `=` sorts after `%` and the digits: joined strings would come in another order
        ("a1=x&a=y&a%21=z", "a=y&a%21=z&a1=x"),
        ("b=2&a=2&a=1&b=1", "a=1&a=2&b=1&b=2"),
    ],
)
def test_parameters_are_normalized_as_wiki_oauth_net_says(encoded: str, normalized: str) -> None:
    assert normalize(encoded_pairs(encoded)) == normalized


@pytest.mark.parametrize(
    ("params", "encoded"),
    [
        ({}, ""),
        ([], ""),
        ({"a": "b c", "d": "e+f"}, "a=b%20c&d=e%2Bf"),
        ({"a": ""}, "a="),
        ({"": "a"}, "=a"),
        ({"a": True, "b": False, "c": 0, "d": -7, "e": None}, "a=true&b=false&c=0&d=-7"),
        ({"a": ["1", 2, None, True]}, "a=1&a=2&a=true"),
        ({"a": ("x", "y")}, "a=x&a=y"),
        ({"a": []}, ""),
        ([("b", "1"), ("a", "2"), ("b", "3")], "b=1&a=2&b=3"),
        ((pair for pair in [("a", "1")]), "a=1"),
        ({"token": Secret("AAAA/=")}, "token=AAAA%2F%3D"),
        ({"é": "啦啦"}, "%C3%A9=%E5%95%A6%E5%95%A6"),
    ],
)
def test_parameters_are_encoded_in_the_order_given(params: object, encoded: str) -> None:
    assert encode(params) == encoded  # type: ignore[arg-type]


def test_an_enum_that_is_a_str_is_encoded_by_its_value() -> None:
    class Mode(str, enum.Enum):  # noqa: UP042 - people have these, and they format as `Mode.REVERSE`
        REVERSE = "reverse_auth"
        SPACED = "a b"

    assert encode({Mode.REVERSE: Mode.REVERSE, "s": Mode.SPACED}) == "reverse_auth=reverse_auth&s=a%20b"


@pytest.mark.parametrize("value", [1.5, b"bytes", {"a": "b"}, object(), [["nested"]], {"set"}])
def test_a_value_without_a_form_encoding_is_refused_by_name_and_type(value: object) -> None:
    with pytest.raises(InvalidParameter, match="parameter 'status' is a") as caught:
        encode({"status": value})  # type: ignore[dict-item]
    assert isinstance(caught.value, ValueError)


def test_the_refused_value_is_not_shown() -> None:
    with pytest.raises(InvalidParameter) as caught:
        encode({"access_token": b"hunter2"})  # type: ignore[dict-item]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", [1, None, b"name"])
def test_a_name_is_a_str(name: object) -> None:
    with pytest.raises(InvalidParameter, match="name is a str"):
        encode([(name, "value")])  # type: ignore[list-item]


@pytest.mark.parametrize("text", ["\ud800", "hunter2\udcff"])
def test_a_lone_surrogate_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidParameter, match="lone surrogate") as caught:
        encode({"password": text})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__  # the original error carries the text


def test_what_is_no_text_cannot_be_decoded() -> None:
    with pytest.raises(InvalidParameter, match="lone surrogate"):
        decode("a=\ud800")


@given(PAIRS)
def test_decode_undoes_encode(pairs: list[tuple[str, str]]) -> None:
    assert decode(encode(pairs)) == pairs


@given(PAIRS)
def test_an_encoded_form_is_canonical_already(pairs: list[tuple[str, str]]) -> None:
    named = [(f"n{name}", value) for name, value in pairs]
    assert encoded_pairs(encode(named)) == [(quote(name), quote(value)) for name, value in named]


@pytest.mark.parametrize(
    ("encoded", "pairs"),
    [
        ("", []),
        ("&&", []),
        ("c2&a3=2+q", [("c2", ""), ("a3", "2 q")]),
        ("b5=%3D%253D&a3=a&c%40=&a2=r%20b", [("b5", "=%3D"), ("a3", "a"), ("c@", ""), ("a2", "r b")]),
        ("a=b=c", [("a", "b=c")]),
        ("=v", [("", "v")]),
        ("a=%C3%A9&b=%ff", [("a", "é"), ("b", "\ufffd")]),
        ("a=100%&b=%zz&c=%4", [("a", "100%"), ("b", "%zz"), ("c", "%4")]),
        ("a=é", [("a", "é")]),
    ],
)
def test_a_form_is_read_as_it_was_sent(encoded: str, pairs: list[tuple[str, str]]) -> None:
    assert decode(encoded) == pairs


@pytest.mark.parametrize(
    ("encoded", "pairs"),
    [
        ("c2&a3=2+q", [("c2", ""), ("a3", "2%20q")]),
        ("a=%c3%a9", [("a", "%C3%A9")]),
        ("a=%ff", [("a", "%FF")]),  # not UTF-8, and signed as the byte it is
        ("a=%7E%41%2d", [("a", "~A-")]),  # an encoded unreserved character is the character
        ("a=!*'()", [("a", "%21%2A%27%28%29")]),
        ("a=b=c", [("a", "b%3Dc")]),
        ("a=%", [("a", "%25")]),
        ("a=\udce9", [("a", "%E9")]),  # a raw byte
        ("a=é", [("a", "%C3%A9")]),
    ],
)
def test_pairs_are_made_canonical_for_the_signature(encoded: str, pairs: list[tuple[str, str]]) -> None:
    assert encoded_pairs(encoded) == pairs


@given(st.text(alphabet=st.sampled_from("aZ0-._~%23456789ABCDEFcdef=&+!é"), max_size=30))
def test_the_fast_path_agrees_with_the_slow_one(encoded: str) -> None:
    canonical = [
        (quote_bytes(unquote(name.replace("+", " "))), quote_bytes(unquote(value.replace("+", " "))))
        for name, _, value in (piece.partition("=") for piece in encoded.split("&") if piece)
    ]
    assert encoded_pairs(encoded) == canonical


def quote_bytes(raw: bytes) -> str:
    """RFC 5849 section 3.6, spelled out."""
    unreserved = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    return "".join(chr(byte) if byte in unreserved else f"%{byte:02X}" for byte in raw)


@pytest.mark.parametrize("byte", range(256))
def test_every_byte_has_one_canonical_form(byte: int) -> None:
    assert encoded_pairs(f"a=%{byte:02X}") == [("a", quote_bytes(bytes([byte])))]
    assert encoded_pairs(f"a=%{byte:02x}") == [("a", quote_bytes(bytes([byte])))]


@pytest.mark.parametrize(
    ("issued", "sent"),
    [
        ("AAAA%2FAAA%3D", "AAAA%2FAAA%3D"),
        ("AAAA%2fAAA%3d", "AAAA%2fAAA%3d"),
        ("AAAA%2FAAA%3DAAAAAAAA&x=1", "AAAA%2FAAA%3DAAAAAAAA%26x%3D1"),
        ("a%", "a%25"),
        ("a%4", "a%254"),
        ("a%zz", "a%25zz"),
        ("%%41", "%25%41"),
        ("a+b/c=", "a%2Bb%2Fc%3D"),
        ("a b\r\nc", "a%20b%0D%0Ac"),
        ("-._~", "-._~"),
        ("é", "%C3%A9"),
        ("", ""),
    ],
)
def test_an_issued_token_goes_back_as_it_came(issued: str, sent: str) -> None:
    assert requote(issued) == sent


@given(TEXT)
def test_requoting_twice_changes_nothing(text: str) -> None:
    once = requote(text)
    assert requote(once) == once
    assert "&" not in once
    assert "=" not in once
    assert "+" not in once


@pytest.mark.parametrize("repeated", ["a", "%", "%2", "%7E", "%2B", "a=", "=", "&", "a&", "a=b&", "+", "é"])
@pytest.mark.parametrize("function", [encoded_pairs, decode, requote, quote])
def test_a_hostile_form_takes_linear_time(function: object, repeated: str) -> None:
    assert_linear(function, lambda size: repeated * (size // len(repeated)) + "!", 50_000)  # type: ignore[arg-type]


@pytest.mark.parametrize("params", ["a=b", ["ab"], [("a", "b", "c")], [None]])
def test_what_is_neither_a_mapping_nor_pairs_is_refused(params: object) -> None:
    with pytest.raises(InvalidParameter, match="pairs of name and value"):
        encode(params)
