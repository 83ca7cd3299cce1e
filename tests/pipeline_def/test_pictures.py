"""pictures.json: which pictures there are, what they say, and that nothing about them ends the step."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

import evaluate
import pictures
from job import Array
from picture import Picture, Shown
from scoring import OneHot
from tests.pipeline_def.helpers import PENGUINS, PRICES, SAMPLES, SMALL
from tests.pipeline_def.showing import shown

SVG: Final = "{http://www.w3.org/2000/svg}"

ELEMENTS: Final = {"svg", "style", "defs", "title", "text", "path", "rect", "circle"}
"""All that a picture is made of: nothing that runs, and nothing that is fetched."""

ATTRIBUTES: Final = {
    "width",
    "height",
    "viewBox",
    "role",
    "x",
    "y",
    "cx",
    "cy",
    "r",
    "d",
    "class",
    "fill-opacity",
}

HOSTILE: Final = {
    "markup": "</text><script>alert(1)</script>",
    "entity": "&lt;b&gt;\"'",
    "long": "ä" * 200,
    "direction": "\u202egnp.exe \u05e9\u05dc\u05d5\u05dd",
    "wide": "値" * 60,
    "control": "a\x00b\x0bc\x1bd\ufffe",
    "emoji": "👩‍👩‍👧",
}
"""Categories and names of columns as data may have them."""


def two_classes(n: int = 200) -> tuple[pd.DataFrame, Array, Array]:
    """Rows of two classes by x, a good candidate's probabilities and a guessing champion's."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=n)
    rows = pd.DataFrame({"x": x, "c": np.where(x > 0, "a", "b").astype(object), "y": (x > 0).astype(int)})
    return rows, np.where(x > 0, 0.9, 0.2), draw.uniform(size=n)


def by_id(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in found["pictures"]}


@pytest.mark.parametrize(
    ("name", "ids", "missing"),
    [
        (
            "pictures.json",
            [
                *("metrics", "difference", "roc", "precision_recall", "calibration", "confusion", "scores"),
                *("slices", "importance", "drift", "missing"),
            ],
            [],
        ),
        (
            "pictures.multiclass.json",
            [
                *("metrics", "difference", "roc", "precision_recall", "calibration", "confusion", "scores"),
                *("importance", "drift"),
            ],
            ["slices", "missing"],
        ),
        (
            "pictures.regression.json",
            ["metrics", "difference", "predicted_actual", "residuals", "slices", "importance", "drift"],
            ["missing"],
        ),
    ],
)
def test_sample_has_every_picture_of_its_task_within_the_limit(
    name: str, ids: list[str], missing: list[str]
) -> None:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    found = json.loads(text)
    assert list(dict.fromkeys(each["id"].partition(":")[0] for each in found["pictures"])) == ids
    assert [each["id"] for each in found["missing"]] == missing
    assert found["schemaVersion"] == 1
    assert len(text.encode()) <= 120 * 1024
    for each in found["pictures"]:
        assert each.keys() == {"id", "title", "alt", "svg", "table", "note"}
        assert each["title"]
        assert re.search(r"\d", each["alt"])
        assert each["table"]["rows"]
        assert {len(row) for row in each["table"]["rows"]} == {len(each["table"]["columns"])}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_texts_of_data_stay_texts_in_every_picture(text: str, tmp_path: Path) -> None:
    """As the name of a column, as a category and as a class."""
    rows, ours, theirs = two_classes()
    rows = rows.rename(columns={"x": text, "y": "y"}).assign(
        c=np.where(rows["x"] > 0, text, "b").astype(object)
    )
    features = {"numeric": [text], "categorical": ["c"], "boolean": []}
    values = {**SMALL, "features": features, "classes": ["0", text]}
    found = pictures.pictures(shown(values, rows, ours, tmp_path, theirs, rows.iloc[:150]))

    assert [each["id"] for each in found["missing"]] == ["importance", "missing"]
    for each in found["pictures"]:
        root = ET.fromstring(each["svg"])
        assert {item.tag.removeprefix(SVG) for item in root.iter()} <= ELEMENTS
        assert {name for item in root.iter() for name in item.attrib} <= ATTRIBUTES
        assert root.attrib["viewBox"].startswith("0 0 360 ")
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", json.dumps(each, ensure_ascii=False)
        )
        longest = max(len(item.text or "") for item in root.iter(f"{SVG}text"))
        assert longest <= 60


def test_no_value_of_a_single_row_is_told(tmp_path: Path) -> None:
    rows, ours, theirs = two_classes()
    rows.loc[0, "x"], rows.loc[1, "x"], rows.loc[2, "c"] = 98765.4321, -12345.6789, "Ms Rare"
    before = rows.assign(x=rows["x"] + 1)
    text = json.dumps(
        pictures.pictures(shown(SMALL, rows, ours, tmp_path, theirs, before)), ensure_ascii=False
    )
    for secret in ("98765", "98,76", "9.877", "12345", "12,34", "1.235", "Ms Rare"):
        assert secret not in text

    prices = rows.assign(y=rows["x"])
    numbers = shown(PRICES, prices, rows["x"].to_numpy() + 1, tmp_path, rows["x"].to_numpy() - 1, before)
    text = json.dumps(pictures.pictures(numbers), ensure_ascii=False)
    assert "predicted_actual" in text
    for secret in ("98765", "98,76", "12345", "12,34"):
        assert secret not in text


