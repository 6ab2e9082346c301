"""The parameters of an OAuth 2 request, read strictly (RFC 6749 sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sansauth.encoding import encode
from sansauth.http import Request
from sansauth.secret import Secret
from sansauth.testing.caller import form_of
from sansauth.testing.oauth2_answers import Refused, missing

__all__ = ["read_form", "read_once", "required", "words_for_oauthlib"]

_KNOWN = (  # what oauthlib reads; other names would overwrite what it keeps in the same place (`user`, `scopes`)
    "client_id",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "grant_type",
    "redirect_uri",
    "refresh_token",
    "response_type",
    "scope",
    "state",
    "token",
    "token_type_hint",
)


def read_form(request: Request) -> dict[str, Secret]:
    """The form of a POST, each parameter once; `Refused` (invalid_request) for what is none, and for a query."""
    if request.query:
        raise Refused("invalid_request", "The parameters belong in the form, not in the URL.")
    if not request.has_form:
        raise Refused("invalid_request", "The body is no form (application/x-www-form-urlencoded).")
    return read_once(form_of(request))


def read_once(parameters: Iterable[tuple[str, str]]) -> dict[str, Secret]:
    """Each parameter once, or `Refused`; one without a value counts as left out."""
    read: dict[str, Secret] = {}
    for name, value in parameters:
        if name in read:
            raise Refused("invalid_request", "A parameter is given more than once.")
        read[name] = Secret(value)
    return {name: value for name, value in read.items() if value}


def required(form: Mapping[str, Secret], name: str) -> Secret:
    """A parameter's value; `Refused` if it is missing."""
    if name not in form:
        raise missing(name)
    return form[name]


def words_for_oauthlib(form: Mapping[str, str]) -> Secret:
    """The parameters that oauthlib may read, encoded as it reads them."""
    return Secret(encode([(name, form[name]) for name in _KNOWN if name in form]))
