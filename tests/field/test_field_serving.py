"""Requests in other spellings and forms than the training files: the same answers, or a refusal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

import inference
import train
from pipeline_def.publish import step_config
from tests.field.people import COLUMNS, Row, as_csv, changed, passengers
from tests.field.play import Place
from tests.functions.starts.one_model import MODEL
from tests.pipeline_def.helpers import STEPS

pytestmark = pytest.mark.slow

ALL = tuple(name for name in COLUMNS if name != "survived")
NAMES = ("age", "fare", "pclass", "sex", "embarked", "alone")
ROWS = passengers(40, 5)
Send = Callable[[str | bytes, str], list[float]]


@pytest.fixture(scope="module")
def send(tmp_path_factory: pytest.TempPathFactory) -> Send:
    """Sends a body to the trained model as the container does; returns the probability of each row."""
    place, folder = Place(), tmp_path_factory.mktemp("served")
    found = place.land({"train.csv": as_csv(passengers(600)), "validation.csv": as_csv(passengers(100, 9))})
    assert found.output is not None
    code = folder / "code"
    shutil.copytree(STEPS, code, ignore=shutil.ignore_patterns("__pycache__"))
    values = step_config(place.config.model_dump(mode="json", exclude_none=True), MODEL)
    (code / "model.json").write_text(json.dumps(values))
    train.main({"SM_CHANNEL_TRAIN": str(found.output / "train"), "SM_MODEL_DIR": str(folder / "model")}, code)
    model = inference.model_fn(str(folder / "model"))

    def answer(body: str | bytes, content_type: str) -> list[float]:
        predicted = inference.predict_fn(inference.input_fn(body, content_type), model)
        text, kind = inference.output_fn(predicted, "application/json")[:2]
        assert kind == "application/json"
        return [one["probability"] for one in json.loads(text)["predictions"]]

    return answer


def csv(rows: list[Row], *, header: bool = True) -> bytes:
    return as_csv(rows, columns=NAMES, header=header)


@pytest.fixture(scope="module")
def usual(send: Send) -> list[float]:
    """The answers to the usual CSV."""
    found = send(csv(ROWS), "text/csv")
    assert len({round(value, 6) for value in found}) > 10
    return found


@pytest.mark.parametrize(
    "spelled",
    [
        {"pclass": lambda text: f"{text}.0"},
        {"pclass": lambda text: f" {text}"},
        {"sex": lambda text: f"{text} "},
        {"alone": str.title},
        {"age": lambda text: text or "NULL"},
        {"fare": lambda text: f"+{text}"},
    ],
    ids=["pclass 1.0", "pclass padded", "sex padded", "alone True", "age NULL", "fare with a sign"],
)
def test_rows_spelled_otherwise_get_the_same_answers(
    spelled: dict[str, Any], send: Send, usual: list[float]
) -> None:
    """The same probabilities."""
    assert send(csv(changed(ROWS, **spelled)), "text/csv") == usual


def records(pclass: Callable[[str], object]) -> list[dict[str, object]]:
    """The rows as records with the types of a program."""
    return [
        {
            "age": float(row["age"]) if row["age"] else None,
            "fare": float(row["fare"]),
            "pclass": pclass(row["pclass"]),
            "sex": row["sex"],
            "embarked": row["embarked"],
            "alone": row["alone"] == "true",
        }
        for row in ROWS
    ]


@pytest.mark.parametrize(
    "pclass", [int, float, str, lambda text: f"{text}.0"], ids=["1", "1.0", '"1"', '"1.0"']
)
def test_a_category_of_json_is_the_same_as_a_number_and_as_a_text(
    pclass: Callable[[str], object], send: Send, usual: list[float]
) -> None:
    """The same probabilities."""
    assert send(json.dumps(records(pclass)), "application/json") == usual


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "TEXT/CSV;header=present"])
def test_content_types_with_parameters_are_served(kind: str, send: Send, usual: list[float]) -> None:
    """The same probabilities."""
    assert send(csv(ROWS), kind) == usual


@pytest.mark.parametrize("kind", ["application/jsonlines", "application/x-jsonlines"])
def test_json_lines_are_served(kind: str, send: Send, usual: list[float]) -> None:
    """The same probabilities."""
    assert send("\n".join(json.dumps(record) for record in records(int)), kind) == usual


def test_a_single_record_is_one_row(send: Send, usual: list[float]) -> None:
    """One prediction for one record."""
    assert send(json.dumps(records(int)[0]), "application/json") == usual[:1]


@pytest.mark.parametrize("word", ["", "NULL", "NA", "None", "\\N"])
def test_words_for_missing_are_missing_in_a_request(word: str, send: Send) -> None:
    """The same probability as null."""
    of_null = [record | {"embarked": None} for record in records(int)]
    expected = send(json.dumps(of_null), "application/json")
    assert send(csv(changed(ROWS, embarked=word)), "text/csv") == expected


def test_lines_without_a_header_get_the_same_answers(send: Send, usual: list[float]) -> None:
    """Batch transform sends lines without a header: features in the order of the training files."""
    assert send(as_csv(ROWS, columns=ALL, header=False), "text/csv") == usual
