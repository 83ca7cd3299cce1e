"""How a wrong handsoff.yaml is refused: every line names the key and what was expected there."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from retraining.config.schema import parse_config, parse_model
from retraining.errors import ConfigError
from tests.functions.config.configs import PENGUINS, VALID, changed

FULL: dict[str, Any] = {
    "prefix": "handsoff",
    "aws": {
        "bucket": "acme-data",
        "subnets": ["subnet-01234567"],
        "security_groups": ["sg-01234567"],
        "tags": {"team": "ml"},
    },
    "models": {
        "penguins": {
            **PENGUINS,
            "retrain": {
                "ready": {"when": "quiet", "quiet_period": "5m"},
                "schedule": "rate(7 days)",
                "schedule_timezone": "Europe/Madrid",
                "cooldown": "1h",
                "daily_limit": 6,
                "min_new_rows": 0,
                "paused": False,
            },
            "training": {"estimator": "random_forest", "instance_type": "ml.m5.large"},
            "approval": {
                "remind_after": "24h",
                "rules": [
                    {
                        "metric": "accuracy",
                        "min": 0.5,
                        "slice": {"tagged": True},
                        "versus_champion": {"max_loss": 0.1, "confidence": 0.9, "relative": True},
                        "versus_anchor": {"max_loss": 0.1, "confidence": 0.9, "relative": True},
                        "min_samples": 40,
                    },
                    {"data": "drift", "max": 0.2, "column": "mass"},
                ],
            },
            "approvers": {"slack_channel": "#ml", "slack_users": ["U0123ABCD"]},
        }
    },
}


ALL_COLUMNS = [name for names in VALID["models"]["titanic"]["features"].values() for name in names]
ALL_COLUMNS += [VALID["models"]["titanic"]["target"]]

WRONG = [
    None,
    True,
    -1,
    7,
    0.5,
    1e9,
    float("nan"),
    float("inf"),
    "",
    "!",
    "x" * 300,
    [],
    [1],
    {},
    {"a": 1},
    {1: 2},
]


THEIR_WORDS = (
    "Input",
    "should",
    "valid ",
    "Field",
    "String",
    "Value error",
    "another value",
    "<",
    "Dictionary",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every key and item below `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in ((*path, key), *places(item, (*path, key)))]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("models.titanic.target", ..., "models.titanic.target: the key is required, and it is missing"),
        ("models.titanic.tarket", "x", "models.titanic.tarket: no such key"),
        (
            "models.titanic.task",
            "ranking",
            "models.titanic.task: expected 'binary_classification', 'multiclass_classification' "
            "or 'regression', not 'ranking'",
        ),
        ("models.titanic.target", "sex", "models.titanic.target: the target sex is also a feature"),
        (
            "models.titanic.features.numeric",
            ["age", "sex"],
            "models.titanic.features: sex is named twice: name each column once",
        ),
        (
            "models.titanic.data",
            {"group": "survived"},
            "models.titanic.data.group: data.group names the target survived: name other columns",
        ),
        (
            "models.titanic.data",
            {"identity": ["name", "survived"]},
            "models.titanic.data.identity: data.identity names the target survived: name other columns",
        ),
        (
            "models.titanic.data",
            {"date": "survived"},
            "models.titanic.data.date: data.date names the target survived: name other columns",
        ),
        (
            "models.titanic.data",
            {"group": ["ticket", "ticket"]},
            "models.titanic.data.group: group names ticket twice: name each column once",
        ),
        (
            "models.titanic.data",
            {"cdc": {"operation": "Op", "key": ["id"]}, "identity": "Op"},
            "models.titanic.data.identity: identity names Op, which says what was done to a row "
            "(cdc.operation): name a column of the rows",
        ),
        ("models.titanic.data", {"group": ""}, "models.titanic.data.group, number 1: expected "),
        ("models.titanic.retrain", {"daily_limit": True}, "daily_limit: expected a number, not true"),
        (
            "models.titanic.retrain",
            {"min_new_rows": True},
            "min_new_rows: expected a number, not true",
        ),
        ("models.titanic.data", {"group": 7}, "models.titanic.data.group: expected "),
        ("models.titanic.data", {"date": ["a"]}, "models.titanic.data.date: expected text"),
        (
            "models.titanic.data",
            {"header": [*ALL_COLUMNS], "group": ["ticket"], "date": "day"},
            "models.titanic.data.header: data.header does not name ticket, day: name every column of the "
            "files",
        ),
        ("models.titanic.features", {}, "at least one numeric, categorical, boolean or date column"),
        (
            "models.titanic.retrain.ready.when",
            "noon",
            "models.titanic.retrain.ready.when: expected one of 'marker', 'quiet', 'every_object', "
            "not 'noon'",
        ),
        ("models.titanic.approval.remind_after", "soon", "a duration such as 90s, 5m, 1h or 14d"),
        ("models.titanic.approval.expire_after", "3651d", "a duration of at most 3650d"),
        ("models.titanic.approval.expire_after", "24h", "expire_after must be longer than remind_after"),
        ("models.titanic.approval.expire_after", "0s", "expire_after must be longer than 0s"),
        ("models.titanic.approval.link_expires_after", "0s", "link_expires_after must be longer than 0s"),
        (
            "models.titanic.approval.review_page",
            "on",
            "models.titanic.approval.review_page: expected 'decide' or",
        ),
        (
            "models.titanic.approvers.slack_users",
            ["@ana"],
            "models.titanic.approvers.slack_users, number 1: expected a Slack user's id, such as U0123ABCD",
        ),
        (
            "models.titanic.approvers.slack_channel",
            "#a b",
            "models.titanic.approvers.slack_channel: expected a channel's name",
        ),
        (
            "models.titanic.retrain.ready.marker",
            "a/b",
            "models.titanic.retrain.ready.marker: expected a file name of letters, digits and",
        ),
        (
            "models.titanic.training.estimator",
            "magic",
            "models.titanic.training.estimator: expected 'hist_gradient_boosting', 'random",
        ),
        (
            "models.titanic.training.instance_type",
            "m5",
            "models.titanic.training.instance_type: expected an instance type, such as ml.m5.large, not 'm5'",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy"}],
            "at least one of min, max, versus_champion, versus_anchor",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "roc_auc", "versus_anchor": {}}],
            "models.titanic.approval.rules, number 1, versus_anchor.max_loss: the key is required",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "roc_auc", "versus_anchor": {"max_loss": 0.1, "min_gain": 0.1}}],
            "models.titanic.approval.rules, number 1, versus_anchor.min_gain: no such key",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "roc_auc", "versus_anchor": {"max_loss": 1}}],
            "no two values differ by more than 1",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "roc_auc", "versus_anchor": {"max_loss": 5, "relative": True}}],
            "with relative: true, 5 means 500 % of the anchor's value; write 0.05 for 5 %",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "expected_calibration_error", "versus_anchor": {"max_loss": 0.1}}],
            "expected_calibration_error cannot be compared with the anchor's reliably",
        ),
        ("models.titanic.approval.rules", [{"metric": "luck", "min": 1}], "luck is not a metric of"),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "versus_champion": {"max_loss": 0.1, "min_gain": 0.1}}],
            "versus_champion: name either max_loss or min_gain",
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
            "approval.rules, number 2: rmse is not a metric of binary_classification; "
            "its metrics are accuracy,",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "min": "high"}],
            "models.titanic.approval.rules, number 1, min: expected a number, not 'high'",
        ),
        (
            "models.titanic.approval.rules",
            [{"data": "luck", "max": 1}],
            "models.titanic.approval.rules, number 1, data: expected 'rows', 'missing_share', "
            "'unknown_share', 'drift', 'leaked_share' or 'lookalikes', not 'luck'",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "expected_calibration_error", "versus_champion": {"max_loss": 0.1}}],
            "expected_calibration_error cannot be compared with the champion's reliably: "
            "compare brier instead",
        ),
        ("models.titanic.approval.rules", [{"data": "drift", "min": 0.1}], "drift takes max, and no min"),
        (
            "models.titanic.approval.rules",
            [{"data": "lookalikes", "min": 4}],
            "lookalikes takes max, and no min: name max only",
        ),
        (
            "models.titanic.approval.rules",
            [{"data": "lookalikes", "max": 4, "column": "age"}],
            "lookalikes takes no column: remove it",
        ),
        (
            "models.titanic.approval.rules",
            [{"data": "leaked_share", "max": 0.1, "split": "validation"}],
            "leaked_share compares validation with train: it takes no split, so remove it",
        ),
        ("models.titanic.approval.rules", [{"data": "leaked_share", "max": 5}], "lies between 0 and 1"),
        ("models.titanic.approval.rules", [{"data": "rows"}], "at least one of min, max"),
        ("models.titanic.approval.rules", [{"data": "rows", "min": 1, "column": "age"}], "no column"),
        (
            "models.titanic.approval.rules",
            [{"data": "unknown_share", "split": "validation", "max": 0.1}],
            "unknown_share compares validation with train: it takes no split",
        ),
        ("models.titanic.approval.rules", [{"data": "unknown_share", "max": 1.1}], "lies between 0 and 1"),
        ("models.titanic.approval.rules", [{"data": "unknown_share", "min": 0.1}], "takes max, and no min"),
        (
            "models.titanic.approval.rules",
            [{"data": "unknown_share", "max": 0.1, "column": "age"}],
            "the column age is not categorical: unknown_share counts categories",
        ),
        ("models.titanic.approval.rules", [{"data": "missing_share", "max": 2}], "so max cannot be 2"),
        (
            "models.titanic.approval.rules",
            [{"data": "drift", "max": 0.2, "column": "boat"}],
            "approval.rules, number 1: the column boat is not a feature: name one of age, sibsp,",
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
            "models.titanic.classes, number 2: expected text, not null",
        ),
        ("models.titanic.classes", ["1", 1.0], "the class 1.0 is named twice: name each class once"),
        (
            "models.titanic.classes",
            "ab",
            "models.titanic.classes: expected a list, such as [one, another], not 'ab'",
        ),
        ("models.Titanic", {}, "models.Titanic: expected words of lowercase letters and digits, joined"),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "versus_champion": {"max_loss": 3, "relative": True}}],
            "with relative: true, 3 means 300 % of the champion's value; write 0.03 for 3 %",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "versus_champion": {"max_loss": 1}}],
            "accuracy lies between 0 and 1: no two values differ by more than 1",
        ),
        (
            "models.titanic.approval.rules",
            [{"metric": "accuracy", "min": 0}],
            "with min 0 no model could fail",
        ),
        ("models.titanic.approval.rules", [{"metric": "f1", "max": 1}], "with max 1 no model could fail"),
        ("models.titanic.classes", ["1", "1.0"], "the class 1.0 is named twice: name each class once"),
        ("models.titanic.task", "regression", "number 1: accuracy is not a metric of regression"),
        ("models.titanic.task", "multiclass_classification", "from 3 to 100: classes: [first, second"),
        (
            "models.titanic.training.estimator",
            "ridge",
            "the estimator ridge is not for binary_classification: choose one of hist",
        ),
        (
            "prefix",
            "hands-off",
            "prefix: expected at most 20 lowercase letters and digits, a letter first, not",
        ),
        ("aws.bucket", "My_Bucket", "aws.bucket: expected an S3 bucket's name, such as acme-data, not"),
        ("aws.pipeline_role", "handsoff-pipeline", "aws.pipeline_role: expected an IAM role's ARN, such as"),
        (
            "aws.pipeline_role",
            f"arn:aws:iam::123456789012:role/{'p' * 250}",  # an argument of a job holds 256
            "aws.pipeline_role: expected text of at most 256 characters, not",
        ),
        ("aws.subnets", ["subnet-0123456789abcdef0"], "aws: subnets and security_groups: name both or none"),
        ("aws.security_groups", ["sg-01234567"], "aws: subnets and security_groups: name both or none"),
        ("aws.subnets", ["10.0.0.0/16"], "aws.subnets, number 1: expected a subnet's id, such as"),
        ("aws.kms_key", "alias/data", "aws.kms_key: expected a KMS key's ARN, such as"),
        ("aws.permissions_boundary", "boundary", "aws.permissions_boundary: expected an IAM policy's ARN"),
        ("aws.operator", "a user", "aws.operator: expected an IAM user's name"),
        ("aws.version_days", 13, "aws.version_days: 13 days are too few: expected at least 14. An execution"),
        ("aws.version_days", 3651, "aws.version_days: expected a number of at most 3650, not 3651"),
        ("aws.upload_days", 0, "aws.upload_days: expected a number of at least 1, not 0"),
        ("aws.tags", {"aws:team": "ml"}, "names that begin with aws: or handsoff: are reserved"),
        ("aws.tags", {"Handsoff:model": "x"}, "names that begin with aws: or handsoff: are reserved"),
        ("aws.tags", {"team": "a, b"}, "the tag team: only letters, digits, spaces and _ . : / = + - @"),
        ("models", {}, "models: expected at least 1 entry, not {}"),
    ],
)
def test_explain_names_the_key_and_what_was_expected(path: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(changed(path, value), source="handsoff.yaml")
    assert expected in str(refused.value)
    assert str(refused.value).startswith("handsoff.yaml is not valid:\n")


@pytest.mark.parametrize("path", places(FULL), ids=lambda path: ".".join(map(str, path)))
def test_explain_never_shows_the_words_of_the_library(path: tuple[Any, ...]) -> None:
    for wrong in WRONG:
        values = at = copy.deepcopy(FULL)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = wrong
        try:
            parse_config(values, source="file")
        except ConfigError as refused:
            header, *lines = str(refused).splitlines()
            assert header == "file is not valid:"
            assert not [line for line in lines if any(word in line for word in THEIR_WORDS)]


def test_explain_names_keys_that_are_numbers_as_keys() -> None:
    with pytest.raises(ConfigError, match=r"\n  models\.7: expected text, not 7"):
        parse_config({"models": {7: PENGUINS}}, source="file")


@pytest.mark.parametrize("name", ["churn", "ready", "rules", "features", "training", "models", "target"])
def test_explain_names_all_problems_of_a_model_that_is_called_like_a_key(name: str) -> None:
    model = {
        **PENGUINS,
        "retrain": {"ready": {"when": "marker", "marker": "a b"}, "cooldown": "soon"},
        "training": {"spot": 3, "image": "x"},
        "approval": {"remind_after": "2d", "expire_after": "1d", "rules": [{"metric": "accuracy"}]},
    }
    with pytest.raises(ConfigError) as refused:
        parse_config({"models": {name: model}}, source="file")
    assert str(refused.value).splitlines() == [
        "file is not valid:",
        f"  models.{name}.retrain.ready.marker: expected a file name of letters, digits and . _ -, not 'a b'",
        f"  models.{name}.retrain.cooldown: expected a duration such as 90s, 5m, 1h or 14d, not 'soon'",
        f"  models.{name}.training.image: expected one of scikit-learn:1.9-0, xgboost:3.0-5, pytorch:2.6.0, "
        "or the address of an image in ECR with its tag, such as "
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1.2, not 'x'",
        f"  models.{name}.training.spot: expected true or false, not 3",
        f"  models.{name}.approval.rules, number 1: the rule asks nothing: name at least one of min, max, "
        "versus_champion, versus_anchor",
        f"  models.{name}.approval.expire_after: expire_after must be longer than remind_after: a reminder "
        "comes first",
    ]


def test_explain_file_that_is_no_mapping() -> None:
    with pytest.raises(ConfigError, match=r"the whole: expected a mapping, such as {key: value}, not 'x'"):
        parse_config("x", source="file")


def test_explain_text_that_is_no_json() -> None:
    with pytest.raises(ConfigError, match="SSM is not valid:\n  the whole: expected JSON: "):
        parse_model("{", source="SSM")


def test_classes_of_a_regression_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"p\.classes: regression takes no classes: remove them"):
        parse_config({"models": {"p": {**PENGUINS, "task": "regression"}}}, source="file")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"metric": "brier", "max": 2.1}, "brier lies between 0 and 2, so max cannot be 2.1"),
        ({"metric": "roc_auc", "min": 0.8}, "roc_auc is not a metric of multiclass_classification"),
        (
            {"metric": "accuracy", "min": 0.5, "slice": {"tagged": "maybe"}},
            "is boolean: expected true or false, not maybe",
        ),
    ],
)
def test_rule_that_does_not_fit_the_model_is_refused(rule: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parse_config({"models": {"p": {**PENGUINS, "approval": {"rules": [rule]}}}}, source="file")


def test_model_name_that_is_too_long_for_a_pipeline_is_refused() -> None:
    values = {"models": {"a" * 55: VALID["models"]["titanic"]}}
    with pytest.raises(ConfigError, match="too long: with the prefix and a hyphen at most 63 characters"):
        parse_config(values, source="handsoff.yaml")
    parse_config({"models": {"a" * 54: VALID["models"]["titanic"]}}, source="handsoff.yaml")


def test_configuration_larger_than_256_kilobytes_is_refused() -> None:
    columns = [f"column_{number:032}" for number in range(6_400)]
    with pytest.raises(ConfigError, match=r"is 26\d,\d{3} bytes long as JSON, at most 262,144 are stored"):
        parse_config(changed("models.titanic.features.numeric", columns), source="handsoff.yaml")
