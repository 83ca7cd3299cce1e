"""CPU and memory of DataPreProcessing, beside a parse of typed columns and what samples do with pandas.

The rows have ten numbers, four categories and a target of two classes. Limit: Arrow reads the same file, told
the type of each column, block by block, and keeps nothing. Peer: pandas reads it, fills missing values with
the median or a word, and writes CSV, as samples of SageMaker's processing jobs do.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from bench.csv_rows import CATEGORIES, NUMBERS, make
from bench.row import Row, Use, alternating, at_least, at_most, measured, print_rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STEPS = Path(__file__).parents[1] / "pipeline_def" / "steps"

CONFIG = {
    "name": "m",
    "task": "binary_classification",
    "target": "y",
    "features": {"numeric": NUMBERS, "categorical": CATEGORIES},
    "training": {"estimator": "hist_gradient_boosting"},
}

REASON = "The parse alone takes half of it; imports, hashes of rows, Parquet and profiles share the rest."
"""Why DataPreProcessing needs more than a parse."""


def ours(folder: Path, *, divided: bool = False) -> None:
    """The step's function on a batch of two files, whose bytes a small stand-in of S3 gives.

    With `divided` the step divides the rows itself, at random, and all columns are read as text.
    """
    sys.path.insert(0, str(STEPS))
    import preprocess
    from batch import DataObject, batch_identity, manifest
    from hidden_pandas import hidden
    from job import parse_config

    def body(path: Path) -> SimpleNamespace:
        return SimpleNamespace(
            read=path.read_bytes, iter_chunks=lambda size: iter(partial(path.open("rb").read, size), b"")
        )

    prefix = "rows-" if divided else ""  # with data.split no file may be named after one
    files = {f"curated/m/{prefix}{name}": folder / name for name in ("train.csv", "validation.csv")}
    config = CONFIG | ({"data": {"split": {"by": "random", "validation": 0.2}}} if divided else {})
    etags = {key: hashlib.md5(key.encode()).hexdigest() for key in files}
    objects = [DataObject(key, "1", etags[key], path.stat().st_size) for key, path in sorted(files.items())]
    batch = batch_identity(objects)
    files["batches/m/" + batch + "/manifest.json"] = folder / "manifest.json"
    (folder / "manifest.json").write_text(manifest("m", batch, objects))
    s3 = SimpleNamespace(
        get_object=lambda **asked: {"Body": body(files[asked["Key"]]), "ETag": etags.get(asked["Key"], "")}
    )
    with tempfile.TemporaryDirectory(dir=folder) as output, hidden():  # as the step's main does
        preprocess.preprocess(cast("S3Client", s3), "b", parse_config(config), batch, Path(output))


def limit(folder: Path) -> None:
    """A parse of typed columns, block by block."""
    import pyarrow as pa
    from pyarrow import csv

    types = dict.fromkeys(NUMBERS, pa.float64()) | dict.fromkeys(CATEGORIES, pa.string()) | {"y": pa.int8()}
    read, convert = csv.ReadOptions(block_size=8 << 20), csv.ConvertOptions(column_types=types)
    with csv.open_csv(folder / "train.csv", read_options=read, convert_options=convert) as reader:
        for _ in reader:
            pass


def peer(folder: Path) -> None:
    """The whole file as a DataFrame, filled, and written as CSV."""
    import pandas as pd

    frame = pd.read_csv(folder / "train.csv")
    frame = frame.fillna({name: frame[name].median() for name in NUMBERS})
    frame.fillna(dict.fromkeys(CATEGORIES, "missing")).to_csv(folder / "peer.csv", index=False)


def use(count: int, names: tuple[str, ...], times: int) -> dict[str, Use]:
    """What each of the functions named uses on a file of so many rows."""
    with tempfile.TemporaryDirectory(prefix="handsoff-bench-") as text:
        folder = Path(text)
        measured([sys.executable, "-m", "bench.preprocess", "make", text, str(count)], 1)
        make(folder / "validation.csv", 1000)
        programs = {name: [sys.executable, "-m", "bench.preprocess", name, text] for name in names}
        return alternating(programs, times)


def rows() -> list[Row]:
    """CPU of 1 M rows against the limit and the peer, and memory of 1, 2 and 10 M rows."""
    million = use(1_000_000, ("ours", "limit", "peer", "divided"), 5)
    limit, ours, peer = (million[name].cpu for name in ("limit", "ours", "peer"))
    name = "DataPreProcessing, 1 M rows of 15 columns"
    found = [
        Row(f"{name}: CPU", ours / limit, "× a typed parse", at_most(2), "CPU s", ours, limit, peer, REASON),
        Row(
            f"{name}: CPU of pandas as samples use it",
            *(peer / ours, "× ours", at_least(6), "CPU s", ours, limit, peer, REASON),
        ),
    ]
    both = {n: use(n * 1_000_000, ("ours", "divided"), 1) for n in (2, 10)}
    large = {n: used["ours"] for n, used in both.items()}
    each = 10 * million["ours"].cpu
    grown = Row(
        "DataPreProcessing, 10 M rows of 15 columns: CPU",
        large[10].cpu / each,
        "× ten times 1 M rows",
        at_most(1.3),
        "CPU s",
        ours=large[10].cpu,
        reason=f"ran once; {large[10].wall:.0f} s of wall time",
    )
    found.append(grown)
    peaks = {1: million["ours"].peak} | {n: used.peak for n, used in large.items()}
    for millions, peak in peaks.items():
        limit_peak, peer_peak = (million[each].peak if millions == 1 else None for each in ("limit", "peer"))
        name = f"DataPreProcessing, {millions} M rows of 15 columns: peak memory"
        found.append(Row(name, peak, "MB", at_most(300), "MB", peak, limit_peak, peer_peak))
    for millions, used in ({1: million} | both).items():
        name = f"DataPreProcessing, {millions} M rows divided at random: peak memory"
        peak = used["divided"].peak
        found.append(Row(name, peak, "MB", at_most(300), "MB", peak))
    return found


RUNS: dict[str, Callable[[Path], None]] = {
    "ours": ours,
    "divided": partial(ours, divided=True),
    "limit": limit,
    "peer": peer,
}
"""What a process of its own runs, by the word that asks for it."""


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run, folder = sys.argv[1], Path(sys.argv[2])
        if run == "make":
            make(folder / "train.csv", int(sys.argv[3]))
        else:
            RUNS[run](folder)
    else:
        print_rows(rows())
