"""Under which names `handsoff land` uploads files, and which names it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from handsoff.errors import NotFound
from handsoff.operating.landing import landing_names


@pytest.mark.parametrize(
    ("name", "split", "expected"),
    [
        ("train.CSV", None, "train.CSV"),
        ("train.csv.gz", None, "train.csv.gz"),
        ("january", "train", "train/january"),
        ("b.CSV", "validation", "validation/b.CSV"),
    ],
)
def test_landing_names_of_any_ending(tmp_path: Path, name: str, split: str | None, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    assert landing_names([path], split) == [(path, expected)]


@pytest.mark.parametrize(
    ("name", "split", "said"),
    [
        ("_january.csv", "train", "would land as train/_january.csv, which is no data by its name"),
        (".january.csv", "train", "would land as train/.january.csv, which is no data by its name"),
        ("january.csv", None, "its name says neither train nor validation"),
        ("train.md5", None, "its name says neither train nor validation"),
    ],
)
def test_landing_names_refuses_a_file_that_would_not_be_read(
    tmp_path: Path, name: str, split: str | None, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    with pytest.raises(NotFound, match=said):
        landing_names([path], split)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rows.csv", None),
        ("part-0", None),
        ("rows.md", "which is no data by its name"),
        ("train.csv", "data.split divides the rows itself"),
        ("_rows.csv", "which is no data by its name"),
    ],
)
def test_landing_names_of_a_model_that_divides_its_rows(tmp_path: Path, name: str, said: str | None) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    if said is None:
        assert landing_names([path], None, whole=True) == [(path, name)]
        return
    with pytest.raises(NotFound, match=said):
        landing_names([path], None, whole=True)
