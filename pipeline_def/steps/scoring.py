"""What predictions are worth: every metric of the task, on all rows or on a slice, and guessing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, Final

import numpy as np
import pandas as pd

import binary
import multiclass
import regression
from cells import category
from clusters import count_all, count_classes, numbered
from job import Array, Json, StepConfig, Task
from scored import Scored
from uncertainty import measured

TASKS: Final[Mapping[Task, ModuleType]] = {
    "binary_classification": binary,
    "multiclass_classification": multiclass,
    "regression": regression,
}
"""A task's metrics: the module has METRICS, SAGEMAKER, `score`, `loss` and, for classes, `predicted`."""

ROUNDING: Final = 1e-6
"""By how much a probability may be outside 0 to 1, or the sum of a row's be away from 1."""

UNDEFINED: Final = {
    "value": math.nan,
    "standard_deviation": math.nan,
    "interval": [math.nan, math.nan],
    "bounds": {},
}
"""A metric that these rows do not define."""


class OneHot(np.ndarray[Any, Any]):
    """Predicted classes in the form of probabilities, which are 0 or 1.

    Metrics that depend on probabilities are undefined for them. A part of the array has the same type.
    """


def scored(task: Task, target: Array, prediction: Array, clusters: Array | None = None) -> Scored:
    """What each metric of these rows is; of predicted classes, only those that depend on classes alone."""
    found: Scored = TASKS[task].score(target, prediction, clusters)
    return (
        replace(found, means={}, areas={}, smooth={}, resampled={}, alone={})
        if is_classes(prediction)
        else found
    )


def is_classes(prediction: Array) -> bool:
    """Whether these are predicted classes and no probabilities."""
    return isinstance(prediction, OneHot)


def alike(ours: Array, theirs: Array) -> tuple[Array, Array]:
    """Both predictions, as predicted classes if one of them is. They are of the same rows and classes."""
    if not (is_classes(ours) or is_classes(theirs)):
        return ours, theirs
    return as_classes(ours), as_classes(theirs)


def as_classes(prediction: Array) -> Array:
    """The most probable class of each row, in the form of probabilities."""
    if is_classes(prediction):
        return prediction
    if prediction.ndim == 1:
        return binary.predicted(prediction).astype(float).view(OneHot)
    return np.eye(prediction.shape[1])[multiclass.predicted(prediction)].view(OneHot)


def usable(task: Task, prediction: Array) -> Array:
    """For each row, whether its prediction is a finite number, or probabilities: from 0 to 1, the sum 1."""
    if task == "regression":
        return np.isfinite(prediction)
    low, high = -ROUNDING, 1 + ROUNDING
    if task == "binary_classification":
        return np.asarray((prediction >= low) & (prediction <= high))  # false for NaN
    if not (prediction.size and prediction.min() >= low and prediction.max() <= high):
        prediction = np.where((prediction >= low) & (prediction <= high), prediction, np.nan)
    sums = np.einsum("nc->n", prediction)
    return np.asarray(np.abs(sums - 1) <= ROUNDING)


def unusable(task: Task, prediction: Array) -> int:
    """How many rows have a prediction that is no finite number, or are no probabilities."""
    return int((~usable(task, prediction)).sum())


def scores(task: Task, target: Array, prediction: Array, clusters: Array | None = None) -> Json:
    """Every metric of these rows. All are undefined if one prediction is unusable."""
    found = {} if unusable(task, prediction) else measured(scored(task, target, prediction, clusters))
    return scores_of(task, target, prediction, clusters, found)


def scores_of(
    task: Task, target: Array, prediction: Array, clusters: Array | None, found: Mapping[str, Json]
) -> Json:
    """The scores of these rows as evaluation.json has them; `found` are their metrics."""
    return {
        "n": len(target),
        "unusable": unusable(task, prediction),
        **counts(task, target, [prediction], clusters),
        "metrics": metrics(task, found),
    }


def counts(task: Task, target: Array, predictions: Sequence[Array], clusters: Array | None) -> Json:
    """How many clusters there are, of the rarest class, and of the class that a model predicts most rarely.

    The classes are those that occur, as actual or as predicted class. Of two classes only the positive one
    counts as predicted: precision is about it. Both numbers are None in regression and where there are no
    rows; the last one, too, where a prediction is unusable.
    """
    labels = None
    if task != "regression" and not any(unusable(task, prediction) for prediction in predictions):
        labels = [TASKS[task].predicted(prediction) for prediction in predictions]
    return counts_of(task, target, labels, clusters)


def counts_of(task: Task, target: Array, labels: Sequence[Array] | None, clusters: Array | None) -> Json:
    """`counts` where the predicted classes are known (n each); None if a prediction is unusable."""
    clusters = numbered(clusters)
    found: Json = {
        "clusters": len(target) if clusters is None else count_all(clusters),
        "smallest_class": None,
        "smallest_predicted": None,
    }
    if task == "regression" or not len(target):
        return found
    most, actual = found["clusters"], count_classes(clusters, target)
    found["smallest_class"] = min(most, *actual.values())
    if labels is not None:
        assigned = [count_classes(clusters, label) for label in labels]
        found["smallest_predicted"] = min(
            most,
            *(
                worth.get(name, 0)
                for worth in assigned
                for name in ([1] if task == "binary_classification" else actual.keys() | worth.keys())
            ),
        )
    return found


def metrics(task: Task, found: Mapping[str, Json], undefined: Json = UNDEFINED) -> dict[str, Json]:
    """The metrics that rules may name, in their order: those found, and the others as undefined."""
    return {name: found.get(name, undefined) for name in TASKS[task].METRICS}


def inside(rows: pd.DataFrame, where: Mapping[str, str], config: StepConfig) -> Array:
    """For each row, whether it is in the slice. The values of boolean columns are "true" and "false".

    A value of a categorical column counts by its canonical text; a word of a missing value means the rows
    without a value.
    """
    found = np.ones(len(rows), dtype=bool)
    for column, value in where.items():
        wanted: str | float | None
        if column in config.features.boolean:
            wanted = {"true": 1.0, "false": 0.0}[value]
        else:
            wanted = category(value, config.data.spelling.plain)
        found &= (rows[column].isna() if wanted is None else rows[column] == wanted).to_numpy()
    return found


def guess(config: StepConfig, train: Mapping[str, Any], n: int) -> tuple[str, Array]:
    """What guessing predicts for n rows, in words and numbers: the training rows' class shares or mean.

    `train` is the split's entry in data_report.json. Of equally frequent classes the words name the first.
    """
    if config.task == "regression":
        mean = train["target"]["mean"]
        mean = math.nan if mean is None else mean
        return f"the training rows' mean {mean:.6g}", np.full(n, mean)
    shares = [train["class_share"][name] for name in config.classes]
    largest = int(np.argmax(shares))
    text = f"class {config.classes[largest]}, {shares[largest]:.3f} of the training rows"
    if config.task == "binary_classification":
        return text, np.full(n, shares[1])
    return text, np.tile(shares, (n, 1))
