"""A year of weekly verdicts: with an anchor no chain of champions falls far; looks make false gains rare.

bench/generations.py measures it with sixty years; here are a few.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.generations import ANCHOR, CHAMPION, FIRST, GAIN, WORSE, year

pytestmark = pytest.mark.slow

SAMPLING_ERROR = 0.01
"""Two standard errors of a difference of ROC AUC on 1,000 rows."""


@pytest.mark.parametrize("fresh", [False, True], ids=["same rows", "fresh rows"])
def test_a_year_beside_the_anchor_ends_no_lower_than_its_margin(fresh: bool) -> None:
    generator = np.random.default_rng(7)
    years = [year(generator, [CHAMPION, ANCHOR], WORSE, 1000, fresh=fresh) for _ in range(2)]
    assert min(one.auc for one in years) >= FIRST - 0.05 - SAMPLING_ERROR
    assert all(one.approvals for one in years)


def test_a_year_beside_the_champion_alone_falls_much_lower() -> None:
    assert year(np.random.default_rng(7), [CHAMPION], WORSE, 1000, fresh=False).auc < FIRST - 0.1


def test_years_without_a_gain_on_the_same_rows_have_hardly_a_false_one() -> None:
    generator = np.random.default_rng(7)
    years = [year(generator, [GAIN], 0.0, 262, fresh=False) for _ in range(6)]
    assert sum(one.false > 0 for one in years) <= 1
