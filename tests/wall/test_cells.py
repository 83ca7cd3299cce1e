"""What a cell's text means: at the landing, in training, and to the endpoint that serves the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cells
import convert
import serving_request
from job import DataProblem
from retraining.config.schema import ModelConfig
from tests.wall.sides import accepted_at_landing, accepted_by_job, csv_file, for_steps, model

NONE: Final = math.nan
"""The cell is a missing value."""

BAD: Final = None
"""The cell is refused."""

CELLS: Final[list[tuple[str, float | None, float | None]]] = [
    # text, as a number, as a boolean
    ("", NONE, NONE),
    (" ", NONE, NONE),
    ("#N/A", NONE, NONE),
    ("#N/A N/A", NONE, NONE),
    ("#NA", NONE, NONE),
    ("-1.#IND", NONE, NONE),
    ("-1.#QNAN", NONE, NONE),
    ("-NaN", NONE, NONE),
    ("-nan", NONE, NONE),
    ("1.#IND", NONE, NONE),
    ("1.#QNAN", NONE, NONE),
    ("N/A", NONE, NONE),
    ("NA", NONE, NONE),
    ("NULL", NONE, NONE),
    ("NaN", NONE, NONE),
    ("n/a", NONE, NONE),
    ("nan", NONE, NONE),
    ("null", NONE, NONE),
    (" NA ", NONE, NONE),
    ("na", BAD, BAD),
    ("nA", BAD, BAD),
    ("NAN", BAD, BAD),
    ("None", NONE, NONE),
    ("<NA>", NONE, NONE),
    ("NaT", NONE, NONE),
    ("\\N", NONE, NONE),
    ("none", BAD, BAD),
    ("-", BAD, BAD),
    ("?", BAD, BAD),
    ("true", BAD, 1.0),
    ("yes", BAD, 1.0),
    ("t", BAD, 1.0),
    ("y", BAD, 1.0),
    ("1", 1.0, 1.0),
    ("1.0", 1.0, 1.0),
    ("false", BAD, 0.0),
    ("no", BAD, 0.0),
    ("f", BAD, 0.0),
    ("n", BAD, 0.0),
    ("0", 0.0, 0.0),
    ("0.0", 0.0, 0.0),
    ("TRUE", BAD, 1.0),
    ("yEs", BAD, 1.0),
    (" F ", BAD, 0.0),
    (" 1 ", 1.0, 1.0),
    ("1.00", 1.0, BAD),
    ("1e0", 1.0, BAD),
    ("+1", 1.0, BAD),
    ("on", BAD, BAD),
    ("maybe", BAD, BAD),
    ("2", 2.0, BAD),
    ("-1.5e3", -1500.0, BAD),
    (".5", 0.5, BAD),
    ("5.", 5.0, BAD),
    ("1_0", BAD, BAD),
    ("1,5", BAD, BAD),
    ("0x10", BAD, BAD),
    ("inf", BAD, BAD),
    ("-Infinity", BAD, BAD),
    ("1e999", BAD, BAD),
    ("\u0661", BAD, BAD),
    ("\x1f1", 1.0, 1.0),
]


def trained(column: str, text: str) -> float | None:
    """The value that DataPreProcessing gives to training, NONE or BAD."""
    to_values = convert.to_numbers if column == "x" else convert.to_booleans
    try:
        value = to_values(pa.array([text]), "file", column, 1)[0].as_py()
    except DataProblem:
        return BAD
    return NONE if value is None else value


def served(column: str, text: str) -> float | None:
    """The value that the endpoint gives to the model, NONE or BAD."""
    to_value: Callable[[str, str], float] = (
        serving_request.to_number if column == "x" else serving_request.to_boolean
    )
    try:
        return to_value(text, column)
    except ValueError:
        return BAD


def landed(config: ModelConfig, column: str, text: str) -> bool:
    """Whether start_retraining accepts a file with this cell in two rows."""
    target = config.classes[0] if config.classes else "1"
    cells = {"x": "1", "c": "a", "b": "t", "y": target} | {column: text}
    body = csv_file([*cells], [*cells.values()], [*cells.values()])
    return accepted_at_landing(body, "train.csv", config)


@pytest.mark.parametrize("column", ["x", "b"])
@pytest.mark.parametrize(("text", "number", "boolean"), CELLS)
def test_cell_means_the_same_everywhere(
    column: str, text: str, number: float | None, boolean: float | None
) -> None:
    expected = number if column == "x" else boolean
    assert landed(model(), column, text) == (expected is not BAD)
    if expected is BAD:
        assert trained(column, text) is BAD
        assert served(column, text) is BAD
    else:
        assert trained(column, text) == pytest.approx(expected, nan_ok=True)
        assert served(column, text) == pytest.approx(expected, nan_ok=True)


def test_table_has_every_word_of_the_steps() -> None:
    missing = {text for text, number, _ in CELLS if number is not None and math.isnan(number)}
    assert {text.strip() for text in missing} == cells.MISSING_WORDS
    of_arrow = frozenset(pa_csv.ConvertOptions().null_values)
    assert of_arrow | {"<NA>", "NaT", "None", "\\N"} == cells.MISSING_WORDS
    words = {text.strip().lower() for text, _, boolean in CELLS if boolean in (0.0, 1.0)}
    assert words == cells.BOOLEAN_WORDS


# --- the target -------------------------------------------------------------------------------------------

MODELS: Final = {
    "binary": model(),
    "words": model(classes=("no", "yes")),
    "truth": model(classes=("false", "true")),
    "three": model("multiclass_classification", ("1", "2.0", "a")),
    "numbers": model("regression", ()),
}
"""A model for each kind of target."""


def agree(config: ModelConfig, column: str, text: str) -> bool:
    """Whether the landing and the job accept a cell; both must say the same."""
    target = config.classes[0] if config.classes else "1"
    cells = {"x": "1", "c": "a", "b": "t", "y": target} | {column: text}
    block = pa.RecordBatch.from_pydict({name: [value] for name, value in cells.items()})
    try:
        convert.convert(block, for_steps(config), "file", 1)
    except DataProblem:
        accepted = False
    else:
        accepted = True
    assert landed(config, column, text) == accepted
    return accepted


@pytest.mark.parametrize(
    ("kind", "column", "text", "fits"),
    [
        ("binary", "y", "1.0", True),
        ("binary", "y", " 1 ", True),
        ("binary", "y", "1e0", True),
        ("binary", "y", "1_0", False),
        ("binary", "y", "true", False),
        ("binary", "y", "", False),
        ("words", "y", "yes", True),
        ("words", "y", "Yes", False),
        ("truth", "y", "Yes", True),
        ("truth", "y", "", False),
        ("truth", "y", "NA", False),
        ("three", "y", "2", True),
        ("three", "y", "A", False),
        ("numbers", "y", "-1.5e3", True),
        ("numbers", "y", "NaN", False),
        ("numbers", "y", "inf", False),
        ("numbers", "y", "NAN", False),
        ("numbers", "y", "1e999", False),
        ("binary", "x", "\x1f1", True),
        ("binary", "x", "1e999", False),
        ("binary", "x", "\u0661", False),
        ("binary", "x", "NULL", True),
        ("binary", "b", "yEs", True),
        ("binary", "b", "1.0", True),
        ("binary", "b", "1.00", False),
        ("binary", "b", "n/a", True),
        ("binary", "b", "on", False),
    ],
)
def test_target_is_accepted_by_both_or_by_none(kind: str, column: str, text: str, fits: bool) -> None:
    assert agree(MODELS[kind], column, text) == fits


@pytest.mark.slow
@given(
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(["x", "b", "y"]),
    st.text("0123456789+-.eE_ infatrueyNA", max_size=6) | st.text(st.characters(codec="utf-8"), max_size=4),
)
def test_any_text_is_accepted_by_both_or_by_none(kind: str, column: str, text: str) -> None:
    if "\x00" not in text:  # a file with such a byte is refused as a whole
        agree(MODELS[kind], column, text)


def test_most_classes_of_a_config_fit_the_steps() -> None:
    """100 classes are the most that a config may name; the steps keep the class as an int16."""
    names = [f"class {number}" for number in range(100)]
    classes = for_steps(model("multiclass_classification", names)).classes
    found: Any = convert.to_classes(pa.array([names[-1]]), classes, "file", "y", 1)
    assert found.to_pylist() == [99]
    with pytest.raises(ValueError, match="from 3 to 100"):
        model("multiclass_classification", [*names, "one more"])


@pytest.mark.parametrize(
    ("text", "fits"),
    [("0", True), ("2.5", True), ("1e3", True), ("", False), ("NA", False), ("-1", False), ("x", False)],
)
def test_weight_is_read_alike_on_both_sides(text: str, fits: bool, tmp_path: Path) -> None:
    config = model(weight="w")
    body = csv_file(("x", "c", "b", "w", "y"), ("1", "a", "true", text, "1"))
    assert accepted_at_landing(body, "train/a.csv", config) is fits
    assert accepted_by_job(body, "train/a.csv", config, tmp_path) is fits
