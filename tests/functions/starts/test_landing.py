"""Which model an object belongs to, and what a batch and a start are identified by."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining.starts.batches import Arrival, DataObject, arrival, batch_of, split_of, start_key

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
        ("train.csv.tmp", None),
        ("train", None),
        ("train/", None),
        ("train/readme.md", None),
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
