"""Every candidate must be better than guessing: the gain and the rows at their edges."""

from __future__ import annotations

import math

import pytest

from retraining.config.tasks import Task
from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import evaluation, rules


@pytest.mark.parametrize(
    ("gain", "error", "n", "decision"),
    [
        (0.0, 0.0, 262, "REJECT"),
        (-0.1, 0.01, 262, "REJECT"),
        (0.0232, 0.01, 262, "HOLD"),  # bound 0.0232 − 2.3263 · 0.01 < 0: better, but not shown to be
        (0.0233, 0.01, 262, "APPROVE"),
        (0.3, 0.01, 29, "HOLD"),
        (0.3, 0.01, 30, "APPROVE"),
        (0.5, 0.0, 8, "HOLD"),
        (math.nan, 0.01, 262, "HOLD"),
        (0.3, math.nan, 262, "HOLD"),
        (0.3, -1.0, 262, "HOLD"),
        (math.inf, 0.01, 262, "HOLD"),
    ],
)
@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification", "regression"])
def test_guessing_at_its_edges_in_each_task(
    task: Task, gain: float, error: float, n: int, decision: str
) -> None:
    metric = "rmse" if task == "regression" else "accuracy"
    asked = rules({"metric": metric, "min": 0.0})
    found = evaluation({metric: 0.99}, task=task, guessing=(gain, error), n=n)
    assert judge(found, asked, None).decision == decision


def test_guessing_rejects_where_all_rules_only_warn() -> None:
    found = evaluation({"accuracy": 0.99}, guessing=(0.0, 0.0))
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.5, "on_fail": "warn"}), None)
    assert verdict.decision == "REJECT"
    assert "→ no better than guessing" in verdict.texts[0]


@pytest.mark.parametrize(("rows", "decision"), [(0, "HOLD"), (9, "HOLD"), (10, "APPROVE"), (None, "APPROVE")])
def test_guessing_holds_below_10_rows_of_a_class(rows: int | None, decision: str) -> None:
    found = evaluation({"accuracy": 0.9})
    found = found.model_copy(
        update={"candidate": found.candidate.model_copy(update={"smallest_class": rows})}
    )
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.5}), None)
    assert verdict.decision == decision
    if rows is not None and rows < 10:
        assert verdict.texts == (
            f"roc_auc: {rows} rows of the rarest class, needs ≥ 10 to tell from guessing",
        )
