"""What `handsoff evidence` shows of the data of an execution."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from handsoff.showing.evidence import show_evidence


def evidence(**data: Any) -> dict[str, Any]:
    """Evidence without steps, package and verdict; `data` is what is known of the execution's data."""
    return {
        "pipelineExecutionArn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p/execution/e1",
        "pipelineExecutionStatus": "Succeeded",
        "trigger": {"kind": "landing"},
        "startTime": "2026-11-30T12:00:00+00:00",
        "data": {"batch": "5946", **data},
        "steps": [],
        "modelPackageArn": None,
        "modelApprovalStatus": None,
        "earlierDecisions": [],
        "decidedAt": None,
        "verdict": None,
        "metrics": {},
    }


def shown(**data: Any) -> list[str]:
    """The lines that are printed, without blanks around them."""
    text = io.StringIO()
    show_evidence(Console(file=text, width=200), evidence(**data))
    return [line.strip() for line in text.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("left_out", "groups", "expected"),
    [
        (0, {}, "train 1,047 rows, validation 80 rows"),
        (27, {}, "train 1,047 rows, validation 80 rows (27 are also training rows and left out)"),
        (
            27,
            {"validationRowsOfTrainGroups": 3},
            "train 1,047 rows, validation 80 rows (27 are also training rows and 3 are of groups in train "
            "and left out)",
        ),
    ],
)
def test_show_evidence_counts_the_validation_rows_that_are_left_out(
    left_out: int, groups: dict[str, int], expected: str
) -> None:
    splits = {"train": {"rows": 1047}, "validation": {"rows": 80}}
    lines = shown(splits=splits, validationRowsAlsoInTrain=left_out, ignoredColumns=["customer"], **groups)
    assert expected in lines
    assert "ignored columns: customer" in lines


def test_show_evidence_without_a_data_report_shows_the_batch_alone() -> None:
    lines = shown()
    assert any(line.endswith("5946") for line in lines)
    assert not any("rows" in line for line in lines)
