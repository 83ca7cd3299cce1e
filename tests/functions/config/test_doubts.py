"""Rules that ask nothing, or something else than was meant, are refused with what to write instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from retraining.config.schema import ModelConfig, dump_model, parse_config, parse_model
from retraining.errors import ConfigError
from tests.functions.config.configs import VALID

ACCURACY = {"metric": "accuracy", "min": 0.7}
MAE = {"metric": "mae", "max": 3.0}


def config(task: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    model = {
        "task": task,
        "target": "y",
        "features": {"numeric": ["x"], "categorical": ["region"], "boolean": ["open"]},
        "training": {"estimator": "random_forest"},
        "approval": {"rules": rules},
    }
    return {"models": {"m": model}}


def parsed(task: str, *rules: dict[str, Any]) -> ModelConfig:
    return parse_config(config(task, list(rules)), source="handsoff.yaml").models["m"]


def refused(task: str, *rules: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        parsed(task, *rules)
    return str(error.value).splitlines()[1]


@pytest.mark.parametrize("samples", [1, 2, 29])
def test_min_samples_that_would_lower_the_floor_of_a_comparison_is_refused(samples: int) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}, "min_samples": samples}
    assert refused("binary_classification", rule) == (
        "  models.m.approval.rules, number 1: a comparison needs at least 30 rows, so min_samples "
        f"{samples} has no effect: remove it, or ask for more than 30"
    )


def test_min_samples_may_raise_the_floor_of_a_comparison_and_be_low_without_one() -> None:
    versus = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
    for rule in (versus | {"min_samples": 30}, versus | {"min_samples": 500}, ACCURACY | {"min_samples": 2}):
        parsed("binary_classification", rule)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"max": 5}, "max 5 means 500 %: write 0.05 for 5 %"),
        ({"max": 1.01}, "max 1.01 means 101 %: write 0.0101 for 1.01 %"),
        ({"max": 0.2, "min": 2}, "min 2 is above max 0.2"),
        ({"versus_champion": {"max_loss": 2}}, "max_loss 2 means 200 %: write 0.02 for 2 %"),
        ({"versus_champion": {"min_gain": 3}}, "min_gain 3 means 300 %: write 0.03 for 3 %"),
        ({"versus_champion": {"max_loss": 0.1, "max_gain": 10}}, "max_gain 10 means 1000 %"),
    ],
)
def test_mape_in_percent_is_refused_with_its_unit(rule: dict[str, Any], said: str) -> None:
    assert said in refused("regression", {"metric": "mape", **rule})


@pytest.mark.parametrize(
    "rule",
    [
        {"max": 0.05},
        {"max": 1},
        {"versus_champion": {"max_loss": 0.5}},
        {"versus_champion": {"max_loss": 0.5, "relative": True}},
    ],
)
def test_mape_as_a_share_is_accepted(rule: dict[str, Any]) -> None:
    parsed("regression", {"metric": "mape", **rule})


@pytest.mark.parametrize("metric", ["rmse", "mae", "median_absolute_error", "mape"])
def test_lone_min_of_a_loss_is_refused_also_beside_other_rules(metric: str) -> None:
    said = (
        f"{metric} is better the lower it is, and min alone rejects only what is good: write max, or "
        "on_fail: hold if it asks about a value that is too good to be true"
    )
    assert said in refused("regression", {"metric": metric, "min": 0.5})
    assert f"number 2: {said}" in refused("regression", MAE, {"metric": metric, "min": 0.5})
    parsed("regression", MAE, {"metric": metric, "min": 0.5, "on_fail": "hold"})
    parsed("regression", {"metric": metric, "min": 0.5, "max": 0.9})


@pytest.mark.parametrize("metric", ["log_loss", "brier", "expected_calibration_error"])
def test_lone_min_of_a_loss_of_classification_is_refused(metric: str) -> None:
    assert "min alone rejects only what is good" in refused(
        "binary_classification", {"metric": metric, "min": 0.1}
    )


@pytest.mark.parametrize(
    ("task", "rules"),
    [
        ("regression", [{"metric": "rmse", "min": 0.5, "on_fail": "hold"}]),
        ("regression", [{"metric": "r2", "max": 0.9}, {"metric": "rmse", "min": 0.5, "on_fail": "warn"}]),
        ("binary_classification", [{"metric": "roc_auc", "max": 0.97, "on_fail": "hold"}]),
        ("binary_classification", [{"metric": "roc_auc", "versus_champion": {"max_gain": 0.1}}]),
        ("binary_classification", [{"metric": "accuracy", "max": 0.9}, {"data": "rows", "min": 100}]),
    ],
)
def test_rules_that_only_limit_what_is_too_good_are_refused(task: str, rules: list[dict[str, Any]]) -> None:
    assert "no rule asks for a good model" in refused(task, *rules)


@pytest.mark.parametrize(
    ("task", "rules"),
    [
        ("binary_classification", [ACCURACY, {"metric": "roc_auc", "max": 0.97}]),
        (
            "binary_classification",
            [{"metric": "roc_auc", "versus_champion": {"max_loss": 0, "max_gain": 0.1}}],
        ),
        ("binary_classification", [{"metric": "calibration_slope", "min": 0.8}]),
        ("binary_classification", [{"metric": "calibration_slope", "max": 1.3}]),
        ("binary_classification", [{"data": "rows", "min": 100}]),
        ("binary_classification", []),
    ],
)
def test_rules_that_ask_for_a_good_model_or_for_data_only_are_accepted(
    task: str, rules: list[dict[str, Any]]
) -> None:
    parsed(task, *rules)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"open": "maybe"}, "the slice column open is boolean: expected true or false, not maybe"),
        ({"open": "yes"}, "the slice column open is boolean: expected true or false, not yes"),
        ({"y": "1"}, "the slice column y must be a categorical or boolean feature"),
        ({"x": "3"}, "the slice column x must be a categorical or boolean feature"),
        ({"regions": "north"}, "the slice column regions must be a categorical or boolean feature"),
    ],
)
def test_slice_that_no_row_can_be_in_is_refused(where: dict[str, str], said: str) -> None:
    assert said in refused("binary_classification", ACCURACY | {"slice": where})


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"metric": "accuracy", "min": True}, "min: expected a number, not true"),
        ({"metric": "accuracy", "min": 0.7, "min_samples": True}, "min_samples: expected a number, not true"),
        ({"metric": "roc_auc", "versus_anchor": {"max_loss": True}}, "max_loss: expected a number, not true"),
        (
            {"metric": "roc_auc", "versus_anchor": {"max_loss": 0.1, "confidence": True}},
            "confidence: expected a number, not true",
        ),
        (
            {"metric": "accuracy", "min": 0.7, "confidence": 0.94},
            "expected one of 0.8, 0.9, 0.95, 0.975, 0.99",
        ),
        ({"metric": "accuracy", "min": 0.7, "confidence": True}, "confidence: expected a number, not true"),
        (
            {"metric": "accuracy", "confidence": 0.95, "versus_champion": {"max_loss": 0.1}},
            "confidence is about min and max, and the rule has neither: write it into versus_champion",
        ),
        (
            {"metric": "expected_calibration_error", "max": 0.1, "confidence": 0.95},
            "expected_calibration_error has no reliable interval, so it takes no confidence: remove it",
        ),
        ({"metric": "roc_auc", "versus_champion": {"max_gain": 0}}, "expected a number above 0, not 0"),
        ({"metric": "roc_auc", "versus_champion": {"max_gain": 1}}, "no two values differ by more than 1"),
        (
            {"metric": "roc_auc", "versus_champion": {"min_gain": 0.2, "max_gain": 0.1}},
            "min_gain 0.2 is above max_gain 0.1",
        ),
        (
            {"metric": "roc_auc", "versus_champion": {"max_loss": 0.1, "max_gain": 10, "relative": True}},
            "10 means 1000 % of the champion's value; write 0.1 for 10 %",
        ),
        ({"metric": "roc_auc", "versus_champion": {"confidence": 0.9}}, "name either max_loss or min_gain"),
    ],
)
def test_confidence_and_max_gain_that_cannot_be_asked_are_refused(rule: dict[str, Any], said: str) -> None:
    assert said in refused("binary_classification", ACCURACY, rule)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.975, 0.99])
def test_confidence_of_a_limit_is_one_of_five(confidence: float) -> None:
    parsed("binary_classification", ACCURACY | {"confidence": confidence})


@pytest.mark.parametrize(
    "rule",
    [
        {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}, "min_samples": 2},
        {"metric": "log_loss", "min": 0.5},
        {"metric": "roc_auc", "max": 0.97, "on_fail": "hold"},
    ],
)
def test_stored_configuration_that_an_earlier_version_accepted_stays_readable(rule: dict[str, Any]) -> None:
    """Functions of a new version read it until handsoff.yaml is corrected and published."""
    stored = json.loads(dump_model(parse_config(VALID, source="f").models["titanic"]))
    stored["approval"]["rules"] = [rule]
    assert parse_model(json.dumps(stored), source="SSM").approval.rules[0].on_fail == rule.get(
        "on_fail", "reject"
    )
