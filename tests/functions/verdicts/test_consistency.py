"""An evaluation.json whose numbers contradict each other is held, and the reason names the number."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.errors import EvaluationError
from retraining.verdicts.consistency import contradictions
from retraining.verdicts.consistency.metrics import of_pair
from retraining.verdicts.evaluation import Measured, parse_evaluation
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Verdict
from tests.functions.verdicts.evaluations import rules

SAMPLES = Path(__file__).parents[2] / "samples"
TASKS = ("evaluation.json", "evaluation.multiclass.json", "evaluation.regression.json")
Path_ = tuple[str | int, ...]

EASY: Final = rules({"metric": "accuracy", "min": 0.3}, {"metric": "accuracy", "max": 0.9999})
"""Rules that the sample of the Titanic passes."""


def sample(name: str = "evaluation.json") -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def at(data: Any, path: Path_) -> Any:
    for part in path:
        data = data[part]
    return data


def changed(path: str, value: Any, name: str = "evaluation.json") -> Any:
    """The sample with another value at this path below `handsoff`, or in SageMaker's part."""
    found = sample(name)
    *way, last = path.split(".")
    part = found if "_metrics" in path else found["handsoff"]
    for key in way:
        part = part[int(key)] if isinstance(part, list) else part[key]
    part[last] = value
    return found


def judged(evaluation: Any) -> Verdict:
    found = parse_evaluation(json.dumps(evaluation), source="here")
    return judge(found, EASY, found.champion)


def reason(evaluation: Any) -> str:
    """The text of the reason that says what does not add up; empty without one."""
    verdict = judged(evaluation)
    texts = [item.text for item in verdict.reasons if item.code == "evaluation_inconsistent"]
    assert verdict.decision == ("HOLD" if texts else "APPROVE")
    return "".join(texts)


@pytest.mark.parametrize("name", TASKS)
def test_contradictions_of_what_the_step_wrote_are_none(name: str) -> None:
    text = json.dumps(sample(name))
    assert contradictions(parse_evaluation(text, source="here")) == []


