"""The pictures that a report draws itself: the steps over time, and a metric over the versions."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from retraining.history import Reign, Version
from retraining.html.pictures import Picture
from retraining.report.timeline import timeline
from retraining.report.told import Step
from retraining.report.versions import history
from retraining.verdicts.evaluation import Measured, parse_evaluation
from tests.functions.candidates.packages import a_package
from tests.functions.fakes import ROOT, arn_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SAMPLE = parse_evaluation((ROOT / "tests/samples/evaluation.json").read_text(), source="sample")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def step(name: str, began: float, ended: float | None, status: str = "Succeeded") -> Step:
    end = None if ended is None else at(ended)
    return Step(name=name, status=status, start_time=at(began), end_time=end)


def boxes(picture: Picture) -> list[tuple[float, float, str]]:
    """Left end, width and class of each bar."""
    found = re.findall(
        r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="9" class="(\w+)"', picture.svg
    )
    return [(float(left), float(width), kind) for left, width, kind in found]


def test_timeline_draws_each_step_from_its_start_to_its_end() -> None:
    drawn = timeline([step("DataPreProcessing", 0, 2), step("TrainModel", 2, 8)])
    assert drawn is not None
    assert boxes(drawn) == [(8, 86, "good"), (94, 258, "good")]
    assert drawn.title == "The steps took 8 min, of which TrainModel 6 min"
    assert drawn.alt == (
        "From 23 Nov 2026, 12:00 UTC on: DataPreProcessing succeeded, 2 min; TrainModel succeeded, 6 min."
    )
    assert drawn.table.rows == (
        ("DataPreProcessing", "Succeeded", "23 Nov 2026, 12:00 UTC", "2 min"),
        ("TrainModel", "Succeeded", "23 Nov 2026, 12:02 UTC", "6 min"),
    )


def test_timeline_names_the_step_that_failed() -> None:
    drawn = timeline([step("DataPreProcessing", 0, 1), step("TrainModel", 1, 2, "Failed")])
    assert drawn is not None
    assert drawn.title == "TrainModel failed after 2 min"
    assert "✕ TrainModel" in drawn.svg
    assert [kind for _, _, kind in boxes(drawn)] == ["good", "bad"]


def test_timeline_draws_a_step_that_runs_up_to_the_last_known_time() -> None:
    drawn = timeline([step("DataPreProcessing", 0, 2), step("TrainModel", 2, None, "Executing")])
    assert drawn is not None
    assert boxes(drawn)[1] == (352, 2, "open")
    assert drawn.table.rows[1] == ("TrainModel", "Executing", "23 Nov 2026, 12:02 UTC", "—")


def test_timeline_without_a_started_step_is_none() -> None:
    assert timeline([]) is None
    assert timeline([Step(name="TrainModel")]) is None


def version(number: int, value: float, *reigns: tuple[float, float | None]) -> Version:
    """A version that was registered so many hours after noon, with its roc_auc and its reigns in hours."""
    measured = SAMPLE.candidate.metrics["roc_auc"].model_copy(
        update={"value": value, "interval": (value - 0.02, value + 0.02)}
    )
    candidate = SAMPLE.candidate.model_copy(update={"metrics": {"roc_auc": measured, "log_loss": measured}})
    found = Version(
        a_package("Approved" if reigns else "Rejected", arn=arn_of(number), created=60 * number),
        SAMPLE.model_copy(update={"candidate": candidate}),
    )
    times = tuple(Reign(at(60 * since), None if until is None else at(60 * until)) for since, until in reigns)
    return found._replace(reigns=times)


def test_history_says_which_version_is_best_and_who_was_champion() -> None:
    found = [version(3, 0.91, (3, None)), version(2, 0.86), version(1, 0.88, (1, 3))]
    drawn = history(found, "roc_auc", arn_of(3))
    assert drawn is not None
    assert drawn.title == "In roc auc, version 3 is clearly better than 1 of 2 other versions"
    assert drawn.alt == (
        "roc auc by version: version 1 0.8800, was champion; version 2 0.8600; "
        "version 3 (this one) 0.9100, champion now."
    )
    assert drawn.table.rows[0][2:] == (
        "0.9100",
        "0.8900 to 0.9300",
        "Approved",
        "23 Nov 2026, 15:00 UTC to now",
    )


def test_history_of_a_loss_calls_the_lowest_value_best() -> None:
    found = [version(2, 0.4), version(1, 0.5)]
    assert [drawn.title for number in (1, 2) if (drawn := history(found, "log_loss", arn_of(number)))] == [
        "Version 1 has the worst log loss of 2 versions",
        "Version 2 has the best log loss of 2 versions",
    ]


def test_history_of_equal_versions_calls_none_best() -> None:
    drawn = history([version(2, 0.9), version(1, 0.9)], "roc_auc", arn_of(2))
    assert drawn is not None
    assert drawn.title == "In roc auc, version 2 is not clearly different from version 1"


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        (("a", "a"), "All versions were measured on the same validation rows."),
        (
            ("a", "b"),
            "The versions were measured on 2 different sets of validation rows: a difference may come from "
            "the rows as well as from the models.",
        ),
        (("a", None), "It is not known whether all versions were measured on the same validation rows."),
    ],
)
def test_history_says_whether_the_rows_are_the_same(rows: tuple[str | None, ...], note: str) -> None:
    found = []
    for number, identity in enumerate(rows, 1):
        one = version(number, 0.8 + number / 100)
        assert one.evaluation is not None
        evaluation = one.evaluation.model_copy(update={"validation": identity})
        found.append(one._replace(evaluation=evaluation))
    drawn = history(found, "roc_auc", arn_of(2))
    assert drawn is not None
    assert drawn.note == f"Roc auc: higher is better. {note}"


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ((0.91, 0.86, 0.86), "Version 3 has the best roc auc of 3 versions"),
        ((0.81, 0.86, 0.86), "Version 3 has the worst roc auc of 3 versions"),
        ((0.859, 0.86, 0.87), "In roc auc, version 3 is not clearly different from the 2 other versions"),
        ((0.81, 0.84, 0.86), "In roc auc, version 3 is clearly worse than 1 of 2 other versions"),
        (
            (0.85, 0.9, 0.8),
            "In roc auc, version 3 is clearly better than 1 and worse than 1 of 2 other versions",
        ),
    ],
)
def test_history_says_best_or_worst_only_where_intervals_lie_apart(
    values: tuple[float, float, float], title: str
) -> None:
    found = [version(3 - place, value) for place, value in enumerate(values)]
    drawn = history(found, "roc_auc", arn_of(3))
    assert drawn is not None
    assert drawn.title == title


def test_history_without_intervals_calls_none_best() -> None:
    found = [version(2, 0.9), version(1, 0.5)]
    assert found[0].evaluation
    bare = Measured(value=0.9)
    candidate = found[0].evaluation.candidate.model_copy(update={"metrics": {"roc_auc": bare}})
    newest = found[0]._replace(evaluation=found[0].evaluation.model_copy(update={"candidate": candidate}))
    drawn = history([newest, found[1]], "roc_auc", arn_of(2))
    assert drawn is not None
    assert drawn.title == "In roc auc, version 2 is not clearly different from version 1"


def marks(picture: Picture) -> list[tuple[str, str]]:
    """Shape and class of each mark below the legend."""
    squares = re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="8" height="8" class="(\w+)"', picture.svg)
    rings = re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)" r="4" class="(\w+) thick hollow"', picture.svg)
    found = [("square", float(y), kind) for y, kind in squares]
    found += [("ring", float(y), kind) for y, kind in rings]
    return [(shape, kind) for shape, y, kind in found if y > 40]


def test_history_marks_this_version_and_champions_as_every_picture_does() -> None:
    found = [version(3, 0.91, (3, None)), version(2, 0.86), version(1, 0.88, (1, 3))]
    drawn = history(found, "roc_auc", arn_of(2))
    assert drawn is not None
    assert sorted(marks(drawn)) == [("ring", "theirs"), ("ring", "theirs"), ("square", "ours")]
    of_all = history(found, "roc_auc")
    assert of_all is not None
    assert sorted(marks(of_all)) == [("ring", "soft"), ("ring", "theirs"), ("ring", "theirs")]
    assert "this version" not in of_all.svg


def test_history_draws_the_champion_again_after_a_rollback() -> None:
    found = [version(2, 0.9, (2, 3)), version(1, 0.8, (1, 2), (3, None))]
    drawn = history(found, "roc_auc")
    assert drawn is not None
    lines = re.findall(r'<path d="M([\d.]+),([\d.]+) L([\d.]+),([\d.]+)" class="theirs dashed"', drawn.svg)
    heights = [(float(y), float(to)) for _, y, _, to in lines[1:]]  # the first is the legend's
    low, high = heights[0][0], heights[2][0]
    assert heights == [(low, low), (low, high), (high, high), (high, low), (low, low)]
    assert low > high


def test_history_of_fewer_than_two_measured_versions_is_none() -> None:
    assert history([version(1, 0.9)], "roc_auc") is None
    assert history([version(2, 0.9), version(1, float("nan"))], "roc_auc") is None
    assert history([version(2, 0.9), version(1, 0.9)], "rmse") is None


def test_texts_in_pictures_are_escaped() -> None:
    drawn = timeline([step("<script>alert(1)</script>&", 0, 2)])
    assert drawn is not None
    assert "<script" not in drawn.svg
    assert "&lt;script&gt;" in drawn.svg
    assert json.loads(drawn.model_dump_json())["table"]["rows"][0][0] == "<script>alert(1)</script>&"
