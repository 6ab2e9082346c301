"""URLs that try to carry credentials elsewhere end in a typed error before anything is sent, or even looked up."""

from __future__ import annotations

import traceback

import pytest

from sansauth.errors import ForeignHost, InsecureTransport, InvalidURL, SansauthError
from sansauth.x import X

from .hostile_server import HostileServer, answers, http
from .oauth1_oracle import accepts
from .transports import BRISK, USER, Kit, every_kit

# Against X itself: its host is api.x.com.
REFUSED: dict[str, type[SansauthError]] = {
    # Which host? Parsers disagree.
    "http://evil.test\\@api.x.com/": InvalidURL,
    "https://api.x.com\\.evil.test/": InvalidURL,
    "https://api.x.com\\@evil.test/": InvalidURL,
    "https:\\\\api.x.com/": InvalidURL,
    "\\\\evil.test\\x": InvalidURL,
    "/\\evil.test/x": InvalidURL,
    "//evil.test/x": InvalidURL,
    "https://api.x.com//evil.test/x": InvalidURL,
    # User information.
    "https://planted-user@api.x.com/": InvalidURL,
    "https://planted-user:planted-password@api.x.com/": InvalidURL,
    "https://@api.x.com/": InvalidURL,
    "https://:@api.x.com/": InvalidURL,
    "https://api.x.com@evil.test/": InvalidURL,
    "https://api.x.com:443@evil.test/": InvalidURL,
    "https://api.x.com%40evil.test/": InvalidURL,
    "https://api.x.com@": InvalidURL,
    # The `@` is not where it seems to be.
    "https://evil.test#@api.x.com/": ForeignHost,
    "https://evil.test/#@api.x.com/": ForeignHost,
    "https://evil.test?@api.x.com/": ForeignHost,
    "https://evil.test/@api.x.com/": ForeignHost,
    # Hosts that look like X's.
    "https://api.x.com.evil.test/": ForeignHost,
    "https://upload.x.com.evil.test/": ForeignHost,
    "https://evil-api.x.com/": ForeignHost,
    "https://x.com/": ForeignHost,
    "https://api.x.com./": ForeignHost,
    "https://api_x.com/": ForeignHost,
    "https://xn--pi-7ka.x.com/": ForeignHost,
    "https://\uff41\uff50\uff49.x.com/": InvalidURL,
    "https://api.x.c\u043em/": InvalidURL,
    "https://api\u3002x.com/": InvalidURL,
    "https://api.\u24e7.com/": InvalidURL,
    "https://api.x.com\u2044evil.test/": InvalidURL,
    "https://-api.x.com/": InvalidURL,
    # Characters that end a host, or a header.
    "https://api.x.com%00.evil.test/": InvalidURL,
    "https://api.x.com%2eevil.test/": InvalidURL,
    "https://api.x.com%2fevil.test/": InvalidURL,
    "https://api.x.com\0.evil.test/": InvalidURL,
    "https://api.x.com\r\nHost: evil.test": InvalidURL,
    "https://api.x.com/ HTTP/1.1\r\nHost: evil.test\r\n\r\n": InvalidURL,
    "https://api.x.com/\n": InvalidURL,
    "https://api.x.com/\t": InvalidURL,
    "https://api.x.com/\x7f": InvalidURL,
    "https://api.x.com/\x85": InvalidURL,
    "https://api.x.com/\ud800": InvalidURL,
    " https://api.x.com/": InvalidURL,
    "https://api.x.com /": InvalidURL,
    "https://api.x.com,evil.test/": InvalidURL,
    "https://api.x.com;evil.test/": InvalidURL,
    "https://api.x.com&evil.test/": InvalidURL,
    "https://api.x.com|evil.test/": InvalidURL,
    "https://api.x.com`evil.test/": InvalidURL,
    # Ports.
    "https://api.x.com:8443/": ForeignHost,
    "https://api.x.com:80/": ForeignHost,
    "https://api.x.com:0/": InvalidURL,
    "https://api.x.com:99999/": InvalidURL,
    "https://api.x.com:-443/": InvalidURL,
    "https://api.x.com:443x/": InvalidURL,
    "https://api.x.com:443:443/": InvalidURL,
    "https://api.x.com:\uff14\uff14\uff13/": InvalidURL,
    # Plain http, by whatever name.
    "http://api.x.com/": InsecureTransport,
    "HTTP://API.X.COM/": InsecureTransport,
    "http://api.x.com:443/": InsecureTransport,
    "http://2130706433/": InsecureTransport,
    "http://127.0.0.1.evil.test/": InsecureTransport,
    "http://127.1/": InsecureTransport,
    "http://0x7f.0.0.1/": InsecureTransport,
    # This machine is not X.
    "http://127.0.0.1/": ForeignHost,
    "http://localhost/": ForeignHost,
    "https://[::1]/": ForeignHost,
    "https://[::ffff:127.0.0.1]/": ForeignHost,
    # No URL at all, or none of ours.
    "https:/api.x.com/x": InvalidURL,
    "ftp://api.x.com/x": InvalidURL,
    "file:///etc/passwd": InvalidURL,
    "javascript:alert(1)": InvalidURL,
    "https://": InvalidURL,
    "https:///x": InvalidURL,
    "https://?x": InvalidURL,
    "https://#x": InvalidURL,
    "https://[::1": InvalidURL,
    "https://[::1]evil.test/": InvalidURL,
    "https://[fe80::1%25eth0]/": InvalidURL,
    "https://[api.x.com]/": InvalidURL,
}


@every_kit
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_hostile_url_is_refused_before_anything_is_sent(kit: Kit, method: str, loopback: list[str]) -> None:
    found: dict[str, type[BaseException] | None] = {}
    with kit.opener(USER, X, BRISK) as client:
        for url in REFUSED:
            try:
                client.request(method, url, params={"a": "b"})
            except Exception as error:
                found[url] = type(error)
                text = str(error) + repr(error) + "".join(traceback.format_exception(error))
                assert "planted-consumer-secret" not in text
                assert "planted-token-secret" not in text
                assert "planted-password" not in text.replace(url, "")
    assert found == REFUSED
    assert loopback == []


@every_kit
def test_an_odd_url_still_goes_to_its_own_host_and_is_signed_as_sent(kit: Kit, loopback: list[str]) -> None:
    with HostileServer(answers(http(200, b"{}"))) as server:
        local = f"http://localhost:{server.port}"
        targets = {
            f"HTTP://LOCALHOST:{server.port}/A?B": "/A?B",
            f"{local}?@evil.test": "/?@evil.test",
            f"{local}/@evil.test": "/@evil.test",
            f"{local}/#@evil.test": "/",
            f"{local}/a//evil.test": "/a//evil.test",
            f"{local}/..//evil.test": "/..//evil.test",
            f"{local}/%2f%2fevil.test": "/%2F%2Fevil.test",
            f"{local}/%5cevil.test%00": "/%5Cevil.test%00",
            f"{local}/?x=http://evil.test/": "/?x=http://evil.test/",
            # Paths, although they try to continue the base URL.
            "@evil.test": "/@evil.test",
            ":80@evil.test": "/:80@evil.test",
            ".evil.test": "/.evil.test",
        }
        with kit.open(local, USER) as client:
            for url in targets:
                client.get(url)
        assert [one.target for one in server.requests] == list(targets.values())
        for recorded in server.requests:
            assert recorded.one("host") == f"localhost:{server.port}"
            assert accepts(recorded, USER)
    assert set(loopback) <= {"localhost", "127.0.0.1", "::1"}
