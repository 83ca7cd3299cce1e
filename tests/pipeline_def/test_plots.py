"""What pictures compute and write: curves, bins, axes, numbers and texts, by literal rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from canvas import Canvas, Who, fitted
from job import Array
from picture import NotDrawn
from pictures_data import bin_names, merged
from pictures_errors import compact, grouped
from pictures_importance import Importance, permuted
from pictures_importance import _title as importance_title
from pictures_probability import calibrated
from pictures_ranking import precision_curve, roc_curve
from scales import Axis, axis, drawn, number, plain, rows, tick, value


def test_roc_curve_of_four_rows_by_literal_heights() -> None:
    curve = roc_curve(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.6, 0.1]), np.ones(4))
    assert (curve[0], curve[25], curve[49], curve[50], curve[100]) == (0.5, 0.5, 0.5, 1.0, 1.0)


def test_roc_curve_of_equal_scores_is_the_diagonal() -> None:
    curve = roc_curve(np.array([True, False]), np.array([0.5, 0.5]), np.ones(2))
    assert curve.tolist() == pytest.approx(np.linspace(0, 1, 101).tolist())


def test_precision_curve_of_four_rows_by_literal_heights() -> None:
    curve = precision_curve(np.array([True, False, True, False]), np.array([0.9, 0.6, 0.4, 0.1]), np.ones(4))
    assert (curve[1], curve[50], curve[51], curve[100]) == (1.0, 1.0, 2 / 3, 2 / 3)


def test_calibration_bins_of_two_classes_by_literal_rows() -> None:
    found = calibrated(np.array([1, 0, 1, 1]), np.array([0.1, 0.05, 0.95, 0.9]))
    assert found.n.tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert found.said[[0, 8, 9]].tolist() == pytest.approx([0.075, 0.9, 0.95])
    assert found.was[[0, 8, 9]].tolist() == [0.5, 1.0, 1.0]
    assert found.error == pytest.approx((2 * 0.425 + 0.1 + 0.05) / 4)


def test_calibration_bins_of_three_classes_are_of_the_predicted_class() -> None:
    found = calibrated(np.array([2, 0]), np.array([[0.1, 0.2, 0.7], [0.3, 0.4, 0.3]]))
    assert found.n.tolist() == [0, 0, 0, 1, 0, 0, 1, 0, 0, 0]
    assert found.was[[3, 6]].tolist() == [0.0, 1.0]


def test_groups_of_like_predictions_by_literal_rows() -> None:
    found = grouped(np.array([10.0, 40.0, 20.0, 30.0]), np.array([1.0, 4.0, 2.0, 3.0]), 2)
    assert found.tolist() == [[1.5, 15.0, 11.0, 19.0], [3.5, 35.0, 31.0, 39.0]]


def test_bins_of_few_rows_become_one() -> None:
    names, theirs, ours = merged(
        ["a", "b", "c", "d", "e"], np.array([50.0, 4, 0, 5, 0]), np.array([40.0, 3, 2, 0, 0])
    )
    assert (names, theirs.tolist(), ours.tolist()) == (["a", "d", "few rows"], [50, 5, 4], [40, 0, 5])


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        (
            {"kind": "numeric", "exact": True, "points": [0, 1, 987], "below": [50, 90, 100]},
            ["below all before", "up to 0", "above 0 to 1", "above 1", "above all before", "no value"],
        ),
        (
            {"kind": "numeric", "exact": True, "points": [4711], "below": [9]},
            ["below all before", "as before", "above all before", "no value"],
        ),
        (
            {"kind": "numeric", "exact": True, "points": [11, 22, 33], "below": [4, 40, 49]},
            ["below all before", "part 1 of 2", "part 2 of 2", "above all before", "no value"],
        ),
        ({"kind": "numeric", "exact": True, "points": [], "below": []}, ["a value", "no value"]),
        (
            {"kind": "categorical", "counts": {"a": 95, "b": 5, "Ms Rare": 1}, "other": 0},
            ["a", "others", "no value"],
        ),
    ],
    ids=[
        "deciles without the highest value",
        "one value",
        "few rows",
        "no value",
        "categories of a twentieth",
    ],
)
def test_names_of_bins_hold_no_rare_value(profile: dict[str, object], names: list[str]) -> None:
    assert bin_names(profile) == names


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (0.87359, "0.8736"),
        (12345.6, "12,346"),
        (0.00006, "0.0001"),
        (-0.00001, "−1e−5"),
        (1.2346e-12, "1.235e−12"),
        (-1e-17, "0.0000"),
        (0.0, "0.0000"),
        (9_999_999.4, "9,999,999"),
        (1e150, "1e150"),
        (-12_345_678.0, "−1.235e7"),
        (float("nan"), "—"),
        (12.3456, "12.35"),
    ],
)
def test_number_has_four_digits(given: float, written: str) -> None:
    assert number(given) == written


@pytest.mark.parametrize(
    ("given", "written"),
    [(0.0, "0"), (20.0, "20"), (-7.8958, "−7.896"), (1234567.0, "1.235e6"), (0.00012, "0.00012")],
)
def test_value_of_the_data_has_no_zeros_at_its_end(given: float, written: str) -> None:
    assert value(given) == written


@pytest.mark.parametrize(
    ("count", "written", "height"), [(0, "0", 0), (1, "<5", 2.5), (4, "<5", 2.5), (5, "5", 5)]
)
def test_one_to_four_rows_are_written_and_drawn_alike(count: int, written: str, height: float) -> None:
    assert (rows(count), drawn(count)) == (written, height)


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10k"),
        (123_456, "123k"),
        (12_345_678, "12M"),
        (1_000_000, "1000k"),
    ],
)
def test_compact_count_has_five_signs(count: int, written: str) -> None:
    assert compact(count) == written


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, ["0", "0.5", "1"]),
        (-0.06, 0.055, ["−0.05", "0", "0.05"]),
        (61.2, 918.0, ["200", "400", "600", "800"]),
        (1e-9, 3e-9, ["1e−9", "1.5e−9", "2e−9", "2.5e−9", "3e−9"]),
    ],
)  # fmt: skip
def test_axis_has_round_ticks(low: float, high: float, ticks: list[str]) -> None:
    found = [tick(each) for each in Axis(low, high, 0, 100).ticks()]
    assert found[:3] == ticks[:3]
    assert len(found) <= 5


def test_axis_of_one_value_has_a_width() -> None:
    found = axis([3.0, float("nan")], 0, 100)
    assert found.low < 3.0 < found.high
    assert found.at(3.0) == pytest.approx(50)


def test_text_is_on_one_line_without_signs_that_change_its_direction() -> None:
    assert plain("a\n b\u202ec\x00\u2066d") == "a b c d"


@pytest.mark.parametrize(
    ("text", "written"), [("short", "short"), ("abcdefghijkl", "abcdef…"), ("値" * 9, "値値値…")]
)
def test_text_that_is_too_long_ends_with_an_ellipsis(text: str, written: str) -> None:
    assert fitted(text, 55) == written


def test_canvas_escapes_what_it_writes() -> None:
    canvas = Canvas('<b>&"')
    canvas.text(0, 0, "</text><script>")
    assert '<title>&lt;b&gt;&amp;"</title>' in canvas.svg()
    assert "<script" not in canvas.svg()


def test_importance_is_what_shuffling_costs() -> None:
    """The model answers x alone: what it knows is lost with x, and nothing with c."""
    x = np.arange(200.0)
    table = pd.DataFrame({"x": x, "c": np.arange(200) % 7})
    found = permuted(
        lambda asked: asked["x"].to_numpy() / 200, table, (x > 99).astype(int), ["x", "c"], "roc_auc"
    )
    assert found.rows == 200
    assert found.worse["c"] == [0.0] * 5
    assert len(found.worse["x"]) == 5
    assert all(0.3 < worse < 0.7 for worse in found.worse["x"])


def test_importance_of_a_regression_is_in_units_of_the_target() -> None:
    x = np.array([0.0, 10.0] * 100)
    found = permuted(lambda asked: asked["x"].to_numpy(), pd.DataFrame({"x": x}), x, ["x"], "rmse")
    assert all(6.0 < worse < 8.2 for worse in found.worse["x"])


def test_slow_model_is_asked_about_fewer_rows_and_then_not_at_all() -> None:
    asked: list[int] = []

    def slow(table: pd.DataFrame) -> Array:
        asked.append(len(table))
        return table["x"].to_numpy()

    table = pd.DataFrame({"x": np.arange(1000.0)})
    with pytest.raises(
        NotDrawn, match="asking the model 2 times for each of 1 features takes more than 0 sec"
    ):
        permuted(slow, table, (table["x"] > 9).to_numpy().astype(int), ["x"], "roc_auc", seconds=0.0)
    assert asked == [1000]


def test_slow_model_is_asked_about_rows_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows may be sorted by the target, or by time."""
    clock = iter([0.0, 1.0, *[1.0] * 50])
    monkeypatch.setattr("pictures_importance.time.monotonic", lambda: next(clock))
    table = pd.DataFrame({"x": np.repeat([0.0, 1.0], 1_000)})
    found = permuted(
        lambda asked: asked["x"].to_numpy(), table, table["x"].to_numpy(), ["x"], "roc_auc", seconds=1.5
    )
    assert found.rows == 600
    assert min(found.worse["x"]) > 0.3


