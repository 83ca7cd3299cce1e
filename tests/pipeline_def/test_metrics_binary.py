"""Binary metrics: by hand, against scikit-learn, and where they are undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

import binary
import probabilities
from scored import Scored
from uncertainty import measured, paired


def scored(target: list[int], probability: list[float]) -> Scored:
    return binary.score(np.array(target, dtype=int), np.array(probability, dtype=float))


def test_score_five_rows_by_hand() -> None:
    """Ones at 0.9, 0.6, 0.2 and zeros at 0.6, 0.1: two hits, one miss, one false alarm."""
    found = scored([1, 1, 1, 0, 0], [0.9, 0.6, 0.2, 0.6, 0.1]).values()
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(1 / 2)
    assert found["balanced_accuracy"] == pytest.approx(7 / 12)
    assert found["f1"] == pytest.approx(2 / 3)
    # six pairs: 0.9 beats both, 0.6 ties with one and beats the other, 0.2 beats one
    assert found["roc_auc"] == pytest.approx(4.5 / 6)
    # precision 1 at 0.9, 2/3 at 0.6, 3/4 at 0.2, each for a third of the ones
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert found["log_loss"] == pytest.approx(0.6495, abs=5e-5)
    assert found["brier"] == pytest.approx((0.01 + 0.16 + 0.64 + 0.36 + 0.01) / 5)
    # bins (0, 0.1], (0.1, 0.2], (0.5, 0.6] with a one and a zero, (0.8, 0.9]
    assert found["expected_calibration_error"] == pytest.approx((0.1 + 0.8 + abs(0.4 - 0.6) + 0.1) / 5)


def test_predicted_one_half_is_class_0() -> None:
    assert binary.predicted(np.array([0.5, 0.5000001])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("confidence", "neighbour", "together"),
    [(0.1, 0.05, True), (0.1, 0.11, False), (0.3, 0.25, True), (0.3, 0.35, False), (0.05, 0.0, True)],
)
def test_calibration_error_bin_holds_its_upper_edge(
    confidence: float, neighbour: float, together: bool
) -> None:
    """A 0 predicted with too much confidence and a 1 with too little cancel each other in one bin."""
    found = scored([0, 1], [confidence, neighbour]).values()["expected_calibration_error"]
    too_high, too_low = confidence, 1 - neighbour
    assert found == pytest.approx((too_low - too_high if together else too_low + too_high) / 2)


@pytest.mark.parametrize(
    ("target", "probability", "undefined"),
    [
        ([1, 1], [0.9, 0.1], {"balanced_accuracy", "roc_auc", "calibration_slope"}),
        (
            [0, 0],
            [0.1, 0.2],
            {
                "balanced_accuracy",
                "recall",
                "precision",
                "f1",
                "roc_auc",
                "average_precision",
                "calibration_slope",
            },
        ),
        (
            [0, 0],
            [0.9, 0.2],
            {"balanced_accuracy", "recall", "f1", "roc_auc", "average_precision", "calibration_slope"},
        ),
        ([0, 1], [0.1, 0.2], {"precision", "calibration_slope"}),
        ([], [], set(binary.METRICS)),
    ],
)
def test_measured_undefined_metric_is_nan(
    target: list[int], probability: list[float], undefined: set[str]
) -> None:
    rows = scored(target, probability)
    for found in measured(rows), paired(rows, rows)[2]:
        assert {name for name in binary.METRICS if math.isnan(found[name]["value"])} == undefined
    nothing = [measured(rows)[name] for name in undefined]
    assert all(math.isnan(item["standard_deviation"]) for item in nothing)
    assert all(math.isnan(end) for item in nothing for end in item["interval"])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 8).map(lambda eighths: eighths / 8)),
        min_size=2,
        max_size=30,
    ).filter(lambda rows: {target for target, _ in rows} == {0, 1})
)
def test_score_agrees_with_scikit_learn(rows: list[tuple[int, float]]) -> None:
    target, probability = (np.array(column) for column in zip(*rows, strict=True))
    label = (probability > 0.5).astype(int)
    found = binary.score(target, probability).values()
    expected = {
        "accuracy": reference.accuracy_score(target, label),
        "balanced_accuracy": reference.balanced_accuracy_score(target, label),
        "recall": reference.recall_score(target, label),
        "f1": reference.f1_score(target, label, zero_division=0),
        "roc_auc": reference.roc_auc_score(target, probability),
        "average_precision": reference.average_precision_score(target, probability),
        "log_loss": reference.log_loss(target, probability),
        "brier": reference.brier_score_loss(target, probability),
    }
    if label.any():
        expected["precision"] = reference.precision_score(target, label)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 4).map(lambda quarters: quarters / 4), st.integers(0, 3)),
        min_size=2,
        max_size=8,
    ).filter(lambda rows: sum(target * weight for target, _, weight in rows) >= probabilities.MIN_POSITIVES)
)
def test_influence_is_what_a_row_more_changes(rows: list[tuple[int, float, int]]) -> None:
    target, probability, weight = (np.array(column) for column in zip(*rows, strict=True))
    repeated = binary.score(np.repeat(target, weight), np.repeat(probability, weight))
    many = 1_000
    for name, metric in repeated.smooth.items():
        assert metric.parts.sum() == pytest.approx(0, abs=1e-12)
        for row in range(repeated.n):
            times = np.full(repeated.n, many)
            times[row] += 1
            columns = (np.repeat(target, weight), np.repeat(probability, weight))
            moved = binary.score(*(np.repeat(column, times) for column in columns)).smooth[name].value
            assert (moved - metric.value) * many == pytest.approx(metric.parts[row], abs=5e-3)


@pytest.mark.parametrize(
    ("scores", "order"),
    [
        ([], []),
        ([0.5, 0.5, 0.5], [0, 1, 2]),
        ([0.30000002, 0.3, 0.30000001, 0.3, 1.0, 0.0], [5, 1, 3, 2, 0, 4]),  # alike in 16 bits
        ([0.1, -1e-7, 1.0000001, 1.0], [1, 0, 3, 2]),
        ([0.2, 7.0, -math.inf, math.inf, -3.0, math.nan], [2, 4, 0, 1, 3, 5]),
        ([1e305, 0.5, -1e305], [2, 1, 0]),
    ],
)
def test_ascending_sorts_scores_and_keeps_the_order_of_equal_ones(
    scores: list[float], order: list[int]
) -> None:
    found, ordered = probabilities.ascending(np.array(scores))
    assert found.tolist() == order
    np.testing.assert_array_equal(ordered, np.array(scores)[order])
