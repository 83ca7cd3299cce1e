"""DataPreProcessing: the object versions of one batch, checked against the config, as Parquet.

Rows in are rows out: nothing is dropped, imputed or encoded here, and blank lines, which are no rows, are
counted. A problem with the data ends the job with one line that names the file and the column, in the log
and as the job's ExitMessage. Runs in SageMaker's scikit-learn image and imports nothing of this project but
the script beside it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import boto3
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError

import data_profile

SPLITS: Final = ("train", "validation")
DATA_OBJECT: Final = re.compile(
    r"(?P<split>train|validation)(?:\.(?:csv|parquet)|/.+\.(?:csv|csv\.gz|parquet))", re.DOTALL
)
BLOCK_BYTES: Final = 8 << 20
ROW_GROUP: Final = 128 * 1024
HASH_KEY: Final = "handsoff-row-id1"  # 16 bytes, as pandas asks; another key makes other row ids
ROW: Final = "handsoff:row"  # the identity's column; no feature will have this name
MISSING_NUMBERS: Final = frozenset(pa_csv.ConvertOptions().null_values)
NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
TRUE: Final = frozenset({"true", "yes", "t", "y", "1", "1.0"})
FALSE: Final = frozenset({"false", "no", "f", "n", "0", "0.0"})
MOST_NAMED: Final = 10  # classes that one line names
CONFLICT_PAUSES: Final = (0.2, 0.5, 1.0, 2.0)  # seconds before a conflicting write is tried again
AWS: Final = ClientConfig(
    connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}
)


class DataProblem(Exception):
    """The data is not what the config says. The message is one line for whoever landed it."""


@dataclass(frozen=True)
class Config:
    """What the steps know of a model: its name, and its columns by how they are read.

    `classes` are what the target may say, none for regression; of two the second is the positive one.
    """

    name: str
    target: str
    classes: tuple[str, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    boolean: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        return (*self.numeric, *self.categorical, *self.boolean)


@dataclass(frozen=True, order=True)
class DataObject:
    """One version of one object. `etag` is without quotes, `size` in bytes."""

    key: str
    version_id: str
    etag: str
    size: int


@dataclass
class Split:
    """What was read of one split: where its rows went and what is counted on the way."""

    rows: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    ids: list[np.ndarray[Any, Any]] = field(default_factory=list)

    def row_ids(self) -> np.ndarray[Any, Any]:
        return np.concatenate(self.ids) if self.ids else np.empty(0, dtype="uint64")


def read_config(path: Path) -> Config:
    values = json.loads(path.read_text(encoding="utf-8"))
    features = values["features"]
    return Config(
        values["name"],
        values["target"],
        tuple(values["classes"]),
        *(tuple(features[kind]) for kind in ("numeric", "categorical", "boolean")),
    )


# --- the batch: which object versions it is -------------------------------------------------------------


def split_of(key: str, model: str) -> str | None:
    """`train` or `validation` for a data object, None for markers and whatever else lies there."""
    found = DATA_OBJECT.fullmatch(key.removeprefix(f"curated/{model}/"))
    return found["split"] if found else None


def batch_identity(objects: Sequence[DataObject]) -> str:
    """SHA-256 over the (key, etag) pairs, sorted by key: what start_retraining calls the batch, too."""
    pairs = [[item.key, item.etag] for item in sorted(objects)]
    text = json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def list_objects(s3: Any, bucket: str, model: str) -> list[DataObject]:
    """The newest versions of the model's data objects, as they lie in S3 now."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"curated/{model}/")
    return sorted(
        DataObject(item["Key"], item["VersionId"], item["ETag"].strip('"'), item["Size"])
        for page in pages
        for item in page.get("Versions", [])
        if item["IsLatest"] and split_of(item["Key"], model)
    )


