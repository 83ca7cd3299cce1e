"""Whether the numbers can be trusted: the rows they are of, a leap, and where pages say it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from retraining.config.rules import Approval
from retraining.html.trust import leap, trust
from retraining.review_page.view import Known, review
from retraining.verdicts.evaluation import (
    Difference,
    Evaluation,
    Lookalikes,
    Measured,
    Moved,
    Shift,
    parse_evaluation,
)
from retraining.verdicts.judge import judge
from tests.functions.candidates.packages import a_package
from tests.functions.fakes import ROOT, arn_of
from tests.report.cases import approved, held, page_of, text_of, told
from tests.review.stage import Stage


def sample(name: str = "evaluation", **changes: Any) -> Evaluation:
    path = ROOT / f"tests/samples/{name}.json"
    return parse_evaluation(path.read_text(), source=path.name).model_copy(update=changes)


def gained(
    champion: float, half: float, difference: float, metric: str = "roc_auc", name: str = "evaluation"
) -> Evaluation:
    """A champion with the interval ± `half`, and a candidate whose metric differs by so much."""
    found = sample(name)
    assert found.comparison
    measured = Measured(value=champion, interval=(champion - half, champion + half))
    differences = {metric: Difference(value=difference, standard_error=0.01)}
    compared = found.comparison.model_copy(
        update={"champion": {metric: measured}, "differences": differences}
    )
    return found.model_copy(update={"comparison": compared})


@pytest.mark.parametrize(
    ("champion", "half", "difference", "is_one"),
    [
        pytest.param(0.809, 0.022, 0.149, True, id="near copies of the validation rows in training"),
        pytest.param(0.7, 0.02, 0.1, True, id="a third of what is lacking"),
        pytest.param(0.7, 0.02, 0.09, False, id="less than a third of it"),
        pytest.param(0.7, 0.12, 0.2, False, id="few rows: chance may give it"),
        pytest.param(0.9, 0.001, 0.01, False, id="many rows: beyond chance and small"),
        pytest.param(0.809, 0.022, -0.149, False, id="a loss"),
        pytest.param(1.0, 0.0, 0.0, False, id="a perfect champion"),
        pytest.param(0.7, math.nan, 0.2, False, id="no interval"),
        pytest.param(0.7, 0.02, math.nan, False, id="no difference"),
    ],
)
def test_leap_is_a_gain_beyond_chance_of_a_third_of_what_the_champion_lacks(
    champion: float, half: float, difference: float, is_one: bool
) -> None:
    assert bool(leap(gained(champion, half, difference))) is is_one


def test_leap_says_from_where_to_where_and_what_to_look_for() -> None:
    assert leap(gained(0.809, 0.022, 0.149)) == (
        "A leap: roc auc is better than the champion's by 0.1490, from 0.8090 to 0.9580. Gains of this size "
        "are rare. Look for validation rows, or near copies of them, among the training rows, and for a "
        "feature that tells the target."
    )


def test_leap_of_an_error_is_a_fall() -> None:
    fallen = leap(gained(60.0, 5.0, -25.0, "rmse", "evaluation.regression"))
    assert "rmse is better than the champion's by 25, from 60 to 35." in fallen
    assert leap(gained(60.0, 5.0, 25.0, "rmse", "evaluation.regression")) == ""


def test_leap_of_a_classifier_without_scores_is_one_of_balanced_accuracy() -> None:
    assert "balanced accuracy is better" in leap(gained(0.7, 0.02, 0.2, "balanced_accuracy"))


def test_leap_without_a_champion_is_none() -> None:
    assert leap(sample(champion=None, comparison=None)) == ""


def rows_of(evaluation: Evaluation) -> dict[str, tuple[str, ...]]:
    return {name: tuple(cells) for name, *cells in trust(evaluation).table.rows}


def test_trust_names_the_rows_that_are_used_left_out_and_alike() -> None:
    many = Lookalikes(n=262, equal=131, share=0.5, train_n=1047, train_share=0.2, z=9.1)
    moved = Shift(
        columns={"age": Moved(psi=0.5, by_chance=0.1), "fare": Moved(psi=0.15, by_chance=0.1)},
        target=Moved(psi=0.25, by_chance=0.05),
    )
    rows = rows_of(sample(leaked=1200, same_group=3, lookalikes=many, validation_drift=moved))
    assert rows["Validation rows that are used"][0] == "262"
    assert rows["Left out: seen in training"] == ("1,200", "They are in none of the numbers")
    assert rows["Left out: their group is in the training rows"][0] == "3"
    assert rows["Rows equal to a training row"] == (
        "131 of 262 (50.0 %)",
        "Too many: 20.0 % among the training rows themselves; z 9.1, 4 is allowed",
    )
    assert rows["Rows equal to another validation row"][1].startswith("No more than chance gives: 20.8 %")
    assert rows["Rows that are compared with the champion"] == (
        "252",
        "Left out: 10 that it was trained on, 0 of groups that it was trained on",
    )
    assert rows["Drift from training to validation"] == (
        "2 of 3",
        "Index beyond chance: age 0.4000, the target 0.2000. Validation measures other rows than the model "
        "has learnt from",
    )


def test_trust_of_an_earlier_evaluation_says_what_is_not_known() -> None:
    rows = rows_of(
        sample(lookalikes=None, copies=None, validation_drift=None, champion=None, comparison=None)
    )
    assert rows["Rows equal to a training row"] == ("—", "Not known")
    assert rows["Drift from training to validation"] == ("—", "Not known")
    assert "Rows that are compared with the champion" not in rows


def leapt() -> str:
    return gained(0.809, 0.022, 0.149).model_dump_json(by_alias=True)


def test_report_says_whether_the_numbers_can_be_trusted_and_names_a_leap_beside_the_conclusion() -> None:
    assert "Can the numbers be trusted?" in (page := text_of(page_of(held())))
    assert "A leap:" not in page
    stage = Stage('{"handsoff": ' + leapt() + "}")
    page = text_of(told(stage))
    assert "Beside that A leap: roc auc is better than the champion's by 0.1490" in page
    assert page.index("A leap:") < page.index("What to do:") < page.index("Can the numbers be trusted?")


WARNED = {
    "decision": "APPROVE",
    "reasons": ["0.8", "accuracy min 0.6: guessing reaches it"],
    "reasonCodes": ["rule_passed", "asks_nothing"],
    "rules": [
        {"rule": "accuracy min 0.6", "kind": "metric", "outcome": "pass", "effect": "none", "text": "0.8"}
    ],
}


def test_report_of_an_approval_with_a_warning_says_rules_met_and_the_warning_beside() -> None:
    text = text_of(told(approved(), verdict=WARNED))
    assert "Rules that are met: 1. Beside that accuracy min 0.6: guessing reaches it What to do:" in text


def test_report_of_a_held_candidate_keeps_warnings_apart_from_what_held_it() -> None:
    verdict = {
        **WARNED,
        "decision": "HOLD",
        "reasons": ["recall: fail", *WARNED["reasons"]],
        "reasonCodes": ["rule_failed", "rule_passed", "asks_nothing"],
    }
    text = text_of(told(held(), verdict=verdict))
    assert (
        "waits for a person recall: fail Rules that are met: 1. Beside that accuracy min 0.6: guessing "
        "reaches it What to do:"
    ) in text


def test_review_page_says_rules_met_warnings_beside_and_a_leap() -> None:
    approval = Approval.model_validate({"rules": [{"metric": "roc_auc", "min": 0.5}]})
    evaluation = gained(0.809, 0.022, 0.149)
    verdict = judge(evaluation, approval, arn_of(1))
    shown = review(
        Known(a_package("Approved", arn=arn_of(2)), "titanic", approval, verdict, evaluation=evaluation)
    )
    assert shown.reasons[-1].startswith("Rules that are met: ")
    assert shown.beside[0].startswith("A leap: roc auc")
    assert any("guessing" in text for text in shown.beside[1:])
    assert not any("guessing" in text and "asks nothing" in text for text in shown.reasons)
    assert shown.trust.table.rows
