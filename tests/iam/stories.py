"""The whole loop, everybody in it as themselves: operator, functions, pipelines, schedules, approvers."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import boto3
import pytest

from handsoff.operating.executions import (
    evidence_of,
    find_execution,
    is_settled,
    newest_executions,
    package_of,
)
from handsoff.operating.quarantine import quarantined_files
from local import infrastructure, operator_user
from retraining import evidence
from retraining.aws import clients, pipelines, registry, settings
from retraining.aws.ledger import once
from retraining.aws.pipelines import Execution
from retraining.collaborators import Collaborators
from retraining.errors import EvaluationError
from retraining.facts import keys
from retraining.facts.starts import BadFile
from retraining.starts import bucket as data_bucket
from retraining.starts import quarantine
from tests.functions.fakes import Context, about
from tests.invocations import invoke
from tests.loop.conftest import TITANIC, Loop, handsoff, wait
from tests.loop.visitors import fields, send
from tests.slack.stand_in import Slack

Json = dict[str, Any]
TRAIN, VALIDATION = ((TITANIC / f"{split}.csv").read_bytes() for split in ("train", "validation"))
HEADER, *ROWS = TRAIN.splitlines(keepends=True)
SMALL = HEADER + b"".join(ROWS[:300])
BAD = HEADER + ROWS[0].replace(b'"Allen, Miss. Elisabeth Walton"', b'"\\\\"')  # can be read in two ways
VERSUS = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.05}}
EASY = {"metric": "accuracy", "min": 0.5}
MANY_USERS: Final = [f"U{number:010}" for number in range(700)]
"""So many that SSM cannot hold a configuration that names them."""

HOLD = {
    "approval": {"rules": [EASY, {"metric": "recall", "min": 0.99, "on_fail": "hold"}]},
    "approvers": {"slack_channel": "#ml-approvals", "slack_users": ["U0123ABCD", *MANY_USERS]},
}

MODELS: Json = {
    "page": HOLD,
    "slack": HOLD,
    "command": {**HOLD, "training": {"estimator": "logistic_regression"}},
    "stale": {"approval": {"rules": [EASY, VERSUS]}},
    "bad": {"approval": {"rules": [EASY]}},
    "broken": {"approvers": {"slack_users": MANY_USERS}},
    # Its landings wait for a day, so the schedule asks first.
    "scheduled": {
        "retrain": {"schedule": "rate(7 days)", "ready": {"when": "quiet", "quiet_period": "1d"}},
        "approval": {"rules": [EASY]},
    },
    "quiet": {
        "retrain": {"ready": {"when": "quiet", "quiet_period": "2s"}},
        "approval": {"rules": [EASY]},
    },
}
FUNCTIONS = (
    "start-retraining",
    "reconcile",
    "track-execution",
    "judge-candidate",
    "record-decision",
    "review-candidate",
    "notify-slack",
)


def tell(loop: Loop, slack: Slack) -> Json:
    """Let everything happen; what came of it, for the tests to look at."""
    found: Json = {"published": operator(loop, "publish")}
    for name in ("page", "slack", "stale"):
        loop.land(name, SMALL)
    found["landed"] = land(loop, "command", {"train.csv": SMALL, "validation.csv": VALIDATION})
    put(loop, "scheduled", {"train.csv": SMALL, "validation.csv": VALIDATION})
    fire_schedule(loop, "scheduled")
    put(loop, "broken", {"train.csv": b"nonsense\n1\n", "validation.csv": VALIDATION})
    found["broken"] = start_by_hand(loop, "broken")
    files = {"train/good.csv": SMALL, "train/bad.csv": BAD, "validation.csv": VALIDATION}
    put(loop, "bad", {**files, "_SUCCESS": b""})

    leave_nonsense_for_slack(loop)
    found["page"] = decide_on_the_page(loop)
    found["slack"] = decide_in_slack(loop, slack)
    found["command"] = decide_by_command(loop)
    found["links"] = mint_links(loop)
    found["console"] = decide_in_the_console(loop)
    found["released"] = release(loop)
    found["stale"] = put_the_champion_aside(loop)
    found["scheduled"] = evidence_of(loop.deployment, loop.settled("scheduled", 1))
    found["failed"] = loop.told("broken", "execution_failed")
    found["keys of jobs"] = {begin_of_a_jobs_key(loop)}
    found["stopped"] = [stop(loop, step) for step in ("DataPreProcessing", "TrainModel")]
    found["reconciled"] = only_the_sweep(loop)
    fail_everywhere(loop)
    send_again(loop)
    found["races"] = [race(loop, function) for function in ("start-retraining", "reconcile")]
    without_job = start_by_hand(loop, "page", ProcessingInstanceType="none")
    over(loop, without_job)
    operator(loop, "status", "page")
    found["told"] = [
        told
        for model in ("page", "slack")
        for told in json.loads(operator(loop, "notifications", model, "--limit", "50", "--json"))
    ]
    for function in FUNCTIONS:
        with acting(loop, function) as using:
            give_back(using, function)
            look_for_nothing(using, function, without_job)
    found["asked"] = operator(loop, "start", "broken")
    publish_anew(loop)
    rotate_keys(loop)
    break_off_an_upload(loop)
    return found


def operator(loop: Loop, *arguments: str, code: int = 0) -> str:
    """What `handsoff` says to data-science-user."""
    return handsoff(loop, *arguments, code=code, user=operator_user.NAME).stdout


def client(loop: Loop, service: str) -> Any:
    """A client of data-science-user, as the AWS command line has one."""
    key, secret = loop.cloud.keys(operator_user.NAME)
    session = boto3.Session(key, secret, region_name=loop.cloud.region)
    return session.client(service, endpoint_url=loop.cloud.endpoint)  # type: ignore[call-overload]


def put(loop: Loop, model: str, files: dict[str, bytes]) -> None:
    """Phase 01 lands files. Who that is, is not ours to say: the administrator here."""
    for name, body in files.items():
        loop.deployment.s3.put_object(Bucket=loop.deployment.bucket, Key=f"curated/{model}/{name}", Body=body)


def land(loop: Loop, model: str, files: dict[str, bytes]) -> str:
    """`handsoff land`."""
    paths = [Path(loop.config).parent / name for name in files]
    for path, body in zip(paths, files.values(), strict=True):
        path.write_bytes(body)
    return operator(loop, "land", model, *map(str, paths))


def fire_schedule(loop: Loop, model: str) -> None:
    """The schedule that was provisioned, a second from now."""
    scheduler = loop.deployment.session.client("scheduler")
    target: Any = scheduler.get_schedule(Name=f"handsoff-{model}")["Target"]
    scheduler.create_schedule(
        Name="now",
        ScheduleExpression=f"at({datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )


def start_by_hand(loop: Loop, model: str, **parameters: str) -> str:
    """`aws sagemaker start-pipeline-execution`; the execution's ARN."""
    given = [{"Name": name, "Value": value} for name, value in parameters.items()]
    answer = client(loop, "sagemaker").start_pipeline_execution(
        PipelineName=f"handsoff-{model}", PipelineParameters=given
    )
    return str(answer["PipelineExecutionArn"])


