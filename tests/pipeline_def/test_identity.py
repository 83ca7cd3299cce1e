"""Identities of rows: the same for the same values, in whatever spelling and kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import convert
import identity
from job import Dialect, Features, StepConfig
from row_ids import read_training_ids
from tests.pipeline_def.helpers import SMALL, Run, land, register

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = pytest.mark.usefixtures("undrawn")

CONFIG = StepConfig(
    "m", "binary_classification", "y", ("0", "1"), Features(("n",), ("c",), ("b",)), "hist_gradient_boosting"
)


def ids(columns: dict[str, Any], config: StepConfig = CONFIG) -> list[int]:
    """The identities of the rows with these columns, beside usual ones."""
    given = {"n": ["1"], "c": ["a"], "b": ["1"], "y": ["0"], "other": ["z"]} | columns
    found: list[int] = convert.convert(pa.record_batch(given), config, "key", 1)["handsoff:row"].to_pylist()
    return found


@pytest.mark.parametrize("column", ["n", "c", "other"])
@pytest.mark.parametrize(
    ("one", "two"),
    [
        (["1"], ["1.0"]),
        (["1"], [" +1 "]),
        (["1"], [1]),
        (["1"], pa.array([1.0], pa.float32())),
        (["0.1"], pa.array([0.1], pa.float32())),
        (["1e2"], ["100.00"]),
        (["-0"], ["0"]),
        ([""], ["NULL"]),
        ([""], [None]),
        (["nan"], pa.array([None], pa.float64())),
        (["9007199254740993"], [9007199254740993]),
        (["1e-100"], [1e-100]),
        (["1e300"], [1e300]),
    ],
)
def test_row_ids_of_one_value_in_two_spellings_are_the_same(column: str, one: object, two: object) -> None:
    assert ids({column: one}) == ids({column: two})


@pytest.mark.parametrize("column", ["c", "other"])
@pytest.mark.parametrize(
    ("one", "two"),
    [
        (["a\r\nb"], ["a\nb"]),
        (["a\rb"], ["a\r\nb"]),
        (["Male"], [" male"]),
        (["true"], [True]),
        (["True"], ["1"]),
        (["2026-01-01"], ["2026-01-01 00:00:00"]),
        (["caf\u00e9"], ["cafe\u0301"]),
    ],
)
def test_row_ids_of_one_text_in_two_spellings_are_the_same(column: str, one: object, two: object) -> None:
    assert ids({column: one}) == ids({column: two})


@pytest.mark.parametrize(
    ("one", "two"),
    [(["1"], ["2"]), (["a"], ["b"]), (["0"], [""]), (["9007199254740993"], ["9007199254740992"])],
)
def test_row_ids_of_two_values_differ(one: object, two: object) -> None:
    assert ids({"other": one}) != ids({"other": two})


def test_row_ids_of_a_missing_value_are_the_same_in_a_column_without_values() -> None:
    x = pa.array(["1", "2"])
    empty = identity.row_ids({"x": x, "c": pa.array([None, None], pa.string())})
    one = identity.row_ids({"x": x, "c": pa.array([None, "a"])})
    other = identity.row_ids({"x": x, "c": pa.array(["a", None])})
    assert (empty.dtype, list(empty)) == ("uint64", [one[0], other[1]])


def test_row_ids_of_swapped_values_differ() -> None:
    assert ids({"c": ["1"], "other": ["2"]}) != ids({"c": ["2"], "other": ["1"]})


def test_row_ids_do_not_change_when_a_column_becomes_a_feature_or_case_is_ignored() -> None:
    rows = {"n": ["37.800000000000004", "007", "1"], "c": ["A", "NA", "b"], "b": ["1", "0", ""]}
    rows |= {"y": ["0", "1", "0"], "other": ["x", "y", "z"]}
    fewer = StepConfig(
        "m", "binary_classification", "y", ("0", "1"), Features((), ("other",)), "hist_gradient_boosting"
    )
    folded = StepConfig(
        *("m", "binary_classification", "y", ("0", "1"), Features(("n",), ("c",)), "hist_gradient_boosting"),
        data=Dialect(ignore_case=True, not_missing=("NA",)),
    )
    assert ids(rows) == ids(rows, fewer) == ids(rows, folded)


def test_row_ids_do_not_depend_on_the_notation_of_numbers() -> None:
    german = StepConfig(
        *(
            "m",
            "binary_classification",
            "y",
            ("0", "1"),
            Features(("n",), ("c",), ("b",)),
            "hist_gradient_boosting",
        ),
        data=Dialect(decimal=",", thousands="."),
    )
    assert ids({"n": ["1.234,5"], "other": ["7,50"]}, german) == ids({"n": ["1234.5"], "other": ["7.5"]})


def test_row_ids_are_those_that_a_stored_list_has() -> None:
    assert ids({"other": ["z", "7", ""]} | {name: ["1"] * 3 for name in "ncby"}) == PINNED


PINNED = [12306547638228999025, 14416783600269964181, 11128330009150120007]
"""Identities in lists that are stored beside models. Other ones would hide which rows a champion knows."""


def leaked_lines(write: str) -> str:
    return "x,c,y\n" + "".join(f"{number},{write.format(number % 3)},{number % 2}\n" for number in range(30))


def test_preprocess_finds_training_rows_among_validation_rows_that_are_spelled_otherwise(
    s3: S3Client, tmp_path: Path
) -> None:
    land(s3, "curated/small/train.csv", leaked_lines("{}.0") + "99,,1\n")
    land(s3, "curated/small/validation.csv", leaked_lines("{}") + "77,1,1\n")
    run = Run(tmp_path / "run", s3, SMALL, "aaaaaaaaaaaa")
    assert run.preprocess() == 0
    assert run.report["validation_rows_also_in_train"] == 30


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True], ids=["this version", "an earlier one"])
def test_comparison_leaves_out_rows_of_a_champion(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, old: bool
) -> None:
    """An earlier champion has the identities of texts, so its rows are found in the same spelling."""
    known = leaked_lines("{}" if old else "{}.0")
    others = "x,c,y\n" + "".join(f"{number + 1000},{number % 3},{number % 2}\n" for number in range(30))
    land(s3, "curated/small/train.csv", known)
    land(s3, "curated/small/validation.csv", others)
    first = Run(tmp_path / "first", s3, SMALL, "aaaaaaaaaaaa")
    assert first.preprocess() == 0
    if old:
        lines = [line.split(",") for line in known.split()[1:]]
        texts = pa.record_batch(dict(zip("xcy", map(list, zip(*lines, strict=True)), strict=True)))
        stored = pa.table({"handsoff:row": identity.text_ids(texts)})
        pq.write_table(stored, first.output / "report" / "training_rows.parquet")
    first.train()
    package = register(sagemaker, first)
    land(s3, "curated/small/train.csv", others)
    land(s3, "curated/small/validation.csv", leaked_lines("{}") + "77,1,1\n78,1,0\n")
    second = Run(tmp_path / "second", s3, SMALL, "bbbbbbbbbbbb")
    assert second.preprocess() == 0
    second.train()
    found = second.evaluate(package)["handsoff"]
    assert found["champion_problem"] is None
    assert found["comparison"]["excluded"] == 30


def test_training_rows_say_which_identities_they_hold(s3: S3Client, tmp_path: Path) -> None:
    land(s3, "curated/small/train.csv", leaked_lines("{}"))
    land(s3, "curated/small/validation.csv", leaked_lines("{}"))
    run = Run(tmp_path / "run", s3, SMALL, "aaaaaaaaaaaa")
    assert run.preprocess() == 0
    stored = run.output / "report" / "training_rows.parquet"
    assert [*read_training_ids(stored).columns] == ["handsoff:row", "handsoff:lookalike"]
    pd.read_parquet(stored).to_parquet(tmp_path / "earlier.parquet")
    assert [*read_training_ids(tmp_path / "earlier.parquet").columns] == ["handsoff:text-row"]
