"""For any rules and any evaluation: an approval needs every number that a rule asks for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.config.rules import CONFIDENCES, Approval, DataRule, MetricRule, VersusChampion
from retraining.config.tasks import DECISIVE, LOWER_IS_BETTER, METRICS, Task
from retraining.verdicts.evaluation import (
    Baseline,
    Comparison,
    Data,
    Difference,
    Drift,
    Evaluation,
    FoundSlice,
    Lookalikes,
    Measured,
    Moved,
    Scores,
    SlicePaired,
    SliceScores,
    SplitData,
)
from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules

TASKS: list[Task] = ["binary_classification", "multiclass_classification", "regression"]
WHERE = {"sex": "female"}
numbers = st.floats() | st.just(math.nan)
few_rows = st.integers(0, 60)
absent = st.just(False)
usual_before_an_odd_one = st.integers(0, 59)


@cache
def rules_of(task: Task) -> st.SearchStrategy[list[MetricRule | DataRule]]:
    """One to three rules of a task."""
    metric = st.sampled_from([*METRICS[task]])
    on_fail = st.sampled_from(["reject", "hold", "warn"])
    versus = st.builds(
        VersusChampion,
        max_loss=st.floats(0, 0.99),
        max_gain=st.none() | st.floats(0.01, 0.99),
        relative=st.booleans(),
        confidence=st.floats(0.5, 1, exclude_min=True, exclude_max=True),
    )
    metric_rules = st.builds(
        MetricRule, metric=metric, min=st.floats(0, 0.95), versus_champion=st.none() | versus,
        slice=st.none() | st.just(WHERE), min_samples=st.none() | st.integers(1, 120), on_fail=on_fail,
        confidence=st.none() | st.sampled_from(CONFIDENCES),
    )  # fmt: skip
    data_rules = st.builds(
        DataRule, data=st.sampled_from(["missing_share", "drift"]), column=st.none() | st.just("age"),
        max=st.floats(0.05, 1), on_fail=on_fail,
    )  # fmt: skip
    return st.lists(metric_rules | data_rules, min_size=1, max_size=3)


def alike(z: float) -> Lookalikes:
    return Lookalikes(n=200, equal=20, share=0.1, train_n=800, train_share=0.09, z=z)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Evaluation, Approval]:
    """Rules of a task and an evaluation in which any number may be absent, NaN, infinite, or of no rows."""
    task = draw(st.sampled_from(TASKS))
    asked = draw(rules_of(task))
    left = draw(usual_before_an_odd_one)

    def mostly(usual: Any, odd: st.SearchStrategy[Any]) -> Any:
        """What makes an approval possible, and now and then something odd."""
        nonlocal left
        if left > 0:
            left -= 1
            return usual
        left = draw(usual_before_an_odd_one)
        return draw(odd)

    def rows() -> int:
        return int(mostly(200, few_rows))

    def by_metric(make: Callable[[str], Any]) -> dict[str, Any]:
        return {name: make(name) for name in METRICS[task] if mostly(True, absent)}

    def bounds() -> tuple[float, float]:
        return mostly(0.88, numbers), mostly(0.92, numbers)

    def measured(_name: str) -> Measured:
        return Measured(
            value=mostly(0.9, numbers),
            standard_deviation=mostly(0.01, numbers),
            bounds=mostly({f"{item:g}": bounds() for item in CONFIDENCES}, st.just({})),
        )

    def counts() -> dict[str, int | None]:
        """Numbers of clusters, of which 30 and 10 are the floors."""
        return {
            "clusters": mostly(150, few_rows),
            "smallest_class": mostly(40, few_rows),
            "smallest_predicted": mostly(40, few_rows),
        }

    def better_by(gain: float) -> Callable[[str], Difference]:
        return lambda name: Difference(
            value=mostly(-gain if name in LOWER_IS_BETTER else gain, numbers),
            standard_error=mostly(0.001, numbers),
        )

    def both(**more: Any) -> dict[str, Any]:
        sides = {"candidate": by_metric(measured), "champion": by_metric(measured)}
        return {"n": rows(), **counts(), **sides, "differences": by_metric(better_by(0.0)), **more}

    split = SplitData(rows=rows(), missing_share={"age": mostly(0.1, numbers)})
    champion = draw(st.sampled_from([None, CHAMPION]))
    slices = [SlicePaired(**both(where=WHERE))] if mostly(True, absent) else []
    worst = FoundSlice(
        column="sex", value="female", range=None, n=60, clusters=60, loss="brier", difference=0.0,
        standard_error=0.01, p=0.5, p_holm=mostly(1.0, numbers),
    )  # fmt: skip
    compared = both(excluded=0, slices=slices, found_slices=[worst], lookalikes=alike(mostly(0.1, numbers)))
    comparison = Comparison(**compared) if mostly(True, absent) else None
    moved = Moved(psi=mostly(0.1, numbers), by_chance=mostly(0.02, numbers))
    drift = Drift(reference=CHAMPION, columns={"age": moved})
    found = Evaluation(
        schema_version=2,
        model="m",
        task=task,
        execution="e",
        batch="b",
        lookalikes=alike(mostly(0.1, numbers)),
        candidate=Scores(n=rows(), metrics=by_metric(measured), **counts()),
        slices=(SliceScores(n=rows(), metrics=by_metric(measured), where=WHERE, **counts()),),
        baseline=Baseline(predicts="it", metrics=by_metric(measured), differences=by_metric(better_by(0.3))),
        data=Data(train=split, validation=split),
        champion=champion,
        comparison=comparison if champion else None,
        drift=drift if champion and mostly(True, absent) else None,
    )
    return found, Approval(rules=tuple(asked))


def enough(rule: MetricRule, counted: Scores | Comparison | SlicePaired, floor: int) -> bool:
    """Whether there are enough rows, clusters, and clusters of each class."""
    rows = min(counted.n, counted.n if counted.clusters is None else counted.clusters)
    if rows < max(floor, rule.min_samples or 1):
        return False
    if rule.metric in ("accuracy", "log_loss", "brier", "expected_calibration_error", "calibration_slope"):
        return True
    if rule.metric == "precision" and (counted.smallest_predicted or 0) < 10:
        return False
    return counted.smallest_class is None or counted.smallest_class >= 10


def known(rule: MetricRule | DataRule, found: Evaluation) -> bool:
    """Whether every number is there that this rule needs, put down here from the rules' documentation."""
    if isinstance(rule, DataRule):
        if rule.data == "drift" and found.champion is None:
            return True
        if rule.data == "drift":
            moved = found.drift.columns.values() if found.drift else ()
            return bool(moved) and all(math.isfinite(item.psi + item.by_chance) for item in moved)
        held = found.data.train.missing_share
        return bool(held) and all(math.isfinite(value) for value in held.values())
    where = found.candidate if rule.slice is None else next(iter(found.slices), None)
    floor = rule.min_samples or (1 if rule.slice is None else 10)
    if where is None or not enough(rule, where, floor) or rule.metric not in where.metrics:
        return False
    measured = where.metrics[rule.metric]
    if not math.isfinite(measured.value):
        return False
    if rule.confidence is not None:
        if f"{rule.confidence:g}" not in measured.bounds:
            return False
        low, high = measured.bounds[f"{rule.confidence:g}"]
        if not (math.isfinite(low) and math.isfinite(high)):
            return False
        if not low >= (rule.min or 0.0):  # an interval that contains the limit, or that lies outside
            return rule.on_fail == "warn" and high < (rule.min or 0.0)
    if rule.versus_champion is None or found.champion is None:
        return True
    both = found.comparison
    if both is not None and rule.slice is not None:
        both = next(iter(both.slices), None)  # type: ignore[assignment]
    if both is None or not enough(rule, both, 30) or rule.metric not in both.differences:
        return False
    difference = both.differences[rule.metric]
    values = [difference.value, difference.standard_error]
    for side in (both.candidate, both.champion):
        if rule.metric not in side:
            return False
        values.append(side[rule.metric].value)
        if rule.versus_champion.relative:
            values.append(side[rule.metric].standard_deviation)
    return all(math.isfinite(value) for value in values) and difference.standard_error >= 0


