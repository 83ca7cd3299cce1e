"""A model as TrainModel leaves it: unpacked, loaded, and asked for predictions."""

from __future__ import annotations

import os
import tarfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from cells import NUMBER, Spelling, category
from dates import with_parts
from inference import known_categories
from job import Array, Json, StepConfig, read_config, read_json
from tree_matrix import is_of_trees, matrix_of

BATCH: Final = 65_536
"""Rows that a pipeline is asked about at a time. It copies them several times, and is no faster with more."""


class OwnCode(Exception):
    """The artifact is of a model that own code trained; only its own image loads it."""


@dataclass(frozen=True)
class Model:
    """An unpacked artifact: the fitted pipeline and the config that it was trained with."""

    pipeline: Pipeline
    config: StepConfig
    search: Json | None = None
    """What a search for hyperparameters tried and chose; None if there was none."""

    @property
    def known(self) -> dict[str, list[object]]:
        """The categories of each column as the pipeline spells them; NaN where a missing one is known."""
        return known_categories(self.pipeline) if self.config.features.categorical else {}

    def respelled(self, rows: pd.DataFrame, spelling: Spelling) -> pd.DataFrame:
        """The rows with their categories as the pipeline spells them.

        `spelling` is that of the rows. A model of handsoff 0.1 knows categories as files spelled them, 1.0
        beside 1, decimals of Parquet files as the float next to them, such as 37.800000000000004, and words
        such as NULL. A missing value is such a word where the model knows the word and no missing value. Of
        two spellings of one category that it knows, the canonical one is taken, else the first.
        """
        both = spelling.plain._replace(ignore_case=spelling.ignore_case or self.config.data.ignore_case)
        found = rows.copy()
        for name, known in self.known.items():
            texts = [item for item in known if isinstance(item, str)]
            spelled = {category(text, both): text for text in reversed(texts)}
            spelled |= {text: text for text in texts if category(text, both) == text}
            spelled = {rounded(found): text for found, text in spelled.items()} | spelled
            gap = spelled.get(None) if len(texts) == len(known) else None
            codes, distinct = pd.factorize(rows[name])
            names = [spelled.get(category(text, both), text) for text in distinct]
            found[name] = np.array([*names, np.nan if gap is None else gap], dtype=object)[codes]
        return found

    def unknown(self, rows: pd.DataFrame) -> dict[str, Array]:
        """For each categorical feature and each of n rows, whether the model does not know its category.

        The rows are spelled as by `respelled`. A missing value is not unknown. A model knows no category of a
        feature that had no value in training.
        """
        known = self.known
        return {
            name: (rows[name].notna() & ~rows[name].isin(known.get(name, []))).to_numpy()
            for name in self.config.features.categorical
        }

    def predict(self, rows: pd.DataFrame) -> Array:
        """The prediction for each of n rows.

        The probability of the positive class (n), of each class (n x classes), or the predicted number (n). A
        class without a training row has probability 0.
        """
        starts = range(0, max(len(rows), 1), BATCH)  # no rows are one batch: the answer has its shape
        return np.concatenate([self._answer(rows.iloc[start : start + BATCH]) for start in starts])

    def _answer(self, rows: pd.DataFrame) -> Array:
        """The predictions of one batch."""
        features = with_parts(rows[list(self.config.features.names)], self.config.features.date)
        asked: Any = self.pipeline
        given: Any = features
        columns = getattr(asked, "named_steps", {}).get("columns")
        if is_of_trees(columns):
            asked, given = asked["estimator"], matrix_of(columns, features)
        if self.config.task == "regression":
            return np.asarray(asked.predict(given) if len(rows) else [], dtype=float)
        probability = np.zeros((len(rows), len(self.config.classes)))
        if len(rows):
            probability[:, self.pipeline.classes_.astype(int)] = asked.predict_proba(given)
        return probability if self.config.task == "multiclass_classification" else probability[:, 1]


def rounded(found: str | None) -> str | None:
    """The category of a number with decimals, to the 15 digits that a float keeps; another as it is."""
    if found is None or "." not in found or not NUMBER.fullmatch(found):
        return found
    return category(f"{float(found):.15g}")


def extract(packed: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive into `folder` by tarfile's filter `data`. Raises tarfile.TarError.

    Python before 3.11.4 has no filters: only files and folders that lie inside are unpacked then.
    """
    if hasattr(tarfile, "data_filter"):
        packed.extractall(folder, filter="data")  # nosec B202
        return
    inside = os.path.join(os.path.realpath(folder), "")
    for entry in packed:
        lies_inside = os.path.join(os.path.realpath(folder / entry.name), "").startswith(inside)
        if not lies_inside or not (entry.isfile() or entry.isdir()):
            raise tarfile.TarError(f"{entry.name!r} would be extracted outside the destination")
        packed.extract(entry, folder, set_attrs=False)


def load_model(archive: Path, folder: Path) -> Model:
    """Unpack the model.tar.gz `archive` into `folder` and load it.

    Raises InconsistentVersionWarning if another version of scikit-learn made it, and OwnCode.
    """
    with tarfile.open(archive, "r:gz") as packed:
        extract(packed, folder)
    if (folder / "code" / "handsoff.json").exists():
        raise OwnCode(
            "own code trained it, and a candidate with a built-in estimator is compared in one image only: "
            "decide by hand, or set training.source_dir again, so that each model is scored in its own image"
        )
    config = read_config(folder / "code" / "model.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        tried = folder / "code" / "search.json"
        found = read_json(tried) if tried.exists() else None
        return Model(joblib.load(folder / "model.joblib"), config, found)
