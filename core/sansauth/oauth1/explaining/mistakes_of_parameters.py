"""Mistakes in which parameters are signed, and in what order."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from sansauth.encoding import decode
from sansauth.oauth1.explaining.carried import Param
from sansauth.oauth1.explaining.drafts import Draft, Mistake, Scene, Variants
from sansauth.oauth1.methods import HASHES, body_hash

__all__ = ["PARAMETER_MISTAKES"]

MOST_LEFT_OUT = 20  # parameters that are left out one by one


LARGEST_BODY = 65_536  # bytes that are read as JSON or multipart; what is larger nobody signs by mistake


_PART_NAME = re.compile(rb'name="([^"]*)"')


_BOUNDARY = re.compile(r'boundary="?([^";]+)')


def _with(draft: Draft, pairs: Iterable[tuple[str, str]]) -> Draft:
    added = [Param("form", name, value, name, value) for name, value in pairs]
    return replace(draft, params=(*draft.params, *added))


def _query_left_out(draft: Draft, scene: Scene) -> Variants:
    del scene
    yield draft.without(lambda param: param.source == "query" and not param.is_protocol), ""


def _form_left_out(draft: Draft, scene: Scene) -> Variants:
    del scene
    yield draft.without(lambda param: param.source == "form" and not param.is_protocol), ""


def _protocol_left_out(draft: Draft, scene: Scene) -> Variants:
    del scene
    return _each_left_out(draft, [param for param in draft.params if param.is_protocol])


def _parameter_left_out(draft: Draft, scene: Scene) -> Variants:
    del scene
    return _each_left_out(draft, [param for param in draft.params if not param.is_protocol])


def _each_left_out(draft: Draft, params: list[Param]) -> Variants:
    for name in list(dict.fromkeys(param.name for param in params))[:MOST_LEFT_OUT]:
        yield draft.without(functools.partial(_is_named, name)), name


def _is_named(name: str, param: Param) -> bool:
    return param.name == name


def _protocol_added(draft: Draft, scene: Scene) -> Variants:
    names = {param.name for param in draft.params}
    added = [("oauth_version", "1.0"), ("oauth_token", ""), ("oauth_callback", "oob"), ("oauth_signature", "")]
    if scene.realm is not None:
        added.append(("realm", scene.realm))
    for name, value in added:
        if name not in names:
            yield _with(draft, [(name, value)]), f'{name}="{value}"' if name != "realm" else name


def _clock_read_twice(draft: Draft, scene: Scene) -> Variants:
    del scene
    for step in (-1, 1):
        params = [_later(param, step) for param in draft.params]
        yield replace(draft, params=tuple(params)), "a second earlier" if step < 0 else "a second later"


def _later(param: Param, step: int) -> Param:
    if param.name == "oauth_timestamp" and re.fullmatch("[0-9]{1,15}", param.value):
        return replace(param, value=str(int(param.value) + step))
    return param


def _body_signed(draft: Draft, scene: Scene) -> Variants:
    request = scene.request
    if request.has_form or not 0 < len(request.body) <= LARGEST_BODY:
        return
    text = request.body.decode("utf-8", "surrogateescape")
    for pairs, detail in (
        (_json_pairs(text), "the members of the JSON in it"),
        (_multipart_pairs(request.headers.get("content-type") or "", request.body), "the fields of its parts"),
        ([(text, "")], "its text"),
        (decode(text) if "=" in text else [], "its text, read as a form"),
    ):
        if pairs:
            yield _with(draft, pairs), detail


def _json_pairs(text: str) -> list[tuple[str, str]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(document, dict):
        return []
    members = cast("dict[str, object]", document).items()
    return [(_sound(name), _sound(value if isinstance(value, str) else json.dumps(value))) for name, value in members]


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # JSON can hold half a surrogate pair


def _multipart_pairs(content_type: str, body: bytes) -> list[tuple[str, str]]:
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return []
    pairs: list[tuple[str, str]] = []
    for part in body.split(f"--{boundary[1]}".encode()):
        head, _, content = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if name and b"filename=" not in head:
            pairs.append((_text(name[1]), _text(content.removesuffix(b"\r\n"))))
    return pairs


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _body_hash_signed(draft: Draft, scene: Scene) -> Variants:
    if not any(param.name == "oauth_body_hash" for param in draft.params):
        for method in dict.fromkeys((draft.algorithm, *HASHES)):
            if method.startswith("HMAC-"):
                yield _with(draft, [("oauth_body_hash", body_hash(scene.request.body, method))]), ""


def _repeated_collapsed(draft: Draft, scene: Scene) -> Variants:
    del scene
    values: dict[str, list[Param]] = {}
    for param in draft.params:
        values.setdefault(param.name, []).append(param)
    if len(values) < len(draft.params):
        last = [params[-1] for params in values.values()]
        first = [params[0] for params in values.values()]
        joined = [replace(params[0], value=",".join(param.value for param in params)) for params in values.values()]
        for params, detail in ((last, "the last value"), (first, "the first value"), (joined, "the values, joined")):
            yield replace(draft, params=tuple(params)), detail


def _empty_left_out(draft: Draft, scene: Scene) -> Variants:
    del scene
    if any(not param.value for param in draft.params):
        yield draft.without(lambda param: not param.value), ""


PARAMETER_MISTAKES = (
    Mistake(
        "query_left_out",
        "parameters",
        "The query's parameters were not signed.",
        "Sign every parameter of the query along with the oauth_ parameters.",
        _query_left_out,
    ),
    Mistake(
        "form_left_out",
        "parameters",
        "The form body's parameters were not signed.",
        "A body of type application/x-www-form-urlencoded is signed, each parameter of it.",
        _form_left_out,
    ),
    Mistake(
        "protocol_left_out",
        "parameters",
        "{} was sent and not signed.",
        "Sign every oauth_ parameter that is sent, but for oauth_signature.",
        _protocol_left_out,
    ),
    Mistake(
        "empty_left_out",
        "parameters",
        "Parameters with an empty value were sent and not signed.",
        "Sign a parameter without a value as `name=`.",
        _empty_left_out,
    ),
    Mistake(
        "parameter_left_out",
        "parameters",
        "The parameter {} was sent and not signed.",
        "Sign exactly what is sent; add parameters before the request is signed.",
        _parameter_left_out,
    ),
    Mistake(
        "protocol_added",
        "parameters",
        "{} was signed and not sent as a parameter that is signed.",
        "Sign what is sent and no more; realm and oauth_signature are never signed.",
        _protocol_added,
    ),
    Mistake(
        "clock_read_twice",
        "parameters",
        "The timestamp that was signed is {} than the one that was sent.",
        "Read the clock once a request, and use that value both for signing and for sending.",
        _clock_read_twice,
    ),
    Mistake(
        "body_signed",
        "parameters",
        "The body was signed ({}), although its content type is not that of a form.",
        "Only application/x-www-form-urlencoded is signed: leave JSON and multipart out, and give a form its type.",
        _body_signed,
    ),
    Mistake(
        "body_hash_signed",
        "parameters",
        "oauth_body_hash was signed and not sent.",
        "Send oauth_body_hash where it is signed, or leave it out of both.",
        _body_hash_signed,
    ),
    Mistake(
        "repeated_collapsed",
        "parameters",
        "Of a name that is sent more than once, only {} was signed: the parameters were kept in a dictionary.",
        "Keep parameters as pairs, and sign every one of them.",
        _repeated_collapsed,
    ),
)
