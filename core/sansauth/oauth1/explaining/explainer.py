"""`explain`: lay out what is signed, and judge a signature that a request carries."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypedDict, Unpack

from sansauth.errors import InvalidParameter, WrongIdentity
from sansauth.http import Request
from sansauth.identity import App, OAuth1User
from sansauth.oauth1.explaining.carried import Carried, carried
from sansauth.oauth1.explaining.checks import check_request
from sansauth.oauth1.explaining.diagnosis import Diagnosis, Slip, diagnose
from sansauth.oauth1.explaining.drafts import Draft, Scene
from sansauth.oauth1.explaining.explanation import Explanation, Finding, NotSigned
from sansauth.oauth1.explaining.layout import Layout
from sansauth.oauth1.methods import HASHES, signature_method
from sansauth.oauth1.signer import prepared
from sansauth.provider import Placement, Provider, SignatureMethod, Signing
from sansauth.url import parse_url

__all__ = ["SigningSettings", "explain"]

_LENGTHS = {28: "SHA-1", 44: "SHA-256", 88: "SHA-512"}  # of the Base64 of a digest


class SigningSettings(TypedDict, total=False):
    """The fields of `Signing`, one by one, as `sign` takes them."""

    method: SignatureMethod
    version: str | None
    realm: str | None
    placement: Placement
    body_hash: bool


def explain(
    request: Request,
    identity: App | OAuth1User,
    *,
    timestamp: int | str | None = None,
    nonce: str | None = None,
    signing: Signing | None = None,
    extra: Mapping[str, str] | None = None,
    now: float | None = None,
    provider: Provider | None = None,
    url: str | None = None,
    **settings: Unpack[SigningSettings],
) -> Explanation:
    """Why a service says 401: lays out what is signed, and judges a signature that the request carries.

    Without a signature in the request: what `sign` makes of the same arguments. `timestamp`, in Unix seconds, and
    `nonce` are needed; `signing`, or its fields one by one, is the provider's by default.

    With one, in an `Authorization` field, the query or a form: recomputes it for the timestamp, nonce, method and
    version that the request names, with the identity's secrets. If it is not the same, the mistakes that clients make
    are tried, alone and two at once, until one makes the signature that was received. `now`, in Unix seconds, judges
    the timestamp; the hosts of `provider` are tried in place of the request's; `url` is the request's URL as it was
    written, with what `Request` drops: fragment, capitals of the host, characters that had to be encoded.

    `matches` is whether a strict service accepts the signature as this identity's, whatever its clock says. No secret
    is in the result. Raises `InvalidParameter` for a missing timestamp or nonce, and what `sign` raises.
    """
    if not isinstance(identity, (App, OAuth1User)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise WrongIdentity(f"OAuth 1.0a signs for an App or an OAuth1User, not for a {type(identity).__name__}")
    seen = carried(request)
    if seen.is_signed and not (_is_foreign(seen) and timestamp is not None and nonce is not None):
        return _judge(request, seen, identity, now, provider, url)
    if timestamp is None or nonce is None:
        raise InvalidParameter("the request carries no signature: give the timestamp and the nonce to sign it with")
    chosen = dataclasses.replace(signing or (provider.signing if provider else Signing()), **settings)
    signed = prepared(identity, chosen).sign(request, timestamp=timestamp, nonce=nonce, extra=extra)
    layout = Layout(signed, carried(signed), identity)
    return layout.explanation(None, layout.remarks(), not_signed=(*layout.not_signed(url), *_replaced(seen)))


def _is_foreign(seen: Carried) -> bool:
    """Whether all there is is an Authorization field of another scheme."""
    return not seen.signatures and seen.authorization is not None and not seen.authorization.fields


def _replaced(seen: Carried) -> list[NotSigned]:
    if seen.authorization is None:
        return []
    return [NotSigned("the Authorization field that was there", "the signature takes its place")]


def _judge(
    request: Request,
    seen: Carried,
    identity: App | OAuth1User,
    now: float | None,
    provider: Provider | None,
    url: str | None,
) -> Explanation:
    layout = Layout(request, seen, identity)
    checked = check_request(seen, identity, now)
    refused = [fact.finding for fact in checked.facts if fact.refused]
    remarks = [fact.finding for fact in checked.facts if not fact.refused]
    right = list(checked.right)
    received = seen.signatures[0].value if seen.signatures else None
    tried = 0
    if received is not None and received.strip() == layout.signature:
        right.insert(0, "The signature is the one that the identity's secrets make.")
        if received != layout.signature:
            refused.append(_PADDED)
    elif received is not None:
        diagnosis = diagnose(_draft(layout), _scene(layout, provider, url), received.strip())
        tried = diagnosis.tried
        refused += [_finding(slip, layout) for slip in diagnosis.slips]
        if not diagnosis.slips and not any(finding.part in {"identity", "key"} for finding in refused):
            remarks = [*_guesses(layout, received, diagnosis, provider), *remarks]
    return layout.explanation(
        received == layout.signature and not refused,
        (*refused, *remarks, *layout.remarks()),
        tuple(right),
        tried,
        layout.not_signed(url),
    )


_PADDED = Finding(
    "signature_white_space",
    "signature",
    "The signature is right, and has white space around it.",
    "Strip it: some Base64 encoders end with a line break.",
    certain=True,
)


def _finding(slip: Slip, layout: Layout) -> Finding:
    mistake, detail = slip.mistake, layout.shown(slip.detail)  # it may be a parameter's name, or what a field said
    return Finding(mistake.code, mistake.part, mistake.cause.format(detail), mistake.advice, certain=True)


def _draft(layout: Layout) -> Draft:
    """What a client without a mistake signs."""
    request = layout.request
    rsa = [name for name in HASHES if name.startswith("RSA-")] if layout.app.rsa_private_key is not None else []
    return Draft(
        method=request.method,
        scheme=request.scheme,
        host=request.host,
        port=request.parsed.authority.removeprefix(request.host),
        path=request.path,
        params=layout.seen.params,
        consumer_secret=layout.app.consumer_secret,
        token_secret=layout.token_secret,
        algorithm=layout.method,
        rsa={name: signature_method(name, layout.app, "") for name in rsa},
    )


def _scene(layout: Layout, provider: Provider | None, url: str | None) -> Scene:
    user = layout.identity if isinstance(layout.identity, OAuth1User) else None
    return Scene(
        request=layout.request,
        origins=tuple([parse_url(origin) for origin in (provider.origins if provider else ())]),
        written=url,
        realm=layout.seen.realm,
        keys=(layout.app.consumer_key, user.access_token if user else ""),
        token_secret=user.access_token_secret if user else "",
    )


def _guesses(layout: Layout, received: str, diagnosis: Diagnosis, provider: Provider | None) -> list[Finding]:
    """What to think where no mistake of the table makes the signature."""
    found: list[Finding] = []
    made, wanted = _LENGTHS.get(len(received)), _LENGTHS.get(len(layout.signature))
    if made and wanted and made != wanted:
        cause = f"The signature has the length of {made}, and {layout.method} gives one of {wanted}."
        found.append(Finding("signature_length", "signature", cause, "Use the method that is declared.", certain=False))
    searched = "" if diagnosis.complete else ", not all that there are, because the request is large"
    hosts = "" if provider else " If the service has several hosts, give its provider, and they are tried as well."
    cause = (
        f"None of the usual mistakes makes this signature (tried: {diagnosis.tried}, alone and two at once{searched}). "
        "The likeliest cause is a secret that is not the one which the service has."
    )
    advice = (
        "Compare the lengths of the secrets with those in the service's console. If in doubt, renew consumer secret "
        f"and token there, and use all four values as they were issued together.{hosts}"
    )
    return [*found, Finding("secrets", "key", cause, advice, certain=False)]
