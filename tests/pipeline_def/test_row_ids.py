"""Identities in parts: the same answers as in one, from memory and from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import row_ids
import seen_rows
from clusters import effective_rows, numbered
from job import GROUP, IDENTITY, LOOKALIKE, ROW, TEXT_ROW, Array
from row_ids import (
    Held,
    Stored,
    first_of,
    overlap,
    read_ids,
    read_training_ids,
    sorted_part,
    write_training_ids,
)
from seen_rows import copies, seen

G = np.random.default_rng(5)


def drawn(rows: int, of: int, seed: int) -> Held:
    """Identities of `rows` rows, of which some repeat: each column has at most `of` different ones."""
    pool = np.random.default_rng(99).integers(0, 2**64, (4, of), dtype="uint64")
    random = np.random.default_rng(seed)
    which = random.integers(0, of, rows)
    return Held(
        {
            ROW: pool[0][which],
            IDENTITY: pool[1][which // 2],
            GROUP: pool[2][which // 7],
            LOOKALIKE: pool[3][which % (of // 3)],
        }
    )


def stored(ids: Held, path: Path) -> Stored:
    pq.write_table(pa.table(dict(ids)), path, row_group_size=97)
    return read_ids(path)


def by_sets(validation: Held, train: Held, row: str, *, group: bool) -> dict[str, Any]:
    """What `seen` answers, counted by sets, with the numbers of clusters.py."""
    same = np.array([one in {*train[row].tolist()} for one in validation[row].tolist()])
    groups = {*train[GROUP].tolist()} if group else set()
    related = np.array([one in groups for one in validation[GROUP].tolist()]) & ~same
    left, cluster = ~(same | related), GROUP if group else row
    pairs = [
        sorted({*zip(ids[cluster][kept].tolist(), ids[LOOKALIKE][kept].tolist(), strict=True)})
        for ids, kept in ((validation, left), (train, np.ones(train.rows, dtype=bool)))
    ]
    known = [one for _, one in pairs[1]]
    alike = [one in {*known} for _, one in pairs[0]], [known.count(one) > 1 for one in known]
    shares = [np.array(each, dtype=float) for each in alike]
    clusters = [np.array([cluster for cluster, _ in side], dtype="uint64") for side in pairs]
    return {
        "same": same.tolist(),
        "same_group": related.tolist(),
        "n": len(pairs[0]),
        "equal": sum(alike[0]),
        "train_n": len(known),
        "train_share": pytest.approx(shares[1].mean()),
        "independent": pytest.approx(effective_rows(shares[0], numbered(clusters[0]))),
        "train_independent": pytest.approx(effective_rows(shares[1], numbered(clusters[1]))),
    }


@pytest.mark.parametrize("size", [1 << 21, 64], ids=["one part", "parts"])
@pytest.mark.parametrize("in_files", [False, True], ids=["memory", "files"])
@pytest.mark.parametrize(("row", "group"), [(ROW, False), (IDENTITY, False), (ROW, True), (IDENTITY, True)])
def test_seen_is_what_sets_say(
    row: str, group: bool, in_files: bool, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_ids, "PART", size)
    validation, train = drawn(400, 6000, 1), drawn(900, 6000, 2)
    ours, theirs = (
        stored(ids, tmp_path / name) if in_files else ids
        for name, ids in (("ours", validation), ("theirs", train))
    )
    found = seen(ours, theirs, row, group=group)
    expected = by_sets(validation, train, row, group=group)
    assert found.lookalikes is not None
    told = {name: found.lookalikes[name] for name in expected if name in found.lookalikes}
    assert {"same": found.same.tolist(), "same_group": found.same_group.tolist(), **told} == expected
    different = [len({*ids[row].tolist()}) for ids in (validation, train)]
    assert [found.rows.ours, found.rows.theirs] == different


@pytest.mark.parametrize("cluster", [ROW, GROUP])
def test_copies_in_parts_are_those_in_one(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    validation, train = drawn(900, 6000, 1), drawn(400, 6000, 2)
    left = G.random(900) < 0.8
    whole = copies(validation, left, train, cluster)
    monkeypatch.setattr(row_ids, "PART", 64)
    parts = copies(validation, left, train, cluster)
    assert whole is not None
    assert whole == parts


@pytest.mark.parametrize("size", [1 << 21, 16])
def test_training_rows_hold_each_combination_once(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_ids, "PART", size)
    ids = drawn(500, 300, 3)
    write_training_ids(ids, tmp_path / "rows.parquet")
    table = pq.read_table(tmp_path / "rows.parquet")
    expected = {*zip(*(ids[name].tolist() for name in (ROW, IDENTITY, GROUP, LOOKALIKE)), strict=True)}
    rows = [*zip(*(table[name].to_pylist() for name in table.column_names), strict=True)]
    assert ({*rows}, len(rows)) == (expected, len(expected))
    assert table.schema.metadata == {b"handsoff:identities": b"of values"}


def test_training_rows_that_all_differ_are_written_as_they_come(tmp_path: Path) -> None:
    ids = Held({ROW: np.arange(9, dtype="uint64"), LOOKALIKE: np.zeros(9, dtype="uint64")})
    write_training_ids(ids, tmp_path / "rows.parquet", different=True)
    assert pq.read_table(tmp_path / "rows.parquet")[ROW].to_pylist() == [*range(9)]


def test_training_rows_can_be_read_when_their_file_is_deleted(tmp_path: Path) -> None:
    write_training_ids(drawn(500, 300, 3), tmp_path / "rows.parquet")
    found = read_training_ids(tmp_path / "rows.parquet")
    (tmp_path / "rows.parquet").unlink()
    assert overlap(found, found, ROW).among.all()


def test_training_rows_of_the_first_version_are_known_by_their_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({ROW: pa.array([7, 8], pa.uint64())}), tmp_path / "rows.parquet")
    train = read_training_ids(tmp_path / "rows.parquet")
    ours = {TEXT_ROW: np.array([8, 9], "uint64")}
    assert (ROW in train, TEXT_ROW in train) == (False, True)
    assert seen(ours, train, TEXT_ROW, group=False, lookalikes=False).same.tolist() == [True, False]


def test_no_part_has_more_rows_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sorted at a time does not grow with the rows."""
    monkeypatch.setattr(row_ids, "PART", 1000)
    sizes: list[int] = []

    def counted(*asked: Any) -> Array:
        found = sorted_part(*asked)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(row_ids, "sorted_part", counted)
    monkeypatch.setattr(seen_rows, "sorted_part", counted)
    for rows in (4_000, 32_000):
        sizes.clear()
        ids = Held({name: G.integers(0, 2**64, rows, dtype="uint64") for name in (ROW, LOOKALIKE)})
        assert seen(ids, ids, ROW, group=False).same.all()
        assert max(sizes) < 1200
        assert sum(sizes) == 3 * rows  # the rows of both sides, and the lookalikes of train


def test_first_of_marks_the_first_row_of_each_combination() -> None:
    ids = Held({ROW: np.array([1, 1, 2, 1], "uint64"), GROUP: np.array([5, 6, 5, 5], "uint64")})
    assert first_of(ids, [ROW, GROUP]).tolist() == [True, True, True, False]
    kept = np.array([False, True, True, True])
    assert first_of(ids, [ROW, GROUP], kept).tolist() == [False, True, True, True]
