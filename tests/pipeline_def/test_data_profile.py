"""The profile of the training rows, against counts made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import data_profile
import train
from job import Json, parse_config
from tests.pipeline_def.helpers import PRICES, SMALL
from written import categories_of


def numbers(values: pa.ChunkedArray) -> Json:
    return data_profile.numbers(data_profile.numbers_of(values), len(values))


def categories(values: pa.ChunkedArray) -> Json:
    return data_profile.categories(categories_of(values), len(values))


def test_numbers_few_distinct_values_are_counted_exactly() -> None:
    assert numbers(pa.chunked_array([[3.0, None, -1.0], [3.0, 2.5, 3.0]])) == {
        "kind": "numeric",
        "missing": 1,
        "exact": True,
        "points": [-1.0, 2.5, 3.0],
        "below": [1, 2, 5],
    }


def test_numbers_256_distinct_values_are_exact() -> None:
    found = numbers(pa.chunked_array([np.arange(256.0)[::-1]]))
    assert found["exact"]
    assert (found["points"][:2], found["points"][-1]) == ([0.0, 1.0], 255.0)
    assert (found["below"][:2], found["below"][-1]) == ([1, 2], 256)


def test_numbers_many_distinct_values_keep_even_quantiles() -> None:
    """0 to 1020 in steps of one: every fourth is a point."""
    found = numbers(pa.chunked_array([np.arange(1021.0)[::-1]]))
    assert not found["exact"]
    assert found["points"][:3] == [0.0, 4.0, 8.0]
    assert found["below"][:3] == [1, 5, 9]
    assert (found["points"][-1], found["below"][-1], len(found["points"])) == (1020.0, 1021, 256)


def test_numbers_257_distinct_values_keep_the_lowest_and_the_highest() -> None:
    found = numbers(pa.chunked_array([np.arange(257.0)]))
    assert (found["exact"], len(found["points"])) == (False, 256)
    assert (found["points"][0], found["points"][-1], found["below"][-1]) == (0.0, 256.0, 257)


def test_numbers_value_of_most_rows_is_one_point_with_an_exact_count() -> None:
    values = np.concatenate([np.zeros(9_000), np.arange(1.0, 1001.0)])
    found = numbers(pa.chunked_array([values]))
    assert (found["exact"], found["points"][0], found["below"][0]) == (False, 0.0, 9_000)
    assert (found["points"][-1], found["below"][-1]) == (1000.0, 10_000)
    assert len(found["points"]) == 27  # a tenth of the 256 quantiles, and zero
    assert found["points"] == sorted(set(found["points"]))


@pytest.mark.parametrize("values", [[[]], [[None, None]]])
def test_numbers_without_any_value_have_no_points(values: list[list[None]]) -> None:
    assert numbers(pa.chunked_array(values, pa.float64())) == {
        "kind": "numeric",
        "missing": len(values[0]),
        "exact": True,
        "points": [],
        "below": [],
    }


def test_categories_counts_the_most_frequent_first() -> None:
    found = categories(pa.chunked_array([["b", "a", None], ["c", "a", "b", "é", ""]]))
    assert found == {
        "kind": "categorical",
        "missing": 1,
        "counts": {"a": 2, "b": 2, "": 1, "c": 1, "é": 1},
        "other": 0,
        "once": 3,
    }
    assert list(found["counts"]) == ["a", "b", "", "c", "é"]


def test_categories_counts_rare_ones_together() -> None:
    names = [f"{number:03}" for number in range(300)]
    found = categories(pa.chunked_array([[*names, "299", "299", None]]))
    assert len(found["counts"]) == 254
    assert list(found["counts"].items())[:2] == [("299", 3), ("000", 1)]
    assert list(found["counts"])[-1] == "252"  # 253 to 298 are as frequent and come later by name
    assert (found["other"], found["missing"], found["once"]) == (46, 1, 299)


def test_categories_keeps_as_many_as_training_tells_apart() -> None:
    """254 of 300: HistGradientBoosting bins at most 255 values."""
    counts = categories(pa.chunked_array([[str(number) for number in range(300)]]))["counts"]
    columns = train.build(
        parse_config({**SMALL, "training": {"estimator": "hist_gradient_boosting"}}), ["c"]
    )["columns"]
    assert len(counts) == columns.transformers[0][1].max_categories == 254


def test_profile_describes_each_feature(tmp_path: Path) -> None:
    table = pa.table(
        {
            "x": pa.array([1.0, None, 2.0]),
            "home": pa.array(["a", "b", "a"]),
            "home.dest": pa.array(["z", None, None]),
            "b": pa.array([1.0, 0.0, None]),
            "empty": pa.array([None, None, None], pa.float64()),
            "y": pa.array([0, 1, 1], pa.int16()),
        }
    )
    pq.write_table(table, tmp_path / "train.parquet")
    features = {"numeric": ["x"], "categorical": ["home", "home.dest"], "boolean": ["b", "empty"]}
    config = parse_config({**SMALL, "features": features})
    found = data_profile.profile(tmp_path / "train.parquet", config)
    expected: dict[str, Any] = {
        "x": {"kind": "numeric", "missing": 1, "exact": True, "points": [1.0, 2.0], "below": [1, 2]},
        "home": {"kind": "categorical", "missing": 0, "counts": {"a": 2, "b": 1}, "other": 0, "once": 1},
        "home.dest": {"kind": "categorical", "missing": 2, "counts": {"z": 1}, "other": 0, "once": 1},
        "b": {"kind": "categorical", "missing": 1, "counts": {"false": 1, "true": 1}, "other": 0, "once": 2},
        "empty": {"kind": "categorical", "missing": 3, "counts": {}, "other": 0, "once": 0},
    }
    target = {"kind": "categorical", "missing": 0, "counts": {"1": 2, "0": 1}, "other": 0, "once": 1}
    assert found == {"schema_version": 1, "rows": 3, "columns": expected, "target": target}
    some = data_profile.profile(tmp_path / "train.parquet", config, np.array([True, False, True]))
    assert (some["rows"], some["columns"]["x"]["points"]) == (2, [1.0, 2.0])
    assert some["target"]["counts"] == {"0": 1, "1": 1}


def test_profile_of_a_target_of_regression_is_of_numbers(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0, 2.0], "c": ["a", "b"], "y": [0.5, -4.0]}), tmp_path / "x.parquet")
    found = data_profile.profile(tmp_path / "x.parquet", parse_config(PRICES))
    assert found["target"] == numbers(pa.chunked_array([[0.5, -4.0]]))
