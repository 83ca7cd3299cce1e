"""Validation rows that the champion has seen: by identity, by group, and lookalikes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.pipeline_def.helpers import BUCKET, SMALL, Run, land, register
from tests.pipeline_def.test_seen_rows import TRAIN, VALIDATION, csv, drawn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("undrawn")]

OTHERS = drawn(400, 3)
"""Rows that no other delivery has."""


@pytest.fixture
def trained(s3: S3Client, tmp_path: Path) -> Callable[..., Run]:
    """Makes a run that has trained a model on these rows."""

    def make(name: str, train: pd.DataFrame, validation: pd.DataFrame, **config: Any) -> Run:
        land(s3, "curated/small/train.csv", csv(train))
        land(s3, "curated/small/validation.csv", csv(validation))
        run = Run(tmp_path / name, s3, {**SMALL, **config}, name * 12)
        assert run.preprocess() == 0
        run.train()
        return run

    return make


def homes(frame: pd.DataFrame, first: int) -> pd.DataFrame:
    """The rows as households of four, numbered from `first`."""
    return frame.assign(home=[f"{first + number // 4}" for number in range(len(frame))])


def compared(run: Run, sagemaker: SageMakerClient, champion: Run) -> dict[str, Any]:
    found = run.evaluate(register(sagemaker, champion))["handsoff"]
    assert found["champion_problem"] is None
    comparison: dict[str, Any] = found["comparison"]
    return comparison


def test_evaluation_leaves_out_rows_of_train_groups_and_says_how_many(
    trained: Callable[..., Run],
) -> None:
    """Six validation rows are of households 0 and 1, and one of them is a training row."""
    valid = pd.concat([homes(TRAIN, 0)[:1], homes(VALIDATION, 500)])
    valid.iloc[1:6, -1] = ["0", "1", "1.0", " 1 ", "0"]
    found = trained("a", homes(TRAIN, 0), valid, data={"group": ["home"]}).evaluate()["handsoff"]
    assert (found["leaked"], found["same_group"], found["candidate"]["n"]) == (1, 5, 195)
    assert found["lookalikes"]["n"] == 195


def test_validation_identity_is_of_the_rows_whatever_else_is_landed(trained: Callable[..., Run]) -> None:
    one = trained("a", TRAIN, VALIDATION).evaluate()["handsoff"]["validation"]
    twice = pd.concat([VALIDATION[::-1], VALIDATION])
    assert trained("b", OTHERS, twice).evaluate()["handsoff"]["validation"] == one
    assert trained("c", TRAIN, VALIDATION[1:]).evaluate()["handsoff"]["validation"] != one
    exported = VALIDATION.assign(id=[f"export {number}" for number in range(200)], day="2026-11-30")
    assert trained("f", TRAIN, exported).evaluate()["handsoff"]["validation"] == one
    corrected = VALIDATION.assign(x="1", y=["0", "1"] * 100)
    by_id = [
        trained(name, TRAIN, rows, data={"identity": ["id"]}).evaluate()["handsoff"]["validation"]
        for name, rows in (("d", VALIDATION), ("e", corrected))
    ]
    assert by_id[0] == by_id[1] != one


def test_comparison_leaves_out_rows_of_the_champions_groups(
    trained: Callable[..., Run], sagemaker: SageMakerClient
) -> None:
    """The champion was trained on two of the rows, and on other rows of their two households."""
    valid, data = homes(VALIDATION, 500), {"group": ["home"]}
    of_same_homes = OTHERS.assign(home="900")
    of_same_homes.loc[:1, "home"] = ["500", "501.0"]
    first = trained("a", pd.concat([valid.iloc[[0, 4]], of_same_homes]), homes(TRAIN, 0), data=data)
    second = trained("b", homes(TRAIN, 0), valid, data=data)
    found = compared(second, sagemaker, first)
    assert (found["n"], found["excluded"], found["excluded_groups"]) == (192, 2, 6)


@pytest.mark.parametrize("before", [{}, {"group": ["c"]}, {"group": ["home"], "ignore_case": True}])
def test_comparison_with_a_champion_of_other_groups_leaves_out_its_rows_only(
    trained: Callable[..., Run], sagemaker: SageMakerClient, before: dict[str, Any]
) -> None:
    valid = homes(VALIDATION, 500)
    first = trained("a", pd.concat([valid[:2], homes(OTHERS, 500)]), homes(TRAIN, 0), data=before)
    second = trained("b", homes(TRAIN, 0), valid, data={"group": ["home"]})
    found = compared(second, sagemaker, first)
    assert (found["n"], found["excluded"], found["excluded_groups"]) == (198, 2, 0)


def test_comparison_tests_lookalikes_of_the_champions_rows(
    trained: Callable[..., Run], sagemaker: SageMakerClient
) -> None:
    again = VALIDATION[:40].assign(id=[f"new-{number}" for number in range(40)])
    first = trained("a", pd.concat([drawn(800, 4), again]), OTHERS)
    found = compared(trained("b", TRAIN, VALIDATION), sagemaker, first)
    assert (found["n"], found["excluded"]) == (200, 0)
    assert found["lookalikes"]["equal"] >= 40
    assert found["lookalikes"]["z"] > 5


def test_comparison_after_a_new_random_split_suspects_nothing(
    trained: Callable[..., Run], sagemaker: SageMakerClient
) -> None:
    """The champion was trained on four fifths of today's validation rows. They leave; the others are new."""
    every = pd.concat([TRAIN, VALIDATION]).sample(frac=1, random_state=7)
    first = trained("a", every[:800], every[800:])
    again = every.sample(frac=1, random_state=8)
    found = compared(trained("b", again[:800], again[800:]), sagemaker, first)
    assert found["excluded"] > 150
    assert found["lookalikes"]["n"] == found["n"] == 200 - found["excluded"]
    assert found["lookalikes"]["z"] < 3


