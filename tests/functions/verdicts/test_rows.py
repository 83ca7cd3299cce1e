"""Too few rows hold: floors, clusters and the rarest class; and rows that were left out are counted."""

from __future__ import annotations

from typing import Any

import pytest

from retraining.config.rules import MetricRule
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import RuleResult
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules

VERSUS = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
IN_SLICE = VERSUS | {"slice": {"sex": "female"}}


def with_counts(found: Evaluation, **counts: Any) -> Evaluation:
    """The evaluation with these counts on the candidate's rows and on the compared rows."""
    comparison = found.comparison and found.comparison.model_copy(update=counts)
    candidate = found.candidate.model_copy(update=counts)
    return found.model_copy(update={"candidate": candidate, "comparison": comparison})


def answer(found: Evaluation, rule: dict[str, Any]) -> RuleResult:
    return judge(found, rules(rule), found.champion).rules[0]


@pytest.mark.parametrize("samples", [None, 1, 2, 29])
def test_min_samples_does_not_lower_the_floor_of_a_comparison(samples: int | None) -> None:
    """handsoff.yaml refuses it; a stored configuration may have it."""
    rule = VERSUS if samples is None else VERSUS | {"min_samples": samples}
    found = answer(evaluation(versus=(0.0, 0.001), n=29), rule)
    assert (found.outcome, found.effect) == ("unknown", "hold")
    assert found.text == "roc_auc: 29 rows, needs ≥ 30 → cannot be judged"
    assert answer(evaluation(versus=(0.0, 0.001), n=30), rule).outcome == "pass"


def test_min_samples_raises_the_floor_of_a_comparison() -> None:
    rule = VERSUS | {"min_samples": 100}
    assert answer(evaluation(versus=(0.0, 0.001), n=99), rule).outcome == "unknown"
    assert answer(evaluation(versus=(0.0, 0.001), n=100), rule).outcome == "pass"


@pytest.mark.parametrize(("metric", "answers"), [
    ("recall", True), ("precision", True), ("f1", True), ("balanced_accuracy", True), ("roc_auc", True),
    ("average_precision", True), ("accuracy", False), ("brier", False), ("log_loss", False),
])  # fmt: skip
@pytest.mark.parametrize("limit", ["min", "max"])
def test_a_limit_on_a_metric_that_depends_on_classes_needs_ten_rows_of_each(
    metric: str, answers: bool, limit: str
) -> None:
    found = evaluation({metric: 0.5})
    rule = {"metric": metric, limit: 0.5}
    few = answer(with_counts(found, smallest_class=9), rule)
    assert few.outcome == ("unknown" if answers else "pass")
    if answers:
        assert few.text == f"{metric}: 9 rows of the rarest class, needs ≥ 10 → cannot be judged"
    assert answer(with_counts(found, smallest_class=10), rule).outcome == "pass"
    assert answer(with_counts(found, smallest_class=None), rule).outcome == "pass"


def test_one_positive_row_of_a_slice_cannot_be_judged() -> None:
    found = evaluation(slices={"female": (60, {"recall": 1.0})})
    (slice_,) = found.slices
    found = found.model_copy(update={"slices": (slice_.model_copy(update={"smallest_class": 1}),)})
    rule = {"metric": "recall", "slice": {"sex": "female"}, "min": 0.9, "min_samples": 50}
    assert answer(found, rule).text == (
        "recall where sex = female: 1 row of the rarest class, needs ≥ 10 → cannot be judged"
    )


@pytest.mark.parametrize("rule", [{"min": 0.5}, {"versus_champion": {"max_loss": 0.1}}])
def test_precision_needs_ten_rows_of_the_class_that_is_predicted_most_rarely(rule: dict[str, Any]) -> None:
    found = evaluation({"precision": 0.8}, metric="precision", versus=(0.0, 0.001))
    asked = {"metric": "precision", **rule}
    few = answer(with_counts(found, smallest_predicted=9), asked)
    assert few.text == ("precision: 9 rows that are predicted positive, needs ≥ 10 → cannot be judged")
    assert answer(with_counts(found, smallest_predicted=10), asked).outcome == "pass"
    recall = evaluation({"recall": 0.8})
    assert (
        answer(with_counts(recall, smallest_predicted=0), {"metric": "recall", "min": 0.5}).outcome == "pass"
    )


def test_precision_of_a_champion_that_predicts_few_cannot_be_judged() -> None:
    found = evaluation(metric="precision", versus=(0.0, 0.001))
    assert found.comparison is not None
    few = found.model_copy(
        update={
            "candidate": found.candidate.model_copy(update={"smallest_predicted": 40}),
            "comparison": found.comparison.model_copy(update={"smallest_predicted": 3}),
        }
    )
    asked = {"metric": "precision", "versus_champion": {"max_loss": 0.1}}
    assert answer(few, asked).outcome == "unknown"


@pytest.mark.parametrize(
    ("rows", "samples", "outcome"),
    [(1, None, "unknown"), (9, None, "unknown"), (10, None, "pass"), (2, 2, "pass")],
)
def test_a_limit_on_a_slice_needs_ten_rows_unless_min_samples_says_otherwise(
    rows: int, samples: int | None, outcome: str
) -> None:
    found = evaluation(slices={"female": (rows, {"accuracy": 1.0})})
    rule = {"metric": "accuracy", "slice": {"sex": "female"}, "min": 0.7, "min_samples": samples}
    assert answer(found, rule).outcome == outcome


