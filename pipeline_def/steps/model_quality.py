"""evaluation.json as text, and its top: the format of SageMaker's model-quality monitor.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from job import Array, Json, StepConfig
from scoring import TASKS, UNDEFINED, usable


def sagemaker_format(config: StepConfig, found: Json, target: Array, prediction: Array) -> Json:
    """The metrics in SageMaker's format, under the task's key. `found` are all metrics by our names."""
    module = TASKS[config.task]
    values = {theirs: plain(found.get(ours, UNDEFINED)) for theirs, ours in module.SAGEMAKER.items()}
    if config.task != "regression":
        known = usable(config.task, prediction)
        values = {
            "confusion_matrix": confusion(target[known], module.predicted(prediction[known]), config.classes),
            **values,
        }
    return {f"{config.task}_metrics": values}


def plain(metric: Json) -> Json:
    """What SageMaker's format has of a metric."""
    return {name: metric[name] for name in ("value", "standard_deviation")}


def confusion(target: Array, predicted: Array, classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """Rows by actual, then by predicted class."""
    cell = target.astype(np.int64) * len(classes) + predicted
    counts = np.bincount(cell, minlength=len(classes) ** 2).reshape(len(classes), -1)
    return {
        actual: {name: int(count) for name, count in zip(classes, row, strict=True)}
        for actual, row in zip(classes, counts, strict=True)
    }


def to_json(evaluation: Mapping[str, Any]) -> str:
    """Strict JSON. An undefined number is "NaN" in SageMaker's part and null in ours."""
    parts = {key: undefined(part, None if key == "handsoff" else "NaN") for key, part in evaluation.items()}
    return json.dumps(parts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def undefined(value: Any, instead: str | None) -> Any:
    """JSON data with `instead` in place of each number that is not finite, at any depth."""
    if isinstance(value, dict):
        return {key: undefined(item, instead) for key, item in value.items()}
    if isinstance(value, list):
        return [undefined(item, instead) for item in value]
    return instead if isinstance(value, float) and not math.isfinite(value) else value
