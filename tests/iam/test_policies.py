"""What policies say, read as they stand: what AWS enforces and AWS on this machine cannot show."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from string import Template
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from retraining.facts import keys
from retraining.facts.fact import Key
from tests.template import RESOURCES, TEMPLATE

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
NAMES = {
    "partition": "aws",
    "region": "us-east-1",
    "account": "123456789012",
    "prefix": "handsoff",
    "bucket": "data",
    "role": "arn:aws:iam::123456789012:role/handsoff-pipeline",
    "images": "arn:aws:ecr:us-east-1:683313688378:repository/sagemaker-scikit-learn",
    "kms_key": "arn:aws:kms:us-east-1:123456789012:key/k",
    "signing_key": "arn:aws:kms:us-east-1:123456789012:key/s",
    "signing_keys": "arn:aws:kms:us-east-1:123456789012:key/s",
    "link_secret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:LinkSecret-0a1b2c",
}
POLICIES: dict[str, Json] = {
    path.stem: json.loads(Template(path.read_text()).substitute(NAMES))
    for path in sorted((ROOT / "terraform" / "policies").glob("*.json"))
}
# https://docs.aws.amazon.com/service-authorization/latest/reference/ lists no resource type for these.
OF_ALL_RESOURCES = {
    "sagemaker:ListModelPackages": "a listing names no package",
    "ecr:GetAuthorizationToken": "no resource type",
    "cloudwatch:PutMetricData": "no resource type; the namespace is a condition",
    "ec2:DescribeDhcpOptions": "no resource type",
    "ec2:DescribeNetworkInterfaces": "no resource type",
    "ec2:DescribeSecurityGroups": "no resource type",
    "ec2:DescribeSubnets": "no resource type",
    "ec2:DescribeVpcs": "no resource type",
}


def template_policies() -> Iterator[tuple[str, Json]]:
    """Every policy document of the template, by its resource."""
    for name, resource in RESOURCES.items():
        properties = resource.get("Properties", {})
        for key in ("PolicyDocument", "AssumeRolePolicyDocument"):
            if key in properties:
                yield f"{name}.{key}", properties[key]
        for policy in properties.get("Policies", []):
            yield f"{name}.{policy['PolicyName']}", policy["PolicyDocument"]


EVERY = [*POLICIES.items(), *template_policies()]
IDENTITY = [
    (name, document)
    for name, document in EVERY
    if all("Principal" not in statement for statement in document["Statement"])
]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_every_policy_is_read() -> None:
    assert len(POLICIES) == 15
    assert len(IDENTITY) == 7 + 4 + 12  # functions' roles, what is added to them, terraform/policies


@pytest.mark.parametrize(("name", "document"), EVERY, ids=[name for name, _ in EVERY])
def test_every_statement_has_its_own_sid(name: str, document: Json) -> None:
    assert document["Version"] == "2012-10-17", name
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)  # IAM takes no other characters


@pytest.mark.parametrize(("name", "document"), EVERY, ids=[name for name, _ in EVERY])
def test_allowed_actions_have_no_wildcard(name: str, document: Json) -> None:
    for statement in document["Statement"]:
        assert "NotAction" not in statement
        assert "NotResource" not in statement
        assert "NotPrincipal" not in statement
        if statement["Effect"] == "Deny":
            continue
        actions = listed(statement["Action"])
        assert not [action for action in actions if "*" in action], (name, statement["Sid"])
        assert statement.get("Principal") != "*"
        if "*" in listed(statement.get("Resource")):
            assert set(actions) <= OF_ALL_RESOURCES.keys(), (name, statement["Sid"])


def test_allowed_resources_have_the_prefix() -> None:
    """The deployment's, the bucket's, one's own; or it is the account's.

    docs/reference/operator-permissions.md gives the reasons for what is the account's.
    """
    named = (NAMES["images"], NAMES["kms_key"], NAMES["signing_key"], NAMES["link_secret"])
    ours = ("handsoff-", "handsoff/", ":::data", "user/${aws:username}", *named)
    accounts = (
        "-job/pipelines-",
        ":/aws/sagemaker/ProcessingJobs",
        ":/aws/sagemaker/TrainingJobs",
        ":ec2:",
        ":alarm:*",
    )
    others = {
        (name, statement["Sid"], resource)
        for name, document in POLICIES.items()
        for statement in document["Statement"]
        if statement["Effect"] == "Allow" and "Principal" not in statement
        for resource in listed(statement["Resource"])
        if resource != "*" and not any(part in resource for part in ours + accounts)
    }
    assert others == set()


@pytest.mark.parametrize(("name", "document"), IDENTITY, ids=[name for name, _ in IDENTITY])
def test_pass_role_allows_sagemaker_only(name: str, document: Json) -> None:
    for statement in document["Statement"]:
        if "iam:PassRole" in listed(statement["Action"]):
            assert listed(statement["Action"]) == ["iam:PassRole"], name
            assert statement["Resource"] == NAMES["role"]
            passed = statement["Condition"]["StringEquals"]["iam:PassedToService"]
            assert passed == "sagemaker.amazonaws.com"
        assert "sts:AssumeRole" not in listed(statement["Action"])


def test_managed_policies_fit_the_size_limit() -> None:
    for name in (name for name in POLICIES if name.startswith("operator")):
        assert len(json.dumps(POLICIES[name], separators=(",", ":"))) <= 6144


def test_operator_without_the_publish_policy_chooses_no_code() -> None:
    """What lets an operator choose the code that runs as the pipelines' role lies in a policy of its own."""

    def actions(name: str) -> set[str]:
        return {action for statement in POLICIES[name]["Statement"] for action in listed(statement["Action"])}

    publishing = {"sagemaker:UpdatePipeline", "iam:PassRole", "ssm:PutParameter"}
    assert actions("operator-publish") == publishing | {"s3:PutObject"}
    assert not actions("operator") & publishing
    (code,) = [s for s in POLICIES["operator-publish"]["Statement"] if s["Action"] == "s3:PutObject"]
    assert code["Resource"] == "arn:aws:s3:::data/code/*"
    assert code["Condition"]["Null"] == {"s3:if-none-match": "false"}
    written = [
        resource
        for name in ("operator", "operator-evidence")
        for statement in POLICIES[name]["Statement"]
        if "s3:PutObject" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    assert written == [
        "arn:aws:s3:::data/curated/*",
        "arn:aws:s3:::data/evidence/*/evidence.json",
        "arn:aws:s3:::data/evidence/*/report.html",
        "arn:aws:s3:::data/evidence/*/chain/*",
    ]
    (chain,) = [s for s in POLICIES["operator-evidence"]["Statement"] if "chain" in str(s["Resource"])]
    assert chain["Condition"]["Null"] == {"s3:if-none-match": "false"}


ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-page/1"
EXAMPLES = {
    keys.model("page"): "read",
    keys.start("abc"): "read",
    keys.stray("page"): "read",
    keys.execution("arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-page/execution/e"): "read",
    keys.trouble(ARN): "read",
    keys.verdict(ARN): "write",
    keys.decision(ARN): "write",
    keys.in_view("handsoff-page"): "write",
    keys.group_lease("handsoff-page"): "write",
    keys.notification("a" * 64): "write",
    keys.recent_notifications("page"): "write",
    keys.released("page", "etag", "curated/page/train.csv"): "write",
    keys.chain("page"): "note",
    keys.paused("page"): "write",
    keys.stop_asked("arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-page/execution/e"): "write",
    keys.recorded("arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-page/execution/e"): "note",
    keys.copy(
        "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-page/execution/e", "d" * 64
    ): "note",
    keys.slack_message(ARN): "",
    keys.slack_lease(ARN): "",
    keys.slack_notification("a" * 64): "",
    keys.group_lease("handsoffdev-page"): "",
    keys.anchor("handsoffdev-page"): "write",
    keys.looks("handsoffdev-page", "5" * 64): "",
    keys.batch("page", "b"): "",
    keys.asked("page", "c"): "",
    keys.rollback("r"): "",
}


@pytest.mark.parametrize(("key", "access"), EXAMPLES.items(), ids=[str(key)[:20] for key in EXAMPLES])
def test_operator_reaches_the_facts_of_the_ledger_that_its_commands_need(key: Key[Any], access: str) -> None:
    read, keep = (s for s in POLICIES["operator"]["Statement"] if s["Sid"] in ("ReadLedger", "KeepLedger"))
    assert read["Action"] == "dynamodb:GetItem"
    assert keep["Action"] == ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
    (note,) = (s for s in POLICIES["operator-evidence"]["Statement"] if s["Sid"] == "NoteEvidenceRecords")
    assert note["Action"] == "dynamodb:UpdateItem"  # who deletes the head of a chain hides a cut
    may = {}
    for statement in (read, keep, note):
        (condition,) = statement["Condition"].items()  # these four actions always name a key
        assert condition[0] == "ForAllValues:StringLike"
        patterns = condition[1]["dynamodb:LeadingKeys"]
        may[statement["Sid"]] = any(fnmatchcase(key.text, pattern) for pattern in patterns)
    assert may == {
        "ReadLedger": access != "",
        "KeepLedger": access == "write",
        "NoteEvidenceRecords": access == "note",
    }


def test_bucket_policy_denies_other_writers_and_plain_http() -> None:
    tls, models, code = POLICIES["bucket"]["Statement"]
    assert (tls["Effect"], tls["Principal"], tls["Action"]) == ("Deny", "*", "s3:*")
    assert tls["Resource"] == ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (models["Effect"], models["Principal"]) == ("Deny", "*")
    # Jobs of own code hand on the champion, predictions and rows below runs/: they load and trust them.
    assert models["Action"] == "s3:PutObject"
    assert models["Resource"] == ["arn:aws:s3:::data/models/*", "arn:aws:s3:::data/runs/*"]
    assert models["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": NAMES["role"]}}
    assert (code["Effect"], code["Principal"], code["Action"]) == ("Deny", "*", "s3:PutObject")
    assert code["Resource"] == ["arn:aws:s3:::data/code/*", "arn:aws:s3:::data/evidence/*/chain/*"]
    assert code["Condition"] == {"Null": {"s3:if-none-match": "true"}}


