"""What is unpacked of an archive: by the steps, by own code's scoring, and by handsoff on its machine."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import artifact
import score
from local import tarballs

Extract = Callable[[tarfile.TarFile, Path], None]


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """An entry of an archive, which is a link where `kind` says so. Its mode has the setuid bit."""
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, target, 0o4755
    return found


@pytest.fixture(params=["filters of this Python", *(["no filters"] if sys.version_info < (3, 12) else [])])
def filters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python as it is, and as it was before 3.11.4. Later ones than 3.11 do not work without filters."""
    if request.param == "no filters":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


@pytest.fixture(params=[artifact.extract, score.extract, tarballs.extract], ids=["step", "scoring", "local"])
def extract(request: pytest.FixtureRequest) -> Extract:
    """The function of each side."""
    found: Extract = request.param
    return found


def unpacked(extract: Extract, folder: Path, *entries: tarfile.TarInfo) -> Path:
    """The folder of the unpacked archive."""
    with tarfile.open(folder / "packed.tar.gz", "w:gz") as packed:
        for item in entries:
            packed.addfile(item, io.BytesIO())
    (folder / "inside").mkdir()
    with tarfile.open(folder / "packed.tar.gz") as packed:
        extract(packed, folder / "inside")
    return folder / "inside"


@pytest.mark.usefixtures("filters")
def test_extract_unpacks_files_and_folders(tmp_path: Path, extract: Extract) -> None:
    folders = [entry(name, tarfile.DIRTYPE) for name in (".", "code")]
    found = unpacked(extract, tmp_path, *folders, entry("code/model.json"), entry("./new/model.joblib"))
    names = sorted(path.relative_to(found).as_posix() for path in found.rglob("*"))
    assert names == ["code", "code/model.json", "new", "new/model.joblib"]
    assert not (found / "code" / "model.json").stat().st_mode & 0o7022


@pytest.mark.usefixtures("filters")
@pytest.mark.parametrize(
    "entries",
    [
        [entry("../outside")],
        [entry("code/../../outside")],
        [entry("link", tarfile.SYMTYPE, "/etc")],
        [entry("link", tarfile.SYMTYPE, ".."), entry("link/outside")],
        [entry("link", tarfile.LNKTYPE, "../packed.tar.gz")],
        [entry("pipe", tarfile.FIFOTYPE)],
        [entry("device", tarfile.CHRTYPE)],
    ],
    ids=["parent", "parent of a folder", "link", "file behind a link", "hard link", "pipe", "device"],
)
def test_extract_refuses_what_leads_out_of_the_folder(
    tmp_path: Path, extract: Extract, entries: list[tarfile.TarInfo]
) -> None:
    with pytest.raises(tarfile.TarError):
        unpacked(extract, tmp_path, *entries)
    assert not (tmp_path / "outside").exists()


@pytest.mark.usefixtures("filters")
def test_extract_writes_nothing_at_the_root_of_the_disk(tmp_path: Path, extract: Extract) -> None:
    try:
        found = unpacked(extract, tmp_path, entry("/handsoff-outside"))
    except tarfile.TarError as error:
        assert "'/handsoff-outside' would be extracted outside the destination" in str(error)  # noqa: PT017
    else:
        assert (found / "handsoff-outside").exists()
    assert not Path("/handsoff-outside").exists()
