"""The table of hyperparameters agrees with scikit-learn, and training sets them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options, RealNotInt

import train
from job import DataProblem, StepConfig, parse_config
from pipeline_def.publish import step_config
from retraining.config import estimators
from retraining.config.estimators import Flag, Form, Null, Number, Whole, Words
from tests.functions.config.configs import VALID

OTHER_FORMS: dict[tuple[str, str], set[Form | str]] = {
    ("hist_gradient_boosting", "interaction_cst"): {"<class 'list'>", "<class 'tuple'>"},
    ("hist_gradient_boosting", "loss"): {"<class 'sklearn._loss.loss.BaseLoss'>"},
    ("logistic_regression", "l1_ratio"): {Null()},  # deprecated: it raises from scikit-learn 1.10 on
    ("ridge", "alpha"): {"array-like"},
}
"""Forms of a value that scikit-learn takes and a config does not."""

NOT_OFFERED = {
    ("hist_gradient_boosting", "loss"),  # of classification there is but one
    ("ridge", "solver"),  # which ones work depends on whether the encoded columns are sparse
}
"""Hyperparameters that are taken for another task or estimator only."""


def form(constraint: object) -> Form | str:
    """A constraint of scikit-learn as the table has it; its text if the table has no such form."""
    if isinstance(constraint, Interval):
        if constraint.type is Integral:
            assert constraint.closed in ("left", "both")
            return Whole(constraint.left, constraint.right)
        high = float("inf") if constraint.right is None else constraint.right
        assert constraint.type in (Real, RealNotInt)
        return Number(constraint.left, high, constraint.closed, constraint.type is RealNotInt)
    if isinstance(constraint, Options):
        return Words(tuple(sorted(constraint.options)))
    return {"boolean": Flag(), None: Null()}.get(constraint, str(constraint))  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    ("table", "made"),
    [(estimators.CLASSIFIERS, train.CLASSIFIERS), (estimators.REGRESSORS, train.REGRESSORS)],
)
def test_table_has_scikit_learns_constraints(
    table: dict[str, dict[str, tuple[Form, ...]]], made: dict[str, BaseEstimator]
) -> None:
    assert table.keys() == made.keys()
    for name, estimator in made.items():
        known = estimator._parameter_constraints
        left_out = known.keys() - table[name].keys()
        assert {one for one in left_out if (name, one) not in NOT_OFFERED} <= estimators.NOT_TAKEN.keys()
        for parameter, forms in table[name].items():
            theirs = {form(one) for one in known[parameter] if "Hidden" not in type(one).__name__}
            assert theirs - OTHER_FORMS.get((name, parameter), set()) == {*forms}, parameter


def config(training: dict[str, Any], **changes: Any) -> StepConfig:
    """The Titanic's step config with this `training`."""
    model = {**VALID["models"]["titanic"], "classes": ["0", "1"], "data": {}, "training": training, **changes}
    return parse_config(step_config(model, "titanic"))


def test_step_config_has_hyperparameters_only_if_they_are_given() -> None:
    model = {**VALID["models"]["titanic"], "classes": ["0", "1"], "data": {}}
    given: dict[str, Any] = {
        "estimator": "ridge",
        "instance_type": "ml.m5.large",
        "hyperparameters": {},
        "class_weight": None,
    }
    assert step_config({**model, "training": given}, "m")["training"] == {"estimator": "ridge"}
    given |= {"hyperparameters": {"alpha": 2.0}, "class_weight": "balanced"}
    assert step_config({**model, "training": given}, "m")["training"] == {
        "estimator": "ridge",
        "hyperparameters": {"alpha": 2.0},
        "class_weight": "balanced",
    }


def test_estimator_has_the_configs_hyperparameters_and_else_its_defaults() -> None:
    asked = {"n_estimators": 7, "max_depth": None, "max_features": 0.5}
    found = train.estimator_of(config({"estimator": "random_forest", "hyperparameters": asked})).get_params()
    assert {name: found[name] for name in (*asked, "min_samples_leaf", "random_state", "n_jobs")} == {
        "n_estimators": 7,
        "max_depth": None,
        "max_features": 0.5,
        "min_samples_leaf": 3,
        "random_state": 0,
        "n_jobs": -1,
    }
    assert train.estimator_of(config({"estimator": "random_forest"})).n_estimators == 300


