"""Everybody may do what the loop needs, and nothing else: by the deployed policies, enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import yaml
from botocore.exceptions import ClientError

from handsoff.operating.executions import find_execution
from local import operator_user
from local.ministack.iam import journal as iam_journal
from tests.iam import proof, stories
from tests.iam.refusals import REFUSED
from tests.loop.conftest import Loop, handsoff

pytestmark = pytest.mark.story

UNPROVEN = Path(__file__).parents[1] / "iam_unproven.yaml"
Policies = dict[str, list[dict[str, Any]]]
JOBS = "SageMaker names a pipeline's jobs after the execution, so no prefix is in them"
NAMED_BY_SAGEMAKER = "SageMaker names the group for all jobs of an account"
ANYBODYS = {
    ("cloudwatch:DescribeAlarms", "deployment"): "AWS asks for all alarms, whatever prefix a listing names",
    ("events:PutEvents", "deployment"): "the bus is the account's, and a condition binds the source",
    ("kms:GetPublicKey", "deployment"): "the ARN is of one key, and has no deployment's name in it",
    ("kms:Sign", "deployment"): "the ARN is of one key, and has no deployment's name in it",
    ("logs:CreateLogGroup", "deployment"): NAMED_BY_SAGEMAKER,
    ("logs:CreateLogStream", "deployment"): NAMED_BY_SAGEMAKER,
    ("logs:DescribeLogStreams", "deployment"): NAMED_BY_SAGEMAKER,
    ("logs:GetLogEvents", "deployment"): NAMED_BY_SAGEMAKER,
    ("logs:PutLogEvents", "deployment"): NAMED_BY_SAGEMAKER,
    ("s3:ListBucket", "folder"): "S3 asks for it, without a prefix, to say that an object does not exist",
    ("sagemaker:AddTags", "deployment"): JOBS,
    ("sagemaker:CreateProcessingJob", "deployment"): JOBS,
    ("sagemaker:CreateTrainingJob", "deployment"): JOBS,
    ("sagemaker:DescribeProcessingJob", "deployment"): JOBS,
    ("sagemaker:DescribeTrainingJob", "deployment"): JOBS,
    ("sagemaker:ListModelPackages", "deployment"): "a listing names no package",
    ("sagemaker:StopProcessingJob", "deployment"): JOBS,
    ("sagemaker:StopTrainingJob", "deployment"): JOBS,
}
"""What is allowed on what is not this deployment's, and why. docs/reference/operator-permissions.md says the
same to people."""
SPARE = {
    ("handsoff-reconcile", "KnowModels", "models/*"): "AWS asks for what is below the path, too",
    ("handsoff-reconcile", "ReadJobLogs", "TrainingJobs*"): "no story fails in a training job",
    ("handsoff-track-execution", "ReadJobLogs", "TrainingJobs*"): "no story fails in a training job",
}
"""Resources beside others that no story needs, and why they are there: whose, Sid, how the resource ends."""


@pytest.fixture(scope="module")
def policies(loop: Loop, happened: dict[str, Any]) -> Policies:  # noqa: ARG001 - with Slack's, too
    """What everybody may do, as it is deployed."""
    return proof.documents(loop.cloud.client("iam"), users=[operator_user.NAME])


def test_loop_with_iam_enforced_gives_the_same_results(happened: dict[str, Any]) -> None:
    assert happened["published"].count("pipeline unchanged, rules and settings unchanged") == len(
        stories.MODELS
    )
    for name, by in (("page", "link"), ("slack", "slack"), ("command", "operator")):
        found = happened[name]
        assert (found["modelApprovalStatus"], found["decidedBy"]) == ("Approved", by)
    user = "arn:aws:iam::123456789012:user/data-science-user"
    assert happened["command"]["decidedWho"] == user
    assert happened["command"]["trigger"]["kind"] == "landing"
    assert "it lacks secretsmanager:GetSecretValue on arn:aws:secretsmanager" in happened["links"]["refusal"]
    told = {(one["model"], one["kind"], one["published"], one["slack"]) for one in happened["told"]}
    assert {("slack", "waiting", True, "delivered"), ("page", "approved", True, "delivered")} <= told
    assert happened["links"]["statuses"] == [200, 200]
    assert happened["scheduled"]["trigger"]["kind"] == "schedule"
    assert happened["released"]["pipelineExecutionStatus"] == "Succeeded"
    assert happened["stale"]["judgedAgain"]["by"] == user
    assert "train.csv has no header" in " ".join(happened["failed"]["reasons"])
    assert [item["PipelineExecutionStatus"] for item in happened["stopped"]] == ["Stopped", "Stopped"]
    assert happened["reconciled"]["decidedBy"] == "rules"
    assert happened["races"] == [stories.SMALL, stories.SMALL]


def test_stories_were_refused_nothing(journal: list[dict[str, Any]]) -> None:
    """Not even what is caught and goes unnoticed: a log that is not written, a retry that hides it."""
    assert len(journal) < iam_journal.MAX_LINES
    refused = [entry for entry in journal if entry["decision"] != "Allow"]
    assert [(entry["principal"].rpartition("/")[2], entry["action"]) for entry in refused] == [
        ("data-science-user", "secretsmanager:GetSecretValue")  # a link, before the operator may make one
    ]


def test_every_role_and_user_made_calls(journal: list[dict[str, Any]], policies: Policies) -> None:
    names = {proof.name_of(entry["principal"]) for entry in journal}
    services = {
        "events.amazonaws.com",
        "sagemaker.amazonaws.com",
        "scheduler.amazonaws.com",
    }
    assert names == policies.keys() | services
    assert policies.keys() == {
        operator_user.NAME,
        "handsoff-pipeline",
        "handsoff-schedules",
        *(f"handsoff-{function}" for function in stories.FUNCTIONS),
    }


def test_every_allowed_action_is_needed_or_listed_as_unproven(
    journal: list[dict[str, Any]], policies: Policies
) -> None:
    """Taken away, a call of the stories is refused. Where no story can show that, AWS's page says it."""
    every, proven = set(proof.permissions(policies)), proof.needed(journal, policies)
    said = {
        proof.Permission(entry["role"], entry["sid"], action)
        for entry in yaml.safe_load(UNPROVEN.read_text())
        for action in entry["actions"]
    }
    assert sorted(every - proven - said) == [], "nothing shows that these are needed"
    assert sorted(said & proven) == [], "proven by now: take them out of iam_unproven.yaml"
    optional = {"operator-kms", "operator-lock", "pipeline-kms", "pipeline-vpc"}  # not deployed here
    assert sorted(one for one in said - every if one.who not in optional) == [], "there are none of these"


