"""Slices that no rule names: which are tested, by what, and that a destroyed one is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import evaluation_summary
import found_slices
from job import Features, StepConfig

Array = np.ndarray[Any, Any]

CONFIG: Final = StepConfig(
    name="titanic",
    task="binary_classification",
    target="y",
    classes=("0", "1"),
    features=Features(numeric=("age",), categorical=("port",), boolean=("paid",)),
    estimator="logistic_regression",
)


def frame(**columns: Any) -> pd.DataFrame:
    """Rows of CONFIG's columns, each row its own cluster unless `columns` say otherwise."""
    n = len(columns["y"])
    usual = {
        "age": np.arange(n, dtype=float),
        "port": np.full(n, "Q", dtype=object),
        "paid": np.zeros(n),
        "handsoff:row": np.arange(n, dtype=np.uint64),
    }
    return pd.DataFrame(usual | columns)


def passengers(n: int) -> tuple[pd.DataFrame, Array]:
    """Rows with a port (a tenth of them Q) and an age, and the true probabilities as the champion's."""
    generator = np.random.default_rng(4)
    port = generator.choice(np.array(["S", "C", "Q"], dtype=object), n, p=[0.7, 0.2, 0.1])
    age = np.where(generator.random(n) < 0.1, np.nan, generator.normal(30, 10, n))
    probability = 1 / (1 + np.exp(-2 * generator.normal(size=n)))
    y = (generator.random(n) < probability).astype(int)
    return frame(y=y, port=port, age=age, paid=(generator.random(n) < 0.5) * 1.0), probability


# --- which slices -----------------------------------------------------------------------------------------


def test_slices_leave_dates_out() -> None:
    rows = frame(y=np.zeros(8, dtype=int), day=np.arange(8) + 20_000.0)
    config = replace(CONFIG, features=replace(CONFIG.features, date=("day",)))
    assert {item["column"] for item, _ in found_slices.slices(config, rows)} == {"age", "port", "paid"}


def test_slices_are_categories_quartiles_and_rows_without_a_value() -> None:
    rows = frame(
        y=np.zeros(8, dtype=int),
        age=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, np.nan],
        port=np.array(["S", "S", "C", np.nan, "S", "S", "S", "S"], dtype=object),
        paid=[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    )
    found = {
        (item["column"], item["value"], *(item["range"] or ())): inside.tolist()
        for item, inside in found_slices.slices(replace(CONFIG, show_values=True), rows)
        if len(inside)
    }
    assert found == {
        ("age", None): [7],
        ("age", None, 1.0, 2.0): [0, 1],
        ("age", None, 3.0, 4.0): [2, 3],
        ("age", None, 5.0, 5.0): [4],
        ("age", None, 6.0, 7.0): [5, 6],
        ("port", None): [3],
        ("port", "S"): [0, 1, 4, 5, 6, 7],
        ("port", "C"): [2],
        ("paid", "true"): [0],
        ("paid", "false"): [1, 2, 3, 4, 5, 6, 7],
    }


def test_slices_equal_numbers_are_in_one_quartile() -> None:
    rows = frame(y=np.zeros(8, dtype=int), age=[0.0] * 6 + [1.0, 2.0])
    config = replace(CONFIG, show_values=True)
    found = [item["range"] for item, inside in found_slices.slices(config, rows) if item["range"]]
    assert found == [[0.0, 0.0], [1.0, 2.0]]


def test_slices_range_has_no_value_of_a_single_row_unless_values_are_shown() -> None:
    rows = frame(y=np.zeros(84, dtype=int), age=np.arange(84.0))
    hidden = [item["range"] for item, _ in found_slices.slices(CONFIG, rows) if item["range"]]
    shown = replace(CONFIG, show_values=True)
    assert [item["range"] for item, _ in found_slices.slices(shown, rows) if item["range"]] == [
        [0.0, 20.0],
        [21.0, 41.0],
        [42.0, 62.0],
        [63.0, 83.0],
    ]
    assert hidden == [[1.0, 19.0], [22.0, 40.0], [43.0, 61.0], [64.0, 82.0]]


def test_slices_of_few_rows_are_left_out() -> None:
    rows = frame(y=np.zeros(8, dtype=int), port=np.array(["S"] * 5 + ["C"] * 3, dtype=object))
    found = [item["value"] for item, _ in found_slices.slices(CONFIG, rows, 4) if item["column"] == "port"]
    assert found == ["S"]


def test_slices_column_without_a_value_has_no_quartile() -> None:
    rows = frame(y=np.zeros(3, dtype=int), age=[np.nan] * 3)
    assert [item["range"] for item, _ in found_slices.slices(CONFIG, rows) if item["range"]] == []


