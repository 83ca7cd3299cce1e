"""The same bytes landed again start nothing, also where their ETags differ."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from retraining.errors import OutOfTime
from retraining.starts import bucket, checksums
from retraining.starts.batches import Batch, DataObject
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


def test_same_bytes_by_three_tools_are_one_execution_also_after_others(world: OneModel) -> None:
    for number in (0, 0, 0, 1, 0):  # A, A, A, B, A
        deliver(world, number)
    first, second = (item["Batch"] for item in world.started())
    assert first != second
    assert world.using().states.load(MODEL)[0].last_batch == second


def test_checksums_of_many_files_survive_the_end_of_an_invocation(
    world: OneModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 files by parts of 10: whatever ends an invocation, no version is asked for twice."""
    monkeypatch.setattr(checksums, "PART", 10)
    world.land("validation.csv", HEADER + ROWS)
    for number in range(80):
        world.land(f"train/{number:02}.csv", HEADER + ROWS)
    listed = bucket.list_batch(world.using().s3, "data", MODEL)
    assert isinstance(world.s3, Encrypted)
    asked = []
    while True:
        using = replace(world.using(), time_left=lambda: timedelta(seconds=-1))
        try:
            batch = checksums.of_batch(listed, (), using)
            break
        except OutOfTime as error:
            asked.append((world.s3.heads, str(error)))
    assert [heads for heads, _ in asked] == [10, 20, 30, 40, 50, 60, 70, 80]
    assert asked[0][1] == "the checksums of 71 files are still to be read; the next sweep goes on"
    assert world.s3.heads == 81
    assert batch.identity == checksums.of_batch(listed, (), world.using()).identity == world.newest()
    assert world.s3.heads == 81
    assert all(item.checksum for item in batch.objects)


class TwoTools(MemoryS3):
    """A bucket in which validation.csv has another ETag each time, and train.csv another checksum."""

    def list_object_versions(self, **call: Any) -> dict[str, Any]:
        found = super().list_object_versions(**call)
        for item in found["Versions"]:
            if item["Key"].endswith("validation.csv"):
                item["ETag"] = f'"{item["VersionId"]}"'
        return found

    def head_object(self, *, Key: str, VersionId: str | None = None, **call: Any) -> dict[str, Any]:
        head = super().head_object(Key=Key, VersionId=VersionId, **call)
        if Key.endswith("train.csv") and "ChecksumSHA256" in head:
            head["ChecksumSHA256"] += f"{VersionId}"  # stands for another algorithm
        return head


def test_same_bytes_by_two_tools_in_one_batch_start_nothing() -> None:
    """One file has the ETag of before, the other one the checksum: neither all ETags nor all checksums."""
    world = OneModel()
    world.s3 = TwoTools(lambda: world.now)
    for number in (0, 0, 1, 1):
        deliver(world, number)
    assert len(world.started()) == 2
    state, _ = world.using().states.load(MODEL)
    assert state.reason == (
        "the same bytes were started before, as e1; `handsoff start titanic` trains on them again"
    )


def test_fewer_files_than_before_are_other_data() -> None:
    world = OneModel()
    world.s3 = TwoTools(lambda: world.now)
    world.land("train/more.csv", HEADER + ROWS)
    deliver(world, 0)
    world.s3.delete_object(Key=f"curated/{MODEL}/train/more.csv")
    deliver(world, 0)
    assert len(world.started()) == 2


class Unanswering(Encrypted):
    """A bucket whose key may not be used: S3 tells no checksum."""

    def head_object(self, **call: Any) -> dict[str, Any]:
        self.heads += "ChecksumMode" in call
        raise refused("403", "HeadObject")


def test_checksums_of_many_files_that_s3_does_not_tell_come_to_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checksums, "PART", 10)
    world = OneModel()
    world.s3 = Unanswering(lambda: world.now)
    for number in range(25):
        world.land(f"train/{number:02}.csv", HEADER + ROWS)
    using = replace(world.using(), time_left=lambda: timedelta(seconds=-1))
    listed = bucket.list_batch(using.s3, "data", MODEL)
    for _ in range(2):
        with pytest.raises(OutOfTime):
            checksums.of_batch(listed, (), using)
    batch = checksums.of_batch(listed, (), using)
    assert world.s3.heads == 25
    assert batch.identity == listed.listing
    assert "checksum" not in batch.manifest()


