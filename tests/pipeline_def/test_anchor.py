"""The anchor in ModelEvaluation: it is loaded and compared as a champion is, and never twice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import artifact
from tests.pipeline_def.helpers import BUCKET, SMALL, Run, land, register
from tests.pipeline_def.runs import CSV, Kept, candidates_run, done

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("undrawn")]


@pytest.fixture
def between(s3: S3Client, tmp_path: Path, first: Run) -> Run:  # noqa: ARG001
    """The champion: trained on other rows than the anchor."""
    land(s3, "curated/small/train.csv", CSV.replace("a", "e"))
    return done(Run(tmp_path / "between", s3, {**SMALL}, "cccccccccccc"))


@pytest.fixture
def second(s3: S3Client, tmp_path: Path, between: Run, kept: Kept) -> Run:  # noqa: ARG001
    return candidates_run(s3, tmp_path / "second", kept)


def test_anchor_is_compared_on_rows_that_it_was_not_trained_on(
    first: Run, between: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    anchor, champion = (register(sagemaker, run) for run in (first, between))
    found = second.evaluate(champion, anchor)["handsoff"]
    assert found["champion"] == champion
    assert (found["anchor"]["package"], found["anchor"]["problem"]) == (anchor, None)
    assert (found["anchor"]["comparison"]["n"], found["anchor"]["comparison"]["excluded"]) == (4, 2)
    assert (found["comparison"]["n"], found["comparison"]["excluded"]) == (5, 1)


def test_anchor_that_is_the_champion_is_loaded_once(
    first: Run, second: Run, sagemaker: SageMakerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    load = artifact.load_model

    def counted(archive: Path, folder: Path) -> Any:
        loads.append(folder.name)
        return load(archive, folder)

    monkeypatch.setattr("champion.load_model", counted)
    package = register(sagemaker, first)
    found = second.evaluate(package, package)["handsoff"]
    assert loads == ["champion"]
    assert found["anchor"] == {"package": package, "problem": None, "comparison": found["comparison"]}


def test_champion_that_is_the_anchor_and_cannot_be_loaded_is_a_problem_of_both(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    package = register(sagemaker, first)
    s3.delete_object(Bucket=BUCKET, Key=first.model_url.removeprefix(f"s3://{BUCKET}/"))
    found = second.evaluate(package, package)["handsoff"]
    assert found["champion_problem"] == f"its model, {first.model_url}, cannot be read: 404"
    assert found["anchor"] == {"package": package, "problem": found["champion_problem"], "comparison": None}


def test_anchor_whose_model_is_gone_leaves_the_comparison_with_the_champion(
    s3: S3Client, first: Run, between: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    anchor, champion = (register(sagemaker, run) for run in (first, between))
    s3.delete_object(Bucket=BUCKET, Key=first.model_url.removeprefix(f"s3://{BUCKET}/"))
    found = second.evaluate(champion, anchor)["handsoff"]
    assert found["anchor"] == {
        "package": anchor,
        "problem": f"its model, {first.model_url}, cannot be read: 404",
        "comparison": None,
    }
    assert found["comparison"]["n"] == 5


def test_anchor_whose_package_is_deleted_is_a_problem(
    first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    package = register(sagemaker, first)
    anchor = package.replace("/1", "/999")
    found = second.evaluate(package, anchor)["handsoff"]["anchor"]
    assert found["problem"].startswith("DescribeModelPackage: ValidationException: ")


def test_first_is_the_package_that_was_approved_first(
    first: Run, between: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    register(sagemaker, first, approvedAt="2026-02-01T00:00:00Z")
    anchor = register(sagemaker, between, approvedAt="2026-01-01T00:00:00Z")
    register(sagemaker, first, status="Rejected", approvedAt="2025-01-01T00:00:00Z")
    assert second.evaluate("latest", "first")["handsoff"]["anchor"]["package"] == anchor


@pytest.mark.parametrize("anchor", ["none", "first"])
def test_without_an_approved_package_there_is_no_anchor(second: Run, anchor: str) -> None:
    assert second.evaluate("none", anchor)["handsoff"]["anchor"] is None
