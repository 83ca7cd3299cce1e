"""The batch: which object versions are read, and what ends the job if they are not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

import batch as batches
from tests.pipeline_def.helpers import (
    BUCKET,
    KEY,
    SMALL,
    TRAIN,
    VALIDATION,
    Run,
    land,
    land_small,
    rows,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.mark.slow
def test_latest_batch_is_the_newest_versions(s3: S3Client, run: Run) -> None:
    land(s3, "curated/small/train.csv", "x,c,y\nold,old,old\n")
    land(s3, "curated/small/train/removed.csv", "x,c,y\nold,old,old\n")
    s3.delete_object(Bucket=BUCKET, Key="curated/small/train/removed.csv")
    land(s3, "curated/small/_SUCCESS", "")
    land_small(s3)
    assert run.preprocess("latest") == 0
    assert [item["key"] for item in run.report["files"]] == [
        "curated/small/train.csv",
        "curated/small/validation.csv",
    ]
    key = f"batches/small/{run.report['batch']}/manifest.json"
    manifest = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert (manifest["model"], manifest["batch"]) == ("small", run.report["batch"])
    assert [item["size"] for item in manifest["objects"]] == [len(TRAIN), len(VALIDATION)]


@pytest.mark.slow
def test_preprocess_overwritten_object_is_read_as_the_batch_had_it(
    s3: S3Client, run: Run, tmp_path: Path
) -> None:
    land_small(s3)
    assert run.preprocess("latest") == 0
    batch = run.report["batch"]
    land(s3, "curated/small/train.csv", "x,c,y\n9,z,0\n9,z,1\n")
    land(s3, "curated/small/train/late.csv", "x,c,y\n9,z,0\n9,z,1\n")
    again = Run(tmp_path / "again", s3, SMALL, "mnopqrstuvwx")
    assert again.preprocess(batch) == 0
    assert again.report["files"] == run.report["files"]
    assert list(rows(again, "train")["c"]) == ["a", "b", None]


@pytest.mark.slow
def test_latest_batch_existing_manifest_is_kept_and_read(s3: S3Client, run: Run, tmp_path: Path) -> None:
    land_small(s3)
    assert run.preprocess("latest") == 0
    land_small(s3)  # the same bytes, as newer versions
    again = Run(tmp_path / "again", s3, SMALL, "mnopqrstuvwx")
    assert again.preprocess("latest") == 0
    assert again.report["files"] == run.report["files"]
    key = f"batches/small/{run.report['batch']}/manifest.json"
    assert len(s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]) == 1


class Answering:
    """S3 that answers the first writes with these errors. moto has no conflicts."""

    def __init__(self, s3: S3Client, *codes: str) -> None:
        self.s3, self.codes = s3, list(codes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.s3, name)

    def put_object(self, **request: Any) -> Any:
        if self.codes:
            raise ClientError({"Error": {"Code": self.codes.pop(0), "Message": "no"}}, "PutObject")
        return self.s3.put_object(**request)


CONFLICT = "ConditionalRequestConflict"


@pytest.mark.parametrize("codes", [[CONFLICT], [CONFLICT] * 4])
def test_latest_batch_conflicting_write_is_retried(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, codes: list[str]
) -> None:
    paused: list[float] = []
    monkeypatch.setattr("time.sleep", paused.append)
    land_small(s3)
    answering: Any = Answering(s3, *codes)
    batch = batches.latest_batch(answering, BUCKET, "small")
    assert [item.size for item in batches.read_manifest(s3, BUCKET, "small", batch).objects] == [24, 18]
    assert paused == [0.2, 0.5, 1.0, 2.0][: len(codes)]


@pytest.mark.parametrize(
    ("codes", "left"), [([CONFLICT] * 6, 1), (["AccessDenied", CONFLICT], 1), ([CONFLICT, "AccessDenied"], 0)]
)
def test_latest_batch_other_error_of_the_write_is_raised(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, codes: list[str], left: int
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    land_small(s3)
    answering: Any = Answering(s3, *codes)
    with pytest.raises(ClientError):
        batches.latest_batch(answering, BUCKET, "small")
    assert len(answering.codes) == left


def test_latest_batch_manifest_written_by_another_is_accepted(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    land_small(s3)
    batch = batches.latest_batch(s3, BUCKET, "small")
    answering: Any = Answering(s3, CONFLICT, "PreconditionFailed", "AccessDenied")
    assert batches.latest_batch(answering, BUCKET, "small") == batch
    assert answering.codes == ["AccessDenied"]


def test_check_splits_missing_split_is_a_data_problem(s3: S3Client, run: Run, base_dir: Path) -> None:
    land(s3, "curated/small/train.csv", TRAIN)
    assert run.preprocess() == 1
    assert (
        base_dir / "output" / "message"
    ).read_text() == "there is no data for validation under curated/small/"


def test_latest_batch_without_data_is_a_data_problem(s3: S3Client, run: Run, base_dir: Path) -> None:  # noqa: ARG001
    assert run.preprocess() == 1
    reason = (base_dir / "output" / "message").read_text()
    assert reason == "there is no data under s3://handsoff-data/curated/small/"


def test_check_splits_object_of_an_earlier_batch_that_is_no_data_is_a_data_problem(
    s3: S3Client, run: Run, base_dir: Path
) -> None:
    land_small(s3)
    land(s3, "curated/small/train/_old.csv", TRAIN)
    objects = batches.list_objects(s3, BUCKET, "small")
    batch = batches.batch_identity(objects)
    land(s3, f"batches/small/{batch}/manifest.json", batches.manifest("small", batch, objects))
    assert run.preprocess(batch) == 1
    assert (base_dir / "output" / "message").read_text() == (
        "curated/small/train/_old.csv of the batch is no data by its name; start the model again, which "
        "makes a new batch"
    )


def test_read_manifest_unknown_batch_is_a_data_problem(s3: S3Client, run: Run, base_dir: Path) -> None:
    land_small(s3)
    assert run.preprocess("0" * 64) == 1
    assert (base_dir / "output" / "message").read_text() == (
        f"batch {'0' * 64} is unknown: there is no s3://handsoff-data/batches/small/{'0' * 64}/manifest.json"
    )


def altered(s3: S3Client, run: Run, change: dict[str, Any]) -> str:
    """A batch whose manifest has other values for its first object; its identity is that of the new etag."""
    land_small(s3)
    objects = batches.list_objects(s3, BUCKET, "small")
    items: list[dict[str, Any]] = [
        {"key": item.key, "versionId": item.version_id, "etag": item.etag, "size": item.size}
        for item in objects
    ]
    items[0] |= change
    batch = batches.batch_identity(
        [batches.DataObject(item["key"], item["versionId"], item["etag"], item["size"]) for item in items]
    )
    manifest = {"model": run.config["name"], "batch": batch, "objects": items}
    land(s3, f"batches/small/{batch}/manifest.json", json.dumps(manifest))
    return batch


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"etag": "0" * 32}, f"the batch says {'0' * 32}"),
        ({"size": 7}, f"{KEY}: {len(TRAIN)} bytes arrived, the batch says 7"),
        ({"versionId": "gone"}, f"{KEY}: version gone of the batch no longer exists"),
    ],
)
def test_fetch_other_bytes_than_the_batch_are_a_data_problem(
    s3: S3Client, run: Run, base_dir: Path, change: dict[str, Any], says: str
) -> None:
    assert run.preprocess(altered(s3, run, change)) == 1
    assert says in (base_dir / "output" / "message").read_text()


def test_read_manifest_altered_manifest_is_a_data_problem(s3: S3Client, run: Run, base_dir: Path) -> None:
    batch = altered(s3, run, {})
    land(s3, f"batches/small/{batch}/manifest.json", '{"objects": []}')
    assert run.preprocess(batch) == 1
    assert "does not describe batch" in (base_dir / "output" / "message").read_text()
