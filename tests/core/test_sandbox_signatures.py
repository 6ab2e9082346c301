"""The sandbox judges signatures as a stranger: those of oauthlib's client, ours, and those that are wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import quote

import oauthlib.oauth1
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from sansauth.encoding import decode, encode
from sansauth.env import Env
from sansauth.errors import InvalidParameter, LocalProtocolError
from sansauth.http import FORM, Request, Response
from sansauth.identity import App, OAuth1User
from sansauth.oauth1 import sign
from sansauth.oauth1.verification import Fault, Secrets, Verified
from sansauth.testing import Sandbox
from sansauth.testing.oauth1_server import SignatureServer

NOW = 1_700_000_000
VERIFY = "http://127.0.0.1:8080/1.1/account/verify_credentials.json"
INVALIDATE = "http://127.0.0.1:8080/oauth2/invalidate_token"
USER = OAuth1User(App("consumer key", "consumer & secret"), "7-token", "token = secret")


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


def code(response: Response) -> tuple[int, int]:
    document = json.loads(response.body)
    return response.status, document["errors"][0]["code"]


def signed(sandbox: Sandbox, nonce: str = "nonce", timestamp: int | str = NOW, url: str = VERIFY) -> Request:
    return sign(Request("GET", url), sandbox.user, timestamp=timestamp, nonce=nonce)


def by_oauthlib(user: OAuth1User, request: Request, **options: str) -> Request:
    client = oauthlib.oauth1.Client(
        user.app.consumer_key,
        client_secret=user.app.consumer_secret,
        resource_owner_key=user.access_token,
        resource_owner_secret=user.access_token_secret,
        timestamp=str(NOW),
        nonce="from-oauthlib",
        **options,
    )
    headers = {"Content-Type": FORM} if request.has_form else {}
    url, headers, body = client.sign(request.url, request.method, request.body.decode() or None, headers)
    return Request(request.method, url, headers, (body or "").encode())


def server_for(user: OAuth1User, *, tolerance: float, remembered: int = 100) -> SignatureServer:
    def find_secrets(consumer_key: str, token: str | None) -> Secrets | None:
        if consumer_key != user.app.consumer_key or token not in {None, user.access_token}:
            return None
        return Secrets(user.app.consumer_secret, user.access_token_secret if token else "")

    return SignatureServer(find_secrets, now=lambda: float(NOW), tolerance=tolerance, remembered=remembered)


def signer(judged: Verified | Fault) -> str | Fault | None:
    """The token of who signed, None for the application alone; or the fault."""
    return judged.token if isinstance(judged, Verified) else judged


@pytest.fixture
def server() -> SignatureServer:
    return server_for(USER, tolerance=300.0)


@pytest.mark.parametrize("where", ["AUTH_HEADER", "QUERY", "BODY"])
def test_a_signature_by_oauthlib_is_accepted_wherever_it_stands(sandbox: Sandbox, where: str) -> None:
    issued = sandbox.outstanding_bearer_token()
    request = Request("POST", INVALIDATE, {"content-type": FORM}, f"access_token={issued}".encode())
    answer = sandbox.handle(by_oauthlib(sandbox.user, request, signature_type=where))
    assert (answer.status, answer.json()) == (200, {"access_token": issued})


def test_a_signature_by_oauthlib_with_a_query_is_accepted_and_a_changed_query_is_not(sandbox: Sandbox) -> None:
    request = by_oauthlib(sandbox.user, Request("GET", VERIFY + "?name=S%C3%B8ren%20%2B%20%26&skip_status"))
    changed = Request("GET", request.url.replace("skip", "keep"), request.headers)
    assert code(sandbox.handle(changed)) == (401, 32)
    assert sandbox.handle(request).status == 200


# Names that begin with oauth_ are the protocol's own, and stand in one place only (RFC 5849 section 3.5).
names = st.text().filter(lambda name: not name.startswith("oauth_"))
parameters = st.lists(st.tuples(names, st.text()), max_size=5)


@given(query=parameters, form=parameters, key=st.text(min_size=1), secret=st.text(min_size=1))
def test_every_signature_of_ours_is_accepted(
    query: list[tuple[str, str]], form: list[tuple[str, str]], key: str, secret: str
) -> None:
    user = OAuth1User(App(key, secret), "7-token " + key, secret)
    server = server_for(user, tolerance=0.0)
    url = "https://api.x.com/1.1/a%20b?" + encode(query)
    request = Request("POST", url, {"content-type": f"{FORM}; charset=UTF-8"}, encode(form).encode())
    assert signer(server.judge(sign(request, user, timestamp=NOW, nonce="n"))) == user.access_token
    assert signer(server.judge(sign(request, user.app, timestamp=NOW, nonce="n"))) is None


@pytest.mark.parametrize(
    ("user", "fault"),
    [
        (OAuth1User(USER.app, "7-token", "another secret"), Fault.SIGNATURE),
        (OAuth1User(App("consumer key", "another secret"), "7-token", "token = secret"), Fault.SIGNATURE),
        (OAuth1User(App("another key", "consumer & secret"), "7-token", "token = secret"), Fault.UNKNOWN_CONSUMER),
        (OAuth1User(App("not consumer key", "consumer & secret"), "7-token", "token = secret"), Fault.UNKNOWN_CONSUMER),
        (OAuth1User(App("another key", "consumer & secret"), "another", "token = secret"), Fault.UNKNOWN_CONSUMER),
    ],
)
def test_a_wrong_key_or_secret_is_refused(server: SignatureServer, user: OAuth1User, fault: Fault) -> None:
    assert server.judge(sign(Request("GET", VERIFY), user, timestamp=NOW, nonce="n")) is fault


def test_an_unknown_token_is_named_as_such_only_to_the_application(server: SignatureServer) -> None:
    user = OAuth1User(USER.app, "another token", USER.access_token_secret)
    assert server.judge(sign(Request("GET", VERIFY), user, timestamp=NOW, nonce="n")) is Fault.UNKNOWN_TOKEN


@pytest.mark.parametrize(
    "change",
    [
        lambda request: Request("POST", request.url, request.headers),
        lambda request: Request("GET", request.url.replace("127.0.0.1", "localhost"), request.headers),
        lambda request: Request("GET", request.url.replace("8080", "8081"), request.headers),
        lambda request: Request("GET", request.url.replace(".json", ".xml"), request.headers),
        lambda request: Request("GET", request.url + "?a=b", request.headers),
        lambda request: Request("GET", request.url, (*request.headers, ("content-type", FORM)), b"a=b"),
    ],
    ids=["method", "host", "port", "path", "query", "form"],
)
def test_what_was_changed_after_signing_is_refused(
    server: SignatureServer, change: Callable[[Request], Request]
) -> None:
    request = sign(Request("GET", VERIFY), USER, timestamp=NOW, nonce="n")
    assert server.judge(change(request)) is Fault.SIGNATURE
    assert signer(server.judge(request)) == USER.access_token


def test_a_body_that_is_no_form_is_not_signed(server: SignatureServer) -> None:
    for nonce, kind in enumerate(["application/json", f"text/plain; was={FORM}"]):
        request = Request("POST", VERIFY, {"content-type": kind}, b'{"a": 1}')
        assert signer(server.judge(sign(request, USER, timestamp=NOW, nonce=str(nonce)))) == USER.access_token


@pytest.mark.parametrize("body", [b'access_token="AAAA', b"a=%zz", "a=é".encode(), b"a=\xff"])
def test_a_form_that_oauthlib_cannot_read_is_refused_and_not_left_unsigned(
    server: SignatureServer, body: bytes
) -> None:
    unsigned = sign(Request("POST", VERIFY), USER, timestamp=NOW, nonce="n")
    request = Request("POST", VERIFY, (*unsigned.headers, ("content-type", FORM)), body)
    assert server.judge(request) is Fault.MALFORMED


def test_a_form_is_a_form_in_any_case(server: SignatureServer) -> None:
    request = Request("POST", VERIFY, {"content-type": FORM.upper()}, b"a=b")
    assert signer(server.judge(sign(request, USER, timestamp=NOW, nonce="n"))) == USER.access_token


def test_a_nonce_is_refused_the_second_time(sandbox: Sandbox) -> None:
    assert sandbox.handle(signed(sandbox)).status == 200
    assert code(sandbox.handle(signed(sandbox))) == (401, 32)


def test_a_nonce_is_good_again_with_another_timestamp_token_or_value(server: SignatureServer) -> None:
    request = Request("GET", VERIFY)
    assert signer(server.judge(sign(request, USER, timestamp=NOW, nonce="n"))) == USER.access_token
    assert signer(server.judge(sign(request, USER, timestamp=NOW + 1, nonce="n"))) == USER.access_token
    assert signer(server.judge(sign(request, USER.app, timestamp=NOW, nonce="n"))) is None
    assert signer(server.judge(sign(request, USER, timestamp=NOW, nonce="N"))) == USER.access_token
    assert server.judge(sign(request, USER, timestamp=NOW, nonce="n")) is Fault.NONCE


def test_a_refused_request_does_not_use_up_its_nonce(server: SignatureServer) -> None:
    wrong = OAuth1User(USER.app, USER.access_token, "another secret")
    assert server.judge(sign(Request("GET", VERIFY), wrong, timestamp=NOW, nonce="n")) is Fault.SIGNATURE
    assert signer(server.judge(sign(Request("GET", VERIFY), USER, timestamp=NOW, nonce="n"))) == USER.access_token


def test_only_so_many_nonces_are_remembered_the_oldest_are_forgotten_first() -> None:
    server = server_for(USER, tolerance=0.0, remembered=2)
    first, second, third = (sign(Request("GET", VERIFY), USER, timestamp=NOW, nonce=nonce) for nonce in "123")
    assert [signer(server.judge(request)) for request in (first, second, third)] == [USER.access_token] * 3
    assert server.judge(second) is Fault.NONCE
    assert server.judge(third) is Fault.NONCE
    assert signer(server.judge(first)) == USER.access_token


@pytest.mark.parametrize("timestamp", ["0", "", "170000000", "17000000000", "abcdefghij", "-170000000", "+170000000"])
def test_a_timestamp_that_is_none_is_out_of_bounds(sandbox: Sandbox, timestamp: str) -> None:
    expected = (401, 135) if timestamp else (400, 215)
    request = signed(sandbox)
    header = request.headers["authorization"].replace(f'"{NOW}"', f'"{timestamp}"')
    assert code(sandbox.handle(request.with_header("authorization", header))) == expected


def test_the_digits_of_other_scripts_are_no_timestamp(server: SignatureServer) -> None:
    arabic = str(NOW).translate({ord("0") + digit: chr(0x660 + digit) for digit in range(10)})
    assert int(arabic) == NOW
    assert server.judge(sign(Request("GET", VERIFY), USER, timestamp=arabic, nonce="n")) is Fault.TIMESTAMP


def test_time_is_the_env_clock_and_not_the_machine_clock() -> None:
    long_ago = 1_000_000_000
    sandbox = Sandbox(env=Env(clock=lambda: float(long_ago), entropy=bytes), timestamp_tolerance=5.0)
    assert sandbox.handle(signed(sandbox, timestamp=long_ago + 5)).status == 200
    assert code(sandbox.handle(signed(sandbox, timestamp=long_ago + 6))) == (401, 135)


@pytest.mark.parametrize(
    "header",
    [
        "OAuth",
        "OAuth oauth",
        'OAuth oauth_nonce="',
        "OAuth ,",
        'OAuth oauth_consumer_key="consumer key"',
        'OAuth realm="x"',
    ],
)
def test_a_header_without_the_protocol_parameters_is_no_authentication(server: SignatureServer, header: str) -> None:
    assert server.judge(Request("GET", VERIFY, {"authorization": header})) is Fault.MALFORMED


@pytest.mark.parametrize(
    "missing", ["oauth_consumer_key", "oauth_nonce", "oauth_signature", "oauth_signature_method", "oauth_timestamp"]
)
def test_a_missing_protocol_parameter_is_no_authentication(server: SignatureServer, missing: str) -> None:
    request = sign(Request("GET", VERIFY), USER, timestamp=NOW, nonce="n")
    fields = request.headers["authorization"].removeprefix("OAuth ").split(", ")
    left = [field for field in fields if not field.startswith(missing + "=")]
    assert len(left) == len(fields) - 1
    header = "OAuth " + ", ".join(left)
    assert server.judge(request.with_header("authorization", header)) is Fault.MALFORMED


def test_protocol_parameters_in_two_places_are_no_authentication(server: SignatureServer) -> None:
    request = sign(Request("GET", VERIFY), USER, timestamp=NOW, nonce="n")
    assert server.judge(Request("GET", VERIFY + "?oauth_token=7-token", request.headers)) is Fault.MALFORMED


def test_another_signature_method_version_or_alphabet_of_the_nonce_is_refused(server: SignatureServer) -> None:
    request = Request("GET", VERIFY)
    assert server.judge(sign(request, USER, timestamp=NOW, nonce="n", method="HMAC-SHA256")) is Fault.METHOD
    assert server.judge(sign(request, USER, timestamp=NOW, nonce="n", version="1.1")) is Fault.METHOD
    assert server.judge(sign(request, USER, timestamp=NOW, nonce="é")) is Fault.NONCE
    assert signer(server.judge(sign(request, USER, timestamp=NOW, nonce="n", version=None))) == USER.access_token


def test_plaintext_is_refused_although_it_shows_the_right_secrets(server: SignatureServer) -> None:
    pair = quote(f"{quote(USER.app.consumer_secret, safe='')}&{quote(USER.access_token_secret, safe='')}", safe="")
    header = (
        f'OAuth oauth_consumer_key="consumer%20key", oauth_token="7-token", oauth_nonce="n", '
        f'oauth_timestamp="{NOW}", oauth_signature_method="PLAINTEXT", oauth_signature="{pair}"'
    )
    assert server.judge(Request("GET", VERIFY, {"authorization": header})) is Fault.METHOD


def test_the_refusals_reach_the_client_with_their_codes(sandbox: Sandbox) -> None:
    user = sandbox.user
    unknown = OAuth1User(user.app, "7-another", user.access_token_secret)
    assert code(sandbox.handle(sign(Request("GET", VERIFY), unknown, timestamp=NOW, nonce="n"))) == (401, 89)
    assert code(sandbox.handle(sign(Request("GET", VERIFY), user.app, timestamp=NOW, nonce="n"))) == (400, 215)
    assert code(sandbox.handle(Request("GET", VERIFY + "?oauth_signature=x"))) == (400, 215)
    stranger = OAuth1User(App("another key", user.app.consumer_secret), user.access_token, user.access_token_secret)
    assert code(sandbox.handle(sign(Request("GET", VERIFY), stranger, timestamp=NOW, nonce="n"))) == (401, 32)
    for options in ({"method": "HMAC-SHA256"}, {"version": "1.1"}, {"extra": {"oauth_body_hash": "wrong"}}):
        request = sign(Request("GET", VERIFY), user, timestamp=NOW, nonce="n", **options)
        assert code(sandbox.handle(request)) == (401, 32)


def test_two_authorization_headers_are_no_authentication(sandbox: Sandbox) -> None:
    one = signed(sandbox).headers["authorization"]
    request = Request("GET", VERIFY, [("authorization", one), ("authorization", one)])
    assert code(sandbox.handle(request)) == (400, 215)


def test_judging_opens_nothing_beyond_what_importing_opened() -> None:
    code = f"""
