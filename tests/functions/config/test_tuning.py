"""`training.hyperparameters` and `class_weight`: what a config may say, and what a wrong one is told."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_def.publish import step_config
from retraining.config.schema import dump_model, parse_config, parse_model
from retraining.errors import ConfigError
from tests.functions.config.configs import PENGUINS, changed

FARES: dict[str, Any] = {"task": "regression", "target": "fare", "features": {"numeric": ["age"]}}


def problem(training: dict[str, Any], model: dict[str, Any] | None = None) -> str:
    """What the config with this `training` is told; the Titanic's unless another model is given."""
    values = {"models": {"m": {**model, "training": training}}} if model else None
    with pytest.raises(ConfigError) as error:
        parse_config(values or changed("models.titanic.training", training), source="f")
    return str(error.value).removeprefix("f is not valid:\n  ")


@pytest.mark.parametrize(
    ("estimator", "hyperparameters"),
    [
        ("hist_gradient_boosting", {"max_depth": 4, "learning_rate": 0.05, "early_stopping": "auto"}),
        ("hist_gradient_boosting", {"max_depth": None, "max_features": 1.0, "early_stopping": False}),
        ("random_forest", {"min_samples_leaf": 0.01, "max_features": "sqrt", "bootstrap": True}),
        ("logistic_regression", {"C": 1, "solver": "saga", "l1_ratio": 0.5}),
    ],
)
def test_hyperparameters_are_kept_as_they_are_written(
    estimator: str, hyperparameters: dict[str, Any]
) -> None:
    training = {"estimator": estimator, "hyperparameters": hyperparameters}
    model = parse_config(changed("models.titanic.training", training), source="f").models["titanic"]
    again = parse_model(dump_model(model), source="SSM").training.hyperparameters
    assert again == hyperparameters
    assert [type(value) for value in again.values()] == [type(value) for value in hyperparameters.values()]


@pytest.mark.parametrize(
    ("estimator", "hyperparameters", "said"),
    [
        (
            "hist_gradient_boosting",
            {"max_depht": 4},
            "max_depht: hist_gradient_boosting has no such hyperparameter: did you mean max_depth?",
        ),
        (
            "hist_gradient_boosting",
            {"n_estimators": 100},
            "n_estimators: hist_gradient_boosting has no such hyperparameter: did you mean max_iter?",
        ),
        (
            "logistic_regression",
            {"zzz": 4},
            "zzz: logistic_regression has no such hyperparameter: choose among C, fit_intercept, l1_ratio, "
            "max_iter, solver, tol",
        ),
        (
            "random_forest",
            {"random_state": 1},
            "random_state: handsoff does not take it: it is always 0, so that the same rows give the same "
            "model",
        ),
        (
            "hist_gradient_boosting",
            {"max_depth": 0},
            "max_depth: expected a whole number of at least 1 or null, not 0",
        ),
        (
            "hist_gradient_boosting",
            {"max_depth": 4.0},
            "max_depth: expected a whole number of at least 1 or null, not 4.0",
        ),
        (
            "hist_gradient_boosting",
            {"max_depth": True},
            "max_depth: expected a whole number of at least 1 or null, not true",
        ),
        (
            "hist_gradient_boosting",
            {"max_bins": 256},
            "max_bins: expected a whole number from 2 to 255, not 256",
        ),
        (
            "hist_gradient_boosting",
            {"learning_rate": float("inf")},
            "learning_rate: expected a number above 0, not .inf",
        ),
        (
            "hist_gradient_boosting",
            {"early_stopping": "always"},
            "early_stopping: expected auto or true, false, not 'always'",
        ),
        (
            "random_forest",
            {"min_samples_leaf": 1.0},
            "min_samples_leaf: expected a whole number of at least 1 or a number with a decimal point above "
            "0 below 1, not 1.0",
        ),
        ("logistic_regression", {"C": 0}, "C: expected a number above 0, not 0"),
        (
            "logistic_regression",
            {"c": 1.0},
            "c: logistic_regression has no such hyperparameter: did you mean C?",
        ),
        (
            "hist_gradient_boosting",
            {"max_depth": "deep " * 20},
            f"max_depth: expected a whole number of at least 1 or null, not '{'deep ' * 15}dee…",
        ),
    ],
)
def test_wrong_hyperparameter_is_named_with_what_was_expected(
    estimator: str, hyperparameters: dict[str, Any], said: str
) -> None:
    found = problem({"estimator": estimator, "hyperparameters": hyperparameters})
    assert found == f"models.titanic.training.hyperparameters.{said}"


