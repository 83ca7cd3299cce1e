"""What a model answered, as one prediction for each row of a request.

Understood are the forms that serving scripts use: CSV with and without a header, one value or the values of
one row in a line, all values in one line; JSON as a list, or as `{"predictions": […]}`; JSON lines; numpy's
.npy; and the answers of this project's own models. Python 3.8; the standard library and numpy.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

HALF = 0.5
"""The probability from which on a class of two is the predicted one."""

LISTS = {
    "probability": ("probabilities", "scores", "predictions", "instances", "outputs", "results", "values"),
    "label": ("labels", "predictions", "instances", "outputs", "results", "values"),
    "value": ("predictions", "values", "instances", "outputs", "results", "scores"),
}
"""Members of a JSON object that hold the list of all predictions, by what is returned."""

CLASS_LISTS = ("labels", "predicted_labels", "predictions")
"""Members of a JSON object that may hold the list of all predicted classes beside their probabilities."""

CLASS_MEMBERS = ("label", "predicted_label", "class", "predicted_class", "prediction")
"""Members of a record that may hold the predicted class beside a probability."""

MEMBERS = {
    "probability": ("probabilities", "probability", "score", "scores", "prediction", "predictions"),
    "label": ("label", "predicted_label", "prediction", "class"),
    "value": ("prediction", "value", "score", "predictions"),
}
"""Members of a record, and columns of CSV with a header, that hold a prediction, by what is returned."""

COLUMN_OF_CLASS = "probability_"
"""The start of the name of a class's column in CSV with a header."""

ROUNDING = 1e-6
"""By how much a probability may be outside 0 to 1, or the sum of a row's be away from 1; as in evaluation."""

FLOAT32 = 1e-3
"""By how much a row's sum may be away from 1 where it is divided by it: rounding of 16 and 32 bits."""

TRUTH = {"true": "true", "1": "true", "1.0": "true", "false": "false", "0": "false", "0.0": "false"}
"""What stands for the classes true and false, in lower case."""

SHOWN = 60
"""Characters of an answer that a message shows."""

EXPECTED = {
    "probability": "a probability for each row",
    "label": "a class for each row",
    "value": "a number for each row",
}
"""What a message says that was expected, by what is returned."""


KINDS = ("", "text/csv", "application/json", "application/x-npy", "text/plain", "application/octet-stream")
"""Content types that are told; another may be made of a row."""


class AnswerProblem(Exception):
    """An answer that is no prediction for each row. The message says what came, and what to do.

    `shown` is the part of the message that quotes the answer, which may hold a cell. `kind` stands for it
    where it is not shown. `row` is the row of the request, from 1; 0 is none.
    """

    def __init__(self, before: str, shown: str = "", after: str = "", row: int = 0, kind: str = "…") -> None:
        super().__init__((f"row {row}: " if row else "") + before + shown + after)
        self.before, self.shown, self.after, self.row, self.kind = before, shown, after, row, kind

    def told(self, places: Sequence[int], quote: bool) -> str:
        """The message for a request of rows with these places in rows.csv, from 1.

        Without `quote` no part of the answer is shown that may hold a cell.
        """
        where = f"rows {min(places):,} to {max(places):,}"
        if self.row or len(places) == 1:
            where = f"row {places[max(self.row, 1) - 1]:,}"
        shown = self.shown if quote or not self.shown else self.kind
        return f"for {where} of rows.csv the model {self.before}{shown}{self.after}"


