"""What the picture of slices says of where a candidate is worse, and of where that is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pictures_slices import compared_title, slices
from tests.pipeline_def.helpers import SMALL
from tests.pipeline_def.showing import shown

NAN = float("nan")


def found(value: str, difference: float, p: float, error: float = 0.01) -> dict[str, Any]:
    whose = {"column": "c", "value": value, "range": None, "n": 100, "clusters": 100, "loss": "brier"}
    return {**whose, "difference": difference, "margin": 0.01, "standard_error": error, "p": p, "p_holm": p}


def named(value: str, low: float, high: float) -> dict[str, Any]:
    gap = {"value": (low + high) / 2, "bounds": [low, high]}
    return {"where": {"c": value}, "n": 100, "differences": {"roc_auc": gap}}


def title(
    rules: list[dict[str, Any]],
    searched: list[dict[str, Any]],
    tested: int,
    whole: dict[str, Any] | None = None,
) -> str:
    return compared_title(rules, searched, "roc_auc", {"slices_tested": tested}, whole)


EQUAL = found("", 0.0, 1.0)


@pytest.mark.parametrize(
    ("rules", "searched", "tested", "whole", "words"),
    [
        ([], [found("a", 0.0, 1.0)], 29, EQUAL,
         "None of 29 slices is shown to be worse by more than 5 % of the champion's loss"),
        ([], [found("a", 0.03, 0.2), found("b", 0.005, 0.9)], 29, EQUAL,
         "None of 29 slices is shown to be worse by more than 5 % of the champion's loss; 1 of the 2 listed "
         "ones lean that way"),
        ([named("a", NAN, NAN), named("b", -0.1, 0.1)], [], 0, None,
         "None of 1 slices is shown to be worse; 1 with too few rows to tell"),
        ([named("a", NAN, NAN)], [], 0, None,
         "Where the candidate is worse cannot be told: no slice has enough rows"),
        ([named("a", -0.3, -0.1)], [found("a", 0.2, 0.001), found("b", 0.1, NAN)], 9, EQUAL,
         "The candidate is worse than the champion where c = a; c = b"),
        ([named("z", -0.3, -0.1)], [found(name, 0.2, 0.001) for name in "abcdef"], 6, EQUAL,
         "The candidate is worse than the champion where c = a; c = b; c = c and 4 more"),
        ([], [found(name, 0.2, 0.001) for name in "abcdef"], 9, EQUAL,
         "The candidate is worse than the champion where c = a; c = b; c = c and at least 3 more"),
        ([], [found("a", 0.2, 0.001), found("b", 0.19, 0.001)], 2, found("", 0.2, 1e-9),
         "The candidate is worse on all rows: brier is worse by 0.2000; no slice is clearly worse than that"),
        ([], [found("a", 0.4, 0.001), found("b", 0.19, 0.001)], 2, found("", 0.2, 1e-9),
         "The candidate is worse on all rows: brier is worse by 0.2000; more so where c = a"),
    ],
    ids=["none", "leans", "one not known", "none known", "rule's and found one once, and no p-value",
         "all are counted", "the list is full", "all alike", "one beyond the others"],
)  # fmt: skip
def test_title_tells_worse_leaning_and_unknown_apart(
    rules: list[dict[str, Any]],
    searched: list[dict[str, Any]],
    tested: int,
    whole: dict[str, Any] | None,
    words: str,
) -> None:
    assert title(rules, searched, tested, whole) == words


def test_all_rows_come_first_then_the_slice_that_is_worse_by_most_beside_what_is_allowed(
    tmp_path: Path,
) -> None:
    draw = np.random.default_rng(0)
    x, c = draw.normal(size=2_000), draw.choice(["a", "b", "d", "e"], 2_000)
    rows = pd.DataFrame({"x": x, "c": c.astype(object), "y": (x > 0).astype(int)})
    theirs = np.where(x > 0, 0.8, 0.2)
    ours = np.where(c == "a", 1 - theirs, np.where(c == "b", np.where(x > 0, 0.3, 0.7), theirs))
    picture = slices(shown(SMALL, rows, ours, tmp_path, theirs))
    assert picture.columns == ["slice", "rows", "candidate", "champion", "better by", "allowed", "reading"]
    assert [row[0] for row in picture.rows[:3]] == ["all rows", "c = a", "c = b"]
    assert [row[5:] for row in picture.rows[1:3]] == [["−0.0020", "worse"], ["−0.0020", "worse"]]
    assert picture.title.startswith("The candidate is worse on all rows: brier is worse by 0.")
    assert picture.title.endswith("; more so where c = a; c = b")
    assert "worse, n = " in picture.svg


def test_words_of_a_picture_have_a_bound(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=4_000)
    names = np.array([f"{at} {'long ' * 30}" for at in range(40)], dtype=object)
    rows = pd.DataFrame({"x": x, "c": names[np.arange(4_000) % 40], "y": (x > 0).astype(int)})
    theirs = np.where(x > 0, 0.8, 0.2)
    said = slices(shown(SMALL, rows, 1 - theirs, tmp_path, theirs)).as_json()
    assert len(said["title"]) <= 300
    assert len(said["alt"]) <= 1_500
    assert said["alt"].endswith("; … the table has all.")
    assert len(said["table"]["rows"]) == 21
