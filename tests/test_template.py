"""template.yaml: what AWS enforces and AWS on this machine does not."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import EventPattern
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[1]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
FUNCTIONS = {n: r["Properties"] for n, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::Function"}
EVENTS = sorted((ROOT / "events").glob("*.json"))
NAMES = {
    "Prefix": "handsoff",
    "DataBucket": "handsoff-data-123456789012-us-east-1",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
}


def resolved(value: Any) -> Any:
    """The template's value with Ref and Sub of parameters and pseudo parameters resolved."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return NAMES[value["Ref"]]
    if set(value) == {"Fn::Sub"}:
        text: str = value["Fn::Sub"]
        for name, known in NAMES.items():
            text = text.replace(f"${{{name}}}", known)
        assert "${" not in text
        return text
    return {key: resolved(item) for key, item in value.items()}


def rules() -> dict[str, Any]:
    """Every rule's pattern, by the name of the rule without the prefix."""
    found = {}
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::Events::Rule":
            found[resolved(resource["Properties"]["Name"])] = resource["Properties"]["EventPattern"]
    for function in FUNCTIONS.values():
        for source in function["Events"].values():
            if source["Type"] == "EventBridgeRule":
                found[resolved(source["Properties"]["RuleName"])] = source["Properties"]["Pattern"]
    return {
        name.removeprefix("handsoff-").replace("-", "_"): resolved(pattern) for name, pattern in found.items()
    }


def matches(pattern: Any, event: Any) -> bool:
    return bool(EventPattern.load(json.dumps(pattern)).matches_event(event))


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_each_event_file_matches_the_rule_that_it_is_named_after_and_no_other(path: Path) -> None:
    event = json.loads(path.read_text())
    named = path.name.split(".")[0]
    if "Records" in event:
        assert named == "start_retraining"  # what Lambda gets of the queue: no rule sees it
        return
    if event["source"] == "aws.events":
        scheduled = FUNCTIONS["Reconcile"]["Events"]["EachMinute"]["Properties"]
        assert event["resources"][0].endswith(f":rule/{resolved(scheduled['Name'])}")
        assert resolved(scheduled["Name"]).removeprefix("handsoff-").replace("-", "_") == named
        return
    assert {name for name, pattern in rules().items() if matches(pattern, event)} == {named}


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("object_landed.marker", ["detail", "object", "key"], "models/titanic/_SUCCESS"),
        ("object_landed.marker", ["detail", "bucket", "name"], "another-bucket"),
        ("execution_changed.failed", ["detail", "pipelineArn"],
         "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoffdev-titanic"),
        ("execution_changed.failed", ["source"], "my.app"),
        ("candidate_registered.pending", ["detail", "ModelPackageGroupName"], "handsoffdev-titanic"),
        ("package_decided.approved", ["detail", "ModelPackageGroupName"], "handsoffdev-titanic"),
        ("package_decided.approved", ["detail", "ModelApprovalStatus"], "Unknown"),
        ("candidate_registered.pending", ["detail", "ModelPackageStatus"], "InProgress"),
    ],
)  # fmt: skip
def test_what_is_not_ours_or_nothing_to_do_matches_no_rule(name: str, path: list[str], value: str) -> None:
    event = json.loads((ROOT / "events" / f"{name}.json").read_text())
    at = event
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert [rule for rule, pattern in rules().items() if matches(pattern, event)] == []


def test_every_function_has_a_role_log_group_and_handler_of_its_own() -> None:
    roles = [function["Role"]["Fn::GetAtt"][0] for function in FUNCTIONS.values()]
    groups = [function["LoggingConfig"]["LogGroup"]["Ref"] for function in FUNCTIONS.values()]
    assert len(set(roles)) == len(set(groups)) == len(FUNCTIONS) == 5
    for name, function in FUNCTIONS.items():
        module, handler = function["Handler"].split(".")
        tree = ast.parse((ROOT / "functions" / f"{module}.py").read_text())
        assert handler in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert (ast.get_docstring(tree) or "").startswith("Triggered")
        assert RESOURCES[f"{name}Logs"]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_actions_and_resources_are_named() -> None:
    for name, resource in RESOURCES.items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        assert "ManagedPolicyArns" not in resource["Properties"]
        for policy in resource["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"]
                actions = actions if isinstance(actions, list) else [actions]
                assert all("*" not in action for action in actions), (name, statement)
                if statement["Resource"] == "*":
                    assert actions == ["sagemaker:ListModelPackages"], (name, statement)


