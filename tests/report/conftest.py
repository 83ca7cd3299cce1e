"""Fixtures of reports: those of a browser are the review page's."""

from __future__ import annotations

from tests.review.conftest import browser, reused_page

__all__ = ["browser", "reused_page"]
