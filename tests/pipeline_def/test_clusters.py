"""Dependent rows: clusters instead of rows, in each metric, difference and count."""

from __future__ import annotations

import json
import math
import tracemalloc
from types import ModuleType
from typing import Any, Final

import numpy as np
import pytest

import binary
import clusters
import intervals
import multiclass
import probabilities
import regression
import resampling
import scoring
import uncertainty
from uncertainty import measured, paired

Array = np.ndarray[Any, Any]

TASKS: Final[dict[str, ModuleType]] = {"binary": binary, "multiclass": multiclass, "regression": regression}


def two_models(task: str, n: int) -> tuple[Array, Array, Array]:
    """A target and two models' predictions of n independent rows."""
    generator = np.random.default_rng(3)
    signal = generator.normal(size=n)
    if task == "regression":
        target = 10 + signal
        return target, target + generator.normal(0, 0.5, n), target + generator.normal(0, 0.6, n)
    if task == "binary":
        right = (generator.random(n) < 1 / (1 + np.exp(-2 * signal))).astype(int)
        logits = 2 * (signal + generator.normal(0, 0.4, (2, n)))
        ours, theirs = 1 / (1 + np.exp(-logits))
        return right, ours, theirs
    classes = generator.choice(3, n, p=[0.5, 0.3, 0.2])
    odds = np.exp(1.5 * np.eye(3)[classes] + generator.normal(size=(2, n, 3)))
    ours, theirs = odds / odds.sum(axis=2, keepdims=True)
    return classes, ours, theirs


# --- clusters ---------------------------------------------------------------------------------------------


def test_numbered_clusters_of_one_row_are_none() -> None:
    assert clusters.numbered(np.array([9, 4, 7], dtype=np.uint64)) is None
    assert clusters.numbered(np.array([], dtype=np.uint64)) is None
    found = clusters.numbered(np.array([2**64 - 1, 4, 2**64 - 1], dtype=np.uint64))
    assert found is not None
    assert found.tolist() == [1, 0, 1]


def test_numbered_clusters_are_not_copied_when_numbered_again() -> None:
    found = clusters.numbered(np.array([7, 4, 7, 9], dtype=np.uint64))
    assert found is not None
    assert found.tolist() == [1, 0, 1, 2]
    assert clusters.numbered(found) is found


def test_bin_products_are_the_same_for_any_number_of_clusters_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # two clusters of two rows, one of one row; the means of the bins are 0
    bins, gaps = np.array([0, 0, 1, 9, 1], dtype=np.int8), np.array([1.0, 2.0, -1.0, 0.5, 3.0])
    ids, means = np.array([0, 1, 1, 2, 0]), np.zeros(10)
    for at_once in (1, 2, 3):
        monkeypatch.setattr(probabilities, "AT_ONCE", at_once)
        products = probabilities.bin_products(bins, gaps, means, ids)
        assert products[0].tolist() == [5.0, 1.0, *[0.0] * 8]
        assert products[1].tolist() == [1.0, 10.0, *[0.0] * 8]
        assert products[9].tolist() == [*[0.0] * 9, 0.25]


def test_count_clusters_that_have_one_of_the_rows() -> None:
    rows = np.array([True, True, True, False, True])
    assert clusters.count(None, rows) == 4
    assert clusters.count(np.array([2**64 - 1, 4, 2**64 - 1, 7, 0], dtype=np.uint64), rows) == 3
    assert clusters.count(np.array([1, 0, 1, 2, 0]), rows & False) == 0


def test_count_one_large_cluster_is_worth_few() -> None:
    """262² / (231² + 31) is 1.29, 8² / (5² + 1 + 1 + 1) is 2.3; three clusters of equally many rows are 3."""
    every = np.ones(262, dtype=bool)
    assert clusters.count(np.r_[np.zeros(231, int), np.arange(1, 32)], every) == 1
    assert clusters.count(np.array([5, 5, 5, 5, 5, 6, 7, 8]), every[:8]) == 2
    assert clusters.count(np.array([5, 6, 7, 7, 6, 5]), every[:6]) == 3


