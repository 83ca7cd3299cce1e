"""handsoff.yaml as it is read: its defaults, and that SSM gives back what was stored."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from retraining.config.data import Data
from retraining.config.rules import MetricRule, rules_sha256
from retraining.config.schema import dump_model, parse_config, parse_model
from retraining.errors import ConfigError
from tests.functions.config.configs import PENGUINS, VALID, changed


def test_parse_config_reads_the_projects_own_file() -> None:
    config = parse_config(VALID, source="handsoff.yaml")
    assert config.models["titanic"].target == "survived"
    rules = config.models["titanic"].approval.rules
    assert [rule.metric for rule in rules if isinstance(rule, MetricRule)] == [
        "accuracy",
        "roc_auc",
        "recall",
        "roc_auc",
    ]


def test_classes_have_defaults_for_regression_and_binary_targets() -> None:
    fares = {"task": "regression", "target": "fare", "features": {"numeric": ["age"]}}
    models = parse_config({"models": {"fares": fares, "penguins": PENGUINS}}, source="file").models
    assert models["fares"].classes == ()
    assert models["penguins"].classes == ("Adelie", "Chinstrap", "Gentoo")
    binary = {**fares, "task": "binary_classification"}
    models = parse_config(
        {"models": {"plain": binary, "yes": {**binary, "classes": [False, True]}}}, source="f"
    ).models
    assert (models["plain"].classes, models["yes"].classes) == (("0", "1"), ("false", "true"))


def test_one_column_about_rows_may_stand_without_a_list() -> None:
    data = {"identity": "name", "group": "ticket", "date": "day"}
    found = parse_config(changed("models.titanic.data", data), source="f").models["titanic"]
    assert (found.data.identity, found.data.group, found.data.date) == (("name",), ("ticket",), "day")
    assert found.columns[-3:] == ("name", "ticket", "day")


def test_dates_are_features_and_no_drift_is_asked_of_them() -> None:
    values = changed("models.titanic.features.date", ["booked"])
    assert parse_config(values, source="f").models["titanic"].columns[-1] == "booked"
    rule = {"data": "drift", "column": "booked", "max": 0.25}
    values["models"]["titanic"]["approval"]["rules"].append(rule)
    with pytest.raises(ConfigError, match="the column booked is a date: drift is not measured of dates"):
        parse_config(values, source="f")


def test_columns_about_rows_may_be_features() -> None:
    found = parse_config(changed("models.titanic.data", {"group": ["sex"]}), source="f").models["titanic"]
    assert found.data.group == ("sex",)
    assert found.columns.count("sex") == 1


def test_slice_of_a_boolean_column_is_read_as_text() -> None:
    rule = {"metric": "accuracy", "min": 0.5, "slice": {"tagged": True}}
    model = parse_config({"models": {"p": {**PENGUINS, "approval": {"rules": [rule]}}}}, source="f").models[
        "p"
    ]
    (asked,) = model.approval.rules
    assert isinstance(asked, MetricRule)
    assert asked.slice == {"tagged": "true"}
    assert parse_model(dump_model(model), source="SSM") == model


def test_waiting_times_have_defaults_and_null_turns_them_off() -> None:
    least = {"rules": VALID["models"]["titanic"]["approval"]["rules"]}
    values = changed("models.titanic.approval", least)
    approval = parse_config(values, source="f").models["titanic"].approval
    assert (approval.link_expires_after, approval.review_page) == (timedelta(hours=72), "decide")
    assert (approval.remind_after, approval.expire_after) == (timedelta(hours=24), timedelta(days=14))
    values = {**VALID["models"]["titanic"]["approval"], "remind_after": None, "expire_after": None}
    model = parse_config(changed("models.titanic.approval", values), source="f").models["titanic"]
    known = parse_model(dump_model(model), source="SSM")
    assert (known.approval.remind_after, known.approval.expire_after) == (None, None)
    assert known == model


def test_rules_sha256_depends_on_rules_only() -> None:
    before = parse_config(VALID, source="f").models["titanic"].approval
    after = before.model_copy(update={"expire_after": None, "remind_after": None, "review_page": "read_only"})
    assert rules_sha256(after) == rules_sha256(before)
    assert rules_sha256(before.model_copy(update={"rules": ()})) != rules_sha256(before)


def test_approvers_have_defaults() -> None:
    values = {"slack_channel": "#ml-approvals", "slack_users": ["U0123ABCD", "W0123ABCD"]}
    model = parse_config(changed("models.titanic.approvers", values), source="f").models["titanic"]
    assert model.approvers.slack_users == ("U0123ABCD", "W0123ABCD")
    none = parse_config(VALID, source="f").models["titanic"].approvers
    assert (none.slack_channel, none.slack_users) == (None, ())
    assert parse_model(dump_model(model), source="SSM") == model


def test_aws_has_defaults() -> None:
    none = parse_config(VALID, source="f").aws
    assert none.model_dump() == {
        "bucket": None,
        "pipeline_role": None,
        "subnets": (),
        "security_groups": (),
        "kms_key": None,
        "permissions_boundary": None,
        "operator": None,
        "link_secret": None,
        "image_repositories": (),
        "version_days": 90,
        "upload_days": 7,
        "tags": {},
    }


def test_aws_reads_existing_resources_and_tags() -> None:
    said = {
        "bucket": "acme-data.eu",
        "pipeline_role": "arn:aws-cn:iam::123456789012:role/ml/pipelines",
        "subnets": ["subnet-01234567", "subnet-0123456789abcdef0"],
        "security_groups": ["sg-0123456789abcdef0"],
        "kms_key": "arn:aws:kms:eu-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef",
        "permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess",
        "operator": "data-science-user",
        "tags": {"cost-center": 1234, "team": "Datos y más: 2026"},
    }
    aws = parse_config(changed("aws", said), source="f").aws
    assert (aws.bucket, aws.operator) == ("acme-data.eu", "data-science-user")
    assert aws.tags == {"cost-center": "1234", "team": "Datos y más: 2026"}


def test_dump_model_leaves_out_data_where_nothing_is_set() -> None:
    config = parse_config(VALID, source="handsoff.yaml").models["titanic"]
    assert "data" not in json.loads(dump_model(config))
    spaced = config.model_copy(update={"data": Data(delimiter=";")})
    assert json.loads(dump_model(spaced))["data"]["delimiter"] == ";"
    assert parse_model(dump_model(spaced), source="SSM") == spaced


def test_parse_model_reads_what_dump_model_wrote() -> None:
    model = parse_config(VALID, source="handsoff.yaml").models["titanic"]
    assert parse_model(dump_model(model), source="SSM") == model


def test_dump_model_leaves_out_what_equals_its_default() -> None:
    values = {
        "task": "regression",
        "target": "fare",
        "features": {"numeric": ["age"], "categorical": []},
        "data": {"delimiter": ",", "ignore_case": False},
        "retrain": {"ready": {"when": "marker", "marker": "_SUCCESS"}, "cooldown": "0s"},
        "approval": {"remind_after": "1d", "rules": [{"metric": "r2", "min": 0.1, "on_fail": "reject"}]},
        "approvers": {"slack_users": []},
    }
    model = parse_config({"models": {"fares": values}}, source="f").models["fares"]
    assert json.loads(dump_model(model)) == {
        "task": "regression",
        "target": "fare",
        "features": {"numeric": ["age"]},
        "approval": {"rules": [{"metric": "r2", "min": 0.1}]},
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retrain.ready", {"when": "marker"}),
        ("retrain.ready", {"when": "marker", "marker": "_DONE"}),
        ("retrain.ready", {"when": "quiet"}),
        ("retrain.ready", {"when": "quiet", "quiet_period": "90s"}),
        ("retrain.ready", {"when": "every_object"}),
        ("data", {"decimal": ",", "delimiter": ";", "thousands": ".", "not_missing": ["NA"]}),
        ("data", {"cdc": {"operation": "Op", "key": ["id"]}}),
        ("data", {"new_categories": ["sex"]}),
        ("data", {"identity": "name", "group": ["ticket", "cabin"], "date": "day"}),
        ("approval.remind_after", None),
        ("approval.rules", []),
        ("approval.rules", [{"data": "rows", "min": 10}]),
        ("approval.rules", [{"data": "rows", "min": 10, "split": "validation"}]),
        ("approval.rules", [{"data": "missing_share", "max": 0.0, "column": "age"}]),
        ("approval.rules", [{"data": "drift", "max": 0.25}]),
        ("approval.rules", [{"data": "unknown_share", "max": 0.1}]),
        ("approval.rules", [{"data": "leaked_share", "max": 0.1}, {"data": "lookalikes", "max": 3}]),
        ("approval.rules", [{"metric": "recall", "versus_champion": {"min_gain": 0.0}, "min_samples": 31}]),
    ],
)
def test_parse_model_reads_each_form_that_dump_model_wrote(key: str, value: Any) -> None:
    model = parse_config(changed(f"models.titanic.{key}", value), source="f").models["titanic"]
    assert parse_model(dump_model(model), source="SSM") == model
    whole = model.model_dump_json(exclude_none=True)  # as earlier versions stored it
    assert parse_model(whole, source="SSM") == model