@pytest.mark.parametrize(("clusters", "tested"), [(29, 0), (30, 1)])
def test_worse_slices_have_at_least_thirty_clusters(clusters: int, tested: int) -> None:
    """C has 60 rows of 29 or 30 clusters. Everything else has either all rows, or few."""
    port = np.array(["C"] * 60 + ["S"] * 20, dtype=object)
    groups = np.r_[np.arange(60) % clusters, np.full(20, 99)].astype(np.uint64)
    rows = frame(y=np.zeros(80, dtype=int), port=port, age=np.full(80, 3.0)).assign(
        **{"handsoff:row": groups}
    )
    half = np.full(80, 0.5)
    assert found_slices.worse_slices(CONFIG, rows, half, half)["slices_tested"] == tested


# --- the test ---------------------------------------------------------------------------------------------


def test_worse_slices_of_independent_rows_are_students_paired_test() -> None:
    rows, champion = passengers(600)
    candidate = np.clip(champion + np.random.default_rng(1).normal(0, 0.1, 600), 0, 1)
    found = found_slices.worse_slices(CONFIG, rows, candidate, champion)
    item = next(item for item in found["found_slices"] if item["value"] == "S")
    inside = (rows["port"] == "S").to_numpy()
    target = rows["y"].to_numpy()[inside]
    losses = [(probability[inside] - target) ** 2 for probability in (candidate, champion)]
    expected = stats.ttest_rel(losses[0] - item["margin"], losses[1], alternative="greater")
    assert item["p"] == pytest.approx(expected.pvalue)
    assert item["difference"] == pytest.approx((losses[0] - losses[1]).mean())
    assert (item["n"], item["clusters"], item["loss"]) == (inside.sum(), inside.sum(), "brier")


def test_worse_slices_are_in_the_order_of_p() -> None:
    rows, champion = passengers(600)
    found = found_slices.worse_slices(CONFIG, rows, 1 - champion, champion)
    assert found["slices_tested"] == len(found["found_slices"]) == 10
    p = [item["p"] for item in found["found_slices"]]
    assert p == sorted(p)


