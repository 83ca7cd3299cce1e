"""Evidence on AWS on this machine: whatever happened, each name in it leads to something that is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest

from handsoff.operating.executions import evidence_of, package_of
from retraining.facts import keys
from tests.evidence_form import lost, misfits
from tests.loop.conftest import TITANIC, Loop, handsoff, wait

pytestmark = pytest.mark.story

HELD = {"metric": "recall", "min": 0.99, "on_fail": "hold"}
STORIES: dict[str, Any] = {
    "told": {"approval": {"rules": [{"metric": "accuracy", "min": 0.6}, HELD]}},
    "refuted": {"approval": {"rules": [{"metric": "accuracy", "min": 0.99}]}},
    "oneclass": {},
}
TRAIN = (TITANIC / "train.csv").read_bytes()


@pytest.fixture(scope="module", autouse=True)
def landed(loop: Loop) -> None:
    """All first batches land at once. Only DataPreProcessing finds that one has rows of one class only."""
    for name in ("told", "refuted"):
        loop.land(name, TRAIN)
    table = pd.read_csv(TITANIC / "train.csv")
    loop.land("oneclass", table[table.survived == 1].to_csv(index=False).encode())


def names(value: Any) -> Iterator[str]:
    """Every ARN and every address in S3 that is a value of its own."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from names(item)
    elif isinstance(value, str) and value.startswith(("arn:", "s3://")) and " " not in value:
        yield value


def resolve(loop: Loop, name: str) -> None:
    """Ask AWS for what this names. Raises ClientError, or fails, where it is not there."""
    sagemaker = loop.deployment.sagemaker
    if name.startswith("s3://"):
        uri = urlsplit(name)
        found = loop.deployment.s3.list_objects_v2(Bucket=uri.netloc, Prefix=uri.path.lstrip("/"))
        assert found["KeyCount"] > 0, name
        return
    service, kind = name.split(":")[2], name.split(":", 5)[5].partition("/")[0]
    last = name.rsplit("/", 1)[-1]
    if service in ("iam", "sts"):
        iam = loop.deployment.session.client("iam")
        assert kind == "root" or iam.get_user(UserName=last)["User"]["Arn"] == name
    elif "/execution/" in name:
        assert (
            sagemaker.describe_pipeline_execution(PipelineExecutionArn=name)["PipelineExecutionArn"] == name
        )
    elif kind == "processing-job":
        assert sagemaker.describe_processing_job(ProcessingJobName=last)["ProcessingJobArn"] == name
    elif kind == "training-job":
        assert sagemaker.describe_training_job(TrainingJobName=last)["TrainingJobArn"] == name
    elif kind == "model-package":
        assert sagemaker.describe_model_package(ModelPackageName=name)["ModelPackageArn"] == name
    else:
        pytest.fail(f"evidence names {name}, and this test cannot ask for it")


def digest(loop: Loop, uri: str, version: str) -> str:
    """The SHA-256 of one version of an object."""
    where = urlsplit(uri)
    answer = loop.deployment.s3.get_object(Bucket=where.netloc, Key=where.path.lstrip("/"), VersionId=version)
    return hashlib.sha256(answer["Body"].read()).hexdigest()


def check(loop: Loop, name: str, number: int = 1) -> dict[str, Any]:
    """The copy in S3 of the evidence of a model's execution, once each name and each hash in it holds."""
    execution = loop.settled(name, number)
    s3, bucket = loop.deployment.s3, loop.deployment.bucket
    key = f"evidence/{name}/{execution.identity}/evidence.json"
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    found: dict[str, Any] = json.loads(body)
    assert misfits(found) == []
    assert found["missing"] == []
    for one in sorted(set(names(found))):
        resolve(loop, one)
    data, documents = found["data"], [found["evaluation"], found["artifact"]]
    for what in ("manifest", "report"):
        version, sha256 = data[f"{what}VersionId"], data[f"{what}Sha256"]
        documents.append(data[what] and {"uri": data[what], "versionId": version, "sha256": sha256})
    for document in filter(None, documents):
        assert digest(loop, document["uri"], document["versionId"]) == document["sha256"], document
    assert data["fileCount"] == len(data["files"]) == 2
    for file in data["files"]:
        head = s3.head_object(Bucket=bucket, Key=file["key"], VersionId=file["versionId"])
        assert (head["ETag"].strip('"'), head["ContentLength"]) == (file["etag"], file["size"])
        if file["sha256"]:
            assert digest(loop, f"s3://{bucket}/{file['key']}", file["versionId"]) == file["sha256"]
    for step in found["steps"]:
        if step["logs"]:
            group, prefix = step["logs"]["group"], step["logs"]["streamPrefix"]
            logs = loop.deployment.session.client("logs")
            answer = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)
            assert answer["logStreams"], step
    return found


