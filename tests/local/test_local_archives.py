"""Workers of ministack share what they unpack."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from ministack.core import lambda_runtime

from local.ministack.archives import unpack_once


def archive(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, text in files.items():
            made.writestr(f"retraining/{name}.py", text)
    return path


def unpack(source: Path, target: Path) -> Path:
    """As ministack does: into an empty folder of the worker."""
    target.mkdir(parents=True)
    with lambda_runtime.zipfile.ZipFile(source) as opened:
        opened.extractall(target)
    return target


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lambda_runtime, "zipfile", zipfile)  # put back afterwards
    unpack_once(tmp_path / "unpacked")
    return tmp_path


def test_same_archive_is_unpacked_once(folder: Path) -> None:
    code = archive(folder / "code.zip", text="A = 1", links="B = 2")
    one, two = (unpack(code, folder / worker / "code") for worker in ("one", "two"))
    assert (one / "retraining" / "text.py").read_text() == "A = 1"
    assert (two / "retraining" / "links.py").read_text() == "B = 2"
    assert (one / "retraining" / "text.py").samefile(two / "retraining" / "text.py")
    assert len(list((folder / "unpacked").iterdir())) == 1


def test_other_archive_of_the_same_name_has_its_own_files(folder: Path) -> None:
    before = unpack(archive(folder / "code.zip", text="A = 1"), folder / "one" / "code")
    after = unpack(archive(folder / "code.zip", text="A = 2"), folder / "two" / "code")
    assert (before / "retraining" / "text.py").read_text() == "A = 1"
    assert (after / "retraining" / "text.py").read_text() == "A = 2"


def test_worker_that_ends_leaves_the_files_to_the_others(folder: Path) -> None:
    code = archive(folder / "code.zip", text="A = 1")
    unpack(code, folder / "one" / "code")
    two = unpack(code, folder / "two" / "code")
    shutil.rmtree(folder / "one")
    assert (two / "retraining" / "text.py").read_text() == "A = 1"


def test_archive_that_cannot_be_unpacked_is_tried_again(folder: Path) -> None:
    code = archive(folder / "code.zip", text="A = 1")
    content = code.read_bytes()
    code.write_bytes(content.replace(b"A = 1", b"A = 2"))  # its checksum is wrong
    for worker in ("one", "two"):
        with pytest.raises(zipfile.BadZipFile):
            unpack(code, folder / worker / "code")


def test_names_are_checked_only_before_the_first_worker_unpacks(folder: Path) -> None:
    """ministack asks where each of the layer's 2,000 names would lie, for every worker."""
    code = archive(folder / "code.zip", text="A = 1", links="B = 2")
    with lambda_runtime.zipfile.ZipFile(code) as opened:
        assert opened.namelist() == ["retraining/text.py", "retraining/links.py"]
    unpack(code, folder / "one" / "code")
    with lambda_runtime.zipfile.ZipFile(code) as opened:
        assert opened.namelist() == []


def test_file_that_is_no_archive_is_refused(folder: Path) -> None:
    (folder / "code.zip").write_text("no archive")
    with pytest.raises(zipfile.BadZipFile):
        unpack(folder / "code.zip", folder / "one" / "code")