def decide_on_the_page(loop: Loop) -> Json:
    """A person without AWS approves behind the signed link."""
    url = loop.told("page", "waiting")["reviewUrl"]
    _, _, page = send(loop, "GET", url)
    typed = {"decision": "Approved", "name": "Ada", "reason": "good enough"}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://{urlsplit(url).netloc}",
        "Sec-Fetch-Site": "same-origin",
    }
    status, _, text = send(loop, "POST", url, urlencode({**fields(page), **typed}).encode(), headers)
    assert status == 303, text
    return recorded(loop, "page", 1)


def leave_nonsense_for_slack(loop: Loop) -> None:
    """A message that notify_slack cannot read comes again later."""
    sqs = loop.cloud.client("sqs")
    url = sqs.get_queue_url(QueueName="handsoff-slack")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="nonsense")


def decide_in_slack(loop: Loop, slack: Slack) -> Json:
    """An approver presses the button in Slack."""
    loop.told("slack", "waiting")
    posted = wait(
        "the message in Slack",
        lambda: next((item for item in slack.messages() if item["text"].startswith("slack: ")), None),
    )
    headers, body = slack.press(posted, "approve", reason="looks right")
    status, _, text = send(loop, "POST", f"{loop.deployment.outputs['ReviewUrl']}slack", body, headers)
    assert status == 200, text
    return recorded(loop, "slack", 1)


