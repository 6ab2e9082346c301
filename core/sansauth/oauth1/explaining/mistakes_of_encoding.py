"""Mistakes in percent-encoding, and in the order of what was encoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from sansauth.encoding import unquote
from sansauth.oauth1.explaining.carried import Param, Source
from sansauth.oauth1.explaining.drafts import (
    MOJIBAKE,
    SOURCES,
    Draft,
    Encoding,
    Mistake,
    Order,
    Pair,
    Scene,
    Variants,
    in_order,
)

__all__ = ["ENCODING_MISTAKES"]

_RESERVED = re.compile(r"[^A-Za-z0-9\-._~]")


_PLACES = {"header": "the header's", "query": "the query's", "form": "the form's"}


def _recoded(draft: Draft, affected: re.Pattern[str], change: Callable[[Encoding], Encoding]) -> Variants:
    """The parameters encoded in another way: all of them, then those of each place alone."""
    touched = sorted({param.source for param in draft.params if affected.search(param.name + param.value)})
    places = [touched, *[[source] for source in touched]] if len(touched) > 1 else [touched] * len(touched)
    for place in places:
        encodings = [
            change(encoding) if source in place else encoding
            for source, encoding in zip(SOURCES, draft.encodings, strict=True)
        ]
        words = " and ".join(_PLACES[source] for source in place)
        yield replace(draft, encodings=(encodings[0], encodings[1], encodings[2])), f"{words} parameters"


def _with_outer(draft: Draft, affected: re.Pattern[str], change: Callable[[Encoding], Encoding]) -> Variants:
    """The same, and the encoding of the base string's parts with it, and that alone."""
    yield from _recoded(draft, affected, change)
    outer = replace(draft, outer=change(draft.outer))
    yield outer, "the parts of the base string"
    for both, _ in list(_recoded(outer, affected, change))[:1]:
        yield both, "everything"


def _plus(draft: Draft, scene: Scene) -> Variants:
    del scene
    yield from _recoded(draft, re.compile(" "), lambda encoding: replace(encoding, space="+"))
    for source in ("query", "form"):
        literal = tuple([_literal(param) if param.source == source else param for param in draft.params])
        if literal != draft.params:
            yield replace(draft, params=literal), f"{_PLACES[source]} parameters"
    read = tuple([replace(param, value=param.value.replace("+", " ")) for param in draft.params])
    if read != draft.params:
        yield replace(draft, params=read), "parameters that hold a plus sign"


def _literal(param: Param) -> Param:
    """The parameter with every `+` of the wire taken for a plus sign."""
    name, value = (unquote(raw).decode("utf-8", "surrogateescape") for raw in (param.raw_name, param.raw_value))
    return replace(param, name=name, value=value)


def _twice(draft: Draft, scene: Scene) -> Variants:
    del scene
    yield from _recoded(draft, _RESERVED, lambda encoding: replace(encoding, rounds=2))
    yield replace(draft, normalized_rounds=2), "all parameters, when they were joined already,"


def _not_encoded(draft: Draft, scene: Scene) -> Variants:
    del scene
    yield from _recoded(draft, _RESERVED, lambda encoding: replace(encoding, rounds=0))
    yield replace(draft, normalized_rounds=0), "the third part of the base string"
    yield replace(draft, uri_rounds=0), "the base URI"
    yield replace(draft, uri_rounds=0, normalized_rounds=0), "the parts of the base string"


def _lower_hex(draft: Draft, scene: Scene) -> Variants:
    del scene
    return _with_outer(draft, _RESERVED, lambda encoding: replace(encoding, lower=True))


def _tilde(draft: Draft, scene: Scene) -> Variants:
    del scene
    return _with_outer(draft, re.compile("~"), lambda encoding: replace(encoding, missing="~"))


def _marks(draft: Draft, scene: Scene) -> Variants:
    del scene
    return _with_outer(
        draft, re.compile(r"[!*'()]"), lambda encoding: replace(encoding, extra=encoding.extra + "!*'()")
    )


def _slash(draft: Draft, scene: Scene) -> Variants:
    del scene
    return _with_outer(draft, re.compile("/"), lambda encoding: replace(encoding, extra=encoding.extra + "/"))


def _charset(draft: Draft, scene: Scene) -> Variants:
    del scene
    beyond = re.compile(r"[^\x00-\x7F]")
    yield from _recoded(draft, beyond, lambda encoding: replace(encoding, charset="latin-1"))
    yield from _recoded(draft, beyond, lambda encoding: replace(encoding, charset=MOJIBAKE))


