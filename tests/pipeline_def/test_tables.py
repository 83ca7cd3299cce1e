"""Tables: every kind of file that may land, blank lines, broken files, and the Parquet file of a split."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import csv_text
import reading
import tables
import texts
from tests.pipeline_def.helpers import (
    KEY,
    VALIDATION,
    Run,
    land,
    land_small,
    rows,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_read_blocks_reads_every_kind_of_file(s3: S3Client, run: Run) -> None:
    buffer = io.BytesIO()
    pq.write_table(
        pa.table({"c": [1, None, 3], "x": [1, 2, 3], "y": [True, False, True], "l": [[1], [], None]}), buffer
    )
    land(s3, "curated/small/train/a.parquet", buffer.getvalue())
    land(s3, "curated/small/train/b.csv.gz", gzip.compress(b"x,c,y\r\n 4 ,3,0.0\r\nNA,NA,1\r\n"))
    land(s3, "curated/small/validation/a.csv", '\ufeffx,c,y\n5,"two\nlines, ""quoted""",1\n6,Zürich,0\n')
    assert run.preprocess() == 0
    train = rows(run, "train")
    assert train["c"].tolist() == ["1", None, "3", "3", None]
    assert train["x"].fillna(-1).tolist() == [1, 2, 3, 4, -1]
    assert train["y"].tolist() == [1, 0, 1, 0, 1]
    assert rows(run, "validation")["c"].tolist() == ['two\nlines, "quoted"', "Zürich"]
    assert run.report["ignored_columns"] == ["l"]


@pytest.mark.parametrize(
    ("train", "blank"),
    [
        ("x,c,y\n1,a,0\n2,b,1\n", 0),
        ("x,c,y\n1,a,0\n2,b,1", 0),
        ("x,c,y\n1,a,0\n\n2,b,1\n", 1),
        ("x,c,y\r\n\r\n1,a,0\r\n\r\n2,b,1\r\n", 2),
        ("x,c,y\n1,a,0\n2,b,1\n\n\n", 2),
        ('x,c,y\n1,"a\n\n",0\n2,b,1\n', 0),
        ('x,c,y\n1,"a\n\n",0\n\n2,b,1\n', 1),
    ],
)
def test_blank_lines_are_counted_and_are_not_rows(
    s3: S3Client, run: Run, capsys: pytest.CaptureFixture[str], train: str, blank: int
) -> None:
    land_small(s3, train=train)
    assert run.preprocess() == 0
    assert [(item["rows"], item["blank_lines"]) for item in run.report["files"]] == [(2, blank), (2, 0)]
    warning = f"warning: curated/small/train.csv has blank lines, which are not counted as rows: {blank}\n"
    assert (warning in capsys.readouterr().out) == (blank > 0)


def test_blank_lines_of_a_compressed_file_in_many_blocks_are_counted(
    s3: S3Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 64)
    land(s3, "curated/small/train/a.csv.gz", gzip.compress(b"x,c,y\n" + b"1,a,0\n\n2,b,1\n" * 200))
    land(s3, "curated/small/validation.csv", VALIDATION)
    assert run.preprocess() == 0
    assert (run.report["files"][0]["rows"], run.report["files"][0]["blank_lines"]) == (400, 200)


@pytest.mark.slow
def test_preprocess_rows_of_many_files_stay_in_the_order_of_their_keys(s3: S3Client, run: Run) -> None:
    for number in range(40):
        land(s3, f"curated/small/train/{number:02}.csv", f"x,c,y\n{number},a,{number % 2}\n")
    land(s3, "curated/small/validation.csv", VALIDATION)
    assert run.preprocess() == 0
    assert rows(run, "train")["x"].tolist() == [float(number) for number in range(40)]
    assert [file["rows"] for file in run.report["files"]] == [1] * 40 + [2]


@pytest.mark.slow
def test_preprocess_names_the_first_of_several_wrong_files(s3: S3Client, run: Run, base_dir: Path) -> None:
    land(s3, "curated/small/train/a.csv", "x,c,y\n" + "1,a,0\n" * 20_000 + "one,a,0\n")
    for name in "bcd":
        land(s3, f"curated/small/train/{name}.csv", "x,c\n1,a\n")
    land(s3, "curated/small/validation.csv", VALIDATION)
    assert run.preprocess() == 1
    assert (base_dir / "output" / "message").read_text() == (
        "curated/small/train/a.csv, row 20001: column x has a wrong value, expected a number"
    )


