"""template.yaml: what AWS enforces and AWS on this machine does not."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import EventPattern
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from handsoff.deploying import function_urls
from retraining.notifications import bus
from tests.functions.fakes import event_schema
from tests.template import FUNCTIONS, RESOURCES, TEMPLATE

ROOT = Path(__file__).parents[1]
EVENTS = sorted((ROOT / "events").glob("*.json"))
URL = {"Fn::GetAtt": ["ReviewCandidateUrl", "FunctionUrl"]}
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
        for source in function.get("Events", {}).values():
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
    if "requestContext" in event:
        assert named == "review_candidate"  # a request to its Function URL
        return
    if "Records" in event:  # what Lambda gets of a queue: no rule sees it
        sources = {record["eventSource"] for record in event["Records"]}
        assert sources == {"aws:sqs"}
        assert named in ("start_retraining", "notify_slack")
        return
    if "slackPress" in event:
        assert named == "notify_slack"  # what review_candidate invokes it with
        return
    if event["source"] == "handsoff":  # what we send: no function listens to it
        assert event["detail-type"].lower().replace(" ", "_") == named
        assert {name for name, pattern in rules().items() if matches(pattern, event)} == set()
        event_schema(event["detail-type"]).validate(event["detail"])
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
    assert len(set(roles)) == len(set(groups)) == len(FUNCTIONS) == 7
    for name, function in FUNCTIONS.items():
        module, handler = function["Handler"].split(".")
        tree = ast.parse((ROOT / "functions" / f"{module}.py").read_text())
        assert handler in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert (ast.get_docstring(tree) or "").startswith("Triggered")
        assert RESOURCES[f"{name}Logs"]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_actions_and_resources_are_named() -> None:
    for name, resource in RESOURCES.items():
        if resource["Type"] not in ("AWS::IAM::Role", "AWS::IAM::Policy"):
            continue
        assert "ManagedPolicyArns" not in resource["Properties"]
        for policy in resource["Properties"].get("Policies", [resource["Properties"]]):
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"]
                actions = actions if isinstance(actions, list) else [actions]
                assert all("*" not in action for action in actions), (name, statement)
                # A stop is told as somebody else's.
                assert "sagemaker:StopPipelineExecution" not in actions, name
                if statement["Resource"] == "*":
                    assert actions == ["sagemaker:ListModelPackages"], (name, statement)


def test_what_records_decisions_may_put_events_and_on_the_default_bus_only() -> None:
    may = [
        (name, resolved(statement["Resource"]))
        for name, resource in RESOURCES.items()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "events:PutEvents" in statement["Action"]
    ]
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/default"
    assert may == [(f"{name}Role", bus) for name in ("Reconcile", "JudgeCandidate", "RecordDecision")]


def test_each_event_that_we_send_is_allowed_and_no_other() -> None:
    statements = {
        json.dumps(statement["Condition"], sort_keys=True)
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "events:PutEvents" in statement["Action"]
    }
    (condition,) = map(json.loads, statements)
    assert condition == {
        "StringEquals": {
            "events:source": "handsoff",
            "events:detail-type": ["Champion Changed", "Champion Rolled Back", "Candidate Waiting"],
        }
    }
    assert [kind.detail_type for kind in bus.EVENTS] == condition["StringEquals"]["events:detail-type"]


def test_the_environment_fits_and_holds_no_secret() -> None:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert set(variables) == {
        "PREFIX",
        "DATA_BUCKET",
        "LEDGER_TABLE",
        "NOTIFICATIONS_TOPIC",
        "POWERTOOLS_LOG_LEVEL",
        "POWERTOOLS_SERVICE_NAME",
    }


def test_functions_know_secrets_by_their_arns_and_who_sends_links_knows_where_they_lead() -> None:
    own = {
        name: function["Environment"]["Variables"]
        for name, function in FUNCTIONS.items()
        if "Environment" in function
    }
    links = {
        "REVIEW_URL": {"Fn::If": ["HasReviewPage", URL, ""]},
        "LINK_SECRET": {"Ref": "LinkSecret"},
    }
    records = {"SIGNING_KEY": {"Ref": "SigningKey"}, "EVIDENCE_LOCK": {"Ref": "EvidenceLock"}}
    assert own == {
        "Reconcile": links | records,
        "TrackExecution": records,
        "JudgeCandidate": links | records,
        "RecordDecision": links | records,
        "ReviewCandidate": {  # its own URL it cannot name: that would be a circle
            "LINK_SECRET": {"Ref": "LinkSecret"},
            "SLACK_SECRET": {"Ref": "SlackSecret"},
            "SLACK_FUNCTION": {"Fn::If": ["HasSlack", {"Fn::Sub": "${Prefix}-notify-slack"}, ""]},
        },
        "NotifySlack": {
            **links,
            "SLACK_SECRET": {"Ref": "SlackSecret"},
            "SLACK_QUEUE": {"Ref": "SlackMessages"},
        },
    }
    secret = RESOURCES["LinkSecret"]["Properties"]["GenerateSecretString"]
    assert secret["PasswordLength"] == 64


def test_whoever_writes_evidence_may_append_sign_and_lock_its_records_and_overwrite_none() -> None:
    writers = ["Reconcile", "TrackExecution", "JudgeCandidate", "RecordDecision"]
    for name, parameter, action in (
        ("SignEvidence", "SigningKey", "kms:Sign"),
        ("LockEvidence", "EvidenceLock", "s3:PutObjectRetention"),
    ):
        assert TEMPLATE["Parameters"][parameter]["Default"] == ""
        allows = RESOURCES[name]
        assert allows["Condition"] == f"Has{parameter}"
        assert allows["Properties"]["Roles"] == [{"Ref": f"{writer}Role"} for writer in writers]
        (statement,) = allows["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Action"] == action
    assert RESOURCES["SignEvidence"]["Properties"]["PolicyDocument"]["Statement"][0]["Resource"] == {
        "Ref": "SigningKey"
    }
    for role in (name for name, item in RESOURCES.items() if item["Type"] == "AWS::IAM::Role"):
        (policy,) = RESOURCES[role]["Properties"]["Policies"]
        found = {
            statement["Sid"]: statement
            for statement in policy["PolicyDocument"]["Statement"]
            if "/evidence/" in json.dumps(statement["Resource"]) and "PutObject" in str(statement["Action"])
        }
        if role.removesuffix("Role") not in writers:
            assert found == {}
            continue
        chain = found.pop("AppendEvidenceRecords")
        assert chain["Condition"] == {"Null": {"s3:if-none-match": "false"}}
        assert [name for name in found if "chain" in json.dumps(found[name])] == []


def test_without_function_urls_there_is_no_review_page() -> None:
    """The condition has the regions and partitions of handsoff/deploying/function_urls.py."""
    listed = [item["Fn::Equals"] for item in TEMPLATE["Conditions"]["HasReviewPage"]["Fn::Not"][0]["Fn::Or"]]
    assert len(listed) <= 10  # CloudFormation's limit
    assert listed == [
        *([{"Ref": "AWS::Partition"}, name] for name in function_urls.PARTITIONS_WITHOUT),
        *([{"Ref": "AWS::Region"}, name] for name in function_urls.REGIONS_WITHOUT),
    ]
    conditional = {name for name, item in RESOURCES.items() if item.get("Condition") == "HasReviewPage"}
    assert conditional == {"ReviewCandidate", "ReviewErrorsAlarm", "ReviewThrottlesAlarm"}
    assert TEMPLATE["Outputs"]["ReviewUrl"] == {
        "Condition": "HasReviewPage",
        "Value": URL,
        "Description": "URL of the review page; Slack's Request URL is this URL followed by slack",
    }


def test_each_part_that_sam_makes_of_the_review_page_has_its_condition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # SAM looks up the partition
    made = expanded()["Resources"]
    of_page = {name for name in made if name.startswith("ReviewCandidate")}
    assert {name for name in of_page if made[name].get("Condition") == "HasReviewPage"} == of_page - {
        "ReviewCandidateLogs",
        "ReviewCandidateRole",
    }
    assert sorted(made[name]["Type"] for name in of_page) == [
        "AWS::IAM::Role",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::Lambda::Version",
        "AWS::Logs::LogGroup",
    ]


def expanded() -> dict[str, Any]:
    """The template as CloudFormation gets it after SAM's transform."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = "s3://bucket/layer.zip"
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/code.zip"
    found: dict[str, Any] = Translator({}, Parser()).translate(template, {})
    return found


