"""Which validation rows were seen in training: the same rows, rows of the same groups, and lookalikes.

Rows that are the same as a training row, or belong to its group, leave every number. Lookalikes, which have
the features and the target of a training row, stay: honest data has them, too. A test says whether there are
more of them than training rows have among themselves.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clusters import different, effective_rows, freedom_of, numbered
from identity import KIND, together
from job import GROUP, IDENTITY, LOOKALIKE, ROW, TEXT_ROW, Array, Json

Ids = Mapping[str, Array]
"""The identities of n rows: by reserved column a uint64 array of length n. Some columns may not be there."""

COLUMNS: Final = (ROW, IDENTITY, GROUP, LOOKALIKE, TEXT_ROW)
"""The reserved columns that hold identities."""

MIN_GROUPS: Final = 20
"""Groups of equal size that training rows must be worth (`clusters.count`), or lookalikes are not tested.

Fewer do not say how much groups differ. On 10 groups that differ, z was above 4 in 15 of 200 honest splits;
from 20 groups on in at most one.
"""


@dataclass(frozen=True)
class Seen:
    """Which of n validation rows were seen in training: two boolean arrays of length n.

    `same` are rows that are the same as a training row, `same_group` are others whose group is among the
    groups of the training rows. `lookalikes` is the test of the rows that are left; None if none is left, or
    the identities cannot be compared.
    """

    same: Array
    same_group: Array
    lookalikes: Json | None

    @property
    def left(self) -> Array:
        """Which rows are left: those that are neither."""
        return ~(self.same | self.same_group)


def seen(validation: Ids, train: Ids, row: str, *, group: bool, lookalikes: bool = True) -> Seen:
    """Look for validation rows among the training rows.

    `row` is the column by which two rows are the same. `group` says whether rows have groups, `lookalikes`
    whether those identities of both have the same meaning.
    """
    same = among(validation[row], train[row])
    cluster = GROUP if group else row
    same_group = among(validation[GROUP], train[GROUP]) & ~same if group else np.zeros_like(same)
    found = Seen(same, same_group, None)
    if not lookalikes:
        return found
    ours = validation[cluster][found.left], validation[LOOKALIKE][found.left]
    return Seen(same, same_group, lookalike_test(ours, (train[cluster], train[LOOKALIKE])))


def lookalike_test(validation: tuple[Array, Array], train: tuple[Array, Array]) -> Json | None:
    """Whether validation rows look like training rows more often than training rows look like each other.

    Each pair of arrays has, by row, the row's cluster and the identity of its features and target; no cluster
    is in both. A row that repeats within its cluster counts once, so that copies of whole files change
    nothing. `n` rows of validation are compared, `equal` of them look like a training row, and `share` is
    v = equal / n. `train_share`, t, is the share of the m training rows (`train_n`) that look like one of
    another cluster. If both kinds of rows are drawn alike, z = (v - t) / sqrt(t (1 - t) (1 / n + 1 / m)) is
    about standard normal: the test of two shares, with the share of train for both. In the formula t is at
    least one row of validation and two pairs of train, and at most all training rows but one: a share of 0
    or 1 that few rows show is not exactly 0 or 1. In the root n and m are the independent rows that either
    share is worth (`independent`, `train_independent`): rows of one cluster look like others together. None
    if there is no row, or if the training rows are worth fewer than MIN_GROUPS clusters.
    """
    (groups, ours), (others, theirs) = _different(*validation), _different(*train)
    if not len(ours) or _too_few(others):
        return None
    return _excess((groups, among(ours, theirs)), (others, repeated(theirs)))


def copies(validation: Ids, left: Array, train: Ids, cluster: str) -> Json | None:
    """The test of rows that stand in validation several times, of those that are `left`.

    `cluster` is the reserved column of their clusters.
    """
    ours = validation[cluster][left], validation[LOOKALIKE][left]
    return copies_test(ours, (train[cluster], train[LOOKALIKE]))


def copies_test(validation: tuple[Array, Array], train: tuple[Array, Array]) -> Json | None:
    """Whether validation rows look like each other more often than rows of the two splits do.

    The same test with `share` as the share of validation rows that look like one of another cluster, and
    `train_share` as the share of training rows that look like another one or like a validation row, whichever
    is larger: in a split of more rows than train, honest rows find one that looks like them more often.
    """
    (groups, ours), (others, theirs) = _different(*validation), _different(*train)
    if not len(ours) or _too_few(others):
        return None
    expected = max(repeated(theirs), among(theirs, ours), key=np.sum)
    return _excess((groups, repeated(ours)), (others, expected))


def _too_few(clusters: Array) -> bool:
    """Whether there is no training row, or the rows are worth fewer groups than the test needs.

    Single rows, each a cluster of its own, are never too few.
    """
    found = numbered(clusters)
    return not len(clusters) or (found is not None and freedom_of(found) + 1 < MIN_GROUPS)


def _excess(validation: tuple[Array, Array], train: tuple[Array, Array]) -> Json:
    """The test of two shares. By row each side has the cluster, and whether the row looks like another."""
    (groups, equal), (others, again) = validation, train
    n, m, v, t = len(equal), len(again), float(equal.mean()), float(again.mean())
    worth = effective_rows(equal.astype(float), numbered(groups))
    train_worth = effective_rows(again.astype(float), numbered(others))
    chance = min(max(t, 1 / n, 4 / m), max(1 - 1 / m, 0.5))
    z = (v - chance) / math.sqrt(chance * (1 - chance) * (1 / worth + 1 / train_worth))
    return {
        "n": n,
        "equal": int(equal.sum()),
        "share": v,
        "independent": worth,
        "train_n": m,
        "train_share": t,
        "train_independent": train_worth,
        "z": z,
    }


def _different(clusters: Array, lookalikes: Array) -> tuple[Array, Array]:
    """The cluster, and the identity of features and target, of each different row within each cluster."""
    first = np.unique(together([clusters, lookalikes]), return_index=True)[1]
    return clusters[first], lookalikes[first]


def repeated(ids: Array) -> Array:
    """Whether each of these identities is there more than once."""
    order = np.argsort(ids)
    same = np.concatenate(([False], ids[order][1:] == ids[order][:-1], [False]))
    found = np.empty(len(ids), dtype=bool)
    found[order] = same[1:] | same[:-1]
    return found


def among(ids: Array, others: Array) -> Array:
    """Whether each of these identities is among the others."""
    if not len(others):
        return np.zeros(len(ids), dtype=bool)
    others = np.sort(others)  # np.isin hashes integers, which takes ten times as long
    places = np.minimum(np.searchsorted(others, ids), len(others) - 1)
    return np.asarray(others[places] == ids)


def read_ids(path: Path) -> Ids:
    """The identities of the rows in a Parquet file."""
    names = pq.read_schema(path).names
    table = pq.read_table(path, columns=[name for name in COLUMNS if name in names])
    return {name: np.asarray(table[name].to_numpy()) for name in table.column_names}


def read_training_ids(path: Path) -> Ids:
    """The identities in a training_rows.parquet. One of handsoff 0.1 has identities by text only."""
    metadata = pq.read_schema(path).metadata or {}
    ids = read_ids(path)
    return ids if KIND.items() <= metadata.items() else {TEXT_ROW: ids[ROW]}


def write_training_ids(ids: Ids, path: Path) -> None:
    """Write a training_rows.parquet: each combination of the rows' identities once."""
    first = np.unique(together([*ids.values()]), return_index=True)[1]
    table = pa.table({name: values[first] for name, values in ids.items()})
    pq.write_table(table.replace_schema_metadata(KIND), path)


def validation_identity(ids: Ids) -> str:
    """The identity of a validation split: the SHA-256, in hexadecimal, of its different rows' identities.

    A row is known by `data.identity`; without it, by its features and target, because a column that no model
    reads may differ in each export of the same rows.
    """
    rows = ids[LOOKALIKE]
    if IDENTITY in ids:
        rows = np.where(ids[IDENTITY] == ids[ROW], rows, ids[IDENTITY])
    return hashlib.sha256(different(rows).astype("<u8").tobytes()).hexdigest()