def test_judge_holds_and_names_both_numbers() -> None:
    text = reason(changed("candidate.n", 1_000_000))
    assert text.startswith(
        "evaluation.json does not add up: the sum of binary_classification_metrics.confusion_matrix is 262, "
        "but candidate.n − unusable is 1000000; "
    )
    assert text.endswith("; read the log of ModelEvaluation, and start the execution again")
    said = reason(changed("comparison.differences.roc_auc.value", 0.3))
    assert "comparison.differences.roc_auc.value is 0.3, but comparison.candidate.roc_auc − " in said


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (
            "leaked",
            1_000_000,
            "candidate.n + leaked + same_group is 1000262, but data.validation.rows is 262",
        ),
        ("same_group", 5, "candidate.n + leaked + same_group is 267"),
        ("data.validation.rows", 263, "but data.validation.rows is 263"),
        ("candidate.unusable", 263, "candidate.unusable is 263, but candidate.n is 262"),
        ("candidate.unusable", 1, "but candidate.unusable is not 0"),
        ("candidate.smallest_class", 131, "confusion_matrix has 100"),
        ("candidate.smallest_class", 101, "confusion_matrix has 100"),
        ("candidate.metrics.accuracy.value", 1.2, "candidate.metrics.accuracy.value is 1.2"),
        ("candidate.metrics.accuracy.value", 0.81, "which is 212.22 rows"),
        ("candidate.metrics.precision.value", 0.8, "the harmonic mean of precision and recall"),
        ("candidate.metrics.brier.value", 0.11, "baseline.differences.brier.value is"),
        ("candidate.metrics.log_loss.standard_deviation", -0.1, "standard_deviation is -0.1"),
        ("candidate.metrics.brier.interval", [0.2, 0.1], "interval[0] is 0.2"),
        ("candidate.metrics.brier.interval", [0.14, 0.2], "interval[0] is 0.14, but the value is 0.130"),
        ("slices.0.n", 300, "slices[0].n is 300, but candidate.n is 262"),
        ("slices.0.where", {"planet": "Mars"}, "slices[0].where names planet, which is no feature"),
        ("slices.0.smallest_class", 60, "slices[0].smallest_class is 60"),
        ("baseline.metrics.roc_auc.value", 0.4, "baseline.differences.roc_auc.value is"),
        ("comparison.n", 1_000_000, "comparison.n + excluded + excluded_groups is 1000010"),
        ("comparison.excluded", 11, "comparison.n + excluded + excluded_groups is 263"),
        ("comparison.smallest_class", None, "comparison.smallest_class is not given"),
        ("comparison.slices.0.n", 94, "comparison.slices[0].n is 94, but that of the same slice"),
        ("comparison.differences.roc_auc.standard_error", -1.0, "standard_error is -1, but none is below 0"),
        ("comparison.differences.roc_auc.standard_error", 0.0001, "value, standard_error and freedom give"),
        ("comparison.differences.roc_auc.bounds", [0.1, -0.1], "bounds[0] is 0.1"),
        ("comparison.agreement.both_wrong", 0, "the sum of comparison.agreement is"),
        ("comparison.champion.f1.value", 0.1, "the harmonic mean of precision and recall"),
        ("data.train.missing_share.age", 1.5, "it lies between 0 and 1"),
        ("data.train.missing_share.age", 0.0123, "but data.train.rows is 1047"),
        ("slices.0.metrics.recall.value", 0.95, "which no number of hits in up to 93 rows gives"),
        ("candidate.metrics.brier.interval", [0.1, 0.2], "that of bounds.0.975"),
        ("candidate.metrics.brier.bounds", {"0.9": [0.1, 0.2], "0.99": [0.11, 0.2]}, "is narrower than"),
        ("comparison.found_slices.0.p", 0.01, "but p, clusters and standard_error give"),
        ("lookalikes.independent", 100.0, "the z of these shares"),
        (
            "lookalikes.train_independent",
            2000.0,
            "train_independent is 2000, but the number of different rows",
        ),
        ("comparison.found_slices.0.margin", 0.01, "but p, clusters and standard_error give"),
        ("comparison.found_slices.0.margin", -0.5, "found_slices[0].margin is -0.5"),
        ("comparison.found_slices.0.p_holm", 0.5, "p, corrected for slices_tested"),
        ("validation_drift.columns.age.by_chance", 0.001, "1 / (1/train rows + 1/validation rows)"),
        ("copies.z", 0.0, "copies.z is 0, but the z of these shares is -4.429681"),
        ("copies.equal", 14, "copies.share is"),
        ("anchor.comparison.lookalikes.z", 0.0, "anchor.comparison differs from comparison"),
        ("drift.columns.age.psi", -0.1, "drift.columns.age.psi is -0.1"),
        ("classes", ["0", "1", "2"], "classes are 0, 1, 2, but task is binary_classification"),
        ("champion", None, "champion is null, but there is a comparison"),
        ("binary_classification_metrics.accuracy.value", 0.9, "accuracy.value is 0.9, but candidate."),
        ("binary_classification_metrics.auc.value", "NaN", "auc.value is undefined, but candidate."),
        ("binary_classification_metrics.confusion_matrix.1.0", 27, "confusion_matrix is 261"),
        ("binary_classification_metrics.confusion_matrix.1.0", "28", "not one count for each pair"),
        ("binary_classification_metrics.confusion_matrix.1.0", False, "not one count for each pair"),
        ("binary_classification_metrics.confusion_matrix.1.0", True, "not one count for each pair"),
    ],
)
def test_judge_names_what_does_not_add_up(path: str, value: Any, says: str) -> None:
    found = parse_evaluation(json.dumps(changed(path, value)), source="here")
    assert says in "; ".join(contradictions(found))
    assert judge(found, EASY, found.champion).decision == "HOLD"


