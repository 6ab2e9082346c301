"""Paging through long lists."""

__all__ = ["DEFAULT_CURSOR"]

DEFAULT_CURSOR = -1
"""The cursor of the first page (X API v1.1, `cursor=-1`); a page whose `next_cursor` is 0 is the last."""