def test_value_that_is_no_scalar_is_refused_at_its_key() -> None:
    assert problem({"hyperparameters": {"max_depth": [1, 2]}}) == (
        "models.titanic.training.hyperparameters.max_depth: expected a number, text, true, false or null, "
        "not [1, 2]"
    )


@pytest.mark.parametrize(
    ("training", "model", "said"),
    [
        (
            {"estimator": "random_forest", "hyperparameters": {"bootstrap": False, "max_samples": 0.5}},
            FARES,
            "max_samples needs bootstrap: true, as it says how many rows each tree draws",
        ),
        (
            {"hyperparameters": {"loss": "quantile"}},
            FARES,
            "loss: quantile needs quantile, the quantile that is predicted, such as 0.9",
        ),
        ({"hyperparameters": {"quantile": 0.9}}, FARES, "quantile has no effect without loss: quantile"),
        (
            {"estimator": "logistic_regression", "hyperparameters": {"l1_ratio": 1}},
            PENGUINS,
            "solver: lbfgs takes an l1_ratio of 0 only: choose saga",
        ),
        (
            {"estimator": "logistic_regression", "hyperparameters": {"solver": "liblinear"}},
            PENGUINS,
            "solver: liblinear takes two classes only: choose another solver",
        ),
    ],
)
def test_hyperparameters_that_exclude_each_other_are_refused(
    training: dict[str, Any], model: dict[str, Any], said: str
) -> None:
    assert problem(training, model) == f"models.m.training.hyperparameters: {said}"


def test_loss_is_a_hyperparameter_of_regression_only() -> None:
    model = parse_config(
        {"models": {"m": {**FARES, "training": {"hyperparameters": {"loss": "poisson"}}}}}, source="f"
    )
    assert model.models["m"].training.hyperparameters == {"loss": "poisson"}
    assert "has no such hyperparameter" in problem({"hyperparameters": {"loss": "poisson"}})


@pytest.mark.parametrize(
    ("given", "kept"),
    [("balanced", "balanced"), ({0: 1, "1": 5.5}, {"0": 1.0, "1": 5.5}), ({1: 2}, {"1": 2.0})],
)
def test_class_weight_is_balanced_or_by_class(given: Any, kept: Any) -> None:
    model = parse_config(changed("models.titanic.training", {"class_weight": given}), source="f")
    assert model.models["titanic"].training.class_weight == kept
    assert parse_model(dump_model(model.models["titanic"]), source="SSM") == model.models["titanic"]


@pytest.mark.parametrize(
    "given", ["balancd", {"1": 0}, {"1": -1}, {"1": True}, {"1": "5"}, {"1": float("nan")}, 3]
)
def test_class_weight_of_another_form_is_refused(given: Any) -> None:
    found = problem({"class_weight": given})
    assert found.startswith(
        "models.titanic.training.class_weight: expected balanced, or a mapping of classes to numbers above "
        '0, such as {"no": 1, "yes": 5}, not '
    )
    assert "\n" not in found


@pytest.mark.parametrize(
    ("given", "model", "said"),
    [
        (
            {True: 5},
            PENGUINS,
            "true is no class: name some of Adelie, Chinstrap, Gentoo; YAML reads yes and no without quotes "
            "as true and false",
        ),
        ({}, PENGUINS, "it names no class: name at least one, or remove it"),
        ("balanced", FARES, "regression has no classes: remove it"),
    ],
)
def test_class_weight_must_name_classes(given: Any, model: dict[str, Any], said: str) -> None:
    assert problem({"class_weight": given}, model) == f"models.m.training.class_weight: {said}"


