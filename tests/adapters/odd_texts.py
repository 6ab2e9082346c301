"""Texts that break encoders: what parameters of generated requests are made of."""

from __future__ import annotations

from hypothesis import strategies as st

ODD = "~!*'()+&=%;:@,/?$.-_|[]{}\"^`<>"
TEXTS = st.text(st.one_of(st.sampled_from(ODD + " "), st.characters(exclude_categories=["Cs"])), max_size=10)
# The protocol's own parameters have no business in a query or a form, and oauthlib refuses some of them.
NAMES = TEXTS.filter(lambda name: not name.startswith("oauth_"))
