"""Serving: raw rows in, predictions out. train.py puts this file beside the model, as code/inference.py.

SageMaker's scikit-learn container calls `model_fn`, `input_fn`, `predict_fn` and `output_fn`. The file stands
alone there with serving_request.py, dates.py, and cells.py, which says what a cell's text means. The other
scripts read cells by the same file, so serving reads a row as training did.

Rows arrive as CSV with or without a header, as JSON records, or as JSON lines. Columns that are not features
are ignored. An empty value is a missing one. The answer has, for each row:

    two classes    label, probability (of the positive class)
    more classes   label, probability (of the label), probabilities (of each class)
    regression     prediction

A label is the class as the config names it; it is a number where the class is a whole number.

The container answers every exception of this file with status 500, even its own UnsupportedFormatError
(sagemaker_containers 2.8.6, `_functions.error_wrapper`). So a request that cannot be served is a value,
`Refused`, which the functions hand on; `output_fn` turns it into an answer with status 400, 406 or 415.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import joblib
import numpy as np
import pandas as pd

from cells import LIMITS, NUMBER, Spelling
from dates import PREFIX, with_parts
from serving_request import (
    CSV,
    JSON,
    JSON_LINES,
    Lines,
    Model,
    Refused,
    features_of,
    read_body,
    read_lines,
    with_absent_values,
)

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

ACCEPTED: Final = (JSON, CSV, JSON_LINES)
"""The content types of answers. Of equally welcome ones, the first that the request names is given."""

THRESHOLD: Final = 0.5
"""Of two classes the positive one is predicted where its probability is above this."""

CLASS_COLUMN: Final = "probability_"
"""The start of the name of each class's column in a CSV answer."""

# ---- what the container calls ------------------------------------------------------------------------------


def model_fn(model_dir: str) -> Model:
    """Load the model that train.py wrote to `model_dir`."""
    config = json.loads(Path(model_dir, "code", "model.json").read_text(encoding="utf-8"))
    pipeline = joblib.load(Path(model_dir, "model.joblib"))
    numeric, categorical, boolean = (
        tuple(config["features"][kind]) for kind in ("numeric", "categorical", "boolean")
    )
    data = config.get("data", {})
    written = {name: data[name] for name in Spelling._fields if name in data}
    return Model(
        pipeline,
        tuple(config["classes"]),
        numeric,
        categorical,
        boolean,
        date=tuple(config["features"].get("date", ())),
        target=config["target"],
        columns=tuple(config.get("columns", ())),
        spelling=Spelling(**written | {"not_missing": tuple(written.get("not_missing", ()))}),
        delimiter=data.get("delimiter", ","),
        quotes=data.get("quotes"),
        limit=LIMITS.get(config["training"]["estimator"], math.inf),
    )


def input_fn(body: str | bytes, content_type: str | None) -> pd.DataFrame | Lines | Refused:
    """The raw rows as they arrived: a table of JSON records, or lines of CSV."""
    try:
        return read_body(body, content_type or JSON)
    except Refused as refused:
        return refused


def predict_fn(rows: pd.DataFrame | Lines | Refused, model: Model) -> pd.DataFrame | Refused:
    """The prediction for each row, in the columns of a CSV answer.

    `attrs["header"]` says whether a CSV answer has a header: it has none if the request was CSV without one.
    """
    if isinstance(rows, Refused):
        return rows
    try:
        if isinstance(rows, Lines):
            table, header = read_lines(rows.text, model)
        else:
            table, header = with_absent_values(rows, model), True
        features = features_of(table, model)
    except Refused as refused:
        return refused
    _tell_unknown(features, model)
    answer = _predictions(features, model)
    answer.attrs["header"] = header
    return answer


def output_fn(prediction: pd.DataFrame | Refused, accept: str | None) -> Any:
    """The body of the answer and its content type, as `accept` asks; for a Refused, the server's answer."""
    try:
        if isinstance(prediction, Refused):
            raise prediction
        kind = _wanted(accept or JSON)
    except Refused as refused:
        return _refusal(refused)
    if kind == CSV:
        return prediction.to_csv(index=False, header=prediction.attrs.get("header", True)), CSV
    classes = [name for name in prediction if str(name).startswith(CLASS_COLUMN)]
    records = prediction.drop(columns=classes).to_dict(orient="records")
    if classes:
        by_class = prediction[classes].rename(columns=lambda name: name.removeprefix(CLASS_COLUMN))
        for record, probabilities in zip(records, by_class.to_dict(orient="records"), strict=True):
            record["probabilities"] = probabilities
    if kind == JSON_LINES:
        return "".join(json.dumps(record) + "\n" for record in records), JSON_LINES
    return json.dumps({"predictions": records}), JSON


def _refusal(refused: Refused) -> Any:
    """The answer that says why, as the server that runs takes it. Without a server, raises Refused.

    The server of multi-model endpoints (sagemaker_inference) wants an exception, the other one a response.
    """
    body = json.dumps({"error": str(refused)})
    try:
        if os.environ.get("SAGEMAKER_MULTI_MODEL"):
            errors = importlib.import_module("sagemaker_inference.errors")
            raise errors.BaseInferenceToolkitError(refused.status, body, str(refused))
        flask = importlib.import_module("flask")
    except ModuleNotFoundError:
        raise refused from None
    return flask.Response(body, status=refused.status, mimetype=JSON)


def known_categories(pipeline: Pipeline) -> dict[str, list[object]]:
    """The categories of each column as the fitted pipeline spells them; NaN where a missing one is known.

    Another object than a pipeline that train.py makes knows none.
    """
    columns = getattr(pipeline, "named_steps", {}).get("columns")
    return {
        str(name): list(known)
        for _, encoder, names in getattr(columns, "transformers_", ())
        if hasattr(encoder, "categories_")
        for name, known in zip(names, encoder.categories_, strict=True)
        if not str(name).startswith(PREFIX)
    }


# ---- the answer --------------------------------------------------------------------------------------------


def _wanted(accept: str) -> str:
    """The content type that an Accept header likes best. Raises Refused if it takes none of ours.

    RFC 9110, 12.5.1: of the ranges that fit a type, the most specific one gives its quality, from 0 to 1.
    """
    ranges: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (item.strip().lower() for item in part.split(";"))
        quality = next((item[2:] for item in parameters if item.startswith("q=")), "1")
        ranges.setdefault(kind, float(quality) if NUMBER.fullmatch(quality) else 0.0)
    order = [kind for kind in ranges if kind in ACCEPTED] + list(ACCEPTED)

    def liked(kind: str) -> float:
        fitting = (kind, f"{kind.split('/')[0]}/*", "*/*")
        return next((ranges[name] for name in fitting if name in ranges), 0.0)

    best = max(order, key=liked)
    if liked(best) <= 0:
        raise Refused(f"cannot answer with {accept}; accept one of {', '.join(ACCEPTED)}", 406)
    return best


def _tell_unknown(features: pd.DataFrame, model: Model) -> None:
    """Write to the log how many rows have a category that the model does not know. It shows no value."""
    known = known_categories(model.pipeline) if model.categorical and len(features) else {}
    for name, categories in known.items():
        if rows := int((features[name].notna() & ~features[name].isin(categories)).sum()):
            print(f"unknown categories: {name} in {rows} of {len(features)} rows", file=sys.stderr)


def _predictions(features: pd.DataFrame, model: Model) -> pd.DataFrame:
    """The prediction for each row, in the columns of a CSV answer."""
    features = with_parts(features, model.date)
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
