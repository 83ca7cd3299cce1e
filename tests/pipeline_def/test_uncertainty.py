"""Standard deviations, intervals and paired differences: against scipy, by hand, and against a bootstrap."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn.metrics import roc_auc_score

import binary
import intervals
import multiclass
import probabilities
import regression
import resampling
import scored
import uncertainty
from scored import Area, Scored
from uncertainty import measured, paired

Array = np.ndarray[Any, Any]


def two_models(n: int) -> tuple[Scored, Scored, Array, Array, Array]:
    """A target and the probabilities of two models, correlated like those of two retrainings."""
    generator = np.random.default_rng(3)
    signal = generator.normal(size=n)
    target = (generator.random(n) < 1 / (1 + np.exp(-2 * signal))).astype(int)
    ours, theirs = (1 / (1 + np.exp(-2 * (signal + generator.normal(0, 0.4, n)))) for _ in range(2))
    return binary.score(target, ours), binary.score(target, theirs), target, ours, theirs


# --- shares -----------------------------------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(0, 60))
def test_wilson_agrees_with_scipy(hits: int, misses: int) -> None:
    if hits + misses:
        expected = stats.binomtest(hits, hits + misses).proportion_ci(0.95, method="wilson")
        assert intervals.wilson(hits, hits + misses) == pytest.approx((expected.low, expected.high))


def test_wilson_by_hand() -> None:
    """The lower end for 8 of 8 is 8 / (8 + 1.96²)."""
    assert intervals.wilson(8, 8) == pytest.approx((0.6756, 1.0), abs=1e-4)
    assert all(math.isnan(end) for end in intervals.wilson(0, 0))


def test_measured_accuracy_has_the_binomial_deviation() -> None:
    """0.8 on 250 rows: sqrt(0.8 * 0.2 / 250) = 0.0253."""
    target = np.array([1] * 200 + [0] * 50)
    found = measured(binary.score(target, np.full(250, 0.9)))["accuracy"]
    assert found["value"] == pytest.approx(0.8)
    assert found["standard_deviation"] == pytest.approx(0.0253, abs=1e-4)
    assert found["interval"] == pytest.approx([0.7460, 0.8449], abs=1e-4)


@pytest.mark.parametrize(
    ("disagreements", "error"),
    # by hand: p = 1/102 and 1/102; p = 11/102 and 1/102
    [(0, 0.013865), (10, 0.032545)],
)
def test_bonett_price_hundred_rows_by_hand(disagreements: int, error: float) -> None:
    ours, theirs = np.ones(100, dtype=bool), np.ones(100, dtype=bool)
    theirs[:disagreements] = False
    assert uncertainty.bonett_price(ours, theirs) == pytest.approx(error, abs=1e-6)
    assert uncertainty.bonett_price(theirs, ours) == pytest.approx(error, abs=1e-6)


def test_paired_models_that_agree_are_not_certain_to_be_equal() -> None:
    rows = binary.score(np.array([0, 1] * 4), np.array([0.1, 0.9] * 4))
    _, _, gaps = paired(rows, rows)
    for name in (
        "accuracy",
        "recall",
        "precision",
        "f1",
        "balanced_accuracy",
        "roc_auc",
        "average_precision",
    ):
        assert gaps[name]["value"] == 0.0
        assert gaps[name]["standard_error"] > 0.1
        assert gaps[name]["bounds"][0] < -0.16


@pytest.mark.parametrize(
    ("only_ours", "only_theirs", "p"), [(0, 0, 1.0), (10, 0, 0.001953125), (5, 1, 0.21875), (3, 3, 1.0)]
)
def test_mcnemar_by_hand(only_ours: int, only_theirs: int, p: float) -> None:
    assert uncertainty.mcnemar(only_ours, only_theirs) == pytest.approx(p)


def test_agreement_counts_four_cells() -> None:
    ours, theirs = np.array([1, 1, 1, 0, 0], dtype=bool), np.array([1, 0, 0, 1, 0], dtype=bool)
    assert uncertainty.agreement(ours, theirs) == {
        "both_right": 1,
        "only_candidate": 2,
        "only_champion": 1,
        "both_wrong": 1,
        "mcnemar_p": 1.0,
    }


def test_paired_accuracy_has_the_value_of_the_rows() -> None:
    """The champion is wrong on 10 of 100 rows, the candidate on none."""
    target = np.array([0, 1] * 50)
    candidate = np.where(target == 1, 0.9, 0.1)
    champion = candidate.copy()
    champion[:10] = 1 - champion[:10]
    _, _, gaps = paired(binary.score(target, candidate), binary.score(target, champion))
    found = gaps["accuracy"]
    assert found["value"] == pytest.approx(0.1)
    assert found["standard_error"] == pytest.approx(0.032545, abs=1e-6)
    assert found["bounds"] == pytest.approx([0.0465, 0.1535], abs=1e-4)
    assert found["method"] == "agreement of the two (Bonett and Price 2012)"
    assert gaps["recall"]["value"] == pytest.approx(0.1)


# --- areas ------------------------------------------------------------------------------------------------


def test_area_deviation_by_hand() -> None:
    """Placements 1, 0.75, 0.5 of the ones and 0.5, 1 of the zeros: 0.0625 / 3 + 0.125 / 2."""
    target, probability = np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.6, 0.2, 0.6, 0.1])
    found = measured(binary.score(target, probability))["roc_auc"]
    assert found["standard_deviation"] == pytest.approx(math.sqrt(0.0625 / 3 + 0.125 / 2))


def brute_force(target: Array, *scores: Array) -> tuple[list[float], Array]:
    """Areas and DeLong's covariance, pair of rows by pair of rows as the paper defines them."""
    by_positive, by_negative = [], []
    for score in scores:
        ones, zeros = score[target == 1], score[target == 0]
        wins = (ones[:, None] > zeros) + 0.5 * (ones[:, None] == zeros)
        by_positive.append(wins.mean(axis=1))
        by_negative.append(wins.mean(axis=0))
    areas = [float(placements.mean()) for placements in by_positive]
    ones, zeros = np.cov(by_positive), np.cov(by_negative)
    return areas, ones / len(by_positive[0]) + zeros / len(by_negative[0])


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 6)), min_size=6, max_size=40
    ).filter(lambda rows: 2 <= sum(row[0] for row in rows) <= len(rows) - 2)
)
def test_area_deviation_is_the_formula_of_delong(rows: list[tuple[int, int, int]]) -> None:
    target, ours, theirs = (np.array(column) for column in zip(*rows, strict=True))
    ours, theirs = ours / 6, theirs / 6
    areas, covariance = brute_force(target, ours, theirs)
    found, _, gaps = paired(binary.score(target, ours), binary.score(target, theirs))
    assert found["roc_auc"]["value"] == pytest.approx(areas[0])
    assert found["roc_auc"]["standard_deviation"] ** 2 == pytest.approx(covariance[0, 0], abs=1e-12)
    if areas[0] != areas[1] or areas[0] not in (0.0, 1.0):
        expected = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        assert gaps["roc_auc"]["standard_error"] ** 2 == pytest.approx(expected, abs=1e-12)


