"""One start per batch, whatever comes twice, and whatever dies between which calls."""

from __future__ import annotations

import json
from typing import Any

import pytest
import start_retraining
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from retraining.ledger import Ledger
from start_retraining import Collaborators, handler

from tests.functions.fakes import Context, Died, FakeSageMaker, Mortal, event, package

BUCKET = "data"


def using(world: Any, **wrapped: Any) -> Collaborators:
    parts = {"s3": world.s3, "sagemaker": world.sagemaker, "table": world.table, **wrapped}
    return Collaborators(
        settings=world.settings,
        configs=world.configs,
        s3=parts["s3"],
        sagemaker=parts["sagemaker"],
        ledger=Ledger(parts["table"]),
    )


def land(world: Any, name: str, body: bytes = b"x") -> dict[str, Any]:
    """Put an object below curated/ and return the message that the landings queue gets of it."""
    key = f"curated/{name}"
    world.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def batch(*bodies: dict[str, Any]) -> dict[str, Any]:
    """What Lambda gets of the queue."""
    records = event("start_retraining.landing")["Records"]
    return {
        "Records": [
            {**records[0], "messageId": f"m{number}", "body": json.dumps(body)}
            for number, body in enumerate(bodies)
        ]
    }


def land_titanic(world: Any, train: bytes = b"train") -> dict[str, Any]:
    land(world, "titanic/train.csv", train)
    land(world, "titanic/validation.csv")
    return land(world, "titanic/_SUCCESS", b"")


def request(model: str = "titanic", cause: str = "request-1") -> dict[str, Any]:
    detail = {"model": model, "cause": cause, "trigger": "request", "requestedBy": "arn:somebody"}
    return {"source": "handsoff", "detail": detail}


