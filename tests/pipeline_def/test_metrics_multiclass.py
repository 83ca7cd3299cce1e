"""Multiclass metrics: by hand, against scikit-learn, and where classes do not occur."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

import multiclass
from scored import Scored
from uncertainty import measured, paired


def scored(target: list[int], probability: list[list[float]]) -> Scored:
    return multiclass.score(np.array(target, dtype=int), np.array(probability, dtype=float).reshape(-1, 3))


FOUR = [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.4, 0.35, 0.25], [0.1, 0.1, 0.8]]


def test_score_four_rows_by_hand() -> None:
    """Classes 0, 1, 1, 2, predicted as 0, 1, 0, 2."""
    found = scored([0, 1, 1, 2], FOUR).values()
    assert found["accuracy"] == pytest.approx(3 / 4)
    assert found["balanced_accuracy"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert found["f1_macro"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert found["f1_weighted"] == pytest.approx((2 / 3 + 2 * 2 / 3 + 1) / 4)
    # each class's own rows have its highest probabilities
    assert found["roc_auc_ovr"] == 1.0
    assert found["log_loss"] == pytest.approx(-math.log(0.7 * 0.5 * 0.35 * 0.8) / 4)
    assert found["brier"] == pytest.approx((0.14 + 0.38 + 0.645 + 0.06) / 4)
    # confidences 0.7, 0.5, 0.4, 0.8, each in a bin of its own; the third is wrong
    assert found["expected_calibration_error"] == pytest.approx((0.3 + 0.5 + 0.4 + 0.2) / 4)
    assert found["precision_weighted"] == pytest.approx((1 / 2 + 2 * 1 + 1) / 4)


def test_predicted_equally_probable_classes_give_the_first() -> None:
    assert multiclass.predicted(np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])).tolist() == [0, 1]


def test_score_means_leave_out_a_class_without_rows() -> None:
    """Classes 0, 0, 1 and none of class 2; the second row is predicted to be 1."""
    found = scored([0, 0, 1], [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.1, 0.7, 0.2]]).values()
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["f1_macro"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert found["roc_auc_ovr"] == 1.0


def test_f1_macro_counts_a_class_that_is_only_predicted() -> None:
    found = scored([0, 0, 1], [[0.8, 0.1, 0.1], [0.3, 0.1, 0.6], [0.1, 0.7, 0.2]]).values()
    assert found["f1_macro"] == pytest.approx((2 / 3 + 1 + 0) / 3)


@pytest.mark.parametrize(
    ("target", "undefined"),
    [([], set(multiclass.METRICS)), ([1], {"balanced_accuracy", "roc_auc_ovr"})],
)
def test_measured_undefined_metric_is_nan(target: list[int], undefined: set[str]) -> None:
    rows = scored(target, FOUR[: len(target)])
    for found in measured(rows), paired(rows, rows)[2]:
        assert {name for name in multiclass.METRICS if math.isnan(found[name]["value"])} == undefined


def test_log_loss_of_probability_zero_is_finite() -> None:
    found = scored([2], [[1.0, 0.0, 0.0]]).values()
    assert found["log_loss"] == pytest.approx(36.04, abs=0.01)
    assert found["brier"] == 2.0


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 8), st.integers(1, 8), st.integers(1, 8)),
        min_size=3,
        max_size=30,
    ).filter(lambda rows: {row[0] for row in rows} == {0, 1, 2})
)
def test_score_agrees_with_scikit_learn(rows: list[tuple[int, int, int, int]]) -> None:
    target = np.array([row[0] for row in rows])
    probability = np.array([row[1:] for row in rows], dtype=float)
    probability /= probability.sum(axis=1, keepdims=True)
    label = probability.argmax(axis=1)
    found = multiclass.score(target, probability).values()
    expected = {
        "accuracy": reference.accuracy_score(target, label),
        "balanced_accuracy": reference.balanced_accuracy_score(target, label),
        "f1_macro": reference.f1_score(target, label, average="macro"),
        "f1_weighted": reference.f1_score(target, label, average="weighted"),
        "precision_weighted": reference.precision_score(target, label, average="weighted", zero_division=0),
        "f0_5_weighted": reference.fbeta_score(target, label, beta=0.5, average="weighted"),
        "f2_weighted": reference.fbeta_score(target, label, beta=2, average="weighted"),
        "roc_auc_ovr": reference.roc_auc_score(target, probability, multi_class="ovr"),
        "log_loss": reference.log_loss(target, probability),
        "brier": reference.brier_score_loss(target, probability, scale_by_half=False),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