@pytest.mark.parametrize(
    ("task", "predicted"), [("binary_classification", 2), ("multiclass_classification", 1)]
)
def test_counts_of_classes_are_at_most_the_clusters(task: Any, predicted: int) -> None:
    """Of 40 rows 30 are one cluster of one class, worth 1,600 / 910 in all; the other class has ten."""
    within, target = np.r_[np.zeros(30, int), np.arange(1, 11)], np.repeat([0, 1], [30, 10])
    found = scoring.counts(task, target, [np.eye(2)[target] if "multi" in task else target * 1.0], within)
    assert found == {"clusters": 2, "smallest_class": 1, "smallest_predicted": predicted}


@pytest.mark.parametrize("task", TASKS)
def test_measured_with_one_cluster_of_most_rows_has_no_bounds_and_the_least_freedom(task: str) -> None:
    """200 of 240 rows are one cluster: worth one, so nothing says how uncertain a metric is."""
    target, ours, theirs = two_models(task, 240)
    within = np.r_[np.zeros(200, int), np.arange(1, 41)]
    scored = [TASKS[task].score(target, item, within) for item in (ours, theirs)]
    gaps = paired(*scored)[2]
    assert all(not item["freedom"] >= 1 for item in gaps.values() if not math.isnan(item["freedom"]))
    assert all(not np.isfinite(item["bounds"]).any() for item in gaps.values())


def test_per_cluster_by_hand() -> None:
    """Mean 3. Deviations −2 and −1 in the first of two clusters, 3 in the second; 2 clusters of 3 rows."""
    found = clusters.per_cluster(np.array([1.0, 2.0, 6.0]), np.array([0, 0, 1]))
    assert found == pytest.approx([3 - 3 * 2 / 3, 3 + 3 * 2 / 3])


def test_effective_rows_of_repeated_rows_are_the_clusters() -> None:
    values = np.repeat([0.0, 1.0, 1.0, 0.0, 1.0], 3)
    assert clusters.effective_rows(values, np.repeat(np.arange(5), 3)) == pytest.approx(5)
    assert clusters.effective_rows(np.ones(15), np.repeat(np.arange(5), 3)) == 5
    assert clusters.effective_rows(values, None) == 15


def test_effective_rows_are_at_most_the_rows() -> None:
    """In each cluster the values cancel each other: no more independent rows could do that."""
    assert clusters.effective_rows(np.tile([0.0, 1.0], 6), np.repeat(np.arange(6), 2)) == 12


# --- every metric -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_paired_clusters_of_one_row_change_no_number(task: str) -> None:
    target, ours, theirs = two_models(task, 60)
    ids = np.random.default_rng(0).permutation(60).astype(np.uint64)
    score = TASKS[task].score
    alone = paired(score(target, ours), score(target, theirs))
    assert json.dumps(paired(score(target, ours, ids), score(target, theirs, ids))) == json.dumps(alone)


@pytest.mark.parametrize("task", TASKS)
def test_paired_file_that_landed_three_times_is_no_more_certain(task: str) -> None:
    """Each row is there three times. Without clusters the errors would be smaller by the root of three."""
    target, ours, theirs = two_models(task, 300)
    score, rows = TASKS[task].score, np.repeat(np.arange(300), 3)
    once = paired(score(target, ours), score(target, theirs))
    ids = rows.astype(np.uint64)
    thrice = paired(score(target[rows], ours[rows], ids), score(target[rows], theirs[rows], ids))
    for name, metric in once[0].items():
        assert thrice[0][name]["value"] == pytest.approx(metric["value"])
        assert thrice[0][name]["standard_deviation"] == pytest.approx(metric["standard_deviation"], rel=0.08)
        widths = [found[0][name]["interval"][1] - found[0][name]["interval"][0] for found in (once, thrice)]
        assert math.isnan(widths[0]) or widths[1] == pytest.approx(widths[0], rel=0.12)
        errors = [found[2][name]["standard_error"] for found in (once, thrice)]
        assert math.isnan(errors[0]) or errors[1] == pytest.approx(errors[0], rel=0.12)


