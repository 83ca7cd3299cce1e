"""Serving: raw rows in, label and probability out. Lies as code/inference.py beside the model it serves.

SageMaker's scikit-learn container calls the four functions. Rows arrive as CSV with a header or as JSON
records; columns that are no features are ignored, empty values are missing ones, as in training.
"""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any, Final, NamedTuple

import joblib
import numpy as np
import pandas as pd

THRESHOLD: Final = 0.5

# What pyarrow takes for a missing number in a CSV file: training reads it so.
# fmt: off
MISSING_NUMBERS: Final = frozenset([
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND",
    "1.#QNAN", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null",
])
# fmt: on


class Model(NamedTuple):
    """The fitted pipeline and the columns that it takes, by how they are read."""

    pipeline: Any
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]


def model_fn(model_dir: str) -> Model:
    """Load what train.py wrote into `model_dir`."""
    features = json.loads(Path(model_dir, "code", "model.json").read_text(encoding="utf-8"))["features"]
    pipeline = joblib.load(Path(model_dir, "model.joblib"))
    return Model(pipeline, tuple(features["numeric"]), tuple(features["categorical"]))


def input_fn(body: str | bytes, content_type: str) -> pd.DataFrame:
    """The raw rows, not yet interpreted. Raises ValueError for anything but CSV with a header or JSON."""
    text = body.decode("utf-8-sig") if isinstance(body, bytes) else body
    kind = content_type.split(";")[0].strip().lower()
    if kind == "text/csv":
        return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    if kind == "application/json":
        rows = json.loads(text)
        rows = rows.get("instances") if isinstance(rows, dict) else rows
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError('expected a list of records, or {"instances": [record, …]}')
        return pd.DataFrame(rows, dtype=object)
    raise ValueError(f"content type {content_type} is not served; send text/csv or application/json")


def predict_fn(rows: pd.DataFrame, model: Model) -> pd.DataFrame:
    """`label` (0 or 1) and `probability` of 1 for each row. Raises ValueError if a feature is missing."""
    if missing := [name for name in (*model.numeric, *model.categorical) if name not in rows]:
        raise ValueError(
            f"the rows have no {', '.join(missing)}; they have {', '.join(map(str, rows.columns))}"
        )
    features = pd.DataFrame(
        {name: _numbers(rows[name]) for name in model.numeric}
        | {name: _categories(rows[name]) for name in model.categorical}
    )
    probability = model.pipeline.predict_proba(features)[:, 1] if len(features) else np.empty(0)
    return pd.DataFrame({"label": (probability > THRESHOLD).astype(int), "probability": probability})


def output_fn(prediction: pd.DataFrame, accept: str) -> tuple[str, str]:
    """The body and its content type: CSV with a header where it is asked for, otherwise JSON."""
    if "text/csv" in accept.lower():
        return prediction.to_csv(index=False), "text/csv"
    return json.dumps({"predictions": prediction.to_dict(orient="records")}), "application/json"


def _numbers(column: pd.Series) -> pd.Series:
    return pd.Series([_number(value, column.name) for value in column], dtype="float64")


def _number(value: Any, name: object) -> float:
    if value is None or (isinstance(value, str) and value.strip() in MISSING_NUMBERS):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}, expected a number") from None


def _categories(column: pd.Series) -> pd.Series:
    return pd.Series([_category(value) for value in column], dtype=object)


def _category(value: Any) -> Any:
    """Categories are text; 3 and 3.0 are "3", true is "true", as where Parquet files are read in training."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
