"""Webhooks: X's challenge is answered, and an event is X's only if X signed its bytes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth import App, Bearer, errors
from sansauth.x import crc_response, verify_webhook

from .support import USER

APP = App("CK", "test")
VECTORS = [
    ("test", "test=1&other_test=2", "sha256=25Cu3iwbbiqBTwQRzcKJZwisjf736V2Q8UaTlkfLSoc="),
    ("test", '{"test_number":1,"test_string":"two"}', "sha256=YWHphPn/JFq43jkF0y4/w8R/SelmLjvpunhVFY8JhlI="),
    (
        "L8qq9PZyRg6ieKGEKhZolGC0vJWLw8iEJ88DRdyOg",
        "challenge_string",
        "sha256=7lSONeP10a3dQ92/V7IutTFT1KCPGNO6VFz1MnUM8YQ=",
    ),
]
BODY = VECTORS[1][1].encode()
HEADER = VECTORS[1][2]


@pytest.mark.parametrize(("secret", "message", "value"), VECTORS)
def test_the_vectors_are_events_signatures(secret: str, message: str, value: str) -> None:
    assert verify_webhook(message.encode(), value, App("CK", secret)) is True
    assert verify_webhook(message.encode(), value, App("CK", secret + "x")) is False


@pytest.mark.parametrize(("secret", "message", "value"), [VECTORS[0], VECTORS[2]])
def test_the_vectors_are_answers_to_challenges(secret: str, message: str, value: str) -> None:
    assert crc_response(message, App("CK", secret)) == {"response_token": value}


@given(st.text("abcXYZ019-_=+/.", min_size=1), st.text(min_size=1))
def test_every_answer_is_the_hmac_of_the_challenge(challenge: str, secret: str) -> None:
    secret = secret.encode("utf-8", "replace").decode()
    expected = base64.b64encode(hmac.new(secret.encode(), challenge.encode(), hashlib.sha256).digest()).decode()
    assert crc_response(challenge, App("CK", secret)) == {"response_token": f"sha256={expected}"}


@pytest.mark.parametrize(
    "challenge",
    [
        BODY.decode(),
        f" {BODY.decode()}",
        "\ufeff{}",
        "\x00{\x00}",
        "a{",
        "",
        " ",
        "a b",
        "a\n",
        "é",
        "\ud800",
        None,
        b"a",
    ],
)
def test_no_challenge_makes_us_sign_an_event(challenge: Any) -> None:
    """Anybody may ask; the answer to a challenge that is an event would be its valid signature."""
    with pytest.raises(errors.InvalidParameter, match="no JSON"):
        crc_response(challenge, APP)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_in_every_encoding_that_json_may_have(encoding: str) -> None:
    forged = BODY.decode().encode(encoding)
    try:
        challenge = forged.decode()  # what a query can hold
    except UnicodeDecodeError:
        return
    with pytest.raises(errors.InvalidParameter):
        crc_response(challenge, APP)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        HEADER.removeprefix("sha256="),
        HEADER[:-1],
        HEADER + "=",
        HEADER + "\n",
        " " + HEADER,
        HEADER.lower(),
        HEADER.replace("sha256", "sha1"),
        VECTORS[0][2],
        "sha256=é",
        "\ud800",
        "\x00",
        "sha256=" + "A" * 100_000,
        HEADER.encode(),
        1,
    ],
    ids=lambda header: repr(header)[:30],
)
def test_any_other_header_is_no(header: Any) -> None:
    assert verify_webhook(BODY, header, APP) is False


@given(st.binary(), st.text() | st.none())
def test_no_header_makes_it_raise_and_none_passes(body: bytes, header: str | None) -> None:
    assert verify_webhook(body, header, APP) is False


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"1", b"2"), BODY.replace(b":", b": ")])
def test_another_body_is_no(body: bytes) -> None:
    assert verify_webhook(body, HEADER, APP) is False


@pytest.mark.parametrize("body", [BODY.decode(), None, {}, bytearray(BODY)])
def test_a_body_that_was_parsed_is_our_own_mistake(body: Any) -> None:
    with pytest.raises(errors.LocalProtocolError, match="raw bytes"):
        verify_webhook(body, HEADER, APP)


@pytest.mark.parametrize("identity", [USER, Bearer("hunter2"), App("CK", ""), "hunter2", None])
def test_only_an_application_with_a_secret_has_webhooks(identity: Any) -> None:
    """With an empty key anybody could sign."""
    with pytest.raises(errors.WrongIdentity) as caught:
        verify_webhook(BODY, HEADER, identity)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(errors.WrongIdentity):
        crc_response("challenge", identity)
