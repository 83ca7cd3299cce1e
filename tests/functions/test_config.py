"""handsoff.yaml: what is refused, and that the refusal names key and expectation."""

from __future__ import annotations

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from retraining.config.rules import MetricRule, rules_sha256
from retraining.config.schema import SSM_LIMIT, dump_model, parse_config, parse_model
from retraining.errors import ConfigError

ROOT = Path(__file__).parents[2]
VALID: dict[str, Any] = yaml.safe_load((ROOT / "handsoff.yaml").read_text())


PENGUINS: dict[str, Any] = {
    "task": "multiclass_classification",
    "target": "species",
    "classes": ["Adelie", "Chinstrap", "Gentoo"],
    "features": {"numeric": ["mass"], "boolean": ["tagged"]},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The project's own handsoff.yaml with one key changed; `...` deletes it."""
    values = copy.deepcopy(VALID)
    *parents, last = path.split(".")
    at = values
    for parent in parents:
        at = at.setdefault(parent, {})
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return values


def test_the_projects_own_file_is_valid() -> None:
    config = parse_config(VALID, source="handsoff.yaml")
    assert config.models["titanic"].target == "survived"
    rules = config.models["titanic"].approval.rules
    assert [rule.metric for rule in rules if isinstance(rule, MetricRule)] == [
        "accuracy",
        "roc_auc",
        "recall",
        "roc_auc",
    ]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("models.titanic.target", ..., "models.titanic.target: Field required"),
        ("models.titanic.tarket", "x", "models.titanic.tarket: no such key"),
        (
            "models.titanic.task",
            "ranking",
            "models.titanic.task: Input should be 'binary_classification', 'multiclass_classification' or",
        ),
        ("models.titanic.target", "sex", "models.titanic: the target sex may not be a feature"),
        ("models.titanic.features.numeric", ["age", "sex"], "each column once, but sex stands twice"),
        ("models.titanic.features", {}, "at least one numeric, categorical or boolean column"),
        (
            "models.titanic.retrain.ready.when",
            "noon",
            "models.titanic.retrain.ready: Input tag 'noon' found using 'when' does not match",
        ),
        ("models.titanic.approval.remind_after", "soon", "a duration such as 90s, 5m, 1h or 14d"),
        ("models.titanic.approval.expire_after", "3651d", "a duration of at most 3650d"),
        ("models.titanic.approval.expire_after", "24h", "expire_after must be longer than remind_after"),
        ("models.titanic.approval.expire_after", "0s", "expire_after must be longer than nothing"),
        ("models.titanic.approval.link_expires_after", "0s", "link_expires_after must be longer than"),
        ("models.titanic.approval.review_page", "on", "models.titanic.approval.review_page: Input should"),
        (
            "models.titanic.approvers.slack_users",
            ["@ana"],
            "models.titanic.approvers.slack_users, number 1: String",
        ),
        ("models.titanic.approvers.slack_channel", "#a b", "models.titanic.approvers.slack_channel: String"),
        ("models.titanic.retrain.ready.marker", "a/b", "models.titanic.retrain.ready.marker: String should"),
        ("models.titanic.training.estimator", "magic", "models.titanic.training.estimator: Input should be"),
        ("models.titanic.training.instance_type", "m5", "models.titanic.training.instance_type: String"),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy"}],
            "at least one of min, max, versus_champion",
        ),
        ("models.titanic.approval.rules", [{"metric": "luck", "min": 1}], "luck is no metric of"),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "versus_champion": {"max_loss": 0.1, "min_gain": 0.1}}],
            "either max_loss or min_gain",
        ),
        ("models.titanic.approval.rules", [{"metric": "accuracy", "min": 78}], "so min cannot be 78"),
        ("models.titanic.approval.rules", [{"metric": "brier", "max": -1}], "so max cannot be -1"),
        (
            "models.titanic.approval.rules",
            [{"metric": "roc_auc", "versus_champion": {"max_loss": 3}}],
            "no two values differ by more",
        ),
        ("models.titanic.approval.rules", [{"metric": "f1", "min": 0.8, "max": 0.5}], "no model could pass"),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "min": 0.5, "slice": {"age": "3"}}],
            "the slice column age must be a categorical or boolean feature",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "min": 0.5}, {"metric": "rmse", "max": 5}],
            "approval.rules, number 2: rmse is no metric of binary_classification; its metrics are accuracy,",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "min": "high"}],
            "models.titanic.approval.rules, number 1, min: Input should be a valid number",
        ),
        (
            "models.titanic.approval.rules",
            [{"data": "luck", "max": 1}],
            "models.titanic.approval.rules, number 1, data: Input should be 'rows', 'missing_share'",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "expected_calibration_error", "versus_champion": {"max_loss": 0.1}}],
            "no bound of a difference in expected_calibration_error is honest: compare brier instead",
        ),
        ("models.titanic.approval.rules", [{"data": "drift", "min": 0.1}], "drift takes max, and no min"),
        ("models.titanic.approval.rules", [{"data": "rows"}], "at least one of min, max"),
        ("models.titanic.approval.rules", [{"data": "rows", "min": 1, "column": "age"}], "no column"),
        ("models.titanic.approval.rules", [{"data": "missing_share", "max": 2}], "so max cannot be 2"),
        (
            "models.titanic.approval.rules",
            [{"data": "drift", "max": 0.2, "column": "boat"}],
            "approval.rules, number 1: boat is no feature",
        ),
        (
            "models.titanic.approval.rules",
            [{"data": "drift", "max": 0.2, "metric": "f1"}],
            "models.titanic.approval.rules, number 1, metric: no such key",
        ),
        ("models.titanic.classes", ["no"], "two classes, the second being the positive one"),
        (
            "models.titanic.classes",
            ["1", None],
            "models.titanic.classes, number 2: Input should be a valid string",
        ),
        ("models.titanic.classes", ["1", 1.0], "each class once, but 1.0 stands twice"),
        ("models.titanic.classes", "ab", "models.titanic.classes: a list, such as [one, another], not 'ab'"),
        ("models.Titanic", {}, "models.Titanic: String should match pattern"),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "versus_champion": {"max_loss": 3, "relative": True}}],
            "relative: true makes 3 300 % of the champion's value; 3 % is 0.03",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "versus_champion": {"max_loss": 1}}],
            "accuracy lies between 0 and 1: no two values differ by more",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "min": 0}],
            "with min 0 no model could fail",
        ),
        ("models.titanic.approval.rules", [{"metric": "f1", "max": 1}], "with max 1 no model could fail"),
        ("models.titanic.classes", ["1", "1.0"], "each class once, but 1.0 stands twice"),
        ("models.titanic.task", "regression", "number 1: accuracy is no metric of regression"),
        ("models.titanic.task", "multiclass_classification", "from 3 to 100: classes: [first, second"),
        (
            "models.titanic.training.estimator",
            "ridge",
            "ridge does no binary_classification; what does: hist",
        ),
        ("prefix", "hands-off", "prefix: String should match pattern"),
        ("aws.bucket", "My_Bucket", "aws.bucket: String should match pattern"),
        ("aws.pipeline_role", "handsoff-pipeline", "aws.pipeline_role: String should match pattern"),
        (
            "aws.pipeline_role",
            f"arn:aws:iam::123456789012:role/{'p' * 250}",  # an argument of a job holds 256
            "aws.pipeline_role: String should have at most 256 characters",
        ),
        ("aws.subnets", ["subnet-0123456789abcdef0"], "aws: subnets and security_groups: both or none"),
        ("aws.security_groups", ["sg-01234567"], "aws: subnets and security_groups: both or none"),
        ("aws.subnets", ["10.0.0.0/16"], "aws.subnets, number 1: String should match pattern"),
        ("aws.kms_key", "alias/data", "aws.kms_key: String should match pattern"),
        ("aws.permissions_boundary", "boundary", "aws.permissions_boundary: String should match pattern"),
        ("aws.operator", "a user", "aws.operator: String should match pattern"),
        ("aws.tags", {"aws:team": "ml"}, "names that begin with aws: or handsoff: are reserved"),
        ("aws.tags", {"Handsoff:model": "x"}, "names that begin with aws: or handsoff: are reserved"),
        ("aws.tags", {"team": "a, b"}, "the tag team: letters, digits, spaces and _ . : / = + - @"),
        ("models", {}, "models: Dictionary should have at least 1 item"),
    ],
)
def test_a_wrong_key_is_named(path: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(changed(path, value), source="handsoff.yaml")
    assert expected in str(refused.value)
    assert str(refused.value).startswith("handsoff.yaml is not valid:\n")


def test_regression_and_classes() -> None:
    fares = {"task": "regression", "target": "fare", "features": {"numeric": ["age"]}}
    models = parse_config({"models": {"fares": fares, "penguins": PENGUINS}}, source="file").models
    assert models["fares"].classes == ()
    assert models["penguins"].classes == ("Adelie", "Chinstrap", "Gentoo")
    binary = {**fares, "task": "binary_classification"}
    models = parse_config(
        {"models": {"plain": binary, "yes": {**binary, "classes": [False, True]}}}, source="f"
    ).models
    assert (models["plain"].classes, models["yes"].classes) == (("0", "1"), ("false", "true"))


def test_regression_has_no_classes() -> None:
    with pytest.raises(ConfigError, match="p: regression takes no classes"):
        parse_config({"models": {"p": {**PENGUINS, "task": "regression"}}}, source="file")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"metric": "brier", "max": 2.1}, "brier lies between 0 and 2, so max cannot be 2.1"),
        ({"metric": "roc_auc", "min": 0.8}, "roc_auc is no metric of multiclass_classification"),
        (
            {"metric": "accuracy", "min": 0.5, "slice": {"tagged": "maybe"}},
            "is boolean: true or false, not maybe",
        ),
    ],
)
def test_rules_of_another_task(rule: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parse_config({"models": {"p": {**PENGUINS, "approval": {"rules": [rule]}}}}, source="file")


def test_a_slice_of_a_boolean_column() -> None:
    rule = {"metric": "accuracy", "min": 0.5, "slice": {"tagged": True}}
    model = parse_config({"models": {"p": {**PENGUINS, "approval": {"rules": [rule]}}}}, source="f").models[
        "p"
    ]
    (asked,) = model.approval.rules
    assert isinstance(asked, MetricRule)
    assert asked.slice == {"tagged": "true"}
    assert parse_model(dump_model(model), source="SSM") == model


def test_a_name_that_makes_a_pipeline_name_too_long_is_refused() -> None:
    values = {"models": {"a" * 55: VALID["models"]["titanic"]}}
    with pytest.raises(ConfigError, match="too long: with the prefix at most 63"):
        parse_config(values, source="handsoff.yaml")
    parse_config({"models": {"a" * 54: VALID["models"]["titanic"]}}, source="handsoff.yaml")


def test_a_config_that_ssm_cannot_hold_is_refused() -> None:
    columns = [f"column_{number:04}" for number in range(700)]
    with pytest.raises(ConfigError, match=f"bytes; SSM holds {SSM_LIMIT}"):
        parse_config(changed("models.titanic.features.numeric", columns), source="handsoff.yaml")


def test_what_concerns_people_has_defaults_and_null_turns_it_off() -> None:
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


def test_what_is_no_rule_leaves_the_identity_of_the_rules_alone() -> None:
    before = parse_config(VALID, source="f").models["titanic"].approval
    after = before.model_copy(update={"expire_after": None, "remind_after": None, "review_page": "read_only"})
    assert rules_sha256(after) == rules_sha256(before)
    assert rules_sha256(before.model_copy(update={"rules": ()})) != rules_sha256(before)


def test_approvers() -> None:
    values = {"slack_channel": "#ml-approvals", "slack_users": ["U0123ABCD", "W0123ABCD"]}
    model = parse_config(changed("models.titanic.approvers", values), source="f").models["titanic"]
    assert model.approvers.slack_users == ("U0123ABCD", "W0123ABCD")
    none = parse_config(VALID, source="f").models["titanic"].approvers
    assert (none.slack_channel, none.slack_users) == (None, ())
    assert parse_model(dump_model(model), source="SSM") == model


def test_nothing_of_the_account_need_be_said() -> None:
    none = parse_config(VALID, source="f").aws
    assert none.model_dump() == {
        "bucket": None,
        "pipeline_role": None,
        "subnets": (),
        "security_groups": (),
        "kms_key": None,
        "permissions_boundary": None,
        "operator": None,
        "tags": {},
    }


def test_what_an_account_has_already() -> None:
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


def test_a_models_config_survives_ssm() -> None:
    model = parse_config(VALID, source="handsoff.yaml").models["titanic"]
    assert parse_model(dump_model(model), source="SSM") == model
