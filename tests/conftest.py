"""For all tests: hypothesis fails nothing for being slow, and plays the same worlds each time in the gate."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "here")  # ci is hypothesis' own: derandomized
