"""SNS takes no notification: files are moved, refusals are recorded, and people are told later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from retraining.facts.starts import Untold
from tests.functions.memory import refused
from tests.functions.models import Models
from tests.functions.starts.blocked import MODEL, state, sweeps

TOO_LARGE = "the batch below curated/ant/ has 2 files, at most 1 are read: land fewer and larger files"


class Topic:
    """SNS of these models; while it is `dead`, it refuses to publish."""

    def __init__(self, models: Models) -> None:
        self.dead = True
        self._publish = models.world.sns._inner.publish  # type: ignore[attr-defined]
        models.world.sns._inner.publish = self  # type: ignore[attr-defined]

    def __call__(self, **call: Any) -> Any:
        if self.dead:
            raise refused("AuthorizationError", "Publish")
        return self._publish(**call)


def bad(models: Models) -> None:
    models.put(MODEL, "train.csv", b"nonsense")
    models.put(MODEL, "validation.csv")
    models.deliver(models.put(MODEL, "_SUCCESS", b""))


def test_bad_files_are_moved_and_told_once_the_topic_is_back(models: Models) -> None:
    topic = Topic(models)
    bad(models)
    objects = models.world.s3._inner  # type: ignore[attr-defined]
    assert len(objects.versions[f"quarantine/{MODEL}/train.csv"]) == 1
    topic.dead = False
    sweeps(models, 3)
    (told,) = models.world.messages()
    assert told["kind"] == "quarantined"
    assert (state(models).bad_files, state(models).moves) == ((), 0)
    assert len(objects.versions[f"quarantine/{MODEL}/train.csv"]) == 1


def test_model_starts_with_corrected_files_though_the_topic_stays_dead(models: Models) -> None:
    Topic(models)
    bad(models)
    sweeps(models, 10)
    assert state(models).bad_files == ()
    models.deliver(models.land(MODEL))
    assert models.started() == [MODEL]


def test_refusal_is_recorded_while_the_topic_is_dead_and_told_once_it_is_back(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retraining.starts.batches.MAX_OBJECTS", 1)
    topic = Topic(models)
    models.deliver(models.land(MODEL))
    sweeps(models, 30)
    now = state(models)
    assert (now.answer, now.reason, now.pending, now.blocked) == ("refuse", TOO_LARGE, (), None)
    assert now.untold is not None
    assert now.untold.reason == TOO_LARGE
    topic.dead = False
    sweeps(models, 2)
    (told,) = models.world.messages()
    assert (told["kind"], told["reasons"]) == ("start_blocked", [TOO_LARGE])
    assert state(models).untold is None
    monkeypatch.undo()
    models.now += timedelta(minutes=1)
    models.deliver(models.land(MODEL))
    assert models.started() == [MODEL]


def test_told_leaves_a_newer_refusal(models: Models) -> None:
    older, newer = (Untold(reason=name, occurrence=name) for name in "ab")
    now = state(models).refused("b", models.now, "b")
    assert now.told(older).untold == newer
    assert now.told(newer).untold is None


def test_failure_while_bad_files_are_moved_is_noted(models: Models) -> None:
    Topic(models)
    bad(models)
    noted = state(models)
    assert len(noted.bad_files) == 1
    failed = noted.failed("the ledger is away", models.now)
    assert failed.blocked is not None
    assert failed.blocked.reason == "the ledger is away"
    assert failed.bad_files == noted.bad_files
