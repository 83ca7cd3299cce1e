"""Serving: raw rows in, predictions out. train.py puts this file beside the model, as code/inference.py.

SageMaker's scikit-learn container calls `model_fn`, `input_fn`, `predict_fn` and `output_fn`. The file stands
alone there: it imports none of the other scripts. They import from it what a cell's text means, so that
serving reads a row as training did.

Rows arrive as CSV with a header, or as JSON records. Columns that are not features are ignored. An empty
value is a missing one. The answer has, for each row:

    two classes    label, probability (of the positive class)
    more classes   label, probability (of the label), probabilities (of each class)
    regression     prediction

A label is the class as the config names it; it is a number where the class is a whole number.
"""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import joblib
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

THRESHOLD: Final = 0.5
"""Of two classes the positive one is predicted where its probability is above this."""

NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
"""The text of a number, without spaces around it."""

# fmt: off
MISSING_WORDS: Final = frozenset([
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND",
    "1.#QNAN", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null",
])
# fmt: on
"""Texts that stand for a missing number or boolean: the null values of pyarrow's CSV reader."""

TRUE_WORDS: Final = frozenset(["true", "yes", "t", "y", "1", "1.0"])
"""Texts that stand for true, in lower case."""

FALSE_WORDS: Final = frozenset(["false", "no", "f", "n", "0", "0.0"])
"""Texts that stand for false, in lower case."""

BOOLEAN_WORDS: Final = TRUE_WORDS | FALSE_WORDS
"""Texts that stand for a boolean, in lower case."""

CLASS_COLUMN: Final = "probability_"
"""The start of the name of each class's column in a CSV answer."""


class Model(NamedTuple):
    """The fitted pipeline, what it predicts, and its input columns by the kind of value that they hold.

    `classes` are empty for regression; of two, the second is the positive one.
    """

    pipeline: Pipeline
    classes: tuple[str, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    boolean: tuple[str, ...]


def model_fn(model_dir: str) -> Model:
    """Load the model that train.py wrote to `model_dir`."""
    config = json.loads(Path(model_dir, "code", "model.json").read_text(encoding="utf-8"))
    pipeline = joblib.load(Path(model_dir, "model.joblib"))
    columns = (tuple(config["features"][kind]) for kind in ("numeric", "categorical", "boolean"))
    return Model(pipeline, tuple(config["classes"]), *columns)


def input_fn(body: str | bytes, content_type: str) -> pd.DataFrame:
    """The raw rows as they arrived. Raises ValueError unless they are CSV with a header or JSON records."""
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
    """The prediction for each row, in the columns of a CSV answer.

    Raises ValueError if a feature's column is missing, or if a value is not of the feature's kind.
    """
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
        | {f"{CLASS_COLUMN}{name}": shares[:, index] for index, name in enumerate(model.classes)}
    )


def output_fn(prediction: pd.DataFrame, accept: str) -> tuple[str, str]:
    """The body of the answer and its content type: CSV with a header if `accept` asks for it, else JSON."""
    if "text/csv" in accept.lower():
        return prediction.to_csv(index=False), "text/csv"
    classes = [name for name in prediction if str(name).startswith(CLASS_COLUMN)]
    records = prediction.drop(columns=classes).to_dict(orient="records")
    if classes:
        by_class = prediction[classes].rename(columns=lambda name: name.removeprefix(CLASS_COLUMN))
        for record, probabilities in zip(records, by_class.to_dict(orient="records"), strict=True):
            record["probabilities"] = probabilities
    return json.dumps({"predictions": records}), "application/json"


def _probabilities(features: pd.DataFrame, model: Model) -> np.ndarray[Any, Any]:
    """Rows by classes, from 0 to 1. A class without a training row has probability 0."""
    shares = np.zeros((len(features), len(model.classes)))
    if len(features):
        shares[:, model.pipeline.classes_.astype(int)] = model.pipeline.predict_proba(features)
    return shares


def _label(name: str) -> str | int:
    """The class as it is in the data: the class 1 is a number; the classes 01 and one are text."""
    try:
        return int(name) if str(int(name)) == name else name
    except ValueError:
        return name


def _numbers(column: pd.Series) -> pd.Series:
    return pd.Series([_number(value, column.name) for value in column], dtype="float64")


def _number(value: object, name: object) -> float:
    found = math.inf
    if value is None:
        return math.nan
    if isinstance(value, str):
        word = value.strip()
        if word in MISSING_WORDS:
            return math.nan
        if NUMBER.fullmatch(word):
            found = float(word)
    elif isinstance(value, int | float):
        found = float(value)
    if math.isinf(found):
        raise ValueError(f"{name} is {value!r}, expected a number")
    return found


def _booleans(column: pd.Series) -> pd.Series:
    return pd.Series([_boolean(value, column.name) for value in column], dtype="float64")


def _boolean(value: object, name: object) -> float:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    try:
        found = as_boolean(str(value))
    except LookupError:
        raise ValueError(f"{name} is {value!r}, expected true or false") from None
    return math.nan if found is None else found


def as_boolean(text: str) -> float | None:
    """1.0 for true, 0.0 for false, None for a missing value. Raises LookupError for any other text."""
    word = text.strip()
    if word in MISSING_WORDS:
        return None
    if word.lower() in BOOLEAN_WORDS:
        return float(word.lower() in TRUE_WORDS)
    raise LookupError(text)


def _categories(column: pd.Series) -> pd.Series:
    return pd.Series([_category(value) for value in column], dtype=object)


def _category(value: object) -> str | float:
    """The category as text, NaN where it is missing.

    3 and 3.0 are "3" and true is "true", as training reads them from Parquet files.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
