"""The laws of signing: every base string and every signature equals oauthlib's, or a clause of the RFC says why not.

oauthlib 3.3 and 4 differ from RFC 5849 in a handful of places. Each has a `Clause` here: the text of the RFC that
decides, how to recognise a request that it concerns, and an example on which the two differ, so that the excuse ends
on the day oauthlib mends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oauthlib import oauth1
from oauthlib.oauth1.rfc5849 import signature as judged

from sansauth import App, OAuth1User, Request, build_request
from sansauth.encoding import decode, unquote
from sansauth.http import FORM
from sansauth.oauth1 import base_string, sign

from .test_oauth1_sign import header_parameters

HMACS = ("HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512")
RSAS = ("RSA-SHA1", "RSA-SHA256", "RSA-SHA512")
HASHES = {"RSA-SHA1": hashes.SHA1(), "RSA-SHA256": hashes.SHA256(), "RSA-SHA512": hashes.SHA512()}
TIMESTAMP, NONCE = "1318622958", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # short, because thousands are signed


@cache
def private_pem() -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return private_key().private_bytes(encoding, form, serialization.NoEncryption()).decode()


@cache
def public_pem() -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return private_key().public_key().public_bytes(encoding, form).decode()


def user_of(consumer: tuple[str, str], token: tuple[str, str]) -> OAuth1User:
    return OAuth1User(App(*consumer, rsa_private_key=private_pem()), *token)


# --- where oauthlib is wrong -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clause:
    """Why oauthlib differs: the clause, which requests it concerns, and one of them."""

    text: str
    concerns: Callable[[Request], bool]
    example: Request

    def __str__(self) -> str:
        return self.text


def names_of(request: Request) -> list[str]:
    return [name for name, _ in decode(f"{request.query}&{form_of(request)}")]


def form_of(request: Request) -> str:
    return request.body.decode("ascii", "surrogateescape") if request.has_form else ""


def has_octets(request: Request) -> bool:
    try:
        for piece in re.split("[&=]", f"{request.query}&{form_of(request)}"):
            unquote(piece).decode()
    except UnicodeDecodeError:
        return True
    return False


CLAUSES = [
    Clause(
        "RFC 5849 section 3.4.1.2: the path is used as sent; oauthlib drops a `;` with nothing behind it",
        lambda request: request.path.rpartition("/")[2].endswith(";"),
        Request("GET", "https://api.x.com/a;"),
    ),
    Clause(
        "RFC 5849 section 3.6: octets that are no text are encoded as they are; oauthlib makes %EF%BF%BD of them",
        has_octets,
        Request("GET", "https://api.x.com/a?b=%FF"),
    ),
    Clause(
        "RFC 5849 section 3.4.1.2: the host is that of the Host header; oauthlib writes an IPv6 address its own way",
        lambda request: request.host.startswith("[") and request.host != "[::1]",
        Request("GET", "https://[2001:db8:0:0:0:0:0:1]/a"),
    ),
    Clause(
        "RFC 5849 section 3.4.1.3.1: a value is decoded once; oauthlib decodes those of a name in oauth_ again",
        lambda request: any(name.startswith("oauth_") for name in names_of(request)),
        Request("GET", "https://api.x.com/a?oauth_extra=%2525"),
    ),
    Clause(
        "RFC 5849 section 3.4.1.3.1: only a body that is encoded as a form is covered; oauthlib refuses or leaves out "
        "any other, we sign what a server reads in it",
        lambda request: re.fullmatch(r"([A-Za-z0-9_.\-=&;:+~,*@!()/?'$]|%[0-9A-Fa-f]{2})*", form_of(request)) is None,
        Request("POST", "https://api.x.com/a", {"content-type": FORM}, b"a=<b>"),
    ),
]


def their_base_string(request: Request, identity: OAuth1User, method: str) -> str:
    fields = {
        "oauth_consumer_key": identity.app.consumer_key,
        "oauth_nonce": NONCE,
        "oauth_signature_method": method,
        "oauth_timestamp": TIMESTAMP,
        "oauth_token": identity.access_token,
        "oauth_version": "1.0",
    }
    header = "OAuth " + ", ".join(f'{name}="{oauth1.rfc5849.utils.escape(value)}"' for name, value in fields.items())
    collected = judged.collect_parameters(request.query, form_of(request), {"Authorization": header})
    uri = judged.base_string_uri(request.url)
    return judged.signature_base_string(request.method, uri, judged.normalize_parameters(collected))


def their_signature(request: Request, identity: OAuth1User, method: str) -> str:
    client = oauth1.Client(
        identity.app.consumer_key,
        client_secret=identity.app.consumer_secret,
        resource_owner_key=identity.access_token,
        resource_owner_secret=identity.access_token_secret,
        rsa_key=private_key(),  # as read: oauthlib would read the PEM for each signature, in 5 ms
        signature_method=method,
        nonce=NONCE,
        timestamp=TIMESTAMP,
    )
    headers = {"Content-Type": FORM} if request.has_form else {}
    # A method that oauthlib takes a body with: what is signed is what `request` says, and that it says itself.
    body = form_of(request) if request.has_form else None
    return str(client.get_oauth_signature(judged_request(request, client, body, headers)))


def judged_request(request: Request, client: oauth1.Client, body: str | None, headers: dict[str, str]) -> object:
    from oauthlib.common import Request as JudgedRequest

    made = JudgedRequest(request.url, request.method, body, headers)
    made.oauth_params = client.get_oauth_params(made)
    return made


def our_signature(request: Request, identity: OAuth1User, method: str) -> str:
    signed = sign(request, identity, timestamp=TIMESTAMP, nonce=NONCE, method=method)
    return header_parameters(signed)["oauth_signature"]


@pytest.mark.parametrize("clause", CLAUSES, ids=str)
def test_oauthlib_is_still_wrong_where_we_say_so(clause: Clause) -> None:
    identity = user_of(("key", "secret"), ("token", "secret"))
    assert clause.concerns(clause.example)
    ours = base_string(clause.example, identity, timestamp=TIMESTAMP, nonce=NONCE)
    try:
        theirs = their_base_string(clause.example, identity, "HMAC-SHA1")
    except ValueError:
        return
    assert ours != theirs


# --- the law ---------------------------------------------------------------------------------------------------------

TEXT = st.text(
    alphabet=st.sampled_from("abz019~!*'()+&=% é啦😀-._/?:;,@$[]{}|\"^`<>#\t\n\x00\x7f\x80\u3001"), max_size=5
)
NAMES = TEXT.filter(bool) | st.sampled_from(["a", "a1", "status", "oauth_extra", "realm", "x_auth_mode", "é"])
PAIRS = st.lists(st.tuples(NAMES, TEXT), max_size=5)
REPEATED = st.tuples(PAIRS, st.integers(0, 2)).map(lambda made: [*made[0], *made[0][: made[1]]])
RAW_PIECES = [
    "a",
    "b",
    "c2",
    "&",
    "&&",
    "=",
    "==",
    "+",
    "%20",
    "%2b",
    "%26",
    "%3D",
    "%c3%A9",
    "%7e",
    "%FF",
    "%",
    "*",
    ";",
]
RAW = st.lists(st.sampled_from(RAW_PIECES), max_size=8).map("".join)
RAW_FORM = st.lists(st.sampled_from([*RAW_PIECES, "<", "é"]), max_size=8).map("".join)
CREDENTIAL = st.text(alphabet="abzAZ09-._~ +&=%é啦", min_size=1, max_size=8)
ORIGINS = st.sampled_from(
    [
        "http://example.com",
        "https://API.x.com",
        "https://api.x.com:443",
        "http://api.x.com:80",
        "https://i.b:8443",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "https://[2001:DB8::1]",
        "https://[2001:db8:0:0:0:0:0:1]:444",
    ]
)
PATH_PIECES = [
    "/",
    "a",
    "%20",
    "é",
    "~",
    "!",
    "*",
    "'",
    "(",
    ")",
    "+",
    "&",
    "=",
    "%7e",
    "%2F",
    ";",
    ":",
    "@",
    "|",
    "..",
    ".json",
]
PATHS = st.lists(st.sampled_from(PATH_PIECES), max_size=6).map(lambda pieces: re.sub("^/+", "/", "/" + "".join(pieces)))


@st.composite
def requests(draw: st.DrawFn, http_method: str) -> Request:
    """Requests as people build them, and as they come from elsewhere: queries and forms that others encoded."""
    url = draw(ORIGINS) + draw(PATHS)
    raw_query = draw(st.none() | RAW)
    if raw_query is not None:
        url += f"?{raw_query}"
    params = draw(st.none() | REPEATED)
    kind = draw(st.sampled_from(["none", "form", "raw form", "json"]))
    if kind == "raw form":
        body = draw(RAW_FORM).encode()
        return build_request(http_method, url, params=params, body=body, headers={"content-type": FORM})
    if kind == "json":
        return build_request(http_method, url, params=params, json={"a": draw(TEXT)})
    return build_request(http_method, url, params=params, form=draw(REPEATED) if kind == "form" else None)


@pytest.mark.parametrize("http_method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), consumer=st.tuples(CREDENTIAL, CREDENTIAL), token=st.tuples(CREDENTIAL, CREDENTIAL))
def test_every_base_string_and_signature_equals_oauthlib_or_a_clause_says_why_not(
    http_method: str, data: st.DataObject, consumer: tuple[str, str], token: tuple[str, str]
) -> None:
    """5,000 requests, each signed by three HMACs and three RSAs."""
    request = data.draw(requests(http_method))
    identity = user_of(consumer, token)
    ours = base_string(request, identity, timestamp=TIMESTAMP, nonce=NONCE)
    if not any(clause.concerns(request) for clause in CLAUSES):
        assert ours == their_base_string(request, identity, "HMAC-SHA1")
        for method in (*HMACS, *RSAS):
            assert our_signature(request, identity, method) == their_signature(request, identity, method)
    else:
        # No peer to ask: the public key and, for the base string, a second reading of the RFC.
        assert ours == plain_base_string(request, identity)
    for method in RSAS:
        text = base_string(request, identity, timestamp=TIMESTAMP, nonce=NONCE, method=method)
        check_rsa(our_signature(request, identity, method), text, method)


def check_rsa(signature: str, text: str, method: str) -> None:
    import base64

    private_key().public_key().verify(base64.b64decode(signature), text.encode(), padding.PKCS1v15(), HASHES[method])


def plain_base_string(request: Request, identity: OAuth1User) -> str:
    """RFC 5849 section 3.4.1, written for reading: no fast path, no shared code."""
    pairs = [
        (b"oauth_consumer_key", identity.app.consumer_key.encode()),
        (b"oauth_nonce", NONCE.encode()),
        (b"oauth_signature_method", b"HMAC-SHA1"),
        (b"oauth_timestamp", TIMESTAMP.encode()),
        (b"oauth_token", identity.access_token.encode()),
        (b"oauth_version", b"1.0"),
    ]
    for carried in (request.query.encode(), request.body if request.has_form else b""):
        for piece in carried.split(b"&"):
            name, _, value = piece.partition(b"=")
            if piece:
                pairs.append((octets(name), octets(value)))
    encoded = sorted((escape(name), escape(value)) for name, value in pairs if name != b"oauth_signature")
    joined = "&".join(f"{name}={value}" for name, value in encoded)
    uri = request.url.partition("?")[0]
    return f"{request.method}&{escape(uri.encode())}&{escape(joined.encode())}"


def octets(text: bytes) -> bytes:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), text.replace(b"+", b" "))


def escape(data: bytes) -> str:
    unreserved = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    return "".join(chr(byte) if byte in unreserved else f"%{byte:02X}" for byte in data)


def test_the_second_reading_of_the_rfc_agrees_with_oauthlib_too() -> None:
    identity = user_of(("key", "secret"), ("token", "secret"))
    request = build_request("POST", "https://api.x.com/a;b?c=%2B+d&e", form={"é": "1 2", "a": ["y", "x"]})
    assert plain_base_string(request, identity) == their_base_string(request, identity, "HMAC-SHA1")
