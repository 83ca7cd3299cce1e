"""The evidence as a record: its schema, its facts from the landing to the decider, and what stays in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from record_decision import handler
from retraining import evidence
from retraining.candidates.decisions import decide
from retraining.collaborators import Collaborators
from retraining.evidence.objects import MAX_FILES
from retraining.facts import keys
from retraining.facts.starts import StartRequest
from tests.evidence_form import lost, misfits
from tests.functions.candidates.sweeping import Unreadable
from tests.functions.fakes import START, Context, about, arn_of, evaluation, in_console, register, was_held
from tests.functions.memory import refused
from tests.functions.world import World

E0 = "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0"
COPY = "evidence/titanic/e0/evidence.json"
CODE, CONFIG, RULES = "ab" * 32, "cd" * 32, "ef" * 32


def using(world: World, minutes: float = 30) -> Collaborators:
    return world.using(Collaborators, clock=lambda: START + timedelta(minutes=minutes))


def write(world: World) -> dict[str, Any]:
    """Write the evidence of version 1's execution; what the copy says then."""
    evidence.write(using(world).sources, "titanic", E0, package_arn=arn_of(1))
    return written(world)


def written(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.s3.get_object(Bucket="data", Key=COPY)["Body"].read())
    return found


def put(world: World, key: str, content: Any) -> str:
    """Put a JSON object; the SHA-256 of its bytes."""
    body = json.dumps(content).encode()
    world.s3.put_object(Bucket="data", Key=key, Body=body)
    return hashlib.sha256(body).hexdigest()


def file_of(name: str, **more: Any) -> dict[str, Any]:
    return {"key": f"curated/titanic/{name}", "versionId": f"v-{name}", "etag": "e", **more}


def job(name: str, minutes: int, status: str = "Succeeded", kind: str = "ProcessingJob") -> dict[str, Any]:
    """A step that ran a job for one minute."""
    arn = f"arn:aws:sagemaker:us-east-1:1:{kind.lower()}/pipelines-e0-{name}-x"
    return {
        "StepName": name,
        "StepStatus": status,
        "StartTime": START + timedelta(minutes=minutes),
        "EndTime": START + timedelta(minutes=minutes + 1),
        "Metadata": {kind: {"Arn": arn}},
    }


def started(world: World) -> None:
    """Let a landing have started the execution that registers version 1, with steps, manifest and report."""
    register(world)
    request = StartRequest(
        cause="landing", trigger="landing", requested_by="s3", at=START - timedelta(minutes=2), version_id="m"
    )
    world.ledger.mark(
        keys.execution(E0),
        trigger="landing",
        cause="landing",
        requested_by="s3",
        requests=(request,),
        start_key="k",
        taken_at=START - timedelta(minutes=1),
        config_sha256=CONFIG,
        rules_sha256=RULES,
    )
    world.sagemaker.definition = [
        {"Name": "DataPreProcessing", "Type": "Processing"},
        {
            "Name": "TrainModel",
            "Type": "Training",
            "Arguments": {"AlgorithmSpecification": {"TrainingImage": "1.dkr/x@sha256:" + "0" * 64}},
        },
        {
            "Name": "RegisterModel",
            "Type": "RegisterModel",
            "Arguments": {"CustomerMetadataProperties": {"codeSha256": CODE}},
        },
    ]
    world.sagemaker.steps_of[E0] = [
        job("DataPreProcessing", 0),
        job("TrainModel", 1, kind="TrainingJob"),
        *world.sagemaker.steps_of[E0],
    ]
    given = {"Batch": "b", "Trigger": "landing", "Champion": "none"}
    world.sagemaker.execution |= {
        "PipelineParameters": [{"Name": name, "Value": value} for name, value in given.items()]
    }
    files = [file_of("train.csv"), file_of("validation.csv")]
    objects = [{**one, "size": 7, "checksum": "CRC64NVME:x"} for one in files]
    put(world, "batches/titanic/b/manifest.json", {"model": "titanic", "batch": "b", "objects": objects})
    read = [{**one, "bytes": 7, "rows": 3, "sha256": "1" * 64, "blank_lines": 0} for one in files]
    put(world, "models/titanic/e0/data_report.json", {"batch": "b", "files": read})


def decided(world: World, status: str, by: str = "link", minutes: float = 31) -> None:
    """Let a person decide on version 1, and the event of that be handled."""
    decide(arn_of(1), status, by=by, who="Ana", why="seen", using=using(world, minutes))  # type: ignore[arg-type]
    come(world, minutes)


def come(world: World, minutes: float) -> None:
    """Handle the event of a decision on version 1, as the registry shows it."""
    told = about("package_decided.approved", arn_of(1))
    package = world.sagemaker.packages[arn_of(1)]
    told["detail"] |= {
        "ModelApprovalStatus": package["ModelApprovalStatus"],
        "LastModifiedTime": package["LastModifiedTime"].isoformat(),
    }
    handler(told, Context(), using=using(world, minutes))