def test_champion_with_the_same_identity_is_compared_although_the_files_have_a_column_more(
    trained: Callable[..., Run], sagemaker: SageMakerClient
) -> None:
    data = {"identity": ["id"]}
    first = trained("a", pd.concat([OTHERS, VALIDATION[:30]]), TRAIN, data=data)
    more = trained("b", TRAIN.assign(more="1"), VALIDATION.assign(more="1"), data=data)
    found = compared(more, sagemaker, first)
    assert (found["n"], found["excluded"]) == (170, 30)


@pytest.mark.parametrize(
    ("before", "train"),
    [
        ({}, OTHERS),
        ({"identity": ["day"]}, OTHERS),
        ({"identity": ["id"]}, OTHERS.assign(id=[*OTHERS["id"][1:], ""])),
    ],
)
def test_champion_is_known_by_whole_rows_where_identities_do_not_say_it(
    trained: Callable[..., Run], sagemaker: SageMakerClient, before: dict[str, Any], train: pd.DataFrame
) -> None:
    """Its rows had other identities or none, so a column more would hide that it was trained on them."""
    first = trained("a", pd.concat([train, VALIDATION[:30]]), TRAIN, data=before)
    package = register(sagemaker, first)
    second = trained("b", TRAIN, VALIDATION, data={"identity": ["id"]})
    assert second.evaluate(package)["handsoff"]["comparison"]["excluded"] == 30
    more = trained("c", TRAIN.assign(more="1"), VALIDATION.assign(more="1"), data={"identity": ["id"]})
    found = more.evaluate(package)["handsoff"]
    assert found["comparison"] is None
    assert "its training rows cannot be found among the validation rows" in found["champion_problem"]


def test_champion_of_an_earlier_version_is_compared_without_lookalikes(
    trained: Callable[..., Run], sagemaker: SageMakerClient, s3: S3Client
) -> None:
    """Its training_rows.parquet has the identities of whole rows only."""
    first = trained("a", pd.concat([OTHERS, VALIDATION[:30]]), TRAIN)
    path = first.output / "report" / "training_rows.parquet"
    pq.write_table(pq.read_table(path).select(["handsoff:row"]), path)
    s3.upload_file(str(path), BUCKET, f"{first.prefix}/training_rows.parquet")
    found = compared(trained("b", TRAIN, VALIDATION, data={"group": ["id"]}), sagemaker, first)
    assert (found["n"], found["excluded"], found["excluded_groups"], found["lookalikes"]) == (
        170,
        30,
        0,
        None,
    )


def test_champion_with_other_features_is_compared_without_lookalikes(
    trained: Callable[..., Run], sagemaker: SageMakerClient
) -> None:
    first = trained("a", OTHERS, TRAIN, features={"numeric": ["x"], "categorical": [], "boolean": []})
    assert compared(trained("b", TRAIN, VALIDATION), sagemaker, first)["lookalikes"] is None
