"""The URL grammar: one parse, nothing ambiguous, nothing decoded."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansauth.errors import InvalidURL
from sansauth.url import Url, parse_url

from .support import assert_linear

HOSTILE = [
    # the parsers of the world disagree about these
    "http://evil.test\\@api.x.com/",
    "http://evil.test\\.api.x.com/",
    "https://api.x.com\\@evil.test/",
    "https:\\\\api.x.com/",
    "https:/\\api.x.com/",
    # userinfo
    "https://api.x.com@evil.test/",
    "https://user@api.x.com/",
    "https://user:hunter2@api.x.com/",
    "https://:@api.x.com/",
    "https://@api.x.com/",
    "https://api.x.com:443@evil.test/",
    "https://api.x.com%40evil.test/",
    # white space and controls, anywhere
    " https://api.x.com/",
    "https://api.x.com/ ",
    "https://api.x.com /",
    "https://api.x.com/a b",
    "https://api.x.com/?a=b c",
    "https://api.x.com/#a b",
    "https://api.x.com/\r\nHost: evil.test",
    "https://api.x.com/?a\r\nX: y",
    "https://api.x.com/\n",
    "https://api.x.com\t/",
    "https://api\t.x.com/",
    "ht\ntps://api.x.com/",
    "https://api.x.com/\x00",
    "https://api.x.com/\x7f",
    "https://api.x.com/\x85",
    # an authority that is not plain ASCII
    "https://api.x.com。evil.test/",
    "https://ａpi.x.com/",
    "https://éxample.test/",
    "https://\u212aelvin.test/",
    "https://\u017ftart.test/",
    "http\u017f://api.x.com/",
    "https://api.x.com\u200b/",
    "https://api.x.com:４４３/",
    "https://api%2ex.com/",
    "https://%61pi.x.com/",
    # a path that reads as another host
    "https://api.x.com//evil.test/",
    "https://api.x.com//",
    # ports
    "https://api.x.com:0/",
    "https://api.x.com:00000/",
    "https://api.x.com:65536/",
    "https://api.x.com:99999/",
    "https://api.x.com:123456/",
    "https://api.x.com:-1/",
    "https://api.x.com:+443/",
    "https://api.x.com:4_4/",
    "https://api.x.com:0x1bb/",
    "https://api.x.com:443:443/",
    "https://api.x.com:https/",
    # IPv6
    "https://[/",
    "https://[]/",
    "https://[::1/",
    "https://::1/",
    "https://[::1]evil.test/",
    "https://[::1]:/x]/\\",
    "https://[:::1]/",
    "https://[1:2:3:4:5:6:7:8:9]/",
    "https://[::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[v1.x]/",
    "https://[127.0.0.1]/",
    "https://[::ffff:300.0.0.1]/",
    # hosts
    "https:///path",
    "https://",
    "https://?q",
    "https://#f",
    "https://:443/",
    "https://.x.com/",
    "https://-x.com/",
    "https://x.com-/",
    "https://api.x.com,evil.test/",
    "https://api.x.com;evil.test/",
    "https://a!b/",
    "https://*.x.com/",
    "https://<host>/",
    # schemes
    "",
    "/oauth2/token",
    "//api.x.com/",
    "api.x.com/",
    "api.x.com:443/",
    "http:/x",
    "https:api.x.com",
    "https:/api.x.com/",
    "://api.x.com/",
    "ftp://api.x.com/",
    "file:///etc/passwd",
    "javascript://api.x.com/",
    "httpss://api.x.com/",
    "xhttps://api.x.com/",
    "ws://api.x.com/",
    # not Unicode text
    "https://api.x.com/\ud800",
    "https://api.x.com/?a=\udfff",
]


@pytest.mark.parametrize("url", HOSTILE, ids=ascii)
def test_what_parsers_disagree_about_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        parse_url(url)
    # The URL is not repeated: it may hold a password or a token.
    assert "hunter2" not in str(caught.value)
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize("url", [None, 1, b"https://api.x.com/", ["https://api.x.com/"]])
def test_a_url_is_a_str(url: object) -> None:
    with pytest.raises(InvalidURL, match=f"a str, not {type(url).__name__}"):
        parse_url(url)  # type: ignore[arg-type]


NORMALISED = [
    ("https://api.x.com", "https://api.x.com/"),
    ("HTTPS://API.X.Com/A", "https://api.x.com/A"),
    ("https://api.x.com:443/", "https://api.x.com/"),
    ("https://api.x.com:0443/", "https://api.x.com/"),
    ("https://api.x.com:/a", "https://api.x.com/a"),
    ("http://api.x.com:80/", "http://api.x.com/"),
    ("http://api.x.com:443/", "http://api.x.com:443/"),
    ("https://api.x.com:80/", "https://api.x.com:80/"),
    ("https://api.x.com:65535/", "https://api.x.com:65535/"),
    ("https://api.x.com:1/", "https://api.x.com:1/"),
    ("https://api.x.com?a=b", "https://api.x.com/?a=b"),
    ("https://api.x.com#top", "https://api.x.com/"),
    ("https://api.x.com/a?", "https://api.x.com/a"),
    ("https://api.x.com/a?#", "https://api.x.com/a"),
    ("https://api.x.com/a?b#c?d", "https://api.x.com/a?b"),
    ("https://api.x.com/a#b#c", "https://api.x.com/a"),
    ("https://api.x.com/??", "https://api.x.com/??"),
    ("https://api.x.com/?a=//b?c", "https://api.x.com/?a=//b?c"),
    # percent-encoding: upper case, nothing decoded, a lone % encoded
    ("https://api.x.com/%7e%2f%c3%a9", "https://api.x.com/%7E%2F%C3%A9"),
    ("https://api.x.com/?a=%7e%3d%2b", "https://api.x.com/?a=%7E%3D%2B"),
    ("https://api.x.com/100%", "https://api.x.com/100%25"),
    ("https://api.x.com/%zz%4", "https://api.x.com/%25zz%254"),
    ("https://api.x.com/%%41", "https://api.x.com/%25%41"),
    # what RFC 3986 does not allow there is encoded, what it allows stays
    ('https://api.x.com/a|b[c]{d}"e^f`g<h>', "https://api.x.com/a%7Cb%5Bc%5D%7Bd%7D%22e%5Ef%60g%3Ch%3E"),
    ('https://api.x.com/?a|b[c]{d}"e^f`g<h>', "https://api.x.com/?a%7Cb%5Bc%5D%7Bd%7D%22e%5Ef%60g%3Ch%3E"),
    ("https://api.x.com/-._~!$&'()*+,;=:@", "https://api.x.com/-._~!$&'()*+,;=:@"),
    ("https://api.x.com/?-._~!$&'()*+,;=:@/?", "https://api.x.com/?-._~!$&'()*+,;=:@/?"),
    ("https://api.x.com/é☃😀", "https://api.x.com/%C3%A9%E2%98%83%F0%9F%98%80"),
    ("https://api.x.com/?q=é\u00a0", "https://api.x.com/?q=%C3%A9%C2%A0"),
    # dot segments and doubled slashes inside stay: what is signed is what is sent
    ("https://api.x.com/a/../b/./c", "https://api.x.com/a/../b/./c"),
    ("https://api.x.com/a//b", "https://api.x.com/a//b"),
    ("https://api.x.com/r%20v/X?id=123", "https://api.x.com/r%20v/X?id=123"),
    # hosts
    ("http://localhost", "http://localhost/"),
    ("http://x", "http://x/"),
    ("http://a_b.test/", "http://a_b.test/"),
    ("http://a-b.test./", "http://a-b.test./"),
    ("http://xn--bcher-kva.test/", "http://xn--bcher-kva.test/"),
    ("http://[::1]:8080/a", "http://[::1]:8080/a"),
    ("https://[2001:DB8::A]:443/", "https://[2001:db8::a]/"),
    ("http://[::ffff:127.0.0.1]/", "http://[::ffff:127.0.0.1]/"),
]


@pytest.mark.parametrize(("url", "canonical"), NORMALISED)
def test_a_url_has_one_form(url: str, canonical: str) -> None:
    assert str(parse_url(url)) == canonical
    assert parse_url(canonical) == parse_url(url)


def test_the_parts_of_a_url() -> None:
    url = parse_url("https://API.x.com:8443/2/users/me?a=b#c")
    assert url == Url("https", "api.x.com", 8443, "/2/users/me?a=b")
    assert url.authority == "api.x.com:8443"
    assert url.origin == "https://api.x.com:8443"


def test_a_default_port_is_not_part_of_the_origin() -> None:
    url = parse_url("https://api.x.com:443/")
    assert (url.port, url.authority, url.origin) == (443, "api.x.com", "https://api.x.com")


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "127.255.255.255", "[::1]"])
def test_this_machine_is_known_by_its_name(host: str) -> None:
    assert parse_url(f"http://{host}:8080/").is_loopback


@pytest.mark.parametrize(
    "host",
    [
        "api.x.com", "localhost.evil.test", "127.0.0.1.evil.test", "127.0.0.256", "127.0.0", "127.1", "1127.0.0.1",
        "128.0.0.1", "127.0.0.01", "0.0.0.0", "[::2]", "[::ffff:127.0.0.1]", "localhost.", "2130706433", "0x7f.0.0.1",
    ],
)  # fmt: skip
def test_nothing_else_is_this_machine(host: str) -> None:
    assert not parse_url(f"http://{host}/").is_loopback


PIECES = st.sampled_from(
    [
        "http", "https", "://", ":", "/", "//", "?", "#", "@", "\\", "%", "%2f", "%C3", "[", "]", "::1", "api.x.com",
        "127.0.0.1", "443", "80", "8080", "é", "ſ", "K", "😀", " ", "\t", "\n", ".", "-", "&", "=", "+", "|", "\ud800",
    ]
)  # fmt: skip
URLISH = st.one_of(
    st.text(),
    st.text(alphabet=string.printable),
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(PIECES, max_size=8).map(lambda pieces: "https://api.x.com/" + "".join(pieces)),
    st.lists(PIECES, max_size=8).map(lambda pieces: "http://" + "".join(pieces)),
)


@given(URLISH)
def test_a_url_is_parsed_to_its_canonical_form_or_refused(text: str) -> None:
    try:
        url = parse_url(text)
    except InvalidURL:
        return
    canonical = str(url)
    assert parse_url(canonical) == url
    assert str(parse_url(canonical)) == canonical
    assert canonical.isascii()
    assert set(canonical) <= set(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/?%[]")
    assert url.target.startswith("/")
    assert not url.target.startswith("//")
    assert 0 < url.port < 65536


@pytest.mark.parametrize(
    ("head", "repeated", "tail"),
    [
        ("", "a", ""),
        ("https://", "a", "!"),
        ("https://", "a-", "!"),
        ("https://", "-", ""),
        ("https://", "a.", "@x"),
        ("https://", "[", ""),
        ("https://[", ":", "]"),
        ("https://x:", "1", "/"),
        ("https://x/", "%", ""),
        ("https://x/", "a%20", "|"),
        ("https://x/", "a", "\\"),
        ("https://x/?", "a=b&", "|"),
        ("https://x/?", "?", " "),
        ("https://x/", "é", "|"),
        ("https://x/#", "#", "\n"),
        ("", "https://", ""),
    ],
)
def test_a_hostile_url_takes_linear_time(head: str, repeated: str, tail: str) -> None:
    def attempt(text: str) -> object:
        try:
            return parse_url(text)
        except InvalidURL as error:
            return error

    assert_linear(attempt, lambda size: head + repeated * (size // len(repeated)) + tail, 50_000)


def test_a_repr_shows_no_query() -> None:
    assert repr(parse_url("https://api.x.com/1?access_token=planted")) == "Url('https://api.x.com/1?...')"
    assert repr(parse_url("https://api.x.com/1")) == "Url('https://api.x.com/1')"
