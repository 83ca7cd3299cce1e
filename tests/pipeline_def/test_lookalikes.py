"""The test of lookalikes, and what it is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusters import different
from identity import together
from job import IDENTITY, LOOKALIKE, ROW, Array, parse_config
from row_ids import among_sorted, repeated_sorted
from seen_rows import copies, copies_test, lookalike_test, seen, validation_identity
from tests.pipeline_def.helpers import passengers, titanic_config
from tests.pipeline_def.test_seen_rows import ids


@pytest.mark.parametrize(
    ("leaked", "equal", "t", "z"), [(0, 55, 0.2082, 0.06), (26, 81, 0.2032, 3.82), (52, 105, 0.2011, 7.25)]
)
def test_lookalikes_of_the_titanic(leaked: int, equal: int, t: float, z: float) -> None:
    """A tenth and a fifth of the validation rows stand in train under new names."""
    train, validation = passengers("train"), passengers("validation")
    again = validation[:leaked].assign(name=[f"copy {number}" for number in range(leaked)])
    config = parse_config(titanic_config())
    found = seen(ids(validation, config), ids(pd.concat([train, again]), config), ROW, group=False)
    assert (int(found.same.sum()), int(found.same_group.sum())) == (0, 0)
    assert found.lookalikes == {
        "n": 262,
        "equal": equal,
        "share": pytest.approx(equal / 262),
        "independent": 262.0,
        "train_n": 1047 + leaked,
        "train_share": pytest.approx(t, abs=5e-5),
        "train_independent": 1047.0 + leaked,
        "z": pytest.approx(z, abs=0.005),
    }


def alike(validation: list[int], train: list[int], clusters: list[int] | None = None) -> Any:
    """The test of these identities. Each row is a cluster of its own, or those of train are in `clusters`."""
    ours = np.arange(len(validation), dtype="uint64") + np.uint64(10_000), np.array(validation, "uint64")
    theirs = (
        np.array(range(len(train)) if clusters is None else clusters, "uint64"),
        np.array(train, "uint64"),
    )
    return lookalike_test(ours, theirs)


UNLIKE = [*range(1000, 1400)]
"""400 training rows of which none looks like another one."""


@pytest.mark.parametrize(
    ("equal", "z"), [(0, -0.895), (1, 0.0), (5, 3.596), (6, 4.495), (20, 17.080), (100, 88.994)]
)
def test_lookalikes_where_no_training_row_is_repeated(equal: int, z: float) -> None:
    """t is 0, by which nothing can be divided: in the formula it is one of the 100 validation rows."""
    found = alike([*range(1000, 1000 + equal), *range(5000, 5100 - equal)], UNLIKE)
    assert (found["equal"], found["train_share"], found["z"]) == (equal, 0.0, pytest.approx(z, abs=0.005))


def test_lookalikes_where_every_training_row_is_repeated() -> None:
    """t is 1: no share of validation rows is larger."""
    assert alike([1, 2] * 50, [1, 2, 3] * 100)["z"] == pytest.approx(0.501, abs=0.001)
    assert alike([1, 9] * 50, [1, 2, 3] * 100)["z"] == pytest.approx(-74.624, abs=0.001)


def test_lookalikes_of_copied_files_are_those_of_one_file() -> None:
    once = alike([1000, 1001, 7], [*UNLIKE, 1000, 1001])
    thrice = alike([1000, 1001, 7], [*UNLIKE, 1000, 1001] * 3, [*range(402)] * 3)
    assert thrice == once
    assert once["train_share"] == pytest.approx(4 / 402)


def test_lookalikes_within_a_cluster_are_no_lookalikes() -> None:
    """A customer whose rows are all alike says nothing about what other customers' rows look like."""
    train = [number // 4 for number in range(400)]
    assert alike([200], train, train)["train_share"] == 0.0
    assert alike([200], train)["train_share"] == 1.0


@pytest.mark.parametrize(
    ("times", "equal", "share", "z"),
    [(1, 22, 22 / 262, -4.430), (2, 524, 1.0, 36.442), (3, 786, 1.0, 41.319)],
)
def test_copies_within_the_titanics_validation(times: int, equal: int, share: float, z: float) -> None:
    """Each copy has another name, which makes it another row."""
    train, validation = passengers("train"), passengers("validation")
    again = [validation.assign(name=validation["name"] + f" {number}") for number in range(times)]
    config = parse_config(titanic_config())
    ours = ids(pd.concat(again), config)
    found = copies(ours, np.ones(262 * times, dtype=bool), ids(train, config), ROW)
    assert found is not None
    assert (found["n"], found["equal"], found["share"]) == (262 * times, equal, share)
    assert found["train_share"] == pytest.approx(218 / 1047)
    assert found["z"] == pytest.approx(z, abs=0.001)


def test_copies_in_a_validation_split_of_more_rows_than_train() -> None:
    """1,000 honest rows of 3,000 usual ones repeat more often than 100 training rows do among themselves."""
    random = np.random.default_rng(3)
    rows = random.integers(0, 3000, 1100).astype("uint64")
    clusters = np.arange(1100, dtype="uint64")
    found = copies_test((clusters[100:], rows[100:]), (clusters[:100], rows[:100]))
    assert found is not None
    assert found["share"] > 0.2
    assert repeated_sorted(np.sort(rows[:100])).mean() < 0.1
    assert -2 < found["z"] < 2


def test_copies_of_no_rows_or_few_groups_are_not_tested() -> None:
    few = np.arange(90, dtype="uint64") % 9, np.arange(90, dtype="uint64")
    assert copies_test((few[0] + 100, few[1]), few) is None
    assert copies_test((few[0][:0], few[1][:0]), (few[1], few[1])) is None


def test_lookalikes_of_no_rows_are_not_tested() -> None:
    assert alike([], [1, 2]) is None
    assert alike([1], []) is None


@pytest.mark.parametrize("train", [[1], [1, 1], [1, 2], [1, 2, 3]])
def test_lookalikes_of_very_few_rows_are_a_number_that_holds_nothing(train: list[int]) -> None:
    assert -4 < alike([1, 2, 3, 4], train)["z"] < 4
    assert -4 < alike([1], train)["z"] < 4


def test_among_finds_ids_at_both_ends() -> None:
    others = np.array([5, 7, 7, 2**64 - 1], "uint64")
    found = among_sorted(np.array([2**64 - 1, 0, 5, 6, 7, 8], "uint64"), others)
    assert found.tolist() == [True, False, True, False, True, False]
    assert among_sorted(np.array([9], "uint64"), others[:2]).tolist() == [False]
    assert among_sorted(others, others[:0]).tolist() == [False] * 4
    assert among_sorted(others[:0], others).tolist() == []


def grouped(generator: np.random.Generator, groups: int, rows: int) -> tuple[Array, Array]:
    """Groups that differ in how many of their rows are one of 300 that many groups have."""
    within = np.repeat(np.arange(groups), rows)
    usual = generator.random(len(within)) < generator.beta(0.5, 1.5, groups)[within]
    known, new = generator.integers(0, 300, len(within)), generator.integers(2**40, 2**60, len(within))
    return within.astype("uint64"), np.where(usual, known, new).astype("uint64")


def test_lookalikes_of_groups_that_differ_are_no_leak() -> None:
    """40 honest splits of 40 groups; a test of single rows calls a third of them a leak."""
    generator, called, by_rows = np.random.default_rng(0), 0, 0
    for _ in range(40):
        within, rows = grouped(generator, 50, 50)
        first = within < 40
        found = lookalike_test((within[~first], rows[~first]), (within[first], rows[first]))
        assert found is not None
        assert found["independent"] < found["n"] / 2
        called += found["z"] > 4
        t, n, m = found["train_share"], found["n"], found["train_n"]
        by_rows += (found["share"] - t) / math.sqrt(t * (1 - t) * (1 / n + 1 / m)) > 4
    assert (called, by_rows >= 5) == (0, True)


def test_lookalikes_of_groups_copied_under_new_names_are_a_leak() -> None:
    within, rows = grouped(np.random.default_rng(1), 250, 20)
    first = within < 200
    copied = within >= 225
    ours, theirs = (within[~first], rows[~first]), (within[first | copied], rows[first | copied])
    found = lookalike_test(ours, (np.where(theirs[0] >= 225, theirs[0] + 1000, theirs[0]), theirs[1]))
    assert found is not None
    assert found["z"] > 4


@pytest.mark.parametrize(("groups", "tested"), [(19, False), (20, True)])
def test_lookalikes_of_few_training_groups_are_not_tested(groups: int, tested: bool) -> None:
    within, rows = grouped(np.random.default_rng(2), groups, 20)
    assert (lookalike_test((within[:1] + 99, rows[:1]), (within, rows)) is not None) is tested


def test_lookalikes_of_many_training_groups_with_most_rows_in_one_are_not_tested() -> None:
    """40 groups of 10 rows each are 40; where one of them has 400 rows, all are worth four."""
    rows = np.arange(790, dtype="uint64")
    group = np.where(rows < 400, rows // 10, 0)
    alone = rows[:1] + 10_000, rows[:1]
    assert lookalike_test(alone, (group[:400], rows[:400])) is not None
    assert lookalike_test(alone, (group, rows)) is None


def test_different_and_repeated_ids() -> None:
    found = np.array([7, 5, 7, 9, 9, 9], "uint64")
    assert (different(found).tolist(), repeated_sorted(np.sort(found)).tolist()) == (
        [5, 7, 9],
        [False, True, True, True, True, True],
    )
    assert (different(found[:0]).tolist(), repeated_sorted(found[:0]).tolist()) == ([], [])


def test_together_depends_on_the_order_of_the_hashes() -> None:
    one, two = np.array([1], "uint64"), np.array([2], "uint64")
    assert together([one, two]) != together([two, one])


def test_validation_identity_is_of_the_different_rows() -> None:
    one, twice, fewer = (
        {LOOKALIKE: np.array(rows, "uint64")} for rows in ([3, 1, 2], [1, 2, 2, 3, 3], [3, 1])
    )
    assert validation_identity(one) == validation_identity(twice)
    assert validation_identity(one) != validation_identity(fewer)
    assert validation_identity(one) == "e2e2033ae7e19d680599d4eb0a1359a2b48ec5baac75066c317fbf85159c54ef"


def test_validation_identity_of_a_row_without_identity_is_of_features_and_target() -> None:
    """Such a row has the hash of all its columns, 50 or 60, in place of an identity."""
    one, other, corrected = (
        {
            name: np.array(values, "uint64")
            for name, values in zip((IDENTITY, ROW, LOOKALIKE), rows, strict=True)
        }
        for rows in (
            ([7, 8, 50], [20, 30, 50], [1, 2, 3]),
            ([7, 8, 60], [25, 35, 60], [9, 9, 3]),
            ([7, 8, 50], [20, 30, 50], [1, 2, 4]),
        )
    )
    assert validation_identity(one) == validation_identity(other)
    assert validation_identity(one) != validation_identity(corrected)