def latest_batch(s3: Any, bucket: str, model: str) -> str:
    """The batch that lies in `curated/<model>/` now; its manifest is written unless it has one."""
    objects = list_objects(s3, bucket, model)
    if not objects:
        raise DataProblem(f"there is no data under s3://{bucket}/curated/{model}/")
    batch = batch_identity(objects)
    manifest = {
        "model": model,
        "batch": batch,
        "objects": [
            {"key": item.key, "versionId": item.version_id, "etag": item.etag, "size": item.size}
            for item in objects
        ],
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    write_once(s3, bucket, manifest_key(model, batch), text.encode())
    return batch


def write_once(s3: Any, bucket: str, key: str, content: bytes) -> None:
    """Put the object unless it is there. Raises ClientError.

    S3 answers a conflict where another request on the key is under way, which may yet fail: only a failed
    precondition says that the object is there. botocore does not try a conflict again.
    """
    for pause in (*CONFLICT_PAUSES, None):
        try:
            s3.put_object(
                Bucket=bucket, Key=key, Body=content, ContentType="application/json", IfNoneMatch="*"
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                return
            if code != "ConditionalRequestConflict" or pause is None:
                raise
            time.sleep(pause)
        else:
            return


def manifest_key(model: str, batch: str) -> str:
    return f"batches/{model}/{batch}/manifest.json"


def read_manifest(s3: Any, bucket: str, model: str, batch: str) -> list[DataObject]:
    """The object versions that are the batch. Raises DataProblem if it is unknown or altered."""
    key = manifest_key(model, batch)
    try:
        manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        raise DataProblem(f"batch {batch} is unknown: there is no s3://{bucket}/{key}") from None
    objects = sorted(
        DataObject(item["key"], item["versionId"], item["etag"], item["size"]) for item in manifest["objects"]
    )
    if batch_identity(objects) != batch:
        raise DataProblem(f"s3://{bucket}/{key} does not describe batch {batch}: it was altered")
    return objects


def fetch(s3: Any, bucket: str, item: DataObject, path: Path) -> str:
    """Copy exactly this version to `path`; the SHA-256 of its bytes. Raises DataProblem on any others."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=item.key, VersionId=item.version_id)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed"):
            raise
        raise DataProblem(f"{item.key}: version {item.version_id} of the batch is no longer there") from None
    etag, digest, size = answer["ETag"].strip('"'), hashlib.sha256(), 0
    if etag != item.etag:
        raise DataProblem(
            f"{item.key}: version {item.version_id} has ETag {etag}, the batch says {item.etag}"
        )
    with path.open("wb") as file:
        for chunk in answer["Body"].iter_chunks(1 << 20):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    if size != item.size:
        raise DataProblem(f"{item.key}: {size} bytes arrived, the batch says {item.size}")
    return digest.hexdigest()


# --- one file: blocks of raw columns --------------------------------------------------------------------


def read_blocks(path: Path, key: str) -> Iterator[pa.RecordBatch]:
    """The file in blocks of rows. CSV columns arrive as text: what they mean is decided column by column."""
    if not path.stat().st_size:
        raise DataProblem(f"{key} is empty")
    with unreadable(key):
        yield from _parquet_blocks(path, key) if key.endswith(".parquet") else _csv_blocks(path, key)


def blank_lines(path: Path, key: str, rows: int) -> int:
    """How many lines of a file of so many rows are entirely empty. Arrow takes them for no rows.

    Only Arrow knows which line breaks stand in quotes, so it reads the file again and keeps them as rows.
    """
    if key.endswith(".parquet"):
        return 0
    with unreadable(key), _open_csv(path, key, _csv_header(path, key), ignore_empty_lines=False) as reader:
        return int(sum(block.num_rows for block in reader)) - rows


@contextmanager
def unreadable(key: str) -> Iterator[None]:
    """What a file that is no table makes its readers raise, as a DataProblem."""
    try:
        yield
    except (pa.ArrowInvalid, gzip.BadGzipFile, EOFError, OSError, UnicodeDecodeError) as error:
        raise DataProblem(f"{key} cannot be read: {one_line(error)}") from error


def _parquet_blocks(path: Path, key: str) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        check_distinct(file.schema_arrow.names, key)
        yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
        yield from file.iter_batches(batch_size=ROW_GROUP)


def _csv_blocks(path: Path, key: str) -> Iterator[pa.RecordBatch]:
    header = _csv_header(path, key)
    with _open_csv(path, key, header, ignore_empty_lines=True) as reader:
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader


def _csv_header(path: Path, key: str) -> list[str]:
    """The names in the first line. Raises DataProblem unless a line follows it."""
    with (
        gzip.open(path) if key.endswith(".gz") else path.open("rb") as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text,
    ):
        lines = csv.reader(text)
        header, first = next(lines, []), next(lines, None)
    if not header:
        raise DataProblem(f"{key} has no header")
    check_distinct(header, key)
    if first is None:
        raise DataProblem(f"{key} has a header and no rows")
    return header


@contextmanager
def _open_csv(path: Path, key: str, header: list[str], *, ignore_empty_lines: bool) -> Iterator[Any]:
    """Arrow's reader of the file, all columns as text."""
    with (
        pa.input_stream(str(path), compression="gzip" if key.endswith(".gz") else None) as stream,
        pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=ignore_empty_lines),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        ) as reader,
    ):
        yield reader


