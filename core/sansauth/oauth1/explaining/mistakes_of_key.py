"""Mistakes in the key, in the hash, and in the form of the signature."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from sansauth.encoding import quote
from sansauth.oauth1.explaining.drafts import Draft, Encoding, Mistake, Scene, Variants, encode_text
from sansauth.oauth1.methods import HASHES
from sansauth.secret import Secret

__all__ = ["KEY_MISTAKES"]

_Vary: TypeAlias = Callable[[Draft, Scene], Variants]


_AROUND = (
    ("{}\n", "a line break at its end"),
    ("{}\r\n", "a Windows line break at its end"),
    ("{} ", "a space at its end"),
    (" {}", "a space before it"),
    ('"{}"', "quotation marks around it"),
)


def _key(key: Callable[[str, str], str]) -> _Vary:
    def variants(draft: Draft, scene: Scene) -> Variants:
        del scene
        yield replace(draft, key=key), ""

    return variants


def _encoded_twice(draft: Draft, scene: Scene) -> Variants:
    def twice(secret: str) -> str:
        return encode_text(secret, Encoding(rounds=2))

    yield from _key(lambda consumer, token: f"{twice(consumer)}&{twice(token)}")(draft, scene)
    yield from _key(lambda consumer, token: quote(f"{quote(consumer)}&{quote(token)}"))(draft, scene)


def _token_not_sent(draft: Draft, scene: Scene) -> Variants:
    yield replace(draft, token_secret=scene.token_secret), ""


def _whitespace(draft: Draft, scene: Scene) -> Variants:
    del scene
    pair = (draft.consumer_secret, draft.token_secret)
    stripped = (pair[0].strip(), pair[1].strip())
    for chosen, words in (((True, False), "the consumer secret"), ((False, True), "the token secret")):
        if stripped != pair:
            yield _secrets(draft, stripped, chosen), f"{words} without the white space around it"
        for around, detail in _AROUND:
            changed = (around.format(pair[0]), around.format(pair[1]))
            yield _secrets(draft, changed, chosen), f"{words} with {detail}"
    yield _secrets(draft, stripped, (True, True)), "both secrets without the white space around them"
    yield _secrets(draft, (pair[0] + "\n", pair[1] + "\n"), (True, True)), "both secrets with a line break at the end"


def _secrets(draft: Draft, changed: tuple[str, str], chosen: tuple[bool, bool]) -> Draft:
    return replace(
        draft,
        consumer_secret=Secret(changed[0]) if chosen[0] else draft.consumer_secret,
        token_secret=Secret(changed[1]) if chosen[1] else draft.token_secret,
    )


def _key_for_secret(draft: Draft, scene: Scene) -> Variants:
    yield _secrets(draft, scene.keys, (True, False)), "the consumer key for the consumer secret"
    yield _secrets(draft, scene.keys, (False, True)), "the token for the token secret"
    yield _secrets(draft, scene.keys, (True, True)), "consumer key and token for their secrets"


def _other_method(draft: Draft, scene: Scene) -> Variants:
    del scene
    for method in HASHES:
        if method == draft.algorithm or (method.startswith("RSA-") and method not in draft.rsa):
            continue
        renamed = [replace(p, value=method) if p.name == "oauth_signature_method" else p for p in draft.params]
        yield replace(draft, algorithm=method), f"made with {method}, and the request says another"
        yield replace(draft, algorithm=method, params=tuple(renamed)), f"made as {method}, and the request says another"
        yield replace(draft, params=tuple(renamed)), f"made over a base string that says {method}"


def _output(*ways: tuple[Callable[[bytes], str], str]) -> _Vary:
    def variants(draft: Draft, scene: Scene) -> Variants:
        del scene
        for output, detail in ways:
            yield replace(draft, output=output), detail

    return variants


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


KEY_MISTAKES = (
    Mistake(
        "token_secret_missing",
        "key",
        "The key held the consumer secret alone, without the token secret.",
        "The key is consumer secret, `&`, token secret; use the secret that was issued with the token.",
        _key(lambda consumer, token: f"{quote(consumer)}&"),
    ),
    Mistake(
        "consumer_secret_missing",
        "key",
        "The key held the token secret alone, without the consumer secret.",
        "The key is consumer secret, `&`, token secret.",
        _key(lambda consumer, token: f"&{quote(token)}"),
    ),
    Mistake(
        "ampersand_missing",
        "key",
        "The `&` between the secrets was missing from the key.",
        "The key is consumer secret, `&`, token secret; without a token the `&` stays at the end.",
        _key(lambda consumer, token: quote(consumer) + quote(token)),
    ),
    Mistake(
        "secrets_swapped",
        "key",
        "The secrets were joined in the wrong order.",
        "The consumer secret comes first, then `&`, then the token secret.",
        _key(lambda consumer, token: f"{quote(token)}&{quote(consumer)}"),
    ),
    Mistake(
        "secrets_unencoded",
        "key",
        "The secrets were joined without being percent-encoded.",
        "Percent-encode each secret before they are joined with `&` (RFC 5849 section 3.4.2).",
        _key(lambda consumer, token: f"{consumer}&{token}"),
    ),
    Mistake(
        "secrets_encoded_twice",
        "key",
        "The secrets, or the key that they make, were percent-encoded twice.",
        "Percent-encode each secret once, join them with `&`, and use the result as it is.",
        _encoded_twice,
    ),
    Mistake(
        "token_not_sent",
        "key",
        "The key held the token secret, and no oauth_token was sent.",
        "Send and sign oauth_token, or sign with the consumer secret alone.",
        _token_not_sent,
    ),
    Mistake(
        "secret_whitespace",
        "key",
        "The key held {}.",
        "Strip white space and quotation marks from a secret where it is read, from a file or a variable.",
        _whitespace,
    ),
    Mistake(
        "key_for_secret",
        "key",
        "The key held {}.",
        "Keys and secrets are pairs: give each setting the value that its name says.",
        _key_for_secret,
    ),
    Mistake(
        "signature_method",
        "signature",
        "The signature was {}.",
        "Use one method for the hash, in the base string and in oauth_signature_method.",
        _other_method,
    ),
    Mistake(
        "signature_hex",
        "signature",
        "The signature was sent {} and not as Base64.",
        "Base64-encode the raw bytes of the digest, not the text of its hexadecimal form.",
        _output(
            (bytes.hex, "as hexadecimal digits"),
            (lambda digest: digest.hex().upper(), "as hexadecimal digits"),
            (lambda digest: _base64(digest.hex().encode()), "as Base64 of hexadecimal digits"),
        ),
    ),
    Mistake(
        "signature_base64",
        "signature",
        "The signature was sent as another Base64: {}.",
        "Use the standard alphabet with + and /, and keep the = at the end.",
        _output(
            (lambda digest: base64.urlsafe_b64encode(digest).decode(), "with - and _"),
            (lambda digest: base64.urlsafe_b64encode(digest).decode().rstrip("="), "with - and _ and without ="),
            (lambda digest: _base64(digest).rstrip("="), "without ="),
        ),
    ),
    Mistake(
        "signature_encoding",
        "signature",
        "The signature is right, and was {}.",
        "Percent-encode the signature once where it is sent: + is %2B, / is %2F, = is %3D.",
        _output(
            (
                lambda digest: _base64(digest).replace("+", " "),
                "sent without percent-encoding, so that + became a space",
            ),
            (lambda digest: quote(_base64(digest)), "percent-encoded twice"),
        ),
    ),
)