def decide_by_command(loop: Loop) -> Json:
    """The operator looks at everything, approves, asks for the anchor, rejects the next one, and takes the
    champion back."""
    loop.told("command", "waiting")
    operator(loop, "status", "command")
    operator(loop, "explain", "command/1")
    operator(loop, "data", "command")
    operator(loop, "approve", "command/1", "--reason", "better than nothing")
    found = recorded(loop, "command", 1)
    operator(loop, "verify", "command")  # exit code 0: evidence, chain, artifact and data are as recorded
    operator(loop, "anchor", "command", "command/1", "--reason", "it is the first one")
    start_by_hand(loop, "command")
    execution = loop.settled("command", 2)
    look_at(loop, execution)
    operator(loop, "reject", "command/2", "--reason", "no better than the champion")
    recorded(loop, "command", 2)
    operator(loop, "models")
    operator(loop, "versions", "command")
    operator(loop, "compare", "command", "1", "2")
    operator(loop, "pause", "command", "--reason", "the source is being repaired")
    operator(loop, "resume", "command")
    package = package_of(loop.deployment, loop.settled("command", 1))
    assert package is not None
    client(loop, "sagemaker").update_model_package(
        ModelPackageArn=package.arn, ModelApprovalStatus="Rejected", ApprovalDescription="not after all"
    )
    loop.told("command", "rolled_back")
    wait("its record", lambda: decision(loop, package.arn).get("status") == "Rejected")
    operator(loop, "rollback", "command", "--to", "1", "--reason", "better than none", "--yes")
    return found


def mint_links(loop: Loop) -> Json:
    """The operator asks for links: refused first, then allowed as aws.link_secret does. A reader opens
    them."""
    refusal = handsoff(loop, "review", "command/1", code=1, user=operator_user.NAME).stderr
    names = {"link_secret": loop.deployment.outputs["LinkSecret"]}
    loop.cloud.client("iam").put_user_policy(
        UserName=operator_user.NAME,
        PolicyName="operator-links",
        PolicyDocument=infrastructure.policy("operator-links", names),
    )
    urls = [
        operator(loop, "review", "command/1", "--read-only").strip(),
        operator(loop, "review", "--model", "command").strip(),
    ]
    return {"refusal": refusal, "statuses": [send(loop, "GET", url)[0] for url in urls]}


def decide_in_the_console(loop: Loop) -> Json:
    """Somebody with AWS sets an approved package back to pending, and approves it after all."""
    change = {"ModelPackageArn": package_arn("page", 1)}
    sagemaker = client(loop, "sagemaker")
    sagemaker.update_model_package(**change, ModelApprovalStatus="PendingManualApproval")
    loop.told("page", "rolled_back")
    wait("its record", lambda: "recordedAt" in decision(loop, package_arn("page", 1)))
    sagemaker.update_model_package(**change, ModelApprovalStatus="Approved", ApprovalDescription="yes")
    wait("the decision", lambda: decision(loop, package_arn("page", 1)).get("by") == "person")
    return recorded(loop, "page", 1)


def look_at(loop: Loop, execution: Execution) -> None:
    """What docs/tutorials/03-sagemaker-pipeline.md looks at with the AWS command line."""
    operator(loop, "evidence", execution.identity)
    operator(loop, "report", execution.identity)
    assert "DataPreProcessing" in operator(loop, "logs", execution.identity)
    sagemaker, logs = client(loop, "sagemaker"), client(loop, "logs")
    sagemaker.describe_pipeline(PipelineName=execution.pipeline)
    for step in execution.steps[:2]:
        assert step.arn is not None
        assert step.logs is not None
        name = step.arn.rpartition("/")[2]
        if step.type == "Training":
            sagemaker.describe_training_job(TrainingJobName=name)
        else:
            sagemaker.describe_processing_job(ProcessingJobName=name)
        streams = logs.describe_log_streams(
            logGroupName=step.logs.group, logStreamNamePrefix=step.logs.stream_prefix
        )["logStreams"]
        logs.get_log_events(logGroupName=step.logs.group, logStreamName=streams[0]["logStreamName"])
    client(loop, "scheduler").get_schedule(Name="handsoff-scheduled")


def release(loop: Loop) -> Json:
    """A person says how quotes are written, and that what was quarantined is good so. The report says that S3
    did not copy it there."""
    loop.told("bad", "quarantined")
    values = json.loads(loop.config.read_text())
    values["models"]["bad"]["data"] = {"quotes": "doubled"}
    loop.config.write_text(json.dumps(values))
    operator(loop, "publish", "bad")
    s3, bucket, name = loop.deployment.s3, loop.deployment.bucket, "quarantine/bad/train/bad.csv.report.json"
    report = json.loads(s3.get_object(Bucket=bucket, Key=name)["Body"].read())
    s3.put_object(Bucket=bucket, Key=name, Body=json.dumps({**report, "notCopied": "archived"}))
    operator(loop, "release", "bad", "train/bad.csv")
    return evidence_of(loop.deployment, loop.settled("bad", 1))