def test_area_of_one_or_zero_has_an_interval() -> None:
    target = np.array([0, 1] * 25)
    right = measured(binary.score(target, np.where(target == 1, 0.9, 0.1)))["roc_auc"]
    wrong = measured(binary.score(target, np.where(target == 1, 0.1, 0.9)))["roc_auc"]
    assert (right["value"], right["standard_deviation"]) == (1.0, 0.0)
    assert (wrong["value"], wrong["standard_deviation"]) == (0.0, 0.0)
    # Newcombe's method 5 with 25 and 25 rows and a spare of 24, solved by scipy
    low = optimize.brentq(
        lambda t: (
            1 - t - 1.959964 * math.sqrt(t * (1 - t) * (1 + 24 * (1 - t) / (2 - t) + 24 * t / (1 + t)) / 625)
        ),
        0.5,
        0.999,
    )
    assert right["interval"] == pytest.approx([low, 1.0], abs=1e-6)
    assert wrong["interval"] == pytest.approx([0.0, 1 - low], abs=1e-6)
    assert 0.8 < low < 0.95


def test_area_of_constant_scores_is_exactly_one_half() -> None:
    found = measured(binary.score(np.array([0, 0, 1, 1]), np.full(4, 0.3)))["roc_auc"]
    assert (found["value"], found["standard_deviation"], found["interval"]) == (0.5, 0.0, [0.5, 0.5])
    assert found["bounds"]["0.95"] == [0.5, 0.5]


def test_area_class_of_one_row_has_no_deviation() -> None:
    found = measured(binary.score(np.array([0, 0, 1]), np.array([0.1, 0.4, 0.3])))["roc_auc"]
    assert found["value"] == 0.5
    assert math.isnan(found["standard_deviation"])
    assert all(math.isnan(end) for end in found["interval"])


