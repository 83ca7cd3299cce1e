"""One start for each batch, however often its messages arrive and wherever an invocation dies."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from retraining.collaborators import Collaborators
from retraining.config.rules import Approval, rules_sha256
from retraining.config.storing import stored
from retraining.config.training import Training
from start_retraining import handler
from tests.functions.fakes import Context, FakeSageMaker, Mortal, event, package, titanic_config
from tests.functions.world import World

BUCKET = "data"


@pytest.fixture
def world(moto_s3_world: World) -> World:
    """moto lists versions of objects and their checksums as S3 does."""
    return moto_s3_world


def using(world: World, **wrapped: Any) -> Collaborators:
    return world.using(Collaborators, **wrapped)


def finish(world: World) -> None:
    """Let all executions succeed."""
    for made in world.sagemaker.executions.values():
        world.sagemaker.end(made["PipelineExecutionArn"])


def land(world: World, name: str, body: bytes = b"x") -> dict[str, Any]:
    """Put an object below curated/ and return the message that the landings queue gets."""
    key = f"curated/{name}"
    world.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def batch(*bodies: dict[str, Any]) -> dict[str, Any]:
    """The event that Lambda makes of these messages of the queue."""
    records = event("start_retraining.landing")["Records"]
    return {
        "Records": [
            {**records[0], "messageId": f"m{number}", "body": json.dumps(body)}
            for number, body in enumerate(bodies)
        ]
    }


HEADER = b"pclass,survived,sex,age,sibsp,parch,fare,embarked\n"
ROWS = b"1,1,female,29,0,0,211.3,S\n3,0,male,,0,0,7.9,Q\n"


def land_titanic(world: World, more: bytes = b"") -> dict[str, Any]:
    land(world, "titanic/train.csv", HEADER + ROWS + more)
    land(world, "titanic/validation.csv", HEADER + ROWS)
    return land(world, "titanic/_SUCCESS", b"")


def request(model: str = "titanic", cause: str = "request-1") -> dict[str, Any]:
    detail = {"model": model, "cause": cause, "trigger": "request", "requestedBy": "arn:somebody"}
    return {"source": "handsoff", "detail": detail}


def test_marker_starts_one_execution_on_the_batch(world: World, context: Context) -> None:
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
    assert world.stored(f"start#{execution['ClientRequestToken']}")["executionArn"]


def test_execution_notes_when_and_by_which_configuration_it_was_admitted(
    world: World, context: Context
) -> None:
    config = titanic_config()
    at = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)
    handler(batch(land_titanic(world)), context, using=using(world, clock=lambda: at))
    (execution,) = world.sagemaker.executions.values()
    fact = world.stored(f"execution#{execution['PipelineExecutionArn']}")
    assert fact["takenAt"] == "2026-11-30T06:00:00+00:00"
    assert fact["configSha256"] == hashlib.sha256(stored(config).parameter.encode()).hexdigest()
    assert fact["rulesSha256"] == rules_sha256(config.approval)


def test_execution_notes_the_configuration_that_was_published_within_the_minute(
    world: World, context: Context
) -> None:
    """The one in memory is a minute old at most; the start is made by the newer one."""
    config = titanic_config()
    newer = config.model_copy(update={"approval": config.approval.model_copy(update={"first_model": "hold"})})
    world.configs.fresh["titanic"] = newer
    handler(batch(land_titanic(world)), context, using=using(world))
    (execution,) = world.sagemaker.executions.values()
    fact = world.stored(f"execution#{execution['PipelineExecutionArn']}")
    assert fact["configSha256"] == hashlib.sha256(stored(newer).parameter.encode()).hexdigest()
    assert fact["rulesSha256"] != rules_sha256(config.approval)


def test_objects_without_marker_start_nothing(world: World, context: Context) -> None:
    marker = land_titanic(world)
    landed = [{**marker, "detail": {**marker["detail"], "object": {"key": f"curated/titanic/train/{n}.csv"}}}
              for n in range(300)]  # fmt: skip
    assert handler(batch(*landed), context, using=using(world)) == {"batchItemFailures": []}
    assert world.sagemaker.executions == {}


def test_same_bytes_landed_again_start_nothing_and_give_the_reason(
    world: World, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        handler(batch(*[land_titanic(world)] * 2), context, using=using(world))
        finish(world)
    assert len(world.sagemaker.executions) == 1
    assert "start answered" in caplog.messages
    state, _ = using(world).states.load("titanic")
    assert state.answer == "refuse"
    assert state.reason == (
        "the same bytes were started before, as e0; `handsoff start titanic` trains on them again"
    )


def test_event_of_a_marker_that_comes_again_during_its_execution_changes_nothing(
    world: World, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    marker = land_titanic(world)
    head = world.s3.head_object(Bucket=BUCKET, Key="curated/titanic/_SUCCESS")
    marker["detail"]["object"]["version-id"] = head["VersionId"]
    handler(batch(marker, marker), context, using=using(world))
    before, told = using(world).states.load("titanic"), caplog.messages.count("start answered")
    for _ in range(2):
        assert handler(batch(marker, marker), context, using=using(world)) == {"batchItemFailures": []}
    assert using(world).states.load("titanic") == before
    assert caplog.messages.count("start answered") == told == 1


def test_other_bytes_start_another_execution(world: World, context: Context) -> None:
    handler(batch(land_titanic(world)), context, using=using(world))
    finish(world)
    handler(batch(land_titanic(world, b"1,1,male,1,0,0,1,S\n")), context, using=using(world))
    assert len(world.sagemaker.executions) == 2


def test_each_start_is_logged_and_counted(
    world: World, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        handler(batch(land_titanic(world, b"1,1,male,1,0,0,1,S\n" * number)), context, using=using(world))
        finish(world)
    assert caplog.messages.count("execution started") == 3
    assert caplog.messages.count("start answered") == 3


def test_each_refused_request_is_refused_for_good(world: World, context: Context) -> None:
    for cause in ("request-1", "request-2"):
        handler(batch(request(cause=cause)), context, using=using(world))
    land_titanic(world)
    for cause in ("request-1", "request-2"):
        handler(batch(request(cause=cause)), context, using=using(world))
    assert world.sagemaker.executions == {}


def test_earlier_batch_landed_again_is_read_at_its_newest_versions(world: World, context: Context) -> None:
    more = b"1,1,male,1,0,0,1,S\n"
    for message in (land_titanic(world), land_titanic(world, more), land_titanic(world)):
        handler(batch(message), context, using=using(world))
        finish(world)
    land_titanic(world)
    handler(batch(request()), context, using=using(world))
    (*_, last) = world.sagemaker.executions.values()
    identity = next(item["Value"] for item in last["PipelineParameters"] if item["Name"] == "Batch")
    body = world.s3.get_object(Bucket=BUCKET, Key=f"batches/titanic/{identity}/manifest.json")["Body"].read()
    for item in json.loads(body)["objects"]:
        assert item["versionId"] == world.s3.head_object(Bucket=BUCKET, Key=item["key"])["VersionId"]


def test_incomplete_batch_starts_nothing(world: World, context: Context) -> None:
    land(world, "titanic/train.csv")
    marker = land(world, "titanic/_SUCCESS", b"")
    assert handler(batch(marker), context, using=using(world)) == {"batchItemFailures": []}
    assert world.sagemaker.executions == {}


def test_each_request_of_a_person_retrains_once_on_the_same_batch(world: World, context: Context) -> None:
    handler(batch(land_titanic(world)), context, using=using(world))
    for cause in ("request-1", "request-1", "request-2", "request-1"):
        finish(world)
        handler(batch(request(cause=cause), request(cause=cause)), context, using=using(world))
    triggers = [
        next(item["Value"] for item in execution["PipelineParameters"] if item["Name"] == "Trigger")
        for execution in world.sagemaker.executions.values()
    ]
    assert triggers == ["landing", "request", "request"]


def decided(arn: str, status: str, at: str) -> dict[str, Any]:
    return package(arn, "s3://b/e", status, CustomerMetadataProperties={"approvedAt": at})


def test_execution_gets_the_champion_as_parameter(world: World, context: Context) -> None:
    world.sagemaker.packages = {
        "old": decided("old", "Approved", "2026-01-02"),
        "new": decided("new", "Approved", "2026-01-01"),
        "bad": decided("bad", "Rejected", "2026-01-03"),
    }
    handler(batch(land_titanic(world)), context, using=using(world))
    (execution,) = world.sagemaker.executions.values()
    assert {"Name": "Champion", "Value": "old"} in execution["PipelineParameters"]


def asks_anchor(world: World) -> None:
    """Let a rule of the model ask for the anchor."""
    approval = Approval.model_validate({"rules": [{"metric": "f1", "versus_anchor": {"max_loss": 0.05}}]})
    world.configs.known["titanic"] = titanic_config().model_copy(update={"approval": approval})


def test_execution_gets_the_anchor_as_parameter_where_a_rule_asks_for_it(
    world: World, context: Context
) -> None:
    asks_anchor(world)
    world.sagemaker.packages = {
        "new": decided("new", "Approved", "2026-01-02"),
        "old": decided("old", "Approved", "2026-01-01"),
        "bad": decided("bad", "Rejected", "2025-01-03"),
    }
    handler(batch(land_titanic(world)), context, using=using(world))
    (execution,) = world.sagemaker.executions.values()
    assert {"Name": "Anchor", "Value": "old"} in execution["PipelineParameters"]
    assert {"Name": "Champion", "Value": "new"} in execution["PipelineParameters"]


OWN_CODE = Training(source_dir="src", entry_point="train.py", image="xgboost:3.0-5")


def served_by(image: str | None) -> dict[str, Any]:
    """What a package's description says of the image that serves it."""
    container = {"ModelDataUrl": "s3://b/m.tar.gz"} | ({"Image": image} if image else {})
    return {"InferenceSpecification": {"Containers": [container]}}


