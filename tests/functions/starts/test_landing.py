"""Which model an object belongs to, and what a batch and a start are identified by."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining.facts.starts import Marker
from retraining.starts.as_of import Version, batch_as_of
from retraining.starts.batches import (
    Arrival,
    DataObject,
    arrival,
    batch_of,
    start_key,
)
from retraining.starts.names import split_of

SAMPLE = json.loads((Path(__file__).parents[2] / "samples" / "manifest.json").read_text())


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("curated/titanic/train.csv", Arrival("titanic", "train.csv")),
        ("curated/titanic/_SUCCESS", Arrival("titanic", "_SUCCESS")),
        ("curated/credit-risk/train/2026/01 ü.csv", Arrival("credit-risk", "train/2026/01 ü.csv")),
        ("curated/titanic/../other/_SUCCESS", Arrival("titanic", "../other/_SUCCESS")),
        ("curated/titanic/", None),
        ("curated/Titanic/train.csv", None),
        ("curated/train.csv", None),
        ("curated/-x/train.csv", None),
        ("elsewhere/titanic/train.csv", None),
        ("", None),
    ],
)
def test_arrival_finds_the_model_of_a_key(key: str, expected: Arrival | None) -> None:
    assert arrival(key) == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("train.csv", "train"),
        ("validation.parquet", "validation"),
        ("train/part 1.csv", "train"),
        ("train/2026/11/a.csv.gz", "train"),
        ("validation/a.parquet", "validation"),
        ("_SUCCESS", None),
        ("train", "train"),
        ("train/readme.md", "train"),
        ("train.csv.tmp", None),
        ("train/", None),
        ("test.csv", None),
        ("old/train.csv", None),
        ("xtrain.csv", None),
    ],
)
def test_split_of_data_objects_and_others(rest: str, expected: str | None) -> None:
    assert split_of(rest) == expected


def test_identity_is_the_one_that_the_preprocessing_step_computes() -> None:
    objects = [
        DataObject(item["key"], item["versionId"], item["etag"], item["size"]) for item in SAMPLE["objects"]
    ]
    batch = batch_of(SAMPLE["model"], objects)
    assert batch.identity == SAMPLE["batch"]
    assert json.loads(batch.manifest()) == SAMPLE
    assert any(ord(character) > 127 for item in SAMPLE["objects"] for character in item["key"])


def test_identity_of_a_literal_batch() -> None:
    objects = [
        DataObject("curated/m/validation.csv", "v2", "bb", 2),
        DataObject("curated/m/_SUCCESS", "v3", "cc", 0),
        DataObject("curated/m/train.csv", "v1", "aa", 1),
    ]
    batch = batch_of("m", objects)
    text = '[["curated/m/train.csv","aa"],["curated/m/validation.csv","bb"]]'
    assert batch.identity == hashlib.sha256(text.encode()).hexdigest()
    assert batch.manifest_key == f"batches/m/{batch.identity}/manifest.json"
    assert batch.missing == []


@given(st.permutations([("train/a.csv", "1"), ("train/b.csv", "2"), ("validation/c.csv", "3")]), st.text())
def test_identity_ignores_order_versions_and_markers(pairs: list[tuple[str, str]], version: str) -> None:
    landed = [DataObject(f"curated/m/{rest}", version, etag, 1) for rest, etag in pairs]
    marker = DataObject("curated/m/_SUCCESS", version, version, 0)
    reference = batch_of("m", [DataObject(f"curated/m/{r}", "v", e, 1) for r, e in sorted(pairs)])
    assert batch_of("m", [marker, *landed]).identity == reference.identity


def test_identity_changes_with_the_bytes() -> None:
    first = batch_of("m", [DataObject("curated/m/train.csv", "v", "aa", 1)])
    second = batch_of("m", [DataObject("curated/m/train.csv", "v", "ab", 1)])
    assert first.identity != second.identity
    assert first.missing == ["validation"]
    assert batch_of("m", []).missing == ["train", "validation"]


def test_start_key_differs_by_model_batch_and_cause() -> None:
    keys = {
        start_key("m", "b", "landing"),
        start_key("n", "b", "landing"),
        start_key("m", "c", "landing"),
        start_key("m", "b", "request-1"),
    }
    assert len(keys) == 4
    assert all(32 <= len(key) <= 128 for key in keys)
    assert start_key("m", "b", "landing") == start_key("m", "b", "landing")


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23 {text}+00:00")


def put(name: str, version: str, time: str, *, newest: bool = False) -> Version:
    return Version(f"curated/m/{name}", version, at(time), newest, etag=f"e{version}", size=1)


def gone(name: str, version: str, time: str, *, newest: bool = False) -> Version:
    return Version(f"curated/m/{name}", version, at(time), newest)


V = put("validation.csv", "v", "10:00:00", newest=True)
"""A file that lands with the first delivery and never changes."""

AS_OF: list[tuple[str, list[Version], list[str], list[str], int]] = [
    ("all landed before", [put("train.csv", "1", "10:00:00", newest=True), V], ["1", "v"], [], 0),
    ("in the marker's second", [put("train.csv", "1", "10:00:05", newest=True), V], ["1", "v"], [], 0),
    (
        "a second after the marker",
        [put("train.csv", "2", "10:00:06", newest=True), put("train.csv", "1", "10:00:00"), V],
        ["1", "v"],
        ["1"],
        1,
    ),
    ("a late new file", [put("train.csv", "1", "10:00:06", newest=True), V], ["v"], [], 1),
    (
        "deleted after the marker",
        [put("train.csv", "1", "10:00:00"), V, gone("train.csv", "2", "10:00:06", newest=True)],
        ["1", "v"],
        ["1"],
        0,
    ),
    (
        "deleted before the marker",
        [put("train.csv", "1", "10:00:00"), V, gone("train.csv", "2", "10:00:05", newest=True)],
        ["v"],
        [],
        0,
    ),
    (
        "deleted before the marker, landed again after it",
        [
            put("train.csv", "3", "10:00:06", newest=True),
            put("train.csv", "1", "10:00:00"),
            V,
            gone("train.csv", "2", "10:00:01"),
        ],
        ["v"],
        [],
        1,
    ),
    (
        "replaced twice before the marker",
        [put("train.csv", "2", "10:00:02", newest=True), put("train.csv", "1", "10:00:01"), V],
        ["2", "v"],
        [],
        0,
    ),
    (
        "two versions in one second: the first in the listing",
        [
            put("train.csv", "3", "10:00:06", newest=True),
            put("train.csv", "2", "10:00:01"),
            put("train.csv", "1", "10:00:01"),
            V,
        ],
        ["2", "v"],
        ["2"],
        1,
    ),
    (
        "deleted in the second in which it landed: the newest",
        [put("train.csv", "1", "10:00:01"), V, gone("train.csv", "2", "10:00:01", newest=True)],
        ["v"],
        [],
        0,
    ),
    (
        "a version and a delete marker in one second, none of them the newest: the version",
        [
            put("train.csv", "3", "10:00:06", newest=True),
            put("train.csv", "1", "10:00:01"),
            V,
            gone("train.csv", "2", "10:00:01"),
        ],
        ["1", "v"],
        ["1"],
        1,
    ),
    (
        "an upload in parts that began before the marker",
        [put("train.csv", "2", "10:00:04", newest=True), put("train.csv", "1", "10:00:00"), V],
        ["2", "v"],
        [],
        0,
    ),
    (
        "no data",
        [put("_SUCCESS", "m", "10:00:05", newest=True), put("readme.md", "r", "10:00:00")],
        [],
        [],
        0,
    ),
]


@pytest.mark.parametrize(
    ("versions", "expected", "covered", "later"), [row[1:] for row in AS_OF], ids=[row[0] for row in AS_OF]
)
def test_batch_as_of_the_marker(
    versions: list[Version], expected: list[str], covered: list[str], later: int
) -> None:
    marker = Marker(version_id="m", landed_at=at("10:00:05"))
    batch = batch_as_of("m", versions, [marker])
    assert [item.version_id for item in batch.objects] == expected
    assert [item.version_id for item in batch.covered] == covered
    assert (batch.marker, batch.later) == (marker, later)


def test_batch_without_marker_is_the_newest_version_of_each_object() -> None:
    versions = [
        put("train/a.csv", "2", "10:00:06", newest=True),
        put("train/a.csv", "1", "10:00:00"),
        put("train/b.csv", "3", "10:00:00"),
        V,
        gone("train/b.csv", "4", "10:00:07", newest=True),
    ]
    batch = batch_as_of("m", versions)
    assert [item.version_id for item in batch.objects] == ["2", "v"]
    assert (batch.marker, batch.covered, batch.later) == (None, (), 0)


def test_without_takes_versions_out_of_the_batch() -> None:
    first = DataObject("curated/m/train.csv", "1", "e1", 1)
    marker = Marker(version_id="m", landed_at=at("10:00:05"))
    batch = batch_as_of(
        "m", [put("train.csv", "1", "10:00:00"), put("validation.csv", "v", "10:00:00")], [marker]
    )
    validation = batch.objects[1]
    assert batch.covered == batch.objects
    assert batch.covered_since([first]) == (validation,)
    left = batch.without({first})
    assert (left.objects, left.covered, left.marker) == ((validation,), (), marker)
    assert (validation.key, validation.version_id) == ("curated/m/validation.csv", "v")