class Wanted(NamedTuple):
    """What a model returns: `probability`, `label` or `value`; and the classes, the positive one last."""

    returns: str
    classes: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The columns of predictions.csv."""
        if self.returns != "probability":
            return [self.returns]
        return ["probability"] if len(self.classes) == 2 else [str(at) for at in range(len(self.classes))]


def predictions(body: Any, kind: str, rows: int, wanted: Wanted) -> list[list[float]]:
    """The numbers of each row, in the columns of `wanted`. Raises AnswerProblem.

    `body` is text or bytes, or a list or object that is sent as JSON. `kind` is its content type.
    """
    found = _values(body, kind.split(";")[0].strip().lower(), rows, wanted)
    if len(found) != rows:
        raise AnswerProblem(
            f"answered {len(found):,} predictions for {rows:,} rows, expected {EXPECTED[wanted.returns]}; "
            "output_fn must answer one prediction for each row, in the order of the rows"
        )
    return [_row(value, at, wanted) for at, value in enumerate(found, 1)]


def _values(body: Any, kind: str, rows: int, wanted: Wanted) -> list[Any]:
    """The predictions as they came: numbers, texts, lists or records."""
    if isinstance(body, (bytes, bytearray)):
        if kind == "application/x-npy" or bytes(body[:6]) == b"\x93NUMPY":
            return _listed(np.load(io.BytesIO(bytes(body)), allow_pickle=False).tolist(), rows, wanted)
        try:
            body = bytes(body).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise AnswerProblem(
                "answered bytes of type ",
                kind or "(none)",
                " that are no text in UTF-8",
                kind=(kind or "(none)") if kind in KINDS else "…",
            ) from None
    if not isinstance(body, str):
        return _listed(body, rows, wanted)
    text = body.lstrip("\ufeff").strip()
    if not text:
        raise AnswerProblem(f"answered nothing, expected {EXPECTED[wanted.returns]}")
    if kind != "text/csv" or text[0] in "[{":
        try:
            return _listed(json.loads(text), rows, wanted)
        except ValueError:
            lines = _json_lines(text)
            if lines is not None:
                return lines
            if kind == "application/json" and text[0] in "[{":
                raise AnswerProblem("answered text that is no JSON: ", _shown(text)) from None
    return _from_csv(text, rows, wanted)


def _listed(found: Any, rows: int, wanted: Wanted) -> list[Any]:
    """The list of predictions in a JSON value."""
    if isinstance(found, dict):
        names = [name for name in LISTS[wanted.returns] if isinstance(found.get(name), list)]
        if not names and len(found) == 1:
            names = [name for name, value in found.items() if isinstance(value, list)]
        if names:
            found = _with_classes(found, names[0])
        elif rows == 1:
            found = [found]
        else:
            raise AnswerProblem(
                "answered a JSON object with ",
                _shown(", ".join(map(str, found))),
                ', expected a list, or {"predictions": [one for each row]}',
            )
    if not isinstance(found, list):
        found = [found]
    if len(found) == 1 and rows > 1 and isinstance(found[0], list) and len(found[0]) == rows:
        found = found[0]  # an array of one line
    return list(found)


def _with_classes(found: dict[Any, Any], name: str) -> list[Any]:
    """The list `name` of the object; records, if a list of classes stands beside one of probabilities."""
    listed: list[Any] = found[name]
    if name not in ("probabilities", "scores") or any(isinstance(value, (dict, list)) for value in listed):
        return listed
    for other in CLASS_LISTS:
        classes = found.get(other)
        if isinstance(classes, list) and len(classes) == len(listed):
            member = "prediction" if other == "predictions" else "label"
            return [{member: one, "probability": value} for one, value in zip(classes, listed)]
    return listed


def _json_lines(text: str) -> list[Any] | None:
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except ValueError:
        return None


def _from_csv(text: str, rows: int, wanted: Wanted) -> list[Any]:
    """The rows of CSV: a record where the first line is a header, else the value or the values of a line."""
    lines = [line for line in csv.reader(io.StringIO(text, newline="")) if line]
    if len(lines) == rows + 1 and _is_header(lines[0], wanted):
        return [dict(zip(map(str.strip, lines[0]), line)) for line in lines[1:]]
    if len(lines) == 1 and rows > 1 and len(lines[0]) > 1:
        return list(lines[0])
    return [line[0] if len(line) == 1 else line for line in lines]


def _is_header(cells: list[str], wanted: Wanted) -> bool:
    names = {name for members in MEMBERS.values() for name in members}
    return any(cell.strip() in names for cell in cells) or (
        wanted.returns != "label" and all(_number(cell) is None for cell in cells)
    )


def _row(value: Any, at: int, wanted: Wanted) -> list[float]:
    """The numbers of one row. Raises AnswerProblem, which names the row of the request."""
    if isinstance(value, dict):
        value = _of_record(value, at, wanted)
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if wanted.returns == "label":
        return [float(_class(value, at, wanted.classes))]
    several = value if isinstance(value, (list, tuple)) else [value]
    numbers = [_finite(item, at) for item in several]
    if wanted.returns == "value":
        if len(numbers) != 1:
            raise AnswerProblem(f"answered {len(numbers)} values, expected one number", row=at)
        return numbers
    return _probabilities(numbers, at, wanted)


def _of_record(record: dict[Any, Any], at: int, wanted: Wanted) -> Any:
    """The prediction in a record: a member by its name, or the probability of each class."""
    given = record.get("probabilities")
    by_class: dict[Any, Any] = given if isinstance(given, dict) else record
    if wanted.returns == "probability":
        for start in ("", COLUMN_OF_CLASS):
            if all(start + name in by_class for name in wanted.classes):
                return [by_class[start + name] for name in wanted.classes]
    for name in MEMBERS[wanted.returns]:
        if name in record and not isinstance(record[name], dict):
            _of_positive_class(record, name, at, wanted)
            return record[name]
    if len(record) == 1:
        return next(iter(record.values()))
    raise AnswerProblem(
        "answered ",
        _shown(", ".join(map(str, record))),
        f", expected one of {', '.join(MEMBERS[wanted.returns])}",
        row=at,
    )


def _of_positive_class(record: dict[Any, Any], name: str, at: int, wanted: Wanted) -> None:
    """Raise AnswerProblem if the record's member `name` may be the probability of the class beside it."""
    number = _number(record[name])
    if wanted.returns != "probability" or len(wanted.classes) != 2 or number is None or number == HALF:
        return
    for member in CLASS_MEMBERS:
        if member == name or isinstance(record.get(member), (dict, list, type(None))):
            continue
        index = _index(record[member], wanted.classes)
        if index is None and member == "prediction":  # a number that is no class
            continue
        if index != int(number > HALF):
            raise AnswerProblem(
                f"answered {name} beside {member}: ",
                f"{number:.6g} beside {_shown(record[member])}",
                f": which class is it the probability of? Expected is that of {wanted.classes[1]} in each "
                "row; answer this number alone, or the probabilities of both classes by their names",
                row=at,
            )