@pytest.mark.slow
@settings(deadline=None, max_examples=250)
@given(cases())
def test_judge_approves_only_if_every_number_is_known(case: tuple[Evaluation, Approval]) -> None:
    found, asked = case
    verdict = judge(found, asked, found.champion)
    json.dumps(verdict.model_dump(), allow_nan=False)
    decisive = DECISIVE[found.task]
    if verdict.decision == "APPROVE":
        assert asked.rules
        assert not any(result.outcome in ("undecided", "unknown") for result in verdict.rules)
        assert found.lookalikes is not None
        assert found.lookalikes.z <= 4
        if found.comparison is not None:
            assert found.comparison.lookalikes is not None
            assert found.comparison.lookalikes.z <= 4
            assert all(item.p_holm >= 0.05 for item in found.comparison.found_slices or ())
        assert all(known(rule, found) for rule in asked.rules)
        assert found.candidate.n >= 30
        assert math.isfinite(found.baseline.differences[decisive].standard_error)
        for rule in asked.rules:
            if isinstance(rule, MetricRule) and rule.slice is None and rule.on_fail != "warn":
                assert found.candidate.metrics[rule.metric].value >= (rule.min or 0)
    if verdict.decision == "REJECT":
        assert any(result.effect == "reject" and result.outcome == "fail" for result in verdict.rules)


