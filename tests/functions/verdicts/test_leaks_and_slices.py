"""Look-alike rows, slices on which the candidate is worse, and limits that guessing meets, too."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from retraining.config.rules import Approval
from retraining.verdicts.evaluation import Evaluation, FoundSlice, Lookalikes, Measured, parse_evaluation
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Verdict
from tests.functions.fakes import ROOT
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules

ACCURACY = {"metric": "accuracy", "min": 0.6}


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


# ---- look-alike rows ---------------------------------------------------------------------------------------


def alike(equal: int, share: float, train_share: float, z: float) -> Lookalikes:
    return Lookalikes(n=262, equal=equal, share=share, train_n=1047, train_share=train_share, z=z)


@pytest.mark.parametrize(
    ("found", "held"),
    [
        (None, False),  # an earlier version
        (alike(14, 0.0534, 0.0520, 0.06), False),  # the honest Titanic
        (alike(40, 0.1527, 0.0520, 3.8), False),
        (alike(40, 0.1527, 0.0520, 4.0), False),
        (alike(41, 0.1565, 0.0520, 4.01), True),
        (alike(66, 0.2519, 0.0520, 7.2), True),
        (alike(1, 0.0038, 0.0, math.nan), True),  # no training row is repeated, and one is equal
        (alike(1, 0.0038, 0.0, math.inf), True),
        (alike(262, 1.0, 1.0, math.nan), False),  # every row is repeated, also within train
        (alike(0, 0.0, 0.0, math.nan), False),
        (alike(5, math.nan, 0.1, math.nan), True),
    ],
)
def test_look_alike_rows_hold_above_z_of_four(found: Lookalikes | None, held: bool) -> None:
    measured = evaluation({"accuracy": 0.8}).model_copy(update={"lookalikes": found})
    verdict = judge(measured, rules(ACCURACY), None)
    assert (verdict.decision, "lookalike_rows" in codes(verdict)) == (
        ("HOLD", True) if held else ("APPROVE", False)
    )


def test_text_of_look_alike_rows() -> None:
    measured = evaluation({"accuracy": 0.8}).model_copy(update={"lookalikes": alike(66, 0.2519, 0.052, 7.23)})
    assert judge(measured, rules(ACCURACY), None).texts == (
        "look-alike rows: 66 of 262 validation rows (25.2%) have the features and the target of a row that "
        "the candidate was trained on; of its training rows 5.2% have those of another: z 7.23, needs ≤ 4: "
        "validation rows seem to stand in its training data",
    )


COPIES = Lookalikes(n=786, equal=786, share=1.0, train_n=1047, train_share=218 / 1047, z=41.319)
"""The Titanic's validation rows three times, under new ids."""


@pytest.mark.parametrize(("z", "held"), [(-5.6, False), (4.0, False), (4.01, True), (math.nan, True)])
def test_copies_within_validation_hold_above_z_of_four(z: float, held: bool) -> None:
    measured = evaluation({"accuracy": 0.8}).model_copy(update={"copies": COPIES.model_copy(update={"z": z})})
    verdict = judge(measured, rules(ACCURACY), None)
    assert (verdict.decision, "lookalike_rows" in codes(verdict)) == (
        ("HOLD", True) if held else ("APPROVE", False)
    )


def test_text_of_copies_within_validation_names_the_way_out() -> None:
    measured = evaluation({"accuracy": 0.8}).model_copy(update={"copies": COPIES})
    assert judge(measured, rules(ACCURACY), None).texts == (
        "look-alike rows: 786 of 786 validation rows (100.0%) have the features and the target of another "
        "validation row, where 20.8% are expected from train: z 41.32, needs ≤ 4: rows seem to stand in "
        "validation several times, and to count as independent ones. Take the copies out, or name what they "
        "share in data.identity or data.group",
    )


def test_look_alike_rows_of_the_champion_hold_and_are_its_fault() -> None:
    measured = evaluation({"accuracy": 0.8}, versus=(0.0, 0.001))
    assert measured.comparison is not None
    comparison = measured.comparison.model_copy(update={"lookalikes": alike(66, 0.2519, 0.052, 7.23)})
    measured = measured.model_copy(update={"comparison": comparison})
    verdict = judge(measured, rules(ACCURACY), CHAMPION)
    assert (verdict.decision, codes(verdict)) == ("HOLD", ["champion_lookalike_rows"])
    assert "of a row that the champion was trained on" in verdict.texts[0]
    assert verdict.held_by_champion
    assert judge(measured, rules(ACCURACY), CHAMPION, without_champion="ana").decision == "APPROVE"