def _index(value: Any, classes: Sequence[str]) -> int | None:
    """The index of a class of two that is written as in the config, or as 0 or 1; None is no class."""
    try:
        return _class(value, 0, classes)
    except AnswerProblem:
        number = _number(value)
        return int(number) if number in (0, 1) else None


def _probabilities(numbers: list[float], at: int, wanted: Wanted) -> list[float]:
    """The probability of the positive class, or of each of more than two classes."""
    classes = len(wanted.classes)
    if len(numbers) != classes and not (classes == 2 and len(numbers) == 1):
        raise AnswerProblem(
            f"answered {len(numbers)} values, expected the probability of "
            + (f"{wanted.classes[1]}" if classes == 2 else f"each of the {classes} classes")
            + "; a model that answers classes has inference.returns: label",
            row=at,
        )
    if wrong := [number for number in numbers if not -ROUNDING <= number <= 1 + ROUNDING]:
        expected = ", expected a probability from 0 to 1"
        raise AnswerProblem("answered ", f"{wrong[0]:.6g}", expected, at, "another number")
    if len(numbers) == 1:
        return numbers
    total = math.fsum(numbers)
    if abs(total - 1) > FLOAT32:
        sum_of = "answered probabilities with the sum "
        raise AnswerProblem(sum_of, f"{total:.6g}", ", expected 1", at, "of another number")
    if abs(total - 1) > ROUNDING:
        numbers = [number / total for number in numbers]
    return numbers[1:] if classes == 2 else numbers


def _class(value: Any, at: int, classes: Sequence[str]) -> int:
    """The index of the class with this text, spaces aside, or of the same number.

    The classes true and false are also written True, TRUE, 1 and 0, as in files.
    """
    text = str(value).strip()
    if text in classes:
        return classes.index(text)
    if {*classes} == {"true", "false"} and text.lower() in TRUTH:
        return classes.index(TRUTH[text.lower()])
    number = _number(text)
    for index, name in enumerate(classes):
        if number is not None and _number(name) == number:
            return index
    named = ", ".join(classes[:10]) + (" …" if len(classes) > 10 else "")
    after = f", which is no class; expected one of {named}"
    raise AnswerProblem("answered ", _shown(text), after, at, "a text")


def _finite(value: Any, at: int) -> float:
    number = _number(value)
    if number is None or not math.isfinite(number):
        kind = type(value).__name__ if number is None else str(number)  # NaN or infinity, of no row
        kind = "a text" if isinstance(value, str) and number is None else kind
        raise AnswerProblem("answered ", _shown(value), ", expected a finite number", at, kind)
    return number


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
