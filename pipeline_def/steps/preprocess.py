"""DataPreProcessing: reads the object versions of one batch, checks them against the config, writes Parquet.

Each row in is a row out, but for rows that later changes delete or replace (`data.cdc`). The step fills and
encodes nothing. It counts blank lines, which are not rows. A problem with the data ends the job with one line
that names the file and the column, in the log and as the job's ExitMessage. Runs in SageMaker's scikit-learn
image, with the other step scripts beside it.
"""

from __future__ import annotations

import gc

gc.disable()  # while this imports: all that imports make stays, and looking through it takes 0.1 s
# ruff: noqa: E402
import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # others spin for 0.1 s, and no matrix is multiplied
import boto3
import pyarrow as pa

from batch import check_splits, latest_batch, read_manifest, split_of
from channels import Channel, finish
from data_look import look, read_target
from data_report import FileRead, Rows, check_targets, check_weights, data_report, summary
from division import check_sides, division_of, division_report, keep_cut
from hidden_pandas import hidden
from job import AWS, COLUMN_ORDER, SPLITS, DataProblem, Json, StepConfig, read_config, scratch, write_json
from reading import Landing
from reasons import reason_written, shows_values, write_reason
from row_ids import read_ids, write_training_ids
from seen_rows import seen
from split_drift import split_drift
from tables import SplitWriter, check_rows

gc.freeze()
gc.enable()

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def preprocess(s3: S3Client, bucket: str, config: StepConfig, batch: str, output: Path) -> Json:
    """Read a batch into the folder `output`; returns the data report. `batch` is an identity, or `latest`.

    Writes `train/train.parquet` and `validation/validation.parquet`. Writes the identities of the training
    rows to `report/training_rows.parquet`, and what their columns hold to `report/data_profile.json`. Raises
    DataProblem.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # that of Arrow's choice keeps what its threads once had
    if batch == "latest":
        batch = latest_batch(s3, bucket, config.name, config.marker, whole=config.data.whole)
    manifest = read_manifest(s3, bucket, config.name, batch)
    check_splits(manifest, config.name, whole=config.data.whole)
    writers = {split: split_writer(output, split, config) for split in SPLITS}
    with scratch(output / "train") as folder:
        landing = Landing(s3, bucket, config, manifest.objects, folder / "object")
        division = division_of(s3, bucket, config, landing.dates)
        files = landing.read(writers, division)
    pa.default_memory_pool().release_unused()  # threads that have read leave memory behind
    rows = {split: writer.rows for split, writer in writers.items()}
    if division:
        check_sides(division, rows)
    check_rows(rows)
    targets = {split: read_target(writer.path, config) for split, writer in writers.items()}
    check_targets(targets, config)
    check_weights(writers["train"], config)
    if division:
        keep_cut(s3, bucket, config.name, division, batch)
    finish([writer.channel for writer in writers.values() if writer.channel], config, output)
    (output / "report").mkdir(parents=True, exist_ok=True)
    ids = {split: read_ids(writer.path) for split, writer in writers.items()}
    known = seen(ids["validation"], ids["train"], config.row_column, group=bool(config.data.group))
    all_different = known.rows.theirs == rows["train"]
    write_training_ids(ids["train"], output / "report" / "training_rows.parquet", different=all_different)
    write_json(column_order(files, config), output / "train" / COLUMN_ORDER)
    paths = {split: writer.path for split, writer in writers.items()}
    looks, unknown = look(paths, config)
    profiles = {split: found.profile for split, found in looks.items()}
    write_json(profiles["train"], output / "report" / "data_profile.json")
    ignored = manifest.ignored, manifest.ignored_count
    found = Rows(targets, looks, unknown, ids, known)
    report = data_report(config, batch, files, writers, found, *ignored)
    if division:
        left_out = sum(file.rows for file in files) - sum(rows.values())
        report["split"] = division_report(division, writers, left_out if config.data.cdc else None)
    return report | split_drift(paths, profiles, config)


def split_writer(output: Path, split: str, config: StepConfig) -> SplitWriter:
    """The writer of a split's rows; those of own code also go to the folder of its channel."""
    channel = Channel(output / f"channel-{split}", config) if config.own_code else None
    return SplitWriter(output / split / f"{split}.parquet", config, channel)


def column_order(files: Sequence[FileRead], config: StepConfig) -> list[str]:
    """The columns of the training files in their order; none if the files differ."""
    whole = config.data.whole
    orders = {
        tuple(file.columns)
        for file in files
        if file.columns and (whole or split_of(file.item.key, config.name) == "train")
    }
    return list(orders.pop()) if len(orders) == 1 else []


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
    with reason_written("message", given.config):
        s3 = boto3.client("s3", config=AWS)
        try:
            config = read_config(given.config)
            with hidden():  # no other code runs there, and pandas takes a quarter of a second
                report = preprocess(s3, given.bucket, config, given.batch, given.output)
        except DataProblem as problem:
            reason = problem.told(show=shows_values(given.config))
            print(reason, file=sys.stderr)
            write_reason(reason, "message")
            return 1
        if config.own_code:
            from champion_source import write_sources  # here: it imports scikit-learn, for a second

            write_sources(config.name, given)
    report["execution"] = given.execution
    write_json(report, given.output / "report" / "data_report.json")
    print(summary(report), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
