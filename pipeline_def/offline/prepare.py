"""DataPreProcessing on files of this machine, and few of its rows for a trial: for `handsoff check`.

    python prepare.py < REQUEST > ANSWER

The request is JSON: {"config": path of model.json, "files": [[path, name], …], "output": folder,
"rows": number}. The answer is {"rows": {split: number}, "kept": {split: number}}, or {"problem": text}. The
output has what the step writes; its rows are then cut to `rows` of each split, with one of each class. Runs
with the packages of SageMaker's scikit-learn image, and the step scripts on Python's path.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from batch import DataObject, batch_identity, manifest, manifest_key
from job import SPLITS, Array, DataProblem, StepConfig, read_config, write_json
from preprocess import preprocess

BUCKET = "on-this-machine"
"""The name of the bucket that the step reads."""


@dataclass
class Body:
    """The bytes of an object, as botocore gives them."""

    file: io.BufferedIOBase

    def read(self) -> bytes:
        """All of them."""
        with self.file:
            return self.file.read()

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        """Block by block."""
        with self.file:
            while chunk := self.file.read(size):
                yield chunk


@dataclass
class Files:
    """Stands in for S3: the files by their keys, and what the step puts. No AWS is asked."""

    paths: Mapping[str, Path]
    objects: dict[str, bytes] = field(default_factory=dict)

    def listed(self) -> list[DataObject]:
        """The files as a batch lists them."""
        return [DataObject(key, "1", _tag(path), path.stat().st_size) for key, path in self.paths.items()]

    def get_object(self, *, Bucket: str, Key: str, **_: str) -> dict[str, Any]:
        """S3's answer; a ClientError for a key that there is not."""
        if Key in self.objects:
            return {"Body": Body(io.BytesIO(self.objects[Key]))}
        if Key not in self.paths:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, f"GetObject {Bucket}")
        (item,) = (each for each in self.listed() if each.key == Key)
        return {"Body": Body(self.paths[Key].open("rb")), "ETag": f'"{item.etag}"'}

    def put_object(self, *, Key: str, Body: bytes, **_: str) -> dict[str, Any]:
        """Keep an object."""
        self.objects[Key] = Body
        return {}


def _tag(path: Path) -> str:
    return hashlib.md5(str(path).encode(), usedforsecurity=False).hexdigest()


def prepare(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run the step, and cut its rows. Raises DataProblem."""
    config, output = read_config(Path(request["config"])), Path(request["output"])
    files = Files({f"curated/{config.name}/{name}": Path(path) for path, name in request["files"]})
    listed = files.listed()
    batch = batch_identity(listed)
    files.objects[manifest_key(config.name, batch)] = manifest(config.name, batch, listed).encode()
    with contextlib.redirect_stdout(sys.stderr):
        report = preprocess(files, BUCKET, config, batch, output)  # type: ignore[arg-type]
    report["execution"] = BUCKET
    rows, kept = {}, {}
    for split in SPLITS:
        path = output / split / f"{split}.parquet"
        rows[split] = pq.read_metadata(path).num_rows
        kept[split] = cut(output, split, config, request["rows"])
        report["splits"][split]["rows"] = kept[split]
    write_json(report, output / "report" / "data_report.json")
    return {"rows": rows, "kept": kept}


def cut(output: Path, split: str, config: StepConfig, limit: int) -> int:
    """Keep `limit` rows of a split, evenly spread, and the first row of each class; how many are kept."""
    path = output / split / f"{split}.parquet"
    table = pq.read_table(path)
    if table.num_rows <= limit:
        return int(table.num_rows)
    spread = np.linspace(0, table.num_rows - 1, limit).astype(int)
    if config.classes:
        _, first = np.unique(table.column(config.target).to_numpy(), return_index=True)
        spread = np.union1d(spread, first)
    pq.write_table(table.take(spread), path)
    for channel in (output / f"channel-{split}").glob("*.parquet"):
        pq.write_table(pq.read_table(channel).take(spread), channel)
    for channel in (output / f"channel-{split}").glob("*.csv"):
        _cut_lines(channel, spread)
    if split == "validation" and (rows := output / "rows" / "rows.csv").exists():
        _cut_lines(rows, spread)
    return len(spread)


def _cut_lines(path: Path, kept: Array) -> None:
    """Keep the header and these rows of a CSV file."""
    wanted = set(kept.tolist())
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *(line for at, line in enumerate(lines) if at in wanted)])


def main() -> int:
    """Answer the request."""
    request = json.load(sys.stdin)
    try:
        answer = prepare(request)
    except DataProblem as problem:
        answer = {"problem": problem.log_line()}
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
