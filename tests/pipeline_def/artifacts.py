"""Artifacts as training jobs make them."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import convert
import train
from job import COLUMN_ORDER, parse_config, write_json
from tests.pipeline_def.helpers import TITANIC, titanic_config


def titanic_artifact(folder: Path) -> Path:
    """The unpacked artifact of a model of the sample data, made in `folder`."""
    names, *landed = csv.reader(io.StringIO((TITANIC / "train.csv").read_text()))
    columns = dict(zip(names, zip(*landed, strict=True), strict=True))
    block = pa.RecordBatch.from_pydict({name: pa.array(cells) for name, cells in columns.items()})
    (folder / "train").mkdir(parents=True)
    rows = convert.convert(block, parse_config(titanic_config()), "train.csv", 1)
    pq.write_table(rows, folder / "train" / "train.parquet")
    write_json(names, folder / "train" / COLUMN_ORDER)
    write_json(titanic_config(), folder / "model.json")
    channels = {"SM_CHANNEL_TRAIN": str(folder / "train"), "SM_MODEL_DIR": str(folder / "model")}
    train.main(channels, folder)
    return folder / "model"


def packed(artifact: Path, folder: Path) -> Path:
    """The archive of an artifact, as SageMaker makes it."""
    archive = folder / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as target:
        target.add(artifact, arcname="")
    return archive
