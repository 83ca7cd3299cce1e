"""One-sided bounds by confidence, and the calibration slope."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

import binary
import intervals
import recalibration
import resampling
import scoring
from scored import Scored
from tests.pipeline_def.test_clusters import TASKS, two_models
from uncertainty import measured, paired

Array = np.ndarray[Any, Any]

CONFIDENCES = ["0.8", "0.9", "0.95", "0.975", "0.99"]


def scored(task: str, ids: Array | None) -> Scored:
    """Ninety rows of a task."""
    target, ours, _ = two_models(task, 90)
    found: Scored = TASKS[task].score(target, ours, ids)
    return found


# --- bounds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [None, 30])
@pytest.mark.parametrize("task", TASKS)
def test_bounds_hold_the_value_and_are_wider_with_more_confidence(task: str, groups: int | None) -> None:
    ids = None if groups is None else np.arange(90) % groups
    for name, metric in measured(scored(task, ids)).items():
        if name == "expected_calibration_error":
            assert metric["bounds"] == {}
            continue
        assert list(metric["bounds"]) == CONFIDENCES
        lows, highs = zip(*metric["bounds"].values(), strict=True)
        assert list(lows) == sorted(lows, reverse=True), name
        assert list(highs) == sorted(highs), name
        assert lows[0] <= metric["value"] <= highs[0]
        assert metric["bounds"]["0.975"] == metric["interval"]


def test_bounds_of_a_share_by_hand() -> None:
    """8 of 8: the lower bound is 8 / (8 + z²), with z = 1.6449 at 95 % and 2.3263 at 99 %."""
    right = np.ones(8, dtype=bool)
    found = intervals.share(right, right)["bounds"]
    assert found["0.95"] == pytest.approx([0.747277, 1.0], abs=1e-6)
    assert found["0.99"] == pytest.approx([0.596485, 1.0], abs=1e-6)


def test_bounds_of_a_mean_without_skewness_are_students() -> None:
    """20 ± t / √3 with two degrees of freedom: 2.9200 at 95 %, 1.0607 at 80 %."""
    found = intervals.mean(np.array([19.0, 20.0, 21.0]))["bounds"]
    assert found["0.95"] == pytest.approx([18.3141, 21.6859], abs=1e-4)
    assert found["0.8"] == pytest.approx([19.3876, 20.6124], abs=1e-4)


def test_percentiles_of_few_clusters_are_further_out() -> None:
    """Four degrees of freedom at 97.5 %: Φ(√(5/4) · 2.7764) = 0.99904 instead of 0.975."""
    draws = np.linspace(0, 1, 100_001)
    assert resampling.percentiles(0.5, draws) == pytest.approx((0.025, 0.975), abs=1e-5)
    assert resampling.percentiles(0.5, draws, freedom=4) == pytest.approx((0.00095, 0.99905), abs=1e-5)
    assert all(math.isnan(end) for end in resampling.percentiles(0.5, draws, freedom=0))


def test_undefined_metric_has_no_bounds() -> None:
    found = scoring.scores("binary_classification", np.zeros(5, dtype=int), np.full(5, 0.2))["metrics"]
    assert found["roc_auc"]["bounds"] == {}
    wrong = scoring.scores("binary_classification", np.zeros(5, dtype=int), np.full(5, np.nan))["metrics"]
    assert {name: metric["bounds"] for name, metric in wrong.items()} == {key: {} for key in binary.METRICS}


# --- calibration slope ------------------------------------------------------------------------------------


def probabilities(n: int, extreme: float) -> tuple[Array, Array]:
    """Targets of logits around 0, and their probabilities from logits that are `extreme` times too large."""
    generator = np.random.default_rng(7)
    logits = generator.normal(0, 1.5, n)
    target = (generator.random(n) < 1 / (1 + np.exp(-logits))).astype(int)
    return target, 1 / (1 + np.exp(-extreme * logits))


@pytest.mark.parametrize(("extreme", "slope"), [(1.0, 1.0), (2.0, 0.5), (0.5, 2.0)])
def test_calibration_slope_is_how_much_too_small_the_logits_are(extreme: float, slope: float) -> None:
    found = recalibration.calibration_slope(*probabilities(20_000, extreme)).value
    assert found == pytest.approx(slope, rel=0.04)


def test_calibration_slope_agrees_with_scikit_learn() -> None:
    target, probability = probabilities(300, 1.3)
    logits = np.log(probability / (1 - probability))[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(logits, target)
    assert recalibration.calibration_slope(target, probability).value == pytest.approx(
        model.coef_[0, 0], rel=1e-4
    )


def test_calibration_slope_has_the_robust_deviation_of_a_bootstrap() -> None:
    target, probability = probabilities(400, 1.3)
    rows = np.random.default_rng(5).integers(0, 400, (400, 400))
    drawn = [recalibration.calibration_slope(target[row], probability[row]).value for row in rows]
    found = measured(binary.score(target, probability))["calibration_slope"]
    assert found["standard_deviation"] == pytest.approx(np.std(drawn), rel=0.1)
    half = stats.t.ppf(0.975, 399) * found["standard_deviation"]
    assert found["interval"] == pytest.approx([found["value"] - half, found["value"] + half])


def test_calibration_slope_of_probabilities_0_and_1_is_finite() -> None:
    """They count as a millionth and as a million in a million and one: logits of ∓ 13.8."""
    target, probability = np.array([0, 0, 1, 1, 0, 1] * 10), np.array([0.0, 0.0, 1.0, 1.0, 1.0, 0.0] * 10)
    found = recalibration.calibration_slope(target, probability).value
    assert found == pytest.approx(math.log(2) / math.log(999_999))


@pytest.mark.parametrize(
    ("target", "probability"),
    [
        ([0, 1, 0, 1], [0.3, 0.3, 0.3, 0.3]),
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
        ([1, 1, 1, 1], [0.1, 0.2, 0.8, 0.9]),
        ([], []),
        ([1], [0.4]),
    ],
    ids=["one probability", "separated", "one class", "no row", "one row"],
)
def test_calibration_slope_is_undefined(target: list[int], probability: list[float]) -> None:
    found = measured(binary.score(np.array(target, dtype=int), np.array(probability, dtype=float)))
    assert math.isnan(found["calibration_slope"]["value"])
    assert found["calibration_slope"]["bounds"] == {}


def test_calibration_slope_has_a_difference_without_bounds() -> None:
    target, probability = probabilities(200, 1.3)
    rows, other = binary.score(target, probability), binary.score(target, np.sqrt(probability))
    gap = paired(rows, other)[2]["calibration_slope"]
    assert math.isfinite(gap["value"])
    assert math.isnan(gap["standard_error"])
    assert gap["method"] == "undefined: best at 1"
