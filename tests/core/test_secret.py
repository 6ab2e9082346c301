"""What does not show itself is in every other respect what it is."""

from __future__ import annotations

import json

from sansauth.secret import Secret, SecretBytes


def test_a_secret_shows_only_when_it_is_told_to() -> None:
    assert repr([Secret("hunter2")]) == "[Secret('***')]"
    assert f"{Secret('hunter2')}" == "hunter2" == Secret("hunter2")


def test_secret_bytes_are_bytes_that_do_not_show_themselves() -> None:
    data = SecretBytes(b'{"token":"hunter2"}')
    assert repr([data]) == "[SecretBytes('***')]"
    assert data == b'{"token":"hunter2"}'
    assert json.loads(data) == {"token": "hunter2"}
