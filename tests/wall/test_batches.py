"""Which objects are data, what identifies a batch, and what its manifest says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ClientError

import batch as steps
import checksums as step_checksums
import names as steps_names
from job import SPLITS, DataProblem
from retraining.starts import batches as functions
from retraining.starts import bucket, checksums, names
from tests.pipeline_def.helpers import BUCKET, SAMPLES, land

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAMPLE: Final[dict[str, Any]] = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("rest", "split"),
    [
        ("train", "train"),
        ("train.csv", "train"),
        ("train.CSV", "train"),
        ("train.csv.gz", "train"),
        ("train.2026-11-30.csv", "train"),
        ("train.snappy.parquet", "train"),
        ("train.xlsx", "train"),
        ("validation.csv", "validation"),
        ("validation.Parquet", "validation"),
        ("train/part 1.csv", "train"),
        ("train/b.CSV", "train"),
        ("train/x.gz", "train"),
        ("train/20261130_112233_00042_abcde_0f3c1d2e-aaaa-bbbb-cccc-0123456789ab", "train"),
        ("train/readme.md", "train"),
        ("train/a.zip", "train"),
        ("train//a.csv", "train"),
        ("train/2026/part-0.csv.gz", "train"),
        ("train/2026/01 ü.csv", "train"),
        ("train/line\nbreak.csv", "train"),
        ("train/embarked=S/part-0.parquet", "train"),
        ("train/embarked=__HIVE_DEFAULT_PARTITION__/sex=a%2Fb/part-0.csv", "train"),
        ("validation/a b.csv", "validation"),
        ("validation/a.parquet", "validation"),
        ("validation/train.csv", "validation"),
    ],
)
def test_split_of_data_is_the_same_on_both_sides(rest: str, split: str) -> None:
    assert names.split_of(rest) == steps.split_of(f"curated/small/{rest}", "small") == split
    assert names.ignored_as(rest) is None


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("", "placeholder"),
        ("train/", "placeholder"),
        ("train/embarked=S/", "placeholder"),
        ("train_$folder$", "placeholder"),
        ("train/embarked=S_$folder$", "placeholder"),
        ("train/.csv", "hidden"),
        ("train/_SUCCESS", "hidden"),
        ("train/_temporary/0/_temporary/attempt_0/part-0.csv", "hidden"),
        ("train/.part-0.csv.crc", "hidden"),
        ("train/_committed_123", "hidden"),
        ("train/_started_123", "hidden"),
        ("train/_delta_log/00000000000000000010.checkpoint.parquet", "hidden"),
        ("validation/embarked=S/_tmp.csv", "hidden"),
        ("_SUCCESS", "hidden"),
        ("_temporary/train/a.csv", "hidden"),
        ("../small/train.csv", "hidden"),
        ("train/part-0.csv._COPYING_", "unfinished"),
        ("train/part-0-0.inprogress.af3-1", "unfinished"),
        ("train/a.csv.INPROGRESS", "unfinished"),
        ("train/day=1/a.csv.tmp", "unfinished"),
        ("validation/a.csv.crdownload", "unfinished"),
        ("validation/a.csv.filepart", "unfinished"),
        ("train/a.csv.partial", "unfinished"),
        ("train/a.csv~", "copy"),
        ("train/a.csv.bak", "copy"),
        ("train/day=1/.a.csv.swp", "hidden"),
        ("train/day=1/a.csv.swp", "copy"),
        ("train/~$a.csv", "copy"),
        ("train/#a.csv#", "copy"),
        ("train.csv.tmp", "elsewhere"),
        ("train.csv.md5", "elsewhere"),
        ("train_2026.csv", "elsewhere"),
        ("train-0.csv", "elsewhere"),
        ("train.parquet/part-0.parquet", "elsewhere"),
        ("Train/a.csv", "elsewhere"),
        ("TRAIN.csv", "elsewhere"),
        ("training/a.csv", "elsewhere"),
        ("holdout/a.csv", "elsewhere"),
        ("xtrain.csv", "elsewhere"),
        ("old/train.csv", "elsewhere"),
        ("test.csv", "elsewhere"),
        ("notes.csv", "elsewhere"),
        ("DONE", "elsewhere"),
    ],
)
def test_split_of_what_is_no_data_is_none_and_has_the_same_reason_on_both_sides(
    rest: str, reason: str
) -> None:
    assert names.split_of(rest) is steps.split_of(f"curated/small/{rest}", "small") is None
    assert names.ignored_as(rest) == reason


def test_what_names_say_is_the_same_file_on_both_sides() -> None:
    ours, theirs = (Path(module.__file__ or "").read_bytes() for module in (names, steps_names))
    assert ours == theirs


@pytest.mark.parametrize("marker", [None, "DONE"])
def test_manifest_names_what_is_left_out_in_the_same_words_on_both_sides(
    s3: S3Client, marker: str | None
) -> None:
    for rest in ("train/a.csv", "validation/a.csv", "train/_tmp/a.csv", "Train/b.csv", "c.csv"):
        land(s3, f"curated/small/{rest}", "x\n1\n")
    for rest in ("train/", "train/_SUCCESS", "_SUCCESS"):
        land(s3, f"curated/small/{rest}", "")
    if marker:
        for rest in ("DONE", "train/DONE", "validation/DONE"):
            land(s3, f"curated/small/{rest}", "")
    ours = bucket.list_batch(s3, BUCKET, "small", marker)
    ours = ours.with_checksums(checksums.read(s3, BUCKET, ours.objects))
    identity = steps.latest_batch(s3, BUCKET, "small", marker)
    assert ours.identity == identity
    body = s3.get_object(Bucket=BUCKET, Key=ours.manifest_key)["Body"].read()
    written = json.loads(body)
    assert {"ignored": written["ignored"], "ignoredCount": 3} == {
        name: json.loads(ours.manifest())[name] for name in ("ignored", "ignoredCount")
    }
    manifest = steps.read_manifest(s3, BUCKET, "small", identity)
    assert (manifest.ignored, manifest.ignored_count) == (
        [
            {"key": "curated/small/Train/b.csv", "reason": "elsewhere"},
            {"key": "curated/small/c.csv", "reason": "elsewhere"},
            {"key": "curated/small/train/_tmp/a.csv", "reason": "hidden"},
        ],
        3,
    )


def test_table_is_refused_in_the_same_words_on_both_sides(s3: S3Client) -> None:
    for rest in ("train/a.parquet", "validation/a.csv", "train/_delta_log/0.json"):
        land(s3, f"curated/small/{rest}", "x")
    said = bucket.list_batch(s3, BUCKET, "small").table
    with pytest.raises(DataProblem) as raised:
        steps.latest_batch(s3, BUCKET, "small")
    assert str(raised.value) == said


def test_files_of_both_splits_make_the_same_batch_on_both_sides(s3: S3Client) -> None:
    for rest in ("a.csv", "2026/b.csv", "2026/_SUCCESS", "README.md", "DONE"):
        land(s3, f"curated/small/{rest}", "x\n1\n")
    ours = bucket.list_batch(s3, BUCKET, "small", "DONE", whole=True)
    ours = ours.with_checksums(checksums.read(s3, BUCKET, ours.objects))
    assert [one.key for one in ours.objects] == ["curated/small/2026/b.csv", "curated/small/a.csv"]
    identity = steps.latest_batch(s3, BUCKET, "small", "DONE", whole=True)
    assert ours.identity == identity
    manifest = steps.read_manifest(s3, BUCKET, "small", identity)
    assert [(it.key, it.version_id) for it in manifest.objects] == [
        (it.key, it.version_id) for it in ours.objects
    ]
    assert [one["reason"] for one in manifest.ignored] == ["hidden", "ending"]
    steps.check_splits(manifest, "small", whole=True)


def test_file_of_one_split_is_refused_in_the_same_words_on_both_sides(s3: S3Client) -> None:
    for rest in ("a.csv", "train/b.csv"):
        land(s3, f"curated/small/{rest}", "x\n1\n")
    said = bucket.list_batch(s3, BUCKET, "small", whole=True).misplaced
    manifest = steps.read_manifest(s3, BUCKET, "small", steps.latest_batch(s3, BUCKET, "small", whole=True))
    with pytest.raises(DataProblem) as raised:
        steps.check_splits(manifest, "small", whole=True)
    assert str(raised.value) == said


def test_missing_split_names_what_is_left_out_on_both_sides(s3: S3Client) -> None:
    for rest in ("train/a.csv", "Validation/a.csv"):
        land(s3, f"curated/small/{rest}", "x\n1\n")
    why = "neither below train/ or validation/ nor a file train.csv or validation.csv"
    left_out = f"1 object left out: Validation/a.csv ({why})"
    batch = bucket.list_batch(s3, BUCKET, "small")
    assert batch.without_splits == f"there is no validation data; {left_out}"
    identity = steps.latest_batch(s3, BUCKET, "small")
    manifest = steps.read_manifest(s3, BUCKET, "small", identity)
    with pytest.raises(DataProblem) as raised:
        steps.check_splits(manifest, "small")
    assert str(raised.value) == f"there is no data for validation under curated/small/; {left_out}"


def test_split_of_key_of_another_model_is_none() -> None:
    assert steps.split_of("curated/smaller/train.csv", "small") is None
    assert functions.batch_of("small", [item("curated/smaller/train.csv")]).objects == ()


def test_a_batch_without_objects_misses_every_split() -> None:
    assert functions.batch_of("small", []).missing == ["train", "validation"] == [*SPLITS]
    with pytest.raises(DataProblem, match="there is no data for train and validation under curated/small/"):
        steps.check_splits(steps.Manifest([], [], 0), "small")


def item(key: str) -> functions.DataObject:
    """An object as start_retraining lists it."""
    return functions.DataObject(key, "v", "e", 1)


def test_batch_of_the_sample_has_the_same_identity_and_manifest() -> None:
    identity = "34cf00cdbbb5b0c35486920b07f1f20239b1b25d5fb9dc9e885829acf82799b7"
    fields = [(each["key"], each["versionId"], each["etag"], each["size"]) for each in SAMPLE["objects"]]
    ours = functions.batch_of(SAMPLE["model"], [functions.DataObject(*each) for each in fields])
    theirs = [steps.DataObject(*each) for each in fields]
    assert ours.identity == SAMPLE["batch"] == identity
    assert steps.batch_identity(theirs) == steps.batch_identity(theirs[::-1]) == identity
    text = steps.manifest(SAMPLE["model"], identity, theirs)
    assert json.loads(text) == SAMPLE
    assert ours.manifest() == text
    key = f"batches/{SAMPLE['model']}/{identity}/manifest.json"
    assert functions.manifest_key(SAMPLE["model"], identity) == key
    assert steps.manifest_key(SAMPLE["model"], identity) == key


def test_each_side_reads_the_manifest_of_the_other(s3: S3Client) -> None:
    land(s3, "curated/small/train/old.csv", "x\n1\n")
    s3.delete_object(Bucket=BUCKET, Key="curated/small/train/old.csv")
    for name, content in (
        ("train.csv", "x\n0\n"),
        ("train.csv", "x\n1\n"),
        ("validation/a.csv", "x\n2\n"),
        ("_SUCCESS", ""),
    ):
        land(s3, f"curated/small/{name}", content)
    listed = bucket.list_batch(s3, BUCKET, "small")
    listed = listed.with_checksums(checksums.read(s3, BUCKET, listed.objects))
    batch = steps.latest_batch(s3, BUCKET, "small")
    assert listed.identity == batch
    assert [each.key for each in listed.objects] == [
        "curated/small/train.csv",
        "curated/small/validation/a.csv",
    ]
    assert bucket.read_manifest(s3, BUCKET, "small", batch) == [*listed.objects]
    written = s3.get_object(Bucket=BUCKET, Key=listed.manifest_key)["Body"].read().decode()
    assert written == listed.manifest()
    assert [item.get("checksum") for item in json.loads(written)["objects"]] == [
        "CRC32:pNA8FQ==",
        "CRC32:j/1v1g==",
    ]
    bucket.write_manifest(s3, BUCKET, listed)
    assert [each.version_id for each in steps.read_manifest(s3, BUCKET, "small", batch).objects] == [
        each.version_id for each in listed.objects
    ]


def test_batch_with_checksums_has_the_same_identity_and_manifest() -> None:
    identity = "b44b845482c949c7c79a079f77c93363f8fcba70d7c1e397e8dfb453fbeb929c"
    fields: list[tuple[str, str, str, int, str | None]] = [
        ("curated/small/train.csv", "v1", "aa", 10, "CRC64NVME:rosUhgp5mIg="),
        ("curated/small/train/old.csv", "v2", "bb", 20, ""),
        ("curated/small/validation.csv", "v3", "cc-2", 30, None),
    ]
    ours = functions.batch_of("small", [functions.DataObject(*it[:4], checksum=it[4]) for it in fields])
    theirs = [steps.DataObject(*it) for it in fields]
    assert ours.identity == steps.batch_identity(theirs[::-1]) == identity
    assert ours.manifest() == steps.manifest("small", identity, theirs)
    told = [item.get("checksum", "untold") for item in json.loads(ours.manifest())["objects"]]
    assert told == ["CRC64NVME:rosUhgp5mIg=", "", "untold"]


def test_manifest_that_an_earlier_version_named_by_etags_is_read(s3: S3Client) -> None:
    """The version before named a batch by its ETags, and kept the checksums."""
    item = {
        "key": "curated/small/train.csv",
        "versionId": "v1",
        "etag": "aa",
        "size": 10,
        "checksum": "CRC32:x",
    }
    batch = "e979abae4046b32d0496f0cbee421e618caa74b6e47beb0c5d1f3c266254b3c5"
    manifest = {"model": "small", "batch": batch, "objects": [item]}
    s3.put_object(Bucket=BUCKET, Key=steps.manifest_key("small", batch), Body=json.dumps(manifest).encode())
    (theirs,) = steps.read_manifest(s3, BUCKET, "small", batch).objects
    (ours,) = bucket.read_manifest(s3, BUCKET, "small", batch)
    for found in (theirs, ours):
        assert (found.key, found.version_id, found.etag, found.size) == (
            "curated/small/train.csv",
            "v1",
            "aa",
            10,
        )
        assert found.checksum == "CRC32:x"


class Head:
    """An S3 that answers HeadObject with these heads by the number of the part; 0 is the whole object."""

    def __init__(self, *heads: dict[str, Any] | str) -> None:
        self.heads = heads

    def head_object(self, PartNumber: int = 0, **asked: Any) -> dict[str, Any]:
        assert asked == {"Bucket": "b", "Key": "k", "VersionId": "v", "ChecksumMode": "ENABLED"}
        head = self.heads[PartNumber]
        if isinstance(head, str):
            raise ClientError({"Error": {"Code": head}}, "HeadObject")
        return head


def part(size: int, value: str, name: str = "CRC32", count: int = 3) -> dict[str, Any]:
    return {"ContentLength": size, "PartsCount": count, f"Checksum{name}": value}


WHOLE, COMPOSITE = {"ChecksumType": "FULL_OBJECT"}, {"ChecksumType": "COMPOSITE", "ChecksumCRC32": "AA==-3"}
PARTS = (part(5000, "0jmW4Q=="), part(5000, "mK2/rA=="), part(2345, "T1nyaQ=="))
"""The bytes 0 to 255 again and again, 12,345 bytes."""


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ([{**WHOLE, "ChecksumCRC64NVME": "x"}], "CRC64NVME:x"),
        ([{**WHOLE, "ChecksumCRC32": "x"}], "CRC32:x"),
        ([{**WHOLE, "ChecksumSHA256": "x", "ChecksumCRC32": "y"}], "SHA256:x"),
        ([{}], ""),
        ([{"ChecksumType": "COMPOSITE", "ChecksumSHA256": "x-3"}], ""),
        ([COMPOSITE, *PARTS], "CRC32:BWB5+Q=="),
        (
            [
                {"ChecksumType": "COMPOSITE", "ChecksumCRC32C": "AA==-2"},
                part(10_000, "WGi8Ww==", "CRC32C", 2),
                part(2345, "1QQ5hg==", "CRC32C", 2),
            ],
            "CRC32C:HX6Naw==",
        ),
        ([COMPOSITE, {"ContentLength": 12_345}], ""),
        ([COMPOSITE, part(5000, "AAAAAA==-3")], ""),
        ([COMPOSITE, *PARTS[:2], part(5000, "T1nyaQ==")], ""),
        ([COMPOSITE, part(1, "AAAAAA==", count=201)], ""),
        (["404"], None),
        (["403"], None),
        ([COMPOSITE, "403"], None),
    ],
)
def test_checksum_of_a_version_is_the_same_on_both_sides(heads: list[Any], expected: str | None) -> None:
    s3: Any = Head(*heads)
    found = checksums.read(s3, "b", [functions.DataObject("k", "v", "e", 12_345)])
    assert found == {("k", "v"): expected}
    assert step_checksums.checksum(s3, "b", "k", "v", 12_345) == expected


def test_checksum_that_cannot_be_read_now_is_an_error_on_both_sides() -> None:
    s3: Any = Head("503")
    with pytest.raises(ClientError):
        checksums.read(s3, "b", [functions.DataObject("k", "v", "e", 1)])
    with pytest.raises(ClientError):
        step_checksums.checksum(s3, "b", "k", "v", 1)
