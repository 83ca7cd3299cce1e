"""The whole loop on AWS on this machine: real deployment, events, functions and steps."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from handsoff.operating.executions import evidence_of, find_execution, newest_executions, package_of
from local.tarballs import extract
from retraining.aws import pipelines, registry
from tests.invocations import invoke
from tests.loop.conftest import TITANIC, Loop, handsoff, wait

pytestmark = pytest.mark.story

STORIES: dict[str, Any] = {
    name: {} for name in ("twice", "shuffled", "broken", "bare", "overwritten", "requested")
}
TRAIN = (TITANIC / "train.csv").read_bytes()
STEPS = ["DataPreProcessing", "TrainModel", "ModelEvaluation", "RegisterModel"]


def rows(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode())))


def as_csv(table: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table)
    return out.getvalue().encode()


def test_same_bytes_start_once_and_other_rows_are_compared_with_the_champion(loop: Loop) -> None:
    loop.land("twice", TRAIN)
    first = loop.settled("twice", 1)
    assert first.status == "Succeeded"
    assert [step.name for step in first.steps] == STEPS
    champion = package_of(loop.deployment, first)
    assert champion is not None
    assert champion.approval_status == "Approved"

    loop.land("twice", TRAIN)
    loop.drained()
    assert len(newest_executions(loop.deployment, "twice", 10)) == 1

    loop.land("twice", TRAIN[: TRAIN.rstrip(b"\n").rindex(b"\n") + 1])  # one row fewer
    second = loop.settled("twice", 2)
    assert second.parameters["Champion"] == champion.arn
    found = evidence_of(loop.deployment, second)
    assert found["verdict"]["champion"] == champion.arn
    compared = next(rule for rule in found["verdict"]["rules"] if "champion" in rule["text"])
    assert compared["outcome"] == "pass"
    assert found["modelApprovalStatus"] == "Approved"
    assert loop.told("twice", "approved")["decision"] == "APPROVE"


def test_candidate_of_shuffled_labels_is_rejected_with_its_reason(loop: Loop) -> None:
    head, *body = rows(TRAIN)
    target = head.index("survived")
    labels = [row[target] for row in body]
    random.Random(0).shuffle(labels)
    for row, label in zip(body, labels, strict=True):
        row[target] = label
    loop.land("shuffled", as_csv([head, *body]))
    execution = loop.settled("shuffled", 1)
    package = package_of(loop.deployment, execution)
    assert package is not None
    assert package.approval_status == "Rejected"
    assert package.approval_description is not None
    assert package.approval_description.startswith("REJECT by rules: accuracy: 0.")
    assert "needs ≥ 0.78 → fail" in package.approval_description
    assert loop.told("shuffled", "rejected")["modelPackageArn"] == package.arn


def test_preprocessing_without_the_target_fails_and_names_the_column(loop: Loop) -> None:
    """If it landed, it would go to quarantine. A start by hand inspects no file first."""
    head, *body = rows(TRAIN)
    target = head.index("survived")
    s3, bucket = loop.deployment.s3, loop.deployment.bucket
    without = as_csv([row[:target] + row[target + 1 :] for row in [head, *body]])
    s3.put_object(Bucket=bucket, Key="curated/broken/train.csv", Body=without)
    validation = (TITANIC / "validation.csv").read_bytes()
    s3.put_object(Bucket=bucket, Key="curated/broken/validation.csv", Body=validation)
    loop.deployment.sagemaker.start_pipeline_execution(PipelineName="handsoff-broken")  # type: ignore[call-arg]
    execution = loop.settled("broken", 1)
    assert execution.status == "Failed"
    (step,) = execution.steps
    assert (step.name, step.type, step.status) == ("DataPreProcessing", "Processing", "Failed")
    assert "survived" in (step.failure_reason or "")
    told = loop.told("broken", "execution_failed")
    assert "survived" in told["reasons"][0]

    def recorded() -> dict[str, Any] | None:
        fact = loop.items.get(f"execution#{execution.arn}") or {}
        return fact if fact.get("final") else None

    fact = wait("the end in the ledger", recorded)
    assert any("survived" in line for line in fact["logLines"]["DataPreProcessing"])


def test_execution_started_by_hand_is_judged(loop: Loop) -> None:
    s3, bucket = loop.deployment.s3, loop.deployment.bucket
    for name in ("train.csv", "validation.csv"):  # no marker: nothing starts by itself
        s3.put_object(Bucket=bucket, Key=f"curated/bare/{name}", Body=(TITANIC / name).read_bytes())
    arns = []
    for number in (1, 2):
        arn = loop.deployment.sagemaker.start_pipeline_execution(PipelineName="handsoff-bare")  # type: ignore[call-arg]
        arns.append(arn["PipelineExecutionArn"])
        loop.settled("bare", number)
    found = evidence_of(loop.deployment, find_execution(loop.deployment, arns[1]))
    assert found["trigger"]["kind"] == "manual"
    assert found["modelApprovalStatus"] == "Approved"
    assert found["verdict"]["champion"].endswith("/handsoff-bare/1")
    assert len(found["data"]["batch"]) == 64


def test_file_overwritten_after_the_start_does_not_reach_the_execution(loop: Loop) -> None:
    s3, bucket = loop.deployment.s3, loop.deployment.bucket
    loop.land("overwritten", TRAIN)
    wait("the execution", lambda: newest_executions(loop.deployment, "overwritten", 1))
    s3.put_object(Bucket=bucket, Key="curated/overwritten/train.csv", Body=b"survived\nnonsense\n")
    execution = loop.settled("overwritten", 1)
    assert execution.status == "Succeeded"
    data = evidence_of(loop.deployment, execution)["data"]
    train = next(file for file in data["files"] if file["key"].endswith("/train.csv"))
    assert (train["rows"], train["bytes"]) == (1047, len(TRAIN))
    assert execution.start_time is not None


PREDICT = """
import json, sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]) / "code"))
import inference
model = inference.model_fn(sys.argv[1])
body = Path(sys.argv[2]).read_text()
answer, _ = inference.output_fn(
    inference.predict_fn(inference.input_fn(body, "text/csv"), model), "application/json")
