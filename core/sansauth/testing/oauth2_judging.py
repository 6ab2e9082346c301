"""oauthlib judges the grants of RFC 6749 and RFC 8628; here is what it asks for, and what it gets to issue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, cast

from oauthlib.common import Request as Judged
from oauthlib.oauth2 import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
    TokenEndpoint,
)
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant

from sansauth.secret import Secret
from sansauth.testing.oauth2_answers import Refused
from sansauth.testing.oauth2_clients import RegisteredClient
from sansauth.testing.oauth2_form import words_for_oauthlib
from sansauth.testing.oauth2_issued import Code, Grant, RefreshToken
from sansauth.testing.oauth2_waiting import Device
from sansauth.testing.service import Service

__all__ = ["DEVICE_CODE", "Claim", "Issue", "issue_by_oauthlib"]

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_URI = "https://sandbox.invalid/token"  # oauthlib reads the body only
_SLOWER = 5  # seconds: RFC 8628 section 3.5

Issue: TypeAlias = Callable[[Grant, Iterable[str], Secret | None], Mapping[str, object]]
"""The answer with an access token of these scopes, and with that refresh token."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants tokens of which issuer, and the thumbprint of the key that they have proven to hold (RFC 9449)."""

    client: RegisteredClient
    issuer: str
    proof_key: str | None = None


def issue_by_oauthlib(service: Service, claim: Claim, form: Mapping[str, Secret], issue: Issue) -> Mapping[str, object]:
    """The answer to a token request whose grant oauthlib knows; `Refused` if it refuses it."""
    host = _Host(service, claim, form)
    known = cast("None", host)  # it has the methods that are asked for, and is no RequestValidator
    device = DeviceCodeGrant(known, pre_token=[host.claim_device], post_token=[])
    endpoint = TokenEndpoint(
        "authorization_code",
        cast("str", _TokenHandler(host, issue)),
        {
            "authorization_code": AuthorizationCodeGrant(known),
            "refresh_token": RefreshTokenGrant(known),
            "client_credentials": ClientCredentialsGrant(known),
            DEVICE_CODE: device,
        },
    )
    headers = {"content-type": "application/x-www-form-urlencoded"}
    _, body, status = cast("_Endpoint", endpoint).create_token_response(_URI, "POST", words_for_oauthlib(form), headers)
    document = cast("dict[str, object]", json.loads(body))
    if status == 200:
        return document
    raise Refused(str(document["error"]), str(document.get("error_description", "")), status)


class _Endpoint(Protocol):
    """`TokenEndpoint` with the types that its stubs leave out."""

    def create_token_response(
        self, uri: str, http_method: str, body: str, headers: dict[str, str]
    ) -> tuple[object, str, int]: ...


class _TokenHandler:
    """What makes tokens for oauthlib."""

    def __init__(self, host: _Host, issue: Issue) -> None:
        self._host = host
        self._issue = issue

    def create_token(self, request: Judged, refresh_token: bool = False) -> Mapping[str, object]:
        scopes = [str(scope) for scope in request.scopes or ()]
        grant = self._host.grant_of(scopes)
        return self._issue(grant, scopes, self._host.refresh_token(grant) if refresh_token else None)


