"""TrainModel: one scikit-learn Pipeline from raw columns to a probability, in SageMaker's script mode.

The artifact holds classes of scikit-learn only, so whoever unpickles it needs none of our code; how to serve
it and which columns it takes lie beside it in code/.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

SEED: Final = 0
MOST_CATEGORIES: Final = 254  # HistGradientBoosting bins at most 255; the rarest share one category


def build(config: Mapping[str, Any], present: Collection[str]) -> Pipeline:
    """The unfitted pipeline: missing values and categories never seen are handled in it, not before it.

    It takes all features and looks at those in `present`. Raises ValueError if there are none.
    """
    numeric = [name for name in config["features"]["numeric"] if name in present]
    categorical = [name for name in config["features"]["categorical"] if name in present]
    if not numeric and not categorical:
        raise ValueError("no feature has a value in any row")
    prepare, estimator = ESTIMATORS[config["training"]["estimator"]](len(numeric), len(categorical))
    columns = [("numeric", prepare["numeric"], numeric), ("categorical", prepare["categorical"], categorical)]
    used = [column for column in columns if column[2]]
    return Pipeline([("columns", ColumnTransformer(used)), ("estimator", estimator)])


def _boosting(numeric: int, categorical: int) -> tuple[dict[str, Any], Any]:
    """Trees that take missing values and categories as they are: an unknown category counts as missing."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=MOST_CATEGORIES,
    )
    estimator = HistGradientBoostingClassifier(
        categorical_features=list(range(numeric, numeric + categorical)), random_state=SEED
    )
    return {"numeric": "passthrough", "categorical": encoder}, estimator


def _forest(numeric: int, categorical: int) -> tuple[dict[str, Any], Any]:  # noqa: ARG001
    estimator = RandomForestClassifier(n_estimators=300, min_samples_leaf=3, n_jobs=-1, random_state=SEED)
    return {"numeric": _imputer(), "categorical": _one_hot()}, estimator


def _logistic(numeric: int, categorical: int) -> tuple[dict[str, Any], Any]:  # noqa: ARG001
    scaled = make_pipeline(_imputer(), StandardScaler())
    estimator = LogisticRegression(max_iter=1000, random_state=SEED)
    return {"numeric": scaled, "categorical": _one_hot()}, estimator


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median")


def _one_hot() -> OneHotEncoder:
    """A missing value is a category of its own; one never seen counts among the rare ones, or as none."""
    return OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES)


ESTIMATORS: Final = {
    "hist_gradient_boosting": _boosting,
    "random_forest": _forest,
    "logistic_regression": _logistic,
}


def read_rows(folder: Path, config: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.Series]:
    """Features and target of the Parquet files in `folder`; what is missing is NaN in every column."""
    features = [*config["features"]["numeric"], *config["features"]["categorical"]]
    frame = pd.read_parquet(folder, columns=[*features, config["target"]])
    for name in config["features"]["categorical"]:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), np.nan)
    return frame[features], frame[config["target"]]


def fit(config: Mapping[str, Any], features: pd.DataFrame, target: pd.Series) -> Pipeline:
    """A fitted pipeline; the same rows give the same one. Columns without any value are left out."""
    present = [str(name) for name in features if features[name].notna().any()]
    if left_out := [str(name) for name in features if name not in present]:
        print(f"left out, without any value: {', '.join(left_out)}", flush=True)
    pipeline = build(config, present).fit(features, target)
    if isinstance(forest := pipeline["estimator"], RandomForestClassifier):
        forest.n_jobs = 1  # threads would add up votes in any order: the last digit would vary
    return pipeline


def save(pipeline: Pipeline, model_dir: Path, source_dir: Path) -> None:
    """model.joblib, and in code/ how it is served and which columns it takes."""
    code = model_dir / "code"
    code.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, model_dir / "model.joblib", compress=3)
    for name in ("inference.py", "model.json"):
        shutil.copyfile(source_dir / name, code / name)


def main(environment: Mapping[str, str], source_dir: Path) -> None:
    config = json.loads((source_dir / "model.json").read_text(encoding="utf-8"))
    features, target = read_rows(Path(environment["SM_CHANNEL_TRAIN"]), config)
    print(f"{len(features)} rows, features: {', '.join(features.columns)}", flush=True)
    started = time.perf_counter()
    pipeline = fit(config, features, target)
    seconds = time.perf_counter() - started
    print(f"{config['training']['estimator']} fitted in {seconds:.2f} s", flush=True)
    save(pipeline, Path(environment["SM_MODEL_DIR"]), source_dir)


def write_failure(text: str, base: Path) -> None:
    """SageMaker shows the first kilobyte of this file as the job's FailureReason.

    The image's training toolkit (sagemaker-training 4.8.0) writes one that names no cause, but only where
    the script has written none.
    """
    with suppress(OSError):  # the log has the traceback
        (base / "output").mkdir(parents=True, exist_ok=True)
        (base / "output" / "failure").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main(os.environ, Path(__file__).resolve().parent)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:1000]
        write_failure(reason, Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")))
        raise
    sys.exit(0)