def test_a_marker_starts_one_execution_on_the_batch(world: Any, context: Context) -> None:
    marker = land_titanic(world)
    assert handler(batch(marker), context, using=using(world)) == {"batchItemFailures": []}
    (execution,) = world.sagemaker.executions.values()
    parameters = {item["Name"]: item["Value"] for item in execution["PipelineParameters"]}
    assert execution["PipelineName"] == "handsoff-titanic"
    assert parameters["Champion"] == "none"
    assert parameters["Trigger"] == "landing"
    key = f"batches/titanic/{parameters['Batch']}/manifest.json"
    manifest = json.loads(world.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert [item["key"] for item in manifest["objects"]] == [
        "curated/titanic/train.csv",
        "curated/titanic/validation.csv",
    ]
    assert world.ledger.get(f"start#{execution['ClientRequestToken']}")["executionArn"]


def test_objects_that_are_no_marker_start_nothing(world: Any, context: Context) -> None:
    marker = land_titanic(world)
    landed = [{**marker, "detail": {**marker["detail"], "object": {"key": f"curated/titanic/train/{n}.csv"}}}
              for n in range(300)]  # fmt: skip
    assert handler(batch(*landed), context, using=using(world)) == {"batchItemFailures": []}
    assert world.sagemaker.executions == {}


def test_the_same_bytes_again_start_nothing_and_say_so(
    world: Any, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        handler(batch(*[land_titanic(world)] * 2), context, using=using(world))
    assert len(world.sagemaker.executions) == 1
    assert "batch was started before: nothing starts" in caplog.messages


def test_other_bytes_start_another(world: Any, context: Context) -> None:
    handler(batch(land_titanic(world, b"one")), context, using=using(world))
    handler(batch(land_titanic(world, b"two")), context, using=using(world))
    assert len(world.sagemaker.executions) == 2


def test_the_first_versions_of_a_batch_stay_in_its_manifest(world: Any, context: Context) -> None:
    handler(batch(land_titanic(world)), context, using=using(world))
    (key,) = [item["Key"] for item in world.s3.list_objects_v2(Bucket=BUCKET, Prefix="batches/")["Contents"]]
    before = world.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    handler(batch(land_titanic(world)), context, using=using(world))
    assert world.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == before


def test_an_incomplete_batch_starts_nothing(world: Any, context: Context) -> None:
    land(world, "titanic/train.csv")
    marker = land(world, "titanic/_SUCCESS", b"")
    assert handler(batch(marker), context, using=using(world)) == {"batchItemFailures": []}
    assert world.sagemaker.executions == {}


def test_a_request_retrains_on_a_batch_already_seen_once_per_request(world: Any, context: Context) -> None:
    handler(batch(land_titanic(world)), context, using=using(world))
    handler(batch(request(), request(), request(cause="request-2")), context, using=using(world))
    triggers = [
        next(item["Value"] for item in execution["PipelineParameters"] if item["Name"] == "Trigger")
        for execution in world.sagemaker.executions.values()
    ]
    assert triggers == ["landing", "request", "request"]


def test_the_champion_reaches_the_execution(world: Any, context: Context) -> None:
    world.sagemaker.packages = {
        "old": package("old", "s3://b/e", "Approved", CustomerMetadataProperties={"decidedAt": "2026-01-02"}),
        "new": package("new", "s3://b/e", "Approved", CustomerMetadataProperties={"decidedAt": "2026-01-01"}),
        "bad": package("bad", "s3://b/e", "Rejected", CustomerMetadataProperties={"decidedAt": "2026-01-03"}),
    }
    handler(batch(land_titanic(world)), context, using=using(world))
    (execution,) = world.sagemaker.executions.values()
    assert {"Name": "Champion", "Value": "old"} in execution["PipelineParameters"]


def test_one_bad_message_fails_alone(world: Any, context: Context) -> None:
    answer = handler(
        batch({"source": "somebody"}, land_titanic(world), request("unknown")), context, using=using(world)
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]}
    assert len(world.sagemaker.executions) == 1


def test_objects_of_no_model_are_told_and_dropped(world: Any, context: Context) -> None:
    messages = [land(world, "unknown/_SUCCESS"), land(world, "loose.csv")]
    assert handler(batch(*messages), context, using=using(world)) == {"batchItemFailures": []}
    assert world.sagemaker.executions == {}


def test_an_object_of_another_bucket_fails(world: Any, context: Context) -> None:
    message = land_titanic(world)
    message["detail"]["bucket"]["name"] = "somebody-elses"
    assert handler(batch(message), context, using=using(world))["batchItemFailures"]
    assert world.sagemaker.executions == {}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 12))
def test_dying_at_any_call_and_coming_again_starts_once(world: Any, lives: int, after: bool) -> None:
    marker = land_titanic(world)
    record = SQSRecord(batch(marker)["Records"][0])
    left = [lives]
    dying = using(
        world,
        **{name: Mortal(getattr(world, name), left, after=after) for name in ("s3", "sagemaker", "table")},
    )
    try:
        start_retraining.receive(record, dying)
    except Died:
        died = True
    else:
        died = False
        assert left[0] > 0, "the number of lives outlasts the number of calls"
    # The champion may change before the message comes again: what was taken is what is started.
    world.sagemaker.packages = {"late": package("late", "s3://b/e", "Approved")}
    for _ in range(2):
        start_retraining.receive(record, using(world))
    executions = world.sagemaker.executions
    assert len(executions) == 1
    ((token, execution),) = executions.items()
    taken = world.ledger.get(f"start#{token}")
    assert taken["executionArn"] == execution["PipelineExecutionArn"]
    assert {"Name": "Champion", "Value": taken["champion"]} in execution["PipelineParameters"]
    assert world.ledger.get(f"execution#{execution['PipelineExecutionArn']}")["startKey"] == token
    assert died or lives > 5


def test_the_fake_honours_tokens_as_sagemaker_does() -> None:
    sagemaker = FakeSageMaker()
    call = {"PipelineName": "p", "ClientRequestToken": "t" * 32, "PipelineParameters": []}
    assert sagemaker.start_pipeline_execution(**call) == sagemaker.start_pipeline_execution(**call)
