"""A model as TrainModel leaves it: unpacked, loaded and asked about rows."""

from __future__ import annotations

import json
import tarfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
from sklearn.exceptions import InconsistentVersionWarning

KINDS: Final = ("numeric", "categorical", "boolean")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Model:
    """An unpacked artifact: the fitted pipeline and the config that it was trained with."""

    pipeline: Any
    config: Mapping[str, Any]

    def predict(self, rows: pd.DataFrame) -> Array:
        """For each row the probability of the positive class, or of each class, or the predicted number.

        A class that stood in no training row has probability 0.
        """
        features = rows[[name for kind in KINDS for name in self.config["features"].get(kind, [])]]
        if self.config["task"] == "regression":
            return np.asarray(self.pipeline.predict(features) if len(rows) else [], dtype=float)
        probability = np.zeros((len(rows), len(self.config["classes"])))
        if len(rows):
            probability[:, self.pipeline.classes_.astype(int)] = self.pipeline.predict_proba(features)
        return probability if self.config["task"] == "multiclass_classification" else probability[:, 1]


def load_model(archive: Path, folder: Path) -> Model:
    """Unpack model.tar.gz into `folder` and load it. One of another scikit-learn version is an error."""
    with tarfile.open(archive, "r:gz") as packed:
        # Python before 3.11.4 has no filters; the image's has.
        safely: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        packed.extractall(folder, **safely)  # nosec B202 # noqa: S202 - our own, and filtered
    config = json.loads((folder / "code" / "model.json").read_text(encoding="utf-8"))
    config.setdefault("classes", ["0", "1"])  # artifacts of before classes had names
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        return Model(joblib.load(folder / "model.joblib"), config)