@pytest.mark.parametrize("task", TASKS)
def test_paired_groups_of_rows_that_are_alike_are_less_certain(task: str) -> None:
    """Ten rows of a group have the same target and errors that are nearly the same."""
    target, ours, theirs = two_models(task, 40)
    score, rows = TASKS[task].score, np.repeat(np.arange(40), 10)
    noise = np.random.default_rng(1).normal(0, 1e-3, 400)
    near = [item[rows] + (noise if item.ndim == 1 else 0) for item in (ours, theirs)]
    if task == "binary":
        near = [np.clip(item, 0.001, 0.999) for item in near]
    alone = paired(score(target[rows], near[0]), score(target[rows], near[1]))
    ids = rows.astype(np.uint64)
    grouped = paired(score(target[rows], near[0], ids), score(target[rows], near[1], ids))
    for name, gap in alone[2].items():
        if math.isfinite(gap["standard_error"]):
            assert grouped[2][name]["standard_error"] > 2 * gap["standard_error"], name
            assert grouped[2][name]["freedom"] <= 39
            assert grouped[2][name]["method"] == gap["method"] + ", 40 clusters"


def test_mean_of_clusters_by_hand() -> None:
    """Brier losses 0.01, 0.04 | 0.09, 0.16 | 0.25, 0.36: Var = 3/2 · Σ (Σ deviation / 6)²."""
    probability = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    rows = binary.score(np.zeros(6, dtype=int), probability, np.array([0, 0, 1, 1, 2, 2]))
    found = measured(rows)["brier"]
    mean = 0.91 / 6
    sums = [0.05 - 2 * mean, 0.25 - 2 * mean, 0.61 - 2 * mean]
    assert found["value"] == pytest.approx(0.1516667)
    assert found["standard_deviation"] == pytest.approx(math.sqrt(1.5 * sum(s**2 for s in sums)) / 6)
    assert found["standard_deviation"] == pytest.approx(0.0819214, abs=1e-7)


def obuchowski(target: Array, scores: Array, ids: Array) -> float:
    """The variance of an area with clustered rows as Obuchowski (1997) writes it, pair by pair of rows."""
    ones, zeros = scores[target == 1], scores[target == 0]
    wins = (ones[:, None] > zeros) + 0.5 * (ones[:, None] == zeros)
    area, names = wins.mean(), np.unique(ids)
    positive = [(wins.mean(axis=1) - area)[ids[target == 1] == name].sum() for name in names]
    negative = [(wins.mean(axis=0) - area)[ids[target == 0] == name].sum() for name in names]
    m, n, clusters_ = len(ones), len(zeros), len(names)
    with_ones, with_zeros = len(np.unique(ids[target == 1])), len(np.unique(ids[target == 0]))
    s10 = with_ones / ((with_ones - 1) * m) * np.sum(np.square(positive))
    s01 = with_zeros / ((with_zeros - 1) * n) * np.sum(np.square(negative))
    s11 = clusters_ / (clusters_ - 1) * np.dot(positive, negative)
    return float(s10 / m + s01 / n + 2 * s11 / (m * n))


@pytest.mark.parametrize("seed", range(5))
def test_area_of_clusters_has_the_variance_of_obuchowski(seed: int) -> None:
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, 12, 60)
    target = (generator.normal(size=12)[ids] + generator.normal(size=60) > 0).astype(int)
    scores = np.round(generator.random(60) + 0.3 * target, 1) / 2
    found = measured(binary.score(target, scores, ids))["roc_auc"]
    assert found["standard_deviation"] ** 2 == pytest.approx(obuchowski(target, scores, ids))


def test_share_of_clusters_that_are_all_right_is_no_more_certain_than_the_clusters() -> None:
    """Ten clusters of eight rows: the lower end is Wilson's of ten, with Student's quantile of 9."""
    found = intervals.share(np.ones(80, dtype=bool), np.ones(80, dtype=bool), np.repeat(np.arange(10), 8))
    assert found["value"] == 1.0
    assert found["interval"] == pytest.approx([10 / (10 + 2.262157**2), 1.0], abs=1e-6)