def test_execution_of_own_code_gets_the_images_of_champion_and_anchor(world: World, context: Context) -> None:
    asks_anchor(world)
    known = world.configs.known["titanic"]
    world.configs.known["titanic"] = known.model_copy(update={"training": OWN_CODE})
    world.sagemaker.packages = {
        "new": {**decided("new", "Approved", "2026-01-02"), **served_by("1.dkr/xgboost:3")},
        "old": {**decided("old", "Approved", "2026-01-01"), **served_by("1.dkr/sklearn:1")},
    }
    handler(batch(land_titanic(world)), context, using=using(world))
    (execution,) = world.sagemaker.executions.values()
    assert {item["Name"]: item["Value"] for item in execution["PipelineParameters"]}.items() >= {
        "Champion": "new",
        "ChampionImage": "1.dkr/xgboost:3",
        "Anchor": "old",
        "AnchorImage": "1.dkr/sklearn:1",
    }.items()


def test_execution_of_own_code_that_was_just_published_gets_the_image_of_the_champion(
    world: World, context: Context
) -> None:
    """The config in memory still has the built-in estimator; the pipeline is that of own code."""
    world.configs.fresh["titanic"] = titanic_config().model_copy(update={"training": OWN_CODE})
    world.sagemaker.packages = {
        "new": {**decided("new", "Approved", "2026-01-02"), **served_by("1.dkr/sklearn:1")}
    }
    handler(batch(land_titanic(world)), context, using=using(world))
    (execution,) = world.sagemaker.executions.values()
    assert {"Name": "ChampionImage", "Value": "1.dkr/sklearn:1"} in execution["PipelineParameters"]


