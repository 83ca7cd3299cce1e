"""Which validation rows were seen in training: the same rows, rows of the same groups, and lookalikes.

Rows that are the same as a training row, or belong to its group, leave every number. Lookalikes, which have
the features and the target of a training row, stay: honest data has them, too. A test says whether there are
more of them than training rows have among themselves.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from clusters import different
from job import GROUP, IDENTITY, LOOKALIKE, ROW, Array, Json
from row_ids import (
    Held,
    Ids,
    Overlap,
    among_sorted,
    bits_of,
    first_of,
    overlap,
    repeated_sorted,
    sorted_part,
    whole_part,
)

MIN_GROUPS: Final = 20
"""Groups of equal size that training rows must be worth (`clusters.count`), or lookalikes are not tested.

Fewer do not say how much groups differ. On 10 groups that differ, z was above 4 in 15 of 200 honest splits;
from 20 groups on in at most one.
"""


Looks = Callable[[Array, Array], tuple[Array, tuple[Array, ...]]]
"""Of the lookalikes of validation and of train in one part, both ascending: which of validation look like
another one, and by one or two ways of counting, which of train do."""


@dataclass(frozen=True)
class Seen:
    """Which of n validation rows were seen in training: two boolean arrays of length n.

    `same` are rows that are the same as a training row, `same_group` are others whose group is among the
    groups of the training rows. `lookalikes` is the test of the rows that are left; None if none is left, or
    the identities cannot be compared. `rows` and `groups` compare the identities of both splits.
    """

    same: Array
    same_group: Array
    lookalikes: Json | None
    rows: Overlap
    groups: Overlap | None = None

    @property
    def left(self) -> Array:
        """Which rows are left: those that are neither."""
        return ~(self.same | self.same_group)


@dataclass
class Side:
    """The rows of a split of which lookalikes are looked for: those that are `kept`, all if that is None.

    A row that repeats within its cluster counts once: with `first` only these rows count; None if each row
    is a cluster of its own.
    """

    ids: Ids
    cluster: str
    kept: Array | None = None
    first: Array | None = field(init=False, default=None)

    def count_once(self, clusters: int) -> None:
        """Find the rows that count. The identities of all rows are in so many `clusters`."""
        if clusters < self.ids.rows:
            self.kept = self.first = first_of(self.ids, (self.cluster, LOOKALIKE), self.kept)


@dataclass
class Share:
    """How many of `n` rows of a side look like another one (`equal`); with `first`, which ones do."""

    side: Side
    n: int = 0
    equal: int = 0
    marked: Array | None = None

    def add(self, places: Array, looks: Array) -> None:
        """Count the rows at these places of the split."""
        self.n += len(looks)
        self.equal += int(looks.sum())
        if self.side.first is not None:
            if self.marked is None:
                self.marked = np.zeros(self.side.ids.rows, dtype=bool)
            self.marked[places] = looks

    def clusters(self) -> tuple[int, int, int, int]:
        """How many clusters the rows are in; and the sums, over these, of n², n a and a².

        n are the rows of a cluster, and a those of them that look like another one.
        """
        if self.marked is None:
            return self.n, self.n, self.equal, self.equal
        count, sums = 0, np.zeros(3, dtype=np.int64)
        ids, bits = self.side.ids, bits_of(self.side.ids)
        for number in range(1 << bits):
            places, clusters = whole_part(ids, [self.side.cluster], bits, number, self.side.first)
            order = np.argsort(clusters)
            clusters, looks = clusters[order], self.marked[places[order]].astype(np.int64)
            starts = np.flatnonzero(np.append(clusters[:1] == clusters[:1], clusters[1:] != clusters[:-1]))
            if len(starts):
                rows, alike = np.diff(starts, append=len(clusters)), np.add.reduceat(looks, starts)
                count += len(starts)
                sums += (rows**2).sum(), (rows * alike).sum(), (alike**2).sum()
        squares, products, squares_alike = sums.tolist()
        return count, squares, products, squares_alike

    def independent(self) -> float:
        """How many independent rows would give the share the same variance (`clusters.effective_rows`)."""
        n, a = self.n, self.equal
        count, squares, products, alike = self.clusters()
        if count == n:
            return float(n)
        if a in (0, n):
            return float(count)
        deviations = n * n * alike - 2 * n * a * products + a * a * squares
        return min(float(n), a * (n - a) * n * n / deviations) if deviations else float(n)

    def too_few(self) -> bool:
        """Whether there is no row, or the rows are worth fewer groups than the test needs (`clusters.count`).

        Single rows, each a cluster of its own, are never too few.
        """
        count, squares, _, _ = self.clusters()
        return not self.n or (count < self.n and round(self.n**2 / squares) < MIN_GROUPS)


def seen(
    validation: Ids | Mapping[str, Array],
    train: Ids | Mapping[str, Array],
    row: str,
    *,
    group: bool,
    lookalikes: bool = True,
) -> Seen:
    """Look for validation rows among the training rows.

    `row` is the column by which two rows are the same. `group` says whether rows have groups, `lookalikes`
    whether those identities of both have the same meaning.
    """
    validation, train = _ids(validation), _ids(train)
    rows = overlap(validation, train, row)
    groups = overlap(validation, train, GROUP) if group else None
    same_group = groups.among & ~rows.among if groups else np.zeros_like(rows.among)
    found = Seen(rows.among, same_group, None, rows, groups)
    if not lookalikes:
        return found
    cluster, counts = (GROUP, groups) if groups else (row, rows)
    ours, theirs = Side(validation, cluster, found.left), Side(train, cluster)
    ours.count_once(counts.ours)
    theirs.count_once(counts.theirs)
    return Seen(rows.among, same_group, _lookalikes(ours, theirs), rows, groups)


def _ids(ids: Ids | Mapping[str, Array]) -> Ids:
    return Held(ids) if isinstance(ids, Mapping) else ids


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
    return _lookalikes(_side(*validation), _side(*train))


def copies(
    validation: Ids | Mapping[str, Array], left: Array, train: Ids | Mapping[str, Array], cluster: str
) -> Json | None:
    """The test of rows that stand in validation several times, of those that are `left`.

    `cluster` is the reserved column of their clusters.
    """
    ours, theirs = Side(_ids(validation), cluster, left), Side(_ids(train), cluster)
    for side in (ours, theirs):
        side.count_once(overlap(side.ids, Held({cluster: left[:0]}), cluster).ours)
    return _copies(ours, theirs)


def copies_test(validation: tuple[Array, Array], train: tuple[Array, Array]) -> Json | None:
    """Whether validation rows look like each other more often than rows of the two splits do.

    The same test with `share` as the share of validation rows that look like one of another cluster, and
    `train_share` as the share of training rows that look like another one or like a validation row, whichever
    is larger: in a split of more rows than train, honest rows find one that looks like them more often.
    """
    return _copies(_side(*validation), _side(*train))


def _side(clusters: Array, lookalikes: Array) -> Side:
    side = Side(Held({ROW: clusters, LOOKALIKE: lookalikes}), ROW)
    side.count_once(len(different(clusters)))
    return side


def _lookalikes(ours: Side, theirs: Side) -> Json | None:
    return _tested(
        ours, theirs, lambda mine, others: (among_sorted(mine, others), (repeated_sorted(others),))
    )


def _copies(ours: Side, theirs: Side) -> Json | None:
    return _tested(
        ours,
        theirs,
        lambda mine, others: (repeated_sorted(mine), (repeated_sorted(others), among_sorted(others, mine))),
    )


def _tested(ours: Side, theirs: Side, looks: Looks) -> Json | None:
    """The test of two shares. Of several shares of train the largest one counts."""
    share, expected = Share(ours), (Share(theirs), Share(theirs))
    bits = bits_of(ours.ids, theirs.ids)
    for number in range(1 << bits):
        (places, mine), (others_places, others) = (_ascending(side, bits, number) for side in (ours, theirs))
        alike, others_alike = looks(mine, others)
        share.add(places, alike)
        for one, found in zip(expected, others_alike, strict=False):
            one.add(others_places, found)
    train = max(expected, key=lambda one: one.equal)
    return None if not share.n or train.too_few() else _excess(share, train)


def _ascending(side: Side, bits: int, number: int) -> tuple[Array, Array]:
    """The lookalikes of a part in ascending order, and the places of their rows; none if each row counts."""
    if side.first is None:
        ascending = sorted_part(side.ids, LOOKALIKE, bits, number, side.kept)
        return ascending[:0], ascending
    places, lookalikes = whole_part(side.ids, [LOOKALIKE], bits, number, side.kept)
    order = np.argsort(lookalikes)
    return places[order], lookalikes[order]


def _excess(validation: Share, train: Share) -> Json:
    """The test of two shares."""
    n, m, v, t = validation.n, train.n, validation.equal / validation.n, train.equal / train.n
    worth, train_worth = validation.independent(), train.independent()
    chance = min(max(t, 1 / n, 4 / m), max(1 - 1 / m, 0.5))
    z = (v - chance) / math.sqrt(chance * (1 - chance) * (1 / worth + 1 / train_worth))
    return {
        "n": n,
        "equal": validation.equal,
        "share": v,
        "independent": worth,
        "train_n": m,
        "train_share": t,
        "train_independent": train_worth,
        "z": z,
    }


def validation_identity(ids: Mapping[str, Array]) -> str:
    """The identity of a validation split: the SHA-256, in hexadecimal, of its different rows' identities.

    A row is known by `data.identity`; without it, by its features and target, because a column that no model
    reads may differ in each export of the same rows.
    """
    rows = ids[LOOKALIKE]
    if IDENTITY in ids:
        rows = np.where(ids[IDENTITY] == ids[ROW], rows, ids[IDENTITY])
    return hashlib.sha256(different(rows).astype("<u8").tobytes()).hexdigest()