def test_mcnemar_counts_clusters() -> None:
    """The candidate alone is right on four rows of one cluster and on one of another: two against none."""
    ours, theirs = np.array([1, 1, 1, 1, 1, 1], dtype=bool), np.array([0, 0, 0, 0, 0, 1], dtype=bool)
    found = uncertainty.agreement(ours, theirs, np.array([0, 0, 0, 0, 1, 2]))
    assert (found["only_candidate"], found["mcnemar_p"]) == (5, 0.5)
    assert uncertainty.agreement(ours, theirs)["mcnemar_p"] == 0.0625


def test_one_cluster_has_no_deviation() -> None:
    rows = binary.score(np.array([0, 1, 0, 1]), np.array([0.2, 0.7, 0.8, 0.9]), np.zeros(4, dtype=int))
    found, _, gaps = paired(rows, rows)
    assert found["accuracy"]["value"] == 0.75
    for name in ("brier", "roc_auc", "average_precision", "calibration_slope"):
        assert math.isnan(found[name]["standard_deviation"]), name
        assert found[name]["bounds"] == {}
    assert all(math.isnan(gap["bounds"][0]) for gap in gaps.values())


# --- counts -----------------------------------------------------------------------------------------------


def test_counts_are_of_clusters() -> None:
    """Class 1 is in two clusters, and is predicted in one; 12 rows in four clusters."""
    target = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    ids = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    predicted = np.array([0.1] * 9 + [0.9] * 3)
    assert scoring.counts("binary_classification", target, [predicted], ids) == {
        "clusters": 4,
        "smallest_class": 2,
        "smallest_predicted": 1,
    }
    every = scoring.counts("binary_classification", target, [predicted, target * 1.0], ids)
    assert every["smallest_predicted"] == 1


def test_counts_of_two_classes_are_of_rows_that_are_predicted_positive() -> None:
    """A model that is rarely negative has many rows for its precision."""
    target, predicted = np.array([0, 1, 1, 1] * 3), np.array([0.9] * 11 + [0.1])
    found = scoring.counts("binary_classification", target, [predicted], None)
    assert found == {"clusters": 12, "smallest_class": 3, "smallest_predicted": 11}
    both = scoring.counts("binary_classification", target, [predicted, 1 - predicted], None)
    assert both["smallest_predicted"] == 1


def test_counts_class_that_is_never_predicted_is_zero() -> None:
    found = scoring.counts("binary_classification", np.array([0, 1] * 4), [np.full(8, 0.2)], None)
    assert found == {"clusters": 8, "smallest_class": 4, "smallest_predicted": 0}


def test_counts_regression_has_clusters_only() -> None:
    found = scoring.counts("regression", np.array([1.0, 2.0, 3.0]), [np.zeros(3)], np.array([4, 4, 5]))
    assert found == {"clusters": 2, "smallest_class": None, "smallest_predicted": None}


# --- draws ------------------------------------------------------------------------------------------------


def test_resample_weights_keep_clusters_together() -> None:
    ids = np.array([0, 1, 0, 2, 2, 2])
    weights = np.concatenate(list(resampling.resample_weights(6, ids)))
    assert weights.shape == (1000, 6)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 2).all()


def test_compositions_join_clusters_of_the_same_content() -> None:
    """Clusters 0 and 2 have a row in cell 0 and one in cell 1; cluster 1 has two in cell 0."""
    cell, ids = np.array([0, 1, 0, 0, 1, 0, 2]), np.array([0, 0, 1, 1, 2, 2])
    counts, contents = resampling.compositions(cell, ids, np.array([0.5]), 2.0)
    found = {tuple(row): count for row, count in zip(contents.toarray().tolist(), counts, strict=True)}
    assert found == {(1.0, 1.0, 0.0): 2.0, (2.0, 0.0, 0.0): 1.0, (0.0, 0.0, 2.0): 0.5}


def test_resampling_of_clusters_needs_no_more_memory() -> None:
    target, ours, theirs = two_models("binary", 20_000)
    peaks = []
    for ids in (None, np.arange(20_000) // 4):
        scored = [binary.score(target, item, ids) for item in (ours, theirs)]
        tracemalloc.start()
        next(iter(resampling.resample_weights(20_000, scored[0].clusters)))
        resampling.draw_labels(*(item.labels for item in scored if item.labels), clusters=scored[0].clusters)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