def test_one_function_may_put_events_and_on_the_default_bus_only() -> None:
    may = [
        (name, resolved(statement["Resource"]))
        for name, resource in RESOURCES.items()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "events:PutEvents" in statement["Action"]
    ]
    assert may == [("RecordDecisionRole", "arn:aws:events:us-east-1:123456789012:event-bus/default")]


def test_failures_of_everything_asynchronous_are_kept_and_alarmed() -> None:
    failures = {"Fn::GetAtt": ["Failures", "Arn"]}
    for function in FUNCTIONS.values():
        for source in function["Events"].values():
            if source["Type"] == "SQS":
                queue = RESOURCES[source["Properties"]["Queue"]["Fn::GetAtt"][0]]["Properties"]
                timeout = function.get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
                assert queue["VisibilityTimeout"] >= 6 * timeout
                assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {
                    "Fn::GetAtt": ["LandingsFailures", "Arn"]
                }
                assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            else:
                assert source["Type"] in ("EventBridgeRule", "Schedule")
                assert source["Properties"]["DeadLetterConfig"]["Arn"] == failures
                onfailure = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
                assert onfailure["Destination"] == failures
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::Events::Rule":
            assert all(
                target["DeadLetterConfig"]["Arn"] == failures for target in resource["Properties"]["Targets"]
            )
    alarmed = {
        resource["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert alarmed == {"Failures", "LandingsFailures"}


def test_the_environment_fits_and_holds_no_secret() -> None:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert set(variables) == {
        "PREFIX",
        "DATA_BUCKET",
        "LEDGER_TABLE",
        "NOTIFICATIONS_TOPIC",
        "POWERTOOLS_LOG_LEVEL",
    }


def test_outputs() -> None:
    assert set(TEMPLATE["Outputs"]) == {
        "LedgerTable",
        "LandingsQueue",
        "FailuresQueue",
        "NotificationsTopic",
        "AlarmsTopic",
    }


@pytest.mark.parametrize(
    "word", ["localhost", "127.0.0.1", "ENDPOINT_URL", "ministack", "moto", "import local"]
)
def test_nothing_that_runs_on_aws_knows_of_aws_on_this_machine(word: str) -> None:
    sources = [
        ROOT / "template.yaml",
        *(ROOT / "functions").rglob("*.py"),
        *(ROOT / "pipeline_def").rglob("*.py"),
    ]
    assert len(sources) > 15
    assert [str(path) for path in sources if word in path.read_text()] == []


def test_the_layer_holds_what_the_tests_ran_with() -> None:
    def pins(path: str) -> dict[str, str]:
        lines = (ROOT / path).read_text().splitlines()
        return dict(
            line.split(" ")[0].split("==") for line in lines if "==" in line and not line.startswith(" ")
        )

    layer, ours = pins("layers/dependencies/requirements.txt"), pins("requirements/dev.txt")
    assert layer.keys() <= ours.keys()
    assert {name: ours[name] for name in layer} == layer


def test_the_layer_knows_just_the_services_that_the_functions_talk_to() -> None:
    listed = re.search(
        r"^SERVICES := (.*)$", (ROOT / "layers/dependencies/Makefile").read_text(), re.MULTILINE
    )
    assert listed
    code = "\n".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    used = set(re.findall(r'boto3\.(?:client|resource)\("([a-z0-9-]+)"', code))
    assert set(listed[1].split()) == used