def test_every_unproven_action_has_a_reason_and_a_page_of_aws() -> None:
    entries = yaml.safe_load(UNPROVEN.read_text())
    for entry in entries:
        assert set(entry) == {"role", "sid", "actions", "why", "source"}, entry
        assert "https://docs.aws.amazon.com/" in entry["source"], entry
        assert len(entry["why"]) > 20, entry
    folder = Path(__file__).parents[2] / "terraform" / "policies"
    for name in ("operator-kms", "operator-lock", "pipeline-kms", "pipeline-vpc"):
        document = json.loads((folder / f"{name}.json").read_text().replace("$$", "$"))
        said = {(e["sid"], action) for e in entries if e["role"] == name for action in e["actions"]}
        assert said == {(one.sid, one.action) for one in proof.permissions({name: [document]})}


def test_every_resource_of_several_is_needed(journal: list[dict[str, Any]], policies: Policies) -> None:
    spare = list(proof.spare_resources(journal, policies))
    assert {(who, sid, resource.rpartition("/")[2]) for who, sid, resource in spare} == {
        (who, sid, ending.rpartition("/")[2]) for who, sid, ending in SPARE
    }


def test_every_condition_refuses_a_call(journal: list[dict[str, Any]], policies: Policies) -> None:
    """Of calls that nobody makes on this machine it cannot be shown; iam_unproven.yaml names those."""
    unproven = {(entry["role"], entry["sid"]) for entry in yaml.safe_load(UNPROVEN.read_text())}
    idle = {one for one in proof.idle_conditions(journal, policies) if one[:2] not in unproven}
    assert idle == set()


