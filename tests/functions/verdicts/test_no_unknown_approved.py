"""For any rules and any evaluation: an approval needs every number that a rule asks for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.config.rules import Approval, DataRule, MetricRule, VersusChampion
from retraining.config.tasks import DECISIVE, LOWER_IS_BETTER, METRICS, Task
from retraining.verdicts.evaluation import (
    Baseline,
    Comparison,
    Data,
    Difference,
    Drift,
    Evaluation,
    Measured,
    Moved,
    Scores,
    SlicePaired,
    SliceScores,
    SplitData,
)
from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import CHAMPION

TASKS: list[Task] = ["binary_classification", "multiclass_classification", "regression"]
WHERE = {"sex": "female"}
numbers = st.floats() | st.just(math.nan)
few_rows = st.integers(0, 60)
absent = st.just(False)
zero_is_odd = st.integers(0, 39)


@cache
def rules_of(task: Task) -> st.SearchStrategy[list[MetricRule | DataRule]]:
    """One to three rules of a task."""
    metric = st.sampled_from([*METRICS[task]])
    on_fail = st.sampled_from(["reject", "hold", "warn"])
    versus = st.builds(
        VersusChampion,
        max_loss=st.floats(0, 0.99),
        relative=st.booleans(),
        confidence=st.floats(0.5, 1, exclude_min=True, exclude_max=True),
    )
    metric_rules = st.builds(
        MetricRule, metric=metric, min=st.floats(0, 0.95), versus_champion=st.none() | versus,
        slice=st.none() | st.just(WHERE), min_samples=st.none() | st.integers(1, 120), on_fail=on_fail,
    )  # fmt: skip
    data_rules = st.builds(
        DataRule, data=st.sampled_from(["missing_share", "drift"]), column=st.none() | st.just("age"),
        max=st.floats(0.05, 1), on_fail=on_fail,
    )  # fmt: skip
    return st.lists(metric_rules | data_rules, min_size=1, max_size=3)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Evaluation, Approval]:
    """Rules of a task and an evaluation in which any number may be absent, NaN, infinite, or of no rows."""
    task = draw(st.sampled_from(TASKS))
    asked = draw(rules_of(task))

    def mostly(usual: Any, odd: st.SearchStrategy[Any]) -> Any:
        """What makes an approval possible, and now and then something odd."""
        return draw(odd) if draw(zero_is_odd) == 0 else usual

    def rows() -> int:
        return int(mostly(200, few_rows))

    def by_metric(make: Callable[[str], Any]) -> dict[str, Any]:
        return {name: make(name) for name in METRICS[task] if mostly(True, absent)}

    def measured(_name: str) -> Measured:
        return Measured(value=mostly(0.9, numbers), standard_deviation=mostly(0.01, numbers))

    def better_by(gain: float) -> Callable[[str], Difference]:
        return lambda name: Difference(
            value=mostly(-gain if name in LOWER_IS_BETTER else gain, numbers),
            standard_error=mostly(0.001, numbers),
        )

    def both(**more: Any) -> dict[str, Any]:
        sides = {"candidate": by_metric(measured), "champion": by_metric(measured)}
        return {"n": rows(), **sides, "differences": by_metric(better_by(0.0)), **more}

    split = SplitData(rows=rows(), missing_share={"age": mostly(0.1, numbers)})
    champion = draw(st.sampled_from([None, CHAMPION]))
    slices = [SlicePaired(**both(where=WHERE))] if mostly(True, absent) else []
    comparison = Comparison(**both(excluded=0, slices=slices)) if mostly(True, absent) else None
    moved = Moved(psi=mostly(0.1, numbers), by_chance=mostly(0.02, numbers))
    drift = Drift(reference=CHAMPION, columns={"age": moved})
    found = Evaluation(
        schema_version=2,
        model="m",
        task=task,
        execution="e",
        batch="b",
        candidate=Scores(n=rows(), metrics=by_metric(measured)),
        slices=(SliceScores(n=rows(), metrics=by_metric(measured), where=WHERE),),
        baseline=Baseline(predicts="it", metrics=by_metric(measured), differences=by_metric(better_by(0.3))),
        data=Data(train=split, validation=split),
        champion=champion,
        comparison=comparison if champion else None,
        drift=drift if champion and mostly(True, absent) else None,
    )
    return found, Approval(rules=tuple(asked))


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
    if where is None or where.n < (rule.min_samples or 1) or rule.metric not in where.metrics:
        return False
    if not math.isfinite(where.metrics[rule.metric].value):
        return False
    if rule.versus_champion is None or found.champion is None:
        return True
    both = found.comparison
    if both is not None and rule.slice is not None:
        both = next(iter(both.slices), None)  # type: ignore[assignment]
    if both is None or both.n < (rule.min_samples or 30) or rule.metric not in both.differences:
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


@settings(deadline=None, max_examples=250)
@given(cases())
def test_judge_approves_only_if_every_number_is_known(case: tuple[Evaluation, Approval]) -> None:
    found, asked = case
    verdict = judge(found, asked, found.champion)
    json.dumps(verdict.model_dump(), allow_nan=False)
    decisive = DECISIVE[found.task]
    if verdict.decision == "APPROVE":
        assert asked.rules
        assert all(known(rule, found) for rule in asked.rules)
        assert found.candidate.n >= 30
        assert math.isfinite(found.baseline.differences[decisive].standard_error)
        for rule in asked.rules:
            if isinstance(rule, MetricRule) and rule.slice is None and rule.on_fail != "warn":
                assert found.candidate.metrics[rule.metric].value >= (rule.min or 0)
    if verdict.decision == "REJECT":
        assert any(result.effect == "reject" and result.outcome == "fail" for result in verdict.rules)
