"""What scikit-learn's estimators take as hyperparameters, as plain data: scikit-learn is not in Lambda.

tests/pipeline_def/test_hyperparameters.py holds the table to scikit-learn's own constraints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from retraining.config.nearest import nearest
from retraining.config.problems import shown
from retraining.config.tasks import Task

Value = bool | int | float | str | None
"""A hyperparameter's value."""


class Whole(NamedTuple):
    """A whole number from `low`, up to `high` if that is given."""

    low: int
    high: int | None = None

    def __str__(self) -> str:
        return f"a whole number of at least {self.low}" if self.high is None else self._between

    @property
    def _between(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def holds(self, value: Value) -> bool:
        """Whether the value is such a number."""
        number = isinstance(value, int) and not isinstance(value, bool)
        return number and self.low <= float(value or 0) <= (math.inf if self.high is None else self.high)


class Number(NamedTuple):
    """A number between two ends. `closed` says which ends belong to it.

    A number that is `fractional` is written with a decimal point: 1 would mean something else than 1.0.
    """

    low: float
    high: float
    closed: Literal["left", "right", "both", "neither"]
    fractional: bool = False

    def __str__(self) -> str:
        low = f"{'from' if self.closed in ('left', 'both') else 'above'} {self.low:g}"
        high = f" {'to' if self.closed in ('right', 'both') else 'below'} {self.high:g}"
        point = " with a decimal point" if self.fractional else ""
        return f"a number{point} {low}{'' if math.isinf(self.high) else high}"

    def holds(self, value: Value) -> bool:
        """Whether the value is such a number, and finite."""
        kinds = (float,) if self.fractional else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            return False
        above = value >= self.low if self.closed in ("left", "both") else value > self.low
        below = value <= self.high if self.closed in ("right", "both") else value < self.high
        return above and below


class Words(NamedTuple):
    """One of some words."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.words)

    def holds(self, value: Value) -> bool:
        """Whether the value is one of the words."""
        return isinstance(value, str) and value in self.words


class Flag(NamedTuple):
    """True or false."""

    def __str__(self) -> str:
        return "true, false"

    def holds(self, value: Value) -> bool:
        """Whether the value is one of the two."""
        return isinstance(value, bool)


class Null(NamedTuple):
    """No value."""

    def __str__(self) -> str:
        return "null"

    def holds(self, value: Value) -> bool:
        """Whether the value is none."""
        return value is None


Form = Whole | Number | Words | Flag | Null
"""What a hyperparameter may be."""

_COUNT: Final = Whole(1)
_NOT_NEGATIVE: Final = Number(0, math.inf, "left")
_POSITIVE: Final = Number(0, math.inf, "neither")

_BOOSTING: Final[Mapping[str, tuple[Form, ...]]] = {
    "learning_rate": (_POSITIVE,),
    "max_iter": (_COUNT,),
    "max_leaf_nodes": (Whole(2), Null()),
    "max_depth": (_COUNT, Null()),
    "min_samples_leaf": (_COUNT,),
    "l2_regularization": (_NOT_NEGATIVE,),
    "max_features": (Number(0, 1, "right", fractional=True),),
    "interaction_cst": (Words(("no_interactions", "pairwise")), Null()),
    "max_bins": (Whole(2, 255),),
    "early_stopping": (Words(("auto",)), Flag()),
    "n_iter_no_change": (_COUNT,),
    "validation_fraction": (Number(0, 1, "neither", fractional=True), _COUNT, Null()),
    "tol": (_NOT_NEGATIVE,),
}

_FOREST: Final[Mapping[str, tuple[Form, ...]]] = {
    "n_estimators": (_COUNT,),
    "max_depth": (_COUNT, Null()),
    "min_samples_split": (Whole(2), Number(0, 1, "right", fractional=True)),
    "min_samples_leaf": (_COUNT, Number(0, 1, "neither", fractional=True)),
    "min_weight_fraction_leaf": (Number(0, 0.5, "both"),),
    "max_features": (_COUNT, Number(0, 1, "right", fractional=True), Words(("log2", "sqrt")), Null()),
    "max_leaf_nodes": (Whole(2), Null()),
    "min_impurity_decrease": (_NOT_NEGATIVE,),
    "ccp_alpha": (_NOT_NEGATIVE,),
    "bootstrap": (Flag(),),
    "max_samples": (_COUNT, Number(0, math.inf, "neither", fractional=True), Null()),
}

CLASSIFIERS: Final[Mapping[str, Mapping[str, tuple[Form, ...]]]] = {
    "hist_gradient_boosting": _BOOSTING,
    "random_forest": {**_FOREST, "criterion": (Words(("entropy", "gini", "log_loss")),)},
    "logistic_regression": {
        "C": (Number(0, math.inf, "right"),),
        "l1_ratio": (Number(0, 1, "both"),),
        "solver": (Words(("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")),),
        "fit_intercept": (Flag(),),
        "max_iter": (Whole(0),),
        "tol": (_NOT_NEGATIVE,),
    },
}
"""By estimator of classification, its hyperparameters and what each may be."""

REGRESSORS: Final[Mapping[str, Mapping[str, tuple[Form, ...]]]] = {
    "hist_gradient_boosting": {
        **_BOOSTING,
        "loss": (Words(("absolute_error", "gamma", "poisson", "quantile", "squared_error")),),
        "quantile": (Number(0, 1, "both"), Null()),
    },
    "random_forest": {**_FOREST, "criterion": (Words(("absolute_error", "poisson", "squared_error")),)},
    "ridge": {
        "alpha": (_NOT_NEGATIVE,),
        "fit_intercept": (Flag(),),
        "max_iter": (_COUNT, Null()),
        "positive": (Flag(),),
        "tol": (_NOT_NEGATIVE,),
    },
}
"""By estimator of regression, its hyperparameters and what each may be."""

NOT_TAKEN: Final[Mapping[str, str]] = {
    "random_state": "it is always 0, so that the same rows give the same model",
    "n_jobs": "training uses all processors, and serving one",
    "class_weight": "write it beside hyperparameters, as training.class_weight",
    "categorical_features": "features.categorical says it",
    "monotonic_cst": "it is not offered",
    "scoring": "early stopping looks at the loss",
    "verbose": "the job's log has what was fitted",
    "warm_start": "each model is trained anew",
    "oob_score": "the validation rows measure the model",
    "penalty": "scikit-learn has deprecated it: write l1_ratio (0 is L2, 1 is L1)",
    "dual": "it is not offered",
    "intercept_scaling": "it is not offered",
    "copy_X": "it is not offered",
    "sample_weight": "name the column of weights in data.weight",
}
"""Names that scikit-learn knows and a config does not take, with the reason or the way out."""

SYNONYMS: Final[Mapping[str, str]] = {
    "eta": "learning_rate",
    "num_leaves": "max_leaf_nodes",
    "n_estimators": "max_iter",
    "num_round": "max_iter",
    "min_child_samples": "min_samples_leaf",
    "min_data_in_leaf": "min_samples_leaf",
    "lambda": "l2_regularization",
    "reg_lambda": "l2_regularization",
    "regularization": "C",
    "lambda_": "alpha",
}
"""What other libraries call some of the hyperparameters."""


def hyperparameters_of(task: Task, estimator: str) -> Mapping[str, tuple[Form, ...]]:
    """The hyperparameters of an estimator that fits the task, and what each may be."""
    return (REGRESSORS if task == "regression" else CLASSIFIERS)[estimator]


def name_problem(name: str, task: Task, estimator: str) -> str | None:
    """Why the estimator has no hyperparameter of this name, and which one was probably meant."""
    known = hyperparameters_of(task, estimator)
    if name in known:
        return None
    if name in NOT_TAKEN:
        return f"handsoff does not take it: {NOT_TAKEN[name]}"
    meant = SYNONYMS.get(name)
    if near := meant if meant in known else nearest(name, list(known)):
        return f"{estimator} has no such hyperparameter: did you mean {near}?"
    return f"{estimator} has no such hyperparameter: choose among {', '.join(sorted(known))}"


def value_problem(name: str, value: Value, task: Task, estimator: str) -> str | None:
    """Why the hyperparameter cannot have this value, and what was expected."""
    forms = hyperparameters_of(task, estimator)[name]
    if any(form.holds(value) for form in forms):
        return None
    *others, last = map(str, forms)
    expected = f"{', '.join(others)} or {last}" if others else last
    return f"expected {expected}, not {shown(value)}"


def together_problem(values: Mapping[str, Value], task: Task, estimator: str) -> str | None:
    """Why these hyperparameters, each of which may be, cannot be set together."""
    if estimator == "random_forest" and values.get("bootstrap") is False and values.get("max_samples"):
        return "max_samples needs bootstrap: true, as it says how many rows each tree draws"
    if estimator == "hist_gradient_boosting" and task == "regression":
        wants, given = values.get("loss") == "quantile", values.get("quantile") is not None
        if wants and not given:
            return "loss: quantile needs quantile, the quantile that is predicted, such as 0.9"
        if given and not wants:
            return "quantile has no effect without loss: quantile"
    if estimator == "logistic_regression":
        return _solver_problem(values.get("solver", "lbfgs"), values.get("l1_ratio") or 0, task)
    return None


def _solver_problem(solver: Value, l1_ratio: Value, task: Task) -> str | None:
    """Which solvers there are for a penalty and a number of classes (scikit-learn, LogisticRegression)."""
    if solver == "liblinear" and task == "multiclass_classification":
        return "solver: liblinear takes two classes only: choose another solver"
    if solver == "liblinear" and l1_ratio not in (0, 1):
        return "solver: liblinear takes an l1_ratio of 0 or 1: choose saga for one between"
    if l1_ratio and solver not in ("liblinear", "saga"):
        return f"solver: {solver} takes an l1_ratio of 0 only: choose saga"
    return None