def check_distinct(names: Sequence[str], key: str) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataProblem(f"{key}: column {', '.join(twice)} stands more than once in the header")


def check_columns(names: Sequence[str], config: Config, key: str) -> None:
    if missing := [name for name in (config.target, *config.features) if name not in names]:
        word = "column" if len(missing) == 1 else "columns"
        raise DataProblem(f"{key} has no {word} {', '.join(missing)}; it has {', '.join(names)}")


# --- one block: text to the values that training sees -----------------------------------------------------


def convert(block: pa.RecordBatch, config: Config, key: str, first_row: int) -> pa.Table:
    """Features, target and identities of a block's rows. Raises DataProblem naming file, row and value.

    Numbers become float64 with null for what is missing, categories text with null for the empty string,
    booleans 1.0, 0.0 or null, the target a float64 or the int16 index of its class. Rows count from 1 after
    the header; `first_row` is the one that the block starts with.
    """
    columns: dict[str, Any] = {}
    for name in config.numeric:
        columns[name] = to_numbers(block.column(name), key, name, first_row)
    for name in config.categorical:
        columns[name] = to_categories(block.column(name))
    for name in config.boolean:
        columns[name] = to_booleans(block.column(name), key, name, first_row)
    target = block.column(config.target)
    if config.classes:
        columns[config.target] = to_classes(target, config.classes, key, config.target, first_row)
    else:
        columns[config.target] = to_target_numbers(target, key, config.target, first_row)
    columns[ROW] = pa.array(row_ids(block))
    return pa.table(columns)


