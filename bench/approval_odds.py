"""Measures how often rules approve an equally good model, and a worse one, by rule and validation rows.

    python bench/approval_odds.py [--draws 1000]

Two models score the same drawn rows. The distance between the scores of positive and negative rows gives the
champion a ROC AUC of 0.85. The models' scores correlate at 0.9 given the class, as those of a model and its
retraining do. Probabilities are the true ones. ModelEvaluation's code measures each draw, and
judge_candidate's code judges it; this script repeats none of their formulas.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special, stats

import binary
import uncertainty
from retraining.config.rules import Approval
from retraining.verdicts.evaluation import Baseline, Comparison, Data, Evaluation, Scores, SplitData
from retraining.verdicts.judge import judge

ROWS = (30, 100, 262, 1000, 5000)
"""Numbers of validation rows; 262 is the sample data's."""

POSITIVE, ALIKE, AUC = 0.4, 0.9, 0.85
"""Share of positive rows; correlation of both models' scores given the class; the champion's ROC AUC."""

CHAMPION = "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1"
DATA = SplitData(rows=1000, missing_share={})
RULES: dict[str, dict[str, Any]] = {
    "roc_auc max_loss 0.03": {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}},
    "roc_auc min_gain 0": {"metric": "roc_auc", "versus_champion": {"min_gain": 0.0}},
    "accuracy max_loss 0.03": {"metric": "accuracy", "versus_champion": {"max_loss": 0.03}},
    "brier max_loss 0.01": {"metric": "brier", "versus_champion": {"max_loss": 0.01}},
}
WORSE = (0.0, 0.03, 0.05, 0.10)
"""Amounts by which the candidate's true ROC AUC is below the champion's."""


def separation(auc: float) -> float:
    """The distance between the means of two normal scores of variance 1 with this ROC AUC."""
    return float(stats.norm.ppf(auc) * np.sqrt(2))


def pairs(n: int, worse: float, draws: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each draw of `n` rows: the target, and the probabilities of the candidate and of the champion.

    `worse` is the candidate's true loss of ROC AUC. All arrays have the shape (n,).
    """
    generator = np.random.default_rng(1)
    for _ in range(draws):
        target = (generator.random(n) < POSITIVE).astype(np.int64)
        shared = generator.standard_normal(n) * np.sqrt(ALIKE)
        probabilities = []
        for auc in (AUC - worse, AUC):
            apart = separation(auc)
            own = generator.standard_normal(n) * np.sqrt(1 - ALIKE)
            score = apart * target + shared + own
            odds = special.logit(POSITIVE) + apart * score - apart**2 / 2
            probabilities.append(special.expit(odds))
        yield target, probabilities[0], probabilities[1]


def evaluation(target: np.ndarray, candidate: np.ndarray, champion: np.ndarray) -> Evaluation:
    """The evaluation that ModelEvaluation would write of these rows, as far as RULES need it."""
    # without the metrics that no rule here needs
    ours, theirs, guessing = (
        replace(binary.score(target, probability), smooth={}, alone={})
        for probability in (candidate, champion, np.full(len(target), POSITIVE))
    )
    mine, others, differences = uncertainty.paired(ours, theirs)
    _, base, gains = uncertainty.paired(ours, guessing)
    return Evaluation(
        schema_version=2,
        model="m",
        task="binary_classification",
        execution="e",
        batch="b",
        candidate=Scores(n=len(target), metrics=mine),
        baseline=Baseline(predicts="the class shares", metrics=base, differences=gains),
        data=Data(train=DATA, validation=DATA),
        champion=CHAMPION,
        comparison=Comparison(
            n=len(target), excluded=0, candidate=mine, champion=others, differences=differences
        ),
    )


def shares(n: int, worse: float, draws: int) -> dict[str, float]:
    """The share of draws that each rule, alone, approves."""
    found = dict.fromkeys(RULES, 0.0)
    approvals = {name: Approval.model_validate({"rules": [rule]}) for name, rule in RULES.items()}
    for drawn in pairs(n, worse, draws):
        measured = evaluation(*drawn)
        for name, approval in approvals.items():
            found[name] += (judge(measured, approval, CHAMPION).decision == "APPROVE") / draws
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    given = parser.parse_args()
    found = {(n, worse): shares(n, worse, given.draws) for worse in WORSE for n in ROWS}
    for name in RULES:
        print(f"\n{name}: share approved, {given.draws} draws")
        print(f"{'true loss of ROC AUC':>22}" + "".join(f"{n:>9}" for n in ROWS))
        for worse in WORSE:
            values = "".join(f"{found[n, worse][name]:>9.3f}" for n in ROWS)
            print(f"{worse:>22.2f}{values}")


if __name__ == "__main__":
    main()