def failed(world: World) -> None:
    started(world)
    del world.sagemaker.packages[arn_of(1)]
    world.sagemaker.execution |= {"PipelineExecutionStatus": "Failed", "FailureReason": "Step failure"}
    world.sagemaker.steps_of[E0] = [
        {**job("DataPreProcessing", 0, "Failed"), "FailureReason": "ClientError: no column survived"}
    ]
    write(world)


def held(world: World) -> None:
    started(world)
    was_held(world, arn_of(1))
    write(world)


def approved(world: World) -> None:
    held(world)
    decided(world, "Approved")


def rejected(world: World) -> None:
    held(world)
    decided(world, "Rejected")


def rolled_back(world: World) -> None:
    approved(world)
    in_console(world, arn_of(1), "Rejected", minutes=60)
    come(world, 61)


def without_ledger(world: World) -> None:
    approved(world)
    world.lose_the_ledger()
    write(world)


def deleted(world: World) -> None:
    approved(world)
    world.sagemaker.deleted.add(E0)
    write(world)


def own_code(world: World) -> None:
    started(world)
    noted = {"codeSha256": CODE, "sourceDir": "src", "entryPoint": "train.py"}
    world.sagemaker.definition[2]["Arguments"] = {"CustomerMetadataProperties": noted}
    world.sagemaker.definition[1]["Arguments"] = {"HyperParameters": {"eta": "0.5"}}
    write(world)


SITUATIONS = {
    "success": started,
    "failure": failed,
    "held": held,
    "human approval": approved,
    "rejection": rejected,
    "rollback": rolled_back,
    "lost ledger": without_ledger,
    "deleted execution": deleted,
    "own code": own_code,
    "start in SageMaker": lambda world: register(world),
    "nothing but the execution": lambda world: world.sagemaker.steps_of.update({E0: []}),
}


