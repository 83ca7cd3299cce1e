"""What `handsoff status` says of candidates and deliveries that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from handsoff.operating.candidates import WaitingCandidate, candidate_as_json, waiting_candidates
from handsoff.operating.deliveries import Delivery, deliveries, delivery_as_json
from handsoff.operating.states import ModelStatus
from handsoff.showing.console import moment
from handsoff.showing.models import show_model
from judge_candidate import handler
from retraining.collaborators import Collaborators
from retraining.config.schema import parse_config
from retraining.facts.model_state import ModelState
from retraining.facts.starts import Marker
from tests.functions.fakes import Context, about, arn_of, register
from tests.functions.memory import refused
from tests.functions.starts.one_model import MODEL, OneModel
from tests.functions.world import World

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HELD = {"champion": arn_of(1), "problem": "it cannot be loaded"}


def deployment(world: World, **approval: Any) -> Any:
    """What status needs of a deployment, over the world's registry and ledger."""
    model = {
        "task": "binary_classification",
        "target": "survived",
        "features": {"numeric": ["age"]},
        "approval": {"rules": [{"metric": "accuracy", "min": 0.78}], **approval},
    }
    config = parse_config({"models": {"titanic": model}}, source="test")
    return SimpleNamespace(
        sagemaker=world.sagemaker,
        ledger=world.ledger,
        config=config,
        prefix="handsoff",
        resource_name=lambda name: f"handsoff-{name}",
    )


def judged(world: World, version: int, **what: Any) -> None:
    register(world, version, **what)
    event = about("candidate_registered.pending", arn_of(version))
    handler(event, Context(), using=world.using(Collaborators))


def test_waiting_candidate_that_the_rules_hold_waits_for_a_person_until_it_expires(world: World) -> None:
    judged(world, 1)  # approved by the rules: it waits for nothing
    judged(world, 2, **HELD)
    (found,) = waiting_candidates(deployment(world, expire_after="3d"), "titanic")
    assert (found.name, found.waits_for) == ("titanic/2", "person")
    assert found.rejected_at == found.since + timedelta(days=3)
    assert any("it cannot be loaded" in text for text in found.why)


def test_waiting_candidate_is_rejected_when_its_last_reminder_said(world: World) -> None:
    judged(world, 2, **HELD)
    stored = world.stored(f"verdict#{arn_of(2)}")
    said = "2026-12-01T00:00:00+00:00"
    world.items.mark(f"verdict#{arn_of(2)}", {"reminded": stored["takenAt"], "expiresAt": said})
    (found,) = waiting_candidates(deployment(world, expire_after="3d"), "titanic")
    assert found.rejected_at == datetime(2026, 12, 1, tzinfo=UTC)


def test_waiting_candidate_whose_work_fails_is_blocked_and_says_why(world: World) -> None:
    register(world, 2)
    at = "2026-11-23T06:00:00+00:00"
    trouble = {"first": at, "last": at, "why": "evaluation.json does not exist"}
    world.items.mark(f"trouble#{arn_of(2)}", trouble)
    (found,) = waiting_candidates(deployment(world), "titanic")
    assert found == WaitingCandidate(
        "titanic/2",
        "repair",
        ("evaluation.json does not exist",),
        datetime(2026, 11, 23, 6, tzinfo=UTC),
    )


def test_waiting_candidate_without_a_verdict_is_being_judged(world: World) -> None:
    register(world, 2)
    (found,) = waiting_candidates(deployment(world), "titanic")
    assert (found.waits_for, found.why) == ("verdict", ())


def test_waiting_candidate_whose_decision_was_taken_is_being_written(world: World) -> None:
    register(world, 2)
    at = "2026-11-23T06:00:00+00:00"
    world.items.mark(f"decision#{arn_of(2)}", {"status": "Approved", "by": "link", "at": at})
    (found,) = waiting_candidates(deployment(world), "titanic")
    assert (found.waits_for, found.why) == ("writing", ("Approved by link",))


def of_model(world: OneModel) -> tuple[Delivery, ...]:
    model = {
        "task": "binary_classification",
        "target": "survived",
        "features": {"numeric": ["age"], "categorical": ["sex"]},
    }
    config = parse_config({"models": {MODEL: model}}, source="test")
    found: Any = SimpleNamespace(s3=world.s3, bucket="data", config=config)
    return deliveries(found, MODEL, world.using().states.load(MODEL)[0])