@pytest.fixture(scope="module")
def lets_in(journal: list[dict[str, Any]], policies: Policies) -> set[tuple[str, str, str]]:
    """What the deployed policies let in beside what the stories asked."""
    return proof.let_in(journal, policies)


def test_foreign_resources_are_refused(lets_in: set[tuple[str, str, str]]) -> None:
    """The same call on another deployment's, account's, region's or folder's; but for what is listed."""
    assert sorted(one for one in lets_in if one[1:] not in ANYBODYS) == [], "wider than this deployment"
    assert sorted(ANYBODYS.keys() - {one[1:] for one in lets_in}) == [], "refused by now: take them out"


@pytest.mark.parametrize(
    ("who", "sid", "change", "let_in"),
    [
        (
            "handsoff-reconcile",
            "KeepLedger",
            {"Resource": "arn:aws:dynamodb:us-east-1:123456789012:table/*"},
            ("dynamodb:GetItem", "deployment"),
        ),
        (
            operator_user.NAME,
            "KeepEvidence",
            {"Resource": "arn:aws:s3:::handsoff-data-123456789012-us-east-1/*"},
            ("s3:PutObject", "folder"),
        ),
        (
            "handsoff-start-retraining",
            "Start",
            {"Resource": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff*"},
            ("sagemaker:StartPipelineExecution", "deployment"),
        ),
        (
            operator_user.NAME,
            "ListData",
            {"Condition": {}},
            ("s3:ListBucketVersions", "folder"),
        ),
        ("handsoff-pipeline", "RunJobsAsItself", {"Condition": {}}, ("iam:PassRole", "service")),
    ],
)
def test_proof_finds_a_statement_that_is_too_wide(
    journal: list[dict[str, Any]],
    policies: Policies,
    lets_in: set[tuple[str, str, str]],
    who: str,
    sid: str,
    change: dict[str, Any],
    let_in: tuple[str, str],
) -> None:
    (statement,) = [one for name, one in proof.statements(policies) if (name, one["Sid"]) == (who, sid)]
    wider = {who: proof.replaced(policies[who], statement, {**statement, **change})}  # others: as they are
    found = proof.let_in(journal, wider) - lets_in
    assert (who, *let_in) in found


def test_proof_finds_a_missing_permission(journal: list[dict[str, Any]], policies: Policies) -> None:
    taken = proof.Permission("handsoff-notify-slack", "FindChampion", "sagemaker:ListModelPackages")
    (entry,) = [
        e for e in journal if proof.name_of(e["principal"]) == taken.who and e["action"] == taken.action
    ]
    assert proof.allowed(entry, policies[taken.who])
    assert not proof.allowed(entry, proof.without(policies[taken.who], taken))


@pytest.mark.parametrize("service", ["lambda.amazonaws.com", "sagemaker.amazonaws.com"])
def test_services_assume_roles_by_trust(loop: Loop, service: str) -> None:
    iam = loop.cloud.client("iam")
    trusts = {
        role["RoleName"]
        for role in iam.list_roles()["Roles"]
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": service}
    }
    assert trusts == (
        {"handsoff-pipeline"}
        if service == "sagemaker.amazonaws.com"
        else {f"handsoff-{function}" for function in stories.FUNCTIONS}
    )


def test_functions_accept_only_their_own_events(loop: Loop, happened: dict[str, Any]) -> None:  # noqa: ARG001
    client = loop.cloud.client("lambda")
    invokers = {}
    for function in stories.FUNCTIONS:
        if function in ("start-retraining", "notify-slack", "review-candidate"):
            continue  # two poll their queues; one is open, by its URL
        policy = json.loads(client.get_policy(FunctionName=f"handsoff-{function}")["Policy"])
        (statement,) = policy["Statement"]
        (condition,) = statement["Condition"].values()
        (source,) = condition.values()
        invokers[function] = (statement["Principal"]["Service"], source.rpartition(":")[2])
    assert invokers == {
        "reconcile": ("events.amazonaws.com", "rule/handsoff-each-minute"),
        "track-execution": ("events.amazonaws.com", "rule/handsoff-execution-changed"),
        "judge-candidate": ("events.amazonaws.com", "rule/handsoff-candidate-registered"),
        "record-decision": ("events.amazonaws.com", "rule/handsoff-package-decided"),
    }


@contextmanager
def assumed(loop: Loop, who: str) -> Iterator[boto3.Session]:
    """Who has assumed the role, or has the user's keys."""
    if who == operator_user.NAME:
        key, secret = loop.cloud.keys(who)
        yield boto3.Session(key, secret, region_name=loop.cloud.region)
        return
    iam = loop.cloud.client("iam")
    trust = iam.get_role(RoleName=who)["Role"]["AssumeRolePolicyDocument"]
    everybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    opened = {"Version": "2012-10-17", "Statement": [everybody]}
    iam.update_assume_role_policy(RoleName=who, PolicyDocument=json.dumps(opened))
    try:
        variables = stories.role_environment(loop, f"arn:aws:iam::123456789012:role/{who}")
        yield boto3.Session(
            variables["AWS_ACCESS_KEY_ID"],
            variables["AWS_SECRET_ACCESS_KEY"],
            variables["AWS_SESSION_TOKEN"],
            region_name=loop.cloud.region,
        )
    finally:
        iam.update_assume_role_policy(RoleName=who, PolicyDocument=json.dumps(trust))


@pytest.fixture(scope="module")
def places(loop: Loop) -> dict[str, str]:
    """What REFUSED names, and another team's bucket and secret beside it."""
    loop.deployment.s3.create_bucket(Bucket="another-teams-bucket")
    loop.cloud.client("secretsmanager").create_secret(Name="another-teams-secret", SecretString="s")
    outputs = loop.deployment.outputs
    return {
        "bucket": loop.deployment.bucket,
        "table": outputs["LedgerTable"],
        "topic": outputs["NotificationsTopic"],
        "landings": outputs["LandingsQueue"],
        "failures": outputs["FailuresQueue"],
    }


@pytest.mark.parametrize("who", sorted(REFUSED))
def test_calls_that_nobody_needs_are_refused(
    loop: Loop,
    places: dict[str, str],
    journal: list[dict[str, Any]],  # noqa: ARG001 - it is over
    who: str,
) -> None:
    assert len(REFUSED[who]) >= 6
    allowed = []
    with assumed(loop, who) as session:
        for service, operation, given in REFUSED[who]:
            call = {
                name: value.format(**places) if isinstance(value, str) else value
                for name, value in given.items()
            }
            client: Any = session.client(service, endpoint_url=loop.cloud.endpoint)  # type: ignore[call-overload]
            try:
                getattr(client, operation)(**call)
                allowed.append((operation, call, "was allowed"))
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code not in ("AccessDenied", "AccessDeniedException", "AuthorizationError"):
                    allowed.append((operation, call, str(error)))
    assert allowed == []


def test_bucket_policy_refuses_a_caller_with_full_s3_access(
    loop: Loop,
    journal: list[dict[str, Any]],  # noqa: ARG001 - it is over
) -> None:
    """Models are the pipelines' to write, and published code is written once: by the bucket's own policy."""
    iam, bucket = loop.cloud.client("iam"), loop.deployment.bucket
    everything = {"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.create_user(UserName="anybody")
    iam.put_user_policy(
        UserName="anybody",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    key = iam.create_access_key(UserName="anybody")["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=loop.cloud.region)
    s3 = session.client("s3", endpoint_url=loop.cloud.endpoint)

    def put(key: str, body: bytes, **more: Any) -> str:
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=body, **more)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "written"

    code = "code/c/processing/evaluate.py"
    assert put("curated/broken/_note", b"") == "written"
    assert put("models/page/e/model.tar.gz", b"") == "AccessDenied"
    assert put(code, b"first") == "AccessDenied"
    assert put(code, b"first", IfNoneMatch="*") == "written"
    assert put(code, b"second", IfNoneMatch="*") == "PreconditionFailed"
    assert put(code, b"second") == "AccessDenied"
    assert s3.get_object(Bucket=bucket, Key=code)["Body"].read() == b"first"


def test_refusal_names_caller_action_and_resource(loop: Loop) -> None:
    sagemaker = stories.client(loop, "sagemaker")
    with pytest.raises(ClientError) as refused:
        sagemaker.delete_pipeline(PipelineName="handsoff-page", ClientRequestToken="t" * 32)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused.value.response["Error"] == {
        "Code": "AccessDeniedException",
        "Message": "User: arn:aws:iam::123456789012:user/data-science-user is not authorized to perform: "
        "sagemaker:DeletePipeline on resource: "
        "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-page "
        "because no identity-based policy allows the sagemaker:DeletePipeline action",
    }
    shown = handsoff(
        loop, "land", "page", f"{__file__}.none", "--as", "train", code=1, user=operator_user.NAME
    )
    assert "Traceback" not in shown.stderr


def test_step_without_a_permission_fails_and_names_it(loop: Loop, happened: dict[str, Any]) -> None:  # noqa: ARG001
    iam = loop.cloud.client("iam")
    document = iam.get_role_policy(RoleName="handsoff-pipeline", PolicyName="pipeline")["PolicyDocument"]
    taken = proof.Permission("handsoff-pipeline", "RunJobs", "sagemaker:CreateProcessingJob")
    (less,) = proof.without([document], taken)
    iam.put_role_policy(RoleName="handsoff-pipeline", PolicyName="pipeline", PolicyDocument=json.dumps(less))
    try:
        arn = stories.start_by_hand(loop, "scheduled")
        execution = stories.over(loop, arn)
    finally:
        iam.put_role_policy(
            RoleName="handsoff-pipeline", PolicyName="pipeline", PolicyDocument=json.dumps(document)
        )
    assert execution["PipelineExecutionStatus"] == "Failed"
    reason = find_execution(loop.deployment, arn).steps[0].failure_reason or ""
    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: ")
    assert "assumed-role/handsoff-pipeline/SageMaker is not authorized to perform: " in reason


def test_role_without_trust_in_sagemaker_runs_no_step(loop: Loop, happened: dict[str, Any]) -> None:  # noqa: ARG001
    iam = loop.cloud.client("iam")
    trust = iam.get_role(RoleName="handsoff-pipeline")["Role"]["AssumeRolePolicyDocument"]
    other = json.dumps(trust).replace("sagemaker.amazonaws.com", "lambda.amazonaws.com")
    iam.update_assume_role_policy(RoleName="handsoff-pipeline", PolicyDocument=other)
    try:
        arn = stories.start_by_hand(loop, "scheduled")
        stories.over(loop, arn)
    finally:
        iam.update_assume_role_policy(RoleName="handsoff-pipeline", PolicyDocument=json.dumps(trust))
    reason = find_execution(loop.deployment, arn).steps[0].failure_reason or ""
    assert "Could not assume role arn:aws:iam::123456789012:role/handsoff-pipeline" in reason
    assert "allows principal 'sagemaker.amazonaws.com' to assume the role" in reason


def test_jobs_and_functions_get_keys_of_their_own_role(loop: Loop, happened: dict[str, Any]) -> None:
    assert happened["keys of jobs"] == {"ASIA"}
    for function in stories.FUNCTIONS:
        environment = stories.environment_of(loop, f"handsoff-{function}")
        assert environment["AWS_LAMBDA_FUNCTION_NAME"] == f"handsoff-{function}-tells"
        assert environment["AWS_ACCESS_KEY_ID"][:4] == "ASIA"
        assert loop.cloud.administrator[1] not in environment.values()
    found = []
    for process in psutil.Process(loop.cloud.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile, or ended and was not waited for yet
            found.append(process.environ())
    assert found
    assert not [e for e in found if loop.cloud.administrator[1] in e.values()]


def test_file_of_the_operators_keys_is_readable_by_its_owner_only(loop: Loop) -> None:
    (path,) = (loop.cloud.folder / "users").iterdir()
    assert (path.name, path.stat().st_mode & 0o777) == ("data-science-user.json", 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (loop.cloud.folder / iam_journal.NAME).stat().st_mode & 0o777 == 0o600
    assert loop.cloud.environment()["AWS_ACCESS_KEY_ID"] == loop.cloud.administrator[0]
    assert loop.cloud.environment(operator_user.NAME)["AWS_ACCESS_KEY_ID"].startswith("AKIA")
