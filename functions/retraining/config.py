"""handsoff.yaml as frozen models: what one deployment retrains, and by which rules.

A file that does not validate is refused whole. The error names each key and what was expected there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from retraining.errors import ConfigError

SSM_LIMIT: Final = 8192
"""Bytes that an SSM parameter of the advanced tier holds; a model's config has to fit one."""

NAME_LIMIT: Final = 63
"""Characters of a SageMaker pipeline's name, `<prefix>-<model>`, that its model package group shares."""

Metric = Literal[
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
]
OnFail = Literal["reject", "hold", "warn"]

UNBOUNDED: Final = frozenset({"log_loss"})
"""Metrics that may exceed 1."""

COMPARED_ROWS: Final = 30
"""Rows below which a paired difference's standard error, and so its normal bound, is not to be trusted."""
Column = Annotated[str, StringConstraints(min_length=1)]
SliceValue = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
"""Categories are text; who writes `{pclass: 1}` means the category "1"."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Features(_Frozen):
    """The columns that the model sees, by how they are read. Any other column of a file is ignored."""

    numeric: tuple[Column, ...] = ()
    categorical: tuple[Column, ...] = ()

    @model_validator(mode="after")
    def _some_and_distinct(self) -> Self:
        names = [*self.numeric, *self.categorical]
        if not names:
            raise ValueError("at least one numeric or categorical column")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each column once, but {', '.join(twice)} stands twice")
        return self


_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> object:
    """`90s`, `5m`, `1h`, `14d`."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", value) if isinstance(value, str) else None
    if found is None:
        if isinstance(value, timedelta):
            return value
        raise ValueError("a duration such as 90s, 5m, 1h or 14d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda value: f"{int(value.total_seconds())}s", return_type=str),
]


class Marker(_Frozen):
    """The batch is complete when an object of this name lands beside the files."""

    when: Literal["marker"] = "marker"
    marker: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")] = "_SUCCESS"


class Quiet(_Frozen):
    """The batch is complete when nothing has landed for `quiet_period`."""

    when: Literal["quiet"]
    quiet_period: Duration = timedelta(minutes=5)


class EveryObject(_Frozen):
    """The batch is complete with every object, provided that there is data for both splits."""

    when: Literal["every_object"]


_RATE = re.compile(r"rate\((?:1 (?:minute|hour|day)|[1-9]\d{0,4} (?:minutes|hours|days))\)")
_CRON = re.compile(r"cron\((?:[\w*?/,#-]+ ){5}[\w*?/,#-]+\)")


class Retrain(_Frozen):
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


class Training(_Frozen):
    estimator: Literal["hist_gradient_boosting", "random_forest", "logistic_regression"] = (
        "hist_gradient_boosting"
    )
    instance_type: Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")] = "ml.m5.large"


class VersusChampion(_Frozen):
    """How the candidate must compare with the champion on the same validation rows.

    `max_loss` asks for non-inferiority: the candidate may be worse by at most this much. `min_gain` asks
    for a proven gain. Both are in units of the metric and both are held against the one-sided bound of
    the paired difference at `confidence`, never against the bare difference.
    """

    max_loss: float | None = Field(None, ge=0)
    min_gain: float | None = Field(None, ge=0)
    confidence: float = Field(0.95, gt=0.5, lt=1)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.max_loss is None) == (self.min_gain is None):
            raise ValueError("either max_loss or min_gain")
        return self


class Rule(_Frozen):
    """One condition on one metric; all of them must hold for an approval."""

    metric: Metric
    min: float | None = None
    max: float | None = None
    versus_champion: VersusChampion | None = None
    slice: dict[Column, SliceValue] | None = Field(None, min_length=1)
    min_samples: int | None = Field(None, ge=1)
    on_fail: OnFail = "reject"

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.min is None and self.max is None and self.versus_champion is None:
            raise ValueError("at least one of min, max, versus_champion")
        if self.slice is not None and self.versus_champion is not None:
            raise ValueError("versus_champion compares all rows: it takes no slice")
        highest = math.inf if self.metric in UNBOUNDED else 1.0
        for name, bound in (("min", self.min), ("max", self.max)):
            if bound is not None and not 0 <= bound <= highest:
                raise ValueError(
                    f"{self.metric} lies between 0 and {highest:g}, so {name} cannot be {bound:g}"
                )
        versus = self.versus_champion
        if versus and max(versus.max_loss or 0, versus.min_gain or 0) > highest:
            raise ValueError(f"{self.metric} lies between 0 and {highest:g}: no two values differ by more")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: no model could pass")
        return self

    @property
    def rows_needed(self) -> int:
        """`min_samples`; without it 1, or as many as a comparison needs for its bound to mean anything."""
        return self.min_samples or (COMPARED_ROWS if self.versus_champion else 1)


class Approval(_Frozen):
    """`first_model` says what happens while there is no champion: the other rules decide, or a person."""

    first_model: Literal["rules_only", "hold"] = "rules_only"
    rules: tuple[Rule, ...] = ()


class ModelConfig(_Frozen):
    """Everything that is particular to one model."""

    task: Literal["binary_classification"]
    target: Column
    features: Features
    retrain: Retrain = Retrain()
    training: Training = Training()
    approval: Approval = Approval()

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        if self.target in (*self.features.numeric, *self.features.categorical):
            raise ValueError(f"the target {self.target} may not be a feature")
        for rule in self.approval.rules:
            for column in rule.slice or {}:
                if column not in self.features.categorical:
                    raise ValueError(f"the slice column {column} must be a categorical feature")
        return self


class Config(_Frozen):
    """The whole of handsoff.yaml."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{0,19}$")] = "handsoff"
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


def explain(error: ValidationError, source: str) -> str:
    """A line per wrong key: where it is, what was expected, what stands there."""
    lines = [f"{source} is not valid:"]
    for problem in error.errors(include_url=False):
        at = problem["loc"]
        # Below `ready` pydantic names the form that `when` chose, which is no key of the file.
        parts = [str(part) for index, part in enumerate(at) if not index or at[index - 1] != "ready"]
        key = ".".join(parts) or "(the whole)"
        message = re.sub(r"^(Value error|Assertion failed), ", "", problem["msg"])
        shown = "" if problem["type"] in ("missing", "value_error") else f", not {problem['input']!r:.80}"
        if problem["type"] == "extra_forbidden":
            message, shown = "no such key", ""
        lines.append(f"  {key}: {message}{shown}")
    return "\n".join(lines)
