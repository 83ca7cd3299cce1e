"""Reads a channel's files as a DMatrix, with the label in the first column."""

from __future__ import annotations

import csv
from email.message import Message
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import xgboost as xgb

CSV, LIBSVM, PARQUET = "csv", "libsvm", "parquet"
"""The formats that are read here."""

_CONTENT_TYPES = {
    **dict.fromkeys(("csv", "text/csv"), CSV),
    **dict.fromkeys(("libsvm", "text/libsvm", "text/x-libsvm"), LIBSVM),
    **dict.fromkeys(("parquet", "application/x-parquet"), PARQUET),
}


def get_content_type(content_type_cfg_val: str | None) -> str:
    """The format of a channel's ContentType, libsvm if it has none. Raises ValueError."""
    if content_type_cfg_val is None:
        return LIBSVM
    header = Message()
    header["content-type"] = content_type_cfg_val.lower()
    kind = header.get_params(failobj=[("", "")])[0][0]
    if kind not in _CONTENT_TYPES:
        known = ", ".join(_CONTENT_TYPES)
        raise ValueError(f"{content_type_cfg_val} is not an accepted ContentType: {known}.")
    if header.get_param("label_size") not in (None, "1"):
        raise ValueError(f"{content_type_cfg_val}: label_size must be equal to 1")
    return _CONTENT_TYPES[kind]


def get_dmatrix(
    data_path: str | list[str], content_type: str, csv_weights: int = 0, is_pipe: bool = False
) -> xgb.DMatrix | None:
    """The rows of the files below `data_path`, None if there is no such path.

    `content_type` is csv, libsvm or parquet. With `csv_weights` 1 the second column of CSV is the weight.
    Raises ValueError for another format, pipes, and rows without labels.
    """
    if is_pipe:
        raise ValueError("pipe mode is not supported on this machine")
    paths = [Path(path) for path in (data_path if isinstance(data_path, list) else [data_path])]
    if not all(path.exists() for path in paths):
        return None
    files = [file for path in paths for file in _files(path)]
    if content_type.lower() == CSV:
        found = _matrix(np.vstack([_read_csv(file) for file in files]), csv_weights)
    elif content_type.lower() == LIBSVM:
        found = _read_libsvm(files)
    elif content_type.lower() == PARQUET:
        found = _matrix(np.vstack([pq.read_table(file).to_pandas().to_numpy() for file in files]))
    else:
        raise ValueError(f"{content_type} is not one of csv, libsvm, parquet")
    if found.get_label().size == 0:
        raise ValueError("Got input data without labels. Please check the input data set.")
    return found


def get_size(data_path: str, is_pipe: bool = False) -> int:
    """The bytes of the files below `data_path`; 0 if there is no such path. `is_pipe` has no meaning here."""
    del is_pipe
    path = Path(data_path)
    return sum(file.stat().st_size for file in _files(path)) if path.exists() else 0


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [file for file in found if not file.name.startswith((".", "_"))]


def _read_csv(file: Path) -> np.ndarray:
    with file.open(newline="") as lines:
        delimiter = csv.Sniffer().sniff(lines.readline()).delimiter
    return np.asarray(pd.read_csv(file, header=None, sep=delimiter).to_numpy(), dtype=float)


def _matrix(rows: np.ndarray, weights: int = 0) -> xgb.DMatrix:
    weight = rows[:, 1] if weights == 1 else None
    return xgb.DMatrix(rows[:, 1 + (weights == 1) :], label=rows[:, 0], weight=weight)


def _read_libsvm(files: list[Path]) -> xgb.DMatrix:
    from .encoder import libsvm_to_dmatrix

    return libsvm_to_dmatrix(b"".join(file.read_bytes().rstrip(b"\n") + b"\n" for file in files))
