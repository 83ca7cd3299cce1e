"""A search for hyperparameters by cross-validation (`training.search`)."""

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from retraining.config.estimators import Value, Whole, hyperparameters_of, name_problem, value_problem
from retraining.config.fields import LIST, NUMBER, RANGE, Duration, Flag, Problem, Section, scalar, unexpected
from retraining.config.tasks import DECISIVE, METRICS, NEITHER_IS_BETTER, NO_INTERVAL, Task

LONGEST: Final = timedelta(hours=24)
"""The longest search."""

CHOICES: Final = 100
"""Values of one hyperparameter that can be listed."""


def _number(value: object) -> object:
    """A number as YAML has it: whole, or with a decimal point."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise unexpected("a finite number")
    return value


Bound = Annotated[int | float, BeforeValidator(_number)]
"""An end of a range. Two whole ends give whole numbers where the hyperparameter takes them."""


class Between(Section):
    """Numbers between two ends, each as likely as the others."""

    low: Bound
    """The lowest value that is tried."""

    high: Bound
    """The highest value that is tried."""

    log: Flag = False
    """Whether each order of magnitude is as likely as the others, as for a learning rate."""

    def problems(self) -> Iterator[Problem]:
        """Ends that leave nothing between them."""
        if not self.low < self.high:
            yield ("high",), f"high must be above low, which is {self.low}"
        if self.log and self.low <= 0:
            yield ("log",), f"log needs a low above 0, not {self.low}"


def _choices(value: object) -> object:
    """A list of values, or a mapping that is a range."""
    if isinstance(value, Between | dict):
        return value
    if isinstance(value, list | tuple) and 0 < len(value) <= CHOICES:
        return tuple(None if one is None else scalar(one) for one in value)
    raise unexpected("a list of values such as [15, 31, 63], or a range such as {low: 0.01, high: 0.3}")


def _form(value: object) -> str:
    return RANGE if isinstance(value, Between | dict) else LIST


Distribution = Annotated[
    Annotated[Between, Tag(RANGE)] | Annotated[tuple[Value, ...], Tag(LIST)],
    Discriminator(_form),
    BeforeValidator(_choices),
]
"""What values of a hyperparameter are tried."""


def _long(value: timedelta) -> timedelta:
    if not timedelta(seconds=10) <= value <= LONGEST:
        raise unexpected("a duration from 10s to 24h")
    return value


class Search(Section):
    """A search for hyperparameters: settings are drawn at random and measured by cross-validation.

    The settings of `training.hyperparameters` are the first candidate. The best one is then fitted to all
    training rows. Validation rows have no part in it.
    """

    parameters: dict[str, Distribution] = Field(min_length=1)
    """What is searched: for each hyperparameter a list of values, or a range of numbers, such as
    `{low: 0.01, high: 0.3, log: true}`. A range has a lowest value `low` and a highest value `high`; with
    `log` each order of magnitude is as likely as the others."""

    metric: str | None = None
    """The metric by which settings are compared, as its mean over the folds. If left out, roc_auc for two
    classes, roc_auc_ovr for more, and rmse for regression."""

    candidates: Annotated[int, Field(ge=2, le=1000), NUMBER] = 30
    """Settings that are tried at most."""

    folds: Annotated[int, Field(ge=2, le=20), NUMBER] = 5
    """Parts into which the training rows are divided; each is measured by a model of the others. Rows of one
    `data.group`, and copies of a row, are in one part."""

    max_time: Annotated[Duration, AfterValidator(_long)] = timedelta(minutes=30)
    """Time after which no further settings are tried; the best so far counts."""


def search_problems(search: Search, task: Task, estimator: str) -> Iterator[Problem]:
    """What of the search makes no sense for this estimator of the task."""
    metric = search.metric or DECISIVE[task]
    known = [name for name in METRICS[task] if name not in (*NO_INTERVAL, *NEITHER_IS_BETTER)]
    if metric not in known:
        yield ("metric",), f"{metric} is no metric to search by in {task}: choose one of {', '.join(known)}"
    for name, distribution in search.parameters.items():
        at = ("parameters", name)
        if problem := name_problem(name, task, estimator):
            yield at, problem
            continue
        wrong = (value_problem(name, value, task, estimator) for value in drawn(distribution))
        if problem := next(filter(None, wrong), whole_problem(name, distribution, task, estimator)):
            yield at, problem


def drawn(distribution: Between | tuple[Value, ...]) -> tuple[Value, ...]:
    """The values that are tried; of a range its two ends."""
    return distribution if isinstance(distribution, tuple) else (distribution.low, distribution.high)


def whole_problem(
    name: str, distribution: Between | tuple[Value, ...], task: Task, estimator: str
) -> str | None:
    """Why a range with whole ends is not what was meant: of it only whole numbers are drawn."""
    if isinstance(distribution, tuple):
        return None
    low, high = distribution.low, distribution.high
    if not (isinstance(low, int) and isinstance(high, int)):
        return None
    if any(isinstance(form, Whole) for form in hyperparameters_of(task, estimator)[name]):
        return None
    return f"between {low} and {high} only whole numbers are drawn: write {low}.0 and {high}.0"