def test_labels_alone_have_no_curves_and_the_reason_is_told(tmp_path: Path) -> None:
    rows, ours, _ = two_classes()
    labels = np.eye(2)[(ours > 0.5).astype(int)].view(OneHot)[:, 1]
    found = pictures.pictures(shown(SMALL, rows, labels, tmp_path))
    why = "the candidate answers classes alone, without probabilities"
    assert {each["id"]: each["why"] for each in found["missing"]} == {
        "difference": "there is no champion yet",
        "roc": why,
        "precision_recall": why,
        "calibration": why,
        "scores": why,
        "slices": "no rule names a slice, and without a champion none is looked for",
        "importance": "own code is known by its predictions; it was not asked again with shuffled features",
        "drift": "there is no champion yet",
        "missing": "no feature has a missing value",
    }
    assert list(by_id(found)) == ["metrics", "confusion"]
    assert by_id(found)["metrics"]["title"] == (
        "balanced accuracy: candidate 1, guessing 0.5000 on 200 validation rows"
    )


def test_better_candidate_is_told_in_titles(tmp_path: Path) -> None:
    rows, ours, theirs = two_classes()
    found = by_id(pictures.pictures(shown(SMALL, rows, ours, tmp_path, theirs)))
    assert found["difference"]["title"] == (
        "The candidate is better in roc auc, by 0.4683 (0.4002 to 0.5364); accuracy, balanced accuracy, "
        "precision and 5 more lean to better"
    )
    assert found["roc"]["title"].startswith("The candidate ranks better than the champion: area 1 against 0.")
    assert found["confusion"]["title"] == "The candidate predicts the class of every row rightly"
    assert found["drift"]["title"].startswith("No feature moved noticeably beyond chance since the ")


def test_worse_candidate_is_told_where(tmp_path: Path) -> None:
    rows, good, guess = two_classes()
    found = by_id(pictures.pictures(shown(SMALL, rows, guess, tmp_path, good)))
    assert found["difference"]["title"].startswith("The candidate is worse in roc auc, by 0.4683 ")
    assert re.fullmatch(
        r"The candidate is worse on all rows: brier is worse by 0\.\d+; .*", found["slices"]["title"]
    )


@pytest.mark.parametrize(
    ("rows", "prediction"),
    [
        (
            pd.DataFrame({"x": [], "c": np.array([], dtype=object), "y": np.array([], dtype=int)}),
            np.array([]),
        ),
        (pd.DataFrame({"x": [1.0], "c": ["a"], "y": [1]}), np.array([0.5])),
        (pd.DataFrame({"x": [1.0, np.nan], "c": ["a", np.nan], "y": [1, 1]}), np.array([0.5, np.nan])),
    ],
    ids=["no row", "one row", "a prediction that is no number"],
)
def test_few_rows_leave_pictures_out_with_a_reason(
    rows: pd.DataFrame, prediction: Array, tmp_path: Path
) -> None:
    found = pictures.pictures(shown(SMALL, rows, prediction, tmp_path))
    assert {each["id"] for each in found["missing"]} >= {"roc", "precision_recall"}
    assert not [each for each in found["missing"] if "drawing failed" in each["why"]]


@pytest.mark.slow
def test_many_classes_are_drawn(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    target = draw.integers(0, 40, 2_000)
    score = draw.dirichlet(np.ones(40), 2_000)
    rows = pd.DataFrame(
        {"x": target + draw.normal(size=2_000), "c": np.full(2_000, "a", dtype=object), "y": target}
    )
    values = {**PENGUINS, "classes": [f"class {at}" for at in range(40)]}
    found = pictures.pictures(shown(values, rows, score, tmp_path, score))
    assert not [each for each in found["missing"] if "drawing failed" in each["why"]]
    assert "others" in by_id(found)["confusion"]["svg"]
    assert len(by_id(found)["scores"]["table"]["rows"]) == 40


def broken(_: Shown) -> Picture:
    raise ZeroDivisionError(f"of a row with {4711}")


@pytest.mark.parametrize("show", [False, True], ids=["hidden", "shown"])
def test_picture_that_fails_is_missing_and_the_others_are_drawn(
    show: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason holds no message, which may quote a row; the log has it if values are shown."""
    rows, ours, theirs = two_classes()
    whole = shown({**SMALL, "show_values": show}, rows, ours, tmp_path, theirs)
    monkeypatch.setattr(pictures, "OF_CLASSES", {**pictures.OF_CLASSES, "roc": broken})
    found = pictures.pictures(whole)
    assert found["missing"][0] == {
        "id": "roc",
        "why": "drawing failed with ZeroDivisionError; the log of ModelEvaluation says where",
    }
    assert "precision_recall" in by_id(found)
    log = capsys.readouterr().err
    assert "ZeroDivisionError" in log
    assert ("of a row with 4711" in log) is show


def test_step_goes_on_without_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    rows, ours, _ = two_classes()
    monkeypatch.setattr(pictures, "write_pictures", full)
    evaluate.draw(shown(SMALL, rows, ours, tmp_path), tmp_path)
    assert "pictures.json is not written" in capsys.readouterr().out


def test_pictures_beyond_the_limit_are_missing_from_the_end() -> None:
    found = {
        "schemaVersion": 1,
        "pictures": [{"id": name, "svg": "x" * 40_000} for name in ("a", "b", "c", "d")],
        "missing": [],
    }
    kept = pictures.bounded(found, 100 * 1024)
    assert [each["id"] for each in kept["pictures"]] == ["a", "b"]
    why = "all pictures together would have more than 100 KB"
    assert kept["missing"] == [{"id": "d", "why": why}, {"id": "c", "why": why}]