def test_look_alike_rows_do_not_hinder_a_rejection() -> None:
    measured = evaluation({"accuracy": 0.5}).model_copy(update={"lookalikes": alike(66, 0.2519, 0.052, 7.23)})
    verdict = judge(measured, rules(ACCURACY), None)
    assert (verdict.decision, codes(verdict)) == ("REJECT", ["rule_failed", "lookalike_rows"])


# ---- slices ------------------------------------------------------------------------------------------------


def part(column: str = "region", p_holm: float = 0.001, **changes: Any) -> FoundSlice:
    values = {
        "column": column, "value": "islands", "range": None, "n": 93, "clusters": 93, "loss": "log_loss",
        "difference": 0.4213, "standard_error": 0.05, "p": 0.0001, "p_holm": p_holm,
    }  # fmt: skip
    return FoundSlice.model_validate(values | changes)


def with_slices(*parts: FoundSlice) -> Evaluation:
    found = evaluation({"accuracy": 0.8}, versus=(0.01, 0.001))
    assert found.comparison is not None
    comparison = found.comparison.model_copy(update={"found_slices": parts, "slices_tested": 14})
    return found.model_copy(update={"comparison": comparison})


def approval(worse_slice: str) -> Approval:
    return Approval.model_validate({"rules": [ACCURACY], "worse_slice": worse_slice})


@pytest.mark.parametrize(
    ("p_holm", "worse"), [(0.0, True), (0.0499, True), (0.05, False), (1.0, False), (math.nan, True)]
)
@pytest.mark.parametrize("key", ["hold", "warn"])
def test_a_slice_that_is_worse_after_holms_correction_holds_or_warns(
    p_holm: float, worse: bool, key: str
) -> None:
    verdict = judge(with_slices(part(p_holm=p_holm)), approval(key), CHAMPION)
    assert verdict.decision == ("HOLD" if worse and key == "hold" else "APPROVE")
    assert ("slice_worse" in codes(verdict)) is worse


def test_reason_names_the_slices_and_no_more_than_three() -> None:
    parts = [
        part(),
        part(column="age", value=None, range=(30.0, 45.5), n=63, p_holm=0.0123),
        part(column="fare", value=None, p_holm=0.02),
        part(column="sex", value="female", p_holm=0.03),
        part(column="sex", value="male", p_holm=0.6),
    ]
    assert judge(with_slices(*parts), approval("hold"), CHAMPION).texts == (
        "worse than the champion where region = islands: 93 rows, mean log loss worse by 0.4213",
        "worse than the champion where age is from 30 to 45.5: 63 rows, mean log loss worse by 0.4213",
        "worse than the champion where fare is missing: 93 rows, mean log loss worse by 0.4213",
        "worse than the champion in 1 more slice",
    )
    more = [*parts[:4], part(column="sex", value="other", p_holm=0.04)]
    assert judge(with_slices(*more), approval("hold"), CHAMPION).texts[3] == (
        "worse than the champion in 2 more slices"
    )


def test_each_reason_of_slices_holds_and_has_the_code() -> None:
    verdict = judge(with_slices(part(), part(column="fare", value=None)), approval("hold"), CHAMPION)
    assert [(reason.code, reason.effect) for reason in verdict.reasons] == [("slice_worse", "hold")] * 2


def test_reason_of_an_unknown_p_value_says_so() -> None:
    (text,) = judge(with_slices(part(p_holm=math.nan)), approval("hold"), CHAMPION).texts
    assert text.endswith("worse by 0.4213; whether by chance is not known")


def test_reason_says_what_is_allowed_on_the_slice() -> None:
    (text,) = judge(with_slices(part(margin=0.0123)), approval("hold"), CHAMPION).texts
    assert "93 rows, mean log loss worse by 0.4213, allowed 0.0123" in text


def test_reason_names_a_range_of_one_number_as_that_number() -> None:
    (text,) = judge(
        with_slices(part(column="parch", value=None, range=(0, 0))), approval("hold"), CHAMPION
    ).texts
    assert text.startswith("worse than the champion where parch = 0: 93 rows")


def test_reason_shows_a_long_category_on_one_line_and_cut() -> None:
    odd = part(value="a\n\u202eb\x1b" + "c" * 500)
    (text,) = judge(with_slices(odd), approval("hold"), CHAMPION).texts
    assert text.startswith("worse than the champion where region = a b ccc")
    assert "c" * 75 + "…: 93 rows" in text
    assert text.isprintable()


def test_worse_slices_are_no_reason_without_the_champion_or_of_an_earlier_version() -> None:
    found = with_slices(part())
    assert judge(found, approval("hold"), CHAMPION, without_champion="ana").decision == "APPROVE"
    assert found.comparison is not None
    comparison = found.comparison.model_copy(update={"found_slices": None})
    earlier = found.model_copy(update={"comparison": comparison})
    assert judge(earlier, approval("hold"), CHAMPION).decision == "APPROVE"