def test_nothing_but_the_pipeline_is_granted_what_the_bucket_denies() -> None:
    """No function and no operator needs to write where only the pipelines' role may."""
    written = {
        (name, statement["Sid"], str(resource).rpartition(":::")[2].rstrip("'}").partition("/")[2])
        for name, document in IDENTITY
        for statement in document["Statement"]
        if statement["Effect"] == "Allow" and "s3:PutObject" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
    assert len(written) > 5
    keys = ("models/titanic/e/evaluation.json", "runs/titanic/e/models/champion/model.tar.gz")
    granted = {
        (name, sid) for name, sid, pattern in written if any(fnmatchcase(key, pattern) for key in keys)
    }
    assert granted == {("pipeline", "KeepModels"), ("pipeline", "KeepRuns")}


def test_queue_and_topic_policies_deny_strangers_and_plain_http() -> None:
    queues, slack = (RESOURCES[name]["Properties"] for name in ("QueuePolicy", "SlackQueuePolicy"))
    assert {item["Ref"] for item in (*queues["Queues"], *slack["Queues"])} == {
        name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::SQS::Queue"
    }
    secure = {"Bool": {"aws:SecureTransport": "false"}}
    rules, tls = queues["PolicyDocument"]["Statement"]
    topic, tls_for_slack = slack["PolicyDocument"]["Statement"]
    for statement, count in ((tls, 3), (tls_for_slack, 2)):
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "sqs:*")
        assert statement["Condition"] == secure
        assert len(statement["Resource"]) == count
    ours = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${Prefix}-*"
    for statement, service, condition in (
        (rules, "events", {"ArnLike": {"aws:SourceArn": {"Fn::Sub": ours}}}),
        (topic, "sns", {"ArnEquals": {"aws:SourceArn": {"Ref": "Notifications"}}}),
    ):
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Condition"] == condition
    (statement,) = RESOURCES["NotificationsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Condition"]) == (
        "Deny",
        "sns:Publish",
        secure,
    )


