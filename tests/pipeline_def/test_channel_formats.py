"""The channels of own code as CSV, which most scripts of SageMaker's script mode read."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.pipeline_def.own_code import OWN
from tests.pipeline_def.test_channels import own, parquet

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CSV: dict[str, Any] = {**OWN, "data": {"channel_format": "csv"}}

FILES: dict[str, str | bytes] = {
    "train.csv": 'note,x,y,c\n"a, ""b""\n c",1,0,u\n,2.5,1,\nz,,1,1.0\n',
    "validation.csv": "note,x,y,c\nü,7,1,u\nNULL,0.1,0,v\n",
}


def test_csv_has_names_the_target_first_and_text_in_quotes(s3: S3Client, tmp_path: Path) -> None:
    run = own(s3, tmp_path, FILES, CSV)

    train, validation = run.output / "channel-train", run.output / "channel-validation"
    assert sorted(path.name for path in train.iterdir()) == ["_columns.json", "train.csv"]
    assert sorted(path.name for path in validation.iterdir()) == ["_columns.json", "validation.csv"]
    text = (train / "train.csv").read_bytes().decode()
    assert text == '"y","note","x","c"\n0,"a, ""b""\n c",1,"u"\n1,,2.5,\n1,"z",,"1"\n'
    assert (validation / "validation.csv").read_bytes().decode().splitlines()[1:] == [
        '1,"ü",7,"u"',
        '0,"NULL",0.1,"v"',
    ]
    assert json.loads((train / "_columns.json").read_text()) == ["note", "x", "c"]


def test_a_script_that_joins_the_csv_files_of_its_channel_reads_all_rows(
    s3: S3Client, tmp_path: Path
) -> None:
    run = own(s3, tmp_path, FILES, CSV)

    files = sorted((run.output / "channel-train").glob("*.csv"))
    frame = pd.concat([pd.read_csv(file) for file in files])

    assert frame["y"].tolist() == [0, 1, 1]
    assert frame["x"].fillna(-1).tolist() == [1.0, 2.5, -1.0]


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "validation"])
def test_csv_has_the_rows_of_parquet(split: str, s3: S3Client, tmp_path: Path) -> None:
    frame = pd.read_csv(own(s3, tmp_path, FILES, CSV).output / f"channel-{split}" / f"{split}.csv")
    parquet = pd.read_parquet(own(s3, tmp_path / "other", FILES).output / f"channel-{split}")

    assert frame["x"].fillna(-1).tolist() == parquet["x"].fillna(-1).tolist()
    assert frame["y"].tolist() == parquet["y"].tolist()


def test_csv_of_parquet_has_a_text_of_each_type(s3: S3Client, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        f"{split}.parquet": parquet(
            x=[1.5, None],
            c=["a", None],
            y=[1, 0],
            n=[1, None],
            f=[float("nan"), 1e300],
            b=[True, None],
            day=[date(2026, 5, 1), None],
            price=[Decimal("1.50"), None],
            nothing=[None, None],
        )
        for split in ("train", "validation")
    }

    run = own(s3, tmp_path, files, CSV)

    assert (run.output / "channel-train" / "train.csv").read_text() == (
        '"y","x","c","n","f","b","day","price","nothing"\n'
        '1,1.5,"a",1,,"true","2026-05-01","1.50",\n'
        "0,,,,1e+300,,,,\n"
    )