# ---- rules that ask nothing --------------------------------------------------------------------------------


def guessed(metric: str, value: float, **metrics: float) -> Evaluation:
    found = evaluation(metrics)
    baseline = {**found.baseline.metrics, metric: Measured(value=value)}
    return found.model_copy(update={"baseline": found.baseline.model_copy(update={"metrics": baseline})})


@pytest.mark.parametrize(
    ("rule", "found", "nothing", "decision"),
    [
        (ACCURACY, guessed("accuracy", 0.618, accuracy=0.8), True, "APPROVE"),
        (ACCURACY, guessed("accuracy", 0.6, accuracy=0.8), True, "APPROVE"),
        (ACCURACY, guessed("accuracy", 0.5999, accuracy=0.8), False, "APPROVE"),
        (ACCURACY, guessed("accuracy", math.nan, accuracy=0.8), False, "APPROVE"),
        (ACCURACY, guessed("accuracy", 0.8, accuracy=0.8), True, "HOLD"),
        ({"metric": "accuracy", "min": 0.9}, guessed("accuracy", 0.999, accuracy=0.9985), True, "HOLD"),
        ({"metric": "accuracy", "min": 0.9}, guessed("accuracy", 0.999, accuracy=0.9991), True, "APPROVE"),
        ({"metric": "brier", "max": 0.25}, guessed("brier", 0.236, brier=0.1), True, "APPROVE"),
        ({"metric": "brier", "max": 0.25}, guessed("brier", 0.236, brier=0.24), True, "HOLD"),
        ({"metric": "brier", "max": 0.2}, guessed("brier", 0.236, brier=0.1), False, "APPROVE"),
        ({"metric": "roc_auc", "max": 0.97}, guessed("roc_auc", 0.5, roc_auc=0.9), False, "APPROVE"),
        ({"metric": "roc_auc", "min": 0.5}, guessed("roc_auc", 0.5, roc_auc=0.9), True, "APPROVE"),
    ],
)
def test_a_limit_that_guessing_meets_is_warned_of_and_alone_needs_more_than_guessing(
    rule: dict[str, Any], found: Evaluation, nothing: bool, decision: str
) -> None:
    alone = judge(found, rules(rule), None)
    assert ("asks_nothing" in codes(alone), alone.decision) == (nothing, decision)
    other = {"metric": "f1", "min": 0.5}
    candidate = found.candidate.model_copy(
        update={"metrics": {**found.candidate.metrics, "f1": Measured(value=0.7)}}
    )
    beside = judge(found.model_copy(update={"candidate": candidate}), rules(rule, other), None)
    assert ("asks_nothing" in codes(beside), beside.decision) == (nothing, "APPROVE")


def test_text_of_a_limit_that_guessing_meets() -> None:
    found = guessed("accuracy", 0.999, accuracy=0.9985)
    assert judge(found, rules({"metric": "accuracy", "min": 0.9}), None).texts == (
        "no rule was met that guessing does not meet as well, so nothing can be approved by rule",
        "accuracy min 0.9: guessing (class 0, 0.62 of the training rows) reaches 0.999 and meets this limit, "
        "too, so it asks nothing",
    )


def test_a_limit_that_guessing_meets_counts_beside_a_comparison_in_one_rule() -> None:
    rule = {"metric": "roc_auc", "min": 0.5, "versus_champion": {"max_loss": 0.03}}
    verdict = judge(evaluation({"roc_auc": 0.85}, versus=(0.0, 0.001)), rules(rule), CHAMPION)
    assert (verdict.decision, "asks_nothing" in codes(verdict)) == ("APPROVE", True)


def test_a_limit_on_a_slice_is_not_compared_with_guessing() -> None:
    rule = {"metric": "accuracy", "slice": {"sex": "female"}, "min": 0.1}
    found = guessed("accuracy", 0.6, accuracy=0.8)
    sliced = evaluation(slices={"female": (60, {"accuracy": 0.8})}).slices
    assert judge(found.model_copy(update={"slices": sliced}), rules(rule), None).decision == "APPROVE"


def test_limits_print_the_interval_and_what_guessing_reaches() -> None:
    sample = parse_evaluation((ROOT / "tests/samples/evaluation.json").read_text(), source="sample")
    asked = rules({"metric": "accuracy", "min": 0.78}, {"metric": "expected_calibration_error", "max": 0.1})
    results = judge(sample, asked, sample.champion).rules
    assert results[0].text.startswith("accuracy: 0.8053 (95 % interval 0.75")
    assert "; guessing 0.6183), needs ≥ 0.78 → pass" in results[0].text
    assert "interval" not in results[1].text
    json.dumps(results[0].model_dump(), allow_nan=False)
