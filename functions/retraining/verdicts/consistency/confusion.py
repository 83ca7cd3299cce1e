"""The confusion matrix of an evaluation, and the metrics of the candidate that are functions of it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from retraining.config.tasks import Task
from retraining.verdicts.consistency.sentences import same
from retraining.verdicts.evaluation import Evaluation

Matrix = Sequence[Sequence[int]]
"""Rows by actual, then by predicted class."""


def of_confusion(path: str, evaluation: Evaluation, found: object) -> Iterator[str]:
    """What differs between the confusion matrix `found` and the candidate's counts and metrics."""
    if found is None:
        return
    matrix = _matrix(found, evaluation.classes)
    if matrix is None:
        yield f"{path} has not one count for each pair of the classes {', '.join(evaluation.classes)}"
        return
    scores = evaluation.candidate
    total, usable = sum(map(sum, matrix)), scores.n - scores.unusable
    yield from same(f"the sum of {path}", total, usable, "candidate.n − unusable")
    if scores.unusable or not total:
        return
    for name, value in _metrics(evaluation.task, matrix).items():
        if name in scores.metrics:
            there = f"candidate.metrics.{name}.value"
            yield from same(there, scores.metrics[name].value, value, path)
    actual = [sum(row) for row in matrix]
    predicted = [sum(column) for column in zip(*matrix, strict=True)]
    asked = list(zip(predicted, actual, strict=True))
    rarest = min(rows for rows, other in asked if rows or other)
    counts = {
        "smallest_class": (scores.smallest_class, min(rows for rows in actual if rows)),
        "smallest_predicted": (
            scores.smallest_predicted,
            predicted[1] if evaluation.task == "binary_classification" else rarest,
        ),
    }
    for name, (counted, rows) in counts.items():
        if counted is None:
            continue
        if scores.clusters in (None, scores.n) and counted != rows:
            yield f"candidate.{name} is {counted}, but {path} has {rows}"
        elif counted > rows:
            yield f"candidate.{name} is {counted}, but {path} has at most {rows}"


def _matrix(found: object, classes: Sequence[str]) -> Matrix | None:
    """The counts in the order of the classes; None if one is missing, or is none."""
    if not isinstance(found, Mapping) or set(found) != set(classes):
        return None
    matrix = []
    for actual in classes:
        row = found[actual]
        if not isinstance(row, Mapping) or set(row) != set(classes):
            return None
        counts = [row[name] for name in classes]
        if not all(type(count) is int and count >= 0 for count in counts):  # a boolean is no count
            return None
        matrix.append(counts)
    return matrix


def _metrics(task: Task, matrix: Matrix) -> dict[str, float]:
    """The metrics of the task that depend on nothing but the matrix; NaN where one is undefined."""
    total = sum(map(sum, matrix))
    right = [row[place] for place, row in enumerate(matrix)]
    actual = [sum(row) for row in matrix]
    predicted = [sum(column) for column in zip(*matrix, strict=True)]
    recalls = [_share(hits, rows) for hits, rows in zip(right, actual, strict=True)]
    f1 = [_share(2 * hits, rows + more) for hits, rows, more in zip(right, actual, predicted, strict=True)]
    found = {"accuracy": sum(right) / total}
    if task == "binary_classification":
        return found | {
            "balanced_accuracy": sum(recalls) / 2,
            "precision": _share(right[1], predicted[1]),
            "recall": recalls[1],
            "f1": f1[1] if actual[1] else math.nan,
        }
    known = [recall for recall in recalls if not math.isnan(recall)]
    occurring = [score for score in f1 if not math.isnan(score)]
    weighted = sum(rows * score for rows, score in zip(actual, f1, strict=True) if rows) / total
    return found | {
        "balanced_accuracy": sum(known) / len(known) if len(known) > 1 else math.nan,
        "f1_macro": sum(occurring) / len(occurring),
        "f1_weighted": weighted,
    }


def _share(part: int, rows: int) -> float:
    return part / rows if rows else math.nan
