"""What approvers read, and the form that the contract fixes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from retraining.messages import SUBJECT_LIMIT, Kind, Notification
from retraining.notify import notify


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