class _Host:
    """What oauthlib asks its RequestValidator for at the token endpoint. The client has been authenticated before."""

    def __init__(self, service: Service, claim: Claim, form: Mapping[str, Secret]) -> None:
        self._service = service
        self._issued = service.oauth2.issued
        self._client = claim.client
        self._proof_key = claim.proof_key
        self._redirect_uri = form.get("redirect_uri")
        self._grant: Grant | None = None
        self._code: Code | None = None
        self._refresh: RefreshToken | None = None

    # --- the client

    def client_authentication_required(self, request: Judged) -> bool:
        return not self._client.is_public

    def authenticate_client(self, request: Judged) -> bool:
        request.client = self._client
        request.client_id = self._client.client_id
        return True

    def authenticate_client_id(self, client_id: str, request: Judged) -> bool:
        return self.authenticate_client(request)

    def validate_grant_type(self, client_id: str, grant_type: str, client: object, request: Judged) -> bool:
        # RFC 6749 section 4.4.2: who cannot show who it is has no tokens for itself.
        return not (self._client.is_public and grant_type == "client_credentials")

    # --- the code

    def validate_code(self, client_id: str, code: str, client: object, request: Judged) -> bool:
        found = self._issued.code(code)
        if found is None or found.grant.client_id != self._client.client_id:
            return False
        if found.used:
            self._issued.revoke_family(found.grant.family)  # RFC 6749 section 4.1.2: two have it, and one stole it
            return False
        if found.redirect_uri != self._redirect_uri or found.grant.proof_key not in (None, self._proof_key):
            return False
        self._code = found
        self._grant = replace(found.grant, proof_key=self._proof_key)
        request.scopes = list(found.grant.scopes)  # and not those of the request, which oauthlib has put there
        return True

    def get_code_challenge(self, code: str, request: Judged) -> str:
        return "" if self._code is None else self._code.challenge

    def get_code_challenge_method(self, code: str, request: Judged) -> str:
        return "S256"

    def confirm_redirect_uri(
        self, client_id: str, code: str, redirect_uri: str, client: object, request: Judged
    ) -> bool:
        return True  # `validate_code` has compared it: RFC 6749 section 5.2 makes a wrong one an invalid_grant

    def invalidate_authorization_code(self, client_id: str, code: str, request: Judged) -> None:
        self._issued.use_code(code)

    # --- the refresh token

    def validate_refresh_token(self, refresh_token: str, client: object, request: Judged) -> bool:
        found = self._issued.refresh(refresh_token)
        if found is None or found.grant.client_id != self._client.client_id:
            return False
        if found.used:
            self._issued.revoke_family(found.grant.family)  # RFC 9700 section 4.14.2
            return False
        if self._client.is_public and found.grant.proof_key not in (None, self._proof_key):
            return False  # RFC 9449 section 5
        self._refresh = found
        self._grant = replace(found.grant, proof_key=self._proof_key)
        return True

    def get_original_scopes(self, refresh_token: str, request: Judged) -> list[str]:
        return [] if self._grant is None else list(self._grant.scopes)

    def is_within_original_scope(self, request_scopes: list[str], refresh_token: str, request: Judged) -> bool:
        return False

    # --- the device

    def claim_device(self, request: Judged) -> None:
        """Before oauthlib's own questions: 3.3 asks nothing about the device code, and 4 asks for a verdict."""
        waiting, now = self._service.oauth2.waiting, self._service.now()
        device = waiting.device(request.device_code or "")
        if device is None or device.client_id != self._client.client_id:
            raise Refused("invalid_grant", "The device code is unknown, or another client's.")
        if now >= device.expires or device.approved is not None:
            waiting.end_device(device)
        if now >= device.expires:
            raise Refused("expired_token", "The device code has expired; begin again.")
        if device.approved is None:
            raise _pending(device, now)
        if not device.approved:
            raise Refused("access_denied", "The user denied access.")
        subject = str(self._service.user_id)
        self._grant = Grant(
            device.client_id, device.scopes, self._issued.count(), subject, self._proof_key, agreed_at=now
        )
        request.scopes = list(device.scopes)

    def validate_device_code(self, client_id: str, code: str, request: Judged) -> str:
        return "authorized"

    # --- the tokens

    def get_default_scopes(self, client_id: str, request: Judged) -> list[str]:
        return []

    def validate_scopes(self, client_id: str, scopes: list[str], client: object, request: Judged) -> bool:
        return self._service.oauth2.scopes.issuperset(scopes)

    def grant_of(self, scopes: list[str]) -> Grant:
        """What was presented stands for; of a client that acts for itself, its own."""
        return self._grant or Grant(
            self._client.client_id, tuple(scopes), self._issued.count(), proof_key=self._proof_key
        )

    def refresh_token(self, grant: Grant) -> Secret | None:
        """The refresh token to answer with; None where the user has not agreed to access that lasts."""
        if self._refresh is not None and not self._service.rotates:
            return self._refresh.token
        if self._refresh is not None:
            self._refresh.used = True
        return self._issued.issue_refresh(grant) if self._service.oauth2.lasts(grant.scopes) else None

    def save_token(self, token: object, request: Judged) -> None:
        """It is kept already."""


def _pending(device: Device, now: float) -> Refused:
    """The user has not decided yet; a device that asks too often is told to slow down (RFC 8628 section 3.5)."""
    hurried = device.polled is not None and now - device.polled < device.interval
    device.polled = now
    if hurried:
        device.interval += _SLOWER
        return Refused("slow_down", f"Ask every {device.interval} seconds at most.")
    return Refused("authorization_pending", "The user has not decided yet.")
