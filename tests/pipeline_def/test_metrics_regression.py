"""Regression metrics: by hand, against scikit-learn, and where they are undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

import regression
from scored import Scored
from uncertainty import measured, paired


def scored(target: list[float], prediction: list[float]) -> Scored:
    return regression.score(np.array(target, dtype=float), np.array(prediction, dtype=float))


def test_score_four_rows_by_hand() -> None:
    """Errors 1, 2, 0, 5 on targets 2, 4, 6, 8, whose mean is 5."""
    found = scored([2, 4, 6, 8], [3, 2, 6, 13]).values()
    assert found["rmse"] == pytest.approx(math.sqrt(30 / 4))
    assert found["mse"] == pytest.approx(30 / 4)
    assert found["mae"] == pytest.approx(2.0)
    assert found["r2"] == pytest.approx(1 - 30 / 20)
    assert found["median_absolute_error"] == pytest.approx(1.5)
    assert found["mape"] == pytest.approx((1 / 2 + 2 / 4 + 0 + 5 / 8) / 4)


@pytest.mark.parametrize(
    ("target", "undefined"),
    [
        ([], {"rmse", "mae", "r2", "median_absolute_error", "mape"}),
        ([3.0], {"r2"}),
        ([0.1, 0.1, 0.1], {"r2"}),
        ([1e9 + 0.1, 1e9 + 0.1], {"r2"}),
        ([0.0, 1.0], {"mape"}),
    ],
)
def test_measured_undefined_metric_is_nan(target: list[float], undefined: set[str]) -> None:
    rows = scored(target, [value + 1 for value in target])
    for found in measured(rows), paired(rows, rows)[2]:
        assert {name for name in regression.METRICS if math.isnan(found[name]["value"])} == undefined


def test_score_errors_too_large_to_square_are_undefined() -> None:
    found = measured(scored([1.0, 2.0, 3.0], [1e200, 2.0, 3.0]))
    assert math.isnan(found["rmse"]["value"])
    assert found["median_absolute_error"]["value"] == 0.0


def test_r2_of_the_mean_is_zero() -> None:
    assert scored([1, 2, 6], [3, 3, 3]).values()["r2"] == 0.0


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.integers(-20, 60), st.integers(0, 3)), min_size=2, max_size=25
    ).filter(lambda rows: len({target for target, _, weight in rows if weight}) > 1)
)
def test_measure_agrees_with_scikit_learn_in_every_resample(rows: list[tuple[int, int, int]]) -> None:
    target, prediction, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = regression.score(target, prediction)
    assert found.values() == pytest.approx(
        {
            "rmse": reference.root_mean_squared_error(target, prediction),
            "mse": reference.mean_squared_error(target, prediction),
            "mae": reference.mean_absolute_error(target, prediction),
            "r2": reference.r2_score(target, prediction),
            "median_absolute_error": reference.median_absolute_error(target, prediction),
            "mape": reference.mean_absolute_percentage_error(target, prediction),
        }
    )
    repeated = [np.repeat(values, weight.astype(int)) for values in (target, prediction)]
    sums = weight @ np.column_stack([np.ones(len(target)), target, target**2, (target - prediction) ** 2])
    assert regression.r2_of(sums[None])[0] == pytest.approx(reference.r2_score(*repeated))
    assert regression.score(*repeated).values()["median_absolute_error"] == pytest.approx(
        reference.median_absolute_error(*repeated)
    )


@pytest.mark.parametrize("n", [5, 41, 400])
def test_median_has_the_deviation_and_percentiles_of_every_resample(n: int) -> None:
    errors = np.random.default_rng(1).exponential(size=n)
    drawn = np.random.default_rng(2).integers(0, n, (20_000, n))
    medians = np.median(errors[drawn], axis=1)
    found = measured(regression.score(np.zeros(n), errors))["median_absolute_error"]
    assert found["value"] == np.median(errors)
    assert found["standard_deviation"] == pytest.approx(medians.std(), rel=0.05)
    near = np.sort(errors)
    for confidence, ends in found["bounds"].items():
        expected = np.quantile(medians, [1 - float(confidence), float(confidence)])
        for end, other in zip(ends, expected, strict=True):
            assert abs(np.searchsorted(near, end) - np.searchsorted(near, other)) <= 1


def test_metrics_of_rows_of_one_group_have_values_without_intervals() -> None:
    clusters = np.zeros(3, dtype=np.int64)
    found = measured(regression.score(np.zeros(3), np.array([1.0, 2.0, 4.0]), clusters))
    assert found["median_absolute_error"]["value"] == 2.0
    for metric in found.values():
        assert np.isnan(metric["standard_deviation"])
        assert np.isnan(metric["interval"]).all()


def test_median_of_errors_that_are_alike_has_no_deviation() -> None:
    found = measured(scored([1.0] * 9, [1.5] * 9))["median_absolute_error"]
    assert (found["value"], found["standard_deviation"], found["interval"]) == (0.5, 0.0, [0.5, 0.5])