def _sent(*places: Source) -> Order:
    def order(pairs: Iterable[tuple[Param, Pair]]) -> list[Pair]:
        given = list(pairs)
        return [pair for place in places for param, pair in given if param.source == place]

    return order


def _by(key: Callable[[Param, Pair], tuple[str, ...]]) -> Order:
    def order(pairs: Iterable[tuple[Param, Pair]]) -> list[Pair]:
        return [pair for _, pair in sorted(pairs, key=lambda entry: key(*entry))]

    return order


def _protocol_last(pairs: Iterable[tuple[Param, Pair]]) -> list[Pair]:
    given = list(pairs)
    return [pair for wanted in (False, True) for pair in in_order(e for e in given if e[0].is_protocol is wanted)]


def _protocol_first(pairs: Iterable[tuple[Param, Pair]]) -> list[Pair]:
    given = list(pairs)
    return [pair for wanted in (True, False) for pair in in_order(e for e in given if e[0].is_protocol is wanted)]


_ORDERS = (
    (_sent("header", "query", "form"), "in the order they are sent, the header's first"),
    (_sent("query", "form", "header"), "in the order they are sent, the query's first"),
    (_sent("form", "query", "header"), "in the order they are sent, the form's first"),
    (_sent("header", "form", "query"), "in the order they are sent, the header's and the form's first"),
    (_protocol_last, "with the oauth_ parameters after all others"),
    (_protocol_first, "with the oauth_ parameters before all others"),
    (_by(lambda param, pair: (param.name, param.value)), "by name and value before they were encoded"),
    (_by(lambda param, pair: ("=".join(pair),)), "as joined texts, name=value, and not by name and then by value"),
    (_by(lambda param, pair: (pair[0],)), "by name alone, with repeated names as they are sent"),
    (_by(lambda param, pair: (pair[0].lower(), pair[1].lower())), "without regard to capitals"),
)


def _order(draft: Draft, scene: Scene) -> Variants:
    del scene
    for order, detail in _ORDERS:
        yield replace(draft, order=order), detail


ENCODING_MISTAKES = (
    Mistake(
        "plus_for_space",
        "encoding",
        "`+` and space were confused in {}: a space is signed as %20, a plus sign as %2B.",
        "Encode for the signature by RFC 3986 (space is %20), not by the rules of HTML forms (space is +).",
        _plus,
    ),
    Mistake(
        "encoded_twice",
        "encoding",
        "Once too often encoded: {}.",
        "Decode query and form first, encode each name and value once, and then the joined text once.",
        _twice,
    ),
    Mistake(
        "not_encoded",
        "encoding",
        "Not percent-encoded: {}.",
        "Encode each name and value, join them, and encode the joined text once more (RFC 5849 section 3.4.1).",
        _not_encoded,
    ),
    Mistake(
        "lower_hex",
        "encoding",
        "Percent-encoded with small letters (%2f): {}.",
        "Write %2F, in capitals (RFC 5849 section 3.6).",
        _lower_hex,
    ),
    Mistake(
        "tilde_encoded",
        "encoding",
        "The tilde was encoded as %7E in {}.",
        "`~` is unreserved and stays as it is (RFC 5849 section 3.6).",
        _tilde,
    ),
    Mistake(
        "marks_unencoded",
        "encoding",
        "! * ' ( ) were left unencoded in {}, as JavaScript's encodeURIComponent does.",
        "Encode them too: %21 %2A %27 %28 %29 (RFC 5849 section 3.6).",
        _marks,
    ),
    Mistake(
        "slash_unencoded",
        "encoding",
        "The slash was left unencoded in {}, as Python's urllib.parse.quote does unless told otherwise.",
        "Encode it as %2F: quote(text, safe='~').",
        _slash,
    ),
    Mistake(
        "charset",
        "encoding",
        "Text that is not ASCII was encoded in another charset than UTF-8 in {}.",
        "Encode text as UTF-8 before it is percent-encoded, once.",
        _charset,
    ),
    Mistake(
        "not_sorted",
        "parameters",
        "The parameters were sorted wrongly: {}.",
        "Sort by encoded name, then by encoded value, as bytes (RFC 5849 section 3.4.1.3.2).",
        _order,
    ),
)
