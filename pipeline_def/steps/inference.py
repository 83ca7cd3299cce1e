"""Serving: raw rows in, predictions out. Lies as code/inference.py beside the model it serves.

SageMaker's scikit-learn container calls the four functions. Rows arrive as CSV with a header or as JSON
records; columns that are no features are ignored, empty values are missing ones, as in training.

    two classes    label, probability (of the positive class)
    more classes   label, probability (of the label), probabilities (of each class)
    regression     prediction

A label is the class as the config names it, as a number where it is a whole one.
"""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import joblib
import numpy as np
import pandas as pd

THRESHOLD: Final = 0.5
NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)  # as preprocess.py has it

# What pyarrow takes for a missing number in a CSV file: training reads it so.
# fmt: off
MISSING_NUMBERS: Final = frozenset([
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND",
    "1.#QNAN", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null",
])
# fmt: on
TRUE: Final = frozenset(["true", "yes", "t", "y", "1", "1.0"])
FALSE: Final = frozenset(["false", "no", "f", "n", "0", "0.0"])
OF_CLASS: Final = "probability_"  # begins the name of each class's column


class Model(NamedTuple):
    """The fitted pipeline, what it predicts and the columns that it takes, by how they are read.

    `classes` are empty for regression; of two the second is the positive one.
    """

    pipeline: Any
    classes: tuple[str, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    boolean: tuple[str, ...]


def model_fn(model_dir: str) -> Model:
    """Load what train.py wrote into `model_dir`."""
    config = json.loads(Path(model_dir, "code", "model.json").read_text(encoding="utf-8"))
    pipeline = joblib.load(Path(model_dir, "model.joblib"))
    columns = (tuple(config["features"][kind]) for kind in ("numeric", "categorical", "boolean"))
    return Model(pipeline, tuple(config["classes"]), *columns)


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
    """A prediction for each row, in columns as CSV has them. Raises ValueError if a feature is missing."""
    names = (*model.numeric, *model.categorical, *model.boolean)
    if missing := [name for name in names if name not in rows]:
        raise ValueError(
            f"the rows have no {', '.join(missing)}; they have {', '.join(map(str, rows.columns))}"
        )
    features = pd.DataFrame(
        {name: _numbers(rows[name]) for name in model.numeric}
        | {name: _categories(rows[name]) for name in model.categorical}
        | {name: _booleans(rows[name]) for name in model.boolean}
    )
    if not model.classes:
        return pd.DataFrame({"prediction": model.pipeline.predict(features) if len(features) else []})
    shares = _probabilities(features, model)
    labels = [_label(name) for name in model.classes]
    if len(labels) == 2:
        positive = shares[:, 1]
        found = [labels[index] for index in (positive > THRESHOLD).astype(int)]
        return pd.DataFrame({"label": found, "probability": positive})
    best = shares.argmax(axis=1)
    return pd.DataFrame(
        {"label": [labels[index] for index in best], "probability": shares.max(axis=1)}
        | {f"{OF_CLASS}{name}": shares[:, index] for index, name in enumerate(model.classes)}
    )


def output_fn(prediction: pd.DataFrame, accept: str) -> tuple[str, str]:
    """The body and its content type: CSV with a header where it is asked for, otherwise JSON."""
    if "text/csv" in accept.lower():
        return prediction.to_csv(index=False), "text/csv"
    classes = [name for name in prediction if str(name).startswith(OF_CLASS)]
    records = prediction.drop(columns=classes).to_dict(orient="records")
    if classes:
        by_class = prediction[classes].rename(columns=lambda name: name.removeprefix(OF_CLASS))
        for record, probabilities in zip(records, by_class.to_dict(orient="records"), strict=True):
            record["probabilities"] = probabilities
    return json.dumps({"predictions": records}), "application/json"


def _probabilities(features: pd.DataFrame, model: Model) -> np.ndarray[Any, Any]:
    """A row for each row, a column for each class; a class that training never saw has 0."""
    shares = np.zeros((len(features), len(model.classes)))
    if len(features):
        shares[:, model.pipeline.classes_.astype(int)] = model.pipeline.predict_proba(features)
    return shares


def _label(name: str) -> str | int:
    """As in the data: the class 1 is a number, the classes 01 and one are text."""
    try:
        return int(name) if str(int(name)) == name else name
    except ValueError:
        return name


def _numbers(column: pd.Series) -> pd.Series:
    return pd.Series([_number(value, column.name) for value in column], dtype="float64")


def _number(value: Any, name: object) -> float:
    if value is None or (isinstance(value, str) and value.strip() in MISSING_NUMBERS):
        return math.nan
    if isinstance(value, float) and math.isnan(value):
        return math.nan
    is_text = isinstance(value, str)
    if (NUMBER.fullmatch(value.strip()) if is_text else isinstance(value, int | float)) and math.isfinite(
        found := float(value)
    ):
        return found
    raise ValueError(f"{name} is {value!r}, expected a number")


def _booleans(column: pd.Series) -> pd.Series:
    return pd.Series([_boolean(value, column.name) for value in column], dtype="float64")


def _boolean(value: Any, name: object) -> float:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    text = str(value).strip()
    if text in MISSING_NUMBERS:
        return math.nan
    if text.lower() in TRUE | FALSE:
        return float(text.lower() in TRUE)
    raise ValueError(f"{name} is {value!r}, expected true or false")


def _categories(column: pd.Series) -> pd.Series:
    return pd.Series([_category(value) for value in column], dtype=object)


def _category(value: Any) -> Any:
    """Categories are text; 3 and 3.0 are "3", true is "true", as where Parquet files are read in training."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