def test_delivery_is_under_way_then_waits_until_it_is_answered() -> None:
    world = OneModel()
    assert of_model(world) == ()
    world.land_batch(0)
    under_way = Delivery(None, "under way", "2 files have landed without a marker after them")
    assert of_model(world) == (under_way,)
    world.now += timedelta(seconds=1)
    world.land("_SUCCESS", b"")
    (found,) = of_model(world)
    assert found.answer == "waits"
    world.come("landing")
    (found,) = of_model(world)
    assert (found.answer, found.reason) == ("answered", "started")
    world.now += timedelta(seconds=2)
    world.land("train/late.csv", b"x")
    late, answered = of_model(world)
    assert (late.answer, late.reason) == ("under way", "1 file has landed without a marker after them")
    assert answered.answer == "answered"


def test_delivery_of_which_the_start_is_refused_waits_and_says_why() -> None:
    world = OneModel()
    world.land_batch(0)
    world.land("_SUCCESS", b"")
    start = world.sagemaker.start_pipeline_execution

    def refuses(**_: Any) -> None:
        raise refused("ResourceNotFound", "StartPipelineExecution")

    world.sagemaker.start_pipeline_execution = refuses  # type: ignore[assignment, method-assign]
    with pytest.raises(ClientError):
        world.come("landing")
    (found,) = of_model(world)
    assert found.answer == "waits"
    assert found.reason.startswith("SageMaker refuses the start: An error occurred (ResourceNotFound)")
    world.sagemaker.start_pipeline_execution = start  # type: ignore[method-assign]
    world.come("landing")
    (found,) = of_model(world)
    assert (found.answer, found.reason) == ("answered", "started")


def test_delivery_of_which_one_splits_marker_has_landed_says_which_one_is_waited_for() -> None:
    world = OneModel()
    world.land("train/a.csv", b"x")
    world.land("train/_SUCCESS", b"")
    said = "1 file has landed; train/_SUCCESS has landed, and validation/_SUCCESS is waited for"
    assert of_model(world) == (Delivery(None, "under way", said),)
    world.now += timedelta(seconds=1)
    world.land("validation/_SUCCESS", b"")
    (found,) = of_model(world)
    assert (found.answer, found.marker and len(found.marker.versions)) == ("waits", 2)


STATUS = ModelStatus(
    name="titanic",
    state=ModelState(),
    champion=None,
    quarantined=(),
    deliveries=(
        Delivery(None, "under way", "2 files have landed without a marker after them"),
        Delivery(Marker(version_id="v2", landed_at=NOON), "waits", "cooldown [x]"),
        Delivery(Marker(version_id="v1", landed_at=NOON), "superseded", "a newer marker landed"),
    ),
    left_out="1 object left out: Train/a.csv [x]",
    candidates=(
        WaitingCandidate("titanic/3", "person", ("recall [low]",), NOON, NOON + timedelta(days=1)),
        WaitingCandidate("titanic/4", "repair", ("no evaluation",), NOON),
    ),
    executions=(),
)


@pytest.mark.parametrize(
    "line",
    [
        f"delivery of {moment(NOON)}: waits for its start, cooldown [x]",
        f"delivery of {moment(NOON)}: started nothing, a newer marker landed",
        f"titanic/3 waits for a person since {moment(NOON)}: recall [low]; rejected at "
        f"{moment(NOON + timedelta(days=1))} unless somebody decides; "
        '`handsoff approve titanic/3 --reason "…"`, or reject',
        f"titanic/4 is blocked since {moment(NOON)}: no evaluation; "
        '`handsoff approve titanic/4 --reason "…"`, or reject',
        "delivery under way: 2 files have landed without a marker after them",
        "not read: 1 object left out: Train/a.csv [x]",
    ],
)
def test_status_shows_who_waits_for_what(line: str) -> None:
    console = Console(width=400, record=True, quiet=False)
    show_model(console, STATUS, NOON)
    assert f"  {line}\n" in console.export_text()


def test_status_as_json_names_what_each_waits_for() -> None:
    assert candidate_as_json(STATUS.candidates[0]) == {
        "modelPackage": "titanic/3",
        "waitsFor": "person",
        "since": "2026-11-23T12:00:00+00:00",
        "reasons": ["recall [low]"],
        "rejectedAt": "2026-11-24T12:00:00+00:00",
    }
    assert delivery_as_json(STATUS.deliveries[1]) == {
        "markerVersion": "v2",
        "landedAt": "2026-11-23T12:00:00+00:00",
        "answer": "waits",
        "reason": "cooldown [x]",
    }