def test_slices_of_an_earlier_version_were_tested_without_a_margin() -> None:
    """55 clusters, the difference 0.0115 ± 0.0094: p was 0.1135, and 1 after Holm's correction."""
    found = sample()
    part = found["handsoff"]["comparison"]["found_slices"][0]
    part |= {
        "n": 55,
        "clusters": 55,
        "difference": 0.011495,
        "standard_error": 0.009408,
        "p": 0.113535,
        "p_holm": 1.0,
    }
    del part["margin"], found["handsoff"]["comparison"]["found_slices"][1:]
    found["handsoff"]["anchor"] = None
    assert contradictions(parse_evaluation(json.dumps(found), source="here")) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("candidate.metrics.mae.value", 80.0),
        ("candidate.metrics.r2.value", 0.9),
        ("candidate.smallest_class", 3),
        ("comparison.candidate.rmse.value", 1.0),
        ("regression_metrics.mae.value", 1.0),
    ],
)
def test_contradictions_of_regression(path: str, value: Any) -> None:
    text = json.dumps(changed(path, value, "evaluation.regression.json"))
    assert contradictions(parse_evaluation(text, source="here")) != []


def values(**named: float) -> dict[str, Measured]:
    nothing = {"standard_deviation": 0.0, "interval": (-math.inf, math.inf)}
    return {name: Measured(value=value, **nothing) for name, value in named.items()}


def regression_of(error: float, target: Any, noise: Any) -> dict[str, Measured]:
    """rmse and r2, as formulas say, of predictions that are wrong by `error` standard deviations."""
    wrong = target + error * target.std() * noise - target
    squares = float((wrong**2).mean())
    return values(rmse=math.sqrt(squares), r2=1 - squares / float(target.var()))


def disagreement(ours: dict[str, Measured], theirs: dict[str, Measured]) -> list[str]:
    return list(of_pair("differences", ("ours", "theirs"), (ours, theirs), {}))


@pytest.mark.parametrize("level", [0.0, 1e6])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_r2_and_rmse_of_models_of_any_quality_agree(scale: float, level: float) -> None:
    generator = np.random.default_rng(1)
    target = scale * (level + generator.normal(size=200))
    noise = generator.normal(size=200)
    errors = [0.0, *(10.0**power for power in range(-17, 7))]
    models = [regression_of(error, target, noise) for error in errors]
    assert [disagreement(ours, theirs) for ours in models for theirs in models] == [[]] * len(models) ** 2


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (values(rmse=0.5, r2=0.75), values(rmse=1.0, r2=0.1)),
        (values(rmse=1.0, r2=0.0), values(rmse=0.5, r2=0.7499)),
        (values(rmse=1e-3, r2=0.5), values(rmse=1.0, r2=0.0)),
        (values(rmse=1e-3, r2=1.0), values(rmse=1.0, r2=0.0)),
        (values(rmse=0.5, r2=1.0), values(rmse=1.0, r2=0.0)),
        (values(rmse=0.0, r2=0.5), values(rmse=1.0, r2=0.0)),
        (values(rmse=1.0, r2=0.5), values(rmse=0.0, r2=0.0)),
        (values(rmse=1.0, r2=-1e6), values(rmse=0.5, r2=0.0)),
    ],
)
def test_r2_and_rmse_of_other_targets_disagree(
    ours: dict[str, Measured], theirs: dict[str, Measured]
) -> None:
    assert disagreement(ours, theirs) == [
        "r2 and rmse of ours are not of the same targets as those of theirs"
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (values(rmse=math.nan, r2=math.nan), values(rmse=1.0, r2=0.0)),
        (values(rmse=1.0, r2=math.nan), values(rmse=2.0, r2=math.nan)),
        (values(rmse=1.0, r2=math.nan), values(rmse=2.0, r2=0.5)),
        (values(rmse=math.inf, r2=-math.inf), values(rmse=2.0, r2=0.5)),
        (values(rmse=0.0, r2=1.0), values(rmse=0.0, r2=1.0)),
        (values(mae=1.0), values(mae=2.0)),
    ],
)
def test_r2_that_is_undefined_contradicts_nothing(
    ours: dict[str, Measured], theirs: dict[str, Measured]
) -> None:
    assert disagreement(ours, theirs) == disagreement(theirs, ours) == []


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1_macro", "f1_weighted"])
def test_contradictions_of_the_confusion_matrix_of_several_classes(metric: str) -> None:
    text = json.dumps(changed(f"candidate.metrics.{metric}.value", 0.95, "evaluation.multiclass.json"))
    found = "; ".join(contradictions(parse_evaluation(text, source="here")))
    assert f"candidate.metrics.{metric}.value is 0.95, but multiclass_classification_metrics" in found