def test_checksums_that_s3_did_not_tell_are_asked_for_again_after_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each hour another file lands; meanwhile the KMS key can be used again."""
    monkeypatch.setattr(checksums, "PART", 10)
    world = OneModel()
    world.s3 = Unanswering(lambda: world.now)
    for number in range(25):
        world.land(f"train/{number:02}.csv", HEADER + ROWS)
    heads = []
    for hour in range(27):
        batch = checksums.of_batch(bucket.list_batch(world.using().s3, "data", MODEL), (), world.using())
        heads.append(world.s3.heads)
        world.now += timedelta(hours=1)
        if hour == 1:
            answering = Encrypted(lambda: world.now)
            answering.versions, answering.count = world.s3.versions, world.s3.count
            world.s3, answering.heads = answering, 25
    assert heads == [25] * 24 + [50] * 3
    assert all(item.checksum for item in batch.objects)


def test_checksums_that_the_version_before_kept_are_read(
    world: OneModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It kept for ever that S3 has not answered, without the time."""
    monkeypatch.setattr(checksums, "PART", 10)
    for number in range(25):
        world.land(f"train/{number:02}.csv", HEADER + ROWS)
    listed = bucket.list_batch(world.using().s3, "data", MODEL)
    kept = [
        [one.key, one.version_id, None if number < 5 else "SHA256:x"]
        for number, one in enumerate(listed.objects)
    ]
    world.s3.put_object(Key="batches/titanic/checksums.json", Body=json.dumps(kept).encode())
    batch = checksums.of_batch(listed, (), world.using())
    assert isinstance(world.s3, Encrypted)
    assert world.s3.heads == 5
    assert [one.checksum == "SHA256:x" for one in batch.objects] == [False] * 5 + [True] * 20


@pytest.mark.parametrize(
    ("etags", "heads"),
    [(["aa"] * 10, [10]), (["aa"] * 11, [10, 1]), (["a-4", "b-4", "c-4"], [2, 1]), (["a-201"] * 11, [10, 1])],
    ids=["one part", "two", "uploads in parts cost more", "too many parts are not asked for"],
)
def test_parts_have_as_many_requests(
    etags: list[str], heads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "PART", 10)
    files = [DataObject(f"curated/m/train/{number}.csv", "v", etag, 1) for number, etag in enumerate(etags)]
    assert [len(part) for part in checksums._parts(files)] == heads


def test_many_files_whose_checksums_are_kept_start_once(
    world: OneModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "PART", 10)
    for number in range(40):
        world.land(f"train/{number:02}.csv", HEADER + ROWS)
    deliver(world, 0)
    for number in range(40):
        world.land(f"train/{number:02}.csv", HEADER + ROWS)
    deliver(world, 0)
    assert len(world.started()) == 1
    assert world.items.facts[f"model#{MODEL}"]["state"]["answer"] == "refuse"


# ---- earlier versions ------------------------------------------------------------------------------------


def test_same_bytes_as_before_the_upgrade_start_nothing(world: OneModel) -> None:
    deliver(world, 0)
    world.name_by_etags()
    deliver(world, 0)
    assert len(world.started()) == 1
    deliver(world, 1)
    assert len(world.started()) == 2


def test_same_etags_as_0_1_trained_on_start_nothing() -> None:
    world = OneModel()
    deliver(world, 0)
    identity = world.newest()
    world.name_by_etags()
    del world.items.facts[f"batch#{MODEL}#{identity}"]  # 0.1 knew no checksums
    deliver(world, 0)
    assert len(world.started()) == 1


@pytest.mark.parametrize("contents", ["c" * 64, None], ids=["version before", "0.1"])
def test_start_that_an_earlier_version_took_keeps_its_names(world: OneModel, contents: str | None) -> None:
    world.land_batch(0)
    world.mark()
    state = world.items.facts[f"model#{MODEL}"]["state"]
    del state["running"]["listing"]
    del state["running"]["executionArn"]
    state["running"] |= {"key": "k" * 64, "batch": "e" * 64, **({"contents": contents} if contents else {})}
    world.now += timedelta(minutes=10)
    world.sweep()
    assert {item["Batch"] for item in world.started()} >= {"e" * 64}
    facts = {name for name, fact in world.items.facts.items() if fact.get("startKey") == "k" * 64}
    names = {f"batch#{MODEL}#{name}" for name in ("e" * 64, contents) if name}
    assert {name for name in facts if name.startswith("batch#")} == names


