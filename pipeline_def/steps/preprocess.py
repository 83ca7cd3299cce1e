"""DataPreProcessing: reads the object versions of one batch, checks them against the config, writes Parquet.

Each row in is a row out, but for rows that later changes delete or replace (`data.cdc`). The step fills and
encodes nothing. It counts blank lines, which are not rows. A problem with the data ends the job with one line
that names the file and the column, in the log and as the job's ExitMessage. Runs in SageMaker's scikit-learn
image, with the other step scripts beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pyarrow as pa

import data_profile
from batch import DataObject, check_splits, fetch, latest_batch, read_manifest, split_of
from champion_source import write_sources
from changes import Changes, check_no_changes
from channels import Channel, finish
from convert import convert
from data_report import FileRead, check_quotes, check_targets, data_report, read_target, summary
from identity import text_ids
from job import (
    AWS,
    COLUMN_ORDER,
    SPLITS,
    TEXT_ROW,
    DataProblem,
    Json,
    StepConfig,
    read_config,
    reason_written,
    scratch,
    write_json,
    write_reason,
)
from seen_rows import read_ids, write_training_ids
from split_drift import split_drift
from tables import SplitWriter, check_rows, open_file

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def preprocess(s3: S3Client, bucket: str, config: StepConfig, batch: str, output: Path) -> Json:
    """Read a batch into the folder `output`; returns the data report. `batch` is an identity, or `latest`.

    Writes `train/train.parquet` and `validation/validation.parquet`. Writes the identities of the training
    rows to `report/training_rows.parquet`, and what their columns hold to `report/data_profile.json`. Raises
    DataProblem.
    """
    if batch == "latest":
        batch = latest_batch(s3, bucket, config.name, config.marker)
    manifest = read_manifest(s3, bucket, config.name, batch)
    check_splits(manifest, config.name)
    channels = (
        {split: Channel(output / f"channel-{split}", config) for split in SPLITS} if config.own_code else {}
    )
    writers = {
        split: SplitWriter(output / split / f"{split}.parquet", config, channels.get(split))
        for split in SPLITS
    }
    changes = {split: Changes(config.data.cdc) for split in SPLITS} if config.data.cdc else {}
    files = []
    with scratch(output / "train") as folder:
        for item in manifest.objects:
            split = split_of(item.key, config.name) or ""
            found, path = changes.get(split), folder / "object"
            files.append(read_file(s3, bucket, item, config, writers[split], found, path))
    check_quotes(files)
    for split, writer in writers.items():
        if split in changes and writer.rows:
            writer.keep(changes[split].kept())
        else:
            writer.close()
    check_rows({split: writer.rows for split, writer in writers.items()})
    targets = {split: read_target(writer.path, config.target) for split, writer in writers.items()}
    check_targets(targets, config)
    if channels:
        finish(channels["train"], channels["validation"], config, output / "rows" / "rows.csv")
    (output / "report").mkdir(parents=True, exist_ok=True)
    ids = {split: read_ids(writer.path) for split, writer in writers.items()}
    write_training_ids(ids["train"], output / "report" / "training_rows.parquet")
    write_json(column_order(files, config.name), output / "train" / COLUMN_ORDER)
    profile = data_profile.profile(writers["train"].path, config)
    write_json(profile, output / "report" / "data_profile.json")
    ignored = manifest.ignored, manifest.ignored_count
    report = data_report(config, batch, files, writers, targets, ids, *ignored)
    return report | split_drift(writers["train"].path, writers["validation"].path, profile, config)


def column_order(files: Sequence[FileRead], model: str) -> list[str]:
    """The columns of the training files in their order; none if the files differ."""
    orders = {
        tuple(file.columns) for file in files if file.columns and split_of(file.item.key, model) == "train"
    }
    return list(orders.pop()) if len(orders) == 1 else []


def read_file(
    s3: S3Client,
    bucket: str,
    item: DataObject,
    config: StepConfig,
    writer: SplitWriter,
    changes: Changes | None,
    path: Path,
) -> FileRead:
    """Copy one object to `path` and add its rows to `writer`. Raises DataProblem.

    `changes` are those of the split, if its files hold changes.
    """
    digest = fetch(s3, bucket, item, path)
    file, rows = open_file(path, item.key, config), 0
    validation = split_of(item.key, config.name) == "validation"
    for block in file.blocks():
        left = block
        if changes:
            left, table = changes.without_deleted(block, config, item.key, rows + 1)
        else:
            check_no_changes(block, config, item.key)
            table = convert(block, config, item.key, rows + 1)
        if validation:
            table = table.append_column(TEXT_ROW, pa.array(text_ids(left)))
        writer.add(table, left)
        rows += block.num_rows
    print(f"{item.key}: {rows} rows, {item.size} bytes, version {item.version_id}", flush=True)
    operation = config.data.cdc.operation if config.data.cdc else None
    columns = [name for name in file.columns if name != operation]
    return FileRead(
        item,
        digest,
        columns,
        rows,
        file.blank_lines(rows),
        **file.written(),
        partition=file.partition,
        two_backslashes=file.csv is not None and file.csv.two_backslashes,
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments that definition.py gives the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="model.json")
    parser.add_argument("--bucket", required=True, help="the data bucket")
    parser.add_argument("--batch", required=True, help="a batch's SHA-256, or latest")
    parser.add_argument("--execution", required=True, help="the pipeline execution's ARN, for the report")
    parser.add_argument("--output", type=Path, required=True, help="folder of the step's outputs")
    parser.add_argument("--champion", help="of own code: a model package's ARN, none, or latest")
    parser.add_argument("--anchor", default="none", help="of own code: a model package's ARN, none, or first")
    parser.add_argument("--group", help="of own code: model package group, for latest and first")
    parser.add_argument("--role", help="of own code: ARN of the role that the pipeline's jobs run as")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; returns the exit code."""
    given = parse(arguments)
    with reason_written("message"):
        s3 = boto3.client("s3", config=AWS)
        try:
            config = read_config(given.config)
            report = preprocess(s3, given.bucket, config, given.batch, given.output)
        except DataProblem as problem:
            print(problem.log_line(), file=sys.stderr)
            write_reason(str(problem), "message")
            return 1
        if config.own_code:
            write_sources(config.name, given)
    report["execution"] = given.execution
    write_json(report, given.output / "report" / "data_report.json")
    print(summary(report), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
