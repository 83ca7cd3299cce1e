"""A batch that an earlier version listed by another rule of names: with train/_temporary/, without b.CSV."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

from tests.functions.memory import etag
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import MODEL, OneModel
from tests.functions.starts.test_as_of_marker import schedule, trained

HIDDEN = "train/_temporary/part-0.csv"
GONE = "versions of the newest delivery have expired or were deleted for good"


def store(world: OneModel, batch: str, *, started: bool) -> None:
    """The state names this batch, as the version before left it."""
    state = world.items.facts[f"model#{MODEL}"]["state"]
    state |= {"answeredBatch": batch}
    state.pop("answeredRule", None)
    if started:
        state |= {"lastBatch": batch}


def trained_with_hidden_file() -> OneModel:
    """The version before trained on a file below _temporary/, too."""
    world = OneModel()
    world.land(HIDDEN, HEADER + ROWS)
    world.land("train/b.csv", HEADER + ROWS)
    world.land_batch(0)
    world.mark()
    world.end_all(noticed=True)
    found = next(key for key in world.s3.versions if key.endswith("manifest.json"))
    manifest = json.loads(world.s3._find(found, None))
    key = f"curated/{MODEL}/{HIDDEN}"
    version, body, _ = world.s3.versions[key][-1]
    assert body is not None
    size = len(body)
    manifest["objects"].append(
        {"key": key, "versionId": version, "etag": etag(body).strip('"'), "size": size}
    )
    manifest["objects"].sort(key=lambda one: one["key"])
    pairs = [[one["key"], one["etag"]] for one in manifest["objects"]]
    name = hashlib.sha256(json.dumps(pairs, separators=(",", ":")).encode()).hexdigest()
    body = json.dumps({**manifest, "batch": name}).encode()
    world.s3.put_object(Key=f"batches/{MODEL}/{name}/manifest.json", Body=body)
    store(world, name, started=True)
    world.now += timedelta(days=7)
    return world


def test_schedule_trains_a_batch_of_which_a_file_is_data_no_more() -> None:
    world = trained_with_hidden_file()
    schedule(world)
    assert [sorted(found) for found in trained(world)] == [["train.csv", "train/b.csv", "validation.csv"]] * 2


def test_schedule_is_refused_if_another_file_of_such_a_batch_is_gone() -> None:
    world = trained_with_hidden_file()
    version = world.s3.versions[f"curated/{MODEL}/train.csv"][0][0]
    world.s3.delete_object(Key=f"curated/{MODEL}/train.csv", VersionId=version)
    schedule(world)
    assert len(world.started()) == 1
    assert (world.using().states.load(MODEL)[0].reason or "").startswith(GONE)


def test_schedule_trains_a_refused_batch_of_which_more_files_are_data_now() -> None:
    world = OneModel()
    world.land("train.csv", HEADER + ROWS)
    world.land("validation/b.CSV", HEADER + ROWS)
    world.config = OneModel(min_new_rows=1000).config
    world.mark()
    assert world.started() == []
    store(world, "0" * 64, started=False)
    world.config = OneModel().config
    world.now += timedelta(days=7)
    schedule(world)
    assert [sorted(found) for found in trained(world)] == [["train.csv", "validation/b.CSV"]]


def test_schedule_is_refused_if_a_file_of_a_refused_batch_is_gone() -> None:
    """The rule of names is the same, so that another listing is a loss."""
    world = OneModel(min_new_rows=1000)
    world.land_batch(0)
    world.land("train/b.csv", HEADER + ROWS)
    world.now += timedelta(seconds=2)
    world.mark()
    version = world.s3.versions[f"curated/{MODEL}/train/b.csv"][0][0]
    world.s3.delete_object(Key=f"curated/{MODEL}/train/b.csv", VersionId=version)
    world.now += timedelta(days=7)
    schedule(world)
    assert world.started() == []
    assert (world.using().states.load(MODEL)[0].reason or "").startswith(GONE)
