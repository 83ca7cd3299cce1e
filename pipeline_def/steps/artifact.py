"""A model as TrainModel leaves it: unpacked, loaded, and asked for predictions."""

from __future__ import annotations

import tarfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from job import Array, StepConfig, read_config


@dataclass(frozen=True)
class Model:
    """An unpacked artifact: the fitted pipeline and the config that it was trained with."""

    pipeline: Pipeline
    config: StepConfig

    def predict(self, rows: pd.DataFrame) -> Array:
        """The prediction for each of n rows.

        The probability of the positive class (n), of each class (n x classes), or the predicted number (n). A
        class without a training row has probability 0.
        """
        features = rows[list(self.config.features.names)]
        if self.config.task == "regression":
            return np.asarray(self.pipeline.predict(features) if len(rows) else [], dtype=float)
        probability = np.zeros((len(rows), len(self.config.classes)))
        if len(rows):
            probability[:, self.pipeline.classes_.astype(int)] = self.pipeline.predict_proba(features)
        return probability if self.config.task == "multiclass_classification" else probability[:, 1]


def load_model(archive: Path, folder: Path) -> Model:
    """Unpack the model.tar.gz `archive` into `folder` and load it.

    Raises InconsistentVersionWarning if another version of scikit-learn made it.
    """
    with tarfile.open(archive, "r:gz") as packed:
        # Python before 3.11.4 has no filters; the image's has.
        safely: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        packed.extractall(folder, **safely)  # nosec B202 # noqa: S202 - our own, and filtered
    config = read_config(folder / "code" / "model.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        return Model(joblib.load(folder / "model.joblib"), config)