@pytest.mark.parametrize(
    ("training", "packages"),
    [
        (OWN_CODE, {}),
        (OWN_CODE, {"new": {**decided("new", "Approved", "2026-01-02"), **served_by(None)}}),
        (Training(), {"new": {**decided("new", "Approved", "2026-01-02"), **served_by("1.dkr/sklearn:1")}}),
    ],
    ids=["no champion", "no image", "built-in estimator"],
)
def test_execution_gets_no_image_that_it_does_not_need_or_that_nobody_knows(
    training: Training, packages: dict[str, Any], world: World, context: Context
) -> None:
    world.configs.known["titanic"] = titanic_config().model_copy(update={"training": training})
    world.sagemaker.packages = packages
    handler(batch(land_titanic(world)), context, using=using(world))
    (execution,) = world.sagemaker.executions.values()
    names = {item["Name"] for item in execution["PipelineParameters"]}
    assert names == {"Batch", "Champion", "Trigger"}


def test_execution_gets_none_as_anchor_while_no_package_is_approved(world: World, context: Context) -> None:
    asks_anchor(world)
    handler(batch(land_titanic(world)), context, using=using(world))
    (execution,) = world.sagemaker.executions.values()
    assert {"Name": "Anchor", "Value": "none"} in execution["PipelineParameters"]