@pytest.mark.parametrize("happens", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_evidence_fits_its_schema_and_only_gains_facts(
    happens: Callable[[World], Any], world: World, caplog: pytest.LogCaptureFixture
) -> None:
    happens(world)
    found = write(world)
    assert misfits(found) == []
    assert list(lost(world.evidence_written())) == []
    assert "evidence does not fit its schema" not in caplog.messages


def told(found: dict[str, Any], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(fact[name] for name in names) for fact in found["facts"] if fact["kind"] != "notified"]


def test_facts_run_from_the_landing_to_the_person_who_decided(world: World) -> None:
    approved(world)
    assert told(written(world), "at", "kind", "subject", "status", "by", "who") == [
        ("2026-11-23T05:58:00+00:00", "landed", "m", None, "landing", "s3"),
        ("2026-11-23T05:59:00+00:00", "admitted", "k", None, None, None),
        ("2026-11-23T06:00:00+00:00", "started", E0, None, "landing", None),
        ("2026-11-23T06:00:00+00:00", "judged", arn_of(1), "HOLD", "rules", None),
        ("2026-11-23T06:01:00+00:00", "stepEnded", "DataPreProcessing", "Succeeded", None, None),
        ("2026-11-23T06:01:00+00:00", "registered", arn_of(1), None, None, None),
        ("2026-11-23T06:02:00+00:00", "stepEnded", "TrainModel", "Succeeded", None, None),
        ("2026-11-23T06:02:00+00:00", "ended", E0, "Succeeded", None, None),
        ("2026-11-23T06:31:00+00:00", "decided", arn_of(1), "Approved", "link", "Ana"),
        ("2026-11-23T06:31:00+00:00", "anchored", arn_of(1), None, "first", None),
    ]


def test_a_later_decision_adds_a_fact_and_takes_none_out(world: World) -> None:
    rolled_back(world)
    before = [fact for fact in told(written(world), "kind", "status", "by") if fact[0] == "decided"]
    assert before == [("decided", "Approved", "link"), ("decided", "Rejected", "person")]
    world.lose_the_ledger()
    world.sagemaker.deleted.add(E0)
    after = [fact for fact in told(write(world), "kind", "status", "by") if fact[0] == "decided"]
    assert after == before
    assert list(lost(world.evidence_written())) == []


def test_notifications_are_facts_and_a_roll_back_is_one(world: World) -> None:
    rolled_back(world)
    found = written(world)
    expected = [
        ("2026-11-23T06:31:00+00:00", "approved"),
        ("2026-11-23T07:01:00+00:00", "rolled_back"),
        ("2026-11-23T07:01:00+00:00", "rejected"),
    ]
    assert [(one["at"], one["kind"]) for one in found["notifications"]] == expected
    facts = [fact for fact in found["facts"] if fact["kind"] in ("notified", "rolledBack")]
    assert [(fact["at"], fact["kind"], fact["status"]) for fact in facts] == [
        ("2026-11-23T06:31:00+00:00", "notified", "approved"),
        ("2026-11-23T07:01:00+00:00", "rolledBack", None),
        ("2026-11-23T07:01:00+00:00", "notified", "rolled_back"),
        ("2026-11-23T07:01:00+00:00", "notified", "rejected"),
    ]


def test_a_notification_that_is_not_published_yet_is_no_fact(world: World) -> None:
    approved(world)
    identity = written(world)["notifications"][0]["id"]
    world.s3.delete_object(Bucket="data", Key=COPY)
    world.items.mark(f"notification#{identity}", {"state": "claimed"})
    assert write(world)["notifications"] == []


def test_a_decision_that_is_taken_and_not_yet_written_is_no_fact(world: World) -> None:
    held(world)
    at = START + timedelta(minutes=30)
    world.items.take(
        f"decision#{arn_of(1)}", {"status": "Approved", "by": "rules", "why": "w", "at": at.isoformat()}
    )
    found = write(world)
    assert (found["decidedStatus"], found["modelApprovalStatus"]) == ("Approved", "PendingManualApproval")
    assert "decided" not in [kind for (kind,) in told(found, "kind")]


def test_evidence_names_code_config_image_and_each_job(world: World) -> None:
    started(world)
    found = write(world)
    assert found["model"] == "titanic"
    assert found["parameters"] == {"Batch": "b", "Champion": "none", "Trigger": "landing"}
    assert found["code"] == {"sha256": CODE, "uri": f"s3://data/code/{CODE}/"}
    assert found["config"] == {"sha256": CONFIG, "rulesSha256": RULES}
    assert found["image"] == {"uri": "1.dkr/x@sha256:" + "0" * 64, "digest": "sha256:" + "0" * 64}
    assert [step["jobArn"] for step in found["steps"]] == [
        "arn:aws:sagemaker:us-east-1:1:processingjob/pipelines-e0-DataPreProcessing-x",
        "arn:aws:sagemaker:us-east-1:1:trainingjob/pipelines-e0-TrainModel-x",
        None,
    ]
    assert [step["logs"] and step["logs"]["streamPrefix"] for step in found["steps"]] == [
        "pipelines-e0-DataPreProcessing-",
        "pipelines-e0-TrainModel-",
        None,
    ]


def test_evidence_names_versions_and_hashes_of_what_was_read(world: World) -> None:
    started(world)
    body = evaluation()
    body["handsoff"] |= {
        "artifact": {"sha256": "2" * 64, "bytes": 5},
        "packages": {"python": "3.10.1", "numpy": "2.1.0"},
    }
    digest = put(world, "models/titanic/e0/evaluation.json", body)
    found = write(world)
    version = world.s3.head_object(Bucket="data", Key="models/titanic/e0/evaluation.json")["VersionId"]
    uri = "s3://data/models/titanic/e0"
    assert found["evaluation"] == {
        "uri": f"{uri}/evaluation.json",
        "versionId": version,
        "sha256": digest,
    }
    model = world.s3.head_object(Bucket="data", Key="models/titanic/e0/m.tar.gz")["VersionId"]
    artifact = {"uri": f"{uri}/m.tar.gz", "versionId": model, "sha256": "2" * 64, "bytes": 5}
    assert found["artifact"] == artifact
    assert found["packages"] == {"python": "3.10.1", "numpy": "2.1.0"}
    data = found["data"]
    assert (data["manifest"], data["report"]) == (
        "s3://data/batches/titanic/b/manifest.json",
        f"{uri}/data_report.json",
    )
    assert data["files"][0] == {
        **file_of("train.csv"),
        **{"size": 7, "checksum": "CRC64NVME:x", "sha256": "1" * 64, "rows": 3},
        **{"bytes": 7, "blankLines": 0},
    }
    assert data["fileCount"] == 2


def test_evidence_of_a_start_whose_data_was_never_read_has_the_manifests_files(world: World) -> None:
    started(world)
    world.s3.delete_object(Bucket="data", Key="models/titanic/e0/data_report.json")
    data = write(world)["data"]
    assert [(one["key"], one["rows"], one["size"]) for one in data["files"]] == [
        ("curated/titanic/train.csv", None, 7),
        ("curated/titanic/validation.csv", None, 7),
    ]
    assert (data["report"], data["reportSha256"]) == (None, None)


def test_evidence_names_no_manifest_that_does_not_exist(world: World) -> None:
    register(world)
    data = write(world)["data"]
    assert (data["manifest"], data["manifestSha256"], data["fileCount"], data["files"]) == (
        None,
        None,
        None,
        [],
    )


@pytest.mark.parametrize(("count", "listed"), [(MAX_FILES, 500), (MAX_FILES + 1, 500), (20_000, 500)])
def test_evidence_lists_the_first_files_and_the_manifests_hash(world: World, count: int, listed: int) -> None:
    started(world)
    files = [{**file_of(f"train/{n:06}.csv"), "size": 1} for n in range(count)]
    digest = put(world, "batches/titanic/b/manifest.json", {"objects": files})
    read = [{**one, "bytes": 1, "rows": 1, "sha256": "1" * 64} for one in files]
    put(world, "models/titanic/e0/data_report.json", {"batch": "b", "files": read})
    data = write(world)["data"]
    assert (data["fileCount"], len(data["files"]), data["manifestSha256"]) == (count, listed, digest)
    assert data["files"][-1]["key"] == "curated/titanic/train/000499.csv"


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("evaluation.json", ("evaluation", "metrics")),
        ("m.tar.gz", ("artifact",)),
        ("data_report.json", ("data",)),
    ],
)
@pytest.mark.parametrize("what", ["replaced", "deleted"])
def test_write_keeps_what_was_said_of_an_object_that_changed_since(
    world: World, name: str, changed: tuple[str, ...], what: str
) -> None:
    held(world)
    before = written(world)
    where = f"models/titanic/e0/{name}"
    if what == "deleted":
        world.s3.delete_object(Bucket="data", Key=where)
    else:
        other = evaluation(0.99) if name == "evaluation.json" else {"batch": "another", "files": []}
        put(world, where, other)
    after = write(world)
    assert {part: after[part] for part in changed} == {part: before[part] for part in changed}
    said = f"s3://data/{where}: this object has changed; what the evidence says of it is from before"
    assert (said in after["missing"]) is (what == "replaced")


