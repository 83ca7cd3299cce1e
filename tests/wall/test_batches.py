"""Which objects are data, what identifies a batch, and what its manifest says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

import batch as steps
from job import SPLITS, DataProblem
from retraining.starts import batches as functions
from retraining.starts import bucket, names
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
    assert names.ignored_as(rest) is steps.ignored_as(rest) is None


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
    assert names.ignored_as(rest) == steps.ignored_as(rest) == reason


def test_the_tables_of_names_are_the_same_on_both_sides() -> None:
    assert (names.SUFFIXES, names.DATA, names.NOT_DATA) == (steps.SUFFIXES, steps.DATA, steps.NOT_DATA)


def test_split_of_key_of_another_model_is_none() -> None:
    assert steps.split_of("curated/smaller/train.csv", "small") is None
    assert functions.batch_of("small", [item("curated/smaller/train.csv")]).objects == ()


def test_a_batch_without_objects_misses_every_split() -> None:
    assert functions.batch_of("small", []).missing == ["train", "validation"] == [*SPLITS]
    with pytest.raises(DataProblem, match="there is no data for train and validation under curated/small/"):
        steps.check_splits([], "small")


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
    batch = steps.latest_batch(s3, BUCKET, "small")
    assert listed.identity == batch
    assert [each.key for each in listed.objects] == [
        "curated/small/train.csv",
        "curated/small/validation/a.csv",
    ]
    assert bucket.read_manifest(s3, BUCKET, "small", batch) == [*listed.objects]
    bucket.write_manifest(s3, BUCKET, listed)
    assert [each.version_id for each in steps.read_manifest(s3, BUCKET, "small", batch)] == [
        each.version_id for each in listed.objects
    ]
