"""What the scripts that run in a model's own image say twice: bounds, the text of a class, and messages."""

from __future__ import annotations

import pytest

import convert
import handsoff_answers
import job
import score
import scoring
from handsoff_answers import AnswerProblem, Wanted, predictions

CLASSES: list[tuple[list[str], str, int | None]] = [
    (["0", "1"], "1", 1),
    (["0", "1"], " 1.0 ", 1),
    (["0", "1"], "1e0", 1),
    (["0", "1"], "2", None),
    (["died", "survived"], "survived", 1),
    (["died", "survived"], "Survived", None),
    (["died", "survived"], "1", None),
    (["01", "1"], "01", 0),
    (["01", "1"], "1", 1),
    (["false", "true"], "True", 1),
    (["false", "true"], "0", 0),
    (["false", "true"], "maybe", None),
    (["no", "yes"], "no", 0),
]


@pytest.mark.parametrize(("classes", "text", "index"), CLASSES)
def test_class_of_an_answer_is_that_of_a_target(classes: list[str], text: str, index: int | None) -> None:
    if index is None:
        with pytest.raises(LookupError):
            convert.class_index(text, classes)
        with pytest.raises(AnswerProblem):
            predictions([text], "application/json", 1, Wanted("label", tuple(classes)))
        return
    assert convert.class_index(text, classes) == index
    assert predictions([text], "application/json", 1, Wanted("label", tuple(classes))) == [[float(index)]]


def test_a_probability_that_is_scored_can_be_evaluated() -> None:
    assert handsoff_answers.ROUNDING == scoring.ROUNDING == 1e-6


def test_messages_have_the_same_length() -> None:
    assert score.MESSAGE_LIMIT == job.MESSAGE_LIMIT == 1000
