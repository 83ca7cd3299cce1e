"""A batch that trains without a file in quarantine says so; with changes of rows a person asks for it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from handsoff.operating.quarantine import release_all
from retraining.config.schema import parse_config
from retraining.starts.quarantine import place
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BAD, MODEL, OneModel
from tests.functions.starts.test_quarantine import A, B, FailingS3, bodies, state_of, told, world_of
from tests.handsoff.test_release import deployment

LONG = "curated/titanic/train/" + "n" * 995 + ".csv"


def quarantined(*keys: str, cdc: bool = False) -> tuple[OneModel, FailingS3]:
    """A model whose first delivery was refused because of these files, which lie in quarantine now."""
    world, s3 = world_of(*keys)
    if cdc:
        model = {
            "task": "binary_classification",
            "target": "survived",
            "features": {"numeric": ["age"], "categorical": ["sex"]},
            "data": {"cdc": {"operation": "Op", "key": ["pclass"]}},
        }
        world.config = parse_config({"models": {MODEL: model}}, source="test").models[MODEL]
    world.come("landing")
    assert world.started() == []
    assert all(place(MODEL, key) in s3.versions for key in keys)
    later(world)
    return world, s3


def later(world: OneModel) -> None:
    world.now += timedelta(minutes=3)


def ignored(s3: FailingS3) -> Any:
    """What the newest manifest says is left out, and how many objects."""
    (key,) = [key for key in s3.versions if key.startswith("batches/")]
    manifest = json.loads(bodies(s3, key)[-1] or b"")
    return manifest.get("ignored"), manifest.get("ignoredCount")


@pytest.mark.parametrize("key", [A, LONG])
def test_manifest_names_a_file_that_is_in_quarantine(key: str) -> None:
    world, s3 = quarantined(key)
    world.land("train/new.csv", HEADER + ROWS)
    world.mark()
    assert len(world.started()) == 1
    assert ignored(s3) == ([{"key": place(MODEL, key), "reason": "quarantined"}], 1)


def test_manifest_names_no_file_that_was_replaced_or_released() -> None:
    world, s3 = quarantined(A, B)
    world.land("train/a.csv", HEADER + ROWS)
    later(world)
    assert release_all(deployment(world), MODEL, marker=False)[0] == [B]
    world.mark()
    assert len(world.started()) == 1
    assert ignored(s3) == (None, None)


def test_changes_without_a_file_in_quarantine_are_refused_and_told() -> None:
    world, _ = quarantined(A, cdc=True)
    world.land("train/new.csv", HEADER + ROWS)
    world.mark()
    later(world)
    world.sweep()
    assert world.started() == []
    assert state_of(world).reason == (
        "files with changes of rows are in quarantine: quarantine/titanic/train/a.csv; land corrected ones "
        "under their names, or `handsoff release titanic --all`; `handsoff start titanic` trains without them"
    )
    assert [message["kind"] for message in told(world)] == ["quarantined", "start_blocked"]


def test_changes_train_without_a_file_in_quarantine_if_a_person_asks() -> None:
    world, s3 = quarantined(A, cdc=True)
    world.come("request-1")
    assert len(world.started()) == 1
    assert ignored(s3) == ([{"key": "quarantine/titanic/train/a.csv", "reason": "quarantined"}], 1)


@pytest.mark.parametrize("way", ["replaced", "released"])
def test_changes_train_once_the_file_is_replaced_or_released(way: str) -> None:
    world, s3 = quarantined(A, cdc=True)
    if way == "replaced":
        world.land("train/a.csv", HEADER + ROWS)
    else:
        release_all(deployment(world), MODEL, marker=False)
    world.mark()
    assert len(world.started()) == 1
    assert ignored(s3) == (None, None)
    assert bodies(s3, A)[0] == BAD