# ---- one version -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"ChecksumCRC64NVME": "c", "ChecksumType": "FULL_OBJECT"}, "CRC64NVME:c"),
        ({"ChecksumCRC32": "c", "ChecksumType": "FULL_OBJECT"}, "CRC32:c"),
        ({"ChecksumSHA256": "c-2", "ChecksumType": "COMPOSITE"}, ""),
        ({}, ""),
    ],
    ids=["S3's own", "of a client", "of parts", "none"],
)
def test_read_takes_checksums_of_whole_objects(head: dict[str, str], expected: str) -> None:
    class S3:
        def head_object(self, **call: Any) -> dict[str, str]:
            assert call == {
                "Bucket": "b", "Key": "curated/m/train.csv", "VersionId": "v1", "ChecksumMode": "ENABLED",
            }  # fmt: skip
            return head

    s3: Any = S3()
    assert checksums.read(s3, "b", [TRAIN]) == {("curated/m/train.csv", "v1"): expected}


class InParts:
    """An S3 with one object, the bytes 0 to 255 again and again, 12,345 bytes, uploaded in three parts."""

    def __init__(self, name: str, values: list[str], sizes: tuple[int, ...] = (5000, 5000, 2345)) -> None:
        self.name, self.values, self.sizes = name, values, sizes

    def head_object(self, PartNumber: int = 0, **_: Any) -> dict[str, Any]:
        if not PartNumber:
            return {f"Checksum{self.name}": "AAAAAA==-3", "ChecksumType": "COMPOSITE"}
        value = {f"Checksum{self.name}": self.values[PartNumber - 1]} if self.values else {}
        return {"PartsCount": 3, "ContentLength": self.sizes[PartNumber - 1], **value}


@pytest.mark.parametrize(
    ("name", "values", "whole"),
    [
        ("CRC32", ["0jmW4Q==", "mK2/rA==", "T1nyaQ=="], "CRC32:BWB5+Q=="),
        ("CRC32C", ["ekq0jQ==", "yS53zw==", "1QQ5hg=="], "CRC32C:HX6Naw=="),
    ],
)
def test_read_joins_the_crcs_of_parts(name: str, values: list[str], whole: str) -> None:
    s3: Any = InParts(name, values)
    large = replace(TRAIN, size=12_345)
    assert checksums.read(s3, "b", [large]) == {("curated/m/train.csv", "v1"): whole}


@pytest.mark.parametrize(
    "s3",
    [
        InParts("SHA256", []),
        InParts("CRC32", []),
        InParts("CRC32", ["AAAAAA==-3"] * 3),
        InParts("CRC32", ["AAAAAA=="] * 3, (5000, 5000, 5000)),
    ],
    ids=["no sum of parts", "parts untold", "that of all parts", "other sizes"],
)
def test_read_finds_no_checksum_of_the_whole(s3: Any) -> None:
    large = replace(TRAIN, size=12_345)
    assert checksums.read(s3, "b", [large]) == {("curated/m/train.csv", "v1"): ""}


@pytest.mark.parametrize("code", ["400", "403", "404", "405"])
def test_read_leaves_files_that_cannot_be_read(code: str) -> None:
    class S3:
        def head_object(self, **_: Any) -> None:
            raise refused(code, "HeadObject")

    s3: Any = S3()
    assert checksums.read(s3, "b", [TRAIN]) == {("curated/m/train.csv", "v1"): None}


def test_identity_is_of_checksums_with_sizes_else_etags() -> None:
    first = Batch("m", (TRAIN,))
    other_etag = Batch("m", (DataObject("curated/m/train.csv", "v2", "bb", 10, checksum="SHA256:x"),))
    other_size = Batch("m", (DataObject("curated/m/train.csv", "v1", "aa", 11, checksum="SHA256:x"),))
    unknown = Batch("m", (DataObject("curated/m/train.csv", "v1", "aa", 10),))
    none = Batch("m", (DataObject("curated/m/train.csv", "v1", "aa", 10, checksum=""),))
    assert first.identity == other_etag.identity
    assert first.listing != other_etag.listing
    assert len({first.identity, other_size.identity, unknown.identity}) == 3
    assert unknown.identity == none.identity == unknown.listing == first.listing
    text = '[["curated/m/train.csv","SHA256:x:10"]]'
    assert first.identity == hashlib.sha256(text.encode()).hexdigest()


def test_new_since_knows_the_same_bytes_by_etag_or_checksum() -> None:
    same = DataObject("curated/m/train.csv", "v2", "bb", 10, checksum="SHA256:x")
    unread = DataObject("curated/m/train.csv", "v3", "aa", 10)
    other = DataObject("curated/m/train.csv", "v4", "cc", 10, checksum="SHA256:y")
    assert [Batch("m", (item,)).new_since([TRAIN]) for item in (same, unread, other)] == [(), (), (other,)]
