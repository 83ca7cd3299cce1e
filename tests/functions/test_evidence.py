"""The form of evidence.json: its schema version, and one case for all of its keys."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from retraining import evidence
from retraining.aws import pipelines
from retraining.candidates.decisions import decide
from retraining.collaborators import Collaborators
from tests.functions.candidates.sweeping import Unreadable
from tests.functions.fakes import arn_of, event, in_console, register, was_held
from tests.functions.memory import refused
from tests.functions.world import World

REPORT = {
    "schema_version": 1,
    "batch": "b",
    "ignored_columns": ["boat_number"],
    "files": [{"key": "curated/titanic/train.csv", "versionId": "v", "rows": 3, "blank_lines": 1}],
    "splits": {
        "train": {
            "rows": 3,
            "missing_share": {"home_town": 0.5},
            "class_share": {"ignored_columns": 1.0},
            "without_identity": 0,
            "without_group": 1,
        }
    },
    "validation_rows_also_in_train": 0,
    "validation_rows_of_train_groups": 0,
    "lookalikes": {"n": 1, "equal": 0, "share": 0.0, "train_n": 3, "train_share": 0.0, "z": -1.0},
}


def gathered(world: World) -> dict[str, Any]:
    """The evidence of the execution that registered version 1, whose data report is REPORT."""
    arn = event("execution_changed.succeeded")["detail"]["pipelineExecutionArn"]
    register(world)
    was_held(world, arn_of(1))
    world.s3.put_object(
        Bucket="data",
        Key=f"models/titanic/{arn.rsplit('/', 1)[-1]}/data_report.json",
        Body=json.dumps(REPORT).encode(),
    )
    execution = pipelines.describe(world.sagemaker, arn)  # type: ignore[arg-type]
    return evidence.gather(world.using(Collaborators).sources, "titanic", execution)


def keys_of(value: Any, below: str = "") -> list[str]:
    """Every key that handsoff chooses: not the names of columns, classes and metrics."""
    if isinstance(value, list):
        return [key for item in value for key in keys_of(item, below)]
    if not isinstance(value, dict) or below in ("missingShare", "classShare", "metrics"):
        return []
    return [*value, *(key for name, item in value.items() for key in keys_of(item, name))]


def written(world: World) -> dict[str, Any]:
    """The copy in S3 of the evidence of the execution that registered version 1."""
    body = world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
    found: dict[str, Any] = json.loads(body)
    return found


E0 = "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0"


def test_write_after_the_execution_was_deleted_keeps_what_was_known(world: World) -> None:
    register(world)
    sources = world.using(Collaborators).sources
    evidence.write(sources, "titanic", E0)
    before = written(world)
    assert (before["pipelineExecutionStatus"], before["missing"]) == ("Succeeded", [])
    was_held(world, arn_of(1))
    world.sagemaker.deleted.add(E0)
    evidence.write(sources, "titanic", E0)
    after = written(world)
    assert after["missing"] == [f"{E0}: SageMaker no longer knows this execution"]
    assert after["verdict"]["decision"] == "HOLD"
    parts = ("pipelineExecutionStatus", "startTime", "steps", "data", "trigger", "modelPackageArn")
    assert {name: after[name] for name in parts} == {name: before[name] for name in parts}


def test_write_of_a_deleted_execution_without_a_copy_tells_what_the_ledger_knows(world: World) -> None:
    register(world)
    steps = {"TrainModel": "Succeeded"}
    world.items.mark(f"execution#{E0}", {"status": "Succeeded", "steps": steps, "trigger": "schedule"})
    world.sagemaker.deleted.add(E0)
    evidence.write(world.using(Collaborators).sources, "titanic", E0, package_arn=arn_of(1))
    found = written(world)
    assert found["missing"] == [f"{E0}: SageMaker no longer knows this execution"]
    assert (found["pipelineExecutionStatus"], found["trigger"]["kind"]) == ("Succeeded", "schedule")
    assert [(step["name"], step["status"]) for step in found["steps"]] == [("TrainModel", "Succeeded")]
    assert (found["modelPackageArn"], found["modelApprovalStatus"]) == (arn_of(1), "PendingManualApproval")
    assert found["metrics"]["accuracy"] == 0.80


CODE = "ab" * 32


def trains(arguments: dict[str, Any], noted: dict[str, str]) -> list[dict[str, Any]]:
    """A definition's steps that train with these arguments and note this on the package."""
    register = {
        "CustomerMetadataProperties": {"codeSha256": CODE, "batch": {"Get": "Parameters.Batch"}, **noted}
    }
    return [
        {"Name": "DataPreProcessing", "Type": "Processing"},
        {"Name": "TrainModel", "Type": "Training", "Arguments": arguments},
        {"Name": "RegisterModel", "Type": "RegisterModel", "Arguments": register},
    ]


