"""For all tests: stories first; none fails for being slow, and the gate plays the same worlds each time."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "here")  # ci is hypothesis' own: derandomized


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stories first, so that no worker is left with a long one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("story") is None)
