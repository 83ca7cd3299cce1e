"""`handsoff status` says which step waits for capacity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from handsoff.operating.executions import waits_for_capacity
from handsoff.showing import executions
from handsoff.showing.executions import execution_table, follow
from retraining.aws.pipelines import Execution, Step

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
JOB = "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/one"


def step(**changes: Any) -> Step:
    fields: dict[str, Any] = {
        "name": "TrainModel",
        "type": "Training",
        "status": "Starting",
        "start_time": NOW - timedelta(seconds=61),
        "end_time": None,
        "failure_reason": None,
        "arn": None,
        "logs": None,
    }
    return Step(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"status": "Executing"}, True),
        ({"type": "Processing"}, True),
        ({"start_time": NOW - timedelta(seconds=60)}, False),  # its job may be being made
        ({"start_time": None}, False),
        ({"arn": JOB}, False),  # its job exists
        ({"status": "Failed", "end_time": NOW}, False),
        ({"type": "RegisterModel"}, False),  # it runs no job
    ],
)
def test_step_waits_for_capacity_where_it_has_no_job_for_a_minute(
    changes: dict[str, Any], expected: bool
) -> None:
    assert waits_for_capacity(step(**changes), NOW) is expected


def execution(status: str, *steps: Step) -> Execution:
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/handsoff-titanic/execution/abcdefghijkl"
    return Execution(arn, "handsoff-titanic", status, None, NOW, NOW, {}, steps)


def test_status_shows_that_an_execution_waits_for_capacity() -> None:
    console = Console(width=120, record=True)
    long_ago = datetime.now(UTC) - timedelta(minutes=12)
    console.print(execution_table(execution("Executing", step(start_time=long_ago)), None))
    shown = console.export_text().splitlines()
    assert shown[0].split()[:5] == ["TrainModel", "Starting", "waits", "for", "capacity,"]


def test_following_tells_that_a_step_waits_and_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "POLL", 0.001)
    console = Console(width=120, record=True, force_terminal=False)
    long_ago = datetime.now(UTC) - timedelta(minutes=12)
    looks = [
        execution("Executing", step(start_time=datetime.now(UTC))),
        execution("Executing", step(start_time=long_ago)),
        execution("Executing", step(start_time=long_ago, status="Executing", arn=JOB)),
        *[execution("Succeeded", step(start_time=long_ago, status="Succeeded", arn=JOB, end_time=NOW))] * 2,
    ]
    follow(console, lambda: (looks.pop(0), None), lambda found, _: found.terminal, timeout=10)
    lines = [line.split()[2:] for line in console.export_text().splitlines() if "TrainModel" in line]
    assert [line[:4] for line in lines[:3]] == [
        ["TrainModel", "Starting"],
        ["TrainModel", "Waiting", "for", "capacity"],
        ["TrainModel", "Executing"],
    ]