import sys
from sansauth import App, OAuth1User, Request
from sansauth.oauth1 import sign
from sansauth.testing import Sandbox
sandbox = Sandbox()
request = sign(Request("GET", {VERIFY!r}), sandbox.user, timestamp={NOW}, nonce="n")
events = []
sys.addaudithook(lambda name, args: events.append(name) if name.split(".")[0] in
                 {{"open", "socket", "subprocess", "os", "import"}} else None)
assert sandbox.handle(request).status == 200
print(events)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


# --- other services' methods ------------------------------------------------------------------------------------------


def keys() -> tuple[str, str]:
    """A private key and its public one, PEM text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("method", ["HMAC-SHA256", "HMAC-SHA512", "PLAINTEXT"])
def test_a_sandbox_takes_the_methods_it_is_told(method: str) -> None:
    sandbox = Sandbox(signature_methods=(method,))
    request = sign(Request("GET", VERIFY), sandbox.user, timestamp=NOW, nonce="n", method=method)
    assert sandbox.handle(request).status == 200
    assert code(sandbox.handle(request)) == (401, 32)  # its nonce was used
    assert code(sandbox.handle(signed(sandbox))) == (401, 32)  # HMAC-SHA1, which is not told
    wrong = OAuth1User(sandbox.app, sandbox.user.access_token, "another secret")
    other = sign(Request("GET", VERIFY), wrong, timestamp=NOW, nonce="m", method=method)
    assert code(sandbox.handle(other)) == (401, 32)
    assert code(Sandbox().handle(request)) == (401, 32)


def test_a_sandbox_takes_rsa_signatures_by_its_public_key_through_a_whole_login() -> None:
    private, public = keys()
    sandbox = Sandbox(signature_methods=("RSA-SHA1",), rsa_public_key=public)
    app = App(sandbox.app.consumer_key, "", rsa_private_key=private)

    def ask(path: str, by: App | OAuth1User, **extra: str) -> Response:
        request = Request("GET" if path.startswith("/1.1") else "POST", f"https://api.x.com{path}")
        nonce = sandbox.env.nonce()
        return sandbox.handle(sign(request, by, timestamp=NOW, nonce=nonce, method="RSA-SHA1", extra=extra))

    temporary = dict(decode(ask("/oauth/request_token", app, oauth_callback="oob").text))
    token = temporary["oauth_token"]
    pin = sandbox.approve(f"https://api.x.com/oauth/authorize?oauth_token={token}")
    granted = dict(decode(ask("/oauth/access_token", OAuth1User(app, token, ""), oauth_verifier=pin).text))
    user = OAuth1User(app, granted["oauth_token"], "")
    assert ask("/1.1/account/verify_credentials.json", user).status == 200
    stranger = App(app.consumer_key, "", rsa_private_key=keys()[0])
    forged = ask("/1.1/account/verify_credentials.json", OAuth1User(stranger, granted["oauth_token"], ""))
    assert code(forged) == (401, 32)


def test_a_sandbox_says_at_once_that_it_cannot_judge_so() -> None:
    for methods in (("HMAC-MD5",), "HMAC-SHA256"):
        with pytest.raises(InvalidParameter, match="collection of names out of HMAC-SHA1"):
            Sandbox(signature_methods=methods)
    with pytest.raises(LocalProtocolError, match="needs rsa_public_key"):
        Sandbox(signature_methods=("RSA-SHA1",))
    with pytest.raises(LocalProtocolError, match="no RSA public key in PEM"):
        Sandbox(signature_methods=("RSA-SHA1",), rsa_public_key="no key")
