"""Credentials as values, and answers that should have held them and hold an error instead."""

from __future__ import annotations

import pytest

from sansauth import App, Request, Response
from sansauth.errors import InvalidParameter, RemoteProtocolError
from sansauth.oauth1 import TokenCredentials, sign
from sansauth.oauth1.credentials import TemporaryCredentials, parse_temporary_credentials, parse_token_credentials
from sansauth.x import X

from .support import frames_of_ours

HTML = "text/html; charset=utf-8"
PLAIN = "text/plain"


@pytest.mark.parametrize("kind", [TokenCredentials, TemporaryCredentials])
@pytest.mark.parametrize(
    "values", [("hunter2", None), (None, "hunter2"), (b"hunter2", "s"), ("t", b"hunter2"), ("t", 7)]
)
def test_a_part_that_is_no_text_is_refused_without_being_shown(
    kind: type[TokenCredentials | TemporaryCredentials], values: tuple[str, str]
) -> None:
    """A None out of a database became the secret `None`."""
    wrong = next(type(value).__name__ for value in values if not isinstance(value, str))
    with pytest.raises(InvalidParameter, match=f"{kind.__name__} takes .* as a str, not {wrong}") as refused:
        kind(*values)
    ours = frames_of_ours(refused.value)
    assert ours
    assert "hunter2" not in str(refused.value)
    assert not [frame for frame in ours if "hunter2" in repr(frame.f_locals)]


def test_the_part_that_is_wrong_is_named() -> None:
    with pytest.raises(InvalidParameter, match="takes access_token_secret as a str, not NoneType"):
        TokenCredentials("t", None)  # type: ignore[arg-type]  # callers without a type checker
    with pytest.raises(InvalidParameter, match="takes token as a str, not bytes"):
        TemporaryCredentials(b"t", "s")  # type: ignore[arg-type]  # callers without a type checker


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        # MediaWiki reports so, with status 200.
        (HTML, "<html>Error: E003 consumer unknown</html>", ', which say "Error: E003 consumer unknown"'),
        (HTML, "<html><title>Log in to the wiki</title><p>a b</p>", ', which say "Log in to the wiki"'),
        (HTML, "<html><p>a b</p>" + "<br>" * 200, ""),
        (PLAIN, "Error: E003 consumer unknown", ', which say "Error: E003 consumer unknown"'),
        (PLAIN, "Sorry: the secret=hunter2 is wrong", ', which say "Sorry: the secret=*** is wrong"'),
        (PLAIN, "the signature is not hunter2", ', which say "the signature is not ***"'),
        (PLAIN, "hunter2", ""),
        (PLAIN, "key=hunter2&pass=hunter2", ""),
        ("application/json", '{"message": "not like this"}', ', which say "not like this"'),
        ("application/json", '{"oauth_token": "hunter2"}', ""),
        ("", "", ""),
    ],
)
def test_an_answer_that_is_no_form_says_what_it_is_instead(kind: str, body: str, said: str) -> None:
    request = sign(Request("POST", "https://api.x.com/oauth/request_token"), App("CK", "CS"), timestamp=1, nonce="n")
    signature = request.headers["authorization"].partition('signature="')[2].partition('"')[0]
    response = Response(200, {"content-type": kind} if kind else {}, body.replace("not hunter2", signature).encode())
    size = f"{len(response.body)} bytes ({kind.partition(';')[0] or 'no content type'})"
    for what, parse in (("a request", parse_temporary_credentials), ("an access", parse_token_credentials)):
        with pytest.raises(RemoteProtocolError) as told:
            parse(response, X, request=request)
        expected = f"X answered 200 with {what} token that is none: {size} without oauth_token{said}"
        assert str(told.value) == expected.replace("is not ***", "is ***")


def test_a_form_that_lacks_a_part_is_still_told_as_such() -> None:
    for body, said in (
        ("oauth_token=t", "whose secret is missing or there twice"),
        ("oauth_token=&oauth_token_secret=s", "that is empty or there twice"),
        ("oauth_token=t&oauth_token=t&oauth_token_secret=s", "that is empty or there twice"),
    ):
        with pytest.raises(RemoteProtocolError, match=said):
            parse_token_credentials(Response(200, (), body.encode()), X)