print(answer if isinstance(answer, str) else answer.decode())
"""


def test_registered_artifact_predicts_with_the_evaluated_accuracy(loop: Loop, tmp_path: Path) -> None:
    loop.land("twice", TRAIN)
    package = package_of(loop.deployment, loop.settled("twice", 1))
    assert package is not None
    assert package.model_uri is not None
    bucket, _, key = package.model_uri.removeprefix("s3://").partition("/")
    loop.deployment.s3.download_file(bucket, key, str(tmp_path / "model.tar.gz"))
    with tarfile.open(tmp_path / "model.tar.gz") as archive:
        extract(archive, tmp_path / "model")
    answer = subprocess.run(
        [sys.executable, "-I", "-c", PREDICT, str(tmp_path / "model"), str(TITANIC / "validation.csv")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    predictions = json.loads(answer.stdout)
    labels = [item["label"] for item in predictions["predictions"]]
    head, *body = rows((TITANIC / "validation.csv").read_bytes())
    truth = [int(row[head.index("survived")]) for row in body]
    right = sum(int(label) == true for label, true in zip(labels, truth, strict=True))
    evaluation = registry.evaluation(loop.deployment.s3, package)
    assert evaluation.candidate.n == len(truth) == 262
    assert right / len(truth) == pytest.approx(evaluation.candidate.metrics["accuracy"].value, abs=1e-12)


def test_command_line_lands_starts_and_shows_status_and_evidence(loop: Loop, tmp_path: Path) -> None:
    for name in ("train.csv", "validation.csv"):
        (tmp_path / name).write_bytes((TITANIC / name).read_bytes())
    landed = handsoff(
        loop, "land", "requested", str(tmp_path / "train.csv"), str(tmp_path / "validation.csv")
    )
    assert "curated/requested/train.csv" in landed.stdout
    assert loop.settled("requested", 1).status == "Succeeded"
    handsoff(loop, "start", "requested")
    execution = loop.settled("requested", 2)

    shown = json.loads(handsoff(loop, "status", "requested", "--json").stdout)
    decided = [item["modelApprovalStatus"] for item in shown["requested"]["executions"]]
    assert decided == ["Approved", "Approved"]
    found = json.loads(handsoff(loop, "evidence", execution.identity, "--json").stdout)
    assert found["trigger"]["kind"] == "request"
    assert found["trigger"]["requestedBy"].startswith("arn:aws:")
    assert [step["name"] for step in found["steps"]] == STEPS
    assert all(
        step["status"] == "Succeeded" and step["startTime"] and step["endTime"] for step in found["steps"]
    )
    assert found["decidedBy"] == "rules"
    copy = loop.deployment.s3.get_object(
        Bucket=loop.deployment.bucket, Key=f"evidence/requested/{execution.identity}/evidence.json"
    )
    assert json.loads(copy["Body"].read()) == found
    for step in found["steps"][:3]:
        lines = pipelines.last_log_lines(
            loop.deployment.session.client("logs"),
            pipelines.Logs(step["logs"]["group"], step["logs"]["streamPrefix"]),
        )
        assert lines, step
    published = handsoff(loop, "publish", "requested").stdout
    assert "pipeline unchanged, rules and settings unchanged" in published
    assert "accuracy: 0." in handsoff(loop, "evidence", execution.identity).stdout
    assert "RegisterModel" in handsoff(loop, "status", "requested").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("land", "unknown", "x.csv"), "no model unknown in"),
        (("land", "twice", "does-not-exist.csv"), "does-not-exist.csv is no file: nothing was landed"),
        (("land", "twice", "pyproject.toml"), "its name says neither train nor validation"),
        (("evidence", "nosuch"), "no execution nosuch among the newest 100 of each model"),
        (("start", "unknown"), "no model unknown in"),
    ],
)
def test_command_with_a_wrong_argument_answers_in_one_line(
    loop: Loop, arguments: tuple[str, ...], message: str
) -> None:
    done = handsoff(loop, *arguments, code=1)
    text = " ".join(done.stderr.split())
    assert text.startswith("handsoff: ")
    assert message in text
    assert "Traceback" not in done.stderr


ALONE = """
import importlib, os, sys
layer, code, handler = sys.argv[1:]
sys.path[:] = [code, layer, *(path for path in sys.path if "site-packages" not in path)]
os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "PREFIX": "p", "DATA_BUCKET": "b", "LEDGER_TABLE": "t",
               "NOTIFICATIONS_TOPIC": "arn"}
