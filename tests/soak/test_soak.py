"""A short soak: nothing that the functions keep grows, but for what fills once."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.chaos.runner import MINUTE
from tests.soak.__main__ import MODELS, Soak, report


@pytest.mark.slow
def test_soak_a_quarter_of_an_hour_keeps_no_more_handles_threads_processes_or_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # other tests write into the usual one meanwhile
    monkeypatch.setattr("tests.soak.__main__.WARM_UP", 15 * MINUTE)  # only memory takes an hour
    soak = Soak(hours=0.25)
    soak.play()
    assert len(soak.run.models) == MODELS == 20
    assert len(soak.run.account.sagemaker.statuses) > 20  # decisions
    for name in ("open handles", "threads", "processes", "temporary files"):
        assert soak.measured[name][-1] <= soak.measured[name][0] + 2, name


@pytest.mark.slow
def test_report_writes_table_and_picture_and_allows_ten_percent(tmp_path: Path) -> None:
    soak = Soak(hours=1 / 3)
    soak.measured = {"memory in MB": [100.0] * 18 + [109.0] * 2, "threads": [1.0] * 20}
    table, picture = tmp_path / "soak.csv", tmp_path / "soak.svg"
    assert report(soak, table, picture)
    assert table.read_text().splitlines()[:2] == ["minute,memory in MB,threads", "0,100.0,1.0"]
    assert picture.read_text().startswith("<?xml")
    soak.measured["threads"][-2:] = [2.0, 2.0]
    assert not report(soak, table, picture)
