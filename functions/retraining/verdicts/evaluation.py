"""evaluation.json as the rules read it. The step ModelEvaluation writes it.

The top level of the file is SageMaker's model-quality format, for other readers of model packages. The rules
read only what is under `handsoff`. Writer and reader are tested with one sample,
tests/samples/evaluation.json.
"""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, Strict, ValidationError

from retraining.config.problems import explain
from retraining.config.tasks import Task
from retraining.errors import EvaluationError


def _number(value: object) -> object:
    """null, and SageMaker's string "NaN", as NaN: JSON has no number for a metric that is undefined."""
    return math.nan if value is None or value == "NaN" else value


Number = Annotated[float, Strict(), BeforeValidator(_number)]
"""A number, neither a text nor a boolean; NaN where it is undefined."""

Count = Annotated[int, Strict(), Field(ge=0)]
"""A number of rows, of clusters or of slices."""


class _Frozen(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")


class Measured(_Frozen):
    """One metric: its value, the standard deviation of that estimate, and its two-sided 95 % interval.

    `bounds` are the lower and the upper one-sided bound by confidence, from "0.8" to "0.99"; empty where no
    interval is known, and in evaluations of earlier versions. All are in units of the metric, and NaN where
    undefined.
    """

    value: Number
    standard_deviation: Number = math.nan
    interval: tuple[Number, Number] = (math.nan, math.nan)
    bounds: dict[str, tuple[Number, Number]] = {}


class Scores(_Frozen):
    """What was measured on `n` rows, by metric name.

    `unusable` is the number of rows whose prediction is no finite number, or no probabilities; if there is
    one, no metric is defined. `clusters` is the number of equal, independent groups of rows that the rows are
    worth, as pipeline_def/steps/clusters.py says. `smallest_class` is the number of clusters with a row of
    the rarest class. `smallest_predicted` is that of clusters with a row that is predicted positive; of more
    than two classes, of the class that is predicted most rarely. Both are None in regression. Evaluations of
    earlier versions have no `clusters` and no `smallest_predicted`, and count rows in `smallest_class`.
    """

    n: Count
    unusable: Count = 0
    clusters: Count | None = None
    smallest_class: Count | None = None
    smallest_predicted: Count | None = None
    metrics: dict[str, Measured]


class SliceScores(Scores):
    """Scores on the validation rows where each column of `where` has its value."""

    where: dict[str, str]


class Difference(_Frozen):
    """One metric of the candidate minus that of another model, on the same rows.

    `standard_error` is that of the paired difference, with `freedom` degrees of freedom; NaN means the
    normal distribution. `bounds` are the lower and the upper one-sided 95 % bound. All are in units of the
    metric, and NaN where undefined. `method` names how the standard error was computed.
    """

    value: Number
    standard_error: Number
    freedom: Number = math.nan
    bounds: tuple[Number, Number] = (math.nan, math.nan)
    method: str = ""


class Agreement(_Frozen):
    """On how many rows candidate and champion were right. `mcnemar_p` is the exact two-sided p-value."""

    both_right: Count
    only_candidate: Count
    only_champion: Count
    both_wrong: Count
    mcnemar_p: Number


class Paired(_Frozen):
    """Candidate and champion on the same `n` rows.

    `clusters` and `smallest_class` are those of `Scores`. `smallest_predicted` is the smaller one of both
    models'.
    """

    n: Count
    clusters: Count | None = None
    smallest_class: Count | None = None
    smallest_predicted: Count | None = None
    candidate: dict[str, Measured]
    champion: dict[str, Measured]
    differences: dict[str, Difference]
    agreement: Agreement | None = None


class SlicePaired(Paired):
    """Candidate and champion on the rows where each column of `where` has its value."""

    where: dict[str, str]


class UnknownToChampion(_Frozen):
    """The share of the compared rows, from 0 to 1, whose category of a feature the champion does not know.

    `known_to_candidate` is the part of it whose category the candidate knows.
    """

    share: Number
    known_to_candidate: Number


class Unfamiliar(_Frozen):
    """The share of the compared rows, from 0 to 1, in which only the candidate knows a category.

    Features of `data.new_categories` do not count. `by_chance` is what the champion's training rows explain.
    """

    share: Number
    by_chance: Number


class FoundSlice(_Frozen):
    """The compared rows with one value of a feature, and by how much the candidate's mean loss is higher.

    The slice is the rows with the category `value`, or with a number from `range[0]` to `range[1]`; if both
    are None, the rows without a value. `difference` is the mean loss of the candidate minus that of the
    champion, and `margin` what it may be, both in units of `loss`; evaluations of earlier versions have the
    margin 0. `p` is the one-sided p-value that the difference is at most the margin, `p_holm` the same,
    corrected for all slices that were tested (Holm 1979).
    """

    column: str
    value: str | None
    range: tuple[Number, Number] | None
    n: Count
    clusters: Count
    loss: str
    difference: Number
    margin: Number = 0.0
    standard_error: Number
    p: Number
    p_holm: Number


class Lookalikes(_Frozen):
    """How many rows have the same features and target as a training row, or as another validation row.

    Of the `n` different validation rows `equal` have one, which is the share `share`. `train_share` is the
    share of the `train_n` different training rows that have one among the others. `z` is the difference of
    both shares, divided by its standard error if the rows of both splits were exchangeable. The shares are
    then worth `independent` and `train_independent` rows; evaluations of earlier versions have neither, and
    all rows count.
    """

    n: Count
    equal: Count
    share: Number
    independent: Number | None = None
    train_n: Count
    train_share: Number
    train_independent: Number | None = None
    z: Number


class Comparison(Paired):
    """Candidate and champion on the rows that the champion was not trained on.

    `excluded` is the number of rows that are left out because the champion was trained on them,
    `excluded_groups` that of further rows whose group is among its training rows; 0 where its artifact has no
    such groups. `lookalikes` are against the champion's training rows. `unknown` is by feature.
    `slices_tested` slices were searched for a higher loss; `found_slices` are those with the lowest p-values,
    in their order. `lookalikes`, `unfamiliar` and both of the latter are None in evaluations of earlier
    versions.
    """

    excluded: Count
    excluded_groups: Count = 0
    lookalikes: Lookalikes | None = None
    slices: tuple[SlicePaired, ...] = ()
    unknown: dict[str, UnknownToChampion] = {}
    unfamiliar: Unfamiliar | None = None
    slices_tested: Count | None = None
    found_slices: tuple[FoundSlice, ...] | None = None


class Anchored(_Frozen):
    """The candidate beside the model's anchor, the package with the ARN `package`.

    If the anchor could not be scored, `comparison` is None and `problem` says why.
    """

    package: str
    problem: str | None = None
    comparison: Comparison | None = None


class Baseline(_Frozen):
    """Guessing on the candidate's rows, and how much better the candidate is.

    Guessing predicts the class shares of the training rows, or their mean, as `predicts` says in words.
    """

    predicts: str
    metrics: dict[str, Measured]
    differences: dict[str, Difference]


class SplitData(_Frozen):
    """The number of rows of a split, and by feature the share of missing values, from 0 to 1."""

    rows: Count
    missing_share: dict[str, Number]


class Data(_Frozen):
    """The data that the candidate was trained and measured on, as DataPreProcessing counted it."""

    train: SplitData
    validation: SplitData


class Moved(_Frozen):
    """The population stability index of a feature, and the part of it that chance alone causes.

    `by_chance` depends on the numbers of rows and bins.
    """

    psi: Number
    by_chance: Number


class Unknown(_Frozen):
    """The share of the validation rows with a value whose category is not among those of the training rows.

    `by_chance` is the share that the training rows explain. Both are from 0 to 1.
    """

    share: Number
    by_chance: Number


class Shift(_Frozen):
    """How far some rows are from others, by feature and in the target.

    `target` is None in evaluations of earlier versions.
    """

    columns: dict[str, Moved]
    target: Moved | None = None


class Drift(Shift):
    """From the training rows of `reference`, a package ARN, to the candidate's."""

    reference: str


class TimeDrift(Shift):
    """From the earlier training rows to the newest fifth of them by `data.date`.

    `since` is the date of the first row of that fifth, in ISO 8601.
    """

    since: str = Field(alias="from")


class Evaluation(_Frozen):
    """What ModelEvaluation measured of one candidate.

    `leaked` is the number of validation rows that the candidate was trained on, `same_group` that of further
    rows whose group is among its training rows. Both are left out of all numbers. `lookalikes` are against
    the candidate's training rows, `copies` are validation rows that look like another one; None in
    evaluations of earlier versions, and where groups are too few to test. `champion` is the ARN of the
    package that the candidate was compared with, None if there was none. If the champion could not be scored,
    `comparison` and `drift` are None and `champion_problem` says why. `validation_drift` is from the training
    rows to the validation rows; None in evaluations of earlier versions. `time_drift` is None in those, too,
    and where the rows have no dates. `unknown` is by categorical feature; None in evaluations of handsoff
    0.1. `data_notes` are what a person should know of the data, and what decides nothing. `data_changes` say
    how the data differs from the champion's, and `search` what a search for hyperparameters tried and chose;
    no rule reads them. `anchor` is None where the candidate was compared with no anchor. `validation` is the
    identity of the validation rows: the SHA-256 of what identifies them, or of their features and target.
    Both are None in evaluations of earlier versions.
    `quality` is SageMaker's part of the file; None for an evaluation that was not read from one.
    """

    schema_version: Literal[2]
    model: str
    task: Task
    classes: tuple[str, ...] = ()
    execution: str
    batch: str
    leaked: Count = 0
    same_group: Count = 0
    lookalikes: Lookalikes | None = None
    copies: Lookalikes | None = None
    candidate: Scores
    slices: tuple[SliceScores, ...] = ()
    baseline: Baseline
    data: Data
    unknown: dict[str, Unknown] | None = None
    champion: str | None
    champion_problem: str | None = None
    comparison: Comparison | None = None
    drift: Drift | None = None
    validation_drift: Shift | None = None
    time_drift: TimeDrift | None = None
    data_notes: tuple[str, ...] = ()
    data_changes: dict[str, JsonValue] | None = None
    search: dict[str, JsonValue] | None = None
    anchor: Anchored | None = None
    validation: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    quality: dict[str, JsonValue] | None = Field(None, exclude=True)

    @property
    def predicts(self) -> str:
        """The task and its classes in words, such as `binary_classification of 0, 1`."""
        return f"{self.task} of {', '.join(self.classes)}" if self.classes else self.task


class _File(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="allow")

    handsoff: Evaluation


def parse_evaluation(text: str | bytes, *, source: str) -> Evaluation:
    """Read an evaluation.json. Raises EvaluationError, which names `source` and each wrong key."""
    try:
        found = _File.model_validate_json(text)
    except ValidationError as error:
        raise EvaluationError(explain(error, source)) from None
    return found.handsoff.model_copy(update={"quality": found.model_extra or {}})