def test_every_role_trusts_one_service() -> None:
    for name, document in template_policies():
        if name.endswith(".AssumeRolePolicyDocument"):
            (statement,) = document["Statement"]
            assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}, name
            assert statement["Action"] == "sts:AssumeRole"
    for name, service in (("trust-sagemaker", "sagemaker"), ("trust-scheduler", "scheduler")):
        (statement,) = POLICIES[name]["Statement"]
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    (schedules,) = POLICIES["trust-scheduler"]["Statement"]
    assert schedules["Condition"]["ArnEquals"] == {
        "aws:SourceArn": "arn:aws:scheduler:us-east-1:123456789012:schedule-group/default"
    }


def test_only_the_review_page_is_public_and_only_by_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """As SAM makes it of the template. For events it gives each function permissions, too, with SourceArn."""
    template = copy.deepcopy(TEMPLATE)
    for resource in template["Resources"].values():
        for key in {"CodeUri", "ContentUri"} & set(resource.get("Properties", {})):
            resource["Properties"][key] = "s3://bucket/key"
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # SAM looks up the partition
    made = Translator({}, Parser()).translate(template, {})["Resources"]
    given = [r["Properties"] for r in made.values() if r["Type"] == "AWS::Lambda::Permission"]
    anybody = [item for item in given if item["Principal"] == "*"]
    page = {"Ref": "ReviewCandidateAliaslive"}
    assert anybody == [
        {
            "FunctionName": page,
            "Principal": "*",
            "Action": "lambda:InvokeFunctionUrl",
            "FunctionUrlAuthType": "NONE",
        },
        {
            "FunctionName": page,
            "Principal": "*",
            "Action": "lambda:InvokeFunction",
            "InvokedViaFunctionUrl": True,
        },
    ]
    others = [item for item in given if item["Principal"] != "*"]
    assert len(others) == 4
    assert all("SourceArn" in item for item in others)
