"""A short soak: nothing that the functions keep grows, but for what fills once."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.soak.__main__ import MODELS, Soak


@pytest.mark.slow
def test_soak_a_quarter_of_an_hour_keeps_no_more_handles_threads_processes_or_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # other tests write into the usual one meanwhile
    soak = Soak(hours=0.25)
    soak.play()
    assert len(soak.run.models) == MODELS == 20
    assert len(soak.run.account.sagemaker.statuses) > 20  # decisions
    for name in ("open handles", "threads", "processes", "temporary files"):
        assert soak.measured[name][-1] <= soak.measured[name][0] + 2, name
