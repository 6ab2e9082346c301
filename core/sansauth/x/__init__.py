"""X, formerly Twitter: its presets and its own operations."""

from sansauth.x.bearer_token import bearer_token, invalidate_token, token
from sansauth.x.presets import TWITTER, X
from sansauth.x.reverse_auth import reverse_token

__all__ = ["TWITTER", "X", "bearer_token", "invalidate_token", "reverse_token", "token"]
