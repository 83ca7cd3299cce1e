"""What approvers read, and the form that the contract fixes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from retraining.errors import NotReady
from retraining.messages import SUBJECT_LIMIT, Kind, Notification, Rollback
from retraining.notify import announce, notify


def message(kind: Kind = "waiting", **changes: Any) -> Notification:
    values: dict[str, Any] = {
        "model": "titanic",
        "subject": "arn:package",
        "reasons": ["accuracy: 0.5, needs ≥ 0.78 → fail"],
        "execution_arn": "arn:execution",
        "package_arn": "arn:package",
        "decision": "HOLD",
        **changes,
    }
    return Notification(kind=kind, **values)


def test_the_object_has_the_keys_of_the_contract() -> None:
    assert list(json.loads(message().as_json())) == [
        "notificationId",
        "kind",
        "model",
        "executionArn",
        "modelPackageArn",
        "decision",
        "reasons",
        "reviewUrl",
        "evidenceUri",
    ]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_says_model_and_whether_something_is_wanted_at_once(kind: Kind) -> None:
    long = message(kind, model="m" * 54)
    assert "m" * 54 in long.as_text()[:100]
    assert len(long.as_subject()) <= SUBJECT_LIMIT
    assert long.as_subject().isascii()
    wanted = "wanted" in long.headline or "Somebody should look" in long.headline
    assert wanted


@pytest.mark.parametrize(
    ("kind", "by", "headline"),
    [
        ("approved", "rules", "m: a new model was approved by rules. Nothing is wanted of you."),
        ("approved", "link", "m: a new model was approved by a person. Nothing is wanted of you."),
        ("rejected", "rules", "m: a new model was rejected by rules. Nothing is wanted of you."),
        (
            "rejected",
            "superseded",
            "m: a new model was rejected as a newer one was approved. Nothing is wanted of you.",
        ),
        ("waiting", "rules", "Your decision is wanted: a new model of m waits."),
        ("rolled_back", "person", "m: the model in use was rejected. Somebody should look."),
    ],
)
def test_the_headline_fits_who_decided(kind: Kind, by: str, headline: str) -> None:
    assert message(kind, model="m", by=by).headline == headline


def rollback(**changes: Any) -> Rollback:
    values: dict[str, Any] = {
        "model": "titanic",
        "group": "handsoff-titanic",
        "rejected": "arn:p/handsoff-titanic/3",
        "rejected_approved_at": datetime(2026, 11, 23, 6, 3, tzinfo=UTC),
        "champion": "arn:p/handsoff-titanic/2",
        "champion_approved_at": datetime(2026, 11, 23, 6, 2, tzinfo=UTC),
        "at": "2026-11-23T07:00:00+00:00",
        "why": "it guesses",
        **changes,
    }
    return Rollback(**values)


def test_a_rollback_says_which_version_went_and_which_came_back() -> None:
    assert rollback().reasons == (
        "version 3, approved 2026-11-23 06:03 UTC, was rejected: it guesses",
        "version 2, approved 2026-11-23 06:02 UTC, is champion again",
    )
    assert json.loads(rollback().as_detail()) == {
        "model": "titanic",
        "modelPackageGroupName": "handsoff-titanic",
        "rejected": "arn:p/handsoff-titanic/3",
        "champion": "arn:p/handsoff-titanic/2",
        "approvedAt": "2026-11-23T06:02:00+00:00",
        "at": "2026-11-23T07:00:00+00:00",
    }


def test_a_rollback_to_nothing_says_so() -> None:
    nothing = rollback(champion=None, champion_approved_at=None, why="")
    assert nothing.reasons == (
        "version 3, approved 2026-11-23 06:03 UTC, was rejected",
        "no approved version is left, so there is no champion now",
    )
    assert (json.loads(nothing.as_detail())["champion"], json.loads(nothing.as_detail())["approvedAt"]) == (
        None,
        None,
    )


def test_an_event_that_the_bus_does_not_take_is_put_again(world: Any) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    world.events.refuses = 1
    with pytest.raises(NotReady, match="InternalFailure: try again"):
        announce(world.events, world.ledger, rollback(), now=now)
    assert announce(world.events, world.ledger, rollback(), now=now)
    assert not announce(world.events, world.ledger, rollback(at="later"), now=now)
    ((source, kind, detail),) = world.events.taken
    assert (source, kind, detail["model"]) == ("handsoff", "Champion Rolled Back", "titanic")


def test_a_fact_has_one_identity_and_its_repetition_another() -> None:
    assert message().identity == message(reasons=["other words"]).identity
    assert message().identity != message("approved").identity
    assert message(occurrence="1").identity != message(occurrence="2").identity


def test_it_is_published_once_with_attributes_for_filters(world: Any) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert notify(world.sns, world.ledger, world.settings.topic, message(), now=now)
    assert not notify(world.sns, world.ledger, world.settings.topic, message(), now=now)
    (told,) = world.messages()
    assert told["reasons"] == ["accuracy: 0.5, needs ≥ 0.78 → fail"]


def test_a_publish_that_fails_can_be_tried_again_at_once(world: Any) -> None:
    class Down:
        def publish(self, **_: Any) -> None:
            raise ConnectionError

    now = datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(ConnectionError):
        notify(Down(), world.ledger, world.settings.topic, message(), now=now)  # type: ignore[arg-type]
    assert notify(world.sns, world.ledger, world.settings.topic, message(), now=now)
    assert len(world.messages()) == 1
