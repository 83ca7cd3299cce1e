"""A short soak: nothing that the functions keep grows, but for what fills once."""

from __future__ import annotations

import pytest

from tests.soak.__main__ import MODELS, Soak


@pytest.mark.slow
def test_soak_a_quarter_of_an_hour_keeps_handles_and_threads() -> None:
    soak = Soak(hours=0.25)
    soak.play()
    assert len(soak.run.models) == MODELS == 20
    for name in ("open handles", "processes", "temporary files"):
        assert soak.measured[name][-1] <= soak.measured[name][0] + 2, name
