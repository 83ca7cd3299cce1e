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


def test_show_evidence_says_how_the_model_was_trained() -> None:
    training = {
        "codeSha256": "0123456789abcdef",
        "sourceDir": "src/churn",
        "entryPoint": "train.py",
        "image": "1.dkr/xgboost:3",
        "hyperparameters": {"eta": 0.05, "max-depth": 4},
        "instanceType": "ml.m5.xlarge",
        "instanceCount": 2,
        "spot": True,
    }
    text = io.StringIO()
    show_evidence(Console(file=text, width=200), {**evidence(), "training": training})
    lines = [line.strip() for line in text.getvalue().splitlines()]
    assert [line.removeprefix("training").strip() for line in lines[5:9]] == [
        "code 0123456789ab (src/churn, train.py)",
        "image 1.dkr/xgboost:3",
        "hyperparameters: eta 0.05, max-depth 4",
        "2 × ml.m5.xlarge, spot",
    ]


@pytest.mark.parametrize("training", [None, {"codeSha256": None}])
def test_show_evidence_says_nothing_of_a_training_that_is_not_known(training: dict[str, None] | None) -> None:
    text = io.StringIO()
    show_evidence(Console(file=text, width=200), {**evidence(), "training": training})
    assert "training" not in text.getvalue()


def test_show_evidence_has_the_command_that_prints_the_log_of_a_job() -> None:
    step = {
        "name": "TrainModel",
        "status": "Failed",
        "startTime": "2026-11-30T13:05:09.123+01:00",
        "endTime": None,
        "failureReason": None,
        "logs": {"group": "/aws/sagemaker/TrainingJobs", "streamPrefix": "pipelines-abc-TrainModel-"},
    }
    text = io.StringIO()
    show_evidence(Console(file=text, width=60), {**evidence(), "steps": [step]})
    execution = str(evidence()["pipelineExecutionArn"]).rsplit("/", 1)[-1]
    assert f"handsoff logs {execution} --step TrainModel" in text.getvalue()