def put_the_champion_aside(loop: Loop) -> Json:
    """The champion's file is gone: the operator judges the candidate without it."""
    first = package_of(loop.deployment, loop.settled("stale", 1))
    assert first is not None
    assert first.model_uri is not None
    bucket, _, key = first.model_uri.removeprefix("s3://").partition("/")
    loop.deployment.s3.delete_object(Bucket=bucket, Key=key)
    loop.land("stale", SMALL + ROWS[400])
    loop.settled("stale", 2)
    session = loop.deployment.session
    session.client("events").disable_rule(Name="handsoff-package-decided")
    # The event comes later, so the operator's command is first: it appends and signs a record.
    operator(loop, "judge", "stale/2", "--without-champion", "--reason", "its file was deleted")
    session.client("events").enable_rule(Name="handsoff-package-decided")
    second = package_of(loop.deployment, loop.settled("stale", 2))
    assert second is not None
    event = json.dumps(about(f"package_decided.{second.approval_status.lower()}", second.arn)).encode()
    invoke(session.client("lambda"), "handsoff-record-decision", event, kind="Event")
    return recorded(loop, "stale", 2)


def begin_of_a_jobs_key(loop: Loop) -> str:
    """The first four characters of the access key that a job of the pipelines' role is given."""
    sagemaker, logs = loop.cloud.client("sagemaker"), loop.cloud.client("logs")
    name = "pipelines-tells-its-key"
    execution = find_execution(loop.deployment, loop.settled("scheduled", 1).arn)
    step = next(step for step in execution.steps if step.name == "DataPreProcessing")
    job = sagemaker.describe_processing_job(ProcessingJobName=str(step.arn).rpartition("/")[2])
    program = ["python3", "-c", "import os; print(os.environ['AWS_ACCESS_KEY_ID'][:4])"]
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        ProcessingResources=job["ProcessingResources"],
        AppSpecification={**job["AppSpecification"], "ContainerEntrypoint": program},
        RoleArn=job["RoleArn"],
    )

    def ended() -> bool:
        answer = sagemaker.describe_processing_job(ProcessingJobName=name)
        return bool(answer["ProcessingJobStatus"] == "Completed")

    wait("the job that tells its key", ended)
    group = "/aws/sagemaker/ProcessingJobs"
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    _, line = events  # the first one says which packages the job has
    return str(line["message"]).strip()


def environment_of(loop: Loop, function: str) -> dict[str, str]:
    """The environment that a function of the same role sees: nothing outside its process shows it."""
    client = loop.cloud.client("lambda")
    like = client.get_function_configuration(FunctionName=function)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tells.py", "import os\ndef handler(*_): return dict(os.environ)\n")
    client.create_function(
        FunctionName=f"{function}-tells",
        Role=like["Role"],
        Runtime=like["Runtime"],
        Handler="tells.handler",
        Code={"ZipFile": packed.getvalue()},
        Layers=[layer["Arn"] for layer in like["Layers"]],
    )
    environment: dict[str, str] = json.loads(invoke(client, f"{function}-tells"))
    return environment


def stop(loop: Loop, step: str) -> Json:
    """The operator stops an execution while a job of this step runs."""
    sagemaker = client(loop, "sagemaker")
    with loop.held(step) as holds:
        arn = sagemaker.start_pipeline_execution(PipelineName="handsoff-scheduled")["PipelineExecutionArn"]
        wait(f"{step} to begin", lambda: holds)
        operator(loop, "stop", arn, "--reason", "to see that it stops")
    return over(loop, arn)


