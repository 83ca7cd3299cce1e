"""Metrics: what a value looks like in the log, and that the catalogue is what the code sends."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from retraining.aws.measures import METRICS, measure
from retraining.aws.observability import logger

FUNCTIONS = Path(__file__).parents[3] / "functions"


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_measure_sends_a_value_over_all_models_and_for_its_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "service", "handsoffdev")
    measure("LandingToStart", 12.5, model="titanic")
    (line,) = printed(capsys)
    del line["_aws"]["Timestamp"]
    assert line == {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "handsoff",
                    "Dimensions": [["service"], ["service", "model"]],
                    "Metrics": [{"Name": "LandingToStart", "Unit": "Seconds"}],
                }
            ]
        },
        "service": "handsoffdev",
        "model": "titanic",
        "LandingToStart": [12.5],
    }


def test_measure_without_dimensions_has_the_deployment_alone(capsys: pytest.CaptureFixture[str]) -> None:
    measure("FilesQuarantined", 3)
    (line,) = printed(capsys)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert line["FilesQuarantined"] == [3.0]


def test_measure_of_a_step_has_model_and_step_together(capsys: pytest.CaptureFixture[str]) -> None:
    measure("StepDuration", 61, model="titanic", step="TrainModel")
    (line,) = printed(capsys)
    assert [set(names) for names in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]] == [
        {"service", "model", "step"}
    ]


@pytest.mark.parametrize(
    ("name", "dimensions", "error"),
    [
        ("StartsTaken", {}, KeyError),
        ("StartsAdmitted", {}, TypeError),
        ("FilesQuarantined", {"model": "titanic"}, TypeError),
        ("StartsAdmitted", {"model": "titanic", "execution": "e0"}, TypeError),
    ],
)
def test_measure_refuses_what_the_catalogue_does_not_have(
    name: str, dimensions: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        measure(name, 1, **dimensions)


def test_catalogue_has_just_the_metrics_that_the_code_names() -> None:
    """A name reaches `measure` as a text of the code, itself or through a table."""
    named: set[str] = set()
    for path in FUNCTIONS.rglob("*.py"):
        if path.name != "measures.py" and "measure" in (text := path.read_text()):
            named |= {
                node.value
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in METRICS
            }
    assert named == set(METRICS)


def test_functions_of_the_catalogue_exist() -> None:
    assert {name for metric in METRICS.values() for name in metric.by} <= {
        path.stem for path in FUNCTIONS.glob("*.py")
    }