@pytest.mark.parametrize(
    ("job", "noted", "expected"),
    [
        (
            {"HyperParameters": {"sagemaker_program": '"train.py"'}, "ResourceConfig": {"InstanceCount": 1}},
            {},
            {"sourceDir": None, "entryPoint": None, "hyperparameters": {}, "spot": False},
        ),
        (
            {
                "HyperParameters": {
                    "sagemaker_program": '"handsoff_entry.py"',
                    "eta": "0.05",
                    "kind": '"gbtree"',
                },
                "ResourceConfig": {
                    "InstanceCount": 1,
                    "InstanceType": {"Get": "Parameters.TrainingInstanceType"},
                },
                "EnableManagedSpotTraining": True,
            },
            {"sourceDir": "src/churn", "entryPoint": "train.py"},
            {
                "sourceDir": "src/churn",
                "entryPoint": "train.py",
                "hyperparameters": {"eta": 0.05, "kind": "gbtree"},
                "spot": True,
            },
        ),
    ],
    ids=["built-in", "own code"],
)
def test_evidence_says_how_the_model_is_trained(
    job: dict[str, Any], noted: dict[str, str], expected: dict[str, Any], world: World
) -> None:
    image = {"AlgorithmSpecification": {"TrainingImage": "1.dkr/x:1"}}
    world.sagemaker.definition = trains({**image, **job}, noted)
    register(world)
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    assert written(world)["training"] == {
        "codeSha256": CODE,
        "image": "1.dkr/x:1",
        "instanceType": None,
        "instanceCount": 1,
        **expected,
    }
    world.sagemaker.deleted.add(E0)
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    assert written(world)["training"]["codeSha256"] == CODE


LOST = f"{E0}: the ledger no longer knows {{}}; this is what the evidence said before"


def decided_and_written(world: World) -> dict[str, Any]:
    """Evidence of a candidate that the rules held, from a start by handsoff, and that Ana approved."""
    register(world)
    was_held(world, arn_of(1))
    started = {"trigger": "landing", "cause": "landing", "startKey": "k", "requestedBy": "s3"}
    world.items.mark(f"execution#{E0}", started)
    sources = world.using(Collaborators)
    decide(arn_of(1), "Approved", by="link", who="Ana", why="seen", using=sources)
    evidence.write(sources.sources, "titanic", E0, package_arn=arn_of(1))
    return written(world)


def without_facts(world: World, *kinds: str) -> None:
    for name in [name for name in world.table.items if name.startswith(kinds)]:  # type: ignore[attr-defined]
        del world.table.items[name]  # type: ignore[attr-defined]


@pytest.mark.parametrize("gone", [False, True], ids=["stays", "deleted"])
def test_write_with_a_new_ledger_keeps_verdict_decision_and_start(world: World, gone: bool) -> None:
    before = decided_and_written(world)
    assert (before["verdict"]["decision"], before["decidedWho"]) == ("HOLD", "Ana")
    assert (before["trigger"]["startKey"], before["missing"]) == ("k", [])
    world.lose_the_ledger()
    if gone:
        world.sagemaker.deleted.add(E0)
    for _ in range(2):
        evidence.write(world.using(Collaborators).sources, "titanic", E0, package_arn=arn_of(1))
    after = written(world)
    said = (
        [f"{E0}: SageMaker no longer knows this execution", LOST.format("the verdict, the decision")]
        if gone
        else [LOST.format("the start, the verdict, the decision")]
    )
    assert after == {**before, "missing": said}


def test_write_takes_from_the_ledger_what_it_knows(world: World) -> None:
    before = decided_and_written(world)
    without_facts(world, "verdict#")
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    after = written(world)
    assert after == {**before, "missing": [LOST.format("the verdict")]}
    was_held(world, arn_of(1), reasons=("anew",))
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    after = written(world)
    assert (after["verdict"]["reasons"], after["missing"]) == (["anew"], [])


def test_write_keeps_no_decision_that_the_package_no_longer_shows(world: World) -> None:
    decided_and_written(world)
    without_facts(world, "decision#")
    in_console(world, arn_of(1), "PendingManualApproval")
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    after = written(world)
    assert (after["decidedBy"], after["decidedWho"], after["missing"]) == (None, None, [])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (None, "there is no such object"),
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff", "not valid JSON"),
    ],
)
def test_write_names_an_evaluation_that_cannot_be_read(world: World, body: bytes | None, why: str) -> None:
    register(world)
    key = "models/titanic/e0/evaluation.json"
    world.s3.delete_object(Bucket="data", Key=key)
    if body is not None:
        world.s3.put_object(Bucket="data", Key=key, Body=body)
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    assert written(world)["missing"] == [f"s3://data/{key}: {why}"]