def over(loop: Loop, arn: str) -> Json:
    """What SageMaker says of an execution once it has ended."""

    def look() -> Json | None:
        answer: Json = client(loop, "sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
        return answer if answer["PipelineExecutionStatus"] not in ("Executing", "Stopping") else None

    return wait("the execution to end", look)


def only_the_sweep(loop: Loop) -> Json:
    """No event arrives: the sweep quarantines, starts, finds ends, judges, records and takes back."""
    events = loop.deployment.session.client("events")
    lost = [f"handsoff-{rule}" for rule in ("candidate-registered", "package-decided", "execution-changed")]
    for rule in lost:
        events.disable_rule(Name=rule)
    put(loop, "quiet", {"train/good.csv": SMALL, "train/bad.csv": BAD, "validation.csv": VALIDATION})
    loop.drained()

    def sweep(ahead: timedelta, until: Callable[[], Any]) -> Any:
        with acting(loop, "reconcile", ahead) as using:
            import reconcile

            def look() -> Any:
                reconcile.handler({}, Context(), using=using)
                return until()

            return wait("the sweep", look)

    sweep(timedelta(), lambda: quarantined_files(loop.deployment, "quiet"))
    put(loop, "quiet", {"train/bad.csv": HEADER + b"".join(ROWS[300:310])})
    loop.drained()
    sweep(timedelta(), lambda: newest_executions(loop.deployment, "quiet", 1))
    ended = wait("its end", lambda: newest_executions(loop.deployment, "quiet", 1)[0].terminal)
    assert ended
    execution = newest_executions(loop.deployment, "quiet", 1)[0]
    package = package_of(loop.deployment, execution)
    assert package is not None
    later = timedelta(hours=1)
    sweep(later, lambda: is_settled(loop.deployment, execution, package_of(loop.deployment, execution)))
    sweep(2 * later, lambda: "recordedAt" in decision(loop, package.arn))
    failed = start_by_hand(loop, "broken")
    over(loop, failed)
    sweep(2 * later, lambda: (loop.items.get(f"execution#{failed}") or {}).get("settled"))
    found = evidence_of(loop.deployment, execution)
    loop.deployment.sagemaker.update_model_package(
        ModelPackageArn=package.arn, ModelApprovalStatus="Rejected", ApprovalDescription="no"
    )
    sweep(3 * later, lambda: decision(loop, package.arn).get("status") == "Rejected")
    loop.told("quiet", "rolled_back")
    operator(loop, "rollback", "quiet", "--to", "1", "--reason", "better than none", "--yes")
    for rule in lost:
        events.enable_rule(Name=rule)
    return found


def fail_everywhere(loop: Loop) -> None:
    """What no function can handle ends in the failure queue."""
    functions, ssm = loop.deployment.session.client("lambda"), loop.deployment.ssm
    for name in FUNCTIONS[2:]:
        if name != "review-candidate":  # which nobody invokes asynchronously
            invoke(functions, f"handsoff-{name}", kind="Event")
    ssm.put_parameter(Name="/handsoff/models/wrong", Value="{}", Type="String")
    loop.items.mark("model#wrong", {"state": "nonsense", "version": 1})
    invoke(functions, "handsoff-reconcile", kind="Event")
    seen: set[str] = set()

    def all_there() -> bool:
        url = loop.deployment.outputs["FailuresQueue"]
        got = loop.deployment.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1)
        for message in got.get("Messages", []):
            context = json.loads(message["Body"]).get("requestContext", {})
            seen.add(context.get("functionArn", "").rpartition(":")[2])
        return len(seen - {""}) >= 5

    wait("every failure", all_there)
    ssm.delete_parameter(Name="/handsoff/models/wrong")


def send_again(loop: Loop) -> None:
    """The operator looks at what lies in the failure queues, and sends it again."""
    sqs, unknown = loop.cloud.client("sqs"), {"notificationId": "1", "kind": "quarantined", "model": "bad"}
    for name, body in (("landings", {"source": "nobody"}), ("slack", unknown)):
        url = sqs.get_queue_url(QueueName=f"handsoff-{name}-failures")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    operator(loop, "failures")
    operator(loop, "redrive")


