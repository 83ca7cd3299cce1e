"""evaluation.json as the rules read it: the contract between ModelEvaluation, which writes it, and us.

At the top the file is SageMaker's model-quality format, for whoever reads model packages elsewhere. What
the rules need stands under `handsoff` and only that is read here. tests/samples/evaluation.json is one
that both sides are tested against.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from retraining.config import explain
from retraining.errors import EvaluationError


def _number(value: object) -> object:
    """JSON has no NaN, so what could not be computed arrives as null, or as SageMaker's string "NaN"."""
    return math.nan if value is None or value == "NaN" else value


Number = Annotated[float, BeforeValidator(_number)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Measured(_Frozen):
    """A metric and the standard deviation of its estimate, in its own units; NaN where undefined."""

    value: Number
    standard_deviation: Number = math.nan


class Scores(_Frozen):
    """`n` rows and what was measured on them, by metric name."""

    n: int = Field(ge=0)
    metrics: dict[str, Measured]


class SliceScores(Scores):
    """Scores on the validation rows where each of these columns has this value."""

    where: dict[str, str]


class Difference(_Frozen):
    """Candidate minus champion on the same rows, with the standard error of that paired difference."""

    value: Number
    standard_error: Number


class Comparison(_Frozen):
    """Candidate against champion on rows that the champion was not trained on; `excluded` are the others."""

    n: int = Field(ge=0)
    excluded: int = Field(ge=0)
    candidate: dict[str, Measured]
    champion: dict[str, Measured]
    differences: dict[str, Difference]
    method: str


class Evaluation(_Frozen):
    """What `ModelEvaluation` found out about one candidate.

    `leaked` validation rows the candidate was trained on: they are in none of these numbers. `champion` is
    the ARN that it was compared with, or None where there was none. If the champion could not be scored,
    `comparison` is None and `champion_problem` says why.
    """

    schema_version: Literal[1]
    model: str
    task: Literal["binary_classification"]
    execution: str
    batch: str
    leaked: int = Field(0, ge=0)
    candidate: Scores
    slices: tuple[SliceScores, ...] = ()
    champion: str | None
    champion_problem: str | None = None
    comparison: Comparison | None = None


class _File(_Frozen):
    handsoff: Evaluation


def parse_evaluation(text: str | bytes, *, source: str) -> Evaluation:
    """Read an evaluation.json. Raises EvaluationError, which names `source` and each wrong key."""
    try:
        return _File.model_validate_json(text).handsoff
    except ValidationError as error:
        raise EvaluationError(explain(error, source)) from None