def test_roc_auc_ovr_of_two_classes_is_the_area() -> None:
    rows, _, target, probability, _ = two_models(200)
    both = multiclass.score(target, np.column_stack([1 - probability, probability]))
    ovr, auc = measured(both)["roc_auc_ovr"], measured(rows)["roc_auc"]
    assert ovr["value"] == pytest.approx(auc["value"])
    assert ovr["standard_deviation"] == pytest.approx(auc["standard_deviation"])


# --- closed forms against a bootstrap ---------------------------------------------------------------------


def test_measured_closed_forms_agree_with_a_bootstrap() -> None:
    ours, theirs, *_ = two_models(400)
    _, _, gaps = paired(ours, theirs)
    weights = np.concatenate(list(resampling.resample_weights(400)))
    for name, losses in ours.means.items():
        means = [(weights @ item / 400) for item in (losses, theirs.means[name])]
        assert measured(ours)[name]["standard_deviation"] == pytest.approx(means[0].std(), rel=0.1)
        assert gaps[name]["standard_error"] == pytest.approx((means[0] - means[1]).std(), rel=0.1)


def areas_of(target: Array, scores: Array, drawn: Array) -> Array:
    """The area for each line of `drawn`, which are places of rows; the first is that of scikit-learn."""
    ones, zeros = np.flatnonzero(target), np.flatnonzero(target == 0)
    gaps = scores[ones][:, None] - scores[zeros]
    wins = (gaps > 0) + 0.5 * (gaps == 0)
    times = np.array([np.bincount(rows, minlength=len(target)) for rows in drawn], dtype=float)
    by_ones, by_zeros = times[:, ones], times[:, zeros]
    pairs = by_ones.sum(axis=1) * by_zeros.sum(axis=1)
    areas: Array = ((by_ones @ wins) * by_zeros).sum(axis=1) / pairs
    assert areas[0] == pytest.approx(roc_auc_score(target[drawn[0]], scores[drawn[0]]))
    return areas


def test_area_deviation_agrees_with_a_bootstrap() -> None:
    ours, theirs, target, mine, others = two_models(400)
    rows = np.random.default_rng(5).integers(0, 400, (600, 400))
    drawn = np.column_stack([areas_of(target, scores, rows) for scores in (mine, others)])
    _, _, gaps = paired(ours, theirs)
    assert measured(ours)["roc_auc"]["standard_deviation"] == pytest.approx(drawn[:, 0].std(), rel=0.1)
    assert gaps["roc_auc"]["standard_error"] == pytest.approx((drawn[:, 0] - drawn[:, 1]).std(), rel=0.1)


def test_roc_auc_ovr_deviation_agrees_with_a_bootstrap() -> None:
    generator = np.random.default_rng(4)
    target = generator.choice(3, 300, p=[0.6, 0.3, 0.1])
    logits = np.exp(np.eye(3)[target] + generator.normal(size=(300, 3)))
    probability = logits / logits.sum(axis=1, keepdims=True)
    rows = np.random.default_rng(5).integers(0, 300, (400, 300))
    drawn = np.mean([areas_of(target == each, probability[:, each], rows) for each in range(3)], axis=0)
    assert drawn[0] == pytest.approx(roc_auc_score(target[rows[0]], probability[rows[0]], multi_class="ovr"))
    found = measured(multiclass.score(target, probability))["roc_auc_ovr"]
    assert found["standard_deviation"] == pytest.approx(np.std(drawn), rel=0.1)