def test_split_writer_gathers_blocks_into_large_row_groups(
    s3: S3Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 64)
    monkeypatch.setattr(tables, "ROW_GROUP", 100)
    lines = "".join(f"{number},a,{number % 2}\n" for number in range(1000))
    land_small(s3, train="x,c,y\n" + lines)
    assert run.preprocess() == 0
    file = pq.ParquetFile(run.output / "train" / "train.parquet")
    assert file.metadata.num_rows == 1000
    assert all(file.metadata.row_group(group).num_rows >= 100 for group in range(file.num_row_groups - 1))
    file.close()
    assert rows(run, "train")["x"].tolist() == [float(number) for number in range(1000)]


def test_split_writer_joins_blocks_of_few_and_of_many_texts(
    s3: S3Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block of few different texts has a dictionary of them, another block has the texts."""
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 64)
    monkeypatch.setattr(reading, "MAX_TOGETHER", 1)
    monkeypatch.setattr(tables, "ROW_GROUP", 100)
    monkeypatch.setattr(texts, "MAX_ENCODED", 3)
    words = [["a", "NA", "b", str(number)][number // 50 % 4] for number in range(1000)]
    land_small(s3, train="x,c,y\n" + "".join(f"1,{word},{place % 2}\n" for place, word in enumerate(words)))
    assert run.preprocess() == 0
    found = pq.read_table(run.output / "train" / "train.parquet")["c"]
    assert found.type == pa.string()
    assert found.to_pylist() == [None if word == "NA" else word for word in words]


def test_split_writer_encodes_texts_only_as_dictionaries(tmp_path: Path) -> None:
    """A column `home` stands beside one whose name begins with it."""
    table = pa.table({"home": ["a", "b"], "home.dest": ["c", None], "x.y": [1.0, None], "n": [1, 2]})
    with pq.ParquetWriter(tmp_path / "x", table.schema, **tables.encoding(table.schema)) as writer:
        writer.write_table(table)
    file = pq.ParquetFile(tmp_path / "x")
    chunks = [file.metadata.row_group(0).column(place) for place in range(4)]
    found = [(chunk.compression, "RLE_DICTIONARY" in chunk.encodings) for chunk in chunks]
    assert found == [("SNAPPY", True), ("SNAPPY", True), ("UNCOMPRESSED", False), ("UNCOMPRESSED", False)]
    assert file.read().equals(table)


@pytest.mark.parametrize(
    ("train", "begins"),
    [
        ("x,c,y\n1,a,0\n1,b\n", f"{KEY}, row 2: 2 values, expected 3 as in the header"),
        (
            b"x,c,y\n" + b"1,a,0\n" * 9999 + b"1,\xff\xfe,0\n",
            f"{KEY}, row 10000: byte 60003 of the file is not UTF-8; set data.encoding in handsoff.yaml",
        ),
        (b"\xff\xfex\x00", f"{KEY} is not UTF-8, but utf-16: set data.encoding: utf-16 in handsoff.yaml"),
    ],
)
def test_read_blocks_broken_file_is_named_in_one_line(
    s3: S3Client, run: Run, base_dir: Path, train: str | bytes, begins: str
) -> None:
    land_small(s3, train=train)
    assert run.preprocess() == 1
    message = (base_dir / "output" / "message").read_text()
    assert message.startswith(begins)
    assert "\n" not in message


@pytest.mark.parametrize(
    "name", ["train.parquet", "train/a.csv.gz", "train/a.CSV", "train/part-0", "train/x.gz"]
)
def test_open_file_content_decides_and_the_name_does_not(s3: S3Client, run: Run, name: str) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [3.0], "c": ["a"], "y": [0]}), buffer)
    land(s3, f"curated/small/{name}", "x,c,y\n1,a,0\n")
    land(s3, "curated/small/train/b.csv", gzip.compress(b"x,c,y\n2,a,1\n"))
    land(s3, "curated/small/train/c.csv.gz", buffer.getvalue())
    land(s3, "curated/small/validation.csv", VALIDATION)
    assert run.preprocess() == 0
    assert sorted(rows(run, "train")["x"]) == [1.0, 2.0, 3.0]
