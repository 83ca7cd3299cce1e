"""handsoff.yaml as frozen models: what one deployment retrains, and by which rules.

A file that does not validate is refused whole. The error names each key and what was expected there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from retraining.config.account import Aws
from retraining.config.fields import Class, Column, Duration, Section, class_value
from retraining.config.problems import explain
from retraining.config.rules import Approval, DataRule, MetricRule
from retraining.config.tasks import ESTIMATORS, METRICS, NOT_COMPARED, Task
from retraining.errors import ConfigError

SSM_LIMIT: Final = 8192
"""Bytes that an SSM parameter of the advanced tier holds; a model's config has to fit one."""

NAME_LIMIT: Final = 63
"""Characters of a SageMaker pipeline's name, `<prefix>-<model>`, that its model package group shares."""

BINARY: Final = ("0", "1")
MAX_CLASSES: Final = 100


class Features(Section):
    """The columns that the model sees, by how they are read. Any other column of a file is ignored.

    `boolean` columns say true or false, yes or no, t or f, y or n, 1 or 0, in any case.
    """

    numeric: tuple[Column, ...] = ()
    categorical: tuple[Column, ...] = ()
    boolean: tuple[Column, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.numeric, *self.categorical, *self.boolean)

    @model_validator(mode="after")
    def _some_and_distinct(self) -> Self:
        names = self.names
        if not names:
            raise ValueError("at least one numeric, categorical or boolean column")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each column once, but {', '.join(twice)} stands twice")
        return self


class Marker(Section):
    """The batch is complete when an object of this name lands beside the files."""

    when: Literal["marker"] = "marker"
    marker: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")] = "_SUCCESS"


class Quiet(Section):
    """The batch is complete when nothing has landed for `quiet_period`."""

    when: Literal["quiet"]
    quiet_period: Duration = timedelta(minutes=5)


class EveryObject(Section):
    """The batch is complete with every object, provided that there is data for both splits."""

    when: Literal["every_object"]


_RATE = re.compile(r"rate\((?:1 (?:minute|hour|day)|[1-9]\d{0,4} (?:minutes|hours|days))\)")
_CRON = re.compile(r"cron\((?:[\w*?/,#-]+ ){5}[\w*?/,#-]+\)")


