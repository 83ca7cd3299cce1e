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
    Discriminator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    Tag,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from retraining.config.tasks import ESTIMATORS, METRICS, NOT_COMPARED, Task
from retraining.errors import ConfigError

SSM_LIMIT: Final = 8192
"""Bytes that an SSM parameter of the advanced tier holds; a model's config has to fit one."""

NAME_LIMIT: Final = 63
"""Characters of a SageMaker pipeline's name, `<prefix>-<model>`, that its model package group shares."""

BINARY: Final = ("0", "1")
MOST_CLASSES: Final = 100

OnFail = Literal["reject", "hold", "warn"]

COMPARED_ROWS: Final = 30
"""Rows below which a paired difference's standard error, and so its bound, is not to be trusted."""

CLASS_ROWS: Final = 10
"""The same of the rows of each class, where a metric depends on them: with two positive rows, one in seven
models that know nothing seemed better than guessing at 99 % (bench/coverage.py)."""


def _text(value: object) -> object:
    """Categories and classes are text; who writes `1` or `true` in YAML means "1" or "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float) else value


Column = Annotated[str, StringConstraints(min_length=1)]
Value = Annotated[str, BeforeValidator(_text)]
Class = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1, strip_whitespace=True)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Features(_Frozen):
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


LONGEST: Final = timedelta(days=3650)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> object:
    """`90s`, `5m`, `1h`, `14d`."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", value) if isinstance(value, str) else None
    if found is None:
        if isinstance(value, timedelta):
            return value
        raise ValueError("a duration such as 90s, 5m, 1h or 14d")
    length = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if length > LONGEST:
        raise ValueError(f"a duration of at most {LONGEST.days}d")
    return length


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
    """`estimator` is scikit-learn's; logistic_regression takes classes, ridge numbers, the others either."""

    estimator: Literal["hist_gradient_boosting", "random_forest", "logistic_regression", "ridge"] = (
        "hist_gradient_boosting"
    )
    instance_type: Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")] = "ml.m5.large"


class VersusChampion(_Frozen):
    """How the candidate must compare with the champion on the same validation rows.

    `max_loss` asks for non-inferiority: the candidate may be worse by at most this much. `min_gain` asks
    for a proven gain. Both are held against the one-sided bound of the paired gain at `confidence`, never
    against the bare difference: gain − z(confidence) · standard error ≥ −max_loss, or ≥ min_gain.

    Both are in units of the metric, or, if `relative`, shares of the champion's absolute value. The
    champion's value is an estimate, too: what is bounded then is candidate − (1 ∓ share) · champion, with
    the uncertainty of both in it (docs/reference/rules.md).
    """

    max_loss: float | None = Field(None, ge=0, allow_inf_nan=False)
    min_gain: float | None = Field(None, ge=0, allow_inf_nan=False)
    relative: bool = False
    confidence: float = Field(0.95, gt=0.5, lt=1)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.max_loss is None) == (self.min_gain is None):
            raise ValueError("either max_loss or min_gain")
        share = self.max_loss or self.min_gain or 0.0
        if self.relative and share >= 1:
            raise ValueError(
                f"relative: true makes {share:g} {100 * share:g} % of the champion's value; "
                f"{share:g} % is {share / 100:g}"
            )
        return self


