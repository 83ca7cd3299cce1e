"""What is packed of a build: the same bytes for the same content, and once for all that have it."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from handsoff.deploying import archives

FUNCTION = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "Reconcile", "Timeout": 60}}
CONTENT = {"reconcile.py": "A = 1", "retraining/text.py": "B = 2", "retraining/__pycache__/text.pyc": "b"}


def folder(path: Path, content: dict[str, str] = CONTENT) -> Path:
    for name, text in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
        (path / name).chmod(0o644)
    return path


def test_archive_has_every_file_of_the_folder_and_its_mode(tmp_path: Path) -> None:
    source = folder(tmp_path / "Reconcile")
    (source / "reconcile.py").chmod(0o700)
    with zipfile.ZipFile(archives.pack(source, tmp_path / "archives")) as packed:
        assert {name: packed.read(name).decode() for name in packed.namelist()} == CONTENT
        modes = {entry.filename: oct(entry.external_attr >> 16) for entry in packed.infolist()}
    assert modes == {
        "reconcile.py": "0o100744",
        "retraining/__pycache__/text.pyc": "0o100644",
        "retraining/text.py": "0o100644",
    }


def test_same_content_gives_the_same_bytes_wherever_and_whenever_it_was_written(tmp_path: Path) -> None:
    here = folder(tmp_path / "here" / "Reconcile")
    there = folder(tmp_path / "there" / "Other", dict(reversed(CONTENT.items())))
    os.utime(there / "reconcile.py", (0, 0))
    one, two = (archives.pack(source, source.parent / "archives") for source in (here, there))
    assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())


@pytest.mark.parametrize(
    "change",
    [
        lambda source: (source / "reconcile.py").write_text("A = 2"),
        lambda source: (source / "new.py").write_text(""),
        lambda source: (source / "reconcile.py").unlink(),
        lambda source: (source / "reconcile.py").rename(source / "renamed.py"),
        lambda source: (source / "reconcile.py").chmod(0o755),
    ],
    ids=["edited", "added", "removed", "renamed", "mode"],
)
def test_other_content_is_another_archive(tmp_path: Path, change: Any) -> None:
    source = folder(tmp_path / "Reconcile")
    before = archives.pack(source, tmp_path / "archives")
    change(source)
    after = archives.pack(source, tmp_path / "archives")
    assert before != after
    assert before.read_bytes() != after.read_bytes()


def test_template_names_archives_which_folders_of_the_same_content_share(tmp_path: Path) -> None:
    for name in ("Reconcile", "Track", "Layer"):
        folder(tmp_path / name, CONTENT if name != "Layer" else {"python/boto3.py": "C = 3"})
    template: dict[str, Any] = {
        "Parameters": {"Prefix": {"Type": "String"}},
        "Resources": {
            "Reconcile": FUNCTION,
            "Track": {**FUNCTION, "Properties": {"CodeUri": "Track"}},
            "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "Layer"}},
            "Rule": {"Type": "AWS::Events::Rule", "Properties": {"Name": "Layer"}},
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Stored": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "s3://b/key"}},
        },
    }
    found = archives.with_archives(template, tmp_path)
    resources = found["Resources"]
    assert found["Parameters"] == {"Prefix": {"Type": "String"}}
    assert list(resources) == ["Reconcile", "Track", "Layer", "Rule", "Topic", "Stored"]
    code, content = (
        resources["Reconcile"]["Properties"]["CodeUri"],
        resources["Layer"]["Properties"]["ContentUri"],
    )
    assert resources["Reconcile"] == {**FUNCTION, "Properties": {"CodeUri": code, "Timeout": 60}}
    assert resources["Track"]["Properties"] == {"CodeUri": code}
    assert {name: resources[name] for name in ("Rule", "Topic", "Stored")} == {
        name: template["Resources"][name] for name in ("Rule", "Topic", "Stored")
    }
    assert sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "archives").iterdir()) == sorted(
        [code, content]
    )
    assert FUNCTION["Properties"] == {"CodeUri": "Reconcile", "Timeout": 60}