@pytest.mark.parametrize("estimator", sorted(train.CLASSIFIERS))
def test_class_weight_is_by_the_index_of_the_class(estimator: str) -> None:
    weights = {"yes": 5.0}
    asked = config({"estimator": estimator, "class_weight": weights}, classes=["no", "yes"])
    assert train.estimator_of(asked).class_weight == {1: 5.0}
    asked = config({"estimator": estimator, "class_weight": "balanced"}, classes=["no", "yes"])
    assert train.estimator_of(asked).class_weight == "balanced"


@pytest.mark.parametrize("estimator", sorted(train.CLASSIFIERS))
@pytest.mark.slow
def test_weight_of_a_rare_class_raises_its_probability(estimator: str) -> None:
    features = pd.DataFrame({"x": np.arange(200) % 7.0})
    target = pd.Series((np.arange(200) % 10 == 0).astype("int16"))
    columns = {"features": {"numeric": ["x"]}, "approval": {}}
    mean = [
        train.fit(config({"estimator": estimator, **extra}, **columns), features, target)
        .predict_proba(features)[:, 1]
        .mean()
        for extra in ({}, {"class_weight": {"1": 9}}, {"class_weight": "balanced"})
    ]
    assert mean[0] == pytest.approx(0.1, abs=0.03)
    assert mean[1] == pytest.approx(0.5, abs=0.1)
    assert mean[2] == pytest.approx(0.5, abs=0.1)


def test_few_bins_leave_as_many_categories() -> None:
    """HistGradientBoosting refuses a categorical column with more categories than bins."""
    features = pd.DataFrame({"c": [f"c{number % 30}" for number in range(300)]}, dtype=object)
    target = pd.Series((np.arange(300) % 30 < 15).astype("int16"))
    asked = config(
        {"estimator": "hist_gradient_boosting", "hyperparameters": {"max_bins": 8}},
        features={"categorical": ["c"]},
        approval={},
    )
    assert len(train.fit(asked, features, target).predict(features)) == 300


@pytest.mark.parametrize(
    ("estimator", "hyperparameters", "least", "said"),
    [
        ("hist_gradient_boosting", {"loss": "gamma"}, 0.0, "gamma needs a fare above 0 in each row of train"),
        ("hist_gradient_boosting", {"loss": "poisson"}, -1.0, "poisson needs a fare from 0 in each row"),
        ("random_forest", {"criterion": "poisson"}, -1.0, "poisson needs a fare from 0 in each row"),
    ],
)
def test_loss_that_the_target_does_not_allow_is_told(
    estimator: str, hyperparameters: dict[str, Any], least: float, said: str
) -> None:
    columns = {"task": "regression", "target": "fare", "classes": [], "features": {"numeric": ["x"]}}
    asked = config({"estimator": estimator, "hyperparameters": hyperparameters}, **columns, approval={})
    features = pd.DataFrame({"x": np.arange(60.0)})
    with pytest.raises(DataProblem, match=said):
        train.fit(asked, features, pd.Series(np.arange(60.0) + least))
    assert len(train.fit(asked, features, pd.Series(np.arange(60.0) + 1)).predict(features)) == 60


@pytest.mark.parametrize("estimator", ["hist_gradient_boosting", "random_forest"])
def test_poisson_of_a_target_that_is_zero_in_each_row_is_told(estimator: str) -> None:
    key = "loss" if estimator == "hist_gradient_boosting" else "criterion"
    columns = {"task": "regression", "target": "fare", "classes": [], "features": {"numeric": ["x"]}}
    asked = config({"estimator": estimator, "hyperparameters": {key: "poisson"}}, **columns, approval={})
    with pytest.raises(DataProblem, match="poisson needs a fare from 0 in each row of train, and above 0"):
        train.fit(asked, pd.DataFrame({"x": np.arange(60.0)}), pd.Series(np.zeros(60)))