def test_config_without_these_keys_is_stored_as_before() -> None:
    model = parse_config(changed("models.titanic.training", {"estimator": "random_forest"}), source="f")
    assert '"training":{"estimator":"random_forest"}' in dump_model(model.models["titanic"])


def test_search_has_lists_and_ranges_and_defaults() -> None:
    parameters = {"max_depth": [3, None], "learning_rate": {"low": 0.01, "high": 0.3, "log": True}}
    training = {"search": {"parameters": parameters}}
    model = parse_config(changed("models.titanic.training", training), source="f").models["titanic"]
    found = model.training.search
    assert found is not None
    assert (found.metric, found.candidates, found.folds, found.max_time.total_seconds()) == (
        None,
        30,
        5,
        1800,
    )
    assert found.parameters["max_depth"] == (3, None)
    assert parse_model(dump_model(model), source="SSM") == model
    written = step_config(model.model_dump(mode="json", exclude_none=True), "titanic")["training"]["search"]
    assert written == {
        "parameters": {
            "max_depth": [3, None],
            "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
        },
        "candidates": 30,
        "folds": 5,
        "max_time": "1800s",
    }


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"parameters": {}}, ".parameters: expected at least 1 entry, not {}"),
        (
            {"parameters": {"max_depht": [3]}},
            ".parameters.max_depht: hist_gradient_boosting has no such hyperparameter: did you mean "
            "max_depth?",
        ),
        (
            {"parameters": {"max_depth": [3, 0]}},
            ".parameters.max_depth: expected a whole number of at least 1 or null, not 0",
        ),
        (
            {"parameters": {"max_depth": 3}},
            ".parameters.max_depth: expected a list of values such as [15, 31, 63], or a range such as {low: "
            "0.01, high: 0.3}, not 3",
        ),
        (
            {"parameters": {"learning_rate": {"low": 1, "high": 2}}},
            ".parameters.learning_rate: between 1 and 2 only whole numbers are drawn: write 1.0 and 2.0",
        ),
        (
            {"parameters": {"max_depth": [3]}, "metric": "rmse"},
            ".metric: rmse is no metric to search by in binary_classification: choose one of accuracy, "
            "balanced_accuracy, precision, recall, f1, roc_auc, average_precision, log_loss, brier",
        ),
        (
            {"parameters": {"max_depth": [3]}, "max_time": "4h"},
            ".max_time: the search would take the whole max_runtime: leave time for the last fit",
        ),
        (
            {"parameters": {"tol": [0.1]}, "max_time": "1s"},
            ".max_time: expected a duration from 10s to 24h, not '1s'",
        ),
        ({"parameters": {"max_depth": [3]}, "folds": 1}, ".folds: expected a number of at least 2, not 1"),
    ],
)
def test_wrong_search_is_named_with_what_was_expected(search: dict[str, Any], said: str) -> None:
    assert problem({"search": search}) == f"models.titanic.training.search{said}"


@pytest.mark.parametrize(
    ("between", "said"),
    [
        ({"low": 5, "high": 5}, "high: high must be above low, which is 5"),
        ({"low": 0, "high": 5, "log": True}, "log: log needs a low above 0, not 0"),
        ({"low": "a", "high": 5}, "low: expected a finite number, not 'a'"),
    ],
)
def test_range_that_has_nothing_between_its_ends_is_refused(between: dict[str, Any], said: str) -> None:
    found = problem({"search": {"parameters": {"max_depth": between}}})
    assert said in found


def test_search_and_class_weight_are_for_built_in_estimators() -> None:
    own = {"source_dir": "src", "entry_point": "train.py", "image": "xgboost:3.0-5"}
    found = problem({**own, "class_weight": "balanced", "search": {"parameters": {"max_depth": [3]}}})
    assert "class_weight is for built-in estimators" in found
    assert "search is for built-in estimators: own code searches itself" in found
