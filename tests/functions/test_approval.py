"""Each rule at its edge, with literal numbers; and that nothing unknown is ever approved."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.approval import judge
from retraining.config import Approval, Rule, VersusChampion
from retraining.evaluation import Comparison, Difference, Evaluation, Measured, Scores, SliceScores

CHAMPION = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/1"


def evaluation(
    metrics: dict[str, float] | None = None,
    *,
    n: int = 262,
    slices: dict[str, tuple[int, dict[str, float]]] | None = None,
    versus: tuple[float, float] | None = None,
    metric: str = "roc_auc",
    champion: str | None = None,
    problem: str | None = None,
) -> Evaluation:
    """An evaluation with these numbers; `versus` is candidate minus champion and its standard error."""
    comparison = None
    if versus is not None:
        comparison = Comparison(
            n=n,
            excluded=0,
            candidate={metric: Measured(value=0.85 + versus[0])},
            champion={metric: Measured(value=0.85)},
            differences={metric: Difference(value=versus[0], standard_error=versus[1])},
            method="literal",
        )
    return Evaluation(
        schema_version=1,
        model="titanic",
        task="binary_classification",
        execution="arn",
        batch="b",
        candidate=Scores(n=n, metrics={k: Measured(value=v) for k, v in (metrics or {}).items()}),
        slices=tuple(
            SliceScores(
                where={"sex": name}, n=rows, metrics={k: Measured(value=v) for k, v in values.items()}
            )
            for name, (rows, values) in (slices or {}).items()
        ),
        champion=champion or (CHAMPION if comparison or problem else None),
        champion_problem=problem,
        comparison=comparison,
    )


def rules(*items: dict[str, Any], first_model: str = "rules_only") -> Approval:
    return Approval.model_validate({"first_model": first_model, "rules": items})


@pytest.mark.parametrize(
    ("value", "decision"),
    [(0.7799, "REJECT"), (0.7799999999, "REJECT"), (0.78, "APPROVE"), (0.7801, "APPROVE"), (math.nan, "HOLD"),
     (math.inf, "HOLD")],
)  # fmt: skip
def test_minimum(value: float, decision: str) -> None:
    verdict = judge(evaluation({"accuracy": value}), rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.decision == decision


@pytest.mark.parametrize(("value", "decision"), [(0.97, "APPROVE"), (0.9701, "HOLD"), (1.0, "HOLD")])
def test_maximum_catches_what_is_too_good(value: float, decision: str) -> None:
    rule = {"metric": "roc_auc", "max": 0.97, "on_fail": "hold"}
    assert judge(evaluation({"roc_auc": value}), rules(rule), None).decision == decision


def test_a_missing_metric_holds() -> None:
    verdict = judge(evaluation({"f1": 0.9}), rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.decision == "HOLD"
    assert verdict.reasons[0] == "accuracy: undefined on 262 rows → cannot be judged"


def test_no_rules_hold() -> None:
    assert judge(evaluation({"accuracy": 1.0}), rules(), None).decision == "HOLD"


@pytest.mark.parametrize(
    ("difference", "error", "decision"),
    [
        (0.0, 0.018, "APPROVE"),  # bound −1.6449 · 0.018 = −0.02961
        (0.0, 0.0183, "HOLD"),  # bound −0.03010
        (-0.03, 0.0, "APPROVE"),
        (-0.0301, 0.0, "HOLD"),
        (0.10, 0.07, "APPROVE"),  # better by luck or not: bound −0.01514
        (0.05, math.nan, "HOLD"),
        (math.nan, 0.01, "HOLD"),
        (0.05, -1.0, "HOLD"),
    ],
)
def test_no_worse_than_the_champion(difference: float, error: float, decision: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "confidence": 0.95}, "on_fail": "hold"}
    assert judge(evaluation(versus=(difference, error)), rules(rule), CHAMPION).decision == decision


@pytest.mark.parametrize(
    ("difference", "error", "decision"),
    [
        (0.02, 0.006, "APPROVE"),  # bound 0.02 − 1.6449 · 0.006 = 0.01013
        (0.02, 0.0061, "REJECT"),  # bound 0.00997
        (0.0, 0.001, "REJECT"),
    ],
)
def test_proven_gain(difference: float, error: float, decision: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"min_gain": 0.01, "confidence": 0.95}}
    assert judge(evaluation(versus=(difference, error)), rules(rule), CHAMPION).decision == decision


@pytest.mark.parametrize(
    ("difference", "decision"), [(0.03, "APPROVE"), (0.031, "REJECT"), (-0.2, "APPROVE")]
)
def test_of_a_loss_less_is_better(difference: float, decision: str) -> None:
    rule = {"metric": "log_loss", "versus_champion": {"max_loss": 0.03}}
    found = evaluation(versus=(difference, 0.0), metric="log_loss")
    assert judge(found, rules(rule), CHAMPION).decision == decision


def test_without_a_champion_the_comparison_is_skipped_and_said() -> None:
    approval = rules(
        {"metric": "accuracy", "min": 0.78}, {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
    )
    verdict = judge(evaluation({"accuracy": 0.8, "roc_auc": 0.85}), approval, None)
    assert verdict.decision == "APPROVE"
    assert [result.outcome for result in verdict.rules] == ["pass", "skipped"]
    assert "no champion to compare with (first_model: rules_only)" in verdict.reasons[1]


def test_only_comparison_rules_and_no_champion_cannot_approve() -> None:
    approval = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert judge(evaluation({"roc_auc": 0.1}), approval, None).decision == "HOLD"


def test_first_model_hold() -> None:
    approval = rules({"metric": "accuracy", "min": 0.78}, first_model="hold")
    assert judge(evaluation({"accuracy": 0.9}), approval, None).decision == "HOLD"
    assert judge(evaluation({"accuracy": 0.7}), approval, None).decision == "REJECT"
    assert judge(evaluation({"accuracy": 0.9}, champion=CHAMPION), approval, CHAMPION).decision == "APPROVE"


def test_a_champion_that_could_not_be_scored_holds_and_says_why() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
    verdict = judge(evaluation({"roc_auc": 0.9}, problem="made by scikit-learn 1.2"), rules(rule), CHAMPION)
    assert verdict.decision == "HOLD"
    assert "made by scikit-learn 1.2" in verdict.reasons[0]


@pytest.mark.parametrize(("then", "now"), [(None, CHAMPION), (CHAMPION, None), (CHAMPION, CHAMPION + "2")])
def test_a_champion_that_changed_meanwhile_holds(then: str | None, now: str | None) -> None:
    found = evaluation({"accuracy": 0.9}, champion=then)
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.78}), now)
    assert verdict.decision == "HOLD"
    assert any("the champion changed" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("rows", "recall", "decision"),
    [(50, 0.75, "APPROVE"), (50, 0.7499, "HOLD"), (49, 0.99, "HOLD"), (0, math.nan, "HOLD")],
)
def test_slice(rows: int, recall: float, decision: str) -> None:
    rule = {"metric": "recall", "slice": {"sex": "female"}, "min": 0.75, "min_samples": 50, "on_fail": "hold"}
    found = evaluation(slices={"female": (rows, {"recall": recall})})
    assert judge(found, rules(rule), None).decision == decision


def test_a_slice_that_was_not_evaluated_holds() -> None:
    rule = {"metric": "recall", "slice": {"sex": "female"}, "min": 0.75}
    assert judge(evaluation({"recall": 1.0}), rules(rule), None).decision == "HOLD"


def test_too_few_rows_hold_even_where_failing_rejects() -> None:
    rule = {"metric": "accuracy", "min": 0.78, "min_samples": 100}
    assert judge(evaluation({"accuracy": 0.99}, n=99), rules(rule), None).decision == "HOLD"
    assert judge(evaluation({"accuracy": 0.99}, n=100), rules(rule), None).decision == "APPROVE"


@pytest.mark.parametrize(("rows", "decision"), [(0, "HOLD"), (29, "HOLD"), (30, "APPROVE")])
def test_a_comparison_on_a_handful_of_rows_proves_nothing(rows: int, decision: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.0, "confidence": 0.99}}
    assert judge(evaluation(versus=(0.0, 0.0), n=rows), rules(rule), CHAMPION).decision == decision


def test_what_cannot_be_known_holds_even_where_failing_only_warns() -> None:
    approval = rules({"metric": "accuracy", "min": 0.7}, {"metric": "f1", "min": 0.7, "on_fail": "warn"})
    assert judge(evaluation({"accuracy": 0.8, "f1": math.nan}), approval, None).decision == "HOLD"
    assert judge(evaluation({"accuracy": 0.8, "f1": 0.1}), approval, None).decision == "APPROVE"


def test_reject_beats_hold_and_a_warning_is_told() -> None:
    approval = rules(
        {"metric": "accuracy", "min": 0.78},
        {"metric": "roc_auc", "max": 0.97, "on_fail": "hold"},
        {"metric": "f1", "min": 0.7, "on_fail": "warn"},
    )
    verdict = judge(evaluation({"accuracy": 0.5, "roc_auc": 0.99, "f1": 0.6}), approval, None)
    assert verdict.decision == "REJECT"
    assert verdict.reasons == (
        "accuracy: 0.5, needs ≥ 0.78 → fail",
        "roc_auc: 0.99, needs ≤ 0.97 → fail",
        "f1: 0.6, needs ≥ 0.7 → fail",
    )
    warned = judge(evaluation({"accuracy": 0.8, "roc_auc": 0.9, "f1": 0.6}), approval, None)
    assert warned.decision == "APPROVE"
    assert "f1: 0.6, needs ≥ 0.7 → fail" in warned.reasons


def test_numbers_show_on_which_side_of_the_limit_they_lie() -> None:
    verdict = judge(evaluation({"accuracy": 0.779999}), rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.reasons == ("accuracy: 0.779999, needs ≥ 0.78 → fail",)


def test_the_comparison_as_a_person_reads_it() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "confidence": 0.95}}
    verdict = judge(evaluation(versus=(0.012, 0.0097)), rules(rule), CHAMPION)
    assert verdict.reasons == (
        "roc_auc: candidate 0.862 − champion 0.85 = +0.012, lower 0.95 bound -0.003955, "
        "needs ≥ -0.03 on 262 rows → pass",
    )


numbers = st.one_of(st.floats(), st.floats(0, 1))
versus = st.builds(
    VersusChampion, max_loss=st.floats(0, 1), confidence=st.floats(0.5, 1, exclude_min=True, exclude_max=True)
)
some_rules = st.lists(
    st.builds(
        Rule,
        metric=st.sampled_from(["accuracy", "roc_auc", "log_loss"]),
        min=st.floats(0, 1),
        versus_champion=st.none() | versus,
        min_samples=st.none() | st.integers(1, 300),
        on_fail=st.sampled_from(["reject", "hold", "warn"]),
    ),
    max_size=4,
)


@settings(deadline=None)
@given(some_rules, st.dictionaries(st.sampled_from(["accuracy", "roc_auc", "log_loss"]), numbers),
       st.integers(0, 300), st.booleans())  # fmt: skip
def test_an_approval_rests_on_every_number_it_needs(
    asked: list[Rule], metrics: dict[str, float], n: int, with_champion: bool
) -> None:
    found = evaluation(metrics, n=n, champion=CHAMPION if with_champion else None)
    verdict = judge(found, Approval(rules=tuple(asked)), found.champion)
    needed = [metrics.get(rule.metric, math.nan) for rule in asked]
    if (
        not asked
        or not all(math.isfinite(value) for value in needed)
        or any(n < (rule.min_samples or 1) for rule in asked)
        or (with_champion and any(rule.versus_champion for rule in asked))  # there is no comparison
    ):
        assert verdict.decision in ("HOLD", "REJECT")
    if verdict.decision == "APPROVE":
        assert all(metrics[rule.metric] >= (rule.min or 0) for rule in asked if rule.on_fail != "warn")
