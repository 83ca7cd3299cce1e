"""How an estimator is fitted: its hyperparameters, and the weights of classes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from retraining.config.estimators import Value, name_problem, together_problem, value_problem
from retraining.config.fields import Problem, Section, scalar, text, unexpected
from retraining.config.search import Search, search_problems
from retraining.config.tasks import Task

Hyperparameter = Annotated[str, StringConstraints(min_length=1, max_length=256), BeforeValidator(text)]
"""The name of a hyperparameter."""


def _weights(value: object) -> object:
    if value in ("balanced", None) or (isinstance(value, dict) and all(map(_is_weight, value.values()))):
        return value
    raise unexpected('balanced, or a mapping of classes to numbers above 0, such as {"no": 1, "yes": 5}')


def _is_weight(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 < float(value) < math.inf  # type: ignore[arg-type]


ClassName = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), BeforeValidator(text)]
"""A class as the key of a mapping. A number there is text."""

ClassWeight = Annotated[Literal["balanced"] | dict[ClassName, float] | None, BeforeValidator(_weights)]
"""How many rows each row of a class counts as."""


class Tuning(Section):
    """How the estimator is fitted."""

    hyperparameters: dict[Hyperparameter, Annotated[Value, BeforeValidator(scalar)]] = Field(
        default_factory=dict
    )
    """Hyperparameters: text, numbers, true or false. Those of a built-in estimator have scikit-learn's names.
    What is left out keeps its default; of `random_forest`, `n_estimators` is 300 and `min_samples_leaf` 3, of
    `logistic_regression`, `max_iter` is 1000. Own code gets them as arguments: `max-depth: 4` is
    `--max-depth 4`."""

    class_weight: ClassWeight = None
    """How much the rows of each class count in training: `balanced` lets all classes count alike; a mapping
    such as `{"no": 1, "yes": 5}` gives the weights of some classes, and the others have 1. The evaluation
    counts each row once."""

    search: Search | None = None
    """Set it to search for hyperparameters of a built-in estimator by cross-validation."""


def tuning_problems(tuning: Tuning, task: Task, estimator: str, classes: Sequence[str]) -> Iterator[Problem]:
    """Why the estimator of this model, which fits its task, cannot be fitted so, and what to do."""
    for name, value in tuning.hyperparameters.items():
        problem = name_problem(name, task, estimator) or value_problem(name, value, task, estimator)
        if problem:
            yield ("training", "hyperparameters", name), problem
    if together := together_problem(tuning.hyperparameters, task, estimator):
        yield ("training", "hyperparameters"), together
    if tuning.search:
        found = search_problems(tuning.search, task, estimator)
        yield from ((("training", "search", *path), said) for path, said in found)
    if problem := _class_weight_problem(tuning.class_weight, classes):
        yield ("training", "class_weight"), problem


def _class_weight_problem(
    weights: Literal["balanced"] | Mapping[str, float] | None, classes: Sequence[str]
) -> str | None:
    if weights is None:
        return None
    if not classes:
        return "regression has no classes: remove it"
    if isinstance(weights, str):
        return None
    if not weights:
        return "it names no class: name at least one, or remove it"
    if unknown := [name for name in weights if name not in classes]:
        return (
            f"{', '.join(unknown)} is no class: name some of {', '.join(classes)}; YAML reads yes and "
            "no without quotes as true and false"
        )
    return None
