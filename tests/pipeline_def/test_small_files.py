"""Blocks of many small files are converted together: the same rows in the same order, the same problems."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import convert
import job
import reading
from tests.pipeline_def.helpers import BUCKET, SMALL, VALIDATION, Run, land, rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONFIG = job.parse_config(SMALL)


def block(*given: tuple[str, str, str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {name: list(values) for name, values in zip("xcy", zip(*given, strict=True), strict=True)}
    )


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each call of `convert`."""
    calls: list[int] = []

    def counted(block: pa.RecordBatch, *given: Any) -> pa.Table:
        calls.append(block.num_rows)
        return convert.convert(block, *given)

    monkeypatch.setattr(reading, "convert", counted)
    return calls


def together(found: list[float | None]) -> reading.Together:
    def add(table: pa.Table, block: pa.RecordBatch) -> None:
        assert table.num_rows == block.num_rows
        found.extend(table["x"].to_pylist())

    return reading.Together(CONFIG, add)


def test_together_converts_small_blocks_at_once_in_their_order(converted: list[int]) -> None:
    found: list[float | None] = []
    blocks = together(found)
    for number in range(100):
        blocks.take(block((str(number), "a", "0"), ("", "b", "1")), f"file {number}", 1)
    blocks.finish()
    assert converted == [200]
    assert found[:4] == [0.0, None, 1.0, None]
    assert found[-2:] == [99.0, None]


@pytest.mark.parametrize(
    ("sizes", "calls"),
    [
        ([8192, 1, 1], [8192, 2]),
        ([1, 8191, 1], [8192, 1]),
        ([1, 8192, 1], [1, 8192, 1]),
        ([5000, 3000, 192, 7], [8192, 7]),
        ([5000, 3000, 193, 7], [8000, 200]),
        ([20_000, 20_000], [20_000, 20_000]),
    ],
)
def test_together_holds_as_many_rows_as_a_block_may_have(
    converted: list[int], sizes: Sequence[int], calls: Sequence[int]
) -> None:
    blocks = together([])
    for size in sizes:
        blocks.take(block(*[("1", "a", "0")] * size), "file", 1)
    blocks.finish()
    assert converted == calls


def test_together_mixes_no_blocks_of_other_columns(converted: list[int]) -> None:
    found: list[float | None] = []
    blocks = together(found)
    other = pa.RecordBatch.from_pydict({"c": ["a"], "x": ["7"], "y": ["1"]})
    for one in (block(("1", "a", "0")), block(("2", "a", "0")), other, block(("3", "a", "0"))):
        blocks.take(one, "file", 1)
    blocks.finish()
    assert converted == [2, 1, 1]
    assert found == [1.0, 2.0, 7.0, 3.0]


def test_together_joins_columns_with_other_categories() -> None:
    values = [pa.array(words).dictionary_encode() for words in (["a"], ["b", "a"], ["c"])]
    found: list[str] = []
    blocks = reading.Together(CONFIG, lambda table, _: found.extend(table["c"].to_pylist()))
    for words in values:
        numbers = pa.array([1.0] * len(words))
        classes = pa.array(["0"] * len(words)).dictionary_encode()
        blocks.take(pa.RecordBatch.from_arrays([numbers, words, classes], ["x", "c", "y"]), "file", 1)
    blocks.finish()
    assert found == ["a", "b", "a", "c"]


def test_together_names_the_file_and_row_of_a_problem() -> None:
    found: list[float | None] = []
    blocks = together(found)
    blocks.take(block(("1", "a", "0")), "good", 1)
    blocks.take(block(("2", "a", "0"), ("oops", "a", "1")), "bad", 4)
    blocks.take(block(("3", "a", "nothing")), "worse", 1)
    with pytest.raises(job.DataProblem, match=r"^bad, row 5: column x"):
        blocks.finish()
    assert found == [1.0]


def land_parts(s3: S3Client, *parts: str) -> None:
    for number, part in enumerate(parts):
        land(s3, f"curated/small/train/part-{number}.csv", part)
    land(s3, "curated/small/validation.csv", VALIDATION)


PARTS = ("x,c,y\n1,a,0\n2.5,b,1\n", "x,c,y\n,a,1\n", "c,y,x\nb,0,4\n", "x,c,y\n", "x,c,y\n1_0,a,0\n")


def test_preprocess_keeps_rows_and_files_of_small_files(s3: S3Client, run: Run) -> None:
    land_parts(s3, *PARTS[:4])
    assert run.preprocess() == 0
    train = rows(run, "train")
    assert train["x"].fillna(-1).tolist() == [1.0, 2.5, -1.0, 4.0]
    assert train["c"].tolist() == ["a", "b", "a", "b"]
    assert train["y"].tolist() == [0, 1, 1, 0]
    report = json.loads((run.output / "report/data_report.json").read_text())
    assert [file["rows"] for file in report["files"]] == [2, 1, 1, 0, 2]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (PARTS, "part-4.csv, row 1: column x"),
        ((PARTS[0], "x,c,y\n1,a,0\n3,b,2\n", PARTS[4]), "part-1.csv, row 2: column y"),
        ((PARTS[0], PARTS[4], "x,y\n1,0\n"), "part-1.csv, row 1: column x"),
    ],
    ids=["the last file", "the first of two", "before a file that cannot be opened"],
)
def test_preprocess_names_the_first_problem_of_small_files(
    s3: S3Client, run: Run, capsys: pytest.CaptureFixture[str], parts: Sequence[str], reason: str
) -> None:
    land_parts(s3, *parts)
    assert run.preprocess() == 1
    assert f"curated/small/train/{reason}" in capsys.readouterr().err


@pytest.mark.slow
def test_preprocess_divides_small_files_as_one_large_file(s3: S3Client, tmp_path: Path) -> None:
    config = {**SMALL, "data": {"split": {"by": "random", "validation": 0.3}}}
    lines = [f"{number},{'ab'[number % 2]},{number % 3 % 2}\n" for number in range(40)]
    for number, line in enumerate(lines):
        land(s3, f"curated/small/all/part-{number:02}.csv", "x,c,y\n" + line)
    small = Run(tmp_path / "small", s3, config, "aaaaaaaaaaaa")
    assert small.preprocess() == 0
    for number in range(40):
        s3.delete_object(Bucket=BUCKET, Key=f"curated/small/all/part-{number:02}.csv")
    land(s3, "curated/small/all.csv", "x,c,y\n" + "".join(lines))
    large = Run(tmp_path / "large", s3, config, "bbbbbbbbbbbb")
    assert large.preprocess() == 0
    for split in ("train", "validation"):
        assert rows(small, split).equals(rows(large, split))
