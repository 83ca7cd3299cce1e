"""How the candidate's data differs from the champion's, from the reports and profiles of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from data_changes import data_changes
from tests.pipeline_def.helpers import SMALL, Run, land_small, register

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = pytest.mark.usefixtures("undrawn")

BEFORE = "x,c,y\n" + "".join(f"{n % 9},{'ab'[n % 2]},{n % 2}\n" for n in range(40))
NOW = "x,c,y,id\n" + "".join(f"{n % 9 + 2},{'bde'[n % 3]},{n % 2},{n}\n" for n in range(60))


def numeric(*points: float) -> dict[str, Any]:
    """The profile of a column with these values, in ascending order, each once."""
    below = list(range(1, len(points) + 1))
    return {"kind": "numeric", "missing": 0, "points": list(points), "below": below, "exact": True}


def categorical(other: int = 0, **counts: int) -> dict[str, Any]:
    return {"kind": "categorical", "missing": 0, "counts": counts, "other": other}


def profile(**columns: dict[str, Any]) -> dict[str, Any]:
    return {"columns": columns}


@pytest.mark.slow
def test_evaluation_says_how_the_data_differs_although_the_champion_cannot_be_compared(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    land_small(s3, BEFORE, "x,c,y\n1,a,0\n2,b,1\n")
    champion = Run(tmp_path / "champion", s3, {**SMALL}, "aaaaaaaaaaaa")
    assert champion.preprocess() == 0
    champion.train()
    package = register(sagemaker, champion)
    land_small(s3, NOW, "x,c,y,id\n1,a,0,1\n,b,1,2\n,b,1,3\n,b,1,4\n")
    candidate = Run(tmp_path / "candidate", s3, {**SMALL}, "bbbbbbbbbbbb")
    assert candidate.preprocess() == 0
    candidate.train()
    found = candidate.evaluate(package)["handsoff"]
    assert "added id" in found["champion_problem"]  # rows cannot be told apart, so nothing is compared
    changes = found["data_changes"]
    batches = changes.pop("batch")
    assert batches == [champion.report["batch"], candidate.report["batch"]]
    assert changes == {
        "files": [2, 2],
        "rows": {"train": [40, 60], "validation": [2, 4]},
        "columns": {"new": ["id"], "gone": []},
        "missing_share": {"train": {}, "validation": {"x": [0.0, 0.75]}},
        "ranges": {"x": [[0.0, 8.0], [2.0, 10.0]]},
        "categories": {"c": {"new": 2, "gone": 1, "rows": 40}},
    }


def test_data_changes_of_equal_data_are_nothing_but_counts() -> None:
    report = {
        "batch": "b",
        "files": [1],
        "columns": [["x"]],
        "splits": {name: {"rows": 3, "missing_share": {"x": 0.5}} for name in ("train", "validation")},
    }
    both = profile(x=numeric(1, 2), c=categorical(a=3))
    assert data_changes(report, report, both, both) == {
        "batch": ["b", "b"],
        "files": [1, 1],
        "rows": {"train": [3, 3], "validation": [3, 3]},
        "columns": {"new": [], "gone": []},
        "missing_share": {"train": {}, "validation": {}},
        "ranges": {},
        "categories": {},
    }


@pytest.mark.parametrize("before", [{}, {"splits": {"train": {}}}, {"files": [], "columns": []}])
def test_data_changes_read_a_report_of_an_earlier_version(before: dict[str, Any]) -> None:
    now = {"columns": [["x"]], "files": [1], "splits": {"train": {"rows": 2, "missing_share": {"x": 0.0}}}}
    found = data_changes(before, now, None, profile(x=numeric(1)))
    assert found["rows"]["train"] == [None, 2]
    assert found["missing_share"]["train"] == {"x": [None, 0.0]}
    assert found["ranges"] == found["categories"] == {}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (categorical(a=1), categorical(a=9), {}),
        (categorical(a=1, b=1), categorical(a=1, d=7), {"c": {"new": 1, "gone": 1, "rows": 7}}),
        (categorical(a=1, other=4), categorical(a=1, d=7), {"c": {"new": None, "gone": None, "rows": None}}),
        (categorical(), categorical(a=2), {"c": {"new": 1, "gone": 0, "rows": 2}}),
        (numeric(1), categorical(a=2), {}),
    ],
)
def test_data_changes_count_categories_that_are_new_and_gone(
    before: dict[str, Any], now: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert data_changes({}, {"files": []}, profile(c=before), profile(c=now))["categories"] == expected


def test_data_changes_of_a_column_without_values_has_no_range() -> None:
    found = data_changes({}, {"files": []}, profile(x=numeric()), profile(x=numeric(1, 5)), show=True)
    assert found["ranges"] == {"x": [None, [1, 5]]}


@pytest.mark.parametrize(
    ("values", "show", "expected"),
    [
        (range(19), False, None),
        (range(19), True, [0, 18]),
        (range(21), False, [1.0, 19.0]),
        (range(101), False, [5.0, 95.0]),
        (range(101), True, [0, 100]),
    ],
)
def test_data_changes_ends_of_a_range_are_values_of_rows_only_if_these_are_shown(
    values: range, show: bool, expected: list[float] | None
) -> None:
    found = data_changes({}, {"files": []}, profile(x=numeric(-1)), profile(x=numeric(*values)), show=show)
    assert found["ranges"].get("x", [None, None])[1] == expected
