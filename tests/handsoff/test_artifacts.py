"""An artifact is fetched only if a training job of the pipeline wrote it, and nothing in it is run."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handsoff.errors import NotFound, NotOurs
from handsoff.operating.artifacts import fetch, named_package, unpack
from tests.handsoff.registered import ARN, BUCKET, ENDED, IMAGE, KEY, ROLE, Registered

PICKLE = b"\x80\x04cos\nsystem\n(X\x05\x00\x00\x00falsetR."
"""A pickle that runs a program when it is loaded."""


def archive_of(folder: Path, files: Mapping[str, bytes]) -> Path:
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as target:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            target.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture
def registered(tmp_path: Path) -> Registered:
    files = {"code/model.json": b'{"task": "regression"}', "model.joblib": PICKLE}
    return Registered(archive_of(tmp_path, files))


def fetched(registered: Registered, folder: Path, name: str = "titanic/1") -> Any:
    deployment: Any = registered
    return fetch(deployment, named_package(deployment, name), folder / "fetched")


@pytest.mark.parametrize("name", ["titanic", "titanic/1", "handsoff-titanic/1", ARN.format(1)])
def test_fetch_unpacks_the_artifact_of_a_package(registered: Registered, tmp_path: Path, name: str) -> None:
    found = fetched(registered, tmp_path, name)
    assert (found.package, found.image) == (ARN.format(1), IMAGE)
    assert found.contract == {"task": "regression"}
    assert not found.own_code
    assert (found.folder / "model.joblib").read_bytes() == PICKLE
    assert [path.name for path in found.archive.parent.iterdir()] == ["model.tar.gz"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("iris", "iris is no model of handsoff.yaml and no model package; its models: titanic"),
        ("titanic/2", "no model package titanic/2 here: it does not exist"),
        ("iris/1", "iris/1 is of no model of this deployment; its groups are: handsoff-titanic"),
        ("s3://x/y", "s3://x/y is not the ARN of a model package, or model/version, such as titanic/3"),
    ],
)
def test_package_that_does_not_exist_is_named(
    registered: Registered, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(NotFound) as error:
        fetched(registered, tmp_path, name)
    assert str(error.value).startswith(said)


def test_model_without_a_champion_names_a_version(registered: Registered, tmp_path: Path) -> None:
    registered.approved = False
    with pytest.raises(NotFound, match=r"titanic has no champion: no package is approved\. Name a version"):
        fetched(registered, tmp_path, "titanic")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"uri": f"s3://elsewhere/{KEY}"}, "is not where the pipeline's training jobs write"),
        ({"uri": f"s3://{BUCKET}/models/other/e/j/output/model.tar.gz"}, "is not where the pipeline's"),
        ({"uri": f"s3://{BUCKET}/models/titanic/model.tar.gz"}, "is not where the pipeline's"),
        ({"uri": None}, r"\(none\), is not where the pipeline's training jobs write"),
        ({"job": None}, "there is no training job pipelines-exec1-TrainModel-a that wrote"),
        ({"job": {"RoleArn": ROLE}}, "wrote no model, not s3://"),
        (
            {"job": {"RoleArn": "arn:r", "ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/{KEY}"}}},
            f"ran as arn:r, not as {ROLE}: it is not loaded",
        ),
        (
            {"job": {"RoleArn": ROLE, "ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/{KEY}"}}},
            "was written after training job",  # it has no end
        ),
        ({"written": ENDED + timedelta(seconds=1)}, "was written after training job"),
    ],
)
def test_model_that_no_training_job_of_ours_wrote_is_not_fetched(
    registered: Registered, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    for name, value in change.items():
        setattr(registered, name, value)
    with pytest.raises(NotOurs, match=said):
        fetched(registered, tmp_path)
    assert not list(tmp_path.glob("fetched/archive/*"))


def test_model_that_is_gone_is_named(registered: Registered, tmp_path: Path) -> None:
    registered.archive.unlink()
    with pytest.raises(NotFound, match=r"the model of handsoff-titanic/1, .* does not exist any more"):
        fetched(registered, tmp_path)


def test_own_code_has_another_contract(tmp_path: Path) -> None:
    contract = {"schema_version": 1, "inference": {"returns": "probability"}}
    archive = archive_of(tmp_path, {"code/handsoff.json": json.dumps(contract).encode()})
    assert fetched(Registered(archive), tmp_path).own_code


@pytest.mark.parametrize("name", ["../outside", "/outside"])
def test_unpack_lets_no_path_out_of_the_folder(tmp_path: Path, name: str) -> None:
    archive = archive_of(tmp_path, {name: b"", "code/model.json": b"{}"})
    with contextlib.suppress(NotOurs):
        unpack(archive, tmp_path / "inside" / "model")
    assert not (tmp_path / "inside" / "outside").exists()
    assert not Path("/outside").exists()


def test_unpack_refuses_what_no_pipeline_made(tmp_path: Path) -> None:
    with pytest.raises(NotOurs, match=r"the model has neither code/handsoff.json nor code/model.json"):
        unpack(archive_of(tmp_path, {"model.joblib": b""}), tmp_path / "model")