def versions(loop: Loop, key: str) -> list[bytes]:
    """The bodies of all versions of an object, the oldest first."""
    s3, bucket = loop.deployment.s3, loop.deployment.bucket
    listed = s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    return [
        s3.get_object(Bucket=bucket, Key=key, VersionId=item["VersionId"])["Body"].read()
        for item in reversed(listed)
    ]


def kinds(found: dict[str, Any]) -> list[str]:
    return [fact["kind"] for fact in found["facts"]]


def recorded(loop: Loop, name: str, status: str) -> None:
    """Wait until this decision on a model's first package is recorded."""
    package = package_of(loop.deployment, loop.settled(name, 1))
    assert package is not None

    def look() -> bool:
        fact = loop.deployment.ledger.get(keys.decision(package.arn))
        return fact is not None and fact.status == status and fact.recorded_at is not None

    wait(f"{status} of {name}", look)


def test_each_name_in_the_evidence_resolves_after_an_approval_and_a_roll_back(loop: Loop) -> None:
    loop.told("told", "waiting")
    held = check(loop, "told")
    assert (held["verdict"]["decision"], held["decidedBy"], held["trigger"]["kind"]) == (
        "HOLD",
        None,
        "landing",
    )
    assert held["config"] is not None
    assert held["packages"]["scikit-learn"]
    assert [step["jobArn"] is None for step in held["steps"]] == [False, False, False, True]
    assert kinds(held)[:3] == ["landed", "admitted", "started"]

    handsoff(loop, "approve", "told/1", "--reason", "good enough")
    recorded(loop, "told", "Approved")
    approved = check(loop, "told")
    assert (approved["decidedBy"], approved["decidedWhy"]) == ("operator", "good enough")
    assert {"decided", "anchored", "notified"} <= set(kinds(approved))

    package = approved["modelPackageArn"]
    loop.deployment.sagemaker.update_model_package(
        ModelPackageArn=package, ModelApprovalStatus="Rejected", ApprovalDescription="it is slow"
    )
    recorded(loop, "told", "Rejected")
    gone = check(loop, "told")
    decided = [fact["status"] for fact in gone["facts"] if fact["kind"] == "decided"]
    assert decided == ["Approved", "Rejected"]
    assert "rolledBack" in kinds(gone)
    assert evidence_of(loop.deployment, loop.settled("told", 1)) == gone
    key = f"evidence/told/{gone['pipelineExecutionArn'].rsplit('/', 1)[-1]}/evidence.json"
    assert list(lost(versions(loop, key))) == []


def test_each_name_in_the_evidence_resolves_after_the_rules_have_rejected(loop: Loop) -> None:
    recorded(loop, "refuted", "Rejected")
    found = check(loop, "refuted")
    assert (found["verdict"]["decision"], found["decidedBy"]) == ("REJECT", "rules")
    assert [fact["by"] for fact in found["facts"] if fact["kind"] == "decided"] == ["rules"]


def test_each_name_in_the_evidence_resolves_after_a_failure(loop: Loop) -> None:
    loop.told("oneclass", "execution_failed")
    execution = loop.settled("oneclass", 1)

    def settled() -> bool:
        fact = loop.deployment.ledger.get(keys.execution(execution.arn))
        return fact is not None and fact.settled is True

    wait("the end in the ledger", settled)
    found = check(loop, "oneclass")
    assert (found["pipelineExecutionStatus"], found["trigger"]["kind"]) == ("Failed", "landing")
    assert (found["modelPackageArn"], found["artifact"], found["packages"]) == (None, None, None)
    assert [(file["rows"], file["sha256"]) for file in found["data"]["files"]] == [(None, None)] * 2
    assert [fact["status"] for fact in found["facts"] if fact["kind"] == "stepEnded"] == ["Failed"]
