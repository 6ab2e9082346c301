"""What waits for a user, or for the browser that brings one: pushed requests (RFC 9126) and devices (RFC 8628)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sansauth.env import Env
from sansauth.secret import Secret
from sansauth.testing.oauth2_issued import remember
from sansauth.testing.oauth2_issuing import DEVICE, REQUEST, issue

__all__ = ["DEVICE_SECONDS", "INTERVAL_SECONDS", "PUSHED_SECONDS", "Device", "Pushed", "Waiting"]

PUSHED_SECONDS = 90.0
DEVICE_SECONDS = 600.0
INTERVAL_SECONDS = 5
_URN = "urn:ietf:params:oauth:request_uri:"
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 section 6.1: no vowels, so that no words come out


@dataclass(frozen=True, slots=True)
class Pushed:
    """An authorization request that was pushed."""

    client_id: str
    parameters: Mapping[str, Secret]
    expires: float


@dataclass(slots=True)
class Device:
    """A device that polls. `approved` is None until its user has decided; `interval` in seconds grows."""

    device_code: Secret
    user_code: str
    client_id: str
    scopes: tuple[str, ...]
    expires: float
    interval: int = INTERVAL_SECONDS
    polled: float | None = None
    approved: bool | None = None


class Waiting:
    """The pushed requests and the devices. `now` is the service's clock, in Unix seconds."""

    def __init__(self, env: Env, now: Callable[[], float]) -> None:
        self._env = env
        self._now = now
        self._count = 0
        self._pushed: dict[str, Pushed] = {}
        self._devices: dict[str, Device] = {}

    def push(self, client_id: str, parameters: Mapping[str, Secret]) -> str:
        """Keep a request; gives its request_uri."""
        uri = _URN + self._issue(REQUEST)
        remember(self._pushed, uri, Pushed(client_id, parameters, self._now() + PUSHED_SECONDS))
        return uri

    def pushed(self, uri: str, client_id: str) -> Pushed | None:
        """The request of that client; None if it is unknown, was used or has expired."""
        found = self._pushed.get(uri)
        fits = found is not None and found.client_id == client_id and self._now() < found.expires
        return found if fits else None

    def use(self, uri: str) -> None:
        """The user has decided: the request_uri was good once (RFC 9126 section 4)."""
        self._pushed.pop(uri, None)

    def add_device(self, client_id: str, scopes: tuple[str, ...]) -> Device:
        """A device that has begun to wait."""
        code = self._issue(DEVICE)
        letters = [_LETTERS[ord(letter) % len(_LETTERS)] for letter in self._issue(DEVICE)[3:11]]
        user_code = f"{''.join(letters[:4])}-{''.join(letters[4:])}"
        device = Device(code, user_code, client_id, scopes, self._now() + DEVICE_SECONDS)
        remember(self._devices, code, device)
        return device

    def device(self, device_code: str) -> Device | None:
        """The device of that code, expired or not."""
        return self._devices.get(device_code)

    def undecided(self, user_code: str) -> Device | None:
        """The device whose user code was typed in (without regard to case and hyphens), if it still waits."""
        typed = _plain(user_code)
        waiting = [one for one in self._devices.values() if one.approved is None and self._now() < one.expires]
        return next((one for one in waiting if _plain(one.user_code) == typed), None)

    def end_device(self, device: Device) -> None:
        """It has its tokens, or its refusal."""
        del self._devices[device.device_code]

    def _issue(self, kind: str) -> Secret:
        self._count += 1
        return issue(self._env, kind, self._count, self._now())


def _plain(user_code: str) -> str:
    return "".join(letter for letter in user_code.upper() if letter.isalnum())