@pytest.mark.parametrize(
    ("ours", "theirs", "guessing", "title"),
    [
        ({"x": [1.5, 1.7], "z": [0.1, 0.2]}, {"x": [8.7, 8.9], "z": [0.1, 0.3]}, False,
         "x counts for less than for the champion: shuffled, rmse is worse by 1.6 against 8.8"),
        ({"x": [8.7, 8.9], "z": [0.5, 0.7]}, {"x": [8.6, 8.8], "z": [0.0, 0.1]}, False,
         "z counts for more than for the champion: shuffled, rmse is worse by 0.6000 against 0.0500"),
        ({"x": [8.7, 8.9], "z": [0.1, 0.2]}, {"x": [7.6, 7.8], "z": [0.1, 0.3]}, False,
         "The candidate leans most on x: shuffled, rmse is worse by 8.8"),
        ({"x": [0.005, 0.01], "z": [-0.02, 0.001]}, {}, False,
         "No feature clearly matters for the candidate on these rows"),
        ({"x": [0.05, 0.06]}, {}, True,
         "No feature clearly matters for the candidate, which is not clearly better than guessing"),
    ],
    ids=["much less", "much more", "about as much", "noise", "guessing"],
)  # fmt: skip
def test_title_of_the_importance_tells_the_largest_change_and_no_noise(
    ours: dict[str, list[float]], theirs: dict[str, list[float]], guessing: bool, title: str
) -> None:
    found: dict[Who, Importance] = {"candidate": Importance(ours, 100)}
    found |= {"champion": Importance(theirs, 100)} if theirs else {}
    assert importance_title(found, [*ours], "rmse", guessing) == title
