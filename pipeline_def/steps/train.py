"""TrainModel: one scikit-learn Pipeline from raw columns to a prediction, in SageMaker's script mode.

The artifact holds classes of scikit-learn only, so whoever unpickles it needs none of our code; how to serve
it and which columns it takes lie beside it in code/.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

SEED: Final = 0
MOST_CATEGORIES: Final = 254  # HistGradientBoosting bins at most 255; the rarest share one category
KINDS: Final = ("numeric", "categorical", "boolean")

FOREST: Final = {"n_estimators": 300, "min_samples_leaf": 3, "n_jobs": -1, "random_state": SEED}
CLASSIFIERS: Final[Mapping[str, Callable[[], Any]]] = {
    "hist_gradient_boosting": lambda: HistGradientBoostingClassifier(random_state=SEED),
    "random_forest": lambda: RandomForestClassifier(**FOREST),
    "logistic_regression": lambda: LogisticRegression(max_iter=1000, random_state=SEED),
}
REGRESSORS: Final[Mapping[str, Callable[[], Any]]] = {
    "hist_gradient_boosting": lambda: HistGradientBoostingRegressor(random_state=SEED),
    "random_forest": lambda: RandomForestRegressor(**FOREST),
    "ridge": lambda: Ridge(random_state=SEED),
}
LINEAR: Final = ("logistic_regression", "ridge")


def build(config: Mapping[str, Any], present: Collection[str]) -> Pipeline:
    """The unfitted pipeline: missing values and categories never seen are handled in it, not before it.

    It takes all features and looks at those in `present`. Raises ValueError if there are none.
    """
    columns = {kind: [name for name in config["features"][kind] if name in present] for kind in KINDS}
    if not any(columns.values()):
        raise ValueError("no feature has a value in any row")
    name = config["training"]["estimator"]
    estimator = (REGRESSORS if config["task"] == "regression" else CLASSIFIERS)[name]()
    if name == "hist_gradient_boosting":
        prepare = _as_they_are()
        first = len(columns["numeric"])
        estimator.set_params(categorical_features=list(range(first, first + len(columns["categorical"]))))
    else:
        prepare = _filled(scaled=name in LINEAR)
    used = [(kind, prepare[kind], names) for kind, names in columns.items() if names]
    return Pipeline([("columns", ColumnTransformer(used)), ("estimator", estimator)])


def _as_they_are() -> dict[str, Any]:
    """For trees that take missing values and categories: an unknown category counts as missing."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=MOST_CATEGORIES,
    )
    return {"numeric": "passthrough", "categorical": encoder, "boolean": "passthrough"}


def _filled(*, scaled: bool) -> dict[str, Any]:
    """Without gaps: a missing category is one of its own; one never seen counts as rare, or as none."""
    median = SimpleImputer(strategy="median")
    return {
        "numeric": make_pipeline(median, StandardScaler()) if scaled else median,
        "categorical": OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES),
        "boolean": SimpleImputer(strategy="most_frequent"),
    }


def read_rows(folder: Path, config: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.Series]:
    """Features and target of the Parquet files in `folder`; what is missing is NaN in every column."""
    features = [name for kind in KINDS for name in config["features"][kind]]
    frame = pd.read_parquet(folder, columns=[*features, config["target"]])
    for name in config["features"]["categorical"]:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), np.nan)
    return frame[features], frame[config["target"]]


def fit(config: Mapping[str, Any], features: pd.DataFrame, target: pd.Series) -> Pipeline:
    """A fitted pipeline; the same rows give the same one. Columns without any value are left out."""
    present = [str(name) for name in features if features[name].notna().any()]
    if left_out := [str(name) for name in features if name not in present]:
        print(f"left out, without any value: {', '.join(left_out)}", flush=True)
    pipeline = build(config, present)
    if isinstance(pipeline["estimator"], HistGradientBoostingClassifier) and target.value_counts().min() < 2:
        # of many rows it would keep a stratified tenth to know when to stop: one row cannot be divided
        pipeline.set_params(estimator__early_stopping=False)
    pipeline.fit(features, target)
    if isinstance(forest := pipeline["estimator"], RandomForestClassifier | RandomForestRegressor):
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