@pytest.mark.parametrize(
    "value", ["", "a" * 63, "a" * 65, "A" * 64, "é" * 64, "a" * 64 + "\n", "a" * 3000, 7]
)
def test_parse_evaluation_refuses_an_identity_of_validation_rows_that_is_no_sha256(value: Any) -> None:
    """It becomes a key of the ledger."""
    with pytest.raises(EvaluationError, match="validation"):
        parse_evaluation(json.dumps(changed("validation", value)), source="here")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("candidate.n", "262"),
        ("candidate.n", True),
        ("candidate.n", 262.0),
        ("candidate.n", -1),
        ("candidate.metrics.accuracy.value", "0.9"),
        ("candidate.metrics.accuracy.value", True),
        ("comparison.differences.roc_auc.bounds", ["0", "1"]),
        ("comparison.agreement.both_right", "1"),
    ],
)
def test_parse_evaluation_refuses_what_is_no_number(path: str, value: Any) -> None:
    with pytest.raises(EvaluationError, match=r"here is not valid"):
        parse_evaluation(json.dumps(changed(path, value)), source="here")


def test_judge_rejects_what_a_rule_rejects_although_it_does_not_add_up() -> None:
    verdict = judged(changed("candidate.metrics.accuracy.value", 0.1))
    assert verdict.decision == "REJECT"
    assert [item.code for item in verdict.reasons].count("evaluation_inconsistent") == 1


def test_judge_ignores_keys_of_other_tools() -> None:
    found = sample()
    found["handsoff"]["surprise"] = 1
    found["surprise"] = {"n": 1}
    assert judged(found).decision == "APPROVE"


# ---- any one number --------------------------------------------------------------------------------------


