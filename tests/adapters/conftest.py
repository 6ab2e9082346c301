"""What the tests of the adapters share."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import trustme

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Authority:
    """A certificate authority; `pem` is the path of its root."""

    ca: trustme.CA
    pem: str

    def server(self, name: str, *, ends: datetime.datetime | None = None) -> ssl.SSLContext:
        """A server's TLS settings, with a certificate for this name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name, not_after=ends).configure_cert(context)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one authority that the environment trusts."""
    return _authority(tmp_path_factory)


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return _authority(tmp_path_factory)


def _authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    pem = tmp_path_factory.mktemp("authority") / "root.pem"
    ca.cert_pem.write_to_path(str(pem))
    return Authority(ca, str(pem))


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> Iterator[list[str]]:
    """An environment that stays on this machine: no proxy, certificates of our own authority only, no other host.

    It is also the fast one: a root is read in a hundredth of the time of all of them, and httpx reads them per client.
    Gives the names that were looked up; one of another machine fails the test.
    """
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_DIR", "CURL_CA_BUNDLE", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, authority.pem)
    monkeypatch.setenv("NETRC", os.devnull)

    looked_up: list[str] = []
    getaddrinfo = socket.getaddrinfo

    def guarded(host: bytes | str | None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(host, str):
            host.encode("idna")  # as the real one does, first of all
        looked_up.append(host.decode() if isinstance(host, bytes) else str(host))
        if looked_up[-1] not in LOOPBACK:
            raise socket.gaierror(f"the tests have no business with {host!r}")
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)
    yield looked_up
    assert {name for name in looked_up if not name.endswith(".localhost")} <= LOOPBACK
