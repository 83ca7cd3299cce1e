"""Fixtures of reports: those of a browser are the review page's."""

from __future__ import annotations

from tests.review.conftest import browser

__all__ = ["browser"]
