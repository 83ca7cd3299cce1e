"""Each example, from its handsoff.yaml to an approved package on AWS on this machine, and its predictions.

A public XGBoost script runs unchanged, and is compared with a scikit-learn champion on the same rows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handsoff.operating.executions import evidence_of, package_of
from handsoff.operating.reports import report_of
from retraining.aws import registry
from retraining.aws.pipelines import Execution
from tests.examples import stories
from tests.loop.conftest import Loop, handsoff, pointed_at, started

pytestmark = pytest.mark.story

FOUR = ["DataPreProcessing", "TrainModel", "ModelEvaluation", "RegisterModel"]
SIX = [
    "DataPreProcessing",
    "TrainModel",
    "ScoreCandidate",
    "ScoreChampion",
    "ModelEvaluation",
    "RegisterModel",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The files of each model."""
    files = {model: stories.write_data(model, tmp_path_factory.mktemp(model)) for model in stories.MODELS}
    folder = tmp_path_factory.mktemp("abalone")
    for name, rows, seed in (("train", 500, 1), ("validation", 220, 2)):
        (folder / f"{name}.csv").write_text("\n".join(stories.abalone(rows, seed)) + "\n")
    return files | {"abalone": sorted(folder.glob("*.csv"))}


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory, ready_build: Path) -> Iterator[Loop]:
    """One deployment with all models; own code lies beside its handsoff.yaml."""
    folder = stories.own_code(tmp_path_factory.mktemp("examples") / "project")
    models = {model: stories.example(model) for model in stories.MODELS} | {"abalone": stories.BUILT_IN}
    with started(models, folder, ready_build) as running, pointed_at(running.cloud):
        yield running


def lines(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(path.read_text().splitlines()))


def approved(loop: Loop, model: str, number: int, steps: list[str]) -> tuple[Execution, dict[str, Any]]:
    """A model's execution of this number, whose package the rules approved, and its evidence."""
    execution = loop.settled(model, number)
    assert (execution.status, execution.failure_reason) == ("Succeeded", None)
    assert sorted(step.name for step in execution.steps) == sorted(steps)
    package = package_of(loop.deployment, execution)
    assert package
    found = evidence_of(loop.deployment, execution)
    assert package.approval_status == "Approved", json.dumps(found["verdict"], indent=1)
    return execution, found


@pytest.mark.parametrize("model", stories.MODELS)
def test_example_ends_with_an_approved_package(
    loop: Loop, data: dict[str, list[Path]], model: str, tmp_path: Path
) -> None:
    handsoff(loop, "land", model, *map(str, data[model]))
    execution, _ = approved(loop, model, 1, SIX if model == "churn" else FOUR)
    report = report_of(loop.deployment, execution)
    assert report.uri
    assert len(report.html) < 300_000
    assert report.html.count(b"<img ") >= 5
    rows = data[model][-1]
    out = tmp_path / "predictions.csv"
    handsoff(loop, "predict", model, str(rows), "--output", str(out))
    assert len(lines(out)) == len(lines(rows))


def test_public_script_runs_unchanged_and_is_compared_with_the_champion_on_the_same_rows(
    loop: Loop, data: dict[str, list[Path]]
) -> None:
    """The champion is scikit-learn's, the candidate XGBoost's: each was scored in its own image."""
    handsoff(loop, "land", "abalone", *map(str, data["abalone"]))
    _, first = approved(loop, "abalone", 1, FOUR)
    _publish_own_code(loop)
    handsoff(loop, "start", "abalone")
    execution, second = approved(loop, "abalone", 2, SIX)
    assert second["verdict"]["champion"] == first["modelPackageArn"]
    evaluation = registry.evaluation(
        loop.deployment.s3, registry.package(loop.deployment.sagemaker, second["modelPackageArn"])
    )
    assert evaluation.comparison
    assert evaluation.comparison.n == 220
    candidate, champion = (scoring(loop, execution, who) for who in ("candidate", "champion"))
    assert (candidate["rows"], champion["rows"]) == (220, 220)
    assert candidate["image"].endswith("/sagemaker-xgboost:3.0-5")
    assert champion["image"].endswith("/sagemaker-scikit-learn:1.9-0-cpu-py3")
    assert champion["package"] == first["modelPackageArn"]
    assert "xgboost" in candidate["packages"]
    assert "xgboost" not in champion["packages"]


def scoring(loop: Loop, execution: Execution, who: str) -> dict[str, Any]:
    """What a scoring step said of the model that it asked."""
    key = f"runs/abalone/{execution.arn.rsplit('/', 1)[-1]}/predictions/{who}/scoring.json"
    body = loop.deployment.s3.get_object(Bucket=loop.deployment.bucket, Key=key)["Body"].read()
    found: dict[str, Any] = json.loads(body)
    return found


def _publish_own_code(loop: Loop) -> None:
    """Let the public script make the model from now on, and publish that."""
    values = json.loads(loop.config.read_text())
    values["models"]["abalone"] |= stories.PUBLIC
    loop.config.write_text(json.dumps(values))
    shown = handsoff(loop, "publish", "abalone", "--plan").stdout
    assert "training.source_dir" in shown
    assert "handsoff start abalone" in shown
    handsoff(loop, "publish", "abalone")