def test_root_difference_error_agrees_with_a_bootstrap() -> None:
    generator = np.random.default_rng(6)
    target = generator.normal(10, 2, 400)
    ours, theirs = (regression.score(target, target + generator.normal(0, sd, 400)) for sd in (1.0, 1.2))
    weights = np.concatenate(list(resampling.resample_weights(400)))
    drawn = [np.sqrt(weights @ item.roots["rmse"] / 400) for item in (ours, theirs)]
    found, _, gaps = paired(ours, theirs)
    assert found["rmse"]["standard_deviation"] == pytest.approx(drawn[0].std(), rel=0.1)
    assert gaps["rmse"]["standard_error"] == pytest.approx((drawn[0] - drawn[1]).std(), rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize("n", [200, 400])
def test_smooth_metrics_have_the_deviation_of_a_bootstrap(
    monkeypatch: pytest.MonkeyPatch, n: int, group: int
) -> None:
    """Rows of a group are copies. 600 resamples know a deviation up to 3 %."""
    rows = np.repeat(np.arange(n), group)
    signal, *noise = np.random.default_rng(6).normal(size=(5, n))
    numbers = [10 + 2 * signal + 0.7 * noise[0], *(10 + 2 * signal + sd * noise[1] for sd in (0.5, 0.6))]
    numbers[2] += 0.3 * noise[2]
    chances = [(signal + noise[0] > 0).astype(int), *(stats.norm.cdf(signal + each) for each in noise[1:3])]
    drawn = np.random.default_rng(5).integers(0, n, (600, n))
    for score, (target, *models) in ((regression.score, numbers), (binary.score, chances)):
        ours, theirs = (score(target[rows], model[rows], rows) for model in models)
        mine, _, gaps = paired(ours, theirs)
        with monkeypatch.context() as values_only:  # r2 resamples for its deviation, which is not asked for
            values_only.setattr(regression, "resampled_sums", lambda columns, _: np.zeros((0, len(columns))))
            again = [[score(target[some], model[some]).values() for model in models] for some in drawn]
        for name in (*ours.smooth, *ours.resampled, *(ours.alone if score is binary.score else ())):
            values = np.array([[values[name] for values in both] for both in again])
            expected = mine[name]["standard_deviation"]
            assert expected == pytest.approx(values[:, 0].std(), rel=0.12), name
            if name not in ours.alone:
                gap = (values[:, 0] - values[:, 1]).std()
                assert gaps[name]["standard_error"] == pytest.approx(gap, rel=0.2), name


@pytest.mark.parametrize(("positives", "known"), [(1, False), (2, False), (3, True)])
def test_average_precision_of_few_positive_rows_has_no_deviation(positives: int, known: bool) -> None:
    target = (np.arange(1000) < positives).astype(int)
    scores = np.random.default_rng(3).random((2, 1000))
    mine, _, gaps = paired(*(binary.score(target, each) for each in scores))
    for number in (
        mine["average_precision"]["standard_deviation"],
        mine["average_precision"]["interval"][0],
        gaps["average_precision"]["standard_error"],
    ):
        assert (number is not None and math.isfinite(number)) is known


def test_smooth_metrics_of_the_same_predictions_differ_by_nothing() -> None:
    ours = two_models(100)[0]
    gap = paired(ours, ours)[2]["average_precision"]
    assert (gap["value"], gap["standard_error"]) == (0.0, 0.0)
    assert gap["method"] == "influence of each row, paired (Hampel 1974)"


def test_folded_deviation_of_one_bin_by_hand() -> None:
    """|x| of a standard normal x has the variance 1 − 2/π; far from 0 it deviates as x does."""
    alone = probabilities.folded_deviation(np.array([0.0]), np.array([[1.0]]))
    assert alone == pytest.approx(math.sqrt(1 - 2 / math.pi))
    far = probabilities.folded_deviation(np.array([9.0, -9.0]), np.array([[1.0, -0.5], [-0.5, 1.0]]))
    assert far == pytest.approx(math.sqrt(1 + 1 + 2 * 0.5))


# --- means ------------------------------------------------------------------------------------------------


def test_skewed_mean_interval_without_skewness_is_students() -> None:
    """2 ± 4.3027 / sqrt(3), cut at 0 because no loss is negative; 20 ± the same is not cut."""
    assert intervals.skewed_mean_interval(np.array([1.0, 2.0, 3.0])) == pytest.approx((0.0, 4.4841), abs=1e-4)
    assert intervals.skewed_mean_interval(np.array([19.0, 20.0, 21.0])) == pytest.approx(
        (17.5159, 22.4841), abs=1e-4
    )


def test_skewed_mean_interval_reaches_further_up_than_down() -> None:
    losses = np.random.default_rng(1).exponential(size=100)
    low, high = intervals.skewed_mean_interval(losses)
    assert low < losses.mean() < high
    assert high - losses.mean() > 1.2 * (losses.mean() - low)


# --- draws of the confusion matrix, the bootstrap ---------------------------------------------------------


def test_draw_labels_precision_has_jeffreys_distribution() -> None:
    """30 hits and 10 false alarms: Beta(30.5, 10.5)."""
    target = np.array([1] * 30 + [0] * 10 + [1] * 5 + [0] * 55)
    said = np.array([1] * 40 + [0] * 60)
    labels = scored.Labels(target, said, 2, binary.label_metrics)
    drawn = resampling.draw_labels(labels)[0]["precision"]
    for quantile in (0.025, 0.5, 0.975):
        expected = float(stats.beta(30.5, 10.5).ppf(quantile))
        assert float(np.quantile(drawn, quantile)) == pytest.approx(expected, abs=0.01)


def test_measured_eight_rows_without_an_error_have_wide_intervals() -> None:
    found = measured(binary.score(np.array([0, 1] * 4), np.array([0.1, 0.9] * 4)))
    for name in (
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "average_precision",
    ):
        assert found[name]["value"] == 1.0
        assert found[name]["interval"][0] < 0.82
        assert found[name]["interval"][1] == 1.0


def test_measured_calibration_error_has_no_interval() -> None:
    found = measured(two_models(100)[0])["expected_calibration_error"]
    assert found["standard_deviation"] > 0
    assert all(math.isnan(end) for end in found["interval"])


def test_paired_calibration_error_has_a_value_only() -> None:
    ours, theirs, *_ = two_models(100)
    found = paired(ours, theirs)[2]["expected_calibration_error"]
    assert math.isfinite(found["value"])
    assert math.isnan(found["standard_error"])
    assert found["method"] == "undefined: biased, and not alike for any two models"


def test_measured_same_rows_give_the_same_numbers() -> None:
    ours, theirs, *_ = two_models(100)
    assert json.dumps(paired(ours, theirs)) == json.dumps(paired(ours, theirs))


def test_spread_is_undefined_if_many_resamples_are() -> None:
    assert math.isnan(resampling.spread(np.array([1.0, 2.0, math.nan])))
    found = resampling.spread(np.array([1.0] * 49 + [3.0] * 50 + [math.nan]))
    assert found == pytest.approx(1.005, abs=0.001)


def test_blocks_of_few_clusters_are_the_clusters() -> None:
    few = np.arange(resampling.MAX_UNITS)
    assert resampling.blocks(few) is few


def test_blocks_of_many_clusters_are_4096_and_keep_clusters_together() -> None:
    clusters = np.repeat(np.arange(5_000), 2)
    found = resampling.blocks(clusters)
    assert np.unique(found).tolist() == list(range(4096))
    assert (found[::2] == found[1::2]).all()


def test_resampled_sums_of_blocks_have_the_deviation_and_skewness_of_rows() -> None:
    """The sum of n exponential numbers deviates by √n, and has the skewness 2/√n: 141.4 and 0.014."""
    values = np.random.default_rng(0).exponential(size=20_000)
    found = resampling.resampled_sums((values, np.ones(20_000)))
    assert found.shape == (1000, 2)
    assert found[:, 1].mean() == pytest.approx(20_000, rel=0.001)
    means = found[:, 0] / found[:, 1]
    assert means.std() * 20_000 == pytest.approx(141.4, rel=0.06)


def test_resample_weights_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(resampling.resample_weights(50)))
    monkeypatch.setattr(resampling, "CHUNK", 50 * 7)
    assert np.array_equal(np.concatenate(list(resampling.resample_weights(50))), whole)
    assert whole.shape == (1000, 50)
    assert (whole.sum(axis=1) == 50).all()