def test_ledger_is_protected_from_deletion_where_the_user_asks_for_it() -> None:
    """Not by default: a stack whose creation fails could not delete its empty table."""
    table = RESOURCES["Ledger"]
    assert table["Properties"]["DeletionProtectionEnabled"] == {"Fn::If": ["ProtectsLedger", True, False]}
    assert TEMPLATE["Parameters"]["ProtectLedger"]["Default"] == "false"
    assert table["DeletionPolicy"] == "RetainExceptOnCreate"


def test_just_one_function_is_open_to_the_internet_and_only_so_far() -> None:
    urls = {
        name: item["FunctionUrlConfig"] for name, item in FUNCTIONS.items() if "FunctionUrlConfig" in item
    }
    assert urls == {"ReviewCandidate": {"AuthType": "NONE"}}  # no CORS: no other page may read it
    given = [
        item for item in RESOURCES.values() if item["Type"] in ("AWS::Lambda::Permission", "AWS::Lambda::Url")
    ]
    assert given == []  # SAM gives both permissions that the URL wants: test_least_privilege reads them
    review = FUNCTIONS["ReviewCandidate"]
    assert review["ReservedConcurrentExecutions"] == {
        "Fn::If": ["ReservesReview", {"Ref": "ReviewConcurrency"}, {"Ref": "AWS::NoValue"}]
    }
    assert TEMPLATE["Parameters"]["ReviewConcurrency"]["Default"] == 5
    actions = {
        action
        for statement in RESOURCES["ReviewCandidateRole"]["Properties"]["Policies"][0]["PolicyDocument"][
            "Statement"
        ]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert not {action for action in actions if action.startswith(("s3:Put", "s3:Delete", "sns:", "events:"))}


def test_without_its_secret_nothing_of_slack_is_deployed() -> None:
    conditional = {name for name, resource in RESOURCES.items() if resource.get("Condition") == "HasSlack"}
    assert conditional == {
        *("NotifySlack", "NotifySlackLogs", "NotifySlackRole", "ReviewForSlack"),
        *("SlackMessages", "SlackFailures", "SlackQueuePolicy", "SlackSubscription"),
        *("SlackFailuresAlarm", "SlackWaitingAlarm"),
        *("NotifySlackErrorsAlarm", "NotifySlackThrottlesAlarm"),
    }
    assert TEMPLATE["Parameters"]["SlackSecret"]["Default"] == ""
    invoke = RESOURCES["ReviewForSlack"]["Properties"]["PolicyDocument"]["Statement"][1]
    assert invoke["Action"] == "lambda:InvokeFunction"
    assert invoke["Resource"]["Fn::Sub"].endswith(":function:${Prefix}-notify-slack")


def test_every_role_is_bounded_if_the_account_asks_for_it() -> None:
    assert TEMPLATE["Parameters"]["PermissionsBoundary"]["Default"] == ""
    bounded = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    roles = [item["Properties"] for item in RESOURCES.values() if item["Type"] == "AWS::IAM::Role"]
    assert [role["PermissionsBoundary"] for role in roles] == [bounded] * 7


def test_whoever_reads_or_writes_objects_may_use_the_key_that_encrypts_them() -> None:
    assert TEMPLATE["Parameters"]["DataKey"]["Default"] == ""
    use = RESOURCES["UseDataKey"]
    assert use["Condition"] == "HasDataKey"
    (statement,) = use["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert statement["Resource"] == {"Ref": "DataKey"}
    assert resolved(statement["Condition"]) == {
        "StringLike": {"kms:ViaService": "s3.us-east-1.amazonaws.com*"}
    }
    *always, slack = use["Properties"]["Roles"]
    assert slack == {"Fn::If": ["HasSlack", {"Ref": "NotifySlackRole"}, {"Ref": "AWS::NoValue"}]}
    with_objects = {
        name
        for name, item in RESOURCES.items()
        if item["Type"] == "AWS::IAM::Role"
        for policy in item["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "Object" in str(statement["Action"])
    }
    assert {role["Ref"] for role in always} | {"NotifySlackRole"} == with_objects


def test_a_snapshot_is_of_what_was_deployed_last() -> None:
    """SAM publishes no new version when a parameter changes: its description names all that it is made of."""
    review = FUNCTIONS["ReviewCandidate"]
    assert review["SnapStart"] == {"ApplyOn": {"Ref": "SnapStart"}}
    assert review["VersionDeletionPolicy"] == "Delete"
    assert review["AutoPublishAlias"] == "live"
    assert review["AutoPublishAliasAllProperties"] is True
    made_of = json.dumps([TEMPLATE["Globals"], review["Environment"], review["SnapStart"]])
    used = {name for name in TEMPLATE["Parameters"] if f'{{"Ref": "{name}"}}' in made_of}
    text, layer = review["VersionDescription"]["Fn::Sub"]
    assert used == {"SlackSecret", "SnapStart", "DataBucket", "Prefix", "Runtime", "Architecture"}
    named = {"SlackSecret", "SnapStart", "DataBucket", "Layer"}  # a stack has one prefix
    assert set(re.findall(r"\$\{(\w+)\}", text)) == named
    layer_of = RESOURCES["Dependencies"][
        "Properties"
    ]  # another runtime or architecture is another layer version
    assert layer_of["CompatibleRuntimes"] == [{"Ref": "Runtime"}]
    assert layer_of["CompatibleArchitectures"] == [{"Ref": "Architecture"}]
    assert layer == {"Layer": {"Fn::Select": [7, {"Fn::Split": [":", {"Ref": "Dependencies"}]}]}}
    assert [name for name, function in FUNCTIONS.items() if "SnapStart" in function] == ["ReviewCandidate"]


def test_snapshots_are_off_by_default_and_want_a_runtime_that_has_them() -> None:
    assert TEMPLATE["Parameters"]["SnapStart"]["Default"] == "None"
    rule = TEMPLATE["Rules"]["SnapStartKnowsTheRuntime"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "SnapStart"}, "PublishedVersions"]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Runtime"}, "python3.11"]}]}


def test_outputs() -> None:
    assert set(TEMPLATE["Outputs"]) == {
        "LedgerTable",
        "LandingsQueue",
        "FailuresQueue",
        "LandingsFailuresQueue",
        "SlackFailuresQueue",
        "NotificationsTopic",
        "AlarmsTopic",
        "LinkSecret",
        "ReviewUrl",
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
    listed = re.findall(
        r'^    "([a-z0-9-]+)": \[', (ROOT / "layers/dependencies/trim.py").read_text(), re.MULTILINE
    )
    code = "\n".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    used = set(re.findall(r'\b(?:client|resource)\("([a-z0-9-]+)"', code))
    assert set(listed) == used
