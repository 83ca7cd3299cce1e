"""evaluation.json as the rules read it: the contract between ModelEvaluation, which writes it, and us.

At the top the file is SageMaker's model-quality format, for whoever reads model packages elsewhere. What
the rules need stands under `handsoff` and only that is read here. tests/samples/evaluation.json is one
that both sides are tested against.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from retraining.config.problems import explain
from retraining.config.tasks import Task
from retraining.errors import EvaluationError


def _number(value: object) -> object:
    """JSON has no NaN, so what could not be computed arrives as null, or as SageMaker's string "NaN"."""
    return math.nan if value is None or value == "NaN" else value


Number = Annotated[float, BeforeValidator(_number)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Measured(_Frozen):
    """A metric, the standard deviation of its estimate in its own units, and its two-sided 95 % interval.

    NaN where undefined.
    """

    value: Number
    standard_deviation: Number = math.nan
    interval: tuple[Number, Number] = (math.nan, math.nan)


class Scores(_Frozen):
    """`n` rows and what was measured on them, by metric name.

    `unusable` rows got a prediction that is no finite number: if there is one, no metric is defined.
    `smallest_class` is how many rows are of the rarest class among them; None in regression.
    """

    n: int = Field(ge=0)
    unusable: int = Field(0, ge=0)
    smallest_class: int | None = Field(None, ge=0)
    metrics: dict[str, Measured]


class SliceScores(Scores):
    """Scores on the validation rows where each of these columns has this value."""

    where: dict[str, str]


class Difference(_Frozen):
    """Candidate minus another on the same rows, in units of the metric; NaN where undefined.

    `standard_error` is of the paired difference, with so many degrees of `freedom` (NaN: normal); `bounds`
    are its lower and upper one-sided 95 % bounds; `method` names how it was found.
    """

    value: Number
    standard_error: Number
    freedom: Number = math.nan
    bounds: tuple[Number, Number] = (math.nan, math.nan)
    method: str = ""


class Agreement(_Frozen):
    """On how many rows candidate and champion were right; `mcnemar_p` is the exact two-sided p-value."""

    both_right: int = Field(ge=0)
    only_candidate: int = Field(ge=0)
    only_champion: int = Field(ge=0)
    both_wrong: int = Field(ge=0)
    mcnemar_p: Number


class Paired(_Frozen):
    """Candidate and champion on the same `n` rows, of which so many are of the `smallest_class`."""

    n: int = Field(ge=0)
    smallest_class: int | None = Field(None, ge=0)
    candidate: dict[str, Measured]
    champion: dict[str, Measured]
    differences: dict[str, Difference]
    agreement: Agreement | None = None


class SlicePaired(Paired):
    """The same on the rows where each of these columns has this value."""

    where: dict[str, str]


class Comparison(Paired):
    """Candidate against champion on rows that the champion was not trained on; `excluded` are the others."""

    excluded: int = Field(ge=0)
    slices: tuple[SlicePaired, ...] = ()


class Baseline(_Frozen):
    """What guessing is worth on the candidate's rows: the training rows' class shares, or their mean."""

    predicts: str
    metrics: dict[str, Measured]
    differences: dict[str, Difference]


class SplitData(_Frozen):
    """Rows of a split, and the share of missing values by feature, from 0 to 1."""

    rows: int = Field(ge=0)
    missing_share: dict[str, Number]


class Data(_Frozen):
    """What the candidate was trained and measured on, as DataPreProcessing counted it."""

    train: SplitData
    validation: SplitData


class Moved(_Frozen):
    """A feature's population stability index, and what chance alone makes of it on so many rows and bins."""

    psi: Number
    by_chance: Number


class Drift(_Frozen):
    """How far each feature moved, from the training rows of `reference` (an ARN) to the candidate's."""

    reference: str
    columns: dict[str, Moved]


class Evaluation(_Frozen):
    """What `ModelEvaluation` found out about one candidate.

    `leaked` validation rows the candidate was trained on: they are in none of these numbers. `champion` is
    the ARN that it was compared with, or None where there was none. If the champion could not be scored,
    `comparison` and `drift` are None and `champion_problem` says why.
    """

    schema_version: Literal[2]
    model: str
    task: Task
    classes: tuple[str, ...] = ()
    execution: str
    batch: str
    leaked: int = Field(0, ge=0)
    candidate: Scores
    slices: tuple[SliceScores, ...] = ()
    baseline: Baseline
    data: Data
    champion: str | None
    champion_problem: str | None = None
    comparison: Comparison | None = None
    drift: Drift | None = None


class _File(_Frozen):
    handsoff: Evaluation


def parse_evaluation(text: str | bytes, *, source: str) -> Evaluation:
    """Read an evaluation.json. Raises EvaluationError, which names `source` and each wrong key."""
    try:
        return _File.model_validate_json(text).handsoff
    except ValidationError as error:
        raise EvaluationError(explain(error, source)) from None