@pytest.mark.parametrize(
    ("code", "status", "missing"),
    [
        ("AccessDenied", 403, ["s3://data/models/titanic/e0/evaluation.json: AccessDenied"]),
        ("InvalidObjectState", 403, ["s3://data/models/titanic/e0/evaluation.json: InvalidObjectState"]),
        ("InternalError", 500, None),
        ("SlowDown", 503, None),
        ("RequestTimeout", 400, None),
        ("ThrottlingException", 400, None),
    ],
)
def test_write_says_what_is_refused_and_raises_what_is_not_answered(
    world: World, code: str, status: int, missing: list[str] | None
) -> None:
    register(world)
    s3 = Unreadable(world.s3, lambda: refused(code, "GetObject", status))
    sources = world.using(Collaborators, s3=s3).sources
    if missing is None:
        with pytest.raises(ClientError, match=code):
            evidence.write(sources, "titanic", E0)
        return
    evidence.write(sources, "titanic", E0)
    assert written(world)["missing"] == missing


def test_write_after_the_package_was_deleted_says_so(world: World) -> None:
    register(world)
    del world.sagemaker.packages[arn_of(1)]
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    assert written(world)["missing"] == [f"{arn_of(1)}: the model package was deleted"]


def test_evidence_names_its_schema_version(world: World) -> None:
    assert gathered(world)["schemaVersion"] == 3


def test_evidence_keys_are_in_camel_case_and_columns_keep_their_names(world: World) -> None:
    found = gathered(world)
    keys = keys_of(found)
    assert {"missingShare", "validationRowsAlsoInTrain", "blankLines", "ignoredColumns"} <= set(keys)
    assert {"validationRowsOfTrainGroups", "trainN", "trainShare", "withoutGroup"} <= set(keys)
    assert [key for key in keys if not re.fullmatch("[a-z]+([A-Z0-9][a-z0-9]*)*", key)] == []
    train = found["data"]["splits"]["train"]
    assert train == {
        "rows": 3,
        "missingShare": {"home_town": 0.5},
        "classShare": {"ignored_columns": 1.0},
        "withoutIdentity": 0,
        "withoutGroup": 1,
    }
    assert found["data"]["ignoredColumns"] == ["boat_number"]


def test_gather_writes_the_data_report_with_names_of_columns_as_they_are(world: World) -> None:
    split = {
        "missing_words": {"ignored_count": 2},
        "canonicalised": {"ignored_count": 1},
        "empty_columns": ["ignored_count"],
        "repeated_rows": 4,
        "left_out_rows": 5,
        "ranges": {"ignored_count": {"min": 0.5, "max": 2.5}},
        "categories": {"ignored_count": 3},
    }
    report = {
        "partition_columns": ["a_b"],
        "ignored": [{"key": "k", "reason": "hidden"}],
        "ignored_count": 1,
        "splits": {"train": split},
        "unknown_categories": {"ignored_count": {"categories": 1, "rows": 2, "share": 0.5}},
    }
    register(world)
    world.s3.put_object(
        Bucket="data", Key="models/titanic/e0/data_report.json", Body=json.dumps(report).encode()
    )
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    data = written(world)["data"]
    assert data["partitionColumns"] == ["a_b"]
    assert data["ignored"] == [{"key": "k", "reason": "hidden"}]
    assert data["ignoredCount"] == 1
    assert data["unknownCategories"] == {"ignored_count": {"categories": 1, "rows": 2, "share": 0.5}}
    assert data["splits"]["train"] == {
        "missingWords": {"ignored_count": 2},
        "canonicalised": {"ignored_count": 1},
        "emptyColumns": ["ignored_count"],
        "repeatedRows": 4,
        "leftOutRows": 5,
        "ranges": {"ignored_count": {"min": 0.5, "max": 2.5}},
        "categories": {"ignored_count": 3},
    }


def test_gather_says_how_the_data_differs_from_the_champions(world: World) -> None:
    register(world)
    key = "models/titanic/e0/evaluation.json"
    body = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    body["handsoff"]["data_changes"] = {
        "rows": {"train": [1, 2]},
        "missing_share": {"train": {"a_b": [0, 1]}},
    }
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(body).encode())
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    expected = {"rows": {"train": [1, 2]}, "missingShare": {"train": {"a_b": [0, 1]}}}
    assert written(world)["dataChanges"] == expected
    del body["handsoff"]["data_changes"]  # an evaluation of an earlier version
    world.s3.delete_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(body).encode())
    evidence.write(world.using(Collaborators).sources, "titanic", E0)
    assert written(world)["dataChanges"] is None


def test_gather_says_what_a_search_tried_and_keeps_names_of_hyperparameters(world: World) -> None:
    register(world)
    key = "models/titanic/e0/evaluation.json"
    body = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    found = {"metric": "roc_auc", "ended": "max_time", "chosen": 0, "hyperparameters": {"missing_share": 4}}
    for searched in (None, found | {"tried": [{"hyperparameters": {"missing_share": 4}, "mean": 0.8}]}):
        body["handsoff"]["search"] = searched
        world.s3.delete_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")
        world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(body).encode())
        evidence.write(world.using(Collaborators).sources, "titanic", E0)
        assert written(world)["search"] == searched
