"""TrainModel: fits one scikit-learn Pipeline, from raw columns to a prediction, in SageMaker's script mode.

The artifact holds scikit-learn's classes only, so it can be unpickled without this project's code. Its folder
code/ holds how the model is served, which columns it takes, and in which order the landed files had them.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
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

from dates import CYCLES, MEASURES, part, with_parts
from job import (
    COLUMN_ORDER,
    MAX_CATEGORIES,
    WEIGHT,
    DataProblem,
    Json,
    StepConfig,
    read_config,
    read_json,
    write_json,
)
from kept_rows import read_coded
from reasons import reason_written
from search import search, search_notes
from tree_matrix import fitted_matrix

SEED: Final = 0
"""The seed of every estimator: the same rows give the same model."""

FOREST: Final = {"n_estimators": 300, "min_samples_leaf": 3, "n_jobs": -1, "random_state": SEED}
"""The settings of both random forests."""

SERVING: Final = ("cells.py", "dates.py", "inference.py", "serving_request.py")
"""The scripts that serve a model. They are beside this one, and go into the artifact."""

CLASSIFIERS: Final[Mapping[str, BaseEstimator]] = {
    "hist_gradient_boosting": HistGradientBoostingClassifier(random_state=SEED),
    "random_forest": RandomForestClassifier(**FOREST),
    "logistic_regression": LogisticRegression(max_iter=1000, random_state=SEED),
}
"""The classifiers with their defaults, by the name in the config. They are cloned, never fitted."""

REGRESSORS: Final[Mapping[str, BaseEstimator]] = {
    "hist_gradient_boosting": HistGradientBoostingRegressor(random_state=SEED),
    "random_forest": RandomForestRegressor(**FOREST),
    "ridge": Ridge(random_state=SEED),
}
"""The same of regressors."""

LINEAR: Final = ("logistic_regression", "ridge")
"""Estimators that need numeric columns on one scale."""


def build(config: StepConfig, present: Collection[str]) -> Pipeline:
    """The unfitted pipeline. It handles missing values and unknown categories itself.

    It takes all features and uses those in `present`. Raises DataProblem if there are none, and KeyError for
    an estimator that does not fit the task.
    """
    columns = {
        kind: [name for name in names if name in present] for kind, names in config.features.by_kind.items()
    }
    if not any(columns.values()):
        raise DataProblem("no feature has a value in any row of train")
    name, estimator = config.estimator, estimator_of(config)
    if name == "hist_gradient_boosting":
        bins = estimator.get_params()["max_bins"]
        prepare = _as_they_are(min(MAX_CATEGORIES, bins - 1))
        first = len(columns["numeric"])
        estimator.set_params(categorical_features=list(range(first, first + len(columns["categorical"]))))
    else:
        prepare = _filled(scaled=name in LINEAR)
    dates = columns.pop("date")
    columns["date"] = [*dates, *(part(kind, date) for date in dates for kind in MEASURES)]
    columns["cycle"] = [part(kind, date) for date in dates for kind in CYCLES]
    used = [(kind, prepare[kind], names) for kind, names in columns.items() if names]
    return Pipeline([("columns", ColumnTransformer(used)), ("estimator", estimator)])


def estimator_of(config: StepConfig) -> BaseEstimator:
    """The unfitted estimator with the config's hyperparameters and weights of classes.

    A weight belongs to the index of its class, which is what the estimator is fitted to.
    """
    estimator = clone((REGRESSORS if config.task == "regression" else CLASSIFIERS)[config.estimator])
    estimator.set_params(**config.hyperparameters)
    weights = config.class_weight
    if isinstance(weights, Mapping):
        indexes = {config.classes.index(name): weight for name, weight in weights.items()}
        estimator.set_params(class_weight=indexes)
    elif weights:
        estimator.set_params(class_weight=weights)
    return estimator


def _as_they_are(max_categories: int) -> dict[str, BaseEstimator | str]:
    """By kind of column, for trees that take missing values. An unknown category counts as missing."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=max_categories,
    )
    numbers = dict.fromkeys(("numeric", "boolean", "date", "cycle"), "passthrough")
    return {**numbers, "categorical": encoder}


def _filled(*, scaled: bool) -> dict[str, BaseEstimator | str]:
    """By kind of column, for estimators that take no missing values.

    A missing category is a category of its own. An unknown one counts as rare, or as none.
    """
    median = SimpleImputer(strategy="median")
    numbers = make_pipeline(median, StandardScaler()) if scaled else median
    return {
        "numeric": numbers,
        "date": numbers,
        "cycle": OneHotEncoder(handle_unknown="ignore"),
        "categorical": OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MAX_CATEGORIES),
        "boolean": SimpleImputer(strategy="most_frequent"),
    }


def read_weights(folder: Path, config: StepConfig) -> pd.Series | None:
    """The weights of the rows in `folder`, in their order; None if the config names none."""
    return None if config.data.weight is None else pd.read_parquet(folder, columns=[WEIGHT])[WEIGHT]