def test_holm_by_hand() -> None:
    """0.01 · 3, 0.02 · 2, and 0.03 · 1, which is not below the one before."""
    assert found_slices.holm([0.01, 0.02, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert found_slices.holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert found_slices.holm([]) == []


def test_worse_slices_find_a_port_whose_predictions_are_turned_round() -> None:
    rows, champion = passengers(600)
    queenstown = (rows["port"] == "Q").to_numpy()
    candidate = np.where(queenstown, 1 - champion, champion)
    first, *others = found_slices.worse_slices(CONFIG, rows, candidate, champion)["found_slices"]
    assert (first["column"], first["value"]) == ("port", "Q")
    assert first["p_holm"] < 0.001
    assert first["difference"] > 0.2
    assert all(item["p_holm"] > 0.05 for item in others if item["column"] == "port")


def test_worse_slices_count_clusters_of_rows_that_landed_three_times() -> None:
    rows, champion = passengers(200)
    candidate = np.clip(champion + np.random.default_rng(1).normal(0, 0.1, 200), 0, 1)
    once = found_slices.worse_slices(CONFIG, rows, candidate, champion)
    thrice = found_slices.worse_slices(
        CONFIG, pd.concat([rows] * 3), np.tile(candidate, 3), np.tile(champion, 3)
    )
    assert thrice["slices_tested"] == once["slices_tested"]
    for before, after in zip(once["found_slices"], thrice["found_slices"], strict=True):
        assert after["n"] == 3 * before["n"]
        assert after["clusters"] == before["clusters"]
        assert after["p"] == pytest.approx(before["p"])


def test_worse_slices_same_model_is_worse_nowhere() -> None:
    rows, champion = passengers(600)
    found = found_slices.worse_slices(CONFIG, rows, champion, champion)["found_slices"]
    assert {item["p_holm"] for item in found} == {1.0}


def test_worse_slices_slightly_worse_by_the_same_amount_in_each_row_is_certain() -> None:
    rows = frame(y=np.zeros(80, dtype=int), port=np.array(["S", "C"] * 40, dtype=object))
    found = found_slices.worse_slices(CONFIG, rows, np.full(80, 0.5), np.full(80, 0.25))["found_slices"]
    assert found[0]["difference"] == 0.1875
    assert found[0]["p_holm"] == 0.0


def numbers(y: Array) -> tuple[StepConfig, pd.DataFrame]:
    """Rows of a regression: port is S and C by turns."""
    config = replace(CONFIG, task="regression", classes=())
    return config, frame(y=y, port=np.array(["S", "C"] * (len(y) // 2), dtype=object))


def test_margin_is_a_twentieth_of_the_champions_loss_on_the_slice_or_on_all_rows() -> None:
    """The champion errs by 1 on S and by 3 on C, which is 2 on all rows."""
    config, rows = numbers(np.zeros(80))
    champion = np.array([1.0, 3.0] * 40)
    found = found_slices.worse_slices(config, rows, champion, champion)["found_slices"]
    margins = {item["value"]: item["margin"] for item in found if item["column"] == "port"}
    assert margins == pytest.approx({"S": 0.1, "C": 0.15})


@pytest.mark.parametrize(("higher", "p"), [(0.09, 1.0), (0.11, 0.0)])
def test_worse_slices_are_worse_by_more_than_the_margin(higher: float, p: float) -> None:
    """The champion errs by 2 in each row, so 0.1 is allowed."""
    config, rows = numbers(np.zeros(80))
    found = found_slices.worse_slices(config, rows, np.full(80, 2 + higher), np.full(80, 2.0))
    assert found["found_slices"][0]["difference"] == pytest.approx(higher)
    assert {item["p_holm"] for item in found["found_slices"]} == {p}


@pytest.mark.parametrize(
    "y", [[0.1, 0.3, 0.7, 1.1, 2.3], [0.3] * 5, [1e9, 1e9 + 1, 1e9, 1e9 + 2, 1e9], [1e-9, 2e-9]]
)
def test_worse_slices_of_numbers_do_not_differ_by_rounding(y: list[float]) -> None:
    """The champion is right; the candidate is off by the last digits, whatever the unit of the target is."""
    target = np.resize(np.array(y), 400)
    config, rows = numbers(target)
    found = found_slices.worse_slices(config, rows, target * (1 + 4e-16), target)["found_slices"]
    assert any(item["difference"] > 0 for item in found)
    assert {item["p_holm"] for item in found} == {1.0}


@pytest.mark.parametrize("offset", [0.0, 1.7e9])
def test_worse_slices_of_numbers_far_from_zero_are_found(offset: float) -> None:
    """The target is a time in seconds, of which S is predicted a minute too late; the champion is right."""
    target = offset + np.random.default_rng(0).normal(0, 3600, 400)
    config, rows = numbers(target)
    late = target + 60 * (rows["port"] == "S").to_numpy()
    first = found_slices.worse_slices(config, rows, late, target)["found_slices"][0]
    assert (first["value"], first["p_holm"]) == ("S", 0.0)


def test_worse_slices_of_classes_do_not_differ_by_rounding() -> None:
    rows = frame(y=np.zeros(80, dtype=int), port=np.array(["S", "C"] * 40, dtype=object))
    found = found_slices.worse_slices(CONFIG, rows, np.full(80, 1e-4), np.zeros(80))["found_slices"]
    assert found[0]["difference"] == pytest.approx(1e-8)
    assert {item["margin"] for item in found} == {1e-6}
    assert {item["p_holm"] for item in found} == {1.0}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_worse_slices_of_a_model_without_numbers_are_none(bad: float) -> None:
    rows, champion = passengers(100)
    broken = np.r_[bad, champion[1:]]
    nothing = {"slices_tested": 0, "found_slices": []}
    assert found_slices.worse_slices(CONFIG, rows, broken, champion) == nothing
    assert found_slices.worse_slices(CONFIG, rows, champion, broken) == nothing
    assert found_slices.worse_slices(CONFIG, rows[:0], champion[:0], champion[:0]) == nothing


def test_worse_slices_are_the_twenty_of_the_lowest_p() -> None:
    generator = np.random.default_rng(0)
    port = np.array([f"port {k}" for k in range(25)], dtype=object)[np.arange(1000) % 25]
    rows = frame(y=generator.integers(0, 2, 1000), port=port, age=generator.random(1000))
    candidate, champion = generator.random((2, 1000))
    found = found_slices.worse_slices(CONFIG, rows, candidate, champion)
    assert (found["slices_tested"], len(found["found_slices"])) == (29, 20)


@pytest.mark.parametrize(
    ("slice_", "where"),
    [
        ({"value": "Q", "range": None}, "= Q"),
        (
            {"value": None, "range": None},
            "without a value",
        ),
        (
            {"value": None, "range": [1.5, 20.0]},
            "from 1.5 to 20",
        ),
    ],
)
def test_log_names_a_worse_slice(slice_: dict[str, Any], where: str) -> None:
    found = {
        "column": "port",
        "n": 40,
        "loss": "brier",
        "difference": 0.25,
        "margin": 0.01,
        "p_holm": 0.001,
        **slice_,
    }
    text = evaluation_summary._worse(found)
    assert text == f"worse where port {where}: brier +0.2500 (margin 0.0100) on 40 rows, p = 0.0010"