def test_a_pipeline_of_an_earlier_version_is_started_without_the_anchor(
    world: World, context: Context
) -> None:
    """SageMaker refuses a parameter that the pipeline does not define, and this one came with the rule."""
    world.sagemaker.packages = {"old": decided("old", "Approved", "2026-01-01")}
    handler(batch(land_titanic(world)), context, using=using(world))
    (execution,) = world.sagemaker.executions.values()
    names = [item["Name"] for item in execution["PipelineParameters"]]
    assert names == ["Batch", "Champion", "Trigger"]


def test_unreadable_messages_fail_alone(world: World, context: Context) -> None:
    answer = handler(
        batch({"source": "somebody"}, land_titanic(world), request("unknown")), context, using=using(world)
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]}
    assert len(world.sagemaker.executions) == 1


def test_objects_of_no_model_start_nothing_and_do_not_fail(world: World, context: Context) -> None:
    messages = [land(world, "unknown/_SUCCESS"), land(world, "loose.csv")]
    assert handler(batch(*messages), context, using=using(world)) == {"batchItemFailures": []}
    assert world.sagemaker.executions == {}


def test_object_of_another_bucket_fails(world: World, context: Context) -> None:
    message = land_titanic(world)
    message["detail"]["bucket"]["name"] = "somebody-elses"
    assert handler(batch(message), context, using=using(world))["batchItemFailures"]
    assert world.sagemaker.executions == {}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 26))
def test_death_at_any_call_and_redelivery_start_once(context: Context, lives: int, after: bool) -> None:
    """The message is delivered twice more, with another champion by then: the execution is the one taken.

    The account is in memory and answers these calls as moto does, which would take eleven seconds for them.
    """
    world = World.empty()
    message = batch(land_titanic(world))
    left = [lives]
    names = ("s3", "sns", "sagemaker", "table")
    dying = using(world, **{name: Mortal(getattr(world, name), left, after=after) for name in names})
    failed = handler(message, context, using=dying)["batchItemFailures"]
    taken_before, _ = using(world).states.load("titanic")
    assert failed or taken_before.landings == 1  # what is noted needs no second delivery
    world.sagemaker.packages = {"late": package("late", "s3://b/e", "Approved")}
    for _ in range(2):
        handler(message, context, using=using(world))
    ((token, execution),) = world.sagemaker.executions.items()
    taken = world.stored(f"start#{token}")
    assert taken["executionArn"] == execution["PipelineExecutionArn"]
    assert {"Name": "Champion", "Value": taken["champion"]} in execution["PipelineParameters"]
    if taken_before.running:
        assert taken["champion"] == "none"
    assert world.stored(f"execution#{execution['PipelineExecutionArn']}")["startKey"] == token
    finish(world)
    handler(message, context, using=using(world))
    assert len(world.sagemaker.executions) == 1


def test_fake_sagemaker_starts_once_per_token() -> None:
    sagemaker = FakeSageMaker()
    call = {"PipelineName": "p", "ClientRequestToken": "t" * 32, "PipelineParameters": []}
    assert sagemaker.start_pipeline_execution(**call) == sagemaker.start_pipeline_execution(**call)