def test_write_keeps_the_manifest_that_was_read_when_the_batch_starts_again(world: World) -> None:
    held(world)
    before = written(world)["data"]
    put(world, "batches/titanic/b/manifest.json", {"objects": []})
    after = write(world)
    assert (after["data"], after["missing"]) == (before, [])


def test_evaluation_of_a_retried_execution_without_package_is_read_anew(world: World) -> None:
    failed(world)
    assert written(world)["metrics"]["accuracy"] == 0.80
    put(world, "models/titanic/e0/evaluation.json", evaluation(0.85))
    assert write(world)["metrics"]["accuracy"] == 0.85


@pytest.mark.parametrize(
    "content",
    [
        {"a": 1},
        {"schemaVersion": 2, "pipelineExecutionArn": E0},
        {"schemaVersion": "2", "trigger": {}},
        {"schemaVersion": 3, "facts": [{"at": "yesterday"}], "notifications": []},
        {"schemaVersion": 3, "facts": 5, "notifications": None, "modelPackageArn": None},
    ],
)
def test_write_over_a_copy_that_is_no_evidence_says_so(world: World, content: Any) -> None:
    held(world)
    before = written(world)
    put(world, COPY, content)
    version = world.s3.head_object(Bucket="data", Key=COPY)["VersionId"]
    said = f"s3://data/{COPY}: this is no evidence of handsoff; nothing of it is kept"
    assert write(world) == {**before, "missing": [said]}
    world.s3.delete_object(Bucket="data", Key=COPY, VersionId=version)  # before the fixture compares it


def test_write_never_replaces_a_copy_that_s3_does_not_give(world: World) -> None:
    held(world)
    before = written(world)
    denied = Unreadable(world.s3, lambda: refused("AccessDenied", "GetObject", 403), COPY)
    with pytest.raises(ClientError, match="AccessDenied"):
        evidence.write(world.using(Collaborators, s3=denied).sources, "titanic", E0)
    assert written(world) == before


def test_write_replaces_a_copy_that_lies_in_an_archive_and_says_so(world: World) -> None:
    held(world)
    archived = Unreadable(world.s3, lambda: refused("InvalidObjectState", "GetObject", 403), COPY)
    evidence.write(world.using(Collaborators, s3=archived).sources, "titanic", E0)
    assert written(world)["missing"] == [f"s3://data/{COPY}: InvalidObjectState"]


def test_write_logs_evidence_that_does_not_fit_and_writes_it_all_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    started(world)
    body = evaluation()
    body["handsoff"]["packages"] = {"numpy": 2}
    put(world, "models/titanic/e0/evaluation.json", body)
    assert write(world)["packages"] == {"numpy": 2}
    (record,) = [one for one in caplog.records if one.message == "evidence does not fit its schema"]
    assert record.levelname == "ERROR"
    assert record.__dict__["problems"] == ["packages.numpy: Input should be a valid string"]
    version = world.s3.head_object(Bucket="data", Key=COPY)["VersionId"]
    world.s3.delete_object(Bucket="data", Key=COPY, VersionId=version)  # before the fixture compares it