def numbers(data: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The paths of all numbers."""
    if isinstance(data, int | float) and not isinstance(data, bool):
        yield path
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in parts:
        yield from numbers(item, (*path, key))


NUMBERS: Final = {name: [*numbers(sample(name)["handsoff"])] for name in TASKS}
"""The paths of all numbers of each sample's part."""

DECIDING: Final = [
    (name, path) for name, paths in NUMBERS.items() for path in paths if path != ("schema_version",)
]
"""Every number of the samples' parts that is read."""

UNMET: Final = [
    ("evaluation.json", {"metric": "accuracy", "min": 0.82}),
    ("evaluation.json", {"metric": "balanced_accuracy", "min": 0.81}),
    ("evaluation.json", {"metric": "roc_auc", "min": 0.9}),
    ("evaluation.json", {"metric": "log_loss", "max": 0.4}),
    ("evaluation.json", {"metric": "brier", "max": 0.11}),
    ("evaluation.json", {"metric": "accuracy", "min": 0.775, "confidence": 0.95, "on_fail": "hold"}),
    ("evaluation.json", {"metric": "recall", "slice": {"sex": "female"}, "min": 0.94}),
    ("evaluation.json", {"metric": "roc_auc", "versus_champion": {"min_gain": 0.001}}),
    ("evaluation.json", {"metric": "accuracy", "versus_champion": {"max_loss": 0.01}}),
    ("evaluation.json", {"metric": "brier", "versus_champion": {"max_loss": 0.001}}),
    (
        "evaluation.json",
        {"metric": "accuracy", "slice": {"sex": "female"}, "versus_champion": {"max_loss": 0}},
    ),
    ("evaluation.json", {"metric": "roc_auc", "versus_anchor": {"max_loss": 0.001}}),
    ("evaluation.json", {"metric": "accuracy", "min": 0.5, "min_samples": 300}),
    ("evaluation.json", {"data": "rows", "min": 1100}),
    ("evaluation.json", {"data": "rows", "split": "validation", "min": 300}),
    ("evaluation.json", {"data": "missing_share", "max": 0.15}),
    ("evaluation.json", {"data": "missing_share", "split": "validation", "max": 0.15}),
    ("evaluation.multiclass.json", {"metric": "accuracy", "min": 0.995}),
    ("evaluation.multiclass.json", {"metric": "f1_macro", "min": 0.999}),
    ("evaluation.multiclass.json", {"metric": "brier", "max": 0.01}),
    ("evaluation.multiclass.json", {"metric": "accuracy", "versus_champion": {"min_gain": 0.01}}),
    ("evaluation.regression.json", {"metric": "mae", "max": 40}),
    ("evaluation.regression.json", {"metric": "r2", "min": 0.6}),
    ("evaluation.regression.json", {"metric": "rmse", "versus_champion": {"min_gain": 2}}),
    ("evaluation.regression.json", {"metric": "mae", "versus_champion": {"max_loss": 0.0}}),
]
"""Rules that the samples do not meet. No other number contradicts an index of drift, `z` of lookalikes, or a
standard deviation that only a `relative` margin reads, so there is none about those."""


@pytest.mark.slow
@settings(max_examples=400)
@given(
    st.sampled_from(UNMET), st.data(), st.sampled_from([-1.0, 0.0, 0.1, 0.5, 0.9, 1.1, 1.5, 2.0, 10.0, 1e6])
)
def test_no_other_number_approves_what_a_rule_does_not(
    unmet: tuple[str, dict[str, Any]], data: st.DataObject, factor: float
) -> None:
    """One number is changed noticeably. The rule stays unmet, or what does not add up holds the candidate."""
    name, rule = unmet
    path = data.draw(st.sampled_from(NUMBERS[name]))
    found = sample(name)
    *way, last = path
    part = at(found["handsoff"], tuple(way))
    after = part[last] * factor if part[last] else factor
    part[last] = round(after) if isinstance(part[last], int) else after
    try:
        evaluation = parse_evaluation(json.dumps(found), source="here")
    except EvaluationError:
        return
    sure = {"metric": "r2" if "regression" in name else "accuracy", "min": 0.2}
    verdict = judge(evaluation, rules(sure, rule), evaluation.champion, anchor=evaluation.champion)
    assert verdict.decision != "APPROVE"


@pytest.mark.parametrize(("name", "rule"), UNMET)
def test_rules_of_the_fuzz_are_not_met(name: str, rule: dict[str, Any]) -> None:
    found = parse_evaluation(json.dumps(sample(name)), source="here")
    assert judge(found, rules(rule), found.champion, anchor=found.champion).decision != "APPROVE"


@given(st.sampled_from(DECIDING), st.sampled_from(["", [], {}, "1", True, "NaN", None]))
@pytest.mark.slow
def test_parse_evaluation_of_any_wrong_type_is_an_answer(where: tuple[str, Path_], value: Any) -> None:
    name, path = where
    found = deepcopy(sample(name))
    *way, last = path
    at(found["handsoff"], tuple(way))[last] = value
    try:
        evaluation = parse_evaluation(json.dumps(found), source="here")
    except EvaluationError:
        return
    judge(evaluation, EASY, evaluation.champion)
