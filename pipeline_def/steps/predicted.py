"""A model that is known by its predictions: score.py has asked it in its own image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from cells import Spelling
from job import Array, Json, StepConfig, parse_config, read_json
from scoring import OneHot, is_classes

MIN_SURE: Final = 10
"""Rows from which it is told that all probabilities are 0 or 1."""


HAD_ROWS: Final = (
    "the candidate's training script had the validation rows as well: if it fitted the model on them, its "
    "metrics are too good, and so is each comparison with them"
)
"""What approvers of own code should know, whatever it answers."""


class ScoringFailed(Exception):
    """The model was not scored. The message is why, in one line."""


@dataclass(frozen=True)
class Predicted:
    """The predictions of a model, one for each validation row, in the place of the model itself.

    `values` are as `artifact.Model.predict` gives them: n, or n x classes. `known` are the categories of its
    training rows by feature; a feature of which not all are known is not there. `folder` has what score.py
    wrote.
    """

    config: StepConfig
    values: Array
    known: Mapping[str, frozenset[str]]
    folder: Path | None = None

    def respelled(self, rows: pd.DataFrame, spelling: Spelling) -> pd.DataFrame:  # noqa: ARG002
        """The rows as they are: the model was asked about rows that it could read."""
        return rows

    def unknown(self, rows: pd.DataFrame) -> dict[str, Array]:
        """For each categorical feature and each of n rows, whether the category was in no training row.

        A missing value is not unknown. None is unknown of a feature of which not all categories are known.
        """
        nothing = np.zeros(len(rows), dtype=bool)
        return {
            name: (rows[name].notna() & ~rows[name].isin(self.known[name])).to_numpy()
            if name in self.known
            else nothing
            for name in self.config.features.categorical
        }

    def predict(self, rows: pd.DataFrame) -> Array:
        """The predictions of these rows, whose index is their place among the validation rows."""
        return np.asanyarray(self.values[rows.index.to_numpy()])


def read_scoring(folder: Path) -> Json:
    """The scoring.json that score.py wrote to the folder."""
    found: Json = read_json(folder / "scoring.json")
    return found


def read_predicted(folder: Path, rows: int, profile: Mapping[str, Any] | None) -> Predicted:
    """The predictions of `rows` validation rows. `profile` is data_profile.json of the training rows.

    Raises ScoringFailed if the model has no prediction of each row.
    """
    scoring = read_scoring(folder)
    if scoring["problem"]:
        raise ScoringFailed(scoring["problem"])
    config = parse_config(scoring["config"])
    table = pd.read_csv(folder / "predictions.csv", float_precision="round_trip")
    if len(table) != rows:
        raise ScoringFailed(f"it has {len(table):,} predictions for {rows:,} validation rows")
    values = as_predicted(table.to_numpy(dtype=float), scoring["returns"], config)
    return Predicted(config, values, known_categories(config, profile), folder)


def as_predicted(values: Array, returns: str, config: StepConfig) -> Array:
    """Numbers of score.py (n x columns of predictions.csv) as `artifact.Model.predict` gives predictions."""
    if returns == "label":
        values = np.eye(len(config.classes))[values[:, 0].astype(int)].view(OneHot)
        return values[:, 1] if config.task == "binary_classification" else values
    return values[:, 0] if values.shape[1] == 1 else values


def answer_notes(model: object, prediction: Array) -> list[str]:
    """What approvers should know of own code: it had the validation rows, and may have answered classes."""
    if not isinstance(model, Predicted):
        return []
    if model.config.task == "regression" or is_classes(prediction):
        return [HAD_ROWS]
    if len(prediction) < MIN_SURE or not np.isin(prediction, (0.0, 1.0)).all():
        return [HAD_ROWS]
    return [
        HAD_ROWS,
        "each probability that the candidate answered is exactly 0 or 1; if its code answers classes, such "
        "as those of scikit-learn's predict, set inference.returns: label, or answer predict_proba",
    ]


def known_categories(config: StepConfig, profile: Mapping[str, Any] | None) -> dict[str, frozenset[str]]:
    """The categories of each categorical feature of which a data_profile.json has all."""
    columns = profile["columns"] if profile else {}
    return {
        name: frozenset(columns[name]["counts"])
        for name in config.features.categorical
        if name in columns and not columns[name]["other"]
    }
