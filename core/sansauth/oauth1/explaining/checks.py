"""What shows without guessing: the header's form, the protocol parameters, whose key and token they name, the clock.

Nothing here quotes a value: what stands in the wrong place may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sansauth.identity import App, OAuth1User
from sansauth.oauth1.explaining.carried import Carried, Param
from sansauth.oauth1.explaining.explanation import Finding
from sansauth.oauth1.methods import HASHES, PLAINTEXT

__all__ = ["Checked", "Fact", "check_request"]

TOLERATED = 300  # seconds; what services tolerate is seldom published, and five minutes is what most do
_MILLISECONDS = 10**11  # as seconds that is the year 5138

_VISIBLE_ASCII = re.compile(r"[\x21-\x7E]*")
_ENCODED = re.compile(r"(?:[A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})*")
_ONCE = ("oauth_consumer_key", "oauth_signature_method", "oauth_timestamp", "oauth_nonce")
_DATED = ("oauth_timestamp", "oauth_nonce")  # PLAINTEXT may leave them out (RFC 5849 section 3.1)


@dataclass(frozen=True, slots=True)
class Fact:
    """A finding, and whether a service refuses the request for it whatever the signature."""

    finding: Finding
    refused: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """All facts, and the good news."""

    facts: tuple[Fact, ...]
    right: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class _Subject:
    carried: Carried
    identity: App | OAuth1User
    now: float | None

    @property
    def app(self) -> App:
        return self.identity.app if isinstance(self.identity, OAuth1User) else self.identity

    def one(self, name: str) -> str:
        return next(iter(self.carried.values(name)), "")

    @property
    def protocol(self) -> tuple[Param, ...]:
        params = (*self.carried.params, *self.carried.signatures)
        return tuple(param for param in params if param.name.startswith("oauth_"))


def check_request(carried: Carried, identity: App | OAuth1User, now: float | None) -> Checked:
    """Run every check on a request that carries a signature, or what wants to be one."""
    subject = _Subject(carried, identity, now)
    facts: list[Fact] = []
    right: list[str] = []
    for check, good in _CHECKS:
        found = list(check(subject))
        facts += found
        if not found and good is not None and (words := good(subject)):
            right.append(words)
    return Checked(tuple(facts), tuple(right))


def _wrong(code: str, part: str, cause: str, advice: str) -> Fact:
    return Fact(Finding(code, part, cause, advice, certain=True), refused=True)


def _remark(code: str, part: str, cause: str, advice: str) -> Fact:
    return Fact(Finding(code, part, cause, advice, certain=False), refused=False)


def _header(subject: _Subject) -> Iterator[Fact]:
    authorization = subject.carried.authorization
    if authorization is None:
        return
    advice = 'The form is: Authorization: OAuth name="value", name="value" (RFC 5849 section 3.5.1).'
    for index, complaint in enumerate(authorization.complaints):
        code = "scheme" if authorization.scheme is None and index == 0 else "header_malformed"
        yield _wrong(code, "header", f"In the Authorization header, {complaint}.", advice)


def _present(subject: _Subject) -> Iterator[Fact]:
    if not subject.carried.signatures:
        yield _wrong(
            "signature_missing", "signature", "There is no oauth_signature.", "Add it, last, to the other parameters."
        )
    plain = subject.one("oauth_signature_method") == PLAINTEXT
    for name in _ONCE:
        if not subject.carried.values(name) and not (plain and name in _DATED):
            yield _wrong(
                "protocol_missing",
                "parameters",
                f"{name} is missing.",
                "A signed request carries consumer key, signature method, timestamp, nonce and signature.",
            )


def _repeated(subject: _Subject) -> Iterator[Fact]:
    names = [param.name for param in subject.protocol]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _wrong(
            "protocol_repeated",
            "parameters",
            f"{_shown(name)} stands in the request {names.count(name)} times.",
            "Put the oauth_ parameters in one place: header, query or form; each once (RFC 5849 section 3.1).",
        )


def _characters(subject: _Subject) -> Iterator[Fact]:
    for param in subject.protocol:
        if param.value != param.value.strip() and param.name != "oauth_signature":
            yield _wrong(
                "protocol_white_space",
                "parameters",
                f"{_shown(param.name)} begins or ends with white space.",
                "Strip what is read from a file or a variable; a line break at its end is easily overlooked.",
            )
        elif not _VISIBLE_ASCII.fullmatch(param.value) and param.name != "oauth_signature":
            yield _wrong(
                "protocol_characters",
                "parameters",
                f"{_shown(param.name)} holds a space, a control character or one that is not ASCII.",
                "Keys, tokens and nonces are plain ASCII; check where the value was copied from.",
            )


def _encoded(subject: _Subject) -> Iterator[Fact]:
    for param in subject.protocol:
        if param.source != "header" or _ENCODED.fullmatch(param.raw_value):
            continue
        cause = f"{_shown(param.name)} is not percent-encoded in the header."
        advice = "Percent-encode every value there (RFC 5849 section 3.5.1): + is %2B, / is %2F, = is %3D."
        if param.name == "oauth_signature" and "+" in param.raw_value:
            yield _wrong("signature_encoding", "signature", f"{cause} Its + may be read as a space.", advice)
        else:
            yield _remark("protocol_unencoded", "header", cause, advice)


def _consumer_key(subject: _Subject) -> Iterator[Fact]:
    key = subject.one("oauth_consumer_key").strip()
    if not key or key == subject.app.consumer_key:
        return
    if key == subject.app.consumer_secret:
        cause = "oauth_consumer_key holds the consumer secret."
        yield _wrong(
            "secret_as_key", "identity", cause, "Swap key and secret, and have the secret renewed: it was sent."
        )
        return
    yield _wrong(
        "consumer_key_foreign",
        "identity",
        "oauth_consumer_key is not the identity's: the request was signed for another application.",
        "Use the key and the secret of one application, in both places; check which settings were loaded.",
    )


def _token(subject: _Subject) -> Iterator[Fact]:
    token = subject.one("oauth_token").strip()
    if not isinstance(subject.identity, OAuth1User):
        if token:
            yield _wrong(
                "token_unexpected",
                "identity",
                "The request names a token, and the identity is the application alone, which has no token's secret.",
                "Explain it as the user that the token belongs to.",
            )
    elif not token:
        cause = "The request names no token: it is signed as the application alone, not as the user."
        yield _remark(
            "token_missing", "identity", cause, "Where a user is needed, send oauth_token and sign with its secret."
        )
    elif token == subject.identity.access_token_secret:
        cause = "oauth_token holds the token's secret."
        yield _wrong("secret_as_token", "identity", cause, "Swap token and secret, and have both renewed: it was sent.")
    elif token != subject.identity.access_token:
        yield _wrong(
            "token_foreign",
            "identity",
            f"oauth_token is not the identity's: {_whose(token, subject.identity.access_token)}.",
            "Use a token and its secret as they were issued together, and by the application that signs.",
        )


def _whose(token: str, own: str) -> str:
    """Some services begin a token with the user's number and a hyphen."""
    user, hyphen, _ = token.partition("-")
    if hyphen and user.isdigit() and own.partition("-")[0].isdigit() and "-" in own:
        if user == own.partition("-")[0]:
            return (
                "it begins with the same user number, so it is an older token of that user, or of another application"
            )
        return "it begins with another user number, so it is another user's"
    return "it belongs to another user or another application, or was renewed since"


