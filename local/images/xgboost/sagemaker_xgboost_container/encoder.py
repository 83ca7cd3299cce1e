"""Decodes a request's body into a DMatrix, as serving scripts do."""

from __future__ import annotations

import csv
import json
import tempfile
from email.message import Message
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb


def csv_to_dmatrix(input: str | bytes, dtype: Any = None) -> xgb.DMatrix:
    """The rows of CSV without a header; an empty cell is missing."""
    lines = (input.decode() if isinstance(input, bytes) else input).split("\n")
    found = csv.Sniffer().sniff(lines[0][:512]).delimiter
    delimiter = "," if found.isalnum() else found
    rows = [["nan" if cell == "" else cell for cell in line.split(delimiter)] for line in lines]
    return xgb.DMatrix(np.array(rows).astype(dtype if dtype is not None else float))


def libsvm_to_dmatrix(string_like: bytes | str) -> xgb.DMatrix:
    """The rows of LIBSVM, with their labels."""
    data = string_like.encode() if isinstance(string_like, str) else string_like
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows")
        file.write_bytes(data)
        return xgb.DMatrix(f"{file}?format=libsvm")


def json_to_jsonlines(json_data: str | dict[str, Any]) -> bytes:
    """One line for each value of the only list of an object. Raises ValueError for any other object."""
    found = json_data if isinstance(json_data, dict) else json.loads(json_data)
    if len(found) != 1:
        raise ValueError("JSON response is not compatible for conversion to jsonlines.")
    (values,) = found.values()
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def decode(obj: bytes | str, content_type: str) -> xgb.DMatrix:
    """The rows of a body of this content type. Raises ValueError for one that is not read here."""
    header = Message()
    header["content-type"] = content_type
    kind = header.get_content_type()
    if kind == "text/csv":
        return csv_to_dmatrix(obj)
    if kind in ("text/libsvm", "text/x-libsvm"):
        return libsvm_to_dmatrix(obj)
    raise ValueError(f"Content type {kind} is not supported by this framework.")