class Racing:
    """S3, where a newer version of a file lands just before the marker that hides it is set."""

    def __init__(self, s3: Any, land: Callable[[], object]) -> None:
        self._s3, self._land = s3, land

    def delete_object(self, **request: Any) -> Any:
        self._land()
        return self._s3.delete_object(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


def race(loop: Loop, function: str) -> bytes:
    """A corrected file lands while the bad one is hidden: what lies in curated/ then."""
    key = f"curated/broken/train/{function}.csv"
    s3, bucket = loop.deployment.s3, loop.deployment.bucket
    put = s3.put_object(Bucket=bucket, Key=key, Body=BAD)
    version, etag = put["VersionId"], put["ETag"].strip('"')
    item = BadFile(key=key, version_id=version, etag=etag, size=1, kind="one_row", text="one row")
    now = datetime.now(UTC)
    with acting(loop, function) as using:
        racing: Any = Racing(using.s3, lambda: s3.put_object(Bucket=bucket, Key=key, Body=SMALL))
        for _ in range(2):  # the second call finds what the first one has put
            late = replace(using, s3=racing)
            quarantine.move_files("broken", [item], late, noted_at=now, tries=1)
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def give_back(using: Collaborators, function: str) -> None:
    """What a function claims in the ledger and cannot do, it gives back."""

    def fail() -> None:
        raise ConnectionError

    with suppress(ConnectionError):
        once(using.ledger, keys.notification(f"given-back-by-{function}"), fail, now=datetime.now(UTC))


def look_for_nothing(using: Collaborators, function: str, execution_arn: str) -> None:
    """What a function reads may not be there: a step without job, a file that nobody has written yet."""
    if function != "notify-slack":
        execution = pipelines.describe(using.sagemaker, execution_arn)
        assert execution.steps[0].arn is None
    if function in ("start-retraining", "reconcile"):
        assert data_bucket.read_manifest(using.s3, using.settings.bucket, "page", "none") == []
    elif function == "notify-slack":
        package = registry.package(using.sagemaker, package_arn("page", 1))
        with pytest.raises(EvaluationError, match="does not exist"):
            registry.evaluation(using.s3, replace(package, evaluation_uri=nothing(using)))
    else:
        assert evidence.gather(using.sources, "page", execution)["metrics"] == {}


def nothing(using: Collaborators) -> str:
    return f"s3://{using.settings.bucket}/models/page/none/evaluation.json"


def rotate_keys(loop: Loop) -> None:
    """The operator's second key, as docs/how-to/operator.md makes one; the first is the one that stays."""
    iam = client(loop, "iam")
    key = iam.create_access_key(UserName=operator_user.NAME)["AccessKey"]["AccessKeyId"]
    iam.list_access_keys(UserName=operator_user.NAME)
    iam.update_access_key(UserName=operator_user.NAME, AccessKeyId=key, Status="Inactive")
    iam.delete_access_key(UserName=operator_user.NAME, AccessKeyId=key)


class Breaking:
    """A large file that cannot be read to its end."""

    def __init__(self) -> None:
        self._left = 9 * 2**20

    def read(self, size: int) -> bytes:
        if self._left <= 0:
            raise OSError
        self._left -= size
        return b"," * size


def break_off_an_upload(loop: Loop) -> None:
    """What was uploaded of a large file is taken back when the rest cannot be."""
    with pytest.raises(OSError):  # noqa: PT011 - it is the file's own
        client(loop, "s3").upload_fileobj(Breaking(), loop.deployment.bucket, "curated/broken/train.csv")


def package_arn(model: str, version: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-{model}/{version}"


def publish_anew(loop: Loop) -> None:
    """A config with other columns is other code, another pipeline, other rules."""
    values = json.loads(loop.config.read_text())
    values["models"]["broken"]["features"]["numeric"] = ["age"]
    loop.config.write_text(json.dumps(values))
    assert "pipeline updated" in operator(loop, "publish", "broken")


@contextmanager
def acting(loop: Loop, function: str, ahead: timedelta = timedelta()) -> Iterator[Collaborators]:
    """What a function works with, in this process: by its own role, with a clock that may be ahead."""
    found = loop.cloud.client("lambda").get_function_configuration(FunctionName=f"handsoff-{function}")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found["Environment"]["Variables"].items():
            patch.setenv(name, value)
        for name, value in role_environment(loop, found["Role"]).items():
            patch.setenv(name, value)
        try:
            clients._session.cache_clear()
            settings._secrets.cache_clear()
            Collaborators.real.__func__.cache_clear()  # type: ignore[attr-defined]
            yield replace(Collaborators.real(), clock=lambda: datetime.now(UTC) + ahead)
        finally:
            clients._session.cache_clear()
            settings._secrets.cache_clear()
            Collaborators.real.__func__.cache_clear()  # type: ignore[attr-defined]


def role_environment(loop: Loop, role: str) -> dict[str, str]:
    """The variables of who has assumed `role`. The administrator may assume any that trusts a service."""
    session = loop.cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }


def decision(loop: Loop, arn: str) -> Json:
    return loop.items.get(keys.decision(arn).text) or {}


def recorded(loop: Loop, model: str, number: int) -> Json:
    """The evidence, once the decision has been recorded."""
    execution = loop.settled(model, number)
    package = package_of(loop.deployment, execution)
    assert package is not None
    wait(f"the decision on {model}", lambda: "recordedAt" in decision(loop, package.arn))
    return evidence_of(loop.deployment, execution)
