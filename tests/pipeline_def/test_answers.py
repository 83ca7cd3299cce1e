"""What a model may answer: the forms that serving scripts use, and the message of every other."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from handsoff_answers import AnswerProblem, Wanted, predictions

BINARY = Wanted("probability", ("no", "yes"))
THREE = Wanted("probability", ("a", "b", "c"))
LABEL = Wanted("label", ("0", "1", "2"))
VALUE = Wanted("value", ())
CSV, JSON, LINES, NPY = "text/csv", "application/json", "application/jsonlines", "application/x-npy"


def npy(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("0.25\n1", CSV),
        ("0.25\n1\n", CSV),
        ("0.25\r\n1.0\r\n", "text/csv; charset=utf-8"),
        (b"0.25\n1\n", CSV),
        ("0.25,1", CSV),
        ("\ufeff0.25\n1\n", CSV),
        ("probability\n0.25\n1\n", CSV),
        ("anything\n0.25\n1\n", CSV),
        ("label,probability\nno,0.25\nyes,1\n", CSV),
        ("no,yes\n0.75,0.25\n0,1\n", CSV),
        ("0.75,0.25\n0,1\n", CSV),
        ("0.25\n1\n", JSON),
        ("[0.25, 1]", JSON),
        ("[0.25, 1]", CSV),
        ("[0.25, 1]", "*/*"),
        ("[[0.25], [1]]", JSON),
        ("[[0.25, 1]]", JSON),
        ("[[0.75, 0.25], [0, 1]]", JSON),
        ('["0.25", "1"]', JSON),
        ('{"predictions": [0.25, 1]}', JSON),
        ('{"predictions": [{"score": 0.25}, {"score": 1}]}', JSON),
        ('{"predictions": [{"label": "no", "probability": 0.25}, {"label": "yes", "probability": 1}]}', JSON),
        ('{"anything": [0.25, 1]}', JSON),
        ('[{"no": 0.75, "yes": 0.25}, {"no": 0, "yes": 1}]', JSON),
        ('[{"probabilities": {"no": 0.75, "yes": 0.25}}, {"probabilities": {"no": 0, "yes": 1}}]', JSON),
        ('[{"probabilities": [0.75, 0.25]}, {"probabilities": [0, 1]}]', JSON),
        ("0.25\n1\n", LINES),
        ('{"score": 0.25}\n{"score": 1}\n', LINES),
        ('{"predictions": [0.25]}\n{"predictions": [1]}\n', LINES),
        ([0.25, 1], JSON),
        ({"predictions": [0.25, 1]}, JSON),
        (npy([0.25, 1]), NPY),
        (npy([[0.75, 0.25], [0, 1]]), CSV),
    ],
)
def test_predictions_of_two_classes_are_those_of_the_positive_one(body: Any, kind: str) -> None:
    assert predictions(body, kind, 2, BINARY) == [[0.25], [1.0]]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("0.5,0.25,0.25\n0,0,1\n", CSV),
        ("a,b,c\n0.5,0.25,0.25\n0,0,1\n", CSV),
        ("c,b,a\n0.25,0.25,0.5\n1,0,0\n", CSV),
        (
            "label,probability,probability_a,probability_b,probability_c\na,0.5,0.5,0.25,0.25\nc,1,0,0,1\n",
            CSV,
        ),
        ("[[0.5, 0.25, 0.25], [0, 0, 1]]", JSON),
        (
            '{"predictions": [{"label": "a", "probability": 0.5, "probabilities": {"a": 0.5, "b": 0.25, '
            '"c": 0.25}}, {"label": "c", "probability": 1, "probabilities": {"a": 0, "b": 0, "c": 1}}]}',
            JSON,
        ),
    ],
)
def test_predictions_of_more_classes_are_those_of_each(body: str, kind: str) -> None:
    assert predictions(body, kind, 2, THREE) == [[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("1\n2\n", CSV),
        ("1.0\n2.0\n", CSV),
        (" 1 \n2", CSV),
        ("label\n1\n2\n", CSV),
        ("[1, 2]", JSON),
        ("[1.0, 2.0]", JSON),
        ('["1", "2"]', JSON),
        ('{"predictions": [{"predicted_label": 1}, {"predicted_label": 2}]}', JSON),
        ('{"labels": [1, 2]}', JSON),
        (npy(np.array([1, 2])), NPY),
    ],
)
def test_predictions_of_labels_are_the_index_of_the_class(body: Any, kind: str) -> None:
    assert predictions(body, kind, 2, LABEL) == [[1.0], [2.0]]


def test_predictions_of_labels_are_the_classes_of_the_config() -> None:
    assert predictions("yes\nno\n", CSV, 2, Wanted("label", ("no", "yes"))) == [[1.0], [0.0]]
    assert predictions("[true, false]", JSON, 2, Wanted("label", ("false", "true"))) == [[1.0], [0.0]]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("-1.5\n1e3\n", CSV),
        ("prediction\n-1.5\n1000\n", CSV),
        ('[{"prediction": -1.5}, {"value": 1000}]', JSON),
    ],
)
def test_predictions_of_values_are_numbers(body: str, kind: str) -> None:
    assert predictions(body, kind, 2, VALUE) == [[-1.5], [1000.0]]


@pytest.mark.parametrize(
    ("body", "kind", "found"),
    [
        ("0.25", CSV, [[0.25]]),
        ("0.75,0.25", CSV, [[0.25]]),
        ("0.25", JSON, [[0.25]]),
        ("[0.25]", JSON, [[0.25]]),
        ("[[0.75, 0.25]]", JSON, [[0.25]]),
        ('{"probability": 0.25}', JSON, [[0.25]]),
        ('{"predictions": [[0.25]]}', JSON, [[0.25]]),
    ],
)
def test_predictions_of_one_row(body: str, kind: str, found: list[list[float]]) -> None:
    assert predictions(body, kind, 1, BINARY) == found


def test_predictions_are_divided_by_a_sum_that_was_rounded() -> None:
    found = predictions("0.3334,0.3333,0.3334\n1,0,0\n", CSV, 2, THREE)

    assert [round(sum(row), 12) for row in found] == [1.0, 1.0]
    assert found[1] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("body", "kind", "wanted", "problem"),
    [
        (
            "0.5\n",
            CSV,
            BINARY,
            "answered 1 predictions for 2 rows, expected a probability for each row; output_fn must answer "
            "one prediction for each row, in the order of the rows",
        ),
        ("[0.5, 0.5, 0.5]", JSON, BINARY, "answered 3 predictions for 2 rows, expected a probability"),
        ("", CSV, VALUE, "answered nothing, expected a number for each row"),
        ("<html>", JSON, BINARY, "answered 1 predictions for 2 rows"),
        ('{"a": 1, "b": 2}', JSON, BINARY, "answered a JSON object with a, b, expected a list, or {"),
        ("[0.5, null]", JSON, BINARY, "row 2: answered None, expected a finite number"),
        ("[0.5, NaN]", JSON, BINARY, "row 2: answered nan, expected a finite number"),
        ("0.5\ninf\n", CSV, VALUE, "row 2: answered inf, expected a finite number"),
        ("1\n1.5\n", CSV, BINARY, "row 2: answered 1.5, expected a probability from 0 to 1"),
        ("-3\n1\n", CSV, BINARY, "row 1: answered -3, expected a probability from 0 to 1"),
        ("0.5,0.4\n0.5,0.5\n", CSV, BINARY, "row 1: answered probabilities with the sum 0.9, expected 1"),
        (
            "1\n2\n",
            CSV,
            THREE,
            "row 1: answered 1 values, expected the probability of each of the 3 classes; a model that "
            "answers classes has inference.returns: label",
        ),
        ("0.1,0.2,0.7\n0,0,1\n", CSV, BINARY, "row 1: answered 3 values, expected the probability of yes"),
        ("yes\nno\n", CSV, BINARY, "row 1: answered yes, expected a finite number"),
        ("1\n3\n", CSV, LABEL, "row 2: answered 3, which is no class; expected one of 0, 1, 2"),
        ("0.3\n0.4\n", CSV, LABEL, "row 1: answered 0.3, which is no class; expected one of 0, 1, 2"),
        ("1,2\n3,4\n", CSV, VALUE, "row 1: answered 2 values, expected one number"),
        (
            '[{"x": 1, "y": 2}, {}]',
            JSON,
            VALUE,
            "row 1: answered x, y, expected one of prediction, value, score",
        ),
        ('[{"probability": {}}, {}]', JSON, BINARY, "row 1: answered {}, expected a finite number"),
    ],
)
def test_predictions_that_are_none_are_told(body: str, kind: str, wanted: Wanted, problem: str) -> None:
    with pytest.raises(AnswerProblem) as raised:
        predictions(body, kind, 2, wanted)

    assert problem in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        '[{"label": "no", "probability": 0.97}, {"label": "yes", "probability": 0.9}]',
        '[{"label": 0, "score": 0.97}, {"label": 1, "score": 0.9}]',
        '[{"prediction": 0, "probability": 0.97}, {"prediction": 1, "probability": 0.9}]',
        '[{"class": "yes", "probability": 0.03}, {"class": "no", "probability": 0.1}]',
        '[{"label": "POSITIVE", "score": 0.97}, {"label": "NEGATIVE", "score": 0.9}]',
        '{"predictions": [0, 1], "probabilities": [0.97, 0.9]}',
        '{"labels": ["no", "yes"], "scores": [0.97, 0.9]}',
        '{"label": "no", "probability": 0.97}\n{"label": "yes", "probability": 0.9}',
        "label,probability\nno,0.97\nyes,0.9\n",
    ],
)
def test_predictions_beside_another_class_are_refused(body: str) -> None:
    kind = CSV if body.startswith("label,") else JSON
    with pytest.raises(AnswerProblem, match="which class is it the probability of"):
        predictions(body, kind, 2, BINARY)


@pytest.mark.parametrize(
    ("body", "wanted", "found"),
    [
        ('{"predictions": [0, 1], "probabilities": [0.4, 0.9]}', BINARY, [[0.4], [0.9]]),
        ('{"probabilities": [[0.6, 0.4], [0.1, 0.9]], "labels": ["no", "yes"]}', BINARY, [[0.4], [0.9]]),
        ('{"scores": [0.4, 0.9], "predictions": [0.3, 0.8]}', BINARY, [[0.4], [0.9]]),
        (
            '[{"label": "no", "probability": 0.5}, {"label": "yes", "probability": 0.5}]',
            BINARY,
            [[0.5], [0.5]],
        ),
        ('{"probabilities": [0.4, 0.9], "labels": ["1", "2"]}', LABEL, [[1.0], [2.0]]),
        ('{"scores": [0.4, 0.9], "predictions": [1, 2]}', VALUE, [[1.0], [2.0]]),
    ],
)
def test_predictions_are_taken_from_the_list_of_what_is_returned(
    body: str, wanted: Wanted, found: list[list[float]]
) -> None:
    assert predictions(body, JSON, 2, wanted) == found