def read_training_rows(folder: Path, config: StepConfig) -> tuple[pd.DataFrame, pd.Series]:
    """Features and target of the rows in `folder`. A missing value is NaN, or no category."""
    frame = read_coded(folder, config, [*config.features.names, config.target])
    target = frame.pop(config.target)
    return frame, target


def fit(
    config: StepConfig, features: pd.DataFrame, target: pd.Series, weights: pd.Series | None = None
) -> Pipeline:
    """The fitted pipeline; the same rows give the same one. It does not use a column without any value.

    Raises DataProblem if no column has a value.
    """
    if left_out := [str(name) for name in features if not features[name].notna().any()]:
        print(f"not used, because no row has a value: {', '.join(left_out)}", flush=True)
    return fitted(config, features, target, weights)


def fitted(
    config: StepConfig, features: pd.DataFrame, target: pd.Series, weights: pd.Series | None
) -> Pipeline:
    """The same without a word in the log."""
    check_target(config, target)
    present = [str(name) for name in features if features[name].notna().any()]
    rows = with_parts(features, config.features.date)
    pipeline = build(config, present)
    if isinstance(pipeline["estimator"], HistGradientBoostingClassifier) and target.value_counts().min() < 2:
        # Above 10,000 rows it stops early by a stratified tenth of them. One row cannot be divided.
        pipeline.set_params(estimator__early_stopping=False)
    if config.estimator == "hist_gradient_boosting":
        pipeline["estimator"].fit(fitted_matrix(pipeline["columns"], rows), target, sample_weight=weights)
    else:
        pipeline.fit(rows, target, **({} if weights is None else {"estimator__sample_weight": weights}))
    if isinstance(forest := pipeline["estimator"], RandomForestClassifier | RandomForestRegressor):
        forest.n_jobs = 1  # threads add up votes in any order, which varies the last digit of a prediction
    return pipeline


def check_target(config: StepConfig, target: pd.Series) -> None:
    """Raises DataProblem if the estimator's loss is not defined for a value of the target."""
    loss = config.hyperparameters.get("loss", config.hyperparameters.get("criterion"))
    if loss == "gamma" and target.min() <= 0:
        raise DataProblem(f"gamma needs a {config.target} above 0 in each row of train: choose another loss")
    if loss == "poisson" and (target.min() < 0 or target.sum() <= 0):
        raise DataProblem(
            f"poisson needs a {config.target} from 0 in each row of train, and above 0 in one: choose "
            "another loss or criterion"
        )


def searched(config: StepConfig, channel: Path, features: pd.DataFrame, target: pd.Series) -> Json | None:
    """What a search for hyperparameters tried and chose; None if the config asks for none."""
    if config.search is None:
        return None
    column, weights = config.cluster_column, read_weights(channel, config)
    clusters = pd.read_parquet(channel, columns=[column])[column].to_numpy()
    return search(config, config.search, features, target, weights, clusters, fitted)


def save(
    pipeline: Pipeline,
    model_dir: Path,
    source_dir: Path,
    columns: Sequence[str] = (),
    tried: Json | None = None,
) -> None:
    """Write model.joblib, and to code/ how the model is served and which columns it takes.

    `columns` are those of the landed training files, in their order. They are added to model.json. `tried`
    becomes search.json.
    """
    code = model_dir / "code"
    code.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, model_dir / "model.joblib", compress=3)
    for name in SERVING:
        shutil.copyfile(Path(__file__).with_name(name), code / name)
    write_json({**read_json(source_dir / "model.json"), "columns": list(columns)}, code / "model.json")
    if tried is not None:
        write_json(tried, code / "search.json")


def landed_columns(channel: Path) -> list[str]:
    """The columns of the landed training files in their order; none if the files differ."""
    order = channel / COLUMN_ORDER
    found: list[str] = read_json(order) if order.exists() else []
    return found


def main(environment: Mapping[str, str], source_dir: Path) -> None:
    """Run the step. `environment` has SageMaker's SM_CHANNEL_TRAIN and SM_MODEL_DIR, which are folders."""
    config = read_config(source_dir / "model.json")
    channel = Path(environment["SM_CHANNEL_TRAIN"])
    features, target = read_training_rows(channel, config)
    print(f"{len(features)} rows, features: {', '.join(features.columns)}", flush=True)
    tried = searched(config, channel, features, target)
    if tried is not None:
        config = replace(config, hyperparameters=tried["hyperparameters"])
        print(search_notes(tried)[0], flush=True)
    started = time.perf_counter()
    pipeline = fit(config, features, target, read_weights(channel, config))
    seconds = time.perf_counter() - started
    print(f"{config.estimator} fitted in {seconds:.2f} s", flush=True)
    save(pipeline, Path(environment["SM_MODEL_DIR"]), source_dir, landed_columns(channel), tried)


if __name__ == "__main__":
    folder = Path(__file__).resolve().parent
    with reason_written("failure", folder / "model.json"):
        main(os.environ, folder)
    sys.exit(0)