def to_numbers(values: Any, key: str, name: str, first_row: int) -> Any:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        text = pc.utf8_trim_whitespace(values)
        text = pc.if_else(
            pc.is_in(text, pa.array(sorted(MISSING_NUMBERS), text.type)), pa.scalar(None, text.type), text
        )
        try:
            numbers = pc.cast(text, pa.float64())
        except pa.ArrowInvalid:
            raise DataProblem(_first_wrong(text, _is_number, key, name, first_row, "a number")) from None
    else:
        try:
            numbers = pc.cast(values, pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataProblem(f"{key}: column {name} holds {values.type}, not numbers") from None
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    if not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise DataProblem(_first_wrong(numbers, np.isfinite, key, name, first_row, "a finite number"))
    return numbers


def to_target_numbers(values: Any, key: str, name: str, first_row: int) -> Any:
    numbers = to_numbers(values, key, name, first_row)
    if numbers.null_count:
        row = pc.index(pc.is_null(numbers), True).as_py()
        raise DataProblem(f"{key}, row {first_row + row}: target {name} is missing, expected a number")
    return numbers


def to_booleans(values: Any, key: str, name: str, first_row: int) -> Any:
    try:
        return _looked_up(values, as_boolean, pa.float64())
    except LookupError:
        texts = to_text(_plain(values))
        raise DataProblem(_first_wrong(texts, _is_boolean, key, name, first_row, "true or false")) from None


def as_boolean(text: str) -> float | None:
    """1.0 for true, 0.0 for false, None for missing. Raises LookupError for what is none of them."""
    word = text.strip()
    if word in MISSING_NUMBERS:
        return None
    if word.lower() in TRUE | FALSE:
        return float(word.lower() in TRUE)
    raise LookupError(text)


def to_classes(values: Any, classes: Sequence[str], key: str, name: str, first_row: int) -> Any:
    """The index of each row's class. A Parquet file's true and false are 1 and 0, where those are classes."""
    numbers = {"true": "1", "false": "0"} if pa.types.is_boolean(values.type) else {}

    def index(text: str) -> int:
        return class_index(text if text in classes else numbers.get(text, text), classes)

    try:
        return _looked_up(values, index, pa.int16())
    except LookupError:
        row, text = next(
            (row, text)
            for row, text in enumerate(to_text(_plain(values)).to_pylist())
            if not _fits(index, text)
        )
    said = f"{name} is {_shown(text)}"
    if text.strip() in MISSING_NUMBERS:
        said = f"target {name} is missing"
    raise DataProblem(f"{key}, row {first_row + row}: {said}, expected {one_of(classes)}")


def class_index(text: str, classes: Sequence[str]) -> int:
    """Which class this is: the same text, spaces aside, or the same number. Raises LookupError if none.

    Classes true and false take the words of booleans, too: YAML reads `[no, yes]` as those.
    """
    word = text.strip()
    if word in classes:
        return classes.index(word)
    if {*classes} == {"true", "false"} and word.lower() in TRUE | FALSE:
        return classes.index(str(word.lower() in TRUE).lower())
    if NUMBER.fullmatch(word):
        for index, name in enumerate(classes):
            if NUMBER.fullmatch(name) and float(name) == float(word):
                return index
    raise LookupError(text)


def one_of(classes: Sequence[str]) -> str:
    """`0 or 1`, `one of a, b, c`: one line, however many there are and however long their names."""
    names = [name[:40] for name in classes]
    return " or ".join(names) if len(names) == 2 else f"one of {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _looked_up(values: Any, meaning: Callable[[str], float | None], kind: Any) -> Any:
    """The meaning of each value's text, asked once for each distinct text."""
    texts = to_text(_plain(values))
    distinct = pc.unique(texts)
    meanings = pa.array([meaning(text) for text in distinct.to_pylist()], kind)
    return meanings.take(pc.index_in(texts, value_set=distinct))


def _plain(values: Any) -> Any:
    """Numbers of Parquet files as they are commonly written: 1.00 is 1, and NaN is missing."""
    if pa.types.is_decimal(values.type):
        values = pc.cast(values, pa.float64())
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values


def _first_wrong(values: Any, fits: Any, key: str, name: str, first_row: int, expected: str) -> str:
    row, value = next(
        (row, value) for row, value in enumerate(values.to_pylist()) if value is not None and not fits(value)
    )
    return f"{key}, row {first_row + row}: {name} is {_shown(value)}, expected {expected}"


def _shown(value: str | float) -> str:
    """Numbers as they are, text in quotes, and never much of it."""
    if isinstance(value, float):
        return f"{value:g}"
    return value.strip()[:60] if NUMBER.fullmatch(value.strip()) else repr(value[:60])


def _is_number(text: str) -> bool:
    with suppress(pa.ArrowInvalid):
        pa.scalar(text).cast(pa.float64())
        return True
    return False


def _is_boolean(text: str) -> bool:
    return _fits(as_boolean, text)


def _fits(meaning: Callable[[str], object], text: str) -> bool:
    with suppress(LookupError):
        meaning(text)
        return True
    return False


def to_categories(values: Any) -> Any:
    """Any column as text, null where it is empty or missing; numbers as inference.py writes them."""
    values = _plain(values)
    if pa.types.is_floating(values.type):
        distinct = pc.unique(values)
        read = [None if text is None else float(text) for text in pc.cast(distinct, pa.string()).to_pylist()]
        texts = pa.array([None if value is None else number_text(value) for value in read], pa.string())
        return texts.take(pc.index_in(values, value_set=distinct))
    text = to_text(values)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def number_text(value: float) -> str:
    """3.0 is "3", as in inference.py."""
    return str(int(value)) if value.is_integer() else repr(value)


def to_text(values: Any) -> Any:
    """Any column as text, without nulls, as Arrow writes it."""
    try:
        return pc.fill_null(pc.cast(values, pa.string()), "")
    except pa.ArrowNotImplementedError:  # lists, structures
        return pa.array(["" if value is None else str(value) for value in values.to_pylist()])


def row_ids(block: pa.RecordBatch) -> np.ndarray[Any, Any]:
    """A 64-bit identity of each raw row: the same text in the same columns, in whatever order they stand."""
    names = sorted(block.schema.names)
    joined = pc.binary_join_element_wise(*(to_text(block.column(name)) for name in names), "\x1f")
    hashed = pd.util.hash_array(joined.to_numpy(zero_copy_only=False), hash_key=HASH_KEY, categorize=False)
    return np.asarray(hashed, dtype="uint64")


# --- the whole ------------------------------------------------------------------------------------------


class Writer:
    """One split's Parquet file, in row groups of at least 128k rows, and the counts of what went into it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.split = path, Split()
        self._file: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def add(self, table: pa.Table, config: Config) -> None:
        split = self.split
        split.rows += table.num_rows
        for name in config.features:
            split.missing[name] = split.missing.get(name, 0) + table[name].null_count
        split.ids.append(table[ROW].to_numpy())
        self._waiting.append(table)
        if sum(waiting.num_rows for waiting in self._waiting) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting)
            self._file = self._file or pq.ParquetWriter(self.path, table.schema)
            self._file.write_table(table)
            self._waiting = []

    def close(self) -> None:
        self._flush()
        if self._file:
            self._file.close()


def preprocess(s3: Any, bucket: str, config: Config, batch: str, output: Path) -> dict[str, Any]:
    """Read the batch (`latest` or its identity) into `output`; the data report. Raises DataProblem.

    Writes `train/train.parquet`, `validation/validation.parquet`, and of the rows of train
    `report/training_rows.parquet`, which they are, and `report/data_profile.json`, what their columns hold.
    """
    if batch == "latest":
        batch = latest_batch(s3, bucket, config.name)
    objects = read_manifest(s3, bucket, config.name, batch)
    landed = {split_of(item.key, config.name) for item in objects}
    if absent := [split for split in SPLITS if split not in landed]:
        raise DataProblem(f"there is no data for {' and '.join(absent)} under curated/{config.name}/")
    writers = {split: Writer(output / split / f"{split}.parquet") for split in SPLITS}
    files, columns, ignored = [], set(), set()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output) as folder:  # on the job's volume, which has room
        for item in objects:
            path = Path(folder, "object")
            digest = fetch(s3, bucket, item, path)
            writer = writers[split_of(item.key, config.name) or ""]
            rows = 0
            for block in read_blocks(path, item.key):
                check_columns(block.schema.names, config, item.key)
                columns.add(tuple(sorted(block.schema.names)))
                ignored |= {*block.schema.names} - {config.target, *config.features}
                if block.num_rows:
                    writer.add(convert(block, config, item.key, rows + 1), config)
                rows += block.num_rows
            if not rows:
                raise DataProblem(f"{item.key} has a header and no rows")
            print(f"{item.key}: {rows} rows, {item.size} bytes, version {item.version_id}", flush=True)
            files.append(_file_report(item, rows, blank_lines(path, item.key, rows), digest))
    for writer in writers.values():
        writer.close()
    splits = {split: writer.split for split, writer in writers.items()}
    targets = {split: read_target(writer.path, config.target) for split, writer in writers.items()}
    check_targets(targets, config)
    train_ids = np.unique(splits["train"].row_ids())
    overlap = int(np.isin(splits["validation"].row_ids(), train_ids).sum())
    (output / "report").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({ROW: train_ids}), output / "report" / "training_rows.parquet")
    profile = data_profile.profile(writers["train"].path, config.numeric, config.categorical, config.boolean)
    write_json(profile, output / "report" / "data_profile.json")
    return {
        "schema_version": 2,
        "model": config.name,
        "batch": batch,
        "target": config.target,
        "files": files,
        "columns": [list(names) for names in sorted(columns)],
        "ignored_columns": sorted(ignored),
        "splits": {name: _split_report(split, targets[name], config) for name, split in splits.items()},
        "validation_rows_also_in_train": overlap,
    }


def _file_report(item: DataObject, rows: int, blank: int, digest: str) -> dict[str, Any]:
    return {
        "key": item.key,
        "versionId": item.version_id,
        "etag": item.etag,
        "bytes": item.size,
        "sha256": digest,
        "rows": rows,
        "blank_lines": blank,
    }


def read_target(path: Path, name: str) -> np.ndarray[Any, Any]:
    with pq.ParquetFile(path) as file:
        return np.asarray(file.read(columns=[name])[name].to_numpy())


def check_targets(targets: Mapping[str, np.ndarray[Any, Any]], config: Config) -> None:
    """Raises DataProblem if there is nothing to learn from train, or nothing to tell apart in validation."""
    train = targets["train"]
    if not config.classes:
        if train.min() == train.max():
            raise DataProblem(
                f"train: all {len(train)} rows have {config.target} = {train[0]:g}; "
                "different values are needed"
            )
        return
    needed = "both classes are needed" if len(config.classes) == 2 else "at least two classes are needed"
    for name, target in targets.items():
        if target.min() == target.max():
            only = config.classes[target[0]]
            raise DataProblem(f"{name}: all {len(target)} rows have {config.target} = {only}; {needed}")
    counts = np.bincount(train, minlength=len(config.classes))
    if absent := [name for name, count in zip(config.classes, counts, strict=True) if not count]:
        raise DataProblem(f"train: no row has {config.target} = {_listed(absent)}; every class is needed")


def _split_report(split: Split, target: np.ndarray[Any, Any], config: Config) -> dict[str, Any]:
    """Shares are of the split's rows, from 0 to 1."""
    report: dict[str, Any] = {
        "rows": split.rows,
        "missing_share": {name: count / split.rows for name, count in split.missing.items()},
    }
    if config.classes:
        counts = np.bincount(target, minlength=len(config.classes)).tolist()
        shares = {name: count / split.rows for name, count in zip(config.classes, counts, strict=True)}
        return report | {"class_share": shares}
    return report | {"target": _moments(target)}


def _moments(target: np.ndarray[Any, Any]) -> dict[str, float | None]:
    """Of these rows: the standard deviation is divided by n. None stands for what no float holds."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = {
            "mean": target.mean(),
            "standard_deviation": target.std(),
            "min": target.min(),
            "max": target.max(),
        }
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def summary(report: Mapping[str, Any]) -> str:
    lines = [f"batch {report['batch']}"]
    for name, split in report["splits"].items():
        gaps = ", ".join(f"{column} {share:.1%}" for column, share in split["missing_share"].items() if share)
        target = _target_summary(report["target"], split)
        lines.append(f"{name}: {split['rows']} rows, {target}; missing: {gaps or 'nothing'}")
    lines.append(f"ignored columns: {', '.join(report['ignored_columns']) or 'none'}")
    for file in report["files"]:
        if file["blank_lines"]:
            lines.append(f"warning: blank lines in {file['key']}, taken for no rows: {file['blank_lines']}")
    shares = report["splits"]["validation"].get("class_share", {})
    if absent := [name for name, share in shares.items() if not share]:
        lines.append(f"warning: no validation row has {report['target']} = {_listed(absent)}")
    if overlap := report["validation_rows_also_in_train"]:
        lines.append(f"warning: {overlap} validation rows also stand in train: evaluation leaves them out")
    return "\n".join(lines)


def _target_summary(target: str, split: Mapping[str, Any]) -> str:
    if "target" in split:
        told = {name.replace("_", " "): value for name, value in split["target"].items()}
        return f"{target}: " + ", ".join(
            f"{name} {'too large' if value is None else format(value, 'g')}" for name, value in told.items()
        )
    shares = split["class_share"]
    if len(shares) == 2:
        positive = list(shares)[1]
        return f"{target} = {positive} in {shares[positive]:.1%}"
    return f"{target}: " + _listed([f"{name} {share:.1%}" for name, share in shares.items()])


def one_line(error: object, limit: int = 1000) -> str:
    return " ".join(str(error).split())[:limit]


def write_json(value: object, path: Path) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_message(text: str) -> None:
    """SageMaker shows the first kilobyte of this file as the job's ExitMessage."""
    path = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "output", "message")
    with suppress(OSError):  # the log has it as well
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="model.json")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--batch", required=True, help="a batch's SHA-256, or latest")
    parser.add_argument("--execution", required=True, help="the pipeline execution's ARN, for the report")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        s3 = boto3.client("s3", config=AWS)
        report = preprocess(s3, given.bucket, read_config(given.config), given.batch, given.output)
    except DataProblem as problem:
        print(one_line(problem), file=sys.stderr)
        write_message(one_line(problem))
        return 1
    except Exception as error:
        write_message(one_line(f"{type(error).__name__}: {error}"))
        raise
    report["execution"] = given.execution
    write_json(report, given.output / "report" / "data_report.json")
    print(summary(report), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
