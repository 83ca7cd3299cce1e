"""Measures what a year of weekly verdicts adds up to: how far the champion falls, how often a gain is false.

    python bench/generations.py [--runs 60] [--rows 1000]

52 candidates, one a week; each that the rules approve is the champion that the next one must meet. The first
model has a true ROC AUC of 0.85 and is the anchor. 40 % of the rows are positive; the models' scores
correlate at 0.9 given the class, as those of a model and its retraining do. `same rows`: one validation set
for the year. `fresh rows`: another one each week, so that each verdict is the first look at its rows.
ModelEvaluation's code measures, and judge_candidate's code judges; this script repeats none of their
formulas. It takes about five minutes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import stats

import binary
import uncertainty
from job import Array
from retraining.config.rules import Approval
from retraining.verdicts.evaluation import (
    Anchored,
    Baseline,
    Comparison,
    Data,
    Difference,
    Evaluation,
    Measured,
    Scores,
    SplitData,
)
from retraining.verdicts.judge import judge

WEEKS, POSITIVE, ALIKE, FIRST = 52, 0.4, 0.9, 0.85
"""Candidates; share of positive rows; correlation of scores given the class; the first model's ROC AUC."""

ARN: Final = "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/"
DATA: Final = SplitData(rows=1000, missing_share={})
CHAMPION: Final = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
ANCHOR: Final = {"metric": "roc_auc", "versus_anchor": {"max_loss": 0.05}}
GAIN: Final = {"metric": "roc_auc", "versus_champion": {"min_gain": 0.0}}
WORSE: Final = 0.004
"""By how much the true ROC AUC of the candidates falls from one week to the next."""

Rules = list[dict[str, Any]]


class Model(NamedTuple):
    """A model: its number, its true ROC AUC, and its own part of the scores on the validation rows."""

    number: int
    auc: float
    own: Array


class Year(NamedTuple):
    """What became of a year: approvals, those that were no gain, and the last champion's true ROC AUC."""

    approvals: int
    false: int
    auc: float


def scored(model: Model, target: Array, shared: Array) -> Any:
    """The model's scores of these rows, with the ROC AUC alone: it needs no probabilities."""
    apart = float(stats.norm.ppf(model.auc) * np.sqrt(2))
    score = apart * target + shared + model.own * np.sqrt(1 - ALIKE)
    found = binary.score(target, stats.norm.cdf(score))
    return replace(found, labels=None, shares={}, means={}, smooth={}, alone={})


def comparison(ours: Any, theirs: Any) -> Comparison:
    """Candidate and another model on the same rows."""
    mine, others, gaps = uncertainty.paired(ours, theirs)
    smallest = int(POSITIVE * ours.n)
    return Comparison(
        n=ours.n,
        excluded=0,
        smallest_class=smallest,
        candidate=mine,
        champion=others,
        differences=gaps,
    )


def evaluation(candidate: Any, champion: tuple[str, Any], anchor: tuple[str, Any]) -> Evaluation:
    """The evaluation that ModelEvaluation would write, as far as the rules need it."""
    beside = comparison(candidate, champion[1])
    against = beside if anchor[0] == champion[0] else comparison(candidate, anchor[1])
    roc_auc = beside.candidate["roc_auc"]
    gain = Difference(value=roc_auc.value - 0.5, standard_error=roc_auc.standard_deviation)
    return Evaluation(
        schema_version=2,
        model="m",
        task="binary_classification",
        execution="e",
        batch="b",
        candidate=Scores(n=candidate.n, metrics=beside.candidate, smallest_class=beside.smallest_class),
        baseline=Baseline(
            predicts="the class shares",
            metrics={"roc_auc": Measured(value=0.5)},
            differences={"roc_auc": gain},
        ),
        data=Data(train=DATA, validation=DATA),
        champion=champion[0],
        comparison=beside,
        anchor=Anchored(package=anchor[0], comparison=against),
    )


def year(generator: np.random.Generator, rules: Rules, worse: float, n: int, *, fresh: bool) -> Year:
    """One year on `n` rows, in which candidates are `worse` by so much each week."""
    approval = Approval.model_validate({"rules": rules})
    target, shared = rows(generator, n)
    first = Model(0, FIRST, generator.standard_normal(n))
    champion, approvals, false = first, 0, 0
    for week in range(1, WEEKS + 1):
        if fresh:
            target, shared = rows(generator, n)
            first, champion = (
                model._replace(own=generator.standard_normal(n)) for model in (first, champion)
            )
        if champion.number == 0:
            first = champion
        candidate = Model(week, FIRST - worse * week, generator.standard_normal(n))
        measured = evaluation(
            scored(candidate, target, shared),
            (f"{ARN}{champion.number}", scored(champion, target, shared)),
            (f"{ARN}0", scored(first, target, shared)),
        )
        look = 1 if fresh else week
        verdict = judge(measured, approval, f"{ARN}{champion.number}", anchor=f"{ARN}0", look=look)
        if verdict.decision == "APPROVE":
            approvals, false = approvals + 1, false + (candidate.auc <= champion.auc)
            champion = candidate
    return Year(approvals, false, champion.auc)


def rows(generator: np.random.Generator, n: int) -> tuple[Array, Array]:
    """The classes of `n` validation rows, and the part of their scores that all models share."""
    target = (generator.random(n) < POSITIVE).astype(np.int64)
    return target, generator.standard_normal(n) * np.sqrt(ALIKE)


SCENARIOS: Final[tuple[tuple[str, Rules, float], ...]] = (
    ("max_loss 0.03 against the champion", [CHAMPION], WORSE),
    ("and max_loss 0.05 against the anchor", [CHAMPION, ANCHOR], WORSE),
    ("the same, all candidates alike", [CHAMPION, ANCHOR], 0.0),
    ("min_gain 0, all candidates alike", [GAIN], 0.0),
    ("min_gain 0", [GAIN], WORSE),
)
"""Rules, and by how much the candidates are worse each week."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--rows", type=int, default=1000)
    given = parser.parse_args()
    print(
        f"{given.runs} years on {given.rows} validation rows; the first model has a true ROC AUC of {FIRST}"
    )
    heads = ("approvals", "AUC at the end", "lowest", "false gain")
    print(f"{'':38}{'worse':>7}{'rows':>7}" + "".join(f"{head:>16}" for head in heads))
    for name, rules, worse in SCENARIOS:
        for fresh in (False, True):
            generator = np.random.default_rng(1)
            years = [year(generator, rules, worse, given.rows, fresh=fresh) for _ in range(given.runs)]
            approvals, false, auc = (np.array(column) for column in zip(*years, strict=True))
            gains = f"{np.mean(false > 0):.0%} of years" if rules == [GAIN] else ""
            print(
                f"{name:38}{worse:>7}{'fresh' if fresh else 'same':>7}{approvals.mean():>16.1f}"
                f"{auc.mean():>16.3f}{auc.min():>16.3f}{gains:>16}",
                flush=True,
            )


if __name__ == "__main__":
    main()
