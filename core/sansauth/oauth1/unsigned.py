"""A request that is still to be signed, and by whom: what the flows of OAuth 1.0a send, and what others send alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sansauth.effects import Operation
from sansauth.env import Env
from sansauth.http import Request
from sansauth.identity import App, OAuth1User
from sansauth.oauth1.send import Exchange, send_signed, send_signed_at_once, sign_at_once
from sansauth.provider import Provider

__all__ = ["Unsigned"]


class Unsigned(NamedTuple):
    """A request, who signs it, and the further protocol parameters that stand in its signature."""

    request: Request
    identity: App | OAuth1User
    extra: Mapping[str, str] | None = None

    def signed(self, *, provider: Provider, env: Env) -> Request:
        """Signed by this machine's clock, as the provider wants it (RFC 5849 section 3); `ForeignHost` elsewhere."""
        return sign_at_once(self.request, self.identity, provider=provider, env=env, extra=self.extra)

    def sent(self, *, provider: Provider, env: Env) -> Operation[Exchange]:
        """Signed by the service's clock, as far as it is known, and sent; the answer is not judged."""
        return send_signed(self.request, self.identity, provider=provider, env=env, extra=self.extra)

    def sent_at_once(self, *, provider: Provider, env: Env) -> Operation[Exchange]:
        """Signed by this machine's clock and sent; by the service's only if that is refused; not judged."""
        return send_signed_at_once(self.request, self.identity, provider=provider, env=env, extra=self.extra)