# ---- clusters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("clusters", "outcome"), [(29, "unknown"), (30, "pass"), (None, "pass")])
def test_a_comparison_counts_clusters_where_rows_depend_on_each_other(
    clusters: int | None, outcome: str
) -> None:
    found = with_counts(evaluation(versus=(0.0, 0.001), n=90), clusters=clusters)
    assert answer(found, VERSUS).outcome == outcome


def test_too_few_clusters_are_said_beside_the_rows() -> None:
    found = with_counts(evaluation(versus=(0.0, 0.001), n=90), clusters=12)
    assert answer(found, VERSUS).text == "roc_auc: 90 rows (12 clusters), needs ≥ 30 → cannot be judged"
    few = with_counts(evaluation(versus=(0.0, 0.001), n=90), clusters=40, smallest_class=7)
    assert (
        answer(few, VERSUS).text == "roc_auc: 7 clusters of the rarest class, needs ≥ 10 → cannot be judged"
    )


def test_min_samples_of_a_limit_counts_clusters() -> None:
    found = with_counts(evaluation({"accuracy": 0.8}, n=90), clusters=40)
    assert answer(found, {"metric": "accuracy", "min": 0.6, "min_samples": 41}).outcome == "unknown"
    assert answer(found, {"metric": "accuracy", "min": 0.6, "min_samples": 40}).outcome == "pass"


@pytest.mark.parametrize(("clusters", "decision"), [(29, "HOLD"), (30, "APPROVE")])
def test_guessing_counts_clusters(clusters: int, decision: str) -> None:
    found = with_counts(evaluation({"accuracy": 0.8}, n=300), clusters=clusters)
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.6}), None)
    assert verdict.decision == decision
    if decision == "HOLD":
        assert verdict.texts == ("roc_auc: 300 rows (29 clusters), needs ≥ 30 to tell from guessing",)


def test_more_clusters_than_rows_count_as_rows() -> None:
    found = with_counts(evaluation(versus=(0.0, 0.001), n=29), clusters=1000)
    assert answer(found, VERSUS).outcome == "unknown"


# ---- rows that were left out -------------------------------------------------------------------------------


def test_a_passed_comparison_says_how_many_rows_were_left_out_and_why() -> None:
    found = evaluation(versus=(0.0, 0.001), n=32)
    assert found.comparison is not None
    found = found.model_copy(
        update={
            "leaked": 3,
            "same_group": 5,
            "comparison": found.comparison.model_copy(update={"excluded": 230, "excluded_groups": 7}),
        }
    )
    assert answer(found, VERSUS).text == (
        "roc_auc: candidate 0.85 − champion 0.85 = +0, lower 95 % bound −0.001645, needs ≥ −0.03 on 32 rows "
        "(left out: 3 that the candidate was trained on, 5 whose group the candidate was trained on, "
        "230 that the champion was trained on, 7 whose group the champion was trained on) → pass"
    )


@pytest.mark.parametrize(
    ("excluded_groups", "why"),
    [
        (None, "33 that the champion was trained on"),
        (0, "33 that the champion was trained on"),
        (9, "33 that the champion was trained on, or whose group it was trained on"),
    ],
)
def test_a_slice_says_how_many_of_its_rows_left_the_comparison(excluded_groups: int | None, why: str) -> None:
    found = evaluation(
        versus=(0.0, 0.001),
        versus_in={"female": (60, (0.0, 0.001))},
        slices={"female": (93, {"roc_auc": 0.8})},
    )
    assert found.comparison is not None
    comparison = found.comparison.model_copy(update={"excluded": 40, "excluded_groups": excluded_groups})
    text = answer(found.model_copy(update={"comparison": comparison}), IN_SLICE).text
    assert f"on 60 rows (left out: {why}) → pass" in text


def test_no_row_left_out_is_not_mentioned() -> None:
    assert answer(evaluation(versus=(0.0, 0.001)), VERSUS).text.endswith("on 262 rows → pass")


def test_a_slice_that_no_validation_row_is_in_says_so() -> None:
    found = evaluation(slices={"female": (0, {})})
    rule = {"metric": "recall", "slice": {"sex": "female"}, "min": 0.75}
    assert answer(found, rule).text == (
        "recall where sex = female: 0 rows (no validation row has these values), needs ≥ 10 "
        "→ cannot be judged"
    )


def test_rows_needed_is_the_larger_of_both() -> None:
    for samples, needed in ((None, 30), (1, 30), (31, 31)):
        rule = MetricRule.model_validate(VERSUS | {"min_samples": samples})
        assert rule.rows_needed == needed
    assert MetricRule.model_validate({"metric": "accuracy", "min": 0.5, "min_samples": 7}).rows_needed == 7
    assert MetricRule.model_validate({"metric": "accuracy", "min": 0.5}).rows_needed == 1
    sliced = {"metric": "accuracy", "min": 0.5, "slice": {"sex": "female"}}
    assert MetricRule.model_validate(sliced).rows_needed == 10
    assert MetricRule.model_validate(sliced | {"min_samples": 2}).rows_needed == 2
    assert MetricRule.model_validate({"metric": "mae", "versus_anchor": {"max_loss": 1}}).rows_needed == 30


def test_comparison_of_an_earlier_version_is_judged_by_its_rows() -> None:
    found = evaluation(versus=(0.0, 0.001), n=30)
    assert found.candidate.clusters is None
    assert judge(found, rules(VERSUS), CHAMPION).decision == "APPROVE"
