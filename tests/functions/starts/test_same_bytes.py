"""The same bytes landed again start nothing, also where their ETags differ."""

from __future__ import annotations

from typing import Any

import pytest

from retraining.starts import reading
from retraining.starts.batches import Batch, DataObject
from retraining.starts.bucket import read_checksums
from tests.functions.memory import MemoryS3, refused
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import MODEL, OneModel

TRAIN = DataObject("curated/m/train.csv", "v1", "aa", 10, checksum="SHA256:x")


class Encrypted(MemoryS3):
    """A bucket under SSE-KMS: each version has an ETag of its own, whatever its bytes."""

    heads = 0

    def list_object_versions(self, **call: Any) -> dict[str, Any]:
        found = super().list_object_versions(**call)
        for item in found["Versions"]:
            item["ETag"] = f'"{item["VersionId"]}"'
        return found

    def head_object(self, **call: Any) -> dict[str, Any]:
        self.heads += "ChecksumMode" in call
        return super().head_object(**call)


@pytest.fixture
def world() -> OneModel:
    found = OneModel()
    found.s3 = Encrypted(lambda: found.now)
    return found


def deliver(world: OneModel, number: int) -> None:
    world.land_batch(number)
    world.mark()
    world.end_all(noticed=True)


def test_same_bytes_with_other_etags_start_nothing(world: OneModel) -> None:
    for number in (0, 1, 0, 1):
        deliver(world, number)
    assert len(world.started()) == 2
    state, _ = world.using().states.load(MODEL)
    assert state.reason == (
        "the same bytes were started before, as e1; `handsoff start titanic` trains on them again"
    )


def test_same_bytes_as_a_person_started_start_nothing(world: OneModel) -> None:
    world.land_batch(0)
    world.come("request-1")
    world.end_all(noticed=True)
    deliver(world, 0)
    assert [item["Trigger"] for item in world.started()] == ["request"]


def test_checksums_of_versions_in_the_last_manifest_are_not_read_again(world: OneModel) -> None:
    for number in range(5):
        world.land(f"train/{number}.csv", HEADER + ROWS)
    deliver(world, 0)
    assert isinstance(world.s3, Encrypted)
    assert world.s3.heads == 7
    world.land("train/new.csv", HEADER + ROWS)
    world.mark()
    assert world.s3.heads == 8


def test_batch_with_too_many_new_files_is_recognised_by_etags_alone(
    world: OneModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_CHECKSUMS", 1)
    deliver(world, 0)
    deliver(world, 0)
    assert isinstance(world.s3, Encrypted)
    assert (len(world.started()), world.s3.heads) == (2, 0)


def test_start_of_an_earlier_version_has_no_contents() -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    del world.items.facts[f"model#{MODEL}"]["state"]["running"]["contents"]
    state, _ = world.using().states.load(MODEL)
    assert state.running is not None
    assert state.running.contents is None


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"ChecksumCRC64NVME": "c", "ChecksumType": "FULL_OBJECT"}, "CRC64NVME:c"),
        ({"ChecksumCRC32": "c", "ChecksumType": "FULL_OBJECT"}, "CRC32:c"),
        ({"ChecksumCRC32": "c-2", "ChecksumType": "COMPOSITE"}, None),
        ({}, None),
    ],
    ids=["S3's own", "of a client", "of parts", "none"],
)
def test_read_checksums_takes_those_of_whole_objects(head: dict[str, str], expected: str | None) -> None:
    class S3:
        def head_object(self, **call: Any) -> dict[str, str]:
            assert call == {
                "Bucket": "b", "Key": "curated/m/train.csv", "VersionId": "v1", "ChecksumMode": "ENABLED",
            }  # fmt: skip
            return head

    s3: Any = S3()
    found = read_checksums(s3, "b", [TRAIN])
    assert found == ({("curated/m/train.csv", "v1"): expected} if expected else {})


@pytest.mark.parametrize("code", ["400", "403", "404", "405"])
def test_read_checksums_leaves_files_that_cannot_be_read(code: str) -> None:
    class S3:
        def head_object(self, **_: Any) -> None:
            raise refused(code, "HeadObject")

    s3: Any = S3()
    assert read_checksums(s3, "b", [TRAIN]) == {}


def test_contents_are_checksums_with_sizes_else_etags() -> None:
    first = Batch("m", (TRAIN,))
    other_etag = Batch("m", (DataObject("curated/m/train.csv", "v2", "bb", 10, checksum="SHA256:x"),))
    other_size = Batch("m", (DataObject("curated/m/train.csv", "v1", "aa", 11, checksum="SHA256:x"),))
    unknown = Batch("m", (DataObject("curated/m/train.csv", "v1", "aa", 10),))
    assert first.contents == other_etag.contents
    assert first.identity != other_etag.identity
    assert len({first.contents, other_size.contents, unknown.contents}) == 3
    assert unknown.contents == unknown.identity
