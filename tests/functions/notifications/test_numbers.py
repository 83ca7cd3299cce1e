"""The three numbers of a candidate: by task, by decision, with a champion, without one, and unknown ones."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from retraining.notifications.numbers import LINE_LIMIT, of_candidate
from retraining.verdicts.evaluation import Evaluation, Measured, parse_evaluation
from retraining.verdicts.verdict import Decision, Effect, Outcome, Reason, RuleResult, Verdict

SAMPLES = Path(__file__).parents[2] / "samples"


def sample(name: str = "evaluation.json", **changes: Any) -> Evaluation:
    read = parse_evaluation((SAMPLES / name).read_text(), source=name)
    return read.model_copy(update=changes)


def rule(text: str, outcome: Outcome, effect: Effect) -> RuleResult:
    return RuleResult(rule="r", kind="metric", outcome=outcome, effect=effect, text=text)


def verdict(decision: Decision, *rules: RuleResult, reasons: tuple[Reason, ...] = ()) -> Verdict:
    return Verdict(
        decision=decision, reasons=reasons, rules=rules, champion=None, rules_sha256="0" * 64, n=262
    )


PASSED = rule("accuracy: 0.81 ≥ 0.78 → pass", "pass", "none")
FAILED = rule("roc_auc: 0.6, needs ≥ 0.78 → fail", "fail", "reject")
HELD = rule("recall where sex = female: 0.7 on 12 rows → undecided", "undecided", "hold")
FIRST = Reason(
    code="first_model_hold", text="there is no champion yet, and first_model is hold", effect="hold"
)


@pytest.mark.parametrize(
    ("found", "judged", "metric", "expected"),
    [
        pytest.param(
            sample(),
            verdict("APPROVE", PASSED),
            "roc_auc",
            (
                "roc_auc 0.875 (95 % interval 0.8195 to 0.9153) on 262 rows",
                "roc_auc +0.001555 (95 % bounds −0.01206 to +0.01518) against the champion, version 1, "
                "on 252 rows",
                "worst slice: embarked = C, mean brier +0.01976 against the champion on 48 rows "
                "(lower is better; p 1 after Holm's correction)",
            ),
            id="binary, approved",
        ),
        pytest.param(
            sample("evaluation.regression.json"),
            verdict("REJECT", PASSED, FAILED),
            "rmse",
            (
                "rmse 54.27 (95 % interval 49.17 to 60.39) (lower is better) on 147 rows",
                "rmse −1.638 (95 % bounds −4.578 to +1.302) against the champion, version 1, on 147 rows",
                "the rules rejected it: roc_auc: 0.6, needs ≥ 0.78 → fail",
            ),
            id="regression, rejected",
        ),
        pytest.param(
            sample("evaluation.multiclass.json"),
            verdict("HOLD", PASSED, HELD),
            "roc_auc_ovr",
            (
                "roc_auc_ovr 0.9992 (95 % interval 0.9906 to 0.9999) on 59 rows",
                "roc_auc_ovr +0.0007937 (95 % bounds −0.00156 to +0.003147) against the champion, version 1, "
                "on 59 rows",
                "the rules held it: " + HELD.text,
            ),
            id="multiclass, held",
        ),
        pytest.param(
            sample(champion=None, comparison=None),
            verdict("HOLD", PASSED, reasons=(FIRST,)),
            "roc_auc",
            (
                "roc_auc 0.875 (95 % interval 0.8195 to 0.9153) on 262 rows",
                "no difference to a champion: there is none",
                "the rules held it: there is no champion yet, and first_model is hold",
            ),
            id="no champion",
        ),
        pytest.param(
            sample(comparison=None, champion_problem="its artifact is gone"),
            None,
            "nothing",
            (
                "nothing is not known on 262 rows",
                "no difference to the champion, version 1: its artifact is gone",
                "no rule judged it",
            ),
            id="champion that cannot be compared, metric that was not measured, no verdict",
        ),
        pytest.param(
            sample(comparison=None, champion=None),
            verdict("APPROVE", PASSED),
            "recall",
            (
                "recall 0.72 (95 % interval 0.6251 to 0.7986) on 262 rows",
                "no difference to a champion: there is none",
                "worst slice: sex = female, recall 0.9118 (95 % interval 0.8206 to 0.9589) on 93 rows",
            ),
            id="first model approved",
        ),
        pytest.param(
            sample(comparison=None, slices=()),
            verdict("APPROVE", PASSED, PASSED),
            "accuracy",
            (
                "accuracy 0.8053 (95 % interval 0.7531 to 0.8487) on 262 rows",
                "no difference to the champion, version 1: it was not compared",
                "2 of 2 rules pass, none fails",
            ),
            id="approved without slices",
        ),
    ],
)
def test_of_candidate_says_main_metric_difference_and_what_decided(
    found: Evaluation, judged: Verdict | None, metric: str, expected: tuple[str, str, str]
) -> None:
    assert of_candidate(found, judged, metric) == expected


def test_of_candidate_names_the_rule_with_its_number_before_other_reasons() -> None:
    judged = verdict("HOLD", HELD, reasons=(FIRST, Reason(code="rule_undecided", text=HELD.text)))
    assert of_candidate(sample(), judged, "roc_auc")[2] == "the rules held it: " + HELD.text


def test_of_candidate_never_says_who_decided() -> None:
    """A person may have decided otherwise; the e-mail says below who did."""
    for judged in (verdict("HOLD", HELD), verdict("REJECT", FAILED), verdict("APPROVE", PASSED)):
        assert not any("decided by" in line for line in of_candidate(sample(), judged, "roc_auc"))


def test_of_candidate_undefined_numbers_are_not_known_and_have_no_interval() -> None:
    read = sample(comparison=None, slices=())
    undefined = {
        "roc_auc": Measured(value=math.nan),
        "accuracy": Measured(value=0.5),
    }
    read = read.model_copy(
        update={"candidate": read.candidate.model_copy(update={"metrics": undefined, "n": 1})}
    )
    assert of_candidate(read, None, "roc_auc")[0] == "roc_auc is not known on 1 row"
    assert of_candidate(read, None, "accuracy")[0] == "accuracy 0.5 on 1 row"


def test_of_candidate_long_lines_are_cut() -> None:
    found = of_candidate(sample(), verdict("REJECT", rule("x" * 900, "fail", "reject")), "roc_auc")
    assert len(found[2]) == LINE_LIMIT == 300
    assert found[2].endswith("…")
