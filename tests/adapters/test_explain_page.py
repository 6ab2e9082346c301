"""The page of `explain`, opened in a real browser: what a person sees, not what the source says."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from sansauth import App, OAuth1User, build_request
from sansauth.oauth1 import Explanation, explain, sign
from sansauth.x import X

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTH, HEIGHT = 1000, 1400
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--force-device-scale-factor=1", f"--window-size={WIDTH},{HEIGHT}",
)  # fmt: skip
USER = OAuth1User(
    App("xvz1evFS4wEEPTGEFPHBog", "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
    "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
    "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
)
SECRETS = (USER.app.consumer_secret, USER.access_token_secret, "hunter2")
STATUS = "Hello Ladies + Gentlemen, a signed OAuth request!"
HOSTILE = "<script>document.title='hacked'</script>"


def planted(host: str = "api.twitter.com") -> Explanation:
    """A request signed for the wrong host, with a long value that must not stretch the page."""
    path = "/1.1/statuses/update.json"
    form = {"status": STATUS, "x_auth_password": "hunter2", "long": "x" * 400, HOSTILE: HOSTILE}
    wrong = build_request("POST", f"https://{host}{path}", params={"include_entities": True}, form=form)
    signed = sign(wrong, USER, timestamp=1318622958, nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg")
    right = build_request("POST", f"https://api.x.com{path}", params={"include_entities": True}, form=form)
    sent = right.with_header("authorization", signed.headers["authorization"])
    return explain(sent, USER, provider=X, now=1318622960)


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI has to show the page in a real browser, and there is no chromium")
        pytest.skip("no chromium here")
    return Browser(CHROMIUM, tmp_path)


class Browser:
    """A headless browser with an empty profile for each start."""

    def __init__(self, program: str, directory: Path) -> None:
        self._program, self._directory = program, directory
        self._starts = 0

    def save(self, page: str) -> str:
        file = self._directory / "page.html"
        file.write_text(page, encoding="utf-8")
        return file.as_uri()

    def dom(self, address: str) -> str:
        """The document after it was loaded and its scripts, if it had any, ran."""
        return self._run("--dump-dom", address).decode()

    def screenshot(self, address: str, name: str = "page.png", *flags: str) -> Path:
        file = self._directory / name
        self._run(*flags, f"--screenshot={file}", address)
        return file

    def _run(self, *arguments: str) -> bytes:
        self._starts += 1
        profile = self._directory / f"profile{self._starts}"
        command = [self._program, *FLAGS, f"--user-data-dir={profile}", *arguments]
        done = subprocess.run(command, capture_output=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
        return done.stdout


def pixels(png: Path) -> list[bytes]:
    """The rows of a PNG of 8 bits a channel, three or four channels (RFC 2083)."""
    data = png.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", body[:10])
            assert (width, height, depth) == (WIDTH, HEIGHT, 8)
            channels = {2: 3, 6: 4}[color]
        elif kind == b"IDAT":
            chunks += body
        at += 12 + length
    raw, size = zlib.decompress(chunks), width * channels
    rows, above = [], bytes(size)
    for start in range(0, len(raw), size + 1):
        above = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + size]), above, channels)
        rows.append(above)
    return rows


def _unfiltered(kind: int, row: bytearray, above: bytes, channels: int) -> bytes:
    """Undo a filter of a row (RFC 2083 section 6)."""
    for index in range(len(row)):
        left = row[index - channels] if index >= channels else 0
        corner = above[index - channels] if index >= channels else 0
        up = above[index]
        if kind == 1:
            row[index] = (row[index] + left) & 255
        elif kind == 2:
            row[index] = (row[index] + up) & 255
        elif kind == 3:
            row[index] = (row[index] + (left + up) // 2) & 255
        elif kind == 4:
            near = left + up - corner
            distances = (abs(near - left), abs(near - up), abs(near - corner))
            row[index] = (row[index] + (left, up, corner)[distances.index(min(distances))]) & 255
    return bytes(row)


def test_the_browser_shows_the_finding_and_everything_else(browser: Browser) -> None:
    explanation = planted()
    dom = browser.dom(browser.save(explanation.to_html()))
    assert "It was signed for the host api.twitter.com, and sent to api.x.com." in dom
    assert f"<title>{explanation.verdict}</title>" in dom
    assert f'<h1 class="bad">{explanation.verdict}</h1>' in dom
    for fact in (
        explanation.signature,
        explanation.received_signature,
        "https://api.x.com/1.1/statuses/update.json",
        STATUS,
    ):
        assert str(fact) in dom
    assert not any(secret in dom for secret in SECRETS)
    assert "<script" not in dom
    assert "&lt;script&gt;" in dom


MEASURE = """<!DOCTYPE html><html><body><iframe id="page" style="width:%dpx;height:800px;border:0" src="%s"></iframe>
<script>window.onload = () => { const seen = document.getElementById("page").contentDocument.documentElement;
document.title = seen.scrollWidth + " of " + seen.clientWidth; };</script></body></html>"""


@pytest.mark.parametrize("width", [1000, 380])
def test_the_page_does_not_scroll_sideways(browser: Browser, tmp_path: Path, width: int) -> None:
    address = browser.save(planted().to_html())
    frame = tmp_path / "frame.html"
    frame.write_text(MEASURE % (width, address), encoding="utf-8")
    command = ("--allow-file-access-from-files", "--dump-dom", frame.as_uri())
    title = re.search(r"<title>(\d+) of (\d+)</title>", browser._run(*command).decode())
    assert title, "the frame was not measured"
    assert int(title[1]) <= int(title[2]) <= width


def test_what_is_seen_is_a_page_with_colours(browser: Browser) -> None:
    rows = pixels(browser.screenshot(browser.save(planted().to_html())))
    channels = len(rows[0]) // WIDTH
    colors = {row[at : at + 3] for row in rows for at in range(0, len(row), channels)}
    assert len(rows) == HEIGHT
    assert len(colors) > 50
    for kind in ("b3261e", "0b6b7a", "8a5300", "8b2f80"):  # the finding; header, query and form
        assert bytes.fromhex(kind) in colors, kind
    margin = {row[-3 * channels :] for row in rows}
    assert len(margin) == 1  # nothing reaches the edge


def test_in_the_dark_it_is_dark(browser: Browser) -> None:
    address = browser.save(planted().to_html())
    light = pixels(browser.screenshot(address))
    dark = pixels(browser.screenshot(address, "dark.png", "--blink-settings=preferredColorScheme=0"))
    assert sum(light[0][:3]) > 600
    assert sum(dark[0][:3]) < 150


@pytest.mark.parametrize("host", ["api.x.com"])
def test_a_right_signature_is_shown_as_right(browser: Browser, host: str) -> None:
    dom = browser.dom(browser.save(planted(host).to_html()))
    assert '<h1 class="good">The signature is right.</h1>' in dom