def test_paired_262_rows_take_less_than_three_cpu_seconds() -> None:
    ours, theirs, *_ = two_models(262)
    started = time.process_time()
    paired(ours, theirs)
    assert time.process_time() - started < 3


# --- few rows ---------------------------------------------------------------------------------------------

ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])),
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["binary", "multiclass", "regression"]))
def test_paired_few_rows_do_not_raise_and_intervals_hold_their_value(
    rows: list[tuple[int, float, float]], task: str
) -> None:
    target = np.array([row[0] for row in rows], dtype=int)
    ours, theirs = (np.array([row[index] for row in rows], dtype=float) for index in (1, 2))
    if task == "binary":
        scored = [binary.score(target % 2, prediction) for prediction in (ours, theirs)]
    elif task == "multiclass":
        columns = [np.column_stack([p, (1 - p) / 4, 3 * (1 - p) / 4]) for p in (ours, theirs)]
        scored = [multiclass.score(target, prediction) for prediction in columns]
    else:
        scored = [regression.score(target.astype(float), prediction) for prediction in (ours, theirs)]
    mine, others, gaps = paired(scored[0], scored[1])
    for found in (*mine.values(), *others.values()):
        low, high = found["interval"]
        assert math.isnan(low) or low <= found["value"] + 1e-9
        assert math.isnan(high) or high >= found["value"] - 1e-9
        assert math.isnan(low) == math.isnan(high)
    for gap in gaps.values():
        assert math.isnan(gap["standard_error"]) or gap["bounds"][0] <= gap["value"] <= gap["bounds"][1]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_area_at_an_end_of_the_scale_needs_pairs(value: float) -> None:
    with pytest.raises(ValueError, match=f"an area of {value:g} needs the number of rows of each curve"):
        Area(value, np.zeros(2), np.array([0, 1]), ())
    assert Area(value, np.zeros(2), np.array([0, 1]), ((1, 1),)).pairs == ((1, 1),)