class Retrain(Section):
    """When a model may be retrained. One execution runs at a time, whatever else is said here.

    `cooldown` passes after an execution's end before the next starts. `daily_limit` counts starts within
    24 hours. `min_new_rows` is what files that the last batch had not must hold together. `paused` lets
    everything wait. A person's request passes over readiness, cooldown and min_new_rows, a schedule over
    readiness and min_new_rows.
    """

    ready: Annotated[Marker | Quiet | EveryObject, Field(discriminator="when")] = Marker()
    schedule: str | None = None
    schedule_timezone: str = "UTC"
    cooldown: Duration = timedelta(0)
    daily_limit: int = Field(24, ge=1, le=1000)
    min_new_rows: int = Field(0, ge=0)
    paused: bool = False

    @field_validator("schedule")
    @classmethod
    def _known_form(cls, value: str | None) -> str | None:
        if value is not None and not (_RATE.fullmatch(value) or _CRON.fullmatch(value)):
            raise ValueError("rate(7 days) or cron(0 6 ? * MON *), as EventBridge Scheduler takes them")
        return value

    @field_validator("schedule_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("a time zone such as Europe/Madrid") from None
        return value


class Training(Section):
    """`estimator` is scikit-learn's; logistic_regression takes classes, ridge numbers, the others either."""

    estimator: Literal["hist_gradient_boosting", "random_forest", "logistic_regression", "ridge"] = (
        "hist_gradient_boosting"
    )
    instance_type: Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")] = "ml.m5.large"


class Approvers(Section):
    """Where approvers are in Slack, and who of them may decide there: users by id, such as U0123ABCD."""

    slack_channel: Annotated[str, StringConstraints(pattern=r"^#?[^\s#@,<>&]{1,80}$")] | None = None
    slack_users: tuple[Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,30}$")], ...] = ()


class ModelConfig(Section):
    """Everything that is particular to one model.

    `classes` are what the target may say; of two the second is the positive one, which precision, recall and
    probabilities are about.
    """

    task: Task
    target: Column
    classes: tuple[Class, ...] = ()
    features: Features
    retrain: Retrain = Retrain()
    training: Training = Training()
    approval: Approval = Approval()
    approvers: Approvers = Approvers()

    @model_validator(mode="before")
    @classmethod
    def _zero_and_one(cls, values: Any) -> Any:
        """A binary target whose classes are not named is 0 or 1."""
        if isinstance(values, dict) and values.get("task") == "binary_classification":
            return {"classes": BINARY, **values}
        return values

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        if self.target in self.features.names:
            raise ValueError(f"the target {self.target} may not be a feature")
        if self.training.estimator not in ESTIMATORS[self.task]:
            known = ", ".join(sorted(ESTIMATORS[self.task]))
            raise ValueError(f"{self.training.estimator} does no {self.task}; what does: {known}")
        return self

    @model_validator(mode="after")
    def _classes_fit_the_task(self) -> Self:
        names = [class_value(name) for name in self.classes]
        if twice := sorted({str(name) for name in names if names.count(name) > 1}):
            raise ValueError(f"each class once, but {', '.join(twice)} stands twice")
        if self.task == "regression" and names:
            raise ValueError("regression takes no classes")
        if self.task == "binary_classification" and len(names) != 2:
            raise ValueError("binary_classification takes two classes, the second being the positive one")
        if self.task == "multiclass_classification" and not 3 <= len(names) <= MAX_CLASSES:
            raise ValueError(
                f"multiclass_classification needs its classes named, from 3 to {MAX_CLASSES}: "
                "classes: [first, second, third]"
            )
        return self

    @model_validator(mode="after")
    def _rules_fit_the_task(self) -> Self:
        for number, rule in enumerate(self.approval.rules, 1):
            problem = (
                self._metric_problem(rule) if isinstance(rule, MetricRule) else self._column_problem(rule)
            )
            if problem:
                raise ValueError(f"approval.rules, number {number}: {problem}")
        return self

    def _metric_problem(self, rule: MetricRule) -> str | None:
        metrics = METRICS[self.task]
        if rule.metric not in metrics:
            return f"{rule.metric} is no metric of {self.task}; its metrics are {', '.join(metrics)}"
        lowest, highest = metrics[rule.metric]
        within = f"{rule.metric} lies between {lowest:g} and {highest:g}"
        for name, bound in (("min", rule.min), ("max", rule.max)):
            if bound is not None and not lowest <= bound <= highest:
                return f"{within}, so {name} cannot be {bound:g}"
            if bound == {"min": lowest, "max": highest}[name]:
                return f"{within}: with {name} {bound:g} no model could fail"
        versus = rule.versus_champion
        if (
            versus
            and not versus.relative
            and max(versus.max_loss or 0, versus.min_gain or 0) >= highest - lowest
        ):
            return f"{within}: no two values differ by more"
        if versus and rule.metric in NOT_COMPARED:
            return f"no bound of a difference in {rule.metric} is honest: compare brier instead"
        for column, value in (rule.slice or {}).items():
            if column not in (*self.features.categorical, *self.features.boolean):
                return f"the slice column {column} must be a categorical or boolean feature"
            if column in self.features.boolean and value not in ("true", "false"):
                return f"the slice column {column} is boolean: true or false, not {value}"
        return None

    def _column_problem(self, rule: DataRule) -> str | None:
        if rule.column is not None and rule.column not in self.features.names:
            return f"{rule.column} is no feature"
        return None


class Config(Section):
    """The whole of handsoff.yaml."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{0,19}$")] = "handsoff"
    aws: Aws = Aws()
    models: dict[Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ModelConfig] = Field(
        min_length=1
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        for name, model in self.models.items():
            if len(f"{self.prefix}-{name}") > NAME_LIMIT:
                raise ValueError(f"the model name {name} is too long: with the prefix at most {NAME_LIMIT}")
            if (size := len(dump_model(model).encode())) > SSM_LIMIT:
                raise ValueError(f"the config of {name} is {size} bytes; SSM holds {SSM_LIMIT}")
        return self


def dump_model(model: ModelConfig) -> str:
    """One model's config as the JSON that SSM holds under `/<prefix>/models/<model>`."""
    return model.model_dump_json(exclude_none=True)


def parse_model(text: str, *, source: str) -> ModelConfig:
    """The inverse of `dump_model`. Raises ConfigError, which names `source` and each wrong key."""
    try:
        return ModelConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(explain(error, source)) from None


def parse_config(values: Mapping[str, Any], *, source: str) -> Config:
    """handsoff.yaml, already read as YAML. Raises ConfigError, which names `source` and each wrong key."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error, source)) from None