class _Rule(_Frozen):
    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)
    on_fail: OnFail = "reject"

    @model_validator(mode="after")
    def _some_value_fits(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: no model could pass")
        return self


class MetricRule(_Rule):
    """One condition on one metric of the task, on all validation rows or on a slice of them."""

    metric: str
    versus_champion: VersusChampion | None = None
    slice: dict[Column, Value] | None = Field(None, min_length=1)
    min_samples: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.min is None and self.max is None and self.versus_champion is None:
            raise ValueError("at least one of min, max, versus_champion")
        return self

    @property
    def rows_needed(self) -> int:
        """`min_samples`; without it 1, or as many as a comparison needs for its bound to mean anything."""
        return self.min_samples or (COMPARED_ROWS if self.versus_champion else 1)


class DataRule(_Rule):
    """One condition on the data of this execution, all of it counted by DataPreProcessing.

    `rows` of a split; `missing_share`, from 0 to 1, of a feature in a split; `drift`, the population
    stability index of a feature between the champion's training rows and the candidate's (0 is none; 0.1 is
    commonly called some and 0.25 much). Without `column` the worst feature counts.
    """

    data: Literal["rows", "missing_share", "drift"]
    split: Literal["train", "validation"] = "train"
    column: Column | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.data == "rows" and self.column is not None:
            raise ValueError("rows takes no column")
        if self.data == "drift" and self.split != "train":
            raise ValueError("drift compares training rows: it takes no split")
        if self.data != "rows" and (self.max is None or self.min is not None):
            raise ValueError(f"{self.data} takes max, and no min")
        if self.min is None and self.max is None:
            raise ValueError("at least one of min, max")
        highest = {"rows": math.inf, "missing_share": 1.0, "drift": math.inf}[self.data]
        for name, bound in (("min", self.min), ("max", self.max)):
            if bound is not None and not 0 <= bound <= highest:
                raise ValueError(f"{self.data} lies between 0 and {highest:g}, so {name} cannot be {bound:g}")
        return self


def _kind_of_rule(value: object) -> str:
    data = "data" in value if isinstance(value, Mapping) else isinstance(value, DataRule)
    return "<data>" if data else "<metric>"


Rule = MetricRule | DataRule


class Approval(_Frozen):
    """What a candidate must fulfil. All rules must hold for an approval, and without any there is none.

    `first_model` says what happens while there is no champion: the other rules decide, or a person.

    The rest is about candidates that wait for a person: how long a signed link lasts; after how long
    approvers are reminded, once; after how long the candidate is rejected, both counted from its verdict
    and left out by null; and whether the page of the link may decide or only shows.
    """

    first_model: Literal["rules_only", "hold"] = "rules_only"
    link_expires_after: Duration = timedelta(hours=72)
    remind_after: Duration | None = timedelta(hours=24)
    expire_after: Duration | None = timedelta(days=14)
    review_page: Literal["decide", "read_only"] = "decide"
    rules: tuple[
        Annotated[
            Annotated[MetricRule, Tag("<metric>")] | Annotated[DataRule, Tag("<data>")],
            Discriminator(_kind_of_rule),
        ],
        ...,
    ] = ()

    @model_serializer(mode="wrap")
    def _null_is_said(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Dumps leave null out, where it is the same as saying nothing. Here it is not."""
        dumped: dict[str, Any] = dump(self)
        said = {"remind_after": self.remind_after, "expire_after": self.expire_after}
        return {**dumped, **{name: None for name, value in said.items() if value is None}}

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        if not self.link_expires_after:
            raise ValueError("link_expires_after must be longer than nothing")
        if self.expire_after is None:
            return self
        if not self.expire_after:
            raise ValueError("expire_after must be longer than nothing; null lets candidates wait for ever")
        if self.remind_after is not None and self.expire_after <= self.remind_after:
            raise ValueError("expire_after must be longer than remind_after: a reminder comes first")
        return self


class Approvers(_Frozen):
    """Where approvers are in Slack, and who of them may decide there: users by id, such as U0123ABCD."""

    slack_channel: Annotated[str, StringConstraints(pattern=r"^#?[^\s#@,<>&]{1,80}$")] | None = None
    slack_users: tuple[Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,30}$")], ...] = ()


class ModelConfig(_Frozen):
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
        names = [_class_value(name) for name in self.classes]
        if twice := sorted({str(name) for name in names if names.count(name) > 1}):
            raise ValueError(f"each class once, but {', '.join(twice)} stands twice")
        if self.task == "regression" and names:
            raise ValueError("regression takes no classes")
        if self.task == "binary_classification" and len(names) != 2:
            raise ValueError("binary_classification takes two classes, the second being the positive one")
        if self.task == "multiclass_classification" and not 3 <= len(names) <= MOST_CLASSES:
            raise ValueError(
                f"multiclass_classification needs its classes named, from 3 to {MOST_CLASSES}: "
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


def _class_value(name: str) -> str | float:
    """What tells classes apart: 1 and 1.0 are the same."""
    try:
        return float(name)
    except ValueError:
        return name


_TAG = re.compile(r"[\w .:/=+@-]*")


class Aws(_Frozen):
    """What of an AWS account is used as it is, and what everything that Terraform makes there must have.

    `bucket` is an existing bucket's name and `pipeline_role` an existing role's ARN; what is left out,
    Terraform makes. `subnets` and `security_groups` are where the jobs' network interfaces are; without them
    the jobs are in a network of SageMaker's. `kms_key` is the ARN of the key that encrypts the bucket, the
    jobs' volumes and what they write; with it the same bytes landed twice have two ETags, so they are two
    batches. `permissions_boundary` is the ARN of a policy that every role gets. `operator` names a user that
    is made with the operator's policy; its keys are nobody's but its own to make.
    """

    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None = None
    pipeline_role: (
        Annotated[
            str,
            StringConstraints(pattern=r"^arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+$", max_length=256),
        ]
        | None
    ) = None
    subnets: tuple[Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...] = Field(
        (), max_length=16
    )
    security_groups: tuple[Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-f]{8,17}$")], ...] = Field(
        (), max_length=5
    )
    kms_key: (
        Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[\w-]+$")] | None
    ) = None
    permissions_boundary: (
        Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:iam::(\d{12}|aws):policy/[\w+=,.@/-]+$")]
        | None
    ) = None
    operator: Annotated[str, StringConstraints(pattern=r"^[\w+=,.@-]{1,64}$")] | None = None
    tags: dict[
        Annotated[str, StringConstraints(min_length=1, max_length=128)],
        Annotated[str, BeforeValidator(_text), StringConstraints(max_length=256)],
    ] = Field({}, max_length=40)

    @field_validator("tags")
    @classmethod
    def _tags_as_aws_takes_them(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if name.lower().startswith(("aws:", "handsoff:")):
                raise ValueError(f"the tag {name}: names that begin with aws: or handsoff: are reserved")
            if not _TAG.fullmatch(name) or not _TAG.fullmatch(text):
                raise ValueError(f"the tag {name}: letters, digits, spaces and _ . : / = + - @")
        return value

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups: both or none")
        return self


class Config(_Frozen):
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


_PLAINLY: Final = {
    "tuple_type": "a list, such as [one, another]",
    "dict_type": "a mapping, such as {key: value}",
    "model_type": "a mapping, such as {key: value}",
}


def explain(error: ValidationError, source: str) -> str:
    """A line per wrong key: where it is, what was expected, what stands there."""
    lines = [f"{source} is not valid:"]
    for problem in error.errors(include_url=False):
        at = problem["loc"]
        # pydantic names the form of a rule, and of `ready`, that it chose, which is no key of the file.
        parts = [
            str(part)
            for index, part in enumerate(at)
            if str(part) not in ("<metric>", "<data>") and (not index or at[index - 1] != "ready")
        ]
        key = re.sub(r"\.(\d+)\.?", lambda at: f", number {int(at[1]) + 1}, ", ".".join(parts)).rstrip(", ")
        key = key.replace(".[key]", "") or "(the whole)"
        message = re.sub(r"^(Value error|Assertion failed), ", "", problem["msg"])
        message = _PLAINLY.get(problem["type"], message)
        shown = "" if problem["type"] in ("missing", "value_error") else f", not {problem['input']!r:.80}"
        if problem["type"] == "extra_forbidden":
            message, shown = "no such key", ""
        lines.append(f"  {key}: {message}{shown}")
    return "\n".join(lines)
