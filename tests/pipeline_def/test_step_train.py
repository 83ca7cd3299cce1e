"""TrainModel: a pipeline that takes raw columns, and an artifact that needs no code of this project."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

import train
from job import DataProblem, StepConfig, parse_config
from pipeline_def.publish import TRAINING
from reasons import HIDDEN
from tests.pipeline_def.helpers import STEPS

pytestmark = pytest.mark.slow

ESTIMATORS = ["hist_gradient_boosting", "random_forest", "logistic_regression"]
REGRESSORS = ["hist_gradient_boosting", "random_forest", "ridge"]
ALLOWED = {"sklearn", "numpy", "scipy", "pandas", "joblib"} | set(sys.stdlib_module_names)


def config(
    estimator: str,
    numeric: tuple[str, ...] = ("x",),
    categorical: tuple[str, ...] = ("c",),
    boolean: tuple[str, ...] = (),
    classes: tuple[str, ...] = ("0", "1"),
) -> StepConfig:
    """A model of these columns and classes; without classes, regression."""
    return parse_config(model_json(estimator, numeric, categorical, boolean, classes))


def model_json(
    estimator: str,
    numeric: tuple[str, ...] = ("x",),
    categorical: tuple[str, ...] = ("c",),
    boolean: tuple[str, ...] = (),
    classes: tuple[str, ...] = ("0", "1"),
) -> dict[str, Any]:
    """The content of its model.json."""
    task = {0: "regression", 2: "binary_classification"}.get(len(classes), "multiclass_classification")
    return {
        "name": "small",
        "task": task,
        "target": "y",
        "classes": list(classes),
        "features": {"numeric": list(numeric), "categorical": list(categorical), "boolean": list(boolean)},
        "training": {"estimator": estimator},
        "slices": [],
    }


def rows(n: int = 60) -> pd.DataFrame:
    """y follows from x, and nearly from c. Every fifth value is missing."""
    number = np.arange(n)
    y = number % 2
    x = np.where(number % 5 == 0, np.nan, y * 10.0 + number % 3)
    c = [None if item % 5 == 1 else ["zero", "one"][item % 2] for item in range(n)]
    return pd.DataFrame({"x": x, "c": c, "y": y.astype("int8"), "row": number.astype("uint64")})


def write(frame: pd.DataFrame, folder: Path) -> Path:
    folder.mkdir(parents=True)
    frame.to_parquet(folder / "train.parquet")
    return folder


def source(tmp_path: Path, estimator: str) -> Path:
    """A folder with the files of sourcedir.tar.gz."""
    folder = tmp_path / "code"
    folder.mkdir()
    for name in TRAINING:
        (folder / name).write_bytes((STEPS / name).read_bytes())
    (folder / "model.json").write_text(json.dumps(model_json(estimator)))
    return folder


def fitted(estimator: str, folder: Path) -> Any:
    values = config(estimator, classes=() if estimator == "ridge" else ("0", "1"))
    return train.fit(values, *train.read_training_rows(write(rows(), folder), values))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_fit_predicts_values_that_training_did_not_have(estimator: str, tmp_path: Path) -> None:
    pipeline = fitted(estimator, tmp_path / "train")
    new = pd.DataFrame(
        {"x": [0.0, 11.0, np.nan, np.nan], "c": ["zero", "one", "never seen", np.nan]}, dtype=object
    )
    new["x"] = new["x"].astype(float)
    probability = pipeline.predict_proba(new)[:, 1]
    assert probability[0] < 0.5 < probability[1]
    assert np.isfinite(probability).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_fit_same_rows_give_the_same_model(estimator: str, tmp_path: Path) -> None:
    new = rows()[["x", "c"]].fillna({"c": np.nan})
    first = fitted(estimator, tmp_path / "1").predict_proba(new)
    assert np.array_equal(first, fitted(estimator, tmp_path / "2").predict_proba(new))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("numeric", "categorical"), [(("x",), ()), ((), ("c",))])
def test_fit_one_kind_of_feature_is_enough(
    estimator: str, numeric: tuple[str, ...], categorical: tuple[str, ...], tmp_path: Path
) -> None:
    values = config(estimator, numeric, categorical)
    features, target = train.read_training_rows(write(rows(), tmp_path / "train"), values)
    assert train.fit(values, features, target).predict_proba(features).shape == (60, 2)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_fit_takes_very_many_categories(estimator: str, tmp_path: Path) -> None:
    frame = rows(600).assign(c=[f"ticket {number}" for number in range(600)])
    values = config(estimator)
    features, target = train.read_training_rows(write(frame, tmp_path / "train"), values)
    assert np.isfinite(train.fit(values, features, target).predict_proba(features)).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("empty", ["x", "c"])
def test_fit_does_not_use_a_column_without_values(estimator: str, empty: str, tmp_path: Path) -> None:
    values = config(estimator)
    features, target = train.read_training_rows(
        write(rows().assign(**{empty: None}), tmp_path / "train"), values
    )
    pipeline = train.fit(values, features, target)
    later = rows()[["x", "c"]].fillna({"c": np.nan})  # where it has values, nothing follows from them
    assert np.array_equal(
        pipeline.predict_proba(later), pipeline.predict_proba(later.assign(**{empty: np.nan}))
    )


# --- by task ----------------------------------------------------------------------------------------------


def everything(n: int = 240) -> pd.DataFrame:
    """y is 0, 1 or 2 and follows from x or c; b says whether it is 2. Each column has missing values."""
    number = np.arange(n)
    y = number % 3
    return pd.DataFrame(
        {
            "x": np.where(number % 5 == 0, np.nan, y * 10.0 + number % 2),
            "c": [None if item % 7 == 1 else f"c{item % 3}" for item in range(n)],
            "b": np.where(number % 11 == 2, np.nan, (y == 2).astype(float)),
            "y": y.astype("int16"),
        }
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_fit_three_classes(estimator: str, tmp_path: Path) -> None:
    values = config(estimator, boolean=("b",), classes=("Adelie", "Chinstrap", "Gentoo"))
    features, target = train.read_training_rows(write(everything(), tmp_path / "train"), values)
    assert list(features.columns) == ["x", "c", "b"]
    pipeline = train.fit(values, features, target)
    assert pipeline.classes_.tolist() == [0, 1, 2]
    assert (pipeline.predict(features) == target).mean() > 0.95
    unseen = pd.DataFrame({"x": [np.nan], "c": [np.nan], "b": [np.nan]}).astype({"c": object})
    assert pipeline.predict_proba(unseen).sum() == pytest.approx(1.0)
    again = train.fit(values, features, target)
    assert np.array_equal(pipeline.predict_proba(features), again.predict_proba(features))


@pytest.mark.parametrize("estimator", REGRESSORS)
def test_fit_regression(estimator: str, tmp_path: Path) -> None:
    values = config(estimator, boolean=("b",), classes=())
    frame = everything().assign(y=everything()["y"] * 100.0 - 5.0)
    features, target = train.read_training_rows(write(frame, tmp_path / "train"), values)
    pipeline = train.fit(values, features, target)
    predicted = pipeline.predict(features)
    assert np.abs(predicted - target).mean() < 20
    unseen = pd.DataFrame({"x": [np.nan], "c": ["never seen"], "b": [np.nan]}).astype({"c": object})
    assert -105 <= pipeline.predict(unseen)[0] <= 295
    assert np.array_equal(predicted, train.fit(values, features, target).predict(features))


@pytest.mark.parametrize("estimator", REGRESSORS)
def test_fit_constant_target_is_predicted(estimator: str, tmp_path: Path) -> None:
    """Preprocessing refuses such a target; training would not fail."""
    values = config(estimator, classes=())
    features, target = train.read_training_rows(write(rows().assign(y=7.5), tmp_path / "train"), values)
    assert train.fit(values, features, target).predict(features) == pytest.approx(7.5)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("gaps", [False, True])
def test_fit_booleans_alone_are_enough(estimator: str, gaps: bool, tmp_path: Path) -> None:
    values = config(estimator, (), (), ("b",))
    frame = pd.DataFrame({"b": [1.0, 0.0] * 40, "y": [1, 0] * 40})
    if gaps:
        frame.loc[::9, "b"] = np.nan
    features, target = train.read_training_rows(write(frame, tmp_path / "train"), values)
    pipeline = train.fit(values, features, target)
    assert pipeline.predict(pd.DataFrame({"b": [1.0, 0.0]})).tolist() == [1, 0]


@pytest.mark.parametrize(("estimator", "filled"), [("logistic_regression", 1.0), ("random_forest", 1.0)])
def test_fit_missing_boolean_is_the_most_frequent_one(estimator: str, filled: float) -> None:
    features = pd.DataFrame({"b": [1.0, 1.0, 0.0, np.nan]})
    pipeline = train.fit(config(estimator, (), (), ("b",)), features, pd.Series([1, 1, 0, 1]))
    assert pipeline["columns"].transform(features).ravel().tolist() == [1.0, 1.0, 0.0, filled]


def test_fit_boosting_keeps_a_missing_boolean() -> None:
    features = pd.DataFrame({"b": [1.0, 1.0, 0.0, np.nan]})
    pipeline = train.fit(config("hist_gradient_boosting", (), (), ("b",)), features, pd.Series([1, 1, 0, 1]))
    assert np.isnan(pipeline["columns"].transform(features)[3, 0])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_fit_class_without_rows_keeps_the_other_codes(estimator: str, tmp_path: Path) -> None:
    """Preprocessing refuses such data; the codes of the other classes would not change."""
    values = config(estimator, classes=("a", "b", "c"))
    frame = everything().query("y != 1")
    pipeline = train.fit(values, *train.read_training_rows(write(frame, tmp_path / "train"), values))
    assert pipeline.classes_.tolist() == [0, 2]


def test_fit_one_row_of_a_class_does_not_stop_early(tmp_path: Path) -> None:
    """Above 10,000 rows boosting sets a stratified tenth aside. One row cannot be divided."""
    number = np.arange(10_002)
    frame = pd.DataFrame({"x": number * 1.0, "y": (number == 10_001).astype("int16")})
    values = config("hist_gradient_boosting", ("x",), ())
    features, target = train.read_training_rows(write(frame, tmp_path / "train"), values)
    assert train.fit(values, features, target)["estimator"].early_stopping is False


def test_fit_without_any_value_is_an_error() -> None:
    features = pd.DataFrame({"x": [np.nan, np.nan], "c": [np.nan, np.nan]})
    with pytest.raises(DataProblem, match="no feature has a value in any row of train"):
        train.fit(config("logistic_regression"), features, pd.Series([0, 1]))


@pytest.mark.parametrize("estimator", [*ESTIMATORS, "ridge"])
def test_save_artifact_holds_no_class_of_this_project(
    estimator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    unpickler = joblib.numpy_pickle.NumpyUnpickler

    def find_class(self: Any, module: str, name: str) -> Any:
        seen.add(module.split(".")[0])
        return pickle._Unpickler.find_class(self, module, name)

    train.save(fitted(estimator, tmp_path / "train"), tmp_path / "model", source(tmp_path, estimator))
    monkeypatch.setattr(unpickler, "find_class", find_class, raising=False)
    joblib.load(tmp_path / "model" / "model.joblib")
    assert {"sklearn", "numpy"} <= seen <= ALLOWED


def test_script_mode_leaves_the_model_and_its_serving_code(tmp_path: Path) -> None:
    code = source(tmp_path, "logistic_regression")
    channel, model = write(rows(), tmp_path / "channel"), tmp_path / "model"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(code / "train.py")],
        env={**os.environ, "SM_CHANNEL_TRAIN": str(channel), "SM_MODEL_DIR": str(model)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("60 rows, features: x, c\nlogistic_regression fitted in ")
    files = sorted(str(path.relative_to(model)) for path in model.rglob("*") if path.is_file())
    scripts = ["code/cells.py", "code/dates.py", "code/inference.py"]
    assert files == [*scripts, "code/model.json", "code/serving_request.py", "model.joblib"]
    assert json.loads((model / "code" / "model.json").read_text())["columns"] == []


def test_script_mode_failure_writes_its_reason(tmp_path: Path, base_dir: Path) -> None:
    code = source(tmp_path, "guesswork")
    channel = write(rows(), tmp_path / "channel")
    done = subprocess.run(
        [sys.executable, str(code / "train.py")],
        env={**os.environ, "SM_CHANNEL_TRAIN": str(channel), "SM_MODEL_DIR": str(tmp_path / "model")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    reason = (base_dir / "output" / "failure").read_text()
    assert re.fullmatch(r"KeyError in train\.py, line \d+; " + re.escape(HIDDEN), reason)