def _method(subject: _Subject) -> Iterator[Fact]:
    method = subject.one("oauth_signature_method")
    if method and method not in HASHES:
        known = method.upper() if method.upper() in HASHES else ""
        cause = f"oauth_signature_method is none that is known{f'; {known} is written in capitals' if known else ''}."
        yield _wrong("method_unknown", "signature", cause, f"Use one of {', '.join(HASHES)}.")
    elif method.startswith("RSA-") and subject.app.rsa_private_key is None:
        cause = f"It says that it is signed by {method}, and the identity has no private key to check that with."
        yield _wrong("rsa_key_missing", "key", cause, "Give App(..., rsa_private_key=...), or sign by HMAC-SHA1.")


def _version(subject: _Subject) -> Iterator[Fact]:
    if any(version != "1.0" for version in subject.carried.values("oauth_version")):
        cause = "oauth_version is not `1.0`."
        yield _wrong(
            "version", "parameters", cause, "Send 1.0, also for OAuth 1.0a, or leave it out (RFC 5849 section 3.1)."
        )


def _clock(subject: _Subject) -> Iterator[Fact]:
    timestamp = subject.one("oauth_timestamp").strip()
    if not timestamp:
        return
    if not re.fullmatch("[0-9]{1,20}", timestamp):
        cause = "oauth_timestamp is not a whole number of seconds."
        yield _wrong("timestamp_not_a_number", "clock", cause, "Send Unix time in whole seconds: digits only.")
    elif int(timestamp) > _MILLISECONDS:
        cause = "oauth_timestamp is not in seconds but in milliseconds, or finer."
        yield _wrong("timestamp_milliseconds", "clock", cause, "Divide by 1000 and drop the fraction.")
    elif subject.now is not None and abs(subject.now - int(timestamp)) > TOLERATED:
        seconds = int(subject.now) - int(timestamp)
        away = f"{abs(seconds)} seconds {'before' if seconds > 0 else 'after'} now"
        yield _remark(
            "timestamp_far",
            "clock",
            f"oauth_timestamp is {away}; most services refuse what is more than a few minutes away.",
            "Set this machine's clock, sign each request afresh, and do not send a signed request again later.",
        )


def _shown(name: str) -> str:
    return name if re.fullmatch("oauth_[a-z_]{1,40}", name) else "A parameter"


def _says(words: str, *needs: str) -> Callable[[_Subject], str]:
    """Good news, if all that it is about is there."""

    def good(subject: _Subject) -> str:
        return words if all(subject.carried.values(name) for name in needs) else ""

    return good


def _says_header(subject: _Subject) -> str:
    return "The Authorization header is well formed." if subject.carried.authorization else ""


def _says_clock(subject: _Subject) -> str:
    within = " and within five minutes of now" if subject.now is not None else ""
    return f"The timestamp is in seconds{within}." if subject.one("oauth_timestamp") else ""


_CHECKS: tuple[tuple[Callable[[_Subject], Iterator[Fact]], Callable[[_Subject], str] | None], ...] = (
    (_header, _says_header),
    (_present, _says("Every protocol parameter that is needed is there.")),
    (_repeated, _says("No protocol parameter is repeated.")),
    (_characters, _says("No protocol parameter holds a character that does not belong there.")),
    (_encoded, None),
    (_consumer_key, _says("The consumer key is the identity's.", "oauth_consumer_key")),
    (_token, _says("The token is the identity's.", "oauth_token")),
    (_method, _says("The signature method is known.", "oauth_signature_method")),
    (_version, None),
    (_clock, _says_clock),
)