@settings(deadline=None, max_examples=150)
@given(
    metric=st.sampled_from(["roc_auc", "log_loss", "brier"]),
    margins=st.sampled_from(["max_loss", "min_gain"]),
    margin=st.floats(0, 0.5),
    relative=st.booleans(),
    confidence=st.floats(0.51, 0.9999),
    reference=st.floats(0.01, 1),
    gains=st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted),
    error=st.floats(0, 1),
    freedom=st.just(math.nan) | st.floats(1, 1000),
)
def test_a_candidate_that_is_better_never_gets_a_worse_answer(
    metric: str,
    margins: str,
    margin: float,
    relative: bool,
    confidence: float,
    reference: float,
    gains: list[float],
    error: float,
    freedom: float,
) -> None:
    order = {"fail": 0, "undecided": 1, "pass": 2}
    versus = {margins: margin, "relative": relative, "confidence": confidence}
    answers = []
    for gain in gains:
        difference = -gain if metric in LOWER_IS_BETTER else gain
        found = evaluation(metric=metric, versus=(difference, error), reference=reference, deviation=0.0)
        assert found.comparison is not None
        moved = Difference(value=difference, standard_error=error, freedom=freedom)
        found = found.model_copy(
            update={"comparison": found.comparison.model_copy(update={"differences": {metric: moved}})}
        )
        verdict = judge(found, rules({"metric": metric, "versus_champion": versus}), CHAMPION)
        answers.append(verdict.rules[0].outcome)
    if "unknown" not in answers:
        assert order[answers[0]] <= order[answers[1]]


@settings(deadline=None, max_examples=150)
@given(
    limit=st.floats(0.01, 0.99),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    better=st.floats(0, 0.5),
    question=st.sampled_from(["min", "max"]),
)
def test_a_value_that_moves_into_the_limit_never_gets_a_worse_answer(
    limit: float, ends: list[float], better: float, question: str
) -> None:
    order = {"fail": 0, "undecided": 1, "pass": 2}
    answers = []
    for shift in (0.0, better if question == "min" else -better):
        low, high = ends[0] + shift, ends[1] + shift
        found = evaluation()
        measured = Measured(value=0.5, bounds={"0.95": (low, high)})
        candidate = found.candidate.model_copy(
            update={"metrics": {**found.candidate.metrics, "accuracy": measured}}
        )
        asked = rules({"metric": "accuracy", question: limit, "confidence": 0.95})
        verdict = judge(found.model_copy(update={"candidate": candidate}), asked, None)
        answers.append(order[verdict.rules[0].outcome])
    assert answers[0] <= answers[1]