module, name = handler.split(".")
function = importlib.import_module(module)
from retraining.collaborators import Collaborators
Collaborators.real().s3.meta
assert callable(getattr(function, name))
for package in ("botocore", "pydantic"):
    assert sys.modules[package].__file__.startswith(layer)
"""


@pytest.mark.parametrize(
    ("function", "handler"),
    [
        ("StartRetraining", "start_retraining.handler"),
        ("TrackExecution", "track_execution.handler"),
        ("JudgeCandidate", "judge_candidate.handler"),
        ("RecordDecision", "record_decision.handler"),
        ("Reconcile", "reconcile.handler"),
    ],
)
def test_function_imports_with_its_code_and_layer_alone(loop: Loop, function: str, handler: str) -> None:
    """AWS on this machine runs functions with its own packages in reach, which would hide a missing one."""
    layer, code = loop.build / "Dependencies" / "python", loop.build / function
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE, str(layer), str(code), handler],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(code.rglob("*.pyc"))


def test_event_that_fails_ends_in_the_failure_queue_and_is_sent_again(loop: Loop) -> None:
    """No version of handsoff can read the event: it names no execution."""
    mark = "an event without the ARN of an execution"
    event = json.dumps({"detail": {"note": mark}}).encode()
    invoke(loop.deployment.functions, "handsoff-track-execution", event, kind="Event")

    def failed(*known: str) -> str | None:
        """The id of a message in the failure queue that holds the event, and is not known yet."""
        got = loop.deployment.sqs.receive_message(
            QueueUrl=loop.deployment.outputs["FailuresQueue"], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        found = {message["MessageId"]: json.loads(message["Body"]) for message in got.get("Messages", [])}
        return next((i for i, body in found.items() if i not in known and mark in json.dumps(body)), None)

    first = wait("the event in the failure queue", failed)
    assert first
    shown = {one["id"]: one for one in json.loads(handsoff(loop, "failures", "--json").stdout)}
    assert shown[first]["queue"] == "handsoff-failures"
    assert shown[first]["sentAgain"] == "to the function handsoff-track-execution"
    assert "1 validation error for ExecutionChanged" in shown[first]["why"]
    assert json.loads(shown[first]["body"]) == {"detail": {"note": mark}}

    assert f"sent again: {first[:8]}" in handsoff(loop, "redrive", first).stdout
    second = wait("the event in the failure queue again", lambda: failed(first))
    left = [one["id"] for one in json.loads(handsoff(loop, "failures", "--json").stdout)]
    assert (first in left, second in left) == (False, True)
    assert f"removed: {second[:8]}" in handsoff(loop, "redrive", second, "--remove").stdout
    assert failed() is None
