"""The redirect that is served on this machine: one path, the first answer, nothing of it repeated."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from sansauth import Secret
from sansauth.errors import InvalidURL, LoginExpired
from sansauth_io.loopback import Loopback, is_loopback_redirect

SECONDS = 10.0


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback("http://127.0.0.1:0/callback") as served:
        yield served


def get(url: str) -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as page:
            return page.status, page.read().decode(), dict(page.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def port_of(loopback: Loopback) -> int:
    return int(loopback.redirect_uri.split(":")[2].partition("/")[0])


def test_the_answer_is_taken_and_neither_shown_nor_logged(
    loopback: Loopback, capfd: pytest.CaptureFixture[str]
) -> None:
    status, page, headers = get(f"{loopback.redirect_uri}?code=hunter2&state=s")
    answer = loopback.wait(SECONDS)
    assert (status, answer) == (200, "/callback?code=hunter2&state=s")
    assert isinstance(answer, Secret)
    assert "hunter2" not in page + str(headers) + "".join(capfd.readouterr())
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_what_is_no_answer_is_404_and_the_wait_goes_on(loopback: Loopback, capfd: pytest.CaptureFixture[str]) -> None:
    origin = loopback.redirect_uri.removesuffix("/callback")
    for path in ("/", "/favicon.ico", "/callback", "/callback?", "/callback/x?code=1", "/other?code=1"):
        assert get(origin + path)[0] == 404
    with urllib.request.urlopen(urllib.request.Request(f"{origin}/callback?code=2"), timeout=SECONDS):
        assert loopback.wait(SECONDS) == "/callback?code=2"
    assert capfd.readouterr() == ("", "")


def test_other_methods_are_refused(loopback: Loopback) -> None:
    request = urllib.request.Request(f"{loopback.redirect_uri}?code=1", data=b"code=1")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=SECONDS)
    error.value.close()
    assert error.value.code == 501
    with pytest.raises(LoginExpired):
        loopback.wait(0.05)


def test_a_silent_connection_does_not_keep_the_answer_waiting(loopback: Loopback) -> None:
    with socket.create_connection(("127.0.0.1", port_of(loopback)), timeout=SECONDS) as silent:
        began = time.monotonic()
        get(f"{loopback.redirect_uri}?code=1")
        assert loopback.wait(SECONDS) == "/callback?code=1"
        assert time.monotonic() - began < 5
        silent.close()


def test_a_browser_that_hangs_up_is_an_answer_all_the_same(
    loopback: Loopback, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", port_of(loopback)), timeout=SECONDS) as browser:
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        browser.sendall(b"GET /callback?code=1 HTTP/1.1\r\n\r\n")
    assert loopback.wait(SECONDS) == "/callback?code=1"
    assert capfd.readouterr().err == ""


def test_nobody_is_waited_for_in_vain(loopback: Loopback) -> None:
    began = time.monotonic()
    with pytest.raises(LoginExpired, match="no browser came back"):
        loopback.wait(0.1)
    assert time.monotonic() - began < 5


def test_only_this_machines_own_address_is_listened_on(loopback: Loopback) -> None:
    assert loopback._server.socket.getsockname()[0] == "127.0.0.1"  # type: ignore[attr-defined]


def test_a_port_is_taken_once_and_free_again_afterwards() -> None:
    with Loopback("http://localhost:0/") as first, pytest.raises(OSError, match="in use"):
        Loopback(first.redirect_uri)
    with Loopback(first.redirect_uri) as again:
        assert again.redirect_uri == first.redirect_uri
    again.close()
    assert not any(thread.name == "sansauth loopback" for thread in threading.enumerate())


def test_the_redirect_keeps_its_query() -> None:
    with Loopback("http://127.0.0.1:0/a/b?app=1") as served:
        assert served.redirect_uri == f"http://127.0.0.1:{port_of(served)}/a/b?app=1"
        get(f"{served.redirect_uri}&code=1")
        assert served.wait(SECONDS) == "/a/b?app=1&code=1"


@pytest.mark.skipif(not socket.has_ipv6, reason="this system has no IPv6")
def test_the_other_loopback_address() -> None:
    try:
        served = Loopback("http://[::1]:0/")
    except OSError:
        pytest.skip("this system has no IPv6 loopback")
    with served:
        get(f"{served.redirect_uri}?code=1")
        assert served.wait(SECONDS) == "/?code=1"


@pytest.mark.parametrize(
    "uri",
    [
        "https://127.0.0.1:8739/",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:8739",
        "http://127.0.0.1:65536/",
        "http://127.0.0.2:8739/",
        "http://0.0.0.0:8739/",
        "http://a.test:8739/",
        "http://127.0.0.1:8739/a#b",
        "http://me@127.0.0.1:8739/",
        "http://127.0.0.1:8739/a b",
        "app:/callback",
        "",
    ],
)
def test_what_cannot_be_served_here_is_refused(uri: str) -> None:
    assert not is_loopback_redirect(uri)
    with pytest.raises(InvalidURL):
        Loopback(uri)
