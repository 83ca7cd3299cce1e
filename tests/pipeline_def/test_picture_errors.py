"""In which direction predictions are off, whether that is known, and which errors come first."""

from __future__ import annotations

import numpy as np
import pytest

from pictures_errors import direction, errors_first
from pictures_probability import calibrated


@pytest.mark.parametrize(
    ("said", "happened", "title"),
    [
        (0.3, 440, "The candidate says too little: on average 0.30 where 0.44 happened"),
        (0.5, 440, "The candidate says too much: on average 0.50 where 0.44 happened"),
        (0.45, 440, "The candidate is not distinguishable from well calibrated on 1,000 rows"),
    ],
)
def test_calibration_tells_the_direction(said: float, happened: int, title: str) -> None:
    found = calibrated((np.arange(1_000) < happened).astype(int), np.full(1_000, said))
    assert found.direction() == title


def test_calibration_that_is_right_on_average_alone_is_told() -> None:
    target = np.r_[np.repeat([1, 0], [350, 150]), np.repeat([1, 0], [150, 350])]
    found = calibrated(target, np.repeat([0.95, 0.05], 500))
    assert found.direction() == (
        "The candidate is right on average, 0.50 where 0.50 happened, but not at each probability"
    )


def test_few_rows_are_not_distinguishable_from_well_calibrated() -> None:
    found = calibrated(np.array([1, 0] * 10), np.full(20, 0.6))
    assert found.direction() == "The candidate is not distinguishable from well calibrated on 20 rows"


@pytest.mark.parametrize(
    ("mean", "title"),
    [
        (45.0, "The candidate is too high by 45 on average (champion −1)"),
        (-45.0, "The candidate is too low by 45 on average (champion −1)"),
        (0.01, "The candidate is not clearly too high or too low on average: +0.0100 (champion −1)"),
    ],
)
def test_residuals_tell_the_direction(mean: float, title: str) -> None:
    spread = np.tile([-1.0, 1.0], 50)
    assert direction([spread + mean, spread - 1]) == title


def test_errors_come_before_right_predictions() -> None:
    counts = np.diag(np.full(40, 100))
    counts[15, 16], counts[3, 4] = 30, 31
    assert errors_first(counts)[:2].tolist() == [[3, 4], [15, 16]]
    assert errors_first(counts)[-1].tolist() == [39, 39]
